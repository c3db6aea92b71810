"""Which rows of a map lie in a ring around a point: strips of latitude, cut to the longitudes that matter.

A B-tree on (strip, longitude) finds them without any extension of the database, and as fast far away as near: a ring
of the same area holds about as many lots wherever it lies. Whoever asks must still measure each row: a span is a
little wider than the ring.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import acos, asin, cos, degrees, floor, pi, radians, sin, sqrt

from marketplace.core.quantities import EARTH_RADIUS_KM

STRIP_DEGREES = 0.25
"""About 28 km: narrower ones cost more look-ups, wider ones more rows that are outside."""

FARTHEST_M = 20_015_200
"""Half-way round the earth, and a little: nothing is farther."""

FIRST_REACH_M = (10_000, 25_000, 60_000)
"""How far the first ring reaches with no filter, with one, and with more: the fewer lots fit, the farther they lie."""

FAR_M = 1_500_000
"""Where rings have found too little until here, what fits is rare."""

MARGIN_M = 2
MARGIN_DEGREES = 1e-6
GROWTH = (1.25, 3.0)
"""A ring that found too little is followed by one that reaches at least and at most so many times as far."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of one strip: from ``west`` to ``east``, both in degrees within [-180, 180], west <= east."""

    strip: int
    west: float
    east: float


def strip_of(latitude: float) -> int:
    """Return the number of the strip that a latitude in degrees lies in: 0 begins at the equator.

    >>> strip_of(-6.24), strip_of(0.0), strip_of(0.25)
    (-25, 0, 1)
    """
    return floor(latitude / STRIP_DEGREES)


def ring(latitude: float, longitude: float, inner_m: int, outer_m: int) -> list[Span]:
    """Return the spans that hold every point from ``inner_m`` to ``outer_m`` away (metres, both included).

    :param latitude: of the middle, degrees in [-90, 90]
    :param longitude: of the middle, degrees in [-180, 180]
    """
    outer = min((outer_m + MARGIN_M) / (1000 * EARTH_RADIUS_KM), pi)
    inner = max((inner_m - MARGIN_M) / (1000 * EARTH_RADIUS_KM), 0.0)
    reach = degrees(outer)
    first, last = strip_of(max(-90.0, latitude - reach)), strip_of(min(90.0, latitude + reach))
    spans: list[Span] = []
    for strip in range(first, last + 1):
        low, high = radians(strip * STRIP_DEGREES), radians((strip + 1) * STRIP_DEGREES)
        low, high = max(low, -pi / 2), min(high, pi / 2)
        widest = _widest(radians(latitude), outer, low, high)
        if widest is None:
            continue
        hole = _hole(radians(latitude), inner, low, high)
        for west, east in _sides(longitude, degrees(widest) + MARGIN_DEGREES, degrees(hole)):
            spans.append(Span(strip, west, east))
    return spans


def first_reach_m(*, filters: int) -> int:
    """Return how far the first ring reaches when so many filters thin out what lies there."""
    return FIRST_REACH_M[min(filters, len(FIRST_REACH_M) - 1)]


def next_reach_m(inner_m: int, outer_m: int, *, found: int, wanted: int) -> int:
    """Return how far the next ring should reach, after one from ``inner_m`` to ``outer_m`` held ``found`` rows.

    So far that it holds about half as many again as are wanted, if the land is as full there.

    >>> next_reach_m(0, 10_000, found=0, wanted=25), next_reach_m(0, 10_000, found=20, wanted=5)
    (30000, 12500)
    """
    least, most = (round(outer_m * factor) for factor in GROWTH)
    if found == 0:
        return min(most, FARTHEST_M)
    area = float(outer_m) ** 2 - float(inner_m) ** 2
    likely = sqrt(float(outer_m) ** 2 + 1.5 * wanted * area / found)
    return min(max(least, min(most, round(likely)), outer_m + 1000), FARTHEST_M)


def reach_for_m(inner_m: int, *, rows_per_km2: float, wanted: int) -> int:
    """Return how far a ring that begins at ``inner_m`` must reach to hold the rows wanted, where rows lie so dense."""
    km2 = 1.5 * wanted / max(rows_per_km2, 1e-9)
    return min(round(sqrt(float(inner_m) ** 2 + km2 / pi * 1e6)) + 500, FARTHEST_M)


def _half_width(middle: float, reach: float, latitude: float) -> float | None:
    """Return how many radians east or west of the middle a circle ends at a latitude; none where it does not come."""
    across = cos(middle) * cos(latitude)
    over = cos(reach) - sin(middle) * sin(latitude)
    if across < 1e-12:  # at a pole, or around one: all or nothing
        return pi if over <= 1e-12 else None
    if over > across:
        return None
    return pi if over < -across else acos(over / across)


def _widest(middle: float, reach: float, low: float, high: float) -> float | None:
    if reach >= pi / 2:
        return pi
    edges = [_half_width(middle, reach, low), _half_width(middle, reach, high)]
    if low <= middle <= high:
        edges.append(_half_width(middle, reach, middle))
    turn = sin(middle) / cos(reach)
    if abs(turn) <= 1 and low <= asin(turn) <= high:
        edges.append(_half_width(middle, reach, asin(turn)))
    ends = (middle - reach, middle + reach)  # the circle may end inside the strip
    edges += [0.0 for end in ends if low <= end <= high]
    return max((edge for edge in edges if edge is not None), default=None)


def _hole(middle: float, reach: float, low: float, high: float) -> float:
    """Return how far on each side of the middle the whole height of a strip lies inside the inner circle."""
    reach = min(reach, pi / 2 - 1e-9)
    edges = (_half_width(middle, reach, low), _half_width(middle, reach, high))
    return min(0.0 if edge is None else edge for edge in edges)


def _sides(longitude: float, widest: float, hole: float) -> Iterator[tuple[float, float]]:
    hole = max(0.0, hole - MARGIN_DEGREES)
    if widest >= 180 and hole == 0:
        yield -180.0, 180.0
        return
    pieces = [(-widest, widest)] if hole == 0 else [(-widest, -hole), (hole, widest)]
    for start, end in pieces:
        yield from _wrapped(longitude + start, longitude + end)


def _wrapped(west: float, east: float) -> Iterator[tuple[float, float]]:
    if east - west >= 360:
        yield -180.0, 180.0
        return
    while west > 180:
        west, east = west - 360, east - 360
    while west < -180:
        west, east = west + 360, east + 360
    if east <= 180:
        yield west, east
        return
    yield west, 180.0
    yield -180.0, east - 360
