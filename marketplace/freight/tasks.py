from datetime import datetime
from typing import Any

from django.utils import timezone

from marketplace.journal.services import Finish, enqueue

from . import services
from .models import QuoteRound


def gather_quotes(payload: dict[str, Any]) -> Finish:
    """Let the rate cards of everybody who was asked answer."""
    round_id = payload["round"]
    answers = services.answers_of_cards(round_id, now=timezone.now())

    def finish(now: datetime) -> None:
        services.store_answers(round_id, answers, now=now)

    return finish


def end_overdue(payload: dict[str, Any]) -> Finish:
    """Every few seconds: queue the end of every round whose time is over, one job each."""

    def finish(now: datetime) -> None:
        for pk in QuoteRound.objects.due(now).order_by("pk").values_list("pk", flat=True):
            enqueue("freight.end_round", {"round": pk}, now=now, dedupe_key=f"freight.end:{pk}")

    return finish


def end_round(payload: dict[str, Any]) -> Finish:
    """Job: show what came in of one round, if its time is over."""
    asked = QuoteRound.objects.get(pk=payload["round"])

    def finish(now: datetime) -> None:
        services.end_round(asked, now=now)

    return finish
