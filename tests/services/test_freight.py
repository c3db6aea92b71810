from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from marketplace.accounts.models import Licence, Organisation
from marketplace.freight import services as freight
from marketplace.freight import tasks
from marketplace.freight.models import FreightQuote, QuoteRound, RateCard
from marketplace.freight.services import Place
from marketplace.journal.models import Entry, Job
from marketplace.journal.services import drain
from marketplace.reference.models import CurrencyRate
from tests.cast_deals import *  # noqa: F403

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(recycler, clock):
    """Ask the carriers to bring 500 kg of NMC cells from Bekasi to Karawang, about 40 km away."""

    def make(**other):
        said = {
            "purpose": "deal:7",
            "asked_by": Organisation.objects.get(pk=recycler.organisation_id),
            "origin": Place("ID", "Bekasi", Decimal("-6.23"), Decimal("106.99")),
            "destination": Place("ID", "Karawang", Decimal("-6.30"), Decimal("107.30")),
            "mass_kg": Decimal(500),
            "un_number": "UN3480",
            "chemistry_code": "NMC622",
            "currency": "IDR",
            "now": clock(),
        }
        return freight.request_quotes(**said | other)

    return make


def test_every_eligible_card_answers_and_the_cheapest_comes_first(
    ask, rate_card, rival_carrier, carrier, clock
):
    rate_card(base=Decimal(300_000))
    rate_card(rival_carrier, base=Decimal(100_000))

    asked = ask()
    assert {quote.status for quote in asked.quotes.all()} == {"REQUESTED"}
    drain(clock=clock)

    asked.refresh_from_db()
    assert asked.status == "OFFERED"
    best, other = asked.quotes.order_by("rank")
    assert best.carrier_id == rival_carrier.organisation_id
    km = asked.distance_km
    assert best.price == ((100_000 + km * 2500 + 500 * 500) * Decimal("1.1")).quantize(
        Decimal("0.01")
    )
    assert sum(Decimal(part["amount"]) for part in best.parts) == best.price
    assert [part["code"] for part in best.parts] == ["base", "distance", "mass", "dangerous_goods"]
    assert (best.rank, other.rank) == (1, 2)
    assert Decimal(40) < km < Decimal(55)


def test_goods_that_are_not_dangerous_cost_no_surcharge(ask, rate_card, clock):
    rate_card()
    asked = ask(un_number="")
    drain(clock=clock)
    assert "dangerous_goods" not in [part["code"] for part in asked.quotes.get().parts]


def test_a_price_is_given_in_the_currency_of_the_question(ask, rate_card, clock):
    rate_card(currency="USD", base=Decimal(10), per_km=Decimal(0), per_kg=Decimal(0))
    asked = ask(un_number="")
    drain(clock=clock)
    quote = asked.quotes.get()
    assert quote.price > 100_000
    assert sum(Decimal(part["amount"]) for part in quote.parts) == quote.price


def test_a_card_in_a_currency_without_a_rate_waits_for_a_hand(ask, rate_card, rival_carrier, clock):
    rate_card(currency="XTS")
    rate_card(rival_carrier)
    assert not CurrencyRate.objects.filter(currency="XTS").exists()

    asked = ask()
    drain(clock=clock)

    asked.refresh_from_db()
    assert asked.status == "ASKING"
    assert asked.quotes.filter(status="RECEIVED").count() == 1
    assert not Job.objects.exclude(state="DONE").exists()


@pytest.mark.parametrize(
    "card",
    [
        {"countries": ["MY"]},
        {"capacity_kg": Decimal("499.999")},
        {
            "radius_km": 30,
            "centre_latitude": Decimal("-7.25"),
            "centre_longitude": Decimal("112.75"),
        },
    ],
)
def test_who_cannot_carry_it_is_not_asked(ask, rate_card, card, clock):
    rate_card(**card)
    asked = ask()
    assert asked.status == "OFFERED"
    assert not asked.quotes.exists()


