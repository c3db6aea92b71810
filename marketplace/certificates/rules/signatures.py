"""Sign and check credentials as ``vc+jwt`` with ES256: the payload is the credential itself, in canonical JSON.

:source: W3C Securing Verifiable Credentials using JOSE and COSE (Recommendation, 15 May 2025); RFC 7515, 8785
"""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import rfc8785
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from . import decentralized_ids
from .decentralized_ids import Json, Jwk

ALGORITHM = "ES256"
MEDIA_TYPE = "application/vc+jwt"
LARGEST = 256 * 1024
"""The longest text that is looked at, in bytes. Ours are about 4 kB; a status list at its worst about 30 kB."""
CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"


class Answer(StrEnum):
    """What we say about a certificate."""

    GENUINE = "GENUINE"
    WITHDRAWN = "WITHDRAWN"
    ALTERED = "ALTERED"
    NOT_FOUND = "NOT_FOUND"
    UNKNOWN_ISSUER = "UNKNOWN_ISSUER"


class Flaw(StrEnum):
    """Why a text is not a genuine credential."""

    TOO_LONG = "too_long"
    NOT_A_JWT = "not_a_jwt"
    NOT_CANONICAL = "not_canonical"
    WRONG_TYPE = "wrong_type"
    WRONG_ALGORITHM = "wrong_algorithm"
    CRITICAL_EXTENSION = "critical_extension"
    WRAPPED_CLAIM = "wrapped_claim"
    NOT_A_CREDENTIAL = "not_a_credential"
    ISSUER_NOT_SIGNER = "issuer_not_signer"
    UNKNOWN_ISSUER = "unknown_issuer"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"


@dataclass(frozen=True)
class Examination:
    """What the signature alone says. Whether it has been withdrawn is for the status list to say."""

    flaw: Flaw | None
    credential: Json = field(default_factory=dict)
    kid: str = ""

    @property
    def answer(self) -> Answer:
        if self.flaw is None:
            return Answer.GENUINE
        if self.flaw is Flaw.UNKNOWN_ISSUER:
            return Answer.UNKNOWN_ISSUER
        return Answer.ALTERED


def sign(document: Json, *, key: Jwk, did: str) -> str:
    """Return the document as a compact JWS over its canonical bytes.

    :param key: a private P-256 JWK with its thumbprint as ``kid``
    :raises rfc8785.CanonicalizationError: for a Decimal, a datetime or an integer beyond 2^53
    """
    header = {
        "alg": ALGORITHM,
        "kid": decentralized_ids.key_id(did, key),
        "typ": "vc+jwt",
        "cty": "vc",
    }
    return jws.serialize_compact(
        header, rfc8785.dumps(document), ECKey.import_key(dict(key)), algorithms=[ALGORITHM]
    )


def examine(text: str, *, issuers: Mapping[str, Mapping[str, Any]]) -> Examination:
    """Say whether a ``vc+jwt`` was signed by an issuer that we know, and not changed since.

    Nothing is fetched. Fails closed: whatever is odd is a flaw.

    :param issuers: DID -> DID document of every issuer that is trusted
    """
    if len(text) > LARGEST:
        return Examination(Flaw.TOO_LONG)
    parts = text.split(".")
    try:
        header, credential = (_json(_bytes(part)) for part in parts[:2])
        _bytes(parts[2])
    except (ValueError, IndexError):
        return Examination(Flaw.NOT_A_JWT)
    if len(parts) != 3 or not isinstance(header, dict) or not isinstance(credential, dict):
        return Examination(Flaw.NOT_A_JWT)
    flaw = _flaw_of_header(header) or _flaw_of_credential(credential)
    kid = str(header.get("kid", ""))
    if flaw is None:
        flaw = _flaw_of_signature(text, kid, issuer=_issuer(credential), issuers=issuers)
    return Examination(flaw, credential, kid)


def _flaw_of_header(header: Json) -> Flaw | None:
    if header.get("alg") != ALGORITHM:
        return Flaw.WRONG_ALGORITHM
    if header.get("typ") != "vc+jwt" or header.get("cty", "vc") != "vc":
        return Flaw.WRONG_TYPE
    if header.keys() & {"crit", "b64", "jwk", "jku", "x5u", "x5c"}:
        # None of ours carries them, and each is a way to make a verifier trust the wrong key.
        return Flaw.CRITICAL_EXTENSION
    return None


def _flaw_of_credential(credential: Json) -> Flaw | None:
    if credential.keys() & {"vc", "vp"}:
        return Flaw.WRAPPED_CLAIM
    context, kind = credential.get("@context"), credential.get("type")
    if (
        not isinstance(context, list)
        or context[:1] != [CREDENTIALS_V2]
        or not isinstance(kind, list)
        or "VerifiableCredential" not in kind
        or not _issuer(credential)
        or not isinstance(credential.get("credentialSubject"), dict)
    ):
        return Flaw.NOT_A_CREDENTIAL
    return None


def _flaw_of_signature(
    text: str, kid: str, *, issuer: str, issuers: Mapping[str, Mapping[str, Any]]
) -> Flaw | None:
    if issuer not in issuers:
        return Flaw.UNKNOWN_ISSUER
    if kid.partition("#")[0] != issuer:
        return Flaw.ISSUER_NOT_SIGNER
    keys = decentralized_ids.assertion_keys(issuers[issuer])
    if kid not in keys:
        return Flaw.UNKNOWN_KEY
    try:
        key = ECKey.import_key({**decentralized_ids.public(keys[kid])})
        signed = jws.deserialize_compact(text, key, algorithms=[ALGORITHM])
    except (JoseError, ValueError):
        return Flaw.BAD_SIGNATURE
    try:
        canonical = rfc8785.dumps(json.loads(signed.payload))
    except ValueError:
        return Flaw.NOT_CANONICAL
    # Equal content in other bytes is not what an issuer of ours writes: one certificate, one text.
    return None if signed.payload == canonical else Flaw.NOT_CANONICAL


def _issuer(credential: Json) -> str:
    issuer = credential.get("issuer")
    named = issuer.get("id") if isinstance(issuer, dict) else issuer
    return named if isinstance(named, str) else ""


def _bytes(part: str) -> bytes:
    """Decode base64url strictly: the last sign has spare bits, which a lenient decoder lets anybody change."""
    try:
        decoded = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as bad:
        raise ValueError("not base64url") from bad
    if urlsafe_b64encode(decoded).decode().rstrip("=") != part:
        raise ValueError("not base64url in its one form")
    return decoded


def _json(raw: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> Json:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError("a member is repeated")
        return members

    try:
        return json.loads(raw, object_pairs_hook=once)
    except RecursionError as bad:
        raise ValueError("nested too deeply") from bad
