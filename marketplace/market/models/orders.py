from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Licence, Organisation, User
from marketplace.core.models import RowQuerySet, Staged
from marketplace.lots.models import HealthClaim, Lot

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class StandingOrderQuerySet(RowQuerySet["StandingOrder"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Everybody sees what is bought now; only the buyer sees what is paused or over."""
        if actor.sees_everything:
            return self
        mine = Q(buyer_id=actor.organisation_id, buyer__isnull=False)
        return self.filter(Q(status=StandingOrder.Status.ACTIVE) | mine)

    def with_terms(self) -> Self:
        """Come with the terms that hold now, as ``now_terms``."""
        current = OrderTerms.objects.filter(version=F("order__version"))
        return self.prefetch_related(models.Prefetch("terms", current, to_attr="current_terms"))

    def live(self, now: datetime, *, country: str | None = None) -> Self:
        """Those that buy at this moment, everywhere or in one country."""
        where = {} if country is None else {"terms__country": country}
        return self.filter(
            status=StandingOrder.Status.ACTIVE,
            terms__version=F("version"),
            terms__valid_until__gt=now,
            **where,
        )

    def overdue(self, now: datetime) -> Self:
        """Those whose time is over, and that do not say so yet."""
        return self.filter(
            status__in=StandingOrder.OPEN,
            terms__version=F("version"),
            terms__valid_until__lte=now,
        )


class StandingOrder(Staged):
    """A buyer's word: whoever brings a lot that fits is paid so much. The money for it is held from the day it is published.

    ``left_kg`` and ``budget_left`` are what the terms of this version still take. The ledger holds exactly
    ``budget_left`` for the order at any time.
    """

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", _("Buying")
        PAUSED = "PAUSED", _("Paused")
        FILLED = "FILLED", _("Filled")
        EXPIRED = "EXPIRED", _("Expired")
        CANCELLED = "CANCELLED", _("Cancelled")

    class Paused(models.TextChoices):
        BY_BUYER = "BY_BUYER", _("by you")
        LICENCE = "LICENCE", _("your licence no longer allows it")
        DEFAULT = "DEFAULT", _("a sale was not honoured")

    NEXT = {
        Status.ACTIVE: frozenset({Status.PAUSED, Status.FILLED, Status.EXPIRED, Status.CANCELLED}),
        Status.PAUSED: frozenset({Status.ACTIVE, Status.EXPIRED, Status.CANCELLED}),
        Status.FILLED: frozenset({Status.ACTIVE}),
        Status.EXPIRED: frozenset(),
        Status.CANCELLED: frozenset(),
    }
    OPEN = (Status.ACTIVE, Status.PAUSED)

    buyer = models.ForeignKey(Organisation, models.PROTECT, related_name="standing_orders")
    currency = models.CharField(max_length=3)
    version = models.PositiveSmallIntegerField(default=1)
    capacity_kg = models.DecimalField(max_digits=12, decimal_places=3)
    left_kg = models.DecimalField(max_digits=12, decimal_places=3)
    budget = models.DecimalField(max_digits=14, decimal_places=2)
    budget_left = models.DecimalField(max_digits=14, decimal_places=2)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    paused = models.CharField(max_length=10, choices=Paused, blank=True)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    current_terms: "list[OrderTerms]"

    objects = StandingOrderQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["ACTIVE", "PAUSED", "FILLED", "EXPIRED", "CANCELLED"]),
                name="order_status_known",
            ),
            models.CheckConstraint(
                condition=Q(status="PAUSED", paused__in=["BY_BUYER", "LICENCE", "DEFAULT"])
                | (~Q(status="PAUSED") & Q(paused="")),
                name="order_pause_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(left_kg__gte=0, left_kg__lte=F("capacity_kg"), capacity_kg__gt=0),
                name="order_kg_is_never_oversold",
            ),
            models.CheckConstraint(
                condition=Q(budget_left__gte=0, budget_left__lte=F("budget"), budget__gt=0),
                name="order_budget_is_never_oversold",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["ACTIVE", "PAUSED"], ended_at=None)
                | (~Q(status__in=["ACTIVE", "PAUSED"]) & Q(ended_at__isnull=False, budget_left=0)),
                name="order_ends_with_no_money_held",
            ),
        ]
        indexes = [
            models.Index(fields=["buyer", "-id"], name="order_by_buyer"),
            models.Index(fields=["id"], condition=Q(status="ACTIVE"), name="order_live"),
        ]

    def __str__(self) -> str:
        return f"Order #{self.pk}"

    @property
    def now_terms(self) -> "OrderTerms":
        """The terms that hold now. Free of a query after ``with_terms``."""
        if "current_terms" in self.__dict__:
            return self.current_terms[0]
        return self.terms.get(version=self.version)

    @property
    def bought_kg(self) -> Decimal:
        """What this version has bought so far."""
        return self.capacity_kg - self.left_kg


class OrderTermsQuerySet(RowQuerySet["OrderTerms"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Whoever sees the order sees its terms."""
        return self.filter(order__in=StandingOrder.objects.visible_to(actor))


class OrderTerms(models.Model):
    """One version of what an order takes, and what it pays. Never changed: a changed order has a further version."""

    class Pickup(models.TextChoices):
        BUYER = "BUYER", _("The buyer fetches it")
        SELLER = "SELLER", _("Delivered: the way is taken off")

    order = models.ForeignKey(StandingOrder, models.PROTECT, related_name="terms")
    version = models.PositiveSmallIntegerField()
    materials = ArrayField(models.CharField(max_length=20), help_text="reference.Chemistry codes")
    takes_intact = models.BooleanField(default=True)
    takes_damaged = models.BooleanField(default=False)
    health_from = models.DecimalField(max_digits=4, decimal_places=3, null=True)
    health_to = models.DecimalField(max_digits=4, decimal_places=3, null=True)
    health_basis = models.CharField(max_length=10, choices=HealthClaim.Basis, blank=True)
    country = models.CharField(max_length=2)
    site_place = models.CharField(max_length=120)
    site_latitude = models.DecimalField(max_digits=5, decimal_places=2)
    site_longitude = models.DecimalField(max_digits=5, decimal_places=2)
    within_km = models.PositiveIntegerField(null=True, help_text="None: the whole country.")
    kg_from = models.DecimalField(max_digits=10, decimal_places=3)
    kg_to = models.DecimalField(max_digits=10, decimal_places=3)
    price = models.JSONField(help_text="As pricing.rules.formulas.plain writes it.")
    pickup = models.CharField(max_length=6, choices=Pickup)
    valid_until = models.DateTimeField()
    terms_sha256 = models.CharField(max_length=64)
    published_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    published_at = models.DateTimeField()
    published_for = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    request_id = models.UUIDField()

    objects = OrderTermsQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(takes_intact=True) | Q(takes_damaged=True), name="order_takes_something"
            ),
            models.CheckConstraint(
                condition=Q(materials__len__gt=0), name="order_names_a_material"
            ),
            models.CheckConstraint(
                condition=Q(kg_from__gt=0, kg_from__lte=F("kg_to")), name="order_kg_in_order"
            ),
            models.CheckConstraint(
                condition=Q(health_from=None, health_to=None, health_basis="")
                | Q(
                    health_from__isnull=False,
                    health_to__isnull=False,
                    health_from__gte=0,
                    health_from__lte=F("health_to"),
                    health_basis__in=["CAPACITY", "ENERGY"],
                ),
                name="order_health_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(pickup__in=["BUYER", "SELLER"]), name="order_pickup_known"
            ),
            models.CheckConstraint(
                condition=Q(site_latitude__range=(-90, 90), site_longitude__range=(-180, 180)),
                name="order_site_is_on_earth",
            ),
            models.UniqueConstraint(fields=["order", "version"], name="order_version_counts_once"),
            models.UniqueConstraint(
                fields=["published_for", "request_id"], name="order_request_counts_once"
            ),
        ]
        indexes = [
            models.Index(fields=["valid_until"], name="order_terms_by_end"),
            models.Index(fields=["country", "order"], name="order_terms_by_country"),
        ]

    def __str__(self) -> str:
        return f"version {self.version} of order {self.order_id}"


