"""Prices from files: all of a file or nothing, each refusal with its row and column, what stood before kept."""

import zipfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from openpyxl import Workbook

from marketplace.journal.models import Entry
from marketplace.reference import queries, services
from marketplace.reference.models import CurrencyRate, MetalQuote, Source
from marketplace.reference.services import files

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TODAY = NOW.date()
PRICES = Path(__file__).resolve().parents[3] / "shared/domain/prices"
PINK_SHEET = PRICES / "worldbank_pinksheet_metals_monthly.csv"
METALS = ("aluminium", "copper", "lead", "nickel", "tin", "zinc")


@dataclass(frozen=True)
class Clerk:
    name: str = "clerk"
    user_id: int | None = None
    organisation_id: int | None = None


@pytest.fixture
def loaded(db):
    return services.load_reference()


@pytest.fixture
def file(tmp_path):
    """Write a file, and return where."""

    def write(text, name="prices.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def refused(command, file, match, **options):
    """Run an import that must be refused, and check that it wrote nothing."""
    before = (MetalQuote.objects.count(), CurrencyRate.objects.count(), Entry.objects.count())
    with pytest.raises(CommandError, match=match):
        call_command(command, file, **options)
    assert before == (
        MetalQuote.objects.count(),
        CurrencyRate.objects.count(),
        Entry.objects.count(),
    )


def workbook(path, rows, tab="Monthly Prices"):
    book = Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet(tab)
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


BANK_HEAD = [
    ["World Bank Commodity Price Data (The Pink Sheet)"],
    ["monthly prices in nominal US dollars"],
    [None, "Crude oil, average", "Aluminum", "Copper", "Lead", "Tin", "Nickel", "Zinc *"],
    [None, "($/bbl)", "($/mt)", "($/mt)", "($/mt)", "($/mt)", "($/mt)", "($/mt)"],
]


# --- the Pink Sheet -------------------------------------------------------------------------------


@pytest.mark.skipif(not PINK_SHEET.exists(), reason="the shared domain files are not here")
def test_the_whole_price_history_comes_in_and_agrees_with_our_own_months(loaded, capsys):
    before = MetalQuote.objects.filter(kind="MONTHLY_AVERAGE").count()

    call_command("import_quotes", PINK_SHEET, format="pink-sheet")

    assert before == 36 * 6
    assert MetalQuote.objects.filter(kind="MONTHLY_AVERAGE").count() == 797 * 6
    assert MetalQuote.objects.filter(revision__gt=1).count() == 0
    assert "4566 quotes added, 216 already there." in capsys.readouterr().out
    nickel = queries.latest_quotes(date(1960, 2, 1))["Ni"]
    assert (nickel.price_usd_per_kg, nickel.quoted_on) == (Decimal("1.631"), date(1960, 1, 31))


def test_the_banks_own_workbook_is_read_with_every_digit(loaded, tmp_path):
    sheet = workbook(
        tmp_path / "CMO.xlsx",
        [
            *BANK_HEAD,
            ["2026M06", 70.1, 2612.345, 9811.5, 1998.1, 33000, 15501.27, "…"],
            ["2026M07", 71.2, 2600, 9900.25, 2001, 33100, 15600, 2700.5],
        ],
    )

    call_command("import_quotes", sheet, format="pink-sheet", verbosity=0)

    quotes = queries.latest_quotes(date(2026, 7, 31))
    assert quotes["Cu"].price_usd_per_kg == Decimal("9.90025")
    assert quotes["Zn"].price_usd_per_kg == Decimal("2.7005")
    june = MetalQuote.objects.get(material="Ni", quoted_on=date(2026, 6, 30))
    assert june.price_usd_per_kg == Decimal("15.50127")
    assert not MetalQuote.objects.filter(material="Zn", quoted_on=date(2026, 6, 30)).exists()


def test_the_banks_sheet_saved_as_csv_is_read_too(loaded, file):
    head = "\n".join(",".join(f'"{cell or ""}"' for cell in row) for row in BANK_HEAD)
    text = f"{head}\n2026M06,70,2612,9811,1998,33000,15501,2700\n"

    call_command("import_quotes", file(text), format="pink-sheet", verbosity=0)

    assert queries.latest_quotes(date(2026, 7, 1))["Sn"].price_usd_per_kg == 33


REAL_HEAD = [
    ["World Bank Commodity Price Data (The Pink Sheet)"],
    ["monthly prices in nominal US dollars, 1960 to present"],
    ["(monthly series are available only in nominal US dollar terms)"],
    ["Updated on August 4, 2026"],
    [None, "Crude oil, average", "Coal, South African **", "Copper", "Lead **", "Tin 1/", "Nickel  ", "Zinc *"],
    [None, "($/bbl)", "($/mt)", "($/mt)", "($/mt)", "($/mt)", "($/mt)", "($/mt)"],
]  # fmt: skip
CODES = [None, "CRUDE_PETRO", "COAL_SAFRICA", "COPPER", "LEAD", "Tin", "NICKEL", "Zinc"]
FOOT = [
    [None],
    ["** see the tab Description"],
    ["Source: World Bank; Bloomberg.", None, None, None],
    [None, "Not a price", None],
]


def test_title_rows_codes_footnote_marks_and_footnotes_are_stepped_over(loaded, tmp_path):
    june = ["2026M06", 70.1, "…", 9811.5, 1998.1, 33000, 15501.27, ".."]
    july = ["2026M07", None, "..", 9900.25, 2001, 33100, 15600, 2700.5]
    sheet = workbook(tmp_path / "CMO.xlsx", [*REAL_HEAD, CODES, june, july, *FOOT])

    call_command("import_quotes", sheet, format="pink-sheet", verbosity=0)

    new = MetalQuote.objects.filter(quoted_on__in=[date(2026, 6, 30), date(2026, 7, 31)])
    assert sorted(new.values_list("material", "quoted_on__month")) == [
        ("Cu", 6), ("Cu", 7), ("Ni", 6), ("Ni", 7), ("Pb", 6), ("Pb", 7), ("Sn", 6), ("Sn", 7), ("Zn", 7),
    ]  # fmt: skip


@pytest.mark.parametrize("blank", ["…", "..", "...", "", "-", "–", "n.a.", "N/A"])
def test_every_way_to_write_nothing_is_nothing(loaded, file, blank):
    text = f"month,lead_usd_t,copper_usd_t\n2026-06,{blank},9800\n"

    call_command("import_quotes", file(text), format="pink-sheet", verbosity=0)

    assert MetalQuote.objects.filter(quoted_on=date(2026, 6, 30)).count() == 1


@pytest.mark.parametrize("label", ["2026M06", "2026-06", "2026-06-01", "2026/6"])
def test_every_way_to_write_a_month_is_its_last_day(loaded, file, label):
    call_command(
        "import_quotes", file(f"month,lead_usd_t\n{label},1950\n"), format="pink-sheet", verbosity=0
    )

    assert MetalQuote.objects.get(quoted_on=date(2026, 6, 30)).kind == "MONTHLY_AVERAGE"


def test_months_that_a_spreadsheet_made_days_of_are_months(loaded, tmp_path):
    rows = [*BANK_HEAD, [datetime(2026, 6, 1), 70, 2612.0, 9811.5, 1998, 33000, 15501, 2700]]

    call_command(
        "import_quotes", workbook(tmp_path / "a.xlsx", rows), format="pink-sheet", verbosity=0
    )

    assert MetalQuote.objects.filter(quoted_on=date(2026, 6, 30)).count() == 6


def test_a_sheet_that_lies_about_its_own_size_is_read_whole(loaded, tmp_path):
    right = workbook(
        tmp_path / "right.xlsx", [*BANK_HEAD, ["2026M06", 70, 2612, 9811, 1998, 33000, 15501, 2700]]
    )
    lying = tmp_path / "lying.xlsx"
    with zipfile.ZipFile(right) as whole, zipfile.ZipFile(lying, "w") as packed:
        for part in whole.infolist():
            content = whole.read(part)
            if part.filename.endswith("sheet2.xml"):
                assert b'<dimension ref="A1:H5"' in content
                content = content.replace(b'<dimension ref="A1:H5"', b'<dimension ref="A1:A1"')
            packed.writestr(part, content)

    call_command("import_quotes", lying, format="pink-sheet", verbosity=0)

    assert MetalQuote.objects.filter(quoted_on=date(2026, 6, 30)).count() == 6


def test_yearly_prices_are_not_taken_for_months(loaded, file):
    text = "year,lead_usd_t,copper_usd_t\n2025,1950,9800\n"

    refused("import_quotes", file(text), "column A: 2025 is not a day", format="pink-sheet")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("month,lead_usd_t\n2026-13,1950\n", r"row 2, column A: 2026-13 is not a day"),
        (
            "month,lead_usd_t\n2026-06,dear\n",
            r"row 2, column B \(Lead\): dear is not a number",
        ),
        (
            "month,lead_usd_t\n2026-06,1950\n2026-08,1960\n",
            r"row 3, column B \(Lead\): These months are missing: 2026-07",
        ),
        (
            "month,lead_usd_t\n2026-06,1950\n2026-06,1950\n",
            r"row 3, column B \(Lead\): Pb 2026-06-30 stands in row 2 already",
        ),
        (
            "month,lead_usd_t\n2026-06,1950\n2026-07,0.885\n",
            r"row 3.*0\.000885 USD/kg cannot be so",
        ),
        ("month,lead_usd_t\n2026-06,1950\n2026-07,885\n", r"row 3.* 2\.2 times away from 1\.95"),
        ("month,lead_usd_t\n2026-06,-5\n", r"row 2.*-5 is not above zero"),
        ("month,lead_usd_t\nsoon,1950\n", r"row 2, column A: soon is not a day"),
        ("a,b\n1,2\n", "no row with the headings Copper and Nickel"),
        ("", "is empty"),
    ],
)
def test_a_bad_pink_sheet_is_refused_by_row_and_column(loaded, file, text, match):
    refused("import_quotes", file(text), match, format="pink-sheet")


