"""Take a fraudulent or mistaken deal out of the price index: two people, a public reason, an open correction."""

from datetime import datetime
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.journal.services import record
from marketplace.pricing.events import DealTakenOut, ExclusionProposed, ExclusionRefused
from marketplace.pricing.models import Exclusion, SettledPrice

from .index import revise_index


class ExclusionNotAllowed(Refused):
    code = "exclusion_refused"


@transaction.atomic
def propose_exclusion(
    settled: SettledPrice,
    *,
    actor: Actor,
    cause: str,
    reason: str,
    request_id: UUID,
    now: datetime,
) -> Exclusion:
    """Propose that a deal no longer counts. It counts until another person has confirmed that. For staff.

    Asking again with the same ``request_id`` returns the same proposal.

    :param reason: public; names neither party nor price
    :raises PermissionDenied: if the actor is no member of staff
    :raises ExclusionNotAllowed: without a reason, if the actor belongs to one of the two who traded, or if it waits or
        is out already
    """
    keeper = _keeper(actor)
    lock_word(f"exclusion:{keeper}:{request_id}")
    if repeated := Exclusion.objects.filter(proposed_by=keeper, request_id=request_id).first():
        return repeated
    lock_word(f"exclusion-of:{settled.pk}")
    _refuse_parties(settled, actor)
    if cause not in Exclusion.Cause:
        raise ExclusionNotAllowed(_("Choose what was wrong with the deal."), field="cause")
    if not reason.strip():
        raise ExclusionNotAllowed(_("Say why, in words that everybody may read."), field="reason")
    standing = settled.exclusions.exclude(status=Exclusion.Status.REFUSED)
    if standing.exists():
        raise ExclusionNotAllowed(
            _("This deal waits for a decision, or is out already."), code="exclusion_stands"
        )
    exclusion = Exclusion.objects.create(
        settled=settled,
        cause=cause,
        reason=reason.strip()[:300],
        proposed_by=keeper,
        proposed_at=now,
        request_id=request_id,
    )
    event = ExclusionProposed(exclusion_id=exclusion.pk, deal_id=settled.deal_id)
    record(event, by=actor, at=now)
    return exclusion


@transaction.atomic
def confirm_exclusion(exclusion: Exclusion, *, actor: Actor, now: datetime) -> Exclusion:
    """Take the deal out, and correct every published day that it counted in. For another person than the first.

    :raises PermissionDenied: if the actor is no member of staff
    :raises ExclusionNotAllowed: if it is the actor's own, or the actor belongs to one of the two who traded
    :raises AlreadyMovedOn: if it was decided before
    """
    keeper, exclusion = _decide(exclusion, actor, Exclusion.Status.CONFIRMED)
    exclusion.decided_by, exclusion.decided_at = keeper, now
    exclusion.save(update_fields=["status", "decided_by", "decided_at"])
    settled = exclusion.settled
    revised = revise_index(settled, said=exclusion.reason, now=now)
    event = DealTakenOut(
        exclusion_id=exclusion.pk,
        deal_id=settled.deal_id,
        lot_id=settled.lot_id,
        seller_id=settled.seller_id,
        buyer_id=settled.buyer_id,
        reason=exclusion.reason,
        revisions=len(revised),
    )
    record(event, by=actor, at=now)
    return exclusion


@transaction.atomic
def refuse_exclusion(
    exclusion: Exclusion, *, actor: Actor, reason: str, now: datetime
) -> Exclusion:
    """Let the deal count on. For another person than the one who proposed to take it out.

    :raises PermissionDenied: if the actor is no member of staff
    :raises ExclusionNotAllowed: if it is the actor's own, or no reason is given
    :raises AlreadyMovedOn: if it was decided before
    """
    keeper, exclusion = _decide(exclusion, actor, Exclusion.Status.REFUSED)
    if not reason.strip():
        raise ExclusionNotAllowed(_("Say why it still counts."), field="reason")
    exclusion.decided_by, exclusion.decided_at = keeper, now
    exclusion.refusal = reason.strip()[:300]
    exclusion.save(update_fields=["status", "decided_by", "decided_at", "refusal"])
    record(ExclusionRefused(exclusion_id=exclusion.pk), by=actor, at=now)
    return exclusion


def _keeper(actor: Actor) -> int:
    if not actor.sees_everything or actor.user_id is None:
        raise PermissionDenied
    return actor.user_id


def _decide(exclusion: Exclusion, actor: Actor, status: str) -> tuple[int, Exclusion]:
    keeper = _keeper(actor)
    exclusion = Exclusion.objects.lock(exclusion)
    exclusion.enter(status)
    if exclusion.proposed_by == keeper:
        raise ExclusionNotAllowed(
            _("You proposed this yourself. Ask another person to look at it."), code="own_exclusion"
        )
    _refuse_parties(exclusion.settled, actor)
    return keeper, exclusion


def _refuse_parties(settled: SettledPrice, actor: Actor) -> None:
    if actor.organisation_id in (settled.seller_id, settled.buyer_id):
        raise ExclusionNotAllowed(
            _("You belong to one of the two who traded. Leave it to others."), code="own_deal"
        )
