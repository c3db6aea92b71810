from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.clock import Clock
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.core.money import minor_unit, payable
from marketplace.journal.services import record
from marketplace.lots import services as lots
from marketplace.lots.models import Lot
from marketplace.market import rules
from marketplace.market.events import AuctionOpened, AuctionScheduled, AuctionWithdrawn
from marketplace.market.models import Auction, Bid
from marketplace.market.rules import dutch
from marketplace.reference.queries import parameters

from .listings import list_auction, unlist_auction
from .sealing import make_seal


class AuctionRefused(Refused):
    """The rules of the market say no. ``code`` says which one."""

    code = "auction_refused"

    def __init__(
        self, message: str, *, code: str = "auction_refused", field: str | None = None
    ) -> None:
        super().__init__(message, field=field)
        self.code = code


@transaction.atomic
def open_auction(
    lot: Lot,
    *,
    actor: Actor,
    mode: str,
    starting_price: Decimal,
    reserve: Decimal,
    step: Decimal,
    opens_at: datetime,
    closes_at: datetime,
    request_id: UUID,
    now: datetime,
    overtime_seconds: int | None = None,
    fall_steps: int | None = None,
) -> Auction:
    """Offer a valued lot for bids, at once or from ``opens_at`` on. Amounts in the seller's currency.

    Open, sealed and second price: bids begin at ``starting_price``; the secret ``reserve`` is at least that. Dutch: the price falls from
    ``starting_price`` to ``reserve``, which it reaches before ``closes_at``; then it takes a little longer if somebody took it.

    Asking again with the same ``request_id`` returns the same auction.

    :param reserve: below it (reverse: above it) the seller decides
    :param fall_steps: Dutch only: in how many steps the price falls, at most 99; none: as many as the time allows
    :param overtime_seconds: a bid so close to the end keeps the auction open for so long; none: the house's usual
    :raises PermissionDenied: if the actor does not act for the seller
    :raises AuctionRefused: if the lot is not ready, or the terms make no sense
    """
    actor.require(Capability.AUCTION_OPEN, of=lot.seller_id)
    lock_word(f"auction:{lot.pk}:{request_id}")
    usual = parameters(now.date())
    if overtime_seconds is None:
        overtime_seconds = int(usual.get("OVERTIME_MINUTES", Decimal(0)) * 60)
        overtime_seconds = overtime_seconds or rules.OVERTIME_SECONDS
    if mode == Auction.Mode.DUTCH:
        overtime_seconds = 0  # nobody can snipe a price that falls
    given = (mode, starting_price, reserve, step, overtime_seconds)
    if repeated := Auction.objects.filter(lot=lot, request_id=request_id).first():
        if given != (
            repeated.mode,
            repeated.starting_price,
            repeated.reserve,
            repeated.step,
            repeated.overtime_seconds,
        ):
            raise AuctionRefused(
                _("This request was already used for an auction with other terms."),
                code="idempotency_mismatch",
            )
        return repeated

    lot = Lot.objects.lock(lot)
    currency = lot.seller.currency
    if lot.status not in (Lot.Status.PRICED, Lot.Status.UNSOLD):
        raise AuctionRefused(
            _("This lot cannot be offered now. Open its page to see what it waits for."),
            code="lot_not_ready",
        )
    _refuse_prices(mode, starting_price, reserve, step, currency)
    opens_at = max(opens_at, now)
    _refuse_times(opens_at, closes_at, overtime_seconds, now)
    extra, more_time = _dutch_terms(
        mode, starting_price, reserve, opens_at, closes_at, fall_steps, currency
    )

    share = usual.get("DEPOSIT_SHARE", rules.DEPOSIT_SHARE)
    deposit = payable(starting_price * share, currency)
    attempt = lot.auctions.count() + 1  # the lot is locked: nobody else counts now
    terms = {
        "lot": lot.pk,
        "attempt": attempt,
        "mode": mode,
        "currency": currency,
        "starting_price": starting_price,
        "reserve": reserve,
        "step": step,
        "deposit": deposit,
        "opens_at": opens_at,
        "closes_at": closes_at,
        "overtime_seconds": overtime_seconds,
    } | extra
    is_planned = opens_at > now
    auction = Auction.objects.create(
        lot=lot,
        attempt=attempt,
        mode=mode,
        currency=currency,
        starting_price=starting_price,
        reserve=reserve,
        step=step,
        deposit=deposit,
        opens_at=opens_at,
        closes_at=closes_at,
        planned_close_at=closes_at,
        last_close_at=rules.last_close(closes_at, overtime_seconds) + more_time,
        overtime_seconds=overtime_seconds,
        terms_sha256=rules.terms_digest(**terms),
        status=Auction.Status.SCHEDULED if is_planned else Auction.Status.OPEN,
        created_by_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        request_id=request_id,
        **extra,
    )
    if rules.MODES[mode].is_sealed:
        make_seal(auction, by=actor, now=now)
    if is_planned:
        lots.mark_scheduled(lot, by=actor, now=now)
        record(AuctionScheduled(auction_id=auction.pk), by=actor, at=now)
    else:
        lots.mark_open(lot, by=actor, now=now)
        list_auction(auction, now=now)
        record(AuctionOpened(auction_id=auction.pk), by=actor, at=now)
    return auction


