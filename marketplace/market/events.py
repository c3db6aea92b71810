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
