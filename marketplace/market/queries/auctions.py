"""What the services and pages ask about auctions."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from string import ascii_uppercase
from typing import Any

from django.db import connection
from django.db.models import Max, Min

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Licence
from marketplace.lots.models import Lot
from marketplace.market import rules
from marketplace.market.models import Auction, Award, Bid
from marketplace.pricing.models import Valuation


def terms_of(auction: Auction) -> rules.Terms:
    return rules.Terms(auction.starting_price, auction.reserve, auction.step)


def offers_of(auction: Auction) -> list[rules.Offer]:
    """Return all bids of an auction in the order in which they were placed."""
    rows = Bid.objects.filter(auction=auction).order_by("pk").values_list("bidder_id", "maximum")
    return [rules.Offer(bidder, maximum) for bidder, maximum in rows]


def standing_of(auction: Auction) -> rules.Standing | None:
    """Return who leads an open auction, from its row and the one bid that leads. For services: it holds a secret."""
    if auction.leader_id is None or auction.price is None:
        return None
    best = Bid.objects.filter(auction=auction).order_by("-maximum", "pk")
    maximum = best.values_list("maximum", flat=True)[:1].get()
    return rules.Standing(auction.leader_id, auction.price, maximum)


BIDDING_LICENCE = """
SELECT l.id FROM accounts_licence l
  JOIN accounts_organisation o ON o.id = l.organisation_id AND o.status = 'ACTIVE'
 WHERE l.organisation_id = %(bidder)s AND l.country = %(country)s AND l.status = 'VERIFIED'
   AND l.acts @> ARRAY['BID']::varchar[] AND l.materials @> %(materials)s::varchar[]
   AND l.valid_from <= %(on)s AND l.valid_until >= %(on)s
   AND (l.annual_mass_kg IS NULL OR l.annual_mass_kg >= %(kg)s + coalesce(
        (SELECT y.drawn_kg FROM accounts_licenceyear y WHERE y.licence_id = l.id AND y.year = %(year)s), 0))
 ORDER BY l.id LIMIT 1
"""
"""What ``Licence.objects.may_open("BID")`` and the kilograms left say, as SQL: the ORM took a sixth of a bid to write it."""


def bidding_licence(
    *, bidder_id: int, chemistry_code: str | None, country: str, mass_kg: Decimal, on: date
) -> Licence | None:
    """Return a licence under which a bidder may bid for such a lot, in one query: placing a bid is the hot path.

    None says nothing about why; ``accounts.services.open_licence`` does.
    """
    asked: dict[str, Any] = {
        "bidder": bidder_id,
        "country": country,
        "materials": [] if chemistry_code is None else [chemistry_code],
        "kg": mass_kg,
        "on": on,
        "year": on.year,
    }
    with connection.cursor() as cursor:
        cursor.execute(BIDDING_LICENCE, asked)
        row = cursor.fetchone()
    return Licence.from_db("default", ("id",), row) if row else None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Terms that a seller may start from."""

    starting_price: Decimal
    reserve: Decimal
    step: Decimal
    valuation: Valuation | None


def suggested_terms(lot: Lot) -> Suggestion | None:
    """Return terms from the lot's latest valuation: see ``rules.suggested_prices``. None: it is not valued yet."""
    valuation = lot.valuations.order_by("-valued_at", "-pk").first()
    if valuation is None:
        return None
    prices = rules.suggested_prices(valuation.low, valuation.typical, valuation.currency)
    return Suggestion(*prices, valuation)


def current_auction(lot: Lot, actor: Actor) -> Auction | None:
    """Return the lot's latest auction, if the actor may see it."""
    rows = Auction.objects.visible_to(actor).filter(lot=lot)
    return rows.select_related("lot").order_by("-attempt").first()


def award_of(auction: Auction, actor: Actor) -> Award | None:
    """Return the actor's rung of the ladder; for the seller the winner's."""
    rows = Award.objects.visible_to(actor).filter(auction=auction)
    mine = rows.filter(bidder_id=actor.organisation_id).first()
    return mine or rows.filter(status=Award.Status.WON).first()


SHOWN = 12
"""How many of the latest bids a page shows."""


