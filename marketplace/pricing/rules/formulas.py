"""Offers as formulas: structured terms that are read, checked, compared and settled. No text is ever evaluated.

    sum over materials: dry kg × share contained × payable × quote − charge × dry kg [− the way]
    but never below floor × dry kg

A payable is a share of a quote for what the lot contains; who offers it bears recovery and losses. ``net_at_gate`` makes
one comparable number of an offer, drawn from the same bands as the valuation, so that two offers for a lot differ by
their terms only. ``settle`` is exact, and equals the comparable number where everything turns out as typical.

Amounts are in the currency of the offer; quotes are in US dollars, and ``per_usd`` brings them over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np

from marketplace.core.money import payable

from .inputs import ONE, ZERO, Inputs
from .sample import SAMPLES, draws, marks

Choice = TypeVar("Choice", bound=StrEnum)

VERSION = "2026-11-1"

HIGHEST_PAYABLE = Decimal("1.2")
"""Above this share of a quote somebody wrote per cent, or a wrong metal.

:source: issue 3, "Bad input"; the highest payable ever published for black mass is below 1
"""

HIGHEST_AMOUNT = Decimal(1_000_000_000)
MOST_DECIMALS = 6

MATERIALS = frozenset(
    {
        *("Li", "Ni", "Co", "Mn", "Cu", "Al", "Fe", "Pb", "Cd"),
        *("Zn", "Sn", "Ti", "Na", "P", "REE", "C"),
    }
)


class Pickup(StrEnum):
    """Who bears the way. The seller's share of it is taken off what they get."""

    BUYER = "BUYER"
    SELLER = "SELLER"


class Index(StrEnum):
    """Whose quotes count."""

    HOUSE = "HOUSE"


class QuotesOf(StrEnum):
    """Of which days the quotes count."""

    WEIGHING_DAY = "WEIGHING_DAY"
    MONTH = "MONTH"
    NEXT_MONTH = "NEXT_MONTH"


class AssayBy(StrEnum):
    """How it is settled what the lot contains."""

    CHEMISTRY = "CONTAINED_BY_CHEMISTRY"
    LAB = "LAB"


@dataclass(frozen=True, slots=True)
class PerKg:
    """A price for each kilogram that the scale shows."""

    price: Decimal
    kind: str = field(default="PER_KG", init=False)


@dataclass(frozen=True, slots=True)
class PerKwh:
    """A price for each rated kilowatt-hour."""

    price: Decimal
    kind: str = field(default="PER_KWH", init=False)


@dataclass(frozen=True, slots=True)
class Formula:
    """Payables of what is contained, less a charge, never below a floor. Nothing of it may be negative."""

    payables: Mapping[str, Decimal]
    charge_per_kg: Decimal = ZERO
    floor_per_kg: Decimal = ZERO
    pickup: Pickup = Pickup.BUYER
    index: Index = Index.HOUSE
    quotes_of: QuotesOf = QuotesOf.WEIGHING_DAY
    assay: AssayBy = AssayBy.CHEMISTRY
    kind: str = field(default="FORMULA", init=False)


Offer = PerKg | PerKwh | Formula
KINDS: Mapping[str, type[PerKg] | type[PerKwh] | type[Formula]] = {
    "PER_KG": PerKg,
    "PER_KWH": PerKwh,
    "FORMULA": Formula,
}


class Fault(StrEnum):
    """What is wrong with terms."""

    NOT_TERMS = "not_terms"
    UNKNOWN_FIELD = "unknown_field"
    MISSING = "missing"
    UNKNOWN_CHOICE = "unknown_choice"
    NOT_A_NUMBER = "not_a_number"
    TOO_LARGE = "too_large"
    NOT_POSITIVE = "not_positive"
    NEGATIVE = "negative"
    PAYABLE_TOO_HIGH = "payable_too_high"
    UNKNOWN_MATERIAL = "unknown_material"
    NOT_CONTAINED = "not_contained"
    NOTHING_PAID = "nothing_paid"
    FLOOR_TOO_HIGH = "floor_too_high"
    ENERGY_UNKNOWN = "energy_unknown"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of terms: in which field (``payables.Ni``), and with which values the sentence about it is filled."""

    where: str
    fault: Fault
    values: Mapping[str, str] = field(default_factory=dict)


class TermsRefused(ValueError):
    """The terms cannot be read; ``problems`` names each reason with its field."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{each.where}: {each.fault}" for each in problems))


