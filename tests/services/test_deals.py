from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.db.models import F

from marketplace.accounts.models import Licence, LicenceDraw
from marketplace.core.errors import Refused
from marketplace.deals import services as deals
from marketplace.deals.models import Deal, Dispute, Weighing
from marketplace.freight.models import QuoteRound
from marketplace.journal.models import Entry, Job
from marketplace.journal.services import drain
from marketplace.ledger import services as ledger
from marketplace.ledger.models import Movement
from marketplace.ledger.queries import house_balance
from marketplace.logistics.models import Shipment, TransportDocument
from marketplace.logistics.queries import chain_of
from marketplace.logistics.rules import is_whole
from marketplace.lots.models import Lot
from marketplace.market.models import Deposit
from tests.cast_deals import *  # noqa: F403
from tests.cast_deals import MASS, PRICE, choose_best, money, pass_on
from tests.conftest import NOW

pytestmark = pytest.mark.django_db


def test_the_whole_straight_line_from_the_award_to_the_money(
    sold, collector, recycler, carrier, rate_card, clock
):
    rate_card()
    award = sold()
    before = money(recycler)

    drain(clock=clock)
    deal = Deal.objects.get(award=award)
    assert deal.status == "CONTRACT_PENDING"
    assert Lot.objects.get(pk=deal.lot_id).status == "UNDER_DEAL"
    assert LicenceDraw.objects.get(purpose=f"deal:{deal.pk}").mass_kg == MASS

    deals.sign(deal, actor=collector, now=clock())
    deal = deals.sign(deal, actor=recycler, now=clock())
    assert deal.status == "FUNDS_PENDING"
    deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())
    assert money(recycler, "HELD") == PRICE
    drain(clock=clock)

    choose_best(deal, recycler, clock)
    drain(clock=clock)
    deal.refresh_from_db()
    assert (deal.status, deal.carrier_id) == ("CARRIER_BOOKED", carrier.organisation_id)
    assert TransportDocument.objects.filter(shipment__deal=deal).count() == 6

    pass_on(deal, collector, carrier, clock, mass_kg=Decimal("112.0"))
    deal.refresh_from_db()
    assert (deal.status, deal.lot.status) == ("PICKED_UP", "COLLECTED")
    pass_on(deal, carrier, recycler, clock, mass_kg=Decimal("112.4"))
    deal.refresh_from_db()
    assert deal.status == "INSPECTION"

    deals.accept(deal, actor=recycler, now=clock())
    drain(clock=clock)
    deal.refresh_from_db()
    assert (deal.status, deal.accepted_kg, deal.final_price) == (
        "SETTLED",
        Decimal("112.4"),
        PRICE,
    )
    fee = PRICE * Decimal("0.02")
    assert money(collector) == PRICE - fee
    assert money(recycler) == before + Deposit.objects.get().amount - PRICE
    assert money(recycler, "HELD") == 0
    assert house_balance("FEES", "IDR") == fee
    assert Lot.objects.get(pk=deal.lot_id).status == "ACCEPTED"
    shipment = Shipment.objects.get(deal=deal)
    assert shipment.status == "CLOSED"
    assert is_whole(chain_of(shipment))
    assert not Job.objects.exclude(state="DONE").exists()


# --- contract ---------------------------------------------------------------------------------------


def test_an_award_opens_one_deal_however_often_it_is_heard_of(sold, clock):
    award = sold()

    first = deals.open_deal(award.pk, now=clock())
    again = deals.open_deal(award.pk, now=clock())
    drain(clock=clock)

    assert first == again
    assert Deal.objects.count() == 1
    assert LicenceDraw.objects.filter(released_at=None).count() == 1


def test_a_winner_whose_licence_lapsed_makes_room_for_the_next(sold, recycler, rival, clock):
    award = sold(buyers=[recycler, rival])
    Licence.objects.filter(organisation_id=recycler.organisation_id).update(status="EXPIRED")

    drain(clock=clock)

    deal = Deal.objects.get()
    assert deal.buyer_id == rival.organisation_id
    award.refresh_from_db()
    assert award.status == "DEFAULTED"
    assert not LicenceDraw.objects.filter(licence_year__licence__organisation=award.bidder).exists()


def test_a_winner_without_kilograms_left_makes_room_for_the_next(sold, recycler, rival, clock):
    award = sold(buyers=[recycler, rival])
    Licence.objects.filter(organisation_id=recycler.organisation_id).update(
        annual_mass_kg=Decimal(1)
    )

    assert deals.open_deal(award.pk, now=clock()) is None

    drain(clock=clock)
    assert Deal.objects.get().buyer_id == rival.organisation_id


