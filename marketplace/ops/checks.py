"""What must be true of the settings before anything runs. The ids are stable: scripts may silence them.

Errors stop every command. Warnings are for a site that people use: ``manage.py check --deploy``.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

SECRET_KEY_LENGTH = 50  # as Django's own security.W009 asks


@register(Tags.security)
def secret_key_is_long(**_options: Any) -> Sequence[CheckMessage]:
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:
        key = ""
    if len(key) >= SECRET_KEY_LENGTH:
        return []
    return [
        Error(
            f"SECRET_KEY has {len(key)} characters and needs at least {SECRET_KEY_LENGTH}.",
            hint=(
                "Set it in the environment, the same for every process, for example to the output of: "
                "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            ),
            id="voltbazaar.E001",
        )
    ]


@register(Tags.security)
def signing_keys_are_private(**_options: Any) -> Sequence[CheckMessage]:
    directory = Path(settings.KEYS_DIR)
    if not directory.exists():
        return []  # `manage.py create_keys` makes it as it should be
    mode = stat.S_IMODE(directory.stat().st_mode)
    if not mode & 0o077:
        return []
    return [
        Error(
            f"Others may enter KEYS_DIR {directory} (mode {mode:o}), where the signing key lies.",
            hint=f"chmod 700 {directory}",
            id="voltbazaar.E002",
        )
    ]


@register
def addresses_can_be_understood(**_options: Any) -> Sequence[CheckMessage]:
    problems: list[CheckMessage] = []
    database = urlsplit(os.environ.get("DATABASE_URL", "postgresql:///voltbazaar"))
    if database.scheme not in {"postgresql", "postgres"} or not database.path.strip("/"):
        problems.append(
            Error(
                "DATABASE_URL is not the address of a PostgreSQL database.",
                hint="It looks like postgresql://user:password@host:5432/name",
                id="voltbazaar.E003",
            )
        )
    if urlsplit(settings.REDIS_URL).scheme not in {"redis", "rediss"}:
        problems.append(
            Error(
                "REDIS_URL is not the address of a Redis server.",
                hint="It looks like redis://:password@host:6379/0",
                id="voltbazaar.E004",
            )
        )
    site = urlsplit(settings.SITE_URL)
    if site.scheme not in {"http", "https"} or not site.hostname or site.path or site.query:
        problems.append(
            Error(
                f"SITE_URL {settings.SITE_URL} is not the address of a site.",
                hint="Certificates carry it. It looks like https://voltbazaar.example",
                id="voltbazaar.E005",
            )
        )
    return problems


@register
def files_can_be_kept(**_options: Any) -> Sequence[CheckMessage]:
    problems: list[CheckMessage] = []
    for name, value in [("VAR_DIR", settings.VAR_DIR), ("MEDIA_ROOT", settings.MEDIA_ROOT)]:
        place = Path(value)
        existing = next(step for step in [place, *place.parents] if step.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            problems.append(
                Error(
                    f"This process cannot write to {name} {place}.",
                    hint="Give its user that directory, or name another one in the environment.",
                    id="voltbazaar.E006",
                )
            )
    return problems


@register
def seconds_of_jobs_make_sense(**_options: Any) -> Sequence[CheckMessage]:
    names = ["JOB_LEASE_SECONDS", "JOB_RERING_SECONDS", "JOB_INLINE_SECONDS"]
    return [
        Error(f"{name} must be at least 1.", hint="Unset it.", id="voltbazaar.E007")
        for name in names
        if getattr(settings, name) < 1
    ]


@register(Tags.security, deploy=True)
def site_is_ready_for_people(**_options: Any) -> Sequence[CheckMessage]:
    problems: list[CheckMessage] = []
    if not settings.DEBUG and not settings.SITE_URL.startswith("https://"):
        problems.append(
            checks.Warning(
                "SITE_URL is not https: passwords and bids would travel in the clear.",
                hint="Put a TLS proxy in front (deploy/Caddyfile) and set SITE_URL and TRUSTED_PROXY=1.",
                id="voltbazaar.W001",
            )
        )
    if not settings.HASHED_STATIC:
        problems.append(
            checks.Warning(
                "HASHED_STATIC is off: browsers could keep old styles after an upgrade.",
                hint="Run manage.py collectstatic and set HASHED_STATIC=1.",
                id="voltbazaar.W002",
            )
        )
    if settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        problems.append(
            checks.Warning(
                "EMAIL_BACKEND prints letters into the log instead of sending them.",
                hint="Set EMAIL_BACKEND=django.core.mail.backends.smtp.EmailBackend.",
                id="voltbazaar.W003",
            )
        )
    if settings.JOB_LEASE_SECONDS <= settings.CELERY_TASK_TIME_LIMIT:
        problems.append(
            checks.Warning(
                "JOB_LEASE_SECONDS is not longer than a job may run: slow jobs would be done twice over.",
                hint=f"Set it above {settings.CELERY_TASK_TIME_LIMIT}, or unset it.",
                id="voltbazaar.W004",
            )
        )
    return problems
