"""Doors for the journal."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from marketplace.journal.services import Finish
from marketplace.lots.events import LotEvidenceChanged, LotSubmitted
from marketplace.lots.models import Lot

from . import services
from .queries import public


class SettledDeal(Protocol):
    """What a deal paid. The room of deals lies above: its events arrive, but are not imported."""

    deal_id: int
    lot_id: int
    seller_id: int
    buyer_id: int
    accepted_kg: str
    price: str
    currency: str
    offered_at: str


def on_lot_submitted(event: LotSubmitted, at: datetime) -> None:
    services.ask_for_price(Lot.objects.get(pk=event.lot_id), now=at)


def on_lot_evidence_changed(event: LotEvidenceChanged, at: datetime) -> None:
    services.ask_for_price(Lot.objects.get(pk=event.lot_id), now=at)


def price_lot(payload: dict[str, Any]) -> Finish | None:
    return services.price_lot(payload["lot"], on=date.fromisoformat(payload["on"]))


def revalue_lots(payload: dict[str, Any]) -> None:
    """Every night: value all lots anew at the quotes of the slot's day. To run twice, or beside itself, adds nothing."""
    slot = datetime.fromisoformat(payload["slot"])
    services.revalue_all(on=slot.date(), now=slot)


def on_deal_settled(event: SettledDeal, at: datetime) -> None:
    """Keep the price for the index. Events of old do not say it: their deals count in none."""
    if not event.lot_id:
        return
    services.note_settled_price(
        deal_id=event.deal_id,
        lot_id=event.lot_id,
        seller_id=event.seller_id,
        buyer_id=event.buyer_id,
        kg=Decimal(event.accepted_kg),
        price=Decimal(event.price),
        currency=event.currency,
        offered_at=datetime.fromisoformat(event.offered_at) if event.offered_at else None,
        now=at,
    )


def publish_index(payload: dict[str, Any]) -> Finish:
    """Every day: publish the index of the day before, which has ended, and draw today's trend before people wake up."""
    slot = datetime.fromisoformat(payload["slot"])
    on = (slot - timedelta(days=1)).date()
    public.trends(slot.date())

    def finish(now: datetime) -> None:
        services.publish_index(on=on, now=now)

    return finish
