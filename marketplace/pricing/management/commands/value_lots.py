import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace.pricing.queries import lots_in_file, worth_in_file
from marketplace.pricing.rules.lot_file import LARGEST_BYTES, FileRefused


class Command(BaseCommand):
    help = (
        "Value the lots of a CSV or JSON file without storing anything. Prints one JSON object a line: "
        "range, currency, route, terms, what more evidence would tell, flags."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--on", type=date.fromisoformat, help="value at the quotes of this day")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--no-evidence", action="store_true", help="leave out what more evidence would tell"
        )

    def handle(
        self, *, file: Path, on: date | None, seed: int, no_evidence: bool, **options: Any
    ) -> None:
        try:
            size = file.stat().st_size
            if size > LARGEST_BYTES:
                raise CommandError(
                    f"{file} has {size // 1_000_000} MB; 200 MB is the most. Split it."
                )
            data = file.read_bytes()
        except OSError as fault:
            raise CommandError(f"{file} cannot be read: {fault.strerror}.") from fault
        on = on or timezone.now().date()
        try:
            lots = lots_in_file(data, is_json=file.suffix.lower() == ".json", on=on)
        except FileRefused as refused:
            many = len(refused.problems)
            raise CommandError(f"{refused}\nNothing was valued: {many} to mend.") from refused
        for line in worth_in_file(lots, on=on, seed=seed, evidence=not no_evidence):
            self.stdout.write(json.dumps(asdict(line), ensure_ascii=False))
