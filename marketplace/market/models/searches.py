from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Organisation, User
from marketplace.core.models import RowQuerySet

from .auctions import Auction

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor


class SavedSearchQuerySet(RowQuerySet["SavedSearch"]):
    def visible_to(self, actor: "Actor") -> Self:
        """A person sees their own: what somebody looks for is nobody else's business."""
        if actor.user_id is None or actor.organisation_id is None:
            return self.none()
        return self.filter(user_id=actor.user_id, organisation_id=actor.organisation_id)


class SavedSearch(models.Model):
    """What a buyer keeps looking for, and how they want to be told of new lots."""

    class Alerts(models.TextChoices):
        EACH = "EACH", _("At once")
        DAILY = "DAILY", _("Once a day at most")
        NONE = "NONE", _("Do not tell me")

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    name = models.CharField(max_length=40)
    query = models.CharField(max_length=1000, help_text="The address of the list, after the ?.")
    wanted = models.JSONField(help_text="As rules.search.Wanted.plain writes it.")
    alerts = models.CharField(max_length=5, choices=Alerts)
    request_id = models.UUIDField()
    created_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)

    objects = SavedSearchQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(alerts__in=["EACH", "DAILY", "NONE"]), name="search_alerts_known"
            ),
            models.UniqueConstraint(
                fields=["organisation", "request_id"], name="search_request_counts_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SearchHitQuerySet(RowQuerySet["SearchHit"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Whoever sees the search."""
        return self.filter(search__in=SavedSearch.objects.visible_to(actor))


class SearchHit(models.Model):
    """A lot that came up for sale and fits a search. One row, so that nobody is told of it twice."""

    search = models.ForeignKey(SavedSearch, models.CASCADE, related_name="hits")
    auction = models.ForeignKey(Auction, models.CASCADE, related_name="+")
    found_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)

    objects = SearchHitQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["search", "auction"], name="search_hit_once"),
        ]
        indexes = [
            models.Index(fields=["search"], condition=Q(told_at=None), name="search_hit_untold"),
        ]

    def __str__(self) -> str:
        return f"auction {self.auction_id} for search {self.search_id}"
