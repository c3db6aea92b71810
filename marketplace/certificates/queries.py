"""Checks that anybody may make: by code, or with a file in hand. Nothing is fetched, nothing is written."""

import json
import zlib
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from io import BytesIO
from typing import Any

import pikepdf
from django.conf import settings
from django.db.models import Sum
from django.utils.translation import gettext as _

from marketplace.deals.models import Deal

from . import keys
from .models import Certificate, CertificatePaper, ProcessingReport, StatusList
from .printing import ATTACHMENT
from .rules import codes
from .rules.credentials import Facts, Issuer, facts_of
from .rules.decentralized_ids import Json, did_document, did_web
from .rules.signatures import LARGEST, Answer, Examination, Flaw, examine

MARKET = "Voltbazaar"
LARGEST_FILE = 2**20
ENVELOPE = "data:application/vc+jwt,"


@dataclass(frozen=True)
class Checked:
    """An answer, and what it rests on. ``certificate`` is the one on our books, whatever the file said."""

    answer: Answer
    certificate: Certificate | None = None
    facts: Facts | None = None
    flaw: Flaw | None = None
    code: str = ""
    letters: str = ""


def issuer() -> Issuer:
    """Return who signs on this deployment."""
    return Issuer(did=did_web(settings.SITE_URL), name=MARKET, site_url=settings.SITE_URL)


def published_did_document() -> Json:
    """Return the DID document: every key that a certificate of ours may have been signed with.

    :raises KeyUnusable: if the published keys cannot be read, or there are none: then nothing can be said
    """
    published = keys.published_keys(settings.KEYS_DIR)
    if not published:
        raise keys.KeyUnusable(
            _("Certificates cannot be checked at the moment. Please try again later.")
        )
    return did_document(issuer().did, published, also_known_as=settings.SITE_URL)


def certificate_with(typed: str) -> Certificate | None:
    """Return the certificate with a code, for everybody."""
    code = codes.read_code(typed)
    return Certificate.objects.public().filter(code=code).first() if code else None


def published_list(list_id: int) -> StatusList | None:
    """Return a status list that everybody may read, or None if there is no such list."""
    return StatusList.objects.exclude(signed="").filter(pk=list_id).first()


def paper_of(certificate: Certificate, language: str) -> CertificatePaper | None:
    """Return the PDF in a language, in English if there is none, or None if nothing was printed."""
    by_language = {paper.language: paper for paper in certificate.papers.all()}
    return by_language.get(language) or by_language.get("en")


def left_to_report(deal: Deal) -> Decimal:
    """Return how many accepted kilograms of a deal no report speaks of yet."""
    used = ProcessingReport.objects.filter(deal=deal).counting().aggregate(kg=Sum("input_kg"))
    return (deal.accepted_kg or Decimal(0)) - (used["kg"] or Decimal(0))


def check_code(typed: str) -> Checked:
    """Look up a certificate by the code that somebody typed, and check its stored bytes again.

    :raises KeyUnusable: if the published keys cannot be read
    """
    code = codes.read_code(typed)
    certificate = (
        Certificate.objects.public().select_related("status_list").filter(code=code).first()
        if code
        else None
    )
    if certificate is None:
        return Checked(Answer.NOT_FOUND, code=code or typed.strip()[:40])
    return _checked(certificate, certificate.signed)


def check_text(text: str) -> Checked:
    """Check a signed credential that somebody brought: is it ours, unchanged, and still standing?

    :raises KeyUnusable: if the published keys cannot be read
    """
    text = text.strip()
    found = _examined(text)
    if found.flaw is not None:
        return Checked(found.answer, flaw=found.flaw, certificate=_named_in(found.credential))
    try:
        facts = facts_of(found.credential)
    except ValueError:
        return Checked(Answer.NOT_FOUND)
    certificate = Certificate.objects.public().filter(code=facts.code).first()
    if certificate is None:
        # Signed with our key but not on our books: whoever did that had the key.
        return Checked(Answer.NOT_FOUND, code=facts.code)
    return _checked(certificate, text)


def check_file(content: bytes) -> Checked:
    """Check an uploaded file: our PDF, an enveloped credential as JSON, or the signed text itself.

    :raises KeyUnusable: if the published keys cannot be read
    """
    if len(content) > LARGEST_FILE:
        return Checked(Answer.ALTERED, flaw=Flaw.TOO_LONG)
    text = _signed_text_in(content)
    if text is None:
        return Checked(Answer.NOT_FOUND, flaw=Flaw.NOT_A_JWT)
    return check_text(text)


def _checked(certificate: Certificate, text: str) -> Checked:
    found = _examined(text)
    is_ours = sha256(text.encode()).hexdigest() == certificate.sha256
    facts = _facts(found.credential) if found.flaw is None else None
    if certificate.status == Certificate.Status.REVOKED:
        answer = Answer.WITHDRAWN
    elif found.flaw is not None or not is_ours or facts is None or facts.code != certificate.code:
        answer = Answer.ALTERED
    else:
        answer = Answer.GENUINE
    return Checked(
        answer,
        certificate=certificate,
        facts=facts,
        flaw=found.flaw,
        code=certificate.code,
        letters=codes.letters_to_compare(text.encode()),
    )


def _examined(text: str) -> Examination:
    document = published_did_document()
    return examine(text, issuers={document["id"]: document})


def _facts(credential: Json) -> Facts | None:
    try:
        return facts_of(credential)
    except ValueError:
        return None


def _named_in(credential: Json) -> Certificate | None:
    """Return the certificate that an altered file claims to be, so that its reader can see the true one."""
    page = credential.get("id")
    if not isinstance(page, str) or not page.startswith(f"{settings.SITE_URL}/v/"):
        return None
    code = codes.read_code(page.rstrip("/").rpartition("/")[2])
    return Certificate.objects.public().filter(code=code).first() if code else None


def _signed_text_in(content: bytes) -> str | None:
    if content.startswith(b"%PDF-"):
        return _attached_to(content)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    if text.lstrip().startswith("{"):
        return _enveloped_in(text)
    return text if text.count(".") == 2 else None


def _attached_to(content: bytes) -> str | None:
    try:
        with pikepdf.open(BytesIO(content)) as paper:
            if ATTACHMENT not in paper.attachments:
                return None
            stream = paper.attachments[ATTACHMENT].get_file().obj
            raw = stream.read_raw_bytes()
            if stream.get("/Filter") == pikepdf.Name.FlateDecode:
                # Bounded: a small attachment can unpack to gigabytes.
                raw = zlib.decompressobj().decompress(raw, LARGEST + 1)
    except (pikepdf.PikepdfError, zlib.error):
        return None
    try:
        return raw.decode("ascii") if len(raw) <= LARGEST else None
    except UnicodeDecodeError:
        return None


def _enveloped_in(text: str) -> str | None:
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    named = document.get("id") if isinstance(document, dict) else None
    if not isinstance(named, str) or not named.startswith(ENVELOPE):
        return None
    return named.removeprefix(ENVELOPE)
