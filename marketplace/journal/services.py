"""The journal: what happened, who reacts, and the slow work that follows.

``record`` and ``enqueue`` write rows in the caller's transaction. ``run`` does one job. ``sweep`` finds what the
broker lost. With Redis stopped the sweeper does the work itself, so everything still finishes.
"""

import random
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Protocol

import structlog
from celery import current_app
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Min, Q
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError as BrokerError

from marketplace.core.clock import Clock
from marketplace.core.errors import Refused

from .events import Event, JobDiscarded, JobRetried
from .models import Delivery, Entry, Job, Schedule, Tick

log = structlog.get_logger(__name__)

Finish = Callable[[datetime], None]
"""The effects of a job: called with the time, inside the one transaction that also ends the job."""

Work = Callable[[dict[str, Any]], Finish | None]
"""The slow part of a job: called with its payload, outside any transaction. Returns its effects."""

Handler = Callable[[Any, datetime], None]
"""A reaction to an event: called with the event and when it happened, inside a transaction."""

REACT = "journal.react"
LONGEST_BACKOFF = timedelta(hours=1)
KEPT_FOR = timedelta(days=3)
BELL_RESTS_SECONDS = 5.0
_bell = {"rests_until": 0.0}


@dataclass(frozen=True)
class Every:
    """Periodic work: call ``work`` with the payload ``{"slot": ISO time}`` every so many seconds."""

    seconds: int
    work: Work
    catch_up: Schedule.CatchUp = Schedule.CatchUp.LATEST


@dataclass(frozen=True)
class Switchboard:
    """When this happens, that runs: every reaction, job and schedule of the house on one page."""

    reactions: Mapping[type[Event], Sequence[Handler]]
    jobs: Mapping[str, Work] = field(default_factory=dict)
    schedules: Mapping[str, Every] = field(default_factory=dict)


class Recorder(Protocol):
    """Who did it: accounts' Actor, which lives one floor above."""

    @property
    def name(self) -> str: ...
    @property
    def user_id(self) -> int | None: ...
    @property
    def organisation_id(self) -> int | None: ...


class JobRefused(Refused):
    code = "job_refused"


@cache
def switchboard() -> Switchboard:
    board: Switchboard = import_string(f"{settings.ROOT_EVENTCONF}.SWITCHBOARD")
    return board


def handler_name(handler: Handler) -> str:
    module: str = handler.__module__
    return f"{module.removeprefix('marketplace.')}.{handler.__name__}"


def record(event: Event, *, by: Recorder, at: datetime) -> Entry:
    """Write down what happened, in the transaction that makes it true, and queue what reacts to it.

    :raises TransactionManagementError: outside a transaction
    """
    _inside_a_transaction()
    entry = Entry.objects.create(
        name=event.label(),
        payload=event.payload(),
        actor=by.name,
        user_id=by.user_id,
        organisation_id=by.organisation_id,
        at=at,
    )
    for handler in switchboard().reactions[type(event)]:
        enqueue(REACT, {"entry": entry.pk, "handler": handler_name(handler)}, now=at)
    return entry


def enqueue(
    kind: str,
    payload: dict[str, Any],
    *,
    now: datetime,
    dedupe_key: str | None = None,
    run_after: datetime | None = None,
    max_attempts: int = 8,
) -> None:
    """Queue slow work in the caller's transaction. A second job with the same ``dedupe_key`` is not queued.

    :raises TransactionManagementError: outside a transaction
    """
    _inside_a_transaction()
    job = Job(
        kind=kind,
        payload=payload,
        dedupe_key=dedupe_key,
        run_after=run_after or now,
        max_attempts=max_attempts,
        created_at=now,
        rung_at=now,
    )
    if dedupe_key is None:
        job.save(force_insert=True)
        transaction.on_commit(lambda: ring(job.pk))
        return
    # ON CONFLICT DO NOTHING returns no key: read it back, so that the bell rings for either row
    Job.objects.bulk_create([job], ignore_conflicts=True)
    queued = Job.objects.values_list("pk", flat=True).get(dedupe_key=dedupe_key)
    transaction.on_commit(lambda: ring(queued))


def ring(job_id: int) -> bool:
    """Ask a worker to look at a job. Best effort: the sweeper rings again for what stays undone."""
    if not settings.JOB_BELL or time.monotonic() < _bell["rests_until"]:
        return False
    try:
        current_app.send_task(
            "marketplace.journal.run", args=[job_id], retry=False, ignore_result=True
        )
    except (BrokerError, OSError) as fault:
        # a broker that does not answer must not hold up every page that rings
        _bell["rests_until"] = time.monotonic() + BELL_RESTS_SECONDS
        log.warning("bell_out_of_order", job=job_id, fault=str(fault))
        return False
    return True


