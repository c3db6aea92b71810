# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""The market's API: the same services through the other door."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from marketplace.accounts.models import Licence, User
from marketplace.lots.models import Lot
from marketplace.market import services
from marketplace.market.models import Auction, Bid
from tests.cast_market import (  # noqa: F401
    RESERVE,
    START,
    STEP,
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
    """Doors read the real clock, so the market of these tests lives now."""
    clock.at = timezone.now()
    return clock


def post(client, path, **body):
    return client.post(f"/api/v1/{path}", body, content_type="application/json")


def bid_of(amount, **other):
    return {"maximum": str(amount), "currency": "IDR", "request_id": str(uuid4())} | other


def terms_of(lot, clock, **other):
    return {
        "lot": lot.pk,
        "starting_price": str(START),
        "reserve": str(RESERVE),
        "step": str(STEP),
        "closes_at": (clock() + timedelta(hours=2)).isoformat(),
        "request_id": str(uuid4()),
    } | other


# --- opening and reading -----------------------------------------------------------------------------------------


def test_a_seller_opens_an_auction_once(program, collector, priced_lot, clock):
    client, terms = program(collector), terms_of(priced_lot(), clock)

    answers = [post(client, "auctions/", **terms) for _twice in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201], answers[0].content
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert answers[0].json()["reserve"] == "2000000.00"
    assert answers[0].json()["status"] == "OPEN"
    assert Auction.objects.count() == 1


def test_others_cannot_open_it_nor_see_that_it_is_there(
    program, rival_collector, recycler, priced_lot, clock
):
    terms = terms_of(priced_lot(), clock)

    for actor in (rival_collector, recycler):
        assert post(program(actor), "auctions/", **terms).status_code == 404
    assert not Auction.objects.exists()


def test_the_reserve_and_maxima_are_secret(program, auction, collector, recycler, rival, rich, bid):
    bid(auction, rich(recycler), 1_777_777)
    bid(auction, rich(rival), 1_500_000)

    for actor in (rival, collector):
        client = program(actor)
        body = client.get(f"/api/v1/auctions/{auction.pk}/").content.decode()
        body += client.get("/api/v1/auctions/").content.decode()
        body += client.get(f"/api/v1/auctions/{auction.pk}/bids/").content.decode()
        assert "1777777" not in body
        assert ("2000000.00" in body) == (actor is collector)
    mine = program(recycler).get(f"/api/v1/auctions/{auction.pk}/").json()
    assert (mine["my_maximum"], mine["i_lead"]) == ("1777777.00", True)
    assert mine["minimum_bid"] == "1827777.00"
    assert [line["bidder"] for line in mine["history"]] == ["B", "A"]


def test_of_a_sealed_auction_nothing_is_told_before_the_end(
    program, sealed, collector, recycler, rival, staff, browser, rich, bid
):
    def look():
        paths = ("auctions/", f"auctions/{sealed.pk}/", f"auctions/{sealed.pk}/bids/")
        clients = (program(collector), program(rival), browser(staff))
        return [
            client.get(f"/api/v1/{path}").content.decode() for client in clients for path in paths
        ]

    before = look()
    bid(sealed, rich(recycler), 1_777_777)

    assert look() == before
    assert len(program(recycler).get(f"/api/v1/auctions/{sealed.pk}/bids/").json()) == 1
    services.close_auction(sealed, clock=lambda: sealed.closes_at)
    assert "1777777" in program(collector).get(f"/api/v1/auctions/{sealed.pk}/").content.decode()


def test_staff_see_no_sealed_bid_in_the_admin_before_the_end(sealed, recycler, rich, bid, settings):
    settings.STAFF_NEED_SECOND_FACTOR = False  # they have shown it already
    boss = User.objects.create_superuser(email="boss@example.org", name="Boss", password="x")
    client = Client()
    client.force_login(boss)
    placed = bid(sealed, rich(recycler), 1_777_777)
    pages = [
        reverse("admin:market_bid_changelist"),
        reverse("admin:market_auction_changelist"),
        reverse("admin:market_auction_change", args=[sealed.pk]),
    ]

    for page in pages:
        response = client.get(page)
        assert response.status_code == 200
        assert "1777777" not in response.content.decode()
    assert client.get(reverse("admin:market_bid_change", args=[placed.pk])).status_code == 302
    services.close_auction(sealed, clock=lambda: sealed.closes_at)

    assert "1777777" in client.get(pages[0]).content.decode()


def test_the_list_is_filtered_and_costs_the_same_for_two_and_for_twenty(
    program, offered, recycler, django_assert_max_num_queries
):
    client, counts = program(recycler), []
    for number in (2, 18):
        for _more in range(number):
            offered()
        client.get("/api/v1/auctions/")
        with django_assert_max_num_queries(12) as counted:
            found = client.get(
                "/api/v1/auctions/?status=OPEN&mode=OPEN&country=ID&chemistry=NMC532"
            )
        counts.append(len(counted))

    assert counts[0] == counts[1]
    assert len(found.json()["results"]) == 20
    assert client.get("/api/v1/auctions/?country=IN").json()["results"] == []


def test_the_market_needs_a_key(auction):
    for path in ("auctions/", f"auctions/{auction.pk}/", "awards/", "money/"):
        assert Client().get(f"/api/v1/{path}").status_code == 401


# --- bidding ----------------------------------------------------------------------------------------------------------


def test_a_program_bids(program, auction, recycler, rich):
    answer = post(program(rich(recycler)), f"auctions/{auction.pk}/bids/", **bid_of(1_500_000))

    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["maximum"], body["currency"], body["leads"]) == ("1500000.00", "IDR", True)
    assert body["price_after"] == "1000000.00"


