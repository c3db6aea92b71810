from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction

from marketplace.accounts.models import Organisation
from marketplace.core.errors import Refused
from marketplace.core.models import AlreadyMovedOn
from marketplace.core.uploads import UploadRefused
from marketplace.journal.models import Entry
from marketplace.journal.services import switchboard
from marketplace.lots import queries, services
from marketplace.lots.models import Lot, LotPhoto
from marketplace.reference.models import Chemistry
from tests.cast_lots import *  # noqa: F403
from tests.cast_lots import BEKASI, SAFE, picture

pytestmark = pytest.mark.django_db


def stored(lot):
    return Lot.objects.values().get(pk=lot.pk)


# --- the draft ------------------------------------------------------------------------------------


def test_the_same_request_starts_one_lot(collector, now):
    request_id = uuid4()

    first = services.start_lot(actor=collector, request_id=request_id, now=now)
    again = services.start_lot(actor=collector, request_id=request_id, now=now)

    assert first == again
    assert Lot.objects.count() == 1


def test_two_sellers_may_use_the_same_request_id(collector, rival_collector, now):
    request_id = uuid4()

    one = services.start_lot(actor=collector, request_id=request_id, now=now)
    other = services.start_lot(actor=rival_collector, request_id=request_id, now=now)

    assert one != other


def test_a_carrier_starts_no_lot(carrier, now):
    with pytest.raises(PermissionDenied):
        services.start_lot(actor=carrier, request_id=uuid4(), now=now)

    assert not Lot.objects.exists()


def test_another_collector_changes_nothing_of_a_lot(draft, collector, rival_collector, now):
    lot = draft(collector)
    before = stored(lot)
    attempts = [
        lambda: services.add_photo(lot, actor=rival_collector, upload=picture((1, 2, 3)), now=now),
        lambda: services.remove_photo(lot.photos.get(), actor=rival_collector, now=now),
        lambda: services.answer_origin(lot, actor=rival_collector, origin="CAR", now=now),
        lambda: services.answer_chemistry(lot, actor=rival_collector, chemistry=None, now=now),
        lambda: services.answer_amount(lot, actor=rival_collector, mass_kg=Decimal(1), now=now),
        lambda: services.answer_health(
            lot, actor=rival_collector, state_of_health=Decimal("0.8"), now=now
        ),
        lambda: services.answer_place(
            lot, actor=rival_collector, country="ID", geoname_id=BEKASI, now=now
        ),
        lambda: services.answer_triage(lot, actor=rival_collector, answers=SAFE, now=now),
        lambda: services.declare_and_submit(lot, actor=rival_collector, now=now),
        lambda: services.withdraw_lot(lot, actor=rival_collector, now=now),
        lambda: services.call_safety_pickup(lot, actor=rival_collector, now=now),
        lambda: services.answer_question(lot, actor=rival_collector, answer="x", now=now),
    ]

    for attempt in attempts:
        with pytest.raises(PermissionDenied):
            attempt()

    assert stored(lot) == before
    assert lot.photos.count() == 1
    assert not Entry.objects.exists()


# --- photos ---------------------------------------------------------------------------------------


def test_the_same_photo_counts_once(draft, collector, now):
    lot = draft(collector)

    again = services.add_photo(lot, actor=collector, upload=picture(), now=now)

    assert again == lot.photos.get()


def test_a_ninth_photo_is_refused(draft, collector, now):
    lot = draft(collector)
    for shade in range(1, 8):
        services.add_photo(lot, actor=collector, upload=picture((shade * 9, 0, 0)), now=now)

    with pytest.raises(services.PhotoRefused) as refusal:
        services.add_photo(lot, actor=collector, upload=picture((200, 200, 0)), now=now)

    assert (refusal.value.code, refusal.value.field) == ("too_many_photos", "photo")
    assert lot.photos.count() == 8


def test_a_photo_loses_its_metadata_and_its_size(draft, collector, now):
    lot = draft(collector)
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00 GPS secret place"

    photo = services.add_photo(
        lot, actor=collector, upload=picture((9, 9, 9), size=(3000, 2000), exif=exif), now=now
    )

    assert (photo.width, photo.height) == (1600, 1067)
    with photo.file.open() as kept:
        assert b"secret" not in kept.read()


