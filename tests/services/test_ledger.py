# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Money moves in balanced movements, each once, and never what is not there."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from marketplace.journal.models import Entry, Job
from marketplace.journal.services import run
from marketplace.ledger import payments, queries, services, tasks
from marketplace.ledger.models import Account, Movement, Payment, Posting
from marketplace.ledger.payments import Answer
from tests.cast_market import rich  # noqa: F401

pytestmark = pytest.mark.django_db

AVAILABLE, HELD = "AVAILABLE", "HELD"


class SlowBank:
    """A payment service that is asked by a job, and answers what a test tells it."""

    answers_at_once = False
    answer = Answer(is_done=True, reference="bank-1")
    asked: list[str] = []

    def collect(self, *, key, amount, currency):
        self.asked.append(key)
        return self.answer

    send = collect


@pytest.fixture
def bank(settings, monkeypatch):
    settings.PAYMENT_SERVICE = f"{__name__}.SlowBank"
    monkeypatch.setattr(SlowBank, "asked", [])
    monkeypatch.setattr(SlowBank, "answer", SlowBank.answer)
    return SlowBank


def pots(actor, currency="IDR"):
    return tuple(
        queries.balance(organisation=actor.organisation_id, kind=kind, currency=currency)
        for kind in (AVAILABLE, HELD)
    )


def hold(actor, amount, *, purpose="deal:1", key="deal:1:hold", now, currency="IDR"):
    return services.hold(
        organisation=actor.organisation_id,
        amount=Decimal(amount),
        currency=currency,
        purpose=purpose,
        key=key,
        now=now,
    )


def sums():
    """What every invariant of the ledger says."""
    assert services.drift() == []
    assert sum(Posting.objects.values_list("amount", flat=True), Decimal(0)) == 0
    for account in Account.objects.exclude(organisation=None):
        at = Decimal(0)
        for posting in account.postings.order_by("pk"):
            at += posting.amount
            assert posting.balance_after == at
        assert account.balance == at


# --- in and out --------------------------------------------------------------------------------------------


def test_money_that_is_added_is_available_once(recycler, now):
    request_id = uuid4()
    asked = {"actor": recycler, "amount": Decimal(500), "currency": "IDR", "now": now}

    first = services.top_up(**asked, request_id=request_id)
    second = services.top_up(**asked, request_id=request_id)

    assert first == second
    assert first.status == Payment.Status.DONE
    assert pots(recycler) == (500, 0)
    assert queries.house_balance("OUTSIDE", "IDR") == -500
    assert Entry.objects.filter(name="ledger.MoneyPaidIn").count() == 1
    sums()


def test_the_same_request_for_another_amount_is_refused(recycler, now):
    request_id = uuid4()
    asked = {"actor": recycler, "currency": "IDR", "request_id": request_id, "now": now}
    services.top_up(**asked, amount=Decimal(500))

    with pytest.raises(services.KeyUsedOtherwise):
        services.top_up(**asked, amount=Decimal(501))
    with pytest.raises(services.KeyUsedOtherwise):
        services.pay_out(**asked, amount=Decimal(500))

    assert pots(recycler) == (500, 0)


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "1e30", "0.001"])
def test_an_amount_that_cannot_be_paid_is_refused(recycler, now, amount):
    with pytest.raises(services.AmountRefused):
        services.top_up(
            actor=recycler, amount=Decimal(amount), currency="IDR", request_id=uuid4(), now=now
        )

    assert not Payment.objects.exists()
    assert not Movement.objects.exists()


def test_a_currency_without_cents_takes_none(recycler, now):
    with pytest.raises(services.AmountRefused):
        services.top_up(
            actor=recycler, amount=Decimal("5.5"), currency="JPY", request_id=uuid4(), now=now
        )


def test_a_verifier_moves_no_money(verifier, now):
    with pytest.raises(PermissionDenied):
        services.top_up(
            actor=verifier, amount=Decimal(5), currency="IDR", request_id=uuid4(), now=now
        )


