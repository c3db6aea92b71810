"""What is known today about prices, plants and priors; and the inputs of a valuation made from it."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from marketplace.accounts.models import Licence
from marketplace.core.quantities import great_circle_km
from marketplace.lots.models import HealthClaim, Lot
from marketplace.lots.queries import best_healths
from marketplace.pricing import rules
from marketplace.pricing.rules import Band, Gate
from marketplace.reference.models import (
    Chemistry,
    ChemistryMaterial,
    ChemistryPrior,
    Convention,
    LithiumForm,
    LithiumPointQuote,
    Material,
    SecondLifePrice,
)
from marketplace.reference.queries import (
    Factor,
    Payable,
    Quote,
    RateMissing,
    chemistry_priors,
    emission_factors,
    latest_quotes,
    parameters,
    payables,
    rate_per_usd,
    reuse_gates,
)
from marketplace.reference.queries import Gate as GateRow

DAYS_A_STEP = 30
"""Quotes age in steps of this many days, so that a lot is not valued anew every night for nothing."""

HOUSE = Convention.CHINA
"""The convention of the value that we name: its observations are the newer ones, and hold for every kind of battery."""

UNSURE = (None, "LI_UNKNOWN")
LITHIUM_FEEDS = frozenset(
    {Chemistry.Feed.TERNARY, Chemistry.Feed.LFP, Chemistry.Feed.OTHER_LITHIUM}
)
NEVER_REUSED = frozenset({Lot.Origin.DEVICE, Lot.Origin.TOOL, Lot.Origin.MIXED})
MIDDLES = {"C": Decimal("0.75"), "B": Decimal("0.85"), "A": Decimal("0.95")}
PLANTS_COUNTED = 3


@dataclass(frozen=True, slots=True)
class Health:
    """A believed state of health: its value, half the width of its 10 to 90 % band, and whether it was measured."""

    value: Decimal
    uncertainty: Decimal
    measured: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a lot, wherever it comes from: the site, a file of lots, or the price board.

    :param mass_kg: kg, as a scale or an estimate says
    :param chemistry: a code of the reference tables; nothing if nobody knows
    """

    mass_kg: Decimal
    origin: str = ""
    chemistry: str | None = None
    mass_is_estimated: bool = False
    energy_kwh: Decimal | None = None
    health: Health | None = None
    damaged: bool = False
    made_year: int | None = None
    has_history: bool = False
    country: str = ""
    position: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Plant:
    """A site that is licensed to receive these chemistries."""

    country: str
    position: tuple[float, float]
    chemistries: frozenset[str]


