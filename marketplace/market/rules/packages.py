"""What a sale of packages is made of: lots, bids on sets of them, what is refused before anybody computes, and what comes out.

Money is in whole minor units (cents) of one currency, masses are in whole grams: every sum is exact.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

GRAMS_A_TONNE = 1_000_000


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot or a pool, sold whole.

    :param mass_g: mass in grams, not negative
    :param outside: minor units that its seller has from it without this sale; counts if the lot stays unsold
    :param reserve: minor units that its seller wants at least, after costs; not below ``outside``
    """

    key: str
    mass_g: int
    outside: int = 0
    reserve: int = 0


@dataclass(frozen=True, slots=True)
class Bid:
    """One sealed bid on a package.

    It pays ``amount`` once, and for each lot that it takes the share of that lot's mass of ``per_tonne``, rounded down.
    "A and B but not both" is two bids of one ``group``. "Any subset of at least 2 t" is ``divisible`` with ``least_g``.

    :param lots: the package, as keys of lots; order does not matter
    :param amount: minor units, paid once; a divisible bid may deduct a trip with a negative amount
    :param per_tonne: minor units for 1,000 kg
    :param divisible: whether any subset will do; otherwise all the lots or none
    :param least_g: a divisible bid takes at least so many grams
    :param most_g: a divisible bid takes at most so many grams; None for no limit
    :param cost: minor units that the sellers spend if the bid wins (freight to the buyer's gate)
    :param group: of the bids of one bidder in one group at most one wins; the default puts them all into one
    :param route: what becomes of the goods, a higher number for a higher step: 3 reuse, 2 repurpose, 1 recycle, 0 recover
    :param km_tenths: length of the trip in tenths of a kilometre
    :param placed_at: microseconds since 1970 of the last improvement
    """

    key: str
    bidder: str
    lots: tuple[str, ...]
    amount: int = 0
    per_tonne: int = 0
    divisible: bool = False
    least_g: int = 0
    most_g: int | None = None
    cost: int = 0
    group: str = ""
    route: int = 0
    km_tenths: int = 0
    placed_at: int = 0


@dataclass(frozen=True, slots=True)
class Caps:
    """What a sale may hold. Proof within seconds is had up to 60 lots and 250 bids, which is what a real sale is held to.

    :source: CATS instances of every family (OPTIMISATION.md, 5c): proven in 4 s at 250 bids, often open at 500
    """

    lots: int = 60
    bids: int = 250
    package: int = 60


SALE_CAPS = Caps()
WIDEST_CAPS = Caps(lots=5_000, bids=20_000, package=5_000)


@dataclass(frozen=True, slots=True)
class Sale:
    """Everything that decides who wins. The order of lots and bids never does.

    :param capacity_g: bidder -> grams that the bidder may take in all; absent for no limit
    :param party: bidder -> the party of related bidders it belongs to; absent for a party of its own
    :param seed: published before the bids are compared; the last tie is broken by sha256(seed || bid key)
    """

    lots: tuple[Lot, ...]
    bids: tuple[Bid, ...]
    capacity_g: Mapping[str, int] = field(default_factory=dict)
    party: Mapping[str, str] = field(default_factory=dict)
    seed: str = ""

    def party_of(self, bidder: str) -> str:
        """Return the party that answers for a bidder."""
        return self.party.get(bidder, bidder)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a sale cannot be computed.

    :param bid: key of the bid, or "" where a lot or the sale is at fault
    :param field: the field of the bid (or "lots", "capacity_g") to put right
    :param code: stable: "empty", "repeated", "unknown_lot", "negative", "too_many", "contradictory", "twice", "whole"
    :param about: the lot, bidder or number that is meant
    """

    bid: str
    field: str
    code: str
    about: str = ""


class BadSale(ValueError):
    """The sale is not one that can be computed; ``faults`` names every bid and field."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        first = self.faults[0]
        super().__init__(
            f"{len(self.faults)} faults; first: bid {first.bid!r}, {first.field}: {first.code} {first.about}"
        )


