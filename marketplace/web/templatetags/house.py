"""The template tags of the house. They are built in: no ``{% load %}`` is needed.

Signs::

    {% icon "camera" %}                     a drawing from static/icons, hidden from screen readers
    {% icon "arrow-right" "flip" %}         mirrored in right-to-left languages
    {% cell lot.chemistry %}                the cell tile of a reference Chemistry; None: "?"
    {% cell lot.chemistry size="small" %}
    {% status lot %}                        a chip: get_status_display in the colour of the status
    {% status deal tone="warn" %}           … in a colour of your choice: ok, warn, bad or ""
    {% progress 2 5 %}                      a battery, two of five parts full: "Step 2 of 5"
    {% progress 2 5 "Deal" %}               … read aloud as "Deal: 2 of 5"

Quantities, always as the reader's language writes them, always isolated from right-to-left text::

    {% money bid.amount "INR" %}            ₹18,450          (whole amounts lose their decimals)
    {% money price "INR" per="kg" %}        ₹165/kg
    {% money amount "INR" exact=True %}     ₹18,450.00       (ledgers, contracts)
    {% mass lot.mass_kg %}                  112.4 kg
    {% qty 3.2 "V" %}                       3.2 V
    {{ share|percent }}                     64%              (of a share in [0, 1])
    {{ count|number }}                      1,234

    Each can be kept for a sentence:  {% money price "INR" as best %}
    {% blocktranslate %}Best bid {{ best }}{% endblocktranslate %}

Time, never only relative, by the clock of the reader's country::

    {% when bid.placed_at %}                2 hours ago · 23 Nov 2026, 10:15 IST
    {% when bid.placed_at short=True %}     23 Nov 2026, 10:15 IST
    {% day licence.valid_to %}              23 Nov 2026
    {% countdown auction.closes_at %}       in 42 minutes; a running clock where scripts run

Forms (GOV.UK patterns: label, hint, what is wrong and how to mend it, input)::

    <form method="post" novalidate>{% csrf_token %}
      {% errors form %}                     first in the form: a summary with a link to each field
      {% field form.mass_kg unit="kg" %}    unit in front of the input; big=True: large digits
      {% field form.amount unit="₹" inputmode="decimal" autocomplete="off" %}
      {% field form.conditions %}           radios and checkboxes become lines to tick
      {% fields form %}                     all visible fields and the hidden ones, in order
    </form>
    ``help_text`` is the hint. A hidden field is printed without a label.

Lists::

    {% pager page %}                        "More", for a marketplace.web.http.Keyset
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import UnknownLocaleError
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision
from django import template
from django.conf import settings
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.template import Context
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext

from marketplace.reference.queries import cities

register = template.Library()

GOOD = frozenset(
    [
        "ACCEPTED",
        "ACTIVE",
        "AWARDED",
        "CERTIFIED",
        "CLOSED_SOLD",
        "COMPLETED",
        "DELIVERED",
        "DONE",
        "FUNDED",
        "GENUINE",
        "GREEN",
        "ISSUED",
        "LISTED",
        "OPEN",
        "PAID",
        "PRICED",
        "RELEASED",
        "SETTLED",
        "SOLD",
        "VERIFIED",
        "WON",
    ]
)
WAITING = frozenset(
    [
        "ADJUSTED",
        "AMBER",
        "CHECKING",
        "DISPUTE",
        "DISPUTED",
        "DRAFT",
        "EVALUATING",
        "EXPIRING",
        "GRACE",
        "INSPECTION",
        "NEEDS_INFO",
        "PENDING",
        "PENDING_PROOF",
        "PROVISIONAL",
        "SELLER_DECISION",
        "SUBMITTED",
        "TRIAGE",
        "UNSOLD",
    ]
)
BAD = frozenset(
    [
        "BUYER_DEFAULT",
        "CANCELLED",
        "DEAD",
        "DEFAULTED",
        "EXPIRED",
        "FAILED",
        "QUARANTINED",
        "RED",
        "REFUSED",
        "REJECTED",
        "REVOKED",
        "SUSPENDED",
        "VOIDED",
        "WITHDRAWN",
    ]
)


# --- signs ------------------------------------------------------------------------------------------
@cache
def _drawing(name: str) -> str:
    path = settings.BASE_DIR / "static" / "icons" / f"{name}.svg"
    svg = path.read_text("utf-8")
    return svg[svg.index(">") + 1 : svg.rindex("</svg>")]


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    drawing = mark_safe(_drawing(name))  # noqa: S308 — files of this repository
    return format_html(
        '<svg class="i{}{}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>',
        " " if extra else "",
        extra,
        drawing,
    )


@register.simple_tag
def cell(chemistry: Any, size: str = "") -> SafeString:
    if chemistry is None:
        return format_html(
            '<span class="cell unk {}"><b aria-hidden="true">?</b><span class="vh">{}</span></span>',
            size,
            gettext("Kind not known"),
        )
    volts = chemistry.nominal_volts
    return format_html(
        '<span class="cell {} {}" title="{}"><b{}>{}</b>{}</span>',
        chemistry.css_class,
        size,
        chemistry.name,
        mark_safe(' class="long"' if len(chemistry.letters) > 4 else ""),  # noqa: S308
        chemistry.letters,
        format_html("<small>{} V</small>", _decimal(volts, 2)) if volts else "",
    )


@register.simple_tag
def status(thing: Any, tone: str | None = None) -> SafeString:
    code = str(thing.status)
    if tone is None:
        tone = "ok" if code in GOOD else "warn" if code in WAITING else "bad" if code in BAD else ""
    return format_html('<span class="chip {}">{}</span>', tone, thing.get_status_display())


@register.simple_tag
def progress(at: int, of: int, of_what: str = "") -> SafeString:
    if of_what:
        words = gettext("%(what)s: %(at)s of %(of)s") % {"what": of_what, "at": at, "of": of}
    else:
        words = gettext("Step %(at)s of %(of)s") % {"at": at, "of": of}
    parts = mark_safe("".join(f"<i{' class=on' if n < at else ''}></i>" for n in range(of)))  # noqa: S308
    return format_html('<div class="charge" role="img" aria-label="{}">{}</div>', words, parts)


# --- quantities ---------------------------------------------------------------------------------------
def locale() -> Locale:
    """Return the reader's locale. English is written as most of the world does: day, month, US$."""
    code = get_language() or settings.LANGUAGE_CODE
    return _locale("en_001" if code == "en" else code.replace("-", "_"))


