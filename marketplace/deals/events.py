from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class DealOpened(Event):
    deal_id: int


@dataclass(frozen=True)
class DealSigned(Event):
    """Both parties have signed."""

    deal_id: int


@dataclass(frozen=True)
class DealFunded(Event):
    """The buyer's money is held safely; the lot may be fetched."""

    deal_id: int


@dataclass(frozen=True)
class LotWeighed(Event):
    deal_id: int
    weighing_id: int


@dataclass(frozen=True)
class DealAdjusted(Event):
    """The scales differ by more than the contract allows; a corrected price is proposed to the seller."""

    deal_id: int


@dataclass(frozen=True)
class DealAccepted(Event):
    deal_id: int


@dataclass(frozen=True)
class DealRejected(Event):
    deal_id: int


@dataclass(frozen=True)
class DealSettled(Event):
    """The seller has been paid for what was accepted: so many kilograms, for so much.

    Amounts are exact text and moments ISO 8601, as the journal keeps them. ``offered_at`` is when bidding opened.
    """

    deal_id: int
    lot_id: int = 0
    seller_id: int = 0
    buyer_id: int = 0
    accepted_kg: str = ""
    price: str = ""
    currency: str = ""
    offered_at: str = ""


@dataclass(frozen=True)
class DealDefaulted(Event):
    """One party let its deadline pass. ``by_buyer`` says which."""

    deal_id: int
    award_id: int
    by_buyer: bool


@dataclass(frozen=True)
class DealCancelled(Event):
    deal_id: int


@dataclass(frozen=True)
class DealReturned(Event):
    """What was rejected is back with the seller, and the money back with the buyer."""

    deal_id: int


@dataclass(frozen=True)
class CancellationAsked(Event):
    """One party would like to call the deal off; the other has to agree."""

    deal_id: int
    asked_by_id: int


@dataclass(frozen=True)
class DisputeOpened(Event):
    deal_id: int
    dispute_id: int


@dataclass(frozen=True)
class DisputeEnded(Event):
    deal_id: int
    dispute_id: int


@dataclass(frozen=True)
class AssaySent(Event):
    """A laboratory's result is in. ``party`` is SELLER, BUYER or UMPIRE; what it says stays sealed until both are in."""

    deal_id: int
    assay_id: int
    party: str


@dataclass(frozen=True)
class AssaysDiffer(Event):
    """Two assays lie further apart than the contract splits: one side agrees to the other's, or asks an umpire."""

    deal_id: int


@dataclass(frozen=True)
class AssayAgreed(Event):
    """One side agreed to the other's assay. ``agreed_to`` is SELLER or BUYER."""

    deal_id: int
    agreed_to: str


@dataclass(frozen=True)
class UmpireAsked(Event):
    deal_id: int
    asked_by_id: int


@dataclass(frozen=True)
class PriceReckoned(Event):
    """The terms of the bid gave the final price. Exact text, as the statement with this fingerprint says."""

    deal_id: int
    price: str
    currency: str
    statement_sha256: str
