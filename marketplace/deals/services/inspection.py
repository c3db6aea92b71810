"""What the buyer says once the goods are there, and what the seller says to that."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.errors import Refused
from marketplace.core.quantities import to_the_gram
from marketplace.deals import rules
from marketplace.deals.events import DealAdjusted, DealRejected
from marketplace.deals.models import Deal, Dispute
from marketplace.journal.services import record
from marketplace.lots import services as lots

from .accepting import end_accepted
from .ending import end_returned, scales_of

ENDED_WELL = (
    Deal.Status.ACCEPTED,
    Deal.Status.PART_ACCEPTED,
    Deal.Status.SETTLED,
    Deal.Status.PROCESSED,
    Deal.Status.CERTIFIED,
)


class InspectionRefused(Refused):
    code = "inspection_refused"


class OutsideTolerance(InspectionRefused):
    code = "outside_tolerance"


@transaction.atomic
def accept(deal: Deal, *, actor: Actor, now: datetime) -> Deal:
    """Keep the goods as they were weighed; the seller is paid at once. Accepting again changes nothing.

    :raises PermissionDenied: if the actor is not of the buyer
    :raises OutsideTolerance: if the scales differ by more than the contract allows
    :raises InspectionRefused: if the goods are not there, not weighed, or disputed
    """
    actor.require(Capability.DEAL_BUY, of=deal.buyer_id)
    deal = Deal.objects.lock(deal)
    if deal.status in ENDED_WELL:
        return deal
    weighed_kg = _weighed(deal)
    if not rules.is_within(deal.declared_kg, weighed_kg, deal.tolerance_share):
        raise OutsideTolerance(
            _("The difference is more than you both agreed. Propose the corrected price instead.")
        )
    return end_accepted(
        deal,
        status=Deal.Status.ACCEPTED,
        accepted_kg=weighed_kg,
        price=deal.price,
        by=actor,
        now=now,
    )


@transaction.atomic
def propose_adjustment(deal: Deal, *, actor: Actor, now: datetime) -> Deal:
    """Propose the price that belongs to the weighed mass: price x weighed / declared. The seller answers.

    :raises PermissionDenied: if the actor is not of the buyer
    :raises InspectionRefused: if the goods are not there, not weighed, disputed, or within the tolerance
    """
    actor.require(Capability.DEAL_BUY, of=deal.buyer_id)
    deal = Deal.objects.lock(deal)
    if deal.status == Deal.Status.ADJUSTED:
        return deal
    weighed_kg = _weighed(deal)
    if rules.is_within(deal.declared_kg, weighed_kg, deal.tolerance_share):
        raise InspectionRefused(
            _("The difference is inside what you both agreed. Accept the delivery.")
        )
    return put_adjusted(deal, weighed_kg=weighed_kg, by=actor, now=now)


def put_adjusted(deal: Deal, *, weighed_kg: Decimal, by: Actor, now: datetime) -> Deal:
    """Put the corrected price of the locked deal to the seller."""
    deal.enter(Deal.Status.ADJUSTED)
    deal.proposed_kg = weighed_kg
    deal.proposed_price = rules.adjusted_price(
        deal.price,
        declared_kg=deal.declared_kg,
        accepted_kg=weighed_kg,
        currency=deal.currency,
    )
    deal.decide_by = now + timedelta(hours=deal.terms["answer_hours"])
    deal.save(update_fields=["status", "proposed_kg", "proposed_price", "decide_by"])
    record(DealAdjusted(deal_id=deal.pk), by=by, at=now)
    return deal


@transaction.atomic
def agree_adjustment(deal: Deal, *, actor: Actor, now: datetime) -> Deal:
    """Agree to the corrected price; it is paid at once. Agreeing again changes nothing.

    Who does not agree opens a dispute.

    :raises PermissionDenied: if the actor is not of the seller
    :raises InspectionRefused: if nothing was proposed, or it is disputed
    """
    actor.require(Capability.DEAL_SELL, of=deal.seller_id)
    deal = Deal.objects.lock(deal)
    if deal.status in ENDED_WELL:
        return deal
    if deal.status != Deal.Status.ADJUSTED or deal.proposed_kg is None:
        raise InspectionRefused(_("No correction has been proposed. Reload the page."))
    _not_disputed(deal)
    return end_accepted(
        deal,
        status=Deal.Status.ACCEPTED,
        accepted_kg=deal.proposed_kg,
        price=deal.proposed_price or Decimal(0),
        by=actor,
        now=now,
    )


@transaction.atomic
def part_accept(
    deal: Deal,
    *,
    actor: Actor,
    accepted_kg: Decimal,
    reason: str,
    now: datetime,
    note: str = "",
) -> Deal:
    """Keep so many kilograms and pay for them; the rest goes back to the seller, and its price to the buyer.

    :param reason: a ``Deal.ReasonCode``
    :raises PermissionDenied: if the actor is not of the buyer
    :raises InspectionRefused: if it is not the time, it is disputed, or the mass or reason makes no sense
    """
    actor.require(Capability.DEAL_BUY, of=deal.buyer_id)
    deal = Deal.objects.lock(deal)
    if deal.status == Deal.Status.SETTLED and deal.accepted_kg == accepted_kg:
        return deal
    weighed_kg = _weighed(deal)
    if not accepted_kg.is_finite() or not 0 < to_the_gram(accepted_kg) < weighed_kg:
        raise InspectionRefused(
            _("Enter more than 0 kg and less than the %(weighed)s kg that arrived.")
            % {"weighed": number_format(weighed_kg.normalize(), use_l10n=True)},
            field="accepted_kg",
        )
    _reasoned(deal, reason, note)
    kept_kg = to_the_gram(accepted_kg)
    price = rules.adjusted_price(
        deal.price, declared_kg=deal.declared_kg, accepted_kg=kept_kg, currency=deal.currency
    )
    return end_accepted(
        deal,
        status=Deal.Status.PART_ACCEPTED,
        accepted_kg=kept_kg,
        price=price,
        by=actor,
        now=now,
    )


@transaction.atomic
def reject(deal: Deal, *, actor: Actor, reason: str, now: datetime, note: str = "") -> Deal:
    """Keep nothing. The goods go back; the money stays held until the seller has them, or the contract's time is over.

    :param reason: a ``Deal.ReasonCode``
    :raises PermissionDenied: if the actor is not of the buyer
    :raises InspectionRefused: if it is not the time, it is disputed, or no reason is given
    """
    actor.require(Capability.DEAL_BUY, of=deal.buyer_id)
    deal = Deal.objects.lock(deal)
    if deal.status == Deal.Status.REJECTED:
        return deal
    _there(deal)
    _not_disputed(deal)
    _reasoned(deal, reason, note)
    deal.enter(Deal.Status.REJECTED)
    deal.decide_by = now + timedelta(days=deal.terms["return_days"])
    deal.save(update_fields=["status", "reason_code", "reason", "decide_by"])
    lots.mark_rejected(deal.lot, by=actor, now=now)
    record(DealRejected(deal_id=deal.pk), by=actor, at=now)
    return deal


@transaction.atomic
def confirm_return(deal: Deal, *, actor: Actor, now: datetime) -> Deal:
    """Confirm that the rejected goods are back; the buyer gets the money back. Confirming again changes nothing.

    :raises PermissionDenied: if the actor is not of the seller
    :raises InspectionRefused: if nothing was rejected, or it is disputed
    """
    actor.require(Capability.DEAL_SELL, of=deal.seller_id)
    deal = Deal.objects.lock(deal)
    if deal.status == Deal.Status.RETURNED:
        return deal
    if deal.status != Deal.Status.REJECTED:
        raise InspectionRefused(_("Nothing was rejected. Reload the page."))
    _not_disputed(deal)
    return end_returned(deal, by=actor, now=now)


def _weighed(deal: Deal) -> Decimal:
    _there(deal)
    _not_disputed(deal)
    weighed_kg = scales_of(deal).delivery_kg
    if weighed_kg is None:
        raise InspectionRefused(_("Weigh what arrived first. Then decide."))
    return weighed_kg


def _there(deal: Deal) -> None:
    if deal.status not in (Deal.Status.INSPECTION, Deal.Status.ADJUSTED):
        raise InspectionRefused(_("You decide once the goods have arrived, and only once."))


def _not_disputed(deal: Deal) -> None:
    if Dispute.objects.filter(deal=deal, ended_at=None).exists():
        raise InspectionRefused(_("A dispute is open. It decides how this deal ends."))


def _reasoned(deal: Deal, reason: str, note: str) -> None:
    if reason not in Deal.ReasonCode.values:
        raise InspectionRefused(_("Choose what is wrong."), field="reason")
    deal.reason_code, deal.reason = reason, note.strip()[:1000]