@cache
def _locale(code: str) -> Locale:
    try:
        return Locale.parse(code)
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def money_text(amount: Decimal | int, currency: str, *, exact: bool = False) -> str:
    """Return an amount as the reader writes it, without markup.

    >>> money_text(Decimal("1234567.50"), "INR"), money_text(Decimal("500.00"), "USD")
    ('₹12,34,567.50', 'US$500')
    """
    where = locale()
    if currency == "INR" and where.language == "en":
        where = _locale("en_IN")  # lakh and crore
    whole = not exact and amount == int(amount)
    digits = 0 if whole else get_currency_precision(currency)
    pattern = re.sub(
        r"#,##0(\.0+)?|#,##,##0(\.0+)?",
        lambda found: found[0].split(".")[0] + ("." + "0" * digits if digits else ""),
        where.currency_formats["standard"].pattern,
    )
    return format_currency(amount, currency, pattern, locale=where, currency_digits=False)


def _decimal(value: Any, places: int) -> str:
    return format_decimal(value, "#,##0." + "#" * places, locale=locale())


@register.simple_tag
def money(
    amount: Decimal | int | None,
    currency: str,
    per: str = "",
    exact: bool = False,
    signed: bool = False,
) -> SafeString:
    """Write an amount. ``signed`` puts a plus before what is more than nothing."""
    if amount is None:
        return mark_safe("–")
    text = money_text(amount, currency, exact=exact)
    if signed and amount > 0:
        text = f"+{text}"
    if per:
        return format_html('<bdi class="nobreak">{}/{}</bdi>', text, per)
    return format_html('<bdi class="nobreak">{}</bdi>', text)


@register.simple_tag
def mass(kg: Decimal | None) -> SafeString:
    return qty(kg, "kg")


