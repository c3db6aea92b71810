from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class AuctionScheduled(Event):
    auction_id: int


@dataclass(frozen=True)
class AuctionOpened(Event):
    auction_id: int


@dataclass(frozen=True)
class BidPlaced(Event):
    """Somebody bid. ``outbid_id`` is the organisation that led before and no longer does."""

    auction_id: int
    bid_id: int
    outbid_id: int | None = None


@dataclass(frozen=True)
class AuctionClosed(Event):
    """The hammer fell. Without an award the lot was not sold, or the seller decides."""

    auction_id: int
    award_id: int | None = None


@dataclass(frozen=True)
class AuctionWithdrawn(Event):
    auction_id: int


@dataclass(frozen=True)
class SellerMustDecide(Event):
    auction_id: int


@dataclass(frozen=True)
class LotAwarded(Event):
    """There is a winner: at the close, by the seller's decision, or from the ladder."""

    auction_id: int
    award_id: int


@dataclass(frozen=True)
class PriceTaken(Event):
    """In a Dutch auction somebody took the price. Sealed bids above it are next."""

    auction_id: int
    bid_id: int


@dataclass(frozen=True)
class LastWordBegins(Event):
    """The sealed bids of a Dutch auction are opened. Who took the price may go above the best of them, once more."""

    auction_id: int
    taker_id: int


@dataclass(frozen=True)
class SealMade(Event):
    """Bids of this auction go into envelopes. So many parts of its key open them."""

    auction_id: int
    needed: int
    parts: int


@dataclass(frozen=True)
class SealTried(Event):
    """Somebody or something tried to open an auction's envelopes.

    ``outcome``: OPENED, SHARE_MISSING, KEY_WRONG, ENVELOPE_SPOILED, TOO_EARLY or NOT_ALLOWED.
    """

    auction_id: int
    outcome: str
    parts: int


@dataclass(frozen=True)
class OpeningWaits(Event):
    """Bidding is over, and the envelopes cannot be opened: a part of the key is missing, or spoiled. First time only."""

    auction_id: int


@dataclass(frozen=True)
class AuctionPaused(Event):
    auction_id: int
    reason: str


@dataclass(frozen=True)
class AuctionResumed(Event):
    """The clock runs again, and every moment to come is so much later."""

    auction_id: int
    later_seconds: int


@dataclass(frozen=True)
class QuestionAsked(Event):
    auction_id: int
    question_id: int


@dataclass(frozen=True)
class QuestionAnswered(Event):
    auction_id: int
    question_id: int


@dataclass(frozen=True)
class CaseOpened(Event):
    """A screen found a pattern that people should look at. It proves nothing."""

    case_id: int
    kind: str


@dataclass(frozen=True)
class CaseClosed(Event):
    case_id: int
    outcome: str


@dataclass(frozen=True)
class WinnerDefaulted(Event):
    auction_id: int
    award_id: int


@dataclass(frozen=True)
class OrderPublished(Event):
    """A buyer promises to buy what fits. A changed order is published again, as a further version."""

    order_id: int
    version: int = 1


@dataclass(frozen=True)
class OrderPaused(Event):
    """``why`` is BY_BUYER, LICENCE or DEFAULT."""

    order_id: int
    why: str


@dataclass(frozen=True)
class OrderResumed(Event):
    order_id: int


@dataclass(frozen=True)
class OrderEnded(Event):
    """``how`` is FILLED, EXPIRED or CANCELLED."""

    order_id: int
    how: str


@dataclass(frozen=True)
class OrderFilled(Event):
    """A lot was sold to an order, at once: there is a winner without an auction."""

    order_id: int
    fill_id: int
    award_id: int


@dataclass(frozen=True)
class OrderSaleUndone(Event):
    """A sale to an order fell through before the goods left. The lot is free again."""

    order_id: int
    fill_id: int
    by_buyer: bool


@dataclass(frozen=True)
class SearchMatched(Event):
    """Lots came up that somebody keeps looking for. ``lot_id``: the one, where they are told of each."""

    search_id: int
    count: int
    lot_id: int | None = None
