"""The page and the API of what proves a lot: its codes and its battery passports."""

import copy
import json
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace.lots import services
from marketplace.lots.models import HealthClaim, LotIdentifier, LotPassport
from tests.cast_lots import *  # noqa: F403

pytestmark = pytest.mark.django_db

LFP_CODE = "02LPB02100101A87Y0052124"
PASSPORT = {
    "specVersion": "urn:io.catenax.battery.battery_pass:6.1.0",
    "identification": {"chemistry": "NCM", "category": "EV"},
    "characteristics": {"physicalDimension": {"weight": {"value": -3, "unit": "unit:kilogram"}}},
    "performance": {
        "rated": {"energy": {"value": 52.5}},
        "dynamic": {
            "energy": {"soce": {"value": 81.5, "time": "2026-10-07T10:39:13+01:00"}},
            "negativeEvents": [{"header": "Crash", "content": "https://maker.example/crash"}],
        },
    },
}


def upload(tree=PASSPORT) -> SimpleUploadedFile:
    return SimpleUploadedFile("passport.json", json.dumps(tree).encode(), "application/json")


@pytest.fixture
def mine(submitted, collector):
    return submitted(collector, chemistry="NMC532")


@pytest.fixture
def proven(priced, collector, now):
    """A lot for sale with a code that contradicts it and a passport with a flaw."""
    lot = priced(collector, chemistry="NMC532")
    services.add_identifiers(lot, actor=collector, texts=[LFP_CODE], now=now)
    services.import_passport(lot, actor=collector, given=json.dumps(PASSPORT), now=now)
    return services.mark_scheduled(lot, by=collector, now=now)


def page_of(client, lot, **query):
    return client.get(f"/lots/{lot.pk}/evidence/", query)


# --- the page -------------------------------------------------------------------------------------


def test_a_seller_adds_codes_and_reads_what_they_say(browser, collector, mine):
    client = browser(collector)

    added = client.post(
        f"/lots/{mine.pk}/evidence/codes/",
        {"codes": f"{LFP_CODE}\r\n\r\nabc 12\n", "read": "CAMERA"},
    )
    shown = page_of(client, mine).content.decode()

    assert added.url == f"/lots/{mine.pk}/evidence/"
    assert [row.read for row in LotIdentifier.objects.all()] == ["CAMERA", "CAMERA"]
    assert LFP_CODE in shown
    assert "31 Jul 2018" in shown or "Jul 31, 2018" in shown
    assert "It says another kind than you chose" in shown


@pytest.mark.parametrize(
    "data", [{}, {"codes": " \n "}, {"codes": "x" * 501}, {"codes": "a", "read": "DREAMT"}]
)
def test_a_refused_code_comes_back_with_what_to_mend(browser, collector, mine, data):
    shown = browser(collector).post(f"/lots/{mine.pk}/evidence/codes/", {"read": "TYPED"} | data)

    assert shown.status_code == 422
    assert not LotIdentifier.objects.exists()


def test_a_seller_uploads_a_passport_and_sees_what_is_flagged(browser, collector, mine):
    client = browser(collector)

    added = client.post(f"/lots/{mine.pk}/evidence/passport/", {"passport": upload()})
    shown = page_of(client, mine).content.decode()

    assert added.url == f"/lots/{mine.pk}/evidence/"
    assert "Weight: Below zero." in shown
    assert "not believed" in shown
    assert "81.5" in shown
    assert "Crash" in shown
    assert HealthClaim.objects.count() == 1


def test_a_passport_can_be_pasted(browser, collector, mine):
    browser(collector).post(
        f"/lots/{mine.pk}/evidence/passport/", {"text": "\ufeff" + json.dumps(PASSPORT)}
    )

    assert LotPassport.objects.get().format == "CATENA_X"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "Choose the file, or paste"),
        ({"text": "hello"}, "This is not JSON"),
        ({"text": "{}"}, "Catena-X battery_pass (3.0.1, 6.0.0, 6.1.0)"),
    ],
)
def test_a_refused_passport_comes_back_with_what_to_do(browser, collector, mine, data, says):
    shown = browser(collector).post(f"/lots/{mine.pk}/evidence/passport/", data)

    assert shown.status_code == 422
    assert says in shown.content.decode()
    assert not LotPassport.objects.exists()


