from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class LotValued(Event):
    lot_id: int
    valuation_id: int


@dataclass(frozen=True)
class IndexPublished(Event):
    """The price index of a day was published: so many values, so many of them corrections of earlier ones."""

    on: str
    values: int
    revisions: int


@dataclass(frozen=True)
class ExclusionProposed(Event):
    """Somebody of the site says that a settled deal should not count in the index. Another decides."""

    exclusion_id: int
    deal_id: int


@dataclass(frozen=True)
class DealTakenOut(Event):
    """A deal no longer counts in the index; so many published values were corrected. The reason is public."""

    exclusion_id: int
    deal_id: int
    lot_id: int
    seller_id: int
    buyer_id: int
    reason: str
    revisions: int


@dataclass(frozen=True)
class ExclusionRefused(Event):
    """A second person saw it otherwise: the deal counts on."""

    exclusion_id: int
