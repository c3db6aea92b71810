"""A fraudulent deal is taken out of the price index by two people, and the index is corrected openly."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse

from marketplace.accounts.actors import actor_of
from marketplace.accounts.models import User
from marketplace.core.models import AlreadyMovedOn
from marketplace.journal.models import Entry
from marketplace.journal.services import drain
from marketplace.notifications.models import Notice
from marketplace.pricing import services
from marketplace.pricing.models import Exclusion, IndexValue, SettledPrice
from marketplace.pricing.queries import public
from tests.cast_deals import *  # noqa: F403
from tests.services.test_price_index import market, paid  # noqa: F401

pytestmark = pytest.mark.django_db
WHY = "The same goods were sold twice"


@pytest.fixture(autouse=True)
def fresh(settings):
    settings.STAFF_NEED_SECOND_FACTOR = False
    cache.clear()


@pytest.fixture
def second_staff(staff):
    return actor_of(
        User.objects.create_user(
            email="second@example.org", name="Rudi Staff", password="lithium-4-all", is_staff=True
        )
    )


@pytest.fixture
def published(market, now):  # noqa: F811
    """Six deals and the index of yesterday and today."""
    deals = market(days_ago=1)
    for day in (now - timedelta(days=1), now):
        services.publish_index(on=day.date(), now=day)
    return deals


def propose(settled, actor, now, **fields):
    asked = {"cause": "FRAUD", "reason": WHY, "request_id": uuid4()}
    return services.propose_exclusion(settled, actor=actor, now=now, **asked | fields)


def test_a_deal_counts_until_a_second_person_takes_it_out(published, staff, second_staff, now):
    dearest = published[-1]
    stood = IndexValue.objects.filter(basis="SETTLED").count()

    exclusion = propose(dearest, staff, now)
    assert SettledPrice.objects.counting().count() == 6
    services.confirm_exclusion(exclusion, actor=second_staff, now=now)

    assert SettledPrice.objects.counting().count() == 5
    revised = IndexValue.objects.filter(revision=2)
    assert revised.count() == stood > 0
    assert {(row.reason, row.said, row.deals) for row in revised} == {("TAKEN_OUT", WHY, 5)}
    assert IndexValue.objects.filter(revision=1, basis="SETTLED", deals=6).count() == stood
    narrow = {"chemistry": "NMC", "country": "ID", "on": now.date()}
    before, after = (
        IndexValue.objects.filter(**narrow, revision=n).exclude(form="").get() for n in (1, 2)
    )
    assert (before.usd_per_kg, after.usd_per_kg) == (Decimal("3.75"), Decimal("3.5"))
    again = services.publish_index(on=now.date(), now=now)
    assert again == []


def test_what_too_few_deals_then_say_is_inferred_or_withdrawn(published, staff, second_staff, now):
    for deal in published[:2]:
        services.confirm_exclusion(propose(deal, staff, now), actor=second_staff, now=now)

    newest = IndexValue.objects.filter(on=now.date()).unrevised()
    assert not newest.filter(basis="SETTLED").exists()
    assert newest.filter(basis="INFERRED", chemistry="NMC").exists()
    withdrawn = newest.filter(basis="WITHDRAWN")
    assert withdrawn.exists()
    assert {row.usd_per_kg for row in withdrawn} == {None}
    shown = public.published_index(on=now.date())
    assert {one.usd_per_kg for one in shown if one.basis == "WITHDRAWN"} == {None}
    assert public.board(on=now.date()).lines
    tomorrow = now + timedelta(days=1)
    services.publish_index(on=tomorrow.date(), now=tomorrow)
    nmc = IndexValue.objects.get(on=tomorrow.date(), chemistry="NMC", form="", country="")
    assert nmc.usd_per_kg == nmc.formula_usd_per_kg  # the ratio of what was taken out is forgotten


def test_nobody_decides_alone_or_on_their_own_deal(published, staff, second_staff, now):
    exclusion = propose(published[0], staff, now)
    with pytest.raises(services.ExclusionNotAllowed) as refusal:
        services.confirm_exclusion(exclusion, actor=staff, now=now)
    assert refusal.value.code == "own_exclusion"
    party = replace(second_staff, organisation_id=published[0].buyer_id)
    for attempt in (
        lambda: services.confirm_exclusion(exclusion, actor=party, now=now),
        lambda: propose(published[0], replace(party, user_id=77), now),
    ):
        with pytest.raises(services.ExclusionNotAllowed) as refusal:
            attempt()
        assert refusal.value.code == "own_deal"

    services.refuse_exclusion(exclusion, actor=second_staff, reason="They traded", now=now)
    with pytest.raises(AlreadyMovedOn):
        services.confirm_exclusion(exclusion, actor=second_staff, now=now)

    assert SettledPrice.objects.counting().count() == 6
    assert not IndexValue.objects.filter(revision=2).exists()


def test_it_is_for_staff_says_why_and_is_asked_once(published, staff, collector, now):
    with pytest.raises(PermissionDenied):
        propose(published[0], collector, now)
    for fields, field in (({"reason": " "}, "reason"), ({"cause": "ENVY"}, "cause")):
        with pytest.raises(services.ExclusionNotAllowed) as refusal:
            propose(published[0], staff, now, **fields)
        assert refusal.value.field == field
    assert not Exclusion.objects.exists()

    request_id = uuid4()
    first = propose(published[0], staff, now, request_id=request_id)
    assert propose(published[0], staff, now, request_id=request_id) == first
    with pytest.raises(services.ExclusionNotAllowed) as refusal:
        propose(published[0], staff, now)
    assert refusal.value.code == "exclusion_stands"
    with pytest.raises(services.ExclusionNotAllowed, match="Say why"):
        services.refuse_exclusion(first, actor=replace(staff, user_id=77), reason="", now=now)
    assert Exclusion.objects.get() == first
    assert not Exclusion.objects.visible_to(collector).exists()


def test_both_who_traded_are_told_and_the_journal_says_who_did_it(
    published, staff, second_staff, clock, now
):
    services.confirm_exclusion(propose(published[0], staff, now), actor=second_staff, now=now)
    drain(clock=clock)

    told = Notice.objects.filter(template="deal_taken_out")
    assert set(told.values_list("organisation_id", flat=True)) == {
        published[0].seller_id,
        published[0].buyer_id,
    }
    assert Entry.objects.get(name="pricing.DealTakenOut").user_id == second_staff.user_id


@pytest.mark.parametrize(
    ("nonsense", "constraint"),
    [
        ({"cause": "ENVY"}, "exclusion_says_why"),
        ({"reason": ""}, "exclusion_says_why"),
        ({"status": "CONFIRMED"}, "exclusion_status_fits"),
        ({"refusal": "x"}, "exclusion_status_fits"),
    ],
)
def test_the_database_refuses_nonsense(published, staff, now, nonsense, constraint):
    propose(published[0], staff, now)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Exclusion.objects.update(**nonsense)


def test_the_database_wants_two_people_one_per_request_and_one_standing(published, staff, now):
    exclusion = propose(published[0], staff, now)
    with pytest.raises(IntegrityError, match="takes_two_people"), transaction.atomic():
        Exclusion.objects.update(
            status="CONFIRMED", decided_at=now, decided_by=exclusion.proposed_by
        )
    exclusion.pk = None
    with pytest.raises(IntegrityError, match="one_exclusion_per"), transaction.atomic():
        exclusion.save(force_insert=True)
    exclusion.request_id = UUID(int=0)
    with pytest.raises(IntegrityError, match="one_standing"), transaction.atomic():
        exclusion.save(force_insert=True)
    assert "Fraud" in str(exclusion)


def test_the_database_wants_a_price_unless_withdrawn_and_words_only_where_one_was_taken_out(
    published,
):
    row = IndexValue.objects.filter(basis="SETTLED").first()
    facts = {f.attname: getattr(row, f.attname) for f in IndexValue._meta.fields} | {
        "id": None,
        "revision": 9,
        "reason": "TAKEN_OUT",
    }
    for wrong, constraint in (
        ({"usd_per_kg": None}, "what_it_rests_on"),
        ({"basis": "WITHDRAWN", "gap": "FEW_DEALS"}, "what_it_rests_on"),
        ({"reason": "METHOD", "said": "x"}, "what_was_out"),
    ):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            IndexValue.objects.create(**facts | wrong)


# --- the pages ------------------------------------------------------------------------------------


def test_one_proposes_another_takes_out_and_everybody_reads_why(
    published, staff, second_staff, collector, browser, client
):
    settled = published[-1]
    new = reverse("staff-exclusion-new", args=[settled.pk])
    assert browser(collector).get(reverse("staff-exclusions")).status_code == 403
    listed = browser(staff).get(reverse("staff-exclusions"), {"deal": settled.deal_id})
    assert new in listed.content.decode()
    assert browser(staff).get(new).status_code == 200
    bad = browser(staff).post(new, {"cause": "FRAUD", "reason": "", "request_id": uuid4()})
    assert bad.status_code == 422

    browser(staff).post(new, {"cause": "FRAUD", "reason": WHY, "request_id": uuid4()})
    exclusion = Exclusion.objects.get()
    mine = browser(staff).get(reverse("staff-exclusions")).content.decode()
    assert "You proposed this. Another person decides." in mine
    confirm = reverse("staff-exclusion-confirm", args=[exclusion.pk])
    answer = browser(staff).post(confirm, follow=True).content.decode()
    assert "You proposed this yourself." in answer
    answer = browser(second_staff).post(confirm, follow=True).content.decode()

    assert "The corrected index is published with the reason." in answer
    assert WHY in client.get(reverse("prices-method-expert")).content.decode()
    assert WHY in client.get(reverse("prices-index-csv")).content.decode()
    index = client.get(reverse("prices-json")).json()["index"]
    assert any(row["said"] == WHY and row["reason"] == "TAKEN_OUT" for row in index)


def test_on_the_page_a_deal_may_also_count_on(published, staff, second_staff, browser, now):
    exclusion = propose(published[0], staff, now)

    where = reverse("staff-exclusion-refuse", args=[exclusion.pk])
    answer = browser(second_staff).post(where, {"reason": "Papers agree"}, follow=True)

    assert "Papers agree" in answer.content.decode()
    none = browser(staff).get(reverse("staff-exclusions"), {"deal": "many"}).content.decode()
    assert "No settled deal here." in none