@pytest.mark.parametrize(
    ("upload", "code"),
    [
        (picture(form="GIF", name="battery.jpg"), "unknown_type"),
        (SimpleUploadedFile("x.jpg", b"<script>alert(1)</script>"), "unknown_type"),
        (SimpleUploadedFile("x.jpg", b"\xff\xd8\xff\xe0" + b"0" * 500), "broken_file"),
        (SimpleUploadedFile("x.jpg", b""), "empty_file"),
    ],
)
def test_what_is_no_photo_is_refused_whatever_its_name(draft, collector, now, upload, code):
    lot = draft(collector)

    with pytest.raises(UploadRefused) as refusal:
        services.add_photo(lot, actor=collector, upload=upload, now=now)

    assert refusal.value.code == code
    assert lot.photos.count() == 1


def test_what_hides_behind_a_photo_is_left_outside(draft, collector, now):
    lot = draft(collector)
    polyglot = SimpleUploadedFile(
        "x.jpg", picture((7, 7, 7)).read() + b"PK\x03\x04<script>evil()</script>"
    )

    photo = services.add_photo(lot, actor=collector, upload=polyglot, now=now)

    with photo.file.open() as kept:
        assert b"evil" not in kept.read()


def test_a_60_mb_photo_is_refused(draft, collector, now):
    lot = draft(collector)
    huge = SimpleUploadedFile("x.jpg", b"\xff\xd8" + b"0" * 60 * 2**20)

    with pytest.raises(UploadRefused) as refusal:
        services.add_photo(lot, actor=collector, upload=huge, now=now)

    assert refusal.value.code == "too_large"
    assert lot.photos.count() == 1


def test_a_submitted_lot_keeps_its_last_photo(submitted, collector, now):
    lot = submitted(collector)

    with pytest.raises(services.LotIncomplete):
        services.remove_photo(lot.photos.get(), actor=collector, now=now)

    assert lot.photos.count() == 1


def test_a_photo_of_one_lot_is_not_taken_out_through_its_sibling(draft, collector, now):
    one, other = draft(collector), draft(collector)

    services.remove_photo(one.photos.get(), actor=collector, now=now)

    assert (one.photos.count(), other.photos.count()) == (0, 1)


# --- amounts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "amount",
    [
        {"mass_kg": Decimal(0)},
        {"mass_kg": Decimal(-5)},
        {"mass_kg": Decimal("0.0001")},
        {"mass_kg": Decimal("NaN")},
        {"mass_kg": Decimal("Infinity")},
        {"mass_kg": Decimal("1e30")},
        {"mass_kg": Decimal(100_001)},
        {"energy_kwh": Decimal(0)},
        {"energy_kwh": Decimal("1e12")},
        {"units": 0},
        {"units": -1},
        {"units": 1_000_001},
        {},
    ],
)
def test_an_absurd_amount_is_refused_and_nothing_is_written(draft, collector, now, amount):
    lot = draft(collector)
    before = stored(lot)

    with pytest.raises(services.AmountRefused) as refusal:
        services.answer_amount(lot, actor=collector, now=now, **amount)

    assert refusal.value.code == "amount_refused"
    assert refusal.value.field == next(iter(amount), "mass_kg")
    assert stored(lot) == before


def test_a_mass_is_estimated_from_kilowatt_hours(draft, collector, now):
    lot = draft(collector, chemistry="LFP", energy_kwh=Decimal(12))

    assert (lot.mass_kg, lot.mass_is_estimated) == (Decimal(100), True)


def test_a_mass_is_estimated_from_units_of_what_it_came_from(draft, collector, now):
    lot = draft(collector, origin="STARTER", chemistry="PBA", units=10)

    assert lot.mass_is_estimated
    assert Decimal(100) < lot.mass_kg < Decimal(200)


