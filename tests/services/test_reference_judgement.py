"""What helps to judge a lot: priors, emissions, gates, lithium points and the two ways of paying for scrap."""

import csv
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from marketplace.lots.models import Lot
from marketplace.reference import queries, services
from marketplace.reference.models import (
    Chemistry,
    ChemistryPrior,
    Convention,
    EmissionFactor,
    LithiumPointQuote,
    Origin,
    PackModel,
    PayableTerm,
    ReuseGate,
    Source,
)

TODAY = date(2026, 11, 23)
STEPS = ("LOW", "TYPICAL", "HIGH")


@pytest.fixture
def loaded(db):
    return services.load_reference()


def sourced(**fields):
    return {"source_id": "GK", "confidence": "GENERAL", "checked_on": TODAY} | fields


# --- what a lot probably is ----------------------------------------------------------------------


def test_every_origin_of_a_lot_has_a_prior_that_makes_one(loaded):
    assert set(Origin) == set(Lot.Origin)
    for origin in Lot.Origin:
        for year in (None, *range(1985, 2027)):
            for country in ("", "IN", "ID"):
                shares = queries.chemistry_prior(origin, made_on=year, country=country)
                assert sum(shares.values()) == 1, (origin, year, country)


def test_the_year_changes_what_a_car_probably_holds(loaded):
    old = queries.chemistry_prior("CAR", made_on=2010)
    new = queries.chemistry_prior("CAR", made_on=2025)

    assert old["NMC111"] == Decimal("0.3")
    assert "NMC111" not in new
    assert new["LFP"] > old["LFP"]
    assert queries.chemistry_prior("CAR")["LMO"] == Decimal("0.12")
    assert queries.chemistry_prior("CAR", made_on=1970) == queries.chemistry_prior("CAR")


def test_the_country_counts_where_we_know_it_and_an_unknown_origin_is_a_mixed_lot(loaded):
    assert queries.chemistry_prior("RICKSHAW", country="IN")["PBA"] == Decimal("0.6")
    assert "PBA" not in queries.chemistry_prior("RICKSHAW", country="ID")
    assert queries.chemistry_prior("RICKSHAW", country="IN", made_on=2022)["LFP"] == Decimal("0.8")
    assert queries.chemistry_prior("SPACESHIP") == {"LI_UNKNOWN": Decimal(1)}


def test_a_prior_is_one_query(loaded, django_assert_num_queries):
    with django_assert_num_queries(1):
        queries.chemistry_prior("CAR", made_on=2019, country="IN")


def test_shares_that_do_not_make_one_are_refused_and_nothing_is_written(db, tmp_path):
    folder = Path(shutil.copytree(services.DATA, tmp_path / "data"))
    file = folder / "chemistry_priors.csv"
    file.write_text(file.read_text().replace("BUS,,,,LFP,0.90", "BUS,,,,LFP,0.80"))

    with pytest.raises(services.RowRefused, match=r"BUS .* make 0\.9000, not 1"):
        services.load_reference(folder)

    assert not Source.objects.exists()


# --- the catalogue of packs -----------------------------------------------------------------------


def test_the_catalogue_knows_at_least_two_hundred_packs_of_every_kind(loaded):
    assert PackModel.objects.count() >= 200
    for kind in ("CAR", "VAN", "TWO_WHEELER", "THREE_WHEELER", "BUS", "HOME", "TELECOM"):
        assert PackModel.objects.filter(kind=kind).count() >= 20, kind


def test_vans_are_vans_and_cars_are_cars(loaded):
    kinds = {str(pack): pack.kind for pack in PackModel.objects.all()}

    for van in ("Nissan e-NV200 24", "Renault Kangoo ZE 33", "Tata Ace EV 21"):
        assert kinds[van] == "VAN"
    assert kinds["Nissan Leaf ZE0"] == "CAR"
    assert "Nissan e-NV200 40" in [str(pack) for pack in queries.packs_like("van nissan")]


def test_no_pack_holds_more_energy_than_its_chemistry_can(loaded):
    for pack in PackModel.objects.select_related("chemistry"):
        wh_per_kg = 1000 * pack.energy_kwh / pack.mass_kg
        most = max(pack.chemistry.cell_wh_per_kg * Decimal("1.4"), Decimal(50))  # lead, slowly
        assert wh_per_kg <= most, pack
        assert wh_per_kg >= 12, pack


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("leaf", "Nissan Leaf ZE0"),
        ("NISSAN 2017", "Nissan Leaf ZE0 30"),
        ("citroen e-c3", "Citroën ë-C3 28"),
        ("powerwall", "Tesla Powerwall 1 6.4"),
        ("rickshaw lfp 105", "Generic e-rickshaw LFP 51 V 105 Ah"),
        ("two-wheeler lead yadea", "Yadea graphene lead set 72 V 22 Ah"),
    ],
)
def test_packs_are_found_by_words_years_and_kinds(loaded, text, found):
    assert found in [str(pack) for pack in queries.packs_like(text)]


