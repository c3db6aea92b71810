"""The verifiers' part: two different people compare every field with the paper before a licence counts."""

from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts import rules
from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.events import (
    LicenceApproved,
    LicenceClaimed,
    LicenceExpired,
    LicenceFieldChecked,
    LicenceNeedsInfo,
    LicenceRefused,
    LicenceReinstated,
    LicenceSuspended,
    LicenceVerified,
)
from marketplace.accounts.models import Licence, LicenceApproval, LicenceCheck, Organisation
from marketplace.accounts.queries import is_related
from marketplace.journal.services import record

from .licences import LicenceRefusal

Status = Licence.Status


@transaction.atomic
def claim_licence(licence: Licence, *, actor: Actor, now: datetime) -> Licence:
    """Take a licence on for 20 minutes, so that no two verifiers check it at once.

    Claiming one's own again makes it last longer.

    :raises PermissionDenied: if the actor is no verifier
    :raises LicenceRefusal: if another verifier has it, the actor has approved it, or belongs to the applicant
    """
    actor.require(Capability.LICENCE_VERIFY)
    licence = Licence.objects.lock(licence)
    _refuse_relatives(licence, actor)
    if licence.approvals.filter(approved_by_id=actor.user_id).exists():
        raise LicenceRefusal(
            _("You have approved this licence. Somebody else gives the second approval."),
            code="licence_second_person",
        )
    if licence.status == Status.CHECKING:
        if licence.claimed_by_id != actor.user_id and _is_held(licence, now):
            raise LicenceRefusal(
                _("Another verifier is checking this licence. Take the next one."),
                code="licence_claimed",
            )
    else:
        licence.enter(Status.CHECKING)
    licence.claimed_by_id = actor.user_id
    licence.claimed_until = now + rules.CLAIM_LASTS
    licence.save(update_fields=["status", "claimed_by", "claimed_until"])
    record(LicenceClaimed(licence_id=licence.pk), by=actor, at=now)
    return licence


@transaction.atomic
def let_go_licence(licence: Licence, *, actor: Actor, now: datetime) -> Licence:
    """Put a claimed licence back into the queue.

    :raises LicenceRefusal: if the actor does not hold it
    """
    licence = _claimed(licence, actor, now)
    licence.enter(Status.SUBMITTED)
    _drop_claim(licence)
    licence.save(update_fields=["status", "claimed_by", "claimed_until"])
    return licence


@transaction.atomic
def check_field(
    licence: Licence, *, actor: Actor, field: str, matches: bool, note: str = "", now: datetime
) -> LicenceCheck:
    """Say whether one field of a claimed licence agrees with its paper. The claim lasts 20 minutes from here.

    :param field: one of ``rules.CHECKED_FIELDS``
    :raises LicenceRefusal: if the actor does not hold the claim, the field is unknown, or a note is missing
    """
    licence = _claimed(licence, actor, now)
    if field not in rules.CHECKED_FIELDS:
        raise LicenceRefusal(
            _("There is no such field to check. Reload the page."), code="licence_field_unknown"
        )
    if not matches and not note.strip():
        raise LicenceRefusal(
            _("Say what does not agree, so that the applicant can correct it."),
            code="licence_note_missing",
            field="note",
        )
    check, _created = LicenceCheck.objects.update_or_create(
        licence=licence,
        field=field,
        checked_by_id=actor.user_id,
        defaults={"matches": matches, "note": note.strip()[:300], "checked_at": now},
    )
    licence.claimed_until = now + rules.CLAIM_LASTS
    licence.save(update_fields=["claimed_until"])
    record(
        LicenceFieldChecked(licence_id=licence.pk, field=field, matches=matches), by=actor, at=now
    )
    return check


@transaction.atomic
def approve_licence(licence: Licence, *, actor: Actor, now: datetime) -> Licence:
    """Give one of the two approvals. The second one, by another person, makes the licence count.

    :raises LicenceRefusal: if the actor does not hold the claim, or a field is unchecked or does not match
    """
    licence = _claimed(licence, actor, now)
    matching = licence.checks.filter(checked_by_id=actor.user_id, matches=True)
    if missing := rules.missing_checks(matching.values_list("field", flat=True)):
        raise LicenceRefusal(
            _("Check every field first. Missing or not matching: %(fields)s.")
            % {"fields": ", ".join(missing)},
            code="licence_unchecked",
        )
    if licence.valid_until < now.date():
        raise LicenceRefusal(
            _("This licence has ended. Refuse it, and say so."), code="licence_expired"
        )
    LicenceApproval.objects.create(licence=licence, approved_by_id=_person(actor), approved_at=now)
    approvals = licence.approvals.count()
    _drop_claim(licence)
    changed = ["status", "claimed_by", "claimed_until"]
    if approvals < rules.APPROVALS_NEEDED:
        licence.enter(Status.SUBMITTED)
        licence.save(update_fields=changed)
        record(LicenceApproved(licence_id=licence.pk, approvals=approvals), by=actor, at=now)
        return licence
    licence.enter(Status.VERIFIED)
    licence.verified_at = now
    licence.save(update_fields=[*changed, "verified_at"])
    # whoever holds a verified licence is a registered business: two people have seen the paper
    Organisation.objects.filter(
        pk=licence.organisation_id, tier__lt=Organisation.Tier.BUSINESS
    ).update(tier=Organisation.Tier.BUSINESS)
    record(LicenceVerified(licence_id=licence.pk), by=actor, at=now)
    return licence


