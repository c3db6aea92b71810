from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import translation

from marketplace.accounts.models import Licence, Organisation
from marketplace.journal.models import Entry, Job
from marketplace.journal.services import run, switchboard
from marketplace.lots import services as lots
from marketplace.lots.models import Lot
from marketplace.pricing import queries, services
from marketplace.pricing.models import Valuation
from marketplace.pricing.services import valuations
from marketplace.reference.models import (
    Chemistry,
    Confidence,
    MetalQuote,
    SecondLifePrice,
    Source,
)
from tests.cast_lots import *  # noqa: F403
from tests.cast_lots import SAFE

pytestmark = pytest.mark.django_db


def quote(material, on, usd_per_kg):
    return MetalQuote.objects.create(
        material=material,
        quoted_on=on,
        price_usd_per_kg=Decimal(usd_per_kg),
        kind=MetalQuote.Kind.SPOT,
        source=Source.objects.get(pk="GK"),
        confidence=Confidence.GENERAL,
        checked_on=on,
    )


def revalue(clock):
    """What the nightly job does."""
    services.revalue_all(on=clock().date(), now=clock())


def test_handing_in_values_the_lot_in_the_sellers_currency(priced, collector, now):
    lot = priced(collector)

    valuation = lot.valuations.get()

    assert lot.status == "PRICED"
    assert valuation.currency == "IDR"
    assert valuation.low < valuation.typical < valuation.high
    assert valuation.typical == sum(Decimal(term["amount"]) for term in valuation.terms)
    told = Entry.objects.get(name="pricing.LotValued")
    assert told.payload == {"lot_id": lot.pk, "valuation_id": valuation.pk}


def test_the_job_run_twice_makes_one_valuation(submitted, collector, settle, clock):
    lot = submitted(collector)
    settle()
    job = Job.objects.get(kind="pricing.price_lot")

    Job.objects.filter(pk=job.pk).update(state="TODO", ended_at=None)
    assert run(job.pk, clock=clock)

    assert lot.valuations.count() == 1
    assert Entry.objects.filter(name="pricing.LotValued").count() == 1


def test_one_valuation_is_asked_for_once_a_version(submitted, collector, now):
    lot = submitted(collector)

    services.ask_for_price(lot, now=now)
    services.ask_for_price(lot, now=now)

    assert Job.objects.filter(kind="pricing.price_lot").count() == 1


def test_new_evidence_is_valued_and_the_old_valuation_stays(priced, collector, settle, now):
    lot = priced(collector, mass_kg=Decimal(100))
    first = lot.valuations.get()

    lots.answer_amount(lot, actor=collector, mass_kg=Decimal(200), now=now)
    settle()

    latest = queries.latest_valuation(lot)
    assert latest != first
    assert abs(latest.typical - 2 * first.typical) < first.typical / 100
    assert lot.valuations.count() == 2


def test_a_valuation_of_old_evidence_is_not_kept(submitted, collector, now):
    lot = submitted(collector)
    finish = services.price_lot(lot.pk, on=now.date())
    lots.answer_amount(lot, actor=collector, mass_kg=Decimal(200), now=now)

    with transaction.atomic():
        finish(now)

    assert not Valuation.objects.exists()
    lot.refresh_from_db()
    assert lot.status == "SUBMITTED"


def test_new_quotes_are_used_the_next_day(priced, collector, clock, settle):
    lot = priced(collector)
    first = queries.latest_valuation(lot)
    revalue(clock)
    assert lot.valuations.count() == 1  # nothing changed, nothing is written

    quote("Ni", clock.forward(days=1).date(), "30")
    revalue(clock)

    latest = queries.latest_valuation(lot)
    assert lot.valuations.count() == 2
    assert latest.typical > first.typical
    assert "Ni" not in [flag.get("material") for flag in latest.flags]


def test_a_lot_under_deal_is_valued_no_more(priced, collector, clock, settle, now):
    lot = priced(collector)
    for arrow in (lots.mark_open, lots.mark_evaluating, lots.mark_awarded):
        lot = arrow(lot, by=collector, now=now)
    quote("Ni", clock.forward(days=1).date(), "30")

    revalue(clock)

    assert lot.valuations.count() == 1


