"""What is known today about prices, what a lot was last thought to be worth, and the board for everybody."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from marketplace.core.money import payable
from marketplace.lots.models import Lot
from marketplace.reference.models import (
    Chemistry,
    ChemistryMaterial,
    Country,
    Material,
    PayableTerm,
    SecondLifePrice,
    Source,
)
from marketplace.reference.queries import (
    Quote,
    RateMissing,
    latest_quotes,
    parameters,
    rate_per_usd,
)

from . import rules
from .models import Valuation

DAYS_A_STEP = 30
"""Quotes age in steps of this many days, so that a lot is not valued anew every night for nothing."""


@dataclass(frozen=True, slots=True)
class Market:
    """What is known about prices on a day: read once, used for every lot."""

    on: date
    quotes: Mapping[str, Quote]
    numbers: Mapping[str, Decimal]
    chemistries: Mapping[str, Chemistry]
    contents: Mapping[str, tuple[ChemistryMaterial, ...]]
    payables: Mapping[tuple[str, str], PayableTerm]
    second_life: Mapping[tuple[str, str], SecondLifePrice]

    def makeup(self, code: str, share: Decimal) -> rules.Makeup:
        """Return what a chemistry is paid for, and what its treatment costs."""
        feed = self.chemistries[code].feed
        found = (self._metal(content, feed) for content in self.contents.get(code, ()))
        return rules.Makeup(
            code,
            share,
            tuple(metal for metal in found if metal is not None),
            self.band(
                f"TREATMENT_LOW_{feed}", f"TREATMENT_TYPICAL_{feed}", f"TREATMENT_HIGH_{feed}"
            ),
        )

    def band(self, low: str, typical: str, high: str) -> rules.Band:
        return rules.Band(self.numbers[low], self.numbers[typical], self.numbers[high])

    def is_stale(self, quote: Quote) -> bool:
        return (self.on - quote.quoted_on).days > self.numbers["QUOTE_FRESH_DAYS"]

    def _metal(self, content: ChemistryMaterial, feed: str) -> rules.Metal | None:
        is_lithium = content.material == Material.LI
        quote = self.quotes.get(Material.LITHIUM_CARBONATE if is_lithium else content.material)
        terms = self.payables.get((feed, content.material))
        if quote is None or terms is None:
            return None
        usd_per_kg = quote.price_usd_per_kg * (self.numbers["LI2CO3_PER_LI"] if is_lithium else 1)
        age_days = (self.on - quote.quoted_on).days // DAYS_A_STEP * DAYS_A_STEP
        return rules.Metal(
            material=content.material,
            content=rules.Band(
                content.kg_per_kg_pack_low, content.kg_per_kg_pack, content.kg_per_kg_pack_high
            ),
            payable=rules.Band(terms.low, terms.typical, terms.high),
            usd_per_kg=rules.quote_band(
                usd_per_kg,
                age_days=age_days,
                fresh_days=int(self.numbers["QUOTE_FRESH_DAYS"]),
                volatility=self.numbers["QUOTE_VOLATILITY"],
            ),
            source=quote.source,
            quoted_on=quote.quoted_on.isoformat(),
            by_the_point=(
                self.numbers["BLACK_MASS_YIELD_LFP"]
                if is_lithium and feed == Chemistry.Feed.LFP
                else None
            ),
        )


def market_on(on: date) -> Market:
    """Read what is known about prices on a day, in six queries however many lots follow."""
    contents: dict[str, list[ChemistryMaterial]] = {}
    for content in ChemistryMaterial.objects.order_by("chemistry", "material"):
        contents.setdefault(content.chemistry_id, []).append(content)
    house = PayableTerm.objects.filter(is_house_default=True).valid(on).order_by("valid_from")
    prices = SecondLifePrice.objects.filter(is_house_default=True, observed_on__lte=on)
    return Market(
        on=on,
        quotes=latest_quotes(on),
        numbers=parameters(on),
        chemistries={chemistry.code: chemistry for chemistry in Chemistry.objects.all()},
        contents={code: tuple(rows) for code, rows in contents.items()},
        payables={(term.feed, term.material): term for term in house},
        second_life={(row.feed, row.grade): row for row in prices.order_by("observed_on")},
    )


def inputs_of(lot: Lot, market: Market) -> rules.Inputs:
    """Return everything that a lot's value is computed from.

    :raises ValueError: if the lot has no mass yet
    """
    if lot.mass_kg is None:
        raise ValueError("A lot without a mass has no value.")
    spread = "MASS_SPREAD_ESTIMATED" if lot.mass_is_estimated else "MASS_SPREAD_WEIGHED"
    damaged = lot.triage == Lot.Triage.AMBER
    return rules.Inputs(
        mass_kg=rules.Band.around(lot.mass_kg, market.numbers[spread]),
        makeups=tuple(market.makeup(code, share) for code, share in shares_of(lot).items()),
        shredding_loss=market.band(
            "SHREDDING_LOSS_LOW", "SHREDDING_LOSS_TYPICAL", "SHREDDING_LOSS_HIGH"
        ),
        freight_usd_per_kg=market.band("FREIGHT_LOW", "FREIGHT_TYPICAL", "FREIGHT_HIGH"),
        damage_cut=market.numbers["HAIRCUT_DAMAGED" if damaged else "HAIRCUT_INTACT"],
        second_life=_second_life(lot, market),
    )


def shares_of(lot: Lot) -> Mapping[str, Decimal]:
    """Return what a lot is made of: its chemistry, or what such lots usually are."""
    if lot.chemistry_id is None:
        return rules.prior(lot.origin)
    if lot.chemistry_id == "LI_UNKNOWN":
        return rules.prior(lot.origin, only_lithium=True)
    return {lot.chemistry_id: Decimal(1)}


def _second_life(lot: Lot, market: Market) -> rules.SecondLife | None:
    """Return what a lot may be worth whole, if it passes the gates: measured, healthy, undamaged, known, no scrap of
    phones and tools."""
    numbers = market.numbers
    if (
        lot.state_of_health is None
        or lot.chemistry_id in (None, "LI_UNKNOWN")
        or lot.triage != Lot.Triage.GREEN
        or lot.origin in (Lot.Origin.DEVICE, Lot.Origin.TOOL, Lot.Origin.MIXED)
        or lot.state_of_health < numbers["SECOND_LIFE_MIN_HEALTH"]
    ):
        return None
    chemistry = market.chemistries[str(lot.chemistry_id)]
    grade = rules.grade_of(lot.state_of_health)
    price = market.second_life.get((chemistry.feed, grade or ""))
    if grade is None or price is None or lot.mass_kg is None:
        return None
    energy_kwh = lot.energy_kwh or (lot.mass_kg * chemistry.pack_wh_per_kg / 1000).quantize(
        Decimal("0.001")
    )
    return rules.SecondLife(
        energy_kwh=energy_kwh,
        health=lot.state_of_health,
        grade=grade,
        usd_per_kwh=rules.Band.around(price.usd_per_kwh, numbers["SECOND_LIFE_PRICE_SPREAD"]),
        testing_usd_per_kwh=numbers["SECOND_LIFE_TEST_USD_PER_KWH"],
        source=price.source_id,
    )


def flags_of(lot: Lot, inputs: rules.Inputs, market: Market) -> list[dict[str, str]]:
    """Return what makes a valuation less certain than it looks."""
    flags: list[dict[str, str]] = []
    if lot.chemistry_id in (None, "LI_UNKNOWN"):
        flags.append({"code": "chemistry_unknown"})
    if lot.mass_is_estimated:
        flags.append({"code": "mass_estimated"})
    if lot.triage == Lot.Triage.AMBER:
        flags.append({"code": "damaged"})
    for material in _paid(inputs):
        quote = market.quotes[_quoted_as(material)]
        if market.is_stale(quote):
            flags.append(
                {"code": "stale_quote", "material": material, "on": quote.quoted_on.isoformat()}
            )
    return flags


def oldest_quote_on(inputs: rules.Inputs, market: Market) -> date:
    """Return the day of the oldest quote used; today if none was."""
    return min(
        (market.quotes[_quoted_as(material)].quoted_on for material in _paid(inputs)),
        default=market.on,
    )


def _paid(inputs: rules.Inputs) -> list[str]:
    return sorted({metal.material for makeup in inputs.makeups for metal in makeup.metals})


def _quoted_as(material: str) -> str:
    return Material.LITHIUM_CARBONATE if material == Material.LI else material


def fingerprint(facts: Mapping[str, Any]) -> str:
    """Return the hash of everything that a valuation was computed from."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


