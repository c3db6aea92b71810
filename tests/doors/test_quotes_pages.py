"""The pages where staff type prices in, and decide on those of others."""

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
from django.urls import reverse

from marketplace.accounts.actors import actor_of
from marketplace.accounts.models import User
from marketplace.reference import queries, services
from marketplace.reference.models import QuoteProposal

DAY = date(2026, 11, 20)


@pytest.fixture(autouse=True)
def without_second_factor(settings):
    """What this file is about comes after it; test_accounts_staff_pages.py is about it."""
    settings.STAFF_NEED_SECOND_FACTOR = False


@pytest.fixture
def second_staff(staff):
    return actor_of(
        User.objects.create_user(
            email="second@example.org", name="Rudi Staff", password="lithium-4-all", is_staff=True
        )
    )


@pytest.fixture
def typed():
    return {
        "material": "Ni",
        "quoted_on": "2026-11-20",
        "price": "16.950,5",
        "unit": "USD/t",
        "source": "GK",
        "note": "Bulletin, page 2",
        "request_id": str(uuid4()),
    }


@pytest.fixture
def proposal(staff, now, typed):
    return services.propose_quote(
        actor=staff, now=now, **typed | {"quoted_on": DAY, "request_id": uuid4()}
    )


def test_only_staff_enters(everybody, browser, proposal):
    for who, actor in everybody.items():
        if who == "staff":
            continue
        for name in ("staff-quotes", "staff-quote-new"):
            assert browser(actor).get(reverse(name)).status_code in (302, 403), (who, name)
        for name in ("staff-quote-confirm", "staff-quote-refuse"):
            answer = browser(actor).post(reverse(name, args=[proposal.pk]), {"reason": "x"})
            assert answer.status_code in (302, 403), (who, name)
    proposal.refresh_from_db()
    assert proposal.status == "PROPOSED"


def test_one_types_a_price_in_and_another_confirms_it(staff, second_staff, browser, typed):
    answer = browser(staff).post(reverse("staff-quote-new"), typed)
    assert answer.url == reverse("staff-quotes")
    mine = browser(staff).get(answer.url).content.decode()
    assert "You proposed this. Another person decides." in mine
    assert "Confirm: the source says so" not in mine

    theirs = browser(second_staff).get(answer.url).content.decode()
    assert "16,950.5 USD/t" in theirs
    assert "Last known" in theirs
    pk = QuoteProposal.objects.get().pk
    answer = browser(second_staff).post(reverse("staff-quote-confirm", args=[pk]), follow=True)

    assert "Lots are valued with it from tonight." in answer.content.decode()
    assert queries.latest_quotes(DAY)["Ni"].price_usd_per_kg == Decimal("16.9505")
    confirmed = browser(staff).get(reverse("staff-quotes") + "?state=CONFIRMED").content.decode()
    assert "16,950.5 USD/t" in confirmed


def test_ones_own_price_cannot_be_confirmed_by_hand_either(staff, browser, proposal):
    answer = browser(staff).post(reverse("staff-quote-confirm", args=[proposal.pk]), follow=True)

    assert "You proposed this price yourself." in answer.content.decode()
    proposal.refresh_from_db()
    assert proposal.status == "PROPOSED"


def test_a_refusal_keeps_its_reason(second_staff, browser, proposal):
    client = browser(second_staff)
    where = reverse("staff-quote-refuse", args=[proposal.pk])

    assert "Say why" in client.post(where, {"reason": ""}, follow=True).content.decode()
    client.post(where, {"reason": "That was the bid side"})

    shown = client.get(reverse("staff-quotes") + "?state=REFUSED").content.decode()
    assert "That was the bid side" in shown


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("price", "16,950", "may mean thousands"),
        ("price", "16950500", "It looks like a price per t"),
        ("quoted_on", "2027-01-01", "yet to come"),
        ("unit", "USD/ton", "Select a valid choice"),
        ("source", "HEARSAY", "Select a valid choice"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_kept(staff, browser, typed, field, value, said):
    answer = browser(staff).post(reverse("staff-quote-new"), typed | {field: value})

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not QuoteProposal.objects.exists()


def test_corrections_are_shown_beside_what_stood_before(
    staff, second_staff, browser, proposal, now
):
    services.confirm_quote(proposal, actor=second_staff, now=now)
    better = services.propose_quote(
        actor=second_staff,
        now=now,
        material="Ni",
        quoted_on=DAY,
        price="16850",
        unit="USD/t",
        source="GK",
        note="The bulletin was corrected",
        request_id=uuid4(),
    )
    services.confirm_quote(better, actor=staff, now=now)

    shown = browser(staff).get(reverse("staff-quotes")).content.decode()

    assert "Corrected by their sources" in shown
    assert "The bulletin was corrected" in shown


def test_the_list_is_a_fixed_number_of_queries(staff, browser, now, django_assert_max_num_queries):
    for number, material in enumerate(("Ni", "Cu", "Pb", "Zn")):
        services.propose_quote(
            actor=staff,
            now=now,
            material=material,
            quoted_on=DAY,
            price=f"{10 + number}",
            unit="USD/kg",
            source="GK",
            request_id=uuid4(),
        )
    client = browser(staff)
    client.get(reverse("staff-quotes"))

    with django_assert_max_num_queries(12):
        assert client.get(reverse("staff-quotes")).status_code == 200


def test_staff_reach_the_page_from_their_menu(staff, browser):
    assert reverse("staff-quotes") in browser(staff).get(reverse("staff-jobs")).content.decode()
