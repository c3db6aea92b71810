"""Doors for machines. Work is found by state, and done in one transaction a row.

The time of a job is read before it waits for the auction's lock. That is safe for what ends an auction: too early a time
only leaves it to the next tick. A bid must not do so (``services.place_bid``).
"""

from datetime import datetime
from typing import Any, Protocol

from marketplace.accounts.models import Licence
from marketplace.journal.services import Finish, enqueue

from . import services
from .events import AuctionOpened
from .models import Auction, Award, StandingOrder


class AboutDeal(Protocol):
    """What happened to a deal. The room of deals lies above: its events arrive, but are not imported."""

    deal_id: int


class AboutLicence(Protocol):
    licence_id: int


class BrokenDeal(AboutDeal, Protocol):
    by_buyer: bool


def open_due(payload: dict[str, Any]) -> Finish:
    """Every few seconds: queue the opening of every planned auction whose time has come."""
    return lambda now: _queue(
        "market.open", Auction.objects.due_to_open(now).values_list("pk", "opens_at"), now
    )


def close_due(payload: dict[str, Any]) -> Finish:
    """Every few seconds: queue the closing of every auction whose time is over.

    One job each, so that one that fails holds up none of the others, and stands before the operator. Where envelopes could not
    be opened, it is tried again every few minutes.
    """

    def finish(now: datetime) -> None:
        due = Auction.objects.due_to_close(now).values_list("pk", "closes_at")
        waiting = Auction.objects.waiting_for_shares(now).values_list("pk", "seal__tried_at")
        _queue("market.close", due, now)
        _queue("market.close", waiting, now)

    return finish


def decisions_due(payload: dict[str, Any]) -> Finish:
    """Every few seconds: queue the end of every decision that a seller let pass."""
    return lambda now: _queue(
        "market.expire", Auction.objects.undecided(now).values_list("pk", "decide_by"), now
    )


def refresh_listings(payload: dict[str, Any]) -> Finish:
    """Every few seconds: let search know what bids and valuations changed."""
    return lambda now: _done(services.refresh_listings(now=now))


def tell_digests(payload: dict[str, Any]) -> Finish:
    """Every hour: tell those who want to know once a day what came up that they look for."""
    return lambda now: _done(services.tell_digests(now=now))


def on_auction_opened(event: AuctionOpened, at: datetime) -> None:
    """Tell whoever looks for such a lot."""
    services.match_searches(event.auction_id, now=at)


def open_one(payload: dict[str, Any]) -> Finish:
    """Job: open one planned auction."""
    auction = Auction.objects.get(pk=payload["auction"])
    return lambda now: _done(services.open_planned_auction(auction, clock=lambda: now))


def close_one(payload: dict[str, Any]) -> Finish:
    """Job: close one auction."""
    auction = Auction.objects.get(pk=payload["auction"])
    return lambda now: _done(services.close_auction(auction, clock=lambda: now))


def expire_one(payload: dict[str, Any]) -> Finish:
    """Job: end one decision that the seller let pass."""
    auction = Auction.objects.get(pk=payload["auction"])
    return lambda now: _done(services.expire_decision(auction, clock=lambda: now))


def orders_due(payload: dict[str, Any]) -> Finish:
    """Every minute: queue the end of every standing order whose time is over."""

    def finish(now: datetime) -> None:
        for pk, version in StandingOrder.objects.overdue(now).values_list("pk", "version"):
            key = f"market.end_order:{pk}:{version}"
            enqueue("market.end_order", {"order": pk}, now=now, dedupe_key=key)

    return finish


def end_order(payload: dict[str, Any]) -> Finish:
    """Job: end one standing order whose time is over."""
    order = StandingOrder.objects.get(pk=payload["order"])
    return lambda now: _done(services.expire_order(order, clock=lambda: now))


def on_licence_lapsed(event: AboutLicence, at: datetime) -> None:
    """Whose licence lapses buys nothing more by standing order."""
    holder = Licence.objects.values_list("organisation_id", flat=True).get(pk=event.licence_id)
    services.pause_uncovered(holder, now=at)


def screen(payload: dict[str, Any]) -> Finish:
    """Every night: look for patterns of rings in the sales of the last half year, and open cases for people to look at."""
    found = services.findings(now=datetime.fromisoformat(payload["slot"]))
    return lambda now: _done(services.open_cases(found, now=now))


def on_deal_funded(event: AboutDeal, at: datetime) -> None:
    """The price is held: nobody needs to stand by any more."""
    services.end_ladder(Award.objects.get(deal=event.deal_id), sold=True, now=at)


def on_deal_defaulted(event: BrokenDeal, at: datetime) -> None:
    """A buyer who does not pay makes room for the next; a seller who does not deliver ends the sale."""
    award = Award.objects.get(deal=event.deal_id)
    if event.by_buyer:
        services.advance_ladder(award, now=at)
    else:
        services.end_ladder(award, sold=False, now=at)


def on_deal_cancelled(event: AboutDeal, at: datetime) -> None:
    """Both sides agreed to let it be."""
    services.end_ladder(Award.objects.get(deal=event.deal_id), sold=False, now=at)


def _queue(kind: str, due: Any, now: datetime) -> None:
    for pk, moment in due:
        enqueue(kind, {"auction": pk}, now=now, dedupe_key=f"{kind}:{pk}:{moment.isoformat()}")


def _done(_result: object) -> None:
    return None
