"""What a contract says about scales and money: tolerance, corrected price, fee, what to propose in a dispute."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from marketplace.core.money import payable
from marketplace.core.quantities import to_the_gram

WEIGHT, CHEMISTRY, DAMAGE = "WEIGHT", "CHEMISTRY", "DAMAGE"


def digest(terms: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a contract, however its fields are ordered.

    >>> digest({"price": "1", "lot": 2}) == digest({"lot": 2, "price": "1"})
    True
    """
    written = json.dumps(terms, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(written.encode()).hexdigest()


def difference_share(declared_kg: Decimal, weighed_kg: Decimal) -> Decimal:
    """Return by how much a scale differs from what was declared, as a share of the declared mass; never negative.

    >>> difference_share(Decimal(112), Decimal("112.448"))
    Decimal('0.004')
    """
    return abs(weighed_kg - declared_kg) / declared_kg


def is_within(declared_kg: Decimal, weighed_kg: Decimal, tolerance_share: Decimal) -> bool:
    """Tell whether the difference settles by itself; exactly the tolerance still does.

    >>> is_within(Decimal(100), Decimal(97), Decimal("0.03"))
    True
    """
    return abs(weighed_kg - declared_kg) <= declared_kg * tolerance_share


def adjusted_price(
    price: Decimal, *, declared_kg: Decimal, accepted_kg: Decimal, currency: str
) -> Decimal:
    """Return the price for another mass than declared: in proportion, never more than the price that is held.

    >>> adjusted_price(Decimal(1000), declared_kg=Decimal(100), accepted_kg=Decimal(90), currency="INR")
    Decimal('900.00')
    """
    return payable(price * min(accepted_kg, declared_kg) / declared_kg, currency)


def price_at_the_scale(
    price: Decimal,
    *,
    declared_kg: Decimal,
    weighed_kg: Decimal,
    tolerance_share: Decimal,
    currency: str,
) -> Decimal:
    """Return what is due for a weighed mass: the agreed price within the tolerance, else in proportion."""
    if is_within(declared_kg, weighed_kg, tolerance_share):
        return price
    return adjusted_price(price, declared_kg=declared_kg, accepted_kg=weighed_kg, currency=currency)


def fee(
    amount: Decimal, *, share: Decimal, currency: str, paid_before: Decimal = Decimal(0)
) -> Decimal:
    """Return the house's fee for paying ``amount``, so that parts together cost what the whole would.

    >>> first = fee(Decimal(50), share=Decimal("0.025"), currency="INR")
    >>> first, fee(Decimal(50), share=Decimal("0.025"), currency="INR", paid_before=Decimal(50))
    (Decimal('1.25'), Decimal('1.25'))
    """
    whole = payable((paid_before + amount) * share, currency)
    return min(amount, max(Decimal(0), whole - payable(paid_before * share, currency)))


@dataclass(frozen=True, slots=True)
class Scales:
    """What the scales said, in kg; none: not weighed there."""

    pickup_kg: Decimal | None = None
    delivery_kg: Decimal | None = None
    third_kg: Decimal | None = None

    def known(self) -> list[Decimal]:
        return [kg for kg in (self.pickup_kg, self.delivery_kg, self.third_kg) if kg is not None]


@dataclass(frozen=True, slots=True)
class Proposal:
    """How a dispute could end: this mass is accepted, at this price."""

    accepted_kg: Decimal
    price: Decimal


def mass_to_propose(scales: Scales, *, tolerance_share: Decimal) -> Decimal:
    """Return the mass that a dispute should settle on.

    The third scale, where there is one. Else the delivery's, if it agrees with the pick-up's within the tolerance;
    else the middle of the two.

    :raises ValueError: if nothing was weighed
    >>> mass_to_propose(Scales(Decimal(112), Decimal(100)), tolerance_share=Decimal("0.03"))
    Decimal('106.000')
    """
    if scales.third_kg is not None:
        return scales.third_kg
    known = scales.known()
    if not known:
        raise ValueError("Nothing was weighed.")
    if scales.pickup_kg is None or scales.delivery_kg is None:
        return known[0]
    if is_within(scales.pickup_kg, scales.delivery_kg, tolerance_share):
        return scales.delivery_kg
    return to_the_gram((scales.pickup_kg + scales.delivery_kg) / 2)


def proposal(
    about: str,
    *,
    price: Decimal,
    declared_kg: Decimal,
    scales: Scales,
    tolerance_share: Decimal,
    damaged_share: Decimal,
    currency: str,
) -> Proposal | None:
    """Return how the rule would end a dispute, or None where only a person can say.

    Weight: the mass as above, the price that belongs to it. Damage: the same, less the price cut for damaged lots.
    Another kind of battery: no rule knows what it is worth.

    :param damaged_share: price cut for damaged lots, in [0, 1]
    """
    if about == CHEMISTRY or not scales.known():
        return None
    accepted_kg = mass_to_propose(scales, tolerance_share=tolerance_share)
    due = price_at_the_scale(
        price,
        declared_kg=declared_kg,
        weighed_kg=accepted_kg,
        tolerance_share=tolerance_share,
        currency=currency,
    )
    if about == DAMAGE:
        due = payable(due * (1 - damaged_share), currency)
    return Proposal(accepted_kg, due)


def undisputed_price(
    about: str, *, price: Decimal, declared_kg: Decimal, scales: Scales, currency: str
) -> Decimal:
    """Return what nobody contests: in a dispute about weight the price of the least that any scale showed, else 0."""
    known = scales.known()
    if about != WEIGHT or not known:
        return Decimal(0)
    return adjusted_price(price, declared_kg=declared_kg, accepted_kg=min(known), currency=currency)
