"""The collector's path on the poorest phone: no script runs, and a lot still gets its price."""

import io

import pytest
from PIL import Image, ImageDraw

from tests.cast_browser import PHONE

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]


def photo(shade: str) -> dict:
    picture = Image.new("RGB", (800, 600), shade)
    ImageDraw.Draw(picture).rectangle((200, 150, 600, 450), fill="navy")
    content = io.BytesIO()
    picture.save(content, "JPEG")
    return {"name": "pile.jpg", "mimeType": "image/jpeg", "buffer": content.getvalue()}


def test_a_lot_is_listed_without_a_script(visit):
    page = visit("collector", java_script_enabled=False, **PHONE).new_page()

    page.goto("/sell/")
    page.click("main form button.big")
    page.locator("input[type=file]").first.set_input_files(photo("gray"))
    page.click("main form button.big")
    page.locator("label:has(input[name=origin])").first.click()
    page.click("main form button.big")
    page.locator("label:has(input[name=chemistry])").first.click()
    page.click("main form button.big")
    page.fill("input[name=mass_kg]", "42")
    page.click("main form button.big")
    page.wait_for_url("**/place/")
    assert page.locator("h1").count() == 1
    town = page.locator("input[name=geoname_id][type=radio]")
    if town.count():
        page.locator("label:has(input[name=geoname_id])").first.click()
    page.click("main form button.big")
    page.wait_for_url("**/safety/")
    page.locator("label:has(input[name=none])").click()
    page.click("main form button.big")
    page.wait_for_url("**/check/")
    page.locator("input[type=checkbox]").last.check()
    page.click("main form button.big")

    page.wait_for_url("**/lots/*/")
    assert "42" in page.inner_text("main")