def test_what_is_paid_out_can_no_longer_be_spent(recycler, rich, now):
    rich(recycler, 500)
    out = {"actor": recycler, "currency": "IDR", "now": now}

    services.pay_out(**out, amount=Decimal(400), request_id=uuid4())
    with pytest.raises(services.NotEnoughMoney):
        services.pay_out(**out, amount=Decimal(101), request_id=uuid4())

    assert pots(recycler) == (100, 0)
    assert Payment.objects.filter(way="OUT").count() == 1
    sums()


def test_a_slow_payment_service_is_asked_by_a_job(recycler, bank, now, settle):
    payment = services.top_up(
        actor=recycler, amount=Decimal(500), currency="IDR", request_id=uuid4(), now=now
    )
    assert pots(recycler) == (0, 0)

    settle()

    payment.refresh_from_db()
    assert (payment.status, payment.reference) == (Payment.Status.DONE, "bank-1")
    assert bank.asked == [f"payment-{payment.pk}"]
    assert pots(recycler) == (500, 0)
    sums()


def test_money_that_did_not_arrive_is_available_again(recycler, rich, bank, settings, now, settle):
    settings.PAYMENT_SERVICE = "marketplace.ledger.payments.PlayMoney"
    rich(recycler, 500)
    settings.PAYMENT_SERVICE = f"{__name__}.SlowBank"
    bank.answer = Answer(is_done=False, reference="bank-2", reason="Account closed.")
    payment = services.pay_out(
        actor=recycler, amount=Decimal(500), currency="IDR", request_id=uuid4(), now=now
    )
    assert pots(recycler) == (0, 0)

    settle()

    payment.refresh_from_db()
    assert (payment.status, payment.reason) == (Payment.Status.FAILED, "Account closed.")
    assert pots(recycler) == (500, 0)
    sums()


def test_a_second_answer_of_the_payment_service_changes_nothing(recycler, bank, now, settle):
    payment = services.top_up(
        actor=recycler, amount=Decimal(500), currency="IDR", request_id=uuid4(), now=now
    )
    settle()

    services.end_payment(payment, answer=Answer(is_done=True, reference="again"), now=now)

    assert pots(recycler) == (500, 0)


def test_play_money_says_yes_at_once():
    service = payments.payment_service()

    for ask in (service.collect, service.send):
        assert ask(key="payment-1", amount=Decimal(5), currency="IDR").is_done


# --- inside the house -----------------------------------------------------------------------------------------


def test_what_is_held_cannot_be_spent(recycler, rich, now):
    rich(recycler, 500)

    hold(recycler, 400, now=now)
    with pytest.raises(services.NotEnoughMoney):
        hold(recycler, 101, key="other", now=now)

    assert pots(recycler) == (100, 400)
    sums()


def test_the_same_key_moves_money_once(recycler, rich, now):
    rich(recycler, 500)

    first, second = hold(recycler, 400, now=now), hold(recycler, 400, now=now)

    assert first == second
    assert pots(recycler) == (100, 400)


def test_the_same_key_for_something_else_is_refused(recycler, rich, now):
    rich(recycler, 500)
    hold(recycler, 400, now=now)

    with pytest.raises(services.KeyUsedOtherwise):
        hold(recycler, 50, now=now)

    assert pots(recycler) == (100, 400)


def test_a_release_gives_back_what_is_held_for_its_purpose_and_no_more(recycler, rich, now):
    rich(recycler, 500)
    hold(recycler, 100, now=now)
    hold(recycler, 200, purpose="deal:2", key="deal:2:hold", now=now)
    back = {"organisation": recycler.organisation_id, "currency": "IDR", "now": now}

    with pytest.raises(services.LessIsHeld):
        services.release(**back, purpose="deal:1", key="too-much", amount=Decimal(101))
    services.release(**back, purpose="deal:1", key="back")
    services.release(**back, purpose="deal:1", key="back")
    with pytest.raises(services.LessIsHeld):
        services.release(**back, purpose="deal:1", key="back-again")

    assert pots(recycler) == (300, 200)
    sums()


def test_a_refund_may_be_a_part(recycler, rich, now):
    rich(recycler, 500)
    hold(recycler, 400, now=now)

    movement = services.refund(
        organisation=recycler.organisation_id,
        currency="IDR",
        purpose="deal:1",
        key="refund",
        amount=Decimal(150),
        now=now,
    )

    assert movement.kind == Movement.Kind.REFUND
    assert pots(recycler) == (250, 250)


