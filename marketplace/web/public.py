"""Pages for everybody: the front door, prices, safety, help, what the market did, and the offline shell."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Sum
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.templatetags.static import static
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from marketplace.accounts.actors import ANONYMOUS, SYSTEM
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Organisation
from marketplace.accounts.services import set_language
from marketplace.certificates.models import Certificate
from marketplace.lots.models import Lot
from marketplace.market.models import Auction
from marketplace.pricing.queries import BoardLine, price_board
from marketplace.reference.models import Country, MetalQuote
from marketplace.reference.queries import RateMissing

from .context import SITE_NAME
from .home import money, to_do
from .http import WebRequest, page
from .templatetags.house import locale

ONE_YEAR = 60 * 60 * 24 * 365

# :source: national numbers of the fire services; general knowledge, each to be confirmed on the spot
FIRE_SERVICE = {
    "AU": "000",
    "BD": "999",
    "CN": "119",
    "FJ": "910",
    "HK": "999",
    "ID": "113",
    "IN": "101",
    "JP": "119",
    "KH": "118",
    "KR": "119",
    "LA": "190",
    "LK": "110",
    "MM": "191",
    "MN": "101",
    "MY": "999",
    "NP": "101",
    "NZ": "111",
    "PG": "110",
    "PH": "911",
    "PK": "16",
    "SG": "995",
    "TH": "199",
    "TW": "119",
    "VN": "114",
}


@require_safe
def home(request: WebRequest) -> HttpResponse:
    actor = request.actor
    board = _board(actor.country)
    if not request.user.is_authenticated:
        return page(request, "web/welcome.html", {"board": board})
    firms, acts_for = Organisation.objects.visible_to(actor), actor.organisation_id
    context = {
        "organisation": firms.get(pk=acts_for) if acts_for else None,
        "may_sell": actor.may(Capability.LOT_LIST),
        "may_buy": actor.may(Capability.BID_PLACE),
        "to_do": to_do(actor),
        "money": money(actor),
        "board": board[:3] if actor.may(Capability.LOT_LIST) else [],
    }
    return page(request, "web/home.html", context)


def _board(country: str) -> list[BoardLine]:
    """Return today's prices in the money of a country, else in US dollars."""
    today = timezone.now().date()
    try:
        return price_board(on=today, country=country)
    except RateMissing:
        return price_board(on=today)
    except LookupError:  # before load_reference there is nothing to show
        return []


@require_POST
def language(request: WebRequest) -> HttpResponse:
    """Remember the chosen language in this browser, and with the person if there is one."""
    to = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(to, {request.get_host()}, request.is_secure()):
        to = "/"
    response = HttpResponseRedirect(to)
    code = request.POST.get("language", "")
    if code not in dict(settings.LANGUAGES):
        return response
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=ONE_YEAR,
        secure=settings.BEHIND_TLS,
        httponly=True,
        samesite="Lax",
    )
    if request.user.is_authenticated:
        set_language(actor=request.actor, language=code, now=timezone.now())
    return response


@dataclass(frozen=True, slots=True)
class Metal:
    """The newest quote of a metal, and the points of the line that led there."""

    quote: MetalQuote
    line: str


@require_safe
def prices(request: WebRequest) -> HttpResponse:
    """What metals cost, when and who says so. The valuation of every lot begins with these."""
    quotes = MetalQuote.objects.visible_to(request.actor).select_related("source")
    history: dict[str, list[MetalQuote]] = {}
    for quote in quotes.order_by("quoted_on", "pk"):
        history.setdefault(quote.material, []).append(quote)
    metals = [
        Metal(rows[-1], sparkline(rows) if len(rows) > 1 else "") for rows in history.values()
    ]
    metals.sort(key=lambda metal: metal.quote.get_material_display())
    codes = Country.objects.visible_to(request.actor).values_list("code", flat=True)
    countries = {code: locale().territories[code] for code in codes}
    asked = request.GET.get("country", "")
    country = asked if asked in countries else request.actor.country
    context = {
        "metals": metals,
        "board": _board(country),
        "countries": sorted(countries.items(), key=lambda item: item[1]),
        "country": country,
    }
    return page(request, "web/prices.html", context)


def sparkline(rows: Sequence[MetalQuote], width: int = 120, height: int = 32) -> str:
    """Return the points of a polyline through the prices, oldest first, fitted into a small box."""
    values = [float(row.price_usd_per_kg) for row in rows]
    low, high = min(values), max(values)
    step = width / max(1, len(values) - 1)
    scale = (height - 4) / (high - low or 1)
    return " ".join(
        f"{n * step:.1f},{height - 2 - (v - low) * scale:.1f}" for n, v in enumerate(values)
    )


@require_safe
def learn(request: WebRequest) -> HttpResponse:
    names = locale().territories
    numbers = sorted((names[code], number) for code, number in FIRE_SERVICE.items())
    return page(request, "web/learn.html", {"fire_service": numbers})


@require_safe
def help_(request: WebRequest) -> HttpResponse:
    return page(request, "web/help.html")


@require_safe
def transparency(request: WebRequest) -> HttpResponse:
    """Count what anybody may know: no name, no price of a single deal."""
    lots = Lot.objects.visible_to(ANONYMOUS)
    certificates = Certificate.objects.visible_to(SYSTEM).filter(status=Certificate.Status.ISSUED)
    context = {
        "lots": lots.aggregate(
            number=Count("pk"), kg=Sum("mass_kg"), places=Count("country", distinct=True)
        ),
        "open_count": Auction.objects.visible_to(ANONYMOUS)
        .filter(status=Auction.Status.OPEN)
        .count(),
        "certificates": certificates.aggregate(number=Count("pk"), kg=Sum("certified_kg")),
        "by_country": [
            {**row, "name": locale().territories.get(row["country"], row["country"])}
            for row in lots.values("country")
            .annotate(number=Count("pk"), kg=Sum("mass_kg"))
            .order_by("-kg")
        ],
    }
    return page(request, "web/transparency.html", context)


@require_safe
def offline(request: WebRequest) -> HttpResponse:
    """The page that the service worker shows when there is no network and nothing better is stored."""
    return page(request, "web/offline.html")


@require_safe
@never_cache
def service_worker(request: WebRequest) -> HttpResponse:
    """Served from the root, because a worker may only look after what lies below its own address."""
    response = page(request, "web/sw.js", {"style_sheet": static("css/app.css")})
    response.headers["Content-Type"] = "text/javascript; charset=utf-8"
    return response


@require_safe
def manifest(request: WebRequest) -> HttpResponse:
    return JsonResponse(
        {
            "name": SITE_NAME,
            "short_name": SITE_NAME,
            "description": _("Sell spent batteries safely at a fair price."),
            "start_url": "/",
            "display": "standalone",
            "background_color": "#eef3f1",
            "theme_color": "#0e1916",
            "icons": [
                {"src": static("img/icon-192.png"), "sizes": "192x192", "type": "image/png"},
                {"src": static("img/icon-512.png"), "sizes": "512x512", "type": "image/png"},
            ],
        },
        content_type="application/manifest+json",
    )
