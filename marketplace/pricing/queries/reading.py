"""What a lot was last thought to be worth, and why, in the reader's language."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from marketplace.lots.models import Lot
from marketplace.pricing.models import Valuation
from marketplace.pricing.rules import rough
from marketplace.reference.models import Material, Source


def latest_valuation(lot: Lot) -> Valuation | None:
    """Return what the lot was last thought to be worth, if it was valued."""
    return lot.valuations.order_by("-valued_at", "-pk").first()


def with_latest_worth(rows: QuerySet[Lot]) -> QuerySet[Lot]:
    """Give each lot ``worth`` and ``worth_currency``, from its latest valuation, without another query."""
    latest = Valuation.objects.filter(lot=OuterRef("pk")).order_by("-valued_at", "-pk")
    return rows.annotate(
        worth=Subquery(latest.values("typical")[:1]),
        worth_currency=Subquery(latest.values("currency")[:1]),
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a valuation in the reader's language."""

    label: str
    why: str
    amount: Decimal
    source: str
    on: date | None


def explained(valuation: Valuation) -> list[Line]:
    """Return the sum of a valuation, line by line, in the reader's language."""
    sources = Source.objects.in_bulk(
        sorted({term["source"] for term in valuation.terms if term["source"]})
    )
    return [
        Line(
            label=_label(term),
            why=_why(term),
            amount=Decimal(term["amount"]),
            source=str(sources.get(term["source"], "")),
            on=date.fromisoformat(term["on"]) if term["on"] else None,
        )
        for term in valuation.terms
    ]


def explained_flags(valuation: Valuation) -> list[str]:
    """Return what makes a valuation uncertain, in the reader's language; stale quotes in one sentence."""
    said: list[str] = []
    stale: dict[str, list[str]] = {}
    for flag in valuation.flags:
        if flag["code"] == "stale_quote":
            stale.setdefault(flag["on"], []).append(_material(flag["material"]))
        elif flag["code"] in FLAGS:
            said.append(FLAGS[flag["code"]]())
    for on, names in sorted(stale.items()):
        said.append(
            _("Old quote of %(on)s: %(materials)s. The range is wider for it.")
            % {"materials": ", ".join(names), "on": date_format(date.fromisoformat(on), "j M Y")}
        )
    return said


FLAGS: dict[str, Callable[[], str]] = {
    "chemistry_unknown": lambda: _(
        "The kind is not known: this is what such batteries usually are. "
        "A photo of the label narrows the range."
    ),
    "mass_estimated": lambda: _("The weight is estimated. Weighing the lot narrows the range."),
    "health_said": lambda: _("Nobody measured the health: it is what the owner says."),
    "damaged": lambda: _("Damage was seen: buyers pay less, and packing costs more."),
    "no_rate": lambda: _("There is no exchange rate for your currency, so this is in US dollars."),
}


def _label(term: Mapping[str, Any]) -> str:
    if term["code"] == "metal":
        return _material(term["material"])
    return LABELS[term["code"]]()


LABELS: dict[str, Callable[[], str]] = {
    "damage": lambda: _("Damage"),
    "discharge": lambda: _("Discharging"),
    "dismantle": lambda: _("Taking apart"),
    "shredding": lambda: _("Shredding and sorting out the black mass"),
    "packing": lambda: _("Packing as dangerous goods"),
    "sorting": lambda: _("Sorting and matching"),
    "repacking": lambda: _("Repacking with new electronics"),
    "recover": lambda: _("Burning safely"),
    "treatment": lambda: _("Discharging, dismantling, treatment"),
    "freight": lambda: _("Transport to a licensed plant"),
    "second_life": lambda: _("As second-life packs"),
    "testing": lambda: _("Testing"),
}


def _why(term: Mapping[str, Any]) -> str:
    facts: Mapping[str, str] = term.get("facts", {})
    if "points" in facts:
        return (
            _(
                "%(kg)s kg; %(points)s points in the black mass at US$%(usd_per_point)s a point and tonne"
            )
            % facts
        )
    if term["code"] == "metal" and "payable" in facts:
        share = f"{Decimal(facts['payable']) * 100:.0f} %"
        return _("%(kg)s kg × US$%(usd_per_kg)s × %(share)s that buyers pay") % {
            **facts,
            "share": share,
        }
    if term["code"] == "metal":
        return _("%(kg)s kg in all that it may be") % facts
    if term["code"] == "damage":
        return _("%(share)s off") % {"share": f"{Decimal(facts['share']) * 100:.0f} %"}
    if term["code"] == "second_life":
        return _("%(kwh)s kWh × US$%(usd_per_kwh)s") % facts
    if term["code"] == "freight" and "km" in facts:
        return _("about %(km)s km by road") % facts
    return ""