def test_a_failure_keeps_the_last_valuation(priced, collector, clock, settle, monkeypatch):
    lot = priced(collector)
    kept = queries.latest_valuation(lot)

    def no_prices(on):
        raise ConnectionError("no prices today")

    monkeypatch.setattr(queries, "market_on", no_prices)
    clock.forward(days=1)
    services.ask_for_price(lot, now=clock(), because="a test")
    settle()

    assert queries.latest_valuation(lot) == kept
    assert Job.objects.get(kind="pricing.price_lot", state="TODO").last_error


def test_stale_quotes_are_named(priced, collector):
    valuation = priced(collector).valuations.get()

    stale = {flag["material"] for flag in valuation.flags if flag["code"] == "stale_quote"}

    assert {"Ni", "Co", "Li"} <= stale
    assert any("Nickel" in said for said in queries.explained_flags(valuation))


def test_not_knowing_the_kind_widens_the_range_and_says_so(priced, collector):
    known = priced(collector, chemistry="NMC532").valuations.get()
    unknown = priced(collector, chemistry=None).valuations.get()

    assert unknown.high - unknown.low > known.high - known.low
    assert {"code": "chemistry_unknown"} in unknown.flags


def test_estimating_the_mass_widens_the_range(priced, collector):
    weighed = priced(collector, chemistry="LCO", mass_kg=Decimal(170))
    estimated = priced(collector, chemistry="LCO", energy_kwh=Decimal("28.9"))

    narrow, wide = weighed.valuations.get(), estimated.valuations.get()

    assert estimated.mass_kg == weighed.mass_kg
    assert narrow.typical == wide.typical
    assert wide.high - wide.low > narrow.high - narrow.low
    assert {"code": "mass_estimated"} in wide.flags


def test_damage_lowers_the_price(priced, collector):
    whole = priced(collector).valuations.get()
    damaged = priced(collector, answers=SAFE | {"dented": True}).valuations.get()

    assert damaged.typical < whole.typical
    assert "damage" in [term["code"] for term in damaged.terms]


@pytest.mark.parametrize(
    ("health", "chemistry", "answers", "route"),
    [
        (None, "LFP", SAFE, "RECYCLE"),
        ("0.69", "LFP", SAFE, "RECYCLE"),
        ("0.85", "LFP", SAFE, "REPURPOSE"),
        ("0.85", "LFP", SAFE | {"dented": True}, "RECYCLE"),
        ("0.85", None, SAFE, "RECYCLE"),
    ],
)
def test_second_life_has_gates(draft, collector, settle, now, health, chemistry, answers, route):
    lot = draft(
        collector,
        chemistry=chemistry,
        answers=answers,
        energy_kwh=Decimal(50),
        mass_kg=Decimal(400),
    )
    lots.answer_health(lot, actor=collector, state_of_health=health and Decimal(health), now=now)

    lots.declare_and_submit(lot, actor=collector, now=now)
    settle()

    assert lot.valuations.get().route == route


def test_a_currency_without_a_rate_falls_back_to_dollars_and_says_so(submitted, collector, settle):
    Organisation.objects.filter(pk=collector.organisation_id).update(currency="XXX")

    lot = submitted(collector)
    settle()

    valuation = lot.valuations.get()
    assert valuation.currency == "USD"
    assert {"code": "no_rate"} in valuation.flags


def test_a_draft_has_no_value(draft, collector, now):
    lot = draft(collector)

    assert services.price_lot(lot.pk, on=now.date()) is None
    with pytest.raises(ValueError, match="mass"):
        queries.facts_of(Lot(), claim=None, market=queries.market_on(now.date()))


@pytest.mark.parametrize("chemistry", ["LFP", "PBA", "NIMH", "NICD", "NAION", "LI_UNKNOWN", "LTO"])
def test_every_kind_has_a_value_that_can_be_explained(priced, collector, chemistry):
    valuation = priced(collector, chemistry=chemistry).valuations.get()

    lines = queries.explained(valuation)

    assert sum(line.amount for line in lines) == valuation.typical
    assert all(line.label for line in lines)
    assert (chemistry == "LFP") == any("points" in line.why for line in lines)
    with translation.override("id"):
        assert queries.explained(valuation)