def test_an_empty_file_and_a_large_one_are_refused(browser, collector, mine):
    for content in (b"", b" " * 5_000_001):
        sent = SimpleUploadedFile("passport.json", content)
        shown = browser(collector).post(f"/lots/{mine.pk}/evidence/passport/", {"passport": sent})
        assert shown.status_code == 422
    assert not LotPassport.objects.exists()


def test_a_lot_of_somebody_else_that_is_not_for_sale_does_not_exist(browser, recycler, mine):
    client = browser(recycler)

    assert page_of(client, mine).status_code == 404
    for action, data in (("codes", {"codes": "1"}), ("passport", {"text": "{}"})):
        assert client.post(f"/lots/{mine.pk}/evidence/{action}/", data).status_code == 404
    assert not LotIdentifier.objects.exists()


def test_somebody_elses_lot_on_sale_cannot_be_added_to(browser, recycler, proven):
    client = browser(recycler)

    for action, data in (
        ("codes", {"codes": "1", "read": "TYPED"}),
        ("passport", {"text": json.dumps(PASSPORT)}),
    ):
        assert client.post(f"/lots/{proven.pk}/evidence/{action}/", data).status_code == 403
    assert LotIdentifier.objects.count() == 1
    assert b'<form method="post" action="/lots' not in page_of(client, proven).content


def test_a_stranger_sees_the_end_of_a_code_and_no_passport(client, proven):
    shown = page_of(client, proven).content.decode()

    assert "••••2124" in shown
    assert LFP_CODE not in shown
    assert "0052124" not in shown
    assert "81.5" not in shown
    assert "Crash" not in shown
    assert "a verified licence see it" in shown


def test_a_buyer_with_a_licence_sees_codes_and_passport(browser, recycler, proven):
    shown = page_of(browser(recycler), proven).content.decode()

    assert LFP_CODE in shown
    assert "It says another kind than the seller does." in shown
    assert "81.5" in shown
    assert "Crash" in shown


def test_a_collector_without_a_licence_sees_no_passport(browser, rival_collector, proven):
    shown = page_of(browser(rival_collector), proven).content.decode()

    assert LFP_CODE in shown
    assert "Crash" not in shown


def test_nobody_logged_out_adds_anything(client, proven):
    for action in ("codes", "passport"):
        assert client.post(f"/lots/{proven.pk}/evidence/{action}/").status_code == 302


def test_the_page_is_linked_from_the_lot_and_from_the_photos(browser, collector, proven, draft):
    client, sketch = browser(collector), draft(collector)

    assert f"/lots/{proven.pk}/evidence/" in client.get(f"/lots/{proven.pk}/").content.decode()
    assert (
        f"/lots/{sketch.pk}/evidence/" in client.get(f"/sell/{sketch.pk}/photos/").content.decode()
    )
    assert page_of(client, sketch).status_code == 200


def test_many_codes_and_passports_cost_no_more_queries(
    browser, collector, mine, now, django_assert_max_num_queries
):
    client = browser(collector)
    services.add_identifiers(
        mine, actor=collector, texts=[f"number {n}" for n in range(120)], now=now
    )
    for n in range(6):
        tree = copy.deepcopy(PASSPORT)
        tree["identification"]["idDmc"] = f"n{n}"
        services.import_passport(mine, actor=collector, given=json.dumps(tree), now=now)

    with django_assert_max_num_queries(14):
        first = page_of(client, mine).content.decode()

    assert first.count('class="code">number ') == 50
    assert "after=" in first


# --- the API --------------------------------------------------------------------------------------


