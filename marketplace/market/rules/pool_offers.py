"""Turn a chosen tour into a pool that can be offered: exact tariff, times, and everybody's share to the cent."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import numpy as np

from marketplace.core.money import minor_unit
from marketplace.freight.rules.trips import Task, Trip, trip

from .games import LARGEST_EXACT_GAME, Truck, freight_game
from .pool_candidates import Load, Taken, own_trip_cost, parcel_cost
from .pool_routes import Ground, Tour
from .pool_search import task_of
from .pool_terms import ZERO, Market, Pool, PoolShare, PoolStop, Sold
from .sharing import NotShareable, Sharing, share, share_large


def offered(ground: Ground, tour: Tour) -> Pool | None:
    """Return the pool of a tour, or None if no lorry can drive it in time or it does not pay by the exact tariff."""
    prizes = {stop: float(ground.prize[stop, tour.site]) for stop in tour.stops}
    for in_a_day in (True, False):
        task, loads = task_of(ground, tour.site, prizes, in_a_day=in_a_day)
        order = tuple(loads.index(stop) for stop in tour.stops)
        trips = [trip(task, kind, order) for kind in range(len(task.fleet))]
        made = [one for one in trips if one is not None]
        if made:
            break
    else:
        return None
    driven = min(made, key=lambda one: one.cost)
    taken = [ground.taken[stop, tour.site] for stop in tour.stops]
    try:
        split = _split(ground, task, order, driven, taken)
    except NotShareable:
        return None
    return _told(ground, tour, task, driven, taken, split)


def _split(
    ground: Ground, task: Task, order: tuple[int, ...], driven: Trip, taken: list[Taken]
) -> Sharing:
    """Share the lorry between its stops, each stop one player."""
    nodes = np.array([0, *(task.stops[at].place for at in order)])
    km = task.matrix.hectometres[np.ix_(nodes, nodes)] / 10.0
    kg = np.array([float(one.mass_kg) for one in taken])
    trucks = [
        Truck(
            vehicle.name,
            float(vehicle.payload_kg),
            float(vehicle.fixed),
            float(vehicle.per_km),
            float("inf") if vehicle.volume_m3 is None else float(vehicle.volume_m3),
        )
        for vehicle in task.fleet
    ]
    alone = [one.most_freight for one in taken]
    unit = minor_unit(ground.market.currency)
    per_stop = float(task.per_stop)
    if len(order) > LARGEST_EXACT_GAME:
        return share_large(
            km, kg, trucks, total=driven.cost, alone=alone, stop_cost=per_stop, unit=unit
        )
    costs = freight_game(
        km,
        kg,
        trucks,
        np.array([float(most) for most in alone]),
        stop_cost=per_stop,
        most_stops=ground.most_stops,
        volumes=np.array([float(one.volume_m3) for one in taken]),
    )
    return share(costs, total=driven.cost, alone=alone, unit=unit)


def _told(
    ground: Ground, tour: Tour, task: Task, driven: Trip, taken: list[Taken], split: Sharing
) -> Pool:
    market, outlet = ground.market, ground.sites[tour.site]
    lorry = market.tariff.lorries[driven.vehicle]
    loads = [ground.loads[stop] for stop in tour.stops]
    stops, here = [], task.site
    for load, one, visit in zip(loads, taken, driven.visits, strict=True):
        there = task.stops[visit.stop].place
        stops.append(
            PoolStop(
                seller=load.seller,
                lots=tuple(lot.id for lot, _order in one.lots),
                place=load.place,
                arrives_at=market.starts_at + timedelta(minutes=visit.arrives),
                loads_at=market.starts_at + timedelta(minutes=visit.begins),
                km_before=task.matrix.km(here, there),
            )
        )
        here = there
    shares = tuple(
        _share_of(load, one, pays, number, split)
        for number, (load, one, pays) in enumerate(zip(loads, taken, split.shares, strict=True))
    )
    apart = sum(
        (_sent_alone(ground, load, one) for load, one in zip(loads, taken, strict=True)), ZERO
    )
    sold = tuple(
        Sold(lot.id, order.id, order.use, lot.mass_kg, order.price_per_kg, amount)
        for one in taken
        for (lot, order), amount in zip(one.lots, one.amounts, strict=True)
    )
    lots = sorted(line.lot for line in sold)
    told = f"{outlet.id}|{lorry.name}|{','.join(map(str, lots))}"
    return Pool(
        key=hashlib.sha256(told.encode()).hexdigest()[:32],
        outlet=outlet.id,
        buyer=outlet.buyer,
        group=ground.group,
        country=outlet.country,
        lorry=lorry.name,
        sold=sold,
        stops=tuple(stops),
        departs_at=market.starts_at + timedelta(minutes=driven.departs),
        unloads_at=market.starts_at + timedelta(minutes=driven.at_site),
        returns_at=market.starts_at + timedelta(minutes=driven.returns),
        km=driven.km,
        mass_kg=driven.mass_kg,
        fill=(driven.mass_kg / lorry.payload_kg).quantize(Decimal("0.0001")),
        gross=sum((one.gross for one in taken), ZERO),
        freight=driven.cost,
        stand_alone_freight=apart,
        shares=shares,
        sharing=split.method,
        in_core=split.in_core,
        is_exact=split.is_exact,
        epsilon=split.epsilon,
        worst_gain=split.worst_gain,
        worst_group=split.worst_group,
    )


def _share_of(load: Load, one: Taken, pays: Decimal, number: int, split: Sharing) -> PoolShare:
    net = one.gross - pays + one.others_net
    return PoolShare(
        seller=load.seller,
        lots=load.alone.lots,
        gross=one.gross,
        freight=pays,
        others_net=one.others_net,
        net=net,
        alone=load.alone.net,
        alone_way=load.alone.way,
        alone_freight=one.most_freight,
        gain=net - load.alone.net,
        reason=split.reasons[number],
    )


def _sent_alone(ground: Ground, load: Load, one: Taken) -> Decimal:
    """Return what sending the same goods to the same site alone costs: as parcels or by one's own lorry."""
    market = ground.market
    outlet = next(site for site in ground.sites if site.id == one.outlet)
    node = len(ground.sites) + ground.loads.index(load)
    km = 2 * ground.matrix.km(ground.sites.index(outlet), node)
    trip_cost = own_trip_cost(market, ground.group, km=km, mass_kg=one.mass_kg)
    parcels = [parcel_cost(market, lot.mass_kg) for lot, _order in one.lots]
    ways = [] if trip_cost is None else [trip_cost]
    if all(cost is not None for cost in parcels):
        ways.append(sum((cost for cost in parcels if cost is not None), ZERO))
    return min(ways, default=ZERO)


def gain_is_enough(market: Market, tour: Tour, ground: Ground) -> bool:
    """Tell whether a tour is a pool worth offering: several sellers, and a gain above the least part of what they have."""
    sellers = {ground.loads[stop].seller for stop in tour.stops}
    alone = sum(float(ground.loads[stop].alone.net) for stop in tour.stops)
    policy = market.policy
    return (
        len(sellers) >= policy.least_sellers
        and tour.value > 1e-6
        and tour.value >= float(policy.least_gain_share) * alone
    )


def draws_of(ground: Ground, tour: Tour) -> Mapping[str, float]:
    """Return what a tour uses of orders, licences and lorries."""
    draws: dict[str, float] = {}
    for stop in tour.stops:
        for name, kg in ground.taken[stop, tour.site].draws.items():
            draws[name] = draws.get(name, 0.0) + float(kg)
    kind = ground.lorry(tour.kg, tour.volume, tour.km)
    draws[f"lorry:{tour.site}:{kind}"] = 1.0
    return draws
