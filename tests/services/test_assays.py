"""Deals by terms: from what laboratories found to the final price, exact and once."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction

from marketplace.core.errors import Refused
from marketplace.core.money import payable
from marketplace.deals import services as deals
from marketplace.deals.models import Assay, AssayResult, Deal, Reckoning
from marketplace.journal.models import Entry
from marketplace.journal.services import drain
from marketplace.ledger.models import Movement
from marketplace.notifications.models import Notice
from marketplace.pricing.rules import formulas
from tests.cast_assays import *  # noqa: F403
from tests.cast_assays import FORMULA, FOUND, HEAVY, quoted
from tests.cast_deals import *  # noqa: F403
from tests.cast_deals import money

pytestmark = pytest.mark.django_db


def by_hand(deal, *, ni, co, kg=HEAVY, quotes=None):
    """What the terms come to, computed once more: dry kg x share x 0.8 x quote x rate, less 5,000 a dry kg."""
    kept = deal.terms["by_terms"]
    dry_kg = (kg * Decimal(kept["dry_kg"]) / Decimal(kept["kg"])).quantize(Decimal("0.001"))
    rate = Decimal(kept["per_usd"])
    used = {name: Decimal(each["usd_per_kg"]) for name, each in kept["quotes"].items()}
    used |= quotes or {}
    due = sum(
        payable(dry_kg * Decimal(share) * Decimal("0.8") * used[metal] * rate, "IDR")
        for metal, share in (("Ni", ni), ("Co", co))
    )
    return due - payable(5000 * dry_kg, "IDR")


@contextmanager
def refused(code, *, field=None):
    """Expect a refusal, and look that nothing was written."""
    before = Assay.objects.count(), Entry.objects.count(), Movement.objects.count()
    with pytest.raises(Refused) as refusal:
        yield
    assert (refusal.value.code, refusal.value.field) == (code, field)
    assert (Assay.objects.count(), Entry.objects.count(), Movement.objects.count()) == before


# --- the contract and what is held --------------------------------------------------------------------


def test_the_contract_keeps_the_terms_and_holds_the_most_that_may_become_due(
    by_terms, bring, recycler
):
    deal = by_terms()

    kept = deal.terms["by_terms"]
    assert kept["terms"]["payables"] == {"Co": "0.8", "Ni": "0.8"}
    assert kept["splitting"]["Ni"] == "0.005"
    assert deal.price < deal.price_cap <= deal.price * Decimal("1.5")
    assert kept["price_cap"] == str(deal.price_cap)

    bring(deal, "FUNDED")
    assert money(recycler, "HELD") == deal.price_cap


def test_a_deal_for_an_amount_holds_its_price_and_wants_no_assay(deal, bring, collector, send):
    assert (deal.price_cap, deal.to_hold, "by_terms" in deal.terms) == (None, deal.price, False)
    bring(deal, "INSPECTION")
    with refused("assay_not_needed"):
        send(deal, collector)


def test_a_price_per_kilogram_is_paid_for_what_the_scale_shows(arrived, collector, recycler):
    deal = arrived(
        {"kind": "PER_KG", "price": "25000"}, Decimal(112), delivered_kg=Decimal("110.5")
    )

    assert (deal.status, deal.final_price) == ("SETTLED", Decimal(25_000) * Decimal("110.5"))
    assert money(collector) == deal.final_price * Decimal("0.98")
    assert money(recycler, "HELD") == 0
    assert deal.reckoning.statement["lines"][0]["code"] == "per_kg"


def test_a_small_lot_is_settled_by_the_tables_at_once(arrived, collector, send):
    deal = arrived(mass_kg=Decimal(900))

    assert deal.status == "SETTLED"
    kept = deal.terms["by_terms"]["contained"]
    assert deal.final_price == by_hand(deal, ni=kept["Ni"], co=kept["Co"], kg=Decimal(900))
    assert deal.reckoning.statement["agreed"]["Ni"]["basis"] == "TABLE"
    with refused("assay_not_needed"):
        send(deal, collector)


# --- two assays ---------------------------------------------------------------------------------------


def test_two_assays_that_agree_are_split_and_paid_once(arrived, send, collector, recycler, clock):
    deal = arrived()
    assert (deal.status, deal.final_price, deal.paid_out) == ("ACCEPTED", None, 0)
    assert deal.decide_by == clock() + timedelta(days=14)

    send(deal, collector, Ni="0.134")
    send(deal, recycler, Ni="0.130")

    deal.refresh_from_db()
    assert (deal.status, deal.decide_by) == ("SETTLED", None)
    assert deal.final_price == by_hand(deal, ni="0.132", co="0.045")
    fee = payable(deal.final_price * Decimal("0.02"), "IDR")
    assert money(collector) == deal.final_price - fee
    assert money(recycler, "HELD") == 0
    assert Entry.objects.filter(name="deals.PriceReckoned").count() == 1
    statement = deal.reckoning.statement
    assert statement["agreed"]["Ni"] == {"share": "0.132", "basis": "SPLIT", "losers": []}
    assert statement["quotes"]["Ni"]["source"]
    assert sum(Decimal(line["amount"]) for line in statement["lines"]) == deal.final_price


def test_assays_may_come_before_the_goods_are_accepted(
    by_terms, bring, send, collector, recycler, clock
):
    deal = by_terms()
    with refused("assay_not_now"):
        send(deal, collector)
    bring(deal, "INSPECTION", picked_kg=HEAVY, delivered_kg=HEAVY)
    send(deal, collector)
    send(deal, recycler)

    deal = deals.accept(deal, actor=recycler, now=clock())

    assert deal.status == "SETTLED"


def test_neither_side_sees_the_others_assay_before_its_own_is_in(
    arrived, send, collector, recycler, carrier, verifier, clock
):
    deal = arrived()
    sent = send(deal, collector)

    def who_sees():
        watching = (collector, recycler, carrier, verifier)
        return [Assay.objects.visible_to(actor).count() for actor in watching]

    assert who_sees() == [1, 0, 0, 0]
    send(deal, recycler, Ni="0.10")
    assert who_sees() == [2, 2, 0, 0]
    deals.ask_umpire(deal, actor=recycler, now=clock())
    assert who_sees() == [2, 2, 0, 2]
    assert sent.results.count() == 2


def test_the_same_request_sends_one_assay_and_another_is_refused(arrived, send, collector):
    deal = arrived()
    request_id = uuid4()

    first = send(deal, collector, request_id=request_id)
    again = send(deal, collector, request_id=request_id)

    assert first == again
    with refused("assay_sent_already"):
        send(deal, collector, Ni="0.2")
    assert Assay.objects.count() == 1


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({"shares": {"Ni": Decimal("0.1")}}, "result_missing", "shares.Co"),
        ({"shares": FOUND | {"Pb": Decimal("0.1")}}, "result_unknown", "shares.Pb"),
        ({"Ni": "13"}, "result_not_a_share", "shares.Ni"),
        ({"Ni": "-0.1"}, "result_not_a_share", "shares.Ni"),
        ({"Ni": "NaN"}, "result_not_a_share", "shares.Ni"),
        ({"Ni": "0.7", "Co": "0.4"}, "results_too_much", "shares.Co"),
        ({"laboratory": " "}, "laboratory_missing", "laboratory"),
        ({"sample": ""}, "sample_missing", "sample"),
        ({"assayed_on": date(2020, 1, 1)}, "assay_date_wrong", "assayed_on"),
        ({"assayed_on": date(2030, 1, 1)}, "assay_date_wrong", "assayed_on"),
    ],
)
def test_an_assay_that_makes_no_sense_is_refused_by_field(
    arrived, send, collector, said, code, field
):
    deal = arrived()
    with refused(code, field=field):
        send(deal, collector, **said)
    assert not AssayResult.objects.exists()


def test_an_assay_is_sent_with_a_paper_and_only_by_those_whom_it_concerns(
    arrived, send, collector, rival, carrier, verifier
):
    deal = arrived()
    with refused("unknown_type", field="certificate"):
        send(deal, collector, certificate=SimpleUploadedFile("a.pdf", b"hello"))
    for actor in (rival, carrier):
        with pytest.raises(PermissionDenied):
            send(deal, actor)
    with refused("no_umpire_needed"):
        send(deal, verifier)


# --- they differ --------------------------------------------------------------------------------------


@pytest.fixture
def differing(arrived, send, collector, recycler):
    """The seller found 14 % nickel, the buyer 12 %."""

    def make(terms=FORMULA):
        deal = arrived(terms)
        send(deal, collector, Ni="0.14")
        send(deal, recycler, Ni="0.12")
        deal.refresh_from_db()
        return deal

    return make


def test_assays_that_differ_too_much_wait_for_an_answer(differing, clock, collector, recycler):
    deal = differing()

    assert (deal.status, deal.reckoning.status) == ("ACCEPTED", "DIFFER")
    assert deal.decide_by == clock() + timedelta(days=5)
    drain(clock=clock)
    told = Notice.objects.filter(template="assays_differ").values_list("organisation_id", flat=True)
    assert set(told) == {collector.organisation_id, recycler.organisation_id}
    assert money(collector) == 0


def test_agreeing_to_the_others_assay_lets_it_count_alone(differing, collector, recycler, clock):
    deal = differing()

    deals.agree_assay(deal, actor=collector, now=clock())
    deals.agree_assay(deal, actor=collector, now=clock())

    deal.refresh_from_db()
    assert (deal.status, deal.final_price) == ("SETTLED", by_hand(deal, ni="0.12", co="0.045"))
    assert deal.reckoning.agreed_to == "BUYER"
    with refused("nothing_to_agree"):
        deals.agree_assay(deal, actor=recycler, now=clock())


def test_an_umpire_decides_and_whoever_lay_further_off_pays_it(
    differing, send, collector, recycler, verifier, clock
):
    deal = differing()
    with pytest.raises(PermissionDenied):
        deals.ask_umpire(deal, actor=verifier, now=clock())
    deals.ask_umpire(deal, actor=recycler, now=clock())
    deals.ask_umpire(deal, actor=collector, now=clock())
    deal.refresh_from_db()
    assert deal.decide_by == clock() + timedelta(days=21)
    with refused("assay_too_late"):
        send(deal, collector)
    with refused("nothing_to_agree"):
        deals.agree_assay(deal, actor=collector, now=clock())

    send(deal, verifier, Ni="0.135")

    deal.refresh_from_db()
    assert (deal.status, deal.final_price) == ("SETTLED", by_hand(deal, ni="0.135", co="0.045"))
    statement = deal.reckoning.statement
    assert statement["agreed"]["Ni"]["losers"] == ["BUYER"]
    assert statement["umpire_fees_usd"] == {"BUYER": "500.00"}
    assert Entry.objects.filter(name="deals.UmpireAsked").count() == 1


def test_a_verifier_of_one_of_the_sides_is_no_umpire(differing, send, verifier, clock, recycler):
    deal = differing()
    deals.ask_umpire(deal, actor=recycler, now=clock())
    organisation = deal.seller
    organisation.group = "one house"
    organisation.save(update_fields=["group"])
    kin = replace(verifier, group="one house")
    with pytest.raises(PermissionDenied):
        send(Deal.objects.get(pk=deal.pk), kin)
    assert Assay.objects.count() == 2


def test_no_umpire_is_asked_for_what_does_not_differ(arrived, send, collector, recycler, clock):
    deal = arrived()
    with refused("no_umpire_needed"):
        deals.ask_umpire(deal, actor=collector, now=clock())
    send(deal, recycler)
    with refused("no_umpire_needed"):
        deals.ask_umpire(deal, actor=collector, now=clock())
    with refused("nothing_to_agree"):
        deals.agree_assay(deal, actor=recycler, now=clock())

    deals.agree_assay(deal, actor=collector, now=clock())

    deal.refresh_from_db()
    assert deal.final_price == by_hand(deal, ni="0.13", co="0.045")


# --- somebody lets the time pass ----------------------------------------------------------------------


def let_time_pass(deal, clock):
    clock.at = Deal.objects.get(pk=deal.pk).decide_by
    assert deals.expire_overdue(now=clock() - timedelta(seconds=1)) == 0
    assert deals.expire_overdue(now=clock()) == 1
    assert deals.expire_overdue(now=clock()) == 0
    deal.refresh_from_db()


def test_a_side_that_never_sends_its_assay_leaves_it_to_the_other(
    arrived, send, collector, recycler, clock
):
    deal = arrived()
    send(deal, recycler, Ni="0.11")

    let_time_pass(deal, clock)

    assert (deal.status, deal.final_price) == ("SETTLED", by_hand(deal, ni="0.11", co="0.045"))
    assert deal.reckoning.statement["agreed"]["Ni"]["basis"] == "ONE_ASSAY"
    with refused("assay_not_now"):
        send(deal, collector)


def test_without_any_assay_the_tables_count(arrived, clock):
    deal = arrived()

    let_time_pass(deal, clock)

    kept = deal.terms["by_terms"]["contained"]
    assert deal.final_price == by_hand(deal, ni=kept["Ni"], co=kept["Co"])


def test_without_an_answer_or_an_umpire_the_middle_counts(differing, recycler, clock):
    deal = differing()
    let_time_pass(deal, clock)
    assert deal.final_price == by_hand(deal, ni="0.13", co="0.045")
    assert deal.reckoning.statement["is_split_by_time"] is True


def test_an_umpire_who_never_speaks_leaves_the_middle(differing, recycler, clock):
    deal = differing()
    deals.ask_umpire(deal, actor=recycler, now=clock())
    let_time_pass(deal, clock)
    assert (deal.status, deal.final_price) == ("SETTLED", by_hand(deal, ni="0.13", co="0.045"))
    assert deal.reckoning.statement["umpire_fees_usd"] == {}


# --- quotes -------------------------------------------------------------------------------------------


def test_the_quote_of_the_weighing_day_counts_and_not_the_one_of_the_bid(
    arrived, send, collector, recycler, clock
):
    deal = arrived()
    quoted("Ni", clock().date(), "16.5")
    quoted("Ni", clock().date() + timedelta(days=1), "99")
    clock.forward(days=2)

    send(deal, collector)
    send(deal, recycler)

    deal.refresh_from_db()
    assert deal.final_price == by_hand(deal, ni="0.13", co="0.045", quotes={"Ni": Decimal("16.5")})
    said = deal.reckoning.statement["quotes"]
    assert (said["Ni"]["how"], said["Co"]["how"]) == ("DAY", "EARLIER")


def test_a_months_average_is_waited_for_and_named(arrived, send, collector, recycler, clock):
    deal = arrived(FORMULA | {"quotes_of": "NEXT_MONTH"})
    send(deal, collector)
    send(deal, recycler)
    deal.refresh_from_db()
    weighed = deal.reckoning.weighed_on
    last = (weighed.replace(day=1) + timedelta(days=62)).replace(day=1) - timedelta(days=1)
    assert (deal.status, deal.reckoning.status) == ("ACCEPTED", "QUOTES")
    assert deal.decide_by.date() == last + timedelta(days=1)

    let_time_pass(deal, clock)
    assert deal.status == "ACCEPTED"  # nothing has been quoted for that month yet
    quoted("Ni", last, "15.25", kind="MONTHLY_AVERAGE")
    for day, price in ((5, "40"), (15, "41")):
        quoted("Co", last.replace(day=day), price)
    let_time_pass(deal, clock)

    assert deal.status == "SETTLED"
    assert deal.final_price == by_hand(
        deal, ni="0.13", co="0.045", quotes={"Ni": Decimal("15.25"), "Co": Decimal("40.5")}
    )
    said = deal.reckoning.statement["quotes"]
    assert (said["Ni"]["how"], said["Co"]["how"]) == ("MONTH_AVERAGE", "MEAN_OF_DAYS")


def test_a_month_that_nobody_quotes_falls_back_on_the_newest_quote_and_says_so(
    arrived, send, collector, recycler, clock
):
    deal = arrived(FORMULA | {"quotes_of": "MONTH"})
    send(deal, collector)
    send(deal, recycler)
    for _look in range(20):
        deal.refresh_from_db()
        if deal.status == "SETTLED":
            break
        let_time_pass(deal, clock)

    assert deal.status == "SETTLED"
    assert clock().day == 11
    said = deal.reckoning.statement["quotes"]["Ni"]
    assert said["how"] == "EARLIER"
    assert said["on"] < deal.reckoning.statement["period"]["first"]


# --- limits of the money ------------------------------------------------------------------------------


def test_no_more_is_paid_than_is_held(arrived, send, collector, recycler):
    deal = arrived()
    for side in (collector, recycler):
        send(deal, side, Ni="0.6", Co="0.3")

    deal.refresh_from_db()
    assert deal.final_price == deal.price_cap
    assert deal.reckoning.statement["lines"][-1]["code"] == "cap"
    assert money(recycler, "HELD") == 0


def test_no_less_is_paid_than_the_floor(arrived, send, collector, recycler):
    deal = arrived()
    for side in (collector, recycler):
        send(deal, side, Ni="0", Co="0")

    deal.refresh_from_db()
    kept = deal.terms["by_terms"]
    dry_kg = HEAVY * Decimal(kept["dry_kg"]) / Decimal(kept["kg"])
    assert deal.final_price == 1000 * dry_kg


def test_what_was_kept_of_the_lot_is_what_the_terms_count(
    by_terms, bring, send, collector, recycler, clock
):
    deal = by_terms()
    bring(deal, "INSPECTION", picked_kg=HEAVY, delivered_kg=HEAVY)
    part = Decimal(1200)
    deals.part_accept(deal, actor=recycler, accepted_kg=part, reason="DAMAGED", now=clock())
    for side in (collector, recycler):
        send(deal, side)

    deal.refresh_from_db()
    assert (deal.status, deal.accepted_kg) == ("SETTLED", part)
    assert deal.final_price == by_hand(deal, ni="0.13", co="0.045", kg=part)


def test_a_dispute_about_weight_settles_the_kilograms_and_then_the_terms_count(
    by_terms, bring, send, collector, recycler, clock
):
    deal = by_terms()
    bring(deal, "INSPECTION", picked_kg=HEAVY, delivered_kg=Decimal(1300))
    dispute = deals.open_dispute(
        deal, actor=collector, about="WEIGHT", statement="My scale!", now=clock()
    )
    assert money(collector) == 0
    for side in (collector, recycler):
        deals.agree_dispute(dispute, actor=side, now=clock())
    for side in (collector, recycler):
        send(deal, side)

    deal.refresh_from_db()
    assert (deal.status, deal.accepted_kg) == ("SETTLED", Decimal(1400))
    assert deal.final_price == by_hand(deal, ni="0.13", co="0.045", kg=Decimal(1400))


def test_what_a_verifier_decides_stands_without_any_assay(
    by_terms, bring, collector, recycler, verifier, clock
):
    deal = by_terms()
    bring(deal, "INSPECTION", picked_kg=HEAVY, delivered_kg=HEAVY)
    dispute = deals.open_dispute(
        deal, actor=recycler, about="CHEMISTRY", statement="This is LFP.", now=clock()
    )
    deals.decide_dispute(
        dispute,
        actor=verifier,
        accepted_kg=HEAVY,
        price=Decimal(7_000_000),
        decision="Half of it is LFP.",
        now=clock(),
    )

    deal.refresh_from_db()
    assert (deal.status, deal.final_price) == ("SETTLED", Decimal(7_000_000))
    assert not Reckoning.objects.exists()


# --- the database is the last judge ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"status": "DONE"}, "reckoning_has_a_statement_once_done"),
        ({"statement": {"amount": "1"}}, "reckoning_has_a_statement_once_done"),
        ({"status": "LOST"}, "reckoning_status_known"),
        ({"agreed_to": "SELLER"}, "reckoning_agreement_is_whole"),
        ({"status": "UMPIRE"}, "reckoning_with_an_umpire_was_asked_for"),
        ({"is_split_by_time": True}, "reckoning_decides_nothing_while_it_waits"),
    ],
)
def test_the_database_refuses_a_reckoning_that_makes_no_sense(arrived, change, constraint):
    deal = arrived()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Reckoning.objects.filter(deal=deal).update(**change)


def test_the_database_lets_nobody_both_agree_and_ask_an_umpire(differing, recycler, clock):
    deal = differing()
    deals.ask_umpire(deal, actor=recycler, now=clock())
    with (
        pytest.raises(IntegrityError, match="reckoning_agrees_or_asks_an_umpire"),
        transaction.atomic(),
    ):
        Reckoning.objects.filter(deal=deal).update(
            agreed_to="SELLER", agreed_by=recycler.user_id, agreed_at=clock()
        )


def test_the_database_keeps_assays_as_they_were_sent(arrived, send, collector):
    deal = arrived()
    sent = send(deal, collector)

    for change in (
        lambda: Assay.objects.filter(pk=sent.pk).update(laboratory="Other"),
        lambda: sent.results.all().delete(),
        lambda: sent.results.update(share=1),
    ):
        with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
            change()


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"party": "FRIEND"}, "assay_party_known"),
        ({"laboratory": ""}, "assay_names_laboratory_and_sample"),
        ({"certificate": ""}, "assay_certificate_has_a_fingerprint"),
        ({}, "assayed_once_a_party"),
        ({"party": "BUYER"}, "assay_request_counts_once"),
    ],
)
def test_the_database_refuses_an_assay_that_makes_no_sense(
    arrived, send, collector, change, constraint
):
    sent = send(arrived(), collector)
    sent.pk = None
    for name, value in change.items():
        setattr(sent, name, value)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        sent.save(force_insert=True)


@pytest.mark.parametrize(
    ("result", "constraint"),
    [
        ({"material": "Xx", "share": Decimal("0.1")}, "assay_result_material_known"),
        ({"material": "Li", "share": Decimal("1.1")}, "assay_result_is_a_share"),
        ({"material": "Ni", "share": Decimal("0.1")}, "assay_finds_each_once"),
    ],
)
def test_the_database_refuses_a_result_that_makes_no_sense(
    arrived, send, collector, result, constraint
):
    sent = send(arrived(), collector)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        AssayResult.objects.create(assay=sent, **result)


def test_the_database_holds_at_least_the_price_and_pays_at_most_what_is_held(by_terms):
    deal = by_terms()
    for change, constraint in (
        ({"price_cap": deal.price - 1}, "deal_cap_is_not_below_the_price"),
        ({"paid_out": deal.price_cap + 1}, "deal_pays_out_what_is_held"),
        ({"final_price": deal.price_cap + 1}, "deal_final_price_is_within_the_price"),
    ):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Deal.objects.filter(pk=deal.pk).update(**change)


def test_the_example_by_hand_in_the_docs_is_what_the_rule_pays():
    found = formulas.settle(
        formulas.Formula({"Ni": Decimal("0.8")}, charge_per_kg=Decimal("0.3")),
        kg=Decimal(1500),
        currency="USD",
        quotes={"Ni": Decimal(18)},
        contained={"Ni": Decimal("0.132")},
    )
    assert found.amount == Decimal("2401.20")
