"""Sell now: a lot meets a standing order. And what becomes of it if the contract does not come about."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.clock import Clock
from marketplace.core.locks import lock_word
from marketplace.core.money import payable
from marketplace.journal.services import record
from marketplace.ledger import services as ledger
from marketplace.lots import services as lots
from marketplace.lots.models import Lot
from marketplace.market import queries
from marketplace.market.events import OrderFilled, OrderSaleUndone
from marketplace.market.models import Award, OrderFill, StandingOrder
from marketplace.market.rules import bids
from marketplace.market.rules import orders as rules
from marketplace.market.rules.orders import Misfit
from marketplace.reference.queries import parameters

from .orders import ACT, OrderRefused, end, purpose_of, stop

SAID: Mapping[Misfit, str | Promise] = {
    Misfit.OWN_GROUP: lazy("is of your own group of firms"),
    Misfit.CURRENCY: lazy("pays in another currency"),
    Misfit.COUNTRY: lazy("buys in another country"),
    Misfit.MATERIAL: lazy("does not take this kind"),
    Misfit.KIND_UNKNOWN: lazy("takes known kinds only"),
    Misfit.DAMAGED: lazy("does not take damaged ones"),
    Misfit.INTACT: lazy("takes damaged ones only"),
    Misfit.PLACE_UNKNOWN: lazy("needs to know where the lot is"),
    Misfit.TOO_FAR: lazy("buys nearer to its site"),
    Misfit.TOO_LIGHT: lazy("takes larger lots"),
    Misfit.TOO_HEAVY: lazy("takes smaller lots"),
    Misfit.FULL: lazy("has bought nearly all it wants"),
    Misfit.HEALTH_UNKNOWN: lazy("asks for a measured health"),
    Misfit.HEALTH_BASIS: lazy("asks for a health measured on another basis"),
    Misfit.HEALTH_LOW: lazy("asks for better health"),
    Misfit.HEALTH_HIGH: lazy("takes weaker ones"),
    Misfit.ENERGY_UNKNOWN: lazy("pays by the kWh: say the energy of the lot"),
    Misfit.NOT_PRICED: lazy("cannot price this lot by its terms"),
    Misfit.BUDGET: lazy("has too little of its budget left"),
    Misfit.LICENCE: lazy("may not take it under its licence now"),
}
"""Why an order does not buy a lot, after "This order"."""

SELLABLE = (Lot.Status.PRICED, Lot.Status.UNSOLD)


def kept_for(fill: OrderFill) -> str:
    """Return what a fill's money and kilograms are kept under, until the contract takes over."""
    return f"fill:{fill.pk}"