def test_the_next_in_line_who_lost_the_licence_meanwhile_is_passed_over(
    sold, collector, recycler, rival, clock
):
    award = sold(buyers=[recycler, rival])
    drain(clock=clock)
    deal = Deal.objects.get()
    for side in (collector, recycler):
        deals.sign(deal, actor=side, now=clock())
    Licence.objects.filter(organisation_id=rival.organisation_id).update(status="EXPIRED")

    clock.forward(days=30)
    deals.expire_overdue(now=clock())
    drain(clock=clock)

    lot = Lot.objects.get(pk=award.auction.lot_id)
    assert (lot.status, award.auction.awards.filter(status="WON").count()) == ("UNSOLD", 0)
    assert not Job.objects.exclude(state="DONE").exists()
    assert not LicenceDraw.objects.filter(released_at=None).exists()


def test_each_side_signs_once_and_only_its_own_deal(deal, collector, recycler, rival, clock):
    deals.sign(deal, actor=collector, now=clock(), seen_sha256=deal.terms_sha256)
    first = deals.sign(deal, actor=collector, now=clock.forward(minutes=5))
    assert first.seller_signed_at < clock()
    assert first.status == "CONTRACT_PENDING"
    with pytest.raises(PermissionDenied):
        deals.sign(deal, actor=rival, now=clock())

    both = deals.sign(deal, actor=recycler, now=clock())

    assert both.status == "FUNDS_PENDING"
    assert both.pay_by == clock() + timedelta(hours=72)
    assert Entry.objects.filter(name="deals.DealSigned").count() == 1


def test_a_contract_that_is_not_the_one_that_was_read_is_not_signed(deal, collector, clock):
    with pytest.raises(deals.ContractChanged):
        deals.sign(deal, actor=collector, now=clock(), seen_sha256="0" * 64)
    Deal.objects.filter(pk=deal.pk).update(terms=deal.terms | {"price": "1"})
    with pytest.raises(deals.ContractChanged):
        deals.sign(deal, actor=collector, now=clock(), seen_sha256=deal.terms_sha256)

    deal.refresh_from_db()
    assert deal.seller_signed_at is None


def test_nobody_signs_or_pays_after_the_time(deal, collector, recycler, clock, bring):
    with pytest.raises(deals.SignRefused):
        deals.sign(deal, actor=collector, now=deal.sign_by)
    bring(deal, "FUNDS_PENDING")

    with pytest.raises(deals.FundRefused):
        deals.fund(deal, actor=recycler, request_id=uuid4(), now=deal.pay_by)

    assert money(recycler, "HELD") == Deposit.objects.get().amount


def test_money_is_held_once_and_only_after_both_have_signed(
    deal, collector, recycler, clock, bring
):
    with pytest.raises(deals.FundRefused):
        deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())
    bring(deal, "FUNDS_PENDING")
    with pytest.raises(PermissionDenied):
        deals.fund(deal, actor=collector, request_id=uuid4(), now=clock())
    with_deposit = money(recycler) + Deposit.objects.get().amount

    deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())
    deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())

    assert money(recycler) == with_deposit - PRICE
    assert money(recycler, "HELD") == PRICE
    assert Movement.objects.filter(purpose=f"deal:{deal.pk}").count() == 1
    assert Deposit.objects.get().status == "RELEASED"


def test_who_has_too_little_holds_nothing_and_keeps_the_deposit_held(deal, recycler, clock, bring):
    bring(deal, "FUNDS_PENDING")
    ledger.pay_out(
        actor=recycler, amount=money(recycler), currency="IDR", request_id=uuid4(), now=clock()
    )

    with pytest.raises(ledger.NotEnoughMoney):
        deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())

    deal.refresh_from_db()
    assert deal.status == "FUNDS_PENDING"
    assert Deposit.objects.get().status == "HELD"
    assert money(recycler, "HELD") == Deposit.objects.get().amount


def test_a_suspended_licence_pays_for_nothing_but_an_expired_one_does(deal, recycler, clock, bring):
    bring(deal, "FUNDS_PENDING")
    licence = Licence.objects.filter(pk=deal.licence_id)
    licence.update(status="SUSPENDED", reason="asked")
    with pytest.raises(deals.FundRefused):
        deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())

    licence.update(status="EXPIRED", reason="")
    funded = deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())

    assert funded.status == "FUNDED"


