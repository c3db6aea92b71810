"""Battery passports: what was said, in units of ours, and what of it is not believed.

Three families are read: BatteryPass 1.2 (one submodel or several), Catena-X battery_pass 3.0.1, 6.0.0 and 6.1.0, and the
UNTP Digital Product Passport 0.7.0. A passport that follows its schema proves nothing: the published samples of the
BatteryPass model hold negative capacities and 10^38 kWh. So every value is kept, checked against nature and against
the other values, and only what passes is believed. ``passport_fields`` is the map from their fields to ours.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, DecimalException
from enum import StrEnum
from typing import Any

from .passport_fields import MAP, Kind, Wanted
from .signed import NotAToken, Opened, Signature, carries_proof, opened

LARGEST_BYTES = 5_000_000
DEEPEST = 40
LONGEST_TEXT = 300
MOST_ENTRIES = 50
"""Materials, events and links that are kept readable; the original has them all."""
STALE_AFTER = timedelta(days=730)
UNLIKE = Decimal("0.4")
"""A gap of 40 % between two ways to say one thing: at least one of them is wrong."""
POINTS_APART = Decimal(5)
"""Percentage points between two ways to say how healthy a battery is."""
PACK_WH_PER_KG = (Decimal(12), Decimal(350))
"""From an old lead-acid block to a bare cell of tomorrow: outside, mass or energy is wrong."""
UNCERTAINTY = Decimal("0.05")
"""Half the 10 to 90 % band of a passport's health: certified energy may be off by 5 points (UNECE GTR 22, part A)."""


class Format(StrEnum):
    BATTERY_PASS = "BATTERY_PASS"  # noqa: S105 - a format, no password
    CATENA_X = "CATENA_X"
    UNTP_DPP = "UNTP_DPP"


