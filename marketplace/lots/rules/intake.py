"""How a lot is judged before anybody buys it: is it safe to move, and can its amounts be true?

No source gives a field test for spent packs that laymen could follow, so triage errs on the safe side: signs that
special provision 376 of ADR calls critical (heat, gas, an opened case) are red, any other damage is amber.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from statistics import median

MAX_PHOTOS = 8
LARGEST_MASS_KG = Decimal(100_000)
LARGEST_ENERGY_KWH = Decimal(100_000)
MOST_UNITS = 1_000_000


class Sign(StrEnum):
    """What the six pictograms ask."""

    SWOLLEN = "swollen"
    HOT = "hot"
    WET = "wet"
    SMELL = "smell"
    DENTED = "dented"
    CUT = "cut"


class Light(StrEnum):
    """The outcome of triage."""

    GREEN = "GREEN"
    AMBER = "AMBER"
    RED = "RED"


RED_ALONE = frozenset({Sign.HOT, Sign.SMELL})
RED_TOGETHER = (
    frozenset({Sign.SWOLLEN, Sign.CUT}),
    frozenset({Sign.WET, Sign.CUT}),
    frozenset({Sign.WET, Sign.SWOLLEN}),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A light, and the signs that switched it on."""

    light: Light
    because: tuple[Sign, ...]


def triage(signs: Collection[Sign]) -> Verdict:
    """Say whether a lot may move, from the signs that its owner saw.

    Heat and smell mean that a cell may be venting now. A cut that meets swelling or liquid, and liquid that meets
    swelling, mean that a case is open. Chemistry is not asked: most owners do not know it, and treating lead-acid
    as carefully as lithium-ion costs little.

    :source: ADR 2025, special provision 376: signs of damaged and of critical batteries; that a single swollen,
        wet, dented or cut pack is not critical is our assumption, to be confirmed by a competent person

    >>> triage([]).light, triage([Sign.DENTED]).light, triage([Sign.SWOLLEN, Sign.CUT]).light
    (<Light.GREEN: 'GREEN'>, <Light.AMBER: 'AMBER'>, <Light.RED: 'RED'>)
    """
    seen = frozenset(signs)
    critical = seen & RED_ALONE
    for pair in RED_TOGETHER:
        if pair <= seen:
            critical |= pair
    if critical:
        return Verdict(Light.RED, _in_order(critical))
    if seen:
        return Verdict(Light.AMBER, _in_order(seen))
    return Verdict(Light.GREEN, ())


def _in_order(signs: Collection[Sign]) -> tuple[Sign, ...]:
    return tuple(sign for sign in Sign if sign in signs)


# --- amounts ------------------------------------------------------------------------------------


class Doubt(StrEnum):
    """Why an amount cannot be believed."""

    MISSING = "missing"
    NOT_POSITIVE = "not_positive"
    TOO_LARGE = "too_large"
    NOT_A_NUMBER = "not_a_number"


def doubt_about(amount: Decimal, *, largest: Decimal) -> Doubt | None:
    """Return why an amount cannot be true, or nothing.

    >>> doubt_about(Decimal("0.0004"), largest=Decimal(5)), doubt_about(Decimal("NaN"), largest=Decimal(5))
    (<Doubt.NOT_POSITIVE: 'not_positive'>, <Doubt.NOT_A_NUMBER: 'not_a_number'>)
    """
    if not amount.is_finite():
        return Doubt.NOT_A_NUMBER
    if amount < Decimal("0.001"):  # to the gram, it would be nothing
        return Doubt.NOT_POSITIVE
    if amount > largest:
        return Doubt.TOO_LARGE
    return None


GROUPED = re.compile(r"[0-9]{1,3}([., '][0-9]{2,3})*[., '][0-9]{3}")


