"""What is open for bids: the list that buyers narrow down, and the same as a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_safe

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.errors import Refused
from marketplace.core.tables import csv_lines
from marketplace.lots.models import Lot
from marketplace.market import queries
from marketplace.market.models import Auction
from marketplace.market.rules.search import Sort, Wanted
from marketplace.pricing.models import Valuation
from marketplace.reference.models import Chemistry, Country

from .http import WebRequest, page
from .market import cards

PAGE = 24
FILE_PAGE = 500
FILE_ROWS = 5_000
SOON_HOURS = 24
SORTS = (
    (Sort.ENDS, lazy("What ends first")),
    (Sort.NEAR, lazy("Nearest first")),
    (Sort.PRICE, lazy("Cheapest kilogram first")),
    (Sort.NEWEST, lazy("Newest first")),
)
MASS: dict[str, Any] = {
    "required": False,
    "min_value": 0,
    "max_digits": 9,
    "decimal_places": 3,
}
MONEY: dict[str, Any] = {
    "required": False,
    "min_value": 0,
    "max_digits": 14,
    "decimal_places": 2,
}
DAY = forms.DateInput(attrs={"type": "date"})


class FilterForm(forms.Form):
    """What a buyer looks for. Everything may be left empty; nonsense finds nothing and is told so."""

    q = forms.CharField(label=lazy("Words"), required=False, max_length=60)
    near = forms.CharField(
        label=lazy("Near"),
        required=False,
        max_length=80,
        help_text=lazy("A town. Empty: your own site."),
    )
    within_km = forms.IntegerField(
        label=lazy("Within, km"), required=False, min_value=1, max_value=20_000
    )
    sort = forms.ChoiceField(label=lazy("Order"), required=False, choices=SORTS)
    chemistry = forms.ChoiceField(label=lazy("Kind"), required=False)
    origin = forms.ChoiceField(
        label=lazy("Came from"), required=False, choices=[("", lazy("Any")), *Lot.Origin.choices]
    )
    country = forms.ChoiceField(label=lazy("Country"), required=False)
    kg_from = forms.DecimalField(label=lazy("At least, kg"), **MASS)
    kg_to = forms.DecimalField(label=lazy("At most, kg"), **MASS)
    health_from = forms.DecimalField(
        label=lazy("Health at least, %"),
        required=False,
        min_value=0,
        max_value=120,
        max_digits=4,
        decimal_places=1,
    )
    price_to = forms.DecimalField(label=lazy("At most a kilogram"), **MONEY)
    route = forms.ChoiceField(
        label=lazy("Good for"),
        required=False,
        choices=[("", lazy("Any")), *Valuation.Route.choices],
    )
    mode = forms.ChoiceField(
        label=lazy("Auction"),
        required=False,
        choices=[("", lazy("Any")), *Auction.Mode.choices],
    )
    ends_from = forms.DateField(label=lazy("Ends on or after"), required=False, widget=DAY)
    ends_to = forms.DateField(label=lazy("Ends on or before"), required=False, widget=DAY)
    soon = forms.BooleanField(label=lazy("Ends within a day"), required=False)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor
        self.currency = queries.currency_of(actor)
        letters = Chemistry.objects.visible_to(actor).order_by("letters")
        kinds = list(dict.fromkeys(letters.values_list("letters", flat=True)))
        lands = Country.objects.visible_to(actor).order_by("name").values_list("code", "name")
        self.fields["chemistry"].choices = [("", _("Any")), *((kind, kind) for kind in kinds)]  # type: ignore[attr-defined]
        self.fields["country"].choices = [("", _("Any")), *lands]  # type: ignore[attr-defined]
        self.fields["price_to"].help_text = _("In %(currency)s.") % {"currency": self.currency}

    def clean(self) -> dict[str, Any]:
        """Work out what is looked for, so that a town that nobody knows is an error of the form."""
        asked = dict(super().clean() or {})
        if self.errors:
            return asked
        asked["ends_after"] = _midnight(asked.get("ends_from"), time.min)
        asked["ends_before"] = _midnight(asked.get("ends_to"), time.max)
        asked["ends_within_hours"] = SOON_HOURS if asked.get("soon") else None
        try:
            asked["wanted"] = queries.wanted_of(
                asked, actor=self.actor, currency=self.currency, on=timezone.now().date()
            )
        except Refused as refusal:
            field = refusal.field if refusal.field in self.fields else None
            self.add_error(field, refusal.message)
        return asked

    @property
    def wanted(self) -> Wanted | None:
        """What is looked for; none if the form makes no sense."""
        if not self.is_bound:
            return Wanted()
        return self.cleaned_data["wanted"] if self.is_valid() else None


@dataclass(frozen=True, slots=True)
class Page:
    """What the pager needs to know."""

    after: str
    is_first: bool


@require_safe
def market(request: WebRequest) -> HttpResponse:
    """List what is open for bids, narrowed down and sorted as the address says: it can be kept and sent on."""
    form = FilterForm(request.GET or None, actor=request.actor)
    after = request.GET.get("after", "")
    hits = _found(form.wanted, after=after, now=timezone.now())
    rows = queries.auctions_of(hits)
    query = request.GET.copy()
    query.pop("after", None)
    context = {
        "form": form,
        "page": Page(hits.after, is_first=not after),
        "cards": list(cards(request, rows, {hit.auction_id: hit.metres for hit in hits.rows})),
        "may_bid": request.actor.may(Capability.BID_PLACE),
        "is_filtered": form.is_bound and any(request.GET.get(name) for name in form.fields),
        "file": f"{reverse('market-csv')}?{query.urlencode()}",
        "query": query.urlencode(),
    }
    return page(request, "web/market/list.html", context, fragment="found")


def _found(wanted: Wanted | None, *, after: str, now: datetime) -> queries.Hits:
    if wanted is None:
        return queries.Hits((), "")
    try:
        return queries.search(wanted, size=PAGE, now=now, after=after)
    except queries.CursorUnknown:
        raise Http404 from None


COLUMNS = (
    *("lot", "auction", "kind", "chemistry", "came_from", "mass_kg", "health", "place", "country"),
    *("km_away", "mode", "price", "currency", "bids", "ends_at", "address"),
)


@require_safe
def market_csv(request: WebRequest) -> StreamingHttpResponse:
    """The same list as a file of at most 5,000 rows, written while it is read."""
    form = FilterForm(request.GET or None, actor=request.actor)
    response = StreamingHttpResponse(
        csv_lines(_table(request, form.wanted)), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = 'attachment; filename="lots.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _table(request: HttpRequest, wanted: Wanted | None) -> Iterator[tuple[Any, ...]]:
    yield COLUMNS
    after, shown, now = "", 0, timezone.now()
    while wanted is not None and shown < FILE_ROWS:
        hits = queries.search(wanted, size=FILE_PAGE, now=now, after=after)
        away = {hit.auction_id: hit.metres for hit in hits.rows}
        for row in queries.auctions_of(hits):
            yield _line(request, row, away[row.pk])
        after, shown = hits.after, shown + len(hits.rows)
        if not after:
            return


def _line(request: HttpRequest, row: Auction, metres: int | None) -> tuple[Any, ...]:
    lot = row.lot
    is_hidden = row.mode != Auction.Mode.OPEN
    return (
        lot.pk,
        row.pk,
        lot.chemistry.letters if lot.chemistry else "",
        lot.chemistry_id or "",
        lot.origin,
        lot.mass_kg,
        lot.state_of_health,
        lot.place,
        lot.country,
        "" if metres is None else max(1, round(metres / 1000)),
        row.mode,
        row.starting_price if is_hidden or row.price is None else row.price,
        row.currency,
        "" if is_hidden else row.bid_count,
        row.closes_at.isoformat(timespec="seconds"),
        request.build_absolute_uri(reverse("lot", args=[lot.pk])),
    )


def _midnight(day: Any, at: time) -> datetime | None:
    return None if day is None else datetime.combine(day, at, tzinfo=UTC)
