from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from pypdf import PdfReader

from marketplace.accounts.models import Licence, Organisation
from marketplace.core.errors import Refused
from marketplace.deals import services as deals
from marketplace.deals.models import Weighing
from marketplace.freight.models import FreightQuote, QuoteRound
from marketplace.journal.models import Entry, Job
from marketplace.journal.services import drain
from marketplace.logistics import services as logistics
from marketplace.logistics import tasks
from marketplace.logistics.models import Handover, HandoverCode, Shipment, TransportDocument
from marketplace.logistics.queries import chain_of
from marketplace.logistics.rules import is_whole
from tests.cast_deals import *  # noqa: F403
from tests.cast_deals import choose_best, pass_on

pytestmark = pytest.mark.django_db


@pytest.fixture
def booked(deal, bring):
    bring(deal, "CARRIER_BOOKED")
    return Shipment.objects.get(deal=deal)


def test_a_paid_deal_is_planned_once_and_carriers_are_asked(deal, bring, clock, recycler):
    bring(deal, "FUNDED")
    shipment = logistics.plan_shipment(deal.pk, now=clock())
    assert logistics.plan_shipment(deal.pk, now=clock()) == shipment == Shipment.objects.get()
    asked = QuoteRound.objects.get()
    assert asked.purpose == f"deal:{deal.pk}"
    assert asked.asked_by_id == recycler.organisation_id
    assert (asked.un_number, asked.chemistry_code) == ("UN3480", "NMC622")
    assert asked.mass_kg == deal.declared_kg
    assert asked.status == "OFFERED"


def test_goods_that_must_not_travel_are_planned_but_nobody_is_asked(
    deal, bring, recycler, clock, monkeypatch
):
    bring(deal, "FUNDS_PENDING")
    shown = {"verdict": "FORBIDDEN", "un_number": "", "refusal": "Leaking: forbidden."}
    deal.lot.classifications.update(**shown)
    classified = logistics.compliance.classify(deal.lot, now=clock())
    type(classified).objects.filter(pk=classified.pk).update(**shown)

    bring(deal, "FUNDED")

    shipment = Shipment.objects.get()
    assert not QuoteRound.objects.exists()
    with pytest.raises(logistics.TransportRefused, match="Leaking"):
        logistics.request_transport(shipment, actor=recycler, now=clock())


def test_without_a_known_place_nobody_is_asked_until_there_is_one(deal, bring, recycler, clock):
    Organisation.objects.filter(pk=recycler.organisation_id).update(latitude=None, longitude=None)
    bring(deal, "FUNDED")
    shipment = Shipment.objects.get()
    assert not QuoteRound.objects.exists()
    with pytest.raises(logistics.TransportRefused):
        logistics.request_transport(shipment, actor=recycler, now=clock())

    Licence.objects.filter(pk=deal.licence_id).update(
        site_latitude=Decimal("-6.30"), site_longitude=Decimal("107.30"), site_place="Karawang"
    )
    shipment = Shipment.objects.get()
    asked = logistics.request_transport(shipment, actor=recycler, now=clock())
    drain(clock=clock)

    assert asked.to_place == "Karawang"
    assert QuoteRound.objects.get().quotes.get().rank == 1


def test_nobody_may_carry_it_so_the_buyer_asks_again_later(
    deal, collector, recycler, rate_card, rival, clock
):
    for side in (collector, recycler):
        deals.sign(deal, actor=side, now=clock())
    deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())
    drain(clock=clock)
    shipment = Shipment.objects.get()
    assert QuoteRound.objects.get().status == "OFFERED"
    rate_card()
    with pytest.raises(PermissionDenied):
        logistics.request_transport(shipment, actor=rival, now=clock())

    logistics.request_transport(shipment, actor=recycler, now=clock())
    drain(clock=clock)

    assert FreightQuote.objects.get().status == "RECEIVED"


def test_a_chosen_carrier_is_booked_once_and_papers_are_printed_once(
    deal, bring, carrier, recycler, clock
):
    bring(deal, "FUNDED")
    quote = choose_best(deal, recycler, clock)
    logistics.book(quote.pk, now=clock())
    logistics.book(quote.pk, now=clock())
    drain(clock=clock)

    shipment = Shipment.objects.get()
    deal.refresh_from_db()
    assert (shipment.status, shipment.carrier_id) == ("BOOKED", carrier.organisation_id)
    assert deal.status == "CARRIER_BOOKED"
    assert Job.objects.filter(kind=logistics.RENDER).count() == 1
    assert TransportDocument.objects.count() == 6
    with pytest.raises(logistics.TransportRefused):
        logistics.request_transport(shipment, actor=recycler, now=clock())


