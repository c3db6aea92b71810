"""The journal: what is written down, who reacts, and the work that follows, exactly once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError

from marketplace.accounts.actors import SYSTEM
from marketplace.core.errors import Refused
from marketplace.journal import services
from marketplace.journal.events import Event, JobDiscarded, JobRetried
from marketplace.journal.models import Delivery, Entry, Job, Schedule, Tick
from marketplace.journal.services import Every, Switchboard, drain, enqueue, record, run, sweep

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Rang(Event):
    __module__ = "marketplace.tests.events"

    number: int


class House:
    """A switchboard of this test's own: what it did is in ``done``."""

    def __init__(self):
        self.done: list = []
        self.fail: Counter[str] = Counter()

    def on_rang(self, event, at):
        self._do("on_rang", (event.number, at))

    def also_on_rang(self, event, at):
        self._do("also_on_rang", event.number)

    def work(self, payload):
        self._do("work", payload)

        def finish(now):
            record(Rang(number=payload.get("number", 0)), by=SYSTEM, at=now)

        return finish

    def tick(self, payload):
        self._do("tick", payload["slot"])

    def _do(self, name, what):
        if self.fail[name]:
            self.fail[name] -= 1
            raise ValueError(f"{name} failed")
        self.done.append((name, what))


@pytest.fixture
def house(monkeypatch):
    house = House()
    for method in (House.on_rang, House.also_on_rang):
        monkeypatch.setattr(method, "__module__", "marketplace.tests.tasks")
    board = Switchboard(
        reactions={
            Rang: [house.on_rang, house.also_on_rang],
            JobRetried: [],
            JobDiscarded: [],
        },
        jobs={"work": house.work},
        schedules={"tick": Every(60, house.tick)},
    )
    monkeypatch.setattr(services, "switchboard", lambda: board)
    return house


def ring_the_bell(now, number=1):
    with transaction.atomic():
        return record(Rang(number=number), by=SYSTEM, at=now)


def queue_work(now, **more):
    with transaction.atomic():
        enqueue("work", {"number": 7}, now=now, **more)
    return Job.objects.order_by("-pk").first()


def in_threads(work, count=8):
    def alone(n):
        try:
            return work(n)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(alone, range(count)))


# --- recording ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_what_happened_is_recorded_only_in_the_transaction_that_makes_it_true(house, now):
    with pytest.raises(TransactionManagementError):
        record(Rang(number=1), by=SYSTEM, at=now)
    with pytest.raises(TransactionManagementError):
        enqueue("work", {}, now=now)

    assert not Entry.objects.exists()
    assert not Job.objects.exists()


def test_what_is_rolled_back_has_not_happened(house, now, clock):
    with transaction.atomic():
        record(Rang(number=1), by=SYSTEM, at=now)
        transaction.set_rollback(True)

    assert drain(clock=clock) == 0
    assert house.done == []
    assert not Entry.objects.exists()


def test_every_handler_reacts_once_to_what_happened(house, now, clock):
    ring_the_bell(now)

    assert drain(clock=clock) == 2
    assert drain(clock=clock) == 0

    assert house.done == [("on_rang", (1, now)), ("also_on_rang", 1)]
    assert Delivery.objects.count() == 2


def test_a_handler_that_fails_does_not_hold_up_the_other(house, now, clock):
    house.fail["on_rang"] = 1
    ring_the_bell(now)

    drain(clock=clock)
    assert house.done == [("also_on_rang", 1)]
    clock.forward(seconds=10)
    drain(clock=clock)

    assert sorted(house.done) == [("also_on_rang", 1), ("on_rang", (1, now))]


def test_a_reaction_and_its_note_are_written_together_or_not_at_all(house, now, clock, monkeypatch):
    entry = ring_the_bell(now)

    def broken(event, at):
        enqueue("work", {"number": 99}, now=at)
        raise ValueError("half way")

    monkeypatch.setattr(services, "_reaction", lambda name, wanted: (Rang, broken))
    drain(clock=clock)

    assert not Delivery.objects.filter(entry=entry).exists()
    assert not Job.objects.filter(kind="work").exists()


