"""Doors for the journal."""

from datetime import datetime

from marketplace.lots.events import LotEvidenceChanged, LotQuarantined, LotSubmitted
from marketplace.lots.models import Lot

from . import services


def on_lot_submitted(event: LotSubmitted, at: datetime) -> None:
    services.classify_for_every_mode(Lot.objects.get(pk=event.lot_id), now=at)


def on_lot_evidence_changed(event: LotEvidenceChanged, at: datetime) -> None:
    services.classify_for_every_mode(Lot.objects.get(pk=event.lot_id), now=at)


def on_lot_quarantined(event: LotQuarantined, at: datetime) -> None:
    services.classify_for_every_mode(Lot.objects.get(pk=event.lot_id), now=at)
