"""A secret in n parts, of which any k give it back, and k - 1 say nothing at all about it.

A polynomial of degree k - 1 over a prime field, whose value at zero is the secret; a part is its value at 1, 2, … n.

:source: A. Shamir, How to share a secret, Communications of the ACM 22 (1979), 612-613
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PRIME = 2**521 - 1
"""A Mersenne prime above every secret of up to 65 bytes."""

COEFFICIENT_BYTES = 66 + 16
"""So many random bytes make a coefficient: 128 bits more than the prime has, so that the remainder leans to no side."""

MOST_PARTS = 255


@dataclass(frozen=True, slots=True, order=True)
class Share:
    """One part: the place where the polynomial was asked, and what it answered."""

    place: int
    value: int

    def __repr__(self) -> str:
        """Keep the part itself out of logs."""
        return f"Share(place={self.place})"


def split(secret: bytes, *, needed: int, parts: int, noise: Sequence[bytes]) -> list[Share]:
    """Return ``parts`` shares of a secret, of which any ``needed`` give it back.

    :param secret: at most 64 bytes; its length is part of what is shared
    :param noise: ``needed - 1`` strings of ``COEFFICIENT_BYTES`` bytes from a cryptographic source, used for nothing else
    :raises ValueError: if the numbers make no sense, or the noise is short

    >>> shares = split(b"key", needed=2, parts=3, noise=[bytes(range(COEFFICIENT_BYTES))])
    >>> join([shares[2], shares[0]], needed=2)
    b'key'
    """
    if not 1 <= needed <= parts <= MOST_PARTS:
        raise ValueError("Needed parts are between one and all of them, which are at most 255.")
    if not 1 <= len(secret) <= 64:
        raise ValueError("A secret has 1 to 64 bytes.")
    if len(noise) != needed - 1 or any(len(each) != COEFFICIENT_BYTES for each in noise):
        raise ValueError("Give noise for every coefficient but the first.")
    whole = int.from_bytes(b"\1" + secret, "big")  # the leading one keeps zeros at the front
    coefficients = [whole, *(int.from_bytes(each, "big") % PRIME for each in noise)]
    return [Share(place, _value(coefficients, place)) for place in range(1, parts + 1)]


def join(shares: Iterable[Share], *, needed: int) -> bytes:
    """Return the secret from at least ``needed`` shares. Which ones, and in what order, does not matter.

    :raises ValueError: if there are too few, two for one place, or they do not belong together
    """
    known = sorted(set(shares))
    if len({share.place for share in known}) != len(known):
        raise ValueError("Two parts claim the same place.")
    if len(known) < needed:
        raise ValueError("Too few parts.")
    whole = 0
    used = known[:needed]
    for share in used:
        above, below = 1, 1
        for other in used:
            if other.place != share.place:
                above = above * other.place % PRIME
                below = below * (other.place - share.place) % PRIME
        whole = (whole + share.value * above * pow(below, -1, PRIME)) % PRIME
    plain = whole.to_bytes(66, "big").lstrip(b"\0")
    if not 2 <= len(plain) <= 65 or plain[0] != 1:
        raise ValueError("These parts do not belong together.")
    return plain[1:]


def _value(coefficients: Sequence[int], place: int) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * place + coefficient) % PRIME
    return value
