"""Optional pick-ups with mixed trucks and fixed prices, by the product's own routing.

python -m benchmarks.pickups FILE.json --seconds 10      (own/pc_hfvrp_trap.json and its family)

Prints one JSON object: a value per instance (cost of the trips, a price per stop, and the price alone of
what is left; to be small), what fetching all would cost, processor seconds, feasible.
"""

import argparse
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from marketplace.freight.rules.distances import Matrix
from marketplace.freight.rules.route_check import faults
from marketplace.freight.rules.routing import Effort, plan_trips
from marketplace.freight.rules.trips import Stop, Task, Vehicle


def exact(number: float) -> Decimal:
    return Decimal(str(number))


def task_of(file: dict[str, Any], instance: dict[str, Any]) -> Task:
    """Return an instance as a task: node 0 is the site, distances are rounded to 100 m."""
    xy = np.array(instance["xy_km"], dtype=float)
    km = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) * instance["detour"]
    hectometres = np.rint(km * 10).astype(np.int64)
    fleet = tuple(
        Vehicle(
            kind["name"],
            exact(kind["payload_kg"]),
            None,
            instance.get("max_stops"),
            exact(kind["fixed_usd"]),
            exact(kind["usd_per_km"]),
            number=instance["n"],
        )
        for kind in file["vehicles"]
    )
    stops = tuple(
        Stop(at, at + 1, exact(kg), required=False, prize=exact(prize))
        for at, (kg, prize) in enumerate(
            zip(instance["kg"], instance["standalone_usd"], strict=True)
        )
    )
    return Task(Matrix(hectometres, hectometres), 0, stops, fleet, per_stop=exact(file["stop_usd"]))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("file", type=Path)
    asked.add_argument("--seconds", type=float, default=10.0, help="of processor time, each")
    asked.add_argument("--seeds", type=int, default=1)
    given = asked.parse_args()
    file = json.loads(given.file.read_text())
    answers = []
    for instance in file["instances"]:
        task = task_of(file, instance)
        effort = Effort(seconds=given.seconds, seeds=tuple(range(1, given.seeds + 1)))
        plan = plan_trips(task, effort=effort)
        every = replace(task, stops=tuple(replace(one, required=True) for one in task.stops))
        required = plan_trips(every, effort=replace(effort, seconds=given.seconds / 4))
        answers.append(
            {
                "n": instance["n"],
                "value": float(plan.objective),
                "all_required": float(required.cost),
                "left": len(plan.left),
                "seconds": round(plan.seconds, 2),
                "feasible": not faults(task, plan),
                "best_known": instance.get("best_known"),
            }
        )
    print(json.dumps({"instances": answers}))


if __name__ == "__main__":
    main()
