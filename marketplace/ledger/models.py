from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Organisation
from marketplace.core.models import RowQuerySet

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
    is what the house earned. Only OUTSIDE may be below zero.
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
                condition=Q(kind="OUTSIDE") | Q(balance__gte=0), name="account_is_not_overdrawn"
            ),
            models.UniqueConstraint(
                fields=["organisation", "kind", "currency"],
                nulls_distinct=False,
                name="account_is_the_only_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.currency} of {self.organisation_id}"


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
    balance_after = models.DecimalField(max_digits=16, decimal_places=2)

    objects = PostingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="posting_moves_something"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} on {self.account_id}"
