"""How a lorry is shared: exact, never worse than alone, and inside the core whenever there is one."""

import json
import math
from decimal import Decimal
from itertools import combinations, permutations
from pathlib import Path

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.market.rules import games, sharing

SHARED = Path(__file__).parents[3] / "shared" / "optimisation" / "own" / "coop_pools.json"
TRUCKS = [
    games.Truck("van", 1000, 55.0, 0.336),
    games.Truck("3.5 t", 3500, 75.0, 0.504),
    games.Truck("9 t", 9000, 110.0, 0.744),
]


@st.composite
def pools(draw, most=6):
    """A buyer and a few sellers on a map, with loads and parcel prices."""
    count = draw(st.integers(2, most))
    spots = draw(
        st.lists(
            st.tuples(st.integers(-150, 150), st.integers(-150, 150)),
            min_size=count,
            max_size=count,
        )
    )
    kg = draw(st.lists(st.integers(20, 3000), min_size=count, max_size=count))
    places = np.array([(200, 0), *spots], dtype=float)
    distances = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    return distances, np.array(kg, dtype=float)


def game_of(distances, kg):
    alone = np.round(np.maximum(18.0, 0.55 * kg), 2)
    costs = games.freight_game(distances, kg, TRUCKS, alone, stop_cost=6.0)
    return costs, [Decimal(str(round(math.floor(cost * 100) / 100, 2))) for cost in alone]


def payable(costs, alone):
    total = Decimal(str(round(float(costs[-1]), 2)))
    return min(total, sum(alone, Decimal(0)))


def every_group(players):
    return [g for size in range(1, players) for g in combinations(range(players), size)]


def mask(group):
    return sum(1 << player for player in group)


def brute_force_least_core(costs, total):
    """One linear programme with all groups at once."""
    players = len(costs).bit_length() - 1
    solver = sharing._Quiet()
    solver.setOptionValue("threads", 1)
    for _column in range(players + 1):
        solver.addVar(-highspy.kHighsInf, highspy.kHighsInf)
    solver.changeColCost(players, -1.0)
    everyone = np.arange(players, dtype=np.int32)
    solver.addRow(total, total, players, everyone, np.ones(players))
    for group in every_group(players):
        columns = np.array([*group, players], dtype=np.int32)
        solver.addRow(
            -highspy.kHighsInf, costs[mask(group)], len(columns), columns, np.ones(len(columns))
        )
    solver.run()
    return -solver.getInfo().objective_function_value


@given(pools())
@settings(max_examples=40, deadline=None)
def test_shares_are_exact_never_worse_than_alone_and_in_the_core_if_there_is_one(pool):
    costs, alone = game_of(*pool)
    total = payable(costs, alone)

    split = sharing.share(costs, total=total, alone=alone)

    assert sum(split.shares) == total
    assert all(pays <= most for pays, most in zip(split.shares, alone, strict=True))
    least = brute_force_least_core(costs, float(total))
    assert float(split.epsilon) == pytest.approx(least, abs=1e-3)
    if least >= 0.01:
        assert split.in_core
        for group in every_group(len(alone)):
            paid = float(sum(split.shares[player] for player in group))
            assert paid <= costs[mask(group)] + 0.005 * len(group) + 1e-4
    if split.in_core:
        assert (split.worst_group, split.worst_gain) == ((), 0)
    else:
        assert float(split.worst_gain) >= -float(split.epsilon) - 0.05


@given(pools(most=5))
@settings(max_examples=25, deadline=None)
def test_a_group_pays_the_cheapest_of_all_its_partitions_and_orders(pool):
    distances, kg = pool
    costs, _alone = game_of(distances, kg)

    def trip(group):
        km = min(
            sum(distances[a, b] for a, b in zip((0, *order), (*order, 0), strict=True))
            for order in permutations([stop + 1 for stop in group])
        )
        load = sum(kg[list(group)])
        fitting = [t.fixed + t.per_km * km + 6 * len(group) for t in TRUCKS if load <= t.payload_kg]
        own = [max(18.0, 0.55 * load)] if len(group) == 1 else []
        return min([*fitting, *(round(one, 2) for one in own), math.inf])

    def partitions(group):
        if not group:
            yield []
            return
        first, *rest = group
        for size in range(len(rest) + 1):
            for others in combinations(rest, size):
                left = [one for one in rest if one not in others]
                yield from ([(first, *others), *parts] for parts in partitions(left))

    for group in [*every_group(len(kg)), tuple(range(len(kg)))]:
        least = min(sum(trip(part) for part in parts) for parts in partitions(list(group)))
        assert costs[mask(group)] == pytest.approx(least)