@dataclass(frozen=True)
class Market:
    """What is known about prices on a day: read once, used for every lot."""

    on: date
    quotes: Mapping[str, Quote]
    numbers: Mapping[str, Decimal]
    chemistries: Mapping[str, Chemistry]
    contents: Mapping[str, tuple[ChemistryMaterial, ...]]
    payables: Mapping[tuple[str, str], Payable]
    korean: Mapping[tuple[str, str], Payable]
    second_life: Mapping[tuple[str, str], SecondLifePrice]
    priors: Sequence[ChemistryPrior]
    factors: Mapping[str, Factor]
    gates: Mapping[str, GateRow]
    plants: Sequence[Plant]
    lithium_point: "LithiumPoint | None"
    _recipes: dict[tuple[str, str], rules.Recipe] = field(default_factory=dict)

    def recipe(self, code: str, *, convention: str = HOUSE) -> rules.Recipe:
        """Return what a kilogram of a chemistry pays by one of the two conventions, and what taking it apart costs."""
        if (code, convention) not in self._recipes:
            self._recipes[code, convention] = self._made_recipe(code, convention)
        return self._recipes[code, convention]

    def at_whole_quotes(self, code: str) -> rules.Recipe:
        """Return what a kilogram of a chemistry contains of each quoted material, at the whole quote: whoever offers a
        formula pays shares of that."""
        found = (self._whole(content) for content in self.contents.get(code, ()))
        return rules.Recipe(code, tuple(metal for metal in found if metal is not None), ())

    def band(self, code: str, suffix: str = "") -> Band:
        """Return the parameters CODE_LOW, CODE_TYPICAL and CODE_HIGH, each with a suffix, as a band."""
        low, typical, high = (
            self.numbers[f"{code}_{mark}{suffix}"] for mark in ("LOW", "TYPICAL", "HIGH")
        )
        return Band(low, typical, high)

    def factor(self, code: str) -> Band:
        found = self.factors.get(code)
        return rules.NOTHING if found is None else Band(found.low, found.typical, found.high)

    def is_stale(self, quoted_on: date) -> bool:
        return (self.on - quoted_on).days > self.numbers["QUOTE_FRESH_DAYS"]

    def prior(self, origin: str, *, made_year: int | None, country: str) -> dict[str, Decimal]:
        """Return what a lot is made of when nobody knows: chemistry -> share. ``reference.chemistry_prior`` says how."""
        for name, where, year in (
            (origin, country, made_year),
            (origin, "", made_year),
            (origin, country, None),
            (origin, "", None),
            ("MIXED", "", None),
        ):
            shares = {
                row.chemistry_id: row.share
                for row in self.priors
                if row.origin == name and row.country == where and row.covers(year)
            }
            if shares:
                return shares
        return {"LI_UNKNOWN": Decimal(1)}

    def km_to_plants(self, facts: Facts) -> Band:
        """Return the way to the three nearest plants that may receive the lot: nearest, middle, farthest, by road."""
        if facts.position is None:
            return self.band("PLANT_KM")
        here = [
            plant
            for plant in self.plants
            if plant.country == facts.country
            and (facts.chemistry is None or facts.chemistry in plant.chemistries)
        ]
        ways = sorted(great_circle_km(facts.position, plant.position) for plant in here)
        if not ways:
            return self.band("PLANT_KM")
        near = [
            (Decimal(str(way)) * self.numbers["ROAD_FACTOR"]).quantize(Decimal("0.1"))
            for way in ways[:PLANTS_COUNTED]
        ]
        return Band(near[0], near[len(near) // 2], near[-1])

    def _made_recipe(self, code: str, convention: str) -> rules.Recipe:
        feed = self.chemistries[code].feed
        terms = self.payables if convention == HOUSE else self.korean
        found = (self._metal(content, feed, terms) for content in self.contents.get(code, ()))
        if feed in LITHIUM_FEEDS:
            steps = tuple(
                rules.Step(name.lower(), self.band(name))
                for name in ("DISCHARGE", "DISMANTLE", "SHREDDING")
            )
        else:
            steps = (rules.Step("treatment", self.band("TREATMENT", f"_{feed}")),)
        avoided, spent = (
            self.factor(f"RECYCLING_AVOIDED_{feed}"),
            self.factor(f"RECYCLING_TREATMENT_{feed}"),
        )
        return rules.Recipe(
            code,
            tuple(metal for metal in found if metal is not None),
            steps,
            Band.exactly(avoided.typical - spent.typical),
        )

    def _metal(
        self,
        content: ChemistryMaterial,
        feed: str,
        terms: Mapping[tuple[str, str], Payable],
    ) -> rules.Metal | None:
        payable = terms.get((feed, content.material))
        if payable is None:
            return None
        is_phosphate = content.material == Material.LI and feed == Chemistry.Feed.LFP
        if is_phosphate and terms is self.payables and self.lithium_point is not None:
            return self._by_the_point(_held(content), self.lithium_point)
        whole = self._whole(content)
        if whole is None:
            return None
        return replace(whole, payable=Band(payable.low, payable.typical, payable.high))

    def _whole(self, content: ChemistryMaterial) -> rules.Metal | None:
        """Return a material at its whole quote; nothing if it is not quoted."""
        is_lithium = content.material == Material.LI
        quote = self.quotes.get(Material.LITHIUM_CARBONATE if is_lithium else content.material)
        if quote is None:
            return None
        usd_per_kg = quote.price_usd_per_kg * (self.numbers["LI2CO3_PER_LI"] if is_lithium else 1)
        return rules.Metal(
            material=content.material,
            content=_held(content),
            payable=Band.exactly(Decimal(1)),
            usd_per_kg=self._aged(Band.exactly(usd_per_kg), quote.quoted_on, content.material),
            source=quote.source,
            quoted_on=quote.quoted_on.isoformat(),
        )

    def _by_the_point(self, held: Band, point: "LithiumPoint") -> rules.Metal:
        """Lithium of phosphate packs: what a market pays for each percent in a tonne, which is for 10 kg of it."""
        return rules.Metal(
            material=Material.LI,
            content=held,
            payable=Band.exactly(Decimal(1)),
            usd_per_kg=self._aged(point.usd_per_kg, point.quoted_on, Material.LI),
            source=point.source,
            quoted_on=point.quoted_on.isoformat(),
            by_the_point=self.numbers["BLACK_MASS_YIELD_LFP"],
        )

    def _aged(self, quoted: Band, quoted_on: date, material: str) -> Band:
        numbers = self.numbers
        age_days = (self.on - quoted_on).days // DAYS_A_STEP * DAYS_A_STEP
        moves = numbers.get(f"QUOTE_VOLATILITY_{material.upper()}", numbers["QUOTE_VOLATILITY"])
        aged = rules.quote_band(
            quoted.typical,
            age_days=age_days + int(numbers["QUOTE_WAITING_DAYS"]),
            volatility=moves,
        )
        return Band(min(aged.low, quoted.low), quoted.typical, max(aged.high, quoted.high))


@dataclass(frozen=True, slots=True)
class LithiumPoint:
    """What a kilogram of lithium in phosphate black mass is paid, from the price of a point."""

    usd_per_kg: Band
    quoted_on: date
    source: str


_kept: ContextVar[dict[date, Market] | None] = ContextVar("markets_kept", default=None)


@contextmanager
def each_day_read_once() -> Iterator[None]:
    """Within this, read the market of a day once: for commands beside which nobody loads prices."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def market_on(on: date) -> Market:
    """Read what is known about prices on a day, in a dozen queries however many lots follow."""
    kept = _kept.get()
    if kept is None:
        return _market(on)
    if on not in kept:
        kept[on] = _market(on)
    return kept[on]


def _market(on: date) -> Market:
    contents: dict[str, list[ChemistryMaterial]] = {}
    for content in ChemistryMaterial.objects.order_by("chemistry", "material"):
        contents.setdefault(content.chemistry_id, []).append(content)
    prices = SecondLifePrice.objects.filter(is_house_default=True, observed_on__lte=on)
    return Market(
        on=on,
        quotes=latest_quotes(on),
        numbers=parameters(on),
        chemistries={chemistry.code: chemistry for chemistry in Chemistry.objects.all()},
        contents={code: tuple(rows) for code, rows in contents.items()},
        payables=payables(HOUSE, on),
        korean=payables(Convention.KOREA, on),
        second_life={(row.feed, row.grade): row for row in prices.order_by("observed_on")},
        priors=chemistry_priors(),
        factors=emission_factors(),
        gates=reuse_gates(),
        plants=_plants(on),
        lithium_point=lithium_point_on(on),
    )


def facts_of(lot: Lot, *, claim: HealthClaim | None, market: Market) -> Facts:
    """Return what is known of a lot of the site. Evidence that is not believed does not count.

    :param claim: the health claim that counts, of ``lots.queries.best_healths``
    :raises ValueError: if the lot has no mass yet
    """
    if lot.mass_kg is None:
        raise ValueError("A lot without a mass has no value.")
    position = None
    if lot.latitude is not None and lot.longitude is not None:
        position = (float(lot.latitude), float(lot.longitude))
    health = None
    if claim is not None:
        health = Health(claim.value, claim.uncertainty, claim.method != HealthClaim.Method.SAID)
    elif lot.state_of_health is not None:
        health = Health(lot.state_of_health, market.numbers["SAID_HEALTH_SPREAD"], measured=False)
    codes = [code for code in lot.identifiers.all() if not code.doubts]
    made = [str(code.told["made_on"])[:4] for code in codes if code.told.get("made_on")]
    return Facts(
        mass_kg=lot.mass_kg,
        origin=lot.origin,
        chemistry=lot.chemistry_id,
        mass_is_estimated=lot.mass_is_estimated,
        energy_kwh=lot.energy_kwh,
        health=health,
        damaged=lot.triage == Lot.Triage.AMBER,
        made_year=min((int(year) for year in made if year.isdigit()), default=None),
        has_history=bool(lot.passports.all()),
        country=lot.country,
        position=position,
    )


def facts_of_lots(lots: Sequence[Lot], market: Market) -> list[Facts]:
    """Return what is known of many lots, in a handful of queries. Lots come with ``identifiers`` and ``passports``
    prefetched, or a query each."""
    claims = best_healths(lots)
    return [facts_of(lot, claim=claims.get(lot.pk), market=market) for lot in lots]


def inputs_of(facts: Facts, market: Market, *, convention: str = HOUSE) -> rules.Inputs:
    """Return everything that a lot's value is computed from, by one of the two pricing conventions."""
    numbers = market.numbers
    spread = "MASS_SPREAD_ESTIMATED" if facts.mass_is_estimated else "MASS_SPREAD_WEIGHED"
    shares = shares_of(facts, market)
    is_lithium = any(market.chemistries[code].feed in LITHIUM_FEEDS for code in shares)
    shared = min(Decimal(1), facts.mass_kg / numbers["FREIGHT_SHARED_KG"])
    packing = rules.NOTHING
    if is_lithium:
        packing = market.band("DG_PACKING_DAMAGED" if facts.damaged else "DG_PACKING")
    return rules.Inputs(
        mass_kg=Band.around(facts.mass_kg, numbers[spread]),
        makeups=tuple(
            rules.Makeup(market.recipe(code, convention=convention), share)
            for code, share in shares.items()
        ),
        shredding_loss=market.band("SHREDDING_LOSS"),
        trip=rules.Trip(
            base_usd=(numbers["FREIGHT_BASE_USD"] * shared).quantize(Decimal("0.01")),
            usd_per_tkm=market.band("FREIGHT_USD_PER_TKM"),
            km=market.km_to_plants(facts),
            packing_usd_per_kg=packing,
            co2_kg_per_tkm=numbers["CO2_KG_PER_TKM"],
        ),
        moisture=market.band("MOISTURE_BATTERY"),
        damage_cut=numbers["HAIRCUT_DAMAGED" if facts.damaged else "HAIRCUT_INTACT"],
        pack=_pack(facts, market) if len(shares) == 1 else None,
        recover_usd_per_kg=market.band("RECOVER"),
        mass_when_weighed=numbers["MASS_SPREAD_WEIGHED"] if facts.mass_is_estimated else None,
    )


def inputs_at_whole_quotes(facts: Facts, market: Market) -> rules.Inputs:
    """Return the inputs of offers as formulas for a lot: as of its valuation, but with no payables of ours in them."""
    inputs = inputs_of(facts, market)
    makeups = tuple(
        rules.Makeup(market.at_whole_quotes(makeup.recipe.chemistry), makeup.share)
        for makeup in inputs.makeups
    )
    return replace(inputs, makeups=makeups)


def by_the_other_convention(facts: Facts, market: Market) -> rules.Inputs | None:
    """Return the inputs by Korean terms for nickel-cobalt lots: no others were ever quoted there."""
    if facts.chemistry in UNSURE or facts.chemistry is None:
        return None
    if market.chemistries[facts.chemistry].feed != Chemistry.Feed.TERNARY or not market.korean:
        return None
    korean = inputs_of(facts, market, convention=Convention.KOREA)
    return replace(korean, pack=None)


def shares_of(facts: Facts, market: Market) -> Mapping[str, Decimal]:
    """Return what a lot is made of: its chemistry, or what such lots usually are."""
    if facts.chemistry not in UNSURE and facts.chemistry is not None:
        return {facts.chemistry: Decimal(1)}
    shares = market.prior(facts.origin, made_year=facts.made_year, country=facts.country)
    if facts.chemistry is None:
        return shares
    lithium = {
        code: share
        for code, share in shares.items()
        if market.chemistries[code].feed in LITHIUM_FEEDS
    }
    whole = sum(lithium.values(), Decimal(0))
    if not lithium:
        return {"LI_UNKNOWN": Decimal(1)}
    return {code: share / whole for code, share in lithium.items()}


def _pack(facts: Facts, market: Market) -> rules.Pack | None:
    """Return the lot as batteries that may live on, with what bars it; nothing where its kind is not even known."""
    if facts.chemistry in UNSURE or facts.chemistry is None:
        return None
    numbers, chemistry = market.numbers, market.chemistries[facts.chemistry]
    graded = [
        (at, market.second_life.get((chemistry.feed, grade))) for grade, at in MIDDLES.items()
    ]
    spread = numbers["SECOND_LIFE_PRICE_SPREAD"]
    curve = tuple((at, Band.around(row.usd_per_kwh, spread)) for at, row in graded if row)
    gate = market.gates.get(f"CALENDAR_YEARS_{facts.origin}")
    years_left = None
    if facts.made_year is not None and gate is not None:
        years_left = gate.value - (market.on.year - facts.made_year)
    barred = [
        reason
        for reason, applies in (
            (Gate.NO_PRICE, not curve),
            (Gate.NOT_FOR_REUSE, facts.origin in NEVER_REUSED),
            (Gate.DAMAGED, facts.damaged),
            (Gate.TOO_OLD, years_left is not None and years_left <= 0),
        )
        if applies
    ]
    presumed = numbers["SOH_PRIOR"]
    return rules.Pack(
        energy_kwh=_energy(facts, chemistry, market),
        health=None if facts.health is None else _health_band(facts.health),
        presumed_health=Band.around(presumed, numbers["SOH_PRIOR_SPREAD"] / presumed),
        is_tested=facts.health is not None and facts.health.measured,
        curve=curve or ((MIDDLES["C"], rules.NOTHING),),
        least_health=numbers["SECOND_LIFE_MIN_HEALTH"],
        reuse_health=market.gates["MIN_HEALTH_A"].value,
        reuse_premium=numbers["REUSE_PREMIUM"],
        life_factor=rules.life_factor(
            years_left,
            full_years=numbers["SECOND_LIFE_YEARS_PRICED"],
            discount=numbers["SECOND_LIFE_DISCOUNT"],
        ).quantize(Decimal("0.0001")),
        testing_usd_per_kwh=market.band("REUSE_TEST"),
        sorting_usd_per_kwh=market.band("REUSE_SORT"),
        repacking_usd_per_kwh=market.band("REUSE_REPACK"),
        made_kg_per_kwh=market.factor(f"PRODUCTION_{facts.chemistry}"),
        displaces=numbers["DISPLACED_SHARE"],
        barred=tuple(barred),
        reuse_barred=() if facts.has_history else (Gate.NO_HISTORY,),
        source=next((row.source_id for _at, row in graded if row), ""),
    )


def _held(content: ChemistryMaterial) -> Band:
    return Band(content.kg_per_kg_pack_low, content.kg_per_kg_pack, content.kg_per_kg_pack_high)


def _energy(facts: Facts, chemistry: Chemistry, market: Market) -> Band:
    if facts.energy_kwh is not None:
        return Band.around(facts.energy_kwh, market.numbers["MASS_SPREAD_WEIGHED"])
    per_kg = (chemistry.pack_wh_per_kg_low, chemistry.pack_wh_per_kg, chemistry.pack_wh_per_kg_high)
    low, typical, high = ((facts.mass_kg * wh / 1000).quantize(Decimal("0.001")) for wh in per_kg)
    return Band(low, typical, high)


def _health_band(health: Health) -> Band:
    low = max(Decimal(0), health.value - health.uncertainty)
    return Band(low, health.value, health.value + health.uncertainty)


def _plants(on: date) -> tuple[Plant, ...]:
    receiving = Licence.objects.may_open("RECEIVE", on=on).select_related("organisation")
    plants = []
    for licence in receiving.order_by("pk"):
        place = (licence.site_latitude, licence.site_longitude)
        home = (licence.organisation.latitude, licence.organisation.longitude)
        latitude, longitude = place if place[0] is not None else home
        if latitude is not None and longitude is not None:
            position = (float(latitude), float(longitude))
            plants.append(Plant(licence.country, position, frozenset(licence.materials)))
    return tuple(plants)


def lithium_point_on(on: date) -> LithiumPoint | None:
    """Return what a kilogram of lithium in black mass of whole phosphate batteries is paid, by the newest point quoted.

    A point of electrode scrap's black mass is dearer: it is brought down by the ratio of the last day on which a market
    quoted both.
    """
    rows = list(
        LithiumPointQuote.objects.filter(quoted_on__lte=on)
        .exclude(feed_form=LithiumForm.ELECTRODE_SCRAP)
        .order_by("-quoted_on", "feed_form")
    )
    if not rows:
        return None
    newest = rows[0]
    ratio = Decimal(1)
    if newest.feed_form == LithiumForm.ELECTRODE_BLACK_MASS:
        whole = {
            row.quoted_on: row for row in rows if row.feed_form == LithiumForm.BATTERY_BLACK_MASS
        }
        both = next(
            (row for row in rows if row.feed_form == newest.feed_form and row.quoted_on in whole),
            None,
        )
        if both is not None:
            like = whole[both.quoted_on]
            ratio = (like.low + like.high) / (both.low + both.high)
    try:
        per_usd = rate_per_usd(newest.currency, on)
    except RateMissing:
        return None
    low, high = (
        (mark * ratio / 10 / per_usd).quantize(Decimal("0.0001"))
        for mark in (newest.low, newest.high)
    )
    return LithiumPoint(Band(low, (low + high) / 2, high), newest.quoted_on, newest.source_id)


def flags_of(facts: Facts, inputs: rules.Inputs, market: Market) -> list[dict[str, str]]:
    """Return what makes a valuation less certain than it looks."""
    flags: list[dict[str, str]] = []
    if facts.chemistry in UNSURE:
        flags.append({"code": "chemistry_unknown"})
    if facts.mass_is_estimated:
        flags.append({"code": "mass_estimated"})
    if facts.health is not None and not facts.health.measured:
        flags.append({"code": "health_said"})
    if facts.damaged:
        flags.append({"code": "damaged"})
    stale = {
        (metal.material, metal.quoted_on)
        for makeup in inputs.makeups
        for metal in makeup.recipe.metals
        if market.is_stale(date.fromisoformat(metal.quoted_on))
    }
    for material, on in sorted(stale):
        flags.append({"code": "stale_quote", "material": material, "on": on})
    return flags


def oldest_quote_on(inputs: rules.Inputs, market: Market) -> date:
    """Return the day of the oldest quote used; today if none was."""
    used = (metal.quoted_on for makeup in inputs.makeups for metal in makeup.recipe.metals)
    return min((date.fromisoformat(on) for on in used), default=market.on)


def fingerprint(facts: Mapping[str, Any]) -> str:
    """Return the hash of everything that a valuation was computed from."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
