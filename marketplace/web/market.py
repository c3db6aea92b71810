"""Auctions: what is open for bids, the panel on a lot's page, planning, deciding, and my bids."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.db.models import Max, Min
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET, require_POST, require_safe

from marketplace.accounts.capabilities import Capability
from marketplace.core.clock import database_clock
from marketplace.core.errors import Refused
from marketplace.core.money import payable
from marketplace.lots.models import Lot
from marketplace.market import queries, services
from marketplace.market.models import Auction, Award, Bid

from .http import Keyset, WebRequest, go, login_needed, page, refusals, told
from .questions import questions_of
from .templatetags.house import cell, money_text, number, relative
from .terms import kind_of, words_of

PAGE = 24
OFFERS_SHOWN = 50
LENGTHS = (
    ("24", lazy("1 day")),
    ("48", lazy("2 days")),
    ("72", lazy("3 days")),
    ("168", lazy("7 days")),
)
NUMBER_KEYS = {"inputmode": "decimal", "autocomplete": "off"}


# --- what is open for bids: cards; search.py finds them ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Card:
    """One lot of the list, with every word ready: a template tag per row costs more than the query."""

    href: str
    title: str
    cell: SafeString
    photo: str
    about: str
    price: str
    price_label: str
    per_kg: str
    bids: str
    ends: SafeString
    mine: str
    tone: str


def cards(
    request: WebRequest, rows: Any, away: Mapping[int, int | None] | None = None
) -> Iterator[Card]:
    """Yield the cards of a page of auctions: two queries, whatever their number.

    :param away: how many metres from the place asked for each auction's lot is
    """
    now = timezone.now()
    photos = _first_photos(request, rows)
    mine = _my_best(request, rows)
    cells: dict[str | None, SafeString] = {}
    photo_url = reverse("lot-photo", args=[0, 0]).replace("0/photos/0", "{}/photos/{}")
    lot_url = reverse("lot", args=[0]).replace("/0/", "/{}/")
    for row in rows:
        lot = row.lot
        if lot.chemistry_id not in cells:
            cells[lot.chemistry_id] = cell(lot.chemistry, "small")
        shown = queries.price_shown(row, now)
        price = row.starting_price if shown is None else shown
        photo = photos.get(lot.pk)
        own, tone = _own_words(row, request.actor.organisation_id) if row.pk in mine else ("", "")
        yield Card(
            href=lot_url.format(lot.pk),
            title=title_of(lot),
            cell=cells[lot.chemistry_id],
            photo=f"{photo_url.format(lot.pk, photo)}?w=320" if photo else "",
            about=f"{number(lot.mass_kg)} kg · {lot.place}, {lot.country}"
            + ("" if (metres := (away or {}).get(row.pk)) is None else f" · {_km(metres)}"),
            price=money_text(price, row.currency),
            price_label=_price_label(row, shown),
            per_kg=money_text(
                (price / lot.mass_kg).quantize(Decimal("0.01")), row.currency, exact=True
            )
            if lot.mass_kg
            else "",
            bids=_bids_words(row),
            ends=format_html(
                '<time datetime="{}" data-end>{}</time>',
                row.closes_at.isoformat(timespec="seconds"),
                relative(row.closes_at),
            ),
            mine=own,
            tone=tone,
        )


def _km(metres: int) -> str:
    """Return a distance as a buyer reads it. Places are known to about a kilometre."""
    return _("%(km)s km away") % {"km": number(max(1, round(metres / 1000)))}


def _price_label(row: Auction, shown: Decimal | None) -> str:
    if row.mode == Auction.Mode.DUTCH:
        return _("Falls now") if row.taken_at is None else _("Taken at")
    if row.mode == Auction.Mode.REVERSE:
        return _("Seller pays at most") if shown is None else _("Taken for")
    has_bids = row.bid_count and not queries.is_hidden(row)
    return _("Best bid") if has_bids else _("Starts at")


def _bids_words(row: Auction) -> str:
    if row.mode == Auction.Mode.DUTCH:
        return _("First to take it") if row.taken_at is None else _("Sealed bids")
    if queries.is_hidden(row):
        return _("Sealed bids")
    if not row.bid_count:
        return _("No bids yet")
    return ngettext("%(count)s bid", "%(count)s bids", row.bid_count) % {"count": row.bid_count}


def _first_photos(request: WebRequest, rows: Any) -> dict[int, int]:
    lots = Lot.objects.visible_to(request.actor).filter(pk__in=[row.lot_id for row in rows])
    firsts = lots.filter(photos__isnull=False).values_list("pk").annotate(photo=Min("photos"))
    return dict(firsts.order_by())


def _my_best(request: WebRequest, rows: Any) -> dict[int, Decimal | None]:
    """Return my best bid by auction; none where it lies in its envelope."""
    if not request.actor.may(Capability.BID_PLACE):
        return {}
    mine = Bid.objects.visible_to(request.actor).filter(
        bidder_id=request.actor.organisation_id, auction__in=[row.pk for row in rows]
    )
    reverse_ones = {row.pk for row in rows if row.mode == Auction.Mode.REVERSE}
    found = mine.order_by().values_list("auction_id")
    return {
        pk: least if pk in reverse_ones else most
        for pk, most, least in found.annotate(most=Max("maximum"), least=Min("maximum"))
    }


def _own_words(row: Auction, organisation_id: int | None) -> tuple[str, str]:
    if row.mode == Auction.Mode.DUTCH and row.leader_id == organisation_id:
        return _("You lead"), "ok"
    if queries.is_hidden(row):
        return _("Your bid is in"), "ok"
    if row.leader_id == organisation_id:
        return _("You lead"), "ok"
    return _("You are outbid"), "warn"


def title_of(lot: Lot) -> str:
    """Return what a lot is called in lists: "NMC · Scooter"."""
    kind = lot.chemistry.letters if lot.chemistry else _("Kind not known")
    return f"{kind} · {lot.get_origin_display()}"


# --- the panel on a lot's page ----------------------------------------------------------------------------


class BidForm(forms.Form):
    maximum = forms.DecimalField(
        label=lazy("Your highest bid for the whole lot"),  # said otherwise by ``_asks``
        max_digits=20,
        decimal_places=6,
        widget=forms.TextInput(attrs=NUMBER_KEYS),
        error_messages={
            "required": lazy("Write how much you bid."),
            "invalid": lazy("Write the amount in numbers, as 18500."),
        },
    )
    currency = forms.CharField(max_length=3, widget=forms.HiddenInput)
    request_id = forms.UUIDField(widget=forms.HiddenInput)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def clean_maximum(self) -> Decimal:
        amount: Decimal = self.cleaned_data["maximum"]
        return amount.quantize(Decimal("0.01")) if amount == amount.to_integral() else amount


def panel(request: WebRequest, lot: Lot) -> dict[str, Any]:
    """Return what a page needs to include ``web/market/auction_panel.html``: the lot's latest auction, if any."""
    auction = queries.current_auction(lot, request.actor)
    if auction is None:
        may_plan = (
            request.actor.may(Capability.AUCTION_OPEN)
            and request.actor.organisation_id == lot.seller_id
            and lot.status in (Lot.Status.PRICED, Lot.Status.UNSOLD)
        )
        return {"view": None, "bid_form": None, "may_plan": may_plan}
    return _panel(request, auction)


