"""A file of lots: every row that is wrong is named with its column and what to do, and then none is valued."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.pricing.rules.lot_file import FileRefused, Known, read_lots

KNOWN = Known(
    wh_per_kg={
        "LFP": (Decimal(90), Decimal(140)),
        "NMC622": (Decimal(120), Decimal(180)),
        "LI_UNKNOWN": (Decimal(70), Decimal(200)),
    },
    origins={"SCOOTER", "CAR"},
    this_year=2026,
)
HEADER = "id,origin,chemistry,mass_kg,energy_kwh,state_of_health,made_year,currency"


def read(text, *, is_json=False):
    return read_lots(text.encode(), is_json=is_json, known=KNOWN)


def problems(text, **how):
    with pytest.raises(FileRefused) as refusal:
        read(text, **how)
    return [(each.row, each.column) for each in refusal.value.problems], str(refusal.value)


def test_a_row_is_read_as_it_says():
    (lot,) = read(f"{HEADER}\nA1,scooter,lfp,60.5,6.5,0.85,2021,idr\n")

    assert (lot.id, lot.origin, lot.chemistry, lot.currency) == ("A1", "SCOOTER", "LFP", "IDR")
    assert (lot.mass_kg, lot.energy_kwh) == (Decimal("60.5"), Decimal("6.5"))
    assert (lot.health, lot.made_year, lot.flags) == (Decimal("0.85"), 2021, ())


def test_json_and_csv_say_the_same():
    row = {"id": "A1", "origin": "CAR", "mass_kg": 300.25, "state_of_health": 0.9}

    (from_json,) = read(json.dumps([row]), is_json=True)
    (from_csv,) = read("id,origin,mass_kg,state_of_health\nA1,CAR,300.25,0.9\n")

    assert from_json == from_csv


@pytest.mark.parametrize(
    "text", ["﻿id,mass_kg\nA,5\n", "id;mass_kg\nA;5\n", "id,mass_kg\r\nA,5\r\n"]
)
def test_what_spreadsheets_write_is_read(text):
    assert read(text)[0].mass_kg == 5


def test_what_is_not_known_is_left_open():
    (lot,) = read("id,mass_kg\nA,60\n")

    assert (lot.chemistry, lot.health, lot.currency, lot.mass_is_estimated) == (
        None,
        None,
        "USD",
        False,
    )


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        ("A,CAR,LFP,,,,,", "mass_kg", "Give the mass in kilograms"),
        ("A,CAR,LFP,0,,,,", "mass_kg", "not above zero"),
        ("A,CAR,LFP,-3,,,,", "mass_kg", "not above zero"),
        ("A,CAR,LFP,NaN,,,,", "mass_kg", "not above zero"),
        ("A,CAR,LFP,heavy,,,,", "mass_kg", "no number"),
        ('A,CAR,LFP,"60,5",,,,', "mass_kg", "with a point, as 60.5"),
        ("A,CAR,LFP,500000,,,,", "mass_kg", "grams"),
        ("A,CAR,LFP,60000,6.5,,,", "mass_kg", "grams"),
        ("A,CAR,LFP,60,6500,,,", "energy_kwh", "Wh"),
        ("A,CAR,LFP,60,,85,,", "state_of_health", "Write 0.85"),
        ("A,CAR,LFP,60,,-1,,", "state_of_health", "not above zero"),
        ("A,CAR,LPF,60,,,,", "chemistry", "LFP"),
        ("A,SHIP,LFP,60,,,,", "origin", "SCOOTER"),
        ("A,CAR,LFP,60,,,1066,", "made_year", "1990"),
        (",CAR,LFP,60,,,,", "id", "name of its own"),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_what_to_do(row, column, says):
    where, message = problems(f"{HEADER}\nok,CAR,LFP,60,,,,\n{row}\n")

    assert (2, column) in where
    assert says in message


def test_every_problem_is_named_at_once():
    where, _message = problems(f"{HEADER}\nA,CAR,LFP,0,,85,,\nA,SHIP,LFP,5,,,,\n")

    assert where == [(1, "mass_kg"), (1, "state_of_health"), (2, "origin"), (2, "id")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no rows"),
        ("id,mass_kg\n", "no rows"),
        ("id,mass_g\nA,60000\n", "Name it mass_kg, in that unit"),
        ("id,mass_kg,colour\nA,6,red\n", '"colour" is unknown'),
        ("id,mass_kg\nA,60,5\n", "More cells"),
    ],
)
def test_a_file_of_another_shape_is_refused(text, says):
    assert says in problems(text)[1]


@pytest.mark.parametrize("data", [b"PK\x03\x04rest", b"\x1f\x8brest", b"\x89PNG\xff\xfe"])
def test_what_is_no_text_is_refused_before_it_is_read(data):
    with pytest.raises(FileRefused, match=r"packed|UTF-8"):
        read_lots(data, is_json=False, known=KNOWN)


@pytest.mark.parametrize("text", ["{", '{"id": 1}', "[1, 2]", "[" * 100_000])
def test_json_of_another_shape_is_refused(text):
    assert "JSON" in problems(text, is_json=True)[1]


def test_a_health_that_no_battery_has_is_kept_and_not_believed():
    (lot,) = read("id,mass_kg,state_of_health\nA,60,1.05\n")

    assert lot.health is None
    assert lot.flags == ("health_not_believed",)


def test_mass_and_energy_that_disagree_are_flagged():
    apart, near = read("id,chemistry,mass_kg,energy_kwh\nA,LFP,60,13\nB,LFP,60,6.5\n")

    assert apart.flags == ("mass_and_energy_disagree",)
    assert near.flags == ()


@given(
    st.lists(
        st.tuples(st.decimals("0.001", "99999", places=3), st.decimals("0.1", "1.02", places=3)),
        min_size=1,
        max_size=20,
    )
)
def test_what_is_written_is_read_back(rows):
    lines = [f"L{n},{mass},{health}" for n, (mass, health) in enumerate(rows)]

    lots = read("id,mass_kg,state_of_health\n" + "\n".join(lines))

    assert [(lot.mass_kg, lot.health) for lot in lots] == rows
