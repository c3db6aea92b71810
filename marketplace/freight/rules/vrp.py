"""The one place that speaks PyVRP: one or several tasks in whole numbers, and the search over them."""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import numpy as np
import pyvrp
from pyvrp.search import (
    OPERATORS,
    LocalSearch,
    NeighbourhoodParams,
    PerturbationManager,
    PerturbationParams,
    compute_neighbours,
)

from .distances import UNREACHABLE, Whole
from .trips import ZERO, Task, Vehicle

Orders = list[tuple[int, int, tuple[int, ...]]]
"""Part, vehicle of its fleet, and stops of its task in the order of the trip."""

GRAM = Decimal("0.001")  # and a litre, in m3

MONEY_UNIT = Decimal("0.001")
"""What one unit of the solver's cost is worth, before it is fitted to the task."""
SMALLEST_SUM, LARGEST_SUM = Decimal(100_000), Decimal(300_000_000)
MOST_PENALTY = 100_000.0  # PyVRP's own bound, which ours may pass
FINEST_RATE = 10  # units that the smallest price of 100 m or a minute should have at least
NO_ROAD = 10**7  # tenths of a kilometre, or minutes: farther than anything, far from overflow
FOREVER = 10**7  # minutes; windows and hours from here on limit nothing


def money_unit(trucks: Sequence[Vehicle], whole: Decimal) -> Decimal:
    """Return the money that one unit of cost stands for: near 0.001, and such that the rates are near whole.

    :param whole: what all stops cost fetched one by one: the size of the sums

    >>> from decimal import Decimal
    >>> from marketplace.freight.rules.vrp import fitted
    >>> fitted(Decimal("0.001"), [Decimal("0.0336"), Decimal("0.0504"), Decimal("0.0744")])
    Decimal('0.0008')
    """
    rates = {truck.per_km / 10 for truck in trucks}
    rates |= {truck.per_hour / 60 for truck in trucks}
    rates.discard(ZERO)
    unit = MONEY_UNIT
    while whole / unit > LARGEST_SUM:
        unit *= 10
    while 0 < whole / unit < SMALLEST_SUM or (
        rates and min(rates) / unit < FINEST_RATE and whole / unit * 10 <= LARGEST_SUM
    ):
        unit /= 10
    return fitted(unit, sorted(rates))


def fitted(unit: Decimal, rates: Sequence[Decimal]) -> Decimal:
    """Return a unit between the half and the double of ``unit`` in which the rates are most nearly whole."""

    def off(candidate: Decimal) -> tuple[Decimal, Decimal]:
        errors = [abs(round(rate / candidate) * candidate / rate - 1) for rate in rates]
        return round(max(errors, default=ZERO), 5), abs(candidate / unit - 1)

    return min((unit * step / 100 for step in range(50, 201)), key=off)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to: orders, and whether the solver holds them feasible."""

    orders: Orders
    feasible: bool
    iterations: int


@dataclass(frozen=True, slots=True)
class Part:
    """One site's share of a model: its task, and which of its stops may be fetched at all."""

    task: Task
    stops: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Units:
    """In which whole numbers a model is written, and which limits it has to keep."""

    money: Decimal
    mass: Decimal
    by_time: bool
    by_volume: bool
    by_stops: bool
    by_permit: bool

    @classmethod
    def of(cls, parts: Sequence[Part], money: Decimal) -> "Units":
        """Keep only the limits that can bind in one of the parts."""
        trucks = [truck for part in parts for truck in part.task.fleet]
        stops = [part.task.stops[at] for part in parts for at in part.stops]
        whole = all(stop.mass_kg == stop.mass_kg.to_integral_value() for stop in stops)
        return cls(
            money=money,
            mass=Decimal(1) if whole else GRAM,
            by_time=any(_timed(part.task) for part in parts),
            by_volume=any(truck.volume_m3 is not None for truck in trucks)
            and any(stop.volume_m3 for stop in stops),
            by_stops=any(
                truck.max_stops is not None and truck.max_stops < len(part.stops)
                for part in parts
                for truck in part.task.fleet
            ),
            by_permit=any(stop.is_dangerous for stop in stops)
            and not all(truck.carries_dangerous_goods for truck in trucks),
        )

    def loads(self, mass: int, volume: int, stops: int, dangerous: int) -> list[int]:
        """Return a load or a capacity in the dimensions that can bind."""
        loads = [mass]
        if self.by_volume:
            loads.append(volume)
        if self.by_stops:
            loads.append(stops)
        if self.by_permit:
            loads.append(dangerous)
        return loads


