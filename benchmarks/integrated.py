"""Buyer, use and trip chosen together, by the product's own rules.

python -m benchmarks.integrated FILE.json --seconds 5      (own/integrated_exact.json and its family)

Prints one JSON object: a value per instance (surplus over all lots alone, to be large), processor seconds,
feasible (checked without the solver). The trucks are those of the file, or else of coop_pools.json beside it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pickups import exact
from marketplace.freight.rules.distances import Matrix
from marketplace.freight.rules.integrated import Bid, Buyer, Shard, choice_faults, choose
from marketplace.freight.rules.routing import Effort
from marketplace.freight.rules.trips import Stop, Vehicle

TRUCKS = [
    {"name": "lcv", "payload_kg": 1000, "fixed_usd": 55.0, "usd_per_km": 0.336},
    {"name": "3.5t", "payload_kg": 3500, "fixed_usd": 75.0, "usd_per_km": 0.504},
    {"name": "9t", "payload_kg": 9000, "fixed_usd": 110.0, "usd_per_km": 0.744},
    {"name": "16t", "payload_kg": 16000, "fixed_usd": 160.0, "usd_per_km": 0.984},
]
STOP_USD = 6.0


def shard_of(file: dict[str, Any], instance: dict[str, Any]) -> Shard:
    """Return an instance as a shard: lots first, then the buyers' sites; distances rounded to 100 m."""
    xy = np.array(instance["lots_xy_km"] + instance["buyers_xy_km"], dtype=float)
    km = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) * file["detour"]
    hectometres = np.rint(km * 10).astype(np.int64)
    lots = len(instance["kg"])
    fleet = tuple(
        Vehicle(
            kind["name"],
            exact(kind["payload_kg"]),
            None,
            instance.get("max_stops"),
            exact(kind["fixed_usd"]),
            exact(kind["usd_per_km"]),
            number=lots,
        )
        for kind in file.get("vehicles", TRUCKS)
    )
    buyers = tuple(
        Buyer(
            key=number,
            site=lots + number,
            fleet=fleet,
            bids=tuple(
                Bid(at, "sell", exact(price) * exact(kg) - exact(alone))
                for at, (price, kg, alone) in enumerate(
                    zip(prices, instance["kg"], instance["alone_usd"], strict=True)
                )
                if price >= 0
            ),
        )
        for number, prices in enumerate(instance["price_usd_kg"])
    )
    stops = tuple(Stop(at, at, exact(kg)) for at, kg in enumerate(instance["kg"]))
    per_stop = exact(file.get("stop_usd", STOP_USD))
    return Shard(Matrix(hectometres, hectometres), stops, buyers, per_stop=per_stop)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("file", type=Path)
    asked.add_argument("--seconds", type=float, default=5.0, help="of processor time, each")
    given = asked.parse_args()
    file = json.loads(given.file.read_text())
    beside = given.file.with_name("coop_pools.json")
    if "vehicles" not in file and beside.exists():
        pools = json.loads(beside.read_text())
        file |= {"vehicles": pools["vehicles"], "stop_usd": pools["stop_usd"]}
    answers = []
    for instance in file["instances"]:
        shard = shard_of(file, instance)
        choice = choose(shard, effort=Effort(seconds=given.seconds))
        answers.append(
            {
                "seed": instance.get("seed"),
                "value": float(choice.surplus),
                "optimum": instance.get("optimum_surplus_usd"),
                "origin": choice.origin,
                "seconds": round(choice.seconds, 2),
                "feasible": not choice_faults(shard, choice),
            }
        )
    print(json.dumps({"instances": answers}))


if __name__ == "__main__":
    main()