class UmpireNeeded(ValueError):
    """Two assays lie further apart than may be split, and no umpire has spoken yet."""

    def __init__(self, materials: Sequence[str]) -> None:
        self.materials = tuple(materials)
        super().__init__(", ".join(materials))


# --- reading and writing --------------------------------------------------------------------------------


def read(raw: object) -> Offer:
    """Return terms from what came as JSON or from a form: names and numbers, checked one by one.

    :raises TermsRefused: with every problem

    >>> read({"kind": "PER_KG", "price": "2.50"})
    PerKg(price=Decimal('2.50'), kind='PER_KG')
    """
    if not isinstance(raw, Mapping):
        raise TermsRefused([Problem("terms", Fault.NOT_TERMS)])
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise TermsRefused([_choice("kind", kind, KINDS)])
    known = {each.name for each in fields(KINDS[kind])}
    problems = [
        Problem(_short(name), Fault.UNKNOWN_FIELD, {"known": ", ".join(sorted(known))})
        for name in raw
        if name not in known
    ]
    offer: Offer
    if kind == "FORMULA":
        offer = Formula(
            payables=_payables(raw.get("payables"), problems),
            charge_per_kg=_number(raw.get("charge_per_kg", ZERO), "charge_per_kg", problems),
            floor_per_kg=_number(raw.get("floor_per_kg", ZERO), "floor_per_kg", problems),
            pickup=_one_of(Pickup, raw, "pickup", Pickup.BUYER, problems),
            index=_one_of(Index, raw, "index", Index.HOUSE, problems),
            quotes_of=_one_of(QuotesOf, raw, "quotes_of", QuotesOf.WEIGHING_DAY, problems),
            assay=_one_of(AssayBy, raw, "assay", AssayBy.CHEMISTRY, problems),
        )
    elif "price" not in raw:
        problems.append(Problem("price", Fault.MISSING))
        offer = PerKg(ZERO)
    else:
        price = _number(raw["price"], "price", problems)
        offer = PerKg(price) if kind == "PER_KG" else PerKwh(price)
    if problems:
        raise TermsRefused(problems)
    return offer


def plain(offer: Offer) -> dict[str, Any]:
    """Return terms as JSON keeps them: what ``read`` takes, numbers as exact text.

    >>> plain(PerKwh(Decimal("30.0")))
    {'kind': 'PER_KWH', 'price': '30'}
    """
    if isinstance(offer, PerKg | PerKwh):
        return {"kind": offer.kind, "price": _text(offer.price)}
    return {
        "kind": offer.kind,
        "payables": {name: _text(share) for name, share in sorted(offer.payables.items())},
        "charge_per_kg": _text(offer.charge_per_kg),
        "floor_per_kg": _text(offer.floor_per_kg),
        "pickup": offer.pickup.value,
        "index": offer.index.value,
        "quotes_of": offer.quotes_of.value,
        "assay": offer.assay.value,
    }


