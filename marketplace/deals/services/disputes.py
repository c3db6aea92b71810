"""One path for who does not agree: what nobody contests is paid, a rule proposes, both agree, or a verifier decides."""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.errors import Refused
from marketplace.core.money import payable
from marketplace.core.quantities import to_the_gram
from marketplace.deals import rules
from marketplace.deals.events import DisputeEnded, DisputeOpened
from marketplace.deals.models import Deal, Dispute
from marketplace.journal.services import record
from marketplace.lots import services as lots

from .accepting import end_accepted
from .ending import end_returned, pay_undisputed, scales_of

LONGEST_TEXT = 2000


class DisputeRefused(Refused):
    code = "dispute_refused"


@transaction.atomic
def open_dispute(deal: Deal, *, actor: Actor, about: str, statement: str, now: datetime) -> Dispute:
    """Say that one does not agree, and about what. What nobody contests is paid; the rest stays held.

    The rule makes its proposal at once; where only a person can say, it goes to a verifier. While a dispute is
    open, opening it again returns it.

    :param about: a ``Dispute.About``
    :raises PermissionDenied: if the actor is of neither side
    :raises DisputeRefused: if it is not the time, the scales agree within the tolerance, or nothing is said
    """
    opened_by = _party(deal, actor)
    deal = Deal.objects.lock(deal)
    if running := Dispute.objects.filter(deal=deal, ended_at=None).first():
        return running
    if deal.status not in (Deal.Status.INSPECTION, Deal.Status.ADJUSTED, Deal.Status.REJECTED):
        raise DisputeRefused(
            _("A dispute can be opened from the arrival of the goods until they are accepted.")
        )
    if about not in Dispute.About.values:
        raise DisputeRefused(_("Choose what is wrong."), field="about")
    if not 0 < len(statement.strip()) <= LONGEST_TEXT:
        raise DisputeRefused(_("Say in a few words what is wrong."), field="statement")
    scales = scales_of(deal)
    if about == Dispute.About.WEIGHT and deal.status != Deal.Status.REJECTED:
        _scales_disagree(deal, scales)

    undisputed = Decimal(0)
    if deal.status != Deal.Status.REJECTED and not deal.is_by_terms:
        # what terms come to is not known yet: it may be less than any part of the provisional price
        undisputed = rules.undisputed_price(
            about,
            price=deal.price,
            declared_kg=deal.declared_kg,
            scales=scales,
            currency=deal.currency,
        )
    dispute = Dispute.objects.create(
        deal=deal,
        about=about,
        opened_by_id=opened_by,
        statement=statement.strip(),
        undisputed_price=undisputed,
        opened_at=now,
    )
    pay_undisputed(deal, due=undisputed, key=f"undisputed:{dispute.pk}", now=now)
    record(DisputeOpened(deal_id=deal.pk, dispute_id=dispute.pk), by=actor, at=now)
    return propose(dispute, now=now)


def _scales_disagree(deal: Deal, scales: rules.Scales) -> None:
    known = scales.known()
    if scales.delivery_kg is None:
        raise DisputeRefused(_("Weigh what arrived first. Then say what is wrong."), field="about")
    if all(rules.is_within(deal.declared_kg, kg, deal.tolerance_share) for kg in known):
        raise DisputeRefused(
            _("The scales agree within what you both signed. There is nothing to settle."),
            field="about",
        )


@transaction.atomic
def propose(dispute: Dispute, *, now: datetime) -> Dispute:
    """Let the rule propose how the dispute could end, or hand it to a verifier where it cannot know."""
    deal = Deal.objects.lock(dispute.deal)
    dispute = Dispute.objects.lock(dispute)
    if dispute.status != Dispute.Status.OPEN:
        return dispute
    offer = _proposal(deal, dispute)
    if offer is None:
        dispute.enter(Dispute.Status.ESCALATED)
        dispute.save(update_fields=["status"])
        return dispute
    dispute.enter(Dispute.Status.PROPOSED)
    dispute.proposed_kg, dispute.proposed_price = offer.accepted_kg, offer.price
    dispute.save(update_fields=["status", "proposed_kg", "proposed_price"])
    return dispute


