from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace.core.errors import Refused
from marketplace.reference import services

READERS = {"pink-sheet": services.read_pink_sheet, "csv": services.read_quotes}


class Command(BaseCommand):
    help = "Add metal quotes from a file. Quotes that are already there stay as they are."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=sorted(READERS), default="csv")
        parser.add_argument(
            "--source",
            default="WB-CMO-2026-06-02",
            help="code of a loaded source, for rows without",
        )

    def handle(self, *, file: Path, format: str, source: str, **options: Any) -> None:  # noqa: A002
        try:
            rows = READERS[format](file, source=source, checked_on=timezone.now().date())
            loaded = services.add_quotes(rows)
        except OSError as trouble:
            raise CommandError(f"Cannot read {file}: {trouble.strerror}.") from trouble
        except Refused as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{loaded.added} quotes added, {loaded.unchanged} already there.")
