"""Everything that can be done with an auction: plan, open, bid, close, decide, move down the ladder."""

from .bidding import BidRefused, place_bid
from .closing import (
    DecisionRefused,
    advance_ladder,
    close_auction,
    decide,
    end_ladder,
    expire_decision,
    release_deposit,
)
from .formulas import Compared, TermsRefused, compare_terms, materials_of, place_formula_bid
from .listings import list_auction, refresh_listings, unlist_auction
from .opening import AuctionRefused, open_auction, open_planned_auction, withdraw_auction

__all__ = [
    "AuctionRefused",
    "BidRefused",
    "Compared",
    "DecisionRefused",
    "TermsRefused",
    "advance_ladder",
    "close_auction",
    "compare_terms",
    "decide",
    "end_ladder",
    "expire_decision",
    "list_auction",
    "materials_of",
    "open_auction",
    "open_planned_auction",
    "place_bid",
    "place_formula_bid",
    "refresh_listings",
    "release_deposit",
    "unlist_auction",
    "withdraw_auction",
]
