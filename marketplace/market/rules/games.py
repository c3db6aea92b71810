"""What every group of sellers in one lorry would pay if it drove by itself: the game behind a fair share.

A game is a vector of 2^n costs. Bit i of an index says whether player i belongs to the group, so ``costs[0b101]`` is
what players 0 and 2 pay together without anybody else. Money in any one currency, distances in km, mass in kg; all
floats, for a game only compares. What is paid is made exact in :mod:`marketplace.market.rules.sharing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bits = NDArray[np.int64]

LARGEST_EXACT_GAME = 14
"""Players of whom every group is still priced: 16,384 groups, some 50 ms. Twice as many players would be 2^28 groups.

:source: OPTIMISATION 5 d
"""


@dataclass(frozen=True, slots=True)
class Truck:
    """A kind of lorry and what it costs: per trip, per km there and back, and how much it may carry."""

    name: str
    payload_kg: float
    fixed: float
    per_km: float
    volume_m3: float = float("inf")


def group_sizes(players: int) -> Bits:
    """Return the number of members of each of the 2^players groups.

    >>> group_sizes(2).tolist()
    [0, 1, 1, 2]
    """
    sizes = np.zeros(1 << players, dtype=np.int64)
    for player in range(players):
        sizes[1 << player : 2 << player] = sizes[: 1 << player] + 1
    return sizes


def group_sums(values: Floats) -> Floats:
    """Return the sum of a value over the members of each group, 2^n numbers.

    >>> group_sums(np.array([1.0, 10.0])).tolist()
    [0.0, 1.0, 10.0, 11.0]
    """
    sums = np.zeros(1 << len(values))
    for player, value in enumerate(values):
        sums[1 << player : 2 << player] = sums[: 1 << player] + value
    return sums


def shortest_tours(distances: Floats) -> Floats:
    """Return the km of the shortest closed tour from node 0 through each group of the other nodes.

    :param distances: km, (n + 1) x (n + 1); may differ by direction
    :returns: 2^n km; bit i stands for node i + 1
    :raises ValueError: if there are more than :data:`LARGEST_EXACT_GAME` + 1 nodes
    :source: Held and Karp (1962), A dynamic programming approach to sequencing problems

    >>> shortest_tours(np.array([[0, 3, 4], [3, 0, 5], [4, 5, 0.0]])).tolist()
    [0.0, 6.0, 8.0, 12.0]
    """
    stops = len(distances) - 1
    if stops > LARGEST_EXACT_GAME:
        raise ValueError(f"An exact game has at most {LARGEST_EXACT_GAME} stops, not {stops}.")
    leg = distances[1:, 1:]
    ends = np.full(
        (1 << stops, stops), np.inf
    )  # shortest path from node 0 through a group, by its last stop
    for stop in range(stops):
        ends[1 << stop, stop] = distances[0, stop + 1]
    sizes = group_sizes(stops)
    groups = np.arange(1 << stops)
    for size in range(2, stops + 1):
        layer = groups[sizes == size]
        for stop in range(stops):
            having = layer[(layer >> stop) & 1 == 1]
            ends[having, stop] = (ends[having ^ (1 << stop)] + leg[:, stop]).min(axis=1)
    tours = (ends + distances[1:, 0]).min(axis=1) if stops else np.zeros(1)
    tours[0] = 0.0
    return np.asarray(tours, dtype=np.float64)


def trip_costs(
    tours: Floats,
    kg: Floats,
    trucks: Sequence[Truck],
    *,
    stop_cost: float = 0.0,
    most_stops: int | None = None,
    volumes: Floats | None = None,
) -> Floats:
    """Return what the cheapest single lorry for each group costs; infinite if none may carry it.

    :param tours: km of each group's tour, 2^n, from :func:`shortest_tours`
    :param kg: mass of each stop, n
    :param volumes: m3 of each stop, n; none means that volume does not matter
    """
    loads = group_sums(kg)
    sizes = group_sizes(len(kg))
    bulk = group_sums(volumes) if volumes is not None else np.zeros_like(loads)
    best = np.full(len(tours), np.inf)
    for truck in trucks:
        fits = (loads <= truck.payload_kg + 1e-9) & (bulk <= truck.volume_m3 + 1e-9)
        best = np.where(fits, np.minimum(best, truck.fixed + truck.per_km * tours), best)
    best += stop_cost * sizes
    if most_stops is not None:
        best[sizes > most_stops] = np.inf
    best[0] = 0.0
    return best


def split_costs(trips: Floats) -> Floats:
    """Return the least cost of serving each group when it may be split over several trips.

    ``costs[S]`` is the least sum of ``trips`` over all partitions of S. The part with S's highest member is chosen
    first, which is a min-plus convolution over the subsets below that member: 3^n sums, all in numpy.
    """
    players = len(trips).bit_length() - 1
    costs = np.zeros_like(trips)
    for highest in range(players):
        half = 1 << highest
        costs[half : 2 * half] = _least_sum_over_parts(trips[half : 2 * half], costs[:half])
    return costs


def _least_sum_over_parts(first: Floats, second: Floats) -> Floats:
    """Return min over T within S of first[T] + second[S without T], for every S; both 2^k long."""
    levels = len(first).bit_length() - 1
    first, second = first[None, :], second[None, :]
    for _level in range(
        levels
    ):  # halve the top bit: it lies in neither, in the first, or in the second part
        middle = first.shape[1] // 2
        low_1, high_1 = first[:, :middle], first[:, middle:]
        low_2, high_2 = second[:, :middle], second[:, middle:]
        first = np.stack([low_1, high_1, low_1], axis=1).reshape(-1, middle)
        second = np.stack([low_2, low_2, high_2], axis=1).reshape(-1, middle)
    sums = first + second
    for _level in range(levels):
        parts = sums.reshape(-1, 3, sums.shape[1])
        sums = np.concatenate([parts[:, 0], np.minimum(parts[:, 1], parts[:, 2])], axis=1)
    return np.asarray(sums[0], dtype=np.float64)


def freight_game(
    distances: Floats,
    kg: Floats,
    trucks: Sequence[Truck],
    alone: Floats,
    *,
    stop_cost: float = 0.0,
    most_stops: int | None = None,
    volumes: Floats | None = None,
) -> Floats:
    """Return what each group of stops would pay at least: any partition into trips, or a stop by its own best way.

    Time windows are left out on purpose. They only make a group's own trips dearer, so a share that no group can beat
    here, none can beat in reality.

    :param distances: km, (n + 1) x (n + 1), node 0 is the buyer's gate
    :param kg: mass of each stop, n
    :param alone: the most that each stop would pay before it is better off alone, n
    :returns: 2^n costs
    :source: OPTIMISATION 5 d; the routing game of Gothe-Lundgren, Jornsten and Varbrand (1996)
    """
    trips = trip_costs(
        shortest_tours(distances),
        kg,
        trucks,
        stop_cost=stop_cost,
        most_stops=most_stops,
        volumes=volumes,
    )
    for stop, most in enumerate(alone):
        trips[1 << stop] = min(trips[1 << stop], most)
    return split_costs(trips)


def game_of_owners(costs: Floats, owners: Sequence[int]) -> Floats:
    """Return the game between owners, when an owner has one stop or more.

    :param owners: the owner of each stop, numbered from 0 without gaps

    >>> game_of_owners(np.array([0.0, 3, 4, 6]), [0, 0]).tolist()
    [0.0, 6.0]
    """
    stops_of = np.zeros(max(owners) + 1, dtype=np.int64)
    for stop, owner in enumerate(owners):
        stops_of[owner] |= 1 << stop
    groups = np.zeros(1 << len(stops_of), dtype=np.int64)
    for owner, stops in enumerate(stops_of):
        groups[1 << owner : 2 << owner] = groups[: 1 << owner] | stops
    return np.asarray(costs[groups], dtype=np.float64)


def shapley(costs: Floats) -> Floats:
    """Return every player's mean extra cost over all orders of joining: the share that Shapley proposed.

    For comparison only. It never makes anybody worse off here, but leaves the core in more than half of real lorries.

    :source: Shapley (1953), A value for n-person games

    >>> shapley(np.array([0.0, 3, 4, 6])).tolist()
    [2.5, 3.5]
    """
    players = len(costs).bit_length() - 1
    sizes = group_sizes(players)
    weights = np.ones(players)
    for size in range(1, players):
        weights[size] = weights[size - 1] * size / (players - size)
    weights /= max(players, 1)
    groups = np.arange(len(costs))
    shares = np.zeros(players)
    for player in range(players):
        without = groups[(groups >> player) & 1 == 0]
        extra = costs[without | (1 << player)] - costs[without]
        shares[player] = float((weights[sizes[without]] * extra).sum())
    return shares
