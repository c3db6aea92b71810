import csv
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.compliance import rules
from marketplace.compliance.rules import Rule

TABLE = Path(__file__).parents[2] / "marketplace/reference/data/dangerous_goods_rules.csv"
ON = date(2026, 11, 23)


def parts(text):
    return tuple(filter(None, text.split("|")))


def day(text):
    return date.fromisoformat(text) if text else None


def rows():
    with TABLE.open(newline="", encoding="utf-8") as file:
        return [
            Rule(
                condition=row["condition"],
                goods=row["goods"],
                mode=row["mode"],
                verdict=row["verdict"],
                un_number=row["un_entry"],
                proper_shipping_name=row["proper_shipping_name"],
                packing_instructions=parts(row["packing_instructions"]),
                special_provisions=parts(row["special_provisions"]),
                marks=parts(row["marks"]),
                documents=parts(row["documents"]),
                refusal=row["refusal"],
                rule_edition=row["rule_edition"],
                valid_from=day(row["valid_from"]),
                valid_to=day(row["valid_to"]),
            )
            for row in csv.DictReader(file)
        ]


RULES = rows()
GOODS = ["LITHIUM_ION", "SODIUM_ION", "LEAD_ACID", "NIMH", "NICD"]


@pytest.mark.parametrize(
    "row", RULES, ids=[f"{row.condition} {row.goods} {row.mode}" for row in RULES]
)
def test_every_row_of_the_table_decides_its_own_case(row):
    decision = rules.decide(RULES, condition=row.condition, goods=row.goods, mode=row.mode, on=ON)

    assert decision.verdict == row.verdict
    assert decision.rule_edition == row.rule_edition
    if row.verdict == rules.FORBIDDEN:
        assert decision.refusal == row.refusal
        assert not decision.un_number
        assert not decision.packing_instructions
        assert not decision.documents
        assert not decision.may_move
    else:
        assert decision.un_number == row.un_number
        assert decision.proper_shipping_name == row.proper_shipping_name
        assert decision.packing_instructions == row.packing_instructions
        assert decision.special_provisions == row.special_provisions
        assert decision.marks == row.marks
        assert decision.documents == row.documents
        assert decision.may_move


@pytest.mark.parametrize("mode", rules.MODES)
@pytest.mark.parametrize("goods", GOODS)
@pytest.mark.parametrize("light", ["GREEN", "AMBER", "RED"])
def test_every_lot_that_may_come_in_has_a_rule(light, goods, mode):
    decision = rules.decide(
        RULES, condition=rules.condition_of(light), goods=goods, mode=mode, on=ON
    )

    assert decision.verdict != rules.NO_RULE


@pytest.mark.parametrize(
    ("light", "goods", "mode", "verdict", "packing"),
    [
        ("GREEN", "LITHIUM_ION", "ROAD", "ALLOWED", ("P909",)),
        ("AMBER", "LITHIUM_ION", "ROAD", "ALLOWED", ("P908", "LP904")),
        ("RED", "LITHIUM_ION", "ROAD", "APPROVAL", ("P911", "LP906")),
        ("GREEN", "LITHIUM_ION", "AIR", "FORBIDDEN", ()),
        ("AMBER", "LITHIUM_ION", "AIR", "FORBIDDEN", ()),
        ("GREEN", "LEAD_ACID", "ROAD", "ALLOWED", ("P801",)),
        ("GREEN", "NIMH", "ROAD", "ALLOWED", ()),
    ],
)
def test_what_the_trade_knows_by_heart(light, goods, mode, verdict, packing):
    decision = rules.decide(
        RULES, condition=rules.condition_of(light), goods=goods, mode=mode, on=ON
    )

    assert (decision.verdict, decision.packing_instructions) == (verdict, packing)


@given(
    condition=st.sampled_from([row.condition for row in RULES] + ["MELTED"]),
    goods=st.sampled_from([row.goods for row in RULES] + ["PLUTONIUM"]),
    mode=st.sampled_from(["ROAD", "RAIL", "SEA", "AIR", "BALLOON"]),
    on=st.dates(date(2019, 1, 1), date(2040, 1, 1)),
)
def test_whatever_nobody_wrote_a_row_for_does_not_move(condition, goods, mode, on):
    decision = rules.decide(RULES, condition=condition, goods=goods, mode=mode, on=on)
    known = any(
        (row.condition, row.goods, row.mode) == (condition, goods, mode) and row.in_force(on)
        for row in RULES
    )

    assert (decision.verdict == rules.NO_RULE) == (not known)
    assert known or not decision.may_move


def test_of_two_rows_in_force_the_newer_counts():
    old = next(row for row in RULES if row.mode == "ROAD")
    new = Rule(
        **{name: getattr(old, name) for name in Rule.__slots__}
        | {"valid_from": date(2027, 1, 1), "rule_edition": "ADR 2027", "packing_instructions": ()}
    )
    case = {"condition": old.condition, "goods": old.goods, "mode": old.mode}

    before = rules.decide([new, old], on=date(2026, 12, 31), **case)
    after = rules.decide([new, old], on=date(2027, 1, 1), **case)

    assert (before.rule_edition, after.rule_edition) == (old.rule_edition, "ADR 2027")


@given(on=st.dates())
def test_a_row_counts_on_its_first_and_its_last_day(on):
    row = Rule(
        **{name: getattr(RULES[0], name) for name in Rule.__slots__}
        | {"valid_from": on, "valid_to": on}
    )

    assert row.in_force(on)
