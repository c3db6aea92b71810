import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts import rules
from marketplace.accounts.actors import SYSTEM, Actor, actor_of
from marketplace.accounts.addresses import AddressRefused, is_phone, normal_address
from marketplace.accounts.events import CodeRequested, PersonChanged, PersonJoined
from marketplace.accounts.models import Organisation, SignUpCode, User
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.journal.services import record

from .organisations import found_organisation

__all__ = [
    "AddressRefused",
    "CodeRefused",
    "acting_for",
    "code_of",
    "request_code",
    "set_language",
    "sign_up",
    "update_person",
]


class CodeRefused(Refused):
    """A code that does not open the door. ``code`` says why: code_wrong, code_ended, too_many_codes."""

    code = "code_wrong"


def code_of(row: SignUpCode) -> str:
    """Return the six digits of a code. They stand nowhere: they follow from the row and the site's secret."""
    digest = _keyed(f"{row.pk}:{row.address}:{row.sent_at.isoformat()}")
    return f"{int.from_bytes(digest[:8], 'big') % 10**rules.CODE_DIGITS:0{rules.CODE_DIGITS}}"


@transaction.atomic
def request_code(*, address: str, now: datetime, country: str | None = None) -> SignUpCode:
    """Have a one-time code sent to an address that wants to join, at most three within an hour.

    A known address is answered in the same way; it gets a message of how to log in instead.

    :raises AddressRefused: if it is neither an e-mail address nor a phone number
    :raises CodeRefused: if too many were sent
    """
    to = normal_address(address, country=country)
    lock_word(f"code:{to}")
    sent = SignUpCode.objects.filter(address=to, sent_at__gt=now - timedelta(hours=1)).count()
    if sent >= rules.CODES_PER_HOUR:
        raise CodeRefused(
            _("We have sent enough codes to this address. Try again in an hour."),
            code="too_many_codes",
            field="address",
        )
    row = SignUpCode.objects.create(
        address=to,
        code_sha256=secrets.token_hex(32),  # until the row has its number
        sent_at=now,
        expires_at=now + rules.CODE_LASTS,
    )
    row.code_sha256 = _hash(code_of(row))
    row.save(update_fields=["code_sha256"])
    record(CodeRequested(code_id=row.pk), by=SYSTEM, at=now)
    return row


def check_code(*, address: str, code: str, now: datetime) -> SignUpCode:
    """Return the newest code of an address if these are its digits. Every try counts, also a failed one.

    :raises CodeRefused: if they are wrong, or the code has ended or was tried too often
    """
    with transaction.atomic():
        row = SignUpCode.objects.filter(address=address).order_by("-sent_at", "-pk").first()
        row = SignUpCode.objects.lock(row) if row else None
        ended = row is None or row.used_at is not None or now >= row.expires_at
        if row is None or ended or row.tries >= rules.CODE_TRIES:
            raise CodeRefused(_("This code has ended. Ask for a new one."), code="code_ended")
        right = hmac.compare_digest(row.code_sha256, _hash(code.strip()))
        row.tries += 1
        row.save(update_fields=["tries"])
    if not right:  # said after the commit, so that the try stays counted
        raise CodeRefused(
            _("These are not the digits that we sent. Look again, or ask for a new code."),
            code="code_wrong",
        )
    return row


def sign_up(
    *,
    address: str,
    code: str,
    name: str,
    password: str,
    role: str,
    organisation_name: str,
    country: str,
    geoname_id: int | None,
    language: str,
    request_id: UUID,
    now: datetime,
    currency: str | None = None,
) -> User:
    """Make a person, and the organisation that they act for, out of an address that answered with its code.

    :raises CodeRefused: if the code is wrong or has ended
    :raises AddressRefused: if the address is none
    :raises OrganisationRefused: if a field makes no sense
    """
    to = normal_address(address, country=country)
    row = check_code(address=to, code=code, now=now)
    return _join(
        row,
        name=name,
        password=password,
        role=role,
        organisation_name=organisation_name,
        country=country,
        geoname_id=geoname_id,
        language=language,
        request_id=request_id,
        now=now,
        currency=currency,
    )


@transaction.atomic
def _join(
    row: SignUpCode,
    *,
    name: str,
    password: str,
    role: str,
    organisation_name: str,
    country: str,
    geoname_id: int | None,
    language: str,
    request_id: UUID,
    now: datetime,
    currency: str | None,
) -> User:
    row = SignUpCode.objects.lock(row)
    to = row.address
    phone = to if is_phone(to) else None
    email = None if phone else to
    known = User.objects.filter(phone=phone) if phone else User.objects.filter(email=email)
    if row.used_at is not None or known.exists():
        raise CodeRefused(_("This code has ended. Ask for a new one."), code="code_ended")
    user = User(
        email=email,
        phone=phone,
        phone_verified_at=now if phone else None,
        name=name.strip()[:120],
        language=language,
    )
    try:
        validate_password(password, user)
    except ValidationError as weak:
        raise AddressRefused(" ".join(weak.messages), field="password") from weak
    user.set_password(password)
    user.save(force_insert=True)
    if email:
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    row.used_at = now
    row.save(update_fields=["used_at"])
    actor = actor_of(user)
    record(PersonJoined(user_id=user.pk), by=actor, at=now)
    found_organisation(
        actor=actor,
        name=organisation_name or name,
        role=role,
        country=country,
        geoname_id=geoname_id,
        currency=currency,
        request_id=request_id,
        now=now,
    )
    return user


@transaction.atomic
def set_language(*, actor: Actor, language: str, now: datetime) -> None:
    """Remember the language in which a person reads pages and messages.

    :raises PermissionDenied: if nobody is logged in
    """
    user = _person(actor)
    if language not in dict(settings.LANGUAGES):
        raise AddressRefused(_("Choose a language from the list."), field="language")
    user.language = language
    user.save(update_fields=["language"])
    record(PersonChanged(user_id=user.pk), by=actor, at=now)


@transaction.atomic
def update_person(*, actor: Actor, name: str, language: str, now: datetime) -> None:
    """Change a person's name and language.

    :raises PermissionDenied: if nobody is logged in
    """
    user = _person(actor)
    if language not in dict(settings.LANGUAGES):
        raise AddressRefused(_("Choose a language from the list."), field="language")
    user.name, user.language = name.strip()[:120], language
    user.save(update_fields=["name", "language"])
    record(PersonChanged(user_id=user.pk), by=actor, at=now)


def acting_for(*, actor: Actor, organisation_id: int) -> Organisation:
    """Return the organisation that a person chose to act for.

    :raises PermissionDenied: if they are no member of it, or it is frozen
    """
    mine = Organisation.objects.of_user(actor.user_id).filter(pk=organisation_id).first()
    if mine is None or actor.user_id is None:
        raise PermissionDenied
    return mine


def _person(actor: Actor) -> User:
    if actor.user_id is None:
        raise PermissionDenied
    return User.objects.get(pk=actor.user_id)


def _keyed(text: str) -> bytes:
    return hmac.digest(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256)


def _hash(code: str) -> str:
    """Keyed, for anybody can try a million digits against a plain hash."""
    return _keyed(f"code:{code}").hex()
