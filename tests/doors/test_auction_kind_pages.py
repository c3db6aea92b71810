# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Pages and programs around the kinds of auctions: choosing one, a falling price, questions, pauses, why one lost."""

import json
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from marketplace.market import services
from marketplace.market.models import Auction, Bid, Case, Question, Seal
from marketplace.market.rules.screens import Finding
from tests.cast_market import (  # noqa: F401
    RESERVE,
    START,
    auction,
    bid,
    bidder,
    offered,
    priced_lot,
    rich,
    sealed,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(clock):
    """Pages read the real clock, so the market of these tests lives now."""
    clock.at = timezone.now()
    return clock


@pytest.fixture
def falling(offered, clock):
    return offered(
        mode="DUTCH",
        starting_price=RESERVE,
        reserve=START,
        fall_steps=10,
        closes_at=clock() + timedelta(hours=11),
    )


@pytest.fixture(autouse=True)
def staff_come_in(settings):
    settings.STAFF_NEED_SECOND_FACTOR = False


def words_of(response, status=200):
    html = response.content.decode()
    assert response.status_code == status, html[:2000]
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\xa0", " ").split())


def page_of(browser, actor, auction):
    return words_of(browser(actor).get(reverse("auction", args=[auction.pk])))


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("OPEN", "A bid in the last minutes keeps the auction open"),
        ("SECOND_PRICE", "neither you nor we"),
        ("DUTCH", "The price falls from"),
    ],
)
def test_a_seller_chooses_among_kinds_in_plain_words(priced_lot, browser, collector, mode, words):
    lot = priced_lot()

    page = words_of(browser(collector).get(reverse("auction-plan", args=[lot.pk]), {"mode": mode}))

    assert words in page
    assert "The highest wins and pays the second best bid" in page


def test_a_seller_opens_a_falling_price(priced_lot, browser, collector):
    lot = priced_lot()
    asked = {"mode": "DUTCH", "starting_price": "2000000", "reserve": "1000000", "step": "10000"}

    answer = browser(collector).post(
        reverse("auction-plan", args=[lot.pk]), asked | {"hours": "24", "request_id": uuid4()}
    )

    assert answer.status_code == 302
    opened = Auction.objects.get()
    assert (opened.mode, opened.fall_steps) == ("DUTCH", 99)


def test_a_buyer_takes_a_falling_price_and_has_the_last_word(
    falling, browser, recycler, rival, rich, bid, clock
):
    client = browser(rich(recycler))
    assert "Take it now for" in page_of(browser, recycler, falling)
    asked = {"maximum": "2000000", "currency": "IDR", "request_id": uuid4()}
    answer = client.post(reverse("bid", args=[falling.pk]), asked, follow=True)
    assert "You took it." in words_of(answer)

    bid(falling, rich(rival), 2_300_000, clock=timezone.now)
    assert "2,300,000" not in page_of(browser, recycler, falling)
    falling.refresh_from_db()
    services.close_auction(falling, clock=lambda: falling.closes_at)
    assert "You have the last word" in page_of(browser, recycler, falling)


def test_a_sealed_bid_is_shown_to_nobody_not_even_its_bidder(sealed, browser, recycler, rich, bid):
    bid(sealed, rich(recycler), 1_777_777)

    page = page_of(browser, recycler, sealed)

    assert "Not even we can read it" in page
    assert "1,777,777" not in page
    assert "Sealed" in words_of(browser(recycler).get(reverse("my-bids")))


def test_the_admin_shows_envelopes_to_nobody(sealed, staff, browser, recycler, rich, bid):
    placed = bid(sealed, rich(recycler), 1_777_777)

    for name, args in (
        ("admin:market_bid_changelist", []),
        ("admin:market_bid_change", [placed.pk]),
        ("admin:market_auction_change", [sealed.pk]),
    ):
        html = browser(staff).get(reverse(name, args=args), follow=True).content.decode()
        assert "1777777" not in html.replace(",", "").replace(".", "")


def test_a_buyer_asks_and_the_seller_answers(auction, browser, recycler, collector, rival):
    asked = {"text": "Were they wet?", "request_id": uuid4()}
    answer = browser(recycler).post(reverse("question-ask", args=[auction.pk]), asked, follow=True)
    assert "You asked: Were they wet?" in words_of(answer)
    assert "Were they wet?" not in page_of(browser, rival, auction)
    question = Question.objects.get()

    answer = browser(collector).post(
        reverse("question-answer", args=[auction.pk, question.pk]), {"text": "No."}, follow=True
    )

    assert "The seller: No." in words_of(answer)
    assert "A buyer asks: Were they wet?" in page_of(browser, rival, auction)


def test_who_lost_reads_why_without_a_name(sealed, browser, recycler, rival, rich, bid):
    bid(sealed, rich(recycler), 3_000_000)
    bid(sealed, rich(rival), 2_500_000)
    services.close_auction(sealed, clock=lambda: sealed.closes_at)

    page = page_of(browser, rival, sealed)

    assert "Why I did not get it" in page
    assert "2 of 2" in page
    assert "Why I did not get it" not in page_of(browser, recycler, sealed)


