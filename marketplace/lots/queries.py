"""What other rooms, and the questions of the intake, ask about lots."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Sum

from marketplace.reference.models import Chemistry, PackModel

from .models import Lot

LISTING_WINDOW = timedelta(days=30)

KINDS: dict[str, tuple[str, ...]] = {
    Lot.Origin.SCOOTER: ("TWO_WHEELER",),
    Lot.Origin.RICKSHAW: ("THREE_WHEELER",),
    Lot.Origin.CAR: ("CAR",),
    Lot.Origin.STARTER: ("STARTER",),
    Lot.Origin.BUS: ("BUS",),
    Lot.Origin.HOME: ("HOME",),
    Lot.Origin.TELECOM: ("TELECOM",),
    Lot.Origin.DEVICE: ("PHONE",),
    Lot.Origin.TOOL: ("TOOL",),
    Lot.Origin.MIXED: ("PHONE", "LAPTOP", "TOOL"),
}
"""The kinds of the pack catalogue that one unit of an origin stands for."""

LEAD_ORIGINS = frozenset({Lot.Origin.STARTER})
"""Where "I do not know" still means lead-acid."""


def listed_kg(seller_id: int, *, now: datetime) -> Decimal:
    """Return how many kg a seller declared within the last 30 days, whatever became of them."""
    recent = Lot.objects.filter(seller_id=seller_id, submitted_at__gt=now - LISTING_WINDOW)
    total = recent.exclude(status=Lot.Status.WITHDRAWN).aggregate(kg=Sum("mass_kg"))["kg"]
    return total or Decimal(0)


def presumed_chemistry(lot: Lot) -> Chemistry:
    """Return the chemistry of a lot, or what must be presumed when its owner does not know it."""
    if lot.chemistry is not None:
        return lot.chemistry
    return Chemistry.objects.get(code="PBA" if lot.origin in LEAD_ORIGINS else "LI_UNKNOWN")


def unit_masses_kg(origin: str, chemistry: Chemistry | None) -> Sequence[Decimal]:
    """Return what single packs of an origin weigh, of one chemistry if the catalogue has it."""
    packs = PackModel.objects.filter(kind__in=KINDS.get(origin, ()))
    if chemistry is not None:
        packs = packs.filter(chemistry=chemistry) or packs.filter(
            chemistry__family=chemistry.family
        )
    return [pack.mass_kg / pack.units for pack in packs]
