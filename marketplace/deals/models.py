from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Licence, Organisation, User
from marketplace.core.models import RowQuerySet, Staged
from marketplace.lots.models import Lot
from marketplace.market.models import Award

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class DealQuerySet(RowQuerySet["Deal"]):
    def visible_to(self, actor: "Actor") -> Self:
        """The two parties, and whoever carries; verifiers see disputed deals; nobody else."""
        if actor.sees_everything:
            return self
        mine = Q(seller_id=actor.organisation_id) | Q(buyer_id=actor.organisation_id)
        mine |= Q(carrier_id=actor.organisation_id, carrier__isnull=False)
        if "VERIFIER" in actor.roles:
            mine |= Q(disputes__isnull=False)
        return self.filter(mine).distinct() if actor.organisation_id else self.none()


class Deal(Staged):
    """A sale that both parties are bound by: contract, money held, weighings, acceptance, settlement."""

    class Status(models.TextChoices):
        CONTRACT_PENDING = "CONTRACT_PENDING", _("To be signed")
        FUNDS_PENDING = "FUNDS_PENDING", _("To be paid in")
        FUNDED = "FUNDED", _("Money held safely")
        CARRIER_BOOKED = "CARRIER_BOOKED", _("Carrier booked")
        PICKED_UP = "PICKED_UP", _("On the way")
        INSPECTION = "INSPECTION", _("Arrived, being checked")
        ADJUSTED = "ADJUSTED", _("Adjustment proposed")
        ACCEPTED = "ACCEPTED", _("Accepted")
        PART_ACCEPTED = "PART_ACCEPTED", _("Partly accepted")
        REJECTED = "REJECTED", _("Rejected")
        SETTLED = "SETTLED", _("Paid")
        PROCESSED = "PROCESSED", _("Processed")
        CERTIFIED = "CERTIFIED", _("Certified")
        RETURNED = "RETURNED", _("Returned")
        BUYER_DEFAULT = "BUYER_DEFAULT", _("Buyer did not pay")
        SELLER_DEFAULT = "SELLER_DEFAULT", _("Seller did not deliver")
        CANCELLED = "CANCELLED", _("Cancelled by both")

    NEXT = {
        Status.CONTRACT_PENDING: frozenset(
            {Status.FUNDS_PENDING, Status.BUYER_DEFAULT, Status.SELLER_DEFAULT, Status.CANCELLED}
        ),
        Status.FUNDS_PENDING: frozenset({Status.FUNDED, Status.BUYER_DEFAULT, Status.CANCELLED}),
        Status.FUNDED: frozenset({Status.CARRIER_BOOKED, Status.SELLER_DEFAULT, Status.CANCELLED}),
        Status.CARRIER_BOOKED: frozenset(
            {Status.PICKED_UP, Status.SELLER_DEFAULT, Status.CANCELLED}
        ),
        Status.PICKED_UP: frozenset({Status.INSPECTION}),
        Status.INSPECTION: frozenset(
            {Status.ACCEPTED, Status.ADJUSTED, Status.PART_ACCEPTED, Status.REJECTED}
        ),
        Status.ADJUSTED: frozenset({Status.ACCEPTED, Status.PART_ACCEPTED, Status.REJECTED}),
        Status.ACCEPTED: frozenset({Status.SETTLED}),
        Status.PART_ACCEPTED: frozenset({Status.SETTLED}),
        Status.REJECTED: frozenset({Status.RETURNED}),
        Status.SETTLED: frozenset({Status.PROCESSED}),
        Status.PROCESSED: frozenset({Status.CERTIFIED}),
        Status.CERTIFIED: frozenset(),
        Status.RETURNED: frozenset(),
        Status.BUYER_DEFAULT: frozenset(),
        Status.SELLER_DEFAULT: frozenset(),
        Status.CANCELLED: frozenset(),
    }

    award = models.OneToOneField(Award, models.PROTECT, related_name="deal")
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="deals")
    seller = models.ForeignKey(Organisation, models.PROTECT, related_name="sales")
    buyer = models.ForeignKey(Organisation, models.PROTECT, related_name="purchases")
    carrier = models.ForeignKey(
        Organisation, models.PROTECT, null=True, related_name="carried_deals"
    )
    licence = models.ForeignKey(
        Licence, models.PROTECT, related_name="deals", help_text="The buyer's, to receive."
    )
    currency = models.CharField(max_length=3)
    price = models.DecimalField(
        max_digits=14, decimal_places=2, help_text="For the whole lot as declared."
    )
    declared_kg = models.DecimalField(max_digits=10, decimal_places=3)
    tolerance_share = models.DecimalField(max_digits=4, decimal_places=3)
    terms = models.JSONField(help_text="The contract as both sides sign it.")
    terms_sha256 = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status, default=Status.CONTRACT_PENDING)
    sign_by = models.DateTimeField()
    pay_by = models.DateTimeField()
    seller_signed_at = models.DateTimeField(null=True)
    seller_signed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    buyer_signed_at = models.DateTimeField(null=True)
    buyer_signed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    accepted_kg = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    final_price = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    reason = models.TextField(blank=True)
    opened_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    objects = DealQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "CONTRACT_PENDING",
                        "FUNDS_PENDING",
                        "FUNDED",
                        "CARRIER_BOOKED",
                        "PICKED_UP",
                        "INSPECTION",
                        "ADJUSTED",
                        "ACCEPTED",
                        "PART_ACCEPTED",
                        "REJECTED",
                        "SETTLED",
                        "PROCESSED",
                        "CERTIFIED",
                        "RETURNED",
                        "BUYER_DEFAULT",
                        "SELLER_DEFAULT",
                        "CANCELLED",
                    ]
                ),
                name="deal_status_known",
            ),
            models.CheckConstraint(condition=~Q(seller=F("buyer")), name="deal_has_two_parties"),
            models.CheckConstraint(
                condition=Q(
                    price__gt=0, declared_kg__gt=0, tolerance_share__gte=0, tolerance_share__lt=1
                ),
                name="deal_numbers_make_sense",
            ),
            models.CheckConstraint(
                condition=Q(seller_signed_at=None, seller_signed_by=None)
                | Q(seller_signed_at__isnull=False, seller_signed_by__isnull=False),
                name="deal_seller_signature_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(buyer_signed_at=None, buyer_signed_by=None)
                | Q(buyer_signed_at__isnull=False, buyer_signed_by__isnull=False),
                name="deal_buyer_signature_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=["CONTRACT_PENDING", "BUYER_DEFAULT", "SELLER_DEFAULT", "CANCELLED"]
                )
                | Q(seller_signed_at__isnull=False, buyer_signed_at__isnull=False),
                name="deal_is_signed_before_money",
            ),
            models.CheckConstraint(
                condition=Q(accepted_kg=None) | Q(accepted_kg__gt=0),
                name="deal_accepts_something_or_nothing",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["SETTLED", "PROCESSED", "CERTIFIED"])
                | Q(accepted_kg__isnull=False, final_price__isnull=False, settled_at__isnull=False),
                name="deal_settled_is_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["seller", "-id"], name="deal_by_seller"),
            models.Index(fields=["buyer", "-id"], name="deal_by_buyer"),
        ]

    def __str__(self) -> str:
        return f"Deal #{self.pk}"


