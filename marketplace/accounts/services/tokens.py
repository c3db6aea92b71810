import hashlib
import secrets
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.utils.translation import gettext as _

from marketplace.accounts import rules
from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import GRANTS
from marketplace.accounts.events import TokenIssued, TokenRevoked
from marketplace.accounts.models import ApiToken, User
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


KEY = """
SELECT t.id, t.user_id, t.organisation_id, t.name, t.created_at, t.expires_at, t.last_used_at, t.revoked_at,
       u.email, u.phone, u.name, u.language, u.is_staff, u.is_active, o."group", o.country, array_agg(m.role)
  FROM accounts_apitoken t
  JOIN accounts_user u ON u.id = t.user_id
  JOIN accounts_organisation o ON o.id = t.organisation_id AND o.status = 'ACTIVE'
  JOIN accounts_membership m ON m.user_id = t.user_id AND m.organisation_id = t.organisation_id
 WHERE t.sha256 = %s GROUP BY t.id, u.id, o.id
"""
TOKEN_FIELDS = (
    *("id", "user_id", "organisation_id", "name"),
    *("created_at", "expires_at", "last_used_at", "revoked_at"),
)
USER_FIELDS = ("email", "phone", "name", "language", "is_staff", "is_active")


def use_token(secret: str, *, now: datetime) -> tuple[ApiToken, Actor] | None:
    """Return the key with this secret and who acts with it, if it opens the door now; note that it was used.

    One statement, and SQL: every request of a program begins with it, and as three queries of the ORM it was a quarter
    of what a bid costs (``benchmarks/bids.py``). Nothing is kept between requests: a revoked key opens nothing at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(KEY, [_hash(secret)])
        row = cursor.fetchone()
    if row is None:  # unknown, or no member any more of the organisation that it acts for
        return None
    about_token, about_user, (group, country, roles) = row[:8], row[8:14], row[14:]
    token = ApiToken.from_db("default", TOKEN_FIELDS, about_token)
    token.user = User.from_db("default", ("id", *USER_FIELDS), (token.user_id, *about_user))
    if not token.counts_at(now):
        return None
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token, Actor(
        name=f"user:{token.user_id}",
        user_id=token.user_id,
        organisation_id=token.organisation_id,
        group=group,
        country=country,
        roles=frozenset(roles),
        capabilities=frozenset().union(*(GRANTS[role] for role in roles)),
        sees_everything=token.user.is_staff,
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
