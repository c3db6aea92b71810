"""Signing keys: files that only this system user may read, outside the database and its backups.

``signing-key.private.json`` is the one key that signs; ``<thumbprint>.public.json`` is the public half of every key that
ever signed. A retired key goes on proving old certificates. After a compromise its public half is deleted as well, and what
it signed is withdrawn.
"""

import json
import os
import secrets
import stat
from datetime import datetime
from pathlib import Path

from django.utils.translation import gettext as _
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from marketplace.core.errors import Refused

from .rules import decentralized_ids
from .rules.decentralized_ids import Jwk

PRIVATE = "signing-key.private.json"
PUBLIC = ".public.json"


class KeyUnusable(Refused):
    code = "signing_key_unusable"


def signing_key(directory: Path) -> dict[str, str]:
    """Return the private key that signs now.

    :raises KeyUnusable: if there is none, or others may read it, or it is not a P-256 key
    """
    file = directory / PRIVATE
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
    except FileNotFoundError as failed:
        raise KeyUnusable(
            _("There is no signing key in %(directory)s. Run: manage.py create_keys")
            % {"directory": directory}
        ) from failed
    except OSError as failed:
        raise _unreadable(file) from failed
    except (ValueError, KeyError, TypeError, JoseError) as failed:
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


def published_keys(directory: Path) -> list[Jwk]:
    """Return the public keys for the DID document, the newest first. The private key is not needed, and not read.

    :raises KeyUnusable: if a file cannot be read
    """
    keys: list[dict[str, str]] = []
    for file in directory.glob(f"*{PUBLIC}"):
        try:
            keys.append(json.loads(file.read_text()))
        except (OSError, ValueError) as failed:
            raise _unreadable(file) from failed
    keys.sort(key=lambda key: key.get("created_at", ""), reverse=True)
    return [decentralized_ids.public(key) for key in keys]


def create(directory: Path, *, at: datetime) -> tuple[dict[str, str], bool]:
    """Return the signing key, made if there is none, and whether it is new. Safe to repeat, and beside itself.

    :raises KeyUnusable: if there is a key that cannot be used, or the directory cannot be written
    """
    is_new = False
    try:
        if not (directory / PRIVATE).exists():
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            is_new = _install(_generate(at), directory, replace=False)
        key = signing_key(directory)
        _publish(key, directory)
    except OSError as failed:
        raise _unwritable(directory, failed) from failed
    return key, is_new


def rotate(directory: Path, *, at: datetime) -> tuple[dict[str, str], str]:
    """Sign with a new key from now on. Return it, and the old one's thumbprint.

    There is a key at every moment. The old private half is overwritten; its public half stays, so that what it signed
    stays genuine.

    :raises KeyUnusable: if there is no usable key to retire, or the directory cannot be written
    """
    old = signing_key(directory)
    new = _generate(at)
    try:
        _publish({**old, "retired_at": at.isoformat()}, directory)
        _publish(new, directory)
        _install(new, directory, replace=True)
    except OSError as failed:
        raise _unwritable(directory, failed) from failed
    return new, old["kid"]


def _generate(at: datetime) -> dict[str, str]:
    key = ECKey.generate_key("P-256", private=True, auto_kid=True)
    members = {name: str(value) for name, value in key.as_dict(private=True).items()}
    return {**members, "alg": "ES256", "created_at": at.isoformat()}


def _publish(key: dict[str, str], directory: Path) -> None:
    members = {name: key[name] for name in ("created_at", "retired_at") if name in key}
    file = directory / f"{key['kid']}{PUBLIC}"
    if not file.exists() or "retired_at" in key:
        unfinished = _write({**decentralized_ids.public(key), **members}, directory, mode=0o644)
        unfinished.replace(file)


def _install(key: dict[str, str], directory: Path, *, replace: bool) -> bool:
    unfinished = _write(key, directory, mode=0o600)
    try:
        if replace:
            unfinished.replace(directory / PRIVATE)
        else:
            # A link never overwrites: of two that create a key at once, one wins and both use it.
            os.link(unfinished, directory / PRIVATE)
    except FileExistsError:
        return False
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def _write(members: dict[str, str], directory: Path, *, mode: int) -> Path:
    """Write a file whole, with its mode from the first byte on, and return where. It still has to be put in place."""
    unfinished = directory / f".{members['kid']}.{secrets.token_hex(4)}.unfinished"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as opened:
        json.dump(members, opened, indent=1)
        opened.flush()
        os.fsync(opened.fileno())
    return unfinished


def _unreadable(path: Path) -> KeyUnusable:
    return KeyUnusable(
        _("The key cannot be read: %(path)s. Check that this user owns it.") % {"path": path}
    )


def _unwritable(directory: Path, failed: OSError) -> KeyUnusable:
    return KeyUnusable(
        _("The signing key cannot be written to %(directory)s: %(reason)s")
        % {"directory": directory, "reason": failed.strerror}
    )
