import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = (
        "Bring database, reference data, signing key and static files up to this version. "
        "Safe to run at any time, and before every start."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--market", action="store_true", help="also create the demo market, once"
        )

    def handle(self, *, market: bool, **options: Any) -> None:
        self._step("Migrating the database", "migrate", verbosity=0)
        self._step("Loading reference data", "load_reference")
        self._step("Looking for the signing key", "create_keys")
        self._step("Compiling translations", "compile_translations")
        if settings.HASHED_STATIC:
            self._step("Collecting static files", "collectstatic", interactive=False, verbosity=0)
        if market:
            self._step("Looking after the demo market", "seed_demo", "--if-empty")

    def _step(self, sentence: str, command: str, *words: str, **options: Any) -> None:
        if command not in get_commands():
            return
        began = time.perf_counter()
        self.stdout.write(f"{sentence} …", ending="\n")
        self.stdout.flush()
        call_command(command, *words, stdout=self.stdout, stderr=sys.stderr, **options)
        seconds = time.perf_counter() - began
        if seconds > 1:
            self.stdout.write(f"  took {seconds:.1f} s")
