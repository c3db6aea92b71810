"""``value_lots``: real batteries, from files that others made, through the whole valuation; nothing is stored."""

import csv
import json
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from marketplace.lots.models import Lot
from marketplace.pricing.models import Valuation
from marketplace.reference.models import MetalQuote

pytestmark = pytest.mark.django_db
DOMAIN = Path(__file__).resolve().parents[3] / "shared" / "domain" / "data"
DAY = "--on=2026-11-23"
CATHODES = {"LFP": "LFP", "NMC": "NMC532", "LMO": "LMO"}


def value(path, *options):
    out = StringIO()
    call_command("value_lots", str(path), DAY, *options, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def write(path, rows):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return path


def outside(name):
    path = DOMAIN / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout")
    return path


def test_each_lot_is_one_line_that_adds_up(reference, tmp_path):
    rows = [
        {"id": "a", "origin": "SCOOTER", "chemistry": "LFP", "mass_kg": "60", "currency": "IDR"},
        {"id": "b", "origin": "CAR", "chemistry": "", "mass_kg": "300", "currency": "INR"},
    ]

    first, second = value(write(tmp_path / "lots.csv", rows))

    for line in (first, second):
        assert Decimal(line["low"]) <= Decimal(line["typical"]) <= Decimal(line["high"])
        assert sum(Decimal(term["amount"]) for term in line["terms"]) == Decimal(line["typical"])
        assert (line["rules_version"], line["on"]) == ("2026-11-2", "2026-11-23")
    assert (first["id"], first["currency"], first["route"]) == ("a", "IDR", "RECYCLE")
    assert {"code": "chemistry_unknown"} in second["flags"]
    assert [each["code"] for each in second["evidence"]] == ["label"]
    assert not Lot.objects.exists()
    assert not Valuation.objects.exists()


def test_the_same_file_and_seed_give_the_same_lines(reference, tmp_path):
    path = write(tmp_path / "lots.csv", [{"id": "a", "mass_kg": "60"}])

    assert value(path) == value(path)
    assert value(path, "--seed=2")[0]["low"] != value(path)[0]["low"]


def test_json_is_read_too(reference, tmp_path):
    path = tmp_path / "lots.json"
    path.write_text(json.dumps([{"id": "a", "mass_kg": 60, "chemistry": "PBA"}]))

    assert value(path, "--no-evidence")[0]["terms"][0]["material"] == "Pb"


def test_a_file_with_one_wrong_row_values_none(reference, tmp_path):
    rows = [{"id": "a", "mass_kg": "60"}, {"id": "b", "mass_kg": "grams"}]

    with pytest.raises(CommandError, match="row 2, mass_kg") as refusal:
        value(write(tmp_path / "lots.csv", rows))

    assert "Nothing was valued: 1 to mend" in str(refusal.value)


def test_a_currency_without_a_rate_is_named(reference, tmp_path):
    with pytest.raises(CommandError, match="row 1, currency"):
        value(write(tmp_path / "lots.csv", [{"id": "a", "mass_kg": "6", "currency": "XTS"}]))


def test_a_file_that_is_not_there_is_said_so(reference, tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        value(tmp_path / "nothing.csv")


def test_270_retired_cells_go_through_it(reference, tmp_path):
    with outside("retired_cells_pulsebat_soh.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    rows = [
        {
            "id": f"{number} {cell['cell_id']}",
            "origin": "CAR",
            "chemistry": CATHODES[cell["cathode"]],
            "mass_kg": str(Decimal(cell["nominal_ah"]) * Decimal("3.4") * 100 / 130),
            "energy_kwh": str(Decimal(cell["nominal_ah"]) * Decimal("3.4") / 10),
            "state_of_health": cell["soh"],
        }
        for number, cell in enumerate(cells)
    ]

    lines = value(write(tmp_path / "cells.csv", rows))

    assert len(lines) == 270
    healthy = [line for line, cell in zip(lines, cells, strict=True) if float(cell["soh"]) >= 0.8]
    weak = [line for line, cell in zip(lines, cells, strict=True) if float(cell["soh"]) < 0.7]
    assert healthy
    assert weak
    assert {line["route"] for line in weak} == {"RECYCLE"}
    assert any(line["route"] == "REPURPOSE" for line in healthy)
    for line in lines:
        assert Decimal(line["low"]) <= Decimal(line["typical"]) <= Decimal(line["high"])


def test_1189_vehicles_go_through_it(reference, tmp_path):
    kinds = {"NMC": "NMC622", "LFP": "LFP", "NCA": "NCA", "NCM": "NMC622", "NMCA": "NMC811"}
    with outside("ev_models_battery.csv").open(newline="") as file:
        cars = list(csv.DictReader(file))
    rows = [
        {
            "id": f"{number} {car['make']} {car['model']}",
            "origin": "CAR",
            "chemistry": kinds.get(car["cathode_material"].upper(), ""),
            "mass_kg": str(
                Decimal(car["pack_gross_kwh"] or car["pack_net_kwh"] or "50") * 1000 / 150
            ),
            "mass_estimated": "yes",
            "energy_kwh": car["pack_gross_kwh"] or car["pack_net_kwh"] or "50",
            "made_year": car["year"],
        }
        for number, car in enumerate(cars)
    ]

    lines = value(write(tmp_path / "cars.csv", rows))

    assert len(lines) == len(cars) == 1189
    unknown = [line for line, row in zip(lines, rows, strict=True) if not row["chemistry"]]
    assert len(unknown) > 700
    assert all("label" in [each["code"] for each in line["evidence"]] for line in unknown)
    assert all("scale" in [each["code"] for each in line["evidence"]] for line in lines)


def test_the_price_months_of_three_years_go_through_it(reference, tmp_path):
    prices = outside("../prices/worldbank_pinksheet_metals_monthly.csv")
    call_command("import_quotes", str(prices), "--format=pink-sheet", stdout=StringIO())
    lot = write(tmp_path / "lot.csv", [{"id": "a", "chemistry": "PBA", "mass_kg": "100"}])
    quotes = MetalQuote.objects.filter(material="Pb", quoted_on__year__gte=2023)
    typical = {}
    for quote in quotes.order_by("quoted_on", "-revision").distinct("quoted_on"):
        out = StringIO()
        call_command("value_lots", str(lot), f"--on={quote.quoted_on}", stdout=out)
        typical[quote.price_usd_per_kg] = Decimal(json.loads(out.getvalue())["typical"])

    in_order = [typical[price] for price in sorted(typical)]
    assert in_order == sorted(in_order)
    assert len(in_order) > 36
