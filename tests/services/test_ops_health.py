"""What the site says about itself, and what it says about its settings."""

from datetime import timedelta

import pytest
import redis
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import OperationalError, transaction
from django.utils import timezone

from marketplace.journal.models import Entry, Job
from marketplace.journal.services import drain, enqueue
from marketplace.ops import health


@pytest.fixture(autouse=True)
def redis_answers(monkeypatch):
    monkeypatch.setattr(redis.Redis, "ping", lambda _self: True)


@pytest.fixture
def verdict(client, db):
    """Ask as a load balancer would. Return status code and word."""

    def ask():
        answer = client.get("/readyz")
        return answer.status_code, answer.json()["status"]

    return ask


def break_down(fault):
    def broken(*_words, **_options):
        raise fault

    return broken


def test_a_process_that_lives_says_so_and_asks_nobody(client):
    assert client.get("/livez").content == b"ok\n"  # without a database: this test has none


def test_a_site_that_has_everything_is_ready(verdict):
    assert verdict() == (200, "ready")


def test_without_redis_it_still_serves(verdict, monkeypatch):
    monkeypatch.setattr(redis.Redis, "ping", break_down(redis.ConnectionError("away")))

    assert verdict() == (200, "degraded")


def test_without_a_database_it_is_down(verdict, monkeypatch):
    monkeypatch.setattr(health, "_database", break_down(OperationalError("away")))

    assert verdict() == (503, "down")


def test_with_a_migration_missing_it_is_down(verdict, monkeypatch):
    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(
        health.MigrationExecutor,
        "migration_plan",
        lambda *_words: [
            (type("Migration", (), {"app_label": "lots", "name": "0009_more"}), False)
        ],
    )

    assert verdict() == (503, "down")


def test_with_a_full_disk_it_is_down(verdict, monkeypatch):
    monkeypatch.setattr(health, "NEEDED_BYTES", 2**62)

    assert verdict() == (503, "down")


def test_a_job_that_nobody_does_or_that_failed_for_good_degrades_it(verdict):
    late = timezone.now() - timedelta(seconds=health.LATE_SECONDS + 5)
    with transaction.atomic():
        enqueue("ops.drill", {}, now=late)
    assert verdict() == (200, "degraded")

    Job.objects.update(state=Job.State.DEAD, ended_at=late)
    assert verdict() == (200, "degraded")

    Job.objects.update(state=Job.State.DISCARDED)
    assert verdict() == (200, "ready")


def test_only_staff_read_the_details(browser, collector, staff):
    assert "found" not in browser(collector).get("/readyz").json()
    assert browser(staff).get("/readyz").json()["found"]["jobs"]["dead"] == 0


def test_nobody_posts_to_a_probe(client, db):
    assert client.post("/readyz").status_code == 405
    assert client.post("/livez").status_code == 405


def test_a_drill_counts_what_was_done(db, capsys, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: drain(clock=timezone.now))

    call_command("drill", "--jobs", "3", "--seconds", "0", "--name", "monday")

    assert '"lost": 0, "doubled": 0, "dead": 0' in capsys.readouterr().out
    assert Entry.objects.filter(name="ops.DrillDone", payload__drill="monday").count() == 3


def test_a_drill_that_lost_a_job_says_so_with_its_exit_code(db, capsys):
    with pytest.raises(SystemExit):
        call_command("drill", "--jobs", "1", "--patience", "0.1")

    assert '"lost": 1' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("finding", "name", "value"),
    [
        ("voltbazaar.E001", "SECRET_KEY", "short"),
        ("voltbazaar.E001", "SECRET_KEY", ""),
        ("voltbazaar.E004", "REDIS_URL", "memory://"),
        ("voltbazaar.E005", "SITE_URL", "voltbazaar.example"),
        ("voltbazaar.E005", "SITE_URL", "https://voltbazaar.example/market"),
        ("voltbazaar.E006", "MEDIA_ROOT", "/dev/null/media"),
        ("voltbazaar.E007", "JOB_LEASE_SECONDS", 0),
        ("voltbazaar.W001", "SITE_URL", "http://voltbazaar.example"),
        ("voltbazaar.W002", "HASHED_STATIC", False),
        ("voltbazaar.W003", "EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend"),
        ("voltbazaar.W004", "JOB_LEASE_SECONDS", 1),
    ],
)
def test_a_wrong_setting_is_found_by_its_id(settings, finding, name, value):
    setattr(settings, name, value)

    assert finding in {problem.id for problem in run_checks(include_deployment_checks=True)}


def test_a_database_of_another_kind_is_found(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "mysql://localhost/voltbazaar")

    assert "voltbazaar.E003" in {problem.id for problem in run_checks()}


def test_a_keys_directory_that_others_may_enter_is_found(settings, tmp_path):
    settings.KEYS_DIR = tmp_path
    tmp_path.chmod(0o755)

    assert "voltbazaar.E002" in {problem.id for problem in run_checks()}
