"""A buyer's standing orders: publish, change, pause, resume, cancel, and what ends them.

The whole budget is held in the ledger from the day an order is published, so that what a seller is shown is there.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Licence, Organisation
from marketplace.core.clock import Clock
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.core.money import payable
from marketplace.journal.services import record
from marketplace.ledger import services as ledger
from marketplace.market.events import OrderEnded, OrderPaused, OrderPublished, OrderResumed
from marketplace.market.models import OrderTerms, StandingOrder
from marketplace.market.rules import orders as rules
from marketplace.market.rules.bids import HIGHEST
from marketplace.pricing.rules import formulas

from .formulas import TermsRefused, read_terms

LONGEST = timedelta(days=400)
ACT = "BID"
"""An order is a bid that waits: it needs the licence that a bid needs."""


class OrderRefused(Refused):
    """The rules of standing orders say no. ``code`` says which one."""

    code = "order_refused"


@dataclass(frozen=True, slots=True)
class OrderSaid:
    """What a buyer says about an order. Amounts in the currency of the buyer; health as shares.

    :param price: as ``pricing.rules.formulas.read`` takes it
    :param within_km: around the site of the licence; none: the whole country
    """

    materials: Collection[str]
    country: str
    kg_from: Decimal
    kg_to: Decimal
    capacity_kg: Decimal
    budget: Decimal
    price: object
    valid_until: datetime
    takes_intact: bool = True
    takes_damaged: bool = False
    health_from: Decimal | None = None
    health_to: Decimal | None = None
    health_basis: str = ""
    within_km: int | None = None
    pickup: str = "BUYER"


def purpose_of(order: StandingOrder) -> str:
    """Return what an order's money is held under."""
    return f"order:{order.pk}"


@transaction.atomic
def publish_order(
    *, actor: Actor, said: OrderSaid, request_id: UUID, now: datetime
) -> StandingOrder:
    """Promise to buy what fits, for the actor's organisation, and put the whole budget aside.

    Asking again with the same ``request_id`` returns the same order.

    :raises PermissionDenied: if the actor may not buy
    :raises OrderRefused: if the order makes no sense
    :raises TermsRefused: with everything that is wrong with the price
    :raises LicenceNeeded: if no licence of the buyer covers all of it
    :raises NotEnoughMoney: if less than the budget is available
    """
    buyer_id = actor.require(Capability.BID_PLACE)
    actor.require(Capability.DEAL_BUY)
    if repeated := _repeated(buyer_id, request_id):
        return repeated
    buyer = Organisation.objects.get(pk=buyer_id)
    price = _refuse_nonsense(said, buyer.currency, now)
    licence = _licence_for(said, buyer_id, now)
    order = StandingOrder.objects.create(
        buyer_id=buyer_id,
        currency=buyer.currency,
        capacity_kg=said.capacity_kg,
        left_kg=said.capacity_kg,
        budget=said.budget,
        budget_left=said.budget,
        created_by_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        created_at=now,
    )
    ledger.hold(
        organisation=buyer_id,
        amount=said.budget,
        currency=order.currency,
        purpose=purpose_of(order),
        key=f"{purpose_of(order)}:v1",
        now=now,
    )
    _write_terms(order, said, price, licence, actor=actor, request_id=request_id, now=now)
    record(OrderPublished(order_id=order.pk), by=actor, at=now)
    return order


