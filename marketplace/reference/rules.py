"""How prices are written, and what they mean: numbers, units, days, and what cannot be believed. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

SPACES = re.compile(r"[\s\u00a0\u2009\u202f'’]+")
NUMBER = re.compile(r"[+-]?\d[\d.,]*")
UNIT = re.compile(r"\(?\s*([A-Za-z]{3}|US\$|\$|€|¥)\s*(?:/|per\s)\s*([A-Za-z. ]+?)\s*\)?")
MONTH = re.compile(r"(\d{4})(?:M|-|/)(\d{1,2})")
CURRENCIES = {"$": "USD", "US$": "USD", "€": "EUR"}
KG = {
    "kg": Decimal(1),
    "kilogram": Decimal(1),
    "t": Decimal(1000),
    "mt": Decimal(1000),
    "tonne": Decimal(1000),
    "metric ton": Decimal(1000),
    "lb": Decimal("0.45359237"),
    "pound": Decimal("0.45359237"),
    "g": Decimal("0.001"),
}
"""Kilograms in a unit. A bare "ton" is not here: it may be 907, 1000 or 1016 kg."""

BELIEVABLE_USD_PER_KG: Mapping[str, tuple[Decimal, Decimal]] = {
    "Li2CO3": (Decimal(2), Decimal(150)),
    "Ni": (Decimal("0.5"), Decimal(120)),
    "Co": (Decimal(3), Decimal(200)),
    "Mn": (Decimal("0.3"), Decimal(20)),
    "Cu": (Decimal("0.3"), Decimal(40)),
    "Al": (Decimal("0.2"), Decimal(15)),
    "Pb": (Decimal("0.08"), Decimal(15)),
    "Zn": (Decimal("0.1"), Decimal(20)),
    "Sn": (Decimal("0.8"), Decimal(120)),
    "Cd": (Decimal("0.2"), Decimal(40)),
}
"""No price of the last sixty years lies outside, and none will soon: a tonne taken for a kilogram does."""

JUMP = Decimal(2)
JUMP_WITHIN = timedelta(days=45)
"""Of 4,782 monthly steps of six metals since 1960 the largest was 1.79. A pound taken for a kilogram is 2.2."""

ONE = Decimal(1)
MILLIONTH = Decimal("0.000001")
RATE_LIMIT = Decimal(10) ** 10
RATE_KNOWN_FOR = timedelta(days=400)
"""How long a known rate says what the next may be."""


class Unreadable(ValueError):
    """Something that we cannot read, or do not believe: a stable code, and the facts for a sentence."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


def decimal_sign_of(texts: Iterable[str]) -> str:
    """Return which sign parts the fraction in a column of numbers: what one number proves holds for all.

    A lone comma before exactly three digits proves nothing; a lone point is a decimal point unless another number
    shows that commas are.

    :raises Unreadable: ``two_signs`` if two numbers prove different things, ``unclear_sign`` if only
        numbers like 1,234 are there

    >>> decimal_sign_of(["1.234,50", "7"]), decimal_sign_of(["1,234.5", "1,234"]), decimal_sign_of(["12", "3.456"])
    (',', '.', '.')
    """
    proof: dict[str, str] = {}
    unclear = ""
    for text in texts:
        number = SPACES.sub("", text)
        sign = _proved(number)
        if sign:
            proof.setdefault(sign, text.strip())
        elif "," in number:
            unclear = text.strip()
    if len(proof) == 2:
        raise Unreadable("two_signs", one=proof["."], other=proof[","])
    if proof:
        return next(iter(proof))
    if unclear:
        raise Unreadable("unclear_sign", text=unclear)
    return "."


def _proved(number: str) -> str:
    """Return the decimal sign that a number proves, or nothing."""
    commas, points = number.count(","), number.count(".")
    if commas and points:
        return "," if number.rindex(",") > number.rindex(".") else "."
    if commas > 1:
        return "."
    if points > 1:
        return ","
    if commas and len(number) - number.index(",") != 4:
        return ","
    if points and len(number) - number.index(".") != 4:
        return "."
    return ""


