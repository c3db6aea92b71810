from argparse import ArgumentParser
from typing import Any

import lightningcss
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

# Chrome 109 is the last for Windows 7 and old Androids; below these, layers do not exist.
FLOOR = ["chrome 109", "safari 15.4", "firefox 102"]
SOURCE = settings.BASE_DIR / "static" / "src" / "css" / "app.css"
TARGET = settings.BASE_DIR / "static" / "css" / "app.css"


def built() -> str:
    """Return the one style sheet of the site: bundled, minified, in words that old browsers know."""
    css: str = lightningcss.bundle_css(str(SOURCE), minify=True, browsers_list=FLOOR)
    return css + "\n"


class Command(BaseCommand):
    help = "Bundle static/src/css into static/css/app.css. With --check, only say whether it is current."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="fail if app.css is not current")

    def handle(self, *, check: bool, **options: Any) -> None:
        css = built()
        if check:
            if not TARGET.exists() or TARGET.read_text("utf-8") != css:
                raise CommandError("static/css/app.css is not current: run manage.py build_css.")
            return
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(css, "utf-8")
        self.stdout.write(f"{TARGET.relative_to(settings.BASE_DIR)}: {len(css.encode())} bytes")