def test_a_name_that_begins_with_the_text_comes_first_and_nothing_finds_nothing(loaded):
    names = [str(pack) for pack in queries.packs_like("tesla model", limit=5)]

    assert len(names) == 5
    assert all(name.startswith("Tesla Model") for name in names)
    assert queries.packs_like("  ") == []
    assert queries.packs_like("warp drive") == []


def test_searching_packs_is_one_query(loaded, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert queries.packs_like("byd")[0].chemistry.code == "LFP"


def test_packs_of_cars_on_sale_do_not_count_as_coming_back(loaded):
    new = PackModel.objects.filter(source="OPENEV-1.24.0")

    assert new.count() == 194
    assert not PackModel.objects.coming_back().filter(source="OPENEV-1.24.0").exists()
    assert set(new.values_list("chemistry", flat=True)) == {"LFP", "NMC622"}


OPEN_EV = Path(__file__).resolve().parents[3] / "shared/domain/data/ev_models_battery.csv"


@pytest.mark.skipif(not OPEN_EV.exists(), reason="the shared domain files are not here")
def test_the_packs_from_the_open_data_set_hold_what_it_says(loaded):
    with OPEN_EV.open(encoding="utf-8") as lines:
        said = {
            (row["make"], row["model"], Decimal(row["pack_gross_kwh"]))
            for row in csv.DictReader(lines)
            if row["battery_chemistry_as_given"] != "li-ion" or row["cathode_material"]
        }

    for pack in PackModel.objects.filter(source="OPENEV-1.24.0"):
        assert any(
            make == pack.maker and pack.model.startswith(model) and energy_kwh == pack.energy_kwh
            for make, model, energy_kwh in said
        ), pack


# --- emissions, gates and costs -------------------------------------------------------------------


def test_every_chemistry_and_feed_has_its_emissions(loaded):
    factors = queries.emission_factors()

    for chemistry in Chemistry.objects.all():
        assert factors[f"PRODUCTION_{chemistry.code}"].unit == "kg/kWh"
        for what in ("RECYCLING_AVOIDED", "RECYCLING_TREATMENT"):
            assert factors[f"{what}_{chemistry.feed}"].unit == "kg/kg"
    assert factors["TRANSPORT_ROAD"].typical == queries.parameter("CO2_KG_PER_TKM")


def test_every_origin_has_a_calendar_and_every_grade_its_bounds(loaded):
    gates = queries.reuse_gates()

    for origin in Lot.Origin:
        assert gates[f"CALENDAR_YEARS_{origin}"].standard == "UL 1974:2023"
    assert gates["TRACEABILITY_REQUIRED"].standard == "IEC 63338:2024"
    assert gates["MIN_HEALTH_A"].value > gates["MIN_HEALTH_B"].value > gates["MIN_HEALTH_C"].value
    assert gates["MIN_HEALTH_C"].value == queries.parameter("SECOND_LIFE_MIN_HEALTH")


def test_every_cost_is_a_range_in_order(loaded):
    numbers = queries.parameters(TODAY)
    ranges = [code.removesuffix("_TYPICAL") for code in numbers if code.endswith("_TYPICAL")]

    assert {"DISCHARGE", "DISMANTLE", "SHREDDING", "TOLLING", "DG_PACKING", "MOISTURE"} <= set(
        ranges
    )
    assert {"FREIGHT_USD_PER_TKM", "ASSAY_USD", "REUSE_TEST", "REUSE_SORT"} <= set(ranges)
    for code in ranges:
        low, typical, high = (numbers[f"{code}_{step}"] for step in STEPS)
        assert low <= typical <= high, code
    for feed in ("TERNARY", "LFP"):
        low, typical, high = (
            numbers[f"BLACK_MASS_YIELD_{feed}{end}"] for end in ("_LOW", "", "_HIGH")
        )
        assert low <= typical <= high
    for grade in "ABC":
        low, typical, high = (numbers[f"SECOND_LIFE_YEARS_{step}_{grade}"] for step in STEPS)
        assert low <= typical <= high


def test_the_parts_of_second_life_work_add_up_to_the_whole(loaded):
    numbers = queries.parameters(TODAY)

    parts = sum(numbers[f"REUSE_{work}_TYPICAL"] for work in ("TEST", "SORT", "REPACK"))

    assert parts == numbers["SECOND_LIFE_TEST_USD_PER_KWH"]


# --- how scrap is paid ----------------------------------------------------------------------------


def test_the_two_conventions_are_kept_apart(loaded):
    china = queries.payables(Convention.CHINA, TODAY)
    korea = queries.payables(Convention.KOREA, TODAY)

    assert china.keys() == korea.keys()
    assert china["TERNARY", "Li"].typical == Decimal("0.7")
    assert korea["TERNARY", "Li"].typical == Decimal("0.04")
    assert korea["TERNARY", "Ni"].low == Decimal("0.65")
    assert {term.convention for term in korea.values()} == {Convention.KOREA}
    assert not any(term.includes_lithium for term in china.values())


def test_a_share_that_stands_for_lithium_too_says_so(loaded):
    january = PayableTerm.objects.filter(source="FM-JAN24", material="Ni")

    assert dict(january.values_list("includes_lithium", "typical")) == {
        False: Decimal("0.655"),
        True: Decimal("0.71"),
    }


def test_the_lithium_point_is_the_newest_of_its_form(loaded):
    points = queries.lithium_points(date(2025, 10, 1))

    assert (points["ELECTRODE_BLACK_MASS"].low, points["ELECTRODE_BLACK_MASS"].high) == (2650, 2800)
    assert points["BATTERY_BLACK_MASS"].quoted_on == date(2025, 5, 15)
    assert points["BATTERY_BLACK_MASS"].currency == "CNY"
    assert "BLACK_MASS" not in points
    assert queries.lithium_points(date(2020, 1, 1)) == {}


# --- what the database refuses --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "nonsense", "constraint"),
    [
        (ChemistryPrior, {"confidence": "SURE"}, "chemistry_prior_confidence_is_known"),
        (ChemistryPrior, {"origin": "SPACESHIP"}, "chemistry_prior_origin_is_known"),
        (ChemistryPrior, {"country": "India"[:2]}, "chemistry_prior_names_a_country"),
        (ChemistryPrior, {"share": 0}, "chemistry_prior_is_a_share"),
        (
            ChemistryPrior,
            {"made_to": 2020, "made_from": None},
            "chemistry_prior_ends_after_it_begins",
        ),
        (
            ChemistryPrior,
            {"made_from": 2020, "made_to": 2019},
            "chemistry_prior_ends_after_it_begins",
        ),
        (EmissionFactor, {"confidence": "SURE"}, "emission_factor_confidence_is_known"),
        (EmissionFactor, {"low": 9999}, "emission_factor_is_ordered"),
        (EmissionFactor, {"unit": "kg"}, "emission_factor_unit_is_known"),
        (ReuseGate, {"confidence": "SURE"}, "reuse_gate_confidence_is_known"),
        (ReuseGate, {"value": -1}, "reuse_gate_is_not_negative"),
        (PayableTerm, {"convention": "PERU"}, "payable_term_convention_is_known"),
        (
            PayableTerm,
            {"convention": "CHINA", "includes_lithium": True},
            "payable_term_includes_lithium_in_korea_only",
        ),
        (
            PayableTerm,
            {"convention": "KOREA", "material": "Li", "includes_lithium": True},
            "payable_term_includes_lithium_in_korea_only",
        ),
    ],
)
def test_the_database_refuses_nonsense(loaded, model, nonsense, constraint):
    row = model.objects.filter(pk=model.objects.order_by("pk").values("pk")[:1])

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row.update(**nonsense)


