"""The quotes that a deal by terms is settled by, each with its source, its day, and why it counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from marketplace.deals.rules import Contract
from marketplace.pricing.rules.quotational import (
    How,
    Period,
    Said,
    Used,
    in_period,
    used_quotes,
)
from marketplace.reference.models import CurrencyRate, Material, MetalQuote


@dataclass(frozen=True, slots=True)
class Found:
    """The quotes of the paid materials and the rate; ``missing`` are those for which the period holds none."""

    quotes: dict[str, Used]
    per_usd: Used
    missing: tuple[str, ...]


def quotes_and_rate(contract: Contract, *, weighed_on: date) -> Found:
    """Return what is known today of the period that a contract names, in two queries."""
    period = contract.period(weighed_on)
    of_bid = {name: contract.quotes[name] for name in contract.paid if name in contract.quotes}
    said = _said(contract, of_bid, period)
    missing = tuple(
        name
        for name, bid in of_bid.items()
        if in_period(said.get(name, ()), period, named=bid.source) is None
    )
    return Found(used_quotes(said, period, of_bid=of_bid), _rate(contract, period), missing)


def _said(contract: Contract, materials: Iterable[str], period: Period) -> dict[str, list[Said]]:
    """Return what sources said up to the end of a period, per kilogram of metal: lithium is quoted as its carbonate."""
    quoted_as = {
        Material.LITHIUM_CARBONATE.value if name == Material.LI else name: name
        for name in materials
    }
    kinds, said = MetalQuote.Kind, dict[str, list[Said]]()
    rows = MetalQuote.objects.filter(material__in=list(quoted_as), quoted_on__lte=period.last)
    for row in rows.order_by("pk"):
        name = quoted_as[row.material]
        factor = contract.lithium_in_carbonate if name == Material.LI else 1
        each = Said(
            on=row.quoted_on,
            usd_per_kg=row.price_usd_per_kg * factor,
            source=row.source_id,
            is_month_average=row.kind == kinds.MONTHLY_AVERAGE,
            is_spot=row.kind == kinds.SPOT,
            order=row.pk,
        )
        said.setdefault(name, []).append(each)
    return said


def _rate(contract: Contract, period: Period) -> Used:
    """Return the newest rate at the end of a period; none: the one of the bid."""
    if contract.currency == "USD":
        return contract.per_usd
    row = (
        CurrencyRate.objects.filter(currency=contract.currency, quoted_on__lte=period.last)
        .order_by("-quoted_on", "-pk")
        .first()
    )
    if row is None:
        return contract.per_usd
    how = How.DAY if row.quoted_on == period.last else How.EARLIER
    return Used(row.per_usd, row.quoted_on, row.source_id, how)
