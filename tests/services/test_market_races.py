# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Many hands on one lot. Real transactions, real locks; a test waits for what it needs, never for a time.

Every one of these was seen red with the lock, the clock rule or the key taken out; each says with which.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, connections, transaction

from marketplace.core.clock import database_clock
from marketplace.core.errors import Refused
from marketplace.journal.models import Entry
from marketplace.ledger import services as ledger
from marketplace.market import queries, rules, services
from marketplace.market.models import Auction, Award, Bid, Deposit
from tests.cast_market import START, STEP, bidder, offered, priced_lot, rich  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock(clock):
    """These races run against the database's clock."""
    clock.at = datetime.now(UTC)
    return clock


def place(auction, actor, maximum, *, request_id=None, **other):
    """Place a bid on a connection of one's own; return it, or the refusal."""
    try:
        return services.place_bid(
            auction,
            actor=actor,
            maximum=Decimal(maximum),
            currency="IDR",
            request_id=request_id or uuid4(),
            clock=database_clock,
            **other,
        )
    except Refused as refusal:
        return refusal
    finally:
        connection.close()


def at_once(calls):
    """Let all calls begin together, each in a thread of its own."""
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


class Holder:
    """Another session, on a connection of its own, that holds a lock."""

    def __init__(self):
        known = connections["default"].get_connection_params()
        kept = {"host", "port", "dbname", "user", "password"}
        self.session = psycopg.connect(**{k: v for k, v in known.items() if k in kept})

    def hold(self, auction):
        self.session.execute(
            "SELECT 1 FROM market_auction WHERE id = %s FOR NO KEY UPDATE", [auction.pk]
        )

    def wait_for_waiters(self, many=1):
        """Return once so many sessions wait for a lock of this database."""
        for _try in range(2000):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
                if cursor.fetchone()[0] >= many:
                    return
            time.sleep(0.005)
        raise AssertionError("Nobody waits.")

    def let_go(self):
        self.session.rollback()

    def close(self):
        self.session.close()


@pytest.fixture
def holder():
    holder = Holder()
    yield holder
    holder.close()


def wait_until(moment):
    """Return once the database's clock has passed a moment."""
    while database_clock() <= moment:
        time.sleep(0.01)


def test_a_bid_that_waited_past_the_closing_time_is_refused(offered, recycler, rich, clock, holder):
    """Another session holds the auction's lock across the end, and does not change the row.

    Red (tried) with the clock read before the lock, with ``Now()`` in the locking query, and without the lock.
    """
    rich(recycler)
    auction = offered(closes_at=datetime.now(UTC) + timedelta(seconds=1.5))
    holder.hold(auction)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(place, auction, recycler, 1_500_000)
        holder.wait_for_waiters()
        assert database_clock() < auction.closes_at, "the bid must have asked in time"
        wait_until(auction.closes_at)
        holder.let_go()
        answer = waiting.result(timeout=20)

    assert isinstance(answer, Refused)
    assert answer.code == "auction_closed"
    assert not Bid.objects.exists()
    assert not Deposit.objects.exists()


def test_a_bid_that_waited_but_not_past_the_end_is_taken(offered, recycler, rich, holder):
    rich(recycler)
    auction = offered()
    holder.hold(auction)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(place, auction, recycler, 1_500_000)
        holder.wait_for_waiters()
        holder.let_go()

        assert waiting.result(timeout=20).leads


def test_sixty_identical_requests_make_one_bid_and_get_one_answer(offered, recycler, rich):
    """Red (tried) when the request is looked up before its word is locked: most are told "Bid at least …"
    about their own bid, or run into the unique constraint.
    """
    rich(recycler)
    auction, request_id = offered(), uuid4()

    answers = at_once(
        [lambda: place(auction, recycler, 1_500_000, request_id=request_id) for _ in range(60)]
    )

    assert {type(answer) for answer in answers} == {Bid}
    assert len({tuple(sorted(as_dict(answer).items())) for answer in answers}) == 1
    assert Bid.objects.count() == 1
    assert Entry.objects.filter(name="market.BidPlaced").count() == 1
    assert Auction.objects.get().bid_count == 1


def as_dict(bid):
    fields = ("pk", "maximum", "price_after", "leads", "placed_at", "request_id")
    return (
        {name: str(getattr(bid, name)) for name in fields}
        | {"maximum": f"{bid.maximum:.2f}"}
        | {"price_after": f"{bid.price_after:.2f}"}
    )


