"""What somebody measured of a lot's health: kept as it was given, and believed or not by the rules."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Organisation, User
from marketplace.core.errors import Refused
from marketplace.journal.services import record
from marketplace.lots.events import LotEvidenceChanged
from marketplace.lots.models import HealthClaim, Lot
from marketplace.lots.rules import health as rules

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
    lot = Lot.objects.lock(lot)
    if lot.status not in EDITABLE:
        raise LotNotEditable(
            _("This lot can no longer be changed. Withdraw it, or start a new one.")
        )
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
    tester_id = actor.require(Capability.PROCESSING_REPORT)
    lot = Lot.objects.lock(lot)
    if tester_id == lot.seller_id:
        raise HealthRefused(_("This is your own lot: its buyer says what was found."))
    if lot.status not in ARRIVED:
        raise LotNotEditable(_("Test the lot once it has arrived at your site."))
    [kept] = _keep(lot, [_claim(now=now, **claim)], tester_id=tester_id, actor=actor, now=now)
    return kept


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
