"""Does what came out explain what went in? Kilograms, exact to the gram."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

TOLERANCE_SHARE = Decimal("0.005")
"""How far outputs + residue + loss may be from the input, as a share of the input.

:source: our own choice: two weighings on a class III industrial scale in its upper range, OIML R 76 (0.1 % each),
    and rounding of several fractions. Issue 5 tightens it per site.
"""
TOLERANCE_LEAST_KG = Decimal("0.050")
"""For small inputs the scale's own step counts: 50 g."""
UNUSUALLY_FULL_RECOVERY = Decimal("0.98")
"""Above this recovered share a note asks for a second look: electrolyte, binder and moisture alone weigh more than 2 %."""
MOST_KG = Decimal("9999999.999")


class Stage(StrEnum):
    """How far an output is from being used again."""

    MATERIAL = "MATERIAL"  # a metal, salt or plastic that replaces virgin material
    INTERMEDIATE = "INTERMEDIATE"  # goes on to another plant, for example black mass
    PRODUCT = "PRODUCT"  # a cell, module or pack in its second life


STAGE_OF = {
    "LITHIUM": Stage.MATERIAL,
    "NICKEL": Stage.MATERIAL,
    "COBALT": Stage.MATERIAL,
    "MANGANESE": Stage.MATERIAL,
    "COPPER": Stage.MATERIAL,
    "ALUMINIUM": Stage.MATERIAL,
    "STEEL": Stage.MATERIAL,
    "LEAD": Stage.MATERIAL,
    "CADMIUM": Stage.MATERIAL,
    "ZINC": Stage.MATERIAL,
    "RARE_EARTHS": Stage.MATERIAL,
    "GRAPHITE": Stage.MATERIAL,
    "IRON_PHOSPHATE": Stage.MATERIAL,
    "PLASTICS": Stage.MATERIAL,
    "ELECTROLYTE": Stage.MATERIAL,
    "SODIUM_SULPHATE": Stage.MATERIAL,
    "BLACK_MASS": Stage.INTERMEDIATE,
    "LEAD_PASTE": Stage.INTERMEDIATE,
    "MIXED_METALS": Stage.INTERMEDIATE,
    "CELLS": Stage.PRODUCT,
    "MODULES": Stage.PRODUCT,
    "PACKS": Stage.PRODUCT,
}
"""Every output that may be reported. Intermediates do not count as recovered.

:source: Commission Delegated Regulation (EU) 2025/606: black mass is an intermediate fraction, not an output
"""


@dataclass(frozen=True)
class Output:
    """A fraction that came out. ``units`` is for products that are counted as well as weighed."""

    material: str
    mass_kg: Decimal
    units: int | None = None


class Wrong(StrEnum):
    """Why a report cannot be true."""

    NOT_A_NUMBER = "not_a_number"
    INPUT_NOT_POSITIVE = "input_not_positive"
    INPUT_TOO_LARGE = "input_too_large"
    NOTHING_CAME_OUT = "nothing_came_out"
    OUTPUT_NOT_POSITIVE = "output_not_positive"
    MATERIAL_UNKNOWN = "material_unknown"
    MATERIAL_REPEATED = "material_repeated"
    UNITS_NOT_POSITIVE = "units_not_positive"
    PRODUCT_WITHOUT_UNITS = "product_without_units"
    RESIDUE_NEGATIVE = "residue_negative"
    LOSS_NEGATIVE = "loss_negative"
    OUTPUTS_ABOVE_INPUT = "outputs_above_input"
    TOO_MUCH = "too_much"
    TOO_LITTLE = "too_little"


class Note(StrEnum):
    """What is allowed but looked at twice."""

    ZERO_LOSS = "zero_loss"
    UNUSUALLY_FULL_RECOVERY = "unusually_full_recovery"
    WITHIN_TOLERANCE = "within_tolerance"


class Imbalance(ValueError):
    """The masses contradict each other, or themselves."""

    def __init__(self, wrong: Wrong, *, field: str, difference_kg: Decimal = Decimal(0)) -> None:
        super().__init__(wrong.value)
        self.wrong = wrong
        self.field = field
        self.difference_kg = difference_kg


@dataclass(frozen=True)
class Balance:
    """A report whose masses agree."""

    input_kg: Decimal
    output_kg: Decimal
    recovered_kg: Decimal
    intermediate_kg: Decimal
    residue_kg: Decimal
    loss_kg: Decimal
    difference_kg: Decimal
    notes: tuple[Note, ...]

    @property
    def recovered_share(self) -> Decimal:
        """Materials and products by input, in [0, 1], to four places. Intermediates are not counted."""
        share = self.recovered_kg / self.input_kg
        return share.quantize(Decimal("0.0001"), rounding=ROUND_HALF_EVEN)


