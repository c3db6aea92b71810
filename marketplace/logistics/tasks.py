from datetime import datetime
from typing import Any

from django.utils import timezone

from marketplace.deals.events import (
    DealCancelled,
    DealDefaulted,
    DealFunded,
    DealReturned,
    DealSettled,
)
from marketplace.freight.events import QuoteChosen
from marketplace.journal.services import Finish

from . import services


def on_deal_funded(event: DealFunded, at: datetime) -> None:
    """The money is held: see how the goods may travel, and ask the carriers."""
    services.plan_shipment(event.deal_id, now=at)


def on_quote_chosen(event: QuoteChosen, at: datetime) -> None:
    services.book(event.quote_id, now=at)


def on_deal_cancelled(event: DealCancelled, at: datetime) -> None:
    services.call_off(event.deal_id, now=at)


def on_deal_defaulted(event: DealDefaulted, at: datetime) -> None:
    services.call_off(event.deal_id, now=at)


def on_deal_settled(event: DealSettled, at: datetime) -> None:
    services.close_shipment(event.deal_id, now=at)


def on_deal_returned(event: DealReturned, at: datetime) -> None:
    services.close_shipment(event.deal_id, now=at)


def render_documents(payload: dict[str, Any]) -> Finish:
    """Print the papers that travel with the goods."""
    shipment_id = payload["shipment"]
    papers = services.prepare_documents(shipment_id, now=timezone.now())

    def finish(now: datetime) -> None:
        services.store_documents(shipment_id, papers, now=now)

    return finish
