"""A lot of 1,500 kg that was sold by a formula, and what laboratories say of it. Import beside ``cast_deals``.

``by_terms()`` is a fresh contract between ``collector`` and ``recycler``; ``arrived()`` one whose goods were accepted.
"""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from marketplace.deals import services as deals
from marketplace.deals.models import Deal
from marketplace.market import services as market
from marketplace.market.models import Award
from marketplace.reference.models import MetalQuote

HEAVY = Decimal("1500.000")
FORMULA = {
    "kind": "FORMULA",
    "payables": {"Ni": "0.8", "Co": "0.8"},
    "charge_per_kg": "5000",
    "floor_per_kg": "1000",
    "assay": "LAB",
}
FOUND = {"Ni": Decimal("0.13"), "Co": Decimal("0.045")}


@pytest.fixture
def by_terms(priced_lot, collector, recycler, rich, clock):
    """Sell a lot in a sealed auction to a bid by terms, and return its contract."""

    def make(terms=FORMULA, mass_kg=HEAVY, **lot) -> Deal:
        auction = market.open_auction(
            priced_lot(collector, mass_kg=mass_kg, **lot),
            actor=collector,
            mode="SEALED",
            starting_price=Decimal(1_000_000),
            reserve=Decimal(1_000_000),
            step=Decimal(1000),
            opens_at=clock(),
            closes_at=clock() + timedelta(hours=1),
            request_id=uuid4(),
            now=clock(),
        )
        market.place_formula_bid(
            auction,
            actor=rich(recycler),
            terms=terms,
            currency="IDR",
            request_id=uuid4(),
            clock=clock,
            confirmed=True,
        )
        clock.forward(hours=1)
        market.close_auction(auction, clock=clock)
        award = Award.objects.get(auction=auction, status="WON")
        return deals.open_deal(award.pk, now=clock())

    return make


@pytest.fixture
def arrived(by_terms, bring, recycler, clock):
    """Sell by terms, bring the goods to the buyer, and accept them."""

    def make(terms=FORMULA, mass_kg=HEAVY, delivered_kg=None) -> Deal:
        deal = by_terms(terms, mass_kg)
        delivered_kg = delivered_kg or mass_kg
        bring(deal, "INSPECTION", picked_kg=mass_kg, delivered_kg=delivered_kg)
        return deals.accept(deal, actor=recycler, now=clock())

    return make


@pytest.fixture
def send(paper, clock):
    """Send what a laboratory found: ``send(deal, collector, Ni="0.14")``."""

    def make(deal, actor, *, request_id=None, **said):
        metals = {name: Decimal(said.pop(name)) for name in ("Ni", "Co") if name in said}
        asked = {
            "laboratory": "Sucofindo",
            "sample": "SEAL-0815",
            "assayed_on": clock().date(),
            "shares": FOUND | metals,
            "certificate": paper(),
            "request_id": request_id or uuid4(),
            "now": clock(),
        }
        return deals.send_assay(deal, actor=actor, **asked | said)

    return make


def quoted(material, on, price, *, kind="SPOT", source=None):
    """Write down what a kilogram cost on a day."""
    row = MetalQuote.objects.filter(material=material).latest("quoted_on", "pk")
    row.pk, row.quoted_on, row.price_usd_per_kg, row.kind = None, on, Decimal(price), kind
    row.source_id = source or row.source_id
    row.save(force_insert=True)
    return row