@dataclass(frozen=True, slots=True)
class Line:
    """One bid as others may see it: a letter for a name, and what the price became; the maximum is the bidder's own."""

    letter: str
    is_mine: bool
    price: Decimal | None
    maximum: Decimal | None
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class AuctionView:
    """An auction as one actor may see it. Of a sealed one nobody sees more than the terms and their own bids."""

    auction: Auction
    is_open: bool
    is_planned: bool
    is_sealed: bool
    is_sellers: bool
    may_bid: bool
    price: Decimal | None
    bid_count: int | None
    reserve_is_met: bool
    least: Decimal
    my_maximum: Decimal | None
    i_lead: bool
    award: Award | None
    lines: tuple[Line, ...]

    @property
    def currency(self) -> str:
        return self.auction.currency

    @property
    def i_am_outbid(self) -> bool:
        return self.my_maximum is not None and not self.i_lead and not self.is_sealed

    @property
    def etag(self) -> str:
        """What changes when this page should."""
        row = self.auction
        parts = (row.pk, row.status, row.closes_at.timestamp(), self.bid_count, self.my_maximum)
        award = self.award.status if self.award else ""
        return "-".join(map(str, (*parts, row.price if self.bid_count is not None else "", award)))


def view_of(auction: Auction, actor: Actor, *, now: datetime) -> AuctionView:
    """Return what one actor may see of an auction. At most four queries, whatever the number of bids."""
    is_open = auction.status == Auction.Status.OPEN and now < auction.closes_at
    is_planned = auction.status == Auction.Status.SCHEDULED
    is_sealed = auction.mode == Auction.Mode.SEALED
    is_hidden = is_sealed and auction.status in (Auction.Status.SCHEDULED, Auction.Status.OPEN)
    is_sellers = actor.organisation_id == auction.lot.seller_id
    mine = Bid.objects.filter(auction=auction, bidder_id=actor.organisation_id)
    my_maximum = (
        mine.aggregate(highest=Max("maximum"))["highest"] if actor.organisation_id else None
    )
    terms = terms_of(auction)
    i_lead = not is_hidden and auction.leader_id is not None
    i_lead = i_lead and auction.leader_id == actor.organisation_id
    if is_hidden:
        least = rules.least_sealed_bid(my_maximum, terms)
    elif i_lead and my_maximum is not None:
        least = my_maximum + auction.step
    else:
        least = auction.starting_price if auction.price is None else auction.price + auction.step
    is_over = auction.closed_at is not None
    return AuctionView(
        auction=auction,
        is_open=is_open,
        is_planned=is_planned,
        is_sealed=is_sealed,
        is_sellers=is_sellers,
        may_bid=is_open and actor.may(Capability.BID_PLACE) and not is_sellers,
        price=None if is_hidden else auction.price,
        bid_count=None if is_hidden else auction.bid_count,
        reserve_is_met=not is_hidden
        and auction.price is not None
        and auction.price >= auction.reserve,
        least=least,
        my_maximum=my_maximum,
        i_lead=i_lead,
        award=award_of(auction, actor) if is_over and actor.organisation_id else None,
        lines=_lines(auction, actor, is_hidden=is_hidden),
    )


def _lines(auction: Auction, actor: Actor, *, is_hidden: bool) -> tuple[Line, ...]:
    bids = Bid.objects.filter(auction=auction)
    if is_hidden:
        bids = (
            bids.filter(bidder_id=actor.organisation_id) if actor.organisation_id else bids.none()
        )
    shown = list(bids.order_by("-pk")[:SHOWN])
    letters: dict[int, str] = {}
    if shown and not is_hidden:
        letters = letters_of(auction)
    return tuple(
        Line(
            letter=letters.get(row.bidder_id, ""),
            is_mine=row.bidder_id == actor.organisation_id,
            price=row.price_after,
            maximum=row.maximum if row.bidder_id == actor.organisation_id else None,
            placed_at=row.placed_at,
        )
        for row in shown
    )


def letters_of(auction: Auction) -> dict[int, str]:
    """Return by which letter each bidder of an auction is called, in the order in which they came."""
    bids = Bid.objects.filter(auction=auction)
    firsts = bids.values_list("bidder_id").annotate(first=Min("pk")).order_by("first")
    return {bidder: letter_of(place) for place, (bidder, _first) in enumerate(firsts)}


def letter_of(place: int) -> str:
    """Return the letter by which the n-th bidder is called.

    >>> letter_of(0), letter_of(25), letter_of(26)
    ('A', 'Z', 'AA')
    """
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = ascii_uppercase[rest] + letters
    return letters
