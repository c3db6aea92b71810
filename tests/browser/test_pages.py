"""What every page owes to its reader: fits the phone, can be pressed, can be read aloud, comes quickly, breaks no policy."""

import re

import brotli
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.cast_browser import DESK, PHONE

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]

PAGES = [
    (None, "/"),
    (None, "/prices/"),
    (None, "/learn/"),
    (None, "/help/"),
    (None, "/transparency/"),
    (None, "/market/"),
    (None, "/verify/"),
    (None, "/accounts/login/"),
    (None, "/accounts/signup/"),
    (None, "/nowhere/"),
    ("collector", "/"),
    ("collector", "/lots/"),
    ("collector", "/sell/"),
    ("collector", "/deals/"),
    ("collector", "/money/"),
    ("collector", "/inbox/"),
    ("collector", "/settings/"),
    ("collector", "/organisation/"),
    ("recycler", "/"),
    ("recycler", "/market/"),
    ("recycler", "/bids/"),
    ("recycler", "/licences/"),
    ("recycler", "/certificates/"),
    ("carrier", "/"),
    ("carrier", "/freight/"),
    ("carrier", "/shipments/"),
    ("verifier", "/"),
    ("verifier", "/verify-queue/"),
]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SMALL = """
() => [...document.querySelectorAll('a, button, input, select, textarea, summary')]
  .filter((e) => e.type !== 'hidden' && e.checkVisibility() && !e.closest('.skip'))
  .filter((e) => !(e.tagName === 'A' && getComputedStyle(e).display === 'inline'))
  .map((e) => [e, (e.closest('label, .lot') ?? e).getBoundingClientRect()])
  .filter(([, box]) => box.width > 1 && (box.height < 43.5 || box.width < 24))
  .map(([e, box]) => `${e.outerHTML.slice(0, 120)} ${Math.round(box.width)}x${Math.round(box.height)}`)
"""


def opened(context, path):
    """Open a page; anything that the browser complains about ends the test."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    answer = page.goto(path)
    assert answer.status in {200, 404}
    complaints = [text for text in complaints if "404" not in text]
    assert complaints == []
    return page


def check(page, width):
    """Compare with the width that was set: a phone that zooms out hides an overflow."""
    too_wide = page.evaluate("document.documentElement.scrollWidth")
    assert too_wide <= width, f"{page.url} is {too_wide} px wide"
    problems = Axe().run(page, options=RULES).response["violations"]
    assert [(p["id"], [n["html"][:150] for n in p["nodes"]]) for p in problems] == []


@pytest.mark.parametrize(("who", "path"), PAGES)
def test_a_page_fits_the_phone_and_everybody(visit, who, path):
    page = opened(visit(who, **PHONE), path)

    check(page, 360)
    assert page.evaluate(SMALL) == []


@pytest.mark.parametrize(
    ("who", "path"), [(None, "/"), ("recycler", "/market/"), ("verifier", "/verify-queue/")]
)
def test_a_page_fits_the_desk_in_the_dark(visit, who, path):
    page = opened(visit(who, color_scheme="dark", **DESK), path)

    check(page, 1280)


@pytest.mark.parametrize("path", ["/", "/lots/", "/sell/", "/deals/", "/learn/", "/prices/"])
def test_longer_words_still_fit_a_narrow_phone(visit, site, path):
    phone = {"viewport": {"width": 320, "height": 640}, "is_mobile": True, "locale": "id-ID"}
    context = visit("collector", **phone)
    context.add_cookies([{"name": "django_language", "value": "id", "url": site}])
    page = opened(context, path)

    assert page.locator("html").get_attribute("lang") == "id"
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("who", [None, "collector", "recycler"])
def test_lots_deals_and_their_parts(visit, who):
    """The pages behind the lists: one of each kind that this person can open."""
    context = visit(who, **PHONE)
    lists = (
        ["/market/"]
        if who is None
        else ["/market/", "/lots/?show=mine", "/deals/", "/certificates/"]
    )
    for path in lists:
        page = opened(context, path)
        links = [a.get_attribute("href") for a in page.locator("main a").all()]
        found = [
            href for href in links if re.fullmatch(r"/(lots|deals|auctions|v)/[^/]+/", href or "")
        ]
        for href in found[:2]:
            check(opened(context, href), 360)


def test_a_first_visit_is_light(visit):
    context = visit(**PHONE)
    page = context.new_page()
    answers = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto("/")
    page.wait_for_load_state("networkidle")

    weight = {"document": 0, "stylesheet": 0, "script": 0, "image": 0, "font": 0}
    for answer in answers:
        kind = answer.request.resource_type
        if kind in weight:
            body = answer.body()
            weight[kind] += len(body) if kind == "image" else len(brotli.compress(body))

    assert weight["font"] == 0
    assert weight["stylesheet"] <= 10_000
    assert weight["script"] <= 25_000
    assert weight["document"] + weight["stylesheet"] + weight["script"] <= 45_000
    assert sum(weight.values()) <= 100_000
    assert len(answers) <= 12
    assert {answer.url.split("/")[2] for answer in answers} == {page.url.split("/")[2]}


def test_the_keyboard_alone_is_enough_to_log_in(visit, site):
    page = visit(**DESK).new_page()
    page.goto("/accounts/login/")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "login"
    page.keyboard.type("nobody@demo.example")
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.type") != "password":
        page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")

    page.wait_for_selector(".errors")
    assert page.evaluate("document.activeElement.classList.contains('errors')")


def test_first_aid_is_there_without_a_network(visit):
    context = visit(service_workers="allow", **PHONE)
    page = context.new_page()
    page.goto("/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    context.set_offline(True)

    page.goto("/learn/")
    assert "112" in page.inner_text("main")
    page.goto("/deals/")
    assert "No internet" in page.inner_text("main")
