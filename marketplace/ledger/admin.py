"""A window on the ledger: nothing is changed here."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from .models import Account, Movement, Payment, Posting


class Window(admin.ModelAdmin[Any]):
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(Account)
class AccountWindow(Window):
    list_display = ("id", "organisation", "kind", "currency", "balance")
    list_select_related = ("organisation",)


@admin.register(Movement)
class MovementWindow(Window):
    list_display = ("key", "kind", "purpose", "at")
    search_fields = ("key", "purpose")


@admin.register(Posting)
class PostingWindow(Window):
    list_display = ("movement", "account", "amount", "currency", "balance_after")
    list_select_related = ("movement", "account")


@admin.register(Payment)
class PaymentWindow(Window):
    list_display = ("id", "organisation", "way", "amount", "currency", "status", "asked_at")
    list_select_related = ("organisation",)
