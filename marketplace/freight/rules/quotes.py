"""What a trip costs, who may make it, and which offer comes first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from marketplace.core.quantities import great_circle_km

Position = tuple[float, float]


def road_km(a: Position, b: Position, factor: Decimal) -> Decimal:
    """Return the kilometres by road between two (latitude, longitude), to 100 m.

    The great circle times a road factor: an estimate. A routing service may replace this one function.

    :param factor: road km per great-circle km, at least 1
    :source: the parameter ROAD_FACTOR of the reference tables, which names its own source

    >>> road_km((18.52, 73.86), (19.08, 72.88), Decimal("1.35"))
    Decimal('162.7')
    """
    crow = Decimal(str(great_circle_km(a, b)))
    return (crow * factor).quantize(Decimal("0.1"), rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Rates:
    """What a carrier asks, in one currency. The share is added on top for dangerous goods."""

    base: Decimal
    per_km: Decimal
    per_kg: Decimal
    dangerous_goods_share: Decimal


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a price, and why it is there: base, distance, mass or dangerous_goods."""

    code: str
    amount: Decimal


def price_parts(
    rates: Rates, *, distance_km: Decimal, mass_kg: Decimal, is_dangerous: bool
) -> tuple[Part, ...]:
    """Return what a trip costs, part by part, exact, not rounded.

    (base + km x per_km + kg x per_kg) x (1 + dangerous goods share)

    >>> rates = Rates(Decimal(500), Decimal(12), Decimal(1), Decimal("0.2"))
    >>> parts = price_parts(rates, distance_km=Decimal(100), mass_kg=Decimal(300), is_dangerous=True)
    >>> [(part.code, str(part.amount)) for part in parts]
    [('base', '500'), ('distance', '1200'), ('mass', '300'), ('dangerous_goods', '400.0')]
    """
    parts = [
        Part("base", rates.base),
        Part("distance", distance_km * rates.per_km),
        Part("mass", mass_kg * rates.per_kg),
    ]
    if is_dangerous:
        plain = sum((part.amount for part in parts), Decimal(0))
        parts.append(Part("dangerous_goods", plain * rates.dangerous_goods_share))
    return tuple(parts)


@dataclass(frozen=True, slots=True)
class Load:
    """What has to be carried, from where to where."""

    origin: Position
    from_country: str
    to_country: str
    mass_kg: Decimal


@dataclass(frozen=True, slots=True)
class Offered:
    """Where a carrier picks up, and how much its vehicle takes."""

    centre: Position
    radius_km: int
    countries: Collection[str]
    capacity_kg: Decimal


def carries(card: Offered, load: Load) -> bool:
    """Tell whether a carrier's card covers a load: both countries, the pick-up within its radius, and the mass."""
    return (
        load.from_country in card.countries
        and load.to_country in card.countries
        and load.mass_kg <= card.capacity_kg
        and great_circle_km(card.centre, load.origin) <= card.radius_km
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """A price that came in. ``key`` makes the order total and always the same."""

    key: int
    price: Decimal
    pickup_on: date | None


def ranked(offers: Sequence[Offer]) -> list[Offer]:
    """Return offers with the best first: the lower price, then the earlier pick-up, then the older key."""
    return sorted(offers, key=lambda offer: (offer.price, offer.pickup_on or date.max, offer.key))
