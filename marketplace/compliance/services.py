"""Say how a lot must be packed, marked and papered, and keep it with the evidence that it was decided on."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.core.errors import Refused
from marketplace.lots.models import Lot
from marketplace.lots.queries import presumed_chemistry
from marketplace.reference.queries import dangerous_goods

from . import queries, rules
from .models import Classification


class NotClassifiable(Refused):
    code = "not_classifiable"


@transaction.atomic
def classify(lot: Lot, *, mode: str = Classification.Mode.ROAD, now: datetime) -> Classification:
    """Decide how a lot travels by one mode. The same evidence is decided once.

    "I do not know" is treated as the most dangerous thing that it may be: unsorted lithium-ion.

    :raises NotClassifiable: if nobody has answered the safety questions yet
    """
    [classification] = _classify(lot, [mode], now=now)
    return classification


@transaction.atomic
def classify_for_every_mode(lot: Lot, *, now: datetime) -> list[Classification]:
    """Decide how a lot travels by road, by sea and by air.

    :raises NotClassifiable: if nobody has answered the safety questions yet
    """
    return _classify(lot, Classification.Mode.values, now=now)


def _classify(lot: Lot, modes: Sequence[str], *, now: datetime) -> list[Classification]:
    lot = Lot.objects.lock(lot)
    known = {
        each.mode: each
        for each in Classification.objects.filter(
            lot=lot, mode__in=modes, evidence_version=lot.evidence_version
        )
    }
    missing = [mode for mode in modes if mode not in known]
    if missing and not lot.triage:
        raise NotClassifiable(_("Answer the safety questions first."), field="triage")
    if missing:
        condition = rules.condition_of(lot.triage)
        goods = dangerous_goods(presumed_chemistry(lot))
        on = now.date()
        table = queries.rules_for(condition, goods, on)
        decided = [
            _classification(
                lot,
                rules.decide(table, condition=condition, goods=goods, mode=mode, on=on),
                condition=condition,
                goods=goods,
                mode=mode,
                now=now,
            )
            for mode in missing
        ]
        known |= {each.mode: each for each in Classification.objects.bulk_create(decided)}
    return [known[mode] for mode in modes]


def _classification(
    lot: Lot, decision: rules.Decision, *, condition: str, goods: str, mode: str, now: datetime
) -> Classification:
    refusal = decision.refusal
    if decision.verdict == rules.NO_RULE:
        refusal = "No rule is known for this. Ask a dangerous goods adviser before it moves."
    return Classification(
        lot=lot,
        mode=mode,
        condition=condition,
        goods=goods,
        verdict=decision.verdict if decision.may_move else rules.FORBIDDEN,
        un_number=decision.un_number,
        proper_shipping_name=decision.proper_shipping_name,
        packing_instruction=", ".join(decision.packing_instructions),
        special_provisions=list(decision.special_provisions),
        marks=list(decision.marks),
        documents=list(decision.documents),
        refusal=refusal,
        rule_edition=decision.rule_edition,
        evidence_version=lot.evidence_version,
        classified_at=now,
    )
