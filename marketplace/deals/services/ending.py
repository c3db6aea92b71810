"""How the money of a deal ends: paid to the seller, given back to the buyer, or a part each."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.deals import rules
from marketplace.deals.events import DealReturned, DealSettled
from marketplace.deals.models import Deal, Weighing
from marketplace.journal.services import record
from marketplace.ledger import services as ledger
from marketplace.lots import services as lots


def purpose_of(deal: Deal) -> str:
    """Return what money and kilograms of a deal are kept under."""
    return f"deal:{deal.pk}"


def scales_of(deal: Deal) -> rules.Scales:
    """Return what the scales said so far."""
    nets = {w.stage: w.net_kg for w in Weighing.objects.filter(deal=deal)}
    return rules.Scales(
        pickup_kg=nets.get(Weighing.Stage.PICKUP),
        delivery_kg=nets.get(Weighing.Stage.DELIVERY),
        third_kg=nets.get(Weighing.Stage.THIRD),
    )


@transaction.atomic
def settle(deal: Deal, *, now: datetime, by: Actor = SYSTEM) -> Deal:
    """Pay the seller what was accepted, less the fee; what is left goes back to the buyer. Once.

    Accepting calls it in the same transaction.

    :raises AlreadyMovedOn: if nothing has been accepted yet
    """
    deal = Deal.objects.lock(deal)
    if deal.status in (Deal.Status.SETTLED, Deal.Status.PROCESSED, Deal.Status.CERTIFIED):
        return deal
    deal.enter(Deal.Status.SETTLED)
    if deal.final_price is None:
        raise LookupError(f"Deal {deal.pk} was accepted without a price.")
    pay(deal, due=deal.final_price, now=now)
    deal.settled_at = now
    deal.save(update_fields=["status", "settled_at", "paid_out"])
    record(_settled(deal), by=by, at=now)
    return deal


def _settled(deal: Deal) -> DealSettled:
    return DealSettled(
        deal_id=deal.pk,
        lot_id=deal.lot_id,
        seller_id=deal.seller_id,
        buyer_id=deal.buyer_id,
        accepted_kg=str(deal.accepted_kg),
        price=str(deal.final_price),
        currency=deal.currency,
        offered_at=deal.award.offered_at.isoformat(),
    )


def end_returned(deal: Deal, *, by: Actor, now: datetime, due: Decimal = Decimal(0)) -> Deal:
    """The rejected, locked deal is over: the goods are back, the buyer gets back what is not due to the seller."""
    deal.enter(Deal.Status.RETURNED)
    deal.decide_by = None
    pay(deal, due=max(due, deal.paid_out), now=now)
    deal.save(update_fields=["status", "decide_by", "paid_out"])
    accounts.release_mass(purpose=purpose_of(deal), now=now)
    lots.mark_returned(deal.lot, by=by, now=now)
    record(DealReturned(deal_id=deal.pk), by=by, at=now)
    return deal


def pay(deal: Deal, *, due: Decimal, now: datetime) -> None:
    """Pay the seller up to ``due`` in all out of what is held, and give the rest back. Does not save the deal."""
    purpose = purpose_of(deal)
    amount = due - deal.paid_out
    if amount > 0:
        ledger.settle(
            organisation=deal.buyer_id,
            to=deal.seller_id,
            amount=amount,
            fee=fee_of(deal, amount),
            currency=deal.currency,
            purpose=purpose,
            key=f"{purpose}:settle",
            now=now,
        )
    else:
        give_back(deal, now=now)
    deal.paid_out = due


def pay_undisputed(deal: Deal, *, due: Decimal, key: str, now: datetime) -> None:
    """Pay what nobody contests, and keep the rest held. Saves the deal."""
    purpose = purpose_of(deal)
    amount = due - deal.paid_out
    if amount <= 0:
        return
    ledger.settle(
        organisation=deal.buyer_id,
        to=deal.seller_id,
        amount=amount,
        fee=fee_of(deal, amount),
        currency=deal.currency,
        purpose=purpose,
        key=f"{purpose}:{key}",
        now=now,
        refund_rest=False,
    )
    deal.paid_out = due
    deal.save(update_fields=["paid_out"])


def fee_of(deal: Deal, amount: Decimal) -> Decimal:
    return rules.fee(
        amount,
        share=Decimal(deal.terms["fee_share"]),
        currency=deal.currency,
        paid_before=deal.paid_out,
    )


def give_back(deal: Deal, *, now: datetime) -> None:
    """Give the buyer back all that is still held, and the licence its kilograms if the deal has ended without goods."""
    purpose = purpose_of(deal)
    held = ledger.held_for(organisation=deal.buyer_id, purpose=purpose, currency=deal.currency)
    if held > 0:
        ledger.refund(
            organisation=deal.buyer_id,
            currency=deal.currency,
            purpose=purpose,
            key=f"{purpose}:refund",
            now=now,
        )
    if deal.accepted_kg is None:
        accounts.release_mass(purpose=purpose, now=now)
