"""Exchange rates from files: the European Central Bank's, and whatever else is a table. All of a file, or nothing."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from django.utils.translation import gettext as _

from marketplace.journal.services import Recorder
from marketplace.reference import rules
from marketplace.reference.models import CurrencyRate, Source
from marketplace.reference.rules import Unreadable

from .files import FileRefused, read_xml, refused_at, rows_of
from .prices import Added, add_rates
from .tables import NOT_THERE, Cell, Reading, read_cell, sign_of, table

Found = tuple[Cell, CurrencyRate]
"""A rate, and the cell that it stands in."""


def import_rates(
    file: Path,
    *,
    form: str,
    reading: Reading,
    by: Recorder,
    now: datetime,
    reason: str = "",
) -> Added:
    """Add the exchange rates of a file, all or none.

    :param form: ``ecb`` (euro reference rates as CSV or XML) or ``csv``
    :raises FileRefused: with the row and the column of what is wrong
    """
    found = list({"ecb": _euro_rates, "csv": _table_of_rates}[form](file, reading))
    if not reading.jumps_are_meant:
        _believe(file, found)
    rates = [rate for _cell, rate in found]
    return add_rates(rates, by=by, now=now, reason=reason, came_from=file.name)


def _believe(file: Path, found: Sequence[Found]) -> None:
    """Refuse rates that are written the other way round, or far from the last known."""
    if not found:
        return
    first = min(rate.quoted_on for _cell, rate in found)
    known = CurrencyRate.objects.filter(quoted_on__lt=first).order_by("quoted_on", "pk")
    before = {row.currency: (row.quoted_on, row.per_usd) for row in known}
    for cell, rate in sorted(found, key=lambda pair: (pair[1].quoted_on, pair[0].row)):
        last = before.get(rate.currency)
        try:
            rules.believe_rate(rate.currency, rate.per_usd, rate.quoted_on, last)
        except Unreadable as trouble:
            raise refused_at(file.name, cell.row, cell.column, trouble) from None
        before[rate.currency] = (rate.quoted_on, rate.per_usd)


def _euro_rates(file: Path, reading: Reading) -> Iterator[Found]:
    """Read euro reference rates, the daily or the historical file, and turn them by the dollar's.

    :source: European Central Bank, euro foreign exchange reference rates
    """
    days = _euro_xml(file) if file.suffix.casefold() == ".xml" else _euro_csv(file)
    seen: dict[date, int] = {}
    for number, on, cells in days:
        if on in seen:
            trouble = Unreadable("duplicate", text=on, first=seen[on])
            raise refused_at(file.name, number, "Date", trouble)
        seen[on] = number
        per_euro = {
            cell.column: read_cell(file, cell, rules.number_of)
            for cell in cells
            if cell.text.casefold() not in NOT_THERE
        }
        try:
            per_usd = rules.rates_per_usd(per_euro)
        except Unreadable as trouble:
            raise refused_at(file.name, number, "USD", trouble) from None
        for currency, rate in sorted(per_usd.items()):
            yield (
                Cell(number, currency, f"{rate}"),
                _currency_rate(currency, on, rate, reading.source, "", "SECONDARY", reading),
            )


def _euro_csv(file: Path) -> Iterator[tuple[int, date, list[Cell]]]:
    head: list[str] = []
    for number, cells in rows_of(file):
        if not head:
            head = cells
            if head[0].casefold() != "date" or "USD" not in head:
                raise FileRefused(
                    _(
                        "%(file)s does not begin with the headings Date and USD. Is it the bank's file?"
                    )
                    % {"file": file.name}
                )
            continue
        on = read_cell(file, Cell(number, "A (Date)", cells[0]), _bank_day)
        named = zip(head[1:], cells[1:], strict=False)  # a comma ends every row of theirs
        yield number, on, [Cell(number, name, text) for name, text in named if name]


def _euro_xml(file: Path) -> Iterator[tuple[int, date, list[Cell]]]:
    number = 0
    for number, day in enumerate(
        (cube for cube in read_xml(file).iter() if "time" in cube.attrib), start=1
    ):
        on = read_cell(file, Cell(number, "time", day.attrib["time"]), rules.day_of)
        yield (
            number,
            on,
            [
                Cell(number, rate.attrib.get("currency", ""), rate.attrib.get("rate", ""))
                for rate in day
            ],
        )
    if not number:
        raise FileRefused(
            _("%(file)s holds no day of reference rates. Is it the bank's file?")
            % {"file": file.name}
        )


def _bank_day(text: str) -> date:
    """Return a day, also as the bank's daily file writes it: 23 November 2026."""
    for form in ("%d %B %Y", "%d %b %Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return rules.day_of(text)


def _table_of_rates(file: Path, reading: Reading) -> Iterator[Found]:
    rows = list(table(file, "rates", reading))
    sign = reading.decimal_sign or sign_of(file, [cell("per_usd") for _row, cell in rows])
    sources = set(Source.objects.values_list("code", flat=True))
    seen: dict[tuple[str, date, str], int] = {}
    for number, cell in rows:
        currency = read_cell(file, cell("currency"), rules.currency_of)
        on = read_cell(file, cell("date"), rules.day_of)
        rate = cell("per_usd")
        per_usd = read_cell(
            file, rate, lambda text: rules.per_usd_of(rules.number_of(text, sign), is_in_usd=False)
        )
        source = cell("source", reading.source)
        if source.text not in sources:
            trouble = Unreadable("unknown_source", text=source.text)
            raise refused_at(file.name, number, source.column, trouble)
        key = (currency, on, source.text)
        if key in seen:
            trouble = Unreadable("duplicate", text=f"{currency} {on}", first=seen[key])
            raise refused_at(file.name, number, rate.column, trouble)
        seen[key] = number
        note = cell("note", " ").text.strip()
        yield (
            rate,
            _currency_rate(currency, on, per_usd, source.text, note, "GENERAL", reading),
        )


def _currency_rate(
    currency: str,
    on: date,
    per_usd: Decimal,
    source: str,
    note: str,
    confidence: str,
    reading: Reading,
) -> CurrencyRate:
    return CurrencyRate(
        currency=currency,
        quoted_on=on,
        per_usd=per_usd.quantize(Decimal("0.000001")),
        source_id=source,
        confidence=confidence,
        checked_on=reading.checked_on,
        note=note[:500],
    )
