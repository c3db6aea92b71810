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
from .opening import AuctionRefused, open_auction, open_planned_auction, withdraw_auction

__all__ = [
    "AuctionRefused",
    "BidRefused",
    "DecisionRefused",
    "advance_ladder",
    "close_auction",
    "decide",
    "end_ladder",
    "expire_decision",
    "open_auction",
    "open_planned_auction",
    "place_bid",
    "release_deposit",
    "withdraw_auction",
]
