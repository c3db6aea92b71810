"""The whole story without the doorbell. How it goes with one is in tests/test_story.py."""

import subprocess
import sys

import pytest

from marketplace.ops.embedded import ROOT
from marketplace.ops.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


def tell(stack: Stack) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.story"],
        cwd=ROOT,
        env=stack.environment,
        text=True,
        capture_output=True,
        check=False,
        timeout=600,
    )
    print(told.stdout)
    assert told.returncode == 0, told.stderr
    assert "3 lots, 3 certificates" in told.stdout


def test_with_redis_away_the_whole_time_the_story_ends_the_same(stack: Stack) -> None:
    stack.kill("redis")
    try:
        tell(stack)
    finally:
        stack.revive("redis")
