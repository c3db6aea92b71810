"""What every page shows around its content: navigation by role, acting-as choice, language, unread messages."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language, get_language_info
from django.utils.translation import gettext_lazy as _

SITE_NAME = "Voltbazaar"


@dataclass(frozen=True, slots=True)
class Link:
    """A place to go. ``current`` is true on the page itself and on the pages below it."""

    label: Any
    to: str
    icon: str = ""
    needs: str = ""  # a capability, or "" for everybody
    href: str = ""
    current: bool = False


def house(request: HttpRequest) -> dict[str, Any]:
    """The context processor. Nothing here asks the database before a template prints it."""
    return {
        "site_name": SITE_NAME,
        "languages": [get_language_info(code) for code, _name in settings.LANGUAGES],
        "language_now": get_language_info(get_language() or settings.LANGUAGE_CODE),
        "navigation": SimpleLazyObject(lambda: _shown(request, NAVIGATION)),
        "tabs": SimpleLazyObject(lambda: _tabs(request)),
        "account_links": SimpleLazyObject(lambda: _shown(request, ACCOUNT)),
        "foot_links": SimpleLazyObject(lambda: _shown(request, FOOT)),
        "acting_as": "",
        "acting_choices": [],
        "acting_url": "",
        "inbox_url": "",
        "unread_count": 0,
    }


NAVIGATION = [
    Link(_("Buy"), "lots", "gavel"),
    Link(_("Sell"), "sell-start", "camera", needs="lot:list"),
    Link(_("Deals"), "deals", "handshake", needs="deal"),
    Link(_("Prices"), "prices", "chart-line"),
    Link(_("Safety"), "learn", "shield-check"),
]
ACCOUNT: list[Link] = []
FOOT = [
    Link(_("Prices"), "prices"),
    Link(_("Safety"), "learn"),
    Link(_("Check a certificate"), "verify"),
    Link(_("Transparency"), "transparency"),
    Link(_("Help"), "help"),
]


def _shown(request: HttpRequest, links: Iterable[Link]) -> list[Link]:
    capabilities = getattr(getattr(request, "actor", None), "capabilities", frozenset())
    shown = []
    for link in links:
        if link.needs and link.needs not in capabilities:
            continue
        try:
            href = reverse(link.to)
        except NoReverseMatch:
            continue
        current = request.path.startswith(href) if href != "/" else request.path == "/"
        shown.append(Link(link.label, link.to, link.icon, link.needs, href, current))
    return shown


def _tabs(request: HttpRequest) -> list[Link]:
    tabs = [
        Link(_("Home"), "home", "house"),
        Link(_("Sell"), "sell-start", "camera"),
        Link(_("Deals"), "deals", "handshake"),
        Link(_("Help"), "help", "circle-question-mark"),
    ]
    return _shown(request, tabs)
