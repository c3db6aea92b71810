# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Pages of the market: what is open, the panel, planning, deciding, my bids."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from marketplace.lots.models import Lot
from marketplace.market import services
from marketplace.market.models import Auction, Bid
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


def form_of(auction, maximum, **other):
    return {"maximum": str(maximum), "currency": auction.currency, "request_id": uuid4()} | other


def html_of(response, status=200):
    assert response.status_code == status, response.content.decode()[:2000]
    return response.content.decode()


def words_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\xa0", " ").split())


# --- the list ---------------------------------------------------------------------------------------------------


def test_everybody_sees_what_is_open_and_what_ends_first_on_top(
    offered, browser, recycler, anonymous, clock
):
    later = offered(closes_at=clock() + timedelta(hours=5))
    sooner = offered(closes_at=clock() + timedelta(hours=1))
    planned = offered(opens_at=clock() + timedelta(hours=1))

    for actor in (recycler, anonymous):
        html = html_of(browser(actor).get(reverse("market")))

        at = [html.find(f'href="{reverse("lot", args=[one.lot_id])}"') for one in (sooner, later)]
        assert 0 < at[0] < at[1]
        assert f'href="{reverse("lot", args=[planned.lot_id])}"' not in html


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("", True),
        ("chemistry=NMC", True),
        ("chemistry=LFP", False),
        ("country=ID", True),
        ("country=IN", False),
        ("kg_from=112", True),
        ("kg_from=113", False),
        ("kg_to=111.9", False),
        ("soon=on", True),
        ("mode=SEALED", False),
        ("q=bekasi", True),
        ("q=Scooter", True),
        ("q=pune", False),
        ("kg_from=nonsense", False),
        ("country=XX", False),
    ],
)
def test_the_list_is_filtered(auction, browser, recycler, query, fits):
    html = html_of(browser(recycler).get(f"{reverse('market')}?{query}"))

    assert (reverse("lot", args=[auction.lot_id]) in html) == fits


def test_the_lot_is_found_by_its_number(auction, browser, recycler):
    html = html_of(browser(recycler).get(f"{reverse('market')}?q=%23{auction.lot_id}"))

    assert reverse("lot", args=[auction.lot_id]) in html


def test_the_list_goes_on_page_by_page(offered, browser, recycler, clock):
    for number in range(26):
        offered(closes_at=clock() + timedelta(hours=2, seconds=number))
    client = browser(recycler)

    first = html_of(client.get(reverse("market")))
    following = re.search(r'href="(\?[^"]*after=[^"]+)"', first)[1].replace("&amp;", "&")
    second = html_of(client.get(reverse("market") + following))

    assert first.count('<li class="lot">') == 24
    assert second.count('<li class="lot">') == 2
    assert client.get(reverse("market") + "?after=nonsense").status_code == 404


def test_the_list_costs_the_same_queries_for_two_lots_and_for_twenty(
    offered, browser, recycler, rich, bid, django_assert_max_num_queries, clock
):
    rich(recycler)
    client = browser(recycler)
    counts = []
    for number in (2, 18):
        for _more in range(number):
            bid(offered(), recycler, START)
        client.get(reverse("market"))
        with django_assert_max_num_queries(12) as counted:
            html_of(client.get(reverse("market")))
        counts.append(len(counted))

    assert counts[0] == counts[1]


# --- the panel -----------------------------------------------------------------------------------------------------


def test_the_lots_page_carries_the_panel(auction, browser, recycler):
    html = html_of(browser(recycler).get(reverse("lot", args=[auction.lot_id])))

    assert 'id="auction-panel"' in html
    assert "Bid at least" in words_of(html)
    assert f'action="{reverse("bid", args=[auction.pk])}"' in html


def test_a_bid_is_placed_from_the_panel(auction, browser, recycler, rich):
    rich(recycler)
    client = browser(recycler)

    response = client.post(reverse("bid", args=[auction.pk]), form_of(auction, 1_500_000))

    assert response.headers["Location"] == reverse("lot", args=[auction.lot_id])
    assert Bid.objects.get().maximum == 1_500_000
    html = words_of(html_of(client.get(reverse("auction", args=[auction.pk]))))
    assert "You lead." in html
    assert "To raise it, bid at least" in html


