"""Battery passports of a lot: kept as they were given, read, and believed as far as they can be so."""

import hashlib
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.errors import Refused
from marketplace.core.quantities import to_the_gram
from marketplace.core.uploads import Upload
from marketplace.lots import rules as intake_rules
from marketplace.lots.models import HealthClaim, Lot, LotIdentifier, LotPassport
from marketplace.lots.rules import passports as rules
from marketplace.lots.rules.identifiers import NotACode, contradicts, identify
from marketplace.reference.models import Chemistry
from marketplace.reference.queries import parameter

from .health import record_health_claim
from .identity import keep_codes, note_evidence
from .intake import EDITABLE, LotNotEditable, _change

MOST_PASSPORTS = 50
NAMED = ("passport_id", "unit_id")
"""The fields of a passport that are codes of the battery."""
FORMATS = "BatteryPass 1.2, Catena-X battery_pass (3.0.1, 6.0.0, 6.1.0), UNTP Digital Product Passport 0.7.0"
OUR_CODES = {"NMC": "NMC532"}
"""A passport that only says NMC means what the tile with these letters means in the intake."""


class PassportRefused(Refused):
    code = "passport_refused"


REFUSALS: dict[str, Callable[[], str]] = {
    "empty": lambda: _("This is empty. Choose the file again, or paste its whole text."),
    "too_large": lambda: _(
        "A passport has at most 5 MB. Send only the passport, without pictures."
    ),
    "not_text": lambda: _("These bytes are no text. Save the passport as JSON in UTF-8 or UTF-16."),
    "not_json": lambda: _(
        "This is not JSON (line and column %(about)s). Export the passport again and send the whole file."
    ),
    "too_deep": lambda: _(
        "This is nested deeper than any passport. Export it again from its source."
    ),
    "signed_token": lambda: _(
        "This is a token that we cannot open: it is encrypted, or not a whole one. "
        "Send the passport inside it as JSON; its wallet or portal exports it."
    ),
    "unknown_format": lambda: _("This is no battery passport that we read. We read: %(formats)s."),
    "a_schema": lambda: _("This is the schema of a passport, not a passport. Send the filled one."),
    "several": lambda: _(
        "There are several passports in this file. Send one file for each battery."
    ),
    "other_credential": lambda: _(
        "This credential is no product passport (%(about)s). Send the passport of the battery. We read: %(formats)s."
    ),
    "not_a_battery": lambda: _(
        "This passport is not of a battery (%(about)s). Send the battery's own."
    ),
}


def passport_from(given: bytes | str | Upload, *, on: date) -> tuple[rules.Passport, str]:
    """Read a passport from bytes, a text or an upload. Return it with the checksum of its bytes.

    :raises PassportRefused: with a code of ``REFUSALS``, and what to do next
    """
    content = _bytes_of(given)
    try:
        if not content.strip():
            raise rules.NotAPassport("empty")
        return rules.read_passport(content, today=on), hashlib.sha256(content).hexdigest()
    except rules.NotAPassport as wrong:
        raise _refusal(wrong.code, wrong.about) from wrong


def import_passport(
    lot: Lot, *, actor: Actor, given: bytes | str | Upload, now: datetime
) -> LotPassport:
    """Keep a battery passport of a lot, with what we understand and what we do not believe of it.

    The same passport counts once. Its codes become codes of the lot; its believed health becomes a claim; its kind,
    mass and energy answer what the owner left open, and nothing else. It is read before the transaction begins.

    :raises PermissionDenied: if the actor does not act for the seller
    :raises PassportRefused: if it is none that we read, or the lot has too many
    :raises LotNotEditable: once others rely on what the lot says
    """
    actor.require(Capability.LOT_LIST, of=lot.seller_id)
    passport, sha256 = passport_from(given, on=now.date())
    return _keep_passport(lot, actor=actor, passport=passport, sha256=sha256, now=now)