def number_from(text: str, *, decimal_sign: str = ".") -> Decimal | None:
    """Read a number as people type it: digits of any script, with or without thousands separators.

    ``1,234`` and ``1.234`` mean different things in different languages, so the reader's decimal sign is asked for.

    :param decimal_sign: "." or ","
    :returns: nothing if it is no plain number: no exponent, no "NaN", no two signs

    >>> number_from("१२.५"), number_from("1.234,5", decimal_sign=","), number_from("12,5")
    (Decimal('12.5'), Decimal('1234.5'), Decimal('12.5'))
    >>> number_from("12,34,567.5"), number_from("1e5"), number_from("٣٫٥")
    (Decimal('1234567.5'), None, Decimal('3.5'))
    """
    plain = "".join(_ascii_digit(letter) for letter in text.strip())
    plain = plain.replace("٫", decimal_sign).replace("٬", "").replace("−", "-")
    plain = re.sub(r"(?<=[0-9])\s(?=[0-9])", "", plain)
    sign, plain = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
    other = "," if decimal_sign == "." else "."
    if plain.count(other) == 1 and decimal_sign not in plain and not GROUPED.fullmatch(plain):
        plain = plain.replace(other, decimal_sign)  # "12,5" typed by somebody used to the other one
    whole, _, fraction = plain.partition(decimal_sign)
    if other in whole or "'" in whole:
        if not GROUPED.fullmatch(whole):
            return None
        whole = re.sub(r"[., ']", "", whole)
    if not re.fullmatch(r"[0-9]{1,15}", whole or "0") or not re.fullmatch(r"[0-9]{0,9}", fraction):
        return None
    if not whole and not fraction:
        return None
    return Decimal(f"{sign}{whole or 0}.{fraction or 0}").normalize() + 0


def _ascii_digit(letter: str) -> str:
    value = unicodedata.decimal(letter, None)
    return letter if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Mass:
    """A mass in kg, and whether a scale said so."""

    kg: Decimal
    is_estimated: bool


def mass_of(
    *,
    weighed_kg: Decimal | None,
    energy_kwh: Decimal | None,
    units: int | None,
    wh_per_kg: Decimal,
    unit_masses_kg: Sequence[Decimal],
) -> Mass | None:
    """Return what a lot weighs: as weighed, else from its energy, else from its number of units.

    :param wh_per_kg: rated energy per kg of pack of its chemistry
    :param unit_masses_kg: masses of single packs of its kind; their median stands for one unit
    :returns: nothing if nothing is known

    >>> mass_of(weighed_kg=None, energy_kwh=Decimal(6), units=None, wh_per_kg=Decimal(120), unit_masses_kg=[])
    Mass(kg=Decimal('50.000'), is_estimated=True)
    """
    if weighed_kg is not None:
        return Mass(weighed_kg, is_estimated=False)
    gram = Decimal("0.001")
    if energy_kwh is not None:
        return Mass((energy_kwh * 1000 / wh_per_kg).quantize(gram), is_estimated=True)
    if units is not None and unit_masses_kg:
        return Mass((median(unit_masses_kg) * units).quantize(gram), is_estimated=True)
    return None


def amounts_disagree(
    mass_kg: Decimal,
    energy_kwh: Decimal,
    *,
    wh_per_kg_low: Decimal,
    wh_per_kg_high: Decimal,
    gap: Decimal,
) -> bool:
    """Tell whether mass and energy cannot both be right: the energy per kg lies further outside than the gap.

    >>> amounts_disagree(Decimal(100), Decimal(200), wh_per_kg_low=Decimal(90),
    ...     wh_per_kg_high=Decimal(150), gap=Decimal("0.4"))
    True
    """
    wh_per_kg = energy_kwh * 1000 / mass_kg
    return not wh_per_kg_low * (1 - gap) <= wh_per_kg <= wh_per_kg_high * (1 + gap)


# --- the seller's limit -----------------------------------------------------------------------


def kg_left(cap_kg: Decimal | None, listed_kg: Decimal) -> Decimal | None:
    """Return how many kg a seller may still list; nothing means without limit."""
    return None if cap_kg is None else max(Decimal(0), cap_kg - listed_kg)


def missing(answers: Mapping[str, bool]) -> tuple[str, ...]:
    """Return the names of what is not yet answered, in the order of the questions.

    >>> missing({"photos": True, "origin": False, "triage": False})
    ('origin', 'triage')
    """
    return tuple(name for name, answered in answers.items() if not answered)
