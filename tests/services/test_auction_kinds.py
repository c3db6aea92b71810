# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Second price, falling price, reverse; and bids in envelopes that only a joined key opens."""

import json
import stat
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction

from marketplace.core.errors import Refused
from marketplace.journal.models import Entry
from marketplace.market import holders, queries, services, tasks
from marketplace.market.models import Auction, Award, Bid, Deposit, Seal
from marketplace.market.rules import dutch
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


@pytest.fixture
def close(clock):
    def make(auction):
        auction.refresh_from_db()
        clock.at = max(clock.at, auction.closes_at)
        services.close_auction(auction, clock=clock)
        auction.refresh_from_db()
        return auction

    return make


@pytest.fixture
def dutch_auction(offered, clock):
    return offered(
        mode="DUTCH",
        starting_price=RESERVE,
        reserve=START,
        fall_steps=10,
        closes_at=clock() + timedelta(minutes=110),
    )


def entries(name):
    return list(
        Entry.objects.filter(name=f"market.{name}").order_by("pk").values_list("payload", flat=True)
    )


def lose(auction, many):
    """Let so many holders of parts of the key go away."""
    number = Seal.objects.get(auction=auction).number
    for folder in holders.folders()[:many]:
        (folder / f"{number}.json").rename(folder / f"{number}.away")


def come_back():
    for folder in holders.folders():
        for file in folder.glob("*.away"):
            file.rename(file.with_suffix(".json"))


# --- envelopes ------------------------------------------------------------------------------------------


def test_no_table_and_no_file_holds_the_amount_of_a_sealed_bid(
    sealed, recycler, rich, bid, tmp_path
):
    placed = bid(sealed, rich(recycler), 1_777_777)
    row = Bid.objects.get(pk=placed.pk)

    assert placed.maximum == 1_777_777, "the one who places it is told"
    assert (row.maximum, row.terms, row.figures) == (None, None, None)
    assert len(row.envelope) == len(row.echo) > 4096
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT count(*) FROM "{table}" AS t WHERE t::text LIKE ANY (%s)',
                [["%1777777%", "%31373737373737%"]],
            )
            assert cursor.fetchone() == (0,), table
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"1777777" not in file.read_bytes(), file


def test_the_parts_of_the_key_lie_apart_and_only_their_owner_may_read_them(sealed):
    seal = Seal.objects.get(auction=sealed)
    files = [folder / f"{seal.number}.json" for folder in holders.folders()]

    assert (seal.needed, seal.parts) == (3, 5)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert {stat.S_IMODE(file.parent.stat().st_mode) for file in files} == {0o700}
    assert len({json.loads(file.read_text())["value"] for file in files}) == 5
    assert entries("SealMade") == [{"auction_id": sealed.pk, "needed": 3, "parts": 5}]


def test_the_envelopes_are_opened_at_the_end_and_then_the_bids_say_what_was_meant(
    sealed, recycler, rival, rich, bid, close
):
    request_id = uuid4()
    placed = bid(sealed, rich(recycler), 2_500_000, request_id=request_id)
    bid(sealed, rich(rival), 2_200_000)
    commitment = Bid.objects.get(pk=placed.pk).commitment

    close(sealed)

    row = Bid.objects.get(pk=placed.pk)
    assert (row.maximum, row.commitment, row.leads) == (2_500_000, commitment, False)
    assert row.opened_at == sealed.closed_at
    assert entries("SealTried") == [{"auction_id": sealed.pk, "outcome": "OPENED", "parts": 5}]
    assert Award.objects.get(rank=1).price == 2_500_000


def test_the_same_sealed_request_gets_the_same_answer_before_and_after_the_end(
    sealed, recycler, rich, bid, close
):
    request_id = uuid4()
    first = bid(sealed, rich(recycler), 2_500_000, request_id=request_id)
    again = bid(sealed, recycler, 2_500_000, request_id=request_id)
    with pytest.raises(Refused) as other:
        bid(sealed, recycler, 2_500_001, request_id=request_id)
    close(sealed)
    late = bid(sealed, recycler, 2_500_000, request_id=request_id)

    assert first == again == late
    assert first.request_id == again.request_id == late.request_id == request_id
    assert {each.maximum for each in (first, again, late)} == {Decimal(2_500_000)}
    assert other.value.code == "idempotency_mismatch"
    assert not Bid.objects.filter(request_id=request_id).exists(), "its id opens the echo"


