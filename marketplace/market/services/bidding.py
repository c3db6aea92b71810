from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from babel.numbers import format_currency
from django.conf import settings
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Licence
from marketplace.core.clock import Clock
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.core.money import payable
from marketplace.journal.services import record
from marketplace.ledger import services as ledger
from marketplace.market import rules
from marketplace.market.events import BidPlaced, PriceTaken
from marketplace.market.models import Auction, Bid, Deposit, Seal
from marketplace.market.queries import bidding_licence, fall_of, standing_of, terms_of
from marketplace.market.rules import dutch

from .sealing import enclosed, sealed_repeat

READ = (
    *("status", "mode", "currency", "starting_price", "reserve", "step", "deposit"),
    *("opens_at", "closes_at", "last_close_at", "overtime_seconds"),
    *("price", "leader_id", "bid_count", "lot_id", "paused_at"),
    *("lot__seller_id", "lot__chemistry_id", "lot__mass_kg", "lot__country"),
    "lot__seller__group",
)
"""What placing a bid needs to know of an auction, its lot and its seller: three wide rows cost a third of the time."""

DUTCH = (*READ, "planned_close_at", "taken_at", "opened_at", "fall_steps", "sealed_seconds")


class BidRefused(Refused):
    """The rules of the auction say no. ``code`` says which one."""

    code = "bid_refused"

    def __init__(
        self, message: str, *, code: str = "bid_refused", field: str | None = None
    ) -> None:
        super().__init__(message, field=field)
        self.code = code


@dataclass(frozen=True, slots=True)
class Formula:
    """Terms as they were read, and what they were worked out to."""

    terms: dict[str, Any]
    figures: dict[str, Any]


@transaction.atomic
def place_bid(
    auction: Auction,
    *,
    actor: Actor,
    maximum: Decimal,
    currency: str,
    request_id: UUID,
    clock: Clock,
    confirmed: bool = False,
    formula: Formula | None = None,
) -> Bid:
    """Place a binding bid for the actor's organisation, and keep the auction open a little longer.

    Asking again with the same ``request_id`` returns the same bid, also after the close.

    :param maximum: up to what the bidder goes, for the whole lot; in a sealed auction what they pay; in a reverse one the least that
        they take it for; while a Dutch price falls, the price they saw: they get the one of the moment, which is no higher
    :param clock: the database's; it is read only after the auction's lock is granted, and so decides the deadline
    :param confirmed: that a bid five times as high as the leading one is meant
    :param formula: what ``maximum`` was worked out from; ``place_formula_bid`` gives it
    :raises PermissionDenied: if the actor may not bid
    :raises BidRefused: if the auction is not open, the lot is the bidder's own, or the amount will not do
    :raises LicenceNeeded: if no licence of the bidder allows it
    :raises NotEnoughMoney: if the deposit cannot be held
    """
    bidder_id = actor.require(Capability.BID_PLACE)
    _refuse_absurd(maximum)
    lock_word(f"bid:{bidder_id}:{request_id}")
    how = rules.MODES[auction.mode]  # a mode never changes, so it may be read without the lock
    if repeated := _repeated(auction, bidder_id, request_id, maximum, formula):
        return repeated

    auction = (
        Auction.objects.select_related("lot__seller")
        .only(*(DUTCH if auction.mode == Auction.Mode.DUTCH else READ))
        .select_for_update(of=("self",), no_key=True)
        .get(pk=auction.pk)
    )
    now = clock()  # a statement of its own, after the lock: a bid that waited past the end is late
    _refuse_time(auction, now)
    _refuse_amount(auction, maximum, currency)
    _refuse_kinship(auction, bidder_id, actor)
    asked = Asked(
        bidder_id=bidder_id,
        actor=actor,
        licence=_licence_for(auction, bidder_id, now),
        maximum=maximum,
        request_id=request_id,
        now=now,
        confirmed=confirmed,
        formula=formula,
    )
    if auction.mode == Auction.Mode.DUTCH:
        return _place_dutch(auction, asked)
    outbid_id = None
    if how.is_sealed:
        bid = _place_sealed(auction, asked, least=auction.starting_price)
    else:
        before = auction.leader_id
        bid = _place_open(auction, asked)
        outbid_id = before if before not in (None, auction.leader_id) else None
    record(BidPlaced(auction_id=auction.pk, bid_id=bid.pk, outbid_id=outbid_id), by=actor, at=now)
    return bid


