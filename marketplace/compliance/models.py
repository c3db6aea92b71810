from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.core.models import RowQuerySet
from marketplace.lots.models import Lot

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class ClassificationQuerySet(RowQuerySet["Classification"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Whoever sees the lot sees how it must travel."""
        return self.filter(lot__in=Lot.objects.visible_to(actor))


class Classification(models.Model):
    """How a lot must be packed, marked and papered for one mode of transport, or why it may not travel."""

    class Mode(models.TextChoices):
        ROAD = "ROAD", _("Road")
        SEA = "SEA", _("Sea")
        AIR = "AIR", _("Air")

    class Verdict(models.TextChoices):
        ALLOWED = "ALLOWED", _("May move")
        APPROVAL = "APPROVAL", _("May move with an approval")
        FORBIDDEN = "FORBIDDEN", _("Must not move")

    lot = models.ForeignKey(Lot, models.CASCADE, related_name="classifications")
    mode = models.CharField(max_length=4, choices=Mode)
    condition = models.CharField(max_length=30, help_text="As in the decision table.")
    goods = models.CharField(max_length=14, help_text="As in the decision table.")
    verdict = models.CharField(max_length=9, choices=Verdict)
    un_number = models.CharField(
        max_length=8, blank=True, help_text="Empty: not dangerous goods by this mode."
    )
    proper_shipping_name = models.CharField(max_length=200, blank=True)
    packing_instruction = models.CharField(max_length=40, blank=True)
    special_provisions = ArrayField(models.CharField(max_length=12), default=list)
    marks = ArrayField(models.CharField(max_length=200), default=list)
    documents = ArrayField(models.CharField(max_length=200), default=list)
    refusal = models.CharField(max_length=300, blank=True)
    rule_edition = models.CharField(max_length=60, blank=True)
    evidence_version = models.PositiveIntegerField()
    classified_at = models.DateTimeField()

    objects = ClassificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(mode__in=["ROAD", "SEA", "AIR"]), name="classification_mode_known"
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=["ALLOWED", "APPROVAL"], refusal="")
                | (Q(verdict="FORBIDDEN", un_number="") & ~Q(refusal="")),
                name="classification_allows_or_refuses",
            ),
            models.UniqueConstraint(
                fields=["lot", "mode", "evidence_version"], name="classified_once_per_evidence"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.un_number or 'no transport'} for {self.lot_id} by {self.mode}"
