"""What a contract says about scales, money and terms: pure functions, one subject a module."""

from .reckoning import (
    Contract,
    Days,
    contract_of,
    final_settlement,
    statement,
    written,
)
from .scales import (
    CHEMISTRY,
    DAMAGE,
    WEIGHT,
    Proposal,
    Scales,
    adjusted_price,
    difference_share,
    digest,
    fee,
    is_within,
    mass_to_propose,
    price_at_the_scale,
    proposal,
    undisputed_price,
)

__all__ = [
    "CHEMISTRY",
    "DAMAGE",
    "WEIGHT",
    "Contract",
    "Days",
    "Proposal",
    "Scales",
    "adjusted_price",
    "contract_of",
    "difference_share",
    "digest",
    "fee",
    "final_settlement",
    "is_within",
    "mass_to_propose",
    "price_at_the_scale",
    "proposal",
    "statement",
    "undisputed_price",
    "written",
]
