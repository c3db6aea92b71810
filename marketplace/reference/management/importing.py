"""What the two import commands share."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from marketplace.core.errors import Refused
from marketplace.reference.services import Added, Reading, add_source


@dataclass(frozen=True, slots=True)
class Console:
    """Whoever sits at the machine: an operator, or cron."""

    name: str = "console"
    user_id: None = None
    organisation_id: None = None


def add_arguments(parser: ArgumentParser, *, source: str, fields: str) -> None:
    parser.add_argument(
        "--map",
        type=_pairs,
        default={},
        metavar="FIELD=HEADING,…",
        help=f"which column holds what: {fields}",
    )
    parser.add_argument(
        "--set",
        type=_pairs,
        default={},
        metavar="FIELD=VALUE,…",
        help="what the file does not say, such as unit=USD/t,material=Cu",
    )
    parser.add_argument(
        "--decimal", choices=[".", ","], default="", help="what parts the fraction, if unclear"
    )
    parser.add_argument("--source", default=source, help="code of a source, for rows without")
    parser.add_argument("--source-title", default="", help="title of that source, if it is new")
    parser.add_argument("--reason", default="", help="why prices changed; else: as the file says")
    parser.add_argument("--dry-run", action="store_true", help="check everything, add nothing")


def bring_in(
    command: BaseCommand,
    service: Callable[..., Added],
    what: str,
    *,
    file: Path,
    form: str,
    now: datetime,
    **options: Any,
) -> None:
    """Read a file, add what it holds, and say what came of it."""
    reading = Reading(
        source=options["source"],
        checked_on=now.date(),
        columns=options["map"],
        fixed=options["set"],
        decimal_sign=options["decimal"],
        gaps_are_meant=options.get("gaps", False),
        jumps_are_meant=options.get("jumps", False),
    )
    reason = options["reason"] or f"As revised in {file.name}"
    try:
        with transaction.atomic():
            if options["source_title"]:
                add_source(options["source"], title=options["source_title"], read_on=now.date())
            added = service(file, form=form, reading=reading, by=Console(), now=now, reason=reason)
            transaction.set_rollback(options["dry_run"])
    except OSError as trouble:
        raise CommandError(f"Cannot read {file}: {trouble.strerror}.") from trouble
    except Refused as refusal:
        raise CommandError(refusal.message) from refusal
    if options["verbosity"] > 1 or options["dry_run"]:
        for revision in added.revisions:
            command.stdout.write(f"  revised: {revision}")
    revised = f", {added.revised} revised" if added.revised else ""
    would = "Nothing written. It would be: " if options["dry_run"] else ""
    command.stdout.write(
        f"{would}{added.added} {what} added{revised}, {added.unchanged} already there."
    )


def _pairs(text: str) -> dict[str, str]:
    pairs = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise ArgumentTypeError(f"{part!r} is not like price=Close")
        pairs[name.strip()] = value.strip()
    return pairs
