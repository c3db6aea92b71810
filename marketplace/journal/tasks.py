"""What Celery may ask for. The rows decide; these only ring."""

from typing import Any

from celery import shared_task

from marketplace.core.clock import database_clock

from . import services


@shared_task(name="marketplace.journal.run")
def run(job_id: int, **_later: Any) -> None:
    """Do one job. To run late, twice, or beside itself changes nothing."""
    services.run(job_id, clock=database_clock)


@shared_task(name="marketplace.journal.sweep")
def sweep(**_later: Any) -> None:
    """Every few seconds. To run late, twice, or beside itself changes nothing."""
    services.sweep(clock=database_clock)


def tidy(payload: dict[str, Any]) -> None:
    """Every hour: schedules of a few seconds leave tens of thousands of rows a day."""
    services.tidy(now=database_clock())
