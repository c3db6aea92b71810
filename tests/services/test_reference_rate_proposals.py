"""An exchange rate that people type in takes two of them."""

from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse

from marketplace.accounts.actors import actor_of
from marketplace.accounts.models import User
from marketplace.core.models import AlreadyMovedOn
from marketplace.journal.models import Entry
from marketplace.reference import queries, services
from marketplace.reference.models import CurrencyRate, RateProposal

DAY = date(2026, 11, 20)


@pytest.fixture(autouse=True)
def without_second_factor(settings):
    settings.STAFF_NEED_SECOND_FACTOR = False


@pytest.fixture
def second_staff(staff):
    return actor_of(
        User.objects.create_user(
            email="second@example.org", name="Rudi Staff", password="lithium-4-all", is_staff=True
        )
    )


def propose(actor, now, **fields):
    typed = {
        "currency": "idr",
        "quoted_on": DAY,
        "rate": "16.487,5",
        "written": "PER_USD",
        "source": "GK",
        "request_id": uuid4(),
    }
    return services.propose_rate(actor=actor, now=now, **typed | fields)


@pytest.fixture
def proposal(staff, now):
    return propose(staff, now, note="Central bank, middle rate")


def test_a_proposed_rate_does_not_count_until_another_person_confirms_it(
    proposal, staff, second_staff, now
):
    assert queries.rate_per_usd("IDR", DAY) != Decimal("16487.5")

    confirmed = services.confirm_rate(proposal, actor=second_staff, now=now)

    assert queries.rate_per_usd("IDR", DAY) == Decimal("16487.5")
    assert confirmed.rate.note == "16487.5 units for one US dollar; Central bank, middle rate"
    assert list(Entry.objects.order_by("pk").values_list("name", "user_id")) == [
        ("reference.RateProposed", staff.user_id),
        ("reference.QuotesChanged", second_staff.user_id),
        ("reference.RateConfirmed", second_staff.user_id),
    ]


def test_a_rate_may_be_written_either_way_round(staff, now):
    euro = propose(staff, now, currency="EUR", rate="1.25", written="IN_USD")

    assert euro.per_usd == Decimal("0.8")


def test_nobody_decides_on_their_own_rate_and_it_is_decided_once(
    proposal, staff, second_staff, now
):
    with pytest.raises(services.ProposalRefused) as refusal:
        services.confirm_rate(proposal, actor=staff, now=now)
    assert refusal.value.code == "own_quote"
    with pytest.raises(services.ProposalRefused, match="Say why"):
        services.refuse_rate(proposal, actor=second_staff, reason=" ", now=now)

    services.refuse_rate(proposal, actor=second_staff, reason="That is the selling rate", now=now)
    with pytest.raises(AlreadyMovedOn):
        services.confirm_rate(proposal, actor=second_staff, now=now)

    assert not CurrencyRate.objects.filter(quoted_on=DAY).exists()


def test_only_people_of_the_site_propose_and_decide(proposal, collector, now):
    for attempt in (
        lambda: propose(collector, now, currency="INR", rate="84"),
        lambda: services.confirm_rate(proposal, actor=collector, now=now),
        lambda: services.refuse_rate(proposal, actor=collector, reason="No", now=now),
    ):
        with pytest.raises(PermissionDenied):
            attempt()

    assert RateProposal.objects.get() == proposal
    assert not RateProposal.objects.visible_to(collector).exists()


def test_a_corrected_rate_becomes_the_next_revision_and_the_old_one_stays(
    proposal, staff, second_staff, now
):
    services.confirm_rate(proposal, actor=second_staff, now=now)
    with pytest.raises(services.ProposalRefused) as refusal:
        services.confirm_rate(propose(second_staff, now), actor=staff, now=now)
    assert refusal.value.code == "quote_stands"
    RateProposal.objects.filter(status="PROPOSED").update(
        status="REFUSED", reason="x", decided_by=staff.user_id, decided_at=now
    )

    better = propose(second_staff, now, rate="16490", note="The bank corrected it")
    services.confirm_rate(better, actor=staff, now=now)

    (correction,) = queries.rate_corrections()
    assert (correction.before.per_usd, correction.now.per_usd) == (
        Decimal("16487.5"),
        Decimal(16490),
    )
    assert (correction.now.revision, correction.now.reason) == (2, "The bank corrected it")
    assert queries.latest_rates(DAY)["IDR"].per_usd == Decimal(16490)


