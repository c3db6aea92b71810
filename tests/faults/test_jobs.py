"""The drills: 300 jobs while processes die, stop, forget or repeat themselves. None is lost, none done twice."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psutil
import psycopg
import pytest
import redis

from marketplace.ops.embedded import ROOT
from marketplace.ops.processes import wait_until
from marketplace.ops.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

JOBS = 320
FAULTS = 4
SECONDS_BETWEEN_FAULTS = 2.0
DONE_WITHIN = timedelta(seconds=30)

Fault = Callable[[Stack], None]


def kill_a_pool_child(stack: Stack) -> None:
    children = psutil.Process(stack.children["worker"].pid).children()
    if children:  # the one killed before may not have been replaced yet
        children[0].kill()


def kill_the_worker(stack: Stack) -> None:
    wait_until_the_worker_works(stack)
    stack.kill("worker")
    stack.revive("worker")


def kill_redis(stack: Stack) -> None:
    stack.kill("redis")
    time.sleep(0.5)
    stack.revive("redis")


def flush_redis(stack: Stack) -> None:
    redis.Redis.from_url(stack.environment["REDIS_URL"]).flushall()


def end_every_database_session(stack: Stack) -> None:
    """Every session but that of the drill itself, which has to live to count."""
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND application_name <> 'drill'"
        )


def stop_the_worker_until_its_jobs_are_taken(stack: Stack) -> None:
    wait_until_the_worker_works(stack)
    try:
        assert wait_until(lambda: stopped_in_the_middle_of_a_job(stack), seconds=30)
        ask(stack, "SELECT count(*) FROM journal_job WHERE attempts > 1 AND ended_at > %s")
    finally:
        stack.resume("worker")


def stopped_in_the_middle_of_a_job(stack: Stack) -> bool:
    """Stop the worker; if it was between two jobs, let it go on."""
    stack.pause("worker")
    time.sleep(1.0)
    # A lease that was taken before it stopped, by somebody who takes far less than a second when awake.
    seconds = float(stack.environment["JOB_LEASE_SECONDS"]) - 0.9
    stuck = (
        "SELECT count(*) FROM journal_job WHERE state = 'TODO' AND kind = 'ops.drill'"
        " AND lease_until < now() + %s * interval '1 second'"
    )
    with psycopg.connect(stack.environment["DATABASE_URL"], application_name="drill") as connection:
        if connection.execute(stuck, [seconds]).fetchone() != (0,):
            return True
    stack.resume("worker")
    return False


def wait_until_the_worker_works(stack: Stack) -> None:
    """A worker needs seconds to start; to kill it before that would prove nothing."""
    assert wait_until(lambda: "received" in stack.children["worker"].said(), seconds=30)


def ask(stack: Stack, query: str) -> None:
    """Wait until a count of what happened since now is above zero."""
    began, address = datetime.now(UTC), stack.environment["DATABASE_URL"]
    with psycopg.connect(address, autocommit=True, application_name="drill") as connection:
        assert wait_until(
            lambda: connection.execute(query, [began]).fetchone() != (0,), seconds=60, step=0.1
        ), query


def drill(
    stack: Stack, fault: Fault | None, *options: str, times: int = FAULTS
) -> tuple[dict[str, int], datetime]:
    """Run a drill while the fault happens again and again. Return its report, and when the last fault ended."""
    words = [
        "drill",
        "--jobs",
        str(JOBS),
        "--over",
        "8",
        "--seconds",
        "0.05",
        "--patience",
        "60",
        *options,
    ]
    counting = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), *words],
        env={**stack.environment, "PROCESS": "drill"},
        stdout=subprocess.PIPE,
        text=True,
    )
    last_fault_at = datetime.now(UTC)
    # Django takes seconds to start on a busy machine; faults before the first job would prove nothing.
    ask(stack, "SELECT count(*) FROM journal_job WHERE kind = 'ops.drill' AND created_at > %s")
    for _ in range(times if fault else 0):
        time.sleep(SECONDS_BETWEEN_FAULTS)
        fault(stack)
        last_fault_at = datetime.now(UTC)
    out, _err = counting.communicate(timeout=120)
    return json.loads(out.splitlines()[-1]), last_fault_at


def assert_nothing_lost_nothing_doubled(report: dict, last_fault_at: datetime) -> None:
    print(report)  # read with -rP: how often jobs were tried again
    assert report["jobs"] == JOBS
    assert (report["lost"], report["doubled"], report["dead"]) == (0, 0, 0)
    assert datetime.fromisoformat(report["last_done_at"]) <= last_fault_at + DONE_WITHIN


@pytest.mark.parametrize(
    "fault",
    [kill_a_pool_child, kill_the_worker, kill_redis, flush_redis, end_every_database_session],
)
def test_no_job_is_lost_or_doubled_whatever_dies(stack: Stack, fault: Fault) -> None:
    report, last_fault_at = drill(stack, fault)

    assert_nothing_lost_nothing_doubled(report, last_fault_at)


def test_a_worker_that_slept_past_its_lease_is_fenced_out(stack: Stack) -> None:
    # Long enough that both of its processes are in the middle of a job when they stop.
    report, last_fault_at = drill(
        stack, stop_the_worker_until_its_jobs_are_taken, "--seconds", "0.1", times=1
    )

    assert_nothing_lost_nothing_doubled(report, last_fault_at)
    assert report["tried_again"] > 0


def test_every_message_twice_is_every_job_once(stack: Stack) -> None:
    report, last_fault_at = drill(stack, None, "--ring-twice")

    assert_nothing_lost_nothing_doubled(report, last_fault_at + timedelta(seconds=8))


def test_with_redis_away_the_site_serves_and_every_job_is_done(stack: Stack) -> None:
    stack.kill("redis")
    try:
        report, _last_fault_at = drill(stack, None)

        assert (report["lost"], report["doubled"], report["dead"]) == (0, 0, 0)
        assert stack.answers("/readyz")
        assert stack.answers("/")
    finally:
        stack.revive("redis")
