# ruff: noqa: F811 — fixtures come in by import, and go in by name
"""Bids as formulas: comparable when they are placed, frozen with the quotes of the day, and sealed as any other."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from marketplace.journal.models import Entry
from marketplace.ledger import queries as ledger
from marketplace.market import services
from marketplace.market.models import Auction, Award, Bid, Deposit
from marketplace.pricing.rules import formulas
from marketplace.reference.models import CurrencyRate, MetalQuote
from tests.cast_market import (  # noqa: F401
    START,
    STEP,
    auction,
    bid,
    bidder,
    offered,
    priced_lot,
    rich,
    sealed,
)

pytestmark = pytest.mark.django_db

PER_KG = {"kind": "PER_KG", "price": "25000"}
FORMULA = {
    "kind": "FORMULA",
    "payables": {"Ni": "0.8", "Co": "0.8"},
    "charge_per_kg": "5000",
    "floor_per_kg": "1000",
    "assay": "LAB",
}


@pytest.fixture
def offer(clock):
    """Bid by terms: ``offer(sealed, recycler, FORMULA)``."""

    def make(auction, actor, terms, **other):
        asked = {"currency": "IDR", "request_id": uuid4(), "clock": clock}
        return services.place_formula_bid(auction, actor=actor, terms=terms, **asked | other)

    return make


@pytest.fixture
def refused(offer):
    """Try to bid by terms, and return the refusal, after a look that nothing was written."""

    def make(auction, actor, terms, **other):
        before = Bid.objects.count(), Deposit.objects.count(), Entry.objects.count()
        with pytest.raises(services.BidRefused) as refusal:
            offer(auction, actor, terms, **other)
        assert (Bid.objects.count(), Deposit.objects.count(), Entry.objects.count()) == before
        return refusal.value

    return make


def nickel_rises(clock):
    quote = MetalQuote.objects.filter(material="Ni").latest("quoted_on")
    quote.pk, quote.quoted_on, quote.price_usd_per_kg = None, clock().date(), Decimal(99)
    quote.save(force_insert=True)


def test_a_price_per_kilogram_counts_as_price_times_kilograms(sealed, recycler, rich, offer):
    placed = offer(sealed, rich(recycler), PER_KG)

    assert placed.maximum == 25_000 * 112
    assert placed.terms == {"kind": "PER_KG", "price": "25000"}
    assert placed.figures["typical"] == "2800000.00"
    assert Decimal(placed.figures["worst"]) < placed.maximum
    assert (placed.leads, placed.price_after) == (False, None)


def test_a_formula_counts_as_what_it_typically_pays_at_the_gate_and_keeps_how(
    sealed, recycler, rich, offer
):
    placed = offer(sealed, rich(recycler), FORMULA)

    figures = placed.figures
    settled = formulas.settle(
        formulas.read(placed.terms),
        kg=Decimal(figures["dry_kg"]),
        currency="IDR",
        quotes={name: Decimal(each["usd_per_kg"]) for name, each in figures["quotes"].items()},
        contained={name: Decimal(share) for name, share in figures["contained"].items()},
        per_usd=Decimal(figures["per_usd"]),
    )
    assert placed.maximum == settled.amount == Decimal(figures["typical"])
    marks = [Decimal(figures[mark]) for mark in ("worst", "low", "typical", "high")]
    assert marks == sorted(marks)
    assert figures["quotes"]["Ni"]["on"] <= figures["on"]
    assert figures["rules_version"]
    assert len(figures["sha256"]) == 64


def test_the_deposit_is_held_as_for_any_bid(sealed, recycler, rich, offer):
    offer(sealed, rich(recycler), FORMULA)

    held = ledger.balance(organisation=recycler.organisation_id, kind="HELD", currency="IDR")
    assert held == sealed.deposit > 0


def test_formulas_and_amounts_are_ranked_by_one_number(
    sealed, recycler, rival, rich, offer, bid, clock
):
    by_formula = offer(sealed, rich(recycler), FORMULA)
    above = by_formula.maximum + 1
    bid(sealed, rich(rival), above)

    clock.at = sealed.closes_at
    services.close_auction(sealed, clock=clock)

    ladder = Award.objects.filter(auction=sealed).order_by("rank")
    assert list(ladder.values_list("bidder_id", "price")) == [
        (rival.organisation_id, above),
        (recycler.organisation_id, by_formula.maximum),
    ]


def test_the_same_request_places_one_bid_even_if_the_quotes_move(
    sealed, recycler, rich, offer, clock
):
    rich(recycler)
    request_id = uuid4()
    first = offer(sealed, recycler, FORMULA, request_id=request_id)
    nickel_rises(clock)

    again = offer(sealed, recycler, FORMULA, request_id=request_id)

    assert again == first
    assert Bid.objects.count() == 1
    assert again.maximum == first.maximum


def test_a_used_request_is_not_used_for_other_terms(sealed, recycler, rich, offer, bid, refused):
    request_id = uuid4()
    placed = offer(sealed, rich(recycler), PER_KG, request_id=request_id)

    other = refused(sealed, recycler, FORMULA, request_id=request_id)
    assert other.code == "idempotency_mismatch"
    with pytest.raises(services.BidRefused) as plain:
        bid(sealed, recycler, placed.maximum, request_id=request_id)
    assert plain.value.code == "idempotency_mismatch"


def test_a_figure_that_changed_since_it_was_shown_is_not_bid(
    sealed, recycler, rich, refused, clock
):
    shown = services.compare_terms(sealed, actor=recycler, terms=FORMULA, on=clock().date())
    nickel_rises(clock)

    refusal = refused(sealed, rich(recycler), FORMULA, maximum=shown.net.typical)

    assert (refusal.code, refusal.field) == ("figure_changed", "maximum")


def test_comparing_writes_nothing_and_is_for_bidders(sealed, recycler, collector, clock):
    found = services.compare_terms(sealed, actor=recycler, terms=FORMULA, on=clock().date())

    assert found.net.worst <= found.net.typical
    assert not Bid.objects.exists()
    with pytest.raises(PermissionDenied):
        services.compare_terms(sealed, actor=collector, terms=FORMULA, on=clock().date())
    with pytest.raises(PermissionDenied):
        services.place_formula_bid(
            sealed,
            actor=collector,
            terms=FORMULA,
            currency="IDR",
            request_id=uuid4(),
            clock=clock,
        )


def test_a_rising_auction_takes_amounts_only(auction, recycler, rich, refused):
    refusal = refused(auction, rich(recycler), PER_KG)

    assert (refusal.code, refusal.field) == ("terms_need_sealed", "terms")


@pytest.mark.parametrize(
    ("terms", "where", "words"),
    [
        ("Ni * 0.8", "terms", "named fields"),
        (FORMULA | {"payables": {"Ni": "80"}}, "payables.Ni", "for 80 per cent write 0.8"),
        (FORMULA | {"payables": {"Ni": "1.21"}}, "payables.Ni", "at most 1.2"),
        (FORMULA | {"payables": {"Pb": "0.5"}}, "payables.Pb", "contains no quoted Pb"),
        (FORMULA | {"payables": {"Xx": "0.5"}}, "payables.Xx", "a metal that this lot contains"),
        (FORMULA | {"payables": {"Ni": "0"}}, "payables", "at least one"),
        (FORMULA | {"charge_per_kg": "-1"}, "charge_per_kg", "zero or more"),
        (FORMULA | {"floor_per_kg": "9999999"}, "floor_per_kg", "at most"),
        (FORMULA | {"floor_per_kg": "0,5"}, "floor_per_kg", "with a point"),
        ({"kind": "PER_KG", "price": "0"}, "price", "above zero"),
    ],
)
def test_bad_terms_are_refused_by_field_with_what_to_do(
    sealed, recycler, rich, refused, terms, where, words
):
    refusal = refused(sealed, rich(recycler), terms)

    assert refusal.code == "terms_refused"
    ((field, said),) = refusal.problems
    assert field == where
    assert words in said


def test_terms_that_pay_nothing_are_refused(sealed, recycler, rich, refused):
    heavy = FORMULA | {"charge_per_kg": "900000", "floor_per_kg": "0"}

    assert refused(sealed, rich(recycler), heavy).code == "pays_nothing"


def test_without_a_rate_of_the_currency_no_terms_are_compared(sealed, recycler, rich, refused):
    rich(recycler)
    CurrencyRate.objects.filter(currency="IDR").delete()

    assert refused(sealed, recycler, PER_KG).code == "no_rate"


def test_the_rules_of_the_auction_hold_for_terms_too(sealed, recycler, rich, offer, refused, clock):
    low = {"kind": "PER_KG", "price": "100"}
    assert refused(sealed, rich(recycler), low).code == "bid_too_low"
    high = {"kind": "PER_KG", "price": "90000"}
    assert refused(sealed, recycler, high).code == "confirm_high_bid"
    assert offer(sealed, recycler, high, confirmed=True).maximum > 5 * START

    clock.at = sealed.closes_at + timedelta(seconds=1)
    assert refused(sealed, recycler, high).code == "auction_closed"


def test_nobody_else_sees_the_terms_before_the_end(
    sealed, recycler, rival, collector, staff, rich, offer, clock
):
    placed = offer(sealed, rich(recycler), FORMULA)

    for actor in (rival, collector, staff):
        assert not Bid.objects.visible_to(actor).exists()
    clock.at = sealed.closes_at
    services.close_auction(sealed, clock=clock)
    assert Bid.objects.visible_to(collector).get() == placed
    assert not Bid.objects.visible_to(rival).exists()


def test_the_database_wants_figures_with_terms_and_terms_only_sealed(
    sealed, recycler, rich, offer, clock
):
    placed = offer(sealed, rich(recycler), FORMULA)

    clock.at = sealed.closes_at
    services.close_auction(sealed, clock=clock)

    for change in ({"figures": None}, {"terms": None}, {"leads": True}, {"price_after": 1}):
        with (
            pytest.raises(
                IntegrityError, match=r"bid_(terms_have_figures_and_are_sealed|in_its_envelope)"
            ),
            transaction.atomic(),
        ):
            Bid.objects.filter(pk=placed.pk).update(**change)


def test_terms_may_pay_for_what_the_lot_contains(sealed, clock):
    materials = services.materials_of(sealed, on=clock().date())

    assert {"Ni", "Co", "Li"} <= set(materials)
    assert "Pb" not in materials
    assert Auction.objects.get(pk=sealed.pk).step == STEP
