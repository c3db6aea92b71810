"""Every process of the site on one machine: for the demo, the browser tests, the drills and the story.

    python -m marketplace.ops.stack [--var DIR] [--join DIR] -- COMMAND…

runs COMMAND with SITE_URL and the rest of the environment of a fresh stack, or of the one that
``make demo`` already runs below the directory named by --join.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .embedded import ROOT, Say, Services, run
from .processes import (
    Child,
    Trouble,
    die_with_make,
    die_with_parent,
    free_port,
    port_is_free,
    stopping_cleanly,
    wait_until,
)

RESTARTS_ALLOWED = 5
RESTARTS_WITHIN_SECONDS = 60
# What a shell or another stack may have set for itself; a stack decides these on its own.
OURS = [
    "CI_DATABASE",
    "DATABASE_URL",
    "DEBUG",
    "HASHED_STATIC",
    "KEYS_DIR",
    "MEDIA_ROOT",
    "REDIS_URL",
    "SEAL_DIRS",
    "SECRET_KEY",
    "SITE_URL",
    "STATIC_ROOT",
    "TEST_DATABASE_TEMPLATE",
    "VAR_DIR",
    "ALLOWED_HOSTS",
    "TRUSTED_PROXY",
]


def _to_stdout(line: str) -> None:
    print(line, flush=True)


class Stack:
    """PostgreSQL, Redis, web server, worker, beat and sweeper below one directory."""

    def __init__(
        self,
        var: Path,
        *,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        inherited: Mapping[str, str] | None = None,
        durable: bool = True,
        say: Say = _to_stdout,
    ) -> None:
        """
        :param port: of the web server; a free one if None
        :param environment: added to (and winning over) what a stack sets for its processes
        :param inherited: what its processes find besides; our own environment if None
        """
        self.var = var.resolve()
        self.port = free_port() if port is None else port
        self.url = f"http://localhost:{self.port}"
        self.children: dict[str, Child] = {}
        self._say = say
        self._deaths: defaultdict[str, list[float]] = defaultdict(list)
        self.services = Services(
            self.var,
            durable=durable,
            say=say,
            environment={
                **(os.environ if inherited is None else inherited),
                "VAR_DIR": str(self.var),
                "SITE_URL": self.url,
                "HASHED_STATIC": "1",
                "STAFF_NEED_SECOND_FACTOR": "0",  # its accounts are printed for anybody to try
                "PYTHONUNBUFFERED": "1",
                "DJANGO_SETTINGS_MODULE": "marketplace.settings",
                **(environment or {}),
            },
        )

    @property
    def environment(self) -> dict[str, str]:
        return self.services.environment

    def __enter__(self) -> "Stack":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self, *, prepare: Sequence[str] = ("prepare",)) -> None:
        """Start everything and wait until the site answers.

        :param prepare: the management command that is run once the database is there
        :raises Trouble: if something does not come up; then nothing is left running
        """
        if not port_is_free(self.port):
            raise Trouble(
                f"Port {self.port} is taken by another program: "
                f"stop that one, or choose another port (make demo PORT={self.port + 1})."
            )
        try:
            self._say("Starting PostgreSQL and Redis …")
            self.services.start()
            self.manage(*prepare)
            self._say("Starting the web server, the worker, beat and the sweeper …")
            # People wait for the pages, so the web server has the processors to itself while it starts.
            self._start_processes("web")
            self._wait_until_ready()
            self._start_processes("worker", "beat", "sweeper")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything, doors first, and leave no process behind."""
        (self.var / "running.json").unlink(missing_ok=True)
        children = [
            self.children[name]
            for name in ("web", "beat", "sweeper", "worker")
            if name in self.children
        ]
        for child in children:  # all at once: each may take its time
            child.ask_to_stop()
        for child in children:
            child.stop()
        self.services.stop()

    def manage(self, *words: str, quiet: bool = False) -> None:
        """Run a management command to its end.

        :raises Trouble: if it fails
        """
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words],
            env={**self.environment, "PROCESS": words[0]},
            stdout=subprocess.DEVNULL if quiet else None,
            check=False,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        if done.returncode:
            raise Trouble(f"`manage.py {' '.join(words)}` failed: see above.")

    def kill(self, name: str) -> None:
        """End one of the processes, and its children, without a warning."""
        self._child(name).kill()

    def pause(self, name: str) -> None:
        self._child(name).send(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self._child(name).send(signal.SIGCONT)

    def revive(self, name: str) -> None:
        """Start one of the processes again, where and as it was."""
        match name:
            case "postgresql" if self.services.postgres is not None:
                self.services.postgres.restart()
            case "redis" if self.services.redis is not None:
                self.services.redis.restart()
            case _:
                self.children[name].start()

    def watch(self) -> None:
        """Start again what has died. To be called every now and then.

        :raises Trouble: if something dies again and again
        """
        for name in ("postgresql", "redis", *self.children):
            child = self._child_or_none(name)
            if child is None or child.alive():
                continue
            deaths = self._deaths[name]
            deaths.append(time.monotonic())
            recent = [at for at in deaths if at > deaths[-1] - RESTARTS_WITHIN_SECONDS]
            if len(recent) > RESTARTS_ALLOWED:
                raise Trouble(f"{name} keeps dying: see {child.log}.")
            self._say(f"{name} ended with code {child.exit_code}; starting it again.")
            child.kill()  # what it left behind would be in the way
            self.revive(name)

    def _child(self, name: str) -> Child:
        child = self._child_or_none(name)
        if child is None:
            raise Trouble(f"There is no process {name} here.")
        return child

    def _child_or_none(self, name: str) -> Child | None:
        match name:
            case "postgresql":
                postgres = self.services.postgres
                return postgres.child if postgres is not None else None
            case "redis":
                redis = self.services.redis
                return redis.child if redis is not None else None
            case _:
                return self.children.get(name)

    def _start_processes(self, *names: str) -> None:
        python = sys.executable
        celery = [python, "-m", "celery", "--app", "marketplace.celery", "--quiet"]
        commands: dict[str, list[str]] = {
            "web": [
                *(python, "-m", "gunicorn", "marketplace.wsgi:application", "--preload"),
                "--no-control-socket",  # it lies in the home directory, where two sites would meet
                *("--bind", f"127.0.0.1:{self.port}", "--worker-class", "gthread"),
                *("--workers", "2", "--threads", "4", "--graceful-timeout", "10"),
                *("--max-requests", "10000", "--max-requests-jitter", "1000"),
            ],
            "worker": [
                *(*celery, "worker", "--pool", "prefork", "--concurrency", "2"),
                *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
            ],
            "beat": [
                *(*celery, "beat", "--pidfile=", "--loglevel", "INFO"),
                *("--schedule", str(self.var / "celerybeat-schedule")),
            ],
            "sweeper": [python, str(ROOT / "manage.py"), "sweep"],
        }
        for name in names:
            child = Child(
                name,
                commands[name],
                log=self.var / "log" / f"{name}.log",
                environment={**self.environment, "PROCESS": name},
                folder=ROOT,
            )
            child.start()
            self.children[name] = child

    def _wait_until_ready(self) -> None:
        def ready_or_dead() -> bool:
            return self.answers("/readyz") or self.first_dead() is not None

        if not wait_until(ready_or_dead, seconds=60, step=0.1):
            raise Trouble(f"The site did not get ready within 60 s: see {self.var / 'log'}.")
        if (dead := self.first_dead()) is not None:
            said = dead.said().strip().splitlines()
            raise Trouble(
                f"{dead.name} ended with code {dead.exit_code} at its start"
                f" ({said[-1] if said else 'it said nothing'}): see {dead.log}."
            )
        note = {"pid": os.getpid(), "site_url": self.url, "environment": self._for_companions()}
        place = self.var / "running.json"
        place.touch(mode=0o600)
        place.write_text(json.dumps(note))

    def first_dead(self) -> Child | None:
        return next((child for child in self.children.values() if not child.alive()), None)

    def answers(self, path: str) -> bool:
        """Return whether the site answers there with a 2xx."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return bool(200 <= answer.status < 300)
        except (urllib.error.URLError, OSError):
            return False

    def _for_companions(self) -> dict[str, str]:
        names = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SITE_URL", "VAR_DIR", "HASHED_STATIC")
        return {name: self.environment[name] for name in names}


def running_below(var: Path) -> dict[str, str] | None:
    """Return the environment of the stack that runs below a directory, if one does."""
    with suppress(FileNotFoundError, ValueError, KeyError):
        note = json.loads((var / "running.json").read_text())
        with suppress(ProcessLookupError, PermissionError):
            os.kill(note["pid"], 0)
            environment: dict[str, str] = note["environment"]
            return environment
    return None


def clean_environment() -> dict[str, str]:
    """Return our own environment without what belongs to another stack or to a test run."""
    return {name: value for name, value in os.environ.items() if name not in OURS}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m marketplace.ops.stack")
    parser.add_argument("--var", type=Path, default=ROOT / "var" / "story")
    parser.add_argument("--join", type=Path, help="use the stack that runs below this directory")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)

    with stopping_cleanly("stack"):
        die_with_make()
        joined = running_below(options.join) if options.join else None
        if joined is not None:
            return run(options.command, {**os.environ, **joined})
        with Stack(options.var, port=_kept_port(options.var)) as stack:
            return run(options.command, stack.environment)


def _kept_port(var: Path) -> int:
    """Return the port of last time if it is free: what was signed under an address stays under it."""
    note = var / "port"
    with suppress(FileNotFoundError, ValueError):
        if port_is_free(port := int(note.read_text())):
            return port
    var.mkdir(parents=True, exist_ok=True)
    note.write_text(str(port := free_port()))
    return port


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
