"""Pages of people and organisations: joining, passwords, acting for, members, keys, settings."""

import re
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from marketplace.accounts import services
from marketplace.accounts.capabilities import Role
from marketplace.accounts.models import (
    ApiToken,
    Invitation,
    Membership,
    Organisation,
    SignUpCode,
    User,
)
from marketplace.core.errors import Refused
from marketplace.journal.services import drain
from marketplace.notifications.sms import MemorySms

PHONE = "+6281234567890"


@pytest.fixture
def real_clock():
    from marketplace.core.clock import database_clock

    return database_clock


@pytest.fixture(autouse=True)
def no_old_messages():
    MemorySms.sent.clear()


def ask_for_code(client, address, *, url="account_signup"):
    return client.post(reverse(url), {"address": address})


def code_sent(clock, mailoutbox=()):
    drain(clock=clock)
    text = MemorySms.sent[-1][1] if MemorySms.sent else mailoutbox[-1].body
    return re.search(r"\b\d{6}\b", text)[0]


def joining(**other):
    return {
        "name": "Asha",
        "role": Role.COLLECTOR,
        "organisation_name": "",
        "country": "ID",
        "city": "Bekasi",
        "language": "id",
        "currency": "",
        "password": "three small words",
        "request_id": str(uuid4()),
    } | other


# --- joining --------------------------------------------------------------------------------------


def test_somebody_joins_with_only_a_phone_number(reference, client, real_clock):
    assert ask_for_code(client, "+62 812-3456-7890").url == reverse("join-code")
    code = code_sent(real_clock)
    assert MemorySms.sent[-1][0] == PHONE

    assert client.post(reverse("join-code"), {"code": code}).url == reverse("join")
    answer = client.post(reverse("join"), joining())

    assert answer.url == reverse("home")
    user = User.objects.get()
    assert (user.phone, user.email, user.language) == (PHONE, None, "id")
    firm = Organisation.objects.get()
    assert (firm.name, firm.currency, firm.place) == ("Asha", "IDR", "Bekasi")
    assert (firm.tier, firm.tax_number) == (Organisation.Tier.PHONE, "")
    assert client.get(reverse("organisation")).status_code == 200


def test_somebody_joins_with_an_address_and_logs_in_again(
    reference, client, real_clock, mailoutbox
):
    ask_for_code(client, "Asha@Example.org")
    client.post(reverse("join-code"), {"code": code_sent(real_clock, mailoutbox)})
    client.post(reverse("join"), joining())
    client.post(reverse("account_logout"))

    answer = client.post(
        reverse("account_login"), {"login": "asha@example.org", "password": "three small words"}
    )

    assert answer.url == reverse("home")


def test_phone_users_log_in_with_their_number(reference, client):
    User.objects.create_user(phone=PHONE, name="Asha", password="three small words")

    answer = client.post(
        reverse("account_login"), {"login": "+62 812 3456 7890", "password": "three small words"}
    )

    assert answer.status_code == 302
    assert "_auth_user_id" in client.session


def test_known_and_unknown_addresses_get_the_same_answer(collector, client):
    known = ask_for_code(client, "asha.collector@example.org")
    first = client.get(known.url).content
    unknown = ask_for_code(Client(), "nobody.collector@example.org")

    assert (known.status_code, known.url) == (unknown.status_code, unknown.url)
    other = Client()
    ask_for_code(other, "nobody.collector@example.org")
    second = other.get(unknown.url).content
    assert scrubbed(first) == scrubbed(second)


def scrubbed(page):
    without_tokens = re.sub(rb'name="csrfmiddlewaretoken" value="[^"]+"', b"", page)
    without_tokens = re.search(rb"<main.*</main>", without_tokens, re.DOTALL)[0]
    return re.sub(rb"(asha|nobody)\.collector", b"x", without_tokens)


