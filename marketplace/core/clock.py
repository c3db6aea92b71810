"""The time that decides. A deadline under a lock is decided by the database's clock, read after the lock is granted."""

from collections.abc import Callable
from datetime import datetime

from django.db import connection

Clock = Callable[[], datetime]


def database_clock() -> datetime:
    """Read the database's wall clock in a statement of its own, so that no lock wait lies inside it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
