from collections.abc import Collection
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.clock import Clock
from marketplace.core.errors import Refused
from marketplace.journal.services import record
from marketplace.ledger import services as ledger
from marketplace.lots import services as lots
from marketplace.lots.models import Lot
from marketplace.market import rules
from marketplace.market.events import (
    AuctionClosed,
    LastWordBegins,
    LotAwarded,
    OpeningWaits,
    SellerMustDecide,
    WinnerDefaulted,
)
from marketplace.market.models import Auction, Award, Bid, Deposit
from marketplace.market.queries import offers_of, terms_of

from .filling import hand_over_money, undo_sale
from .listings import unlist_auction
from .sealing import open_envelopes


class DecisionRefused(Refused):
    code = "decision_refused"


@transaction.atomic
def close_auction(auction: Auction, *, clock: Clock, by: Actor = SYSTEM) -> Auction | None:
    """Do what is due at the end of an auction: open the envelopes, let a Dutch one go on, find out who gets the lot.

    Return the auction, or none if nothing was due. To run late, twice, or beside itself changes nothing: whoever gets
    the lock first does it. Without enough parts of its key the auction waits, and staff are told.
    """
    auction = Auction.objects.lock(auction)
    now = clock()  # after the lock, as in place_bid: both sides decide by the same rule
    is_due = auction.status == Auction.Status.OPEN and now >= auction.closes_at
    if auction.paused_at is not None or not (is_due or auction.status == Auction.Status.OPENING):
        return None
    is_dutch = auction.mode == Auction.Mode.DUTCH
    last_word_is_due = is_dutch and auction.taken_at is not None and auction.opened_at is None
    has_envelopes = last_word_is_due or (rules.MODES[auction.mode].is_sealed and not is_dutch)
    if has_envelopes and not _opened(auction, by=by, now=now):
        return auction
    if last_word_is_due and _begin_last_word(auction, now=now):
        return auction
    return _close(auction, now=now)


def _opened(auction: Auction, *, by: Actor, now: datetime) -> bool:
    """Open the envelopes of a locked auction. If that cannot be, let it wait."""
    if open_envelopes(auction, by=by, now=now).is_open:
        return True
    if auction.status == Auction.Status.OPEN:
        auction.enter(Auction.Status.OPENING)
        auction.save(update_fields=["status"])
        unlist_auction(auction)
        record(OpeningWaits(auction_id=auction.pk), by=SYSTEM, at=now)
    return False


def _begin_last_word(auction: Auction, *, now: datetime) -> bool:
    """Show the best sealed bid to who took the price, and give them time. Return whether there was any."""
    offers = offers_of(auction)
    best = rules.best_of_each(offers[1:])[:1]
    if not best:
        return False
    if auction.status == Auction.Status.OPENING:
        auction.enter(Auction.Status.OPEN)
    auction.opened_at, auction.bid_count = now, len(offers)
    auction.leader_id, auction.price = best[0].bidder, best[0].maximum
    auction.closes_at = now + timedelta(seconds=auction.best_seconds or 0)
    auction.last_close_at = max(auction.last_close_at, auction.closes_at)
    auction.save(
        update_fields=[
            *("status", "opened_at", "bid_count", "leader", "price"),
            *("closes_at", "last_close_at"),
        ]
    )
    record(LastWordBegins(auction_id=auction.pk, taker_id=offers[0].bidder), by=SYSTEM, at=now)
    return True


def _close(auction: Auction, *, now: datetime) -> Auction:
    lots.mark_evaluating(auction.lot, by=SYSTEM, now=now)
    offers, terms = offers_of(auction), terms_of(auction)
    rungs = rules.result(auction.mode, offers, terms)
    best = rungs[:1] or rules.result(auction.mode, offers, terms, above_reserve=False)
    auction.closed_at, auction.bid_count = now, len(offers)
    if best:  # of an open auction this is what the row says already
        auction.leader_id, auction.price = best[0].bidder, best[0].price
    if rungs:
        auction.enter(Auction.Status.AWARDED)
    elif best:
        auction.enter(Auction.Status.SELLER_DECISION)
        auction.decide_by = now + rules.DECISION_TIME
    else:
        auction.enter(Auction.Status.UNSOLD)
    auction.save(update_fields=["status", "price", "leader", "bid_count", "closed_at", "decide_by"])
    unlist_auction(auction)
    kept = {rung.bidder for rung in rungs} or {rung.bidder for rung in best}
    _release_deposits(auction, but_of=kept, now=now)
    if rungs:
        award = _award(auction, rungs, by=SYSTEM, now=now)
        record(AuctionClosed(auction_id=auction.pk, award_id=award.pk), by=SYSTEM, at=now)
        return auction
    record(AuctionClosed(auction_id=auction.pk), by=SYSTEM, at=now)
    if best:
        lots.mark_seller_decision(auction.lot, by=SYSTEM, now=now)
        record(SellerMustDecide(auction_id=auction.pk), by=SYSTEM, at=now)
    else:
        lots.mark_unsold(auction.lot, by=SYSTEM, now=now)
    return auction