def test_a_licence_that_lapses_on_the_way_strands_nothing(
    deal, bring, recycler, collector, carrier, clock
):
    bring(deal, "CARRIER_BOOKED")
    yesterday = (clock() - timedelta(days=1)).date()
    Licence.objects.all().update(status="EXPIRED", valid_until=yesterday)

    bring(deal, "INSPECTION")
    deals.accept(deal, actor=recycler, now=clock())

    deal.refresh_from_db()
    assert deal.status == "SETTLED"
    assert money(collector) > 0


# --- calling it off, and defaults ---------------------------------------------------------------------


def test_a_deal_is_called_off_only_by_both(deal, bring, collector, recycler, rival, clock):
    bring(deal, "FUNDED")
    before = money(recycler)
    with pytest.raises(PermissionDenied):
        deals.cancel(deal, actor=rival, reason="no", now=clock())
    with pytest.raises(deals.CancelRefused):
        deals.cancel(deal, actor=collector, reason=" ", now=clock())

    deals.cancel(deal, actor=collector, reason="Flood at our yard", now=clock())
    deals.cancel(deal, actor=collector, reason="again", now=clock())
    deal.refresh_from_db()
    assert deal.status == "FUNDED"

    deals.cancel(deal, actor=recycler, reason="", now=clock())
    drain(clock=clock)

    deal.refresh_from_db()
    assert (deal.status, deal.reason) == ("CANCELLED", "Flood at our yard")
    assert money(recycler) == before + PRICE
    assert not LicenceDraw.objects.filter(released_at=None).exists()
    assert Lot.objects.get(pk=deal.lot_id).status == "UNSOLD"
    assert Shipment.objects.get(deal=deal).status == "CANCELLED"
    assert QuoteRound.objects.get().status == "EXPIRED"
    assert deals.cancel(deal, actor=recycler, reason="", now=clock()).status == "CANCELLED"


def test_what_is_on_the_road_cannot_be_called_off(deal, bring, collector, clock):
    bring(deal, "PICKED_UP")
    with pytest.raises(deals.CancelRefused):
        deals.cancel(deal, actor=collector, reason="late", now=clock())
    deal.refresh_from_db()
    assert deal.cancel_asked_by_id is None


def test_a_buyer_who_does_not_sign_loses_the_deposit_and_the_next_is_asked(
    sold, collector, recycler, rival, clock
):
    deal = deals.open_deal(sold(buyers=[recycler, rival]).pk, now=clock())
    deals.sign(deal, actor=collector, now=clock())
    deposit = Deposit.objects.get(bidder_id=recycler.organisation_id).amount

    clock.forward(hours=48)
    assert deals.expire_overdue(now=clock()) == 1
    assert deals.expire_overdue(now=clock()) == 0
    drain(clock=clock)

    deal.refresh_from_db()
    assert deal.status == "BUYER_DEFAULT"
    assert money(collector) == deposit
    successor = Deal.objects.exclude(pk=deal.pk).get()
    assert successor.buyer_id == rival.organisation_id
    drawn = LicenceDraw.objects.filter(released_at=None)
    assert [row.purpose for row in drawn] == [f"deal:{successor.pk}"]


def test_a_buyer_who_does_not_pay_loses_the_deposit(deal, bring, collector, recycler, clock):
    bring(deal, "FUNDS_PENDING")
    deposit = Deposit.objects.get().amount
    clock.forward(hours=72)

    deals.expire_overdue(now=clock())
    drain(clock=clock)

    deal.refresh_from_db()
    assert deal.status == "BUYER_DEFAULT"
    assert money(collector) == deposit
    assert Lot.objects.get(pk=deal.lot_id).status == "UNSOLD"
    with pytest.raises(deals.FundRefused):
        deals.fund(deal, actor=recycler, request_id=uuid4(), now=clock())


def test_a_seller_who_does_not_sign_gets_nothing(deal, collector, recycler, clock):
    deals.sign(deal, actor=recycler, now=clock())
    before = money(recycler) + money(recycler, "HELD")
    clock.forward(hours=48)

    deals.expire_overdue(now=clock())
    drain(clock=clock)

    deal.refresh_from_db()
    assert deal.status == "SELLER_DEFAULT"
    assert money(collector) == 0
    assert money(recycler) == before


def test_if_neither_signs_neither_loses(deal, collector, recycler, clock):
    before = money(recycler) + money(recycler, "HELD")
    clock.forward(hours=48)

    deals.expire_overdue(now=clock())
    drain(clock=clock)

    deal.refresh_from_db()
    assert deal.status == "CANCELLED"
    assert (money(collector), money(recycler)) == (0, before)


