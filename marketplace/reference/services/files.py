"""Files of prices, as rows of cells. What is too large, packed too tightly or no table is refused before it is read."""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from django.utils.translation import gettext as _
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from marketplace.core.errors import Refused
from marketplace.reference.rules import Unreadable

MAX_BYTES = 20_000_000
MAX_UNPACKED_BYTES = 100_000_000
MAX_TIMES_PACKED = 200
MAX_ROWS = 200_000
PINK_SHEET_TAB = "monthly prices"

Row = tuple[int, list[str]]
"""The number of a row in its file, and its cells as text."""


class FileRefused(Refused):
    """A file, or a cell in it, that we do not take. The sentence names the row and the column."""

    code = "file_refused"


def refused_at(file: str, row: int, column: str, trouble: Unreadable) -> FileRefused:
    """Say where in a file something is wrong, what, and what to do next."""
    where = _("%(file)s, row %(row)s, column %(column)s:") % {
        "file": file,
        "row": row,
        "column": column,
    }
    return FileRefused(f"{where} {sentence(trouble)}", code=trouble.code)


def sentence(trouble: Unreadable) -> str:
    """Return what is wrong and what to do next, in the reader's language."""
    said = {
        "not_a_number": _("%(text)s is not a number. Correct it."),
        "two_signs": _(
            "%(one)s has a decimal point and %(other)s a decimal comma. Write all numbers the same way."
        ),
        "unclear_sign": _(
            "%(text)s may mean thousands or a fraction. Say which sign parts the fraction."
        ),
        "unknown_unit": _(
            "%(text)s is not a unit of price. Write it like USD/t, USD/lb or CNY/kg."
        ),
        "not_positive": _("%(text)s is not above zero. Correct it."),
        "not_a_day": _("%(text)s is not a day. Write it like 2026-05-31."),
        "not_believed": _(
            "%(price)s USD/kg cannot be so: between %(low)s and %(high)s was ever paid. Check the unit."
        ),
        "jump": _(
            "%(price)s USD/kg is %(times)s times away from %(was)s on %(on)s. "
            "Check the unit; if it is right, say that jumps are meant."
        ),
        "rate_unheard": _("%(text)s cannot be an exchange rate. Correct it."),
        "wrong_way_round": _(
            "%(rate)s %(currency)s for a dollar, but it was %(was)s on %(on)s. "
            "It looks written the other way round."
        ),
        "rate_jump": _(
            "%(rate)s %(currency)s for a dollar is far from %(was)s on %(on)s. "
            "Check it; if it is right, say that jumps are meant."
        ),
        "no_dollar": _("There is no rate of the US dollar on this day. Add it."),
        "unknown_material": _(
            "%(text)s is no material that we know. Write its symbol, such as Ni."
        ),
        "unknown_currency": _("%(text)s is not the code of a currency, such as INR. Correct it."),
        "no_rate": _("There is no exchange rate for %(text)s on that day. Import the rates first."),
        "empty": _("It is empty. Fill it in or take the row out."),
        "months_missing": _(
            "These months are missing: %(text)s. Add them, or say that gaps are meant."
        ),
        "duplicate": _("%(text)s stands in row %(first)s already. Keep one of the two."),
        "unknown_source": _(
            "%(text)s is no source that is loaded. Name another, or give its title."
        ),
    }[trouble.code]
    hint = trouble.facts.get("unit")
    more = " " + _("It looks like a price per %(unit)s.") % {"unit": hint} if hint else ""
    return said % trouble.facts + more


def rows_of(file: Path) -> Iterator[Row]:
    """Yield the rows of a CSV file, also alone in a zip, or of the monthly prices in an xlsx workbook, from number 1.

    :raises FileRefused: if it is too large, packed too tightly, no table, or not in UTF-8
    """
    refuse_by_size(file)
    reader = _sheet_rows if zipfile.is_zipfile(file) else _text_rows
    for number, cells in reader(file):
        if number > MAX_ROWS:
            raise FileRefused(
                _("%(file)s has more than %(most)s rows. Split it.")
                % {"file": file.name, "most": MAX_ROWS}
            )
        if any(cells):
            yield number, cells


