"""Health claims: who may make them, what is kept, what counts, and how graders are scored."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connections, transaction

from marketplace.deals import services as deals
from marketplace.journal.models import Entry
from marketplace.lots import services
from marketplace.lots.models import HealthClaim, Lot
from marketplace.lots.queries import Check, best_health, grader_scores
from marketplace.lots.rules import test_data, test_results
from marketplace.lots.rules.test_results import Said
from marketplace.lots.services.health import REFUSALS
from tests.cast_deals import *  # noqa: F403
from tests.cast_lots import *  # noqa: F403

pytestmark = pytest.mark.django_db
SAID = Said(rated_ah=10.0, low_v=2.8, high_v=4.2, temperature_c=25.0)
CLAIM = {
    "value": Decimal("0.8"),
    "uncertainty": Decimal("0.03"),
    "basis": "CAPACITY",
    "level": "PACK",
    "method": "CAPACITY_TEST",
}


def upload(*, hours=0.8, header="", name="test.csv"):
    rows = ["time_s,current_a,voltage_v", "0,1,4.2"]
    rows += [f"{60 + hours * 36 * n},-10,{4.2 - n * 0.014}" for n in range(101)]
    return SimpleUploadedFile(name, (header + "\n".join(rows)).encode(), content_type="text/csv")


def say(lot, actor, now, **other):
    return services.record_health_claim(lot, actor=actor, now=now, **CLAIM | other)


def send(lot, actor, now, said=SAID, **other):
    return services.record_test_file(lot, actor=actor, upload=upload(**other), said=said, now=now)


def test_a_claim_is_new_evidence_once_the_lot_is_submitted(submitted, collector, now):
    lot = submitted(collector)

    claim = say(lot, collector, now)

    lot.refresh_from_db()
    assert (claim.value, claim.tested_by_id) == (Decimal("0.8"), collector.organisation_id)
    assert lot.evidence_version == 2
    assert Entry.objects.filter(name__contains="LotEvidenceChanged").count() == 1


def test_a_draft_gathers_claims_silently(draft, collector, now):
    lot = draft(collector)

    say(lot, collector, now)

    lot.refresh_from_db()
    assert lot.evidence_version == 1


def test_a_test_file_gives_its_claims_at_once(submitted, collector, now):
    lot = submitted(collector)
    said = Said(rated_ah=10.0, rated_wh=35.0, low_v=2.8, high_v=4.2, tested_on="2026-11-20")

    capacity, energy = send(lot, collector, now, said)

    lot.refresh_from_db()
    assert (capacity.basis, energy.basis) == ("CAPACITY", "ENERGY")
    assert capacity.value == Decimal("0.8")
    assert capacity.file_sha256 == energy.file_sha256 != ""
    assert capacity.tested_at.isoformat() == "2026-11-20T00:00:00+00:00"
    assert capacity.details["curve"]
    assert lot.evidence_version == 2


def test_the_same_file_counts_once(submitted, collector, now):
    lot = submitted(collector)

    assert send(lot, collector, now) == send(lot, collector, now)

    lot.refresh_from_db()
    assert HealthClaim.objects.count() == 1
    assert lot.evidence_version == 2


def test_the_same_file_with_other_figures_is_refused(submitted, collector, now):
    lot = submitted(collector)
    send(lot, collector, now)

    with pytest.raises(services.HealthRefused, match="already counts"):
        send(lot, collector, now, Said(rated_ah=9.0, low_v=2.8, high_v=4.2))

    assert HealthClaim.objects.get().value == Decimal("0.8")


def test_the_same_words_count_once_and_other_words_again(submitted, collector, now):
    lot = submitted(collector)

    assert say(lot, collector, now) == say(lot, collector, now)
    say(lot, collector, now, value=Decimal("0.7"))

    assert HealthClaim.objects.count() == 2


def test_a_file_that_cannot_be_read_leaves_nothing(submitted, collector, now):
    lot = submitted(collector)
    broken = SimpleUploadedFile("a.csv", b"time_s,current_a\n0,-1\n1,x\n")

    with pytest.raises(services.TestRefused) as refused:
        services.record_test_file(lot, actor=collector, upload=broken, said=SAID, now=now)

    lot.refresh_from_db()
    assert refused.value.code == "not_a_number"
    assert refused.value.message.startswith("Row 3, column current_a: “x” is no number.")
    assert not HealthClaim.objects.exists()
    assert lot.evidence_version == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty. Choose it again."),
        (b"time_s,current_a\n", "Row 1: There are no rows under the column names."),
        (b"time_s,current (V)\n0,1\n", "Column current (V): The unit v is not known here."),
        (b"# tested_on: 2026-13-40\n", "Write the day of the test as 2026-11-23."),
    ],
)
def test_a_sentence_says_where_it_is_wrong(submitted, collector, now, content, words):
    if b"tested_on" in content:
        content += upload().read()
    file = SimpleUploadedFile("a.csv", content)

    with pytest.raises(services.TestRefused) as refused:
        services.record_test_file(
            submitted(collector), actor=collector, upload=file, said=SAID, now=now
        )

    assert refused.value.message.startswith(words)
    assert not HealthClaim.objects.exists()


@pytest.mark.parametrize("honest", [True, False])
def test_a_file_of_200_mb_is_refused_before_it_is_read_whole(submitted, collector, now, honest):
    lot = submitted(collector)

    class Huge:
        size = 200 * 2**20 if honest else 5
        read = 0

        def chunks(self, chunk_size=None):
            for _chunk in range(200):
                Huge.read += 1
                yield b"0" * 2**20

    with pytest.raises(services.TestRefused) as refused:
        services.record_test_file(lot, actor=collector, upload=Huge(), said=SAID, now=now)

    assert refused.value.code == "too_large"
    assert Huge.read == (0 if honest else 11)


def test_every_reason_has_its_sentence():
    modules = (test_data, test_results)
    sources = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in modules)
    codes = set(re.findall(r'Unreadable\(\s*"(\w+)"', sources)) | {"compressed", "binary"}
    assert codes <= REFUSALS.keys()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"value": Decimal("NaN")}, "value"),
        ({"value": Decimal("-0.1")}, "value"),
        ({"value": Decimal(80)}, "value"),
        ({"uncertainty": Decimal(2)}, "uncertainty"),
        ({"temperature_c": Decimal(900)}, "temperature_c"),
        ({"basis": "WEIGHT"}, "basis"),
        ({"level": "TOP"}, "level"),
        ({"method": "GUESS"}, "method"),
        ({"file_sha256": "abc"}, "file"),
    ],
)
def test_nonsense_is_refused(submitted, collector, now, wrong, field):
    lot = submitted(collector)

    with pytest.raises(services.HealthRefused) as refused:
        say(lot, collector, now, **wrong)

    assert refused.value.field == field
    assert not HealthClaim.objects.exists()


def test_a_test_of_tomorrow_is_refused(submitted, collector, now):
    lot = submitted(collector)

    with pytest.raises(services.HealthRefused):
        say(lot, collector, now, tested_at=now + timedelta(days=3))


def test_more_than_new_is_kept_flagged_and_not_believed(submitted, collector, now):
    lot = submitted(collector)

    claim = say(lot, collector, now, value=Decimal("1.3"))

    assert claim.doubts == ["health_above_102_percent"]
    assert best_health(lot) is None


def test_the_best_claim_is_the_weakest_cell_that_was_measured(submitted, collector, now):
    lot = submitted(collector)
    say(lot, collector, now, method="SAID", value=Decimal("0.99"))
    say(lot, collector, now, value=Decimal("0.8"))
    weakest = say(lot, collector, now, value=Decimal("0.7"), level="WEAKEST_CELL")
    say(lot, collector, now, value=Decimal("1.6"), basis="RESISTANCE", method="PULSE_TEST")

    assert best_health(lot) == weakest


def test_nobody_else_speaks_for_the_seller(submitted, collector, rival_collector, carrier, now):
    lot = submitted(collector)

    for somebody in (rival_collector, carrier):
        with pytest.raises(PermissionDenied):
            say(lot, somebody, now)
        with pytest.raises(PermissionDenied):
            send(lot, somebody, now)

    assert not HealthClaim.objects.exists()


def test_once_others_rely_on_a_lot_its_seller_adds_nothing(submitted, collector, now):
    lot = submitted(collector)
    Lot.objects.filter(pk=lot.pk).update(status="OPEN")

    with pytest.raises(services.LotNotEditable):
        say(lot, collector, now)
    with pytest.raises(services.LotNotEditable):
        send(lot, collector, now)

    assert not HealthClaim.objects.exists()


def test_a_lot_keeps_a_bounded_number_of_tests(submitted, collector, now, monkeypatch):
    monkeypatch.setattr("marketplace.lots.services.health.MOST_CLAIMS", 1)
    lot = submitted(collector)
    say(lot, collector, now)

    with pytest.raises(services.HealthRefused):
        say(lot, collector, now, value=Decimal("0.7"))

    assert HealthClaim.objects.count() == 1


def test_a_program_without_a_person_signs_nothing(submitted, collector, now):
    lot = submitted(collector)

    with pytest.raises(services.HealthRefused):
        say(lot, replace(collector, user_id=None), now)

    assert not HealthClaim.objects.exists()


def test_the_buyer_says_what_was_found_once_it_arrived(
    deal, bring, collector, recycler, rival, now
):
    arrived = bring(deal, "INSPECTION")
    lot = Lot.objects.get(pk=arrived.lot_id)

    found = deals.record_found_health(lot, actor=recycler, now=now, **CLAIM)
    [tested] = deals.record_found_test(lot, actor=recycler, upload=upload(), said=SAID, now=now)

    assert found.tested_by_id == tested.tested_by_id == recycler.organisation_id
    for somebody in (rival, collector):
        with pytest.raises(PermissionDenied):
            deals.record_found_health(lot, actor=somebody, now=now, **CLAIM)
    assert HealthClaim.objects.count() == 2


def test_before_it_arrived_nothing_is_found(deal, recycler, now):
    lot = Lot.objects.get(pk=deal.lot_id)

    with pytest.raises(PermissionDenied):
        deals.record_found_health(lot, actor=recycler, now=now, **CLAIM)
    with pytest.raises(services.LotNotEditable):
        services.record_found_claim(lot, actor=recycler, now=now, **CLAIM)

    assert not HealthClaim.objects.exists()


def test_a_seller_finds_nothing_in_their_own_lot(priced_lot, recycler, now):
    lot = priced_lot(seller=recycler, status="DELIVERED")

    with pytest.raises(services.HealthRefused):
        services.record_found_claim(lot, actor=recycler, now=now, **CLAIM)


def test_the_sellers_own_file_is_no_second_opinion(priced_lot, collector, recycler, now):
    lot = priced_lot()
    send(lot, collector, now)
    Lot.objects.filter(pk=lot.pk).update(status="DELIVERED")
    test = services.read_test(lot, upload=upload(), said=SAID)

    with pytest.raises(services.HealthRefused, match="Somebody else"):
        services.record_found_test(lot, actor=recycler, test=test, now=now)

    assert HealthClaim.objects.count() == 1


# --- scores
def check(priced_lot, collector, recycler, now, claimed, found, **other):
    lot = priced_lot()
    say(lot, collector, now, value=Decimal(claimed))
    Lot.objects.filter(pk=lot.pk).update(status="DELIVERED")
    services.record_found_claim(
        lot, actor=recycler, now=now, **CLAIM | {"value": Decimal(found)} | other
    )


def test_a_grader_is_scored_by_claimed_against_found(
    priced_lot, collector, recycler, now, django_assert_num_queries
):
    for found in ("0.78", "0.75", "0.81"):
        check(priced_lot, collector, recycler, now, "0.80", found)
    check(priced_lot, collector, recycler, now, "0.80", "0.2", basis="ENERGY")
    check(priced_lot, collector, recycler, now, "0.80", "0.2", level="WEAKEST_CELL")
    check(priced_lot, collector, recycler, now, "0.80", "1.4")

    with django_assert_num_queries(1):
        [scored] = grader_scores()

    assert (scored.organisation_id, scored.what) == (collector.organisation_id, "HEALTH")
    assert scored.score.checks == 3
    assert scored.score.typically == Decimal("0.041")  # (5 x 0.05 + 0.02 + 0.05 + 0.01) / 8
    assert scored.score.lean == Decimal("0.008")


def test_below_three_checks_there_is_no_score_and_other_rooms_may_add_checks(
    priced_lot, collector, recycler, now
):
    check(priced_lot, collector, recycler, now, "0.80", "0.78")
    mass = [Check(collector.organisation_id, "Budi", "MASS", Decimal("0.01"))] * 4

    health, weight = grader_scores(mass)

    assert (health.score.checks, health.score.typically) == (1, None)
    assert (weight.what, weight.score.checks) == ("MASS", 4)


def test_without_found_claims_there_are_no_scores(submitted, collector, now):
    say(submitted(collector), collector, now)

    assert grader_scores() == []


# --- the database is the last judge
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("basis", "WEIGHT"),
        ("level", "TOP"),
        ("method", "GUESS"),
        ("value", Decimal("9.1")),
        ("value", Decimal("-0.1")),
        ("uncertainty", Decimal("1.1")),
    ],
)
def test_the_database_refuses_nonsense(submitted, collector, now, field, value):
    claim = say(submitted(collector), collector, now)

    with pytest.raises(IntegrityError), transaction.atomic():
        HealthClaim.objects.filter(pk=claim.pk).update(**{field: value})


def test_the_database_counts_a_file_once(submitted, collector, now):
    [claim] = send(submitted(collector), collector, now)
    claim.pk = None

    with pytest.raises(IntegrityError), transaction.atomic():
        claim.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_the_same_file_sent_eight_times_at_once_is_one_claim(submitted, collector, now):
    lot = submitted(collector)

    def attempt(_n):
        try:
            return send(Lot.objects.get(pk=lot.pk), collector, now)[0].pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        kept = set(pool.map(attempt, range(8)))

    lot.refresh_from_db()
    assert len(kept) == HealthClaim.objects.count() == 1
    assert lot.evidence_version == 2
