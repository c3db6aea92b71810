# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Auctions: opened, bid in, closed once, decided, and passed down the ladder."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from marketplace.accounts.models import Licence
from marketplace.accounts.services import LicenceNeeded, draw_mass
from marketplace.core.errors import Refused
from marketplace.core.models import AlreadyMovedOn
from marketplace.journal.models import Entry
from marketplace.ledger import queries as ledger
from marketplace.ledger import services as ledger_services
from marketplace.lots.models import Lot
from marketplace.market import queries, services, tasks
from marketplace.market.models import Auction, Award, Bid, Deposit
from tests.cast_market import (  # noqa: F401
    RESERVE,
    START,
    STEP,
    auction,
    bid,
    bidder,
    offered,
    priced_lot,
    rich,
    sealed,
)

pytestmark = pytest.mark.django_db
Status = Auction.Status


def status_of(auction):
    auction.refresh_from_db()
    auction.lot.refresh_from_db()
    return auction.status, auction.lot.status


def held(actor):
    return ledger.balance(organisation=actor.organisation_id, kind="HELD", currency="IDR")


def available(actor):
    return ledger.balance(organisation=actor.organisation_id, kind="AVAILABLE", currency="IDR")


def names():
    return list(
        Entry.objects.filter(name__startswith="market.")
        .order_by("pk")
        .values_list("name", flat=True)
    )


@pytest.fixture
def close(clock):
    """Let an auction's time pass, and close it."""

    def make(auction):
        clock.at = max(clock.at, Auction.objects.get(pk=auction.pk).closes_at)
        return services.close_auction(auction, clock=clock)

    return make


@pytest.fixture
def refused(auction, clock):
    """Try to bid, and return the refusal, after a look that nothing was written."""

    def make(actor, maximum="1500000", *, on=None, **other):
        on = on or auction
        before = list(Auction.objects.values()), Bid.objects.count(), Entry.objects.count()
        money = list(ledger_services.Account.objects.order_by("pk").values())
        asked = {"currency": "IDR", "request_id": uuid4(), "clock": clock}
        with pytest.raises(Refused) as refusal, transaction.atomic():
            services.place_bid(on, actor=actor, maximum=Decimal(maximum), **asked | other)
        assert before == (
            list(Auction.objects.values()),
            Bid.objects.count(),
            Entry.objects.count(),
        )
        assert money == list(ledger_services.Account.objects.order_by("pk").values())
        assert not Deposit.objects.filter(bidder_id=actor.organisation_id).exists()
        return refusal.value

    return make


# --- opening --------------------------------------------------------------------------------------------------


def test_a_valued_lot_is_opened_for_bids(auction, collector):
    assert status_of(auction) == (Status.OPEN, Lot.Status.OPEN)
    assert auction.currency == "IDR"
    assert auction.deposit == START * Decimal("0.05")
    assert auction.last_close_at - auction.planned_close_at == timedelta(hours=1)
    assert names() == ["market.AuctionOpened"]


def test_an_auction_may_be_planned_and_opens_by_itself(offered, clock, settle):
    planned = offered(opens_at=clock() + timedelta(hours=1), closes_at=clock() + timedelta(hours=3))
    assert status_of(planned) == (Status.SCHEDULED, Lot.Status.SCHEDULED)

    tick(tasks.open_due, clock, settle)
    assert status_of(planned) == (Status.SCHEDULED, Lot.Status.SCHEDULED)
    clock.forward(hours=1)
    tick(tasks.open_due, clock, settle)

    assert status_of(planned) == (Status.OPEN, Lot.Status.OPEN)
    assert names() == ["market.AuctionScheduled", "market.AuctionOpened"]


def tick(work, clock, settle):
    """Let one slot of a schedule pass."""
    with transaction.atomic():
        work({"slot": clock().isoformat()})(clock())
    settle()


