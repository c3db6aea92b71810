from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Licence, Organisation
from marketplace.core.models import RowQuerySet, Staged

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class RateCardQuerySet(RowQuerySet["RateCard"]):
    def visible_to(self, actor: "Actor") -> Self:
        """A carrier's prices are its own affair until it quotes."""
        if actor.sees_everything:
            return self
        return self.filter(carrier_id=actor.organisation_id, carrier__isnull=False)


class RateCard(models.Model):
    """What a carrier asks: base + per km + per kg, a surcharge for dangerous goods, where, and with what vehicle."""

    carrier = models.ForeignKey(Organisation, models.PROTECT, related_name="rate_cards")
    licence = models.ForeignKey(Licence, models.PROTECT, related_name="rate_cards")
    name = models.CharField(max_length=80)
    currency = models.CharField(max_length=3)
    base = models.DecimalField(max_digits=12, decimal_places=2)
    per_km = models.DecimalField(max_digits=10, decimal_places=4)
    per_kg = models.DecimalField(max_digits=10, decimal_places=4)
    dangerous_goods_share = models.DecimalField(max_digits=4, decimal_places=3, default=0)
    countries = ArrayField(models.CharField(max_length=2))
    centre_latitude = models.DecimalField(max_digits=5, decimal_places=2)
    centre_longitude = models.DecimalField(max_digits=5, decimal_places=2)
    radius_km = models.PositiveIntegerField()
    capacity_kg = models.DecimalField(max_digits=10, decimal_places=3)
    answers_itself = models.BooleanField(
        default=True, help_text="Off: the carrier is asked, and answers by hand."
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    request_id = models.UUIDField()

    objects = RateCardQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["carrier", "request_id"], name="rate_card_request_counts_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    base__gte=0, per_km__gte=0, per_kg__gte=0, dangerous_goods_share__gte=0
                ),
                name="rate_card_prices_are_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(capacity_kg__gt=0, radius_km__gt=0), name="rate_card_carries_something"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class QuoteRoundQuerySet(RowQuerySet["QuoteRound"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Who asked, and who was asked."""
        if actor.sees_everything:
            return self
        return self.filter(
            Q(asked_by_id=actor.organisation_id) | Q(quotes__carrier_id=actor.organisation_id)
        ).distinct()

    def due(self, now: datetime) -> Self:
        return self.filter(status=QuoteRound.Status.ASKING, deadline__lte=now)


class QuoteRound(Staged):
    """One question to every eligible carrier: this load, from here to there, by then."""

    class Status(models.TextChoices):
        ASKING = "ASKING", _("Asking")
        OFFERED = "OFFERED", _("Offered")
        CHOSEN = "CHOSEN", _("Chosen")
        EXPIRED = "EXPIRED", _("Expired")

    NEXT = {
        Status.ASKING: frozenset({Status.OFFERED, Status.EXPIRED}),
        Status.OFFERED: frozenset({Status.CHOSEN, Status.EXPIRED}),
        Status.CHOSEN: frozenset(),
        Status.EXPIRED: frozenset(),
    }

    purpose = models.CharField(max_length=60, help_text='"deal:17"')
    round_number = models.PositiveSmallIntegerField(default=1)
    asked_by = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    from_country = models.CharField(max_length=2)
    from_place = models.CharField(max_length=120)
    from_latitude = models.DecimalField(max_digits=5, decimal_places=2)
    from_longitude = models.DecimalField(max_digits=5, decimal_places=2)
    to_country = models.CharField(max_length=2)
    to_place = models.CharField(max_length=120)
    to_latitude = models.DecimalField(max_digits=5, decimal_places=2)
    to_longitude = models.DecimalField(max_digits=5, decimal_places=2)
    distance_km = models.DecimalField(max_digits=8, decimal_places=1)
    road_factor = models.DecimalField(
        max_digits=5, decimal_places=3, help_text="Road km per km as the crow flies."
    )
    mass_kg = models.DecimalField(max_digits=10, decimal_places=3)
    un_number = models.CharField(max_length=8)
    chemistry_code = models.CharField(max_length=20, blank=True)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=10, choices=Status, default=Status.ASKING)
    asked_at = models.DateTimeField()
    deadline = models.DateTimeField()

    objects = QuoteRoundQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["ASKING", "OFFERED", "CHOSEN", "EXPIRED"]),
                name="quote_round_status_known",
            ),
            models.CheckConstraint(
                condition=Q(mass_kg__gt=0, distance_km__gte=0, road_factor__gte=1),
                name="quote_round_moves_something",
            ),
            models.CheckConstraint(
                condition=Q(deadline__gt=F("asked_at")), name="quote_round_leaves_time"
            ),
            models.UniqueConstraint(
                fields=["purpose", "round_number"], name="quote_round_asked_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} round {self.round_number}"


class FreightQuoteQuerySet(RowQuerySet["FreightQuote"]):
    def visible_to(self, actor: "Actor") -> Self:
        """The carrier sees its own quote; who asked sees what came in."""
        if actor.sees_everything:
            return self
        return self.filter(
            Q(carrier_id=actor.organisation_id) | Q(round__asked_by_id=actor.organisation_id)
        )


class FreightQuote(Staged):
    """One carrier's answer in one round. The price is in the round's currency."""

    class Status(models.TextChoices):
        REQUESTED = "REQUESTED", _("Asked")
        RECEIVED = "RECEIVED", _("Offered")
        DECLINED = "DECLINED", _("Declined")
        CHOSEN = "CHOSEN", _("Chosen")
        EXPIRED = "EXPIRED", _("Expired")

    NEXT = {
        Status.REQUESTED: frozenset({Status.RECEIVED, Status.DECLINED, Status.EXPIRED}),
        Status.RECEIVED: frozenset({Status.CHOSEN, Status.EXPIRED}),
        Status.DECLINED: frozenset(),
        Status.CHOSEN: frozenset(),
        Status.EXPIRED: frozenset(),
    }

    round = models.ForeignKey(QuoteRound, models.PROTECT, related_name="quotes")
    carrier = models.ForeignKey(Organisation, models.PROTECT, related_name="freight_quotes")
    rate_card = models.ForeignKey(RateCard, models.PROTECT, null=True, related_name="quotes")
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    parts = models.JSONField(
        default=list, help_text="base, distance, weight, dangerous goods: label and amount"
    )
    rank = models.PositiveSmallIntegerField(null=True)
    pickup_on = models.DateField(null=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.REQUESTED)
    answered_at = models.DateTimeField(null=True)

    objects = FreightQuoteQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["REQUESTED", "RECEIVED", "DECLINED", "CHOSEN", "EXPIRED"]),
                name="freight_quote_status_known",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["RECEIVED", "CHOSEN"])
                | Q(price__isnull=False, price__gte=0, answered_at__isnull=False),
                name="freight_quote_has_a_price_once_received",
            ),
            models.UniqueConstraint(
                fields=["round", "carrier"], name="freight_quote_asked_once_each"
            ),
            models.UniqueConstraint(
                fields=["round"],
                condition=Q(status="CHOSEN"),
                name="freight_quote_chosen_once_a_round",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.carrier_id} for {self.round_id}"
