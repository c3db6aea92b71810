"""Which open auctions are what a buyer looks for, a page at a time.

The one place of this room's reads that is SQL: rings of strips (``rules.nearby``) are a join that the ORM cannot say, and
``benchmarks/nearby.py`` shows what it saves. Pages go on after the last row shown, so page 10,000 costs what page 1 costs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from math import ceil, cos, floor, pi, radians, sin
from typing import Any

from django.db import connection
from django.db.models import Q

from marketplace.lots.models import Lot
from marketplace.market.models import Auction, Listing
from marketplace.market.rules import nearby
from marketplace.market.rules.search import Found, Sort, Wanted
from marketplace.reference.models import Chemistry

LARGEST_ID = 2**63 - 1
MOST = Decimal(10) ** 12
EQUAL = ("kind", "chemistry", "origin", "country", "mode", "route")
AT_LEAST = (
    ("kg_from", "mass_kg"),
    ("health_from", "health"),
    ("usd_per_kg_from", "usd_per_kg"),
    ("ends_after", "closes_at"),
)
AT_MOST = (("kg_to", "mass_kg"), ("usd_per_kg_to", "usd_per_kg"), ("ends_before", "closes_at"))
METRES = """round(6371008.8 * acos(least(1, greatest(-1,
    sin(radians(l.north * 0.01::float8)) * %(sine)s
    + cos(radians(l.north * 0.01::float8)) * %(cosine)s * cos(radians(l.east * 0.01::float8 - %(longitude)s))
))))::int"""
SPANS = """unnest(%(strips)s::smallint[], %(wests)s::smallint[], %(easts)s::smallint[]) AS s(strip, west, east)
    CROSS JOIN LATERAL (SELECT * FROM market_listing AS l
        WHERE l.strip = s.strip AND l.east BETWEEN s.west AND s.east AND {conditions} OFFSET 0) AS l"""
"""OFFSET 0 keeps the planner from joining the other way round: a look-up a strip beats one look at every row."""


class CursorUnknown(ValueError):
    """The ``after`` is not one that a page gave."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One lot that was found, and how far from the place it is, if there is a place."""

    auction_id: int
    metres: int | None


@dataclass(frozen=True, slots=True)
class Hits:
    """One page of a search. ``after`` asks for the next one; empty: this is the last."""

    rows: tuple[Hit, ...]
    after: str

    @property
    def ids(self) -> list[int]:
        return [row.auction_id for row in self.rows]


def search(wanted: Wanted, *, size: int, now: datetime, after: str = "") -> Hits:
    """Return one page of the auctions that are open for bids and fit, in the order asked for.

    To sort by nearness without a place sorts by what ends first.

    :param after: what the page before said; empty: the first page
    :raises CursorUnknown: if ``after`` is something else
    """
    if wanted.sort == Sort.NEAR and wanted.place is not None:
        return _near(wanted, wanted.place, size=size, now=now, after=after)
    return _sorted(wanted, size=size, now=now, after=after)


def auctions_of(hits: Hits) -> list[Auction]:
    """Return the auctions of a page in its order, without those that ended since."""
    rows = Auction.objects.filter(pk__in=hits.ids, status=Auction.Status.OPEN)
    found = rows.select_related("lot__chemistry").in_bulk()
    return [found[pk] for pk in hits.ids if pk in found]


def found_of(row: Listing) -> Found:
    """Return a listing as the rules know it."""
    return Found(
        kind=row.kind,
        chemistry=row.chemistry,
        origin=row.origin,
        country=row.country,
        mode=row.mode,
        route=row.route,
        place=row.place,
        lot_id=row.lot_id,
        mass_kg=row.mass_kg,
        closes_at=row.closes_at,
        health=row.health,
        usd_per_kg=row.usd_per_kg,
        latitude=None if row.north is None else row.north / 100,
        longitude=None if row.east is None else row.east / 100,
    )


# --- near -----------------------------------------------------------------------------------------


