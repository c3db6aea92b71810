"""What somebody measured of a lot's health: kept as it was given, and believed or not by the rules."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Organisation, User
from marketplace.core.errors import Refused
from marketplace.core.uploads import Upload
from marketplace.journal.services import record
from marketplace.lots.events import LotEvidenceChanged
from marketplace.lots.models import HealthClaim, Lot
from marketplace.lots.rules import health as rules
from marketplace.lots.rules.test_data import LARGEST_BYTES, Unreadable, read
from marketplace.lots.rules.test_results import Findings, Said, judge

from .intake import EDITABLE, LotNotEditable

Status = Lot.Status
ARRIVED = frozenset(
    {
        Status.DELIVERED,
        Status.ACCEPTED,
        Status.PART_ACCEPTED,
        Status.REJECTED,
        Status.PROCESSED,
        Status.CERTIFIED,
    }
)
"""While its buyer can have tested it."""
MOST_CLAIMS = 200
SLOW_CLOCK = timedelta(days=1)
SHARE = Decimal("0.0001")


class HealthRefused(Refused):
    code = "health_refused"


class TestRefused(Refused):
    """A test file that we do not take. ``code`` says why: empty, time_backwards, unit_doubtful ..."""

    __test__ = False
    code = "test_refused"


@dataclass(frozen=True, slots=True)
class TestFile:
    """A test file that was read whole, before anything of it is kept."""

    __test__ = False
    findings: Findings
    sha256: str


def read_test(lot: Lot, *, upload: Upload, said: Said) -> TestFile:
    """Read what an uploaded test says of a lot. Reads only; call it before a transaction begins.

    :raises TestRefused: naming row and column, if it is not a test that we can read
    """
    too_large = Unreadable("too_large")
    try:
        if (upload.size or 0) > LARGEST_BYTES:
            raise too_large
        content = bytearray()
        for chunk in upload.chunks():
            content += chunk
            if len(content) > LARGEST_BYTES:  # the size was only a claim
                raise too_large
        findings = judge(read(bytes(content)), said=said, chemistry=lot.chemistry_id or "")
    except Unreadable as wrong:
        raise TestRefused(_sentence(wrong), code=wrong.code, field="file") from wrong
    return TestFile(findings, hashlib.sha256(content).hexdigest())


def record_test_file(
    lot: Lot, *, actor: Actor, upload: Upload, said: Said, now: datetime
) -> list[HealthClaim]:
    """Keep every claim that a test file of the seller supports, or none of them.

    :param said: what stands beside the file: rated figures, cut-offs, temperature
    :raises PermissionDenied: if the actor does not act for the seller
    :raises TestRefused: if the file cannot be read
    :raises LotNotEditable: once others rely on what the lot says
    """
    actor.require(Capability.LOT_LIST, of=lot.seller_id)
    return _keep_test(lot, actor=actor, test=read_test(lot, upload=upload, said=said), now=now)


@transaction.atomic
def _keep_test(lot: Lot, *, actor: Actor, test: TestFile, now: datetime) -> list[HealthClaim]:
    tester_id = actor.require(Capability.LOT_LIST, of=lot.seller_id)
    lot = _editable(lot)
    return _keep(lot, _claims_of(test, now=now), tester_id=tester_id, actor=actor, now=now)


@transaction.atomic
def record_found_test(
    lot: Lot, *, actor: Actor, test: TestFile, now: datetime
) -> list[HealthClaim]:
    """Keep what the buyer's own test found after delivery. For the room that knows who the buyer is.

    :raises PermissionDenied: if the actor is no recycler or integrator
    :raises LotNotEditable: before the lot arrived, or once it is archived
    """
    lot, tester_id = _arrived(lot, actor)
    return _keep(lot, _claims_of(test, now=now), tester_id=tester_id, actor=actor, now=now)


@transaction.atomic
def record_health_claim(
    lot: Lot,
    *,
    actor: Actor,
    value: Decimal,
    uncertainty: Decimal,
    basis: str,
    level: str,
    method: str,
    instrument: str = "",
    temperature_c: Decimal | None = None,
    window: str = "",
    tested_at: datetime | None = None,
    file_sha256: str = "",
    details: Mapping[str, Any] | None = None,
    doubts: Sequence[str] = (),
    now: datetime,
) -> HealthClaim:
    """Keep a claim of the lot's own seller, while the lot may still be changed. The same claim counts once.

    :param value: share of when new; for a resistance, the multiple of when new
    :param uncertainty: half the width of its 10 to 90 % band, a share
    :param doubts: codes of what is not believed; the claim is kept all the same
    :raises PermissionDenied: if the actor does not act for the seller
    :raises LotNotEditable: once others rely on what the lot says
    :raises HealthRefused: if the numbers are no numbers, or somebody else sent this file
    """
    tester_id = actor.require(Capability.LOT_LIST, of=lot.seller_id)
    lot = _editable(lot)
    claim = _claim(
        value=value,
        uncertainty=uncertainty,
        basis=basis,
        level=level,
        method=method,
        instrument=instrument,
        temperature_c=temperature_c,
        window=window,
        tested_at=tested_at,
        file_sha256=file_sha256,
        details=details,
        doubts=doubts,
        now=now,
    )
    [kept] = _keep(lot, [claim], tester_id=tester_id, actor=actor, now=now)
    return kept


@transaction.atomic
def record_found_claim(lot: Lot, *, actor: Actor, now: datetime, **claim: Any) -> HealthClaim:
    """Keep what the buyer found after delivery: the second opinion that a seller's claims are checked against.

    For the room that knows who the buyer is; it has to ask that first. Takes what ``record_health_claim`` takes.

    :raises PermissionDenied: if the actor is no recycler or integrator, or sold the lot
    :raises LotNotEditable: before the lot arrived, or once it is archived
    :raises HealthRefused: if the numbers are no numbers, or the file is the seller's
    """
    lot, tester_id = _arrived(lot, actor)
    [kept] = _keep(lot, [_claim(now=now, **claim)], tester_id=tester_id, actor=actor, now=now)
    return kept


def _editable(lot: Lot) -> Lot:
    lot = Lot.objects.lock(lot)
    if lot.status not in EDITABLE:
        raise LotNotEditable(
            _("This lot can no longer be changed. Withdraw it, or start a new one.")
        )
    return lot


def _arrived(lot: Lot, actor: Actor) -> tuple[Lot, int]:
    tester_id = actor.require(Capability.PROCESSING_REPORT)
    lot = Lot.objects.lock(lot)
    if tester_id == lot.seller_id:
        raise HealthRefused(_("This is your own lot: its buyer says what was found."))
    if lot.status not in ARRIVED:
        raise LotNotEditable(_("Test the lot once it has arrived at your site."))
    return lot, tester_id


def _claims_of(test: TestFile, *, now: datetime) -> list[HealthClaim]:
    said = test.findings.said
    claims = []
    for at, one in enumerate(test.findings.findings):
        details = {**(one.details or {})}
        details["notes"] = [
            {"code": note.code, "row": note.row, "column": note.column, "found": note.found}
            for note in test.findings.notes[:20]
        ]
        if at == 0 and test.findings.curve:
            details["curve"] = [list(point) for point in test.findings.curve]
        claims.append(
            _claim(
                value=Decimal(repr(one.value)),
                uncertainty=Decimal(repr(one.uncertainty)),
                basis=one.basis,
                level=one.level,
                method=one.method,
                instrument=said.instrument,
                temperature_c=(
                    None if one.temperature_c is None else Decimal(repr(one.temperature_c))
                ),
                window=one.window,
                tested_at=_day(said.tested_on),
                file_sha256=test.sha256,
                details=details,
                doubts=one.doubts,
                now=now,
            )
        )
    return claims


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise TestRefused(
            _("Write the day of the test as 2026-11-23."), code="header_unclear", field="file"
        ) from None


def _claim(
    *,
    value: Decimal,
    uncertainty: Decimal,
    basis: str,
    level: str,
    method: str,
    instrument: str = "",
    temperature_c: Decimal | None = None,
    window: str = "",
    tested_at: datetime | None = None,
    file_sha256: str = "",
    details: Mapping[str, Any] | None = None,
    doubts: Sequence[str] = (),
    now: datetime,
) -> HealthClaim:
    if not value.is_finite() or not 0 <= value <= rules.HIGHEST_KEPT:
        raise HealthRefused(
            _("Give the health as a share of when new: 80 % is 0.80."), field="value"
        )
    if not uncertainty.is_finite() or not 0 <= uncertainty <= 1:
        raise HealthRefused(_("Give the uncertainty as 0 to 100 points."), field="uncertainty")
    if temperature_c is not None and not (
        temperature_c.is_finite() and Decimal(-60) <= temperature_c <= Decimal(120)
    ):
        raise HealthRefused(
            _("Give the temperature in degrees Celsius, from -60 to 120."), field="temperature_c"
        )
    if tested_at is not None and tested_at > now + SLOW_CLOCK:
        raise HealthRefused(_("The day of the test lies in the future."), field="tested_at")
    if file_sha256 and not re.fullmatch("[0-9a-f]{64}", file_sha256):
        raise HealthRefused(_("Send the file again: its checksum is none."), field="file")
    for name, given, choices in (
        ("basis", basis, HealthClaim.Basis),
        ("level", level, HealthClaim.Level),
        ("method", method, HealthClaim.Method),
    ):
        if given not in choices.values:
            raise HealthRefused(_("Choose one of the answers."), field=name)
    rounded = value.quantize(SHARE)
    return HealthClaim(
        value=rounded,
        uncertainty=uncertainty.quantize(SHARE),
        basis=basis,
        level=level,
        method=method,
        instrument=instrument.strip()[:100],
        temperature_c=None if temperature_c is None else temperature_c.quantize(Decimal("0.1")),
        window=window.strip()[:60],
        tested_at=tested_at,
        file_sha256=file_sha256,
        details=dict(details or {}),
        doubts=[*dict.fromkeys([*doubts, *rules.doubts_about(rounded, basis=basis)])],
    )


def _keep(
    lot: Lot, claims: Sequence[HealthClaim], *, tester_id: int, actor: Actor, now: datetime
) -> list[HealthClaim]:
    """Write down what is new of a locked lot, all or nothing. Once submitted, it is new evidence."""
    known = list(HealthClaim.objects.filter(lot=lot))
    kept: list[HealthClaim] = []
    fresh = False
    for claim in claims:
        same = next((old for old in known if _same(old, claim, tester_id=tester_id)), None)
        if same is None:
            if len(known) >= MOST_CLAIMS:
                raise HealthRefused(
                    _("A lot keeps at most %(most)s tests. Make several lots of it.")
                    % {"most": MOST_CLAIMS}
                )
            claim.lot = lot
            claim.tested_by = Organisation.objects.get(pk=tester_id)
            claim.added_by = _person(actor)
            claim.added_at = now
            claim.save(force_insert=True)
            known.append(claim)
            fresh = True
        elif same.tested_by_id != tester_id:
            raise HealthRefused(
                _("Somebody else already sent this file. Send a test of your own."), field="file"
            )
        elif same.value != claim.value:
            raise HealthRefused(
                _(
                    "This file already counts, with other figures beside it. Write the right figures "
                    "into its first lines, and send it again."
                ),
                field="file",
            )
        kept.append(same or claim)
    if fresh and lot.status != Status.DRAFT:
        lot.evidence_version += 1
        lot.save(update_fields=["evidence_version"])
        record(
            LotEvidenceChanged(lot_id=lot.pk, evidence_version=lot.evidence_version),
            by=actor,
            at=now,
        )
    return kept


SAME_FILE = ("file_sha256", "basis", "level")
SAME_WORDS = (
    *SAME_FILE,
    "value",
    "uncertainty",
    "method",
    "instrument",
    "temperature_c",
    "window",
    "tested_at",
)


def _same(old: HealthClaim, new: HealthClaim, *, tester_id: int) -> bool:
    if new.file_sha256:
        return all(getattr(old, name) == getattr(new, name) for name in SAME_FILE)
    same_words = all(getattr(old, name) == getattr(new, name) for name in SAME_WORDS)
    return old.tested_by_id == tester_id and same_words


def _person(actor: Actor) -> User:
    if actor.user_id is None:
        raise HealthRefused(_("Log in first: a test is signed by somebody."))
    return User.objects.get(pk=actor.user_id)


REFUSALS: dict[str, Callable[[], str]] = {
    "empty": lambda: _("The file is empty. Choose it again."),
    "too_large": lambda: _("The file is larger than 10 MB. Keep the last full cycle only."),
    "compressed": lambda: _(
        "This is a compressed file or a workbook. Unpack it, save the sheet as CSV, and send that."
    ),
    "binary": lambda: _("This is no text. Export the test as CSV or text from your instrument."),
    "too_many_columns": lambda: _("It has too many columns. Keep those of the test only."),
    "too_many_cells": lambda: _("It has too many cells. Send at most 2,000 in one file."),
    "no_columns": lambda: _(
        "No columns of a test found. It needs time, current and voltage, or frequency and impedance."
    ),
    "no_rows": lambda: _("There are no rows under the column names."),
    "said_twice": lambda: _("This line says it again, and otherwise. Keep one of the two."),
    "row_too_short": lambda: _("The row ends before this column. Mend or remove the row."),
    "row_too_long": lambda: _(
        "The row has more values than there are columns. If commas are decimal signs, "
        "separate the columns by semicolons."
    ),
    "row_broken": lambda: _("The row cannot be read. Mend its quotation marks."),
    "number_unclear": lambda: _(
        "%(found)s may be read in two ways. Write numbers with a point and without separators."
    ),
    "numbers_mixed": lambda: _(
        "%(found)s has other decimal signs than the rows before. Use the same throughout."
    ),
    "unit_unknown": lambda: _("The unit %(found)s is not known here. Use the units of our format."),
    "cell_empty": lambda: _("The value is missing. Fill it in, or remove the row."),
    "not_a_number": lambda: _("“%(found)s” is no number. Mend it, or remove the row."),
    "time_backwards": lambda: _("Time runs backwards (%(found)s). Sort the rows, or cut the file."),
    "time_stands_still": lambda: _(
        "The same time stands in too many rows. Export with finer time, or without doubled rows."
    ),
    "cell_twice": lambda: _("The cell %(found)s stands there twice. Keep one row of it."),
    "header_unclear": lambda: _("“%(found)s” is not clear here. See how our format writes it."),
    "form_contradicts": lambda: _(
        "File and form contradict each other (%(found)s). Keep what is right."
    ),
    "rated_missing": lambda: _(
        "Give the rated capacity in Ah: it stands on the label. Without it there is no share."
    ),
    "rated_resistance_missing": lambda: _(
        "Measured: %(found)s. Give the resistance when new, in mΩ, to make a claim of it."
    ),
    "rated_unlike_measured": lambda: _(
        "Measured and rated cannot both be right (%(found)s). Check both, and their units."
    ),
    "unit_doubtful": lambda: _(
        "These numbers look like %(found)s. If they are, say so in the column's name."
    ),
    "too_little_discharged": lambda: _(
        "Only %(found)s came out. If this is a pulse test, choose that; else send a whole discharge."
    ),
    "no_discharge": lambda: _(
        "There is no discharge in it. Discharge is negative current, after a full charge."
    ),
    "no_step": lambda: _("There is no clear step of current in it. Log faster than every 10 s."),
    "not_positive": lambda: _("%(found)s is not above zero. Mend it, or remove the row."),
    "negative": lambda: _("%(found)s is below zero. Mend it, or remove the row."),
}


def _sentence(wrong: Unreadable) -> str:
    what = REFUSALS[wrong.code]() % {"found": wrong.found}
    if wrong.row and wrong.column:
        return _("Row %(row)s, column %(column)s: %(what)s") % {
            "row": wrong.row,
            "column": wrong.column,
            "what": what,
        }
    if wrong.row:
        return _("Row %(row)s: %(what)s") % {"row": wrong.row, "what": what}
    if wrong.column:
        return _("Column %(column)s: %(what)s") % {"column": wrong.column, "what": what}
    return what
