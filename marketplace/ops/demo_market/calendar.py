"""A pretend clock that walks from weeks ago to now, and the people who act by it."""

from collections import Counter
from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from marketplace.core.errors import Refused

Process = Generator[timedelta | datetime, None, None]
"""Somebody who acts, and says how long to wait, or until when, before acting again."""


class Calendar:
    """Runs many processes in the order of their pretend times. Services get its time, or its clock."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self.refused: Counter[str] = Counter()
        self._waiting: list[tuple[datetime, int, Process]] = []
        self._order = count()

    def clock(self) -> datetime:
        return self.now

    def start(self, process: Process, at: datetime | None = None) -> None:
        """Let a process act for the first time at a moment, or now."""
        heappush(self._waiting, (at or self.now, next(self._order), process))

    def run(self, until: datetime, *, before_each: Callable[[], None]) -> None:
        """Let everybody act whose turn comes before ``until``, and the machines before each of them.

        Whoever is refused gives up, as people do; how often, and with which code, stands in ``refused``.
        """
        while self._waiting and self._waiting[0][0] < until:
            at, _number, process = heappop(self._waiting)
            self.now = max(self.now, at)
            before_each()
            try:
                wait = next(process, None)
            except Refused as refusal:
                self.refused[refusal.code] += 1
                wait = None
            if wait is not None:
                at = wait if isinstance(wait, datetime) else self.now + wait
                heappush(self._waiting, (max(at, self.now), next(self._order), process))
        self.now = max(self.now, until)
