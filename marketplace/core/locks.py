"""Locks on words rather than rows: for what does not exist yet."""

from django.db import connection


def lock_word(word: str) -> None:
    """Wait until nobody else holds this word, and hold it until the transaction ends.

    A request id is locked so before it is looked up; otherwise two identical requests race, and the
    second is told "too low" about its own accepted bid.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [word])
