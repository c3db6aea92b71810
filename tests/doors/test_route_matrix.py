"""Every route x method x persona stands in routes.csv. A route that is not listed there fails.

The table is read by people: a 200 where there was a 404 is a leak until somebody says why it is right. To write
it anew after a change, run this file with ``WRITE_ROUTES=1`` and read the difference before it is committed.
The personas are members of real parties to one deal, their rivals in the same role, and those who only look.
"""

import csv
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from django.apps import apps
from django.core.cache import cache
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver

from marketplace.accounts.actors import actor_of
from marketplace.accounts.capabilities import Role
from marketplace.accounts.models import ApiToken, Document, Invitation, Licence, Organisation, User
from marketplace.certificates.models import Certificate, Withdrawal
from marketplace.deals.models import Dispute, Weighing
from marketplace.freight.models import FreightQuote, RateCard
from marketplace.journal.models import Job
from marketplace.logistics.models import TransportDocument
from marketplace.lots import services as lots
from marketplace.lots.models import LotPhoto
from marketplace.market.models import Auction
from marketplace.notifications.models import Notice
from marketplace.ops.demo_market import market

TABLE = Path(__file__).with_name("routes.csv")
PAGES, PROGRAMS, WINDOW = ("GET", "POST"), ("GET", "POST", "PUT", "PATCH", "DELETE"), ("GET",)
PERSONAS = (
    "anonymous",
    "seller",
    "buyer",
    "carrier",
    "other_collector",
    "other_recycler",
    "integrator",
    "other_carrier",
    "verifier",
    "regulator",
    "producer",
    "staff",
)
THEN = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


def routes():
    def walk(patterns, prefix=""):
        for pattern in patterns:
            here = prefix + str(pattern.pattern)
            if isinstance(pattern, URLPattern):
                yield here
            else:
                yield from walk(pattern.url_patterns, here)

    return sorted(set(walk(get_resolver().url_patterns)))


def member(organisation):
    return User.objects.filter(memberships__organisation=organisation).order_by("pk").first()


def somebody(role, *, but=()):
    return (
        User.objects.filter(memberships__role=role)
        .exclude(memberships__organisation__in=but)
        .order_by("pk")
        .first()
    )


def first(model, **which):
    """The key of the first such row, however many rows other tests have made and undone; 0 without any."""
    found = model._default_manager.filter(**which).order_by("pk").first()
    return found.pk if found else 0


