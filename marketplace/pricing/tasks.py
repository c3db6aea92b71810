"""Doors for the journal."""

from datetime import date, datetime
from typing import Any

from marketplace.journal.services import Finish
from marketplace.lots.events import LotEvidenceChanged, LotSubmitted
from marketplace.lots.models import Lot

from . import services


def on_lot_submitted(event: LotSubmitted, at: datetime) -> None:
    services.ask_for_price(Lot.objects.get(pk=event.lot_id), now=at)


def on_lot_evidence_changed(event: LotEvidenceChanged, at: datetime) -> None:
    services.ask_for_price(Lot.objects.get(pk=event.lot_id), now=at)


def price_lot(payload: dict[str, Any]) -> Finish | None:
    return services.price_lot(payload["lot"], on=date.fromisoformat(payload["on"]))


def revalue_lots(payload: dict[str, Any]) -> Finish:
    def finish(now: datetime) -> None:
        services.revalue_all(now=now)

    return finish
