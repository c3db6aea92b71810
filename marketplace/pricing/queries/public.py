"""What the public is told about prices: today's board with its trend and index, a price for a few answers, calibration.

All of it may be read by anybody, so all of it hides single deals: counts are steps, prices have three digits.
What is asked for on every page is kept in the cache for some minutes.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

from django.core.cache import cache
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from marketplace.core.errors import Refused
from marketplace.core.money import minor_unit, payable
from marketplace.lots.queries import GraderScore, grader_scores
from marketplace.pricing import rules
from marketplace.pricing.models import IndexValue, SettledPrice
from marketplace.pricing.rules import asking, calibration
from marketplace.pricing.rules.index import Group, at_least, rough_kg, rounded
from marketplace.reference.models import Chemistry, Country, MetalQuote, PackModel, Source
from marketplace.reference.queries import Quote, RateMissing, parameter, rate_per_usd

from .board import BOARD, price_board
from .index import LINE_FORMS, group_of
from .market import Facts, Market, flags_of, inputs_of, lithium_point_on, market_on, oldest_quote_on
from .reading import EVIDENCE, TELLING

LICENCE = "CC-BY-4.0"
LICENCE_URL = "https://creativecommons.org/licenses/by/4.0/"
KEPT_SECONDS = 600
TREND_SECONDS = 26 * 3600
TREND_MONTHS = 24
A_TONNE = Decimal(1000)
MOST_MOVED = Decimal(3)
INDEX_DAYS = 400
CALIBRATION_DAYS = 730

LINE_ICONS = {
    "scooter-lfp": "motorbike",
    "car-nmc": "car-front",
    "laptop-nmc": "drill",
    "phone-lco": "smartphone",
    "lead-acid": "car-battery",
    "nimh": "car-front",
}


class PriceUnknown(Refused):
    code = "price_unknown"


@dataclass(frozen=True, slots=True)
class Point:
    """One day of a line, in the reader's money."""

    on: date
    value: Decimal
    is_inferred: bool = False


@dataclass(frozen=True, slots=True)
class Paid:
    """What was really paid for a kilogram lately, as the index says it."""

    value: Decimal
    on: date
    form: str
    """Empty: of batteries of this chemistry in any form."""
    country: str
    """Empty: in all countries."""
    is_inferred: bool
    deals: int
    kg: Decimal
    revision: int


@dataclass(frozen=True, slots=True)
class Line:
    """Something that people recognise: what a kilogram of it is worth today, how that came, and what was paid."""

    code: str
    name: str
    icon: str
    form: str
    chemistry: Chemistry
    low: Decimal
    typical: Decimal
    high: Decimal
    currency: str
    quotes_on: date
    is_stale: bool
    paid: Paid | None
    trend: tuple[Point, ...]
    paid_lately: tuple[Point, ...]

    @property
    def may_cost(self) -> bool:
        """Whether somebody may have to pay to be rid of it."""
        return self.low < 0

    @property
    def moved(self) -> Decimal | None:
        """What the typical value moved by in a year, as a share; nothing where a ratio says nothing."""
        before = [point for point in self.trend if (self.trend[-1].on - point.on).days >= 360]
        if not before or before[-1].value <= 0 or self.trend[-1].value <= 0:
            return None
        share = self.trend[-1].value / before[-1].value - 1
        return share if share <= MOST_MOVED else None


@dataclass(frozen=True, slots=True)
class Metal:
    """The newest quote of a metal, and its prices month by month."""

    quote: MetalQuote
    is_stale: bool
    course: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """Everything on the price board of a country."""

    on: date
    country: str
    currency: str
    lines: tuple[Line, ...]
    metals: tuple[Metal, ...]
    countries: tuple[str, ...]
    sources: tuple[Source, ...]
    index_on: date | None

    @property
    def stale(self) -> tuple[Metal, ...]:
        return tuple(metal for metal in self.metals if metal.is_stale)

    @property
    def quotes_on(self) -> date | None:
        """The newest quote of all."""
        return max((metal.quote.quoted_on for metal in self.metals), default=None)


