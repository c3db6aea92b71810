"""Reference data: loading, refusing, and what other rooms ask of it."""

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, transaction

from marketplace.reference import queries, services
from marketplace.reference.models import (
    Chemistry,
    ChemistryMaterial,
    Confidence,
    Convention,
    Country,
    CurrencyRate,
    DangerousGoodsRule,
    LicenceType,
    Material,
    MetalQuote,
    PackModel,
    Parameter,
    PayableTerm,
    RecoveryRate,
    SecondLifePrice,
    Source,
    UnEntry,
)

TODAY = date(2026, 11, 24)


@pytest.fixture
def loaded(db):
    """The whole of reference data, as a new installation has it."""
    return services.load_reference()


def sourced(**fields):
    return {
        "source_id": "GK",
        "confidence": Confidence.GENERAL,
        "checked_on": TODAY,
    } | fields


# --- loading --------------------------------------------------------------------------------------


def test_loading_twice_changes_nothing(loaded):
    again = services.load_reference()

    assert sum(table.added for table in loaded) == sum(table.unchanged for table in again)
    assert not any(table.added or table.changed for table in again)


def test_every_row_says_where_it_comes_from_and_how_sure_we_are(loaded):
    for table in services.TABLES[1:]:
        rows = table.model.objects.all()
        assert rows.exists(), table.file
        assert not rows.exclude(confidence__in=Confidence.values).exists()
        assert not rows.exclude(checked_on__lte=TODAY).exists()


def test_a_corrected_row_is_updated_and_an_operators_own_row_stays(loaded):
    Chemistry.objects.filter(code="LFP").update(name="Wrong")
    Parameter.objects.create(
        **sourced(code="OURS", value=1, unit="kg", meaning="Ours", valid_from=TODAY)
    )

    again = services.load_reference()

    assert sum(table.changed for table in again) == 1
    assert Chemistry.objects.get(code="LFP").name == "Lithium iron phosphate"
    assert Parameter.objects.filter(code="OURS").exists()


@pytest.fixture
def folder(tmp_path):
    """A copy of our files that a test may spoil."""
    return Path(shutil.copytree(services.DATA, tmp_path / "data"))


def spoil(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        ("countries.csv", ",EPRID,SECONDARY,", ",,SECONDARY,", "say where it comes from"),
        ("countries.csv", ",EPRID,SECONDARY,", ",HEARSAY,SECONDARY,", "not in sources.csv"),
        ("parameters.csv", "ROAD_FACTOR,1.35", "ROAD_FACTOR,far", "far"),
        ("chemistries.csv", ",LITHIUM,LFP,", ",COAL,LFP,", "COAL"),
        ("chemistries.csv", "code,name,", "code,title,", "title"),
        ("licence_types.csv", "COLLECT|RECEIVE", "COLLECT|DANCE", "DANCE"),
        ("chemistries.csv", "NMC111,Nickel", "LFP,Nickel", "two rows"),
    ],
)
def test_a_bad_row_is_refused_and_nothing_is_written(db, folder, file, old, new, reason):
    spoil(folder / file, old, new)

    with pytest.raises(services.RowRefused, match=reason):
        services.load_reference(folder)

    assert not Source.objects.exists()


def test_the_command_says_what_it_did_and_names_the_bad_line(db, folder, monkeypatch, capsys):
    call_command("load_reference", verbosity=2)
    assert "reference_chemistry: 14 added" in capsys.readouterr().out

    spoil(folder / "countries.csv", ",EPRID,SECONDARY,", ",,SECONDARY,")
    monkeypatch.setattr(services.load_reference.__wrapped__, "__defaults__", (folder,))
    with pytest.raises(CommandError, match=r"countries.csv, line 2: say where it comes from"):
        call_command("load_reference")


# --- quotes are only added -----------------------------------------------------------------------


def test_a_changed_exchange_rate_is_refused(loaded, folder):
    spoil(folder / "currency_rates.csv", "INR,2023-06-30,82.04", "INR,2023-06-30,82.05")

    with pytest.raises(services.QuoteChanged, match=r"82\.05"):
        services.load_reference(folder)


@pytest.mark.parametrize("row", [MetalQuote, CurrencyRate])
def test_the_database_refuses_to_change_a_price(loaded, row):
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        row.objects.update(note="changed")


# --- what other rooms ask ------------------------------------------------------------------------


def test_the_latest_quote_is_the_newest_that_was_known_that_day(loaded):
    quotes = queries.latest_quotes(date(2025, 12, 15))

    assert quotes["Li2CO3"].quoted_on == date(2025, 11, 20)
    assert quotes["Cu"].quoted_on == date(2025, 11, 30)
    assert quotes["Cu"].price_usd_per_kg == Decimal("10.81203")
    assert {"Ni", "Co", "Cu", "Al", "Pb", "Li2CO3"} <= quotes.keys()
    assert queries.latest_quotes(date(1900, 1, 1)) == {}


def test_latest_quotes_is_one_query(loaded, django_assert_num_queries):
    with django_assert_num_queries(1):
        queries.latest_quotes(TODAY)


