"""Doors for machines."""

from typing import Any

from marketplace.journal.services import Finish

from . import services
from .models import Payment


def ask_payment_service(payload: dict[str, Any]) -> Finish:
    """Job: ask the payment service to move money in or out."""
    return services.ask_payment_service(Payment.objects.get(pk=payload["payment"]))


def reconcile(payload: dict[str, Any]) -> Finish:
    """Nightly: compute every sum of the ledger anew."""
    return services.reconcile()
