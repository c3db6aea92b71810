"""What a licence must show, and when it counts. Pure: days and words only."""

from collections.abc import Iterable
from datetime import date, timedelta

CHECKED_FIELDS = (
    "number",
    "issuer",
    "country",
    "site",
    "materials",
    "annual_mass",
    "dates",
    "document",
)
"""What a verifier compares with the document, one by one, in the order of the paper."""

APPROVALS_NEEDED = 2
CLAIM_LASTS = timedelta(minutes=20)
CODE_LASTS = timedelta(minutes=15)
CODE_TRIES = 5
PROOF_LASTS = timedelta(hours=1)
CODES_PER_HOUR = 3
CODE_DIGITS = 6
INVITATION_LASTS = timedelta(days=14)
TOKEN_DAYS_AT_MOST = 366


def missing_checks(matching: Iterable[str]) -> tuple[str, ...]:
    """Return the fields that still have to match before a verifier may approve.

    >>> missing_checks(CHECKED_FIELDS[:-1])
    ('document',)
    """
    seen = set(matching)
    return tuple(field for field in CHECKED_FIELDS if field not in seen)


def finish_until(valid_until: date, grace_days: int) -> date:
    """Return the last day on which what was begun under a licence may be brought to its end.

    >>> finish_until(date(2026, 12, 31), 90)
    datetime.date(2027, 3, 31)
    """
    return valid_until + timedelta(days=grace_days)
