"""What winners pay, against every group of bidders of small sales; and the verifier, against awards that were tampered with."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings

from marketplace.market.rules.packages import Bid, Lot, Sale, Win, faults_of, offered
from marketplace.market.rules.payments import core_prices, prices_of, vickrey_prices
from marketplace.market.rules.verifier import certified_bound, verify
from marketplace.market.rules.winners import determine
from tests.rules.test_winners import A_FEW, awards, crowd, sales, value

LOTS = (Lot("a", 1000, 5, 10), Lot("b", 2000, 5, 10))
BIDS = (
    Bid("1", "x", ("a",), 60),
    Bid("2", "y", ("b",), 50),
    Bid("3", "z", ("a", "b"), 80),
    Bid("4", "w", ("b",), 20),
)
SALE = Sale(LOTS, BIDS, {"x": 5000})


def complaints(sale, outcome, paid):
    """Every allowed award whose bidders and sellers could all do better by it than at these prices."""
    bids = {bid.key: bid for bid in sale.bids}
    kept = {}
    for win in outcome.wins:
        party = sale.party_of(bids[win.bid].bidder)
        kept[party] = kept.get(party, 0) + win.amount - paid[win.bid]
    for award in awards(sale):
        inside = {sale.party_of(bids[key].bidder) for key in award}
        rest = value(sale, award) - sum(kept.get(party, 0) for party in inside)
        if rest > outcome.value - sum(kept.values()):
            yield award


@settings(A_FEW, max_examples=40)
@given(sales(bids=7, money=20))
def test_no_group_of_bidders_can_complain_about_core_prices(sale):
    assume(not faults_of(sale))
    outcome = determine(sale)

    prices = core_prices(sale, outcome)

    assert verify(sale, outcome, prices.paid, rule=prices.rule) == ()
    if prices.rule == "core":
        assert list(complaints(sale, outcome, prices.paid)) == []
        for party, least in prices.vickrey.items():
            own = [b.key for b in sale.bids if sale.party_of(b.bidder) == party]
            assert sum(prices.paid.get(key, 0) for key in own) >= least
    else:
        assert prices.reason == "too_few_parties"


@settings(A_FEW, max_examples=40)
@given(sales(bids=6, money=20, divisible=False))
def test_vickrey_prices_are_what_the_others_lose(sale):
    assume(not faults_of(sale))
    outcome = determine(sale)

    prices = vickrey_prices(sale, outcome)

    for party, price in prices.items():
        own = [win for win in outcome.wins if bidder_of(sale, win) == party]
        others = replace(sale, bids=tuple(b for b in sale.bids if b.bidder != party))
        without = max(value(others, award) for award in awards(others))
        amount = sum(win.amount for win in own)
        assert price >= amount - outcome.value + without
        assert price <= amount


def bidder_of(sale, win):
    return next(bid.bidder for bid in sale.bids if bid.key == win.bid)


def test_core_prices_share_the_burden_of_a_threat_evenly():
    prices = core_prices(SALE, determine(SALE))

    assert prices.rule == "core"
    assert prices.vickrey == {"x": 30, "y": 20}
    assert prices.paid == {"1": 45, "2": 35}


def test_related_bidders_are_no_competition():
    related = replace(SALE, party={"z": "x", "w": "x"})
    outcome = determine(related)

    prices = prices_of(related, outcome, rule="core")

    assert (prices.rule, prices.reason) == ("pay_as_bid", "too_few_parties")
    assert prices.paid == {"1": 60, "2": 50}


def test_without_a_proof_everybody_pays_as_bid():
    outcome = replace(determine(SALE), proven=False, bound=200)

    assert core_prices(SALE, outcome).reason == "not_proven"


def test_without_time_everybody_pays_as_bid():
    assert core_prices(SALE, determine(SALE), seconds=0).reason == "out_of_time"


def test_another_rule_does_not_exist():
    with pytest.raises(ValueError, match="no rule"):
        prices_of(SALE, determine(SALE), rule="vickrey")


def test_core_prices_of_a_middling_sale_stand_up_to_the_verifier():
    sale = crowd(4, lots=12, bids=40)
    outcome = determine(sale)

    prices = core_prices(sale, outcome)

    assert prices.rule == "core"
    assert verify(sale, outcome, prices.paid, rule="core") == ()
    assert sum(prices.paid.values()) <= sum(win.amount for win in outcome.wins)


@A_FEW
@given(sales())
def test_the_verifier_finds_nothing_in_our_awards_and_the_prices_of_lots_bound_them(sale):
    assume(not faults_of(sale))
    outcome = determine(sale)
    paid = {win.bid: win.amount for win in outcome.wins}

    assert verify(sale, outcome, paid) == ()
    assert certified_bound(sale, outcome) >= outcome.value


@A_FEW
@given(sales(divisible=False))
def test_the_verifier_finds_every_award_that_one_bid_more_would_make_better(sale):
    assume(not faults_of(sale))
    outcome = determine(sale)
    assume(outcome.wins)

    for dropped in outcome.wins:
        wins = tuple(win for win in outcome.wins if win != dropped)
        less = value(sale, {w.bid: [lot for lot in sale.lots if lot.key in w.lots] for w in wins})
        poorer = replace(outcome, wins=wins, value=less, bound=less)
        codes = {finding.code for finding in verify(sale, poorer)}

        assert codes & {"better_award", "tie_order"}


def tampered(**changes):
    return replace(determine(SALE), **changes)


FIRST, SECOND = Win("1", ("a",), 60), Win("2", ("b",), 50)


@pytest.mark.parametrize(
    ("sale", "outcome", "codes"),
    [
        (SALE, tampered(wins=(FIRST, Win("9", ("b",), 50))), ["unknown_bid"]),
        (SALE, tampered(wins=(FIRST, FIRST)), ["twice", "sold_twice", "exclusive"]),
        (SALE, tampered(wins=(Win("1", ("b",), 60),)), ["not_the_package"]),
        (SALE, tampered(wins=(Win("1", ("a",), 61), SECOND)), ["wrong_amount"]),
        (SALE, tampered(wins=(FIRST, Win("3", ("a", "b"), 80))), ["sold_twice"]),
        (replace(SALE, capacity_g={"x": 1}), tampered(), ["over_capacity"]),
        (replace(SALE, lots=(Lot("a", 1000, 5, 61), LOTS[1])), tampered(), ["below_reserve"]),
        (
            replace(SALE, bids=(BIDS[0], replace(BIDS[1], bidder="x"), *BIDS[2:])),
            tampered(),
            ["exclusive"],
        ),
        (SALE, tampered(value=111), ["wrong_value", "wrong_proof"]),
        (SALE, tampered(bound=109), ["wrong_bound", "wrong_proof"]),
        (SALE, tampered(proven=False), ["wrong_proof"]),
        (SALE, tampered(wins=(FIRST, Win("4", ("b",), 20)), value=80, bound=80), ["better_award"]),
    ],
)
def test_a_tampered_award_is_found(sale, outcome, codes):
    assert [finding.code for finding in verify(sale, outcome)] == codes


@pytest.mark.parametrize(
    ("paid", "rule", "codes"),
    [
        ({"1": 60}, "pay_as_bid", ["wrong_prices"]),
        ({"1": 61, "2": 50}, "core", ["above_offer"]),
        ({"1": 9, "2": 50}, "core", ["below_floor"]),
        ({"1": 59, "2": 50}, "pay_as_bid", ["not_as_bid"]),
        ({"1": 30, "2": 20}, "core", ["blocked"]),
    ],
)
def test_tampered_prices_are_found(paid, rule, codes):
    found = verify(SALE, determine(SALE), paid, rule=rule)

    assert [finding.code for finding in found] == codes


def test_the_wrong_one_of_two_equal_bids_is_found():
    sale = Sale(LOTS[:1], (Bid("1", "x", ("a",), 20), Bid("2", "y", ("a",), 20, placed_at=-1)))
    outcome = determine(sale)

    wrong = replace(outcome, wins=(Win("1", ("a",), 20),))

    assert [win.bid for win in outcome.wins] == ["2"]
    assert [finding.code for finding in verify(sale, wrong)] == ["tie_order"]


def test_a_divisible_bid_is_held_to_its_least_and_most():
    bid = Bid("1", "x", ("a", "b"), 1000, divisible=True, least_g=2000, most_g=2500)
    sale = Sale(LOTS, (bid,))
    outcome = determine(sale)

    def taking(*lots):
        amount = offered(bid, [lot for lot in LOTS if lot.key in lots])
        return verify(sale, replace(outcome, wins=(Win("1", lots, amount),)))

    assert [finding.code for finding in taking("a")] == ["below_least"]
    assert [finding.code for finding in taking("a", "b")] == ["above_most"]
    assert taking("b") == ()
