"""What pages ask about deals: whose turn it is, and what for."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q

from marketplace.accounts.actors import Actor
from marketplace.deals import rules
from marketplace.deals.models import (
    Assay,
    Deal,
    DealQuerySet,
    Dispute,
    Party,
    Reckoning,
    Weighing,
)
from marketplace.ledger.queries import held_for

SELLER, BUYER, CARRIER, JUDGE = "seller", "buyer", "carrier", "judge"
STEPS = 6
_STEP = {
    Deal.Status.CONTRACT_PENDING: 0,
    Deal.Status.FUNDS_PENDING: 1,
    Deal.Status.FUNDED: 2,
    Deal.Status.CARRIER_BOOKED: 3,
    Deal.Status.PICKED_UP: 4,
    Deal.Status.INSPECTION: 5,
    Deal.Status.ADJUSTED: 5,
    Deal.Status.ACCEPTED: 5,
    Deal.Status.PART_ACCEPTED: 5,
    Deal.Status.REJECTED: 5,
}


def side_of(deal: Deal, actor: Actor) -> str:
    """Return on which side of a deal somebody stands: seller, buyer, carrier, or judge for everybody else."""
    sides = {deal.carrier_id: CARRIER, deal.buyer_id: BUYER, deal.seller_id: SELLER}
    return sides.get(actor.organisation_id or 0, JUDGE)


def steps_done(deal: Deal) -> int:
    """Return how many of the six steps are done: contract, money, carrier, pick-up, delivery, payment."""
    return _STEP.get(Deal.Status(deal.status), STEPS)


def mine_first(rows: DealQuerySet, actor: Actor) -> DealQuerySet:
    """Say of each deal in ``waits`` whether it is the actor's turn."""
    status = Deal.Status
    sells, buys = Q(seller_id=actor.organisation_id), Q(buyer_id=actor.organisation_id)
    disputed = Exists(Dispute.objects.filter(deal=OuterRef("pk"), ended_at=None))
    sent = Exists(Assay.objects.filter(deal=OuterRef("pk"), sent_for_id=actor.organisation_id or 0))
    turn = (
        Q(sells, status=status.CONTRACT_PENDING, seller_signed_at=None)
        | Q(buys, status=status.CONTRACT_PENDING, buyer_signed_at=None)
        | Q(
            buys,
            status__in=[
                status.FUNDS_PENDING,
                status.FUNDED,
                status.PICKED_UP,
                status.INSPECTION,
                status.SETTLED,
            ],
        )
        | Q(sells, status__in=[status.CARRIER_BOOKED, status.ADJUSTED, status.REJECTED])
        | Q(disputed)
        | Q(~sent, reckoning__status=Reckoning.Status.ASSAYS)
        | Q(reckoning__status=Reckoning.Status.DIFFER)
    )
    return rows.annotate(waits=ExpressionWrapper(turn, output_field=BooleanField()))


@dataclass(frozen=True, slots=True)
class Scale:
    """One column of the weights: which scale, and what it said."""

    stage: str
    label: str
    weighing: Weighing | None
    net_kg: Decimal


def scales(deal: Deal) -> list[Scale]:
    """Return what was declared and what each scale said, side by side."""
    by_stage = {row.stage: row for row in deal.weighings.all()}
    shown = [Scale("DECLARED", "", None, deal.declared_kg)]
    return shown + [
        Scale(stage, str(label), by_stage[stage], by_stage[stage].net_kg)
        for stage, label in Weighing.Stage.choices
        if stage in by_stage
    ]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far the deciding scale is from what was declared."""

    weighed_kg: Decimal
    share: Decimal
    is_within: bool
    price: Decimal


def difference(deal: Deal) -> Difference | None:
    """Return how the delivery's scale compares with the declared mass, and what is due by it; none before it."""
    weighed = next(
        (row for row in deal.weighings.all() if row.stage == Weighing.Stage.DELIVERY), None
    )
    if weighed is None:
        return None
    return Difference(
        weighed.net_kg,
        rules.difference_share(deal.declared_kg, weighed.net_kg),
        rules.is_within(deal.declared_kg, weighed.net_kg, deal.tolerance_share),
        rules.price_at_the_scale(
            deal.price,
            declared_kg=deal.declared_kg,
            weighed_kg=weighed.net_kg,
            tolerance_share=deal.tolerance_share,
            currency=deal.currency,
        ),
    )


def held(deal: Deal) -> Decimal:
    """Return how much of the buyer's money is held for the deal now."""
    return held_for(organisation=deal.buyer_id, purpose=f"deal:{deal.pk}", currency=deal.currency)


def turn(
    deal: Deal, side: str, *, dispute: Dispute | None = None, has_offers: bool = False
) -> tuple[str, bool]:
    """Return what happens next, and whether it is this side that has to do it.

    One of: sign, fund, offers, carrier, hand_over, take_over, weigh, accept, adjust, agree, return, report, proposal,
    verdict, done, ended; of a deal by terms also assays, differ, umpire, quotes.
    """
    status = Deal.Status
    if dispute is not None:
        if dispute.status == Dispute.Status.PROPOSED:
            agreed = {SELLER: dispute.agreed_by_seller, BUYER: dispute.agreed_by_buyer}
            return "proposal", agreed.get(side) is False
        return "verdict", side == JUDGE
    if deal.status == status.CONTRACT_PENDING:
        signed = {SELLER: deal.seller_signed_at, BUYER: deal.buyer_signed_at}
        return "sign", side in signed and signed[side] is None
    if deal.status in (status.ACCEPTED, status.PART_ACCEPTED):
        return _reckoned_next(deal, side)
    if deal.status == status.INSPECTION:
        differs = difference(deal)
        if differs is None:
            return "weigh", side == BUYER
        return ("accept" if differs.is_within else "adjust"), side == BUYER
    whose: dict[str, tuple[str, str]] = {
        status.FUNDS_PENDING: ("fund", BUYER),
        status.FUNDED: ("carrier" if has_offers else "offers", BUYER),
        status.CARRIER_BOOKED: ("hand_over", SELLER),
        status.PICKED_UP: ("take_over", BUYER),
        status.ADJUSTED: ("agree", SELLER),
        status.REJECTED: ("return", SELLER),
        status.SETTLED: ("report", BUYER),
        status.PROCESSED: ("done", ""),
        status.CERTIFIED: ("done", ""),
    }
    code, who = whose.get(deal.status, ("ended", ""))
    return code, side == who


def assays_sent(deal: Deal) -> set[str]:
    """Return who has sent an assay: that is no secret, what it says is."""
    return {assay.party for assay in deal.assays.all()}


def _reckoned_next(deal: Deal, side: str) -> tuple[str, bool]:
    """Return what an accepted deal waits for until its price is worked out."""
    status, waits_for = Reckoning.Status, deal.reckoning.status
    if waits_for == status.ASSAYS:
        party = {SELLER: Party.SELLER, BUYER: Party.BUYER}.get(side)
        return "assays", party is not None and party not in assays_sent(deal)
    if waits_for == status.DIFFER:
        return "differ", side in (SELLER, BUYER)
    if waits_for == status.UMPIRE:
        return "umpire", side == JUDGE
    return "quotes", False


def deadline(deal: Deal) -> datetime | None:
    """Return until when the next step has to be done, where the contract sets a time."""
    status = Deal.Status
    if deal.status == status.CONTRACT_PENDING:
        return deal.sign_by
    if deal.status == status.FUNDS_PENDING:
        return deal.pay_by
    return deal.decide_by
