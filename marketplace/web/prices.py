"""Prices for everybody: the board, check my price, calibration, the method, and all of it to take away."""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from io import StringIO
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal
from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import override
from django.views.decorators.http import require_safe

from marketplace.accounts.actors import ANONYMOUS
from marketplace.pricing import rules
from marketplace.pricing.queries import public
from marketplace.pricing.rules import asking, calibration
from marketplace.pricing.rules import index as index_rules
from marketplace.reference.models import Chemistry, Parameter, PayableTerm

from .charts import Chart, line_chart, scatter, sparkline
from .http import WebRequest, page
from .sell import NumberField
from .templatetags.house import locale

AN_HOUR = 3600
DAYS_A_DOT = 7
CODE = re.compile(r"[A-Z]{2}")
EVERYWHERE = ""
LICENCE_NAME = "Creative Commons Attribution 4.0 International"


@dataclass(frozen=True, slots=True)
class Row:
    """A metal on the board, with the points of its course."""

    metal: public.Metal
    line: str


@require_safe
def prices(request: WebRequest) -> HttpResponse:
    """What a kilogram is worth today, how that came, and what was really paid."""
    today = timezone.now().date()
    board = public.board(on=today, country=_country(request))
    asked = request.GET.get("line", "")
    line = next((each for each in board.lines if each.code == asked), None)
    line = line or next(iter(board.lines), None)
    context = {
        "board": board,
        "line": line,
        "chart": _course(line) if line else None,
        "metals": [Row(metal, sparkline(metal.course)) for metal in board.metals],
        "countries": _named(board.countries),
        "country_name": _country_name(board.country),
        "sparks": {each.code: sparkline([p.value for p in each.trend]) for each in board.lines},
        "query": urlencode({"country": board.country}) if board.country else "",
    }
    return page(request, "web/prices/board.html", context)


@require_safe
def prices_csv(request: WebRequest) -> HttpResponse:
    """Today's board as a table for spreadsheets; each row says its licence, method and day."""
    board = _english_board(request)
    out = StringIO()
    rows = [_line_facts(line, board) for line in board.lines]
    if rows:
        table = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
        table.writeheader()
        table.writerows(rows)
    return _open_data(request, out.getvalue().encode(), "text/csv; charset=utf-8", "prices.csv")


@require_safe
def prices_json(request: WebRequest) -> HttpResponse:
    """The board, its trend, its sources and the published index, as open data."""
    board = _english_board(request)
    told = {
        **_about(board),
        "board": [
            {
                **_line_facts(line, board),
                "trend": [{"on": p.on.isoformat(), "value": str(p.value)} for p in line.trend],
            }
            for line in board.lines
        ],
        "metals": [
            {
                "material": metal.quote.material,
                "usd_per_kg": str(metal.quote.price_usd_per_kg.normalize()),
                "quoted_on": metal.quote.quoted_on.isoformat(),
                "kind": metal.quote.kind,
                "source": metal.quote.source_id,
                "stale": metal.is_stale,
            }
            for metal in board.metals
        ],
        "index": [_index_facts(value) for value in public.published_index(on=board.on)],
    }
    return _open_data(request, _dumped(told), "application/json", "prices.json")


@require_safe
def index_csv(request: WebRequest) -> HttpResponse:
    """The whole published index with every revision, for whoever reckons with it."""
    today = timezone.now().date()
    values = public.published_index(on=today, days=public.INDEX_DAYS, all_revisions=True)
    out = StringIO()
    table = csv.DictWriter(
        out,
        [*index_fields(), "licence"],
        lineterminator="\r\n",
    )
    table.writeheader()
    table.writerows({**_index_facts(value), "licence": public.LICENCE} for value in values)
    return _open_data(request, out.getvalue().encode(), "text/csv; charset=utf-8", "index.csv")


# --- check my price ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pick:
    value: str
    label: str
    icon: str


