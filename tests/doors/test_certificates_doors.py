"""The doors of certificates: what strangers see, what parties may do, what machines get, and how big it is."""

import gzip
import json
import re
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from jwcrypto import jwk, jws

from marketplace.accounts.capabilities import Role
from marketplace.certificates import keys, services
from marketplace.certificates.models import Certificate, ProcessingReport, StatusList, Withdrawal
from marketplace.journal.models import Job
from tests.cast_certificates import *  # noqa: F403
from tests.cast_certificates import NOON, SITE, issue, report, settled_deal

pytestmark = pytest.mark.django_db
REASON = "The weighbridge ticket was forged."


@pytest.fixture
def passer_by():
    return Client()


def revoke(certificate, verifier, second_verifier):
    proposed = services.propose_withdrawal(
        certificate, actor=verifier, public_reason=REASON, now=NOON + timedelta(hours=1)
    )
    return services.confirm_withdrawal(
        proposed, actor=second_verifier, now=NOON + timedelta(hours=2)
    )


def answer(response):
    """The words, the shape and the colour of the answer."""
    html = response.content.decode()
    tone = re.search(r'class="seal\s*(\w*)\s*"', html)[1]
    shape = re.search(r'class="seal.*?<svg[^>]*>(.*?)</svg>', html, re.DOTALL)[1]
    words = re.search(r"<h1>\s*(.*?)\s*</h1>", html, re.DOTALL)[1]
    return words, shape, tone


# --- the page for everybody --------------------------------------------------------------------


def test_each_answer_has_its_own_words_shape_and_colour(
    certificate, deal, recycler, licence, collector, verifier, second_verifier, passer_by
):
    other = issue(report(settled_deal(collector, recycler, licence), recycler))
    revoke(other, verifier, second_verifier)
    changed = certificate.signed[:-9] + "AAAAAAAAA"

    genuine = answer(passer_by.get(f"/v/{certificate.code}/"))
    withdrawn = answer(passer_by.get(f"/v/{other.code}/"))
    not_found = answer(passer_by.get("/v/222222222222/"))
    altered = answer(passer_by.post("/verify/", {"file": upload(changed.encode())}))

    four = [genuine, withdrawn, altered, not_found]
    assert [words for words, _shape, _tone in four] == [
        "Genuine",
        "Withdrawn",
        "Altered",
        "Not found",
    ]
    assert len({shape for _words, shape, _tone in four}) == 4
    assert [tone for _words, _shape, tone in four] == ["", "bad", "warn", "none"]


def upload(content, name="certificate.pdf"):
    return SimpleUploadedFile(name, content)


def test_a_stranger_reads_what_the_certificate_says(certificate, passer_by):
    response = passer_by.get(f"/v/{certificate.code}/")

    html = response.content.decode()
    assert response.status_code == 200
    for words in (
        "Citra Recycler and friends",
        "112.4 kg",
        "30.6%",
        certificate.letters,
        "Copper",
        "ID_PERTEK/2026/",
    ):
        assert words in html, words
    assert "Asha" not in html
    assert response.headers["Cache-Control"] == "no-cache"


def test_the_public_page_is_small_and_needs_no_script(certificate, passer_by, settings):
    html = passer_by.get(f"/v/{certificate.code}/").content
    css = (settings.BASE_DIR / "static/css/app.css").read_bytes()
    script = (settings.BASE_DIR / "static/js/app.js").read_bytes()

    assert b"htmx.min" not in html
    assert sum(len(gzip.compress(part)) for part in (html, css, script)) <= 15 * 1024


