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
    "PasswordRefused",
    "acting_for",
    "code_of",
    "person_at",
    "prove_address",
    "request_code",
    "set_language",
    "set_new_password",
    "sign_up",
    "update_person",
]


class CodeRefused(Refused):
    """A code that does not open the door. ``code`` says why: code_wrong, code_ended, too_many_codes."""

    code = "code_wrong"


class PasswordRefused(Refused):
    code = "password_weak"


def code_of(row: SignUpCode) -> str:
    """Return the six digits of a code. They stand nowhere: they follow from the row and the site's secret."""
    digest = _keyed(f"{row.pk}:{row.address}:{row.sent_at.isoformat()}")
    return f"{int.from_bytes(digest[:8], 'big') % 10**rules.CODE_DIGITS:0{rules.CODE_DIGITS}}"


@transaction.atomic
def request_code(*, address: str, now: datetime, country: str | None = None) -> SignUpCode:
    """Have a one-time code sent to an address that wants to join, at most three within an hour.

    A known address is answered in the same way: its code opens the way to a new password.

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


def prove_address(*, address: str, code: str, now: datetime) -> SignUpCode:
    """Return the newest code of an address if these are its digits. Every try counts, also a failed one.

    What comes back proves that the address is the reader's, for an hour: see ``sign_up`` and ``set_new_password``.

    :raises CodeRefused: if they are wrong, or the code has ended or was tried too often
    """
    with transaction.atomic():
        row = SignUpCode.objects.filter(address=address).order_by("-sent_at", "-pk").first()
        row = SignUpCode.objects.lock(row) if row else None
        ended = row is None or row.used_at is not None or now >= row.expires_at
        if row is None or ended or row.tries >= rules.CODE_TRIES:
            raise _ended()
        right = hmac.compare_digest(row.code_sha256, _hash(code.strip()))
        row.tries += 1
        row.proved_at = now if right else row.proved_at
        row.save(update_fields=["tries", "proved_at"])
    if not right:  # said after the commit, so that the try stays counted
        raise CodeRefused(
            _("These are not the digits that we sent. Look again, or ask for a new code."),
            code="code_wrong",
            field="code",
        )
    return row


def person_at(address: str) -> User | None:
    """Return who has an address, for somebody who has proved that it is theirs."""
    by = {"phone": address} if is_phone(address) else {"email": address}
    return User.objects.filter(**by).first()


@transaction.atomic
def sign_up(
    *,
    proof: SignUpCode,
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

    :param proof: what ``prove_address`` returned
    :raises CodeRefused: if it was used, has ended, or belongs to somebody who has joined
    :raises PasswordRefused: if the password is weak
    :raises OrganisationRefused: if a field makes no sense
    """
    proof = _usable(proof, now)
    to = proof.address
    if person_at(to) is not None:
        raise _ended()
    phone, email = (to, None) if is_phone(to) else (None, to)
    user = User(
        email=email,
        phone=phone,
        phone_verified_at=now if phone else None,
        name=name.strip()[:120],
        language=language,
    )
    _set_password(user, password)
    user.save(force_insert=True)
    if email:
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    _use(proof, now)
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
def set_new_password(*, proof: SignUpCode, password: str, now: datetime) -> User:
    """Give somebody who forgot it a new password. Whoever was logged in as them is logged out.

    :raises CodeRefused: if the proof was used, has ended, or nobody has this address
    :raises PasswordRefused: if the password is weak
    """
    proof = _usable(proof, now)
    user = person_at(proof.address)
    if user is None:
        raise _ended()
    _set_password(user, password)
    user.save(update_fields=["password"])
    _use(proof, now)
    record(PersonChanged(user_id=user.pk), by=actor_of(user), at=now)
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


def _usable(proof: SignUpCode, now: datetime) -> SignUpCode:
    proof = SignUpCode.objects.lock(proof)
    if (
        proof.proved_at is None
        or proof.used_at is not None
        or now >= proof.proved_at + rules.PROOF_LASTS
    ):
        raise _ended()
    return proof


def _use(proof: SignUpCode, now: datetime) -> None:
    proof.used_at = now
    proof.save(update_fields=["used_at"])


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as weak:
        raise PasswordRefused(" ".join(weak.messages), field="password") from weak
    user.set_password(password)


def _ended() -> CodeRefused:
    return CodeRefused(
        _("This code has ended. Ask for a new one."), code="code_ended", field="code"
    )


def _keyed(text: str) -> bytes:
    return hmac.digest(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256)


def _hash(code: str) -> str:
    """Keyed, for anybody can try a million digits against a plain hash."""
    return _keyed(f"code:{code}").hex()
