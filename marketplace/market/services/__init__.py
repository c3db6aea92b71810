"""Everything that can be done on the market: auctions from plan to ladder, and standing orders."""

from .bidding import BidRefused, place_bid
from .bulk import MOST_ROWS, Outcome, Row, SheetRefused, place_bids
from .closing import (
    DecisionRefused,
    advance_ladder,
    close_auction,
    decide,
    end_ladder,
    expire_decision,
    give_up_opening,
    release_deposit,
)
from .filling import hand_over_kg, sell_now
from .formulas import Compared, TermsRefused, compare_terms, materials_of, place_formula_bid
from .listings import list_auction, refresh_listings, unlist_auction
from .opening import AuctionRefused, open_auction, open_planned_auction, withdraw_auction
from .orders import (
    OrderRefused,
    OrderSaid,
    cancel_order,
    change_order,
    expire_order,
    pause_order,
    pause_uncovered,
    publish_order,
    resume_order,
)
from .pausing import (
    PauseRefused,
    pause_auction,
    pause_market,
    resume_auction,
    resume_market,
)
from .questions import QuestionRefused, answer, ask
from .screening import CaseRefused, close_case, findings, open_cases
from .sealing import SealRefused, refuse_early_opening
from .searches import (
    MOST_SEARCHES,
    SearchRefused,
    change_alerts,
    forget_search,
    match_searches,
    save_search,
    tell_digests,
)

__all__ = [
    "MOST_ROWS",
    "MOST_SEARCHES",
    "AuctionRefused",
    "BidRefused",
    "CaseRefused",
    "Compared",
    "DecisionRefused",
    "OrderRefused",
    "OrderSaid",
    "Outcome",
    "PauseRefused",
    "QuestionRefused",
    "Row",
    "SealRefused",
    "SearchRefused",
    "SheetRefused",
    "TermsRefused",
    "advance_ladder",
    "answer",
    "ask",
    "cancel_order",
    "change_alerts",
    "change_order",
    "close_auction",
    "close_case",
    "compare_terms",
    "decide",
    "end_ladder",
    "expire_decision",
    "expire_order",
    "findings",
    "forget_search",
    "give_up_opening",
    "hand_over_kg",
    "list_auction",
    "match_searches",
    "materials_of",
    "open_auction",
    "open_cases",
    "open_planned_auction",
    "pause_auction",
    "pause_market",
    "pause_order",
    "pause_uncovered",
    "place_bid",
    "place_bids",
    "place_formula_bid",
    "publish_order",
    "refresh_listings",
    "refuse_early_opening",
    "release_deposit",
    "resume_auction",
    "resume_market",
    "resume_order",
    "save_search",
    "sell_now",
    "tell_digests",
    "unlist_auction",
    "withdraw_auction",
]
