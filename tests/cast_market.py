"""Lots that are for sale, bidders with money, and their bids. Import the fixtures into a test module that needs them."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from marketplace.accounts.actors import Actor
from marketplace.ledger import services as ledger
from marketplace.lots.models import Lot
from marketplace.market import services
from marketplace.market.models import Auction, Bid

START, RESERVE, STEP = Decimal(1_000_000), Decimal(2_000_000), Decimal(50_000)


@pytest.fixture
def priced_lot(collector, now) -> Callable[..., Lot]:
    """Write a valued lot into the table. How one gets there is tested with the lots."""

    def make(seller: Actor = collector, **other) -> Lot:
        fields = {
            "seller_id": seller.organisation_id,
            "created_by_id": seller.user_id,
            "request_id": uuid4(),
            "status": Lot.Status.PRICED,
            "origin": "SCOOTER",
            "chemistry_id": "NMC532",
            "chemistry_answered": True,
            "mass_kg": Decimal(112),
            "country": "ID",
            "place": "Bekasi",
            "triage": "GREEN",
            "declared_at": now,
            "declared_by_id": seller.user_id,
            "created_at": now,
            "submitted_at": now,
        }
        return Lot.objects.create(**fields | other)

    return make


@pytest.fixture
def offered(priced_lot, collector, clock) -> Callable[..., Auction]:
    """Offer a lot for bids, from now on for two hours unless a test says otherwise."""

    def make(lot: Lot | None = None, *, seller: Actor = collector, **other) -> Auction:
        terms = {
            "mode": "OPEN",
            "starting_price": START,
            "reserve": RESERVE,
            "step": STEP,
            "opens_at": clock(),
            "closes_at": clock() + timedelta(hours=2),
            "overtime_seconds": 300,
            "request_id": uuid4(),
            "now": clock(),
        }
        return services.open_auction(lot or priced_lot(seller), actor=seller, **terms | other)

    return make


@pytest.fixture
def auction(offered) -> Auction:
    return offered()


@pytest.fixture
def sealed(offered) -> Auction:
    return offered(mode="SEALED")


@pytest.fixture
def rich(clock) -> Callable[..., Actor]:
    """Give somebody's organisation money to spend, and return them."""

    def make(actor: Actor, amount: int = 100_000_000, currency: str = "IDR") -> Actor:
        ledger.top_up(
            actor=actor,
            amount=Decimal(amount),
            currency=currency,
            request_id=uuid4(),
            now=clock(),
        )
        return actor

    return make


@pytest.fixture
def bid(clock) -> Callable[..., Bid]:
    """Place a bid: ``bid(auction, recycler, 1_500_000)``."""

    def make(auction: Auction, actor: Actor, maximum, **other) -> Bid:
        asked = {"currency": "IDR", "request_id": uuid4(), "clock": clock}
        return services.place_bid(auction, actor=actor, maximum=Decimal(maximum), **asked | other)

    return make


@pytest.fixture
def bidder(member, licensed, rich) -> Callable[..., Actor]:
    """A licensed recycler with money."""

    def make(name: str, **other) -> Actor:
        return rich(licensed(member("RECYCLER", name, **other)))

    return make
