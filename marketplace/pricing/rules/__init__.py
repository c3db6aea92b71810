"""What this room decides by itself: pure functions.

``inputs`` says what a value is computed from, ``sums`` adds it up exactly, ``sample`` draws its range, ``valuation`` puts
them together.
"""

from .inputs import (
    NOTHING,
    Band,
    Gate,
    Inputs,
    Makeup,
    Metal,
    Pack,
    Recipe,
    Route,
    Step,
    Term,
    Trip,
    summed,
)
from .sample import SAMPLES
from .sums import life_factor, lithium_point_usd, price_at, recycling_terms, terms_of
from .valuation import (
    VERSION,
    Because,
    EvidenceWorth,
    RouteWorth,
    Worth,
    barred,
    chosen,
    grade_of,
    quote_band,
    rough,
    value,
    value_many,
)

__all__ = [
    "NOTHING",
    "SAMPLES",
    "VERSION",
    "Band",
    "Because",
    "EvidenceWorth",
    "Gate",
    "Inputs",
    "Makeup",
    "Metal",
    "Pack",
    "Recipe",
    "Route",
    "RouteWorth",
    "Step",
    "Term",
    "Trip",
    "Worth",
    "barred",
    "chosen",
    "grade_of",
    "life_factor",
    "lithium_point_usd",
    "price_at",
    "quote_band",
    "recycling_terms",
    "rough",
    "summed",
    "terms_of",
    "value",
    "value_many",
]
