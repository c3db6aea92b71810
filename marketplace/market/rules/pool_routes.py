"""Lorries of one shard in plain floats: what a tour is worth, and which single changes of it would pay.

Fast and approximate by a rounding; what is offered to people is worked out again by the exact tariff.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from marketplace.freight.rules.distances import UNREACHABLE, Matrix, Place, Roads, matrix

from .games import Floats
from .pool_candidates import Load, priced
from .pool_terms import Market, Segregation

Ints = NDArray[np.int64]
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Tour:
    """One lorry's tour from a site through some loads and back; indices of the shard."""

    site: int
    stops: tuple[int, ...]
    kg: float
    volume: float
    km: float
    cost: float
    value: float

    @property
    def key(self) -> tuple[int, frozenset[int]]:
        return self.site, frozenset(self.stops)


class Ground:
    """The loads and sites of one shard as tables.

    ``prize[i, s]`` is the most that load i's seller would pay for a lorry to site s, 0 where it may not go;
    ``kg[i, s]`` what site s would take of it; ``km`` the road between nodes, sites first, then loads;
    ``limits`` the kg that each order and licence takes.
    """

    def __init__(self, market: Market, loads: Sequence[Load], group: Segregation) -> None:
        self.market = market
        self.loads = tuple(load for load in loads if load.options)
        self.group = group
        wanted = {taken.outlet for load in self.loads for taken in load.options}
        self.sites = tuple(
            sorted((one for one in market.outlets if one.id in wanted), key=lambda one: one.id)
        )
        number = {outlet.id: at for at, outlet in enumerate(self.sites)}
        shape = (len(self.loads), len(self.sites))
        self.prize, self.kg, self.volume = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.taken = {}
        for at, load in enumerate(self.loads):
            for taken in load.options:
                site = number[taken.outlet]
                self.prize[at, site] = float(taken.most_freight)
                self.kg[at, site] = float(taken.mass_kg)
                self.volume[at, site] = float(taken.volume_m3)
                self.taken[at, site] = taken
        self.limits = {f"order:{order.id}": order.kg_left for order in market.orders}
        self.limits |= {f"licence:{name}": kg for name, kg in market.licence_kg_left.items()}
        self.wanted: dict[str, Decimal] = defaultdict(Decimal)  # if everything came that could
        for taken in self.taken.values():
            for name, kg in taken.draws.items():
                self.wanted[name] += kg
        spots = [(one.place, one.landmass) for one in self.sites]
        spots += [(one.place, one.landmass) for one in self.loads]
        places = [Place(latitude, longitude, land) for (latitude, longitude), land in spots]
        tariff = market.tariff
        self.matrix: Matrix = matrix(
            places, roads=Roads(factor=tariff.road_factor, speed_kmh=tariff.speed_kmh)
        )
        self.km = np.where(
            self.matrix.hectometres == UNREACHABLE, np.inf, self.matrix.hectometres / 10.0
        )
        prices = [priced(lorry, tariff, group) for lorry in tariff.lorries]
        self.payload = np.array([float(lorry.payload_kg) for lorry in tariff.lorries])
        self.space = np.array(
            [np.inf if one.volume_m3 is None else float(one.volume_m3) for one in tariff.lorries]
        )
        self.fixed = np.array([float(fixed) for fixed, _per_km in prices])
        self.per_km = np.array([float(per_km) for _fixed, per_km in prices])
        self.per_stop = float(tariff.per_stop)
        self.most_stops = market.policy.most_stops
        self.speed = float(tariff.speed_kmh) / 60  # km a minute
        self.resting = 1 + tariff.rest_minutes / max(tariff.driving_minutes, 1)
        self.handling = tariff.loading_minutes + 4  # with the minutes that legs are rounded up by
        self.longest = min(market.horizon.total_seconds() / 60, tariff.most_days * 24 * 60)

    def costs(self, kg: Floats, volume: Floats, km: Floats, stops: Floats | int) -> Floats:
        """Return what the cheapest lorry for each tour costs; infinite if none can carry it, or be back in time."""
        best = np.full(np.shape(kg), np.inf)
        for payload, space, fixed, per_km in zip(
            self.payload, self.space, self.fixed, self.per_km, strict=True
        ):
            fits = (kg <= payload + _LEAST) & (volume <= space + _LEAST)
            best = np.where(fits, np.minimum(best, fixed + per_km * km), best)
        minutes = km / self.speed * self.resting + self.handling * (stops + 1)
        best = np.where(minutes <= self.longest, best, np.inf)
        return np.asarray(best + self.per_stop * stops, dtype=np.float64)

    def lorry(self, kg: float, volume: float, km: float) -> int:
        """Return the cheapest lorry for a tour, by its place in the tariff."""
        fits = (self.payload + _LEAST >= kg) & (self.space + _LEAST >= volume)
        return int(np.argmin(np.where(fits, self.fixed + self.per_km * km, np.inf)))

    def tour(self, site: int, stops: Sequence[int]) -> Tour:
        """Return the tour that visits loads in this order."""
        count = len(self.sites)
        nodes = [site, *(count + stop for stop in stops), site]
        km = float(self.km[nodes[:-1], nodes[1:]].sum())
        chosen = list(stops)
        kg, volume = float(self.kg[chosen, site].sum()), float(self.volume[chosen, site].sum())
        cost = float(self.costs(np.array(kg), np.array(volume), np.array(km), len(chosen)))
        value = float(self.prize[chosen, site].sum()) - cost
        return Tour(site, tuple(stops), kg, volume, km, cost, value)

    def gains_by_joining(self, tour: Tour) -> tuple[Floats, Ints]:
        """Return what each load would add to a tour's value at its best place in it, and that place."""
        count, site = len(self.sites), tour.site
        nodes = np.array([site, *(count + stop for stop in tour.stops), site])
        here, there = nodes[:-1], nodes[1:]
        extra = (
            self.km[here, count:] + self.km[count:, :][:, there].T - self.km[here, there][:, None]
        )
        place = extra.argmin(axis=0)
        added = extra[place, np.arange(extra.shape[1])]
        cost = self.costs(
            tour.kg + self.kg[:, site],
            tour.volume + self.volume[:, site],
            tour.km + added,
            len(tour.stops) + 1,
        )
        prize = self.prize[:, site]
        gains = np.where(prize > 0, prize - (cost - tour.cost), -np.inf)
        gains[list(tour.stops)] = -np.inf
        if len(tour.stops) >= self.most_stops:
            gains[:] = -np.inf
        return np.asarray(gains, dtype=np.float64), np.asarray(place, dtype=np.int64)

    def losses_by_leaving(self, tour: Tour) -> list[float]:
        """Return what a tour's value would lose if each of its loads were left out, in its order."""
        return [tour.value - self.without(tour, stop).value for stop in tour.stops]

    def without(self, tour: Tour, *gone: int) -> Tour:
        """Return the tour without some loads, in the same order; an empty tour is worth nothing."""
        left = [stop for stop in tour.stops if stop not in gone]
        return self.tour(tour.site, left) if left else Tour(tour.site, (), 0.0, 0.0, 0.0, 0.0, 0.0)


