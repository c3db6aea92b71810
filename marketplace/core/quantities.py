"""Masses and distances. Kilograms to the gram; positions in degrees, WGS 84."""

from decimal import ROUND_HALF_EVEN, Decimal
from math import asin, cos, radians, sin, sqrt

GRAM = Decimal("0.001")
EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG


def to_the_gram(mass_kg: Decimal) -> Decimal:
    """Round a mass to the gram.

    >>> to_the_gram(Decimal("1.23456"))
    Decimal('1.235')
    """
    return mass_kg.quantize(GRAM, rounding=ROUND_HALF_EVEN)


def great_circle_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the distance in km along the great circle between two (latitude, longitude) in degrees.

    >>> round(great_circle_km((18.52, 73.86), (19.08, 72.88)))
    120
    """
    (lat1, lon1), (lat2, lon2) = [(radians(lat), radians(lon)) for lat, lon in (a, b)]
    h = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, h)))
