"""What the switchboard calls: one door for all news, and the jobs that carry copies out of the house."""

from datetime import date, datetime
from typing import Any

from marketplace.accounts.events import CodeRequested, MemberInvited
from marketplace.journal.events import Event
from marketplace.journal.services import Finish, enqueue

from . import price_answers, services


def tell(event: Event, at: datetime) -> None:
    services.tell(event, at=at)


def on_code_requested(event: CodeRequested, at: datetime) -> None:
    enqueue(
        "notifications.send_code",
        {"code": event.code_id},
        now=at,
        dedupe_key=f"code:{event.code_id}",
    )


def on_member_invited(event: MemberInvited, at: datetime) -> None:
    key = f"invitation:{event.invitation_id}:{at.timestamp():.0f}"
    enqueue(
        "notifications.send_invitation",
        {"invitation": event.invitation_id, "key": key},
        now=at,
        dedupe_key=key,
    )


def send_copy(payload: dict[str, Any]) -> Finish | None:
    return services.send_copy(payload["notice"], key=f"notice.{payload['notice']}")


def send_code(payload: dict[str, Any]) -> None:
    services.send_code(payload["code"], key=f"code.{payload['code']}")


def send_invitation(payload: dict[str, Any]) -> None:
    services.send_invitation(payload["invitation"], key=payload["key"].replace(":", "."))


def answer_price(payload: dict[str, Any]) -> None:
    price_answers.send_answer(
        payload["text"],
        to=payload["to"],
        on=date.fromisoformat(payload["on"]),
        key=payload["key"],
    )
