"""A settled deal, its people, a signing key: where every certificate begins.

Written straight into the tables, so that a test of certificates fails only for what is wrong with certificates.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from marketplace.accounts.models import Licence
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
def reference(db):
    """Only what a certificate needs of the reference data: the whole of it takes longer than most tests here."""
    Source.objects.get_or_create(code="GK", defaults={"title": "General knowledge"})
    Country.objects.get_or_create(
        code="ID",
        defaults=sourced(name="Indonesia", currency="IDR", languages=["id"], calling_code="+62"),
    )
    LicenceType.objects.get_or_create(
        code="ID_PERTEK",
        defaults=sourced(
            country_id="ID",
            name="Technical approval",
            issuer="KLH",
            allows=["BID", "RECEIVE", "REPURPOSE"],
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


@pytest.fixture
def licence(recycler):
    """The recycler's."""
    return Licence.objects.get(organisation=recycler.organisation_id)


@pytest.fixture
def deal(collector, recycler, licence):
    return settled_deal(collector, recycler, licence)


def settled_deal(collector, recycler, licence, *, accepted_kg="112.400"):
    """A deal that was weighed, accepted and paid."""
    seller, buyer = collector.organisation_id, recycler.organisation_id
    mass_kg, price = Decimal(accepted_kg), Decimal(18_550)
    lot = Lot.objects.create(
        seller_id=seller,
        created_by_id=collector.user_id,
        request_id=uuid4(),
        status=Lot.Status.ACCEPTED,
        origin="SCOOTER",
        chemistry_id="NMC622",
        chemistry_answered=True,
        mass_kg=mass_kg,
        country="ID",
        place="Bekasi",
        triage="GREEN",
        declared_at=NOON - timedelta(days=20),
        declared_by_id=collector.user_id,
        created_at=NOON - timedelta(days=20),
        submitted_at=NOON - timedelta(days=20),
    )
    closed = NOON - timedelta(days=15)
    auction = Auction.objects.create(
        lot=lot,
        mode="OPEN",
        currency="IDR",
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
        created_by_id=collector.user_id,
        request_id=uuid4(),
        closed_at=closed,
    )
    bid = Bid.objects.create(
        auction=auction,
        bidder_id=buyer,
        placed_by_id=recycler.user_id,
        licence=licence,
        maximum=price,
        price_after=price,
        leads=True,
        placed_at=closed - timedelta(hours=1),
        request_id=uuid4(),
    )
    award = Award.objects.create(
        lot=lot,
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
        currency="IDR",
        price=price,
        declared_kg=mass_kg,
        tolerance_share=Decimal("0.02"),
        terms={},
        terms_sha256="0" * 64,
        status=Deal.Status.SETTLED,
        sign_by=closed,
        pay_by=closed,
        seller_signed_at=closed,
        seller_signed_by_id=collector.user_id,
        buyer_signed_at=closed,
        buyer_signed_by_id=recycler.user_id,
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
        weighed_by_id=recycler.user_id,
        weighed_at=DELIVERED,
        request_id=uuid4(),
    )
    return deal


def report(deal, actor, **changes):
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
    return services.report_processing(deal, actor=actor, **said | changes)


def issue(reported):
    """Do what the job does, a moment after the report."""
    made = services.prepare_certificate(reported.pk, now=reported.submitted_at)
    if made is not None:
        services.store_certificate(made, now=reported.submitted_at + timedelta(minutes=1))
    return Certificate.objects.filter(report=reported).first()


@pytest.fixture
def certificate(deal, recycler, keys_dir):
    return issue(report(deal, recycler))
