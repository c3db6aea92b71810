from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from marketplace.compliance import queries, services
from marketplace.compliance.models import Classification
from marketplace.lots import services as lots
from marketplace.lots.models import Lot
from marketplace.reference.models import Chemistry, DangerousGoodsRule
from tests.cast_lots import *  # noqa: F403
from tests.cast_lots import SAFE

pytestmark = pytest.mark.django_db


def test_handing_in_classifies_a_lot_for_every_mode(priced, collector):
    lot = priced(collector)

    road, sea, air = queries.latest_classifications(lot)

    assert (road.un_number, road.packing_instruction, road.verdict) == ("UN3480", "P909", "ALLOWED")
    assert sea.rule_edition.startswith("IMDG")
    assert (air.verdict, air.un_number) == ("FORBIDDEN", "")
    assert "must not fly" in air.refusal
    assert queries.latest_classification(lot) == road


def test_damage_asks_for_a_better_box(priced, collector):
    lot = priced(collector, answers=SAFE | {"swollen": True})

    road = queries.latest_classification(lot)

    assert road.condition == "DAMAGED"
    assert road.packing_instruction == "P908, LP904"
    assert road.special_provisions == ["SP376"]


@pytest.mark.parametrize(
    ("chemistry", "origin", "goods"),
    [
        ("LFP", "SCOOTER", "LITHIUM_ION"),
        ("PBA", "STARTER", "LEAD_ACID"),
        ("NIMH", "CAR", "NIMH"),
        ("NICD", "TOOL", "NICD"),
        ("NAION", "RICKSHAW", "SODIUM_ION"),
        (None, "MIXED", "LITHIUM_ION"),
        (None, "STARTER", "LEAD_ACID"),
    ],
)
def test_goods_follow_the_chemistry_and_not_knowing_is_the_worst(
    priced, collector, chemistry, origin, goods
):
    lot = priced(collector, chemistry=chemistry, origin=origin)

    assert queries.latest_classification(lot).goods == goods


def test_the_same_evidence_is_decided_once(submitted, collector, now):
    lot = submitted(collector)

    first = services.classify(lot, now=now)
    again = services.classify(lot, now=now + timedelta(days=1))

    assert first == again
    assert Classification.objects.count() == 1


def test_new_evidence_is_decided_anew_and_the_old_decision_stays(priced, collector, settle, now):
    lot = priced(collector)

    lots.answer_chemistry(lot, actor=collector, chemistry=Chemistry.objects.get(pk="PBA"), now=now)
    settle()

    assert queries.latest_classification(lot).goods == "LEAD_ACID"
    assert lot.classifications.filter(mode="ROAD").count() == 2


def test_without_a_rule_nothing_moves(submitted, collector, now):
    lot = submitted(collector)
    DangerousGoodsRule.objects.filter(mode="ROAD").delete()

    road = services.classify(lot, now=now)

    assert road.verdict == "FORBIDDEN"
    assert "No rule" in road.refusal


def test_an_unanswered_lot_is_not_classified(collector, now):
    lot = lots.start_lot(actor=collector, request_id=uuid4(), now=now)

    with pytest.raises(services.NotClassifiable):
        services.classify(lot, now=now)

    assert not Classification.objects.exists()


def test_a_lot_in_quarantine_may_travel_only_with_an_approval(draft, collector, settle):
    lot = draft(collector, answers=SAFE | {"hot": True})
    settle()

    road = queries.latest_classification(lot)

    assert (road.condition, road.verdict) == ("CRITICAL", "APPROVAL")


def test_a_lot_that_turns_dangerous_is_classified_anew(priced, collector, settle, now):
    lot = priced(collector)

    lots.answer_triage(lot, actor=collector, answers=SAFE | {"hot": True}, now=now)
    settle()

    assert queries.latest_classification(lot).condition == "CRITICAL"


def test_who_sees_the_lot_sees_how_it_travels(priced, collector, recycler, now):
    lot = priced(collector)
    road = queries.latest_classification(lot)

    assert road in Classification.objects.visible_to(collector)
    assert road not in Classification.objects.visible_to(recycler)
    lots.mark_scheduled(lot, by=collector, now=now)
    assert road in Classification.objects.visible_to(recycler)


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("classification_mode_known", {"mode": "FOOT"}),
        ("classification_allows_or_refuses", {"refusal": "because"}),
        ("classification_allows_or_refuses", {"verdict": "FORBIDDEN"}),
        ("classification_allows_or_refuses", {"verdict": "PERHAPS"}),
    ],
)
def test_the_database_refuses_nonsense(priced, collector, name, nonsense):
    road = queries.latest_classification(priced(collector))

    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Classification.objects.filter(pk=road.pk).update(**nonsense)


def test_the_database_keeps_one_decision_for_each_evidence(priced, collector):
    road = queries.latest_classification(priced(collector))
    road.pk = None

    with pytest.raises(IntegrityError, match="classified_once_per_evidence"), transaction.atomic():
        road.save(force_insert=True)


def test_two_sibling_lots_keep_their_own_papers(priced, collector):
    one = priced(collector, chemistry="LFP")
    other = priced(collector, chemistry="PBA", origin="STARTER")

    assert queries.latest_classification(one).un_number == "UN3480"
    assert queries.latest_classification(other).un_number == "UN2794"
    assert Lot.objects.count() == 2
