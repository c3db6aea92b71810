"""Amounts of money: exact decimals with an ISO 4217 currency, rounded only where money changes hands."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from babel.numbers import get_currency_precision


def minor_unit(currency: str) -> Decimal:
    """Return the smallest payable amount of a currency.

    >>> minor_unit("INR"), minor_unit("JPY")
    (Decimal('0.01'), Decimal('1'))
    """
    return Decimal(1).scaleb(-get_currency_precision(currency))


def payable(amount: Decimal, currency: str) -> Decimal:
    """Round to what can be paid, half to even.

    >>> payable(Decimal("10.005"), "INR"), payable(Decimal("10.5"), "VND")
    (Decimal('10.00'), Decimal('10'))
    """
    return amount.quantize(minor_unit(currency), rounding=ROUND_HALF_EVEN)


def split(amount: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Split an amount in proportion to weights, exact to the minor unit (largest remainder; ties to the first).

    :raises ValueError: if no weight is positive, or one is negative
    >>> split(Decimal("1.00"), [Decimal(1)] * 3, "INR")
    [Decimal('0.34'), Decimal('0.33'), Decimal('0.33')]
    """
    whole = sum(weights, Decimal(0))
    if whole <= 0 or min(weights) < 0:
        raise ValueError("Weights must not be negative, and one must be positive.")
    unit = minor_unit(currency)
    exact = [amount * weight / whole for weight in weights]
    parts = [share.quantize(unit, rounding=ROUND_DOWN) for share in exact]
    missing = int((amount - sum(parts, Decimal(0))) / unit)
    order = sorted(range(len(parts)), key=lambda at: (parts[at] - exact[at], at))
    for at in order[:missing]:
        parts[at] += unit
    return parts
