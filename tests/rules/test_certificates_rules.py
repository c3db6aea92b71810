"""The pure part of certificates: masses, codes, documents, signatures, status lists."""

import base64
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey
from jsonschema import Draft202012Validator, FormatChecker
from jwcrypto import jwk as third_party_jwk
from jwcrypto import jws as third_party_jws

from marketplace.certificates.rules import codes, mass_balance, status_list
from marketplace.certificates.rules.credentials import (
    RECYCLED,
    REPURPOSED,
    Claim,
    Issuer,
    Processor,
    StatusPlace,
    conformity_credential,
    enveloped,
    facts_of,
    number,
    status_list_credential,
    untp_status,
    w3c_status,
)
from marketplace.certificates.rules.decentralized_ids import did_document, did_web, public
from marketplace.certificates.rules.mass_balance import Imbalance, Note, Output, Wrong, balance
from marketplace.certificates.rules.signatures import Answer, Flaw, examine, sign

STANDARDS = Path(__file__).resolve().parents[3] / "shared" / "standards"
needs_standards = pytest.mark.skipif(
    not STANDARDS.is_dir(), reason="the published schemas are not beside this checkout"
)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SITE = "https://voltbazaar.example"
DID = did_web(SITE)
ISSUER = Issuer(did=DID, name="Voltbazaar", site_url=SITE)
STATUS = StatusPlace(list_url=f"{SITE}/status/1/", index=94567)


def new_key():
    return ECKey.generate_key("P-256", private=True, auto_kid=True).as_dict(private=True)


KEY = new_key()
TRUSTED = {DID: did_document(DID, [KEY], also_known_as=SITE)}


def claim(kind=RECYCLED, outputs=None):
    outputs = outputs or [
        Output("COPPER", Decimal("12.400")),
        Output("NICKEL", Decimal("22.000")),
        Output("BLACK_MASS", Decimal("40.000")),
    ]
    return Claim(
        code="23456789ABC7",
        kind=kind,
        processor=Processor(
            url=f"{SITE}/organisations/7/",
            name="Công ty Green Loop",
            country="VN",
            licence_number="GP-2026/118",
            licence_kind="Hazardous waste treatment",
            licence_issuer="Bộ Tài nguyên và Môi trường",
        ),
        lot_url=f"{SITE}/lots/42/",
        lot_name="Lot 42",
        chemistry="NMC",
        collected_in="IN",
        processed_on=date(2026, 11, 20),
        balance=balance(Decimal("112.4"), outputs, residue_kg=Decimal(30), loss_kg=Decimal(8)),
        outputs=outputs,
    )


def credential(**changes):
    document = conformity_credential(claim(), issuer=ISSUER, status=STATUS, valid_from=NOON)
    return document | changes


def signed_by(document, key=KEY, did=DID, **header):
    if not header:
        return sign(document, key=key, did=did)
    token = third_party_jws.JWS(json.dumps(document, separators=(",", ":"), sort_keys=True))
    token.add_signature(
        third_party_jwk.JWK(**key),
        None,
        json.dumps({"alg": "ES256", "kid": f"{did}#{key['kid']}", "typ": "vc+jwt"} | header),
    )
    return token.serialize(compact=True)


# --- mass balance ---------------------------------------------------------------------------

grams = st.integers(1, 5_000_000).map(lambda g: Decimal(g) / 1000)
materials = st.lists(
    st.sampled_from(sorted(mass_balance.STAGE_OF)), min_size=1, max_size=6, unique=True
)


@given(materials, st.data())
def test_what_is_counted_exactly_always_balances_and_is_never_above_the_input(names, data):
    outputs = [Output(name, data.draw(grams), units=3) for name in names]
    residue_kg, loss_kg = data.draw(grams), data.draw(grams)
    input_kg = sum((o.mass_kg for o in outputs), residue_kg + loss_kg)

    found = balance(input_kg, outputs, residue_kg=residue_kg, loss_kg=loss_kg)

    assert found.difference_kg == 0
    assert found.recovered_kg + found.intermediate_kg == found.output_kg <= input_kg
    assert 0 <= found.recovered_share <= 1