@transaction.atomic
def change_order(
    order: StandingOrder, *, actor: Actor, said: OrderSaid, request_id: UUID, now: datetime
) -> StandingOrder:
    """Say anew what the order buys from now on, as a further version. What was sold to it stays sold.

    ``capacity_kg`` and ``budget`` are what is to be bought from now on; the money held follows.

    :raises PermissionDenied: if the actor does not act for the buyer
    :raises OrderRefused: if the order is over, or makes no sense
    """
    actor.require(Capability.BID_PLACE, of=order.buyer_id)
    if repeated := _repeated(order.buyer_id, request_id, order):
        return repeated
    order = StandingOrder.objects.lock(order)
    _refuse_over(order)
    price = _refuse_nonsense(said, order.currency, now)
    licence = _licence_for(said, order.buyer_id, now)
    order.version += 1
    _hold_instead(order, said.budget, key=f"{purpose_of(order)}:v{order.version}", now=now)
    order.capacity_kg = order.left_kg = said.capacity_kg
    order.budget = order.budget_left = said.budget
    order.save(update_fields=["version", "capacity_kg", "left_kg", "budget", "budget_left"])
    _write_terms(order, said, price, licence, actor=actor, request_id=request_id, now=now)
    record(OrderPublished(order_id=order.pk, version=order.version), by=actor, at=now)
    return order


@transaction.atomic
def pause_order(order: StandingOrder, *, actor: Actor, now: datetime) -> StandingOrder:
    """Buy nothing for a while. The money stays aside. Pausing again changes nothing.

    :raises PermissionDenied: if the actor does not act for the buyer
    :raises OrderRefused: if the order is over
    """
    actor.require(Capability.BID_PLACE, of=order.buyer_id)
    order = StandingOrder.objects.lock(order)
    if order.status == StandingOrder.Status.PAUSED:
        return order
    _refuse_over(order)
    return stop(order, StandingOrder.Paused.BY_BUYER, by=actor, now=now)


@transaction.atomic
def resume_order(order: StandingOrder, *, actor: Actor, now: datetime) -> StandingOrder:
    """Buy again. Resuming what is not paused changes nothing.

    :raises PermissionDenied: if the actor does not act for the buyer
    :raises OrderRefused: if the order is over
    :raises LicenceNeeded: if no licence covers it any more
    """
    actor.require(Capability.BID_PLACE, of=order.buyer_id)
    order = StandingOrder.objects.lock(order)
    if order.status == StandingOrder.Status.ACTIVE:
        return order
    _refuse_over(order)
    terms = order.now_terms
    if now >= terms.valid_until:
        raise OrderRefused(
            _("Its time is over. Change the date until which it buys."), code="order_over"
        )
    cover(
        order.buyer_id,
        materials=terms.materials,
        country=terms.country,
        mass_kg=terms.kg_from,
        now=now,
    )
    order.enter(StandingOrder.Status.ACTIVE)
    order.paused = ""
    order.save(update_fields=["status", "paused"])
    record(OrderResumed(order_id=order.pk), by=actor, at=now)
    return order


@transaction.atomic
def cancel_order(order: StandingOrder, *, actor: Actor, now: datetime) -> StandingOrder:
    """End an order; what is left of its budget is free again. What was sold to it stays sold.

    :raises PermissionDenied: if the actor does not act for the buyer
    :raises AlreadyMovedOn: if it is over already
    """
    actor.require(Capability.BID_PLACE, of=order.buyer_id)
    order = StandingOrder.objects.lock(order)
    if order.status == StandingOrder.Status.CANCELLED:
        return order
    return end(order, StandingOrder.Status.CANCELLED, by=actor, now=now)


@transaction.atomic
def expire_order(order: StandingOrder, *, clock: Clock) -> bool:
    """End an order whose time is over. Return whether this call did; late or twice changes nothing."""
    order = StandingOrder.objects.lock(order)
    now = clock()
    if order.status not in StandingOrder.OPEN or now < order.now_terms.valid_until:
        return False
    end(order, StandingOrder.Status.EXPIRED, by=SYSTEM, now=now)
    return True