# --- scales -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gross", "tare", "field"),
    [
        ("0", "0", "gross_kg"),
        ("-5", "0", "gross_kg"),
        ("NaN", "0", "gross_kg"),
        ("100001", "0", "gross_kg"),
        ("100", "-1", "tare_kg"),
        ("100", "100", "tare_kg"),
        ("100", "100.0001", "tare_kg"),
        ("100", "Infinity", "tare_kg"),
    ],
)
def test_a_scale_that_makes_no_sense_is_not_written_down(
    deal, bring, recycler, clock, gross, tare, field
):
    bring(deal, "PICKED_UP")
    with pytest.raises(deals.WeighingRefused) as refusal:
        weigh(deal, recycler, "DELIVERY", gross, tare, now=clock())
    assert refusal.value.field == field
    assert deal.weighings.filter(stage="DELIVERY").count() == 0


def test_the_same_weighing_counts_once_and_another_is_refused(deal, bring, recycler, clock):
    bring(deal, "PICKED_UP")
    request_id = uuid4()

    first = weigh(deal, recycler, "DELIVERY", "1984", "1871.6", now=clock(), request_id=request_id)
    again = weigh(deal, recycler, "DELIVERY", "1984", "1871.6", now=clock(), request_id=request_id)

    assert first == again
    assert first.net_kg == Decimal("112.4")
    with pytest.raises(deals.WeighingRefused):
        weigh(deal, recycler, "DELIVERY", "50", "0", now=clock())
    assert deal.weighings.filter(stage="DELIVERY").count() == 1


def test_everybody_weighs_only_at_their_own_end_and_time(
    deal, bring, collector, recycler, carrier, rival, clock
):
    with pytest.raises(deals.WeighingRefused):
        weigh(deal, collector, "PICKUP", "112", "0", now=clock())
    bring(deal, "CARRIER_BOOKED")
    for actor, stage in [
        (recycler, "PICKUP"),
        (carrier, "DELIVERY"),
        (rival, "DELIVERY"),
        (collector, "DELIVERY"),
        (carrier, "THIRD"),
    ]:
        with pytest.raises(PermissionDenied):
            weigh(deal, actor, stage, "112", "0", now=clock())
    with pytest.raises(deals.WeighingRefused):
        weigh(deal, recycler, "DELIVERY", "112", "0", now=clock())
    with pytest.raises(deals.WeighingRefused):
        weigh(deal, recycler, "THIRD", "112", "0", now=clock())
    assert not deal.weighings.exists()


def test_a_photo_of_a_scale_is_written_anew(deal, bring, recycler, clock, photo):
    bring(deal, "PICKED_UP")
    row = weigh(deal, recycler, "DELIVERY", "112", "0", now=clock(), photo=photo())
    assert row.photo.name.endswith(".jpg")
    with row.photo.open() as kept:
        assert kept.read(2) == b"\xff\xd8"


def test_a_polyglot_photo_is_refused_and_nothing_weighed(deal, bring, recycler, clock):
    bring(deal, "PICKED_UP")
    with pytest.raises(Refused):
        weigh(
            deal,
            recycler,
            "DELIVERY",
            "112",
            "0",
            now=clock(),
            photo=SimpleUploadedFile("scale.jpg", b"GIF89a<script>"),
        )
    assert not deal.weighings.filter(stage="DELIVERY").exists()


# --- what the buyer says ------------------------------------------------------------------------------


def test_before_it_is_weighed_nothing_is_accepted(deal, bring, recycler, carrier, clock):
    bring(deal, "PICKED_UP")
    for act in (deals.accept, deals.propose_adjustment):
        with pytest.raises(deals.InspectionRefused):
            act(deal, actor=recycler, now=clock())
    pass_on(deal, carrier, recycler, clock)
    with pytest.raises(deals.InspectionRefused):
        deals.accept(deal, actor=recycler, now=clock())
    assert money(recycler, "HELD") == PRICE


def test_accepting_twice_pays_once(deal, bring, collector, recycler, clock):
    bring(deal, "INSPECTION")
    deals.accept(deal, actor=recycler, now=clock())
    paid = money(collector)

    deals.accept(deal, actor=recycler, now=clock())
    deals.settle(deal, now=clock())

    assert money(collector) == paid == PRICE * Decimal("0.98")
    assert Entry.objects.filter(name="deals.DealSettled").count() == 1


def test_only_the_buyer_accepts(deal, bring, collector, rival, carrier, clock):
    bring(deal, "INSPECTION")
    for actor in (collector, rival, carrier):
        with pytest.raises(PermissionDenied):
            deals.accept(deal, actor=actor, now=clock())
    assert money(collector) == 0


