from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Licence, Organisation, User
from marketplace.core.models import RowQuerySet, Staged
from marketplace.lots.models import Lot
from marketplace.market.models import Award

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class DealQuerySet(RowQuerySet["Deal"]):
    def visible_to(self, actor: "Actor") -> Self:
        """The two parties, and whoever carries; verifiers see what is disputed or wants an umpire; nobody else."""
        if actor.sees_everything:
            return self
        mine = Q(seller_id=actor.organisation_id) | Q(buyer_id=actor.organisation_id)
        mine |= Q(carrier_id=actor.organisation_id, carrier__isnull=False)
        if "VERIFIER" in actor.roles:
            mine |= Q(disputes__isnull=False) | Q(reckoning__umpire_asked_at__isnull=False)
        return self.filter(mine).distinct() if actor.organisation_id else self.none()

    def with_contract(self, actor: "Actor") -> Self:
        """Whose contract and money it is: the two sides, and whoever decides. A carrier sees its load, not the price."""
        if actor.sees_everything or "VERIFIER" in actor.roles:
            return self
        sides = Q(seller_id=actor.organisation_id) | Q(buyer_id=actor.organisation_id)
        return self.filter(sides)

    def overdue(self, now: datetime) -> Self:
        """Deals in which somebody let the time pass, and no dispute stops the clock."""
        status = Deal.Status
        late = Q(status=status.CONTRACT_PENDING, sign_by__lte=now)
        late |= Q(status=status.FUNDS_PENDING, pay_by__lte=now)
        late |= Q(
            status__in=[
                status.INSPECTION,
                status.ADJUSTED,
                status.REJECTED,
                status.ACCEPTED,
                status.PART_ACCEPTED,
            ],
            decide_by__lte=now,
        )
        disputed = Dispute.objects.filter(deal=models.OuterRef("pk"), ended_at=None)
        return self.filter(late).exclude(models.Exists(disputed))


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

    class ReasonCode(models.TextChoices):
        WEIGHT = "WEIGHT", _("Another weight")
        WRONG_CHEMISTRY = "WRONG_CHEMISTRY", _("Another kind of battery")
        DAMAGED = "DAMAGED", _("Damaged")
        NOT_BATTERIES = "NOT_BATTERIES", _("Not batteries")
        WET_OR_DIRTY = "WET_OR_DIRTY", _("Wet or dirty")
        LOCKED = "LOCKED", _("Locked by its electronics")
        UNSAFE = "UNSAFE", _("Unsafe to handle")

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
        max_digits=14,
        decimal_places=2,
        help_text="For the whole lot as declared; provisional, if bid by terms.",
    )
    price_cap = models.DecimalField(
        max_digits=14,
        decimal_places=2,
        null=True,
        help_text="Of a bid by terms: the most that may become due, and what is held. Null: the price.",
    )
    declared_kg = models.DecimalField(max_digits=10, decimal_places=3)
    tolerance_share = models.DecimalField(max_digits=4, decimal_places=3)
    terms = models.JSONField(help_text="The contract as both sides sign it.")
    terms_sha256 = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status, default=Status.CONTRACT_PENDING)
    sign_by = models.DateTimeField()
    pay_by = models.DateTimeField()
    decide_by = models.DateTimeField(
        null=True,
        help_text="Until when the one whose turn it is may decide; then the contract decides.",
    )
    seller_signed_at = models.DateTimeField(null=True)
    seller_signed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    buyer_signed_at = models.DateTimeField(null=True)
    buyer_signed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    accepted_kg = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    final_price = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    proposed_kg = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    proposed_price = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    paid_out = models.DecimalField(
        max_digits=14,
        decimal_places=2,
        default=0,
        help_text="Of the price, to the seller, fee included.",
    )
    cancel_asked_by = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    reason_code = models.CharField(max_length=20, choices=ReasonCode, blank=True)
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
                condition=Q(price_cap=None) | Q(price_cap__gte=F("price")),
                name="deal_cap_is_not_below_the_price",
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
                condition=Q(proposed_kg=None, proposed_price=None)
                | Q(
                    proposed_kg__isnull=False,
                    proposed_kg__gt=0,
                    proposed_price__isnull=False,
                    proposed_price__gte=0,
                    proposed_price__lte=F("price"),
                ),
                name="deal_proposal_is_whole",
            ),
            models.CheckConstraint(
                condition=~Q(status="ADJUSTED") | Q(proposed_kg__isnull=False),
                name="deal_adjusted_has_a_proposal",
            ),
            models.CheckConstraint(
                condition=Q(paid_out__gte=0, paid_out__lte=Coalesce("price_cap", "price")),
                name="deal_pays_out_what_is_held",
            ),
            models.CheckConstraint(
                condition=Q(final_price=None)
                | Q(
                    final_price__gte=F("paid_out"),
                    final_price__lte=Coalesce("price_cap", "price"),
                ),
                name="deal_final_price_is_within_the_price",
            ),
            models.CheckConstraint(
                condition=Q(reason_code="")
                | Q(
                    reason_code__in=[
                        "WEIGHT",
                        "WRONG_CHEMISTRY",
                        "DAMAGED",
                        "NOT_BATTERIES",
                        "WET_OR_DIRTY",
                        "LOCKED",
                        "UNSAFE",
                    ]
                ),
                name="deal_reason_known",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["PART_ACCEPTED", "REJECTED", "RETURNED"])
                | ~Q(reason_code=""),
                name="deal_refusal_has_a_reason",
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
            models.Index(
                fields=["sign_by"], condition=Q(status="CONTRACT_PENDING"), name="deal_due_to_sign"
            ),
            models.Index(
                fields=["pay_by"], condition=Q(status="FUNDS_PENDING"), name="deal_due_to_pay"
            ),
            models.Index(
                fields=["decide_by"],
                condition=Q(
                    status__in=[
                        "INSPECTION",
                        "ADJUSTED",
                        "REJECTED",
                        "ACCEPTED",
                        "PART_ACCEPTED",
                    ]
                ),
                name="deal_due_to_decide",
            ),
        ]

    def __str__(self) -> str:
        return f"Deal #{self.pk}"

    @property
    def to_hold(self) -> Decimal:
        """What the buyer pays in: the most that may become due."""
        return self.price if self.price_cap is None else self.price_cap

    @property
    def is_by_terms(self) -> bool:
        """Whether the final price is worked out from the terms of the bid, once the goods are accepted."""
        return self.price_cap is not None


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
    undisputed_price = models.DecimalField(
        max_digits=14, decimal_places=2, help_text="Paid at once; only the rest stays frozen."
    )
    proposed_kg = models.DecimalField(max_digits=10, decimal_places=3, null=True)
    proposed_price = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    agreed_by_seller = models.BooleanField(default=False)
    agreed_by_buyer = models.BooleanField(default=False)
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
            models.CheckConstraint(
                condition=~Q(status="DECIDED") | (~Q(decision="") & Q(decided_by__isnull=False)),
                name="dispute_decision_has_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["PROPOSED", "AGREED"])
                | Q(proposed_kg__isnull=False, proposed_price__isnull=False),
                name="dispute_proposal_is_whole",
            ),
            models.UniqueConstraint(
                fields=["deal"],
                condition=Q(status__in=["OPEN", "PROPOSED", "ESCALATED"]),
                name="one_open_dispute_per_deal",
            ),
        ]

    def __str__(self) -> str:
        return f"dispute {self.pk} of {self.deal_id}"
