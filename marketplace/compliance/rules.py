"""How a lot must travel: condition x goods x mode -> one row of the decision table, or a refusal.

The table itself is reference data, dated and sourced; this module only chooses from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

MODES = ("ROAD", "SEA", "AIR")

NO_RULE = "NO_RULE"
FORBIDDEN = "FORBIDDEN"
APPROVAL = "APPROVAL"
ALLOWED = "ALLOWED"

CONDITION_BY_LIGHT = {"GREEN": "INTACT_RECYCLING", "AMBER": "DAMAGED", "RED": "CRITICAL"}
"""What triage means in the words of the table. Lots are waste: intact ones go for recycling, not for reuse."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the decision table, in force within its days."""

    condition: str
    goods: str
    mode: str
    verdict: str
    un_number: str
    proper_shipping_name: str
    packing_instructions: tuple[str, ...]
    special_provisions: tuple[str, ...]
    marks: tuple[str, ...]
    documents: tuple[str, ...]
    refusal: str
    rule_edition: str
    valid_from: date | None = None
    valid_to: date | None = None

    def in_force(self, on: date) -> bool:
        """Tell whether the row counts on a day; both its first and its last day do."""
        return (self.valid_from or date.min) <= on <= (self.valid_to or date.max)


@dataclass(frozen=True, slots=True)
class Decision:
    """How something must travel, or why it must not. ``verdict`` NO_RULE: nobody wrote a row, so it must not."""

    verdict: str
    un_number: str = ""
    proper_shipping_name: str = ""
    packing_instructions: tuple[str, ...] = ()
    special_provisions: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    refusal: str = ""
    rule_edition: str = ""

    @property
    def may_move(self) -> bool:
        """Tell whether it may travel at all; with an approval counts."""
        return self.verdict in (ALLOWED, APPROVAL)


def decide(rules: Iterable[Rule], *, condition: str, goods: str, mode: str, on: date) -> Decision:
    """Return what the newest row in force says. Without a row nothing moves: the safe answer.

    A forbidden thing gets no entry, no packing and no papers, only the reason.
    """
    rows = [
        rule
        for rule in rules
        if (rule.condition, rule.goods, rule.mode) == (condition, goods, mode) and rule.in_force(on)
    ]
    if not rows:
        return Decision(NO_RULE)
    row = max(rows, key=lambda rule: (rule.valid_from or date.min, rule.rule_edition))
    if row.verdict == FORBIDDEN:
        return Decision(FORBIDDEN, refusal=row.refusal, rule_edition=row.rule_edition)
    return Decision(
        row.verdict,
        un_number=row.un_number,
        proper_shipping_name=row.proper_shipping_name,
        packing_instructions=row.packing_instructions,
        special_provisions=row.special_provisions,
        marks=row.marks,
        documents=row.documents,
        rule_edition=row.rule_edition,
    )


def condition_of(light: str) -> str:
    """Return the condition that the table knows for a triage light.

    >>> condition_of("AMBER")
    'DAMAGED'
    """
    return CONDITION_BY_LIGHT[light]
