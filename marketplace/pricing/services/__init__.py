"""What this room does."""

from .valuations import (
    PRICE_LOT,
    SEED,
    VALUED,
    ask_for_price,
    keep_valuation,
    price_lot,
    revalue_all,
    value_lot,
)

__all__ = [
    "PRICE_LOT",
    "SEED",
    "VALUED",
    "ask_for_price",
    "keep_valuation",
    "price_lot",
    "revalue_all",
    "value_lot",
]
