"""The papers that travel with the goods, typeset by typst. Everything printed goes in as data, never as code."""

import json
import tomllib
from datetime import datetime
from decimal import Decimal
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import segno
import typst
from babel.dates import format_date
from babel.numbers import format_decimal
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from marketplace.reference.models import PackingInstruction, UnEntry

from .models import Shipment, TransportDocument

MARKET = "Voltbazaar"
HERE = Path(__file__).parent
ANY_EMERGENCY = "112"
"""Reaches help from any mobile phone. :source: 3GPP TS 22.101, clause 10.1.1 (112 and 911 always count)."""
Shown = dict[str, Any]


def said_by(kind: TransportDocument.Kind, shipment: Shipment, *, language: str) -> str:
    """Return what a paper says, as JSON. The same shipment always says the same."""
    write = {
        TransportDocument.Kind.CONSIGNMENT_NOTE: _consignment_note,
        TransportDocument.Kind.PACKING_CHECKLIST: _packing_checklist,
        TransportDocument.Kind.DRIVER_CARD: _driver_card,
    }[kind]
    with translation.override(language):
        said = {
            "title": str(kind.label),
            "number": f"{shipment.deal_id}-{shipment.pk}",
            "market": MARKET,
            "address": address_of(shipment),
            "language": language,
            "fonts": _families(),
            "scan": _("Scan to see the deal and to hand over"),
            "blocks": [],
            "checks": [],
            "warnings": [],
            "signatures": [],
            **write(shipment),
        }
    return json.dumps(said, ensure_ascii=False, sort_keys=True)


def address_of(shipment: Shipment) -> str:
    return f"{settings.SITE_URL}/shipments/{shipment.pk}/"


def paper_pdf(said: str, *, address: str, at: datetime) -> bytes:
    """Return a paper as PDF/A. The same words at the same time always give the same bytes."""
    missing = _missing(said)
    shown = "".join("?" if sign in missing else sign for sign in said)
    pdf: bytes = typst.compile(
        HERE / "paper.typ",
        root=HERE,
        font_paths=[settings.FONTS_DIR],
        ignore_system_fonts=True,
        sys_inputs={"said": shown, "qr": _qr(address)},
        pdf_standards=["a-3b"],
        format="pdf",
        timestamp=at.replace(microsecond=0),
    )
    return pdf


# --- what each says -------------------------------------------------------------------------------


def _consignment_note(shipment: Shipment) -> Shown:
    deal, how = shipment.deal, shipment.classification
    return {
        "blocks": [
            _block(
                _("From"),
                (_("Sender"), deal.seller.name),
                (_("Place"), f"{deal.lot.place}, {deal.lot.country}"),
            ),
            _block(
                _("To"),
                (_("Receiver"), deal.buyer.name),
                (_("Place"), f"{_destination(shipment)}, {deal.licence.country}"),
                (_("Licence"), deal.licence.number),
            ),
            _block(
                _("Carrier"),
                (_("Carrier"), shipment.carrier.name if shipment.carrier else "–"),
                (_("Pick-up day"), _pickup_day(shipment)),
            ),
            _block(_("Goods"), *_goods(shipment)),
            _block(
                _("Papers that go along"),
                *[(str(n), paper) for n, paper in enumerate(how.documents, start=1)],
            ),
        ],
        "signatures": [_("Sender"), _("Carrier"), _("Receiver")],
        "foot": _("Classified by %(edition)s.") % {"edition": how.rule_edition},
    }


def _packing_checklist(shipment: Shipment) -> Shown:
    how = shipment.classification
    codes = [code.strip() for code in how.packing_instruction.split(",") if code.strip()]
    instructions = PackingInstruction.objects.filter(code__in=codes).order_by("code")
    return {
        "blocks": [
            _block(_("Goods"), *_goods(shipment)),
            _block(
                _("Package"),
                *[(row.code, f"{row.purpose}: {row.requirements}") for row in instructions],
            ),
        ],
        "checks": [
            _("Nothing is swollen, hot, wet, leaking or smelling. If it is: stop, and call."),
            _("Every terminal is taped or capped."),
            _("Nothing can move or touch inside the package."),
            _("The package is closed, dry and whole."),
            *[_("Mark on the outside: %(mark)s") % {"mark": mark} for mark in how.marks],
            *[_("Paper on board: %(paper)s") % {"paper": paper} for paper in how.documents],
            _("Weighed with the goods and without, and written down."),
        ],
        "signatures": [_("Packed by"), _("Checked by the driver")],
        "foot": _("Classified by %(edition)s.") % {"edition": how.rule_edition},
    }


