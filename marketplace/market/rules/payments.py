"""What the winners of a sale of packages pay: as bid, or the nearest to Vickrey prices at which no group of bidders could complain.

Core prices need competition and a proof; where either lacks, everybody pays as bid, and the reason is told.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from time import perf_counter

import numpy as np

from .choice import Best, build, optimise, wins_of
from .packages import Outcome, Sale, set_aside
from .programmes import Floats, Programme, Rows, rows_of, solve

LEAST_PARTIES = 3
MOST_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Prices:
    """What each winning bid pays.

    :param rule: "pay_as_bid" or "core"
    :param reason: why core prices were not taken although asked: "too_few_parties", "not_proven", "out_of_time"; else ""
    :param paid: winning bid -> minor units, between its reserves with costs and what it offered
    :param vickrey: party of winners -> minor units of the Vickrey-Clarke-Groves rule, not below reserves; empty unless computed
    :param rounds: groups of bidders who would have complained, met on the way
    """

    rule: str
    reason: str
    paid: Mapping[str, int]
    vickrey: Mapping[str, int]
    rounds: int


@dataclass(frozen=True, slots=True)
class _Party:
    """A party of winners: least and most that it may pay in all."""

    name: str
    least: int
    most: int


def pay_as_bid(outcome: Outcome, reason: str = "") -> Prices:
    """Return prices at which every winner pays what it offered."""
    return Prices("pay_as_bid", reason, {win.bid: win.amount for win in outcome.wins}, {}, 0)


def vickrey_prices(sale: Sale, outcome: Outcome, *, seconds: float = 60.0) -> dict[str, int] | None:
    """Return what each winning party would pay under Vickrey, Clarke and Groves, not below its reserves and costs.

    What the others lose by its being there. Never charged as such: outside the core it invites shills and gives sellers little.

    :param seconds: by the clock
    :returns: None where a value could not be proven in time
    """
    began = perf_counter()
    prices = {}
    for party in _parties(sale, outcome):
        left = seconds - (perf_counter() - began)
        others = optimise(build(sale, without=[party.name]), seconds=max(left, 0.05))
        if others is None or not others.proven:
            return None
        prices[party.name] = max(party.least, party.most - (outcome.value - others.value))
    return prices


def core_prices(sale: Sale, outcome: Outcome, *, seconds: float = 60.0) -> Prices:
    """Return the prices of least revenue in the core, of those the nearest to Vickrey's, in whole minor units (rounded up).

    In the core no group of bidders, together with the sellers, could all do better among themselves. Groups that could are
    found one by one: each is the winner of the sale in which today's winners offer what they would keep less.
    Related bidders count as one. Falls back to pay-as-bid with a reason.

    :param seconds: by the clock
    :source: Day and Raghavan 2007 (constraint generation, least revenue); Day and Cramton 2012 (nearest to Vickrey)

    >>> from marketplace.market.rules.packages import Bid, Lot
    >>> from marketplace.market.rules.winners import determine
    >>> lots = (Lot("a", 1000), Lot("b", 1000))
    >>> bids = (Bid("1", "x", ("a",), 60), Bid("2", "y", ("b",), 60), Bid("3", "z", ("a", "b"), 80))
    >>> sale = Sale(lots, bids)
    >>> dict(core_prices(sale, determine(sale)).paid)
    {'1': 40, '2': 40}
    """
    began = perf_counter()
    aside = set_aside(sale)
    bidding = {sale.party_of(bid.bidder) for bid in sale.bids if bid.key not in aside}
    if len(bidding) < LEAST_PARTIES:
        return pay_as_bid(outcome, "too_few_parties")
    if not outcome.proven:
        return pay_as_bid(outcome, "not_proven")
    vickrey = vickrey_prices(sale, outcome, seconds=seconds)
    if vickrey is None:
        return pay_as_bid(outcome, "out_of_time")
    parties = _parties(sale, outcome)
    asks: list[tuple[frozenset[str], int]] = []
    prices = dict(vickrey)
    for rounds in range(MOST_ROUNDS):
        left = seconds - (perf_counter() - began)
        kept = {party.name: party.most - prices[party.name] for party in parties}
        rival = optimise(build(sale, charges=kept), seconds=left) if left > 0 else None
        if rival is None or not rival.proven:
            return pay_as_bid(outcome, "out_of_time")
        if rival.value <= outcome.value - sum(kept.values()):
            return Prices("core", "", _divided(sale, outcome, prices), vickrey, rounds)
        asks.append(_ask(sale, outcome, parties, kept, rival))
        nearest = _nearest(parties, vickrey, asks)
        if nearest is None:
            return pay_as_bid(outcome, "out_of_time")
        prices = nearest
    return pay_as_bid(outcome, "out_of_time")


def _lots_of(sale: Sale) -> dict[str, int]:
    return {lot.key: lot.reserve for lot in sale.lots}


def _parties(sale: Sale, outcome: Outcome) -> list[_Party]:
    reserve = _lots_of(sale)
    bids = {bid.key: bid for bid in sale.bids}
    least: dict[str, int] = defaultdict(int)
    most: dict[str, int] = defaultdict(int)
    for win in outcome.wins:
        bid = bids[win.bid]
        name = sale.party_of(bid.bidder)
        least[name] += sum(reserve[lot] for lot in win.lots) + bid.cost
        most[name] += win.amount
    return [_Party(name, least[name], most[name]) for name in sorted(most)]


def _ask(
    sale: Sale,
    outcome: Outcome,
    parties: Sequence[_Party],
    kept: Mapping[str, int],
    rival: Best,
) -> tuple[frozenset[str], int]:
    """Return the winners outside a rival group and what they have to pay together so that it has no complaint."""
    bids = {bid.key: bid for bid in sale.bids}
    won = wins_of(build(sale, charges=kept), rival.picked)
    inside = {sale.party_of(bids[win.bid].bidder) for win in won}
    worth = rival.value + sum(kept[party.name] for party in parties if party.name in inside)
    outside = [party for party in parties if party.name not in inside]
    ask = sum(party.most for party in outside) - outcome.value + worth
    return frozenset(party.name for party in outside), ask


def _nearest(
    parties: Sequence[_Party],
    vickrey: Mapping[str, int],
    asks: Sequence[tuple[frozenset[str], int]],
) -> dict[str, int] | None:
    """Return the prices of least sum that meet the asks, of those the nearest to Vickrey's; None if HiGHS finds none."""
    place = {party.name: at for at, party in enumerate(parties)}
    scale = max(party.most for party in parties) / 1000 or 1.0
    lower = np.array([vickrey[party.name] / scale for party in parties])
    upper = np.array([party.most / scale for party in parties])
    met = [
        (ask / scale, float("inf"), [(place[name], 1.0) for name in sorted(names)])
        for names, ask in asks
    ]
    many = len(parties)
    rows = rows_of(met)
    least = solve(Programme(-np.ones(many), lower, upper, rows), seconds=10)
    if least.x is None:
        return None
    total = [*met, (-float("inf"), -least.value + 1e-6, [(at, 1.0) for at in range(many)])]
    nearest = _quadratic(lower, upper, rows_of(total))
    x = least.x if nearest is None else nearest
    paid = {
        party.name: min(max(ceil(x[at] * scale - 1e-3), vickrey[party.name]), party.most)
        for party, at in zip(parties, range(many), strict=True)
    }
    most = {party.name: party.most for party in parties}
    for names, ask in asks:  # what tolerances left open, in whole minor units
        for name in sorted(names):
            lacking = ask - sum(paid[each] for each in names)
            paid[name] += min(max(lacking, 0), most[name] - paid[name])
    return paid


