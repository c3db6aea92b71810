"""Prices and exchange rates that people type in: one proposes, another confirms."""

from typing import Any, ClassVar, Self, TypeVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.core.models import RowQuerySet, Staged, known

from .base import Material, Source
from .prices import CurrencyRate, MetalQuote

Typed = TypeVar("Typed", bound="Proposal")


class ProposalStatus(models.TextChoices):
    PROPOSED = "PROPOSED", _("Waits for a second person")
    CONFIRMED = "CONFIRMED", _("Confirmed")
    REFUSED = "REFUSED", _("Refused")


class ProposalQuerySet(RowQuerySet[Typed]):
    def visible_to(self, actor: Any) -> Self:
        """Those who run the site see them. What was confirmed everybody sees as a quote or rate."""
        return self if actor.sees_everything else self.none()


class Proposal(Staged):
    """Something that one person typed in, until another confirms or refuses it.

    People are kept by their plain numbers, as the journal does: accounts lie a floor above.
    """

    NEXT: ClassVar = {
        ProposalStatus.PROPOSED: frozenset({ProposalStatus.CONFIRMED, ProposalStatus.REFUSED}),
        ProposalStatus.CONFIRMED: frozenset(),
        ProposalStatus.REFUSED: frozenset(),
    }

    status = models.CharField(
        max_length=10, choices=ProposalStatus, default=ProposalStatus.PROPOSED
    )
    quoted_on = models.DateField()
    source = models.ForeignKey(Source, models.PROTECT, related_name="+")
    note = models.CharField(max_length=300, blank=True)
    proposed_by = models.BigIntegerField(help_text=_("Number of the user"))
    proposed_at = models.DateTimeField()
    request_id = models.UUIDField()
    decided_by = models.BigIntegerField(null=True, blank=True, help_text=_("Number of the user"))
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text=_("Why it was refused"))

    class Meta:
        abstract = True


def takes_two(name: str, *, of: str, kept: str) -> list[models.BaseConstraint]:
    """Return what every kind of proposal holds to.

    :param of: the field that names what is priced
    :param kept: the field of what it became
    """
    return [
        models.UniqueConstraint(
            fields=["proposed_by", "request_id"], name=f"one_{name}_per_request"
        ),
        models.UniqueConstraint(
            fields=[of, "quoted_on", "source"],
            condition=Q(status="PROPOSED"),
            name=f"one_open_{name}",
        ),
        models.CheckConstraint(
            condition=Q(decided_by=None) | ~Q(decided_by=F("proposed_by")),
            name=f"{name}_takes_two_people",
        ),
        models.CheckConstraint(
            condition=Q(
                status="PROPOSED", decided_by=None, decided_at=None, reason="", **{kept: None}
            )
            | Q(
                status="CONFIRMED",
                decided_by__isnull=False,
                decided_at__isnull=False,
                reason="",
                **{f"{kept}__isnull": False},
            )
            | Q(
                ~Q(reason=""),
                status="REFUSED",
                decided_by__isnull=False,
                decided_at__isnull=False,
                **{kept: None},
            ),
            name=f"{name}_status_fits",
        ),
    ]


class QuoteProposal(Proposal):
    """A price that one person typed in."""

    material = models.CharField(max_length=8, choices=Material)
    price = models.DecimalField(max_digits=16, decimal_places=6, help_text=_("As it was typed"))
    unit = models.CharField(max_length=20)
    price_usd_per_kg = models.DecimalField(max_digits=14, decimal_places=6)
    quote = models.OneToOneField(
        MetalQuote, models.PROTECT, null=True, blank=True, related_name="proposal"
    )

    objects = ProposalQuerySet["QuoteProposal"].as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            *takes_two("quote_proposal", of="material", kept="quote"),
            models.CheckConstraint(
                condition=known("material", Material), name="quote_proposal_material_is_known"
            ),
            models.CheckConstraint(
                condition=Q(price__gt=0, price_usd_per_kg__gt=0),
                name="quote_proposal_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.material} {self.quoted_on} {self.price} {self.unit}"


class RateProposal(Proposal):
    """An exchange rate that one person typed in, as the source writes it, and turned into units per dollar."""

    class Written(models.TextChoices):
        """Which way round a source writes a rate."""

        PER_USD = "PER_USD", _("units for one US dollar")
        IN_USD = "IN_USD", _("US dollars for one unit")

    currency = models.CharField(max_length=3)
    typed = models.DecimalField(max_digits=16, decimal_places=6, help_text=_("As it was typed"))
    written = models.CharField(max_length=8, choices=Written)
    per_usd = models.DecimalField(max_digits=16, decimal_places=6)
    rate = models.OneToOneField(
        CurrencyRate, models.PROTECT, null=True, blank=True, related_name="proposal"
    )

    objects = ProposalQuerySet["RateProposal"].as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            *takes_two("rate_proposal", of="currency", kept="rate"),
            models.CheckConstraint(
                condition=Q(typed__gt=0, per_usd__gt=0), name="rate_proposal_is_positive"
            ),
            models.CheckConstraint(
                condition=Q(currency__regex="^[A-Z]{3}$") & ~Q(currency="USD"),
                name="rate_proposal_names_a_currency",
            ),
            models.CheckConstraint(
                condition=Q(written__in=["PER_USD", "IN_USD"]),
                name="rate_proposal_says_which_way_round",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.quoted_on} {self.per_usd} per USD"
