"""Codes that stand on batteries: what kind each is, what it truly says, and what about it is not believed.

A code is read leniently and believed carefully. Whatever is no code of a known kind is a maker's serial number.

:source: GB/T 34014-2017 as read from filed codes and vendors' forms; India's draft guidelines for the Battery Pack
    Aadhaar Number, 30 December 2025; GS1 Digital Link URI syntax 1.2; Regulation (EU) 2023/1542, Article 77
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from urllib.parse import SplitResult, unquote, urlsplit

LONGEST = 500
"""Letters of a code, as its column has room for."""
UNIQUE_SERIAL = 8
"""A serial number of so many letters is hardly another maker's too."""
PUBLIC_FACTS = frozenset({"product", "chemistry", "made_on"})
"""What of a code anybody may read; the rest would let a stranger put the code together."""


class Scheme(StrEnum):
    SERIAL = "SERIAL"
    GBT34014 = "GBT34014"
    BPAN = "BPAN"
    EU_PASSPORT = "EU_PASSPORT"
    GS1 = "GS1"


class Doubt(StrEnum):
    """Why something about a code is not believed. Kept with it, and said in words on its page."""

    LOOKS_LIKE_GBT = "looks_like_gbt34014"
    LETTERS_BREAK_THE_RULE = "letters_break_the_rule"
    CHEMISTRY_LETTER_UNVERIFIED = "chemistry_letter_unverified"
    DATE_UNREADABLE = "date_unreadable"
    MADE_IN_THE_FUTURE = "made_in_the_future"
    REUSED_PRODUCT = "reused_product"
    DRAFT_STANDARD = "draft_standard"
    CHECK_DIGIT_WRONG = "check_digit_wrong"
    NO_SINGLE_UNIT = "no_single_unit"
    NOT_ENCRYPTED = "address_not_encrypted"
    CHEMISTRY_CONTRADICTS_CODE = "chemistry_contradicts_code"
    CODE_ON_ANOTHER_LOT = "code_on_another_lot"


class NotACode(ValueError):
    """Nothing that could stand on a battery: empty, or longer than any code."""


@dataclass(frozen=True, slots=True)
class Identified:
    """A code, its kind, the facts in it, and what about it is doubtful.

    :param value: as it is kept and compared: two spellings of one code have one value
    :param names_one_unit: whether no second thing should carry it
    """

    scheme: Scheme
    value: str
    told: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    names_one_unit: bool = True


def identify(text: str, *, today: date | None = None) -> Identified:
    """Return what a code is and says, typed or scanned, in any case and spacing.

    :param today: makes a date of manufacture after it doubtful
    :raises NotACode: if nothing is there, or far too much

    >>> identify("02lcc0210 0101a-87y0052124").told["made_on"]
    '2018-07-31'
    >>> identify("MY008A6FKKKLC1DH80001").scheme
    <Scheme.BPAN: 'BPAN'>
    >>> identify("https://a.example/x/01/9506000134352/21/7%2F1?y=2").value
    'https://id.gs1.org/01/09506000134352/21/7%2F1'
    """
    seen = tidy(text)
    if not seen:
        raise NotACode("empty")
    if len(seen) > LONGEST:
        raise NotACode("too_long")
    code = (
        _gs1(seen)
        or _passport(seen)
        or _gbt34014(seen, today)
        or _bpan(seen, today)
        or _serial(seen)
    )
    if len(code.value) > LONGEST:  # written out, an address may be longer than it was typed
        raise NotACode("too_long")
    return code


def tidy(text: str) -> str:
    """Return a code without what scanners and keyboards add: control letters, wide digits, outer and double spaces.

    >>> tidy("  ＡＢ 12\\x1d ")
    'AB 12'
    """
    wide = unicodedata.normalize("NFKC", text)
    shown = "".join(
        " " if letter.isspace() else letter
        for letter in wide
        if letter.isspace() or unicodedata.category(letter)[0] != "C"
    )
    return " ".join(shown.split())