def _panel(request: WebRequest, auction: Auction, form: BidForm | None = None) -> dict[str, Any]:
    view = queries.view_of(auction, request.actor, now=timezone.now())
    started = BidForm(initial={"currency": auction.currency, "request_id": uuid4()})
    if view.stage == "FALLING":
        started.initial["maximum"] = _plain(view.least)
    _asks(form or started, view)
    is_sellers = view.is_sellers and request.actor.may(Capability.AUCTION_OPEN)
    return {
        "view": view,
        "auction": auction,
        "bid_form": form or started,
        "sign": sign_of(auction.currency),
        "offers": _offers(request, view) if is_sellers else [],
        "may_plan": is_sellers and auction.lot.status in (Lot.Status.PRICED, Lot.Status.UNSOLD),
        "must_decide": is_sellers and auction.status == Auction.Status.SELLER_DECISION,
        "may_withdraw": is_sellers
        and (view.is_planned or (view.is_open and not view.is_sealed and not auction.bid_count)),
    }


def _asks(form: BidForm, view: queries.AuctionView) -> None:
    """Let the form ask for what this kind of auction wants to know."""
    if view.stage == "FALLING":
        form.fields["maximum"].label = _("Up to this price you take it now")
    elif view.is_reverse:
        form.fields["maximum"].label = _("The least for which you take the whole lot")
    elif view.is_sealed:
        form.fields["maximum"].label = _("Your bid for the whole lot")


