"""Check a run of pools without a solver: from the lots, orders and tariff alone, in plain decimal sums.

It shares no code with the search, so an error there is found here. What it cannot see is whether a better run exists.
"""

from collections import Counter, defaultdict
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from marketplace.core.money import payable
from marketplace.core.quantities import great_circle_km

from .pool_terms import ZERO, Market, Outlet, Pool, PoolLot, PoolOrder, Run


def faults(market: Market, run: Run) -> tuple[str, ...]:
    """Return what is wrong with a run, one sentence a fault; nothing if it may be offered.

    :param market: what the run was given
    """
    lots = {lot.id: lot for lot in market.lots}
    orders = {order.id: order for order in market.orders}
    sites = {outlet.id: outlet for outlet in market.outlets}
    found = _each_once(market, run)
    if found:
        return tuple(found)
    for pool in run.pools:
        told = [
            *_goods(pool, lots, orders, sites),
            *_way(market, pool, lots, sites),
            *_times(market, pool, lots),
            *_money(pool, lots),
        ]
        found.extend(f"Pool {pool.key}: {one}" for one in told)
    found.extend(_limits(market, run, orders))
    found.extend(_sums(run))
    return tuple(found)


def _each_once(market: Market, run: Run) -> list[str]:
    """Every lot of the market stands once: in a pool's shares, or alone."""
    stands = Counter(lot for pool in run.pools for share in pool.shares for lot in share.lots)
    stands.update(lot for one in run.alone for lot in one.lots)
    ids = {lot.id for lot in market.lots}
    found = [f"Lot {lot} stands {times} times." for lot, times in stands.items() if times > 1]
    found += [f"Lot {lot} is not of this market." for lot in stands if lot not in ids]
    found += [f"Lot {lot} has been forgotten." for lot in sorted(ids) if lot not in stands]
    known = {order.id for order in market.orders}
    found += [
        f"Order {line.order} is not of this market."
        for pool in run.pools
        for line in pool.sold
        if line.order not in known
    ]
    return found


def _goods(
    pool: Pool, lots: dict[int, PoolLot], orders: dict[int, PoolOrder], sites: dict[int, Outlet]
) -> list[str]:
    found = []
    if len({share.seller for share in pool.shares}) < 2:
        found.append("one seller is no pool.")
    if sites[pool.outlet].buyer != pool.buyer:
        found.append("the site is another buyer's.")
    if Counter(pool.lots) != Counter(line.lot for line in pool.sold):
        found.append("what is loaded is not what is sold.")
    for stop, share in zip(pool.stops, pool.shares, strict=True):
        if stop.seller != share.seller or not set(stop.lots) <= set(share.lots):
            found.append(f"stop of seller {stop.seller} loads what is not theirs.")
    for line in pool.sold:
        lot, order = lots[line.lot], orders[line.order]
        if lot.group != pool.group:
            found.append(f"lot {lot.id} may not travel with {pool.group}.")
        if order.outlet != pool.outlet or pool.group not in order.groups:
            found.append(f"order {order.id} is not for this site and group.")
        if lot.material != order.material or lot.seller in order.not_sellers:
            found.append(f"order {order.id} does not take lot {lot.id}.")
        least, most = order.least_health, order.most_health
        if least is not None and (lot.health is None or lot.health < least):
            found.append(f"lot {lot.id} is not in the health that order {order.id} asks.")
        if most is not None and lot.health is not None and lot.health > most:
            found.append(f"lot {lot.id} is better than order {order.id} takes.")
        if line.mass_kg != lot.mass_kg or line.price_per_kg != order.price_per_kg:
            found.append(f"lot {lot.id} is not sold as it is, or not at the order's price.")
        if line.use != order.use:
            found.append(f"lot {lot.id} does not go to the order's use.")
        site = sites[pool.outlet]
        if (lot.country, lot.landmass) != (site.country, site.landmass):
            found.append(f"lot {lot.id} is across a border or the sea.")
    return found


def _way(
    market: Market, pool: Pool, lots: dict[int, PoolLot], sites: dict[int, Outlet]
) -> list[str]:
    tariff, found = market.tariff, []
    lorry = next((one for one in tariff.lorries if one.name == pool.lorry), None)
    if lorry is None:
        return ["no such lorry."]
    mass = sum((lots[lot].mass_kg for lot in pool.lots), ZERO)
    volume = sum((lots[lot].volume_m3 or ZERO for lot in pool.lots), ZERO)
    if mass != pool.mass_kg or mass > lorry.payload_kg:
        found.append("the load is wrong, or too heavy for the lorry.")
    if lorry.volume_m3 is not None and volume > lorry.volume_m3:
        found.append("the load is too large for the lorry.")
    if len(pool.stops) > market.policy.most_stops:
        found.append("too many stops.")
    if any(lots[lot].place != stop.place for stop in pool.stops for lot in stop.lots):
        found.append("a stop is not where its lots are.")
    site = sites[pool.outlet].place
    path = [site, *(stop.place for stop in pool.stops), site]
    legs = [_road_km(a, b, tariff.road_factor) for a, b in pairwise(path)]
    if any(
        abs(stop.km_before - leg) > Decimal("0.1")
        for stop, leg in zip(pool.stops, legs, strict=False)
    ):
        found.append("a leg's length is wrong.")
    if abs(pool.km - sum(legs, ZERO)) > Decimal("0.1") * len(legs):
        found.append("the tour's length is wrong.")
    fixed, per_km = lorry.fixed, lorry.per_km
    if pool.group.is_lithium:
        fixed += tariff.dangerous_fixed
        per_km *= 1 + tariff.dangerous_per_km_share
    cost = fixed + per_km * pool.km + tariff.per_stop * len(pool.stops)
    if payable(cost, market.currency) != pool.freight:
        found.append("the freight is not by the tariff.")
    return found


