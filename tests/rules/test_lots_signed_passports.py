"""Signed passports are opened and their signature looked at; that it is right makes nothing true."""

import json
from base64 import urlsafe_b64encode
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from marketplace.lots.rules.passports import NotAPassport, health_of, read_passport
from marketplace.lots.rules.signed import BASE58, NotAToken, Signature, opened

TODAY = date(2026, 11, 23)
CURVES = {
    "ES256": ("P-256", ec.SECP256R1, b"\x80\x24"),
    "ES384": ("P-384", ec.SECP384R1, b"\x81\x24"),
}


def b64(some):
    raw = some if isinstance(some, bytes) else json.dumps(some).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def did_key(codec, point):
    number, text = int.from_bytes(codec + point, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return f"did:key:z{text}"


class Signer:
    """Somebody with a key of their own."""

    def __init__(self, algorithm="ES256"):
        self.algorithm = algorithm
        if algorithm == "Ed25519":
            self.key = Ed25519PrivateKey.generate()
            point = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            self.did = did_key(b"\xed\x01", point)
            jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(point)}
        else:
            _name, curve, codec = CURVES[algorithm]
            self.key = ec.generate_private_key(curve())
            point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
            self.did = did_key(codec, point)
            jwk = ECKey.import_key(self.key).as_dict(private=False)
            jwk = {name: jwk[name] for name in ("kty", "crv", "x", "y")}
        self.did_jwk = f"did:jwk:{b64(jwk)}"

    def sign(self, payload, *, as_alg=None, **header):
        head = {"alg": as_alg or self.algorithm, "typ": "vc+jwt"} | header
        if self.algorithm == "Ed25519":
            signed = f"{b64(head)}.{b64(payload)}"
            return f"{signed}.{b64(self.key.sign(signed.encode()))}"
        return jws.serialize_compact(
            head, json.dumps(payload).encode(), ECKey.import_key(self.key), algorithms=[head["alg"]]
        )


def dpp(issuer=None, **more):
    return {
        "@context": ["https://www.w3.org/ns/credentials/v2", "https://test.uncefact.org/vocabulary/untp/dpp/0.7.0/"],
        "type": ["DigitalProductPassport", "VerifiableCredential"],
        "credentialSubject": {
            "name": "Pack",
            "idGranularity": "item",
            "characteristics": {"batteryChemistry": "LFP", "ratedCapacity": {"value": 100, "unit": "AMH"}},
        },
    } | ({"issuer": issuer} if issuer else {}) | more  # fmt: skip


def read(text):
    return read_passport(text.encode(), today=TODAY)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "Ed25519"])
def test_a_signature_is_checked_with_the_key_that_a_did_is(algorithm):
    signer = Signer(algorithm)
    for did in (signer.did, signer.did_jwk):
        by_issuer = read(signer.sign(dpp(issuer={"id": did, "name": "Maker"})))
        by_kid = read(signer.sign(dpp(issuer=did), kid=f"{did}#0"))

        for passport in (by_issuer, by_kid):
            assert (passport.signature, passport.signed_by) == (Signature.CHECKED, did)
            assert passport.text("chemistry") == "LFP"
            assert passport.token.count(".") == 2


def test_eddsa_is_the_older_name_of_ed25519():
    signer = Signer("Ed25519")

    assert read(signer.sign(dpp(issuer=signer.did), as_alg="EdDSA")).signature == "CHECKED"


def test_an_enveloped_and_an_older_token_are_read_too():
    signer = Signer()
    token = signer.sign(dpp(issuer=signer.did))
    enveloped = {
        "@context": "https://www.w3.org/ns/credentials/v2",
        "type": "EnvelopedVerifiableCredential",
        "id": f"data:application/vc+jwt,{token}",
    }
    older = signer.sign({"iss": signer.did, "nbf": 1700000000, "vc": dpp()})

    for text in (json.dumps(enveloped, indent=2), f"\n{token}\n", older):
        assert (read(text).signature, read(text).text("chemistry")) == ("CHECKED", "LFP")