def test_the_idempotency_key_may_be_a_header(program, auction, recycler, rich):
    client, key = program(rich(recycler)), str(uuid4())
    body = {"maximum": "1500000", "currency": "IDR"}

    answers = [
        client.post(
            f"/api/v1/auctions/{auction.pk}/bids/",
            body,
            content_type="application/json",
            headers={"Idempotency-Key": key},
        )
        for _twice in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert Bid.objects.count() == 1


@pytest.mark.parametrize(
    ("asked", "status", "code", "field"),
    [
        ({"maximum": "1e30"}, 400, "invalid", "maximum"),
        ({"maximum": "NaN"}, 400, "invalid", "maximum"),
        ({"maximum": "a lot"}, 400, "invalid", "maximum"),
        ({"maximum": "-1"}, 409, "amount_absurd", "maximum"),
        ({"maximum": "1500000.001"}, 409, "amount_not_payable", "maximum"),
        ({"maximum": "999999.99"}, 409, "bid_too_low", "maximum"),
        ({"maximum": "6000000"}, 409, "confirm_high_bid", "confirmed"),
        ({"currency": "USD"}, 409, "wrong_currency", "currency"),
        ({"request_id": None}, 400, "invalid", "request_id"),
        ({"request_id": "7"}, 400, "invalid", "request_id"),
    ],
)
def test_a_bad_bid_gets_a_code_a_field_and_what_to_do(
    program, auction, recycler, rich, asked, status, code, field
):
    body = {name: value for name, value in bid_of(1_500_000, **asked).items() if value is not None}

    answer = post(program(rich(recycler)), f"auctions/{auction.pk}/bids/", **body)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert field in problem["errors"]
    assert problem["detail"]
    assert not Bid.objects.exists()


def test_a_bid_too_late_on_ones_own_lot_or_without_a_licence(
    program, offered, auction, recycler, rich, clock
):
    rich(recycler)
    client = program(recycler)
    own = offered(seller=recycler)
    over = offered()
    Auction.objects.filter(pk=over.pk).update(
        opens_at=clock() - timedelta(hours=3),
        planned_close_at=clock() - timedelta(seconds=1),
        closes_at=clock() - timedelta(seconds=1),
    )

    assert post(client, f"auctions/{own.pk}/bids/", **bid_of(START)).json()["code"] == "own_lot"
    assert (
        post(client, f"auctions/{over.pk}/bids/", **bid_of(START)).json()["code"]
        == "auction_closed"
    )
    Licence.objects.update(status="EXPIRED")
    answer = post(client, f"auctions/{auction.pk}/bids/", **bid_of(START))
    assert answer.json()["code"] == "licence_expired"
    assert not Bid.objects.exists()


def test_who_may_not_bid_is_told_so(program, auction, collector, carrier, verifier):
    for actor in (collector, carrier, verifier):
        answer = post(program(actor), f"auctions/{auction.pk}/bids/", **bid_of(START))
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


@pytest.mark.django_db(transaction=True)
def test_sixty_identical_posts_make_one_bid_and_get_sixty_identical_answers(
    program, offered, recycler, rich
):
    """Red (tried) without the word lock in ``place_bid``."""
    client, auction = program(rich(recycler)), offered()
    body, start = bid_of(1_500_000), threading.Barrier(60)

    def ask(_number):
        start.wait()
        try:
            fresh = Client(headers={"authorization": client.defaults["HTTP_AUTHORIZATION"]})
            answer = post(fresh, f"auctions/{auction.pk}/bids/", **body)
            return answer.status_code, answer.content
        finally:
            connection.close()

    with ThreadPoolExecutor(60) as pool:
        answers = set(pool.map(ask, range(60)))

    assert len(answers) == 1
    assert answers.pop()[0] == 201
    assert Bid.objects.count() == 1


# --- after the close -----------------------------------------------------------------------------------------------------


@pytest.fixture
def undecided(auction, recycler, rich, bid):
    bid(auction, rich(recycler), 1_500_000)
    return services.close_auction(auction, clock=lambda: auction.closes_at)


def test_the_seller_decides_and_everybody_concerned_sees_the_award(
    program, undecided, collector, recycler, rival
):
    path = f"auctions/{undecided.pk}/decision/"
    assert post(program(recycler), path, accept=True).status_code == 403

    answer = post(program(collector), path, accept=True)

    assert (answer.status_code, answer.json()["status"]) == (200, "AWARDED")
    for actor, many in ((collector, 1), (recycler, 1), (rival, 0)):
        assert len(program(actor).get("/api/v1/awards/").json()["results"]) == many
    again = post(program(collector), path, accept=False)
    assert (again.status_code, again.json()["code"]) == (409, "decision_refused")


def test_an_auction_is_withdrawn(program, auction, collector, recycler):
    path = f"auctions/{auction.pk}/withdrawal/"
    assert post(program(recycler), path).status_code == 403

    assert post(program(collector), path).json()["status"] == "WITHDRAWN"

    assert Lot.objects.get().status == Lot.Status.WITHDRAWN
    assert post(program(collector), path).status_code in (404, 409)


# --- bids by terms ---------------------------------------------------------------------------------------------------

TERMS = {"kind": "FORMULA", "payables": {"Ni": 0.8, "Co": "0.8"}, "floor_per_kg": "1000"}


def by_terms(terms, **other):
    return {"terms": terms, "currency": "IDR", "request_id": str(uuid4())} | other


def test_a_program_bids_by_terms_once(program, sealed, recycler, rich):
    client, body = program(rich(recycler)), by_terms(TERMS)

    answers = [post(client, f"auctions/{sealed.pk}/bids/", **body) for _twice in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201], answers[0].content
    assert answers[0].json() == answers[1].json()
    placed = answers[0].json()
    assert placed["terms"]["payables"] == {"Ni": "0.8", "Co": "0.8"}
    assert placed["maximum"] == placed["figures"]["typical"]
    assert Bid.objects.count() == 1


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (TERMS | {"payables": {"Ni": 75}}, "payables.Ni: Pay at most 1.2"),
        (TERMS | {"charge_per_kg": -1}, "charge_per_kg: Write zero or more"),
        ("__import__('os')", "named fields"),
        (None, "named fields"),
        ([], "named fields"),
    ],
)
def test_bad_terms_come_back_by_field(program, sealed, recycler, rich, terms, words):
    answer = post(program(rich(recycler)), f"auctions/{sealed.pk}/bids/", **by_terms(terms))

    assert 400 <= answer.status_code < 500
    assert words in answer.content.decode() or terms is None
    assert not Bid.objects.exists()


