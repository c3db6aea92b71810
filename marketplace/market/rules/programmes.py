"""Linear, mixed-integer and quadratic programmes, handed to HiGHS in one shape.

HiGHS keeps its number of threads for the whole process, so every programme of the house asks for one:
to use two cores, run two workers.
"""

from dataclasses import dataclass
from time import process_time
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

UNBOUNDED = float("inf")


@dataclass(frozen=True, slots=True)
class Rows:
    """The constraints least <= A x <= most, row by row.

    :param least: shape (m,), -inf where there is none
    :param most: shape (m,), +inf where there is none
    :param start: shape (m + 1,); row i holds the entries start[i] to start[i + 1]
    :param column: shape (entries,), the variable of each entry
    :param weight: shape (entries,), its coefficient
    """

    least: Floats
    most: Floats
    start: Ints
    column: Ints
    weight: Floats


@dataclass(frozen=True, slots=True)
class Programme:
    """Maximise gain'x - square'(x*x)/2 over lower <= x <= upper and the rows.

    :param gain: shape (n,)
    :param lower: shape (n,)
    :param upper: shape (n,)
    :param rows: the constraints
    :param whole: shape (n,), true where a variable is an integer; None if none is
    :param square: shape (n,), not negative: the weight of each square; None for a linear programme
    """

    gain: Floats
    lower: Floats
    upper: Floats
    rows: Rows
    whole: NDArray[np.bool_] | None = None
    square: Floats | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What HiGHS said.

    :param x: shape (n,), or None if no feasible point is known
    :param value: the gain of x; -inf without one
    :param bound: no feasible point gains more; -inf if there is no feasible point at all, +inf if nothing is known
    :param solved: whether the bound was reached within the tolerances (for an infeasible programme: proven so)
    :param prices: shape (m,), what one more unit of each row's ``most`` would gain; None for integers
    :param reduced: shape (n,), what one unit of each variable would gain beyond the prices; None for integers
    :param seconds: processor time spent
    """

    x: Floats | None
    value: float
    bound: float
    solved: bool
    prices: Floats | None
    reduced: Floats | None
    seconds: float


def rows_of(entries: list[tuple[float, float, list[tuple[int, float]]]]) -> Rows:
    """Return rows given one by one as (least, most, [(variable, coefficient), ...])."""
    sizes = [len(pairs) for _least, _most, pairs in entries]
    return Rows(
        least=np.array([row[0] for row in entries], dtype=np.float64),
        most=np.array([row[1] for row in entries], dtype=np.float64),
        start=np.concatenate(([0], np.cumsum(sizes))).astype(np.int32),
        column=np.array([j for row in entries for j, _ in row[2]], dtype=np.int32),
        weight=np.array([w for row in entries for _, w in row[2]], dtype=np.float64),
    )


def solve(
    programme: Programme,
    *,
    seconds: float,
    start: Floats | None = None,
    gap: float = 0.0,
    absolute_gap: float = 0.0,
    nodes: int | None = None,
    seed: int = 0,
    by_processor: bool = False,
) -> Answer:
    """Solve a programme with one thread.

    :param seconds: stop after so many seconds by the clock and keep the best point
    :param start: shape (n,), a feasible point to begin with
    :param gap: stop when (bound - value) / value is at most this
    :param absolute_gap: stop when bound - value is at most this
    :param by_processor: for integers, ``seconds`` are of processor time, and four times as many by the clock the limit
    :param nodes: stop after so many nodes of branch and bound, which unlike seconds is reproducible
    :raises ValueError: if HiGHS refuses the programme (a NaN, a column that is not there)
    :source: HiGHS 1.16, https://highs.dev; its simplex is taken for linear programmes: six times faster
        here than its interior point at 20,000 lots
    """
    began = process_time()
    highs = _solver(seconds * (4 if by_processor else 1), gap, absolute_gap, nodes, seed)
    if by_processor:
        _stop_at(highs, began + seconds)
    if highs.passModel(_model(programme)) == highspy.HighsStatus.kError:
        raise ValueError("HiGHS refuses the programme.")
    if programme.square is not None:
        _pass_squares(highs, programme.square)
    if start is not None:
        guess = highspy.HighsSolution()
        guess.col_value = list(start)
        highs.setSolution(guess)
    highs.run()
    return _answer(highs, programme, process_time() - began)


def _solver(seconds: float, gap: float, absolute_gap: float, nodes: int | None, seed: int) -> Any:
    highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {
        "output_flag": False,
        "threads": 1,
        "parallel": "off",
        "time_limit": max(seconds, 0.01),
        "mip_rel_gap": gap,
        "mip_abs_gap": absolute_gap,
        "random_seed": seed,
    }
    if nodes is not None:
        options["mip_max_nodes"] = nodes
    for name, wanted in options.items():
        highs.setOptionValue(name, wanted)
    return highs


def _stop_at(highs: Any, deadline: float) -> None:
    """Interrupt branch and bound once the process has used its time; other processes then cost nothing in quality."""

    def check(event: Any) -> None:
        event.interrupt(process_time() >= deadline)

    highs.cbMipInterrupt.subscribe(check)


def _model(programme: Programme) -> Any:
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(programme.gain), len(programme.rows.least)
    model.sense_ = highspy.ObjSense.kMinimize
    model.col_cost_ = -programme.gain
    model.col_lower_, model.col_upper_ = programme.lower, programme.upper
    model.row_lower_, model.row_upper_ = programme.rows.least, programme.rows.most
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.num_col_, model.a_matrix_.num_row_ = model.num_col_, model.num_row_
    model.a_matrix_.start_ = programme.rows.start
    model.a_matrix_.index_ = programme.rows.column
    model.a_matrix_.value_ = programme.rows.weight
    if programme.whole is not None:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        model.integrality_ = [kinds[int(w)] for w in programme.whole]
    return model


def _pass_squares(highs: Any, square: Floats) -> None:
    many = len(square)
    hessian = highspy.HighsHessian()
    hessian.dim_ = many
    hessian.format_ = highspy.HessianFormat.kTriangular
    hessian.start_ = np.arange(many + 1, dtype=np.int32)
    hessian.index_ = np.arange(many, dtype=np.int32)
    hessian.value_ = square
    if highs.passHessian(hessian) == highspy.HighsStatus.kError:
        raise ValueError("HiGHS refuses the squares.")


def _answer(highs: Any, programme: Programme, seconds: float) -> Answer:
    status, told = highs.getModelStatus(), highs.getInfo()
    states = highspy.HighsModelStatus
    if status in (states.kInfeasible, states.kUnboundedOrInfeasible):
        return Answer(None, -UNBOUNDED, -UNBOUNDED, True, None, None, seconds)
    feasible = told.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    integers = programme.whole is not None and bool(programme.whole.any())
    solution = highs.getSolution()
    x = np.array(solution.col_value) if feasible else None
    value = -told.objective_function_value if feasible else -UNBOUNDED
    solved = status == states.kOptimal
    if integers:
        return Answer(x, value, -told.mip_dual_bound, solved, None, None, seconds)
    prices = reduced = None
    if solved:
        prices, reduced = -np.array(solution.row_dual), -np.array(solution.col_dual)
    return Answer(x, value, value if solved else UNBOUNDED, solved, prices, reduced, seconds)
