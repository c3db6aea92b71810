"""The number of a certificate, short enough to be read over the telephone, and letters to compare with the paper."""

from collections.abc import Sequence
from hashlib import sha256

ALPHABET = "23456789ABCDEFGHJKMNPQRTVWXYZ"
"""29 signs without look-alikes (no 0 O, 1 I L, 5 S are told apart by leaving out S, no U). 29 is prime: see below."""
LENGTH = 12
GROUP = 4
LETTERS_TO_COMPARE = 6
MISREAD = str.maketrans({"S": "5", "U": "V", "-": None, " ": None, "\u2011": None, "\u2013": None})


def code_from(draws: Sequence[int]) -> str:
    """Return the code for eleven random numbers: eleven signs (53 bits) and a check sign.

    :param draws: eleven integers in [0, 29), drawn with a cryptographic source
    :raises ValueError: if there are not eleven, or one is out of range

    >>> code_from([0] * 11), code_from(range(11))
    ('222222222222', '23456789ABC7')
    """
    if len(draws) != LENGTH - 1 or not all(0 <= draw < len(ALPHABET) for draw in draws):
        raise ValueError("A code takes eleven numbers from 0 to 28.")
    body = "".join(ALPHABET[draw] for draw in draws)
    return body + _check_sign(body)


def read_code(typed: str) -> str | None:
    """Return the code that somebody typed, or None if it cannot be one.

    Capitals, spaces, hyphens and the commonest misreadings do not matter. One wrong sign, or two that changed
    places, are always noticed.

    >>> read_code(" 2345-6789-abc7 "), read_code("2345-6789-ABCD")
    ('23456789ABC7', None)
    """
    code = typed.strip().upper().translate(MISREAD)
    if len(code) != LENGTH or any(sign not in ALPHABET for sign in code):
        return None
    return code if _check_sign(code[:-1]) == code[-1] else None


def spaced(code: str) -> str:
    """Write a code in groups.

    >>> spaced("23456789ABC7")
    '2345-6789-ABC7'
    """
    return "-".join(code[at : at + GROUP] for at in range(0, len(code), GROUP))


def letters_to_compare(signed: bytes) -> str:
    """Return six signs made from the signed bytes, to be printed on the paper and shown by every verifier.

    They tie the paper to the bytes: a paper with the code of another certificate shows other letters. They are
    a comparison for people (29 bits), not a proof; the signature is the proof.

    >>> letters_to_compare(b"one") == letters_to_compare(b"two")
    False
    """
    number = int.from_bytes(sha256(signed).digest(), "big")
    letters = []
    for _ in range(LETTERS_TO_COMPARE):
        number, rest = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return "".join(letters)


def _check_sign(body: str) -> str:
    # Different weights modulo a prime: any single error and any swap changes the sum.
    total = sum(at * ALPHABET.index(sign) for at, sign in enumerate(body, start=1))
    return ALPHABET[total % len(ALPHABET)]
