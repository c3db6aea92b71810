from decimal import Decimal
from uuid import uuid4

import pytest

from marketplace.lots import services
from marketplace.lots.models import Lot
from tests.cast_lots import *  # noqa: F403
from tests.cast_lots import BEKASI, SAFE, picture

pytestmark = pytest.mark.django_db


def begin(client, key=None):
    return client.post("/api/v1/lots/", headers={"idempotency-key": str(key or uuid4())})


def answer(client, lot_id, **answers):
    return client.patch(f"/api/v1/lots/{lot_id}/answers/", answers, "application/json")


def test_a_program_goes_from_photo_to_price(program, collector, settle, now):
    client = program(collector)
    lot_id = begin(client).json()["id"]
    added = client.post(f"/api/v1/lots/{lot_id}/photos/", {"photo": picture(), "shows": "LABEL"})
    assert added.status_code == 201
    answered = answer(
        client,
        lot_id,
        origin="CAR",
        chemistry="NMC622",
        mass_kg="457",
        country="ID",
        geoname_id=BEKASI,
        triage=SAFE,
    )
    assert answered.status_code == 200
    assert answered.json()["position"] == ["-6.23", "106.99"]

    submitted = client.post(
        f"/api/v1/lots/{lot_id}/submit/", {"declared": True}, "application/json"
    )

    assert submitted.json()["status"] == "SUBMITTED"
    assert client.get(f"/api/v1/lots/{lot_id}/valuation/").status_code == 404


def test_the_same_key_begins_one_lot(program, collector):
    client, key = program(collector), uuid4()

    assert begin(client, key).json() == begin(client, key).json()
    assert Lot.objects.count() == 1


def test_a_lot_needs_a_key(program, collector):
    problem = program(collector).post("/api/v1/lots/")

    assert problem.status_code == 400
    assert problem.headers["content-type"] == "application/problem+json"
    assert "request_id" in problem.json()["errors"]
    assert not Lot.objects.exists()


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        ({"mass_kg": "0"}, 409, "mass_kg"),
        ({"mass_kg": "-1"}, 409, "mass_kg"),
        ({"mass_kg": "1e30"}, 400, "mass_kg"),
        ({"mass_kg": "NaN"}, 400, "mass_kg"),
        ({"mass_kg": "100001"}, 409, "mass_kg"),
        ({"units": 0}, 409, "units"),
        ({"origin": "SPACESHIP"}, 400, "origin"),
        ({"chemistry": "GOLD"}, 400, "chemistry"),
        ({"country": "ID", "geoname_id": 1}, 409, "geoname_id"),
        ({"triage": {"hot": True}}, 400, "triage"),
        ({"state_of_health": "5"}, 409, "state_of_health"),
    ],
)
def test_nonsense_is_a_problem_with_a_field(program, draft, collector, sent, status, field):
    lot = draft(collector)
    before = Lot.objects.values().get(pk=lot.pk)

    problem = answer(program(collector), lot.pk, **sent)

    assert problem.status_code == status
    assert problem.json()["code"]
    assert field in problem.json()["errors"]
    assert Lot.objects.values().get(pk=lot.pk) == before


def test_one_refused_answer_leaves_all_as_they_were(program, draft, collector):
    lot = draft(collector)

    problem = answer(program(collector), lot.pk, origin="BUS", mass_kg="-1")

    assert problem.status_code == 409
    lot.refresh_from_db()
    assert (lot.origin, lot.mass_kg) == ("SCOOTER", Decimal(112))


def test_what_is_not_named_stays_as_it_is(program, draft, collector):
    lot = draft(collector)

    answer(program(collector), lot.pk, units=14, state_of_health="0.81")

    lot.refresh_from_db()
    assert (lot.mass_kg, lot.mass_is_estimated, lot.units) == (Decimal(112), False, 14)
    assert lot.state_of_health == Decimal("0.81")


def test_a_gif_named_jpg_is_a_problem(program, draft, collector):
    lot = draft(collector)

    problem = program(collector).post(
        f"/api/v1/lots/{lot.pk}/photos/", {"photo": picture((1, 1, 1), form="GIF")}
    )

    assert (problem.status_code, problem.json()["code"]) == (409, "unknown_type")
    assert lot.photos.count() == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("get", "valuation/"),
        ("get", "classification/"),
        ("patch", "answers/"),
        ("post", "submit/"),
        ("post", "withdraw/"),
        ("post", "photos/"),
    ],
)
def test_another_organisations_lot_is_not_there(
    program, draft, collector, rival_collector, method, path
):
    lot = draft(collector)

    problem = getattr(program(rival_collector), method)(f"/api/v1/lots/{lot.pk}/{path}")

    assert problem.status_code == 404
    assert Lot.objects.get(pk=lot.pk).status == "DRAFT"


