"""Choose buyer, use and trip of every lot together.

First each lot goes where it seems to bring most and every buyer's trips are planned alone (two stages).
That answer starts one search over all buyers: a lot is a client at each buyer who would take it, at most one
of those is fetched, and each buyer's trucks know only that buyer's roads. The better answer stands.

Meant for a shard of at most 150 lots and 6 buyers.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from . import vrp
from .distances import Matrix
from .route_check import faults
from .routing import Clock, Effort, Order, finished, lone_trips, plan_trips, validate
from .trips import ZERO, Plan, Stop, Task, Trip, Vehicle

TWO_STAGE_SHARE = 0.3  # of the time; the rest is for the search over all buyers
ROUNDS = 3  # times that the two stages are gone through, with freight as the last round found it


@dataclass(frozen=True, slots=True)
class Bid:
    """What a buyer would pay for a lot above what it brings without a trip, for one use.

    :param stop: index of the lot in the market's stops
    :param use: the caller's word for the use: reuse, repurpose, recycle, recover
    :param worth: price x kg - the seller's best option alone, in the market's currency
    """

    stop: int
    use: str
    worth: Decimal


@dataclass(frozen=True, slots=True)
class Buyer:
    """A buyer's site, the trucks that may drive for it, and what it would take.

    :param site: row of the matrix
    :param capacity_kg: most that it may take in all; None: no limit
    """

    key: int
    site: int
    fleet: tuple[Vehicle, ...]
    bids: tuple[Bid, ...]
    capacity_kg: Decimal | None = None
    site_opens: int = 0
    site_closes: int = 10**7
    unload_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Shard:
    """Lots and buyers to be brought together. Prizes of the stops are not read: the bids say what they are worth."""

    matrix: Matrix
    stops: tuple[Stop, ...]
    buyers: tuple[Buyer, ...]
    per_stop: Decimal = ZERO
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Sale:
    """A lot that is fetched: its index, the buyer's index, for which use, and what it is worth there."""

    stop: int
    buyer: int
    use: str
    worth: Decimal


@dataclass(frozen=True, slots=True)
class Choice:
    """Who gets what, and the trips. ``plans[b]`` is a plan of ``tasks[b]``, whose stops are buyer b's sales.

    :param surplus: worth of all sales less the cost of all trips: what is to be large; never below 0
    :param left: indices of the lots that stay, in order
    :param origin: two-stage or together
    """

    tasks: tuple[Task, ...]
    plans: tuple[Plan, ...]
    sales: tuple[Sale, ...]
    left: tuple[int, ...]
    surplus: Decimal
    origin: str
    seconds: float = 0.0


def choose(
    shard: Shard, *, effort: Effort | None = None, clock: Clock = time.thread_time
) -> Choice:
    """Return the best choice found. It can always be driven, and is never worse than the two-stage answer.

    :raises ValueError: if a bid names no stop, or a task of a buyer is no task
    """
    began = clock()
    effort = effort or Effort(seconds=5.0)
    best_bids = [_best_bids(shard, buyer) for buyer in shard.buyers]
    tasks = [
        task_of(shard, buyer, bids) for buyer, bids in zip(shard.buyers, best_bids, strict=True)
    ]
    for task in tasks:
        validate(task)
    lone = [lone_trips(task)[0] for task in tasks]
    until = began + effort.seconds * TWO_STAGE_SHARE
    choices = [
        _choice(shard, best_bids, tasks, orders, "two-stage")
        for orders in _two_stage(tasks, lone, replace(effort, seconds=until - clock()), clock)
    ]
    if any(lone):
        start = max(choices, key=lambda one: one.surplus)
        share = (began + effort.seconds - clock()) / max(len(effort.seeds), 1)
        for seed in effort.seeds:
            orders = _together(tasks, lone, start, effort, seed, clock() + share, clock)
            choices.append(_choice(shard, best_bids, tasks, orders, "together"))
    best = max(choices, key=lambda one: one.surplus)
    return replace(best, seconds=clock() - began)


