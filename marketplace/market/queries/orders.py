"""What services and pages ask about standing orders: who buys a lot now, for how much, and why others do not."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from marketplace.accounts.actors import Actor
from marketplace.core.money import payable
from marketplace.core.quantities import great_circle_km
from marketplace.lots.models import Lot
from marketplace.lots.queries import best_healths
from marketplace.market.models import OrderTerms, StandingOrder
from marketplace.market.rules import orders as rules
from marketplace.pricing import queries as pricing
from marketplace.pricing.rules import Band, Inputs, formulas
from marketplace.reference.queries import RateMissing, rate_per_usd

from .auctions import bidding_licence

SEED = 1
MOST_ORDERS = 200
"""How many orders of a country are compared with a lot. Those that are newest are left out beyond it."""


@dataclass(frozen=True, slots=True)
class Price:
    """What an order pays for one lot at the seller's gate, and how that was worked out."""

    at_gate: Decimal
    gross: Decimal
    freight: Decimal
    km: Decimal | None
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Offer:
    """An order as it looks from one lot. ``misfits`` is empty if the lot may be sold to it now."""

    order: StandingOrder
    terms: OrderTerms
    price: Price | None
    misfits: tuple[rules.Misfit, ...]
    km: int | None

    @property
    def fits(self) -> bool:
        return not self.misfits and self.price is not None

    @property
    def per_kg(self) -> Decimal | None:
        if self.price is None:
            return None
        mass_kg = Decimal(self.price.figures["kg"])
        return self.price.at_gate / mass_kg


@dataclass(frozen=True, slots=True)
class Book:
    """What standing orders say to one lot: those that buy it, best first, and those that do not, with their reasons."""

    lot: Lot
    fitting: tuple[Offer, ...]
    others: tuple[Offer, ...]

    @property
    def best(self) -> Offer | None:
        return self.fitting[0] if self.fitting else None


@dataclass
class Look:
    """A lot and the prices of a day, read when an order first asks for them: a price per kg asks for nothing."""

    lot: Lot
    on: date
    brought: rules.Brought = field(init=False)

    def __post_init__(self) -> None:
        self.brought = brought_of(self.lot)

    @cached_property
    def market(self) -> pricing.Market:
        return pricing.market_on(self.on)

    @cached_property
    def inputs(self) -> Inputs:
        (facts,) = pricing.facts_of_lots([self.lot], self.market)
        return pricing.inputs_at_whole_quotes(facts, self.market)


def brought_of(lot: Lot) -> rules.Brought:
    """Return what orders ask about a lot. Only a believed claim counts as its health."""
    claim = best_healths([lot]).get(lot.pk)
    return rules.Brought(
        material=lot.chemistry_id,
        is_damaged=lot.triage != Lot.Triage.GREEN,
        country=lot.country,
        currency=lot.seller.currency,
        position=_position(lot.latitude, lot.longitude),
        mass_kg=lot.mass_kg or Decimal(0),
        health=None if claim is None else rules.Health(claim.value, claim.basis),
        energy_kwh=lot.energy_kwh,
    )


def wanted_of(order: StandingOrder, terms: OrderTerms) -> rules.Wanted:
    band = None
    if terms.health_from is not None and terms.health_to is not None:
        band = (terms.health_from, terms.health_to)
    return rules.Wanted(
        materials=terms.materials,
        takes_intact=terms.takes_intact,
        takes_damaged=terms.takes_damaged,
        country=terms.country,
        currency=order.currency,
        site=(float(terms.site_latitude), float(terms.site_longitude)),
        within_km=terms.within_km,
        kg_from=terms.kg_from,
        kg_to=terms.kg_to,
        left_kg=order.left_kg,
        health=band,
        health_basis=terms.health_basis,
        needs_energy=terms.price.get("kind") == "PER_KWH",
    )


def offer_of(order: StandingOrder, terms: OrderTerms, look: Look) -> Offer:
    """Return what an order says to a lot. Its buyer's licence is not asked here: ``book_of`` and the sale do."""
    found = rules.misfits(wanted_of(order, terms), look.brought)
    seller = look.lot.seller
    if seller.pk == order.buyer_id or (seller.group and seller.group == order.buyer.group):
        found = (rules.Misfit.OWN_GROUP, *found)
    site = (float(terms.site_latitude), float(terms.site_longitude))
    here = look.brought.position
    km = None if here is None else round(great_circle_km(site, here))
    if found:
        return Offer(order, terms, None, found, km)
    price = price_of(order, terms, look)
    if price is None or price.at_gate <= 0:
        return Offer(order, terms, None, (rules.Misfit.NOT_PRICED,), km)
    if price.at_gate > order.budget_left:
        return Offer(order, terms, None, (rules.Misfit.BUDGET,), km)
    return Offer(order, terms, price, (), km)


