"""Who leads an auction, at what price, and who gets the lot: functions of the list of bids and nothing else."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from marketplace.core.money import minor_unit, payable

HIGHEST = Decimal("999999999999.99")
"""What a bid's column can hold. More is a mistake in any of our currencies."""

WARNING_FACTOR = 5
""":source: reference parameter BID_WARNING_FACTOR"""

OVERTIME_SECONDS = 300
""":source: reference parameter OVERTIME_MINUTES"""

DEPOSIT_SHARE = Decimal("0.05")
"""Of the starting price, which everybody may know; a share of the reserve would give the reserve away.

:source: reference parameter DEPOSIT_SHARE
"""

OVERTIME_ROUNDS = 12
"""Overtime ends at the latest this many times its length after the planned close."""

STANDBYS = 3
LONGEST = timedelta(days=30)
LONGEST_OVERTIME_SECONDS = 3600
DECISION_TIME = timedelta(hours=24)
""":source: PRODUCT 1.1, below reserve the seller has 24 h"""


@dataclass(frozen=True, slots=True)
class Offer:
    """One bid, in the order in which they were placed."""

    bidder: int
    maximum: Decimal


@dataclass(frozen=True, slots=True)
class Terms:
    """What an auction's price depends on, besides the bids. ``reserve`` is secret."""

    starting_price: Decimal
    reserve: Decimal
    step: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """Who leads, what they would pay now, and up to what they would go (secret)."""

    bidder: int
    price: Decimal
    maximum: Decimal


@dataclass(frozen=True, slots=True)
class Rung:
    """One place of the ladder of a result: the first wins, the others stand by."""

    bidder: int
    price: Decimal
    maximum: Decimal


def best_of_each(offers: Iterable[Offer]) -> list[Offer]:
    """Return every bidder's highest bid, best first. Of equal ones the earlier is better."""
    best: dict[int, tuple[Decimal, int]] = {}
    for place, offer in enumerate(offers):
        if offer.bidder not in best or offer.maximum > best[offer.bidder][0]:
            best[offer.bidder] = (offer.maximum, place)
    order = sorted(best.items(), key=lambda item: (-item[1][0], item[1][1]))
    return [Offer(bidder, maximum) for bidder, (maximum, _place) in order]


def standing(offers: Iterable[Offer], terms: Terms) -> Standing | None:
    """Return who leads an open auction and at what price; none without bids. ``offers`` are in their order in time.

    The highest maximum leads, of equal ones the earlier. It pays one step more than the second highest, at least the
    starting price, never more than itself. As soon as it reaches the reserve it pays at least the reserve: so a lone
    bidder who meets the reserve gets the lot. Raising one's own maximum moves one's own price only by meeting the
    reserve: who was met at their maximum by an equal bid, and goes on bidding, does not pay a step for it.

    >>> standing([Offer(1, Decimal(500)), Offer(2, Decimal(300))], Terms(Decimal(100), Decimal(100), Decimal(10)))
    Standing(bidder=1, price=Decimal('310'), maximum=Decimal('500'))
    """
    now: Standing | None = None
    for offer in offers:
        now = standing_after(now, offer, terms)
    return now


def standing_after(now: Standing | None, offer: Offer, terms: Terms) -> Standing:
    """Return who leads after one more bid, from who led before: it needs one row instead of all bids."""
    if now is None:
        return Standing(
            offer.bidder, _capped(terms.starting_price, offer.maximum, terms), offer.maximum
        )
    if offer.bidder == now.bidder:
        maximum = max(now.maximum, offer.maximum)
        return Standing(now.bidder, _capped(now.price, maximum, terms), maximum)
    if offer.maximum > now.maximum:
        price = max(terms.starting_price, now.maximum + terms.step)
        return Standing(offer.bidder, _capped(price, offer.maximum, terms), offer.maximum)
    price = max(now.price, offer.maximum + terms.step)
    return Standing(now.bidder, _capped(price, now.maximum, terms), now.maximum)


def least_bid(now: Standing | None, bidder: int, terms: Terms) -> Decimal:
    """Return the lowest maximum that is accepted from a bidder in an open auction."""
    if now is None:
        return terms.starting_price
    if now.bidder == bidder:
        return now.maximum + terms.step
    return now.price + terms.step


def least_sealed_bid(own_best: Decimal | None, terms: Terms) -> Decimal:
    """Return the lowest amount that is accepted in a sealed auction: nobody else's bid has a say in it."""
    return terms.starting_price if own_best is None else own_best + terms.step


