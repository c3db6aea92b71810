from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Organisation, User
from marketplace.core.models import RowQuerySet, Staged

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class AccountQuerySet(RowQuerySet["Account"]):
    def visible_to(self, actor: "Actor") -> Self:
        """An organisation sees its own money; staff see all."""
        if actor.sees_everything:
            return self
        return self.filter(organisation_id=actor.organisation_id, organisation__isnull=False)


class Account(models.Model):
    """One pot of money of one owner in one currency. The house's own pots have no organisation.

    ``AVAILABLE`` may be spent, ``HELD`` is kept safe for a purpose, ``OUTSIDE`` is the world beyond (banks, cash), ``FEES``
    is what the house earned. No owner's pot is ever below zero. The house's pots carry no running balance (theirs stays
    0): every deal would wait for the same row, which halves the rate. Sum their postings instead.
    """

    class Kind(models.TextChoices):
        AVAILABLE = "AVAILABLE", _("Available")
        HELD = "HELD", _("Held safely")
        OUTSIDE = "OUTSIDE", _("Outside")
        FEES = "FEES", _("Fees")

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, related_name="accounts"
    )
    kind = models.CharField(max_length=10, choices=Kind)
    currency = models.CharField(max_length=3)
    balance = models.DecimalField(max_digits=16, decimal_places=2, default=0)

    objects = AccountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["AVAILABLE", "HELD", "OUTSIDE", "FEES"]),
                name="account_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["OUTSIDE", "FEES"], organisation=None)
                | Q(kind__in=["AVAILABLE", "HELD"], organisation__isnull=False),
                name="account_has_its_owner",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["OUTSIDE", "FEES"], balance=0)
                | Q(kind__in=["AVAILABLE", "HELD"], balance__gte=0),
                name="account_is_not_overdrawn",
            ),
            models.UniqueConstraint(
                fields=["organisation", "kind", "currency"],
                nulls_distinct=False,
                name="account_is_the_only_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.currency} of {self.organisation_id}"


class MovementQuerySet(RowQuerySet["Movement"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Whoever has a leg in it sees that it moved; staff see all."""
        if actor.sees_everything:
            return self
        if actor.organisation_id is None:
            return self.none()
        return self.filter(postings__account__organisation_id=actor.organisation_id).distinct()


class Movement(models.Model):
    """Money that moved, for one reason. Append-only; its postings sum to zero per currency. ``key`` makes it once."""

    class Kind(models.TextChoices):
        TOP_UP = "TOP_UP", _("Paid in")
        PAY_OUT = "PAY_OUT", _("Paid out")
        HOLD = "HOLD", _("Held")
        RELEASE = "RELEASE", _("Released")
        SETTLE = "SETTLE", _("Settled")
        REFUND = "REFUND", _("Refunded")
        FEE = "FEE", _("Fee")
        FORFEIT = "FORFEIT", _("Forfeited")

    key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    purpose = models.CharField(max_length=60, db_index=True, help_text='"auction:7", "deal:17"')
    legs_sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()

    objects = MovementQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "TOP_UP",
                        "PAY_OUT",
                        "HOLD",
                        "RELEASE",
                        "SETTLE",
                        "REFUND",
                        "FEE",
                        "FORFEIT",
                    ]
                ),
                name="movement_kind_known",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class PostingQuerySet(RowQuerySet["Posting"]):
    def visible_to(self, actor: "Actor") -> Self:
        """An organisation sees its own statement; staff see all."""
        if actor.sees_everything:
            return self
        return self.filter(
            account__organisation_id=actor.organisation_id, account__organisation__isnull=False
        )


class Posting(models.Model):
    """One side of a movement. Append-only (trigger)."""

    movement = models.ForeignKey(Movement, models.PROTECT, related_name="postings")
    account = models.ForeignKey(Account, models.PROTECT, related_name="postings")
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=16, decimal_places=2)
    balance_after = models.DecimalField(
        max_digits=16, decimal_places=2, null=True, help_text="Null on the house's accounts."
    )

    objects = PostingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="posting_moves_something"),
            models.CheckConstraint(
                condition=Q(balance_after=None) | Q(balance_after__gte=0),
                name="posting_leaves_nothing_overdrawn",
            ),
            models.UniqueConstraint(
                fields=["movement", "account"], name="posting_once_per_account"
            ),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="posting_statement")]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} on {self.account_id}"


class PaymentQuerySet(RowQuerySet["Payment"]):
    def visible_to(self, actor: "Actor") -> Self:
        """An organisation sees what it paid in and was paid out; staff see all."""
        if actor.sees_everything:
            return self
        return self.filter(organisation_id=actor.organisation_id, organisation__isnull=False)


class Payment(Staged):
    """Money that crosses our border, in or out, through a payment service."""

    class Way(models.TextChoices):
        IN = "IN", _("Paid in")
        OUT = "OUT", _("Paid out")

    class Status(models.TextChoices):
        ASKED = "ASKED", _("On its way")
        DONE = "DONE", _("Done")
        FAILED = "FAILED", _("Failed")

    NEXT = {
        Status.ASKED: frozenset({Status.DONE, Status.FAILED}),
        Status.DONE: frozenset(),
        Status.FAILED: frozenset(),
    }

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="payments")
    way = models.CharField(max_length=3, choices=Way)
    amount = models.DecimalField(max_digits=16, decimal_places=2)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=6, choices=Status, default=Status.ASKED)
    reference = models.CharField(max_length=120, blank=True, help_text="The payment service's own.")
    reason = models.CharField(max_length=200, blank=True)
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    request_id = models.UUIDField()
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(way__in=["IN", "OUT"]), name="payment_way_known"),
            models.CheckConstraint(
                condition=Q(status__in=["ASKED", "DONE", "FAILED"]), name="payment_status_known"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_moves_something"),
            models.CheckConstraint(
                condition=Q(status="ASKED", ended_at=None)
                | Q(status__in=["DONE", "FAILED"], ended_at__isnull=False),
                name="payment_is_dated_once_ended",
            ),
            models.CheckConstraint(
                condition=~Q(status="FAILED") | ~Q(reason=""), name="payment_failure_has_a_reason"
            ),
            models.UniqueConstraint(
                fields=["organisation", "request_id"], name="payment_request_counts_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.way} {self.amount} {self.currency} of {self.organisation_id}"
