"""How lorries are shared: every pool of a file of freight games, with the product's own rules.

python -m benchmarks.sharing ../shared/optimisation/own/coop_pools.json
"""

import argparse
import json
import sys
import time
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from pathlib import Path

import numpy as np

from marketplace.market.rules import games, sharing

CENT = Decimal("0.01")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("file", type=Path)
    told = json.loads(asked.parse_args().file.read_text())
    started = time.process_time()
    pools = [shared(told, pool) for pool in told["pools"]]
    json.dump({"pools": pools, "cpu_seconds": round(time.process_time() - started, 3)}, sys.stdout)
    sys.stdout.write("\n")


def shared(told: dict, pool: dict) -> dict:  # type: ignore[type-arg]
    """Return one pool's shares, its core and its least-core value, as plain data."""
    kg = np.array(pool["kg"], dtype=float)
    trucks = [
        games.Truck(kind["name"], kind["payload_kg"], kind["fixed_usd"], kind["usd_per_km"])
        for kind in told["vehicles"]
    ]
    parcels = np.maximum(told["parcel_min"], told["parcel_per_kg"] * kg)
    distances = np.array(pool["dist_km"], dtype=float)
    if len(kg) <= games.LARGEST_EXACT_GAME:
        costs = games.freight_game(distances, kg, trucks, parcels, stop_cost=told["stop_usd"])
        single, whole = costs[1 << np.arange(len(kg))], float(costs[-1])
    else:
        costs, single, whole = None, parcels, float(pool["total_cost"])
    alone = [Decimal(str(cost)).quantize(CENT, ROUND_DOWN) for cost in single]
    total = Decimal(str(whole)).quantize(CENT, ROUND_HALF_EVEN)
    if costs is not None:
        total = min(total, sum(alone, Decimal(0)))
        split = sharing.share(costs, total=total, alone=alone)
        epsilon = sharing.least_core(costs, whole)
        shapley = [round(part, 4) for part in games.shapley(costs)]
    else:
        split = sharing.share_large(
            distances, kg, trucks, total=total, alone=alone, stop_cost=told["stop_usd"]
        )
        epsilon, shapley = float(split.epsilon or 0), None
    return {
        "n": len(kg),
        "total_cost": round(whole, 4),
        "shares": [float(part) for part in split.shares],
        "standalone": [round(float(cost), 4) for cost in single],
        "core_nonempty": epsilon >= -1e-6,
        "in_core": split.in_core,
        "epsilon": round(epsilon, 4),
        "worst_gain": float(split.worst_gain),
        "worst_group": list(split.worst_group),
        "method": split.method,
        "exact": split.is_exact,
        "shapley": shapley,
    }


if __name__ == "__main__":
    main()