def test_outside_the_tolerance_the_price_follows_the_weight_if_the_seller_agrees(
    deal, bring, collector, recycler, clock
):
    bring(deal, "INSPECTION", delivered_kg=Decimal(95))
    before = money(recycler)
    with pytest.raises(deals.OutsideTolerance):
        deals.accept(deal, actor=recycler, now=clock())
    due = (PRICE * 95 / 112).quantize(Decimal("0.01"))

    deals.propose_adjustment(deal, actor=recycler, now=clock())
    deals.propose_adjustment(deal, actor=recycler, now=clock())
    with pytest.raises(PermissionDenied):
        deals.agree_adjustment(deal, actor=recycler, now=clock())
    deals.agree_adjustment(deal, actor=collector, now=clock())
    deals.agree_adjustment(deal, actor=collector, now=clock())

    deal.refresh_from_db()
    assert (deal.status, deal.accepted_kg, deal.final_price) == ("SETTLED", Decimal(95), due)
    assert money(recycler) == before + PRICE - due
    assert money(collector) == due - (due * Decimal("0.02")).quantize(Decimal("0.01"))
    assert LicenceDraw.objects.get(released_at=None).mass_kg == 95


def test_inside_the_tolerance_nothing_is_corrected(deal, bring, recycler, clock):
    bring(deal, "INSPECTION", delivered_kg=Decimal(109))
    with pytest.raises(deals.InspectionRefused):
        deals.propose_adjustment(deal, actor=recycler, now=clock())
    deal.refresh_from_db()
    assert deal.status == "INSPECTION"


def test_more_than_was_declared_costs_no_more_than_is_held(deal, bring, collector, recycler, clock):
    bring(deal, "INSPECTION", delivered_kg=Decimal(150))
    deals.propose_adjustment(deal, actor=recycler, now=clock())
    deals.agree_adjustment(deal, actor=collector, now=clock())
    deal.refresh_from_db()
    assert (deal.final_price, deal.accepted_kg) == (PRICE, 150)
    assert LicenceDraw.objects.get(released_at=None).mass_kg == 150


def test_a_part_is_kept_and_paid_and_the_rest_goes_back(deal, bring, collector, recycler, clock):
    bring(deal, "INSPECTION")
    before = money(recycler)
    for wrong in ("0", "-1", "112", "NaN"):
        with pytest.raises(deals.InspectionRefused):
            deals.part_accept(
                deal, actor=recycler, accepted_kg=Decimal(wrong), reason="DAMAGED", now=clock()
            )
    with pytest.raises(deals.InspectionRefused) as refusal:
        deals.part_accept(deal, actor=recycler, accepted_kg=Decimal(56), reason="MOOD", now=clock())
    assert refusal.value.field == "reason"
    assert money(collector) == 0

    deals.part_accept(deal, actor=recycler, accepted_kg=Decimal(56), reason="DAMAGED", now=clock())

    deal.refresh_from_db()
    assert (deal.status, deal.accepted_kg, deal.final_price) == ("SETTLED", 56, PRICE / 2)
    assert money(recycler) == before + PRICE / 2
    assert deal.lot.status == "PART_ACCEPTED"
    assert LicenceDraw.objects.get(released_at=None).mass_kg == 56


def test_rejected_goods_go_back_before_the_money_does(deal, bring, collector, recycler, clock):
    bring(deal, "INSPECTION")
    before = money(recycler)
    with pytest.raises(deals.InspectionRefused):
        deals.confirm_return(deal, actor=collector, now=clock())

    deals.reject(deal, actor=recycler, reason="WRONG_CHEMISTRY", note="All LFP", now=clock())
    deals.reject(deal, actor=recycler, reason="WRONG_CHEMISTRY", now=clock())
    assert money(recycler, "HELD") == PRICE
    with pytest.raises(PermissionDenied):
        deals.confirm_return(deal, actor=recycler, now=clock())
    deals.confirm_return(deal, actor=collector, now=clock())
    deals.confirm_return(deal, actor=collector, now=clock())

    deal.refresh_from_db()
    assert (deal.status, deal.lot.status, deal.reason) == ("RETURNED", "RETURNED", "All LFP")
    assert money(recycler) == before + PRICE
    assert not LicenceDraw.objects.filter(released_at=None).exists()
    drain(clock=clock)
    assert Shipment.objects.get(deal=deal).status == "CLOSED"


def test_silence_of_the_buyer_accepts_what_the_scale_said(deal, bring, collector, clock):
    bring(deal, "INSPECTION")
    clock.forward(hours=71)
    assert deals.expire_overdue(now=clock()) == 0
    clock.forward(hours=1)
    assert deals.expire_overdue(now=clock()) == 1
    deal.refresh_from_db()
    assert (deal.status, deal.final_price) == ("SETTLED", PRICE)


