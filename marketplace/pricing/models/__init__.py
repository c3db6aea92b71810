"""What this room keeps."""

from .exclusions import Exclusion, ExclusionQuerySet
from .index import IndexValue, IndexValueQuerySet, SettledPrice, SettledPriceQuerySet
from .valuation import Valuation, ValuationQuerySet

__all__ = [
    "Exclusion",
    "ExclusionQuerySet",
    "IndexValue",
    "IndexValueQuerySet",
    "SettledPrice",
    "SettledPriceQuerySet",
    "Valuation",
    "ValuationQuerySet",
]
