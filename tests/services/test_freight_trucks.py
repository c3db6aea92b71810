"""Trucks and drivers come from the reference tables, with their sources."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from marketplace.freight import queries
from marketplace.freight.rules.trips import Hours
from marketplace.reference.models import Confidence, DriverHours, TruckKind
from marketplace.reference.queries import ParameterMissing, driver_hours
from marketplace.reference.services import load_reference

TODAY = date(2026, 11, 24)
SOURCED = {"source_id": "CALC", "confidence": "ASSUMPTION", "checked_on": TODAY}
HOURS = {
    "driving_minutes": 500,
    "shift_minutes": 700,
    "break_after": 200,
    "break_minutes": 20,
    "rest_minutes": 600,
}


@pytest.fixture
def loaded(db):
    return load_reference()


def test_the_trucks_are_the_four_that_pools_were_measured_with(loaded):
    fleet = queries.fleet("ID", TODAY, currency="USD", number=9)

    assert [(one.payload_kg, one.fixed, one.per_km) for one in fleet] == [
        (1000, Decimal("25.00"), Decimal("0.2800")),
        (3500, Decimal("45.00"), Decimal("0.4200")),
        (9000, Decimal("80.00"), Decimal("0.6200")),
        (16000, Decimal("130.00"), Decimal("0.8200")),
    ]
    assert set(TruckKind.objects.values_list("confidence", flat=True)) == {Confidence.ASSUMPTION}


def test_lithium_costs_more_by_the_km_and_by_the_trip_in_any_currency(loaded):
    plain = queries.fleet("IN", TODAY, currency="INR", number=1)[0]
    lithium = queries.fleet("IN", TODAY, currency="INR", number=1, has_lithium=True)[0]

    assert lithium.per_km == pytest.approx(plain.per_km * Decimal("1.2"), rel=Decimal("0.0001"))
    assert lithium.fixed > plain.fixed * 2


def test_drivers_keep_their_country_s_hours_and_else_the_strict_ones(loaded):
    assert queries.hours("IN", TODAY) == Hours(0, 1440, 720, 480, 300, 30)
    assert queries.hours("ID", TODAY) == Hours(0, 1440, 780, 540, 270, 45)
    assert queries.fleet("IN", TODAY, currency="USD", number=1)[0].hours.driving_minutes == 480


def test_roads_are_measured_by_the_parameters(loaded):
    assert queries.roads(TODAY).factor == Decimal("1.35")
    assert queries.roads(TODAY).speed_kmh == 45


def test_without_any_rule_for_drivers_the_operator_is_told(db):
    with pytest.raises(ParameterMissing, match="No driver hours"):
        driver_hours("ID", TODAY)


def test_a_country_has_one_rule_at_a_time(loaded):
    with pytest.raises(IntegrityError), transaction.atomic():
        DriverHours.objects.create(code="IN2", country_id="IN", **HOURS, **SOURCED)


@pytest.mark.parametrize(
    "wrong",
    [{"driving_minutes": 0}, {"shift_minutes": 400}, {"shift_minutes": 1500}, {"break_after": 0}],
)
def test_hours_that_make_no_day_are_refused(loaded, wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        DriverHours.objects.create(code="X", country_id="ID", **(HOURS | wrong), **SOURCED)


def test_hours_end_after_they_begin(loaded):
    days = {"valid_from": TODAY, "valid_to": date(2026, 1, 1)}

    with pytest.raises(IntegrityError), transaction.atomic():
        DriverHours.objects.create(code="X", country_id="ID", **HOURS, **SOURCED, **days)


@pytest.mark.parametrize(
    "wrong",
    [
        {"payload_kg": 0},
        {"volume_m3": 0},
        {"max_stops": 0},
        {"fixed_usd": -1},
        {"usd_per_km": 0},
        {"usd_per_hour": -1},
        {"confidence": "SURE"},
    ],
)
def test_a_truck_that_carries_or_costs_nothing_is_refused(loaded, wrong):
    row = {
        "code": "X",
        "name": "X",
        "payload_kg": 1,
        "volume_m3": 1,
        "max_stops": 1,
        "fixed_usd": 1,
        "usd_per_km": 1,
    }

    with pytest.raises(IntegrityError), transaction.atomic():
        TruckKind.objects.create(**(SOURCED | row | wrong))
