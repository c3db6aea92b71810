from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace.journal.services import drain
from marketplace.lots import services
from marketplace.lots.models import Lot
from marketplace.pricing.models import Valuation
from tests.cast_lots import *  # noqa: F403
from tests.cast_lots import BEKASI, SAFE, picture

pytestmark = pytest.mark.django_db


def work_off():
    """Do what is due by the clock that the pages use."""
    return drain(clock=lambda: datetime.now(UTC))


def go_on(client, lot, step, data):
    return client.post(f"/sell/{lot.pk}/{step}/", data)


def test_a_collector_goes_from_photo_to_price_without_a_script(browser, collector):
    client = browser(collector)
    begun = client.post("/sell/", {"request_id": uuid4()})
    lot = Lot.objects.get()
    assert begun.url == f"/sell/{lot.pk}/photos/"

    answers = [
        ("photos", {"whole": picture(), "label": picture((9, 9, 9))}, "origin"),
        ("origin", {"origin": "SCOOTER"}, "chemistry"),
        ("chemistry", {"chemistry": "UNKNOWN"}, "amount"),
        ("amount", {"mass_kg": "११२.५"}, "place"),
        ("place", {"country": "ID", "geoname_id": BEKASI}, "safety"),
        ("safety", {"signs": ["dented"]}, "check"),
    ]
    for step, data, following in answers:
        assert client.get(f"/sell/{lot.pk}/{step}/").status_code == 200
        assert go_on(client, lot, step, data).url == f"/sell/{lot.pk}/{following}/"
    assert client.get(f"/sell/{lot.pk}/check/").status_code == 200
    assert go_on(client, lot, "check", {"declared": "on"}).url == f"/lots/{lot.pk}/"

    waiting = client.get(f"/lots/{lot.pk}/")
    assert b"every 3s" in waiting.content
    work_off()
    shown = client.get(f"/lots/{lot.pk}/")
    lot.refresh_from_db()
    assert (lot.status, lot.mass_kg, lot.photos.count()) == ("PRICED", Decimal("112.5"), 2)
    assert lot.triage == "AMBER"
    valuation = Valuation.objects.get(lot=lot)
    assert valuation.currency == "IDR"
    assert b"every 3s" not in shown.content


def test_a_waiting_page_asks_only_for_the_price_and_reloads_when_it_came(
    browser, submitted, collector, settle
):
    lot, client = submitted(collector), browser(collector)
    part = {"hx-request": "true"}

    waiting = client.get(f"/lots/{lot.pk}/", headers=part)
    settle()
    came = client.get(f"/lots/{lot.pk}/", headers=part)

    assert b"<html" not in waiting.content
    assert b"every 3s" in waiting.content
    assert "HX-Refresh" not in waiting.headers
    assert came.headers["HX-Refresh"] == "true"


def test_a_photo_larger_than_we_take_is_refused_with_what_to_do(browser, draft, collector):
    lot = draft(collector)
    huge = SimpleUploadedFile("x.jpg", b"\xff\xd8" + b"0" * 60 * 2**20)

    shown = go_on(browser(collector), lot, "photos", {"whole": huge})

    assert shown.status_code == 422
    assert "20 MB" in shown.content.decode()
    assert lot.photos.count() == 1


def test_a_double_tap_begins_one_lot(browser, collector):
    client, request_id = browser(collector), uuid4()

    first = client.post("/sell/", {"request_id": request_id})
    again = client.post("/sell/", {"request_id": request_id})

    assert first.url == again.url
    assert Lot.objects.count() == 1


@pytest.mark.parametrize(
    ("step", "data"),
    [
        ("origin", {}),
        ("origin", {"origin": "SPACESHIP"}),
        ("chemistry", {}),
        ("chemistry", {"chemistry": "GOLD"}),
        ("amount", {}),
        ("amount", {"mass_kg": "0"}),
        ("amount", {"mass_kg": "-4"}),
        ("amount", {"mass_kg": "1e30"}),
        ("amount", {"mass_kg": "NaN"}),
        ("amount", {"mass_kg": "999999999"}),
        ("amount", {"units": "1.5"}),
        ("amount", {"units": "99999999999"}),
        ("amount", {"mass_kg": "5", "state_of_health": "500"}),
        ("place", {"country": "ID"}),
        ("place", {"country": "ID", "geoname_id": "1"}),
        ("safety", {}),
        ("safety", {"signs": ["hot"], "none": "on"}),
        ("safety", {"signs": ["purple"]}),
        ("check", {}),
        ("photos", {"whole": picture(form="GIF", name="battery.jpg")}),
    ],
)
def test_a_bad_answer_comes_back_with_what_to_do(browser, draft, collector, step, data):
    lot = draft(collector)
    before = Lot.objects.values().get(pk=lot.pk)

    shown = go_on(browser(collector), lot, step, data)

    assert shown.status_code == 422
    assert shown.context["form"].errors
    assert b"data-focus" in shown.content
    assert Lot.objects.values().get(pk=lot.pk) == before
    assert lot.photos.count() == 1


