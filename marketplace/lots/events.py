from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class LotSubmitted(Event):
    """The seller declared a lot, safe enough to move; it waits to be valued."""

    lot_id: int


@dataclass(frozen=True)
class LotQuarantined(Event):
    """A lot is too dangerous to move."""

    lot_id: int


@dataclass(frozen=True)
class LotNeedsInfo(Event):
    lot_id: int


@dataclass(frozen=True)
class LotEvidenceChanged(Event):
    """Something that the value depends on is known better, or otherwise, than before."""

    lot_id: int
    evidence_version: int


@dataclass(frozen=True)
class LotWithdrawn(Event):
    """The seller took a lot back, by itself or with its auction."""

    lot_id: int


@dataclass(frozen=True)
class LotExpired(Event):
    """Nobody answered what was asked about a lot."""

    lot_id: int


@dataclass(frozen=True)
class LotMoved(Event):
    """A lot entered its next state, moved by a room above."""

    lot_id: int
    status: str
