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
from .searches import SavedSearch, SavedSearchQuerySet, SearchHit, SearchHitQuerySet

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
    "SavedSearch",
    "SavedSearchQuerySet",
    "Seal",
    "SealQuerySet",
    "SearchHit",
    "SearchHitQuerySet",
    "StandingOrder",
    "StandingOrderQuerySet",
]
