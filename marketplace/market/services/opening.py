from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.clock import Clock
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.core.money import payable
from marketplace.journal.services import record
from marketplace.lots import services as lots
from marketplace.lots.models import Lot
from marketplace.market import rules
from marketplace.market.events import AuctionOpened, AuctionScheduled, AuctionWithdrawn
from marketplace.market.models import Auction, Bid
from marketplace.reference.queries import parameters

from .listings import list_auction, unlist_auction


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
) -> Auction:
    """Offer a valued lot for bids, at once or from ``opens_at`` on. Amounts in the seller's currency.

    Asking again with the same ``request_id`` returns the same auction.

    :param reserve: secret; below it the seller decides. At least the starting price
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
    }
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
        last_close_at=rules.last_close(closes_at, overtime_seconds),
        overtime_seconds=overtime_seconds,
        terms_sha256=rules.terms_digest(**terms),
        status=Auction.Status.SCHEDULED if is_planned else Auction.Status.OPEN,
        created_by_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        request_id=request_id,
    )
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
    if is_open and auction.mode == Auction.Mode.SEALED:
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
        raise AuctionRefused(_("Choose open or sealed."), code="mode_unknown", field="mode")
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
