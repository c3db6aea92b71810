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
            self.stdout.write(
                f"{table.table:<34}{table.added:>6} added {table.changed:>6} changed "
                f"{table.unchanged:>6} unchanged"
            )
