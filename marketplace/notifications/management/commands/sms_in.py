from argparse import ArgumentParser
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace.accounts.addresses import normal_address
from marketplace.core.errors import Refused
from marketplace.notifications import price_answers


class Command(BaseCommand):
    help = (
        "Act as if a phone had sent us a text message, and send the answer through the adapter of the settings: "
        'sms_in +6281234567890 "HARGA AKI 20". With the console adapter it is printed.'
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sender", help="a phone number with its country code")
        parser.add_argument("text", nargs="+")

    def handle(self, *, sender: str, text: list[str], **options: Any) -> None:
        try:
            to = normal_address(sender)
        except Refused as refusal:
            raise CommandError(refusal.message) from refusal
        if not to.startswith("+"):
            raise CommandError("Only phone numbers send text messages.")
        on = timezone.now().date()
        price_answers.send_answer(" ".join(text), to=to, on=on, key=uuid4().hex)