def test_a_carrier_chosen_for_a_deal_that_was_called_off_does_not_drive(
    deal, bring, collector, recycler, clock
):
    bring(deal, "FUNDED")
    quote = choose_best(deal, recycler, clock)
    for side in (collector, recycler):
        deals.cancel(deal, actor=side, reason="flood", now=clock())
    drain(clock=clock)

    assert logistics.book(quote.pk, now=clock()) is None
    assert Shipment.objects.get().status == "CANCELLED"
    assert not Job.objects.exclude(state="DONE").exists()


def test_the_papers_say_what_they_must(booked, deal):
    papers = {(p.kind, p.language): p for p in booked.documents.all()}
    texts = {}
    for key, paper in papers.items():
        with paper.file.open() as file:
            reader = PdfReader(file)
            texts[key] = "\n".join(page.extract_text() for page in reader.pages)
    note = texts["CONSIGNMENT_NOTE", "en"]
    for said in ("UN3480", "P909", deal.seller.name, deal.buyer.name, "112 kg", "Fajar Carrier"):
        assert said in note
    assert "taped" in texts["PACKING_CHECKLIST", "en"]
    assert "112" in texts["DRIVER_CARD", "en"]
    assert len(texts) == 6


def test_a_job_that_prints_again_finds_it_done(booked, clock):
    before = set(TransportDocument.objects.values_list("pk", "file"))
    finish = tasks.render_documents({"shipment": booked.pk})
    with transaction.atomic():
        finish(clock())
    assert set(TransportDocument.objects.values_list("pk", "file")) == before


def test_names_cannot_become_code_on_paper(deal, bring, clock):
    Organisation.objects.filter(pk=deal.seller_id).update(name='#sys.inputs "; $x$ *b* \\ [c]')
    bring(deal, "CARRIER_BOOKED")
    note = TransportDocument.objects.get(kind="CONSIGNMENT_NOTE", language="en")
    with note.file.open() as file:
        assert '#sys.inputs "; $x$ *b*' in PdfReader(file).pages[0].extract_text()


# --- hand-overs ---------------------------------------------------------------------------------------


def test_only_who_gives_sees_the_code_and_only_its_hash_is_kept(
    booked, collector, carrier, recycler, rival, clock
):
    for actor in (carrier, recycler, rival):
        with pytest.raises(PermissionDenied):
            logistics.show_code(booked, actor=actor, now=clock())
    assert not HandoverCode.objects.exists()

    first = logistics.show_code(booked, actor=collector, now=clock())
    second = logistics.show_code(booked, actor=collector, now=clock())

    assert len(first) == len(second) == 6
    kept = HandoverCode.objects.get()
    assert second not in kept.code_sha256
    if first != second:
        with pytest.raises(logistics.CodeWrong):
            take(booked, carrier, first, now=clock())


def test_goods_change_hands_against_the_code_and_everything_moves_at_once(
    booked, deal, collector, carrier, recycler, clock
):
    code = logistics.show_code(booked, actor=collector, now=clock())
    with pytest.raises(PermissionDenied):
        take(booked, recycler, code, now=clock())
    request_id = uuid4()

    first = take(booked, carrier, code, now=clock(), request_id=request_id)
    again = take(booked, carrier, "000000", now=clock(), request_id=request_id)

    assert first == again
    booked.refresh_from_db()
    deal.refresh_from_db()
    assert (booked.status, deal.status, deal.lot.status) == ("IN_TRANSIT", "PICKED_UP", "COLLECTED")
    assert Weighing.objects.get().net_kg == 112
    pass_on(deal, carrier, recycler, clock, mass_kg=Decimal("111.5"))
    booked.refresh_from_db()
    deal.refresh_from_db()
    assert (booked.status, deal.status, deal.lot.status) == ("ARRIVED", "INSPECTION", "DELIVERED")
    assert is_whole(chain_of(booked))
    assert [h.mass_kg for h in booked.handovers.order_by("sequence")] == [
        Decimal("112.000"),
        Decimal("111.500"),
    ]
    assert Entry.objects.filter(name="logistics.GoodsHandedOver").count() == 2
    with pytest.raises(logistics.HandoverRefused):
        logistics.show_code(booked, actor=recycler, now=clock())


