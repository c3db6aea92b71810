# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Standing orders: published with their money, filled by lots, and what happens when something changes in between."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from marketplace.accounts import services as accounts
from marketplace.accounts.models import Licence, LicenceDraw, LicenceYear
from marketplace.core.errors import Refused
from marketplace.deals import services as deals
from marketplace.deals.models import Deal
from marketplace.journal.models import Entry
from marketplace.ledger import services as ledger
from marketplace.lots.models import Lot
from marketplace.market import queries, services
from marketplace.market.models import Award, OrderFill, OrderTerms, StandingOrder
from marketplace.notifications.models import Notice
from tests.cast_market import bidder, priced_lot, rich  # noqa: F401
from tests.cast_orders import PER_KG, order, said, sell  # noqa: F401

pytestmark = pytest.mark.django_db


def held(order):
    return ledger.held_for(
        organisation=order.buyer_id, purpose=f"order:{order.pk}", currency=order.currency
    )


def free(actor):
    return ledger.balance(organisation=actor.organisation_id, kind="AVAILABLE", currency="IDR")


def drawn_kg(actor):
    years = LicenceYear.objects.filter(licence__organisation_id=actor.organisation_id)
    return sum(years.values_list("drawn_kg", flat=True), Decimal(0))


# --- publishing -----------------------------------------------------------------------------------------


def test_an_order_is_published_with_its_whole_budget_put_aside(order, recycler):
    found = order()

    assert (found.status, found.left_kg, found.budget_left) == ("ACTIVE", 1000, 150_000_000)
    assert held(found) == 150_000_000
    assert found.now_terms.site_place == "Bekasi"


def test_the_same_request_publishes_one_order(said, recycler, rich, clock):
    rich(recycler, 500_000_000)
    request_id, words = uuid4(), said()

    first, again = (
        services.publish_order(actor=recycler, said=words, request_id=request_id, now=clock())
        for _ in range(2)
    )

    assert first == again
    assert StandingOrder.objects.count() == 1
    assert held(first) == 150_000_000


def test_an_order_without_the_money_for_it_is_not_published(said, recycler, clock):
    with pytest.raises(ledger.NotEnoughMoney):
        services.publish_order(actor=recycler, said=said(), request_id=uuid4(), now=clock())

    assert not StandingOrder.objects.exists()


def test_an_order_needs_a_licence_for_every_kind_it_names(said, rich, member, licensed, clock):
    buyer = rich(licensed(member("RECYCLER", "Lead Only"), materials=["NMC532"]), 500_000_000)

    with pytest.raises(accounts.LicenceNeeded) as refusal:
        services.publish_order(actor=buyer, said=said(), request_id=uuid4(), now=clock())

    assert refusal.value.code == "licence_material"
    assert not StandingOrder.objects.exists()


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"materials": []}, "materials"),
        ({"takes_intact": False}, "takes_intact"),
        ({"kg_from": Decimal(0)}, "kg_from"),
        ({"kg_to": Decimal(10)}, "kg_to"),
        ({"capacity_kg": Decimal(10)}, "capacity_kg"),
        ({"capacity_kg": Decimal("NaN")}, "capacity_kg"),
        ({"budget": Decimal(0)}, "budget"),
        ({"within_km": 0}, "within_km"),
        ({"pickup": "NOBODY"}, "pickup"),
        ({"health_from": Decimal("0.7")}, "health_from"),
        (
            {"health_from": Decimal("0.9"), "health_to": Decimal("0.7"), "health_basis": "ENERGY"},
            "health_to",
        ),
        ({"health_from": Decimal("0.7"), "health_to": Decimal("0.9")}, "health_basis"),
        ({"price": {"kind": "PER_KG", "price": "0"}}, "terms"),
        ({"price": "2 * Ni"}, "terms"),
    ],
)
def test_nonsense_is_refused_beside_its_field(said, recycler, rich, clock, other, field):
    rich(recycler, 500_000_000)

    with pytest.raises(Refused) as refusal:
        services.publish_order(actor=recycler, said=said(**other), request_id=uuid4(), now=clock())

    assert refusal.value.field == field
    assert not StandingOrder.objects.exists()


def test_a_time_that_is_over_is_refused(said, recycler, rich, clock):
    rich(recycler, 500_000_000)

    with pytest.raises(services.OrderRefused):
        services.publish_order(
            actor=recycler, said=said(valid_until=clock()), request_id=uuid4(), now=clock()
        )


