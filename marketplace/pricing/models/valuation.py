from decimal import Decimal
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.core.models import RowQuerySet
from marketplace.lots.models import Lot
from marketplace.pricing.rules import rough

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class ValuationQuerySet(RowQuerySet["Valuation"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Whoever sees the lot sees what it is thought to be worth, and why."""
        return self.filter(lot__in=Lot.objects.visible_to(actor))

    def latest(self, *fields: str) -> "Valuation":  # type: ignore[override]
        return super().latest(*(fields or ("valued_at", "pk")))


class Valuation(models.Model):
    """What a lot was thought to be worth at one time: a range with its reasons, never changed afterwards."""

    class Route(models.TextChoices):
        REUSE = "REUSE", _("Reuse")
        REPURPOSE = "REPURPOSE", _("Second life")
        RECYCLE = "RECYCLE", _("Recycle")
        RECOVER = "RECOVER", _("Burn safely")

    lot = models.ForeignKey(Lot, models.CASCADE, related_name="valuations")
    inputs_hash = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    low = models.DecimalField(max_digits=14, decimal_places=2)
    typical = models.DecimalField(max_digits=14, decimal_places=2)
    high = models.DecimalField(max_digits=14, decimal_places=2)
    route = models.CharField(max_length=10, choices=Route)
    because = models.CharField(max_length=12, blank=True, help_text="Why this route is named.")
    terms = models.JSONField(help_text="The sum, term by term: label, amount, source.")
    routes = models.JSONField(
        default=list, help_text="Every route: its range, kWh kept, CO2 avoided, or what bars it."
    )
    evidence = models.JSONField(
        default=list, help_text="Missing evidence, and what it is expected to do to the range."
    )
    other_convention = models.JSONField(
        null=True, help_text="Low, typical and high of recycling by the other pricing convention."
    )
    inputs = models.JSONField(help_text="Everything it was computed from.")
    flags = models.JSONField(default=list)
    quotes_on = models.DateField(help_text="Date of the oldest quote used.")
    rules_version = models.CharField(max_length=20)
    valued_at = models.DateTimeField()

    objects = ValuationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(low__lte=F("typical"), typical__lte=F("high")),
                name="valuation_is_in_order",
            ),
            models.CheckConstraint(
                condition=Q(route__in=["REUSE", "REPURPOSE", "RECYCLE", "RECOVER"]),
                name="valuation_route_known",
            ),
            models.UniqueConstraint(fields=["lot", "inputs_hash"], name="valued_once_per_inputs"),
        ]
        indexes = [models.Index(fields=["lot", "-valued_at"], name="valuation_latest")]

    def __str__(self) -> str:
        return f"{self.low}–{self.high} {self.currency} for {self.lot_id}"

    @property
    def rough_range(self) -> tuple[Decimal, Decimal, Decimal]:
        """Low, typical and high, rounded as an estimate should be read."""
        return rough(self.low), rough(self.typical), rough(self.high)
