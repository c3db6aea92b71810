"""Status lists: opened, signed again when a certificate falls and on a timer, published for everybody."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.db import transaction

from marketplace.accounts.actors import SYSTEM
from marketplace.certificates import keys, queries
from marketplace.certificates.events import StatusListSigned
from marketplace.certificates.models import Certificate, StatusList
from marketplace.certificates.rules.credentials import status_list_credential
from marketplace.certificates.rules.signatures import sign
from marketplace.certificates.rules.status_list import NEARLY_FULL
from marketplace.core.locks import lock_word
from marketplace.journal.services import enqueue, record

SIGN_STATUS_LIST = "certificates.sign_status_list"
VALID_FOR = timedelta(days=2)
"""How long a signed list may be relied upon; several renewals may fail before it lapses."""


@dataclass(frozen=True)
class SignedList:
    """A status list that has been signed, and still has to be written down."""

    list_id: int
    version: int
    signed: str
    signed_at: datetime


def list_url(list_id: int) -> str:
    return f"{settings.SITE_URL}/status/{list_id}/"


@transaction.atomic
def open_status_list(*, now: datetime) -> StatusList:
    """Return the list that takes new certificates. Opens, and signs, the next one when the last is nearly full.

    :raises KeyUnusable: if a new list would have to be signed and cannot be
    """
    lock_word("certificates:open-status-list")
    last = StatusList.objects.order_by("-pk").first()
    if last and last.certificates.count() < NEARLY_FULL:
        return last
    opened = StatusList.objects.create(opened_at=now)
    return store_status_list(_signed(opened, withdrawn=[], now=now), now=now)


def sign_status_list(list_id: int, *, now: datetime) -> SignedList:
    """Sign a list as the certificates now say. The slow part: call outside a transaction.

    :raises KeyUnusable: if there is no usable key
    """
    # The version is read before the certificates: one revoked in between is shown early, never forgotten.
    found = StatusList.objects.get(pk=list_id)
    withdrawn = found.certificates.filter(status=Certificate.Status.REVOKED)
    indices = list(withdrawn.order_by("status_index").values_list("status_index", flat=True))
    return _signed(found, withdrawn=indices, now=now)


@transaction.atomic
def store_status_list(made: SignedList, *, now: datetime) -> StatusList:
    """Publish a signed list, unless a newer one was published meanwhile."""
    found = StatusList.objects.lock(StatusList(pk=made.list_id))
    if found.signed_at and (found.signed_version, found.signed_at) >= (
        made.version,
        made.signed_at,
    ):
        return found
    found.signed = made.signed
    found.signed_version = made.version
    found.signed_at = made.signed_at
    found.valid_until = made.signed_at + VALID_FOR
    found.save(update_fields=["signed", "signed_version", "signed_at", "valid_until"])
    digest = sha256(made.signed.encode()).hexdigest()
    record(
        StatusListSigned(list_id=found.pk, version=made.version, sha256=digest), by=SYSTEM, at=now
    )
    return found


def renew_status_lists(*, now: datetime) -> None:
    """Queue the signing of every list, so that none lapses. Call inside a transaction, as a job's end is."""
    for list_id in StatusList.objects.order_by("pk").values_list("pk", flat=True):
        enqueue(
            SIGN_STATUS_LIST,
            {"list": list_id},
            now=now,
            dedupe_key=f"status-list:{list_id}@{now.isoformat()}",
        )


def _signed(found: StatusList, *, withdrawn: list[int], now: datetime) -> SignedList:
    document = status_list_credential(
        withdrawn,
        list_url=list_url(found.pk),
        issuer=queries.issuer(),
        signed_at=now,
        valid_until=now + VALID_FOR,
    )
    signed = sign(document, key=keys.signing_key(settings.KEYS_DIR), did=queries.issuer().did)
    return SignedList(found.pk, found.version, signed, now)