@transaction.atomic
def sell_now(
    lot: Lot,
    *,
    order: StandingOrder,
    version: int,
    price: Decimal,
    actor: Actor,
    request_id: UUID,
    clock: Clock,
) -> OrderFill:
    """Sell a lot to a standing order at once. Its kilograms, licence and money are taken in this transaction, or nothing is.

    Asking again with the same ``request_id`` returns the same sale.

    :param version: of the order's terms that the seller was shown
    :param price: for the lot at the seller's gate, as the seller was shown
    :param clock: the database's, read after the order's lock is granted
    :raises PermissionDenied: if the actor does not act for the seller
    :raises OrderRefused: if the order does not buy it for that (any more), or the lot is not free; its code says why
    """
    seller_id = actor.require(Capability.DEAL_SELL, of=lot.seller_id)
    lock_word(f"fill:{seller_id}:{request_id}")
    if repeated := OrderFill.objects.filter(seller_id=seller_id, request_id=request_id).first():
        if (repeated.lot_id, repeated.order_id) != (lot.pk, order.pk):
            raise OrderRefused(
                _("This request was already used for another sale. Reload the page."),
                code="idempotency_mismatch",
            )
        return repeated
    order = StandingOrder.objects.lock(order)
    now = clock()
    terms = order.now_terms
    _refuse_order(order, terms.valid_until, version, now)
    lot = Lot.objects.lock(lot)
    if lot.status not in SELLABLE:
        raise OrderRefused(
            _("This lot is no longer free. Open its page to see where it stands."),
            code="lot_not_ready",
        )
    offer = queries.offer_of(order, terms, queries.Look(lot, now.date()))
    if offer.misfits:
        raise OrderRefused(
            _("This order %(why)s. Look at the other offers.")
            % {"why": ", ".join(str(SAID[misfit]) for misfit in offer.misfits)},
            code=f"order_{offer.misfits[0]}",
        )
    if offer.price is None or offer.price.at_gate != price:
        raise OrderRefused(
            _("The price has changed since you looked. Look at the new one and sell again."),
            code="price_changed",
            field="price",
        )
    try:
        licence = accounts.open_licence(
            organisation_id=order.buyer_id,
            act=ACT,
            chemistry_code=lot.chemistry_id or "",
            country=lot.country,
            on=now.date(),
            mass_kg=offer.terms.kg_from,
        )
    except accounts.LicenceNeeded as lapsed:
        raise _licence_refused() from lapsed
    fill = OrderFill.objects.create(
        order=order,
        terms=terms,
        lot=lot,
        seller_id=seller_id,
        sold_by_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        licence=licence,
        mass_kg=offer_kg(lot),
        price=price,
        figures=offer.price.figures,
        matched_at=now,
        request_id=request_id,
    )
    try:
        accounts.draw_mass(
            licence, mass_kg=fill.mass_kg, purpose=kept_for(fill), on=now.date(), now=now
        )
    except accounts.MassLeft as full:
        raise _licence_refused() from full
    lots.mark_awarded(lot, by=actor, now=now)
    _take(order, fill, now=now)
    award = Award.objects.create(
        lot=lot,
        fill=fill,
        bidder_id=order.buyer_id,
        rank=1,
        price=price,
        status=Award.Status.WON,
        decided_at=now,
    )
    record(OrderFilled(order_id=order.pk, fill_id=fill.pk, award_id=award.pk), by=actor, at=now)
    if rules.is_filled(left_kg=order.left_kg, kg_from=terms.kg_from, budget_left=order.budget_left):
        end(order, StandingOrder.Status.FILLED, by=SYSTEM, now=now)
    return fill


def offer_kg(lot: Lot) -> Decimal:
    if lot.mass_kg is None:
        raise LookupError(f"Lot {lot.pk} is for sale without a mass.")
    return lot.mass_kg


def _refuse_order(order: StandingOrder, valid_until: datetime, version: int, now: datetime) -> None:
    if order.status == StandingOrder.Status.PAUSED:
        raise OrderRefused(
            _("This order is paused just now. Look at the other offers."), code="order_paused"
        )
    if order.status == StandingOrder.Status.FILLED:
        raise OrderRefused(
            _("Somebody sold first: this order is filled. Look at the other offers."),
            code="order_full",
        )
    if order.status != StandingOrder.Status.ACTIVE or now >= valid_until:
        raise OrderRefused(_("This order is over. Look at the other offers."), code="order_over")
    if version != order.version:
        raise OrderRefused(
            _("The buyer has changed this order since you looked. Look at what it says now."),
            code="order_changed",
        )


def _licence_refused() -> OrderRefused:
    return OrderRefused(
        _("This order %(why)s. Look at the other offers.") % {"why": SAID[Misfit.LICENCE]},
        code=f"order_{Misfit.LICENCE}",
    )


def _take(order: StandingOrder, fill: OrderFill, *, now: datetime) -> None:
    """Take kilograms and money of a locked order for a fill."""
    key = f"{kept_for(fill)}:from order"
    ledger.release(
        organisation=order.buyer_id,
        amount=fill.price,
        currency=order.currency,
        purpose=purpose_of(order),
        key=key,
        now=now,
    )
    ledger.hold(
        organisation=order.buyer_id,
        amount=fill.price,
        currency=order.currency,
        purpose=kept_for(fill),
        key=kept_for(fill),
        now=now,
    )
    order.left_kg -= fill.mass_kg
    order.budget_left -= fill.price
    order.save(update_fields=["left_kg", "budget_left"])


# --- after the sale -------------------------------------------------------------------------------------


