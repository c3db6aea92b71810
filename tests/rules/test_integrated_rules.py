"""Buyer, use and trip chosen together: optimal where that can be counted out, and always sound."""

from dataclasses import replace
from decimal import Decimal
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.freight.rules import integrated
from marketplace.freight.rules.distances import UNREACHABLE, Matrix
from marketplace.freight.rules.integrated import Bid, Buyer, Shard, choice_faults, choose
from marketplace.freight.rules.routing import Effort
from marketplace.freight.rules.trips import Hours, Stop, Vehicle, trip

QUICK = Effort(seconds=3.0, iterations=60)
VAN = Vehicle("van", Decimal(1000), None, None, Decimal(55), Decimal("0.336"), number=9)
LORRY = Vehicle("lorry", Decimal(9000), None, None, Decimal(110), Decimal("0.744"), number=9)


def shard(lots, sites, worth, *, kgs=None, fleet=(VAN, LORRY), **more):
    """Lots and sites at points in km; ``worth[buyer][lot]``, None: that buyer would not take it."""
    xy = np.array([*lots, *sites], dtype=float).reshape(-1, 2)
    tenths = np.rint(np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) * 10).astype(np.int64)
    buyers = tuple(
        Buyer(
            key=number,
            site=len(lots) + number,
            fleet=fleet,
            bids=tuple(
                Bid(at, "recycle", Decimal(one)) for at, one in enumerate(row) if one is not None
            ),
            **more,
        )
        for number, row in enumerate(worth)
    )
    kgs = kgs or [300] * len(lots)
    stops = tuple(Stop(at, at, Decimal(kg)) for at, kg in enumerate(kgs))
    return Shard(Matrix(tenths, tenths), stops, buyers, per_stop=Decimal(6))


def counted_out(market):
    """The best surplus there is: every way of giving lots to buyers, of cutting them into trips and of driving those."""
    lots = range(len(market.stops))
    worth = [{bid.stop: bid.worth for bid in buyer.bids} for buyer in market.buyers]
    tasks = [
        integrated.task_of(market, buyer, {bid.stop: bid for bid in buyer.bids})
        for buyer in market.buyers
    ]
    best_trip = {}
    for number, task in enumerate(tasks):
        place = {stop.key: at for at, stop in enumerate(task.stops)}
        for mask in range(1, 1 << len(lots)):
            chosen = [at for at in lots if mask >> at & 1]
            if not all(at in place for at in chosen):
                continue
            costs = [
                made.cost
                for order in permutations(place[at] for at in chosen)
                for kind in range(len(task.fleet))
                if (made := trip(task, kind, order))
            ]
            if costs:
                gain = sum((worth[number][at] for at in chosen), Decimal(0)) - min(costs)
                best_trip[mask] = max(gain, best_trip.get(mask, gain))
    best = [Decimal(0)] * (1 << len(lots))
    for mask in range(1, 1 << len(lots)):
        low = mask & -mask
        best[mask] = best[mask ^ low]
        part = mask
        while part:
            if part & low and part in best_trip:
                best[mask] = max(best[mask], best_trip[part] + best[mask ^ part])
            part = (part - 1) & mask
    return best[-1]


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.data())
def test_small_markets_come_out_as_if_counted_out(data):
    point = st.tuples(st.integers(-80, 80), st.integers(-80, 80))
    count = data.draw(st.integers(1, 4))
    price = st.one_of(st.none(), st.integers(0, 400))
    market = shard(
        data.draw(st.lists(point, min_size=count, max_size=count)),
        data.draw(st.lists(point, min_size=2, max_size=2)),
        data.draw(
            st.lists(st.lists(price, min_size=count, max_size=count), min_size=2, max_size=2)
        ),
        kgs=data.draw(st.lists(st.integers(50, 900), min_size=count, max_size=count)),
    )

    choice = choose(market, effort=QUICK)

    assert choice_faults(market, choice) == ()
    assert choice.surplus == counted_out(market)


def test_lots_leave_their_best_price_for_a_truck_that_is_there_anyway():
    near, far = (0, 0), (300, 0)
    lots = [(10, 0), (11, 0), (12, 0)]
    worth = [[200, 200, 200], [0, 0, 260]]

    choice = choose(shard(lots, [near, far], worth), effort=QUICK)

    assert [sale.buyer for sale in choice.sales] == [0, 0, 0]
    assert choice.left == ()