def test_a_settlement_pays_seller_and_house_and_gives_the_rest_back(recycler, collector, rich, now):
    rich(recycler, 500)
    hold(recycler, 500, now=now)
    paid = {
        "organisation": recycler.organisation_id,
        "to": collector.organisation_id,
        "amount": Decimal(450),
        "fee": Decimal(9),
        "currency": "IDR",
        "purpose": "deal:1",
        "key": "settle",
        "now": now,
    }

    assert services.settle(**paid) == services.settle(**paid)

    assert pots(recycler) == (50, 0)
    assert pots(collector) == (441, 0)
    assert queries.house_balance("FEES", "IDR") == 9
    sums()


def test_a_disputed_part_stays_frozen(recycler, collector, rich, now):
    rich(recycler, 500)
    hold(recycler, 500, now=now)

    services.settle(
        organisation=recycler.organisation_id,
        to=collector.organisation_id,
        amount=Decimal(300),
        currency="IDR",
        purpose="deal:1",
        key="first-part",
        refund_rest=False,
        now=now,
    )

    assert pots(recycler) == (0, 200)
    assert pots(collector) == (300, 0)


def test_what_is_forfeited_goes_to_the_other_side(recycler, collector, rich, now):
    rich(recycler, 500)
    hold(recycler, 50, purpose="auction:1", now=now)
    lost = {
        "organisation": recycler.organisation_id,
        "to": collector.organisation_id,
        "currency": "IDR",
        "purpose": "auction:1",
        "key": "forfeit",
        "now": now,
    }

    assert services.forfeit(**lost) == services.forfeit(**lost)

    assert pots(recycler) == (450, 0)
    assert pots(collector) == (50, 0)
    sums()


def test_money_of_one_currency_pays_nothing_in_another(recycler, rich, now):
    rich(recycler, 500, "IDR")

    with pytest.raises(services.NotEnoughMoney):
        hold(recycler, 5, currency="USD", now=now)


# --- what the database itself refuses ---------------------------------------------------------------------------


@pytest.fixture
def movement(recycler, rich):
    rich(recycler, 500)
    return Movement.objects.get()


@pytest.mark.parametrize("table", [Movement, Posting])
def test_the_ledger_is_append_only(movement, table):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        table.objects.all().delete() if table is Posting else table.objects.filter(
            pk=movement.pk
        ).update(kind="FEE")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():  # noqa: PT012
        column = "purpose" if table is Movement else "currency"
        table.objects.all().update(**{column: "x"})


@pytest.mark.parametrize(
    ("amounts", "constraint"),
    [((5, -4), "movement_sums_to_zero"), ((5,), "movement_has_two_legs"), ((), "two_legs")],
)
def test_an_unbalanced_movement_is_not_committed(movement, recycler, now, amounts, constraint):
    account = Account.objects.get(organisation_id=recycler.organisation_id)
    house = Account.objects.get(kind="OUTSIDE", currency="IDR")

    with pytest.raises(IntegrityError, match=r"sum to zero|two legs"), transaction.atomic():  # noqa: PT012
        bad = Movement.objects.create(
            key=f"bad-{constraint}", kind="HOLD", purpose="x", legs_sha256="", at=now
        )
        for amount, where in zip(amounts, (account, house), strict=False):
            Posting.objects.create(
                movement=bad,
                account=where,
                currency="IDR",
                amount=amount,
                balance_after=None if where == house else 0,
            )
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_posting_is_in_the_currency_of_its_account(movement, recycler):
    account = Account.objects.get(organisation_id=recycler.organisation_id)

    with pytest.raises(IntegrityError, match="another currency"), transaction.atomic():
        Posting.objects.create(
            movement=movement, account=account, currency="USD", amount=5, balance_after=0
        )


def test_a_leg_is_never_added_to_a_movement_that_stands(movement, recycler):
    account = Account.objects.get(organisation_id=recycler.organisation_id)

    with pytest.raises(IntegrityError, match="posting_once_per_account"), transaction.atomic():
        Posting.objects.create(
            movement=movement, account=account, currency="IDR", amount=5, balance_after=505
        )


