"""The demo market: the same services as everybody's, by a pretend clock."""

from collections import Counter
from datetime import timedelta
from itertools import islice
from random import Random

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.management import CommandError, call_command
from django.db.models import Sum

from marketplace.accounts.models import Licence, Organisation, User
from marketplace.certificates.models import Certificate
from marketplace.deals.models import Deal
from marketplace.journal.models import Entry, Job
from marketplace.ledger.models import Posting
from marketplace.lots.models import Lot
from marketplace.market.models import Auction, Bid
from marketplace.ops.demo_market import cast, drawing
from marketplace.ops.demo_market.calendar import Calendar
from marketplace.ops.demo_market.stock import piles
from marketplace.reference.models import PackModel
from tests.conftest import NOW


@pytest.fixture
def market(transactional_db, settings, tmp_path):
    """A small one."""
    settings.VAR_DIR = tmp_path
    settings.KEYS_DIR = tmp_path / "keys"
    call_command("load_reference", verbosity=0)
    call_command("create_keys", verbosity=0)
    call_command("seed_demo", lots=24, seed=7)
    return tmp_path


@pytest.mark.django_db(transaction=True)
def test_a_market_lives_through_the_services_and_leaves_nothing_undone(market, capsys):
    assert Organisation.objects.count() >= 40
    assert Lot.objects.count() == 24
    assert Organisation.objects.values("country").distinct().count() >= 8
    assert Auction.objects.exists()
    assert Bid.objects.exists()
    assert Deal.objects.exists()
    assert Licence.objects.filter(status="VERIFIED").count() >= 20
    for_the_worker = ["logistics.render_documents", "lots.read_codes"]
    undone = Job.objects.exclude(state="DONE").exclude(kind__in=for_the_worker)
    assert not undone.exists(), undone.values("kind", "last_error")
    assert not Posting.objects.values("currency").annotate(all=Sum("amount")).exclude(all=0)

    # everything is on the record, in the order of the pretend time, and nothing lies in the future
    at = list(Entry.objects.order_by("pk").values_list("at", flat=True))
    assert max(at) - min(at) > timedelta(weeks=5)
    assert not Certificate.objects.filter(issued_at__gt=max(at)).exists()

    accounts = (market / "demo-accounts.txt").read_text()
    for role in ("collector", "recycler", "integrator", "carrier", "verifier", "staff"):
        user = User.objects.get(email=f"{role}@demo.example")
        assert Argon2PasswordHasher().verify(cast.PASSWORD, user.password)
        assert user.email in accounts

    # the second time
    call_command("seed_demo", "--if-empty")
    with pytest.raises(CommandError, match="already"):
        call_command("seed_demo")
    assert Lot.objects.count() == 24


def test_the_same_seed_piles_up_the_same_packs(db):
    call_command("load_reference", verbosity=0)
    packs = list(PackModel.objects.select_related("chemistry").order_by("pk"))

    once = list(islice(piles(packs, "ID", Random(1)), 40))
    again = list(islice(piles(packs, "ID", Random(1)), 40))
    other = list(islice(piles(packs, "ID", Random(2)), 40))

    assert once == again != other
    assert all(0 < pile.mass_kg < 100_000 for pile in once)
    assert len(Counter(pile.pack.kind for pile in once)) >= 5


def test_the_cast_trades_in_eight_countries_with_one_address_each():
    everyone = list(cast.everyone())

    assert len({party.address for party in everyone}) == len(everyone) >= 40
    for country in {party.country for party in cast.COLLECTORS}:
        assert any(party.country == country for party in cast.RECYCLERS)
        assert any(party.country == country for party in cast.CARRIERS)


def test_a_calendar_runs_its_processes_in_the_order_of_their_times():
    calendar, seen = Calendar(NOW), []

    def act(name, *waits):
        for wait in waits:
            seen.append((name, (calendar.now - NOW).seconds // 60))
            yield timedelta(minutes=wait)

    calendar.start(act("a", 10, 10, 10))
    calendar.start(act("b", 15, 50), at=NOW + timedelta(minutes=5))
    calendar.run(NOW + timedelta(minutes=30), before_each=lambda: None)

    assert seen == [("a", 0), ("b", 5), ("a", 10), ("b", 20), ("a", 20)]
    assert calendar.clock() == NOW + timedelta(minutes=30)


def test_a_picture_is_drawn_the_same_way_for_the_same_seed():
    look = {"kind": "HOME", "css_class": "lfp", "letters": "LFP", "volts": "48 V", "count": 3}

    one = drawing.photograph(**look, seed=1)

    assert one == drawing.photograph(**look, seed=1) != drawing.photograph(**look, seed=2)
    assert one.startswith(b"\xff\xd8")
    assert drawing.photograph(**look, seed=1, damaged=True) != one
    assert drawing.scanned_page(["Licence"], seed=1).startswith(b"\x89PNG")


def test_the_drawings_know_every_kind_of_pack():
    for kind in PackModel.Kind.values:
        picture = drawing.photograph(
            kind=kind, css_class="unk", letters="?", volts="12 V", count=1, seed=1, close=True
        )
        assert len(picture) > 5_000


def test_an_operator_appoints_verifiers_and_staff(db, capsys):
    call_command("load_reference", verbosity=0)

    for email in ("one@law.example", "two@law.example"):
        call_command("appoint", email, "--role", "VERIFIER", "--organisation", "Law and Co")
    call_command("appoint", "boss@law.example", "--role", "STAFF")
    call_command("appoint", "one@law.example", "--role", "STAFF")

    said = capsys.readouterr().out
    assert said.count("Password: ") == 3
    firm = Organisation.objects.get(name="Law and Co")
    assert firm.memberships.filter(role="VERIFIER").count() == 2
    assert User.objects.get(email="one@law.example").is_staff


def test_an_office_needs_an_organisation(db):
    with pytest.raises(CommandError, match="Name the organisation"):
        call_command("appoint", "one@law.example", "--role", "REGULATOR")

    assert not User.objects.exists()
