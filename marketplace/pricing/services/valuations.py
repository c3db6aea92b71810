"""Value lots: one when its evidence changes, all of them when prices do."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
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
VALUED = (Lot.Status.SUBMITTED, Lot.Status.PRICED, Lot.Status.UNSOLD, Lot.Status.SCHEDULED)
"""Lots whose price may still change somebody's mind."""

NEWS = Decimal("0.1")
"""A typical value that moved by this share at night is told to the seller; less is only kept."""

CHUNK = 500
"""Lots that are locked at once while the night's valuations are kept."""


@transaction.atomic
def ask_for_price(lot: Lot, *, now: datetime, because: str = "evidence") -> None:
    """Queue the valuation of a lot. Asking twice for the same evidence on one day queues it once."""
    enqueue(
        PRICE_LOT,
        {"lot": lot.pk, "on": now.date().isoformat()},
        now=now,
        dedupe_key=f"price:{lot.pk}:{lot.evidence_version}:{because}",
    )


def value_lot(lot: Lot, *, market: queries.Market) -> Valuation | None:
    """Return an unsaved valuation of a lot at the prices of a day; nothing if there is nothing to value."""
    return next(iter(value_lots([lot], market=market)), None)


def value_lots(
    lots: Sequence[Lot], *, market: queries.Market, but: Collection[tuple[int, str]] = ()
) -> list[Valuation]:
    """Return unsaved valuations of those lots that have something to value, in one go.

    :param but: leave out what was valued by the same inputs already: keys of lots, and hashes
    """
    asked = _asked(lots, market, but)
    korean = [queries.by_the_other_convention(each.known, market) for each in asked]
    worths = rules.value_many([each.inputs for each in asked], seed=SEED)
    compared = iter(
        rules.value_many([each for each in korean if each is not None], seed=SEED, evidence=False)
    )
    others = [None if each is None else next(compared) for each in korean]
    return [
        _valuation(each, worth, other, market)
        for each, worth, other in zip(asked, worths, others, strict=True)
    ]


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


def revalue_all(*, on: date, now: datetime) -> int:
    """Value every lot whose price may still change somebody's mind at the quotes of a day. Return how many were kept.

    A chunk is valued outside any transaction and kept in one of its own, so that nobody waits long for a lot. Whoever
    dies in between leaves whole chunks; the next one finds them and goes on. Lots for which nothing changed keep the
    valuation they have.
    """
    market = queries.market_on(on)
    pks = list(Lot.objects.filter(status__in=VALUED).order_by("pk").values_list("pk", flat=True))
    kept = 0
    for start in range(0, len(pks), CHUNK):
        lots = list(
            Lot.objects.filter(pk__in=pks[start : start + CHUNK])
            .select_related("seller", "chemistry")
            .prefetch_related("identifiers", "passports")
            .order_by("pk")
        )
        valued = set(Valuation.objects.filter(lot__in=lots).values_list("lot_id", "inputs_hash"))
        kept += keep_valuations(value_lots(lots, market=market, but=valued), now=now)
    return kept


@transaction.atomic
def keep_valuations(found: Sequence[Valuation], *, now: datetime) -> int:
    """Keep what is new among many valuations, and tell sellers of what moved. Return how many were kept.

    Lots in work elsewhere at this moment are waited for in the order of their keys.
    """
    locked = {
        lot.pk: lot
        for lot in Lot.objects.filter(pk__in=[each.lot_id for each in found])
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    }
    before = {
        each.lot_id: each
        for each in Valuation.objects.filter(lot__in=locked)
        .order_by("lot_id", "-valued_at", "-pk")
        .distinct("lot_id")
    }
    same = set(
        Valuation.objects.filter(
            lot__in=locked, inputs_hash__in=[each.inputs_hash for each in found]
        ).values_list("lot_id", "inputs_hash")
    )
    fresh = []
    for each in found:
        lot = locked[each.lot_id]
        if lot.evidence_version != each.inputs["evidence_version"] or lot.status not in VALUED:
            continue
        if (lot.pk, each.inputs_hash) not in same:
            each.valued_at = now
            fresh.append(each)
    for each in Valuation.objects.bulk_create(fresh):
        lot = locked[each.lot_id]
        if lot.status == Lot.Status.SUBMITTED:
            mark_priced(lot, by=SYSTEM, now=now)
        if _is_news(each, before.get(each.lot_id)):
            record(LotValued(lot_id=lot.pk, valuation_id=each.pk), by=SYSTEM, at=now)
    return len(fresh)


