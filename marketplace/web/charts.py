"""Charts as the server draws them: points of an SVG, formatted here because templates would write decimals by language."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import floor, log10

WIDTH, HEIGHT = 400, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 28
GRID = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """A word at an axis, with the place of its line."""

    at: str
    label: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Spot:
    """A dot; hollow if what it shows was inferred."""

    x: str
    y: str
    is_hollow: bool = False
    upper: str = ""
    lower: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template writes into an SVG of 400 by 220."""

    line: str
    area: str
    spots: tuple[Spot, ...]
    rows: tuple[Mark, ...]
    columns: tuple[Mark, ...]
    zero: str
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


Day = tuple[date, Decimal]


def line_chart(
    days: Sequence[Day],
    spots: Sequence[tuple[date, Decimal, bool]] = (),
    *,
    amount: Callable[[Decimal], str],
    day: Callable[[date], str],
) -> Chart | None:
    """Draw prices over time as a line, and single values as dots; nothing if there is no line.

    :param amount: writes a value for the axis
    :param day: writes a day for the axis
    """
    if len(days) < 2:
        return None
    values = [float(value) for _on, value in days] + [float(value) for _on, value, _h in spots]
    rows = _steps(min(*values, 0.0), max(values))
    first = min(days[0][0], *(on for on, _value, _hollow in spots)) if spots else days[0][0]
    last = max(days[-1][0], *(on for on, _value, _hollow in spots)) if spots else days[-1][0]
    span = max(1, (last - first).days)

    def x(on: date) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * (on - first).days / span:.1f}"

    def y(value: float) -> str:
        return _up(value, rows)

    points = [f"{x(on)},{y(float(value))}" for on, value in days]
    zero = y(0.0)
    middle = days[len(days) // 2][0]
    return Chart(
        line=" ".join(points),
        area=" ".join([f"{x(days[0][0])},{zero}", *points, f"{x(days[-1][0])},{zero}"]),
        spots=tuple(Spot(x(on), y(float(value)), hollow) for on, value, hollow in spots),
        rows=tuple(Mark(y(row), amount(Decimal(str(row))), "end") for row in rows),
        columns=(
            Mark(x(first), day(first), "start"),
            Mark(x(middle), day(middle)),
            Mark(x(last), day(last), "end"),
        ),
        zero=zero,
    )


def scatter(
    spots: Sequence[tuple[Decimal, Decimal, Decimal, Decimal]], *, amount: Callable[[Decimal], str]
) -> Chart | None:
    """Draw what was paid (upwards) against what was said (rightwards), each with the range that was said.

    :param spots: said, paid, low, high
    """
    if not spots:
        return None
    values = [float(value) for spot in spots for value in spot]
    steps = _steps(min(*values, 0.0), max(values))
    low, high = steps[0], steps[-1]

    def x(value: float) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low):.1f}"

    def y(value: float) -> str:
        return _up(value, steps)

    return Chart(
        line=f"{x(low)},{y(low)} {x(high)},{y(high)}",
        area="",
        spots=tuple(
            Spot(
                x(float(said)),
                y(float(paid)),
                upper=y(float(top)),
                lower=y(float(under)),
            )
            for said, paid, under, top in spots
        ),
        rows=tuple(Mark(y(step), amount(Decimal(str(step))), "end") for step in steps),
        columns=tuple(Mark(x(step), amount(Decimal(str(step)))) for step in steps[:-1]),
        zero=y(0.0),
    )


def sparkline(values: Sequence[Decimal], width: int = 120, height: int = 32) -> str:
    """Return the points of a polyline through values, oldest first, fitted into a small box.

    >>> sparkline([Decimal(1), Decimal(3)])
    '0.0,30.0 120.0,2.0'
    """
    if len(values) < 2:
        return ""
    numbers = [float(value) for value in values]
    low, high = min(numbers), max(numbers)
    step = width / (len(numbers) - 1)
    scale = (height - 4) / (high - low or 1)
    return " ".join(
        f"{n * step:.1f},{height - 2 - (v - low) * scale:.1f}" for n, v in enumerate(numbers)
    )


def _up(value: float, rows: Sequence[float]) -> str:
    low, high = rows[0], rows[-1]
    return f"{TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low):.1f}"


def _steps(low: float, high: float) -> list[float]:
    """Return round numbers that span two values.

    >>> _steps(0, 9.1), _steps(-0.3, 1.6)
    ([0.0, 2.5, 5.0, 7.5, 10.0], [-0.5, 0.0, 0.5, 1.0, 1.5, 2.0])
    """
    rough = (high - low or 1.0) / GRID
    size = 10.0 ** floor(log10(rough))
    step = next(size * by for by in (1.0, 2.5, 5.0, 10.0) if size * by >= rough * 0.8)
    begin, end = floor(low / step), -floor(-high / step)
    return [round(n * step, 10) for n in range(begin, max(end, begin + 1) + 1)]
