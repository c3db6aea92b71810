"""The health of a lot through the doors: page, forms, and the API."""

from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace.lots import services
from marketplace.lots.models import HealthClaim, Lot
from tests.cast_deals import *  # noqa: F403
from tests.cast_lots import *  # noqa: F403

pytestmark = pytest.mark.django_db
SAY = {"percent": "80", "how": "CAPACITY_TEST", "level": "PACK", "basis": "CAPACITY"}


def upload(rows=None):
    lines = ["time_s,current_a,voltage_v", "0,1,4.2"]
    lines += rows or [f"{60 + 28.8 * n},-10,{4.2 - n * 0.014}" for n in range(101)]
    return SimpleUploadedFile("test.csv", "\n".join(lines).encode(), content_type="text/csv")


def test_the_seller_sends_a_test_and_sees_what_it_says(browser, submitted, collector):
    lot, client = submitted(collector), browser(collector)

    answer = client.post(
        f"/lots/{lot.pk}/health/file/", {"file": upload(), "rated_ah": "10"}, follow=True
    )

    text = answer.content.decode()
    assert answer.redirect_chain == [(f"/lots/{lot.pk}/health/", 302)]
    assert "80%" in text
    assert "<polyline" in text
    assert "Show as table" in text
    assert HealthClaim.objects.get().value == Decimal("0.8")


def test_what_is_wrong_with_a_file_is_said_beside_it_and_nothing_is_kept(
    browser, submitted, collector
):
    lot, client = submitted(collector), browser(collector)

    answer = client.post(
        f"/lots/{lot.pk}/health/file/", {"file": upload(["1,x,4"]), "rated_ah": "10"}
    )

    assert answer.status_code == 422
    assert "Row 3, column current_a: “x” is no number." in answer.content.decode()
    assert not HealthClaim.objects.exists()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"percent": "0.8"}, "Write per cent: 80 for 0.8."),
        ({"percent": "300"}, "Write a health from 0 to 150 %."),
        ({"percent": ""}, "Write the health, such as 80."),
        ({"how": ""}, "Choose how you know it."),
        ({"tested_on": "2035-01-01"}, "The day of the test lies in the future."),
    ],
)
def test_an_unclear_word_is_asked_again(browser, submitted, collector, sent, words):
    lot = submitted(collector)

    answer = browser(collector).post(f"/lots/{lot.pk}/health/say/", SAY | sent)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not HealthClaim.objects.exists()


def test_a_word_is_kept_with_its_band_and_shown_with_its_doubt(browser, submitted, collector):
    lot, client = submitted(collector), browser(collector)

    client.post(f"/lots/{lot.pk}/health/say/", SAY)
    text = client.post(f"/lots/{lot.pk}/health/say/", SAY | {"percent": "110"}, follow=True)

    believed, flagged = HealthClaim.objects.order_by("pk")
    assert (believed.value, believed.uncertainty) == (Decimal("0.8"), Decimal("0.05"))
    assert flagged.doubts == ["health_above_102_percent"]
    assert "Not believed" in text.content.decode()


def test_others_see_tests_of_a_lot_for_sale_but_no_form(browser, priced_lot, collector, rival, now):
    lot = priced_lot()
    page = f"/lots/{lot.pk}/health/"
    assert browser(rival).get(page).status_code == 404
    Lot.objects.filter(pk=lot.pk).update(status="OPEN")

    answer = browser(rival).get(page)

    assert answer.status_code == 200
    assert "<form class=" not in answer.content.decode()
    assert browser(rival).post(f"{page}say/", SAY).status_code == 403
    assert browser(rival).post(f"{page}file/", {"file": upload()}).status_code == 403
    assert not HealthClaim.objects.exists()


def test_the_buyer_is_offered_the_form_once_the_lot_arrived(
    browser, deal, bring, collector, recycler, now
):
    page = f"/lots/{deal.lot_id}/health/"
    assert b"health-say" not in browser(recycler).get(page).content
    bring(deal, "INSPECTION")
    claim = {
        "uncertainty": Decimal("0.05"),
        "basis": "CAPACITY",
        "method": "CAPACITY_TEST",
        "level": "PACK",
    }
    Lot.objects.filter(pk=deal.lot_id).update(status="PRICED")
    services.record_health_claim(
        Lot.objects.get(pk=deal.lot_id), actor=collector, value=Decimal("0.9"), now=now, **claim
    )
    Lot.objects.filter(pk=deal.lot_id).update(status="DELIVERED")

    answer = browser(recycler).post(f"{page}say/", SAY, follow=True)

    text = answer.content.decode()
    assert "Found by the buyer" in text
    assert "-10 points against what the seller said." in text
    sampled = browser(recycler).post(f"{page}say/", SAY | {"level": "SAMPLE"}, follow=True)
    assert "Not compared: one is of the whole" in sampled.content.decode()


def test_the_lot_page_leads_to_its_health(browser, priced_lot, collector):
    lot = priced_lot()

    assert f"/lots/{lot.pk}/health/" in browser(collector).get(f"/lots/{lot.pk}/").content.decode()


def test_the_page_costs_the_same_for_many_tests(
    browser, submitted, collector, now, django_assert_max_num_queries
):
    lot, client = submitted(collector), browser(collector)
    for percent in range(60, 80):
        client.post(f"/lots/{lot.pk}/health/say/", SAY | {"percent": percent})

    with django_assert_max_num_queries(14):
        assert client.get(f"/lots/{lot.pk}/health/").status_code == 200


# --- API
def test_a_program_says_a_health_and_reads_it_back(program, submitted, collector):
    lot, client = submitted(collector), program(collector)
    claim = {
        "value": "0.8",
        "uncertainty": "0.03",
        "basis": "CAPACITY",
        "level": "PACK",
        "method": "CAPACITY_TEST",
    }

    made = client.post(f"/api/v1/lots/{lot.pk}/health/", claim, "application/json")
    client.post(f"/api/v1/lots/{lot.pk}/health/", claim, "application/json")
    listed = client.get(f"/api/v1/lots/{lot.pk}/health/").json()

    assert made.status_code == 201
    assert [row["value"] for row in listed["results"]] == ["0.8000"]
    assert listed["results"][0]["believed"] is True
    in_percent = client.post(
        f"/api/v1/lots/{lot.pk}/health/", claim | {"value": "80"}, "application/json"
    )
    assert in_percent.status_code == 409
    assert "80 % is 0.80" in in_percent.json()["detail"]


def test_a_program_sends_a_test_file(program, submitted, collector):
    lot, client = submitted(collector), program(collector)
    sent = {"file": upload(), "rated_ah": "10", "level": "PACK", "tested_on": "2026-11-20"}

    made = client.post(f"/api/v1/lots/{lot.pk}/health/files/", sent)
    wrong = client.post(f"/api/v1/lots/{lot.pk}/health/files/", {"file": upload(["1,x,4"])})

    assert (made.status_code, made.json()[0]["value"]) == (201, "0.8000")
    assert made.json()[0]["level"] == "PACK"
    assert (wrong.status_code, wrong.json()["code"]) == (409, "not_a_number")
    assert HealthClaim.objects.count() == 1
