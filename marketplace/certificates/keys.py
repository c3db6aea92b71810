"""Signing keys: files that only this system user may read, outside the database and its backups.

``<thumbprint>.private.json`` holds the one key that signs; ``<thumbprint>.public.json`` what it was when it retired.
A retired key goes on proving old certificates. A compromised one is deleted, and its certificates are withdrawn.
"""

import json
import os
import stat
from datetime import datetime
from pathlib import Path

from django.utils.translation import gettext as _
from joserfc.jwk import ECKey

from marketplace.core.errors import Refused

from .rules import decentralized_ids
from .rules.decentralized_ids import Jwk

PRIVATE, PUBLIC = ".private.json", ".public.json"


class KeyUnusable(Refused):
    code = "signing_key_unusable"


def signing_key(directory: Path) -> dict[str, str]:
    """Return the private key that signs now.

    :raises KeyUnusable: if there is none, or more than one, or others may read it, or it is not a P-256 key
    """
    try:
        files = sorted(directory.glob(f"*{PRIVATE}"))
    except OSError as failed:
        raise _unreadable(directory) from failed
    if not files:
        raise KeyUnusable(
            _("There is no signing key in %(directory)s. Run: manage.py create_keys")
            % {"directory": directory}
        )
    if len(files) > 1:
        raise KeyUnusable(
            _("There are %(count)s signing keys in %(directory)s. Keep one; move the others away.")
            % {"count": len(files), "directory": directory}
        )
    return _read_private(files[0])


def published_keys(directory: Path) -> list[Jwk]:
    """Return the public keys for the DID document: the signing key first, then the retired ones.

    :raises KeyUnusable: if the signing key cannot be used or a file cannot be read
    """
    keys: list[Jwk] = [decentralized_ids.public(signing_key(directory))]
    for file in sorted(directory.glob(f"*{PUBLIC}")):
        try:
            keys.append(decentralized_ids.public(json.loads(file.read_text())))
        except (OSError, ValueError) as failed:
            raise _unreadable(file) from failed
    # A rotation that was cut short leaves a key on both sides.
    return list({key["kid"]: key for key in reversed(keys)}.values())[::-1]


def create(directory: Path, *, at: datetime) -> tuple[dict[str, str], bool]:
    """Return the signing key, made if there is none, and whether it is new. Safe to repeat.

    :raises KeyUnusable: if there is a key that cannot be used, or the directory cannot be written
    """
    if directory.is_dir() and any(directory.glob(f"*{PRIVATE}")):
        return signing_key(directory), False
    key = ECKey.generate_key("P-256", private=True, auto_kid=True)
    members = {
        **{name: str(value) for name, value in key.as_dict(private=True).items()},
        "alg": "ES256",
        "created_at": at.isoformat(),
    }
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(directory / f"{members['kid']}{PRIVATE}", members, mode=0o600)
    except OSError as failed:
        raise KeyUnusable(
            _("The signing key cannot be written to %(directory)s: %(reason)s")
            % {"directory": directory, "reason": failed.strerror}
        ) from failed
    return members, True


def rotate(directory: Path, *, at: datetime) -> tuple[dict[str, str], str]:
    """Make a new signing key and retire the old one. Return the new key and the old one's thumbprint.

    The old private key is deleted; its public half stays, so that what it signed stays genuine.

    :raises KeyUnusable: if there is no usable key to retire
    """
    old = signing_key(directory)
    retired = {**decentralized_ids.public(old), "retired_at": at.isoformat()}
    _write(directory / f"{old['kid']}{PUBLIC}", retired, mode=0o644)
    (directory / f"{old['kid']}{PRIVATE}").unlink()
    new, _made = create(directory, at=at)
    return new, old["kid"]


def _read_private(file: Path) -> dict[str, str]:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            raise KeyUnusable(
                _(
                    "Others may read the signing key %(file)s (mode %(mode)s). Run: chmod 600 %(file)s"
                )
                % {"file": file, "mode": f"{mode:o}"}
            )
        members = json.loads(file.read_text())
        key = ECKey.import_key(members)
    except OSError as failed:
        raise _unreadable(file) from failed
    except (ValueError, KeyError, TypeError) as failed:
        raise KeyUnusable(
            _("The signing key %(file)s is damaged. Put back the copy that you keep offline.")
            % {"file": file}
        ) from failed
    if not key.is_private or key.curve_name != "P-256" or key.thumbprint() != members.get("kid"):
        raise KeyUnusable(
            _("The signing key %(file)s is not a private P-256 key named by its thumbprint.")
            % {"file": file}
        )
    return {name: str(value) for name, value in members.items()}


def _unreadable(path: Path) -> KeyUnusable:
    return KeyUnusable(
        _("The signing key cannot be read: %(path)s. Check that this user owns it.")
        % {"path": path}
    )


def _write(file: Path, members: dict[str, str], *, mode: int) -> None:
    """Write a file whole, or not at all, with its mode from the first byte on."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as opened:
        json.dump(members, opened, indent=1)
        opened.flush()
        os.fsync(opened.fileno())
    unfinished.replace(file)
