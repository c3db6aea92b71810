from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class MoneyPaidIn(Event):
    """Money from outside is available to an organisation."""

    payment_id: int


@dataclass(frozen=True)
class MoneyPaidOut(Event):
    """Money left for an organisation's bank or wallet."""

    payment_id: int


@dataclass(frozen=True)
class PaymentFailed(Event):
    """The payment service did not move the money. What was meant to leave is available again."""

    payment_id: int
    reason: str


@dataclass(frozen=True)
class LedgerReconciled(Event):
    """All sums were computed anew, and agreed."""

    accounts: int
    movements: int