def check(offer: Offer, *, inputs: Inputs | None = None, per_usd: Decimal = ONE) -> list[Problem]:
    """Return everything that is wrong with terms; with ``inputs`` also what cannot hold for that lot."""
    if isinstance(offer, PerKg | PerKwh):
        problems = [] if offer.price > 0 else [Problem("price", Fault.NOT_POSITIVE)]
        if isinstance(offer, PerKwh) and inputs is not None and inputs.pack is None:
            problems.append(Problem("kind", Fault.ENERGY_UNKNOWN))
        return problems
    problems = []
    held = None if inputs is None else frozenset(contained(inputs))
    for material, share in offer.payables.items():
        name = f"payables.{_short(material)}"
        if material not in MATERIALS:
            known = ", ".join(sorted(MATERIALS if held is None else held))
            problems.append(Problem(name, Fault.UNKNOWN_MATERIAL, {"known": known}))
        elif held is not None and material not in held and share:
            known = ", ".join(sorted(held))
            problems.append(
                Problem(name, Fault.NOT_CONTAINED, {"material": material, "known": known})
            )
        if share < 0:
            problems.append(Problem(name, Fault.NEGATIVE))
        elif share > HIGHEST_PAYABLE:
            values = {"said": _text(share), "meant": _text(share / 100)}
            problems.append(Problem(name, Fault.PAYABLE_TOO_HIGH, values))
    for name, amount in (
        ("charge_per_kg", offer.charge_per_kg),
        ("floor_per_kg", offer.floor_per_kg),
    ):
        if amount < 0:
            problems.append(Problem(name, Fault.NEGATIVE))
    if not any(share > 0 for share in offer.payables.values()):
        problems.append(Problem("payables", Fault.NOTHING_PAID))
    if inputs is not None and not problems:
        most = _most_per_kg(offer, inputs, per_usd)
        if offer.floor_per_kg > most:
            most_text = _text(most.quantize(Decimal("0.01")))
            problems.append(Problem("floor_per_kg", Fault.FLOOR_TOO_HIGH, {"most": most_text}))
    return problems


# --- comparing ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Net:
    """What an offer is worth at the seller's gate, in the currency of the offer.

    ``low`` and ``high`` are the 10 and 90 % marks; ``worst`` is what is paid even if every quote falls to nothing: the
    floor for the low end of the mass, or the price for it.
    """

    worst: Decimal
    low: Decimal
    typical: Decimal
    high: Decimal


def net_at_gate(
    offer: Offer,
    inputs: Inputs,
    *,
    currency: str,
    per_usd: Decimal = ONE,
    seed: int = 1,
    samples: int = SAMPLES,
) -> Net:
    """Return one comparable number of an offer, with its range and its worst case.

    :param inputs: whose metals carry whole quotes: their payables are not looked at
    :raises ValueError: for a price per kWh of a lot whose energy is not known
    """
    drawn = draws(inputs, seed=seed, samples=samples)
    if isinstance(offer, PerKg):
        values = drawn.mass_kg * float(offer.price)
        least = inputs.mass_kg.low * offer.price
        typical = settle(offer, kg=inputs.mass_kg.typical, currency=currency).amount
    elif isinstance(offer, PerKwh):
        if drawn.energy_kwh is None or inputs.pack is None:
            raise ValueError("The energy of the lot is not known.")
        kwh = inputs.pack.energy_kwh
        values = drawn.energy_kwh * float(offer.price)
        least = kwh.low * offer.price
        typical = settle(
            offer, kg=inputs.mass_kg.typical, kwh=kwh.typical, currency=currency
        ).amount
    else:
        usd = sum(
            (
                float(share) * drawn.usd_per_dry_kg[material]
                for material, share in offer.payables.items()
                if material in drawn.usd_per_dry_kg
            ),
            np.zeros(samples),
        )
        values = drawn.dry_kg * (usd * float(per_usd) - float(offer.charge_per_kg))
        if offer.pickup is Pickup.SELLER:
            values = values - drawn.way_usd * float(per_usd)
        values = np.maximum(values, drawn.dry_kg * float(offer.floor_per_kg))
        least = inputs.mass_kg.low * (1 - inputs.moisture.high) * offer.floor_per_kg
        typical = settle(
            offer,
            kg=dry_kg(inputs),
            currency=currency,
            quotes=quotes(inputs),
            contained=contained(inputs),
            per_usd=per_usd,
            freight=way_usd(inputs) * per_usd,
        ).amount
    low, high = (payable(Decimal(float(mark)), currency) for mark in marks(values))
    return Net(
        worst=min(typical, low, payable(least, currency)),
        low=min(typical, low),
        typical=typical,
        high=max(typical, high),
    )


def dry_kg(inputs: Inputs) -> Decimal:
    return inputs.mass_kg.typical * (1 - inputs.moisture.typical)


def contained(inputs: Inputs) -> dict[str, Decimal]:
    """Return what a dry kilogram of a lot contains by the tables: material -> share."""
    found: dict[str, Decimal] = {}
    for makeup in inputs.makeups:
        for metal in makeup.recipe.metals:
            part = makeup.share * metal.content.typical
            found[metal.material] = found.get(metal.material, ZERO) + part
    return found


