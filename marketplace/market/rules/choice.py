"""The yes-or-no programme behind a sale of packages: built once in whole numbers, solved by CP-SAT or HiGHS.

Variables: z_j "bid j wins", y_jl "divisible bid j takes lot l", u_p "party p wins anything" (only where a party is charged).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import floor, isfinite
from time import perf_counter

import numpy as np
from ortools.sat.python import cp_model

from .packages import Bid, Lot, Sale, Win, offered, set_aside, share_of
from .programmes import Answer, Programme, rows_of, solve

CP_SAT_BIDS = 600  # above, HiGHS proves more: OPTIMISATION.md, 5c

Row = tuple[int | None, int | None, list[tuple[int, int]]]


@dataclass(slots=True)
class Choice:
    """A maximisation over yes-or-no variables with whole coefficients.

    :param gain: minor units of each variable above leaving everything unsold
    :param rows: (least or None, most or None, [(variable, coefficient), ...])
    :param wins: bid key -> its variable; ``takes``: (bid key, lot key) -> its variable
    """

    sale: Sale
    base: int
    gain: list[int] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    wins: dict[str, int] = field(default_factory=dict)
    takes: dict[tuple[str, str], int] = field(default_factory=dict)
    charged: dict[str, int] = field(default_factory=dict)
    bids: dict[str, Bid] = field(default_factory=dict)
    lots: dict[str, Lot] = field(default_factory=dict)
    lot_rows: dict[str, int] = field(default_factory=dict)

    def variable(self, gain: int) -> int:
        self.gain.append(gain)
        return len(self.gain) - 1


@dataclass(frozen=True, slots=True)
class Best:
    """The best award found: ``picked`` has a 0 or 1 for every variable; value and bound include the unsold lots."""

    picked: tuple[int, ...]
    value: int
    bound: int
    proven: bool
    method: str
    prices: Mapping[str, int]
    floor: int


def build(
    sale: Sale,
    *,
    without: Iterable[str] = (),
    must_win: str | None = None,
    charges: Mapping[str, int] | None = None,
) -> Choice:
    """Return the programme of a sale.

    :param without: parties whose bids do not count
    :param must_win: key of a bid that has to win
    :param charges: party -> minor units that are deducted once if it wins anything
    """
    lots = {lot.key: lot for lot in sorted(sale.lots, key=lambda lot: lot.key)}
    choice = Choice(sale, sum(lot.outside for lot in sale.lots), lots=lots)
    absent, aside = set(without), set_aside(sale)
    for bid in sorted(sale.bids, key=lambda bid: bid.key):
        if bid.key in aside or sale.party_of(bid.bidder) in absent:
            continue
        choice.bids[bid.key] = bid
        package = [lots[key] for key in sorted(bid.lots)]
        if not bid.divisible:
            net = offered(bid, package) - bid.cost
            choice.wins[bid.key] = choice.variable(net - sum(lot.outside for lot in package))
        else:
            _add_divisible(choice, bid, package)
    _add_shared_rows(choice)
    _add_charges(choice, charges or {})
    if must_win is not None:
        sought = choice.wins.get(must_win)
        choice.rows.append((1, None, [] if sought is None else [(sought, 1)]))
    return choice


def _add_divisible(choice: Choice, bid: Bid, package: list[Lot]) -> None:
    z = choice.wins[bid.key] = choice.variable(bid.amount - bid.cost)
    taken = {}
    for lot in package:
        y = choice.takes[bid.key, lot.key] = choice.variable(share_of(bid, lot) - lot.outside)
        taken[y] = lot
        choice.rows.append((None, 0, [(y, 1), (z, -1)]))
    choice.rows.append((0, None, [(z, -1)] + [(y, 1) for y in taken]))
    grams = [(y, lot.mass_g) for y, lot in taken.items()]
    if bid.least_g:
        choice.rows.append((0, None, [*grams, (z, -bid.least_g)]))
    if bid.most_g is not None:
        choice.rows.append((None, 0, [*grams, (z, -bid.most_g)]))
    above = [(y, share_of(bid, lot) - lot.reserve) for y, lot in taken.items()]
    choice.rows.append((0, None, [*above, (z, bid.amount - bid.cost)]))


def _add_shared_rows(choice: Choice) -> None:
    """Every lot once; one bid of a group; no bidder beyond its capacity."""
    of_lot: dict[str, list[tuple[int, int]]] = defaultdict(list)
    of_group: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    of_bidder: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for key, bid in choice.bids.items():
        z = choice.wins[key]
        of_group[bid.bidder, bid.group].append((z, 1))
        for lot in sorted(bid.lots):
            y = choice.takes.get((key, lot), z)
            of_lot[lot].append((y, 1))
            of_bidder[bid.bidder].append((y, choice.lots[lot].mass_g))
    for lot, pairs in sorted(of_lot.items()):
        choice.lot_rows[lot] = len(choice.rows)
        choice.rows.append((None, 1, pairs))
    choice.rows += [(None, 1, pairs) for _key, pairs in sorted(of_group.items()) if len(pairs) > 1]
    for bidder, pairs in sorted(of_bidder.items()):
        capacity = choice.sale.capacity_g.get(bidder)
        if capacity is not None and sum(grams for _j, grams in pairs) > capacity:
            grams_of: dict[int, int] = defaultdict(int)
            for j, grams in pairs:
                grams_of[j] += grams
            choice.rows.append((None, capacity, list(grams_of.items())))


def _add_charges(choice: Choice, charges: Mapping[str, int]) -> None:
    for party, charge in sorted(charges.items()):
        if charge <= 0:
            continue
        u = choice.charged[party] = choice.variable(-charge)
        for key, bid in choice.bids.items():
            if choice.sale.party_of(bid.bidder) == party:
                choice.rows.append((None, 0, [(choice.wins[key], 1), (u, -1)]))


def worth(choice: Choice, picked: Iterable[int]) -> int:
    """Return the value of a choice in minor units, unsold lots at their outside option."""
    return choice.base + sum(g for g, x in zip(choice.gain, picked, strict=True) if x)


def allowed(choice: Choice, picked: tuple[int, ...]) -> bool:
    """Return whether a choice keeps every row, in whole numbers."""
    for least, most, pairs in choice.rows:
        total = sum(weight for j, weight in pairs if picked[j])
        if (least is not None and total < least) or (most is not None and total > most):
            return False
    return True


def wins_of(choice: Choice, picked: tuple[int, ...]) -> tuple[Win, ...]:
    """Return the winning bids and their lots, by bid key."""
    wins = []
    for key, bid in choice.bids.items():
        if not picked[choice.wins[key]]:
            continue
        taken = sorted(
            lot for lot in bid.lots if picked[choice.takes.get((key, lot), choice.wins[key])]
        )
        wins.append(Win(key, tuple(taken), offered(bid, [choice.lots[lot] for lot in taken])))
    return tuple(wins)


def greedy(choice: Choice, prices: Mapping[str, int]) -> tuple[int, ...]:
    """Return the best of several greedy awards: bids in order of gain, gain per root of lots, and gain above prices.

    It never fails: an empty award is allowed. Bids that must win come first, if they fit.

    :source: Lehmann, O'Callaghan, Shoham 2002: gain over the square root of the number of lots
    """
    best = tuple([0] * len(choice.gain))
    rough = {}
    for key, bid in choice.bids.items():
        parts = [max(choice.gain[choice.takes[key, lot]], 0) for lot in bid.lots if bid.divisible]
        rough[key] = choice.gain[choice.wins[key]] + sum(parts)
    orders = [
        {key: float(gain) for key, gain in rough.items()},
        {key: gain / len(choice.bids[key].lots) ** 0.5 for key, gain in rough.items()},
        {
            key: float(gain - sum(prices.get(lot, 0) for lot in choice.bids[key].lots))
            for key, gain in rough.items()
        },
    ]
    for order in orders:
        picked = _filled(choice, sorted(order, key=lambda key: (-order[key], key)))
        if allowed(choice, picked) and worth(choice, picked) > worth(choice, best):
            best = picked
    return best


def _filled(choice: Choice, order: list[str]) -> tuple[int, ...]:
    picked = [0] * len(choice.gain)
    free = set(choice.lots)
    groups: set[tuple[str, str]] = set()
    left = dict(choice.sale.capacity_g)
    for key in order:
        bid = choice.bids[key]
        if (bid.bidder, bid.group) in groups:
            continue
        room = left.get(bid.bidder)
        taken = _taken(choice, bid, free, room)
        charge = choice.charged.get(choice.sale.party_of(bid.bidder))
        owed = choice.gain[charge] if charge is not None and not picked[charge] else 0
        parts = [choice.takes[key, lot] for lot in taken if bid.divisible]
        gain = choice.gain[choice.wins[key]] + sum(choice.gain[y] for y in parts) + owed
        if not taken or gain <= 0:
            continue
        for j in [choice.wins[key], *parts, *([charge] if charge is not None else [])]:
            picked[j] = 1
        groups.add((bid.bidder, bid.group))
        free -= set(taken)
        if room is not None:
            left[bid.bidder] = room - sum(choice.lots[lot].mass_g for lot in taken)
    return tuple(picked)


def _taken(choice: Choice, bid: Bid, free: set[str], room: int | None) -> list[str]:
    """Return the lots that a bid would take of those free, within its capacity; empty if it does not fit."""
    if not bid.divisible:
        grams = sum(choice.lots[lot].mass_g for lot in bid.lots)
        fits = free.issuperset(bid.lots) and (room is None or grams <= room)
        return list(bid.lots) if fits else []
    limits = [limit for limit in (room, bid.most_g) if limit is not None]
    most = min(limits) if limits else None
    above = {
        lot: share_of(bid, choice.lots[lot]) - choice.lots[lot].reserve
        for lot in bid.lots
        if lot in free
    }
    taken: list[str] = []
    grams, margin = 0, bid.amount - bid.cost
    for lot in sorted(above, key=lambda lot: (-above[lot], lot)):
        mass = choice.lots[lot].mass_g
        wanted = above[lot] >= 0 or grams < bid.least_g or not taken
        if wanted and (most is None or grams + mass <= most):
            taken.append(lot)
            grams += mass
            margin += above[lot]
    return taken if grams >= bid.least_g and margin >= 0 else []


def relaxed(choice: Choice, *, seconds: float) -> Answer:
    """Solve the linear relaxation."""
    return solve(_programme(choice, whole=False), seconds=seconds)


def _programme(choice: Choice, *, whole: bool, fixed: Mapping[int, int] | None = None) -> Programme:
    many = len(choice.gain)
    lower, upper = np.zeros(many), np.ones(many)
    for j, x in (fixed or {}).items():
        lower[j] = upper[j] = x
    rows = [
        (
            -float("inf") if least is None else float(least),
            float("inf") if most is None else float(most),
            [(j, float(weight)) for j, weight in pairs],
        )
        for least, most, pairs in choice.rows
    ]
    gain = np.array(choice.gain, dtype=np.float64)
    return Programme(
        gain, lower, upper, rows_of(rows), np.ones(many, dtype=np.bool_) if whole else None
    )


def whole_bound(bound: float) -> int | None:
    """Round a bound in floating point to whole minor units, on the safe side; None if there is none.

    >>> whole_bound(10.9999999999)
    11
    """
    if not isfinite(bound):
        return None
    return floor(bound + 1e-5 + 1e-9 * abs(bound))


def fixings(choice: Choice, relaxation: Answer, value: int) -> dict[int, int]:
    """Return the variables that have one value in every award worth at least ``value``, by their reduced costs.

    A variable that leaves its bound in the relaxation costs at least its reduced cost, so if that takes the bound below
    the value, it stays.
    """
    if relaxation.reduced is None or relaxation.x is None:
        return {}
    slack = relaxation.value - (value - choice.base) + 1e-3 + 1e-8 * abs(relaxation.value)
    fixed = {}
    for j, (x, reduced) in enumerate(zip(relaxation.x, relaxation.reduced, strict=True)):
        if x < 1e-9 and reduced < -slack:
            fixed[j] = 0
        elif x > 1 - 1e-9 and reduced > slack:
            fixed[j] = 1
    return fixed


def optimise(choice: Choice, *, seconds: float, cp_sat_bids: int = CP_SAT_BIDS) -> Best | None:
    """Find the best award within the time, and how good any could be; None if no award is allowed at all.

    Linear relaxation, greedy award, variables fixed by reduced costs; then CP-SAT, and HiGHS for what it leaves
    open; above ``cp_sat_bids`` bids HiGHS alone. The best award is kept when time runs out.

    :param seconds: by the clock, for all of it
    """
    began = perf_counter()
    relaxation = relaxed(choice, seconds=seconds)
    if relaxation.solved and relaxation.x is None:
        return None
    bound = whole_bound(relaxation.value) if relaxation.solved else None
    top = choice.base + (sum(g for g in choice.gain if g > 0) if bound is None else bound)
    prices = _prices(choice, relaxation)
    picked: tuple[int, ...] | None = greedy(choice, prices)
    if picked is not None and not allowed(choice, picked):
        picked = None  # a bid that must win does not stand in the greedy award
    least = worth(choice, picked) if picked is not None else choice.base
    rounded = _rounded(choice, relaxation)
    if rounded is not None and (picked is None or worth(choice, rounded) > least):
        picked = rounded
    if picked is not None and worth(choice, picked) >= top:
        return Best(picked, top, top, True, "relaxation", prices, least)
    fixed = fixings(choice, relaxation, worth(choice, picked)) if picked is not None else {}
    method, known = "greedy", picked is not None
    if len(choice.bids) <= cp_sat_bids:
        share = seconds - (perf_counter() - began) if len(choice.bids) <= 250 else seconds / 2
        found, bound_cp, none = _cp_sat(choice, fixed, picked, seconds=share)
        if none:
            return None
        if found is not None and (picked is None or worth(choice, found) > worth(choice, picked)):
            picked, method = found, "cp-sat"
        if bound_cp < top:
            top, method = bound_cp, "cp-sat"
    left = seconds - (perf_counter() - began)
    if left > 0.05 and (picked is None or worth(choice, picked) < top):
        answer = _highs(choice, fixed, picked, seconds=left)
        if answer.solved and answer.x is None and not known and picked is None:
            return None
        found = _rounded(choice, answer)
        if found is not None and (picked is None or worth(choice, found) > worth(choice, picked)):
            picked, method = found, "highs"
        told = whole_bound(answer.bound)
        if told is not None and choice.base + told < top:
            top, method = choice.base + told, "highs"
    if picked is None:
        picked = tuple([0] * len(choice.gain))
        if not allowed(choice, picked):
            return None
    value = worth(choice, picked)
    return Best(picked, value, max(top, value), top <= value, method, prices, least)


def _prices(choice: Choice, relaxation: Answer) -> dict[str, int]:
    """Return the relaxation's price of each lot in minor units, above its outside option, not negative."""
    if relaxation.prices is None:
        return {}
    return {lot: max(round(relaxation.prices[row]), 0) for lot, row in choice.lot_rows.items()}