@transaction.atomic
def give_up_opening(auction: Auction, *, actor: Actor, now: datetime) -> Auction:
    """Let a lot go unsold whose envelopes can never be opened: nobody wins, and all deposits go back. For staff.

    :raises PermissionDenied: if the actor is not of the house
    :raises DecisionRefused: if the auction does not wait for a part of its key
    """
    if not actor.sees_everything:
        raise PermissionDenied
    auction = Auction.objects.lock(auction)
    if auction.status == Auction.Status.UNSOLD:
        return auction
    if auction.status != Auction.Status.OPENING:
        raise DecisionRefused(_("This auction does not wait for its key. Reload the page."))
    auction.enter(Auction.Status.UNSOLD)
    auction.closed_at = now
    auction.save(update_fields=["status", "closed_at"])
    _release_deposits(auction, now=now)
    lots.mark_evaluating(auction.lot, by=actor, now=now)
    lots.mark_unsold(auction.lot, by=actor, now=now)
    record(AuctionClosed(auction_id=auction.pk), by=actor, at=now)
    return auction


@transaction.atomic
def decide(auction: Auction, *, actor: Actor, accept: bool, now: datetime) -> Auction:
    """Take the best bid although it is below the reserve, or leave the lot unsold, to be offered again.

    Only the best bidder is asked: nobody stands by, for the others' bids are lower still.

    :raises PermissionDenied: if the actor does not act for the seller
    :raises DecisionRefused: if there is nothing to decide any more
    """
    actor.require(Capability.AUCTION_OPEN, of=auction.lot.seller_id)
    auction = Auction.objects.lock(auction)
    wanted = Auction.Status.AWARDED if accept else Auction.Status.UNSOLD
    if auction.status == wanted and auction.decide_by is not None:
        return auction  # a second press of the same button
    if auction.status != Auction.Status.SELLER_DECISION or now >= _deadline(auction):
        raise DecisionRefused(_("The time to decide is over. Offer the lot again if it is unsold."))
    auction.enter(wanted)
    auction.save(update_fields=["status"])
    if accept:
        rungs = rules.result(
            auction.mode, offers_of(auction), terms_of(auction), above_reserve=False
        )
        _award(auction, rungs, by=actor, now=now)
    else:
        _release_deposits(auction, now=now)
        lots.mark_unsold(auction.lot, by=actor, now=now)
    return auction


@transaction.atomic
def expire_decision(auction: Auction, *, clock: Clock) -> bool:
    """Leave a lot unsold whose seller let the time to decide pass. Return whether this call did."""
    auction = Auction.objects.lock(auction)
    now = clock()
    if auction.status != Auction.Status.SELLER_DECISION or now < _deadline(auction):
        return False
    auction.enter(Auction.Status.UNSOLD)
    auction.save(update_fields=["status"])
    _release_deposits(auction, now=now)
    lots.mark_unsold(auction.lot, by=SYSTEM, now=now)
    return True


@transaction.atomic
def advance_ladder(award: Award, *, now: datetime) -> Award | None:
    """Let the next in line win, because the winner did not keep their word; return the new winner's award.

    The winner's deposit goes to the seller. Without anybody next in line the lot is unsold. Asking again for an
    award that is no longer the winning one changes nothing.
    """
    if award.auction is None:  # nobody stands by an order
        undo_sale(award, by_buyer=True, now=now)
        return None
    auction = Auction.objects.lock(award.auction)
    award = Award.objects.lock(award)
    if award.status != Award.Status.WON:
        return None
    award.enter(Award.Status.DEFAULTED)
    award.decided_at = now
    award.save(update_fields=["status", "decided_at"])
    _forfeit_deposit(auction, award.bidder_id, now)
    record(WinnerDefaulted(auction_id=auction.pk, award_id=award.pk), by=SYSTEM, at=now)

    standing_by = Award.objects.filter(auction=auction, status=Award.Status.STANDBY)
    successor = standing_by.order_by("rank").first()
    if successor is None:
        _end_unsold(auction, now)
        return None
    successor = Award.objects.lock(successor)
    successor.enter(Award.Status.WON)
    successor.decided_at = now
    successor.save(update_fields=["status", "decided_at"])
    auction.leader_id, auction.price = successor.bidder_id, successor.price
    auction.save(update_fields=["leader", "price"])
    if auction.lot.status == Lot.Status.UNDER_DEAL:
        lots.mark_awarded(auction.lot, by=SYSTEM, now=now)
    record(LotAwarded(auction_id=auction.pk, award_id=successor.pk), by=SYSTEM, at=now)
    return successor