def test_htmx_is_sent_on_after_a_bid(auction, browser, recycler, rich):
    response = browser(rich(recycler)).post(
        reverse("bid", args=[auction.pk]),
        form_of(auction, 1_500_000),
        headers={"HX-Request": "true"},
    )

    assert response.headers["HX-Redirect"] == reverse("lot", args=[auction.lot_id])


def test_a_double_click_is_one_bid(auction, browser, recycler, rich):
    client, form = browser(rich(recycler)), form_of(auction, 1_500_000)

    for _click in range(2):
        assert client.post(reverse("bid", args=[auction.pk]), form).status_code == 302

    assert Bid.objects.count() == 1


def test_who_was_passed_sees_it_and_nobody_sees_names(
    auction, browser, recycler, rival, collector, rich, bid
):
    bid(auction, rich(recycler), 1_500_000)
    bid(auction, rich(rival), 1_900_000)

    html = html_of(browser(recycler).get(reverse("auction", args=[auction.pk])))
    assert "You are outbid." in words_of(html)
    assert "Bidder B" in html
    for actor in (recycler, rival, collector):
        html = html_of(browser(actor).get(reverse("auction", args=[auction.pk])))
        for name in ("Citra", "Dewi"):
            if (actor, name) not in ((recycler, "Citra"), (rival, "Dewi")):
                assert name not in html
        if actor is not rival:
            assert "1,900,000" not in html


@pytest.mark.parametrize(
    ("maximum", "words"),
    [
        ("999999", "Bid at least"),
        ("-1", "above zero"),
        ("0", "above zero"),
        ("1e30", "no more than"),
        ("NaN", "in numbers"),
        ("", "Write how much you bid"),
        ("1500000.005", "can be paid"),
    ],
)
def test_a_refused_bid_comes_back_with_what_to_do(auction, browser, recycler, rich, maximum, words):
    response = browser(rich(recycler)).post(
        reverse("bid", args=[auction.pk]), form_of(auction, maximum)
    )

    html = html_of(response, 422)
    assert words in words_of(html)
    assert not maximum or f'value="{maximum}"' in html
    assert not Bid.objects.exists()


def test_under_htmx_only_the_panel_comes_back(auction, browser, recycler, rich):
    response = browser(rich(recycler)).post(
        reverse("bid", args=[auction.pk]), form_of(auction, 5), headers={"HX-Request": "true"}
    )

    html = html_of(response, 422)
    assert html.lstrip().startswith('<section id="auction-panel"')


def test_a_very_high_bid_is_confirmed_on_a_page_of_its_own(auction, browser, recycler, rich):
    client, form = browser(rich(recycler)), form_of(auction, 6_000_000)

    html = html_of(client.post(reverse("bid", args=[auction.pk]), form), 422)
    assert "Do you mean this much?" in html
    assert not Bid.objects.exists()
    hidden = dict(re.findall(r'name="(\w+)" value="([^"]*)"', html))
    again = {name: hidden[name] for name in ("maximum", "currency", "request_id", "confirmed")}
    assert client.post(reverse("bid", args=[auction.pk]), again).status_code == 302

    assert Bid.objects.get().maximum == 6_000_000


def test_strangers_are_asked_to_log_in_and_sellers_cannot_bid(
    auction, browser, anonymous, collector
):
    url = reverse("bid", args=[auction.pk])

    assert "login" in browser(anonymous).post(url, form_of(auction, START)).headers["Location"]
    assert browser(collector).post(url, form_of(auction, START)).status_code == 403
    assert browser(collector).get(url).status_code == 405
    assert not Bid.objects.exists()


