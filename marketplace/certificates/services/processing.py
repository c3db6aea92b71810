"""A processor says what came out of the batteries of a deal. It is believed only if the kilograms agree."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.accounts.models import Licence
from marketplace.certificates import queries
from marketplace.certificates.events import ProcessingReported
from marketplace.certificates.models import ProcessingReport, ReportOutput
from marketplace.certificates.rules.mass_balance import (
    STAGE_OF,
    Balance,
    Imbalance,
    Output,
    Stage,
    Wrong,
    balance,
)
from marketplace.certificates.wording import number_text
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.deals.models import Deal, Weighing
from marketplace.deals.services import mark_processed
from marketplace.journal.services import enqueue, record
from marketplace.reference.models import LicenceType

ISSUE = "certificates.issue"
AHEAD_OF_UTC = timedelta(hours=14)
"""The furthest a calendar may be ahead of UTC (Kiribati): a report of today is never "in the future"."""


PROCESSABLE = (Deal.Status.SETTLED, Deal.Status.PROCESSED, Deal.Status.CERTIFIED)


class ProcessingRefused(Refused):
    code = "processing_refused"


class MassesDisagree(ProcessingRefused):
    """The mass balance does not hold. ``wrong`` names which rule, for programs."""

    code = "masses_disagree"

    def __init__(self, imbalance: Imbalance) -> None:
        super().__init__(_what_is_wrong(imbalance), field=imbalance.field)
        self.wrong = imbalance.wrong


class MoreThanAccepted(ProcessingRefused):
    code = "more_than_accepted"

    def __init__(self, left_kg: Decimal) -> None:
        super().__init__(
            _("Of this deal %(left)s kg are left to report. Enter at most that.")
            % {"left": number_text(max(left_kg, Decimal(0)))},
            field="input_kg",
        )


class NotLicensedThatDay(ProcessingRefused):
    code = "not_licensed_that_day"


class NotReady(ProcessingRefused):
    code = "deal_not_ready"


class DayImpossible(ProcessingRefused):
    code = "day_impossible"


@transaction.atomic
def report_processing(
    deal: Deal,
    *,
    actor: Actor,
    kind: str,
    input_kg: Decimal,
    outputs: Sequence[Output],
    residue_kg: Decimal,
    loss_kg: Decimal,
    processed_on: date,
    request_id: UUID,
    now: datetime,
    note: str = "",
) -> ProcessingReport:
    """Report what came out, and queue the certificate. Asking again with the same ``request_id`` changes nothing.

    A deal may be processed in several batches; together they never exceed what was accepted at delivery.

    :raises PermissionDenied: if the actor is not of the buyer's organisation, or may not report
    :raises MassesDisagree: if outputs, residue and loss do not explain the input
    :raises MoreThanAccepted: if more goes in than was accepted and not yet reported
    :raises NotLicensedThatDay: if no licence for these batteries counted on the day
    :raises NotReady: if the delivery has not been accepted, or is disputed
    :raises DayImpossible: if the day lies in the future or before the delivery
    """
    processor_id = actor.require(Capability.PROCESSING_REPORT, of=deal.buyer_id)
    lock_word(f"processing:{processor_id}:{request_id}")
    repeated = ProcessingReport.objects.filter(processor=processor_id, request_id=request_id)
    if (found := repeated.first()) is not None:
        return found
    deal = Deal.objects.lock(deal)
    sums = _balanced(kind, input_kg, outputs, residue_kg=residue_kg, loss_kg=loss_kg)
    has_come_so_far(deal)
    _possible_day(deal, processed_on, now=now)
    left_kg = queries.left_to_report(deal)
    if input_kg > left_kg:
        raise MoreThanAccepted(left_kg)
    licence = licence_on(deal, kind, processed_on)

    report = ProcessingReport.objects.create(
        deal=deal,
        processor_id=processor_id,
        licence=licence,
        kind=kind,
        input_kg=input_kg,
        residue_kg=residue_kg,
        loss_kg=loss_kg,
        processed_on=processed_on,
        note=note.strip(),
        submitted_at=now,
        request_id=request_id,
    )
    ReportOutput.objects.bulk_create(
        ReportOutput(report=report, material=o.material, mass_kg=o.mass_kg, units=o.units)
        for o in outputs
    )
    mark_processed(deal, by=actor, now=now)
    enqueue(ISSUE, {"report": report.pk}, now=now, dedupe_key=f"certificate:{report.pk}")
    record(
        ProcessingReported(
            report_id=report.pk,
            deal_id=deal.pk,
            lot_id=deal.lot_id,
            kind=kind,
            input_kg=str(input_kg),
            recovered_share=str(sums.recovered_share),
        ),
        by=actor,
        at=now,
    )
    return report


def has_come_so_far(deal: Deal) -> None:
    """Refuse a deal whose delivery has not been weighed, accepted and paid for, or is disputed.

    :raises NotReady: with the reason
    """
    if deal.status not in PROCESSABLE or deal.accepted_kg is None:
        raise NotReady(
            _("Accept and pay for the delivery first: its weighed mass is what you report on.")
        )
    if deal.disputes.filter(ended_at=None).exists():
        raise NotReady(_("A dispute is open. Report once it has been settled."))


def licence_on(deal: Deal, kind: str, day: date) -> Licence:
    """Return the buyer's licence that covers these batteries on a day. What was begun may be finished after it lapsed.

    The licence of the deal counts for a lot whose chemistry nobody knew: it was checked when the bid was placed.

    :raises NotLicensedThatDay: if there is none
    """
    act = (
        LicenceType.Use.REPURPOSE
        if kind == ProcessingReport.Kind.REPURPOSED
        else LicenceType.Use.RECEIVE
    )
    held = Licence.objects.filter(organisation=deal.buyer_id).may_finish(act, on=day)
    chemistry = deal.lot.chemistry_id
    for licence in held.order_by("-valid_until", "pk"):
        if chemistry in licence.materials or licence.pk == deal.licence_id:
            return licence
    raise NotLicensedThatDay(
        _(
            "No licence of yours covered this work with these batteries on that day."
            " Correct the day, or add the licence under Licences."
        ),
        field="processed_on",
    )


def _possible_day(deal: Deal, day: date, *, now: datetime) -> None:
    if day > (now + AHEAD_OF_UTC).date():
        raise DayImpossible(_("That day has not come yet."), field="processed_on")
    delivered = deal.weighings.filter(stage=Weighing.Stage.DELIVERY).first()
    if delivered and day < (delivered.weighed_at - AHEAD_OF_UTC).date():
        raise DayImpossible(
            _("The batteries had not been delivered on that day."), field="processed_on"
        )


def _balanced(
    kind: str,
    input_kg: Decimal,
    outputs: Sequence[Output],
    *,
    residue_kg: Decimal,
    loss_kg: Decimal,
) -> Balance:
    try:
        sums = balance(input_kg, outputs, residue_kg=residue_kg, loss_kg=loss_kg)
    except Imbalance as imbalance:
        raise MassesDisagree(imbalance) from imbalance
    lives_on = any(STAGE_OF[output.material] is Stage.PRODUCT for output in outputs)
    if lives_on != (kind == ProcessingReport.Kind.REPURPOSED):
        raise ProcessingRefused(
            _(
                "Cells, modules and packs for second life make a report of repurposing; materials alone one of recycling."
            ),
            field="kind",
        )
    return sums


def _what_is_wrong(imbalance: Imbalance) -> str:
    sentences = {
        Wrong.NOT_A_NUMBER: _("Enter a mass in kg, such as 112.4."),
        Wrong.INPUT_NOT_POSITIVE: _("Enter how many kg went in, above 0."),
        Wrong.INPUT_TOO_LARGE: _("That is more than any plant takes. Enter kg, not g."),
        Wrong.NOTHING_CAME_OUT: _("Enter at least one thing that came out."),
        Wrong.OUTPUT_NOT_POSITIVE: _("Each thing that came out needs a mass above 0."),
        Wrong.MATERIAL_UNKNOWN: _("Choose a material from the list."),
        Wrong.MATERIAL_REPEATED: _("Enter each material once, with its whole mass."),
        Wrong.UNITS_NOT_POSITIVE: _("Enter how many pieces, at least 1."),
        Wrong.PRODUCT_WITHOUT_UNITS: _("Cells, modules and packs need a number of pieces too."),
        Wrong.RESIDUE_NEGATIVE: _("Residue cannot be below 0. Enter 0 if there was none."),
        Wrong.LOSS_NEGATIVE: _("Loss cannot be below 0. Enter 0 if there was none."),
        Wrong.OUTPUTS_ABOVE_INPUT: _(
            "What came out weighs %(kg)s kg more than what went in. Weigh again, or correct the outputs."
        ),
        Wrong.TOO_MUCH: _(
            "Outputs, residue and loss are together %(kg)s kg above the input. Correct one of them."
        ),
        Wrong.TOO_LITTLE: _(
            "%(kg)s kg of the input are not accounted for. Add them to residue or loss, or correct the outputs."
        ),
    }
    return sentences[imbalance.wrong] % {"kg": number_text(imbalance.difference_kg)}
