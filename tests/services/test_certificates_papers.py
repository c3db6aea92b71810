"""Papers: the fonts that they embed are the listed ones, and a paper is a lasting PDF/A."""

import tomllib
from decimal import Decimal
from hashlib import sha256
from io import BytesIO

import pikepdf
import pytest

from marketplace.certificates.printing import FONTS, certificate_pdf
from marketplace.certificates.rules.credentials import (
    RECYCLED,
    Claim,
    Issuer,
    Processor,
    StatusPlace,
    conformity_credential,
    facts_of,
)
from marketplace.certificates.rules.mass_balance import Output, balance
from tests.cast_certificates import NOON, PROCESSED_ON, SITE

LISTED = tomllib.loads((FONTS / "fonts.toml").read_text())["font"]
SCRIPTS = {
    "Vietnamese": "Nguyễn Thị Ứng",
    "Hindi": "हरित चक्र पुनर्चक्रण",
    "Bengali": "বাংলাদেশ ব্যাটারি",
    "Thai": "รีไซเคิลแบตเตอรี่",
    "Tamil": "பசுமை மறுசுழற்சி",
    "Sinhala": "හරිත ප්‍රතිචක්‍රීකරණය",
    "Khmer": "កែច្នៃថ្ម",
    "Lao": "ລີໄຊເຄີນແບັດເຕີຣີ",
    "Burmese": "ဘက်ထရီပြန်လည်အသုံးပြု",
}


def printed(name="Green Loop", language="en"):
    outputs = [Output("LEAD", Decimal(60))]
    claim = Claim(
        code="23456789ABC7",
        kind=RECYCLED,
        processor=Processor(f"{SITE}/organisations/7/", name, "VN", "1", "Permit", "Ministry"),
        lot_url=f"{SITE}/lots/1/",
        lot_name="Lot 1",
        chemistry="PBA",
        collected_in="IN",
        processed_on=PROCESSED_ON,
        balance=balance(Decimal(100), outputs, residue_kg=Decimal(30), loss_kg=Decimal(10)),
        outputs=outputs,
    )
    document = conformity_credential(
        claim,
        issuer=Issuer("did:web:voltbazaar.example", "Voltbazaar", SITE),
        status=StatusPlace(f"{SITE}/status/1/", 5),
        valid_from=NOON,
    )
    return certificate_pdf(
        facts_of(document),
        signed="header.payload.signature",
        kid="did:web:voltbazaar.example#key",
        page_url=document["id"],
        market="Voltbazaar",
        language=language,
    )


def test_the_fonts_are_the_ones_on_the_list():
    assert {file.name for file in FONTS.glob("*.ttf")} == {font["file"] for font in LISTED}
    for font in LISTED:
        assert sha256((FONTS / font["file"]).read_bytes()).hexdigest() == font["sha256"]
        assert font["licence"] == "OFL-1.1"
    assert sum(file.stat().st_size for file in FONTS.glob("*.ttf")) < 1_500_000
    assert "SIL OPEN FONT LICENSE" in (FONTS / "OFL.txt").read_text()


@pytest.mark.parametrize("name", SCRIPTS.values(), ids=SCRIPTS)
def test_a_name_in_a_script_of_the_region_is_printed_with_a_font_of_ours(name):
    paper = printed(name)

    with pikepdf.open(BytesIO(paper)) as opened:
        fonts = {str(font.BaseFont) for font in opened.pages[0].Resources.Font.values()}
    assert any("NotoSans" in font for font in fonts)
    assert len(paper) < 120_000


def test_a_name_that_no_font_here_has_is_replaced_and_not_fatal():
    assert printed("𒀀𒀁 Recycling").startswith(b"%PDF")


def test_a_paper_is_a_pdf_a_3_with_one_attachment_that_belongs_to_it():
    with pikepdf.open(BytesIO(printed())) as paper:
        about = paper.open_metadata()
        assert (about["pdfaid:part"], about["pdfaid:conformance"]) == ("3", "B")
        (attached,) = paper.Root.AF
        assert attached.AFRelationship == pikepdf.Name.Data
        assert attached.EF.F.read_bytes() == b"header.payload.signature"
        assert paper.Root.Lang == "en"


@pytest.mark.parametrize("language", ["en", "id"])
def test_the_same_certificate_gives_the_same_paper(language):
    assert printed(language=language) == printed(language=language)


def test_what_people_typed_is_never_run():
    paper = printed('#panic("typst") ${x} `code` \\ <label> @ref // comment *bold*')

    assert paper.startswith(b"%PDF")
