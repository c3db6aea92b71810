"""Exchange rates from files: the European Central Bank's, and whatever else is a table. All of a file, or nothing."""

from collections.abc import Iterator
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
    rates = {"ecb": _euro_rates, "csv": _table_of_rates}[form](file, reading)
    return add_rates(list(rates), by=by, now=now, reason=reason, came_from=file.name)


def _euro_rates(file: Path, reading: Reading) -> Iterator[CurrencyRate]:
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
            yield _currency_rate(currency, on, rate, reading.source, "", "SECONDARY", reading)


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
        named = zip(head[1:], cells[1:], strict=False)
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


def _table_of_rates(file: Path, reading: Reading) -> Iterator[CurrencyRate]:
    rows = list(table(file, "rates", reading))
    sign = reading.decimal_sign or sign_of(file, [cell("per_usd") for _row, cell in rows])
    sources = set(Source.objects.values_list("code", flat=True))
    seen: dict[tuple[str, date, str], int] = {}
    for number, cell in rows:
        currency = read_cell(file, cell("currency"), _currency)
        on = read_cell(file, cell("date"), rules.day_of)
        rate = cell("per_usd")
        per_usd = read_cell(file, rate, lambda text: _positive(rules.number_of(text, sign)))
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
        yield _currency_rate(currency, on, per_usd, source.text, note, "GENERAL", reading)


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


def _currency(text: str) -> str:
    if len(text) != 3 or not text.isascii() or not text.isalpha():
        raise Unreadable("unknown_currency", text=text)
    return text.upper()


def _positive(number: Decimal) -> Decimal:
    if number <= 0:
        raise Unreadable("not_positive", text=number)
    return number
