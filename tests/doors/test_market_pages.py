# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Pages of the market: what is open, the panel, planning, deciding, my bids."""

from datetime import timedelta
from uuid import uuid4

import pytest
from tests.cast_market import START, auction, bid, bidder, offered, priced_lot, rich, sealed  # noqa: F401
from django.urls import reverse
from django.utils import timezone

from marketplace.lots.models import Lot
from marketplace.market import services
from marketplace.market.models import Auction, Bid

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(clock):
    """Pages read the real clock, so the market of these tests lives now."""
    clock.at = timezone.now()
    return clock


def form_of(auction, maximum, **other):
    return {"maximum": str(maximum), "currency": auction.currency, "request_id": uuid4()} | other


def test_the_list_shows_what_is_open(auction, browser, recycler, anonymous):
    for actor in (recycler, anonymous):
        html = browser(actor).get(reverse("market")).content.decode()

        assert reverse("lot", args=[auction.lot_id]) in html


def test_a_bid_is_placed_from_the_panel(auction, browser, recycler, rich):
    rich(recycler)
    client = browser(recycler)
    assert "Place bid" in client.get(reverse("auction", args=[auction.pk])).content.decode()

    response = client.post(reverse("bid", args=[auction.pk]), form_of(auction, 1_500_000))

    assert response.status_code == 302, response.content.decode()
    assert Bid.objects.get().maximum == 1_500_000
    html = client.get(reverse("auction", args=[auction.pk])).content.decode()
    assert "You lead." in html
