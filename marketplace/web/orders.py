"""Standing orders: what is bought, my orders, the form, and "sell now" on a lot's page."""

from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Licence, Organisation
from marketplace.core.clock import database_clock
from marketplace.core.errors import Refused
from marketplace.lots.models import HealthClaim, Lot
from marketplace.market import queries, services
from marketplace.market.models import OrderFill, OrderTerms, StandingOrder
from marketplace.market.services.filling import SAID, SELLABLE
from marketplace.reference.models import Chemistry, Country

from .http import Keyset, WebRequest, go, login_needed, page, refusals, told
from .market import NUMBER_KEYS, sign_of
from .terms import words_of

PAGE = 24
BOARD = 100
KG: dict[str, Any] = {"max_digits": 12, "decimal_places": 3}


# --- what is bought -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderCard:
    """One order with every word ready."""

    order: StandingOrder
    terms: OrderTerms
    kinds: str
    price: str
    km: int | None
    is_mine: bool


class WhereForm(forms.Form):
    country = forms.ChoiceField(label=lazy("Country"), required=False)
    kind = forms.ChoiceField(label=lazy("Kind"), required=False)

    def __init__(self, *args: Any, actor: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lands = Country.objects.visible_to(actor).order_by("name").values_list("code", "name")
        kinds = Chemistry.objects.visible_to(actor).order_by("letters", "code")
        self.fields["country"].choices = [("", _("Any")), *lands]  # type: ignore[attr-defined]
        self.fields["kind"].choices = [  # type: ignore[attr-defined]
            ("", _("Any")),
            *kinds.values_list("code", "name"),
        ]


@require_safe
def orders(request: WebRequest) -> HttpResponse:
    """The board: what is bought now, nearest to me first. For everybody; without names, as bids."""
    actor, now = request.actor, timezone.now()
    form = WhereForm(request.GET or None, actor=actor, initial={"country": actor.country})
    asked = form.cleaned_data if form.is_bound and form.is_valid() else {}
    country = asked.get("country", "" if form.is_bound else actor.country)
    found = queries.live_orders(now, country=country or None, actor=actor)
    if asked.get("kind"):
        found = found.filter(terms__materials__contains=[asked["kind"]]).distinct()
    near = queries.nearest_first(list(found[:BOARD]), _home(request))
    context = {
        "form": form,
        "cards": [_card(request, order, km) for order, km in near],
        "may_buy": actor.may(Capability.BID_PLACE),
    }
    return page(request, "web/orders/board.html", context)


@login_needed
@require_safe
def my_orders(request: WebRequest) -> HttpResponse:
    """My standing orders, newest first."""
    buyer_id = request.actor.require(Capability.BID_PLACE)
    rows: QuerySet[StandingOrder] = (
        StandingOrder.objects.visible_to(request.actor).with_terms().filter(buyer_id=buyer_id)
    )
    shown = Keyset(rows, "-pk", size=PAGE, after=request.GET.get("after"))
    context = {"page": shown, "cards": [_card(request, order, None) for order in shown.rows]}
    return page(request, "web/orders/mine.html", context)


@require_safe
def order(request: WebRequest, pk: int) -> HttpResponse:
    """One order: what it takes and pays. Its buyer also sees what was sold to it, and stops it here."""
    found = _visible(request, pk)
    is_mine = found.buyer_id == request.actor.organisation_id
    fills = OrderFill.objects.visible_to(request.actor).filter(order=found)
    context = {
        "card": _card(request, found, None),
        "is_mine": is_mine and request.actor.may(Capability.BID_PLACE),
        "is_open": found.status in StandingOrder.OPEN,
        "why_paused": found.get_paused_display() if found.paused else "",
        "fills": fills.select_related("lot__chemistry", "award").order_by("-pk")[:50],
    }
    return page(request, "web/orders/order.html", context)


def _home(request: WebRequest) -> tuple[float, float] | None:
    mine = Organisation.objects.visible_to(request.actor).filter(
        pk=request.actor.organisation_id or 0
    )
    me = mine.first()
    if me is None or me.latitude is None or me.longitude is None:
        return None
    return float(me.latitude), float(me.longitude)


def _card(request: WebRequest, order: StandingOrder, km: int | None) -> OrderCard:
    terms = order.now_terms
    return OrderCard(
        order=order,
        terms=terms,
        kinds=", ".join(terms.materials),
        price=" ".join(words_of(terms.price, order.currency)),
        km=km,
        is_mine=order.buyer_id == request.actor.organisation_id,
    )


def _visible(request: WebRequest, pk: int) -> StandingOrder:
    rows = StandingOrder.objects.visible_to(request.actor).with_terms()
    return get_object_or_404(rows, pk=pk)


# --- the buyer ------------------------------------------------------------------------------------------------


class OrderForm(forms.Form):
    materials = forms.MultipleChoiceField(
        label=lazy("Kinds you buy"), widget=forms.CheckboxSelectMultiple
    )
    condition = forms.ChoiceField(
        label=lazy("Condition"),
        choices=[
            ("INTACT", lazy("Sound ones")),
            ("DAMAGED", lazy("Damaged ones")),
            ("BOTH", lazy("Both")),
        ],
        initial="INTACT",
        widget=forms.RadioSelect,
    )
    price_kind = forms.ChoiceField(
        label=lazy("You pay"),
        choices=[("PER_KG", lazy("Per kg")), ("PER_KWH", lazy("Per kWh"))],
        initial="PER_KG",
        widget=forms.RadioSelect,
    )
    amount = forms.DecimalField(
        label=lazy("Price"),
        max_digits=14,
        decimal_places=2,
        widget=forms.TextInput(attrs=NUMBER_KEYS),
    )
    pickup = forms.ChoiceField(
        label=lazy("The way"),
        choices=OrderTerms.Pickup.choices,
        initial=OrderTerms.Pickup.BUYER,
        widget=forms.RadioSelect,
    )
    kg_from = forms.DecimalField(
        label=lazy("Smallest lot, kg"), widget=forms.TextInput(attrs=NUMBER_KEYS), **KG
    )
    kg_to = forms.DecimalField(
        label=lazy("Largest lot, kg"), widget=forms.TextInput(attrs=NUMBER_KEYS), **KG
    )
    capacity_kg = forms.DecimalField(
        label=lazy("In all, kg"), widget=forms.TextInput(attrs=NUMBER_KEYS), **KG
    )
    budget = forms.DecimalField(
        label=lazy("Budget"),
        help_text=lazy("Held safely from now on, so that sellers can rely on it."),
        max_digits=14,
        decimal_places=2,
        widget=forms.TextInput(attrs=NUMBER_KEYS),
    )
    country = forms.ChoiceField(label=lazy("Country"))
    within_km = forms.IntegerField(
        label=lazy("Within, km of your site"),
        help_text=lazy("Empty: the whole country."),
        required=False,
        min_value=1,
        max_value=20_000,
    )
    health_from = forms.IntegerField(
        label=lazy("Health from, %"), required=False, min_value=0, max_value=120
    )
    health_to = forms.IntegerField(
        label=lazy("Health up to, %"), required=False, min_value=0, max_value=120
    )
    health_basis = forms.ChoiceField(
        label=lazy("Health of"),
        required=False,
        choices=[("", lazy("Any, also untested")), *HealthClaim.Basis.choices[:2]],
    )
    until = forms.DateField(
        label=lazy("Buys until"), widget=forms.DateInput(attrs={"type": "date"})
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, actor: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        covered = Licence.objects.visible_to(actor).filter(
            organisation_id=actor.organisation_id, status=Licence.Status.VERIFIED
        )
        codes = {
            code for materials in covered.values_list("materials", flat=True) for code in materials
        }
        lands = set(covered.values_list("country", flat=True)) or {actor.country}
        kinds = (
            Chemistry.objects.visible_to(actor).filter(code__in=codes).order_by("letters", "code")
        )
        countries = Country.objects.visible_to(actor).filter(code__in=lands)
        self.fields["materials"].choices = list(kinds.values_list("code", "name"))  # type: ignore[attr-defined]
        self.fields["country"].choices = list(countries.values_list("code", "name"))  # type: ignore[attr-defined]

    def said(self) -> services.OrderSaid:
        """Return what the form says in the words of the service."""
        given = self.cleaned_data
        hundredth = Decimal("0.01")

        def share(name: str) -> Decimal | None:
            return None if given[name] is None else given[name] * hundredth

        return services.OrderSaid(
            materials=given["materials"],
            takes_intact=given["condition"] != "DAMAGED",
            takes_damaged=given["condition"] != "INTACT",
            price={"kind": given["price_kind"], "price": str(given["amount"])},
            pickup=given["pickup"],
            kg_from=given["kg_from"],
            kg_to=given["kg_to"],
            capacity_kg=given["capacity_kg"],
            budget=given["budget"],
            country=given["country"],
            within_km=given["within_km"],
            health_from=share("health_from"),
            health_to=share("health_to"),
            health_basis=given["health_basis"],
            valid_until=timezone.make_aware(datetime.combine(given["until"], time(23, 59))),
        )


@login_needed
def order_new(request: WebRequest) -> HttpResponse:
    """Publish a standing order."""
    request.actor.require(Capability.BID_PLACE)
    form = OrderForm(request.POST or None, actor=request.actor, initial={"request_id": uuid4()})
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            made = services.publish_order(
                actor=request.actor,
                said=form.said(),
                request_id=form.cleaned_data["request_id"],
                now=timezone.now(),
            )
            messages.success(request, _("Your order is published. Sellers see it now."))
            return go(request, "order", made.pk)
    return _order_form(request, form, None)


@login_needed
def order_change(request: WebRequest, pk: int) -> HttpResponse:
    """Say an order anew. What was sold to it stays sold."""
    found = _visible(request, pk)
    request.actor.require(Capability.BID_PLACE, of=found.buyer_id)
    form = OrderForm(request.POST or None, actor=request.actor, initial=_initial(found))
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            services.change_order(
                found,
                actor=request.actor,
                said=form.said(),
                request_id=form.cleaned_data["request_id"],
                now=timezone.now(),
            )
            messages.success(request, _("Your order is changed."))
            return go(request, "order", pk)
    return _order_form(request, form, found)


def _order_form(request: WebRequest, form: OrderForm, found: StandingOrder | None) -> HttpResponse:
    mine = Organisation.objects.visible_to(request.actor)
    currency = mine.values_list("currency", flat=True).get(pk=request.actor.organisation_id or 0)
    context = {"form": form, "order": found, "sign": sign_of(currency)}
    status = 422 if form.errors else 200
    return page(request, "web/orders/form.html", context, status=status)


def _initial(found: StandingOrder) -> dict[str, Any]:
    terms = found.now_terms
    both = terms.takes_intact and terms.takes_damaged
    plain = terms.price if terms.price["kind"] != "FORMULA" else {"kind": "PER_KG", "price": ""}
    return {
        "request_id": uuid4(),
        "materials": terms.materials,
        "condition": "BOTH" if both else "INTACT" if terms.takes_intact else "DAMAGED",
        "price_kind": plain["kind"],
        "amount": plain["price"],
        "pickup": terms.pickup,
        "kg_from": _short(terms.kg_from),
        "kg_to": _short(terms.kg_to),
        "capacity_kg": _short(found.left_kg),
        "budget": _short(found.budget_left),
        "country": terms.country,
        "within_km": terms.within_km,
        "health_from": None if terms.health_from is None else int(terms.health_from * 100),
        "health_to": None if terms.health_to is None else int(terms.health_to * 100),
        "health_basis": terms.health_basis,
        "until": terms.valid_until.date(),
    }


def _short(number: Decimal) -> str:
    return f"{number.normalize():f}"


@login_needed
@require_POST
def order_pause(request: WebRequest, pk: int) -> HttpResponse:
    found = _visible(request, pk)
    with told(request):
        services.pause_order(found, actor=request.actor, now=timezone.now())
        messages.success(request, _("Paused. Nothing is bought until you buy again."))
    return go(request, "order", pk)


@login_needed
@require_POST
def order_resume(request: WebRequest, pk: int) -> HttpResponse:
    found = _visible(request, pk)
    with told(request):
        services.resume_order(found, actor=request.actor, now=timezone.now())
        messages.success(request, _("Your order buys again."))
    return go(request, "order", pk)


@login_needed
@require_POST
def order_cancel(request: WebRequest, pk: int) -> HttpResponse:
    found = _visible(request, pk)
    with told(request):
        services.cancel_order(found, actor=request.actor, now=timezone.now())
        messages.success(request, _("The order is over. What was left of its budget is free."))
    return go(request, "order", pk)


# --- the seller: on the lot's page ---------------------------------------------------------------------------


class SellForm(forms.Form):
    order = forms.IntegerField(widget=forms.HiddenInput)
    version = forms.IntegerField(widget=forms.HiddenInput)
    price = forms.DecimalField(max_digits=14, decimal_places=2, widget=forms.HiddenInput)
    request_id = forms.UUIDField(widget=forms.HiddenInput)


@dataclass(frozen=True, slots=True)
class Reason:
    """An order that does not buy the lot, and why."""

    place: str
    km: int | None
    why: str


def sell_panel(request: WebRequest, lot: Lot) -> dict[str, Any]:
    """Return what ``web/orders/panel.html`` needs: for its seller, who buys the lot now and for how much."""
    is_free = lot.status in SELLABLE and lot.mass_kg is not None
    if not is_free or request.actor.organisation_id != lot.seller_id:
        return {"book": None}
    if not request.actor.may(Capability.DEAL_SELL):
        return {"book": None}
    book = queries.book_of(lot, now=timezone.now())
    best = book.best
    form = None
    if best is not None and best.price is not None:
        form = SellForm(
            initial={
                "order": best.order.pk,
                "version": best.order.version,
                "price": best.price.at_gate,
                "request_id": uuid4(),
            }
        )
    return {
        "book": book,
        "best": best,
        "sell_form": form,
        "further": book.fitting[1:4],
        "reasons": [
            Reason(
                offer.terms.site_place, offer.km, ", ".join(str(SAID[why]) for why in offer.misfits)
            )
            for offer in book.others
        ],
    }


@login_needed
@require_POST
def sell_now(request: WebRequest, pk: int) -> HttpResponse:
    """Sell a lot to a standing order with one tap."""
    lots = Lot.objects.visible_to(request.actor).select_related("seller")
    lot = get_object_or_404(lots, pk=pk)
    form = SellForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Reload the page, and sell again."))
        return go(request, "lot", pk)
    asked = dict(form.cleaned_data)
    rows = StandingOrder.objects.visible_to(request.actor)
    order = rows.filter(pk=asked.pop("order")).first()
    if order is None:
        messages.error(request, _("This order is over. Look at the other offers."))
        return go(request, "lot", pk)
    try:
        services.sell_now(lot, order=order, actor=request.actor, clock=database_clock, **asked)
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("Sold. Sign the contract next."))
    return go(request, "lot", pk)