def test_what_an_order_said_and_bought_is_never_changed(order, sell, priced_lot):
    fill = sell(priced_lot(), order())

    for rows in (OrderTerms.objects.all(), OrderFill.objects.filter(pk=fill.pk)):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(request_id=uuid4())


# --- selling --------------------------------------------------------------------------------------------


def test_a_lot_is_sold_at_once_and_its_kilograms_money_and_licence_are_taken(
    order, sell, priced_lot, recycler
):
    bought, lot = order(), priced_lot()

    fill = sell(lot, bought)

    bought.refresh_from_db()
    lot.refresh_from_db()
    award = Award.objects.get()
    assert fill.price == 112 * PER_KG
    assert (bought.left_kg, bought.budget_left) == (888, 150_000_000 - fill.price)
    assert held(bought) == bought.budget_left
    assert drawn_kg(recycler) == 112
    assert lot.status == Lot.Status.AWARDED
    assert (award.fill, award.auction, award.status, award.price) == (
        fill,
        None,
        "WON",
        fill.price,
    )


def test_the_same_request_sells_once(order, sell, priced_lot):
    bought, lot, request_id = order(), priced_lot(), uuid4()

    first, again = (sell(lot, bought, request_id=request_id) for _ in range(2))

    assert first == again
    assert OrderFill.objects.count() == 1


def test_a_sale_leads_to_the_same_contract_as_an_auction(
    order, sell, priced_lot, recycler, collector, settle, clock
):
    bought = order()
    fill = sell(priced_lot(), bought)

    settle()

    deal = Deal.objects.get()
    assert (deal.buyer_id, deal.price, deal.currency) == (bought.buyer_id, fill.price, "IDR")
    assert drawn_kg(recycler) == 112
    assert LicenceDraw.objects.get(released_at=None).purpose == f"deal:{deal.pk}"
    assert {"order_bought", "lot_sold", "deal_opened"} <= set(
        Notice.objects.values_list("template", flat=True)
    )
    deals.sign(deal, actor=collector, now=clock())
    deals.sign(deal, actor=recycler, now=clock())
    deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())
    settle()
    purposes = [f"deal:{deal.pk}", f"fill:{fill.pk}"]
    assert [
        ledger.held_for(organisation=deal.buyer_id, purpose=each, currency="IDR")
        for each in purposes
    ] == [fill.price, 0]


def test_the_book_says_the_best_price_and_why_others_do_not_fit(
    order, bidder, rival, rich, priced_lot, clock
):
    order()
    better = order(bidder("Better"), price={"kind": "PER_KG", "price": "160000"})
    damaged = order(rival, takes_intact=False, takes_damaged=True)

    book = queries.book_of(priced_lot(), now=clock())

    assert book.best.order == better
    assert book.best.price.at_gate == 112 * 160_000
    assert [(offer.order, offer.misfits) for offer in book.others] == [(damaged, ("intact",))]


def test_delivered_the_way_is_taken_off_so_that_offers_compare(order, bidder, priced_lot, clock):
    place = {"latitude": Decimal("-6.90"), "longitude": Decimal("107.60")}
    delivered = order(bidder("Far"), pickup="SELLER", price={"kind": "PER_KG", "price": "151000"})
    fetched = order()

    book = queries.book_of(priced_lot(**place), now=clock())

    by_order = {offer.order: offer.price for offer in book.fitting}
    assert by_order[delivered].freight > 0
    assert by_order[delivered].at_gate == by_order[delivered].gross - by_order[delivered].freight
    assert by_order[fetched].at_gate == 112 * PER_KG
    assert book.best.price.at_gate == max(price.at_gate for price in by_order.values())


def test_a_formula_pays_what_it_pays_in_an_auction(order, priced_lot, sell, clock):
    formula = {"kind": "FORMULA", "payables": {"Ni": "0.5", "Co": "0.5"}}
    bought, lot = order(price=formula), priced_lot()

    fill = sell(lot, bought)

    assert fill.price > 0
    assert fill.figures["terms"]["kind"] == "FORMULA"


@pytest.mark.parametrize(
    ("lot", "code"),
    [
        ({"triage": "AMBER"}, "order_damaged"),
        ({"chemistry_id": "LFP"}, "order_material"),
        ({"mass_kg": Decimal(19)}, "order_too_light"),
        ({"mass_kg": Decimal(501)}, "order_too_heavy"),
    ],
)
def test_a_lot_that_does_not_fit_is_refused_with_the_reason(order, sell, priced_lot, lot, code):
    bought = order()

    refusal = sell(priced_lot(**lot), bought)

    assert refusal.code == code
    assert not OrderFill.objects.exists()


