"""The worked examples of the documentation are what the code says, to the last cent."""

import doctest
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from marketplace.pricing.queries import Facts, Health, inputs_of, market_on
from marketplace.pricing.rules import Route, summed, terms_of
from marketplace.reference.models import Chemistry

pytestmark = pytest.mark.django_db
PAGE = Path(__file__).resolve().parents[2] / "docs/valuation-examples.md"
ON = date(2026, 11, 23)


def eval_exactly(sum_by_hand):
    """Work out arithmetic in decimals: no line of the page goes through a float."""
    exact = re.sub(r"[\d.]+", lambda number: f"Decimal('{number[0]}')", sum_by_hand)
    assert re.fullmatch(r"[-+*/() \d.']*", exact.replace("Decimal", ""))
    return eval(exact, {"Decimal": Decimal})


def cents(usd):
    return usd.quantize(Decimal("0.01"))


def worth_of_a_tonne(chemistry):
    inputs = inputs_of(Facts(chemistry=chemistry, mass_kg=Decimal(1000)), market_on(ON))
    return [term.usd for term in terms_of(inputs, Route.RECYCLE)]


def second_life_of(chemistry, *, kg, kwh, health):
    facts = Facts(
        chemistry=chemistry,
        mass_kg=Decimal(kg),
        energy_kwh=Decimal(kwh),
        health=Health(Decimal(health), Decimal("0.02")),
    )
    return [term.usd for term in terms_of(inputs_of(facts, market_on(ON)), Route.REPURPOSE)]


def test_every_example_is_what_the_code_says(reference):
    done = doctest.testfile(
        str(PAGE),
        module_relative=False,
        globs={
            "Decimal": Decimal,
            "cents": cents,
            "eval_exactly": eval_exactly,
            "second_life_of": second_life_of,
            "summed": summed,
            "worth_of_a_tonne": worth_of_a_tonne,
        },
    )

    assert done.failed == 0
    assert done.attempted > 3 * Chemistry.objects.count()


def test_every_chemistry_has_an_example(reference):
    page = PAGE.read_text()

    for chemistry in Chemistry.objects.all():
        assert f"({chemistry.code})" in page