def test_silence_about_goods_that_nobody_weighed_goes_by_the_pick_up(
    deal, bring, carrier, recycler, clock
):
    bring(deal, "PICKED_UP", picked_kg=Decimal(111))
    pass_on(deal, carrier, recycler, clock)
    clock.forward(hours=72)
    deals.expire_overdue(now=clock())
    deal.refresh_from_db()
    assert (deal.status, deal.accepted_kg, deal.final_price) == ("SETTLED", 111, PRICE)


def test_silence_of_both_ends_with_the_corrected_price(deal, bring, clock):
    bring(deal, "INSPECTION", delivered_kg=Decimal(56))
    clock.forward(hours=72)
    deals.expire_overdue(now=clock())
    deal.refresh_from_db()
    assert (deal.status, deal.proposed_price) == ("ADJUSTED", PRICE / 2)
    clock.forward(hours=24)
    deals.expire_overdue(now=clock())
    deal.refresh_from_db()
    assert (deal.status, deal.final_price) == ("SETTLED", PRICE / 2)


def test_a_seller_who_never_confirms_the_return_does_not_keep_the_money(
    deal, bring, recycler, clock
):
    bring(deal, "INSPECTION")
    deals.reject(deal, actor=recycler, reason="WET_OR_DIRTY", now=clock())
    clock.forward(days=14)
    deals.expire_overdue(now=clock())
    deal.refresh_from_db()
    assert deal.status == "RETURNED"
    assert money(recycler, "HELD") == 0


# --- disputes -----------------------------------------------------------------------------------------


@pytest.fixture
def disputed(deal, bring, collector, recycler, clock):
    """The buyer's scale says 84 kg, the driver's said 112: a quarter of the price is in dispute."""
    bring(deal, "INSPECTION", delivered_kg=Decimal(84))
    deals.propose_adjustment(deal, actor=recycler, now=clock())
    return deals.open_dispute(
        deal, actor=collector, about="WEIGHT", statement="My scale says 112.", now=clock()
    )


def test_what_nobody_contests_is_paid_at_once_and_only_the_rest_stays_frozen(
    disputed, collector, recycler
):
    assert disputed.status == "PROPOSED"
    assert disputed.undisputed_price == PRICE * 3 / 4
    assert money(collector) == PRICE * 3 / 4 * Decimal("0.98")
    assert money(recycler, "HELD") == PRICE / 4
    assert disputed.proposed_kg == 98


def test_a_dispute_ends_when_both_agree_and_the_fee_is_that_of_the_whole(
    disputed, collector, recycler, clock
):
    deals.agree_dispute(disputed, actor=collector, now=clock())
    deals.agree_dispute(disputed, actor=collector, now=clock())
    assert Dispute.objects.get().status == "PROPOSED"

    deals.agree_dispute(disputed, actor=recycler, now=clock())
    deals.agree_dispute(disputed, actor=recycler, now=clock())

    deal = Deal.objects.get()
    due = PRICE * 98 / 112
    assert (deal.status, deal.accepted_kg, deal.final_price) == ("SETTLED", 98, due)
    assert money(collector) == due * Decimal("0.98")
    assert house_balance("FEES", "IDR") == due * Decimal("0.02")
    assert money(recycler, "HELD") == 0


def test_while_a_dispute_is_open_nothing_else_decides(disputed, collector, recycler, clock):
    deal = disputed.deal
    for act in (deals.accept, deals.propose_adjustment):
        if act is deals.propose_adjustment:
            continue
        with pytest.raises(deals.InspectionRefused):
            act(deal, actor=recycler, now=clock())
    with pytest.raises(deals.InspectionRefused):
        deals.agree_adjustment(deal, actor=collector, now=clock())
    with pytest.raises(deals.InspectionRefused):
        deals.reject(deal, actor=recycler, reason="DAMAGED", now=clock())
    clock.forward(days=30)
    assert deals.expire_overdue(now=clock()) == 0
    again = deals.open_dispute(
        deal, actor=recycler, about="DAMAGE", statement="And wet.", now=clock()
    )
    assert again == disputed


def test_a_third_scale_changes_the_proposal_and_both_look_again(
    disputed, collector, recycler, clock
):
    deals.agree_dispute(disputed, actor=collector, now=clock())

    weigh(disputed.deal, recycler, "THIRD", "112", "0", now=clock())

    disputed.refresh_from_db()
    assert (disputed.proposed_kg, disputed.proposed_price) == (112, PRICE)
    assert not disputed.agreed_by_seller