def test_a_request_id_that_could_be_guessed_is_refused(sealed, recycler, rich, bid):
    with pytest.raises(Refused) as refusal:
        bid(sealed, rich(recycler), 2_500_000, request_id=UUID(int=7, version=1))

    assert refusal.value.code == "request_id_weak"
    assert not Bid.objects.exists()


def test_two_holders_of_five_may_be_away(sealed, recycler, rich, bid, close):
    bid(sealed, rich(recycler), 2_500_000)
    lose(sealed, 2)

    assert close(sealed).status == Status.AWARDED


def test_without_enough_parts_the_auction_waits_and_loses_nothing(
    sealed, recycler, collector, rich, bid, close, clock, settle
):
    bid(sealed, rich(recycler), 2_500_000)
    lose(sealed, 3)

    close(sealed)
    assert (sealed.status, sealed.closed_at, sealed.leader_id) == (Status.OPENING, None, None)
    assert Bid.objects.get().maximum is None
    assert Deposit.objects.get().status == "HELD"
    assert entries("OpeningWaits") == [{"auction_id": sealed.pk}]
    with pytest.raises(Refused) as refusal:
        bid(sealed, recycler, 2_600_000)
    assert refusal.value.code == "auction_closed"

    come_back()
    tick(clock, settle)
    sealed.refresh_from_db()
    assert sealed.status == Status.OPENING, "it is not tried every second"
    clock.forward(minutes=6)
    tick(clock, settle)

    sealed.refresh_from_db()
    assert (sealed.status, sealed.price) == (Status.AWARDED, 2_500_000)
    assert [each["outcome"] for each in entries("SealTried")] == ["SHARE_MISSING", "OPENED"]
    assert len(entries("OpeningWaits")) == 1


def tick(clock, settle):
    with transaction.atomic():
        tasks.close_due({"slot": clock().isoformat()})(clock())
    settle()


def test_a_part_that_was_changed_is_no_part(sealed, recycler, rich, bid, close):
    bid(sealed, rich(recycler), 2_500_000)
    number = Seal.objects.get().number
    for folder, spoiled in zip(
        holders.folders(), ('{"place": 1, "value": "abc"}', "[]", "nonsense"), strict=False
    ):
        (folder / f"{number}.json").write_text(spoiled)

    assert close(sealed).status == Status.OPENING
    assert entries("SealTried")[0]["parts"] == 2


def test_an_envelope_that_was_copied_stops_the_opening_of_all(
    sealed, recycler, rival, rich, bid, close
):
    """Whoever can write to the database can spoil an auction, but cannot bid what another did, nor do it unseen."""
    bid(sealed, rich(recycler), 2_500_000)
    copy = Bid.objects.get()
    copy.pk, copy.bidder_id, copy.request_id = None, rival.organisation_id, uuid4()
    copy.save(force_insert=True)

    assert close(sealed).status == Status.OPENING
    assert not Bid.objects.filter(maximum__isnull=False).exists()
    assert entries("SealTried")[0]["outcome"] == "ENVELOPE_SPOILED"


def test_staff_let_a_lot_go_whose_key_is_lost_for_good(
    sealed, recycler, collector, staff, rich, bid, close, clock
):
    bid(sealed, rich(recycler), 2_500_000)
    lose(sealed, 5)
    close(sealed)

    with pytest.raises(PermissionDenied):
        services.give_up_opening(sealed, actor=collector, now=clock())
    services.give_up_opening(sealed, actor=staff, now=clock())

    sealed.refresh_from_db()
    assert sealed.status == Status.UNSOLD
    assert Deposit.objects.get().status == "RELEASED"
    assert Bid.objects.get().maximum is None


def test_an_auction_that_does_not_wait_for_its_key_is_not_given_up(auction, staff, clock):
    with pytest.raises(Refused):
        services.give_up_opening(auction, actor=staff, now=clock())

    assert Auction.objects.get().status == Status.OPEN


