"""did:web: the address of the site, turned into the name and the public keys of the issuer."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

Jwk: TypeAlias = Mapping[str, str]
Json: TypeAlias = dict[str, Any]

PUBLIC_MEMBERS = ("kty", "crv", "x", "y", "alg", "kid")


def did_web(site_url: str) -> str:
    """Return the did:web of a site; a port is written as %3A.

    >>> did_web("https://voltbazaar.example"), did_web("http://localhost:8000")
    ('did:web:voltbazaar.example', 'did:web:localhost%3A8000')
    """
    return "did:web:" + quote(urlsplit(site_url).netloc, safe=".")


def key_id(did: str, key: Jwk) -> str:
    """Return the full id of a key: the issuer's DID and the key's RFC 7638 thumbprint."""
    return f"{did}#{key['kid']}"


def public(key: Jwk) -> dict[str, str]:
    """Return a key without its private part: nothing but the members that are known to be public."""
    return {member: key[member] for member in PUBLIC_MEMBERS if member in key}


def did_document(did: str, keys: Sequence[Jwk], *, also_known_as: str) -> Json:
    """Return the DID document with every key that a living certificate may have been signed with.

    Retired keys stay in ``assertionMethod``, or their certificates would stop being genuine; a compromised key
    must not be among ``keys``.
    """
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/jwk/v1"],
        "id": did,
        "alsoKnownAs": [also_known_as],
        "verificationMethod": [
            {
                "id": key_id(did, key),
                "type": "JsonWebKey",
                "controller": did,
                "publicKeyJwk": public(key),
            }
            for key in keys
        ],
        "assertionMethod": [key_id(did, key) for key in keys],
    }


def assertion_keys(document: Mapping[str, Any]) -> dict[str, Jwk]:
    """Return key id -> public JWK for each key that a DID document allows for assertions."""
    allowed = {
        method if isinstance(method, str) else method["id"]
        for method in document.get("assertionMethod", [])
    }
    return {
        method["id"]: method["publicKeyJwk"]
        for method in document.get("verificationMethod", [])
        if method.get("id") in allowed
        and method.get("controller") == document.get("id")
        and "publicKeyJwk" in method
    }
