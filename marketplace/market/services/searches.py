"""What buyers keep looking for: kept, told of, given up."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.journal.services import record
from marketplace.market.events import SearchMatched
from marketplace.market.models import Listing, SavedSearch, SearchHit
from marketplace.market.queries import found_of
from marketplace.market.rules.search import Wanted, fits

MOST_SEARCHES = 50
A_DAY = timedelta(hours=24)
LONGEST_QUERY = 1000


class SearchRefused(Refused):
    code = "search_refused"


@transaction.atomic
def save_search(
    *,
    actor: Actor,
    name: str,
    query: str,
    wanted: Wanted,
    alerts: str,
    request_id: UUID,
    now: datetime,
) -> SavedSearch:
    """Keep what a buyer looks for, and tell them of lots that come up from now on.

    Asking again with the same ``request_id`` returns the same search.

    :param query: the address of the list, after the ?, to come back to it
    :raises PermissionDenied: if the actor does not buy
    :raises SearchRefused: if it has no name, or they keep too many
    """
    organisation_id = actor.require(Capability.BID_PLACE)
    lock_word(f"searches:{actor.user_id}")
    mine = SavedSearch.objects.filter(user_id=actor.user_id or 0, organisation_id=organisation_id)
    if repeated := mine.filter(request_id=request_id).first():
        return repeated
    if not name.strip() or len(query) > LONGEST_QUERY:
        raise SearchRefused(_("Give the search a short name."), field="name")
    if mine.count() >= MOST_SEARCHES:
        raise SearchRefused(_("You keep 50 searches already. Give one up first."))
    return SavedSearch.objects.create(
        organisation_id=organisation_id,
        user_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        name=name.strip()[:40],
        query=query,
        wanted=wanted.plain(),
        alerts=alerts,
        request_id=request_id,
        created_at=now,
    )


@transaction.atomic
def change_alerts(search: SavedSearch, *, actor: Actor, alerts: str) -> SavedSearch:
    """Choose how somebody is told of new lots, or not at all.

    :raises PermissionDenied: if it is somebody else's search
    """
    actor.require(Capability.BID_PLACE, of=search.organisation_id)
    search = SavedSearch.objects.lock(search)
    search.alerts = alerts
    search.save(update_fields=["alerts"])
    return search


@transaction.atomic
def forget_search(search: SavedSearch, *, actor: Actor) -> None:
    """Give a search up.

    :raises PermissionDenied: if it is somebody else's
    """
    actor.require(Capability.BID_PLACE, of=search.organisation_id)
    SavedSearch.objects.lock(search).delete()


@transaction.atomic
def match_searches(auction_id: int, *, now: datetime) -> int:
    """Find who looks for a lot that came up for sale, tell those who want to know at once, and return how many fit.

    A lot counts once for a search, also when it is offered again by the same auction's event.
    """
    listing = Listing.objects.select_related("lot").filter(auction_id=auction_id).first()
    if listing is None:
        return 0
    lot = found_of(listing)
    others = SavedSearch.objects.exclude(organisation_id=listing.lot.seller_id)
    found = 0
    for search in others.exclude(alerts=SavedSearch.Alerts.NONE).order_by("pk").iterator():
        if not fits(Wanted.read(search.wanted), lot, now=now):
            continue
        is_told = search.alerts == SavedSearch.Alerts.EACH
        hit, is_new = SearchHit.objects.get_or_create(
            search=search,
            auction_id=auction_id,
            defaults={"found_at": now, "told_at": now if is_told else None},
        )
        found += is_new
        if is_new and hit.told_at is not None:
            event = SearchMatched(search_id=search.pk, count=1, lot_id=listing.lot_id)
            record(event, by=SYSTEM, at=now)
    return found


@transaction.atomic
def tell_digests(*, now: datetime) -> int:
    """Tell those who want to know once a day what came up since, and return how many were told.

    Finds its work by state: to run late, twice or beside itself tells nobody twice.
    """
    due = SavedSearch.objects.filter(alerts=SavedSearch.Alerts.DAILY, hits__told_at=None)
    due = due.exclude(told_at__gt=now - A_DAY).exclude(hits=None)
    told = 0
    for pk in due.order_by("pk").values_list("pk", flat=True).distinct():
        search = SavedSearch.objects.filter(pk=pk).claim().first()
        if search is None:
            continue
        count = SearchHit.objects.filter(search=search, told_at=None).update(told_at=now)
        if count:
            search.told_at = now
            search.save(update_fields=["told_at"])
            record(SearchMatched(search_id=search.pk, count=count), by=SYSTEM, at=now)
            told += 1
    return told
