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
    Seal,
    SealQuerySet,
)
from .cases import Case, CaseQuerySet
from .listings import Listing, ListingQuerySet
from .orders import (
    OrderFill,
    OrderFillQuerySet,
    OrderTerms,
    OrderTermsQuerySet,
    StandingOrder,
    StandingOrderQuerySet,
)
from .questions import Question, QuestionQuerySet

__all__ = [
    "Auction",
    "AuctionQuerySet",
    "Award",
    "AwardQuerySet",
    "Bid",
    "BidQuerySet",
    "Case",
    "CaseQuerySet",
    "Deposit",
    "DepositQuerySet",
    "Listing",
    "ListingQuerySet",
    "OrderFill",
    "OrderFillQuerySet",
    "OrderTerms",
    "OrderTermsQuerySet",
    "Question",
    "QuestionQuerySet",
    "Seal",
    "SealQuerySet",
    "StandingOrder",
    "StandingOrderQuerySet",
]
