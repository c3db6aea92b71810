"""Who keeps the parts of an auction's key: one folder each. The folders may be mounts of different people's machines.

As the house comes, all of them lie on its own disk: then neither staff nor readers of the database can open a bid early, but whoever
rules the whole machine could. Give each folder to somebody else (``SEAL_DIRS``), and nobody can alone.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from django.conf import settings

from .rules.shamir import Share

USUAL_HOLDERS = 5


class HolderAway(Exception):
    """A folder for parts cannot be written to."""


def folders() -> list[Path]:
    """Return the folders, in the order of the parts."""
    given: list[Path] = settings.SEAL_DIRS
    return given or [
        settings.VAR_DIR / "seals" / f"holder-{place}" for place in range(1, USUAL_HOLDERS + 1)
    ]


def keep(number: UUID, shares: Sequence[Share]) -> None:
    """Give every holder their part. Only its owner may read the file (mode 600).

    :raises HolderAway: if one cannot take theirs
    """
    for folder, share in zip(folders(), shares, strict=True):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"{number}.json"
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                json.dump({"place": share.place, "value": f"{share.value:x}"}, file)
                file.flush()
                os.fsync(file.fileno())
        except OSError as reason:
            raise HolderAway(folder) from reason


def gather(number: UUID, digests: Sequence[str]) -> list[Share]:
    """Return the parts that are there and unspoiled. A missing or changed one is left out."""
    found = []
    for folder in folders():
        try:
            said = json.loads((folder / f"{number}.json").read_text())
            share = Share(int(said["place"]), int(said["value"], 16))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if 1 <= share.place <= len(digests) and digests[share.place - 1] == digest_of(share):
            found.append(share)
    return found


def digest_of(share: Share) -> str:
    """Return what tells an unspoiled part. It has 521 random bits, so its hash gives nothing away."""
    return hashlib.sha256(f"{share.place}:{share.value:x}".encode()).hexdigest()