def number_of(text: str, sign: str = ".") -> Decimal:
    """Return a number as people write it: with thousands parted by points, commas, spaces or not at all.

    :param sign: what parts the fraction
    :raises Unreadable: ``not_a_number``

    >>> number_of("1.234,5", ","), number_of("16 300"), number_of("1,234,567.8")
    (Decimal('1234.5'), Decimal('16300'), Decimal('1234567.8'))
    """
    number = SPACES.sub("", text)
    if not NUMBER.fullmatch(number):
        raise Unreadable("not_a_number", text=text.strip())
    other = "," if sign == "." else "."
    whole, _sign, fraction = number.partition(sign)
    groups = whole.lstrip("+-").split(other)
    well_grouped = len(groups) == 1 or (
        1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
    )
    if not well_grouped or other in fraction or sign in fraction:
        raise Unreadable("not_a_number", text=text.strip())
    try:
        return Decimal(
            f"{whole.replace(other, '')}.{fraction or '0'}"
            if fraction
            else whole.replace(other, "")
        )
    except InvalidOperation:
        raise Unreadable("not_a_number", text=text.strip()) from None


def unit_of(text: str) -> tuple[str, Decimal]:
    """Return the currency and the kilograms of a unit such as ``USD/t``, ``$/mt`` or ``CNY per tonne``.

    :raises Unreadable: ``unknown_unit``

    >>> unit_of("USD/t"), unit_of("($/mt)"), unit_of("CNY per tonne")
    (('USD', Decimal('1000')), ('USD', Decimal('1000')), ('CNY', Decimal('1000')))
    """
    found = UNIT.fullmatch(text.strip())
    kg = KG.get(" ".join(found[2].lower().rstrip(".").split())) if found else None
    if found is None or kg is None or found[1] == "¥":
        raise Unreadable("unknown_unit", text=text.strip())
    return CURRENCIES.get(found[1], found[1].upper()), kg


def usd_per_kg(price: Decimal, *, kg: Decimal, per_usd: Decimal) -> Decimal:
    """Return a price in US dollars per kilogram, to six decimals, as it is kept.

    :param kg: kilograms that the price is for
    :param per_usd: units of its currency that a dollar buys
    :raises Unreadable: ``not_positive``

    >>> usd_per_kg(Decimal(86450), kg=Decimal(1000), per_usd=Decimal("7.1"))
    Decimal('12.176056')
    """
    if price <= 0:
        raise Unreadable("not_positive", text=price)
    return (price / kg / per_usd).quantize(Decimal("0.000001"))


def day_of(text: str) -> date:
    """Return a day: ISO, or the last of a month written ``2026-05``, ``2026M05`` or ``2026/5``.

    :raises Unreadable: ``not_a_day``

    >>> day_of("2024-02-29"), day_of("2026M12")
    (datetime.date(2024, 2, 29), datetime.date(2026, 12, 31))
    """
    text = text.strip()
    try:
        month = MONTH.fullmatch(text)
        if month:
            return last_day(int(month[1]), int(month[2]))
        return date.fromisoformat(text)
    except ValueError:
        raise Unreadable("not_a_day", text=text) from None


