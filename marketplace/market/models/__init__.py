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
from .orders import (
    OrderFill,
    OrderFillQuerySet,
    OrderTerms,
    OrderTermsQuerySet,
    StandingOrder,
    StandingOrderQuerySet,
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
    "Listing",
    "ListingQuerySet",
    "OrderFill",
    "OrderFillQuerySet",
    "OrderTerms",
    "OrderTermsQuerySet",
    "StandingOrder",
    "StandingOrderQuerySet",
]