def test_an_estimate_follows_the_chemistry_and_a_weighing_does_not(draft, collector, now):
    estimated = draft(collector, chemistry="LFP", energy_kwh=Decimal(12))
    weighed = draft(collector, chemistry="LFP", energy_kwh=Decimal(12), mass_kg=Decimal(99))

    for lot in (estimated, weighed):
        services.answer_chemistry(
            lot, actor=collector, chemistry=Chemistry.objects.get(pk="PBA"), now=now
        )
        lot.refresh_from_db()

    assert (estimated.mass_kg, estimated.mass_is_estimated) == (Decimal(400), True)
    assert (weighed.mass_kg, weighed.mass_is_estimated) == (Decimal(99), False)


@pytest.mark.parametrize("health", [Decimal("-0.01"), Decimal("1.21"), Decimal("NaN")])
def test_an_absurd_health_is_refused(draft, collector, now, health):
    lot = draft(collector)

    with pytest.raises((services.AmountRefused, ArithmeticError)):
        services.answer_health(lot, actor=collector, state_of_health=health, now=now)

    assert stored(lot)["state_of_health"] is None


# --- place and triage -----------------------------------------------------------------------------


def test_a_place_keeps_the_town_and_a_rough_position(draft, collector):
    lot = draft(collector)

    assert (lot.place, lot.country) == ("Bekasi", "ID")
    assert lot.latitude.as_tuple().exponent >= -2


@pytest.mark.parametrize(("country", "geoname_id"), [("ID", 1), ("IN", BEKASI), ("", BEKASI)])
def test_a_town_that_is_not_there_is_refused(draft, collector, now, country, geoname_id):
    lot = draft(collector)
    before = stored(lot)

    with pytest.raises(services.PlaceRefused) as refusal:
        services.answer_place(lot, actor=collector, country=country, geoname_id=geoname_id, now=now)

    assert (refusal.value.code, refusal.value.field) == ("place_unknown", "geoname_id")
    assert stored(lot) == before


def test_red_quarantines_at_once_and_cannot_be_handed_in(draft, collector, now):
    lot = draft(collector, answers=SAFE | {"hot": True})

    assert (lot.status, lot.triage) == ("QUARANTINED", "RED")
    assert [entry.name for entry in Entry.objects.all()] == ["lots.LotQuarantined"]
    with pytest.raises(Refused):
        services.declare_and_submit(lot, actor=collector, now=now)
    with pytest.raises(Refused):
        services.answer_triage(lot, actor=collector, answers=SAFE, now=now)
    assert stored(lot)["status"] == "QUARANTINED"


def test_a_valued_lot_that_turns_hot_is_quarantined(priced, collector, now):
    lot = priced(collector)

    lot = services.answer_triage(lot, actor=collector, answers=SAFE | {"smell": True}, now=now)

    assert lot.status == "QUARANTINED"


@pytest.mark.parametrize("answers", [{}, {"hot": False}, SAFE | {"purple": False}])
def test_all_six_pictograms_are_answered(draft, collector, now, answers):
    lot = draft(collector)
    before = stored(lot)

    with pytest.raises(services.TriageIncomplete):
        services.answer_triage(lot, actor=collector, answers=answers, now=now)

    assert stored(lot) == before


# --- handing in -----------------------------------------------------------------------------------


def test_an_unfinished_lot_is_refused_with_the_first_open_question(collector, now):
    lot = services.start_lot(actor=collector, request_id=uuid4(), now=now)

    with pytest.raises(services.LotIncomplete) as refusal:
        services.declare_and_submit(lot, actor=collector, now=now)

    assert refusal.value.field == "photos"
    assert stored(lot)["status"] == "DRAFT"
    assert not Entry.objects.exists()


def test_handing_in_twice_counts_once(draft, collector, now):
    lot = draft(collector)

    services.declare_and_submit(lot, actor=collector, now=now)
    services.declare_and_submit(lot, actor=collector, now=now)

    assert Entry.objects.filter(name="lots.LotSubmitted").count() == 1


def test_somebody_with_only_a_phone_number_has_a_cap(draft, member, now):
    actor = member("COLLECTOR", "Nur Collector", tier=Organisation.Tier.PHONE)
    services.declare_and_submit(draft(actor, mass_kg=Decimal(450)), actor=actor, now=now)
    second = draft(actor, mass_kg=Decimal(51))

    with pytest.raises(services.TooMuchListed) as refusal:
        services.declare_and_submit(second, actor=actor, now=now)

    assert (refusal.value.code, refusal.value.field) == ("listing_cap_reached", "mass_kg")
    assert "50" in refusal.value.message
    assert stored(second)["status"] == "DRAFT"
    later = now + timedelta(days=31)
    assert services.declare_and_submit(second, actor=actor, now=later).status == "SUBMITTED"


