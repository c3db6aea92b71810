"""What services and pages ask the market, one subject a module."""

from .auctions import (
    SHOWN,
    AuctionView,
    Line,
    Suggestion,
    award_of,
    bidding_licence,
    current_auction,
    letter_of,
    letters_of,
    offers_of,
    standing_of,
    suggested_terms,
    terms_of,
    view_of,
)

__all__ = [
    "SHOWN",
    "AuctionView",
    "Line",
    "Suggestion",
    "award_of",
    "bidding_licence",
    "current_auction",
    "letter_of",
    "letters_of",
    "offers_of",
    "standing_of",
    "suggested_terms",
    "terms_of",
    "view_of",
]