def run(job_id: int, *, clock: Clock) -> bool:
    """Do one job, if it is due and free. Return whether this call finished it.

    The slow part runs outside any transaction; its effects and the job's end are written in one.
    An error is kept on the row and the job is tried again later, ever more patiently, until it is dead.
    """
    claimed = _claim(job_id, now=clock())
    if claimed is None:
        return False
    try:
        finish = _work_of(claimed)(claimed.payload)
        return _finish(claimed, finish, clock=clock)
    except Exception as fault:  # noqa: BLE001 — whatever a job dies of is kept on its row and shown
        if isinstance(fault, InterfaceError | OperationalError):
            connection.close()  # the server may be gone: the next statement connects anew
        _put_back(claimed, fault, now=clock())
        return False


def sweep(*, clock: Clock, limit: int = 200) -> int:
    """Give out due slots, ring for forgotten jobs, and do those that nobody comes for. Return how many were due."""
    give_out_slots(now=clock())
    now = clock()
    with transaction.atomic():
        due = Job.objects.due(now).unrung(now, for_seconds=settings.JOB_RERING_SECONDS)
        forgotten = list(due.claim().order_by("run_after", "pk")[:limit])
        Job.objects.filter(pk__in=[job.pk for job in forgotten]).update(rung_at=now)
    for job in forgotten:
        late = now - max(job.run_after, job.created_at) > timedelta(
            seconds=settings.JOB_INLINE_SECONDS
        )
        if late or not ring(job.pk):
            run(job.pk, clock=clock)
    return len(forgotten)


def drain(*, clock: Clock) -> int:
    """Do here and now whatever is due, and what follows from it, until nothing is. Return how many were finished.

    For commands and tests that must see the end of a chain of jobs without a worker.
    """
    finished = 0
    while due := list(
        Job.objects.due(clock()).order_by("run_after", "pk").values_list("pk", flat=True)
    ):
        finished += sum(run(job_id, clock=clock) for job_id in due)
    return finished


@transaction.atomic
def give_out_slots(*, now: datetime) -> int:
    """Queue one job for every slot that has come, each exactly once. Return how many."""
    given = 0
    for schedule in Schedule.objects.filter(next_at__lte=now).claim().order_by("pk"):
        every = timedelta(seconds=schedule.every_seconds)
        missed = (now - schedule.next_at) // every
        first = 0 if schedule.catch_up == Schedule.CatchUp.ALL else missed
        for step in range(first, missed + 1):
            slot = schedule.next_at + step * every
            Tick.objects.create(schedule=schedule, slot=slot)
            enqueue(
                f"every.{schedule.pk}",
                {"slot": slot.isoformat()},
                now=now,
                dedupe_key=f"{schedule.pk}@{slot.isoformat()}",
                max_attempts=3,
            )
            given += 1
        schedule.next_at += (missed + 1) * every
        schedule.save(update_fields=["next_at"])
    return given


@transaction.atomic
def hang_up_schedules(*, now: datetime) -> None:
    """Make the schedule rows what the switchboard says. Safe to run at every start."""
    schedules = switchboard().schedules
    for name, every in schedules.items():
        Schedule.objects.update_or_create(
            name=name,
            defaults={"every_seconds": every.seconds, "catch_up": every.catch_up},
            create_defaults={
                "every_seconds": every.seconds,
                "catch_up": every.catch_up,
                "next_at": now,
            },
        )
    Schedule.objects.exclude(name__in=list(schedules)).delete()


@transaction.atomic
def retry_job(job: Job, *, by: Recorder, now: datetime) -> Job:
    """Put a dead job back to work with a full set of tries.

    :raises JobRefused: if it is not dead
    """
    job = Job.objects.lock(job)
    if job.state != Job.State.DEAD:
        raise JobRefused(_("Only failed jobs can be tried again. Reload the page."))
    job.state, job.attempts, job.run_after, job.ended_at = Job.State.TODO, 0, now, None
    job.rung_at = None
    job.save(update_fields=["state", "attempts", "run_after", "ended_at", "rung_at"])
    record(JobRetried(job_id=job.pk, kind=job.kind), by=by, at=now)
    transaction.on_commit(lambda: ring(job.pk))
    return job


@transaction.atomic
def discard_job(job: Job, *, by: Recorder, reason: str, now: datetime) -> Job:
    """Give a dead job up, and say why.

    :raises JobRefused: if it is not dead, or no reason is given
    """
    job = Job.objects.lock(job)
    if job.state != Job.State.DEAD:
        raise JobRefused(_("Only failed jobs can be discarded. Reload the page."))
    if not reason.strip():
        raise JobRefused(_("Say why this job is given up."), field="reason")
    job.state = Job.State.DISCARDED
    job.save(update_fields=["state"])
    record(JobDiscarded(job_id=job.pk, kind=job.kind, reason=reason), by=by, at=now)
    return job


