"""Issuing: everything slow first, outside any transaction; then all of it written at once, or nothing."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from marketplace.accounts.actors import SYSTEM
from marketplace.certificates import keys, queries
from marketplace.certificates.events import CertificateIssued, ReportContradicted
from marketplace.certificates.models import (
    Certificate,
    CertificatePaper,
    ProcessingReport,
    StatusList,
)
from marketplace.certificates.printing import certificate_pdf
from marketplace.certificates.rules import codes, status_list
from marketplace.certificates.rules.credentials import (
    Claim,
    Processor,
    StatusPlace,
    conformity_credential,
    facts_of,
)
from marketplace.certificates.rules.decentralized_ids import key_id
from marketplace.certificates.rules.signatures import sign
from marketplace.core.errors import Refused
from marketplace.deals.models import Deal
from marketplace.deals.services import mark_certified
from marketplace.journal.services import record

from . import processing
from .publishing import list_url, open_status_list


@dataclass(frozen=True)
class Paper:
    """A printed certificate that lies in the file store."""

    language: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Prepared:
    """A certificate that has been signed and printed, and does not exist until it is stored."""

    report_id: int
    code: str
    signed: str
    kid: str
    list_id: int
    index: int
    papers: tuple[Paper, ...]


@dataclass(frozen=True)
class Contradicted:
    """A report that can no longer be certified, and why."""

    report_id: int
    code: str
    reason: str


def prepare_certificate(report_id: int, *, now: datetime) -> Prepared | Contradicted | None:
    """Build, sign and print the certificate of a report. The slow part: call outside a transaction.

    The certificate is valid from the moment of the report: how long the job waited for a key or a worker says nothing
    about the batteries. Leaves no trace but files that nothing refers to. Returns None if the report has been decided already.

    :raises KeyUnusable: if there is no usable signing key
    """
    report = _read(report_id)
    if report.status != ProcessingReport.Status.SUBMITTED:
        return None
    try:
        _still_true(report, report.deal)
    except Refused as refusal:
        return Contradicted(report_id, refusal.code, refusal.message)

    key = keys.signing_key(settings.KEYS_DIR)
    issuer = queries.issuer()
    code = codes.code_from([secrets.randbelow(len(codes.ALPHABET)) for _ in range(11)])
    place = _free_place(open_status_list(now=now))
    document = conformity_credential(
        _claim(report, code),
        issuer=issuer,
        status=StatusPlace(list_url(place.status_list_id), place.status_index),
        valid_from=report.submitted_at,
    )
    signed = sign(document, key=key, did=issuer.did)
    kid = key_id(issuer.did, key)
    papers = tuple(
        _print(document, signed, kid=kid, language=language)
        for language, _name in settings.LANGUAGES
    )
    return Prepared(report_id, code, signed, kid, place.status_list_id, place.status_index, papers)


@transaction.atomic
def store_certificate(made: Prepared | Contradicted, *, now: datetime) -> Certificate | None:
    """Write a prepared certificate down, with everything that follows from it, or refuse the report.

    Decides again on the locked rows: what was true when it was prepared may not be any more. A report that has been
    decided meanwhile keeps its outcome.
    """
    report = ProcessingReport.objects.lock(ProcessingReport(pk=made.report_id))
    if report.status != ProcessingReport.Status.SUBMITTED:
        return Certificate.objects.filter(report=report).first()
    deal = Deal.objects.lock(report.deal)
    if isinstance(made, Prepared):
        try:
            _still_true(report, deal)
        except Refused as refusal:
            made = Contradicted(report.pk, refusal.code, refusal.message)
    if isinstance(made, Contradicted):
        _refuse(report, made, now=now)
        return None

    digest = sha256(made.signed.encode()).hexdigest()
    certificate = Certificate.objects.create(
        code=made.code,
        report=report,
        holder_id=report.processor_id,
        certified_kg=report.input_kg,
        recovered_share=report.balance().recovered_share,
        signed=made.signed,
        sha256=digest,
        kid=made.kid,
        status_list_id=made.list_id,
        status_index=made.index,
        issued_at=now,
    )
    CertificatePaper.objects.bulk_create(
        CertificatePaper(
            certificate=certificate, language=paper.language, file=paper.file, sha256=paper.sha256
        )
        for paper in made.papers
    )
    mark_certified(deal, by=SYSTEM, now=now)
    report.enter(ProcessingReport.Status.PROVED)
    report.decided_at = now
    report.save(update_fields=["status", "decided_at"])
    record(
        CertificateIssued(
            certificate_id=certificate.pk,
            report_id=report.pk,
            deal_id=deal.pk,
            lot_id=deal.lot_id,
            code=certificate.code,
            sha256=digest,
        ),
        by=SYSTEM,
        at=now,
    )
    return certificate


def _read(report_id: int) -> ProcessingReport:
    related = ("processor", "licence__licence_type", "deal__lot")
    return ProcessingReport.objects.select_related(*related).get(pk=report_id)


def _still_true(report: ProcessingReport, deal: Deal) -> None:
    """Refuse what has become false since the report: a dispute, a lowered mass, a licence taken away.

    :raises Refused: with the reason
    """
    report.balance()
    processing.has_come_so_far(deal)
    left_kg = queries.left_to_report(deal)
    if left_kg < 0:
        raise processing.MoreThanAccepted(left_kg + report.input_kg)
    processing.licence_on(deal, report.kind, report.processed_on)


def _refuse(report: ProcessingReport, found: Contradicted, *, now: datetime) -> None:
    report.enter(ProcessingReport.Status.REFUSED)
    report.refusal, report.decided_at = found.reason, now
    report.save(update_fields=["status", "refusal", "decided_at"])
    record(
        ReportContradicted(report_id=report.pk, deal_id=report.deal_id, code=found.code),
        by=SYSTEM,
        at=now,
    )


def _claim(report: ProcessingReport, code: str) -> Claim:
    site, lot, licence = settings.SITE_URL, report.deal.lot, report.licence
    return Claim(
        code=code,
        kind=report.kind,
        processor=Processor(
            url=f"{site}/organisations/{report.processor_id}/",
            name=report.processor.name,
            country=report.processor.country,
            licence_number=licence.number,
            licence_kind=licence.licence_type.name,
            licence_issuer=licence.issuer,
        ),
        lot_url=f"{site}/lots/{lot.pk}/",
        lot_name=f"Lot {lot.pk}",
        chemistry=lot.chemistry_id or "UNKNOWN",
        collected_in=lot.country,
        processed_on=report.processed_on,
        balance=report.balance(),
        outputs=report.fractions(),
    )


@dataclass(frozen=True)
class _Place:
    status_list_id: int
    status_index: int


def _free_place(found: StatusList) -> _Place:
    """Draw a bit that nobody has, at random: numbers in order would tell how many were issued, and when.

    Two that draw the same bit meet the unique constraint; the later one is prepared again.
    """
    while True:
        index = secrets.randbelow(status_list.SIZE)
        if not found.certificates.filter(status_index=index).exists():
            return _Place(found.pk, index)


def _print(document: dict[str, object], signed: str, *, kid: str, language: str) -> Paper:
    facts = facts_of(document)
    content = certificate_pdf(
        facts,
        signed=signed,
        kid=kid,
        page_url=f"{settings.SITE_URL}/v/{facts.code}/",
        market=queries.MARKET,
        language=language,
    )
    digest = sha256(content).hexdigest()
    name = f"certificates/{facts.code[:2]}/{facts.code}-{language}-{digest[:12]}.pdf"
    return Paper(language, default_storage.save(name, ContentFile(content)), digest)
