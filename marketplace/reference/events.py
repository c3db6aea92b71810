from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class QuotesChanged(Event):
    """Prices or rates came in: so many new, so many that correct an earlier one. The nightly job values lots anew."""

    table: str
    added: int
    revised: int
    came_from: str


@dataclass(frozen=True)
class QuoteProposed(Event):
    """Somebody typed a price in. It counts once another person has confirmed it."""

    proposal_id: int
    material: str
    quoted_on: str


@dataclass(frozen=True)
class QuoteConfirmed(Event):
    """A second person has seen the same price."""

    proposal_id: int
    quote_id: int


@dataclass(frozen=True)
class QuoteRefused(Event):
    """A second person does not believe a price, or it was taken back."""

    proposal_id: int
    reason: str


@dataclass(frozen=True)
class RateProposed(Event):
    """Somebody typed an exchange rate in. It counts once another person has confirmed it."""

    proposal_id: int
    currency: str
    quoted_on: str


@dataclass(frozen=True)
class RateConfirmed(Event):
    """A second person has seen the same exchange rate."""

    proposal_id: int
    rate_id: int


@dataclass(frozen=True)
class RateRefused(Event):
    """A second person does not believe an exchange rate."""

    proposal_id: int
    reason: str
