"""Is the site fit to serve, and does its work get done? Asked by machines and shown to staff."""

import shutil
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from marketplace.journal.services import health as journal_health

NEEDED_BYTES = 200 * 2**20
LATE_SECONDS = 60  # a job that is due for longer has been heard by nobody, not even by the sweeper

_migrated = False


@dataclass(frozen=True)
class Finding:
    """What one look found. ``vital``: without it no page can be served."""

    name: str
    fit: bool
    vital: bool
    detail: Any


def findings(*, now: datetime) -> list[Finding]:
    """Look at everything; what cannot be seen is not fit."""
    found = [_disk(), _redis()]
    try:
        found += [_database(), _migrations(), _work(now=now)]
    except Error as fault:
        connection.close()
        found.append(Finding("database", fit=False, vital=True, detail=str(fault)))
    return found


def verdict(found: list[Finding]) -> str:
    """Return ``ready``, ``degraded`` (it serves, something is missing) or ``down``."""
    unfit = [finding for finding in found if not finding.fit]
    if any(finding.vital for finding in unfit):
        return "down"
    return "degraded" if unfit else "ready"


def _disk() -> Finding:
    try:
        free = shutil.disk_usage(settings.VAR_DIR).free
    except OSError as fault:
        return Finding("disk", fit=False, vital=True, detail=fault.strerror)
    return Finding("disk", fit=free >= NEEDED_BYTES, vital=True, detail={"free_mb": free // 2**20})


def _redis() -> Finding:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1)
    try:
        client.ping()
    except (redis.RedisError, OSError) as fault:
        return Finding("redis", fit=False, vital=False, detail=str(fault))
    finally:
        client.close()
    return Finding("redis", fit=True, vital=False, detail="answers")


def _database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (version,) = cursor.fetchone()
    return Finding("database", fit=True, vital=True, detail={"version": version})


def _migrations() -> Finding:
    global _migrated  # once they are applied they stay so, and asking takes long
    missing: list[str] = []
    if not _migrated:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        missing = [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]
        _migrated = not missing
    return Finding("migrations", fit=_migrated, vital=True, detail={"missing": missing})


def _work(*, now: datetime) -> Finding:
    """Health by work, not by ping: a worker that is deaf answers pings."""
    state = journal_health(now=now)
    fit = state["dead"] == 0 and state["oldest_due_seconds"] <= LATE_SECONDS
    return Finding("jobs", fit=fit, vital=False, detail=state)