def test_a_checked_page_costs_few_queries(certificate, passer_by, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        passer_by.get(f"/v/{certificate.code}/")


def test_the_page_speaks_the_language_of_the_reader(certificate, passer_by):
    response = passer_by.get(f"/v/{certificate.code}/", headers={"Accept-Language": "id"})

    assert "112,4 kg" in response.content.decode()


def test_a_withdrawn_certificate_says_why(certificate, verifier, second_verifier, passer_by):
    revoke(certificate, verifier, second_verifier)

    html = passer_by.get(f"/v/{certificate.code}/").content.decode()

    assert REASON in html
    assert "Withdrawn" in html


def test_a_code_is_read_as_people_write_it(certificate, passer_by):
    written = "-".join(certificate.code[at : at + 4] for at in (0, 4, 8)).lower()

    response = passer_by.get(f"/v/{written}/")

    assert response.status_code == 301
    assert response.headers["Location"] == f"/v/{certificate.code}/"


@pytest.mark.parametrize("code", ["222222222222", "nonsense", "K7Q2M9", "💥", "2" * 500])
def test_a_number_that_we_did_not_issue_is_not_found(certificate, passer_by, code):
    response = passer_by.get(f"/v/{code}/")

    assert response.status_code == 404
    assert answer(response)[0] == "Not found"


def test_programs_get_what_they_ask_for(certificate, passer_by):
    as_jwt = passer_by.get(f"/v/{certificate.code}/", headers={"Accept": "application/vc+jwt"})
    as_json = passer_by.get(f"/v/{certificate.code}/", headers={"Accept": "application/vc"})
    file = passer_by.get(f"/v/{certificate.code}/credential.jwt")

    assert as_jwt.content == file.content == certificate.signed.encode()
    assert as_jwt.headers["Content-Type"] == "application/vc+jwt"
    assert json.loads(as_json.content)["id"] == f"data:application/vc+jwt,{certificate.signed}"
    assert "Accept" in as_jwt.headers["Vary"]
    assert as_jwt.headers["Access-Control-Allow-Origin"] == "*"


def test_a_stranger_verifies_with_nothing_but_what_is_published(certificate, passer_by):
    """As another firm's program would: the credential, the DID document, the status list, a library of others."""
    document = passer_by.get("/.well-known/did.json").json()
    keys_by_id = {m["id"]: jwk.JWK(**m["publicKeyJwk"]) for m in document["verificationMethod"]}

    def opened(text):
        token = jws.JWS()
        token.deserialize(text)
        header = json.loads(token.objects["protected"])
        assert header["kid"] in document["assertionMethod"]
        token.verify(keys_by_id[header["kid"]])
        return json.loads(token.payload)

    credential = opened(passer_by.get(f"/v/{certificate.code}/credential.jwt").content.decode())
    status = credential["credentialStatus"]
    shown = passer_by.get(status["statusListCredential"].removeprefix(SITE))
    listed = opened(shown.content.decode())

    assert credential["issuer"]["id"] == document["id"] == listed["issuer"]
    assert listed["id"] == status["statusListCredential"]
    assert shown.headers["Cache-Control"] == "public, max-age=300"


def test_the_papers_are_served_in_the_language_asked_for(certificate, passer_by):
    for language, query in (("en", ""), ("id", "?language=id"), ("en", "?language=xx")):
        response = passer_by.get(f"/v/{certificate.code}/certificate.pdf{query}")
        content = b"".join(response.streaming_content)

        assert content.startswith(b"%PDF")
        assert f"-{language}.pdf" in response.headers["Content-Disposition"]


@pytest.mark.parametrize("path", ["credential.jwt", "certificate.pdf"])
@pytest.mark.parametrize("code", ["222222222222", "nonsense"])
def test_there_are_no_files_of_what_was_not_issued(certificate, passer_by, code, path):
    assert passer_by.get(f"/v/{code}/{path}").status_code == 404


def test_without_published_keys_nothing_is_said_about_a_certificate(
    certificate, passer_by, keys_dir
):
    for file in keys_dir.glob("*.public.json"):
        file.unlink()

    for path in (f"/v/{certificate.code}/", "/.well-known/did.json"):
        response = passer_by.get(path)
        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert "Altered" not in response.content.decode()


def test_the_scheme_that_each_credential_names_can_be_read(certificate, passer_by):
    html = passer_by.get("/help/credentials/").content.decode()

    for anchor in ("mass-balance", "input", "residue", "loss"):
        assert f'id="{anchor}"' in html
    assert f"{SITE}/help/credentials/" in signed_words(certificate)


def signed_words(certificate):
    token = jws.JWS()
    token.deserialize(certificate.signed)
    return token.objects["payload"].decode()


# --- checking a number or a file -----------------------------------------------------------------


def test_a_number_leads_to_its_page(certificate, passer_by):
    response = passer_by.post("/verify/", {"code": f" {certificate.code.lower()} "})

    assert response.status_code == 302
    assert response.headers["Location"] == f"/v/{certificate.code}/"
    assert passer_by.get(f"/verify/?code={certificate.code}").status_code == 302


def test_a_mistyped_number_is_not_found(passer_by, keys_dir):
    assert answer(passer_by.post("/verify/", {"code": "K7Q2"}))[0] == "Not found"


def test_the_paper_itself_can_be_brought(certificate, passer_by):
    paper = certificate.papers.get(language="id")
    with paper.file.open() as opened:
        content = opened.read()

    response = passer_by.post("/verify/", {"file": upload(content)})

    assert answer(response)[0] == "Genuine"


def test_a_paper_whose_numbers_were_painted_over_still_says_what_was_signed(certificate, passer_by):
    """The answer shows the signed facts, never those of the paper."""
    response = passer_by.post("/verify/", {"file": upload(certificate.signed.encode(), "x.jwt")})

    assert "112.4 kg" in response.content.decode()


def test_an_altered_file_leads_to_the_true_one(certificate, passer_by):
    thief = keys.create(certificate_dir(certificate) / "thief", at=NOON)[0]
    token = jws.JWS()
    token.deserialize(certificate.signed)
    from marketplace.certificates.rules.signatures import sign

    forged = sign(json.loads(token.objects["payload"]), key=thief, did="did:web:voltbazaar.example")

    html = passer_by.post("/verify/", {"file": upload(forged.encode())}).content.decode()

    assert "the key is not ours" in html
    assert f'href="/v/{certificate.code}/"' in html


def certificate_dir(_certificate):
    from django.conf import settings

    return settings.KEYS_DIR


def test_a_file_that_is_too_large_is_refused_beside_its_field(passer_by, keys_dir):
    response = passer_by.post("/verify/", {"file": upload(b"%PDF-" + bytes(2_000_000))})

    assert response.status_code == 422
    assert "larger than any certificate" in response.content.decode()


def test_nothing_brought_is_asked_for(passer_by, keys_dir):
    without_number = passer_by.post("/verify/", {"code": ""})
    without_file = passer_by.post("/verify/", {"file": ""})

    assert without_number.status_code == without_file.status_code == 422
    assert "Enter the number" in without_number.content.decode()
    assert "Choose the file" in without_file.content.decode()
    assert passer_by.get("/verify/").status_code == 200


# --- status lists -------------------------------------------------------------------------------


def test_the_status_list_is_open_cached_and_changes_its_tag_when_it_is_signed_again(
    certificate, verifier, second_verifier, passer_by
):
    path = f"/status/{certificate.status_list_id}/"
    first = passer_by.get(path)
    same = passer_by.get(path, headers={"If-None-Match": first.headers["ETag"]})
    revoke(certificate, verifier, second_verifier)
    services.store_status_list(
        services.sign_status_list(certificate.status_list_id, now=NOON), now=NOON
    )
    after = passer_by.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Content-Type"] == "application/vc+jwt"
    assert same.status_code == 304
    assert after.status_code == 200
    assert after.content != first.content


def test_the_status_list_is_json_for_those_who_ask(certificate, passer_by):
    path = f"/status/{certificate.status_list_id}/"
    response = passer_by.get(path, headers={"Accept": "application/json"})

    assert response.json()["type"] == "EnvelopedVerifiableCredential"
    assert response.json()["id"].endswith(StatusList.objects.get().signed)


def test_there_is_no_other_status_list(passer_by, db):
    assert passer_by.get("/status/999/").status_code == 404


# --- reporting -----------------------------------------------------------------------------------


def filled(**changes):
    said = {
        "kind": "RECYCLED",
        "input_kg": "112.4",
        "residue_kg": "30",
        "loss_kg": "8",
        "processed_on": "2026-11-20",
        "note": "",
        "request_id": str(uuid4()),
        "out-TOTAL_FORMS": "4",
        "out-INITIAL_FORMS": "0",
        "out-0-material": "COPPER",
        "out-0-mass_kg": "12.4",
        "out-1-material": "NICKEL",
        "out-1-mass_kg": "22",
        "out-2-material": "BLACK_MASS",
        "out-2-mass_kg": "40",
    }
    return said | changes


def test_a_recycler_reports_on_the_page_and_finds_the_certificate_there(
    deal, recycler, keys_dir, browser
):
    client = browser(recycler)
    assert "112.4 kg" in client.get(f"/deals/{deal.pk}/processing/").content.decode()

    response = client.post(f"/deals/{deal.pk}/processing/", filled())

    assert response.status_code == 302
    made = ProcessingReport.objects.get()
    assert made.outputs.count() == 3
    assert "being made" in client.get(f"/deals/{deal.pk}/processing/").content.decode()
    issued = issue(made)
    assert f"/v/{issued.code}/" in client.get(f"/deals/{deal.pk}/processing/").content.decode()


def test_a_double_click_reports_once(deal, recycler, browser):
    client, said = browser(recycler), filled()

    for _click in range(2):
        assert client.post(f"/deals/{deal.pk}/processing/", said).status_code == 302

    assert ProcessingReport.objects.count() == 1


def test_what_does_not_add_up_comes_back_with_the_sentence_and_the_input(deal, recycler, browser):
    response = browser(recycler).post(f"/deals/{deal.pk}/processing/", filled(residue_kg="5"))

    html = response.content.decode()
    assert response.status_code == 422
    assert "25 kg of the input are not accounted for" in html
    assert 'value="12.4"' in html
    assert ProcessingReport.objects.count() == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"input_kg": "NaN"},
        {"input_kg": "1e30"},
        {"input_kg": ""},
        {"processed_on": "yesterday"},
        {"out-0-mass_kg": "-1"},
        {"out-0-mass_kg": ""},
        {"out-0-material": "GOLD"},
        {"out-1-material": ""},
        {"out-TOTAL_FORMS": "99999"},
        {"out-TOTAL_FORMS": "x"},
        {"request_id": "x"},
        {"kind": "BURNT"},
    ],
)
def test_bad_input_comes_back_as_a_page(deal, recycler, changes, browser):
    response = browser(recycler).post(f"/deals/{deal.pk}/processing/", filled(**changes))

    assert response.status_code == 422
    assert ProcessingReport.objects.count() == 0


