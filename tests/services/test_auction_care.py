# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""What surrounds an auction: pauses, questions, why one lost, earlier attempts, cases."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from marketplace.accounts.models import Licence, Membership, Organisation
from marketplace.core.errors import Refused
from marketplace.core.models import AlreadyMovedOn
from marketplace.journal.models import Entry
from marketplace.market import queries, services
from marketplace.market.models import Auction, Award, Bid, Case, Question
from marketplace.market.rules.screens import Finding
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
LATER = timedelta(minutes=10)


@pytest.fixture
def close(clock):
    def make(auction):
        auction.refresh_from_db()
        clock.at = max(clock.at, auction.closes_at)
        services.close_auction(auction, clock=clock)
        auction.refresh_from_db()
        return auction

    return make


# --- pauses -------------------------------------------------------------------------------------------


def test_a_pause_stops_bids_and_the_end_and_gives_the_time_back(
    auction, recycler, staff, rich, bid, clock
):
    ends_at, last = auction.closes_at, auction.last_close_at
    services.pause_auction(auction, actor=staff, reason="Power cut", clock=clock)
    with pytest.raises(Refused) as refusal:
        bid(auction, rich(recycler), 1_500_000)
    clock.at = ends_at + timedelta(hours=1)
    assert services.close_auction(auction, clock=clock) is None
    assert not Auction.objects.due_to_close(clock()).exists()

    pause = clock() - Auction.objects.get().paused_at
    services.resume_auction(auction, actor=staff, clock=clock)

    auction.refresh_from_db()
    assert refusal.value.code == "auction_paused"
    assert (auction.closes_at - ends_at, auction.last_close_at - last) == (pause + LATER,) * 2
    bid(auction, recycler, 1_500_000)
    told = Entry.objects.filter(name__in=["market.AuctionPaused", "market.AuctionResumed"])
    assert [entry.payload.get("reason") for entry in told.order_by("pk")] == ["Power cut", None]


def test_a_falling_price_stands_still_while_it_pauses(offered, recycler, staff, rich, bid, clock):
    falling = offered(
        mode="DUTCH",
        starting_price=RESERVE,
        reserve=START,
        fall_steps=10,
        closes_at=clock() + timedelta(minutes=110),
    )
    clock.forward(minutes=25)
    services.pause_auction(falling, actor=staff, reason="Power cut", clock=clock)
    clock.forward(hours=8)
    services.resume_auction(falling, actor=staff, clock=clock)
    falling.refresh_from_db()

    assert queries.price_shown(falling, clock() + LATER) == 1_800_000


def test_the_whole_market_pauses_and_goes_on(offered, staff, clock):
    found = [offered(), offered(mode="SEALED")]

    assert services.pause_market(actor=staff, reason="Flood", clock=clock) == 2
    assert services.pause_market(actor=staff, reason="Flood", clock=clock) == 0
    clock.forward(minutes=3)
    assert services.resume_market(actor=staff, clock=clock) == 2

    for row in found:
        ends_at = row.closes_at
        row.refresh_from_db()
        assert row.closes_at == ends_at + timedelta(minutes=3) + LATER


@pytest.mark.parametrize("who", ["collector", "recycler"])
def test_only_the_house_pauses(request, auction, clock, who):
    actor = request.getfixturevalue(who)

    for act in (
        lambda: services.pause_auction(auction, actor=actor, reason="x", clock=clock),
        lambda: services.resume_auction(auction, actor=actor, clock=clock),
        lambda: services.pause_market(actor=actor, reason="x", clock=clock),
        lambda: services.resume_market(actor=actor, clock=clock),
    ):
        with pytest.raises(PermissionDenied):
            act()
    assert Auction.objects.get().paused_at is None


def test_what_does_not_run_does_not_pause(auction, staff, close, clock):
    with pytest.raises(Refused):
        services.resume_auction(auction, actor=staff, clock=clock)
    with pytest.raises(Refused):
        services.pause_auction(auction, actor=staff, reason=" ", clock=clock)
    close(auction)
    with pytest.raises(Refused):
        services.pause_auction(auction, actor=staff, reason="x", clock=clock)


# --- questions ------------------------------------------------------------------------------------------