def last_day(year: int, month: int) -> date:
    """Return the last day of a month.

    :raises ValueError: if there is no such month
    """
    date(year, month, 1)
    following = date(year + month // 12, month % 12 + 1, 1)
    return following - timedelta(days=1)


def months_missing(days: Iterable[date]) -> list[str]:
    """Return the months between the first and the last that no day falls into.

    >>> months_missing([date(2026, 1, 31), date(2026, 4, 30)])
    ['2026-02', '2026-03']
    """
    there = {(day.year, day.month) for day in days}
    if not there:
        return []
    (year, month), end = min(there), max(there)
    missing = []
    while (year, month) < end:
        if (year, month) not in there:
            missing.append(f"{year}-{month:02}")
        year, month = (year + month // 12, month % 12 + 1)
    return missing


def believe(
    material: str, price: Decimal, on: date, before: tuple[date, Decimal] | None = None
) -> None:
    """Let a price pass that can be so.

    :param price: in USD/kg
    :param before: the newest price known before that day
    :raises Unreadable: ``not_believed`` or ``jump``, with the unit that it may really be in

    >>> believe("Cu", Decimal("9.8"), date(2026, 5, 31))
    """
    low, high = BELIEVABLE_USD_PER_KG.get(material, (Decimal(0), Decimal("Infinity")))
    if not low <= price <= high:
        fits = next((unit for unit in ("t", "g") if low <= price / KG[unit] <= high), "")
        raise Unreadable("not_believed", price=price, low=low, high=high, unit=fits)
    if before is None or not timedelta(0) <= on - before[0] <= JUMP_WITHIN:
        return
    times = max(price / before[1], before[1] / price)
    if times >= JUMP:
        raise Unreadable("jump", price=price, was=before[1], on=before[0], times=round(times, 1))


WRONG_WAY_ROUND = Decimal(10)
"""No currency that we know moved tenfold within weeks but by a reform; one written the other way round does."""


def currency_of(text: str) -> str:
    """Return the code of a currency other than the dollar.

    :raises Unreadable: ``unknown_currency``

    >>> currency_of("idr")
    'IDR'
    """
    code = text.strip().upper()
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise Unreadable("unknown_currency", text=text.strip())
    return code


def per_usd_of(rate: Decimal, *, is_in_usd: bool) -> Decimal:
    """Return units for one US dollar, to six decimals, of a rate written either way round.

    :raises Unreadable: ``not_positive``; ``rate_unheard`` if no currency is worth so much or little

    >>> per_usd_of(Decimal("1.25"), is_in_usd=True), per_usd_of(Decimal("16500.5"), is_in_usd=False)
    (Decimal('0.800000'), Decimal('16500.500000'))
    """
    if rate <= 0:
        raise Unreadable("not_positive", text=rate)
    per_usd = (ONE / rate if is_in_usd else rate).quantize(MILLIONTH)
    if not MILLIONTH <= per_usd < RATE_LIMIT or rate >= RATE_LIMIT or rate < MILLIONTH:
        raise Unreadable("rate_unheard", text=rate)
    return per_usd


def believe_rate(
    currency: str, per_usd: Decimal, on: date, before: tuple[date, Decimal] | None
) -> None:
    """Let an exchange rate pass that can be so.

    :param per_usd: units for one US dollar
    :param before: the newest rate known before that day
    :raises Unreadable: ``rate_jump`` or, if its inverse fits better, ``wrong_way_round``

    >>> believe_rate("IDR", Decimal(16500), date(2026, 11, 20), (date(2026, 11, 2), Decimal(16300)))
    """
    if before is None or not timedelta(0) <= on - before[0] <= RATE_KNOWN_FOR:
        return
    was = before[1]
    times = max(per_usd / was, was / per_usd)
    if times < WRONG_WAY_ROUND:
        return
    turned = ONE / per_usd
    around = max(turned / was, was / turned) < WRONG_WAY_ROUND
    code = "wrong_way_round" if around else "rate_jump"
    raise Unreadable(
        code,
        rate=f"{per_usd.normalize():f}",
        currency=currency,
        was=f"{was.normalize():f}",
        on=before[0],
    )


def rates_per_usd(per_euro: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Turn euro reference rates into units per US dollar, to six decimals, the euro among them.

    :param per_euro: currency -> units that a euro buys
    :raises Unreadable: ``no_dollar`` if the dollar is not among them, ``not_positive``

    >>> rates_per_usd({"USD": Decimal("1.25"), "INR": Decimal(100)})
    {'EUR': Decimal('0.800000'), 'INR': Decimal('80.000000')}
    """
    for currency, rate in per_euro.items():
        if rate <= 0:
            raise Unreadable("not_positive", text=f"{currency} {rate}")
    if "USD" not in per_euro:
        raise Unreadable("no_dollar")
    dollar = per_euro["USD"]
    six = Decimal("0.000001")
    turned = {"EUR": (1 / dollar).quantize(six)}
    turned |= {
        currency: (rate / dollar).quantize(six)
        for currency, rate in per_euro.items()
        if currency != "USD"
    }
    return turned
