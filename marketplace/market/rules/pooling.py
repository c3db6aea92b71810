"""Pools: which lots go together, to whom, on which lorry, and who pays how much of it.

:func:`plan_pools` decides on one market; :func:`shards` cuts a large market into parts that need not wait for each other,
each a market by itself. The parts are best run one a job, and what they take from orders and licences is drawn under
locks when a pool is kept: a pool that finds too little left is simply not kept, and its lots wait for the next run.
"""

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal

import h3

from .pool_candidates import Candidates
from .pool_choice import Column, choose
from .pool_offers import draws_of, gain_is_enough, offered
from .pool_routes import Ground
from .pool_search import Clock, Look, Search
from .pool_terms import ZERO, Alone, Market, Pool, PoolLot, Run, Segregation, UseChoice

COARSEST = 2
"""The largest H3 cells that a part is cut by: 86,800 km2, the reach of a day's lorry."""

FINEST = 5
"""The smallest H3 cells that a part is cut by: 253 km2, about a town."""

STATUSES = ("EMPTY", "OPTIMAL", "TIME_LIMIT", "GREEDY")
"""From the best to the worst: a run is as good as its worst part."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look. The same effort gives the same answer, unless the seconds run out first.

    :param seconds: processor time for the whole run; the best answer so far stands when they are over
    :param look: rounds of the search, and steps of each routing
    :param choice_seconds: most time of the last choice between all pools of a part
    """

    seconds: float = 160.0
    look: Look = field(default_factory=Look)
    choice_seconds: float = 20.0


def plan_pools(
    market: Market,
    *,
    seed: int,
    effort: Effort | None = None,
    clock: Clock = time.process_time,
) -> Run:
    """Return the pools of a market, shared, with a bound on how good any other choice of them could be.

    Every seller in a pool has at least what they have alone, to the cent. A pool that does not pay is not returned.
    The parts that :func:`shards` cuts are planned one after the other, each with what the ones before left of orders
    and licences.

    :param seed: of the searches; the same market, effort and seed give the same answer
    :param clock: processor seconds so far, for the time limit alone
    :raises ValueError: if an order names a site that is not there, two lots have one id, or a mass is not above 0
    """
    validate(market)
    effort = effort or Effort()
    began = clock()
    parts = shards(market)
    whole = max(len(market.lots), 1)
    drawn: dict[str, Decimal] = defaultdict(lambda: ZERO)
    answers, seen = [], 0
    for number, part in enumerate(parts):
        seen += len(part.lots)
        until = began + effort.seconds * seen / whole
        answer = _plan_part(_after(part, drawn), seed + number, effort, until, clock)
        for pool in answer.pools:
            for name, kg in drawn_by(market, pool).items():
                drawn[name] += kg
        answers.append(answer)
    return _together(market, seed, answers, clock() - began)


def reshared(market: Market, pool: Pool, *, leaving: Collection[int]) -> Pool | None:
    """Return a pool without some of its sellers, its lorry shared anew among those who stay.

    The order of the stops stays as it was told to people; the kind of lorry and the times may change.

    :param market: the lots, sites, orders and tariff as they are now; lots that are gone are left out as well
    :param leaving: sellers
    :returns: None if it no longer pays, for one of them or for all, or no lorry can drive it; then it is to be planned anew
    """
    staying = {lot for share in pool.shares if share.seller not in leaving for lot in share.lots}
    kept = tuple(lot for lot in market.lots if lot.id in staying)
    if not kept:
        return None
    now = replace(market, lots=kept)
    ground = Ground(now, Candidates(now).loads(), pool.group)
    sites = [at for at, outlet in enumerate(ground.sites) if outlet.id == pool.outlet]
    if not sites:
        return None
    stops = {load.lots[0].id: at for at, load in enumerate(ground.loads)}
    order = [
        stops[min(share.lots)]
        for share in pool.shares
        if min(share.lots) in stops and (stops[min(share.lots)], sites[0]) in ground.taken
    ]
    if not order:
        return None
    tour = ground.tour(sites[0], order)
    return offered(ground, tour) if gain_is_enough(now, tour, ground) else None


