"""A settled deal, its people, a signing key: where every certificate begins.

Written straight into the tables, so that a test of certificates fails only for what is wrong with certificates.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from marketplace.accounts.actors import actor_of
from marketplace.accounts.capabilities import Role
from marketplace.accounts.models import Licence, Membership, Organisation, User
from marketplace.certificates import keys, services
from marketplace.certificates.models import Certificate, ProcessingReport
from marketplace.certificates.rules.mass_balance import Output
from marketplace.deals.models import Deal, Weighing
from marketplace.lots.models import Lot
from marketplace.market.models import Auction, Award, Bid
from marketplace.reference.models import Chemistry, Confidence, Country, Family, LicenceType, Source

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DELIVERED = NOON - timedelta(days=5)
PROCESSED_ON = date(2026, 11, 20)
SITE = "https://voltbazaar.example"


@pytest.fixture
def keys_dir(tmp_path, settings):
    """A place for keys and papers of this test alone, with a signing key in it."""
    settings.KEYS_DIR = tmp_path / "keys"
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.SITE_URL = SITE
    settings.ALLOWED_HOSTS = ["*"]
    keys.create(settings.KEYS_DIR, at=NOON)
    return settings.KEYS_DIR


def sourced(**fields):
    return {"source_id": "GK", "confidence": Confidence.GENERAL, "checked_on": NOON.date()} | fields


@pytest.fixture
def law(db):
    """Two countries, a licence type and a chemistry."""
    Source.objects.get_or_create(code="GK", defaults={"title": "General knowledge"})
    for code, name, currency in (("IN", "India", "INR"), ("VN", "Viet Nam", "VND")):
        Country.objects.get_or_create(
            code=code,
            defaults=sourced(name=name, currency=currency, languages=["en"], calling_code="+00"),
        )
    licence_type, _ = LicenceType.objects.get_or_create(
        code="VN-HW",
        defaults=sourced(
            country_id="VN",
            name="Hazardous waste treatment",
            issuer="MAE",
            allows=["BID", "RECEIVE"],
            families=[],
            is_mandatory=True,
            finish_grace_days=90,
        ),
    )
    Chemistry.objects.get_or_create(
        code="NMC622",
        defaults=sourced(
            name="Nickel manganese cobalt 6-2-2",
            family=Family.values[0],
            feed="TERNARY",
            letters="NMC",
            css_class="nmc",
            nominal_volts=Decimal("3.65"),
            cell_wh_per_kg=Decimal(220),
            pack_wh_per_kg_low=Decimal(100),
            pack_wh_per_kg=Decimal(140),
            pack_wh_per_kg_high=Decimal(180),
            cell_share_of_pack=Decimal("0.6"),
            value_class="A",
        ),
    )
    return licence_type


@pytest.fixture
def person(law):
    """Make a user of an organisation, known to it by one role; a new organisation unless one is given."""

    def make(role, name, *, of=None, country="VN"):
        slug = name.lower().replace(" ", ".")
        user = User.objects.create_user(email=f"{slug}@example.org", name=name)
        organisation = of or Organisation.objects.create(
            name=name, country=country, currency="VND", created_at=NOON - timedelta(days=90)
        )
        Membership.objects.create(user=user, organisation=organisation, role=role)
        return user

    return make


@pytest.fixture
def collector(person):
    return person(Role.COLLECTOR, "Asha Kabadi", country="IN")


@pytest.fixture
def recycler(person):
    return person(Role.RECYCLER, "Green Loop")


@pytest.fixture
def verifier(person):
    return person(Role.VERIFIER, "Vera Watch")


@pytest.fixture
def second_verifier(person):
    return person(Role.VERIFIER, "Second Watch")


@pytest.fixture
def licence(recycler, law):
    holder = actor_of(recycler).organisation_id
    return Licence.objects.create(
        organisation_id=holder,
        licence_type=law,
        number="GP-2026/118",
        issuer="Ministry of Agriculture and Environment",
        country="VN",
        acts=["bid", "receive"],
        materials=["NMC622"],
        annual_mass_kg=Decimal(100_000),
        valid_from=date(2026, 1, 1),
        valid_until=date(2026, 12, 31),
        finish_until=date(2027, 3, 31),
        status=Licence.Status.VERIFIED,
        verified_at=NOON - timedelta(days=60),
        request_id=uuid4(),
    )


@pytest.fixture
def deal(collector, recycler, licence):
    return settled_deal(collector, recycler, licence)


def settled_deal(collector, recycler, licence, *, accepted_kg="112.400"):
    """A deal that was weighed, accepted and paid."""
    seller, buyer = actor_of(collector).organisation_id, actor_of(recycler).organisation_id
    mass_kg, price = Decimal(accepted_kg), Decimal(18_550)
    lot = Lot.objects.create(
        seller_id=seller,
        created_by=collector,
        request_id=uuid4(),
        status=Lot.Status.ACCEPTED,
        origin="SCOOTER",
        chemistry_id="NMC622",
        chemistry_answered=True,
        mass_kg=mass_kg,
        country="IN",
        place="Pune",
        triage="GREEN",
        declared_at=NOON - timedelta(days=20),
        declared_by=collector,
        created_at=NOON - timedelta(days=20),
        submitted_at=NOON - timedelta(days=20),
    )
    closed = NOON - timedelta(days=15)
    auction = Auction.objects.create(
        lot=lot,
        mode="OPEN",
        currency="VND",
        starting_price=price,
        reserve=price,
        step=10,
        deposit=0,
        opens_at=closed - timedelta(days=1),
        closes_at=closed,
        planned_close_at=closed,
        last_close_at=closed,
        overtime_seconds=0,
        terms_sha256="0" * 64,
        status="AWARDED",
        price=price,
        leader_id=buyer,
        bid_count=1,
        created_by=collector,
        request_id=uuid4(),
        closed_at=closed,
    )
    bid = Bid.objects.create(
        auction=auction,
        bidder_id=buyer,
        placed_by=recycler,
        licence=licence,
        maximum=price,
        price_after=price,
        leads=True,
        placed_at=closed - timedelta(hours=1),
        request_id=uuid4(),
    )
    award = Award.objects.create(
        auction=auction,
        bidder_id=buyer,
        bid=bid,
        rank=1,
        price=price,
        status="WON",
        decided_at=closed,
    )
    deal = Deal.objects.create(
        award=award,
        lot=lot,
        seller_id=seller,
        buyer_id=buyer,
        licence=licence,
        currency="VND",
        price=price,
        declared_kg=mass_kg,
        tolerance_share=Decimal("0.02"),
        terms={},
        terms_sha256="0" * 64,
        status=Deal.Status.SETTLED,
        sign_by=closed,
        pay_by=closed,
        seller_signed_at=closed,
        seller_signed_by=collector,
        buyer_signed_at=closed,
        buyer_signed_by=recycler,
        accepted_kg=mass_kg,
        final_price=price,
        opened_at=closed,
        settled_at=DELIVERED,
    )
    Weighing.objects.create(
        deal=deal,
        stage="DELIVERY",
        gross_kg=mass_kg + 1000,
        tare_kg=1000,
        net_kg=mass_kg,
        weighed_for_id=buyer,
        weighed_by=recycler,
        weighed_at=DELIVERED,
        request_id=uuid4(),
    )
    return deal


def report(deal, user, **changes):
    """Report a plausible process: 112.4 kg in, all accounted for."""
    said = {
        "kind": ProcessingReport.Kind.RECYCLED,
        "input_kg": Decimal("112.400"),
        "outputs": [
            Output("COPPER", Decimal("12.400")),
            Output("NICKEL", Decimal("22.000")),
            Output("BLACK_MASS", Decimal("40.000")),
        ],
        "residue_kg": Decimal(30),
        "loss_kg": Decimal(8),
        "processed_on": PROCESSED_ON,
        "request_id": uuid4(),
        "now": NOON,
    }
    return services.report_processing(deal, actor=actor_of(user), **said | changes)


def issue(reported):
    """Do what the job does, at noon."""
    made = services.prepare_certificate(reported.pk, now=NOON)
    if made is not None:
        services.store_certificate(made, now=NOON + timedelta(minutes=1))
    return Certificate.objects.filter(report=reported).first()


@pytest.fixture
def certificate(deal, recycler, keys_dir):
    return issue(report(deal, recycler))