def masked(value: str) -> str:
    """Return a code of which only the end can be read.

    >>> masked("02LCC02100101A87Y0052124")
    '••••2124'
    """
    return "••••" + (value[-4:] if len(value) >= 8 else "")


# --- GB/T 34014-2017: 24 letters ------------------------------------------------------------------

GBT_STRICT = re.compile(r"[0-9A-Z]{3}[PMC][A-GZ][0-9A-Z]{19}")
"""Length, product and battery type; makers file codes that break the other rules."""
GBT_RULE = re.compile(
    r"[0-9A-HJ-NPR-TV-Z]{3}[PMC][A-GZ][0-9A-Z]{2}[0-9A-Z]{7}"
    r"[0-9A-HJ-NPR-TV-Y][1-9A-C][0-9A-HJ-NPR-TV-Y][0-9]{7}"
)
GBT_REUSED = re.compile(r"[0-9A-Z]{3}[PMC][A-GZ][0-9A-Z]{2}[1-9A-HJ-NPR-TV-Y][1-9A-C]\w[0-9]{7}")
"""A reused product's code has no traceability part; its first code must be kept beside it."""
GBT_PRODUCTS = {"P": "PACK", "M": "MODULE", "C": "CELL"}
GBT_CHEMISTRIES = {"B": "LFP", "E": "TERNARY"}
"""The only letters that were found true; a cell with C (manganese) was sold as NMC."""
GBT_LETTERS = {
    "A": "NIMH",
    "B": "LFP",
    "C": "LMO",
    "D": "LCO",
    "E": "TERNARY",
    "F": "SUPERCAPACITOR",
    "G": "LTO",
    "Z": "OTHER",
}
GBT_ALPHABET = "ABCDEFGHJKLMNPRSTVWXY"
"""Without I, O, Q, U, Z: they look like digits, or like each other."""
GBT_MAKERS = {"001": "CATL"}


def _gbt34014(seen: str, today: date | None) -> Identified | None:
    code = _pressed(seen)
    if len(code) == 17 and GBT_REUSED.fullmatch(code):
        made = _day_of(_gbt_year(code[7]), _nth(code[8]), _gbt_day(code[9]))
        if made is not None and (today is None or made <= today):
            return Identified(
                Scheme.GBT34014,
                code,
                {
                    "maker_code": code[:3],
                    "product": GBT_PRODUCTS[code[3]],
                    "made_on": made.isoformat(),
                    "serial": code[10:],
                },
                (Doubt.REUSED_PRODUCT,),
            )
    if not GBT_STRICT.fullmatch(code):
        return None
    told = {"maker_code": code[:3], "product": GBT_PRODUCTS[code[3]], "type_letter": code[4]}
    if code[:3] in GBT_MAKERS:
        told["maker"] = GBT_MAKERS[code[:3]]
    doubts = []
    if code[4] in GBT_CHEMISTRIES:
        told["chemistry"] = GBT_CHEMISTRIES[code[4]]
    else:
        doubts.append(Doubt.CHEMISTRY_LETTER_UNVERIFIED)
    if not GBT_RULE.fullmatch(code):
        doubts.append(Doubt.LETTERS_BREAK_THE_RULE)
    made = _day_of(_gbt_year(code[14]), _nth(code[15]), _gbt_day(code[16]))
    doubts += _keep_date(told, made, today)
    told |= {"specification": code[5:7], "traceability": code[7:14], "serial": code[17:]}
    return Identified(Scheme.GBT34014, code, told, tuple(doubts))


def _gbt_year(letter: str) -> int | None:
    if letter in "123456789":
        return 2010 + int(letter)
    return 2020 + GBT_ALPHABET.index(letter) if letter in GBT_ALPHABET else None


