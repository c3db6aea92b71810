"""What a lot is worth: a range, and the sum that it comes from.

Recycling: content x payable x quote of each metal, less what shredding loses, less treatment and freight. Payables
already contain the buyer's own recovery, so recovery is not taken off a second time. Iron phosphate lithium is paid
by the point: one percent of lithium in a tonne of black mass. A healthy pack may be worth more whole.

Uncertainty: every input is a band whose low, typical and high are its 10, 50 and 90 % marks. ``typical`` is the sum
at the typical inputs, exact; ``low`` and ``high`` are the 10 and 90 % marks of a seeded sample of the same sum, in
which each input is drawn from a normal distribution whose two halves fit its band. Same inputs, same seed, same range.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import lru_cache
from random import Random

VERSION = "2026-11-1"
SAMPLES = 400
TEN_PERCENT_MARK = 1.2815515655446004  # of the standard normal distribution
ZERO = Decimal(0)
ONE = Decimal(1)

# What comes in under "I do not know", by origin: chemistry -> share of mass.
# :source: our assumption from what the catalogue's packs of each kind hold; to be replaced by settled lots
PRIORS: Mapping[str, Mapping[str, Decimal]] = {
    "SCOOTER": {"LFP": Decimal("0.45"), "NMC532": Decimal("0.40"), "NMC811": Decimal("0.15")},
    "RICKSHAW": {"LFP": Decimal("0.85"), "NMC532": Decimal("0.15")},
    "CAR": {
        "NMC622": Decimal("0.35"),
        "LFP": Decimal("0.30"),
        "NMC111": Decimal("0.15"),
        "LMO": Decimal("0.12"),
        "NCA": Decimal("0.08"),
    },
    "STARTER": {"PBA": ONE},
    "BUS": {"LFP": Decimal("0.9"), "NMC532": Decimal("0.1")},
    "HOME": {"LFP": Decimal("0.75"), "NMC532": Decimal("0.25")},
    "TELECOM": {"LFP": Decimal("0.9"), "NMC532": Decimal("0.1")},
    "DEVICE": {"LCO": Decimal("0.7"), "NMC532": Decimal("0.3")},
    "TOOL": {"NMC532": Decimal("0.55"), "NCA": Decimal("0.30"), "NICD": Decimal("0.15")},
    "MIXED": {"LI_UNKNOWN": ONE},
}
GRADES = ((Decimal("0.9"), "A"), (Decimal("0.8"), "B"), (Decimal("0.7"), "C"))


class Route(StrEnum):
    """What becomes of the lot."""

    REPURPOSE = "REPURPOSE"
    RECYCLE = "RECYCLE"


@dataclass(frozen=True, slots=True)
class Band:
    """Something that is not known exactly: its 10, 50 and 90 % marks."""

    low: Decimal
    typical: Decimal
    high: Decimal

    def __post_init__(self) -> None:
        if not self.low <= self.typical <= self.high:
            raise ValueError("A band goes from low through typical to high.")

    @classmethod
    def around(cls, typical: Decimal, spread: Decimal) -> "Band":
        """Return the band of a value that is right within a share of itself."""
        return cls(typical * max(ZERO, 1 - spread), typical, typical * (1 + spread))


@dataclass(frozen=True, slots=True)
class Metal:
    """One paid metal of a chemistry, with the quote that pays it."""

    material: str
    content: Band
    payable: Band
    usd_per_kg: Band
    source: str
    quoted_on: str
    by_the_point: Decimal | None = None
    """Kg of black mass in a kg of packs, for lithium that is paid by the point; else nothing."""


@dataclass(frozen=True, slots=True)
class Makeup:
    """One chemistry that the lot may be, and how likely."""

    chemistry: str
    share: Decimal
    metals: tuple[Metal, ...]
    treatment_usd_per_kg: Band


@dataclass(frozen=True, slots=True)
class SecondLife:
    """What a healthy lot may be worth whole. Only for lots that pass the gates."""

    energy_kwh: Decimal
    health: Decimal
    grade: str
    usd_per_kwh: Band
    testing_usd_per_kwh: Decimal
    source: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a valuation is computed from."""

    mass_kg: Band
    makeups: tuple[Makeup, ...]
    shredding_loss: Band
    freight_usd_per_kg: Band
    damage_cut: Decimal = ZERO
    second_life: SecondLife | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """One line of the sum, in US dollars: what, how much, and who says so."""

    code: str
    usd: Decimal
    material: str = ""
    source: str = ""
    on: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Worth:
    """The range in US dollars, the better route, and the sum of the typical value."""

    low: Decimal
    typical: Decimal
    high: Decimal
    route: Route
    terms: tuple[Term, ...]


