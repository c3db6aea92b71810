from datetime import datetime, timedelta
from typing import Any, Protocol, Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.core.models import RowQuerySet


class Reader(Protocol):
    """Who may look into the journal: accounts' Actor, which lives one floor above."""

    @property
    def organisation_id(self) -> int | None: ...
    @property
    def sees_everything(self) -> bool: ...


class EntryQuerySet(RowQuerySet["Entry"]):
    def visible_to(self, actor: Reader) -> Self:
        """Members see what their organisation did; staff see everything."""
        if actor.sees_everything:
            return self
        if actor.organisation_id is None:
            return self.none()
        return self.filter(organisation_id=actor.organisation_id)


class Entry(models.Model):
    """One thing that happened: audit trail, outbox and open-data source in one append-only row.

    It refers to people and organisations by plain id, so that they can be forgotten without rewriting it.
    """

    name = models.CharField(max_length=80)
    payload = models.JSONField()
    actor = models.CharField(max_length=80)
    user_id = models.BigIntegerField(null=True)
    organisation_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    written_at = models.DateTimeField(auto_now_add=True)

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "entries"
        indexes = [
            models.Index(fields=["organisation_id", "-id"], name="entry_by_organisation"),
            models.Index(fields=["name", "-id"], name="entry_by_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} #{self.pk}"


class Delivery(models.Model):
    """This handler has reacted to this entry. Written with the reaction, so it can happen only once."""

    entry = models.ForeignKey(Entry, models.PROTECT, related_name="deliveries")
    handler = models.CharField(max_length=120)
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["entry", "handler"], name="delivered_once"),
        ]

    def __str__(self) -> str:
        return f"{self.handler} of {self.entry_id}"


class JobQuerySet(RowQuerySet["Job"]):
    def visible_to(self, actor: Reader) -> Self:
        """Background work is shown to the people who run the site."""
        return self if actor.sees_everything else self.none()

    def due(self, now: datetime) -> Self:
        """What may be started now: waiting, its time has come, and nobody holds a lease on it."""
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        return self.filter(free, state=Job.State.TODO, run_after__lte=now)

    def unrung(self, now: datetime, *, for_seconds: int) -> Self:
        """What was not rung for lately: the broker may have lost the message."""
        return self.filter(Q(rung_at=None) | Q(rung_at__lt=now - timedelta(seconds=for_seconds)))

    def dead(self) -> Self:
        return self.filter(state=Job.State.DEAD)


class Job(models.Model):
    """A piece of slow work, written in the transaction that makes it necessary.

    The row is the truth and Celery is the doorbell. ``token`` grows with every claim: whoever finishes
    with an old one was taken for dead and is fenced out.
    """

    class State(models.TextChoices):
        TODO = "TODO", _("Waiting")
        DONE = "DONE", _("Done")
        DEAD = "DEAD", _("Failed")
        DISCARDED = "DISCARDED", _("Discarded")

    kind = models.CharField(max_length=80)
    payload = models.JSONField(default=dict)
    dedupe_key = models.CharField(max_length=200, null=True, unique=True)  # noqa: DJ001 — no key, no uniqueness
    state = models.CharField(max_length=10, choices=State, default=State.TODO)
    run_after = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=8)
    lease_until = models.DateTimeField(null=True)
    token = models.PositiveIntegerField(default=0)
    rung_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["TODO", "DONE", "DEAD", "DISCARDED"]), name="job_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state="TODO", ended_at=None)
                | (~Q(state="TODO") & Q(ended_at__isnull=False)),
                name="job_is_dated_once_it_ended",
            ),
            models.CheckConstraint(
                condition=Q(attempts__lte=F("max_attempts")), name="job_attempts_are_bounded"
            ),
        ]
        indexes = [
            models.Index(fields=["run_after", "id"], condition=Q(state="TODO"), name="job_due"),
            models.Index(fields=["-id"], condition=Q(state="DEAD"), name="job_dead"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class ScheduleQuerySet(RowQuerySet["Schedule"]):
    def visible_to(self, actor: Reader) -> Self:
        """Background work is shown to the people who run the site."""
        return self if actor.sees_everything else self.none()


class Schedule(models.Model):
    """Periodic work. Its slots are inserted once each, so any number of beats may ring, late or twice."""

    class CatchUp(models.TextChoices):
        ALL = "ALL", _("Every missed slot")
        LATEST = "LATEST", _("Only the latest missed slot")

    name = models.CharField(max_length=80, primary_key=True)
    every_seconds = models.PositiveIntegerField()
    next_at = models.DateTimeField()
    catch_up = models.CharField(max_length=10, choices=CatchUp, default=CatchUp.LATEST)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(every_seconds__gt=0), name="schedule_moves_on"),
            models.CheckConstraint(
                condition=Q(catch_up__in=["ALL", "LATEST"]), name="schedule_catch_up_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Tick(models.Model):
    """One slot of a schedule that has been given out."""

    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="ticks")
    slot = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "slot"], name="slot_given_out_once"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} at {self.slot}"


JsonObject = dict[str, Any]
