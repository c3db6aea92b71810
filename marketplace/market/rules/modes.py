"""One engine for five kinds of auction: a table says how each differs, and everything else follows from the bids.

A reverse auction is the open one in a mirror: what somebody asks for taking a lot is an offer below zero, and the highest
of those wins. Its rules are therefore the rules of the open one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from .bids import STANDBYS, Offer, Rung, Standing, Terms, best_of_each, ladder, standing_after
from .bids import least_bid as least_ascending
from .bids import needs_confirmation as is_far_above


class Pays(StrEnum):
    """What a winner pays."""

    STEP_ABOVE_NEXT = "STEP_ABOVE_NEXT"
    OWN = "OWN"
    NEXT = "NEXT"


@dataclass(frozen=True, slots=True)
class Mode:
    """How one kind of auction differs from the others.

    :ivar is_sealed: nobody sees a bid before the end; in a Dutch one that begins once somebody has taken the price
    :ivar is_reverse: amounts are paid by the seller, and the least wins
    """

    pays: Pays
    is_sealed: bool = False
    is_reverse: bool = False


MODES: Mapping[str, Mode] = {
    "OPEN": Mode(Pays.STEP_ABOVE_NEXT),
    "SEALED": Mode(Pays.OWN, is_sealed=True),
    "SECOND_PRICE": Mode(Pays.NEXT, is_sealed=True),
    "DUTCH": Mode(Pays.OWN, is_sealed=True),
    "REVERSE": Mode(Pays.STEP_ABOVE_NEXT, is_reverse=True),
}


def standing_in(mode: str, now: Standing | None, offer: Offer, terms: Terms) -> Standing:
    """Return who leads an open or reverse auction after one more bid. Amounts as people write them, above zero.

    >>> reverse = Terms(starting_price=Decimal(900), reserve=Decimal(500), step=Decimal(10))
    >>> first = standing_in("REVERSE", None, Offer(1, Decimal(600)), reverse)
    >>> standing_in("REVERSE", first, Offer(2, Decimal(700)), reverse)
    Standing(bidder=1, price=Decimal('690'), maximum=Decimal('600'))
    """
    if not MODES[mode].is_reverse:
        return standing_after(now, offer, terms)
    after = standing_after(_mirrored_standing(now), _mirrored_offer(offer), _mirrored_terms(terms))
    return Standing(after.bidder, -after.price, -after.maximum)


def standing_of_all(mode: str, offers: Iterable[Offer], terms: Terms) -> Standing | None:
    """Return who leads an open or reverse auction after all bids, in their order in time; none without bids."""
    now: Standing | None = None
    for offer in offers:
        now = standing_in(mode, now, offer, terms)
    return now


def least_accepted(mode: str, now: Standing | None, bidder: int, terms: Terms) -> Decimal:
    """Return the weakest bid that an open or reverse auction takes from a bidder: in a reverse one, the most one may ask."""
    if not MODES[mode].is_reverse:
        return least_ascending(now, bidder, terms)
    return -least_ascending(_mirrored_standing(now), bidder, _mirrored_terms(terms))


def is_good_enough(mode: str, amount: Decimal, least: Decimal) -> bool:
    """Tell whether an amount reaches the weakest accepted one.

    >>> is_good_enough("OPEN", Decimal(9), Decimal(10)), is_good_enough("REVERSE", Decimal(9), Decimal(10))
    (False, True)
    """
    return amount <= least if MODES[mode].is_reverse else amount >= least


def is_far_off(mode: str, amount: Decimal, leading: Decimal) -> bool:
    """Tell whether a bid is so much better than the leading one that a finger may have slipped."""
    if MODES[mode].is_reverse:
        return is_far_above(leading, amount)
    return is_far_above(amount, leading)


def result(
    mode: str, offers: Sequence[Offer], terms: Terms, *, above_reserve: bool = True
) -> list[Rung]:
    """Return the winner and up to three who stand by, with the price each pays (reverse: is paid).

    First price and Dutch: their own amount. Second price: the best amount below their own, at least the reserve, so a bid
    decides whether one wins and not what one pays. Open and reverse: one step better than the next, as ``standing``. Whoever stands
    by pays what they would have paid had those above them never bid: no winner who backs out moves the next one's price.

    :param above_reserve: off when the seller takes less than the reserve: then only the best bidder is asked

    >>> bids = [Offer(1, Decimal(500)), Offer(2, Decimal(300))]
    >>> [rung.price for rung in result("SECOND_PRICE", bids, Terms(Decimal(100), Decimal(100), Decimal(10)))]
    [Decimal('300'), Decimal('100')]
    """
    how = MODES[mode]
    if how.is_reverse:
        mirrored = ladder(
            [_mirrored_offer(offer) for offer in offers],
            _mirrored_terms(terms),
            sealed=False,
            above_reserve=above_reserve,
        )
        return [Rung(rung.bidder, -rung.price, -rung.maximum) for rung in mirrored]
    if how.pays is not Pays.NEXT:
        return ladder(offers, terms, sealed=how.pays is Pays.OWN, above_reserve=above_reserve)
    return _second_price(offers, terms, above_reserve=above_reserve)


def _second_price(offers: Sequence[Offer], terms: Terms, *, above_reserve: bool) -> list[Rung]:
    ranked = best_of_each(offers)
    least = terms.reserve if above_reserve else terms.starting_price
    rungs = []
    for place, offer in enumerate(ranked[: 1 + STANDBYS if above_reserve else 1]):
        if offer.maximum < least:
            break
        beaten = ranked[place + 1].maximum if place + 1 < len(ranked) else least
        rungs.append(Rung(offer.bidder, min(max(beaten, least), offer.maximum), offer.maximum))
    return rungs


def _mirrored_terms(terms: Terms) -> Terms:
    return Terms(-terms.starting_price, -terms.reserve, terms.step)


def _mirrored_offer(offer: Offer) -> Offer:
    return Offer(offer.bidder, -offer.maximum)


def _mirrored_standing(now: Standing | None) -> Standing | None:
    return None if now is None else Standing(now.bidder, -now.price, -now.maximum)
