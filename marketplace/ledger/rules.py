"""Double entry, as arithmetic: what each verb moves between which pots, and what may not happen."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

AVAILABLE = "AVAILABLE"
HELD = "HELD"
OUTSIDE = "OUTSIDE"
FEES = "FEES"
HOUSE = frozenset({OUTSIDE, FEES})
"""Pots without an owner. No running balance is kept on them: every movement would wait for the same row."""

HIGHEST = Decimal("99999999999999.99")


@dataclass(frozen=True, slots=True, order=True)
class Pot:
    """Where money can be: an owner's pot of one kind, or one of the house's (owner 0)."""

    owner: int
    kind: str


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a movement: what a pot gains, or loses if negative."""

    pot: Pot
    amount: Decimal


class Unsound(ValueError):
    """A movement that no ledger may hold: a mistake of the programme, never of a person."""


def outside() -> Pot:
    return Pot(0, OUTSIDE)


def top_up(owner: int, amount: Decimal) -> list[Leg]:
    """Money comes in from the world.

    >>> [str(leg.amount) for leg in top_up(7, Decimal(5))]
    ['-5', '5']
    """
    return _move(amount, outside(), Pot(owner, AVAILABLE))


def pay_out(owner: int, amount: Decimal) -> list[Leg]:
    """Money goes out into the world."""
    return _move(amount, Pot(owner, AVAILABLE), outside())


def hold(owner: int, amount: Decimal) -> list[Leg]:
    """Put money aside: its owner cannot spend it any more."""
    return _move(amount, Pot(owner, AVAILABLE), Pot(owner, HELD))


def release(owner: int, amount: Decimal) -> list[Leg]:
    """Give held money back to its owner."""
    return _move(amount, Pot(owner, HELD), Pot(owner, AVAILABLE))


def forfeit(owner: int, to: int, amount: Decimal) -> list[Leg]:
    """Give held money to somebody else."""
    return _move(amount, Pot(owner, HELD), Pot(to, AVAILABLE))


def settle(
    owner: int,
    to: int,
    *,
    held: Decimal,
    amount: Decimal,
    fee: Decimal = Decimal(0),
    refund_rest: bool = True,
) -> list[Leg]:
    """Pay out of held money: ``amount`` leaves the owner, of which the house keeps ``fee``; the rest goes back.

    :param held: what is held for this purpose; at least ``amount``
    :raises Unsound: if less is held, or the fee is more than the amount
    """
    if not Decimal(0) <= fee <= amount <= held or amount <= 0:
        raise Unsound(f"Cannot pay {amount} with a fee of {fee} from {held}.")
    rest = held - amount if refund_rest else Decimal(0)
    return [
        leg
        for leg in (
            Leg(Pot(owner, HELD), -(amount + rest)),
            Leg(Pot(to, AVAILABLE), amount - fee),
            Leg(Pot(0, FEES), fee),
            Leg(Pot(owner, AVAILABLE), rest),
        )
        if leg.amount
    ]


def check(legs: Sequence[Leg]) -> None:
    """Refuse what is not a movement.

    :raises Unsound: fewer than two legs, a pot named twice, nothing moved, or a sum other than zero
    """
    if len(legs) < 2 or len({leg.pot for leg in legs}) < len(legs):
        raise Unsound("A movement has at least two legs, each in a pot of its own.")
    if any(not leg.amount.is_finite() or not leg.amount for leg in legs):
        raise Unsound("Every leg moves something.")
    if any(abs(leg.amount) > HIGHEST for leg in legs):
        raise Unsound("A leg moves more than an account can hold.")
    if sum((leg.amount for leg in legs), Decimal(0)):
        raise Unsound("The legs of a movement sum to zero.")


def after(balances: Mapping[Pot, Decimal], legs: Sequence[Leg]) -> dict[Pot, Decimal]:
    """Return the balances of the owned pots after a movement. The house's pots are left out.

    >>> after({Pot(7, "AVAILABLE"): Decimal(9)}, hold(7, Decimal(4)))[Pot(7, "HELD")]
    Decimal('4')
    """
    changed = {
        leg.pot: balances.get(leg.pot, Decimal(0)) + leg.amount
        for leg in legs
        if leg.pot.kind not in HOUSE
    }
    return {**balances, **changed}


def overdrawn(balances: Mapping[Pot, Decimal]) -> list[Pot]:
    """Return the owned pots that would be below zero."""
    return [pot for pot, balance in balances.items() if balance < 0 and pot.kind not in HOUSE]


def fingerprint(kind: str, purpose: str, currency: str, legs: Sequence[Leg]) -> str:
    """Return the hash by which a repeated movement is told from another one with the same key.

    >>> fingerprint("HOLD", "auction:7", "INR", hold(7, Decimal("5"))) == fingerprint(
    ...     "HOLD", "auction:7", "INR", hold(7, Decimal("5.00"))
    ... )
    True
    """
    sides = sorted([leg.pot.owner, leg.pot.kind, f"{leg.amount:.2f}"] for leg in legs)
    canonical = json.dumps([kind, purpose, currency, sides], separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _move(amount: Decimal, source: Pot, target: Pot) -> list[Leg]:
    if not amount.is_finite() or amount <= 0:
        raise Unsound(f"Cannot move {amount}.")
    return [Leg(source, -amount), Leg(target, amount)]
