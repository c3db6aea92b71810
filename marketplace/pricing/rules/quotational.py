"""Which quotes a formula is settled by: those of a day, or of a month, and what counts where there is none.

A contract names a period. Within it the average that a source published counts; else the mean of the days of one source.
Nothing is guessed: where the period holds no quote the newest one before it counts, and where there is none either, the
one that the bid was worked out from. Which of these it was is said with every quote.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from .formulas import QuotesOf

SIXTH = Decimal("0.000001")


class How(StrEnum):
    """Why a quote counts."""

    DAY = "DAY"
    MONTH_AVERAGE = "MONTH_AVERAGE"
    MEAN_OF_DAYS = "MEAN_OF_DAYS"
    EARLIER = "EARLIER"
    BID = "BID"


IN_PERIOD = frozenset({How.DAY, How.MONTH_AVERAGE, How.MEAN_OF_DAYS})


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day to the last, both counted."""

    first: date
    last: date

    @property
    def is_day(self) -> bool:
        return self.first == self.last


@dataclass(frozen=True, slots=True)
class Said:
    """What one source said a kilogram cost. ``order`` tells which came later: a corrected quote counts."""

    on: date
    usd_per_kg: Decimal
    source: str
    is_month_average: bool = False
    is_spot: bool = False
    order: int = 0


@dataclass(frozen=True, slots=True)
class Used:
    """The quote or rate that a settlement counts by. ``on`` is its day, or the last of the days that it is the mean of.

    ``value`` is in USD per kg, or for a rate in units of a currency per USD.
    """

    value: Decimal
    on: date
    source: str
    how: How


def period_of(quotes_of: QuotesOf, weighed_on: date) -> Period:
    """Return the days whose quotes count.

    >>> period_of(QuotesOf.NEXT_MONTH, date(2026, 12, 31))
    Period(first=datetime.date(2027, 1, 1), last=datetime.date(2027, 1, 31))
    """
    if quotes_of is QuotesOf.WEIGHING_DAY:
        return Period(weighed_on, weighed_on)
    first = weighed_on.replace(day=1)
    if quotes_of is QuotesOf.NEXT_MONTH:
        first = (first + timedelta(days=31)).replace(day=1)
    return Period(first, first.replace(day=monthrange(first.year, first.month)[1]))


def in_period(said: Sequence[Said], period: Period, *, named: str = "") -> Used | None:
    """Return the quote of a period; nothing if no source has one.

    Of a day: what was said for that day. Of a month: the average that a source published for it, else the mean of the
    days of one source, each as it was last corrected. ``named``, the source that the contract names, goes first.

    :param said: of one material
    :returns: rounded to six decimals, as quotes are kept
    """
    within = [each for each in said if period.first <= each.on <= period.last]
    if period.is_day:
        newest = max(within, key=lambda each: (each.source == named, each.order), default=None)
        return None if newest is None else _as_said(newest, How.DAY)
    averages = [each for each in within if each.is_month_average]
    if averages:
        newest = max(averages, key=lambda each: (each.source == named, each.order))
        return _as_said(newest, How.MONTH_AVERAGE)
    spots: dict[str, dict[date, Said]] = {}
    for each in sorted(within, key=lambda each: each.order):
        if each.is_spot:
            spots.setdefault(each.source, {})[each.on] = each
    if not spots:
        return None
    source = max(spots, key=lambda name: (name == named, len(spots[name]), name))
    days = spots[source]
    mean = sum((each.usd_per_kg for each in days.values()), Decimal(0)) / len(days)
    return Used(mean.quantize(SIXTH, ROUND_HALF_EVEN), max(days), source, How.MEAN_OF_DAYS)


def instead(said: Sequence[Said], period: Period, *, of_bid: Used) -> Used:
    """Return what counts where a period holds no quote: the newest one before its end, else the one of the bid."""
    before = [each for each in said if each.on <= period.last]
    if not before:
        return of_bid
    return _as_said(max(before, key=lambda each: (each.on, each.order)), How.EARLIER)


def used_quotes(
    said: Mapping[str, Sequence[Said]], period: Period, *, of_bid: Mapping[str, Used]
) -> dict[str, Used]:
    """Return the quote that counts for each material of a bid."""
    return {
        material: in_period(said.get(material, ()), period, named=bid.source)
        or instead(said.get(material, ()), period, of_bid=bid)
        for material, bid in of_bid.items()
    }


def _as_said(said: Said, how: How) -> Used:
    return Used(said.usd_per_kg, said.on, said.source, how)
