"""Doors for the journal."""

from datetime import datetime
from typing import Any

from marketplace.journal.services import Finish
from marketplace.lots.events import LotEvidenceChanged, LotExpired, LotSubmitted, LotWithdrawn
from marketplace.lots.models import Lot

from . import services


def check_codes(
    event: LotSubmitted | LotEvidenceChanged | LotWithdrawn | LotExpired, at: datetime
) -> None:
    services.check_codes(Lot.objects.get(pk=event.lot_id))


def read_codes(payload: dict[str, Any]) -> Finish | None:
    return services.read_codes(payload["photo"])


def expire_lots(payload: dict[str, Any]) -> Finish:
    def finish(now: datetime) -> None:
        services.expire_lots(now=now)

    return finish
