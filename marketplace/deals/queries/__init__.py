"""What services, pages and programs ask about deals, one subject a module."""

from .quotes import quotes_and_rate
from .rooms import (
    BUYER,
    CARRIER,
    JUDGE,
    SELLER,
    STEPS,
    Difference,
    Scale,
    assays_sent,
    deadline,
    difference,
    held,
    mine_first,
    scales,
    side_of,
    steps_done,
    turn,
)

__all__ = [
    "BUYER",
    "CARRIER",
    "JUDGE",
    "SELLER",
    "STEPS",
    "Difference",
    "Scale",
    "assays_sent",
    "deadline",
    "difference",
    "held",
    "mine_first",
    "quotes_and_rate",
    "scales",
    "side_of",
    "steps_done",
    "turn",
]