def test_sixty_four_clients_on_one_lot_leave_one_winner_no_gap_and_no_disorder(offered, bidder):
    """Sixty-four clients of eight firms, four bids each, all at once.

    Red (tried) without the row lock in ``place_bid``: counts, prices and leaders contradict the list of bids.
    """
    firms = [bidder(f"Firm {n}") for n in range(8)]
    auction = offered(reserve=START)
    terms = queries.terms_of(auction)

    def client(number):
        answers = []
        for turn in range(4):
            maximum = START + STEP * (1 + number + 64 * turn)
            answers.append(place(auction, firms[number % 8], maximum, confirmed=True))
        return answers

    answers = [a for some in at_once([lambda n=n: client(n) for n in range(64)]) for a in some]

    taken = [answer for answer in answers if isinstance(answer, Bid)]
    assert {a.code for a in answers if isinstance(a, Refused)} <= {"bid_too_low"}
    bids = list(Bid.objects.order_by("pk"))
    auction.refresh_from_db()
    assert auction.bid_count == len(bids) == len(taken)
    assert len(bids) == Entry.objects.filter(name="market.BidPlaced").count()
    now = None
    for (
        bid
    ) in bids:  # replayed one by one, every bid got exactly the answer that its place deserves
        offer = rules.Offer(bid.bidder_id, bid.maximum)
        assert bid.maximum >= rules.least_bid(now, bid.bidder_id, terms)
        now = rules.standing_after(now, offer, terms)
        assert (bid.price_after, bid.leads) == (now.price, now.bidder == bid.bidder_id)
    assert (auction.leader_id, auction.price) == (now.bidder, now.price)
    assert now == rules.standing(queries.offers_of(auction), terms)
    assert all(one.placed_at <= other.placed_at for one, other in pairwise(bids))
    assert Deposit.objects.count() == len({bid.bidder_id for bid in bids})
    assert ledger.drift() == []

    services.close_auction(auction, clock=lambda: auction.last_close_at)
    assert Award.objects.filter(status=Award.Status.WON).count() == 1
    assert Award.objects.get(rank=1).bidder_id == now.bidder


def test_two_closers_at_once_have_one_result(offered, bidder, holder):
    """Red (tried) without the row lock in ``close_auction``: the second one fails on the lot, which has moved on."""
    firms = [bidder(f"Firm {n}") for n in range(3)]
    auction = offered()
    for place_, firm in enumerate(firms):
        place(auction, firm, 2_100_000 + 100_000 * place_)
    late = auction.last_close_at

    def close():
        try:
            return services.close_auction(auction, clock=lambda: late)
        finally:
            connection.close()

    holder.hold(auction)
    with ThreadPoolExecutor(8) as pool:
        closers = [pool.submit(close) for _ in range(8)]
        holder.wait_for_waiters(8)
        holder.let_go()
        results = [closer.result(timeout=20) for closer in closers]

    assert sum(result is not None for result in results) == 1
    assert Award.objects.count() == 3
    assert Entry.objects.filter(name="market.LotAwarded").count() == 1
    assert ledger.drift() == []


def test_a_bid_and_the_closer_agree_who_was_first(offered, recycler, rival, rich, holder):
    """Whoever gets the lock first is right, and the other one sees it: no bid is lost, none comes after the end."""
    rich(recycler), rich(rival)
    auction = offered(overtime_seconds=0, closes_at=datetime.now(UTC) + timedelta(seconds=1.5))
    place(auction, rival, 2_100_000)
    holder.hold(auction)

    def close():
        try:
            return services.close_auction(auction, clock=database_clock)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        wait_until(auction.closes_at)
        closer = pool.submit(close)
        bidding = pool.submit(place, auction, recycler, 3_000_000)
        holder.wait_for_waiters(2)
        holder.let_go()
        closer.result(timeout=20)
        answer = bidding.result(timeout=20)

    assert isinstance(answer, Refused)
    assert [award.bidder_id for award in Award.objects.all()] == [rival.organisation_id]


def test_one_request_opens_one_auction_in_eight_hands(priced_lot, collector, clock):
    """Red (tried) without ``lock_word`` in ``open_auction``: seven of eight are told that the lot is not ready."""
    lot, request_id = priced_lot(), uuid4()

    def open_it():
        try:
            return services.open_auction(
                lot,
                actor=collector,
                mode="OPEN",
                starting_price=START,
                reserve=START,
                step=STEP,
                opens_at=clock(),
                closes_at=clock() + timedelta(hours=1),
                overtime_seconds=300,
                request_id=request_id,
                now=clock(),
            )
        except Refused as refusal:
            return refusal
        finally:
            connection.close()

    answers = at_once([open_it for _ in range(8)])

    assert {type(answer) for answer in answers} == {Auction}
    assert len({answer.pk for answer in answers}) == 1


