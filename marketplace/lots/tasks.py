"""Doors for the journal."""

from datetime import datetime
from typing import Any

from marketplace.journal.services import Finish

from . import services


def expire_lots(payload: dict[str, Any]) -> Finish:
    def finish(now: datetime) -> None:
        services.expire_lots(now=now)

    return finish