def shard_name(part: Market) -> str:
    """Return a short name of a part that :func:`shards` has cut: the same as long as its lots are.

    Country, landmass, group, the H3 cell of its first lot, and eight hexadecimal digits of all its lots.
    """
    first = min(part.lots, key=lambda lot: lot.id)
    cell = h3.latlng_to_cell(*first.place, COARSEST)
    lots = ",".join(str(lot.id) for lot in sorted(part.lots, key=lambda lot: lot.id))
    digest = hashlib.sha256(lots.encode()).hexdigest()[:8]
    return f"{first.country}/{first.landmass or '-'}/{first.group}/{cell}/{digest}"


def shards(market: Market, *, most_lots: int = 1500) -> list[Market]:
    """Cut a market into parts that share no lot and could not share a lorry, or hardly would.

    By country, landmass and dangerous-goods group; a part with more than ``most_lots`` lots further by H3 cell, from
    resolution 2 (86,800 km2) on. Each part has the sites of its country and the orders for its group.

    :source: H3, https://h3geo.org, cells of the resolutions' mean areas
    """
    piles: dict[tuple[str, str, Segregation], list[PoolLot]] = defaultdict(list)
    for lot in market.lots:
        piles[lot.country, lot.landmass, lot.group].append(lot)
    parts: list[Market] = []
    for country, landmass, group in sorted(piles):
        outlets = tuple(one for one in market.outlets if one.country == country)
        known = {one.id for one in outlets}
        orders = tuple(one for one in market.orders if one.outlet in known and group in one.groups)
        lots = sorted(piles[country, landmass, group], key=lambda lot: lot.id)
        parts.extend(
            replace(market, lots=tuple(some), outlets=outlets, orders=orders)
            for some in by_cells(lots, most=most_lots)
        )
    return parts


def by_cells(
    lots: Sequence[PoolLot], *, most: int, resolution: int = COARSEST
) -> list[list[PoolLot]]:
    """Cut lots into neighbourhoods of at most ``most``, whole H3 cells where that is possible.

    Cells that follow each other in H3's numbering lie side by side mostly, so small ones are put together in it.

    :raises ValueError: if ``most`` is below 1
    """
    if most < 1:
        raise ValueError("A part has at least one lot.")
    if len(lots) <= most:
        return [list(lots)]
    cells: dict[str, list[PoolLot]] = defaultdict(list)
    for lot in lots:
        cells[h3.latlng_to_cell(*lot.place, resolution)].append(lot)
    parts: list[list[PoolLot]] = [[]]
    for cell in sorted(cells):
        here = cells[cell]
        if len(here) > most and resolution < FINEST:
            parts.extend(by_cells(here, most=most, resolution=resolution + 1))
            parts.append([])
        elif len(parts[-1]) + len(here) > most:
            parts.append(here)
        else:
            parts[-1] = [*parts[-1], *here]
    return [part for part in parts if part]


def validate(market: Market) -> None:
    """Refuse what is no market.

    :raises ValueError: if an order names a site that is not there, an id stands twice, or a mass or payload is not above 0
    """
    sites = {outlet.id for outlet in market.outlets}
    if any(order.outlet not in sites for order in market.orders):
        raise ValueError("Every order needs its site.")
    for rows in (market.lots, market.outlets, market.orders):
        ids = [row.id for row in rows]
        if len(set(ids)) != len(ids):
            raise ValueError("No id may stand twice.")
    if any(lot.mass_kg <= 0 for lot in market.lots):
        raise ValueError("Every lot needs a mass above 0.")
    if any(lorry.payload_kg <= 0 for lorry in market.tariff.lorries):
        raise ValueError("Every lorry needs a payload above 0.")
    if market.ends_at <= market.starts_at:
        raise ValueError("A run ends after it starts.")


def drawn_by(market: Market, pool: Pool) -> dict[str, Decimal]:
    """Return the kg that a pool draws from orders (``order:7``) and licences (``licence:X``)."""
    orders = {order.id: order for order in market.orders}
    drawn: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for line in pool.sold:
        drawn[f"order:{line.order}"] += line.mass_kg
        if orders[line.order].licence:
            drawn[f"licence:{orders[line.order].licence}"] += line.mass_kg
    return dict(drawn)


def _after(market: Market, drawn: Mapping[str, Decimal]) -> Market:
    """Return the market with what earlier parts left of its orders and licences."""
    orders = tuple(
        replace(order, kg_left=order.kg_left - drawn.get(f"order:{order.id}", ZERO))
        for order in market.orders
    )
    licences = {
        name: kg - drawn.get(f"licence:{name}", ZERO) for name, kg in market.licence_kg_left.items()
    }
    return replace(market, orders=orders, licence_kg_left=licences)


