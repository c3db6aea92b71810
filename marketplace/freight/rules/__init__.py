"""What a trip costs and how it goes: pure functions, one subject a module."""

from .quotes import (
    Load,
    Offer,
    Offered,
    Part,
    Position,
    Rates,
    carries,
    price_parts,
    ranked,
    road_km,
)

__all__ = [
    "Load",
    "Offer",
    "Offered",
    "Part",
    "Position",
    "Rates",
    "carries",
    "price_parts",
    "ranked",
    "road_km",
]