def test_money_converts_there_and_back(loaded):
    rupees = queries.convert(Decimal(100), "USD", "INR", TODAY)

    assert rupees == Decimal(100) * Decimal("89.9")
    assert queries.convert(rupees, "INR", "USD", TODAY) == 100
    assert queries.convert(Decimal(5), "IDR", "IDR", TODAY) == 5
    assert abs(queries.rate_to_usd("INR", TODAY) * Decimal("89.9") - 1) < Decimal("1e-20")


def test_a_currency_without_a_rate_is_refused(loaded):
    with pytest.raises(queries.RateMissing) as refusal:
        queries.convert(Decimal(1), "USD", "XXX", TODAY)
    assert refusal.value.field == "currency"


def test_every_country_has_a_rate_and_a_licence_to_receive(loaded):
    for country in Country.objects.all():
        assert queries.rate_per_usd(country.currency, TODAY) > 0
        assert queries.cities(country.code), country.code
        assert LicenceType.objects.filter(country=country, allows__contains=["RECEIVE"]).exists()
        assert LicenceType.objects.filter(country=country, allows__contains=["CARRY"]).exists()


def test_every_chemistry_has_its_metals_its_terms_and_its_goods(loaded):
    for chemistry in Chemistry.objects.all():
        contents = queries.chemistry_materials(chemistry.code)
        assert contents
        assert sum(content.typical for content in contents.values()) <= 1
        for convention in Convention:
            feeds = {feed for feed, _material in queries.payables(convention, TODAY)}
            assert chemistry.feed in feeds
        assert set(queries.second_life_prices(chemistry.feed, TODAY)) == {"A", "B", "C"}
        for mode in DangerousGoodsRule.Mode:
            assert (
                DangerousGoodsRule.objects.valid(TODAY)
                .filter(
                    goods=queries.dangerous_goods(chemistry),
                    mode=mode,
                    condition__in=["INTACT_REUSE", "INTACT_RECYCLING", "DAMAGED", "CRITICAL"],
                )
                .count()
                == 4
            )


def test_a_parameter_is_the_one_in_force(loaded):
    Parameter.objects.create(
        **sourced(code="ROAD_FACTOR", value=Decimal("1.5"), unit="", meaning="", valid_from=TODAY)
    )

    assert queries.parameter("ROAD_FACTOR", date(2026, 11, 22)) == Decimal("1.35")
    assert queries.parameter("ROAD_FACTOR", TODAY) == Decimal("1.5")
    assert queries.parameters(TODAY)["ROAD_FACTOR"] == Decimal("1.5")
    assert queries.parameter("ROAD_FACTOR") == Decimal("1.5")
    with pytest.raises(queries.ParameterMissing):
        queries.parameter("NOBODY_LOADED_THIS")


def test_reference_data_is_public(loaded):
    assert Chemistry.objects.visible_to(object()).count() == Chemistry.objects.count()


def test_rows_name_themselves_for_the_operator(loaded):
    for table in services.TABLES:
        assert str(table.model.objects.first())


# --- places --------------------------------------------------------------------------------------


def test_cities_are_found_without_accents_and_case_and_are_rounded():
    found = queries.search_cities("VN", "da nang")

    assert found[0].name == "Da Nang"
    assert queries.city(found[0].geoname_id) == found[0]
    assert all(round(value, 2) == value for value in found[0].position)
    assert queries.city(-1) is None


def test_the_largest_cities_come_first_and_unknown_countries_have_none():
    assert queries.search_cities("ID", " ")[0].name == "Jakarta"
    assert queries.cities("XX") == ()


def test_names_that_begin_with_the_text_come_first():
    names = [place.name for place in queries.search_cities("IN", "pur", limit=100)]

    begins = [queries._plain(name).startswith("pur") for name in names]
    assert begins == sorted(begins, reverse=True)
    assert any(begins)
    assert not all(begins)


# --- every constraint ----------------------------------------------------------------------------