def test_more_rows_are_given_without_a_script(deal, recycler, browser):
    said = filled(more="1")

    html = browser(recycler).post(f"/deals/{deal.pk}/processing/", said).content.decode()

    assert "out-5-material" in html
    assert 'value="12.4"' in html
    assert ProcessingReport.objects.count() == 0


def test_only_the_parties_find_the_page_and_only_the_buyer_the_form(
    deal, collector, recycler, verifier, member, browser
):
    other = member(Role.RECYCLER, "Another Recycler")
    path = f"/deals/{deal.pk}/processing/"

    assert 'id="report"' in browser(recycler).get(path).content.decode()
    assert 'id="report"' not in browser(collector).get(path).content.decode()
    assert browser(other).get(path).status_code == 404
    assert browser(collector).post(path, filled()).status_code == 403
    assert browser(other).post(path, filled()).status_code == 404
    assert Client().get(path).status_code == 302
    assert ProcessingReport.objects.count() == 0


# --- lists and withdrawals -------------------------------------------------------------------------


def test_each_party_finds_its_certificates(
    certificate, collector, recycler, verifier, member, browser
):
    for user in (collector, recycler, verifier):
        assert certificate.code[:4] in browser(user).get("/certificates/").content.decode()
    other = browser(member(Role.RECYCLER, "Other")).get("/certificates/").content.decode()
    assert certificate.code[:4] not in other
    assert Client().get("/certificates/").status_code == 302