@transaction.atomic
def pause_uncovered(organisation_id: int, *, now: datetime) -> int:
    """Pause the orders of a buyer whose licences no longer cover them. Return how many. Again changes nothing."""
    paused = 0
    live = StandingOrder.objects.filter(
        buyer_id=organisation_id, status=StandingOrder.Status.ACTIVE
    )
    for order in live.order_by("pk").select_for_update(no_key=True):
        terms = order.now_terms
        try:
            cover(
                organisation_id,
                materials=terms.materials,
                country=terms.country,
                mass_kg=terms.kg_from,
                now=now,
            )
        except accounts.LicenceNeeded:
            stop(order, StandingOrder.Paused.LICENCE, by=SYSTEM, now=now)
            paused += 1
    return paused


# --- for the services of this room: the order is locked ------------------------------------------------


def stop(order: StandingOrder, why: str, *, by: Actor, now: datetime) -> StandingOrder:
    """Pause a locked order."""
    order.enter(StandingOrder.Status.PAUSED)
    order.paused = why
    order.save(update_fields=["status", "paused"])
    record(OrderPaused(order_id=order.pk, why=why), by=by, at=now)
    return order


def end(order: StandingOrder, how: str, *, by: Actor, now: datetime) -> StandingOrder:
    """End a locked order, and give back what is left of its budget."""
    order.enter(how)
    _hold_instead(
        order, Decimal(0), key=f"{purpose_of(order)}:{how}:{order.fills.count()}", now=now
    )
    order.budget_left, order.ended_at, order.paused = Decimal(0), now, ""
    order.save(update_fields=["status", "budget_left", "ended_at", "paused"])
    record(OrderEnded(order_id=order.pk, how=how), by=by, at=now)
    return order


def cover(
    buyer_id: int, *, materials: Collection[str], country: str, mass_kg: Decimal, now: datetime
) -> Licence:
    """Return a licence of the buyer; each of the materials is covered by one.

    :raises LicenceNeeded: if one is not, with what to do about it
    """
    found = [
        accounts.open_licence(
            organisation_id=buyer_id,
            act=ACT,
            chemistry_code=material,
            country=country,
            on=now.date(),
            mass_kg=mass_kg,
        )
        for material in sorted(set(materials))
    ]
    return found[0]


def _licence_for(said: OrderSaid, buyer_id: int, now: datetime) -> Licence:
    return cover(
        buyer_id,
        materials=said.materials,
        country=said.country,
        mass_kg=said.kg_from,
        now=now,
    )


def _hold_instead(order: StandingOrder, amount: Decimal, *, key: str, now: datetime) -> None:
    """Hold more or less for a locked order than its ``budget_left``."""
    purpose, more = purpose_of(order), amount - order.budget_left
    if more > 0:
        ledger.hold(
            organisation=order.buyer_id,
            amount=more,
            currency=order.currency,
            purpose=purpose,
            key=key,
            now=now,
        )
    elif more < 0:
        ledger.release(
            organisation=order.buyer_id,
            amount=-more,
            currency=order.currency,
            purpose=purpose,
            key=key,
            now=now,
        )


def _repeated(
    buyer_id: int, request_id: UUID, order: StandingOrder | None = None
) -> StandingOrder | None:
    lock_word(f"order:{buyer_id}:{request_id}")
    said = OrderTerms.objects.filter(published_for_id=buyer_id, request_id=request_id)
    repeated = said.select_related("order").first()
    if repeated is None:
        return None
    if (order is None and repeated.version != 1) or (
        order is not None and (order.pk != repeated.order_id or repeated.version == 1)
    ):
        raise OrderRefused(
            _("This request was already used for another order. Reload the page."),
            code="idempotency_mismatch",
        )
    return repeated.order