def hand_over_kg(award: Award, *, now: datetime) -> None:
    """Let go of the licence's kilograms, in the transaction in which the contract draws them. Of an auction: nothing."""
    if award.fill is not None:
        accounts.release_mass(purpose=kept_for(award.fill), now=now)


def hand_over_money(fill: OrderFill, *, now: datetime) -> None:
    """Let go of the price, in the transaction in which the contract holds it. Twice changes nothing."""
    _release_money(fill, key=f"{kept_for(fill)}:to deal", now=now)


def undo_sale(award: Award, *, by_buyer: bool, now: datetime) -> None:
    """The contract of a sale to an order did not come about: the lot is free again, the order gets back what it gave.

    If the buyer did not keep their word, the seller gets the share of the price that is a deposit elsewhere, and the
    order is paused until the buyer says otherwise. Again changes nothing.
    """
    if award.fill is None:
        raise LookupError(f"Award {award.pk} is not of an order.")
    order = StandingOrder.objects.lock(award.fill.order)
    award = Award.objects.lock(award)
    if award.status != Award.Status.WON or award.fill is None:
        return
    fill = award.fill
    award.enter(Award.Status.DEFAULTED if by_buyer else Award.Status.RELEASED)
    award.decided_at = now
    award.save(update_fields=["status", "decided_at"])
    accounts.release_mass(purpose=kept_for(fill), now=now)
    if by_buyer:
        _forfeit(fill, order, now=now)
    _take_back(order, fill, now=now)
    if by_buyer and order.status == StandingOrder.Status.ACTIVE:
        stop(order, StandingOrder.Paused.DEFAULT, by=SYSTEM, now=now)
    lot = fill.lot
    if Lot.Status.UNSOLD in Lot.NEXT[Lot.Status(lot.status)]:
        lots.mark_unsold(lot, by=SYSTEM, now=now)
    record(
        OrderSaleUndone(order_id=order.pk, fill_id=fill.pk, by_buyer=by_buyer), by=SYSTEM, at=now
    )


def _forfeit(fill: OrderFill, order: StandingOrder, *, now: datetime) -> None:
    held = _held(fill)
    share = parameters(now.date()).get("DEPOSIT_SHARE", bids.DEPOSIT_SHARE)
    due = min(held, payable(fill.price * share, order.currency))
    if due > 0:
        ledger.forfeit(
            organisation=order.buyer_id,
            to=fill.seller_id,
            amount=due,
            currency=order.currency,
            purpose=kept_for(fill),
            key=f"{kept_for(fill)}:forfeit",
            now=now,
        )


def _take_back(order: StandingOrder, fill: OrderFill, *, now: datetime) -> None:
    """Give a locked order back what a fill took, if it still buys by the same terms; else the money is free.

    Money that went through a contract was given back to the buyer, not to the order: then the order goes on with less.
    """
    held = _release_money(fill, key=f"{kept_for(fill)}:back", now=now)
    still_buys = (
        order.status in (*StandingOrder.OPEN, StandingOrder.Status.FILLED)
        and order.version == fill.terms.version
        and now < fill.terms.valid_until
    )
    if not still_buys:
        return
    if order.status == StandingOrder.Status.FILLED:
        if held <= 0:
            return
        order.enter(StandingOrder.Status.ACTIVE)
        order.ended_at = None
    if held > 0:
        ledger.hold(
            organisation=order.buyer_id,
            amount=held,
            currency=order.currency,
            purpose=purpose_of(order),
            key=f"{kept_for(fill)}:again",
            now=now,
        )
    order.left_kg += fill.mass_kg
    order.budget_left += held
    order.save(update_fields=["left_kg", "budget_left", "status", "ended_at"])


def _release_money(fill: OrderFill, *, key: str, now: datetime) -> Decimal:
    held = _held(fill)
    if held > 0:
        ledger.release(
            organisation=fill.order.buyer_id,
            currency=fill.order.currency,
            purpose=kept_for(fill),
            key=key,
            now=now,
        )
    return held


def _held(fill: OrderFill) -> Decimal:
    return ledger.held_for(
        organisation=fill.order.buyer_id, purpose=kept_for(fill), currency=fill.order.currency
    )
