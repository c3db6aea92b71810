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
class WinnerDefaulted(Event):
    auction_id: int
    award_id: int