@given(grams, grams, grams, grams)
def test_a_report_is_believed_exactly_when_both_sides_agree_within_the_tolerance(
    input_kg, output_kg, residue_kg, loss_kg
):
    difference_kg = output_kg + residue_kg + loss_kg - input_kg
    agrees = output_kg <= input_kg and abs(difference_kg) <= mass_balance.tolerance_kg(input_kg)

    def report():
        return balance(
            input_kg, [Output("COPPER", output_kg)], residue_kg=residue_kg, loss_kg=loss_kg
        )

    if agrees:
        assert report().difference_kg == difference_kg
    else:
        with pytest.raises(Imbalance) as refused:
            report()
        assert refused.value.difference_kg > 0


@given(grams, grams)
def test_more_out_than_in_is_refused_however_little(input_kg, extra_kg):
    with pytest.raises(Imbalance) as refused:
        balance(
            input_kg,
            [Output("LEAD", input_kg + extra_kg)],
            residue_kg=Decimal(0),
            loss_kg=Decimal(0),
        )

    assert refused.value.wrong is Wrong.OUTPUTS_ABOVE_INPUT
    assert refused.value.difference_kg == extra_kg


@pytest.mark.parametrize(
    ("wrong", "field", "changes"),
    [
        (Wrong.INPUT_NOT_POSITIVE, "input_kg", {"input_kg": Decimal(0)}),
        (Wrong.INPUT_NOT_POSITIVE, "input_kg", {"input_kg": Decimal(-1)}),
        (Wrong.INPUT_TOO_LARGE, "input_kg", {"input_kg": Decimal("1e30")}),
        (Wrong.NOT_A_NUMBER, "input_kg", {"input_kg": Decimal("NaN")}),
        (Wrong.NOT_A_NUMBER, "loss_kg", {"loss_kg": Decimal("Infinity")}),
        (Wrong.RESIDUE_NEGATIVE, "residue_kg", {"residue_kg": Decimal("-0.001")}),
        (Wrong.LOSS_NEGATIVE, "loss_kg", {"loss_kg": Decimal("-0.001")}),
        (Wrong.NOTHING_CAME_OUT, "outputs", {"outputs": []}),
        (Wrong.OUTPUT_NOT_POSITIVE, "outputs", {"outputs": [Output("LEAD", Decimal(0))]}),
        (Wrong.OUTPUT_NOT_POSITIVE, "outputs", {"outputs": [Output("LEAD", Decimal(-5))]}),
        (Wrong.NOT_A_NUMBER, "outputs", {"outputs": [Output("LEAD", Decimal("sNaN"))]}),
        (Wrong.MATERIAL_UNKNOWN, "outputs", {"outputs": [Output("GOLD", Decimal(1))]}),
        (Wrong.MATERIAL_REPEATED, "outputs", {"outputs": [Output("LEAD", Decimal(1))] * 2}),
        (Wrong.PRODUCT_WITHOUT_UNITS, "outputs", {"outputs": [Output("PACKS", Decimal(90))]}),
        (Wrong.UNITS_NOT_POSITIVE, "outputs", {"outputs": [Output("PACKS", Decimal(90), 0)]}),
        (Wrong.TOO_MUCH, "residue_kg", {"residue_kg": Decimal(20)}),
        (Wrong.TOO_LITTLE, "residue_kg", {"residue_kg": Decimal(1)}),
    ],
)
def test_a_contradiction_is_named_with_its_field(wrong, field, changes):
    report = {
        "input_kg": Decimal(100),
        "outputs": [Output("COPPER", Decimal(85))],
        "residue_kg": Decimal(10),
        "loss_kg": Decimal(5),
    }

    with pytest.raises(Imbalance) as refused:
        balance(**report | changes)

    assert (refused.value.wrong, refused.value.field) == (wrong, field)


def test_no_loss_at_all_is_allowed_but_noted():
    found = balance(
        Decimal(100), [Output("LEAD", Decimal(70))], residue_kg=Decimal(30), loss_kg=Decimal(0)
    )

    assert found.notes == (Note.ZERO_LOSS,)


def test_packs_that_live_on_lose_nothing_and_need_no_note():
    found = balance(
        Decimal(100), [Output("PACKS", Decimal(100), 4)], residue_kg=Decimal(0), loss_kg=Decimal(0)
    )

    assert (found.recovered_share, found.notes) == (1, ())