def test_a_verifier_of_neither_side_decides_by_parts(
    disputed, collector, recycler, verifier, member, clock
):
    with pytest.raises(deals.DisputeRefused):
        verdict(disputed, verifier, now=clock())
    deals.escalate(disputed, actor=recycler, now=clock())
    deals.escalate(disputed, actor=recycler, now=clock())
    insider = member("VERIFIER", "Cousin", of=collector.organisation_id)
    for actor in (insider, collector, recycler):
        with pytest.raises(PermissionDenied):
            verdict(disputed, actor, now=clock())
    for wrong, field in [
        ({"accepted_kg": Decimal(113)}, "accepted_kg"),
        ({"accepted_kg": Decimal(-1)}, "accepted_kg"),
        ({"price": PRICE + 1}, "price"),
        ({"price": PRICE / 2}, "price"),
        ({"price": PRICE - Decimal("0.001")}, "price"),
        ({"decision": " "}, "decision"),
    ]:
        with pytest.raises(deals.DisputeRefused) as refusal:
            verdict(disputed, verifier, now=clock(), **wrong)
        assert refusal.value.field == field
    assert money(recycler, "HELD") == PRICE / 4

    verdict(disputed, verifier, now=clock())

    deal = Deal.objects.get()
    assert (deal.status, deal.accepted_kg, deal.final_price) == ("SETTLED", 100, PRICE * 9 / 10)
    assert money(collector) == PRICE * 9 / 10 * Decimal("0.98")
    assert money(recycler, "HELD") == 0


def test_a_verifier_may_send_everything_back(deal, bring, collector, recycler, verifier, clock):
    bring(deal, "INSPECTION")
    before = money(recycler)
    dispute = deals.open_dispute(
        deal, actor=recycler, about="CHEMISTRY", statement="Lead.", now=clock()
    )
    assert (dispute.status, dispute.undisputed_price) == ("ESCALATED", 0)

    verdict(dispute, verifier, now=clock(), accepted_kg=Decimal(0), price=Decimal(0))

    deal.refresh_from_db()
    assert (deal.status, deal.lot.status, deal.reason_code) == (
        "RETURNED",
        "RETURNED",
        "WRONG_CHEMISTRY",
    )
    assert money(recycler) == before + PRICE
    assert money(collector) == 0


def test_a_seller_may_contest_a_rejection(deal, bring, collector, recycler, verifier, clock):
    bring(deal, "INSPECTION")
    deals.reject(deal, actor=recycler, reason="DAMAGED", now=clock())
    dispute = deals.open_dispute(
        deal, actor=collector, about="DAMAGE", statement="They dropped it.", now=clock()
    )
    assert dispute.status == "ESCALATED"
    with pytest.raises(deals.DisputeRefused):
        verdict(dispute, verifier, now=clock(), accepted_kg=Decimal(10), price=PRICE)

    verdict(dispute, verifier, now=clock(), accepted_kg=Decimal(0), price=PRICE / 4)

    deal.refresh_from_db()
    assert (deal.status, deal.paid_out) == ("RETURNED", PRICE / 4)
    assert money(collector) == PRICE / 4 * Decimal("0.98")


def test_damage_is_proposed_at_the_price_cut_of_the_contract(deal, bring, recycler, clock):
    bring(deal, "INSPECTION")
    dispute = deals.open_dispute(
        deal, actor=recycler, about="DAMAGE", statement="Dented.", now=clock()
    )
    assert (dispute.proposed_price, dispute.proposed_kg) == (PRICE * 3 / 4, MASS)


def test_scales_that_agree_are_no_reason_for_a_dispute(
    deal, bring, collector, recycler, rival, clock
):
    said = {"about": "WEIGHT", "statement": "less", "now": clock()}
    with pytest.raises(deals.DisputeRefused):
        deals.open_dispute(deal, actor=recycler, **said)
    bring(deal, "INSPECTION")
    with pytest.raises(deals.DisputeRefused):
        deals.open_dispute(deal, actor=recycler, **said)
    with pytest.raises(deals.DisputeRefused):
        deals.open_dispute(deal, actor=recycler, **said | {"about": "MOOD"})
    with pytest.raises(deals.DisputeRefused):
        deals.open_dispute(deal, actor=recycler, **said | {"about": "DAMAGE", "statement": " "})
    with pytest.raises(PermissionDenied):
        deals.open_dispute(deal, actor=rival, **said)
    assert not Dispute.objects.exists()


