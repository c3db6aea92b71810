"""What other rooms, and the questions of the intake, ask about lots."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO

from django.db.models import Exists, OuterRef, Prefetch, QuerySet, Sum
from PIL import Image

from marketplace.reference.models import Chemistry, PackModel
from marketplace.reference.queries import parameter

from . import rules
from .models import HealthClaim, Lot, LotPhoto
from .rules import health as health_rules

LISTING_WINDOW = timedelta(days=30)

KINDS: dict[str, tuple[str, ...]] = {
    Lot.Origin.SCOOTER: ("TWO_WHEELER",),
    Lot.Origin.RICKSHAW: ("THREE_WHEELER",),
    Lot.Origin.CAR: ("CAR", "VAN"),
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
    packs = PackModel.objects.coming_back().filter(kind__in=KINDS.get(origin, ()))
    if chemistry is not None:
        packs = packs.filter(chemistry=chemistry) or packs.filter(
            chemistry__family=chemistry.family
        )
    return [pack.mass_kg / pack.units for pack in packs]


def amounts_disagree(lot: Lot, *, on: date) -> bool:
    """Tell whether the lot's weighed mass and its energy cannot both be right."""
    if lot.mass_kg is None or lot.mass_is_estimated or lot.energy_kwh is None:
        return False
    kind = presumed_chemistry(lot)
    return rules.amounts_disagree(
        lot.mass_kg,
        lot.energy_kwh,
        wh_per_kg_low=kind.pack_wh_per_kg_low,
        wh_per_kg_high=kind.pack_wh_per_kg_high,
        gap=parameter("RATING_GAP", on),
    )


def with_first_photo(rows: QuerySet[Lot]) -> QuerySet[Lot]:
    """Give each lot ``first_photos``: a list of its first photo, or of none. One query for any number of lots."""
    first = LotPhoto.objects.order_by("lot_id", "pk").distinct("lot_id")
    return rows.prefetch_related(Prefetch("photos", first, to_attr="first_photos"))


def picture_of(photo: LotPhoto, *, width: int) -> bytes:
    """Return a photo as JPEG, made smaller if it is wider than asked for.

    :raises FileNotFoundError: if its file is gone
    """
    with photo.file.open() as kept:
        if photo.width <= width:
            whole: bytes = kept.read()
            return whole
        with Image.open(kept, formats=["JPEG"]) as opened:
            opened.draft("RGB", (width, width))
            opened.thumbnail((width, 10 * width))
            small = BytesIO()
            opened.save(small, "JPEG", quality=76, optimize=True)
    return small.getvalue()


def best_healths(lots: Iterable[Lot]) -> dict[int, HealthClaim]:
    """Return the health claim that counts of each lot that has one, in one query."""
    claims: dict[int, list[HealthClaim]] = {}
    for claim in HealthClaim.objects.filter(lot__in=lots).order_by("pk"):
        claims.setdefault(claim.lot_id, []).append(claim)
    found = {pk: health_rules.best(of_lot) for pk, of_lot in claims.items()}
    return {pk: claim for pk, claim in found.items() if claim is not None}


def best_health(lot: Lot) -> HealthClaim | None:
    """Return the health claim that counts for the value of a lot; ``rules.health.best`` says which, and why."""
    return health_rules.best(HealthClaim.objects.filter(lot=lot))


@dataclass(frozen=True, slots=True)
class Check:
    """One claim that was checked: what somebody said, minus what was found, as a share."""

    organisation_id: int
    name: str
    what: str
    error: Decimal


@dataclass(frozen=True, slots=True)
class GraderScore:
    """How near to what was found the claims of one organisation were. ``what``: HEALTH, or what a caller checked."""

    organisation_id: int
    name: str
    what: str
    score: health_rules.Score


def grader_scores(also: Iterable[Check] = ()) -> list[GraderScore]:
    """Return the score of everybody whose health claims were checked after delivery. One query.

    Only claims on the same basis and level are compared, the newest believed ones, and no resistances.

    :param also: checks that other rooms know of, such as the declared against the accepted mass
    """
    found = HealthClaim.objects.filter(lot=OuterRef("lot")).exclude(
        tested_by_id=OuterRef("lot__seller_id")
    )
    rows = (
        HealthClaim.objects.filter(Exists(found), basis__in=health_rules.BASES)
        .select_related("lot", "tested_by")
        .order_by("added_at", "pk")
    )
    claimed: dict[tuple[int, str, str], HealthClaim] = {}
    seen: dict[tuple[int, str, str], HealthClaim] = {}
    for row in rows:
        if health_rules.believed(row.doubts):
            newest = claimed if row.tested_by_id == row.lot.seller_id else seen
            newest[row.lot_id, row.basis, row.level] = row
    errors: dict[tuple[int, str, str], list[Decimal]] = defaultdict(list)
    for key, claim in claimed.items():
        if key in seen:
            who = (claim.tested_by_id, claim.tested_by.name, "HEALTH")
            errors[who].append(claim.value - seen[key].value)
    for check in also:
        errors[check.organisation_id, check.name, check.what].append(check.error)
    scores = [
        GraderScore(organisation_id, name, what, health_rules.score(made))
        for (organisation_id, name, what), made in errors.items()
    ]
    return sorted(scores, key=lambda one: (one.what, -one.score.checks, one.name))
