"""Value lots of a file without storing them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from marketplace.core.money import payable
from marketplace.lots.models import Lot
from marketplace.pricing import rules
from marketplace.pricing.rules.lot_file import FileLot, FileRefused, Known, Problem, read_lots
from marketplace.reference.models import Chemistry
from marketplace.reference.queries import RateMissing, rate_per_usd

from .market import Facts, Health, flags_of, inputs_of, market_on

MEASURED_SPREAD = Decimal("0.02")
BATCH = 2000


@dataclass(frozen=True, slots=True)
class FileWorth:
    """What one lot of a file is worth; amounts as exact text, in its currency."""

    id: str
    low: str
    typical: str
    high: str
    currency: str
    route: str
    because: str
    terms: list[dict[str, Any]]
    routes: list[dict[str, Any]]
    evidence: list[dict[str, Any]]
    flags: list[dict[str, str]]
    rules_version: str
    seed: int
    on: str


def lots_in_file(data: bytes, *, is_json: bool, on: date) -> list[FileLot]:
    """Return the lots of a file, all checked.

    :raises FileRefused: naming every row and column that is wrong
    """
    kinds = Chemistry.objects.all()
    known = Known(
        wh_per_kg={
            kind.code: (kind.pack_wh_per_kg_low, kind.pack_wh_per_kg_high) for kind in kinds
        },
        origins=set(Lot.Origin.values),
        this_year=on.year,
    )
    lots = read_lots(data, is_json=is_json, known=known)
    problems = []
    for number, lot in enumerate(lots, start=1):
        try:
            rate_per_usd(lot.currency, on)
        except RateMissing as missing:
            problems.append(Problem(number, "currency", str(missing)))
    if problems:
        raise FileRefused(problems)
    return lots


def worth_in_file(
    lots: Sequence[FileLot], *, on: date, seed: int = 1, evidence: bool = True
) -> Iterator[FileWorth]:
    """Give what each lot is worth, in their order. Nothing is stored."""
    market = market_on(on)
    rates = {currency: rate_per_usd(currency, on) for currency in {lot.currency for lot in lots}}
    for start in range(0, len(lots), BATCH):
        batch = lots[start : start + BATCH]
        known = [_facts(lot) for lot in batch]
        inputs = [inputs_of(facts, market) for facts in known]
        worths = rules.value_many(inputs, seed=seed, evidence=evidence)
        for lot, facts, asked, worth in zip(batch, known, inputs, worths, strict=True):
            flags = [*({"code": code} for code in lot.flags), *flags_of(facts, asked, market)]
            yield _line(lot, worth, flags, rates[lot.currency], seed, on)


def _facts(lot: FileLot) -> Facts:
    health = None
    if lot.health is not None:
        spread = MEASURED_SPREAD if lot.health_measured else 5 * MEASURED_SPREAD
        health = Health(lot.health, spread, measured=lot.health_measured)
    return Facts(
        mass_kg=lot.mass_kg,
        origin=lot.origin,
        chemistry=lot.chemistry,
        mass_is_estimated=lot.mass_is_estimated,
        energy_kwh=lot.energy_kwh,
        health=health,
        damaged=lot.damaged,
        made_year=lot.made_year,
        has_history=lot.has_history,
        country=lot.country,
        position=lot.position,
    )


def _line(
    lot: FileLot,
    worth: rules.Worth,
    flags: list[dict[str, str]],
    per_usd: Decimal,
    seed: int,
    on: date,
) -> FileWorth:
    def money(usd: Decimal) -> str:
        return str(payable(usd * per_usd, lot.currency))

    terms = [(term, payable(term.usd * per_usd, lot.currency)) for term in worth.terms]
    typical = sum((amount for _term, amount in terms), Decimal(0))
    return FileWorth(
        id=lot.id,
        low=str(min(typical, payable(worth.low * per_usd, lot.currency))),
        typical=str(typical),
        high=str(max(typical, payable(worth.high * per_usd, lot.currency))),
        currency=lot.currency,
        route=worth.route.value,
        because=worth.because.value,
        terms=[
            {
                "code": term.code,
                "material": term.material,
                "amount": str(amount),
                "source": term.source,
                "on": term.on,
                "facts": dict(term.facts),
            }
            for term, amount in terms
        ],
        routes=[
            {
                "route": each.route.value,
                "barred": [gate.value for gate in each.barred],
                "typical": None if each.barred else money(each.typical),
                "kept_kwh": str(each.kept_kwh),
                "avoided_co2_kg": str(each.avoided_co2_kg),
            }
            for each in worth.routes
        ],
        evidence=[
            {
                "code": each.code,
                "raises_low_from": money(each.raises_low_from),
                "raises_low_to": money(each.raises_low_to),
                "raises_typical": money(each.raises_typical),
                "narrows": str(each.narrows),
            }
            for each in worth.evidence
        ],
        flags=flags,
        rules_version=rules.VERSION,
        seed=seed,
        on=on.isoformat(),
    )
