"""Two people at once, for every lock of deals, freight and logistics."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import connection

from marketplace.accounts.models import LicenceDraw
from marketplace.core.errors import Refused
from marketplace.deals import services as deals
from marketplace.deals.models import Assay, Deal, Dispute, Weighing
from marketplace.freight import services as freight
from marketplace.freight.models import FreightQuote, QuoteRound
from marketplace.journal.models import Entry
from marketplace.ledger.models import Movement
from marketplace.logistics import services as logistics
from marketplace.logistics.models import Handover, HandoverCode, Shipment
from tests.cast_assays import *  # noqa: F403
from tests.cast_deals import *  # noqa: F403
from tests.cast_deals import PRICE, money

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts):
    """Do all acts at the same moment, each on a connection of its own; return results, refusals among them."""
    gate = Barrier(len(acts))

    def run(act):
        try:
            gate.wait(timeout=20)
            return act()
        except Refused as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def refusals(results):
    return [result for result in results if isinstance(result, Refused)]


def test_one_award_heard_of_eight_times_at_once_opens_one_deal(sold, clock):
    award = sold()
    found = at_once(*[lambda: deals.open_deal(award.pk, now=clock()) for _ in range(8)])
    assert {deal.pk for deal in found} == {Deal.objects.get().pk}
    assert LicenceDraw.objects.count() == 1


def test_both_sides_signing_at_once_leave_both_signatures(deal, collector, recycler, clock):
    at_once(
        *[
            lambda side=side: deals.sign(deal, actor=side, now=clock())
            for side in (collector, recycler) * 4
        ]
    )
    deal.refresh_from_db()
    assert deal.status == "FUNDS_PENDING"
    assert Entry.objects.filter(name="deals.DealSigned").count() == 1


def test_eight_payments_at_once_hold_the_price_once(deal, bring, recycler, clock):
    bring(deal, "FUNDS_PENDING")
    found = at_once(
        *[
            lambda: deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())
            for _ in range(8)
        ]
    )
    assert not refusals(found)
    assert money(recycler, "HELD") == PRICE
    assert Movement.objects.filter(purpose=f"deal:{deal.pk}").count() == 1
    assert Entry.objects.filter(name="deals.DealFunded").count() == 1


def test_a_payment_and_its_deadline_at_once_have_one_outcome(deal, bring, recycler, clock):
    bring(deal, "FUNDS_PENDING")
    late = deal.pay_by
    at_once(
        lambda: deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock()),
        lambda: deals.expire_overdue(now=late),
        lambda: deals.expire_overdue(now=late),
    )
    deal.refresh_from_db()
    if deal.status == "FUNDED":
        assert money(recycler, "HELD") == PRICE
        assert not Entry.objects.filter(name="deals.DealDefaulted").exists()
    else:
        assert deal.status == "BUYER_DEFAULT"
        assert not Movement.objects.filter(purpose=f"deal:{deal.pk}").exists()
        assert Entry.objects.filter(name="deals.DealDefaulted").count() == 1


def test_two_offers_chosen_at_once_choose_one(
    deal, bring, recycler, rate_card, rival_carrier, clock
):
    rate_card()
    rate_card(rival_carrier)
    bring(deal, "FUNDED")
    quotes = list(FreightQuote.objects.order_by("pk"))
    found = at_once(
        *[
            lambda quote=quote: freight.choose_quote(quote, actor=recycler, now=clock())
            for quote in quotes * 3
        ]
    )
    assert len(refusals(found)) == 3
    assert FreightQuote.objects.filter(status="CHOSEN").count() == 1
    assert Entry.objects.filter(name="freight.QuoteChosen").count() == 1


def test_a_choice_and_another_question_at_once_have_one_outcome(deal, bring, recycler, clock):
    bring(deal, "FUNDED")
    asked, quote = QuoteRound.objects.get(), FreightQuote.objects.get()
    at_once(
        lambda: freight.choose_quote(quote, actor=recycler, now=clock()),
        lambda: freight.ask_again(asked, actor=recycler, now=clock()),
    )
    asked.refresh_from_db()
    quote.refresh_from_db()
    assert (asked.status, quote.status) in [("CHOSEN", "CHOSEN"), ("EXPIRED", "EXPIRED")]
    assert QuoteRound.objects.count() == (1 if asked.status == "CHOSEN" else 2)


def test_the_last_two_answers_at_once_end_the_round_once(
    deal, bring, rate_card, carrier, rival_carrier, clock
):
    rate_card(answers_itself=False)
    rate_card(rival_carrier, answers_itself=False)
    bring(deal, "FUNDED")
    quotes = {quote.carrier_id: quote for quote in FreightQuote.objects.all()}
    at_once(
        *[
            lambda who=who: freight.answer_quote(
                quotes[who.organisation_id],
                actor=who,
                price=Decimal(9),
                pickup_on=clock().date(),
                now=clock(),
            )
            for who in (carrier, rival_carrier)
        ]
    )
    assert QuoteRound.objects.get().status == "OFFERED"
    assert sorted(FreightQuote.objects.values_list("rank", flat=True)) == [1, 2]
    assert Entry.objects.filter(name="freight.QuotesOffered").count() == 1


def test_a_hand_over_sent_six_times_at_once_counts_once(deal, bring, collector, carrier, clock):
    bring(deal, "CARRIER_BOOKED")
    shipment = Shipment.objects.get()
    code = logistics.show_code(shipment, actor=collector, now=clock())
    request_id = uuid4()
    found = at_once(
        *[
            lambda: logistics.hand_over(
                shipment,
                actor=carrier,
                code=code,
                mass_kg=Decimal(112),
                request_id=request_id,
                now=clock(),
            )
            for _ in range(6)
        ]
    )
    assert {handover.pk for handover in found} == {Handover.objects.get().pk}
    assert Weighing.objects.count() == 1


def test_twelve_guesses_at_once_are_all_counted(deal, bring, collector, carrier, clock):
    bring(deal, "CARRIER_BOOKED")
    shipment = Shipment.objects.get()
    code = logistics.show_code(shipment, actor=collector, now=clock())
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    found = at_once(
        *[
            lambda: logistics.hand_over(
                shipment,
                actor=carrier,
                code=wrong,
                mass_kg=Decimal(112),
                request_id=uuid4(),
                now=clock(),
            )
            for _ in range(12)
        ]
    )
    assert len(refusals(found)) == 12
    assert HandoverCode.objects.get().tries == 10
    assert not Handover.objects.exists()


def test_a_pick_up_and_a_cancellation_at_once_have_one_outcome(
    deal, bring, collector, recycler, carrier, clock
):
    bring(deal, "CARRIER_BOOKED")
    shipment = Shipment.objects.get()
    code = logistics.show_code(shipment, actor=collector, now=clock())
    deals.cancel(deal, actor=collector, reason="flood", now=clock())
    at_once(
        lambda: logistics.hand_over(
            shipment,
            actor=carrier,
            code=code,
            mass_kg=Decimal(112),
            request_id=uuid4(),
            now=clock(),
        ),
        lambda: deals.cancel(deal, actor=recycler, reason="", now=clock()),
    )
    deal.refresh_from_db()
    if deal.status == "PICKED_UP":
        assert money(recycler, "HELD") == PRICE
        assert Handover.objects.count() == 1
    else:
        assert deal.status == "CANCELLED"
        assert money(recycler, "HELD") == 0
        assert not Handover.objects.exists()


def test_accepting_and_disputing_at_once_have_one_outcome(deal, bring, collector, recycler, clock):
    bring(deal, "INSPECTION")
    at_once(
        lambda: deals.accept(deal, actor=recycler, now=clock()),
        lambda: deals.open_dispute(
            deal, actor=collector, about="DAMAGE", statement="No.", now=clock()
        ),
    )
    deal.refresh_from_db()
    if Dispute.objects.exists():
        assert deal.status == "INSPECTION"
        assert money(recycler, "HELD") == PRICE
        assert money(collector) == 0
    else:
        assert deal.status == "SETTLED"
        assert money(collector) == PRICE * Decimal("0.98")


def test_six_acceptances_and_a_rejection_at_once_end_once(deal, bring, collector, recycler, clock):
    bring(deal, "INSPECTION")
    at_once(
        *[lambda: deals.accept(deal, actor=recycler, now=clock()) for _ in range(6)],
        lambda: deals.reject(deal, actor=recycler, reason="DAMAGED", now=clock()),
    )
    deal.refresh_from_db()
    if deal.status == "SETTLED":
        assert money(collector) == PRICE * Decimal("0.98")
        assert Entry.objects.filter(name="deals.DealSettled").count() == 1
    else:
        assert (deal.status, money(collector)) == ("REJECTED", 0)
        assert money(recycler, "HELD") == PRICE


def test_two_disputes_at_once_are_one(deal, bring, collector, recycler, clock):
    bring(deal, "INSPECTION", delivered_kg=Decimal(84))
    found = at_once(
        *[
            lambda who=who: deals.open_dispute(
                deal, actor=who, about="WEIGHT", statement="My scale!", now=clock()
            )
            for who in (collector, recycler) * 3
        ]
    )
    assert {row.pk for row in found} == {Dispute.objects.get().pk}
    assert money(recycler, "HELD") == PRICE / 4


def test_both_agreeing_at_once_is_carried_out_once(deal, bring, collector, recycler, clock):
    bring(deal, "INSPECTION", delivered_kg=Decimal(84))
    dispute = deals.open_dispute(
        deal, actor=collector, about="WEIGHT", statement="My scale!", now=clock()
    )
    at_once(
        *[
            lambda who=who: deals.agree_dispute(dispute, actor=who, now=clock())
            for who in (collector, recycler) * 3
        ]
    )
    dispute.refresh_from_db()
    assert dispute.status == "AGREED"
    assert money(collector) == PRICE * 98 / 112 * Decimal("0.98")
    assert Entry.objects.filter(name="deals.DealSettled").count() == 1


def test_two_weighings_at_once_leave_one(deal, bring, recycler, clock):
    bring(deal, "PICKED_UP")
    found = at_once(
        *[
            lambda kg=kg: deals.weigh(
                deal,
                actor=recycler,
                stage="DELIVERY",
                gross_kg=Decimal(kg),
                tare_kg=Decimal(0),
                request_id=uuid4(),
                now=clock(),
            )
            for kg in (110, 111, 112, 113)
        ]
    )
    assert len(refusals(found)) == 3
    assert Weighing.objects.filter(stage="DELIVERY").count() == 1


def test_both_assays_and_the_deadline_at_once_pay_once(arrived, send, collector, recycler, clock):
    deal = arrived()
    late = deal.decide_by
    at_once(
        lambda: send(deal, collector),
        lambda: send(deal, collector),
        lambda: send(deal, recycler),
        lambda: send(deal, recycler),
        lambda: deals.expire_overdue(now=late),
        lambda: deals.expire_overdue(now=late),
    )
    deal.refresh_from_db()
    assert deal.status == "SETTLED"
    assert Assay.objects.count() <= 2
    assert Entry.objects.filter(name="deals.PriceReckoned").count() == 1
    assert Movement.objects.filter(key=f"deal:{deal.pk}:settle").count() == 1
    assert money(recycler, "HELD") == 0


def test_agreeing_and_asking_an_umpire_at_once_have_one_outcome(
    arrived, send, collector, recycler, clock
):
    deal = arrived()
    send(deal, collector, Ni="0.12")
    send(deal, recycler, Ni="0.10")
    at_once(
        *[lambda: deals.agree_assay(deal, actor=collector, now=clock()) for _ in range(3)],
        *[lambda: deals.ask_umpire(deal, actor=recycler, now=clock()) for _ in range(3)],
    )
    deal.refresh_from_db()
    asked = Entry.objects.filter(name="deals.UmpireAsked").count()
    agreed = Entry.objects.filter(name="deals.AssayAgreed").count()
    assert asked + agreed == 1
    assert deal.status == ("SETTLED" if agreed else "ACCEPTED")