def test_a_rival_may_look_but_not_touch_what_is_for_sale(
    program, priced, collector, rival_collector, now
):
    lot = services.mark_scheduled(priced(collector), by=collector, now=now)
    client = program(rival_collector)

    shown = client.get(f"/api/v1/lots/{lot.pk}/").json()

    assert shown["position"] == ["-6.2", "107.0"]
    assert shown["request_id"] is None
    assert answer(client, lot.pk, mass_kg="1").status_code == 403
    assert client.post(f"/api/v1/lots/{lot.pk}/withdraw/").status_code == 403
    assert Lot.objects.get(pk=lot.pk).mass_kg == Decimal(112)


def test_a_photo_of_a_sibling_is_not_there(program, draft, collector):
    one, other = draft(collector), draft(collector)
    client, photo = program(collector), other.photos.get()

    assert client.get(f"/api/v1/lots/{one.pk}/photos/{photo.pk}/").status_code == 404
    assert client.delete(f"/api/v1/lots/{one.pk}/photos/{photo.pk}/").status_code == 404
    assert client.get(f"/api/v1/lots/{other.pk}/photos/{photo.pk}/").status_code == 200
    assert client.delete(f"/api/v1/lots/{other.pk}/photos/{photo.pk}/").status_code == 204
    assert not other.photos.exists()


def test_the_valuation_shows_its_sum(program, priced, collector):
    lot = priced(collector)

    shown = program(collector).get(f"/api/v1/lots/{lot.pk}/valuation/").json()

    parts = sum(Decimal(term["amount"]) for term in shown["terms"])
    assert parts == Decimal(shown["typical"])
    assert Decimal(shown["low"]) < Decimal(shown["typical"]) < Decimal(shown["high"])
    assert shown["currency"] == "IDR"
    assert any("quote" in flag for flag in shown["flags"])


def test_the_classification_refuses_waste_by_air(program, priced, collector):
    lot = priced(collector)

    rows = program(collector).get(f"/api/v1/lots/{lot.pk}/classification/").json()

    assert [(row["mode"], row["verdict"]) for row in rows] == [
        ("ROAD", "ALLOWED"),
        ("SEA", "ALLOWED"),
        ("AIR", "FORBIDDEN"),
    ]
    assert rows[2]["refusal"]


def test_the_list_is_by_keyset_and_takes_the_same_queries_for_many(
    program, draft, priced, collector, now, django_assert_num_queries, django_assert_max_num_queries
):
    client = program(collector)
    first = draft(collector)
    client.get("/api/v1/lots/")  # the key is new: its first use is written down
    with django_assert_max_num_queries(8) as few:
        client.get("/api/v1/lots/")
    second, third = draft(collector), draft(collector)
    with django_assert_num_queries(len(few)):
        page = client.get("/api/v1/lots/?page_size=50").json()

    assert [row["id"] for row in page["results"]] == [third.pk, second.pk, first.pk]
    part = client.get("/api/v1/lots/?page_size=2").json()
    rest = client.get(part["next"]).json()
    assert [row["id"] for row in rest["results"]] == [first.pk]


def test_the_list_can_be_narrowed(program, draft, priced, collector, recycler, now):
    draft(collector)
    for_sale = services.mark_scheduled(priced(collector, chemistry="LFP"), by=collector, now=now)

    def ids(client, query):
        return [row["id"] for row in client.get(f"/api/v1/lots/?{query}").json()["results"]]

    assert ids(program(collector), "chemistry=LFP") == [for_sale.pk]
    assert ids(program(collector), "status=SCHEDULED,OPEN") == [for_sale.pk]
    assert len(ids(program(collector), "mine=true")) == 2
    assert ids(program(recycler), "") == [for_sale.pk]
    assert ids(program(recycler), "mine=true") == []


def test_strangers_read_what_is_for_sale_and_begin_nothing(client, priced, collector, now):
    lot = priced(collector)
    assert client.get(f"/api/v1/lots/{lot.pk}/").status_code == 404
    services.mark_scheduled(lot, by=collector, now=now)

    assert client.get(f"/api/v1/lots/{lot.pk}/").status_code == 200
    assert client.get("/api/v1/lots/").json()["results"][0]["id"] == lot.pk
    assert begin(client).status_code == 401
    assert Lot.objects.count() == 1
