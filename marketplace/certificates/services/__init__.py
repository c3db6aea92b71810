"""The verbs of this room."""

from .issuing import Contradicted, Prepared, prepare_certificate, store_certificate
from .processing import ProcessingRefused, report_processing
from .publishing import (
    SignedList,
    open_status_list,
    renew_status_lists,
    sign_status_list,
    store_status_list,
)
from .withdrawing import (
    WithdrawalRefused,
    confirm_withdrawal,
    dismiss_withdrawal,
    propose_withdrawal,
)

__all__ = [
    "Contradicted",
    "Prepared",
    "ProcessingRefused",
    "SignedList",
    "WithdrawalRefused",
    "confirm_withdrawal",
    "dismiss_withdrawal",
    "open_status_list",
    "prepare_certificate",
    "propose_withdrawal",
    "renew_status_lists",
    "report_processing",
    "sign_status_list",
    "store_certificate",
    "store_status_list",
]
