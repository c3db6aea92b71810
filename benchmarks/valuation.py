"""How long it takes to value many lots: the arithmetic alone, and the nightly job with its reading and storing.

.venv/bin/python -m marketplace.ops.stack --var var/bench -- .venv/bin/python -m benchmarks.valuation --lots 10000
"""

import argparse
import time
from random import Random
from uuid import UUID


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--lots", type=int, default=10_000)
    lots = asked.parse_args().lots

    from benchmarks import cast  # noqa: PLC0415 — sets Django up

    cast.reference()
    seller = cast.member("COLLECTOR")
    cast.piles(seller, lots, Random(1), UUID(int=1))
    for name, seconds, cpu, rows in (*arithmetic(lots), *nightly(lots)):
        each = cpu / max(rows, 1) * 1000
        print(
            f"{name:44} {rows:6} lots  {seconds:6.1f} s by the clock  {cpu:6.1f} s of one core  {each:.2f} ms a lot"
        )


def timed(name, work):  # type: ignore[no-untyped-def]
    clock, cpu = time.perf_counter(), time.process_time()
    rows = work()
    yield name, time.perf_counter() - clock, time.process_time() - cpu, rows


def arithmetic(lots: int):  # type: ignore[no-untyped-def]
    from django.utils import timezone  # noqa: PLC0415

    from marketplace.lots.models import Lot  # noqa: PLC0415
    from marketplace.pricing import queries, rules  # noqa: PLC0415

    market = queries.market_on(timezone.now().date())
    rows = list(
        Lot.objects.filter(status="PRICED").prefetch_related("identifiers", "passports")[:lots]
    )
    inputs = [queries.inputs_of(facts, market) for facts in queries.facts_of_lots(rows, market)]
    yield from timed("the range alone", lambda: len(rules.value_many(inputs, evidence=False)))
    yield from timed(
        "the range and what evidence would tell", lambda: len(rules.value_many(inputs))
    )


def nightly(lots: int):  # type: ignore[no-untyped-def]
    from django.utils import timezone  # noqa: PLC0415

    from marketplace.pricing import services  # noqa: PLC0415
    from marketplace.pricing.models import Valuation  # noqa: PLC0415

    def job() -> int:
        services.revalue_all(on=timezone.now().date(), now=timezone.now())
        return Valuation.objects.count()

    yield from timed("the nightly job, everything new", job)
    yield from timed("the nightly job, nothing new", job)


if __name__ == "__main__":
    main()
