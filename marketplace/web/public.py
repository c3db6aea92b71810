"""Pages for everybody: the front door, prices, safety, help, what the market did, and the offline shell."""

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.templatetags.static import static
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from .context import SITE_NAME
from .http import WebRequest, page

ONE_YEAR = 60 * 60 * 24 * 365

# :source: national numbers of the fire services; general knowledge, each to be confirmed on the spot
FIRE_SERVICE = [
    ("AU", "Australia", "000"),
    ("BD", "Bangladesh", "999"),
    ("CN", "China", "119"),
    ("FJ", "Fiji", "910"),
    ("HK", "Hong Kong", "999"),
    ("ID", "Indonesia", "113"),
    ("IN", "India", "101"),
    ("JP", "Japan", "119"),
    ("KH", "Cambodia", "118"),
    ("KR", "South Korea", "119"),
    ("LA", "Laos", "190"),
    ("LK", "Sri Lanka", "110"),
    ("MM", "Myanmar", "191"),
    ("MN", "Mongolia", "101"),
    ("MY", "Malaysia", "999"),
    ("NP", "Nepal", "101"),
    ("NZ", "New Zealand", "111"),
    ("PG", "Papua New Guinea", "110"),
    ("PH", "Philippines", "911"),
    ("PK", "Pakistan", "16"),
    ("SG", "Singapore", "995"),
    ("TH", "Thailand", "199"),
    ("TW", "Taiwan", "119"),
    ("VN", "Viet Nam", "114"),
]


@require_safe
def home(request: WebRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return page(request, "web/home.html")
    return page(request, "web/welcome.html")


@require_POST
def language(request: WebRequest) -> HttpResponse:
    """Remember the chosen language in this browser, and with the person if there is one."""
    to = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(to, {request.get_host()}, request.is_secure()):
        to = "/"
    response = HttpResponseRedirect(to)
    code = request.POST.get("language", "")
    if code in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            code,
            max_age=ONE_YEAR,
            secure=settings.BEHIND_TLS,
            httponly=True,
            samesite="Lax",
        )
    return response


@require_safe
def prices(request: WebRequest) -> HttpResponse:
    return page(request, "web/prices.html")


@require_safe
def learn(request: WebRequest) -> HttpResponse:
    return page(request, "web/learn.html", {"fire_service": FIRE_SERVICE})


@require_safe
def help_(request: WebRequest) -> HttpResponse:
    return page(request, "web/help.html")


@require_safe
def transparency(request: WebRequest) -> HttpResponse:
    return page(request, "web/transparency.html")


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