class CheckForm(forms.Form):
    """A few taps: what, how many, where. Everything travels in the address, so it can be kept and sent on."""

    thing = forms.ChoiceField(
        label=lazy("What did they come from?"),
        error_messages={
            "required": lazy("Choose what the batteries came from."),
            "invalid_choice": lazy("Choose what the batteries came from."),
        },
    )
    amount = NumberField(
        label=lazy("How much"),
        error_messages={"required": lazy("Write how many kilograms, or how many pieces.")},
    )
    unit = forms.ChoiceField(
        label=lazy("Counted in"),
        choices=[("kg", lazy("kilograms")), ("pieces", lazy("pieces"))],
        widget=forms.RadioSelect,
        initial="kg",
        required=False,
    )
    chemistry = forms.ChoiceField(label=lazy("Kind, if you know it"), required=False)
    country = forms.ChoiceField(label=lazy("Where they are"), required=False)

    def __init__(self, *args: Any, countries: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        kinds = Chemistry.objects.visible_to(ANONYMOUS).in_bulk(asking.KINDS)
        fields["thing"].choices = [(thing.code, thing.code) for thing in asking.THINGS]
        fields["chemistry"].choices = [
            ("", _("I do not know")),
            *((code, kinds[code].name) for code in asking.KINDS if code in kinds),
        ]
        fields["country"].choices = [("", _("Another country: in US dollars")), *countries]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        amount = given.get("amount")
        if amount is not None and amount <= 0:
            self.add_error("amount", _("Write a number above zero."))
        if amount is not None and given.get("unit") == "pieces" and amount != int(amount):
            self.add_error("amount", _("Write a whole number."))
        return given

    @property
    def question(self) -> dict[str, Any]:
        """Return the answers as the estimate takes them."""
        given = self.cleaned_data
        pieces = given["unit"] == "pieces"
        return {
            "thing": given["thing"],
            "kg": None if pieces else given["amount"],
            "pieces": int(given["amount"]) if pieces else None,
            "chemistry": given["chemistry"],
            "country": given["country"],
        }


@require_safe
def check(request: WebRequest) -> HttpResponse:
    """What somebody's own batteries are worth, for a few taps and no account."""
    today = timezone.now().date()
    board = public.board(on=today, country=_country(request))
    countries = _named(board.countries)
    asked = "thing" in request.GET or "amount" in request.GET
    initial = {"country": request.actor.country, "unit": "kg"}
    form = CheckForm(request.GET if asked else None, initial=initial, countries=countries)
    found = None
    if asked and form.is_valid():
        try:
            found = public.estimate(on=today, **form.question)
        except public.PriceUnknown as unknown:
            field = {"kg": "amount", "pieces": "amount"}.get(
                unknown.field or "", unknown.field or ""
            )
            form.add_error(field if field in form.fields else None, unknown.message)
    context = {
        "form": form,
        "picks": [
            Pick(thing.code, public.THING_NAMES[thing.code](), public.THING_ICONS[thing.code])
            for thing in asking.THINGS
        ],
        "picked": form["thing"].value() or "",
        "found": found,
        "sell": f"{reverse('sell-start')}?{_answers(found)}" if found else "",
        "sms_number": settings.SMS_NUMBER,
    }
    return page(request, "web/prices/check.html", context, status=422 if form.errors else 200)


def _answers(found: public.Estimate) -> str:
    """Return an estimate's answers as the intake reads them."""
    given = {
        "origin": found.thing.origin,
        "chemistry": found.chemistry.pk if found.chemistry else "",
        "mass_kg": "" if found.pieces else f"{found.kg.normalize():f}",
        "units": found.pieces or "",
    }
    return urlencode({name: value for name, value in given.items() if value})


# --- calibration ------------------------------------------------------------------------------------


@require_safe
def calibrated(request: WebRequest) -> HttpResponse:
    """What we said against what was paid. Every number here rests on five deals or more."""
    said = public.calibration_on(timezone.now().date())
    spots = [(dot.predicted, dot.settled, dot.low, dot.high) for dot in said.dots]
    context = {
        "said": said,
        "chart": scatter(spots, amount=_plain),
        "kinds": [
            (bucket.code or _("Kind not known"), bucket.score) for bucket in said.by_chemistry
        ],
        "places": [(_country_name(bucket.code), bucket.score) for bucket in said.by_country],
        "expected": calibration.EXPECTED,
        "method": index_rules.METHOD,
        "paid_less": said.whole is not None and said.whole.bias_usd_per_kg < 0,
        "bias": abs(said.whole.bias_usd_per_kg) if said.whole else None,
        "shows_names": request.user.is_authenticated,
    }
    return page(request, "web/prices/calibration.html", context)


@require_safe
def calibrated_json(request: WebRequest) -> HttpResponse:
    """The calibration as open data."""
    said = public.calibration_on(timezone.now().date())
    told = {
        "title": "Valuations against settled prices",
        "licence": public.LICENCE,
        "from": said.first.isoformat(),
        "to": said.on.isoformat(),
        "least_deals": index_rules.METHOD.least_deals,
        "least_sellers": index_rules.METHOD.least_sellers,
        "expected_inside": str(calibration.EXPECTED),
        "rules_version": rules.VERSION,
        "all": _score_facts(said.whole),
        "by_chemistry": {
            bucket.code or "unknown": _score_facts(bucket.score) for bucket in said.by_chemistry
        },
        "by_country": {bucket.code: _score_facts(bucket.score) for bucket in said.by_country},
        "dots": [
            {
                "predicted_usd_per_kg": str(dot.predicted),
                "low": str(dot.low),
                "high": str(dot.high),
                "settled_usd_per_kg": str(dot.settled),
                "deals_at_least": dot.deals,
            }
            for dot in said.dots
        ],
    }
    return _open_data(request, _dumped(told), "application/json", "calibration.json")


# --- the method -------------------------------------------------------------------------------------


@require_safe
def method(request: WebRequest) -> HttpResponse:
    """How we reckon, for whoever sells."""
    board = public.board(on=timezone.now().date(), country=_country(request))
    return page(request, "web/prices/method.html", {"board": board, "method": index_rules.METHOD})


@require_safe
def method_expert(request: WebRequest) -> HttpResponse:
    """How we reckon, with every formula, every number and where it comes from. The tables are read live."""
    today = timezone.now().date()
    terms = PayableTerm.objects.visible_to(request.actor).filter(is_house_default=True).valid(today)
    numbers = Parameter.objects.visible_to(request.actor).valid(today).select_related("source")
    context = {
        "board": public.board(on=today, country=_country(request)),
        "method": index_rules.METHOD,
        "index_version": index_rules.VERSION,
        "rules_version": rules.VERSION,
        "parameters": numbers.order_by("code", "-valid_from").distinct("code"),
        "payables": terms.select_related("source").order_by("convention", "feed", "material"),
        "revisions": public.revisions(),
    }
    return page(request, "web/prices/method_expert.html", context)


# --- pieces -----------------------------------------------------------------------------------------


def _country(request: WebRequest, *, default: str | None = None) -> str:
    """Return the country whose money is asked for: as chosen, else the reader's."""
    unasked = request.actor.country if default is None else default
    code = request.GET.get("country", unasked)
    return code if CODE.fullmatch(code) else EVERYWHERE


def _country_name(code: str) -> str:
    return str(locale().territories.get(code, code))


def _named(codes: Sequence[str]) -> list[tuple[str, str]]:
    return sorted(((code, _country_name(code)) for code in codes), key=lambda each: each[1])


def _course(line: public.Line) -> Chart | None:
    return line_chart(
        [(point.on, point.value) for point in line.trend],
        [(point.on, point.value, point.is_inferred) for point in line.paid_lately[::-DAYS_A_DOT]],
        amount=_plain,
        day=lambda on: format_date(on, "MMM y", locale=locale()),
    )


def _plain(value: Decimal) -> str:
    """Write a number at an axis; the words below the chart say what it counts."""
    return str(format_decimal(value, "#,##0.##", locale=locale()))


def _english_board(request: WebRequest) -> public.Board:
    """Return the board as data: it does not follow the reader, so that anybody's cache may keep it."""
    with override("en"):
        return public.board(on=timezone.now().date(), country=_country(request, default=EVERYWHERE))


def _about(board: public.Board) -> dict[str, Any]:
    return {
        "title": "What spent batteries are worth",
        "publisher": "Voltbazaar",
        "url": f"{settings.SITE_URL}{reverse('prices')}",
        "licence": public.LICENCE,
        "licence_url": public.LICENCE_URL,
        "attribution": f"{LICENCE_NAME}: name Voltbazaar and the sources below.",
        "on": board.on.isoformat(),
        "country": board.country,
        "currency": board.currency,
        "unit": f"{board.currency} per kg, whole batteries, undamaged, before assay",
        "rules_version": rules.VERSION,
        "index_method_version": index_rules.VERSION,
        "index_method_url": f"{settings.SITE_URL}{reverse('prices-method-expert')}",
        "sources": [
            {"code": source.pk, "title": source.title, "url": source.url, "read_on": source.read_on}
            for source in board.sources
        ],
    }


def _line_facts(line: public.Line, board: public.Board) -> dict[str, Any]:
    paid = line.paid
    return {
        "on": board.on.isoformat(),
        "code": line.code,
        "name": line.name,
        "chemistry": line.chemistry.pk,
        "form": line.form,
        "country": board.country,
        "currency": line.currency,
        "unit": f"{line.currency}/kg",
        "low": str(line.low),
        "typical": str(line.typical),
        "high": str(line.high),
        "quotes_on": line.quotes_on.isoformat(),
        "stale": line.is_stale,
        "index": str(paid.value) if paid else "",
        "index_basis": ("INFERRED" if paid.is_inferred else "SETTLED") if paid else "",
        "index_on": paid.on.isoformat() if paid else "",
        "index_deals_at_least": paid.deals if paid else "",
        "rules_version": rules.VERSION,
        "index_method_version": index_rules.VERSION,
        "licence": public.LICENCE,
    }


def index_fields() -> list[str]:
    return list(public.Published.__dataclass_fields__)


def _index_facts(value: public.Published) -> dict[str, Any]:
    return {
        name: str(fact) if isinstance(fact := getattr(value, name), Decimal | date) else fact
        for name in index_fields()
    }


def _score_facts(score: calibration.Score | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {
        "deals_at_least": score.deals,
        "inside": str(score.inside),
        "below": str(score.below),
        "above": str(score.above),
        "mean_error_usd_per_kg": str(score.bias_usd_per_kg),
        "mean_absolute_error_usd_per_kg": str(score.error_usd_per_kg),
        "median_relative_error": None if score.bias_share is None else str(score.bias_share),
    }


def _dumped(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, indent=1, default=str).encode()


def _open_data(request: WebRequest, body: bytes, kind: str, name: str) -> HttpResponse:
    """Return a file that anybody may keep for an hour, and ask again for by its fingerprint."""
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    response = HttpResponse(body, content_type=kind)
    response["ETag"] = etag
    response["Content-Disposition"] = f'inline; filename="{name}"'
    response["Access-Control-Allow-Origin"] = "*"  # open data: any page may read it
    patch_cache_control(response, public=True, max_age=AN_HOUR)
    return get_conditional_response(request, etag=etag, response=response) or response