def test_an_unchanged_panel_is_not_drawn_again(auction, browser, recycler, rival, rich, bid):
    client, url = browser(recycler), reverse("auction-live", args=[auction.pk])
    first = client.get(url)

    assert first.content.decode().lstrip().startswith("<div")
    assert 'id="bid-form"' not in first.content.decode(), "polling must not wipe what is typed"
    same = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert same.status_code == 304
    bid(auction, rich(rival), 1_500_000)
    changed = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


def test_the_panel_costs_the_same_queries_for_one_bid_and_for_thirty(
    auction, browser, bidder, bid, django_assert_max_num_queries
):
    firms = [bidder(f"Firm {n}") for n in range(3)]
    client, url = browser(firms[0]), reverse("auction", args=[auction.pk])
    counts, maximum = [], 1_000_000
    for number in (1, 29):
        for turn in range(number):
            maximum += 100_000
            bid(auction, firms[turn % 3], maximum)
        client.get(url)
        with django_assert_max_num_queries(14) as counted:
            html_of(client.get(url))
        counts.append(len(counted))

    assert counts[0] == counts[1]


# --- sealed ------------------------------------------------------------------------------------------------------------


def test_nobody_learns_anything_of_a_sealed_bid(
    sealed, browser, recycler, rival, collector, staff, anonymous, rich, bid
):
    bodies = {}

    def look():
        return {
            (actor.name, name): _without_tokens(
                browser(actor).get(reverse(name, args=args)).content.decode()
            )
            for actor in (rival, collector, staff, anonymous)
            for name, args in (
                ("auction", [sealed.pk]),
                ("auction-live", [sealed.pk]),
                ("lot", [sealed.lot_id]),
                ("market", []),
            )
        }

    bodies["before"] = look()
    etag = browser(rival).get(reverse("auction-live", args=[sealed.pk])).headers["ETag"]
    bid(sealed, rich(recycler), 1_777_777)

    assert look() == bodies["before"]
    assert browser(rival).get(reverse("auction-live", args=[sealed.pk])).headers["ETag"] == etag
    mine = html_of(browser(recycler).get(reverse("auction", args=[sealed.pk])))
    assert "Your bid is in" in words_of(mine)


def _without_tokens(html):
    """Leave out what differs from one request to the next in any case."""
    html = re.sub(r'value="[0-9a-f-]{36}"|value="\w{64}"|"x-csrftoken": "\w+"', "", html)
    html = re.sub(r'data-now="[^"]*"', "", html)
    return re.sub(r">in [^<]*<", "><", html)


# --- the seller ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def valued(priced_lot, now):
    lot = priced_lot()
    lot.valuations.create(
        inputs_hash="x",
        currency="IDR",
        low=1_845_000,
        typical=2_000_000,
        high=2_300_000,
        route="RECYCLE",
        terms=[],
        inputs={},
        quotes_on=now.date(),
        rules_version="1",
        valued_at=now,
    )
    return lot


def plan_of(**other):
    return {
        "mode": "OPEN",
        "starting_price": "1300000",
        "reserve": "1845000",
        "step": "50000",
        "hours": "48",
        "request_id": uuid4(),
    } | other


def test_the_seller_starts_from_suggested_terms(valued, browser, collector):
    html = html_of(browser(collector).get(reverse("auction-plan", args=[valued.pk])))

    assert 'value="1840000"' in html
    assert 'value="1280000"' in html


def test_the_seller_offers_the_lot(valued, browser, collector):
    client, plan = browser(collector), plan_of()

    for _click in range(2):
        response = client.post(reverse("auction-plan", args=[valued.pk]), plan)
        assert response.headers["Location"] == reverse("lot", args=[valued.pk])

    found = Auction.objects.get()
    assert (found.status, found.reserve) == (Auction.Status.OPEN, 1_845_000)
    assert found.closes_at - found.opens_at == timedelta(hours=48)


def test_terms_that_make_no_sense_come_back(valued, browser, collector):
    url = reverse("auction-plan", args=[valued.pk])

    html = html_of(browser(collector).post(url, plan_of(reserve="5", step="0")), 422)

    assert "above zero" in words_of(html) or "reserve" in words_of(html)
    assert not Auction.objects.exists()


