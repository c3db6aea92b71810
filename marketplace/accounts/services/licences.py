from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts import rules
from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.events import LicenceApplied, LicenceCorrected, LicenceSubmitted
from marketplace.accounts.models import Licence
from marketplace.accounts.queries import chemistries_of
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.core.uploads import CleanDocument, Upload, clean_document
from marketplace.journal.services import record
from marketplace.reference.models import LicenceType
from marketplace.reference.queries import city

from .documents import keep_document


class LicenceRefusal(Refused):
    """An application or a check that cannot be: see ``code``."""

    code = "licence_refused"


def apply_for_licence(
    *,
    actor: Actor,
    licence_type: LicenceType,
    number: str,
    issuer: str,
    site_name: str,
    site_geoname_id: int | None,
    materials: list[str],
    annual_mass_kg: Decimal | None,
    valid_from: date,
    valid_until: date,
    upload: Upload | None,
    request_id: UUID,
    now: datetime,
) -> Licence:
    """Write down a licence that the actor's organisation says it holds. It counts once it is verified.

    Its country and what it allows come from its type. The same ``request_id`` returns the same licence.

    :param materials: codes of chemistries; none: all that the type of licence covers
    :param upload: the scanned paper; may follow before it is submitted
    :raises PermissionDenied: if the actor may not apply for licences
    :raises LicenceRefusal: if a field makes no sense
    :raises UploadRefused: if the paper is not taken
    """
    actor.require(Capability.LICENCE_APPLY)
    paper = clean_document(upload) if upload is not None else None
    fields = _fields(
        licence_type,
        number=number,
        issuer=issuer,
        site_name=site_name,
        site_geoname_id=site_geoname_id,
        materials=materials,
        annual_mass_kg=annual_mass_kg,
        valid_from=valid_from,
        valid_until=valid_until,
    )
    return _apply(actor, fields, paper, request_id=request_id, now=now)


@transaction.atomic
def _apply(
    actor: Actor,
    fields: dict[str, Any],
    paper: CleanDocument | None,
    *,
    request_id: UUID,
    now: datetime,
) -> Licence:
    holder_id = actor.require(Capability.LICENCE_APPLY)
    lock_word(f"licence:{holder_id}:{request_id}")
    repeated = Licence.objects.filter(organisation_id=holder_id, request_id=request_id).first()
    if repeated is not None:
        return repeated
    if paper is not None:
        fields["document"] = keep_document(
            paper, organisation_id=holder_id, title=fields["number"], now=now
        )
    licence = Licence.objects.create(organisation_id=holder_id, request_id=request_id, **fields)
    record(LicenceApplied(licence_id=licence.pk), by=actor, at=now)
    return licence


def correct_licence(
    licence: Licence,
    *,
    actor: Actor,
    number: str,
    issuer: str,
    site_name: str,
    site_geoname_id: int | None,
    materials: list[str],
    annual_mass_kg: Decimal | None,
    valid_from: date,
    valid_until: date,
    upload: Upload | None,
    now: datetime,
) -> Licence:
    """Change an application before it is submitted, or after the verifier asked for something.

    :param upload: another paper; none: the one that is there stays
    :raises PermissionDenied: if it is not the actor's
    :raises LicenceRefusal: if it is being checked, or a field makes no sense
    :raises UploadRefused: if the paper is not taken
    """
    actor.require(Capability.LICENCE_APPLY, of=licence.organisation_id)
    paper = clean_document(upload) if upload is not None else None
    fields = _fields(
        licence.licence_type,
        number=number,
        issuer=issuer,
        site_name=site_name,
        site_geoname_id=site_geoname_id,
        materials=materials,
        annual_mass_kg=annual_mass_kg,
        valid_from=valid_from,
        valid_until=valid_until,
    )
    return _correct(licence, actor, fields, paper, now=now)


