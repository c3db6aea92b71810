"""A window on what was told to whom."""

from django.contrib import admin

from marketplace.core.window import Window

from .models import Message, Notice


@admin.register(Notice)
class NoticeAdmin(Window):
    list_display = ("id", "user", "template", "created_at", "read_at")
    list_select_related = ("user",)
    list_filter = ("template",)


@admin.register(Message)
class MessageAdmin(Window):
    list_display = ("id", "notice_id", "channel", "address", "sent_at")
    list_filter = ("channel",)
