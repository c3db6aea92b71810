"""People, money and lots for a measurement, in the database that the environment names."""

import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
os.environ["JOB_BELL"] = "0"
django.setup()

from django.test import Client  # noqa: E402

from marketplace.accounts import services as accounts  # noqa: E402
from marketplace.accounts.actors import Actor, actor_of  # noqa: E402
from marketplace.accounts.models import Licence, Membership, Organisation, User  # noqa: E402
from marketplace.ledger import services as ledger  # noqa: E402
from marketplace.lots.models import Lot  # noqa: E402
from marketplace.market import services as market  # noqa: E402
from marketplace.market.models import Auction  # noqa: E402
from marketplace.reference.models import Chemistry, LicenceType  # noqa: E402
from marketplace.reference.services import load_reference  # noqa: E402

START, STEP = Decimal(1_000_000), Decimal(1_000)


def now() -> datetime:
    return datetime.now(UTC)


def reference() -> None:
    if not Chemistry.objects.exists():
        load_reference()


def member(role: str) -> Actor:
    """A new person of a new organisation."""
    name = f"{role.title()} {uuid4().hex[:8]}"
    user = User.objects.create_user(email=f"{uuid4().hex}@example.org", name=name, password=None)
    organisation = Organisation.objects.create(
        name=name, country="ID", currency="IDR", tier=3, created_at=now()
    )
    Membership.objects.create(user=user, organisation=organisation, role=role)
    return actor_of(user)


def bidder() -> tuple[Actor, str]:
    """A licensed recycler with money, and the key of a program of theirs."""
    actor = member("RECYCLER")
    kind = LicenceType.objects.get(pk="ID_PERTEK")
    Licence.objects.create(
        organisation_id=actor.organisation_id,
        licence_type=kind,
        number=uuid4().hex,
        issuer=kind.issuer,
        country="ID",
        acts=list(kind.allows),
        materials=sorted(Chemistry.objects.values_list("code", flat=True)),
        annual_mass_kg=Decimal(100_000),
        valid_from=date(2026, 1, 1),
        valid_until=date(2099, 1, 1),
        finish_until=date(2099, 4, 1),
        status="VERIFIED",
        verified_at=now(),
        submitted_at=now(),
        request_id=uuid4(),
    )
    ledger.top_up(
        actor=actor, amount=Decimal(10) ** 10, currency="IDR", request_id=uuid4(), now=now()
    )
    _token, secret = accounts.issue_token(actor=actor, name="benchmark", days=1, now=now())
    return actor, secret


def hot_auction(seller: Actor, *, chemistry: str = "NMC532", place: str = "Bekasi") -> Auction:
    """An open auction that ends in a day."""
    lot = Lot.objects.create(
        seller_id=seller.organisation_id,
        created_by_id=seller.user_id,
        request_id=uuid4(),
        status=Lot.Status.PRICED,
        origin="SCOOTER",
        chemistry_id=chemistry,
        chemistry_answered=True,
        mass_kg=Decimal(112),
        country="ID",
        place=place,
        triage="GREEN",
        declared_at=now(),
        declared_by_id=seller.user_id,
        created_at=now(),
        submitted_at=now(),
    )
    return market.open_auction(
        lot,
        actor=seller,
        mode="OPEN",
        starting_price=START,
        reserve=START,
        step=STEP,
        opens_at=now(),
        closes_at=now() + timedelta(days=1),
        overtime_seconds=300,
        request_id=uuid4(),
        now=now(),
    )


def cookie_of(actor: Actor) -> str:
    """A session cookie of somebody who is logged in."""
    client = Client()
    client.force_login(User.objects.get(pk=actor.user_id))
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())


def piles(seller, many, chance, first):  # type: ignore[no-untyped-def]
    """Write many valued lots of one seller into the table: half of known chemistry, some estimated, some said healthy."""
    from django.utils import timezone  # noqa: PLC0415

    from marketplace.lots.models import Lot  # noqa: PLC0415

    now = timezone.now()
    kinds = ["LFP", "NMC532", "NMC622", "LCO", "PBA", None, None, "LI_UNKNOWN"]
    rows = []
    for number in range(many):
        kind = chance.choice(kinds)
        rows.append(
            Lot(
                seller_id=seller.organisation_id,
                created_by_id=seller.user_id,
                request_id=type(first)(int=first.int + number),
                status="PRICED",
                origin=chance.choice(["SCOOTER", "RICKSHAW", "CAR", "HOME", "DEVICE"]),
                chemistry_id=kind,
                chemistry_answered=True,
                mass_kg=round(chance.uniform(20, 900), 3),
                mass_is_estimated=chance.random() < 0.4,
                state_of_health=0.85 if chance.random() < 0.2 else None,
                country="ID",
                place="Bekasi",
                latitude="-6.24",
                longitude="106.99",
                triage="GREEN",
                declared_at=now,
                declared_by_id=seller.user_id,
                created_at=now,
                submitted_at=now,
            )
        )
    Lot.objects.bulk_create(rows, batch_size=1000)
