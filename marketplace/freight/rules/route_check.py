"""Check a plan of trips without the solver, and without the code that made it."""

from collections import Counter
from decimal import Decimal

from marketplace.core.money import payable

from .trips import Plan, Task, Trip


def faults(task: Task, plan: Plan) -> tuple[str, ...]:
    """Return what is wrong with a plan, in plain words for the operator's log; nothing: it can be driven.

    Every stop once, trucks enough, loads, permits, roads, windows, hours of drivers, and the money.
    """
    found = [*_stops(task, plan), *_trucks(task, plan)]
    for number, trip in enumerate(plan.trips):
        found += [f"trip {number}: {fault}" for fault in _trip(task, trip)]
    cost = sum((trip.cost for trip in plan.trips), Decimal(0))
    if cost != plan.cost:
        found.append(f"the trips cost {cost}, the plan says {plan.cost}")
    lost = sum((task.stops[one.stop].prize for one in plan.left if not _must(task, one.stop)), 0)
    if lost != plan.lost:
        found.append(f"{lost} is forgone, the plan says {plan.lost}")
    return tuple(found)


def _must(task: Task, stop: int) -> bool:
    return task.stops[stop].required


def _stops(task: Task, plan: Plan) -> list[str]:
    seen = Counter(visit.stop for trip in plan.trips for visit in trip.visits)
    seen.update(one.stop for one in plan.left)
    wrong = [f"stop {stop} comes {times} times" for stop, times in seen.items() if times != 1]
    missing = set(range(len(task.stops))) - set(seen)
    return wrong + [f"stop {stop} is neither served nor left" for stop in sorted(missing)]


def _trucks(task: Task, plan: Plan) -> list[str]:
    used = Counter(trip.vehicle for trip in plan.trips)
    return [
        f"{times} trips of {task.fleet[kind].name}, {task.fleet[kind].number} there"
        for kind, times in used.items()
        if times > task.fleet[kind].number
    ]


def _trip(task: Task, trip: Trip) -> list[str]:
    if not trip.visits:
        return ["it fetches nothing"]
    return [*_load(task, trip), *_way(task, trip)]


def _load(task: Task, trip: Trip) -> list[str]:
    truck, wrong = task.fleet[trip.vehicle], []
    stops = [task.stops[visit.stop] for visit in trip.visits]
    mass = sum((stop.mass_kg for stop in stops), Decimal(0))
    volume = sum((stop.volume_m3 for stop in stops), Decimal(0))
    if mass != trip.mass_kg or mass > truck.payload_kg:
        wrong.append(f"{mass} kg, {trip.mass_kg} written, {truck.payload_kg} carried")
    if volume != trip.volume_m3 or (truck.volume_m3 is not None and volume > truck.volume_m3):
        wrong.append(f"{volume} m3, {trip.volume_m3} written, {truck.volume_m3} carried")
    if truck.max_stops is not None and len(stops) > truck.max_stops:
        wrong.append(f"{len(stops)} stops, {truck.max_stops} allowed")
    if any(stop.is_dangerous for stop in stops) and not truck.carries_dangerous_goods:
        wrong.append("dangerous goods without a permit")
    return wrong


def _way(task: Task, trip: Trip) -> list[str]:
    truck, wrong = task.fleet[trip.vehicle], []
    hectometres = driving = 0
    here, now = task.site if truck.depot is None else truck.depot, trip.departs
    if now < truck.hours.leaves_from:
        wrong.append("it leaves too early")

    def drive(there: int) -> int:
        """Add a leg up and return when the truck gets there."""
        nonlocal hectometres, driving
        minutes = int(task.matrix.minutes[here, there])
        if minutes < 0:
            wrong.append(f"no road from place {here} to place {there}")
            return now
        hectometres += int(task.matrix.hectometres[here, there])
        driving += minutes
        breaks = 0
        if truck.hours.break_after:
            breaks = -(-minutes * truck.hours.break_minutes // truck.hours.break_after)
        return now + minutes + breaks

    for visit in trip.visits:
        stop = task.stops[visit.stop]
        if drive(stop.place) != visit.arrives or visit.begins < visit.arrives:
            wrong.append(f"it cannot be at stop {visit.stop} when it says")
        if not stop.opens <= visit.begins <= stop.closes:
            wrong.append(f"stop {visit.stop} is closed")
        here, now = stop.place, visit.begins + stop.service_minutes
    if drive(task.site) > trip.at_site:
        wrong.append("it cannot be at the site when it says")
    if not task.site_opens <= trip.at_site <= task.site_closes:
        wrong.append("the site is closed")
    here, now = task.site, trip.at_site + task.unload_minutes
    if truck.depot is not None:
        now = drive(truck.depot)
    if now != trip.returns or trip.returns > truck.hours.back_by:
        wrong.append("it comes home too late")
    if trip.returns - trip.departs > truck.hours.shift_minutes:
        wrong.append("the shift is too long")
    if driving > truck.hours.driving_minutes:
        wrong.append("the driver drives too long")
    if trip.km != Decimal(hectometres).scaleb(-1) or trip.minutes != trip.returns - trip.departs:
        wrong.append("its length or time is not what it says")
    wrong += _money(task, trip)
    return wrong


def _money(task: Task, trip: Trip) -> list[str]:
    truck = task.fleet[trip.vehicle]
    due = (
        truck.fixed
        + truck.per_km * trip.km
        + truck.per_hour * trip.minutes / 60
        + task.per_stop * len(trip.visits)
    )
    if payable(due, task.currency) != trip.cost:
        return [f"it costs {due}, it says {trip.cost}"]
    return []
