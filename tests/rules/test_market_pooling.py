"""Pools: what may go together, who gets what, and what happens when something is missing."""

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.market.rules import pool_check, pool_choice, pool_offers, pooling
from marketplace.market.rules.pool_candidates import Candidates, own_trip_cost, parcel_cost
from marketplace.market.rules.pool_search import Look
from marketplace.market.rules.pool_terms import (
    Lorry,
    Market,
    Outlet,
    Policy,
    PoolLot,
    PoolOrder,
    Segregation,
    Tariff,
    Use,
    Way,
    segregation_of,
)

TUESDAY = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
SOUND = Segregation.LITHIUM_SOUND
QUICK = pooling.Effort(seconds=60, look=Look(rounds=2, steps=60, steps_a_stop=4, most_steps=120))
LORRIES = (
    Lorry("1 t", Decimal(1000), Decimal(25), Decimal("0.28")),
    Lorry("3.5 t", Decimal(3500), Decimal(45), Decimal("0.42")),
    Lorry("9 t", Decimal(9000), Decimal(80), Decimal("0.62")),
)
TARIFF = Tariff(
    lorries=LORRIES,
    per_stop=Decimal(6),
    parcel_least=Decimal(18),
    parcel_per_kg=Decimal("0.55"),
    dangerous_per_km_share=Decimal("0.2"),
    dangerous_fixed=Decimal(30),
)


def lot(number, *, kg=300, at=(18.5, 73.8), **told):
    told = {"country": "IN", "material": "NMC", "group": SOUND, **told}
    return PoolLot(
        id=number, seller=told.pop("seller", number), place=at, mass_kg=Decimal(kg), **told
    )


def order(number=1, *, outlet=1, price="1.50", **told):
    told = {"material": "NMC", "groups": frozenset({SOUND}), "use": Use.RECYCLE, **told}
    return PoolOrder(
        id=number,
        outlet=outlet,
        price_per_kg=Decimal(price),
        kg_left=told.pop("kg_left", Decimal(100_000)),
        **told,
    )


MUMBAI = Outlet(1, 1, (19.08, 72.88), "IN")
PUNE = [(18.52, 73.86), (18.60, 73.80), (18.45, 73.95), (18.65, 73.75)]


def market(lots=None, orders=None, **told):
    if lots is None:
        lots = [lot(number, at=place) for number, place in enumerate(PUNE, start=1)]
    return Market(
        lots=tuple(lots),
        outlets=told.pop("outlets", (MUMBAI,)),
        orders=tuple(orders or [order()]),
        tariff=told.pop("tariff", TARIFF),
        starts_at=TUESDAY,
        ends_at=TUESDAY + timedelta(days=7),
        **told,
    )


def planned(given_market, seed=1):
    run = pooling.plan_pools(given_market, seed=seed, effort=QUICK)
    assert pool_check.faults(given_market, run) == ()
    return run


def test_small_lots_of_one_town_share_a_lorry_and_all_gain():
    run = planned(market([lot(n, kg=200, at=place) for n, place in enumerate(PUNE, start=1)]))

    assert len(run.pools) == 1
    pool = run.pools[0]
    assert sorted(pool.lots) == [1, 2, 3, 4]
    assert all(share.gain > 0 for share in pool.shares)
    assert sum(share.freight for share in pool.shares) == pool.freight
    assert pool.freight < pool.stand_alone_freight
    assert run.status == "OPTIMAL"
    assert run.value == run.alone_value + pool.gain
    assert (run.alone, run.gap) == ((), 0)
    assert pool.in_core
    assert TUESDAY <= pool.departs_at < pool.stops[0].arrives_at < pool.returns_at
    assert {use.code for use in run.uses} == {"HIGHEST"}


