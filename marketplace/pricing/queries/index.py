"""What the index is made of, and what it was last said to be."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from marketplace.pricing.models import IndexValue, SettledPrice
from marketplace.pricing.rules.index import Group, Known, Observation, by_group

from .board import price_board

LINE_FORMS = {
    "scooter-lfp": "SCOOTER",
    "car-nmc": "CAR",
    "laptop-nmc": "DEVICE",
    "phone-lco": "DEVICE",
    "lead-acid": "STARTER",
    "nimh": "CAR",
}
"""What people recognise, as lots name it. A line that is not here has no form of its own."""


def observations(first: date, last: date) -> Mapping[Group, list[Observation]]:
    """Return the deals settled between two days, by every group that they count in. One query."""
    rows = SettledPrice.objects.counting().filter(settled_on__range=(first, last))
    return by_group(
        (
            (row.letters, row.form, row.country),
            Observation(
                row.settled_on, row.kg, row.usd_per_kg or Decimal(0), row.seller_party, row.buyer_party
            ),
        )
        for row in rows.order_by("pk")
    )  # fmt: skip


def published(first: date, last: date) -> Mapping[tuple[date, Group], IndexValue]:
    """Return what stands published for the days between two, the last revision of each."""
    rows = IndexValue.objects.filter(on__range=(first, last)).current()
    return {(row.on, group_of(row)): row for row in rows}


def last_settled(on: date) -> Mapping[Group, Known]:
    """Return, by group, the last index up to a day that still rests on deals, with what the formula said then.

    Rows without a formula are kept at a ratio of one: the group stays published.
    """
    settled = IndexValue.objects.filter(on__lte=on, basis=IndexValue.Basis.SETTLED)
    rows = settled.unrevised().newest()
    return {
        group_of(row): Known(row.usd_per_kg, row.formula_usd_per_kg)
        for row in rows
        if row.usd_per_kg is not None and row.formula_usd_per_kg is not None
    }


def formulas(on: date) -> Mapping[Group, Decimal]:
    """Return what the valuation says of a kilogram of each group: of the board's lines, and of the chemistries in them."""
    found: dict[Group, Decimal] = {}
    for line in price_board(on=on, currency="USD"):
        letters = line.chemistry.letters
        found.setdefault(Group(letters), line.typical)
        if form := LINE_FORMS.get(line.code):
            found.setdefault(Group(letters, form), line.typical)
    return found


def formula(group: Group, known: Mapping[Group, Decimal]) -> Decimal | None:
    """Return the valuation that is nearest to a group: of its form, else of its chemistry. It is the same in all countries."""
    nearest = known.get(Group(group.chemistry, group.form))
    return known.get(Group(group.chemistry)) if nearest is None else nearest


def group_of(row: IndexValue) -> Group:
    return Group(row.chemistry, row.form, row.country)