@dataclass(frozen=True, slots=True)
class OfferLine:
    """One sealed bid as its seller reads it after the end."""

    letter: str
    kind: str
    figure: Decimal
    worst: Decimal
    words: list[str]


def _offers(request: WebRequest, view: queries.AuctionView) -> list[OfferLine]:
    """Return the bids of a sealed auction after its end, best first, if any of them has terms."""
    if not view.is_sealed or view.auction.closed_at is None:
        return []
    bids = list(
        Bid.objects.visible_to(request.actor)
        .filter(auction=view.auction)
        .order_by("-maximum", "pk")[:OFFERS_SHOWN]
    )
    if not any(row.terms for row in bids):
        return []
    letters = queries.letters_of(view.auction)
    return [
        OfferLine(
            letter=letters[row.bidder_id],
            kind=kind_of(row.terms) if row.terms else _("Amount"),
            figure=row.amount,
            worst=Decimal(row.figures["worst"]) if row.figures else row.amount,
            words=words_of(row.terms, view.currency) if row.terms else [],
        )
        for row in bids
    ]


@require_safe
def auction(request: WebRequest, pk: int) -> HttpResponse:
    """The page of one auction: the panel by itself. The lot's page shows it among the photos."""
    found = _visible(request, pk)
    return _auction_page(request, found)


def _auction_page(
    request: WebRequest, found: Auction, form: BidForm | None = None, *, status: int = 200
) -> HttpResponse:
    context = {
        "title": title_of(found.lot),
        "lot": found.lot,
        "before": queries.attempts_before(found) if found.attempt > 1 else [],
        "lost": queries.why_lost(found, request.actor),
        **questions_of(request, found),
    } | _panel(request, found, form)
    return page(request, "web/market/auction.html", context, fragment="panel", status=status)


@require_GET
def auction_live(request: WebRequest, pk: int) -> HttpResponse:
    """The part of the panel that others change, for polling: unchanged it costs no rendering."""
    found = _visible(request, pk)
    context = _panel(request, found)
    view: queries.AuctionView = context["view"]
    etag = f'"{view.etag}-{request.actor.organisation_id}-{get_language()}-{view.is_open}"'
    if unchanged := get_conditional_response(request, etag=etag):
        return unchanged
    response = page(request, "web/market/auction_panel.html#live", context)
    response["ETag"] = etag
    patch_cache_control(response, no_cache=True, private=True)
    return response


@login_needed
@require_POST
def bid(request: WebRequest, pk: int) -> HttpResponse:
    """Place a bid. One that is very high comes back once, to be confirmed."""
    found = _visible(request, pk)
    form = BidForm(request.POST)
    if form.is_valid():
        try:
            placed = services.place_bid(
                found, actor=request.actor, clock=database_clock, **form.cleaned_data
            )
        except Refused as refusal:
            if refusal.code == "confirm_high_bid":
                return _ask_back(request, found, form)
            field = refusal.field if refusal.field == "maximum" else None
            form.add_error(field, refusal.message)
        else:
            messages.success(request, _said(placed))
            return go(request, "lot", found.lot_id)
    found = _visible(request, pk)
    return _auction_page(request, found, form, status=422)


def _said(placed: Bid) -> str:
    if placed.price_after is None:
        return _(
            "Your bid is in, sealed. Nobody sees it before the end: write it down for yourself."
        )
    if placed.auction.mode == Auction.Mode.DUTCH and placed.leads:
        return _("You took it. Others may now bid above you, sealed; then you have the last word.")
    if placed.leads:
        return _("You lead.")
    return _("Another buyer had already offered more. Bid again to lead.")


def _ask_back(request: WebRequest, found: Auction, form: BidForm) -> HttpResponse:
    again = BidForm(initial=form.cleaned_data | {"confirmed": True})
    view = queries.view_of(found, request.actor, now=timezone.now())
    context = {
        "auction": found,
        "view": view,
        "title": title_of(found.lot),
        "form": again,
        "maximum": form.cleaned_data["maximum"],
        "leading": view.price if view.price is not None else view.least,
    }
    return page(request, "web/market/confirm.html", context, fragment="confirm", status=422)


@login_needed
@require_POST
def withdraw_auction(request: WebRequest, pk: int) -> HttpResponse:
    found = _visible(request, pk)
    with told(request):
        services.withdraw_auction(found, actor=request.actor, now=timezone.now())
        messages.success(request, _("The auction is withdrawn, and the lot with it."))
    return go(request, "lot", found.lot_id)