@pytest.mark.django_db(transaction=True)
def test_eight_workers_with_the_same_message_react_once(house, now, clock):
    ring_the_bell(now)
    jobs = list(Job.objects.values_list("pk", flat=True))

    finished = in_threads(lambda n: sum(run(pk, clock=clock) for pk in jobs))

    assert sum(finished) == 2
    assert Delivery.objects.count() == 2
    assert len(house.done) == 2


# --- jobs -----------------------------------------------------------------------------------------


def test_a_job_is_done_once_and_its_effects_are_written(house, now, clock):
    job = queue_work(now)

    assert run(job.pk, clock=clock)
    assert not run(job.pk, clock=clock)

    job.refresh_from_db()
    assert job.state == Job.State.DONE
    assert job.ended_at == now
    assert Entry.objects.filter(name__endswith="Rang", payload={"number": 7}).count() == 1


def test_a_second_job_with_the_same_key_is_not_queued(house, now):
    queue_work(now, dedupe_key="once")
    queue_work(now, dedupe_key="once")
    queue_work(now)

    assert Job.objects.count() == 2


def test_a_job_waits_for_its_time(house, now, clock):
    job = queue_work(now, run_after=now + timedelta(minutes=5))
    assert not run(job.pk, clock=clock)

    clock.forward(minutes=5)

    assert run(job.pk, clock=clock)


def test_work_that_fails_is_tried_again_ever_more_patiently(house, now, clock):
    house.fail["work"] = 3
    job = queue_work(now)
    waits = []
    for _n in range(3):
        run(job.pk, clock=clock)
        job.refresh_from_db()
        assert job.state == Job.State.TODO
        assert "work failed" in job.last_error
        waits.append((job.run_after - clock()).total_seconds())
        assert not run(job.pk, clock=clock)
        clock.at = job.run_after

    assert 1.6 <= waits[0] <= 2.4 < 3.2 <= waits[1] <= 4.8 < 6.4 <= waits[2] <= 9.6
    assert run(job.pk, clock=clock)
    job.refresh_from_db()
    assert (job.state, job.last_error) == (Job.State.DONE, "")


def dead_job(house, now, clock, tries=2):
    house.fail["work"] = tries
    job = queue_work(now, max_attempts=tries)
    for _n in range(tries):
        run(job.pk, clock=clock)
        clock.forward(hours=2)
    job.refresh_from_db()
    assert job.state == Job.State.DEAD
    return job


def test_work_that_keeps_failing_is_parked_with_its_error(house, now, clock):
    job = dead_job(house, now, clock)

    assert "ValueError: work failed" in job.last_error
    assert job.ended_at is not None
    assert not run(job.pk, clock=clock)
    assert list(Job.objects.dead()) == [job]


def test_a_dead_job_gets_a_full_set_of_tries_again(house, now, clock, staff):
    job = dead_job(house, now, clock)
    entries = Entry.objects.count()

    services.retry_job(job, by=staff, now=clock())

    assert run(job.pk, clock=clock)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.DONE, 1)
    assert Entry.objects.count() == entries + 2


def test_a_dead_job_is_given_up_with_a_reason(house, now, clock, staff):
    job = dead_job(house, now, clock)

    with pytest.raises(Refused):
        services.discard_job(job, by=staff, reason=" ", now=clock())
    services.discard_job(job, by=staff, reason="The lot is gone.", now=clock())

    job.refresh_from_db()
    assert job.state == Job.State.DISCARDED
    assert Entry.objects.get(name="journal.JobDiscarded").payload["reason"] == "The lot is gone."


def test_only_dead_jobs_are_retried_or_given_up(house, now, staff):
    job = queue_work(now)

    with pytest.raises(Refused):
        services.retry_job(job, by=staff, now=now)
    with pytest.raises(Refused):
        services.discard_job(job, by=staff, reason="Why not.", now=now)

    job.refresh_from_db()
    assert job.state == Job.State.TODO
    assert not Entry.objects.exists()


# --- leases and fencing ---------------------------------------------------------------------------


def test_a_job_that_somebody_works_on_is_left_alone_until_the_lease_ends(
    house, now, clock, settings
):
    job = queue_work(now)
    claimed = services._claim(job.pk, now=clock())
    assert claimed.token == 1

    assert services._claim(job.pk, now=clock()) is None
    assert not run(job.pk, clock=clock)
    clock.forward(seconds=settings.JOB_LEASE_SECONDS + 1)

    assert run(job.pk, clock=clock)