@pytest.fixture
def world(db, settings, tmp_path):
    """A small market, and one object of every kind that belongs to the parties of one deal."""
    settings.JOB_BELL = False
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.KEYS_DIR = tmp_path / "keys"
    settings.PASSWORD_HASHERS = ["marketplace.ops.demo_market.people.QuickHasher"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    settings.SMS_ADAPTER = "marketplace.notifications.sms.MemorySms"
    settings.SEND_COPIES = False
    settings.STAFF_NEED_SECOND_FACTOR = False  # the table says what staff may do once they are in
    call_command("load_reference", verbosity=0)
    call_command("create_keys", verbosity=0)
    market.create(seed=7, until=THEN, lots=24, say=lambda _line: None)
    certificate = Certificate.objects.order_by("pk").first()
    deal = certificate.report.deal
    parties = [deal.seller, deal.buyer, deal.carrier]
    people = {
        "anonymous": None,
        "seller": member(deal.seller),
        "buyer": member(deal.buyer),
        "carrier": member(deal.carrier),
        "other_collector": somebody(Role.COLLECTOR, but=parties),
        "other_recycler": somebody(Role.RECYCLER, but=parties),
        "integrator": somebody(Role.INTEGRATOR, but=parties),
        "other_carrier": somebody(Role.CARRIER, but=parties),
        "verifier": somebody(Role.VERIFIER),
        "regulator": somebody(Role.REGULATOR),
        "producer": somebody(Role.PRODUCER),
        "staff": User.objects.filter(is_staff=True).order_by("pk").first(),
    }
    seller = actor_of(people["seller"])
    draft = lots.start_lot(actor=seller, request_id=UUID(int=7), now=THEN)
    passport = lots.import_passport(draft, actor=seller, given='{"batteryMass": 1}', now=THEN)
    licence = Licence.objects.filter(organisation=deal.buyer).order_by("pk").first()
    photo = LotPhoto.objects.filter(lot=deal.lot).order_by("pk").first()

    by_prefix = {
        "organisation/members/": first(deal.buyer.memberships.model, organisation=deal.buyer),
        "organisation/tokens/": first(ApiToken),
        "api/v1/tokens/": first(ApiToken),
        "invitations/": first(Invitation),
        "licences/": licence.pk,
        "documents/": first(Document, organisation=deal.buyer),
        "verify-queue/": licence.pk,
        "api/v1/licences/": licence.pk,
        "sell/": draft.pk,
        "lots/<int:pk>/photos/": deal.lot_id,
        "lots/": draft.pk,
        "api/v1/lots/": draft.pk,
        "auctions/": first(Auction, status="OPEN"),
        "api/v1/auctions/": first(Auction, status="OPEN"),
        "deals/": deal.pk,
        "api/v1/deals/": deal.pk,
        "disputes/": first(Dispute),
        "api/v1/disputes/": first(Dispute),
        "weighings/": first(Weighing, deal=deal),
        "quotes/": first(FreightQuote, round__purpose=f"deal:{deal.pk}"),
        "api/v1/quotes/": first(FreightQuote, round__purpose=f"deal:{deal.pk}"),
        "freight/cards/": first(RateCard, carrier=deal.carrier),
        "api/v1/rate-cards/": first(RateCard, carrier=deal.carrier),
        "shipments/": deal.shipment.pk,
        "api/v1/shipments/": deal.shipment.pk,
        "papers/": first(TransportDocument, shipment__deal=deal),
        "api/v1/papers/": first(TransportDocument, shipment__deal=deal),
        "withdrawals/": first(Withdrawal),
        "inbox/": first(Notice, user=people["seller"]),
        "api/v1/notices/": first(Notice, user=people["seller"]),
        "staff/jobs/": first(Job),
        "staff/organisations/": first(Organisation),
        "admin/": 0,
    }
    others = {
        "code": certificate.code,
        "number": certificate.status_list_id,
        "photo_pk": photo.pk if photo else 0,
        "passport_pk": passport.pk,
    }
    return people, by_prefix, others


def address(route, by_prefix, others):
    prefixes = [prefix for prefix in by_prefix if route.startswith(prefix)]
    pk = by_prefix[max(prefixes, key=len)] if prefixes else 0
    if window := re.match(r"admin/(\w+)/(\w+)/<path:object_id>/", route):
        pk = first(apps.get_model(*window.groups()))
    values = {"pk": pk, "object_id": pk, "name": "origin", "app_label": "lots"}
    values |= {"key": "nobody", "uidb36": "1", "url": "nowhere", "content_type_id": 1, **others}
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(values[match.group(1)]), route)
    path = re.sub(r"\(\?P([^)]*)\)", lambda match: path_word(match.group(1)), path)
    return "/" + path.replace("^", "").replace("$", "").replace("\\", "")


def path_word(_pattern):
    return "nobody"


def walk(client, method, path):
    cache.clear()  # a rate limit is not what the table is about
    kept = client.cookies.output(header="", sep=";")  # a log-out is undone like everything else
    with transaction.atomic():
        body = {"content_type": "application/json"} if path.startswith("/api/") else {}
        response = client.generic(method, path, "{}" if body else "", **body)
        if response.streaming:
            response.getvalue()  # read to its end, a file closes itself
        transaction.set_rollback(True)
    client.cookies.clear()
    client.cookies.load(kept)
    return response.status_code


def test_every_route_answers_every_persona_as_the_table_says(world):
    people, by_prefix, others = world
    clients = {}
    for persona in PERSONAS:
        clients[persona] = Client(raise_request_exception=False)
        if people[persona]:
            clients[persona].force_login(people[persona])

    found = {}
    for route in routes():
        window = route.startswith("admin/")
        methods = WINDOW if window else PROGRAMS if route.startswith("api/") else PAGES
        path = address(route, by_prefix, others)
        for method in methods:
            found[route, method] = {
                persona: str(walk(clients[persona], method, path)) for persona in PERSONAS
            }

    if os.environ.get("WRITE_ROUTES"):
        with TABLE.open("w", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["route", "method", *PERSONAS])
            table.writerows([*key, *row.values()] for key, row in found.items())
    with TABLE.open(newline="") as file:
        listed = {(row.pop("route"), row.pop("method")): row for row in csv.DictReader(file)}
    assert found.keys() - listed.keys() == set(), "routes that nobody wrote into the table"
    assert listed.keys() - found.keys() == set(), "routes that are gone"
    wrong = {
        f"{method} /{route} for {persona}": f"{was} in the table, {found[route, method][persona]} now"
        for (route, method), row in listed.items()
        for persona, was in row.items()
        if found[route, method][persona] != was
    }
    assert wrong == {}
    assert not [key for key, row in found.items() if "500" in row.values()]