def test_the_example_of_the_page_is_what_the_rules_say():
    lots = [
        lot(n, kg=kg, at=place)
        for n, (place, kg) in enumerate(zip(PUNE, (60, 140, 300, 420), strict=True), start=1)
    ]
    pool = planned(market(lots)).pools[0]
    page = (Path(__file__).parents[2] / "docs" / "pooling.md").read_text()

    assert pool.in_core
    for share in pool.shares:
        kg = lots[share.seller - 1].mass_kg
        figures = [
            share.gross,
            share.alone_freight,
            share.alone,
            share.freight,
            share.net,
            share.gain,
        ]
        row = " | ".join([str(share.seller), str(kg), *(f"{figure:.2f}" for figure in figures)])
        assert f"| {row} |" in page


def test_the_same_market_and_seed_give_the_same_run():
    first, again = planned(market()), planned(market())

    assert dataclasses.replace(first, seconds=0) == dataclasses.replace(again, seconds=0)
    assert first.inputs_digest != planned(market(), seed=2).inputs_digest


def test_damaged_goods_never_travel_with_sound_ones():
    damaged = Segregation.LITHIUM_DAMAGED
    lots = [
        lot(number, at=place, group=damaged if number % 2 else SOUND)
        for number, place in enumerate([*PUNE, *PUNE], start=1)
    ]
    run = planned(market(lots, [order(groups=frozenset({SOUND, damaged}))]))

    assert {pool.group for pool in run.pools} == {SOUND, damaged}
    for pool in run.pools:
        assert {lots[number - 1].group for number in pool.lots} == {pool.group}


def test_lithium_and_acid_are_other_groups():
    assert segregation_of(is_lithium=True, is_damaged=True).is_damaged
    assert segregation_of(is_lithium=True, is_damaged=True).is_lithium
    assert not segregation_of(is_lithium=False, is_damaged=False).is_lithium
    assert segregation_of(is_lithium=False, is_damaged=True) == Segregation.OTHER_DAMAGED


@pytest.mark.parametrize(
    "told",
    [
        {"material": "LFP"},
        {"groups": frozenset({Segregation.LITHIUM_DAMAGED})},
        {"kg_left": Decimal(10)},
        {"least_health": Decimal("0.8")},
        {"licence": "IN-1"},
        {"not_sellers": frozenset({1, 2, 3, 4})},
    ],
    ids=["material", "condition", "kg left", "health unknown", "no licence kg", "blocked sellers"],
)
def test_an_order_that_does_not_take_the_lots_makes_no_pool(told):
    run = planned(market(orders=[order(**told)]))

    assert run.pools == ()
    assert {one.way for one in run.alone} == {Way.NONE}
    assert (run.status, run.value) == ("EMPTY", 0)


def test_goods_that_are_too_good_for_an_order_stay_out_of_it():
    lots = [lot(n, at=place, health=Decimal("0.9")) for n, place in enumerate(PUNE, start=1)]
    run = planned(market(lots, [order(most_health=Decimal("0.7"))]))

    assert run.pools == ()


def test_no_lorry_crosses_a_border_or_the_sea():
    abroad = market([lot(n, at=place, country="LK") for n, place in enumerate(PUNE, start=1)])
    island = market(
        [lot(n, at=place, landmass="Elephanta") for n, place in enumerate(PUNE, start=1)]
    )

    assert planned(abroad).pools == ()
    assert {one.way for one in planned(abroad).alone} == {Way.NONE}
    assert planned(island).pools == ()
    assert {one.way for one in planned(island).alone} == {Way.PARCEL}


def test_a_licence_is_never_drawn_beyond_its_year():
    run = planned(market(orders=[order(licence="IN-1")], licence_kg_left={"IN-1": Decimal(700)}))

    assert [pool.mass_kg for pool in run.pools] == [600]
    assert len(run.alone) == 2