def test_whoever_comes_back_after_the_lease_writes_nothing(house, now, clock, settings):
    job = queue_work(now)
    slow = services._claim(job.pk, now=clock())
    late = services._work_of(slow)(slow.payload)
    clock.forward(seconds=settings.JOB_LEASE_SECONDS + 1)
    assert run(job.pk, clock=clock)
    entries = Entry.objects.count()

    assert not services._finish(slow, late, clock=clock)

    assert Entry.objects.count() == entries == 1


def test_whoever_fails_after_the_lease_does_not_put_back_what_another_does(
    house, now, clock, settings
):
    job = queue_work(now)
    slow = services._claim(job.pk, now=clock())
    clock.forward(seconds=settings.JOB_LEASE_SECONDS + 1)
    other = services._claim(job.pk, now=clock())

    services._put_back(slow, ValueError("too late"), now=clock())

    job.refresh_from_db()
    assert (job.token, job.last_error) == (other.token, "")
    assert job.lease_until is not None


def test_a_worker_that_dies_in_its_last_try_leaves_a_dead_job(house, now, clock, settings):
    job = queue_work(now, max_attempts=1)
    services._claim(job.pk, now=clock())
    clock.forward(seconds=settings.JOB_LEASE_SECONDS + 1)

    assert not run(job.pk, clock=clock)

    job.refresh_from_db()
    assert job.state == Job.State.DEAD
    assert "died" in job.last_error


@pytest.mark.django_db(transaction=True)
def test_eight_workers_at_once_claim_a_job_once(house, now, clock):
    job = queue_work(now)

    claims = in_threads(lambda n: services._claim(job.pk, now=clock()))

    assert sum(claim is not None for claim in claims) == 1


# --- the sweeper ----------------------------------------------------------------------------------


def test_without_a_bell_the_sweeper_does_the_work(house, now, clock):
    queue_work(now)
    clock.forward(seconds=4)

    assert sweep(clock=clock) >= 1

    assert ("work", {"number": 7}) in house.done


def test_the_sweeper_rings_for_what_was_forgotten(house, now, clock, settings, monkeypatch):
    settings.JOB_BELL = True
    rung = []
    monkeypatch.setattr(services, "ring", lambda pk: rung.append(pk) or True)
    job = queue_work(now)
    assert sweep(clock=clock) == 0  # it has only just been rung for

    clock.forward(seconds=settings.JOB_RERING_SECONDS + 1)
    assert sweep(clock=clock) == 1
    assert sweep(clock=clock) == 0

    assert rung[-1] == job.pk
    assert house.done == []


def test_the_sweeper_does_itself_what_nobody_comes_for(house, now, clock, settings, monkeypatch):
    settings.JOB_BELL = True
    monkeypatch.setattr(services, "ring", lambda pk: True)
    queue_work(now)
    clock.forward(seconds=settings.JOB_INLINE_SECONDS + 1)

    sweep(clock=clock)

    assert ("work", {"number": 7}) in house.done


# --- schedules ------------------------------------------------------------------------------------


@pytest.fixture
def hung_up(house, now):
    services.hang_up_schedules(now=now)
    return Schedule.objects.get()


def test_a_slot_is_given_out_once(house, hung_up, now, clock):
    assert services.give_out_slots(now=now) == 1
    assert services.give_out_slots(now=now) == 0

    drain(clock=clock)

    assert house.done == [("tick", now.isoformat())]


def test_after_a_long_sleep_only_the_latest_slot_is_done(house, hung_up, now, clock):
    later = now + timedelta(minutes=10, seconds=30)

    assert services.give_out_slots(now=later) == 1

    assert Tick.objects.get().slot == now + timedelta(minutes=10)
    hung_up.refresh_from_db()
    assert hung_up.next_at == now + timedelta(minutes=11)


def test_a_schedule_that_catches_up_gives_out_every_slot(house, hung_up, now):
    Schedule.objects.update(catch_up=Schedule.CatchUp.ALL)

    assert services.give_out_slots(now=now + timedelta(minutes=10)) == 11


@pytest.mark.django_db(transaction=True)
def test_eight_beats_at_once_give_out_a_slot_once(house, hung_up, now):
    given = in_threads(lambda n: services.give_out_slots(now=now))

    assert sum(given) == 1
    assert Tick.objects.count() == Job.objects.count() == 1


