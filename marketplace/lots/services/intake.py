"""Five questions and a declaration: from a photo on a phone to a lot that can be valued."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Organisation, User
from marketplace.accounts.queries import listing_cap_kg
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.core.quantities import to_the_gram
from marketplace.core.uploads import CleanPhoto, Upload, clean_photo
from marketplace.journal.services import enqueue, record
from marketplace.lots import queries, rules
from marketplace.lots.events import LotEvidenceChanged, LotQuarantined, LotSubmitted
from marketplace.lots.models import Lot, LotPhoto
from marketplace.reference.models import Chemistry
from marketplace.reference.queries import city, parameter

Status = Lot.Status
EDITABLE = frozenset(
    {Status.DRAFT, Status.SUBMITTED, Status.NEEDS_INFO, Status.PRICED, Status.UNSOLD}
)
"""While nobody else relies on what the lot says."""
READ_CODES = "lots.read_codes"


class LotNotEditable(Refused):
    code = "lot_not_editable"


class PhotoRefused(Refused):
    code = "too_many_photos"


class AmountRefused(Refused):
    code = "amount_refused"


class PlaceRefused(Refused):
    code = "place_unknown"


class TriageIncomplete(Refused):
    code = "triage_incomplete"


class LotIncomplete(Refused):
    code = "lot_incomplete"


class TooMuchListed(Refused):
    code = "listing_cap_reached"


@transaction.atomic
def start_lot(*, actor: Actor, request_id: UUID, now: datetime) -> Lot:
    """Begin a draft for the actor's organisation. The same ``request_id`` gives the same draft.

    :raises PermissionDenied: if the actor may not list lots
    """
    seller_id = actor.require(Capability.LOT_LIST)
    lock_word(f"lot:{seller_id}:{request_id}")
    if started := Lot.objects.filter(seller_id=seller_id, request_id=request_id).first():
        return started
    seller = Organisation.objects.get(pk=seller_id)
    return Lot.objects.create(
        seller=seller,
        created_by_id=_person(actor),
        request_id=request_id,
        country=seller.country,
        created_at=now,
    )


def add_photo(
    lot: Lot,
    *,
    actor: Actor,
    upload: Upload,
    shows: str = LotPhoto.Shows.WHOLE,
    now: datetime,
) -> LotPhoto:
    """Keep a photo of the lot, decoded and written anew. The same photo counts once.

    The picture is worked on before the transaction begins: it takes longer than a lock should be held.

    :raises PermissionDenied: if the actor does not act for the seller
    :raises UploadRefused: if it is no picture that we take
    :raises PhotoRefused: if there are eight already
    """
    actor.require(Capability.LOT_LIST, of=lot.seller_id)
    return _keep_photo(lot, photo=clean_photo(upload), shows=shows, now=now)


@transaction.atomic
def _keep_photo(lot: Lot, *, photo: CleanPhoto, shows: str, now: datetime) -> LotPhoto:
    lot = _editable(lot)
    if shows not in LotPhoto.Shows.values:
        raise PhotoRefused(_("Choose what the photo shows."), field="shows")
    kept = LotPhoto.objects.filter(lot=lot)
    if same := kept.filter(original_sha256=photo.original_sha256).first():
        return same
    if kept.count() >= rules.MAX_PHOTOS:
        raise PhotoRefused(
            _("A lot has at most %(most)s photos. Remove one first.") % {"most": rules.MAX_PHOTOS},
            field="photo",
        )
    added = LotPhoto.objects.create(
        lot=lot,
        shows=shows,
        file=ContentFile(photo.bytes, name=f"{photo.sha256}{photo.suffix}"),
        width=photo.width,
        height=photo.height,
        sha256=photo.sha256,
        original_sha256=photo.original_sha256,
        added_at=now,
    )
    enqueue(READ_CODES, {"photo": added.pk}, now=now, dedupe_key=f"codes:{added.pk}")
    return added


@transaction.atomic
def remove_photo(photo: LotPhoto, *, actor: Actor, now: datetime) -> Lot:
    """Take a photo out, while the lot may still be changed and keeps at least one once submitted.

    :raises PermissionDenied: if the actor does not act for the seller
    :raises LotIncomplete: if it is the last photo of a submitted lot
    """
    actor.require(Capability.LOT_LIST, of=photo.lot.seller_id)
    lot = _editable(photo.lot)
    if lot.status != Status.DRAFT and lot.photos.count() <= 1:
        raise LotIncomplete(_("Add another photo first: a lot needs one."), field="photo")
    LotPhoto.objects.filter(pk=photo.pk, lot=lot).delete()
    return lot


@transaction.atomic
def answer_origin(lot: Lot, *, actor: Actor, origin: str, now: datetime) -> Lot:
    """Say what the batteries came from.

    :raises PermissionDenied: if the actor does not act for the seller
    """
    lot = _open(lot, actor)
    if origin not in Lot.Origin.values:
        raise LotIncomplete(_("Choose what the batteries came from."), field="origin")
    return _change(lot, actor, now, origin=origin)


@transaction.atomic
def answer_chemistry(lot: Lot, *, actor: Actor, chemistry: Chemistry | None, now: datetime) -> Lot:
    """Say which chemistry it is; ``None`` is the honest "I do not know".

    :raises PermissionDenied: if the actor does not act for the seller
    """
    lot = _open(lot, actor)
    return _change(lot, actor, now, chemistry=chemistry, chemistry_answered=True)


@transaction.atomic
def answer_amount(
    lot: Lot,
    *,
    actor: Actor,
    mass_kg: Decimal | None = None,
    energy_kwh: Decimal | None = None,
    units: int | None = None,
    state_of_health: Decimal | None = None,
    now: datetime,
) -> Lot:
    """Say how much it is: kilograms, kilowatt hours or units. Without kilograms they are estimated.

    :param state_of_health: measured share of the rated capacity, 0 to 1.2; nothing leaves it as it is
    :raises PermissionDenied: if the actor does not act for the seller
    :raises AmountRefused: if nothing is given, or an amount is zero, negative or absurd
    """
    lot = _open(lot, actor)
    largest_kg = min(rules.LARGEST_MASS_KG, parameter("LOT_MAX_KG", now.date()))
    checks: list[tuple[str, Decimal | None, Decimal]] = [
        ("mass_kg", mass_kg, largest_kg),
        ("energy_kwh", energy_kwh, rules.LARGEST_ENERGY_KWH),
        ("units", None if units is None else Decimal(units), Decimal(rules.MOST_UNITS)),
    ]
    if all(amount is None for _field, amount, _largest in checks):
        raise AmountRefused(
            _("Give the weight, the kilowatt hours or the number of units."), field="mass_kg"
        )
    for field, amount, largest in checks:
        if amount is not None:
            _believe(amount, field=field, largest=largest)
    health = lot.state_of_health if state_of_health is None else _healthy(state_of_health)
    lot.mass_is_estimated = mass_kg is None
    return _change(
        lot,
        actor,
        now,
        mass_kg=None if mass_kg is None else to_the_gram(mass_kg),
        energy_kwh=None if energy_kwh is None else to_the_gram(energy_kwh),
        units=units,
        state_of_health=health,
    )


@transaction.atomic
def answer_health(lot: Lot, *, actor: Actor, state_of_health: Decimal | None, now: datetime) -> Lot:
    """Say which share of the rated capacity was measured; ``None`` if nobody measured.

    :raises PermissionDenied: if the actor does not act for the seller
    :raises AmountRefused: if it is no share between 0 and 120 %
    """
    lot = _open(lot, actor)
    health = None if state_of_health is None else _healthy(state_of_health)
    return _change(lot, actor, now, state_of_health=health)


@transaction.atomic
def answer_place(lot: Lot, *, actor: Actor, country: str, geoname_id: int, now: datetime) -> Lot:
    """Say in which town the lot lies. Only the town's position is kept, to about a kilometre.

    :raises PermissionDenied: if the actor does not act for the seller
    :raises PlaceRefused: if there is no such town in the country
    """
    lot = _open(lot, actor)
    town = city(geoname_id)
    if town is None or town.country != country:
        raise PlaceRefused(_("Choose a town from the list."), field="geoname_id")
    return _change(
        lot,
        actor,
        now,
        country=country,
        geoname_id=geoname_id,
        place=town.name[:120],
        latitude=Decimal(str(town.latitude)),
        longitude=Decimal(str(town.longitude)),
    )


@transaction.atomic
def answer_triage(lot: Lot, *, actor: Actor, answers: Mapping[str, bool], now: datetime) -> Lot:
    """Say yes or no to each of the six pictograms. Red puts the lot into quarantine at once.

    :param answers: swollen, hot, wet, smell, dented, cut -> whether it was seen
    :raises PermissionDenied: if the actor does not act for the seller
    :raises TriageIncomplete: if one of the six is not answered
    """
    lot = _open(lot, actor)
    if set(answers) != set(rules.Sign):
        raise TriageIncomplete(_("Answer all six safety questions."), field="triage")
    verdict = rules.triage([rules.Sign(sign) for sign, seen in answers.items() if seen])
    lot.triage_answers = {sign.value: bool(answers[sign]) for sign in rules.Sign}
    lot.triage = verdict.light.value
    if verdict.light is rules.Light.RED:
        if lot.status != Status.DRAFT:
            lot.evidence_version += 1
        lot.enter(Status.QUARANTINED)
        lot.save(update_fields=["triage_answers", "triage", "status", "evidence_version"])
        record(LotQuarantined(lot_id=lot.pk), by=actor, at=now)
        return lot
    return _change(lot, actor, now, triage_answers=lot.triage_answers, triage=lot.triage)


@transaction.atomic
def answer_together(lot: Lot, *, actor: Actor, answers: Mapping[str, Any], now: datetime) -> Lot:
    """Keep several answers of one request, or none of them if one is refused. What is not named stays as it is.

    :param answers: origin; chemistry (may be nothing); mass_kg, energy_kwh, units, state_of_health; country and
        geoname_id; triage
    :raises PermissionDenied: if the actor does not act for the seller
    :raises Refused: as the single answers do
    """
    lot = _open(lot, actor)
    if "origin" in answers:
        lot = answer_origin(lot, actor=actor, origin=answers["origin"], now=now)
    if "chemistry" in answers:
        lot = answer_chemistry(lot, actor=actor, chemistry=answers["chemistry"], now=now)
    if not answers.keys().isdisjoint({"mass_kg", "energy_kwh", "units"}):
        lot = answer_amount(
            lot,
            actor=actor,
            mass_kg=answers.get("mass_kg", None if lot.mass_is_estimated else lot.mass_kg),
            energy_kwh=answers.get("energy_kwh", lot.energy_kwh),
            units=answers.get("units", lot.units),
            now=now,
        )
    if "state_of_health" in answers:
        health = answers["state_of_health"]
        lot = answer_health(lot, actor=actor, state_of_health=health, now=now)
    if "geoname_id" in answers:
        lot = answer_place(
            lot,
            actor=actor,
            country=answers.get("country", lot.country),
            geoname_id=answers["geoname_id"],
            now=now,
        )
    if "triage" in answers:
        lot = answer_triage(lot, actor=actor, answers=answers["triage"], now=now)
    return lot


@transaction.atomic
def declare_and_submit(lot: Lot, *, actor: Actor, now: datetime) -> Lot:
    """Declare to be the owner and that the answers are true, and hand the lot in to be valued.

    :raises PermissionDenied: if the actor does not act for the seller
    :raises LotIncomplete: if a question is still open
    :raises TooMuchListed: if the seller's tier does not allow so many kilograms
    """
    actor.require(Capability.LOT_LIST, of=lot.seller_id)
    lot = Lot.objects.lock(lot)
    if lot.status == Status.SUBMITTED:
        return lot
    if lot.status == Status.NEEDS_INFO:
        raise LotIncomplete(_("Answer the question that you were asked."), field="answer")
    open_questions = rules.missing(answered(lot))
    if lot.status == Status.DRAFT and open_questions:
        raise LotIncomplete(
            _("Answer every question first. Still open: %(questions)s.")
            % {"questions": ", ".join(QUESTIONS[name]() for name in open_questions)},
            field=open_questions[0],
        )
    _stay_within_cap(lot, now=now)
    lot.enter(Status.SUBMITTED)
    lot.declared_at = lot.submitted_at = now
    lot.declared_by_id = _person(actor)
    lot.save(update_fields=["status", "declared_at", "submitted_at", "declared_by"])
    record(LotSubmitted(lot_id=lot.pk), by=actor, at=now)
    return lot


QUESTIONS = {
    "photos": lambda: _("photos"),
    "origin": lambda: _("what it came from"),
    "chemistry": lambda: _("the kind of battery"),
    "amount": lambda: _("how much it is"),
    "place": lambda: _("the place"),
    "triage": lambda: _("the safety questions"),
}


def answered(lot: Lot) -> dict[str, bool]:
    """Return which questions of the intake have an answer, in their order."""
    return {
        "photos": lot.photos.exists(),
        "origin": bool(lot.origin),
        "chemistry": lot.chemistry_answered,
        "amount": lot.mass_kg is not None,
        "place": lot.geoname_id is not None,
        "triage": bool(lot.triage),
    }


def _person(actor: Actor) -> int:
    if actor.user_id is None:
        raise LotIncomplete(_("Log in first: a lot belongs to somebody."))
    return User.objects.only("pk").get(pk=actor.user_id).pk


def _open(lot: Lot, actor: Actor) -> Lot:
    actor.require(Capability.LOT_LIST, of=lot.seller_id)
    return _editable(lot)


def _editable(lot: Lot) -> Lot:
    lot = Lot.objects.lock(lot)
    if lot.status not in EDITABLE:
        raise LotNotEditable(
            _("This lot can no longer be changed. Withdraw it, or start a new one.")
        )
    return lot


def _believe(amount: Decimal, *, field: str, largest: Decimal) -> None:
    doubt = rules.doubt_about(amount, largest=largest)
    if doubt in (rules.Doubt.NOT_POSITIVE, rules.Doubt.NOT_A_NUMBER):
        raise AmountRefused(_("Give a number greater than zero."), field=field)
    if doubt is rules.Doubt.TOO_LARGE:
        raise AmountRefused(
            _("That is too much for one lot. Give at most %(largest)s, or make several lots.")
            % {"largest": _plain(largest)},
            field=field,
        )


def _healthy(share: Decimal) -> Decimal:
    if not share.is_finite() or not Decimal(0) <= share <= Decimal("1.2"):
        raise AmountRefused(
            _("Give the health as 0 to 120 % of the rated capacity."), field="state_of_health"
        )
    return to_the_gram(share)


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def _change(lot: Lot, actor: Actor, now: datetime, **answers: Any) -> Lot:
    """Write answers down. After submission they are new evidence, and the lot is valued anew."""
    for name, value in answers.items():
        setattr(lot, name, value)
    changed = [*answers]
    if not answers.keys().isdisjoint({"origin", "chemistry", "mass_kg"}):
        changed += _estimate_mass(lot, now=now)
    if lot.status != Status.DRAFT:
        lot.evidence_version += 1
        changed.append("evidence_version")
        event = LotEvidenceChanged(lot_id=lot.pk, evidence_version=lot.evidence_version)
        lot.save(update_fields=changed)
        record(event, by=actor, at=now)
    else:
        lot.save(update_fields=changed)
    return lot


def _estimate_mass(lot: Lot, *, now: datetime) -> list[str]:
    """Fill in the mass that nobody weighed, from kilowatt hours or units. Return the fields it set."""
    if lot.energy_kwh is None and lot.units is None:
        return ["mass_is_estimated"]
    mass = rules.mass_of(
        weighed_kg=None if lot.mass_is_estimated else lot.mass_kg,
        energy_kwh=lot.energy_kwh,
        units=lot.units,
        wh_per_kg=queries.presumed_chemistry(lot).pack_wh_per_kg,
        unit_masses_kg=queries.unit_masses_kg(lot.origin, lot.chemistry),
    )
    if mass is None:
        raise AmountRefused(
            _("We cannot tell what one unit weighs. Give the weight, even a rough one."),
            field="mass_kg",
        )
    _believe(mass.kg, field="mass_kg", largest=parameter("LOT_MAX_KG", now.date()))
    lot.mass_kg, lot.mass_is_estimated = mass.kg, mass.is_estimated
    return ["mass_kg", "mass_is_estimated"]


def _stay_within_cap(lot: Lot, *, now: datetime) -> None:
    # two lots of one seller may be submitted at once: one of them must see the other
    lock_word(f"listed:{lot.seller_id}")
    cap_kg = listing_cap_kg(Organisation.objects.get(pk=lot.seller_id))
    left = rules.kg_left(cap_kg, queries.listed_kg(lot.seller_id, now=now))
    if left is not None and lot.mass_kg is not None and lot.mass_kg > left:
        raise TooMuchListed(
            _(
                "With a phone number alone you can list %(left)s kg more this month. "
                "Make the lot smaller, or show who you are to list more."
            )
            % {"left": _plain(left)},
            field="mass_kg",
        )
