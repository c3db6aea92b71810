from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace.certificates import keys


class Command(BaseCommand):
    help = "Sign with a new key from now on. What the old key signed stays genuine."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        try:
            new, retired = keys.rotate(settings.KEYS_DIR, at=timezone.now())
        except keys.KeyUnusable as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"Signing with {new['kid']}; retired {retired}")
