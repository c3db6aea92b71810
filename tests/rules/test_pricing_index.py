"""The price index and the calibration, as pure rules."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from marketplace.pricing.rules import asking, calibration, index
from marketplace.pricing.rules.calibration import Prediction
from marketplace.pricing.rules.index import Gap, Observation, index_of

TODAY = date(2026, 11, 23)

deals = st.builds(
    Observation,
    settled_on=st.dates(TODAY - timedelta(days=27), TODAY),
    kg=st.decimals("1", "5000", places=1),
    usd_per_kg=st.decimals("0.01", "20", places=3),
    seller=st.sampled_from([f"seller {n}" for n in range(7)]),
    buyer=st.sampled_from([f"buyer {n}" for n in range(6)]),
)
markets = st.lists(deals, min_size=5, max_size=40)


def deal(price="3", kg="100", seller="a", buyer="x", on=TODAY):
    return Observation(on, Decimal(kg), Decimal(price), seller, buyer)


def five(**other):
    return [deal(price, seller=f"s{n}", buyer=f"b{n}", **other) for n, price in enumerate("12345")]


@given(market=markets, shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_deals_does_not_matter(market, shuffle):
    before = index_of(market, TODAY)
    shuffle.shuffle(market)

    assert index_of(market, TODAY) == before


@given(market=markets, times=st.integers(2, 1000))
def test_in_another_unit_of_money_it_is_the_same_price(market, times):
    dearer = [
        Observation(d.settled_on, d.kg, d.usd_per_kg * times, d.seller, d.buyer) for d in market
    ]
    price = index_of(market, TODAY).usd_per_kg

    assert index_of(dearer, TODAY).usd_per_kg == (None if price is None else price * times)


@given(market=markets, party=st.integers(0, 6), price=st.decimals("0.0001", "10000", places=4))
def test_one_party_cannot_move_it_beyond_what_others_paid(market, party, price):
    liar = f"seller {party}"
    assume(any(d.seller == liar for d in market))
    others = [d.usd_per_kg for d in market if d.seller != liar]
    told = [
        Observation(d.settled_on, d.kg, price if d.seller == liar else d.usd_per_kg, d.seller, d.buyer)
        for d in market
    ]  # fmt: skip

    found = index_of(told, TODAY).usd_per_kg

    assume(found is not None)
    assert min(others) <= found <= max(others)


@given(market=markets)
def test_it_lies_between_the_cheapest_and_the_dearest_that_count(market):
    point = index_of(market, TODAY)
    assume(point.usd_per_kg is not None)

    ordered = index.in_window(market, TODAY)
    kept = index.trimmed(index.capped(ordered, index.METHOD.party_cap), index.METHOD.trim)
    counted = [d.usd_per_kg for d, weight in zip(ordered, kept, strict=True) if weight > 0]
    assert counted[0] <= point.usd_per_kg <= counted[-1]


@given(market=markets)
def test_no_party_weighs_more_than_the_cap(market):
    weights = index.capped(market, index.METHOD.party_cap)
    assume(weights is not None)

    shares = defaultdict(Decimal)
    for d, weight in zip(market, weights, strict=True):
        assert 0 < weight <= d.kg
        shares[d.seller] += weight
        shares[d.buyer] += weight
    assert max(shares.values()) <= sum(weights) * Decimal("0.4000001")


@given(market=markets)
def test_trimming_takes_a_tenth_of_the_weight_on_each_side(market):
    weights = [d.kg for d in market]

    kept = index.trimmed(weights, Decimal("0.1"))

    assert abs(sum(kept) - sum(weights) * Decimal("0.8")) < Decimal("1e-9")
    assert all(0 <= part <= whole for part, whole in zip(kept, weights, strict=True))


def test_five_deals_of_three_sellers_make_an_index():
    assert index_of(five(), TODAY).usd_per_kg == 3
    assert index_of(five()[:4], TODAY).gap == Gap.FEW_DEALS
    two_sellers = [deal(seller=f"s{n % 2}", buyer=f"b{n}") for n in range(6)]
    assert index_of(two_sellers, TODAY).gap == Gap.FEW_SELLERS
    one_buyer = [deal(seller=f"s{n}", buyer="b") for n in range(6)]
    assert index_of(one_buyer, TODAY).gap == Gap.CONCENTRATED


def test_a_deal_counts_for_twenty_eight_days():
    market = five(on=TODAY - timedelta(days=27))

    assert index_of(market, TODAY).deals == 5
    assert index_of(market, TODAY + timedelta(days=1)).deals == 0
    assert index_of(market, TODAY - timedelta(days=28)).deals == 0


def test_deals_within_a_group_are_no_market():
    inside = [deal(seller="group", buyer="group") for _ in range(9)]

    assert index_of([*inside, *five()], TODAY).deals == 5


def test_a_heavy_seller_does_not_make_the_price():
    market = [*five(), deal("20", kg="100000", seller="whale", buyer="b9")]

    assert index_of(market, TODAY).usd_per_kg <= 5


@given(value=st.decimals("-9999", "9999", places=4))
def test_a_published_price_has_three_digits(value):
    shown = index.rounded(value)

    assert len(shown.normalize().as_tuple().digits) <= 3
    assert abs(shown - value) <= abs(value) * Decimal("0.005")


@given(count=st.integers(0, 20_000))
def test_a_published_count_is_a_step_and_never_below_five(count):
    shown = index.at_least(count)

    assert shown <= count
    assert shown == 0 if count < 5 else shown >= 5
    assert shown in (0, *index.BANDS)


# --- calibration --------------------------------------------------------------------------------


def said(typical, paid, seller="s"):
    typical = Decimal(typical)
    return Prediction(typical - 1, typical, typical + 1, Decimal(paid), f"{seller}")


predictions = st.lists(
    st.builds(
        said,
        st.decimals("-2", "20", places=2),
        st.decimals("0", "20", places=2),
        st.integers(0, 9),
    ),
    max_size=40,
)


@given(made=predictions)
def test_a_dot_hides_five_deals_of_three_sellers_and_loses_none(made):
    dots = calibration.dots(made)

    assert all(dot.deals >= 5 for dot in dots)
    if not calibration.is_told(made):
        assert len(dots) == 0
    assert [dot.predicted for dot in dots] == sorted(dot.predicted for dot in dots)


@given(made=predictions)
def test_inside_below_and_above_are_all_there_is(made):
    found = calibration.score(made)
    assume(found is not None)

    assert found.inside + found.below + found.above == 1
    assert min(found.inside, found.below, found.above) >= 0
    assert abs(found.bias_usd_per_kg) <= found.error_usd_per_kg


def test_four_deals_are_no_score():
    assert calibration.score([said(3, 3, n) for n in range(4)]) is None
    assert calibration.score([said(3, 3, "one") for _ in range(9)]) is None
    assert calibration.score([said(3, 3, n) for n in range(5)]).inside == 1


# --- asking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "thing", "kg", "pieces", "language"),
    [
        ("HARGA AKI 20", "starter", 20, None, "id"),
        ("harga aki motor 12 kg", "starter", 12, None, "id"),
        ("Price car battery 3 pcs", "starter", None, 3, "en"),
        ("price EV car pack 300kg", "car", 300, None, "en"),
        ("berapa hp 1,5 kg?", "phone", Decimal("1.5"), None, "id"),
        ("ups 40", "inverter", 40, None, ""),
        ("rickshaw lfp 1.200 kg", "rickshaw", 1200, None, ""),
        ("laptop", "laptop", 1, None, ""),
        ("2 ton becak", "rickshaw", 2000, None, "id"),
        ("price hybrid car 1 unit", "hybrid", None, 1, "en"),
    ],
)
def test_a_few_words_are_understood(text, thing, kg, pieces, language):
    asked = asking.parse(text)

    assert (asked.thing, asked.kg, asked.pieces, asked.language) == (thing, kg, pieces, language)


@pytest.mark.parametrize(
    ("text", "misread"),
    [
        ("", "THING"),
        ("halo apa kabar", "THING"),
        ("STOP", "THING"),
        ("aki 0", "AMOUNT"),
        ("aki 999999999", "AMOUNT"),
        ("aki 2.5 pcs", "AMOUNT"),
    ],
)
def test_what_was_not_understood_says_what_is_missing(text, misread):
    assert asking.parse(text).misread == misread


@given(text=st.text(max_size=400))
def test_no_text_breaks_the_reader(text):
    asked = asking.parse(text)

    assert asked.misread or asked.thing in asking.BY_CODE
