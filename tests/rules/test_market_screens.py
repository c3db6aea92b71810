"""Screens for rings: planted ones are found, honest bidding seldom is."""

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.market.rules import screens
from marketplace.market.rules.screens import Sale


def honest(seed, *, many=40, firms=5):
    """Firms who reckon by themselves: each has its own idea of the worth, and not everybody comes."""
    chance = random.Random(seed)
    sales = []
    for number in range(many):
        worth = chance.uniform(800, 1200)
        there = chance.sample(range(1, firms + 1), chance.randint(2, firms))
        bids = {
            firm: Decimal(round(worth * chance.gauss(1, 0.15), 2)).quantize(Decimal("0.01"))
            for firm in there
        }
        sales.append(Sale(number, bids, max(bids, key=bids.get)))
    return sales


def taking_turns(many=12):
    bids = [{1: Decimal(1000 + n), 2: Decimal(900 + n)} for n in range(many)]
    return [
        Sale(n, found if n % 2 else {1: found[2], 2: found[1]}, 1 if n % 2 else 2)
        for n, found in enumerate(bids)
    ]


def test_two_who_take_turns_are_found():
    (found,) = screens.rotation(taking_turns())

    assert (found.kind, found.firms) == ("ROTATION", (1, 2))
    assert found.figures["changes"] == "11 of 11"
    assert found.sales == tuple(range(12))


def test_five_sales_together_say_nothing():
    assert screens.rotation(taking_turns(5)) == []


def test_one_who_always_loses_and_keeps_clear_is_found():
    sales = [
        Sale(n, {1: Decimal(1000 + n), 2: Decimal(850 + n), 3: Decimal(845 + n)}, 1)
        for n in range(8)
    ]

    found = screens.cover_bids(sales)

    assert {(each.firms, each.figures["loser"]) for each in found} == {((1, 2), "2"), ((1, 3), "3")}


def test_one_who_loses_by_a_hair_is_no_cover():
    sales = [
        Sale(n, {1: Decimal(1000), 2: Decimal(995), 3: Decimal(700 + 20 * n)}, 1) for n in range(8)
    ]

    assert (1, 2) not in {each.firms for each in screens.cover_bids(sales)}


def test_bids_that_are_too_much_alike_are_found():
    alike = [Sale(n, {1: Decimal(1000), 2: Decimal(990), 3: Decimal(1010)}, 3) for n in range(6)]
    apart = [Sale(n, {1: Decimal(1000), 2: Decimal(700), 3: Decimal(1300)}, 3) for n in range(6)]

    assert [each.figures["variation"] for each in screens.close_bids(alike)] == ["0.0082"]
    assert screens.close_bids(apart) == []


def test_rivals_who_share_a_person_are_found_and_strangers_are_not():
    sales = [Sale(7, {1: Decimal(9), 2: Decimal(8)}, 1), Sale(8, {3: Decimal(9), 1: Decimal(8)}, 3)]
    traces = {"person": [(1, "a"), (2, "a"), (3, "b"), (2, "c"), (4, "a")]}

    (found,) = screens.shared_traces(sales, traces)

    assert (found.firms, found.sales, found.figures) == (
        (1, 2),
        (7,),
        {"trace": "person", "shared": "1"},
    )


@pytest.mark.parametrize("screen", [screens.rotation, screens.cover_bids, screens.close_bids])
def test_honest_markets_are_seldom_suspected(screen):
    """Of a hundred pairs in ten markets, at most two by chance: people look at each, so a few are borne."""
    found = [each for seed in range(10) for each in screen(honest(seed))]

    assert len(found) <= 2


@given(st.integers(0, 50))
def test_a_finding_does_not_depend_on_the_names_of_the_firms(seed):
    sales = taking_turns() + honest(seed, many=3)
    names = {firm: firm + 100 for firm in range(1, 6)}
    renamed = [
        Sale(s.number, {names[f]: b for f, b in s.bids.items()}, s.winner and names[s.winner])
        for s in sales
    ]

    plain = [(each.firms, each.figures) for each in screens.rotation(sales)]
    other = [
        (tuple(firm - 100 for firm in each.firms), each.figures)
        for each in screens.rotation(renamed)
    ]
    assert plain == other
