"""Quotes, rates, terms and the numbers of the house. Quotes and rates are only ever added."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.core.models import known

from .base import InForce, Material, ReferenceQuerySet, Sourced, ends_after_it_begins, sourced
from .batteries import Chemistry


class Revised(Sourced):
    """A fact that its source may correct. What stood before stays beside it, with its number."""

    revision = models.PositiveSmallIntegerField(default=1)
    reason = models.CharField(
        max_length=300, blank=True, help_text=_("Why there is another one for the same day")
    )

    class Meta:
        abstract = True


def revised(name: str) -> tuple[models.CheckConstraint, ...]:
    return (
        models.CheckConstraint(
            condition=Q(revision__gte=1), name=f"{name}_revisions_count_from_one"
        ),
        models.CheckConstraint(
            condition=Q(revision=1) | ~Q(reason=""), name=f"{name}_revision_says_why"
        ),
    )


class MetalQuote(Revised):
    """What a kilogram cost on a day, as one source said it. Never overwritten: a trigger refuses.

    A corrected price is a new row with the next revision.
    """

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
        ordering = ["material", "-quoted_on", "-revision"]
        constraints = [
            models.UniqueConstraint(
                fields=["material", "quoted_on", "source", "revision"],
                name="one_quote_per_day_and_source",
            ),
            *revised("metal_quote"),
            sourced("metal_quote_confidence_is_known"),
            models.CheckConstraint(
                condition=known("material", Material), name="metal_quote_material_is_known"
            ),
            models.CheckConstraint(
                condition=Q(price_usd_per_kg__gt=0), name="metal_quote_is_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.material} {self.quoted_on} {self.price_usd_per_kg} USD/kg"


class CurrencyRate(Revised):
    """How many units of a currency one US dollar bought on a day. Never overwritten, only revised."""

    currency = models.CharField(max_length=3)
    quoted_on = models.DateField()
    per_usd = models.DecimalField(max_digits=16, decimal_places=6)

    objects = ReferenceQuerySet["CurrencyRate"].as_manager()

    class Meta:
        ordering = ["currency", "-quoted_on", "-revision"]
        constraints = [
            models.UniqueConstraint(
                fields=["currency", "quoted_on", "source", "revision"],
                name="one_rate_per_day_and_source",
            ),
            *revised("currency_rate"),
            sourced("currency_rate_confidence_is_known"),
            models.CheckConstraint(condition=Q(per_usd__gt=0), name="currency_rate_is_positive"),
            models.CheckConstraint(
                condition=Q(currency__regex="^[A-Z]{3}$"), name="currency_rate_names_a_currency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.per_usd} {self.currency}/USD on {self.quoted_on}"


class LithiumForm(models.TextChoices):
    """What is sold: the cleaner the feed, the dearer the point."""

    BATTERY_BLACK_MASS = "BATTERY_BLACK_MASS", _("Black mass from whole batteries")
    BLACK_MASS = "BLACK_MASS", _("Black mass, feed not said")
    ELECTRODE_BLACK_MASS = "ELECTRODE_BLACK_MASS", _("Black mass from electrode scrap")
    ELECTRODE_SCRAP = "ELECTRODE_SCRAP", _("Electrode scrap")


class LithiumPointQuote(Sourced):
    """What a market paid for each percent of lithium in a tonne of phosphate scrap. Never overwritten."""

    market = models.CharField(max_length=60)
    feed_form = models.CharField(max_length=24, choices=LithiumForm)
    quoted_on = models.DateField()
    low = models.DecimalField(max_digits=12, decimal_places=2)
    high = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3)
    unit = models.CharField(max_length=40, help_text=_("As the market says it"))

    objects = ReferenceQuerySet["LithiumPointQuote"].as_manager()

    class Meta:
        ordering = ["feed_form", "-quoted_on"]
        constraints = [
            models.UniqueConstraint(
                fields=["market", "feed_form", "quoted_on", "source"],
                name="one_lithium_point_per_day_and_source",
            ),
            sourced("lithium_point_confidence_is_known"),
            models.CheckConstraint(
                condition=known("feed_form", LithiumForm), name="lithium_point_form_is_known"
            ),
            models.CheckConstraint(
                condition=Q(low__gt=0, high__gte=F("low")), name="lithium_point_is_a_range"
            ),
            models.CheckConstraint(
                condition=Q(currency__regex="^[A-Z]{3}$"), name="lithium_point_names_a_currency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feed_form} {self.quoted_on} {self.low}–{self.high} {self.currency}"


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
            sourced("second_life_price_confidence_is_known"),
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


class Convention(models.TextChoices):
    """How scrap is paid: two ways that are never mixed."""

    CHINA = "CHINA", _("China")
    KOREA = "KOREA", _("Korea")


class PayableTerm(InForce):
    """The share of a metal's quoted price that buyers pay for it inside scrap.

    Two conventions are never mixed. In China nickel and cobalt are paid without their lithium, and lithium is paid
    by its carbonate at a share like theirs. In Korea lithium fetches a few percent, and a share for nickel and cobalt
    may stand for lithium too: ``includes_lithium`` says so.
    """

    convention = models.CharField(max_length=5, choices=Convention)
    includes_lithium = models.BooleanField(default=False)
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
                fields=["feed", "material", "market", "valid_from", "includes_lithium"],
                name="one_payable_term",
            ),
            sourced("payable_term_confidence_is_known"),
            models.CheckConstraint(
                condition=known("convention", Convention), name="payable_term_convention_is_known"
            ),
            models.CheckConstraint(
                condition=Q(includes_lithium=False)
                | Q(convention="KOREA", material__in=["Ni", "Co"]),
                name="payable_term_includes_lithium_in_korea_only",
            ),
            ends_after_it_begins("payable_term_ends_after_it_begins"),
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
            sourced("parameter_confidence_is_known"),
            ends_after_it_begins("parameter_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=False), name="parameter_has_a_first_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} = {self.value} {self.unit}"
