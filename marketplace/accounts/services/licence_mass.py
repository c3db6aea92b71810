from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.models import Licence, LicenceDraw, LicenceYear
from marketplace.core.errors import Refused


class MassLeft(Refused):
    code = "licence_mass_left"


@transaction.atomic
def draw_mass(
    licence: Licence, *, mass_kg: Decimal, purpose: str, on: date, now: datetime
) -> LicenceDraw | None:
    """Reserve kilograms of a licence's calendar year for one purpose, as "deal:17".

    Asking again for the same purpose returns the same draw. A licence without a yearly mass is not drawn upon.

    :param on: the day that says which year is drawn
    :raises MassLeft: if the year has fewer kilograms left, or the purpose holds another mass
    """
    if licence.annual_mass_kg is None:
        return None
    year = _locked_year(licence, on.year, licence.annual_mass_kg)
    drawn = year.draws.filter(purpose=purpose, released_at=None).first()
    if drawn is not None:
        if drawn.mass_kg != mass_kg:
            raise MassLeft(
                _("%(drawn)s kg of this licence are reserved already. Release them first.")
                % {"drawn": drawn.mass_kg}
            )
        return drawn
    left = year.limit_kg - year.drawn_kg
    if mass_kg > left:
        raise MassLeft(
            _("Your licence has %(left)s kg left for %(year)s. Choose less, or add a licence.")
            % {"left": left, "year": on.year}
        )
    draw = LicenceDraw.objects.create(
        licence_year=year, purpose=purpose, mass_kg=mass_kg, drawn_at=now
    )
    year.drawn_kg += mass_kg
    year.save(update_fields=["drawn_kg"])
    return draw


@transaction.atomic
def release_mass(*, purpose: str, now: datetime) -> Decimal:
    """Give back what a purpose has reserved, and return how many kilograms. Asking again gives back nothing more."""
    years = LicenceYear.objects.filter(draws__purpose=purpose, draws__released_at=None).values_list(
        "pk", flat=True
    )
    given_back = Decimal(0)
    for year in LicenceYear.objects.filter(pk__in=list(years)).order_by("pk"):
        locked = LicenceYear.objects.lock(year)
        for draw in locked.draws.filter(purpose=purpose, released_at=None):
            draw.released_at = now
            draw.save(update_fields=["released_at"])
            locked.drawn_kg -= draw.mass_kg
            given_back += draw.mass_kg
        locked.save(update_fields=["drawn_kg"])
    return given_back


def _locked_year(licence: Licence, year: int, limit: Decimal) -> LicenceYear:
    # two first draws of a year race here; the unique constraint lets one row through
    LicenceYear.objects.bulk_create(
        [LicenceYear(licence=licence, year=year, limit_kg=limit)], ignore_conflicts=True
    )
    return LicenceYear.objects.lock(LicenceYear.objects.get(licence=licence, year=year))