class NotAPassport(ValueError):
    """Nothing that we can read. ``code`` says why."""

    def __init__(self, code: str, about: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.about = about


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that is kept and not believed, or believed less."""

    field: str
    code: str
    value: str = ""


SOFT = frozenset(
    {"space_around", "undated", "stale", "edition_unknown", "wrong_cas", "not_this_unit", "cut"}
)
"""Doubts that leave the value believed."""
DISAGREEING = frozenset(
    {
        "energy_disagrees_with_capacity",
        "health_disagrees",
        "mass_disagrees_with_energy",
        "remaining_over_rated",
    }
)
"""Doubts of two values that cannot both be right."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One field: its value in our unit, when it was so, and where it stood."""

    value: Decimal | str | Sequence[Mapping[str, str]]
    unit: str = ""
    as_of: datetime | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Passport:
    format: Format
    edition: str
    original: Any
    fields: Mapping[str, Reading] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    signature: Signature = Signature.NONE
    signed_by: str = ""
    token: str = ""
    """As it was given, if it came inside a token."""

    @property
    def as_of(self) -> datetime | None:
        """When the newest of its changing values was taken."""
        times = [reading.as_of for reading in self.fields.values() if reading.as_of]
        return max(times, default=None)

    @property
    def disbelieved(self) -> frozenset[str]:
        """The fields that are kept and not believed: all, if somebody changed it after it was signed."""
        if self.signature is Signature.WRONG:
            return frozenset(self.fields)
        return frozenset(doubt.field for doubt in self.doubts if doubt.code not in SOFT)

    def number(self, name: str) -> Decimal | None:
        """Return a believed number, or nothing."""
        reading = self.fields.get(name)
        if reading is None or name in self.disbelieved or not isinstance(reading.value, Decimal):
            return None
        return reading.value

    def text(self, name: str) -> str:
        """Return a believed word, or nothing."""
        reading = self.fields.get(name)
        if reading is None or name in self.disbelieved or not isinstance(reading.value, str):
            return ""
        return reading.value


@dataclass(frozen=True, slots=True)
class Health:
    """What a passport says of a battery's health, as far as it is believed."""

    value: Decimal
    basis: str
    as_of: datetime | None
    doubts: tuple[str, ...] = ()


def read_passport(content: bytes, *, today: date | None = None) -> Passport:
    """Read a passport in any of the known formats, in UTF-8 or UTF-16.

    :param today: makes later dates impossible and old ones stale
    :raises NotAPassport: ``too_large``, ``not_text``, ``not_json``, ``too_deep``, ``signed_token``,
        ``unknown_format``, ``a_schema``, ``several``, ``other_credential``, ``not_a_battery``
    """
    if len(content) > LARGEST_BYTES:
        raise NotAPassport("too_large")
    token, text = _opened(_decoded(content))
    tree = _tree(text)
    signature = token.signature if token else Signature.NONE
    if signature is Signature.NONE and carries_proof(tree):
        signature = Signature.UNCHECKED
    kind, edition, part, doubts = _recognised(tree)
    readings: dict[str, Reading] = {}
    for wanted in MAP:
        for path in _paths(wanted, kind, edition):
            if (found := _find(part, path)) is not None and found not in ("", [], {}):
                reading = _reading(wanted, found, path, doubts)
                readings[wanted.name] = reading
                break
    _check_one_by_one(readings, doubts, today)
    _check_together(readings, doubts)
    if signature is Signature.WRONG:
        doubts.append(Doubt("signature", "signature_wrong", token.signed_by[:80] if token else ""))
    return Passport(
        kind,
        edition,
        _storable(tree),
        readings,
        tuple(dict.fromkeys(doubts)),
        signature,
        token.signed_by if token else "",
        token.token if token else "",
    )


def health_of(passport: Passport) -> list[Health]:
    """Return the believed health of a passport: by energy, by capacity, or both. They are never mixed."""
    found = []
    certified = passport.number("certified_energy_percent")
    rated_kwh, left_kwh = (
        passport.number("rated_energy_kwh"),
        passport.number("remaining_energy_kwh"),
    )
    if certified is not None:
        found.append(_health(passport, certified / 100, "ENERGY", "certified_energy_percent"))
    elif rated_kwh and left_kwh is not None:
        found.append(_health(passport, left_kwh / rated_kwh, "ENERGY", "remaining_energy_kwh"))
    rated_ah, left_ah = (
        passport.number("rated_capacity_ah"),
        passport.number("remaining_capacity_ah"),
    )
    fade, plain = passport.number("capacity_fade_percent"), passport.number("health_percent")
    if rated_ah and left_ah is not None:
        found.append(_health(passport, left_ah / rated_ah, "CAPACITY", "remaining_capacity_ah"))
    elif fade is not None:
        found.append(_health(passport, 1 - fade / 100, "CAPACITY", "capacity_fade_percent"))
    elif plain is not None:
        said = _health(passport, plain / 100, "CAPACITY", "health_percent")
        found.append(Health(said.value, said.basis, said.as_of, (*said.doubts, "basis_not_told")))
    return found


def _health(passport: Passport, share: Decimal, basis: str, name: str) -> Health:
    soft = tuple(doubt.code for doubt in passport.doubts if doubt.field == name)
    return Health(round(share, 4), basis, passport.fields[name].as_of, soft)


# --- bytes and JSON -------------------------------------------------------------------------------


def _decoded(content: bytes) -> str:
    """Return the text. Published models mix UTF-8 and UTF-16, with a mark at the beginning or without."""
    encoding = "utf-8-sig"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif content[:4].count(0) in (1, 2) and content[:2].count(0) == 1:
        encoding = "utf-16-le" if content[1] == 0 else "utf-16-be"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as wrong:
        raise NotAPassport("not_text") from wrong


def _opened(text: str) -> tuple[Opened | None, str]:
    """Return the token that a text is, and what is to be read: what is inside it, or the text itself."""
    try:
        token = opened(text)
    except NotAToken as wrong:
        raise NotAPassport("signed_token") from wrong
    return token, token.text if token else text


def _tree(text: str) -> Any:
    try:
        tree = json.loads(
            text, parse_float=_exact, parse_int=_whole, parse_constant=_no_number_at_all
        )
    except RecursionError as bomb:
        raise NotAPassport("too_deep") from bomb
    except ValueError as wrong:
        at = f"{wrong.lineno}:{wrong.colno}" if isinstance(wrong, json.JSONDecodeError) else ""
        raise NotAPassport("not_json", at) from wrong
    _measure(tree)
    return tree


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except DecimalException as wrong:  # an exponent of twenty digits
        raise ValueError(text[:40]) from wrong


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) <= 400 else _exact(text)


def _no_number_at_all(text: str) -> Any:
    raise ValueError(text)


def _measure(tree: Any) -> None:
    level = [tree]
    for _depth in range(DEEPEST):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise NotAPassport("too_deep")


