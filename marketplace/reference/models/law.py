"""Countries, licences and dangerous goods."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .base import Family, InForce, ReferenceQuerySet, Sourced, ends_after_it_begins, sourced


class Country(Sourced):
    """A country where we trade, and what its waste law asks."""

    code = models.CharField(max_length=2, primary_key=True)
    name = models.CharField(max_length=60)
    currency = models.CharField(max_length=3)
    languages = ArrayField(models.CharField(max_length=8), help_text=_("Most used first"))
    calling_code = models.CharField(max_length=6)
    competent_authority = models.CharField(max_length=300, blank=True)
    producer_responsibility = models.CharField(max_length=300, blank=True)
    import_control = models.CharField(max_length=500, blank=True)
    export_control = models.CharField(max_length=500, blank=True)
    dangerous_goods_rule = models.CharField(max_length=300, blank=True)
    in_basel_annex_vii = models.BooleanField(default=False)
    is_basel_party = models.BooleanField(default=True)

    objects = ReferenceQuerySet["Country"].as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "countries"
        constraints = [
            sourced("country_confidence_is_known"),
            models.CheckConstraint(
                condition=Q(code__regex="^[A-Z]{2}$", currency__regex="^[A-Z]{3}$"),
                name="country_has_codes",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class LicenceType(InForce):
    """A paper that a country's law asks for, and what may be done with it here."""

    class Use(models.TextChoices):
        COLLECT = "COLLECT", _("Collect and store")
        BID = "BID", _("Bid on lots")
        RECEIVE = "RECEIVE", _("Receive and treat lots")
        REPURPOSE = "REPURPOSE", _("Build second-life products")
        CARRY = "CARRY", _("Carry lots")
        EXPORT = "EXPORT", _("Send lots abroad")

    code = models.CharField(max_length=24, primary_key=True)
    country = models.ForeignKey(Country, models.PROTECT, related_name="licence_types")
    name = models.CharField(max_length=160)
    issuer = models.CharField(max_length=120)
    allows = ArrayField(models.CharField(max_length=10, choices=Use), blank=True, default=list)
    families = ArrayField(models.CharField(max_length=10, choices=Family), default=list)
    is_mandatory = models.BooleanField()
    finish_grace_days = models.PositiveSmallIntegerField(
        help_text=_("Days after it lapses in which what was begun may be finished")
    )

    objects = ReferenceQuerySet["LicenceType"].as_manager()

    class Meta:
        ordering = ["country", "code"]
        constraints = [
            sourced("licence_type_confidence_is_known"),
            ends_after_it_begins("licence_type_ends_after_it_begins"),
        ]

    def __str__(self) -> str:
        return self.name


