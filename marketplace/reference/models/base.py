"""What every reference row has: a source, a confidence and a day on which it was checked."""

from collections.abc import Hashable
from datetime import date
from typing import Self, TypeVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.core.models import RowQuerySet, known

Row = TypeVar("Row", bound=models.Model)


class Confidence(models.TextChoices):
    """How far a row can be trusted."""

    VERIFIED = "VERIFIED", _("Read in the source itself")
    SECONDARY = "SECONDARY", _("Read in a text that reports the source")
    GENERAL = "GENERAL", _("General knowledge, to be confirmed")
    ASSUMPTION = "ASSUMPTION", _("Our own assumption")


class Material(models.TextChoices):
    """What batteries are made of, and what is quoted or recovered."""

    LI = "Li", _("Lithium")
    NI = "Ni", _("Nickel")
    CO = "Co", _("Cobalt")
    MN = "Mn", _("Manganese")
    CU = "Cu", _("Copper")
    AL = "Al", _("Aluminium")
    FE = "Fe", _("Iron")
    PB = "Pb", _("Lead")
    CD = "Cd", _("Cadmium")
    ZN = "Zn", _("Zinc")
    SN = "Sn", _("Tin")
    TI = "Ti", _("Titanium")
    NA = "Na", _("Sodium")
    P = "P", _("Phosphorus")
    REE = "REE", _("Rare earths")
    GRAPHITE = "C", _("Graphite")
    ACID = "H2SO4", _("Acid")
    LITHIUM_CARBONATE = "Li2CO3", _("Lithium carbonate")


class Family(models.TextChoices):
    """The four families of spent batteries that are kept apart from intake to furnace."""

    LITHIUM = "LITHIUM", _("Lithium")
    LEAD = "LEAD", _("Lead")
    NICKEL = "NICKEL", _("Nickel")
    SODIUM = "SODIUM", _("Sodium")


class ReferenceQuerySet(RowQuerySet[Row]):
    def visible_to(self, actor: Hashable) -> Self:
        """Everyone sees all of it: reference data is public."""
        return self

    def valid(self, on: date) -> Self:
        """Keep the rows in force on a day. Only for tables with ``valid_from`` and ``valid_to``."""
        return self.filter(
            Q(valid_from=None) | Q(valid_from__lte=on), Q(valid_to=None) | Q(valid_to__gte=on)
        )


class Source(models.Model):
    """A text or a data set that we read, and when."""

    code = models.CharField(max_length=40, primary_key=True)
    title = models.CharField(max_length=300)
    url = models.CharField(max_length=300, blank=True)
    published_on = models.CharField(max_length=40, blank=True, help_text=_("As the source says it"))
    kind = models.CharField(max_length=40, blank=True)
    read_on = models.DateField(null=True, blank=True)

    objects = ReferenceQuerySet["Source"].as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [models.CheckConstraint(condition=~Q(title=""), name="source_has_a_title")]

    def __str__(self) -> str:
        return self.title


class Sourced(models.Model):
    """A fact that came from somewhere."""

    source = models.ForeignKey(Source, models.PROTECT, related_name="+")
    confidence = models.CharField(max_length=10, choices=Confidence)
    checked_on = models.DateField()
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        abstract = True


class InForce(Sourced):
    """A fact with a first and a last day."""

    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)

    class Meta:
        abstract = True


def sourced(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=known("confidence", Confidence), name=name)


def ends_after_it_begins(name: str) -> models.CheckConstraint:
    condition = Q(valid_from=None) | Q(valid_to=None) | Q(valid_to__gte=F("valid_from"))
    return models.CheckConstraint(condition=condition, name=name)
