"""What was really paid, and the price index that is made of it. Neither is ever changed."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Organisation
from marketplace.core.models import RowQuerySet
from marketplace.lots.models import Lot
from marketplace.reference.models import Chemistry

from .valuation import Valuation

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class SettledPriceQuerySet(RowQuerySet["SettledPrice"]):
    def visible_to(self, actor: "Actor") -> Self:
        """The two who traded, and staff. Everybody else sees only what many deals say together."""
        if actor.sees_everything:
            return self
        mine = Q(seller_id=actor.organisation_id) | Q(buyer_id=actor.organisation_id)
        return self.filter(mine) if actor.organisation_id else self.none()

    def in_dollars(self) -> Self:
        """Those of a day that had an exchange rate."""
        return self.filter(usd_per_kg__isnull=False)

    def counting(self) -> Self:
        """Those in dollars that two people have not taken out as fraud or mistake."""
        out = self.model._default_manager.filter(exclusions__status="CONFIRMED")
        return self.in_dollars().exclude(pk__in=out.values("pk"))


class SettledPrice(models.Model):
    """What one deal paid for what was accepted, and what we had said before. Written once, when the seller is paid."""

    deal_id = models.BigIntegerField(unique=True, help_text="Deals live in a room above.")
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="+")
    seller = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    buyer = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    seller_party = models.CharField(
        max_length=80, help_text="Organisations of one group are one party."
    )
    buyer_party = models.CharField(max_length=80)
    chemistry = models.ForeignKey(Chemistry, models.PROTECT, null=True, related_name="+")
    letters = models.CharField(
        max_length=8, blank=True, help_text="Of the chemistry, as on labels; empty if not known."
    )
    form = models.CharField(max_length=10, blank=True, choices=Lot.Origin)
    country = models.CharField(max_length=2)
    kg = models.DecimalField(max_digits=10, decimal_places=3)
    price = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3)
    usd = models.DecimalField(
        max_digits=16, decimal_places=4, null=True, help_text="At the rate of the day it was paid."
    )
    usd_per_kg = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    settled_on = models.DateField()
    offered_at = models.DateTimeField(null=True, help_text="When bidding opened.")
    valuation = models.ForeignKey(
        Valuation, models.PROTECT, null=True, related_name="+", help_text="As bidding opened."
    )
    predicted_low = models.DecimalField(
        max_digits=14, decimal_places=6, null=True, help_text="USD a kilogram, like the next two."
    )
    predicted_typical = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    predicted_high = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    route = models.CharField(max_length=10, blank=True)
    recorded_at = models.DateTimeField()

    objects = SettledPriceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kg__gt=0, price__gte=0), name="settled_price_is_for_something"
            ),
            models.CheckConstraint(
                condition=Q(usd=None, usd_per_kg=None)
                | Q(usd__isnull=False, usd_per_kg__isnull=False),
                name="settled_price_is_whole_in_dollars",
            ),
            models.CheckConstraint(
                condition=Q(
                    predicted_low=None,
                    predicted_typical=None,
                    predicted_high=None,
                    valuation=None,
                )
                | Q(
                    valuation__isnull=False,
                    predicted_low__lte=F("predicted_typical"),
                    predicted_typical__lte=F("predicted_high"),
                ),
                name="settled_price_prediction_is_whole",
            ),
        ]
        indexes = [models.Index(fields=["settled_on"], name="settled_price_by_day")]

    def __str__(self) -> str:
        return f"{self.price} {self.currency} for {self.kg} kg of deal {self.deal_id}"


class IndexValueQuerySet(RowQuerySet["IndexValue"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Everybody: it says nothing of a single deal."""
        return self

    def current(self) -> Self:
        """The last revision of every day and group, the newest day first."""
        return self.order_by("chemistry", "form", "country", "-on", "-revision").distinct(
            "chemistry", "form", "country", "on"
        )

    def newest(self) -> Self:
        """The last revision of the last day of every group."""
        return self.order_by("chemistry", "form", "country", "-on", "-revision").distinct(
            "chemistry", "form", "country"
        )

    def unrevised(self) -> Self:
        """Those that no later revision has taken the place of."""
        later = IndexValue.objects.filter(
            on=OuterRef("on"),
            chemistry=OuterRef("chemistry"),
            form=OuterRef("form"),
            country=OuterRef("country"),
            revision__gt=OuterRef("revision"),
        )
        return self.filter(~Exists(later))


class IndexValue(models.Model):
    """What the price index of a group was said to be on a day. A correction is a new revision with its reason."""

    class Basis(models.TextChoices):
        SETTLED = "SETTLED", _("From settled deals")
        INFERRED = "INFERRED", _("Inferred: too few deals")
        WITHDRAWN = "WITHDRAWN", _("Withdrawn: too few deals are left")

    class Reason(models.TextChoices):
        LATE_DEALS = "LATE_DEALS", _("Deals were settled late")
        METHOD = "METHOD", _("The method changed")
        TAKEN_OUT = "TAKEN_OUT", _("A deal was taken out")

    on = models.DateField()
    chemistry = models.CharField(
        max_length=8, blank=True, help_text="Letters as on labels; empty: all."
    )
    form = models.CharField(max_length=10, blank=True, choices=Lot.Origin, help_text="Empty: all.")
    country = models.CharField(max_length=2, blank=True, help_text="Empty: all.")
    basis = models.CharField(max_length=9, choices=Basis)
    gap = models.CharField(max_length=12, blank=True, help_text="Why deals alone did not say it.")
    usd_per_kg = models.DecimalField(
        max_digits=14, decimal_places=6, null=True, help_text="Empty if it was withdrawn."
    )
    formula_usd_per_kg = models.DecimalField(
        max_digits=14, decimal_places=6, null=True, help_text="What the valuation said that day."
    )
    deals = models.PositiveIntegerField(help_text="Exact; published in steps.")
    sellers = models.PositiveIntegerField()
    buyers = models.PositiveIntegerField()
    kg = models.DecimalField(max_digits=14, decimal_places=3)
    window_days = models.PositiveSmallIntegerField()
    method_version = models.CharField(max_length=20)
    revision = models.PositiveSmallIntegerField(default=1)
    reason = models.CharField(max_length=12, blank=True, choices=Reason)
    said = models.CharField(
        max_length=300, blank=True, help_text="Public words of those who took a deal out."
    )
    published_at = models.DateTimeField()

    objects = IndexValueQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["on", "chemistry", "form", "country", "revision"],
                name="index_value_has_one_row_a_revision",
            ),
            models.CheckConstraint(
                condition=Q(
                    basis="SETTLED", gap="", deals__gte=5, sellers__gte=3, usd_per_kg__isnull=False
                )
                | (
                    Q(
                        basis="INFERRED",
                        formula_usd_per_kg__isnull=False,
                        usd_per_kg__isnull=False,
                    )
                    & ~Q(gap="")
                )
                | (Q(basis="WITHDRAWN", usd_per_kg=None, revision__gt=1) & ~Q(gap="")),
                name="index_value_says_what_it_rests_on",
            ),
            models.CheckConstraint(
                condition=Q(revision=1, reason="") | (Q(revision__gt=1) & ~Q(reason="")),
                name="index_revision_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(said="") | Q(reason="TAKEN_OUT"), name="index_value_says_what_was_out"
            ),
        ]
        indexes = [
            models.Index(fields=["chemistry", "form", "country", "-on"], name="index_value_latest"),
        ]

    def __str__(self) -> str:
        of = " ".join(filter(None, (self.chemistry, self.form, self.country))) or "all"
        return f"{self.usd_per_kg} USD/kg of {of} on {self.on}"
