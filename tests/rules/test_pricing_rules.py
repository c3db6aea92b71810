from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.pricing import rules
from marketplace.pricing.rules import Band, Inputs, Makeup, Metal, Route, SecondLife

ONE = Decimal(1)


def band(typical, spread="0.1"):
    return Band.around(Decimal(typical), Decimal(spread))


def metal(material="Ni", content="0.1", payable="0.74", usd="18.80", **more):
    return Metal(
        material, band(content), band(payable, "0.05"), band(usd), "WB", "2026-05-31", **more
    )


def makeup(*metals, share="1", treatment="1.15"):
    return Makeup("NMC622", Decimal(share), metals or (metal(),), band(treatment, "0.3"))


def inputs(**changes):
    return replace(
        Inputs(
            mass_kg=band("100", "0.02"),
            makeups=(makeup(),),
            shredding_loss=band("0.05", "0.4"),
            freight_usd_per_kg=band("0.12", "0.5"),
        ),
        **changes,
    )


shares = st.decimals("0.01", "0.3", places=3)
prices = st.decimals("0.1", "60", places=2)
masses = st.decimals("0.1", "20000", places=1)


def test_the_sum_is_content_times_payable_times_quote_less_charges():
    worth = rules.value(inputs())

    gross = Decimal(100) * Decimal("0.1") * Decimal("0.95") * Decimal("0.74") * Decimal("18.80")
    assert worth.typical == (gross - 115 - 12).quantize(Decimal("0.01"))
    assert [term.code for term in worth.terms] == ["metal", "treatment", "freight"]


@given(mass=masses, content=shares, usd=prices)
def test_the_terms_sum_to_the_typical_value_and_the_range_holds_it(mass, content, usd):
    worth = rules.value(
        inputs(mass_kg=band(mass), makeups=(makeup(metal(content=content, usd=usd)),))
    )

    assert sum(term.usd for term in worth.terms) == worth.typical
    assert worth.low <= worth.typical <= worth.high


@given(mass=masses, seed=st.integers(0, 10))
def test_the_same_inputs_and_seed_give_the_same_range(mass, seed):
    given_inputs = inputs(mass_kg=band(mass))

    assert rules.value(given_inputs, seed=seed) == rules.value(given_inputs, seed=seed)


@given(usd=prices, more=st.decimals("0.1", "20", places=2))
def test_a_dearer_metal_never_makes_a_cheaper_lot(usd, more):
    cheap = rules.value(inputs(makeups=(makeup(metal(usd=usd)),)))
    dear = rules.value(inputs(makeups=(makeup(metal(usd=usd + more)),)))

    assert dear.typical > cheap.typical
    assert dear.high >= cheap.high


@given(spread=st.decimals("0.03", "0.2", places=2))
def test_knowing_less_widens_the_range(spread):
    known, guessed = rules.value(inputs()), rules.value(inputs(mass_kg=band("100", spread * 2)))

    assert guessed.high - guessed.low > known.high - known.low


def test_two_kinds_that_it_may_be_widen_the_range():
    rich, poor = makeup(metal(content="0.2")), makeup(metal(content="0.02"))
    sure = rules.value(inputs(makeups=(makeup(metal(content="0.11")),)))

    unsure = rules.value(
        inputs(makeups=(replace(rich, share=Decimal("0.5")), replace(poor, share=Decimal("0.5"))))
    )

    assert abs(unsure.typical - sure.typical) < 1
    assert unsure.high - unsure.low > 2 * (sure.high - sure.low)


@given(cut=st.decimals("0.01", "0.9", places=2))
def test_damage_takes_its_share_of_the_metals_and_none_of_the_charges(cut):
    whole, damaged = rules.value(inputs()), rules.value(inputs(damage_cut=cut))
    gross = whole.terms[0].usd

    assert abs(whole.typical - damaged.typical - gross * cut) <= Decimal("0.01")


def test_a_lot_of_nothing_worth_paying_for_costs_money():
    worth = rules.value(inputs(makeups=(Makeup("LMO", ONE, (), band("1.15")),)))

    assert worth.high < 0
    assert worth.typical == -Decimal(115) - 12


def test_lithium_of_phosphate_packs_is_told_by_the_point():
    lithium = metal("Li", content="0.0124", payable="0.52", usd="109.28")
    lithium = replace(lithium, by_the_point=Decimal("0.42"))

    term = rules.recycling_terms(inputs(makeups=(makeup(lithium),)))[0]

    assert term.facts["points"] == "2.95"
    per_tonne = Decimal(term.facts["points"]) * Decimal(term.facts["usd_per_point"])
    of_black_mass = Decimal(100) * Decimal("0.42") / 1000
    assert abs(per_tonne * of_black_mass * Decimal("0.95") - term.usd) < Decimal("0.5")


def test_a_healthy_pack_is_worth_more_whole():
    pack = SecondLife(Decimal(50), Decimal("0.9"), "A", band("60", "0.35"), Decimal(6))

    worth = rules.value(inputs(second_life=pack))

    assert worth.route is Route.REPURPOSE
    assert worth.typical == Decimal(50) * (60 - 6) - 12
    assert worth.low < worth.typical < worth.high


def test_a_worthless_second_life_is_recycled():
    pack = SecondLife(Decimal("0.1"), Decimal("0.7"), "C", band("18"), Decimal(6))

    assert rules.value(inputs(second_life=pack)).route is Route.RECYCLE


@given(health=st.decimals(0, "1.2", places=3))
def test_grades_go_down_with_health_and_end_at_70_percent(health):
    grade = rules.grade_of(health)

    assert (grade is None) == (health < Decimal("0.7"))
    better = rules.grade_of(min(Decimal("1.2"), health + Decimal("0.1")))
    assert grade is None or (better is not None and better <= grade)


@given(age=st.integers(0, 3000), older=st.integers(0, 3000), usd=st.decimals("0.1", "99", places=2))
def test_an_older_quote_is_never_surer(age, older, usd):
    def width(days):
        found = rules.quote_band(usd, age_days=days, fresh_days=62, volatility=Decimal("0.3"))
        assert found.low >= 0
        return found.high - found.low

    assert width(age + older) >= width(age) or (age + older <= 62)


@pytest.mark.parametrize("only_lithium", [False, True])
@pytest.mark.parametrize("origin", [*rules.PRIORS, "SPACESHIP", ""])
def test_what_it_usually_is_makes_one(origin, only_lithium):
    usual = rules.prior(origin, only_lithium=only_lithium)

    assert abs(sum(usual.values()) - 1) < Decimal("0.000001")
    assert not only_lithium or "PBA" not in usual


def test_shares_that_do_not_make_one_are_refused():
    with pytest.raises(ValueError, match="make one"):
        rules.value(inputs(makeups=(makeup(share="0.5"),)))


def test_a_band_goes_from_low_to_high():
    with pytest.raises(ValueError, match="low through typical"):
        Band(Decimal(2), ONE, Decimal(3))


@given(amount=st.decimals("-1e9", "1e9", places=2))
def test_a_rough_amount_is_close_and_short(amount):
    rounded = rules.rough(amount)

    assert abs(rounded - amount) <= abs(amount) * Decimal("0.005")
    assert len(rounded.normalize().as_tuple().digits) <= 3