def test_new_evidence_counts_up_and_is_told(submitted, collector, now):
    lot = submitted(collector)

    lot = services.answer_amount(lot, actor=collector, mass_kg=Decimal(120), now=now)

    assert lot.evidence_version == 2
    told = Entry.objects.get(name="lots.LotEvidenceChanged")
    assert told.payload == {"lot_id": lot.pk, "evidence_version": 2}


def test_a_lot_under_the_hammer_cannot_be_changed(priced, collector, now):
    lot = services.mark_open(priced(collector), by=collector, now=now)

    with pytest.raises(services.LotNotEditable):
        services.answer_amount(lot, actor=collector, mass_kg=Decimal(1), now=now)
    with pytest.raises(Refused):
        services.withdraw_lot(lot, actor=collector, now=now)

    assert stored(lot)["mass_kg"] == Decimal(112)


def test_staff_asks_and_the_seller_answers(submitted, collector, staff, now):
    lot = submitted(collector)

    services.ask_seller(lot, actor=staff, question="Which scooter?", now=now)
    assert stored(lot)["status"] == "NEEDS_INFO"
    lot = services.answer_question(lot, actor=collector, answer="An old one.", now=now)

    assert (lot.status, lot.question, lot.note) == ("SUBMITTED", "", "An old one.")


def test_only_staff_asks(submitted, collector, recycler, now):
    lot = submitted(collector)

    for actor in (collector, recycler):
        with pytest.raises(services.QuestionRefused):
            services.ask_seller(lot, actor=actor, question="Why?", now=now)

    assert stored(lot)["status"] == "SUBMITTED"


def test_an_unanswered_question_expires_after_a_month(submitted, collector, staff, now):
    lot = submitted(collector)
    services.ask_seller(lot, actor=staff, question="Which scooter?", now=now)

    assert services.expire_lots(now=now + timedelta(days=29)) == 0
    assert services.expire_lots(now=now + timedelta(days=31)) == 1
    assert services.expire_lots(now=now + timedelta(days=31)) == 0

    assert stored(lot)["status"] == "EXPIRED"


def test_a_withdrawn_lot_stays_withdrawn_and_frees_the_cap(submitted, collector, now):
    lot = services.withdraw_lot(submitted(collector), actor=collector, now=now)

    assert lot.status == "WITHDRAWN"
    assert queries.listed_kg(collector.organisation_id, now=now) == 0
    with pytest.raises(AlreadyMovedOn):
        services.withdraw_lot(lot, actor=collector, now=now)


ARROWS = [
    services.mark_scheduled,
    services.mark_open,
    services.mark_evaluating,
    services.mark_seller_decision,
    services.mark_awarded,
    services.mark_under_deal,
    services.mark_collected,
    services.mark_delivered,
    services.mark_part_accepted,
    services.mark_processed,
    services.mark_certified,
    services.mark_archived,
]


def test_a_lot_goes_its_whole_way_one_arrow_at_a_time(priced, collector, recycler, now):
    lot = priced(collector)

    for arrow in ARROWS:
        lot = arrow(lot, by=recycler, now=now)

    assert lot.status == "ARCHIVED"
    moved = Entry.objects.filter(
        name="lots.LotMoved", organisation_id=recycler.organisation_id
    ).order_by("pk")
    assert moved.count() == len(ARROWS)


def test_a_valued_lot_is_awarded_at_once_if_a_standing_order_takes_it(priced, collector, now):
    assert services.mark_awarded(priced(collector), by=collector, now=now).status == "AWARDED"


NOT_FROM_PRICED = [
    *(arrow for arrow in ARROWS[2:] if arrow is not services.mark_awarded),
    services.mark_accepted,
    services.mark_rejected,
]