def _times(market: Market, pool: Pool, lots: dict[int, PoolLot]) -> list[str]:
    found, tariff = [], market.tariff
    if pool.departs_at < market.starts_at or pool.returns_at > market.ends_at:
        found.append("the lorry is out before or after the run.")
    if pool.returns_at - pool.departs_at > timedelta(days=tariff.most_days):
        found.append("the lorry is out too long.")
    free = pool.departs_at
    for stop in pool.stops:
        drive = timedelta(hours=float(stop.km_before / tariff.speed_kmh))
        if stop.arrives_at < free + drive - timedelta(minutes=1) or stop.loads_at < stop.arrives_at:
            found.append(f"seller {stop.seller} is reached before the lorry can be there.")
        for lot in (lots[one] for one in stop.lots):
            early = lot.opens_at is not None and stop.loads_at < lot.opens_at
            if early or (lot.closes_at is not None and stop.loads_at > lot.closes_at):
                found.append(f"lot {lot.id} is fetched outside its hours.")
        free = stop.loads_at + timedelta(minutes=tariff.loading_minutes)
    if pool.unloads_at < free or pool.returns_at < pool.unloads_at:
        found.append("the lorry unloads before it is full.")
    return found


def _money(pool: Pool, lots: dict[int, PoolLot]) -> list[str]:
    found = []
    if sum((share.freight for share in pool.shares), ZERO) != pool.freight:
        found.append("the shares do not add up to the freight.")
    amounts = {line.lot: line.amount for line in pool.sold}
    if sum(amounts.values(), ZERO) != pool.gross:
        found.append("the amounts do not add up to what the buyer pays.")
    found += [
        f"lot {line.lot} is not paid by its mass and price."
        for line in pool.sold
        if abs(line.amount - line.mass_kg * line.price_per_kg) > 1
    ]
    for share, stop in zip(pool.shares, pool.stops, strict=True):
        if sum((amounts.get(lot, ZERO) for lot in stop.lots), ZERO) != share.gross:
            found.append(f"seller {share.seller} is not paid for their lots.")
        if share.net != share.gross - share.freight + share.others_net:
            found.append(f"the net of seller {share.seller} does not add up.")
        if share.net < share.alone or share.gain != share.net - share.alone:
            found.append(f"seller {share.seller} is worse off than alone.")
        sure = sum(
            (max([lots[lot].reserve, *lots[lot].gate_offers.values()]) for lot in share.lots), ZERO
        )
        if share.net < sure:
            found.append(f"seller {share.seller} gets less than at their own gate.")
    return found


def _limits(market: Market, run: Run, orders: dict[int, PoolOrder]) -> list[str]:
    by_order: dict[int, Decimal] = defaultdict(lambda: ZERO)
    by_licence: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for pool in run.pools:
        for line in pool.sold:
            by_order[line.order] += line.mass_kg
            if orders[line.order].licence:
                by_licence[orders[line.order].licence] += line.mass_kg
    found = [
        f"Order {order} is given more than it takes."
        for order, kg in sorted(by_order.items())
        if kg > orders[order].kg_left
    ]
    found += [
        f"Licence {name} is drawn beyond its year."
        for name, kg in sorted(by_licence.items())
        if kg > market.licence_kg_left.get(name, ZERO)
    ]
    most = {lorry.name: lorry.number for lorry in market.tariff.lorries}
    used = Counter((pool.outlet, pool.lorry, pool.group, pool.country) for pool in run.pools)
    found += [
        f"Site {outlet} has not so many lorries of {name}."
        for (outlet, name, _group, _country), times in sorted(used.items())
        if times > most.get(name, 0)
    ]
    return found


def _sums(run: Run) -> list[str]:
    found = []
    apart = sum((one.net for one in run.alone), ZERO)
    nets = apart + sum((share.net for pool in run.pools for share in pool.shares), ZERO)
    alone = apart + sum((share.alone for pool in run.pools for share in pool.shares), ZERO)
    if run.value != nets or run.alone_value != alone:
        found.append("The run's value is not the sum of what its sellers have.")
    if not run.alone_value <= run.greedy_value <= run.value <= run.bound:
        found.append("The run's value is not between its floor and its bound.")
    return found


def _road_km(a: tuple[float, float], b: tuple[float, float], factor: Decimal) -> Decimal:
    crow = Decimal(str(great_circle_km(a, b)))
    return (crow * factor).quantize(Decimal("0.1"), rounding=ROUND_HALF_EVEN)
