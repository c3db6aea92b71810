"""Which buyer takes which lot: against every plan of small instances, and the promises of large ones."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.core.quantities import great_circle_km
from marketplace.market.rules import assignment
from marketplace.market.rules.assignment import Matching, choose_buyers
from marketplace.market.rules.candidates import Freight, candidates

A_FEW = settings(max_examples=40, deadline=None, derandomize=True)


def ints(values):
    return np.array(values, dtype=np.int64)


@st.composite
def matchings(draw):
    lots, buyers = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    pairs = sorted(draw(st.sets(st.tuples(st.integers(0, lots - 1), st.integers(0, buyers - 1)))))
    capacity = [draw(st.integers(0, 12_000)) for _ in range(buyers)]
    least = [draw(st.sampled_from([0, 4_000])) for _ in range(buyers)]
    return Matching(
        ints([draw(st.integers(1, 8_000)) for _ in range(lots)]),
        ints(capacity),
        ints([lot for lot, _ in pairs]),
        ints([buyer for _, buyer in pairs]),
        np.array([float(draw(st.integers(-2, 20))) for _ in pairs]),
        draw(st.sampled_from([None, ints(least)])),
    )


def allowed(matching, buyer_of):
    loads = np.zeros(len(matching.capacity_g), dtype=np.int64)
    gains = dict(
        zip(
            zip(matching.lot.tolist(), matching.buyer.tolist(), strict=True),
            matching.gain,
            strict=True,
        )
    )
    total = 0.0
    for lot, buyer in enumerate(buyer_of):
        if buyer < 0:
            continue
        if (lot, buyer) not in gains:
            return None
        loads[buyer] += matching.mass_g[lot]
        total += gains[lot, buyer]
    least = np.zeros_like(loads) if matching.least_g is None else matching.least_g
    fits = (loads <= matching.capacity_g).all() and ((loads == 0) | (loads >= least)).all()
    return total if fits else None


@A_FEW
@given(matchings())
def test_a_small_choice_is_the_best_of_all_there_are_and_proven(matching):
    plan = choose_buyers(matching)

    every = product(range(-1, len(matching.capacity_g)), repeat=len(matching.mass_g))
    best = max(total for one in every if (total := allowed(matching, one)) is not None)
    assert plan.proven
    assert plan.value == pytest.approx(best)
    assert allowed(matching, plan.buyer_of.tolist()) == pytest.approx(plan.value)
    assert plan.floor <= plan.value <= plan.bound + 1e-9


def town(lots=80, buyers=6, seed=3, least=None):
    chance = np.random.default_rng(seed)
    mass = chance.integers(10_000, 900_000, lots)
    near = np.argsort(chance.random((lots, buyers)), axis=1)[:, :4]
    lot, buyer = np.repeat(np.arange(lots), 4), near.ravel()
    gain = chance.uniform(0.3, 3.0, len(lot)) * mass[lot] / 1000
    capacity = np.full(buyers, int(mass.sum() * 0.7 / buyers))
    return Matching(mass, capacity, lot, buyer, gain, least)


@pytest.mark.parametrize("least", [None, np.full(6, 3_000_000)], ids=["any load", "batches"])
def test_searching_keeps_every_limit_and_stays_below_the_bound(least, monkeypatch):
    for name in ("EXACT_EDGES", "KERNEL_EDGES", "HOOD_EDGES"):
        monkeypatch.setattr(assignment, name, 12)
    matching = town(least=least)

    plan = choose_buyers(matching, seconds=60, rounds=6)

    assert allowed(matching, plan.buyer_of.tolist()) == pytest.approx(plan.value)
    assert plan.floor <= plan.value <= plan.bound <= plan.relaxation + 1e-6
    assert plan.gap < 0.1


def test_the_same_seed_and_rounds_give_the_same_plan_whatever_the_order_of_edges(monkeypatch):
    for name in ("EXACT_EDGES", "KERNEL_EDGES", "HOOD_EDGES"):
        monkeypatch.setattr(assignment, name, 12)
    matching = town()
    turned = np.random.default_rng(1).permutation(len(matching.lot))
    other = Matching(
        matching.mass_g,
        matching.capacity_g,
        matching.lot[turned],
        matching.buyer[turned],
        matching.gain[turned],
    )

    plans = [choose_buyers(each, seconds=60, rounds=3, seed=5) for each in (matching, other)]

    assert plans[0].buyer_of.tolist() == plans[1].buyer_of.tolist()


def test_without_time_there_is_still_a_plan_and_a_bound():
    plan = choose_buyers(town(), seconds=0)

    assert 0 < plan.floor == plan.value <= plan.bound
    assert plan.method == "rounding"


def test_nothing_to_choose_is_nothing_and_proven():
    nothing = ints([])

    plan = choose_buyers(Matching(ints([5]), ints([9]), nothing, nothing, np.array([])))

    assert (plan.buyer_of.tolist(), plan.value, plan.proven) == ([-1], 0.0, True)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lot": ints([0, 0])}, "as many as edges"),
        ({"lot": ints([7])}, "names a lot"),
        ({"buyer": ints([-1])}, "names a buyer"),
        ({"mass_g": ints([0])}, "has a mass"),
        ({"gain": np.array([np.nan])}, "is a number"),
        ({"least_g": ints([1, 2])}, "for each buyer"),
        ({"lot": ints([0, 0]), "buyer": ints([0, 0]), "gain": np.ones(2)}, "stands twice"),
    ],
)
def test_an_instance_that_makes_no_sense_is_refused(wrong, said):
    right = {
        "mass_g": ints([5]),
        "capacity_g": ints([9]),
        "lot": ints([0]),
        "buyer": ints([0]),
        "gain": np.array([1.0]),
    }

    with pytest.raises(ValueError, match=said):
        Matching(**{**right, **wrong})


def test_candidates_are_the_best_few_within_reach_and_region():
    chance = np.random.default_rng(2)
    place, theirs = chance.uniform(-8, 8, (40, 2)), chance.uniform(-8, 8, (15, 2))
    region, their_region = chance.integers(0, 2, 40), chance.integers(0, 2, 15)
    mass, material = chance.uniform(10, 500, 40), chance.integers(0, 3, 40)
    price = chance.uniform(0.5, 3, (15, 3))
    price[chance.random((15, 3)) < 0.3] = np.nan
    freight = Freight(base=5, per_km=0.1, per_kg_km=0.0005, road_factor=1.3)

    edges = candidates(
        place=place,
        mass_kg=mass,
        material=material,
        region=region,
        outside=np.full(40, 3.0),
        buyer_place=theirs,
        buyer_region=their_region,
        price=price,
        freight=freight,
        reach_km=700,
        most=3,
    )

    for lot in range(40):
        worth = []
        for buyer in range(15):
            crow = great_circle_km(tuple(place[lot]), tuple(theirs[buyer]))
            paid = price[buyer, material[lot]]
            if region[lot] != their_region[buyer] or crow > 700 or np.isnan(paid):
                continue
            km = crow * 1.3
            gain = paid * mass[lot] - 5 - 0.1 * km - 0.0005 * mass[lot] * km - 3
            if gain > 0:
                worth.append(gain)
        assert sorted(edges.gain[edges.lot == lot]) == pytest.approx(
            sorted(worth, reverse=True)[2::-1], rel=1e-3, abs=1e-2
        )


def test_a_place_that_is_not_on_earth_is_refused():
    with pytest.raises(ValueError, match="not on Earth"):
        candidates(
            place=np.array([[91.0, 0.0]]),
            mass_kg=np.ones(1),
            material=ints([0]),
            region=ints([0]),
            outside=np.zeros(1),
            buyer_place=np.zeros((1, 2)),
            buyer_region=ints([0]),
            price=np.ones((1, 1)),
            freight=Freight(0, 0, 0, 1),
            reach_km=10,
        )