def test_the_code_of_a_known_address_opens_the_way_to_a_new_password(
    collector, client, real_clock, mailoutbox
):
    ask_for_code(client, "asha.collector@example.org", url="account_reset_password")
    proved = client.post(reverse("join-code"), {"code": code_sent(real_clock, mailoutbox)})
    assert proved.url == reverse("new-password")

    answer = client.post(reverse("new-password"), {"password": "another three words"})

    assert answer.url == reverse("account_login")
    user = User.objects.get(pk=collector.user_id)
    assert user.check_password("another three words")


def test_a_new_password_logs_everybody_else_out(collector, browser, client, real_clock, mailoutbox):
    thief = browser(collector)
    ask_for_code(client, "asha.collector@example.org", url="account_reset_password")
    client.post(reverse("join-code"), {"code": code_sent(real_clock, mailoutbox)})
    client.post(reverse("new-password"), {"password": "another three words"})

    assert thief.get(reverse("settings")).status_code == 302


@pytest.mark.parametrize("address", ["", "me", "12", "0812345", "a@b", "+62 12"])
def test_what_is_no_address_is_refused(reference, client, address):
    answer = ask_for_code(client, address)

    assert answer.status_code == 422
    assert not SignUpCode.objects.exists()


def test_five_wrong_tries_end_a_code(reference, client, real_clock):
    ask_for_code(client, PHONE)
    code = code_sent(real_clock)
    wrong = "000000" if code != "000000" else "111111"
    for _n in range(5):
        assert client.post(reverse("join-code"), {"code": wrong}).status_code == 422

    answer = client.post(reverse("join-code"), {"code": code})

    assert answer.status_code == 422
    assert SignUpCode.objects.get().tries == 5
    assert SignUpCode.objects.get().proved_at is None


def test_a_code_ends_after_a_quarter_of_an_hour(reference, clock):
    row = services.request_code(address=PHONE, now=clock())
    code = services.code_of(row)
    clock.forward(minutes=15)

    with pytest.raises(Refused) as told:
        services.prove_address(address=PHONE, code=code, now=clock())

    assert told.value.code == "code_ended"


def test_three_codes_an_hour_are_enough(reference, clock):
    for _n in range(3):
        services.request_code(address=PHONE, now=clock())

    with pytest.raises(Refused) as told:
        services.request_code(address=PHONE, now=clock())
    assert told.value.code == "too_many_codes"
    assert SignUpCode.objects.count() == 3
    clock.forward(minutes=61)
    services.request_code(address=PHONE, now=clock())


def test_only_the_newest_code_counts(reference, clock):
    old = services.code_of(services.request_code(address=PHONE, now=clock()))
    clock.forward(minutes=1)
    new = services.code_of(services.request_code(address=PHONE, now=clock()))
    assert old != new

    with pytest.raises(Refused):
        services.prove_address(address=PHONE, code=old, now=clock())
    assert services.prove_address(address=PHONE, code=new, now=clock()).proved_at == clock()


def test_a_proof_makes_one_account(reference, clock):
    row = services.request_code(address=PHONE, now=clock())
    proof = services.prove_address(address=PHONE, code=services.code_of(row), now=clock())
    fields = joining(geoname_id=None, currency=None, request_id=uuid4())
    del fields["city"]
    services.sign_up(proof=proof, now=clock(), **fields)

    with pytest.raises(Refused):
        services.sign_up(proof=proof, now=clock(), **fields)

    assert User.objects.count() == Organisation.objects.count() == 1


def test_the_code_is_written_nowhere(reference, clock):
    row = services.request_code(address=PHONE, now=clock())

    assert services.code_of(row) not in row.code_sha256
    assert len(row.code_sha256) == 64


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "password"}, "password"),
        ({"city": "Atlantis"}, "city"),
        ({"country": "XX"}, "country"),
        ({"role": Role.VERIFIER}, "role"),
        ({"name": ""}, "name"),
        ({"currency": "XXX"}, "currency"),
        ({"language": "tlh"}, "language"),
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field(
    reference, client, real_clock, wrong, field
):
    ask_for_code(client, PHONE)
    client.post(reverse("join-code"), {"code": code_sent(real_clock)})

    answer = client.post(reverse("join"), joining(**wrong))

    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not User.objects.exists()
    assert not Organisation.objects.exists()