def test_the_board_shows_what_people_recognise_in_their_money(
    reference, now, django_assert_max_num_queries
):
    with django_assert_max_num_queries(15):
        board = queries.price_board(on=now.date(), country="IN")

    names = [line.code for line in board]
    assert names[:2] == ["scooter-lfp", "car-nmc"]
    assert {line.currency for line in board} == {"INR"}
    assert all(line.low <= line.typical <= line.high for line in board)
    by_code = {line.code: line.typical for line in board}
    assert by_code["phone-lco"] > by_code["car-nmc"] > by_code["scooter-lfp"]


def test_what_a_lot_is_worth_is_seen_by_those_who_see_the_lot(
    priced, collector, rival_collector, recycler, now
):
    lot = priced(collector)
    valuation = lot.valuations.get()

    assert valuation in Valuation.objects.visible_to(collector)
    assert valuation not in Valuation.objects.visible_to(rival_collector)
    lots.mark_scheduled(lot, by=collector, now=now)
    assert valuation in Valuation.objects.visible_to(recycler)


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("valuation_is_in_order", {"low": 2, "typical": 1, "high": 3}),
        ("valuation_is_in_order", {"low": 1, "typical": 3, "high": 2}),
        ("valuation_route_known", {"route": "BURN"}),
    ],
)
def test_the_database_refuses_nonsense(priced, collector, name, nonsense):
    valuation = priced(collector).valuations.get()

    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Valuation.objects.filter(pk=valuation.pk).update(**nonsense)


def test_the_database_keeps_the_same_inputs_once(priced, collector):
    valuation = priced(collector).valuations.get()
    valuation.pk = None

    with pytest.raises(IntegrityError, match="valued_once_per_inputs"), transaction.atomic():
        valuation.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_keep_one_valuation(submitted, collector, now):
    lot = submitted(collector)
    finishes = [services.price_lot(lot.pk, on=now.date()) for _n in range(4)]

    def keep(finish):
        try:
            with transaction.atomic():
                finish(now + timedelta(seconds=1))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(keep, finishes))

    assert lot.valuations.count() == 1
    assert Entry.objects.filter(name="pricing.LotValued").count() == 1


def test_the_board_is_in_dollars_where_there_is_no_rate(reference, now):
    board = queries.price_board(on=now.date(), currency="XXX")

    assert {line.currency for line in board} == {"USD"}


@pytest.mark.parametrize("country", ["", "ZZ"])
def test_the_board_of_nowhere_is_in_dollars(reference, now, country):
    assert queries.price_board(on=now.date(), country=country)[0].currency == "USD"


@pytest.mark.django_db
def test_the_board_is_empty_before_reference_data_is_loaded(now):
    Chemistry.objects.all().delete()

    assert queries.price_board(on=now.date()) == []


def test_revaluing_is_daily_work(priced, collector, clock, settle):
    lot = priced(collector)
    quote("Ni", clock.forward(days=1).date(), "30")

    switchboard().schedules["pricing.revalue"].work({"slot": clock().isoformat()})

    assert lot.valuations.count() == 2


def test_second_life_is_explained(draft, collector, settle, now):
    lot = draft(collector, chemistry="LFP", energy_kwh=Decimal(50), mass_kg=Decimal(400))
    lots.answer_health(lot, actor=collector, state_of_health=Decimal("0.92"), now=now)
    lots.declare_and_submit(lot, actor=collector, now=now)
    settle()

    lines = queries.explained(lot.valuations.get())

    assert lines[0].why == "46.000 kWh × US$40.50"
    assert lines[0].source


def test_a_flag_of_a_later_version_is_passed_over(priced, collector):
    valuation = priced(collector).valuations.get()
    valuation.flags = [{"code": "from_the_future"}]

    assert queries.explained_flags(valuation) == []


def test_a_price_without_its_table_is_no_second_life(draft, collector, settle, now):
    SecondLifePrice.objects.all().delete()
    lot = draft(collector, chemistry="LFP", mass_kg=Decimal(400))
    lots.answer_health(lot, actor=collector, state_of_health=Decimal("0.92"), now=now)

    lots.declare_and_submit(lot, actor=collector, now=now)
    settle()

    assert lot.valuations.get().route == "RECYCLE"


def test_a_night_in_which_little_moved_tells_nobody_but_is_kept(priced, collector, clock):
    lot = priced(collector)
    told = Entry.objects.filter(name="pricing.LotValued")
    assert told.count() == 1

    quote("Ni", clock.forward(days=1).date(), "18.9")
    revalue(clock)
    assert (lot.valuations.count(), told.count()) == (2, 1)

    quote("Ni", clock.forward(days=1).date(), "60")
    revalue(clock)
    assert (lot.valuations.count(), told.count()) == (3, 2)


