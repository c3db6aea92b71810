from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from marketplace.reference.management.importing import add_arguments, bring_in
from marketplace.reference.services import import_quotes


class Command(BaseCommand):
    help = (
        "Add metal quotes from a file: all of it, or nothing. Quotes that are already there stay; another price for "
        "the same day and source becomes its next revision."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--format",
            choices=["csv", "pink-sheet"],
            default="csv",
            help="pink-sheet: the World Bank's monthly prices, as xlsx or CSV",
        )
        parser.add_argument(
            "--gaps", action="store_true", help="months are left out on purpose: take the rest"
        )
        parser.add_argument(
            "--jumps",
            action="store_true",
            help="prices doubled or halved within weeks, and are right",
        )
        add_arguments(parser, source="WB-CMO-2026-06-02", fields="material,date,price,unit")

    def handle(self, *, file: Path, format: str, **options: Any) -> None:  # noqa: A002
        bring_in(
            self, import_quotes, "quotes", file=file, form=format, now=timezone.now(), **options
        )
