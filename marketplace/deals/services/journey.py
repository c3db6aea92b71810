"""The goods on their way: what rooms above tell a deal, and what the scales say."""

import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.core.quantities import to_the_gram
from marketplace.core.uploads import CleanPhoto, Upload, clean_photo
from marketplace.deals.events import LotWeighed
from marketplace.deals.models import Deal, Dispute, Weighing
from marketplace.journal.services import record
from marketplace.lots import services as lots

from .disputes import propose_anew

MOST_KG = Decimal(100_000)


class WeighingRefused(Refused):
    code = "weighing_refused"


@transaction.atomic
def mark_carrier_booked(deal: Deal, *, carrier_id: int, by: Actor, now: datetime) -> Deal:
    """A carrier will fetch the goods."""
    deal = Deal.objects.lock(deal)
    deal.enter(Deal.Status.CARRIER_BOOKED)
    deal.carrier_id = carrier_id
    deal.save(update_fields=["status", "carrier"])
    return deal


@transaction.atomic
def mark_picked_up(deal: Deal, *, by: Actor, now: datetime) -> Deal:
    """The carrier has the goods.

    :raises WeighingRefused: if they were not weighed
    """
    deal = Deal.objects.lock(deal)
    if not Weighing.objects.filter(deal=deal, stage=Weighing.Stage.PICKUP).exists():
        raise WeighingRefused(_("Weigh the goods before they leave."))
    deal.enter(Deal.Status.PICKED_UP)
    deal.save(update_fields=["status"])
    lots.mark_collected(deal.lot, by=by, now=now)
    return deal


@transaction.atomic
def mark_arrived(deal: Deal, *, by: Actor, now: datetime) -> Deal:
    """The buyer has the goods, and so long to check them as the contract says."""
    deal = Deal.objects.lock(deal)
    deal.enter(Deal.Status.INSPECTION)
    deal.decide_by = now + timedelta(hours=deal.terms["inspect_hours"])
    deal.save(update_fields=["status", "decide_by"])
    lots.mark_delivered(deal.lot, by=by, now=now)
    return deal


@transaction.atomic
def mark_processed(deal: Deal, *, by: Actor, now: datetime) -> Deal:
    """The buyer has reported what became of it. A second batch changes nothing."""
    deal = Deal.objects.lock(deal)
    if deal.status in (Deal.Status.PROCESSED, Deal.Status.CERTIFIED):
        return deal
    deal.enter(Deal.Status.PROCESSED)
    deal.save(update_fields=["status"])
    lots.mark_processed(deal.lot, by=by, now=now)
    return deal


@transaction.atomic
def mark_certified(deal: Deal, *, by: Actor, now: datetime) -> Deal:
    """A certificate has been issued for it. A second one changes nothing."""
    deal = Deal.objects.lock(deal)
    if deal.status == Deal.Status.CERTIFIED:
        return deal
    deal.enter(Deal.Status.CERTIFIED)
    deal.save(update_fields=["status"])
    lots.mark_certified(deal.lot, by=by, now=now)
    return deal


def weigh(
    deal: Deal,
    *,
    actor: Actor,
    stage: str,
    gross_kg: Decimal,
    tare_kg: Decimal,
    request_id: UUID,
    now: datetime,
    photo: Upload | None = None,
) -> Weighing:
    """Write down what a scale said. Net is gross less tare. One weighing a stage; the same request counts once.

    At pick-up the seller or the carrier weighs, at delivery the buyer, and a third scale settles a dispute.

    :param stage: a ``Weighing.Stage``
    :param photo: of the scale; written anew without position, like every photo
    :raises PermissionDenied: if the actor does not weigh at this stage
    :raises WeighingRefused: if the masses make no sense, it is not the time, or it has been weighed already
    :raises UploadRefused: if the photo is none
    """
    _whose_turn(deal, stage, actor)
    cleaned = clean_photo(photo) if photo else None  # slow, so before the transaction
    return _weigh(
        deal,
        actor=actor,
        stage=stage,
        gross_kg=gross_kg,
        tare_kg=tare_kg,
        request_id=request_id,
        now=now,
        photo=cleaned,
    )