def _timed(task: Task) -> bool:
    """Tell whether time limits or costs anything; if not, the solver need not keep it."""
    return (
        task.site_closes < FOREVER
        or any(stop.closes < FOREVER for stop in task.stops)
        or any(
            truck.per_hour > 0 or min(truck.hours.back_by, truck.hours.shift_minutes) < FOREVER
            for truck in task.fleet
        )
    )


@dataclass(frozen=True, slots=True)
class Model:
    """Parts in PyVRP's words. ``clients`` and ``kinds`` lead back to (part, stop) and (part, vehicle).

    A stop key that several parts offer is a client in each of them, and at most one of those is fetched;
    a part's trucks find no road to the clients of another.
    """

    data: Any
    clients: tuple[tuple[int, int], ...]
    kinds: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, parts: Sequence[Part], *, whole: Decimal, all_required: bool = False) -> "Model":
        """Write parts down for the solver.

        :param whole: what all stops cost fetched one by one: the size of the sums, for the unit of money
        :param all_required: fetch every stop, whatever its prize; only with a single part
        """
        trucks = [truck for part in parts for truck in part.task.fleet]
        units = Units.of(parts, money_unit(trucks, whole))
        size = sum(len(_places(part)) for part in parts)
        offered = Counter(part.task.stops[at].key for part in parts for at in part.stops)
        groups = {
            key: (number, pyvrp.ClientGroup(required=False))
            for number, key in enumerate(key for key, times in offered.items() if times > 1)
        }
        clients: list[Any] = []
        depots: list[Any] = []
        vehicles: list[Any] = []
        tables: list[tuple[Any, Any]] = []
        client_of, kind_of = [], []
        base = 0
        for number, part in enumerate(parts):
            places = _places(part)
            row = {place: base + at for at, place in enumerate(places)}
            for at in part.stops:
                group, members = groups.get(part.task.stops[at].key, (None, None))
                if members is not None:
                    members.add_client(len(clients))
                clients.append(_client(part.task, at, row, units, group, required=all_required))
                client_of.append((number, at))
            profiles: list[tuple[int, int]] = []
            for kind, truck in enumerate(part.task.fleet):
                if truck.number == 0:
                    continue
                breaks = (truck.hours.break_after, truck.hours.break_minutes)
                breaks = breaks if units.by_time else (0, 0)
                if breaks not in profiles:
                    profiles.append(breaks)
                    tables.append(_tables(part.task, places, base, size, breaks, units))
                profile = len(tables) - len(profiles) + profiles.index(breaks)
                vehicles.append(
                    _vehicle(part.task, truck, row, units, len(part.stops), depots, profile)
                )
                kind_of.append((number, kind))
            base += len(places)
        data = pyvrp.ProblemData(
            [pyvrp.Location(0, 0) for _ in range(size)],
            clients,
            depots,
            vehicles,
            [distances for distances, _ in tables],
            [durations for _, durations in tables],
            [group for _, group in groups.values()],
        )
        return cls(data, tuple(client_of), tuple(kind_of))


def _places(part: Part) -> list[int]:
    task = part.task
    depots = {truck.depot for truck in task.fleet if truck.depot is not None}
    return sorted({task.site, *depots, *(task.stops[at].place for at in part.stops)})


