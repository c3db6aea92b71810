"""Keep what was paid, and publish the index of it: every day, once, and openly corrected."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from marketplace.accounts.actors import SYSTEM
from marketplace.accounts.models import Organisation
from marketplace.core.locks import lock_word
from marketplace.journal.services import record
from marketplace.lots.models import Lot
from marketplace.pricing.events import IndexPublished
from marketplace.pricing.models import IndexValue, SettledPrice, Valuation
from marketplace.pricing.queries import index as index_queries
from marketplace.pricing.rules import index as rules
from marketplace.reference.queries import RateMissing, rate_to_usd

CORRECTED_DAYS = 7
"""So many past days are looked at again, for deals that came late."""
SIX = Decimal("0.000001")


@transaction.atomic
def note_settled_price(
    *,
    deal_id: int,
    lot_id: int,
    seller_id: int,
    buyer_id: int,
    kg: Decimal,
    price: Decimal,
    currency: str,
    offered_at: datetime | None,
    now: datetime,
) -> SettledPrice:
    """Keep what a deal paid, beside what we had said of its lot when bidding opened. Once a deal.

    Without an exchange rate it is kept, but counts in no index.
    """
    lock_word(f"settled-price:{deal_id}")
    if known := SettledPrice.objects.filter(deal_id=deal_id).first():
        return known
    lot = Lot.objects.select_related("chemistry").get(pk=lot_id)
    parties = Organisation.objects.in_bulk([seller_id, buyer_id])
    on = now.date()
    said = _said_before(lot, offered_at or now)
    usd = _in_dollars(price, currency, on)
    low, typical, high = _predicted(said, lot, on)
    return SettledPrice.objects.create(
        deal_id=deal_id,
        lot=lot,
        seller_id=seller_id,
        buyer_id=buyer_id,
        seller_party=_party(parties[seller_id]),
        buyer_party=_party(parties[buyer_id]),
        chemistry=lot.chemistry,
        letters=_letters(lot),
        form=lot.origin,
        country=lot.country,
        kg=kg,
        price=price,
        currency=currency,
        usd=None if usd is None else usd.quantize(Decimal("0.0001")),
        usd_per_kg=None if usd is None else (usd / kg).quantize(SIX),
        settled_on=on,
        offered_at=offered_at,
        valuation=said if typical is not None else None,
        predicted_low=low,
        predicted_typical=typical,
        predicted_high=high,
        route=said.route if said else "",
        recorded_at=now,
    )


@transaction.atomic
def publish_index(*, on: date, now: datetime) -> list[IndexValue]:
    """Publish the index of a day, and correct the last days where deals came late. Safe to run twice.

    A group appears when it first has enough deals, or is on the price board; from then on it stays, inferred if need be.
    What stands published is never changed: what differs is a new revision with its reason.
    """
    lock_word("price-index")
    window = rules.METHOD.window_days + CORRECTED_DAYS
    by_group = index_queries.observations(on - timedelta(days=window), on)
    standing = index_queries.published(on - timedelta(days=CORRECTED_DAYS), on)
    last = index_queries.last_settled(on)
    formulas = index_queries.formulas(on)
    written: list[IndexValue] = []
    for back in range(CORRECTED_DAYS, -1, -1):
        day = on - timedelta(days=back)
        for group in sorted({*by_group, *formulas, *last}):
            before = standing.get((day, group))
            if before is None and day != on:
                continue  # what was not published that day is not invented afterwards
            formula = (
                before.formula_usd_per_kg if before else index_queries.formula(group, formulas)
            )
            is_shown = bool(before) or group in formulas or group in last
            value = _value(
                group,
                day,
                by_group.get(group, ()),
                formula=formula if is_shown else None,
                known=last.get(group),
            )
            if value is None or (before is not None and _same(before, value)):
                continue
            if value.formula_usd_per_kg is None:
                value.formula_usd_per_kg = formula
            if before is not None:
                value.revision = before.revision + 1
                value.reason = _why(before, value)
            value.published_at = now
            written.append(value)
    IndexValue.objects.bulk_create(written)
    if written:
        revisions = sum(value.revision > 1 for value in written)
        event = IndexPublished(on=on.isoformat(), values=len(written), revisions=revisions)
        record(event, by=SYSTEM, at=now)
    return written


@transaction.atomic
def revise_index(settled: SettledPrice, *, said: str, now: datetime) -> list[IndexValue]:
    """Correct every published day that a deal counted in, once it has been taken out. Days and counts stay as they are.

    Days after its window are corrected too where they were inferred from an index that it had moved.

    :param said: the public reason, kept beside each correction
    """
    lock_word("price-index")
    groups = set(rules.groups_of(settled.letters, settled.form, settled.country))
    first, last = settled.settled_on, now.date()
    standing = index_queries.published(first, last)
    days = sorted({day for day, group in standing if group in groups})
    before_all = first - timedelta(days=rules.METHOD.window_days)
    by_group = index_queries.observations(before_all, last)
    written: list[IndexValue] = []
    for day in days:
        known = index_queries.last_settled(day - timedelta(days=1))
        corrected = []
        for group in sorted(groups):
            before = standing.get((day, group))
            if before is None:
                continue
            formula = before.formula_usd_per_kg
            value = _value(
                group, day, by_group.get(group, ()), formula=formula, known=known.get(group)
            )
            if value is None:  # too few deals are left, and no formula ever said it
                value = _withdrawn(group, day, by_group.get(group, ()))
            if _facts(before) == _facts(value):
                continue
            value.revision = before.revision + 1
            value.reason = IndexValue.Reason.TAKEN_OUT
            value.said = said[:300]
            value.published_at = now
            corrected.append(value)
        IndexValue.objects.bulk_create(corrected)
        written += corrected
    if written:
        event = IndexPublished(on=last.isoformat(), values=len(written), revisions=len(written))
        record(event, by=SYSTEM, at=now)
    return written


def _value(
    group: rules.Group,
    day: date,
    deals: Iterable[rules.Observation],
    *,
    formula: Decimal | None,
    known: rules.Known | None,
) -> IndexValue | None:
    """Return the unsaved value of a group on a day; nothing if neither deals nor a formula say it."""
    point = rules.index_of(deals, day)
    price, basis = point.usd_per_kg, IndexValue.Basis.SETTLED
    if price is None:
        if formula is None:
            return None
        price, basis = rules.inferred(formula, known), IndexValue.Basis.INFERRED
    return IndexValue(
        on=day,
        chemistry=group.chemistry,
        form=group.form,
        country=group.country,
        basis=basis,
        gap=point.gap.value,
        usd_per_kg=price.quantize(SIX),
        formula_usd_per_kg=formula,
        deals=point.deals,
        sellers=point.sellers,
        buyers=point.buyers,
        kg=point.kg,
        window_days=rules.METHOD.window_days,
        method_version=rules.VERSION,
    )


def _withdrawn(group: rules.Group, day: date, deals: Iterable[rules.Observation]) -> IndexValue:
    """Return the unsaved word that nothing may be said any more: too few deals are left, and no valuation is near."""
    point = rules.index_of(deals, day)
    return IndexValue(
        on=day,
        chemistry=group.chemistry,
        form=group.form,
        country=group.country,
        basis=IndexValue.Basis.WITHDRAWN,
        gap=point.gap.value,
        usd_per_kg=None,
        deals=point.deals,
        sellers=point.sellers,
        buyers=point.buyers,
        kg=point.kg,
        window_days=rules.METHOD.window_days,
        method_version=rules.VERSION,
    )


def _same(before: IndexValue, value: IndexValue) -> bool:
    """Tell whether a correction would say nothing new. What was inferred stays, unless deals now say better."""
    if before.basis == value.basis == IndexValue.Basis.INFERRED:
        return True
    return _facts(before) == _facts(value)


def _facts(value: IndexValue) -> tuple[str, Decimal | None, int, Decimal]:
    return value.basis, value.usd_per_kg, value.deals, value.kg


def _why(before: IndexValue, value: IndexValue) -> IndexValue.Reason:
    if before.method_version != value.method_version:
        return IndexValue.Reason.METHOD
    return IndexValue.Reason.LATE_DEALS


def _said_before(lot: Lot, moment: datetime) -> Valuation | None:
    """Return the valuation that stood at a moment; if the lot was valued only later, the first."""
    said = Valuation.objects.filter(lot=lot).order_by("-valued_at", "-pk")
    return said.filter(valued_at__lte=moment).first() or said.last()


def _predicted(
    said: Valuation | None, lot: Lot, on: date
) -> tuple[Decimal, Decimal, Decimal] | tuple[None, None, None]:
    """Return a valuation in USD a kilogram, at the rate of its own day: it is what we said then."""
    if said is None or not lot.mass_kg:
        return None, None, None
    try:
        per_kg = rate_to_usd(said.currency, min(on, said.valued_at.date())) / lot.mass_kg
    except RateMissing:
        return None, None, None
    return (
        (said.low * per_kg).quantize(SIX),
        (said.typical * per_kg).quantize(SIX),
        (said.high * per_kg).quantize(SIX),
    )


def _in_dollars(amount: Decimal, currency: str, on: date) -> Decimal | None:
    try:
        return amount * rate_to_usd(currency, on)
    except RateMissing:
        return None


def _letters(lot: Lot) -> str:
    """Return what is printed on the label; nothing for lithium that nobody sorted."""
    return lot.chemistry.letters if lot.chemistry and lot.chemistry_id != "LI_UNKNOWN" else ""


def _party(organisation: Organisation) -> str:
    return f"group:{organisation.group}"[:80] if organisation.group else f"one:{organisation.pk}"
