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
from .listings import Listing, ListingQuerySet

__all__ = [
    "Auction",
    "AuctionQuerySet",
    "Award",
    "AwardQuerySet",
    "Bid",
    "BidQuerySet",
    "Deposit",
    "DepositQuerySet",
    "Listing",
    "ListingQuerySet",
]
