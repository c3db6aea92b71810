"""Prices and exchange rates that people type in: one proposes, another confirms or refuses. Nobody decides alone."""

from collections.abc import Hashable
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol, TypeVar
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.journal.services import record
from marketplace.reference import rules
from marketplace.reference.events import (
    QuoteConfirmed,
    QuoteProposed,
    QuoteRefused,
    RateConfirmed,
    RateProposed,
    RateRefused,
)
from marketplace.reference.models import (
    CurrencyRate,
    MetalQuote,
    ProposalStatus,
    QuoteProposal,
    RateProposal,
    Source,
)
from marketplace.reference.models.proposals import Proposal
from marketplace.reference.queries import RateMissing, rate_per_usd
from marketplace.reference.rules import Unreadable

from .files import sentence
from .prices import Added, add_quotes, add_rates

Typed = TypeVar("Typed", bound=Proposal)


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


# --- metal quotes ---------------------------------------------------------------------------------


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
    if repeated := _repeated(QuoteProposal, keeper, request_id):
        return repeated
    lock_word(f"quote_proposal:{material}:{quoted_on}:{source}")
    named = _source(source, quoted_on, now)
    typed, usd_per_kg = _price(material, quoted_on, price, unit)
    _refuse_if_waiting(
        QuoteProposal.objects.filter(
            material=material, quoted_on=quoted_on, source=named, status=ProposalStatus.PROPOSED
        )
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
    keeper, proposal = _decide(QuoteProposal, proposal, actor, ProposalStatus.CONFIRMED)
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
    _refuse_if_standing(
        add_quotes(
            [quote], by=actor, now=now, reason=_why(proposal), came_from=f"proposal {proposal.pk}"
        )
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
    proposal = _refuse(QuoteProposal, proposal, actor, reason, now)
    record(QuoteRefused(proposal_id=proposal.pk, reason=proposal.reason), by=actor, at=now)
    return proposal


# --- exchange rates -------------------------------------------------------------------------------


@transaction.atomic
def propose_rate(
    *,
    actor: Keeper,
    currency: str,
    quoted_on: date,
    rate: str,
    written: str,
    source: str,
    note: str = "",
    request_id: UUID,
    now: datetime,
) -> RateProposal:
    """Propose an exchange rate. It counts once another person has confirmed it. For staff.

    Asking again with the same ``request_id`` returns the same proposal.

    :param rate: as it stands in the source, with whatever signs for thousands and fraction
    :param written: which way round the source writes it, one of ``RateProposal.Written``
    :raises PermissionDenied: if the actor is no member of staff
    :raises ProposalRefused: if the rate cannot be so, lies in the future, or waits already
    """
    keeper = _keeper(actor)
    currency = currency.strip().upper()
    if repeated := _repeated(RateProposal, keeper, request_id):
        return repeated
    lock_word(f"rate_proposal:{currency}:{quoted_on}:{source}")
    named = _source(source, quoted_on, now)
    typed, per_usd = _rate(currency, quoted_on, rate, written)
    _refuse_if_waiting(
        RateProposal.objects.filter(
            currency=currency, quoted_on=quoted_on, source=named, status=ProposalStatus.PROPOSED
        )
    )
    proposal = RateProposal.objects.create(
        currency=currency,
        quoted_on=quoted_on,
        typed=typed,
        written=written,
        per_usd=per_usd,
        source=named,
        note=note,
        proposed_by=keeper,
        proposed_at=now,
        request_id=request_id,
    )
    event = RateProposed(
        proposal_id=proposal.pk, currency=currency, quoted_on=quoted_on.isoformat()
    )
    record(event, by=actor, at=now)
    return proposal


@transaction.atomic
def confirm_rate(proposal: RateProposal, *, actor: Keeper, now: datetime) -> RateProposal:
    """Make a proposed exchange rate count. For another member of staff than the one who proposed it.

    If that source said another rate for the day before, this becomes its next revision.

    :raises PermissionDenied: if the actor is no member of staff
    :raises ProposalRefused: if it is the actor's own, or that rate stands already
    :raises AlreadyMovedOn: if it was decided before
    """
    keeper, proposal = _decide(RateProposal, proposal, actor, ProposalStatus.CONFIRMED)
    said = f"{proposal.typed.normalize():f} {proposal.get_written_display()}"
    rate = CurrencyRate(
        currency=proposal.currency,
        quoted_on=proposal.quoted_on,
        per_usd=proposal.per_usd,
        source_id=proposal.source_id,
        confidence="SECONDARY",
        checked_on=now.date(),
        note=f"{said}; {proposal.note}".rstrip("; "),
    )
    _refuse_if_standing(
        add_rates(
            [rate],
            by=actor,
            now=now,
            reason=_why(proposal),
            came_from=f"rate proposal {proposal.pk}",
        )
    )
    proposal.decided_by, proposal.decided_at, proposal.rate = keeper, now, rate
    proposal.save(update_fields=["status", "decided_by", "decided_at", "rate"])
    record(RateConfirmed(proposal_id=proposal.pk, rate_id=rate.pk), by=actor, at=now)
    return proposal


@transaction.atomic
def refuse_rate(
    proposal: RateProposal, *, actor: Keeper, reason: str, now: datetime
) -> RateProposal:
    """Turn a proposed exchange rate down. For another member of staff than the one who proposed it.

    :raises PermissionDenied: if the actor is no member of staff
    :raises ProposalRefused: if it is the actor's own, or no reason is given
    :raises AlreadyMovedOn: if it was decided before
    """
    proposal = _refuse(RateProposal, proposal, actor, reason, now)
    record(RateRefused(proposal_id=proposal.pk, reason=proposal.reason), by=actor, at=now)
    return proposal


# --- what both share ------------------------------------------------------------------------------


def _keeper(actor: Keeper) -> int:
    if not actor.sees_everything or actor.user_id is None:
        raise PermissionDenied
    return actor.user_id


def _repeated(table: type[Typed], keeper: int, request_id: UUID) -> Typed | None:
    lock_word(f"{table.__name__}:{keeper}:{request_id}")
    mine = table._default_manager.filter(proposed_by=keeper, request_id=request_id)
    return mine.first()


def _source(code: str, quoted_on: date, now: datetime) -> Source:
    if quoted_on > now.date():
        raise ProposalRefused(
            _("This day is yet to come. Give the day of the price."), field="quoted_on"
        )
    named = Source.objects.filter(code=code).first()
    if named is None:
        raise ProposalRefused(_("Choose a source that is loaded."), field="source")
    return named


def _refuse_if_waiting(waiting: QuerySet[Typed]) -> None:
    if waiting.exists():
        raise ProposalRefused(
            _("A price of that day and source waits already. Decide on it first."),
            code="quote_waits",
        )


def _refuse_if_standing(added: Added) -> None:
    if added.unchanged:
        raise ProposalRefused(
            _("This price stands already. Refuse the proposal as a duplicate."), code="quote_stands"
        )


def _why(proposal: Proposal) -> str:
    return proposal.note or _("Typed in anew, and confirmed by a second person")


def _decide(table: type[Typed], proposal: Typed, actor: Keeper, status: str) -> tuple[int, Typed]:
    keeper = _keeper(actor)
    proposal = table.objects.lock(proposal)  # type: ignore[attr-defined]
    proposal.enter(status)
    if proposal.proposed_by == keeper:
        raise ProposalRefused(
            _("You proposed this price yourself. Ask another person to look at it."),
            code="own_quote",
        )
    return keeper, proposal


def _refuse(
    table: type[Typed], proposal: Typed, actor: Keeper, reason: str, now: datetime
) -> Typed:
    keeper, proposal = _decide(table, proposal, actor, ProposalStatus.REFUSED)
    if not reason.strip():
        raise ProposalRefused(_("Say why, so that it can be put right."), field="reason")
    proposal.decided_by, proposal.decided_at = keeper, now
    proposal.reason = reason.strip()[:300]
    proposal.save(update_fields=["status", "decided_by", "decided_at", "reason"])
    return proposal


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


def _rate(currency: str, on: date, text: str, written: str) -> tuple[Decimal, Decimal]:
    """Return a rate as it was typed and in units for a dollar, if it can be so. A jump is for the second person to judge."""
    field = "currency"
    try:
        if rules.currency_of(currency) == "USD":
            raise Unreadable("unknown_currency", text=currency)
        field = "rate"
        typed = rules.number_of(text, rules.decimal_sign_of([text]))
        per_usd = rules.per_usd_of(typed, is_in_usd=written == RateProposal.Written.IN_USD)
        known = CurrencyRate.objects.filter(currency=currency, quoted_on__lte=on)
        last = known.order_by("-quoted_on", "-pk").first()
        rules.believe_rate(currency, per_usd, on, (last.quoted_on, last.per_usd) if last else None)
    except Unreadable as trouble:
        if trouble.code == "rate_jump":
            return typed, per_usd
        raise ProposalRefused(sentence(trouble), field=field, code=trouble.code) from None
    return typed, per_usd