def test_black_mass_is_handed_on_and_not_counted_as_recovered():
    found = balance(
        Decimal(100),
        [Output("BLACK_MASS", Decimal(60)), Output("COPPER", Decimal(20))],
        residue_kg=Decimal(15),
        loss_kg=Decimal(5),
    )

    assert (found.recovered_kg, found.intermediate_kg) == (20, 60)
    assert found.recovered_share == Decimal("0.2000")


# --- codes ------------------------------------------------------------------------------------

draws = st.lists(st.integers(0, 28), min_size=11, max_size=11)


@given(draws)
def test_a_code_survives_how_people_write_it(numbers):
    code = codes.code_from(numbers)

    assert codes.read_code(code) == code
    assert codes.read_code(f" {codes.spaced(code).lower()} ") == code


@given(draws, st.integers(0, 11), st.integers(1, 28))
def test_one_wrong_sign_is_always_noticed(numbers, place, shift):
    code = codes.code_from(numbers)
    wrong = codes.ALPHABET[(codes.ALPHABET.index(code[place]) + shift) % 29]

    assert codes.read_code(code[:place] + wrong + code[place + 1 :]) is None


@given(draws, st.integers(0, 11), st.integers(0, 11))
def test_two_signs_that_changed_places_are_always_noticed(numbers, a, b):
    code = list(codes.code_from(numbers))
    if code[a] == code[b]:
        return
    code[a], code[b] = code[b], code[a]

    assert codes.read_code("".join(code)) is None


def test_a_code_has_no_sign_that_looks_like_another():
    assert not set("0O1IL5S") - {"5"} & set(codes.ALPHABET)
    assert "S" not in codes.ALPHABET


@pytest.mark.parametrize("numbers", [[0] * 10, [29] + [0] * 10, [-1] + [0] * 10])
def test_a_code_refuses_numbers_that_do_not_fit(numbers):
    with pytest.raises(ValueError, match="eleven numbers"):
        codes.code_from(numbers)


@pytest.mark.parametrize("typed", ["", "K7Q2", "0" * 12, "K7Q2-M9", "💥" * 12, "2" * 5000])
def test_what_cannot_be_a_code_is_not_one(typed):
    assert codes.read_code(typed) is None


# --- status list ------------------------------------------------------------------------------


@given(st.sets(st.integers(0, status_list.SIZE - 1), max_size=60), st.integers(0, 131_071))
def test_exactly_the_withdrawn_indices_are_set(withdrawn, other):
    encoded = status_list.encode(withdrawn)

    assert all(status_list.is_set(encoded, index) for index in withdrawn)
    assert status_list.is_set(encoded, other) == (other in withdrawn)
    assert encoded == status_list.encode(sorted(withdrawn, reverse=True))


def test_index_0_is_the_left_most_bit():
    assert status_list._decode(status_list.encode([0]))[0] == 0b1000_0000


def test_the_example_of_the_recommendation_is_an_empty_list():
    example = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"

    assert status_list._decode(example) == bytes(16_384)


@pytest.mark.parametrize("index", [-1, status_list.SIZE])
def test_an_index_outside_the_list_is_refused(index):
    with pytest.raises(ValueError, match="outside"):
        status_list.encode([index])
    with pytest.raises(status_list.BadList):
        status_list.is_set(status_list.encode([]), index)


def test_a_list_that_unpacks_to_gigabytes_is_refused():
    import gzip

    bomb = "u" + base64.urlsafe_b64encode(gzip.compress(bytes(50_000_000))).decode().rstrip("=")

    with pytest.raises(status_list.BadList, match="length"):
        status_list.is_set(bomb, 0)


@pytest.mark.parametrize("text", ["", "z123", "u", "u!!!", "uAAAA", "ué"])
def test_what_is_not_a_list_is_refused(text):
    with pytest.raises(status_list.BadList):
        status_list.is_set(text, 0)


# --- documents --------------------------------------------------------------------------------


def valid(document, schema):
    Draft202012Validator(
        json.loads((STANDARDS / schema).read_text()), format_checker=FormatChecker()
    ).validate(document)


@needs_standards
@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        (RECYCLED, None),
        (REPURPOSED, [Output("MODULES", Decimal("74.4"), 24)]),
    ],
)
def test_a_certificate_is_valid_by_the_schemas_of_w3c_and_untp(kind, outputs):
    document = conformity_credential(
        claim(kind, outputs), issuer=ISSUER, status=STATUS, valid_from=NOON
    )

    valid(document, "untp/0.7.0/schema/ConformityCredential.json")
    valid(document, "w3c/verifiable-credential-schema.json")