def quotes(inputs: Inputs) -> dict[str, Decimal]:
    """Return the typical quote of each material that a lot may contain, in USD per kg."""
    return {
        metal.material: metal.usd_per_kg.typical
        for makeup in inputs.makeups
        for metal in makeup.recipe.metals
    }


def way_usd(inputs: Inputs) -> Decimal:
    """Return what packing and the typical way of a lot cost."""
    trip, mass = inputs.trip, inputs.mass_kg.typical
    way = mass * trip.km.typical * trip.usd_per_tkm.typical / 1000
    return trip.base_usd + way + mass * trip.packing_usd_per_kg.typical


# --- settling -------------------------------------------------------------------------------------------


class Party(StrEnum):
    """Who had a sample assayed."""

    SELLER = "SELLER"
    BUYER = "BUYER"
    UMPIRE = "UMPIRE"


class Basis(StrEnum):
    """By what it was settled what a lot contains."""

    TABLE = "TABLE"
    ONE_ASSAY = "ONE_ASSAY"
    SPLIT = "SPLIT"
    UMPIRE = "UMPIRE"


@dataclass(frozen=True, slots=True)
class Assay:
    """What one laboratory found: material -> share of the dry mass."""

    by: Party
    shares: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Limits:
    """When assays count, how far apart two may lie to be split, what an umpire costs.

    Of materials without a limit the mean always counts.

    :source: reference parameters ASSAY_MIN_KG, SPLITTING_LIMIT_*, UMPIRE_ASSAY_USD
    """

    assay_min_kg: Decimal = ZERO
    splitting: Mapping[str, Decimal] = field(default_factory=dict)
    umpire_fee: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Agreed:
    """The share of a material that is paid, by what, and who lost if an umpire decided (both, if nobody was nearer)."""

    share: Decimal
    basis: Basis
    losers: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a settlement, payable in its currency."""

    code: str
    amount: Decimal
    material: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is due for the goods, line by line, and who pays the umpire how much (apart from the goods)."""

    amount: Decimal
    lines: tuple[Line, ...]
    agreed: Mapping[str, Agreed] = field(default_factory=dict)
    umpire_fees: Mapping[Party, Decimal] = field(default_factory=dict)


def settle(
    offer: Offer,
    *,
    kg: Decimal,
    currency: str,
    kwh: Decimal | None = None,
    quotes: Mapping[str, Decimal] | None = None,
    contained: Mapping[str, Decimal] | None = None,
    assays: Sequence[Assay] = (),
    limits: Limits | None = None,
    per_usd: Decimal = ONE,
    freight: Decimal = ZERO,
) -> Settlement:
    """Return what is due by an offer: exact decimals, each line rounded to what can be paid.

    :param kg: accepted kilograms; dry ones for a formula
    :param kwh: rated energy of what was accepted, for a price per kWh
    :param quotes: USD per kg of material
    :param contained: what the tables say, material -> share; it counts where no assay does
    :param freight: what the way cost; taken off where the seller bears it
    :raises UmpireNeeded: if two assays lie too far apart and the umpire's is missing
    :raises LookupError: if a paid material has no quote

    >>> settle(PerKg(Decimal("2.5")), kg=Decimal("100.5"), currency="INR").amount
    Decimal('251.25')
    """
    if isinstance(offer, PerKg):
        return _simply("per_kg", kg, offer.price, currency)
    if isinstance(offer, PerKwh):
        if kwh is None:
            raise ValueError("A price per kWh needs the kWh.")
        return _simply("per_kwh", kwh, offer.price, currency)
    limits = limits or Limits()
    found = _agreed_shares(offer, kg, contained or {}, assays, limits)
    lines = []
    for material, share in sorted(offer.payables.items()):
        if not share:
            continue
        agreed = found[material]
        usd_per_kg = (quotes or {})[material] if agreed.share else ZERO
        amount = kg * agreed.share * share * usd_per_kg * per_usd
        facts = {
            "kg": _text((kg * agreed.share).quantize(Decimal("0.001"))),
            "payable": _text(share),
            "usd_per_kg": _text(usd_per_kg),
            "basis": agreed.basis.value,
        }
        lines.append(Line("metal", payable(amount, currency), material, facts))
    if offer.charge_per_kg:
        lines.append(Line("charge", payable(-offer.charge_per_kg * kg, currency)))
    if offer.pickup is Pickup.SELLER and freight:
        lines.append(Line("freight", payable(-freight, currency)))
    due = sum((line.amount for line in lines), ZERO)
    floor = payable(offer.floor_per_kg * kg, currency)
    if due < floor:
        lines.append(Line("floor", floor - due))
        due = floor
    return Settlement(due, tuple(lines), found, _umpire_fees(found, limits))


