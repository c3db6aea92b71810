"""The admin is a window: people look through it; what they change, they change through services."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class Window(admin.ModelAdmin[Any]):
    """Look, and leave everything as it is."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
