"""What the field knows: chemistries, prices, countries and rules. Every row says where it comes from."""

from collections.abc import Hashable
from datetime import date
from typing import Self, TypeVar

from django.contrib.postgres.fields import ArrayField
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


def _sourced(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=known("confidence", Confidence), name=name)


def _ends_after_it_begins(name: str) -> models.CheckConstraint:
    condition = Q(valid_from=None) | Q(valid_to=None) | Q(valid_to__gte=F("valid_from"))
    return models.CheckConstraint(condition=condition, name=name)


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
            _sourced("chemistry_confidence_is_known"),
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
            _sourced("chemistry_material_confidence_is_known"),
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
            _sourced("recovery_rate_confidence_is_known"),
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


class MetalQuote(Sourced):
    """What a kilogram cost on a day, as one source said it. Never overwritten: a trigger refuses."""

    class Kind(models.TextChoices):
        MONTHLY_AVERAGE = "MONTHLY_AVERAGE", _("Monthly average")
        YEARLY_AVERAGE = "YEARLY_AVERAGE", _("Yearly average")
        SPOT = "SPOT", _("Spot quote")
        ESTIMATE = "ESTIMATE", _("Estimate")

    material = models.CharField(max_length=8, choices=Material)
    quoted_on = models.DateField(help_text=_("Last day of the month or year for averages"))
    price_usd_per_kg = models.DecimalField(max_digits=14, decimal_places=6)
    kind = models.CharField(max_length=16, choices=Kind)

    objects = ReferenceQuerySet["MetalQuote"].as_manager()

    class Meta:
        ordering = ["material", "-quoted_on"]
        constraints = [
            models.UniqueConstraint(
                fields=["material", "quoted_on", "source"], name="one_quote_per_day_and_source"
            ),
            _sourced("metal_quote_confidence_is_known"),
            models.CheckConstraint(
                condition=known("material", Material), name="metal_quote_material_is_known"
            ),
            models.CheckConstraint(
                condition=Q(price_usd_per_kg__gt=0), name="metal_quote_is_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.material} {self.quoted_on} {self.price_usd_per_kg} USD/kg"


class CurrencyRate(Sourced):
    """How many units of a currency one US dollar bought on a day. Never overwritten."""

    currency = models.CharField(max_length=3)
    quoted_on = models.DateField()
    per_usd = models.DecimalField(max_digits=16, decimal_places=6)

    objects = ReferenceQuerySet["CurrencyRate"].as_manager()

    class Meta:
        ordering = ["currency", "-quoted_on"]
        constraints = [
            models.UniqueConstraint(
                fields=["currency", "quoted_on", "source"], name="one_rate_per_day_and_source"
            ),
            _sourced("currency_rate_confidence_is_known"),
            models.CheckConstraint(condition=Q(per_usd__gt=0), name="currency_rate_is_positive"),
            models.CheckConstraint(
                condition=Q(currency__regex="^[A-Z]{3}$"), name="currency_rate_names_a_currency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.per_usd} {self.currency}/USD on {self.quoted_on}"


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
            _sourced("country_confidence_is_known"),
            models.CheckConstraint(
                condition=Q(code__regex="^[A-Z]{2}$", currency__regex="^[A-Z]{3}$"),
                name="country_has_codes",
            ),
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
            _sourced("un_entry_confidence_is_known"),
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
        constraints = [_sourced("packing_instruction_confidence_is_known")]

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
        constraints = [_sourced("special_provision_confidence_is_known")]

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
            _sourced("dangerous_goods_rule_confidence_is_known"),
            _ends_after_it_begins("dangerous_goods_rule_ends_after_it_begins"),
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
            _sourced("licence_type_confidence_is_known"),
            _ends_after_it_begins("licence_type_ends_after_it_begins"),
        ]

    def __str__(self) -> str:
        return self.name


class PackModel(Sourced):
    """A real pack that comes back: what one of them weighs and holds."""

    class Kind(models.TextChoices):
        CAR = "CAR", _("Car")
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

    objects = ReferenceQuerySet["PackModel"].as_manager()

    class Meta:
        ordering = ["kind", "maker", "model"]
        constraints = [
            models.UniqueConstraint(fields=["maker", "model"], name="one_pack_model"),
            _sourced("pack_model_confidence_is_known"),
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


class SecondLifePrice(Sourced):
    """What a kilowatt hour of a used pack fetched, or what we assume it fetches."""

    region = models.CharField(max_length=40)
    item = models.CharField(max_length=120)
    feed = models.CharField(max_length=14, choices=Chemistry.Feed, blank=True)
    grade = models.CharField(max_length=1, blank=True, help_text=_("A the best, C the least"))
    observed_on = models.DateField()
    usd_per_kwh = models.DecimalField(max_digits=8, decimal_places=2)
    is_house_default = models.BooleanField(default=False)

    objects = ReferenceQuerySet["SecondLifePrice"].as_manager()

    class Meta:
        ordering = ["-observed_on", "item", "grade"]
        constraints = [
            models.UniqueConstraint(
                fields=["region", "item", "grade", "observed_on"], name="one_second_life_price"
            ),
            _sourced("second_life_price_confidence_is_known"),
            models.CheckConstraint(
                condition=Q(usd_per_kwh__gte=0), name="second_life_price_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(is_house_default=False) | (~Q(feed="") & ~Q(grade="")),
                name="second_life_default_says_for_what",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item} {self.grade} {self.usd_per_kwh} USD/kWh"


class PayableTerm(InForce):
    """The share of a metal's quoted price that buyers pay for it inside scrap."""

    feed = models.CharField(max_length=14, choices=Chemistry.Feed)
    material = models.CharField(max_length=8, choices=Material)
    market = models.CharField(max_length=60)
    low = models.DecimalField(max_digits=5, decimal_places=4)
    typical = models.DecimalField(max_digits=5, decimal_places=4)
    high = models.DecimalField(max_digits=5, decimal_places=4)
    reference = models.CharField(max_length=80, help_text=_("The price that the share is of"))
    is_house_default = models.BooleanField(default=False)

    objects = ReferenceQuerySet["PayableTerm"].as_manager()

    class Meta:
        ordering = ["feed", "material", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["feed", "material", "market", "valid_from"], name="one_payable_term"
            ),
            _sourced("payable_term_confidence_is_known"),
            _ends_after_it_begins("payable_term_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(low__gte=0)
                & Q(typical__gte=F("low"))
                & Q(high__gte=F("typical"))
                & Q(high__lte=1),
                name="payable_term_is_a_share",
            ),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=False), name="payable_term_has_a_first_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feed} {self.material} {self.typical}"


class Parameter(InForce):
    """A number that a rule needs and that an operator may change without a release."""

    code = models.CharField(max_length=40)
    value = models.DecimalField(max_digits=18, decimal_places=6)
    unit = models.CharField(max_length=20)
    meaning = models.CharField(max_length=200)

    objects = ReferenceQuerySet["Parameter"].as_manager()

    class Meta:
        ordering = ["code", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["code", "valid_from"], name="one_parameter_value"),
            _sourced("parameter_confidence_is_known"),
            _ends_after_it_begins("parameter_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=False), name="parameter_has_a_first_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} = {self.value} {self.unit}"
