"""How this room says things to people, in their language. What a certificate says to machines is in ``rules``."""

from decimal import Decimal

from babel import Locale
from babel.numbers import format_decimal
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from .rules import credentials
from .rules.signatures import Answer


class Material(models.TextChoices):
    """What may come out of a process; the keys are those of ``rules.mass_balance.STAGE_OF``."""

    LITHIUM = "LITHIUM", _("Lithium")
    NICKEL = "NICKEL", _("Nickel")
    COBALT = "COBALT", _("Cobalt")
    MANGANESE = "MANGANESE", _("Manganese")
    COPPER = "COPPER", _("Copper")
    ALUMINIUM = "ALUMINIUM", _("Aluminium")
    STEEL = "STEEL", _("Iron and steel")
    LEAD = "LEAD", _("Lead")
    CADMIUM = "CADMIUM", _("Cadmium")
    ZINC = "ZINC", _("Zinc")
    RARE_EARTHS = "RARE_EARTHS", _("Rare earths")
    GRAPHITE = "GRAPHITE", _("Graphite")
    IRON_PHOSPHATE = "IRON_PHOSPHATE", _("Iron phosphate")
    PLASTICS = "PLASTICS", _("Plastics")
    ELECTROLYTE = "ELECTROLYTE", _("Electrolyte and acid")
    SODIUM_SULPHATE = "SODIUM_SULPHATE", _("Sodium sulphate")
    BLACK_MASS = "BLACK_MASS", _("Black mass")
    LEAD_PASTE = "LEAD_PASTE", _("Lead paste")
    MIXED_METALS = "MIXED_METALS", _("Mixed metals")
    CELLS = "CELLS", _("Cells for second life")
    MODULES = "MODULES", _("Modules for second life")
    PACKS = "PACKS", _("Packs for second life")


MATERIALS = dict(Material.choices)
TITLES = {
    credentials.RECYCLED: _("Certificate of recycling"),
    credentials.REPURPOSED: _("Certificate of repurposing"),
}
ANSWERS = {
    Answer.GENUINE: _("Genuine"),
    Answer.WITHDRAWN: _("Withdrawn"),
    Answer.ALTERED: _("Altered"),
    Answer.NOT_FOUND: _("Not found"),
    Answer.UNKNOWN_ISSUER: _("Issued by somebody else"),
}


def number_text(amount: Decimal) -> str:
    """Write an exact number as the reader's language does, without idle zeros."""
    language = (get_language() or "en").replace("-", "_")
    return format_decimal(amount, "#,##0.###", locale="en_001" if language == "en" else language)


def country_name(code: str) -> str:
    """Return the name of a country in the reader's language, or its code where the language has no name for it."""
    language = (get_language() or "en").replace("-", "_")
    return str(Locale.parse(language).territories.get(code, code))
