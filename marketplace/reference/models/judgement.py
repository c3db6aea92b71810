"""What helps to judge a lot: what it probably is, what its use spares the air, and what bars it from another life."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.core.models import known

from .base import ReferenceQuerySet, Sourced, sourced
from .batteries import Chemistry


class Origin(models.TextChoices):
    """Where lots come from: the codes of ``lots.Lot.Origin``, which lives above."""

    SCOOTER = "SCOOTER", _("Scooter")
    RICKSHAW = "RICKSHAW", _("Rickshaw")
    CAR = "CAR", _("Electric or hybrid car")
    STARTER = "STARTER", _("Car starter battery")
    BUS = "BUS", _("Bus or truck")
    HOME = "HOME", _("Home, solar or inverter")
    TELECOM = "TELECOM", _("Telecom or UPS")
    DEVICE = "DEVICE", _("Phone, laptop or power bank")
    TOOL = "TOOL", _("Power tool")
    MIXED = "MIXED", _("Mixed")


class ChemistryPrior(Sourced):
    """What a lot of an origin is made of when nobody knows: one chemistry's share of the mass.

    The shares of one origin, country and period make one; ``load_reference`` checks it. Without years the row holds
    for lots whose year is not known, and for years that no period covers.
    """

    origin = models.CharField(max_length=10, choices=Origin)
    country = models.CharField(max_length=2, blank=True, help_text=_("Empty: everywhere else"))
    made_from = models.PositiveSmallIntegerField(null=True, blank=True, help_text=_("First year"))
    made_to = models.PositiveSmallIntegerField(null=True, blank=True, help_text=_("Last year"))
    chemistry = models.ForeignKey(Chemistry, models.PROTECT, related_name="+")
    share = models.DecimalField(max_digits=5, decimal_places=4)

    objects = ReferenceQuerySet["ChemistryPrior"].as_manager()

    class Meta:
        ordering = ["origin", "country", "made_from", "-share"]
        constraints = [
            models.UniqueConstraint(
                fields=["origin", "country", "made_from", "chemistry"],
                nulls_distinct=False,
                name="one_chemistry_prior",
            ),
            sourced("chemistry_prior_confidence_is_known"),
            models.CheckConstraint(
                condition=known("origin", Origin), name="chemistry_prior_origin_is_known"
            ),
            models.CheckConstraint(
                condition=Q(country="") | Q(country__regex="^[A-Z]{2}$"),
                name="chemistry_prior_names_a_country",
            ),
            models.CheckConstraint(
                condition=Q(share__gt=0, share__lte=1), name="chemistry_prior_is_a_share"
            ),
            models.CheckConstraint(
                condition=Q(made_from=None, made_to=None)
                | Q(made_from__isnull=False) & (Q(made_to=None) | Q(made_to__gte=F("made_from"))),
                name="chemistry_prior_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        years = f" {self.made_from}–{self.made_to or ''}" if self.made_from else ""
        return f"{self.origin}{years}: {self.share} {self.chemistry_id}"

    def covers(self, year: int | None) -> bool:
        """Tell whether this holds for a lot made in a year, or for one whose year is not known."""
        if year is None or self.made_from is None:
            return year is None and self.made_from is None
        return self.made_from <= year and (self.made_to is None or year <= self.made_to)


class EmissionFactor(Sourced):
    """How much greenhouse gas something causes or spares, in kg of CO2 equivalents per unit."""

    code = models.CharField(max_length=40, primary_key=True)
    meaning = models.CharField(max_length=200)
    low = models.DecimalField(max_digits=12, decimal_places=5)
    typical = models.DecimalField(max_digits=12, decimal_places=5)
    high = models.DecimalField(max_digits=12, decimal_places=5)
    unit = models.CharField(max_length=20, help_text=_("kg/kg, kg/kWh or kg/tkm"))

    objects = ReferenceQuerySet["EmissionFactor"].as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [
            sourced("emission_factor_confidence_is_known"),
            models.CheckConstraint(
                condition=Q(typical__gte=F("low")) & Q(high__gte=F("typical")),
                name="emission_factor_is_ordered",
            ),
            models.CheckConstraint(
                condition=Q(unit__in=["kg/kg", "kg/kWh", "kg/tkm"]),
                name="emission_factor_unit_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} = {self.typical} {self.unit}"


class ReuseGate(Sourced):
    """What a lot must pass before anybody may think of a second life: a number and the standard that asks for it."""

    code = models.CharField(max_length=40, primary_key=True)
    meaning = models.CharField(max_length=200)
    value = models.DecimalField(max_digits=10, decimal_places=3)
    unit = models.CharField(max_length=20)
    standard = models.CharField(max_length=60, help_text=_("Ours, where no standard says it"))

    objects = ReferenceQuerySet["ReuseGate"].as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [
            sourced("reuse_gate_confidence_is_known"),
            models.CheckConstraint(condition=Q(value__gte=0), name="reuse_gate_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.code} = {self.value} {self.unit}"