def test_a_long_list_costs_no_more_queries(certificate, recycler, collector, licence, browser):
    client = browser(recycler)
    client.get("/certificates/")
    with CaptureQueriesContext(connection) as for_one:
        client.get("/certificates/")
    for _more in range(4):
        issue(report(settled_deal(collector, recycler, licence), recycler))

    with CaptureQueriesContext(connection) as for_five:
        client.get("/certificates/")

    assert len(for_five) == len(for_one) <= 12


def test_two_verifiers_withdraw_on_the_page(
    certificate, verifier, second_verifier, passer_by, browser
):
    path = f"/certificates/{certificate.code}/withdrawal/"

    assert browser(verifier).post(path, {"public_reason": REASON}).status_code == 302
    proposal = Withdrawal.objects.get()
    alone = browser(verifier).post(f"/withdrawals/{proposal.pk}/decide/", {"decision": "confirm"})
    assert alone.status_code == 302
    assert Certificate.objects.get().status == "ISSUED"
    assert REASON in browser(second_verifier).get("/certificates/").content.decode()
    browser(second_verifier).post(f"/withdrawals/{proposal.pk}/decide/", {"decision": "confirm"})

    assert answer(passer_by.get(f"/v/{certificate.code}/"))[0] == "Withdrawn"
    assert Job.objects.filter(kind="certificates.sign_status_list").count() == 1


