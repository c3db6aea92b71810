"""Prices for everybody: the board, check my price, calibration, the method, the data, and answers by text."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.urls import reverse

from marketplace.journal.models import Job
from marketplace.journal.services import drain
from marketplace.notifications import price_answers, rules
from marketplace.notifications.sms import MemorySms
from marketplace.pricing import services
from marketplace.pricing.models import IndexValue, SettledPrice
from marketplace.pricing.queries import public
from marketplace.pricing.rules import asking
from tests.cast_deals import priced_lot  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

PAGES = [
    "prices",
    "prices-check",
    "prices-calibration",
    "prices-method",
    "prices-method-expert",
]
DATA = ["prices-csv", "prices-json", "prices-index-csv", "prices-calibration-json"]
TODAY = datetime.now(UTC).date()


@pytest.fixture(autouse=True)
def nothing_sent():
    MemorySms.sent.clear()


@pytest.fixture
def paid(priced_lot, member):  # noqa: F811
    """Let deals be settled today, in USD a kilogram, each of its own seller and buyer."""

    def make(*prices, said=None, **lot):
        made = []
        for number, price in enumerate(prices):
            seller = member("COLLECTOR", f"Seller {SettledPrice.objects.count()}")
            buyer = member("RECYCLER", f"Buyer {SettledPrice.objects.count()}")
            of = priced_lot(seller, mass_kg=Decimal(100), **lot)
            if said:
                low, typical, high = said
                of.valuations.create(
                    inputs_hash=f"{of.pk}",
                    currency="USD",
                    low=low * 100,
                    typical=typical * 100,
                    high=high * 100,
                    route="RECYCLE",
                    terms=[],
                    inputs={},
                    quotes_on=TODAY,
                    rules_version="test",
                    valued_at=datetime.now(UTC) - timedelta(days=2),
                )
            made.append(
                services.note_settled_price(
                    deal_id=of.pk,
                    lot_id=of.pk,
                    seller_id=seller.organisation_id,
                    buyer_id=buyer.organisation_id,
                    kg=Decimal(100),
                    price=Decimal(str(price)) * 100,
                    currency="USD",
                    offered_at=None,
                    now=datetime.now(UTC) - timedelta(minutes=number),
                )
            )
        return made

    return make


def publish():
    return services.publish_index(on=TODAY, now=datetime.now(UTC))


# --- pages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", ["en", "id"])
def test_everybody_reads_them_in_their_language(client, reference, name, language):
    page = client.get(reverse(name), headers={"Accept-Language": language})

    assert page.status_code == 200
    html = page.content.decode()
    assert f'<html lang="{language}"' in html
    assert html.count("<h1") == 1
    assert not re.search(r"\sstyle=|{%|{{", html)


@pytest.mark.parametrize("name", [*PAGES, *DATA])
def test_they_work_before_anything_was_loaded(client, name):
    assert client.get(reverse(name)).status_code == 200


@pytest.mark.parametrize("name", ["prices", "prices-calibration", "prices-method"])
def test_they_cost_few_queries(client, reference, name, django_assert_max_num_queries):
    client.get(reverse(name))

    with django_assert_max_num_queries(5):
        client.get(reverse(name))


def test_the_board_says_what_a_kilogram_is_worth_in_the_money_of_a_country(client, reference):
    assert "₹" in client.get("/prices/?country=IN").content.decode()
    assert "US$" in client.get("/prices/?country=XX").content.decode()
    assert "US$" in client.get("/prices/?country=';--").content.decode()


def test_a_price_names_its_day_its_source_and_what_is_old(client, reference):
    html = client.get("/prices/").content.decode()

    assert "World Bank" in html
    assert "<time datetime=" in html
    assert "Old quotes widen every range" in html


def test_the_course_is_drawn_and_told_in_a_table(client, reference):
    html = client.get("/prices/?line=car-nmc").content.decode()

    points = re.search(
        r'<svg class="chart".*?<polyline class="line" points="([^"]+)"', html, re.DOTALL
    )
    assert points
    assert len(points[1].split()) == html.split("<tbody>")[1].split("</tbody>")[0].count("<tr>")
    assert "Show as table" in html


def test_charts_write_numbers_as_svg_needs_them_in_every_language(client, reference):
    html = client.get("/prices/", headers={"Accept-Language": "id"}).content.decode()

    for value in re.findall(r' (?:x1|x2|y1|y2|cx|cy|x|y)="([^"]+)"', html):
        assert float(value) == float(value)


def test_what_may_cost_money_says_so(client, reference):
    html = client.get("/prices/").content.decode()
    low = {line.code: line.low for line in public.board(on=TODAY).lines}

    assert ("May cost money" in html) == (min(low.values()) < 0)


def test_the_board_shows_what_was_paid_once_enough_deals_say_so(client, paid):
    paid(2, 3, 3, 4)
    publish()
    assert "Really paid lately" not in client.get("/prices/").content.decode()
    cache.clear()

    paid("3.5")
    services.publish_index(on=TODAY, now=datetime.now(UTC))
    cache.clear()

    html = client.get("/prices/").content.decode()
    assert IndexValue.objects.filter(basis="SETTLED").exists()
    assert "5\n" in html or "in 5 deals or more" in re.sub(r"\s+", " ", html)


# --- data to take away ------------------------------------------------------------------------------


def test_the_board_is_a_table_with_its_licence_method_and_day(client, reference):
    answer = client.get("/prices.csv?country=ID")

    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert answer["Content-Type"].startswith("text/csv")
    assert {row["code"] for row in rows} >= {"scooter-lfp", "phone-lco", "lead-acid"}
    assert {row["currency"] for row in rows} == {"IDR"}
    assert {row["licence"] for row in rows} == {"CC-BY-4.0"}
    for row in rows:
        assert Decimal(row["low"]) <= Decimal(row["typical"]) <= Decimal(row["high"])
        assert row["rules_version"]
        assert row["index_method_version"]


def test_everything_is_there_as_json(client, paid):
    paid(2, 3, 3, 4, 5)
    publish()

    told = client.get("/prices.json").json()

    assert told["licence"] == "CC-BY-4.0"
    assert told["sources"]
    assert told["metals"]
    assert len(told["board"][0]["trend"]) > 12
    settled = [row for row in told["index"] if row["basis"] == "SETTLED"]
    assert {row["deals_at_least"] for row in settled} == {5}
    assert all(row["kg_at_least"] == "500" for row in settled)


def test_no_count_below_five_is_published(client, paid):
    paid(2, 3, 3)
    publish()

    rows = list(csv.DictReader(io.StringIO(client.get("/prices/index.csv").content.decode())))

    assert rows
    assert {row["deals_at_least"] for row in rows} == {"0"}
    assert {row["kg_at_least"] for row in rows} == {"0"}
    assert {row["basis"] for row in rows} == {"INFERRED"}


@pytest.mark.parametrize("name", DATA)
def test_data_may_be_kept_for_an_hour_and_asked_for_again(client, reference, name):
    first = client.get(reverse(name))

    again = client.get(reverse(name), headers={"If-None-Match": first["ETag"]})

    assert "max-age=3600" in first["Cache-Control"]
    assert "public" in first["Cache-Control"]
    assert again.status_code == 304
    assert again.content == b""


def test_data_does_not_follow_the_reader(client, browser, collector, reference):
    stranger = client.get("/prices.json", headers={"Accept-Language": "id"}).json()

    assert browser(collector).get("/prices.json").json() == stranger


# --- check my price -----------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", [thing.code for thing in asking.THINGS])
@pytest.mark.parametrize("amount", ["amount=20&unit=kg", "amount=3&unit=pieces"])
def test_every_thing_has_a_price(client, reference, thing, amount):
    answer = client.get(f"/prices/check/?thing={thing}&{amount}&country=ID")

    assert answer.status_code == 200, answer.content.decode()[:2000]
    assert "Most likely about" in answer.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "thing=&amount=20",
        "thing=rocket&amount=20",
        "thing=starter&amount=",
        "thing=starter&amount=-3",
        "thing=starter&amount=0",
        "thing=starter&amount=9999999",
        "thing=starter&amount=many",
        "thing=starter&amount=2.5&unit=pieces",
        "thing=starter&amount=2&chemistry=XYZ",
        "thing=starter&amount=2&country=XX",
    ],
)
def test_nonsense_is_told_what_is_wrong(client, reference, query):
    answer = client.get(f"/prices/check/?{query}")

    assert answer.status_code == 422
    assert 'class="err"' in answer.content.decode()


def test_a_bigger_load_is_worth_more(reference):
    small = public.estimate("starter", kg=Decimal(20), on=TODAY)
    large = public.estimate("starter", kg=Decimal(200), on=TODAY)

    assert small.low <= small.typical <= small.high
    assert large.typical > small.typical


def test_the_answers_go_along_when_the_lot_is_begun(client, browser, collector, reference):
    html = client.get("/prices/check/?thing=scooter&amount=12.5&unit=kg").content.decode()
    link = re.search(r'href="(/sell/\?[^"]+)"', html)[1].replace("&amp;", "&")
    mine = browser(collector)
    form = mine.get(link).content.decode()
    request_id = re.search(r'name="request_id" value="([^"]+)"', form)[1]

    begun = mine.post("/sell/", {"request_id": request_id})

    lot = begun["Location"].split("/")[2]
    origin = mine.get(f"/sell/{lot}/origin/").content.decode()
    amount = mine.get(f"/sell/{lot}/amount/").content.decode()
    assert re.search(r'value="SCOOTER"\s+checked', origin)
    assert 'value="12.5"' in amount


# --- calibration --------------------------------------------------------------------------------------


def test_four_deals_say_nothing(client, paid):
    paid(2, 3, 4, 5, said=(2, 3, 4))

    assert "Not enough deals" in client.get("/prices/calibration/").content.decode()
    assert client.get("/prices/calibration.json").json()["all"] is None


def test_five_deals_say_how_often_the_range_held(client, paid):
    paid("1.5", 2, 3, 4, 5, said=(2, 3, 4))

    told = client.get("/prices/calibration.json").json()

    assert told["all"]["inside"] == "0.60"
    assert told["all"]["below"] == told["all"]["above"] == "0.20"
    assert told["all"]["deals_at_least"] == 5
    assert set(told["by_chemistry"]) == {"NMC"}
    assert set(told["by_country"]) == {"ID"}
    assert [dot["deals_at_least"] for dot in told["dots"]] == [5]
    assert "60%" in client.get("/prices/calibration/").content.decode()


# --- programs -----------------------------------------------------------------------------------------


def test_programs_read_the_board_without_a_key(client, reference):
    told = client.get("/api/v1/prices/?country=ID").json()

    assert told["currency"] == "IDR"
    assert told["lines"][0]["trend"]
    assert client.get("/api/v1/prices/?country=indonesia").status_code == 400


def test_programs_check_a_price(client, reference):
    told = client.get("/api/v1/prices/check/?thing=starter&kg=20&country=ID").json()

    assert Decimal(told["low"]) <= Decimal(told["typical"]) <= Decimal(told["high"])
    assert told["chemistry"] == "PBA"
    assert client.get("/api/v1/prices/check/?thing=starter").status_code == 409
    assert client.get("/api/v1/prices/check/?thing=rocket&kg=1").status_code == 400


def test_programs_are_told_when_it_is_too_much(client, reference):
    codes = {client.get("/api/v1/prices/").status_code for _ in range(61)}

    assert codes == {200, 429}


# --- by text --------------------------------------------------------------------------------------------

SECRET = {"X-SMS-Secret": "between-us"}


@pytest.fixture
def open_line(settings):
    settings.SMS_IN_SECRET = SECRET["X-SMS-Secret"]


def text(client, words, *, sender="+6281234567890", number="1", headers=SECRET):
    form = {"from": sender, "text": words, "id": number}
    return client.post("/sms/in/", form, headers=headers)


def test_a_text_is_answered_in_its_language_and_money(client, reference, open_line, clock):
    assert text(client, "HARGA AKI 20").status_code == 204
    clock.at = datetime.now(UTC)
    drain(clock=clock)

    ((to, said),) = MemorySms.sent
    assert to == "+6281234567890"
    assert "20 kg" in said
    assert "Rp" in said
    assert rules.parts(said) == 1


def test_the_same_text_told_twice_is_answered_once(client, reference, open_line):
    assert text(client, "HARGA AKI 20").status_code == 204
    assert text(client, "HARGA AKI 20").status_code == 204

    assert Job.objects.filter(kind="notifications.answer_price").count() == 1


@pytest.mark.parametrize("headers", [{}, {"X-SMS-Secret": "wrong"}])
def test_without_the_secret_nothing_is_taken(client, reference, open_line, headers):
    assert text(client, "HARGA AKI 20", headers=headers).status_code == 401
    assert not Job.objects.exists()


def test_without_a_secret_in_the_settings_the_line_is_closed(client, reference, settings):
    settings.SMS_IN_SECRET = ""

    assert text(client, "HARGA AKI 20", headers={"X-SMS-Secret": ""}).status_code == 404
    assert not Job.objects.exists()


@pytest.mark.parametrize("sender", ["", "voltbazaar", "12", "a@b.example"])
def test_who_is_no_phone_is_not_answered(client, reference, open_line, sender):
    assert text(client, "HARGA AKI 20", sender=sender).status_code in (422, 429)
    assert not Job.objects.exists()


def test_one_phone_is_answered_a_dozen_times_an_hour(client, reference, open_line):
    codes = [text(client, "aki 20", number=str(n)).status_code for n in range(14)]

    assert codes == [204] * 12 + [429] * 2
    assert Job.objects.filter(kind="notifications.answer_price").count() == 12


@pytest.mark.parametrize("thing", sorted(asking.WORDS))
@pytest.mark.parametrize("question", ["HARGA {} 87654,5", "PRICE {} 300 PCS"])
def test_every_answer_fits_one_text(reference, thing, question):
    word = asking.WORDS[thing].split()[0]

    said = price_answers.answer(question.format(word), sender="+6281234567890", on=TODAY)

    assert rules.parts(said) == 1, said
    assert "%(" not in said


@pytest.mark.parametrize(
    ("sender", "money"), [("+919812345678", "INR"), ("+14155550100", "USD"), ("+62811", "Rp")]
)
def test_a_text_is_answered_in_the_money_of_its_country(reference, sender, money):
    assert money in price_answers.answer("PRICE AKI 20", sender=sender, on=TODAY)


def test_what_is_not_understood_gets_help(reference):
    assert "PRICE SCOOTER" in price_answers.answer("hi", sender="+919812345678", on=TODAY)


def test_before_prices_are_loaded_it_says_so(db):
    assert "tomorrow" in price_answers.answer("price aki 20", sender="+919812345678", on=TODAY)


def test_the_command_answers_as_the_line_does(reference):
    call_command("sms_in", "+919812345678", "price", "aki", "20")

    assert "INR" in MemorySms.sent[0][1]
    with pytest.raises(CommandError):
        call_command("sms_in", "nobody", "price aki 20")


def test_the_data_is_json(client, reference):
    json.loads(client.get("/prices.json").content)
