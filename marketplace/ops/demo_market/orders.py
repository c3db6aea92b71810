"""Standing orders of the demo market: what its buyers promise to anybody who brings it."""

from datetime import timedelta
from decimal import Decimal

from marketplace.core.money import payable
from marketplace.market import services as market
from marketplace.market.services import OrderSaid
from marketplace.pricing.queries import price_board

from .people import Trader, chance_id
from .trade import Market

KINDS = 2  # that a buyer has an order for
CAPACITY_KG = (1_500, 3_000, 6_000)
OPEN_FOR = timedelta(days=30)  # beyond the day on which visitors look


def promise(it: Market, buyer: Trader) -> None:
    """Publish a buyer's standing orders, each a kind of battery at so much a kilogram, a part of what it is worth today."""
    takes = buyer.party.materials
    lines = [
        line
        for line in price_board(on=it.now.date(), country=buyer.party.country)
        if line.typical > 0
        and line.currency == buyer.organisation.currency
        and (not takes or line.chemistry.pk in takes)
    ]
    for line in it.random.sample(lines, min(KINDS, len(lines))):
        share = Decimal(str(round(it.random.uniform(0.6, 0.85), 3)))
        price = payable(line.typical * share, line.currency)
        capacity_kg = Decimal(it.random.choice(CAPACITY_KG))
        said = OrderSaid(
            materials=[line.chemistry.pk],
            country=buyer.party.country,
            kg_from=Decimal(10),
            kg_to=Decimal(1_500),
            capacity_kg=capacity_kg,
            budget=payable(price * capacity_kg, line.currency),
            price={"kind": "PER_KG", "price": str(price)},
            valid_until=it.until + OPEN_FOR,
            pickup=it.random.choice(("BUYER", "SELLER")),
        )
        market.publish_order(
            actor=buyer.actor, said=said, request_id=chance_id(it.random), now=it.now
        )
