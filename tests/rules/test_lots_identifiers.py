"""Codes on batteries: recognised however they are written, and believed only where they can be believed."""

import csv
import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.lots.rules.identifiers import (
    BPAN_LETTERS,
    GBT_ALPHABET,
    MEMBERS,
    Doubt,
    NotACode,
    Scheme,
    check_digit_holds,
    contradicts,
    doubts_now,
    identify,
    masked,
    tidy,
)

DOMAIN = Path(__file__).parents[2].parent / "shared" / "domain"
TODAY = date(2026, 11, 23)
needs_domain = pytest.mark.skipif(
    not DOMAIN.exists(), reason="the field's data files do not lie beside the project"
)

CAPITALS = "0123456789ABCDEFGHJKLMNPRSTVWXYZ"
days = st.dates(date(2011, 1, 1), date(2026, 11, 22))


def gbt_of(made: date, *, maker="02L", product="C", letter="B", serial="0052124") -> str:
    years = "?123456789" + GBT_ALPHABET
    day = "0" if made.day == 10 else (" 123456789" + "?" + GBT_ALPHABET)[made.day]
    return f"{maker}{product}{letter}02100101A{years[made.year - 2010]}{'123456789ABC'[made.month - 1]}{day}{serial}"


def bpan_of(made: date, *, chemistry="F", serial="0001") -> str:
    numbers = "123456789" + BPAN_LETTERS
    return (
        f"MY008A6{chemistry}KKKLC{numbers[made.year - 2025]}"
        f"{'ABCDEFGHJKLM'[made.month - 1]}{numbers[made.day - 1]}8{serial}"
    )


# --- GB/T 34014 -----------------------------------------------------------------------------------


@needs_domain
def test_the_real_chinese_codes_are_read():
    samples = json.loads((DOMAIN / "05_gbt34014.json").read_text())["real_samples"]

    read = [identify(sample, today=TODAY) for sample in samples]

    assert {code.scheme for code in read} == {Scheme.GBT34014}
    assert [code.told["made_on"] for code in read] == ["2018-07-31", "2018-07-31", "2018-08-01"]
    assert {code.told["product"] for code in read} == {"CELL"}


@needs_domain
def test_the_numbers_of_270_retired_cells_are_all_kept_and_a_cell_sold_as_nmc_tells_no_chemistry():
    with (DOMAIN / "data" / "retired_cells_pulsebat_soh.csv").open() as rows:
        cells = [(row["cell_id"], row["cathode"]) for row in csv.DictReader(rows)]

    codes = [(identify(number, today=TODAY), cathode) for number, cathode in cells]

    filed = [(code, cathode) for code, cathode in codes if code.scheme is Scheme.GBT34014]
    assert len(codes) == 270
    assert len(filed) == 52
    assert {cathode for _code, cathode in filed} == {"NMC"}
    assert {code.told["type_letter"] for code, _cathode in filed} == {"C"}
    assert all("chemistry" not in code.told for code, _cathode in filed)
    assert all(Doubt.CHEMISTRY_LETTER_UNVERIFIED in code.doubts for code, _cathode in filed)
    assert {code.scheme for code, _ in codes if (code, _) not in filed} == {Scheme.SERIAL}


@given(made=days, product=st.sampled_from("PMC"), serial=st.integers(1, 9_999_999))
def test_a_chinese_code_tells_what_it_was_made_from(made, product, serial):
    code = identify(gbt_of(made, product=product, serial=f"{serial:07}"), today=TODAY)

    assert code.scheme is Scheme.GBT34014
    assert code.told["made_on"] == made.isoformat()
    assert code.told["product"] == {"P": "PACK", "M": "MODULE", "C": "CELL"}[product]
    assert code.told["serial"] == f"{serial:07}"
    assert code.doubts == ()


@pytest.mark.parametrize(("letter", "told"), [("B", "LFP"), ("E", "TERNARY")])
def test_two_letters_tell_the_chemistry(letter, told):
    assert identify(gbt_of(date(2020, 5, 4), letter=letter)).told["chemistry"] == told


@pytest.mark.parametrize("letter", "ACDFGZ")
def test_the_other_letters_are_doubted(letter):
    code = identify(gbt_of(date(2020, 5, 4), letter=letter))

    assert "chemistry" not in code.told
    assert code.told["type_letter"] == letter
    assert code.doubts == (Doubt.CHEMISTRY_LETTER_UNVERIFIED,)


def test_a_maker_that_is_known_is_named():
    assert identify(gbt_of(date(2020, 5, 4), maker="001")).told["maker"] == "CATL"