@pytest.mark.parametrize(("who", "outcome"), [("staff", "TOO_EARLY"), ("recycler", "NOT_ALLOWED")])
def test_every_try_to_open_early_is_in_the_journal_also_a_refused_one(
    request, sealed, clock, who, outcome
):
    actor = request.getfixturevalue(who)

    with pytest.raises((Refused, PermissionDenied)):
        services.refuse_early_opening(sealed, actor=actor, clock=clock)

    assert entries("SealTried") == [{"auction_id": sealed.pk, "outcome": outcome, "parts": 0}]
    assert Entry.objects.get(name="market.SealTried").user_id == actor.user_id


def test_a_holder_who_is_away_when_the_key_is_made_stops_the_auction_from_opening(
    offered, settings, tmp_path
):
    (tmp_path / "a-file").write_text("")
    settings.SEAL_DIRS = [tmp_path / "a-file" / "below"]

    with pytest.raises(Refused) as refusal:
        offered(mode="SEALED")

    assert refusal.value.code == "holder_away"


@pytest.mark.parametrize(
    "change", [{"maximum": 5}, {"commitment": "0" * 64}, {"envelope": b"x"}, {"bidder_id": None}]
)
def test_a_bid_is_for_ever(sealed, recycler, rich, bid, change):
    placed = bid(sealed, rich(recycler), 2_500_000)

    with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic():
        Bid.objects.filter(pk=placed.pk).update(**change)
    with pytest.raises(DatabaseError, match="for ever"), transaction.atomic():
        Bid.objects.filter(pk=placed.pk).delete()


def test_a_seal_needs_no_more_parts_than_there_are(sealed):
    with pytest.raises(IntegrityError, match="seal_can_be_opened"), transaction.atomic():
        Seal.objects.filter(auction=sealed).update(needed=6)


def test_a_sealed_auction_of_old_without_a_seal_goes_on_as_it_began(
    sealed, recycler, rich, bid, close
):
    Seal.objects.all().delete()
    placed = bid(sealed, rich(recycler), 2_500_000)

    assert Bid.objects.get(pk=placed.pk).maximum == 2_500_000
    assert close(sealed).status == Status.AWARDED


# --- second price ---------------------------------------------------------------------------------------


def test_the_highest_sealed_bid_wins_and_pays_the_second(
    offered, recycler, rival, bidder, rich, bid, close
):
    found = offered(mode="SECOND_PRICE")
    third = bidder("third")
    bid(found, rich(recycler), 3_000_000)
    bid(found, rich(rival), 2_400_000)
    bid(found, third, 2_100_000)

    close(found)

    ladder = list(Award.objects.order_by("rank").values_list("bidder_id", "price"))
    assert ladder == [
        (recycler.organisation_id, 2_400_000),
        (rival.organisation_id, 2_100_000),
        (third.organisation_id, RESERVE),
    ]
    assert found.price == 2_400_000


# --- falling price --------------------------------------------------------------------------------------


def test_the_price_falls_and_whoever_takes_it_gets_the_one_of_the_moment(
    dutch_auction, recycler, rival, rich, bid, clock
):
    clock.forward(minutes=25)
    with pytest.raises(Refused) as refusal:
        bid(dutch_auction, rich(recycler), 1_799_999)
    taken = bid(dutch_auction, recycler, 2_000_000)

    assert refusal.value.code == "bid_too_low"
    assert (taken.maximum, taken.leads) == (1_800_000, True)
    dutch_auction.refresh_from_db()
    assert dutch_auction.taken_at == clock()
    assert dutch_auction.closes_at == clock() + dutch.SEALED_TIME
    with pytest.raises(Refused) as second:
        bid(dutch_auction, rich(rival), 1_800_000)
    assert second.value.code == "bid_too_low"
    with pytest.raises(Refused) as own:
        bid(dutch_auction, recycler, 1_900_000)
    assert own.value.code == "you_took_it"


def test_a_repeated_taking_gets_the_same_answer_although_the_price_fell(
    dutch_auction, recycler, rich, bid, clock
):
    request_id = uuid4()
    clock.forward(minutes=25)
    first = bid(dutch_auction, rich(recycler), 2_000_000, request_id=request_id)

    assert bid(dutch_auction, recycler, 2_000_000, request_id=request_id) == first
    assert Bid.objects.count() == 1


