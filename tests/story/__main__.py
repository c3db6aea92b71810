"""``make story``: three lots from photo to verified certificate. Ends with 1, and the step named, if anything fails."""

import os
import sys
from pathlib import Path

import httpx

from .client import Failed
from .plot import Story


def main() -> int:
    site, var = os.environ["SITE_URL"].rstrip("/"), Path(os.environ["VAR_DIR"])
    story = Story(site, var)
    try:
        story.tell()
    except (Failed, httpx.HTTPError, KeyError, ValueError, AssertionError) as trouble:
        print(f"\nFAILED at step {story.number}, {story.step}:\n  {trouble!r}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
