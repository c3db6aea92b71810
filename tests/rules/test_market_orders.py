"""Which lot fits which order, and the reasons when it does not."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.market.rules import orders as rules
from marketplace.market.rules.orders import Misfit

WANTED = rules.Wanted(
    materials=frozenset({"LFP"}),
    takes_intact=True,
    takes_damaged=False,
    country="ID",
    currency="IDR",
    site=(-6.23, 106.99),
    within_km=100,
    kg_from=Decimal(50),
    kg_to=Decimal(500),
    left_kg=Decimal(300),
    health=(Decimal("0.70"), Decimal("0.95")),
    health_basis="CAPACITY",
    needs_energy=True,
)
BROUGHT = rules.Brought(
    material="LFP",
    is_damaged=False,
    country="ID",
    currency="IDR",
    position=(-6.3, 107.3),
    mass_kg=Decimal(120),
    health=rules.Health(Decimal("0.8"), "CAPACITY"),
    energy_kwh=Decimal(9),
)


def test_a_lot_that_is_what_an_order_takes_fits():
    assert rules.misfits(WANTED, BROUGHT) == ()


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"currency": "INR"}, Misfit.CURRENCY),
        ({"country": "IN"}, Misfit.COUNTRY),
        ({"material": "NMC532"}, Misfit.MATERIAL),
        ({"material": None}, Misfit.KIND_UNKNOWN),
        ({"is_damaged": True}, Misfit.DAMAGED),
        ({"position": None}, Misfit.PLACE_UNKNOWN),
        ({"position": (-7.25, 112.75)}, Misfit.TOO_FAR),
        ({"mass_kg": Decimal(49)}, Misfit.TOO_LIGHT),
        ({"mass_kg": Decimal(501)}, Misfit.TOO_HEAVY),
        ({"mass_kg": Decimal(301)}, Misfit.FULL),
        ({"health": None}, Misfit.HEALTH_UNKNOWN),
        ({"health": rules.Health(Decimal("0.8"), "ENERGY")}, Misfit.HEALTH_BASIS),
        ({"health": rules.Health(Decimal("0.69"), "CAPACITY")}, Misfit.HEALTH_LOW),
        ({"health": rules.Health(Decimal("0.96"), "CAPACITY")}, Misfit.HEALTH_HIGH),
        ({"energy_kwh": None}, Misfit.ENERGY_UNKNOWN),
    ],
)
def test_what_does_not_fit_is_told_by_its_own_reason(other, why):
    assert rules.misfits(WANTED, replace(BROUGHT, **other)) == (why,)


def test_an_order_for_damaged_ones_does_not_take_sound_ones():
    wanted = replace(WANTED, takes_intact=False, takes_damaged=True)

    assert rules.misfits(wanted, BROUGHT) == (Misfit.INTACT,)


def test_an_order_for_the_whole_country_asks_for_no_place():
    assert rules.misfits(replace(WANTED, within_km=None), replace(BROUGHT, position=None)) == ()


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), unique_by=lambda pair: pair[0]))
def test_the_best_offer_pays_the_most_and_of_equal_ones_is_the_oldest(offers):
    ranked = rules.best_first(rules.Ranked(key, Decimal(price)) for key, price in offers)

    assert len(ranked) == len(offers)
    for better, worse in pairwise(ranked):
        assert better.price > worse.price or (
            better.price == worse.price and better.key < worse.key
        )


def test_the_fingerprint_of_terms_does_not_depend_on_how_a_number_is_written():
    assert rules.terms_digest({"a": Decimal("5.0")}) == rules.terms_digest({"a": Decimal(5)})
    assert rules.terms_digest({"a": Decimal(5)}) != rules.terms_digest({"a": Decimal(6)})
