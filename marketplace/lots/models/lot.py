from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Organisation, User
from marketplace.core.models import RowQuerySet, Staged
from marketplace.reference.models import Chemistry

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class LotQuerySet(RowQuerySet["Lot"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Everyone, signed in or not, sees what is or was for sale; before that, only the seller (and staff)."""
        if actor.sees_everything:
            return self
        return self.filter(
            Q(status__in=Lot.PUBLIC) | Q(seller_id=actor.organisation_id, seller__isnull=False)
        )


class Lot(Staged):
    """A quantity of spent batteries, sold as a whole: the one record that goes from photo to certificate.

    States as in the product's lot machine. Rooms above move it by calling this room's services.
    """

    class Status(models.TextChoices):
        DRAFT = "DRAFT", _("Draft")
        QUARANTINED = "QUARANTINED", _("Do not move")
        IN_SAFETY_FLOW = "IN_SAFETY_FLOW", _("Safety pick-up")
        DISPOSED = "DISPOSED", _("Made safe")
        SUBMITTED = "SUBMITTED", _("Being valued")
        NEEDS_INFO = "NEEDS_INFO", _("We need something from you")
        EXPIRED = "EXPIRED", _("Expired")
        PRICED = "PRICED", _("Valued")
        SCHEDULED = "SCHEDULED", _("Auction planned")
        OPEN = "OPEN", _("Open for bids")
        EVALUATING = "EVALUATING", _("Result being checked")
        SELLER_DECISION = "SELLER_DECISION", _("Seller decides")
        UNSOLD = "UNSOLD", _("Not sold")
        WITHDRAWN = "WITHDRAWN", _("Withdrawn")
        AWARDED = "AWARDED", _("Awarded")
        UNDER_DEAL = "UNDER_DEAL", _("Under deal")
        COLLECTED = "COLLECTED", _("Picked up")
        DELIVERED = "DELIVERED", _("Delivered")
        ACCEPTED = "ACCEPTED", _("Accepted")
        PART_ACCEPTED = "PART_ACCEPTED", _("Partly accepted")
        REJECTED = "REJECTED", _("Rejected")
        RETURNED = "RETURNED", _("Returned")
        PROCESSED = "PROCESSED", _("Processed")
        CERTIFIED = "CERTIFIED", _("Certified")
        ARCHIVED = "ARCHIVED", _("Archived")

    NEXT = {
        Status.DRAFT: frozenset({Status.SUBMITTED, Status.QUARANTINED, Status.WITHDRAWN}),
        Status.QUARANTINED: frozenset({Status.IN_SAFETY_FLOW}),
        Status.IN_SAFETY_FLOW: frozenset({Status.DISPOSED}),
        Status.DISPOSED: frozenset(),
        Status.SUBMITTED: frozenset(
            {Status.PRICED, Status.NEEDS_INFO, Status.QUARANTINED, Status.WITHDRAWN}
        ),
        Status.NEEDS_INFO: frozenset(
            {Status.SUBMITTED, Status.EXPIRED, Status.QUARANTINED, Status.WITHDRAWN}
        ),
        Status.EXPIRED: frozenset(),
        Status.PRICED: frozenset(
            {
                Status.SCHEDULED,
                Status.OPEN,
                Status.AWARDED,
                Status.QUARANTINED,
                Status.WITHDRAWN,
            }
        ),
        Status.SCHEDULED: frozenset({Status.OPEN, Status.WITHDRAWN}),
        Status.OPEN: frozenset({Status.EVALUATING, Status.WITHDRAWN}),
        Status.EVALUATING: frozenset({Status.AWARDED, Status.UNSOLD, Status.SELLER_DECISION}),
        Status.SELLER_DECISION: frozenset({Status.AWARDED, Status.UNSOLD}),
        Status.UNSOLD: frozenset(
            {
                Status.SCHEDULED,
                Status.OPEN,
                Status.AWARDED,
                Status.QUARANTINED,
                Status.WITHDRAWN,
            }
        ),
        Status.WITHDRAWN: frozenset(),
        Status.AWARDED: frozenset({Status.UNDER_DEAL, Status.UNSOLD}),
        Status.UNDER_DEAL: frozenset({Status.COLLECTED, Status.AWARDED, Status.UNSOLD}),
        Status.COLLECTED: frozenset({Status.DELIVERED}),
        Status.DELIVERED: frozenset({Status.ACCEPTED, Status.PART_ACCEPTED, Status.REJECTED}),
        Status.ACCEPTED: frozenset({Status.PROCESSED}),
        Status.PART_ACCEPTED: frozenset({Status.PROCESSED}),
        Status.REJECTED: frozenset({Status.RETURNED}),
        Status.RETURNED: frozenset(),
        Status.PROCESSED: frozenset({Status.CERTIFIED}),
        Status.CERTIFIED: frozenset({Status.ARCHIVED}),
        Status.ARCHIVED: frozenset(),
    }
    PUBLIC = (
        Status.SCHEDULED,
        Status.OPEN,
        Status.EVALUATING,
        Status.SELLER_DECISION,
        Status.UNSOLD,
        Status.AWARDED,
        Status.UNDER_DEAL,
        Status.COLLECTED,
        Status.DELIVERED,
        Status.ACCEPTED,
        Status.PART_ACCEPTED,
        Status.PROCESSED,
        Status.CERTIFIED,
        Status.ARCHIVED,
    )

    class Origin(models.TextChoices):
        SCOOTER = "SCOOTER", _("Scooter")
        RICKSHAW = "RICKSHAW", _("Rickshaw")
        CAR = "CAR", _("Electric or hybrid car")
        STARTER = "STARTER", _("Car starter battery")
        BUS = "BUS", _("Bus or truck")
        HOME = "HOME", _("Home, solar or inverter")
        TELECOM = "TELECOM", _("Telecom or UPS")
        DEVICE = "DEVICE", _("Phone, laptop or power bank")
        TOOL = "TOOL", _("Power tool")
        MIXED = "MIXED", _("Mixed")

    class Triage(models.TextChoices):
        GREEN = "GREEN", _("Safe to move")
        AMBER = "AMBER", _("Move with care")
        RED = "RED", _("Do not move")

    seller = models.ForeignKey(Organisation, models.PROTECT, related_name="lots")
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    request_id = models.UUIDField(help_text="From the phone, before there was a signal.")
    status = models.CharField(max_length=16, choices=Status, default=Status.DRAFT)

    origin = models.CharField(_("came from"), max_length=10, choices=Origin, blank=True)
    chemistry = models.ForeignKey(Chemistry, models.PROTECT, null=True, related_name="lots")
    chemistry_answered = models.BooleanField(
        default=False, help_text='"I do not know" is an answer.'
    )
    mass_kg = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    mass_is_estimated = models.BooleanField(default=True)
    energy_kwh = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    units = models.PositiveIntegerField(null=True)
    state_of_health = models.DecimalField(
        max_digits=4, decimal_places=3, null=True, help_text="Share of rated capacity."
    )

    country = models.CharField(max_length=2, blank=True)
    geoname_id = models.PositiveIntegerField(null=True)
    place = models.CharField(max_length=120, blank=True)
    latitude = models.DecimalField(
        max_digits=5, decimal_places=2, null=True, help_text="Rounded: about 1 km."
    )
    longitude = models.DecimalField(max_digits=5, decimal_places=2, null=True)

    triage = models.CharField(max_length=5, choices=Triage, blank=True)
    triage_answers = models.JSONField(default=dict)
    declared_at = models.DateTimeField(null=True)
    declared_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True)
    question = models.TextField(
        blank=True, help_text="What the seller is asked when the status is NEEDS_INFO."
    )

    evidence_version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)

    objects = LotQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "DRAFT",
                        "QUARANTINED",
                        "IN_SAFETY_FLOW",
                        "DISPOSED",
                        "SUBMITTED",
                        "NEEDS_INFO",
                        "EXPIRED",
                        "PRICED",
                        "SCHEDULED",
                        "OPEN",
                        "EVALUATING",
                        "SELLER_DECISION",
                        "UNSOLD",
                        "WITHDRAWN",
                        "AWARDED",
                        "UNDER_DEAL",
                        "COLLECTED",
                        "DELIVERED",
                        "ACCEPTED",
                        "PART_ACCEPTED",
                        "REJECTED",
                        "RETURNED",
                        "PROCESSED",
                        "CERTIFIED",
                        "ARCHIVED",
                    ]
                ),
                name="lot_status_known",
            ),
            models.CheckConstraint(
                condition=Q(origin="")
                | Q(
                    origin__in=[
                        "SCOOTER",
                        "RICKSHAW",
                        "CAR",
                        "STARTER",
                        "BUS",
                        "HOME",
                        "TELECOM",
                        "DEVICE",
                        "TOOL",
                        "MIXED",
                    ]
                ),
                name="lot_origin_known",
            ),
            models.CheckConstraint(
                condition=Q(triage="") | Q(triage__in=["GREEN", "AMBER", "RED"]),
                name="lot_triage_known",
            ),
            models.CheckConstraint(
                condition=Q(mass_kg=None) | Q(mass_kg__gt=0, mass_kg__lte=100_000),
                name="lot_mass_is_plausible",
            ),
            models.CheckConstraint(
                condition=Q(energy_kwh=None) | Q(energy_kwh__gt=0, energy_kwh__lte=100_000),
                name="lot_energy_is_plausible",
            ),
            models.CheckConstraint(
                condition=Q(units=None) | Q(units__gt=0, units__lte=1_000_000),
                name="lot_units_are_plausible",
            ),
            models.CheckConstraint(
                condition=Q(state_of_health=None)
                | Q(state_of_health__gte=0, state_of_health__lte=1.2),
                name="lot_health_is_plausible",
            ),
            models.CheckConstraint(
                condition=Q(latitude=None, longitude=None)
                | Q(
                    latitude__isnull=False,
                    longitude__isnull=False,
                    latitude__range=(-90, 90),
                    longitude__range=(-180, 180),
                ),
                name="lot_is_on_earth",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["DRAFT", "WITHDRAWN"])
                | Q(
                    mass_kg__isnull=False,
                    submitted_at__isnull=False,
                    declared_at__isnull=False,
                    declared_by__isnull=False,
                    triage__in=["GREEN", "AMBER", "RED"],
                )
                | Q(status__in=["QUARANTINED", "IN_SAFETY_FLOW", "DISPOSED"], triage="RED"),
                name="lot_is_whole_once_submitted",
            ),
            models.CheckConstraint(
                condition=~Q(triage="RED")
                | Q(status__in=["DRAFT", "QUARANTINED", "IN_SAFETY_FLOW", "DISPOSED", "WITHDRAWN"]),
                name="lot_red_is_not_for_sale",
            ),
            models.UniqueConstraint(
                fields=["seller", "request_id"], name="lot_request_counts_once"
            ),
        ]
        indexes = [
            models.Index(fields=["seller", "-id"], name="lot_by_seller"),
            models.Index(fields=["status", "-id"], name="lot_by_status"),
            models.Index(
                fields=["chemistry", "-id"],
                condition=Q(status="OPEN"),
                name="lot_open_by_chemistry",
            ),
        ]

    def __str__(self) -> str:
        return f"Lot #{self.pk}"


class LotPhoto(models.Model):
    """A picture of a lot: decoded, shrunk, written anew without EXIF or position."""

    class Shows(models.TextChoices):
        WHOLE = "WHOLE", _("All of it")
        LABEL = "LABEL", _("Label")
        TERMINALS = "TERMINALS", _("Terminals")

    lot = models.ForeignKey(Lot, models.CASCADE, related_name="photos")
    shows = models.CharField(max_length=10, choices=Shows, default=Shows.WHOLE)
    file = models.FileField(upload_to="lots/")
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64, help_text="Of the stored file.")
    original_sha256 = models.CharField(
        max_length=64, help_text="Of what was uploaded: the same photo counts once."
    )
    added_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(shows__in=["WHOLE", "LABEL", "TERMINALS"]), name="photo_shows_known"
            ),
            models.CheckConstraint(condition=Q(width__gt=0, height__gt=0), name="photo_has_a_size"),
            models.UniqueConstraint(fields=["lot", "original_sha256"], name="photo_added_once"),
        ]

    def __str__(self) -> str:
        return f"photo {self.pk} of {self.lot_id}"