NONSENSE = [
    (Source, {"code": "EMPTY", "title": ""}, "source_has_a_title"),
    (Chemistry, {"confidence": "SURE"}, "chemistry_confidence_is_known"),
    (Chemistry, {"family": "COAL"}, "chemistry_family_is_known"),
    (Chemistry, {"pack_wh_per_kg_low": 0}, "chemistry_density_is_ordered"),
    (Chemistry, {"cell_share_of_pack": 0}, "chemistry_cell_share_is_a_share"),
    (ChemistryMaterial, {"confidence": "SURE"}, "chemistry_material_confidence_is_known"),
    (ChemistryMaterial, {"kg_per_kg_pack_high": 2}, "chemistry_material_is_a_share"),
    (ChemistryMaterial, {"kg_per_kwh_design": -1}, "chemistry_material_is_not_negative"),
    (RecoveryRate, {"confidence": "SURE"}, "recovery_rate_confidence_is_known"),
    (RecoveryRate, {"high": 2}, "recovery_rate_is_a_share"),
    (Country, {"confidence": "SURE"}, "country_confidence_is_known"),
    (Country, {"currency": "??"}, "country_has_codes"),
    (UnEntry, {"confidence": "SURE"}, "un_entry_confidence_is_known"),
    (LicenceType, {"confidence": "SURE"}, "licence_type_confidence_is_known"),
    (
        LicenceType,
        {"valid_from": date(2026, 2, 1), "valid_to": date(2026, 1, 1)},
        "licence_type_ends_after_it_begins",
    ),
    (DangerousGoodsRule, {"confidence": "SURE"}, "dangerous_goods_rule_confidence_is_known"),
    (
        DangerousGoodsRule,
        {"valid_from": date(2026, 2, 1), "valid_to": date(2026, 1, 1)},
        "dangerous_goods_rule_ends_after_it_begins",
    ),
    (DangerousGoodsRule, {"verdict": "FORBIDDEN"}, "dangerous_goods_refusal_says_why"),
    (
        DangerousGoodsRule,
        {"un_entry_id": "UN3480", "proper_shipping_name": ""},
        "dangerous_goods_rule_names_the_goods",
    ),
    (PackModel, {"confidence": "SURE"}, "pack_model_confidence_is_known"),
    (PackModel, {"mass_kg": 0}, "pack_model_has_mass_and_energy"),
    (
        PackModel,
        {"first_year": 2020, "last_year": 2019},
        "pack_model_ends_after_it_begins",
    ),
    (SecondLifePrice, {"confidence": "SURE"}, "second_life_price_confidence_is_known"),
    (SecondLifePrice, {"usd_per_kwh": -1}, "second_life_price_is_not_negative"),
    (
        SecondLifePrice,
        {"is_house_default": True, "feed": "", "grade": ""},
        "second_life_default_says_for_what",
    ),
    (PayableTerm, {"confidence": "SURE"}, "payable_term_confidence_is_known"),
    (PayableTerm, {"high": 2}, "payable_term_is_a_share"),
    (PayableTerm, {"valid_from": None}, "payable_term_has_a_first_day"),
    (PayableTerm, {"valid_to": date(1999, 1, 1)}, "payable_term_ends_after_it_begins"),
    (Parameter, {"confidence": "SURE"}, "parameter_confidence_is_known"),
    (Parameter, {"valid_from": None}, "parameter_has_a_first_day"),
    (Parameter, {"valid_to": date(1999, 1, 1)}, "parameter_ends_after_it_begins"),
]


@pytest.mark.parametrize(("model", "nonsense", "constraint"), NONSENSE)
def test_the_database_refuses_nonsense(loaded, model, nonsense, constraint):
    if model is Source:
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Source.objects.create(**nonsense)
        return
    row = model.objects.filter(pk=model.objects.order_by("pk").values("pk")[:1])
    if model is DangerousGoodsRule:
        row = model.objects.filter(refusal="", verdict="ALLOWED").order_by("pk")[:1]
        row = model.objects.filter(pk=row.get().pk)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row.update(**nonsense)


@pytest.mark.parametrize(
    ("model", "fields", "constraint"),
    [
        (
            MetalQuote,
            {"material": "Cu", "price_usd_per_kg": 0, "kind": "SPOT"},
            "metal_quote_is_positive",
        ),
        (
            MetalQuote,
            {"material": "Au", "price_usd_per_kg": 1, "kind": "SPOT"},
            "metal_quote_material_is_known",
        ),
        (
            MetalQuote,
            {"material": "Cu", "price_usd_per_kg": 1, "kind": "SPOT", "confidence": "SURE"},
            "metal_quote_confidence_is_known",
        ),
        (CurrencyRate, {"currency": "INR", "per_usd": 0}, "currency_rate_is_positive"),
        (CurrencyRate, {"currency": "inr", "per_usd": 1}, "currency_rate_names_a_currency"),
        (
            CurrencyRate,
            {"currency": "INR", "per_usd": 1, "confidence": "SURE"},
            "currency_rate_confidence_is_known",
        ),
    ],
)
def test_the_database_refuses_a_nonsense_price(loaded, model, fields, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.objects.create(**sourced(quoted_on=TODAY, **fields))


@pytest.mark.parametrize(
    ("model", "constraint"),
    [
        (ChemistryMaterial, "one_row_per_material"),
        (RecoveryRate, "one_recovery_rate"),
        (MetalQuote, "one_quote_per_day_and_source"),
        (CurrencyRate, "one_rate_per_day_and_source"),
        (DangerousGoodsRule, "one_dangerous_goods_rule"),
        (PackModel, "one_pack_model"),
        (SecondLifePrice, "one_second_life_price"),
        (PayableTerm, "one_payable_term"),
        (Parameter, "one_parameter_value"),
    ],
)
def test_the_database_refuses_the_same_row_twice(loaded, model, constraint):
    row = model.objects.first()
    row.pk = None

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row.save(force_insert=True)


def test_materials_and_un_numbers_have_their_form(loaded):
    assert {row.material for row in ChemistryMaterial.objects.all()} <= set(Material.values)
    with pytest.raises(IntegrityError, match="un_entry_has_a_number"), transaction.atomic():
        UnEntry.objects.create(
            **sourced(un_number="3480", proper_shipping_name="X", hazard_class="9", label="9")
        )
