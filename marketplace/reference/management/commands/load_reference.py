from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketplace.core.errors import Refused
from marketplace.reference import services


class Command(BaseCommand):
    help = (
        "Bring the reference tables up to the files in marketplace/reference/data. Safe to repeat."
    )

    def handle(self, **options: Any) -> None:
        try:
            loaded = services.load_reference()
        except Refused as refusal:
            raise CommandError(refusal.message) from refusal
        for table in loaded:
            if table.changed or options["verbosity"] > 1:
                self.stdout.write(
                    f"  {table.table}: {table.added} added, {table.changed} changed, "
                    f"{table.unchanged} as they were"
                )
        rows = sum(table.added + table.changed + table.unchanged for table in loaded)
        added = sum(table.added for table in loaded)
        self.stdout.write(f"  {rows} reference rows in {len(loaded)} tables, {added} of them new")
