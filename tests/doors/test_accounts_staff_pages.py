"""Pages of those who run the site: for staff alone, with a second factor; every decision with a reason."""

from datetime import UTC, datetime, timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse

from marketplace.accounts.models import Organisation, User
from marketplace.journal.models import Entry, Job

PAGES = ["staff-jobs", "staff-organisations"]


@pytest.fixture(autouse=True)
def strict(settings):
    settings.STAFF_NEED_SECOND_FACTOR = True


@pytest.fixture
def keeper(staff, browser):
    """A browser of staff with a second factor."""
    user = User.objects.get(pk=staff.user_id)
    Authenticator.objects.create(user=user, type="totp", data={"secret": "x"})
    return browser(staff)


@pytest.fixture
def dead(db):
    then = datetime(2026, 11, 20, tzinfo=UTC)
    return Job.objects.create(
        kind="pricing.price_lot",
        payload={"lot": 1},
        state=Job.State.DEAD,
        attempts=8,
        run_after=then,
        created_at=then,
        ended_at=then + timedelta(hours=1),
        last_error="ValueError: no quote",
    )


@pytest.mark.parametrize("name", PAGES)
def test_only_staff_enters(everybody, browser, name):
    for who, actor in everybody.items():
        if who == "staff":
            continue
        answer = browser(actor).get(reverse(name))
        assert answer.status_code in (302, 403), who
        assert answer.headers.get("Location", reverse("mfa_index")) == reverse("mfa_index")


def test_staff_without_a_second_factor_is_asked_to_set_one_up(staff, browser):
    for path in ("/staff/jobs/", "/admin/"):
        assert browser(staff).get(path).url == reverse("mfa_index")


def test_members_are_kept_out_with_a_second_factor_too(collector, browser):
    user = User.objects.get(pk=collector.user_id)
    Authenticator.objects.create(user=user, type="totp", data={"secret": "x"})

    assert browser(collector).get(reverse("staff-jobs")).status_code == 403
    assert browser(collector).get("/admin/").status_code == 302


def test_home_shows_those_who_run_the_site_where_their_work_is(keeper, browser, collector):
    mine, others = keeper.get("/").content.decode(), browser(collector).get("/").content.decode()

    assert all(f'class="action" href="{reverse(name)}"' in mine for name in PAGES)
    assert "You act for nobody" not in mine
    assert not any(reverse(name) in others for name in PAGES)


def test_a_dead_job_is_shown_with_its_error_and_tried_again(keeper, dead):
    page = keeper.get(reverse("staff-jobs"))
    assert b"no quote" in page.content

    keeper.post(reverse("staff-job-retry", args=[dead.pk]))

    dead.refresh_from_db()
    assert (dead.state, dead.attempts) == (Job.State.TODO, 0)


def test_a_dead_job_is_given_up_only_with_a_reason(keeper, dead):
    keeper.post(reverse("staff-job-discard", args=[dead.pk]), {"reason": ""})
    dead.refresh_from_db()
    assert dead.state == Job.State.DEAD

    keeper.post(reverse("staff-job-discard", args=[dead.pk]), {"reason": "The lot is gone."})

    dead.refresh_from_db()
    assert dead.state == Job.State.DISCARDED
    assert Entry.objects.get(name="journal.JobDiscarded").payload["reason"] == "The lot is gone."


@pytest.mark.parametrize("name", ["staff-job-retry", "staff-job-discard"])
def test_nobody_else_touches_jobs(collector, browser, dead, settings, name):
    settings.STAFF_NEED_SECOND_FACTOR = False

    answer = browser(collector).post(reverse(name, args=[dead.pk]), {"reason": "Me."})

    assert answer.status_code == 403
    dead.refresh_from_db()
    assert dead.state == Job.State.DEAD


def test_a_frozen_organisation_cannot_act_until_it_is_released(keeper, collector, browser):
    firm = Organisation.objects.get(pk=collector.organisation_id)
    member = browser(collector)
    keeper.post(reverse("staff-organisation-freeze", args=[firm.pk]), {"reason": "Fraud."})
    firm.refresh_from_db()
    assert firm.status == Organisation.Status.FROZEN
    assert member.get(reverse("licence-apply")).status_code == 403

    keeper.post(reverse("staff-organisation-release", args=[firm.pk]), {"reason": "Cleared."})

    assert member.get(reverse("licence-apply")).status_code == 200


def test_freezing_needs_a_reason(keeper, collector):
    keeper.post(
        reverse("staff-organisation-freeze", args=[collector.organisation_id]), {"reason": " "}
    )

    assert Organisation.objects.get(pk=collector.organisation_id).status == "ACTIVE"
    assert not Entry.objects.filter(name="accounts.OrganisationFrozen").exists()


def test_organisations_are_found_by_name(keeper, collector, rival):
    found = keeper.get(reverse("staff-organisations"), {"q": "asha"}).context["page"]

    assert [firm.pk for firm in found] == [collector.organisation_id]


@pytest.mark.parametrize("state", ["DEAD", "TODO", "DONE", "DISCARDED", "nonsense"])
def test_jobs_are_listed_by_state(keeper, dead, state):
    page = keeper.get(reverse("staff-jobs"), {"state": state})

    assert page.status_code == 200
    assert len(page.context["page"]) == (1 if state in ("DEAD", "nonsense") else 0)


@pytest.mark.parametrize(("name", "most"), [("staff-jobs", 12), ("staff-organisations", 9)])
def test_a_list_asks_few_questions_however_long_it_is(
    keeper, member, dead, name, most, django_assert_max_num_queries
):
    for n in range(10):
        member("COLLECTOR", f"collector {n}")
    with django_assert_max_num_queries(most):
        assert keeper.get(reverse(name)).status_code == 200


def test_the_admin_shows_and_changes_nothing(keeper, staff, collector):
    User.objects.filter(pk=staff.user_id).update(is_superuser=True)
    for model in ("journal/entry", "accounts/user", "accounts/licence", "notifications/notice"):
        assert keeper.get(f"/admin/{model}/").status_code == 200
        assert keeper.get(f"/admin/{model}/add/").status_code == 403
    user = keeper.get(f"/admin/accounts/user/{collector.user_id}/change/")
    assert user.status_code == 200
    assert b"md5$" not in user.content
    assert keeper.post(f"/admin/accounts/user/{collector.user_id}/delete/").status_code == 403