@pytest.fixture
def asked(clock):
    def make(auction, actor, text="Were they wet?", **other):
        usual = {"text": text, "request_id": uuid4(), "now": clock()}
        return services.ask(auction, actor=actor, **usual | other)

    return make


def test_a_question_is_answered_for_everybody_without_names(
    auction, asked, recycler, rival, collector, anonymous, clock
):
    question = asked(auction, recycler)
    assert not Question.objects.visible_to(rival).exists()
    assert Question.objects.visible_to(collector).get() == question

    services.answer(question, actor=collector, text="No, stored dry.", now=clock())

    for actor in (rival, anonymous):
        assert Question.objects.visible_to(actor).get().answer == "No, stored dry."
    names = Entry.objects.filter(name__startswith="market.Question").values_list("name", flat=True)
    assert list(names.order_by("pk")) == ["market.QuestionAsked", "market.QuestionAnswered"]


def test_the_same_request_asks_once(auction, asked, recycler):
    request_id = uuid4()

    assert asked(auction, recycler, request_id=request_id) == asked(
        auction, recycler, request_id=request_id
    )
    assert Question.objects.count() == 1


def test_who_may_not_bid_does_not_ask(auction, asked, collector, recycler, clock):
    with pytest.raises(PermissionDenied):
        asked(auction, collector)
    Licence.objects.all().delete()
    with pytest.raises(Refused, match="Licences"):
        asked(auction, recycler)
    assert not Question.objects.exists()


def test_a_question_has_words_and_its_time(auction, asked, recycler, close):
    with pytest.raises(Refused) as empty:
        asked(auction, recycler, "  ")
    for number in range(3):
        asked(auction, recycler, f"Question {number}")
    with pytest.raises(Refused) as many:
        asked(auction, recycler)
    close(auction)
    with pytest.raises(Refused) as late:
        asked(auction, recycler)

    codes = [refusal.value.code for refusal in (empty, many, late)]
    assert codes == ["no_words", "questions_wait", "auction_closed"]
    assert Question.objects.count() == 3


def test_an_answer_is_the_sellers_and_stays(auction, asked, recycler, rival, collector, clock):
    question = asked(auction, recycler)
    with pytest.raises(PermissionDenied):
        services.answer(question, actor=rival, text="Yes", now=clock())
    with pytest.raises(Refused) as empty:
        services.answer(question, actor=collector, text=" ", now=clock())
    services.answer(question, actor=collector, text="Yes", now=clock())
    assert services.answer(question, actor=collector, text="Yes", now=clock()).answer == "Yes"
    with pytest.raises(Refused) as other:
        services.answer(question, actor=collector, text="No", now=clock())

    assert (empty.value.code, other.value.code) == ("no_words", "already_answered")
    assert Question.objects.get().answer == "Yes"


@pytest.mark.parametrize(
    ("constraint", "broken"),
    [("question_has_words", {"text": ""}), ("question_answer_is_signed", {"answer": "Yes"})],
)
def test_nonsense_questions_are_refused(auction, asked, recycler, constraint, broken):
    asked(auction, recycler)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Question.objects.update(**broken)


def test_a_question_request_counts_once(auction, asked, recycler):
    question = asked(auction, recycler)
    question.pk = None

    with pytest.raises(IntegrityError, match="question_request_counts_once"), transaction.atomic():
        question.save(force_insert=True)


# --- results --------------------------------------------------------------------------------------------


def test_a_loser_learns_place_and_gap_and_no_name(
    sealed, recycler, rival, bidder, rich, bid, close
):
    third = bidder("third")
    bid(sealed, rich(recycler), 3_000_000)
    bid(sealed, rich(rival), 2_500_000)
    bid(sealed, third, 1_500_000)
    assert queries.why_lost(sealed, rival) is None
    close(sealed)

    stands_by, beaten = queries.why_lost(sealed, rival), queries.why_lost(sealed, third)

    assert (stands_by.reason, stands_by.rank, stands_by.bidders) == ("STANDS_BY", 2, 3)
    assert (beaten.reason, beaten.rank, beaten.gap) == ("OUTBID", 3, 1_500_000)
    assert queries.why_lost(sealed, recycler) is None
    assert "recycler" not in repr(beaten).lower()