def test_a_month_that_a_single_metal_misses_is_named(loaded, file):
    text = "month,lead_usd_t,copper_usd_t\n2026-06,1950,9800\n2026-07,..,9900\n2026-08,1960,9950\n"

    refused("import_quotes", file(text), r"row 4, column B .*missing: 2026-07", format="pink-sheet")
    call_command("import_quotes", file(text), format="pink-sheet", gaps=True, verbosity=0)

    assert MetalQuote.objects.filter(quoted_on__year=2026, quoted_on__month=8).count() == 2


def test_a_jump_that_is_meant_is_taken(loaded, file):
    text = "month,nickel_usd_t\n2026-06,15000\n2026-07,31000\n"

    refused("import_quotes", file(text), "is 2.1 times away", format="pink-sheet")
    call_command("import_quotes", file(text), format="pink-sheet", jumps=True, verbosity=0)

    assert queries.latest_quotes(TODAY)["Ni"].price_usd_per_kg == 31


def test_a_first_price_is_held_against_the_last_known_one(loaded, file):
    """Nickel stood at 7.5 a pound, 16.5 a kilogram, in the month before."""
    newest = queries.latest_quotes(date(2026, 5, 31))["Ni"]
    in_pounds = newest.price_usd_per_kg * Decimal("0.45359237") * 1000

    text = f"month,nickel_usd_t\n2026-06,{in_pounds:.2f}\n"

    refused("import_quotes", file(text), r"row 2.*2\.2 times away", format="pink-sheet")