def test_the_best_use_of_a_buyer_is_taken():
    market = shard([(10, 0)], [(0, 0)], [[300]])
    buyer = replace(
        market.buyers[0],
        bids=(Bid(0, "recycle", Decimal(300)), Bid(0, "reuse", Decimal(340))),
    )

    choice = choose(replace(market, buyers=(buyer,)), effort=QUICK)

    assert [(sale.use, sale.worth) for sale in choice.sales] == [("reuse", Decimal(340))]


def test_no_buyer_gets_more_than_it_may_take():
    lots = [(10, 0), (11, 0), (12, 0)]
    market = shard(lots, [(0, 0)], [[300, 290, 280]], capacity_kg=Decimal(700))

    choice = choose(market, effort=QUICK)

    assert len(choice.sales) == 2
    assert choice_faults(market, choice) == ()


@pytest.mark.parametrize("worth", [[], [[None, None]], [[-5, 0]], [[20, 20]]])
def test_where_nothing_pays_everything_stays(worth):
    market = shard([(100, 0), (101, 0)], [(0, 0)] * len(worth), worth)

    choice = choose(market, effort=QUICK)

    assert choice.sales == ()
    assert choice.left == (0, 1)
    assert choice.surplus == 0


def test_nothing_to_sell_is_a_choice():
    assert choose(shard([], [(0, 0)], [[]]), effort=QUICK).surplus == 0


def test_a_lot_without_a_road_to_one_buyer_goes_to_the_other():
    market = shard([(10, 0)], [(0, 0), (30, 0)], [[500], [300]])
    for a, b in ((0, 1), (1, 0)):
        market.matrix.hectometres[a, b] = market.matrix.minutes[a, b] = UNREACHABLE

    choice = choose(market, effort=QUICK)

    assert [sale.buyer for sale in choice.sales] == [1]


def test_windows_hours_and_dangerous_goods_hold_for_every_buyer():
    fleet = (
        replace(VAN, carries_dangerous_goods=False, hours=Hours(360, 1080, 600, 540, 270, 45)),
        replace(LORRY, number=1, hours=Hours(360, 1080, 600, 540, 270, 45), max_stops=2),
    )
    market = shard(
        [(10, 0), (20, 0), (30, 5), (40, 5)],
        [(0, 0), (50, 0)],
        [[300, 300, 200, 200], [250, 250, 260, 260]],
        fleet=fleet,
    )
    stops = tuple(
        replace(one, is_dangerous=True, opens=480, closes=700, service_minutes=15)
        for one in market.stops
    )

    choice = choose(replace(market, stops=stops), effort=QUICK)

    assert choice_faults(replace(market, stops=stops), choice) == ()
    assert len(choice.sales) == 4


def test_the_same_effort_gives_the_same_choice():
    dice = np.random.default_rng(3)
    worth = dice.integers(20, 300, (2, 10)).tolist()
    market = shard(dice.normal(0, 40, (10, 2)).tolist(), [(60, 0), (-60, 0)], worth)
    effort = Effort(seconds=60, iterations=80)

    once, again = choose(market, effort=effort), choose(market, effort=effort)

    assert (once.sales, once.plans) == (again.sales, again.plans)


def test_a_bid_for_no_lot_is_refused():
    market = shard([(1, 0)], [(0, 0)], [[1, 1]])

    with pytest.raises(ValueError, match="name a stop"):
        choose(market, effort=QUICK)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda one: {"surplus": one.surplus + 1}, "surplus"),
        (lambda one: {"left": (0,)}, "sold twice"),
        (lambda one: {"sales": one.sales[1:]}, "do not carry"),
        (lambda one: {"sales": (replace(one.sales[0], use="magic"), *one.sales[1:])}, "nobody bid"),
        (lambda one: {"plans": (replace(one.plans[0], cost=Decimal(1)),)}, "buyer 0"),
    ],
)
def test_the_checker_sees_what_is_wrong(spoil, said):
    market = shard([(10, 0), (11, 0)], [(0, 0)], [[300, 300]])
    choice = choose(market, effort=QUICK)
    assert choice_faults(market, choice) == ()

    assert said in "; ".join(choice_faults(market, replace(choice, **spoil(choice))))


def test_the_checker_sees_a_buyer_with_too_much():
    market = shard([(10, 0), (11, 0)], [(0, 0)], [[300, 300]])
    choice = choose(market, effort=QUICK)
    tight = replace(market, buyers=(replace(market.buyers[0], capacity_kg=Decimal(1)),))

    assert "gets 600 kg of 1" in "; ".join(choice_faults(tight, choice))
