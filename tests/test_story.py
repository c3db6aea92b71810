"""The story, told on a stack of its own: the main job, end to end, over HTTP."""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import httpx
import pytest

from tests.story.plot import Story

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


@pytest.fixture
def story(stack, monkeypatch):
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    told = Story(stack.url, stack.var)
    yield told
    told.leave()


def test_three_lots_go_from_photo_to_verified_certificate(story):
    told = io.StringIO()

    with redirect_stdout(told):
        story.tell()

    papers = [Path(line.strip()) for line in told.getvalue().splitlines() if ".pdf" in line]
    assert len(papers) == 3
    assert all(paper.read_bytes().startswith(b"%PDF-") for paper in papers)
    assert len(re.findall(r"certificate \w{12}: genuine, ES256", told.getvalue())) == 3
    assert "3 certificates" in told.getvalue()


def test_a_step_that_fails_is_named(story):
    story.site = "http://127.0.0.1:9"

    with pytest.raises(httpx.HTTPError):
        story.join()

    assert story.step.startswith("collector: joins")
