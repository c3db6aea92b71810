"""What a lot is worth: a range with its reasons, by every route, and what more evidence would tell.

Recycling: content x payable x quote of each metal, less what shredding loses, less the steps of taking it apart, less
the way to a licensed plant. A payable is a share of a quote that buyers of black mass pay; it contains their recovery and
their leaching, so neither is taken off a second time. Iron phosphate lithium is paid by the point: one percent of lithium
in a tonne of black mass. A healthy pack may be worth more whole: usable kWh x price at its health x remaining life.

``typical`` is the exact sum of ``sums``; ``low`` and ``high`` are the 10 and 90 % marks of the seeded sample of ``sample``.
Same inputs, same seed, same range.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from .inputs import ONE, ZERO, Band, Gate, Inputs, Route, Term, cents, summed
from .sample import ROUTES, SAMPLES, Ranges, ranges
from .sums import terms_of

VERSION = "2026-11-2"

CLOSE = Decimal("0.05")
"""A better use that pays at most this share less than the best is the one we name.

:source: our own rule, after the waste hierarchy of the EU's Directive 2008/98/EC, article 4
"""

GRADES = ((Decimal("0.9"), "A"), (Decimal("0.8"), "B"), (Decimal("0.7"), "C"))

QUINTILES = (
    (Decimal("-1.4"), Decimal("0.2")),
    (Decimal("-0.53"), Decimal("0.2")),
    (ZERO, Decimal("0.2")),
    (Decimal("0.53"), Decimal("0.2")),
    (Decimal("1.4"), Decimal("0.2")),
)
"""Five outcomes of a measurement, each as likely: how many standard deviations off, and how likely."""

ONE_DEVIATION = Decimal("0.7803")
"""Of the distance from the middle of a band to its 10 or 90 % mark."""

CLAIM_SPREAD = Decimal("0.02")
"""What a capacity test leaves open of a pack's health, at the 10 and 90 % marks.

