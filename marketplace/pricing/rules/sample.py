"""The range of a value: the same sums as in ``sums``, for many lots and many draws at once.

Every input is a band whose marks are its 10, 50 and 90 %; it is drawn from a normal distribution whose two halves fit.
One draw of an input is the same for every lot (common random numbers), so two lots, or one lot before and after a piece
of evidence, differ by their facts only. Draws are mirrored, so that the middle lies in the middle.

Arrays: N lots x S draws of 64-bit floats. Nothing here is paid: what is paid are the exact sums.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from random import Random

import numpy as np
from numpy.typing import NDArray

from .inputs import Band, Inputs, Pack, Recipe, Route

Array = NDArray[np.float64]

SAMPLES = 400
TEN_PERCENT_MARK = 1.2815515655446004  # of the standard normal distribution
BLOCK = 2048
"""Lots at once: as much as fits a processor's cache a few times over."""

ROUTES = (Route.REUSE, Route.REPURPOSE, Route.RECYCLE, Route.RECOVER)
NEVER = -np.inf


@dataclass(frozen=True, slots=True)
class Ranges:
    """The 10, 50 and 90 % marks and the sums at the typical inputs of N lots by each of the four routes, in USD.

    Shape (N, 4), in the order of ``ROUTES``. A route that is barred has minus infinity everywhere.
    """

    low: Array
    high: Array
    typical: Array