def account_of(owner, /, **other):
    return Account(**{"organisation_id": owner, "kind": HELD, "currency": "IDR"} | other)


def payment_of(actor, now, **other):
    fields = {
        "organisation_id": actor.organisation_id,
        "way": "IN",
        "amount": 5,
        "currency": "IDR",
        "asked_by_id": actor.user_id,
        "request_id": uuid4(),
        "asked_at": now,
    }
    return Payment(**fields | other)


@pytest.mark.parametrize(
    ("constraint", "broken"),
    [
        ("account_(kind_known|has_its_owner)", {"kind": "PIGGY"}),
        ("account_has_its_owner", {"organisation_id": None}),
        ("account_has_its_owner", {"kind": "FEES"}),
        ("account_is_not_overdrawn", {"balance": -1}),
        ("account_is_not_overdrawn", {"kind": "FEES", "organisation_id": None, "balance": 1}),
    ],
)
def test_nonsense_accounts_are_refused(recycler, constraint, broken):
    with pytest.raises(IntegrityError, match=constraint):
        account_of(recycler.organisation_id, **broken).save()


def test_each_pot_is_the_only_one(recycler):
    account_of(recycler.organisation_id).save()

    with pytest.raises(IntegrityError, match="account_is_the_only_one"):
        account_of(recycler.organisation_id).save()


def test_the_house_has_one_pot_of_each_kind(reference):
    account_of(None, kind="FEES").save()

    with pytest.raises(IntegrityError, match="account_is_the_only_one"):
        account_of(None, kind="FEES").save()


@pytest.mark.parametrize(
    ("constraint", "broken"),
    [
        ("payment_way_known", {"way": "UP"}),
        ("payment_(status_known|is_dated_once_ended)", {"status": "LOST"}),
        ("payment_moves_something", {"amount": 0}),
        ("payment_is_dated_once_ended", {"status": "DONE"}),
        ("payment_failure_has_a_reason", {"status": "FAILED", "ended_at": "now"}),
    ],
)
def test_nonsense_payments_are_refused(recycler, now, constraint, broken):
    broken = {name: now if value == "now" else value for name, value in broken.items()}

    with pytest.raises(IntegrityError, match=constraint):
        payment_of(recycler, now, **broken).save()


def test_a_payment_request_counts_once(recycler, now):
    payment_of(recycler, now, request_id="5e0c9e9e-7b0b-4f6c-8a65-0d5a5a5a5a5a").save()

    with pytest.raises(IntegrityError, match="payment_request_counts_once"):
        payment_of(recycler, now, request_id="5e0c9e9e-7b0b-4f6c-8a65-0d5a5a5a5a5a").save()


@pytest.mark.parametrize(
    ("constraint", "broken"),
    [
        ("posting_moves_something", {"amount": 0}),
        ("posting_leaves_nothing_overdrawn", {"balance_after": -1}),
    ],
)
def test_nonsense_postings_are_refused(movement, collector, constraint, broken):
    account = account_of(collector.organisation_id)
    account.save()
    fields = {"movement": movement, "account": account, "currency": "IDR", "amount": 5}

    with pytest.raises(IntegrityError, match=constraint):
        Posting.objects.create(**fields | {"balance_after": 5} | broken)


def test_nonsense_movements_are_refused(movement, now):
    with pytest.raises(IntegrityError, match="movement_kind_known"), transaction.atomic():
        Movement.objects.create(key="k", kind="LOSS", purpose="x", legs_sha256="", at=now)
    with pytest.raises(IntegrityError, match="key"), transaction.atomic():
        Movement.objects.create(key=movement.key, kind="HOLD", purpose="x", legs_sha256="", at=now)


# --- who sees what -------------------------------------------------------------------------------------------------


def test_money_is_seen_by_its_owner_and_by_staff(recycler, rival, staff, anonymous, rich):
    rich(recycler)
    rich(rival)

    for table in (Account, Posting, Movement, Payment):
        seen = table.objects.visible_to
        assert seen(recycler).count() == 1, table
        assert not set(seen(recycler)) & set(seen(rival)), table
        assert seen(anonymous).count() == 0, table
        assert set(seen(recycler)) <= set(seen(staff)), table