@dataclass(frozen=True, slots=True)
class Asked:
    """A bid that is asked for, by whom, under which licence, and when its auction's lock was granted."""

    bidder_id: int
    actor: Actor
    licence: Licence
    maximum: Decimal
    request_id: UUID
    now: datetime
    confirmed: bool
    formula: Formula | None

    def row(self, auction: Auction) -> dict[str, Any]:
        return {
            "auction_id": auction.pk,
            "bidder_id": self.bidder_id,
            "placed_by_id": self.actor.user_id,
            "licence": self.licence,
            "placed_at": self.now,
        }


def _repeated(
    auction: Auction,
    bidder_id: int,
    request_id: UUID,
    maximum: Decimal,
    formula: Formula | None,
) -> Bid | None:
    """Return the bid that this request has placed before.

    :raises BidRefused: if it asked for something else then
    """
    repeated = Bid.objects.filter(bidder_id=bidder_id, request_id=request_id).first()
    if repeated is None and rules.MODES[auction.mode].is_sealed:
        repeated = sealed_repeat(bidder_id, request_id)
    if repeated is None:
        return None
    if auction.mode == Auction.Mode.DUTCH and repeated.leads and repeated.amount < maximum:
        maximum = repeated.amount  # the price had fallen when it was taken
    asked = auction.pk, maximum, None if formula is None else formula.terms
    is_same = (repeated.auction_id, repeated.maximum, repeated.terms) == asked
    if not is_same:
        raise BidRefused(
            _("This request was already used for another bid. Reload the page and bid again."),
            code="idempotency_mismatch",
        )
    return repeated


def _refuse_time(auction: Auction, now: datetime) -> None:
    if auction.status == Auction.Status.SCHEDULED or now < auction.opens_at:
        raise BidRefused(_("This auction has not begun. Come back when it opens."), code="not_open")
    if auction.paused_at is not None:
        raise BidRefused(
            _("This auction pauses. Nobody can bid, and the time lost is added at the end."),
            code="auction_paused",
        )
    if auction.status != Auction.Status.OPEN or now >= auction.closes_at:
        raise BidRefused(_("This auction has closed. Look for another lot."), code="auction_closed")


def _refuse_absurd(maximum: Decimal) -> None:
    if not maximum.is_finite() or maximum <= 0 or maximum > rules.HIGHEST:
        raise BidRefused(
            _("Bid an amount above zero, and below %(highest)s.")
            % {"highest": f"{rules.HIGHEST:,.0f}"},
            code="amount_absurd",
            field="maximum",
        )


def _refuse_amount(auction: Auction, maximum: Decimal, currency: str) -> None:
    if currency != auction.currency:
        raise BidRefused(
            _("Bid in %(currency)s: this auction counts in it.") % {"currency": auction.currency},
            code="wrong_currency",
            field="currency",
        )
    if maximum != payable(maximum, currency):
        raise BidRefused(
            _("Bid an amount that can be paid in %(currency)s, without smaller parts.")
            % {"currency": currency},
            code="amount_not_payable",
            field="maximum",
        )


def _refuse_kinship(auction: Auction, bidder_id: int, actor: Actor) -> None:
    seller = auction.lot.seller
    if seller.pk == bidder_id:
        raise BidRefused(_("You cannot bid on your own lot."), code="own_lot")
    if seller.group and seller.group == actor.group:
        raise BidRefused(_("You cannot bid on a lot of your own group of firms."), code="own_group")


def _licence_for(auction: Auction, bidder_id: int, now: datetime) -> Licence:
    lot, on = auction.lot, now.date()
    mass_kg = lot.mass_kg or Decimal(0)
    licence = bidding_licence(
        bidder_id=bidder_id,
        chemistry_code=lot.chemistry_id,
        country=lot.country,
        mass_kg=mass_kg,
        on=on,
    )
    return licence or accounts.open_licence(  # which finds out why not, and says what to do
        organisation_id=bidder_id,
        act="BID",
        chemistry_code=lot.chemistry_id or "",
        country=lot.country,
        on=on,
        mass_kg=mass_kg,
    )


