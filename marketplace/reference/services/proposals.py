"""Prices that people type in: one proposes, another confirms or refuses. Nobody decides alone."""

from collections.abc import Hashable
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.journal.services import record
from marketplace.reference import rules
from marketplace.reference.events import QuoteConfirmed, QuoteProposed, QuoteRefused
from marketplace.reference.models import MetalQuote, ProposalStatus, QuoteProposal, Source
from marketplace.reference.queries import RateMissing, rate_per_usd
from marketplace.reference.rules import Unreadable

from .files import sentence
from .prices import add_quotes


class ProposalRefused(Refused):
    code = "quote_refused"


class Keeper(Hashable, Protocol):
    """Who runs the site: accounts' Actor, which lives one floor above."""

    @property
    def name(self) -> str: ...
    @property
    def user_id(self) -> int | None: ...
    @property
    def organisation_id(self) -> int | None: ...
    @property
    def sees_everything(self) -> bool: ...


@transaction.atomic
def propose_quote(
    *,
    actor: Keeper,
    material: str,
    quoted_on: date,
    price: str,
    unit: str,
    source: str,
    note: str = "",
    request_id: UUID,
    now: datetime,
) -> QuoteProposal:
    """Propose a price. It counts once another person has confirmed it. For staff.

    Asking again with the same ``request_id`` returns the same proposal.

    :param price: as it stands in the source, with whatever signs for thousands and fraction
    :param unit: such as ``USD/t``
    :raises PermissionDenied: if the actor is no member of staff
    :raises ProposalRefused: if the price cannot be so, lies in the future, or waits already
    """
    keeper = _keeper(actor)
    lock_word(f"quote_proposal:{keeper}:{request_id}")
    mine = QuoteProposal.objects.filter(proposed_by=keeper, request_id=request_id)
    if repeated := mine.first():
        return repeated
    lock_word(f"quote_proposal:{material}:{quoted_on}:{source}")
    if quoted_on > now.date():
        raise ProposalRefused(
            _("This day is yet to come. Give the day of the price."), field="quoted_on"
        )
    named = Source.objects.filter(code=source).first()
    if named is None:
        raise ProposalRefused(_("Choose a source that is loaded."), field="source")
    typed, usd_per_kg = _price(material, quoted_on, price, unit)
    waiting = QuoteProposal.objects.filter(
        material=material, quoted_on=quoted_on, source=named, status=ProposalStatus.PROPOSED
    )
    if waiting.exists():
        raise ProposalRefused(
            _("A price of that day and source waits already. Decide on it first."),
            code="quote_waits",
        )
    proposal = QuoteProposal.objects.create(
        material=material,
        quoted_on=quoted_on,
        price=typed,
        unit=unit,
        price_usd_per_kg=usd_per_kg,
        source=named,
        note=note,
        proposed_by=keeper,
        proposed_at=now,
        request_id=request_id,
    )
    event = QuoteProposed(
        proposal_id=proposal.pk, material=material, quoted_on=quoted_on.isoformat()
    )
    record(event, by=actor, at=now)
    return proposal


@transaction.atomic
def confirm_quote(proposal: QuoteProposal, *, actor: Keeper, now: datetime) -> QuoteProposal:
    """Make a proposed price count. For another member of staff than the one who proposed it.

    If that source said another price for the day before, this becomes its next revision.

    :raises PermissionDenied: if the actor is no member of staff
    :raises ProposalRefused: if it is the actor's own, or that price stands already
    :raises AlreadyMovedOn: if it was decided before
    """
    keeper, proposal = _decide(proposal, actor, ProposalStatus.CONFIRMED)
    quote = MetalQuote(
        material=proposal.material,
        quoted_on=proposal.quoted_on,
        price_usd_per_kg=proposal.price_usd_per_kg,
        kind=MetalQuote.Kind.SPOT,
        source_id=proposal.source_id,
        confidence="SECONDARY",
        checked_on=now.date(),
        note=f"{proposal.price.normalize():f} {proposal.unit}; {proposal.note}".rstrip("; "),
    )
    reason = proposal.note or _("Typed in anew, and confirmed by a second person")
    added = add_quotes(
        [quote], by=actor, now=now, reason=reason, came_from=f"proposal {proposal.pk}"
    )
    if added.unchanged:
        raise ProposalRefused(
            _("This price stands already. Refuse the proposal as a duplicate."), code="quote_stands"
        )
    proposal.decided_by, proposal.decided_at, proposal.quote = keeper, now, quote
    proposal.save(update_fields=["status", "decided_by", "decided_at", "quote"])
    record(QuoteConfirmed(proposal_id=proposal.pk, quote_id=quote.pk), by=actor, at=now)
    return proposal


@transaction.atomic
def refuse_quote(
    proposal: QuoteProposal, *, actor: Keeper, reason: str, now: datetime
) -> QuoteProposal:
    """Turn a proposed price down. For another member of staff than the one who proposed it.

    :raises PermissionDenied: if the actor is no member of staff
    :raises ProposalRefused: if it is the actor's own, or no reason is given
    :raises AlreadyMovedOn: if it was decided before
    """
    keeper, proposal = _decide(proposal, actor, ProposalStatus.REFUSED)
    if not reason.strip():
        raise ProposalRefused(_("Say why, so that it can be put right."), field="reason")
    proposal.decided_by, proposal.decided_at = keeper, now
    proposal.reason = reason.strip()[:300]
    proposal.save(update_fields=["status", "decided_by", "decided_at", "reason"])
    record(QuoteRefused(proposal_id=proposal.pk, reason=proposal.reason), by=actor, at=now)
    return proposal


def _keeper(actor: Keeper) -> int:
    if not actor.sees_everything or actor.user_id is None:
        raise PermissionDenied
    return actor.user_id


def _decide(proposal: QuoteProposal, actor: Keeper, status: str) -> tuple[int, QuoteProposal]:
    keeper = _keeper(actor)
    proposal = QuoteProposal.objects.lock(proposal)
    proposal.enter(status)
    if proposal.proposed_by == keeper:
        raise ProposalRefused(
            _("You proposed this price yourself. Ask another person to look at it."),
            code="own_quote",
        )
    return keeper, proposal


def _price(material: str, on: date, text: str, unit: str) -> tuple[Decimal, Decimal]:
    """Return a price as it was typed and in USD/kg, if it can be so. A jump is for the second person to judge."""
    field = "unit"
    try:
        currency, kg = rules.unit_of(unit)
        per_usd = rate_per_usd(currency, on)
        field = "price"
        typed = rules.number_of(text, rules.decimal_sign_of([text]))
        usd_per_kg = rules.usd_per_kg(typed, kg=kg, per_usd=per_usd)
        rules.believe(material, usd_per_kg, on)
    except RateMissing as refusal:
        raise ProposalRefused(refusal.message, field="unit", code=refusal.code) from refusal
    except Unreadable as trouble:
        raise ProposalRefused(sentence(trouble), field=field, code=trouble.code) from None
    return typed, usd_per_kg