# --- tables of any form ---------------------------------------------------------------------------


def test_our_own_columns_are_added_once(loaded, file, capsys):
    ours = file("material,quoted_on,price_usd_per_kg,source\nCo,2026-11-02,54.5,GK\n")

    call_command("import_quotes", ours)
    call_command("import_quotes", ours)

    assert capsys.readouterr().out.splitlines() == [
        "1 quotes added, 0 already there.",
        "0 quotes added, 1 already there.",
    ]
    assert queries.latest_quotes(TODAY)["Co"].price_usd_per_kg == Decimal("54.5")


def test_columns_of_any_name_with_semicolons_and_decimal_commas(loaded, file):
    text = (
        "\ufeffTag;Metall;Schluss;Einheit\n"
        "2026-11-02;Nickel;15.501,27;USD/t\n"
        "2026-11-03;ni;7,05;USD/lb\n"
        "2026-11-03;lithium carbonate;86.450,00;CNY/t\n"
    )
    columns = {"date": "Tag", "material": "Metall", "price": "Schluss", "unit": "Einheit"}

    call_command("import_quotes", file(text), map=columns, source="GK", verbosity=0)

    day = queries.latest_quotes(date(2026, 11, 2))["Ni"]
    assert day.price_usd_per_kg == Decimal("15.50127")
    assert queries.latest_quotes(TODAY)["Ni"].price_usd_per_kg == Decimal("15.542589")
    lithium = MetalQuote.objects.get(material="Li2CO3", quoted_on=date(2026, 11, 3))
    rate = queries.rate_per_usd("CNY", date(2026, 11, 3))
    assert lithium.price_usd_per_kg == (Decimal("86.45") / rate).quantize(Decimal("0.000001"))
    assert f"{rate.normalize():f} CNY/USD" in lithium.note


