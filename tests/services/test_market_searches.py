# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Searches that are kept tell of each lot once; sheets of bids place each bid once."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from marketplace.core.errors import Refused
from marketplace.market import services
from marketplace.market.models import Bid, SavedSearch, SearchHit
from marketplace.market.rules.search import Wanted
from marketplace.notifications.models import Notice
from tests.cast_market import (  # noqa: F401
    START,
    STEP,
    auction,
    bid,
    bidder,
    offered,
    priced_lot,
    rich,
    sealed,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(clock):
    """Pages read the real clock, so the market of these tests lives now."""
    clock.at = timezone.now()
    return clock


@pytest.fixture
def keep(recycler, clock):
    def make(actor=recycler, *, alerts="EACH", **wanted):
        return services.save_search(
            actor=actor,
            name="Nickel",
            query="chemistry=NMC",
            wanted=Wanted(**{"kind": "NMC"} | wanted),
            alerts=alerts,
            request_id=uuid4(),
            now=clock(),
        )

    return make


def notices(actor):
    rows = Notice.objects.filter(user_id=actor.user_id, template__startswith="search_")
    return list(rows.order_by("pk").values_list("template", "facts"))


def test_a_new_lot_that_fits_is_told_once_and_others_are_not(
    keep, offered, priced_lot, recycler, settle
):
    keep(kg_from=Decimal(100))
    keep(kg_from=Decimal(500))

    first = offered()
    offered(priced_lot(chemistry_id="LFP"))
    settle()
    assert services.match_searches(first.pk, now=first.opens_at) == 0
    settle()

    assert notices(recycler) == [("search_hit", {"lot": first.lot_id, "thing": "Nickel"})]


def test_nobody_is_told_of_their_own_lot_or_against_their_wish(
    keep, offered, priced_lot, recycler, rival, settle
):
    keep(recycler)
    quiet = keep(rival)
    services.change_alerts(quiet, actor=rival, alerts="NONE")

    offered(priced_lot(recycler), seller=recycler)
    settle()

    assert notices(recycler) == notices(rival) == []
    assert not SearchHit.objects.exists()


def test_a_digest_comes_once_a_day_at_most(keep, offered, recycler, settle, clock):
    keep(alerts="DAILY")
    offered()
    offered()
    settle()
    assert notices(recycler) == []

    assert services.tell_digests(now=clock()) == 1
    assert services.tell_digests(now=clock()) == 0
    offered()
    settle()
    assert services.tell_digests(now=clock.forward(hours=23)) == 0
    assert services.tell_digests(now=clock.forward(hours=2)) == 1
    settle()

    assert [facts["count"] for _template, facts in notices(recycler)] == [2, 1]


def test_a_search_is_kept_once_and_only_its_owner_changes_it(keep, recycler, rival, clock, member):
    kept = keep()
    again = services.save_search(
        actor=recycler, name="x", query="", wanted=Wanted(), alerts="EACH",
        request_id=kept.request_id, now=clock(),
    )  # fmt: skip

    assert again == kept
    with pytest.raises(PermissionDenied):
        services.forget_search(kept, actor=rival)
    with pytest.raises(PermissionDenied):
        services.change_alerts(kept, actor=rival, alerts="NONE")
    with pytest.raises(Refused):
        services.save_search(
            actor=recycler, name=" ", query="", wanted=Wanted(), alerts="EACH",
            request_id=uuid4(), now=clock(),
        )  # fmt: skip
    services.forget_search(kept, actor=recycler)
    assert not SavedSearch.objects.exists()


def test_the_database_refuses_unknown_alerts_and_doubled_hits(keep, auction, clock):
    kept = keep()
    SearchHit.objects.create(search=kept, auction=auction, found_at=clock())

    with pytest.raises(IntegrityError, match="search_alerts_known"), transaction.atomic():
        SavedSearch.objects.update(alerts="LOUD")
    with pytest.raises(IntegrityError, match="search_hit_once"), transaction.atomic():
        SearchHit.objects.create(search=kept, auction=auction, found_at=clock())
    with pytest.raises(IntegrityError, match="search_request_counts_once"), transaction.atomic():
        SavedSearch.objects.create(
            organisation=kept.organisation, user=kept.user, name="x", query="", wanted={},
            alerts="EACH", request_id=kept.request_id, created_at=clock(),
        )  # fmt: skip


# --- many bids --------------------------------------------------------------------------------------


def sheet(rows, actor, clock, sheet_id):
    return services.place_bids(rows, actor=actor, sheet_id=sheet_id, clock=clock)


def test_each_row_stands_for_itself_and_a_sheet_sent_again_places_nothing_twice(
    offered, recycler, rich, clock
):
    rich(recycler)
    good, low, ended = offered(), offered(), offered(closes_at=clock() + timedelta(minutes=1))
    clock.forward(minutes=2)
    rows = [
        services.Row(good.pk, START),
        services.Row(low.pk, STEP),
        services.Row(ended.pk, START),
        services.Row(10**9, START),
    ]
    sheet_id = uuid4()

    first = sheet(rows, recycler, clock, sheet_id)
    clock.forward(days=1)
    second = sheet(rows, recycler, clock, sheet_id)

    codes = ["", "bid_too_low", "auction_closed", "not_found"]
    assert [outcome.code for outcome in first] == codes
    assert first[0].bid == second[0].bid == Bid.objects.get()


def test_a_sheet_that_is_too_long_or_contradicts_itself_places_nothing(
    auction, recycler, collector, rich, clock
):
    rich(recycler)
    twice = [services.Row(auction.pk, START), services.Row(auction.pk, START * 2)]
    long = [services.Row(number, START) for number in range(services.MOST_ROWS + 1)]

    for rows in (twice, long):
        with pytest.raises(Refused):
            sheet(rows, recycler, clock, uuid4())
    with pytest.raises(PermissionDenied):
        sheet(twice[:1], collector, clock, uuid4())
    assert not Bid.objects.exists()


# --- pages ------------------------------------------------------------------------------------------


def test_a_search_is_kept_from_the_list_changed_and_given_up(browser, recycler, rival):
    client = browser(recycler)
    listed = client.get(f"{reverse('market')}?near=Jakarta&within_km=50&chemistry=NMC")
    assert listed.status_code == 200

    form = client.get(f"{reverse('save-search')}?near=Jakarta&within_km=50").context["form"]
    said = {"name": "Near Jakarta", "alerts": "DAILY"}
    said |= {name: form.initial[name] for name in ("query", "request_id")}
    client.post(reverse("save-search"), said)
    kept = SavedSearch.objects.get()
    assert (kept.wanted["within_km"], kept.alerts) == (50, "DAILY")
    assert "Near Jakarta" in client.get(reverse("saved-searches")).content.decode()

    stranger = browser(rival)
    assert stranger.post(reverse("saved-search-forget", args=[kept.pk])).status_code == 404
    client.post(reverse("saved-search-alerts", args=[kept.pk]), {"alerts": "NONE"})
    kept.refresh_from_db()
    assert kept.alerts == "NONE"
    client.post(reverse("saved-search-forget", args=[kept.pk]))
    assert not SavedSearch.objects.exists()


def test_bids_by_list_are_looked_at_before_they_are_placed(offered, browser, recycler, rich):
    rich(recycler)
    one, other = offered(), offered()
    client, url = browser(recycler), reverse("bids-many")
    assert f'name="max-{one.pk}"' in client.get(url).content.decode()

    text = f"auction,maximum\n{one.pk},{START}\n{other.pk},x\n99999999,5"
    look = client.post(url, {"text": text})
    assert not Bid.objects.exists()
    html = look.content.decode()
    assert "There is no such auction." in html
    assert "Write the amount in numbers" in html

    said = {"step": "place", "sheet_id": look.context["sheet_id"], f"max-{one.pk}": str(START)}
    for _again in range(2):
        done = client.post(url, said).content.decode()
        assert "Placed:" in done
    assert Bid.objects.get().auction == one
    assert client.post(url, {"step": "place"}).status_code == 422
