"""What a buyer looks for, as plain facts that can be kept, compared and asked of the database."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from marketplace.core.quantities import great_circle_km


class Sort(StrEnum):
    """In which order lots are shown."""

    ENDS = "ends"
    NEAR = "near"
    PRICE = "price"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a search. What is left out lets everything pass; a lot whose fact is not known does not pass.

    Masses in kg, health as a share of the rated capacity, prices in US dollars a kg at the price of now (sealed
    auctions: at which bidding starts), positions in degrees.
    """

    kind: str = ""
    chemistry: str = ""
    origin: str = ""
    country: str = ""
    mode: str = ""
    route: str = ""
    text: str = ""
    kg_from: Decimal | None = None
    kg_to: Decimal | None = None
    health_from: Decimal | None = None
    usd_per_kg_from: Decimal | None = None
    usd_per_kg_to: Decimal | None = None
    ends_after: datetime | None = None
    ends_before: datetime | None = None
    ends_within_hours: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    within_km: int | None = None
    sort: Sort = Sort.ENDS

    @property
    def place(self) -> tuple[float, float] | None:
        """From where it is measured how far a lot is: latitude and longitude."""
        if self.latitude is None or self.longitude is None:
            return None
        return self.latitude, self.longitude

    def plain(self) -> dict[str, str | int | float]:
        """Return what is asked for as JSON, without what is left out."""
        return {
            name: value if isinstance(value, int | float) else _text(value)
            for name, value in asdict(self).items()
            if value not in (None, "")
        }

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        """Return what ``plain`` wrote. What it does not know is left out, so that old rows survive new filters."""
        names = {field.name for field in fields(cls)} & plain.keys()
        return cls(**{name: READERS.get(name, _as_it_is)(plain[name]) for name in names})


def _as_it_is(value: Any) -> Any:
    return value


READERS: Mapping[str, Callable[[Any], Any]] = {
    "kg_from": Decimal,
    "kg_to": Decimal,
    "health_from": Decimal,
    "usd_per_kg_from": Decimal,
    "usd_per_kg_to": Decimal,
    "ends_after": datetime.fromisoformat,
    "ends_before": datetime.fromisoformat,
    "sort": Sort,
}


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of one lot that is open for bids, in the words of ``Wanted``."""

    kind: str
    chemistry: str
    origin: str
    country: str
    mode: str
    route: str
    place: str
    lot_id: int
    mass_kg: Decimal
    closes_at: datetime
    health: Decimal | None
    usd_per_kg: Decimal | None
    latitude: float | None
    longitude: float | None


def fits(wanted: Wanted, lot: Found, *, now: datetime) -> bool:
    """Tell whether a lot is what somebody looks for. The database answers the same in ``queries.search``."""
    same = ("kind", "chemistry", "origin", "country", "mode", "route")
    if any(getattr(wanted, name) not in ("", getattr(lot, name)) for name in same):
        return False
    if lot.closes_at <= now:
        return False
    if wanted.ends_within_hours is not None:
        soon = now + timedelta(hours=wanted.ends_within_hours)
        if lot.closes_at > soon:
            return False
    bands = (
        (lot.mass_kg, wanted.kg_from, wanted.kg_to),
        (lot.health, wanted.health_from, None),
        (lot.usd_per_kg, wanted.usd_per_kg_from, wanted.usd_per_kg_to),
        (lot.closes_at, wanted.ends_after, wanted.ends_before),
    )
    return (
        all(_lies_in(value, low, high) for value, low, high in bands)
        and _is_within(wanted, lot)
        and _is_named(wanted.text, lot)
    )


def _lies_in(value: Any, low: Any, high: Any) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _is_within(wanted: Wanted, lot: Found) -> bool:
    if wanted.place is None or wanted.within_km is None:
        return True
    if lot.latitude is None or lot.longitude is None:
        return False
    away = great_circle_km(wanted.place, (lot.latitude, lot.longitude))
    return round(away * 1000) <= wanted.within_km * 1000


def _is_named(text: str, lot: Found) -> bool:
    return (
        not text or text.casefold() in lot.place.casefold() or text.lstrip("#") == str(lot.lot_id)
    )


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