def prior(origin: str, *, only_lithium: bool = False) -> Mapping[str, Decimal]:
    """Return what a lot of this origin usually is: chemistry -> share, together one.

    >>> prior("BUS")
    {'LFP': Decimal('0.9'), 'NMC532': Decimal('0.1')}
    """
    shares = PRIORS.get(origin, PRIORS["MIXED"])
    if only_lithium:
        lithium = {code: share for code, share in shares.items() if code not in ("PBA", "NICD")}
        whole = sum(lithium.values(), ZERO)
        if not lithium:
            return PRIORS["MIXED"]
        return {code: share / whole for code, share in lithium.items()}
    return shares


def grade_of(health: Decimal) -> str | None:
    """Return the second-life grade of a state of health; nothing below 70 %.

    :source: our own bands; no harmonised ones exist

    >>> grade_of(Decimal("0.93")), grade_of(Decimal("0.7")), grade_of(Decimal("0.69"))
    ('A', 'C', None)
    """
    return next((grade for least, grade in GRADES if health >= least), None)


def quote_band(usd_per_kg: Decimal, *, age_days: int, fresh_days: int, volatility: Decimal) -> Band:
    """Return a quote as a band that widens with the root of its age once it is stale.

    :param volatility: what a price moves in a year, at the 10 and 90 % marks

    >>> quote_band(Decimal(10), age_days=365, fresh_days=62, volatility=Decimal("0.3"))
    Band(low=Decimal('7.0000'), typical=Decimal('10'), high=Decimal('13.0000'))
    """
    if age_days <= fresh_days:
        return Band.around(usd_per_kg, volatility / 6)  # about ten days of waiting for a buyer
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


def value(inputs: Inputs, *, seed: int = 1, samples: int = SAMPLES) -> Worth:
    """Return what a lot is worth by the better of recycling and second life.

    Typical values decide the route. A lot may be worth less than nothing: then it costs money to be rid of.

    :param seed: draws the sample; the same seed gives the same range
    :raises ValueError: if the shares of the chemistries do not make one
    """
    if abs(sum((makeup.share for makeup in inputs.makeups), ZERO) - 1) > Decimal("0.001"):
        raise ValueError("The shares of the chemistries make one.")
    recycling = recycling_terms(inputs)
    best, route = recycling, Route.RECYCLE
    if inputs.second_life is not None:
        whole = second_life_terms(inputs, inputs.second_life)
        if _sum(whole) > _sum(recycling):
            best, route = whole, Route.REPURPOSE
    typical = _sum(best)
    drawn = (
        _recycling_sample(inputs, seed, samples)
        if route is Route.RECYCLE or inputs.second_life is None
        else _second_life_sample(inputs, inputs.second_life, seed, samples)
    )
    low, high = (_cents(Decimal(mark)) for mark in _marks(drawn))
    return Worth(min(low, typical), typical, max(high, typical), route, tuple(best))


def recycling_terms(inputs: Inputs) -> list[Term]:
    """Return the sum of the recycling value, term by term, at the typical inputs."""
    mass = inputs.mass_kg.typical
    kept = 1 - inputs.shredding_loss.typical
    paid: dict[str, list[tuple[Decimal, Makeup, Metal]]] = {}
    for makeup in inputs.makeups:
        for metal in makeup.metals:
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
    gross = _sum(terms)
    if inputs.damage_cut and gross > 0:
        share = f"{inputs.damage_cut.normalize():f}"
        terms.append(Term("damage", _cents(-gross * inputs.damage_cut), facts={"share": share}))
    treatment = sum(
        (mass * makeup.share * makeup.treatment_usd_per_kg.typical for makeup in inputs.makeups),
        ZERO,
    )
    terms.append(Term("treatment", _cents(-treatment)))
    terms.append(Term("freight", _cents(-mass * inputs.freight_usd_per_kg.typical)))
    return terms


def second_life_terms(inputs: Inputs, pack: SecondLife) -> list[Term]:
    """Return the sum of the second-life value, term by term, at the typical inputs."""
    return [
        Term(
            "second_life",
            _cents(pack.energy_kwh * pack.usd_per_kwh.typical),
            source=pack.source,
            facts={
                "grade": pack.grade,
                "kwh": f"{pack.energy_kwh.normalize():f}",
                "usd_per_kwh": f"{pack.usd_per_kwh.typical.normalize():f}",
            },
        ),
        Term("testing", _cents(-pack.energy_kwh * pack.testing_usd_per_kwh)),
        Term("freight", _cents(-inputs.mass_kg.typical * inputs.freight_usd_per_kg.typical)),
    ]


def lithium_point_usd(metal: Metal) -> Decimal:
    """Return what one percent of lithium in a tonne of black mass is paid: 10 kg of it, at its payable."""
    return 10 * metal.payable.typical * metal.usd_per_kg.typical


