"""What other rooms ask about people, organisations and licences."""

from collections.abc import Iterable
from decimal import Decimal

from marketplace.reference.models import Chemistry
from marketplace.reference.queries import parameter

from .models import Licence, LicenceYear, Membership, Organisation, SignUpCode


def listing_cap_kg(organisation: Organisation) -> Decimal | None:
    """Return how many kg an organisation may list within 30 days; none: without limit.

    Somebody with only a phone number needs no tax number, but has a cap.
    """
    if organisation.tier == Organisation.Tier.PHONE:
        return parameter("PHONE_ONLY_CAP_KG")
    return None


def mass_left_kg(licences: Iterable[Licence], year: int) -> dict[int, Decimal | None]:
    """Return by licence what is left of its year in kg; none: the licence names no yearly mass."""
    rows = list(licences)
    drawn = dict(
        LicenceYear.objects.filter(licence__in=rows, year=year).values_list(
            "licence_id", "drawn_kg"
        )
    )
    return {
        row.pk: None
        if row.annual_mass_kg is None
        else row.annual_mass_kg - drawn.get(row.pk, Decimal(0))
        for row in rows
    }


def is_related(user_id: int | None, organisation: Organisation) -> bool:
    """Tell whether a person belongs to an organisation, or to another one of the same owner."""
    if user_id is None:
        return False
    theirs = Membership.objects.filter(user_id=user_id)
    if theirs.filter(organisation=organisation).exists():
        return True
    return (
        bool(organisation.group) and theirs.filter(organisation__group=organisation.group).exists()
    )


def chemistries_of(families: Iterable[str]) -> list[str]:
    """Return the codes of the chemistries of some families, in order."""
    rows = Chemistry.objects.filter(family__in=list(families)).order_by("code")
    return list(rows.values_list("code", flat=True))


def members_of(organisation_id: int) -> list[int]:
    """Return the people who act for an organisation, by id."""
    rows = Membership.objects.filter(
        organisation_id=organisation_id, user__is_active=True
    ).order_by("user_id")
    return list(rows.values_list("user_id", flat=True).distinct())


def unused_proof(pk: int | None) -> SignUpCode | None:
    """Return a code that a browser was sent to prove an address with, unless it was used."""
    return SignUpCode.objects.filter(pk=pk, used_at=None).first() if pk else None
