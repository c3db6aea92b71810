import hashlib
import secrets
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts import rules
from marketplace.accounts.actors import Actor
from marketplace.accounts.events import TokenIssued, TokenRevoked
from marketplace.accounts.models import ApiToken
from marketplace.core.errors import Refused
from marketplace.journal.services import record

PREFIX = "vb_"
USE_NOTED_EVERY = timedelta(minutes=5)


class TokenRefused(Refused):
    code = "token_refused"


@transaction.atomic
def issue_token(*, actor: Actor, name: str, days: int, now: datetime) -> tuple[ApiToken, str]:
    """Make a key for programs, and return it with its secret. The secret is shown this once; only its hash is kept.

    The key does what the actor may do in the organisation that they act for now.

    :param days: how long it opens the door, at most a year
    :raises PermissionDenied: if the actor acts for nobody
    :raises TokenRefused: if it has no name, or the days make no sense
    """
    if actor.user_id is None or actor.organisation_id is None:
        raise PermissionDenied
    if not name.strip():
        raise TokenRefused(_("Name the key after the program that uses it."), field="name")
    if not 1 <= days <= rules.TOKEN_DAYS_AT_MOST:
        raise TokenRefused(
            _("Choose between 1 and %(most)s days.") % {"most": rules.TOKEN_DAYS_AT_MOST},
            field="days",
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user_id=actor.user_id,
        organisation_id=actor.organisation_id,
        name=name.strip()[:60],
        sha256=_hash(secret),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    record(TokenIssued(token_id=token.pk), by=actor, at=now)
    return token, secret


@transaction.atomic
def revoke_token(token: ApiToken, *, actor: Actor, now: datetime) -> ApiToken:
    """Make a key open nothing from now on. Asking again changes nothing.

    :raises PermissionDenied: if it is somebody else's
    """
    if actor.user_id is None or token.user_id != actor.user_id:
        raise PermissionDenied
    token = ApiToken.objects.lock(token)
    if token.revoked_at is None:
        token.revoked_at = now
        token.save(update_fields=["revoked_at"])
        record(TokenRevoked(token_id=token.pk), by=actor, at=now)
    return token


def use_token(secret: str, *, now: datetime) -> ApiToken | None:
    """Return the key with this secret, if it opens the door now, and note that it was used."""
    token = (
        ApiToken.objects.select_related("user", "organisation")
        .filter(sha256=_hash(secret), organisation__status="ACTIVE")
        .first()
    )
    if token is None or not token.counts_at(now):
        return None
    if not token.user.memberships.filter(organisation_id=token.organisation_id).exists():
        return None  # actor_of would fall back to another organisation of theirs
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