class OrderFillQuerySet(RowQuerySet["OrderFill"]):
    def visible_to(self, actor: "Actor") -> Self:
        """The two who are bound by it, and staff."""
        if actor.sees_everything:
            return self
        if actor.organisation_id is None:
            return self.none()
        me = actor.organisation_id
        return self.filter(Q(order__buyer_id=me) | Q(lot__seller_id=me))


class OrderFill(models.Model):
    """A lot that a seller sold to an order at its price. Append-only; its award says what became of it.

    The whole price is held under "fill:ID", and the licence's kilograms are drawn under it, until the contract takes over.
    """

    order = models.ForeignKey(StandingOrder, models.PROTECT, related_name="fills")
    terms = models.ForeignKey(OrderTerms, models.PROTECT, related_name="fills")
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="fills")
    seller = models.ForeignKey(Organisation, models.PROTECT, related_name="fills")
    sold_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    licence = models.ForeignKey(Licence, models.PROTECT, related_name="+")
    mass_kg = models.DecimalField(max_digits=10, decimal_places=3)
    price = models.DecimalField(max_digits=14, decimal_places=2, help_text="At the seller's gate.")
    figures = models.JSONField(help_text="How the price was worked out.")
    matched_at = models.DateTimeField()
    request_id = models.UUIDField()

    objects = OrderFillQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(price__gt=0, mass_kg__gt=0), name="fill_is_something"
            ),
            models.UniqueConstraint(
                fields=["seller", "request_id"], name="fill_request_counts_once"
            ),
        ]
        indexes = [models.Index(fields=["order", "-id"], name="fill_by_order")]

    def __str__(self) -> str:
        return f"lot {self.lot_id} to order {self.order_id}"
