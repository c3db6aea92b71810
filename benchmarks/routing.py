"""A CVRPLIB instance (X, XML100: distances rounded to whole numbers) by the product's own routing.

python -m benchmarks.routing FILE.vrp --seconds 60

Prints one JSON object: cost, seconds of processor time, feasible (checked without the solver), routes.
"""

import argparse
import json
from decimal import Decimal
from pathlib import Path

import numpy as np

from marketplace.freight.rules.distances import Matrix
from marketplace.freight.rules.route_check import faults
from marketplace.freight.rules.routing import Effort, plan_trips
from marketplace.freight.rules.trips import Stop, Task, Vehicle


def read(file: Path) -> tuple[Task, list[str]]:
    """Return an instance as a task, and the names of its customers.

    A unit of distance is a tenth of a km that costs 1, so the plan's cost is the tour's length.
    """
    section, head = "", {}
    points: dict[str, tuple[float, float]] = {}
    demand: dict[str, int] = {}
    depots: list[str] = []
    for line in file.read_text().splitlines():
        words = line.split()
        if not words or words == ["EOF"]:
            continue
        if words[0].endswith("_SECTION"):
            section = words[0]
        elif ":" in line and not section:
            key, _, value = line.partition(":")
            head[key.strip()] = value.strip()
        elif section == "NODE_COORD_SECTION":
            points[words[0]] = (float(words[1]), float(words[2]))
        elif section == "DEMAND_SECTION":
            demand[words[0]] = int(words[1])
        elif section == "DEPOT_SECTION" and words[0] != "-1":
            depots.append(words[0])
    if head.get("EDGE_WEIGHT_TYPE") != "EUC_2D" or len(depots) != 1:
        raise SystemExit(f"{file.name} is not a CVRP with one depot and rounded plane distances.")
    names = [depots[0], *(name for name in points if name != depots[0])]
    xy = np.array([points[name] for name in names])
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    whole = np.floor(apart + 0.5).astype(np.int64)
    stops = tuple(
        Stop(key=at, place=at, mass_kg=Decimal(demand[name])) for at, name in enumerate(names) if at
    )
    truck = Vehicle(
        "truck", Decimal(head["CAPACITY"]), None, None, Decimal(0), Decimal(10), number=len(stops)
    )
    return Task(Matrix(whole, whole), 0, stops, (truck,)), names


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("file", type=Path)
    asked.add_argument("--seconds", type=float, default=60.0, help="of processor time, in all")
    asked.add_argument("--seeds", type=int, default=2, help="searches, each with its share of time")
    given = asked.parse_args()
    task, _names = read(given.file)
    plan = plan_trips(
        task, effort=Effort(seconds=given.seconds, seeds=tuple(range(1, given.seeds + 1)))
    )
    answer = {
        "instance": given.file.stem,
        "cost": int(plan.cost),
        "seconds": round(plan.seconds, 2),
        "feasible": not faults(task, plan) and not plan.left,
        "iterations": plan.iterations,
        "routes": [[stop + 1 for stop in one.stops] for one in plan.trips],
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