def test_the_same_request_opens_one_auction(offered, priced_lot):
    lot, request_id = priced_lot(), uuid4()

    first = offered(lot, request_id=request_id)
    assert offered(lot, request_id=request_id) == first
    with pytest.raises(Refused) as refusal:
        offered(lot, request_id=request_id, reserve=RESERVE + STEP)

    assert refusal.value.code == "idempotency_mismatch"
    assert Auction.objects.count() == 1


def test_only_its_seller_offers_a_lot(offered, priced_lot, rival_collector, verifier):
    lot = priced_lot()

    for actor in (rival_collector, verifier):
        with pytest.raises(PermissionDenied):
            offered(lot, seller=actor)

    assert not Auction.objects.exists()


@pytest.mark.parametrize(
    ("broken", "field", "code"),
    [
        ({"starting_price": Decimal(0)}, "starting_price", "amount_absurd"),
        ({"starting_price": Decimal("NaN")}, "starting_price", "amount_absurd"),
        ({"reserve": Decimal("1e30")}, "reserve", "amount_absurd"),
        ({"step": Decimal(-1)}, "step", "amount_absurd"),
        ({"step": Decimal("0.001")}, "step", "amount_not_payable"),
        ({"step": RESERVE + 1}, "step", "step_too_high"),
        ({"reserve": START - 1}, "reserve", "reserve_too_low"),
        ({"mode": "BARTER"}, "mode", "mode_unknown"),
        ({"overtime_seconds": 3601}, "overtime_seconds", "overtime_too_long"),
        ({"closes_in": timedelta(0)}, "closes_at", "times_out_of_order"),
        ({"closes_in": timedelta(hours=-1)}, "closes_at", "times_out_of_order"),
        ({"closes_in": timedelta(days=31)}, "closes_at", "auction_too_long"),
    ],
)
def test_terms_that_make_no_sense_are_refused(offered, clock, broken, field, code):
    if "closes_in" in broken:
        broken = {"closes_at": clock() + broken["closes_in"]}

    with pytest.raises(services.AuctionRefused) as refusal:
        offered(**broken)

    assert (refusal.value.field, refusal.value.code) == (field, code)
    assert not Auction.objects.exists()
    assert Lot.objects.get().status == Lot.Status.PRICED


@pytest.mark.parametrize("status", ["DRAFT", "SUBMITTED", "OPEN", "AWARDED", "CERTIFIED"])
def test_a_lot_that_is_not_ready_is_not_offered(offered, priced_lot, status):
    with pytest.raises(services.AuctionRefused) as refusal:
        offered(priced_lot(status=status))

    assert refusal.value.code == "lot_not_ready"


def test_an_auction_without_bids_may_be_withdrawn(auction, collector, rival_collector, now):
    with pytest.raises(PermissionDenied):
        services.withdraw_auction(auction, actor=rival_collector, now=now)

    services.withdraw_auction(auction, actor=collector, now=now)

    assert status_of(auction) == (Status.WITHDRAWN, Lot.Status.WITHDRAWN)
    with pytest.raises(AlreadyMovedOn):
        services.withdraw_auction(auction, actor=collector, now=now)


def test_an_auction_with_bids_runs_to_its_end(auction, collector, recycler, rich, bid, now):
    bid(auction, rich(recycler), 1_500_000)

    with pytest.raises(services.AuctionRefused) as refusal:
        services.withdraw_auction(auction, actor=collector, now=now)

    assert refusal.value.code == "auction_has_bids"
    assert status_of(auction) == (Status.OPEN, Lot.Status.OPEN)


def test_whether_a_sealed_auction_may_be_withdrawn_does_not_tell_of_bids(sealed, collector, now):
    with pytest.raises(services.AuctionRefused) as refusal:
        services.withdraw_auction(sealed, actor=collector, now=now)

    assert refusal.value.code == "auction_is_sealed"


