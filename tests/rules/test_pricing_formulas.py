"""Offers as formulas: read, checked, compared and settled, never evaluated."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.pricing.rules import Band, Inputs, Makeup, Metal, Pack, Recipe, Trip, formulas
from marketplace.pricing.rules.formulas import (
    Agreed,
    Assay,
    AssayBy,
    Basis,
    Fault,
    Formula,
    Limits,
    Party,
    PerKg,
    PerKwh,
    Pickup,
    TermsRefused,
    UmpireNeeded,
    agreed_share,
    check,
    net_at_gate,
    plain,
    read,
    settle,
)

ONE, ZERO = Decimal(1), Decimal(0)
NI, CO = Decimal("0.10"), Decimal("0.03")
QUOTES = {"Ni": Decimal("18.80"), "Co": Decimal(50)}
LIMITS = Limits(
    assay_min_kg=Decimal(1000),
    splitting={"Ni": Decimal("0.005"), "Co": Decimal("0.003")},
    umpire_fee=Decimal(500),
)


def band(typical, spread="0.1"):
    return Band.around(Decimal(typical), Decimal(spread))


def metal(material, content, usd):
    return Metal(material, band(content), Band.exactly(ONE), band(usd), "WB", "2026-05-31")


def lot(**changes):
    metals = (metal("Ni", NI, "18.80"), metal("Co", CO, "50"))
    return replace(
        Inputs(
            mass_kg=band("2000", "0.02"),
            makeups=(Makeup(Recipe("NMC622", metals, ())),),
            shredding_loss=band("0.05"),
            trip=Trip(Decimal(40), band("0.11", "0.5"), band("300", "0.5"), band("0.12", "0.5")),
            moisture=Band(ZERO, Decimal("0.01"), Decimal("0.02")),
        ),
        **changes,
    )


def terms(**changes):
    made = Formula(
        payables={"Ni": Decimal("0.75"), "Co": Decimal("0.7")},
        charge_per_kg=Decimal("0.9"),
        floor_per_kg=Decimal("0.4"),
    )
    return replace(made, **changes)


def due(offer, kg="1500", **changes):
    asked = {
        "kg": Decimal(kg),
        "currency": "USD",
        "quotes": QUOTES,
        "contained": {"Ni": NI, "Co": CO},
        "limits": LIMITS,
    }
    return settle(offer, **asked | changes)


def faults(offer, **other):
    return [(problem.where, problem.fault) for problem in check(offer, **other)]


payables = st.decimals("0", "1.2", places=3)
rises = st.decimals("0", "0.3", places=3)
usd = st.decimals("0", "90", places=2)
amounts = st.decimals("0", "5", places=2)
shares = st.decimals("0", "0.4", places=4)
masses = st.decimals("0.001", "50000", places=3)
prices = st.decimals("0.000001", "9999", places=6)


# --- reading and checking -------------------------------------------------------------------------------


@given(ni=payables, charge=amounts, floor=amounts, pickup=st.sampled_from(Pickup))
def test_terms_are_read_as_they_were_written(ni, charge, floor, pickup):
    offer = terms(
        payables={"Ni": ni},
        charge_per_kg=charge,
        floor_per_kg=floor,
        pickup=pickup,
        assay=AssayBy.LAB,
    )

    assert read(plain(offer)) == offer
    assert read(plain(PerKg(charge))) == PerKg(charge)


@pytest.mark.parametrize(
    ("raw", "field", "fault"),
    [
        ("0.75 * Ni", "terms", Fault.NOT_TERMS),
        ({"kind": "EVAL"}, "kind", Fault.UNKNOWN_CHOICE),
        ({"kind": ["PER_KG"]}, "kind", Fault.UNKNOWN_CHOICE),
        ({"kind": "PER_KG"}, "price", Fault.MISSING),
        ({"kind": "PER_KG", "price": "2,50"}, "price", Fault.NOT_A_NUMBER),
        ({"kind": "PER_KG", "price": "NaN"}, "price", Fault.NOT_A_NUMBER),
        ({"kind": "PER_KG", "price": True}, "price", Fault.NOT_A_NUMBER),
        ({"kind": "PER_KG", "price": "1e99"}, "price", Fault.TOO_LARGE),
        ({"kind": "PER_KG", "price": "1e999999999"}, "price", Fault.TOO_LARGE),
        ({"kind": "PER_KG", "price": "1e-999999999"}, "price", Fault.TOO_LARGE),
        ({"kind": "PER_KG", "price": "0." + "3" * 9999}, "price", Fault.TOO_LARGE),
        ({"kind": "PER_KG", "price": "0.0000001"}, "price", Fault.TOO_LARGE),
        ({"kind": "PER_KG", "price": "1", "per": "t"}, "per", Fault.UNKNOWN_FIELD),
        ({"kind": "FORMULA"}, "payables", Fault.MISSING),
        ({"kind": "FORMULA", "payables": [1]}, "payables", Fault.NOT_TERMS),
        ({"kind": "FORMULA", "payables": {"Ni": "x"}}, "payables.Ni", Fault.NOT_A_NUMBER),
        ({"kind": "FORMULA", "payables": {}, "index": "LME"}, "index", Fault.UNKNOWN_CHOICE),
        ({"kind": "FORMULA", "payables": {}, "assay": "ME"}, "assay", Fault.UNKNOWN_CHOICE),
    ],
)
def test_terms_that_cannot_be_read_are_named_field_by_field(raw, field, fault):
    with pytest.raises(TermsRefused) as refusal:
        read(raw)

    assert [(each.where, each.fault) for each in refusal.value.problems] == [(field, fault)]


def test_every_fault_is_named_at_once():
    with pytest.raises(TermsRefused) as refusal:
        read({"kind": "FORMULA", "payables": {"Ni": "x"}, "charge_per_kg": "", "pickup": "BOTH"})

    named = [each.where for each in refusal.value.problems]
    assert named == ["payables.Ni", "charge_per_kg", "pickup"]


def test_a_share_in_per_cent_a_negative_charge_and_an_unknown_metal_are_refused():
    odd = terms(
        payables={"Ni": Decimal(75), "Xx": Decimal("0.5"), "Co": Decimal("-0.1")},
        charge_per_kg=Decimal(-1),
        floor_per_kg=Decimal(-1),
    )

    assert faults(odd) == [
        ("payables.Ni", Fault.PAYABLE_TOO_HIGH),
        ("payables.Xx", Fault.UNKNOWN_MATERIAL),
        ("payables.Co", Fault.NEGATIVE),
        ("charge_per_kg", Fault.NEGATIVE),
        ("floor_per_kg", Fault.NEGATIVE),
    ]
    assert check(odd)[0].values["meant"] == "0.75"
    assert faults(terms(payables={"Ni": Decimal("1.2")})) == []
    assert faults(terms(payables={"Ni": Decimal("1.2001")})) == [
        ("payables.Ni", Fault.PAYABLE_TOO_HIGH)
    ]


def test_terms_that_pay_nothing_or_what_the_lot_has_not_are_refused():
    assert faults(terms(payables={"Ni": ZERO})) == [("payables", Fault.NOTHING_PAID)]
    assert faults(PerKg(ZERO)) == [("price", Fault.NOT_POSITIVE)]
    assert faults(PerKwh(ONE), inputs=lot()) == [("kind", Fault.ENERGY_UNKNOWN)]
    assert faults(terms(payables={"Pb": ONE}), inputs=lot()) == [
        ("payables.Pb", Fault.NOT_CONTAINED)
    ]


def test_a_floor_above_what_anything_could_pay_is_refused():
    high = Decimal("1.1")
    most = Decimal("0.75") * NI * high * Decimal("18.80") * high
    most += Decimal("0.7") * CO * high * 50 * high - Decimal("0.9")

    assert faults(terms(floor_per_kg=most), inputs=lot()) == []
    assert faults(terms(floor_per_kg=most + Decimal("0.01")), inputs=lot()) == [
        ("floor_per_kg", Fault.FLOOR_TOO_HIGH)
    ]


# --- settling -------------------------------------------------------------------------------------------


def test_a_formula_settles_line_by_line():
    found = due(terms())

    assert [(line.code, line.material, line.amount) for line in found.lines] == [
        ("metal", "Co", Decimal("1575.00")),
        ("metal", "Ni", Decimal("2115.00")),
        ("charge", "", Decimal("-1350.00")),
    ]
    assert found.amount == Decimal("2340.00")


@given(kg=masses, price=prices)
def test_a_price_per_kilogram_is_price_times_kilograms_exactly(kg, price):
    found = settle(PerKg(price), kg=kg, currency="INR")

    assert abs(found.amount - kg * price) <= Decimal("0.005")
    assert found.amount == sum(line.amount for line in found.lines)
    assert settle(PerKwh(price), kg=ONE, kwh=kg, currency="INR").amount == found.amount


@given(ni=payables, more=rises, charge=amounts, floor=amounts, kg=masses)
def test_a_higher_payable_never_pays_less(ni, more, charge, floor, kg):
    def paid(share):
        offer = terms(payables={"Ni": share}, charge_per_kg=charge, floor_per_kg=floor)
        return due(offer, kg).amount

    assert paid(ni) <= paid(ni + more)


@given(quote=usd, more=usd, kg=masses)
def test_a_higher_quote_never_pays_less(quote, more, kg):
    low, high = (due(terms(), kg, quotes=QUOTES | {"Ni": each}) for each in (quote, quote + more))

    assert low.amount <= high.amount


@given(seller=shares, buyer=shares, umpire=shares, more=rises)
def test_richer_assays_never_pay_less(seller, buyer, umpire, more):
    def paid(on_top):
        assays = [
            Assay(party, {"Ni": share + on_top})
            for party, share in zip(Party, (seller, buyer, umpire), strict=True)
        ]
        return due(terms(assay=AssayBy.LAB), assays=assays).amount

    assert paid(ZERO) <= paid(more)


@given(
    ni=payables,
    charge=amounts,
    floor=amounts,
    kg=masses,
    quote=usd,
    freight=st.decimals("0", "9000", places=2),
    currency=st.sampled_from(["USD", "INR", "JPY"]),
)
def test_nothing_pays_below_the_floor_and_nobody_pays_to_sell(
    ni, charge, floor, kg, quote, freight, currency
):
    offer = terms(
        payables={"Ni": ni}, charge_per_kg=charge, floor_per_kg=floor, pickup=Pickup.SELLER
    )

    found = due(offer, kg, quotes={"Ni": quote}, freight=freight, currency=currency)

    assert found.amount >= formulas.payable(floor * kg, currency) >= 0
    assert found.amount == sum(line.amount for line in found.lines)


def test_only_a_seller_who_bears_the_way_pays_for_it():
    free = due(terms(), freight=Decimal(100))
    borne = due(terms(pickup=Pickup.SELLER), freight=Decimal(100))

    assert free.amount - borne.amount == 100
    assert borne.lines[-1].code == "freight"


# --- two assays and an umpire ---------------------------------------------------------------------------


@given(seller=shares, buyer=shares, umpire=shares)
def test_splitting_treats_both_sides_alike(seller, buyer, umpire):
    limit = Decimal("0.005")

    one = agreed_share(seller=seller, buyer=buyer, umpire=umpire, limit=limit)
    other = agreed_share(seller=buyer, buyer=seller, umpire=umpire, limit=limit)

    assert (one.share, one.basis) == (other.share, other.basis)
    swapped = {Party.SELLER: Party.BUYER, Party.BUYER: Party.SELLER}
    assert {swapped[party] for party in one.losers} == set(other.losers)
    assert min(seller, buyer) <= one.share <= max(seller, buyer)


def test_assays_within_the_limit_are_split_and_beyond_it_an_umpire_decides():
    limit = Decimal("0.005")

    def said(umpire=None, buyer="0.095"):
        return agreed_share(
            seller=Decimal("0.100"),
            buyer=Decimal(buyer),
            umpire=None if umpire is None else Decimal(umpire),
            limit=limit,
        )

    assert said() == Agreed(Decimal("0.0975"), Basis.SPLIT)
    with pytest.raises(UmpireNeeded):
        said(buyer="0.0949")
    assert said("0.096", "0.09") == Agreed(Decimal("0.096"), Basis.UMPIRE, (Party.BUYER,))
    assert said("0.091", "0.09") == Agreed(Decimal("0.091"), Basis.UMPIRE, (Party.SELLER,))
    assert said("0.08", "0.09") == Agreed(Decimal("0.09"), Basis.UMPIRE, (Party.SELLER,))
    assert said("0.095", "0.09").losers == (Party.SELLER, Party.BUYER)


def test_the_loser_pays_the_umpire_apart_from_the_goods():
    assays = [
        Assay(Party.SELLER, {"Ni": Decimal("0.11"), "Co": Decimal("0.04")}),
        Assay(Party.BUYER, {"Ni": Decimal("0.09"), "Co": Decimal("0.02")}),
        Assay(Party.UMPIRE, {"Ni": Decimal("0.108"), "Co": Decimal("0.03")}),
    ]

    found = due(terms(assay=AssayBy.LAB), assays=assays)

    assert found.agreed["Ni"].share == Decimal("0.108")
    assert found.umpire_fees == {Party.SELLER: Decimal(125), Party.BUYER: Decimal(375)}
    with pytest.raises(UmpireNeeded) as refusal:
        due(terms(assay=AssayBy.LAB), assays=assays[:2])
    assert refusal.value.materials == ("Co", "Ni")


def test_a_small_lot_and_one_without_assays_are_settled_by_their_chemistry():
    rich = [Assay(Party.SELLER, {"Ni": Decimal("0.3"), "Co": Decimal("0.3")})]
    by_lab = terms(assay=AssayBy.LAB)

    assert due(by_lab, "999", assays=rich).agreed["Ni"].basis is Basis.TABLE
    assert due(by_lab, "1000", assays=rich).agreed["Ni"].basis is Basis.ONE_ASSAY
    assert due(by_lab).amount == due(terms()).amount
    assert due(terms(), assays=rich).amount == due(terms()).amount


# --- comparing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "offer",
    [
        terms(),
        terms(pickup=Pickup.SELLER),
        terms(floor_per_kg=Decimal(3)),
        PerKg(Decimal("2.2")),
    ],
)
def test_the_comparable_number_is_what_is_settled_when_all_is_typical(offer):
    inputs = lot()

    found = net_at_gate(offer, inputs, currency="USD")

    kg = inputs.mass_kg.typical if isinstance(offer, PerKg) else formulas.dry_kg(inputs)
    assert found.typical == due(offer, kg, freight=formulas.way_usd(inputs)).amount
    assert found.worst <= found.low <= found.typical <= found.high


def test_the_worst_case_of_a_formula_is_its_floor_and_without_one_nothing():
    assert net_at_gate(terms(), lot(), currency="USD").worst == Decimal("768.32")
    assert net_at_gate(terms(floor_per_kg=ZERO), lot(), currency="USD").worst == 0


def test_a_price_per_kwh_is_compared_by_the_energy_of_the_lot():
    energy = band("300", "0.02")
    nothing = Band.exactly(ZERO)
    pack = Pack(
        energy_kwh=energy,
        health=None,
        presumed_health=band("0.7"),
        curve=((Decimal("0.75"), nothing),),
        least_health=Decimal("0.7"),
        reuse_health=Decimal("0.9"),
        reuse_premium=ZERO,
        life_factor=ONE,
        testing_usd_per_kwh=nothing,
        sorting_usd_per_kwh=nothing,
        repacking_usd_per_kwh=nothing,
        made_kg_per_kwh=nothing,
        displaces=ZERO,
    )

    found = net_at_gate(PerKwh(Decimal(12)), lot(pack=pack), currency="USD")

    assert found.typical == Decimal("3600.00")
    assert found.worst == found.low <= Decimal("3528.00")
    with pytest.raises(ValueError, match="energy"):
        net_at_gate(PerKwh(Decimal(12)), lot(), currency="USD")


@given(ni=payables, more=rises, seed=st.integers(0, 5))
def test_better_terms_are_better_at_every_mark(ni, more, seed):
    low, high = (
        net_at_gate(terms(payables={"Ni": share}), lot(), currency="USD", seed=seed)
        for share in (ni, ni + more)
    )

    assert low.worst <= high.worst
    assert low.low <= high.low
    assert low.typical <= high.typical
    assert low.high <= high.high


def test_the_same_terms_and_seed_give_the_same_figures_and_a_rate_scales_them():
    usd_figure = net_at_gate(terms(charge_per_kg=ZERO, floor_per_kg=ZERO), lot(), currency="USD")
    again = net_at_gate(terms(charge_per_kg=ZERO, floor_per_kg=ZERO), lot(), currency="USD")
    rupees = net_at_gate(
        terms(charge_per_kg=ZERO, floor_per_kg=ZERO), lot(), currency="INR", per_usd=Decimal(90)
    )

    assert usd_figure == again
    assert abs(rupees.typical - 90 * usd_figure.typical) < 2


def test_a_mixture_is_compared_by_its_average_and_drawn_kind_by_kind():
    nickel = Makeup(Recipe("A", (metal("Ni", "0.2", "18.80"),), ()), Decimal("0.5"))
    nothing = Makeup(Recipe("B", (), ()), Decimal("0.5"))
    offer = Formula({"Ni": ONE})

    mixed = net_at_gate(offer, lot(makeups=(nickel, nothing)), currency="USD")

    assert mixed.low == 0
    assert mixed.typical == due(offer, "1980", contained={"Ni": NI}).amount