@pytest.mark.parametrize(
    "licence",
    [
        {"status": "EXPIRED"},
        {"status": "SUSPENDED", "reason": "asked"},
        {"materials": ["LFP"]},
        {"acts": ["RECEIVE"]},
        {"valid_until": "2026-11-22"},
    ],
)
def test_who_may_not_carry_it_is_not_asked(ask, rate_card, carrier, licence):
    rate_card()
    Licence.objects.filter(organisation_id=carrier.organisation_id).update(**licence)
    assert not ask().quotes.exists()


def test_a_frozen_carrier_and_a_retired_card_are_not_asked(ask, rate_card, carrier, rival_carrier):
    rate_card()
    retired = rate_card(rival_carrier)
    Organisation.objects.filter(pk=carrier.organisation_id).update(status="FROZEN")
    freight.retire_rate_card(retired, actor=rival_carrier)
    freight.retire_rate_card(retired, actor=rival_carrier)
    assert not ask().quotes.exists()


def test_a_carrier_with_two_cards_is_asked_once_by_the_newer(ask, rate_card, clock):
    rate_card()
    newer = rate_card(base=Decimal(1))
    asked = ask()
    assert asked.quotes.get().rate_card == newer


def test_the_same_question_is_asked_once(ask, rate_card, clock):
    rate_card()
    assert ask() == ask()
    drain(clock=clock)
    assert ask() == ask()
    assert Entry.objects.filter(name="freight.QuotesRequested").count() == 1


def test_a_job_that_runs_twice_answers_once(ask, rate_card, clock):
    rate_card()
    asked = ask()
    answers = freight.answers_of_cards(asked.pk, now=clock())

    freight.store_answers(asked.pk, answers, now=clock())
    freight.store_answers(asked.pk, answers, now=clock.forward(minutes=1))

    assert asked.quotes.get().answered_at < clock()
    assert Entry.objects.filter(name="freight.QuotesOffered").count() == 1


def end_what_is_due(clock):
    """What the schedule does every few seconds."""
    with transaction.atomic():
        tasks.end_overdue({})(clock())
    drain(clock=clock)


def test_by_hand_is_answered_until_the_deadline_and_then_what_came_in_is_shown(
    ask, rate_card, carrier, rival_carrier, rival, clock
):
    rate_card(answers_itself=False)
    rate_card(rival_carrier, answers_itself=False)
    asked = ask()
    drain(clock=clock)
    asked.refresh_from_db()
    assert asked.status == "ASKING"
    quote = asked.quotes.get(carrier_id=carrier.organisation_id)
    day = clock().date()
    with pytest.raises(PermissionDenied):
        freight.answer_quote(
            quote, actor=rival_carrier, price=Decimal(9), pickup_on=day, now=clock()
        )
    for price, pickup_on, field in [
        (Decimal(0), day, "price"),
        (Decimal("NaN"), day, "price"),
        (Decimal("1.001"), day, "price"),
        (Decimal(9), day - timedelta(days=1), "pickup_on"),
    ]:
        with pytest.raises(freight.QuoteRefused) as refusal:
            freight.answer_quote(
                quote, actor=carrier, price=price, pickup_on=pickup_on, now=clock()
            )
        assert refusal.value.field == field

    freight.answer_quote(quote, actor=carrier, price=Decimal(90_000), pickup_on=day, now=clock())
    freight.answer_quote(quote, actor=carrier, price=Decimal(90_000), pickup_on=day, now=clock())
    with pytest.raises(freight.QuoteRefused):
        freight.answer_quote(quote, actor=carrier, price=Decimal(1), pickup_on=day, now=clock())
    end_what_is_due(clock)
    assert QuoteRound.objects.get(pk=asked.pk).status == "ASKING"

    clock.forward(hours=24)
    late = asked.quotes.get(carrier_id=rival_carrier.organisation_id)
    with pytest.raises(freight.TooLate):
        freight.answer_quote(
            late, actor=rival_carrier, price=Decimal(1), pickup_on=clock().date(), now=clock()
        )
    end_what_is_due(clock)
    end_what_is_due(clock)

    asked.refresh_from_db()
    assert asked.status == "OFFERED"
    assert [(q.status, q.rank) for q in asked.quotes.order_by("pk")] == [
        ("RECEIVED", 1),
        ("EXPIRED", None),
    ]


