"""What this room keeps."""

from .valuation import Valuation, ValuationQuerySet

__all__ = ["Valuation", "ValuationQuerySet"]
