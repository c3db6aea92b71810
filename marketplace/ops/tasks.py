"""A job that does nothing but be done: for drills, and for asking a running site whether its workers work."""

import time
from datetime import datetime
from typing import Any

from marketplace.accounts.actors import SYSTEM
from marketplace.journal.services import Finish, record

from .events import DrillDone


def drill(payload: dict[str, Any]) -> Finish:
    """Take the time that was asked for, outside any transaction, then write one entry."""
    time.sleep(payload["seconds"])

    def finish(now: datetime) -> None:
        record(DrillDone(drill=payload["drill"], number=payload["number"]), by=SYSTEM, at=now)

    return finish