def _gbt_day(letter: str) -> int | None:
    """1 to 9, then 0 for the tenth, then A for the eleventh to Y for the last."""
    if letter.isdecimal():
        return int(letter) or 10
    return 11 + GBT_ALPHABET.index(letter) if letter in GBT_ALPHABET else None


def _nth(letter: str) -> int | None:
    return "123456789ABC".index(letter) + 1 if letter in "123456789ABC" else None


# --- BPAN: 21 letters, a draft --------------------------------------------------------------------

BPAN_RULE = re.compile(
    r"[0-9A-Z]{7}[A-L][0-9A-Z]{4}[A-E][1-9A-HJ-NP-Z][A-HJ-M][1-9A-HJ-NP-X][1-9A-HJ-NP-Z][0-9A-Z]{4}"
)
BPAN_INDIAN = re.compile(r"MY[0-9A-Z]{5}[A-L][0-9A-Z]{4}[A-E][0-9A-Z]{8}")
"""Codes that begin as Indian ones do are recognised although letters of the date are wrong."""
BPAN_CHEMISTRIES = {"A": "PBA", "B": "NICD", "C": "NIMH", "D": "NAION", "E": "LFP", "F": "NMC"}
BPAN_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def _bpan(seen: str, today: date | None) -> Identified | None:
    code = _pressed(seen)
    follows_rule = BPAN_RULE.fullmatch(code) is not None
    if len(code) != 21 or not (follows_rule or BPAN_INDIAN.fullmatch(code)):
        return None
    told = {"maker_code": code[2:5]}
    if code.startswith("MY"):
        told["country"] = "IN"
    doubts = [Doubt.DRAFT_STANDARD]
    if code[7] in BPAN_CHEMISTRIES:
        told["chemistry"] = BPAN_CHEMISTRIES[code[7]]
    else:
        doubts.append(Doubt.CHEMISTRY_LETTER_UNVERIFIED)
    if not follows_rule:
        doubts.append(Doubt.LETTERS_BREAK_THE_RULE)
    made = _day_of(
        _bpan_number(code[13], first=2025),
        "ABCDEFGHJKLM".find(code[14]) + 1,
        _bpan_number(code[15], first=1),
    )
    doubts += _keep_date(told, made, today)
    told |= {"type_letter": code[7], "factory_code": code[16], "serial": code[17:]}
    return Identified(Scheme.BPAN, code, told, tuple(doubts))


def _bpan_number(letter: str, *, first: int) -> int | None:
    """1 is the first, 9 the ninth, A the tenth; without I and O."""
    letters = "123456789" + BPAN_LETTERS
    return first + letters.index(letter) if letter in letters else None


# --- GS1 Digital Link -----------------------------------------------------------------------------

GS1_QUALIFIERS: dict[str, tuple[str, ...]] = {
    "01": ("22", "10", "21", "235"),
    "8006": ("22", "10", "21"),
    "8013": (),
    "8010": ("8011",),
    "410": (),
    "411": (),
    "412": (),
    "413": (),
    "414": ("254",),
    "415": ("8020",),
    "416": (),
    "417": ("7040",),
    "8017": ("8019",),
    "8018": ("8019",),
    "255": (),
    "00": (),
    "253": (),
    "401": (),
    "402": (),
    "8003": (),
    "8004": ("7040",),
}
"""Primary key -> what may narrow it down, in its order."""
GS1_DIGITS = {
    "01": 14,
    "8006": 14,
    "410": 13,
    "411": 13,
    "412": 13,
    "413": 13,
    "414": 13,
    "415": 13,
    "416": 13,
    "417": 13,
    "8017": 18,
    "8018": 18,
    "255": 13,
    "00": 18,
    "253": 13,
    "402": 17,
    "8003": 14,
}
"""So many digits at the beginning end in a check digit."""
GS1_FACTS = {"01": "gtin", "21": "serial", "10": "batch", "8003": "asset", "8004": "asset"}
GS1_UNITS = frozenset({"8003", "8004", "00", "253", "8017", "8018"})
"""Keys that name one thing by themselves."""
GTIN_LENGTHS = (8, 12, 13, 14)