def test_a_licence_shared_by_two_groups_is_drawn_once():
    damaged = Segregation.LITHIUM_DAMAGED
    lots = [
        lot(number, at=place, group=damaged if number > 4 else SOUND)
        for number, place in enumerate([*PUNE, *PUNE], start=1)
    ]
    orders = [order(groups=frozenset({SOUND, damaged}), licence="IN-1")]
    run = planned(market(lots, orders, licence_kg_left={"IN-1": Decimal(1800)}))

    assert sum(pool.mass_kg for pool in run.pools) <= 1800
    assert len(run.pools) == 2


def test_a_reserve_that_the_pool_cannot_pay_keeps_the_lot_at_home():
    lots = [lot(n, at=place) for n, place in enumerate(PUNE, start=1)]
    lots[0] = dataclasses.replace(lots[0], reserve=Decimal(5000))
    run = planned(market(lots))

    assert [one.lots for one in run.alone] == [(1,)]
    assert run.alone[0].way == "KEEP"
    assert sorted(run.pools[0].lots) == [2, 3, 4]


def test_a_better_offer_at_the_gate_counts_as_alone():
    lots = [lot(n, at=place) for n, place in enumerate(PUNE, start=1)]
    lots[0] = dataclasses.replace(
        lots[0], gate_offers={"PICKED_UP": Decimal(449), "SCRAP": Decimal(9)}
    )
    run = planned(market(lots))

    assert [(one.lots, one.way, one.net) for one in run.alone] == [((1,), "PICKED_UP", 449)]


def test_a_seller_with_much_takes_their_own_lorry_as_best_way_alone():
    loads = Candidates(market([lot(1, kg=800, seller=7), lot(2, kg=900, seller=7)])).loads()

    assert [load.alone.way for load in loads] == [Way.OWN_TRIP]
    assert loads[0].alone.outlet == 1
    assert loads[0].alone.lots == (1, 2)


def test_a_load_above_the_largest_lorry_goes_alone_in_several():
    told = market([lot(1, kg=20_000)])

    cost = own_trip_cost(told, SOUND, km=Decimal(100), mass_kg=Decimal(20_000))

    assert cost == 2 * (80 + 30 + Decimal("74.4") + 6) + (45 + 30 + Decimal("50.4") + 6)
    assert (
        own_trip_cost(
            market(tariff=dataclasses.replace(TARIFF, lorries=())),
            SOUND,
            km=Decimal(1),
            mass_kg=Decimal(1),
        )
        is None
    )
    assert planned(told).pools == ()


def test_a_parcel_has_a_least_price_and_a_most_mass():
    light = dataclasses.replace(TARIFF, parcel_most_kg=Decimal(30))

    assert parcel_cost(market(), Decimal(10)) == 18
    assert parcel_cost(market(), Decimal(100)) == 55
    assert parcel_cost(market(tariff=light), Decimal(31)) is None


def test_one_seller_is_no_pool():
    lots = [lot(n, at=place, seller=1) for n, place in enumerate(PUNE, start=1)]

    assert planned(market(lots)).pools == ()


def test_a_pool_that_gains_too_little_is_not_offered():
    strict = Policy(least_gain_share=Decimal("0.9"))

    assert planned(market(policy=strict)).pools == ()


def test_a_lower_use_must_pay_enough_more():
    close = [order(1, price="1.50", use=Use.REUSE), order(2, price="1.53")]
    better = [order(1, price="1.50", use=Use.REUSE), order(2, price="1.80")]

    kept = planned(market(orders=close))
    lowered = planned(market(orders=better))

    assert {line.use for pool in kept.pools for line in pool.sold} == {Use.REUSE}
    assert {line.use for pool in lowered.pools for line in pool.sold} == {Use.RECYCLE}
    assert {use.code for use in lowered.uses} == {"LOWER_PAYS_MORE"}
    assert all(use.net > use.higher_net * Decimal("1.05") for use in lowered.uses)


