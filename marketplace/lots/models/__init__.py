from .evidence import HealthClaim, LotIdentifier, LotPassport
from .lot import Lot, LotPhoto, LotQuerySet

__all__ = ["HealthClaim", "Lot", "LotIdentifier", "LotPassport", "LotPhoto", "LotQuerySet"]
