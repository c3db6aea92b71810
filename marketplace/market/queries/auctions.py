"""What the services and pages ask about auctions."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from string import ascii_uppercase
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Licence
from marketplace.core.money import minor_unit
from marketplace.lots.models import Lot
from marketplace.market import rules
from marketplace.market.models import Auction, Award, Bid
from marketplace.market.rules import dutch
from marketplace.pricing.models import Valuation


def terms_of(auction: Auction) -> rules.Terms:
    return rules.Terms(auction.starting_price, auction.reserve, auction.step)


def offers_of(auction: Auction) -> list[rules.Offer]:
    """Return all bids of an auction in the order in which they were placed.

    :raises LookupError: if some are still in their envelopes
    """
    rows = Bid.objects.filter(auction=auction).order_by("pk").values_list("bidder_id", "maximum")
    offers = []
    for bidder, maximum in rows:
        if maximum is None:
            raise LookupError(f"Bids of auction {auction.pk} are sealed.")
        offers.append(rules.Offer(bidder, maximum))
    return offers


def standing_of(auction: Auction) -> rules.Standing | None:
    """Return who leads an open or reverse auction, from its row and the one bid that leads. For services: it holds a secret."""
    if auction.leader_id is None or auction.price is None:
        return None
    order = "maximum" if rules.MODES[auction.mode].is_reverse else "-maximum"
    best = Bid.objects.filter(auction=auction).order_by(order, "pk")
    maximum = best.values_list("maximum", flat=True)[:1].get()
    if maximum is None:
        raise LookupError(f"Bids of auction {auction.pk} are sealed.")
    return rules.Standing(auction.leader_id, auction.price, maximum)


def fall_of(auction: Auction) -> dutch.Fall:
    """Return how the price of a Dutch auction falls."""
    return dutch.Fall(
        top=auction.starting_price,
        floor=auction.reserve,
        steps=auction.fall_steps or 1,
        begins=auction.opens_at,
        ends=auction.planned_close_at,
        unit=minor_unit(auction.currency),
    )


def stage_of(auction: Auction, now: datetime) -> dutch.Stage | None:
    """Return the stage of an open Dutch auction; none of any other."""
    if auction.mode != Auction.Mode.DUTCH or auction.status != Auction.Status.OPEN:
        return None
    is_taken = auction.taken_at is not None
    return dutch.stage_at(
        now,
        fall_ends_at=auction.planned_close_at,
        taken=is_taken,
        sealed_until=auction.closes_at if is_taken else None,
        opened=auction.opened_at is not None,
        closes_at=auction.closes_at,
    )


def is_hidden(auction: Auction) -> bool:
    """Tell whether bids of others are still sealed: only the terms are shown, and of a Dutch one the price and its taker."""
    return rules.MODES[auction.mode].is_sealed and auction.closed_at is None


def price_shown(auction: Auction, now: datetime) -> Decimal | None:
    """Return the price that everybody sees now; none where there is none yet, or it is sealed."""
    if auction.mode == Auction.Mode.DUTCH:
        if auction.taken_at is None and auction.closed_at is None:
            return dutch.price_at(fall_of(auction), now)
        return auction.price
    return None if is_hidden(auction) else auction.price


def least_from(
    auction: Auction, bidder_id: int | None, own: Decimal | None, *, now: datetime
) -> Decimal:
    """Return the weakest bid that somebody may place: the lowest, or in a reverse auction the highest.

    :param own: their best bid so far, as far as it may be read
    """
    if auction.mode == Auction.Mode.DUTCH:
        price = price_shown(auction, now)
        price = auction.starting_price if price is None else price
        return price if auction.taken_at is None else price + auction.step
    if rules.MODES[auction.mode].is_sealed:
        return auction.starting_price if own is None else own + auction.step
    leads = auction.leader_id is not None and auction.leader_id == bidder_id
    now_at = own if leads and own is not None else auction.price
    if now_at is None:
        return auction.starting_price
    step = auction.step
    return now_at - step if rules.MODES[auction.mode].is_reverse else now_at + step


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
    is_reverse: bool
    is_paused: bool
    is_opening: bool
    stage: str
    next_step_at: datetime | None
    is_sellers: bool
    may_bid: bool
    price: Decimal | None
    bid_count: int | None
    reserve_is_met: bool
    least: Decimal
    my_maximum: Decimal | None
    my_bids: int
    i_took: bool
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
    def my_bid_is_in(self) -> bool:
        """Tell whether I have bid where nobody sees who leads."""
        return self.is_sealed and self.my_bids > 0 and not self.i_took

    @property
    def etag(self) -> str:
        """What changes when this page should."""
        row = self.auction
        parts = (
            *(row.pk, row.status, row.closes_at.timestamp(), self.bid_count, self.my_maximum),
            *(self.my_bids, self.stage, self.is_paused, self.price if self.stage else ""),
        )
        award = self.award.status if self.award else ""
        return "-".join(map(str, (*parts, row.price if self.bid_count is not None else "", award)))


def view_of(auction: Auction, actor: Actor, *, now: datetime) -> AuctionView:
    """Return what one actor may see of an auction. At most four queries, whatever the number of bids."""
    how = rules.MODES[auction.mode]
    is_open = (
        auction.status == Auction.Status.OPEN
        and now < auction.closes_at
        and auction.paused_at is None
    )
    hidden = is_hidden(auction)
    me = actor.organisation_id
    is_sellers = me == auction.lot.seller_id
    mine = Bid.objects.filter(auction=auction, bidder_id=me)
    order = Min("maximum") if how.is_reverse else Max("maximum")
    found = mine.aggregate(best=order, many=Count("pk"), first=Min("pk")) if me else {}
    my_maximum, my_bids = found.get("best"), found.get("many", 0)
    i_lead = not (hidden and auction.mode != Auction.Mode.DUTCH) and auction.leader_id is not None
    i_lead = i_lead and auction.leader_id == me
    stage = stage_of(auction, now)
    may_bid = is_open and actor.may(Capability.BID_PLACE) and not is_sellers
    i_took = auction.taken_at is not None and bool(my_bids) and _took(auction, found["first"])
    if stage is dutch.Stage.SEALED and i_took:
        may_bid = False
    if stage is dutch.Stage.BEST:
        may_bid = may_bid and i_took and not i_lead
    price = price_shown(auction, now)
    is_over = auction.closed_at is not None
    return AuctionView(
        auction=auction,
        is_open=is_open,
        is_planned=auction.status == Auction.Status.SCHEDULED,
        is_sealed=how.is_sealed and stage is not dutch.Stage.FALLING,
        is_reverse=how.is_reverse,
        is_paused=auction.paused_at is not None,
        is_opening=auction.status == Auction.Status.OPENING,
        stage=stage.value if stage else "",
        next_step_at=dutch.next_step_at(fall_of(auction), now)
        if stage is dutch.Stage.FALLING
        else None,
        is_sellers=is_sellers,
        may_bid=may_bid,
        price=price,
        bid_count=None if hidden else auction.bid_count,
        reserve_is_met=not hidden
        and auction.price is not None
        and rules.is_good_enough(auction.mode, auction.price, auction.reserve),
        least=least_from(auction, me, my_maximum, now=now),
        my_maximum=my_maximum,
        my_bids=my_bids,
        i_took=i_took,
        i_lead=i_lead,
        award=award_of(auction, actor) if is_over and me else None,
        lines=_lines(auction, actor, is_hidden=hidden),
    )


def _took(auction: Auction, my_first: int | None) -> bool:
    """Tell whether somebody whose first bid is this one took the price: that was the auction's first bid."""
    earlier = Bid.objects.filter(auction=auction, pk__lt=my_first or 0)
    return my_first is not None and not earlier.exists()


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
