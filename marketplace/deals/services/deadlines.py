"""When somebody lets the time pass, the contract decides. One transaction a deal, each safe to run twice."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import SYSTEM
from marketplace.deals import rules
from marketplace.deals.events import DealCancelled, DealDefaulted
from marketplace.deals.models import Deal
from marketplace.journal.services import record

from .accepting import end_accepted
from .ending import end_returned, give_back, scales_of
from .inspection import put_adjusted
from .reckoning import let_time_reckon


def expire_overdue(*, now: datetime) -> int:
    """Let the contract decide every deal in which the time is over. Return how many there were."""
    overdue = list(Deal.objects.overdue(now).order_by("pk").values_list("pk", flat=True))
    return sum(expire(pk, now=now) for pk in overdue)


@transaction.atomic
def expire(pk: int, *, now: datetime) -> bool:
    """Let the contract decide one deal, if its time is over. Return whether it was."""
    deal = Deal.objects.lock(Deal(pk=pk))
    if not Deal.objects.overdue(now).filter(pk=pk).exists():
        return False
    if deal.status == Deal.Status.CONTRACT_PENDING:
        _unsigned(deal, now=now)
    elif deal.status == Deal.Status.FUNDS_PENDING:
        _default(deal, by_buyer=True, now=now)
    elif deal.status == Deal.Status.INSPECTION:
        _silent_buyer(deal, now=now)
    elif deal.status == Deal.Status.ADJUSTED:
        _silent_seller(deal, now=now)
    elif deal.status in (Deal.Status.ACCEPTED, Deal.Status.PART_ACCEPTED):
        let_time_reckon(deal, now=now)
    else:
        end_returned(deal, by=SYSTEM, now=now)
    return True


def _unsigned(deal: Deal, *, now: datetime) -> None:
    """Who has not signed has defaulted. If neither has, nobody loses a deposit to the other."""
    if deal.seller_signed_at is None and deal.buyer_signed_at is None:
        deal.enter(Deal.Status.CANCELLED)
        deal.reason = _("Neither side signed in time.")
        deal.save(update_fields=["status", "reason"])
        give_back(deal, now=now)
        record(DealCancelled(deal_id=deal.pk), by=SYSTEM, at=now)
        return
    _default(deal, by_buyer=deal.buyer_signed_at is None, now=now)


def _default(deal: Deal, *, by_buyer: bool, now: datetime) -> None:
    """What was held goes back. The market hears of it: a buyer who defaults loses the deposit, and the next is asked."""
    deal.enter(Deal.Status.BUYER_DEFAULT if by_buyer else Deal.Status.SELLER_DEFAULT)
    deal.save(update_fields=["status"])
    give_back(deal, now=now)
    record(
        DealDefaulted(deal_id=deal.pk, award_id=deal.award_id, by_buyer=by_buyer),
        by=SYSTEM,
        at=now,
    )


def _silent_buyer(deal: Deal, *, now: datetime) -> None:
    """Silence accepts what the last scale said: the seller must not wait for ever."""
    scales = scales_of(deal)
    weighed_kg = scales.delivery_kg or scales.pickup_kg or deal.declared_kg
    if rules.is_within(deal.declared_kg, weighed_kg, deal.tolerance_share):
        end_accepted(
            deal,
            status=Deal.Status.ACCEPTED,
            accepted_kg=min(weighed_kg, deal.declared_kg),
            price=deal.price,
            by=SYSTEM,
            now=now,
        )
    else:
        put_adjusted(deal, weighed_kg=min(weighed_kg, deal.declared_kg), by=SYSTEM, now=now)


def _silent_seller(deal: Deal, *, now: datetime) -> None:
    """Silence agrees to the correction, as the contract says."""
    end_accepted(
        deal,
        status=Deal.Status.ACCEPTED,
        accepted_kg=min(deal.proposed_kg or deal.declared_kg, deal.declared_kg),
        price=deal.proposed_price or Decimal(0),
        by=SYSTEM,
        now=now,
    )
