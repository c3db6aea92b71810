from datetime import datetime
from typing import Any

from marketplace.journal.services import Finish, enqueue
from marketplace.market.events import LotAwarded, OrderFilled

from . import services
from .models import Deal


def on_lot_awarded(event: LotAwarded | OrderFilled, at: datetime) -> None:
    """Draw up the contract with the winner."""
    services.open_deal(event.award_id, now=at)


def expire_overdue(payload: dict[str, Any]) -> Finish:
    """Every minute: queue the end of every deal in which somebody let the time pass.

    One job each, so that one that fails holds up none of the others. The key names the slot: a deal whose dispute
    ended meanwhile is overdue once more.
    """

    def finish(now: datetime) -> None:
        for pk in Deal.objects.overdue(now).order_by("pk").values_list("pk", flat=True):
            key = f"deals.expire:{pk}@{payload['slot']}"
            enqueue("deals.expire", {"deal": pk}, now=now, dedupe_key=key)

    return finish


def expire_one(payload: dict[str, Any]) -> Finish:
    """Job: let the contract decide one deal, if it is still overdue."""

    def finish(now: datetime) -> None:
        services.expire(payload["deal"], now=now)

    return finish
