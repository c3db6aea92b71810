# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""The money page and its API: balances, statement, adding, paying out."""

from uuid import uuid4

import pytest
from django.urls import reverse

from marketplace.ledger import queries
from marketplace.ledger.models import Payment
from tests.cast_market import rich  # noqa: F401

pytestmark = pytest.mark.django_db


def available(actor):
    return queries.balance(organisation=actor.organisation_id, kind="AVAILABLE", currency="IDR")


def form_of(prefix, amount, currency="IDR"):
    fields = {"amount": str(amount), "currency": currency, "request_id": uuid4()}
    return {f"{prefix}-{name}": value for name, value in fields.items()}


def test_money_is_added_once_and_shown(browser, recycler):
    client, form = browser(recycler), form_of("add", 500_000)

    for _click in range(2):
        assert client.post(reverse("money-add"), form).status_code == 302

    html = client.get(reverse("money")).content.decode()
    assert available(recycler) == 500_000
    assert "500,000.00" in html
    assert "Paid in" in html


def test_money_is_paid_out(browser, recycler, rich):
    rich(recycler, 500_000)

    response = browser(recycler).post(reverse("money-pay-out"), form_of("out", 200_000))

    assert response.status_code == 302
    assert available(recycler) == 300_000


@pytest.mark.parametrize("amount", ["", "-5", "0", "NaN", "1e30", "600000"])
def test_refused_money_comes_back_beside_its_form(browser, recycler, rich, amount):
    rich(recycler, 500_000)

    response = browser(recycler).post(reverse("money-pay-out"), form_of("out", amount))

    assert response.status_code == 422
    assert available(recycler) == 500_000
    assert Payment.objects.count() == 1


def test_the_statement_is_ones_own(browser, recycler, rival, verifier, anonymous, rich):
    rich(rival, 777_777)

    html = browser(recycler).get(reverse("money")).content.decode()

    assert "777,777" not in html
    assert browser(verifier).get(reverse("money")).status_code == 403
    assert browser(anonymous).get(reverse("money")).status_code == 302


def test_the_page_costs_the_same_queries_for_two_movements_and_for_twenty(
    browser, recycler, rich, django_assert_max_num_queries
):
    client, counts = browser(recycler), []
    for number in (2, 18):
        for _more in range(number):
            rich(recycler, 1000)
        client.get(reverse("money"))
        with django_assert_max_num_queries(12) as counted:
            assert client.get(reverse("money")).status_code == 200
        counts.append(len(counted))

    assert counts[0] == counts[1]


# --- API ---------------------------------------------------------------------------------------------------------------


def post(client, path, **body):
    return client.post(path, body, content_type="application/json")


def test_a_program_adds_money_and_reads_it_back(program, recycler):
    client, request_id = program(recycler), str(uuid4())

    answers = [
        post(
            client,
            "/api/v1/money/top-ups/",
            amount="500000",
            currency="IDR",
            request_id=request_id,
        )
        for _twice in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert client.get("/api/v1/money/").json() == [
        {"kind": "AVAILABLE", "currency": "IDR", "balance": "500000.00"}
    ]
    (line,) = client.get("/api/v1/money/statement/").json()["results"]
    assert (line["kind"], line["amount"], line["balance_after"]) == (
        "TOP_UP",
        "500000.00",
        "500000.00",
    )
    assert len(client.get("/api/v1/money/payments/").json()["results"]) == 1


@pytest.mark.parametrize(
    ("amount", "status", "code"),
    [
        ("600000", 409, "not_enough_money"),
        ("-1", 409, "amount_refused"),
        ("1e30", 400, "invalid"),
        ("NaN", 400, "invalid"),
    ],
)
def test_a_program_is_told_why_money_is_refused(program, recycler, rich, amount, status, code):
    rich(recycler, 500_000)

    answer = post(
        program(recycler),
        "/api/v1/money/pay-outs/",
        amount=amount,
        currency="IDR",
        request_id=str(uuid4()),
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert available(recycler) == 500_000


def test_money_needs_a_request_id(program, recycler):
    answer = post(program(recycler), "/api/v1/money/top-ups/", amount="5", currency="IDR")

    assert answer.status_code == 400
    assert "request_id" in answer.json()["errors"]


def test_a_program_sees_its_own_money_only(program, recycler, rival, rich):
    rich(rival)
    client = program(recycler)

    assert client.get("/api/v1/money/").json() == []
    for path in ("statement", "payments"):
        assert client.get(f"/api/v1/money/{path}/").json()["results"] == []
