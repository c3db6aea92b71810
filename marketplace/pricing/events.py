from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class LotValued(Event):
    lot_id: int
    valuation_id: int
