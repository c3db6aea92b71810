"""From what somebody typed or sent to what is looked for. One reading for the page, the API and the file."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.models import Organisation
from marketplace.core.errors import Refused
from marketplace.market.rules.search import Sort, Wanted
from marketplace.reference.models import Chemistry
from marketplace.reference.queries import RateMissing, city, find_city, rate_to_usd

MY_SITE = "site"
SAME = (
    *("origin", "country", "mode", "route", "kg_from", "kg_to"),
    *("ends_after", "ends_before", "ends_within_hours", "within_km"),
)


class PlaceUnknown(Refused):
    code = "place_unknown"


@dataclass(frozen=True, slots=True)
class Place:
    """From where distances are measured."""

    name: str
    latitude: float
    longitude: float


def wanted_of(asked: Mapping[str, Any], *, actor: Actor, currency: str, on: date) -> Wanted:
    """Return what is looked for.

    :param asked: the filters of ``rules.search.Wanted``, but ``chemistry``: a code or letters; ``health_from``: per
        cent; ``price_from``, ``price_to``: a kilogram, in ``currency``; ``near``: a town, its GeoNames number,
        "latitude,longitude", or "site" for the actor's own place; ``q``: words. What is empty asks for nothing
    :raises PlaceUnknown: if there is no such place, or a distance from none is asked for
    :raises RateMissing: if ``currency`` has no exchange rate, and a price is asked for
    """
    given = {name: asked[name] for name in SAME if asked.get(name) not in (None, "")}
    if chemistry := asked.get("chemistry"):
        is_code = Chemistry.objects.filter(code=chemistry).exclude(letters=chemistry).exists()
        given["chemistry" if is_code else "kind"] = chemistry
    if (health := asked.get("health_from")) is not None:
        given["health_from"] = Decimal(health) / 100
    for name in ("from", "to"):
        if (price := asked.get(f"price_{name}")) is not None:
            given[f"usd_per_kg_{name}"] = Decimal(price) * rate_to_usd(currency, on)
    if text := (asked.get("q") or "").strip():
        given["text"] = text
    sort = Sort(asked.get("sort") or Sort.ENDS)
    near = (asked.get("near") or "").strip()
    if not near and (sort == Sort.NEAR or "within_km" in given):
        near = MY_SITE
    if near:
        place = place_of(near, actor, country=asked.get("country") or "")
        given |= {"latitude": place.latitude, "longitude": place.longitude}
    return Wanted(sort=sort, **given)


def place_of(text: str, actor: Actor, *, country: str = "") -> Place:
    """Return the place that a text names.

    :param country: where to look for a town first; else where the actor is
    :raises PlaceUnknown: if there is none
    """
    if text.casefold() == MY_SITE:
        return _site(actor)
    if text.isascii() and text.isdecimal():
        found = city(int(text[:12]))
    elif "," in text and (position := _position(text)):
        return Place(text, *position)
    else:
        found = find_city(text, country or actor.country)
    if found is None:
        raise PlaceUnknown(
            _("There is no such town with 15,000 people or more. Name one nearby."), field="near"
        )
    return Place(found.name, found.latitude, found.longitude)


def currency_of(actor: Actor) -> str:
    """Return the money that an actor counts in: their organisation's, else US dollars."""
    if actor.organisation_id is None:
        return "USD"
    return Organisation.objects.values_list("currency", flat=True).get(pk=actor.organisation_id)


def can_count_in(currency: str, on: date) -> bool:
    """Tell whether prices can be compared in a currency on a day."""
    try:
        rate_to_usd(currency, on)
    except RateMissing:
        return False
    return True


def _site(actor: Actor) -> Place:
    """Return where an organisation is, else where the site of its licence is."""
    me = actor.organisation_id
    own = Organisation.objects.filter(pk=me).first() if me is not None else None
    if own is not None and own.latitude is not None and own.longitude is not None:
        return Place(own.place, float(own.latitude), float(own.longitude))
    if own is not None:
        sites = own.licences.filter(status="VERIFIED").order_by("pk")
        for site in sites:
            if site.site_latitude is not None and site.site_longitude is not None:
                position = float(site.site_latitude), float(site.site_longitude)
                return Place(site.site_place, *position)
    raise PlaceUnknown(
        _("We do not know where your site is. Name a town to search around."), field="near"
    )


def _position(text: str) -> tuple[float, float] | None:
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return latitude, longitude
