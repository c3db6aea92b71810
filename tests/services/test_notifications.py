"""Messages: who is told what, once; in their language; by mail, or by one text message."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import SYSTEM
from marketplace.accounts.capabilities import Role
from marketplace.accounts.models import Licence, Membership, User
from marketplace.deals import services as deals
from marketplace.deals.models import Deal
from marketplace.journal.models import Delivery, Job
from marketplace.journal.services import drain, record
from marketplace.lots import events as lots
from marketplace.market.events import BidPlaced
from marketplace.market.models import Auction, Bid
from marketplace.notifications import services
from marketplace.notifications.models import Message, Notice, Preference
from marketplace.notifications.queries import unread_count
from marketplace.notifications.sms import FileSms, MemorySms
from tests.cast_deals import *  # noqa: F403 — fixtures

PHONE = "+6281234567890"


@pytest.fixture(autouse=True)
def nothing_sent_yet():
    MemorySms.sent.clear()


@pytest.fixture
def licence(recycler):
    return Licence.objects.get(organisation_id=recycler.organisation_id)


def suspend(licence, verifier, now):
    accounts.suspend_licence(licence, actor=verifier, reason="Fire on the site.", now=now)


def told(actor):
    rows = Notice.objects.filter(user_id=actor.user_id).order_by("pk")
    return list(rows.values_list("template", flat=True))


# --- who is told ----------------------------------------------------------------------------------


def test_every_member_is_told_once(licence, recycler, member, verifier, now, settle, mailoutbox):
    colleague = member(Role.RECYCLER, "Colleague", of=recycler.organisation_id)
    Membership.objects.create(  # two roles are one person
        user_id=colleague.user_id, organisation_id=recycler.organisation_id, role=Role.COLLECTOR
    )
    suspend(licence, verifier, now)

    settle()
    settle()

    assert told(recycler) == told(colleague) == ["licence_suspended"]
    assert told(verifier) == []
    assert len(mailoutbox) == Message.objects.count() == 2


def test_a_repeated_reaction_tells_nobody_twice(licence, recycler, verifier, now, settle):
    suspend(licence, verifier, now)
    settle()
    job = Job.objects.filter(kind="journal.react", payload__handler="notifications.tasks.tell")
    job.update(state=Job.State.TODO, ended_at=None, attempts=0)

    settle()

    assert told(recycler) == ["licence_suspended"]
    assert Delivery.objects.filter(handler="notifications.tasks.tell").count() == 1


def test_a_deal_tells_both_sides_from_the_contract_to_the_money(
    deal, bring, collector, recycler, carrier, clock
):
    bring(deal, "INSPECTION")
    deals.accept(Deal.objects.get(pk=deal.pk), actor=recycler, now=clock())
    drain(clock=clock)

    seller, buyer = told(collector), told(recycler)

    assert {"lot_sold", "deal_opened", "deal_signed_seller", "deal_funded"} <= set(seller)
    assert {"shipment_booked", "handed_over", "deal_accepted"} <= set(seller)
    assert {"won", "deal_opened", "deal_signed_buyer", "quotes_offered"} <= set(buyer)
    assert "quote_chosen" in told(carrier)
    assert not set(seller) & {"won", "quote_chosen"}


def test_every_notice_leads_to_a_page_that_opens(deal, bring, collector, recycler, browser, clock):
    bring(deal, "INSPECTION")
    for actor in (collector, recycler):
        client = browser(actor)
        for path in set(
            Notice.objects.filter(user_id=actor.user_id).values_list("path", flat=True)
        ):
            assert path
            assert client.get(path).status_code == 200, path


def test_a_dangerous_lot_tells_its_seller_what_not_to_do(priced_lot, collector, clock):
    lot = priced_lot()
    with transaction.atomic():
        record(lots.LotQuarantined(lot_id=lot.pk), by=SYSTEM, at=clock())
    drain(clock=clock)

    assert told(collector) == ["lot_quarantined"]


@pytest.fixture
def bids(sold, recycler, rival, licence_of):
    """Make bids by hand: what the market does with them is tested there."""
    won = sold()
    Auction.objects.filter(pk=won.auction_id).update(mode=Auction.Mode.OPEN)
    auction = Auction.objects.get(pk=won.auction_id)

    def place(amount, at):
        return Bid.objects.create(
            auction=auction,
            bidder_id=rival.organisation_id,
            placed_by_id=rival.user_id,
            licence=Licence.objects.get(organisation_id=rival.organisation_id),
            maximum=amount,
            price_after=amount,
            leads=True,
            placed_at=at,
            request_id=uuid4(),
        )

    def outbid(amount, at):
        bid = place(amount, at)
        event = BidPlaced(auction_id=auction.pk, bid_id=bid.pk, outbid_id=won.bidder_id)
        with transaction.atomic():
            record(event, by=SYSTEM, at=at)

    return outbid


def test_whoever_was_outbid_and_has_not_looked_is_not_told_again(bids, recycler, clock):
    bids(Decimal(100), clock())
    drain(clock=clock)
    bids(Decimal(200), clock.forward(minutes=1))
    drain(clock=clock)

    notice = Notice.objects.get(user_id=recycler.user_id, template="outbid")
    assert Decimal(notice.facts["amount"]) == 200

    services.mark_all_read(actor=recycler, now=clock())
    bids(Decimal(300), clock.forward(minutes=1))
    drain(clock=clock)
    assert told(recycler).count("outbid") == 2


def test_the_end_of_a_licence_says_how_long_begun_things_may_be_finished(
    member, licence_of, now, settle, mailoutbox
):
    actor = member(Role.RECYCLER, "Lapsed")
    licence_of(actor, number="X-1", valid_until=date(2026, 11, 22), finish_until=date(2026, 12, 22))
    accounts.expire_licences(now=now)
    settle()

    assert told(actor) == ["licence_expired"]
    assert "22 Dec 2026" in mailoutbox[0].body


# --- how copies leave -----------------------------------------------------------------------------


def test_a_mail_carries_an_id_that_stays_the_same_and_the_address_of_the_page(
    licence, recycler, verifier, now, settle, mailoutbox, settings
):
    settings.SITE_URL = "https://voltbazaar.example"
    suspend(licence, verifier, now)
    settle()
    notice = Notice.objects.get(user_id=recycler.user_id)

    (mail,) = mailoutbox

    assert mail.extra_headers["Message-ID"] == f"<notice.{notice.pk}@voltbazaar.example>"
    assert mail.to == ["citra.recycler@example.org"]
    assert f"https://voltbazaar.example/licences/{licence.pk}/" in mail.body
    assert mail.subject.startswith("Voltbazaar: Your licence")
    assert Message.objects.get().provider_id == mail.extra_headers["Message-ID"]


@pytest.fixture
def by_phone(recycler):
    """A recycler whom only a text message reaches."""
    User.objects.filter(pk=recycler.user_id).update(email=None, phone=PHONE)
    return recycler


def test_people_without_an_address_get_one_text_message(
    licence, by_phone, verifier, now, settle, mailoutbox
):
    suspend(licence, verifier, now)
    settle()

    ((to, text),) = MemorySms.sent
    assert to == PHONE
    assert licence.number in text
    assert not mailoutbox


def test_whoever_wants_no_copies_gets_none(licence, by_phone, verifier, now, settle):
    services.set_preference(actor=by_phone, email=False, text_messages=False)
    suspend(licence, verifier, now)
    settle()

    assert told(by_phone) == ["licence_suspended"]
    assert MemorySms.sent == []
    assert not Message.objects.exists()


def test_copies_can_be_switched_off_for_a_whole_site(
    licence, recycler, verifier, now, settle, settings, mailoutbox
):
    settings.SEND_COPIES = False
    suspend(licence, verifier, now)
    settle()

    assert told(recycler) == ["licence_suspended"]
    assert not mailoutbox


def test_a_provider_that_is_away_is_asked_again_and_the_inbox_waits_for_nobody(
    licence, by_phone, verifier, now, settle, clock, monkeypatch
):
    def away(self, *, to, text, key):
        raise ConnectionError("no route")

    with monkeypatch.context() as broken:
        broken.setattr(MemorySms, "send", away)
        suspend(licence, verifier, now)
        settle()
    assert told(by_phone) == ["licence_suspended"]
    assert not Message.objects.exists()

    clock.forward(minutes=1)
    settle()

    assert len(MemorySms.sent) == Message.objects.count() == 1


def test_every_person_reads_their_own_language(licence, recycler, verifier, now, settle, browser):
    suspend(licence, verifier, now)
    settle()
    notice = Notice.objects.get()

    assert notice.facts["number"] == licence.number
    assert licence.number.encode() in browser(recycler).get(reverse("inbox")).content


def test_text_messages_can_be_kept_in_a_file(settings, tmp_path):
    settings.VAR_DIR = tmp_path

    assert FileSms().send(to=PHONE, text="Hello", key="k") == "file:k"

    assert '"text": "Hello"' in (tmp_path / "sms.jsonl").read_text()


# --- the inbox ------------------------------------------------------------------------------------


@pytest.fixture
def full_inbox(recycler, now):
    return Notice.objects.bulk_create(
        Notice(
            user_id=recycler.user_id,
            organisation_id=recycler.organisation_id,
            template="won",
            facts={"lot": n, "amount": "100", "currency": "IDR"},
            path="/licences/",
            created_at=now - timedelta(minutes=n),
        )
        for n in range(40)
    )


def test_the_inbox_is_ones_own(full_inbox, recycler, rival, browser):
    assert unread_count(recycler.user_id) == 40
    assert unread_count(rival.user_id) == unread_count(None) == 0
    assert len(browser(recycler).get(reverse("inbox")).context["lines"]) == 30
    assert browser(rival).get(reverse("inbox")).context["lines"] == []
    answer = browser(rival).post(reverse("notice-open", args=[full_inbox[0].pk]))
    assert answer.status_code == 404
    assert unread_count(recycler.user_id) == 40


def test_opening_a_message_marks_it_read_and_leads_on(full_inbox, recycler, browser):
    answer = browser(recycler).post(reverse("notice-open", args=[full_inbox[0].pk]))

    assert answer.url == "/licences/"
    assert unread_count(recycler.user_id) == 39


def test_all_messages_are_marked_read_at_once(full_inbox, recycler, browser):
    browser(recycler).post(reverse("notices-read"))

    assert unread_count(recycler.user_id) == 0


def test_nobody_marks_the_messages_of_others(full_inbox, rival, recycler, now):
    assert services.mark_read(full_inbox, actor=rival, now=now) == 0
    assert unread_count(recycler.user_id) == 40


def test_the_inbox_asks_few_questions_however_full_it_is(
    full_inbox, recycler, browser, django_assert_max_num_queries
):
    client = browser(recycler)

    with django_assert_max_num_queries(8):
        client.get(reverse("inbox"))


def test_copies_are_chosen_on_the_settings_page(recycler, browser):
    browser(recycler).post(reverse("settings-copies"), {"email": "on"})

    chosen = Preference.objects.get(user_id=recycler.user_id)
    assert (chosen.email, chosen.text_messages) == (True, False)


# --- the database as the last judge ---------------------------------------------------------------


def breaks(constraint, change):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        change()


def test_the_database_counts_everything_once(full_inbox, recycler, now):
    notice = full_inbox[0]
    copy = {
        "notice": notice,
        "channel": "EMAIL",
        "address": "a@b.example",
        "provider_id": "1",
        "sent_at": now,
    }
    Message.objects.create(**copy)
    breaks("message_sent_once_a_channel", lambda: Message.objects.create(**copy))
    breaks("message_channel_known", lambda: Message.objects.update(channel="SMOKE"))
    same = {"user_id": recycler.user_id, "template": "won", "entry_id": 1, "created_at": now}
    Notice.objects.create(**same)
    breaks("noticed_once", lambda: Notice.objects.create(**same))