def _tables(
    task: Task,
    places: Sequence[int],
    base: int,
    size: int,
    breaks: tuple[int, int],
    units: Units,
) -> tuple[Whole, Whole]:
    """Return distances and durations between all locations, with roads between this part's only."""
    block = slice(base, base + len(places))
    distances = np.full((size, size), NO_ROAD, dtype=np.int64)
    np.fill_diagonal(distances, 0)
    durations = distances.copy() if units.by_time else np.zeros_like(distances)
    chosen = np.ix_(places, places)
    tenths = task.matrix.hectometres[chosen]
    distances[block, block] = np.where(tenths == UNREACHABLE, NO_ROAD, tenths)
    if units.by_time:
        minutes = task.matrix.minutes[chosen]
        after, pause = breaks
        longer = minutes - (-minutes * pause // after) if after else minutes
        durations[block, block] = np.where(minutes == UNREACHABLE, NO_ROAD, longer)
    return distances, durations


def _up(amount: Decimal, unit: Decimal) -> int:
    return int((amount / unit).to_integral_value(rounding=ROUND_CEILING))


def _down(amount: Decimal, unit: Decimal) -> int:
    return int((amount / unit).to_integral_value(rounding=ROUND_FLOOR))


def _client(
    task: Task,
    at: int,
    row: Mapping[int, int],
    units: Units,
    group: int | None,
    *,
    required: bool,
) -> Any:
    stop = task.stops[at]
    must = (required or stop.required) and group is None
    worth = max(stop.prize - task.per_stop, ZERO)
    when: dict[str, Any] = {}
    if units.by_time:
        when = {
            "service_duration": stop.service_minutes,
            "tw_early": stop.opens,
            "tw_late": max(stop.closes, stop.opens),
        }
    return pyvrp.Client(
        row[stop.place],
        pickup=units.loads(
            _up(stop.mass_kg, units.mass), _up(stop.volume_m3, GRAM), 1, int(stop.is_dangerous)
        ),
        prize=0 if must else round(worth / units.money),
        required=must,
        group=group,
        **when,
    )


def _vehicle(
    task: Task,
    truck: Vehicle,
    row: Mapping[int, int],
    units: Units,
    stops: int,
    depots: list[Any],
    profile: int,
) -> Any:
    """Write a kind of truck down; its way home from the site is part of its fixed price and of its hours."""
    home = task.site if truck.depot is None else truck.depot
    home_minutes, home_km = 0, ZERO
    if truck.depot is not None:
        driving = int(task.matrix.minutes[task.site, home])
        reachable = driving != UNREACHABLE
        home_minutes = truck.hours.leg_minutes(driving) if reachable else NO_ROAD
        home_km = task.matrix.km(task.site, home) if reachable else Decimal(NO_ROAD)
    after = task.unload_minutes + home_minutes
    hours = truck.hours
    when: dict[str, Any] = {}
    site: dict[str, Any] = {}
    if units.by_time:
        latest = max(min(task.site_closes, hours.back_by - after), 0)
        when = {
            "tw_early": max(hours.leaves_from, 0),
            "tw_late": max(latest, hours.leaves_from, 0),
            "shift_duration": max(hours.shift_minutes - after, 0),
            "unit_duration_cost": round(truck.per_hour / 60 / units.money),
        }
        site = {"tw_early": min(task.site_opens, latest), "tw_late": latest}
    limit = _longest_way(task, truck)
    if limit is not None:
        when["max_distance"] = limit
    depots += [pyvrp.Depot(row[home]), pyvrp.Depot(row[task.site], **site)]
    fixed = truck.fixed + truck.per_km * home_km + truck.per_hour * after / 60
    return pyvrp.VehicleType(
        num_available=min(truck.number, stops),
        capacity=units.loads(
            _down(truck.payload_kg, units.mass),
            10**9 if truck.volume_m3 is None else max(_down(truck.volume_m3, GRAM), 0),
            stops if truck.max_stops is None else truck.max_stops,
            stops if truck.carries_dangerous_goods else 0,
        ),
        start_depot=len(depots) - 2,
        end_depot=len(depots) - 1,
        fixed_cost=round(fixed / units.money),
        unit_distance_cost=round(truck.per_km / 10 / units.money),
        profile=profile,
        **when,
    )


def _longest_way(task: Task, truck: Vehicle) -> int | None:
    """Return the tenths of a km that a driver's hours at the wheel allow for certain, before the way home.

    The solver limits length, not driving time: so it is the time left after rounding, at the slowest leg's speed.
    """
    hours, matrix = truck.hours, task.matrix
    if hours.driving_minutes >= FOREVER:
        return NO_ROAD - 1 if (matrix.hectometres == UNREACHABLE).any() else None
    long = matrix.hectometres > 50
    if not long.any():
        return NO_ROAD - 1
    pace = float(((matrix.minutes[long] - 1) / matrix.hectometres[long]).max())
    home = 0
    if truck.depot is not None:
        home = max(int(matrix.minutes[task.site, truck.depot]), 0)
    legs = 1 + min(len(task.stops), truck.max_stops or len(task.stops))
    lengthened = hours.driving_minutes - home - legs
    return max(int(lengthened / pace), 0) if pace > 0 else NO_ROAD - 1


class _Stop:
    """Stop after a time on the thread's own clock, a number of steps, or so many without a better answer."""

    def __init__(
        self, until: float, steps: int | None, patience: int | None, clock: Callable[[], float]
    ) -> None:
        self.until, self.steps, self.patience, self.clock = until, steps, patience, clock
        self.taken = self.since = 0
        self.best: int | None = None

    def __call__(self, best_cost: int) -> bool:
        if self.best is None or best_cost < self.best:
            self.best, self.since = best_cost, 0
        over = (self.steps is not None and self.taken >= self.steps) or (
            self.patience is not None and self.since >= self.patience
        )
        self.taken += 1
        self.since += 1
        return over or self.clock() >= self.until


@dataclass(frozen=True, slots=True)
class Tuning:
    """How PyVRP searches. The defaults are what was measured best here: benchmarks/README.md."""

    neighbours: int = 20
    perturbations: int = 25
    history: int = 300
    restart_after: int = 150_000
    first_penalty: float = 1.0


def search(
    model: Model,
    seed: int,
    until: float,
    iterations: int | None,
    patience: int | None,
    clock: Callable[[], float],
    *,
    start: Orders | None = None,
    tuning: Tuning | None = None,
) -> Found:
    """Run the local search until the thread's clock says ``until``, and return the best it found.

    :param start: orders to begin from; None: a random start
    """
    tuning = tuning or Tuning()
    data = model.data
    rng = pyvrp.RandomNumberGenerator(seed=seed)
    neighbours = compute_neighbours(data, NeighbourhoodParams(num_neighbours=tuning.neighbours))
    perturbation = PerturbationManager(PerturbationParams(1, tuning.perturbations))
    local = LocalSearch(data, rng, neighbours, perturbation)
    for operator in OPERATORS:
        if operator.supports(data):
            local.add_operator(operator(data))
    penalties = _first_penalties(data, tuning.first_penalty)
    dearest = max(*penalties[0], *penalties[1:])
    manager = pyvrp.PenaltyManager(
        penalties, pyvrp.PenaltyParams(max_penalty=max(MOST_PENALTY, 10 * dearest))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fleet too small is an outcome here, not a warning
        if start is None:
            random = pyvrp.Solution.make_random(data, rng)
            begun = local(random, manager.max_cost_evaluator(), exhaustive=True)
        else:
            begun = _solution(model, start)
        result = pyvrp.IteratedLocalSearch(
            data,
            manager,
            local,
            begun,
            pyvrp.IteratedLocalSearchParams(
                num_iters_no_improvement=tuning.restart_after, history_length=tuning.history
            ),
        ).run(_Stop(until, iterations, patience, clock), collect_stats=False)
    return Found(_orders(model, result.best), result.best.is_feasible(), result.num_iterations)


def _first_penalties(data: Any, factor: float) -> tuple[list[float], float, float]:
    """Return what a unit too much of each load, a minute and a unit of way cost at the start.

    A mean leg's cost for a mean stop's load: so the answer does not hang on the unit of money. PyVRP's own bounds
    are numbers of money units: where a leg costs more than its dearest penalty, it never comes back to what fits.
    """
    distances, durations = data.distance_matrix(0), data.duration_matrix(0)
    near = distances < NO_ROAD
    distances, durations = distances[near], durations[near]
    per_way = float(np.mean([kind.unit_distance_cost for kind in data.vehicle_types()]))
    leg = max(float(distances.mean()) * per_way, 1.0)
    loads = np.array([client.pickup for client in data.clients()], dtype=float)
    penalties = [factor * leg / mean if mean else 1.0 for mean in loads.mean(axis=0).tolist()]
    by_time = leg / max(float(durations.mean()), 1.0)
    return penalties, by_time, max(per_way, 1.0)


def _solution(model: Model, orders: Orders) -> Any:
    client = {stop: number for number, stop in enumerate(model.clients)}
    kind = {vehicle: number for number, vehicle in enumerate(model.kinds)}
    return pyvrp.Solution(
        model.data,
        [
            pyvrp.Route(model.data, [client[part, at] for at in stops], kind[part, vehicle])
            for part, vehicle, stops in orders
        ],
    )


def _orders(model: Model, solution: Any) -> Orders:
    orders = []
    for route in solution.routes():
        visits = [model.clients[visit.idx] for visit in route if visit.is_client()]
        part, vehicle = model.kinds[route.vehicle_type()]
        stops = tuple(at for of, at in visits if of == part)
        if stops:
            orders.append((part, vehicle, stops))
    return orders