def _near(
    wanted: Wanted, place: tuple[float, float], *, size: int, now: datetime, after: str
) -> Hits:
    beyond, last_id, dense = _read_near(after)
    end = nearby.FARTHEST_M
    if wanted.within_km is not None:
        end = min(end, wanted.within_km * 1000)
    inner = max(beyond, 0)
    conditions, given = _conditions(wanted, now)
    if dense:
        outer = nearby.reach_for_m(inner, rows_per_km2=dense, wanted=size + 1)
    else:
        outer = inner + nearby.first_reach_m(filters=len(conditions) - 1)
    given |= _around(place)
    where = " AND ".join(conditions)
    strips = SPANS.format(conditions=where)
    found: list[tuple[int, int]] = []
    while True:
        outer = min(outer, end)
        missing = size + 1 - len(found)
        is_far = outer > nearby.FAR_M and not dense
        if is_far:  # so little fits that one look at all of it beats thousands of strips
            outer, spans, table = end, {}, f"market_listing l WHERE l.strip IS NOT NULL AND {where}"
        else:
            spans, table = _spans(nearby.ring(*place, inner, outer)), strips
        sql = f"""SELECT auction_id, metres FROM (
            SELECT l.auction_id, {METRES} AS metres FROM {table}
        ) AS ring WHERE metres <= %(outer)s AND (metres, auction_id) > (%(beyond)s, %(last_id)s)
        ORDER BY metres, auction_id LIMIT %(size)s"""  # noqa: S608 — only our own words
        bounds = {"outer": outer, "beyond": beyond, "last_id": last_id, "size": missing}
        rows = _rows(sql, given | spans | bounds)
        found += rows
        if len(found) > size or outer >= end:
            break
        reach = nearby.next_reach_m(inner, outer, found=len(rows), wanted=missing - len(rows))
        beyond, last_id, inner, outer = outer, LARGEST_ID, outer, reach
    hits = tuple(Hit(pk, metres) for pk, metres in found[:size])
    if len(found) <= size:
        return Hits(hits, "")
    first, last = found[0][1], found[size - 1][1]
    km2 = pi * (last**2 - min(first, max(last - 1000, 0)) ** 2) / 1e6 + 0.01
    return Hits(hits, f"{last}_{hits[-1].auction_id}_{size / km2:.6f}")


def _read_near(after: str) -> tuple[int, int, float]:
    """Return after which distance and auction a page begins, and how dense the lots lay there (rows a km2)."""
    if not after:
        return -1, 0, 0.0
    try:
        metres, last_id, dense = after.split("_")
        read = int(metres), int(last_id), float(dense)
    except ValueError:
        raise CursorUnknown(after) from None
    if not (0 <= read[0] <= nearby.FARTHEST_M and 0 < read[1] <= LARGEST_ID and 0 < read[2] < 1e9):
        raise CursorUnknown(after)
    return read


# --- the other orders -----------------------------------------------------------------------------


def _sorted(wanted: Wanted, *, size: int, now: datetime, after: str) -> Hits:
    conditions, given = _conditions(wanted, now)
    table, metres, within = "market_listing l", "NULL::int", "true"
    if wanted.place is not None:
        given |= _around(wanted.place)
        metres = METRES
        if wanted.within_km is not None:
            given |= _spans(nearby.ring(*wanted.place, 0, wanted.within_km * 1000))
            given["within"] = wanted.within_km * 1000
            table, within = SPANS, f"{METRES} <= %(within)s"
    key, order, cast = {
        Sort.PRICE: ("l.usd_per_kg, l.auction_id", "ASC", "numeric"),
        Sort.NEWEST: ("l.auction_id", "DESC", "bigint"),
    }.get(wanted.sort, ("l.closes_at, l.auction_id", "ASC", "timestamptz"))
    if wanted.sort == Sort.PRICE:
        conditions.append("l.usd_per_kg IS NOT NULL")
    if after:
        value, last_id = _read_sorted(after, cast)
        given |= {"value": value, "last_id": last_id}
        conditions.append(
            "l.auction_id < %(last_id)s"
            if wanted.sort == Sort.NEWEST
            else f"({key}) > (%(value)s::{cast}, %(last_id)s)"
        )
    ordered = ", ".join(f"{part} {order}" for part in key.split(", "))
    where = " AND ".join(conditions)
    if table == SPANS:
        table, where = SPANS.format(conditions=where), within
    sql = f"""SELECT l.auction_id, {metres}, {key.split(", ")[0]} FROM {table}
        WHERE {where} ORDER BY {ordered} LIMIT %(size)s"""  # noqa: S608 — only our own words
    rows = _rows(sql, given | {"size": size + 1})
    hits = tuple(Hit(pk, away) for pk, away, _value in rows[:size])
    if len(rows) <= size:
        return Hits(hits, "")
    pk, _away, value = rows[size - 1]
    written = value.isoformat() if isinstance(value, datetime) else str(value)
    return Hits(hits, f"{written}_{pk}")