def test_what_the_file_does_not_say_is_said_beside_it(loaded, file, capsys):
    text = "Date,Close\n2026-11-02,2650\n2026-11-03,2660\n"

    call_command(
        "import_quotes",
        file(text),
        "--map=price=Close",
        "--set=material=Zn,unit=USD/t",
        "--source=BROKER",
        "--source-title=A broker's sheet",
    )

    assert queries.latest_quotes(TODAY)["Zn"].source == "BROKER"
    assert Source.objects.get(code="BROKER").title == "A broker's sheet"
    assert "2 quotes added" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "options", "match"),
    [
        ("material,date,price,unit\nNi,2026-11-02,\"15,501\",USD/t\n", {}, r"row 2, column C \(price\): 15,501 may mean thousands"),
        ("material,date,price,unit\nNi,2026-11-02,15,5,USD/t\n", {}, r"row 2: 5 cells under 4 headings"),
        ("material,date,price,unit\nUnobtainium,2026-11-02,5,USD/t\n", {}, r"row 2, column A \(material\): Unobtainium is no material"),
        ("material,date,price,unit\nNi,2.11.2026,5,USD/t\n", {}, r"column B \(date\): 2\.11\.2026 is not a day"),
        ("material,date,price,unit\nNi,2026-11-02,15501,USD/ton\n", {}, r"column D \(unit\): USD/ton is not a unit"),
        ("material,date,price,unit\nNi,2026-11-02,15501,USD/kg\n", {}, r"looks like a price per t"),
        ("material,date,price,unit\nNi,2026-11-02,15501,\n", {}, r"column D \(unit\): It is empty"),
        ("material,date,price\nNi,2026-11-02,15501\n", {}, r"row 2, column unit: It is empty"),
        ("material,date,price,unit\nNi,1950-11-02,9000,CNY/t\n", {}, "no exchange rate for CNY"),
        ("material,date,price,unit,source\nNi,2026-11-02,15501,USD/t,HEARSAY\n", {}, r"column E \(source\): HEARSAY is no source"),
        ("material,date,price,unit\nNi,2026-11-02,1,USD/kg\nNi,2026-11-02,1,USD/kg\n", {}, r"row 3.* stands in row 2 already"),
        ("material,date,price,unit\nNi,2026-11-02,\"1,5\",USD/kg\nNi,2026-11-03,1.5,USD/kg\n", {}, "decimal point and 1,5 a decimal comma"),
        ("metal,price\nNi,15\n", {}, "has no column date. It has: metal, price"),
        ("material,date,price\nNi,2026-11-02,15\n", {"map": {"price": "Close"}}, "has no column Close"),
        ('material,date,price\n"Ni,2026-11-02,15\n', {}, "row 2: this is no CSV"),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_by_row_and_column(loaded, file, text, options, match):
    refused("import_quotes", file(text), match, **options)


def test_a_file_in_another_alphabet_is_refused_or_read(loaded, file):
    text = "material,date,price,unit,note\nNi,2026-11-02,15501,USD/t,Größe\n"

    refused("import_quotes", file(text, encoding="latin-1"), "is not in UTF-8")
    call_command("import_quotes", file(text, encoding="utf-16"), source="GK", verbosity=0)

    assert MetalQuote.objects.get(quoted_on=date(2026, 11, 2)).note == "Größe"


def test_a_map_that_is_no_map_and_a_missing_file_are_one_clear_sentence(loaded, tmp_path):
    with pytest.raises(CommandError, match="is not like price=Close"):
        call_command("import_quotes", tmp_path / "nothing.csv", "--map=price")
    with pytest.raises(CommandError, match="Cannot read"):
        call_command("import_quotes", tmp_path / "nothing.csv")


# --- too large, too tight, unsafe -----------------------------------------------------------------


def test_a_file_of_200_megabytes_is_refused_before_it_is_read(loaded, tmp_path, monkeypatch):
    large = tmp_path / "large.csv"
    with large.open("wb") as hole:
        hole.truncate(200_000_000)
    monkeypatch.setattr(Path, "read_bytes", lambda _path: pytest.fail("it was read"))

    for command in ("import_quotes", "import_rates"):
        refused(command, large, "200 MB; we read up to 20 MB")


def test_a_workbook_that_unpacks_to_far_more_is_not_opened(loaded, tmp_path):
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * 120_000_000)

    refused("import_quotes", bomb, "would unpack to 120 MB", format="pink-sheet")