def _quadratic(vickrey: Floats, upper: Floats, rows: Rows) -> Floats | None:
    """Return the point nearest to ``vickrey`` above it, or None if HiGHS does not finish."""
    many = len(vickrey)
    away = Programme(np.zeros(many), np.zeros(many), upper - vickrey, _moved(rows, vickrey))
    answer = solve(
        Programme(away.gain, away.lower, away.upper, away.rows, square=np.full(many, 2.0)),
        seconds=10,
    )
    return None if answer.x is None or not answer.solved else vickrey + answer.x


def _moved(rows: Rows, by: Floats) -> Rows:
    """Return the rows for x - by instead of x."""
    shift = np.array(
        [
            sum(rows.weight[k] * by[rows.column[k]] for k in range(start, end))
            for start, end in zip(rows.start[:-1], rows.start[1:], strict=True)
        ]
    )
    return Rows(rows.least - shift, rows.most - shift, rows.start, rows.column, rows.weight)


def _divided(sale: Sale, outcome: Outcome, prices: Mapping[str, int]) -> dict[str, int]:
    """Divide what a party pays among its winning bids: the same share of each one's room between floor and offer."""
    reserve, bids = _lots_of(sale), {bid.key: bid for bid in sale.bids}
    paid = {}
    for party in _parties(sale, outcome):
        over, room = prices[party.name] - party.least, party.most - party.least
        wins = [w for w in outcome.wins if sale.party_of(bids[w.bid].bidder) == party.name]
        floors = {w.bid: sum(reserve[lot] for lot in w.lots) + bids[w.bid].cost for w in wins}
        parts = {w.bid: over * (w.amount - floors[w.bid]) for w in wins}
        for win in wins:
            paid[win.bid] = floors[win.bid] + (parts[win.bid] // room if room else 0)
        left = prices[party.name] - sum(paid[win.bid] for win in wins)
        for win in sorted(wins, key=lambda w: (-(parts[w.bid] % room if room else 0), w.bid))[
            :left
        ]:
            paid[win.bid] += 1
    return paid


def prices_of(sale: Sale, outcome: Outcome, *, rule: str, seconds: float = 60.0) -> Prices:
    """Return the prices under the rule that the sale announced.

    :param rule: "pay_as_bid" or "core"
    :raises ValueError: for another rule
    """
    if rule == "pay_as_bid":
        return pay_as_bid(outcome)
    if rule == "core":
        return core_prices(sale, outcome, seconds=seconds)
    raise ValueError(f"There is no rule {rule!r} for prices.")
