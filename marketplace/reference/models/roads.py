"""Trucks and their drivers: what a milk run is planned with."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .base import InForce, ReferenceQuerySet, Sourced, ends_after_it_begins, sourced
from .law import Country


class TruckKind(Sourced):
    """A kind of truck that carriers have, and what a trip with it costs, there and back."""

    code = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=60)
    payload_kg = models.DecimalField(max_digits=8, decimal_places=0)
    volume_m3 = models.DecimalField(max_digits=6, decimal_places=1)
    max_stops = models.PositiveSmallIntegerField()
    fixed_usd = models.DecimalField(max_digits=10, decimal_places=2)
    usd_per_km = models.DecimalField(max_digits=8, decimal_places=4)
    usd_per_hour = models.DecimalField(max_digits=8, decimal_places=2, default=0)

    objects = ReferenceQuerySet["TruckKind"].as_manager()

    class Meta:
        ordering = ["payload_kg"]
        constraints = [
            sourced("truck_kind_confidence_is_known"),
            models.CheckConstraint(
                condition=Q(payload_kg__gt=0, volume_m3__gt=0, max_stops__gt=0),
                name="truck_kind_carries_something",
            ),
            models.CheckConstraint(
                condition=Q(fixed_usd__gte=0, usd_per_km__gt=0, usd_per_hour__gte=0),
                name="truck_kind_costs_something",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DriverHours(InForce):
    """How long a driver may work in a country. The row without a country holds where no other is given."""

    code = models.CharField(max_length=8, primary_key=True)
    country = models.ForeignKey(
        Country, models.PROTECT, null=True, blank=True, related_name="driver_hours"
    )
    driving_minutes = models.PositiveSmallIntegerField(help_text=_("At the wheel in a day"))
    shift_minutes = models.PositiveSmallIntegerField(help_text=_("From departure to return"))
    break_after = models.PositiveSmallIntegerField(help_text=_("Minutes of driving before a break"))
    break_minutes = models.PositiveSmallIntegerField()
    rest_minutes = models.PositiveSmallIntegerField(help_text=_("Between two days of work"))

    objects = ReferenceQuerySet["DriverHours"].as_manager()

    class Meta:
        ordering = ["code"]
        verbose_name_plural = "driver hours"
        constraints = [
            sourced("driver_hours_confidence_is_known"),
            ends_after_it_begins("driver_hours_end_after_they_begin"),
            models.UniqueConstraint(
                fields=["country", "valid_from"],
                nulls_distinct=False,
                name="one_driver_rule_per_country",
            ),
            models.CheckConstraint(
                condition=Q(driving_minutes__gt=0)
                & Q(shift_minutes__gte=F("driving_minutes"))
                & Q(shift_minutes__lte=1440, break_after__gt=0),
                name="driver_hours_make_a_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.driving_minutes} min at the wheel"