@register.simple_tag
def qty(value: Any, unit: str, places: int = 3) -> SafeString:
    if value is None:
        return mark_safe("–")
    return format_html('<bdi class="ltr nobreak">{} {}</bdi>', _decimal(value, places), unit)


@register.filter
def number(value: Any) -> str:
    return "–" if value is None else _decimal(value, 3)


@register.filter
def percent(share: Any) -> str:
    return "–" if share is None else format_percent(share, "#,##0.#%", locale=locale())


# --- time ---------------------------------------------------------------------------------------------
@cache
def _zone(country: str) -> tzinfo:
    """Return the time of a country's largest city. Unknown: UTC."""
    largest = cities(country)[:1]
    return ZoneInfo(largest[0].timezone) if largest else UTC


@register.simple_tag(takes_context=True)
def when(context: Context, moment: datetime | None, short: bool = False) -> SafeString:
    if moment is None:
        return mark_safe("–")
    actor = getattr(context.get("request"), "actor", None)
    here = moment.astimezone(_zone(getattr(actor, "country", "")))
    absolute = format_datetime(here, "medium", locale=locale())
    absolute = re.sub(r"(\d[:.]\d\d)[:.]\d\d", r"\1", absolute)  # seconds say nothing here
    zone = here.tzname() or ""
    zone = f"UTC{zone}" if zone[:1] in "+-" else zone
    if short:
        return format_html('<time datetime="{}">{} {}</time>', _iso(moment), absolute, zone)
    return format_html(
        '<time datetime="{}">{} <span class="mute">· {} {}</span></time>',
        _iso(moment),
        relative(moment),
        absolute,
        zone,
    )


@register.simple_tag
def day(date_: date | None) -> SafeString:
    if date_ is None:
        return mark_safe("–")
    text = format_date(date_, "medium", locale=locale())
    return format_html('<time datetime="{}">{}</time>', date_.isoformat()[:10], text)


@register.simple_tag
def countdown(moment: datetime) -> SafeString:
    return format_html('<time datetime="{}" data-end>{}</time>', _iso(moment), relative(moment))


def relative(moment: datetime) -> str:
    """Return how long ago, or in how much time: "in 3 hours"."""
    return format_timedelta(moment - timezone.now(), add_direction=True, locale=locale())


@register.filter
def lasting(seconds: float) -> str:
    """Write a length of time as people say it: "3 hours"."""
    return format_timedelta(timedelta(seconds=seconds), locale=locale())


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


# --- forms --------------------------------------------------------------------------------------------
@register.inclusion_tag("web/parts/field.html")
def field(
    bound: BoundField, unit: str = "", big: bool = False, label: str = "", **attributes: Any
) -> dict[str, Any]:
    """Attributes such as inputmode, autocomplete, rows or list go to the input; ``_`` is read as ``-``."""
    widget = bound.field.widget
    kind = "input"
    if bound.is_hidden:
        kind = "hidden"
    elif isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        kind = "group"
    elif isinstance(widget, CheckboxInput):
        kind = "tick"
    given = {name.replace("_", "-"): value for name, value in attributes.items()}
    classes = ["in", "big" if big else "", widget.attrs.get("class", "")]
    if kind == "input":
        given["class"] = " ".join(filter(None, classes))
    control = bound.as_widget(attrs=given) if kind != "group" else ""
    return {
        "bound": bound,
        "control": control,
        "kind": kind,
        "unit": unit,
        "label": label or bound.label,
        "hint_id": f"{bound.auto_id}_helptext",
        "error_id": f"{bound.auto_id}_error",
    }


@register.inclusion_tag("web/parts/fields.html")
def fields(form: Any) -> dict[str, Any]:
    return {"form": form}


@register.inclusion_tag("web/parts/errors.html")
def errors(form: Any) -> dict[str, Any]:
    return {"form": form}


# --- lists --------------------------------------------------------------------------------------------
@register.inclusion_tag("web/parts/pager.html", takes_context=True)
def pager(context: Context, page: Any) -> dict[str, Any]:
    query = context["request"].GET.copy()
    query.pop("after", None)
    first = query.urlencode()
    query["after"] = page.after
    return {"page": page, "first": first, "following": query.urlencode()}
