"""How people ask for a price: by what they hold in their hands, in a few words. Pure.

``parse`` reads a text message: a thing, perhaps a kind, and an amount, in English or Indonesian.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that people recognise: where it comes from, and what is in it if that is sure."""

    code: str
    origin: str
    chemistry: str = ""
    """Empty: what such batteries usually are."""
    pack_kind: str = ""
    """In the catalogue of packs: what one of them weighs."""


THINGS = (
    Thing("scooter", "SCOOTER", "", "TWO_WHEELER"),
    Thing("rickshaw", "RICKSHAW", "", "THREE_WHEELER"),
    Thing("car", "CAR", "", "CAR"),
    Thing("starter", "STARTER", "PBA", "STARTER"),
    Thing("inverter", "HOME", "PBA", "STARTER"),
    Thing("phone", "DEVICE", "LCO", "PHONE"),
    Thing("laptop", "DEVICE", "NMC532", "LAPTOP"),
    Thing("tool", "TOOL", "", "TOOL"),
    Thing("home", "HOME", "", "HOME"),
    Thing("telecom", "TELECOM", "", "TELECOM"),
    Thing("bus", "BUS", "", "BUS"),
    Thing("hybrid", "CAR", "NIMH", "CAR"),
)
BY_CODE = {thing.code: thing for thing in THINGS}
KINDS = ("LFP", "NMC622", "LCO", "PBA", "NIMH")
"""Of which a seller can tell one from the other by the letters on the label."""

WORDS = {
    "scooter": "SCOOTER SKUTER EBIKE MOTOR MOTORBIKE SEPEDA BIKE",
    "rickshaw": "RICKSHAW RIKSHAW BECAK BAJAJ TUKTUK BENTOR ERICKSHAW",
    "car": "EV PACK LISTRIK ELECTRIC",
    "starter": "AKI ACCU STARTER CAR MOBIL LEAD TIMBAL TIMAH",
    "inverter": "INVERTER UPS GENSET",
    "phone": "PHONE HP PONSEL HANDPHONE TELEPON CELL POWERBANK",
    "laptop": "LAPTOP NOTEBOOK",
    "tool": "TOOL BOR DRILL PERKAKAS",
    "home": "HOME SOLAR SURYA RUMAH",
    "telecom": "TELECOM TELKOM TOWER MENARA BTS",
    "bus": "BUS BIS TRUCK TRUK",
    "hybrid": "HYBRID HIBRIDA",
}
THING_WORDS = {word: code for code, words in WORDS.items() for word in words.split()}
STRONGER = ("scooter", "rickshaw", "hybrid", "bus", "home", "telecom", "inverter", "car", "starter")
"""If two things are named: "EV CAR" is a car's pack, "AKI MOTOR" is lead whatever it drove."""
KIND_WORDS = {
    "LFP": "LFP",
    "LIFEPO4": "LFP",
    "NMC": "NMC622",
    "LCO": "LCO",
    "LITHIUM": "",
    "LITIUM": "",
    "PB": "PBA",
    "NIMH": "NIMH",
}
PRICE_WORDS = {"en": {"PRICE", "RATE", "WORTH"}, "id": {"HARGA", "BERAPA", "CEK"}}
INDONESIAN = {
    "AKI", "SKUTER", "SEPEDA", "BECAK", "BAJAJ", "BENTOR", "LISTRIK", "MOBIL", "TIMBAL", "TIMAH",
    "PONSEL", "HP", "TELEPON", "BOR", "PERKAKAS", "SURYA", "RUMAH", "MENARA", "TRUK", "HIBRIDA",
    "BUAH", "BIJI", "BTG",
}  # fmt: skip
KG_WORDS = {"KG": Decimal(1), "KILO": Decimal(1), "KGS": Decimal(1), "TON": Decimal(1000)}
PIECE_WORDS = {"PCS", "PC", "PIECES", "UNIT", "UNITS", "BUAH", "BIJI", "BTG"}
MOST_KG = Decimal(100_000)
MOST_PIECES = 100_000
TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[A-Z][A-Z0-9]*")


class Misread(StrEnum):
    """Why a question could not be answered."""

    NONE = ""
    THING = "THING"
    AMOUNT = "AMOUNT"


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks the price of."""

    thing: str = ""
    chemistry: str = ""
    kg: Decimal | None = None
    pieces: int | None = None
    language: str = ""
    misread: Misread = Misread.NONE


def parse(text: str) -> Question:
    """Read a text message.

    >>> parse("HARGA AKI 20")
    Question(thing='starter', chemistry='', kg=Decimal('20'), pieces=None, language='id', misread=<Misread.NONE: ''>)
    >>> question = parse("price scooter lfp 4 pcs")
    >>> question.thing, question.chemistry, question.pieces, question.language
    ('scooter', 'LFP', 4, 'en')
    >>> parse("harga hp 1,5 kg").kg, parse("hp 1.200kg").kg
    (Decimal('1.5'), Decimal('1200'))
    >>> parse("hello").misread, parse("aki -").misread
    (<Misread.THING: 'THING'>, <Misread.NONE: ''>)
    """
    plain = re.sub(r"(\d)\s*(KGS?|KILO|TON|PCS?)\b", r"\1 \2", text.upper()[:160])
    tokens = TOKEN.findall(plain)
    language = _language(tokens)
    named = [THING_WORDS[token] for token in tokens if token in THING_WORDS]
    kinds = [KIND_WORDS[token] for token in tokens if KIND_WORDS.get(token)]
    numbers = [(place, _number(token)) for place, token in enumerate(tokens) if token[0].isdigit()]
    if not named:
        return Question(language=language, misread=Misread.THING)
    thing = _strongest(named, tokens)
    if not numbers:
        return Question(thing, "".join(kinds[:1]), Decimal(1), None, language)
    place, amount = numbers[0]
    unit = tokens[place + 1] if place + 1 < len(tokens) else ""
    if unit in PIECE_WORDS:
        pieces = int(amount)
        if not 0 < pieces <= MOST_PIECES or pieces != amount:
            return Question(language=language, misread=Misread.AMOUNT)
        return Question(thing, "".join(kinds[:1]), None, pieces, language)
    kg = amount * KG_WORDS.get(unit, Decimal(1))
    if not 0 < kg <= MOST_KG:
        return Question(language=language, misread=Misread.AMOUNT)
    return Question(thing, "".join(kinds[:1]), kg, None, language)


def _strongest(named: list[str], tokens: list[str]) -> str:
    if {"AKI", "ACCU", "LEAD", "TIMBAL"} & set(tokens):
        return "inverter" if "inverter" in named else "starter"
    return next((code for code in STRONGER if code in named), named[0])


def _language(tokens: list[str]) -> str:
    for language, words in PRICE_WORDS.items():
        if words & set(tokens):
            return language
    return "id" if INDONESIAN & set(tokens) else ""


def _number(token: str) -> Decimal:
    """Read a number with a decimal point or comma; a point or comma before three digits groups thousands."""
    if re.fullmatch(r"\d{1,3}([.,]\d{3})+", token):
        return Decimal(re.sub(r"[.,]", "", token))
    whole, *rest = re.split(r"[.,]", token)
    return Decimal(whole if not rest else f"{whole}.{rest[0]}")