def agreed_share(
    *,
    seller: Decimal | None,
    buyer: Decimal | None,
    umpire: Decimal | None = None,
    limit: Decimal | None = None,
) -> Agreed | None:
    """Return the share that two sides settle on; nothing if neither had an assay.

    Up to ``limit`` apart the mean counts. Beyond it the umpire's, but never outside the two: the middle of the three. Who
    lies further from the umpire loses. An assay that only one side had made stands alone.

    :raises UmpireNeeded: if they lie further apart and no umpire has spoken

    >>> agreed_share(seller=Decimal("0.10"), buyer=Decimal("0.08"), umpire=Decimal("0.11"), limit=Decimal("0.005"))
    Agreed(share=Decimal('0.10'), basis=<Basis.UMPIRE: 'UMPIRE'>, losers=(<Party.BUYER: 'BUYER'>,))
    """
    if seller is None or buyer is None:
        alone = seller if buyer is None else buyer
        return None if alone is None else Agreed(alone, Basis.ONE_ASSAY)
    if limit is None or abs(seller - buyer) <= limit:
        return Agreed((seller + buyer) / 2, Basis.SPLIT)
    if umpire is None:
        raise UmpireNeeded([""])
    middle = sorted((seller, buyer, umpire))[1]
    sellers, buyers = abs(seller - umpire), abs(buyer - umpire)
    if sellers == buyers:
        losers: tuple[Party, ...] = (Party.SELLER, Party.BUYER)
    else:
        losers = (Party.SELLER if sellers > buyers else Party.BUYER,)
    return Agreed(middle, Basis.UMPIRE, losers)


def most_due(high: Decimal, typical: Decimal, *, share_most: Decimal, currency: str) -> Decimal:
    """Return what is held for an offer: its high figure, but at most so many times what it typically pays.

    :param share_most: reference parameter FORMULA_HOLD_SHARE

    >>> most_due(Decimal(170), Decimal(100), share_most=Decimal("1.5"), currency="USD")
    Decimal('150.00')
    """
    return max(typical, payable(min(high, typical * share_most), currency))


def apart(one: Assay, other: Assay, limits: Limits) -> list[str]:
    """Return the materials of which two assays differ by more than may be split: only an umpire can tell.

    >>> limits = Limits(splitting={"Ni": Decimal("0.005")})
    >>> apart(Assay(Party.SELLER, {"Ni": Decimal("0.10")}), Assay(Party.BUYER, {"Ni": Decimal("0.09")}), limits)
    ['Ni']
    """
    return sorted(
        material
        for material, limit in limits.splitting.items()
        if material in one.shares
        and material in other.shares
        and abs(one.shares[material] - other.shares[material]) > limit
    )


def counts_assays(offer: Offer, dry_kg: Decimal, limits: Limits) -> bool:
    """Tell whether laboratories decide what a lot contains, or the tables do."""
    return (
        isinstance(offer, Formula) and offer.assay is AssayBy.LAB and dry_kg >= limits.assay_min_kg
    )


