"""Add prices and rates. What stood before is never overwritten: a correction is the next revision, with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.utils.translation import gettext as _

from marketplace.core.locks import lock_word
from marketplace.journal.services import Recorder, record
from marketplace.reference.events import QuotesChanged
from marketplace.reference.models import CurrencyRate, MetalQuote, Source

from .loading import QuoteChanged, RowRefused


@dataclass(frozen=True, slots=True)
class Added:
    """What adding prices did. ``revisions`` are those that correct an earlier price."""

    added: int
    revised: int
    unchanged: int
    revisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Table:
    model: type[models.Model]
    key: tuple[str, ...]
    price: str


QUOTES = _Table(MetalQuote, ("material", "quoted_on", "source_id"), "price_usd_per_kg")
RATES = _Table(CurrencyRate, ("currency", "quoted_on", "source_id"), "per_usd")


@transaction.atomic
def add_quotes(
    rows: Sequence[MetalQuote],
    *,
    by: Recorder,
    now: datetime,
    reason: str = "",
    came_from: str = "",
) -> Added:
    """Add metal quotes, all or none. Those already there at the same price are left alone.

    :param rows: not yet saved
    :param reason: why a price that was quoted before is another now
    :raises RowRefused: if a row names no source that is loaded
    :raises QuoteChanged: if a price was quoted before, is another now, and nobody says why
    """
    return _add(QUOTES, rows, by=by, now=now, reason=reason, came_from=came_from)


@transaction.atomic
def add_rates(
    rows: Sequence[CurrencyRate],
    *,
    by: Recorder,
    now: datetime,
    reason: str = "",
    came_from: str = "",
) -> Added:
    """Add exchange rates, all or none, as :func:`add_quotes` adds prices."""
    return _add(RATES, rows, by=by, now=now, reason=reason, came_from=came_from)


def _add(
    table: _Table,
    rows: Sequence[Any],
    *,
    by: Recorder,
    now: datetime,
    reason: str,
    came_from: str,
) -> Added:
    lock_word("reference.prices")
    known = set(Source.objects.values_list("code", flat=True))
    standing = _standing(table, rows)
    new, revisions = [], []
    for row in rows:
        if row.source_id not in known:
            raise RowRefused(
                _("%(row)s names no source that is loaded. Name one that is.") % {"row": row}
            )
        key = tuple(getattr(row, name) for name in table.key)
        before = standing.get(key)
        if before is not None:
            if getattr(before, table.price) == getattr(row, table.price):
                continue
            if not reason.strip():
                raise QuoteChanged(
                    _("%(old)s is already quoted; now it says %(new)s. Say why.")
                    % {"old": before, "new": getattr(row, table.price)}
                )
            row.revision = before.revision + 1
            row.reason = reason.strip()[:300]
            revisions.append(f"{before} → {getattr(row, table.price)}")
        standing[key] = row
        new.append(row)
    table.model._default_manager.bulk_create(new, batch_size=500)
    added = Added(len(new) - len(revisions), len(revisions), len(rows) - len(new), tuple(revisions))
    if new:
        event = QuotesChanged(
            table=table.model.__name__,
            added=added.added,
            revised=added.revised,
            came_from=came_from[:200],
        )
        record(event, by=by, at=now)
    return added


def _standing(table: _Table, rows: Sequence[Any]) -> dict[tuple[Any, ...], Any]:
    """Return the newest revision of each price that may be meant."""
    if not rows:
        return {}
    days = [row.quoted_on for row in rows]
    there = table.model._default_manager.filter(quoted_on__range=(min(days), max(days)))
    return {
        tuple(getattr(row, name) for name in table.key): row for row in there.order_by("revision")
    }
