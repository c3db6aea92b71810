"""Hold the range against what came: value a kilogram at old quotes, and look up what it was worth months later.

    .venv/bin/python -m marketplace.ops.stack --var var/bench -- .venv/bin/python -m benchmarks.backtest

For every month since 2010 a tonne of each kind is valued by quotes that are some months old, and the range is held
against the value by the quotes of the day. Aluminium, copper, lead and nickel move as the World Bank's monthly averages
did; lithium carbonate as the yearly averages of the USGS; cobalt, for which there is no free series, stands still. Everything
but the quotes is known in this: of a range that is right for its quotes, 80 % of the months fall into it.
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

PRICES = Path(
    os.environ.get("PRICES", Path(__file__).resolve().parents[2] / "shared/domain/prices")
)
COLUMNS = {"Al": "aluminium_usd_t", "Cu": "copper_usd_t", "Pb": "lead_usd_t", "Ni": "nickel_usd_t"}
KINDS = ("PBA", "NIMH", "NMC622", "LFP")
FIRST_YEAR = 2010
MONTHS_LATER = (1, 3, 6, 12)


def months() -> Iterator[tuple[date, dict[str, Decimal]]]:
    """Give the first day of each month with its prices, USD per kg."""
    with (PRICES / "usgs_li2co3_annual.csv").open(newline="") as file:
        lithium = {
            int(row["year"]): Decimal(row["usd_per_t_battery_grade_li2co3"]) / 1000
            for row in csv.DictReader(file)
        }
    with (PRICES / "worldbank_pinksheet_metals_monthly.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            year, month = (int(part) for part in row["month"].split("-"))
            if year < FIRST_YEAR:
                continue
            known = {
                metal: Decimal(row[column]) / 1000
                for metal, column in COLUMNS.items()
                if row[column]
            }
            known["Li2CO3"] = lithium[min(max(year, min(lithium)), max(lithium))]
            yield date(year, month, 1), known


def main() -> None:
    from benchmarks import cast  # noqa: PLC0415 — sets Django up

    cast.reference()
    from marketplace.pricing import rules  # noqa: PLC0415
    from marketplace.pricing.queries import Facts, inputs_of, market_on  # noqa: PLC0415
    from marketplace.pricing.rules import Band  # noqa: PLC0415

    today = market_on(date(2026, 11, 23))

    def worths(quoted_on, prices, on):  # type: ignore[no-untyped-def]
        quotes = {
            code: replace(
                quote,
                price_usd_per_kg=prices.get(code, quote.price_usd_per_kg),
                quoted_on=quoted_on,
            )
            for code, quote in today.quotes.items()
        }
        then = replace(today, on=on, quotes=quotes, lithium_point=None, _recipes={})
        asked = [
            only_quotes_are_unsure(inputs_of(Facts(chemistry=kind, mass_kg=Decimal(1000)), then))
            for kind in KINDS
        ]
        return rules.value_many(asked, evidence=False)

    def exactly(band: Band) -> Band:
        return Band.exactly(band.typical)

    def only_quotes_are_unsure(inputs):  # type: ignore[no-untyped-def]
        (makeup,) = inputs.makeups
        metals = tuple(
            replace(metal, content=exactly(metal.content), payable=exactly(metal.payable))
            for metal in makeup.recipe.metals
        )
        steps = tuple(
            replace(step, usd_per_kg=exactly(step.usd_per_kg)) for step in makeup.recipe.steps
        )
        trip = inputs.trip
        return replace(
            inputs,
            mass_kg=exactly(inputs.mass_kg),
            makeups=(replace(makeup, recipe=replace(makeup.recipe, metals=metals, steps=steps)),),
            shredding_loss=exactly(inputs.shredding_loss),
            moisture=exactly(inputs.moisture),
            trip=replace(
                trip,
                usd_per_tkm=exactly(trip.usd_per_tkm),
                km=exactly(trip.km),
                packing_usd_per_kg=exactly(trip.packing_usd_per_kg),
            ),
            pack=None,
        )

    series = list(months())
    came = {on: worths(on, prices, on) for on, prices in series}
    print(
        f"{len(series)} months, {series[0][0]:%Y-%m} to {series[-1][0]:%Y-%m}; share of months in the range, and the mean error of the typical value"
    )
    print(f"{'quotes are':16}" + "".join(f"{kind:>18}" for kind in KINDS))
    for later in MONTHS_LATER:
        inside, error, counted = [0] * len(KINDS), [0.0] * len(KINDS), 0
        for (quoted_on, prices), (on, _now) in zip(series, series[later:], strict=False):
            counted += 1
            for place, (said, true) in enumerate(
                zip(worths(quoted_on, prices, on), came[on], strict=True)
            ):
                inside[place] += said.low <= true.typical <= said.high
                error[place] += abs(float(said.typical - true.typical)) / max(
                    1.0, abs(float(true.typical))
                )
        cells = "".join(
            f"{inside[n] / counted:>10.0%}{error[n] / counted:>8.0%}" for n in range(len(KINDS))
        )
        print(f"{later:>2} months old   {cells}")


if __name__ == "__main__":
    main()
