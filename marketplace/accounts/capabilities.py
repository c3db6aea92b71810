"""Who may do what: roles are code, memberships are data."""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class Capability(StrEnum):
    """Everything a person can be allowed to do. Named <thing>:<verb>, kept in alphabetical order."""

    AUCTION_OPEN = "auction:open"
    BID_PLACE = "bid:place"
    CERTIFICATE_REVOKE = "certificate:revoke"
    DEAL_BUY = "deal:buy"
    DEAL_SELL = "deal:sell"
    DISPUTE_DECIDE = "dispute:decide"
    FREIGHT_QUOTE = "freight:quote"
    LICENCE_APPLY = "licence:apply"
    LICENCE_VERIFY = "licence:verify"
    LOT_LIST = "lot:list"
    MONEY_MOVE = "money:move"
    ORGANISATION_MANAGE = "organisation:manage"
    PROCESSING_REPORT = "processing:report"
    SHIPMENT_CARRY = "shipment:carry"


class Role(models.TextChoices):
    COLLECTOR = "COLLECTOR", _("Collector")
    RECYCLER = "RECYCLER", _("Recycler")
    INTEGRATOR = "INTEGRATOR", _("Second-life integrator")
    CARRIER = "CARRIER", _("Carrier")
    VERIFIER = "VERIFIER", _("Verifier")
    REGULATOR = "REGULATOR", _("Regulator")
    PRODUCER = "PRODUCER", _("Producer")


EVERY_FIRM = frozenset(
    {Capability.LICENCE_APPLY, Capability.MONEY_MOVE, Capability.ORGANISATION_MANAGE}
)
SELLER = frozenset({Capability.LOT_LIST, Capability.AUCTION_OPEN, Capability.DEAL_SELL})
BUYER = frozenset({Capability.BID_PLACE, Capability.DEAL_BUY, Capability.PROCESSING_REPORT})

GRANTS: dict[str, frozenset[Capability]] = {
    Role.COLLECTOR: EVERY_FIRM | SELLER,
    Role.RECYCLER: EVERY_FIRM | SELLER | BUYER,
    Role.INTEGRATOR: EVERY_FIRM | SELLER | BUYER,
    Role.CARRIER: EVERY_FIRM | {Capability.FREIGHT_QUOTE, Capability.SHIPMENT_CARRY},
    Role.VERIFIER: frozenset(
        {
            Capability.LICENCE_VERIFY,
            Capability.DISPUTE_DECIDE,
            Capability.CERTIFICATE_REVOKE,
            Capability.ORGANISATION_MANAGE,
        }
    ),
    Role.REGULATOR: frozenset({Capability.ORGANISATION_MANAGE}),
    Role.PRODUCER: EVERY_FIRM,
}
