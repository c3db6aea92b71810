import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.urls import reverse

from marketplace.deals import services as deals
from marketplace.deals.models import Deal, Dispute
from marketplace.freight.models import FreightQuote, RateCard
from marketplace.journal.services import drain
from marketplace.logistics.models import Handover, Shipment, TransportDocument
from tests.cast_deals import *  # noqa: F403
from tests.cast_deals import PRICE, money, pass_on

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _doors_read_the_real_clock(clock):
    clock.at = datetime.now(UTC)


def see(client, name, *args):
    return client.get(reverse(name, args=args))


def press(client, name, *args, **form):
    return client.post(reverse(name, args=args), form)


def hidden(response, name):
    return re.search(rf'name="{name}" value="([^"]+)"', response.content.decode())[1]


def test_a_deal_goes_from_signature_to_money_by_buttons_alone(
    deal, collector, recycler, carrier, rate_card, browser, clock
):
    seller, buyer, driver = browser(collector), browser(recycler), browser(carrier)
    rate_card()
    for client in (seller, buyer):
        room = see(client, "deal", deal.pk)
        assert "I sign this contract" in room.content.decode()
        seen = hidden(room, "seen_sha256")
        assert press(client, "deal-sign", deal.pk, seen_sha256=seen).status_code == 302
    assert "The buyer pays in" in see(seller, "deal", deal.pk).content.decode()
    room = see(buyer, "deal", deal.pk)
    press(buyer, "deal-fund", deal.pk, request_id=hidden(room, "request_id"))
    drain(clock=clock)
    assert "Held safely" in see(buyer, "deal", deal.pk).content.decode()
    quote = FreightQuote.objects.get()
    assert "Fajar Carrier" in see(buyer, "deal", deal.pk).content.decode()
    press(buyer, "quote-choose", quote.pk)
    drain(clock=clock)

    shipment = Shipment.objects.get()
    assert "Pick up at" in see(driver, "shipments").content.decode()
    for giver, taker, kg in ((seller, driver, "112.0"), (driver, buyer, "")):
        shown = press(giver, "shipment-code", shipment.pk).content.decode()
        code = re.search(r"<bdi>(\d{3} \d{3})</bdi>", shown)[1]
        assert "<svg" in shown
        form = see(taker, "shipment", shipment.pk)
        done = press(
            taker,
            "shipment-take",
            shipment.pk,
            code=code,
            mass_kg=kg,
            request_id=hidden(form, "request_id"),
        )
        assert done.status_code == 302
    room = see(buyer, "deal", deal.pk)
    weighed = press(
        buyer,
        "deal-weigh",
        deal.pk,
        gross_kg="1984.0",
        tare_kg="1871.6",
        request_id=hidden(room, "request_id"),
    )
    assert weighed.status_code == 302
    shown = see(seller, "deal", deal.pk).content.decode()
    assert "Difference 0.4%." in shown
    assert "Inside the agreed 3%." in shown
    press(buyer, "deal-accept", deal.pk)

    assert Deal.objects.get().status == "SETTLED"
    assert money(collector) == PRICE * Decimal("0.98")
    assert (
        reverse("processing-report", args=[deal.pk]) in see(buyer, "deal", deal.pk).content.decode()
    )
    assert Handover.objects.count() == 2


def test_what_is_refused_comes_back_with_a_sentence_and_nothing_written(
    deal, bring, recycler, carrier, collector, browser, clock
):
    buyer = browser(recycler)
    stale = press(buyer, "deal-sign", deal.pk, seen_sha256="0" * 64)
    assert stale.status_code == 422
    assert "not the terms you saw" in stale.content.decode()
    bring(deal, "PICKED_UP")
    pass_on(deal, carrier, recycler, clock)
    bad = press(buyer, "deal-weigh", deal.pk, gross_kg="5", tare_kg="9", request_id=uuid4())
    assert bad.status_code == 422
    assert "must be less than the full one" in bad.content.decode()
    assert deal.weighings.count() == 1
    early = buyer.post(reverse("deal-accept", args=[deal.pk]), follow=True)
    assert "Weigh what arrived first" in early.content.decode()
    for name, form in (
        ("deal-part", {"accepted_kg": "0", "reason": "DAMAGED"}),
        ("deal-reject", {"reason": "MOOD"}),
        ("deal-dispute", {"about": "WEIGHT", "statement": ""}),
    ):
        assert press(buyer, name, deal.pk, **form).status_code == 422
    assert not Dispute.objects.exists()
    deal.refresh_from_db()
    assert deal.status == "INSPECTION"