def needs_confirmation(maximum: Decimal, leading: Decimal, *, factor: int = WARNING_FACTOR) -> bool:
    """Tell whether a bid is so far above the leading one that a finger may have slipped.

    >>> needs_confirmation(Decimal(5001), Decimal(1000)), needs_confirmation(Decimal(5000), Decimal(1000))
    (True, False)
    """
    return leading > 0 and maximum > factor * leading


def closes_after_bid(
    placed_at: datetime, *, closes_at: datetime, last_close_at: datetime, overtime_seconds: int
) -> datetime:
    """Return when an auction closes after a bid: so late that there is time to answer, but never beyond its cap."""
    return max(closes_at, min(last_close_at, placed_at + timedelta(seconds=overtime_seconds)))


def last_close(closes_at: datetime, overtime_seconds: int) -> datetime:
    """Return the moment beyond which overtime never goes."""
    return closes_at + OVERTIME_ROUNDS * timedelta(seconds=overtime_seconds)


def ladder(
    offers: Sequence[Offer], terms: Terms, *, sealed: bool, above_reserve: bool = True
) -> list[Rung]:
    """Return the winner and up to three who stand by, with the price each would pay.

    Sealed: their own amount. Open: what they would have paid had those above them never bid, so a winner who
    backs out cannot raise the price of the next one.

    :param above_reserve: off when the seller takes less than the reserve: then only the best bidder is asked
    """
    ranked = best_of_each(offers)
    if above_reserve:
        ranked = [offer for offer in ranked if offer.maximum >= terms.reserve]
    rungs: list[Rung] = []
    gone: set[int] = set()
    for offer in ranked[: 1 + STANDBYS if above_reserve else 1]:
        left = [other for other in offers if other.bidder not in gone]
        now = standing(left, terms)
        if now is None:
            raise ValueError("A ranked offer has a standing.")
        price = offer.maximum if sealed else now.price
        rungs.append(Rung(offer.bidder, price, offer.maximum))
        gone.add(offer.bidder)
    return rungs


def suggested_prices(
    low: Decimal, typical: Decimal, currency: str
) -> tuple[Decimal, Decimal, Decimal]:
    """Return a starting price, a reserve and a step for a lot, from its valuation.

    The reserve is the low end, or a quarter of the typical value where the low end is less: a lot that may cost money in
    the worst case is not for a cent. Bidding starts at seven tenths of the reserve, so that several dare to begin; a step
    is about a fiftieth. All in round numbers, which nobody has to read twice.

    >>> suggested_prices(Decimal("18450"), Decimal("24000"), "INR")
    (Decimal('12800.00'), Decimal('18400.00'), Decimal('500.00'))
    >>> suggested_prices(Decimal("-900"), Decimal("2000"), "INR")
    (Decimal('350.00'), Decimal('500.00'), Decimal('10.00'))
    """
    unit = minor_unit(currency)
    reserve = max(payable(_three_digits(max(low, typical / 4)), currency), unit)
    starting_price = max(payable(_three_digits(reserve * Decimal("0.7")), currency), unit)
    return starting_price, reserve, min(max(_round_number(reserve / 50, unit), unit), reserve)


def terms_digest(**terms: object) -> str:
    """Return the hash of an auction's terms, as published when it opens.

    >>> terms_digest(step=Decimal("5.00"))[:8] == terms_digest(step=Decimal("5.00"))[:8]
    True
    """
    plain = {name: _plain(value) for name, value in sorted(terms.items())}
    return hashlib.sha256(json.dumps(plain, separators=(",", ":")).encode()).hexdigest()


def _three_digits(amount: Decimal) -> Decimal:
    """Return an amount without what comes after its third digit, never more than it was if it is positive."""
    return amount.quantize(Decimal(1).scaleb(amount.adjusted() - 2), rounding=ROUND_DOWN)


def _round_number(amount: Decimal, unit: Decimal) -> Decimal:
    """Return the nearest of 1, 2, 5, 10, 20, 50 …"""
    tens = Decimal(10) ** amount.adjusted()
    nearest = min((1, 2, 5, 10), key=lambda digit: abs(digit * tens - amount))
    return (nearest * tens).quantize(unit, rounding=ROUND_HALF_EVEN)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return str(value)


def _capped(price: Decimal, maximum: Decimal, terms: Terms) -> Decimal:
    if maximum >= terms.reserve:
        price = max(price, terms.reserve)
    return min(price, maximum)
