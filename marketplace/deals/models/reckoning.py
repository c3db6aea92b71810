"""Deals by terms: what the laboratories found, and how far the final price is."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Organisation, User
from marketplace.core.models import RowQuerySet, Staged, known
from marketplace.reference.models import Material

from .deals import Deal

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class Party(models.TextChoices):
    SELLER = "SELLER", _("Seller")
    BUYER = "BUYER", _("Buyer")
    UMPIRE = "UMPIRE", _("Umpire")


class ReckoningQuerySet(RowQuerySet["Reckoning"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Whoever sees the contract sees how its price comes about."""
        return self.filter(deal__in=Deal.objects.visible_to(actor).with_contract(actor))


class Reckoning(Staged):
    """How the final price of an accepted deal by terms is worked out. The deal's ``decide_by`` says until when this step."""

    class Status(models.TextChoices):
        ASSAYS = "ASSAYS", _("Waiting for the assays")
        DIFFER = "DIFFER", _("The assays differ")
        UMPIRE = "UMPIRE", _("With an umpire")
        QUOTES = "QUOTES", _("Waiting for the quotes")
        DONE = "DONE", _("Worked out")

    NEXT = {
        Status.ASSAYS: frozenset({Status.DIFFER, Status.QUOTES}),
        Status.DIFFER: frozenset({Status.UMPIRE, Status.QUOTES}),
        Status.UMPIRE: frozenset({Status.QUOTES}),
        Status.QUOTES: frozenset({Status.DONE}),
        Status.DONE: frozenset(),
    }

    deal = models.OneToOneField(Deal, models.PROTECT, related_name="reckoning")
    status = models.CharField(max_length=10, choices=Status, default=Status.ASSAYS)
    weighed_on = models.DateField(help_text="The day whose quotes, or whose month's, count.")
    agreed_to = models.CharField(
        max_length=10,
        choices=Party,
        blank=True,
        help_text="Whose assay counts alone, because the other side agreed to it.",
    )
    agreed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    agreed_at = models.DateTimeField(null=True)
    umpire_asked_by = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    umpire_asked_at = models.DateTimeField(null=True)
    is_split_by_time = models.BooleanField(
        default=False, help_text="Nobody agreed or no umpire spoke in time: the middle counts."
    )
    statement = models.JSONField(null=True, help_text="What the price was worked out from.")
    opened_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    objects = ReckoningQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["ASSAYS", "DIFFER", "UMPIRE", "QUOTES", "DONE"]),
                name="reckoning_status_known",
            ),
            models.CheckConstraint(
                condition=Q(status="DONE", statement__isnull=False, done_at__isnull=False)
                | Q(~Q(status="DONE"), statement__isnull=True, done_at=None),
                name="reckoning_has_a_statement_once_done",
            ),
            models.CheckConstraint(
                condition=Q(agreed_to="", agreed_by=None, agreed_at=None)
                | Q(
                    agreed_to__in=["SELLER", "BUYER"],
                    agreed_by__isnull=False,
                    agreed_at__isnull=False,
                ),
                name="reckoning_agreement_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(umpire_asked_by=None, umpire_asked_at=None)
                | Q(umpire_asked_by__isnull=False, umpire_asked_at__isnull=False, agreed_to=""),
                name="reckoning_agrees_or_asks_an_umpire",
            ),
            models.CheckConstraint(
                condition=~Q(status="UMPIRE") | Q(umpire_asked_at__isnull=False),
                name="reckoning_with_an_umpire_was_asked_for",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["ASSAYS", "DIFFER"])
                | Q(agreed_to="", umpire_asked_at=None, is_split_by_time=False),
                name="reckoning_decides_nothing_while_it_waits",
            ),
        ]

    def __str__(self) -> str:
        return f"reckoning of deal {self.deal_id}"


class AssayQuerySet(RowQuerySet["Assay"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Each side sees the other's once its own is in, or can no longer come: nobody writes to fit.

        A verifier, who may have to find an umpire, sees them once an umpire was asked for; a carrier never.
        """
        if actor.sees_everything:
            return self
        shown = self.filter(deal__in=Deal.objects.visible_to(actor).with_contract(actor))
        own = Assay.objects.filter(deal=OuterRef("deal"), sent_for_id=actor.organisation_id)
        closed = Reckoning.objects.filter(deal=OuterRef("deal")).exclude(status="ASSAYS")
        return shown.filter(Exists(own) | Exists(closed))


class Assay(models.Model):
    """What one laboratory found in the sealed sample of a deal's goods. Append-only, one for each party."""

    deal = models.ForeignKey(Deal, models.PROTECT, related_name="assays")
    party = models.CharField(max_length=10, choices=Party)
    laboratory = models.CharField(max_length=120)
    sample = models.CharField(max_length=60, help_text="Number of the seal, or of the sample.")
    assayed_on = models.DateField()
    certificate = models.FileField(upload_to="assays/")
    certificate_sha256 = models.CharField(max_length=64, help_text="Of the file as it was sent.")
    sent_for = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    sent_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    sent_at = models.DateTimeField()
    request_id = models.UUIDField()

    objects = AssayQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=known("party", Party), name="assay_party_known"),
            models.CheckConstraint(
                condition=~Q(laboratory="") & ~Q(sample=""),
                name="assay_names_laboratory_and_sample",
            ),
            models.CheckConstraint(
                condition=Q(~Q(certificate=""), certificate_sha256__regex="^[0-9a-f]{64}$"),
                name="assay_certificate_has_a_fingerprint",
            ),
            models.UniqueConstraint(fields=["deal", "party"], name="assayed_once_a_party"),
            models.UniqueConstraint(
                fields=["sent_for", "request_id"], name="assay_request_counts_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.party} assay of {self.deal_id}"


class AssayResult(models.Model):
    """How much of one material an assay found: a share of the dry mass. Append-only."""

    assay = models.ForeignKey(Assay, models.PROTECT, related_name="results")
    material = models.CharField(max_length=8, choices=Material)
    share = models.DecimalField(max_digits=7, decimal_places=6)

    class Meta:
        ordering = ["material"]
        constraints = [
            models.CheckConstraint(
                condition=known("material", Material), name="assay_result_material_known"
            ),
            models.CheckConstraint(
                condition=Q(share__gte=0, share__lte=1), name="assay_result_is_a_share"
            ),
            models.UniqueConstraint(fields=["assay", "material"], name="assay_finds_each_once"),
        ]

    def __str__(self) -> str:
        return f"{self.share} {self.material}"