def test_a_price_that_has_changed_since_is_refused(order, sell, priced_lot):
    assert sell(priced_lot(), order(), price=Decimal(1)).code == "price_changed"
    assert not OrderFill.objects.exists()


def test_nobody_sells_to_their_own_group(order, sell, priced_lot, member, bidder):
    buyer = bidder("Sister", group="one owner")
    seller = member("COLLECTOR", "Brother", group="one owner")

    refusal = sell(priced_lot(seller), order(buyer), actor=seller)

    assert refusal.code == "order_own_group"


def test_a_lot_that_is_in_an_auction_is_not_free(order, sell, priced_lot):
    assert sell(priced_lot(status="OPEN"), order()).code == "lot_not_ready"


def test_only_its_seller_sells_a_lot(order, sell, priced_lot, rival_collector):
    with pytest.raises(PermissionDenied):
        sell(priced_lot(), order(), actor=rival_collector)


def test_an_order_is_filled_when_less_is_left_than_its_smallest_lot(order, sell, priced_lot):
    bought = order(capacity_kg=Decimal(130))

    sell(priced_lot(), bought)

    bought.refresh_from_db()
    assert (bought.status, bought.left_kg, bought.budget_left) == ("FILLED", 18, 0)
    assert held(bought) == 0
    assert sell(priced_lot(mass_kg=Decimal(20)), bought).code == "order_full"


def test_a_budget_that_is_too_small_for_the_lot_is_a_reason(order, sell, priced_lot):
    assert sell(priced_lot(), order(budget=Decimal(1_000_000))).code == "order_budget"


# --- what changes in between -----------------------------------------------------------------------------


def test_a_paused_order_buys_nothing_until_it_is_resumed(order, sell, priced_lot, recycler, clock):
    bought, lot = order(), priced_lot()

    services.pause_order(bought, actor=recycler, now=clock())
    assert sell(lot, bought).code == "order_paused"
    services.resume_order(bought, actor=recycler, now=clock())

    assert sell(lot, bought).order == bought


def test_a_changed_order_is_looked_at_again_and_what_was_sold_stays_sold(
    order, said, sell, priced_lot, recycler, clock
):
    bought = order()
    first = sell(priced_lot(), bought)

    services.change_order(
        bought,
        actor=recycler,
        said=said(price={"kind": "PER_KG", "price": "90000"}, budget=Decimal(90_000_000)),
        request_id=uuid4(),
        now=clock(),
    )

    bought.refresh_from_db()
    assert (bought.version, bought.left_kg, bought.budget_left) == (2, 1000, 90_000_000)
    assert held(bought) == 90_000_000
    assert sell(priced_lot(), bought, version=1).code == "order_changed"
    first.refresh_from_db()
    assert first.terms.version == 1
    assert Award.objects.get(fill=first).status == "WON"


def test_a_cancelled_order_gives_back_what_is_left(order, sell, priced_lot, recycler, clock):
    bought = order()
    fill = sell(priced_lot(), bought)

    services.cancel_order(bought, actor=recycler, now=clock())

    bought.refresh_from_db()
    assert (bought.status, bought.budget_left, held(bought)) == ("CANCELLED", 0, 0)
    assert (
        ledger.held_for(organisation=bought.buyer_id, purpose=f"fill:{fill.pk}", currency="IDR")
        == fill.price
    )
    assert sell(priced_lot(), bought).code == "order_over"


def test_an_order_ends_when_its_time_is_over(order, sell, priced_lot, clock, settle):
    bought = order()
    clock.forward(days=31)

    assert sell(priced_lot(), bought).code == "order_over"
    assert list(StandingOrder.objects.overdue(clock())) == [bought]
    assert services.expire_order(bought, clock=clock)
    assert not services.expire_order(bought, clock=clock)

    bought.refresh_from_db()
    assert (bought.status, held(bought)) == ("EXPIRED", 0)


def test_a_licence_that_lapses_pauses_the_order_and_tells_its_buyer(
    order, sell, priced_lot, recycler, clock, settle
):
    bought = order()
    Licence.objects.filter(organisation_id=recycler.organisation_id).update(
        status="SUSPENDED", reason="Fire"
    )

    assert sell(priced_lot(), bought).code == "order_licence"
    assert queries.book_of(priced_lot(), now=clock()).others[0].misfits == ("licence",)
    assert services.pause_uncovered(recycler.organisation_id, now=clock()) == 1
    settle()

    bought.refresh_from_db()
    assert (bought.status, bought.paused) == ("PAUSED", "LICENCE")
    assert Notice.objects.filter(template="order_paused_licence").exists()
    with pytest.raises(accounts.LicenceNeeded):
        services.resume_order(bought, actor=recycler, now=clock())