def _read_sorted(after: str, cast: str) -> tuple[Any, int]:
    readers: dict[str, Callable[[str], Any]] = {
        "timestamptz": datetime.fromisoformat,
        "numeric": Decimal,
        "bigint": int,
    }
    try:
        written, last_id = after.split("_")
        value, number = readers[cast](written), int(last_id)
    except (ValueError, InvalidOperation):
        raise CursorUnknown(after) from None
    is_sound = 0 < number <= LARGEST_ID
    if isinstance(value, Decimal):
        is_sound &= value.is_finite() and abs(value) < MOST
    if isinstance(value, datetime):
        is_sound &= value.tzinfo is not None
    if not is_sound:
        raise CursorUnknown(after)
    return value, number


# --- what both share ------------------------------------------------------------------------------


def _conditions(wanted: Wanted, now: datetime) -> tuple[list[str], dict[str, Any]]:
    conditions, given = ["l.closes_at > %(now)s"], {"now": now}
    for name in EQUAL:
        if value := getattr(wanted, name):
            conditions.append(f"l.{name} = %({name})s")
            given[name] = value
    for sign, pairs in ((">=", AT_LEAST), ("<=", AT_MOST)):
        for name, column in pairs:
            value = getattr(wanted, name)
            if value is not None:
                conditions.append(f"l.{column} {sign} %({name})s")
                given[name] = value
    if wanted.ends_within_hours is not None:
        conditions.append("l.closes_at <= %(soon)s")
        given["soon"] = now + timedelta(hours=wanted.ends_within_hours)
    if wanted.text:
        conditions.append(
            "(position(%(text)s in lower(l.place)) > 0 OR l.lot_id = %(number)s"
            " OR l.chemistry = ANY(%(kinds)s) OR l.origin = ANY(%(origins)s))"
        )
        given |= _named(wanted.text)
    return conditions, given


def _named(text: str) -> dict[str, Any]:
    """Return what a word that somebody typed may stand for."""
    number = text.lstrip("#")
    is_number = number.isascii() and number.isdecimal() and len(number) < 18
    kinds = Chemistry.objects.filter(Q(name__icontains=text) | Q(letters__iexact=text))
    return {
        "text": text.lower(),
        "number": int(number) if is_number else 0,
        "kinds": list(kinds.values_list("code", flat=True)),
        "origins": [
            code for code, label in Lot.Origin.choices if text.casefold() in str(label).casefold()
        ],
    }


def _around(place: tuple[float, float]) -> dict[str, float]:
    latitude, longitude = place
    return {
        "sine": sin(radians(latitude)),
        "cosine": cos(radians(latitude)),
        "longitude": longitude,
    }


def _spans(spans: list[nearby.Span]) -> dict[str, list[Any]]:
    return {
        "strips": [span.strip for span in spans],
        "wests": [floor(100 * span.west) for span in spans],
        "easts": [ceil(100 * span.east) for span in spans],
    }


def _rows(sql: str, given: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        rows: list[Any] = cursor.fetchall()
    return rows
