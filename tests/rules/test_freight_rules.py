from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from marketplace.freight import rules
from marketplace.freight.rules import Load, Offer, Offered, Rates
from marketplace.logistics import rules as chain

latitudes = st.floats(-89, 89)
longitudes = st.floats(-179, 179)
positions = st.tuples(latitudes, longitudes)
amounts = st.decimals(0, 10**6, places=2)


@given(a=positions, b=positions, factor=st.decimals(1, 3, places=2))
def test_the_road_is_as_long_there_as_back_and_never_shorter_than_the_crow_flies(a, b, factor):
    assert abs(rules.road_km(a, b, factor) - rules.road_km(b, a, factor)) <= Decimal("0.1")
    assert rules.road_km(a, b, factor) >= rules.road_km(a, b, Decimal(1)) - Decimal("0.1")
    assert rules.road_km(a, a, factor) == 0


@given(
    base=amounts,
    per_km=amounts,
    per_kg=amounts,
    share=st.decimals(0, 9, places=3),
    km=amounts,
    kg=amounts,
)
def test_the_parts_of_a_price_add_up(base, per_km, per_kg, share, km, kg):
    rates = Rates(base, per_km, per_kg, share)
    plain = base + per_km * km + per_kg * kg
    calm = rules.price_parts(rates, distance_km=km, mass_kg=kg, is_dangerous=False)
    wild = rules.price_parts(rates, distance_km=km, mass_kg=kg, is_dangerous=True)
    assert sum(part.amount for part in calm) == plain
    assert abs(sum(part.amount for part in wild) - plain * (1 + share)) < Decimal("0.001")


offers = st.lists(
    st.builds(
        Offer,
        key=st.integers(1, 99),
        price=amounts,
        pickup_on=st.none() | st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    ),
    unique_by=lambda offer: offer.key,
)


@given(offers, st.randoms(use_true_random=False))
def test_the_order_of_offers_does_not_depend_on_who_answered_first(found, random):
    shuffled = random.sample(found, len(found))
    assert rules.ranked(found) == rules.ranked(shuffled)
    prices = [offer.price for offer in rules.ranked(found)]
    assert prices == sorted(prices)


def test_a_card_carries_only_what_fits_from_where_it_goes():
    card = Offered((-6.2, 107.0), 50, {"ID"}, Decimal(1000))
    load = Load((-6.3, 107.1), "ID", "ID", Decimal(1000))
    assert rules.carries(card, load)
    assert not rules.carries(card, Load((-6.3, 107.1), "ID", "MY", Decimal(10)))
    assert not rules.carries(card, Load((-6.3, 107.1), "MY", "ID", Decimal(10)))
    assert not rules.carries(card, Load((-6.3, 107.1), "ID", "ID", Decimal("1000.001")))
    assert not rules.carries(card, Load((-7.3, 112.7), "ID", "ID", Decimal(10)))


link_fields = st.builds(
    chain.Link,
    shipment=st.integers(1, 9),
    sequence=st.just(1),
    giver=st.integers(1, 9),
    taker=st.integers(1, 9),
    mass_kg=st.sampled_from(["1.000", "112.400"]),
    confirmed_by=st.integers(1, 9),
    handed_at=st.just("2026-11-23T09:00:00+00:00"),
    previous=st.just(""),
)


@given(link_fields, st.sampled_from(["giver", "taker", "mass_kg", "confirmed_by", "shipment"]))
def test_a_changed_link_breaks_the_chain(first, field):
    from dataclasses import replace

    second = replace(first, sequence=2, previous=chain.fingerprint(first))
    whole = [(first, chain.fingerprint(first)), (second, chain.fingerprint(second))]
    assert chain.is_whole(whole)
    changed = replace(first, **{field: "9.999" if field == "mass_kg" else 99})
    assert not chain.is_whole([(changed, chain.fingerprint(first)), whole[1]])
    assert not chain.is_whole([(changed, chain.fingerprint(changed)), whole[1]])
    assert not chain.is_whole([whole[1]])
