"""What the field knows: chemistries, prices, countries and rules. Every row says where it comes from."""

from .base import Confidence, Family, InForce, Material, ReferenceQuerySet, Source, Sourced
from .batteries import Chemistry, ChemistryMaterial, PackModel, RecoveryRate
from .judgement import ChemistryPrior, EmissionFactor, Origin, ReuseGate
from .law import (
    Country,
    DangerousGoodsRule,
    LicenceType,
    PackingInstruction,
    SpecialProvision,
    UnEntry,
)
from .prices import (
    Convention,
    CurrencyRate,
    LithiumForm,
    LithiumPointQuote,
    MetalQuote,
    Parameter,
    PayableTerm,
    SecondLifePrice,
)
from .proposals import ProposalStatus, QuoteProposal, RateProposal
from .roads import DriverHours, TruckKind

__all__ = [
    "Chemistry",
    "ChemistryMaterial",
    "ChemistryPrior",
    "Confidence",
    "Convention",
    "Country",
    "CurrencyRate",
    "DangerousGoodsRule",
    "DriverHours",
    "EmissionFactor",
    "Family",
    "InForce",
    "LicenceType",
    "LithiumForm",
    "LithiumPointQuote",
    "Material",
    "MetalQuote",
    "Origin",
    "PackModel",
    "PackingInstruction",
    "Parameter",
    "PayableTerm",
    "ProposalStatus",
    "QuoteProposal",
    "RateProposal",
    "RecoveryRate",
    "ReferenceQuerySet",
    "ReuseGate",
    "SecondLifePrice",
    "Source",
    "Sourced",
    "SpecialProvision",
    "TruckKind",
    "UnEntry",
]
