"""Which health claim is believed, which one counts, and which two may be compared.

A chain breaks at its weakest cell, a resistance is no capacity, and ampere hours are not watt hours: claims on unlike
bases or levels are never compared silently.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeVar

HIGHEST_BELIEVED = Decimal("1.02")
"""Above what a new battery had, plus what the instruments may err.

:source: shared domain notes, section 8: health of 270 retired cells lies within 0.52 to 1.01
"""
HIGHEST_KEPT = Decimal(9)
ABOVE_102 = "health_above_102_percent"

MILD_DOUBTS = frozenset(
    {
        "temperature_outside_15_35",
        "temperature_unknown",
        "cells_of_pack_missing",
        "current_steps_few",
        "full_charge_said",
        "no_ohmic_intercept",
        "window_unknown",
        "basis_not_told",
        "stale",
        "undated",
    }
)
"""Doubts that widen a claim, but leave it believed. Every other doubt, known or not, disqualifies."""

METHODS = ("CAPACITY_TEST", "PULSE_TEST", "IMPEDANCE", "PASSPORT", "SAID")
MEASURED = frozenset({"CAPACITY_TEST", "PULSE_TEST", "IMPEDANCE"})
BASES = ("CAPACITY", "ENERGY")
"""The bases that stand for what a battery still holds, in the order in which they count."""
LEVELS = ("WEAKEST_CELL", "PACK", "SAMPLE")


class Claim(Protocol):
    """What these rules need to know of a health claim. Read only."""

    @property
    def value(self) -> Decimal: ...
    @property
    def basis(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def doubts(self) -> Sequence[str]: ...
    @property
    def tested_at(self) -> datetime | None: ...
    @property
    def added_at(self) -> datetime: ...


Known = TypeVar("Known", bound=Claim)


def doubts_about(value: Decimal, *, basis: str) -> tuple[str, ...]:
    """Return what is not believed of a value by itself. A resistance may grow; a capacity may not.

    >>> doubts_about(Decimal("1.05"), basis="CAPACITY"), doubts_about(Decimal("1.6"), basis="RESISTANCE")
    (('health_above_102_percent',), ())
    """
    if basis in BASES and value > HIGHEST_BELIEVED:
        return (ABOVE_102,)
    return ()


def believed(doubts: Iterable[str]) -> bool:
    """Tell whether a claim with these doubts may move a value.

    >>> believed([]), believed(["temperature_unknown"]), believed(["window_not_full"])
    (True, True, False)
    """
    return MILD_DOUBTS.issuperset(doubts)


def best(claims: Iterable[Known]) -> Known | None:
    """Return the claim that counts for the value of a lot, if any does.

    Only believed claims of capacity or energy count; a resistance never stands in for a capacity. Then, in this order:
    measured before passport before said; capacity before energy; weakest cell before pack before sample; newest.
    """
    return min(
        (claim for claim in claims if claim.basis in BASES and believed(claim.doubts)),
        key=lambda claim: (
            _method_rank(claim.method),
            BASES.index(claim.basis),
            LEVELS.index(claim.level),
            -(claim.tested_at or claim.added_at).timestamp(),
            -claim.added_at.timestamp(),
        ),
        default=None,
    )


def _method_rank(method: str) -> int:
    return 0 if method in MEASURED else METHODS.index(method)


def why_not(a: Claim, b: Claim) -> str:
    """Return why two claims may not be compared: ``basis``, ``level``, or nothing if they may."""
    if a.basis != b.basis:
        return "basis"
    return "level" if a.level != b.level else ""


def comparable(a: Claim, b: Claim) -> bool:
    """Tell whether two claims speak of the same thing, so that one may be subtracted from the other."""
    return not why_not(a, b)


PRIOR_CHECKS = 5
PRIOR_ERROR = Decimal("0.05")
FEWEST_CHECKS = 3


@dataclass(frozen=True, slots=True)
class Score:
    """How far claims typically lay from what was found. ``typically`` is ``None`` below three checks."""

    checks: int
    typically: Decimal | None
    lean: Decimal | None


def score(errors: Collection[Decimal]) -> Score:
    """Return a grader's score from its errors, claimed minus found, as shares.

    The mean absolute error is drawn towards 5 points as if five such checks had been made already, so that three
    lucky lots make no master. ``lean`` is drawn towards 0 likewise: above it, more was claimed than was found.

    :source: the prior is our own assumption: 5 checks at 5 points

    >>> score([Decimal("0.02")] * 10)
    Score(checks=10, typically=Decimal('0.030'), lean=Decimal('0.013'))
    >>> score([Decimal("0.02")] * 2)
    Score(checks=2, typically=None, lean=None)
    """
    checks = len(errors)
    if checks < FEWEST_CHECKS:
        return Score(checks, None, None)
    weight = Decimal(PRIOR_CHECKS + checks)
    off = sum((abs(error) for error in errors), PRIOR_CHECKS * PRIOR_ERROR) / weight
    lean = sum(errors, Decimal(0)) / weight
    point = Decimal("0.001")
    return Score(checks, off.quantize(point), lean.quantize(point))