def test_terms_are_suggested_from_the_valuation(priced_lot, now):
    lot = priced_lot()
    assert queries.suggested_terms(lot) is None
    lot.valuations.create(
        inputs_hash="x",
        currency="IDR",
        low=1_845_000,
        typical=2_000_000,
        high=2_300_000,
        route="RECYCLE",
        terms=[],
        inputs={},
        quotes_on=now.date(),
        rules_version="1",
        valued_at=now,
    )

    suggestion = queries.suggested_terms(lot)

    assert suggestion.reserve == 1_840_000
    assert suggestion.starting_price == 1_280_000
    assert suggestion.step == 50_000


# --- bidding ---------------------------------------------------------------------------------------------------


def test_a_bid_leads_and_its_deposit_is_held_once(auction, recycler, rich, bid):
    rich(recycler)

    first = bid(auction, recycler, 1_500_000)
    bid(auction, recycler, 1_600_000)

    auction.refresh_from_db()
    assert (first.leads, first.price_after) == (True, START)
    assert (auction.leader_id, auction.price) == (recycler.organisation_id, START)
    assert auction.bid_count == 2
    assert held(recycler) == auction.deposit
    assert Deposit.objects.get().status == Deposit.Status.HELD


def test_the_second_highest_maximum_and_a_step_are_the_price(auction, recycler, rival, rich, bid):
    bid(auction, rich(recycler), 1_900_000)

    loser = bid(auction, rich(rival), 1_500_000)

    auction.refresh_from_db()
    assert (loser.leads, loser.price_after) == (False, 1_550_000)
    assert (auction.leader_id, auction.price) == (recycler.organisation_id, 1_550_000)


def test_a_bidder_who_is_passed_is_named_in_the_event(auction, recycler, rival, rich, bid):
    bid(auction, rich(recycler), 1_500_000)

    bid(auction, rich(rival), 1_900_000)
    bid(auction, rival, 1_950_000)

    outbid = [
        entry.payload["outbid_id"]
        for entry in Entry.objects.filter(name="market.BidPlaced").order_by("pk")
    ]
    assert outbid == [None, recycler.organisation_id, None]


def test_the_same_request_places_one_bid(auction, recycler, rich, bid, close):
    rich(recycler)
    request_id = uuid4()

    first = bid(auction, recycler, 2_500_000, request_id=request_id)
    second = bid(auction, recycler, 2_500_000, request_id=request_id)
    close(auction)
    third = bid(auction, recycler, 2_500_000, request_id=request_id)

    assert first == second == third
    assert Bid.objects.count() == 1
    assert Entry.objects.filter(name="market.BidPlaced").count() == 1


def test_the_same_request_with_another_amount_or_lot_is_refused(
    auction, offered, recycler, rich, bid
):
    rich(recycler)
    request_id = uuid4()
    bid(auction, recycler, 1_500_000, request_id=request_id)

    for other, maximum in ((auction, 1_500_001), (offered(), 1_500_000)):
        with pytest.raises(Refused) as refusal:
            bid(other, recycler, maximum, request_id=request_id)
        assert refusal.value.code == "idempotency_mismatch"

    assert Bid.objects.count() == 1