def test_staff_pause_the_market_and_let_it_go_on(auction, browser, staff, recycler, collector):
    client = browser(staff)
    assert browser(collector).get(reverse("staff-sales")).status_code == 403
    assert "Pause 1 auction" in words_of(client.get(reverse("staff-sales")))

    client.post(reverse("staff-sales-pause"), {"reason": "Power cut"})
    assert "this sale pauses" in page_of(browser, recycler, auction)
    client.post(reverse("staff-sales-resume"))

    assert "this sale pauses" not in page_of(browser, recycler, auction)
    auction.refresh_from_db()
    assert auction.closes_at > auction.opens_at + timedelta(hours=2, minutes=10)


def test_staff_try_again_to_open_what_waits_for_a_key_and_give_up_what_is_lost(
    sealed, browser, staff, recycler, rich, bid, settings, tmp_path
):
    bid(sealed, rich(recycler), 2_500_000)
    there, settings.SEAL_DIRS = settings.SEAL_DIRS, [tmp_path / "nobody"] * 5
    services.close_auction(sealed, clock=lambda: sealed.closes_at)
    client = browser(staff)
    assert "3 of 5 key holders are needed" in words_of(client.get(reverse("staff-sales")))
    answer = client.post(reverse("staff-sales-open", args=[sealed.pk]), follow=True)
    assert "still missing" in words_of(answer)
    assert "No bid is lost" in page_of(browser, recycler, sealed)

    settings.SEAL_DIRS = there
    answer = client.post(reverse("staff-sales-open", args=[sealed.pk]), follow=True)

    assert "The bids are open." in words_of(answer)
    sealed.refresh_from_db()
    assert sealed.status == "AWARDED"
    assert Seal.objects.get().opened_at is not None
    answer = client.post(reverse("staff-sales-give-up", args=[sealed.pk]), follow=True)
    assert "does not wait for its key" in words_of(answer)


def test_staff_look_at_a_case_and_close_it(auction, browser, staff, recycler, rival, now):
    firms = tuple(sorted((recycler.organisation_id, rival.organisation_id)))
    found = Finding("ROTATION", firms, (auction.pk,), {"changes": "9 of 9"})
    services.open_cases([found], now=now)
    client = browser(staff)
    page = words_of(client.get(reverse("staff-sales")))
    assert "Winners take turns" in page
    assert "9 of 9" in page

    asked = {"outcome": "HARMLESS", "note": "They sell in turn."}
    client.post(reverse("staff-case-close", args=[Case.objects.get().pk]), asked)

    assert Case.objects.get().outcome == "HARMLESS"


# --- programs -------------------------------------------------------------------------------------------


@pytest.fixture
def call(browser):
    def make(actor, method, path, **body):
        client = browser(actor)
        answer = client.generic(
            method, f"/api/v1/{path}", json.dumps(body), content_type="application/json"
        )
        return answer.status_code, answer.json() if answer.content else None

    return make


def test_a_program_asks_answers_and_reads_the_outcome(
    sealed, call, recycler, rival, collector, rich, bid
):
    path = f"auctions/{sealed.pk}/questions/"
    status, question = call(recycler, "POST", path, text="Wet?", request_id=str(uuid4()))
    assert (status, question["is_mine"]) == (201, True)
    assert call(rival, "GET", path) == (200, [])
    status, answered = call(collector, "POST", f"questions/{question['id']}/answer/", text="No.")
    assert (status, answered["answer"]) == (200, "No.")
    assert call(rival, "GET", path)[1][0]["is_mine"] is False

    bid(sealed, rich(recycler), 3_000_000)
    bid(sealed, rich(rival), 2_500_000)
    services.close_auction(sealed, clock=lambda: sealed.closes_at)
    lost = call(rival, "GET", f"auctions/{sealed.pk}/outcome/")[1]["lost"]
    assert (lost["rank"], lost["reason"], lost["gap"]) == (2, "STANDS_BY", "500000.00")


def test_a_program_of_the_house_pauses_and_nobody_elses_does(auction, sealed, call, staff, rival):
    path = f"auctions/{auction.pk}/pause/"
    assert call(rival, "POST", path, reason="x")[0] == 403
    assert call(staff, "POST", path, reason="Flood")[1]["paused_at"] is not None
    assert call(staff, "DELETE", path)[1]["paused_at"] is None
    status, refusal = call(staff, "POST", f"auctions/{sealed.pk}/opening/")
    assert (status, refusal["code"]) == (409, "too_early")


def test_a_program_sees_what_sealed_bids_are_closed_with_and_no_amount(
    sealed, falling, call, recycler, rival, rich, bid
):
    bid(sealed, rich(recycler), 1_777_777)
    found = call(rival, "GET", f"auctions/{sealed.pk}/")[1]
    assert (found["seal"]["needed"], found["seal"]["parts"]) == (3, 5)
    assert "1777777" not in json.dumps(found)
    (mine,) = call(recycler, "GET", f"auctions/{sealed.pk}/bids/")[1]
    assert (mine["maximum"], len(mine["commitment"])) == (None, 64)
    assert call(rival, "GET", f"auctions/{falling.pk}/")[1]["dutch_stage"] == "FALLING"
    assert Bid.objects.get().maximum is None