@transaction.atomic
def end_ladder(award: Award, *, sold: bool, now: datetime) -> None:
    """Let everybody go who stands by, and give all deposits back: the deal is paid for, or ended without a buyer's fault.

    :param sold: off: the lot is unsold again, and may be offered anew
    """
    if award.auction is None:
        if not sold:
            undo_sale(award, by_buyer=False, now=now)
        return
    auction = Auction.objects.lock(award.auction)
    award = Award.objects.lock(award)
    waiting = Award.objects.filter(auction=auction, status=Award.Status.STANDBY)
    waiting.update(status=Award.Status.RELEASED, decided_at=now)
    _release_deposits(auction, now=now)
    if not sold and award.status == Award.Status.WON:
        award.enter(Award.Status.RELEASED)
        award.decided_at = now
        award.save(update_fields=["status", "decided_at"])
        _end_unsold(auction, now)


@transaction.atomic
def release_deposit(award: Award, *, now: datetime) -> None:
    """Give the winner's deposit back, in the transaction that holds the whole price instead. Twice changes nothing.

    Of a sale to a standing order it is the price that was put aside.
    """
    if award.auction is None:
        if award.fill is not None:
            hand_over_money(award.fill, now=now)
        return
    auction = Auction.objects.lock(award.auction)
    others = Deposit.objects.filter(auction=auction).exclude(bidder_id=award.bidder_id)
    keep = set(others.values_list("bidder_id", flat=True))
    _release_deposits(auction, but_of=keep, now=now)


def _award(auction: Auction, rungs: list[rules.Rung], *, by: Actor, now: datetime) -> Award:
    lots.mark_awarded(auction.lot, by=by, now=now)
    bids = {
        (bidder, maximum): pk
        for pk, bidder, maximum in Bid.objects.filter(auction=auction)
        .order_by("-pk")  # of equal ones the earliest stays
        .values_list("pk", "bidder_id", "maximum")
    }
    awards = Award.objects.bulk_create(
        [
            Award(
                lot_id=auction.lot_id,
                auction=auction,
                bidder_id=rung.bidder,
                bid_id=bids[rung.bidder, rung.maximum],
                rank=rank,
                price=rung.price,
                status=Award.Status.WON if rank == 1 else Award.Status.STANDBY,
                decided_at=now,
            )
            for rank, rung in enumerate(rungs, start=1)
        ]
    )
    record(LotAwarded(auction_id=auction.pk, award_id=awards[0].pk), by=by, at=now)
    return awards[0]


def _end_unsold(auction: Auction, now: datetime) -> None:
    auction.enter(Auction.Status.UNSOLD)
    auction.save(update_fields=["status"])
    _release_deposits(auction, now=now)
    if Lot.Status.UNSOLD in Lot.NEXT[Lot.Status(auction.lot.status)]:
        lots.mark_unsold(auction.lot, by=SYSTEM, now=now)


def _release_deposits(
    auction: Auction, *, now: datetime, but_of: Collection[int] = frozenset()
) -> None:
    """Give deposits back in one round of locks. Those of the ladder stay until the deal is paid for."""
    held = Deposit.objects.filter(auction=auction, status=Deposit.Status.HELD)
    due = list(held.exclude(bidder_id__in=list(but_of)).order_by("pk"))
    ledger.release_each(
        [
            ledger.Held(
                organisation=deposit.bidder_id,
                purpose=f"auction:{auction.pk}",
                key=f"deposit:{auction.pk}:{deposit.bidder_id}:back",
            )
            for deposit in due
        ],
        currency=auction.currency,
        now=now,
    )
    Deposit.objects.filter(pk__in=[deposit.pk for deposit in due]).update(
        status=Deposit.Status.RELEASED, ended_at=now
    )


def _forfeit_deposit(auction: Auction, bidder_id: int, now: datetime) -> None:
    for deposit in Deposit.objects.filter(
        auction=auction, bidder_id=bidder_id, status=Deposit.Status.HELD
    ):
        if deposit.amount:
            ledger.forfeit(
                organisation=bidder_id,
                to=auction.lot.seller_id,
                currency=auction.currency,
                purpose=f"auction:{auction.pk}",
                key=f"deposit:{auction.pk}:{bidder_id}:forfeit",
                now=now,
            )
        deposit.status, deposit.ended_at = Deposit.Status.FORFEITED, now
        deposit.save(update_fields=["status", "ended_at"])


def _deadline(auction: Auction) -> datetime:
    if auction.decide_by is None:
        raise ValueError("Whoever must decide has a deadline.")  # a check constraint says so
    return auction.decide_by
