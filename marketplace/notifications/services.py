"""Messages to people. The inbox is the truth; mail and text messages are copies that jobs send."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import translation

from marketplace.accounts.actors import Actor
from marketplace.accounts.addresses import is_phone
from marketplace.accounts.models import Invitation, Membership, SignUpCode, User
from marketplace.accounts.services import code_of
from marketplace.journal.events import Event
from marketplace.journal.services import Finish, enqueue

from . import rules, sms
from .audience import AUDIENCE, Letter
from .models import Message, Notice, Preference
from .queries import preference_of
from .wording import WORDINGS, sentence, subject


@transaction.atomic
def tell(event: Event, *, at: datetime) -> list[Notice]:
    """Write a notice to every person who has to know about an event, and queue its copies.

    While somebody has not read that they were outbid for a lot, a further bid only changes the amount.
    """
    return [notice for letter in AUDIENCE[type(event)](event) for notice in _write(letter, at=at)]


@transaction.atomic
def mark_read(notices: Iterable[Notice], *, actor: Actor, now: datetime) -> int:
    """Mark notices of the actor as read, and return how many were not.

    :raises PermissionDenied: if nobody is logged in
    """
    if actor.user_id is None:
        raise PermissionDenied
    mine = Notice.objects.filter(pk__in=[notice.pk for notice in notices], user_id=actor.user_id)
    return mine.unread().update(read_at=now)


@transaction.atomic
def mark_all_read(*, actor: Actor, now: datetime) -> int:
    """Mark everything that the actor was told until now as read.

    :raises PermissionDenied: if nobody is logged in
    """
    if actor.user_id is None:
        raise PermissionDenied
    return (
        Notice.objects.filter(user_id=actor.user_id, created_at__lte=now)
        .unread()
        .update(read_at=now)
    )


@transaction.atomic
def set_preference(*, actor: Actor, email: bool, text_messages: bool) -> Preference:
    """Choose which copies a person gets beside the inbox.

    :raises PermissionDenied: if nobody is logged in
    """
    if actor.user_id is None:
        raise PermissionDenied
    chosen, _created = Preference.objects.update_or_create(
        user_id=actor.user_id, defaults={"email": email, "text_messages": text_messages}
    )
    return chosen


def send_copy(notice_id: int, *, key: str) -> Finish | None:
    """Send one notice by mail, or as a text to people without an address, and return what to write down."""
    notice = Notice.objects.select_related("user").get(pk=notice_id)
    user = notice.user
    preference = preference_of(user.pk)
    text = sentence(notice.template, notice.facts, language=user.language)
    if user.email and preference.email:
        provider_id = _mail(user.email, text, path=notice.path, language=user.language, key=key)
        channel, address = Message.Channel.EMAIL, user.email
    elif user.phone and preference.text_messages:
        provider_id = sms.adapter().send(to=user.phone, text=text, key=key)
        channel, address = Message.Channel.SMS, user.phone
    else:
        return None

    def finish(now: datetime) -> None:
        Message.objects.create(
            notice=notice, channel=channel, address=address, provider_id=provider_id, sent_at=now
        )

    return finish


def send_code(code_id: int, *, key: str) -> None:
    """Send a one-time code to the address that asked for it, unless it has been used or replaced since."""
    row = SignUpCode.objects.get(pk=code_id)
    if row.used_at is not None:
        return
    language = _language_at(row.address)
    text = sentence("code", {"code": code_of(row)}, language=language)
    _send(row.address, text, language=language, key=key)


def send_invitation(invitation_id: int, *, key: str) -> None:
    """Invite an address to an organisation."""
    invitation = Invitation.objects.select_related("organisation", "invited_by").get(
        pk=invitation_id
    )
    language = invitation.invited_by.language
    facts = {"organisation": invitation.organisation.name, "site": settings.SITE_URL}
    text = sentence("invitation", facts, language=language)
    _send(invitation.address, text, language=language, key=key)


def _write(letter: Letter, *, at: datetime) -> list[Notice]:
    members = Membership.objects.filter(organisation_id=letter.to, user__is_active=True)
    if letter.only is not None:
        members = members.filter(user_id=letter.only)
    people = list(members.order_by("user_id").values_list("user_id", flat=True).distinct())
    if letter.template == "outbid":
        people = [person for person in people if not _changed(person, letter)]
    notices = Notice.objects.bulk_create(
        Notice(
            user_id=person,
            organisation_id=letter.to,
            template=letter.template,
            facts=dict(letter.facts),
            path=letter.path,
            created_at=at,
        )
        for person in people
    )
    if settings.SEND_COPIES and WORDINGS[letter.template].copies:
        for notice in notices:
            enqueue(
                "notifications.send_copy",
                {"notice": notice.pk},
                now=at,
                dedupe_key=f"notice:{notice.pk}",
            )
    return notices


def _changed(person: int, letter: Letter) -> bool:
    unread = Notice.objects.filter(
        user_id=person, template=letter.template, path=letter.path, facts__lot=letter.facts["lot"]
    ).unread()
    return bool(unread.update(facts=dict(letter.facts)))


def _language_at(address: str) -> str:
    known = (
        User.objects.filter(phone=address)
        if is_phone(address)
        else User.objects.filter(email=address)
    )
    spoken = known.values_list("language", flat=True).first()
    return spoken or ("id" if address.startswith("+62") else settings.LANGUAGE_CODE)


def _send(address: str, text: str, *, language: str, key: str) -> None:
    if is_phone(address):
        if not rules.fits(text):
            raise ValueError(f"A text message of {len(text)} characters does not fit.")
        sms.adapter().send(to=address, text=text, key=key)
    else:
        _mail(address, text, path="", language=language, key=key)


def _mail(to: str, text: str, *, path: str, language: str, key: str) -> str:
    host = urlsplit(settings.SITE_URL).hostname
    message_id = f"<{key}@{host}>"
    with translation.override(language):
        about = subject(text)
    body = f"{text}\n\n{settings.SITE_URL}{path or '/'}\n"
    headers: dict[str, Any] = {"Message-ID": message_id, "Auto-Submitted": "auto-generated"}
    EmailMessage(about, body, to=[to], headers=headers).send()
    return message_id
