from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something that happened. Rooms subclass it; fields are plain values, and are only ever added, with defaults."""

    @classmethod
    def label(cls) -> str:
        """Return the name under which the journal keeps it, as ``market.BidPlaced``.

        >>> Event.label()
        'journal.Event'
        """
        return f"{cls.__module__.split('.')[-2]}.{cls.__name__}"

    def payload(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class JobRetried(Event):
    """An operator put a failed job back to work."""

    job_id: int
    kind: str


@dataclass(frozen=True)
class JobDiscarded(Event):
    """An operator gave a failed job up."""

    job_id: int
    kind: str
    reason: str
