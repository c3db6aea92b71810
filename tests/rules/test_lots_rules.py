from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.lots import rules
from marketplace.lots.rules import Doubt, Light, Sign

signs = st.sets(st.sampled_from(Sign))
amounts = st.decimals(min_value="0.001", max_value="100000", places=3)
ORDER = [Light.GREEN, Light.AMBER, Light.RED]


@pytest.mark.parametrize(
    ("seen", "light"),
    [
        ([], Light.GREEN),
        ([Sign.HOT], Light.RED),
        ([Sign.SMELL], Light.RED),
        ([Sign.SWOLLEN], Light.AMBER),
        ([Sign.WET], Light.AMBER),
        ([Sign.DENTED], Light.AMBER),
        ([Sign.CUT], Light.AMBER),
        ([Sign.SWOLLEN, Sign.CUT], Light.RED),
        ([Sign.WET, Sign.CUT], Light.RED),
        ([Sign.WET, Sign.SWOLLEN], Light.RED),
        ([Sign.DENTED, Sign.CUT], Light.AMBER),
        ([Sign.DENTED, Sign.SWOLLEN], Light.AMBER),
    ],
)
def test_the_table_of_triage(seen, light):
    assert rules.triage(seen).light is light


@given(seen=signs, more=signs)
def test_seeing_more_is_never_safer(seen, more):
    assert ORDER.index(rules.triage(seen | more).light) >= ORDER.index(rules.triage(seen).light)


@given(seen=signs)
def test_triage_names_only_what_was_seen_and_says_why_unless_green(seen):
    verdict = rules.triage(seen)

    assert set(verdict.because) <= seen
    assert bool(verdict.because) == (verdict.light is not Light.GREEN)
    assert (verdict.light is Light.GREEN) == (not seen)


@given(amount=amounts)
def test_a_sensible_amount_is_believed(amount):
    assert rules.doubt_about(amount, largest=Decimal(100_000)) is None


@given(amount=st.decimals(allow_nan=True, allow_infinity=True))
def test_whatever_is_believed_fits_the_column(amount):
    if rules.doubt_about(amount, largest=Decimal(100_000)) is None:
        assert Decimal("0.001") <= amount <= Decimal(100_000)


@pytest.mark.parametrize(
    ("amount", "doubt"),
    [
        ("0", Doubt.NOT_POSITIVE),
        ("-0", Doubt.NOT_POSITIVE),
        ("-3", Doubt.NOT_POSITIVE),
        ("0.0004", Doubt.NOT_POSITIVE),
        ("1e30", Doubt.TOO_LARGE),
        ("100000.001", Doubt.TOO_LARGE),
        ("NaN", Doubt.NOT_A_NUMBER),
        ("sNaN", Doubt.NOT_A_NUMBER),
        ("-Infinity", Doubt.NOT_A_NUMBER),
    ],
)
def test_what_is_not_believed(amount, doubt):
    assert rules.doubt_about(Decimal(amount), largest=Decimal(100_000)) is doubt


@pytest.mark.parametrize(
    ("text", "sign", "number"),
    [
        ("12", ".", "12"),
        (" 12.5 ", ".", "12.5"),
        (".5", ".", "0.5"),
        ("5.", ".", "5"),
        ("१२.५", ".", "12.5"),
        ("১২", ".", "12"),
        ("٣٫٥", ".", "3.5"),
        ("１２", ".", "12"),
        ("၁၂", ".", "12"),
        ("1,234.5", ".", "1234.5"),
        ("1.234,5", ",", "1234.5"),
        ("1,234", ".", "1234"),
        ("1.234", ",", "1234"),
        ("12,5", ".", "12.5"),
        ("12.5", ",", "12.5"),
        ("12,34,567", ".", "1234567"),
        ("1 234", ".", "1234"),
        ("1'234", ".", "1234"),
        ("-4", ".", "-4"),
        ("−4", ".", "-4"),
        ("0", ".", "0"),
    ],
)
def test_numbers_are_read_as_people_type_them(text, sign, number):
    assert rules.number_from(text, decimal_sign=sign) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "-", "1e5", "NaN", "inf", "0x10", "1,2,3", "1..2", "½", "twelve", "9" * 16],
)
def test_what_is_no_number_is_not_guessed(text):
    assert rules.number_from(text) is None


@given(
    number=st.decimals(min_value=0, max_value=10**9, places=3),
    sign=st.sampled_from(".,"),
    zero=st.sampled_from("0०০٠۰๐၀០０"),
)
def test_every_script_says_the_same_number(number, sign, zero):
    plain = f"{number:f}".replace(".", sign)
    typed = "".join(chr(ord(zero) + int(c)) if c.isdigit() else c for c in plain)

    assert rules.number_from(typed, decimal_sign=sign) == number


@given(text=st.text(max_size=30), sign=st.sampled_from(".,"))
def test_reading_never_fails_and_never_gives_nonsense(text, sign):
    number = rules.number_from(text, decimal_sign=sign)

    assert number is None or number.is_finite()


@given(weighed=amounts, energy=amounts, units=st.integers(1, 1000))
def test_a_scale_is_believed_before_any_estimate(weighed, energy, units):
    mass = rules.mass_of(
        weighed_kg=weighed,
        energy_kwh=energy,
        units=units,
        wh_per_kg=Decimal(120),
        unit_masses_kg=[Decimal(3)],
    )

    assert mass == rules.Mass(weighed, is_estimated=False)


def test_units_without_a_known_mass_give_none():
    nothing = {"weighed_kg": None, "energy_kwh": None, "wh_per_kg": Decimal(120)}

    assert rules.mass_of(units=5, unit_masses_kg=[], **nothing) is None
    assert rules.mass_of(units=None, unit_masses_kg=[Decimal(3)], **nothing) is None
    five = rules.mass_of(units=5, unit_masses_kg=[Decimal(1), Decimal(3), Decimal(50)], **nothing)
    assert five == rules.Mass(Decimal("15.000"), is_estimated=True)


@given(mass=st.decimals("0.1", "10000", places=1), density=st.integers(90, 150))
def test_a_mass_and_the_energy_it_holds_agree(mass, density):
    energy = mass * density / 1000

    assert not rules.amounts_disagree(
        mass,
        energy,
        wh_per_kg_low=Decimal(90),
        wh_per_kg_high=Decimal(150),
        gap=Decimal("0.4"),
    )


@given(listed=st.decimals(0, 10_000, places=3))
def test_what_is_left_of_a_cap_is_never_negative(listed):
    assert rules.kg_left(Decimal(500), listed) >= 0
    assert rules.kg_left(None, listed) is None
