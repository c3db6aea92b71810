"""A price that falls until somebody takes it; then sealed bids above it; then one last word of who took it.

:source: the three stages of the "Dutch insider" sales of the public auctions on Prozorro.Sale
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

MOST_STEPS = 99
""":source: OPTIMISATION 7, as in Prozorro.Sale: a hundred prices and so 99 steps between them"""

SEALED_TIME = timedelta(minutes=10)
BEST_TIME = timedelta(minutes=5)
"""The house's usual: long enough for somebody who was called to the telephone; an auction may say otherwise."""

SHORTEST_STEP = timedelta(seconds=10)
"""A price that stands for less cannot be taken by somebody on a slow line."""


class Stage(StrEnum):
    """Where a Dutch auction stands. Over: the price has fallen to the end, or the last word is spoken."""

    FALLING = "FALLING"
    SEALED = "SEALED"
    BEST = "BEST"
    OVER = "OVER"


@dataclass(frozen=True, slots=True)
class Fall:
    """How a price falls: from ``top`` at ``begins`` to ``floor``, which stands until ``ends``, in equal steps."""

    top: Decimal
    floor: Decimal
    steps: int
    begins: datetime
    ends: datetime
    unit: Decimal


def price_at(fall: Fall, at: datetime) -> Decimal:
    """Return what a falling price is at a moment. Before the beginning it is the top, after the end the floor.

    Each of the ``steps + 1`` prices stands equally long. Rounded up to what can be paid, so it is never below the floor.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> fall = Fall(Decimal(100), Decimal(50), 5, noon, noon + timedelta(minutes=6), Decimal(1))
    >>> [int(price_at(fall, noon + timedelta(minutes=minute))) for minute in range(7)]
    [100, 90, 80, 70, 60, 50, 50]
    """
    done = min(max(place_at(fall, at), 0), fall.steps)
    exact = fall.top - (fall.top - fall.floor) * done / fall.steps
    return (exact / fall.unit).to_integral_value(rounding=ROUND_CEILING) * fall.unit


def place_at(fall: Fall, at: datetime) -> int:
    """Return how many steps the price has fallen by then, not below zero nor above ``steps``."""
    passed, whole = at - fall.begins, fall.ends - fall.begins
    return min(max(int(passed * (fall.steps + 1) // whole), 0), fall.steps)


def next_step_at(fall: Fall, at: datetime) -> datetime | None:
    """Return when the price falls next; none once it stands at the floor."""
    done = place_at(fall, at) + 1 if at >= fall.begins else 1
    if done > fall.steps:
        return None
    microseconds = (fall.ends - fall.begins) // timedelta(microseconds=1) * done
    return fall.begins + timedelta(microseconds=-(-microseconds // (fall.steps + 1)))


def stage_at(
    at: datetime,
    *,
    fall_ends_at: datetime,
    taken: bool,
    sealed_until: datetime | None,
    opened: bool,
    closes_at: datetime,
) -> Stage:
    """Return the stage of an open Dutch auction: until the sealed bids are opened, the last word has not begun."""
    if not taken:
        return Stage.FALLING if at < fall_ends_at else Stage.OVER
    if not opened:
        return Stage.SEALED if sealed_until is not None and at < sealed_until else Stage.BEST
    return Stage.BEST if at < closes_at else Stage.OVER


def least_sealed(taken_price: Decimal, step: Decimal) -> Decimal:
    """Return the lowest sealed bid that is worth the envelope: a step above the price that was taken."""
    return taken_price + step


def least_best(best_sealed: Decimal | None, taken_price: Decimal, step: Decimal) -> Decimal:
    """Return the lowest last word: a step above the best sealed bid. Without one there is nothing to beat."""
    return taken_price if best_sealed is None else best_sealed + step


def refuse_fall(fall: Fall) -> str | None:
    """Return what is wrong with a fall, as a short code; none if it can be held.

    ``steps``: not 1 to 99. ``floor``: not below the top. ``pace``: a price stands for less than ten seconds. ``unit``: a step is
    smaller than the smallest coin.
    """
    if not 1 <= fall.steps <= MOST_STEPS:
        return "steps"
    if not 0 < fall.floor < fall.top:
        return "floor"
    if (fall.ends - fall.begins) / (fall.steps + 1) < SHORTEST_STEP:
        return "pace"
    if (fall.top - fall.floor) / fall.steps < fall.unit:
        return "unit"
    return None