# --- nightly ------------------------------------------------------------------------------------------------------


def test_a_sound_ledger_is_found_sound(recycler, rich, clock):
    rich(recycler)

    with transaction.atomic():
        tasks.reconcile({"slot": clock().isoformat()})(clock())

    assert Entry.objects.get(name="ledger.LedgerReconciled").payload["movements"] == 1


def test_a_balance_that_drifted_is_shown_to_the_operator(recycler, rich, clock, settle):
    rich(recycler)
    Account.objects.filter(organisation_id=recycler.organisation_id).update(balance=7)
    job = Job.objects.create(
        kind="every.ledger.reconcile",
        payload={"slot": ""},
        run_after=clock(),
        created_at=clock(),
        max_attempts=1,
    )

    run(job.pk, clock=clock)

    job.refresh_from_db()
    assert job.state == Job.State.DEAD
    assert "balance 7" in job.last_error


# --- races ---------------------------------------------------------------------------------------------------------


def in_threads(calls):
    """Call everything at once, each with a connection of its own; return results or what was refused."""

    start = threading.Barrier(len(calls))

    def alone(call):
        start.wait()
        try:
            return call()
        except services.Refused as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(alone, calls))


@pytest.mark.django_db(transaction=True)
def test_two_spenders_cannot_spend_the_same_money(recycler, rich, now):
    """Red without the row lock in ``_find`` (tried: several read 500, and each spends it)."""
    rich(recycler, 501)
    hold(
        recycler, 1, key="first", now=now
    )  # so that the accounts are there: opening one is a queue too

    ends = in_threads([lambda n=n: hold(recycler, 300, key=f"k{n}", now=now) for n in range(8)])

    assert sum(isinstance(end, Movement) for end in ends) == 1
    assert sum(isinstance(end, services.NotEnoughMoney) for end in ends) == 7
    assert pots(recycler) == (200, 301)
    sums()


@pytest.mark.django_db(transaction=True)
def test_one_key_in_eight_hands_moves_money_once(recycler, rich, now):
    """Red without ``lock_word`` in ``_post`` (tried: unique violations instead of the same movement)."""
    rich(recycler, 500)

    ends = in_threads([lambda: hold(recycler, 100, now=now) for _ in range(8)])

    assert len({end.pk for end in ends}) == 1
    assert pots(recycler) == (400, 100)


@pytest.mark.django_db(transaction=True)
def test_one_payment_request_in_eight_hands_pays_once(recycler, now):
    """Red without ``lock_word`` in ``_ask`` (tried)."""
    request_id = uuid4()
    asked = {"actor": recycler, "amount": Decimal(5), "currency": "IDR", "now": now}

    ends = in_threads([lambda: services.top_up(**asked, request_id=request_id) for _ in range(8)])

    assert len({end.pk for end in ends}) == 1
    assert pots(recycler) == (5, 0)


@pytest.mark.django_db(transaction=True)
def test_payments_criss_cross_without_deadlock(recycler, rival, rich, now):
    """Red when a payment locks its payer's accounts before the payee's, not all by key (tried)."""
    rich(recycler, 5000)
    rich(rival, 5000)
    for actor, number in ((recycler, 1), (rival, 2)):
        hold(actor, 4000, purpose=f"deal:{number}", key=f"deal:{number}", now=now)

    def pay(number):
        payer, payee = (recycler, rival) if number % 2 else (rival, recycler)
        return services.settle(
            organisation=payer.organisation_id,
            to=payee.organisation_id,
            amount=Decimal(10),
            currency="IDR",
            purpose=f"deal:{1 if number % 2 else 2}",
            key=f"pay:{number}",
            refund_rest=False,
            now=now + timedelta(seconds=number),
        )

    ends = in_threads([lambda n=n: pay(n) for n in range(40)])

    assert all(isinstance(end, Movement) for end in ends)
    assert pots(recycler) == (1200, 3800)
    sums()