def test_a_wrong_code_says_how_many_tries_are_left(deal, bring, collector, carrier, browser):
    bring(deal, "CARRIER_BOOKED")
    shipment = Shipment.objects.get()
    shown = press(browser(collector), "shipment-code", shipment.pk)
    assert "no-store" in shown["Cache-Control"]
    code = re.search(r"<bdi>(\d{3} \d{3})</bdi>", shown.content.decode())[1].replace(" ", "")
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    said = press(
        browser(carrier),
        "shipment-take",
        shipment.pk,
        code=wrong,
        mass_kg="112",
        request_id=uuid4(),
    )
    assert said.status_code == 422
    assert "9 tries left" in said.content.decode()


def test_a_dispute_goes_to_a_verifier_who_decides_by_parts(
    deal, bring, collector, recycler, verifier, browser, clock
):
    bring(deal, "INSPECTION", delivered_kg=Decimal(84))
    assert see(browser(verifier), "deal", deal.pk).status_code == 404
    press(browser(collector), "deal-dispute", deal.pk, about="WEIGHT", statement="My scale <b>!")
    row = Dispute.objects.get()
    assert "My scale &lt;b&gt;!" in see(browser(recycler), "deal", deal.pk).content.decode()
    press(browser(recycler), "dispute-escalate", row.pk)
    assert "Decide by parts" in see(browser(verifier), "deal", deal.pk).content.decode()
    bad = press(
        browser(verifier), "dispute-decide", row.pk, accepted_kg="500", price="1", decision="x"
    )
    assert bad.status_code == 422
    press(
        browser(verifier),
        "dispute-decide",
        row.pk,
        accepted_kg="100",
        price="16650000",
        decision="Both photos show one scale.",
    )
    deal.refresh_from_db()
    assert (deal.status, deal.final_price) == ("SETTLED", Decimal(16_650_000))
    assert "Both photos" in see(browser(collector), "deal", deal.pk).content.decode()


def test_others_find_nothing_and_a_carrier_sees_its_load_but_no_price(
    deal,
    bring,
    rival,
    rival_collector,
    rival_carrier,
    regulator,
    carrier,
    collector,
    recycler,
    browser,
    clock,
):
    bring(deal, "INSPECTION")
    dispute = deals.open_dispute(
        deal, actor=recycler, about="DAMAGE", statement="Dented.", now=clock()
    )
    shipment, quote = Shipment.objects.get(), FreightQuote.objects.get()
    paper, card = TransportDocument.objects.first(), RateCard.objects.get()
    pages = [
        ("deal", deal.pk),
        ("shipment", shipment.pk),
        ("shipment-paper", paper.pk),
    ]
    acts = [
        ("deal-sign", deal.pk),
        ("deal-fund", deal.pk),
        ("deal-weigh", deal.pk),
        ("deal-accept", deal.pk),
        ("deal-adjust", deal.pk),
        ("deal-agree", deal.pk),
        ("deal-part", deal.pk),
        ("deal-reject", deal.pk),
        ("deal-returned", deal.pk),
        ("deal-cancel", deal.pk),
        ("deal-dispute", deal.pk),
        ("deal-transport", deal.pk),
        ("dispute-agree", dispute.pk),
        ("dispute-escalate", dispute.pk),
        ("dispute-decide", dispute.pk),
        ("quote-choose", quote.pk),
        ("quote-answer", quote.pk),
        ("quote-decline", quote.pk),
        ("rate-card-retire", card.pk),
        ("shipment-code", shipment.pk),
        ("shipment-take", shipment.pk),
    ]
    for actor in (rival, rival_collector, rival_carrier, regulator):
        client = browser(actor)
        for name, pk in pages:
            assert see(client, name, pk).status_code == 404, name
        for name, pk in acts:
            assert press(client, name, pk).status_code == 404, name
    driver = browser(carrier)
    assert see(driver, "deal", deal.pk).status_code == 404
    shown = see(driver, "shipment", shipment.pk).content.decode()
    assert "18,500,000" not in shown
    printed = see(driver, "shipment-paper", paper.pk)
    assert printed["Content-Disposition"].startswith("attachment")
    assert printed.getvalue().startswith(b"%PDF")
    assert press(browser(collector), "deal-accept", deal.pk).status_code == 403