def _material(symbol: str) -> str:
    return str(Material(symbol).label)


# --- the routes, and what more evidence would tell ------------------------------------------------


@dataclass(frozen=True, slots=True)
class RouteLine:
    """One thing that may become of a lot, in the reader's language, in rough amounts; without any if something bars it."""

    name: str
    is_named: bool
    low: Decimal | None
    typical: Decimal | None
    high: Decimal | None
    kept_kwh: Decimal
    avoided_co2_kg: Decimal
    barred: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """A piece of evidence that is missing, what it is expected to do, and where to give it."""

    code: str
    name: str
    low_from: Decimal
    low_to: Decimal
    typical: Decimal
    narrows: Decimal

    @property
    def raises(self) -> bool:
        """Whether it opens a better use, rather than only telling more of the same one."""
        return self.code == "capacity_test" and self.typical > 0


def routes(valuation: Valuation) -> list[RouteLine]:
    """Return what may become of a lot, best use first."""
    return [
        RouteLine(
            name=str(Valuation.Route(each["route"]).label),
            is_named=each["route"] == valuation.route,
            low=_amount(each, "low"),
            typical=_amount(each, "typical"),
            high=_amount(each, "high"),
            kept_kwh=Decimal(each.get("kept_kwh", 0)),
            avoided_co2_kg=Decimal(each.get("avoided_co2_kg", 0)),
            barred=tuple(GATES[gate]() for gate in each["barred"]),
        )
        for each in valuation.routes
    ]


def because(valuation: Valuation) -> str:
    """Return why the named route is named."""
    return BECAUSE[valuation.because]() if valuation.because in BECAUSE else ""


def evidence(valuation: Valuation) -> list[EvidenceLine]:
    """Return the missing evidence, in the order of what it would do: what raises first, then what narrows most."""
    lines = [
        EvidenceLine(
            code=each["code"],
            name=EVIDENCE[each["code"]](),
            low_from=rough(Decimal(each["raises_low_from"]), digits=2),
            low_to=rough(Decimal(each["raises_low_to"]), digits=2),
            typical=rough(Decimal(each["raises_typical"]), digits=2),
            narrows=Decimal(each["narrows"]),
        )
        for each in valuation.evidence
    ]
    telling = [line for line in lines if line.raises or line.narrows >= TELLING]
    return sorted(telling, key=lambda line: (not line.raises, -line.narrows))


TELLING = Decimal("0.03")
"""Evidence that narrows the range by less than this share is not worth anybody's trouble."""

EVIDENCE: dict[str, Callable[[], str]] = {
    "label": lambda: _("A photo of the label, or the code on it"),
    "scale": lambda: _("Weighing it"),
    "capacity_test": lambda: _("A capacity test"),
}

BECAUSE: dict[str, Callable[[], str]] = {
    "only_one": lambda: _("It is the only use that is open to this lot."),
    "pays_most": lambda: _("It pays most."),
    "keeps_more": lambda: _("It pays about as much as the best, and more of it lives on."),
    "costs_least": lambda: _("Every use costs money; this one costs least."),
}

GATES: dict[str, Callable[[], str]] = {
    "chemistry_unknown": lambda: _("the kind must be known"),
    "not_for_reuse": lambda: _("such batteries are not built into anything again"),
    "damaged": lambda: _("damage was seen"),
    "too_old": lambda: _("past the years that its maker gives it"),
    "no_history": lambda: _("its history is not known: a battery passport would tell"),
    "not_tested": lambda: _("nobody measured its health"),
    "too_weak": lambda: _("its health is too low"),
    "no_price": lambda: _("nobody pays for such packs whole"),
}


def recycled_in_korea(valuation: Valuation) -> Decimal | None:
    """Return what recycling the lot would pay by Korean terms, roughly, where these are quoted."""
    other = valuation.other_convention
    return None if other is None else rough(Decimal(other["typical"]))


def _amount(each: Mapping[str, Any], mark: str) -> Decimal | None:
    return rough(Decimal(each[mark])) if mark in each else None
