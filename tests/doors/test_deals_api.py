from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from marketplace.accounts.models import Licence, Organisation
from marketplace.deals.models import Deal
from marketplace.freight.models import RateCard
from marketplace.journal.services import drain
from marketplace.logistics.models import Shipment
from tests.cast_deals import *  # noqa: F403
from tests.cast_deals import MASS, PRICE, money

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.fixture(autouse=True)
def _doors_read_the_real_clock(clock):
    clock.at = datetime.now(UTC)


@pytest.fixture
def call(program):
    clients = {}

    def do(actor, method, path, body=None):
        client = clients.setdefault(actor.name, program(actor))
        answer = getattr(client, method)(f"/api/v1/{path}", body, content_type=JSON)
        return answer.status_code, answer.json() if "json" in answer["Content-Type"] else answer

    return do


def test_a_program_takes_a_deal_from_signature_to_money(
    call, sold, collector, recycler, carrier, clock
):
    drain(clock=clock)
    town = Organisation.objects.get(pk=carrier.organisation_id)
    status, card = call(
        carrier,
        "post",
        "rate-cards/",
        {
            "licence": Licence.objects.get(organisation_id=carrier.organisation_id).pk,
            "name": "Box van",
            "currency": "IDR",
            "base": "100000",
            "per_km": "2500",
            "per_kg": "500",
            "dangerous_goods_share": "0.1",
            "countries": ["ID"],
            "centre_latitude": str(town.latitude),
            "centre_longitude": str(town.longitude),
            "radius_km": 200,
            "capacity_kg": "2000",
            "request_id": str(uuid4()),
        },
    )
    assert (status, card["active"]) == (201, True)
    sold()
    drain(clock=clock)
    status, found = call(recycler, "get", "deals/")
    (row,) = found["results"]
    path = f"deals/{row['id']}/"
    for actor in (collector, recycler):
        status, shown = call(actor, "get", path)
        assert (shown["next"], shown["my_turn"]) == ("sign", True)
        status, shown = call(
            actor, "post", f"{path}signature/", {"terms_sha256": shown["terms_sha256"]}
        )
        assert status == 200
    assert shown["status"] == "FUNDS_PENDING"
    status, refused = call(recycler, "post", f"{path}funding/", {})
    assert (status, list(refused["errors"])) == (400, ["request_id"])
    status, shown = call(recycler, "post", f"{path}funding/", {"request_id": str(uuid4())})
    assert (status, shown["status"], Decimal(shown["held"])) == (200, "FUNDED", PRICE)
    drain(clock=clock)
    status, quotes = call(recycler, "get", f"{path}quotes/")
    assert (quotes[0]["rank"], quotes[0]["currency"]) == (1, "IDR")
    assert call(recycler, "get", path)[1]["next"] == "carrier"
    assert call(carrier, "get", "quotes/")[1]["results"][0]["id"] == quotes[0]["id"]
    assert call(recycler, "post", f"quotes/{quotes[0]['id']}/choice/")[0] == 200
    drain(clock=clock)

    status, found = call(carrier, "get", "shipments/")
    (shipment,) = found["results"]
    assert (shipment["un_number"], len(shipment["documents"])) == ("UN3480", 6)
    status, pdf = call(carrier, "get", f"papers/{shipment['documents'][0]['id']}/")
    assert (status, pdf["Content-Type"]) == (200, "application/pdf")
    assert pdf.getvalue().startswith(b"%PDF")
    for giver, taker, mass in ((collector, carrier, "112"), (carrier, recycler, None)):
        status, shown = call(giver, "post", f"shipments/{shipment['id']}/codes/")
        assert status == 201
        body = {"code": shown["code"], "request_id": str(uuid4())}
        body |= {"mass_kg": mass} if mass else {}
        status, handover = call(taker, "post", f"shipments/{shipment['id']}/handovers/", body)
        assert status == 201, handover
        assert call(taker, "post", f"shipments/{shipment['id']}/handovers/", body)[1] == handover
    status, weighing = call(
        recycler,
        "post",
        f"{path}weighings/",
        {"stage": "DELIVERY", "gross_kg": "1984", "tare_kg": "1871.6", "request_id": str(uuid4())},
    )
    assert (status, weighing["net_kg"]) == (201, "112.400")
    status, shown = call(recycler, "post", f"{path}acceptance/")
    assert (status, shown["status"], shown["next"]) == (200, "SETTLED", "report")
    assert money(collector) == PRICE * Decimal("0.98")


