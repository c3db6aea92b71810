import hashlib
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = (
        "Bring database, reference data, signing key, translations and static files up to this version. "
        "Safe to run at any time, and before every start."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--market", action="store_true", help="also create the demo market, once"
        )

    def handle(self, *, market: bool, **options: Any) -> None:
        self._step("Migrating the database", "migrate", verbosity=0)
        self._step("Loading reference data", "load_reference", verbosity=0)
        self._step("Looking for the signing key", "create_keys")
        self._step("Compiling translations", "compile_translations")
        if settings.HASHED_STATIC:
            self._collect_static()
        if market:
            self._step(
                "Looking after the demo market (once, about a minute)", "seed_demo", "--if-empty"
            )

    def _collect_static(self) -> None:
        """Hashing and compressing takes ten seconds, so it is done only when a file has changed."""
        stamp = Path(settings.STATIC_ROOT) / "collected.txt"
        found = _fingerprint()
        if stamp.exists() and stamp.read_text() == found:
            return
        self._step("Collecting static files", "collectstatic", interactive=False, verbosity=0)
        stamp.write_text(found)

    def _step(self, sentence: str, command: str, *words: str, **options: Any) -> None:
        began = time.perf_counter()
        self.stdout.write(f"{sentence} …")
        self.stdout.flush()
        call_command(command, *words, stdout=self.stdout, stderr=self.stderr, **options)
        seconds = time.perf_counter() - began
        if seconds > 1:
            self.stdout.write(f"  took {seconds:.1f} s")


def _fingerprint() -> str:
    digest = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            state = Path(storage.path(path)).stat()
            digest.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
