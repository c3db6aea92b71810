"""What was paid is kept once, and the index of it is published once a day and corrected openly."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from marketplace.accounts.models import Organisation
from marketplace.deals import services as deals
from marketplace.deals.events import DealSettled
from marketplace.journal.models import Entry, Job
from marketplace.journal.services import drain
from marketplace.pricing import services, tasks
from marketplace.pricing.models import IndexValue, SettledPrice, Valuation
from marketplace.pricing.rules.index import VERSION
from tests.cast_deals import *  # noqa: F403
from tests.cast_deals import MASS, PRICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def valued(now):
    """Say what a lot is worth."""

    def make(lot, low, typical, high, *, at=None):
        return Valuation.objects.create(
            lot=lot,
            inputs_hash=f"{lot.pk}:{low}:{typical}",
            currency="IDR",
            low=Decimal(low),
            typical=Decimal(typical),
            high=Decimal(high),
            route="RECYCLE",
            terms=[],
            inputs={},
            quotes_on=now.date(),
            rules_version="test",
            valued_at=at or now - timedelta(hours=1),
        )

    return make


@pytest.fixture
def paid(priced_lot, member, now):
    """Let deals be settled between as many sellers and buyers as asked for. Prices are in USD."""
    people = {}

    def party(role, name):
        if name not in people:
            people[name] = member(role, name)
        return people[name]

    def make(price, *, kg=100, seller="Seller 0", buyer="Buyer 0", days_ago=0, group="", **lot):
        made = priced_lot(party("COLLECTOR", seller), **{"mass_kg": Decimal(kg)} | lot)
        return services.note_settled_price(
            deal_id=made.pk,
            lot_id=made.pk,
            seller_id=party("COLLECTOR", seller).organisation_id,
            buyer_id=party("RECYCLER", buyer).organisation_id,
            kg=Decimal(kg),
            price=Decimal(price) * kg,
            currency="USD",
            offered_at=None,
            now=now - timedelta(days=days_ago),
        )

    return make


@pytest.fixture
def market(paid):
    """Six deals of three sellers and three buyers."""

    def make(*prices, **other):
        return [
            paid(price, seller=f"Seller {n % 3}", buyer=f"Buyer {n % 3}", **other)
            for n, price in enumerate(prices or ("2", "3", "3.5", "4", "4.5", "9"))
        ]

    return make


def current(**which):
    return IndexValue.objects.filter(**which).order_by("-on", "-revision").first()


# --- what was paid ----------------------------------------------------------------------------------


def test_a_settled_deal_is_kept_with_what_we_had_said(
    deal, bring, recycler, collector, valued, clock, now
):
    valued(deal.lot, 10_000_000, 16_000_000, 20_000_000)
    bring(deal, "INSPECTION")
    deals.accept(deal, actor=recycler, now=clock())
    drain(clock=clock)

    kept = SettledPrice.objects.get()

    assert (kept.deal_id, kept.lot_id) == (deal.pk, deal.lot_id)
    assert (kept.seller_id, kept.buyer_id) == (collector.organisation_id, recycler.organisation_id)
    assert (kept.kg, kept.price, kept.currency) == (MASS, PRICE, "IDR")
    assert (kept.letters, kept.form, kept.country) == ("NMC", "SCOOTER", "ID")
    assert kept.settled_on == clock().date()
    assert kept.offered_at == deal.award.auction.opens_at
    assert kept.usd_per_kg == pytest.approx(kept.usd / MASS, abs=Decimal("0.0001"))
    assert kept.predicted_low < kept.predicted_typical < kept.usd_per_kg < kept.predicted_high


def test_what_was_said_after_bidding_opened_does_not_count(
    paid, priced_lot, valued, now, collector
):
    lot = priced_lot()
    before = valued(lot, 1, 2, 3, at=now - timedelta(days=3))
    valued(lot, 10, 20, 30, at=now)

    kept = services.note_settled_price(
        deal_id=1,
        lot_id=lot.pk,
        seller_id=collector.organisation_id,
        buyer_id=collector.organisation_id,
        kg=MASS,
        price=PRICE,
        currency="IDR",
        offered_at=now - timedelta(days=2),
        now=now,
    )

    assert kept.valuation == before


def test_a_deal_is_kept_once_however_often_it_is_heard_of(paid, now):
    kept = paid("3")

    again = services.note_settled_price(
        deal_id=kept.deal_id,
        lot_id=kept.lot_id,
        seller_id=kept.seller_id,
        buyer_id=kept.buyer_id,
        kg=Decimal(1),
        price=Decimal(1),
        currency="USD",
        offered_at=None,
        now=now,
    )

    assert again == kept
    assert SettledPrice.objects.count() == 1


def test_an_event_of_old_says_nothing_and_is_let_be(now):
    tasks.on_deal_settled(DealSettled(deal_id=7), now)

    assert not SettledPrice.objects.exists()


def test_without_an_exchange_rate_a_deal_is_kept_but_counts_nowhere(priced_lot, collector, now):
    lot = priced_lot()
    kept = services.note_settled_price(
        deal_id=1,
        lot_id=lot.pk,
        seller_id=collector.organisation_id,
        buyer_id=collector.organisation_id,
        kg=MASS,
        price=PRICE,
        currency="XAF",
        offered_at=None,
        now=now,
    )

    assert (kept.usd, kept.usd_per_kg) == (None, None)
    assert not SettledPrice.objects.in_dollars().exists()


def test_unsorted_lithium_has_no_letters(paid):
    assert paid("1", chemistry="LI_UNKNOWN").letters == ""
    assert paid("1", chemistry=None).letters == ""


def test_organisations_of_one_group_are_one_party(paid, member):
    first = paid("3", seller="Seller 0")
    Organisation.objects.filter(pk=first.seller_id).update(group="Sons of Seller")

    assert paid("3", seller="Seller 0").seller_party == "group:Sons of Seller"


def test_only_the_two_who_traded_see_a_price(paid, market, anonymous, staff, rival):
    kept = paid("3")

    def sees(actor):
        return SettledPrice.objects.visible_to(actor).count()

    seller = Organisation.objects.get(pk=kept.seller_id)
    assert seller
    assert (sees(anonymous), sees(rival), sees(staff)) == (0, 0, 1)


@pytest.mark.parametrize("table", ["pricing_settledprice", "pricing_indexvalue"])
@pytest.mark.parametrize("change", ["UPDATE {} SET kg = 1", "DELETE FROM {}"])
def test_what_was_paid_or_published_is_never_changed(market, now, table, change):
    market()
    services.publish_index(on=now.date(), now=now)

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change.format(table))


# --- the index ------------------------------------------------------------------------------------


def test_enough_deals_make_an_index_of_every_group_they_are_in(market, now):
    market()

    services.publish_index(on=now.date(), now=now)

    settled = IndexValue.objects.filter(basis="SETTLED")
    assert set(settled.values_list("chemistry", "form", "country")) == {
        ("NMC", "SCOOTER", "ID"),
        ("NMC", "SCOOTER", ""),
        ("NMC", "", "ID"),
        ("NMC", "", ""),
        ("", "SCOOTER", ""),
    }
    value = settled.get(chemistry="NMC", form="", country="")
    assert value.usd_per_kg == Decimal("3.75")
    assert (value.deals, value.sellers, value.buyers, value.kg) == (6, 3, 3, 600)
    assert (value.method_version, value.window_days, value.revision) == (VERSION, 28, 1)
    assert value.formula_usd_per_kg > 0
    assert Entry.objects.get(name="pricing.IndexPublished").payload["on"] == "2026-11-23"


def test_the_board_has_an_index_before_there_is_any_deal_marked_as_inferred(reference, now):
    services.publish_index(on=now.date(), now=now)

    value = current(chemistry="NMC", form="CAR")
    assert (value.basis, value.gap, value.deals) == ("INFERRED", "FEW_DEALS", 0)
    assert value.usd_per_kg == value.formula_usd_per_kg
    assert not IndexValue.objects.filter(basis="SETTLED").exists()


def test_a_group_that_was_never_published_does_not_appear_for_a_single_deal(paid, now):
    paid("3")

    services.publish_index(on=now.date(), now=now)

    assert not IndexValue.objects.exclude(country="").exists()


def test_publishing_twice_publishes_once(market, now):
    market()
    first = services.publish_index(on=now.date(), now=now)

    again = services.publish_index(on=now.date(), now=now + timedelta(hours=1))

    assert first
    assert again == []
    assert Entry.objects.filter(name="pricing.IndexPublished").count() == 1


def test_when_deals_run_out_the_last_ratio_goes_on_marked_as_inferred(market, now):
    market()
    services.publish_index(on=now.date(), now=now)
    known = current(chemistry="NMC", form="", country="ID")

    later = now + timedelta(days=40)
    services.publish_index(on=later.date(), now=later)

    value = current(chemistry="NMC", form="", country="ID")
    assert value.on == later.date()
    assert (value.basis, value.gap) == ("INFERRED", "FEW_DEALS")
    ratio = min(2, max(Decimal("0.5"), known.usd_per_kg / known.formula_usd_per_kg))
    assert value.usd_per_kg == pytest.approx(value.formula_usd_per_kg * ratio, abs=Decimal("0.001"))


def test_deals_that_came_late_make_a_revision_with_its_reason(market, paid, now):
    yesterday = now - timedelta(days=1)
    market(days_ago=2)
    services.publish_index(on=yesterday.date(), now=yesterday)
    stood = current(on=yesterday.date(), chemistry="NMC", form="", country="")
    market("8", "8.5", "9", "9.5", "9.75", "10", days_ago=1)

    services.publish_index(on=now.date(), now=now)

    corrected = current(on=yesterday.date(), chemistry="NMC", form="", country="")
    assert (corrected.revision, corrected.reason) == (2, "LATE_DEALS")
    assert corrected.usd_per_kg > stood.usd_per_kg
    assert IndexValue.objects.get(pk=stood.pk).usd_per_kg == stood.usd_per_kg
    event = Entry.objects.filter(name="pricing.IndexPublished").latest("pk")
    assert event.payload["revisions"] == 5


def test_a_day_without_an_index_gets_none_afterwards(market, now):
    market(days_ago=3)
    services.publish_index(on=now.date(), now=now)

    assert set(IndexValue.objects.values_list("on", flat=True)) == {now.date()}


def test_the_schedule_publishes_the_day_that_has_ended(market, now):
    market(days_ago=1)
    finish = tasks.publish_index({"slot": now.isoformat()})

    finish(now)
    finish(now)

    assert set(IndexValue.objects.values_list("on", flat=True)) == {
        (now - timedelta(days=1)).date()
    }


def test_an_index_value_says_what_it_rests_on(reference, now):
    facts = {
        "on": now.date(),
        "chemistry": "NMC",
        "usd_per_kg": 3,
        "sellers": 3,
        "buyers": 3,
        "kg": 100,
        "window_days": 28,
        "method_version": "test",
        "published_at": now,
    }
    for wrong in (
        {"basis": "SETTLED", "deals": 4},
        {"basis": "SETTLED", "deals": 5, "sellers": 2},
        {"basis": "SETTLED", "deals": 5, "gap": "FEW_DEALS"},
        {"basis": "INFERRED", "deals": 1, "gap": "FEW_DEALS"},
        {"basis": "INFERRED", "deals": 1, "formula_usd_per_kg": 3},
        {"basis": "SETTLED", "deals": 5, "revision": 2},
        {"basis": "SETTLED", "deals": 5, "reason": "METHOD"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            IndexValue.objects.create(**facts | wrong)
    assert not IndexValue.objects.exists()


def test_a_settled_price_is_whole(paid, now):
    kept = paid("3")
    facts = {f.attname: getattr(kept, f.attname) for f in SettledPrice._meta.fields}
    for wrong in (
        {"kg": 0},
        {"price": -1},
        {"usd": None},
        {"predicted_low": 1},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            SettledPrice.objects.create(**facts | {"id": None, "deal_id": 99} | wrong)
    assert SettledPrice.objects.count() == 1


def test_nothing_is_left_undone(market, now, clock):
    market()
    services.publish_index(on=now.date(), now=now)
    drain(clock=clock)

    assert not Job.objects.filter(state="DEAD").exists()