def test_a_workbook_with_a_document_type_or_no_sheet_is_refused(loaded, tmp_path):
    unsafe = tmp_path / "unsafe.xlsx"
    with zipfile.ZipFile(unsafe, "w") as packed:
        packed.writestr(
            "xl/workbook.xml", '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x/>'
        )
    refused("import_quotes", unsafe, "declares a document type", format="pink-sheet")

    photos = tmp_path / "photos.xlsx"
    with zipfile.ZipFile(photos, "w") as packed:
        packed.writestr("photo.jpg", b"x")
    refused("import_quotes", photos, "is no workbook that we can read", format="pink-sheet")


def test_a_file_of_too_many_rows_is_refused(loaded, file, monkeypatch):
    monkeypatch.setattr(files, "MAX_ROWS", 2)
    text = "material,date,price,unit\nNi,2026-11-02,15,USD/kg\nNi,2026-11-03,15,USD/kg\n"

    refused("import_quotes", file(text), "more than 2 rows")


# --- revisions ------------------------------------------------------------------------------------


def test_a_corrected_price_is_the_next_revision_and_the_old_one_stays(loaded, file, capsys):
    first = file("month,lead_usd_t\n2026-06,1950\n2026-07,1960\n")
    corrected = file("month,lead_usd_t\n2026-06,1950\n2026-07,1971\n", "CMO-August.csv")
    call_command("import_quotes", first, format="pink-sheet", verbosity=0)

    call_command("import_quotes", corrected, format="pink-sheet", verbosity=2)

    july = MetalQuote.objects.filter(material="Pb", quoted_on=date(2026, 7, 31)).order_by(
        "revision"
    )
    assert [(row.revision, row.price_usd_per_kg, row.reason) for row in july] == [
        (1, Decimal("1.96"), ""),
        (2, Decimal("1.971"), "As revised in CMO-August.csv"),
    ]
    assert queries.latest_quotes(TODAY)["Pb"].price_usd_per_kg == Decimal("1.971")
    assert "0 quotes added, 1 revised, 1 already there." in capsys.readouterr().out
    assert services.load_reference()  # our own files still load


def test_our_files_still_load_after_the_bank_corrected_one_of_their_months(loaded, file):
    call_command(
        "import_quotes", file("month,lead_usd_t\n2026-05,1999\n"), format="pink-sheet", verbosity=0
    )

    assert MetalQuote.objects.filter(revision=2).count() == 1
    services.load_reference()
    assert MetalQuote.objects.filter(revision=2).count() == 1
    assert queries.latest_quotes(date(2026, 5, 31))["Pb"].price_usd_per_kg == Decimal("1.999")


def test_another_price_without_a_reason_is_refused(loaded):
    there = MetalQuote.objects.filter(material="Cu").first()
    again = MetalQuote(
        material="Cu",
        quoted_on=there.quoted_on,
        source_id=there.source_id,
        price_usd_per_kg=Decimal(1),
        kind="SPOT",
        confidence="GENERAL",
        checked_on=TODAY,
    )

    with pytest.raises(services.QuoteChanged, match="already quoted"):
        services.add_quotes([again], by=Clerk(), now=NOW)
    again.source_id = "HEARSAY"
    with pytest.raises(services.RowRefused, match="source"):
        services.add_quotes([again], by=Clerk(), now=NOW)

    assert MetalQuote.objects.filter(price_usd_per_kg=1).count() == 0