def test_a_program_adds_codes(program, collector, mine):
    client = program(collector)

    added = client.post(
        f"/api/v1/lots/{mine.pk}/identifiers/",
        {"codes": [LFP_CODE.lower(), "(01)09506000134352(21)7"]},
        "application/json",
    )

    assert added.status_code == 201
    first, second = added.json()
    assert (first["value"], first["doubts"]) == (LFP_CODE, ["chemistry_contradicts_code"])
    assert second["told"] == {"key": "01", "gtin": "09506000134352", "serial": "7"}
    assert client.get(f"/api/v1/lots/{mine.pk}/identifiers/").json() == added.json()


@pytest.mark.parametrize(
    "body", [{}, {"codes": []}, {"codes": [""]}, {"codes": ["a"], "read": "PHOTO"}]
)
def test_a_program_is_told_what_is_wrong_with_codes(program, collector, mine, body):
    problem = program(collector).post(
        f"/api/v1/lots/{mine.pk}/identifiers/", body, "application/json"
    )

    assert problem.status_code == 400
    assert not LotIdentifier.objects.exists()


def test_a_program_sends_a_passport_as_the_body_in_any_encoding(program, collector, mine):
    client, address = program(collector), f"/api/v1/lots/{mine.pk}/passports/"

    for encoding in ("utf-8", "utf-16"):
        content = json.dumps(PASSPORT).encode(encoding)
        added = client.generic("POST", address, content, "application/json")
        assert added.status_code == 201
    again = client.generic("POST", address, content, "application/ld+json")

    assert again.json()["id"] == added.json()["id"]
    assert LotPassport.objects.count() == 2
    assert added.json()["read"]["certified_energy_percent"]["value"] == "81.5"
    assert {"field": "mass_kg", "code": "negative", "value": "-3"} in added.json()["doubts"]
    assert [row["id"] for row in client.get(address).json()] == [
        row.pk for row in LotPassport.objects.order_by("-pk")
    ]
    whole = client.get(f"{address}{again.json()['id']}/")
    assert whole.json() == PASSPORT


def test_a_program_sends_a_passport_as_a_file(program, collector, mine):
    added = program(collector).post(
        f"/api/v1/lots/{mine.pk}/passports/", {"passport": BytesIO(json.dumps(PASSPORT).encode())}
    )

    assert added.status_code == 201


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b" ", 409, "empty"),
        (b"{}", 409, "unknown_format"),
        (b"x" * 5_000_001, 409, "too_large"),
        (b"[" * 9999, 409, "too_deep"),
    ],
)
def test_a_refused_passport_is_a_problem_with_a_code(
    program, collector, mine, content, status, code
):
    problem = program(collector).generic(
        "POST", f"/api/v1/lots/{mine.pk}/passports/", content, "application/json"
    )

    assert (problem.status_code, problem.json()["code"]) == (status, code)
    assert not LotPassport.objects.exists()


def test_a_form_without_a_file_is_a_mistake(program, collector, mine):
    problem = program(collector).post(f"/api/v1/lots/{mine.pk}/passports/", {"passport": "text"})

    assert problem.status_code == 400


def test_programs_of_others_see_what_their_people_see(
    program, client, recycler, rival_collector, proven, mine
):
    codes, passports = (
        f"/api/v1/lots/{proven.pk}/{what}/" for what in ("identifiers", "passports")
    )

    assert client.get(codes).json()[0]["value"] == "••••2124"
    assert "serial" not in client.get(codes).json()[0]["told"]
    assert client.get(passports).status_code == 401
    assert program(rival_collector).get(passports).json() == []
    buyer = program(recycler)
    assert len(buyer.get(passports).json()) == 1
    assert buyer.get(f"/api/v1/lots/{mine.pk}/passports/").status_code == 404
    assert buyer.get(f"/api/v1/lots/{mine.pk}/identifiers/").status_code == 404
    assert buyer.generic("POST", passports, b"{}", "application/json").status_code == 403
    hidden = f"{passports}{LotPassport.objects.get().pk}/"
    assert program(rival_collector).get(hidden).status_code == 404
