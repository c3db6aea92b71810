"""A price that people type in takes two of them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from marketplace.accounts.actors import SYSTEM, actor_of
from marketplace.accounts.models import User
from marketplace.core.errors import Refused
from marketplace.core.models import AlreadyMovedOn
from marketplace.journal.models import Entry
from marketplace.reference import queries, services
from marketplace.reference.models import MetalQuote, QuoteProposal

DAY = date(2026, 11, 20)


@pytest.fixture
def second_staff(staff):
    """Another of those who run the site."""
    return actor_of(
        User.objects.create_user(
            email="second@example.org", name="Rudi Staff", password="lithium-4-all", is_staff=True
        )
    )


def propose(actor, now, **fields):
    typed = {
        "material": "Ni",
        "quoted_on": DAY,
        "price": "16.950,5",
        "unit": "USD/t",
        "source": "GK",
        "request_id": uuid4(),
    }
    return services.propose_quote(actor=actor, now=now, **typed | fields)


@pytest.fixture
def proposal(staff, now):
    return propose(staff, now, note="Exchange bulletin, page 2")


def events():
    return list(Entry.objects.order_by("pk").values_list("name", "user_id"))


def test_a_proposed_price_does_not_count_until_another_person_confirms_it(
    proposal, staff, second_staff, now
):
    assert proposal.price_usd_per_kg == Decimal("16.9505")
    assert queries.latest_quotes(DAY)["Ni"].quoted_on != DAY

    confirmed = services.confirm_quote(proposal, actor=second_staff, now=now)

    quote = queries.latest_quotes(DAY)["Ni"]
    assert (quote.price_usd_per_kg, quote.quoted_on) == (Decimal("16.9505"), DAY)
    assert confirmed.quote.note == "16950.5 USD/t; Exchange bulletin, page 2"
    assert (confirmed.decided_by, confirmed.decided_at) == (second_staff.user_id, now)
    assert events() == [
        ("reference.QuoteProposed", staff.user_id),
        ("reference.QuotesChanged", second_staff.user_id),
        ("reference.QuoteConfirmed", second_staff.user_id),
    ]


def test_nobody_decides_on_their_own_price(proposal, staff, now):
    for decide in (
        lambda: services.confirm_quote(proposal, actor=staff, now=now),
        lambda: services.refuse_quote(proposal, actor=staff, reason="Typo", now=now),
    ):
        with pytest.raises(services.ProposalRefused) as refusal:
            decide()
        assert refusal.value.code == "own_quote"

    proposal.refresh_from_db()
    assert proposal.status == "PROPOSED"
    assert not MetalQuote.objects.filter(quoted_on=DAY).exists()
    assert len(events()) == 1


def test_a_refusal_needs_a_reason_and_leaves_no_price(proposal, second_staff, now):
    with pytest.raises(services.ProposalRefused) as refusal:
        services.refuse_quote(proposal, actor=second_staff, reason="  ", now=now)
    assert refusal.value.field == "reason"
    proposal.refresh_from_db()
    assert proposal.status == "PROPOSED"

    services.refuse_quote(proposal, actor=second_staff, reason="That was the bid side", now=now)

    proposal.refresh_from_db()
    assert (proposal.status, proposal.reason) == ("REFUSED", "That was the bid side")
    assert not MetalQuote.objects.filter(quoted_on=DAY).exists()
    assert events()[-1][0] == "reference.QuoteRefused"


def test_what_was_decided_stays_decided(proposal, second_staff, now):
    services.refuse_quote(proposal, actor=second_staff, reason="No", now=now)

    with pytest.raises(AlreadyMovedOn):
        services.confirm_quote(proposal, actor=second_staff, now=now)
    with pytest.raises(AlreadyMovedOn):
        services.refuse_quote(proposal, actor=second_staff, reason="No", now=now)

    assert not MetalQuote.objects.filter(quoted_on=DAY).exists()


def test_only_people_of_the_site_propose_and_decide(proposal, collector, verifier, now):
    for actor in (collector, verifier, SYSTEM):
        with pytest.raises(PermissionDenied):
            propose(actor, now, material="Co", price="50", unit="USD/kg")
        with pytest.raises(PermissionDenied):
            services.confirm_quote(proposal, actor=actor, now=now)
        with pytest.raises(PermissionDenied):
            services.refuse_quote(proposal, actor=actor, reason="No", now=now)

    assert QuoteProposal.objects.get() == proposal
    assert not QuoteProposal.objects.visible_to(collector).exists()


def test_the_same_request_proposes_once(staff, now):
    request_id = uuid4()

    assert propose(staff, now, request_id=request_id) == propose(staff, now, request_id=request_id)

    assert QuoteProposal.objects.count() == 1
    assert len(events()) == 1


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"price": "16,950"}, "price", "may mean thousands"),
        ({"price": "dear"}, "price", "not a number"),
        ({"price": "0"}, "price", "not above zero"),
        ({"price": "16950", "unit": "USD/kg"}, "price", "It looks like a price per t"),
        ({"unit": "USD/ton"}, "unit", "not a unit"),
        ({"unit": "XXX/t"}, "unit", "no exchange rate for XXX"),
        ({"quoted_on": date(2026, 11, 24)}, "quoted_on", "yet to come"),
        ({"source": "HEARSAY"}, "source", "source that is loaded"),
    ],
)
def test_a_price_that_cannot_be_is_refused_beside_its_field(staff, now, fields, field, said):
    with pytest.raises(services.ProposalRefused, match=said) as refusal:
        propose(staff, now, **fields)

    assert refusal.value.field == field
    assert not QuoteProposal.objects.exists()
    assert not Entry.objects.exists()


def test_one_price_of_a_day_and_source_waits_at_a_time(proposal, staff, second_staff, now):
    with pytest.raises(services.ProposalRefused) as refusal:
        propose(second_staff, now, price="17000")
    assert refusal.value.code == "quote_waits"
    assert QuoteProposal.objects.count() == 1

    services.confirm_quote(proposal, actor=second_staff, now=now)
    again = propose(second_staff, now, price="17000")

    assert again.status == "PROPOSED"


def test_a_corrected_price_becomes_the_next_revision_with_its_reason(
    proposal, staff, second_staff, now
):
    services.confirm_quote(proposal, actor=second_staff, now=now)
    better = propose(second_staff, now, price="16850", note="The bulletin was corrected")

    services.confirm_quote(better, actor=staff, now=now)

    (correction,) = queries.corrections()
    assert (correction.before.price_usd_per_kg, correction.now.price_usd_per_kg) == (
        Decimal("16.9505"),
        Decimal("16.85"),
    )
    assert (correction.now.revision, correction.now.reason) == (2, "The bulletin was corrected")
    assert queries.latest_quotes(DAY)["Ni"].price_usd_per_kg == Decimal("16.85")


def test_a_price_that_stands_already_is_not_confirmed_again(proposal, staff, second_staff, now):
    services.confirm_quote(proposal, actor=second_staff, now=now)
    same = propose(second_staff, now, price="16950.5")

    with pytest.raises(services.ProposalRefused) as refusal:
        services.confirm_quote(same, actor=staff, now=now)

    assert refusal.value.code == "quote_stands"
    same.refresh_from_db()
    assert same.status == "PROPOSED"


@pytest.mark.django_db(transaction=True)
def test_two_people_who_confirm_at_once_make_one_price(proposal, second_staff, now):
    def attempt(number):
        try:
            return services.confirm_quote(
                proposal, actor=replace(second_staff, user_id=1000 + number), now=now
            )
        except Refused:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        done = [one for one in pool.map(attempt, range(4)) if one]

    assert len(done) == 1
    assert MetalQuote.objects.filter(material="Ni", quoted_on=DAY).count() == 1


@pytest.mark.parametrize(
    ("nonsense", "constraint"),
    [
        ({"material": "Au"}, "quote_proposal_material_is_known"),
        ({"price": 0}, "quote_proposal_is_positive"),
        ({"status": "CONFIRMED"}, "quote_proposal_status_fits"),
        ({"status": "MAYBE"}, "quote_proposal_status_fits"),
        ({"reason": "x"}, "quote_proposal_status_fits"),
    ],
)
def test_the_database_refuses_a_nonsense_proposal(proposal, nonsense, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        QuoteProposal.objects.update(**nonsense)


def test_the_database_wants_two_people_one_open_price_and_one_per_request(proposal, now):
    with pytest.raises(IntegrityError, match="takes_two_people"), transaction.atomic():
        QuoteProposal.objects.update(
            status="REFUSED", reason="x", decided_at=now, decided_by=proposal.proposed_by
        )

    proposal.pk = None
    with (
        pytest.raises(IntegrityError, match="one_quote_proposal_per_request"),
        transaction.atomic(),
    ):
        proposal.save(force_insert=True)
    proposal.request_id = UUID(int=0)
    with pytest.raises(IntegrityError, match="one_open_quote_proposal"), transaction.atomic():
        proposal.save(force_insert=True)


def test_a_proposal_names_itself(proposal):
    assert str(proposal) == "Ni 2026-11-20 16950.5 USD/t"
    assert isinstance(proposal.proposed_at, datetime)
