# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Standing orders by program: publish, look, sell, stop."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from marketplace.market.models import OrderFill
from tests.cast_market import priced_lot, rich  # noqa: F401
from tests.cast_orders import order, said, sell  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(clock):
    clock.at = timezone.now()
    return clock


def wanted(**other):
    return {
        "materials": ["NMC532"],
        "country": "ID",
        "kg_from": "20",
        "kg_to": "500",
        "capacity_kg": "1000",
        "budget": "90000000",
        "price": {"kind": "PER_KG", "price": "150000"},
        "valid_until": (timezone.now() + timedelta(days=9)).isoformat(),
        "request_id": str(uuid4()),
    } | other


def test_a_program_publishes_an_order_and_another_sells_to_it(
    program, recycler, collector, rich, priced_lot
):
    rich(recycler, 500_000_000)
    lot, asked = priced_lot(), wanted()
    buys, sells = program(recycler), program(collector)

    made, again = (buys.post("/api/v1/orders/", asked, "application/json") for _ in range(2))
    assert (made.status_code, made.json()) == (201, again.json())
    seen = sells.get("/api/v1/orders/").json()["results"][0]
    assert (seen["budget_left"], seen["terms"]["materials"]) == (None, ["NMC532"])

    best = sells.get(f"/api/v1/lots/{lot.pk}/offers/").json()["fitting"][0]
    said = {name: best[name] for name in ("order", "version", "price")}
    said["request_id"] = str(uuid4())
    sold, repeated = (
        sells.post(f"/api/v1/lots/{lot.pk}/sale/", said, "application/json") for _ in range(2)
    )
    assert (sold.status_code, sold.json()) == (201, repeated.json())
    assert OrderFill.objects.count() == 1

    changed = buys.put(f"/api/v1/orders/{seen['id']}/", wanted(), "application/json").json()
    assert changed["version"] == 2
    paused = buys.put(f"/api/v1/orders/{seen['id']}/pause/").json()
    resumed = buys.delete(f"/api/v1/orders/{seen['id']}/pause/").json()
    ended = buys.post(f"/api/v1/orders/{seen['id']}/cancellation/").json()
    assert [each["status"] for each in (paused, resumed, ended)] == [
        "PAUSED",
        "ACTIVE",
        "CANCELLED",
    ]


def test_what_the_rules_refuse_is_a_problem_with_its_code(program, collector, order, priced_lot):
    bought, lot = order(), priced_lot(triage="AMBER")
    sells = program(collector)

    book = sells.get(f"/api/v1/lots/{lot.pk}/offers/").json()
    assert (book["fitting"], book["others"][0]["misfits"]) == ([], ["damaged"])
    answer = sells.post(
        f"/api/v1/lots/{lot.pk}/sale/",
        {"order": bought.pk, "version": 1, "price": "1.00", "request_id": str(uuid4())},
        "application/json",
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "order_damaged")
    assert not OrderFill.objects.exists()


def test_others_do_not_look_into_a_sellers_offers(program, recycler, priced_lot):
    lot = priced_lot(status="UNSOLD")

    assert program(recycler).get(f"/api/v1/lots/{lot.pk}/offers/").status_code == 403
