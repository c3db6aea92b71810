"""What the buyer's own tests say of the goods that arrived."""

from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.uploads import Upload
from marketplace.deals.models import Deal
from marketplace.lots import services as lots
from marketplace.lots.models import HealthClaim, Lot
from marketplace.lots.rules.test_results import Said

ARRIVED = (
    Deal.Status.INSPECTION,
    Deal.Status.ADJUSTED,
    Deal.Status.ACCEPTED,
    Deal.Status.PART_ACCEPTED,
    Deal.Status.REJECTED,
    Deal.Status.SETTLED,
    Deal.Status.PROCESSED,
    Deal.Status.CERTIFIED,
)


@transaction.atomic
def record_found_health(lot: Lot, *, actor: Actor, now: datetime, **claim: Any) -> HealthClaim:
    """Keep what the buyer found of a lot that arrived. Takes what ``lots.services.record_health_claim`` takes.

    :raises PermissionDenied: if the actor did not buy the lot, or it is not there yet
    """
    _require_bought(lot, actor)
    return lots.record_found_claim(lot, actor=actor, now=now, **claim)


def record_found_test(
    lot: Lot, *, actor: Actor, upload: Upload, said: Said, now: datetime
) -> list[HealthClaim]:
    """Keep what the buyer's test file says of a lot that arrived.

    :raises PermissionDenied: if the actor did not buy the lot, or it is not there yet
    :raises TestRefused: if the file cannot be read
    """
    _require_bought(lot, actor)
    # the file is read before the transaction begins: it takes longer than a lock should be held
    return lots.record_found_test(
        lot, actor=actor, test=lots.read_test(lot, upload=upload, said=said), now=now
    )


def _require_bought(lot: Lot, actor: Actor) -> None:
    # a deal in these states never leaves its buyer, so nothing needs to be locked
    buyer_id = actor.require(Capability.DEAL_BUY)
    bought = Deal.objects.filter(lot=lot, buyer_id=buyer_id, status__in=ARRIVED)
    if not bought.exists():
        raise PermissionDenied
