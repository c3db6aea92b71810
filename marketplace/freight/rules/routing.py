"""Find milk runs: which truck fetches what, in which order, and what is better left.

The search is PyVRP's iterated local search. It works on whole numbers; the money of a plan is worked
out afterwards from the tariff. Two traps of it are met here, and each has a test:

* optional stops and trucks with a fixed price, from an empty start, stay stuck (up to a third too dear):
  so all stops are first required, and that answer starts the search that may leave some;
* what breaking a limit costs begins at a fixed number of money units, so the answer depends on the unit:
  so it begins at a price drawn from the task, and the unit is chosen for the size of the sums.

:source: PyVRP issue 636; https://pyvrp.org
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from . import vrp
from .route_check import faults
from .trips import ZERO, Left, Plan, Reason, Stop, Task, Trip, Vehicle, plan_of, trip

Order = tuple[int, tuple[int, ...]]
"""A vehicle's index in the fleet and the stops it visits, in order."""

Clock = Callable[[], float]
REQUIRED_SHARE, COLD_SHARE = 0.25, 0.4  # of a seed's time, when each of the first two searches ends


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look. The same effort gives the same plan, unless the seconds run out first.

    :param seconds: processor time of this thread, for all seeds and both stages together
    :param seeds: one search from each; the best answer stands
    :param iterations: most steps of one stage of one seed; None: until the time is over
    :param patience: steps without a better answer after which a stage ends; None: never
    """

    seconds: float = 5.0
    seeds: tuple[int, ...] = (1,)
    iterations: int | None = None
    patience: int | None = None


def effort_for(stops: int, *, seconds: float = 5.0, seed: int = 1) -> Effort:
    """Return an effort that grows with the task, for the many small tasks of a night.

    Bounded by steps, so that two machines find the same plan; ``seconds`` is a guard above it.
    """
    steps = 200 + 40 * stops
    return Effort(seconds=seconds, seeds=(seed,), iterations=steps, patience=max(100, steps // 2))


def plan_trips(
    task: Task, *, effort: Effort | None = None, clock: Clock = time.thread_time
) -> Plan:
    """Return the best plan found: feasible always, and checked before it is returned.

    Never dearer than the nearest-neighbour plan, nor than the plan that fetches all it can.
    A stop that cannot be fetched is left with its reason, even a required one; nothing is raised for it.

    :param effort: None: one that grows with the number of stops
    :param clock: processor seconds so far, for the time limit alone
    :raises ValueError: if the task is not a task: a place outside the matrix, a load below 0
    """
    validate(task)
    began = clock()
    effort = effort or effort_for(len(task.stops))
    lone, never = lone_trips(task)
    plans = [finished(task, nearest(task, lone), lone, never, "nearest")]
    steps = 0
    if len(lone) > 1:
        share = effort.seconds / max(len(effort.seeds), 1)
        for number, seed in enumerate(effort.seeds):
            until = began + share * (number + 1)
            for origin, orders, taken in _stages(task, lone, effort, seed, until, clock):
                plans.append(finished(task, orders, lone, never, origin))
                steps += taken
    sound = [plan for plan in plans if not faults(task, plan)]
    best = min(sound, key=lambda plan: (_unserved(task, plan), plan.objective))
    return replace(best, seconds=clock() - began, iterations=steps)


def validate(task: Task) -> None:
    """Refuse what is no task.

    :raises ValueError: if a place is not in the matrix, a load, prize or price is below 0, or keys repeat
    """
    places = {task.site, *(stop.place for stop in task.stops)}
    places |= {truck.depot for truck in task.fleet if truck.depot is not None}
    if any(not 0 <= place < len(task.matrix) for place in places):
        raise ValueError("Every place must be a row of the matrix.")
    if any(min(stop.mass_kg, stop.volume_m3, stop.prize) < ZERO for stop in task.stops):
        raise ValueError("No mass, volume or prize may be below 0.")
    if any(
        min(truck.payload_kg, truck.fixed, truck.per_km, truck.per_hour) < ZERO or truck.number < 0
        for truck in task.fleet
    ):
        raise ValueError("No payload, price or number of trucks may be below 0.")
    if len({stop.key for stop in task.stops}) != len(task.stops):
        raise ValueError("Every stop needs a key of its own.")


def lone_trips(task: Task) -> tuple[dict[int, Trip], list[Left]]:
    """Return the cheapest trip of each stop alone, by stop, and the stops that no truck can fetch."""
    lone: dict[int, Trip] = {}
    never: list[Left] = []
    for at, stop in enumerate(task.stops):
        trips = [one for kind in _kinds(task) if (one := trip(task, kind, (at,)))]
        if trips:
            lone[at] = min(trips, key=lambda one: (one.cost, one.vehicle))
        else:
            never.append(Left(at, _why_never(task, stop)))
    return lone, never


def _kinds(task: Task) -> list[int]:
    return [kind for kind, truck in enumerate(task.fleet) if truck.number > 0]


def _why_never(task: Task, stop: Stop) -> Reason:
    trucks = [truck for truck in task.fleet if truck.number > 0]
    if not trucks:
        return Reason.NO_TRUCK_LEFT
    wide = [truck for truck in trucks if _holds(truck, stop)]
    if not wide:
        return Reason.TOO_LARGE
    permitted = [truck for truck in wide if truck.carries_dangerous_goods or not stop.is_dangerous]
    if not permitted:
        return Reason.NO_PERMIT
    if not any(_reaches(task, truck, stop) for truck in permitted):
        return Reason.UNREACHABLE
    return Reason.OUT_OF_HOURS


def _holds(truck: Vehicle, stop: Stop) -> bool:
    return (
        stop.mass_kg <= truck.payload_kg
        and (truck.volume_m3 is None or stop.volume_m3 <= truck.volume_m3)
        and truck.max_stops != 0
    )


def _reaches(task: Task, truck: Vehicle, stop: Stop) -> bool:
    home = task.site if truck.depot is None else truck.depot
    return (
        task.matrix.reaches(home, stop.place)
        and task.matrix.reaches(stop.place, task.site)
        and task.matrix.reaches(task.site, home)
    )


def _stages(
    task: Task,
    lone: dict[int, Trip],
    effort: Effort,
    seed: int,
    until: float,
    clock: Clock,
) -> Iterator[tuple[str, list[Order], int]]:
    """Search with all stops required, then from there with those that may be left.

    Where a start from nothing comes to something better than fetching all, the last search goes on from it.
    """
    stops = sorted(lone)
    may_leave = any(not task.stops[at].required for at in stops)
    now = clock()
    steps, patience = effort.iterations, effort.patience

    def time_at(share: float) -> float:
        return now + (until - now) * share

    parts = [vrp.Part(task, tuple(stops))]
    whole = sum((one.cost for one in lone.values()), ZERO)
    model = vrp.Model.of(parts, whole=whole, all_required=True)
    end = time_at(REQUIRED_SHARE) if may_leave else until
    found = vrp.search(model, seed, end, steps, patience, clock)
    yield "required", _alone(found), found.iterations
    if not may_leave:
        return
    start = _alone(found) if found.feasible else nearest(task, lone)
    model = vrp.Model.of(parts, whole=whole)
    cold = vrp.search(model, seed, time_at(COLD_SHARE), steps, patience, clock)
    yield "cold", _alone(cold), cold.iterations
    if cold.feasible and _objective(task, _alone(cold), lone) < _objective(task, start, lone):
        start = _alone(cold)
    begun = [(0, kind, order) for kind, order in start]
    found = vrp.search(model, seed, until, steps, patience, clock, start=begun)
    yield "optional", _alone(found), found.iterations


def _alone(found: vrp.Found) -> list[Order]:
    return [(kind, order) for _part, kind, order in found.orders]


def _objective(task: Task, orders: Iterable[Order], lone: dict[int, Trip]) -> Decimal:
    return finished(task, orders, lone, (), "").objective


def nearest(task: Task, lone: dict[int, Trip]) -> list[Order]:
    """Return the plan of a hurried dispatcher: drive to whatever is nearest and still fits.

    The truck of each run is the one that costs least for a kilogram.
    """
    waiting, used = sorted(lone), Counter[int]()
    orders: list[Order] = []
    while waiting:
        runs = []
        for kind in _kinds(task):
            if used[kind] < task.fleet[kind].number:
                run = _nearest_run(task, kind, waiting)
                made = trip(task, kind, run) if run else None
                if made:
                    runs.append((made.cost / max(made.mass_kg, Decimal("0.001")), kind, run))
        if not runs:
            break
        _cost, kind, run = min(runs)
        orders.append((kind, run))
        used[kind] += 1
        waiting = [at for at in waiting if at not in run]
    return orders


def _nearest_run(task: Task, kind: int, waiting: Sequence[int]) -> tuple[int, ...]:
    truck = task.fleet[kind]
    here = task.site if truck.depot is None else truck.depot
    run: tuple[int, ...] = ()
    mass, left = ZERO, list(waiting)
    while left and (truck.max_stops is None or len(run) < truck.max_stops):
        hectometres = task.matrix.hectometres[here]
        near = sorted(left, key=lambda at: (int(hectometres[task.stops[at].place]), at))
        for at in near:
            stop = task.stops[at]
            if mass + stop.mass_kg <= truck.payload_kg and trip(task, kind, (*run, at)):
                run, mass, here = (*run, at), mass + stop.mass_kg, stop.place
                left.remove(at)
                break
        else:
            return run
    return run


def finished(
    task: Task,
    orders: Iterable[Order],
    lone: dict[int, Trip],
    never: Sequence[Left],
    origin: str,
) -> Plan:
    """Make a plan of orders, by the exact tariff: break what cannot be driven, drop what does not pay, fit in the rest."""
    trips: list[Trip] = []
    for kind, stops in orders:
        made = trip(task, kind, stops)
        while made is None and stops:
            stops = stops[:-1]
            made = trip(task, kind, stops) if stops else None
        if made is not None:
            trips.append(made)
    trips = [kept for one in trips if (kept := _trimmed(task, one))]
    served = {at for one in trips for at in one.stops}
    left: list[Left] = list(never)
    waiting = [at for at in lone if at not in served]
    for at in sorted(waiting, key=lambda at: (not task.stops[at].required, lone[at].cost, at)):
        reason = _fit_in(task, trips, at)
        if reason is not None:
            left.append(Left(at, reason))
    return plan_of(task, trips, left, origin)


def _trimmed(task: Task, one: Trip) -> Trip | None:
    """Drop the optional stops that cost more than they are worth, the worst first; None if none is worth a trip."""
    while True:
        best: tuple[Decimal, Trip] | None = None
        for at in one.stops:
            stop = task.stops[at]
            if stop.required or len(one.stops) == 1:
                continue
            without = trip(task, one.vehicle, tuple(other for other in one.stops if other != at))
            if without and (gain := one.cost - without.cost - stop.prize) > 0:
                best = (
                    max(best, (gain, without), key=lambda pair: pair[0])
                    if best
                    else (gain, without)
                )
        if best is None:
            break
        one = best[1]
    stops = [task.stops[at] for at in one.stops]
    if all(not stop.required for stop in stops) and one.cost > sum(stop.prize for stop in stops):
        return None
    return one


def _fit_in(task: Task, trips: list[Trip], at: int) -> Reason | None:
    """Put a stop where it costs least, in place; return why not, if it stays out."""
    stop, used = task.stops[at], Counter(one.vehicle for one in trips)
    ways: list[tuple[Decimal, int, Trip]] = []
    for number, one in enumerate(trips):
        truck = task.fleet[one.vehicle]
        if one.mass_kg + stop.mass_kg > truck.payload_kg:
            continue
        for place in range(len(one.stops) + 1):
            order = (*one.stops[:place], at, *one.stops[place:])
            if made := trip(task, one.vehicle, order):
                ways.append((made.cost - one.cost, number, made))
    ways.extend(
        (made.cost, len(trips), made)
        for kind in _kinds(task)
        if used[kind] < task.fleet[kind].number and (made := trip(task, kind, (at,)))
    )
    if not ways:
        return Reason.NO_TRUCK_LEFT
    cost, number, made = min(ways, key=lambda way: (way[0], way[1], way[2].stops))
    if not stop.required and cost > stop.prize:
        return Reason.NOT_WORTH_IT
    trips[number : number + 1] = [made]
    return None


def _unserved(task: Task, plan: Plan) -> int:
    return sum(task.stops[one.stop].required for one in plan.left)
