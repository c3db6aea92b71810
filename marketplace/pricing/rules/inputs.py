"""What a valuation is computed from: bands, metals, recipes, the pack as a battery, the trip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

ZERO = Decimal(0)
ONE = Decimal(1)


class Route(StrEnum):
    """What becomes of the lot, in the order of the waste hierarchy."""

    REUSE = "REUSE"
    REPURPOSE = "REPURPOSE"
    RECYCLE = "RECYCLE"
    RECOVER = "RECOVER"


class Gate(StrEnum):
    """What keeps a lot from a second life. UL 1974 and IEC 63338 ask in this spirit; our own short list."""

    CHEMISTRY_UNKNOWN = "chemistry_unknown"
    NOT_FOR_REUSE = "not_for_reuse"
    DAMAGED = "damaged"
    TOO_OLD = "too_old"
    NO_HISTORY = "no_history"
    NOT_TESTED = "not_tested"
    TOO_WEAK = "too_weak"
    NO_PRICE = "no_price"


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

    @classmethod
    def exactly(cls, value: Decimal) -> "Band":
        return cls(value, value, value)


NOTHING = Band.exactly(ZERO)


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
class Step:
    """One charge of taking a kilogram apart: discharging, dismantling, shredding, or all in one."""

    code: str
    usd_per_kg: Band


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a kilogram of one chemistry pays and costs at the quotes of a day, and what recycling it spares the air."""

    chemistry: str
    metals: tuple[Metal, ...]
    steps: tuple[Step, ...]
    avoided_kg_per_kg: Band = NOTHING
    """Kg of CO2 equivalent that recycling a kg avoids."""


@dataclass(frozen=True, slots=True)
class Makeup:
    """One chemistry that the lot may be, and how likely."""

    recipe: Recipe
    share: Decimal = ONE


@dataclass(frozen=True, slots=True)
class Trip:
    """The way to a licensed plant: a share of fetching it, and tonnes times kilometres."""

    base_usd: Decimal
    usd_per_tkm: Band
    km: Band
    packing_usd_per_kg: Band = NOTHING
    """Dangerous goods packing."""
    co2_kg_per_tkm: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Pack:
    """The lot as batteries: what a second life would pay. Only for kinds that have one.

    ``curve`` holds the price of a usable kWh by health: the middles of the grades, weakest first. Between two the
    price is drawn straight, beyond the ends it stays. ``health`` is nothing if nobody measured it; then
    ``presumed_health`` says what such packs usually have, which counts only for what a test would be worth.
    """

    energy_kwh: Band
    health: Band | None
    presumed_health: Band
    curve: tuple[tuple[Decimal, Band], ...]
    least_health: Decimal
    reuse_health: Decimal
    reuse_premium: Decimal
    life_factor: Decimal
    """1 for a full remaining life at its health; less where the maker's years run out before."""
    testing_usd_per_kwh: Band
    sorting_usd_per_kwh: Band
    repacking_usd_per_kwh: Band
    made_kg_per_kwh: Band
    """Kg of CO2 equivalent of making a new kWh."""
    displaces: Decimal
    """Share of a new kWh that a used one stands in for."""
    is_tested: bool = True
    """Off: ``health`` is what the owner says, and a test would tell more."""
    barred: tuple[Gate, ...] = ()
    """What bars any second life, besides health."""
    reuse_barred: tuple[Gate, ...] = ()
    """What bars only the same use again."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a valuation is computed from.

    ``mass_when_weighed`` is the spread that a scale would leave; ``mass_kg`` is as it is now.
    """

    mass_kg: Band
    makeups: tuple[Makeup, ...]
    shredding_loss: Band
    trip: Trip
    moisture: Band = NOTHING
    damage_cut: Decimal = ZERO
    pack: Pack | None = None
    recover_usd_per_kg: Band = NOTHING
    mass_when_weighed: Decimal | None = None

    def __post_init__(self) -> None:
        if abs(sum((makeup.share for makeup in self.makeups), ZERO) - 1) > Decimal("0.001"):
            raise ValueError("The shares of the chemistries make one.")


@dataclass(frozen=True, slots=True)
class Term:
    """One line of the sum, in US dollars: what, how much, and who says so."""

    code: str
    usd: Decimal
    material: str = ""
    source: str = ""
    on: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


def summed(terms: Sequence[Term]) -> Decimal:
    return sum((term.usd for term in terms), ZERO)


def cents(usd: Decimal) -> Decimal:
    return usd.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