def test_what_a_buyer_does_not_take_goes_its_own_best_way():
    lots = [lot(n, at=place) for n, place in enumerate(PUNE, start=1)]
    lots.append(lot(5, seller=1, at=PUNE[0], material="LFP", gate_offers={"SCRAP": Decimal(40)}))
    run = planned(market(lots))

    share = next(share for share in run.pools[0].shares if share.seller == 1)
    assert share.lots == (1, 5)
    assert share.others_net == 40
    assert share.net == share.gross - share.freight + 40
    assert 5 not in run.pools[0].lots


def test_lots_are_fetched_within_their_hours():
    opens = TUESDAY + timedelta(hours=30)
    lots = [
        lot(n, at=place, opens_at=opens, closes_at=opens + timedelta(hours=3))
        for n, place in enumerate(PUNE, start=1)
    ]
    run = planned(market(lots))

    assert run.pools
    for stop in run.pools[0].stops:
        assert opens <= stop.loads_at <= opens + timedelta(hours=3)


def test_hours_that_cannot_be_met_together_make_no_common_lorry():
    lots = [
        lot(
            n,
            at=place,
            opens_at=TUESDAY + timedelta(days=n),
            closes_at=TUESDAY + timedelta(days=n, minutes=5),
        )
        for n, place in enumerate(PUNE, start=1)
    ]
    short = dataclasses.replace(TARIFF, most_days=1)

    assert planned(market(lots, tariff=short)).pools == ()


def test_a_short_tour_needs_no_rest_and_a_long_one_does():
    far = [(19.88 + n / 50, 75.34) for n in range(4)]
    near = planned(market()).pools[0]
    distant = planned(market([lot(n, at=place) for n, place in enumerate(far, start=1)])).pools[0]

    def minutes_a_km(pool):
        first = pool.stops[0]
        return (first.arrives_at - pool.departs_at).total_seconds() / float(first.km_before)

    assert minutes_a_km(distant) > 2 * minutes_a_km(near)


def test_volume_fills_a_lorry_too():
    lorries = (dataclasses.replace(LORRIES[1], volume_m3=Decimal(5)),)
    lots = [lot(n, at=place, volume_m3=Decimal(2)) for n, place in enumerate(PUNE, start=1)]
    run = planned(market(lots, tariff=dataclasses.replace(TARIFF, lorries=lorries)))

    assert run.pools
    assert all(len(pool.stops) <= 2 for pool in run.pools)


def test_a_site_has_only_so_many_lorries():
    lorries = (dataclasses.replace(LORRIES[0], number=1, payload_kg=Decimal(600)),)
    run = planned(market(tariff=dataclasses.replace(TARIFF, lorries=lorries)))

    assert len(run.pools) == 1
    assert len(run.alone) == 2


def test_a_run_without_time_still_answers():
    run = pooling.plan_pools(market(), seed=1, effort=dataclasses.replace(QUICK, seconds=0))

    assert pool_check.faults(market(), run) == ()
    assert run.value == run.alone_value


def test_an_empty_market_has_an_empty_run():
    run = planned(market([]))

    assert (run.pools, run.alone, run.status) == ((), (), "EMPTY")


@pytest.mark.parametrize(
    "wrong",
    [
        {"orders": [order(outlet=9)]},
        {"lots": [lot(1), lot(1)]},
        {"lots": [lot(1, kg=0)]},
        {
            "tariff": dataclasses.replace(
                TARIFF, lorries=(Lorry("x", Decimal(0), Decimal(1), Decimal(1)),)
            )
        },
    ],
    ids=["no site", "twice", "no mass", "no payload"],
)
def test_what_is_no_market_is_refused(wrong):
    with pytest.raises(ValueError, match=r"Every|No id"):
        pooling.plan_pools(market(**wrong), seed=1)


def test_a_run_ends_after_it_starts():
    backwards = dataclasses.replace(market(), ends_at=TUESDAY)
    with pytest.raises(ValueError, match="ends after"):
        pooling.plan_pools(backwards, seed=1)


