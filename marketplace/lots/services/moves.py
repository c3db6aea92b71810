"""One function per arrow of a lot's life. Rooms above call these in their own transactions."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.errors import Refused
from marketplace.journal.services import record
from marketplace.lots.events import LotExpired, LotMoved, LotNeedsInfo, LotSubmitted, LotWithdrawn
from marketplace.lots.models import Lot

Status = Lot.Status
TIME_TO_ANSWER = timedelta(days=30)
LONGEST_TEXT = 1000


class QuestionRefused(Refused):
    code = "question_refused"


@transaction.atomic
def withdraw_lot(lot: Lot, *, actor: Actor, now: datetime) -> Lot:
    """Take a lot off, for good, while no auction runs on it.

    :raises PermissionDenied: if the actor does not act for the seller
    :raises AlreadyMovedOn: if it is too late; while an auction runs, withdraw the auction
    """
    actor.require(Capability.LOT_LIST, of=lot.seller_id)
    lot = Lot.objects.lock(lot)
    if lot.status in (Status.SCHEDULED, Status.OPEN):
        raise QuestionRefused(_("Withdraw the auction first; the lot goes with it."))
    lot.enter(Status.WITHDRAWN)
    lot.save(update_fields=["status"])
    record(LotWithdrawn(lot_id=lot.pk), by=actor, at=now)
    return lot


@transaction.atomic
def ask_seller(lot: Lot, *, actor: Actor, question: str, now: datetime) -> Lot:
    """Ask the seller something that a valuation needs.

    :raises QuestionRefused: if the question is empty or the actor is not one of our staff
    """
    lot = Lot.objects.lock(lot)
    if not actor.sees_everything:
        raise QuestionRefused(_("Only staff may ask before a lot is for sale."))
    if not 0 < len(question.strip()) <= LONGEST_TEXT:
        raise QuestionRefused(_("Write the question in at most 1000 letters."), field="question")
    lot.enter(Status.NEEDS_INFO)
    lot.question = question.strip()
    lot.save(update_fields=["status", "question"])
    record(LotNeedsInfo(lot_id=lot.pk), by=actor, at=now)
    return lot


@transaction.atomic
def answer_question(lot: Lot, *, actor: Actor, answer: str, now: datetime) -> Lot:
    """Answer what was asked; the lot goes back to be valued.

    :raises PermissionDenied: if the actor does not act for the seller
    :raises QuestionRefused: if the answer is empty
    """
    actor.require(Capability.LOT_LIST, of=lot.seller_id)
    lot = Lot.objects.lock(lot)
    if not 0 < len(answer.strip()) <= LONGEST_TEXT:
        raise QuestionRefused(_("Write the answer in at most 1000 letters."), field="answer")
    lot.enter(Status.SUBMITTED)
    lot.note = "\n".join(filter(None, [lot.note, answer.strip()]))
    lot.question = ""
    lot.evidence_version += 1
    lot.save(update_fields=["status", "note", "question", "evidence_version"])
    record(LotSubmitted(lot_id=lot.pk), by=actor, at=now)
    return lot


@transaction.atomic
def call_safety_pickup(lot: Lot, *, actor: Actor, now: datetime) -> Lot:
    """Hand a quarantined lot to the people who can make it safe where it lies.

    :raises PermissionDenied: if the actor does not act for the seller
    """
    actor.require(Capability.LOT_LIST, of=lot.seller_id)
    return _move(lot, Status.IN_SAFETY_FLOW, by=actor, now=now)


def expire_lots(*, now: datetime) -> int:
    """Let lots go whose question nobody answered for 30 days. Return how many. One transaction a lot."""
    expired = 0
    unanswered = Lot.objects.filter(
        status=Status.NEEDS_INFO, submitted_at__lte=now - TIME_TO_ANSWER
    )
    for lot in unanswered.order_by("pk"):
        with transaction.atomic():
            for free in Lot.objects.filter(pk=lot.pk, status=Status.NEEDS_INFO).claim():
                _move(free, Status.EXPIRED, by=SYSTEM, now=now)
                record(LotExpired(lot_id=free.pk), by=SYSTEM, at=now)
                expired += 1
    return expired


def mark_priced(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """The lot has its first valuation."""
    return _move(lot, Status.PRICED, by=by, now=now)


def mark_disposed(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """A dangerous lot was made safe."""
    return _move(lot, Status.DISPOSED, by=by, now=now)


def mark_scheduled(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """An auction is planned."""
    return _move(lot, Status.SCHEDULED, by=by, now=now)


def mark_open(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """The auction takes bids."""
    return _move(lot, Status.OPEN, by=by, now=now)


def mark_evaluating(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """The auction is over, its result is being checked."""
    return _move(lot, Status.EVALUATING, by=by, now=now)


def mark_seller_decision(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """The best bid is below the reserve: the seller decides."""
    return _move(lot, Status.SELLER_DECISION, by=by, now=now)


def mark_unsold(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """Nobody bought it; it may be offered again."""
    return _move(lot, Status.UNSOLD, by=by, now=now)


def mark_awarded(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """A buyer is found, or the next in line after a default."""
    return _move(lot, Status.AWARDED, by=by, now=now)


@transaction.atomic
def mark_withdrawn(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """The auction was withdrawn, and the lot with it."""
    lot = _move(lot, Status.WITHDRAWN, by=by, now=now)
    record(LotWithdrawn(lot_id=lot.pk), by=by, at=now)
    return lot


def mark_under_deal(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """There is a contract."""
    return _move(lot, Status.UNDER_DEAL, by=by, now=now)


def mark_collected(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """The carrier has it."""
    return _move(lot, Status.COLLECTED, by=by, now=now)


def mark_delivered(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """The buyer has it, and inspects it."""
    return _move(lot, Status.DELIVERED, by=by, now=now)


def mark_accepted(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """The buyer keeps all of it."""
    return _move(lot, Status.ACCEPTED, by=by, now=now)


def mark_part_accepted(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """The buyer keeps a part of it."""
    return _move(lot, Status.PART_ACCEPTED, by=by, now=now)


def mark_rejected(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """The buyer keeps none of it."""
    return _move(lot, Status.REJECTED, by=by, now=now)


def mark_returned(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """A rejected lot is back with its seller."""
    return _move(lot, Status.RETURNED, by=by, now=now)


def mark_processed(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """The buyer reported what became of it."""
    return _move(lot, Status.PROCESSED, by=by, now=now)


def mark_certified(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """Its certificate is issued."""
    return _move(lot, Status.CERTIFIED, by=by, now=now)


def mark_archived(lot: Lot, *, by: Actor, now: datetime) -> Lot:
    """Nothing more will happen to it."""
    return _move(lot, Status.ARCHIVED, by=by, now=now)


@transaction.atomic
def _move(lot: Lot, status: str, *, by: Actor, now: datetime) -> Lot:
    lot = Lot.objects.lock(lot)
    lot.enter(status)
    lot.save(update_fields=["status"])
    record(LotMoved(lot_id=lot.pk, status=lot.status), by=by, at=now)
    return lot
