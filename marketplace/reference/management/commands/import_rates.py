from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from marketplace.reference.management.importing import add_arguments, bring_in
from marketplace.reference.services import import_rates


class Command(BaseCommand):
    help = (
        "Add exchange rates from a file: all of it, or nothing. Rates that are already there stay; another rate for "
        "the same day and source becomes its next revision."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--format",
            choices=["csv", "ecb"],
            default="csv",
            help="ecb: euro reference rates as CSV or XML; csv: units per US dollar",
        )
        parser.add_argument(
            "--jumps", action="store_true", help="rates moved tenfold, and are right"
        )
        add_arguments(parser, source="ECB", fields="currency,date,per_usd")

    def handle(self, *, file: Path, format: str, **options: Any) -> None:  # noqa: A002
        bring_in(self, import_rates, "rates", file=file, form=format, now=timezone.now(), **options)
