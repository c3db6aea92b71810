import gc
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from marketplace.accounts.models import Organisation
from marketplace.ops.demo_market import cast, market
from marketplace.pricing.queries import each_day_read_once

QUIET = {
    "JOB_BELL": False,
    "SEND_COPIES": False,
    "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
    "SMS_ADAPTER": "marketplace.notifications.sms.MemorySms",
    "PASSWORD_HASHERS": ["marketplace.ops.demo_market.people.QuickHasher"],
}
"""Six weeks of letters to people who do not exist are not printed, and nobody rings for jobs done here."""


class Command(BaseCommand):
    help = "Create the demo market through the services of the rooms: real packs, real towns, six weeks of trade."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=2026)
        parser.add_argument("--lots", type=int, default=305)
        parser.add_argument(
            "--if-empty", action="store_true", help="do nothing if anybody trades here already"
        )
        parser.add_argument(
            "--print-accounts", action="store_true", help="only say who can log in, and how"
        )

    def handle(
        self, *, seed: int, lots: int, if_empty: bool, print_accounts: bool, **options: Any
    ) -> None:
        accounts = who_can_log_in()
        if print_accounts:
            self.stdout.write(accounts, ending="")
            return
        if Organisation.objects.exists():
            if if_empty:
                self.stdout.write("  it is there already")
                return
            raise CommandError("Somebody trades here already. Start from an empty database.")
        began = time.perf_counter()
        gc.disable()  # looking for circles again and again costs a tenth, and there are few
        try:
            with override_settings(**QUIET), each_day_read_once():
                with connection.cursor() as cursor:  # if this machine dies now, one begins anew
                    cursor.execute("SET synchronous_commit = off")
                made = market.create(
                    seed=seed, until=timezone.now(), lots=lots, say=self.stdout.write
                )
        finally:
            gc.enable()
        refused = ", ".join(f"{code} {n}" for code, n in made.calendar.refused.most_common())
        self.stdout.write(f"  refused on the way: {refused or 'nobody'}")
        self.stdout.write(f"  the market took {time.perf_counter() - began:.0f} s (seed {seed})")
        settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
        (settings.VAR_DIR / "demo-accounts.txt").write_text(accounts, encoding="utf-8")


def who_can_log_in() -> str:
    """Return one account per role, with the password that they share."""
    known = {
        "Collector": "collector",
        "Recycler": "recycler",
        "Integrator": "integrator",
        "Carrier": "carrier",
        "Verifier": "verifier",
        "Second verifier": "verifier2",
        "Regulator": "regulator",
        "Producer": "producer",
        "Staff": "staff",
    }
    lines = [f"  {role:<16} {handle}@{cast.DOMAIN}" for role, handle in known.items()]
    return "\n".join(["Log in as", *lines, f"with the password {cast.PASSWORD}", ""])
