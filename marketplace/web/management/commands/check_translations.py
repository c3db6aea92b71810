import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polib
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

LOCALE = settings.BASE_DIR / "marketplace" / "locale"
PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]|%[sd]|\{(\w+)\}")
NOT_OURS = [".venv", "var", "tests", "node_modules", "benchmarks", "static", "docs"]
LEAST_SHARE = 0.8

# What a collector meets between the front door and the money. These must be whole in every language.
COLLECTOR_PATH = [
    "templates/*.html",
    "templates/account/*",
    "templates/web/base.html",
    "templates/web/parts/*",
    "templates/web/welcome.html",
    "templates/web/home.html",
    "templates/web/learn.html",
    "templates/web/help.html",
    "templates/web/offline.html",
    "templates/web/prices*",
    "templates/web/sell*",
    "templates/web/lot*",
    "templates/web/deal*",
    "templates/web/verify*",
    "templates/web/inbox*",
    "marketplace/core/*",
    "marketplace/accounts/adapter.py",
    "marketplace/lots/*",
    "marketplace/deals/*",
    "marketplace/web/context.py",
    "marketplace/web/lots*",
    "marketplace/web/sell*",
    "marketplace/web/deals*",
    "marketplace/web/verify*",
    "marketplace/web/public.py",
    "marketplace/web/templatetags/*",
]


class Command(BaseCommand):
    help = (
        "Check the translation catalogues: nothing missing or stale, the collector's path whole,"
        " placeholders equal, and everything compiles. Needs gettext."
    )

    def handle(self, **options: Any) -> None:
        if not shutil.which("msgfmt"):
            raise CommandError("msgfmt is missing: install the package gettext.")
        languages = sorted(path.name for path in LOCALE.iterdir() if path.is_dir())
        kept = {language: _catalogue(language).read_bytes() for language in languages}
        try:
            call_command(
                "makemessages",
                locale=languages,
                ignore_patterns=NOT_OURS,
                add_location="file",
                no_obsolete=True,
                verbosity=0,
            )
            fresh = {language: polib.pofile(str(_catalogue(language))) for language in languages}
        finally:
            for language, content in kept.items():
                _catalogue(language).write_bytes(content)
        problems = []
        for language in languages:
            committed = polib.pofile(str(_catalogue(language)))
            problems += [
                f"{language}: {problem}" for problem in _problems(committed, fresh[language])
            ]
            problems += [f"{language}: {problem}" for problem in _uncompilable(language)]
            self.stdout.write(
                f"{language}: {_share(fresh[language]):.0%} of {len(fresh[language])} messages"
            )
        if problems:
            raise CommandError("\n".join(problems))


def _catalogue(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def _problems(committed: polib.POFile, fresh: polib.POFile) -> Iterable[str]:
    """Yield what is wrong with a catalogue. ``fresh`` is the same one after makemessages."""
    known = {_key(entry) for entry in committed if not entry.obsolete}
    asked = {_key(entry) for entry in fresh if not entry.obsolete}
    for key in sorted(asked - known):
        yield f"not in the catalogue, run makemessages: {key[1]!r}"
    for key in sorted(known - asked):
        yield f"no longer used, run makemessages --no-obsolete: {key[1]!r}"
    for entry in fresh:
        if not entry.translated() and _on_collector_path(entry):
            yield f"not translated, on the collector's path: {entry.msgid!r}"
        for words in filter(None, [entry.msgstr, *entry.msgstr_plural.values()]):
            sources = [_placeholders(entry.msgid), _placeholders(entry.msgid_plural)]
            if entry.translated() and _placeholders(words) not in sources:
                yield f"placeholders differ: {entry.msgid!r}"
    if _share(fresh) < LEAST_SHARE:
        yield f"only {_share(fresh):.0%} is translated, {LEAST_SHARE:.0%} is the least"


def _uncompilable(language: str) -> Iterable[str]:
    with TemporaryDirectory() as folder:
        target = str(Path(folder) / "django.mo")
        command = ["msgfmt", "--check", "-o", target, str(_catalogue(language))]
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        yield done.stderr.strip()


def _key(entry: polib.POEntry) -> tuple[str, str]:
    return (entry.msgctxt or "", entry.msgid)


def _on_collector_path(entry: polib.POEntry) -> bool:
    return any(
        Path(file).match(glob) for file, _line in entry.occurrences for glob in COLLECTOR_PATH
    )


def _placeholders(text: str) -> list[str]:
    return sorted({found[0] for found in PLACEHOLDER.finditer(text)})


def _share(catalogue: polib.POFile) -> float:
    current = [entry for entry in catalogue if not entry.obsolete]
    return sum(entry.translated() for entry in current) / max(1, len(current))