def _is_news(now: Valuation, before: Valuation | None) -> bool:
    if before is None or before.currency != now.currency or before.route != now.route:
        return True
    return abs(now.typical - before.typical) > NEWS * abs(before.typical)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A lot with all that its value is computed from."""

    lot: Lot
    known: queries.Facts
    inputs: rules.Inputs
    facts: dict[str, Any]
    inputs_hash: str
    currency: str
    per_usd: Decimal
    has_rate: bool


def _asked(
    lots: Sequence[Lot], market: queries.Market, but: Collection[tuple[int, str]]
) -> list[_Asked]:
    able = [lot for lot in lots if lot.status in VALUED and lot.mass_kg is not None]
    rates = {
        currency: _rate(currency, market.on) for currency in {lot.seller.currency for lot in able}
    }
    asked = []
    for lot, known in zip(able, queries.facts_of_lots(able, market), strict=True):
        inputs = queries.inputs_of(known, market)
        rate = rates[lot.seller.currency]
        currency = "USD" if rate is None else lot.seller.currency
        per_usd = Decimal(1) if rate is None else rate
        facts = {
            "lot": lot.pk,
            "evidence_version": lot.evidence_version,
            "currency": currency,
            "per_usd": str(per_usd.normalize()),
            "seed": SEED,
            "samples": rules.SAMPLES,
            "convention": str(queries.HOUSE),
            "method": "typical: exact sum; low and high: 10 and 90 % marks of a seeded sample",
            "rules_version": rules.VERSION,
            "inputs": _plain(inputs),
        }
        inputs_hash = queries.fingerprint(facts)
        if (lot.pk, inputs_hash) not in but:
            asked.append(
                _Asked(lot, known, inputs, facts, inputs_hash, currency, per_usd, rate is not None)
            )
    return asked


def _valuation(
    asked: _Asked, worth: rules.Worth, other: rules.Worth | None, market: queries.Market
) -> Valuation:
    per_usd, currency = asked.per_usd, asked.currency
    flags = queries.flags_of(asked.known, asked.inputs, market)
    if not asked.has_rate:
        flags.append({"code": "no_rate"})
    terms = [_term(term, per_usd, currency) for term in worth.terms]
    typical = sum((Decimal(term["amount"]) for term in terms), Decimal(0))
    return Valuation(
        lot=asked.lot,
        inputs_hash=asked.inputs_hash,
        currency=currency,
        low=min(typical, payable(worth.low * per_usd, currency)),
        typical=typical,
        high=max(typical, payable(worth.high * per_usd, currency)),
        route=worth.route.value,
        because=worth.because.value,
        terms=terms,
        routes=[_route(route, per_usd, currency) for route in worth.routes],
        evidence=[_evidence(each, per_usd, currency) for each in worth.evidence],
        other_convention=None if other is None else _other(other, per_usd, currency),
        inputs=asked.facts,
        flags=flags,
        quotes_on=queries.oldest_quote_on(asked.inputs, market),
        rules_version=rules.VERSION,
    )


def _other(other: rules.Worth, per_usd: Decimal, currency: str) -> dict[str, str]:
    marks = {"low": other.low, "typical": other.typical, "high": other.high}
    amounts = {mark: str(payable(usd * per_usd, currency)) for mark, usd in marks.items()}
    return {"convention": "KOREA", **amounts}


def _rate(currency: str, on: date) -> Decimal | None:
    try:
        return rate_per_usd(currency, on)
    except RateMissing:
        return None


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


def _route(route: rules.RouteWorth, per_usd: Decimal, currency: str) -> dict[str, Any]:
    if route.barred:
        return {"route": route.route.value, "barred": [gate.value for gate in route.barred]}
    return {
        "route": route.route.value,
        "barred": [],
        "low": str(payable(route.low * per_usd, currency)),
        "typical": str(payable(route.typical * per_usd, currency)),
        "high": str(payable(route.high * per_usd, currency)),
        "kept_kwh": f"{route.kept_kwh.normalize():f}",
        "avoided_co2_kg": f"{route.avoided_co2_kg.normalize():f}",
    }


def _evidence(each: rules.EvidenceWorth, per_usd: Decimal, currency: str) -> dict[str, Any]:
    return {
        "code": each.code,
        "raises_low_from": str(payable(each.raises_low_from * per_usd, currency)),
        "raises_low_to": str(payable(each.raises_low_to * per_usd, currency)),
        "raises_typical": str(payable(each.raises_typical * per_usd, currency)),
        "narrows": str(each.narrows),
    }


def _plain(facts: Any) -> Any:
    """Return facts as JSON keeps them: records by the names of their fields, numbers as exact text."""
    if isinstance(facts, rules.Recipe):
        return _plain_recipe(facts)
    if is_dataclass(facts):
        return {each.name: _plain(getattr(facts, each.name)) for each in fields(facts)}
    if isinstance(facts, list | tuple):
        return [_plain(fact) for fact in facts]
    return f"{facts.normalize():f}" if isinstance(facts, Decimal) else facts


@lru_cache(maxsize=256)
def _plain_recipe(recipe: rules.Recipe) -> dict[str, Any]:
    """Recipes are the same for many lots."""
    return {each.name: _plain(getattr(recipe, each.name)) for each in fields(recipe)}
