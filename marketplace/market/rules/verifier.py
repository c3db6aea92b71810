"""Check a stored award of a sale of packages by itself: whole numbers and the published rules, no solver, nothing of the code that made it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from .packages import Bid, Outcome, Sale, Win, draw, offered, set_aside, share_of

PAIRS = 300  # so many losing bids at most are tried two at a time

Award = tuple[Win, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with an award.

    :param code: of the award: "unknown_bid", "twice", "not_the_package", "below_least", "above_most", "wrong_amount", "sold_twice",
        "exclusive", "over_capacity", "below_reserve"; of what is said of it: "wrong_value", "wrong_bound", "wrong_proof",
        "refuted"; of its choice: "better_award", "tie_order"; of its prices: "wrong_prices", "above_offer",
        "below_floor", "not_as_bid", "blocked"
    :param about: the bid, lot or bidder
    """

    code: str
    about: str = ""


def verify(
    sale: Sale, outcome: Outcome, paid: Mapping[str, int] | None = None, *, rule: str = "pay_as_bid"
) -> tuple[Finding, ...]:
    """Return everything that is wrong with an award; empty if nothing was found.

    Allowed or not is decided fully. Whether it is the best, first among equals and safe from groups of bidders is tried with every
    losing bid, and every two, in the place of those whom they push out: what is found is wrong for sure,
    what is not found is not proven by it.

    :param paid: winning bid -> minor units; None to leave prices alone
    :param rule: the rule by which the prices were made: "pay_as_bid" or "core"
    """
    broken = _broken(sale, outcome)
    if broken:
        return tuple(broken)
    findings = _said(sale, outcome)
    if paid is not None:
        findings += _prices(sale, outcome, paid, rule)
        if findings:
            return tuple(findings)
    findings += _beaten(sale, outcome, paid if rule == "core" else None)
    return tuple(findings)


def certified_bound(sale: Sale, outcome: Outcome) -> int:
    """Return a bound on the value of any award that follows from the stored prices of lots by addition alone.

    Whoever gets lots at these prices gains at most so much; where it equals the value, that is a proof without a solver.

    :source: weak duality of linear programmes
    """
    lots = {lot.key: lot for lot in sale.lots}
    price = {key: max(outcome.prices.get(key, 0), 0) for key in lots}
    most: dict[tuple[str, str], int] = defaultdict(int)
    aside = set_aside(sale)
    for bid in sale.bids:
        if bid.key in aside:
            continue
        rests = [share_of(bid, lots[key]) - lots[key].outside - price[key] for key in bid.lots]
        gain = (
            bid.amount - bid.cost + sum(max(rest, 0) if bid.divisible else rest for rest in rests)
        )
        group = (bid.bidder, bid.group)
        most[group] = max(most[group], gain)
    return sum(lot.outside + price[lot.key] for lot in sale.lots) + sum(most.values())


def value_of(sale: Sale, wins: Iterable[Win]) -> int:
    """Return what an award is worth: offers less costs, and the outside options of unsold lots, in minor units."""
    bids = {bid.key: bid for bid in sale.bids}
    wins = tuple(wins)
    sold = {lot for win in wins for lot in win.lots}
    offers = sum(win.amount - bids[win.bid].cost for win in wins)
    return offers + sum(lot.outside for lot in sale.lots if lot.key not in sold)


def _broken(sale: Sale, outcome: Outcome) -> list[Finding]:
    """Return the rules that the award breaks."""
    bids, lots = {bid.key: bid for bid in sale.bids}, {lot.key: lot for lot in sale.lots}
    found, sold, groups = [], set[str](), set[tuple[str, str]]()
    held: dict[str, int] = defaultdict(int)
    seen = set[str]()
    for win in outcome.wins:
        bid = bids.get(win.bid)
        if bid is None:
            found.append(Finding("unknown_bid", win.bid))
            continue
        if win.bid in seen:
            found.append(Finding("twice", win.bid))
        seen.add(win.bid)
        if wrong := _wrong_package(bid, win):
            found.append(Finding(wrong, win.bid))
            continue
        taken = [lots[key] for key in win.lots]
        grams = sum(lot.mass_g for lot in taken)
        if bid.divisible and grams < bid.least_g:
            found.append(Finding("below_least", win.bid))
        if bid.divisible and bid.most_g is not None and grams > bid.most_g:
            found.append(Finding("above_most", win.bid))
        if win.amount != offered(bid, taken):
            found.append(Finding("wrong_amount", win.bid))
        if offered(bid, taken) - bid.cost < sum(lot.reserve for lot in taken):
            found.append(Finding("below_reserve", win.bid))
        found += [Finding("sold_twice", key) for key in win.lots if key in sold]
        sold.update(win.lots)
        if (bid.bidder, bid.group) in groups:
            found.append(Finding("exclusive", win.bid))
        groups.add((bid.bidder, bid.group))
        held[bid.bidder] += grams
    for bidder, grams in sorted(held.items()):
        if grams > sale.capacity_g.get(bidder, grams):
            found.append(Finding("over_capacity", bidder))
    return found


def _wrong_package(bid: Bid, win: Win) -> str:
    asked, got = set(bid.lots), set(win.lots)
    whole = got == asked or (bid.divisible and got and got <= asked)
    return "" if whole and len(got) == len(win.lots) else "not_the_package"


def _said(sale: Sale, outcome: Outcome) -> list[Finding]:
    found = []
    value = value_of(sale, outcome.wins)
    if outcome.value != value:
        found.append(Finding("wrong_value", str(value)))
    if outcome.bound < value:
        found.append(Finding("wrong_bound", str(outcome.bound)))
    if outcome.proven != (outcome.bound == outcome.value):
        found.append(Finding("wrong_proof"))
    if not found and certified_bound(sale, outcome) < value:
        found.append(Finding("refuted"))
    return found


