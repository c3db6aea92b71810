"""What pages and other rooms ask: how does this lot travel?"""

from datetime import date

from marketplace.lots.models import Lot
from marketplace.reference.models import DangerousGoodsRule

from .models import Classification
from .rules import Rule


def rules_for(condition: str, goods: str, on: date) -> list[Rule]:
    """Return the rows of the decision table in force on a day, for every mode, in one query."""
    rows = DangerousGoodsRule.objects.filter(condition=condition, goods=goods).valid(on)
    return [rule_of(row) for row in rows]


def rule_of(row: DangerousGoodsRule) -> Rule:
    """Return a stored row as the plain value that rules work with."""
    return Rule(
        condition=row.condition,
        goods=row.goods,
        mode=row.mode,
        verdict=row.verdict,
        un_number=row.un_entry_id or "",
        proper_shipping_name=row.proper_shipping_name,
        packing_instructions=tuple(row.packing_instructions),
        special_provisions=tuple(row.special_provisions),
        marks=tuple(row.marks),
        documents=tuple(row.documents),
        refusal=row.refusal,
        rule_edition=row.rule_edition,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


def latest_classifications(lot: Lot) -> list[Classification]:
    """Return how the lot travels by each mode, by its newest evidence: road, sea, air."""
    rows = lot.classifications.order_by("mode", "-evidence_version").distinct("mode")
    order = {mode: place for place, mode in enumerate(("ROAD", "SEA", "AIR"))}
    return sorted(rows, key=lambda row: order[row.mode])


def latest_classification(lot: Lot, mode: str = "ROAD") -> Classification | None:
    """Return how the lot travels by one mode, by its newest evidence, if it was classified."""
    return lot.classifications.filter(mode=mode).order_by("-evidence_version").first()
