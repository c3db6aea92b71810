"""What the field knows: chemistries, prices, countries and rules. Every row says where it comes from."""

from .base import Confidence, Family, InForce, Material, ReferenceQuerySet, Source, Sourced
from .batteries import Chemistry, ChemistryMaterial, PackModel, RecoveryRate
from .law import (
    Country,
    DangerousGoodsRule,
    LicenceType,
    PackingInstruction,
    SpecialProvision,
    UnEntry,
)
from .prices import CurrencyRate, MetalQuote, Parameter, PayableTerm, SecondLifePrice

__all__ = [
    "Chemistry",
    "ChemistryMaterial",
    "Confidence",
    "Country",
    "CurrencyRate",
    "DangerousGoodsRule",
    "Family",
    "InForce",
    "LicenceType",
    "Material",
    "MetalQuote",
    "PackModel",
    "PackingInstruction",
    "Parameter",
    "PayableTerm",
    "RecoveryRate",
    "ReferenceQuerySet",
    "SecondLifePrice",
    "Source",
    "Sourced",
    "SpecialProvision",
    "UnEntry",
]
