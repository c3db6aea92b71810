from datetime import datetime
from typing import Any

from django.utils import timezone

from marketplace.journal.services import Finish

from . import services


def gather_quotes(payload: dict[str, Any]) -> Finish:
    """Let the rate cards of everybody who was asked answer."""
    round_id = payload["round"]
    answers = services.answers_of_cards(round_id, now=timezone.now())

    def finish(now: datetime) -> None:
        services.store_answers(round_id, answers, now=now)

    return finish


def end_overdue(payload: dict[str, Any]) -> None:
    """Every few seconds. To run late, twice, or beside itself changes nothing."""
    services.end_overdue(now=timezone.now())
