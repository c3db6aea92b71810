"""Passports inside signed tokens: what is inside, and whether the signature fits a key that the token itself names.

Read are a compact JWS (``vc+jwt``, or an older one with its credential under ``vc``) and the enveloped credential that
holds one. A key is looked for in did:key and did:jwk only: they are the key, so nothing has to be asked of the
network. That a signature is right says who sent something and that nobody changed it since. It makes nothing true.

:source: W3C Securing Verifiable Credentials using JOSE and COSE (2025); W3C VCDM 2.0, 4.13; RFC 7515, 8037;
    did:key method v0.9; did:jwk method
"""

import binascii
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*")
ENCRYPTED = re.compile(r"[\w-]+(\.[\w-]*){4}")
DATA_URL = re.compile(r"data:application/[\w.+-]*(?:jwt|jose)(?:;[^,]*)?,([^,]+)")
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
LONGEST_DID = 2000
CURVES: Mapping[str, tuple[str, type[ec.EllipticCurve]]] = {
    "ES256": ("P-256", ec.SECP256R1),
    "ES384": ("P-384", ec.SECP384R1),
    "ES512": ("P-521", ec.SECP521R1),
}
MULTICODEC: Mapping[bytes, str] = {
    b"\xed\x01": "Ed25519",
    b"\x80\x24": "P-256",
    b"\x81\x24": "P-384",
    b"\x82\x24": "P-521",
}
"""How a did:key begins, and the curve that it says."""


class Signature(StrEnum):
    """What we found out about a signature."""

    NONE = "NONE"
    CHECKED = "CHECKED"
    UNCHECKED = "UNCHECKED"
    WRONG = "WRONG"


class NotAToken(ValueError):
    """It looks like a token, and nothing can be read of it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What was inside a token, as text, the token itself, and what its signature is worth."""

    text: str
    token: str
    signature: Signature
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class _Key:
    """A public key: its curve, and its bytes as multicodec or JWK write them."""

    curve: str
    point: bytes


def opened(text: str) -> Opened | None:
    """Return what is inside a token or an enveloped credential; nothing if the text is neither.

    :raises NotAToken: if it is one whose inside cannot be read
    """
    text = text.strip()
    if ENCRYPTED.fullmatch(text):
        raise NotAToken
    if not COMPACT.fullmatch(text):
        enveloped = _enveloped(text)
        if enveloped is None:
            return None
        text = enveloped
    head, body, signature = text.split(".")
    try:
        header, payload = _json(head), _json(body)
        inside = _bytes(body).decode("utf-8")
    except ValueError as wrong:
        raise NotAToken from wrong
    state, by = _checked(text, header, payload, bool(signature))
    return Opened(inside, text, state, by[:LONGEST_DID])


def carries_proof(tree: Any) -> bool:
    """Tell whether a credential carries a proof beside it, of the kind that we do not check."""
    return isinstance(tree, dict) and bool(tree.get("proof"))


def _enveloped(text: str) -> str | None:
    """Return the token inside an ``EnvelopedVerifiableCredential``, if this is one."""
    if "EnvelopedVerifiableCredential" not in text:
        return None
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    types = tree.get("type") if isinstance(tree, dict) else None
    named = types if isinstance(types, list) else [types]
    if "EnvelopedVerifiableCredential" not in named:
        return None
    found = DATA_URL.fullmatch(str(tree.get("id", "")).strip())
    if found is None or not COMPACT.fullmatch(found[1]):
        raise NotAToken
    return found[1]


def _checked(
    token: str, header: Mapping[str, Any], payload: Mapping[str, Any], has_signature: bool
) -> tuple[Signature, str]:
    algorithm = header.get("alg")
    if algorithm == "none":
        return Signature.NONE, ""
    if not has_signature:
        return Signature.WRONG, ""
    credential = payload.get("vc", payload)
    issuer = _did(payload.get("iss")) or _did(
        credential.get("issuer") if isinstance(credential, dict) else None
    )
    by = _did(header.get("kid")) or issuer
    if issuer.startswith(("did:key:", "did:jwk:")):
        if by.startswith("did:") and by != issuer:
            return Signature.WRONG, issuer  # the issuer is a key, and another signed
        by = issuer
    if header.get("crit"):
        return Signature.UNCHECKED, issuer or by
    try:
        key = _key_of(by)
    except ValueError:
        key = None
    if key is None or not isinstance(algorithm, str):
        return Signature.UNCHECKED, issuer or by
    fits = _fits(token, algorithm, key)
    if fits is None:
        return Signature.UNCHECKED, by
    return (Signature.CHECKED if fits else Signature.WRONG), by


def _fits(token: str, algorithm: str, key: _Key) -> bool | None:
    """Tell whether a token was signed by a key; nothing for ways to sign that we do not know."""
    if algorithm in ("EdDSA", "Ed25519"):
        if key.curve != "Ed25519":
            return False
        signed, _dot, signature = token.rpartition(".")
        try:
            Ed25519PublicKey.from_public_bytes(key.point).verify(_bytes(signature), signed.encode())
        except (InvalidSignature, ValueError):
            return False
        return True
    if algorithm not in CURVES:
        return None
    name, curve = CURVES[algorithm]
    if key.curve != name:
        return False
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve(), key.point)
        jws.deserialize_compact(token, ECKey.import_key(public), algorithms=[algorithm])
    except (JoseError, ValueError):
        return False
    return True


def _did(value: Any) -> str:
    """Return who is named, without the number of a key: a text, or the ``id`` of an object."""
    named = value.get("id") if isinstance(value, dict) else value
    text = named if isinstance(named, str) else ""
    return text.partition("#")[0][:LONGEST_DID]


def _key_of(did: str) -> _Key | None:
    """Return the key that a did:key or did:jwk is.

    :raises ValueError: if it should be one and is not
    """
    if did.startswith("did:key:z"):
        written = _base58(did.removeprefix("did:key:z"))
        curve = MULTICODEC.get(written[:2])
        return _Key(curve, written[2:]) if curve else None
    if did.startswith("did:jwk:"):
        jwk = _json(did.removeprefix("did:jwk:"))
        if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":
            return _Key("Ed25519", _bytes(str(jwk.get("x", ""))))
        if jwk.get("kty") == "EC":
            point = b"\x04" + _bytes(str(jwk.get("x", ""))) + _bytes(str(jwk.get("y", "")))
            return _Key(str(jwk.get("crv")), point)
    return None


def _base58(text: str) -> bytes:
    """Return the bytes of a base58btc text.

    :raises ValueError: if it holds another sign

    >>> _base58("2g")
    b'a'
    """
    if len(text) > 200:
        raise ValueError("too long for a key")
    number = 0
    for sign in text:
        number = number * 58 + BASE58.index(sign)
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _json(part: str) -> Mapping[str, Any]:
    """Return the object of a part of a token.

    :raises ValueError: if it holds none
    """
    try:
        tree = json.loads(_bytes(part))
    except RecursionError as deep:
        raise ValueError("nested too deep") from deep
    if not isinstance(tree, dict):
        raise ValueError("no object")
    return tree


def _bytes(part: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as wrong:
        raise ValueError("no base64url") from wrong