def test_a_wrong_code_is_counted_and_ten_are_enough(booked, collector, carrier, deal, clock):
    with pytest.raises(logistics.HandoverRefused):
        take(booked, carrier, "123456", now=clock())
    code = logistics.show_code(booked, actor=collector, now=clock())
    wrong = "000000" if code != "000000" else "111111"
    for left in range(9, -1, -1):
        with pytest.raises(logistics.CodeWrong, match=str(left)):
            take(booked, carrier, wrong, now=clock())

    with pytest.raises(logistics.HandoverRefused, match="new one"):
        take(booked, carrier, code, now=clock())

    assert HandoverCode.objects.get().tries == 10
    assert not Handover.objects.exists()
    deal.refresh_from_db()
    assert deal.status == "CARRIER_BOOKED"
    fresh = logistics.show_code(booked, actor=collector, now=clock())
    assert take(booked, carrier, fresh, now=clock()).sequence == 1


def test_goods_do_not_leave_unweighed(booked, deal, collector, carrier, clock):
    code = logistics.show_code(booked, actor=collector, now=clock())
    for mass_kg in (None, Decimal(0), Decimal("NaN")):
        with pytest.raises(Refused):
            take(booked, carrier, code, now=clock(), mass_kg=mass_kg)
    assert not Handover.objects.exists()
    assert not Weighing.objects.exists()
    assert HandoverCode.objects.get().used_at is None

    deals.weigh(
        deal,
        actor=collector,
        stage="PICKUP",
        gross_kg=Decimal(120),
        tare_kg=Decimal(7),
        request_id=uuid4(),
        now=clock(),
    )
    handover = take(booked, carrier, code, now=clock(), mass_kg=None)

    assert handover.mass_kg == 113


def test_a_carrier_may_finish_under_a_lapsed_licence_but_not_begin_without_any(
    booked, collector, carrier, clock
):
    licence = Licence.objects.filter(organisation_id=carrier.organisation_id)
    code = logistics.show_code(booked, actor=collector, now=clock())
    licence.update(status="SUSPENDED", reason="asked")
    with pytest.raises(Refused):
        take(booked, carrier, code, now=clock())
    assert not Handover.objects.exists()

    licence.update(status="EXPIRED", reason="", valid_until=(clock() - timedelta(days=1)).date())
    assert take(booked, carrier, code, now=clock()).sequence == 1


def test_a_hand_over_is_kept_for_ever(booked, deal, collector, carrier, clock):
    pass_on(deal, collector, carrier, clock, mass_kg=Decimal(112))
    for act in (
        lambda rows: rows.update(mass_kg=1),
        lambda rows: rows.delete(),
    ):
        with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
            act(Handover.objects.all())


def test_who_has_nothing_to_do_with_it_sees_nothing(
    booked, deal, collector, recycler, carrier, rival, rival_carrier, regulator, clock
):
    pass_on(deal, collector, carrier, clock, mass_kg=Decimal(112))
    for actor in (collector, recycler, carrier):
        assert Shipment.objects.visible_to(actor).get() == booked
        assert Handover.objects.visible_to(actor).count() == 1
        assert TransportDocument.objects.visible_to(actor).count() == 6
    for actor in (rival, rival_carrier, regulator):
        assert not Shipment.objects.visible_to(actor).exists()
        assert not Handover.objects.visible_to(actor).exists()
        assert not TransportDocument.objects.visible_to(actor).exists()


def test_what_makes_no_sense_is_refused_by_the_database(booked, deal, collector, carrier, clock):
    logistics.show_code(booked, actor=collector, now=clock())
    code = HandoverCode.objects.get()
    paper = booked.documents.first()
    for row, changes, constraint in [
        (booked, {"status": "LOST"}, "shipment_status_known"),
        (booked, {"quote": None}, "shipment_booked_has_a_carrier"),
        (code, {"tries": 11}, "handover_code_tries_are_bounded"),
        (paper, {"kind": "POEM"}, "transport_document_kind_known"),
    ]:
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            type(row).objects.filter(pk=row.pk).update(**changes)
    for row, constraint in [(code, "one_live_handover_code"), (paper, "rendered_once")]:
        row.pk = None
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            row.save(force_insert=True)
    pass_on(deal, collector, carrier, clock, mass_kg=Decimal(112))
    link = Handover.objects.get()
    for changes, constraint in [
        ({"mass_kg": 0}, "handover_moves_something"),
        ({"sequence": 2}, "handover_request_counts_once"),
        ({"request_id": uuid4()}, "handover_link_is_the_only_one"),
    ]:
        copy = Handover.objects.get(pk=link.pk)
        copy.pk = None
        for name, value in changes.items():
            setattr(copy, name, value)
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            copy.save(force_insert=True)


def take(shipment, actor, code, *, now, request_id=None, mass_kg=Decimal(112)):
    return logistics.hand_over(
        shipment,
        actor=actor,
        code=code,
        mass_kg=mass_kg,
        request_id=request_id or uuid4(),
        now=now,
    )
