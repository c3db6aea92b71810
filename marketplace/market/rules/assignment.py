"""Which buyer takes which lot when capacities are tight: sparse edges, a linear bound, and searching with small exact programmes.

The linear relaxation gives the bound and prices; rounding gives a first plan; a programme over the edges that the prices leave in
doubt (the kernel) improves it, and then programmes over a few neighbouring buyers at a time. Small ones are proven.
"""

from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .programmes import Programme, Rows, solve

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]

EXACT_EDGES = 3_000  # below, one programme over everything is tried to the end
KERNEL_EDGES = 6_000  # what HiGHS searches well within half a minute
HOOD_EDGES = (
    100  # alternatives in a neighbourhood, which HiGHS mostly solves in a tenth of a second
)
HOOD_BUYERS = 8
HOOD_NODES = 50
KERNEL_TIME = 0.6  # share of the time left
KERNEL_NODES = 2_000
LEAST_SECONDS = 240.0  # by the clock for a relaxation: without it there is no bound


@dataclass(frozen=True, slots=True)
class Matching:
    """Lots, buyers and the edges between them; an absent edge may not be used.

    :param mass_g: shape (lots,), grams, positive
    :param capacity_g: shape (buyers,), grams that each buyer takes at most
    :param lot: shape (edges,), index of the lot of each edge
    :param buyer: shape (edges,), index of its buyer; a pair stands at most once
    :param gain: shape (edges,), money that the edge is worth above the lot's outside option; edges of no gain are unused
    :param least_g: shape (buyers,), a buyer takes so many grams at least or nothing; None for no such minimum
    :raises ValueError: if shapes do not fit, an index is out of range, a mass is not positive or a pair stands twice
    """

    mass_g: Whole
    capacity_g: Whole
    lot: Whole
    buyer: Whole
    gain: Floats
    least_g: Whole | None = None

    def __post_init__(self) -> None:
        edges = len(self.lot)
        if len(self.buyer) != edges or len(self.gain) != edges:
            raise ValueError("lot, buyer and gain are as many as edges.")
        if self.least_g is not None and len(self.least_g) != len(self.capacity_g):
            raise ValueError("least_g has an entry for each buyer.")
        if len(self.mass_g) and self.mass_g.min() <= 0:
            raise ValueError("Every lot has a mass.")
        if not np.isfinite(self.gain).all():
            raise ValueError("Every gain is a number.")
        for name, index, many in (
            ("lot", self.lot, len(self.mass_g)),
            ("buyer", self.buyer, len(self.capacity_g)),
        ):
            if edges and not (index.min() >= 0 and index.max() < many):
                raise ValueError(f"An edge names a {name} that is not there.")
        pairs = self.lot * max(len(self.capacity_g), 1) + self.buyer
        if len(np.unique(pairs)) != edges:
            raise ValueError("A pair of lot and buyer stands twice.")


@dataclass(frozen=True, slots=True)
class Plan:
    """Who takes which lot.

    :param buyer_of: shape (lots,), index of the buyer, -1 for none
    :param value: sum of the gains of the edges used
    :param bound: no plan gains more
    :param proven: whether no plan gains noticeably more (a millionth)
    :param relaxation: the value of the linear relaxation, inf if it was not reached in time
    :param floor: the value of the first rounded plan
    :param rounds: neighbourhoods searched
    :param method: "none", "rounding", "exact", "kernel" or "search": what made the last improvement
    :param seconds: processor time
    """

    buyer_of: Whole
    value: float
    bound: float
    proven: bool
    relaxation: float
    floor: float
    rounds: int
    method: str
    seconds: float

    @property
    def gap(self) -> float:
        """The share of the bound by which a better plan may exist, in [0, 1]."""
        return max(0.0, (self.bound - self.value) / self.bound) if self.bound > 0 else 0.0


