"""The price by terms on the deal page and through the API: assays in, the other side's sealed, the statement."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.urls import reverse

from marketplace.deals import services as deals
from marketplace.deals.models import Assay
from tests.cast_assays import *  # noqa: F403
from tests.cast_deals import *  # noqa: F403
from tests.cast_deals import money

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _doors_read_the_real_clock(clock):
    clock.at = datetime.now(UTC)


def words(response, status=200):
    html = response.content.decode()
    assert response.status_code == status, html[:3000]
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\xa0", " ").split())


@pytest.fixture
def said(paper, clock):
    def make(**other):
        fields = {
            "share_Ni": "10.5",
            "share_Co": "3.2",
            "laboratory": "Sucofindo",
            "sample": "SEAL-0815",
            "assayed_on": clock().date().isoformat(),
            "certificate": paper(),
            "request_id": uuid4(),
        }
        return fields | other

    return make


def test_the_deal_page_says_what_is_provisional_and_what_is_held(by_terms, browser, collector):
    deal = by_terms()

    shown = words(browser(collector).get(reverse("deal", args=[deal.pk])))

    assert "provisional" in shown
    assert "80% of the quote for the Nickel inside." in shown
    assert "A laboratory of each side says what is inside." in shown
    assert "Nickel: assays are split up to 0.5%" in shown


def test_both_sides_send_their_assay_and_read_the_statement(
    arrived, browser, collector, recycler, carrier, said
):
    deal = arrived()
    address, room = reverse("deal-assay", args=[deal.pk]), reverse("deal", args=[deal.pk])
    seller, buyer = browser(collector), browser(recycler)
    assert "Nickel, of the dry mass" in words(seller.get(room))

    assert seller.post(address, said()).status_code == 302
    shown = words(buyer.get(room))
    assert "Sucofindo" not in shown
    assert "I send none: the other side's assay counts" in shown
    sent = Assay.objects.get()
    assert buyer.get(reverse("assay-certificate", args=[sent.pk])).status_code == 404
    assert buyer.post(address, said(share_Ni="10.3")).status_code == 302

    deal.refresh_from_db()
    assert deal.status == "SETTLED"
    for client in (seller, buyer):
        shown = words(client.get(room))
        assert "Final price" in shown
        assert "10.4%, middle of two assays" in shown
        assert "none for that time: the newest one before it" in shown
    answer = buyer.get(reverse("assay-certificate", args=[sent.pk]))
    assert "attachment" in answer["Content-Disposition"]
    assert answer.getvalue().startswith(b"%PDF-")
    assert browser(carrier).get(reverse("assay-certificate", args=[sent.pk])).status_code == 404
    assert money(collector) > 0


def test_what_is_wrong_with_an_assay_stands_beside_its_field(arrived, browser, collector, said):
    deal = arrived()
    client, address = browser(collector), reverse("deal-assay", args=[deal.pk])

    nameless = client.post(address, said(laboratory=""))
    assert (nameless.status_code, "laboratory" in nameless.context["assay_form"].errors) == (
        422,
        True,
    )
    together = words(client.post(address, said(share_Ni="70", share_Co="40")), 422)
    assert "Together these are more than the whole sample" in together
    old = words(client.post(address, said(assayed_on="2020-01-01")), 422)
    assert "Write the day on the certificate" in old
    assert not Assay.objects.exists()


def test_who_differs_agrees_or_asks_an_umpire_whose_assay_a_verifier_sends(
    arrived, send, browser, collector, recycler, verifier, said
):
    deal = arrived()
    send(deal, collector, Ni="0.11")
    send(deal, recycler, Ni="0.09")
    room = reverse("deal", args=[deal.pk])
    assert "Ask an umpire" in words(browser(collector).get(room))
    assert browser(verifier).get(room).status_code == 404

    browser(collector).post(reverse("deal-umpire", args=[deal.pk]))
    judge = browser(verifier)
    assert "Send the umpire's assay" in words(judge.get(room))
    judge.post(reverse("deal-assay", args=[deal.pk]), said(share_Ni="10.8", share_Co="4.5"))

    deal.refresh_from_db()
    assert deal.status == "SETTLED"
    assert "Buyer pays the umpire" in words(browser(collector).get(room))


def test_a_button_agrees_to_the_others_assay(arrived, send, browser, collector, recycler):
    deal = arrived()
    send(deal, recycler, Ni="0.09")

    browser(collector).post(reverse("deal-assay-agree", args=[deal.pk]))

    deal.refresh_from_db()
    assert (deal.status, deal.reckoning.agreed_to) == ("SETTLED", "BUYER")


def test_a_deal_for_an_amount_has_no_assays(deal, browser, collector, said):
    client = browser(collector)
    assert client.post(reverse("deal-assay", args=[deal.pk]), said()).status_code == 404
    assert "Price by terms" not in words(client.get(reverse("deal", args=[deal.pk])))


def test_a_program_sends_assays_asks_an_umpire_and_reads_the_reckoning(
    arrived, program, collector, recycler, verifier, rival, paper, clock
):
    deal = arrived()
    path = f"/api/v1/deals/{deal.pk}/"

    def send_as(actor, ni):
        body = {
            "laboratory": "Sucofindo",
            "sample": "SEAL-0815",
            "assayed_on": clock().date().isoformat(),
            "shares.Ni": ni,
            "shares.Co": "0.032",
            "certificate": paper(),
            "request_id": str(uuid4()),
        }
        return program(actor).post(f"{path}assays/", body)

    sent = send_as(collector, "0.11")
    assert (sent.status_code, sent.json()["shares"]["Ni"]) == (201, "0.110000")
    assert program(recycler).get(f"{path}assays/").json() == []
    assert send_as(collector, "0.12").json()["code"] == "assay_sent_already"
    assert send_as(rival, "0.1").status_code == 404
    assert send_as(recycler, "0.09").status_code == 201
    shown = program(recycler).get(f"{path}reckoning/").json()
    assert (shown["status"], shown["final_price"]) == ("DIFFER", None)
    assert Decimal(shown["price_cap"]) > Decimal(shown["provisional"])

    assert program(recycler).post(f"{path}umpire/").json()["status"] == "UMPIRE"
    assert program(collector).post(f"{path}assays/agreement/").status_code == 409
    assert send_as(verifier, "0.108").status_code == 201

    shown = program(collector).get(f"{path}reckoning/").json()
    assert (shown["status"], shown["statement"]["amount"]) == ("DONE", shown["final_price"])
    paper_of = program(collector).get(f"/api/v1/assays/{sent.json()['id']}/certificate/")
    assert paper_of.getvalue().startswith(b"%PDF-")


def test_a_deal_waiting_for_assays_stands_first_in_the_list(
    arrived, send, browser, collector, recycler
):
    deal = arrived()
    send(deal, collector)

    rows = {
        actor.name: browser(actor).get(reverse("deals")).context["deals"][0][0].waits
        for actor in (collector, recycler)
    }

    assert rows == {collector.name: False, recycler.name: True}
    deals.agree_assay(deal, actor=recycler, now=datetime.now(UTC))
