"""Taking a certificate back takes two people, and a reason that everybody may read."""

from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.certificates.events import (
    CertificateRevoked,
    WithdrawalDismissed,
    WithdrawalProposed,
)
from marketplace.certificates.models import Certificate, StatusList, Withdrawal
from marketplace.core.errors import Refused
from marketplace.journal.services import enqueue, record

from .publishing import SIGN_STATUS_LIST

LEAST_REASON = 10


class WithdrawalRefused(Refused):
    code = "withdrawal_refused"


@transaction.atomic
def propose_withdrawal(
    certificate: Certificate, *, actor: Actor, public_reason: str, now: datetime
) -> Withdrawal:
    """Propose to revoke a certificate. It stays valid until somebody else confirms.

    :raises PermissionDenied: if the actor may not revoke
    :raises WithdrawalRefused: if the certificate is the actor's own business, is revoked, or has been proposed, or the
        reason says too little
    """
    user_id = _who_decides(actor)
    certificate = Certificate.objects.lock(certificate)
    _not_their_own(certificate, actor)
    reason = public_reason.strip()
    if len(reason) < LEAST_REASON:
        raise WithdrawalRefused(
            _("Say in a sentence why: everybody who checks the certificate will read it."),
            field="public_reason",
        )
    if certificate.status == Certificate.Status.REVOKED:
        raise WithdrawalRefused(_("This certificate has been withdrawn already."))
    if certificate.withdrawals.filter(status=Withdrawal.Status.PROPOSED).exists():
        raise WithdrawalRefused(
            _("A colleague has proposed this. Confirm or dismiss the proposal.")
        )
    proposed = Withdrawal.objects.create(
        certificate=certificate, public_reason=reason, proposed_by_id=user_id, proposed_at=now
    )
    record(
        WithdrawalProposed(
            withdrawal_id=proposed.pk, certificate_id=certificate.pk, code=certificate.code
        ),
        by=actor,
        at=now,
    )
    return proposed


@transaction.atomic
def confirm_withdrawal(withdrawal: Withdrawal, *, actor: Actor, now: datetime) -> Certificate:
    """Revoke the certificate at once, for everybody who looks, and have the status list signed anew.

    :raises PermissionDenied: if the actor may not revoke
    :raises WithdrawalRefused: if it is the actor's own proposal or business, or has been decided
    """
    user_id = _who_decides(actor)
    certificate = Certificate.objects.lock(withdrawal.certificate)
    withdrawal = Withdrawal.objects.lock(withdrawal)
    _not_their_own(certificate, actor)
    if withdrawal.proposed_by_id == user_id:
        raise WithdrawalRefused(_("You proposed this. Ask a colleague to confirm it."))
    withdrawal.enter(Withdrawal.Status.CONFIRMED)
    withdrawal.decided_by_id, withdrawal.decided_at = user_id, now
    withdrawal.save(update_fields=["status", "decided_by_id", "decided_at"])
    certificate.enter(Certificate.Status.REVOKED)
    certificate.revoked_at, certificate.revocation_reason = now, withdrawal.public_reason
    certificate.save(update_fields=["status", "revoked_at", "revocation_reason"])
    shown_on = StatusList.objects.lock(certificate.status_list)
    shown_on.version += 1
    shown_on.save(update_fields=["version"])
    enqueue(
        SIGN_STATUS_LIST,
        {"list": shown_on.pk},
        now=now,
        dedupe_key=f"status-list:{shown_on.pk}:{shown_on.version}",
    )
    record(
        CertificateRevoked(
            certificate_id=certificate.pk,
            deal_id=certificate.report.deal_id,
            lot_id=certificate.report.deal.lot_id,
            code=certificate.code,
            reason=withdrawal.public_reason,
        ),
        by=actor,
        at=now,
    )
    return certificate


@transaction.atomic
def dismiss_withdrawal(withdrawal: Withdrawal, *, actor: Actor, now: datetime) -> Withdrawal:
    """Let a proposal fall: the certificate stays valid. The proposer may do this too.

    :raises PermissionDenied: if the actor may not revoke
    :raises WithdrawalRefused: if the certificate is the actor's own business
    :raises AlreadyMovedOn: if it has been decided
    """
    user_id = _who_decides(actor)
    certificate = Certificate.objects.lock(withdrawal.certificate)
    withdrawal = Withdrawal.objects.lock(withdrawal)
    _not_their_own(certificate, actor)
    withdrawal.enter(Withdrawal.Status.DISMISSED)
    withdrawal.decided_by_id, withdrawal.decided_at = user_id, now
    withdrawal.save(update_fields=["status", "decided_by_id", "decided_at"])
    record(
        WithdrawalDismissed(
            withdrawal_id=withdrawal.pk, certificate_id=certificate.pk, code=certificate.code
        ),
        by=actor,
        at=now,
    )
    return withdrawal


def _who_decides(actor: Actor) -> int:
    actor.require(Capability.CERTIFICATE_REVOKE)
    if actor.user_id is None:
        raise PermissionDenied
    return actor.user_id


def _not_their_own(certificate: Certificate, actor: Actor) -> None:
    deal = certificate.report.deal
    if any(party.related_to(actor) for party in (certificate.holder, deal.seller, deal.buyer)):
        raise WithdrawalRefused(
            _("Your own organisation is part of this deal. Ask somebody of another one.")
        )
