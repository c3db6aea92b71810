"""A real browser, Debian's Chromium, in front of a real stack with a small market in it."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from marketplace.ops.demo_market.cast import PASSWORD

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
DESK = {"viewport": {"width": 1280, "height": 800}}
PEOPLE = {
    "collector": "collector@demo.example",
    "recycler": "recycler@demo.example",
    "carrier": "carrier@demo.example",
    "verifier": "verifier@demo.example",
}


@pytest.fixture(scope="session")
def site(stack) -> str:
    """The address of a stack with a small demo market."""
    idle = ["worker", "sweeper"]  # the seeding does its jobs itself, and meets nobody on the way
    for name in idle:
        stack.pause(name)
    stack.manage("seed_demo", "--lots", "30", quiet=True)
    for name in idle:
        stack.resume(name)
    return stack.url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Playwright's event loop lives in this thread while it is up, and Django refuses its database there:
    it goes down before a test of another module runs in the same process.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def logged_in(chromium, site) -> Callable[[str], dict]:
    """Log somebody of the cast in once, through the form, and return their cookies for later contexts."""
    kept: dict[str, dict] = {}

    def cookies(who: str) -> dict:
        if who not in kept:
            context = chromium.new_context(base_url=site, service_workers="block")
            page = context.new_page()
            page.goto("/accounts/login/")
            page.fill("input[name=login]", PEOPLE[who])
            page.fill("input[type=password]", PASSWORD)
            page.click("main form button.big")
            page.wait_for_url(lambda url: "login" not in url)
            kept[who] = context.storage_state()
            context.close()
        return kept[who]

    return cookies


@pytest.fixture
def visit(chromium, site, logged_in) -> Iterator[Callable[..., BrowserContext]]:
    """Open a browser context: ``visit("collector", **PHONE)``; ``visit()`` is a stranger."""
    opened: list[BrowserContext] = []

    def make(who: str | None = None, **options) -> BrowserContext:
        state = logged_in(who) if who else None
        options.setdefault("service_workers", "block")
        context = chromium.new_context(base_url=site, storage_state=state, **options)
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()
