"""Terms of a bid in words."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from marketplace.pricing.rules.formulas import AssayBy, Pickup, QuotesOf
from marketplace.reference.models import Material

from .templatetags.house import money_text, percent


def kind_of(terms: dict[str, Any]) -> str:
    """Return what a kind of terms is called."""
    kinds = {"PER_KG": _("Per kg"), "PER_KWH": _("Per kWh"), "FORMULA": _("Formula")}
    return kinds[terms["kind"]]


def words_of(terms: dict[str, Any], currency: str) -> list[str]:
    """Return what terms say, one sentence for each."""

    def amount(name: str) -> str:
        return money_text(Decimal(terms[name]), currency, exact=True)

    if terms["kind"] == "PER_KG":
        return [_("%(price)s for each kilogram.") % {"price": amount("price")}]
    if terms["kind"] == "PER_KWH":
        return [_("%(price)s for each rated kilowatt-hour.") % {"price": amount("price")}]
    said = [
        _("%(share)s of the quote for the %(material)s inside.")
        % {"share": percent(Decimal(share)), "material": Material(material).label}
        for material, share in terms["payables"].items()
        if Decimal(share)
    ]
    if Decimal(terms["charge_per_kg"]):
        said.append(_("Less %(charge)s for each kilogram.") % {"charge": amount("charge_per_kg")})
    if Decimal(terms["floor_per_kg"]):
        said.append(
            _("Never less than %(floor)s for each kilogram.") % {"floor": amount("floor_per_kg")}
        )
    if terms["pickup"] == Pickup.SELLER:
        said.append(_("The way to the plant is taken off."))
    said.append(
        {
            QuotesOf.WEIGHING_DAY: _("The quotes of the day on which the goods are weighed."),
            QuotesOf.MONTH: _("The average quotes of the month in which the goods are weighed."),
            QuotesOf.NEXT_MONTH: _("The average quotes of the month after the weighing."),
        }[QuotesOf(terms.get("quotes_of", QuotesOf.WEIGHING_DAY))]
    )
    if terms.get("assay") == AssayBy.LAB:
        said.append(_("A laboratory of each side says what is inside."))
    else:
        said.append(_("Our tables say what is inside, by the kind of battery."))
    return said