def test_the_same_request_proposes_once_and_one_rate_of_a_day_waits(staff, second_staff, now):
    request_id = uuid4()
    assert propose(staff, now, request_id=request_id) == propose(staff, now, request_id=request_id)

    with pytest.raises(services.ProposalRefused) as refusal:
        propose(second_staff, now)

    assert refusal.value.code == "quote_waits"
    assert RateProposal.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"rate": "16,487"}, "rate", "may mean thousands"),
        ({"rate": "many"}, "rate", "not a number"),
        ({"rate": "0"}, "rate", "not above zero"),
        ({"rate": "0.000061"}, "rate", "other way round"),
        ({"rate": "99999999999"}, "rate", "cannot be an exchange rate"),
        ({"rate": "99999999999", "written": "IN_USD"}, "rate", "cannot be an exchange rate"),
        ({"currency": "USD", "rate": "1"}, "currency", "not the code"),
        ({"currency": "12%"}, "currency", "not the code"),
        ({"quoted_on": date(2026, 11, 24)}, "quoted_on", "yet to come"),
        ({"source": "HEARSAY"}, "source", "source that is loaded"),
    ],
)
def test_a_rate_that_cannot_be_is_refused_beside_its_field(staff, now, fields, field, said):
    with pytest.raises(services.ProposalRefused, match=said) as refusal:
        propose(staff, now, **fields)

    assert refusal.value.field == field
    assert not RateProposal.objects.exists()
    assert not Entry.objects.exists()


def test_a_devaluation_is_for_the_second_person_to_judge(staff, now):
    assert propose(staff, now, rate="200000").per_usd == 200000


@pytest.mark.parametrize(
    ("nonsense", "constraint"),
    [
        ({"typed": 0}, "rate_proposal_is_positive"),
        ({"currency": "USD"}, "rate_proposal_names_a_currency"),
        ({"written": "SIDEWAYS"}, "rate_proposal_says_which_way_round"),
        ({"status": "CONFIRMED"}, "rate_proposal_status_fits"),
    ],
)
def test_the_database_refuses_a_nonsense_proposal(proposal, nonsense, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        RateProposal.objects.update(**nonsense)


def test_the_database_wants_two_people_one_open_rate_and_one_per_request(proposal, now):
    with pytest.raises(IntegrityError, match="takes_two_people"), transaction.atomic():
        RateProposal.objects.update(
            status="REFUSED", reason="x", decided_at=now, decided_by=proposal.proposed_by
        )
    proposal.pk = None
    with pytest.raises(IntegrityError, match="one_rate_proposal_per"), transaction.atomic():
        proposal.save(force_insert=True)
    proposal.request_id = UUID(int=0)
    with pytest.raises(IntegrityError, match="one_open_rate_proposal"), transaction.atomic():
        proposal.save(force_insert=True)
    assert str(proposal) == "IDR 2026-11-20 16487.500000 per USD"


# --- the pages ------------------------------------------------------------------------------------


def test_one_types_a_rate_in_and_another_confirms_it_on_the_page(staff, second_staff, browser):
    typed = {
        "currency": "IDR",
        "quoted_on": "2026-11-20",
        "rate": "16.487,5",
        "written": "PER_USD",
        "source": "GK",
        "request_id": str(uuid4()),
    }
    answer = browser(staff).post(reverse("staff-rate-new"), typed)
    assert answer.url == reverse("staff-rates")
    mine = browser(staff).get(answer.url).content.decode()
    assert "You proposed this. Another person decides." in mine
    assert "Confirm: the source says so" not in mine

    theirs = browser(second_staff).get(answer.url).content.decode()
    assert "16,487.5" in theirs
    assert "Last known" in theirs
    pk = RateProposal.objects.get().pk
    answer = browser(second_staff).post(reverse("staff-rate-confirm", args=[pk]), follow=True)

    assert "From now on amounts are turned with it." in answer.content.decode()
    assert queries.rate_per_usd("IDR", DAY) == Decimal("16487.5")


def test_a_refused_rate_keeps_its_reason_and_a_bad_one_says_why(
    proposal, second_staff, collector, browser
):
    where = reverse("staff-rate-refuse", args=[proposal.pk])
    assert browser(collector).post(where, {"reason": "x"}).status_code == 403

    browser(second_staff).post(where, {"reason": "That was the selling rate"})

    page = browser(second_staff).get(reverse("staff-rates") + "?state=REFUSED").content.decode()
    assert "That was the selling rate" in page
    bad = browser(second_staff).post(
        reverse("staff-rate-new"),
        {
            "currency": "IDR",
            "quoted_on": "2026-11-20",
            "rate": "0.00006",
            "written": "PER_USD",
            "source": "GK",
            "request_id": str(uuid4()),
        },
    )
    assert bad.status_code == 422
    assert "other way round" in bad.content.decode()
