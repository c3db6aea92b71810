"""Screens for rings: figures that honest bidding seldom has. Each says where to look, none proves anything.

:source: OECD, Guidelines for Fighting Bid Rigging in Public Procurement (2009, revised 2023), red flags: winners in turn, cover bids,
    bids alike. R. Abrantes-Metz et al., A variance screen for collusion, International Journal of Industrial Organization 24
    (2006): bids of a cartel vary less. M. Huber and D. Imhof, Machine learning with screens for detecting bid-rigging cartels,
    International Journal of Industrial Organization 65 (2019): coefficient of variation, relative distance of the best two
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, pairwise
from math import comb
from statistics import fmean, pstdev

LEAST_SALES = 6
"""Fewer sales together say nothing."""

LEAST_VARIATION = 0.06
""":source: Imhof, Karagök and Rutz, Screening for Bid Rigging (2018): below 6 % in most tenders of the cartels they studied"""

MOST_CHANCE = 0.01
"""What would happen by chance less often than this is looked at."""

COVER_DISTANCE = 1.0
"""The gap between the best two bids, in standard deviations of the losing ones: above it losers keep clear of the winner."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One auction that is over: every bidder's best bid, as a share of the price, and who won; none if it was not sold."""

    number: int
    bids: Mapping[int, Decimal]
    winner: int | None


@dataclass(frozen=True, slots=True)
class Finding:
    """A pattern among some firms: the kind, the firms in order, the sales, and the figures by name."""

    kind: str
    firms: tuple[int, ...]
    sales: tuple[int, ...]
    figures: Mapping[str, str]

    @property
    def key(self) -> str:
        return f"{self.kind}:{','.join(map(str, self.firms))}"[:64]


def rotation(sales: Sequence[Sale], *, most_chance: float = MOST_CHANCE) -> list[Finding]:
    """Return pairs who win in turn, much more evenly than two who bid by themselves would.

    Of the sales where both bid and one of them won, in order of time, the winner alternates. With fair coins so many changes, or more,
    come up with a probability that is at most ``most_chance``.

    >>> taken = [Sale(n, {1: Decimal(9), 2: Decimal(8)}, 1 + n % 2) for n in range(10)]
    >>> [(found.firms, found.figures["changes"]) for found in rotation(taken)]
    [((1, 2), '9 of 9')]
    """
    found = []
    for pair, together in _pairs(sales).items():
        won = [sale for sale in together if sale.winner in pair]
        if len(won) < LEAST_SALES:
            continue
        changes = sum(one.winner != other.winner for one, other in pairwise(won))
        steps = len(won) - 1
        chance = sum(comb(steps, k) for k in range(changes, steps + 1)) / 2**steps
        if chance <= most_chance:
            figures = {"changes": f"{changes} of {steps}", "chance": f"{chance:.4f}"}
            found.append(_finding("ROTATION", pair, won, figures))
    return found


def cover_bids(
    sales: Sequence[Sale], *, most_chance: float = MOST_CHANCE, distance: float = COVER_DISTANCE
) -> list[Finding]:
    """Return firms who bid again and again with the same winner, never win against them, and keep clear of their bid.

    ``distance``: the mean of (winner's bid - own bid) over the spread of the losing bids, or over a twentieth of the winning bid
    where there is only one loser. Never winning so often, with even chances, must be rarer than ``most_chance``.
    """
    found = []
    for pair, together in _pairs(sales).items():
        for loser, winner in (pair, pair[::-1]):
            won = [sale for sale in together if sale.winner in pair]
            if len(won) < LEAST_SALES or any(sale.winner == loser for sale in won):
                continue
            chance = 0.5 ** len(won)
            gaps = [_distance(sale, loser, winner) for sale in won]
            if chance <= most_chance * 2 and fmean(gaps) >= distance:
                figures = {
                    "lost": f"{len(won)} of {len(won)}",
                    "distance": f"{fmean(gaps):.2f}",
                    "chance": f"{chance:.4f}",
                    "loser": str(loser),
                }
                found.append(_finding("COVER_BIDS", pair, won, figures))
    return found


def close_bids(sales: Sequence[Sale], *, least_variation: float = LEAST_VARIATION) -> list[Finding]:
    """Return groups that bid together often, and whose bids vary less than those of people who reckon by themselves.

    The coefficient of variation of all bids of a sale, averaged over the sales where exactly these firms bid, three or more.
    """
    groups: dict[tuple[int, ...], list[Sale]] = defaultdict(list)
    for sale in sales:
        if len(sale.bids) >= 3:
            groups[tuple(sorted(sale.bids))].append(sale)
    found = []
    for firms, together in sorted(groups.items()):
        if len(together) < LEAST_SALES:
            continue
        variation = fmean(_variation(sale) for sale in together)
        if variation < least_variation:
            figures = {"variation": f"{variation:.4f}"}
            found.append(_finding("CLOSE_BIDS", firms, together, figures))
    return found


def shared_traces(
    sales: Sequence[Sale], traces: Mapping[str, Iterable[tuple[int, str]]]
) -> list[Finding]:
    """Return rivals of one sale who share a trace: a person, a telephone, a bank account, a device.

    :param traces: by kind of trace, pairs of a firm and what it left. Firms of one declared group are not to be in here
    """
    found = []
    for kind, left in sorted(traces.items()):
        by_trace: dict[str, set[int]] = defaultdict(set)
        for firm, trace in left:
            by_trace[trace].add(firm)
        shared = Counter(
            pair for firms in by_trace.values() for pair in combinations(sorted(firms), 2)
        )
        for pair, many in sorted(shared.items()):
            together = [sale for sale in sales if set(pair) <= set(sale.bids)]
            if together:
                figures = {"trace": kind, "shared": str(many)}
                found.append(_finding("SHARED_TRACE", pair, together, figures))
    return found


def _pairs(sales: Sequence[Sale]) -> dict[tuple[int, int], list[Sale]]:
    pairs: dict[tuple[int, int], list[Sale]] = defaultdict(list)
    for sale in sales:
        for one, other in combinations(sorted(sale.bids), 2):
            pairs[one, other].append(sale)
    return dict(sorted(pairs.items()))


def _distance(sale: Sale, loser: int, winner: int) -> float:
    gap = float(sale.bids[winner] - sale.bids[loser])
    losing = [float(bid) for firm, bid in sale.bids.items() if firm != winner]
    spread = pstdev(losing) if len(losing) > 1 else 0.0
    return gap / (spread or float(sale.bids[winner]) / 20 or 1.0)


def _variation(sale: Sale) -> float:
    bids = [float(bid) for bid in sale.bids.values()]
    mean = fmean(bids)
    return pstdev(bids) / mean if mean else 0.0


def _finding(
    kind: str, firms: tuple[int, ...], sales: Sequence[Sale], figures: Mapping[str, str]
) -> Finding:
    return Finding(kind, firms, tuple(sale.number for sale in sales), figures)
