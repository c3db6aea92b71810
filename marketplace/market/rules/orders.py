"""Standing orders: whether a lot fits one, and if not why, each reason by its name. Which of several is best."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from marketplace.core.quantities import great_circle_km

Position = tuple[float, float]

MOST_KG = Decimal(100_000_000)
"""What the column of an order's kilograms is asked to hold; more is a slip of the finger."""


class Misfit(StrEnum):
    """Why a lot does not fit an order. The order of the names is the order in which people are told."""

    OWN_GROUP = "own_group"
    CURRENCY = "currency"
    COUNTRY = "country"
    MATERIAL = "material"
    KIND_UNKNOWN = "kind_unknown"
    DAMAGED = "damaged"
    INTACT = "intact"
    PLACE_UNKNOWN = "place_unknown"
    TOO_FAR = "too_far"
    TOO_LIGHT = "too_light"
    TOO_HEAVY = "too_heavy"
    FULL = "full"
    HEALTH_UNKNOWN = "health_unknown"
    HEALTH_BASIS = "health_basis"
    HEALTH_LOW = "health_low"
    HEALTH_HIGH = "health_high"
    ENERGY_UNKNOWN = "energy_unknown"
    NOT_PRICED = "not_priced"
    BUDGET = "budget"
    LICENCE = "licence"


@dataclass(frozen=True, slots=True)
class Health:
    """A believed state of health, a share, and of what: claims on unlike bases are never compared."""

    value: Decimal
    basis: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an order takes.

    :param within_km: as the crow flies around the site; none: the whole country
    :param health: lowest and highest share; none: any, also unmeasured
    """

    materials: Collection[str]
    takes_intact: bool
    takes_damaged: bool
    country: str
    currency: str
    site: Position
    within_km: int | None
    kg_from: Decimal
    kg_to: Decimal
    left_kg: Decimal
    health: tuple[Decimal, Decimal] | None = None
    health_basis: str = ""
    needs_energy: bool = False


@dataclass(frozen=True, slots=True)
class Brought:
    """What is known of a lot, as far as orders ask."""

    material: str | None
    is_damaged: bool
    country: str
    currency: str
    position: Position | None
    mass_kg: Decimal
    health: Health | None = None
    energy_kwh: Decimal | None = None


def misfits(wanted: Wanted, brought: Brought) -> tuple[Misfit, ...]:
    """Return every reason why a lot does not fit an order; nothing if it fits."""
    return tuple(sorted(_misfits(wanted, brought), key=list(Misfit).index))


def _misfits(wanted: Wanted, brought: Brought) -> Iterable[Misfit]:
    if brought.currency != wanted.currency:
        yield Misfit.CURRENCY
    if brought.country != wanted.country:
        yield Misfit.COUNTRY
    if brought.material is None:
        yield Misfit.KIND_UNKNOWN
    elif brought.material not in wanted.materials:
        yield Misfit.MATERIAL
    if brought.is_damaged and not wanted.takes_damaged:
        yield Misfit.DAMAGED
    if not brought.is_damaged and not wanted.takes_intact:
        yield Misfit.INTACT
    if wanted.within_km is not None:
        if brought.position is None:
            yield Misfit.PLACE_UNKNOWN
        elif great_circle_km(wanted.site, brought.position) > wanted.within_km:
            yield Misfit.TOO_FAR
    if brought.mass_kg < wanted.kg_from:
        yield Misfit.TOO_LIGHT
    elif brought.mass_kg > wanted.kg_to:
        yield Misfit.TOO_HEAVY
    elif brought.mass_kg > wanted.left_kg:
        yield Misfit.FULL
    if wanted.health is not None:
        yield from _health_misfits(wanted.health, wanted.health_basis, brought.health)
    if wanted.needs_energy and brought.energy_kwh is None:
        yield Misfit.ENERGY_UNKNOWN


def _health_misfits(
    band: tuple[Decimal, Decimal], basis: str, health: Health | None
) -> Iterable[Misfit]:
    lowest, highest = band
    if health is None:
        yield Misfit.HEALTH_UNKNOWN
    elif health.basis != basis:
        yield Misfit.HEALTH_BASIS
    elif health.value < lowest:
        yield Misfit.HEALTH_LOW
    elif health.value > highest:
        yield Misfit.HEALTH_HIGH


def is_filled(*, left_kg: Decimal, kg_from: Decimal, budget_left: Decimal) -> bool:
    """Tell whether an order takes nothing more: less is left than its smallest lot, or no money.

    >>> is_filled(left_kg=Decimal(40), kg_from=Decimal(50), budget_left=Decimal(1000))
    True
    """
    return left_kg < kg_from or budget_left <= 0


@dataclass(frozen=True, slots=True)
class Ranked:
    """An offer to be compared. ``key`` is the older order's advantage: it makes the ranking total and always the same."""

    key: int
    price: Decimal


def best_first(offers: Iterable[Ranked]) -> list[Ranked]:
    """Return offers by what the seller gets at the gate, the most first; of equal ones the older order."""
    return sorted(offers, key=lambda offer: (-offer.price, offer.key))


def terms_digest(terms: Mapping[str, Any]) -> str:
    """Return the fingerprint of an order's terms, as published."""
    plain = {name: _plain(value) for name, value in terms.items()}
    written = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return (
        value if isinstance(value, dict | list | bool | int | str) or value is None else str(value)
    )