def test_a_bid_needs_an_amount_or_terms(program, sealed, auction, recycler, rich):
    client = program(rich(recycler))

    bare = post(client, f"auctions/{sealed.pk}/bids/", currency="IDR", request_id=str(uuid4()))
    rising = post(client, f"auctions/{auction.pk}/bids/", **by_terms(TERMS))

    assert bare.status_code == 400
    assert "Send an amount, or terms." in bare.content.decode()
    assert "terms_need_sealed" in rising.content.decode()
    assert not Bid.objects.exists()


def test_terms_stay_sealed_until_the_end_and_then_the_seller_reads_them(
    program, sealed, collector, rival, recycler, rich
):
    paths = ["auctions/", f"auctions/{sealed.pk}/", f"auctions/{sealed.pk}/bids/"]

    def look():
        clients = program(collector), program(rival)
        return [
            client.get(f"/api/v1/{path}").content.decode() for client in clients for path in paths
        ]

    before = look()
    post(program(rich(recycler)), f"auctions/{sealed.pk}/bids/", **by_terms(TERMS))

    assert look() == before
    services.close_auction(sealed, clock=lambda: sealed.closes_at)
    (told,) = program(collector).get(f"/api/v1/auctions/{sealed.pk}/bids/").json()
    assert told["terms"]["floor_per_kg"] == "1000"
    assert Decimal(told["figures"]["worst"]) > 0