def _gs1(seen: str) -> Identified | None:
    address = _web_address(seen)
    if address is not None:
        parts = [unquote(part) for part in address.path.split("/") if part]
        starts = [at for at, part in enumerate(parts) if part in GS1_QUALIFIERS]
        for at in starts:
            if found := _gs1_of(parts[at:], host=address.hostname or ""):
                return found
        return None
    printed = re.findall(r"\((\d{2,4})\)([^()]+)", seen)
    if not printed or re.sub(r"\(\d{2,4}\)[^()]+", "", seen).strip():
        return None
    return _gs1_of([part.strip() for pair in printed for part in pair], host="")


def _gs1_of(parts: list[str], *, host: str) -> Identified | None:
    if len(parts) < 2 or len(parts) % 2 or parts[0] not in GS1_QUALIFIERS:
        return None
    pairs = [(parts[at], parts[at + 1]) for at in range(0, len(parts), 2)]
    (key, value), narrower = pairs[0], pairs[1:]
    allowed = GS1_QUALIFIERS[key]
    order = [allowed.index(ai) for ai, _value in narrower if ai in allowed]
    if len(order) < len(narrower) or order != sorted(set(order)):
        return None
    value = value.replace(" ", "")
    if key == "01" and value.isascii() and value.isdecimal() and len(value) in GTIN_LENGTHS:
        value = value.zfill(14)
    digits = GS1_DIGITS.get(key, 0)
    checked = value[:digits]
    if len(checked) < digits or (checked and not (checked.isascii() and checked.isdecimal())):
        return None
    told = {"key": key}
    for ai, fact in [(key, value), *narrower]:
        if ai in GS1_FACTS:
            told[GS1_FACTS[ai]] = fact
    if host:
        told["host"] = host
    names_one_unit = key in GS1_UNITS or "serial" in told
    doubts = [] if not checked or check_digit_holds(checked) else [Doubt.CHECK_DIGIT_WRONG]
    if not names_one_unit:
        doubts.append(Doubt.NO_SINGLE_UNIT)
    written = "/".join(f"{ai}/{_escaped(fact)}" for ai, fact in [(key, value), *narrower])
    return Identified(
        Scheme.GS1, f"https://id.gs1.org/{written}", told, tuple(doubts), names_one_unit
    )


def check_digit_holds(digits: str) -> bool:
    """Tell whether a GS1 number ends in its check digit: weights 3 and 1 from the right, modulo 10.

    >>> check_digit_holds("09506000134352"), check_digit_holds("09506000134353")
    (True, False)
    """
    return sum(int(d) * (3 if at % 2 else 1) for at, d in enumerate(reversed(digits))) % 10 == 0


def _escaped(fact: str) -> str:
    return "".join(
        letter
        if letter.isascii() and (letter.isalnum() or letter in "-._~")
        else "".join(f"%{byte:02X}" for byte in letter.encode())
        for letter in fact
    )


# --- addresses and serial numbers -----------------------------------------------------------------


def _passport(seen: str) -> Identified | None:
    """A European passport is an https address of its own, or the unique identifier that it carries."""
    if re.fullmatch(r"(urn|did):[^\s:]+:\S+", seen, re.IGNORECASE):
        return Identified(Scheme.EU_PASSPORT, seen)
    address = _web_address(seen)
    if address is None:
        return None
    doubts = [] if address.scheme == "https" else [Doubt.NOT_ENCRYPTED]
    names_one_unit = bool(address.path.strip("/") or address.query)
    if not names_one_unit:
        doubts.append(Doubt.NO_SINGLE_UNIT)
    value = f"{address.scheme}://{address.netloc.lower()}{seen.split(address.netloc, 1)[1]}"
    return Identified(
        Scheme.EU_PASSPORT,
        value.rstrip("/"),
        {"host": address.hostname or ""},
        tuple(doubts),
        names_one_unit,
    )