def test_nobody_else_offers_the_lot(valued, browser, rival_collector, recycler, anonymous):
    url = reverse("auction-plan", args=[valued.pk])

    for actor in (rival_collector, recycler):
        assert browser(actor).post(url, plan_of()).status_code == 404
    assert "login" in browser(anonymous).post(url, plan_of()).headers["Location"]
    assert not Auction.objects.exists()


def test_once_public_a_lot_is_still_offered_by_its_seller_alone(auction, browser, rival_collector):
    url = reverse("auction-plan", args=[auction.lot_id])

    assert browser(rival_collector).post(url, plan_of()).status_code == 403


@pytest.fixture
def undecided(auction, recycler, rich, bid):
    bid(auction, rich(recycler), 1_500_000)
    return services.close_auction(auction, clock=lambda: auction.closes_at)


def test_the_seller_decides_on_a_page(undecided, browser, collector, recycler):
    url = reverse("auction-decision", args=[undecided.pk])
    assert browser(recycler).post(url, {"accept": "1"}).status_code == 403
    assert "Sell at this price" in html_of(browser(collector).get(url))

    response = browser(collector).post(url, {"accept": "1"})

    assert response.status_code == 302
    undecided.refresh_from_db()
    assert undecided.status == Auction.Status.AWARDED
    assert browser(collector).get(url).status_code == 302, "nothing is left to decide"


def test_the_reserve_is_shown_to_the_seller_alone(undecided, browser, recycler, collector):
    seen = {
        actor: html_of(browser(actor).get(reverse("lot", args=[undecided.lot_id])))
        for actor in (recycler, collector)
    }

    assert f"{RESERVE:,.0f}" not in seen[recycler]


def test_an_auction_without_bids_is_withdrawn_by_a_button(auction, browser, collector, recycler):
    url = reverse("auction-withdraw", args=[auction.pk])
    assert browser(recycler).post(url).status_code == 403

    assert browser(collector).post(url).status_code == 302

    assert Lot.objects.get().status == Lot.Status.WITHDRAWN


def test_a_refused_withdrawal_says_why(auction, browser, collector, recycler, rich, bid):
    bid(auction, rich(recycler), 1_500_000)

    response = browser(collector).post(reverse("auction-withdraw", args=[auction.pk]), follow=True)

    assert "There are bids." in words_of(html_of(response))


# --- my bids ------------------------------------------------------------------------------------------------------------


def test_my_bids_say_where_i_stand(offered, browser, recycler, rival, rich, bid):
    rich(recycler), rich(rival)
    leading, passed, hidden, won, lost = (
        offered(),
        offered(),
        offered(mode="SEALED"),
        offered(),
        offered(),
    )
    for one in (leading, passed, hidden, won, lost):
        bid(one, recycler, 2_100_000)
    bid(passed, rival, 2_500_000)
    bid(lost, rival, 2_500_000)
    for one in (won, lost):
        services.close_auction(one, clock=lambda: won.last_close_at)

    words = words_of(html_of(browser(recycler).get(reverse("my-bids"))))

    for said in ("You lead", "You are outbid", "Your bid is in", "Won", "Standing by"):
        assert said in words


def test_who_does_not_buy_has_no_bids(browser, collector, anonymous):
    assert browser(collector).get(reverse("my-bids")).status_code == 403
    assert browser(anonymous).get(reverse("my-bids")).status_code == 302


def test_my_bids_cost_the_same_queries_for_two_and_for_twelve(
    offered, browser, recycler, rich, bid, django_assert_max_num_queries
):
    rich(recycler)
    client, counts = browser(recycler), []
    for number in (2, 10):
        for _more in range(number):
            bid(offered(), recycler, START)
        client.get(reverse("my-bids"))
        with django_assert_max_num_queries(12) as counted:
            html_of(client.get(reverse("my-bids")))
        counts.append(len(counted))

    assert counts[0] == counts[1]
