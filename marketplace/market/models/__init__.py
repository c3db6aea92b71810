"""What this room keeps."""

from .auctions import (
    Auction,
    AuctionQuerySet,
    Award,
    AwardQuerySet,
    Bid,
    BidQuerySet,
    Deposit,
    DepositQuerySet,
)

__all__ = [
    "Auction",
    "AuctionQuerySet",
    "Award",
    "AwardQuerySet",
    "Bid",
    "BidQuerySet",
    "Deposit",
    "DepositQuerySet",
]
