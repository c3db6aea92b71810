from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.core.money import payable
from marketplace.deals import rules
from marketplace.deals.rules import Scales

kilograms = st.decimals("0.001", 100_000, places=3)
prices = st.decimals("0.01", 10**9, places=2)
shares = st.decimals(0, "0.5", places=3)


@given(declared=kilograms, weighed=kilograms, share=shares)
def test_the_tolerance_includes_its_own_edge_and_is_the_same_on_both_sides(
    declared, weighed, share
):
    edge = declared * share
    assert rules.is_within(declared, declared + edge, share)
    assert rules.is_within(declared, declared - edge, share)
    assert rules.is_within(declared, weighed, share) == (
        rules.difference_share(declared, weighed) <= share
        or abs(weighed - declared) <= declared * share
    )


@given(price=prices, declared=kilograms, weighed=kilograms)
def test_a_corrected_price_is_never_more_than_what_is_held_and_grows_with_the_mass(
    price, declared, weighed
):
    due = rules.adjusted_price(price, declared_kg=declared, accepted_kg=weighed, currency="INR")
    assert 0 <= due <= price
    heavier = rules.adjusted_price(
        price, declared_kg=declared, accepted_kg=weighed + 1, currency="INR"
    )
    assert heavier >= due


@given(price=prices, declared=kilograms, weighed=kilograms, share=shares)
def test_inside_the_tolerance_the_price_is_the_price(price, declared, weighed, share):
    due = rules.price_at_the_scale(
        price, declared_kg=declared, weighed_kg=weighed, tolerance_share=share, currency="INR"
    )
    if rules.is_within(declared, weighed, share):
        assert due == price
    assert due <= price


@given(whole=prices, part=prices, share=st.decimals(0, "0.2", places=4))
def test_the_fees_of_two_parts_are_the_fee_of_the_whole(whole, part, share):
    first = min(whole, part)
    paid_first = rules.fee(first, share=share, currency="INR")
    paid_rest = (
        rules.fee(whole - first, share=share, currency="INR", paid_before=first)
        if whole > first
        else Decimal(0)
    )
    assert paid_first <= first
    assert paid_rest <= whole - first
    exact = payable(whole * share, "INR")
    assert exact - Decimal("0.01") <= paid_first + paid_rest <= exact + Decimal("0.01")


@given(pickup=kilograms, delivery=kilograms, share=shares)
def test_a_proposal_lies_between_the_two_scales(pickup, delivery, share):
    kg = rules.mass_to_propose(Scales(pickup, delivery), tolerance_share=share)
    assert min(pickup, delivery) <= kg <= max(pickup, delivery)


@given(pickup=kilograms, delivery=kilograms, third=kilograms, share=shares)
def test_a_third_scale_decides(pickup, delivery, third, share):
    assert rules.mass_to_propose(Scales(pickup, delivery, third), tolerance_share=share) == third


@given(
    price=prices,
    declared=kilograms,
    pickup=kilograms,
    delivery=kilograms,
    share=shares,
    damaged=st.decimals(0, 1, places=2),
)
def test_a_proposal_never_pays_less_than_what_nobody_contests_about_weight(
    price, declared, pickup, delivery, share, damaged
):
    scales = Scales(pickup, delivery)
    said = {"price": price, "declared_kg": declared, "scales": scales, "currency": "INR"}
    offer = rules.proposal("WEIGHT", tolerance_share=share, damaged_share=damaged, **said)
    assert rules.undisputed_price("WEIGHT", **said) <= offer.price <= price
    hurt = rules.proposal("DAMAGE", tolerance_share=share, damaged_share=damaged, **said)
    assert 0 <= hurt.price <= offer.price
    assert rules.undisputed_price("DAMAGE", **said) == 0


def test_no_rule_knows_what_another_kind_of_battery_is_worth():
    said = {
        "price": Decimal(100),
        "declared_kg": Decimal(10),
        "tolerance_share": Decimal("0.02"),
        "damaged_share": Decimal("0.25"),
        "currency": "INR",
    }
    assert rules.proposal("CHEMISTRY", scales=Scales(Decimal(10), Decimal(10)), **said) is None
    assert rules.proposal("WEIGHT", scales=Scales(), **said) is None


def test_nothing_weighed_proposes_nothing():
    with pytest.raises(ValueError, match="weighed"):
        rules.mass_to_propose(Scales(), tolerance_share=Decimal(0))
    assert rules.mass_to_propose(
        Scales(pickup_kg=Decimal(7)), tolerance_share=Decimal(0)
    ) == Decimal(7)


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_a_contract_has_one_fingerprint_however_it_is_written_down(terms):
    shuffled = dict(reversed(list(terms.items())))
    assert rules.digest(terms) == rules.digest(shuffled)
    assert rules.digest(terms | {"price": "other"}) != rules.digest(terms | {"price": "another"})
