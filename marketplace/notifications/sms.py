"""The way out to phones. An adapter sends one text to one number, and says how its provider calls it."""

import json
import sys
from pathlib import Path
from typing import ClassVar, Protocol

from django.conf import settings
from django.utils.module_loading import import_string


class SmsAdapter(Protocol):
    """What a provider's adapter has to do. It raises what its library raises: the job tries again."""

    def send(self, *, to: str, text: str, key: str) -> str:
        """Send, and return the provider's id.

        :param to: E.164
        :param key: the same for a repeated try, so that a provider that knows such keys sends once
        """


class ConsoleSms:
    """Prints what it would send. For the demo."""

    def send(self, *, to: str, text: str, key: str) -> str:
        sys.stdout.write(f"SMS to {to}: {text}\n")
        sys.stdout.flush()
        return f"console:{key}"


class FileSms:
    """Appends what it would send to a file, one JSON object a line. For stories that read it back."""

    def send(self, *, to: str, text: str, key: str) -> str:
        path = Path(settings.VAR_DIR) / "sms.jsonl"
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"to": to, "text": text, "key": key}) + "\n")
        return f"file:{key}"


class MemorySms:
    """Keeps what it would send. For tests."""

    sent: ClassVar[list[tuple[str, str]]] = []

    def send(self, *, to: str, text: str, key: str) -> str:
        self.sent.append((to, text))
        return f"memory:{key}"


def adapter() -> SmsAdapter:
    """Return the adapter that the settings name."""
    made: SmsAdapter = import_string(settings.SMS_ADAPTER)()
    return made
