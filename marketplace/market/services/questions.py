"""Questions about a lot for sale: asked by those who may bid, answered by the seller, read by everybody, without names."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.journal.services import record
from marketplace.market.events import QuestionAnswered, QuestionAsked
from marketplace.market.models import Auction, Question

MOST_UNANSWERED = 3
"""So many questions of one buyer may wait at an auction. More is no asking."""


class QuestionRefused(Refused):
    """The question or the answer is not taken. ``code`` says why."""

    code = "question_refused"

    def __init__(
        self, message: str, *, code: str = "question_refused", field: str | None = None
    ) -> None:
        super().__init__(message, field=field)
        self.code = code


@transaction.atomic
def ask(auction: Auction, *, actor: Actor, text: str, request_id: UUID, now: datetime) -> Question:
    """Ask the seller something, as a buyer whose licence allows to bid. Asking again with the same request returns the same.

    :raises PermissionDenied: if the actor may not bid
    :raises LicenceNeeded: if no licence of theirs allows it
    :raises QuestionRefused: if the auction is over, the lot is their own, or there is nothing asked
    """
    asker_id = actor.require(Capability.BID_PLACE)
    lock_word(f"question:{asker_id}:{auction.pk}")
    if repeated := Question.objects.filter(asker_id=asker_id, request_id=request_id).first():
        return repeated
    auction = Auction.objects.select_related("lot").get(pk=auction.pk)
    if auction.status not in (Auction.Status.SCHEDULED, Auction.Status.OPEN):
        raise QuestionRefused(_("This sale is over. Look for another lot."), code="auction_closed")
    if auction.lot.seller_id == asker_id:
        raise QuestionRefused(_("This is your own lot."), code="own_lot")
    if not text.strip():
        raise QuestionRefused(_("Write what you want to know."), code="no_words", field="text")
    waiting = Question.objects.filter(auction=auction, asker_id=asker_id, answered_at=None)
    if waiting.count() >= MOST_UNANSWERED:
        raise QuestionRefused(
            _("Wait for an answer before you ask more."), code="questions_wait", field="text"
        )
    accounts.open_licence(
        organisation_id=asker_id,
        act="BID",
        chemistry_code=auction.lot.chemistry_id or "",
        country=auction.lot.country,
        on=now.date(),
    )
    question = Question.objects.create(
        auction=auction,
        asker_id=asker_id,
        asked_by_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        text=text.strip(),
        asked_at=now,
        request_id=request_id,
    )
    record(QuestionAsked(auction_id=auction.pk, question_id=question.pk), by=actor, at=now)
    return question


@transaction.atomic
def answer(question: Question, *, actor: Actor, text: str, now: datetime) -> Question:
    """Answer a question for everybody to read. An answer is for ever: others have bid on it.

    :raises PermissionDenied: if the actor does not act for the seller
    :raises QuestionRefused: if it is answered already, or the sale is over, or there is nothing said
    """
    actor.require(Capability.AUCTION_OPEN, of=question.auction.lot.seller_id)
    question = Question.objects.lock(question)
    if question.answered_at is not None:
        if question.answer == text.strip():
            return question
        raise QuestionRefused(
            _("You have answered this. Buyers rely on it, so it stays."), code="already_answered"
        )
    if question.auction.closed_at is not None:
        raise QuestionRefused(_("This sale is over."), code="auction_closed")
    if not text.strip():
        raise QuestionRefused(_("Write an answer."), code="no_words", field="text")
    question.answer, question.answered_at = text.strip(), now
    question.answered_by_id = actor.user_id
    question.save(update_fields=["answer", "answered_at", "answered_by"])
    record(
        QuestionAnswered(auction_id=question.auction_id, question_id=question.pk), by=actor, at=now
    )
    return question
