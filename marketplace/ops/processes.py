"""Child processes that never outlive us, and sentences instead of tracebacks. Needs no Django."""

import ctypes
import errno
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

PR_SET_PDEATHSIG = 1
# Loaded here and not after a fork: a child between fork and exec must not take the loader's lock.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Trouble(Exception):
    """What keeps us from going on, in one sentence for the person at the terminal."""


class Stopped(BaseException):
    """Somebody asked us to stop. Not an Exception: nobody on the way may swallow it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.exit_code = 128 + signum


class Child:
    """One process in a session of its own, which is told to stop as soon as we die.

    A terminal's Ctrl-C reaches only us, so that we stop the children in a sensible order.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str],
        stop_signal: signal.Signals = signal.SIGTERM,
        user: pwd.struct_passwd | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.command = [str(word) for word in command]
        self.log = log
        self.environment = dict(environment)
        self.stop_signal = stop_signal
        self.user = user
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._log_began_at = 0

    @property
    def pid(self) -> int:
        if self._process is None:
            raise Trouble(f"{self.name} was not started.")
        return self._process.pid

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_began_at = log.tell()
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(self.stop_signal),
                **as_user(self.user),
            )

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def said(self) -> str:
        """Return what it wrote to its log since it was last started, at most the last 8 kB."""
        with suppress(FileNotFoundError), self.log.open("rb") as log:
            log.seek(max(self._log_began_at, self.log.stat().st_size - 8192))
            return log.read().decode(errors="replace")
        return ""

    def send(self, signum: signal.Signals, *, whole_group: bool = True) -> None:
        """Send a signal to the process and to its own children, or only to the process."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                (os.killpg if whole_group else os.kill)(self._process.pid, signum)

    def kill(self) -> None:
        """End it at once with everything it started, and wait until it is gone."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def ask_to_stop(self) -> None:
        if self.alive():
            self.send(signal.SIGCONT)  # a paused process could not hear the next signal
            self.send(self.stop_signal, whole_group=False)

    def stop(self, patience: float = 10.0) -> None:
        """Ask it to stop, and end whatever of its group is left after ``patience`` seconds."""
        if self._process is None:
            return
        if self.alive():
            self.ask_to_stop()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self.kill()


def as_user(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return the arguments that make Popen run as that OS user."""
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def die_with_parent(signum: signal.Signals) -> Callable[[], None] | None:
    """Return what a child runs before exec, so that the kernel signals it when we are gone.

    Linux only; elsewhere a child of a parent that was killed with SIGKILL stays behind.
    """
    if _libc is None:
        return None
    parent = os.getpid()
    libc = _libc

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return before_exec


def die_with_make() -> None:
    """If ``make`` started us, stop when it is killed; a shell that logs out does not take us along."""
    if _libc is not None and "MAKELEVEL" in os.environ:
        _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


@contextmanager
def stopping_cleanly(program: str) -> Iterator[None]:
    """Turn signals into an orderly end, and Trouble into one sentence and a non-zero exit code."""

    def stop(signum: int, _frame: FrameType | None) -> None:
        ignore_signals()
        raise Stopped(signum)

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signum != signal.SIGHUP or signal.getsignal(signum) != signal.SIG_IGN:  # nohup stays
            signal.signal(signum, stop)
    try:
        yield
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
    except Trouble as trouble:
        sys.exit(f"{program}: {trouble}")
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}:
            raise
        where = f" ({error.filename})" if error.filename else ""
        sys.exit(f"{program}: {error.strerror}{where}. Make room or choose another directory.")


def ignore_signals() -> None:
    """While things are being stopped, a second Ctrl-C must not leave half of them running."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def wait_until(happened: Callable[[], bool], *, seconds: float, step: float = 0.05) -> bool:
    """Return whether it happened within that many seconds."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True