@transaction.atomic
def _correct(
    licence: Licence,
    actor: Actor,
    fields: dict[str, Any],
    paper: CleanDocument | None,
    *,
    now: datetime,
) -> Licence:
    holder_id = actor.require(Capability.LICENCE_APPLY, of=licence.organisation_id)
    licence = Licence.objects.lock(licence)
    if licence.status not in (Licence.Status.DRAFT, Licence.Status.NEEDS_INFO):
        raise LicenceRefusal(
            _("This licence is being checked and cannot be changed. Wait for the result."),
            code="licence_not_editable",
        )
    if paper is not None:
        fields["document"] = keep_document(
            paper, organisation_id=holder_id, title=fields["number"], now=now
        )
    for name, value in fields.items():
        setattr(licence, name, value)
    licence.save(update_fields=list(fields))
    record(LicenceCorrected(licence_id=licence.pk), by=actor, at=now)
    return licence


@transaction.atomic
def submit_licence(licence: Licence, *, actor: Actor, now: datetime) -> Licence:
    """Hand an application to the verifiers. What they checked before has to be checked again.

    :raises PermissionDenied: if it is not the actor's
    :raises LicenceRefusal: if the paper is missing
    :raises AlreadyMovedOn: if it was submitted before
    """
    actor.require(Capability.LICENCE_APPLY, of=licence.organisation_id)
    licence = Licence.objects.lock(licence)
    licence.enter(Licence.Status.SUBMITTED)
    if licence.document_id is None:
        raise LicenceRefusal(
            _("Add a scan or a photo of the licence, then submit it."),
            code="licence_document_missing",
            field="document",
        )
    if licence.valid_until < now.date():
        raise LicenceRefusal(
            _("This licence has ended. Apply with the renewed one."),
            code="licence_expired",
            field="valid_until",
        )
    licence.checks.all().delete()  # they spoke of the application as it was
    licence.approvals.all().delete()
    licence.reason = ""
    licence.submitted_at, licence.submitted_by_id = now, actor.user_id
    licence.save(update_fields=["status", "reason", "submitted_at", "submitted_by"])
    record(LicenceSubmitted(licence_id=licence.pk), by=actor, at=now)
    return licence


def _fields(
    licence_type: LicenceType,
    *,
    number: str,
    issuer: str,
    site_name: str,
    site_geoname_id: int | None,
    materials: list[str],
    annual_mass_kg: Decimal | None,
    valid_from: date,
    valid_until: date,
) -> dict[str, Any]:
    if not number.strip():
        raise LicenceRefusal(
            _("Enter the number that stands on the licence."),
            code="licence_number_missing",
            field="number",
        )
    if valid_until < valid_from:
        raise LicenceRefusal(
            _("The last day lies before the first. Correct one of them."),
            code="licence_dates",
            field="valid_until",
        )
    if annual_mass_kg is not None and not (
        annual_mass_kg.is_finite() and 0 < annual_mass_kg < Decimal(10) ** 9
    ):
        raise LicenceRefusal(
            _("Enter the kilograms a year that stand on the licence, more than 0."),
            code="licence_mass",
            field="annual_mass_kg",
        )
    covered = chemistries_of(licence_type.families)
    chosen = sorted(set(materials)) if materials else covered
    if unknown := [code for code in chosen if code not in covered]:
        raise LicenceRefusal(
            _("This type of licence does not cover %(materials)s. Take it out.")
            % {"materials": ", ".join(unknown)},
            code="licence_material",
            field="materials",
        )
    place = city(site_geoname_id) if site_geoname_id else None
    return {
        "licence_type": licence_type,
        "country": licence_type.country_id,
        "acts": list(licence_type.allows),
        "number": number.strip(),
        "issuer": issuer.strip() or licence_type.issuer,
        "site_name": site_name.strip(),
        "site_place": place.name if place else "",
        "site_latitude": Decimal(str(place.latitude)) if place else None,
        "site_longitude": Decimal(str(place.longitude)) if place else None,
        "materials": chosen,
        "annual_mass_kg": annual_mass_kg,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "finish_until": rules.finish_until(valid_until, licence_type.finish_grace_days),
    }
