"""Six weeks of a market in which every job dies in the middle, once: in the end it is the same market."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import transaction
from django.db.models import Count, Sum

from marketplace.accounts.models import Organisation
from marketplace.certificates.models import Certificate
from marketplace.deals import services as deals
from marketplace.deals.models import Deal
from marketplace.freight import services as freight
from marketplace.journal import services as journal
from marketplace.journal.models import Entry, Job
from marketplace.journal.services import handler_name as name
from marketplace.ledger import services as ledger
from marketplace.ledger.models import Posting
from marketplace.lots import services as lots
from marketplace.lots.models import Lot
from marketplace.market import services as market
from marketplace.notifications import price_answers
from marketplace.ops.demo_market import market as demo_market
from tests.cast_deals import *  # noqa: F403
from tests.cast_deals import money
from tests.conftest import NOW, SteppingClock

pytestmark = pytest.mark.django_db(transaction=True)


class Died(BaseException):
    """The machine went away: nothing of what follows in the program happens, not even its error handling."""


@pytest.fixture
def deaths(monkeypatch):
    """Kill every job at its first try, after its last effect and before these are committed.

    What the next worker finds is what a killed one leaves: no effects, and a lease that runs out.
    """
    killed = Counter()
    whole_run, whole_finish = journal.run, journal._finish

    def die(job, finish, *, clock):
        with transaction.atomic():
            whole_finish(job, finish, clock=clock)
            raise Died

    def run(job_id, *, clock):
        job = Job.objects.get(pk=job_id)
        if job.attempts == 0 and job.state == Job.State.TODO:
            with monkeypatch.context() as patch:
                patch.setattr(journal, "_finish", die)
                try:
                    whole_run(job_id, clock=clock)
                except Died:
                    killed[job.payload["handler"] if job.kind == journal.REACT else job.kind] += 1
            Job.objects.filter(pk=job_id, state=Job.State.TODO).update(
                lease_until=clock() - timedelta(seconds=1)
            )
        return whole_run(job_id, clock=clock)

    monkeypatch.setattr(journal, "run", run)
    monkeypatch.setattr(demo_market, "run", run)
    return killed


def lived(tmp_path, settings, clock):
    """Let a small market live, and return what came of it."""
    settings.KEYS_DIR = tmp_path / "keys"
    call_command("load_reference", verbosity=0)
    call_command("create_keys", verbosity=0)
    demo_market.create(seed=7, until=NOW, lots=24, say=lambda line: None)
    journal.hang_up_schedules(now=clock())
    clock.forward(minutes=1)
    journal.give_out_slots(now=clock())
    journal.drain(clock=clock)
    return {
        "happened": Counter(Entry.objects.values_list("name", flat=True)),
        "jobs": Counter(Job.objects.values_list("kind", "state")),
        "money": list(
            Posting.objects.values_list("account__kind", "currency")
            .annotate(n=Count("pk"), total=Sum("amount"))
            .order_by("account__kind", "currency")
        ),
        "lots": Counter(Lot.objects.values_list("status", flat=True)),
        "certified_kg": Certificate.objects.aggregate(total=Sum("certified_kg"))["total"],
    }


def test_a_market_whose_every_job_died_once_is_the_market_where_none_did(
    transactional_db, tmp_path, settings, request
):
    undisturbed = lived(tmp_path / "one", settings, SteppingClock(NOW))
    call_command("flush", interactive=False, verbosity=0)

    killed = request.getfixturevalue("deaths")
    disturbed = lived(tmp_path / "two", settings, SteppingClock(NOW))

    assert disturbed == undisturbed
    assert set(killed) >= everything_that_runs() - WHAT_GOES_WRONG


def everything_that_runs():
    """Every handler, job and slot of the switchboard. Of ``ops.drill`` the workers themselves are killed, in test_jobs.py."""
    board = journal.switchboard()
    handlers = {name(handler) for each in board.reactions.values() for handler in each}
    slots = {f"every.{slot}" for slot in board.schedules}
    return (handlers | set(board.jobs) | slots) - {"ops.drill"}


WHAT_GOES_WRONG = {
    "compliance.tasks.on_lot_evidence_changed",
    "compliance.tasks.on_lot_quarantined",
    "deals.expire",
    "freight.end_round",
    "ledger.ask_payment_service",
    "logistics.tasks.on_deal_cancelled",
    "logistics.tasks.on_deal_defaulted",
    "logistics.tasks.on_deal_returned",
    "market.close",
    "market.end_order",
    "market.expire",
    "market.open",
    "market.tasks.on_deal_cancelled",
    "notifications.answer_price",
    "market.tasks.on_deal_defaulted",
    "pricing.tasks.on_lot_evidence_changed",
}
"""What a demo market of this size may have no use for: everything that does not go straight."""


def test_what_goes_wrong_goes_wrong_once_however_often_its_jobs_die(
    transactional_db, deaths, everybody, priced_lot, sold, bring, rate_card, rich, clock, settings
):
    collector, recycler, rival = (everybody[who] for who in ("collector", "recycler", "rival"))
    journal.hang_up_schedules(now=clock())

    def later(**by):
        clock.forward(**by)
        journal.give_out_slots(now=clock())
        journal.drain(clock=clock)

    # a planned auction opens and closes below its reserve, and its seller lets the decision pass
    unwanted = market.open_auction(
        priced_lot(),
        actor=collector,
        mode="SEALED",
        starting_price=Decimal(1_000_000),
        reserve=Decimal(9_000_000),
        step=Decimal(1000),
        opens_at=clock() + timedelta(hours=1),
        closes_at=clock() + timedelta(hours=3),
        request_id=uuid4(),
        now=clock(),
    )
    later(hours=1)
    market.place_bid(
        unwanted,
        actor=rich(rival),
        maximum=Decimal(2_000_000),
        currency="IDR",
        request_id=uuid4(),
        clock=clock,
        confirmed=True,
    )
    later(hours=2)
    later(days=2)

    # a standing order to which nobody sells runs out
    order = market.publish_order(
        actor=rich(recycler),
        said=market.OrderSaid(
            materials=["NMC622"],
            country="ID",
            kg_from=Decimal(10),
            kg_to=Decimal(500),
            capacity_kg=Decimal(500),
            budget=Decimal(1_000_000),
            price={"kind": "PER_KG", "price": "1000"},
            valid_until=clock() + timedelta(hours=12),
        ),
        request_id=uuid4(),
        now=clock(),
    )

    # a buyer who never pays makes room for the next, whose deal is called off by both
    award = sold(buyers=[recycler, rival])
    later(minutes=1)
    for side in (collector, recycler):
        deals.sign(Deal.objects.get(award=award), actor=side, now=clock())
    later(days=4)
    second = Deal.objects.get(lot=award.auction.lot, buyer=rival.organisation_id)
    for side in (collector, rival):
        deals.cancel(second, actor=side, reason="Flood", now=clock())
    later(minutes=1)

    # goods that are not what was said go back
    deal = deals.open_deal(sold().pk, now=clock())
    later(minutes=1)
    bring(deal, "INSPECTION")
    deals.reject(deal, actor=recycler, reason="WRONG_CHEMISTRY", now=clock())
    deals.confirm_return(deal, actor=collector, now=clock())

    # a carrier who answers by hand does not answer
    rate_card(everybody["rival_carrier"], answers_itself=False)
    asked = freight.request_quotes(
        purpose="deal:77",
        asked_by=Organisation.objects.get(pk=recycler.organisation_id),
        origin=freight.Place("ID", "Bekasi", Decimal("-6.23"), Decimal("106.99")),
        destination=freight.Place("ID", "Karawang", Decimal("-6.30"), Decimal("107.30")),
        mass_kg=Decimal(500),
        un_number="UN3480",
        chemistry_code="NMC622",
        currency="IDR",
        now=clock(),
    )
    later(days=3)

    # a lot that is priced turns out to be heavier, another is hot; a stranger asks by text; a bank takes its time
    heavier = priced_lot()
    lots.answer_amount(heavier, actor=collector, mass_kg=Decimal(140), now=clock())
    settings.PAYMENT_SERVICE = "tests.services.test_ledger.SlowBank"
    hot = dict.fromkeys(["swollen", "hot", "wet", "smell", "dented", "cut"], False) | {"hot": True}
    lots.answer_triage(priced_lot(), actor=collector, answers=hot, now=clock())
    price_answers.ask_price(
        "HARGA AKI 20", sender="+6281200000077", message_id="sms-1", now=clock()
    )
    paid = ledger.pay_out(
        actor=collector, amount=Decimal(5), currency="IDR", request_id=uuid4(), now=clock()
    )
    later(minutes=1)

    assert set(deaths) >= WHAT_GOES_WRONG
    assert not Job.objects.exclude(state="DONE").values("kind", "last_error")
    for each in (unwanted, order, second, deal, asked, heavier, paid):
        each.refresh_from_db()
    assert (unwanted.status, second.status, deal.status) == ("UNSOLD", "CANCELLED", "RETURNED")
    assert (asked.status, order.status) == ("OFFERED", "EXPIRED")
    assert (heavier.valuations.count(), paid.status) == (1, "DONE")
    assert not Posting.objects.values("currency").annotate(all=Sum("amount")).exclude(all=0)
    assert money(recycler, "HELD") == money(rival, "HELD") == 0
    happened = Counter(Entry.objects.values_list("name", flat=True))
    assert happened["market.AuctionOpened"] == 3
    for once in ("deals.DealDefaulted", "deals.DealCancelled", "deals.DealReturned"):
        assert happened[once] == 1
