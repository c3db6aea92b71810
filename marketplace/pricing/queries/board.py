"""The price board for everybody: what a kilogram of what people recognise is worth today."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from django.utils.translation import gettext as _

from marketplace.core.money import payable
from marketplace.pricing import rules
from marketplace.reference.models import Chemistry, Country
from marketplace.reference.queries import RateMissing, rate_per_usd

from .market import Facts, Market, inputs_of, market_on, oldest_quote_on


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
    return inputs_of(Facts(chemistry=chemistry, mass_kg=Decimal(1000)), market)


@lru_cache(maxsize=64)
def _worth(inputs: rules.Inputs) -> rules.Worth:
    """Remember the board's sums: they change only when a quote does."""
    (worth,) = rules.value_many([inputs], evidence=False)
    return worth
