"""Which of several awards of equal worth is taken: the order published before the sale, followed to its end."""

from collections.abc import Iterable, Mapping
from time import perf_counter, process_time

from ortools.sat.python import cp_model

from .choice import (
    Best,
    Choice,
    Row,
    build,
    exact_model,
    exact_solver,
    fixings,
    optimise,
    relaxed,
    wins_of,
)
from .packages import Outcome, Sale, draw, set_aside

CHUNK = 50  # ties are settled so many bids at a time: 2 ** 50 fits into CP-SAT's 64 bits


def settle_ties(choice: Choice, best: Best, *, seconds: float) -> tuple[tuple[int, ...], bool]:
    """Return the first award, in the published order, of all that are worth as much; and whether it is surely that.

    The order: more grams on the highest route, then on the next, and so on; fewer kilometres; then the award that holds
    the earliest bid that the other does not hold, of bids placed at once the one drawn lowest; and
    last, within divisible bids, the award that takes the lot drawn lowest. One solve for each step, over the awards
    that are left.
    """
    began = perf_counter()
    relaxation = relaxed(choice, seconds=seconds)
    fixed = fixings(choice, relaxation, best.value)
    choice_left = _narrowed(choice, choice.gain, best.value - choice.base)
    picked = best.picked
    if not _another(choice_left, fixed, picked, seconds=seconds - (perf_counter() - began)):
        return picked, True
    for weights in _steps(choice, fixed):
        left = seconds - (perf_counter() - began)
        step, sure = _step(choice_left, fixed, picked, weights, seconds=left)
        if not sure:
            return picked, False
        picked = step
        reached = sum(w for w, x in zip(weights, picked, strict=True) if x)
        choice_left = _narrowed(choice_left, weights, reached)
    return picked, True


def _narrowed(choice: Choice, weights: list[int], reached: int) -> Choice:
    row: Row = (reached, None, [(j, w) for j, w in enumerate(weights) if w])
    return Choice(choice.sale, choice.base, choice.gain, [*choice.rows, row])


def _another(
    choice: Choice, fixed: Mapping[int, int], picked: tuple[int, ...], *, seconds: float
) -> bool:
    """Return whether an award other than ``picked`` may keep the rows (true also if time ran out)."""
    free = [j for j in range(len(picked)) if j not in fixed]
    if not free:
        return False
    model, x = exact_model(choice, fixed)
    model.add_bool_or([x[j].negated() if picked[j] else x[j] for j in free])
    return bool(exact_solver(seconds).solve(model) != cp_model.INFEASIBLE)


def _steps(choice: Choice, fixed: Mapping[int, int]) -> Iterable[list[int]]:
    """Yield the weights to maximise, one step after the other."""
    many = len(choice.gain)
    for route in sorted({bid.route for bid in choice.bids.values()}, reverse=True):
        weights = [0] * many
        for key, bid in choice.bids.items():
            for lot in bid.lots if bid.route == route else ():
                j = choice.takes.get((key, lot), choice.wins[key])
                weights[j] += choice.lots[lot].mass_g
        yield weights
    if any(bid.km_tenths for bid in choice.bids.values()):
        weights = [0] * many
        for key, bid in choice.bids.items():
            weights[choice.wins[key]] = -bid.km_tenths
        yield weights
    seed = choice.sale.seed
    bids = sorted(choice.bids.values(), key=lambda bid: (bid.placed_at, draw(seed, bid.key)))
    parts = sorted(choice.takes, key=lambda part: (draw(seed, part[0]), draw(seed, part[1])))
    order = [choice.wins[bid.key] for bid in bids] + [choice.takes[part] for part in parts]
    free = [j for j in order if j not in fixed]
    for at in range(0, len(free), CHUNK):
        weights = [0] * many
        chunk = free[at : at + CHUNK]
        for place, j in enumerate(chunk):
            weights[j] = 1 << (len(chunk) - 1 - place)
        yield weights


def _step(
    choice: Choice,
    fixed: Mapping[int, int],
    hint: tuple[int, ...],
    weights: list[int],
    *,
    seconds: float,
) -> tuple[tuple[int, ...], bool]:
    if seconds <= 0:
        return hint, False
    model, x = exact_model(choice, fixed)
    model.maximize(cp_model.LinearExpr.weighted_sum(x, weights))
    for j, value in enumerate(hint):
        model.add_hint(x[j], value)
    solver = exact_solver(seconds)
    if solver.solve(model) != cp_model.OPTIMAL:
        return hint, False
    return tuple(int(solver.value(v)) for v in x), True


def outcome_of(sale: Sale, *, seconds: float) -> Outcome:
    """Return who wins a sale that has no faults."""
    began, clock = process_time(), perf_counter()
    choice = build(sale)
    aside = tuple(sorted(set_aside(sale).items()))
    if not choice.gain:
        spent = process_time() - began
        return Outcome(
            (), choice.base, choice.base, True, True, choice.base, aside, {}, "none", spent
        )
    best = optimise(choice, seconds=seconds)
    if best is None:
        raise AssertionError("To sell nothing is always allowed.")
    picked, settled = best.picked, False
    if best.proven:
        left = seconds - (perf_counter() - clock)
        picked, settled = settle_ties(choice, best, seconds=max(left, 0.05))
    return Outcome(
        wins=wins_of(choice, picked),
        value=best.value,
        bound=best.bound,
        proven=best.proven,
        ties_settled=settled,
        floor=best.floor,
        set_aside=aside,
        prices=best.prices,
        method=best.method,
        seconds=process_time() - began,
    )
