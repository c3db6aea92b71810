"""Standing orders of buyers with money. Import the fixtures into a test module that needs them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from marketplace.core.errors import Refused
from marketplace.market import queries, services

PER_KG = Decimal(150_000)


@pytest.fixture
def said(clock):
    """What a buyer says: NMC532 and NMC622, sound ones, 20 to 500 kg a lot, 1,000 kg in all, 150,000 a kg."""

    def make(**other):
        usual = services.OrderSaid(
            materials=["NMC532", "NMC622"],
            country="ID",
            kg_from=Decimal(20),
            kg_to=Decimal(500),
            capacity_kg=Decimal(1000),
            budget=Decimal(150_000_000),
            price={"kind": "PER_KG", "price": str(PER_KG)},
            valid_until=clock() + timedelta(days=30),
        )
        return replace(usual, **other)

    return make


@pytest.fixture
def order(said, recycler, rich, clock):
    """Publish an order, of the recycler unless a test says otherwise."""

    def make(buyer=recycler, *, money=500_000_000, **other):
        rich(buyer, money)
        return services.publish_order(
            actor=buyer, said=said(**other), request_id=uuid4(), now=clock()
        )

    return make


@pytest.fixture
def sell(collector, clock):
    """Sell a lot now, at what the order says, as the seller saw it. A refusal is returned."""

    def make(lot, order, *, actor=collector, **other):
        order.refresh_from_db()
        look = queries.Look(lot, clock().date())
        price = queries.price_of(order, order.now_terms, look)
        asked = {
            "version": order.version,
            "price": price.at_gate if price else Decimal(1),
            "request_id": uuid4(),
            "clock": clock,
        }
        try:
            return services.sell_now(lot, order=order, actor=actor, **asked | other)
        except Refused as refusal:
            return refusal

    return make