@dataclass(frozen=True, slots=True)
class _Answer:
    pools: tuple[Pool, ...]
    alone: tuple[Alone, ...]
    uses: tuple[UseChoice, ...]
    greedy_gain: float
    bound_gain: Decimal
    candidates: int
    status: str


def _plan_part(market: Market, seed: int, effort: Effort, until: float, clock: Clock) -> _Answer:
    candidates = Candidates(market)
    loads = candidates.loads()
    ground = Ground(market, loads, market.lots[0].group)
    if len(ground.loads) < 2:
        return _Answer((), tuple(load.alone for load in loads), (), 0.0, ZERO, 0, "EMPTY")
    search = Search(ground, seed=seed, look=effort.look, until=until, clock=clock)
    board = search.run()
    tours = [tour for tour in search.with_neighbours(board) if gain_is_enough(market, tour, ground)]
    columns = [Column(tour.value, frozenset(tour.stops), draws_of(ground, tour)) for tour in tours]
    most = {name: float(kg) for name, kg in ground.limits.items()}
    for site in range(len(ground.sites)):
        for kind, lorry in enumerate(market.tariff.lorries):
            most[f"lorry:{site}:{kind}"] = float(lorry.number)
    place = {tour.key: at for at, tour in enumerate(tours)}
    floor = {place[tour.key] for tour in board.tours if tour.key in place}
    refused: set[int] = set()
    while True:
        left = [at for at in range(len(tours)) if at not in refused]
        choice = choose(
            [columns[at] for at in left],
            most,
            seconds=effort.choice_seconds,
            floor=[number for number, at in enumerate(left) if at in floor],
        )
        told = {left[number]: offered(ground, tours[left[number]]) for number in choice.chosen}
        missing = {at for at, pool in told.items() if pool is None}
        if not missing:
            pools = [pool for pool in told.values() if pool is not None]
            fetched = {stop for at in told for stop in tours[at].stops}
            break
        refused |= missing  # no lorry drives it in time, or not for its money: choose without it
    pooled = {id(ground.loads[stop]) for stop in fetched}
    lots = {lot.id: lot for lot in market.lots}
    orders = {order.id: order for order in market.orders}
    value = sum((pool.gain for pool in pools), ZERO)
    return _Answer(
        pools=tuple(sorted(pools, key=lambda pool: pool.key)),
        alone=tuple(load.alone for load in loads if id(load) not in pooled),
        uses=tuple(
            candidates.use_of(lots[line.lot], orders[line.order])
            for pool in pools
            for line in pool.sold
        ),
        greedy_gain=choice.greedy_value,
        bound_gain=max(Decimal(str(round(choice.bound, 2))), value),
        candidates=len(columns),
        status=choice.status,
    )


def _together(market: Market, seed: int, answers: Sequence[_Answer], seconds: float) -> Run:
    pools = tuple(pool for answer in answers for pool in answer.pools)
    alone = tuple(one for answer in answers for one in answer.alone)
    apart = sum((one.net for one in alone), ZERO)
    apart += sum((share.alone for pool in pools for share in pool.shares), ZERO)
    value = apart + sum((pool.gain for pool in pools), ZERO)
    bound = apart + sum((answer.bound_gain for answer in answers), ZERO)
    greedy = apart + Decimal(str(round(sum(answer.greedy_gain for answer in answers), 2)))
    statuses = [answer.status for answer in answers]
    return Run(
        inputs_digest=inputs_digest(market, seed),
        seed=seed,
        status=max(statuses, key=STATUSES.index, default="EMPTY"),
        value=value,
        alone_value=apart,
        greedy_value=min(greedy, value),
        bound=bound,
        gap=((bound - value) / value).quantize(Decimal("0.000001")) if value > 0 else ZERO,
        candidates=sum(answer.candidates for answer in answers),
        seconds=round(seconds, 3),
        pools=pools,
        alone=alone,
        uses=tuple(use for answer in answers for use in answer.uses),
    )


def inputs_digest(market: Market, seed: int) -> str:
    """Return the sha256 of all that a run decides on, hexadecimal."""
    told = json.dumps(asdict(market), default=_plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{seed}|{told}".encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"No plain form of {type(value).__name__}.")
