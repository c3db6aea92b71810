"""From accepted kilograms to the final price of a deal by terms: assays, an umpire, quotes, and then the money, once.

Every step happens under the deal's lock. Where somebody lets the time pass the contract goes on with what it has.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.capabilities import Capability
from marketplace.core.errors import Refused
from marketplace.deals import rules
from marketplace.deals.events import AssayAgreed, AssaysDiffer, PriceReckoned, UmpireAsked
from marketplace.deals.models import Assay, Deal, Party, Reckoning, Weighing
from marketplace.deals.queries import quotes_and_rate
from marketplace.journal.services import record
from marketplace.pricing.rules import formulas

from .ending import settle

A_DAY = timedelta(days=1)
OTHER = {Party.SELLER: Party.BUYER, Party.BUYER: Party.SELLER}


class ReckoningRefused(Refused):
    """The step is not due. ``code`` says why."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


def terms_of(deal: Deal) -> rules.Contract:
    """Return the terms that a deal's price is worked out by."""
    return rules.contract_of(deal.terms["by_terms"])


def start_reckoning(deal: Deal, *, by: Actor, now: datetime) -> Deal:
    """The kilograms of the locked deal by terms are settled: work out the price, or say what it waits for."""
    if deal.accepted_kg is None:
        raise LookupError(f"Deal {deal.pk} was accepted without a mass.")
    contract = terms_of(deal)
    status = Reckoning.Status
    is_assayed = contract.is_assayed(deal.accepted_kg)
    reckoning = Reckoning.objects.create(
        deal=deal,
        status=status.ASSAYS if is_assayed else status.QUOTES,
        weighed_on=_weighed_at(deal, now).astimezone(UTC).date(),
        opened_at=now,
    )
    if is_assayed:
        _wait_until(deal, now + timedelta(days=contract.days.assay))
    return go_on(deal, reckoning, by=by, now=now)


def go_on(deal: Deal, reckoning: Reckoning, *, by: Actor, now: datetime) -> Deal:
    """Take the locked deal as far as what is known allows: to the umpire, to the quotes, to the money."""
    contract, status = terms_of(deal), Reckoning.Status
    if reckoning.status == status.ASSAYS:
        found = {assay.by: assay for assay in assays_of(deal)}
        if not {Party.SELLER, Party.BUYER} <= found.keys():
            return deal
        if formulas.apart(
            found[formulas.Party.SELLER], found[formulas.Party.BUYER], contract.limits
        ):
            _enter(reckoning, status.DIFFER)
            _wait_until(deal, now + timedelta(days=contract.days.answer))
            record(AssaysDiffer(deal_id=deal.pk), by=by, at=now)
            return deal
        _enter(reckoning, status.QUOTES)
    if reckoning.status == status.QUOTES:
        return _price(deal, reckoning, contract, by=by, now=now)
    return deal


def let_time_reckon(deal: Deal, *, now: datetime) -> None:
    """The time of a step of the locked deal is over: who sent nothing has no say, and without an umpire the middle counts."""
    status = Reckoning.Status
    reckoning = Reckoning.objects.lock(deal.reckoning)
    if reckoning.status in (status.DIFFER, status.UMPIRE):
        reckoning.is_split_by_time = True
    if reckoning.status != status.QUOTES:
        _enter(reckoning, status.QUOTES, "is_split_by_time")
    go_on(deal, reckoning, by=SYSTEM, now=now)


@transaction.atomic
def agree_assay(deal: Deal, *, actor: Actor, now: datetime) -> Deal:
    """Agree to the other side's assay: it counts alone. Also for a side that sends none. Agreeing again changes nothing.

    :raises PermissionDenied: if the actor is of neither side
    :raises ReckoningRefused: if there is nothing to agree to
    """
    mine = party_of(deal, actor)
    deal = Deal.objects.lock(deal)
    reckoning = _reckoning_of(deal)
    other = OTHER[mine]
    if reckoning.agreed_to == other:
        return deal
    sent = set(Assay.objects.filter(deal=deal).values_list("party", flat=True))
    status = Reckoning.Status
    waives = reckoning.status == status.ASSAYS and mine not in sent and other in sent
    if not waives and reckoning.status != status.DIFFER:
        raise ReckoningRefused(
            _("There is no assay of the other side to agree to now. Reload the page."),
            code="nothing_to_agree",
        )
    reckoning.agreed_to, reckoning.agreed_by_id, reckoning.agreed_at = other, actor.user_id, now
    _enter(reckoning, status.QUOTES, "agreed_to", "agreed_by", "agreed_at")
    record(AssayAgreed(deal_id=deal.pk, agreed_to=other), by=actor, at=now)
    return go_on(deal, reckoning, by=actor, now=now)