def _place_open(auction: Auction, asked: Asked) -> Bid:
    terms, leading = terms_of(auction), standing_of(auction)
    _refuse_weak(
        auction, asked.maximum, rules.least_accepted(auction.mode, leading, asked.bidder_id, terms)
    )
    _ask_back(auction, asked, leading.price if leading else auction.starting_price)
    _hold_deposit(auction, asked.bidder_id, asked.now)
    offer = rules.Offer(asked.bidder_id, asked.maximum)
    after = rules.standing_in(auction.mode, leading, offer, terms)
    bid = Bid.objects.create(
        **asked.row(auction),
        maximum=asked.maximum,
        price_after=after.price,
        leads=after.bidder == asked.bidder_id,
        request_id=asked.request_id,
    )
    auction.price, auction.leader_id = after.price, after.bidder
    auction.bid_count += 1
    auction.closes_at = rules.closes_after_bid(
        asked.now,
        closes_at=auction.closes_at,
        last_close_at=auction.last_close_at,
        overtime_seconds=auction.overtime_seconds,
    )
    auction.save(update_fields=["price", "leader", "bid_count", "closes_at"])
    return bid


def _place_sealed(auction: Auction, asked: Asked, *, least: Decimal) -> Bid:
    """Keep a sealed bid. The auction's row does not change: its price, count and end would tell of the bid.

    One's own earlier bid cannot be asked for the least either: it lies in its envelope. The best of each bidder's counts.
    """
    seal = Seal.objects.filter(auction=auction).first()
    if seal is None:
        return _place_unsealed(auction, asked)
    _refuse_weak(auction, asked.maximum, least)
    _ask_back(auction, asked, least)
    _hold_deposit(auction, asked.bidder_id, asked.now)
    formula = asked.formula
    closed = enclosed(
        seal,
        bidder_id=asked.bidder_id,
        request_id=asked.request_id,
        maximum=asked.maximum,
        terms=formula.terms if formula else None,
        figures=formula.figures if formula else None,
    )
    bid = Bid.objects.create(
        **asked.row(auction), **closed, maximum=None, price_after=None, leads=False
    )
    bid.maximum, bid.request_id = asked.maximum, asked.request_id  # for who asks; not for the row
    if formula:
        bid.terms, bid.figures = formula.terms, formula.figures
    return bid


def _place_unsealed(auction: Auction, asked: Asked) -> Bid:
    """Keep a bid in a sealed auction that was opened before there were envelopes."""
    own = Bid.objects.filter(auction=auction, bidder_id=asked.bidder_id).order_by("-maximum")
    own_best = own.values_list("maximum", flat=True).first()
    _refuse_weak(auction, asked.maximum, rules.least_sealed_bid(own_best, terms_of(auction)))
    _ask_back(auction, asked, own_best or auction.starting_price)
    _hold_deposit(auction, asked.bidder_id, asked.now)
    return Bid.objects.create(
        **asked.row(auction),
        maximum=asked.maximum,
        price_after=None,
        leads=False,
        request_id=asked.request_id,
        terms=asked.formula.terms if asked.formula else None,
        figures=asked.formula.figures if asked.formula else None,
    )


def _place_dutch(auction: Auction, asked: Asked) -> Bid:
    """Take the falling price, bid above it in an envelope, or speak the last word, as the stage has it."""
    if auction.taken_at is None:
        return _take(auction, asked)
    if auction.leader_id is None or auction.price is None:
        raise ValueError("What is taken has a taker and a price.")  # a check constraint says so
    if auction.opened_at is not None:
        return _speak_last(auction, asked)
    if asked.bidder_id == auction.leader_id:
        raise BidRefused(
            _("You took the price. Wait for the sealed bids: then you may go above the best one."),
            code="you_took_it",
        )
    least = dutch.least_sealed(auction.price, auction.step)
    bid = _place_sealed(auction, asked, least=least)
    record(BidPlaced(auction_id=auction.pk, bid_id=bid.pk), by=asked.actor, at=asked.now)
    return bid


