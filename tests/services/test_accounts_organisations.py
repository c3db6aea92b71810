"""People and organisations: founding, changing, freezing, members, tiers; and what the database refuses."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from marketplace.accounts import queries, services
from marketplace.accounts.actors import ANONYMOUS, actor_of
from marketplace.accounts.addresses import normal_address
from marketplace.accounts.capabilities import GRANTS, Capability, Role
from marketplace.accounts.models import (
    ApiToken,
    Document,
    Invitation,
    Membership,
    Organisation,
    SignUpCode,
    User,
)
from marketplace.core.errors import Refused
from marketplace.journal.models import Entry


def found(actor, now, **other):
    fields = {
        "name": "Aki Bekas",
        "role": Role.COLLECTOR,
        "country": "ID",
        "geoname_id": 1649378,
        "request_id": uuid4(),
    }
    return services.found_organisation(actor=actor, now=now, **fields | other)


def refused(call, *args, **kwargs):
    before = Entry.objects.count(), Organisation.objects.count(), Membership.objects.count()
    with pytest.raises(Refused) as told:
        call(*args, **kwargs)
    assert told.value.message
    after = Entry.objects.count(), Organisation.objects.count(), Membership.objects.count()
    assert before == after
    return told.value.code


# --- founding -------------------------------------------------------------------------------------


def test_anybody_logged_in_founds_an_organisation_without_a_tax_number(stranger, now):
    firm = found(stranger, now)

    assert (firm.currency, firm.place, firm.tier) == ("IDR", "Bekasi", Organisation.Tier.PHONE)
    actor = actor_of(User.objects.get(pk=stranger.user_id))
    assert actor.organisation_id == firm.pk
    assert actor.may(Capability.LOT_LIST)
    assert not actor.may(Capability.BID_PLACE)


def test_the_same_request_founds_one_organisation(stranger, now):
    request_id = uuid4()

    assert found(stranger, now, request_id=request_id) == found(
        stranger, now, request_id=request_id
    )
    assert Organisation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_identical_requests_at_once_found_one_organisation(stranger, now):
    request_id = uuid4()

    def press(_n):
        try:
            return found(stranger, now, request_id=request_id).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        firms = list(pool.map(press, range(8)))

    assert len(set(firms)) == 1
    assert Organisation.objects.count() == Membership.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": " "}, "name_missing"),
        ({"country": "XX"}, "country_unknown"),
        ({"geoname_id": 1259229}, "town_unknown"),
        ({"geoname_id": 1}, "town_unknown"),
        ({"currency": "XXX"}, "currency_unknown"),
    ],
)
def test_an_organisation_that_makes_no_sense_is_refused(stranger, now, wrong, code):
    assert refused(found, stranger, now, **wrong) == code


@pytest.mark.parametrize(
    "special",
    [{"role": Role.VERIFIER}, {"role": Role.REGULATOR}, {"tier": 3}, {"group": "one-owner"}],
)
def test_only_staff_found_what_others_have_to_trust(stranger, staff, now, special):
    with pytest.raises(PermissionDenied):
        found(stranger, now, **special)
    assert not Organisation.objects.exists()

    assert found(staff, now, **special).pk


def test_strangers_found_nothing(reference, now):
    with pytest.raises(PermissionDenied):
        found(ANONYMOUS, now)


# --- tiers ----------------------------------------------------------------------------------------


def test_somebody_with_only_a_phone_number_has_a_cap(stranger, verifier, collector, now):
    firm = found(stranger, now)
    assert queries.listing_cap_kg(firm) == Decimal(500)

    with pytest.raises(PermissionDenied):
        services.set_tier(firm, actor=collector, tier=1, now=now)
    firm = services.set_tier(firm, actor=verifier, tier=Organisation.Tier.VOUCHED, now=now)

    assert queries.listing_cap_kg(firm) is None


# --- changing, freezing ---------------------------------------------------------------------------


def test_only_members_change_an_organisation(collector, rival, now):
    firm = Organisation.objects.get(pk=collector.organisation_id)
    fields = {"name": "Mine now", "geoname_id": None, "currency": "IDR", "tax_number": ""}

    with pytest.raises(PermissionDenied):
        services.update_organisation(firm, actor=rival, now=now, **fields)
    with pytest.raises(PermissionDenied):
        services.set_currency(firm, actor=rival, currency="USD", now=now)

    firm.refresh_from_db()
    assert firm.name != "Mine now"
    assert services.set_currency(firm, actor=collector, currency="USD", now=now).currency == "USD"


def test_a_currency_needs_a_rate(collector, now):
    firm = Organisation.objects.get(pk=collector.organisation_id)

    assert refused(services.set_currency, firm, actor=collector, currency="XXX", now=now) == (
        "rate_missing"
    )


def test_nobody_acts_for_a_frozen_organisation(collector, staff, now):
    firm = Organisation.objects.get(pk=collector.organisation_id)
    services.freeze_organisation(firm, actor=staff, reason="Fraud.", now=now)

    actor = actor_of(User.objects.get(pk=collector.user_id))

    assert actor.organisation_id is None
    assert not actor.capabilities
    assert refused(services.freeze_organisation, firm, actor=staff, reason="Again.", now=now) == (
        "organisation_frozen"
    )


def test_only_staff_freeze_and_release(collector, verifier, now):
    firm = Organisation.objects.get(pk=collector.organisation_id)
    for act in (services.freeze_organisation, services.release_organisation):
        with pytest.raises(PermissionDenied):
            act(firm, actor=verifier, reason="Because.", now=now)


def test_an_active_organisation_is_not_released(collector, staff, now):
    firm = Organisation.objects.get(pk=collector.organisation_id)

    assert refused(
        services.release_organisation, firm, actor=staff, reason="Cleared.", now=now
    ) == ("organisation_active")


# --- members --------------------------------------------------------------------------------------


def test_members_give_away_what_they_have(collector, stranger, now):
    firm = Organisation.objects.get(pk=collector.organisation_id)
    user = User.objects.get(pk=stranger.user_id)

    first = services.add_member(firm, actor=collector, user=user, role=Role.COLLECTOR, now=now)
    again = services.add_member(firm, actor=collector, user=user, role=Role.COLLECTOR, now=now)
    with pytest.raises(PermissionDenied):
        services.add_member(firm, actor=collector, user=user, role=Role.REGULATOR, now=now)

    assert first == again
    assert firm.memberships.count() == 2


def test_a_removed_member_loses_their_keys(collector, member, now):
    colleague = member(Role.COLLECTOR, "Colleague", of=collector.organisation_id)
    services.issue_token(actor=colleague, name="scale", days=9, now=now)
    membership = Membership.objects.get(user_id=colleague.user_id)

    services.remove_member(membership, actor=collector, now=now)

    assert ApiToken.objects.get().revoked_at == now
    assert not Membership.objects.filter(user_id=colleague.user_id).exists()


def test_the_last_member_is_not_removed(collector, now):
    membership = Membership.objects.get(user_id=collector.user_id)

    assert refused(services.remove_member, membership, actor=collector, now=now) == "last_member"


def test_inviting_twice_makes_one_invitation_and_it_ends(collector, stranger, now):
    firm = Organisation.objects.get(pk=collector.organisation_id)
    for _n in range(2):
        invitation = services.invite_member(
            firm, actor=collector, address="+62 812 0000 0099", role=Role.COLLECTOR, now=now
        )
    assert Invitation.objects.count() == 1
    late = now + timedelta(days=14)

    assert refused(services.accept_invitation, invitation, actor=stranger, now=late) == (
        "invitation_ended"
    )
    assert services.accept_invitation(invitation, actor=stranger, now=now)
    assert services.accept_invitation(invitation, actor=stranger, now=now)  # pressed twice
    assert firm.memberships.count() == 2


def test_every_capability_is_granted_to_somebody_and_every_role_has_some():
    assert set(GRANTS) == set(Role.values)
    assert frozenset().union(*GRANTS.values()) == set(Capability)


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "country", "kept"),
    [
        (" Asha@Example.ORG ", None, "asha@example.org"),
        ("+62 812-3456-7890", None, "+6281234567890"),
        ("0812 3456 7890", "ID", "+6281234567890"),
        ("+91 98220 12345", "ID", "+919822012345"),
    ],
)
def test_an_address_is_kept_in_one_way(written, country, kept):
    assert normal_address(written, country=country) == kept


# --- the database as the last judge ---------------------------------------------------------------


def breaks(constraint, change):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        change()


@pytest.mark.parametrize(
    ("constraint", "wrong"),
    [
        ("user_can_be_reached", {"email": None, "phone": None}),
        ("user_phone_is_e164", {"phone": "0812345678"}),
    ],
)
def test_the_database_refuses_people_who_cannot_be_reached(collector, constraint, wrong):
    breaks(constraint, lambda: User.objects.filter(pk=collector.user_id).update(**wrong))


@pytest.mark.parametrize(
    ("constraint", "wrong"),
    [
        ("organisation_status_known", {"status": "GONE"}),
        ("organisation_tier_known", {"tier": 4}),
        ("organisation_is_on_earth", {"latitude": 91}),
        ("organisation_is_on_earth", {"latitude": None}),
    ],
)
def test_the_database_refuses_organisations_that_are_nonsense(collector, constraint, wrong):
    breaks(constraint, lambda: Organisation.objects.update(**wrong))


def test_the_database_refuses_the_rest_of_the_nonsense(collector, stranger, now):
    firm = Organisation.objects.get(pk=collector.organisation_id)
    mine = Membership.objects.get(user_id=collector.user_id)
    breaks(
        "membership_role_held_once",
        lambda: Membership.objects.create(user=mine.user, organisation=firm, role=mine.role),
    )
    breaks("membership_role_known", lambda: Membership.objects.update(role="KING"))
    token, _secret = services.issue_token(actor=collector, name="x", days=1, now=now)
    breaks("token_expires", lambda: ApiToken.objects.update(expires_at=token.created_at))
    row = services.request_code(address="x@example.org", now=now)
    breaks("code_tries_are_bounded", lambda: SignUpCode.objects.filter(pk=row.pk).update(tries=6))
    paper = {"organisation": firm, "title": "x", "sha256": "0" * 64, "uploaded_at": now}
    breaks(
        "document_type_allowed",
        lambda: Document.objects.create(**paper, content_type="text/html", size_bytes=1),
    )
    breaks(
        "document_is_not_empty",
        lambda: Document.objects.create(**paper, content_type="application/pdf", size_bytes=0),
    )
    services.invite_member(firm, actor=collector, address="x@y.org", role="COLLECTOR", now=now)
    breaks("invitation_role_known", lambda: Invitation.objects.update(role="KING"))
    breaks("invitation_expires", lambda: Invitation.objects.update(expires_at=now))
    again = Invitation.objects.get()
    again.pk = None
    breaks("invited_once_a_role", again.save)
    founded = found(stranger, now)
    founded.pk = None
    breaks("organisation_request_counts_once", founded.save)


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_key_works_for_a_day_to_a_year(collector, now, days):
    assert refused(services.issue_token, actor=collector, name="x", days=days, now=now) == (
        "token_refused"
    )
    assert refused(services.issue_token, actor=collector, name=" ", days=1, now=now) == (
        "token_refused"
    )
    assert not ApiToken.objects.exists()


def test_whoever_acts_for_nobody_makes_no_keys(stranger, now):
    with pytest.raises(PermissionDenied):
        services.issue_token(actor=stranger, name="x", days=1, now=now)
