"""Value lots, keep every valuation, and value anew what changed."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from marketplace.accounts.actors import SYSTEM
from marketplace.core.money import payable
from marketplace.journal.services import enqueue, record
from marketplace.lots.models import Lot
from marketplace.lots.services import mark_priced
from marketplace.pricing import queries, rules
from marketplace.pricing.events import LotValued
from marketplace.pricing.models import Valuation
from marketplace.reference.queries import RateMissing, rate_per_usd

PRICE_LOT = "pricing.price_lot"
SEED = 1
VALUED = (
    Lot.Status.SUBMITTED,
    Lot.Status.PRICED,
    Lot.Status.SCHEDULED,
    Lot.Status.OPEN,
    Lot.Status.UNSOLD,
)
"""While a price may still change somebody's mind."""


@transaction.atomic
def ask_for_price(lot: Lot, *, now: datetime, because: str = "evidence") -> None:
    """Queue the valuation of a lot, once for each version of its evidence and each reason.

    :param because: "evidence", or the day whose quotes are to be used
    """
    enqueue(
        PRICE_LOT,
        {"lot": lot.pk, "evidence_version": lot.evidence_version, "on": now.date().isoformat()},
        now=now,
        dedupe_key=f"price:{lot.pk}:{lot.evidence_version}:{because}",
    )


def value_lot(lot: Lot, *, market: queries.Market) -> Valuation | None:
    """Return an unsaved valuation of a lot at the prices of a day; nothing if there is nothing to value."""
    if lot.status not in VALUED or lot.mass_kg is None:
        return None
    inputs = queries.inputs_of(lot, market)
    flags = queries.flags_of(lot, inputs, market)
    currency = lot.seller.currency
    try:
        per_usd = rate_per_usd(currency, market.on)
    except RateMissing:
        currency, per_usd = "USD", Decimal(1)
        flags.append({"code": "no_rate"})
    worth = rules.value(inputs, seed=SEED)
    facts = {
        "lot": lot.pk,
        "evidence_version": lot.evidence_version,
        "currency": currency,
        "per_usd": str(per_usd.normalize()),
        "seed": SEED,
        "samples": rules.SAMPLES,
        "method": "typical: exact sum; low and high: 10 and 90 % marks of a seeded sample",
        "rules_version": rules.VERSION,
        "inputs": _plain(asdict(inputs)),
    }
    terms = [_term(term, per_usd, currency) for term in worth.terms]
    typical = sum((Decimal(term["amount"]) for term in terms), Decimal(0))
    return Valuation(
        lot=lot,
        inputs_hash=queries.fingerprint(facts),
        currency=currency,
        low=min(typical, payable(worth.low * per_usd, currency)),
        typical=typical,
        high=max(typical, payable(worth.high * per_usd, currency)),
        route=worth.route.value,
        terms=terms,
        inputs=facts,
        flags=flags,
        quotes_on=queries.oldest_quote_on(inputs, market),
        rules_version=rules.VERSION,
    )


def price_lot(lot_id: int, *, on: date) -> Callable[[datetime], None] | None:
    """Work out what a lot is worth, outside any transaction. Return what keeps the answer.

    A failure leaves the last valuation as it is.
    """
    lot = Lot.objects.select_related("seller", "chemistry").get(pk=lot_id)
    found = value_lot(lot, market=queries.market_on(on))
    if found is None:
        return None

    def finish(now: datetime) -> None:
        keep_valuation(found, now=now)

    return finish


@transaction.atomic
def keep_valuation(found: Valuation, *, now: datetime) -> Valuation | None:
    """Keep a valuation, unless the lot changed meanwhile: then the job for the newer evidence does.

    The same inputs are kept once.
    """
    lot = Lot.objects.lock(found.lot)
    if lot.evidence_version != found.inputs["evidence_version"] or lot.status not in VALUED:
        return None
    kept = Valuation.objects.filter(lot=lot, inputs_hash=found.inputs_hash).first()
    is_news = kept is None
    if kept is None:
        found.lot, found.valued_at = lot, now
        found.save(force_insert=True)
        kept = found
    if lot.status == Lot.Status.SUBMITTED:
        mark_priced(lot, by=SYSTEM, now=now)
        is_news = True
    if is_news:
        record(LotValued(lot_id=lot.pk, valuation_id=kept.pk), by=SYSTEM, at=now)
    return kept


@transaction.atomic
def revalue_all(*, now: datetime) -> int:
    """Queue a valuation of every lot whose price may still change somebody's mind, at today's quotes.

    Return how many. Lots for which nothing changed keep the valuation they have.
    """
    lots = Lot.objects.filter(status__in=VALUED).only("pk", "evidence_version")
    for lot in lots.order_by("pk"):
        ask_for_price(lot, now=now, because=now.date().isoformat())
    return len(lots)


def _term(term: rules.Term, per_usd: Decimal, currency: str) -> dict[str, Any]:
    return {
        "code": term.code,
        "label": term.material or term.code,
        "material": term.material,
        "amount": str(payable(term.usd * per_usd, currency)),
        "source": term.source,
        "on": term.on,
        "facts": dict(term.facts),
    }


def _plain(facts: Any) -> Any:
    """Return facts as JSON keeps them: numbers as exact text."""
    if isinstance(facts, dict):
        return {name: _plain(fact) for name, fact in facts.items()}
    if isinstance(facts, list | tuple):
        return [_plain(fact) for fact in facts]
    return f"{facts.normalize():f}" if isinstance(facts, Decimal) else facts
