"""How the final price of a bid by terms is worked out: what the contract keeps of the bid, and the statement at the end.

The price at which a deal by terms is signed is provisional. Held is the most that may become due, ``price_cap``; what the
terms come to above it is not paid. Everything that the sum needs stands in the contract that both sides sign.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from marketplace.core.money import payable
from marketplace.core.quantities import to_the_gram
from marketplace.pricing.rules.formulas import (
    VERSION,
    Assay,
    Formula,
    Limits,
    Line,
    Offer,
    PerKwh,
    QuotesOf,
    Settlement,
    counts_assays,
    read,
    settle,
)
from marketplace.pricing.rules.quotational import How, Period, Used, period_of

from .scales import digest

SPLITTING = {
    "Ni": "SPLITTING_LIMIT_NI",
    "Co": "SPLITTING_LIMIT_CO",
    "Li": "SPLITTING_LIMIT_LI",
}


@dataclass(frozen=True, slots=True)
class Days:
    """How long each step may take, in days."""

    assay: int
    answer: int
    umpire: int
    quotes: int


@dataclass(frozen=True, slots=True)
class Contract:
    """The terms of a bid as a contract keeps them. Amounts in the currency of the deal, quotes in USD."""

    offer: Offer
    currency: str
    price_cap: Decimal
    kg: Decimal
    dry_kg: Decimal
    kwh: Decimal | None
    way: Decimal
    contained: Mapping[str, Decimal]
    quotes: Mapping[str, Used]
    per_usd: Used
    lithium_in_carbonate: Decimal
    limits: Limits
    days: Days

    @property
    def paid(self) -> tuple[str, ...]:
        """The materials that are paid for."""
        if not isinstance(self.offer, Formula):
            return ()
        return tuple(sorted(name for name, share in self.offer.payables.items() if share))

    def dry_kg_of(self, accepted_kg: Decimal) -> Decimal:
        """Return the dry mass of what was accepted, by the water that the bid reckoned with.

        The contract says how much water there is; no scale can tell.
        """
        return to_the_gram(accepted_kg * self.dry_kg / self.kg)

    def is_assayed(self, accepted_kg: Decimal) -> bool:
        return counts_assays(self.offer, self.dry_kg_of(accepted_kg), self.limits)

    def period(self, weighed_on: date) -> Period:
        """Return the days whose quotes count; those of the weighing where the terms name none."""
        named = self.offer.quotes_of if isinstance(self.offer, Formula) else QuotesOf.WEIGHING_DAY
        return period_of(named, weighed_on)


def written(
    terms: Mapping[str, Any],
    figures: Mapping[str, Any],
    *,
    cap: Decimal,
    numbers: Mapping[str, Decimal],
) -> dict[str, Any]:
    """Return what a contract keeps of a bid by terms, as JSON.

    :param terms: as ``pricing.rules.formulas.plain`` writes them
    :param figures: what the bid was worked out from
    :param numbers: the reference parameters in force
    """
    return {
        "terms": dict(terms),
        "price_cap": str(cap),
        "currency": figures["currency"],
        "kg": figures["kg"],
        "dry_kg": figures["dry_kg"],
        "kwh": figures["kwh"],
        "way_usd": figures["way_usd"],
        "contained": dict(figures["contained"]),
        "quotes": dict(figures["quotes"]),
        "per_usd": figures["per_usd"],
        "on": figures["on"],
        "figures_sha256": figures["sha256"],
        "lithium_in_carbonate": _text(numbers["LI2CO3_PER_LI"]),
        "assay_min_kg": _text(numbers["ASSAY_MIN_KG"]),
        "splitting": {material: _text(numbers[code]) for material, code in SPLITTING.items()},
        "umpire_usd": _text(numbers["UMPIRE_ASSAY_USD"]),
        "assay_days": int(numbers["ASSAY_DAYS"]),
        "answer_days": int(numbers["ASSAY_ANSWER_DAYS"]),
        "umpire_days": int(numbers["UMPIRE_DAYS"]),
        "quote_days": int(numbers["QUOTE_LATE_DAYS"]),
    }


def contract_of(kept: Mapping[str, Any]) -> Contract:
    """Read what ``written`` wrote."""
    on, per_usd = date.fromisoformat(kept["on"]), Decimal(kept["per_usd"])
    return Contract(
        offer=read(kept["terms"]),
        currency=kept["currency"],
        price_cap=Decimal(kept["price_cap"]),
        kg=Decimal(kept["kg"]),
        dry_kg=Decimal(kept["dry_kg"]),
        kwh=None if kept["kwh"] is None else Decimal(kept["kwh"]),
        way=payable(Decimal(kept["way_usd"]) * per_usd, kept["currency"]),
        contained={name: Decimal(share) for name, share in kept["contained"].items()},
        quotes={
            name: Used(
                Decimal(each["usd_per_kg"]),
                date.fromisoformat(each["on"]),
                each["source"],
                How.BID,
            )
            for name, each in kept["quotes"].items()
        },
        per_usd=Used(per_usd, on, "", How.BID),
        lithium_in_carbonate=Decimal(kept["lithium_in_carbonate"]),
        limits=Limits(
            assay_min_kg=Decimal(kept["assay_min_kg"]),
            splitting={name: Decimal(limit) for name, limit in kept["splitting"].items()},
            umpire_fee=Decimal(kept["umpire_usd"]),
        ),
        days=Days(kept["assay_days"], kept["answer_days"], kept["umpire_days"], kept["quote_days"]),
    )


def final_settlement(
    contract: Contract,
    *,
    accepted_kg: Decimal,
    assays: Sequence[Assay],
    quotes: Mapping[str, Decimal],
    per_usd: Decimal,
    is_split_by_time: bool = False,
) -> Settlement:
    """Return what is due by the terms, never more than what is held.

    :param quotes: USD per kg of material
    :param is_split_by_time: the time for an umpire is over: the middle of two assays counts, however far apart
    :raises UmpireNeeded: if two assays lie too far apart
    """
    limits = contract.limits
    if is_split_by_time:
        limits = Limits(limits.assay_min_kg, {}, limits.umpire_fee)
    is_formula = isinstance(contract.offer, Formula)
    kwh = None
    if isinstance(contract.offer, PerKwh) and contract.kwh is not None:
        kwh = contract.kwh * accepted_kg / contract.kg
    found = settle(
        contract.offer,
        kg=contract.dry_kg_of(accepted_kg) if is_formula else accepted_kg,
        kwh=kwh,
        currency=contract.currency,
        quotes=quotes,
        contained=contract.contained,
        assays=assays,
        limits=limits,
        per_usd=per_usd,
        freight=contract.way,
    )
    if found.amount <= contract.price_cap:
        return found
    cut = Line("cap", contract.price_cap - found.amount)
    return Settlement(contract.price_cap, (*found.lines, cut), found.agreed, found.umpire_fees)


def statement(
    contract: Contract,
    found: Settlement,
    *,
    accepted_kg: Decimal,
    weighed_on: date,
    assays: Sequence[Assay],
    quotes: Mapping[str, Used],
    per_usd: Used,
    is_split_by_time: bool,
    agreed_to: str,
) -> dict[str, Any]:
    """Return everything that the final price was worked out from, as JSON, with its fingerprint."""
    period = contract.period(weighed_on)
    is_formula = isinstance(contract.offer, Formula)
    said = {
        "rules_version": VERSION,
        "currency": contract.currency,
        "amount": str(found.amount),
        "price_cap": str(contract.price_cap),
        "accepted_kg": str(accepted_kg),
        "dry_kg": str(contract.dry_kg_of(accepted_kg)) if is_formula else None,
        "weighed_on": weighed_on.isoformat(),
        "period": {"first": period.first.isoformat(), "last": period.last.isoformat()},
        "quotes": {name: _used(each) for name, each in sorted(quotes.items())},
        "per_usd": _used(per_usd),
        "assays": {
            assay.by.value: {name: _text(share) for name, share in sorted(assay.shares.items())}
            for assay in assays
        },
        "agreed_to": agreed_to,
        "is_split_by_time": is_split_by_time,
        "agreed": {
            name: {
                "share": _text(each.share),
                "basis": each.basis.value,
                "losers": [party.value for party in each.losers],
            }
            for name, each in sorted(found.agreed.items())
        },
        "lines": [
            {
                "code": line.code,
                "material": line.material,
                "amount": str(line.amount),
                "facts": dict(line.facts),
            }
            for line in found.lines
        ],
        "umpire_fees_usd": {
            party.value: str(payable(fee, "USD")) for party, fee in found.umpire_fees.items()
        },
    }
    return said | {"sha256": digest(said)}


def _used(used: Used) -> dict[str, str]:
    return {
        "value": _text(used.value),
        "on": used.on.isoformat(),
        "source": used.source,
        "how": used.how.value,
    }


def _text(number: Decimal) -> str:
    return f"{number.normalize():f}"