def test_the_last_answer_ends_the_round(ask, rate_card, carrier, rival_carrier, clock):
    rate_card(answers_itself=False)
    rate_card(rival_carrier, answers_itself=False)
    asked = ask()
    first, second = asked.quotes.order_by("pk")
    freight.decline_quote(first, actor=carrier, now=clock())
    freight.decline_quote(first, actor=carrier, now=clock())
    freight.answer_quote(
        second, actor=rival_carrier, price=Decimal(5), pickup_on=clock().date(), now=clock()
    )
    with pytest.raises(freight.QuoteRefused):
        freight.decline_quote(second, actor=rival_carrier, now=clock())
    asked.refresh_from_db()
    assert asked.status == "OFFERED"


def test_one_carrier_is_chosen_once_by_who_asked(
    ask, rate_card, recycler, rival, carrier, rival_carrier, clock
):
    rate_card()
    rate_card(rival_carrier, base=Decimal(1))
    asked = ask()
    best = asked.quotes.first()
    with pytest.raises(freight.QuoteRefused):
        freight.choose_quote(best, actor=recycler, now=clock())
    drain(clock=clock)
    best, other = asked.quotes.order_by("rank")
    for actor in (rival, carrier):
        with pytest.raises(PermissionDenied):
            freight.choose_quote(best, actor=actor, now=clock())

    freight.choose_quote(best, actor=recycler, now=clock())
    freight.choose_quote(best, actor=recycler, now=clock())
    with pytest.raises(freight.QuoteRefused):
        freight.choose_quote(other, actor=recycler, now=clock())

    other.refresh_from_db()
    assert other.status == "EXPIRED"
    assert Entry.objects.filter(name="freight.QuoteChosen").count() == 1


def test_a_carrier_whose_licence_lapsed_since_is_not_chosen(
    ask, rate_card, recycler, carrier, clock
):
    rate_card()
    asked = ask()
    drain(clock=clock)
    Licence.objects.filter(organisation_id=carrier.organisation_id).update(status="EXPIRED")

    with pytest.raises(freight.QuoteRefused):
        freight.choose_quote(asked.quotes.get(), actor=recycler, now=clock())

    asked.refresh_from_db()
    assert asked.status == "OFFERED"


def test_who_asked_may_ask_again_when_nothing_suits(ask, rate_card, recycler, rival, clock):
    asked = ask()
    assert (asked.status, asked.quotes.count()) == ("OFFERED", 0)
    rate_card()
    with pytest.raises(PermissionDenied):
        freight.ask_again(asked, actor=rival, now=clock())

    second = freight.ask_again(asked, actor=recycler, now=clock())
    assert freight.ask_again(asked, actor=recycler, now=clock()) == second
    with pytest.raises(freight.RoundRefused):
        freight.ask_again(second, actor=recycler, now=clock())
    drain(clock=clock)

    assert second.round_number == 2
    assert QuoteRound.objects.get(pk=asked.pk).status == "EXPIRED"
    freight.choose_quote(second.quotes.get(), actor=recycler, now=clock())
    with pytest.raises(freight.RoundRefused):
        freight.ask_again(second, actor=recycler, now=clock())


def test_a_load_without_mass_is_not_asked_for(ask):
    with pytest.raises(freight.LoadRefused):
        ask(mass_kg=Decimal(0))
    assert not QuoteRound.objects.exists()