@pytest.mark.parametrize("arrow", NOT_FROM_PRICED)
def test_an_arrow_that_is_not_there_is_refused(priced, collector, now, arrow):
    lot = priced(collector)
    told = Entry.objects.count()

    with pytest.raises(AlreadyMovedOn):
        arrow(lot, by=collector, now=now)

    assert stored(lot)["status"] == "PRICED"
    assert Entry.objects.count() == told


# --- who sees it ----------------------------------------------------------------------------------


def test_a_lot_is_the_sellers_secret_until_it_is_for_sale(
    priced, collector, rival_collector, recycler, staff, anonymous, now
):
    lot = priced(collector)
    strangers = (rival_collector, recycler, anonymous)

    assert all(lot not in Lot.objects.visible_to(actor) for actor in strangers)
    assert lot in Lot.objects.visible_to(collector)
    assert lot in Lot.objects.visible_to(staff)
    services.mark_scheduled(lot, by=collector, now=now)
    assert all(lot in Lot.objects.visible_to(actor) for actor in strangers)


# --- the last judge -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("lot_status_known", {"status": "LOST"}),
        ("lot_origin_known", {"origin": "SPACESHIP"}),
        ("lot_triage_known", {"triage": "BLUE", "status": "DRAFT"}),
        ("lot_mass_is_plausible", {"mass_kg": 0}),
        ("lot_mass_is_plausible", {"mass_kg": 100_001}),
        ("lot_energy_is_plausible", {"energy_kwh": 0}),
        ("lot_units_are_plausible", {"units": 0}),
        ("lot_health_is_plausible", {"state_of_health": Decimal("1.3")}),
        ("lot_is_on_earth", {"latitude": Decimal("95.00"), "longitude": Decimal("1.00")}),
        ("lot_is_on_earth", {"latitude": None, "longitude": Decimal("1.00")}),
        ("lot_is_whole_once_submitted", {"declared_at": None}),
        ("lot_is_whole_once_submitted", {"mass_kg": None}),
        ("lot_red_is_not_for_sale", {"triage": "RED"}),
    ],
)
def test_the_database_refuses_nonsense(submitted, collector, name, nonsense):
    lot = submitted(collector)

    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Lot.objects.filter(pk=lot.pk).update(**nonsense)


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [("photo_shows_known", {"shows": "CAT"}), ("photo_has_a_size", {"width": 0})],
)
def test_the_database_refuses_nonsense_photos(draft, collector, name, nonsense):
    photo = draft(collector).photos.get()

    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        LotPhoto.objects.filter(pk=photo.pk).update(**nonsense)


def test_the_database_keeps_each_photo_and_request_once(draft, collector):
    lot = draft(collector)
    photo, copy = lot.photos.get(), Lot.objects.get(pk=lot.pk)
    photo.pk = copy.pk = None

    with pytest.raises(IntegrityError, match="photo_added_once"), transaction.atomic():
        photo.save(force_insert=True)
    with pytest.raises(IntegrityError, match="lot_request_counts_once"), transaction.atomic():
        copy.save(force_insert=True)


# --- races ----------------------------------------------------------------------------------------


def together(count, attempt):
    def alone(number):
        try:
            return attempt(number)
        except Refused as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(alone, range(count)))


@pytest.mark.django_db(transaction=True)
def test_one_request_at_once_from_many_phones_starts_one_lot(collector, now):
    request_id = uuid4()

    lots = together(
        6, lambda _n: services.start_lot(actor=collector, request_id=request_id, now=now)
    )

    assert len(set(lots)) == 1
    assert Lot.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_lots_at_once_do_not_pass_the_cap_together(draft, member, now):
    actor = member("COLLECTOR", "Nur Collector", tier=Organisation.Tier.PHONE)
    lots = [draft(actor, mass_kg=Decimal(300)) for _n in range(4)]

    together(4, lambda n: services.declare_and_submit(lots[n], actor=actor, now=now))

    assert queries.listed_kg(actor.organisation_id, now=now) == Decimal(300)


@pytest.mark.django_db(transaction=True)
def test_one_photo_at_once_is_kept_once(draft, collector, now):
    lot = draft(collector)

    together(
        4,
        lambda _n: services.add_photo(lot, actor=collector, upload=picture((250, 0, 0)), now=now),
    )

    assert lot.photos.count() == 2


