"""When the house fails, nobody shall lose by it: the clocks of open auctions stop, and run on later, never earlier."""

from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.core.clock import Clock
from marketplace.core.errors import Refused
from marketplace.journal.services import record
from marketplace.market.events import AuctionPaused, AuctionResumed
from marketplace.market.models import Auction

TIME_TO_RETURN = timedelta(minutes=10)
"""Added to the time lost, so that those who were told come back before the end.

:source: PRODUCT 1.2, an outage extends by itself and ten minutes
"""


class PauseRefused(Refused):
    code = "pause_refused"


@transaction.atomic
def pause_auction(auction: Auction, *, actor: Actor, reason: str, clock: Clock) -> Auction:
    """Stop the clock of an open auction: nobody can bid, and it does not end. Pausing again changes nothing.

    :raises PermissionDenied: if the actor is not of the house
    :raises PauseRefused: if it is not open, its time is over, or no reason is given
    """
    _require_house(actor)
    if not reason.strip():
        raise PauseRefused(_("Say why it pauses: everybody reads it."), field="reason")
    auction = Auction.objects.lock(auction)
    now = clock()
    if auction.paused_at is not None:
        return auction
    if auction.status != Auction.Status.OPEN or now >= auction.closes_at:
        raise PauseRefused(_("Only an auction that is open can pause."))
    auction.paused_at = now
    auction.save(update_fields=["paused_at"])
    record(AuctionPaused(auction_id=auction.pk, reason=reason.strip()), by=actor, at=now)
    return auction


@transaction.atomic
def resume_auction(auction: Auction, *, actor: Actor, clock: Clock) -> Auction:
    """Let the clock run on. Every moment to come is later by the pause and ten minutes: then a Dutch price goes on where it stood.

    :raises PermissionDenied: if the actor is not of the house
    :raises PauseRefused: if it does not pause
    """
    _require_house(actor)
    auction = Auction.objects.lock(auction)
    now = clock()
    if auction.paused_at is None:
        raise PauseRefused(_("This auction does not pause. Reload the page."))
    later = now - auction.paused_at + TIME_TO_RETURN
    auction.paused_at = None
    for moment in _moments(auction):
        setattr(auction, moment, getattr(auction, moment) + later)
    auction.save(update_fields=["paused_at", *_moments(auction)])
    seconds = int(later.total_seconds())
    record(AuctionResumed(auction_id=auction.pk, later_seconds=seconds), by=actor, at=now)
    return auction


def pause_market(*, actor: Actor, reason: str, clock: Clock) -> int:
    """Pause every open auction, one transaction each; return how many now pause by this call."""
    _require_house(actor)
    many = 0
    for auction in Auction.objects.filter(status=Auction.Status.OPEN, paused_at=None).order_by(
        "pk"
    ):
        try:
            pause_auction(auction, actor=actor, reason=reason, clock=clock)
        except PauseRefused:
            if not reason.strip():
                raise
            continue  # it ended while we came to it
        many += 1
    return many


def resume_market(*, actor: Actor, clock: Clock) -> int:
    """Let every auction that pauses run on; return how many."""
    _require_house(actor)
    paused = list(Auction.objects.filter(paused_at__isnull=False).order_by("pk"))
    for auction in paused:
        resume_auction(auction, actor=actor, clock=clock)
    return len(paused)


def _moments(auction: Auction) -> list[str]:
    """Return the names of the moments that lie ahead. While a Dutch price falls, its beginning moves along, so it stands still."""
    if auction.mode != Auction.Mode.DUTCH:
        return ["closes_at", "planned_close_at", "last_close_at"]
    if auction.taken_at is None:
        return ["opens_at", "planned_close_at", "closes_at", "last_close_at"]
    return ["closes_at", "last_close_at"]


def _require_house(actor: Actor) -> None:
    if not actor.sees_everything:
        raise PermissionDenied
