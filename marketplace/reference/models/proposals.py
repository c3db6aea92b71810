"""Prices that people type in: one proposes, another confirms."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.core.models import RowQuerySet, Staged, known

from .base import Material, Source
from .prices import MetalQuote


class ProposalStatus(models.TextChoices):
    PROPOSED = "PROPOSED", _("Waits for a second person")
    CONFIRMED = "CONFIRMED", _("Confirmed")
    REFUSED = "REFUSED", _("Refused")


class QuoteProposalQuerySet(RowQuerySet["QuoteProposal"]):
    def visible_to(self, actor: Any) -> Self:
        """Those who run the site see them. What was confirmed everybody sees as a quote."""
        return self if actor.sees_everything else self.none()


class QuoteProposal(Staged):
    """A price that one person typed in, until another confirms or refuses it.

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
    material = models.CharField(max_length=8, choices=Material)
    quoted_on = models.DateField()
    price = models.DecimalField(max_digits=16, decimal_places=6, help_text=_("As it was typed"))
    unit = models.CharField(max_length=20)
    price_usd_per_kg = models.DecimalField(max_digits=14, decimal_places=6)
    source = models.ForeignKey(Source, models.PROTECT, related_name="+")
    note = models.CharField(max_length=300, blank=True)
    proposed_by = models.BigIntegerField(help_text=_("Number of the user"))
    proposed_at = models.DateTimeField()
    request_id = models.UUIDField()
    decided_by = models.BigIntegerField(null=True, blank=True, help_text=_("Number of the user"))
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text=_("Why it was refused"))
    quote = models.OneToOneField(
        MetalQuote, models.PROTECT, null=True, blank=True, related_name="proposal"
    )

    objects = QuoteProposalQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["proposed_by", "request_id"], name="one_quote_proposal_per_request"
            ),
            models.UniqueConstraint(
                fields=["material", "quoted_on", "source"],
                condition=Q(status="PROPOSED"),
                name="one_open_quote_proposal",
            ),
            models.CheckConstraint(
                condition=known("material", Material), name="quote_proposal_material_is_known"
            ),
            models.CheckConstraint(
                condition=Q(price__gt=0, price_usd_per_kg__gt=0),
                name="quote_proposal_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("proposed_by")),
                name="quote_proposal_takes_two_people",
            ),
            models.CheckConstraint(
                condition=Q(
                    status="PROPOSED", decided_by=None, decided_at=None, quote=None, reason=""
                )
                | Q(
                    status="CONFIRMED",
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                    quote__isnull=False,
                    reason="",
                )
                | Q(
                    ~Q(reason=""),
                    status="REFUSED",
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                    quote=None,
                ),
                name="quote_proposal_status_fits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.material} {self.quoted_on} {self.price} {self.unit}"
