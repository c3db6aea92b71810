"""Pools: which lots go together, to whom, on which lorry, and who pays how much of it.

:func:`plan_pools` decides on one market; :func:`shards` cuts a large market into parts that need not wait for each other,
each a market by itself. The parts are best run one a job, and what they take from orders and licences is drawn under
locks when a pool is kept: a pool that finds too little left is simply not kept, and its lots wait for the next run.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from .pool_terms import Market, Run

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look. The same effort gives the same answer, unless the seconds run out first.

    :param seconds: processor time for the whole run; the best answer so far stands when they are over
    :param rounds: how often lots are offered to other buyers' lorries and the lorries are routed anew
    :param choice_seconds: processor time of the last choice between all pools
    """

    seconds: float = 120.0
    rounds: int = 3
    choice_seconds: float = 20.0


def plan_pools(
    market: Market,
    *,
    seed: int,
    effort: Effort | None = None,
    clock: Clock = time.process_time,
) -> Run:
    """Return the pools of a market, shared, with a bound on how good any other choice of them could be.

    Every seller in a pool has at least what they have alone, to the cent. A pool that does not pay is not returned.

    :param seed: of the searches; the same market, effort and seed give the same answer
    :param clock: processor seconds so far, for the time limit alone
    :raises ValueError: if an order names a site that is not there, two lots have one id, or a mass is not above 0
    """
    raise NotImplementedError


def shards(market: Market, *, most_lots: int = 1500) -> list[Market]:
    """Cut a market into parts that share no lot and could not share a lorry, or hardly would.

    By country, landmass and dangerous-goods group; a part with more than ``most_lots`` lots further by H3 cell. Sites
    and orders of the country go with every part.
    """
    raise NotImplementedError


def inputs_digest(market: Market, seed: int) -> str:
    """Return the sha256 of all that a run decides on, hexadecimal."""
    told = json.dumps(asdict(market), default=_plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{seed}|{told}".encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"No plain form of {type(value).__name__}.")
