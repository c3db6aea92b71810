"""What a lot is worth: facts about any lot, and sums that a person can check."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.pricing import rules
from marketplace.pricing.rules import (
    Band,
    Because,
    Gate,
    Inputs,
    Makeup,
    Metal,
    Pack,
    Recipe,
    Route,
    Step,
    Trip,
)
from marketplace.pricing.rules.sample import ranges

ONE = Decimal(1)
CENT = Decimal("0.01")


def band(typical, spread="0.1"):
    return Band.around(Decimal(typical), Decimal(spread))


def metal(material="Ni", content="0.1", payable="0.74", usd="18.80", **more):
    return Metal(
        material, band(content), band(payable, "0.05"), band(usd), "WB", "2026-05-31", **more
    )


def recipe(*metals, shredding="0.42", name="NMC622"):
    steps = (Step("shredding", band(shredding, "0.3")), Step("dismantle", band("0.21", "0.3")))
    return Recipe(name, metals or (metal(),), steps, Band.exactly(Decimal(3)))


def inputs(*makeups, **changes):
    return replace(
        Inputs(
            mass_kg=band("100", "0.02"),
            makeups=makeups or (Makeup(recipe()),),
            shredding_loss=band("0.05", "0.4"),
            trip=Trip(Decimal(8), band("0.11", "0.5"), band("300", "0.5"), band("0.12", "0.5")),
            recover_usd_per_kg=band("0.6", "0.4"),
        ),
        **changes,
    )


def pack(health="0.85", **changes):
    made = Pack(
        energy_kwh=band("15", "0.02"),
        health=None if health is None else band(health, "0.03"),
        presumed_health=band("0.72", "0.2"),
        curve=tuple(
            (Decimal(at), band(usd, "0.35"))
            for at, usd in (("0.75", "25"), ("0.85", "40"), ("0.95", "60"))
        ),
        least_health=Decimal("0.7"),
        reuse_health=Decimal("0.9"),
        reuse_premium=Decimal("0.2"),
        life_factor=ONE,
        testing_usd_per_kwh=band("2.5", "0.4"),
        sorting_usd_per_kwh=band("1", "0.4"),
        repacking_usd_per_kwh=band("2.5", "0.4"),
        made_kg_per_kwh=band("80", "0.3"),
        displaces=Decimal("0.5"),
        source="CES",
    )
    return replace(made, **changes)


shares = st.decimals("0.01", "0.3", places=3)
prices = st.decimals("0.1", "60", places=2)
masses = st.decimals("0.1", "20000", places=1)
healths = st.decimals("0.4", "1.02", places=3)


# --- the sum ----------------------------------------------------------------------------------------


def test_the_sum_is_content_times_payable_times_quote_less_taking_apart_and_the_way():
    worth = rules.value(inputs())

    gross = Decimal(100) * Decimal("0.1") * Decimal("0.95") * Decimal("0.74") * Decimal("18.80")
    way = 8 + 100 * 300 * Decimal("0.11") / 1000
    assert worth.typical == (gross - 42 - 21 - 12 - way).quantize(CENT)
    assert [term.code for term in worth.terms] == [
        "metal",
        "shredding",
        "dismantle",
        "packing",
        "freight",
    ]


@given(mass=masses, content=shares, usd=prices, water=st.decimals("0", "0.2", places=2))
def test_the_terms_sum_to_the_typical_value_and_the_range_holds_it(mass, content, usd, water):
    worth = rules.value(
        inputs(
            Makeup(recipe(metal(content=content, usd=usd))),
            mass_kg=band(mass),
            moisture=Band(Decimal(0), water, water),
        )
    )

    assert sum(term.usd for term in worth.terms) == worth.typical
    assert worth.low <= worth.typical <= worth.high
    assert all(term.usd == term.usd.quantize(CENT) for term in worth.terms)


@given(mass=masses, seed=st.integers(0, 10))
def test_the_same_inputs_and_seed_give_the_same_range_alone_or_among_others(mass, seed):
    one, other = inputs(mass_kg=band(mass)), inputs(pack=pack())

    alone = rules.value(one, seed=seed)

    assert alone == rules.value(one, seed=seed)
    assert alone == rules.value_many([other, one, other], seed=seed)[1]


@given(cut=st.decimals("0.01", "0.9", places=2))
def test_damage_takes_its_share_of_the_metals_and_none_of_the_charges(cut):
    whole, damaged = rules.value(inputs()), rules.value(inputs(damage_cut=cut))
    gross = whole.terms[0].usd

    assert abs(whole.typical - damaged.typical - gross * cut) <= CENT


def test_water_is_paid_for_by_nobody_and_carried_all_the_same():
    dry, wet = rules.value(inputs()), rules.value(inputs(moisture=Band.exactly(Decimal("0.1"))))

    assert abs(dry.typical - wet.typical - dry.terms[0].usd / 10) <= CENT


def test_a_lot_of_nothing_worth_paying_for_costs_money_and_says_so():
    worth = rules.value(
        inputs(Makeup(Recipe("LMO", (), recipe().steps)), recover_usd_per_kg=band("0.9"))
    )

    assert worth.high < 0
    assert worth.typical == -Decimal(42) - 21 - 12 - 8 - Decimal("3.30")
    assert worth.because is Because.COSTS_LEAST


def test_lithium_of_phosphate_packs_is_told_by_the_point():
    lithium = replace(
        metal("Li", content="0.0124", payable="1", usd="56.63"), by_the_point=Decimal("0.42")
    )

    term = rules.recycling_terms(inputs(Makeup(recipe(lithium))))[0]

    assert (term.facts["points"], term.facts["usd_per_point"]) == ("2.95", "566.30")
    per_tonne = Decimal(term.facts["points"]) * Decimal(term.facts["usd_per_point"])
    of_black_mass = Decimal(100) * Decimal("0.42") / 1000
    assert abs(per_tonne * of_black_mass * Decimal("0.95") - term.usd) < Decimal("0.2")


def test_a_metal_that_is_paid_in_two_ways_shows_no_single_way():
    rich, poor = recipe(metal(payable="0.74")), recipe(metal(payable="0.5"), name="LFP")

    (term, *_rest) = rules.recycling_terms(
        inputs(Makeup(rich, Decimal("0.5")), Makeup(poor, Decimal("0.5")))
    )

    assert set(term.facts) == {"kg"}


@given(
    mass=masses,
    usd=prices,
    health=st.decimals("0.9", "1.0", places=3),
    cut=st.decimals("0", "0.5", places=2),
)
def test_the_sample_and_the_sum_say_the_same_at_the_typical_inputs(mass, usd, health, cut):
    asked = inputs(
        Makeup(recipe(metal(usd=usd)), Decimal("0.7")),
        Makeup(recipe(metal(content="0.02"), name="LFP"), Decimal("0.3")),
        mass_kg=band(mass),
        damage_cut=cut,
        moisture=band("0.01"),
        pack=replace(pack(), health=Band.exactly(health)),
    )

    sampled = ranges([asked], seed=1).typical[0]

    for column, route in enumerate(Route):
        exact = float(rules.summed(rules.terms_of(asked, route)))
        if route is Route.RECYCLE or route is Route.RECOVER:
            assert sampled[column] == pytest.approx(exact, abs=0.06)
        else:  # a pack that is worth more in pieces is taken apart, once it was tested
            assert sampled[column] >= exact - 0.06


# --- which way it moves -----------------------------------------------------------------------------


@given(usd=prices, more=st.decimals("0.1", "20", places=2))
def test_a_dearer_metal_never_makes_a_cheaper_lot(usd, more):
    cheap, dear = rules.value_many(
        [inputs(Makeup(recipe(metal(usd=price)))) for price in (usd, usd + more)]
    )

    assert dear.typical > cheap.typical
    assert dear.low >= cheap.low
    assert dear.high >= cheap.high


@given(mass=masses, times=st.decimals("1.1", "9", places=1))
def test_more_of_what_pays_is_worth_more_and_more_of_what_costs_costs_more(mass, times):
    trip = replace(inputs().trip, base_usd=Decimal(0))
    for makeup in (Makeup(recipe()), Makeup(recipe(metal(content="0.001")))):
        little, much = (
            rules.value(inputs(makeup, mass_kg=band(kg), trip=trip)) for kg in (mass, mass * times)
        )
        assert abs(much.typical) >= abs(little.typical) - CENT
        assert (much.typical > 0) == (little.typical > 0) or abs(little.typical) < CENT * 2


@given(health=healths, better=st.decimals("0.001", "0.5", places=3))
def test_a_healthier_pack_is_never_worth_less(health, better):
    for open_to_reuse in (True, False):
        barred = () if open_to_reuse else (Gate.NO_HISTORY,)
        worse, well = rules.value_many(
            [
                inputs(pack=replace(pack(reuse_barred=barred), health=Band.exactly(soh)))
                for soh in (health, health + better)
            ]
        )
        best = [max(r.typical for r in worth.routes if not r.barred) for worth in (worse, well)]
        assert best[1] >= best[0]


@given(health=healths, better=st.decimals("0.001", "0.3", places=3))
def test_the_price_of_a_usable_kwh_never_falls_with_health(health, better):
    curve = pack().curve

    assert rules.price_at(curve, health) <= rules.price_at(curve, health + better)


@given(years=st.decimals("0", "12", places=1), more=st.decimals("0", "5", places=1))
def test_a_longer_life_is_never_worth_less_and_never_more_than_a_whole_one(years, more):
    def worth(left):
        return rules.life_factor(left, full_years=Decimal(6), discount=Decimal("0.12"))

    assert 0 <= worth(years) <= worth(years + more) <= 1
    assert worth(None) == 1


# --- how sure ---------------------------------------------------------------------------------------


@given(spread=st.decimals("0.03", "0.2", places=2))
def test_knowing_less_of_the_mass_widens_the_range(spread):
    known, guessed = rules.value(inputs()), rules.value(inputs(mass_kg=band("100", spread * 2)))

    assert guessed.high - guessed.low > known.high - known.low


def test_two_kinds_that_it_may_be_widen_the_range():
    rich, poor = recipe(metal(content="0.2")), recipe(metal(content="0.02"))
    sure = rules.value(inputs(Makeup(recipe(metal(content="0.11")))))

    unsure = rules.value(inputs(Makeup(rich, Decimal("0.5")), Makeup(poor, Decimal("0.5"))))

    assert abs(unsure.typical - sure.typical) < 1
    assert unsure.high - unsure.low > 2 * (sure.high - sure.low)


@given(
    share=st.decimals("0.1", "0.9", places=2),
    rich=st.decimals("0.05", "0.3", places=2),
    poor=st.decimals("0.001", "0.05", places=3),
)
def test_a_label_never_widens_the_range_on_average(share, rich, poor):
    kinds = (
        Makeup(recipe(metal(content=rich)), share),
        Makeup(recipe(metal(content=poor)), 1 - share),
    )

    (label,) = [e for e in rules.value(inputs(*kinds)).evidence if e.code == "label"]
    ranges = rules.value_many([inputs(replace(kind, share=ONE)) for kind in kinds], evidence=False)

    now = rules.value(inputs(*kinds))
    told = sum(kind.share * (r.high - r.low) for kind, r in zip(kinds, ranges, strict=True))
    assert told <= (now.high - now.low) * Decimal("1.02")
    assert 0 <= label.narrows <= 1
    assert label.raises_low_from <= label.raises_low_to


@given(spread=st.decimals("0.06", "0.4", places=2))
def test_a_scale_never_widens_the_range_on_average(spread):
    asked = inputs(mass_kg=band("100", spread), mass_when_weighed=Decimal("0.02"))

    (scale,) = [each for each in rules.value(asked).evidence if each.code == "scale"]

    assert scale.narrows >= 0
    assert scale.raises_low_from <= 0 <= scale.raises_low_to or scale.raises_low_from > 0


def test_a_test_of_an_unmeasured_pack_may_open_a_better_use():
    worth = rules.value(inputs(Makeup(recipe(metal(content="0.01"))), pack=pack(health=None)))

    (test,) = [each for each in worth.evidence if each.code == "capacity_test"]

    assert worth.route is Route.RECYCLE
    assert test.raises_typical > 0


def test_what_the_owner_says_of_health_leaves_a_test_worth_asking_for():
    said = rules.value(inputs(pack=replace(pack(), health=band("0.85", "0.12"), is_tested=False)))
    tested = rules.value(inputs(pack=pack()))

    assert [each.code for each in said.evidence] == ["capacity_test"]
    assert said.evidence[0].narrows > 0
    assert tested.evidence == ()


@given(age=st.integers(0, 3000), older=st.integers(0, 3000), usd=st.decimals("0.1", "99", places=2))
def test_an_older_quote_is_never_surer(age, older, usd):
    def width(days):
        found = rules.quote_band(usd, age_days=days, volatility=Decimal("0.3"))
        assert found.low >= 0
        return found.high - found.low

    assert width(age + older) >= width(age)


# --- which use --------------------------------------------------------------------------------------


def test_a_healthy_pack_is_worth_more_whole():
    worth = rules.value(inputs(Makeup(recipe(metal(content="0.02"))), pack=pack()))

    assert worth.route is Route.REPURPOSE
    usable = Decimal(15) * Decimal("0.85")
    way = 8 + 100 * 300 * Decimal("0.11") / 1000 + 12
    assert worth.typical == usable * 40 - Decimal(15) * 6 - way
    assert worth.because is Because.PAYS_MOST
    kept = next(route for route in worth.routes if route.route is Route.REPURPOSE)
    assert kept.kept_kwh == usable
    assert kept.avoided_co2_kg == (usable * 80 / 2).quantize(Decimal("0.1"))


def test_the_same_use_again_pays_more_but_asks_for_health_and_history():
    strong = replace(pack(), health=band("0.95", "0.01"))

    again = rules.value(inputs(pack=strong))
    unknown = rules.value(inputs(pack=replace(strong, reuse_barred=(Gate.NO_HISTORY,))))
    weaker = rules.value(inputs(pack=pack()))

    assert again.route is Route.REUSE
    assert unknown.route is Route.REPURPOSE
    assert unknown.routes[0].barred == (Gate.NO_HISTORY,)
    assert weaker.routes[0].barred == (Gate.TOO_WEAK,)


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({"health": None}, Gate.NOT_TESTED),
        ({"health": Band.exactly(Decimal("0.69"))}, Gate.TOO_WEAK),
        ({"barred": (Gate.DAMAGED,)}, Gate.DAMAGED),
    ],
)
def test_a_pack_that_misses_a_gate_is_recycled(changes, gate):
    worth = rules.value(
        inputs(Makeup(recipe(metal(content="0.02"))), pack=replace(pack(), **changes))
    )

    assert worth.route is Route.RECYCLE
    assert gate in worth.routes[1].barred
    assert worth.routes[1].typical == 0


def test_a_better_use_that_pays_about_as_much_is_the_one_we_name():
    second = rules.value(inputs(pack=pack())).routes[1].typical
    content = Decimal("0.1")
    for _n in range(40):  # find a metal content at which recycling pays just a little more
        recycled = rules.value(inputs(Makeup(recipe(metal(content=content))))).typical
        content *= 1 + (second * Decimal("1.02") - recycled) / (recycled + 100) / 2
    worth = rules.value(inputs(Makeup(recipe(metal(content=content))), pack=pack()))

    assert worth.routes[2].typical > worth.routes[1].typical
    assert (worth.route, worth.because) == (Route.REPURPOSE, Because.KEEPS_MORE)


@given(health=st.decimals(0, "1.2", places=3))
def test_grades_go_down_with_health_and_end_at_70_percent(health):
    grade = rules.grade_of(health)

    assert (grade is None) == (health < Decimal("0.7"))
    better = rules.grade_of(min(Decimal("1.2"), health + Decimal("0.1")))
    assert grade is None or (better is not None and better <= grade)


# --- nonsense ---------------------------------------------------------------------------------------


def test_shares_that_do_not_make_one_are_refused():
    with pytest.raises(ValueError, match="make one"):
        inputs(Makeup(recipe(), Decimal("0.5")))


def test_a_band_goes_from_low_to_high():
    with pytest.raises(ValueError, match="low through typical"):
        Band(Decimal(2), ONE, Decimal(3))


@pytest.mark.parametrize("samples", [7, 18, 101])
def test_a_sample_is_even_and_not_too_small(samples):
    with pytest.raises(ValueError, match="even number"):
        rules.value(inputs(), samples=samples)


def test_no_lots_are_worth_nothing():
    assert rules.value_many([]) == []


@given(amount=st.decimals("-1e9", "1e9", places=2))
def test_a_rough_amount_is_close_and_short(amount):
    rounded = rules.rough(amount)

    assert abs(rounded - amount) <= abs(amount) * Decimal("0.005")
    assert len(rounded.normalize().as_tuple().digits) <= 3
