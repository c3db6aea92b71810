"""What a milk run is made of: stops, trucks, hours, and what a trip costs by the real tariff.

Times are whole minutes since midnight of the first day, masses kg, volumes m3, money the plan's currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from marketplace.core.money import payable

from .distances import UNREACHABLE, Matrix

DAY = 24 * 60
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Hours:
    """When a truck may be out, and for how long its driver may work.

    A trip of several days has the limits of all its days, with the nights in ``shift_minutes``.
    Breaks are taken evenly: every leg is longer by ``break_minutes`` for each ``break_after`` of driving,
    rounded up, so that the breaks of the law always fit in.

    :param leaves_from: earliest departure, minutes
    :param back_by: latest return, minutes
    :param shift_minutes: longest time from departure to return
    :param driving_minutes: longest time at the wheel
    :param break_after: minutes of driving that call for a break; 0: none
    """

    leaves_from: int = 0
    back_by: int = DAY
    shift_minutes: int = DAY
    driving_minutes: int = DAY
    break_after: int = 0
    break_minutes: int = 0

    def leg_minutes(self, driving: int) -> int:
        """Return the minutes of a leg with its share of the breaks.

        >>> Hours(break_after=270, break_minutes=45).leg_minutes(60)
        70
        """
        if not self.break_after:
            return driving
        return driving - (-driving * self.break_minutes // self.break_after)


ALWAYS = Hours(0, 10**7, 10**7, 10**7)
"""No limit of time: for comparing with tours that know none."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A kind of truck, and how many there are of it.

    :param volume_m3: None: the volume does not limit it
    :param max_stops: most pick-ups in one trip; None: any number
    :param fixed: money for a trip, whatever its length
    :param per_hour: money for an hour from departure to return
    :param depot: place where it starts and returns to, after the buyer's site; None: at the site itself
    :param number: trips that trucks of this kind can make, at least 0
    """

    name: str
    payload_kg: Decimal
    volume_m3: Decimal | None
    max_stops: int | None
    fixed: Decimal
    per_km: Decimal
    per_hour: Decimal = ZERO
    carries_dangerous_goods: bool = True
    depot: int | None = None
    number: int = 1
    hours: Hours = ALWAYS


@dataclass(frozen=True, slots=True)
class Stop:
    """A pick-up: so much at a place, within a time window.

    :param key: the caller's own name of it, a lot or a collector
    :param place: row of the matrix
    :param opens: first minute at which loading may begin
    :param closes: last minute at which loading may begin
    :param required: False: may be left out, at the price of ``prize``
    :param prize: money that is lost when it is left out, not below 0
    """

    key: int
    place: int
    mass_kg: Decimal
    volume_m3: Decimal = ZERO
    opens: int = 0
    closes: int = 10**7
    service_minutes: int = 0
    is_dangerous: bool = False
    required: bool = True
    prize: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Task:
    """One buyer's site, what may be fetched for it, and the trucks.

    All stops may travel together: goods that must not share a truck are tasks of their own.

    :param site: row of the matrix where every trip unloads
    :param per_stop: money for each pick-up, by any truck
    :param site_opens: first minute of unloading
    :param site_closes: last minute at which a truck may arrive to unload
    """

    matrix: Matrix
    site: int
    stops: tuple[Stop, ...]
    fleet: tuple[Vehicle, ...]
    per_stop: Decimal = ZERO
    currency: str = "USD"
    site_opens: int = 0
    site_closes: int = 10**7
    unload_minutes: int = 0


class Reason(StrEnum):
    """Why a stop is in no trip. Each is a declared outcome, never an error."""

    UNREACHABLE = "UNREACHABLE"  # no road from it to the site, or to it from any truck
    TOO_LARGE = "TOO_LARGE"  # more than any truck carries
    NO_PERMIT = "NO_PERMIT"  # dangerous goods, and no truck that may carry them
    OUT_OF_HOURS = "OUT_OF_HOURS"  # no truck gets there and back within windows and driver hours
    NO_TRUCK_LEFT = "NO_TRUCK_LEFT"  # it could go alone, but the trucks are used up
    NOT_WORTH_IT = "NOT_WORTH_IT"  # fetching it costs more than leaving it


@dataclass(frozen=True, slots=True)
class Left:
    """A stop that no trip serves: its index in the task, and why."""

    stop: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Visit:
    """A stop on a trip: its index in the task, when the truck arrives, and when loading begins."""

    stop: int
    arrives: int
    begins: int


@dataclass(frozen=True, slots=True)
class Trip:
    """One truck's run: depot, stops in order, the site, and home.

    :param vehicle: index of its kind in the fleet
    :param minutes: from departure to return, with loading, waiting and breaks
    :param cost: by the tariff, rounded to what can be paid
    """

    vehicle: int
    visits: tuple[Visit, ...]
    departs: int
    at_site: int
    returns: int
    km: Decimal
    minutes: int
    mass_kg: Decimal
    volume_m3: Decimal
    cost: Decimal

    @property
    def stops(self) -> tuple[int, ...]:
        return tuple(visit.stop for visit in self.visits)


@dataclass(frozen=True, slots=True)
class Plan:
    """Trips that serve each stop at most once, and the stops that are left.

    :param cost: what all trips cost
    :param lost: the prizes of the optional stops that are left
    :param origin: which way of solving won: nearest, required, cold or optional
    :param seconds: processor time it took
    """

    trips: tuple[Trip, ...]
    left: tuple[Left, ...]
    cost: Decimal
    lost: Decimal
    origin: str = ""
    seconds: float = 0.0
    iterations: int = 0

    @property
    def objective(self) -> Decimal:
        """What is to be small: the cost of the trips and the prizes forgone."""
        return self.cost + self.lost


def tariff(task: Task, vehicle: Vehicle, *, km: Decimal, minutes: int, stops: int) -> Decimal:
    """Return what a trip costs, rounded once to what can be paid.

    fixed + km x per_km + hours x per_hour + stops x per_stop
    """
    exact = vehicle.fixed + km * vehicle.per_km + stops * task.per_stop
    return payable(exact + vehicle.per_hour * minutes / 60, task.currency)


def trip(task: Task, vehicle: int, stops: Sequence[int]) -> Trip | None:
    """Return the trip that visits stops in this order, or None if that truck cannot make it.

    It leaves as late as it can without coming home later than if it left as early as it can.
    """
    truck = task.fleet[vehicle]
    home = task.site if truck.depot is None else truck.depot
    chosen = [task.stops[at] for at in stops]
    mass = sum((stop.mass_kg for stop in chosen), ZERO)
    volume = sum((stop.volume_m3 for stop in chosen), ZERO)
    if (
        mass > truck.payload_kg
        or (truck.volume_m3 is not None and volume > truck.volume_m3)
        or (truck.max_stops is not None and len(chosen) > truck.max_stops)
        or (not truck.carries_dangerous_goods and any(stop.is_dangerous for stop in chosen))
    ):
        return None
    path = [home, *(stop.place for stop in chosen), task.site]
    if truck.depot is not None:
        path.append(home)
    km, driving, legs = ZERO, 0, []
    for here, there in pairwise(path):
        minutes = int(task.matrix.minutes[here, there])
        if minutes == UNREACHABLE:
            return None
        km += task.matrix.km(here, there)
        driving += minutes
        legs.append(truck.hours.leg_minutes(minutes))
    if driving > truck.hours.driving_minutes:
        return None
    windows = [(stop.opens, stop.closes, stop.service_minutes) for stop in chosen]
    windows.append((task.site_opens, task.site_closes, task.unload_minutes))
    departs = _latest_departure(truck.hours.leaves_from, legs, windows)
    if departs is None:
        return None
    visits, now = [], departs
    for at, (leg, (opens, _closes, service)) in enumerate(zip(legs, windows, strict=False)):
        arrives = now + leg
        begins = max(arrives, opens)
        now = begins + service
        if at < len(chosen):
            visits.append(Visit(stops[at], arrives, begins))
        else:
            at_site = begins
    returns = now + (legs[-1] if truck.depot is not None else 0)
    if returns > truck.hours.back_by or returns - departs > truck.hours.shift_minutes:
        return None
    return Trip(
        vehicle=vehicle,
        visits=tuple(visits),
        departs=departs,
        at_site=at_site,
        returns=returns,
        km=km,
        minutes=returns - departs,
        mass_kg=mass,
        volume_m3=volume,
        cost=tariff(task, truck, km=km, minutes=returns - departs, stops=len(chosen)),
    )


def _latest_departure(
    earliest: int, legs: Sequence[int], windows: Sequence[tuple[int, int, int]]
) -> int | None:
    """Return the latest departure that ends no later than the earliest one does, or None if a window is missed."""
    begins, now = [], earliest
    for leg, (opens, closes, service) in zip(legs, windows, strict=False):
        start = max(now + leg, opens)
        if start > closes:
            return None
        begins.append(start)
        now = start + service
    latest = begins[-1]
    for at in range(len(begins) - 1, -1, -1):
        latest = min(latest, windows[at][1])
        before = windows[at - 1][2] if at else 0
        latest = latest - legs[at] - before
    return max(latest, earliest)


def plan_of(task: Task, trips: Sequence[Trip], left: Sequence[Left], origin: str = "") -> Plan:
    """Add trips and what is left up to a plan."""
    lost = sum(
        (task.stops[one.stop].prize for one in left if not task.stops[one.stop].required), ZERO
    )
    ordered = sorted(trips, key=lambda one: (one.vehicle, one.stops))
    return Plan(
        trips=tuple(ordered),
        left=tuple(sorted(left, key=lambda one: one.stop)),
        cost=sum((one.cost for one in trips), ZERO),
        lost=lost,
        origin=origin,
    )
