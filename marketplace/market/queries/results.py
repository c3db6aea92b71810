"""What one learns from an auction that is over: why one lost, and what happened when a lot was offered before."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from marketplace.accounts.actors import Actor
from marketplace.core.money import payable
from marketplace.lots.models import Lot
from marketplace.market import rules
from marketplace.market.models import Auction, Award, Bid

from .auctions import offers_of

LOWER_AFTER_NO_BID = Decimal("0.85")
"""How far a start is lowered after nobody bid: about what a reserve is above its start, halved.

:source: our own choice, to be measured
"""


@dataclass(frozen=True, slots=True)
class Lost:
    """Why somebody did not get a lot, without a name.

    :ivar reason: OUTBID, BELOW_RESERVE, SELLER_KEPT_IT, LATER (an equal bid came earlier) or STANDS_BY
    :ivar gap: how much better the price was than their best bid; none where there was no price to beat
    """

    reason: str
    rank: int
    bidders: int
    mine: Decimal
    price: Decimal | None
    gap: Decimal | None


def why_lost(auction: Auction, actor: Actor) -> Lost | None:
    """Return why the actor's firm did not win; none if it did not bid, won, or the auction is not over."""
    me = actor.organisation_id
    if me is None or auction.closed_at is None:
        return None
    if not Bid.objects.filter(auction=auction, bidder_id=me, maximum__isnull=False).exists():
        return None
    if auction.status == Auction.Status.AWARDED and auction.leader_id == me:
        return None
    if auction.status == Auction.Status.SELLER_DECISION:
        return None
    is_reverse = rules.MODES[auction.mode].is_reverse
    sign = -1 if is_reverse else 1
    ranked = rules.best_of_each(
        rules.Offer(offer.bidder, sign * offer.maximum) for offer in offers_of(auction)
    )
    rank = 1 + [offer.bidder for offer in ranked].index(me)
    mine = sign * ranked[rank - 1].maximum
    won = auction.price if auction.status == Auction.Status.AWARDED else None
    gap = None if won is None else max(sign * (won - mine), Decimal(0))
    stands_by = Award.objects.filter(
        auction=auction, bidder_id=me, status=Award.Status.STANDBY
    ).exists()
    return Lost(
        reason=_reason(auction, ranked, rank, stands_by=stands_by),
        rank=rank,
        bidders=len(ranked),
        mine=mine,
        price=won,
        gap=gap,
    )


def _reason(auction: Auction, ranked: list[rules.Offer], rank: int, *, stands_by: bool) -> str:
    if stands_by:
        return "STANDS_BY"
    if auction.status != Auction.Status.AWARDED:
        return "SELLER_KEPT_IT" if rank == 1 else "BELOW_RESERVE"
    if rank > 1 and ranked[rank - 1].maximum == ranked[0].maximum:
        return "LATER"
    return "OUTBID"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What happened when a lot was offered: for everybody, so the reserve is not here."""

    number: int
    mode: str
    status: str
    currency: str
    starting_price: Decimal
    best: Decimal | None
    bids: int
    ended_at: datetime | None


def attempts_before(auction: Auction) -> list[Attempt]:
    """Return the earlier attempts to sell an auction's lot, the first one first."""
    return _attempts(auction.lot_id, below=auction.attempt)


def attempts_of(lot: Lot) -> list[Attempt]:
    """Return all attempts to sell a lot that are over, the first one first."""
    return _attempts(lot.pk, below=None)


def _attempts(lot_id: int, *, below: int | None) -> list[Attempt]:
    rows = Auction.objects.filter(lot_id=lot_id, closed_at__isnull=False).order_by("attempt")
    if below is not None:
        rows = rows.filter(attempt__lt=below)
    return [
        Attempt(
            number=row.attempt,
            mode=row.get_mode_display(),
            status=row.get_status_display(),
            currency=row.currency,
            starting_price=row.starting_price,
            best=row.price,
            bids=row.bid_count,
            ended_at=row.closed_at,
        )
        for row in rows
    ]


def lower_start(lot: Lot, starting_price: Decimal, currency: str) -> Decimal:
    """Return where bidding should start after what has happened: no higher than ``starting_price``.

    After an attempt without a bid: 85 % of its start. After one whose best bid was too low for the seller: that bid, if it
    is lower still than what the valuation suggests.
    """
    last = Auction.objects.filter(lot=lot, closed_at__isnull=False).order_by("-attempt").first()
    if last is None or last.currency != currency or rules.MODES[last.mode].is_reverse:
        return starting_price
    if last.price is None:
        lower = payable(last.starting_price * LOWER_AFTER_NO_BID, currency)
    else:
        lower = last.price
    return min(starting_price, lower) if lower > 0 else starting_price