def _best_bids(shard: Shard, buyer: Buyer) -> dict[int, Bid]:
    """Return a buyer's best use of each lot that could pay at all."""
    bids: dict[int, Bid] = {}
    for bid in buyer.bids:
        if not 0 <= bid.stop < len(shard.stops):
            raise ValueError("Every bid must name a stop of the shard.")
        held = bids.get(bid.stop)
        if bid.worth > 0 and (held is None or (bid.worth, held.use) > (held.worth, bid.use)):
            bids[bid.stop] = bid
    return bids


def task_of(shard: Shard, buyer: Buyer, bids: Mapping[int, Bid]) -> Task:
    """Return a buyer's own task: each lot it would take may be left, at the price of its worth."""
    return Task(
        matrix=shard.matrix,
        site=buyer.site,
        stops=tuple(
            replace(shard.stops[at], key=at, required=False, prize=bids[at].worth)
            for at in sorted(bids)
        ),
        fleet=buyer.fleet,
        per_stop=shard.per_stop,
        currency=shard.currency,
        site_opens=buyer.site_opens,
        site_closes=buyer.site_closes,
        unload_minutes=buyer.unload_minutes,
    )


Orders = list[tuple[int, int, tuple[int, ...]]]


def _two_stage(
    tasks: Sequence[Task],
    lone: Sequence[Mapping[int, Trip]],
    effort: Effort,
    clock: Clock,
) -> Iterable[Orders]:
    """Assign, plan each buyer alone, learn what fetching costs, and again."""
    until = clock() + effort.seconds
    freight = {
        (number, task.stops[at].key): alone.cost / 3
        for number, task in enumerate(tasks)
        for at, alone in lone[number].items()
    }
    for round_ in range(ROUNDS):
        chosen = _assigned(tasks, freight)
        orders: Orders = []
        for number, task in enumerate(tasks):
            mine = [at for at, stop in enumerate(task.stops) if chosen.get(stop.key) == number]
            part = replace(task, stops=tuple(task.stops[at] for at in mine))
            share = max(until - clock(), 0.01) / ((ROUNDS - round_) * (len(tasks) - number))
            steps = min(effort.iterations or 10**9, 100 + 20 * len(mine))
            plan = plan_trips(
                part, effort=replace(effort, seconds=share, iterations=steps), clock=clock
            )
            for one in plan.trips:
                orders.append((number, one.vehicle, tuple(mine[at] for at in one.stops)))
                paid = one.cost - task.per_stop * len(one.stops)
                for at in one.stops:
                    stop = part.stops[at]
                    share_of = stop.mass_kg / one.mass_kg if one.mass_kg else Decimal(1)
                    freight[number, stop.key] = paid * share_of + task.per_stop
        yield orders


def _assigned(tasks: Sequence[Task], freight: Mapping[tuple[int, int], Decimal]) -> dict[int, int]:
    """Give each lot to the buyer where its worth less its guessed freight is largest, if that is above 0."""
    best: dict[int, tuple[Decimal, int]] = {}
    for number, task in enumerate(tasks):
        for stop in task.stops:
            if (number, stop.key) not in freight:
                continue
            net = stop.prize - freight[number, stop.key]
            if stop.key not in best or net > best[stop.key][0]:
                best[stop.key] = (net, number)
    return {key: number for key, (_net, number) in best.items()}


def _together(
    tasks: Sequence[Task],
    lone: Sequence[Mapping[int, Trip]],
    start: Choice,
    effort: Effort,
    seed: int,
    until: float,
    clock: Clock,
) -> Orders:
    """Search over all buyers at once, from a choice."""
    numbers = [number for number in range(len(tasks)) if lone[number]]
    parts = [vrp.Part(tasks[number], tuple(sorted(lone[number]))) for number in numbers]
    cheapest: dict[int, Decimal] = {}
    for number in numbers:
        for at, one in lone[number].items():
            key = tasks[number].stops[at].key
            cheapest[key] = min(one.cost, cheapest.get(key, one.cost))
    begun: Orders = []
    for number, (task, plan) in enumerate(zip(start.tasks, start.plans, strict=True)):
        place = {stop.key: at for at, stop in enumerate(tasks[number].stops)}
        for one in plan.trips:
            order = tuple(place[task.stops[at].key] for at in one.stops)
            begun.append((numbers.index(number), one.vehicle, order))
    model = vrp.Model.of(parts, whole=sum(cheapest.values(), ZERO))
    found = vrp.search(model, seed, until, effort.iterations, effort.patience, clock, start=begun)
    return [(numbers[part], kind, order) for part, kind, order in found.orders]


