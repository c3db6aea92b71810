from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class LotValued(Event):
    lot_id: int
    valuation_id: int


@dataclass(frozen=True)
class IndexPublished(Event):
    """The price index of a day was published: so many values, so many of them corrections of earlier ones."""

    on: str
    values: int
    revisions: int