def board(*, on: date, country: str = "") -> Board:
    """Return the price board, as it was some minutes ago at most. Before reference data is loaded it is empty.

    :param country: two letters; its money is used if it is known, else US dollars
    """
    key = f"prices.board:{on}:{country}:{get_language()}"
    kept: Board | None = cache.get(key)
    if kept is None:
        kept = _board(on, country)
        cache.set(key, kept, KEPT_SECONDS)
    return kept


def _board(on: date, country: str) -> Board:
    lines = price_board(on=on, country=country)
    currency = lines[0].currency if lines else "USD"
    metals = _metals(on)
    histories = trends(on)
    indexed = _indexed(on)
    try:
        per_usd = rate_per_usd(currency, on)
    except RateMissing:  # the board itself fell back to dollars
        per_usd = Decimal(1)
    fresh_days = int(parameter("QUOTE_FRESH_DAYS", on)) if lines else 0
    made = []
    for line in lines:
        form = LINE_FORMS.get(line.code, "")
        rows = _nearest(indexed, line.chemistry.letters, form, country)
        history = [
            Point(day, in_money(usd * per_usd, currency))
            for day, usd in histories.get(line.code, ())
        ]
        made.append(
            Line(
                code=line.code,
                name=line.name,
                icon=LINE_ICONS.get(line.code, "battery"),
                form=form,
                chemistry=line.chemistry,
                low=in_money(line.low, currency),
                typical=in_money(line.typical, currency),
                high=in_money(line.high, currency),
                currency=currency,
                quotes_on=line.quotes_on,
                is_stale=(on - line.quotes_on).days > fresh_days,
                paid=_paid(rows[-1], per_usd, currency) if rows else None,
                trend=(*history, Point(on, in_money(line.typical, currency))),
                paid_lately=tuple(
                    Point(
                        row.on,
                        in_money(rounded(row.usd_per_kg or Decimal(0)) * per_usd, currency),
                        row.basis == IndexValue.Basis.INFERRED,
                    )
                    for row in rows
                ),
            )
        )
    used = {metal.quote.source_id for metal in metals}
    return Board(
        on=on,
        country=country,
        currency=currency,
        lines=tuple(made),
        metals=metals,
        countries=tuple(Country.objects.order_by("code").values_list("code", flat=True)),
        sources=tuple(Source.objects.filter(pk__in=used)),
        index_on=max((rows[-1].on for rows in indexed.values() if rows), default=None),
    )


def trends(on: date) -> Mapping[str, Sequence[tuple[date, Decimal]]]:
    """Return what each line was worth at the quotes of the last months' ends, in USD a kilogram, by the sum of today.

    It is kept for a day; the job that publishes the index fills it at night.
    """
    key = f"prices.trend:{on}"
    kept: dict[str, list[tuple[date, Decimal]]] | None = cache.get(key)
    if kept is None:
        kept = _trends(on)
        cache.set(key, kept, TREND_SECONDS)
    return kept


def _trends(on: date) -> dict[str, list[tuple[date, Decimal]]]:
    today = market_on(on)
    lines = [(code, kind) for code, kind, _name in BOARD if kind in today.chemistries]
    asked = [
        (code, day, inputs_of(Facts(mass_kg=A_TONNE, chemistry=kind), market))
        for day, market in _markets(today)
        for code, kind in lines
    ]
    worths = rules.value_many([inputs for _code, _day, inputs in asked], evidence=False)
    found: defaultdict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    for (code, day, _inputs), worth in zip(asked, worths, strict=True):
        found[code].append((day, worth.typical / A_TONNE))
    return dict(found)


def _markets(today: Market) -> Iterator[tuple[date, Market]]:
    """Yield the market of today with the quotes of past months, as far back as metals were quoted."""
    quotes = list(MetalQuote.objects.order_by("quoted_on", "pk"))
    for day in months_before(today.on, TREND_MONTHS):
        known = {
            row.material: Quote(
                row.material,
                row.price_usd_per_kg,
                row.quoted_on,
                row.kind,
                row.source_id,
                row.confidence,
            )
            for row in quotes
            if row.quoted_on <= day
        }
        if known.keys() == today.quotes.keys():
            point = lithium_point_on(day)
            yield day, replace(today, on=day, quotes=known, lithium_point=point, _recipes={})