@transaction.atomic
def _keep_passport(
    lot: Lot, *, actor: Actor, passport: rules.Passport, sha256: str, now: datetime
) -> LotPassport:
    lot = Lot.objects.lock(lot)
    if lot.status not in EDITABLE:
        raise LotNotEditable(
            _("This lot can no longer be changed. Withdraw it, or start a new one.")
        )
    if actor.user_id is None:
        raise PassportRefused(_("Log in first: a passport is added by somebody."))
    of_lot = LotPassport.objects.filter(lot=lot)
    if same := of_lot.filter(sha256=sha256).first():
        return same
    if of_lot.count() >= MOST_PASSPORTS:
        raise PassportRefused(
            _("A lot keeps at most %(most)s passports. Make several lots of it.")
            % {"most": MOST_PASSPORTS}
        )
    contradictions = contradictions_of(passport, lot)
    kept = LotPassport.objects.create(
        lot=lot,
        format=passport.format.value,
        edition=passport.edition,
        sha256=sha256,
        original=passport.original,
        read=rules.kept(passport),
        doubts=rules.doubts_kept([*passport.doubts, *contradictions]),
        as_of=passport.as_of,
        signature=passport.signature.value,
        signed_by=passport.signed_by[:300],
        token=passport.token.replace("\0", ""),
        added_by_id=actor.user_id,
        added_at=now,
    )
    if answers := _open_answers(lot, passport, on=now.date()):
        lot = _change(lot, actor, now, **answers)
    codes = []
    for name in NAMED:
        try:
            codes.append(identify(passport.text(name), today=now.date()))
        except NotACode:
            continue
    keep_codes(lot, codes, read=LotIdentifier.Read.PASSPORT, person_id=actor.user_id, now=now)
    claims = rules.health_of(passport)
    for health in claims:
        record_health_claim(
            lot,
            actor=actor,
            value=health.value,
            uncertainty=rules.UNCERTAINTY * (2 if health.doubts else 1),
            basis=health.basis,
            level=HealthClaim.Level.SAMPLE if (lot.units or 1) > 1 else HealthClaim.Level.PACK,
            method=HealthClaim.Method.PASSPORT,
            tested_at=health.as_of,
            file_sha256=sha256,
            details={"passport": kept.pk, "format": kept.get_format_display()},
            doubts=[*health.doubts, *(["contradicts_lot"] if contradictions else [])],
            now=now,
        )
    if not claims and not answers:
        note_evidence(lot, by=actor, now=now)
    return kept


def contradictions_of(passport: rules.Passport, lot: Lot) -> list[rules.Doubt]:
    """Return where a passport and the lot's owner cannot both be right. Both stay as they are."""
    found = []
    kind = passport.text("chemistry")
    if contradicts(kind, lot.chemistry_id):
        found.append(rules.Doubt("chemistry", "chemistry_contradicts_lot", kind))
    if lot.units == 1:
        weighed = None if lot.mass_is_estimated else lot.mass_kg
        for name, said in (("mass_kg", weighed), ("rated_energy_kwh", lot.energy_kwh)):
            told = passport.number(name)
            if said and told and not rules.within(told / said):
                found.append(rules.Doubt(name, "amount_contradicts_lot", rules.shown(told)))
    return found


def _open_answers(lot: Lot, passport: rules.Passport, *, on: date) -> dict[str, Any]:
    """Return what a passport answers of the questions that the owner left open.

    A passport is of one battery: its amounts are the lot's only if the lot is one battery, or nothing is said yet.
    """
    answers: dict[str, Any] = {}
    kind = passport.text("chemistry")
    if lot.chemistry_id is None and kind:
        answers["chemistry"] = Chemistry.objects.get(pk=OUR_CODES.get(kind, kind))
        answers["chemistry_answered"] = True
    nothing_said = lot.units is None and lot.mass_kg is None and lot.energy_kwh is None
    if lot.units != 1 and not nothing_said:
        return answers
    mass, energy = passport.number("mass_kg"), passport.number("rated_energy_kwh")
    most_kg = min(intake_rules.LARGEST_MASS_KG, parameter("LOT_MAX_KG", on))
    if mass and lot.mass_is_estimated and _fits(mass, most_kg):
        answers |= {"mass_kg": to_the_gram(mass), "mass_is_estimated": False}
    if energy and lot.energy_kwh is None and _fits(energy, intake_rules.LARGEST_ENERGY_KWH):
        answers["energy_kwh"] = to_the_gram(energy)
    if nothing_said and not answers.keys().isdisjoint({"mass_kg", "energy_kwh"}):
        answers["units"] = 1
    return answers


def _fits(amount: Decimal, most: Decimal) -> bool:
    return to_the_gram(amount) > 0 and amount <= most


def _bytes_of(given: bytes | str | Upload) -> bytes:
    if isinstance(given, bytes):
        return given
    if isinstance(given, str):
        return given.encode("utf-8", "replace")
    if (given.size or 0) > rules.LARGEST_BYTES:
        raise _refusal("too_large", "")
    content = bytearray()
    for chunk in given.chunks():
        content += chunk
        if len(content) > rules.LARGEST_BYTES:  # the size was only a claim
            raise _refusal("too_large", "")
    return bytes(content)


def _refusal(code: str, about: str) -> PassportRefused:
    words = REFUSALS[code]() % {"about": about or "–", "formats": FORMATS}
    return PassportRefused(words, code=code, field="passport")
