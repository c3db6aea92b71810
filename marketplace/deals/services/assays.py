"""What a laboratory found in the goods of a deal, sent by one side, or by a verifier for the umpire."""

import secrets
from collections.abc import Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.core.uploads import CleanDocument, Upload, clean_document
from marketplace.deals import rules
from marketplace.deals.events import AssaySent
from marketplace.deals.models import Assay, AssayResult, Deal, Party, Reckoning
from marketplace.journal.services import record

from .ending import scales_of
from .reckoning import end_umpire, go_on, party_of, terms_of

SIXTH = Decimal("0.000001")
LONGEST_LABORATORY, LONGEST_SAMPLE = 120, 60


class AssayRefused(Refused):
    """An assay that is not taken. ``code`` says why."""

    def __init__(self, message: str, *, code: str, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.code = code


def send_assay(
    deal: Deal,
    *,
    actor: Actor,
    laboratory: str,
    sample: str,
    assayed_on: date,
    shares: Mapping[str, Decimal],
    certificate: Upload,
    request_id: UUID,
    now: datetime,
) -> Assay:
    """Send what a laboratory found in the sealed sample. Once for each side; the same request counts once.

    The other side does not see it before its own is in. When both are, the price follows, if they do not differ too
    much and the quotes are there. A verifier sends the umpire's.

    :param sample: the number of its seal
    :param shares: material -> share of the dry mass, in [0, 1], of everything that is paid for
    :param certificate: the laboratory's paper
    :raises PermissionDenied: if the actor is of neither side and no verifier apart from both
    :raises AssayRefused: if it is not the time, nothing is settled by assay, it was sent already, or it makes no sense
    :raises UploadRefused: if the paper is not taken
    """
    _party_of(deal, actor)
    paper = clean_document(certificate, field="certificate")  # slow, so before the transaction
    return _send(
        deal,
        actor=actor,
        laboratory=laboratory.strip(),
        sample=sample.strip(),
        assayed_on=assayed_on,
        shares=shares,
        paper=paper,
        request_id=request_id,
        now=now,
    )


@transaction.atomic
def _send(
    deal: Deal,
    *,
    actor: Actor,
    laboratory: str,
    sample: str,
    assayed_on: date,
    shares: Mapping[str, Decimal],
    paper: CleanDocument,
    request_id: UUID,
    now: datetime,
) -> Assay:
    party = _party_of(deal, actor)
    sent_for = actor.organisation_id
    lock_word(f"assay:{sent_for}:{request_id}")
    repeated = Assay.objects.filter(sent_for_id=sent_for, request_id=request_id).first()
    if repeated is not None:
        if repeated.deal_id != deal.pk:
            raise AssayRefused(
                _("This request was already used for another assay. Reload the page."),
                code="idempotency_mismatch",
            )
        return repeated
    deal = Deal.objects.lock(deal)
    contract = _right_time(deal, party)
    if Assay.objects.filter(deal=deal, party=party).exists():
        raise AssayRefused(
            _("An assay was sent already. It stands: the other side may rely on it."),
            code="assay_sent_already",
        )
    _sensible(deal, laboratory, sample, assayed_on, now)
    found = _results(contract, shares)

    assay = Assay(
        deal=deal,
        party=party,
        laboratory=laboratory,
        sample=sample,
        assayed_on=assayed_on,
        certificate_sha256=paper.original_sha256,
        sent_for_id=sent_for,
        sent_by_id=actor.user_id,  # type: ignore[misc]  # who acts for an organisation is a user
        sent_at=now,
        request_id=request_id,
    )
    name = f"{secrets.token_hex(16)}{paper.suffix}"
    assay.certificate.save(name, ContentFile(paper.bytes), save=False)
    assay.save(force_insert=True)
    AssayResult.objects.bulk_create(
        AssayResult(assay=assay, material=material, share=share)
        for material, share in sorted(found.items())
    )
    record(AssaySent(deal_id=deal.pk, assay_id=assay.pk, party=party), by=actor, at=now)
    reckoning = Reckoning.objects.filter(deal=deal).first()
    if reckoning is not None:
        locked = Reckoning.objects.lock(reckoning)
        after = end_umpire if party == Party.UMPIRE else go_on
        after(deal, locked, by=actor, now=now)
    return assay


def _party_of(deal: Deal, actor: Actor) -> Party:
    if actor.organisation_id in (deal.seller_id, deal.buyer_id):
        return party_of(deal, actor)
    actor.require(Capability.DISPUTE_DECIDE)
    if deal.seller.related_to(actor) or deal.buyer.related_to(actor):
        raise PermissionDenied
    return Party.UMPIRE


def _right_time(deal: Deal, party: Party) -> rules.Contract:
    if not deal.is_by_terms:
        raise AssayRefused(
            _("This deal is for a fixed price. No assay changes it."), code="assay_not_needed"
        )
    contract, status = terms_of(deal), Deal.Status
    scales = scales_of(deal)
    kg = deal.accepted_kg or scales.delivery_kg or deal.declared_kg
    if not contract.is_assayed(kg):
        raise AssayRefused(
            _("By the contract the tables say what is inside, so no assay is needed."),
            code="assay_not_needed",
        )
    reckoning = Reckoning.objects.filter(deal=deal).first()
    waits_for = "" if reckoning is None else reckoning.status
    if party == Party.UMPIRE:
        if waits_for != Reckoning.Status.UMPIRE:
            raise AssayRefused(
                _("No umpire is asked for here, or the time is over."), code="no_umpire_needed"
            )
        return contract
    if deal.status not in (
        status.INSPECTION,
        status.ADJUSTED,
        status.ACCEPTED,
        status.PART_ACCEPTED,
    ):
        raise AssayRefused(
            _("An assay is sent once the goods have arrived, until the deal is paid."),
            code="assay_not_now",
        )
    if waits_for and waits_for != Reckoning.Status.ASSAYS:
        raise AssayRefused(
            _("The time for assays is over. The price is worked out from what was sent."),
            code="assay_too_late",
        )
    return contract


def _sensible(deal: Deal, laboratory: str, sample: str, assayed_on: date, now: datetime) -> None:
    if not 0 < len(laboratory) <= LONGEST_LABORATORY:
        raise AssayRefused(
            _("Write the name of the laboratory."), code="laboratory_missing", field="laboratory"
        )
    if not 0 < len(sample) <= LONGEST_SAMPLE:
        raise AssayRefused(
            _("Write the number of the seal on the sample."), code="sample_missing", field="sample"
        )
    if not deal.opened_at.date() <= assayed_on <= now.date():
        raise AssayRefused(
            _("Write the day on the certificate: after the deal was made, and not in the future."),
            code="assay_date_wrong",
            field="assayed_on",
        )


def _results(contract: rules.Contract, shares: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return the results to six decimals.

    :raises AssayRefused: if one is missing, unknown or no share, or all together are more than the whole
    """
    paid = ", ".join(contract.paid)
    for material, share in shares.items():
        if material not in contract.paid:
            raise AssayRefused(
                _("Leave %(material)s out. This contract pays for: %(paid)s.")
                % {"material": material[:8], "paid": paid},
                code="result_unknown",
                field=f"shares.{material[:8]}",
            )
        if not share.is_finite() or not 0 <= share <= 1:
            raise AssayRefused(
                _("Write how much of the dry mass is %(material)s: from nothing to all of it.")
                % {"material": material},
                code="result_not_a_share",
                field=f"shares.{material}",
            )
    for material in contract.paid:
        if material not in shares:
            raise AssayRefused(
                _("The result for %(material)s is missing. This contract pays for: %(paid)s.")
                % {"material": material, "paid": paid},
                code="result_missing",
                field=f"shares.{material}",
            )
    found = {name: share.quantize(SIXTH, ROUND_HALF_EVEN) for name, share in shares.items()}
    if sum(found.values()) > 1:
        raise AssayRefused(
            _("Together these are more than the whole sample. Check where the points stand."),
            code="results_too_much",
            field=f"shares.{contract.paid[0]}",
        )
    return found