def refuse_by_size(file: Path) -> None:
    """Look at the size of a file before anything of it is read.

    :raises FileRefused: if it is empty or too large
    """
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise FileRefused(
            _(
                "%(file)s has %(size)s MB; we read up to %(most)s MB. Split it, or save only the sheet."
            )
            % {"file": file.name, "size": size // 1_000_000, "most": MAX_BYTES // 1_000_000},
            code="file_too_large",
        )
    if not size:
        raise FileRefused(_("%(file)s is empty.") % {"file": file.name})


def column_name(index: int, heading: str = "") -> str:
    """Return a column as people see it: its letter, and its heading if it has one.

    >>> column_name(2, "Nickel"), column_name(27)
    ('C (Nickel)', 'AB')
    """
    letter = get_column_letter(index + 1)
    return f"{letter} ({heading})" if heading else letter


def read_xml(file: Path) -> ElementTree.Element:
    """Return the root of a small XML file. One that declares entities is refused unread.

    :raises FileRefused: if it is too large, declares a document type, or is no XML
    """
    refuse_by_size(file)
    written = file.read_bytes()
    if b"<!DOCTYPE" in written or b"<!ENTITY" in written:
        raise FileRefused(
            _("%(file)s declares a document type. Save it anew as plain XML.")
            % {"file": file.name},
            code="file_unsafe",
        )
    try:
        return ElementTree.fromstring(written)  # noqa: S314 - neither entities nor more than MAX_BYTES
    except ElementTree.ParseError as trouble:
        raise FileRefused(
            _("%(file)s is no XML: %(trouble)s.") % {"file": file.name, "trouble": trouble}
        ) from trouble


def _text_rows(file: Path) -> Iterator[Row]:
    yield from _csv_rows(file, file.read_bytes())


def _csv_rows(file: Path, written: bytes) -> Iterator[Row]:
    coding = "utf-16" if written[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = written.decode(coding)
    except UnicodeDecodeError as trouble:
        raise FileRefused(
            _("%(file)s is not in UTF-8 (byte %(at)s). Save it as CSV UTF-8.")
            % {"file": file.name, "at": trouble.start}
        ) from trouble
    head = text.split("\n", 1)[0]
    delimiter = max((",", ";", "\t"), key=head.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in lines:
            yield lines.line_num, [cell.strip() for cell in cells]
    except csv.Error as trouble:
        raise FileRefused(
            _("%(file)s, row %(row)s: this is no CSV (%(trouble)s). Save it again.")
            % {"file": file.name, "row": lines.line_num, "trouble": trouble}
        ) from trouble


def _sheet_rows(file: Path) -> Iterator[Row]:
    _refuse_bombs(file)
    if (alone := _csv_alone(file)) is not None:
        yield from _csv_rows(file, alone)
        return
    try:
        book = load_workbook(file, read_only=True, data_only=True)
    except (InvalidFileException, KeyError, ValueError, OSError, ElementTree.ParseError) as trouble:
        raise FileRefused(
            _("%(file)s is no workbook that we can read. Save it as xlsx or CSV.")
            % {"file": file.name}
        ) from trouble
    try:
        tabs = [tab for tab in book.sheetnames if tab.casefold().strip() == PINK_SHEET_TAB]
        sheet = book[(tabs or book.sheetnames)[0]]
        if isinstance(sheet, ReadOnlyWorksheet):
            sheet.reset_dimensions()  # what a sheet says of its own size is often wrong
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            yield number, [_text(cell) for cell in cells]
    finally:
        book.close()


def _csv_alone(file: Path) -> bytes | None:
    """Return the CSV of a zip that holds nothing else, as central banks give theirs."""
    with zipfile.ZipFile(file) as packed:
        parts = [part for part in packed.infolist() if not part.is_dir()]
        if len(parts) != 1 or not parts[0].filename.casefold().endswith(".csv"):
            return None
        if parts[0].file_size > MAX_BYTES:
            raise FileRefused(
                _("%(file)s would unpack to %(size)s MB; we do not open it. Split it.")
                % {"file": file.name, "size": parts[0].file_size // 1_000_000},
                code="file_bomb",
            )
        try:
            return packed.read(parts[0])
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as trouble:
            raise FileRefused(
                _("%(file)s cannot be unpacked. Save it again.") % {"file": file.name}
            ) from trouble


def _refuse_bombs(file: Path) -> None:
    """Look at what a workbook says of its size unpacked. Python's zipfile reads no more of a part than it says."""
    with zipfile.ZipFile(file) as packed:
        parts = packed.infolist()
        unpacked = sum(part.file_size for part in parts)
        tight = any(
            part.file_size > 1_000_000 and part.file_size > MAX_TIMES_PACKED * part.compress_size
            for part in parts
        )
        if unpacked > MAX_UNPACKED_BYTES or tight or len(parts) > 1000:
            raise FileRefused(
                _(
                    "%(file)s would unpack to %(size)s MB; we do not open it. Save only the sheet as CSV."
                )
                % {"file": file.name, "size": unpacked // 1_000_000},
                code="file_bomb",
            )
        for part in parts:
            if part.filename.endswith((".xml", ".rels")):
                with packed.open(part) as begun:
                    if b"<!DOCTYPE" in begun.read(4096):
                        raise FileRefused(
                            _("%(file)s declares a document type. Save it anew as plain XML.")
                            % {"file": file.name},
                            code="file_unsafe",
                        )


def _text(cell: Any) -> str:
    """Return what a cell shows. Numbers keep every digit that they have."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    return f"{Decimal(repr(cell)):f}" if isinstance(cell, float) else str(cell).strip()
