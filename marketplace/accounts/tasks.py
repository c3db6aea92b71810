"""What the switchboard calls."""

from typing import Any

from marketplace.core.clock import database_clock

from . import services


def expire_licences(payload: dict[str, Any]) -> None:
    """Mark licences that have lapsed, every hour: a day ends at another hour in every country."""
    services.expire_licences(now=database_clock())
