"""The chain of hand-overs: each link carries the fingerprint of the one before, so none can be changed unseen."""

import json
from dataclasses import asdict, dataclass
from decimal import Decimal
from hashlib import sha256

MOST_TRIES = 10
CODE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Link:
    """One hand-over, as it is fingerprinted. ``handed_at`` is ISO 8601."""

    shipment: int
    sequence: int
    giver: int
    taker: int
    mass_kg: str
    confirmed_by: int
    handed_at: str
    previous: str


def fingerprint(link: Link) -> str:
    """Return the SHA-256 of a link, which the next one carries as ``previous``."""
    written = json.dumps(asdict(link), sort_keys=True, separators=(",", ":"))
    return sha256(written.encode()).hexdigest()


def is_whole(links: list[tuple[Link, str]]) -> bool:
    """Tell whether a chain, in order, is unbroken: each with its own fingerprint and that of the one before.

    >>> first = Link(1, 1, 2, 3, "112.400", 4, "2026-11-23T09:00:00+00:00", "")
    >>> is_whole([(first, fingerprint(first))]), is_whole([(first, "0" * 64)])
    (True, False)
    """
    previous = ""
    for place, (link, written) in enumerate(links, start=1):
        if (link.sequence, link.previous, written) != (place, previous, fingerprint(link)):
            return False
        previous = written
    return True


def grams(mass_kg: Decimal) -> str:
    """Return a mass as it is written in a link: with three decimals, always.

    >>> grams(Decimal("112.4"))
    '112.400'
    """
    return f"{mass_kg:.3f}"
