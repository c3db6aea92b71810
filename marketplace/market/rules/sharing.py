"""Who pays how much of a lorry: nobody more than alone, no group more than by itself where that can be had.

A collector's worst case is their best option alone, and that is a hard limit on their share, always. Inside it the
rule is the equal-profit method within the least core: of all splits that no group of sellers can beat by driving by
itself, the one in which everybody saves as nearly the same part of what they would pay alone. Lorries come in whole
units, so in about a third of real pools no split satisfies every group; then the largest advantage that any group
could find by leaving is made as small as it can be, and published.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import highspy
import numpy as np

from .games import Floats, Truck, group_sums

CENT = Decimal("0.01")
_TOLERANCE = 1e-6
_ROUNDS = 400
_ROWS_A_ROUND = 24

Group = tuple[int, ...]
Oracle = Callable[[Floats], list[tuple[Group, float]]]
"""Given shares, name groups that pay most above (or least below) their own cost, each with that cost."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a seller pays what they pay; money in the pool's currency, for one sentence in their language.

    ``code`` is ``alone_limit`` (they pay as much as alone, and gain nothing), ``group_limit`` (a group with them would
    leave if they paid more) or ``equal_saving`` (they save the same part as the others).
    """

    code: str
    alone: Decimal
    pays: Decimal
    saves: Decimal
    saved_share: Decimal
    group: Group = ()
    """The other members of the group that limits them, if one does."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """How one amount is split between the sellers of one pool."""

    shares: tuple[Decimal, ...]
    """What each pays. The sum is the total to the last minor unit, and nobody pays more than alone."""
    in_core: bool
    """Whether no group would pay less by itself (to within half a minor unit a member)."""
    epsilon: Decimal | None
    """The least-core value: how much every group at least gains by staying, negative if one could gain by leaving.

    None for a single seller, who has no smaller group."""
    worst_gain: Decimal
    """What the most tempted group would gain by leaving under these shares, 0 if none would."""
    worst_group: Group
    method: str
    """EPM (equal profits in the core), LEAST_CORE (the same where the core is empty), PROPORTIONAL (fallback), ALONE."""
    is_exact: bool
    """Whether every group was looked at. If not, ``in_core`` and ``epsilon`` say what a search has found."""
    reasons: tuple[Reason, ...]


class NotShareable(ValueError):
    """The total is more than all would pay alone: such a pool must not be offered."""


def share(
    costs: Floats, *, total: Decimal, alone: Sequence[Decimal], unit: Decimal = CENT
) -> Sharing:
    """Split what a lorry costs between its sellers, every group considered.

    :param costs: 2^n costs of the groups, from :func:`marketplace.market.rules.games.freight_game`; n up to 14
    :param total: what has to be paid in all, a whole number of ``unit``
    :param alone: the most each seller would pay before being better off alone, n; rounded down to ``unit``
    :param unit: the smallest amount that can be paid
    :raises NotShareable: if ``total`` is more than the sum of ``alone``
    :raises ValueError: if the lengths do not match, or ``total`` is not payable
    :source: OPTIMISATION 5 d; Frisk, Gothe-Lundgren, Jornsten and Ronnqvist (2010), the equal-profit method; Maschler,
        Peleg and Shapley (1979), the least core

    >>> from marketplace.market.rules.games import split_costs
    >>> costs = split_costs(np.array([0.0, 60, 40, 80]))
    >>> share(costs, total=Decimal(80), alone=[Decimal(60), Decimal(40)]).shares
    (Decimal('48.00'), Decimal('32.00'))
    """
    players = len(alone)
    if len(costs) != 1 << players:
        raise ValueError(f"{players} sellers make {1 << players} groups, not {len(costs)}.")

    def most_tempted(shares: Floats) -> list[tuple[Group, float]]:
        left = costs - group_sums(shares)
        left[0] = left[-1] = np.inf
        count = min(_ROWS_A_ROUND, len(left) - 2)
        order = np.argpartition(left, count - 1)[:count]
        order = order[np.lexsort((order, left[order]))]
        return [(_members(int(group), players), float(costs[group])) for group in order]

    single = [float(costs[1 << player]) for player in range(players)]
    twins = interchangeable(costs, alone)
    return _share(
        single, most_tempted, total=total, alone=alone, unit=unit, twins=twins, is_exact=True
    )


def share_large(
    distances: Floats,
    kg: Floats,
    trucks: Sequence[Truck],
    *,
    total: Decimal,
    alone: Sequence[Decimal],
    stop_cost: float = 0.0,
    unit: Decimal = CENT,
) -> Sharing:
    """Split what a lorry with more stops than can be enumerated costs: groups are found as they are needed.

    A group's own cost is that of its stops in the lorry's order on the cheapest lorry: never less than its true cost,
    so a group that would leave may be missed, and ``is_exact`` is false. Nobody is worse off than alone all the same.

    :param distances: km, (n + 1) x (n + 1), node 0 the buyer's gate, the others in the order of the lorry's tour
    :param kg: mass of each stop, n
    :source: Caprara and Letchford (2010), New techniques for cost sharing in combinatorial optimization games
    """
    limits = np.array([float(limit) for limit in alone])

    def own_cost(groups: Floats) -> Floats:
        tours = tours_in_order(distances, groups)
        loads = groups @ kg
        best = np.full(len(groups), np.inf)
        for truck in trucks:
            cost = truck.fixed + truck.per_km * tours
            best = np.where(loads <= truck.payload_kg + 1e-9, np.minimum(best, cost), best)
        best += stop_cost * groups.sum(axis=1)
        lone = np.where(groups.sum(axis=1) == 1, groups @ limits, np.inf)
        return np.asarray(np.minimum(best, lone), dtype=np.float64)

    count = len(limits)
    runs = np.array(
        [[a <= at <= b for at in range(count)] for a in range(count) for b in range(a, count)]
    )
    starts = np.vstack([runs, ~runs]).astype(float)
    starts = np.unique(starts[(starts.sum(axis=1) > 0) & (starts.sum(axis=1) < count)], axis=0)
    start_costs = own_cost(starts)
    single = [float(cost) for cost in own_cost(np.eye(count))]

    def most_tempted(shares: Floats) -> list[tuple[Group, float]]:
        order = np.argsort(start_costs - starts @ shares, kind="stable")[:_ROWS_A_ROUND]
        found = {
            tuple(np.flatnonzero(starts[row]).tolist()): float(start_costs[row]) for row in order
        }
        for row in order[:4]:  # join or leave one at a time, as long as it tempts the group more
            group, left = starts[row].copy(), start_costs[row] - starts[row] @ shares
            for _step in range(count):
                near = np.abs(group[None, :] - np.eye(count))
                near = near[(near.sum(axis=1) > 0) & (near.sum(axis=1) < count)]
                cost = own_cost(near)
                best = int(np.argmin(cost - near @ shares))
                if cost[best] - near[best] @ shares >= left - _TOLERANCE:
                    break
                group, left = near[best], cost[best] - near[best] @ shares
                found[tuple(np.flatnonzero(group).tolist())] = float(cost[best])
        return sorted(
            found.items(), key=lambda item: (item[1] - shares[list(item[0])].sum(), item[0])
        )

    return _share(
        single, most_tempted, total=total, alone=alone, unit=unit, twins=(), is_exact=False
    )


def tours_in_order(distances: Floats, groups: Floats) -> Floats:
    """Return the km of a closed tour from node 0 for each group, its stops visited in the given order.

    :param groups: one row a group, one column a stop, 1 for a member; m x n
    """
    at = np.zeros(len(groups), dtype=np.int64)
    km = np.zeros(len(groups))
    for stop in range(groups.shape[1]):
        here = groups[:, stop] > 0
        km[here] += distances[at[here], stop + 1]
        at[here] = stop + 1
    return np.asarray(km + distances[at, 0], dtype=np.float64)


def proportional(
    total: Decimal, alone: Sequence[Decimal], unit: Decimal = CENT
) -> tuple[Decimal, ...]:
    """Split in proportion to what each would pay alone. Never worse than alone; says nothing about groups.

    :raises NotShareable: if ``total`` is more than the sum of ``alone``

    >>> proportional(Decimal(75), [Decimal(100), Decimal(50)])
    (Decimal('50.00'), Decimal('25.00'))
    """
    whole = sum(alone, Decimal(0))
    if total > whole:
        raise NotShareable("The pool costs more than all would pay alone.")
    exact = [float(limit * total / whole) if whole else 0.0 for limit in alone]
    return payable_shares(exact, total=total, limits=alone, unit=unit)


def payable_shares(
    exact: Sequence[float], *, total: Decimal, limits: Sequence[Decimal], unit: Decimal = CENT
) -> tuple[Decimal, ...]:
    """Make shares payable: their sum is the total, and none is above its limit (largest remainder, ties to the first).

    :param exact: shares whose sum is about ``total``
    :param limits: the most that each may pay; rounded down to ``unit``
    :raises NotShareable: if the limits do not reach the total
    :raises ValueError: if ``total`` is not a whole number of ``unit``

    >>> [str(part) for part in payable_shares([3.333, 3.333, 3.334], total=Decimal(10), limits=[Decimal(4)] * 3)]
    ['3.33', '3.33', '3.34']
    """
    if total % unit:
        raise ValueError(f"{total} cannot be paid in units of {unit}.")
    most = [math.floor(limit / unit) for limit in limits]
    wanted = [min(part / float(unit), float(top)) for part, top in zip(exact, most, strict=True)]
    parts = [min(math.floor(part + 1e-7), top) for part, top in zip(wanted, most, strict=True)]
    missing = int(total / unit) - sum(parts)
    if sum(most) < int(total / unit):
        raise NotShareable("The pool costs more than all would pay alone.")
    by_remainder = sorted(range(len(parts)), key=lambda at: (parts[at] - wanted[at], at))
    while missing > 0:
        room = [at for at in by_remainder if parts[at] < most[at]]
        each = max(1, min(missing // len(room), min(most[at] - parts[at] for at in room)))
        for at in room[:missing]:
            step = min(each, missing)
            parts[at] += step
            missing -= step
    by_remainder.reverse()
    while missing < 0:
        for at in by_remainder[: min(-missing, len(parts))]:
            parts[at] -= 1
            missing += 1
    return tuple((part * unit).quantize(unit) for part in parts)


def least_core(costs: Floats, total: float) -> float:
    """Return the least-core value: the most by which every smaller group can pay less than by itself.

    Negative if the core is empty. With one player there is no smaller group, and the value is infinite.
    """
    players = len(costs).bit_length() - 1
    if players < 2:
        return math.inf

    def most_tempted(shares: Floats) -> list[tuple[Group, float]]:
        left = costs - group_sums(shares)
        left[0] = left[-1] = np.inf
        count = min(_ROWS_A_ROUND, len(left) - 2)
        return [
            (_members(int(group), players), float(costs[group]))
            for group in np.argpartition(left, count - 1)[:count]
        ]

    single = [float(costs[1 << player]) for player in range(players)]
    _shares, value = _Search(single, total, most_tempted).least_core()
    return value


def interchangeable(costs: Floats, alone: Sequence[Decimal]) -> list[Group]:
    """Return the sets of two or more players whom the game cannot tell apart; they are to pay the same.

    >>> interchangeable(np.array([0.0, 5, 5, 8]), [Decimal(5), Decimal(5)])
    [(0, 1)]
    """
    players = len(alone)
    groups = np.arange(len(costs))
    seen: set[int] = set()
    found = []
    for first in range(players):
        alike = [first]
        for other in range(first + 1, players):
            if first in seen or other in seen or alone[first] != alone[other]:
                continue
            differ = ((groups >> first) ^ (groups >> other)) & 1
            swapped = groups ^ (differ << first) ^ (differ << other)
            if np.allclose(costs, costs[swapped], rtol=0, atol=_TOLERANCE):
                alike.append(other)
        if len(alike) > 1:
            found.append(tuple(alike))
            seen.update(alike)
    return found


def _members(group: int, players: int) -> Group:
    return tuple(player for player in range(players) if group >> player & 1)


def _share(
    single: Sequence[float],
    most_tempted: Oracle,
    *,
    total: Decimal,
    alone: Sequence[Decimal],
    unit: Decimal,
    twins: Sequence[Group],
    is_exact: bool,
) -> Sharing:
    players = len(alone)
    if total > sum((math.floor(limit / unit) * unit for limit in alone), Decimal(0)):
        raise NotShareable("The pool costs more than all would pay alone.")
    if players == 1:
        return _told((total,), None, 0.0, (), "ALONE", alone, unit, is_exact=is_exact)
    epsilon: float | None = None
    try:
        search = _Search(single, float(total), most_tempted, [float(limit) for limit in alone])
        _found, epsilon = search.least_core()
        exact, method = search.equal_profits(empty=epsilon < -_TOLERANCE)
        for alike in twins:
            exact[list(alike)] = exact[list(alike)].mean()
    except ArithmeticError:
        exact = np.array([float(part) for part in proportional(total, alone, unit)])
        method = "PROPORTIONAL"
    shares = payable_shares(exact.tolist(), total=total, limits=alone, unit=unit)
    paid = np.array([float(part) for part in shares])
    group, cost = most_tempted(paid)[0]
    gain = float(paid[list(group)].sum()) - cost
    return _told(shares, epsilon, gain, group, method, alone, unit, is_exact=is_exact)


def _told(
    shares: tuple[Decimal, ...],
    epsilon: float | None,
    gain: float,
    group: Group,
    method: str,
    alone: Sequence[Decimal],
    unit: Decimal,
    *,
    is_exact: bool,
) -> Sharing:
    fine = unit / 100
    tempted = gain > float(unit) * (0.5 * max(len(group), 1) + 1e-3)
    binding = group if gain > -float(unit) * len(group) else ()
    reasons = []
    others: Group
    for player, (limit, pays) in enumerate(zip(alone, shares, strict=True)):
        if pays > limit - unit:
            code, others = "alone_limit", ()
        elif len(binding) > 1 and player in binding:
            code, others = "group_limit", tuple(other for other in binding if other != player)
        else:
            code, others = "equal_saving", ()
        saves = limit - pays
        part = (saves / limit).quantize(Decimal("0.0001")) if limit > 0 else Decimal(0)
        reasons.append(Reason(code, limit, pays, saves, part, others))
    return Sharing(
        shares=shares,
        in_core=not tempted,
        epsilon=None if epsilon is None else Decimal(str(round(epsilon, 6))).quantize(fine),
        worst_gain=Decimal(str(round(gain, 6))).quantize(fine) if tempted else Decimal(0),
        worst_group=group if tempted else (),
        method=method,
        is_exact=is_exact,
        reasons=tuple(reasons),
    )


class _Search:
    """The linear programmes of one pool, over the groups that have mattered so far."""

    def __init__(
        self,
        single: Sequence[float],
        total: float,
        most_tempted: Oracle,
        limits: Sequence[float] | None = None,
    ) -> None:
        self.single = list(single)
        self.total = total
        self.most_tempted = most_tempted
        caps = (
            self.single
            if limits is None
            else [min(a, b) for a, b in zip(single, limits, strict=True)]
        )
        self.caps = caps if sum(caps) >= total else list(limits or caps)
        self.groups: dict[Group, float] = {(player,): cost for player, cost in enumerate(single)}

    def least_core(self) -> tuple[Floats, float]:
        """Return shares that reach the least-core value, and the value."""
        players = len(self.single)
        solver = quiet_solver()
        for _player in range(players):
            solver.addVar(-highspy.kHighsInf, highspy.kHighsInf)
        solver.addVar(-highspy.kHighsInf, highspy.kHighsInf)
        solver.changeColCost(players, -1.0)
        _row(solver, self.total, self.total, range(players), [1.0] * players)
        return self._with_rows(solver, self._slack_row, value_at=players)

    def equal_profits(self, *, empty: bool) -> tuple[Floats, str]:
        """Return the shares of the equal-profit method, and its name.

        Nobody above their own limit; every larger group at most its own cost, or that plus the least excess if the
        core is empty; then the smallest difference between the parts of their cost that players pay; then the
        smallest greatest part.
        """
        excess = 0.0
        if empty:
            excess = max(0.0, -self._least_excess())
        players = len(self.single)
        solver = quiet_solver()
        for cap in self.caps:
            solver.addVar(-highspy.kHighsInf, cap)
        for sign in (
            1.0,
            -1.0,
        ):  # the greatest and the smallest part of its cost that a player pays
            solver.addVar(-highspy.kHighsInf, highspy.kHighsInf)
            solver.changeColCost(solver.getNumCol() - 1, sign)
        _row(solver, self.total, self.total, range(players), [1.0] * players)
        for player, cost in enumerate(self.single):
            if cost > _TOLERANCE:  # who pays nothing alone has no part to compare
                _row(solver, -highspy.kHighsInf, 0.0, (player, players), [1.0 / cost, -1.0])
                _row(solver, 0.0, highspy.kHighsInf, (player, players + 1), [1.0 / cost, -1.0])

        def row(solver: highspy.Highs, group: Group, cost: float) -> None:
            if len(group) > 1:
                most = cost + excess + _TOLERANCE
                _row(solver, -highspy.kHighsInf, most, group, [1.0] * len(group))

        shares, _value = self._with_rows(solver, row, slack=excess + 10 * _TOLERANCE)
        spread = float(solver.getInfo().objective_function_value)
        _row(solver, -highspy.kHighsInf, spread + 1e-9, (players, players + 1), [1.0, -1.0])
        solver.changeColCost(players + 1, 0.0)
        shares, _value = self._with_rows(
            solver, row, slack=excess + 10 * _TOLERANCE, skip_known=True
        )
        return shares, "LEAST_CORE" if empty else "EPM"

    def _least_excess(self) -> float:
        """Return the least-core value when nobody may pay more than alone: single players have hard limits."""
        players = len(self.single)
        solver = quiet_solver()
        for cap in self.caps:
            solver.addVar(-highspy.kHighsInf, cap)
        solver.addVar(-highspy.kHighsInf, 0.0)
        solver.changeColCost(players, -1.0)
        _row(solver, self.total, self.total, range(players), [1.0] * players)

        def row(solver: highspy.Highs, group: Group, cost: float) -> None:
            if len(group) > 1:
                self._slack_row(solver, group, cost)

        _shares, value = self._with_rows(solver, row, value_at=players)
        return value

    def _slack_row(self, solver: highspy.Highs, group: Group, cost: float) -> None:
        players = len(self.single)
        _row(solver, -highspy.kHighsInf, cost, (*group, players), [1.0] * (len(group) + 1))

    def _with_rows(
        self,
        solver: highspy.Highs,
        row: Callable[[highspy.Highs, Group, float], None],
        *,
        value_at: int | None = None,
        slack: float = 0.0,
        skip_known: bool = False,
    ) -> tuple[Floats, float]:
        """Solve, and add the groups that the solution forgot, until it forgot none."""
        players = len(self.single)
        known = set(self.groups) if skip_known else set()
        for group, cost in self.groups.items():
            if group not in known:
                row(solver, group, cost)
                known.add(group)
        for _round in range(_ROUNDS):
            solver.run()
            if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                raise ArithmeticError(f"The solver ended with {solver.getModelStatus()}.")
            solution = np.array(solver.getSolution().col_value)
            shares, value = (
                solution[:players],
                0.0 if value_at is None else float(solution[value_at]),
            )
            forgotten = [
                (group, cost)
                for group, cost in self.most_tempted(shares)
                if group not in known
                and cost + slack - value - shares[list(group)].sum() < -_TOLERANCE
                and not (len(group) == 1 and value_at is None)
            ]
            if not forgotten:
                return shares, value
            for group, cost in forgotten:
                self.groups[group] = cost
                known.add(group)
                row(solver, group, cost)
        raise ArithmeticError(f"Still groups to add after {_ROUNDS} rounds.")


class _Quiet(highspy.Highs):
    """HiGHS without its greeting, which its constructor would print among the answers of a command."""

    def enableCallbacks(self) -> None:  # noqa: N802 — the library's name, called by its constructor
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def quiet_solver() -> highspy.Highs:
    """Return a solver that prints nothing, on one thread, with a fixed seed."""
    solver = _Quiet()  # type: ignore[no-untyped-call]
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("random_seed", 0)
    return solver


def _row(
    solver: highspy.Highs,
    low: float,
    high: float,
    columns: Sequence[int],
    values: Sequence[float],
) -> None:
    solver.addRow(low, high, len(columns), np.array(columns, dtype=np.int32), np.array(values))
