"""Battery passports: three families are read, their values kept, and nothing absurd believed."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.lots.rules import passports as rules
from marketplace.lots.rules.passport_fields import MAP, Kind
from marketplace.lots.rules.passports import Format, NotAPassport, health_of, read_passport

STANDARDS = Path(__file__).parents[2].parent / "shared" / "standards"
TODAY = date(2026, 11, 23)
needs_standards = pytest.mark.skipif(
    not STANDARDS.exists(), reason="the published samples do not lie beside the project"
)
BATTERY_PASS = "batterypass/1.2"
SUBMODELS = (
    "GeneralProductInformation-payload",
    "PerformanceAndDurability-1.2.1-payload",
    "PerformanceAndDurability-payload",
    "MaterialComposition-payload",
    "Circularity",
    "CarbonFootprintForBatteries-payload",
    "Labeling-payload",
    "SupplyChainDueDiligence-payload",
)


def sample(path: str) -> bytes:
    return (STANDARDS / path).read_bytes()


def read(tree) -> rules.Passport:
    return read_passport(json.dumps(tree).encode(), today=TODAY)


def codes(passport: rules.Passport, name: str) -> set[str]:
    return {doubt.code for doubt in passport.doubts if doubt.field == name}


def catena(**changes):
    """A sane Catena-X passport; ``changes`` overwrite what stands at a dotted path, with _ for the dots."""
    tree = {
        "specVersion": "urn:io.catenax.battery.battery_pass:6.1.0",
        "metadata": {"passportIdentifier": "urn:uuid:550e8400-e29b-41d4-a716-446655440000"},
        "identification": {
            "chemistry": "LFP",
            "category": "EV",
            "identification": {"serial": [{"key": "partInstanceId", "value": "SN12345678"}]},
        },
        "sustainability": {"status": "re-used"},
        "characteristics": {
            "physicalDimension": {"weight": {"value": 420.0, "unit": "unit:kilogram"}}
        },
        "operation": {"manufacturer": {"manufacturingDate": "2021-03-01"}},
        "performance": {
            "rated": {
                "capacity": {"value": 150.0},
                "energy": {"value": 52.5},
                "voltage": {"min": 280.0, "nominal": 350.0, "max": 400.0},
                "power": {"value": 100000.0},
            },
            "dynamic": {
                "energy": {
                    "soce": {"value": 81.0, "time": "2026-10-07T10:39:13+01:00"},
                    "remaining": {"value": 42.5, "time": "2026-10-07T10:39:13+01:00"},
                },
                "capacity": {
                    "capacity": {"value": 120.0, "time": "2026-10-07T10:39:13+01:00"},
                    "fade": {"value": 20.0, "time": "2026-10-07T10:39:13+01:00"},
                },
            },
        },
    }
    for path, value in changes.items():
        *above, last = path.split("__")
        node = tree
        for step in above:
            node = node[step]
        node[last] = value
    return tree


# --- the published samples ------------------------------------------------------------------------


@needs_standards
@pytest.mark.parametrize("name", SUBMODELS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_submodel_is_read_in_every_encoding_in_which_it_is_published(name, encoding):
    text = sample(f"{BATTERY_PASS}/{name}.json").decode()

    passport = read_passport(text.encode(encoding), today=TODAY)

    assert passport.format is Format.BATTERY_PASS
    assert passport.original == read_passport(text.encode(), today=TODAY).original


@needs_standards
def test_big_endian_with_its_mark_is_read_too():
    content = b"\xfe\xff" + sample(f"{BATTERY_PASS}/Circularity.json").decode().encode("utf-16-be")

    assert read_passport(content).format is Format.BATTERY_PASS


@needs_standards
def test_the_random_figures_of_the_performance_sample_are_kept_and_none_is_believed():
    passport = read_passport(
        sample(f"{BATTERY_PASS}/PerformanceAndDurability-1.2.1-payload.json"), today=TODAY
    )

    numbers = [name for name, field in passport.fields.items() if isinstance(field.value, Decimal)]
    assert len(numbers) > 25
    assert all(passport.number(name) is None for name in numbers)
    assert codes(passport, "rated_capacity_ah") == {"absurd"}
    assert codes(passport, "nominal_volts") == {"negative"}
    assert rules.kept(passport)["rated_capacity_ah"]["value"] == "2.296e+38"
    assert health_of(passport) == []
    assert passport.as_of == datetime(2025, 8, 8, 14, 19, 26, 601000, tzinfo=UTC)


@needs_standards
def test_the_material_sample_has_its_space_trimmed_and_its_numbers_doubted():
    passport = read_passport(sample(f"{BATTERY_PASS}/MaterialComposition-payload.json"))

    assert passport.text("chemistry") == "NMC"
    assert passport.fields["materials"].value[0]["batteryMaterialIdentifier"] == "7439-93-2"
    assert codes(passport, "materials") == {"space_around", "absurd"}
    assert "wrong_cas" in codes(passport, "hazardous_substances")


@needs_standards
def test_the_general_sample_is_read_field_by_field():
    passport = read_passport(
        sample(f"{BATTERY_PASS}/GeneralProductInformation-payload.json"), today=TODAY
    )

    assert passport.number("mass_kg") == 699
    assert passport.text("category") == "LMT"
    assert passport.text("status") == "ORIGINAL"
    assert passport.text("made_on") == "2025-06-17"
    assert passport.text("passport_id") == "urn:bmwk:123456687678"
    assert passport.text("warranty_text") == "--06"


@needs_standards
def test_a_bundle_of_submodels_is_one_passport_in_any_wrapping():
    parts = {
        name.split("-")[0]: json.loads(sample(f"{BATTERY_PASS}/{name}.json"))
        for name in SUBMODELS
        if name != "PerformanceAndDurability-payload"
    }
    flat = {key: value for part in parts.values() for key, value in part.items()}

    for bundle in (parts, list(parts.values()), flat, {"passport": parts}):
        passport = read(bundle)
        assert {"mass_kg", "chemistry", "rated_energy_kwh", "dismantling"} <= passport.fields.keys()


@needs_standards
@pytest.mark.parametrize("edition", ["3.0.1", "6.0.0", "6.1.0"])
def test_the_catena_x_samples_are_read_and_their_contradictions_found(edition):
    passport = read_passport(
        sample(f"catenax/battery_pass/{edition}-BatteryPass.json"), today=TODAY
    )

    assert (passport.format, passport.edition) == (Format.CATENA_X, edition)
    assert "energy_disagrees_with_capacity" in codes(passport, "rated_energy_kwh")
    assert health_of(passport) == []


@needs_standards
def test_a_health_of_half_beside_all_of_the_energy_is_not_believed():
    passport = read_passport(sample("catenax/battery_pass/6.1.0-BatteryPass.json"), today=TODAY)

    assert "health_disagrees" in codes(passport, "certified_energy_percent")
    assert passport.fields["mass_kg"].value == Decimal("0.02")  # 20 unit:gram
    assert codes(passport, "mass_kg") == {"mass_disagrees_with_energy"}
    assert codes(passport, "in_service_on") == {"date_impossible"}  # 7172-75-08


@needs_standards
def test_the_untp_sample_is_believed_whole():
    passport = read_passport(
        sample("untp/0.7.0/samples/dpp/DigitalProductPassport_battery_instance.json"), today=TODAY
    )

    assert (passport.format, passport.edition) == (Format.UNTP_DPP, "0.7.0")
    assert passport.disbelieved == frozenset()
    assert passport.text("chemistry") == "NMC811"
    assert passport.number("mass_kg") == 450
    assert passport.number("rated_energy_kwh") == 75
    assert passport.number("rated_power_kw") == 270
    assert passport.number("rated_resistance_ohm") == Decimal("0.045")
    assert passport.text("maker") == "Sample Battery Mfg GmbH"


@needs_standards
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("untp/0.7.0/samples/dpp/DigitalProductPassport_cathode_instance.json", "not_a_battery"),
        ("untp/0.7.0/samples/dcc/ConformityCredential_battery_instance.json", "other_credential"),
        ("batterypass/1.2/Circularity-schema.json", "a_schema"),
        ("batterypass/1.2/Circularity-ld.json", "unknown_format"),
        ("catenax/battery_pass/6.1.0-BatteryPass-schema.json", "a_schema"),
        ("catenax/traction_battery_code/2.0.0-TractionBatteryCode.json", "unknown_format"),
        ("epcis/2.0/samples/Example_9.6.1-ObjectEvent.jsonld", "unknown_format"),
    ],
)
def test_what_is_no_battery_passport_is_refused_by_name(path, code):
    with pytest.raises(NotAPassport) as refused:
        read_passport(sample(path))

    assert refused.value.code == code


# --- values ---------------------------------------------------------------------------------------


def test_a_sane_passport_is_believed_and_its_health_told_on_both_bases():
    passport = read(catena())

    assert passport.disbelieved == frozenset()
    assert passport.number("mass_kg") == 420
    assert passport.number("rated_power_kw") == 100
    assert passport.text("status") == "REUSED"
    by_energy, by_capacity = health_of(passport)
    assert (by_energy.value, by_energy.basis, by_energy.doubts) == (Decimal("0.8100"), "ENERGY", ())
    assert (by_capacity.value, by_capacity.basis) == (Decimal("0.8000"), "CAPACITY")
    assert by_energy.as_of == datetime(2026, 10, 7, 9, 39, 13, tzinfo=UTC)


WEIGHT = "characteristics__physicalDimension__weight"
SOCE = "performance__dynamic__energy__soce"
LEFT_AH = "performance__dynamic__capacity__capacity"


@pytest.mark.parametrize(
    ("path", "value", "field", "code"),
    [
        (WEIGHT, {"value": 420000.0, "unit": "unit:kilogram"}, "mass_kg", "g_for_kg"),
        (WEIGHT, {"value": 420.0, "unit": "unit:gram"}, "mass_kg", "kg_for_g"),
        (WEIGHT, {"value": 420.0, "unit": "unit:stone"}, "mass_kg", "unit_unknown"),
        (WEIGHT, {"value": -1, "unit": "unit:kilogram"}, "mass_kg", "negative"),
        (WEIGHT, {"value": "much"}, "mass_kg", "not_a_number"),
        (WEIGHT, {"value": True, "unit": "unit:kilogram"}, "mass_kg", "not_a_number"),
        (WEIGHT, {"value": 1e300, "unit": "unit:gram"}, "mass_kg", "absurd"),
        (
            WEIGHT,
            {"value": 21000.0, "unit": "unit:kilogram"},
            "mass_kg",
            "mass_disagrees_with_energy",
        ),
        ("performance__rated__energy", {"value": 52500.0}, "rated_energy_kwh", "wh_for_kwh"),
        (
            "performance__rated__energy",
            {"value": 20.0},
            "rated_energy_kwh",
            "energy_disagrees_with_capacity",
        ),
        (
            SOCE,
            {"value": 0.81, "time": "2026-10-07"},
            "certified_energy_percent",
            "fraction_for_percent",
        ),
        (
            SOCE,
            {"value": 103, "time": "2026-10-07"},
            "certified_energy_percent",
            "above_102_percent",
        ),
        (SOCE, {"value": 8100, "time": "2026-10-07"}, "certified_energy_percent", "absurd"),
        (SOCE, {"value": 60, "time": "2026-10-07"}, "certified_energy_percent", "health_disagrees"),
        (SOCE, {"value": 81, "time": "2027-01-01"}, "certified_energy_percent", "in_the_future"),
        (
            LEFT_AH,
            {"value": 160, "time": "2026-10-07"},
            "remaining_capacity_ah",
            "remaining_over_rated",
        ),
        (
            LEFT_AH,
            {"value": 42.5, "time": "2026-10-07"},
            "remaining_capacity_ah",
            "health_disagrees",
        ),
        (
            "performance__rated__voltage",
            {"min": 400, "nominal": 350},
            "least_volts",
            "voltages_out_of_order",
        ),
        ("identification__chemistry", "LFP or NMC", "chemistry", "chemistry_ambiguous"),
        ("identification__chemistry", "secret", "chemistry", "chemistry_unknown"),
        ("sustainability__status", "first life/ waste", "status", "word_unknown"),
        (
            "operation__manufacturer",
            {"manufacturingDate": "2027-01-01"},
            "made_on",
            "in_the_future",
        ),
    ],
)
def test_a_value_that_cannot_be_so_is_kept_and_not_believed(path, value, field, code):
    passport = read(catena(**{path: value}))

    assert code in codes(passport, field)
    assert field in passport.fields
    assert field in passport.disbelieved
    assert rules.kept(passport)[field]["believed"] is False


@pytest.mark.parametrize(
    ("value", "code"), [({"value": 81}, "undated"), ({"value": 81, "time": "2021-10-07"}, "stale")]
)
def test_an_old_or_undated_health_is_believed_less_but_believed(value, code):
    passport = read(catena(performance__dynamic__energy__soce=value))

    assert health_of(passport)[0].value == Decimal("0.81")
    assert health_of(passport)[0].doubts == (code,)


def test_the_unit_bug_of_the_performance_model_is_found():
    technical = {"ratedCapacity": 150, "ratedEnergy": 52.5, "nominalVoltage": 350}
    by_spec = {"remainingCapacity": {"remainingCapacityValue": 120, "lastUpdate": "2026-10-07"}}
    by_schema = {"remainingCapacity": {"remainingCapacityValue": 20, "lastUpdate": "2026-10-07"}}

    right = read({"batteryTechicalProperties": technical, "batteryCondition": by_spec})
    wrong = read({"batteryTechicalProperties": technical, "batteryCondition": by_schema})

    assert health_of(right)[0].value == Decimal("0.8000")
    assert codes(wrong, "remaining_capacity_ah") == {"kwh_for_ah"}
    assert health_of(wrong) == []


def test_misspelt_and_well_spelt_keys_say_the_same():
    for key in ("batteryTechicalProperties", "batteryTechnicalProperties"):
        assert read({key: {"ratedCapacity": 150}}).number("rated_capacity_ah") == 150
    for key in ("warrentyPeriod", "warrantyPeriod"):
        assert read({"batteryMass": 1, key: "2030-01"}).text("warranty_text") == "2030-01"


@given(
    grams=st.decimals(Decimal(1000), Decimal(40_000_000), places=0),
    unit=st.sampled_from([("unit:gram", 1), ("unit:kilogram", 1000), ("unit:tonne", 1_000_000)]),
)
def test_one_mass_in_any_unit_is_one_mass(grams, unit):
    name, size = unit
    tree = catena(
        characteristics__physicalDimension__weight={"value": float(grams / size), "unit": name}
    )

    mass = read(tree).fields["mass_kg"].value

    assert abs(mass - grams / 1000) <= grams / 1000 * Decimal("0.000001")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Nickel Cobalt Manganese (NCM)", "NMC"),
        ("Lithium nickel manganese cobalt oxides", "NMC"),
        ("NMC 811 (LiNi0.8Mn0.1Co0.1O2)", "NMC811"),
        ("NCM523", "NMC532"),
        ("LiFePO4", "LFP"),
        ("lithium iron phosphate", "LFP"),
        ("Lithium manganese oxide", "LMO"),
        ("lead-acid", "PBA"),
        ("Ni-MH", "NIMH"),
        ("Natrium", "NAION"),
    ],
)
def test_a_chemistry_is_recognised_by_its_names(said, code):
    assert read(catena(identification__chemistry=said)).text("chemistry") == code


def test_a_passport_of_a_model_is_not_one_of_this_unit():
    passport = read(
        {
            "@context": ["https://vocabulary.uncefact.org/untp/0.7.0/context/"],
            "type": ["DigitalProductPassport", "VerifiableCredential"],
            "credentialSubject": {
                "id": "https://a.example/m",
                "idGranularity": "model",
                "characteristics": {"batteryChemistry": "LFP"},
            },
        }
    )

    assert codes(passport, "unit_id") == {"not_this_unit"}


def test_an_edition_that_we_do_not_know_is_read_and_named():
    passport = read(catena(specVersion="urn:io.catenax.battery.battery_pass:6.2.0"))

    assert passport.edition == "6.2.0"
    assert codes(passport, "edition") == {"edition_unknown"}
    assert passport.number("mass_kg") == 420


# --- what is no passport --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"[" * 100_000, "too_deep"),
        (b"[" * 60 + b"]" * 60, "too_deep"),
        (b'{"batteryMass": ' + b'{"a":' * 50 + b"1" + b"}" * 51, "too_deep"),
        (b" " * 5_000_001, "too_large"),
        (b"\xff\xff\xff", "not_text"),
        (b"%PDF-1.7", "not_json"),
        (b'{"batteryMass": 1', "not_json"),
        (b'{"batteryMass": NaN}', "not_json"),
        (b'{"batteryMass": 1e99999999999999999999}', "not_json"),
        (b"{}", "unknown_format"),
        (b"[]", "unknown_format"),
        (b"7", "unknown_format"),
        (b"eyJhbGciOiJFUzI1NiJ9.eyJ2YyI6e319.c2ln", "unknown_format"),
        (b"aa.bb.cc", "signed_token"),
        (b'[{"batteryMass": 1}, {"batteryMass": 2}]', "several"),
        (json.dumps([catena(), catena()]).encode(), "several"),
        (b'{"type": "VerifiableCredential", "credentialSubject": {}}', "other_credential"),
        (b'{"type": "DigitalProductPassport", "credentialSubject": []}', "not_a_battery"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(content, code):
    with pytest.raises(NotAPassport) as refused:
        read_passport(content)

    assert refused.value.code == code


@pytest.mark.parametrize(
    "number", ["1" * 399, "9" * 5000, "-1.7976931348623157e308", "1e400", "1e-999"]
)
def test_numbers_beyond_every_machine_are_kept_and_can_be_stored(number):
    passport = read_passport(f'{{"batteryMass": {number}}}'.encode())

    assert passport.number("mass_kg") is None
    json.dumps(passport.original, allow_nan=False)
    json.dumps(rules.kept(passport), allow_nan=False)


def test_what_no_database_takes_is_replaced():
    passport = read_passport(rb'{"batteryMass": 1, "productIdentifier": "a\u0000b\ud800"}')

    stored = json.dumps([passport.original, rules.kept(passport)], ensure_ascii=False)
    stored.encode()
    assert "\0" not in stored


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
PATHS = sorted(
    {
        path.partition("|")[0].split("[")[0]
        for wanted in MAP
        for path in (*wanted.battery_pass, *wanted.catena_x, *wanted.untp)
    }
)


@given(st.sampled_from(PATHS), TREES)
def test_whatever_stands_in_a_field_breaks_nothing(path, value):
    tree = catena(type=["DigitalProductPassport"]) if path.startswith("credential") else catena()
    if path.startswith("battery"):
        tree = {"batteryCategory": "ev"}
    if "type" in tree:
        tree = {
            "type": ["DigitalProductPassport"],
            "credentialSubject": {"characteristics": {"batteryCategory": "EV"}},
        }
    node = tree
    *above, last = path.split(".")
    for step in above:
        deeper = node.get(step)
        node[step] = deeper if isinstance(deeper, dict) else {}
        node = node[step]
    node[last] = value

    try:
        passport = read(tree)
    except NotAPassport:
        return
    json.dumps([passport.original, rules.kept(passport), rules.doubts_kept(passport.doubts)])
    health_of(passport)


def test_the_map_names_every_field_once_and_numbers_have_ranges():
    names = [wanted.name for wanted in MAP]

    assert len(names) == len(set(names)) >= 45
    assert all(wanted.low < wanted.high for wanted in MAP if wanted.kind is Kind.NUMBER)
    assert all(wanted.unit in rules.UNITS for wanted in MAP)
