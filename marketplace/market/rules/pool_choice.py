"""Choose between generated pools: a set packing, solved by HiGHS with a bound, above a greedy floor."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from .sharing import quiet_solver


@dataclass(frozen=True, slots=True)
class Column:
    """One pool to choose or leave.

    :param value: money that all its sellers together gain by it; above 0
    :param loads: the loads that it fetches; each can be fetched once
    :param draws: what it uses of limited things, by name
    """

    value: float
    loads: frozenset[int]
    draws: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which columns, by their place; what they are worth; and that none of the choices is worth more than ``bound``."""

    chosen: tuple[int, ...]
    value: float
    bound: float
    greedy_value: float
    status: str


def choose(
    columns: Sequence[Column],
    limits: Mapping[str, float],
    *,
    seconds: float,
    floor: Sequence[int] = (),
) -> Choice:
    """Return the most valuable columns that share no load and keep within the limits.

    :param limits: how much of each limited thing there is; what is not named is not limited
    :param seconds: most time for the solver; the best choice found stands, with the bound proven until then
    :param floor: a choice to start from, if it keeps within the limits
    :source: set packing as in OPTIMISATION 3; the linear relaxation's duals are core shares where it has no gap
    """
    if not columns:
        return Choice((), 0.0, 0.0, 0.0, "EMPTY")
    greedy = _greedy(columns, limits)
    greedy_value = sum(columns[at].value for at in greedy)
    floors = [tuple(sorted(greedy))]
    if _fits(columns, floor, limits):
        floors.append(tuple(sorted(floor)))
    best = max(
        floors,
        key=lambda chosen: sum(columns[at].value for at in chosen),
    )
    value = sum(columns[at].value for at in best)
    solver = _programme(columns, limits)
    solver.setOptionValue("time_limit", max(seconds, 0.05))
    solver.setOptionValue("mip_rel_gap", 1e-6)
    guess = highspy.HighsSolution()
    taken = set(best)
    guess.col_value = [1.0 if at in taken else 0.0 for at in range(len(columns))]
    solver.setSolution(guess)
    solver.run()
    info, status = solver.getInfo(), "GREEDY"
    bound = -float(info.mip_dual_bound)
    if not math.isfinite(bound):
        bound = sum(column.value for column in columns)
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        weights = solver.getSolution().col_value
        found = tuple(at for at in range(len(columns)) if weights[at] > 0.5)
        found_value = sum(columns[at].value for at in found)
        if _fits(columns, found, limits) and found_value >= value - 1e-6:
            best, value = found, found_value
            proven = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
            status = "OPTIMAL" if proven else "TIME_LIMIT"
    return Choice(best, value, max(bound, value), greedy_value, status)


def _programme(columns: Sequence[Column], limits: Mapping[str, float]) -> highspy.Highs:
    by_load: dict[int, list[int]] = defaultdict(list)
    by_name: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for at, column in enumerate(columns):
        for load in column.loads:
            by_load[load].append(at)
        for name, used in column.draws.items():
            by_name[name].append((at, used))
    rows = [([1.0] * len(ats), ats, 1.0) for _load, ats in sorted(by_load.items()) if len(ats) > 1]
    for name, uses in sorted(by_name.items()):
        if name in limits and sum(used for _at, used in uses) > limits[name]:
            rows.append(([used for _at, used in uses], [at for at, _used in uses], limits[name]))
    solver = quiet_solver()
    model = highspy.HighsLp()
    count = len(columns)
    model.num_col_, model.num_row_ = count, len(rows)
    model.sense_ = highspy.ObjSense.kMinimize
    model.col_cost_ = np.array([-column.value for column in columns])
    model.col_lower_, model.col_upper_ = np.zeros(count), np.ones(count)
    model.row_lower_ = np.full(len(rows), -highspy.kHighsInf)
    model.row_upper_ = np.array([most for _weights, _ats, most in rows])
    model.integrality_ = [highspy.HighsVarType.kInteger] * count
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    starts = np.cumsum([0, *(len(ats) for _weights, ats, _most in rows)])
    model.a_matrix_.start_ = starts.astype(np.int32)
    model.a_matrix_.index_ = np.array([at for _w, ats, _m in rows for at in ats], dtype=np.int32)
    model.a_matrix_.value_ = np.array([one for weights, _a, _m in rows for one in weights])
    solver.passModel(model)
    return solver


def _greedy(columns: Sequence[Column], limits: Mapping[str, float]) -> list[int]:
    """Take the pool worth most, then the next that still fits. Ties to the first."""
    left, gone, taken = dict(limits), set[int](), []
    for at in sorted(range(len(columns)), key=lambda at: (-columns[at].value, at)):
        column = columns[at]
        fits = all(used <= left.get(name, math.inf) + 1e-9 for name, used in column.draws.items())
        if fits and gone.isdisjoint(column.loads):
            taken.append(at)
            gone |= column.loads
            for name, used in column.draws.items():
                if name in left:
                    left[name] -= used
    return taken


def _fits(columns: Sequence[Column], chosen: Sequence[int], limits: Mapping[str, float]) -> bool:
    used: dict[str, float] = defaultdict(float)
    loads: set[int] = set()
    for at in chosen:
        if not loads.isdisjoint(columns[at].loads):
            return False
        loads |= columns[at].loads
        for name, amount in columns[at].draws.items():
            used[name] += amount
    return all(amount <= limits.get(name, math.inf) + 1e-6 for name, amount in used.items())