def test_strangers_are_asked_to_log_in(client, deal):
    for name, args in [("deals", []), ("deal", [deal.pk]), ("freight", []), ("shipments", [])]:
        answer = client.get(reverse(name, args=args))
        assert answer.status_code == 302
        assert "/accounts/login/" in answer["Location"]
    assert press(client, "deal-accept", deal.pk).status_code == 302


def test_a_carrier_publishes_a_card_answers_by_hand_and_takes_it_off(
    deal, carrier, recycler, collector, browser, clock
):
    driver = browser(carrier)
    form = see(driver, "rate-card-new")
    licence = carrier_licence(carrier)
    said = {
        "name": "Box van",
        "licence": licence.pk,
        "currency": "idr",
        "base": "100000",
        "per_km": "2500",
        "per_kg": "500",
        "surcharge": "10",
        "countries": ["ID"],
        "town": "Bekasi",
        "radius_km": "200",
        "capacity_kg": "2000",
        "request_id": hidden(form, "request_id"),
    }
    unknown = driver.post(reverse("rate-card-new"), said | {"town": "Atlantis"})
    assert unknown.status_code == 422
    assert "do not know this town" in unknown.content.decode()
    assert driver.post(reverse("rate-card-new"), said).status_code == 302
    card = RateCard.objects.get()
    assert (card.dangerous_goods_share, card.currency, card.answers_itself) == (
        Decimal("0.1"),
        "IDR",
        False,
    )
    for side in (collector, recycler):
        deals.sign(deal, actor=side, now=clock())
    deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())
    drain(clock=clock)
    quote = FreightQuote.objects.get()
    assert "Offer this price" in see(driver, "freight").content.decode()
    bad = press(driver, "quote-answer", quote.pk, price="0", pickup_on="2030-01-01")
    assert bad.status_code == 422
    assert quote.price is None
    press(driver, "rate-card-retire", card.pk)
    card.refresh_from_db()
    assert not card.active


def test_a_photo_of_a_scale_is_for_those_whom_the_deal_concerns(
    deal, bring, recycler, carrier, rival, browser, clock, photo
):
    bring(deal, "PICKED_UP")
    row = deals.weigh(
        deal,
        actor=recycler,
        stage="DELIVERY",
        gross_kg=Decimal(112),
        tare_kg=Decimal(0),
        request_id=uuid4(),
        now=clock(),
        photo=photo(),
    )
    assert see(browser(rival), "weighing-photo", row.pk).status_code == 404
    shown = see(browser(carrier), "weighing-photo", row.pk)
    assert shown.status_code == 200
    assert shown.getvalue().startswith(b"\xff\xd8")
    assert see(browser(recycler), "weighing-photo", deal.weighings.first().pk).status_code == 404


def test_lists_cost_the_same_however_long_they_are(
    sold, bring, collector, recycler, carrier, browser, clock, django_assert_max_num_queries
):
    clients = {actor: browser(actor) for actor in (collector, recycler, carrier)}
    first = bring(deals.open_deal(sold().pk, now=clock()), "CARRIER_BOOKED")
    counts = {}
    for _ in range(2):
        for actor, name in (
            (collector, "deals"),
            (recycler, "deals"),
            (carrier, "shipments"),
            (carrier, "freight"),
        ):
            with django_assert_max_num_queries(25) as seen:
                assert see(clients[actor], name).status_code == 200
            before = counts.setdefault((actor.name, name), len(seen))
            assert len(seen) <= before + 1, (name, [q["sql"] for q in seen.captured_queries])
        for _ in range(2):
            bring(deals.open_deal(sold().pk, now=clock()), "CARRIER_BOOKED")
    with django_assert_max_num_queries(25):
        assert see(clients[recycler], "deal", first.pk).status_code == 200
    with django_assert_max_num_queries(25):
        assert see(clients[carrier], "shipment", Shipment.objects.first().pk).status_code == 200


def carrier_licence(actor):
    from marketplace.accounts.models import Licence

    return Licence.objects.get(organisation_id=actor.organisation_id)