def test_number_buttons_add_without_a_script_and_keep_nothing(browser, draft, collector):
    lot = draft(collector)

    shown = go_on(browser(collector), lot, "amount", {"mass_kg": "5,5", "add": "mass_kg:10"})

    assert shown.status_code == 200
    assert b'value="15.5"' in shown.content
    lot.refresh_from_db()
    assert lot.mass_kg == Decimal(112)


def test_red_shows_first_aid_and_nothing_to_sell(browser, draft, collector):
    lot = draft(collector)
    client = browser(collector)

    sent = go_on(client, lot, "safety", {"signs": ["hot"]})

    assert sent.url == f"/lots/{lot.pk}/"
    shown = client.get(sent.url).content.decode()
    assert "Do not move it. Do not sell it." in shown
    assert "tel:113" in shown
    assert client.post(f"/lots/{lot.pk}/safety-pickup/").status_code == 302
    lot.refresh_from_db()
    assert lot.status == "IN_SAFETY_FLOW"


@pytest.mark.parametrize("path", ["photos/", "amount/", "check/"])
def test_another_collectors_draft_is_not_there(browser, draft, collector, rival_collector, path):
    lot = draft(collector)

    assert browser(rival_collector).get(f"/sell/{lot.pk}/{path}").status_code == 404
    assert browser(rival_collector).post(f"/sell/{lot.pk}/{path}", {}).status_code == 404


def test_a_carrier_cannot_begin_a_lot(browser, carrier):
    assert browser(carrier).get("/sell/").status_code == 403
    assert browser(carrier).post("/sell/", {"request_id": uuid4()}).status_code == 403
    assert not Lot.objects.exists()


def test_a_question_that_is_not_there(browser, draft, collector):
    lot = draft(collector)

    assert browser(collector).get(f"/sell/{lot.pk}/secrets/").status_code == 404


def test_a_photo_of_a_sibling_lot_is_not_there(browser, draft, collector):
    one, other = draft(collector), draft(collector)
    client = browser(collector)
    stranger = other.photos.get()

    assert client.get(f"/lots/{one.pk}/photos/{stranger.pk}.jpg").status_code == 404
    assert client.post(f"/sell/{one.pk}/photos/{stranger.pk}/remove/").status_code == 404
    assert other.photos.count() == 1


def test_a_photo_is_served_to_those_who_see_the_lot_and_kept(
    browser, priced, collector, rival_collector, anonymous, now
):
    lot = priced(collector)
    services.add_photo(lot, actor=collector, upload=picture((1, 9, 1), size=(1500, 900)), now=now)
    photo = lot.photos.last()
    path = f"/lots/{lot.pk}/photos/{photo.pk}.jpg"
    mine = browser(collector)

    small = mine.get(f"{path}?w=320")

    assert small.status_code == 200
    assert "immutable" in small["Cache-Control"]
    assert len(small.content) < len(mine.get(path).content)
    assert mine.get(f"{path}?w=320", headers={"if-none-match": small["ETag"]}).status_code == 304
    assert mine.get(f"{path}?w=9000").status_code == 404
    for actor in (rival_collector, anonymous):
        assert browser(actor).get(path).status_code == 404
    services.mark_scheduled(lot, by=collector, now=now)
    for actor in (rival_collector, anonymous):
        assert browser(actor).get(path).status_code == 200


def test_strangers_see_a_lot_for_sale_and_none_of_its_sellers_buttons(
    browser, priced, collector, rival_collector, anonymous, now
):
    lot = priced(collector)
    assert browser(rival_collector).get(f"/lots/{lot.pk}/").status_code == 404
    services.mark_scheduled(lot, by=collector, now=now)

    for actor in (rival_collector, anonymous):
        shown = browser(actor).get(f"/lots/{lot.pk}/").content.decode()
        assert "Bekasi" in shown
        assert str(lot.latitude) not in shown
        assert "/withdraw/" not in shown


def test_what_waits_for_the_seller_comes_first(browser, priced, draft, submitted, collector, now):
    waiting = priced(collector)
    services.mark_scheduled(other := priced(collector), by=collector, now=now)
    started = draft(collector)

    listed = browser(collector).get("/lots/").context["lots"].rows

    assert [lot.pk for lot in listed] == [waiting.pk, started.pk, other.pk]


def test_the_list_of_lots_takes_the_same_queries_for_one_and_for_many(
    browser, priced, collector, django_assert_num_queries, django_assert_max_num_queries
):
    client = browser(collector)
    priced(collector)
    with django_assert_max_num_queries(14) as few:
        client.get("/lots/")
    for _n in range(4):
        priced(collector)

    with django_assert_num_queries(len(few)):
        client.get("/lots/")


def test_the_page_of_a_lot_takes_few_queries(
    browser, priced, collector, django_assert_max_num_queries
):
    lot, client = priced(collector), browser(collector)

    with django_assert_max_num_queries(16):
        client.get(f"/lots/{lot.pk}/")