# --- reading valuations -------------------------------------------------------------------------


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
    "damaged": lambda: _("Damage was seen: buyers pay less, and packing costs more."),
    "no_rate": lambda: _("There is no exchange rate for your currency, so this is in US dollars."),
}


def _label(term: Mapping[str, Any]) -> str:
    if term["code"] == "metal":
        return _material(term["material"])
    return LABELS[term["code"]]()


LABELS: dict[str, Callable[[], str]] = {
    "damage": lambda: _("Damage"),
    "treatment": lambda: _("Discharging, dismantling, treatment"),
    "freight": lambda: _("Transport to a licensed plant"),
    "second_life": lambda: _("As second-life packs"),
    "testing": lambda: _("Testing, sorting, repacking"),
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
    if term["code"] == "metal":
        share = f"{Decimal(facts['payable']) * 100:.0f} %"
        return _("%(kg)s kg × US$%(usd_per_kg)s × %(share)s that buyers pay") % {
            **facts,
            "share": share,
        }
    if term["code"] == "damage":
        return _("%(share)s off") % {"share": f"{Decimal(facts['share']) * 100:.0f} %"}
    if term["code"] == "second_life":
        return _("%(kwh)s kWh × US$%(usd_per_kwh)s, grade %(grade)s") % facts
    return ""


def _material(symbol: str) -> str:
    return str(Material(symbol).label)


# --- the price board ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BoardLine:
    """Today's price of a kilogram of something that people recognise."""

    code: str
    name: str
    chemistry: Chemistry
    low: Decimal
    typical: Decimal
    high: Decimal
    currency: str
    quotes_on: date


BOARD: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("scooter-lfp", "LFP", lambda: _("Scooter or rickshaw pack, LFP")),
    ("car-nmc", "NMC622", lambda: _("Car pack, NMC")),
    ("laptop-nmc", "NMC532", lambda: _("Laptop or tool battery, NMC")),
    ("phone-lco", "LCO", lambda: _("Phone battery")),
    ("lead-acid", "PBA", lambda: _("Car starter or inverter battery, lead")),
    ("nimh", "NIMH", lambda: _("Hybrid car battery, NiMH")),
)