def test_a_proposal_can_be_dismissed(certificate, verifier, browser):
    path = f"/certificates/{certificate.code}/withdrawal/"
    client = browser(verifier)
    client.post(path, {"public_reason": REASON})

    client.post(f"/withdrawals/{Withdrawal.objects.get().pk}/decide/", {"decision": "dismiss"})

    assert Withdrawal.objects.get().status == "DISMISSED"
    assert client.post(path, {"public_reason": "no"}).status_code == 422


def test_the_parties_find_no_door_to_withdraw(certificate, recycler, collector, browser):
    for user in (recycler, collector):
        client = browser(user)
        path = f"/certificates/{certificate.code}/withdrawal/"
        assert client.get(path).status_code == 404
        assert client.post(path, {"public_reason": REASON}).status_code == 404
        assert client.post("/withdrawals/1/decide/").status_code == 404


# --- API -----------------------------------------------------------------------------------------


def body(**changes):
    said = {
        "kind": "RECYCLED",
        "input_kg": "112.400",
        "outputs": [
            {"material": "COPPER", "mass_kg": "12.4"},
            {"material": "NICKEL", "mass_kg": "22"},
            {"material": "BLACK_MASS", "mass_kg": "40"},
        ],
        "residue_kg": "30",
        "loss_kg": "8",
        "processed_on": "2026-11-20",
        "request_id": str(uuid4()),
    }
    return said | changes


def sent(client, deal, said, **headers):
    path = f"/api/v1/deals/{deal.pk}/processing-report/"
    return client.post(path, said, content_type="application/json", headers=headers)


def test_a_program_reports_once_however_often_it_asks(deal, recycler, browser):
    client, said = browser(recycler), body()

    first, again = sent(client, deal, said), sent(client, deal, said)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.json()["status"] == "SUBMITTED"
    assert ProcessingReport.objects.count() == 1
    shown = client.get(f"/api/v1/deals/{deal.pk}/processing-report/").json()
    assert [row["id"] for row in shown] == [first.json()["id"]]


def test_a_program_may_send_the_id_as_a_header(deal, recycler, browser):
    said = body()
    del said["request_id"]

    assert sent(browser(recycler), deal, said).status_code == 400
    response = sent(browser(recycler), deal, said, **{"Idempotency-Key": str(uuid4())})
    assert response.status_code == 201


