"""What can be done with a deal, from the award to the money. Every verb works on the locked row of the deal."""

from .assays import AssayRefused, send_assay
from .contract import (
    CancelRefused,
    ContractChanged,
    FundRefused,
    SignRefused,
    cancel,
    fund,
    open_deal,
    sign,
)
from .deadlines import expire, expire_overdue
from .disputes import (
    DisputeRefused,
    agree_dispute,
    decide_dispute,
    escalate,
    open_dispute,
    propose,
)
from .ending import settle
from .found import ARRIVED, record_found_health, record_found_test
from .inspection import (
    InspectionRefused,
    OutsideTolerance,
    accept,
    agree_adjustment,
    confirm_return,
    part_accept,
    propose_adjustment,
    reject,
)
from .journey import (
    WeighingRefused,
    mark_arrived,
    mark_carrier_booked,
    mark_certified,
    mark_picked_up,
    mark_processed,
    weigh,
)
from .reckoning import ReckoningRefused, agree_assay, ask_umpire, terms_of

__all__ = [
    "ARRIVED",
    "AssayRefused",
    "CancelRefused",
    "ContractChanged",
    "DisputeRefused",
    "FundRefused",
    "InspectionRefused",
    "OutsideTolerance",
    "ReckoningRefused",
    "SignRefused",
    "WeighingRefused",
    "accept",
    "agree_adjustment",
    "agree_assay",
    "agree_dispute",
    "ask_umpire",
    "cancel",
    "confirm_return",
    "decide_dispute",
    "escalate",
    "expire",
    "expire_overdue",
    "fund",
    "mark_arrived",
    "mark_carrier_booked",
    "mark_certified",
    "mark_picked_up",
    "mark_processed",
    "open_deal",
    "open_dispute",
    "part_accept",
    "propose",
    "propose_adjustment",
    "record_found_health",
    "record_found_test",
    "reject",
    "send_assay",
    "settle",
    "sign",
    "terms_of",
    "weigh",
]