def price_board(*, on: date, currency: str = "USD", country: str = "") -> list[BoardLine]:
    """Return today's price of a kilogram of what people recognise, as lots that were weighed and undamaged.

    Before reference data is loaded the board is empty.

    :param currency: US dollars instead, if there is no rate for it
    :param country: if given, the currency of that country, when it is known
    """
    if country:
        currency = (
            Country.objects.filter(code=country).values_list("currency", flat=True).first()
            or currency
        )
    market = market_on(on)
    try:
        per_usd = rate_per_usd(currency, on)
    except RateMissing:
        currency, per_usd = "USD", Decimal(1)
    lines = []
    for code, chemistry, name in BOARD:
        if chemistry not in market.chemistries:
            continue
        inputs = _a_kilogram(chemistry, market)
        worth = _worth(inputs)
        low, typical, high = (
            payable(usd * per_usd / 1000, currency)
            for usd in (worth.low, worth.typical, worth.high)
        )
        lines.append(
            BoardLine(
                code=code,
                name=name(),
                chemistry=market.chemistries[chemistry],
                low=low,
                typical=typical,
                high=high,
                currency=currency,
                quotes_on=oldest_quote_on(inputs, market),
            )
        )
    return lines


def _a_kilogram(chemistry: str, market: Market) -> rules.Inputs:
    """Return the inputs of a tonne: cents of a single kilogram would be too coarse."""
    return rules.Inputs(
        mass_kg=rules.Band.around(Decimal(1000), Decimal(0)),
        makeups=(market.makeup(chemistry, Decimal(1)),),
        shredding_loss=market.band(
            "SHREDDING_LOSS_LOW", "SHREDDING_LOSS_TYPICAL", "SHREDDING_LOSS_HIGH"
        ),
        freight_usd_per_kg=market.band("FREIGHT_LOW", "FREIGHT_TYPICAL", "FREIGHT_HIGH"),
    )


@lru_cache(maxsize=64)
def _worth(inputs: rules.Inputs) -> rules.Worth:
    """Remember the board's sums: they change only when a quote does."""
    return rules.value(inputs)