@needs_standards
def test_a_status_list_is_valid_by_the_schema_of_w3c():
    document = status_list_credential(
        [5], list_url=STATUS.list_url, issuer=ISSUER, signed_at=NOON, valid_until=NOON
    )

    valid(document, "w3c/verifiable-credential-schema.json")


@needs_standards
def test_every_word_of_ours_in_a_vocabulary_exists_there():
    topics = (STANDARDS / "untp/0.7.0/vocab/untp-topics.jsonld").read_text()
    metrics = (STANDARDS / "untp/0.7.0/vocab/untp-metrics.jsonld").read_text()

    for topic in ("end-of-life-management", "resource-circularity"):
        assert f'"topics:{topic}"' in topics
    for metric in ("material-recovery-rate", "reuse-remanufacturing-rate"):
        assert f'"metrics:{metric}"' in metrics


def test_the_index_is_a_number_for_untp_and_a_text_for_w3c():
    assert untp_status(STATUS)["statusListIndex"] == 94567
    assert w3c_status(STATUS)["statusListIndex"] == "94567"
    assert untp_status(STATUS).keys() == w3c_status(STATUS).keys()


def test_a_certificate_does_not_claim_more_than_is_true():
    subject = credential()["credentialSubject"]

    assert subject["assessorLevel"] == "self"
    assert subject["assessmentLevel"] == "no-endorsement"
    assert subject["attestationType"] == "declaration"


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [(RECYCLED, None), (REPURPOSED, [Output("MODULES", Decimal("74.4"), 24)])],
)
def test_what_a_certificate_says_can_be_read_back_from_its_bytes(kind, outputs):
    said = claim(kind, outputs)
    document = conformity_credential(said, issuer=ISSUER, status=STATUS, valid_from=NOON)

    facts = facts_of(json.loads(json.dumps(document)))

    assert (facts.code, facts.kind, facts.valid_from) == (said.code, kind, NOON)
    assert list(facts.outputs) == list(said.outputs)
    assert (facts.input_kg, facts.residue_kg, facts.loss_kg) == (Decimal("112.4"), 30, 8)
    assert facts.recovered_share == said.balance.recovered_share
    assert (facts.collected_in, facts.processed_in) == ("IN", "VN")
    assert facts.licence == "Hazardous waste treatment GP-2026/118"


def test_another_credential_of_ours_is_not_read_as_a_certificate():
    document = status_list_credential(
        [], list_url=STATUS.list_url, issuer=ISSUER, signed_at=NOON, valid_until=NOON
    )

    with pytest.raises(ValueError, match="not a certificate"):
        facts_of(document)


def test_masses_keep_their_digits():
    assert json.dumps(number(Decimal("9999999.999"))) == "9999999.999"
    assert json.dumps(number(Decimal("0.001"))) == "0.001"
    assert json.dumps(number(Decimal("112.400"))) == "112.4"


# --- signatures -------------------------------------------------------------------------------


def test_a_signed_certificate_is_genuine_and_a_library_of_others_agrees():
    text = sign(credential(), key=KEY, did=DID)

    found = examine(text, issuers=TRUSTED)

    assert (found.answer, found.flaw) == (Answer.GENUINE, None)
    assert found.credential == credential()
    third_party = third_party_jws.JWS()
    third_party.deserialize(text, third_party_jwk.JWK(**public(KEY)))
    assert json.loads(third_party.payload) == credential()
    assert json.loads(third_party.objects["protected"]) == {
        "alg": "ES256",
        "typ": "vc+jwt",
        "cty": "vc",
        "kid": f"{DID}#{third_party_jwk.JWK(**public(KEY)).thumbprint()}",
    }


ORIGINAL = sign(credential(), key=KEY, did=DID)


@given(st.integers(0, len(ORIGINAL) - 1), st.integers(1, 127))
def test_any_altered_byte_is_noticed(place, flip):
    changed = ORIGINAL[:place] + chr(ord(ORIGINAL[place]) ^ flip) + ORIGINAL[place + 1 :]

    assert examine(changed, issuers=TRUSTED).answer in (Answer.ALTERED, Answer.UNKNOWN_ISSUER)
    assert examine(changed, issuers=TRUSTED).flaw is not None