def ranges(cases: Sequence[Inputs], *, seed: int, samples: int = SAMPLES) -> Ranges:
    """Return what each lot is worth by each route.

    :param cases: N lots
    :raises ValueError: if ``samples`` is odd or below 20
    """
    if samples < 20 or samples % 2:
        raise ValueError("Draw an even number of samples, at least 20.")
    parts = [
        _block(cases[start : start + BLOCK], seed, samples) for start in range(0, len(cases), BLOCK)
    ]
    if not parts:
        nothing = np.empty((0, len(ROUTES)))
        return Ranges(nothing, nothing, nothing)
    return Ranges(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _block(cases: Sequence[Inputs], seed: int, samples: int) -> tuple[Array, Array, Array]:
    """Value a block twice: drawn, and at the typical inputs, which are a single draw of zeros."""
    drawn = _values(cases, _Drawn(seed, samples))
    low, high = marks(drawn)
    (typical,) = np.moveaxis(_values(cases, _Typical()), 2, 0)
    return low, high, typical


class _Drawn:
    """Standard normal draws by the name of an input."""

    def __init__(self, seed: int, samples: int) -> None:
        self._seed, self.samples = seed, samples

    def normals(self, name: str) -> Array:
        return np.array(_normals(name, self._seed, self.samples))

    def kinds(self, shares: tuple[Decimal, ...]) -> NDArray[np.intp]:
        """Return which chemistry each draw is."""
        return np.array(_which(shares, self._seed, self.samples))


class _Typical:
    """The one draw in which everything is typical. A mixture is then its average, as in the exact sums."""

    samples = 1

    def normals(self, _name: str) -> Array:
        return np.zeros(1)

    def kinds(self, shares: tuple[Decimal, ...]) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Draws:
    """The same draws of one lot for whoever sums them by other terms. Arrays of S.

    ``usd_per_dry_kg``: what is contained of each material in a dry kilogram, at its whole quote.
    """

    mass_kg: Array
    dry_kg: Array
    energy_kwh: Array | None
    usd_per_dry_kg: Mapping[str, Array]
    way_usd: Array


def draws(case: Inputs, *, seed: int, samples: int = SAMPLES) -> Draws:
    """Return what the ranges of a lot are drawn from, so that offers for it differ by their terms only."""
    draw = _Drawn(seed, samples)
    mass = _lots([case.mass_kg], "mass", draw)
    dry = mass * (1 - _share(_lots([case.moisture], "moisture", draw)))
    pack = case.pack
    return Draws(
        mass_kg=mass[0],
        dry_kg=dry[0],
        energy_kwh=None if pack is None else _one(pack.energy_kwh, "energy", draw),
        usd_per_dry_kg=_contained(case, draw),
        way_usd=_way([case], mass, draw)[0],
    )


def _contained(case: Inputs, draw: _Drawn) -> dict[str, Array]:
    kinds = draw.kinds(tuple(makeup.share for makeup in case.makeups))
    found: dict[str, Array] = {}
    for place, makeup in enumerate(case.makeups):
        for metal in makeup.recipe.metals:
            content = _one(metal.content, f"content {metal.material}", draw)
            quote = _one(metal.usd_per_kg, f"quote {metal.material}", draw)
            worth = np.where(kinds == place, content * quote, 0.0)
            found[metal.material] = found.get(metal.material, np.zeros(draw.samples)) + worth
    return found


def marks(values: Array) -> tuple[Array, Array]:
    """Return the 10 and 90 % marks along the last axis."""
    last = values.shape[-1] - 1
    places = (round(0.1 * last), round(0.9 * last))
    in_order = np.partition(values, places, axis=-1)
    return in_order[..., places[0]], in_order[..., places[1]]


def _values(cases: Sequence[Inputs], draw: _Drawn | _Typical) -> Array:
    """Return USD by lot, route and draw: shape (N, 4, S)."""
    number = len(cases)
    mass = _lots([case.mass_kg for case in cases], "mass", draw)
    dry = mass * (1 - _share(_lots([case.moisture for case in cases], "moisture", draw)))
    trip = _way(cases, mass, draw)
    gross, steps = _by_kg(cases, draw)
    loss = _share(_lots([case.shredding_loss for case in cases], "loss", draw))
    kept = (1 - loss) * (1 - _column([case.damage_cut for case in cases]))
    recycle = dry * gross * kept - mass * steps - trip
    burnt = _lots([case.recover_usd_per_kg for case in cases], "recover", draw)

    values = np.full((number, len(ROUTES), draw.samples), NEVER)
    values[:, 2] = recycle
    values[:, 3] = -mass * burnt - trip
    whole = [at for at, case in enumerate(cases) if _has_second_life(case)]
    if whole:
        packs = [case.pack for at in whole if (case := cases[at]).pack is not None]
        reuse, repurpose = _second_lives(packs, recycle[whole], trip[whole], draw)
        barred = np.array([bool(pack.reuse_barred) for pack in packs])
        reuse[barred] = NEVER
        values[whole, 0] = reuse
        values[whole, 1] = repurpose
    return values


def _way(cases: Sequence[Inputs], mass: Array, draw: _Drawn | _Typical) -> Array:
    return (
        _column([case.trip.base_usd for case in cases])
        + mass
        * _lots([case.trip.km for case in cases], "km", draw)
        * _lots([case.trip.usd_per_tkm for case in cases], "freight", draw)
        / 1000
        + mass * _lots([case.trip.packing_usd_per_kg for case in cases], "packing", draw)
    )


def _has_second_life(case: Inputs) -> bool:
    return case.pack is not None and case.pack.health is not None and not case.pack.barred


def _by_kg(cases: Sequence[Inputs], draw: _Drawn | _Typical) -> tuple[Array, Array]:
    """Return what a dry kilogram pays and what a kilogram costs to take apart, by lot and draw: each (N, S)."""
    recipes: dict[Recipe, int] = {}
    for case in cases:
        for makeup in case.makeups:
            recipes.setdefault(makeup.recipe, len(recipes))
    pays = np.array([_paid(recipe, draw) for recipe in recipes])
    costs = np.array([_charged(recipe, draw) for recipe in recipes])
    gross, steps = np.empty((2, len(cases), draw.samples))
    everywhere = np.arange(draw.samples)
    for at, case in enumerate(cases):
        rows = np.array([recipes[makeup.recipe] for makeup in case.makeups])
        if len(rows) == 1:
            gross[at], steps[at] = pays[rows[0]], costs[rows[0]]
            continue
        shares = tuple(makeup.share for makeup in case.makeups)
        kinds = draw.kinds(shares)
        if kinds is None:
            weights = np.array([float(share) for share in shares])
            gross[at], steps[at] = weights @ pays[rows], weights @ costs[rows]
        else:
            gross[at] = pays[rows[kinds], everywhere]
            steps[at] = costs[rows[kinds], everywhere]
    return gross, steps


def _paid(recipe: Recipe, draw: _Drawn | _Typical) -> Array:
    pays = np.zeros(draw.samples)
    for metal in recipe.metals:
        content = _one(metal.content, f"content {metal.material}", draw)
        payable = _share(_one(metal.payable, f"payable {metal.material}", draw))
        quote = _one(metal.usd_per_kg, f"quote {metal.material}", draw)
        pays += content * payable * quote
    return pays


def _charged(recipe: Recipe, draw: _Drawn | _Typical) -> Array:
    costs = np.zeros(draw.samples)
    for step in recipe.steps:
        costs += _one(step.usd_per_kg, step.code, draw)
    return costs


def _second_lives(
    packs: Sequence[Pack], recycle: Array, trip: Array, draw: _Drawn | _Typical
) -> tuple[Array, Array]:
    """Return USD of the same use again, and of another use: each (N, S).

    A pack whose drawn health misses what a use needs falls to the next use below it, and so does one that is worth
    more there; the test was paid for.
    """
    kwh = _lots([pack.energy_kwh for pack in packs], "energy", draw)
    health = _lots([pack.health for pack in packs if pack.health is not None], "health", draw)
    tested = kwh * _lots([pack.testing_usd_per_kwh for pack in packs], "testing", draw)
    handled = kwh * (
        _lots([pack.sorting_usd_per_kwh for pack in packs], "sorting", draw)
        + _lots([pack.repacking_usd_per_kwh for pack in packs], "repacking", draw)
    )
    price = _price(packs, health, draw) * _column([pack.life_factor for pack in packs])
    usable = kwh * health
    weak = health < _column([pack.least_health for pack in packs])
    another_use = np.maximum(recycle, usable * price - handled - trip)
    repurpose = np.where(weak, recycle, another_use) - tested
    premium = 1 + _column([pack.reuse_premium for pack in packs])
    fit = health >= _column([pack.reuse_health for pack in packs])
    same_use = np.maximum(repurpose, usable * price * premium - trip - tested)
    reuse = np.where(fit, same_use, repurpose)
    return reuse, repurpose


def _price(packs: Sequence[Pack], health: Array, draw: _Drawn | _Typical) -> Array:
    """Return USD of a usable kWh at each drawn health: straight between the middles of the grades."""
    prices = np.empty_like(health)
    curves: dict[tuple[tuple[Decimal, Band], ...], list[int]] = {}
    for at, pack in enumerate(packs):
        curves.setdefault(pack.curve, []).append(at)
    for curve, rows in curves.items():
        marks = [float(at) for at, _band in curve]
        drawn = np.array([_one(band, "second life", draw) for _at, band in curve])
        drawn = np.maximum.accumulate(drawn, axis=0)  # a better grade is never cheaper
        here = health[rows]
        worth = np.broadcast_to(drawn[0], here.shape).copy()
        for place in range(1, len(marks)):
            along = np.clip((here - marks[place - 1]) / (marks[place] - marks[place - 1]), 0, 1)
            worth += along * (drawn[place] - drawn[place - 1])
        prices[rows] = worth
    return prices


def _lots(bands: Sequence[Band], name: str, draw: _Drawn | _Typical) -> Array:
    """Return draws of one input of many lots: (N, S). None is below zero."""
    low, typical, high = (
        np.array([[float(mark)] for mark in marks])
        for marks in zip(*((band.low, band.typical, band.high) for band in bands), strict=True)
    )
    return _around(low, typical, high, draw.normals(name))


def _one(band: Band, name: str, draw: _Drawn | _Typical) -> Array:
    return _around(float(band.low), float(band.typical), float(band.high), draw.normals(name))


def _around(
    low: Array | float, typical: Array | float, high: Array | float, normals: Array
) -> Array:
    below, above = (typical - low) / TEN_PERCENT_MARK, (high - typical) / TEN_PERCENT_MARK
    moved = np.where(normals > 0, normals * above, normals * below)
    return np.asarray(np.maximum(0.0, typical + moved))


def _column(values: Sequence[Decimal]) -> Array:
    return np.array([[float(value)] for value in values])


def _share(drawn: Array) -> Array:
    return np.minimum(drawn, 1.0)


@lru_cache(maxsize=256)
def _normals(name: str, seed: int, samples: int) -> tuple[float, ...]:
    """Return the draws of one input, from Python's own generator: the same on every machine and version."""
    source = Random(f"{seed} {name}")  # noqa: S311 - a sample, not a secret
    half = [source.gauss(0, 1) for _n in range(samples // 2)]
    drawn = [*half, *(-z for z in half)]
    source.shuffle(drawn)
    return tuple(drawn)


@lru_cache(maxsize=1024)
def _which(shares: tuple[Decimal, ...], seed: int, samples: int) -> tuple[int, ...]:
    """Return which chemistry each draw is, in exact proportion to the shares."""
    chosen: list[int] = []
    reached = 0.0
    for at, share in enumerate(shares):
        reached += float(share)
        chosen += [at] * (round(reached * samples) - len(chosen))
    chosen += [len(shares) - 1] * (samples - len(chosen))
    Random(f"{seed} chemistry").shuffle(chosen)  # noqa: S311 - a sample, not a secret
    return tuple(chosen[:samples])
