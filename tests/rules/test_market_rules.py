"""Who leads, at what price, and who gets the lot: facts about any list of bids."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from marketplace.market import rules
from marketplace.market.rules import Offer, Terms

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
amounts = st.integers(1, 400).map(Decimal)
offers = st.builds(Offer, st.integers(1, 5), amounts)
terms_ = st.builds(
    lambda start, more, step: Terms(Decimal(start), Decimal(start + more), Decimal(step)),
    st.integers(1, 100),
    st.integers(0, 150),
    st.integers(1, 30),
)


def played(asked, terms):
    """Play bids one by one, as the service does: too low ones are refused. Return those accepted and the standings."""
    accepted, standings = [], []
    now = None
    for offer in asked:
        if offer.maximum < rules.least_bid(now, offer.bidder, terms):
            continue
        now = rules.standing_after(now, offer, terms)
        accepted.append(offer)
        standings.append(now)
    return accepted, standings


def price_from_the_whole_list(bids, terms):
    """Return the leader's price in one look at all bids, another way than the rule's bid by bid.

    Every bid of somebody else asks one step more than itself, but no more than the leader offered when the two met.
    """
    leader, maximum = (best := rules.best_of_each(bids)[0]).bidder, best.maximum
    asked = [terms.starting_price]
    for place, bid in enumerate(bids):
        if bid.bidder == leader:
            continue
        before = [own.maximum for own in bids[:place] if own.bidder == leader]
        if max(before, default=0) >= bid.maximum:
            met_at = max(before)
        else:
            met_at = next(
                own.maximum
                for own in bids[place:]
                if own.bidder == leader and own.maximum > bid.maximum
            )
        asked.append(min(bid.maximum + terms.step, met_at))
    if maximum >= terms.reserve:
        asked.append(terms.reserve)
    return rules.Standing(leader, min(max(asked), maximum), maximum)


@given(st.lists(offers, max_size=40), terms_)
@example(
    [Offer(2, Decimal(2)), Offer(1, Decimal(2)), Offer(2, Decimal(3))],
    Terms(Decimal(1), Decimal(1), Decimal(1)),
)
def test_the_price_is_a_function_of_the_list_of_bids(asked, terms):
    accepted, standings = played(asked, terms)

    for place, now in enumerate(standings, start=1):
        assert now == price_from_the_whole_list(accepted[:place], terms)
        assert now == rules.standing(accepted[:place], terms)


@given(st.lists(offers, max_size=40), terms_)
def test_the_price_never_falls_and_never_exceeds_what_the_leader_would_pay(asked, terms):
    _accepted, standings = played(asked, terms)

    assert all(terms.starting_price <= now.price <= now.maximum for now in standings)
    assert all(before.price <= after.price for before, after in pairwise(standings))


@given(st.lists(offers, min_size=1, max_size=40), terms_)
def test_the_price_never_exceeds_the_best_losing_maximum_and_one_step_but_for_the_reserve(
    asked, terms
):
    accepted, standings = played(asked, terms)
    assume(accepted)
    ranked, now = rules.best_of_each(accepted), standings[-1]

    beaten = max((offer.maximum for offer in ranked[1:]), default=Decimal(0))

    assert now.price <= max(beaten + terms.step, terms.reserve, terms.starting_price)


@given(st.lists(offers, max_size=20), terms_, amounts)
def test_raising_ones_own_maximum_moves_ones_own_price_only_by_meeting_the_reserve(
    asked, terms, more
):
    _accepted, standings = played(asked, terms)
    assume(standings)
    now = standings[-1]

    after = rules.standing_after(now, Offer(now.bidder, now.maximum + more), terms)

    assert after.bidder == now.bidder
    if now.maximum >= terms.reserve or after.maximum < terms.reserve:
        assert after.price == now.price
    else:
        assert after.price == max(now.price, terms.reserve)


@given(st.lists(offers, max_size=20), terms_)
def test_the_first_bid_pays_the_starting_price_or_the_reserve_that_it_meets(asked, terms):
    accepted, standings = played(asked, terms)
    assume(accepted)

    met = accepted[0].maximum >= terms.reserve

    assert standings[0].price == (terms.reserve if met else terms.starting_price)


@given(st.lists(amounts, min_size=1, max_size=6, unique=True), terms_, st.randoms())
def test_the_order_of_unequal_bids_changes_neither_winner_nor_price(maxima, terms, chance):
    bids = [Offer(bidder, maximum) for bidder, maximum in enumerate(maxima)]
    shuffled = list(bids)
    chance.shuffle(shuffled)

    assert rules.standing(shuffled, terms) == rules.standing(bids, terms)
    assert rules.ladder(shuffled, terms, sealed=False) == rules.ladder(bids, terms, sealed=False)
    assert rules.ladder(shuffled, terms, sealed=True) == rules.ladder(bids, terms, sealed=True)


@given(amounts, terms_, st.integers(2, 5))
def test_of_equal_bids_the_earliest_leads_and_pays_its_maximum(maximum, terms, many):
    assume(maximum >= terms.starting_price)
    bids = [Offer(bidder, maximum) for bidder in range(many)]

    now = rules.standing(bids, terms)

    assert now.bidder == 0
    assert now.price == maximum


@given(st.lists(offers, max_size=30), terms_)
def test_the_least_bid_always_changes_the_price_or_the_leaders_maximum(asked, terms):
    _accepted, standings = played(asked, terms)
    assume(standings)
    now = standings[-1]
    for bidder in range(1, 7):
        least = rules.least_bid(now, bidder, terms)

        after = rules.standing_after(now, Offer(bidder, least), terms)

        assert after.price > now.price or after.maximum > now.maximum


# --- who gets the lot ------------------------------------------------------------------------------------


@given(st.lists(offers, max_size=40), terms_, st.booleans())
def test_the_ladder_holds_each_bidder_once_best_first_and_never_above_their_maximum(
    asked, terms, sealed
):
    rungs = rules.ladder(asked, terms, sealed=sealed)

    assert len({rung.bidder for rung in rungs}) == len(rungs) <= 1 + rules.STANDBYS
    assert all(terms.reserve <= rung.maximum for rung in rungs)
    assert all(rung.price <= rung.maximum for rung in rungs)
    assert all(one.maximum >= other.maximum for one, other in pairwise(rungs))
    assert all(rung.price >= min(terms.reserve, rung.maximum) for rung in rungs)


@given(st.lists(offers, max_size=40), terms_)
def test_the_winner_of_an_open_auction_pays_the_price_on_the_board(asked, terms):
    accepted, standings = played(asked, terms)
    assume(standings)
    now = standings[-1]

    rungs = rules.ladder(accepted, terms, sealed=False)

    assert bool(rungs) == (now.maximum >= terms.reserve)
    if rungs:
        assert (rungs[0].bidder, rungs[0].price) == (now.bidder, now.price)


@given(st.lists(offers, min_size=1, max_size=40), terms_)
def test_a_winner_who_backs_out_does_not_raise_the_price_of_the_next(asked, terms):
    rungs = rules.ladder(asked, terms, sealed=False)
    assume(len(rungs) > 1)

    without = [offer for offer in asked if offer.bidder != rungs[0].bidder]

    assert rungs[1:] == rules.ladder(without, terms, sealed=False)[: len(rungs) - 1]


@given(st.lists(offers, min_size=1, max_size=40), terms_)
def test_sealed_winners_pay_exactly_what_they_wrote(asked, terms):
    rungs = rules.ladder(asked, terms, sealed=True)

    best = {offer.bidder: offer.maximum for offer in rules.best_of_each(asked)}
    assert all(rung.price == best[rung.bidder] for rung in rungs)
    if rungs:
        assert rungs[0].price == max(offer.maximum for offer in asked)


@given(st.lists(offers, min_size=1, max_size=20), terms_, st.booleans())
def test_below_the_reserve_only_the_best_bidder_is_asked(asked, terms, sealed):
    rungs = rules.ladder(asked, terms, sealed=sealed, above_reserve=False)

    assert [rung.bidder for rung in rungs] == [rules.best_of_each(asked)[0].bidder]


def test_nobody_bid_and_nobody_wins():
    terms = Terms(Decimal(1), Decimal(1), Decimal(1))

    assert rules.standing([], terms) is None
    assert rules.ladder([], terms, sealed=False) == []
    assert rules.ladder([], terms, sealed=True, above_reserve=False) == []


# --- overtime, warning, suggestions -----------------------------------------------------------------------------


@given(st.integers(-7200, 0), st.integers(0, 7200), st.integers(0, 7200), st.integers(0, 3600))
def test_a_bid_never_brings_the_end_closer_nor_pushes_it_beyond_the_cap(
    before, closes, cap, overtime
):
    closes_at = NOON + timedelta(seconds=closes)
    last = closes_at + timedelta(seconds=cap)
    placed_at = closes_at + timedelta(seconds=before)

    new = rules.closes_after_bid(
        placed_at, closes_at=closes_at, last_close_at=last, overtime_seconds=overtime
    )

    assert closes_at <= new <= last
    assert new == last or new - placed_at >= timedelta(seconds=overtime)


@given(amounts, amounts)
def test_a_warning_comes_above_five_times_the_leading_bid(maximum, leading):
    assert rules.needs_confirmation(maximum, leading) == (maximum > 5 * leading)
    assert not rules.needs_confirmation(maximum, Decimal(0))


@given(
    st.decimals("-900000", "900000000", places=2),
    st.decimals("-900000", "900000000", places=2),
    st.sampled_from(["IDR", "INR", "JPY", "VND", "USD"]),
)
def test_suggested_terms_are_terms_that_an_auction_takes(one, other, currency):
    low, typical = sorted((one, other))

    starting_price, reserve, step = rules.suggested_prices(low, typical, currency)

    assert 0 < starting_price <= reserve
    assert 0 < step <= reserve


def test_a_lot_that_may_cost_money_is_not_for_a_cent():
    starting_price, reserve, step = rules.suggested_prices(Decimal(-500), Decimal(4000), "INR")

    assert (starting_price, reserve, step) == (700, 1000, 20)


@pytest.mark.parametrize("one", ["mode", "reserve", "closes_at"])
def test_the_digest_of_the_terms_changes_with_each_term(one):
    terms = {"mode": "OPEN", "reserve": Decimal(5), "closes_at": NOON}
    other = {"mode": "SEALED", "reserve": Decimal(6), "closes_at": NOON + timedelta(seconds=1)}

    assert rules.terms_digest(**terms) != rules.terms_digest(**terms | {one: other[one]})