def test_a_licence_that_lapses_between_match_and_contract_frees_the_lot(
    order, sell, priced_lot, recycler, collector, clock, settle
):
    bought, lot = order(), priced_lot()
    fill = sell(lot, bought)
    Licence.objects.filter(organisation_id=recycler.organisation_id).update(
        status="SUSPENDED", reason="Fire"
    )

    settle()

    lot.refresh_from_db()
    bought.refresh_from_db()
    forfeited = fill.price * Decimal("0.05")
    assert not Deal.objects.exists()
    assert lot.status == Lot.Status.UNSOLD
    assert Award.objects.get().status == "DEFAULTED"
    assert drawn_kg(recycler) == 0
    assert (bought.status, bought.paused, bought.left_kg) == ("PAUSED", "DEFAULT", 1000)
    assert bought.budget_left == 150_000_000 - forfeited == held(bought)
    assert free(collector) == forfeited
    assert Notice.objects.filter(template="order_sale_undone_seller").exists()


def test_a_buyer_who_does_not_sign_pays_a_deposit_and_the_lot_is_free(
    order, sell, priced_lot, collector, clock, settle
):
    bought, lot = order(), priced_lot()
    fill = sell(lot, bought)
    settle()
    deal = Deal.objects.get()
    deals.sign(deal, actor=collector, now=clock())
    clock.forward(days=10)

    deals.expire(deal.pk, now=clock())
    settle()

    lot.refresh_from_db()
    bought.refresh_from_db()
    assert lot.status == Lot.Status.UNSOLD
    assert (bought.left_kg, bought.paused) == (1000, "DEFAULT")
    assert free(collector) == fill.price * Decimal("0.05")
    assert sell(lot, bought).code == "order_paused"


def test_a_deal_called_off_by_both_gives_the_order_everything_back(
    order, sell, priced_lot, collector, recycler, clock, settle
):
    bought, lot = order(capacity_kg=Decimal(130)), priced_lot()
    sell(lot, bought)
    settle()
    for side in (collector, recycler):
        deals.cancel(Deal.objects.get(), actor=side, reason="Flood", now=clock())

    settle()

    lot.refresh_from_db()
    bought.refresh_from_db()
    assert lot.status == Lot.Status.UNSOLD
    assert (bought.status, bought.left_kg) == ("ACTIVE", 130)
    assert held(bought) == bought.budget_left == 112 * PER_KG
    assert sell(lot, bought).order == bought


def test_what_happens_to_an_order_is_in_the_journal(order, sell, priced_lot, recycler, clock):
    bought = order(capacity_kg=Decimal(130))
    services.pause_order(bought, actor=recycler, now=clock())
    services.resume_order(bought, actor=recycler, now=clock())
    sell(priced_lot(), bought)

    names = [
        name
        for name in Entry.objects.order_by("pk").values_list("name", flat=True)
        if name.startswith("market.Order")
    ]
    assert names == [
        "market.OrderPublished",
        "market.OrderPaused",
        "market.OrderResumed",
        "market.OrderFilled",
        "market.OrderEnded",
    ]


@pytest.mark.parametrize(
    ("constraint", "broken"),
    [
        ("order_kg_is_never_oversold", {"left_kg": Decimal(-1)}),
        ("order_kg_is_never_oversold", {"left_kg": Decimal(1001)}),
        ("order_budget_is_never_oversold", {"budget_left": Decimal(-1)}),
        ("order_pause_has_a_reason", {"status": "PAUSED"}),
        ("order_pause_has_a_reason", {"paused": "LICENCE"}),
        (
            "order_status_known",
            {"status": "GONE", "ended_at": "2026-01-01T00:00Z", "budget_left": 0},
        ),
        ("order_ends_with_no_money_held", {"status": "EXPIRED"}),
    ],
)
def test_nonsense_orders_are_refused_by_the_database(order, constraint, broken):
    bought = order()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        StandingOrder.objects.filter(pk=bought.pk).update(**broken)


def test_an_award_is_of_an_auction_or_of_an_order_and_one_wins_a_lot(order, sell, priced_lot):
    fill = sell(priced_lot(), order())

    with pytest.raises(IntegrityError, match="award_is_of_an_auction"), transaction.atomic():
        Award.objects.update(fill=None)
    other = sell(priced_lot(), fill.order)
    with pytest.raises(IntegrityError, match="one_winner_per_lot"), transaction.atomic():
        Award.objects.filter(fill=other).update(lot=fill.lot)