@transaction.atomic
def refuse_licence(licence: Licence, *, actor: Actor, reason: str, now: datetime) -> Licence:
    """Refuse a claimed licence for good. The applicant reads the reason.

    :raises LicenceRefusal: if the actor does not hold the claim, or gives no reason
    """
    licence = _claimed(licence, actor, now)
    licence.enter(Status.REFUSED)
    licence.reason = _reason(reason)
    _drop_claim(licence)
    licence.save(update_fields=["status", "reason", "claimed_by", "claimed_until"])
    record(LicenceRefused(licence_id=licence.pk), by=actor, at=now)
    return licence


@transaction.atomic
def ask_for_info(licence: Licence, *, actor: Actor, reason: str, now: datetime) -> Licence:
    """Give a claimed licence back to the applicant, who reads what is missing and submits it again.

    :raises LicenceRefusal: if the actor does not hold the claim, or does not say what is missing
    """
    licence = _claimed(licence, actor, now)
    licence.enter(Status.NEEDS_INFO)
    licence.reason = _reason(reason)
    _drop_claim(licence)
    licence.save(update_fields=["status", "reason", "claimed_by", "claimed_until"])
    record(LicenceNeedsInfo(licence_id=licence.pk), by=actor, at=now)
    return licence


@transaction.atomic
def suspend_licence(licence: Licence, *, actor: Actor, reason: str, now: datetime) -> Licence:
    """Stop a verified licence from counting, until it is reinstated. The holder reads the reason.

    :raises LicenceRefusal: if no reason is given, or the actor belongs to the holder
    :raises AlreadyMovedOn: if it is not verified
    """
    actor.require(Capability.LICENCE_VERIFY)
    licence = Licence.objects.lock(licence)
    _refuse_relatives(licence, actor)
    licence.enter(Status.SUSPENDED)
    licence.reason = _reason(reason)
    licence.save(update_fields=["status", "reason"])
    record(LicenceSuspended(licence_id=licence.pk), by=actor, at=now)
    return licence


@transaction.atomic
def reinstate_licence(licence: Licence, *, actor: Actor, now: datetime) -> Licence:
    """Let a suspended licence count again.

    :raises LicenceRefusal: if the actor belongs to the holder
    :raises AlreadyMovedOn: if it is not suspended
    """
    actor.require(Capability.LICENCE_VERIFY)
    licence = Licence.objects.lock(licence)
    _refuse_relatives(licence, actor)
    if licence.status != Status.SUSPENDED:  # an arrow from CHECKING leads there too, with approvals
        raise LicenceRefusal(
            _("Only a suspended licence can be reinstated. Reload the page."),
            code="licence_not_suspended",
        )
    licence.enter(Status.VERIFIED)
    licence.reason = ""
    licence.save(update_fields=["status", "reason"])
    record(LicenceReinstated(licence_id=licence.pk), by=actor, at=now)
    return licence


def expire_licences(*, now: datetime) -> int:
    """Mark what has lapsed, one transaction a licence, and return how many. Safe to run late, twice, beside itself."""
    lapsed = Licence.objects.filter(
        status__in=[Status.VERIFIED, Status.SUSPENDED], valid_until__lt=now.date()
    ).order_by("pk")
    return sum(_expire(licence, now=now) for licence in lapsed)


@transaction.atomic
def _expire(licence: Licence, *, now: datetime) -> bool:
    licence = Licence.objects.lock(licence)
    if licence.status not in (Status.VERIFIED, Status.SUSPENDED):
        return False
    # a suspended one must not gain a grace period by lapsing
    if licence.status == Status.SUSPENDED:
        licence.finish_until = licence.valid_until
    licence.enter(Status.EXPIRED)
    licence.save(update_fields=["status", "finish_until"])
    record(LicenceExpired(licence_id=licence.pk), by=SYSTEM, at=now)
    return True


def _claimed(licence: Licence, actor: Actor, now: datetime) -> Licence:
    actor.require(Capability.LICENCE_VERIFY)
    licence = Licence.objects.lock(licence)
    _refuse_relatives(licence, actor)
    if (
        licence.status != Status.CHECKING
        or licence.claimed_by_id != actor.user_id
        or not _is_held(licence, now)
    ):
        raise LicenceRefusal(
            _("You do not hold this licence any more. Claim it, then go on."),
            code="licence_not_claimed",
        )
    return licence


def _is_held(licence: Licence, now: datetime) -> bool:
    return licence.claimed_until is not None and now < licence.claimed_until


def _drop_claim(licence: Licence) -> None:
    licence.claimed_by, licence.claimed_until = None, None


def _refuse_relatives(licence: Licence, actor: Actor) -> None:
    if is_related(actor.user_id, licence.organisation):
        raise LicenceRefusal(
            _("You belong to this organisation or its owner. Somebody else has to check it."),
            code="licence_own_group",
        )


def _person(actor: Actor) -> int:
    if actor.user_id is None:  # only people approve
        raise PermissionDenied
    return actor.user_id


def _reason(reason: str) -> str:
    if not reason.strip():
        raise LicenceRefusal(
            _("Say why: the applicant reads it."), code="licence_reason_missing", field="reason"
        )
    return reason.strip()[:2000]