@pytest.mark.parametrize(
    ("nonsense", "constraint"),
    [
        ({"confidence": "SURE"}, "lithium_point_confidence_is_known"),
        ({"feed_form": "SOUP"}, "lithium_point_form_is_known"),
        ({"low": 0}, "lithium_point_is_a_range"),
        ({"high": 1}, "lithium_point_is_a_range"),
        ({"currency": "yuan"[:3]}, "lithium_point_names_a_currency"),
    ],
)
def test_the_database_refuses_a_nonsense_point(loaded, nonsense, constraint):
    fields = {
        "market": "China",
        "feed_form": "BLACK_MASS",
        "quoted_on": TODAY,
        "low": 2000,
        "high": 2500,
        "currency": "CNY",
        "unit": "CNY per 1 % Li per tonne",
    }
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        LithiumPointQuote.objects.create(**sourced(**fields | nonsense))


def test_the_database_refuses_to_change_a_point(loaded):
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        LithiumPointQuote.objects.update(low=1)


@pytest.mark.parametrize(
    ("model", "constraint"),
    [
        (ChemistryPrior, "one_chemistry_prior"),
        (LithiumPointQuote, "one_lithium_point_per_day_and_source"),
    ],
)
def test_the_database_refuses_the_same_row_twice(loaded, model, constraint):
    row = model.objects.first()
    row.pk = None

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row.save(force_insert=True)
