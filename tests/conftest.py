"""The named cast, and how every test meets the house: no bell, no real mail, files in a place of their own.

Actors are people who act for their organisation: ``collector``, ``rival_collector``, ``recycler``, ``rival``,
``integrator``, ``carrier``, ``rival_carrier``, ``verifier``, ``second_verifier``, ``regulator``, ``producer``, ``staff``,
and ``stranger``, who is logged in and belongs to nobody. All live in Indonesia unless a test says otherwise.
``browser(actor)`` is a client that is logged in as one of them, ``program(actor)`` one with an API key.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from uuid import uuid4

import pikepdf
import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from PIL import Image

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import ANONYMOUS, Actor, actor_of
from marketplace.accounts.capabilities import Role
from marketplace.accounts.models import Licence, Membership, Organisation, User
from marketplace.journal.services import drain
from marketplace.reference.models import Chemistry, LicenceType
from marketplace.reference.queries import city
from marketplace.reference.services import load_reference
from tests.cast_stack import stack  # noqa: F401 - one running site for the tests that need a real one

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TODAY = NOW.date()
TOWNS = {"ID": 1649378, "IN": 1259229, "VN": 1566083, "PH": 1701668, "TH": 1609350}
"""GeoNames numbers of Bekasi, Pune, Ho Chi Minh City, Manila, Bangkok."""


# What is slow is measured in benchmarks/; a busy machine fails no test.
hypothesis_settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
hypothesis_settings.load_profile("house")


class SteppingClock:
    """A clock that stands still until a test moves it. Call it to read it."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> datetime:
        self.at += timedelta(**by)
        return self.at


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix):
    """Let tests with real transactions empty the tables behind them, also the append-only ones."""
    for each in connections.all():
        options = each.settings_dict.setdefault("OPTIONS", {})
        options["options"] = "-c voltbazaar.may_truncate=on"


@pytest.fixture(autouse=True)
def quiet_house(settings, tmp_path):
    """Nothing leaves the test: no bell, no broker, no cache server, no text message; files in its own folder."""
    settings.JOB_BELL = False
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.SEAL_DIRS = [tmp_path / f"holder-{n}" for n in range(1, 6)]
    # it looks at every static file for every client; the stack's tests have it
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.SMS_ADAPTER = "marketplace.notifications.sms.MemorySms"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()  # rate limits of one test are not those of the next


@pytest.fixture
def now() -> datetime:
    """A Monday at nine, UTC."""
    return NOW


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock(NOW)


@pytest.fixture
def settle(clock) -> Callable[[], int]:
    """Do every job that is due, and what follows from it, as workers would."""
    return lambda: drain(clock=clock)


@pytest.fixture
def reference(db) -> None:
    """All of our reference data, as a new installation has it."""
    if not Chemistry.objects.exists():
        load_reference()


# --- people ---------------------------------------------------------------------------------------


@pytest.fixture
def member(reference) -> Callable[..., Actor]:
    """Make a person with a role, of a new organisation or ``of`` an old one, and return who they act as."""

    def make(
        role: str,
        name: str,
        *,
        of: int | None = None,
        country: str = "ID",
        currency: str = "IDR",
        group: str = "",
        tier: int = Organisation.Tier.BUSINESS,
    ) -> Actor:
        user = User.objects.create_user(
            email=f"{name.lower().replace(' ', '.')}@example.org",
            name=name,
            password="lithium-4-all",
        )
        organisation_id = of
        if organisation_id is None:
            town = city(TOWNS[country])
            organisation_id = Organisation.objects.create(
                name=f"{name} and friends",
                country=country,
                currency=currency,
                group=group,
                tier=tier,
                geoname_id=town.geoname_id,
                place=town.name,
                latitude=Decimal(str(town.latitude)),
                longitude=Decimal(str(town.longitude)),
                created_at=NOW - timedelta(days=400),
            ).pk
        Membership.objects.create(user=user, organisation_id=organisation_id, role=role)
        return actor_of(user)

    return make


@pytest.fixture
def collector(member) -> Actor:
    return member(Role.COLLECTOR, "Asha Collector")


@pytest.fixture
def rival_collector(member) -> Actor:
    return member(Role.COLLECTOR, "Budi Collector")


@pytest.fixture
def recycler(member, licensed) -> Actor:
    """A recycler with a verified licence for every chemistry, 100 t a year."""
    return licensed(member(Role.RECYCLER, "Citra Recycler"), "ID_PERTEK")


@pytest.fixture
def rival(member, licensed) -> Actor:
    """A second recycler, licensed like the first."""
    return licensed(member(Role.RECYCLER, "Dewi Recycler"), "ID_PERTEK")


@pytest.fixture
def integrator(member, licensed) -> Actor:
    return licensed(member(Role.INTEGRATOR, "Eka Integrator"), "ID_PERTEK")


@pytest.fixture
def carrier(member, licensed) -> Actor:
    return licensed(member(Role.CARRIER, "Fajar Carrier"), "ID_TRANS")


@pytest.fixture
def rival_carrier(member, licensed) -> Actor:
    return licensed(member(Role.CARRIER, "Gita Carrier"), "ID_TRANS")


