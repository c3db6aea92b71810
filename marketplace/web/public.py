"""Pages for everybody: the front door, safety, help, what the market did, and the offline shell."""

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
from marketplace.pricing.queries.public import board as price_board

from .context import SITE_NAME, staff_links
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
    board = price_board(on=timezone.now().date(), country=actor.country).lines
    if not request.user.is_authenticated:
        return page(request, "web/welcome.html", {"board": board})
    firms, acts_for = Organisation.objects.visible_to(actor), actor.organisation_id
    context = {
        "organisation": firms.get(pk=acts_for) if acts_for else None,
        "may_sell": actor.may(Capability.LOT_LIST),
        "may_buy": actor.may(Capability.BID_PLACE),
        "to_do": to_do(actor),
        "money": money(actor),
        "staff_links": staff_links(request),
        "board": board[:3] if actor.may(Capability.LOT_LIST) else [],
    }
    return page(request, "web/home.html", context)


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