def _rounded(choice: Choice, answer: Answer) -> tuple[int, ...] | None:
    """Return the solver's point in whole numbers, if it is one and keeps every row exactly."""
    if answer.x is None or np.abs(answer.x - np.round(answer.x)).max(initial=0) > 1e-4:
        return None
    picked = tuple(int(x) for x in np.round(answer.x))
    return picked if allowed(choice, picked) else None


def _highs(
    choice: Choice, fixed: Mapping[int, int], start: tuple[int, ...] | None, *, seconds: float
) -> Answer:
    return solve(
        _programme(choice, whole=True, fixed=fixed),
        seconds=seconds,
        start=None if start is None else np.array(start, dtype=np.float64),
        absolute_gap=0.999,
    )


def exact_model(
    choice: Choice, fixed: Mapping[int, int]
) -> tuple[cp_model.CpModel, list[cp_model.IntVar]]:
    """Return the rows for CP-SAT, without anything to maximise, and its variables in order."""
    model = cp_model.CpModel()
    x = [model.new_bool_var("") for _ in choice.gain]
    for j, value in sorted(fixed.items()):
        model.add(x[j] == value)
    for least, most, pairs in choice.rows:
        columns, weights = [x[j] for j, _ in pairs], [weight for _, weight in pairs]
        total = cp_model.LinearExpr.weighted_sum(columns, weights)
        if least is None and most == 1 and all(weight == 1 for weight in weights):
            model.add_at_most_one(columns)
            continue
        if least is not None:
            model.add(total >= least)
        if most is not None:
            model.add(total <= most)
    return model, x


def exact_solver(seconds: float) -> cp_model.CpSolver:
    """Return CP-SAT with one thread and a fixed seed."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_time_in_seconds = max(seconds, 0.01)
    return solver


def _cp_sat(
    choice: Choice, fixed: Mapping[int, int], hint: tuple[int, ...] | None, *, seconds: float
) -> tuple[tuple[int, ...] | None, int, bool]:
    """Return the award found, a bound on every award's value, and whether it is proven that none is allowed."""
    model, x = exact_model(choice, fixed)
    model.maximize(cp_model.LinearExpr.weighted_sum(x, choice.gain))
    for j, value in enumerate(hint or ()):
        model.add_hint(x[j], value)
    solver = exact_solver(seconds)
    status = solver.solve(model)
    nothing_known = choice.base + sum(g for g in choice.gain if g > 0)
    if status == cp_model.INFEASIBLE:
        return None, choice.base, hint is None
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None, nothing_known, False
    picked = tuple(int(solver.value(v)) for v in x)
    bound = whole_bound(solver.best_objective_bound)
    return picked, nothing_known if bound is None else choice.base + bound, False
