from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace.certificates import keys


class Command(BaseCommand):
    help = "Create the key that signs certificates, if there is none. Safe to run at any time."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        try:
            key, is_new = keys.create(settings.KEYS_DIR, at=timezone.now())
        except keys.KeyUnusable as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{'Created' if is_new else 'Kept'} the signing key {key['kid']}")
