"""How prices are written, and what they mean."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.reference import rules
from marketplace.reference.rules import Unreadable

prices = st.decimals(min_value="0.01", max_value="99999999", places=2, allow_nan=False)
STYLES = {
    ",.": (",", "."),
    ".,": (".", ","),
    " ,": ("\u202f", ","),
    "'.": ("'", "."),
    ".": ("", "."),
}


def written(price, style):
    thousands, sign = STYLES[style]
    return f"{price:,.2f}".replace(",", "T").replace(".", sign).replace("T", thousands)


@given(prices, st.sampled_from(sorted(STYLES)))
def test_a_number_reads_the_same_however_it_is_written(price, style):
    text = written(price, style)

    assert rules.number_of(text, rules.decimal_sign_of([text])) == price


@given(st.lists(prices, min_size=1, max_size=20), st.sampled_from(sorted(STYLES)))
def test_a_column_written_in_one_style_reads_as_it_was_meant(column, style):
    texts = [written(price, style) for price in column]
    sign = rules.decimal_sign_of(texts)

    assert [rules.number_of(text, sign) for text in texts] == column


@given(st.integers(min_value=1000, max_value=999999))
def test_a_lone_comma_before_three_digits_is_not_guessed(number):
    with pytest.raises(Unreadable) as trouble:
        rules.decimal_sign_of([f"{number:,}"])

    assert trouble.value.code == "unclear_sign"
    assert rules.number_of(f"{number:,}", ".") == number
    assert rules.number_of(f"{number:,}", ",") == Decimal(number) / 1000


def test_one_number_proves_what_the_others_mean():
    assert rules.decimal_sign_of(["1,234", "1,5"]) == ","
    assert rules.decimal_sign_of(["1,234", "1.5"]) == "."
    assert rules.decimal_sign_of(["1.234", "1.234.567"]) == ","
    assert rules.decimal_sign_of(["1,234,567", "7"]) == "."
    assert rules.decimal_sign_of([]) == "."


def test_two_signs_in_one_column_are_refused():
    with pytest.raises(Unreadable) as trouble:
        rules.decimal_sign_of(["1,5", "2.5"])

    assert trouble.value.code == "two_signs"
    assert trouble.value.facts == {"one": "2.5", "other": "1,5"}


@pytest.mark.parametrize(
    "text",
    ["", "dear", "1e5", "NaN", "Infinity", "1,23,456", "1.5.5", "12,34.5", "--3", "$5", "1.2,3"],
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(Unreadable) as trouble:
        rules.number_of(text, ".")
    assert trouble.value.code == "not_a_number"


@given(st.text(max_size=12))
def test_no_text_breaks_the_reader(text):
    for sign in ".,":
        try:
            assert rules.number_of(text, sign).is_finite()
        except Unreadable:
            continue


@given(prices)
def test_a_price_is_the_same_by_tonne_pound_and_kilogram(price):
    one = Decimal(1)
    by_kg = rules.usd_per_kg(price, kg=one, per_usd=one)
    by_tonne = rules.usd_per_kg(price * 1000, kg=rules.KG["t"], per_usd=one)
    by_pound = rules.usd_per_kg(price * rules.KG["lb"], kg=rules.KG["lb"], per_usd=one)

    assert by_kg == by_tonne == by_pound == price


@pytest.mark.parametrize("text", ["USD", "USD/ton", "¥/t", "USD/barrel", "dollars a pound", "USD/"])
def test_a_unit_that_may_be_several_is_refused(text):
    with pytest.raises(Unreadable) as trouble:
        rules.unit_of(text)
    assert trouble.value.code == "unknown_unit"


def test_units_are_read_as_markets_write_them():
    assert rules.unit_of("US$/lb") == ("USD", Decimal("0.45359237"))
    assert rules.unit_of("usd/KG") == ("USD", Decimal(1))
    assert rules.unit_of(" ($/mt) ") == ("USD", Decimal(1000))
    assert rules.unit_of("€/t") == ("EUR", Decimal(1000))


def test_nothing_costs_nothing():
    with pytest.raises(Unreadable) as trouble:
        rules.usd_per_kg(Decimal(0), kg=Decimal(1), per_usd=Decimal(1))
    assert trouble.value.code == "not_positive"


@pytest.mark.parametrize(
    "text", ["2026-13", "2026M00", "31.12.2026", "yesterday", "2026-02-30", ""]
)
def test_what_is_no_day_is_refused(text):
    with pytest.raises(Unreadable) as trouble:
        rules.day_of(text)
    assert trouble.value.code == "not_a_day"


@given(st.integers(1960, 2100), st.integers(1, 12))
def test_the_last_day_of_a_month_is_followed_by_the_first_of_another(year, month):
    last = rules.last_day(year, month)

    assert (last.year, last.month) == (year, month)
    assert (last + timedelta(days=1)).day == 1
    assert rules.day_of(f"{year}M{month:02}") == last


@given(st.integers(1960, 2000), st.integers(1, 12), st.integers(3, 40), st.data())
def test_every_month_that_is_left_out_is_named(year, month, months, data):
    days = []
    for _n in range(months):
        days.append(rules.last_day(year, month))
        year, month = year + month // 12, month % 12 + 1
    gone = data.draw(st.integers(1, months - 2))

    assert rules.months_missing(days) == []
    assert rules.months_missing(days[:gone] + days[gone + 1 :]) == [f"{days[gone]:%Y-%m}"]
    assert rules.months_missing([]) == []


def test_a_tonne_taken_for_a_kilogram_is_not_believed_and_the_unit_is_named():
    with pytest.raises(Unreadable) as trouble:
        rules.believe("Ni", Decimal(16300), date(2026, 5, 31))
    assert (trouble.value.code, trouble.value.facts["unit"]) == ("not_believed", "t")


def test_a_pound_taken_for_a_kilogram_is_a_jump_and_a_real_step_is_none():
    before = (date(2026, 4, 30), Decimal("16.3"))
    rules.believe("Ni", Decimal("29.1"), date(2026, 5, 31), before)  # 1.79: the largest ever seen
    rules.believe("Ni", Decimal("7.4"), date(2026, 9, 30), before)  # long after: anything may be

    with pytest.raises(Unreadable) as trouble:
        rules.believe("Ni", Decimal("7.4"), date(2026, 5, 31), before)
    assert trouble.value.code == "jump"


def test_euro_rates_turn_by_the_dollar_and_need_it():
    turned = rules.rates_per_usd({"USD": Decimal("1.25"), "IDR": Decimal(20000)})

    assert turned == {"EUR": Decimal("0.8"), "IDR": Decimal(16000)}
    with pytest.raises(Unreadable) as trouble:
        rules.rates_per_usd({"IDR": Decimal(20000)})
    assert trouble.value.code == "no_dollar"
    with pytest.raises(Unreadable) as trouble:
        rules.rates_per_usd({"USD": Decimal(0)})
    assert trouble.value.code == "not_positive"
