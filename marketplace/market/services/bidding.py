from dataclasses import dataclass
from datetime import datetime
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
from marketplace.market.events import BidPlaced
from marketplace.market.models import Auction, Bid, Deposit
from marketplace.market.queries import bidding_licence, standing_of, terms_of

READ = (
    *("status", "mode", "currency", "starting_price", "reserve", "step", "deposit"),
    *("opens_at", "closes_at", "last_close_at", "overtime_seconds"),
    *("price", "leader_id", "bid_count", "lot_id"),
    *("lot__seller_id", "lot__chemistry_id", "lot__mass_kg", "lot__country"),
    "lot__seller__group",
)
"""What placing a bid needs to know of an auction, its lot and its seller: three wide rows cost a third of the time."""


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

    :param maximum: up to what the bidder goes, for the whole lot; in a sealed auction what they pay
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
    if repeated := Bid.objects.filter(bidder_id=bidder_id, request_id=request_id).first():
        asked = auction.pk, maximum, None if formula is None else formula.terms
        if (repeated.auction_id, repeated.maximum, repeated.terms) != asked:
            raise BidRefused(
                _("This request was already used for another bid. Reload the page and bid again."),
                code="idempotency_mismatch",
            )
        return repeated

    auction = (
        Auction.objects.select_related("lot__seller")
        .only(*READ)
        .select_for_update(of=("self",), no_key=True)
        .get(pk=auction.pk)
    )
    now = clock()  # a statement of its own, after the lock: a bid that waited past the end is late
    _refuse_time(auction, now)
    _refuse_amount(auction, maximum, currency)
    _refuse_kinship(auction, bidder_id, actor)
    licence = _licence_for(auction, bidder_id, now)
    if auction.mode == Auction.Mode.SEALED:
        bid = _place_sealed(
            auction, bidder_id, licence, actor, maximum, request_id, now, confirmed, formula
        )
        outbid_id = None
    else:
        before = auction.leader_id
        bid = _place_open(auction, bidder_id, licence, actor, maximum, request_id, now, confirmed)
        outbid_id = before if before not in (None, auction.leader_id) else None
    record(BidPlaced(auction_id=auction.pk, bid_id=bid.pk, outbid_id=outbid_id), by=actor, at=now)
    return bid


def _refuse_time(auction: Auction, now: datetime) -> None:
    if auction.status == Auction.Status.SCHEDULED or now < auction.opens_at:
        raise BidRefused(_("This auction has not begun. Come back when it opens."), code="not_open")
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


def _place_open(
    auction: Auction,
    bidder_id: int,
    licence: Licence,
    actor: Actor,
    maximum: Decimal,
    request_id: UUID,
    now: datetime,
    confirmed: bool,
) -> Bid:
    terms, leading = terms_of(auction), standing_of(auction)
    _refuse_low(auction, maximum, rules.least_bid(leading, bidder_id, terms))
    reference_price = leading.price if leading else auction.starting_price
    _ask_back(maximum, reference_price, confirmed)
    _hold_deposit(auction, bidder_id, now)
    after = rules.standing_after(leading, rules.Offer(bidder_id, maximum), terms)
    bid = Bid.objects.create(
        auction_id=auction.pk,
        bidder_id=bidder_id,
        placed_by_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        licence=licence,
        maximum=maximum,
        price_after=after.price,
        leads=after.bidder == bidder_id,
        placed_at=now,
        request_id=request_id,
    )
    auction.price, auction.leader_id = after.price, after.bidder
    auction.bid_count += 1
    auction.closes_at = rules.closes_after_bid(
        now,
        closes_at=auction.closes_at,
        last_close_at=auction.last_close_at,
        overtime_seconds=auction.overtime_seconds,
    )
    auction.save(update_fields=["price", "leader", "bid_count", "closes_at"])
    return bid


def _place_sealed(
    auction: Auction,
    bidder_id: int,
    licence: Licence,
    actor: Actor,
    maximum: Decimal,
    request_id: UUID,
    now: datetime,
    confirmed: bool,
    formula: Formula | None,
) -> Bid:
    """Keep a sealed bid. The auction's row does not change: its price, count and end would tell of the bid."""
    own = Bid.objects.filter(auction=auction, bidder_id=bidder_id).order_by("-maximum")
    own_best = own.values_list("maximum", flat=True).first()
    _refuse_low(auction, maximum, rules.least_sealed_bid(own_best, terms_of(auction)))
    _ask_back(maximum, own_best or auction.starting_price, confirmed)
    _hold_deposit(auction, bidder_id, now)
    return Bid.objects.create(
        auction_id=auction.pk,
        bidder_id=bidder_id,
        placed_by_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        licence=licence,
        maximum=maximum,
        price_after=None,
        leads=False,
        placed_at=now,
        request_id=request_id,
        terms=formula.terms if formula else None,
        figures=formula.figures if formula else None,
    )


def _refuse_low(auction: Auction, maximum: Decimal, least: Decimal) -> None:
    if maximum < least:
        raise BidRefused(
            _("Bid at least %(least)s.") % {"least": _written(least, auction.currency)},
            code="bid_too_low",
            field="maximum",
        )


def _ask_back(maximum: Decimal, leading: Decimal, confirmed: bool) -> None:
    if not confirmed and rules.needs_confirmation(maximum, leading):
        raise BidRefused(
            _("This is more than five times the leading bid. Confirm it if you mean it."),
            code="confirm_high_bid",
            field="confirmed",
        )


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
