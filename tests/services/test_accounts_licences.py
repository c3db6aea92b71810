"""Licences: applying, checking, the two approvals, and what counts when."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from marketplace.accounts import rules, services
from marketplace.accounts.capabilities import Role
from marketplace.accounts.models import (
    Document,
    Licence,
    LicenceApproval,
    LicenceCheck,
    LicenceDraw,
    LicenceYear,
    Organisation,
)
from marketplace.core.errors import Refused
from marketplace.core.models import AlreadyMovedOn
from marketplace.journal.models import Entry
from marketplace.reference.models import LicenceType


@pytest.fixture
def applicant(member):
    return member(Role.RECYCLER, "Nina Newcomer", tier=Organisation.Tier.PHONE)


@pytest.fixture
def application(applicant, paper, now):
    return apply(applicant, paper(), now)


@pytest.fixture
def submitted(application, applicant, now):
    return services.submit_licence(application, actor=applicant, now=now)


def apply(actor, upload, now, **other):
    fields = {
        "licence_type": LicenceType.objects.get(pk="ID_PERTEK"),
        "number": "KLH/2026/17",
        "issuer": "KLH",
        "site_name": "Cikarang works",
        "site_geoname_id": 1649378,
        "materials": ["LFP", "NMC622"],
        "annual_mass_kg": Decimal(5_000),
        "valid_from": date(2026, 1, 1),
        "valid_until": date(2027, 1, 1),
        "upload": upload,
        "request_id": uuid4(),
    }
    return services.apply_for_licence(actor=actor, now=now, **fields | other)


def check_all(licence, actor, now):
    for field in rules.CHECKED_FIELDS:
        services.check_field(licence, actor=actor, field=field, matches=True, now=now)


def approve(licence, actor, now):
    services.claim_licence(licence, actor=actor, now=now)
    check_all(licence, actor, now)
    return services.approve_licence(licence, actor=actor, now=now)


def refused(call, *args, **kwargs):
    """Return the code of the refusal, and make sure that nothing was written."""
    before = Entry.objects.count()
    with pytest.raises(Refused) as told:
        call(*args, **kwargs)
    assert told.value.message
    assert Entry.objects.count() == before
    return told.value.code


# --- applying -------------------------------------------------------------------------------------


def test_the_type_says_country_and_acts_and_how_long_begun_things_may_be_finished(application):
    assert application.country == "ID"
    assert application.acts == ["BID", "RECEIVE", "REPURPOSE"]
    assert application.finish_until - application.valid_until == timedelta(days=90)
    assert application.document.content_type == "application/pdf"


def test_the_same_request_makes_one_application(applicant, paper, now):
    request_id = uuid4()

    first = apply(applicant, paper(), now, request_id=request_id)
    second = apply(applicant, paper(), now, request_id=request_id)

    assert first == second
    assert Licence.objects.count() == 1
    assert Document.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"number": " "}, "licence_number_missing"),
        ({"valid_until": date(2025, 1, 1)}, "licence_dates"),
        ({"annual_mass_kg": Decimal(0)}, "licence_mass"),
        ({"annual_mass_kg": Decimal(-1)}, "licence_mass"),
        ({"annual_mass_kg": Decimal("1e30")}, "licence_mass"),
        ({"annual_mass_kg": Decimal("NaN")}, "licence_mass"),
        ({"materials": ["PLUTONIUM"]}, "licence_material"),
    ],
)
def test_an_application_that_makes_no_sense_is_refused(applicant, paper, now, wrong, code):
    assert refused(apply, applicant, paper(), now, **wrong) == code
    assert not Licence.objects.exists()
    assert not Document.objects.exists()


def test_an_application_is_not_submitted_without_its_paper(applicant, now):
    licence = apply(applicant, None, now)

    code = refused(services.submit_licence, licence, actor=applicant, now=now)

    assert code == "licence_document_missing"
    licence.refresh_from_db()
    assert licence.status == Licence.Status.DRAFT


def test_nobody_submits_the_application_of_another(application, rival, now):
    with pytest.raises(PermissionDenied):
        services.submit_licence(application, actor=rival, now=now)


def test_a_verifier_may_not_apply(verifier, paper, now):
    with pytest.raises(PermissionDenied):
        apply(verifier, paper(), now)


def test_what_is_being_checked_cannot_be_changed(submitted, applicant, now):
    fields = {
        "number": "another",
        "issuer": "",
        "site_name": "",
        "site_geoname_id": None,
        "materials": [],
        "annual_mass_kg": None,
        "valid_from": date(2026, 1, 1),
        "valid_until": date(2027, 1, 1),
        "upload": None,
    }

    code = refused(services.correct_licence, submitted, actor=applicant, now=now, **fields)

    assert code == "licence_not_editable"


# --- checking -------------------------------------------------------------------------------------


def test_two_people_make_a_licence_count(submitted, applicant, verifier, second_verifier, now):
    first = approve(submitted, verifier, now)
    assert first.status == Licence.Status.SUBMITTED

    second = approve(submitted, second_verifier, now)

    assert second.status == Licence.Status.VERIFIED
    assert second.verified_at == now
    assert Organisation.objects.get(pk=applicant.organisation_id).tier == Organisation.Tier.BUSINESS


def test_the_same_person_cannot_give_both_approvals(submitted, verifier, now):
    approve(submitted, verifier, now)

    code = refused(services.claim_licence, submitted, actor=verifier, now=now)

    assert code == "licence_second_person"
    assert LicenceApproval.objects.count() == 1


def test_nobody_checks_the_licence_of_their_own_organisation(submitted, member, applicant, now):
    insider = member(Role.VERIFIER, "Ina Insider", of=applicant.organisation_id)

    assert refused(services.claim_licence, submitted, actor=insider, now=now) == "licence_own_group"


def test_nobody_checks_the_licence_of_their_own_group(member, paper, now):
    sister = member(Role.RECYCLER, "Sister", group="one-owner")
    licence = apply(sister, paper(), now)
    services.submit_licence(licence, actor=sister, now=now)
    other = member(Role.VERIFIER, "Brother", group="one-owner")

    assert refused(services.claim_licence, licence, actor=other, now=now) == "licence_own_group"


def test_a_verifier_who_also_belongs_to_the_applicant_is_known_whoever_they_act_for(
    submitted, applicant, verifier, now
):
    organisation = Organisation.objects.get(pk=applicant.organisation_id)
    organisation.memberships.create(user_id=verifier.user_id, role=Role.RECYCLER)

    assert refused(services.claim_licence, submitted, actor=verifier, now=now) == (
        "licence_own_group"
    )


def test_only_verifiers_claim(submitted, rival, now):
    with pytest.raises(PermissionDenied):
        services.claim_licence(submitted, actor=rival, now=now)


def test_a_claim_keeps_others_out_for_twenty_minutes(submitted, verifier, second_verifier, now):
    services.claim_licence(submitted, actor=verifier, now=now)

    soon, later = now + timedelta(minutes=19), now + timedelta(minutes=20)
    assert refused(services.claim_licence, submitted, actor=second_verifier, now=soon) == (
        "licence_claimed"
    )
    taken = services.claim_licence(submitted, actor=second_verifier, now=later)

    assert taken.claimed_by_id == second_verifier.user_id


def test_a_lapsed_claim_opens_nothing(submitted, verifier, now):
    services.claim_licence(submitted, actor=verifier, now=now)
    check_all(submitted, verifier, now)
    late = now + timedelta(minutes=21)

    assert refused(services.approve_licence, submitted, actor=verifier, now=late) == (
        "licence_not_claimed"
    )
    assert not LicenceApproval.objects.exists()


@pytest.mark.parametrize("field", rules.CHECKED_FIELDS)
def test_every_field_must_match_before_an_approval(submitted, verifier, now, field):
    services.claim_licence(submitted, actor=verifier, now=now)
    check_all(submitted, verifier, now)
    services.check_field(
        submitted, actor=verifier, field=field, matches=False, note="Smudged", now=now
    )

    assert refused(services.approve_licence, submitted, actor=verifier, now=now) == (
        "licence_unchecked"
    )
    assert not LicenceApproval.objects.exists()


def test_each_verifier_checks_for_themselves(submitted, verifier, second_verifier, now):
    approve(submitted, verifier, now)
    services.claim_licence(submitted, actor=second_verifier, now=now)

    assert refused(services.approve_licence, submitted, actor=second_verifier, now=now) == (
        "licence_unchecked"
    )


def test_a_mismatch_needs_a_note(submitted, verifier, now):
    services.claim_licence(submitted, actor=verifier, now=now)

    code = refused(
        services.check_field, submitted, actor=verifier, field="number", matches=False, now=now
    )

    assert code == "licence_note_missing"
    assert not LicenceCheck.objects.exists()


def test_a_refusal_needs_a_reason_and_the_applicant_reads_it(submitted, verifier, now):
    services.claim_licence(submitted, actor=verifier, now=now)
    assert refused(services.refuse_licence, submitted, actor=verifier, reason=" ", now=now) == (
        "licence_reason_missing"
    )

    licence = services.refuse_licence(
        submitted, actor=verifier, reason="The number is of another firm.", now=now
    )

    assert licence.status == Licence.Status.REFUSED
    assert licence.reason == "The number is of another firm."
    assert licence.claimed_by is None


def test_asking_for_something_starts_the_checks_anew(
    submitted, applicant, verifier, second_verifier, now
):
    approve(submitted, verifier, now)
    services.claim_licence(submitted, actor=second_verifier, now=now)
    services.ask_for_info(submitted, actor=second_verifier, reason="Page 2 is missing.", now=now)

    services.submit_licence(submitted, actor=applicant, now=now)

    submitted.refresh_from_db()
    assert submitted.status == Licence.Status.SUBMITTED
    assert submitted.reason == ""
    assert not submitted.approvals.exists()
    assert not submitted.checks.exists()
    approve(submitted, verifier, now)
    assert approve(submitted, second_verifier, now).status == Licence.Status.VERIFIED


def test_a_refused_licence_stays_refused(submitted, applicant, verifier, now):
    services.claim_licence(submitted, actor=verifier, now=now)
    services.refuse_licence(submitted, actor=verifier, reason="No.", now=now)

    with pytest.raises(AlreadyMovedOn):
        services.claim_licence(submitted, actor=verifier, now=now)
    with pytest.raises(AlreadyMovedOn):
        services.submit_licence(submitted, actor=applicant, now=now)


# --- what counts when -----------------------------------------------------------------------------


def use(actor, **other):
    wanted = {"act": "BID", "chemistry_code": "LFP", "country": "ID", "on": date(2026, 11, 23)}
    return services.open_licence(organisation_id=actor.organisation_id, **wanted | other)


def finish(actor, **other):
    wanted = {"act": "BID", "chemistry_code": "LFP", "country": "ID", "on": date(2026, 11, 23)}
    return services.finish_licence(organisation_id=actor.organisation_id, **wanted | other)


def test_a_verified_licence_opens(recycler):
    assert use(recycler).organisation_id == recycler.organisation_id
    assert use(recycler, act="bid") == use(recycler, act="RECEIVE")


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"act": "CARRY"}, "licence_missing"),
        ({"country": "IN"}, "licence_country"),
        ({"chemistry_code": "COAL"}, "licence_material"),
        ({"on": date(2028, 1, 1)}, "licence_expired"),
        ({"on": date(2025, 12, 31)}, "licence_expired"),
        ({"mass_kg": Decimal(100_001)}, "licence_mass_left"),
    ],
)
def test_what_a_licence_does_not_say_it_does_not_open(recycler, other, code):
    assert refused(use, recycler, **other) == code


def test_without_a_licence_nothing_opens(rival_collector, submitted, applicant):
    assert refused(use, rival_collector) == "licence_missing"
    assert refused(use, applicant) == "licence_missing"


def test_a_licence_counts_on_its_first_and_last_day(member, licence_of):
    actor = member(Role.RECYCLER, "Day by day")
    licence_of(
        actor,
        valid_from=date(2026, 3, 1),
        valid_until=date(2026, 3, 31),
        finish_until=date(2026, 4, 30),
    )

    assert use(actor, on=date(2026, 3, 1)) == use(actor, on=date(2026, 3, 31))
    assert refused(use, actor, on=date(2026, 2, 28)) == "licence_expired"
    assert refused(use, actor, on=date(2026, 4, 1)) == "licence_expired"


def test_once_it_has_lapsed_nothing_is_opened_but_what_was_begun_may_be_finished(
    member, licence_of, now
):
    actor = member(Role.RECYCLER, "Lapsed")
    licence = licence_of(actor, valid_until=date(2026, 11, 22), finish_until=date(2026, 12, 22))

    assert services.expire_licences(now=now) == 1
    assert services.expire_licences(now=now) == 0

    licence.refresh_from_db()
    assert licence.status == Licence.Status.EXPIRED
    assert refused(use, actor) == "licence_expired"
    assert finish(actor, on=date(2026, 12, 22)) == licence
    assert refused(finish, actor, on=date(2026, 12, 23)) == "licence_expired"


def test_a_suspended_licence_neither_opens_nor_finishes_until_it_is_reinstated(
    recycler, verifier, now
):
    licence = use(recycler)
    services.suspend_licence(licence, actor=verifier, reason="Fire on the site.", now=now)
    assert refused(use, recycler) == "licence_suspended"
    assert refused(finish, recycler) == "licence_suspended"

    services.reinstate_licence(licence, actor=verifier, now=now)

    assert use(recycler) == finish(recycler) == licence


def test_a_suspended_licence_gains_no_grace_by_lapsing(member, licence_of, verifier, now):
    actor = member(Role.RECYCLER, "Suspended")
    licence = licence_of(actor, valid_until=date(2026, 11, 22), finish_until=date(2026, 12, 22))
    services.suspend_licence(licence, actor=verifier, reason="Fire on the site.", now=now)

    services.expire_licences(now=now)

    assert refused(finish, actor) == "licence_expired"


def test_a_frozen_organisation_opens_nothing(recycler, staff, now):
    organisation = Organisation.objects.get(pk=recycler.organisation_id)
    services.freeze_organisation(organisation, actor=staff, reason="Fraud.", now=now)

    assert refused(use, recycler) == "licence_expired"


def test_of_two_licences_the_one_with_more_left_is_used(recycler, licence_of, now):
    small = use(recycler)
    large = licence_of(recycler, number="second", annual_mass_kg=Decimal(200_000))
    assert use(recycler) == large

    services.draw_mass(
        large, mass_kg=Decimal(150_000), purpose="deal:1", on=date(2026, 11, 23), now=now
    )

    assert use(recycler) == small


# --- kilograms ------------------------------------------------------------------------------------


def draw(licence, kg, purpose, now, on=date(2026, 11, 23)):
    return services.draw_mass(licence, mass_kg=Decimal(kg), purpose=purpose, on=on, now=now)


def test_a_year_is_drawn_down_and_given_back(recycler, now):
    licence = use(recycler)
    draw(licence, 60_000, "deal:1", now)
    assert refused(draw, licence, 40_001, "deal:2", now) == "licence_mass_left"

    assert services.release_mass(purpose="deal:1", now=now) == Decimal(60_000)
    assert services.release_mass(purpose="deal:1", now=now) == 0

    draw(licence, 100_000, "deal:2", now)
    assert LicenceYear.objects.get().drawn_kg == Decimal(100_000)


def test_the_same_purpose_draws_once(recycler, now):
    licence = use(recycler)

    assert draw(licence, 500, "deal:1", now) == draw(licence, 500, "deal:1", now)

    assert LicenceYear.objects.get().drawn_kg == Decimal(500)
    assert refused(draw, licence, 501, "deal:1", now) == "licence_mass_left"


def test_every_year_has_its_own_kilograms(recycler, now):
    licence = use(recycler)

    draw(licence, 100_000, "deal:1", now)
    draw(licence, 100_000, "deal:2", now, on=date(2027, 1, 1))

    assert LicenceYear.objects.count() == 2


def test_a_licence_without_a_yearly_mass_is_not_drawn_upon(recycler, licence_of, now):
    endless = licence_of(recycler, number="endless", annual_mass_kg=None)

    assert draw(endless, 10**8, "deal:1", now) is None
    assert use(recycler, mass_kg=Decimal(10**8)) == endless


def in_threads(work, count=8):
    def alone(n):
        try:
            return work(n)
        except Refused:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return [done for done in pool.map(alone, range(count)) if done is not None]


@pytest.mark.django_db(transaction=True)
def test_eight_deals_at_once_never_overdraw_a_year(recycler, now):
    licence = use(recycler)

    drawn = in_threads(lambda n: draw(licence, 30_000, f"deal:{n}", now))

    assert len(drawn) == 3
    assert LicenceYear.objects.get().drawn_kg == Decimal(90_000)
    assert LicenceDraw.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_eight_verifiers_at_once_make_one_claim(submitted, member, now):
    verifiers = [member(Role.VERIFIER, f"verifier {n}") for n in range(8)]

    claimed = in_threads(lambda n: services.claim_licence(submitted, actor=verifiers[n], now=now))

    assert len(claimed) == 1


@pytest.mark.django_db(transaction=True)
def test_one_person_pressing_twice_gives_one_approval(submitted, verifier, now):
    services.claim_licence(submitted, actor=verifier, now=now)
    check_all(submitted, verifier, now)

    in_threads(lambda n: services.approve_licence(submitted, actor=verifier, now=now), 4)

    assert LicenceApproval.objects.count() == 1
    submitted.refresh_from_db()
    assert submitted.status == Licence.Status.SUBMITTED


# --- the database as the last judge ---------------------------------------------------------------


def breaks(constraint, change):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        change()


@pytest.mark.parametrize(
    ("constraint", "wrong"),
    [
        ("licence_status_known", {"status": "MAGIC"}),
        ("licence_days_are_in_order", {"valid_until": date(2025, 1, 1)}),
        ("licence_days_are_in_order", {"finish_until": date(2026, 1, 2)}),
        ("licence_mass_is_positive", {"annual_mass_kg": Decimal(0)}),
        ("licence_verified_is_dated", {"verified_at": None}),
        ("licence_refusal_has_a_reason", {"status": "REFUSED"}),
        ("licence_claim_is_whole", {"claimed_until": date(2026, 1, 1)}),
    ],
)
@pytest.mark.filterwarnings("ignore:DateTimeField")
def test_the_database_refuses_a_licence_that_is_nonsense(recycler, constraint, wrong):
    licence = use(recycler)

    breaks(constraint, lambda: Licence.objects.filter(pk=licence.pk).update(**wrong))


def test_the_database_refuses_an_overdrawn_year(recycler, now):
    licence = use(recycler)
    draw(licence, 1, "deal:1", now)

    breaks("licence_year_is_not_overdrawn", lambda: LicenceYear.objects.update(drawn_kg=100_001))
    breaks("licence_year_is_not_overdrawn", lambda: LicenceYear.objects.update(drawn_kg=-1))
    breaks("licence_draw_is_positive", lambda: LicenceDraw.objects.update(mass_kg=0))


def test_the_database_counts_everything_once(recycler, verifier, licence_of, now):
    licence = use(recycler)
    year = LicenceYear.objects.create(licence=licence, year=2026, limit_kg=100)
    LicenceDraw.objects.create(licence_year=year, purpose="deal:1", mass_kg=1, drawn_at=now)
    LicenceApproval.objects.create(
        licence=licence, approved_by_id=verifier.user_id, approved_at=now
    )
    check = {"field": "number", "matches": True, "checked_by_id": verifier.user_id}
    LicenceCheck.objects.create(licence=licence, checked_at=now, **check)

    breaks(
        "licence_year_counted_once",
        lambda: LicenceYear.objects.create(licence=licence, year=2026, limit_kg=100),
    )
    breaks(
        "licence_drawn_once_a_purpose",
        lambda: LicenceDraw.objects.create(
            licence_year=year, purpose="deal:1", mass_kg=2, drawn_at=now
        ),
    )
    breaks(
        "licence_approved_once_each",
        lambda: LicenceApproval.objects.create(
            licence=licence, approved_by_id=verifier.user_id, approved_at=now
        ),
    )
    breaks(
        "licence_field_checked_once_each",
        lambda: LicenceCheck.objects.create(licence=licence, checked_at=now, **check),
    )
    breaks(
        "licence_request_counts_once",
        lambda: licence_of(recycler, request_id=licence.request_id),
    )
