"""Double entry, as arithmetic."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from marketplace.ledger import rules
from marketplace.ledger.rules import Leg, Pot

owners = st.integers(1, 5)
amounts = st.decimals("0.01", "1000000", places=2)


def balances_of(start):
    return {
        Pot(owner, kind): amount for owner, pair in start.items() for kind, amount in pair.items()
    }


starts = st.dictionaries(
    owners,
    st.fixed_dictionaries(
        {
            "AVAILABLE": st.decimals("0", "5000", places=2),
            "HELD": st.decimals("0", "5000", places=2),
        }
    ),
).map(balances_of)


@st.composite
def movements(draw):
    """Any verb of the ledger, with any owners and amounts that it takes."""
    owner, other, amount = draw(owners), draw(owners), draw(amounts)
    verb = draw(st.sampled_from(["top_up", "pay_out", "hold", "release", "forfeit", "settle"]))
    if verb in {"forfeit", "settle"}:
        assume(owner != other)
    if verb == "forfeit":
        return rules.forfeit(owner, other, amount)
    if verb == "settle":
        held = amount + draw(st.decimals("0", "1000", places=2))
        fee = draw(st.decimals("0", amount, places=2))
        return rules.settle(
            owner, other, held=held, amount=amount, fee=fee, refund_rest=draw(st.booleans())
        )
    return getattr(rules, verb)(owner, amount)


@given(movements())
def test_every_verb_moves_money_without_making_or_losing_any(legs):
    rules.check(legs)
    assert sum(leg.amount for leg in legs) == 0


@given(starts, st.lists(movements(), max_size=30))
def test_no_owner_is_ever_below_zero_and_nothing_appears_from_nowhere(balances, asked):
    inside, outside = sum(balances.values()), Decimal(0)
    for legs in asked:
        after = rules.after(balances, legs)
        if rules.overdrawn(after):
            continue
        balances = after
        outside += sum(leg.amount for leg in legs if leg.pot.kind in rules.HOUSE)

    assert all(balance >= 0 for balance in balances.values())
    assert sum(balances.values()) + outside == inside


@given(amounts, st.data())
def test_a_settlement_splits_what_was_held_to_the_last_cent(held, data):
    amount = data.draw(st.decimals("0.01", held, places=2))
    fee = data.draw(st.decimals("0", amount, places=2))

    legs = {leg.pot: leg.amount for leg in rules.settle(1, 2, held=held, amount=amount, fee=fee)}

    assert legs[Pot(1, "HELD")] == -held
    assert legs.get(Pot(2, "AVAILABLE"), 0) == amount - fee
    assert legs.get(Pot(0, "FEES"), 0) == fee
    assert legs.get(Pot(1, "AVAILABLE"), 0) == held - amount


@given(movements(), movements())
def test_two_movements_share_a_fingerprint_only_if_they_are_the_same(one, other):
    same = sorted(map(repr, one)) == sorted(map(repr, other))
    prints = [rules.fingerprint("HOLD", "auction:1", "IDR", legs) for legs in (one, other)]

    assert (prints[0] == prints[1]) == same


@given(movements())
def test_a_fingerprint_tells_kinds_purposes_and_currencies_apart(legs):
    prints = {
        rules.fingerprint(*about, legs)
        for about in (
            ("HOLD", "auction:1", "IDR"),
            ("REFUND", "auction:1", "IDR"),
            ("HOLD", "auction:2", "IDR"),
            ("HOLD", "auction:1", "INR"),
        )
    }
    assert len(prints) == 4


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity"])
def test_nothing_or_less_cannot_be_moved(amount):
    for verb in (rules.top_up, rules.pay_out, rules.hold, rules.release):
        with pytest.raises(rules.Unsound):
            verb(1, Decimal(amount))


@pytest.mark.parametrize(
    "legs",
    [
        [],
        [Leg(Pot(1, "AVAILABLE"), Decimal(5))],
        [Leg(Pot(1, "AVAILABLE"), Decimal(5)), Leg(Pot(1, "HELD"), Decimal(-4))],
        [Leg(Pot(1, "AVAILABLE"), Decimal(5)), Leg(Pot(1, "AVAILABLE"), Decimal(-5))],
        [Leg(Pot(1, "AVAILABLE"), Decimal(0)), Leg(Pot(1, "HELD"), Decimal(0))],
        [Leg(Pot(1, "AVAILABLE"), Decimal("NaN")), Leg(Pot(1, "HELD"), Decimal(0))],
        [Leg(Pot(1, "AVAILABLE"), Decimal(10) ** 15), Leg(Pot(1, "HELD"), -(Decimal(10) ** 15))],
    ],
    ids=["none", "one leg", "unequal", "one pot twice", "nothing", "not a number", "too much"],
)
def test_what_is_no_movement_is_refused(legs):
    with pytest.raises(rules.Unsound):
        rules.check(legs)


@pytest.mark.parametrize(
    ("held", "amount", "fee"), [(10, 11, 0), (10, 5, 6), (10, 0, 0), (10, 5, -1)]
)
def test_a_settlement_beyond_what_is_held_is_refused(held, amount, fee):
    with pytest.raises(rules.Unsound):
        rules.settle(1, 2, held=Decimal(held), amount=Decimal(amount), fee=Decimal(fee))