def choose_buyers(
    matching: Matching, *, seconds: float = 60.0, rounds: int | None = None, seed: int = 0
) -> Plan:
    """Return a plan of great gain in which no buyer takes more than its capacity, or less than its minimum batch.

    :param seconds: of processor time; the best plan so far is kept
    :param rounds: stop after so many neighbourhoods, which unlike seconds is reproducible; None for as many as fit
    :param seed: of the choice of neighbourhoods
    :source: kernel search, Angelelli, Mansini, Speranza 2010; large neighbourhood search, Shaw 1998

    >>> plan = choose_buyers(Matching(np.array([2, 1]), np.array([2]), np.array([0, 1]), np.array([0, 0]), np.array([5.0, 3.0])))
    >>> plan.buyer_of.tolist(), plan.proven
    ([0, -1], True)
    """
    return _Search(matching, seconds, seed).run(rounds)


class _Search:
    """A plan that is improved until nothing is left to gain or time is up."""

    def __init__(self, matching: Matching, seconds: float, seed: int) -> None:
        self.began, self.seconds = process_time(), seconds
        useful = np.flatnonzero(matching.gain > 0)
        fits = matching.mass_g[matching.lot[useful]] <= matching.capacity_g[matching.buyer[useful]]
        useful = useful[fits]
        order = np.lexsort((matching.buyer[useful], matching.lot[useful]))
        useful = useful[order]
        self.lot, self.buyer = matching.lot[useful], matching.buyer[useful]
        self.gain = matching.gain[useful]
        self.mass, self.capacity = matching.mass_g, matching.capacity_g
        self.least = (
            np.zeros(len(self.capacity), dtype=np.int64)
            if matching.least_g is None
            else matching.least_g
        )
        self.lots, self.buyers = len(self.mass), len(self.capacity)
        self.edge_of = np.full(self.lots, -1, dtype=np.int64)  # the edge that each lot uses
        self.chance = np.random.default_rng(seed)
        self.bound = float("inf")
        self.best = np.zeros(
            self.lots
        )  # of each lot, what it is worth to itself at the relaxation's prices
        self.loss = np.zeros(len(self.gain))  # of each edge, by how much it falls short of that
        self.method = "none"

    @property
    def left(self) -> float:
        return self.seconds - (process_time() - self.began)

    @property
    def value(self) -> float:
        return float(self.gain[self.edge_of[self.edge_of >= 0]].sum())

    def reached(self) -> bool:
        """Return whether nothing noticeable is left to gain."""
        return self.bound - self.value <= 1e-6 * max(1.0, abs(self.bound))

    def run(self, rounds: int | None) -> Plan:
        if not len(self.gain):
            self.bound = 0.0
            return self._plan(0.0, 0.0, 0)
        top, x = self._relaxed()
        self.bound = min(top, self._all_gains())
        self._round(x)
        floor = self.value
        self.method = "rounding"
        many = 0
        if not self.reached() and self.left > 0:
            if len(self.gain) <= EXACT_EDGES:
                self._improve(np.arange(len(self.gain)), "exact", seconds=self.left, whole=True)
            else:
                many = self._search(rounds)
        return self._plan(top, floor, many)

    def _all_gains(self) -> float:
        best = np.zeros(self.lots)
        np.maximum.at(best, self.lot, self.gain)
        return float(best.sum())

    def _plan(self, relaxation: float, floor: float, rounds: int) -> Plan:
        buyer_of = np.full(self.lots, -1, dtype=np.int64)
        used = self.edge_of >= 0
        buyer_of[used] = self.buyer[self.edge_of[used]]
        return Plan(
            buyer_of,
            self.value,
            max(self.bound, self.value),
            self.reached(),
            relaxation,
            floor,
            rounds,
            self.method,
            process_time() - self.began,
        )

    # -- the first plan -----------------------------------------------------------------------------------

    def _programme(self, edges: Whole, fixed: Whole, *, whole: bool) -> Programme:
        """Return the programme over some edges, on top of the grams that each buyer keeps anyway (``fixed``).

        A buyer with a minimum batch who keeps nothing gets a variable "open"; one who keeps something stays open.
        """
        lots, row_of_edge = np.unique(self.lot[edges], return_inverse=True)
        buyers, row_of_buyer = np.unique(self.buyer[edges], return_inverse=True)
        mass = self.mass[self.lot[edges]] / 1000
        room, need = (self.capacity - fixed)[buyers] / 1000, (self.least - fixed)[buyers] / 1000
        by_lot = np.argsort(row_of_edge, kind="stable")
        by_buyer = np.argsort(row_of_buyer, kind="stable")
        ends = np.cumsum(np.bincount(row_of_buyer, minlength=len(buyers)))
        column: list[NDArray[Any]] = [by_lot, by_buyer]
        weight: list[NDArray[Any]] = [np.ones(len(edges)), mass[by_buyer]]
        sizes: list[NDArray[Any]] = [
            np.bincount(row_of_edge, minlength=len(lots)),
            np.diff(ends, prepend=0),
        ]
        most: list[NDArray[Any]] = [np.ones(len(lots)), room]
        opened = len(edges)
        for at in np.flatnonzero(need > 0).tolist():
            own = by_buyer[ends[at - 1] if at else 0 : ends[at]]
            if fixed[buyers[at]]:
                column.append(own)
                weight.append(-mass[own])
                sizes.append(np.array([len(own)]))
                most.append(np.array([-need[at]]))
                continue
            for sign, kg in ((1.0, room[at]), (-1.0, need[at])):
                column += [own, np.array([opened])]
                weight += [sign * mass[own], np.array([-sign * kg])]
                sizes.append(np.array([len(own) + 1]))
                most.append(np.zeros(1))
            opened += 1
        top = np.concatenate(most)
        rows = Rows(
            np.full(len(top), -np.inf),
            top,
            np.concatenate(([0], np.cumsum(np.concatenate(sizes)))).astype(np.int32),
            np.concatenate(column).astype(np.int32),
            np.concatenate(weight).astype(np.float64),
        )
        gain = np.concatenate((self.gain[edges], np.zeros(opened - len(edges))))
        integers = np.ones(opened, dtype=np.bool_) if whole else None
        return Programme(gain, np.zeros(opened), np.ones(opened), rows, integers)

    def _relaxed(self) -> tuple[float, Floats]:
        """Return the value and the point of the linear relaxation, island by island, and set ``best`` and ``loss``.

        :returns: infinity and no use of any edge where an island was not solved in time
        """
        x, prices = np.zeros(len(self.gain)), np.zeros(self.buyers)
        value, nothing = 0.0, np.zeros(self.buyers, np.int64)
        for edges in self._islands():
            programme = self._programme(edges, nothing, whole=False)
            answer = solve(programme, seconds=max(self.left, LEAST_SECONDS))
            value += answer.value if answer.solved else float("inf")
            if answer.solved and answer.x is not None and answer.prices is not None:
                x[edges] = answer.x[: len(edges)]
                buyers = np.unique(self.buyer[edges])
                first = len(np.unique(self.lot[edges]))
                prices[buyers] = answer.prices[first : first + len(buyers)]
        net = self.gain - np.maximum(prices[self.buyer], 0) * self.mass[self.lot] / 1000
        np.maximum.at(self.best, self.lot, net)
        self.loss = self.best[self.lot] - net
        return value, x

    def _islands(self) -> list[Whole]:
        """Return the edges in groups that share no lot and no buyer: countries, mostly."""
        label = np.arange(self.buyers)
        while True:
            of_lot = np.full(self.lots, self.buyers)
            np.minimum.at(of_lot, self.lot, label[self.buyer])
            lower = label.copy()
            np.minimum.at(lower, self.buyer, of_lot[self.lot])
            if (lower == label).all():
                break
            label = lower
        island = label[self.buyer]
        order = np.argsort(island, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(island[order])) + 1)

    def _round(self, x: Floats) -> None:
        """Keep what the relaxation takes whole, then fill up: its fractions first, then those of least loss."""
        room = self.capacity.copy()
        sure = np.flatnonzero(x > 1 - 1e-7)
        self._fill(sure[np.argsort(-self.gain[sure], kind="stable")], room)
        doubt = np.flatnonzero(x <= 1 - 1e-7)
        net = self.best[self.lot[doubt]] - self.loss[doubt]
        self._fill(doubt[np.lexsort((doubt, -net, x[doubt] < 1e-7))], room)
        self._close_small_batches()

    def _fill(self, edges: Whole, room: Whole) -> None:
        for edge in edges.tolist():
            lot, buyer = self.lot[edge], self.buyer[edge]
            if self.edge_of[lot] < 0 and self.mass[lot] <= room[buyer]:
                self.edge_of[lot] = edge
                room[buyer] -= self.mass[lot]

    def _loads(self) -> Whole:
        used = self.edge_of[self.edge_of >= 0]
        loads = np.zeros(self.buyers, dtype=np.int64)
        np.add.at(loads, self.buyer[used], self.mass[self.lot[used]])
        return loads

    def _close_small_batches(self) -> None:
        """Take nothing to a buyer who would get less than a batch; offer those lots to the buyers that stay open."""
        shut = np.zeros(self.buyers, dtype=np.bool_)
        while True:
            loads = self._loads()
            small = (loads > 0) & (loads < self.least)
            if not small.any():
                return
            worst = int(np.flatnonzero(small)[np.argmin(loads[small] - self.least[small])])
            shut[worst] = True
            used = self.edge_of >= 0
            dropped = used.copy()
            dropped[used] = self.buyer[self.edge_of[used]] == worst
            self.edge_of[dropped] = -1
            opened = (self._loads() > 0) & ~shut
            again = np.flatnonzero((self.edge_of[self.lot] < 0) & opened[self.buyer])
            self._fill(
                again[np.argsort(-self.gain[again], kind="stable")], self.capacity - self._loads()
            )

    # -- improving it -------------------------------------------------------------------------------------

    def _improve(
        self,
        edges: Whole,
        method: str,
        *,
        seconds: float,
        whole: bool = False,
        nodes: int | None = None,
    ) -> bool:
        """Choose anew among some edges, everything else staying as it is; return whether it got better.

        The edges must hold those in use of their lots.

        :param whole: whether these are all the edges, so that the programme's bound is the plan's
        """
        used = self.edge_of[self.lot[edges]] == edges
        fixed = self._loads()
        np.subtract.at(fixed, self.buyer[edges[used]], self.mass[self.lot[edges[used]]])
        programme = self._programme(edges, fixed, whole=True)
        start = np.zeros(len(programme.gain))
        start[: len(edges)] = used
        buyers = np.unique(self.buyer[edges])
        doors = buyers[(self.least[buyers] > 0) & (fixed[buyers] == 0)]
        start[len(edges) :] = np.isin(doors, self.buyer[edges[used]])
        before = float(self.gain[edges[used]].sum())
        gap = 1e-7 if whole else 1e-5
        answer = solve(
            programme, seconds=seconds, start=start, gap=gap, nodes=nodes, by_processor=True
        )
        if whole:
            self.bound = min(self.bound, answer.bound)
        if answer.x is None:
            return False
        taken = edges[answer.x[: len(edges)] > 0.5]
        after = float(self.gain[taken].sum())
        if after <= before + 1e-9 * max(1.0, before) or not self._fits(taken, fixed):
            return False
        self.edge_of[self.lot[edges[used]]] = -1
        self.edge_of[self.lot[taken]] = taken
        self.method = method
        return True

    def _fits(self, taken: Whole, fixed: Whole) -> bool:
        """Return whether the edges fit in whole grams; the solver's tolerances are not trusted."""
        loads = fixed.copy()
        np.add.at(loads, self.buyer[taken], self.mass[self.lot[taken]])
        once = len(np.unique(self.lot[taken])) == len(taken)
        batches = (loads == 0) | (loads >= self.least)
        return once and bool((loads <= self.capacity).all() and batches.all())

    def _search(self, rounds: int | None) -> int:
        kernel = self.in_doubt(np.arange(len(self.gain)), KERNEL_EDGES)
        self._improve(kernel, "kernel", seconds=self.left * KERNEL_TIME, nodes=KERNEL_NODES)
        hoods = _Hoods(self)
        many = stale = 0
        while self.left > 0 and not self.reached() and (rounds is None or many < rounds):
            size = HOOD_EDGES * (1 + min(stale // (2 * self.buyers), 4))
            edges = hoods.draw(size)
            many += 1
            better = self._improve(edges, "search", seconds=min(self.left, 5.0), nodes=HOOD_NODES)
            stale = 0 if better else stale + 1
            if stale > 12 * self.buyers:
                break
        return many

    def in_doubt(self, edges: Whole, size: int) -> Whole:
        """Return, of these edges, the ``size`` unused ones of least loss, with the used edges of their lots.

        A lot whose leaving costs no more than those stays free to leave.
        """
        used = self.edge_of[self.lot[edges]] == edges
        unused = edges[~used]
        if len(unused) > size:
            unused = unused[np.argpartition(self.loss[unused], size)[:size]]
        limit = self.loss[unused].max(initial=0.0)
        named = np.zeros(self.lots, dtype=np.bool_)
        named[self.lot[unused]] = True
        lots = self.lot[edges]
        keep = used & (named[lots] | (self.best[lots] <= limit))
        return np.sort(np.concatenate((unused, edges[keep])))


class _Hoods:
    """Neighbourhoods: a few buyers who compete for the same lots, and the edges between them worth a thought."""

    def __init__(self, search: _Search) -> None:
        self.search = search
        by_buyer = np.argsort(search.buyer, kind="stable")
        ends = np.cumsum(np.bincount(search.buyer, minlength=search.buyers))
        self.edges_of = np.split(by_buyer, ends[:-1])
        starts = np.searchsorted(search.lot, np.arange(search.lots + 1))
        self.first, self.last = starts[:-1], starts[1:]
        self.known = np.flatnonzero(np.bincount(search.buyer, minlength=search.buyers))
        self.queue: list[int] = []

    def draw(self, size: int) -> Whole:
        """Return the edges of one buyer, taken in turn, and of rivals drawn by what they compete for, those in doubt only."""
        search = self.search
        if not self.queue:
            self.queue = search.chance.permutation(self.known).tolist()
        chosen = [self.queue.pop()]
        inside = np.zeros(search.buyers, dtype=np.bool_)
        inside[chosen] = True
        while len(chosen) < min(HOOD_BUYERS, len(self.known)):
            rival = self._rival(chosen[-1] if search.chance.random() < 0.5 else chosen[0], inside)
            if rival is None:
                break
            chosen.append(rival)
            inside[rival] = True
        return search.in_doubt(self._between(chosen, inside), size)

    def _rival(self, buyer: int, inside: NDArray[np.bool_]) -> int | None:
        """Draw a buyer who has an edge to a lot of this one, the likelier the closer the prices leave the choice."""
        search = self.search
        own = self.edges_of[buyer]
        if len(own) > 60:
            own = own[np.argpartition(search.loss[own], 59)[:60]]
        lots = search.lot[own]
        edges = np.concatenate([np.arange(self.first[lot], self.last[lot]) for lot in lots])
        edges = edges[~inside[search.buyer[edges]]]
        if not len(edges):
            return None
        typical = float(np.median(search.loss[edges])) + 1e-9
        odds = np.bincount(
            search.buyer[edges], weights=1 / (typical + search.loss[edges]), minlength=search.buyers
        )
        return int(search.chance.choice(search.buyers, p=odds / odds.sum()))

    def _between(self, chosen: list[int], inside: NDArray[np.bool_]) -> Whole:
        """Return the edges of these buyers to lots that they hold or that nobody holds."""
        search = self.search
        edges = np.concatenate([self.edges_of[buyer] for buyer in chosen])
        used = search.edge_of[search.lot[edges]]
        free = (used < 0) | inside[search.buyer[used]]
        return np.sort(edges[free])
