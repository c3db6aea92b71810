"""Tables of any form, row by row and cell by cell: which column holds what, and where something is wrong."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

from django.utils.translation import gettext as _

from marketplace.reference import rules
from marketplace.reference.rules import Unreadable

from .files import FileRefused, Row, column_name, refused_at, rows_of

Value = TypeVar("Value")
NOT_THERE = {"", "..", "…", "...", "-", "–", "—", "n/a", "n.a.", "na"}
COLUMNS = {
    "quotes": {
        "material": ("material", "metal", "symbol"),
        "date": ("quoted_on", "date", "day", "month"),
        "price": ("price", "price_usd_per_kg", "value", "close"),
        "unit": ("unit",),
        "source": ("source",),
        "note": ("note",),
        "kind": ("kind",),
    },
    "rates": {
        "currency": ("currency", "code"),
        "date": ("quoted_on", "date", "day"),
        "per_usd": ("per_usd", "rate"),
        "source": ("source",),
        "note": ("note",),
    },
}
"""Headings under which a column is found without being named."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a file, and what to believe of it.

    :param columns: field -> heading in the file, for a table of any form
    :param fixed: field -> value, for what the file does not say
    :param decimal_sign: empty: as the numbers of the file prove
    """

    source: str
    checked_on: date
    columns: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    decimal_sign: str = ""
    gaps_are_meant: bool = False
    jumps_are_meant: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    row: int
    column: str
    text: str


Cells = Callable[..., Cell]


def table(file: Path, kind: str, reading: Reading) -> Iterator[tuple[int, Cells]]:
    """Yield each row of a table as a function from a field to its cell.

    :raises FileRefused: if a column that was named, or that is needed, is not there, or a row has too many cells
    """
    head: list[str] = []
    places: dict[str, int] = {}
    for number, cells in rows_of(file):
        if not head:
            head = [cell.casefold() for cell in cells]
            places = _places(file, kind, head, reading)
            continue
        if len(cells) > len(head):
            raise FileRefused(
                _(
                    "%(file)s, row %(row)s: %(cells)s cells under %(heads)s headings. "
                    "Put numbers with a decimal comma in quotes, or part the cells by semicolons."
                )
                % {"file": file.name, "row": number, "cells": len(cells), "heads": len(head)}
            )
        yield number, _cells(file, (number, cells), head, places, reading)
    if not head:
        raise FileRefused(_("%(file)s is empty.") % {"file": file.name})


def _places(file: Path, kind: str, head: Sequence[str], reading: Reading) -> dict[str, int]:
    places = {}
    for name, headings in COLUMNS[kind].items():
        named = reading.columns.get(name)
        wanted: Iterable[str] = [named.casefold()] if named else headings
        found = next((head.index(heading) for heading in wanted if heading in head), None)
        if found is not None:
            places[name] = found
        elif named or (
            name in ("material", "currency", "date", "price", "per_usd")
            and name not in reading.fixed
        ):
            raise FileRefused(
                _("%(file)s has no column %(column)s. It has: %(heads)s. Say which one is meant.")
                % {"file": file.name, "column": named or name, "heads": ", ".join(head)},
                code="column_missing",
            )
    return places


def _cells(
    file: Path, row: Row, head: Sequence[str], places: Mapping[str, int], reading: Reading
) -> Cells:
    number, cells = row

    def cell(name: str, otherwise: str = "") -> Cell:
        place = places.get(name)
        column = name if place is None else column_name(place, head[place])
        text = cells[place] if place is not None and place < len(cells) else ""
        text = text or reading.fixed.get(name, "") or otherwise
        if not text:
            raise refused_at(file.name, number, column, Unreadable("empty"))
        return Cell(number, column, text)

    return cell


def sign_of(file: Path, cells: Sequence[Cell]) -> str:
    """Return the decimal sign that the cells of a column prove."""
    try:
        return rules.decimal_sign_of(cell.text for cell in cells)
    except Unreadable as trouble:
        shown = trouble.facts.get("text") or trouble.facts.get("other")
        at = next(cell for cell in cells if cell.text.strip() == shown)
        raise refused_at(file.name, at.row, at.column, trouble) from None


def read_cell(file: Path, cell: Cell, how: Callable[[str], Value]) -> Value:
    """Read a cell, or say where it is and what is wrong with it."""
    try:
        return how(cell.text)
    except Unreadable as trouble:
        raise refused_at(file.name, cell.row, cell.column, trouble) from None
