"""Chemistries, what they are made of, what a furnace gives back, and the packs that come in."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.core.models import known

from .base import Family, Material, ReferenceQuerySet, Sourced, sourced


class Chemistry(Sourced):
    """A cell chemistry, or the honest ``LI_UNKNOWN`` for lithium-ion that nobody sorted."""

    class Feed(models.TextChoices):
        """Which recycling line takes it: it decides the payables."""

        TERNARY = "TERNARY", _("Nickel-cobalt lithium-ion")
        LFP = "LFP", _("Iron phosphate lithium-ion")
        OTHER_LITHIUM = "OTHER_LITHIUM", _("Other lithium-ion")
        LEAD = "LEAD", _("Lead-acid")
        NICKEL = "NICKEL", _("Nickel")
        SODIUM = "SODIUM", _("Sodium-ion")

    code = models.CharField(max_length=12, primary_key=True)
    name = models.CharField(max_length=100)
    family = models.CharField(max_length=10, choices=Family)
    feed = models.CharField(max_length=14, choices=Feed)
    letters = models.CharField(max_length=8, help_text=_("Short name on labels and chips"))
    css_class = models.CharField(max_length=8, help_text=_("lfp, nmc, lco, nimh, pba or unk"))
    formula = models.CharField(max_length=100, blank=True)
    nominal_volts = models.DecimalField(max_digits=4, decimal_places=2, help_text=_("Of one cell"))
    cell_wh_per_kg = models.DecimalField(max_digits=6, decimal_places=2)
    pack_wh_per_kg_low = models.DecimalField(max_digits=6, decimal_places=2)
    pack_wh_per_kg = models.DecimalField(max_digits=6, decimal_places=2, help_text=_("Typical"))
    pack_wh_per_kg_high = models.DecimalField(max_digits=6, decimal_places=2)
    cell_share_of_pack = models.DecimalField(max_digits=4, decimal_places=3)
    value_class = models.CharField(
        max_length=2, help_text=_("A+ the dearest scrap, E the cheapest")
    )
    hazards = models.CharField(max_length=300, blank=True)

    objects = ReferenceQuerySet["Chemistry"].as_manager()

    class Meta:
        ordering = ["code"]
        verbose_name_plural = "chemistries"
        constraints = [
            sourced("chemistry_confidence_is_known"),
            models.CheckConstraint(
                condition=known("family", Family), name="chemistry_family_is_known"
            ),
            models.CheckConstraint(
                condition=Q(pack_wh_per_kg_low__gt=0)
                & Q(pack_wh_per_kg__gte=F("pack_wh_per_kg_low"))
                & Q(pack_wh_per_kg_high__gte=F("pack_wh_per_kg")),
                name="chemistry_density_is_ordered",
            ),
            models.CheckConstraint(
                condition=Q(cell_share_of_pack__gt=0, cell_share_of_pack__lte=1),
                name="chemistry_cell_share_is_a_share",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ChemistryMaterial(Sourced):
    """How much of a material is in a spent pack, on two bases that must not be mixed."""

    chemistry = models.ForeignKey(Chemistry, models.CASCADE, related_name="materials")
    material = models.CharField(max_length=8, choices=Material)
    kg_per_kg_pack_low = models.DecimalField(max_digits=7, decimal_places=5)
    kg_per_kg_pack = models.DecimalField(max_digits=7, decimal_places=5, help_text=_("Typical"))
    kg_per_kg_pack_high = models.DecimalField(max_digits=7, decimal_places=5)
    kg_per_kwh_design = models.DecimalField(
        max_digits=8, decimal_places=4, help_text=_("Rated lots built since 2019")
    )
    kg_per_kwh_inventory = models.DecimalField(
        max_digits=8, decimal_places=4, help_text=_("Rated lots built before 2019")
    )

    objects = ReferenceQuerySet["ChemistryMaterial"].as_manager()

    class Meta:
        ordering = ["chemistry", "material"]
        constraints = [
            models.UniqueConstraint(fields=["chemistry", "material"], name="one_row_per_material"),
            sourced("chemistry_material_confidence_is_known"),
            models.CheckConstraint(
                condition=Q(kg_per_kg_pack_low__gte=0)
                & Q(kg_per_kg_pack__gte=F("kg_per_kg_pack_low"))
                & Q(kg_per_kg_pack_high__gte=F("kg_per_kg_pack"))
                & Q(kg_per_kg_pack_high__lte=1),
                name="chemistry_material_is_a_share",
            ),
            models.CheckConstraint(
                condition=Q(kg_per_kwh_design__gte=0, kg_per_kwh_inventory__gte=0),
                name="chemistry_material_is_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.chemistry_id} {self.material}"


class RecoveryRate(Sourced):
    """The share of a material that a process gives back."""

    class Process(models.TextChoices):
        HYDRO = "HYDRO", _("Shredding and leaching")
        PYRO = "PYRO", _("Smelting, then leaching")
        DIRECT = "DIRECT", _("Direct recycling")
        LEAD_SMELTING = "LEAD_SMELTING", _("Lead smelting")
        NICKEL_SMELTING = "NICKEL_SMELTING", _("Nickel smelting")
        CHINA_MINIMUM = "CHINA_MINIMUM", _("Minimum of the Chinese 2024 conditions")

    process = models.CharField(max_length=16, choices=Process)
    material = models.CharField(max_length=8, choices=Material)
    low = models.DecimalField(max_digits=4, decimal_places=3)
    typical = models.DecimalField(max_digits=4, decimal_places=3)
    high = models.DecimalField(max_digits=4, decimal_places=3)

    objects = ReferenceQuerySet["RecoveryRate"].as_manager()

    class Meta:
        ordering = ["process", "material"]
        constraints = [
            models.UniqueConstraint(fields=["process", "material"], name="one_recovery_rate"),
            sourced("recovery_rate_confidence_is_known"),
            models.CheckConstraint(
                condition=Q(low__gte=0)
                & Q(typical__gte=F("low"))
                & Q(high__gte=F("typical"))
                & Q(high__lte=1),
                name="recovery_rate_is_a_share",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.process} {self.material}"


ON_SALE = "OPENEV-1.24.0"
"""The source whose packs are of cars on sale from 2023: listed so that they are found, not yet what piles up."""


class PackModelQuerySet(ReferenceQuerySet["PackModel"]):
    def coming_back(self) -> Self:
        """Keep the packs that are spent today, for what a pack of unknown model weighs."""
        return self.exclude(source=ON_SALE)


class PackModel(Sourced):
    """A real pack that comes back: what one of them weighs and holds."""

    class Kind(models.TextChoices):
        CAR = "CAR", _("Car")
        VAN = "VAN", _("Van or light truck")
        TWO_WHEELER = "TWO_WHEELER", _("Two-wheeler")
        THREE_WHEELER = "THREE_WHEELER", _("Three-wheeler")
        BUS = "BUS", _("Bus or truck")
        HOME = "HOME", _("Home storage")
        TELECOM = "TELECOM", _("Telecom or backup power")
        PHONE = "PHONE", _("Phone")
        LAPTOP = "LAPTOP", _("Laptop")
        TOOL = "TOOL", _("Power tool")
        STARTER = "STARTER", _("Starter battery")

    maker = models.CharField(max_length=40)
    model = models.CharField(max_length=80)
    kind = models.CharField(max_length=14, choices=Kind)
    chemistry = models.ForeignKey(Chemistry, models.PROTECT, related_name="packs")
    energy_kwh = models.DecimalField(max_digits=9, decimal_places=4)
    mass_kg = models.DecimalField(max_digits=9, decimal_places=3)
    nominal_volts = models.DecimalField(max_digits=6, decimal_places=1)
    units = models.PositiveSmallIntegerField(default=1, help_text=_("Blocks in one pack"))
    first_year = models.PositiveSmallIntegerField(null=True, blank=True)
    last_year = models.PositiveSmallIntegerField(null=True, blank=True)

    objects = PackModelQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "maker", "model"]
        constraints = [
            models.UniqueConstraint(fields=["maker", "model"], name="one_pack_model"),
            sourced("pack_model_confidence_is_known"),
            models.CheckConstraint(
                condition=Q(energy_kwh__gt=0, mass_kg__gt=0, units__gt=0),
                name="pack_model_has_mass_and_energy",
            ),
            models.CheckConstraint(
                condition=Q(first_year=None)
                | Q(last_year=None)
                | Q(last_year__gte=F("first_year")),
                name="pack_model_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.maker} {self.model}"