def _metal_term(
    material: str, found: Sequence[tuple[Decimal, Makeup, Metal]], mass: Decimal
) -> Term:
    usd = sum((part for part, _makeup, _metal in found), ZERO)
    metal = found[0][2]
    contained = sum(
        (mass * makeup.share * each.content.typical for _usd, makeup, each in found), ZERO
    )
    facts = {
        "kg": f"{contained.quantize(Decimal('0.001')):f}",
        "payable": f"{metal.payable.typical.normalize():f}",
        "usd_per_kg": f"{metal.usd_per_kg.typical.quantize(Decimal('0.01')):f}",
    }
    if metal.by_the_point and len(found) == 1:
        points = 100 * metal.content.typical / metal.by_the_point
        facts["points"] = f"{points.quantize(Decimal('0.01')):f}"
        facts["usd_per_point"] = f"{lithium_point_usd(metal).quantize(Decimal('0.01')):f}"
    return Term("metal", _cents(usd), material, metal.source, metal.quoted_on, facts)


def _recycling_sample(inputs: Inputs, seed: int, samples: int) -> list[float]:
    mass = _draw(inputs.mass_kg, "mass", seed, samples)
    loss = _draw(inputs.shredding_loss, "loss", seed, samples)
    freight = _draw(inputs.freight_usd_per_kg, "freight", seed, samples)
    kept = 1 - float(inputs.damage_cut)
    per_kg = [_per_kg_sample(makeup, loss, kept, seed, samples) for makeup in inputs.makeups]
    chosen = _which(tuple(makeup.share for makeup in inputs.makeups), seed, samples)
    return [mass[n] * (per_kg[chosen[n]][n] - freight[n]) for n in range(samples)]


def _per_kg_sample(
    makeup: Makeup, loss: Sequence[float], kept: float, seed: int, samples: int
) -> list[float]:
    gross = [0.0] * samples
    for metal in makeup.metals:
        content = _draw(metal.content, f"content {metal.material}", seed, samples)
        payable = _draw(metal.payable, f"payable {metal.material}", seed, samples)
        quote = _draw(metal.usd_per_kg, f"quote {metal.material}", seed, samples)
        for n in range(samples):
            gross[n] += content[n] * min(payable[n], 1.0) * quote[n]
    treatment = _draw(makeup.treatment_usd_per_kg, "treatment", seed, samples)
    return [gross[n] * (1 - min(loss[n], 1.0)) * kept - treatment[n] for n in range(samples)]


def _second_life_sample(inputs: Inputs, pack: SecondLife, seed: int, samples: int) -> list[float]:
    price = _draw(pack.usd_per_kwh, "second life", seed, samples)
    mass = _draw(inputs.mass_kg, "mass", seed, samples)
    freight = _draw(inputs.freight_usd_per_kg, "freight", seed, samples)
    energy, testing = float(pack.energy_kwh), float(pack.testing_usd_per_kwh)
    return [energy * (price[n] - testing) - mass[n] * freight[n] for n in range(samples)]


def _draw(band: Band, name: str, seed: int, samples: int) -> list[float]:
    typical = float(band.typical)
    below = float(band.typical - band.low) / TEN_PERCENT_MARK
    above = float(band.high - band.typical) / TEN_PERCENT_MARK
    return [
        max(0.0, typical + z * (above if z > 0 else below)) for z in _normals(name, seed, samples)
    ]


@lru_cache(maxsize=256)
def _normals(name: str, seed: int, samples: int) -> tuple[float, ...]:
    """Return the draws of one input. The same for every lot, so that two lots differ by their facts only."""
    source = Random(f"{seed} {name}")  # noqa: S311 - a sample, not a secret
    half = [source.gauss(0, 1) for _n in range(samples // 2)]
    drawn = [*half, *(-z for z in half)]  # antithetic: the middle lies in the middle
    source.shuffle(drawn)
    return tuple(drawn)


@lru_cache(maxsize=256)
def _which(shares: tuple[Decimal, ...], seed: int, samples: int) -> tuple[int, ...]:
    """Return which chemistry each sample is, in exact proportion to the shares."""
    chosen: list[int] = []
    reached = 0.0
    for at, share in enumerate(shares):
        reached += float(share)
        chosen += [at] * (round(reached * samples) - len(chosen))
    chosen += [len(shares) - 1] * (samples - len(chosen))
    Random(f"{seed} chemistry").shuffle(chosen)  # noqa: S311 - a sample, not a secret
    return tuple(chosen[:samples])


def _marks(drawn: Sequence[float]) -> tuple[float, float]:
    in_order = sorted(drawn)
    last = len(in_order) - 1
    return in_order[round(0.1 * last)], in_order[round(0.9 * last)]


def _sum(terms: Sequence[Term]) -> Decimal:
    return sum((term.usd for term in terms), ZERO)


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