def _visible(request: WebRequest, pk: int) -> Auction:
    rows = Auction.objects.visible_to(request.actor).select_related("lot__chemistry")
    return get_object_or_404(rows, pk=pk)


def sign_of(currency: str) -> str:
    """Return how a currency is written beside a number."""
    return money_text(0, currency).replace("0", "").strip("\u00a0 ") or currency


# --- the seller: plan and decide -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to sell, in plain words, and what its form asks for."""

    mode: str
    label: str | Promise
    why: str | Promise
    start: str | Promise
    reserve: str | Promise
    reserve_why: str | Promise


SECRET = lazy("Secret. Below it you need not sell.")
KINDS = (
    Kind(
        Auction.Mode.OPEN,
        lazy("Rising, open"),
        lazy("Everybody sees the best bid and may go higher. Good when several want it."),
        lazy("Bidding starts at"),
        lazy("Your reserve"),
        SECRET,
    ),
    Kind(
        Auction.Mode.SEALED,
        lazy("Sealed"),
        lazy("One bid each, unseen until the end. The highest wins and pays what it says."),
        lazy("Bidding starts at"),
        lazy("Your reserve"),
        SECRET,
    ),
    Kind(
        Auction.Mode.SECOND_PRICE,
        lazy("Sealed, second price"),
        lazy("The highest wins and pays the second best bid, so nobody needs to guess the others."),
        lazy("Bidding starts at"),
        lazy("Your reserve"),
        SECRET,
    ),
    Kind(
        Auction.Mode.DUTCH,
        lazy("Falling price"),
        lazy("The price falls until somebody takes it; then others may go above, sealed. Fast."),
        lazy("The price falls from"),
        lazy("Down to"),
        lazy("The lowest price at which you sell. Buyers see it."),
    ),
)


class PlanForm(forms.Form):
    mode = forms.ChoiceField(
        label=lazy("How buyers bid"),
        choices=Auction.Mode.choices,
        initial=Auction.Mode.OPEN,
        widget=forms.HiddenInput,
    )
    starting_price = forms.DecimalField(
        label=lazy("Bidding starts at"),
        max_digits=14,
        decimal_places=2,
        widget=forms.TextInput(attrs=NUMBER_KEYS),
    )
    reserve = forms.DecimalField(
        label=lazy("Your reserve"),
        help_text=lazy("Secret. Below it you need not sell."),
        max_digits=14,
        decimal_places=2,
        widget=forms.TextInput(attrs=NUMBER_KEYS),
    )
    step = forms.DecimalField(
        label=lazy("Smallest step between bids"),
        max_digits=14,
        decimal_places=2,
        widget=forms.TextInput(attrs=NUMBER_KEYS),
    )
    hours = forms.TypedChoiceField(
        label=lazy("Open for"), choices=LENGTHS, initial="48", coerce=int
    )
    request_id = forms.UUIDField(widget=forms.HiddenInput)


@login_needed
def plan_auction(request: WebRequest, pk: int) -> HttpResponse:
    """Let the seller offer a lot for bids, from terms that its valuation suggests."""
    lots = Lot.objects.visible_to(request.actor).select_related("chemistry", "seller")
    lot = get_object_or_404(lots, pk=pk)
    request.actor.require(Capability.AUCTION_OPEN, of=lot.seller_id)
    suggestion = queries.suggested_terms(lot)
    initial: dict[str, Any] = {"request_id": uuid4()}
    if suggestion:
        initial |= {
            name: _plain(getattr(suggestion, name))
            for name in ("starting_price", "reserve", "step")
        }
    asked = request.POST.get("mode") or request.GET.get("mode")
    kind = next((each for each in KINDS if each.mode == asked), KINDS[0])
    if suggestion:
        lower = queries.lower_start(lot, suggestion.starting_price, lot.seller.currency)
        initial["starting_price"] = _plain(lower)
    if suggestion and kind.mode == Auction.Mode.DUTCH:  # from hope to the low end of its worth
        top = suggestion.valuation.high if suggestion.valuation else suggestion.reserve
        initial |= {
            "starting_price": _plain(max(payable(top, lot.seller.currency), suggestion.reserve)),
            "reserve": _plain(suggestion.starting_price),
        }
    form = PlanForm(request.POST or None, initial=initial | {"mode": kind.mode})
    form.fields["starting_price"].label = str(kind.start)
    form.fields["reserve"].label = str(kind.reserve)
    form.fields["reserve"].help_text = str(kind.reserve_why)
    if request.method == "POST" and form.is_valid():
        terms = dict(form.cleaned_data)
        now = timezone.now()
        with refusals(form):
            services.open_auction(
                lot,
                actor=request.actor,
                opens_at=now,
                closes_at=now + timedelta(hours=terms.pop("hours")),
                now=now,
                **terms,
            )
            messages.success(request, _("Your lot is open for bids."))
            return go(request, "lot", lot.pk)
    context = {
        "lot": lot,
        "title": title_of(lot),
        "form": form,
        "valuation": suggestion.valuation if suggestion else None,
        "sign": sign_of(lot.seller.currency),
        "is_ready": lot.status in (Lot.Status.PRICED, Lot.Status.UNSOLD),
        "before": queries.attempts_of(lot),
        "kinds": KINDS,
        "kind": kind,
    }
    status = 422 if form.errors else 200
    return page(request, "web/market/plan.html", context, fragment="plan", status=status)