@pytest.mark.parametrize("maximum", ["1e30", "-1", "0", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_an_absurd_amount_is_refused(refused, recycler, rich, maximum):
    refusal = refused(rich(recycler), maximum)

    assert (refusal.code, refusal.field) == ("amount_absurd", "maximum")


def test_an_amount_that_cannot_be_paid_is_refused(refused, recycler, rich):
    refusal = refused(rich(recycler), "1500000.005")

    assert (refusal.code, refusal.field) == ("amount_not_payable", "maximum")


def test_a_bid_in_the_wrong_currency_is_refused(refused, recycler, rich):
    refusal = refused(rich(recycler), currency="USD")

    assert (refusal.code, refusal.field) == ("wrong_currency", "currency")
    assert "IDR" in refusal.message


def test_a_bid_one_second_late_is_refused(refused, auction, recycler, rich, clock):
    rich(recycler)
    clock.at = auction.closes_at

    assert refused(recycler).code == "auction_closed"
    clock.forward(seconds=1)
    assert refused(recycler).code == "auction_closed"


def test_a_bid_in_the_last_moment_counts(auction, recycler, rich, bid, clock):
    rich(recycler)
    clock.at = auction.closes_at - timedelta(microseconds=1)

    assert bid(auction, recycler, 1_500_000).leads


def test_a_bid_before_the_beginning_is_refused(refused, offered, recycler, rich, clock):
    planned = offered(opens_at=clock() + timedelta(hours=1))

    assert refused(rich(recycler), on=planned).code == "not_open"


def test_nobody_bids_on_their_own_lot(refused, offered, recycler, rich):
    own = offered(seller=recycler)

    assert refused(rich(recycler), on=own).code == "own_lot"


def test_nobody_bids_on_a_lot_of_their_own_group(refused, offered, member, bidder):
    sister = member("COLLECTOR", "Sister", group="green")
    brother = bidder("Brother", group="green")

    assert refused(brother, on=offered(seller=sister)).code == "own_group"


def test_two_firms_without_a_group_are_no_group(auction, bidder, bid):
    assert bid(auction, bidder("Lone Wolf"), 1_500_000).leads


def test_who_may_not_bid_gets_no_further(auction, collector, carrier, verifier, anonymous, clock):
    for actor in (collector, carrier, verifier, anonymous):
        with pytest.raises(PermissionDenied):
            services.place_bid(
                auction,
                actor=actor,
                maximum=START,
                currency="IDR",
                request_id=uuid4(),
                clock=clock,
            )

    assert not Bid.objects.exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"valid_until": date(2026, 11, 22), "finish_until": date(2027, 1, 1)}, "licence_expired"),
        ({"status": "EXPIRED"}, "licence_expired"),
        ({"status": "SUSPENDED", "reason": "Fire."}, "licence_suspended"),
        ({"materials": ["PB"]}, "licence_material"),
        ({"country": "IN"}, "licence_country"),
        ({"acts": ["RECEIVE"]}, "licence_missing"),
        ({"annual_mass_kg": Decimal(111)}, "licence_mass_left"),
    ],
)
def test_a_bid_without_a_licence_for_it_is_refused(refused, recycler, rich, change, code):
    Licence.objects.filter(organisation_id=recycler.organisation_id).update(**change)

    assert refused(rich(recycler)).code == code


def test_a_bid_above_the_annual_mass_left_is_refused(refused, recycler, rich, now):
    licence = Licence.objects.get(organisation_id=recycler.organisation_id)
    draw_mass(licence, mass_kg=Decimal("99888.001"), purpose="deal:1", on=now.date(), now=now)

    assert refused(rich(recycler)).code == "licence_mass_left"


def test_a_bid_up_to_the_last_kilogram_is_taken(auction, recycler, rich, bid, now):
    licence = Licence.objects.get(organisation_id=recycler.organisation_id)
    draw_mass(licence, mass_kg=Decimal(99_888), purpose="deal:1", on=now.date(), now=now)

    assert bid(auction, rich(recycler), 1_500_000).licence == licence


def test_one_of_several_licences_is_enough(auction, recycler, rich, licence_of, bid):
    Licence.objects.filter(organisation_id=recycler.organisation_id).update(materials=["PB"])
    fitting = licence_of(recycler, number="second")

    assert bid(auction, rich(recycler), 1_500_000).licence == fitting


def test_a_bidder_without_the_deposit_is_refused(refused, recycler, rich):
    assert refused(rich(recycler, 49_999)).code == "not_enough_money"