@pytest.mark.parametrize(
    "written",
    [
        "02lcb02100101a87y0052124",
        " 02LCB 02 100101A 87Y 0052124 ",
        "02LCB-02-100101A-87Y-0052124\n",
        "０２ＬＣＢ０２１００１０１Ａ８７Ｙ００５２１２４",
        "02LCB02100101A87Y0052124\x1d",
    ],
)
def test_spelling_does_not_matter(written):
    assert identify(written).value == "02LCB02100101A87Y0052124"


@pytest.mark.parametrize(
    ("code", "doubt"),
    [
        ("O2LCB02100101A87Y0052124", Doubt.LETTERS_BREAK_THE_RULE),  # O for 0, as filed
        ("02LCB02100101A87Y005212A", Doubt.LETTERS_BREAK_THE_RULE),
        ("02LCB02100101A8DY0052124", Doubt.DATE_UNREADABLE),
        ("02LCB02100101A82Y0052124", Doubt.DATE_UNREADABLE),  # 31 February
        ("02LCB02100101AH1A0052124", Doubt.MADE_IN_THE_FUTURE),
    ],
)
def test_a_code_that_breaks_a_rule_is_kept_and_doubted(code, doubt):
    read = identify(code, today=TODAY)

    assert read.scheme is Scheme.GBT34014
    assert doubt in read.doubts
    if doubt is not Doubt.LETTERS_BREAK_THE_RULE:
        assert "made_on" not in read.told


@pytest.mark.parametrize("at", [3, 4])
def test_product_and_type_are_strict(at):
    code = list("02LCB02100101A87Y0052124")
    code[at] = "X"

    read = identify("".join(code))

    assert read.scheme is Scheme.SERIAL
    assert read.doubts == (Doubt.LOOKS_LIKE_GBT,)


def test_the_code_of_a_reused_product_asks_for_its_first_code():
    read = identify("02LPB02C5A0000017", today=TODAY)

    assert read.scheme is Scheme.GBT34014
    assert read.doubts == (Doubt.REUSED_PRODUCT,)
    assert read.told["made_on"] == "2022-05-11"
    assert "chemistry" not in read.told


@pytest.mark.parametrize("vin", ["JHMZE2H59AS123456", "LSVAU033X42123456", "1N4AZ0CP8DC123456"])
def test_the_number_of_a_car_is_not_taken_for_a_battery_code(vin):
    assert identify(vin, today=TODAY).scheme is Scheme.SERIAL


# --- BPAN -----------------------------------------------------------------------------------------


def test_the_official_indian_pilot_sample_is_read():
    read = identify("MY008A6FKKKLC1DH80001", today=TODAY)

    assert read.scheme is Scheme.BPAN
    assert read.told["chemistry"] == "NMC"
    assert read.told["made_on"] == "2025-04-17"
    assert read.told["country"] == "IN"
    assert read.doubts == (Doubt.DRAFT_STANDARD,)


@given(made=st.dates(date(2025, 1, 1), date(2040, 12, 31)), chemistry=st.sampled_from("ABCDEF"))
def test_an_indian_number_tells_what_it_was_made_from(made, chemistry):
    read = identify(bpan_of(made, chemistry=chemistry).lower())

    assert read.scheme is Scheme.BPAN
    assert read.told["made_on"] == made.isoformat()
    assert read.told["chemistry"] in MEMBERS


def test_an_indian_number_with_a_reserved_letter_and_an_impossible_day_is_doubted():
    read = identify("MY008A6KKKKLC1IO80001")

    assert read.scheme is Scheme.BPAN
    assert set(read.doubts) == {
        Doubt.DRAFT_STANDARD,
        Doubt.CHEMISTRY_LETTER_UNVERIFIED,
        Doubt.LETTERS_BREAK_THE_RULE,
        Doubt.DATE_UNREADABLE,
    }


def test_twenty_one_letters_of_somebody_else_are_a_serial_number():
    assert identify("PIP15827A002209991234").scheme is Scheme.SERIAL


# --- GS1 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "https://id.gs1.org/01/09506000134352/21/SN-7",
        "https://dpp.maker.example/batteries/v2/01/9506000134352/21/SN-7?lang=id",
        "http://q.example:8443/01/09506000134352/21/SN%2D7#x",
        "(01)09506000134352(21)SN-7",
    ],
)
def test_a_digital_link_is_one_thing_behind_any_address(address):
    read = identify(address)

    assert read.scheme is Scheme.GS1
    assert read.value == "https://id.gs1.org/01/09506000134352/21/SN-7"
    assert read.told["gtin"] == "09506000134352"
    assert read.told["serial"] == "SN-7"
    assert read.doubts == ()