@given(st.text(max_size=300))
def test_any_text_gets_an_answer(text):
    assert examine(text, issuers=TRUSTED).answer is Answer.ALTERED


def test_a_changed_mass_is_altered():
    header, payload, signature = ORIGINAL.split(".")
    raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    more = base64.urlsafe_b64encode(raw.replace(b"112.4", b"912.4")).decode().rstrip("=")

    assert examine(f"{header}.{more}.{signature}", issuers=TRUSTED).flaw is Flaw.BAD_SIGNATURE


def test_another_market_is_an_unknown_issuer():
    theirs = did_web("https://elsewhere.example")
    document = credential(issuer={"id": theirs, "name": "Elsewhere"})

    found = examine(sign(document, key=new_key(), did=theirs), issuers=TRUSTED)

    assert found.answer is Answer.UNKNOWN_ISSUER


def test_a_stranger_who_writes_our_name_is_altered():
    assert examine(signed_by(credential(), new_key()), issuers=TRUSTED).flaw is Flaw.UNKNOWN_KEY


def test_a_stranger_who_signs_with_their_own_did_is_altered():
    text = signed_by(credential(), new_key(), did="did:web:elsewhere.example")

    assert examine(text, issuers=TRUSTED).flaw is Flaw.ISSUER_NOT_SIGNER


def test_a_stranger_with_our_key_id_is_altered():
    text = signed_by(credential(), new_key() | {"kid": KEY["kid"]})

    assert examine(text, issuers=TRUSTED).flaw is Flaw.BAD_SIGNATURE


def test_a_retired_key_still_proves_what_it_signed_and_a_removed_one_does_not():
    newer = new_key()
    both = {DID: did_document(DID, [newer, KEY], also_known_as=SITE)}
    without = {DID: did_document(DID, [newer], also_known_as=SITE)}

    assert examine(ORIGINAL, issuers=both).answer is Answer.GENUINE
    assert examine(ORIGINAL, issuers=without).flaw is Flaw.UNKNOWN_KEY


@pytest.mark.parametrize(
    ("header", "flaw"),
    [
        ({"typ": "JWT"}, Flaw.WRONG_TYPE),
        ({"cty": "jwt"}, Flaw.WRONG_TYPE),
        ({"crit": ["exp"], "exp": 1}, Flaw.CRITICAL_EXTENSION),
        ({"jwk": {}}, Flaw.CRITICAL_EXTENSION),
    ],
)
def test_an_odd_header_is_altered(header, flaw):
    parts = ORIGINAL.split(".")
    members = {"alg": "ES256", "typ": "vc+jwt", "kid": f"{DID}#{KEY['kid']}"} | header
    odd = base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")

    assert examine(".".join([odd, *parts[1:]]), issuers=TRUSTED).flaw is flaw


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES384", "RS256", None, 5])
def test_no_other_algorithm_is_accepted(algorithm):
    header = {"alg": algorithm, "typ": "vc+jwt", "kid": f"{DID}#{KEY['kid']}"}
    parts = ORIGINAL.split(".")
    swapped = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")

    for text in (f"{swapped}.{parts[1]}.{parts[2]}", f"{swapped}.{parts[1]}."):
        assert examine(text, issuers=TRUSTED).flaw is Flaw.WRONG_ALGORITHM


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({"vc": {}}, Flaw.WRAPPED_CLAIM),
        ({"vp": "no"}, Flaw.WRAPPED_CLAIM),
        ({"@context": ["https://www.w3.org/2018/credentials/v1"]}, Flaw.NOT_A_CREDENTIAL),
        ({"@context": "https://www.w3.org/ns/credentials/v2"}, Flaw.NOT_A_CREDENTIAL),
        ({"type": "VerifiableCredential"}, Flaw.NOT_A_CREDENTIAL),
        ({"issuer": 7}, Flaw.NOT_A_CREDENTIAL),
        ({"credentialSubject": []}, Flaw.NOT_A_CREDENTIAL),
    ],
)
def test_a_signed_text_that_is_not_our_kind_of_credential_is_altered(changes, flaw):
    assert examine(sign(credential(**changes), key=KEY, did=DID), issuers=TRUSTED).flaw is flaw


