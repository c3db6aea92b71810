# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""What buyers find: the database and the rule agree, pages neither skip nor repeat, and what ended is gone."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product
from random import Random

import pytest
from django.db import IntegrityError, transaction

from marketplace.core.quantities import great_circle_km
from marketplace.market import services
from marketplace.market.models import Listing
from marketplace.market.queries import CursorUnknown, auctions_of, found_of, search
from marketplace.market.rules.search import Sort, Wanted, fits
from marketplace.pricing.models import Valuation
from tests.cast_market import (  # noqa: F401
    START,
    auction,
    bid,
    bidder,
    offered,
    priced_lot,
    rich,
    sealed,
)

pytestmark = pytest.mark.django_db
JAKARTA, PUNE = (-6.2, 106.85), (18.52, 73.86)


@pytest.fixture
def spread(offered, priced_lot, clock):
    """Forty lots: half around Jakarta, some on the same spot, some in Pune, some without a place."""
    chance = Random(4)
    made = []
    for number in range(40):
        place = {"place": "Jakarta"}
        if number % 8 != 7:
            middle = PUNE if number % 8 == 6 else JAKARTA
            reach = 0 if number % 5 == 0 else 1.5
            place |= {
                "latitude": round(Decimal(middle[0] + chance.uniform(-reach, reach)), 2),
                "longitude": round(Decimal(middle[1] + chance.uniform(-reach, reach)), 2),
            }
        lot = priced_lot(
            chemistry_id=chance.choice(["NMC532", "LFP", "LCO", None]),
            origin=chance.choice(["SCOOTER", "CAR"]),
            mass_kg=Decimal(chance.randint(5, 900)),
            state_of_health=chance.choice([None, Decimal("0.6"), Decimal("0.9")]),
            **place,
        )
        made.append(
            offered(
                lot,
                mode=chance.choice(["OPEN", "SEALED"]),
                closes_at=clock() + timedelta(hours=chance.randint(1, 60)),
            )
        )
    return made


def pages(wanted, now, size=7):
    """Return all hits, page by page."""
    found, after = [], ""
    while True:
        hits = search(wanted, size=size, now=now, after=after)
        found += hits.rows
        if not hits.after:
            return found
        after = hits.after


NARROW = (
    {},
    {"kind": "NMC"},
    {"chemistry": "LFP", "kg_from": Decimal(100)},
    {"origin": "CAR", "kg_to": Decimal(300), "mode": "SEALED"},
    {"health_from": Decimal("0.7")},
    {"ends_within_hours": 24},
    {"country": "IN"},
    {"text": "jakarta"},
)


def test_the_database_finds_what_the_rule_says_and_every_lot_once(spread, clock):
    for sort, narrow, within_km in product(Sort, NARROW, (None, 60, 400)):
        found_as_ruled(sort, narrow, within_km, clock)


def found_as_ruled(sort, narrow, within_km, clock):
    wanted = Wanted(
        latitude=JAKARTA[0], longitude=JAKARTA[1], within_km=within_km, sort=sort, **narrow
    )
    rows = {row.pk: found_of(row) for row in Listing.objects.all()}
    expected = {pk for pk, lot in rows.items() if fits(wanted, lot, now=clock())}
    if sort == Sort.NEAR:
        expected = {pk for pk in expected if rows[pk].latitude is not None}

    found = pages(wanted, clock())

    assert sorted(hit.auction_id for hit in found) == sorted(expected)
    if sort == Sort.NEAR:
        assert found == sorted(found, key=lambda hit: (hit.metres, hit.auction_id))
        for hit in found:
            lot = rows[hit.auction_id]
            away = great_circle_km(JAKARTA, (lot.latitude, lot.longitude)) * 1000
            assert abs(hit.metres - away) <= 2
    if sort == Sort.ENDS:
        ends = [rows[hit.auction_id].closes_at for hit in found]
        assert ends == sorted(ends)
    if sort == Sort.PRICE:
        prices = [rows[hit.auction_id].usd_per_kg for hit in found]
        assert prices == sorted(prices)


def test_near_crosses_the_date_line_and_reaches_the_pole(offered, priced_lot, clock):
    for latitude, longitude in ((-16.5, 179.9), (-16.5, -179.9), (89.9, 0), (-89.9, 10)):
        offered(priced_lot(latitude=Decimal(str(latitude)), longitude=Decimal(str(longitude))))

    fiji = Wanted(latitude=-16.5, longitude=179.95, sort=Sort.NEAR)
    pole = Wanted(latitude=90.0, longitude=50.0, sort=Sort.NEAR, within_km=100)

    assert [round(hit.metres / 1000) for hit in pages(fiji, clock())][:2] == [5, 16]
    assert len(pages(fiji, clock())) == 4
    assert len(pages(pole, clock())) == 1