@dataclass(frozen=True, slots=True)
class Win:
    """A bid that wins.

    :param lots: keys of the lots that it takes, sorted
    :param amount: minor units that the bid offers for them, before any discount and before costs
    """

    bid: str
    lots: tuple[str, ...]
    amount: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who wins, and how sure that is.

    :param wins: sorted by bid key
    :param value: minor units: offered by the winners, less costs, plus the outside option of every unsold lot
    :param bound: no allowed award is worth more
    :param proven: whether value and bound are equal
    :param ties_settled: whether the published order of ties was followed to its end (only ever after a proof)
    :param floor: the value of the greedy award; ``value`` is never below it
    :param set_aside: bids that could not win whatever the others did, as (bid key, code):
        "below_reserve", "over_capacity"
    :param prices: lot key -> minor units: prices from the linear relaxation, by which anybody can compute a bound
    :param method: what found or proved it: "none", "relaxation", "cp-sat", "highs", "greedy"
    :param seconds: processor time
    """

    wins: tuple[Win, ...]
    value: int
    bound: int
    proven: bool
    ties_settled: bool
    floor: int
    set_aside: tuple[tuple[str, str], ...]
    prices: Mapping[str, int]
    method: str
    seconds: float

    @property
    def gap(self) -> float:
        """The share of the bound by which a better award may exist, in [0, 1]; 0 when proven."""
        return (self.bound - self.value) / max(abs(self.bound), 1)


def share_of(bid: Bid, lot: Lot) -> int:
    """Return the minor units that a bid pays for the mass of one lot, rounded down.

    >>> share_of(Bid("b", "x", ("l",), per_tonne=1_000), Lot("l", 2_500))
    2
    """
    return bid.per_tonne * lot.mass_g // GRAMS_A_TONNE


def offered(bid: Bid, lots: Iterable[Lot]) -> int:
    """Return the minor units that a bid offers for these lots of its package, before costs.

    >>> offered(Bid("b", "x", ("l",), amount=-50, per_tonne=1_000), [Lot("l", 250_000)])
    200
    """
    return bid.amount + sum(share_of(bid, lot) for lot in lots)


def draw(seed: str, key: str) -> str:
    """Return the number that was drawn for a key, as 64 hexadecimal digits; the lower comes first.

    >>> draw("", "")[:8]
    'e3b0c442'
    """
    return sha256(f"{seed}{key}".encode()).hexdigest()


def faults_of(sale: Sale, caps: Caps = SALE_CAPS) -> tuple[Fault, ...]:
    """Return everything that is wrong with a sale, by bid key; empty if it can be computed.

    A sale without bids or without lots is in order: nobody wins. What is out of bounds is told without looking
    further into it, so a bid of 10,000 items costs nothing.
    """
    faults = []
    for name, many, most in (
        ("lots", len(sale.lots), caps.lots),
        ("bids", len(sale.bids), caps.bids),
    ):
        if many > most:
            faults.append(Fault("", name, "too_many", str(most)))
    if faults:
        return tuple(faults)
    for key, times in sorted(Counter(lot.key for lot in sale.lots).items()):
        if times > 1:
            faults.append(Fault("", "lots", "twice", key))
    for lot in sorted(sale.lots, key=lambda lot: lot.key):
        if lot.mass_g < 0 or lot.outside < 0:
            faults.append(Fault("", "lots", "negative", lot.key))
        if lot.reserve < lot.outside:
            faults.append(Fault("", "lots", "contradictory", lot.key))
    for bidder, grams in sorted(sale.capacity_g.items()):
        if grams < 0:
            faults.append(Fault("", "capacity_g", "negative", bidder))
    lots = {lot.key: lot for lot in sale.lots}
    for key, times in sorted(Counter(bid.key for bid in sale.bids).items()):
        if times > 1:
            faults.append(Fault(key, "key", "twice"))
    for bid in sorted(sale.bids, key=lambda bid: bid.key):
        faults += _faults_of_bid(bid, lots, caps)
    return tuple(faults)


def _faults_of_bid(bid: Bid, lots: Mapping[str, Lot], caps: Caps) -> list[Fault]:
    if not bid.lots:
        return [Fault(bid.key, "lots", "empty")]
    if len(bid.lots) > caps.package:
        return [Fault(bid.key, "lots", "too_many", str(caps.package))]
    faults = []
    for lot, times in sorted(Counter(bid.lots).items()):
        if times > 1:
            faults.append(Fault(bid.key, "lots", "repeated", lot))
        if lot not in lots:
            faults.append(Fault(bid.key, "lots", "unknown_lot", lot))
    counted = ("per_tonne", "least_g", "cost", "km_tenths")
    faults += [Fault(bid.key, name, "negative") for name in counted if getattr(bid, name) < 0]
    if bid.amount < 0 and not bid.divisible:
        faults.append(Fault(bid.key, "amount", "negative"))
    if bid.most_g is not None and bid.most_g < bid.least_g:
        faults.append(Fault(bid.key, "most_g", "contradictory", str(bid.least_g)))
    if not bid.divisible and (bid.least_g or bid.most_g is not None):
        faults.append(Fault(bid.key, "least_g" if bid.least_g else "most_g", "whole"))
    if not faults and bid.least_g > sum(lots[lot].mass_g for lot in bid.lots):
        faults.append(Fault(bid.key, "least_g", "contradictory", str(bid.least_g)))
    return faults


def set_aside(sale: Sale) -> dict[str, str]:
    """Return bid key -> code for bids that cannot win whatever the others do.

    "over_capacity": more grams than the bidder may take. "below_reserve": less, after costs, than the sellers want.
    """
    lots = {lot.key: lot for lot in sale.lots}
    aside = {}
    for bid in sale.bids:
        package = [lots[key] for key in bid.lots]
        least = bid.least_g if bid.divisible else sum(lot.mass_g for lot in package)
        if least > sale.capacity_g.get(bid.bidder, least):
            aside[bid.key] = "over_capacity"
        elif offered(bid, _wanted(bid, package)) - bid.cost < sum(
            lot.reserve for lot in _wanted(bid, package)
        ):
            aside[bid.key] = "below_reserve"
    return aside


def _wanted(bid: Bid, package: list[Lot]) -> list[Lot]:
    """Return the lots of a package that leave most above their reserves: all, or those worth taking to a divisible bid."""
    if not bid.divisible:
        return package
    worth = [lot for lot in package if share_of(bid, lot) >= lot.reserve]
    return worth or [max(package, key=lambda lot: share_of(bid, lot) - lot.reserve)]
