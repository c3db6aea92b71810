from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class DrillDone(Event):
    """A job of a drill took effect. Two of one number would be a job done twice."""

    drill: str
    number: int