def _take(auction: Auction, asked: Asked) -> Bid:
    """Take the price of this moment. Whoever gets the lock first has it, at the price when the lock was granted."""
    price = dutch.price_at(fall_of(auction), asked.now)
    _refuse_weak(auction, asked.maximum, price)
    _hold_deposit(auction, asked.bidder_id, asked.now)
    bid = Bid.objects.create(
        **asked.row(auction),
        maximum=price,
        price_after=price,
        leads=True,
        request_id=asked.request_id,
    )
    auction.taken_at, auction.leader_id, auction.price = asked.now, asked.bidder_id, price
    auction.bid_count = 1
    auction.closes_at = asked.now + timedelta(seconds=auction.sealed_seconds or 0)
    auction.save(update_fields=["taken_at", "leader", "price", "bid_count", "closes_at"])
    record(PriceTaken(auction_id=auction.pk, bid_id=bid.pk), by=asked.actor, at=asked.now)
    return bid


def _speak_last(auction: Auction, asked: Asked) -> Bid:
    """Let who took the price go above the best sealed bid."""
    taker_id = Bid.objects.filter(auction=auction).order_by("pk").values_list("bidder_id")[0][0]
    if asked.bidder_id != taker_id:
        raise BidRefused(
            _("The sealed bids are in. Only who took the price may still bid."),
            code="last_word_is_theirs",
        )
    if auction.price is None:
        raise ValueError("What is taken has a price.")  # a check constraint says so
    _refuse_weak(auction, asked.maximum, auction.price + auction.step)
    _ask_back(auction, asked, auction.price)
    bid = Bid.objects.create(
        **asked.row(auction),
        maximum=asked.maximum,
        price_after=asked.maximum,
        leads=True,
        request_id=asked.request_id,
    )
    outbid_id = auction.leader_id if auction.leader_id != taker_id else None
    auction.leader_id, auction.price = taker_id, asked.maximum
    auction.bid_count += 1
    auction.save(update_fields=["leader", "price", "bid_count"])
    record(
        BidPlaced(auction_id=auction.pk, bid_id=bid.pk, outbid_id=outbid_id),
        by=asked.actor,
        at=asked.now,
    )
    return bid


def _refuse_weak(auction: Auction, maximum: Decimal, least: Decimal) -> None:
    if rules.is_good_enough(auction.mode, maximum, least):
        return
    written = {"least": _written(least, auction.currency)}
    if not rules.MODES[auction.mode].is_reverse:
        raise BidRefused(
            _("Bid at least %(least)s.") % written, code="bid_too_low", field="maximum"
        )
    if least > 0:
        message = _("Ask at most %(least)s.") % written
    else:
        message = _("Somebody already takes it for so little that nobody can ask less.")
    raise BidRefused(message, code="bid_too_high", field="maximum")


def _ask_back(auction: Auction, asked: Asked, leading: Decimal) -> None:
    if asked.confirmed or not rules.is_far_off(auction.mode, asked.maximum, leading):
        return
    if rules.MODES[auction.mode].is_reverse:
        message = _("This is less than a fifth of the best offer. Confirm it if you mean it.")
    else:
        message = _("This is more than five times the leading bid. Confirm it if you mean it.")
    raise BidRefused(message, code="confirm_high_bid", field="confirmed")


def _hold_deposit(auction: Auction, bidder_id: int, now: datetime) -> None:
    if Deposit.objects.filter(auction=auction, bidder_id=bidder_id).exists():
        return
    if auction.deposit:
        ledger.hold(
            organisation=bidder_id,
            amount=auction.deposit,
            currency=auction.currency,
            purpose=f"auction:{auction.pk}",
            key=f"deposit:{auction.pk}:{bidder_id}",
            now=now,
        )
    Deposit.objects.create(
        auction=auction, bidder_id=bidder_id, amount=auction.deposit, held_at=now
    )


def _written(amount: Decimal, currency: str) -> str:
    code = get_language() or settings.LANGUAGE_CODE
    return format_currency(amount, currency, locale=code.replace("-", "_"))
