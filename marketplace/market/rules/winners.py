"""Who wins a sale of packages: the most valuable allowed award, with a bound, a proof where time allows, and a fixed order of ties.

To build on it: describe the sale (``Sale``, ``Lot``, ``Bid`` of ``packages``), ask ``faults_of`` before it opens or ``determine``
when it closes, store the ``Outcome``, price it with ``payments.prices_of``, and let ``verifier.verify`` check what is stored.
"""

from dataclasses import dataclass, replace
from time import perf_counter

from .choice import build, optimise
from .packages import SALE_CAPS, BadSale, Bid, Caps, Outcome, Sale, faults_of, offered
from .ties import outcome_of

__all__ = ["Shortfall", "determine", "shortfall_of"]


def determine(sale: Sale, *, seconds: float = 30.0, caps: Caps = SALE_CAPS) -> Outcome:
    """Return the award that is worth most to the sellers.

    Maximises what the winners offer, less costs, plus the outside options of unsold lots; a lot is sold
    once, of the bids of a bidder in one group one wins at most, no bidder takes more than its capacity, and no bid wins that
    leaves less than the reserves of its lots. Equal awards: more grams on higher routes, fewer kilometres, earlier bids,
    then sha256(seed || bid key); the result does not depend on the order of rows. When time runs out the best award so far
    is returned with its bound, never worth less than the greedy one.

    :param seconds: by the clock, for the award and its ties
    :param caps: how much is accepted; ``SALE_CAPS`` is what is proven within seconds
    :raises BadSale: if the sale has faults, each naming its bid and field
    :source: Rothkopf, Pekec, Harstad 1998 for the programme; Cramton, Shoham, Steinberg 2006 for the languages of bids

    >>> from marketplace.market.rules.packages import Lot
    >>> lots = (Lot("a", 1000), Lot("b", 1000))
    >>> bids = (Bid("1", "x", ("a",), 60), Bid("2", "y", ("b",), 50), Bid("3", "z", ("a", "b"), 100))
    >>> [win.bid for win in determine(Sale(lots, bids)).wins]
    ['1', '2']
    """
    if faults := faults_of(sale, caps):
        raise BadSale(faults)
    return outcome_of(sale, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a bid lost, without saying to whom.

    :param code: "below_reserve", "over_capacity", "own_other_bid" (another of the bidder's bids won in its place),
        "tie" (it was worth as much and came later in the published order), "outbid", or "no_room" (no allowed award holds it)
    :param more: minor units more with which the bid would surely have been in the award, the others unchanged;
        0 never occurs; None if no amount would do, or none could be computed
    :param exact: whether one unit less would not surely have been enough
    """

    bid: str
    code: str
    more: int | None
    exact: bool


def shortfall_of(sale: Sale, outcome: Outcome, bid_key: str, *, seconds: float = 5.0) -> Shortfall:
    """Return how much more a losing bid would have had to offer.

    The value of the award less that of the best award that holds the bid, and one minor unit; or what lacks to the reserves,
    if that is more.

    :raises ValueError: if there is no such bid, or it won
    """
    began = perf_counter()
    bid = next((bid for bid in sale.bids if bid.key == bid_key), None)
    if bid is None or any(win.bid == bid_key for win in outcome.wins):
        raise ValueError(f"Bid {bid_key!r} is not a losing bid of this sale.")
    aside = dict(outcome.set_aside).get(bid_key)
    if aside == "over_capacity":
        return Shortfall(bid_key, aside, None, exact=True)
    lacking = _lacking(sale, bid) if aside else 0
    if lacking is None:
        return Shortfall(bid_key, "below_reserve", None, exact=False)
    raised = replace(
        sale,
        bids=tuple(
            replace(each, amount=each.amount + lacking) if each.key == bid_key else each
            for each in sale.bids
        ),
    )
    left = seconds - (perf_counter() - began)
    forced = optimise(build(raised, must_win=bid_key), seconds=max(left, 0.05))
    if forced is None:
        return Shortfall(bid_key, "no_room", None, exact=True)
    short = outcome.value - forced.value
    more = lacking + max(short + 1, 0)
    exact = outcome.proven and forced.proven and not bid.divisible
    if aside:
        return Shortfall(bid_key, aside, max(more, 1), exact)
    won = {win.bid for win in outcome.wins}
    own = any(
        other.key in won and (other.bidder, other.group) == (bid.bidder, bid.group)
        for other in sale.bids
    )
    code = "own_other_bid" if own else "tie" if short <= 0 else "outbid"
    return Shortfall(bid_key, code, max(more, 1), exact)


def _lacking(sale: Sale, bid: Bid) -> int | None:
    """Return what an indivisible bid lacks to the reserves of its lots and its costs; None for a divisible one."""
    if bid.divisible:
        return None
    lots = [lot for lot in sale.lots if lot.key in set(bid.lots)]
    return sum(lot.reserve for lot in lots) + bid.cost - offered(bid, lots)
