"""The price index: what a kilogram was really paid lately, from settled deals. Method: ``docs/price-index.md``.

A window of days, a least number of deals and sellers, a cap on what one party may weigh, a trim on both sides, and
the weighted median of what is left. Too little to publish: the formula's value, led by the last known ratio, and
marked as inferred. Everything is exact decimals in a fixed order, so the same deals give the same index.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from enum import StrEnum

VERSION = "2026-11-1"
ZERO, HALF, ONE = Decimal(0), Decimal("0.5"), Decimal(1)

ROUNDS = 400
"""Each round brings the heaviest party nearer to the cap; sixty are enough for any real market."""
LEAST_LEFT = Decimal("0.000001")
"""If the cap can only be kept by weighing next to nothing, two parties make that market, and there is no index."""
NEAR = Decimal("1e-12")
BANDS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
RATIO_LEAST, RATIO_MOST = HALF, Decimal(2)
TOO_SMALL_USD = Decimal("0.05")
"""Below this a ratio of two prices says nothing: their difference is carried on instead."""


@dataclass(frozen=True, slots=True)
class Method:
    """What the index asks for.

    :source: after the Principles for Oil Price Reporting Agencies, IOSCO, October 2012; the numbers are our choice
    """

    window_days: int = 28
    least_deals: int = 5
    least_sellers: int = 3
    party_cap: Decimal = Decimal("0.4")
    trim: Decimal = Decimal("0.1")


METHOD = Method()


class Gap(StrEnum):
    """Why there is no index from deals."""

    NONE = ""
    FEW_DEALS = "FEW_DEALS"
    FEW_SELLERS = "FEW_SELLERS"
    CONCENTRATED = "CONCENTRATED"


@dataclass(frozen=True, slots=True)
class Observation:
    """One settled deal: what was paid for a kilogram, and between whom. Parties of one group are one party."""

    settled_on: date
    kg: Decimal
    usd_per_kg: Decimal
    seller: str
    buyer: str


@dataclass(frozen=True, slots=True)
class IndexPoint:
    """The index of a day: the price if there is one, else why not. Counts are of the whole window."""

    usd_per_kg: Decimal | None
    gap: Gap
    deals: int
    sellers: int
    buyers: int
    kg: Decimal


def in_window(
    observations: Iterable[Observation], on: date, *, method: Method = METHOD
) -> list[Observation]:
    """Return the deals of the window that ends with a day, in a fixed order.

    Deals within one group are left out: they are no market.
    """
    first = on - timedelta(days=method.window_days - 1)
    found = [
        deal
        for deal in observations
        if first <= deal.settled_on <= on and deal.kg > 0 and deal.seller != deal.buyer
    ]
    return sorted(found, key=lambda d: (d.usd_per_kg, d.kg, d.seller, d.buyer, d.settled_on))


def index_of(
    observations: Iterable[Observation], on: date, *, method: Method = METHOD
) -> IndexPoint:
    """Return the index of a day.

    >>> deals = [
    ...     Observation(date(2026, 11, day), Decimal(100), Decimal(day), f"seller {day}", f"buyer {day}")
    ...     for day in (2, 3, 4, 5, 20)
    ... ]
    >>> index_of(deals, date(2026, 11, 20)).usd_per_kg
    Decimal('4')
    >>> index_of(deals, date(2026, 11, 10)).gap
    <Gap.FEW_DEALS: 'FEW_DEALS'>
    """
    deals = in_window(observations, on, method=method)
    sellers = {deal.seller for deal in deals}
    buyers = {deal.buyer for deal in deals}
    kg = sum((deal.kg for deal in deals), ZERO)

    def point(usd_per_kg: Decimal | None, gap: Gap = Gap.NONE) -> IndexPoint:
        return IndexPoint(usd_per_kg, gap, len(deals), len(sellers), len(buyers), kg)

    if len(deals) < method.least_deals:
        return point(None, Gap.FEW_DEALS)
    if len(sellers) < method.least_sellers:
        return point(None, Gap.FEW_SELLERS)
    weights = capped(deals, method.party_cap)
    if weights is None:
        return point(None, Gap.CONCENTRATED)
    kept = trimmed(weights, method.trim)
    return point(weighted_median([deal.usd_per_kg for deal in deals], kept))


def capped(deals: Sequence[Observation], cap: Decimal) -> list[Decimal] | None:
    """Return the kilograms of the deals, lessened until no party weighs more than a share of their sum.

    A party counts on both sides: what it sold and what it bought. Nothing, if that cannot be done.

    >>> day, one = date(2026, 11, 2), ONE
    >>> deals = [
    ...     Observation(day, Decimal(kg), one, seller, buyer)
    ...     for kg, seller, buyer in ((900, "a", "x"), (50, "b", "y"), (40, "c", "z"), (10, "b", "z"))
    ... ]
    >>> [round(weight) for weight in capped(deals, Decimal("0.4")) or []]
    [67, 50, 40, 10]
    """
    weights = [deal.kg for deal in deals]
    least = sum(weights, ZERO) * LEAST_LEFT
    for _round in range(ROUNDS):
        most = sum(weights, ZERO) * cap
        if most < least * cap:
            return None
        shares: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        for deal, weight in zip(deals, weights, strict=True):
            shares[deal.seller] += weight
            shares[deal.buyer] += weight
        if max(shares.values()) <= most * (ONE + NEAR):
            return weights
        factor = {
            party: min(ONE, most / share) if share else ONE for party, share in shares.items()
        }
        weights = [
            weight * min(factor[deal.seller], factor[deal.buyer])
            for deal, weight in zip(deals, weights, strict=True)
        ]
    return None


def trimmed(weights: Sequence[Decimal], share: Decimal) -> list[Decimal]:
    """Return weights, in the order of price, without a share of their sum on either side.

    A deal across the cut keeps the part inside.

    >>> [weight.normalize() for weight in trimmed([Decimal(1), Decimal(8), Decimal(1)], Decimal("0.1"))]
    [Decimal('0'), Decimal('8'), Decimal('0')]
    """
    whole = sum(weights, ZERO)
    lower, upper = whole * share, whole * (ONE - share)
    kept, before = [], ZERO
    for weight in weights:
        after = before + weight
        kept.append(max(ZERO, min(after, upper) - max(before, lower)))
        before = after
    return kept


def weighted_median(values: Sequence[Decimal], weights: Sequence[Decimal]) -> Decimal:
    """Return the value at which half of the weight is reached; the mean of two if it is reached between them.

    :param values: rising
    :raises ValueError: if nothing weighs anything

    >>> weighted_median([Decimal(1), Decimal(2), Decimal(9)], [Decimal(1)] * 3)
    Decimal('2')
    >>> weighted_median([Decimal(1), Decimal(2)], [Decimal(1)] * 2)
    Decimal('1.5')
    """
    weighing = [
        (value, weight) for value, weight in zip(values, weights, strict=True) if weight > 0
    ]
    half = sum((weight for _value, weight in weighing), ZERO) * HALF
    reached = ZERO
    for place, (value, weight) in enumerate(weighing):
        reached += weight
        if reached == half:
            return (value + weighing[place + 1][0]) * HALF
        if reached > half:
            return value
    raise ValueError("There is no median of nothing.")


@dataclass(frozen=True, slots=True)
class Known:
    """The last index that came from deals, and what the formula said on the same day."""

    usd_per_kg: Decimal
    formula_usd_per_kg: Decimal


def inferred(formula_usd_per_kg: Decimal, last: Known | None) -> Decimal:
    """Return what a kilogram is probably paid, when too few deals say so: the formula, led by the last known ratio.

    The ratio is believed between a half and two. Around nothing, where a ratio says nothing, the difference is carried on.

    >>> inferred(Decimal(3), Known(Decimal(4), Decimal(5)))
    Decimal('2.4')
    >>> inferred(Decimal("-0.10"), Known(Decimal("0.02"), Decimal("0.01")))
    Decimal('-0.09')
    >>> inferred(Decimal(3), None)
    Decimal('3')
    """
    if last is None:
        return formula_usd_per_kg
    if min(formula_usd_per_kg, last.formula_usd_per_kg) < TOO_SMALL_USD:
        return formula_usd_per_kg + last.usd_per_kg - last.formula_usd_per_kg
    ratio = last.usd_per_kg / last.formula_usd_per_kg
    return formula_usd_per_kg * min(RATIO_MOST, max(RATIO_LEAST, ratio))


# --- what may be said in public ---------------------------------------------------------------------


def at_least(count: int) -> int:
    """Return a number that may be published for a count of deals: the step below it; nothing under five.

    Steps, so that two days laid side by side do not show one deal.

    >>> [at_least(count) for count in (4, 5, 9, 10, 49, 250)]
    [0, 5, 5, 10, 20, 200]
    """
    return max((band for band in BANDS if band <= count), default=0)


def rounded(value: Decimal, digits: int = 3) -> Decimal:
    """Return a price as it is published: three digits that count.

    >>> rounded(Decimal("3.14159")), rounded(Decimal("12345.6")), rounded(Decimal("-0.0412"), 2)
    (Decimal('3.14'), Decimal('12300'), Decimal('-0.041'))
    """
    if not value:
        return ZERO
    step = Decimal(1).scaleb(value.adjusted() - digits + 1)
    near = (value / step).quantize(ONE, rounding=ROUND_HALF_EVEN) * step
    return near.quantize(ONE) if step >= 1 else near


def rough_kg(kg: Decimal) -> Decimal:
    """Return kilograms as they are published: one digit, rounded down.

    >>> rough_kg(Decimal("8734.5")), rough_kg(Decimal("0.9"))
    (Decimal('8000'), Decimal('0'))
    """
    if kg < 1:
        return ZERO
    step = Decimal(1).scaleb(kg.adjusted())
    return ((kg / step).quantize(ONE, rounding=ROUND_DOWN) * step).quantize(ONE)


# --- groups -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """What an index is of. Empty: all of them."""

    chemistry: str = ""
    form: str = ""
    country: str = ""


def groups_of(chemistry: str, form: str, country: str) -> tuple[Group, ...]:
    """Return the groups that a deal counts in, the narrowest first.

    >>> len(groups_of("NMC", "SCOOTER", "ID")), len(groups_of("", "SCOOTER", "ID"))
    (5, 1)
    """
    if not chemistry:
        return (Group(form=form),) if form else ()
    if not form:
        return (Group(chemistry, "", country), Group(chemistry))
    return (
        Group(chemistry, form, country),
        Group(chemistry, form),
        Group(chemistry, "", country),
        Group(chemistry),
        Group(form=form),
    )


def by_group(
    keyed: Iterable[tuple[tuple[str, str, str], Observation]],
) -> Mapping[Group, list[Observation]]:
    """Sort deals into every group that they count in.

    :param keyed: (chemistry, form, country) and the deal
    """
    found: defaultdict[Group, list[Observation]] = defaultdict(list)
    for key, deal in keyed:
        for group in groups_of(*key):
            found[group].append(deal)
    return found
