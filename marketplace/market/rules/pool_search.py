"""Generate the pools of one shard: every site in turn bids for loads, against what they are worth where they are.

The first round sends each load to the site where it leaves most after the freight of a full lorry. Then each site's
lorries are routed anew, round by round, by the freight room's search: its own loads at what their sellers would pay,
unserved ones too, and loads of other sites at that less what they add where they stand, which is how column generation
prices them. Whatever the search drives on the way is kept: the choice between all of it is made at the end.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from marketplace.freight.rules import vrp
from marketplace.freight.rules.distances import Matrix
from marketplace.freight.rules.routing import lone_trips
from marketplace.freight.rules.trips import Hours, Stop, Task, Vehicle

from .games import Floats
from .pool_candidates import full_lorry_share, priced
from .pool_routes import Board, Ground, Tour
from .pool_terms import ZERO

Clock = Callable[[], float]
CENT = Decimal("0.01")
_UNSERVED, _ELSEWHERE = 40, 40
"""Most loads that a site is offered besides its own: unserved ones, and ones of other sites."""


@dataclass(frozen=True, slots=True)
class Look:
    """How long a shard is searched: rounds over its sites, and steps of each routing by the number of stops."""

    rounds: int = 5
    steps: int = 120
    steps_a_stop: int = 15
    most_steps: int = 900


class Search:
    """The pools of one shard, found round by round. ``tours`` holds every tour that was met."""

    def __init__(
        self,
        ground: Ground,
        *,
        seed: int,
        look: Look,
        until: float,
        clock: Clock = time.process_time,
    ) -> None:
        self.ground = ground
        self.look = look
        self.until = until
        self.clock = clock
        self.draw = random.Random(seed)  # noqa: S311 — a seeded search, no secret
        self.tours: dict[tuple[int, frozenset[int]], Tour] = {}
        self.board = Board(ground)
        self._seen: dict[int, int] = {}
        self._ranked = self._net_of_full_lorry()

    def run(self) -> Board:
        """Search all rounds or until the time is over; return the best board."""
        for number in range(self.look.rounds):
            sites = list(range(len(self.ground.sites)))
            self.draw.shuffle(sites)
            before = self.board.value
            for site in sites:
                if self.clock() >= self.until:
                    return self.board
                self._bid(site, first=number == 0)
            self._keep(self.board.polish())
            self._keep(self.board.tours)
            if number and self.board.value <= before * (1 + 1e-4):
                break
        return self.board

    def with_neighbours(self, board: Board, joiners: int = 6) -> list[Tour]:
        """Return every tour met, and those that are one load away from the board's: one fewer, or one more."""
        ground = self.ground
        for tour in board.tours:
            self._keep([tour, *(ground.without(tour, stop) for stop in tour.stops)])
            gains, place = ground.gains_by_joining(tour)
            for load in np.argsort(-gains, kind="stable")[:joiners]:
                if gains[load] > 0:
                    at = int(place[load])
                    stops = (*tour.stops[:at], int(load), *tour.stops[at:])
                    self._keep([ground.tour(tour.site, stops)])
        return [
            self.tours[key] for key in sorted(self.tours, key=lambda key: (key[0], sorted(key[1])))
        ]

    def _net_of_full_lorry(self) -> Floats:
        """Return about what each load leaves at each site after a full lorry's freight; -inf where it may not go."""
        ground = self.ground
        net = np.full(ground.prize.shape, -np.inf)
        for load, site in ground.taken:
            km = float(ground.km[site, len(ground.sites) + load])
            net[load, site] = ground.prize[load, site] - full_lorry_share(
                ground.market, ground.group, km=km, mass_kg=float(ground.kg[load, site])
            )
        return net

    def _bid(self, site: int, *, first: bool) -> None:
        """Route a site's lorries anew with what it may win, and keep that if all sellers together gain."""
        prizes = self._offered(site, first=first)
        if len(prizes) < 2:
            return
        start = self.board.at_site(site)
        told = hash(tuple(sorted((load, round(prize, 2)) for load, prize in prizes.items())))
        if self._seen.get(site) == told:
            return
        self._seen[site] = told
        tours = routed(
            self.ground,
            site,
            prizes,
            start,
            seed=self.draw.randrange(1 << 30),
            look=self.look,
        )
        self._keep(tours)
        tours = [tour for tour in tours if tour.value > 1e-6]
        board = self.board.replace(site, tours)
        if board.value > self.board.value + 1e-6:
            self.board = board

    def _offered(self, site: int, *, first: bool) -> dict[int, float]:
        """Return the loads that a site may fetch, each with what fetching it is worth to all."""
        ground, board = self.ground, self.board
        prize = ground.prize[:, site]
        mine = {stop for tour in board.at_site(site) for stop in tour.stops}
        free = np.flatnonzero((board.where < 0) & (prize > 0))
        if first:
            best = self._ranked.argmax(axis=1)
            chosen = {int(load) for load in free if best[load] == site}
            return self._within_limits(site, sorted(mine | chosen))
        near = np.full(len(prize), -np.inf)
        for tour in board.at_site(site):
            near = np.maximum(near, ground.gains_by_joining(tour)[0])
        wish = np.maximum(near, self._ranked[:, site])
        order = free[np.argsort(-wish[free], kind="stable")][:_UNSERVED]
        away = np.flatnonzero(
            (board.where >= 0) & (prize > 0) & (prize - board.loss > ground.per_stop)
        )
        away = np.array([load for load in away if int(load) not in mine], dtype=np.int64)
        wish = np.maximum(near, self._ranked[:, site]) - board.loss
        rivals = away[np.argsort(-wish[away], kind="stable")][:_ELSEWHERE]
        offered = self._within_limits(
            site, [*sorted(mine), *(int(one) for one in order), *(int(one) for one in rivals)]
        )
        for load in rivals:
            if int(load) in offered:
                offered[int(load)] -= float(board.loss[load])
        return offered

    def _within_limits(self, site: int, loads: list[int]) -> dict[int, float]:
        """Return the first of these loads that orders and licences still have kilograms for, with their prizes."""
        ground = self.ground
        left = self._left(site)
        offered = {}
        for load in loads:
            draws = ground.taken[load, site].draws
            if all(left[name] >= kg for name, kg in draws.items()):
                offered[load] = float(ground.prize[load, site])
                for name, kg in draws.items():
                    left[name] -= kg
        return offered

    def _left(self, site: int) -> dict[str, Decimal]:
        """Return the kg that orders and licences have left beside the tours to other sites."""
        ground = self.ground
        left = dict(ground.limits)
        for tour in self.board.tours:
            if tour.site != site:
                for stop in tour.stops:
                    for name, kg in ground.taken[stop, tour.site].draws.items():
                        left[name] -= kg
        return left

    def _keep(self, tours: list[Tour]) -> None:
        for tour in tours:
            if tour.value > 1e-6 and len(tour.stops) > 0:
                known = self.tours.get(tour.key)
                if known is None or tour.value > known.value + 1e-9:
                    self.tours[tour.key] = tour


