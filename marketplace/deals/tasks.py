from datetime import datetime
from typing import Any

from django.utils import timezone

from marketplace.market.events import LotAwarded

from . import services


def on_lot_awarded(event: LotAwarded, at: datetime) -> None:
    """Draw up the contract with the winner."""
    services.open_deal(event.award_id, now=at)


def expire_overdue(payload: dict[str, Any]) -> None:
    """Every minute. To run late, twice, or beside itself changes nothing."""
    services.expire_overdue(now=timezone.now())