class Board:
    """Tours that share no load, and single moves that make them worth more."""

    def __init__(self, ground: Ground, tours: Sequence[Tour] = ()) -> None:
        self.ground = ground
        self.tours: list[Tour] = []
        self.where = np.full(len(ground.loads), -1, dtype=np.int64)
        self.loss = np.zeros(len(ground.loads))
        for tour in tours:
            self.add(tour)

    @property
    def value(self) -> float:
        return sum(tour.value for tour in self.tours)

    def add(self, tour: Tour) -> None:
        """Put a tour on the board."""
        self.tours.append(tour)
        self._settle(len(self.tours) - 1)

    def at_site(self, site: int) -> list[Tour]:
        return [tour for tour in self.tours if tour.site == site]

    def replace(self, site: int, tours: Sequence[Tour]) -> "Board":
        """Return a board where a site's tours are others, and other tours have lost what these fetch.

        A tour that no longer pays is taken off.
        """
        fetched = {stop for tour in tours for stop in tour.stops}
        kept = []
        for tour in self.tours:
            if tour.site == site:
                continue
            if not fetched.isdisjoint(tour.stops):
                tour = self.ground.without(tour, *fetched)
            if tour.value > _LEAST:
                kept.append(tour)
        return Board(self.ground, [*kept, *tours])

    def polish(self, steps: int = 5000) -> list[Tour]:
        """Move single loads between tours, in, or out, best first, while that pays; return the tours met."""
        ground = self.ground
        met: list[Tour] = []
        if not self.tours:
            return met
        columns = [ground.gains_by_joining(tour) for tour in self.tours]
        gains = np.array([column[0] for column in columns]).T
        for _step in range(steps):
            moves = gains - self.loss[:, None]
            at = int(moves.argmax())
            load, target = divmod(at, gains.shape[1])
            leaving = int(self.loss.argmin())
            if max(moves[load, target], -self.loss[leaving]) <= _LEAST:
                break
            if -self.loss[leaving] >= moves[load, target]:
                load, target = leaving, -1
            if target >= 0 and not self._leaves_room(load, target):
                gains[load, target] = -np.inf
                columns[target][0][load] = -np.inf
                continue
            changed = [int(self.where[load])] if self.where[load] >= 0 else []
            if changed:
                self.tours[changed[0]] = ground.without(self.tours[changed[0]], load)
                self.where[load], self.loss[load] = -1, 0.0
            if target >= 0:
                place = int(columns[target][1][load])
                stops = self.tours[target].stops
                self.tours[target] = ground.tour(
                    self.tours[target].site, (*stops[:place], load, *stops[place:])
                )
                changed.append(target)
            for tour in changed:
                self._settle(tour)
                columns[tour] = ground.gains_by_joining(self.tours[tour])
                gains[:, tour] = columns[tour][0] if self.tours[tour].stops else -np.inf
                met.append(self.tours[tour])
        self.tours = [tour for tour in self.tours if tour.stops]
        for number in range(len(self.tours)):
            self._settle(number)
        return met

    def _leaves_room(self, load: int, target: int) -> bool:
        """Tell whether orders and licences have the kilograms left for a load to join a tour."""
        ground, site = self.ground, self.tours[target].site
        left = {
            name: ground.limits[name] - kg for name, kg in ground.taken[load, site].draws.items()
        }
        tight = {name for name in left if left[name] < ground.wanted[name]}
        for tour in self.tours if tight else ():
            for stop in tour.stops:
                for name, kg in ground.taken[stop, tour.site].draws.items():
                    if name in left and stop != load:
                        left[name] -= kg
        return all(kg >= 0 for kg in left.values())

    def _settle(self, number: int) -> None:
        tour = self.tours[number]
        for stop, loss in zip(tour.stops, self.ground.losses_by_leaving(tour), strict=True):
            self.where[stop] = number
            self.loss[stop] = loss