def _web_address(seen: str) -> SplitResult | None:
    try:
        address = urlsplit(seen)
        is_web = address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:  # as of "https://[" and other brackets that never close
        return None
    return address if is_web and " " not in seen else None


def _serial(seen: str) -> Identified:
    code = _pressed(seen)
    doubts = (Doubt.LOOKS_LIKE_GBT,) if len(code) == 24 and code.isalnum() else ()
    unique = len(code) >= UNIQUE_SERIAL and any(letter.isdigit() for letter in code)
    return Identified(Scheme.SERIAL, seen, {}, doubts, unique)


def _pressed(seen: str) -> str:
    """Without what people put between groups of letters, in capitals."""
    return re.sub(r"[\s\-_./·]", "", seen).upper()


def _day_of(year: int | None, month: int | None, day: int | None) -> date | None:
    if not year or not month or not day:
        return None
    try:
        return date(year, month, day)
    except ValueError:  # as the 30th of February
        return None


def _keep_date(told: dict[str, str], made: date | None, today: date | None) -> list[Doubt]:
    if made is None:
        return [Doubt.DATE_UNREADABLE]
    if today is not None and made > today:
        return [Doubt.MADE_IN_THE_FUTURE]
    told["made_on"] = made.isoformat()
    return []


# --- codes against what the owner says ------------------------------------------------------------

MEMBERS: dict[str, frozenset[str]] = {
    "LFP": frozenset({"LFP"}),
    "NMC": frozenset({"NMC111", "NMC532", "NMC622", "NMC811"}),
    "TERNARY": frozenset({"NMC111", "NMC532", "NMC622", "NMC811", "NCA"}),
    "NMC111": frozenset({"NMC111"}),
    "NMC532": frozenset({"NMC532"}),
    "NMC622": frozenset({"NMC622"}),
    "NMC811": frozenset({"NMC811"}),
    "NCA": frozenset({"NCA"}),
    "LCO": frozenset({"LCO"}),
    "LMO": frozenset({"LMO"}),
    "LTO": frozenset({"LTO"}),
    "PBA": frozenset({"PBA"}),
    "NIMH": frozenset({"NIMH"}),
    "NICD": frozenset({"NICD"}),
    "NAION": frozenset({"NAION"}),
}
"""What a code or passport may tell -> the chemistries of ours that this is."""
NO_LITHIUM = frozenset({"PBA", "NIMH", "NICD", "NAION"})


def contradicts(told: str | None, stated: str | None) -> bool:
    """Tell whether a chemistry that a code tells cannot be the one that the owner states.

    >>> contradicts("TERNARY", "LFP"), contradicts("TERNARY", "NMC622"), contradicts("LFP", "LI_UNKNOWN")
    (True, False, False)
    """
    if not told or not stated or told not in MEMBERS:
        return False
    if stated == "LI_UNKNOWN":
        return told in NO_LITHIUM
    return stated not in MEMBERS[told]


def doubts_now(
    doubts: Iterable[str], *, told: Mapping[str, str], stated: str | None, elsewhere: bool
) -> list[str]:
    """Return the doubts about a code with those that depend on the world as they are today.

    :param stated: the chemistry that the lot's owner states, if any
    :param elsewhere: whether another lot that is alive carries the code too
    """
    moving = {Doubt.CHEMISTRY_CONTRADICTS_CODE.value, Doubt.CODE_ON_ANOTHER_LOT.value}
    kept = [str(doubt) for doubt in doubts if doubt not in moving]
    if contradicts(told.get("chemistry"), stated):
        kept.append(Doubt.CHEMISTRY_CONTRADICTS_CODE.value)
    if elsewhere:
        kept.append(Doubt.CODE_ON_ANOTHER_LOT.value)
    return kept