def test_refusals_are_problem_documents_with_a_code_and_a_field(
    call, deal, bring, recycler, collector
):
    bring(deal, "INSPECTION", delivered_kg=Decimal(84))
    path = f"deals/{deal.pk}/"
    status, problem = call(recycler, "post", f"{path}acceptance/")
    assert (status, problem["code"]) == (409, "outside_tolerance")
    status, problem = call(
        recycler, "post", f"{path}part-acceptance/", {"accepted_kg": "84", "reason": "DAMAGED"}
    )
    assert (status, list(problem["errors"])) == (409, ["accepted_kg"])
    status, problem = call(
        recycler, "post", f"{path}part-acceptance/", {"accepted_kg": "NaN", "reason": "MOOD"}
    )
    assert (status, sorted(problem["errors"])) == (400, ["accepted_kg", "reason"])
    assert call(collector, "post", f"{path}acceptance/")[0] == 403
    status, problem = call(recycler, "post", f"{path}signature/", {"terms_sha256": "0" * 64})
    assert status == 200
    deal.refresh_from_db()
    assert deal.status == "INSPECTION"


def test_a_dispute_runs_its_course_for_programs(call, deal, bring, collector, recycler, verifier):
    bring(deal, "INSPECTION", delivered_kg=Decimal(84))
    path = f"deals/{deal.pk}/"
    status, dispute = call(
        recycler, "post", f"{path}disputes/", {"about": "WEIGHT", "statement": "Less."}
    )
    assert (status, dispute["status"], dispute["proposed_kg"]) == (201, "PROPOSED", "98.000")
    assert call(recycler, "post", f"disputes/{dispute['id']}/agreement/")[0] == 200
    assert call(collector, "post", f"disputes/{dispute['id']}/escalation/")[0] == 200
    status, decided = call(
        verifier,
        "post",
        f"disputes/{dispute['id']}/decision/",
        {"accepted_kg": "100", "price": "16650000", "decision": "Photos."},
    )
    assert (status, decided["status"]) == (200, "DECIDED")
    assert call(collector, "get", f"{path}disputes/")[1][0]["decision"] == "Photos."
    assert Deal.objects.get().status == "SETTLED"


def test_the_other_ways_out_for_programs(call, sold, bring, collector, recycler, clock):
    from marketplace.deals import services as deals

    first = bring(deals.open_deal(sold().pk, now=clock()), "INSPECTION", delivered_kg=Decimal(84))
    assert call(recycler, "post", f"deals/{first.pk}/adjustment/")[1]["next"] == "agree"
    assert call(collector, "post", f"deals/{first.pk}/adjustment/agreement/")[0] == 200
    second = bring(deals.open_deal(sold().pk, now=clock()), "INSPECTION")
    body = {"reason": "UNSAFE", "note": "Hot."}
    assert call(recycler, "post", f"deals/{second.pk}/rejection/", body)[1]["next"] == "return"
    assert call(collector, "post", f"deals/{second.pk}/return/")[1]["status"] == "RETURNED"
    third = deals.open_deal(sold().pk, now=clock())
    for actor in (collector, recycler):
        status, shown = call(actor, "post", f"deals/{third.pk}/cancellation/", {"reason": "Flood"})
        assert status == 200
    assert shown["status"] == "CANCELLED"
    fourth = bring(deals.open_deal(sold().pk, now=clock()), "INSPECTION")
    body = {"accepted_kg": "56", "reason": "DAMAGED"}
    assert call(recycler, "post", f"deals/{fourth.pk}/part-acceptance/", body)[0] == 200
    drain(clock=clock)
    assert money(recycler, "HELD") == 0


def test_others_find_nothing(call, deal, bring, rival, rival_carrier, carrier, recycler):
    bring(deal, "CARRIER_BOOKED")
    shipment, card = Shipment.objects.get(), RateCard.objects.get()
    paper = shipment.documents.first()
    quote = shipment.quote
    for actor in (rival, rival_carrier):
        for path in ("deals/", "quotes/", "rate-cards/", "shipments/"):
            assert call(actor, "get", path)[1]["results"] == []
        for path in (
            f"deals/{deal.pk}/",
            f"deals/{deal.pk}/quotes/",
            f"deals/{deal.pk}/weighings/",
            f"deals/{deal.pk}/disputes/",
            f"shipments/{shipment.pk}/",
            f"papers/{paper.pk}/",
        ):
            assert call(actor, "get", path)[0] == 404, path
        for path in (
            f"deals/{deal.pk}/signature/",
            f"deals/{deal.pk}/funding/",
            f"deals/{deal.pk}/acceptance/",
            f"deals/{deal.pk}/transport/",
            f"quotes/{quote.pk}/choice/",
            f"quotes/{quote.pk}/answer/",
            f"quotes/{quote.pk}/refusal/",
            f"rate-cards/{card.pk}/retirement/",
            f"shipments/{shipment.pk}/codes/",
            f"shipments/{shipment.pk}/handovers/",
        ):
            assert call(actor, "post", path, {})[0] in (400, 404), path
    # the carrier sees its load, not what the batteries cost
    assert call(carrier, "get", f"shipments/{shipment.pk}/")[0] == 200
    assert call(carrier, "get", f"deals/{deal.pk}/")[0] == 404
    assert call(carrier, "get", "deals/")[1]["results"] == []
    assert call(recycler, "get", "deals/")[1]["results"][0]["declared_kg"] == str(MASS)
