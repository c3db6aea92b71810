"""A sealed bid in its envelope: anybody can close one, only the joined key of the auction opens it.

X25519 with a fresh key for every envelope, HKDF-SHA256, ChaCha20-Poly1305. The auction and the bidder are bound in, so an
envelope opens in no other place. What is inside is padded: all envelopes of one size say nothing about the amount. Beside it stands
a commitment: a hash of what is inside, with a nonce that nobody else knows.

:source: RFC 7748 (X25519), RFC 5869 (HKDF), RFC 8439 (ChaCha20-Poly1305)
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
PAGE = 4096
"""Envelopes are padded to a multiple of this many bytes: an amount and a usual formula look alike."""

EDITION = b"voltbazaar sealed bid 1"


class EnvelopeSpoiled(Exception):
    """The envelope cannot be opened with this key, in this place."""


def public_key(secret: bytes) -> bytes:
    """Return the public half of an auction's key. Both are 32 bytes."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def close(content: Mapping[str, Any], *, key: bytes, context: bytes, fresh: bytes) -> bytes:
    """Return an envelope with some named values in it.

    :param content: what JSON can write
    :param key: the auction's public key
    :param context: where it belongs; it must be the same at opening
    :param fresh: 32 bytes from a cryptographic source, used for this envelope only
    """
    own = X25519PrivateKey.from_private_bytes(fresh)
    own_public = own.public_key().public_bytes_raw()
    shared = own.exchange(X25519PublicKey.from_public_bytes(key))
    cipher = ChaCha20Poly1305(_derived(shared, own_public + key))
    plain = written(content)
    plain += b" " * (-len(plain) % PAGE)
    return own_public + cipher.encrypt(bytes(12), plain, context)  # one key, one message: any nonce


def open_with(secret: bytes, envelope: bytes, *, context: bytes) -> dict[str, Any]:
    """Return what is in an envelope.

    :raises EnvelopeSpoiled: if it was changed, belongs elsewhere, or was closed for another key
    """
    own_public, sealed = envelope[:KEY_BYTES], envelope[KEY_BYTES:]
    try:
        key = X25519PrivateKey.from_private_bytes(secret)
        shared = key.exchange(X25519PublicKey.from_public_bytes(own_public))
        cipher = ChaCha20Poly1305(_derived(shared, own_public + public_key(secret)))
        content: dict[str, Any] = json.loads(cipher.decrypt(bytes(12), sealed, context))
    except (InvalidTag, ValueError) as reason:
        raise EnvelopeSpoiled from reason
    return content


def written(content: Mapping[str, Any]) -> bytes:
    """Return the one way in which named values are written down.

    >>> written({"b": "2", "a": "1"})
    b'{"a":"1","b":"2"}'
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def commitment(content: Mapping[str, Any]) -> str:
    """Return what binds a bidder to what is in the envelope. ``content`` must hold a nonce, else amounts could be tried out."""
    if "nonce" not in content:
        raise ValueError("Without a nonce a commitment gives the amount away.")
    return hashlib.sha256(EDITION + b" commitment " + written(content)).hexdigest()


def nonce_of(bidder: int, request_id: UUID) -> str:
    """Return the nonce of a bid: from its request id, which is random, and of which only ``kept_id`` is kept.

    So whoever repeats the request can be told whether it is the same bid, and nobody else can try amounts out.
    """
    return _hashed("nonce", bidder, request_id).hex()


def kept_id(bidder: int, request_id: UUID) -> UUID:
    """Return what is kept of a sealed bid's request id: enough to know it again, too little to work the nonce out."""
    return UUID(bytes=_hashed("request", bidder, request_id)[:16], version=4)


def echo_key(bidder: int, request_id: UUID) -> bytes:
    """Return the secret key with which whoever repeats a request reads what it asked for."""
    return _hashed("echo", bidder, request_id)


def context_of(auction: int, bidder: int) -> bytes:
    """Return where an envelope belongs."""
    return EDITION + f" auction {auction} bidder {bidder}".encode()


def _hashed(what: str, bidder: int, request_id: UUID) -> bytes:
    return hashlib.sha256(EDITION + f" {what} {bidder} ".encode() + request_id.bytes).digest()


def _derived(shared: bytes, salt: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=EDITION).derive(shared)
