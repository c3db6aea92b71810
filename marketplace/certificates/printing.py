"""Put a certificate on paper: PDF/A-3 with the signed credential inside, typeset by typst with our own fonts."""

import json
import tomllib
from datetime import datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import segno
import typst
from babel.dates import format_date
from babel.numbers import format_percent
from django.utils import translation
from django.utils.translation import gettext as _

from .rules.codes import letters_to_compare, spaced
from .rules.credentials import Facts
from .rules.mass_balance import STAGE_OF, Stage
from .wording import MATERIALS, TITLES, country_name, number_text

HERE = Path(__file__).parent
FONTS = HERE / "fonts"
ATTACHMENT = "certificate.vc.jwt"
COLOURS = {
    Stage.MATERIAL: "#0b5d4b",
    Stage.PRODUCT: "#2149a8",
    Stage.INTERMEDIATE: "#6fd6b8",
}
RESIDUE, LOSS = "#9a3d0c", "#ffffff"
SYSTEM_FAMILIES = ["Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR"]
"""Chinese, Japanese and Korean letters weigh megabytes: they come from Debian's fonts-noto-cjk where it is installed."""
Shown = dict[str, Any]


def certificate_pdf(
    facts: Facts, *, signed: str, kid: str, page_url: str, market: str, language: str
) -> bytes:
    """Return the certificate as PDF/A-3b. The same certificate and language always give the same bytes.

    :param signed: the exact issued text; goes in as an attachment
    :param page_url: where anyone can check it; goes in as a QR code
    """
    with translation.override(language):
        said = _said(facts, signed=signed, kid=kid, page_url=page_url, market=market)
    inputs = {"signed": signed, "qr": _qr(page_url)}
    text = json.dumps({**said, "language": language}, ensure_ascii=False)
    if not _missing(text):
        return _typeset(text, inputs, at=facts.valid_from)
    try:
        return _typeset(text, inputs, at=facts.valid_from, may_use_system_fonts=True)
    except typst.TypstError:
        # No font here has these letters. The attached credential and the page have them.
        missing = _missing(text)
        seen = "".join("?" if sign in missing else sign for sign in text)
        return _typeset(seen, inputs, at=facts.valid_from)


def _typeset(
    said: str, inputs: dict[str, str], *, at: datetime, may_use_system_fonts: bool = False
) -> bytes:
    paper: bytes = typst.compile(
        HERE / "certificate.typ",
        root=HERE,
        font_paths=[FONTS],
        ignore_system_fonts=not may_use_system_fonts,
        sys_inputs={"said": said, **inputs},
        pdf_standards=["a-3b"],
        format="pdf",
        timestamp=at,
    )
    return paper


def _said(facts: Facts, *, signed: str, kid: str, page_url: str, market: str) -> Shown:
    return {
        "title": str(TITLES[facts.kind]),
        "market": market,
        "address": page_url,
        "code": spaced(facts.code),
        "letters": letters_to_compare(signed.encode()),
        "digest": sha256(signed.encode()).hexdigest(),
        "kid": kid,
        "fonts": _families(),
        "words": _words(),
        "facts": [{"name": name, "text": text} for name, text in _facts(facts)],
        "shares": _shares(facts),
        "rows": _rows(facts),
    }


def _words() -> dict[str, str]:
    return {
        "attached": _("The signed credential is attached to this file."),
        "digest": "SHA-256",
        "key": _("Key"),
        "compare": _("Compare these 6 letters"),
        "scan": _("Scan to check. The page shows the same 6 letters."),
        "qr": _("QR code: the address of the page that checks this certificate"),
        "balance": _("What went in, and what came out"),
        "what": _("What"),
        "mass": _("Mass"),
        "share": _("Share of input"),
        "honest_title": _("Who stands behind this"),
        "honest": _(
            "The processor reported these masses. The market compared them with the mass that was weighed and accepted "
            "at delivery, and with the processor's licence on that day. No accredited body has audited them."
        ),
        "attachment": _("The certificate as a signed verifiable credential"),
    }