def months_before(on: date, number: int) -> list[date]:
    """Return the last days of so many months before a day, oldest first.

    >>> months_before(date(2026, 3, 15), 3)
    [datetime.date(2025, 12, 31), datetime.date(2026, 1, 31), datetime.date(2026, 2, 28)]
    """
    days = []
    for _month in range(number):
        on = on.replace(day=1) - timedelta(days=1)
        days.append(on)
    return days[::-1]


def in_money(amount: Decimal, currency: str) -> Decimal:
    """Return an amount with three digits that count, or to what can be paid if that is coarser.

    >>> in_money(Decimal("61234.5"), "IDR"), in_money(Decimal("3.14159"), "USD"), in_money(Decimal("0.017"), "USD")
    (Decimal('61200.00'), Decimal('3.14'), Decimal('0.02'))
    """
    return payable(rounded(amount), currency) if abs(amount) >= minor_unit(currency) else Decimal(0)


def _metals(on: date) -> tuple[Metal, ...]:
    courses: dict[str, list[MetalQuote]] = {}
    quotes = MetalQuote.objects.filter(quoted_on__lte=on).select_related("source")
    for quote in quotes.order_by("quoted_on", "pk"):
        courses.setdefault(quote.material, []).append(quote)
    if not courses:
        return ()
    fresh_days = int(parameter("QUOTE_FRESH_DAYS", on))
    metals = [
        Metal(
            rows[-1],
            (on - rows[-1].quoted_on).days > fresh_days,
            tuple(row.price_usd_per_kg for row in rows),
        )
        for rows in courses.values()
    ]
    return tuple(sorted(metals, key=lambda metal: metal.quote.get_material_display()))


def _indexed(on: date) -> Mapping[Group, list[IndexValue]]:
    """Return what is published, by group, oldest first, the last revision of each day."""
    found: defaultdict[Group, list[IndexValue]] = defaultdict(list)
    first = on - timedelta(days=INDEX_DAYS)
    for row in IndexValue.objects.filter(on__range=(first, on)).current():
        if row.usd_per_kg is None:
            continue
        found[group_of(row)].insert(0, row)
    return found


def _nearest(
    indexed: Mapping[Group, list[IndexValue]], letters: str, form: str, country: str
) -> list[IndexValue]:
    """Return the narrowest index that rests on deals; if none does, the inferred one of the line."""
    narrowest = [
        Group(letters, form, country),
        Group(letters, form),
        Group(letters, "", country),
        Group(letters),
    ]
    found = [indexed[group] for group in dict.fromkeys(narrowest) if group in indexed]
    real = [rows for rows in found if rows[-1].basis == IndexValue.Basis.SETTLED]
    return next(iter(real or found), [])


def _paid(row: IndexValue, per_usd: Decimal, currency: str) -> Paid:
    return Paid(
        value=in_money(rounded(row.usd_per_kg or Decimal(0)) * per_usd, currency),
        on=row.on,
        form=row.form,
        country=row.country,
        is_inferred=row.basis == IndexValue.Basis.INFERRED,
        deals=at_least(row.deals),
        kg=rough_kg(row.kg) if at_least(row.deals) else Decimal(0),
        revision=row.revision,
    )


# --- the index as open data ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Published:
    """One value of the index as it may be taken away."""

    on: date
    chemistry: str
    form: str
    country: str
    usd_per_kg: Decimal | None
    basis: str
    gap: str
    deals_at_least: int
    kg_at_least: Decimal
    method_version: str
    revision: int
    reason: str
    said: str


def published_index(*, on: date, days: int = 90, all_revisions: bool = False) -> list[Published]:
    """Return the index of the last days, newest first. Counts are steps, and nothing is counted below five."""
    rows = IndexValue.objects.filter(on__range=(on - timedelta(days=days), on))
    if not all_revisions:
        rows = rows.current()
    found = [
        Published(
            on=row.on,
            chemistry=row.chemistry,
            form=row.form,
            country=row.country,
            usd_per_kg=None if row.usd_per_kg is None else rounded(row.usd_per_kg),
            basis=row.basis,
            gap=row.gap,
            deals_at_least=at_least(row.deals),
            kg_at_least=rough_kg(row.kg) if at_least(row.deals) else Decimal(0),
            method_version=row.method_version,
            revision=row.revision,
            reason=row.reason,
            said=row.said,
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.on, one.chemistry, one.form, one.country))[::-1]


