"""What we said against what was paid: how often the range held, and by how much we were off.

Nothing is said of fewer than five deals or three sellers, and a dot of the chart is five deals or more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import median

from .index import METHOD, TOO_SMALL_USD, ZERO, Method, at_least, rounded

CENT = Decimal("0.01")
EXPECTED = Decimal("0.8")
"""Low and high are 10 and 90 % marks: so many deals should end between them."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One settled deal and the range that stood before, in USD a kilogram."""

    low: Decimal
    typical: Decimal
    high: Decimal
    settled: Decimal
    seller: str

    @property
    def error(self) -> Decimal:
        """Positive if more was paid than the typical value said."""
        return self.settled - self.typical


@dataclass(frozen=True, slots=True)
class Score:
    """How well a group of predictions held."""

    deals: int
    """A step, never the exact count."""
    inside: Decimal
    below: Decimal
    above: Decimal
    bias_usd_per_kg: Decimal
    error_usd_per_kg: Decimal
    bias_share: Decimal | None
    """The median of error / typical, of deals whose typical value was worth a ratio."""


@dataclass(frozen=True, slots=True)
class Dot:
    """Means of five deals or more that lie next to each other, to three digits."""

    predicted: Decimal
    settled: Decimal
    low: Decimal
    high: Decimal
    deals: int


def is_told(predictions: Sequence[Prediction], *, method: Method = METHOD) -> bool:
    """Tell whether enough deals of enough sellers hide every single one."""
    sellers = {prediction.seller for prediction in predictions}
    return len(predictions) >= method.least_deals and len(sellers) >= method.least_sellers


def score(predictions: Iterable[Prediction], *, method: Method = METHOD) -> Score | None:
    """Return how well predictions held; nothing if there are too few to speak of.

    >>> said = [
    ...     Prediction(Decimal(1), Decimal(2), Decimal(3), Decimal(paid), f"seller {paid}")
    ...     for paid in ("0.5", "1.5", "2.0", "2.5", "4.0")
    ... ]
    >>> found = score(said)
    >>> found.inside, found.below, found.above, found.bias_usd_per_kg, found.bias_share
    (Decimal('0.6'), Decimal('0.2'), Decimal('0.2'), Decimal('0.1'), Decimal('0'))
    """
    found = list(predictions)
    if not is_told(found, method=method):
        return None
    number = Decimal(len(found))
    below = sum(one.settled < one.low for one in found) / number
    above = sum(one.settled > one.high for one in found) / number
    ratios = [one.error / one.typical for one in found if one.typical >= TOO_SMALL_USD]
    return Score(
        deals=at_least(len(found)),
        inside=1 - below - above,
        below=below,
        above=above,
        bias_usd_per_kg=sum((one.error for one in found), ZERO) / number,
        error_usd_per_kg=sum((abs(one.error) for one in found), ZERO) / number,
        bias_share=median(ratios).normalize() if len(ratios) >= method.least_deals else None,
    )


def published(score: Score) -> Score:
    """Return a score as it may be told: whole per cents, two digits of money.

    >>> thirds = Score(5, Decimal(1) / 3, Decimal(1) / 3, Decimal(1) / 3, Decimal("0.1234"), Decimal("12.34"), None)
    >>> told = published(thirds)
    >>> told.inside, told.bias_usd_per_kg, told.error_usd_per_kg
    (Decimal('0.33'), Decimal('0.12'), Decimal('12'))
    """
    return replace(
        score,
        inside=score.inside.quantize(CENT),
        below=score.below.quantize(CENT),
        above=score.above.quantize(CENT),
        bias_usd_per_kg=rounded(score.bias_usd_per_kg, 2),
        error_usd_per_kg=rounded(score.error_usd_per_kg, 2),
        bias_share=None if score.bias_share is None else score.bias_share.quantize(CENT),
    )


def dots(predictions: Iterable[Prediction], *, method: Method = METHOD) -> list[Dot]:
    """Return the chart: neighbours by predicted value in heaps that hide every single deal.

    What is left at the dear end joins the last heap.
    """
    ordered = sorted(predictions, key=lambda p: (p.typical, p.settled, p.low, p.high, p.seller))
    heaps: list[list[Prediction]] = [[]]
    for one in ordered:
        heaps[-1].append(one)
        if is_told(heaps[-1], method=method):
            heaps.append([])
    rest = heaps.pop()
    if not heaps:
        return []
    heaps[-1] += rest
    return [_dot(heap) for heap in heaps]


def _dot(heap: Sequence[Prediction]) -> Dot:
    number = Decimal(len(heap))
    return Dot(
        predicted=rounded(sum((one.typical for one in heap), ZERO) / number),
        settled=rounded(sum((one.settled for one in heap), ZERO) / number),
        low=rounded(sum((one.low for one in heap), ZERO) / number),
        high=rounded(sum((one.high for one in heap), ZERO) / number),
        deals=at_least(len(heap)),
    )