def test_a_bid_below_the_start_or_one_step_is_refused_with_the_least(
    refused, auction, recycler, rival, rich, bid
):
    refusal = refused(rich(recycler), START - 1)
    assert (refusal.code, refusal.field) == ("bid_too_low", "maximum")
    assert "1,000,000" in refusal.message

    bid(auction, rich(rival), 1_500_000)
    refusal = refused(recycler, START + STEP - 1)

    assert refusal.code == "bid_too_low"
    assert "1,050,000" in refusal.message


def test_a_very_high_bid_must_be_confirmed(refused, auction, recycler, rich, bid):
    rich(recycler)

    refusal = refused(recycler, START * 5 + 1)

    assert (refusal.code, refusal.field) == ("confirm_high_bid", "confirmed")
    assert bid(auction, recycler, START * 5 + 1, confirmed=True).leads


def test_a_late_bid_keeps_the_auction_open_up_to_the_cap(
    auction, recycler, rival, rich, bid, clock
):
    rich(recycler), rich(rival)
    clock.at = auction.closes_at - timedelta(seconds=10)

    bid(auction, recycler, 1_000_000)
    auction.refresh_from_db()
    assert auction.closes_at == clock() + timedelta(seconds=300)

    maximum = 1_000_000
    for number in range(40):
        clock.at = Auction.objects.get(pk=auction.pk).closes_at - timedelta(seconds=1)
        maximum += 100_000
        bid(auction, (rival, recycler)[number % 2], maximum)
        if Auction.objects.get(pk=auction.pk).closes_at == auction.last_close_at:
            break

    assert number < 39
    clock.at = auction.last_close_at
    with pytest.raises(services.BidRefused):
        bid(auction, rival, maximum + 100_000)


# --- sealed ---------------------------------------------------------------------------------------------------------


def test_a_sealed_bid_changes_nothing_that_anybody_can_see(
    sealed, recycler, rival, collector, staff, rich, bid, clock
):
    before = Auction.objects.values().get()
    rich(recycler)
    clock.at = sealed.closes_at - timedelta(seconds=1)

    placed = bid(sealed, recycler, 1_500_000)

    assert Auction.objects.values().get() == before
    assert (placed.price_after, placed.leads) == (None, False)
    for actor in (collector, rival, staff):
        assert not Bid.objects.visible_to(actor).exists()
        assert not Deposit.objects.visible_to(actor).exists()
        view = queries.view_of(sealed, actor, now=clock())
        assert (view.price, view.bid_count, view.lines, view.my_maximum) == (None, None, (), None)
    assert Bid.objects.visible_to(recycler).get() == placed
    assert Entry.objects.filter(name="market.BidPlaced").get().payload["outbid_id"] is None


def test_of_several_sealed_bids_of_one_bidder_the_best_counts(sealed, recycler, rich, bid, close):
    """Not even the house could say what the first one was, so none is refused for being lower."""
    bid(sealed, rich(recycler), 2_500_000)
    bid(sealed, recycler, 2_400_000)

    close(sealed)

    assert Award.objects.get().price == 2_500_000


def test_the_highest_sealed_bid_wins_and_pays_its_own_amount(
    sealed, recycler, rival, collector, rich, bid, close
):
    bid(sealed, rich(recycler), 2_500_000)
    bid(sealed, rich(rival), 3_000_000)

    close(sealed)

    award = Award.objects.get(rank=1)
    sealed.refresh_from_db()
    assert (award.bidder_id, award.price) == (rival.organisation_id, 3_000_000)
    assert (sealed.leader_id, sealed.price, sealed.bid_count) == (
        rival.organisation_id,
        3_000_000,
        2,
    )
    assert Bid.objects.visible_to(collector).count() == 2


def test_maxima_of_an_open_auction_are_secret_until_the_close(
    auction, recycler, rival, collector, staff, rich, bid, close
):
    bid(auction, rich(recycler), 2_500_000)

    for actor in (collector, rival, staff):
        assert not Bid.objects.visible_to(actor).exists()

    close(auction)
    assert Bid.objects.visible_to(collector).exists()
    assert not Bid.objects.visible_to(rival).exists()