def test_equal_content_in_other_bytes_is_altered_even_with_a_good_signature():
    token = third_party_jws.JWS(json.dumps(credential(), indent=1))
    header = {"alg": "ES256", "kid": f"{DID}#{KEY['kid']}", "typ": "vc+jwt", "cty": "vc"}
    token.add_signature(third_party_jwk.JWK(**KEY), None, json.dumps(header))

    found = examine(token.serialize(compact=True), issuers=TRUSTED)

    assert found.flaw is Flaw.NOT_CANONICAL


@pytest.mark.parametrize("payload", ['{"a": 1e999}', '{"a": NaN}', '{"a": 9007199254740993}'])
def test_a_number_that_has_no_canonical_form_is_altered_even_with_a_good_signature(payload):
    text = json.dumps(credential())[:-1] + ", " + payload[1:]
    token = third_party_jws.JWS(text)
    header = {"alg": "ES256", "kid": f"{DID}#{KEY['kid']}", "typ": "vc+jwt", "cty": "vc"}
    token.add_signature(third_party_jwk.JWK(**KEY), None, json.dumps(header))

    found = examine(token.serialize(compact=True), issuers=TRUSTED)

    assert found.flaw is Flaw.NOT_CANONICAL


@pytest.mark.parametrize("text", [f"{ORIGINAL}.AA", "WzFd.WzFd.AA", "MQ.MQ.AA", "e30.WzFd.AA"])
def test_what_is_not_three_parts_of_the_right_kind_is_altered(text):
    assert examine(text, issuers=TRUSTED).flaw is Flaw.NOT_A_JWT


def test_a_huge_text_is_not_read():
    assert examine("a" * 50_000_000, issuers=TRUSTED).flaw is Flaw.TOO_LONG


def test_a_deeply_nested_text_gets_an_answer():
    nested = base64.urlsafe_b64encode(b"[" * 60_000).decode().rstrip("=")

    assert examine(f"{nested}.{nested}.AA", issuers=TRUSTED).flaw is Flaw.NOT_A_JWT


def test_a_repeated_member_is_altered():
    twice = base64.urlsafe_b64encode(b'{"a":1,"a":2}').decode().rstrip("=")

    assert examine(f"{twice}.{twice}.AA", issuers=TRUSTED).flaw is Flaw.NOT_A_JWT


def test_the_status_list_is_signed_and_checked_like_a_certificate():
    document = status_list_credential(
        [STATUS.index],
        list_url=STATUS.list_url,
        issuer=ISSUER,
        signed_at=NOON,
        valid_until=NOON + timedelta(days=2),
    )

    found = examine(sign(document, key=KEY, did=DID), issuers=TRUSTED)

    assert found.answer is Answer.GENUINE
    encoded = found.credential["credentialSubject"]["encodedList"]
    assert status_list.is_set(encoded, STATUS.index)
    assert not status_list.is_set(encoded, STATUS.index + 1)


def test_a_certificate_as_json_carries_the_signed_text():
    assert enveloped("a.b.c")["id"] == "data:application/vc+jwt,a.b.c"


@needs_standards
@pytest.mark.parametrize(
    "name", ["bad-signature", "bad-media-type", "vc-vp-claims", "unknown-extensions"]
)
def test_the_bad_examples_of_w3c_are_not_genuine(name):
    inputs = STANDARDS / "w3c/vc-jose-cose-test-suite/tests/input"
    text = (inputs / f"credential-jose-{name}.txt").read_text().strip()
    method = json.loads((inputs / "vm-p256.json").read_text())
    document = {
        "id": method["controller"],
        "verificationMethod": [method],
        "assertionMethod": [method["id"]],
    }

    assert examine(text, issuers={method["controller"]: document}).answer is Answer.ALTERED


@needs_standards
def test_the_key_and_the_signature_of_the_good_example_of_w3c_are_read():
    """Theirs names its key by a bare thumbprint, ours by a DID URL: we read it, and say whose it is not."""
    inputs = STANDARDS / "w3c/vc-jose-cose-test-suite/tests/input"
    text = (inputs / "credential-jose-minimal.txt").read_text().strip()
    key = json.loads((inputs / "vm-p256.json").read_text())["publicKeyJwk"]
    token = third_party_jws.JWS()
    token.deserialize(text, third_party_jwk.JWK(**key))

    found = examine(text, issuers={})

    assert found.answer is Answer.UNKNOWN_ISSUER
    assert found.credential == json.loads(token.payload)