def test_an_equal_bid_that_came_later_is_told_so_when_nobody_stands_by_any_more(
    sealed, recycler, rival, rich, bid, close, clock
):
    bid(sealed, rich(recycler), 2_500_000)
    bid(sealed, rich(rival), 2_500_000)
    close(sealed)
    services.end_ladder(Award.objects.get(rank=1), sold=True, now=clock())

    assert queries.why_lost(sealed, rival).reason == "LATER"


def test_who_bid_below_the_reserve_learns_that_the_seller_kept_it(
    sealed, recycler, rival, collector, rich, bid, close, clock
):
    bid(sealed, rich(recycler), 1_500_000)
    bid(sealed, rich(rival), 1_200_000)
    close(sealed)
    services.decide(sealed, actor=collector, accept=False, now=clock())
    sealed.refresh_from_db()

    assert queries.why_lost(sealed, recycler).reason == "SELLER_KEPT_IT"
    assert queries.why_lost(sealed, rival).reason == "BELOW_RESERVE"


def test_the_second_attempt_remembers_the_first_and_starts_lower(auction, offered, close):
    lot = auction.lot
    assert queries.lower_start(lot, START, "IDR") == START
    close(auction)
    assert queries.lower_start(lot, START, "IDR") == START * Decimal("0.85")

    lot.refresh_from_db()
    again = offered(lot)

    (before,) = queries.attempts_before(again)
    assert (before.number, before.starting_price, before.best, before.bids) == (1, START, None, 0)
    assert queries.attempts_before(auction) == []


# --- cases ----------------------------------------------------------------------------------------------

FOUND = Finding("ROTATION", (1, 2), (7, 8), {"changes": "9 of 9"})


def test_a_pattern_opens_one_case_and_stays_closed_for_a_while(now, staff, collector):
    assert services.open_cases([FOUND], now=now) == 1
    assert services.open_cases([FOUND], now=now + timedelta(days=1)) == 0
    case = Case.objects.get()
    assert case.seen_at == now + timedelta(days=1)
    assert not Case.objects.visible_to(collector).exists()

    with pytest.raises(PermissionDenied):
        services.close_case(case, actor=collector, outcome="HARMLESS", note="x", now=now)
    with pytest.raises(Refused):
        services.close_case(case, actor=staff, outcome="HARMLESS", note=" ", now=now)
    services.close_case(case, actor=staff, outcome="HARMLESS", note="One has moved.", now=now)
    with pytest.raises(AlreadyMovedOn):
        services.close_case(case, actor=staff, outcome="HARMLESS", note="Again", now=now)

    assert services.open_cases([FOUND], now=now + timedelta(days=30)) == 0
    assert services.open_cases([FOUND], now=now + timedelta(days=91)) == 1


def test_rivals_who_share_a_person_are_brought_up_unless_they_said_so(
    sealed, recycler, rival, rich, bid, close, clock
):
    bid(sealed, rich(recycler), 2_500_000)
    bid(sealed, rich(rival), 2_400_000)
    close(sealed)
    assert services.findings(now=clock()) == []

    Membership.objects.create(
        user_id=recycler.user_id, organisation_id=rival.organisation_id, role="RECYCLER"
    )
    (found,) = services.findings(now=clock())
    assert set(found.firms) == {recycler.organisation_id, rival.organisation_id}

    both = Organisation.objects.filter(pk__in=found.firms)
    both.update(group="one-house")
    assert services.findings(now=clock()) == []


def test_nothing_follows_from_a_case(now, recycler, rich):
    rich(recycler)
    services.open_cases([FOUND], now=now)

    assert set(Organisation.objects.values_list("status", flat=True)) == {"ACTIVE"}
    assert not Bid.objects.exists()


@pytest.mark.parametrize(
    ("constraint", "broken"),
    [
        ("case_kind_known", {"kind": "GUILTY"}),
        ("case_is_closed_by_somebody", {"status": "CLOSED"}),
        ("case_is_closed_by_somebody", {"outcome": "HARMLESS"}),
    ],
)
def test_nonsense_cases_are_refused(now, constraint, broken):
    services.open_cases([FOUND], now=now)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Case.objects.update(**broken)


def test_a_case_is_open_once(now):
    services.open_cases([FOUND], now=now)
    case = Case.objects.get()
    case.pk = None

    with pytest.raises(IntegrityError, match="case_is_open_once"), transaction.atomic():
        case.save(force_insert=True)