def _choice(
    shard: Shard,
    bids: Sequence[Mapping[int, Bid]],
    tasks: Sequence[Task],
    orders: Orders,
    origin: str,
) -> Choice:
    """Make a choice of orders by the exact tariff: each lot once, no buyer above what it may take."""
    routes: dict[int, list[Order]] = defaultdict(list)
    taken: set[int] = set()
    room = {
        number: buyer.capacity_kg
        for number, buyer in enumerate(shard.buyers)
        if buyer.capacity_kg is not None
    }
    for number, kind, order in sorted(orders, key=lambda one: -_gain(tasks[one[0]], one[2])):
        kept = []
        for at in order:
            stop = tasks[number].stops[at]
            if stop.key in taken or room.get(number, stop.mass_kg) < stop.mass_kg:
                continue
            taken.add(stop.key)
            if number in room:
                room[number] -= stop.mass_kg
            kept.append(at)
        if kept:
            routes[number].append((kind, tuple(kept)))
    final, plans, sales = [], [], []
    for number, task in enumerate(tasks):
        mine = sorted(at for _kind, order in routes[number] for at in order)
        place = {at: new for new, at in enumerate(mine)}
        part = replace(task, stops=tuple(task.stops[at] for at in mine))
        own = [(kind, tuple(place[at] for at in order)) for kind, order in routes[number]]
        lone, never = lone_trips(part)
        plan = finished(part, own, lone, never, origin)
        final.append(part)
        plans.append(plan)
        for one in plan.trips:
            for at in one.stops:
                bid = bids[number][part.stops[at].key]
                sales.append(Sale(bid.stop, number, bid.use, bid.worth))
    sales.sort(key=lambda sale: sale.stop)
    sold = {sale.stop for sale in sales}
    cost = sum((plan.cost for plan in plans), ZERO)
    return Choice(
        tasks=tuple(final),
        plans=tuple(plans),
        sales=tuple(sales),
        left=tuple(at for at in range(len(shard.stops)) if at not in sold),
        surplus=sum((sale.worth for sale in sales), ZERO) - cost,
        origin=origin,
    )


def _gain(task: Task, order: Sequence[int]) -> Decimal:
    return sum((task.stops[at].prize for at in order), ZERO)


def choice_faults(shard: Shard, choice: Choice) -> tuple[str, ...]:
    """Return what is wrong with a choice, without the solver: every trip, every lot once, every limit, the money."""
    found = [
        f"buyer {number}: {fault}"
        for number, (task, plan) in enumerate(zip(choice.tasks, choice.plans, strict=True))
        for fault in faults(task, plan)
    ]
    carried = sorted(
        (task.stops[at].key, number)
        for number, (task, plan) in enumerate(zip(choice.tasks, choice.plans, strict=True))
        for one in plan.trips
        for at in one.stops
    )
    if carried != [(sale.stop, sale.buyer) for sale in choice.sales]:
        found.append("the trips do not carry what is sold")
    if sorted([sale.stop for sale in choice.sales] + list(choice.left)) != list(
        range(len(shard.stops))
    ):
        found.append("a lot is sold twice, or neither sold nor left")
    for number, buyer in enumerate(shard.buyers):
        mass = sum(
            (shard.stops[sale.stop].mass_kg for sale in choice.sales if sale.buyer == number), ZERO
        )
        if buyer.capacity_kg is not None and mass > buyer.capacity_kg:
            found.append(f"buyer {number} gets {mass} kg of {buyer.capacity_kg}")
    found += [
        f"nobody bid that for lot {sale.stop}"
        for sale in choice.sales
        if Bid(sale.stop, sale.use, sale.worth) not in shard.buyers[sale.buyer].bids
    ]
    worth = sum((sale.worth for sale in choice.sales), ZERO)
    if worth - sum((plan.cost for plan in choice.plans), ZERO) != choice.surplus:
        found.append("the surplus is not what the sales and trips come to")
    return tuple(found)
