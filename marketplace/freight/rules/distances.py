"""How far and how long by road between many places: one table, one function, one cache.

The formula stands once, in :func:`road_km`; the table does the same sums for all pairs at once.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

import numpy as np
from numpy.typing import NDArray

from marketplace.core.quantities import EARTH_RADIUS_KM

from .quotes import Position, road_km

UNREACHABLE = -1
"""Stands in a table where no road goes: across the sea, or where a routing service knows no way."""

Whole = NDArray[np.int64]
CLOSE_TO_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Place:
    """Where a truck may stop.

    :param landmass: places of two named landmasses are not joined by road; an empty name joins all
    """

    latitude: float
    longitude: float
    landmass: str = ""

    @property
    def position(self) -> Position:
        return self.latitude, self.longitude


@dataclass(frozen=True, slots=True)
class Leg:
    """A way from one place to another: tenths of a kilometre, and whole minutes of driving."""

    hectometres: int
    minutes: int


Service = Callable[[Sequence[tuple[Place, Place]]], Sequence[Leg | None]]
"""A routing service: one leg for each pair asked, or None where there is no way."""


class LegCache:
    """Keep the legs that were asked last, at most ``capacity`` of them. One cache serves one service."""

    def __init__(self, capacity: int = 500_000) -> None:
        self.capacity = capacity
        self._legs: OrderedDict[object, Leg | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._legs)

    def __contains__(self, key: object) -> bool:
        return key in self._legs

    def get(self, key: object) -> Leg | None:
        """Return a leg that is kept, and remember that it was used.

        :raises KeyError: if it is not kept
        """
        self._legs.move_to_end(key)
        return self._legs[key]

    def keep(self, key: object, leg: Leg | None) -> None:
        self._legs[key] = leg
        self._legs.move_to_end(key)
        if len(self._legs) > self.capacity:
            self._legs.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Roads:
    """How ways are measured: great circle times a factor at a steady speed, or by a routing service.

    :param factor: road km per great-circle km, at least 1; the reference parameter ROAD_FACTOR
    :param speed_kmh: mean speed on the road; the reference parameter TRUCK_SPEED
    :param service: asked instead of the formula where a routing service runs
    """

    factor: Decimal
    speed_kmh: Decimal
    service: Service | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Matrix:
    """Legs between n places, from row to column.

    :param hectometres: shape (n, n), whole tenths of a kilometre, UNREACHABLE where no road goes
    :param minutes: shape (n, n), whole minutes of driving, rounded up, UNREACHABLE where no road goes
    :raises ValueError: if the two are not square, not alike, or a place is not 0 from itself
    """

    hectometres: Whole
    minutes: Whole

    def __post_init__(self) -> None:
        shape = self.hectometres.shape
        if len(shape) != 2 or shape[0] != shape[1] or self.minutes.shape != shape:
            raise ValueError("Give two square tables of one size.")
        if self.hectometres.size and (
            self.hectometres.min() < UNREACHABLE
            or self.minutes.min() < UNREACHABLE
            or np.diagonal(self.hectometres).any()
            or np.diagonal(self.minutes).any()
        ):
            raise ValueError("A place is 0 from itself, and no way is shorter than 0.")
        if ((self.hectometres == UNREACHABLE) != (self.minutes == UNREACHABLE)).any():
            raise ValueError("A way has a length and a time, or neither.")

    def __len__(self) -> int:
        return int(self.hectometres.shape[0])

    def reaches(self, origin: int, destination: int) -> bool:
        return bool(self.hectometres[origin, destination] != UNREACHABLE)

    def km(self, origin: int, destination: int) -> Decimal:
        """Return the kilometres of a leg, exact to 100 m.

        :raises ValueError: if no road goes there
        """
        if not self.reaches(origin, destination):
            raise ValueError("No road goes there.")
        return Decimal(int(self.hectometres[origin, destination])).scaleb(-1)


def matrix(places: Sequence[Place], *, roads: Roads, cache: LegCache | None = None) -> Matrix:
    """Return the legs between all pairs of places.

    By the formula, entry (a, b) is ``road_km(a, b)`` to the last digit and the same in both directions.
    A routing service is asked once, in one batch, for the pairs that the cache does not hold.

    :param cache: where the answers of a service are kept between calls; the formula needs none
    """
    if roads.service is not None:
        return _asked(places, roads.service, cache if cache is not None else LegCache())
    return _computed(places, roads)


def _computed(places: Sequence[Place], roads: Roads) -> Matrix:
    count = len(places)
    latitude = np.radians(np.array([place.latitude for place in places], dtype=float))
    longitude = np.radians(np.array([place.longitude for place in places], dtype=float))
    north = np.sin((latitude[:, None] - latitude[None, :]) / 2) ** 2
    east = np.sin((longitude[:, None] - longitude[None, :]) / 2) ** 2
    chord = north + np.cos(latitude)[:, None] * np.cos(latitude)[None, :] * east
    crow = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(1.0, chord)))
    exact = crow * float(roads.factor) * 10
    hectometres = np.rint(exact).astype(np.int64)
    doubtful = np.abs(np.abs(exact - np.floor(exact)) - 0.5) < CLOSE_TO_ROUNDING
    for a, b in zip(*np.nonzero(np.triu(doubtful)), strict=True):
        km = road_km(places[a].position, places[b].position, roads.factor)
        hectometres[a, b] = hectometres[b, a] = int(km * 10)
    hectometres = np.triu(hectometres, 1)
    hectometres = hectometres + hectometres.T
    minutes = np.ceil(hectometres * (6 / float(roads.speed_kmh)) - CLOSE_TO_ROUNDING)
    minutes = minutes.astype(np.int64)
    apart = _apart(places)
    if count:
        hectometres[apart] = UNREACHABLE
        minutes[apart] = UNREACHABLE
    return Matrix(hectometres, minutes)


def _apart(places: Sequence[Place]) -> NDArray[np.bool_]:
    names = sorted({place.landmass for place in places})
    number = {name: at for at, name in enumerate(names)}
    land = np.array([number[place.landmass] for place in places], dtype=np.int64)
    named = np.array([place.landmass != "" for place in places], dtype=bool)
    apart: NDArray[np.bool_] = (land[:, None] != land[None, :]) & named[:, None] & named[None, :]
    return apart


def _asked(places: Sequence[Place], service: Service, cache: LegCache) -> Matrix:
    count = len(places)
    pairs = [(a, b) for a in places for b in places if a != b]
    unknown = [pair for pair in dict.fromkeys(pairs) if pair not in cache]
    known: dict[tuple[Place, Place], Leg | None] = {
        pair: cache.get(pair) for pair in pairs if pair in cache
    }
    if unknown:
        answers = service(unknown)
        if len(answers) != len(unknown):
            raise ValueError("The routing service must answer each pair that it is asked.")
        for pair, leg in zip(unknown, answers, strict=True):
            known[pair] = leg
            cache.keep(pair, leg)
    hectometres = np.zeros((count, count), dtype=np.int64)
    minutes = np.zeros((count, count), dtype=np.int64)
    for row, a in enumerate(places):
        for column, b in enumerate(places):
            if a != b:
                leg = known[a, b]
                hectometres[row, column] = UNREACHABLE if leg is None else leg.hectometres
                minutes[row, column] = UNREACHABLE if leg is None else leg.minutes
    return Matrix(hectometres, minutes)


def minutes_at(km: Decimal, speed_kmh: Decimal) -> int:
    """Return the whole minutes that a distance takes at a speed, rounded up.

    >>> minutes_at(Decimal("50.1"), Decimal(50))
    61
    """
    return ceil(km * 60 / speed_kmh)