:source: our assumption, from the accuracy of battery testers (1 % of current, and temperature)
"""


class Because(StrEnum):
    """Why a route is the one we name."""

    ONLY_ONE = "only_one"
    PAYS_MOST = "pays_most"
    KEEPS_MORE = "keeps_more"
    COSTS_LEAST = "costs_least"


@dataclass(frozen=True, slots=True)
class RouteWorth:
    """One route of a lot: what it pays in USD, what it keeps in use, what it spares the air; or what bars it."""

    route: Route
    low: Decimal
    typical: Decimal
    high: Decimal
    kept_kwh: Decimal
    avoided_co2_kg: Decimal
    barred: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceWorth:
    """What one missing piece of evidence is expected to do to the range, in USD.

    ``raises_low_from`` and ``_to``: the middle half of what the low end may move by. ``narrows``: the share of the
    range that is expected to go, from 0 to 1. ``raises_typical``: the mean of what the typical value may move by.
    """

    code: str
    raises_low_from: Decimal
    raises_low_to: Decimal
    raises_typical: Decimal
    narrows: Decimal


@dataclass(frozen=True, slots=True)
class Worth:
    """The range in US dollars by the route that we name, the sum of its typical value, and all that it was weighed against."""

    low: Decimal
    typical: Decimal
    high: Decimal
    route: Route
    because: Because
    terms: tuple[Term, ...]
    routes: tuple[RouteWorth, ...]
    evidence: tuple[EvidenceWorth, ...]


def value(inputs: Inputs, *, seed: int = 1, samples: int = SAMPLES) -> Worth:
    """Return what a lot is worth. A lot may be worth less than nothing: then it costs money to be rid of.

    :param seed: draws the sample; the same seed gives the same range
    """
    (worth,) = value_many([inputs], seed=seed, samples=samples)
    return worth


def value_many(
    lots: Sequence[Inputs], *, seed: int = 1, samples: int = SAMPLES, evidence: bool = True
) -> list[Worth]:
    """Return what many lots are worth, each as ``value`` would say, at a small part of its cost.

    :param evidence: off: leave out what more evidence would tell, which is most of the work
    """
    found = ranges(lots, seed=seed, samples=samples)
    asked = [_questions(lot) if evidence else [] for lot in lots]
    outcomes = [outcome for questions in asked for _code, cases in questions for outcome in cases]
    told = ranges([case for case, _share in outcomes], seed=seed, samples=samples)
    at = 0
    worths = []
    for place, lot in enumerate(lots):
        worth = _worth(lot, found, place)
        answers = []
        for code, cases in asked[place]:
            answers.append(_told(code, cases, told, at, worth))
            at += len(cases)
        worths.append(replace(worth, evidence=tuple(answers)))
    return worths


def grade_of(health: Decimal) -> str | None:
    """Return the second-life grade of a state of health; nothing below 70 %.

    :source: our own bands; no harmonised ones exist

    >>> grade_of(Decimal("0.93")), grade_of(Decimal("0.7")), grade_of(Decimal("0.69"))
    ('A', 'C', None)
    """
    return next((grade for least, grade in GRADES if health >= least), None)


def quote_band(usd_per_kg: Decimal, *, age_days: int, volatility: Decimal) -> Band:
    """Return a quote as a band that widens with the root of its age.

    :param age_days: on the day of the sale that the value is for, not of the valuation
    :param volatility: what the price moves in a year, at the 10 and 90 % marks

    >>> quote_band(Decimal(10), age_days=365, volatility=Decimal("0.3"))
    Band(low=Decimal('7.0000'), typical=Decimal('10'), high=Decimal('13.0000'))
    """
    years = (Decimal(age_days) / 365).sqrt().quantize(Decimal("0.001"))
    return Band.around(usd_per_kg, min(Decimal("0.9"), volatility * years))


def rough(amount: Decimal, *, digits: int = 3) -> Decimal:
    """Return an estimate as people should read it: three digits, for the rest would claim to know too much.

    >>> rough(Decimal("190692.28")), rough(Decimal("-2243.90")), rough(Decimal("32.857")), rough(Decimal(0))
    (Decimal('191000'), Decimal('-2240'), Decimal('32.9'), Decimal('0'))
    """
    if not amount:
        return ZERO
    step = Decimal(1).scaleb(amount.adjusted() - digits + 1)
    return Decimal(f"{amount.quantize(step, rounding=ROUND_HALF_EVEN):f}")


def barred(inputs: Inputs, route: Route) -> tuple[Gate, ...]:
    """Return what keeps a lot from a route; nothing keeps one from recycling or, at worst, the furnace."""
    if route in (Route.RECYCLE, Route.RECOVER):
        return ()
    pack = inputs.pack
    if pack is None:
        return (Gate.CHEMISTRY_UNKNOWN,)
    gates = [*pack.barred]
    if route is Route.REUSE:
        gates += [gate for gate in pack.reuse_barred if gate not in gates]
    if pack.health is None:
        gates.append(Gate.NOT_TESTED)
    else:
        least = pack.reuse_health if route is Route.REUSE else pack.least_health
        if pack.health.typical < least:
            gates.append(Gate.TOO_WEAK)
    return tuple(gates)


def chosen(routes: Sequence[RouteWorth]) -> tuple[RouteWorth, Because]:
    """Return the route to name, and why: what pays most, or a better use that pays about as much.

    :param routes: in the order of the waste hierarchy, best use first; at least one is not barred
    """
    open_ones = [route for route in routes if not route.barred]
    best = max(open_ones, key=lambda route: route.typical)
    near = best.typical - CLOSE * abs(best.typical)
    for route in open_ones:
        if route is best:
            break
        if route.typical >= near:
            return route, Because.KEEPS_MORE
    if best.typical < 0:
        return best, Because.COSTS_LEAST
    others = [route for route in open_ones if route.route is not Route.RECOVER]
    return best, Because.PAYS_MOST if len(others) > 1 else Because.ONLY_ONE


def _worth(lot: Inputs, found: Ranges, place: int) -> Worth:
    sums: dict[Route, list[Term]] = {}
    routes = []
    for column, route in enumerate(ROUTES):
        gates = barred(lot, route)
        if gates:
            routes.append(RouteWorth(route, ZERO, ZERO, ZERO, ZERO, ZERO, gates))
            continue
        sums[route] = terms_of(lot, route)
        typical = summed(sums[route])
        routes.append(
            RouteWorth(
                route,
                min(typical, cents(Decimal(float(found.low[place, column])))),
                typical,
                max(typical, cents(Decimal(float(found.high[place, column])))),
                *_kept(lot, route),
            )
        )
    named, because = chosen(routes)
    return Worth(
        named.low,
        named.typical,
        named.high,
        named.route,
        because,
        tuple(sums[named.route]),
        tuple(routes),
        (),
    )


def _kept(lot: Inputs, route: Route) -> tuple[Decimal, Decimal]:
    """Return the kWh that a route keeps in use, and the kg of CO2 equivalent that it avoids, the way taken off."""
    mass = lot.mass_kg.typical
    way = mass * lot.trip.km.typical * lot.trip.co2_kg_per_tkm / 1000
    kept, avoided = ZERO, ZERO
    if route is Route.RECYCLE:
        for makeup in lot.makeups:
            avoided += mass * makeup.share * makeup.recipe.avoided_kg_per_kg.typical
    elif route is not Route.RECOVER and lot.pack is not None and lot.pack.health is not None:
        kept = lot.pack.energy_kwh.typical * lot.pack.health.typical
        avoided = kept * lot.pack.made_kg_per_kwh.typical * lot.pack.displaces
    return kept.quantize(Decimal("0.001")), (avoided - way).quantize(Decimal("0.1"))


Outcomes = list[tuple[Inputs, Decimal]]


def _questions(lot: Inputs) -> list[tuple[str, Outcomes]]:
    """Return the evidence that is missing, each with what it may turn out to say, and how likely that is."""
    questions: list[tuple[str, Outcomes]] = []
    if len(lot.makeups) > 1:
        kinds = [
            (replace(lot, makeups=(replace(kind, share=ONE),)), kind.share) for kind in lot.makeups
        ]
        questions.append(("label", kinds))
    if lot.mass_when_weighed is not None:
        questions.append(
            (
                "scale",
                [
                    (replace(lot, mass_kg=Band.around(kg, lot.mass_when_weighed)), share)
                    for kg, share in _five(lot.mass_kg)
                    if kg > 0
                ],
            )
        )
    pack = lot.pack
    if pack is not None and not pack.barred and not (pack.health and pack.is_tested):
        questions.append(
            (
                "capacity_test",
                [
                    (replace(lot, pack=replace(pack, health=_tested(health))), share)
                    for health, share in _five(pack.health or pack.presumed_health)
                ],
            )
        )
    return questions


def _five(band: Band) -> list[tuple[Decimal, Decimal]]:
    """Return five values that a measurement of something may give, each as likely."""
    return [
        (
            band.typical
            + off
            * ONE_DEVIATION
            * (band.high - band.typical if off > 0 else band.typical - band.low),
            share,
        )
        for off, share in QUINTILES
    ]


def _tested(health: Decimal) -> Band:
    return Band(
        max(ZERO, health - CLAIM_SPREAD), max(ZERO, health), max(ZERO, health) + CLAIM_SPREAD
    )


def _told(code: str, cases: Outcomes, told: Ranges, at: int, now: Worth) -> EvidenceWorth:
    """Return what a piece of evidence is expected to do, from the ranges that its outcomes would leave."""
    whole = sum((share for _case, share in cases), ZERO)
    moves: list[tuple[Decimal, Decimal]] = []
    width = mean = ZERO
    for place, (case, share) in enumerate(cases, start=at):
        weight = share / whole
        typicals = told.typical[place]
        open_ones = [n for n, route in enumerate(ROUTES) if not barred(case, route)]
        best = max(open_ones, key=lambda n: float(typicals[n]))
        low, typical, high = (
            Decimal(float(column[place, best])) for column in (told.low, told.typical, told.high)
        )
        moves.append((low - now.low, weight))
        width += weight * (high - low)
        mean += weight * (typical - now.typical)
    moves.sort()
    before = now.high - now.low
    narrows = ZERO if before <= 0 else max(ZERO, 1 - width / before)
    return EvidenceWorth(
        code,
        cents(_mark(moves, Decimal("0.25"))),
        cents(_mark(moves, Decimal("0.75"))),
        cents(mean),
        narrows.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN),
    )


def _mark(weighted: Sequence[tuple[Decimal, Decimal]], share: Decimal) -> Decimal:
    reached = ZERO
    for amount, weight in weighted:
        reached += weight
        if reached >= share:
            return amount
    return weighted[-1][0]
