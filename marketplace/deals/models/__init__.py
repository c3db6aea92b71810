from .deals import Deal, DealQuerySet, Dispute, Weighing
from .reckoning import Assay, AssayResult, Party, Reckoning

__all__ = [
    "Assay",
    "AssayResult",
    "Deal",
    "DealQuerySet",
    "Dispute",
    "Party",
    "Reckoning",
    "Weighing",
]
