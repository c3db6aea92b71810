"""Codes of a lot: typed, read from its photos, compared with its owner's word and with every other lot."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import BytesIO

import pytest
import segno
import zxingcpp
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connections, transaction
from PIL import Image

from marketplace.journal.models import Entry, Job
from marketplace.lots import services
from marketplace.lots.models import Lot, LotIdentifier
from marketplace.reference.models import Chemistry
from tests.cast_lots import *  # noqa: F403
from tests.cast_lots import picture

pytestmark = pytest.mark.django_db

LFP_CODE = "02LPB02100101A87Y0052124"
LINK = "https://id.gs1.org/01/09506000134352/21/SN-7"


def add(lot, actor, now, *texts, read="TYPED"):
    return services.add_identifiers(lot, actor=actor, texts=texts, read=read, now=now)


def photo_of(symbol: Image.Image, *, width: int, size=(4000, 3000)) -> SimpleUploadedFile:
    """A photo as a phone takes it: a symbol of some width, a little turned, on a structured ground."""
    ground = Image.effect_noise((size[0] // 40, size[1] // 40), 40).resize(size).convert("RGB")
    symbol = symbol.convert("RGB").resize((width, width), Image.Resampling.LANCZOS)
    ground.paste(symbol.rotate(6, expand=True, fillcolor="white"), (size[0] // 3, size[1] // 3))
    out = BytesIO()
    ground.save(out, "JPEG", quality=88)
    return SimpleUploadedFile("label.jpg", out.getvalue(), content_type="image/jpeg")


def qr(text: str) -> Image.Image:
    out = BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=20, border=4)
    return Image.open(out)


def data_matrix(text: str) -> Image.Image:
    made = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix)
    drawn = Image.fromarray(zxingcpp.write_barcode_to_image(made, scale=12))
    framed = Image.new("L", (drawn.width + 96, drawn.height + 96), "white")
    framed.paste(drawn, (48, 48))
    return framed


# --- adding ---------------------------------------------------------------------------------------


def test_a_seller_adds_codes_and_each_counts_once(draft, collector, now):
    lot = draft(collector)

    first = add(lot, collector, now, LFP_CODE, "abc 12", LFP_CODE.lower())
    again = add(lot, collector, now, "02LPB-02-100101A-87Y-0052124", read="CAMERA")

    assert [row.scheme for row in first] == ["GBT34014", "SERIAL"]
    assert again == [first[0]]
    assert LotIdentifier.objects.filter(lot=lot).count() == 2
    assert first[0].told["chemistry"] == "LFP"
    assert (first[0].read, first[0].added_by_id) == ("TYPED", collector.user_id)


def test_a_code_on_a_draft_is_no_news_and_on_a_submitted_lot_it_is(
    draft, submitted, collector, now
):
    sketch, lot = draft(collector), submitted(collector)
    before = Entry.objects.count()

    add(sketch, collector, now, "abc-1")
    assert Entry.objects.count() == before

    add(lot, collector, now, LFP_CODE, "abc-2")
    lot.refresh_from_db()
    assert lot.evidence_version == 2
    [news] = Entry.objects.filter(name="lots.LotEvidenceChanged")
    assert news.payload == {"lot_id": lot.pk, "evidence_version": 2}

    add(lot, collector, now, LFP_CODE)
    lot.refresh_from_db()
    assert lot.evidence_version == 2


@pytest.mark.parametrize(
    ("texts", "read", "code"),
    [
        ([], "TYPED", "code_refused"),
        (["good", " "], "TYPED", "code_refused"),
        (["good", "x" * 501], "TYPED", "code_refused"),
        (["good"], "PHOTO", "code_refused"),
        ([f"n{n}" for n in range(501)], "TYPED", "code_refused"),
    ],
)
def test_what_is_no_code_is_refused_and_nothing_is_kept(draft, collector, now, texts, read, code):
    lot = draft(collector)

    with pytest.raises(services.CodeRefused) as refused:
        add(lot, collector, now, *texts, read=read)

    assert refused.value.code == code
    assert not LotIdentifier.objects.exists()


def test_the_refusal_names_the_line(draft, collector, now):
    with pytest.raises(services.CodeRefused, match="Line 2"):
        add(draft(collector), collector, now, "good", "")


def test_only_the_seller_adds_codes(draft, collector, recycler, now):
    lot = draft(collector)

    with pytest.raises(PermissionDenied):
        add(lot, recycler, now, LFP_CODE)

    assert not LotIdentifier.objects.exists()


def test_a_lot_that_others_rely_on_takes_no_codes(priced, collector, now):
    lot = priced(collector)
    services.mark_scheduled(lot, by=collector, now=now)

    with pytest.raises(services.LotNotEditable):
        add(lot, collector, now, LFP_CODE)

    assert not LotIdentifier.objects.exists()


# --- doubts ---------------------------------------------------------------------------------------


def test_a_code_that_contradicts_the_owner_is_kept_and_flagged_until_they_agree(
    submitted, collector, now, settle
):
    lot = submitted(collector, chemistry="NMC532")

    [row] = add(lot, collector, now, LFP_CODE)
    assert row.doubts == ["chemistry_contradicts_code"]

    services.answer_chemistry(
        lot, actor=collector, chemistry=Chemistry.objects.get(pk="LFP"), now=now
    )
    settle()
    row.refresh_from_db()
    assert row.doubts == []


def test_a_code_on_two_living_lots_is_flagged_on_both(
    draft, submitted, collector, rival_collector, now, settle
):
    mine, theirs = submitted(collector), draft(rival_collector)
    [on_mine] = add(mine, collector, now, LINK)

    [on_theirs] = add(theirs, rival_collector, now, "(01)09506000134352(21)SN-7")
    on_mine.refresh_from_db()
    assert on_theirs.doubts == ["code_on_another_lot"]
    assert on_mine.doubts == []  # a draft accuses nobody

    services.declare_and_submit(theirs, actor=rival_collector, now=now)
    settle()
    on_mine.refresh_from_db()
    assert on_mine.doubts == ["code_on_another_lot"]

    services.withdraw_lot(theirs, actor=rival_collector, now=now)
    settle()
    on_mine.refresh_from_db()
    assert on_mine.doubts == []


def test_a_lot_that_ran_out_of_time_accuses_nobody_any_more(
    submitted, collector, rival_collector, staff, now, clock, settle
):
    mine, theirs = submitted(collector), submitted(rival_collector)
    [on_mine] = add(mine, collector, now, LINK)
    add(theirs, rival_collector, now, "(01)09506000134352(21)SN-7")
    services.ask_seller(theirs, actor=staff, question="Whose is it?", now=now)
    settle()
    on_mine.refresh_from_db()
    assert on_mine.doubts == ["code_on_another_lot"]

    clock.forward(days=31)
    services.expire_lots(now=clock())
    settle()

    on_mine.refresh_from_db()
    assert on_mine.doubts == []


@pytest.mark.parametrize("text", ["12345", "MODEL-XYZW", "https://a.example/01/09506000134352"])
def test_a_code_that_names_no_single_unit_accuses_nobody(
    submitted, collector, rival_collector, now, text
):
    add(submitted(collector), collector, now, text)
    [row] = add(submitted(rival_collector), rival_collector, now, text)

    assert "code_on_another_lot" not in row.doubts


@pytest.mark.django_db(transaction=True)
def test_one_code_on_two_lots_at_once_is_flagged_on_both(
    submitted, collector, rival_collector, now
):
    lots = [(submitted(collector), collector), (submitted(rival_collector), rival_collector)]

    def race(pair):
        try:
            return add(*pair, now, LINK)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(race, lots))

    assert [row.doubts for row in LotIdentifier.objects.all()] == [["code_on_another_lot"]] * 2


# --- photos ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "width"), [(qr(LINK), 600), (qr(LINK), 180), (data_matrix(LFP_CODE), 240)]
)
def test_a_code_in_a_photo_is_read_after_it_was_kept(
    submitted, collector, now, settle, symbol, width
):
    lot = submitted(collector)
    settle()

    services.add_photo(
        lot, actor=collector, upload=photo_of(symbol, width=width), shows="LABEL", now=now
    )
    assert not LotIdentifier.objects.exists()
    settle()

    row = LotIdentifier.objects.get()
    assert row.value in (LINK, LFP_CODE)
    assert (row.read, row.photo.shows, row.added_by_id) == ("PHOTO", "LABEL", collector.user_id)
    lot.refresh_from_db()
    assert lot.evidence_version == 2


def test_a_photo_without_a_code_changes_nothing(submitted, collector, settle):
    lot = submitted(collector)
    settle()

    lot.refresh_from_db()
    assert lot.evidence_version == 1
    assert not LotIdentifier.objects.exists()
    assert not Job.objects.filter(state="DEAD").exists()


def test_a_photo_that_was_removed_meanwhile_is_no_error(draft, collector, now, settle):
    lot = draft(collector)
    photo = services.add_photo(lot, actor=collector, upload=photo_of(qr(LINK), width=600), now=now)
    services.remove_photo(photo, actor=collector, now=now)

    settle()

    assert not LotIdentifier.objects.exists()
    assert not Job.objects.filter(state="DEAD").exists()


def test_a_photo_that_goes_while_it_is_read_leaves_no_code(draft, collector, now):
    lot = draft(collector)
    photo = services.add_photo(lot, actor=collector, upload=photo_of(qr(LINK), width=600), now=now)
    finish = services.read_codes(photo.pk)
    services.remove_photo(photo, actor=collector, now=now)

    finish(now)

    assert not LotIdentifier.objects.exists()


def test_a_photo_whose_file_is_lost_is_no_error(draft, collector, now):
    photo = draft(collector).photos.get()
    photo.file.delete(save=False)

    assert services.read_codes(photo.pk) is None


def test_a_poster_in_one_symbol_is_no_code(draft, collector, now):
    lot = draft(collector)
    photo = services.add_photo(
        lot, actor=collector, upload=photo_of(qr("spent " * 120), width=1200), now=now
    )

    services.read_codes(photo.pk)(now)

    assert not LotIdentifier.objects.exists()


def test_a_photo_of_a_lot_on_sale_gives_its_code_and_no_new_price(priced, collector, now):
    lot = priced(collector)
    photo = services.add_photo(lot, actor=collector, upload=photo_of(qr(LINK), width=600), now=now)
    services.mark_scheduled(lot, by=collector, now=now)

    services.read_codes(photo.pk)(now)

    lot.refresh_from_db()
    assert lot.evidence_version == 1
    assert LotIdentifier.objects.get().value == LINK


def test_only_so_many_codes_are_taken_from_photos(draft, collector, now):
    lot = draft(collector)
    add(lot, collector, now, *(f"number {n}" for n in range(500)))
    photo = services.add_photo(lot, actor=collector, upload=photo_of(qr(LINK), width=600), now=now)

    services.read_codes(photo.pk)(now)

    assert LotIdentifier.objects.filter(lot=lot).count() == 500


def test_a_plain_picture_holds_no_codes():
    assert services.codes_in(Image.open(picture())) == []


# --- who sees what --------------------------------------------------------------------------------


def test_strangers_see_the_end_of_a_code_and_nothing_to_guess_the_rest_from(
    priced, collector, recycler, anonymous, staff, now
):
    lot = priced(collector)
    [row] = add(lot, collector, now, LFP_CODE)

    assert list(LotIdentifier.objects.visible_to(anonymous)) == []
    services.mark_scheduled(lot, by=collector, now=now)

    shown = LotIdentifier.objects.visible_to(anonymous).get()
    assert shown.value_for(anonymous) == "••••2124"
    assert shown.told_for(anonymous) == {
        "product": "PACK",
        "chemistry": "LFP",
        "made_on": "2018-07-31",
    }
    for reader in (collector, recycler, staff):
        assert shown.value_for(reader) == LFP_CODE
        assert shown.told_for(reader) == row.told


# --- the database ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ({"scheme": "VIN"}, "identifier_scheme_known"),
        ({"read": "GUESSED"}, "identifier_read_known"),
        ({"value": ""}, "identifier_says_something"),
        ({}, "identifier_added_once"),
    ],
)
def test_the_database_refuses_nonsense(draft, collector, now, wrong, constraint):
    lot = draft(collector)
    right = {
        "lot": lot,
        "scheme": "SERIAL",
        "value": "7",
        "read": "TYPED",
        "added_by_id": collector.user_id,
        "added_at": now,
    }
    LotIdentifier.objects.create(**right)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        LotIdentifier.objects.create(**right | wrong)


def test_checking_codes_again_changes_nothing(submitted, collector, now):
    lot = submitted(collector, mass_kg=Decimal(3))
    add(lot, collector, now, LFP_CODE)

    assert services.check_codes(lot) == 0
    assert services.check_codes(Lot.objects.exclude(pk=lot.pk).first() or lot) == 0
