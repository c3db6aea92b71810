from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import User
from marketplace.core.models import RowQuerySet, Staged

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class CaseQuerySet(RowQuerySet["Case"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Only the house sees suspicions: they are not findings."""
        return self if actor.sees_everything else self.none()


class Case(Staged):
    """A pattern in the bids of some firms that people should look at. It proves nothing, and nothing follows from it by itself."""

    class Kind(models.TextChoices):
        ROTATION = "ROTATION", _("Winners take turns")
        COVER_BIDS = "COVER_BIDS", _("Losing bids that cannot win")
        CLOSE_BIDS = "CLOSE_BIDS", _("Bids suspiciously alike")
        SHARED_TRACE = "SHARED_TRACE", _("Rivals share a person, phone or address")

    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        CLOSED = "CLOSED", _("Closed")

    class Outcome(models.TextChoices):
        HARMLESS = "HARMLESS", _("Harmless")
        WATCHED = "WATCHED", _("To be watched")
        PASSED_ON = "PASSED_ON", _("Passed on to the authority")

    NEXT = {Status.OPEN: frozenset({Status.CLOSED}), Status.CLOSED: frozenset()}

    kind = models.CharField(max_length=12, choices=Kind)
    firms = models.JSONField(help_text="Ids of the organisations, in order.")
    key = models.CharField(max_length=64, help_text="Kind and firms: one open case of a pattern.")
    evidence = models.JSONField(help_text="The figures, and the auctions they are from.")
    status = models.CharField(max_length=6, choices=Status, default=Status.OPEN)
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="When the screen last found it.")
    outcome = models.CharField(max_length=9, choices=Outcome, blank=True)
    note = models.CharField(max_length=500, blank=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True)

    objects = CaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["ROTATION", "COVER_BIDS", "CLOSE_BIDS", "SHARED_TRACE"]),
                name="case_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(status="OPEN", outcome="", closed_by=None, closed_at=None)
                | Q(
                    Q(outcome__in=["HARMLESS", "WATCHED", "PASSED_ON"]),
                    status="CLOSED",
                    closed_by__isnull=False,
                    closed_at__isnull=False,
                ),
                name="case_is_closed_by_somebody",
            ),
            models.UniqueConstraint(
                fields=["key"], condition=Q(status="OPEN"), name="case_is_open_once"
            ),
        ]
        indexes = [models.Index(fields=["status", "-id"], name="case_by_status")]

    def __str__(self) -> str:
        return f"Case #{self.pk}"