def test_a_refusal_has_a_code_and_a_field(deal, recycler, browser):
    response = sent(browser(recycler), deal, body(loss_kg="0"))

    assert response.status_code == 409
    problem = response.json()
    assert problem["code"] == "masses_disagree"
    assert list(problem["errors"]) == ["residue_kg"]
    assert ProcessingReport.objects.count() == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"input_kg": "NaN"},
        {"input_kg": "1e30"},
        {"outputs": "none"},
        {"outputs": [{"material": "GOLD", "mass_kg": "1"}]},
        {"outputs": [{"material": "LEAD", "mass_kg": "Infinity"}]},
        {"processed_on": "2026-02-30"},
        {"kind": "BURNT"},
    ],
)
def test_a_program_that_sends_nonsense_is_told(deal, recycler, changes, browser):
    response = sent(browser(recycler), deal, body(**changes))

    assert response.status_code == 400
    assert set(response.json()["errors"]) <= set(changes)
    assert ProcessingReport.objects.count() == 0


def test_the_api_hides_deals_of_others(deal, member, collector, browser):
    assert sent(browser(member(Role.RECYCLER, "Other")), deal, body()).status_code == 404
    assert sent(browser(collector), deal, body()).status_code == 403
    assert sent(Client(), deal, body()).status_code in (401, 403)


def test_programs_check_by_code_by_text_by_file_and_by_body(certificate, passer_by):
    paper = certificate.papers.get(language="en")
    with paper.file.open() as opened:
        pdf = opened.read()
    verify = "/api/v1/verify/"

    answers = [
        passer_by.get(f"/api/v1/certificates/{certificate.code}/"),
        passer_by.post(verify, {"credential": certificate.signed}, content_type="application/json"),
        passer_by.post(verify, {"file": upload(pdf)}),
        passer_by.post(verify, certificate.signed, content_type="application/vc+jwt"),
        passer_by.post(verify, pdf, content_type="application/pdf"),
    ]

    for response in answers:
        assert response.status_code == 200, response.content
        said = response.json()
        assert (said["answer"], said["code"]) == ("GENUINE", certificate.code)
        assert said["letters"] == certificate.letters
        assert Decimal(said["facts"]["input_kg"]) == Decimal("112.4")
        assert said["links"]["page"] == f"{SITE}/v/{certificate.code}/"


def test_the_api_says_altered_withdrawn_and_not_found(
    certificate, verifier, second_verifier, passer_by
):
    def said(text):
        response = passer_by.post(
            "/api/v1/verify/", {"credential": text}, content_type="application/json"
        )
        return response.json()["answer"], response.json()["flaw"]

    assert said(certificate.signed[:-8] + "AAAAAAAA")[0] == "ALTERED"
    assert said("nothing") == ("NOT_FOUND", "not_a_jwt")
    revoke(certificate, verifier, second_verifier)
    assert said(certificate.signed)[0] == "WITHDRAWN"
    by_code = passer_by.get(f"/api/v1/certificates/{certificate.code}/").json()
    assert by_code["withdrawal_reason"] == REASON
    assert passer_by.get("/api/v1/certificates/222222222222/").status_code == 404


@pytest.mark.parametrize("content", [{}, {"credential": 5}, {"credential": None}])
def test_the_api_asks_for_something_to_check(passer_by, keys_dir, content):
    response = passer_by.post("/api/v1/verify/", content, content_type="application/json")

    assert response.status_code == 400


@pytest.mark.parametrize("kind", ["application/pdf", "application/json", "application/vc+jwt"])
def test_a_huge_body_is_not_read(keys_dir, passer_by, kind):
    response = passer_by.post("/api/v1/verify/", b"%PDF-" + bytes(50_000_000), content_type=kind)

    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_parties_list_their_certificates(certificate, recycler, member, browser):
    rows = browser(recycler).get("/api/v1/certificates/").json()["results"]

    assert [row["code"] for row in rows] == [certificate.code]
    assert (
        browser(member(Role.RECYCLER, "Other")).get("/api/v1/certificates/").json()["results"] == []
    )
    assert Client().get("/api/v1/certificates/").status_code in (401, 403)
