from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Compile the translation catalogues that changed. Unlike compilemessages it needs no gettext."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        for source in sorted(
            path for place in settings.LOCALE_PATHS for path in place.glob("*/LC_MESSAGES/*.po")
        ):
            target = source.with_suffix(".mo")
            if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
                continue
            with source.open("rb") as words:
                catalogue = read_po(words, locale=source.parent.parent.name)
            unfinished = target.with_suffix(".new")
            with unfinished.open("wb") as compiled:
                write_mo(compiled, catalogue)
            unfinished.replace(target)
            self.stdout.write(f"  {target.relative_to(settings.BASE_DIR)}")