# --- the rest of the refusals ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "field", "attempt"),
    [
        (
            services.PhotoRefused,
            "shows",
            lambda lot, actor, now: services.add_photo(
                lot, actor=actor, upload=picture((3, 3, 3)), shows="CAT", now=now
            ),
        ),
        (
            services.LotIncomplete,
            "origin",
            lambda lot, actor, now: services.answer_origin(
                lot, actor=actor, origin="SPACESHIP", now=now
            ),
        ),
        (
            services.AmountRefused,
            "mass_kg",
            lambda lot, actor, now: services.answer_together(
                lot, actor=actor, answers={"origin": "BUS", "energy_kwh": Decimal(99_999)}, now=now
            ),
        ),
    ],
)
def test_a_refusal_names_its_field_and_writes_nothing(
    draft, collector, now, refused, field, attempt
):
    lot = draft(collector, chemistry="PBA", units=2)
    before = stored(lot)

    with pytest.raises(refused) as refusal:
        attempt(lot, collector, now)

    assert refusal.value.field == field
    assert stored(lot) == before
    assert lot.photos.count() == 1


def test_units_of_nobody_knows_what_are_refused(collector, now):
    lot = services.start_lot(actor=collector, request_id=uuid4(), now=now)

    with pytest.raises(services.AmountRefused) as refusal:
        services.answer_amount(lot, actor=collector, units=5, now=now)

    assert "Give the weight" in refusal.value.message
    assert stored(lot)["units"] is None


def test_a_machine_owns_no_lot(collector, draft, now):
    lot = draft(collector)
    machine = replace(collector, user_id=None)

    with pytest.raises(services.LotIncomplete):
        services.start_lot(actor=machine, request_id=uuid4(), now=now)
    with pytest.raises(services.LotIncomplete):
        services.declare_and_submit(lot, actor=machine, now=now)

    assert stored(lot)["status"] == "DRAFT"
    assert Lot.objects.count() == 1


def test_a_question_and_its_answer_are_not_empty(submitted, collector, staff, now):
    lot = submitted(collector)
    for question in ("", " ", "x" * 1001):
        with pytest.raises(services.QuestionRefused):
            services.ask_seller(lot, actor=staff, question=question, now=now)
    assert stored(lot)["status"] == "SUBMITTED"

    services.ask_seller(lot, actor=staff, question="Why?", now=now)
    for answer in ("", " ", "x" * 1001):
        with pytest.raises(services.QuestionRefused):
            services.answer_question(lot, actor=collector, answer=answer, now=now)
    with pytest.raises(services.LotIncomplete):
        services.declare_and_submit(lot, actor=collector, now=now)
    assert stored(lot)["status"] == "NEEDS_INFO"


WAYS = [
    ("PRICED", [services.mark_open, services.mark_withdrawn], "WITHDRAWN"),
    ("PRICED", [services.mark_open, services.mark_evaluating, services.mark_unsold], "UNSOLD"),
    (
        "DELIVERED",
        [services.mark_accepted, services.mark_processed],
        "PROCESSED",
    ),
    ("DELIVERED", [services.mark_rejected, services.mark_returned], "RETURNED"),
]


@pytest.mark.parametrize(("start", "arrows", "end"), WAYS)
def test_a_lot_goes_the_other_ways(priced, collector, now, start, arrows, end):
    lot = priced(collector)
    Lot.objects.filter(pk=lot.pk).update(status=start)

    for arrow in arrows:
        lot = arrow(lot, by=collector, now=now)

    assert lot.status == end


def test_a_dangerous_lot_is_fetched_and_made_safe(draft, collector, staff, now):
    lot = draft(collector, answers=SAFE | {"hot": True})

    services.call_safety_pickup(lot, actor=collector, now=now)
    lot = services.mark_disposed(lot, by=staff, now=now)

    assert lot.status == "DISPOSED"


def test_expiring_is_daily_work(submitted, collector, staff, now):
    lot = submitted(collector)
    services.ask_seller(lot, actor=staff, question="Which scooter?", now=now)

    switchboard().schedules["lots.expire"].work({"slot": ""})(now + timedelta(days=31))

    assert stored(lot)["status"] == "EXPIRED"