def test_a_tour_that_no_lorry_drives_is_chosen_again_without_it(monkeypatch):
    asked = []

    def refuse_the_first(ground, tour):
        asked.append(tour)
        return None if len(asked) == 1 else pool_offers.offered(ground, tour)

    monkeypatch.setattr(pooling, "offered", refuse_the_first)
    run = planned(market())

    assert len(asked) == 2
    assert sum(len(pool.stops) for pool in run.pools) == 3


def test_when_a_seller_leaves_the_others_share_anew_and_are_still_not_worse_off():
    lots = [lot(n, kg=200, at=place) for n, place in enumerate(PUNE, start=1)]
    pool = planned(market(lots)).pools[0]

    left = pooling.reshared(market(lots), pool, leaving={3})

    assert [share.seller for share in left.shares] == [
        s.seller for s in pool.shares if s.seller != 3
    ]
    assert sum(share.freight for share in left.shares) == left.freight
    assert all(share.gain >= 0 for share in left.shares)
    assert left.key != pool.key


def test_a_pool_is_given_up_when_too_few_stay_or_their_buyer_is_gone():
    pool = planned(market()).pools[0]

    assert pooling.reshared(market(), pool, leaving={1, 2, 3}) is None
    assert pooling.reshared(market(), pool, leaving={1, 2, 3, 4}) is None
    assert pooling.reshared(market(orders=[order(kg_left=Decimal(1))]), pool, leaving={1}) is None
    elsewhere = market(orders=[order(outlet=2)], outlets=(MUMBAI, Outlet(2, 2, (18.5, 73.0), "IN")))
    assert pooling.reshared(elsewhere, pool, leaving={1}) is None
    now_elsewhere = market(
        [
            lot(n, at=place, landmass="" if n > 3 else "Elephanta")
            for n, place in enumerate(PUNE, start=1)
        ]
    )
    assert pooling.reshared(now_elsewhere, pool, leaving=()) is None


def test_more_stops_than_can_be_enumerated_are_shared_by_search():
    lots = [lot(n, kg=50, at=(18.4 + n / 100, 73.8 + n % 3 / 50)) for n in range(1, 19)]
    run = planned(market(lots, policy=Policy(most_stops=20)))

    assert max(len(pool.stops) for pool in run.pools) > 14
    assert not all(pool.is_exact for pool in run.pools)
    assert run.gain == sum(pool.gain for pool in run.pools)


def test_tight_orders_are_kept_while_lots_move_between_lorries():
    lots = [lot(n, kg=150 + 10 * n, at=(18.4 + n / 60, 73.6 + n % 5 / 12)) for n in range(1, 25)]
    pune = Outlet(2, 2, (18.5, 73.9), "IN")
    orders = [
        order(1, kg_left=Decimal(2000)),
        order(2, outlet=2, price="1.40", kg_left=Decimal(1500)),
    ]

    run = planned(market(lots, orders, outlets=(MUMBAI, pune)))

    assert run.pools


places = st.tuples(st.floats(18.0, 19.5), st.floats(72.9, 74.5))


@given(
    st.lists(st.tuples(places, st.integers(20, 2500), st.integers(1, 6)), min_size=1, max_size=9),
    st.decimals("0.3", "2.5", places=2),
    st.integers(500, 9000),
)
@settings(max_examples=12, deadline=None)
def test_any_market_is_planned_without_a_fault(told, price, kg_left):
    lots = [
        lot(
            n,
            kg=kg,
            seller=seller,
            at=(round(at[0], 4), round(at[1], 4)),
            gate_offers={"SCRAP": Decimal(kg) / 4},
        )
        for n, (at, kg, seller) in enumerate(told, start=1)
    ]
    pune = Outlet(2, 2, (18.5, 73.9), "IN")
    orders = [
        order(1, price=str(price), kg_left=Decimal(kg_left)),
        order(2, outlet=2, price="1.10"),
    ]

    run = planned(market(lots, orders, outlets=(MUMBAI, pune)))

    assert run.value >= run.alone_value