@transaction.atomic
def ask_umpire(deal: Deal, *, actor: Actor, now: datetime) -> Deal:
    """Ask for a third laboratory, because two assays differ too much. Whose lay further off pays it. Once.

    :raises PermissionDenied: if the actor is of neither side
    :raises ReckoningRefused: if no two assays differ by more than the contract splits
    """
    mine = party_of(deal, actor)
    deal = Deal.objects.lock(deal)
    reckoning = _reckoning_of(deal)
    status = Reckoning.Status
    if reckoning.status == status.UMPIRE:
        return deal
    if reckoning.status != status.DIFFER:
        raise ReckoningRefused(
            _("An umpire is asked when two assays differ by more than the contract splits."),
            code="no_umpire_needed",
        )
    asked_by = deal.seller_id if mine == Party.SELLER else deal.buyer_id
    reckoning.umpire_asked_by_id, reckoning.umpire_asked_at = asked_by, now
    _enter(reckoning, status.UMPIRE, "umpire_asked_by", "umpire_asked_at")
    _wait_until(deal, now + timedelta(days=terms_of(deal).days.umpire))
    record(UmpireAsked(deal_id=deal.pk, asked_by_id=asked_by), by=actor, at=now)
    return deal


def party_of(deal: Deal, actor: Actor) -> Party:
    """Return on which side the actor stands.

    :raises PermissionDenied: if on neither
    """
    if actor.organisation_id == deal.seller_id:
        actor.require(Capability.DEAL_SELL, of=deal.seller_id)
        return Party.SELLER
    actor.require(Capability.DEAL_BUY, of=deal.buyer_id)
    return Party.BUYER


def end_umpire(deal: Deal, reckoning: Reckoning, *, by: Actor, now: datetime) -> Deal:
    """The umpire's assay of the locked deal is in: the price follows."""
    _enter(reckoning, Reckoning.Status.QUOTES)
    return go_on(deal, reckoning, by=by, now=now)


def assays_of(deal: Deal) -> list[formulas.Assay]:
    """Return what every laboratory found, as the rule takes it."""
    rows = Assay.objects.filter(deal=deal).prefetch_related("results").order_by("pk")
    return [
        formulas.Assay(
            formulas.Party(row.party), {each.material: each.share for each in row.results.all()}
        )
        for row in rows
    ]


def _price(
    deal: Deal, reckoning: Reckoning, contract: rules.Contract, *, by: Actor, now: datetime
) -> Deal:
    """Work out the price and pay it, if the quotes that the contract names are there; else wait for them."""
    if deal.accepted_kg is None:
        raise LookupError(f"Deal {deal.pk} was accepted without a mass.")
    known = quotes_and_rate(contract, weighed_on=reckoning.weighed_on)
    period = contract.period(reckoning.weighed_on)
    over_at = datetime.combine(period.last + A_DAY, time(), UTC)
    late_at = over_at + timedelta(days=contract.days.quotes)
    if not period.is_day and now < over_at:
        return _wait_until(deal, over_at)
    if not period.is_day and known.missing and now < late_at:
        return _wait_until(deal, min(now + A_DAY, late_at))
    assays = _that_count(assays_of(deal), reckoning.agreed_to)
    found = rules.final_settlement(
        contract,
        accepted_kg=deal.accepted_kg,
        assays=assays,
        quotes={name: used.value for name, used in known.quotes.items()},
        per_usd=known.per_usd.value,
        is_split_by_time=reckoning.is_split_by_time,
    )
    reckoning.statement = rules.statement(
        contract,
        found,
        accepted_kg=deal.accepted_kg,
        weighed_on=reckoning.weighed_on,
        assays=assays,
        quotes=known.quotes,
        per_usd=known.per_usd,
        is_split_by_time=reckoning.is_split_by_time,
        agreed_to=reckoning.agreed_to,
    )
    reckoning.done_at = now
    _enter(reckoning, Reckoning.Status.DONE, "statement", "done_at")
    deal.final_price, deal.decide_by = found.amount, None
    deal.save(update_fields=["final_price", "decide_by"])
    record(
        PriceReckoned(
            deal_id=deal.pk,
            price=str(found.amount),
            currency=deal.currency,
            statement_sha256=reckoning.statement["sha256"],
        ),
        by=by,
        at=now,
    )
    return settle(deal, now=now, by=by)


def _that_count(assays: Iterable[formulas.Assay], agreed_to: str) -> list[formulas.Assay]:
    return [assay for assay in assays if not agreed_to or assay.by.value == agreed_to]


def _weighed_at(deal: Deal, now: datetime) -> datetime:
    weighed = {row.stage: row.weighed_at for row in Weighing.objects.filter(deal=deal)}
    return weighed.get(Weighing.Stage.DELIVERY) or now


def _reckoning_of(deal: Deal) -> Reckoning:
    found = Reckoning.objects.filter(deal=deal).first()
    if found is None:
        raise ReckoningRefused(
            _("Nothing is worked out by assay here, or not yet: first the goods are accepted."),
            code="not_reckoned",
        )
    return Reckoning.objects.lock(found)


def _enter(reckoning: Reckoning, status: str, *fields: str) -> None:
    reckoning.enter(status)
    reckoning.save(update_fields=["status", *fields])


def _wait_until(deal: Deal, moment: datetime) -> Deal:
    deal.decide_by = moment
    deal.save(update_fields=["decide_by"])
    return deal