@transaction.atomic
def open_planned_auction(auction: Auction, *, clock: Clock) -> bool:
    """Open a planned auction whose time has come. Return whether this call did; late or twice changes nothing."""
    auction = Auction.objects.lock(auction)
    now = clock()
    if auction.status != Auction.Status.SCHEDULED or now < auction.opens_at:
        return False
    auction.enter(Auction.Status.OPEN)
    auction.save(update_fields=["status"])
    lots.mark_open(auction.lot, by=SYSTEM, now=now)
    list_auction(auction, now=now)
    record(AuctionOpened(auction_id=auction.pk), by=SYSTEM, at=now)
    return True


@transaction.atomic
def withdraw_auction(auction: Auction, *, actor: Actor, now: datetime) -> Auction:
    """Take a lot off the market, with its auction, while nobody has bid.

    Once open, a sealed auction cannot be withdrawn: whether that is allowed would tell whether somebody has bid.

    :raises PermissionDenied: if the actor does not act for the seller
    :raises AuctionRefused: if there are bids, or there may be
    """
    actor.require(Capability.AUCTION_OPEN, of=auction.lot.seller_id)
    auction = Auction.objects.lock(auction)
    is_open = auction.status == Auction.Status.OPEN
    is_taken = auction.taken_at is not None
    if (
        is_open
        and rules.MODES[auction.mode].is_sealed
        and (auction.mode != Auction.Mode.DUTCH or is_taken)
    ):
        raise AuctionRefused(
            _("A sealed auction runs to its end. If the bids are too low, you need not sell."),
            code="auction_is_sealed",
        )
    if is_open and Bid.objects.filter(auction=auction).exists():
        raise AuctionRefused(
            _("There are bids. Let it end: if they stay below your reserve, you need not sell."),
            code="auction_has_bids",
        )
    auction.enter(Auction.Status.WITHDRAWN)
    auction.closed_at = now
    auction.save(update_fields=["status", "closed_at"])
    unlist_auction(auction)
    lots.mark_withdrawn(auction.lot, by=actor, now=now)
    record(AuctionWithdrawn(auction_id=auction.pk), by=actor, at=now)
    return auction


