"""Many bids in one go: each stands for itself, and each is placed once however often the sheet is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid5

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from marketplace.accounts.actors import Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.clock import Clock
from marketplace.core.errors import Refused
from marketplace.market.models import Auction, Bid

from .bidding import place_bid

MOST_ROWS = 100


class SheetRefused(Refused):
    code = "sheet_refused"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a sheet: up to what one goes for which lot. ``is_meant``: also if it is five times the leading bid."""

    auction_id: int
    maximum: Decimal
    is_meant: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one line: a bid, or why there is none."""

    row: Row
    bid: Bid | None
    code: str = ""
    message: str = ""


def place_bids(rows: Sequence[Row], *, actor: Actor, sheet_id: UUID, clock: Clock) -> list[Outcome]:
    """Place one bid a row, each in its own transaction, and say of every row what became of it.

    The request id of a row follows from the sheet's and the auction's: a sheet that is sent again, because the phone
    lost its signal half-way, gets the bids that are placed already and places the rest.

    :raises PermissionDenied: if the actor may not bid
    :raises SheetRefused: if there are too many rows, or two for one auction
    """
    actor.require(Capability.BID_PLACE)
    if len(rows) > MOST_ROWS:
        raise SheetRefused(_("Send at most 100 bids at once."))
    if len({row.auction_id for row in rows}) < len(rows):
        raise SheetRefused(_("An auction stands in the list twice. Leave one of the two out."))
    known = Auction.objects.visible_to(actor).in_bulk([row.auction_id for row in rows])
    return [
        _placed(row, known.get(row.auction_id), actor=actor, sheet_id=sheet_id, clock=clock)
        for row in rows
    ]


def _placed(
    row: Row, auction: Auction | None, *, actor: Actor, sheet_id: UUID, clock: Clock
) -> Outcome:
    if auction is None:
        return Outcome(row, None, "not_found", _("There is no such auction."))
    try:
        bid = place_bid(
            auction,
            actor=actor,
            maximum=row.maximum,
            currency=auction.currency,
            request_id=uuid5(sheet_id, str(auction.pk)),
            clock=clock,
            confirmed=row.is_meant,
        )
    except Refused as refusal:
        return Outcome(row, None, refusal.code, refusal.message)
    except PermissionDenied:
        return Outcome(row, None, "not_allowed", _("You may not bid for this lot."))
    return Outcome(row, bid)
