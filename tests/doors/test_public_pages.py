"""Pages for everybody, and what happens to every request."""

import re
from uuid import uuid4

import pytest
from django.urls import reverse

from marketplace.accounts.capabilities import Role
from marketplace.accounts.models import User
from marketplace.core.errors import Refused
from marketplace.web.middleware import refusal_page

PUBLIC = ["home", "prices", "learn", "help", "transparency", "offline", "verify", "market"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("language", ["en", "id"])
def test_everybody_reads_the_public_pages_in_their_language(client, reference, name, language):
    page = client.get(reverse(name), headers={"Accept-Language": language})

    assert page.status_code == 200
    html = page.content.decode()
    assert f'<html lang="{language}"' in html
    assert html.count("<h1") == 1
    assert "{%" not in html
    assert "{{" not in html


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_page_costs_few_queries(client, reference, django_assert_max_num_queries, name):
    client.get(reverse(name))  # the price board is reckoned once in some minutes
    with django_assert_max_num_queries(14):
        client.get(reverse(name))


@pytest.mark.django_db
def test_the_front_page_works_before_there_is_reference_data(client):
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "who",
    ["collector", "recycler", "carrier", "verifier", "regulator", "producer", "staff", "stranger"],
)
def test_everybody_has_a_home(request, browser, who, django_assert_max_num_queries):
    client = browser(request.getfixturevalue(who))
    client.get("/")  # the price board is reckoned once in some minutes

    with django_assert_max_num_queries(25):
        page = client.get("/")

    assert page.status_code == 200
    assert "<h1" in page.content.decode()


def test_home_says_what_waits_for_the_seller(browser, collector, reference):
    client = browser(collector)
    client.post(reverse("sell-start"), {"request_id": uuid4()})

    html = client.get("/").content.decode()

    assert "Finish your lot" in html


def test_navigation_follows_the_role(browser, collector, recycler, verifier):
    shown = {
        who: set(re.findall(r'href="(/[a-z-]*/?)"', browser(actor).get("/help/").content.decode()))
        for who, actor in {"sells": collector, "buys": recycler, "checks": verifier}.items()
    }

    assert "/sell/" in shown["sells"]
    assert "/verify-queue/" not in shown["sells"]
    assert "/bids/" in shown["buys"]
    assert "/verify-queue/" in shown["checks"]
    assert "/sell/" not in shown["checks"]
    assert "/staff/jobs/" not in shown["sells"] | shown["buys"] | shown["checks"]


def test_whoever_acts_for_two_organisations_may_choose(browser, member, collector):
    other = member(Role.CARRIER, "Wheels Of Fire")
    User.objects.get(pk=collector.user_id).memberships.create(
        organisation_id=other.organisation_id, role=Role.CARRIER
    )

    html = browser(collector).get("/help/").content.decode()

    assert 'action="/act-for/"' in html
    assert "Wheels Of Fire and friends" in html


# --- language ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_chosen_language_stays_in_the_browser(client):
    answer = client.post("/language/", {"language": "id", "next": "/help/?a=1"})

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/help/?a=1"
    assert '<html lang="id"' in client.get("/help/").content.decode()


def test_the_chosen_language_stays_with_the_person(browser, collector):
    browser(collector).post("/language/", {"language": "id", "next": "/"})

    assert User.objects.get(pk=collector.user_id).language == "id"
    elsewhere = browser(collector)
    assert '<html lang="id"' in elsewhere.get("/help/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_choosing_a_language_leads_nowhere_else(client, to):
    assert client.post("/language/", {"language": "id", "next": to}).headers["Location"] == "/"


@pytest.mark.django_db
def test_a_language_that_we_do_not_speak_changes_nothing(client):
    answer = client.post("/language/", {"language": "tlh", "next": "/"})

    assert answer.status_code == 302
    assert not answer.cookies


# --- every answer -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_every_page_forbids_foreign_and_inline_code(client):
    answer = client.get("/")

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    html = answer.content.decode()
    assert not re.search(r"<script(?![^>]*src=)", html)
    assert not re.search(r"\sstyle=", html)


@pytest.mark.django_db
def test_every_answer_bears_a_request_id(client):
    own = client.get("/help/", headers={"X-Request-ID": "from-the-proxy-17"})
    forged = client.get("/help/", headers={"X-Request-ID": "two\r\nlines"})

    assert own.headers["X-Request-ID"] == "from-the-proxy-17"
    assert re.fullmatch(r"[0-9a-f]{32}", forged.headers["X-Request-ID"])


@pytest.mark.django_db
def test_what_is_not_there_says_what_to_do(client):
    answer = client.get("/nowhere/", headers={"Accept-Language": "id"})

    assert answer.status_code == 404
    assert "Tidak ada apa-apa di sini" in answer.content.decode()


@pytest.mark.django_db
def test_a_refusal_that_no_page_expected_is_still_a_sentence(rf):
    request = rf.get("/")
    handle = refusal_page(lambda request: None).process_exception

    answer = handle(request, Refused("Bid at least 125."))

    assert answer.status_code == 409
    assert "Bid at least 125." in answer.content.decode()
    assert handle(request, ValueError()) is None


# --- offline ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_service_worker_keeps_first_aid_and_touches_nothing_that_counts(client):
    answer = client.get("/sw.js")

    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "no-store" in answer.headers["Cache-Control"]
    script = answer.content.decode()
    assert "/learn/" in script
    assert 'request.method !== "GET"' in script
    assert "event-stream" in script
    assert "app.css" in script


@pytest.mark.django_db
def test_the_site_can_be_installed(client):
    manifest = client.get("/manifest.webmanifest").json()

    assert manifest["name"] == "Voltbazaar"
    assert {icon["sizes"] for icon in manifest["icons"]} == {"192x192", "512x512"}


# --- prices -----------------------------------------------------------------------------------------


def test_prices_are_shown_in_the_money_of_a_country(client, reference):
    assert "₹" in client.get("/prices/?country=IN").content.decode()
    assert "US$" in client.get("/prices/?country=XX").content.decode()


def test_a_price_names_its_day_and_its_source(client, reference):
    html = client.get("/prices/").content.decode()

    assert "World Bank" in html
    assert "<time datetime=" in html