def price_of(order: StandingOrder, terms: OrderTerms, look: Look) -> Price | None:
    """Return what an order's terms pay for a lot at the seller's gate; nothing if they cannot price it.

    A delivered price has the way taken off: packing, a share of fetching it, and tonnes times road kilometres to the
    site, by the parameters of the valuations. The buyer then has it fetched, so that the two ways compare.
    """
    said = formulas.read(terms.price)
    currency, lot = order.currency, look.lot
    per_usd = Decimal(1)
    is_formula = isinstance(said, formulas.Formula)
    is_delivered = terms.pickup == OrderTerms.Pickup.SELLER
    if is_formula or is_delivered:
        try:
            per_usd = rate_per_usd(currency, look.on)
        except RateMissing:
            return None
    if isinstance(said, formulas.Formula):
        if formulas.check(said, inputs=look.inputs, per_usd=per_usd):
            return None
        net = formulas.net_at_gate(said, look.inputs, currency=currency, per_usd=per_usd, seed=SEED)
        gross = net.typical
    else:
        gross = formulas.settle(
            said, kg=look.brought.mass_kg, kwh=lot.energy_kwh, currency=currency
        ).amount
    freight, km = Decimal(0), None
    if is_delivered:
        found = _way(terms, look, per_usd=per_usd)
        if found is None:
            return None
        freight, km = payable(found[0], currency), found[1]
    figures = {
        "currency": currency,
        "kg": _text(look.brought.mass_kg),
        "kwh": None if lot.energy_kwh is None else _text(lot.energy_kwh),
        "gross": _text(gross),
        "freight": _text(freight),
        "km": None if km is None else _text(km),
        "per_usd": _text(per_usd),
        "on": look.on.isoformat(),
        "terms": terms.price,
        "pickup": terms.pickup,
    }
    return Price(gross - freight, gross, freight, km, figures)


def _way(terms: OrderTerms, look: Look, *, per_usd: Decimal) -> tuple[Decimal, Decimal] | None:
    """Return what the way from the lot to the order's site costs in the order's currency, and its road kilometres."""
    if look.brought.position is None:
        return None
    site = (float(terms.site_latitude), float(terms.site_longitude))
    crow = Decimal(str(great_circle_km(site, look.brought.position)))
    km = (crow * look.market.numbers["ROAD_FACTOR"]).quantize(Decimal("0.1"))
    trip = replace(look.inputs.trip, km=Band.exactly(km))
    return formulas.way_usd(replace(look.inputs, trip=trip)) * per_usd, km


def live_orders(
    now: datetime, *, country: str | None = None, actor: Actor | None = None
) -> QuerySet[StandingOrder]:
    """Return what is bought now, oldest first, with its terms and buyer."""
    rows = StandingOrder.objects.all() if actor is None else StandingOrder.objects.visible_to(actor)
    found: QuerySet[StandingOrder] = rows.live(now, country=country).with_terms()
    return found.select_related("buyer").order_by("pk")


def book_of(lot: Lot, *, now: datetime, most_others: int = 6) -> Book:
    """Return who buys a lot now and for how much. A buyer whose licence would not allow it is among the others."""
    look = Look(lot, now.date())
    offers = [
        offer_of(order, order.now_terms, look)
        for order in live_orders(now, country=lot.country)[:MOST_ORDERS]
    ]
    fitting: list[Offer] = []
    others = [offer for offer in offers if not offer.fits]
    by_key = {offer.order.pk: offer for offer in offers if offer.fits}
    ranked = rules.best_first(
        rules.Ranked(pk, offer.price.at_gate) for pk, offer in by_key.items() if offer.price
    )
    for place in ranked:
        offer = by_key[place.key]
        if _may_take(offer, lot, on=now.date()):
            fitting.append(offer)
        else:
            others.append(replace(offer, price=None, misfits=(rules.Misfit.LICENCE,)))
    others.sort(key=lambda offer: (len(offer.misfits), offer.km or 0, offer.order.pk))
    return Book(lot, tuple(fitting), tuple(others[:most_others]))


def _may_take(offer: Offer, lot: Lot, *, on: date) -> bool:
    licence = bidding_licence(
        bidder_id=offer.order.buyer_id,
        chemistry_code=lot.chemistry_id,
        country=lot.country,
        mass_kg=lot.mass_kg or Decimal(0),
        on=on,
    )
    return licence is not None


def nearest_first(
    orders: Sequence[StandingOrder], here: tuple[float, float] | None
) -> list[tuple[StandingOrder, int | None]]:
    """Return orders with their distance in km from a place, nearest first; without one as they come."""
    if here is None:
        return [(order, None) for order in orders]
    found = [
        (
            order,
            round(
                great_circle_km(
                    here,
                    (float(order.now_terms.site_latitude), float(order.now_terms.site_longitude)),
                )
            ),
        )
        for order in orders
    ]
    return sorted(found, key=lambda pair: (pair[1], pair[0].pk))


def _position(latitude: Decimal | None, longitude: Decimal | None) -> tuple[float, float] | None:
    if latitude is None or longitude is None:
        return None
    return float(latitude), float(longitude)


def _text(number: Decimal) -> str:
    return f"{number.normalize():f}"
