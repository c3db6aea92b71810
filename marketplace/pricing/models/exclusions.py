"""Deals that are taken out of the price index: one of the site proposes it, another decides, the reason is public."""

from typing import TYPE_CHECKING, ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.core.models import RowQuerySet, Staged

from .index import SettledPrice

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class ExclusionQuerySet(RowQuerySet["Exclusion"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Those who run the site. Everybody reads the reasons, without the deal, beside the corrected index."""
        return self if actor.sees_everything else self.none()


class Exclusion(Staged):
    """That a settled deal says nothing of what batteries are worth. People are kept by their plain numbers."""

    class Cause(models.TextChoices):
        FRAUD = "FRAUD", _("Fraud")
        MISTAKE = "MISTAKE", _("Mistake")
        ONE_PARTY = "ONE_PARTY", _("Buyer and seller were one")

    class Status(models.TextChoices):
        PROPOSED = "PROPOSED", _("Waits for a second person")
        CONFIRMED = "CONFIRMED", _("Taken out")
        REFUSED = "REFUSED", _("It still counts")

    NEXT: ClassVar = {
        Status.PROPOSED: frozenset({Status.CONFIRMED, Status.REFUSED}),
        Status.CONFIRMED: frozenset(),
        Status.REFUSED: frozenset(),
    }

    settled = models.ForeignKey(SettledPrice, models.PROTECT, related_name="exclusions")
    cause = models.CharField(max_length=10, choices=Cause)
    reason = models.CharField(max_length=300, help_text=_("Public: names no party and no price"))
    status = models.CharField(max_length=10, choices=Status, default=Status.PROPOSED)
    proposed_by = models.BigIntegerField(help_text=_("Number of the user"))
    proposed_at = models.DateTimeField()
    request_id = models.UUIDField()
    decided_by = models.BigIntegerField(null=True, help_text=_("Number of the user"))
    decided_at = models.DateTimeField(null=True)
    refusal = models.CharField(max_length=300, blank=True, help_text=_("Why it still counts"))

    objects = ExclusionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["proposed_by", "request_id"], name="one_exclusion_per_request"
            ),
            models.UniqueConstraint(
                fields=["settled"],
                condition=Q(status__in=["PROPOSED", "CONFIRMED"]),
                name="one_standing_exclusion_a_deal",
            ),
            models.CheckConstraint(
                condition=Q(cause__in=["FRAUD", "MISTAKE", "ONE_PARTY"]) & ~Q(reason=""),
                name="exclusion_says_why",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("proposed_by")),
                name="exclusion_takes_two_people",
            ),
            models.CheckConstraint(
                condition=Q(status="PROPOSED", decided_by=None, decided_at=None, refusal="")
                | Q(
                    status="CONFIRMED",
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                    refusal="",
                )
                | Q(
                    ~Q(refusal=""),
                    status="REFUSED",
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                ),
                name="exclusion_status_fits",
            ),
        ]

    def __str__(self) -> str:
        return f"Deal {self.settled.deal_id}: {self.get_cause_display()}"
