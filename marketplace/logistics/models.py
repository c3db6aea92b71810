from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Organisation, User
from marketplace.compliance.models import Classification
from marketplace.core.models import RowQuerySet, Staged
from marketplace.deals.models import Deal
from marketplace.freight.models import FreightQuote

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class ShipmentQuerySet(RowQuerySet["Shipment"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Whoever sees the deal sees where the goods are."""
        return self.filter(deal__in=Deal.objects.visible_to(actor))


class Shipment(Staged):
    """One trip of one deal's goods, from the seller's gate to the buyer's scale."""

    class Status(models.TextChoices):
        PLANNED = "PLANNED", _("Planned")
        BOOKED = "BOOKED", _("Booked")
        IN_TRANSIT = "IN_TRANSIT", _("On the way")
        ARRIVED = "ARRIVED", _("Arrived")
        CLOSED = "CLOSED", _("Closed")
        CANCELLED = "CANCELLED", _("Cancelled")

    NEXT = {
        Status.PLANNED: frozenset({Status.BOOKED, Status.CANCELLED}),
        Status.BOOKED: frozenset({Status.IN_TRANSIT, Status.PLANNED, Status.CANCELLED}),
        Status.IN_TRANSIT: frozenset({Status.ARRIVED}),
        Status.ARRIVED: frozenset({Status.CLOSED}),
        Status.CLOSED: frozenset(),
        Status.CANCELLED: frozenset(),
    }

    deal = models.OneToOneField(Deal, models.PROTECT, related_name="shipment")
    classification = models.ForeignKey(Classification, models.PROTECT, related_name="+")
    carrier = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="shipments")
    quote = models.OneToOneField(FreightQuote, models.PROTECT, null=True, related_name="shipment")
    status = models.CharField(max_length=12, choices=Status, default=Status.PLANNED)
    planned_at = models.DateTimeField()
    booked_at = models.DateTimeField(null=True)

    objects = ShipmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=["PLANNED", "BOOKED", "IN_TRANSIT", "ARRIVED", "CLOSED", "CANCELLED"]
                ),
                name="shipment_status_known",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["PLANNED", "CANCELLED"])
                | Q(carrier__isnull=False, quote__isnull=False, booked_at__isnull=False),
                name="shipment_booked_has_a_carrier",
            ),
        ]

    def __str__(self) -> str:
        return f"Shipment #{self.pk}"


class HandoverCode(models.Model):
    """A one-time code that the giver shows and the taker types or scans. Only its hash is kept."""

    shipment = models.ForeignKey(Shipment, models.CASCADE, related_name="codes")
    sequence = models.PositiveSmallIntegerField()
    code_sha256 = models.CharField(max_length=64)
    shown_to = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["shipment", "sequence"],
                condition=Q(used_at=None),
                name="one_live_handover_code",
            ),
            models.CheckConstraint(
                condition=Q(tries__lte=10), name="handover_code_tries_are_bounded"
            ),
        ]

    def __str__(self) -> str:
        return f"code {self.sequence} of {self.shipment_id}"


class HandoverQuerySet(RowQuerySet["Handover"]):
    def visible_to(self, actor: "Actor") -> Self:
        return self.filter(shipment__in=Shipment.objects.visible_to(actor))


class Handover(models.Model):
    """The goods changed hands. A chain: each link holds the hash of the one before. Append-only."""

    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="handovers")
    sequence = models.PositiveSmallIntegerField()
    from_organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    to_organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    mass_kg = models.DecimalField(max_digits=10, decimal_places=3)
    confirmed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    handed_at = models.DateTimeField()
    previous_sha256 = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField(max_length=64)
    request_id = models.UUIDField()

    objects = HandoverQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["shipment", "sequence"], name="handover_link_is_the_only_one"
            ),
            models.UniqueConstraint(
                fields=["to_organisation", "request_id"], name="handover_request_counts_once"
            ),
            models.CheckConstraint(
                condition=Q(mass_kg__gt=0, sequence__gte=1), name="handover_moves_something"
            ),
        ]

    def __str__(self) -> str:
        return f"handover {self.sequence} of {self.shipment_id}"


class TransportDocumentQuerySet(RowQuerySet["TransportDocument"]):
    def visible_to(self, actor: "Actor") -> Self:
        return self.filter(shipment__in=Shipment.objects.visible_to(actor))


class TransportDocument(models.Model):
    """A paper that travels with the goods, as PDF. The same content is rendered once."""

    class Kind(models.TextChoices):
        CONSIGNMENT_NOTE = "CONSIGNMENT_NOTE", _("Consignment note")
        PACKING_CHECKLIST = "PACKING_CHECKLIST", _("Packing checklist")
        DRIVER_CARD = "DRIVER_CARD", _("Driver's safety card")

    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="documents")
    kind = models.CharField(max_length=20, choices=Kind)
    language = models.CharField(max_length=10)
    content_sha256 = models.CharField(max_length=64)
    file = models.FileField(upload_to="transport/")
    rendered_at = models.DateTimeField()

    objects = TransportDocumentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["CONSIGNMENT_NOTE", "PACKING_CHECKLIST", "DRIVER_CARD"]),
                name="transport_document_kind_known",
            ),
            models.UniqueConstraint(
                fields=["shipment", "kind", "language", "content_sha256"],
                name="transport_document_rendered_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.shipment_id}"