def _storable(node: Any) -> Any:
    """Return the tree as a database can keep it: numbers beyond every machine as text, no zero bytes."""
    if isinstance(node, dict):
        return {_clean(key): _storable(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_storable(value) for value in node]
    if isinstance(node, Decimal):
        return float(node) if -300 < node.adjusted() < 308 or not node else str(node)[:60]
    return _clean(node) if isinstance(node, str) else node


def _clean(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


# --- which format ---------------------------------------------------------------------------------

CATENA_EDITIONS = frozenset({"3.0.1", "6.0.0", "6.1.0"})
SUBMODELS: dict[str, frozenset[str]] = {
    "GeneralProductInformation": frozenset(
        {"batteryPassportIdentifier", "batteryCategory", "batteryStatus", "batteryMass"}
    ),
    "PerformanceAndDurability": frozenset(
        {"batteryTechicalProperties", "batteryTechnicalProperties", "batteryCondition"}
    ),
    "MaterialComposition": frozenset(
        {"batteryChemistry", "batteryMaterials", "hazardousSubstances"}
    ),
    "Circularity": frozenset(
        {"dismantlingAndRemovalInformation", "recycledContent", "sparePartSources"}
    ),
    "CarbonFootprint": frozenset({"batteryCarbonFootprint", "carbonFootprintPerLifecycleStage"}),
    "Labeling": frozenset({"declarationOfConformity", "resultOfTestReport"}),
    "SupplyChainDueDiligence": frozenset(
        {"supplyChainDueDiligenceReport", "thirdPartyAussurances", "thirdPartyAssurances"}
    ),
}
"""Any of these keys at the top of a part makes it this submodel of BatteryPass 1.2."""
CATENA_6 = frozenset({"identification", "performance", "characteristics", "metadata", "operation"})
CATENA_3 = frozenset({"electrochemicalProperties", "batteryIdentification", "stateOfBattery"})


def _recognised(tree: Any) -> tuple[Format, str, dict[str, Any], list[Doubt]]:
    parts = list(_parts(tree))
    whole = [found for part in parts if (found := _one_of(part))]
    if len(whole) > 1:
        raise NotAPassport("several", str(len(whole)))
    if whole:
        return whole[0]
    together: dict[str, Any] = {}
    for part in parts:
        if any(part.keys() & keys for keys in SUBMODELS.values()):
            if together.keys() & part.keys() & frozenset().union(*SUBMODELS.values()):
                raise NotAPassport("several", "2")
            together = part | together
    if not together:
        raise NotAPassport("unknown_format")
    return Format.BATTERY_PASS, "1.2", together, []


def _parts(tree: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield what may be a passport or a part of one: the whole, and what one or two wrappings hold."""
    if isinstance(tree, list):
        for entry in tree[:100]:
            yield from _parts(entry, depth)
    elif isinstance(tree, dict):
        if "$schema" in tree and tree.keys() & {"properties", "components", "definitions"}:
            raise NotAPassport("a_schema")
        yield tree
        if depth == 2 or _one_of(tree):
            return
        for value in tree.values():
            if isinstance(value, dict | list):
                yield from _parts(value, depth + 1)


def _one_of(part: Mapping[str, Any]) -> tuple[Format, str, dict[str, Any], list[Doubt]] | None:
    declared = str(part.get("specVersion", ""))
    named = re.search(r"io\.catenax\.battery\.battery_pass:(\d[\d.]*)", declared)
    if named or len(part.keys() & CATENA_6) >= 3:
        edition = named[1] if named else "6.0.0"
    elif len(part.keys() & CATENA_3) >= 2:
        edition = "3.0.1"
    else:
        return _untp(part)
    doubts = [] if edition in CATENA_EDITIONS else [Doubt("edition", "edition_unknown", edition)]
    return Format.CATENA_X, edition[:20], dict(part), doubts


def _untp(part: Mapping[str, Any]) -> tuple[Format, str, dict[str, Any], list[Doubt]] | None:
    context, types = _listed(part.get("@context")), _listed(part.get("type"))
    named = re.search(r"/untp/(?:dpp/)?v?(\d+\.\d+\.\d+)", " ".join(map(str, context)))
    if not named and "DigitalProductPassport" not in types:
        if "VerifiableCredential" in types:
            raise NotAPassport("other_credential", _some(types))
        return None
    if "DigitalProductPassport" not in types:
        raise NotAPassport("other_credential", _some(types))
    subject = part.get("credentialSubject")
    if not isinstance(subject, dict):
        raise NotAPassport("not_a_battery")
    facts = subject.get("characteristics")
    classes = [
        str(entry.get("code", ""))
        for entry in _listed(subject.get("productCategory"))
        if isinstance(entry, dict)
    ]
    is_battery = isinstance(facts, dict) and bool(
        facts.keys() & {"batteryChemistry", "batteryCategory", "ratedCapacity", "nominalVoltage"}
    )
    if not is_battery and not any(code.startswith("464") for code in classes):
        raise NotAPassport("not_a_battery", str(subject.get("name", ""))[:80])
    edition = named[1] if named else ""
    doubts = [] if edition == "0.7.0" else [Doubt("edition", "edition_unknown", edition)]
    if subject.get("idGranularity") not in (None, "item"):
        doubts.append(Doubt("unit_id", "not_this_unit", str(subject["idGranularity"])[:20]))
    return Format.UNTP_DPP, edition, dict(part), doubts


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _some(types: Sequence[Any]) -> str:
    named = [str(kind) for kind in types if kind != "VerifiableCredential"]
    return ", ".join(named)[:80]


# --- values ---------------------------------------------------------------------------------------

UNITS: dict[str, dict[str, Decimal]] = {
    "kg": {
        "kg": Decimal(1),
        "kgm": Decimal(1),
        "kilogram": Decimal(1),
        "g": Decimal("0.001"),
        "grm": Decimal("0.001"),
        "gram": Decimal("0.001"),
        "t": Decimal(1000),
        "tne": Decimal(1000),
        "tonne": Decimal(1000),
        "metricton": Decimal(1000),
        "lbr": Decimal("0.45359237"),
        "pound": Decimal("0.45359237"),
    },
    "mm": {
        "mm": Decimal(1),
        "mmt": Decimal(1),
        "millimetre": Decimal(1),
        "cm": Decimal(10),
        "cmt": Decimal(10),
        "centimetre": Decimal(10),
        "m": Decimal(1000),
        "mtr": Decimal(1000),
        "metre": Decimal(1000),
    },
    "month": {
        "month": Decimal(1),
        "mon": Decimal(1),
        "year": Decimal(12),
        "ann": Decimal(12),
        "day": 12 / Decimal("365.25"),
        "week": 84 / Decimal("365.25"),
    },
    "Ah": {
        "ah": Decimal(1),
        "amh": Decimal(1),
        "amperehour": Decimal(1),
        "mah": Decimal("0.001"),
        "e09": Decimal("0.001"),
    },
    "kWh": {
        "kwh": Decimal(1),
        "kilowatthour": Decimal(1),
        "wh": Decimal("0.001"),
        "whr": Decimal("0.001"),
        "watthour": Decimal("0.001"),
        "mwh": Decimal(1000),
        "megawatthour": Decimal(1000),
    },
    "kW": {
        "kw": Decimal(1),
        "kwt": Decimal(1),
        "kilowatt": Decimal(1),
        "w": Decimal("0.001"),
        "wtt": Decimal("0.001"),
        "watt": Decimal("0.001"),
    },
    "V": {"v": Decimal(1), "vlt": Decimal(1), "volt": Decimal(1), "mv": Decimal("0.001")},
    "ohm": {
        "ohm": Decimal(1),
        "ω": Decimal(1),
        "mohm": Decimal("0.001"),
        "e45": Decimal("0.001"),
        "milliohm": Decimal("0.001"),
        "mω": Decimal("0.001"),
    },
    "%": {"%": Decimal(1), "p1": Decimal(1), "percent": Decimal(1), "%/month": Decimal(1)},
    "°C": {"cel": Decimal(1), "°c": Decimal(1), "degreecelsius": Decimal(1), "c": Decimal(1)},
    "year": {
        "year": Decimal(1),
        "ann": Decimal(1),
        "month": 1 / Decimal(12),
        "mon": 1 / Decimal(12),
    },
    "min": {"min": Decimal(1), "minute": Decimal(1), "hour": Decimal(60)},
    "kg/kWh": {
        "kgco2/kwh": Decimal(1),
        "kgco2e/kwh": Decimal(1),
        "kg/kwh": Decimal(1),
        "gco2/kwh": Decimal("0.001"),
    },
    "": {},
}
"""Our unit -> what others call it, or measure in, and how many of ours one of theirs is. UN/CEFACT codes included."""
NUMBERS = ("value", "lifeValue")
TIMES = ("time", "lastUpdate", "rPCLastUpdated", "timestamp")


def _paths(wanted: Wanted, kind: Format, edition: str) -> tuple[str, ...]:
    if kind is Format.BATTERY_PASS:
        return wanted.battery_pass
    if kind is Format.UNTP_DPP:
        return wanted.untp
    return wanted.catena_x_3 if edition.startswith(("1.", "2.", "3.")) else wanted.catena_x


def _find(part: Any, path: str) -> Any:
    node = part
    for step in path.partition("|")[0].split("."):
        name, _bracket, pick = step.partition("[")
        if isinstance(node, list):
            node = node[0] if node else None
        if not isinstance(node, dict):
            return None
        node = node.get(name)
        if pick:
            key, _equals, value = pick.rstrip("]").partition("=")
            entries = [entry for entry in _listed(node) if isinstance(entry, dict)]
            node = next((entry for entry in entries if entry.get(key) == value), None)
    return node


def _reading(wanted: Wanted, found: Any, path: str, doubts: list[Doubt]) -> Reading:
    path, _bar, declared = path.partition("|")
    if wanted.kind in (Kind.MATERIALS, Kind.EVENTS, Kind.LINKS):
        return Reading(_entries(wanted, _listed(found), doubts), path=path)
    if isinstance(found, list):
        found = found[0]
    if wanted.kind is Kind.NUMBER:
        return _measured(wanted, found, declared or wanted.unit, path, doubts)
    text = _worded(wanted.name, found, doubts)
    if wanted.kind is Kind.DAY:
        return Reading(_day(wanted.name, text, doubts), path=path)
    if wanted.kind is Kind.CHEMISTRY:
        return Reading(_chemistry(text, doubts), path=path)
    if wanted.kind is Kind.STATUS:
        return Reading(_one_word(wanted.name, text, STATUSES, doubts), path=path)
    if wanted.kind is Kind.CATEGORY:
        return Reading(_one_word(wanted.name, text, CATEGORIES, doubts), path=path)
    return Reading(text, path=path)


def _measured(wanted: Wanted, found: Any, declared: str, path: str, doubts: list[Doubt]) -> Reading:
    unit, as_of = declared, None
    if isinstance(found, dict):
        unit = next((str(found[key]) for key in ("unit", "lifeUnit") if found.get(key)), declared)
        taken = next((found[key] for key in TIMES if found.get(key)), None)
        as_of = _moment(wanted.name, taken, doubts) if taken is not None else None
        found = _only_number(found)
    number = _as_number(found)
    if number is None:
        doubts.append(Doubt(wanted.name, "not_a_number", _said(found)))
        return Reading(_said(found), unit=unit[:20], as_of=as_of, path=path)
    factor = UNITS[wanted.unit].get(_unit_key(unit))
    if factor is None and unit != wanted.unit:
        doubts.append(Doubt(wanted.name, "unit_unknown", unit[:40]))
        return Reading(number, unit[:20], as_of, path)
    if number and abs(number.adjusted()) > 60:  # beyond arithmetic: judged below as it is
        return Reading(number, wanted.unit, as_of, path)
    scaled = number if factor in (None, Decimal(1)) else round(number * (factor or 1), 9)
    return Reading(scaled, wanted.unit, as_of, path)


def _only_number(found: Mapping[str, Any]) -> Any:
    for key in NUMBERS:
        if key in found:
            return found[key]
    # BatteryPass calls it by the field, spelt in several ways: remainingEnergyalue, …RateEntity
    numbers = [value for value in found.values() if _as_number(value) is not None]
    return numbers[0] if len(numbers) == 1 else None


def _as_number(found: Any) -> Decimal | None:
    if isinstance(found, bool):
        return None
    if isinstance(found, int | Decimal):
        return Decimal(found)
    if isinstance(found, str) and re.fullmatch(r"\s*-?\d{1,30}(\.\d{1,30})?\s*", found):
        return Decimal(found.strip())
    return None


def _unit_key(unit: str) -> str:
    return unit.removeprefix("unit:").replace(" ", "").replace("₂", "2").casefold()


def _said(found: Any) -> str:
    return "" if found is None else _short(str(found))


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _worded(name: str, found: Any, doubts: list[Doubt]) -> str:
    text = _clean(str(found)) if isinstance(found, str | int | Decimal) else ""
    if text != text.strip():
        doubts.append(Doubt(name, "space_around", text[:40]))
    text = " ".join(text.split())
    if len(text) > LONGEST_TEXT:
        doubts.append(Doubt(name, "cut", str(len(text))))
    if not text:
        doubts.append(Doubt(name, "not_a_word", ""))
    return text[:LONGEST_TEXT]


def _day(name: str, text: str, doubts: list[Doubt]) -> str:
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        doubts.append(Doubt(name, "date_impossible", text[:40]))
        return text[:40]


def _moment(name: str, taken: Any, doubts: list[Doubt]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(taken).strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        doubts.append(Doubt(name, "date_impossible", _said(taken)))
        return None


STATUSES = {
    "original": "ORIGINAL",
    "firstlife": "ORIGINAL",
    "repurposed": "REPURPOSED",
    "reused": "REUSED",
    "remanufactured": "REMANUFACTURED",
    "waste": "WASTE",
}
CATEGORIES = {
    "lmt": "LMT",
    "ev": "EV",
    "industrial": "INDUSTRIAL",
    "stationary": "STATIONARY",
    "sli": "SLI",
    "portable": "PORTABLE",
    "incorporated": "INCORPORATED",
}


def _one_word(name: str, text: str, words: Mapping[str, str], doubts: list[Doubt]) -> str:
    known = words.get(re.sub(r"[^a-z]", "", text.casefold()))
    if known is None:
        doubts.append(Doubt(name, "word_unknown", _short(text)))
    return known or text


CHEMISTRIES: tuple[tuple[str, str], ...] = (
    (r"\b(?:NMC|NCM)[ -]?(?:111|333)\b", "NMC111"),
    (r"\b(?:NMC[ -]?532|NCM[ -]?523|NMC[ -]?523|NCM[ -]?532)\b", "NMC532"),
    (r"\b(?:NMC|NCM)[ -]?622\b", "NMC622"),
    (r"\b(?:NMC|NCM)[ -]?811\b", "NMC811"),
    (r"\b(?:NMC|NCM)|NICKEL[ ,-]+(?:MANGANESE[ ,-]+COBALT|COBALT[ ,-]+MANGANESE)", "NMC"),
    (r"\bNCA\b|NICKEL[ ,-]+COBALT[ ,-]+ALUMIN", "NCA"),
    (r"\bLI?FP\b|LIFEPO4|IRON[ -]PHOSPHATE", "LFP"),
    (r"\bLCO\b|LICOO2|LITHIUM[ -]COBALT", "LCO"),
    (r"\bLMO\b|LIMN2O4|LITHIUM[ -]MANGANESE", "LMO"),
    (r"\bLTO\b|TITANATE", "LTO"),
    (r"\bLEAD\b|\bPB\b", "PBA"),
    (r"\bNI-?MH\b|METAL[ -]HYDRIDE", "NIMH"),
    (r"\bNI-?CD\b|CADMIUM", "NICD"),
    (r"\bNA-?ION\b|SODIUM|NATRIUM", "NAION"),
)


def _chemistry(text: str, doubts: list[Doubt]) -> str:
    said = text.upper()
    found = {code for pattern, code in CHEMISTRIES if re.search(pattern, said)}
    if any(code.startswith("NMC") and code != "NMC" for code in found):
        found.discard("NMC")
    if len(found) == 1:
        return found.pop()
    code = "chemistry_unknown" if not found else "chemistry_ambiguous"
    doubts.append(Doubt("chemistry", code, _short(text)))
    return text


def _entries(
    wanted: Wanted, entries: Sequence[Any], doubts: list[Doubt]
) -> Sequence[Mapping[str, str]]:
    """Return the entries of a list as flat words, the CAS numbers among them checked."""
    kept = []
    for entry in entries[:MOST_ENTRIES]:
        flat: dict[str, str] = {}
        for key, word in _flat(entry):
            flat.setdefault(key, word)  # the outer name counts: a material's, not its class's
        for key, word in flat.items():
            if word != word.strip():
                doubts.append(Doubt(wanted.name, "space_around", word[:40]))
            bare = word.strip()
            if re.fullmatch(r"\d{2,7}-\d{2}-\d", bare) and not cas_holds(bare):
                doubts.append(Doubt(wanted.name, "wrong_cas", bare))
            if re.fullmatch(r"-?[\d.]+(E[+-]?\d+)?", bare) and _absurd_entry(key, bare):
                doubts.append(Doubt(wanted.name, "absurd", _short(f"{key}: {bare}")))
        kept.append({key[:60]: word.strip()[:LONGEST_TEXT] for key, word in flat.items()})
    return kept


def _absurd_entry(key: str, number: str) -> bool:
    value = Decimal(number)
    return value < 0 or value.adjusted() > 9 or ("share" in key.casefold() and value > 100)


def _flat(entry: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    if isinstance(entry, dict) and depth < 4:
        for key, value in list(entry.items())[:30]:
            yield from _flat(value, _clean(key), depth + 1)
    elif isinstance(entry, list) and depth < 4:
        for value in entry[:5]:
            yield from _flat(value, name, depth + 1)
    elif entry is not None and not isinstance(entry, dict | list):
        yield name or "value", _clean(str(entry))


def cas_holds(number: str) -> bool:
    """Tell whether a CAS number ends in its check digit.

    >>> cas_holds("7439-93-2"), cas_holds("37-70-2")
    (True, False)
    """
    digits = number.replace("-", "")
    weighed = sum(at * int(digit) for at, digit in enumerate(reversed(digits[:-1]), 1))
    return weighed % 10 == int(digits[-1])


# --- judgement ------------------------------------------------------------------------------------

PERCENT_OF_NEW = ("certified_energy_percent", "health_percent", "charge_percent")


def _check_one_by_one(
    readings: Mapping[str, Reading], doubts: list[Doubt], today: date | None
) -> None:
    by_name = {wanted.name: wanted for wanted in MAP}
    for name, reading in readings.items():
        wanted, value = by_name[name], reading.value
        if isinstance(value, Decimal):
            if value < 0 <= wanted.low:
                doubts.append(Doubt(name, "negative", shown(value)))
            elif name in ("certified_energy_percent", "health_percent") and 0 < value <= Decimal(
                "1.02"
            ):
                doubts.append(Doubt(name, "fraction_for_percent", shown(value)))
            elif name in PERCENT_OF_NEW and wanted.high < value <= 1000:
                doubts.append(Doubt(name, "above_102_percent", shown(value)))
            elif not wanted.low <= value <= wanted.high:
                doubts.append(Doubt(name, "absurd", shown(value)))
            if wanted.moves:
                _check_age(name, reading, doubts, today)
        elif (
            wanted.kind is Kind.DAY
            and not _is_doubted(name, doubts)
            and today is not None
            and str(value) > today.isoformat()
        ):
            doubts.append(Doubt(name, "in_the_future", str(value)[:40]))


def _is_doubted(name: str, doubts: Sequence[Doubt]) -> bool:
    return any(doubt.field == name and doubt.code not in SOFT for doubt in doubts)


def _check_age(name: str, reading: Reading, doubts: list[Doubt], today: date | None) -> None:
    if reading.as_of is None:
        doubts.append(Doubt(name, "undated"))
    elif today is not None and reading.as_of.date() > today + timedelta(days=1):
        doubts.append(Doubt(name, "in_the_future", reading.as_of.isoformat()))
    elif today is not None and reading.as_of.date() < today - STALE_AFTER:
        doubts.append(Doubt(name, "stale", reading.as_of.date().isoformat()))


def _check_together(readings: Mapping[str, Reading], doubts: list[Doubt]) -> None:
    """Hold the values that survived against each other. Where two disagree, neither is believed."""

    def good(name: str, passing: frozenset[str] = DISAGREEING) -> Decimal | None:
        value = readings[name].value if name in readings else None
        # what disagrees with one value may still disagree with the next: only what is wrong alone stays out
        bad = any(doubt.field == name and doubt.code not in SOFT | passing for doubt in doubts)
        return value if isinstance(value, Decimal) and not bad else None

    def doubt(code: str, *names: str) -> None:
        said = " / ".join(
            f"{shown(value)} {readings[name].unit}".strip()
            for name in names
            if isinstance(value := readings[name].value, Decimal)
        )
        doubts.extend(Doubt(name, code, said) for name in names)

    _check_volts(good, doubt)
    _check_amounts(good, doubt)
    _check_health(good, doubt)


def _check_volts(good: Any, doubt: Any) -> None:
    least, nominal, most = good("least_volts"), good("nominal_volts"), good("most_volts")
    named = [
        (name, volts)
        for name, volts in (
            ("least_volts", least),
            ("nominal_volts", nominal),
            ("most_volts", most),
        )
        if volts is not None
    ]
    if [volts for _name, volts in named] != sorted(volts for _name, volts in named):
        doubt("voltages_out_of_order", *(name for name, _volts in named))


def _check_amounts(good: Any, doubt: Any) -> None:
    """Compare energy with ampere hours, and mass with energy. A factor of a thousand names the unit that was mistaken."""
    ah, volts = good("rated_capacity_ah"), good("nominal_volts")
    kwh, kg = (
        _perhaps_a_thousandfold(good, "rated_energy_kwh"),
        _perhaps_a_thousandfold(good, "mass_kg"),
    )
    energy_holds = False
    if ah and volts and kwh:
        ratio = kwh * 1000 / (ah * volts)
        energy_holds = within(ratio)
        if within(ratio / 1000):
            doubt("wh_for_kwh", "rated_energy_kwh")
            kwh /= 1000
        elif not energy_holds:
            doubt("energy_disagrees_with_capacity", "rated_energy_kwh", "rated_capacity_ah")
    if not kwh or not kg:
        return
    low, high = PACK_WH_PER_KG
    density = kwh * 1000 / kg
    if low <= density <= high:
        return
    if low <= density * 1000 <= high:
        doubt("g_for_kg", "mass_kg")
    elif low <= density / 1000 <= high and energy_holds:
        doubt("kg_for_g", "mass_kg")
    elif low <= density / 1000 <= high and not (ah and volts):
        doubt("wh_for_kwh", "rated_energy_kwh")
    else:
        doubt("mass_disagrees_with_energy", "mass_kg", "rated_energy_kwh")


def _perhaps_a_thousandfold(good: Any, name: str) -> Decimal | None:
    value: Decimal | None = good(name, DISAGREEING | {"absurd"})
    return value if value is not None and 0 < value < 10**9 else None


def _check_health(good: Any, doubt: Any) -> None:
    ah, left_ah, kwh, left_kwh = (
        good("rated_capacity_ah"),
        good("remaining_capacity_ah"),
        good("rated_energy_kwh"),
        good("remaining_energy_kwh"),
    )
    if ah and left_ah:
        if left_ah > ah * Decimal("1.02"):
            doubt("remaining_over_rated", "remaining_capacity_ah", "rated_capacity_ah")
        elif kwh and left_ah < ah / 5 and kwh / 5 <= left_ah <= kwh * Decimal("1.02"):
            doubt("kwh_for_ah", "remaining_capacity_ah")
    if kwh and left_kwh and left_kwh > kwh * Decimal("1.02"):
        doubt("remaining_over_rated", "remaining_energy_kwh", "rated_energy_kwh")
    pairs = (
        ("certified_energy_percent", "remaining_energy_kwh", "rated_energy_kwh"),
        ("health_percent", "remaining_capacity_ah", "rated_capacity_ah"),
    )
    for percent, left, rated in pairs:
        said, part, whole = good(percent), good(left), good(rated)
        if said is not None and part is not None and whole and apart(said, part / whole * 100):
            doubt("health_disagrees", percent, left)
    fade, part, whole = (
        good("capacity_fade_percent"),
        good("remaining_capacity_ah"),
        good("rated_capacity_ah"),
    )
    if fade is not None and part is not None and whole and apart(100 - fade, part / whole * 100):
        doubt("health_disagrees", "capacity_fade_percent", "remaining_capacity_ah")
    said = good("health_percent")
    if said is not None and fade is not None and apart(100 - fade, said):
        doubt("health_disagrees", "health_percent", "capacity_fade_percent")


def within(ratio: Decimal) -> bool:
    """Tell whether two ways to say one thing are within 40 % of each other.

    >>> within(Decimal("1.25")), within(Decimal("0.5")), within(Decimal("1.5"))
    (True, False, False)
    """
    return 1 - UNLIKE <= ratio <= 1 + UNLIKE


def apart(one: Decimal, other: Decimal) -> bool:
    """Tell whether two percentages of when new are too far from each other to be both right."""
    return abs(one - other) > POINTS_APART


def shown(value: Decimal) -> str:
    """Return a number as short as it is readable, however absurd.

    >>> shown(Decimal("12.500")), shown(Decimal("-1.7976931348623157E+308"))
    ('12.5', '-1.798e+308')
    """
    if value and not -7 < value.adjusted() < 15:
        return f"{value:.3e}"
    plain = f"{value:f}"
    return (plain.rstrip("0").rstrip(".") or "0") if "." in plain else plain


def number_in(text: str) -> Decimal | None:
    """Return a stored number as people can read it; nothing if it is none, or absurdly large.

    >>> number_in("12.5"), number_in("-1.798e+308"), number_in("much")
    (Decimal('12.5'), None, None)
    """
    return Decimal(text) if re.fullmatch(r"-?\d{1,15}(\.\d+)?", text) else None


def kept(passport: Passport) -> dict[str, dict[str, Any]]:
    """Return the fields as they are stored: field -> value, unit, time, path, and whether it is believed."""
    return {
        name: {
            "value": shown(reading.value) if isinstance(reading.value, Decimal) else reading.value,
            "unit": reading.unit,
            "as_of": reading.as_of.isoformat() if reading.as_of else None,
            "path": reading.path,
            "believed": name not in passport.disbelieved,
        }
        for name, reading in passport.fields.items()
    }


def doubts_kept(doubts: Sequence[Doubt]) -> list[dict[str, str]]:
    """Return doubts as they are stored."""
    return [{"field": doubt.field, "code": doubt.code, "value": doubt.value} for doubt in doubts]
