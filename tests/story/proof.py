"""Is a certificate genuine? Asked by a JOSE library that nobody here wrote, from public addresses only."""

import base64
import gzip
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httpx
from jwcrypto import jwk, jws

from .client import Failed


@dataclass(frozen=True)
class Proof:
    """What an outsider found out."""

    issuer: str
    kid: str
    algorithm: str
    code: str
    credential: dict[str, Any]


def prove(signed: str) -> Proof:
    """Check signature, key, issuer and status of a signed credential.

    :raises Failed: with what does not agree
    """
    header, credential = _opened(signed)
    issuer = credential["issuer"]
    issuer_id = issuer["id"] if isinstance(issuer, dict) else issuer
    if not header["kid"].startswith(f"{issuer_id}#"):
        raise Failed(f"the key {header['kid']} is not the issuer's, {issuer_id}")
    status = credential["credentialStatus"]
    listed = httpx.get(status["statusListCredential"], headers={"Accept": "application/vc+jwt"})
    _header, status_list = _opened(listed.text.strip())
    if _bit(status_list["credentialSubject"]["encodedList"], int(status["statusListIndex"])):
        raise Failed("the status list says that it was withdrawn")
    return Proof(issuer_id, header["kid"], header["alg"], credential["id"], credential)


def is_refused(signed: str) -> bool:
    """Tell whether a credential of which one letter was changed no longer verifies."""
    head, body, signature = signed.split(".")
    changed = body[:40] + ("A" if body[40] != "A" else "B") + body[41:]
    try:
        _opened(".".join([head, changed, signature]))
    except (jws.InvalidJWSSignature, Failed, ValueError):
        return True
    return False


def _opened(signed: str) -> tuple[dict[str, Any], dict[str, Any]]:
    token = jws.JWS()
    token.deserialize(signed)
    header = json.loads(base64.urlsafe_b64decode(signed.split(".")[0] + "=="))
    if (header["alg"], header["typ"]) != ("ES256", "vc+jwt"):
        raise Failed(f"signed as {header['typ']} with {header['alg']}, not as vc+jwt with ES256")
    token.verify(_key(header["kid"]), alg="ES256")
    return header, json.loads(token.payload)


def _key(kid: str) -> jwk.JWK:
    """Find the key where its DID says it is published."""
    did = kid.partition("#")[0]
    host = unquote(did.removeprefix("did:web:"))
    scheme = "http" if host.split(":")[0] in {"localhost", "127.0.0.1"} else "https"
    document = httpx.get(f"{scheme}://{host}/.well-known/did.json").json()
    if document["id"] != did or kid not in document["assertionMethod"]:
        raise Failed(f"{did} does not let {kid} issue credentials")
    for method in document["verificationMethod"]:
        if method["id"] == kid:
            return jwk.JWK(**method["publicKeyJwk"])
    raise Failed(f"{did} does not publish {kid}")


def _bit(encoded: str, index: int) -> bool:
    packed = base64.urlsafe_b64decode(encoded.removeprefix("u") + "===")
    bits = gzip.decompress(packed)
    return bool(bits[index // 8] & (0x80 >> (index % 8)))
