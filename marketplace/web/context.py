"""What every page shows around its content: navigation by role, acting-as choice, language, unread messages."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language, get_language_info
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.actors import ANONYMOUS, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Organisation
from marketplace.notifications.queries import unread_count

SITE_NAME = "Voltbazaar"


@dataclass(frozen=True, slots=True)
class Link:
    """A place to go. ``current`` is true on the page itself and on the pages below it."""

    label: Any
    to: str
    icon: str = ""
    needs: frozenset[Capability] = frozenset()  # any of them; none: for everybody
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
        "account_links": SimpleLazyObject(lambda: _account_links(request)),
        "foot_links": SimpleLazyObject(lambda: _shown(request, FOOT)),
        "acting_choices": SimpleLazyObject(lambda: _acting_choices(request)),
        "unread_count": SimpleLazyObject(lambda: unread_count(_actor(request).user_id)),
    }


def _actor(request: HttpRequest) -> Actor:
    """Return who acts. A request that was refused on its way in never met the middleware that knows."""
    actor: Actor = getattr(request, "actor", ANONYMOUS)
    return actor


def _acting_choices(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the organisations that the person may act for. One alone is no choice, but its name is shown."""
    actor = _actor(request)
    if actor.user_id is None:
        return []
    mine = Organisation.objects.visible_to(actor).of_user(actor.user_id).order_by("name", "pk")
    return [
        {"pk": pk, "name": name, "current": pk == actor.organisation_id}
        for pk, name in mine.values_list("pk", "name")
    ]


SELLS = frozenset({Capability.LOT_LIST})
BUYS = frozenset({Capability.BID_PLACE})
CARRIES = frozenset({Capability.FREIGHT_QUOTE, Capability.SHIPMENT_CARRY})
TRADES = frozenset({Capability.DEAL_SELL, Capability.DEAL_BUY, Capability.SHIPMENT_CARRY})
VERIFIES = frozenset({Capability.LICENCE_VERIFY})
PAYS = frozenset({Capability.MONEY_MOVE})
APPLIES = frozenset({Capability.LICENCE_APPLY})

NAVIGATION = [
    Link(_("For sale"), "market", "gavel"),
    Link(_("Sell"), "sell-start", "camera", needs=SELLS),
    Link(_("My lots"), "lots", "boxes", needs=SELLS),
    Link(_("Deals"), "deals", "handshake", needs=TRADES),
    Link(_("Transport"), "freight", "truck", needs=CARRIES),
    Link(_("Check licences"), "verify-queue", "shield-check", needs=VERIFIES),
    Link(_("Prices"), "prices", "chart-line"),
    Link(_("Safety"), "learn", "shield-check"),
]
HOME = Link(_("Home"), "home", "house")
HELP = Link(_("Help"), "help", "circle-question-mark")
BETWEEN = [  # a phone has room for two of these between Home and Help: the first that fit
    Link(_("Buy"), "market", "gavel", needs=BUYS),
    Link(_("Sell"), "sell-start", "camera", needs=SELLS),
    Link(_("Transport"), "freight", "truck", needs=CARRIES),
    Link(_("Check"), "verify-queue", "shield-check", needs=VERIFIES),
    Link(_("Deals"), "deals", "handshake", needs=TRADES),
    Link(_("For sale"), "market", "gavel"),
    Link(_("Certificate"), "verify", "badge-check"),
]
ACCOUNT = [
    Link(_("My bids"), "my-bids", "gavel", needs=BUYS),
    Link(_("Shipments"), "shipments", "package", needs=TRADES),
    Link(_("Certificates"), "certificates", "badge-check"),
    Link(_("Money"), "money", "wallet", needs=PAYS),
    Link(_("Licences"), "licences", "file-check", needs=APPLIES),
    Link(_("Organisation"), "organisation", "building-2"),
    Link(_("Settings"), "settings", "settings"),
]
STAFF = [
    Link(_("Jobs"), "staff-jobs", "monitor"),
    Link(_("Sales and cases"), "staff-sales", "gavel"),
    Link(_("Organisations"), "staff-organisations", "users"),
    Link(_("Prices typed in"), "staff-quotes", "chart-line"),
    Link(_("Deals in the index"), "staff-exclusions", "scale"),
    Link(_("Records"), "admin:index", "list"),
]
FOOT = [
    Link(_("Prices"), "prices"),
    Link(_("Safety"), "learn"),
    Link(_("Check a certificate"), "verify"),
    Link(_("Transparency"), "transparency"),
    Link(_("Help"), "help"),
]


def _shown(request: HttpRequest, links: Iterable[Link]) -> list[Link]:
    """Return the links that this actor has a use for, with their addresses."""
    actor = _actor(request)
    shown = []
    for link in links:
        if link.needs and not link.needs & actor.capabilities:
            continue
        href = reverse(link.to)
        current = request.path.startswith(href) if href != "/" else request.path == "/"
        shown.append(replace(link, href=href, current=current))
    return shown


def staff_links(request: HttpRequest) -> list[Link]:
    """Return the pages of those who run the site; none for anybody else."""
    return _shown(request, STAFF) if _actor(request).sees_everything else []


def _account_links(request: HttpRequest) -> list[Link]:
    return _shown(request, ACCOUNT) + staff_links(request)


def _tabs(request: HttpRequest) -> list[Link]:
    actor = _actor(request)
    between = _shown(request, BETWEEN)
    if BUYS & actor.capabilities:  # whoever buys also may sell, but comes to buy
        between = [link for link in between if link.to != "sell-start"]
    return [*_shown(request, [HOME]), *between[:2], *_shown(request, [HELP])]