class DecisionForm(forms.Form):
    accept = forms.TypedChoiceField(
        choices=[("1", lazy("Sell")), ("0", lazy("Do not sell"))], coerce=lambda value: value == "1"
    )


@login_needed
def decision(request: WebRequest, pk: int) -> HttpResponse:
    """Let the seller take the best bid although it is below the reserve, or not."""
    found = _visible(request, pk)
    request.actor.require(Capability.AUCTION_OPEN, of=found.lot.seller_id)
    form = DecisionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with refusals(form):
            services.decide(found, actor=request.actor, now=timezone.now(), **form.cleaned_data)
            said = (
                _("Sold. Sign the contract next.")
                if form.cleaned_data["accept"]
                else _("Not sold. You can offer the lot again.")
            )
            messages.success(request, said)
            return go(request, "lot", found.lot_id)
    if found.status != Auction.Status.SELLER_DECISION and not form.errors:
        return go(request, "lot", found.lot_id)
    context = {
        "auction": found,
        "title": title_of(found.lot),
        "form": form,
        "missing": found.reserve - (found.price or Decimal(0)),
    }
    status = 422 if form.errors else 200
    return page(request, "web/market/decision.html", context, status=status)


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}" if amount == amount.to_integral() else f"{amount:f}"


# --- the buyer: my bids ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MyBid:
    """Where one bidder stands in one auction."""

    auction: Auction
    title: str
    maximum: Decimal | None
    price: Decimal | None
    words: str | Promise
    tone: str


@login_needed
@require_safe
def my_bids(request: WebRequest) -> HttpResponse:
    """List the auctions I bid in: those that are open and where I am outbid first."""
    request.actor.require(Capability.BID_PLACE)
    mine = Bid.objects.visible_to(request.actor).filter(bidder_id=request.actor.organisation_id)
    rows = (
        Auction.objects.visible_to(request.actor)
        .filter(pk__in=mine.values("auction_id"))
        .select_related("lot__chemistry")
    )
    shown = Keyset(rows, "-closes_at", "-pk", size=PAGE, after=request.GET.get("after"))
    best = _my_best(request, shown.rows)
    won = _my_awards(request, shown.rows)
    context = {
        "page": shown,
        "bids": [
            _my_bid(row, best[row.pk], won.get(row.pk), request.actor.organisation_id)
            for row in shown.rows
        ],
    }
    return page(request, "web/market/bids.html", context)


def _my_awards(request: WebRequest, rows: Any) -> dict[int, Award]:
    mine = Award.objects.visible_to(request.actor).filter(
        bidder_id=request.actor.organisation_id, auction__in=[row.pk for row in rows]
    )
    return {award.auction_id: award for award in mine if award.auction_id is not None}


def _my_bid(row: Auction, maximum: Decimal | None, award: Award | None, me: int | None) -> MyBid:
    is_running = row.status == Auction.Status.OPEN
    words: tuple[str | Promise, str]
    if award is not None:
        words = award.get_status_display(), "ok" if award.status == Award.Status.WON else ""
    elif is_running:
        words = _own_words(row, me)
    elif row.status == Auction.Status.OPENING:
        words = _("Bids are being opened"), ""
    elif row.status == Auction.Status.SELLER_DECISION and row.leader_id == me:
        words = _("The seller decides"), "warn"
    else:
        words = _("Not won"), ""
    price = None if queries.is_hidden(row) and row.taken_at is None else row.price
    return MyBid(row, title_of(row.lot), maximum, price, *words)
