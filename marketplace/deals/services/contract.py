"""From the award to money held safely: contract, signatures, payment, or calling it off."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Licence
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.deals import rules
from marketplace.deals.events import (
    CancellationAsked,
    DealCancelled,
    DealFunded,
    DealOpened,
    DealSigned,
)
from marketplace.deals.models import Deal
from marketplace.journal.services import record
from marketplace.ledger import services as ledger
from marketplace.lots import services as lots
from marketplace.lots.models import Lot
from marketplace.market import services as market
from marketplace.market.models import Award
from marketplace.pricing.rules.formulas import most_due
from marketplace.reference.models import LicenceType
from marketplace.reference.queries import parameters

from .ending import give_back, purpose_of

EDITION = 2


class SignRefused(Refused):
    code = "sign_refused"


class ContractChanged(SignRefused):
    code = "contract_changed"


class FundRefused(Refused):
    code = "fund_refused"


class CancelRefused(Refused):
    code = "cancel_refused"


@transaction.atomic
def open_deal(award_id: int, *, now: datetime) -> Deal | None:
    """Draw up the contract of an award and reserve the buyer's licensed kilograms. Once per award.

    Returns None if the buyer's licence no longer allows it: then the next in line is asked.
    """
    lock_word(f"deal of award:{award_id}")
    if opened := Deal.objects.filter(award_id=award_id).first():
        return opened
    award = Award.objects.select_related(
        "lot__chemistry", "auction", "bidder", "bid__licence", "fill__licence", "fill__order"
    ).get(pk=award_id)
    if award.status != Award.Status.WON:
        return None
    lot = award.lot
    try:
        with transaction.atomic():
            deal = _draw_up(award, lot, now=now)
    except (accounts.LicenceNeeded, accounts.MassLeft):
        market.advance_ladder(award, now=now)
        return None
    lots.mark_under_deal(lot, by=SYSTEM, now=now)
    record(DealOpened(deal_id=deal.pk), by=SYSTEM, at=now)
    return deal


def _draw_up(award: Award, lot: Lot, *, now: datetime) -> Deal:
    if lot.mass_kg is None:
        raise LookupError(f"Lot {lot.pk} was sold without a mass.")
    market.hand_over_kg(award, now=now)
    licence = _licence_to_receive(award, lot, now=now)
    numbers = parameters(now.date())
    sign_by = now + timedelta(hours=int(numbers["DEAL_SIGN_HOURS"]))
    pay_hours = int(numbers["DEAL_PAY_HOURS"])
    tolerance_share = numbers["WEIGHT_TOLERANCE"].quantize(Decimal("0.001"))
    terms: dict[str, Any] = {
        "edition": EDITION,
        "award": award.pk,
        "lot": lot.pk,
        "seller": lot.seller.name,
        "buyer": award.bidder.name,
        "chemistry": lot.chemistry.name if lot.chemistry else "",
        "place": lot.place,
        "country": lot.country,
        "mass_kg": str(lot.mass_kg),
        "price": str(award.price),
        "currency": award.currency,
        "tolerance_share": str(tolerance_share),
        "fee_share": str(numbers["FEE_SHARE"].normalize()),
        "damaged_share": str(numbers["HAIRCUT_DAMAGED"].normalize()),
        "licence": licence.number,
        "sign_hours": int(numbers["DEAL_SIGN_HOURS"]),
        "pay_hours": pay_hours,
        "inspect_hours": int(numbers["DEAL_INSPECT_HOURS"]),
        "answer_hours": int(numbers["DEAL_ANSWER_HOURS"]),
        "return_days": int(numbers["DEAL_RETURN_DAYS"]),
        "auction_terms_sha256": award.terms_sha256,
    }
    price_cap = _terms_of(award, terms, numbers)
    deal = Deal.objects.create(
        award=award,
        lot=lot,
        seller_id=lot.seller_id,
        buyer_id=award.bidder_id,
        licence=licence,
        currency=award.currency,
        price=award.price,
        price_cap=price_cap,
        declared_kg=lot.mass_kg,
        tolerance_share=tolerance_share,
        terms=terms,
        terms_sha256=rules.digest(terms),
        sign_by=sign_by,
        pay_by=sign_by + timedelta(hours=pay_hours),
        opened_at=now,
    )
    accounts.draw_mass(
        licence, mass_kg=lot.mass_kg, purpose=purpose_of(deal), on=now.date(), now=now
    )
    return deal


def _terms_of(
    award: Award, terms: dict[str, Any], numbers: Mapping[str, Decimal]
) -> Decimal | None:
    """Write the terms of the winning bid into the contract, and return the most that they may cost; none: an amount.

    A price that somebody set otherwise than by a bid's figure, as by a standing order, stands as it is.
    """
    bid = award.bid
    if bid is None or bid.terms is None or bid.figures is None or award.price != bid.maximum:
        return None
    cap = most_due(
        Decimal(bid.figures["high"]),
        award.price,
        share_most=numbers["FORMULA_HOLD_SHARE"],
        currency=award.currency,
    )
    terms["by_terms"] = rules.written(bid.terms, bid.figures, cap=cap, numbers=numbers)
    return cap


def _licence_to_receive(award: Award, lot: Lot, *, now: datetime) -> Licence:
    """Return the licence of the winning bid if it still counts, else another one that does."""
    on = now.date()
    bid_under = award.licence
    if bid_under.status == Licence.Status.VERIFIED and (
        bid_under.valid_from <= on <= bid_under.valid_until
    ):
        return bid_under
    return accounts.open_licence(
        organisation_id=award.bidder_id,
        act=LicenceType.Use.RECEIVE,
        chemistry_code=lot.chemistry_id or "",
        country=None,
        on=on,
        mass_kg=lot.mass_kg,
    )


@transaction.atomic
def sign(deal: Deal, *, actor: Actor, now: datetime, seen_sha256: str | None = None) -> Deal:
    """Sign the contract for one side. Once both have, the buyer pays in. Signing again changes nothing.

    :param seen_sha256: fingerprint of the terms that the person was shown
    :raises PermissionDenied: if the actor is of neither side
    :raises ContractChanged: if the terms are not those that were shown, or not those that were drawn up
    :raises SignRefused: if the time to sign is over, or the deal has ended
    """
    is_seller = actor.organisation_id == deal.seller_id
    if is_seller:
        actor.require(Capability.DEAL_SELL, of=deal.seller_id)
    else:
        actor.require(Capability.DEAL_BUY, of=deal.buyer_id)
    deal = Deal.objects.lock(deal)
    signed_at = deal.seller_signed_at if is_seller else deal.buyer_signed_at
    if signed_at is not None:
        return deal
    if deal.status != Deal.Status.CONTRACT_PENDING or now >= deal.sign_by:
        raise SignRefused(_("The time to sign is over. The lot goes to the next in line."))
    drawn_up = rules.digest(deal.terms)
    if drawn_up != deal.terms_sha256 or seen_sha256 not in (None, deal.terms_sha256):
        raise ContractChanged(_("These are not the terms you saw. Read the contract again."))

    if is_seller:
        deal.seller_signed_at, deal.seller_signed_by_id = now, actor.user_id
    else:
        deal.buyer_signed_at, deal.buyer_signed_by_id = now, actor.user_id
    if deal.seller_signed_at and deal.buyer_signed_at:
        deal.enter(Deal.Status.FUNDS_PENDING)
        deal.pay_by = now + timedelta(hours=deal.terms["pay_hours"])
        record(DealSigned(deal_id=deal.pk), by=actor, at=now)
    deal.save(
        update_fields=[
            "seller_signed_at",
            "seller_signed_by",
            "buyer_signed_at",
            "buyer_signed_by",
            "status",
            "pay_by",
        ]
    )
    return deal


@transaction.atomic
def fund(deal: Deal, *, actor: Actor, request_id: UUID, now: datetime) -> Deal:
    """Put the price aside, or of a deal by terms the most that may become due, safe for both sides. The deposit of the winning bid counts towards it.

    However often it is asked for, the price is held once.

    :raises PermissionDenied: if the actor is not of the buyer
    :raises FundRefused: if it is not signed by both, the time to pay is over, or the licence has been suspended
    :raises NotEnoughMoney: if less is available
    """
    actor.require(Capability.DEAL_BUY, of=deal.buyer_id)
    deal = Deal.objects.lock(deal)
    if deal.status == Deal.Status.CONTRACT_PENDING:
        raise FundRefused(_("Both sides sign first. Then you pay in."))
    if deal.status in (Deal.Status.BUYER_DEFAULT, Deal.Status.CANCELLED):
        raise FundRefused(_("This deal has ended. Nothing is to be paid."))
    if deal.status != Deal.Status.FUNDS_PENDING:
        return deal
    if now >= deal.pay_by:
        raise FundRefused(_("The time to pay in is over. The lot goes to the next in line."))
    if deal.licence.status not in (Licence.Status.VERIFIED, Licence.Status.EXPIRED):
        raise FundRefused(
            _("Your licence is suspended. Answer the reason under Licences before you pay.")
        )
    market.release_deposit(deal.award, now=now)
    ledger.hold(
        organisation=deal.buyer_id,
        amount=deal.to_hold,
        currency=deal.currency,
        purpose=purpose_of(deal),
        key=f"{purpose_of(deal)}:fund",
        now=now,
    )
    deal.enter(Deal.Status.FUNDED)
    deal.save(update_fields=["status"])
    record(DealFunded(deal_id=deal.pk), by=actor, at=now)
    return deal


@transaction.atomic
def cancel(deal: Deal, *, actor: Actor, reason: str, now: datetime) -> Deal:
    """Ask to call the deal off, or agree to it: once both sides have asked, it ends and all money goes back.

    The market hears of it, and gives back the deposit and the lot.

    :raises PermissionDenied: if the actor is of neither side
    :raises CancelRefused: if the goods are on their way, or no reason is given
    """
    is_seller = actor.organisation_id == deal.seller_id
    asking = (
        actor.require(Capability.DEAL_SELL, of=deal.seller_id)
        if is_seller
        else actor.require(Capability.DEAL_BUY, of=deal.buyer_id)
    )
    deal = Deal.objects.lock(deal)
    if deal.status == Deal.Status.CANCELLED:
        return deal
    if Deal.Status.CANCELLED not in deal.NEXT[deal.status]:
        raise CancelRefused(
            _("The goods have left, so it cannot be called off. Open a dispute instead.")
        )
    if deal.cancel_asked_by_id is None:
        if not reason.strip():
            raise CancelRefused(_("Say why, so that the other side can agree."), field="reason")
        deal.cancel_asked_by_id, deal.reason = asking, reason.strip()
        deal.save(update_fields=["cancel_asked_by", "reason"])
        record(CancellationAsked(deal_id=deal.pk, asked_by_id=asking), by=actor, at=now)
        return deal
    if deal.cancel_asked_by_id == asking:
        return deal
    deal.enter(Deal.Status.CANCELLED)
    deal.save(update_fields=["status"])
    give_back(deal, now=now)
    record(DealCancelled(deal_id=deal.pk), by=actor, at=now)
    return deal
