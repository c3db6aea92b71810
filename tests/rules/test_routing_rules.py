"""Milk runs: feasible always, never dearer than the simple answers, and both traps of the solver."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.freight.rules import distances, vrp
from marketplace.freight.rules.distances import UNREACHABLE, Leg, LegCache, Matrix, Place, Roads
from marketplace.freight.rules.quotes import road_km
from marketplace.freight.rules.route_check import faults
from marketplace.freight.rules.routing import Effort, finished, lone_trips, nearest, plan_trips
from marketplace.freight.rules.trips import (
    DAY,
    Hours,
    Reason,
    Stop,
    Task,
    Vehicle,
    plan_of,
)

ROADS = Roads(Decimal("1.35"), Decimal(45))
QUICK = Effort(seconds=2.0, iterations=30)
VAN = Vehicle("van", Decimal(1000), None, 14, Decimal(55), Decimal("0.336"), number=50)
LORRY = Vehicle("lorry", Decimal(9000), None, 14, Decimal(110), Decimal("0.744"), number=50)


def plane(points, *, minutes_per_km=1.2):
    """A matrix of points in km on a plane."""
    xy = np.array(points, dtype=float)
    tenths = np.rint(np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) * 10).astype(np.int64)
    return Matrix(tenths, np.ceil(tenths / 10 * minutes_per_km).astype(np.int64))


def stop(key, kg=100, **more):
    return Stop(key=key, place=key, mass_kg=Decimal(kg), **more)


def required_plan(task, effort=QUICK):
    return plan_trips(
        replace(task, stops=tuple(replace(one, required=True) for one in task.stops)), effort=effort
    )


# --- distances --------------------------------------------------------------------------------------

degrees = st.tuples(
    st.floats(-60, 60, allow_nan=False).map(lambda at: round(at, 4)),
    st.floats(-179, 179, allow_nan=False).map(lambda at: round(at, 4)),
)


@given(st.lists(degrees, min_size=1, max_size=7))
def test_the_table_is_road_km_to_the_last_digit(points):
    table = distances.matrix([Place(*point) for point in points], roads=ROADS)

    for row, a in enumerate(points):
        for column, b in enumerate(points):
            assert table.km(row, column) in {
                road_km(a, b, ROADS.factor),
                road_km(b, a, ROADS.factor),
            }
            assert table.minutes[row, column] == distances.minutes_at(
                table.km(row, column), ROADS.speed_kmh
            )


def test_no_road_crosses_the_sea_between_named_landmasses():
    java, bali, unnamed = Place(-6.2, 106.8, "Java"), Place(-8.6, 115.2, "Bali"), Place(-7.0, 110.4)

    table = distances.matrix([java, bali, unnamed], roads=ROADS)

    assert not table.reaches(0, 1)
    assert table.reaches(0, 2)
    assert table.reaches(1, 2)
    with pytest.raises(ValueError, match="No road"):
        table.km(0, 1)


def test_an_empty_table_is_a_table():
    assert len(distances.matrix([], roads=ROADS)) == 0


def test_a_service_is_asked_once_for_each_pair_and_may_know_no_way():
    asked = []

    def service(pairs):
        asked.extend(pairs)
        return [None if b.latitude == 3 else Leg(120, 15) for _, b in pairs]

    places = [Place(1, 1), Place(2, 2), Place(3, 3)]
    cache = LegCache()
    roads = replace(ROADS, service=service)

    first = distances.matrix(places[:2], roads=roads, cache=cache)
    second = distances.matrix(places, roads=roads, cache=cache)

    assert first.km(0, 1) == Decimal("12.0")
    assert len(asked) == len(set(asked)) == 6
    assert not second.reaches(0, 2)
    assert second.reaches(2, 0)


def test_a_service_that_answers_too_little_is_refused():
    roads = replace(ROADS, service=lambda pairs: [])

    with pytest.raises(ValueError, match="answer each pair"):
        distances.matrix([Place(1, 1), Place(2, 2)], roads=roads)


def test_the_cache_forgets_what_was_used_longest_ago():
    cache = LegCache(capacity=2)
    cache.keep("a", Leg(1, 1))
    cache.keep("b", Leg(2, 2))
    cache.get("a")
    cache.keep("c", None)

    assert "a" in cache
    assert "b" not in cache
    assert len(cache) == 2


@pytest.mark.parametrize(
    ("hectometres", "minutes"),
    [
        ([[0, 1]], [[0, 1]]),
        ([[1]], [[0]]),
        ([[0, -2], [1, 0]], [[0, 1], [1, 0]]),
        ([[0, -1], [1, 0]], [[0, 1], [1, 0]]),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(hectometres, minutes):
    with pytest.raises(ValueError, match=r"."):
        Matrix(np.array(hectometres), np.array(minutes))


# --- plans -------------------------------------------------------------------------------------------


def test_nothing_to_fetch_is_a_plan():
    plan = plan_trips(Task(plane([(0, 0)]), 0, (), (VAN,)), effort=QUICK)

    assert plan.trips == ()
    assert plan.objective == 0


def test_one_stop_goes_by_the_cheapest_truck_that_carries_it():
    task = Task(plane([(0, 0), (30, 40)]), 0, (stop(1, 1500),), (VAN, LORRY), per_stop=Decimal(6))

    plan = plan_trips(task, effort=QUICK)

    assert [(one.vehicle, one.stops, one.km) for one in plan.trips] == [(1, (0,), Decimal("100.0"))]
    assert plan.cost == Decimal("190.40")  # 110 + 100 x 0.744 + 6
    assert faults(task, plan) == ()


def test_neighbours_share_a_truck():
    points = [(0, 0), (50, 0), (51, 0), (52, 1)]
    task = Task(plane(points), 0, tuple(stop(at) for at in (1, 2, 3)), (VAN, LORRY))

    plan = plan_trips(task, effort=QUICK)

    assert len(plan.trips) == 1
    assert sorted(plan.trips[0].stops) == [0, 1, 2]


def test_what_cannot_be_fetched_is_left_with_its_reason():
    points = [(0, 0), (10, 0), (20, 0), (30, 0), (900, 0), (40, 0)]
    table = plane(points)
    table.hectometres[1, :] = table.hectometres[:, 1] = UNREACHABLE
    table.minutes[1, :] = table.minutes[:, 1] = UNREACHABLE
    table.hectometres[1, 1] = table.minutes[1, 1] = 0
    fleet = (
        replace(VAN, carries_dangerous_goods=False, hours=Hours(360, 1200, 720, 540, 270, 45)),
    )
    stops = (stop(1), stop(2, 5000), stop(3, is_dangerous=True), stop(4), stop(5))

    plan = plan_trips(Task(table, 0, stops, fleet), effort=QUICK)

    assert [(one.stop, one.reason) for one in plan.left] == [
        (0, Reason.UNREACHABLE),
        (1, Reason.TOO_LARGE),
        (2, Reason.NO_PERMIT),
        (3, Reason.OUT_OF_HOURS),
    ]
    assert [one.stops for one in plan.trips] == [(4,)]


def test_without_trucks_everything_stays():
    task = Task(plane([(0, 0), (1, 0)]), 0, (stop(1),), (replace(VAN, number=0),))

    assert [one.reason for one in plan_trips(task, effort=QUICK).left] == [Reason.NO_TRUCK_LEFT]


def test_when_trucks_run_out_the_rest_is_left_not_lost():
    task = Task(
        plane([(0, 0), (10, 0), (0, 10), (-10, 0)]),
        0,
        tuple(stop(at, 900) for at in (1, 2, 3)),
        (replace(VAN, number=2),),
    )

    plan = plan_trips(task, effort=QUICK)

    assert len(plan.trips) == 2
    assert [one.reason for one in plan.left] == [Reason.NO_TRUCK_LEFT]
    assert faults(task, plan) == ()


def test_two_stops_without_a_road_between_them_go_apart():
    table = plane([(0, 0), (10, 0), (10, 1)])
    for row, column in ((1, 2), (2, 1)):
        table.hectometres[row, column] = table.minutes[row, column] = UNREACHABLE
    task = Task(table, 0, (stop(1), stop(2)), (VAN,))

    plan = plan_trips(task, effort=QUICK)

    assert sorted(one.stops for one in plan.trips) == [(0,), (1,)]


def test_a_stop_that_costs_more_than_it_is_worth_is_left():
    points = [(0, 0), (10, 0), (400, 0)]
    stops = (
        stop(1, required=False, prize=Decimal(200)),
        stop(2, required=False, prize=Decimal(20)),
    )
    task = Task(plane(points), 0, stops, (VAN,))

    plan = plan_trips(task, effort=QUICK)

    assert [one.reason for one in plan.left] == [Reason.NOT_WORTH_IT]
    assert plan.objective == plan.cost + 20


def test_windows_and_hours_hold_and_the_truck_leaves_no_earlier_than_it_need():
    points = [(0, 0), (50, 0), (60, 0)]
    stops = (
        stop(1, opens=600, closes=660, service_minutes=20),
        stop(2, opens=480, closes=1000, service_minutes=20),
    )
    hours = Hours(360, 1200, 780, 540, 270, 45)
    task = Task(plane(points), 0, stops, (replace(VAN, hours=hours, per_hour=Decimal(12)),))

    plan = plan_trips(task, effort=QUICK)

    assert faults(task, plan) == ()
    (only,) = plan.trips
    first = only.visits[0]
    assert first.begins == first.arrives or first.begins == task.stops[first.stop].opens
    assert only.minutes <= 60 + 60 + 12 + 12 + 40 + 40


def test_a_truck_from_its_own_depot_pays_the_way_home():
    points = [(0, 0), (10, 0), (10, 10)]
    truck = replace(VAN, depot=2, fixed=Decimal(0), per_km=Decimal(1))
    task = Task(plane(points), 0, (stop(1),), (truck,))

    plan = plan_trips(task, effort=QUICK)

    assert plan.trips[0].km == Decimal("34.1")  # 10 to the stop, 10 to the site, 14.1 home
    assert plan.cost == Decimal("34.10")
    assert faults(task, plan) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"site": 9},
        {"stops": (stop(1), stop(1))},
        {"stops": (stop(1, -1),)},
        {"fleet": (replace(VAN, per_km=Decimal(-1)),)},
    ],
)
def test_what_is_no_task_is_refused(wrong):
    task = Task(plane([(0, 0), (1, 0)]), 0, (stop(1),), (VAN,))

    with pytest.raises(ValueError, match=r"."):
        plan_trips(replace(task, **wrong), effort=QUICK)


def test_the_same_effort_gives_the_same_plan():
    task = city(12)
    effort = Effort(seconds=60, iterations=40, seeds=(7,))

    once, again = (plan_trips(task, effort=effort) for _ in range(2))

    assert (once.trips, once.left) == (again.trips, again.left)


# --- the two traps -----------------------------------------------------------------------------------


def city(count, *, prize=Decimal(3), seed=5):
    """Many small lots about a town far from the site: alone none pays for a truck, together they do."""
    dice = np.random.default_rng(seed)
    points = [(120.0, 0.0), *(tuple(point) for point in dice.normal(0, 15, (count, 2)))]
    kgs = dice.integers(40, 700, count)
    stops = tuple(
        stop(
            at + 1,
            int(kg),
            required=False,
            prize=(prize * int(kg) / 20 + 15).quantize(Decimal("0.01")),
        )
        for at, kg in enumerate(kgs)
    )
    return Task(plane(points), 0, stops, (VAN, LORRY), per_stop=Decimal(6))


def stuck():
    """Stops of which no one, two or three pay for the only truck; all together do, twice over."""
    points = [(150.0, 0.0), *((float(at % 5), float(at // 5)) for at in range(20))]
    stops = tuple(stop(at, 100, required=False, prize=Decimal(40)) for at in range(1, 21))
    truck = replace(LORRY, fixed=Decimal(160), max_stops=None, number=20)
    return Task(plane(points), 0, stops, (truck,), per_stop=Decimal(6))


def test_a_search_with_optional_stops_begins_from_the_answer_that_fetches_all():
    task, started = stuck(), []
    search = vrp.search

    def watched(model, seed, until, steps, patience, clock, *, start=None):
        started.append(start)
        return search(model, seed, until, steps, patience, clock, start=start)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vrp, "search", watched)
        plan = plan_trips(task, effort=QUICK)

    required, cold, optional = started
    assert (required, cold) == (None, None)
    assert optional
    assert len(plan.trips) == 1
    assert plan.left == ()
    assert plan.objective <= required_plan(task).cost


def test_the_unit_of_money_fits_the_size_of_the_sums_and_makes_the_rates_whole():
    task = city(30)
    for times in (Decimal(1), Decimal(16_000), Decimal("0.001")):
        fleet = tuple(
            replace(truck, fixed=truck.fixed * times, per_km=truck.per_km * times)
            for truck in task.fleet
        )
        whole = Decimal(10_000) * times

        unit = vrp.money_unit(fleet, whole)

        assert 10_000 <= whole / unit <= 10**9
        for truck in fleet:
            rate = truck.per_km / 10 / unit
            assert abs(round(rate) / rate - 1) < Decimal("0.01")


@pytest.mark.parametrize("price", ["0.01", "10", "10000"])
def test_limits_hold_in_the_search_however_small_the_loads_and_dear_the_way(price):
    dice = np.random.default_rng(2)
    points = [(0, 0), *dice.integers(-500, 500, (30, 2)).tolist()]
    truck = Vehicle("seven", Decimal(7), None, None, Decimal(0), Decimal(price), number=30)
    task = Task(plane(points), 0, tuple(stop(at, 1) for at in range(1, 31)), (truck,))
    lone, never = lone_trips(task)

    plan = plan_trips(task, effort=Effort(seconds=5, iterations=120))

    hurried = finished(task, nearest(task, lone), lone, never, "nearest")
    assert plan.origin == "required"
    assert plan.objective < hurried.objective * Decimal("0.95")


def test_money_comes_from_the_tariff_and_not_from_the_solver_s_whole_numbers():
    odd = replace(VAN, per_km=Decimal("0.3337"), fixed=Decimal("17.123"))
    task = Task(plane([(0, 0), (33, 3), (34, 5)]), 0, (stop(1), stop(2)), (odd,))

    plan = plan_trips(task, effort=QUICK)

    assert plan.cost == sum(
        (
            (Decimal("17.123") + one.km * Decimal("0.3337")).quantize(Decimal("0.01"))
            for one in plan.trips
        ),
        Decimal(0),
    )


def test_the_same_task_in_another_currency_has_the_same_trips():
    task, effort = city(14), Effort(seconds=20, iterations=60)
    rupiah = replace(
        task,
        currency="IDR",
        per_stop=task.per_stop * 16_000,
        stops=tuple(replace(one, prize=one.prize * 16_000) for one in task.stops),
        fleet=tuple(
            replace(truck, fixed=truck.fixed * 16_000, per_km=truck.per_km * 16_000)
            for truck in task.fleet
        ),
    )

    here, there = plan_trips(task, effort=effort), plan_trips(rupiah, effort=effort)

    assert abs(there.objective / 16_000 / here.objective - 1) < Decimal("0.02")


# --- always ------------------------------------------------------------------------------------------


@st.composite
def tasks(draw):
    count = draw(st.integers(0, 7))
    points = draw(
        st.lists(
            st.tuples(st.integers(-150, 150), st.integers(-150, 150)),
            min_size=count + 2,
            max_size=count + 2,
        )
    )
    table = plane(points)
    for row, column in draw(
        st.lists(st.tuples(st.integers(0, count + 1), st.integers(0, count + 1)), max_size=3)
    ):
        if row != column:
            table.hectometres[row, column] = table.minutes[row, column] = UNREACHABLE
    stops = tuple(
        Stop(
            key=at,
            place=at + 2,
            mass_kg=Decimal(draw(st.integers(1, 1500))),
            volume_m3=Decimal(draw(st.integers(0, 30))) / 10,
            opens=draw(st.sampled_from([0, 480, 600])),
            closes=draw(st.sampled_from([700, 900, DAY])),
            service_minutes=draw(st.integers(0, 30)),
            is_dangerous=draw(st.booleans()),
            required=draw(st.booleans()),
            prize=Decimal(draw(st.integers(0, 300))),
        )
        for at in range(count)
    )
    hours = draw(st.sampled_from([Hours(360, 1200, 780, 540, 270, 45), Hours(0, DAY, 400, 300)]))
    fleet = (
        replace(
            VAN,
            hours=hours,
            number=draw(st.integers(0, 3)),
            volume_m3=Decimal(4),
            per_hour=Decimal(9),
        ),
        replace(
            LORRY,
            hours=hours,
            number=draw(st.integers(0, 3)),
            max_stops=draw(st.sampled_from([2, None])),
            carries_dangerous_goods=draw(st.booleans()),
            depot=draw(st.sampled_from([None, 1])),
        ),
    )
    return Task(
        table,
        0,
        stops,
        fleet,
        per_stop=Decimal(6),
        site_opens=400,
        site_closes=1100,
        unload_minutes=20,
    )


@settings(max_examples=40, deadline=None)
@given(tasks())
def test_a_plan_can_always_be_driven_and_is_never_dearer_than_the_simple_ones(task):
    plan = plan_trips(task, effort=QUICK)

    assert faults(task, plan) == ()
    assert all(one.reason for one in plan.left)
    lone, never = lone_trips(task)
    hurried = finished(task, nearest(task, lone), lone, never, "nearest")
    if not any(task.stops[one.stop].required for one in hurried.left):
        assert plan.objective <= hurried.objective


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.integers(0, 1000), st.sampled_from([1, 3, 8]))
def test_leaving_some_is_never_worse_than_fetching_all(count, seed, prize):
    task = city(count, seed=seed, prize=Decimal(prize))

    assert plan_trips(task, effort=QUICK).objective <= required_plan(task).cost


# --- the checker -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda one: replace(one, cost=one.cost - 1), "it costs"),
        (lambda one: replace(one, km=one.km + 1), "length or time"),
        (lambda one: replace(one, departs=one.departs - 500), "too early"),
        (lambda one: replace(one, at_site=one.at_site - 50), "site when it says"),
        (lambda one: replace(one, returns=one.returns + 900), "home too late"),
        (lambda one: replace(one, visits=one.visits[:1] * 2), "comes 2 times"),
        (lambda one: replace(one, visits=()), "fetches nothing"),
        (lambda one: replace(one, vehicle=1), "0 there"),
    ],
)
def test_the_checker_sees_what_is_wrong(spoil, said):
    hours = Hours(360, 1200, 780, 540, 270, 45)
    stops = (stop(1, 600, opens=480, closes=900), stop(2, 300, opens=480, closes=900))
    fleet = (replace(VAN, hours=hours), replace(LORRY, hours=hours, number=0))
    task = Task(
        plane([(0, 0), (30, 0), (31, 0)]), 0, stops, fleet, site_opens=500, site_closes=1000
    )
    plan = plan_trips(task, effort=QUICK)
    assert faults(task, plan) == ()

    spoilt = plan_of(task, [spoil(plan.trips[0])], plan.left)

    assert said in "; ".join(faults(task, spoilt))


def test_the_checker_sees_loads_permits_windows_and_missing_stops():
    task = Task(plane([(0, 0), (30, 0), (31, 0)]), 0, (stop(1), stop(2, is_dangerous=True)), (VAN,))
    plan = plan_trips(task, effort=QUICK)
    small = replace(
        VAN,
        payload_kg=Decimal(1),
        max_stops=1,
        carries_dangerous_goods=False,
        volume_m3=Decimal(-1),
        hours=Hours(0, DAY, 10, 5),
    )

    told = "; ".join(faults(replace(task, fleet=(small,)), plan))

    for words in (
        "kg,",
        "m3,",
        "stops, 1",
        "without a permit",
        "shift is too long",
        "drives too long",
    ):
        assert words in told
    late = replace(task, stops=tuple(replace(one, closes=1) for one in task.stops), site_closes=1)
    told = "; ".join(faults(late, plan))
    assert "is closed" in told
    assert "the site is closed" in told
    assert "neither served nor left" in "; ".join(faults(task, plan_of(task, [], [])))
    table = plane([(0, 0), (30, 0), (31, 0)])
    table.hectometres[1:, 0] = table.minutes[1:, 0] = UNREACHABLE
    assert "no road" in "; ".join(faults(replace(task, matrix=table), plan))
    assert "the plan says" in "; ".join(
        faults(task, replace(plan, cost=plan.cost + 1, lost=Decimal(5)))
    )