@given(
    st.lists(st.integers(0, 50_000), min_size=1, max_size=9),
    st.lists(st.floats(0, 1), min_size=9, max_size=9),
    st.floats(0, 1),
)
def test_any_wish_becomes_payable_within_the_limits(limits, wishes, part):
    tops = [Decimal(limit) / 100 for limit in limits]
    total = Decimal(int(sum(limits) * part)) / 100
    weights = np.array(wishes[: len(tops)]) + 1e-9
    exact = (weights / weights.sum() * float(total)).tolist()

    shares = sharing.payable_shares(exact, total=total, limits=tops)

    assert sum(shares) == total
    assert all(pays <= top for pays, top in zip(shares, tops, strict=True))


@given(pools())
@settings(max_examples=20, deadline=None)
def test_shapley_shares_add_up_and_the_order_of_sellers_does_not_matter_to_them(pool):
    distances, kg = pool
    costs, _alone = game_of(distances, kg)

    shares = games.shapley(costs)

    assert shares.sum() == pytest.approx(costs[-1])
    turned = [0, *range(len(kg), 0, -1)]
    mirrored, _limits = game_of(distances[np.ix_(turned, turned)], kg[::-1])
    assert games.shapley(mirrored)[::-1] == pytest.approx(shares)


def test_two_sellers_who_cannot_be_told_apart_pay_the_same():
    distances = np.array([[0, 90, 90, 120], [90, 0, 0, 60], [90, 0, 0, 60], [120, 60, 60, 0.0]])
    costs, alone = game_of(distances, np.array([400.0, 400.0, 900.0]))

    split = sharing.share(costs, total=payable(costs, alone), alone=alone)

    assert abs(split.shares[0] - split.shares[1]) <= Decimal("0.01")


def test_an_empty_core_is_said_with_the_group_that_would_gain():
    costs = np.array(
        [0.0, 10, 10, 11, 10, 11, 11, 20]
    )  # any two do well, three need a second lorry
    alone = [Decimal(10)] * 3

    split = sharing.share(costs, total=Decimal(20), alone=alone)

    assert not split.in_core
    assert split.method == "LEAST_CORE"
    assert split.epsilon == pytest.approx(Decimal("-2.3333"), abs=Decimal("0.001"))
    assert len(split.worst_group) == 2
    assert split.worst_gain == pytest.approx(Decimal("2.34"), abs=Decimal("0.02"))
    assert sum(split.shares) == 20
    assert max(split.shares) <= 10


def test_nobody_saves_the_same_part_by_a_limit_of_their_own():
    costs = np.array([0.0, 100, 20, 110])
    split = sharing.share(costs, total=Decimal(110), alone=[Decimal(100), Decimal(20)])

    assert split.shares == (Decimal("91.67"), Decimal("18.33"))
    assert [reason.code for reason in split.reasons] == ["equal_saving", "equal_saving"]
    assert split.reasons[0].saves == Decimal("8.33")


def test_who_would_pay_nothing_alone_pays_nothing_in_the_lorry():
    split = sharing.share(
        np.array([0.0, 100, 0, 90]), total=Decimal(90), alone=[Decimal(100), Decimal(0)]
    )

    assert split.shares == (Decimal(90), Decimal(0))


def test_one_seller_pays_the_whole_lorry():
    split = sharing.share(np.array([0.0, 50]), total=Decimal(45), alone=[Decimal(50)])

    assert split.shares == (Decimal(45),)
    assert (split.epsilon, split.method, split.in_core) == (None, "ALONE", True)


def test_a_pool_that_does_not_pay_cannot_be_shared():
    with pytest.raises(sharing.NotShareable):
        sharing.share(np.array([0.0, 5, 5, 12]), total=Decimal(12), alone=[Decimal(5)] * 2)
    with pytest.raises(sharing.NotShareable):
        sharing.proportional(Decimal(12), [Decimal(5)] * 2)
    with pytest.raises(sharing.NotShareable):
        sharing.payable_shares([6.0, 6.0], total=Decimal(12), limits=[Decimal(5)] * 2)


def test_an_amount_that_cannot_be_paid_is_not_shared():
    with pytest.raises(ValueError, match="cannot be paid"):
        sharing.payable_shares([1.0], total=Decimal("1.005"), limits=[Decimal(5)])


def test_a_game_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match="4 groups"):
        sharing.share(np.array([0.0, 5]), total=Decimal(5), alone=[Decimal(5)] * 2)
    with pytest.raises(ValueError, match="at most 14"):
        games.shortest_tours(np.zeros((17, 17)))


