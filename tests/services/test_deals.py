from decimal import Decimal
from uuid import uuid4

import pytest

from marketplace.accounts.models import LicenceDraw
from marketplace.deals import services as deals
from marketplace.deals.models import Deal
from marketplace.journal.models import Job
from marketplace.journal.services import drain
from marketplace.ledger.queries import house_balance
from marketplace.logistics.models import Shipment, TransportDocument
from marketplace.logistics.queries import chain_of
from marketplace.logistics.rules import is_whole
from marketplace.lots.models import Lot
from marketplace.market.models import Deposit

from tests.cast_deals import *  # noqa: F403
from tests.cast_deals import MASS, PRICE, choose_best, money, pass_on

pytestmark = pytest.mark.django_db


def test_the_whole_straight_line_from_the_award_to_the_money(
    sold, collector, recycler, carrier, rate_card, clock
):
    rate_card()
    award = sold()
    before = money(recycler)

    drain(clock=clock)
    deal = Deal.objects.get(award=award)
    assert deal.status == "CONTRACT_PENDING"
    assert Lot.objects.get(pk=deal.lot_id).status == "UNDER_DEAL"
    assert LicenceDraw.objects.get(purpose=f"deal:{deal.pk}").mass_kg == MASS

    deals.sign(deal, actor=collector, now=clock())
    deal = deals.sign(deal, actor=recycler, now=clock())
    assert deal.status == "FUNDS_PENDING"
    deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())
    assert money(recycler, "HELD") == PRICE
    drain(clock=clock)

    choose_best(deal, recycler, clock)
    drain(clock=clock)
    deal.refresh_from_db()
    assert (deal.status, deal.carrier_id) == ("CARRIER_BOOKED", carrier.organisation_id)
    assert TransportDocument.objects.filter(shipment__deal=deal).count() == 6

    pass_on(deal, collector, carrier, clock, mass_kg=Decimal("112.0"))
    deal.refresh_from_db()
    assert (deal.status, deal.lot.status) == ("PICKED_UP", "COLLECTED")
    pass_on(deal, carrier, recycler, clock, mass_kg=Decimal("112.4"))
    deal.refresh_from_db()
    assert deal.status == "INSPECTION"

    deals.accept(deal, actor=recycler, now=clock())
    drain(clock=clock)
    deal.refresh_from_db()
    assert (deal.status, deal.accepted_kg, deal.final_price) == (
        "SETTLED",
        Decimal("112.4"),
        PRICE,
    )
    fee = PRICE * Decimal("0.02")
    assert money(collector) == PRICE - fee
    assert money(recycler) == before + Deposit.objects.get().amount - PRICE
    assert money(recycler, "HELD") == 0
    assert house_balance("FEES", "IDR") == fee
    assert Lot.objects.get(pk=deal.lot_id).status == "ACCEPTED"
    shipment = Shipment.objects.get(deal=deal)
    assert shipment.status == "CLOSED"
    assert is_whole(chain_of(shipment))
    assert not Job.objects.exclude(state="DONE").exists()