def test_a_seller_answers_what_staff_asked(browser, submitted, collector, staff, now):
    lot = submitted(collector)
    services.ask_seller(lot, actor=staff, question="Which scooter?", now=now)
    client = browser(collector)

    assert "Which scooter?" in client.get(f"/lots/{lot.pk}/").content.decode()
    assert client.post(f"/lots/{lot.pk}/answer/", {"answer": " "}).status_code == 422
    assert client.post(f"/lots/{lot.pk}/answer/", {"answer": "An old one"}).status_code == 302

    lot.refresh_from_db()
    assert lot.status == "SUBMITTED"


def test_a_seller_withdraws_a_lot_and_a_rival_does_not(browser, priced, collector, rival_collector):
    lot = priced(collector)

    assert browser(rival_collector).post(f"/lots/{lot.pk}/withdraw/").status_code == 404
    lot.refresh_from_db()
    assert lot.status == "PRICED"
    assert browser(collector).post(f"/lots/{lot.pk}/withdraw/").status_code == 302
    lot.refresh_from_db()
    assert lot.status == "WITHDRAWN"


def test_a_corrected_amount_is_valued_again(browser, priced, collector):
    lot = priced(collector)

    sent = go_on(browser(collector), lot, "amount", {"mass_kg": "200"})
    work_off()

    assert sent.url == f"/lots/{lot.pk}/"
    assert lot.valuations.count() == 2


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_is_asked_to_log_in_twice(client, method):
    assert getattr(client, method)("/sell/").url.startswith("/accounts/login/")


def test_a_photo_can_be_taken_out_and_more_taken_before_going_on(browser, draft, collector):
    lot, client = draft(collector), browser(collector)
    photo = lot.photos.get()

    assert client.post(f"/sell/{lot.pk}/photos/{photo.pk}/remove/").status_code == 302
    assert not lot.photos.exists()
    stays = f"/sell/{lot.pk}/photos/"
    assert go_on(client, lot, "photos", {}).url == stays
    assert go_on(client, lot, "photos", {"whole": picture(), "stay": "1"}).url == stays
    assert lot.photos.count() == 1
    assert client.get(stays).status_code == 200


def test_answers_are_shown_again(browser, draft, collector):
    lot, client = draft(collector, answers=SAFE | {"dented": True}), browser(collector)

    assert client.get(f"/sell/{lot.pk}/chemistry/").context["picked"] == "NMC532"
    assert client.get(f"/sell/{lot.pk}/safety/").context["picked"] == ["dented"]
    assert b'value="112"' in client.get(f"/sell/{lot.pk}/amount/").content
    assert client.get("/sell/").context["drafts"][0] == lot
    assert client.get(f"/lots/{lot.pk}/").url == f"/sell/{lot.pk}/check/"


def test_a_lot_that_can_no_longer_be_changed_is_only_shown(browser, priced, collector, now):
    lot = services.mark_open(priced(collector), by=collector, now=now)

    sent = go_on(browser(collector), lot, "amount", {"mass_kg": "1"})

    assert sent.url == f"/lots/{lot.pk}/"
    lot.refresh_from_db()
    assert lot.mass_kg == Decimal(112)


def test_who_does_not_sell_is_shown_what_is_for_sale(browser, carrier, recycler, anonymous):
    for actor in (carrier, recycler, anonymous):
        assert browser(actor).get("/lots/").url == "/market/"
    assert browser(recycler).get("/lots/?show=mine").status_code == 200


def test_a_photo_whose_file_is_gone_is_not_there(browser, program, draft, collector):
    lot = draft(collector)
    photo = lot.photos.get()
    photo.file.storage.delete(photo.file.name)

    assert browser(collector).get(f"/lots/{lot.pk}/photos/{photo.pk}.jpg").status_code == 404
    assert program(collector).get(f"/api/v1/lots/{lot.pk}/photos/{photo.pk}/").status_code == 404


def test_a_mass_that_does_not_fit_the_energy_is_doubted(browser, draft, collector):
    lot = draft(collector, mass_kg=Decimal(40), energy_kwh=Decimal(40))

    assert (
        "do not fit together" in browser(collector).get(f"/sell/{lot.pk}/check/").content.decode()
    )


def test_towns_are_found_without_accents_and_of_any_country(browser, draft, collector):
    lot, client = draft(collector), browser(collector)

    found = client.get(f"/sell/{lot.pk}/place/", {"country": "IN", "q": "pune"}).context["towns"]
    none = client.get(f"/sell/{lot.pk}/place/", {"country": "IN", "q": "qqqq"})

    assert [town.name for town in found][:1] == ["Pune"]
    assert "No town of that name" in none.content.decode()


def test_an_unfinished_lot_says_what_is_open(browser, collector, now):
    lot = services.start_lot(actor=collector, request_id=uuid4(), now=now)

    shown = browser(collector).get(f"/sell/{lot.pk}/check/")

    assert len(shown.context["open_questions"]) == 6
    assert go_on(browser(collector), lot, "check", {"declared": "on"}).status_code == 422