# --- closing ---------------------------------------------------------------------------------------------------------


def test_nothing_closes_before_its_time(auction, clock):
    clock.at = auction.closes_at - timedelta(microseconds=1)

    assert services.close_auction(auction, clock=clock) is None
    assert status_of(auction) == (Status.OPEN, Lot.Status.OPEN)


def test_an_auction_closes_once_however_often_it_is_asked(auction, recycler, rich, bid, close):
    bid(auction, rich(recycler), 2_500_000)

    assert close(auction)
    assert close(auction) is None

    assert status_of(auction) == (Status.AWARDED, Lot.Status.AWARDED)
    assert Award.objects.count() == 1
    assert names().count("market.AuctionClosed") == names().count("market.LotAwarded") == 1


def test_a_late_closer_finds_the_same_winner(auction, recycler, rich, bid, clock, settle):
    bid(auction, rich(recycler), 2_500_000)
    clock.forward(days=3)

    tick(tasks.close_due, clock, settle)

    assert Auction.objects.get().status == Status.AWARDED
    assert Award.objects.get().price == RESERVE


def test_the_winner_and_three_more_stand_on_the_ladder(auction, bidder, bid, close):
    firms = [bidder(f"Firm {n}") for n in range(6)]
    for place, firm in enumerate(firms):
        bid(auction, firm, 2_100_000 + 100_000 * place)

    close(auction)

    rungs = list(Award.objects.order_by("rank").values_list("bidder_id", "status", "price"))
    assert rungs == [
        (firms[5].organisation_id, "WON", 2_550_000),
        (firms[4].organisation_id, "STANDBY", 2_450_000),
        (firms[3].organisation_id, "STANDBY", 2_350_000),
        (firms[2].organisation_id, "STANDBY", 2_250_000),
    ]
    assert [held(firm) for firm in firms] == [0, 0, *[50_000] * 4]
    assert Deposit.objects.filter(status="RELEASED").count() == 2
    assert ledger_services.drift() == []


def test_no_bids_leave_the_lot_unsold_and_it_may_be_offered_again(auction, offered, close, clock):
    close(auction)
    assert status_of(auction) == (Status.UNSOLD, Lot.Status.UNSOLD)

    again = offered(auction.lot, opens_at=clock(), closes_at=clock() + timedelta(hours=1))

    assert again.attempt == 2
    assert status_of(again) == (Status.OPEN, Lot.Status.OPEN)


def test_below_the_reserve_the_seller_decides_and_only_the_best_deposit_stays(
    auction, recycler, rival, rich, bid, close, clock
):
    bid(auction, rich(recycler), 1_500_000)
    bid(auction, rich(rival), 1_900_000)

    close(auction)

    assert status_of(auction) == (Status.SELLER_DECISION, Lot.Status.SELLER_DECISION)
    assert auction.decide_by == clock() + timedelta(hours=24)
    assert (held(recycler), held(rival)) == (0, 50_000)
    assert not Award.objects.exists()
    assert "market.SellerMustDecide" in names()


@pytest.fixture
def undecided(auction, recycler, rival, rich, bid, close):
    bid(auction, rich(recycler), 1_500_000)
    bid(auction, rich(rival), 1_900_000)
    return close(auction)


def test_the_seller_may_take_the_best_bid(undecided, collector, rival, clock):
    for _twice in range(2):
        services.decide(undecided, actor=collector, accept=True, now=clock())

    assert status_of(undecided) == (Status.AWARDED, Lot.Status.AWARDED)
    award = Award.objects.get()
    assert (award.bidder_id, award.price) == (rival.organisation_id, 1_550_000)
    assert held(rival) == 50_000


def test_the_seller_may_leave_it_unsold(undecided, collector, rival, clock):
    services.decide(undecided, actor=collector, accept=False, now=clock())

    assert status_of(undecided) == (Status.UNSOLD, Lot.Status.UNSOLD)
    assert held(rival) == 0
    with pytest.raises(services.DecisionRefused):
        services.decide(undecided, actor=collector, accept=True, now=clock())