def test_nothing_is_believed_of_what_was_changed_after_it_was_signed():
    signer = Signer()
    head, body, signature = signer.sign(dpp(issuer=signer.did)).split(".")
    other = dpp(issuer=signer.did)
    other["credentialSubject"]["characteristics"]["batteryChemistry"] = "NMC"

    changed = read(f"{head}.{b64(other)}.{signature}")

    assert changed.signature == "WRONG"
    assert (changed.text("chemistry"), changed.number("rated_capacity_ah")) == ("", None)
    assert changed.fields["chemistry"].value
    assert health_of(changed) == []
    assert "signature_wrong" in {doubt.code for doubt in changed.doubts}
    for wrong in (f"{head}.{body}.", f"{head}.{body}.{b64(b'x' * 64)}", f"{head}.{body}.AAAA"):
        assert read(wrong).signature == "WRONG"


def test_another_than_the_issuer_signed():
    issuer, other = Signer(), Signer()

    assert read(other.sign(dpp(issuer=issuer.did), kid=f"{other.did}#x")).signature == "WRONG"
    assert read(other.sign(dpp(issuer=issuer.did))).signature == "WRONG"
    assert read(other.sign(dpp(issuer=issuer.did), kid="key-1")).signature == "WRONG"


@pytest.mark.parametrize(
    ("issuer", "header"),
    [
        ("did:web:maker.example", {"kid": "did:web:maker.example#k1"}),
        (None, {}),
        (None, {"kid": "key-1"}),
        ("did:key:zABC", {}),
        ("did:jwk:!!!", {}),
        (None, {"kid": "did:jwk:e30"}),
    ],
)
def test_without_a_key_in_it_a_signature_is_not_checked_and_the_values_count_as_ever(
    issuer, header
):
    passport = read(Signer().sign(dpp(issuer=issuer), **header))

    assert (passport.signature, passport.text("chemistry")) == ("UNCHECKED", "LFP")


def test_a_key_of_another_curve_never_fits():
    ed, p256 = Signer("Ed25519"), Signer()

    assert read(p256.sign(dpp(issuer=ed.did))).signature == "WRONG"
    assert read(ed.sign(dpp(issuer=p256.did))).signature == "WRONG"


def test_an_unsigned_token_is_not_signed_and_a_proof_beside_is_not_checked():
    unsigned = f"{b64({'alg': 'none'})}.{b64(dpp())}."
    hashed = f"{b64({'alg': 'HS256'})}.{b64(dpp(issuer=Signer().did))}.{b64(b'x')}"

    assert read(unsigned).signature == "NONE"
    assert read(hashed).signature == "UNCHECKED"
    assert read(json.dumps(dpp(proof={"type": "DataIntegrityProof"}))).signature == "UNCHECKED"
    assert read(json.dumps(dpp())).signature == "NONE"


def test_a_signature_makes_no_absurd_value_true():
    signer = Signer()
    absurd = dpp(issuer=signer.did)
    absurd["credentialSubject"]["characteristics"]["ratedCapacity"]["value"] = -5

    passport = read(signer.sign(absurd))

    assert passport.signature == "CHECKED"
    assert passport.number("rated_capacity_ah") is None


@pytest.mark.parametrize(
    "text",
    [
        "aa.bb.cc",
        "aaaa.bbbb.cccc.dddd.eeee",
        f"{b64({'alg': 'ES256'})}.{b64([1])}.AA",
        f"{b64({'alg': 'ES256'})}.{b64(b'[' * 9000)}.AA",
        '{"type": "EnvelopedVerifiableCredential", "id": "data:application/vc+jwt,x"}',
        '{"type": ["EnvelopedVerifiableCredential"]}',
    ],
)
def test_a_token_that_cannot_be_opened_is_refused(text):
    with pytest.raises(NotAPassport) as refused:
        read(text)
    assert refused.value.code == "signed_token"


@given(st.text(alphabet="abcAB019-_.zdi:key", max_size=80))
def test_no_text_breaks_the_opener(text):
    try:
        found = opened(text)
    except NotAToken:
        return
    assert found is None or found.signature in Signature
