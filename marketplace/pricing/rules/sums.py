"""The typical value of a lot by each route: exact sums in decimals, term by term, that a person can check by hand."""

from collections.abc import Sequence
from decimal import Decimal

from .inputs import ONE, ZERO, Band, Inputs, Makeup, Metal, Pack, Route, Term, cents, summed


def terms_of(inputs: Inputs, route: Route) -> list[Term]:
    """Return the sum of a lot's value by a route at the typical inputs.

    :raises ValueError: for a second life of a lot without a measured health
    """
    if route is Route.RECYCLE:
        return recycling_terms(inputs)
    if route is Route.RECOVER:
        burnt = -inputs.mass_kg.typical * inputs.recover_usd_per_kg.typical
        return [Term("recover", cents(burnt)), *_trip_terms(inputs)]
    if inputs.pack is None or inputs.pack.health is None:
        raise ValueError("A second life needs a measured health.")
    return _second_life_terms(inputs, inputs.pack, inputs.pack.health.typical, route)


def recycling_terms(inputs: Inputs) -> list[Term]:
    """Return the sum of the recycling value: paid metals, less damage, less the steps of taking it apart, less the way."""
    mass = inputs.mass_kg.typical
    kept = (1 - inputs.moisture.typical) * (1 - inputs.shredding_loss.typical)
    paid: dict[str, list[tuple[Decimal, Makeup, Metal]]] = {}
    for makeup in inputs.makeups:
        for metal in makeup.recipe.metals:
            usd = (
                mass
                * makeup.share
                * metal.content.typical
                * kept
                * metal.payable.typical
                * metal.usd_per_kg.typical
            )
            paid.setdefault(metal.material, []).append((usd, makeup, metal))
    terms = [_metal_term(material, found, mass) for material, found in paid.items()]
    terms.sort(key=lambda term: -term.usd)
    gross = summed(terms)
    if inputs.damage_cut and gross > 0:
        share = f"{inputs.damage_cut.normalize():f}"
        terms.append(Term("damage", cents(-gross * inputs.damage_cut), facts={"share": share}))
    steps: dict[str, Decimal] = {}
    for makeup in inputs.makeups:
        for step in makeup.recipe.steps:
            usd = mass * makeup.share * step.usd_per_kg.typical
            steps[step.code] = steps.get(step.code, ZERO) - usd
    terms += [Term(code, cents(usd)) for code, usd in steps.items()]
    return [*terms, *_trip_terms(inputs)]


def price_at(curve: Sequence[tuple[Decimal, Band]], health: Decimal) -> Decimal:
    """Return the typical price of a usable kWh at a health, straight between the middles of two grades.

    >>> price_at([(Decimal("0.75"), Band.exactly(Decimal(18))), (Decimal("0.85"), Band.exactly(Decimal(30)))],
    ...          Decimal("0.80"))
    Decimal('24')
    """
    before, price = curve[0][0], curve[0][1].typical
    if health <= before:
        return price
    for at, band in curve[1:]:
        if health <= at:
            return price + (band.typical - price) * (health - before) / (at - before)
        before, price = at, band.typical
    return price


def life_factor(years_left: Decimal | None, *, full_years: Decimal, discount: Decimal) -> Decimal:
    """Return what a second life that ends early is worth of a whole one: two annuities, one over the other.

    :param years_left: until the maker's calendar runs out; nothing if unknown, and then a whole life counts
    :param discount: a year, as a share

    >>> life_factor(Decimal(5), full_years=Decimal(8), discount=Decimal("0.12")).quantize(Decimal("0.001"))
    Decimal('0.726')
    """
    if years_left is None or years_left >= full_years:
        return ONE
    if years_left <= 0:
        return ZERO
    grown = 1 + discount
    return (1 - grown**-years_left) / (1 - grown**-full_years)


def lithium_point_usd(metal: Metal) -> Decimal:
    """Return what one percent of lithium in a tonne of black mass is paid: 10 kg of it, at its payable."""
    return 10 * metal.payable.typical * metal.usd_per_kg.typical


def _second_life_terms(inputs: Inputs, pack: Pack, health: Decimal, route: Route) -> list[Term]:
    kwh = pack.energy_kwh.typical
    usable = kwh * health
    price = price_at(pack.curve, health) * pack.life_factor
    if route is Route.REUSE:
        price *= 1 + pack.reuse_premium
    facts = {
        "kwh": f"{usable.quantize(Decimal('0.001')):f}",
        "health": f"{health.normalize():f}",
        "usd_per_kwh": f"{price.quantize(Decimal('0.01')):f}",
    }
    terms = [
        Term("second_life", cents(usable * price), source=pack.source, facts=facts),
        Term("testing", cents(-kwh * pack.testing_usd_per_kwh.typical)),
    ]
    if route is Route.REPURPOSE:
        terms.append(Term("sorting", cents(-kwh * pack.sorting_usd_per_kwh.typical)))
        terms.append(Term("repacking", cents(-kwh * pack.repacking_usd_per_kwh.typical)))
    return [*terms, *_trip_terms(inputs)]


def _trip_terms(inputs: Inputs) -> list[Term]:
    trip, mass = inputs.trip, inputs.mass_kg.typical
    usd = trip.base_usd + mass * trip.km.typical * trip.usd_per_tkm.typical / 1000
    terms = [
        Term("freight", cents(-usd), facts={"km": f"{trip.km.typical.quantize(Decimal(1)):f}"})
    ]
    if trip.packing_usd_per_kg.typical:
        terms.insert(0, Term("packing", cents(-mass * trip.packing_usd_per_kg.typical)))
    return terms


def _metal_term(
    material: str, found: Sequence[tuple[Decimal, Makeup, Metal]], mass: Decimal
) -> Term:
    usd = sum((part for part, _makeup, _metal in found), ZERO)
    metal = found[0][2]
    contained = sum(
        (mass * makeup.share * each.content.typical for _usd, makeup, each in found), ZERO
    )
    facts = {"kg": f"{contained.quantize(Decimal('0.001')):f}"}
    ways = {(each.payable.typical, each.usd_per_kg.typical) for _usd, _makeup, each in found}
    if len(ways) == 1:
        facts["payable"] = f"{metal.payable.typical.normalize():f}"
        facts["usd_per_kg"] = f"{metal.usd_per_kg.typical.quantize(Decimal('0.01')):f}"
    if metal.by_the_point and len(found) == 1:
        points = 100 * metal.content.typical / metal.by_the_point
        facts["points"] = f"{points.quantize(Decimal('0.01')):f}"
        facts["usd_per_point"] = f"{lithium_point_usd(metal).quantize(Decimal('0.01')):f}"
    return Term("metal", cents(usd), material, metal.source, metal.quoted_on, facts)