def _write_terms(
    order: StandingOrder,
    said: OrderSaid,
    price: dict[str, Any],
    licence: Licence,
    *,
    actor: Actor,
    request_id: UUID,
    now: datetime,
) -> OrderTerms:
    place, latitude, longitude = licence.site_place, licence.site_latitude, licence.site_longitude
    if latitude is None or longitude is None:
        buyer = order.buyer
        place, latitude, longitude = buyer.place, buyer.latitude, buyer.longitude
    if latitude is None or longitude is None:
        raise OrderRefused(
            _("We do not know where your site is. Say the place of your organisation first."),
            code="site_unknown",
        )
    written: dict[str, Any] = {
        "materials": sorted(set(said.materials)),
        "takes_intact": said.takes_intact,
        "takes_damaged": said.takes_damaged,
        "health_from": said.health_from,
        "health_to": said.health_to,
        "health_basis": said.health_basis,
        "country": said.country,
        "site_place": place,
        "site_latitude": latitude,
        "site_longitude": longitude,
        "within_km": said.within_km,
        "kg_from": said.kg_from,
        "kg_to": said.kg_to,
        "price": price,
        "pickup": said.pickup,
        "valid_until": said.valid_until,
    }
    return OrderTerms.objects.create(
        order=order,
        version=order.version,
        terms_sha256=rules.terms_digest(written | {"currency": order.currency}),
        published_by_id=actor.user_id,  # type: ignore[misc]
        published_at=now,
        published_for_id=order.buyer_id,
        request_id=request_id,
        **written,
    )


def _refuse_over(order: StandingOrder) -> None:
    if order.status not in StandingOrder.OPEN:
        raise OrderRefused(_("This order is over. Publish a new one."), code="order_over")


def _refuse_nonsense(said: OrderSaid, currency: str, now: datetime) -> dict[str, Any]:
    """Return the price as it is kept, or refuse what makes no sense, each beside its field."""
    if not said.materials:
        raise _wrong("materials", _("Choose at least one kind."))
    if not (said.takes_intact or said.takes_damaged):
        raise _wrong("takes_intact", _("Take sound ones, damaged ones, or both."))
    for name in ("kg_from", "kg_to", "capacity_kg"):
        mass_kg: Decimal = getattr(said, name)
        if not mass_kg.is_finite() or not 0 < mass_kg <= rules.MOST_KG:
            raise _wrong(name, _("Give a weight above zero."))
    if said.kg_from > said.kg_to:
        raise _wrong("kg_to", _("Give at least as much as the smallest lot."))
    if said.kg_from > said.capacity_kg:
        raise _wrong("capacity_kg", _("Give at least as much as the smallest lot."))
    if not said.budget.is_finite() or not 0 < said.budget <= HIGHEST:
        raise _wrong("budget", _("Give an amount above zero."))
    if said.budget != payable(said.budget, currency):
        raise _wrong(
            "budget",
            _("Give an amount that can be paid in %(currency)s, without smaller parts.")
            % {"currency": currency},
        )
    if not now < said.valid_until <= now + LONGEST:
        raise _wrong("valid_until", _("Choose a day in the future, within 400 days."))
    if said.within_km is not None and not 0 < said.within_km <= 20_000:
        raise _wrong("within_km", _("Give a distance above zero, or leave it empty."))
    if said.pickup not in OrderTerms.Pickup.values:
        raise _wrong("pickup", _("Choose who bears the way."))
    _refuse_health(said)
    offer = read_terms(said.price)
    if isinstance(offer, formulas.Formula) and offer.pickup != formulas.Pickup.BUYER:
        raise TermsRefused([("pickup", _("Say who bears the way beside the price, not in it."))])
    return formulas.plain(offer)


def _refuse_health(said: OrderSaid) -> None:
    band = (said.health_from, said.health_to)
    if band == (None, None) and not said.health_basis:
        return
    if said.health_from is None or said.health_to is None:
        raise _wrong("health_from", _("Give the lowest and the highest health, or neither."))
    if not 0 <= said.health_from <= said.health_to <= Decimal("1.2"):
        raise _wrong("health_to", _("Give a health between 0 and 120 %, the lower one first."))
    if said.health_basis not in ("CAPACITY", "ENERGY"):
        raise _wrong("health_basis", _("Say what the health is of: capacity or energy."))


def _wrong(field: str, message: str) -> OrderRefused:
    return OrderRefused(message, field=field, code="order_makes_no_sense")