class TestTheCheck:
    """Every promise that is broken is found."""

    def broken(self, **change):
        run = planned(market())
        pool = dataclasses.replace(run.pools[0], **change)
        return pool_check.faults(market(), dataclasses.replace(run, pools=(pool,)))

    def share(self, **change):
        run = planned(market())
        shares = (dataclasses.replace(run.pools[0].shares[0], **change), *run.pools[0].shares[1:])
        return self.broken(shares=shares)

    def sold(self, **change):
        run = planned(market())
        sold = (dataclasses.replace(run.pools[0].sold[0], **change), *run.pools[0].sold[1:])
        return self.broken(sold=sold)

    def stop(self, **change):
        run = planned(market())
        stops = (dataclasses.replace(run.pools[0].stops[0], **change), *run.pools[0].stops[1:])
        return self.broken(stops=stops)

    def test_a_share_that_does_not_add_up(self):
        assert any("add up to the freight" in one for one in self.share(freight=Decimal(1)))

    def test_a_seller_who_is_worse_off(self):
        assert any("worse off" in one for one in self.share(alone=Decimal(10_000)))

    def test_a_net_that_is_not_the_sum(self):
        assert any("does not add up" in one for one in self.share(net=Decimal(1)))

    def test_a_gross_that_is_not_the_sum(self):
        assert any("not paid for their lots" in one for one in self.share(gross=Decimal(1)))

    def test_a_lot_in_two_places(self):
        run = planned(market())
        twice = dataclasses.replace(run, pools=run.pools * 2)
        assert any("stands 2 times" in one for one in pool_check.faults(market(), twice))

    def test_a_lot_that_is_forgotten_or_strange(self):
        run = planned(market())
        told = pool_check.faults(market([lot(9)]), run)
        assert any("forgotten" in one for one in told)
        assert any("not of this market" in one for one in told)

    def test_an_order_that_is_not_there(self):
        assert any("Order 77" in one for one in self.sold(order=77))

    def test_another_price_mass_or_use(self):
        assert any("price" in one for one in self.sold(price_per_kg=Decimal(9)))
        assert any("as it is" in one for one in self.sold(mass_kg=Decimal(9)))
        assert any("use" in one for one in self.sold(use=Use.REUSE))
        assert any("add up to what" in one for one in self.sold(amount=Decimal(9)))

    def test_a_group_that_may_not_travel(self):
        told = self.broken(group=Segregation.LITHIUM_DAMAGED)
        assert any("may not travel" in one for one in told)

    def test_a_lorry_that_is_too_small_or_not_there(self):
        assert any("too heavy" in one for one in self.broken(lorry="1 t"))
        assert any("no such lorry" in one for one in self.broken(lorry="tram"))

    def test_a_freight_that_is_not_by_the_tariff(self):
        assert any("tariff" in one for one in self.broken(freight=Decimal(1)))

    def test_a_way_that_is_not_as_long(self):
        assert any("tour's length" in one for one in self.broken(km=Decimal(1)))
        assert any("leg's length" in one for one in self.stop(km_before=Decimal(1)))
        assert any("not where" in one for one in self.stop(place=(0.0, 0.0)))

    def test_times_that_cannot_be(self):
        assert any("before the lorry" in one for one in self.stop(arrives_at=TUESDAY))
        early = TUESDAY - timedelta(days=1)
        assert any("before or after" in one for one in self.broken(departs_at=early))
        assert any("unloads before" in one for one in self.broken(unloads_at=early))
        late = TUESDAY + timedelta(days=6)
        assert any("out too long" in one for one in self.broken(returns_at=late))

    def test_a_stop_or_site_of_somebody_else(self):
        assert any("not theirs" in one for one in self.stop(lots=(4,)))
        assert any("another buyer" in one for one in self.broken(buyer=9))

    def test_a_value_outside_its_bounds(self):
        run = planned(market())
        for change in ({"value": run.value + 1}, {"bound": run.alone_value - 1}):
            assert pool_check.faults(market(), dataclasses.replace(run, **change))

    def test_orders_and_licences_drawn_beyond_what_they_have(self):
        run = planned(market())
        short = market(orders=[order(kg_left=Decimal(1000))])
        assert any("more than it takes" in one for one in pool_check.faults(short, run))
        unlicensed = market(orders=[order(licence="IN-1")])
        assert any("beyond its year" in one for one in pool_check.faults(unlicensed, run))