# --- the database is the last judge ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"buyer_id": F("seller_id")}, "deal_has_two_parties"),
        ({"price": 0}, "deal_numbers_make_sense"),
        ({"tolerance_share": 1}, "deal_numbers_make_sense"),
        ({"seller_signed_at": NOW}, "deal_seller_signature_is_whole"),
        ({"buyer_signed_at": NOW}, "deal_buyer_signature_is_whole"),
        ({"status": "FUNDED"}, "deal_is_signed_before_money"),
        ({"accepted_kg": 0}, "deal_accepts_something_or_nothing"),
        ({"proposed_kg": 1}, "deal_proposal_is_whole"),
        ({"proposed_kg": 1, "proposed_price": PRICE + 1}, "deal_proposal_is_whole"),
        ({"paid_out": PRICE + 1}, "deal_pays_out_what_is_held"),
        ({"paid_out": 5, "final_price": 4}, "deal_final_price_is_within_the_price"),
        ({"reason_code": "MOOD"}, "deal_reason_known"),
    ],
)
def test_a_deal_that_makes_no_sense_is_refused_by_the_database(deal, changes, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Deal.objects.filter(pk=deal.pk).update(**changes)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"status": "LOST"}, "deal_status_known"),
        ({"status": "ADJUSTED"}, "deal_adjusted_has_a_proposal"),
        ({"status": "REJECTED"}, "deal_refusal_has_a_reason"),
        ({"status": "SETTLED"}, "deal_settled_is_whole"),
    ],
)
def test_a_state_without_its_facts_is_refused_by_the_database(deal, bring, changes, constraint):
    bring(deal, "INSPECTION")
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Deal.objects.filter(pk=deal.pk).update(**changes)


def test_weighings_add_up_are_kept_and_are_one_a_stage(deal, bring, carrier, now):
    bring(deal, "PICKED_UP")
    row = deal.weighings.get()
    fields = {
        "deal": deal,
        "stage": "THIRD",
        "gross_kg": 10,
        "tare_kg": 2,
        "net_kg": 8,
        "weighed_for_id": row.weighed_for_id,
        "weighed_by_id": row.weighed_by_id,
        "weighed_at": now,
    }
    for changes, constraint in [
        ({"net_kg": 9}, "weighing_adds_up"),
        ({"stage": "MOON"}, "weighing_stage_known"),
        ({"stage": "PICKUP"}, "weighed_once_a_stage"),
        ({"request_id": row.request_id}, "weighing_request_counts_once"),
    ]:
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Weighing.objects.create(**fields | {"request_id": uuid4()} | changes)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Weighing.objects.filter(pk=row.pk).update(weighed_at=now + timedelta(days=1))
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Weighing.objects.filter(pk=row.pk).delete()


def test_disputes_that_make_no_sense_are_refused_by_the_database(disputed, now):
    for changes, constraint in [
        ({"status": "LOST"}, "dispute_status_known|dispute_is_dated"),
        ({"about": "MOOD"}, "dispute_about_known"),
        ({"ended_at": now}, "dispute_is_dated_once_ended"),
        ({"status": "DECIDED", "ended_at": now}, "dispute_decision_has_a_reason"),
        ({"proposed_kg": None}, "dispute_proposal_is_whole"),
    ]:
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Dispute.objects.filter(pk=disputed.pk).update(**changes)
    with pytest.raises(IntegrityError, match="one_open_dispute"), transaction.atomic():
        Dispute.objects.create(
            deal=disputed.deal,
            about="DAMAGE",
            opened_by=disputed.opened_by,
            statement="again",
            undisputed_price=0,
            opened_at=now,
        )


def test_every_state_can_be_left_or_is_an_end():
    ends = {"CERTIFIED", "RETURNED", "BUYER_DEFAULT", "SELLER_DEFAULT", "CANCELLED"}
    reachable, todo = set(), ["CONTRACT_PENDING"]
    while todo:
        at = todo.pop()
        if at not in reachable:
            reachable.add(at)
            todo += Deal.NEXT[Deal.Status(at)]
    assert reachable == set(Deal.Status.values)
    assert {status for status in Deal.Status if not Deal.NEXT[status]} == ends


def weigh(deal, actor, stage, gross, tare, *, now, request_id=None, photo=None):
    return deals.weigh(
        deal,
        actor=actor,
        stage=stage,
        gross_kg=Decimal(gross),
        tare_kg=Decimal(tare),
        request_id=request_id or uuid4(),
        now=now,
        photo=photo,
    )


def verdict(dispute, actor, *, now, **other):
    said = {
        "accepted_kg": Decimal(100),
        "price": PRICE * 9 / 10,
        "decision": "Both photos show the same scale.",
    }
    return deals.decide_dispute(dispute, actor=actor, now=now, **said | other)
