"""Codes on a lot: typed, read by a camera, found in its photos or told by its passport. Kept as they are, doubts and all."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import zxingcpp
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from PIL import Image, UnidentifiedImageError

from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.journal.services import record
from marketplace.lots.events import LotEvidenceChanged
from marketplace.lots.models import Lot, LotIdentifier, LotPhoto
from marketplace.lots.rules import identifiers as rules

from .intake import EDITABLE, LotNotEditable

MOST_CODES = 500
MOST_IN_A_PHOTO = 20
NOT_ALIVE = frozenset({Lot.Status.DRAFT, Lot.Status.WITHDRAWN, Lot.Status.EXPIRED})
"""A code on such a lot says nothing about another lot."""
TWICE = 2
"""Stored photos are at most 1600 px wide. Read at double size, they give away every code that a 12-megapixel original
shows from about 120 px on; at their own size only from 180 px. So nothing must be read while somebody waits."""
CARRIERS = zxingcpp.BarcodeFormats(
    [
        zxingcpp.BarcodeFormat.QRCode,
        zxingcpp.BarcodeFormat.MicroQRCode,
        zxingcpp.BarcodeFormat.DataMatrix,
        zxingcpp.BarcodeFormat.Aztec,
        zxingcpp.BarcodeFormat.Code128,
    ]
)


class CodeRefused(Refused):
    code = "code_refused"


@transaction.atomic
def add_identifiers(
    lot: Lot,
    *,
    actor: Actor,
    texts: Sequence[str],
    read: str = LotIdentifier.Read.TYPED,
    now: datetime,
) -> list[LotIdentifier]:
    """Keep codes that stand on a lot or on its units. A code that is there already counts once.

    :returns: the rows of these codes, in their order
    :raises PermissionDenied: if the actor does not act for the seller
    :raises LotNotEditable: once others rely on what the lot says
    :raises CodeRefused: if one is no code at all, or there are too many; then none is kept
    """
    actor.require(Capability.LOT_LIST, of=lot.seller_id)
    lot = Lot.objects.lock(lot)
    if lot.status not in EDITABLE:
        raise LotNotEditable(
            _("This lot can no longer be changed. Withdraw it, or start a new one.")
        )
    if read not in (LotIdentifier.Read.TYPED, LotIdentifier.Read.CAMERA):
        raise CodeRefused(_("Say whether the code was typed or read by a camera."), field="read")
    codes = []
    for line, text in enumerate(texts, 1):
        try:
            codes.append(rules.identify(text, today=now.date()))
        except rules.NotACode as wrong:
            raise CodeRefused(
                _(
                    "Line %(line)s holds no code of 1 to %(most)s letters. Correct it, or leave it out."
                )
                % {"line": line, "most": rules.LONGEST},
                field="codes",
            ) from wrong
    if not codes:
        raise CodeRefused(_("Write at least one code."), field="codes")
    kept, is_new = keep_codes(lot, codes, read=read, person_id=_person(actor), now=now)
    if is_new:
        note_evidence(lot, by=actor, now=now)
    return kept


def read_codes(photo_id: int) -> Callable[[datetime], None] | None:
    """Look for codes in a photo: the slow part, without a transaction. Return how to keep what was found, if anything.

    Never raises for a photo that is gone or cannot be opened: then there is nothing to read.
    """
    photo = LotPhoto.objects.filter(pk=photo_id).first()
    if photo is None:
        return None
    try:
        with photo.file.open() as stored, Image.open(stored, formats=["JPEG"]) as opened:
            texts = codes_in(opened)
    except (FileNotFoundError, UnidentifiedImageError):
        return None
    if not texts:
        return None

    def finish(now: datetime) -> None:
        keep_codes_of_photo(photo_id, texts, now=now)

    return finish


def codes_in(picture: Image.Image) -> list[str]:
    """Return what the QR codes, Data Matrices and Code 128 bars of a picture say, each once."""
    grey = picture.convert("L")
    large = grey.resize((grey.width * TWICE, grey.height * TWICE), Image.Resampling.BICUBIC)
    seen = zxingcpp.read_barcodes(large, formats=CARRIERS)
    return list(dict.fromkeys(found.text for found in seen if found.text.strip()))[:MOST_IN_A_PHOTO]


@transaction.atomic
def keep_codes_of_photo(photo_id: int, texts: Sequence[str], *, now: datetime) -> int:
    """Keep what was read from a photo, unless the photo was taken out meanwhile. Return how many codes are new."""
    photo = LotPhoto.objects.select_related("lot").filter(pk=photo_id).first()
    if photo is None:
        return 0
    lot = Lot.objects.lock(photo.lot)
    codes = []
    for text in texts:
        try:
            codes.append(rules.identify(text, today=now.date()))
        except rules.NotACode:  # a poster's worth of text in one symbol: no code of a battery
            continue
    before = LotIdentifier.objects.filter(lot=lot).count()
    _kept, is_new = keep_codes(
        lot,
        codes[: MOST_CODES - before],
        read=LotIdentifier.Read.PHOTO,
        photo=photo,
        person_id=lot.created_by_id,
        now=now,
    )
    if is_new and lot.status in EDITABLE:
        note_evidence(lot, by=SYSTEM, now=now)
    return LotIdentifier.objects.filter(lot=lot).count() - before


def keep_codes(
    lot: Lot,
    codes: Iterable[rules.Identified],
    *,
    read: str,
    photo: LotPhoto | None = None,
    person_id: int,
    now: datetime,
) -> tuple[list[LotIdentifier], bool]:
    """Write codes of a locked lot down. Return their rows, and whether any of them is new.

    :raises CodeRefused: if the lot then had more than 500
    """
    known = {(row.scheme, row.value): row for row in LotIdentifier.objects.filter(lot=lot)}
    wanted = {(code.scheme.value, code.value): code for code in codes}
    fresh = {key: code for key, code in wanted.items() if key not in known}
    if len(known) + len(fresh) > MOST_CODES:
        raise CodeRefused(
            _("A lot keeps at most %(most)s codes. Make several lots of it.")
            % {"most": MOST_CODES},
            field="codes",
        )
    rows = LotIdentifier.objects.bulk_create(
        LotIdentifier(
            lot=lot,
            scheme=code.scheme.value,
            value=code.value,
            told=dict(code.told),
            doubts=[doubt.value for doubt in code.doubts],
            read=read,
            photo=photo,
            added_by_id=person_id,
            added_at=now,
        )
        for code in fresh.values()
    )
    if rows:
        check_codes(lot)
        known |= {(row.scheme, row.value): row for row in LotIdentifier.objects.filter(lot=lot)}
    return [known[key] for key in wanted], bool(rows)


@transaction.atomic
def check_codes(lot: Lot) -> int:
    """Say anew which codes of a lot contradict its owner or stand on another lot too. Return how many changed.

    The other lots are told as well. Nobody is told which lot the other one is.
    """
    mine = list(LotIdentifier.objects.filter(lot=lot).values_list("scheme", "value"))
    if not mine:
        return 0
    lock_word("lots.codes")  # of two lots that get one code at once, the second must see the first
    alike = Q()
    for scheme in {scheme for scheme, _value in mine}:
        alike |= Q(scheme=scheme, value__in=[value for kind, value in mine if kind == scheme])
    rows = list(
        LotIdentifier.objects.filter(alike)
        .select_related("lot")
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
    alive: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in rows:
        if row.lot.status not in NOT_ALIVE:
            alive[row.scheme, row.value].add(row.lot_id)
    changed = []
    for row in rows:
        elsewhere = alive[row.scheme, row.value] - {row.lot_id}
        doubts = rules.doubts_now(
            row.doubts,
            told=row.told,
            stated=row.lot.chemistry_id,
            elsewhere=bool(elsewhere) and rules.identify(row.value).names_one_unit,
        )
        if doubts != row.doubts:
            row.doubts = doubts
            changed.append(row)
    LotIdentifier.objects.bulk_update(changed, ["doubts"])
    return len(changed)


def note_evidence(lot: Lot, *, by: Actor, now: datetime) -> None:
    """Tell those who value a locked lot that more is known of it. A draft is not valued yet."""
    if lot.status == Lot.Status.DRAFT:
        return
    lot.evidence_version += 1
    lot.save(update_fields=["evidence_version"])
    record(LotEvidenceChanged(lot_id=lot.pk, evidence_version=lot.evidence_version), by=by, at=now)


def _person(actor: Actor) -> int:
    if actor.user_id is None:
        raise CodeRefused(_("Log in first: a code is added by somebody."))
    return actor.user_id