def propose_anew(deal: Deal, *, now: datetime) -> None:
    """A third scale has spoken: the locked deal's proposal follows it, and both sides look at it again."""
    for dispute in Dispute.objects.filter(deal=deal, status=Dispute.Status.PROPOSED):
        offer = _proposal(deal, dispute)
        if offer is not None:
            dispute.proposed_kg, dispute.proposed_price = offer.accepted_kg, offer.price
            dispute.agreed_by_seller = dispute.agreed_by_buyer = False
            dispute.save(
                update_fields=[
                    "proposed_kg",
                    "proposed_price",
                    "agreed_by_seller",
                    "agreed_by_buyer",
                ]
            )


def _proposal(deal: Deal, dispute: Dispute) -> rules.Proposal | None:
    if deal.status == Deal.Status.REJECTED:
        return None
    offer = rules.proposal(
        dispute.about,
        price=deal.price,
        declared_kg=deal.declared_kg,
        scales=scales_of(deal),
        tolerance_share=deal.tolerance_share,
        damaged_share=Decimal(deal.terms["damaged_share"]),
        currency=deal.currency,
    )
    if offer is None:
        return None
    return rules.Proposal(offer.accepted_kg, max(offer.price, deal.paid_out))


@transaction.atomic
def agree_dispute(dispute: Dispute, *, actor: Actor, now: datetime) -> Dispute:
    """Agree to the proposal. Once both sides have, it is carried out. Agreeing again changes nothing.

    :raises PermissionDenied: if the actor is of neither side
    :raises DisputeRefused: if nothing is proposed
    """
    party = _party(dispute.deal, actor)
    deal = Deal.objects.lock(dispute.deal)
    dispute = Dispute.objects.lock(dispute)
    if dispute.status == Dispute.Status.AGREED:
        return dispute
    if dispute.status != Dispute.Status.PROPOSED or dispute.proposed_kg is None:
        raise DisputeRefused(_("There is no proposal to agree to. Reload the page."))
    if party == deal.seller_id:
        dispute.agreed_by_seller = True
    else:
        dispute.agreed_by_buyer = True
    if not (dispute.agreed_by_seller and dispute.agreed_by_buyer):
        dispute.save(update_fields=["agreed_by_seller", "agreed_by_buyer"])
        return dispute
    dispute.enter(Dispute.Status.AGREED)
    dispute.ended_at = now
    dispute.save(update_fields=["agreed_by_seller", "agreed_by_buyer", "status", "ended_at"])
    record(DisputeEnded(deal_id=deal.pk, dispute_id=dispute.pk), by=actor, at=now)
    end_accepted(
        deal,
        status=Deal.Status.ACCEPTED,
        accepted_kg=dispute.proposed_kg,
        price=dispute.proposed_price or Decimal(0),
        by=actor,
        now=now,
        price_stands=dispute.about != Dispute.About.WEIGHT,
    )
    return dispute


@transaction.atomic
def escalate(dispute: Dispute, *, actor: Actor, now: datetime) -> Dispute:
    """Refuse the proposal and ask a verifier to decide. Asking again changes nothing.

    :raises PermissionDenied: if the actor is of neither side
    :raises DisputeRefused: if it has ended
    """
    _party(dispute.deal, actor)
    Deal.objects.lock(dispute.deal)
    dispute = Dispute.objects.lock(dispute)
    if dispute.status == Dispute.Status.ESCALATED:
        return dispute
    if dispute.ended_at is not None:
        raise DisputeRefused(_("This dispute has ended. Reload the page to see how."))
    dispute.enter(Dispute.Status.ESCALATED)
    dispute.save(update_fields=["status"])
    return dispute


