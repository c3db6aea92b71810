"""Bitstring Status List: one bit for each certificate, in a list that thousands share, so that a look-up tells nobody whose.

:source: W3C Bitstring Status List v1.0 (Recommendation, 15 May 2025)
"""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from gzip import compress

SIZE = 131_072
"""The least length the Recommendation allows, in bits (16 KiB): herd privacy."""
NEARLY_FULL = SIZE * 8 // 10
"""Above this many entries the next list is opened, so that a random index is found quickly."""


class BadList(ValueError):
    """This is not an encoded status list."""


def encode(withdrawn: Iterable[int]) -> str:
    """Return the multibase form of a list in which these indices are set. Index 0 is the left-most bit.

    The same indices always give the same text.

    :raises ValueError: if an index is outside the list
    """
    bits = bytearray(SIZE // 8)
    for index in withdrawn:
        if not 0 <= index < SIZE:
            raise ValueError(f"The index {index} is outside the list.")
        bits[index // 8] |= 0x80 >> index % 8
    return "u" + urlsafe_b64encode(compress(bytes(bits), mtime=0)).decode().rstrip("=")


def is_set(encoded: str, index: int) -> bool:
    """Tell whether an index is set in an encoded list of the usual length.

    :raises BadList: if the text is not a list, is longer than ours may be, or does not hold the index
    """
    bits = _decode(encoded)
    if not 0 <= index < len(bits) * 8:
        raise BadList("The list does not hold this index.")
    return bool(bits[index // 8] & 0x80 >> index % 8)


def _decode(encoded: str) -> bytes:
    if not encoded.startswith("u"):
        raise BadList("A status list starts with the letter u.")
    text = encoded[1:]
    try:
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacker = zlib.decompressobj(wbits=31)
        # A bound, because a small text can unpack to gigabytes.
        bits = unpacker.decompress(packed, SIZE // 8 + 1)
    except (ValueError, zlib.error) as bad:
        raise BadList("The status list cannot be unpacked.") from bad
    if len(bits) != SIZE // 8:
        raise BadList("The status list has the wrong length.")
    return bits