def tolerance_kg(input_kg: Decimal) -> Decimal:
    """Return how many kg the two sides of a balance may differ.

    >>> tolerance_kg(Decimal(1000)), tolerance_kg(Decimal(2))
    (Decimal('5.000'), Decimal('0.050'))
    """
    return max(input_kg * TOLERANCE_SHARE, TOLERANCE_LEAST_KG)


def balance(
    input_kg: Decimal,
    outputs: Sequence[Output],
    *,
    residue_kg: Decimal,
    loss_kg: Decimal,
) -> Balance:
    """Check that outputs + residue + loss explain the input, and return the sums.

    :param input_kg: mass that went into the process, as accepted at delivery; above 0
    :param residue_kg: what was disposed of; not negative
    :param loss_kg: what left as vapour, dust or moisture; not negative; 0 is allowed and noted
    :raises Imbalance: with the reason, the field that it is about, and by how many kg it is off
    :source: mass balance invariant; Regulation (EU) 2023/1542, Annex XII

    >>> balance(
    ...     Decimal(100),
    ...     [Output("COPPER", Decimal(60)), Output("BLACK_MASS", Decimal(20))],
    ...     residue_kg=Decimal(15),
    ...     loss_kg=Decimal(5),
    ... ).recovered_share
    Decimal('0.6000')
    """
    _each_makes_sense(input_kg, outputs, residue_kg=residue_kg, loss_kg=loss_kg)
    at_stage = {
        stage: sum((o.mass_kg for o in outputs if STAGE_OF[o.material] is stage), Decimal(0))
        for stage in Stage
    }
    output_kg = sum(at_stage.values(), Decimal(0))
    difference_kg = output_kg + residue_kg + loss_kg - input_kg
    allowed_kg = tolerance_kg(input_kg)
    if output_kg > input_kg:
        raise Imbalance(
            Wrong.OUTPUTS_ABOVE_INPUT, field="outputs", difference_kg=output_kg - input_kg
        )
    if difference_kg > allowed_kg:
        raise Imbalance(Wrong.TOO_MUCH, field="residue_kg", difference_kg=difference_kg)
    if difference_kg < -allowed_kg:
        raise Imbalance(Wrong.TOO_LITTLE, field="residue_kg", difference_kg=-difference_kg)

    sums = Balance(
        input_kg=input_kg,
        output_kg=output_kg,
        recovered_kg=at_stage[Stage.MATERIAL] + at_stage[Stage.PRODUCT],
        intermediate_kg=at_stage[Stage.INTERMEDIATE],
        residue_kg=residue_kg,
        loss_kg=loss_kg,
        difference_kg=difference_kg,
        notes=(),
    )
    looked_at = {
        Note.ZERO_LOSS: loss_kg == 0 and at_stage[Stage.PRODUCT] != output_kg,
        Note.UNUSUALLY_FULL_RECOVERY: sums.recovered_share > UNUSUALLY_FULL_RECOVERY
        and at_stage[Stage.PRODUCT] != output_kg,
        Note.WITHIN_TOLERANCE: difference_kg != 0,
    }
    return Balance(
        **{**vars(sums), "notes": tuple(note for note, holds in looked_at.items() if holds)}
    )


def _each_makes_sense(
    input_kg: Decimal, outputs: Sequence[Output], *, residue_kg: Decimal, loss_kg: Decimal
) -> None:
    named = [("input_kg", input_kg), ("residue_kg", residue_kg), ("loss_kg", loss_kg)]
    for field, mass_kg in [*named, *(("outputs", output.mass_kg) for output in outputs)]:
        if not mass_kg.is_finite():
            raise Imbalance(Wrong.NOT_A_NUMBER, field=field)
    if input_kg <= 0:
        raise Imbalance(Wrong.INPUT_NOT_POSITIVE, field="input_kg")
    if input_kg > MOST_KG:
        raise Imbalance(Wrong.INPUT_TOO_LARGE, field="input_kg")
    if residue_kg < 0:
        raise Imbalance(Wrong.RESIDUE_NEGATIVE, field="residue_kg")
    if loss_kg < 0:
        raise Imbalance(Wrong.LOSS_NEGATIVE, field="loss_kg")
    if not outputs:
        raise Imbalance(Wrong.NOTHING_CAME_OUT, field="outputs")
    seen: set[str] = set()
    for output in outputs:
        if output.material not in STAGE_OF:
            raise Imbalance(Wrong.MATERIAL_UNKNOWN, field="outputs")
        if output.material in seen:
            raise Imbalance(Wrong.MATERIAL_REPEATED, field="outputs")
        seen.add(output.material)
        if output.mass_kg <= 0:
            raise Imbalance(Wrong.OUTPUT_NOT_POSITIVE, field="outputs")
        if output.units is not None and output.units <= 0:
            raise Imbalance(Wrong.UNITS_NOT_POSITIVE, field="outputs")
        if STAGE_OF[output.material] is Stage.PRODUCT and output.units is None:
            raise Imbalance(Wrong.PRODUCT_WITHOUT_UNITS, field="outputs")
