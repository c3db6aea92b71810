"""What this room does."""

from .exclusions import (
    ExclusionNotAllowed,
    confirm_exclusion,
    propose_exclusion,
    refuse_exclusion,
)
from .index import note_settled_price, publish_index, revise_index
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
    "ExclusionNotAllowed",
    "ask_for_price",
    "confirm_exclusion",
    "keep_valuation",
    "keep_valuations",
    "note_settled_price",
    "price_lot",
    "propose_exclusion",
    "publish_index",
    "refuse_exclusion",
    "revalue_all",
    "revise_index",
    "value_lot",
    "value_lots",
]