def test_nobody_takes_it_and_it_is_not_sold(dutch_auction, close):
    assert close(dutch_auction).status == Status.UNSOLD


def test_without_a_sealed_bid_it_goes_to_who_took_it(
    dutch_auction, recycler, rich, bid, close, clock
):
    clock.forward(minutes=25)
    bid(dutch_auction, rich(recycler), 2_000_000)

    assert close(dutch_auction).status == Status.AWARDED
    assert Award.objects.get().price == 1_800_000


def test_after_sealed_bids_who_took_it_has_the_last_word(
    dutch_auction, recycler, rival, bidder, rich, bid, close, clock
):
    third = bidder("third")
    clock.forward(minutes=25)
    bid(dutch_auction, rich(recycler), 2_000_000)
    hidden = bid(dutch_auction, rich(rival), 1_950_000)
    assert Bid.objects.get(pk=hidden.pk).maximum is None
    dutch_auction.refresh_from_db()
    assert dutch_auction.bid_count == 1

    close(dutch_auction)
    assert (dutch_auction.status, dutch_auction.opened_at) == (Status.OPEN, clock())
    assert (dutch_auction.leader_id, dutch_auction.price) == (rival.organisation_id, 1_950_000)
    assert entries("LastWordBegins")[0]["taker_id"] == recycler.organisation_id
    with pytest.raises(Refused) as not_theirs:
        bid(dutch_auction, third, 2_500_000)
    assert not_theirs.value.code == "last_word_is_theirs"
    with pytest.raises(Refused) as low:
        bid(dutch_auction, recycler, 1_999_999)
    assert low.value.code == "bid_too_low"
    bid(dutch_auction, recycler, 2_000_000)
    close(dutch_auction)

    ladder = list(Award.objects.order_by("rank").values_list("bidder_id", "price"))
    assert ladder == [(recycler.organisation_id, 2_000_000), (rival.organisation_id, 1_950_000)]


def test_who_says_nothing_loses_it_to_the_best_sealed_bid(
    dutch_auction, recycler, rival, rich, bid, close, clock
):
    clock.forward(minutes=25)
    bid(dutch_auction, rich(recycler), 2_000_000)
    bid(dutch_auction, rich(rival), 1_950_000)
    close(dutch_auction)
    close(dutch_auction)

    assert Award.objects.get(rank=1).bidder_id == rival.organisation_id
    assert Award.objects.get(rank=2).price == 1_800_000


def test_the_last_word_waits_for_the_key(dutch_auction, recycler, rival, rich, bid, close, clock):
    clock.forward(minutes=25)
    bid(dutch_auction, rich(recycler), 2_000_000)
    bid(dutch_auction, rich(rival), 1_950_000)
    lose(dutch_auction, 3)
    assert close(dutch_auction).status == Status.OPENING

    come_back()
    clock.forward(hours=5)
    close(dutch_auction)

    assert dutch_auction.status == Status.OPEN
    assert dutch_auction.closes_at == clock() + dutch.BEST_TIME
    bid(dutch_auction, recycler, 2_000_000)


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ({"fall_steps": 100}, "fall_steps"),
        ({"fall_steps": 0}, "fall_steps"),
        ({"reserve": RESERVE}, "reserve_too_high"),
        ({"reserve": RESERVE + 1}, "reserve_too_high"),
        ({"fall_steps": 99, "closes_in": timedelta(minutes=16)}, "fall_pace"),
        ({"reserve": RESERVE - 1, "fall_steps": 10_000}, "fall_steps"),
        ({"step": RESERVE + 1}, "step_too_high"),
    ],
)
def test_a_fall_that_makes_no_sense_is_refused(offered, clock, broken, code):
    usual = {"mode": "DUTCH", "starting_price": RESERVE, "reserve": START, "fall_steps": 10}
    usual["closes_at"] = clock() + broken.pop("closes_in", timedelta(hours=2))

    with pytest.raises(services.AuctionRefused) as refusal:
        offered(**usual | broken)

    assert refusal.value.code == code
    assert not Auction.objects.exists()