def task_of(
    ground: Ground, site: int, prizes: Mapping[int, float], *, in_a_day: bool = False
) -> tuple[Task, list[int]]:
    """Return the routing task of one site with these loads, and the loads in the order of its stops.

    :param in_a_day: trips short enough to need no rest; otherwise every leg bears its part of the rests
    """
    market, tariff = ground.market, ground.market.tariff
    loads = sorted(prizes)
    nodes = np.array([site, *(len(ground.sites) + load for load in loads)])
    table = np.ix_(nodes, nodes)
    horizon = int(market.horizon.total_seconds() // 60)
    hours = Hours(
        leaves_from=0,
        back_by=horizon,
        shift_minutes=tariff.most_days * 24 * 60,
        driving_minutes=tariff.driving_minutes if in_a_day else 10**7,
        break_after=0 if in_a_day else tariff.driving_minutes,
        break_minutes=0 if in_a_day else tariff.rest_minutes,
    )
    fleet = []
    for lorry in tariff.lorries:
        fixed, per_km = priced(lorry, tariff, ground.group)
        fleet.append(
            Vehicle(
                name=lorry.name,
                payload_kg=lorry.payload_kg,
                volume_m3=lorry.volume_m3,
                max_stops=market.policy.most_stops,
                fixed=fixed,
                per_km=per_km,
                number=min(lorry.number, len(loads)),
                hours=hours,
            )
        )
    stops = []
    for number, load in enumerate(loads):
        opens, closes = _window(ground, load, site, horizon)
        stops.append(
            Stop(
                key=load,
                place=number + 1,
                mass_kg=ground.taken[load, site].mass_kg,
                volume_m3=ground.taken[load, site].volume_m3,
                opens=opens,
                closes=closes,
                service_minutes=tariff.loading_minutes,
                required=False,
                prize=max(Decimal(str(prizes[load])).quantize(CENT), ZERO),
            )
        )
    task = Task(
        matrix=Matrix(ground.matrix.hectometres[table], ground.matrix.minutes[table]),
        site=0,
        stops=tuple(stops),
        fleet=tuple(fleet),
        per_stop=tariff.per_stop,
        currency=market.currency,
        unload_minutes=tariff.loading_minutes,
    )
    return task, loads


def routed(
    ground: Ground,
    site: int,
    prizes: Mapping[int, float],
    start: list[Tour],
    *,
    seed: int,
    look: Look,
) -> list[Tour]:
    """Return one site's tours: warm from those it has, or from one that fetches all if it has none.

    :param prizes: load -> money that fetching it is worth
    """
    task, loads = task_of(ground, site, prizes)
    lone, _never = lone_trips(task)
    stops = sorted(lone)
    if len(stops) < 2:
        return []
    steps = min(look.most_steps, look.steps + look.steps_a_stop * len(stops))
    patience = max(100, steps // 2)
    number = {load: at for at, load in enumerate(loads)}
    orders: vrp.Orders | None = [
        (
            0,
            ground.lorry(tour.kg, tour.volume, tour.km),
            tuple(number[stop] for stop in tour.stops),
        )
        for tour in start
        if all(stop in number and number[stop] in lone for stop in tour.stops)
    ]
    parts = [vrp.Part(task, tuple(stops))]
    whole = sum((one.cost for one in lone.values()), ZERO)
    if not orders:
        model = vrp.Model.of(parts, whole=whole, all_required=True)
        found = vrp.search(model, seed, float("inf"), steps, patience, time.thread_time)
        orders = found.orders if found.feasible else None
    model = vrp.Model.of(parts, whole=whole)
    found = vrp.search(model, seed, float("inf"), steps, patience, time.thread_time, start=orders)
    return [ground.tour(site, [loads[at] for at in order]) for _part, _kind, order in found.orders]


def _window(ground: Ground, load: int, site: int, horizon: int) -> tuple[int, int]:
    """Return the minutes of the run in which every lot that the site takes of a load may be loaded."""
    starts = ground.market.starts_at
    opens, closes = 0, horizon
    for lot, _order in ground.taken[load, site].lots:
        if lot.opens_at is not None:
            opens = max(opens, -int((starts - lot.opens_at).total_seconds() // 60))
        if lot.closes_at is not None:
            closes = min(closes, int((lot.closes_at - starts).total_seconds() // 60))
    return opens, closes