def test_two_requests_open_one_auction(priced_lot, collector, offered):
    """Red (tried) without the lot's lock in ``open_auction``: a unique constraint speaks instead of the rule."""
    lot = priced_lot()

    def open_it():
        try:
            return offered(lot)
        except Refused as refusal:
            return refusal
        finally:
            connection.close()

    answers = at_once([open_it for _ in range(8)])

    assert sum(isinstance(answer, Auction) for answer in answers) == 1
    assert {a.code for a in answers if isinstance(a, Refused)} == {"lot_not_ready"}


def test_one_defaulting_winner_moves_the_ladder_one_rung(offered, bidder):
    """Red (tried) without the locks in ``advance_ladder``: two successors, or a unique constraint."""
    firms = [bidder(f"Firm {n}") for n in range(4)]
    auction = offered()
    for place_, firm in enumerate(firms):
        place(auction, firm, 2_100_000 + 100_000 * place_)
    services.close_auction(auction, clock=lambda: auction.last_close_at)
    award = Award.objects.get(status="WON")

    def advance():
        try:
            return services.advance_ladder(award, now=auction.last_close_at)
        finally:
            connection.close()

    answers = at_once([advance for _ in range(8)])

    assert sum(answer is not None for answer in answers) == 1
    statuses = list(Award.objects.order_by("rank").values_list("status", flat=True))
    assert statuses == ["DEFAULTED", "WON", "STANDBY", "STANDBY"]


def test_a_bid_is_not_delayed_by_reading(offered, recycler, rich):
    """FOR NO KEY UPDATE lets others refer to the auction while it is locked; FOR UPDATE would not."""
    rich(recycler)
    auction = offered()

    with transaction.atomic():
        Auction.objects.lock(auction)
        other = Holder()
        other.session.execute("SET lock_timeout = '200ms'")
        other.session.execute(
            "SELECT 1 FROM market_auction WHERE id = %s FOR KEY SHARE", [auction.pk]
        )
        other.close()


def test_of_eight_who_take_a_falling_price_at_once_the_first_commit_has_it(offered, bidder, clock):
    people = [bidder(f"taker {n}") for n in range(8)]
    falling = offered(
        mode="DUTCH",
        starting_price=4 * START,
        reserve=START,
        fall_steps=10,
        closes_at=clock() + timedelta(hours=11),
    )

    answers = at_once([lambda who=who: place(falling, who, 4 * START) for who in people])

    taken = [answer for answer in answers if isinstance(answer, Bid)]
    falling.refresh_from_db()
    assert len(taken) == 1
    assert (taken[0].leads, taken[0].maximum) == (True, 4 * START)
    assert (falling.leader_id, falling.price, falling.bid_count) == (
        taken[0].bidder_id,
        4 * START,
        1,
    )
    refused = {answer.code for answer in answers if isinstance(answer, Refused)}
    assert refused == {"bid_too_low"}
    assert Deposit.objects.count() == 1


def test_a_falling_price_is_the_one_when_the_lock_was_granted(offered, recycler, rich, holder):
    """Another session holds the lock across a step of the fall."""
    rich(recycler)
    begins = datetime.now(UTC)
    falling = offered(
        mode="DUTCH",
        starting_price=2 * START,
        reserve=START,
        fall_steps=1,
        opens_at=begins,
        now=begins,
        closes_at=begins + timedelta(seconds=20),
    )
    Auction.objects.filter(pk=falling.pk).update(
        planned_close_at=datetime.now(UTC) + timedelta(seconds=3), opens_at=datetime.now(UTC)
    )
    falling.refresh_from_db()
    steps_at = queries.fall_of(falling)
    holder.hold(falling)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(place, falling, recycler, 2 * START)
        holder.wait_for_waiters()
        wait_until(steps_at.begins + (steps_at.ends - steps_at.begins) / 2)
        holder.let_go()
        answer = waiting.result(timeout=20)

    assert answer.maximum == START


def test_a_sealed_auction_is_opened_once_however_many_try(offered, recycler, rich, clock):
    rich(recycler)
    sealed = offered(mode="SEALED")
    place(sealed, recycler, 3_000_000)
    later = datetime.now(UTC) + timedelta(hours=3)

    def close():
        try:
            return services.close_auction(sealed, clock=lambda: later)
        finally:
            connection.close()

    at_once([close] * 4)

    tries = Entry.objects.filter(name="market.SealTried")
    assert [entry.payload["outcome"] for entry in tries] == ["OPENED"]
    assert Award.objects.get().price == 3_000_000
