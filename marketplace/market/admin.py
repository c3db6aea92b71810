"""A window, not a door: nothing is changed here, and sealed bids are not shown before they are opened."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from marketplace.accounts.actors import SYSTEM

from .models import Auction, Award, Bid


class Window(admin.ModelAdmin[Any]):
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Show what staff may see: ``visible_to`` keeps the bids of others until the close, here as everywhere."""
        rows: QuerySet[Any] = self.model.objects.visible_to(SYSTEM)
        return rows.order_by("-pk")


@admin.register(Auction)
class AuctionWindow(Window):
    list_display = ("id", "lot", "mode", "status", "closes_at", "bid_count")
    list_filter = ("status", "mode")
    exclude = ("reserve",)


@admin.register(Bid)
class BidWindow(Window):
    list_display = ("id", "auction", "bidder", "maximum", "placed_at")
    list_select_related = ("auction", "bidder")


@admin.register(Award)
class AwardWindow(Window):
    list_display = ("id", "lot", "auction", "bidder", "rank", "price", "status")
    list_select_related = ("lot", "auction", "bidder")
