"""The phone's camera reads codes where the browser can: with a camera and a detector that are stood in for."""

import re
from pathlib import Path

import pytest

from tests.cast_browser import PHONE

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = next((ROOT / "static").rglob("scan.js"))
FORM = """
<textarea id="codes"></textarea><input id="read" value="TYPED">
<div data-scan="#codes" data-read="#read" hidden>
  <button type="button">Scan</button><video hidden muted playsinline></video>
  <p data-found="Read:" data-none="No camera."></p>
</div>
"""
CAMERA = """
window.asked = []; window.seen = []; window.stopped = 0;
const eye = async (wish) => {
  window.asked.push(wish);
  const canvas = document.createElement('canvas');
  canvas.getContext('2d').fillRect(0, 0, 9, 9);
  const stream = canvas.captureStream();
  for (const track of stream.getTracks()) {
    const stop = track.stop.bind(track);
    track.stop = () => { window.stopped += 1; stop(); };
  }
  return stream;
};
Object.defineProperty(navigator, 'mediaDevices', { value: { getUserMedia: eye }, configurable: true });
"""
DETECTOR = """
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ['qr_code', 'data_matrix', 'ean_13']; }
  constructor(options) { window.formats = options.formats; }
  async detect() { const text = window.seen.shift(); return text ? [{ rawValue: text }] : []; }
};
"""


@pytest.fixture
def form(chromium):
    """Open the form with the script, in a browser that has what the given scripts stand in for."""
    contexts = []

    def make(*standing_in):
        context = chromium.new_context(**PHONE)
        contexts.append(context)
        page = context.new_page()
        page.set_content(FORM)
        page.evaluate("delete window.BarcodeDetector")
        for script in standing_in:
            page.evaluate(f"() => {{ {script} }}")
        page.evaluate(f"() => {{ {SCRIPT.read_text()} }}")
        return page

    yield make
    for context in contexts:
        context.close()


def test_a_code_that_the_camera_sees_is_written_down_once_and_the_camera_stops(form):
    page = form(CAMERA, DETECTOR)
    page.wait_for_selector("[data-scan]:not([hidden])")
    assert page.evaluate("window.formats") == ["qr_code", "data_matrix"]

    for _time in range(2):
        page.evaluate("window.seen.push('  04QCB76G101101A99A00 \\n 8P ')")
        page.click("button")
        page.wait_for_selector("video", state="hidden")
        page.wait_for_function("document.querySelector('p').textContent")

    assert page.input_value("#codes") == "04QCB76G101101A99A00 8P"
    assert page.input_value("#read") == "CAMERA"
    assert page.inner_text("p") == "Read: 04QCB76G101101A99A00 8P"
    assert page.evaluate("window.stopped") == 2
    assert page.evaluate("window.asked[0].video.facingMode") == "environment"


def test_further_codes_go_on_their_own_lines_and_typing_makes_them_typed(form):
    page = form(CAMERA, DETECTOR)
    page.wait_for_selector("[data-scan]:not([hidden])")
    for code in ("SN-1", "SN-2"):
        page.evaluate("(code) => window.seen.push('', code)", code)
        page.click("button")
        page.wait_for_function(
            "(code) => document.querySelector('p').textContent.includes(code)", arg=code
        )

    assert page.input_value("#codes") == "SN-1\nSN-2"
    page.type("#codes", "3")
    assert page.input_value("#read") == "TYPED"


def test_pressing_again_stops_the_camera_without_a_code(form):
    page = form(CAMERA, DETECTOR)
    page.wait_for_selector("[data-scan]:not([hidden])")
    page.click("button")
    page.wait_for_selector("video", state="visible")

    page.click("button")

    page.wait_for_selector("video", state="hidden")
    assert page.evaluate("window.stopped") == 1
    assert page.input_value("#codes") == ""


def test_without_leave_to_use_the_camera_the_form_says_so(form):
    refusing = (
        CAMERA + "navigator.mediaDevices.getUserMedia = async () => { throw new Error('no'); };"
    )
    page = form(refusing, DETECTOR)
    page.wait_for_selector("[data-scan]:not([hidden])")

    page.click("button")

    page.wait_for_function("document.querySelector('p').textContent === 'No camera.'")
    assert page.is_hidden("video")


@pytest.mark.parametrize(
    "standing_in",
    [
        (),
        (CAMERA,),
        (DETECTOR,),
        (CAMERA, re.sub(r"return \['qr_code'.*?\]", "return ['ean_13']", DETECTOR)),
        (
            CAMERA,
            DETECTOR.replace("return ['qr_code'", "throw new Error('broken'); return ['qr_code'"),
        ),
    ],
)
def test_where_the_browser_cannot_the_button_stays_away(form, standing_in):
    page = form(*standing_in)
    page.wait_for_timeout(50)

    assert page.is_hidden("[data-scan]")