def _facts(facts: Facts) -> list[tuple[str, str]]:
    return [
        (_("Processed by"), f"{facts.processor}, {country_name(facts.processed_in)}"),
        (_("Licence"), facts.licence),
        (_("Licence issued by"), facts.licence_issuer),
        (
            _("Batteries"),
            f"{facts.lot_name} · {facts.chemistry} · {country_name(facts.collected_in)}",
        ),
        (_("Mass that went in"), _mass(facts.input_kg)),
        (_("Recovered"), _share(facts.recovered_share)),
        (_("Processed on"), format_date(facts.processed_on, "long", locale=_locale())),
        (_("Certified on"), format_date(facts.valid_from.date(), "long", locale=_locale())),
    ]


def _shares(facts: Facts) -> list[Shown]:
    labels = {
        Stage.MATERIAL: _("Materials"),
        Stage.PRODUCT: _("Second life"),
        Stage.INTERMEDIATE: _("Handed on"),
    }
    parts = [
        (labels[stage], COLOURS[stage], sum(_at(facts, stage), Decimal(0)))
        for stage in (Stage.PRODUCT, Stage.MATERIAL, Stage.INTERMEDIATE)
    ]
    parts += [(_("Residue"), RESIDUE, facts.residue_kg), (_("Loss"), LOSS, facts.loss_kg)]
    return [
        {
            "label": label,
            "colour": colour,
            "share": float(mass_kg / facts.input_kg),
            "text": _share(mass_kg / facts.input_kg),
        }
        for label, colour, mass_kg in parts
        if mass_kg
    ]


def _at(facts: Facts, stage: Stage) -> list[Decimal]:
    return [output.mass_kg for output in facts.outputs if STAGE_OF[output.material] is stage]


def _rows(facts: Facts) -> list[Shown]:
    rows: list[tuple[str, Decimal, bool]] = [(_("Input"), facts.input_kg, True)]
    for output in facts.outputs:
        name = str(MATERIALS[output.material])
        if output.units is not None:
            name = _("%(name)s, %(count)s pieces") % {"name": name, "count": output.units}
        rows.append((name, output.mass_kg, False))
    rows += [(_("Residue"), facts.residue_kg, False), (_("Loss"), facts.loss_kg, False)]
    return [
        {
            "name": name,
            "mass": _mass(mass_kg),
            "share": _share(mass_kg / facts.input_kg),
            "strong": is_strong,
        }
        for name, mass_kg, is_strong in rows
    ]


def _mass(mass_kg: Decimal) -> str:
    return f"{number_text(mass_kg)} kg"


def _share(share: Decimal) -> str:
    return format_percent(share, "#,##0.#%", locale=_locale())


def _locale() -> str:
    language = translation.get_language() or "en"
    return "en_001" if language == "en" else language.replace("-", "_")


def _qr(address: str) -> str:
    drawing = BytesIO()
    segno.make(address, error="m", micro=False).save(
        drawing, kind="svg", border=2, dark="#0e1916", light="#ffffff", xmldecl=False
    )
    return drawing.getvalue().decode()


@cache
def _listed_fonts() -> list[dict[str, str]]:
    fonts: list[dict[str, str]] = tomllib.loads((FONTS / "fonts.toml").read_text())["font"]
    return fonts


def _families() -> list[str]:
    """Return every family that may be used: ours first, then what an operator may have installed."""
    ours = dict.fromkeys(font["name"] for font in _listed_fonts())
    return [*ours, *SYSTEM_FAMILIES]


@cache
def _covered() -> frozenset[int]:
    spans = (span.split("-") for font in _listed_fonts() for span in font["covers"].split())
    return frozenset(
        point for first, last in spans for point in range(int(first, 16), int(last, 16) + 1)
    )


def _missing(text: str) -> set[str]:
    return {sign for sign in set(text) if ord(sign) not in _covered()}