class UnEntry(Sourced):
    """An entry of the dangerous goods list."""

    un_number = models.CharField(max_length=6, primary_key=True)
    proper_shipping_name = models.CharField(max_length=160)
    hazard_class = models.CharField(max_length=4)
    label = models.CharField(max_length=40)

    objects = ReferenceQuerySet["UnEntry"].as_manager()

    class Meta:
        ordering = ["un_number"]
        verbose_name_plural = "UN entries"
        constraints = [
            sourced("un_entry_confidence_is_known"),
            models.CheckConstraint(
                condition=Q(un_number__regex="^UN[0-9]{4}$"), name="un_entry_has_a_number"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.un_number} {self.proper_shipping_name}"


class PackingInstruction(Sourced):
    """How a package must be made."""

    code = models.CharField(max_length=10, primary_key=True)
    purpose = models.CharField(max_length=120)
    performance_level = models.CharField(max_length=40, blank=True)
    requirements = models.TextField()

    objects = ReferenceQuerySet["PackingInstruction"].as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [sourced("packing_instruction_confidence_is_known")]

    def __str__(self) -> str:
        return self.code


class SpecialProvision(Sourced):
    """A numbered provision that eases or hardens an entry."""

    code = models.CharField(max_length=8, primary_key=True)
    title = models.CharField(max_length=120)
    content = models.TextField()

    objects = ReferenceQuerySet["SpecialProvision"].as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [sourced("special_provision_confidence_is_known")]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class DangerousGoodsRule(InForce):
    """One row of the decision table: condition x goods x mode -> entry, packing, papers or refusal."""

    class Condition(models.TextChoices):
        INTACT_REUSE = "INTACT_REUSE", _("Intact, for reuse")
        INTACT_RECYCLING = "INTACT_RECYCLING", _("Intact, for recycling")
        DAMAGED = "DAMAGED", _("Damaged, not critical")
        CRITICAL = "CRITICAL", _("Damaged, critical")
        PROTOTYPE = "PROTOTYPE", _("Without transport test")
        IN_EQUIPMENT = "IN_EQUIPMENT", _("In equipment")
        IN_VEHICLE = "IN_VEHICLE", _("In a vehicle")
        PROCESSED = "PROCESSED", _("Black mass")

    class Goods(models.TextChoices):
        """What the dangerous goods list tells apart; a chemistry's family is not enough."""

        LITHIUM_ION = "LITHIUM_ION", _("Lithium-ion")
        LITHIUM_METAL = "LITHIUM_METAL", _("Lithium metal")
        SODIUM_ION = "SODIUM_ION", _("Sodium-ion")
        LEAD_ACID = "LEAD_ACID", _("Lead-acid")
        NIMH = "NIMH", _("Nickel-metal hydride")
        NICD = "NICD", _("Nickel-cadmium")
        BLACK_MASS = "BLACK_MASS", _("Black mass")

    class Mode(models.TextChoices):
        ROAD = "ROAD", _("Road")
        RAIL = "RAIL", _("Rail")
        SEA = "SEA", _("Sea")
        AIR = "AIR", _("Air")

    class Verdict(models.TextChoices):
        ALLOWED = "ALLOWED", _("May move")
        APPROVAL = "APPROVAL", _("May move with an approval")
        FORBIDDEN = "FORBIDDEN", _("Must not move")

    condition = models.CharField(max_length=16, choices=Condition)
    goods = models.CharField(max_length=14, choices=Goods)
    mode = models.CharField(max_length=4, choices=Mode)
    verdict = models.CharField(max_length=9, choices=Verdict)
    un_entry = models.ForeignKey(
        UnEntry, models.PROTECT, null=True, blank=True, help_text=_("Empty: not regulated")
    )
    proper_shipping_name = models.CharField(max_length=160, blank=True)
    packing_instructions = ArrayField(models.CharField(max_length=10), blank=True, default=list)
    special_provisions = ArrayField(models.CharField(max_length=10), blank=True, default=list)
    marks = ArrayField(models.CharField(max_length=120), blank=True, default=list)
    documents = ArrayField(models.CharField(max_length=160), blank=True, default=list)
    charge_limit = models.CharField(max_length=120, blank=True, help_text=_("State of charge"))
    carrier = models.CharField(max_length=160, blank=True, help_text=_("Who may carry it"))
    advice = models.CharField(max_length=300, blank=True)
    refusal = models.CharField(max_length=300, blank=True, help_text=_("Why it must not move"))
    rule_edition = models.CharField(max_length=60)

    objects = ReferenceQuerySet["DangerousGoodsRule"].as_manager()

    class Meta:
        ordering = ["condition", "goods", "mode"]
        constraints = [
            models.UniqueConstraint(
                fields=["condition", "goods", "mode", "rule_edition"],
                name="one_dangerous_goods_rule",
            ),
            sourced("dangerous_goods_rule_confidence_is_known"),
            ends_after_it_begins("dangerous_goods_rule_ends_after_it_begins"),
            models.CheckConstraint(
                condition=~Q(verdict="FORBIDDEN") | ~Q(refusal=""),
                name="dangerous_goods_refusal_says_why",
            ),
            models.CheckConstraint(
                condition=Q(un_entry=None) | ~Q(proper_shipping_name=""),
                name="dangerous_goods_rule_names_the_goods",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.condition} {self.goods} {self.mode}: {self.verdict}"