def test_a_lot_whose_evidence_changes_during_the_night_is_left_to_the_job_of_its_evidence(
    priced, collector, clock, now
):
    lot, other = priced(collector), priced(collector)
    quote("Ni", clock.forward(days=1).date(), "30")
    found = services.value_lots([lot, other], market=queries.market_on(clock().date()))
    lots.answer_amount(lot, actor=collector, mass_kg=Decimal(200), now=now)

    assert services.keep_valuations(found, now=clock()) == 1
    assert (lot.valuations.count(), other.valuations.count()) == (1, 2)


def test_many_lots_are_valued_in_as_many_queries_as_one(
    priced, collector, clock, django_assert_max_num_queries
):
    for _n in range(4):
        priced(collector)
    quote("Ni", clock.forward(days=1).date(), "18.9")

    with django_assert_max_num_queries(27):
        services.revalue_all(on=clock().date(), now=clock())

    assert Valuation.objects.count() == 8


def test_every_use_is_weighed_and_what_bars_it_is_said(priced, collector):
    valuation = priced(collector, chemistry="NMC622").valuations.get()

    lines = queries.routes(valuation)

    assert [line.is_named for line in lines] == [False, False, True, False]
    assert "nobody measured its health" in lines[1].barred
    assert lines[1].typical is None
    assert lines[3].typical < 0 < lines[2].typical
    assert queries.because(valuation)
    assert queries.recycled_in_korea(valuation) < valuation.typical


def test_what_would_tell_more_comes_with_a_figure(priced, collector):
    valuation = priced(collector, chemistry=None).valuations.get()

    (label,) = queries.evidence(valuation)

    assert label.code == "label"
    assert label.low_from < label.low_to
    assert label.narrows > Decimal("0.1")


def test_a_lot_near_a_licensed_plant_pays_less_for_the_way(priced, collector, recycler):
    near = priced(collector).valuations.get()

    Licence.objects.all().delete()
    far = services.value_lot(near.lot, market=queries.market_on(near.quotes_on.replace(year=2026)))

    assert km_of(near) < 60 < km_of(far)


def km_of(valuation):
    return float(next(term for term in valuation.terms if term["code"] == "freight")["facts"]["km"])


def test_a_measured_claim_counts_before_what_the_owner_says(draft, collector, settle, now):
    lot = draft(collector, chemistry="LFP", energy_kwh=Decimal(50), mass_kg=Decimal(400))
    lots.answer_health(lot, actor=collector, state_of_health=Decimal("0.95"), now=now)
    lots.declare_and_submit(lot, actor=collector, now=now)
    settle()
    said = lot.valuations.get()
    assert {"code": "health_said"} in said.flags

    lots.record_health_claim(
        lot,
        actor=collector,
        value=Decimal("0.81"),
        uncertainty=Decimal("0.02"),
        basis="CAPACITY",
        level="PACK",
        method="CAPACITY_TEST",
        tested_at=now,
        now=now,
    )
    settle()

    measured = queries.latest_valuation(lot)
    assert measured.inputs["inputs"]["pack"]["health"]["typical"] == "0.81"
    assert {"code": "health_said"} not in measured.flags
    assert measured.high - measured.low < said.high - said.low


def test_a_night_that_dies_half_way_goes_on_where_it_stopped(priced, collector, clock, monkeypatch):
    monkeypatch.setattr(valuations, "CHUNK", 1)
    lot, other = priced(collector), priced(collector)
    quote("Ni", clock.forward(days=1).date(), "60")
    whole, calls = valuations.keep_valuations, []

    def dies_the_second_time(found, *, now):
        calls.append(found)
        if len(calls) == 2:
            raise ConnectionError("gone")
        return whole(found, now=now)

    with monkeypatch.context() as patch:
        patch.setattr(valuations, "keep_valuations", dies_the_second_time)
        with pytest.raises(ConnectionError):
            revalue(clock)
    assert (lot.valuations.count(), other.valuations.count()) == (2, 1)

    revalue(clock)

    assert (lot.valuations.count(), other.valuations.count()) == (2, 2)
    assert Entry.objects.filter(name="pricing.LotValued").count() == 4
