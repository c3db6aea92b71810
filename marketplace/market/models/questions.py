from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

from marketplace.accounts.models import Organisation, User
from marketplace.core.models import RowQuerySet

from .auctions import Auction

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class QuestionQuerySet(RowQuerySet["Question"]):
    def visible_to(self, actor: "Actor") -> Self:
        """What is answered is for everybody who sees the auction; before that it is between the asker and the seller."""
        rows = self.filter(auction__in=Auction.objects.visible_to(actor))
        if actor.sees_everything:
            return rows
        answered = Q(answered_at__isnull=False)
        if actor.organisation_id is None:
            return rows.filter(answered)
        me = actor.organisation_id
        return rows.filter(answered | Q(asker_id=me) | Q(auction__lot__seller_id=me))


class Question(models.Model):
    """What a buyer wants to know about a lot for sale, and the seller's answer, which everybody reads. Nobody reads who asked."""

    auction = models.ForeignKey(Auction, models.PROTECT, related_name="questions")
    asker = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    text = models.CharField(max_length=500)
    asked_at = models.DateTimeField()
    request_id = models.UUIDField()
    answer = models.CharField(max_length=1000, blank=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    answered_at = models.DateTimeField(null=True)

    objects = QuestionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="question_has_words"),
            models.CheckConstraint(
                condition=Q(answer="", answered_by=None, answered_at=None)
                | Q(~Q(answer=""), answered_by__isnull=False, answered_at__isnull=False),
                name="question_answer_is_signed",
            ),
            models.UniqueConstraint(
                fields=["asker", "request_id"], name="question_request_counts_once"
            ),
        ]
        indexes = [models.Index(fields=["auction", "id"], name="question_by_auction")]

    def __str__(self) -> str:
        return f"Question #{self.pk}"
