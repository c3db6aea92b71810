"""Pages of licences: applying, the verifiers' desk, papers that only those concerned may download."""

from uuid import uuid4

import pytest
from django.urls import reverse

from marketplace.accounts import rules
from marketplace.accounts.capabilities import Role
from marketplace.accounts.models import Document, Licence, LicenceApproval
from marketplace.reference.models import LicenceType


@pytest.fixture
def applicant(member):
    return member(Role.RECYCLER, "Nina Newcomer")


def application(paper, **other):
    return {
        "licence_type": "ID_PERTEK",
        "number": "KLH/2026/17",
        "issuer": "",
        "site_name": "Works 1",
        "site_city": "Bekasi",
        "materials": ["LFP"],
        "annual_mass_kg": "5000",
        "valid_from": "2026-01-01",
        "valid_until": "2099-01-01",
        "upload": paper(),
        "request_id": str(uuid4()),
    } | other


@pytest.fixture
def submitted(applicant, browser, paper):
    client = browser(applicant)
    client.post(reverse("licence-apply"), application(paper))
    licence = Licence.objects.get()
    client.post(reverse("licence-submit", args=[licence.pk]))
    licence.refresh_from_db()
    assert licence.status == Licence.Status.SUBMITTED
    return licence


def check_all(client, licence):
    client.post(reverse("licence-claim", args=[licence.pk]))
    for field in rules.CHECKED_FIELDS:
        client.post(reverse("licence-check", args=[licence.pk]), {"field": field, "matches": "yes"})


def test_from_application_to_a_licence_that_counts(
    submitted, applicant, verifier, second_verifier, browser
):
    for person in (verifier, second_verifier):
        client = browser(person)
        assert client.get(reverse("verify-queue")).status_code == 200
        check_all(client, submitted)
        page = client.get(reverse("verify-licence", args=[submitted.pk]))
        assert page.context["may_approve"]
        client.post(reverse("licence-approve", args=[submitted.pk]))

    submitted.refresh_from_db()
    assert submitted.status == Licence.Status.VERIFIED
    page = browser(applicant).get(reverse("licence", args=[submitted.pk]))
    assert b"Verified" in page.content


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"valid_until": "2025-01-01"}, "valid_until"),
        ({"annual_mass_kg": "-1"}, "annual_mass_kg"),
        ({"annual_mass_kg": "NaN"}, "annual_mass_kg"),
        ({"annual_mass_kg": "1e30"}, "annual_mass_kg"),
        ({"number": ""}, "number"),
        ({"site_city": "Atlantis"}, "site_city"),
        ({"licence_type": "IN_BWM_REG"}, "licence_type"),
        ({"materials": ["PLUTONIUM"]}, "materials"),
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field(applicant, browser, paper, wrong, field):
    answer = browser(applicant).post(reverse("licence-apply"), application(paper, **wrong))

    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not Licence.objects.exists()
    assert not Document.objects.exists()


def test_a_gif_is_no_paper(applicant, browser, photo, paper):
    wrong = application(paper, upload=photo("scan.jpg", form="GIF"))

    answer = browser(applicant).post(reverse("licence-apply"), wrong)

    assert answer.status_code == 422
    assert not Licence.objects.exists()


def test_a_mismatch_keeps_the_approval_away(submitted, verifier, browser):
    client = browser(verifier)
    check_all(client, submitted)
    client.post(
        reverse("licence-check", args=[submitted.pk]),
        {"field": "dates", "matches": "no", "note": "Other year"},
    )

    client.post(reverse("licence-approve", args=[submitted.pk]))

    assert not LicenceApproval.objects.exists()
    assert not client.get(reverse("verify-licence", args=[submitted.pk])).context["may_approve"]


def test_the_applicant_reads_why_it_came_back_and_sends_it_again(
    submitted, applicant, verifier, browser, paper
):
    client = browser(verifier)
    check_all(client, submitted)
    assert client.post(reverse("licence-ask", args=[submitted.pk]), {}).status_code == 422
    client.post(reverse("licence-ask", args=[submitted.pk]), {"reason": "Page 2 is missing."})

    mine = browser(applicant)
    assert b"Page 2 is missing." in mine.get(reverse("licence", args=[submitted.pk])).content
    mine.post(
        reverse("licence-edit", args=[submitted.pk]), application(paper, number="KLH/2026/18")
    )
    mine.post(reverse("licence-submit", args=[submitted.pk]))

    submitted.refresh_from_db()
    assert (submitted.status, submitted.number) == (Licence.Status.SUBMITTED, "KLH/2026/18")


def test_a_licence_is_suspended_and_reinstated_with_a_reason(recycler, verifier, browser):
    licence = Licence.objects.get(organisation_id=recycler.organisation_id)
    client = browser(verifier)
    client.post(reverse("licence-suspend", args=[licence.pk]), {"reason": ""})
    licence.refresh_from_db()
    assert licence.status == Licence.Status.VERIFIED

    client.post(reverse("licence-suspend", args=[licence.pk]), {"reason": "Fire."})
    licence.refresh_from_db()
    assert licence.status == Licence.Status.SUSPENDED
    assert b"Fire." in browser(recycler).get(reverse("licence", args=[licence.pk])).content

    client.post(reverse("licence-reinstate", args=[licence.pk]))
    licence.refresh_from_db()
    assert licence.status == Licence.Status.VERIFIED


def test_a_paper_is_a_download_for_those_concerned_alone(submitted, everybody, browser):
    url = reverse("document", args=[submitted.document_id])
    for who, actor in everybody.items():
        expected = 200 if who in {"verifier", "second_verifier", "staff"} else 404
        assert browser(actor).get(url).status_code == expected, who

    answer = browser(everybody["verifier"]).get(url)

    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer.content.startswith(b"%PDF")


