from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from marketplace.accounts.models import Licence, LicenceQuerySet
from marketplace.accounts.queries import mass_left_kg
from marketplace.core.errors import Refused


class LicenceNeeded(Refused):
    """No licence allows it. ``code`` says why: licence_missing, _expired, _suspended, _country, _material, _mass_left."""

    code = "licence_missing"


def open_licence(
    *,
    organisation_id: int,
    act: str,
    chemistry_code: str,
    country: str | None,
    on: date,
    mass_kg: Decimal | None = None,
) -> Licence:
    """Return the licence under which an organisation may begin an act on a day.

    Among several, the one with the most kilograms left. It does not draw them: ``draw_mass`` does.

    :param act: ``LicenceType.Use``: BID, RECEIVE, CARRY, EXPORT, REPURPOSE, COLLECT
    :param country: the country that the licence must be of; none: any
    :param mass_kg: kilograms that its year must still have
    :raises LicenceNeeded: if there is none; its code says why, its message what to do
    """
    act = act.upper()
    held = Licence.objects.filter(organisation_id=organisation_id)
    fitting = _fitting(held, act, chemistry_code, country)
    now_valid = fitting.may_open(act, on=on).filter(organisation__status="ACTIVE")
    candidates = list(now_valid.select_related("licence_type").order_by("pk"))
    if not candidates:
        raise _lapsed(fitting.filter(acts__contains=[act]))
    left = mass_left_kg(candidates, on.year)
    endless = Decimal("Infinity")

    def room(licence: Licence) -> Decimal:
        kg = left[licence.pk]
        return endless if kg is None else kg

    best = max(candidates, key=lambda licence: (room(licence), -licence.pk))
    if mass_kg is not None and room(best) < mass_kg:
        raise LicenceNeeded(
            _(
                "Your licence has %(left)s kg left for %(year)s, and this is %(mass)s kg."
                " Choose a smaller lot, or add a licence."
            )
            % {"left": room(best), "year": on.year, "mass": mass_kg},
            code="licence_mass_left",
        )
    return best


def finish_licence(
    *, organisation_id: int, act: str, chemistry_code: str, country: str | None, on: date
) -> Licence:
    """Return a licence under which an organisation may bring to its end what it began while it was valid.

    :raises LicenceNeeded: if there is none
    """
    act = act.upper()
    held = Licence.objects.filter(organisation_id=organisation_id)
    fitting = _fitting(held, act, chemistry_code, country)
    licence = (
        fitting.may_finish(act, on=on)
        .select_related("licence_type")
        .order_by("-valid_until", "pk")
        .first()
    )
    if licence is None:
        raise _lapsed(fitting.filter(acts__contains=[act]))
    return licence


def _fitting(
    held: LicenceQuerySet, act: str, chemistry_code: str, country: str | None
) -> LicenceQuerySet:
    once_verified = held.filter(
        acts__contains=[act],
        status__in=[Licence.Status.VERIFIED, Licence.Status.EXPIRED, Licence.Status.SUSPENDED],
    )
    if not once_verified.exists():
        raise LicenceNeeded(
            _("You need a verified licence for this. Add yours under Licences."),
            code="licence_missing",
        )
    here = once_verified if country is None else once_verified.filter(country=country)
    if not here.exists():
        raise LicenceNeeded(
            _("Your licences do not count in %(country)s. Add one that does under Licences.")
            % {"country": country},
            code="licence_country",
        )
    fitting = here.filter(materials__contains=[chemistry_code])
    if not fitting.exists():
        raise LicenceNeeded(
            _("Your licence does not name %(chemistry)s. Add one that does under Licences.")
            % {"chemistry": chemistry_code},
            code="licence_material",
        )
    return fitting


def _lapsed(fitting: LicenceQuerySet) -> LicenceNeeded:
    if fitting.filter(status=Licence.Status.SUSPENDED).exists():
        return LicenceNeeded(
            _("Your licence is suspended. Read why under Licences, and answer there."),
            code="licence_suspended",
        )
    return LicenceNeeded(
        _("Your licence is not valid today. Add the renewed one under Licences."),
        code="licence_expired",
    )
