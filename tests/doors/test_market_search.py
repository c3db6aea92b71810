# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Search by page, by program and as a file: the same filters, and nothing strange gets through."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from marketplace.accounts.models import Organisation
from tests.cast_market import (  # noqa: F401
    auction,
    offered,
    priced_lot,
)

pytestmark = pytest.mark.django_db
MARKET, FILE, API = reverse("market"), reverse("market-csv"), reverse("api-market")


@pytest.fixture
def clock(clock):
    """Pages read the real clock, so the market of these tests lives now."""
    clock.at = timezone.now()
    return clock


@pytest.fixture
def near_jakarta(offered, priced_lot):
    return offered(
        priced_lot(
            place="Jakarta",
            latitude=Decimal("-6.20"),
            longitude=Decimal("106.85"),
            state_of_health=Decimal("0.82"),
        )
    )


@pytest.fixture
def near_surabaya(offered, priced_lot):
    return offered(
        priced_lot(place="Surabaya", latitude=Decimal("-7.25"), longitude=Decimal("112.75"))
    )


def listed(client, query):
    html = client.get(f"{MARKET}?{query}").content.decode()
    return html.count('<li class="lot">')


def at(actor, latitude, longitude):
    Organisation.objects.filter(pk=actor.organisation_id).update(
        latitude=latitude, longitude=longitude, place="Home"
    )
    return actor


def test_lots_near_a_town_come_first_and_say_how_far_they_are(
    near_surabaya, near_jakarta, browser, recycler
):
    html = browser(recycler).get(f"{MARKET}?near=Jakarta&sort=near").content.decode()

    first, second = (
        html.find(f'href="{reverse("lot", args=[one.lot_id])}"')
        for one in (near_jakarta, near_surabaya)
    )
    assert 0 < first < second
    assert "km away" in html


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("near=Jakarta&within_km=50", 1),
        ("near=jakarta&within_km=2000", 2),
        ("near=-7.25,112.75&within_km=5", 1),
        ("near=1642911&within_km=50", 1),
        ("near=Jakarta&within_km=50&health_from=80&chemistry=NMC", 1),
        ("near=Jakarta&within_km=50&health_from=90", 0),
        ("origin=SCOOTER", 2),
        ("origin=CAR", 0),
        ("route=RECYCLE", 0),
        ("price_to=100000", 2),
        ("price_to=1", 0),
        ("ends_to=2001-01-01", 0),
        ("ends_from=2001-01-01", 2),
        ("sort=price", 2),
        ("sort=newest", 2),
        ("sort=nonsense", 0),
        ("near=Nowhereville", 0),
        ("within_km=0&near=Jakarta", 0),
    ],
)
def test_the_page_narrows_down(near_jakarta, near_surabaya, browser, recycler, query, count):
    assert listed(browser(recycler), query) == count


def test_nearest_without_a_town_is_nearest_to_ones_own_site(
    near_jakarta, near_surabaya, browser, recycler, anonymous
):
    client = browser(at(recycler, Decimal("-7.2"), Decimal("112.7")))

    assert listed(client, "within_km=100") == 1
    stranger = browser(anonymous).get(f"{MARKET}?sort=near").content.decode()
    assert "Name a town" in stranger


def test_the_address_of_a_page_far_down_can_be_sent_on(
    offered, priced_lot, browser, recycler, anonymous, clock
):
    for number in range(30):
        offered(
            priced_lot(latitude=Decimal("-6.20"), longitude=Decimal("106.85")),
            closes_at=clock() + timedelta(hours=2, seconds=number),
        )
    address = f"{MARKET}?near=Jakarta&sort=near"
    first = browser(recycler).get(address).context["page"]

    second = browser(anonymous).get(f"{address}&after={first.after}")

    assert second.content.decode().count('<li class="lot">') == 6
    assert browser(recycler).get(f"{address}&after=1_2_3_4").status_code == 404


def test_the_file_holds_what_the_list_holds(near_jakarta, near_surabaya, browser, recycler):
    response = browser(recycler).get(f"{FILE}?near=Jakarta&within_km=50")
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode())))

    assert response.streaming
    assert [row["auction"] for row in rows] == [str(near_jakarta.pk)]
    assert rows[0]["km_away"].isdecimal()


def test_the_file_runs_no_formula(offered, priced_lot, browser, recycler):
    offered(priced_lot(place="=HYPERLINK(1)"))

    text = browser(recycler).get(FILE).getvalue().decode()

    assert ",'=HYPERLINK(1)," in text


def test_a_file_of_nonsense_is_empty(near_jakarta, browser, recycler):
    lines = browser(recycler).get(f"{FILE}?kg_from=x").getvalue().decode().splitlines()

    assert len(lines) == 1


def test_a_program_searches_with_the_same_filters(near_jakarta, near_surabaya, program, recycler):
    client = program(recycler)

    found = client.get(API, {"near": "Jakarta", "within_km": 50, "chemistry": "NMC532"}).json()
    paged = client.get(API, {"near": "Jakarta", "sort": "near", "page_size": 1}).json()
    following = client.get(paged["next"]).json()

    assert [row["auction"] for row in found["results"]] == [near_jakarta.pk]
    assert found["next"] is None
    assert [row["auction"] for row in paged["results"]] == [near_jakarta.pk]
    assert [row["auction"] for row in following["results"]] == [near_surabaya.pk]
    assert following["results"][0]["km_away"] > 600


def test_a_program_is_told_what_it_asked_wrongly(near_jakarta, program, recycler):
    client = program(recycler)

    assert client.get(API, {"sort": "upside-down"}).status_code == 400
    assert client.get(API, {"after": "nonsense"}).status_code == 404
    refused = client.get(API, {"near": "Nowhereville"})
    assert (refused.status_code, refused.json()["code"]) == (409, "place_unknown")