def test_without_a_proof_nobody_joins(reference, client):
    assert client.post(reverse("join"), joining()).url == reverse("account_signup")
    assert client.post(reverse("new-password"), {"password": "x" * 12}).status_code == 302
    assert not User.objects.exists()


def test_allauths_own_sign_up_is_not_reachable(reference, client):
    client.post("/accounts/signup/", {"email": "x@example.org", "password1": "three small words"})

    assert not User.objects.exists()


def test_too_many_wrong_passwords_lock_the_door_for_a_while(collector, client):
    def attempt(password):
        return client.post(
            reverse("account_login"),
            {"login": "asha.collector@example.org", "password": password},
        )

    for n in range(6):
        attempt(f"wrong {n}")

    attempt("lithium-4-all")
    assert "_auth_user_id" not in client.session


# --- acting for -----------------------------------------------------------------------------------


def test_a_person_chooses_whom_they_act_for(collector, recycler, browser):
    Membership.objects.create(
        user_id=collector.user_id, organisation_id=recycler.organisation_id, role=Role.RECYCLER
    )
    client = browser(collector)

    client.post(reverse("act-for"), {"organisation": recycler.organisation_id})

    assert client.get(reverse("organisation")).context["organisation"].pk == (
        recycler.organisation_id
    )


@pytest.mark.parametrize("other", ["", "x", "999999999"])
def test_nobody_acts_for_what_is_not_theirs(collector, rival, browser, other):
    client = browser(collector)

    assert client.post(reverse("act-for"), {"organisation": other}).status_code in (403, 404)
    assert (
        client.post(reverse("act-for"), {"organisation": rival.organisation_id}).status_code == 403
    )
    assert client.session["acting_for"] == collector.organisation_id


# --- members --------------------------------------------------------------------------------------


def test_an_invited_person_becomes_a_member_once_they_accept(
    collector, stranger, browser, real_clock
):
    host = browser(collector)
    answer = host.post(reverse("members"), {"address": "+6281200000099", "role": Role.COLLECTOR})
    assert answer.url == reverse("members")
    drain(clock=real_clock)
    assert MemorySms.sent[-1][0] == "+6281200000099"
    guest = browser(stranger)
    invitation = Invitation.objects.get()
    assert b"invites you" in guest.get(reverse("organisation")).content

    guest.post(reverse("invitation-accept", args=[invitation.pk]))

    assert Membership.objects.filter(
        user_id=stranger.user_id, organisation_id=collector.organisation_id
    ).exists()
    assert guest.get(reverse("organisation")).context["organisation"].pk == (
        collector.organisation_id
    )


def test_an_invitation_is_for_its_address_alone(collector, rival, browser, now):
    firm = Organisation.objects.get(pk=collector.organisation_id)
    invitation = services.invite_member(
        firm, actor=collector, address="x@example.org", role=Role.COLLECTOR, now=now
    )

    answer = browser(rival).post(reverse("invitation-accept", args=[invitation.pk]))

    assert answer.status_code == 404
    assert not Membership.objects.filter(
        user_id=rival.user_id, organisation_id=collector.organisation_id
    ).exists()


def test_nobody_makes_verifiers_of_their_friends(collector, browser):
    answer = browser(collector).post(
        reverse("members"), {"address": "x@example.org", "role": Role.VERIFIER}
    )

    assert answer.status_code == 422
    assert not Invitation.objects.exists()


def test_the_last_member_stays(collector, browser):
    membership = Membership.objects.get(user_id=collector.user_id)

    browser(collector).post(reverse("member-remove", args=[membership.pk]))

    assert Membership.objects.filter(pk=membership.pk).exists()


def test_members_of_others_cannot_be_removed(collector, rival, browser):
    membership = Membership.objects.get(user_id=rival.user_id)

    answer = browser(collector).post(reverse("member-remove", args=[membership.pk]))

    assert answer.status_code == 404
    assert Membership.objects.filter(pk=membership.pk).exists()


