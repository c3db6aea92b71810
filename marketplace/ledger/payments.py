"""How money reaches us and leaves us: one small protocol, so that any bank, wallet or cash agent can stand behind it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Answer:
    """What the payment service says: done or not, its own reference, and why not."""

    is_done: bool
    reference: str
    reason: str = ""


class PaymentService(Protocol):
    """A payment service.

    ``key`` goes along as the service's idempotency key: a job that is tried again must not move money twice.
    ``answers_at_once`` is true only for services that need no network; they are asked inside the transaction.
    """

    answers_at_once: bool

    def collect(self, *, key: str, amount: Decimal, currency: str) -> Answer: ...

    def send(self, *, key: str, amount: Decimal, currency: str) -> Answer: ...


class PlayMoney:
    """The local double: every payment succeeds at once. For the demo, the story and tests."""

    answers_at_once = True

    def collect(self, *, key: str, amount: Decimal, currency: str) -> Answer:
        return Answer(is_done=True, reference=f"play-{key}")

    def send(self, *, key: str, amount: Decimal, currency: str) -> Answer:
        return Answer(is_done=True, reference=f"play-{key}")


def payment_service() -> PaymentService:
    """Return the payment service that the settings name."""
    service: PaymentService = import_string(settings.PAYMENT_SERVICE)()
    return service
