"""Lots in a file, to be valued without being stored: every row is checked before any is valued.

Columns: ``id``, ``mass_kg`` (needed); ``origin``, ``chemistry``, ``mass_estimated``, ``energy_kwh``, ``state_of_health`` (0 to 1),
``health_measured``, ``damaged``, ``made_year``, ``has_history``, ``country``, ``latitude``, ``longitude``, ``currency``.
"""

import csv
import io
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

LARGEST_BYTES = 200_000_000
MOST_ROWS = 200_000
LARGEST_KG = Decimal(100_000)
HIGHEST_HEALTH = Decimal("1.02")
GAP = Decimal("0.4")
"""Above this difference between mass and energy a lot is flagged; a thousandfold one is a unit that was mixed up."""

COLUMNS = (
    "id",
    "origin",
    "chemistry",
    "mass_kg",
    "mass_estimated",
    "energy_kwh",
    "state_of_health",
    "health_measured",
    "damaged",
    "made_year",
    "has_history",
    "country",
    "latitude",
    "longitude",
    "currency",
)
MISTAKEN = {
    "mass": "mass_kg",
    "mass_g": "mass_kg",
    "weight": "mass_kg",
    "weight_kg": "mass_kg",
    "kg": "mass_kg",
    "energy": "energy_kwh",
    "energy_wh": "energy_kwh",
    "kwh": "energy_kwh",
    "wh": "energy_kwh",
    "soh": "state_of_health",
    "soh_percent": "state_of_health",
}
TRUE, FALSE = frozenset({"1", "true", "yes", "y"}), frozenset({"0", "false", "no", "n", ""})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file, where, and what to do. Row 1 is the first row of data; row 0 the file."""

    row: int
    column: str
    message: str

    def __str__(self) -> str:
        where = f"row {self.row}, {self.column}" if self.column else f"row {self.row}"
        return f"{where}: {self.message}" if self.row else self.message


class FileRefused(ValueError):
    """The file cannot be valued; ``problems`` names each reason with its row and column."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class FileLot:
    """One row that can be valued. ``health`` is nothing where it was not given or not believed."""

    id: str
    mass_kg: Decimal
    origin: str
    chemistry: str | None
    mass_is_estimated: bool
    energy_kwh: Decimal | None
    health: Decimal | None
    health_measured: bool
    damaged: bool
    made_year: int | None
    has_history: bool
    country: str
    position: tuple[float, float] | None
    currency: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What a row may name: chemistries with the Wh per kg that packs of them have, origins, the latest year."""

    wh_per_kg: Mapping[str, tuple[Decimal, Decimal]]
    origins: Collection[str]
    this_year: int


def read_lots(data: bytes, *, is_json: bool, known: Known) -> list[FileLot]:
    """Return the lots of a CSV file with a header, or of a JSON list of objects.

    :raises FileRefused: with every problem of every row; then nothing is to be valued
    """
    rows = _json_rows(data) if is_json else _csv_rows(data)
    problems: list[Problem] = []
    lots: list[FileLot] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        if number > MOST_ROWS:
            raise FileRefused([Problem(0, "", f"More than {MOST_ROWS} rows. Split the file.")])
        reader = _Row(number, row, problems)
        lot = _lot(reader, known)
        if lot.id in seen:
            reader.refuse(
                "id", f'"{lot.id}" stands in row {seen[lot.id]} already. Keep one of them.'
            )
        seen.setdefault(lot.id, number)
        lots.append(lot)
    if not lots and not problems:
        problems.append(Problem(0, "", "There are no rows. Put a header and one row for each lot."))
    if problems:
        raise FileRefused(problems)
    return lots


class _Row:
    def __init__(self, number: int, row: Mapping[str, Any], problems: list[Problem]) -> None:
        self._number, self._row, self._problems = number, row, problems

    def refuse(self, column: str, message: str) -> None:
        self._problems.append(Problem(self._number, column, message))

    def text(self, column: str) -> str:
        value = self._row.get(column)
        return "" if value is None else str(value).strip()

    def number(self, column: str, *, what: str) -> Decimal | None:
        text = self.text(column)
        if not text:
            return None
        if "," in text:
            self.refuse(column, f'"{text}" has a comma. Write {what} with a point, as 60.5.')
            return None
        try:
            value = Decimal(text)
        except InvalidOperation:
            self.refuse(column, f'"{text}" is no number. Write {what} in digits.')
            return None
        if not value.is_finite() or value <= 0:
            self.refuse(column, f'"{text}" is not above zero. Give {what}.')
            return None
        return value

    def yes(self, column: str, *, default: bool = False) -> bool:
        text = self.text(column).lower()
        if not text:
            return default
        if text not in TRUE | FALSE:
            self.refuse(column, f'"{text}" is neither yes nor no. Write yes or no.')
        return text in TRUE


def _lot(row: _Row, known: Known) -> FileLot:
    flags: list[str] = []
    name = row.text("id")
    if not name:
        row.refuse("id", "Give each lot a name of its own.")
    mass = row.number("mass_kg", what="kilograms")
    if mass is None and not row.text("mass_kg"):
        row.refuse("mass_kg", "Give the mass in kilograms.")
    if mass is not None and mass > LARGEST_KG:
        row.refuse(
            "mass_kg", f"{mass} kg is too much for one lot. If these are grams, divide by 1000."
        )
    origin = row.text("origin").upper()
    if origin and origin not in known.origins:
        row.refuse(
            "origin", f'"{origin}" is unknown. Use one of {", ".join(sorted(known.origins))}.'
        )
    chemistry = row.text("chemistry").upper() or None
    if chemistry is not None and chemistry not in known.wh_per_kg:
        names = ", ".join(sorted(known.wh_per_kg))
        row.refuse("chemistry", f'"{chemistry}" is unknown. Use one of {names}, or leave it empty.')
        chemistry = None
    energy = row.number("energy_kwh", what="kilowatt hours")
    if mass is not None and energy is not None:
        _compare(row, mass, energy, known.wh_per_kg.get(chemistry or "LI_UNKNOWN"), flags)
    return FileLot(
        id=name,
        mass_kg=mass or Decimal(1),
        origin=origin,
        chemistry=chemistry,
        mass_is_estimated=row.yes("mass_estimated"),
        energy_kwh=energy,
        health=_health(row, flags),
        health_measured=row.yes("health_measured", default=True),
        damaged=row.yes("damaged"),
        made_year=_year(row, known.this_year),
        has_history=row.yes("has_history"),
        country=row.text("country").upper(),
        position=_position(row),
        currency=row.text("currency").upper() or "USD",
        flags=tuple(flags),
    )


def _compare(
    row: _Row,
    mass: Decimal,
    energy: Decimal,
    wh_per_kg: tuple[Decimal, Decimal] | None,
    flags: list[str],
) -> None:
    """Hold energy against mass: a thousandfold difference is a unit, forty percent is a doubt."""
    if wh_per_kg is None:
        return
    low, high = wh_per_kg
    density = 1000 * energy / mass
    if density > 100 * high:
        row.refuse(
            "energy_kwh",
            f"{energy} kWh in {mass} kg cannot be. If it is Wh, divide by 1000; if the mass is in tonnes, give kg.",
        )
    elif density < low / 100:
        row.refuse(
            "mass_kg", f"{mass} kg for {energy} kWh cannot be. If it is in grams, divide by 1000."
        )
    elif density > high * (1 + GAP) or density < low * (1 - GAP):
        flags.append("mass_and_energy_disagree")


def _health(row: _Row, flags: list[str]) -> Decimal | None:
    health = row.number("state_of_health", what="the health as a share, as 0.85")
    if health is None:
        return None
    if health > 2:
        as_share = f"{(health / 100).normalize():f}"
        row.refuse("state_of_health", f"{health} looks like a percentage. Write {as_share}.")
        return None
    if health > HIGHEST_HEALTH:
        flags.append("health_not_believed")
        return None
    return health


def _year(row: _Row, this_year: int) -> int | None:
    text = row.text("made_year")
    if not text:
        return None
    if not text.isdigit() or not 1990 <= int(text) <= this_year:
        row.refuse("made_year", f'"{text}" is no year between 1990 and {this_year}.')
        return None
    return int(text)


def _position(row: _Row) -> tuple[float, float] | None:
    texts = (row.text("latitude"), row.text("longitude"))
    if texts == ("", ""):
        return None
    try:
        latitude, longitude = (float(text) for text in texts)
    except ValueError:
        row.refuse("latitude", "Give both latitude and longitude in degrees, as 18.52 and 73.86.")
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        row.refuse("latitude", f"{latitude}, {longitude} is not on earth. Latitude comes first.")
        return None
    return latitude, longitude


def _text(data: bytes) -> str:
    if len(data) > LARGEST_BYTES:
        raise FileRefused([Problem(0, "", "The file is larger than 200 MB. Split it.")])
    if data[:2] in (b"PK", b"\x1f\x8b"):
        raise FileRefused(
            [Problem(0, "", "The file is packed. Unpack it and give the CSV or JSON.")]
        )
    for encoding in (
        ("utf-8-sig", "utf-16") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",)
    ):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileRefused([Problem(0, "", "The file is not text in UTF-8. Save it as CSV UTF-8.")])


def _csv_rows(data: bytes) -> Iterable[Mapping[str, Any]]:
    text = _text(data)
    first = text.partition("\n")[0]
    reader = csv.DictReader(
        io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ","
    )
    header = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = header
    _check_columns(header)
    try:
        for number, row in enumerate(reader, start=1):
            if None in row:
                message = (
                    f"More cells than the header's {len(header)}. Put texts with commas in quotes."
                )
                raise FileRefused([Problem(number, "", message)])
            yield row
    except csv.Error as fault:
        raise FileRefused([Problem(reader.line_num, "", f"This is no CSV: {fault}.")]) from fault


def _json_rows(data: bytes) -> Iterable[Mapping[str, Any]]:
    try:
        rows = json.loads(_text(data), parse_float=str)
    except (ValueError, RecursionError) as fault:
        raise FileRefused([Problem(0, "", f"This is no JSON: {fault}.")]) from fault
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FileRefused([Problem(0, "", "Give a JSON list with one object for each lot.")])
    for row in rows:
        _check_columns(row)
        yield row


def _check_columns(names: Iterable[str]) -> None:
    problems = []
    for name in names:
        if name in COLUMNS:
            continue
        known = MISTAKEN.get(name.lower())
        advice = f"Name it {known}, in that unit." if known else f"Use {', '.join(COLUMNS)}."
        problems.append(Problem(0, name, f'The column "{name}" is unknown. {advice}'))
    if problems:
        raise FileRefused(problems)
