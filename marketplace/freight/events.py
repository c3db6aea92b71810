from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class QuotesRequested(Event):
    round_id: int
    purpose: str


@dataclass(frozen=True)
class QuotesOffered(Event):
    """The deadline passed or everyone answered; the offers are ranked."""

    round_id: int
    purpose: str


@dataclass(frozen=True)
class QuoteChosen(Event):
    round_id: int
    quote_id: int
    purpose: str