def test_a_dry_run_says_what_it_would_do_and_does_nothing(loaded, file, capsys):
    before = MetalQuote.objects.count()

    call_command(
        "import_quotes",
        file("month,lead_usd_t\n2026-05,1999\n2026-06,2000\n"),
        format="pink-sheet",
        dry_run=True,
        source_title="New",
        source="WB-CMO-2026-06-02",
    )

    assert MetalQuote.objects.count() == before
    assert not Entry.objects.exists()
    said = capsys.readouterr().out
    assert "Nothing written. It would be: 1 quotes added, 1 revised" in said
    assert "→ 1.999" in said


def test_the_journal_says_what_came_in_and_from_where(loaded, file):
    text = "month,lead_usd_t\n2026-06,1950\n"

    call_command("import_quotes", file(text, "June.csv"), format="pink-sheet", verbosity=0)
    call_command("import_quotes", file(text, "June.csv"), format="pink-sheet", verbosity=0)

    entry = Entry.objects.get(name="reference.QuotesChanged")
    assert entry.actor == "console"
    assert entry.payload == {
        "table": "MetalQuote",
        "added": 1,
        "revised": 0,
        "came_from": "June.csv",
    }


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"revision": 0, "reason": "x"}, "revisions_count_from_one"),
        ({"revision": 2, "reason": ""}, "revision_says_why"),
    ],
)
def test_the_database_refuses_a_revision_without_a_number_or_a_reason(loaded, fields, constraint):
    common = {"quoted_on": TODAY, "source_id": "GK", "confidence": "GENERAL", "checked_on": TODAY}
    with pytest.raises(IntegrityError, match=f"metal_quote_{constraint}"), transaction.atomic():
        MetalQuote.objects.create(
            material="Cu", price_usd_per_kg=9, kind="SPOT", **common, **fields
        )
    with pytest.raises(IntegrityError, match=f"currency_rate_{constraint}"), transaction.atomic():
        CurrencyRate.objects.create(currency="INR", per_usd=9, **common, **fields)


# --- exchange rates -------------------------------------------------------------------------------

ECB_DAILY = "Date, USD, INR, IDR, ISK, \n20 November 2026, 1.2500, 110.00, 20500.00, N/A, \n"
ECB_XML = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
    xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject>
