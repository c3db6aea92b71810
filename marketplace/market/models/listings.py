from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

from marketplace.core.models import RowQuerySet
from marketplace.lots.models import Lot

from .auctions import Auction

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class ListingQuerySet(RowQuerySet["Listing"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Everybody sees what is open for bids: there are no other listings."""
        return self


class Listing(models.Model):
    """What search knows of one auction that is open for bids: a narrow copy of lot, value and price in one row.

    Nothing is decided by it. It is written when an auction opens and removed when it ends; the price follows bids within
    seconds, off the path that a bid takes. Narrow, so that all open lots of a large market stay in memory.
    """

    auction = models.OneToOneField(
        Auction, models.CASCADE, primary_key=True, related_name="listing"
    )
    lot = models.ForeignKey(Lot, models.CASCADE, db_index=False, related_name="+")
    mode = models.CharField(max_length=12)
    kind = models.CharField(max_length=10, help_text="Letters of the chemistry; empty: not known.")
    chemistry = models.CharField(max_length=20)
    origin = models.CharField(max_length=10)
    country = models.CharField(max_length=2)
    place = models.CharField(max_length=120)
    mass_kg = models.DecimalField(max_digits=10, decimal_places=3)
    health = models.DecimalField(max_digits=4, decimal_places=3, null=True)
    route = models.CharField(max_length=10, help_text="Of the newest valuation.")
    usd_per_kg = models.DecimalField(max_digits=14, decimal_places=4, null=True)
    strip = models.SmallIntegerField(null=True, help_text="rules.nearby.strip_of(latitude)")
    north = models.SmallIntegerField(null=True, help_text="Latitude in hundredths of a degree.")
    east = models.SmallIntegerField(null=True, help_text="Longitude in hundredths of a degree.")
    closes_at = models.DateTimeField()

    objects = ListingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(strip=None, north=None, east=None)
                | Q(strip__isnull=False, north__isnull=False, east__isnull=False),
                name="listing_is_placed_or_not",
            ),
            models.CheckConstraint(condition=Q(mass_kg__gt=0), name="listing_has_mass"),
        ]
        indexes = [
            models.Index(fields=["kind", "strip", "east"], name="listing_near_by_kind"),
            models.Index(fields=["strip", "east"], name="listing_near"),
            models.Index(fields=["closes_at", "auction"], name="listing_ending_soon"),
            models.Index(fields=["usd_per_kg", "auction"], name="listing_by_price"),
            models.Index(fields=["lot"], name="listing_by_lot"),
        ]

    def __str__(self) -> str:
        return f"listing of auction {self.auction_id}"