def test_hanging_up_again_keeps_the_next_slot_and_takes_down_what_is_gone(house, hung_up, now):
    Schedule.objects.create(name="gone", every_seconds=5, next_at=now)
    services.give_out_slots(now=now)

    services.hang_up_schedules(now=now)

    assert Schedule.objects.get().next_at == now + timedelta(minutes=1)


def test_health_tells_a_deaf_worker_from_an_idle_one(house, hung_up, now, clock):
    services.give_out_slots(now=now)
    drain(clock=clock)
    idle = services.health(now=now)
    assert (idle["due"], idle["dead"], idle["oldest_due_seconds"]) == (0, 0, 0.0)

    queue_work(now)
    deaf = services.health(now=now + timedelta(seconds=90))

    assert (deaf["due"], deaf["oldest_due_seconds"]) == (1, 90.0)


def test_what_is_long_done_is_tidied_away_and_what_guards_something_stays(
    house, hung_up, now, clock
):
    ring_the_bell(now)
    queue_work(now)
    queue_work(now, dedupe_key="certificate:1")
    services.give_out_slots(now=now)
    drain(clock=clock)
    dead = dead_job(house, now, clock)
    entries, notes = Entry.objects.count(), Delivery.objects.count()

    assert services.tidy(now=now + timedelta(days=2)) == 0
    assert services.tidy(now=now + timedelta(days=4)) > 0

    assert set(Job.objects.all()) == {dead, Job.objects.get(dedupe_key="certificate:1")}
    assert not Tick.objects.exists()
    assert services.give_out_slots(now=now) == 0
    assert (Entry.objects.count(), Delivery.objects.count()) == (entries, notes)


# --- the database as the last judge ---------------------------------------------------------------


@pytest.mark.parametrize("model", [Entry, Delivery])
def test_what_happened_is_never_changed_or_removed(house, now, clock, model):
    ring_the_bell(now)
    drain(clock=clock)
    table = model._meta.db_table
    statements = [
        f"UPDATE {table} SET at = now()",
        f"DELETE FROM {table}",
        f"SET LOCAL voltbazaar.may_truncate = 'off'; TRUNCATE {table} CASCADE",
    ]
    before = model.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing pending may hide the refusal
    for statement in statements:
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)

    assert model.objects.count() == before > 0


def breaks(constraint, change):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        change()


@pytest.mark.parametrize(
    ("constraint", "wrong"),
    [
        ("job_state_known", {"state": "MAGIC"}),
        ("job_is_dated_once_it_ended", {"state": "DONE"}),
        ("job_attempts_are_bounded", {"attempts": 99}),
    ],
)
def test_the_database_refuses_a_job_that_is_nonsense(house, now, constraint, wrong):
    queue_work(now)

    if wrong.get("state") == "MAGIC":
        wrong = wrong | {"ended_at": now}
    breaks(constraint, lambda: Job.objects.update(**wrong))


def test_the_database_counts_everything_once(house, hung_up, now, clock):
    ring_the_bell(now)
    drain(clock=clock)
    services.give_out_slots(now=now)
    note, tick = Delivery.objects.first(), Tick.objects.get()

    breaks(
        "delivered_once",
        lambda: Delivery.objects.create(entry=note.entry, handler=note.handler, at=now),
    )
    breaks("slot_given_out_once", lambda: Tick.objects.create(schedule=hung_up, slot=tick.slot))
    breaks("schedule_moves_on", lambda: Schedule.objects.update(every_seconds=0))
    breaks("schedule_catch_up_known", lambda: Schedule.objects.update(catch_up="MAYBE"))


# --- who may look ---------------------------------------------------------------------------------


def test_members_see_what_their_organisation_did_and_staff_see_everything(
    house, now, collector, rival, staff, stranger
):
    with transaction.atomic():
        record(Rang(number=1), by=collector, at=now)

    everybody = (collector, rival, staff, stranger)
    seen = [who for who in everybody if Entry.objects.visible_to(who).exists()]

    assert seen == [collector, staff]
    queue_work(now)
    assert not Job.objects.visible_to(collector).exists()
    assert Job.objects.visible_to(staff).exists()


def test_every_event_of_the_house_is_on_the_switchboard_under_its_own_name():
    labels = [event.label() for event in services.switchboard().reactions]

    assert len(labels) == len(set(labels))