def _driver_card(shipment: Shipment) -> Shown:
    deal = shipment.deal
    return {
        "blocks": [
            _block(_("You carry"), *_goods(shipment)),
            _block(
                _("Call"),
                (_("Fire, smoke, injury"), ANY_EMERGENCY),
                (_("Sender"), deal.seller.name),
                (_("Receiver"), f"{deal.buyer.name}, {_destination(shipment)}"),
            ),
        ],
        "warnings": [
            _("Smoke, hissing or heat: stop in the open, away from people and buildings."),
            _("Get out, keep 25 m away, upwind. Do not breathe the smoke: it is poisonous."),
            _("Call for help. Say that it is batteries, and the UN number below."),
            _("Much water cools a lithium fire. Never open or touch a hot package."),
            _("Do not park in the sun, near flames, or in a closed room."),
            _("Wet, swollen or damaged at pick-up: do not load it. You lose nothing by saying no."),
        ],
        "foot": _("Keep this card within reach while you drive."),
    }


def _goods(shipment: Shipment) -> list[tuple[str, str]]:
    deal, how = shipment.deal, shipment.classification
    entry = UnEntry.objects.filter(pk=how.un_number).first() if how.un_number else None
    rows = [
        (_("Dangerous goods"), f"{how.un_number} {how.proper_shipping_name}".strip() or _("No")),
        (_("Class"), entry.hazard_class if entry else ""),
        (_("Packing instruction"), how.packing_instruction),
        (_("Special provisions"), ", ".join(how.special_provisions)),
        (_("Batteries"), deal.lot.chemistry.name if deal.lot.chemistry else _("Kind not known")),
        (_("Declared mass"), _mass(deal.declared_kg)),
        (_("Pieces"), str(deal.lot.units or "")),
    ]
    return [(name, text) for name, text in rows if text]


def _block(title: str, *rows: tuple[str, str]) -> Shown:
    return {"title": title, "rows": [{"name": name, "text": text} for name, text in rows]}


def _destination(shipment: Shipment) -> str:
    deal = shipment.deal
    return shipment.quote.round.to_place if shipment.quote else deal.buyer.place


def _pickup_day(shipment: Shipment) -> str:
    if shipment.quote is None or shipment.quote.pickup_on is None:
        return "–"
    return format_date(shipment.quote.pickup_on, "long", locale=_locale())


def _mass(mass_kg: Decimal) -> str:
    return f"{format_decimal(mass_kg, '#,##0.###', locale=_locale())} kg"


def _locale() -> str:
    language = translation.get_language() or "en"
    return "en_001" if language == "en" else language.replace("-", "_")


def _qr(address: str) -> str:
    drawing = BytesIO()
    segno.make(address, error="m", micro=False).save(
        drawing, kind="svg", border=2, dark="#0e1916", light="#ffffff", xmldecl=False
    )
    return drawing.getvalue().decode()


# --- letters --------------------------------------------------------------------------------------


@cache
def _fonts() -> list[dict[str, str]]:
    listed = Path(settings.FONTS_DIR) / "fonts.toml"
    fonts: list[dict[str, str]] = tomllib.loads(listed.read_text())["font"]
    return fonts


def _families() -> list[str]:
    return list(dict.fromkeys(font["name"] for font in _fonts()))


@cache
def _covered() -> frozenset[int]:
    spans = (span.split("-") for font in _fonts() for span in font["covers"].split())
    return frozenset(
        point for first, last in spans for point in range(int(first, 16), int(last, 16) + 1)
    )


def _missing(text: str) -> set[str]:
    """Return the letters that none of our fonts has: printed as "?" rather than not at all."""
    return {sign for sign in set(text) if ord(sign) not in _covered()}