def test_a_draft_and_its_paper_are_seen_by_their_owner_alone(applicant, verifier, browser, paper):
    client = browser(applicant)
    client.post(reverse("licence-apply"), application(paper))
    licence = Licence.objects.get()

    assert client.get(reverse("document", args=[licence.document_id])).status_code == 200
    other = browser(verifier)
    assert other.get(reverse("document", args=[licence.document_id])).status_code == 404
    assert other.get(reverse("licence", args=[licence.pk])).status_code == 404


ARROWS = [
    "licence-claim",
    "licence-let-go",
    "licence-check",
    "licence-approve",
    "licence-refuse",
    "licence-ask",
    "licence-suspend",
    "licence-reinstate",
]


@pytest.mark.parametrize("name", ARROWS)
def test_only_verifiers_decide(submitted, applicant, rival, collector, browser, name):
    body = {"field": "number", "matches": "yes", "reason": "Because."}
    for actor, expected in ((applicant, 403), (rival, 404), (collector, 404)):
        answer = browser(actor).post(reverse(name, args=[submitted.pk]), body)
        assert answer.status_code == expected

    submitted.refresh_from_db()
    assert submitted.status == Licence.Status.SUBMITTED


def test_the_queue_is_for_verifiers(everybody, browser):
    for who, actor in everybody.items():
        expected = 200 if "verifier" in who else 403
        assert browser(actor).get(reverse("verify-queue")).status_code == expected, who


def test_verifiers_have_no_licences_to_apply_for(verifier, browser):
    assert browser(verifier).get(reverse("licence-apply")).status_code == 403


def test_every_kind_of_licence_of_the_country_can_be_chosen(applicant, browser):
    form = browser(applicant).get(reverse("licence-apply")).context["form"]

    kinds = set(form.fields["licence_type"].queryset.values_list("code", flat=True))

    assert "ID_PERTEK" in kinds
    assert kinds == set(
        LicenceType.objects.filter(country="ID").exclude(allows=[]).values_list("code", flat=True)
    )


@pytest.mark.parametrize(("name", "most"), [("licences", 10), ("verify-queue", 9)])
def test_a_list_asks_few_questions_however_long_it_is(
    applicant, verifier, browser, licence_of, now, name, most, django_assert_max_num_queries
):
    for n in range(15):
        licence_of(applicant, number=f"n {n}", status="SUBMITTED", verified_at=None)
    client = browser(applicant if name == "licences" else verifier)

    with django_assert_max_num_queries(most):
        page = client.get(reverse(name))

    assert len(page.context["page"]) == 15


def test_a_licence_is_applied_for_checked_and_approved_over_the_api(
    applicant, verifier, second_verifier, program, paper
):
    mine = program(applicant)
    body = application(paper, document=paper())
    del body["upload"], body["site_city"]
    made = mine.post("/api/v1/licences/", body)
    assert made.status_code == 201, made.content
    pk = made.json()["id"]
    assert mine.post(f"/api/v1/licences/{pk}/submit/").json()["status"] == "SUBMITTED"

    for person in (verifier, second_verifier):
        client = program(person)
        assert client.post(f"/api/v1/licences/{pk}/claim/").status_code == 200
        early = client.post(f"/api/v1/licences/{pk}/approvals/")
        assert (early.status_code, early.json()["code"]) == (409, "licence_unchecked")
        for field in rules.CHECKED_FIELDS:
            answer = client.post(
                f"/api/v1/licences/{pk}/checks/", {"field": field, "matches": True}
            )
            assert answer.status_code == 201
        assert client.post(f"/api/v1/licences/{pk}/approvals/").status_code == 201

    shown = mine.get(f"/api/v1/licences/{pk}/").json()
    assert (shown["status"], shown["approvals"]) == ("VERIFIED", 2)
    assert shown["mass_left_kg"] == "5000.000"


def test_api_answers_say_what_is_wrong_where(applicant, program, paper):
    client = program(applicant)

    nothing = client.post("/api/v1/licences/", {})
    assert nothing.status_code == 400
    assert nothing["Content-Type"] == "application/problem+json"
    assert {"number", "valid_from"} <= set(nothing.json()["errors"])
    assert client.get("/api/v1/licences/999999/").status_code == 404


def test_the_api_list_asks_few_questions(
    applicant, program, licence_of, django_assert_max_num_queries
):
    for n in range(15):
        licence_of(applicant, number=f"n {n}")
    client = program(applicant)

    with django_assert_max_num_queries(10):
        assert len(client.get("/api/v1/licences/").json()["results"]) == 15


@pytest.mark.parametrize(
    "path",
    ["/api/v1/me/", "/api/v1/organisations/", "/api/v1/tokens/", "/api/v1/notices/"],
)
def test_every_list_opens_with_a_key_and_not_without(collector, program, client, path):
    assert program(collector).get(path).status_code == 200
    closed = client.get(path)
    assert closed.status_code in (401, 403)


def test_an_organisation_is_founded_once_a_request(stranger, browser):
    client = browser(stranger)
    body = {"name": "Solo", "role": "COLLECTOR", "country": "ID", "request_id": str(uuid4())}

    first = client.post("/api/v1/organisations/", body, content_type="application/json")
    second = client.post("/api/v1/organisations/", body, content_type="application/json")

    assert first.status_code == 201, first.content
    assert first.json() == second.json()
    refused = client.post(
        "/api/v1/organisations/", body | {"role": "VERIFIER"}, content_type="application/json"
    )
    assert refused.status_code == 400