@transaction.atomic
def _weigh(
    deal: Deal,
    *,
    actor: Actor,
    stage: str,
    gross_kg: Decimal,
    tare_kg: Decimal,
    request_id: UUID,
    now: datetime,
    photo: CleanPhoto | None,
) -> Weighing:
    weighed_for = _whose_turn(deal, stage, actor)
    lock_word(f"weighing:{weighed_for}:{request_id}")
    repeated = Weighing.objects.filter(weighed_for_id=weighed_for, request_id=request_id).first()
    if repeated is not None:
        return repeated
    deal = Deal.objects.lock(deal)
    net_kg = _net(gross_kg, tare_kg)
    _right_time(deal, stage)
    if Weighing.objects.filter(deal=deal, stage=stage).exists():
        raise WeighingRefused(_("It has been weighed here already. See the weights below."))

    weighing = Weighing(
        deal=deal,
        stage=stage,
        gross_kg=to_the_gram(gross_kg),
        tare_kg=to_the_gram(tare_kg),
        net_kg=net_kg,
        weighed_for_id=weighed_for,
        weighed_by_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        weighed_at=now,
        request_id=request_id,
    )
    if photo is not None:
        name = f"{secrets.token_hex(16)}{photo.suffix}"
        weighing.photo.save(name, ContentFile(photo.bytes), save=False)
    weighing.save(force_insert=True)
    record(LotWeighed(deal_id=deal.pk, weighing_id=weighing.pk), by=actor, at=now)
    if stage == Weighing.Stage.THIRD:
        propose_anew(deal, now=now)
    return weighing


def _whose_turn(deal: Deal, stage: str, actor: Actor) -> int:
    if stage == Weighing.Stage.DELIVERY:
        return actor.require(Capability.DEAL_BUY, of=deal.buyer_id)
    if actor.organisation_id == deal.seller_id:
        return actor.require(Capability.DEAL_SELL, of=deal.seller_id)
    if stage == Weighing.Stage.PICKUP:
        return actor.require(Capability.SHIPMENT_CARRY, of=deal.carrier_id or 0)
    return actor.require(Capability.DEAL_BUY, of=deal.buyer_id)


def _net(gross_kg: Decimal, tare_kg: Decimal) -> Decimal:
    if not gross_kg.is_finite() or not 0 < gross_kg <= MOST_KG:
        raise WeighingRefused(
            _("Enter what the scale shows with the goods on it, in kg."), field="gross_kg"
        )
    if not tare_kg.is_finite() or tare_kg < 0:
        raise WeighingRefused(_("Enter the empty weight: 0 or more."), field="tare_kg")
    net_kg = to_the_gram(gross_kg) - to_the_gram(tare_kg)
    if net_kg <= 0:
        raise WeighingRefused(
            _("The empty weight must be less than the full one. Check both."), field="tare_kg"
        )
    return net_kg


def _right_time(deal: Deal, stage: str) -> None:
    status = Deal.Status
    if stage == Weighing.Stage.PICKUP and deal.status != status.CARRIER_BOOKED:
        raise WeighingRefused(_("The goods are weighed at pick-up, before they leave."))
    if stage == Weighing.Stage.DELIVERY and deal.status not in (
        status.PICKED_UP,
        status.INSPECTION,
    ):
        raise WeighingRefused(_("The goods are weighed here when they have arrived."))
    if stage == Weighing.Stage.THIRD and not _argued(deal):
        raise WeighingRefused(_("A third scale is for a dispute about the weight. Open one first."))


def _argued(deal: Deal) -> bool:
    return Dispute.objects.filter(
        deal=deal, about=Dispute.About.WEIGHT, status=Dispute.Status.PROPOSED
    ).exists()