class TestTheParts:
    def test_a_market_is_cut_by_country_landmass_and_group(self):
        lots = [
            lot(1),
            lot(2, country="LK"),
            lot(3, landmass="x"),
            lot(4, group=Segregation.OTHER_SOUND),
        ]
        parts = pooling.shards(market(lots))

        assert sorted(one.id for part in parts for one in part.lots) == [1, 2, 3, 4]
        assert len(parts) == 4
        assert [len(part.outlets) for part in parts] == [1, 1, 1, 0]

    def test_a_large_part_is_cut_by_cells_and_loses_no_lot(self):
        lots = [lot(n, at=(10 + n % 13, 73 + n % 7 / 2)) for n in range(1, 120)]

        parts = pooling.by_cells(lots, most=20)

        assert all(len(part) <= 20 for part in parts)
        assert sorted(one.id for part in parts for one in part) == list(range(1, 120))

    def test_a_town_larger_than_a_part_stays_whole_cells(self):
        parts = pooling.by_cells([lot(n) for n in range(1, 30)], most=10)

        assert sum(len(part) for part in parts) == 29

    def test_a_part_is_named_by_its_lots(self):
        one, other = pooling.shards(market([lot(1), lot(2), lot(3, country="LK")]))

        assert pooling.shard_name(one).startswith("IN/-/LITHIUM_SOUND/82")
        assert pooling.shard_name(other).startswith("LK/")
        assert pooling.shard_name(one) == pooling.shard_name(dataclasses.replace(one, orders=()))

    def test_a_part_has_at_least_one_lot(self):
        with pytest.raises(ValueError, match="at least one"):
            pooling.by_cells([lot(1)], most=0)


class TestTheChoice:
    def column(self, value, *loads, **draws):
        return pool_choice.Column(value, frozenset(loads), draws)

    def test_the_best_choice_is_proven_and_the_greedy_one_is_its_floor(self):
        columns = [self.column(10.0, 1, 2), self.column(7.0, 1), self.column(6.0, 2)]
        choice = pool_choice.choose(columns, {}, seconds=5)

        assert (choice.chosen, choice.value, choice.status) == ((1, 2), 13.0, "OPTIMAL")
        assert choice.greedy_value == 10.0
        assert choice.bound == pytest.approx(13.0)

    def test_limits_hold(self):
        columns = [self.column(5.0, 1, kg=6.0), self.column(4.0, 2, kg=6.0), self.column(1.0, 3)]
        choice = pool_choice.choose(columns, {"kg": 10.0}, seconds=5)

        assert choice.chosen == (0, 2)

    def test_nothing_to_choose_from_is_empty(self):
        assert pool_choice.choose([], {}, seconds=5).status == "EMPTY"

    def test_a_solver_that_answers_nothing_leaves_the_floor(self, monkeypatch):
        class Mute:
            def __init__(self, solver):
                self.solver = solver

            def __getattr__(self, name):
                return getattr(self.solver, name)

            def run(self):
                return None

        build = pool_choice._programme
        monkeypatch.setattr(pool_choice, "_programme", lambda *told: Mute(build(*told)))
        columns = [self.column(10.0, 1, 2), self.column(7.0, 1), self.column(6.0, 2)]
        choice = pool_choice.choose(columns, {}, seconds=5, floor=[1, 2])

        assert (choice.chosen, choice.value, choice.status) == ((1, 2), 13.0, "GREEDY")
        assert choice.bound >= 13.0
