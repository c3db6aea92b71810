# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Standing orders on pages: without scripts, from publishing to a sale."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from marketplace.lots.models import Lot
from marketplace.market.models import OrderFill, StandingOrder
from tests.cast_browser import *  # noqa: F403
from tests.cast_market import priced_lot, rich  # noqa: F401
from tests.cast_orders import order, said, sell  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(clock):
    """Pages read the time themselves."""
    clock.at = timezone.now()
    return clock


@pytest.fixture
def filled_in():
    return {
        "materials": ["NMC532"],
        "condition": "BOTH",
        "price_kind": "PER_KG",
        "amount": "150000",
        "pickup": "BUYER",
        "kg_from": "20",
        "kg_to": "500",
        "capacity_kg": "1000",
        "budget": "90000000",
        "country": "ID",
        "within_km": "200",
        "until": (timezone.now() + timedelta(days=30)).date().isoformat(),
        "request_id": str(uuid4()),
    }


def test_a_buyer_publishes_changes_pauses_resumes_and_ends_an_order(
    browser, recycler, rich, filled_in
):
    rich(recycler, 500_000_000)
    visit = browser(recycler)
    assert visit.get(reverse("order-new")).status_code == 200

    visit.post(reverse("order-new"), filled_in)
    made = StandingOrder.objects.get()
    page = visit.get(reverse("order", args=[made.pk])).content.decode()
    assert "NMC532" in page
    assert "sound and damaged" in page

    assert visit.get(reverse("order-change", args=[made.pk])).status_code == 200
    visit.post(
        reverse("order-change", args=[made.pk]),
        filled_in | {"amount": "140000", "request_id": str(uuid4())},
    )
    seen = []
    for step in ("pause", "resume", "cancel"):
        visit.post(reverse(f"order-{step}", args=[made.pk]))
        made.refresh_from_db()
        seen.append(made.status)
    assert seen == ["PAUSED", "ACTIVE", "CANCELLED"]
    assert made.version == 2
    assert str(made.pk) in visit.get(reverse("my-orders")).content.decode()


def test_what_is_wrong_stands_beside_its_field(browser, recycler, filled_in):
    answer = browser(recycler).post(reverse("order-new"), filled_in | {"kg_to": "1"})

    assert answer.status_code == 422
    assert "Give at least as much as the smallest lot." in answer.content.decode()
    assert not StandingOrder.objects.exists()


def test_a_seller_sees_the_best_offer_and_sells_with_one_tap(
    browser, order, recycler, rival, collector, priced_lot
):
    bought, lot = order(), priced_lot()
    order(rival, takes_intact=False, takes_damaged=True)
    visit = browser(collector)

    page = visit.get(reverse("lot", args=[lot.pk]))
    assert "takes damaged ones only" in page.content.decode()
    form = page.context["sell_form"].initial
    visit.post(reverse("sell-now", args=[lot.pk]), form)

    lot.refresh_from_db()
    fill = OrderFill.objects.get()
    assert (fill.order, fill.price, lot.status) == (bought, 112 * 150_000, Lot.Status.AWARDED)
    assert "Sold" in visit.get(reverse("lot", args=[lot.pk])).content.decode()


def test_a_second_tap_of_the_same_button_sells_once(browser, order, collector, priced_lot):
    order()
    lot, visit = priced_lot(), browser(collector)
    form = visit.get(reverse("lot", args=[lot.pk])).context["sell_form"].initial

    for _tap in range(2):
        visit.post(reverse("sell-now", args=[lot.pk]), form)

    assert OrderFill.objects.count() == 1


def test_an_order_that_changed_meanwhile_says_so(browser, order, collector, priced_lot):
    bought, lot = order(), priced_lot()
    visit = browser(collector)
    form = visit.get(reverse("lot", args=[lot.pk])).context["sell_form"].initial
    StandingOrder.objects.filter(pk=bought.pk).update(status="PAUSED", paused="BY_BUYER")

    answer = visit.post(reverse("sell-now", args=[lot.pk]), form, follow=True)

    assert "This order is over" in answer.content.decode()
    assert not OrderFill.objects.exists()


def test_the_board_shows_to_everybody_what_is_bought_and_to_nobody_by_whom(
    client, browser, order, collector, recycler
):
    order(
        materials=["NMC532"],
        health_from=Decimal("0.7"),
        health_to=Decimal(1),
        health_basis="ENERGY",
    )

    for visit in (client, browser(collector)):
        page = visit.get(reverse("orders")).content.decode()
        assert "NMC532" in page
        assert "Citra" not in page


def test_a_strangers_paused_order_is_not_there(browser, order, collector, recycler):
    bought = order()
    StandingOrder.objects.update(status="PAUSED", paused="BY_BUYER")

    assert browser(collector).get(reverse("order", args=[bought.pk])).status_code == 404
    assert browser(recycler).get(reverse("order", args=[bought.pk])).status_code == 200
