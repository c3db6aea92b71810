"""Looking for rings: a job runs the screens and opens cases for people to look at. It never punishes."""

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from marketplace.accounts.actors import SYSTEM, Actor
from marketplace.accounts.models import Membership, Organisation
from marketplace.core.errors import Refused
from marketplace.core.locks import lock_word
from marketplace.journal.services import record
from marketplace.market import rules
from marketplace.market.events import CaseClosed, CaseOpened
from marketplace.market.models import Auction, Award, Bid, Case
from marketplace.market.rules import screens

LOOK_BACK = timedelta(days=180)
MOST_SALES = 5000
LEFT_ALONE = timedelta(days=90)
"""A pattern that was found harmless is not brought up again for so long."""


class CaseRefused(Refused):
    code = "case_refused"


def findings(*, now: datetime) -> list[screens.Finding]:
    """Run every screen over the sales of the last half year. Reads only; slow work, outside a transaction.

    Bids are compared in sealed auctions only: in open ones an honest bid follows the others. Persons, and with them telephones,
    are compared over all; the house keeps no marks of devices, and bank accounts lie with the payment service.
    """
    sealed_by_land, everything = _sales(now)
    found: list[screens.Finding] = []
    for sales in sealed_by_land.values():
        found += screens.cover_bids(sales)
        found += screens.close_bids(sales)
    for sales in everything.values():
        found += screens.rotation(sales)
    everywhere = [sale for sales in everything.values() for sale in sales]
    firms = sorted({firm for sale in everywhere for firm in sale.bids})
    found += screens.shared_traces(everywhere, _traces(firms))
    groups = dict(Organisation.objects.filter(pk__in=firms).values_list("pk", "group"))
    return [each for each in found if not _is_one_group(each, groups)]


@transaction.atomic
def open_cases(found: list[screens.Finding], *, now: datetime) -> int:
    """Open a case for each pattern that has none, and mark the others as seen again; return how many are new."""
    new = 0
    for each in found:
        lock_word(f"case:{each.key}")
        case = Case.objects.filter(key=each.key).order_by("-pk").first()
        if case and case.status == Case.Status.OPEN:
            case.seen_at = now
            case.evidence = _evidence(each)
            case.save(update_fields=["seen_at", "evidence"])
            continue
        if case and case.closed_at and case.closed_at > now - LEFT_ALONE:
            continue
        case = Case.objects.create(
            kind=each.kind,
            firms=list(each.firms),
            key=each.key,
            evidence=_evidence(each),
            opened_at=now,
            seen_at=now,
        )
        record(CaseOpened(case_id=case.pk, kind=case.kind), by=SYSTEM, at=now)
        new += 1
    return new


@transaction.atomic
def close_case(case: Case, *, actor: Actor, outcome: str, note: str, now: datetime) -> Case:
    """Say what a pattern was. What follows from it is done elsewhere, by people, with reasons.

    :raises PermissionDenied: if the actor is not of the house
    :raises CaseRefused: if it is closed already, or no reason is given
    """
    if not actor.sees_everything or actor.user_id is None:
        raise PermissionDenied
    if outcome not in Case.Outcome.values or not note.strip():
        raise CaseRefused(_("Choose what it was, and say why."), field="note")
    case = Case.objects.lock(case)
    case.enter(Case.Status.CLOSED)
    case.outcome, case.note, case.closed_by_id, case.closed_at = (
        outcome,
        note.strip(),
        actor.user_id,
        now,
    )
    case.save(update_fields=["status", "outcome", "note", "closed_by", "closed_at"])
    record(CaseClosed(case_id=case.pk, outcome=outcome), by=actor, at=now)
    return case


Sales = dict[str, list[screens.Sale]]


def _sales(now: datetime) -> tuple[Sales, Sales]:
    """Return the sealed and all sales of the last half year by country, in order of time, but for reverse ones: they bid the other way."""
    auctions = Auction.objects.filter(
        closed_at__gt=now - LOOK_BACK, closed_at__lte=now, bid_count__gt=1
    ).exclude(mode__in=[mode for mode, how in rules.MODES.items() if how.is_reverse])
    rows = auctions.order_by("-closed_at", "-pk").values_list("pk", "lot__country", "mode")
    newest = list(rows[:MOST_SALES])
    pks = [pk for pk, _land, _mode in newest]
    bids: dict[int, dict[int, Decimal]] = defaultdict(dict)
    told = Bid.objects.filter(auction__in=pks, maximum__isnull=False).order_by("pk")
    for auction, bidder, maximum in told.values_list("auction_id", "bidder_id", "maximum"):
        best = bids[auction].get(bidder)
        if maximum is not None and (best is None or maximum > best):
            bids[auction][bidder] = maximum
    winners = dict(
        Award.objects.filter(auction__in=pks, rank=1).values_list("auction_id", "bidder_id")
    )
    sealed: Sales = defaultdict(list)
    everything: Sales = defaultdict(list)
    for pk, land, mode in reversed(newest):
        if len(bids[pk]) < 2:
            continue
        sale = screens.Sale(pk, bids[pk], winners.get(pk))
        everything[land].append(sale)
        if mode in (Auction.Mode.SEALED, Auction.Mode.SECOND_PRICE):
            sealed[land].append(sale)
    return sealed, everything


def _traces(firms: list[int]) -> dict[str, list[tuple[int, str]]]:
    members = Membership.objects.filter(organisation__in=firms)
    rows = members.order_by("pk").values_list("organisation_id", "user_id")
    return {"person": [(firm, str(person)) for firm, person in rows]}


def _is_one_group(found: screens.Finding, groups: dict[int, str]) -> bool:
    """Tell whether the firms have said that they belong together: then there is nothing to find out."""
    named = {groups.get(firm, "") for firm in found.firms}
    return len(named) == 1 and "" not in named


def _evidence(found: screens.Finding) -> dict[str, object]:
    return {"sales": list(found.sales), "figures": dict(found.figures)}