def test_only_the_seller_decides_and_only_in_time(undecided, collector, rival, clock):
    with pytest.raises(PermissionDenied):
        services.decide(undecided, actor=rival, accept=True, now=clock())
    clock.forward(hours=24)
    with pytest.raises(services.DecisionRefused):
        services.decide(undecided, actor=collector, accept=True, now=clock())

    assert status_of(undecided) == (Status.SELLER_DECISION, Lot.Status.SELLER_DECISION)


def test_an_undecided_lot_is_unsold_after_a_day(undecided, rival, clock, settle):
    clock.forward(hours=23)
    tick(tasks.decisions_due, clock, settle)
    assert Auction.objects.get().status == Status.SELLER_DECISION

    clock.forward(hours=1)
    tick(tasks.decisions_due, clock, settle)
    tick(tasks.decisions_due, clock, settle)

    assert status_of(undecided) == (Status.UNSOLD, Lot.Status.UNSOLD)
    assert held(rival) == 0


# --- the ladder -----------------------------------------------------------------------------------------------------


@pytest.fixture
def won(auction, recycler, rival, rich, bid, close):
    bid(auction, rich(recycler), 2_500_000)
    bid(auction, rich(rival), 2_300_000)
    close(auction)
    return Award.objects.get(status="WON")


def test_who_does_not_pay_loses_the_deposit_and_the_next_one_wins(
    won, recycler, rival, collector, clock
):
    before = available(rival)

    successor = services.advance_ladder(won, now=clock())
    assert services.advance_ladder(won, now=clock()) is None

    won.refresh_from_db()
    assert won.status == Award.Status.DEFAULTED
    assert (successor.bidder_id, successor.status) == (rival.organisation_id, Award.Status.WON)
    assert successor.price == RESERVE
    assert (held(recycler), available(collector)) == (0, 50_000)
    assert (held(rival), available(rival)) == (50_000, before)
    assert names()[-2:] == ["market.WinnerDefaulted", "market.LotAwarded"]
    assert status_of(won.auction) == (Status.AWARDED, Lot.Status.AWARDED)


def test_at_the_end_of_the_ladder_the_lot_is_unsold(won, recycler, rival, clock):
    successor = services.advance_ladder(won, now=clock())

    assert services.advance_ladder(successor, now=clock()) is None

    assert status_of(won.auction) == (Status.UNSOLD, Lot.Status.UNSOLD)
    assert (held(recycler), held(rival)) == (0, 0)
    assert ledger_services.drift() == []


def test_once_the_deal_is_paid_nobody_needs_to_stand_by(won, recycler, rival, clock):
    for _twice in range(2):
        services.end_ladder(won, sold=True, now=clock())

    assert list(Award.objects.order_by("rank").values_list("status", flat=True)) == [
        "WON",
        "RELEASED",
    ]
    assert (held(recycler), held(rival)) == (0, 0)
    assert status_of(won.auction)[0] == Status.AWARDED


def test_a_deal_that_ended_without_the_buyers_fault_frees_the_lot(won, recycler, rival, clock):
    for _twice in range(2):
        services.end_ladder(won, sold=False, now=clock())

    assert status_of(won.auction) == (Status.UNSOLD, Lot.Status.UNSOLD)
    assert (held(recycler), held(rival)) == (0, 0)
    assert not Award.objects.filter(status="WON").exists()


def test_the_winners_deposit_makes_way_for_the_price(won, recycler, rival, clock):
    for _twice in range(2):
        services.release_deposit(won, now=clock())

    assert (held(recycler), held(rival)) == (0, 50_000)


# --- what the database itself refuses -----------------------------------------------------------------------------------