@pytest.fixture
def verifier(member) -> Actor:
    return member(Role.VERIFIER, "Hana Verifier")


@pytest.fixture
def second_verifier(member) -> Actor:
    return member(Role.VERIFIER, "Indra Verifier")


@pytest.fixture
def regulator(member) -> Actor:
    return member(Role.REGULATOR, "Joko Regulator")


@pytest.fixture
def producer(member) -> Actor:
    return member(Role.PRODUCER, "Kartika Producer")


@pytest.fixture
def staff(reference) -> Actor:
    """Somebody who runs the site, and trades for nobody."""
    user = User.objects.create_user(
        email="staff@example.org", name="Lina Staff", password="lithium-4-all", is_staff=True
    )
    return actor_of(user)


@pytest.fixture
def stranger(reference) -> Actor:
    """Logged in, and a member of nothing."""
    return actor_of(User.objects.create_user(phone="+6281200000099", name="Mega Stranger"))


@pytest.fixture
def anonymous() -> Actor:
    return ANONYMOUS


@pytest.fixture
def everybody(
    collector,
    rival_collector,
    recycler,
    rival,
    integrator,
    carrier,
    rival_carrier,
    verifier,
    second_verifier,
    regulator,
    producer,
    staff,
    stranger,
) -> dict[str, Actor]:
    """The whole cast by name."""
    return {
        "collector": collector,
        "rival_collector": rival_collector,
        "recycler": recycler,
        "rival": rival,
        "integrator": integrator,
        "carrier": carrier,
        "rival_carrier": rival_carrier,
        "verifier": verifier,
        "second_verifier": second_verifier,
        "regulator": regulator,
        "producer": producer,
        "staff": staff,
        "stranger": stranger,
    }


# --- licences -------------------------------------------------------------------------------------


@pytest.fixture
def licence_of(reference) -> Callable[..., Licence]:
    """Write a verified licence into the table. How one gets verified is tested in test_accounts_licences.py."""

    def make(actor: Actor, type_code: str = "ID_PERTEK", **other) -> Licence:
        kind = LicenceType.objects.get(pk=type_code)
        fields = {
            "organisation_id": actor.organisation_id,
            "licence_type": kind,
            "number": f"{type_code}/2026/{actor.organisation_id}",
            "issuer": kind.issuer,
            "country": kind.country_id,
            "site_name": "Works 1",
            "site_place": "Bekasi",
            "acts": list(kind.allows),
            "materials": sorted(Chemistry.objects.values_list("code", flat=True)),
            "annual_mass_kg": Decimal(100_000),
            "valid_from": date(2026, 1, 1),
            "valid_until": date(2027, 12, 31),
            "finish_until": date(2028, 3, 30),
            "status": Licence.Status.VERIFIED,
            "verified_at": NOW - timedelta(days=30),
            "submitted_at": NOW - timedelta(days=31),
            "request_id": uuid4(),
        }
        return Licence.objects.create(**fields | other)

    return make


@pytest.fixture
def licensed(licence_of) -> Callable[..., Actor]:
    """Give somebody a verified licence, and return them."""

    def make(actor: Actor, type_code: str = "ID_PERTEK", **other) -> Actor:
        licence_of(actor, type_code, **other)
        return actor

    return make


# --- what people carry ----------------------------------------------------------------------------


@pytest.fixture
def photo() -> Callable[..., SimpleUploadedFile]:
    """Make a fresh upload of a photo of a battery."""

    def make(name: str = "battery.jpg", *, size=(640, 480), form="JPEG") -> SimpleUploadedFile:
        out = BytesIO()
        Image.new("RGB", size, (40, 90, 60)).save(out, form)
        return SimpleUploadedFile(name, out.getvalue(), content_type="image/jpeg")

    return make


@pytest.fixture
def paper() -> Callable[..., SimpleUploadedFile]:
    """Make a fresh upload of a one-page PDF."""

    def make(name: str = "licence.pdf") -> SimpleUploadedFile:
        pdf, out = pikepdf.new(), BytesIO()
        pdf.add_blank_page()
        pdf.save(out)
        return SimpleUploadedFile(name, out.getvalue(), content_type="application/pdf")

    return make


# --- doors ----------------------------------------------------------------------------------------


@pytest.fixture
def browser() -> Callable[[Actor], Client]:
    """A browser that somebody is logged in with, acting for the organisation that the actor acts for."""

    def make(actor: Actor) -> Client:
        client = Client()
        if actor.user_id is not None:
            client.force_login(User.objects.get(pk=actor.user_id))
            session = client.session
            session["acting_for"] = actor.organisation_id
            session.save()
        return client

    return make


@pytest.fixture
def program() -> Callable[[Actor], Client]:
    """A program with an API key of somebody: ``program(collector).get("/api/v1/me/")``."""

    def make(actor: Actor) -> Client:
        _token, secret = accounts.issue_token(
            actor=actor, name="a program", days=30, now=datetime.now(UTC)
        )
        return Client(headers={"authorization": f"Bearer {secret}"})

    return make
