"""A lot that was sold, and how it comes from the contract to the scale. Everything is done by services.

``deal`` is a fresh contract between ``collector`` and ``recycler``; ``bring(deal, "INSPECTION")`` moves one on.
"""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from marketplace.accounts.models import Licence, Organisation
from marketplace.deals import services as deals
from marketplace.deals.models import Deal
from marketplace.freight import services as freight
from marketplace.freight.models import QuoteRound
from marketplace.journal.services import drain
from marketplace.ledger import services as ledger
from marketplace.logistics import services as logistics
from marketplace.logistics.models import Shipment
from marketplace.lots.models import Lot
from marketplace.market import services as market
from marketplace.market.models import Award

PRICE = Decimal(18_500_000)
MASS = Decimal("112.000")
ROAD_TO = [
    "CONTRACT_PENDING",
    "FUNDS_PENDING",
    "FUNDED",
    "CARRIER_BOOKED",
    "PICKED_UP",
    "INSPECTION",
]


@pytest.fixture
def priced_lot(collector, now):
    """Make a lot that is valued and may be offered."""

    def make(seller=collector, *, mass_kg=MASS, chemistry="NMC622", triage="GREEN", **other):
        town = Organisation.objects.get(pk=seller.organisation_id)
        fields = {
            "seller_id": seller.organisation_id,
            "created_by_id": seller.user_id,
            "request_id": uuid4(),
            "status": Lot.Status.PRICED,
            "origin": "SCOOTER",
            "chemistry_id": chemistry,
            "chemistry_answered": True,
            "mass_kg": mass_kg,
            "country": town.country,
            "place": town.place,
            "latitude": town.latitude,
            "longitude": town.longitude,
            "triage": triage,
            "declared_at": now,
            "declared_by_id": seller.user_id,
            "created_at": now,
            "submitted_at": now,
        }
        return Lot.objects.create(**fields | other)

    return make


@pytest.fixture
def rich(now):
    """Give somebody's organisation money to spend."""

    def make(actor, amount=Decimal(500_000_000), currency="IDR"):
        ledger.top_up(actor=actor, amount=amount, currency=currency, request_id=uuid4(), now=now)
        return actor

    return make


@pytest.fixture
def sold(priced_lot, collector, recycler, rich, clock):
    """Sell a lot in an auction of an hour, and return the winning award. Further bidders stand by."""

    def make(*, seller=collector, buyers=None, price=PRICE, **lot):
        buyers = buyers or [recycler]
        auction = market.open_auction(
            priced_lot(seller, **lot),
            actor=seller,
            mode="SEALED",
            starting_price=Decimal(1_000_000),
            reserve=Decimal(1_000_000),
            step=Decimal(1000),
            opens_at=clock(),
            closes_at=clock() + timedelta(hours=1),
            request_id=uuid4(),
            now=clock(),
        )
        for place, buyer in enumerate(buyers):
            market.place_bid(
                auction,
                actor=rich(buyer),
                maximum=price - place * 1_000_000,
                currency="IDR",
                request_id=uuid4(),
                clock=clock,
                confirmed=True,
            )
        clock.forward(hours=1)
        market.close_auction(auction, clock=clock)
        return Award.objects.get(auction=auction, status="WON")

    return make


@pytest.fixture
def rate_card(carrier, now):
    """What a carrier asks: 100,000 + 2,500 a km + 500 a kg, a tenth more for dangerous goods."""

    def make(who=carrier, **other):
        town = Organisation.objects.get(pk=who.organisation_id)
        licence = Licence.objects.filter(organisation_id=who.organisation_id).first()
        said = {
            "name": "Box van",
            "currency": "IDR",
            "base": Decimal(100_000),
            "per_km": Decimal(2500),
            "per_kg": Decimal(500),
            "dangerous_goods_share": Decimal("0.1"),
            "countries": ["ID"],
            "centre_latitude": town.latitude,
            "centre_longitude": town.longitude,
            "radius_km": 200,
            "capacity_kg": Decimal(2000),
            "request_id": uuid4(),
            "now": now,
        }
        return freight.publish_rate_card(licence, actor=who, **said | other)

    return make


@pytest.fixture
def deal(sold, clock) -> Deal:
    return deals.open_deal(sold().pk, now=clock())


@pytest.fixture
def bring(collector, recycler, carrier, rate_card, clock):
    """Move a fresh deal of collector, recycler and carrier on, step by step, up to a stage."""

    def move(deal, to, *, picked_kg=MASS, delivered_kg=MASS):
        for step in ROAD_TO[ROAD_TO.index(deal.status) + 1 : ROAD_TO.index(to) + 1]:
            if step == "FUNDS_PENDING":
                for side in (collector, recycler):
                    deals.sign(deal, actor=side, now=clock())
            elif step == "FUNDED":
                if not carrier_has_a_card(carrier):
                    rate_card()
                deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())
                drain(clock=clock)
            elif step == "CARRIER_BOOKED":
                choose_best(deal, recycler, clock)
                drain(clock=clock)
            elif step == "PICKED_UP":
                pass_on(deal, collector, carrier, clock, mass_kg=picked_kg)
            else:
                pass_on(deal, carrier, recycler, clock, mass_kg=delivered_kg)
        deal.refresh_from_db()
        assert deal.status == to
        return deal

    return move


def carrier_has_a_card(carrier):
    return Organisation.objects.filter(pk=carrier.organisation_id, rate_cards__active=True).exists()


def choose_best(deal, buyer, clock):
    asked = QuoteRound.objects.get(purpose=f"deal:{deal.pk}")
    return freight.choose_quote(asked.quotes.get(rank=1), actor=buyer, now=clock())


def pass_on(deal, giver, taker, clock, *, mass_kg=None, request_id=None):
    """The giver shows a code, the taker types it."""
    shipment = Shipment.objects.get(deal=deal)
    code = logistics.show_code(shipment, actor=giver, now=clock())
    return logistics.hand_over(
        shipment,
        actor=taker,
        code=code,
        mass_kg=mass_kg,
        request_id=request_id or uuid4(),
        now=clock(),
    )


def money(actor, kind="AVAILABLE", currency="IDR"):
    return ledger.balance(organisation=actor.organisation_id, kind=kind, currency=currency)