def test_new_lots_between_two_pages_shift_nothing(spread, offered, priced_lot, clock):
    wanted = Wanted(latitude=JAKARTA[0], longitude=JAKARTA[1], sort=Sort.NEAR)
    whole = [hit.auction_id for hit in pages(wanted, clock())]
    first = search(wanted, size=10, now=clock())

    offered(priced_lot(latitude=Decimal("-6.2"), longitude=Decimal("106.85")))
    second = search(wanted, size=10, now=clock(), after=first.after)

    assert first.ids + second.ids == whole[:20]


@pytest.mark.parametrize("after", ["x", "1_2", "1_2_nan", "-5_1_1", "1_0_1", "9" * 30 + "_1_1"])
def test_a_strange_place_to_go_on_from_is_told_apart(clock, after):
    near = Wanted(latitude=0.0, longitude=0.0, sort=Sort.NEAR)

    with pytest.raises(CursorUnknown):
        search(near, size=5, now=clock(), after=after)


@pytest.mark.parametrize(
    ("sort", "after"),
    [
        (Sort.ENDS, "2026-01-01_5"),
        (Sort.ENDS, "x_5"),
        (Sort.PRICE, "NaN_5"),
        (Sort.PRICE, "1e99_5"),
        (Sort.PRICE, "1_0"),
        (Sort.NEWEST, "1"),
        (Sort.NEWEST, f"1_{2**63}"),
    ],
)
def test_a_strange_cursor_of_another_order_is_told_apart(clock, sort, after):
    with pytest.raises(CursorUnknown):
        search(Wanted(sort=sort), size=5, now=clock(), after=after)


def test_what_is_planned_closed_or_withdrawn_is_not_found(offered, collector, clock):
    planned = offered(opens_at=clock() + timedelta(hours=1))
    closing = offered(closes_at=clock() + timedelta(minutes=5))
    withdrawn = offered()
    assert Listing.objects.count() == 2

    services.withdraw_auction(withdrawn, actor=collector, now=clock())
    assert search(Wanted(), size=9, now=clock()).ids == [closing.pk]

    clock.forward(hours=1)
    assert search(Wanted(), size=9, now=clock()).ids == []
    services.close_auction(closing, clock=clock)
    services.open_planned_auction(planned, clock=clock)
    assert [row.pk for row in Listing.objects.all()] == [planned.pk]
    assert auctions_of(search(Wanted(), size=9, now=clock())) == [planned]


def test_the_price_and_the_end_follow_the_bids(auction, bid, recycler, rival, rich, clock):
    before = Listing.objects.get()
    clock.forward(hours=1, minutes=58)
    bid(auction, rich(recycler), START * 2, confirmed=True)
    bid(auction, rich(rival), START * 3, confirmed=True)
    assert Listing.objects.get().usd_per_kg == before.usd_per_kg

    assert services.refresh_listings(now=clock()) == 1

    after = Listing.objects.get()
    assert after.usd_per_kg > before.usd_per_kg
    assert after.closes_at > before.closes_at
    assert services.refresh_listings(now=clock()) == 0


def test_the_price_of_a_sealed_lot_tells_nothing(sealed, bid, recycler, rich, clock):
    before = Listing.objects.get().usd_per_kg

    bid(sealed, rich(recycler), START * 3, confirmed=True)

    assert services.refresh_listings(now=clock()) == 0
    assert Listing.objects.get().usd_per_kg == before


def test_the_route_follows_a_new_valuation(auction, clock):
    Valuation.objects.create(
        lot=auction.lot,
        inputs_hash="x",
        currency="IDR",
        low=1,
        typical=2,
        high=3,
        route="REPURPOSE",
        terms=[],
        inputs={},
        quotes_on=clock().date(),
        rules_version="1",
        valued_at=clock(),
    )

    assert services.refresh_listings(now=clock()) == 1

    assert search(Wanted(route="REPURPOSE"), size=5, now=clock()).ids == [auction.pk]
    assert search(Wanted(route="RECYCLE"), size=5, now=clock()).ids == []


def test_what_is_wanted_survives_being_written_down(clock):
    wanted = Wanted(
        kind="NMC",
        kg_from=Decimal("1.5"),
        ends_before=clock(),
        latitude=-6.2,
        longitude=106.85,
        within_km=40,
        sort=Sort.NEAR,
    )

    assert Wanted.read(wanted.plain() | {"from_the_future": 1}) == wanted
    assert Wanted.read({}) == Wanted()
    assert replace(wanted, latitude=None).place is None


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ({"strip": None}, "listing_is_placed_or_not"),
        ({"mass_kg": 0}, "listing_has_mass"),
    ],
)
def test_the_database_refuses_a_listing_that_makes_no_sense(offered, priced_lot, wrong, constraint):
    offered(priced_lot(latitude=Decimal(1), longitude=Decimal(1)))

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Listing.objects.update(**wrong)