@transaction.atomic
def decide_dispute(
    dispute: Dispute,
    *,
    actor: Actor,
    accepted_kg: Decimal,
    price: Decimal,
    decision: str,
    now: datetime,
) -> Dispute:
    """Decide a dispute by parts: so many kilograms are accepted, so much is paid, the rest of the money goes back.

    With 0 kg the goods go back to the seller.

    :raises PermissionDenied: if the actor is no verifier, or belongs to one of the two sides
    :raises DisputeRefused: if it is not with a verifier, or mass, price or reason makes no sense
    """
    actor.require(Capability.DISPUTE_DECIDE)
    deal = Deal.objects.lock(dispute.deal)
    if deal.seller.related_to(actor) or deal.buyer.related_to(actor):
        raise PermissionDenied
    dispute = Dispute.objects.lock(dispute)
    if dispute.status != Dispute.Status.ESCALATED:
        raise DisputeRefused(_("This dispute is not waiting for a verifier. Reload the page."))
    _sensible_decision(deal, accepted_kg, price, decision)

    dispute.enter(Dispute.Status.DECIDED)
    dispute.decision, dispute.decided_by_id, dispute.ended_at = (
        decision.strip(),
        actor.user_id,
        now,
    )
    dispute.proposed_kg, dispute.proposed_price = accepted_kg or None, price
    dispute.save(
        update_fields=[
            "status",
            "decision",
            "decided_by",
            "ended_at",
            "proposed_kg",
            "proposed_price",
        ]
    )
    record(DisputeEnded(deal_id=deal.pk, dispute_id=dispute.pk), by=actor, at=now)
    _carry_out(deal, dispute, accepted_kg=to_the_gram(accepted_kg), price=price, by=actor, now=now)
    return dispute


def _sensible_decision(deal: Deal, accepted_kg: Decimal, price: Decimal, decision: str) -> None:
    weighed = scales_of(deal).known() or [deal.declared_kg]
    most_kg = max(*weighed, deal.declared_kg)
    if not accepted_kg.is_finite() or not 0 <= accepted_kg <= most_kg:
        raise DisputeRefused(
            _("Enter 0 kg or more, and not more than any scale showed."), field="accepted_kg"
        )
    if deal.status == Deal.Status.REJECTED and accepted_kg != 0:
        raise DisputeRefused(
            _("These goods were rejected and go back: enter 0 kg."), field="accepted_kg"
        )
    if not price.is_finite() or not deal.paid_out <= price <= deal.to_hold:
        raise DisputeRefused(
            _("Enter an amount from what was paid already up to what is held."), field="price"
        )
    if price != payable(price, deal.currency):
        raise DisputeRefused(_("Enter an amount that can be paid."), field="price")
    if not 0 < len(decision.strip()) <= LONGEST_TEXT:
        raise DisputeRefused(_("Give the reason. Both sides read it."), field="decision")


def _carry_out(
    deal: Deal, dispute: Dispute, *, accepted_kg: Decimal, price: Decimal, by: Actor, now: datetime
) -> None:
    if accepted_kg > 0:
        is_all = rules.is_within(deal.declared_kg, accepted_kg, deal.tolerance_share)
        deal.reason_code = deal.reason_code or REASON_OF[Dispute.About(dispute.about)]
        end_accepted(
            deal,
            status=Deal.Status.ACCEPTED if is_all else Deal.Status.PART_ACCEPTED,
            accepted_kg=accepted_kg,
            price=price,
            by=by,
            now=now,
            price_stands=True,
        )
        return
    if deal.status != Deal.Status.REJECTED:
        deal.enter(Deal.Status.REJECTED)
        deal.reason_code = REASON_OF[Dispute.About(dispute.about)]
        deal.save(update_fields=["status", "reason_code"])
        lots.mark_rejected(deal.lot, by=by, now=now)
    end_returned(deal, by=SYSTEM, now=now, due=price)


REASON_OF = {
    Dispute.About.WEIGHT: Deal.ReasonCode.WEIGHT,
    Dispute.About.CHEMISTRY: Deal.ReasonCode.WRONG_CHEMISTRY,
    Dispute.About.DAMAGE: Deal.ReasonCode.DAMAGED,
}


def _party(deal: Deal, actor: Actor) -> int:
    if actor.organisation_id == deal.seller_id:
        return actor.require(Capability.DEAL_SELL, of=deal.seller_id)
    return actor.require(Capability.DEAL_BUY, of=deal.buyer_id)
