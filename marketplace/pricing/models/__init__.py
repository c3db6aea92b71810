"""What this room keeps."""

from .index import IndexValue, IndexValueQuerySet, SettledPrice, SettledPriceQuerySet
from .valuation import Valuation, ValuationQuerySet

__all__ = [
    "IndexValue",
    "IndexValueQuerySet",
    "SettledPrice",
    "SettledPriceQuerySet",
    "Valuation",
    "ValuationQuerySet",
]