def test_what_each_may_see_of_a_falling_price(
    dutch_auction, recycler, rival, collector, rich, bid, close, clock
):
    clock.forward(minutes=25)
    view = queries.view_of(dutch_auction, recycler, now=clock())
    assert (view.stage, view.price, view.may_bid) == ("FALLING", 1_800_000, True)
    assert view.next_step_at == clock() + timedelta(minutes=5)
    bid(dutch_auction, rich(recycler), 2_000_000)
    dutch_auction.refresh_from_db()

    taker, other = (queries.view_of(dutch_auction, who, now=clock()) for who in (recycler, rival))
    assert (taker.stage, taker.i_took, taker.may_bid) == ("SEALED", True, False)
    assert (other.i_took, other.may_bid, other.least) == (False, True, 1_850_000)
    bid(dutch_auction, rich(rival), 1_950_000)
    close(dutch_auction)

    taker, other = (queries.view_of(dutch_auction, who, now=clock()) for who in (recycler, rival))
    assert (taker.stage, taker.may_bid, taker.price, taker.least) == (
        "BEST",
        True,
        1_950_000,
        2_000_000,
    )
    assert not other.may_bid
    seller = queries.view_of(dutch_auction, collector, now=clock())
    assert all(line.maximum is None for line in seller.lines)


def test_a_taken_price_cannot_be_taken_back(dutch_auction, recycler, collector, rich, bid, clock):
    bid(dutch_auction, rich(recycler), RESERVE)

    with pytest.raises(Refused) as refusal:
        services.withdraw_auction(dutch_auction, actor=collector, now=clock())

    assert refusal.value.code == "auction_is_sealed"


@pytest.mark.parametrize(
    ("constraint", "broken"),
    [
        ("auction_falls_only_if_dutch", {"fall_steps": 100}),
        ("auction_falls_only_if_dutch", {"best_seconds": None}),
        ("auction_is_opened_after_it_is_taken", {"opened_at": "opens_at"}),
        ("auction_prices_make_sense", {"reserve": RESERVE + 1}),
        (
            "auction_pauses_while_open",
            {"paused_at": "opens_at", "status": "WITHDRAWN", "closed_at": "opens_at"},
        ),
    ],
)
def test_nonsense_falls_are_refused(dutch_auction, constraint, broken):
    known = {name: dutch_auction.opens_at for name, value in broken.items() if value == "opens_at"}

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Auction.objects.filter(pk=dutch_auction.pk).update(**broken | known)


# --- reverse --------------------------------------------------------------------------------------------


def test_a_reverse_auction_is_not_opened_while_no_deal_can_pay_the_taker(offered):
    with pytest.raises(services.AuctionRefused) as refusal:
        offered(mode="REVERSE")

    assert refusal.value.code == "reverse_not_settled"
    assert not Auction.objects.exists()


@pytest.fixture
def reverse(auction):
    """As it will stand in the table once it may be opened: at most two million, surely one."""
    Auction.objects.filter(pk=auction.pk).update(
        mode="REVERSE", starting_price=RESERVE, reserve=START
    )
    auction.refresh_from_db()
    return auction


def test_who_asks_least_takes_it_for_a_step_less_than_the_next(
    reverse, recycler, rival, rich, bid, close, clock
):
    with pytest.raises(Refused) as dear:
        bid(reverse, rich(recycler), 2_000_001)
    first = bid(reverse, recycler, 900_000)
    assert (first.leads, first.price_after) == (True, START)
    assert queries.view_of(Auction.objects.get(), rival, now=clock()).least == START - STEP
    with pytest.raises(Refused) as weak:
        bid(reverse, rich(rival), 960_000)
    with pytest.raises(Refused) as slip:
        bid(reverse, rival, 100_000)
    bid(reverse, rival, 800_000)

    close(reverse)

    codes = [refusal.value.code for refusal in (dear, weak, slip)]
    assert codes == ["bid_too_high", "bid_too_high", "confirm_high_bid"]
    ladder = list(Award.objects.order_by("rank").values_list("bidder_id", "price"))
    assert ladder == [(rival.organisation_id, 850_000), (recycler.organisation_id, START)]