def _floor(sale: Sale, win: Win, bid: Bid) -> int:
    reserve = {lot.key: lot.reserve for lot in sale.lots}
    return sum(reserve[lot] for lot in win.lots) + bid.cost


def _prices(sale: Sale, outcome: Outcome, paid: Mapping[str, int], rule: str) -> list[Finding]:
    if set(paid) != {win.bid for win in outcome.wins}:
        return [Finding("wrong_prices")]
    bids = {bid.key: bid for bid in sale.bids}
    found = []
    for win in outcome.wins:
        if paid[win.bid] > win.amount:
            found.append(Finding("above_offer", win.bid))
        if paid[win.bid] < _floor(sale, win, bids[win.bid]):
            found.append(Finding("below_floor", win.bid))
        if rule == "pay_as_bid" and paid[win.bid] != win.amount:
            found.append(Finding("not_as_bid", win.bid))
    return found


def _beaten(sale: Sale, outcome: Outcome, paid: Mapping[str, int] | None) -> list[Finding]:
    """Try one losing bid, then two, in the place of those whom they push out."""
    aside, won = set_aside(sale), {win.bid for win in outcome.wins}
    losing = [b for b in sale.bids if b.key not in aside and b.key not in won and not b.divisible]
    losing.sort(key=lambda bid: bid.key)
    lots = {lot.key: lot for lot in sale.lots}
    ready = {
        bid.key: Win(
            bid.key, tuple(sorted(bid.lots)), offered(bid, [lots[key] for key in bid.lots])
        )
        for bid in losing
    }
    kept = None if paid is None else _kept(sale, outcome.wins, paid)
    found: dict[str, Finding] = {}
    tries: list[tuple[Bid, ...]] = [(bid,) for bid in losing]
    if len(losing) <= PAIRS:
        tries += combinations(losing, 2)
    parties = {bid.key: sale.party_of(bid.bidder) for bid in sale.bids}
    mine = None
    for newcomers in tries:
        award = _instead(sale, outcome.wins, newcomers, ready)
        if award is None:
            continue
        about = "+".join(bid.key for bid in newcomers)
        value = value_of(sale, award)
        if outcome.proven and value > outcome.value:
            found.setdefault("better_award", Finding("better_award", about))
        if outcome.ties_settled and value == outcome.value:
            mine = mine or _rank(sale, outcome.wins)
            if _rank(sale, award) > mine:
                found.setdefault("tie_order", Finding("tie_order", about))
        if kept is not None:
            inside = {parties[win.bid] for win in award}
            rest = value - sum(kept.get(party, 0) for party in inside)
            if rest > outcome.value - sum(kept.values()):
                found.setdefault("blocked", Finding("blocked", about))
    return list(found.values())


def _kept(sale: Sale, wins: Award, paid: Mapping[str, int]) -> dict[str, int]:
    """Return what each winning party keeps of what it offered."""
    bidder = {bid.key: bid.bidder for bid in sale.bids}
    kept: dict[str, int] = defaultdict(int)
    for win in wins:
        kept[sale.party_of(bidder[win.bid])] += win.amount - paid[win.bid]
    return dict(kept)


def _instead(
    sale: Sale, wins: Award, newcomers: tuple[Bid, ...], ready: Mapping[str, Win]
) -> Award | None:
    """Return the award with the newcomers and without those in their way; None if they are in each other's."""
    taken: set[str] = set()
    groups: set[tuple[str, str]] = set()
    for bid in newcomers:
        if not taken.isdisjoint(bid.lots) or (bid.bidder, bid.group) in groups:
            return None
        taken.update(bid.lots)
        groups.add((bid.bidder, bid.group))
    bids = {bid.key: bid for bid in sale.bids}
    stay = tuple(
        win
        for win in wins
        if taken.isdisjoint(win.lots) and (bids[win.bid].bidder, bids[win.bid].group) not in groups
    )
    award = stay + tuple(ready[bid.key] for bid in newcomers)
    grams = {lot.key: lot.mass_g for lot in sale.lots}
    for bidder in {bid.bidder for bid in newcomers} & set(sale.capacity_g):
        own = [win for win in award if bids[win.bid].bidder == bidder]
        if sum(grams[lot] for win in own for lot in win.lots) > sale.capacity_g[bidder]:
            return None
    return award


def _rank(sale: Sale, wins: Award) -> tuple[list[int], int, list[bool], list[bool]]:
    """Return the published order of equal awards as a key; the greater comes first."""
    bids, grams = {bid.key: bid for bid in sale.bids}, {lot.key: lot.mass_g for lot in sale.lots}
    routes: dict[int, int] = {bid.route: 0 for bid in sale.bids}
    for win in wins:
        routes[bids[win.bid].route] += sum(grams[lot] for lot in win.lots)
    won = {win.bid: set(win.lots) for win in wins}
    order = sorted(sale.bids, key=lambda bid: (bid.placed_at, draw(sale.seed, bid.key)))
    parts = sorted(
        ((bid.key, lot) for bid in sale.bids if bid.divisible for lot in bid.lots),
        key=lambda part: (draw(sale.seed, part[0]), draw(sale.seed, part[1])),
    )
    return (
        [routes[route] for route in sorted(routes, reverse=True)],
        -sum(bids[win.bid].km_tenths for win in wins),
        [bid.key in won for bid in order],
        [lot in won.get(key, set()) for key, lot in parts],
    )