def _agreed_shares(
    offer: Formula,
    kg: Decimal,
    contained: Mapping[str, Decimal],
    assays: Sequence[Assay],
    limits: Limits,
) -> dict[str, Agreed]:
    shares = (
        {assay.by: assay.shares for assay in assays} if counts_assays(offer, kg, limits) else {}
    )
    found: dict[str, Agreed] = {}
    open_ones = []
    for material in offer.payables:
        said = {party: each.get(material) for party, each in shares.items()}
        try:
            agreed = agreed_share(
                seller=said.get(Party.SELLER),
                buyer=said.get(Party.BUYER),
                umpire=said.get(Party.UMPIRE),
                limit=limits.splitting.get(material),
            )
        except UmpireNeeded:
            open_ones.append(material)
            continue
        found[material] = agreed or Agreed(contained.get(material, ZERO), Basis.TABLE)
    if open_ones:
        raise UmpireNeeded(sorted(open_ones))
    return found


def _umpire_fees(found: Mapping[str, Agreed], limits: Limits) -> dict[Party, Decimal]:
    """Share one fee over the materials that were decided; of each the loser pays, or both by halves."""
    decided = [agreed for agreed in found.values() if agreed.basis is Basis.UMPIRE]
    weights = {
        party: sum((ONE / len(agreed.losers) for agreed in decided if party in agreed.losers), ZERO)
        for party in (Party.SELLER, Party.BUYER)
    }
    return {
        party: limits.umpire_fee * weight / len(decided)
        for party, weight in weights.items()
        if weight
    }


def _simply(code: str, number: Decimal, price: Decimal, currency: str) -> Settlement:
    amount = payable(number * price, currency)
    facts = {"number": _text(number), "price": _text(price)}
    return Settlement(amount, (Line(code, amount, facts=facts),))


def _most_per_kg(offer: Formula, inputs: Inputs, per_usd: Decimal) -> Decimal:
    """Return the most that a kilogram could pay by these terms: each band at its high end, in the dearest kind."""
    kinds = (
        sum(
            (
                offer.payables.get(metal.material, ZERO)
                * metal.content.high
                * metal.usd_per_kg.high
                for metal in makeup.recipe.metals
            ),
            ZERO,
        )
        for makeup in inputs.makeups
    )
    return max(ZERO, max(kinds) * per_usd - offer.charge_per_kg)


def _payables(raw: object, problems: list[Problem]) -> dict[str, Decimal]:
    if raw is None:
        problems.append(Problem("payables", Fault.MISSING))
        return {}
    if not isinstance(raw, Mapping) or len(raw) > len(MATERIALS):
        problems.append(Problem("payables", Fault.NOT_TERMS))
        return {}
    return {
        str(name): _number(share, f"payables.{_short(name)}", problems)
        for name, share in raw.items()
    }


def _number(raw: object, name: str, problems: list[Problem]) -> Decimal:
    number = None
    if isinstance(raw, str | int | float | Decimal) and not isinstance(raw, bool):
        try:
            number = Decimal(str(raw).strip())
        except InvalidOperation:
            number = None
    if number is None or not number.is_finite():
        problems.append(Problem(name, Fault.NOT_A_NUMBER, {"said": _short(raw)}))
        return ZERO
    if not -HIGHEST_AMOUNT <= number <= HIGHEST_AMOUNT or _decimals(number) > MOST_DECIMALS:
        problems.append(Problem(name, Fault.TOO_LARGE, {"decimals": str(MOST_DECIMALS)}))
        return ZERO
    return number


def _decimals(number: Decimal) -> int:
    """Return how many digits stand after the point, the last one not zero."""
    if number and number.adjusted() < -MOST_DECIMALS:
        return -number.adjusted()  # what is too small to be normal would be rounded to nothing
    exponent = number.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _one_of(
    choices: type[Choice],
    raw: Mapping[Any, Any],
    name: str,
    usual: Choice,
    problems: list[Problem],
) -> Choice:
    said = raw.get(name, usual)
    if isinstance(said, str) and said in {choice.value for choice in choices}:
        return choices(said)
    problems.append(_choice(name, said, [choice.value for choice in choices]))
    return usual


def _choice(name: str, said: object, known: Mapping[str, object] | Sequence[str]) -> Problem:
    values = {"said": _short(said), "known": ", ".join(known)}
    return Problem(name, Fault.UNKNOWN_CHOICE, values)


def _short(said: object) -> str:
    return str(said)[:40]


def _text(number: Decimal) -> str:
    return f"{number.normalize():f}"
