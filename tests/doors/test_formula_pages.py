# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Pages of bids by terms: written, looked at, confirmed, and read by the seller after the end."""

import re
from decimal import Decimal
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from marketplace.market import services
from marketplace.market.models import Bid
from marketplace.reference.models import MetalQuote
from tests.cast_market import (  # noqa: F401
    auction,
    bid,
    bidder,
    offered,
    priced_lot,
    rich,
    sealed,
)

pytestmark = pytest.mark.django_db

FORMULA = {
    "payable_Ni": "80",
    "payable_Co": "80",
    "charge_per_kg": "",
    "floor_per_kg": "1000",
    "pickup": "BUYER",
}


@pytest.fixture
def clock(clock):
    """Pages read the real clock, so the market of these tests lives now."""
    clock.at = timezone.now()
    return clock


def address(auction, kind="FORMULA"):
    return f"{reverse('auction-formula', args=[auction.pk])}?kind={kind}"


def words_of(response, status=200):
    html = response.content.decode()
    assert response.status_code == status, html[:2000]
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\xa0", " ").split())


def hidden_of(response):
    html = response.content.decode()
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html)
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}


def test_a_sealed_auction_leads_to_terms_and_a_rising_one_does_not(
    sealed, auction, browser, recycler
):
    client = browser(recycler)

    for found, leads in ((sealed, True), (auction, False)):
        page = client.get(reverse("auction", args=[found.pk])).content.decode()
        assert (reverse("auction-formula", args=[found.pk]) in page) == leads
    sent_back = client.get(address(auction), follow=True)
    assert "Terms are taken in sealed auctions only" in words_of(sent_back)


def test_the_first_step_shows_the_figure_and_the_worst_case_and_places_nothing(
    sealed, browser, recycler, rich
):
    client = browser(rich(recycler))

    written = words_of(client.get(address(sealed)))
    looked_at = client.post(address(sealed), FORMULA | {"request_id": uuid4()})

    assert "Nickel: how much of its quote you pay" in written
    said = words_of(looked_at)
    assert "Your bid counts as" in said
    assert "Worst case for the seller" in said
    assert "80% of the quote for the Nickel inside." in said
    assert not Bid.objects.exists()


def test_the_second_step_places_the_bid_once(sealed, browser, recycler, rich):
    client = browser(rich(recycler))
    looked_at = client.post(address(sealed), FORMULA | {"request_id": uuid4()})

    answers = [client.post(address(sealed), hidden_of(looked_at)) for _double_click in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    services.close_auction(sealed, clock=lambda: sealed.closes_at)
    placed = Bid.objects.get()
    assert placed.terms["payables"] == {"Ni": "0.8", "Co": "0.8"}
    assert placed.maximum == Decimal(hidden_of(looked_at)["figure"])


@pytest.mark.parametrize(("kind", "price"), [("PER_KG", "25000"), ("PER_KWH", "150000.5")])
def test_a_price_per_unit_is_bid_in_the_same_two_steps(
    sealed, browser, recycler, rich, kind, price
):
    client = browser(rich(recycler))

    looked_at = client.post(address(sealed, kind), {"price": price, "request_id": uuid4()})
    client.post(address(sealed, kind), hidden_of(looked_at))

    services.close_auction(sealed, clock=lambda: sealed.closes_at)
    placed = Bid.objects.get()
    assert placed.terms == {"kind": kind, "price": price}


def test_a_figure_that_moved_is_shown_again_instead_of_placed(sealed, browser, recycler, rich):
    client = browser(rich(recycler))
    looked_at = client.post(address(sealed), FORMULA | {"request_id": uuid4()})
    quote = MetalQuote.objects.filter(material="Ni").latest("quoted_on")
    quote.pk, quote.quoted_on = None, timezone.now().date()
    quote.price_usd_per_kg += 1
    quote.save(force_insert=True)

    again = client.post(address(sealed), hidden_of(looked_at))

    assert "The quotes have changed since you looked." in words_of(again, 422)
    assert not Bid.objects.exists()
    assert hidden_of(again)["figure"] != hidden_of(looked_at)["figure"]
    assert client.post(address(sealed), hidden_of(again)).status_code == 302


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"payable_Ni": "130"}, "Write at most 120 per cent of the quote."),
        ({"payable_Ni": "-1"}, "Write zero or more per cent."),
        ({"payable_Ni": "", "payable_Co": ""}, "Pay for at least one metal."),
        ({"charge_per_kg": "-5"}, "Write zero or more. A charge is taken off"),
        ({"charge_per_kg": "many"}, "Write a number"),
        ({"floor_per_kg": "99999999"}, "Your floor is above what your terms could ever pay."),
        ({"charge_per_kg": "900000", "floor_per_kg": ""}, "these terms pay nothing"),
    ],
)
def test_bad_terms_come_back_with_what_to_do(sealed, browser, recycler, rich, change, words):
    client = browser(rich(recycler))

    answer = client.post(address(sealed), FORMULA | change | {"request_id": uuid4()})

    assert words in words_of(answer, 422)
    assert not Bid.objects.exists()


def test_only_bidders_write_terms(sealed, browser, collector, anonymous):
    assert browser(collector).get(address(sealed)).status_code == 403
    assert browser(anonymous).get(address(sealed)).status_code == 302


def test_the_seller_reads_the_terms_after_the_end_and_nobody_else_ever(
    sealed, browser, collector, recycler, rival, rich, bid, clock
):
    client = browser(rich(recycler))
    looked_at = client.post(address(sealed), FORMULA | {"request_id": uuid4()})
    client.post(address(sealed), hidden_of(looked_at))
    bid(sealed, rich(rival), 1_600_000)
    page = reverse("auction", args=[sealed.pk])
    before = words_of(browser(collector).get(page))

    services.close_auction(sealed, clock=lambda: sealed.closes_at)

    after = words_of(browser(collector).get(page))
    assert "What was offered" not in before
    assert "What was offered" in after
    assert "Never less than" in after
    assert "Bidder B · Amount" in after
    assert "What was offered" not in words_of(browser(rival).get(page))


def test_a_page_of_many_offers_costs_the_same_queries_as_of_one(
    sealed, browser, collector, bidder, clock, django_assert_max_num_queries
):
    for number in range(6):
        services.place_formula_bid(
            sealed,
            actor=bidder(f"Smelter {number}"),
            terms={"kind": "PER_KG", "price": 20_000 + number},
            currency="IDR",
            request_id=uuid4(),
            clock=clock,
        )
    services.close_auction(sealed, clock=lambda: sealed.closes_at)
    client = browser(collector)

    with django_assert_max_num_queries(20):
        page = client.get(reverse("auction", args=[sealed.pk]))

    assert words_of(page).count("for each kilogram") == 6