<Cube><Cube time="2026-11-20"><Cube currency="USD" rate="1.25"/><Cube currency="INR" rate="110"/></Cube></Cube>
</gesmes:Envelope>"""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (ECB_DAILY, "eurofxref.csv"),
        ("Date,USD,INR,\n2026-11-20,1.25,110,\n2026-11-19,1.24,109,\n", "eurofxref-hist.csv"),
        (ECB_XML, "eurofxref-daily.xml"),
    ],
)
def test_euro_reference_rates_are_turned_into_rates_per_dollar(loaded, file, text, name):
    call_command("import_rates", file(text, name), format="ecb", verbosity=0)

    on = date(2026, 11, 20)
    rates = dict(
        CurrencyRate.objects.filter(source="ECB", quoted_on=on).values_list("currency", "per_usd")
    )
    assert rates["INR"] == Decimal(88)
    assert rates["EUR"] == Decimal("0.8")
    assert not {"USD", "ISK"} & rates.keys()
    assert queries.rate_per_usd("INR", on) == 88


@pytest.mark.parametrize(
    ("text", "name", "match"),
    [
        ("Date,USD,INR\n2026-11-20,N/A,110\n", "e.csv", "row 2, column USD: There is no rate of the US dollar"),
        ("Date,USD,INR\n2026-11-20,1.25,many\n", "e.csv", "row 2, column INR: many is not a number"),
        ("Date,USD,INR\n2026-11-20,1.25,0\n", "e.csv", "INR 0 is not above zero"),
        ("Date,USD\n20/11/2026,1.25\n", "e.csv", r"row 2, column A \(Date\): 20/11/2026 is not a day"),
        ("Date,USD\n2026-11-20,1.25\n2026-11-20,1.26\n", "e.csv", "row 3, column Date: 2026-11-20 stands in row 2"),
        ("Day,INR\n2026-11-20,88\n", "e.csv", "headings Date and USD"),
        (ECB_XML.replace('rate="1.25"', 'rate="x"'), "e.xml", "row 1, column USD: x is not a number"),
        (ECB_XML.replace("2026-11-20", "Friday"), "e.xml", "column time: Friday is not a day"),
        ("<a><b/></a>", "e.xml", "holds no day of reference rates"),
        ("<a><b>", "e.xml", "is no XML"),
        ('<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>', "e.xml", "declares a document type"),
    ],
)  # fmt: skip
def test_bad_reference_rates_are_refused_by_row_and_column(loaded, file, text, name, match):
    refused("import_rates", file(text, name), match, format="ecb")


def test_the_banks_file_is_read_out_of_the_zip_that_it_comes_in(loaded, tmp_path):
    packed = tmp_path / "eurofxref-hist.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as writing:
        writing.writestr(
            "eurofxref-hist.csv",
            "\ufeffDate,USD,JPY,CYP,INR,\r\n2026-11-20,1.25,N/A,N/A,110,\r\n2026-11-19,1.25,160.5,N/A,109.5,\r\n",
        )

    call_command("import_rates", packed, format="ecb", verbosity=0)

    rates = CurrencyRate.objects.filter(source="ECB", quoted_on__gte=date(2026, 11, 19))
    assert sorted(rates.values_list("currency", "quoted_on__day")) == [
        ("EUR", 19), ("EUR", 20), ("INR", 19), ("INR", 20), ("JPY", 19),
    ]  # fmt: skip


def test_a_zip_of_more_or_of_too_much_is_refused(loaded, tmp_path, monkeypatch):
    packed = tmp_path / "two.zip"
    with zipfile.ZipFile(packed, "w") as writing:
        writing.writestr("a.csv", "Date,USD\n")
        writing.writestr("b.csv", "Date,USD\n")
    refused("import_rates", packed, "is no workbook that we can read", format="ecb")

    large = tmp_path / "large.zip"
    with zipfile.ZipFile(large, "w") as writing:
        writing.writestr("a.csv", "Date,USD\n2026-11-20,1.2\n" * 100)
    monkeypatch.setattr(files, "MAX_BYTES", large.stat().st_size)
    monkeypatch.setattr(files, "MAX_UNPACKED_BYTES", 10_000)
    with zipfile.ZipFile(large, "w", zipfile.ZIP_DEFLATED) as writing:
        writing.writestr("a.csv", "Date,USD\n2026-11-20,1.2\n" * 300)
    refused("import_rates", large, "would unpack to", format="ecb")


@pytest.mark.parametrize(
    ("rate", "match"),
    [
        ("0.0114", "It looks written the other way round"),
        ("8800", r"far from \d+.*say that jumps are meant"),
    ],
)
def test_a_rate_the_other_way_round_or_far_away_is_refused(loaded, file, rate, match):
    text = f"currency,date,rate\nINR,2026-11-21,88\nINR,2026-11-22,{rate}\n"

    refused("import_rates", file(text), rf"row 3, column C \(rate\): .*{match}")
    call_command("import_rates", file(text), jumps=True, source="GK", verbosity=0)

    assert queries.rate_per_usd("INR", date(2026, 11, 22)) == Decimal(rate)


def test_rates_from_any_table_and_a_corrected_rate(loaded, file):
    columns = {"currency": "Cur", "per_usd": "Kurs"}

    for kurs in ("16.300,5", "16.310,5"):
        text = f"Cur;Date;Kurs\nidr;2026-11-21;{kurs}\nINR;2026-11-21;88,1\n"
        call_command("import_rates", file(text), map=columns, source="GK", verbosity=0)

    rows = CurrencyRate.objects.filter(currency="IDR", quoted_on=date(2026, 11, 21))
    assert [row.per_usd for row in rows.order_by("revision")] == [
        Decimal("16300.5"),
        Decimal("16310.5"),
    ]
    assert queries.rate_per_usd("IDR", TODAY) == Decimal("16310.5")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("currency,date,rate\nrupees,2026-11-21,88\n", r"row 2, column A \(currency\): rupees is not the code"),
        ("currency,date,rate\nINR,2026-11-21,0\n", r"column C \(rate\): 0 is not above zero"),
        ("currency,date,rate\nINR,2026-11-21,88\nINR,2026-11-21,88\n", "row 3.*stands in row 2"),
        ("currency,date,rate,source\nINR,2026-11-21,88,HEARSAY\n", "HEARSAY is no source"),
        ("currency,date\nINR,2026-11-21\n", "has no column per_usd"),
        ("\n\n", "is empty"),
    ],
)  # fmt: skip
def test_a_bad_table_of_rates_is_refused_by_row_and_column(loaded, file, text, match):
    refused("import_rates", file(text), match)
