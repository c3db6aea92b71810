"""Metal quotes from files: the World Bank's, and whatever else is a table.

A file is read to its end before anything is written: all of it comes in, or nothing. Each refusal names the row and
the column.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from django.utils.translation import gettext as _

from marketplace.journal.services import Recorder
from marketplace.reference import rules
from marketplace.reference.models import Material, MetalQuote, Source
from marketplace.reference.queries import RateMissing, rate_per_usd
from marketplace.reference.rules import Unreadable

from .files import FileRefused, column_name, refused_at, rows_of
from .prices import Added, add_quotes
from .tables import NOT_THERE, Cell, Reading, read_cell, sign_of, table

FOOTNOTE = re.compile(r"[\s*†‡¹²³]+$|\s+\d/$")
"""Marks that lead a heading to a footnote: ``Zinc **``, ``Tin 1/``."""
FIRST_OF_MONTH = re.compile(r"\d{4}-\d{2}-01")
UNIT_BEGINS = "/"
"""What every unit has: ``($/mt)``. Rows of series codes and footnotes, which some editions have, do not."""
METALS = {
    "aluminium": "Al",
    "aluminum": "Al",
    "cadmium": "Cd",
    "cobalt": "Co",
    "copper": "Cu",
    "lead": "Pb",
    "lithium carbonate": "Li2CO3",
    "manganese": "Mn",
    "nickel": "Ni",
    "tin": "Sn",
    "zinc": "Zn",
}


@dataclass(frozen=True, slots=True)
class _Found:
    """One price in a file, before it is believed."""

    material: Cell
    on: Cell
    price: Cell
    unit: Cell
    source: Cell
    note: str = ""
    kind: str = ""


def import_quotes(
    file: Path,
    *,
    form: str,
    reading: Reading,
    by: Recorder,
    now: datetime,
    reason: str = "",
) -> Added:
    """Add the metal quotes of a file, all or none.

    :param form: ``pink-sheet`` or ``csv``
    :param reason: why prices that were quoted before are others now
    :raises FileRefused: with the row and the column of what is wrong
    """
    found = {"pink-sheet": _pink_sheet, "csv": _table_of_quotes}[form](file, reading)
    quotes = _quotes(file, list(found), reading, form)
    return add_quotes(quotes, by=by, now=now, reason=reason, came_from=file.name)


def _quotes(file: Path, found: Sequence[_Found], reading: Reading, form: str) -> list[MetalQuote]:
    sign = reading.decimal_sign or sign_of(file, [one.price for one in found])
    sources = set(Source.objects.values_list("code", flat=True))
    rates: dict[tuple[str, date], Decimal] = {}
    seen: dict[tuple[str, date, str], int] = {}
    quotes = []
    for one in found:
        material = read_cell(file, one.material, _material)
        on = read_cell(file, one.on, rules.day_of)
        currency, kg = read_cell(file, one.unit, rules.unit_of)
        price = read_cell(file, one.price, lambda text: rules.number_of(text, sign))
        if one.source.text not in sources:
            raise refused_at(
                file.name,
                one.source.row,
                one.source.column,
                Unreadable("unknown_source", text=one.source.text),
            )
        key = (material, on, one.source.text)
        if key in seen:
            twice = Unreadable("duplicate", text=f"{material} {on}", first=seen[key])
            raise refused_at(file.name, one.price.row, one.price.column, twice)
        seen[key] = one.price.row
        if (currency, on) not in rates:
            rates[currency, on] = read_cell(file, one.unit, lambda _text: _rate(currency, on))  # noqa: B023
        usd = read_cell(
            file,
            one.price,
            lambda _text: rules.usd_per_kg(price, kg=kg, per_usd=rates[currency, on]),  # noqa: B023
        )
        quotes.append(
            (
                one,
                MetalQuote(
                    material=material,
                    quoted_on=on,
                    price_usd_per_kg=usd,
                    kind=_kind(one, form),
                    source_id=one.source.text,
                    confidence="SECONDARY" if form == "pink-sheet" else "GENERAL",
                    checked_on=reading.checked_on,
                    note=_note(one, currency, on, rates[currency, on]),
                ),
            )
        )
    _believe(file, quotes, reading)
    return [quote for _one, quote in quotes]


def _believe(file: Path, quotes: Sequence[tuple[_Found, MetalQuote]], reading: Reading) -> None:
    """Refuse what no price ever was, steps that no market takes, and months that are left out."""
    before: dict[str, tuple[date, Decimal]] = {}
    if quotes and not reading.jumps_are_meant:
        first = min(quote.quoted_on for _one, quote in quotes)
        known = MetalQuote.objects.filter(quoted_on__lt=first).order_by("quoted_on", "pk")
        before = {
            row.material: (row.quoted_on, row.price_usd_per_kg)
            for row in known.filter(quoted_on__gte=first - rules.JUMP_WITHIN)
        }
    days: dict[str, list[date]] = {}
    for one, quote in sorted(quotes, key=lambda pair: (pair[1].quoted_on, pair[0].price.row)):
        price = quote.price_usd_per_kg
        last = None if reading.jumps_are_meant else before.get(quote.material)
        try:
            rules.believe(quote.material, price, quote.quoted_on, last)
        except Unreadable as trouble:
            raise refused_at(file.name, one.price.row, one.price.column, trouble) from None
        before[quote.material] = (quote.quoted_on, price)
        days.setdefault(quote.material, []).append(quote.quoted_on)
        if quote.kind == MetalQuote.Kind.MONTHLY_AVERAGE and not reading.gaps_are_meant:
            missing = rules.months_missing(days[quote.material][-2:])
            if missing:
                gap = Unreadable("months_missing", text=", ".join(missing))
                raise refused_at(file.name, one.price.row, one.price.column, gap)


def _kind(one: _Found, form: str) -> str:
    if form == "pink-sheet" or rules.MONTH.fullmatch(one.on.text):
        return MetalQuote.Kind.MONTHLY_AVERAGE
    return one.kind if one.kind in MetalQuote.Kind else MetalQuote.Kind.SPOT


def _note(one: _Found, currency: str, on: date, per_usd: Decimal) -> str:
    said = f"{one.price.text} {one.unit.text}"
    rate = "" if currency == "USD" else f" at {per_usd.normalize():f} {currency}/USD"
    plain = one.unit.text.upper() in ("USD/KG", "USD/T")
    return "; ".join(part for part in (one.note, "" if plain else said + rate) if part)[:500]


def _material(text: str) -> str:
    """Return the symbol of a material, from its symbol or its English name."""
    for symbol in Material.values:
        if symbol.casefold() == text.casefold():
            return symbol
    named = METALS.get(FOOTNOTE.sub("", text.casefold()).lstrip("* "))
    if named is None:
        raise Unreadable("unknown_material", text=text)
    return named


def _rate(currency: str, on: date) -> Decimal:
    try:
        return rate_per_usd(currency, on)
    except RateMissing:
        raise Unreadable("no_rate", text=currency) from None


def _pink_sheet(file: Path, reading: Reading) -> Iterator[_Found]:
    """Read the monthly prices as the World Bank gives them, or as our own CSV of them.

    The months stand in the first column. Each metal has a column; its unit stands below its heading, or in it as
    ``_usd_t``. Title rows come before, rows of series codes may follow the units, footnotes stand below; what is
    not there yet is ``…`` or ``..``. A metal's months before its first price are not missing.

    :source: World Bank Commodity Price Data (The Pink Sheet), CC BY 4.0
    """
    columns: dict[int, tuple[str, str]] = {}
    units: dict[int, str] = {}
    for number, cells in rows_of(file):
        if not columns:
            columns = _metal_columns(cells)
            units = {index: unit for index, (_name, unit) in columns.items() if unit}
            continue
        month = _month(cells[0])
        if not month:
            said = [cells[index] for index in columns if index < len(cells) and cells[index]]
            if not units and any(UNIT_BEGINS in text for text in said):
                units = {index: cells[index] for index in columns if index < len(cells)}
                continue
            if any(text[:1].isdigit() for text in said) or (cells[0] and said):
                trouble = Unreadable("not_a_day", text=cells[0])
                raise refused_at(file.name, number, "A", trouble)
            continue
        for index, (name, _unit) in columns.items():
            column = column_name(index, name)
            text = cells[index] if index < len(cells) else ""
            if text.casefold() in NOT_THERE:
                continue
            yield _Found(
                material=Cell(number, column, name),
                on=Cell(number, "A", month),
                price=Cell(number, column, text),
                unit=Cell(number, column, units.get(index, "")),
                source=Cell(number, "--source", reading.source),
            )
    if not columns:
        raise FileRefused(
            _("%(file)s has no row with the headings Copper and Nickel. Save the monthly prices.")
            % {"file": file.name}
        )


def _month(text: str) -> str:
    """Return a label as ``1960M01`` or ``1960-01``, if it says a month; a spreadsheet may have made a day of it."""
    if rules.MONTH.fullmatch(text):
        return text
    return text[:7] if FIRST_OF_MONTH.fullmatch(text) else ""


def _metal_columns(cells: Sequence[str]) -> dict[int, tuple[str, str]]:
    """Return the columns that hold metals, if this is the row of headings: index -> name and unit."""
    found = {}
    for index, cell in enumerate(cells):
        plain = FOOTNOTE.sub("", " ".join(cell.casefold().split())).lstrip("* ")
        name, usd_t, _rest = plain.partition("_usd_t")
        if name in METALS:
            found[index] = (name.capitalize(), "USD/t" if usd_t else "")
    names = {name for name, _unit in found.values()}
    return found if len(names) > 1 or (names and cells[0].casefold() == "month") else {}


def _table_of_quotes(file: Path, reading: Reading) -> Iterator[_Found]:
    for number, cell in table(file, "quotes", reading):
        price = cell("price")
        unit = cell("unit", "USD/kg" if "price_usd_per_kg" in price.column else "")
        yield _Found(
            material=cell("material"),
            on=cell("date"),
            price=price,
            unit=Cell(number, unit.column, unit.text),
            source=cell("source", reading.source),
            note=cell("note", " ").text.strip(),
            kind=cell("kind", " ").text.strip(),
        )