def test_when_the_programme_fails_the_shares_are_in_proportion(monkeypatch):
    def broken(_search):
        raise ArithmeticError

    monkeypatch.setattr(sharing._Search, "least_core", broken)
    costs = np.array([0.0, 60, 40, 80])
    split = sharing.share(costs, total=Decimal(80), alone=[Decimal(60), Decimal(40)])

    assert split.method == "PROPORTIONAL"
    assert split.shares == (Decimal("48.00"), Decimal("32.00"))
    assert split.epsilon is None


def test_currencies_without_cents_are_shared_in_whole_units():
    costs = np.array([0.0, 60_000, 40_000, 80_001])
    alone = [Decimal(60_000), Decimal(40_000)]

    split = sharing.share(costs, total=Decimal(80_001), alone=alone, unit=Decimal(1))

    assert sum(split.shares) == 80_001
    assert all(part == part.to_integral_value() for part in split.shares)


def test_a_seller_with_two_stops_is_one_player():
    stops = games.split_costs(np.array([0.0, 10, 10, 12, 10, 12, 12, 15]))
    owners = games.game_of_owners(stops, [0, 1, 0])

    assert owners.tolist() == [0.0, 12.0, 10.0, 15.0]


def test_volume_and_the_number_of_stops_limit_a_lorry():
    truck = games.Truck("van", 1000, 50.0, 1.0, volume_m3=3.0)
    tours = games.shortest_tours(np.array([[0, 10, 10], [10, 0, 1], [10, 1, 0.0]]))
    kg = np.array([100.0, 100.0])

    bulky = games.trip_costs(tours, kg, [truck], volumes=np.array([2.0, 2.0]))
    one_stop = games.trip_costs(tours, kg, [truck], most_stops=1)

    assert bulky.tolist() == [0.0, 70.0, 70.0, math.inf]
    assert one_stop.tolist() == [0.0, 70.0, 70.0, math.inf]


def test_a_long_lorry_is_shared_by_search_and_nobody_is_worse_off():
    rng = np.random.default_rng(3)
    places = np.vstack([[120.0, 0.0], rng.random((20, 2)) * 60])
    angle = np.argsort(np.arctan2(*(places[1:] - 30).T), kind="stable")
    places[1:] = places[1:][angle]
    distances = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    kg = np.round(rng.random(20) * 300 + 20)
    alone = [Decimal(str(round(max(18, 0.55 * one), 2))) for one in kg]
    tour = float(sharing.tours_in_order(distances, np.ones((1, 20)))[0])
    truck = TRUCKS[1] if kg.sum() <= 3500 else TRUCKS[2]
    total = Decimal(str(round(truck.fixed + truck.per_km * tour + 6 * 20, 2)))

    split = sharing.share_large(distances, kg, TRUCKS, total=total, alone=alone, stop_cost=6.0)

    assert sum(split.shares) == total
    assert all(pays <= most for pays, most in zip(split.shares, alone, strict=True))
    assert not split.is_exact
    assert split == sharing.share_large(
        distances, kg, TRUCKS, total=total, alone=alone, stop_cost=6.0
    )


def test_the_shared_games_are_solved_as_they_were_solved_elsewhere():
    if not SHARED.exists():
        pytest.skip("The shared optimisation instances are not beside the checkout.")
    told = json.loads(SHARED.read_text())
    trucks = [
        games.Truck(kind["name"], kind["payload_kg"], kind["fixed_usd"], kind["usd_per_km"])
        for kind in told["vehicles"]
    ]
    for pool in told["pools"]:
        kg = np.array(pool["kg"])
        parcels = np.maximum(told["parcel_min"], told["parcel_per_kg"] * kg)
        costs = games.freight_game(
            np.array(pool["dist_km"]), kg, trucks, parcels, stop_cost=told["stop_usd"]
        )
        assert costs[-1] == pytest.approx(pool["total_cost"], abs=1e-3)
        assert costs[1 << np.arange(len(kg))] == pytest.approx(pool["standalone"], abs=1e-3)
        assert games.shapley(costs) == pytest.approx(pool["shapley"], abs=1e-3)
        assert sharing.least_core(costs, float(costs[-1])) == pytest.approx(
            pool["least_core_eps"], abs=1e-3
        )
        alone = [Decimal(str(round(one, 2))) for one in pool["standalone"]]
        split = sharing.share(costs, total=Decimal(str(round(pool["total_cost"], 2))), alone=alone)
        assert split.in_core == pool["core_nonempty"]