# --- rate cards ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"base": Decimal(-1)}, "base"),
        ({"per_km": Decimal("NaN")}, "per_km"),
        ({"per_kg": Decimal("Infinity")}, "per_kg"),
        ({"dangerous_goods_share": Decimal(15)}, "dangerous_goods_share"),
        ({"radius_km": 0}, "radius_km"),
        ({"capacity_kg": Decimal(0)}, "capacity_kg"),
        ({"countries": []}, "countries"),
    ],
)
def test_a_card_that_makes_no_sense_is_not_published(rate_card, wrong, field):
    with pytest.raises(freight.RateCardRefused) as refusal:
        rate_card(**wrong)
    assert refusal.value.field == field
    assert not RateCard.objects.exists()


def test_a_card_needs_a_licence_to_carry_of_ones_own(rate_card, carrier, rival_carrier, recycler):
    request_id = uuid4()
    card = rate_card(request_id=request_id)
    assert rate_card(request_id=request_id) == card
    with pytest.raises(PermissionDenied):
        rate_card(recycler)
    with pytest.raises(PermissionDenied):
        freight.retire_rate_card(card, actor=rival_carrier)
    Licence.objects.filter(organisation_id=rival_carrier.organisation_id).update(acts=["BID"])
    with pytest.raises(freight.RateCardRefused) as refusal:
        rate_card(rival_carrier)
    assert refusal.value.field == "licence"
    assert RateCard.objects.count() == 1


# --- who sees what, and the last judge ------------------------------------------------------------------


def test_a_carrier_sees_neither_the_cards_nor_the_offers_of_others(
    ask, rate_card, carrier, rival_carrier, recycler, rival, collector
):
    rate_card()
    rate_card(rival_carrier)
    asked = ask()
    assert RateCard.objects.visible_to(carrier).get().carrier_id == carrier.organisation_id
    assert FreightQuote.objects.visible_to(carrier).get().carrier_id == carrier.organisation_id
    assert FreightQuote.objects.visible_to(recycler).count() == 2
    assert QuoteRound.objects.visible_to(rival_carrier).get() == asked
    for actor in (rival, collector):
        assert not QuoteRound.objects.visible_to(actor).exists()
        assert not FreightQuote.objects.visible_to(actor).exists()
        assert not RateCard.objects.visible_to(actor).exists()


def test_what_makes_no_sense_is_refused_by_the_database(ask, rate_card, clock):
    card = rate_card()
    asked = ask()
    quote = asked.quotes.get()
    for row, changes, constraint in [
        (card, {"base": -1}, "rate_card_prices_are_not_negative"),
        (card, {"capacity_kg": 0}, "rate_card_carries_something"),
        (asked, {"status": "LOST"}, "quote_round_status_known"),
        (asked, {"mass_kg": 0}, "quote_round_moves_something"),
        (asked, {"road_factor": 0}, "quote_round_moves_something"),
        (asked, {"deadline": asked.asked_at}, "quote_round_leaves_time"),
        (quote, {"status": "LOST"}, "freight_quote_status_known"),
        (quote, {"status": "RECEIVED"}, "freight_quote_has_a_price_once_received"),
    ]:
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(**changes)
    with pytest.raises(IntegrityError, match="freight_quote_asked_once_each"), transaction.atomic():
        FreightQuote.objects.create(round=asked, carrier_id=quote.carrier_id)
    copy = QuoteRound.objects.get(pk=asked.pk)
    copy.pk = None
    with pytest.raises(IntegrityError, match="quote_round_asked_once"), transaction.atomic():
        copy.save(force_insert=True)
    twin = RateCard.objects.get(pk=card.pk)
    twin.pk = None
    with pytest.raises(IntegrityError, match="rate_card_request_counts_once"), transaction.atomic():
        twin.save(force_insert=True)


def test_two_chosen_offers_of_one_round_are_refused_by_the_database(
    ask, rate_card, rival_carrier, clock
):
    rate_card()
    rate_card(rival_carrier)
    asked = ask()
    drain(clock=clock)
    with pytest.raises(IntegrityError, match="chosen_once_a_round"), transaction.atomic():
        asked.quotes.update(status="CHOSEN")