def tidy(*, now: datetime) -> int:
    """Remove what is done and guards nothing any more, a while after it ended, and return how many jobs.

    Jobs with a key of their own stay: the key keeps the same work from being queued again.
    """
    old = now - KEPT_FOR
    Tick.objects.filter(slot__lt=old).delete()
    unguarded = Q(dedupe_key=None) | Q(kind__startswith="every.")
    removed, _by_table = Job.objects.filter(
        unguarded, state=Job.State.DONE, ended_at__lt=old
    ).delete()
    return removed


def react(payload: dict[str, Any]) -> Finish:
    """Let one handler react to one entry, exactly once."""
    entry = Entry.objects.get(pk=payload["entry"])
    event_type, handler = _reaction(entry.name, payload["handler"])

    def finish(now: datetime) -> None:
        Delivery.objects.create(entry=entry, handler=payload["handler"], at=now)
        handler(event_type(**entry.payload), entry.at)

    return finish


def health(*, now: datetime) -> dict[str, Any]:
    """Return what tells a deaf worker from an idle one: oldest due job in seconds, due, dead, oldest next slot."""
    due = Job.objects.due(now)
    oldest = due.order_by("run_after").values_list("run_after", flat=True).first()
    next_slot = Schedule.objects.aggregate(oldest=Min("next_at"))["oldest"]
    return {
        "oldest_due_seconds": round((now - oldest).total_seconds(), 1) if oldest else 0.0,
        "due": due.count(),
        "dead": Job.objects.dead().count(),
        "latest_slot_seconds": round(max(0.0, (now - next_slot).total_seconds()), 1)
        if next_slot
        else 0.0,
    }


def _inside_a_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError(
            "The journal writes only in the transaction that makes things true."
        )


def _claim(job_id: int, *, now: datetime) -> Job | None:
    taken = (
        Job.objects.due(now)
        .filter(pk=job_id, attempts__lt=F("max_attempts"))
        .update(
            lease_until=now + timedelta(seconds=settings.JOB_LEASE_SECONDS),
            token=F("token") + 1,
            attempts=F("attempts") + 1,
        )
    )
    if taken:
        return Job.objects.get(pk=job_id)
    # whoever held the last try died with it: nobody may start it again, so say so
    Job.objects.due(now).filter(pk=job_id, attempts__gte=F("max_attempts")).update(
        state=Job.State.DEAD,
        ended_at=now,
        lease_until=None,
        last_error="The worker died during the last try.",
    )
    return None


def _finish(job: Job, finish: Finish | None, *, clock: Clock) -> bool:
    with transaction.atomic():
        now = clock()
        mine = Q(pk=job.pk, token=job.token, state=Job.State.TODO)
        ended = Job.objects.filter(mine).update(
            state=Job.State.DONE, ended_at=now, lease_until=None, last_error=""
        )
        if not ended:
            log.warning("fenced_out", job=job.pk, kind=job.kind)
            return False
        if finish is not None:
            finish(now)
    return True


def _put_back(job: Job, fault: Exception, *, now: datetime) -> None:
    log.warning("job_failed", job=job.pk, kind=job.kind, attempt=job.attempts, fault=repr(fault))
    patience = min(timedelta(seconds=2**job.attempts), LONGEST_BACKOFF)
    jitter = random.uniform(0.8, 1.2)  # noqa: S311 — spreads retries, guards nothing
    dead = job.attempts >= job.max_attempts
    mine = Job.objects.filter(pk=job.pk, token=job.token, state=Job.State.TODO)
    mine.update(
        state=Job.State.DEAD if dead else Job.State.TODO,
        ended_at=now if dead else None,
        run_after=now + patience * jitter,
        lease_until=None,
        rung_at=None,
        last_error="".join(traceback.format_exception(fault))[-4000:],
    )


def _work_of(job: Job) -> Work:
    if job.kind == REACT:
        return react
    if job.kind.startswith("every."):
        return switchboard().schedules[job.kind.removeprefix("every.")].work
    return switchboard().jobs[job.kind]


def _reaction(event_name: str, wanted: str) -> tuple[type[Event], Handler]:
    for event_type, handlers in switchboard().reactions.items():
        if event_type.label() == event_name:
            for handler in handlers:
                if handler_name(handler) == wanted:
                    return event_type, handler
    raise LookupError(f"No handler {wanted} for {event_name} on the switchboard.")
