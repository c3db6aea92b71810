"""What this room does."""

from .index import note_settled_price, publish_index
from .valuations import (
    PRICE_LOT,
    SEED,
    VALUED,
    ask_for_price,
    keep_valuation,
    keep_valuations,
    price_lot,
    revalue_all,
    value_lot,
    value_lots,
)

__all__ = [
    "PRICE_LOT",
    "SEED",
    "VALUED",
    "ask_for_price",
    "keep_valuation",
    "keep_valuations",
    "note_settled_price",
    "price_lot",
    "publish_index",
    "revalue_all",
    "value_lot",
    "value_lots",
]
