from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace.accounts.actors import actor_of
from marketplace.core.errors import Refused
from marketplace.lots import services
from marketplace.lots.models import Lot, LotPassport
from marketplace.lots.rules import passports as rules


class Command(BaseCommand):
    help = (
        "Read a battery passport and print what was read, flagged and refused. Keeps nothing "
        "without --lot. Ends with 1 if the passport is refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file",
            type=Path,
            help="BatteryPass 1.2, Catena-X battery_pass or UNTP DPP 0.7.0, as JSON or signed",
        )
        parser.add_argument("--lot", type=int, help="keep it for this lot, in its seller's name")

    def handle(self, *, file: Path, lot: int | None, **options: Any) -> None:
        now = timezone.now()
        try:
            with file.open("rb") as opened:
                content = opened.read(rules.LARGEST_BYTES + 1)
            passport, sha256 = services.passport_from(content, on=now.date())
            self._print(passport, sha256)
            if lot is not None:
                self._keep(lot, content, now=now)
        except OSError as missing:
            raise CommandError(f"Cannot read {file}: {missing.strerror}.") from missing
        except Refused as refusal:
            raise CommandError(f"Refused ({refusal.code}): {refusal.message}") from refusal

    def _print(self, passport: rules.Passport, sha256: str) -> None:
        named = LotPassport.Format(passport.format.value).label
        self.stdout.write(f"{named} {passport.edition}".strip())
        self.stdout.write(f"sha256 {sha256}")
        self.stdout.write(
            f"{LotPassport.Signature(passport.signature.value).label} {passport.signed_by}".rstrip()
        )
        self.stdout.write("\nRead:")
        for name, field in rules.kept(passport).items():
            value = field["value"]
            if not isinstance(value, str):
                value = f"{len(value)} entries"
            mark = " " if field["believed"] else "!"
            as_of = f" (as of {field['as_of']})" if field["as_of"] else ""
            self.stdout.write(f" {mark} {name:28} {value} {field['unit']}".rstrip() + as_of)
        self.stdout.write("\nFlagged:" if passport.doubts else "\nNothing flagged.")
        for doubt in passport.doubts:
            weight = "noted" if doubt.code in rules.SOFT else "not believed"
            self.stdout.write(f"   {doubt.field:28} {doubt.code} ({weight}) {doubt.value}".rstrip())
        for health in rules.health_of(passport):
            self.stdout.write(f"\nHealth by {health.basis.lower()}: {health.value:.0%}")

    def _keep(self, pk: int, content: bytes, *, now: Any) -> None:
        lot = Lot.objects.select_related("created_by").filter(pk=pk).first()
        if lot is None:
            raise CommandError(f"There is no lot {pk}.")
        seller = actor_of(lot.created_by, organisation_id=lot.seller_id)
        kept = services.import_passport(lot, actor=seller, given=content, now=now)
        self.stdout.write(f"\nLot {pk} keeps it as passport {kept.pk}.")