def revisions(*, limit: int = 20) -> list[IndexValue]:
    """Return the last corrections of the index."""
    return list(IndexValue.objects.filter(revision__gt=1).order_by("-published_at", "-pk")[:limit])


# --- check my price -----------------------------------------------------------------------------------


THING_NAMES: Mapping[str, Callable[[], str]] = {
    "scooter": lambda: _("Scooter pack"),
    "rickshaw": lambda: _("Rickshaw pack"),
    "car": lambda: _("Electric car pack"),
    "starter": lambda: _("Car battery, lead"),
    "inverter": lambda: _("Inverter battery, lead"),
    "phone": lambda: _("Phone batteries"),
    "laptop": lambda: _("Laptop batteries"),
    "tool": lambda: _("Power tool batteries"),
    "home": lambda: _("Home or solar pack"),
    "telecom": lambda: _("Telecom pack"),
    "bus": lambda: _("Bus or truck pack"),
    "hybrid": lambda: _("Hybrid car battery"),
}
THING_ICONS = {
    "scooter": "motorbike",
    "rickshaw": "rickshaw",
    "car": "car-front",
    "starter": "car-battery",
    "inverter": "battery-charging",
    "phone": "smartphone",
    "laptop": "monitor",
    "tool": "drill",
    "home": "house",
    "telecom": "radio-tower",
    "bus": "bus",
    "hybrid": "leaf",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What somebody's batteries are worth, for a few answers. Amounts are for all of it."""

    thing: asking.Thing
    name: str
    chemistry: Chemistry | None
    kg: Decimal
    pieces: int | None
    country: str
    currency: str
    low: Decimal
    typical: Decimal
    high: Decimal
    route: str
    narrows: tuple[tuple[str, Decimal], ...]
    """What would narrow the range, and by which share of it."""
    quotes_on: date
    stale: tuple[str, ...]

    @property
    def costs(self) -> bool:
        """Whether one surely has to pay to be rid of it."""
        return self.high <= 0

    @property
    def may_cost(self) -> bool:
        return self.low < 0 < self.high


def estimate(
    thing: str,
    *,
    on: date,
    kg: Decimal | None = None,
    pieces: int | None = None,
    chemistry: str = "",
    country: str = "",
) -> Estimate:
    """Return what so many kilograms or pieces of a thing are worth today, undamaged, where they lie.

    :param thing: a code of ``asking.THINGS``
    :raises PriceUnknown: if the thing, the kind or the amount makes no sense, or nothing has been loaded yet
    """
    found = asking.BY_CODE.get(thing)
    if found is None:
        raise PriceUnknown(_("Choose what the batteries came from."), field="thing")
    if (kg is None) == (pieces is None):
        raise PriceUnknown(_("Write how many kilograms, or how many pieces."), field="kg")
    market = market_on(on)
    kind = chemistry or found.chemistry
    if not market.chemistries:
        raise PriceUnknown(_("No prices have been loaded yet."))
    if kind and kind not in market.chemistries:
        raise PriceUnknown(_("Choose the kind, or “I do not know”."), field="chemistry")
    mass = kg if kg is not None else _mass_of_pieces(found, kind, pieces or 0)
    if not 0 < mass <= asking.MOST_KG:
        field = "pieces" if kg is None else "kg"
        raise PriceUnknown(_("Write a weight between 0 and 100,000 kg."), field=field)
    facts = Facts(
        mass_kg=mass,
        origin=found.origin,
        chemistry=kind or None,
        mass_is_estimated=kg is None,
        country=country,
    )
    inputs = inputs_of(facts, market)
    (worth,) = rules.value_many([inputs])
    currency = (
        Country.objects.filter(code=country).values_list("currency", flat=True).first() or "USD"
    )
    try:
        per_usd = rate_per_usd(currency, on)
    except RateMissing:
        currency, per_usd = "USD", Decimal(1)
    telling = [answer for answer in worth.evidence if answer.narrows >= TELLING]
    return Estimate(
        thing=found,
        name=THING_NAMES[thing](),
        chemistry=market.chemistries.get(kind),
        kg=mass,
        pieces=pieces,
        country=country,
        currency=currency,
        low=in_money(worth.low * per_usd, currency),
        typical=in_money(worth.typical * per_usd, currency),
        high=in_money(worth.high * per_usd, currency),
        route=worth.route.value,
        narrows=tuple(
            (EVIDENCE[answer.code](), answer.narrows)
            for answer in sorted(telling, key=lambda answer: -answer.narrows)
        ),
        quotes_on=oldest_quote_on(inputs, market),
        stale=tuple(
            flag["material"]
            for flag in flags_of(facts, inputs, market)
            if flag["code"] == "stale_quote"
        ),
    )


def _mass_of_pieces(thing: asking.Thing, kind: str, pieces: int) -> Decimal:
    """Return what so many pieces weigh: as many as the middle one of the catalogue."""
    packs = PackModel.objects.filter(kind=thing.pack_kind)
    of_kind = packs.filter(chemistry=kind) if kind else packs
    masses = list(of_kind.values_list("mass_kg", flat=True)) or list(
        packs.values_list("mass_kg", flat=True)
    )
    if not masses:
        raise PriceUnknown(_("We do not know what one weighs. Write kilograms."), field="kg")
    return (median(masses) * pieces).quantize(Decimal("0.001"))


# --- calibration --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bucket:
    """How well our ranges held for some part of the market."""

    code: str
    score: calibration.Score


@dataclass(frozen=True, slots=True)
class Calibration:
    """What we said against what was paid."""

    first: date
    on: date
    whole: calibration.Score | None
    by_chemistry: tuple[Bucket, ...]
    by_country: tuple[Bucket, ...]
    dots: tuple[calibration.Dot, ...]
    graders: tuple[GraderScore, ...]


def calibration_on(on: date) -> Calibration:
    """Return how our ranges held against the deals of the last two years, as it was some minutes ago at most."""
    key = f"prices.calibration:{on}"
    kept: Calibration | None = cache.get(key)
    if kept is None:
        kept = _calibration(on)
        cache.set(key, kept, KEPT_SECONDS)
    return kept


def _calibration(on: date) -> Calibration:
    first = on - timedelta(days=CALIBRATION_DAYS)
    rows = SettledPrice.objects.counting().filter(
        settled_on__range=(first, on), predicted_typical__isnull=False
    )
    whole: list[calibration.Prediction] = []
    chemistries: defaultdict[str, list[calibration.Prediction]] = defaultdict(list)
    countries: defaultdict[str, list[calibration.Prediction]] = defaultdict(list)
    for row in rows.order_by("pk"):
        if row.seller_party == row.buyer_party or row.predicted_typical is None:
            continue
        said = calibration.Prediction(
            low=row.predicted_low or Decimal(0),
            typical=row.predicted_typical,
            high=row.predicted_high or Decimal(0),
            settled=row.usd_per_kg or Decimal(0),
            seller=row.seller_party,
        )
        whole.append(said)
        chemistries[row.letters].append(said)
        countries[row.country].append(said)
    graders = (score for score in grader_scores() if score.score.typically is not None)
    return Calibration(
        first=first,
        on=on,
        whole=_told(whole),
        by_chemistry=_buckets(chemistries),
        by_country=_buckets(countries),
        dots=tuple(calibration.dots(whole)),
        graders=tuple(graders),
    )


def _buckets(parts: Mapping[str, Sequence[calibration.Prediction]]) -> tuple[Bucket, ...]:
    scored = [(code, _told(said)) for code, said in sorted(parts.items())]
    return tuple(Bucket(code, score) for code, score in scored if score is not None)


def _told(said: Sequence[calibration.Prediction]) -> calibration.Score | None:
    score = calibration.score(said)
    return None if score is None else calibration.published(score)
