"""The goods are accepted: so many kilograms, at a price that is known or that the terms of the bid give."""

from datetime import datetime
from decimal import Decimal

from marketplace.accounts import services as accounts
from marketplace.accounts.actors import Actor
from marketplace.deals.events import DealAccepted
from marketplace.deals.models import Deal
from marketplace.journal.services import record
from marketplace.lots import services as lots

from .ending import purpose_of, settle
from .reckoning import start_reckoning


def end_accepted(
    deal: Deal,
    *,
    status: str,
    accepted_kg: Decimal,
    price: Decimal,
    by: Actor,
    now: datetime,
    price_stands: bool = False,
) -> Deal:
    """The locked deal ends well: so much is accepted at this price. Pays, moves the lot on, keeps what the licence used.

    Of a deal by terms the kilograms are settled now, and the price is worked out from them; it may have to wait for
    assays and quotes.

    :param price_stands: people settled the price itself, so that the terms no longer matter
    """
    is_reckoned = deal.is_by_terms and not price_stands
    deal.enter(status)
    deal.accepted_kg, deal.decide_by = accepted_kg, None
    deal.final_price = None if is_reckoned else price
    deal.save(
        update_fields=[
            "status",
            "accepted_kg",
            "final_price",
            "decide_by",
            "reason_code",
            "reason",
        ]
    )
    _draw_what_was_accepted(deal, accepted_kg, now=now)
    if status == Deal.Status.ACCEPTED:
        lots.mark_accepted(deal.lot, by=by, now=now)
    else:
        lots.mark_part_accepted(deal.lot, by=by, now=now)
    record(DealAccepted(deal_id=deal.pk), by=by, at=now)
    if is_reckoned:
        return start_reckoning(deal, by=by, now=now)
    return settle(deal, now=now, by=by)


def _draw_what_was_accepted(deal: Deal, accepted_kg: Decimal, *, now: datetime) -> None:
    """The licence is used up by what was accepted, not by what was declared."""
    if accepted_kg == deal.declared_kg:
        return
    accounts.release_mass(purpose=purpose_of(deal), now=now)
    accounts.draw_mass(
        deal.licence,
        mass_kg=accepted_kg,
        purpose=purpose_of(deal),
        on=deal.opened_at.date(),
        now=now,
    )