@given(
    number=st.integers(0, 10**13 - 1),
    serial=st.text(CAPITALS + "/%-_. ü", min_size=1, max_size=20).filter(lambda s: s == tidy(s)),
)
def test_a_digital_link_survives_being_read_again(number, serial):
    body = f"{number:013}"
    digit = next(d for d in "0123456789" if check_digit_holds(body + d))
    quoted = "".join(f"%{byte:02X}" for byte in serial.encode())

    once = identify(f"https://a.example/01/{body}{digit}/21/{quoted}")
    again = identify(once.value)

    assert once.told["serial"] == serial
    assert (again.scheme, again.value, again.told["serial"]) == (Scheme.GS1, once.value, serial)


def test_a_wrong_check_digit_is_doubted():
    assert identify("https://a.example/01/09506000134353/21/1").doubts == (Doubt.CHECK_DIGIT_WRONG,)


def test_a_trade_number_alone_names_no_single_unit():
    read = identify("https://a.example/01/09506000134352")

    assert read.doubts == (Doubt.NO_SINGLE_UNIT,)
    assert not read.names_one_unit


@pytest.mark.parametrize(
    "address",
    [
        "https://a.example/01/not-a-number/21/1",
        "https://a.example/01/09506000134352/21/1/10/B",  # the batch stands before the serial number
        "https://a.example/01/09506000134352/99/1",
        "https://a.example/00/123",
        "https://a.example/01",
    ],
)
def test_an_address_that_only_looks_like_a_digital_link_is_an_address(address):
    assert identify(address).scheme is Scheme.EU_PASSPORT


def test_an_asset_number_is_a_key_of_its_own():
    read = identify("https://a.example/8004/9506000ASSET-1")

    assert (read.scheme, read.told["asset"], read.names_one_unit) == (
        Scheme.GS1,
        "9506000ASSET-1",
        True,
    )


# --- passports, serial numbers, nonsense ----------------------------------------------------------


def test_an_address_of_its_own_is_a_european_passport():
    read = identify("https://Passport.Maker.example/b/7f3?x=1")

    assert read.scheme is Scheme.EU_PASSPORT
    assert read.value == "https://passport.maker.example/b/7f3?x=1"
    assert read.told == {"host": "passport.maker.example"}


def test_an_identifier_is_a_european_passport_too():
    assert identify("urn:uuid:550e8400-e29b-41d4-a716-446655440000").scheme is Scheme.EU_PASSPORT


def test_an_open_address_and_a_front_page_are_doubted():
    assert identify("http://maker.example/b/7").doubts == (Doubt.NOT_ENCRYPTED,)
    assert identify("https://maker.example/").doubts == (Doubt.NO_SINGLE_UNIT,)


@pytest.mark.parametrize("text", ["", "  \n", "\x00\x1d", "A" * 501])
def test_nothing_and_far_too_much_are_no_codes(text):
    with pytest.raises(NotACode):
        identify(text)


@given(st.text(min_size=1, max_size=600))
def test_whatever_is_typed_is_read_or_refused_and_reads_the_same_again(text):
    try:
        once = identify(text, today=TODAY)
    except NotACode:
        return
    again = identify(once.value, today=TODAY)

    assert len(once.value) <= 500
    assert (again.scheme, again.value) == (once.scheme, once.value)


@given(
    st.sampled_from(
        ["https://", "https://[", "http://a.example:99999/01/1", "https://a.example/%00/01"]
    )
)
def test_broken_addresses_break_nothing(text):
    assert identify(text).value


def test_a_masked_code_shows_its_end_only():
    assert masked("02LCC02100101A87Y0052124") == "••••2124"
    assert masked("1234567") == "••••"


# --- against the owner's word ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "stated", "against"),
    [
        ("LFP", "NMC532", True),
        ("LFP", "LFP", False),
        ("TERNARY", "NCA", False),
        ("TERNARY", "LFP", True),
        ("LFP", "LI_UNKNOWN", False),
        ("PBA", "LI_UNKNOWN", True),
        ("LFP", None, False),
        (None, "LFP", False),
        ("OTHER", "LFP", False),
    ],
)
def test_a_code_contradicts_what_it_excludes(told, stated, against):
    assert contradicts(told, stated) is against


def test_doubts_about_the_world_come_and_go_and_those_about_the_code_stay():
    first = doubts_now(["draft_standard"], told={"chemistry": "LFP"}, stated="LCO", elsewhere=True)
    later = doubts_now(first, told={"chemistry": "LFP"}, stated="LFP", elsewhere=False)

    assert first == ["draft_standard", "chemistry_contradicts_code", "code_on_another_lot"]
    assert later == ["draft_standard"]
