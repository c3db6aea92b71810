"""The embedded servers: they come up, go down with whoever started them, and say in one sentence what is wrong."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from marketplace.ops.embedded import ROOT
from marketplace.ops.stack import clean_environment

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("embedded")]


@pytest.fixture
def var() -> Iterator[Path]:
    # Not below pytest's own directory: as root, PostgreSQL runs as a user who may not enter that.
    place = Path(tempfile.mkdtemp(prefix="voltbazaar-test-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def launch(var: Path, *command: str, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "marketplace.ops.embedded", "--var", str(var), *options]
    return subprocess.Popen(
        [*words, "--", *command],
        cwd=ROOT,
        env=clean_environment(),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def waiting(var: Path) -> subprocess.Popen[str]:
    """Start a command that waits for a line that never comes, so that its end is the test's to bring about."""
    process = launch(var, sys.executable, "-c", "print('up', flush=True); input()")
    assert process.stdout is not None
    process.stdout.readline()
    return process


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def left_behind(var: Path) -> list[str]:
    """Return the command lines of processes that work in that directory or got its address."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = " ".join(process.info["cmdline"] or [])
        if str(var) in words or (process.info["environ"] or {}).get("VAR_DIR") == str(var):
            found.append(words)
    return found


def wait_until_nothing_is_left(var: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and left_behind(var):
        time.sleep(0.1)
    assert left_behind(var) == []


def test_a_command_finds_both_servers_and_its_exit_code_is_ours(var: Path) -> None:
    asks = (
        "import os, psycopg, redis, sys\n"
        "print(psycopg.connect(os.environ['DATABASE_URL']).execute('SHOW server_version').fetchone())\n"
        "print(redis.Redis.from_url(os.environ['REDIS_URL']).ping())\n"
        "print(len(os.environ['SECRET_KEY']))\n"
        "sys.exit(7)"
    )

    code, out, _err = finish(launch(var, sys.executable, "-c", asks))

    assert code == 7
    version, redis_answer, key_length = out.split("\n")[:3]
    assert version.startswith("('18.")
    assert redis_answer == "True"
    assert int(key_length) >= 50
    wait_until_nothing_is_left(var)


def test_what_was_written_is_there_the_next_time_and_secrets_are_ours_alone(var: Path) -> None:
    writes = (
        "import os, psycopg; psycopg.connect(os.environ['DATABASE_URL'], autocommit=True).execute"
    )

    assert finish(launch(var, sys.executable, "-c", f"{writes}('CREATE TABLE kept ()')"))[0] == 0
    assert finish(launch(var, sys.executable, "-c", f"{writes}('SELECT FROM kept')"))[0] == 0

    for secret in (var / "secrets").iterdir():
        assert secret.stat().st_mode & 0o777 == 0o600


def test_servers_that_are_there_already_are_used(var: Path) -> None:
    words = [sys.executable, "-m", "marketplace.ops.embedded", "--var", str(var), "--"]
    given = {"DATABASE_URL": "postgresql://there/already", "REDIS_URL": "redis://there:1/0"}
    show = "import os; print(os.environ['DATABASE_URL'], os.environ['REDIS_URL'])"

    done = subprocess.run(
        [*words, sys.executable, "-c", show],
        cwd=ROOT,
        env={**clean_environment(), **given},
        text=True,
        capture_output=True,
        check=True,
    )

    assert done.stdout.split() == list(given.values())
    assert not (var / "postgresql").exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_nothing_is_left_behind(var: Path, signum: signal.Signals) -> None:
    with waiting(var) as process:
        assert any("postgres" in words for words in left_behind(var))

        process.send_signal(signum)

        process.wait(30)
    assert process.returncode in {128 + signum, -signum}
    wait_until_nothing_is_left(var)


def test_it_starts_again_right_after_its_postmaster_was_killed(var: Path) -> None:
    with waiting(var) as process:
        postmaster = int((var / "postgresql/data/postmaster.pid").read_text().split()[0])

        os.kill(postmaster, signal.SIGKILL)
        process.kill()
        code, out, err = finish(launch(var, "echo", "again"))

    assert (code, out) == (0, "again\n"), err


def one_sentence(err: str) -> str:
    assert "Traceback" not in err
    (line,) = err.strip().splitlines()
    return line


def test_a_directory_in_use_is_refused_in_one_sentence(var: Path) -> None:
    with waiting(var) as first:
        code, _out, err = finish(launch(var, "true"))
        first.terminate()

    assert code == 1
    assert f"in use by process {first.pid}" in one_sentence(err)


def test_data_of_another_major_version_is_refused_in_one_sentence(var: Path) -> None:
    assert finish(launch(var, "true"))[0] == 0
    (var / "postgresql/data/PG_VERSION").write_text("16\n")

    code, _out, err = finish(launch(var, "true"))

    assert code == 1
    assert "made by PostgreSQL 16, and this is PostgreSQL 18" in one_sentence(err)
    wait_until_nothing_is_left(var)


def test_a_full_disk_is_refused_in_one_sentence(var: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=30m", "none", str(var)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("only root can mount the small file system that this fills")
    try:
        code, _out, err = finish(launch(var, "true"))
    finally:
        subprocess.run(["umount", str(var)], check=True)

    assert code == 1
    assert "MB are free" in one_sentence(err)


def test_a_command_that_does_not_exist_is_refused_in_one_sentence(var: Path) -> None:
    code, _out, err = finish(launch(var, "no-such-program"))

    assert code == 1
    assert "no-such-program" in one_sentence(err)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a directory that others cannot enter")
def test_root_keeps_the_data_elsewhere_where_the_servers_user_can_reach_it(var: Path) -> None:
    var.chmod(0o700)

    code, out, err = finish(launch(var, "echo", "up", options=("--fast",)))

    assert (code, out) == (0, "up\n"), err
    assert "its data lies in /var/tmp/voltbazaar-" in one_sentence(err)
    assert not (var / "postgresql").is_symlink()