class WeighingQuerySet(RowQuerySet["Weighing"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Whoever sees the deal sees what the scales said."""
        return self.filter(deal__in=Deal.objects.visible_to(actor))


class Weighing(models.Model):
    """What one scale said at one end of the trip. Append-only. Net = gross - tare."""

    class Stage(models.TextChoices):
        PICKUP = "PICKUP", _("At pick-up")
        DELIVERY = "DELIVERY", _("At delivery")
        THIRD = "THIRD", _("Third scale")

    deal = models.ForeignKey(Deal, models.PROTECT, related_name="weighings")
    stage = models.CharField(max_length=10, choices=Stage)
    gross_kg = models.DecimalField(max_digits=10, decimal_places=3)
    tare_kg = models.DecimalField(max_digits=10, decimal_places=3)
    net_kg = models.DecimalField(max_digits=10, decimal_places=3)
    weighed_for = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    weighed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    weighed_at = models.DateTimeField()
    photo = models.FileField(upload_to="weighings/", blank=True)
    request_id = models.UUIDField()

    objects = WeighingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(stage__in=["PICKUP", "DELIVERY", "THIRD"]), name="weighing_stage_known"
            ),
            models.CheckConstraint(
                condition=Q(tare_kg__gte=0, net_kg__gt=0, gross_kg=F("tare_kg") + F("net_kg")),
                name="weighing_adds_up",
            ),
            models.UniqueConstraint(fields=["deal", "stage"], name="weighed_once_a_stage"),
            models.UniqueConstraint(
                fields=["weighed_for", "request_id"], name="weighing_request_counts_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.net_kg} kg {self.stage} of {self.deal_id}"


class DisputeQuerySet(RowQuerySet["Dispute"]):
    def visible_to(self, actor: "Actor") -> Self:
        return self.filter(deal__in=Deal.objects.visible_to(actor))


class Dispute(Staged):
    """The two parties do not agree. Only the disputed part of the money stays frozen."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("Open")
        PROPOSED = "PROPOSED", _("Proposal made")
        AGREED = "AGREED", _("Agreed")
        ESCALATED = "ESCALATED", _("With a verifier")
        DECIDED = "DECIDED", _("Decided")

    NEXT = {
        Status.OPEN: frozenset({Status.PROPOSED, Status.ESCALATED}),
        Status.PROPOSED: frozenset({Status.AGREED, Status.ESCALATED}),
        Status.AGREED: frozenset(),
        Status.ESCALATED: frozenset({Status.DECIDED}),
        Status.DECIDED: frozenset(),
    }

    class About(models.TextChoices):
        WEIGHT = "WEIGHT", _("Weight")
        CHEMISTRY = "CHEMISTRY", _("Kind of battery")
        DAMAGE = "DAMAGE", _("Damage")

    deal = models.ForeignKey(Deal, models.PROTECT, related_name="disputes")
    about = models.CharField(max_length=10, choices=About)
    opened_by = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    statement = models.TextField()
    proposed_kg = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    proposed_price = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    decision = models.TextField(blank=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    opened_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["OPEN", "PROPOSED", "AGREED", "ESCALATED", "DECIDED"]),
                name="dispute_status_known",
            ),
            models.CheckConstraint(
                condition=Q(about__in=["WEIGHT", "CHEMISTRY", "DAMAGE"]), name="dispute_about_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["OPEN", "PROPOSED", "ESCALATED"], ended_at=None)
                | Q(status__in=["AGREED", "DECIDED"], ended_at__isnull=False),
                name="dispute_is_dated_once_ended",
            ),
            models.UniqueConstraint(
                fields=["deal"],
                condition=Q(status__in=["OPEN", "PROPOSED", "ESCALATED"]),
                name="one_open_dispute_per_deal",
            ),
        ]

    def __str__(self) -> str:
        return f"dispute {self.pk} of {self.deal_id}"
