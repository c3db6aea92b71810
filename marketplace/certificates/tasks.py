"""Doors for the journal: it brings a payload and the clock, the services do the work."""

from datetime import datetime
from typing import Any

from marketplace.core.clock import database_clock
from marketplace.journal.services import Finish

from . import services


def issue_certificate(payload: dict[str, Any]) -> Finish | None:
    """Issue the certificate of a report: all of it, once, or nothing."""
    made = services.prepare_certificate(payload["report"], now=database_clock())
    if made is None:
        return None

    def finish(now: datetime) -> None:
        services.store_certificate(made, now=now)

    return finish


def sign_status_list(payload: dict[str, Any]) -> Finish:
    """Sign a status list as the certificates now say."""
    made = services.sign_status_list(payload["list"], now=database_clock())

    def finish(now: datetime) -> None:
        services.store_status_list(made, now=now)

    return finish


def renew_status_lists(payload: dict[str, Any]) -> Finish:
    """Every six hours: sign every list again, long before it lapses."""

    def finish(now: datetime) -> None:
        services.renew_status_lists(now=now)

    return finish