def _refuse_prices(
    mode: str, starting_price: Decimal, reserve: Decimal, step: Decimal, currency: str
) -> None:
    if mode not in Auction.Mode.values:
        raise AuctionRefused(
            _("Choose how buyers bid: one of the kinds on the list."),
            code="mode_unknown",
            field="mode",
        )
    if mode == Auction.Mode.REVERSE:  # a deal cannot yet hold the seller's money, nor pay the buyer
        raise AuctionRefused(
            _("Paying somebody to take a lot cannot be settled here yet. Call the safety pick-up."),
            code="reverse_not_settled",
            field="mode",
        )
    for field, amount in (("starting_price", starting_price), ("reserve", reserve), ("step", step)):
        if not amount.is_finite() or amount <= 0:
            raise AuctionRefused(_("Give an amount above zero."), code="amount_absurd", field=field)
        if amount > rules.HIGHEST:
            raise AuctionRefused(_("Give a smaller amount."), code="amount_absurd", field=field)
        if amount != payable(amount, currency):
            raise AuctionRefused(
                _("Give an amount that can be paid in %(currency)s, without smaller parts.")
                % {"currency": currency},
                code="amount_not_payable",
                field=field,
            )
    if mode == Auction.Mode.DUTCH:
        _refuse_high_reserve(starting_price, reserve, step)
        return
    if reserve < starting_price:
        raise AuctionRefused(
            _("Set the reserve at least as high as the starting price."),
            code="reserve_too_low",
            field="reserve",
        )
    if step > reserve:
        raise AuctionRefused(
            _("Set a step that is smaller than the reserve."), code="step_too_high", field="step"
        )


def _refuse_high_reserve(starting_price: Decimal, reserve: Decimal, step: Decimal) -> None:
    """In a Dutch auction the reserve lies below the start: it is where the price falls to."""
    if reserve >= starting_price:
        raise AuctionRefused(
            _("Set the lowest price below the one it falls from."),
            code="reserve_too_high",
            field="reserve",
        )
    if step > starting_price:
        raise AuctionRefused(
            _("Set a step that is smaller than the first price."),
            code="step_too_high",
            field="step",
        )


def _dutch_terms(
    mode: str,
    top: Decimal,
    floor: Decimal,
    opens_at: datetime,
    ends_at: datetime,
    steps: int | None,
    currency: str,
) -> tuple[dict[str, int], timedelta]:
    """Return what a Dutch auction has besides the usual terms, and how long it goes on once the price is taken."""
    if mode != Auction.Mode.DUTCH:
        return {}, timedelta()
    unit = minor_unit(currency)
    if steps is None:
        in_time = int((ends_at - opens_at) / dutch.SHORTEST_STEP) - 1
        steps = max(1, min(dutch.MOST_STEPS, in_time, int((top - floor) / unit)))
    wrong = dutch.refuse_fall(dutch.Fall(top, floor, steps, opens_at, ends_at, unit))
    if wrong is not None:
        said = {
            "steps": _("Let the price fall in 1 to 99 steps."),
            "floor": _("Set the lowest price below the one it falls from."),
            "pace": _("Give each price at least ten seconds: fewer steps, or more time."),
            "unit": _("Choose fewer steps: one would be smaller than the smallest coin."),
        }
        raise AuctionRefused(said[wrong], code=f"fall_{wrong}", field="fall_steps")
    after = dutch.SEALED_TIME + dutch.BEST_TIME
    seconds = {
        "fall_steps": steps,
        "sealed_seconds": int(dutch.SEALED_TIME.total_seconds()),
        "best_seconds": int(dutch.BEST_TIME.total_seconds()),
    }
    return seconds, after


def _refuse_times(
    opens_at: datetime, closes_at: datetime, overtime_seconds: int, now: datetime
) -> None:
    if closes_at <= opens_at:
        raise AuctionRefused(
            _("Choose an end after the beginning, in the future."),
            code="times_out_of_order",
            field="closes_at",
        )
    if closes_at - opens_at > rules.LONGEST or opens_at - now > rules.LONGEST:
        raise AuctionRefused(
            _("Choose an end within 30 days."), code="auction_too_long", field="closes_at"
        )
    if not 0 <= overtime_seconds <= rules.LONGEST_OVERTIME_SECONDS:
        raise AuctionRefused(
            _("Choose an overtime of at most one hour."),
            code="overtime_too_long",
            field="overtime_seconds",
        )