# --- keys, settings -------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_opens_the_api(collector, browser):
    client = browser(collector)
    client.post(reverse("tokens"), {"name": "scale", "days": 30})

    page = client.get(reverse("tokens")).content.decode()
    secret = re.search(r"vb_[\w-]+", page)[0]

    assert secret not in client.get(reverse("tokens")).content.decode()
    assert secret not in ApiToken.objects.get().sha256
    bearer = Client(headers={"authorization": f"Bearer {secret}"})
    assert bearer.get("/api/v1/me/").status_code == 200


def test_a_withdrawn_or_ended_key_opens_nothing(collector, browser, clock):
    token, secret = services.issue_token(actor=collector, name="scale", days=1, now=clock())
    assert services.use_token(secret, now=clock())[0] == token
    assert services.use_token("vb_wrong", now=clock()) is None
    assert services.use_token(secret, now=clock.forward(days=1)) is None
    again, other = services.issue_token(actor=collector, name="scale", days=9, now=clock())

    browser(collector).post(reverse("token-revoke", args=[again.pk]))

    assert services.use_token(other, now=clock()) is None


def test_a_key_ends_with_the_membership_and_with_the_organisation(collector, staff, clock):
    _token, secret = services.issue_token(actor=collector, name="scale", days=9, now=clock())
    firm = Organisation.objects.get(pk=collector.organisation_id)
    services.freeze_organisation(firm, actor=staff, reason="Fraud.", now=clock())
    assert services.use_token(secret, now=clock()) is None
    services.release_organisation(firm, actor=staff, reason="Cleared.", now=clock())
    assert services.use_token(secret, now=clock()) is not None

    Membership.objects.filter(user_id=collector.user_id).delete()

    assert services.use_token(secret, now=clock()) is None


def test_the_keys_of_others_are_not_there(collector, rival, browser, now):
    token, _secret = services.issue_token(actor=rival, name="scale", days=1, now=now)

    answer = browser(collector).post(reverse("token-revoke", args=[token.pk]))

    assert answer.status_code == 404
    assert ApiToken.objects.get().revoked_at is None


def test_a_person_changes_name_and_language(collector, browser):
    client = browser(collector)

    client.post(reverse("settings"), {"name": "Asha the Great", "language": "id"})

    user = User.objects.get(pk=collector.user_id)
    assert (user.name, user.language) == ("Asha the Great", "id")


def test_an_organisation_changes_its_town_and_currency(collector, browser):
    client = browser(collector)

    client.post(
        reverse("organisation"),
        {"name": "Aki Bekas", "city": "Surabaya", "currency": "USD", "tax_number": ""},
    )

    firm = Organisation.objects.get(pk=collector.organisation_id)
    assert (firm.name, firm.place, firm.currency) == ("Aki Bekas", "Surabaya", "USD")


PAGES = ["organisation", "members", "tokens", "settings", "inbox", "licences"]


@pytest.mark.parametrize("name", PAGES)
def test_strangers_are_asked_to_log_in(reference, client, name):
    answer = client.get(reverse(name))

    assert answer.status_code == 302
    assert answer.url.startswith(reverse("account_login"))


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_for_every_role(everybody, browser, name):
    for who, actor in everybody.items():
        status = browser(actor).get(reverse(name)).status_code
        assert status in (200, 302), (who, name, status)


@pytest.mark.parametrize(("name", "most"), [("members", 12), ("tokens", 9), ("organisation", 9)])
def test_a_page_asks_few_questions_however_long_its_list(
    collector, member, browser, now, name, most, django_assert_max_num_queries
):
    for n in range(12):
        member(Role.COLLECTOR, f"colleague {n}", of=collector.organisation_id)
        services.issue_token(actor=collector, name=f"scale {n}", days=9, now=now)
    client = browser(collector)

    with django_assert_max_num_queries(most):
        assert client.get(reverse(name)).status_code == 200