def copy_of(auction, **other):
    fields = Auction.objects.filter(pk=auction.pk).values().get() | {
        "id": None,
        "attempt": 9,
        "request_id": uuid4(),
        "status": "UNSOLD",
        "closed_at": auction.closes_at,
    }
    return Auction(**fields | other)


@pytest.mark.parametrize(
    ("constraint", "broken"),
    [
        ("auction_mode_known", {"mode": "BARTER", "starting_price": RESERVE}),
        ("auction_status_known", {"status": "LOST"}),
        ("auction_prices_make_sense", {"step": 0}),
        ("auction_prices_make_sense", {"reserve": START - 1}),
        ("auction_prices_make_sense", {"deposit": -1}),
        ("auction_times_are_in_order", {"closes_at": "opens_at"}),
        ("auction_times_are_in_order", {"last_close_at": "opens_at"}),
        ("auction_leader_has_a_price", {"price": 5}),
        ("auction_is_dated_once_closed", {"closed_at": None}),
        ("auction_decision_has_a_deadline", {"status": "SELLER_DECISION"}),
        (
            "auction_sealed_shows_nothing",
            {"mode": "SEALED", "status": "OPEN", "closed_at": None, "bid_count": 1},
        ),
        ("auction_attempt_counts_once", {"attempt": 1}),
        ("auction_request_counts_once", {"request_id": "request_id"}),
        ("one_open_sale_per_lot", {"status": "OPEN", "closed_at": None}),
    ],
)
def test_nonsense_auctions_are_refused(auction, constraint, broken):
    names = {"opens_at", "request_id"}
    broken = {
        key: getattr(auction, value) if isinstance(value, str) and value in names else value
        for key, value in broken.items()
    }

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        copy_of(auction, **broken).save()


@pytest.mark.parametrize("maximum", [0, -1])
def test_a_bid_is_positive(auction, recycler, rich, bid, maximum):
    placed = bid(auction, rich(recycler), 1_500_000)

    with pytest.raises(IntegrityError, match="bid_is_positive"), transaction.atomic():
        Bid.objects.filter(pk=placed.pk).update(maximum=maximum)


def test_a_bid_request_counts_once(auction, recycler, rich, bid):
    placed = bid(auction, rich(recycler), 1_500_000)
    placed.pk = None

    with pytest.raises(IntegrityError, match="bid_request_counts_once"), transaction.atomic():
        placed.save(force_insert=True)


@pytest.mark.parametrize(
    ("constraint", "broken"),
    [
        ("deposit_(status_known|is_dated_once_ended)", {"status": "LOST"}),
        ("deposit_is_dated_once_ended", {"status": "RELEASED"}),
        ("deposit_is_not_negative", {"amount": -1}),
    ],
)
def test_nonsense_deposits_are_refused(auction, recycler, rich, bid, constraint, broken):
    bid(auction, rich(recycler), 1_500_000)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Deposit.objects.update(**broken)


def test_a_deposit_is_held_once(auction, recycler, rich, bid, now):
    bid(auction, rich(recycler), 1_500_000)

    with pytest.raises(IntegrityError, match="deposit_held_once"), transaction.atomic():
        Deposit.objects.create(
            auction=auction, bidder_id=recycler.organisation_id, amount=1, held_at=now
        )


@pytest.mark.parametrize(
    ("constraint", "broken"),
    [
        ("award_status_known", {"status": "LOST"}),
        ("award_makes_sense", {"price": 0}),
        ("award_makes_sense", {"rank": 0}),
        ("award_rank_is_held_once", {"rank": 1}),
        ("one_winner_per_auction", {"status": "WON"}),
    ],
)
def test_nonsense_awards_are_refused(won, constraint, broken):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Award.objects.filter(rank=2).update(**broken)


def test_a_licence_refusal_says_what_to_do(refused, recycler, rich):
    Licence.objects.all().delete()

    refusal = refused(rich(recycler))

    assert isinstance(refusal, LicenceNeeded)
    assert "Licences" in refusal.message
