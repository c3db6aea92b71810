"""Test files: what cyclers and impedance meters export, and the plain format of ``docs/test-data.md``.

Reading is all or nothing. What is wrong is named with its row, counted as a spreadsheet counts, and its column. A unit
in a column's name is believed; nothing is guessed here: that takes the rated figures, see ``test_results``.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

LARGEST_BYTES = 10 * 2**20
"""A day at five rows a second. Reading takes about 25 bytes of memory for each of the file."""
MOST_COLUMNS = 500
LONGEST_PREAMBLE = 300
MOST_RUNS = 2000

MAKERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "": {  # the plain format
        "cell": ("cell", "cell id"),
        "time": ("time",),
        "current": ("current",),
        "voltage": ("voltage",),
        "temperature": ("temperature",),
        "frequency": ("frequency",),
        "z_real": ("z real",),
        "z_imag": ("z imag",),
        "rated_ah": ("rated ah", "nominal ah"),
        "measured_ah": ("measured ah",),
        "rated_wh": ("rated wh", "nominal wh"),
        "measured_wh": ("measured wh",),
        "resistance": ("resistance",),
        "rated_resistance": ("rated resistance",),
    },
    "PulseBat": {
        "cell": ("cell id",),
        "rated_ah": ("nominal ah",),
        "measured_ah": ("measured ah",),
        "resistance": ("dc resistance",),
    },
    "Arbin": {
        "time": ("test time",),
        "step_time": ("step time",),
        "current": ("current",),
        "voltage": ("voltage",),
        "temperature": ("aux temperature 1", "temperature 1"),
        "step": ("step index",),
        "cycle": ("cycle index",),
    },
    "Neware": {
        "time": ("total time", "test time", "总时间", "测试时间"),
        "step_time": ("time", "relative time", "step time", "时间"),
        "current": ("current", "cur", "电流"),
        "voltage": ("voltage", "vol", "电压"),
        "temperature": ("t1", "temperature", "aux t1", "温度"),
        "state": ("step type", "status", "state", "工步类型"),
        "step": ("step index", "step id", "step"),
        "cycle": ("cycle index", "cycle id", "cycle"),
    },
    "Maccor": {
        "time": ("test time", "testtime", "test"),
        "current": ("current", "amps"),
        "voltage": ("voltage", "volts"),
        "temperature": ("temp 1", "evtemp"),
        "state": ("state", "md"),
        "step": ("step",),
        "cycle": ("cycle p", "cyc#", "cycle"),
    },
    "BioLogic": {
        "time": ("time",),
        "current": ("<i>", "i"),
        "voltage": ("ewe", "ecell", "<ewe>"),
        "temperature": ("temperature",),
        "frequency": ("freq",),
        "z_real": ("re(z)",),
        "-z_imag": ("-im(z)",),
        "step": ("ns",),
    },
    "Basytec": {
        "time": ("time",),
        "current": ("i",),
        "voltage": ("u",),
        "temperature": ("t1",),
        "step": ("line",),
        "state": ("command",),
    },
    "Novonix": {
        "time": ("run time",),
        "step_time": ("step time",),
        "current": ("current",),
        "voltage": ("potential",),
        "temperature": ("temperature",),
        "step": ("step number",),
        "cycle": ("cycle number",),
    },
    "Gamry": {"frequency": ("freq",), "z_real": ("zreal",), "z_imag": ("zimag",)},
    "Metrohm": {"frequency": ("frequency",), "z_real": ("z'",), "-z_imag": ("-z''",)},
}
"""Maker -> what it is -> how that maker's text exports head the column, without unit, in small letters.

:source: export column names as the public documentation of PyProBE (BSD-3-Clause), beep and cellpy lists them
"""

CLOCK = 0.0
"""In place of a factor: the value is written as a clock shows it."""
UNITS: Mapping[str, Mapping[str, float]] = {
    "time": {
        **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
        **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
        **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
        "ms": 1e-3,
        **dict.fromkeys(("h:min:s.ms", "hh:mm:ss", "h:m:s", "hh:mm:ss.ms"), CLOCK),
    },
    "current": {"a": 1.0, "amps": 1.0, "amp": 1.0, "ma": 1e-3, "µa": 1e-6, "ua": 1e-6},
    "voltage": {"v": 1.0, "volts": 1.0, "volt": 1.0, "mv": 1e-3},
    "temperature": dict.fromkeys(("c", "°c", "degc", "deg c", "℃", "oc"), 1.0),
    "frequency": {"hz": 1.0, "khz": 1e3, "mhz": 1e-3},
    "resistance": {
        **dict.fromkeys(("ohm", "ohms", "Ω", "ω"), 1.0),
        **dict.fromkeys(("mohm", "mω"), 1e-3),
        **dict.fromkeys(("µohm", "uohm", "µω"), 1e-6),
    },
    "capacity": {"ah": 1.0, "mah": 1e-3},
    "energy": {"wh": 1.0, "mwh": 1e-3, "kwh": 1e3},
}
"""Kind -> unit -> how many seconds, amperes, volts, ohms ... one of it is."""
KINDS = {
    "step_time": "time",
    "z_real": "resistance",
    "z_imag": "resistance",
    "-z_imag": "resistance",
    "rated_resistance": "resistance",
    "rated_ah": "capacity",
    "measured_ah": "capacity",
    "rated_wh": "energy",
    "measured_wh": "energy",
}
WORDS = frozenset({"cell", "state"})
OPTIONAL = frozenset(
    {"temperature", "rated_resistance", "resistance", "rated_wh", "measured_wh", "step", "cycle"}
)
EVERY_UNIT = frozenset(unit for units in UNITS.values() for unit in units)
NEEDED = (
    ("impedance", frozenset({"frequency", "z_real", "z_imag"})),
    ("cycling", frozenset({"time", "current"})),
    ("results", frozenset({"cell", "rated_ah", "measured_ah"})),
)
MAGIC = {
    b"PK\x03\x04": "compressed",
    b"PK\x05\x06": "compressed",
    b"\x1f\x8b": "compressed",
    b"BZh": "compressed",
    b"\xfd7zXZ": "compressed",
    b"7z\xbc\xaf": "compressed",
    b"Rar!": "compressed",
    b"\x28\xb5\x2f\xfd": "compressed",
    b"\xd0\xcf\x11\xe0": "binary",
    b"\x89HDF": "binary",
    b"%PDF": "binary",
    b"NEWARE": "binary",
    b"BIO-LOGIC MODULAR FILE": "binary",
}


class Unreadable(ValueError):
    """A test file, or a figure in it, that we do not take.

    :param code: what is wrong, for the sentence that people read
    :param row: where, as a spreadsheet counts; 0: nowhere in particular
    :param found: what stands there, shortened
    """

    def __init__(self, code: str, *, row: int = 0, column: str = "", found: str = "") -> None:
        super().__init__(f"{code} row={row} column={column!r} found={found!r}")
        self.code, self.row, self.column, self.found = code, row, column[:60], found[:60]


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was understood otherwise than written, or that a reader should know. Never silent."""

    code: str
    row: int = 0
    column: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """The rows of one thing that was tested, in SI units: s, A, V, °C, Hz, ohm. ``rows`` are numbers in the file."""

    cell: str
    rows: NDArray[np.int64]
    columns: Mapping[str, Floats]
    cells: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Table:
    """A test file that was read whole."""

    kind: str
    """``cycling``, ``impedance`` or ``results``: one row for each cell"""
    maker: str
    header: Mapping[str, tuple[str, int]]
    """The ``# key: value`` lines: key -> value and row."""
    runs: tuple[Run, ...]
    named: Mapping[str, str]
    """What it is -> how the file heads that column."""
    unlabelled: frozenset[str]
    """What it is, where the column names no unit."""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """Where in the file the columns are named, and what they are."""

    at: int
    delimiter: str
    fields: tuple[str, ...]
    maker: str
    where: Mapping[str, int]
    units: Mapping[str, str]
    cells: Mapping[str, int]


def read(content: bytes) -> Table:
    """Read a test file: a maker's text export, or the plain format.

    :raises Unreadable: if it is empty, too large, compressed, no text, without the columns that a test needs, or if
        any value of those columns is missing, no number, or out of order; nothing of it is kept then
    """
    lines = _text(content).splitlines()
    head = _head(lines)
    header = _header(lines[: head.at])
    texts, numbers = _columns(lines, head)
    notes: list[Note] = [] if not head.maker else [Note("maker", found=head.maker)]
    comma = _decimal_comma(texts, numbers, head)
    if comma is not None:
        notes.append(Note("decimal_comma" if comma else "thousands_comma"))
    read_: dict[str, Floats] = {}
    named = {name: head.fields[at] for name, at in head.where.items()}
    for name, values in texts.items():
        if name in WORDS:
            continue
        column = named.get(name) or head.fields[head.cells[name]]
        unit = head.units.get(name, "")
        read_[name] = _floats(
            values, numbers, name=name, column=column, unit=unit, comma=bool(comma)
        )
        kind = KINDS.get(name, name)
        if UNITS.get(kind, {}).get(unit, 1.0) not in (1.0, CLOCK):
            as_written = re.search(re.escape(unit), column, re.IGNORECASE)
            shown = as_written[0] if as_written else unit
            notes.append(Note("unit_converted", column=column, found=shown))
    runs, more = _runs(texts, read_, numbers, head, named)
    unlabelled = frozenset(name.lstrip("-") for name in texts if not head.units.get(name))
    kind = _kind(head.where)
    return Table(
        kind, head.maker, header, runs, named, unlabelled, tuple(dict.fromkeys([*notes, *more]))
    )


def write(table: Table) -> str:
    """Write a table in the plain format. Reading it again gives the same numbers."""
    lines = [f"# {key}: {value}" for key, (value, _row) in table.header.items()]
    heads = {
        "time": "time_s",
        "current": "current_a",
        "voltage": "voltage_v",
        "temperature": "temperature_c",
        "frequency": "frequency_hz",
        "z_real": "z_real_ohm",
        "z_imag": "z_imag_ohm",
        "resistance": "resistance_ohm",
        "rated_resistance": "rated_resistance_ohm",
    }
    first = table.runs[0]
    names, cells = list(first.columns), list(first.cells)
    several = len(table.runs) > 1 or bool(first.cell)
    columns = [*(["cell"] if several else []), *(heads.get(name, name) for name in names)]
    lines.append(",".join([*columns, *(f"v_cell_{cell}" for cell in cells)]))
    for run in table.runs:
        values = [*(run.columns[name] for name in names), *(run.cells[cell] for cell in cells)]
        label = ['"' + run.cell.replace('"', '""') + '"'] if several else []
        lines += [
            ",".join([*label, *("" if np.isnan(value) else repr(float(value)) for value in row)])
            for row in zip(*values, strict=True)
        ]
    return "\n".join(lines) + "\n"


# --- text ---------------------------------------------------------------------------------------------
def _text(content: bytes) -> str:
    if not content.strip():
        raise Unreadable("empty")
    if len(content) > LARGEST_BYTES:
        raise Unreadable("too_large")
    for magic, code in MAGIC.items():
        if content.startswith(magic):
            raise Unreadable(code)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise Unreadable("binary") from None
    if b"\0" in content:
        raise Unreadable("binary")
    for coding in ("utf-8-sig", "gb18030", "cp1252"):
        try:
            text = content.decode(coding)
        except UnicodeDecodeError:
            continue
        if coding != "gb18030" or re.search("电压|电流", text[:20_000]):
            return text
    return content.decode("latin-1")


def _header(lines: Sequence[str]) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for row, line in enumerate(lines, start=1):
        if match := re.match(r'^\W?#\s*([A-Za-z_ ]{1,40}?)\s*[:=]\s*(.*?)[\s,;"]*$', line):
            key = match[1].strip().lower().replace(" ", "_")
            if key in found and found[key][0] != match[2]:
                raise Unreadable("said_twice", row=row, column=key, found=match[2])
            found[key] = (match[2], row)
    return found


def _head(lines: Sequence[str]) -> Head:
    best: tuple[int, Head] | None = None
    for at, line in enumerate(lines[:LONGEST_PREAMBLE]):
        if line.lstrip('"').startswith("#") or not line.strip():
            continue
        for delimiter in "\t;,|":
            if delimiter not in line:
                continue
            fields = tuple(name.strip() for name in next(csv.reader([line], delimiter=delimiter)))
            if len(fields) > MOST_COLUMNS:
                raise Unreadable("too_many_columns", row=at + 1, found=str(len(fields)))
            for score, head in _fits(at, delimiter, fields):
                if best is None or score > best[0]:
                    best = (score, head)
        if best is not None:
            return best[1]
    raise Unreadable("no_columns", row=1, found=lines[0] if lines else "")


def _fits(at: int, delimiter: str, fields: tuple[str, ...]) -> Iterator[tuple[int, Head]]:
    split = [_split(name) for name in fields]
    cells = {
        match[1].lstrip("0") or "0": index
        for index, (name, _unit) in enumerate(split)
        if (
            match := re.fullmatch(
                r"(?:v |u )?(?:cell|vcell|cell voltage|cell v) ?(\d+)(?: v)?", name
            )
        )
    }
    for maker, names in MAKERS.items():
        where: dict[str, int] = {}
        for what, known in names.items():
            for name in known:
                at_ = next((i for i, (found, _unit) in enumerate(split) if found == name), None)
                if at_ is not None:
                    where.setdefault(what, at_)
        score = len(where)
        if "time" not in where and "step_time" in where:
            where["time"] = where["step_time"]
        elif "step_time" in where:
            del where["step_time"]
        if not _kind(where):
            continue
        units = {what: split[index][1] for what, index in where.items()}
        units |= {f"cell {cell}": split[index][1] for cell, index in cells.items()}
        named_cells = {f"cell {cell}": index for cell, index in cells.items()}
        yield score, Head(at, delimiter, fields, maker, where, units, named_cells)


def _split(head: str) -> tuple[str, str]:
    """Take a column's name and its unit apart: "Ewe/V", "U[V]", "Voltage (V)", "voltage_v".

    >>> _split("Test_Time(s)"), _split("Re(Z)/Ohm"), _split("~Time[h]"), _split("current_a"), _split("Potential (V)")
    (('test time', 's'), ('re(z)', 'ohm'), ('time', 'h'), ('current', 'a'), ('potential', 'v'))
    """
    text = head.strip().lstrip("~").strip().casefold().replace("\u03bc", "µ")
    for pattern in (
        r"(?P<name>.+)/(?P<unit>[^/]+)",
        r"(?P<name>.+?)\s*[\[(](?P<unit>[^\])]*)[\])]",
        r"(?P<name>.+)_(?P<unit>[^_]+)",
        r"(?P<name>.+)_(?P<unit>[^_]+)_from_.+",
    ):
        match = re.fullmatch(pattern, text)
        if match and match["unit"].strip() in EVERY_UNIT:
            name, unit = match["name"], match["unit"].strip()
            if re.search(r"(rated|nominal|measured)$", name.strip()):
                return f"{_plain(name)} {unit[-2:]}", unit  # rated_ah in mAh is still a rated_ah
            return _plain(name), unit
    return _plain(text), ""


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").strip(" .").split())


def _kind(where: Mapping[str, int]) -> str:
    have = {name.lstrip("-") for name in where}
    for kind, needed in NEEDED:
        if needed <= have:
            return kind
    return ""


# --- rows ---------------------------------------------------------------------------------------------
def _columns(lines: Sequence[str], head: Head) -> tuple[dict[str, list[str]], list[int]]:
    """Take the wanted columns out of the rows, as they are written."""
    wanted = {**head.where, **head.cells}
    texts: dict[str, list[str]] = {name: [] for name in wanted}
    numbers: list[int] = []
    reader = csv.reader(islice(lines, head.at + 1, None), delimiter=head.delimiter)
    last = max(wanted.values())
    try:
        for fields in reader:
            row = head.at + 1 + reader.line_num
            if not any(map(str.strip, fields)) or fields[0].lstrip().startswith("#"):
                continue
            if not numbers and not any(re.search(r"\d", text) for text in fields):
                continue  # a row of units under the names
            if len(fields) <= last:
                missing = next(name for name, index in wanted.items() if index >= len(fields))
                raise Unreadable("row_too_short", row=row, column=head.fields[wanted[missing]])
            if any(map(str.strip, fields[len(head.fields) :])):
                raise Unreadable(
                    "row_too_long",
                    row=row,
                    column=head.fields[-1],
                    found=f"{len(fields)} > {len(head.fields)}",
                )
            numbers.append(row)
            for name, index in wanted.items():
                texts[name].append(fields[index].strip())
    except csv.Error as broken:
        row = head.at + 1 + reader.line_num
        raise Unreadable("row_broken", row=row, found=str(broken)) from None
    if not numbers:
        raise Unreadable("no_rows", row=head.at + 1)
    return texts, numbers


def _decimal_comma(
    texts: Mapping[str, list[str]], numbers: Sequence[int], head: Head
) -> bool | None:
    """Tell whether commas are decimal signs in this file; ``None`` if there are none.

    :raises Unreadable: if they are so in one place and not in another, or it cannot be told
    """
    decided: bool | None = None
    unclear: tuple[int, str, str] | None = None
    for name, values in texts.items():
        if name in WORDS:
            continue
        index = head.where.get(name, head.cells.get(name, 0))
        for row, text in zip(numbers, values, strict=True):
            if "," not in text:
                continue
            if "." in text:
                here = text.rindex(",") > text.rindex(".")
            elif re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+", text) and head.delimiter != ";":
                unclear = unclear or (row, head.fields[index], text)
                continue
            else:
                here = True
            if decided is not None and decided != here:
                raise Unreadable("numbers_mixed", row=row, column=head.fields[index], found=text)
            decided = here
    if decided is None and unclear is not None:
        row, column, text = unclear
        raise Unreadable("number_unclear", row=row, column=column, found=text)
    return decided


def _floats(
    values: list[str], numbers: Sequence[int], *, name: str, column: str, unit: str, comma: bool
) -> Floats:
    kind = "voltage" if name.startswith("cell ") else KINDS.get(name, name)
    factor = UNITS.get(kind, {}).get(unit, 1.0)
    if unit and kind in UNITS and unit not in UNITS[kind]:
        raise Unreadable("unit_unknown", column=column, found=unit)
    try:
        read_ = np.fromiter(map(float, values), np.float64, len(values))
    except ValueError:
        optional = name in OPTIONAL
        read_ = np.array(
            [
                _float(text, row, column=column, optional=optional, kind=kind, comma=comma)
                for row, text in zip(numbers, values, strict=True)
            ]
        )
    odd = ~np.isfinite(read_)
    if name in OPTIONAL:
        odd &= np.array([bool(text) for text in values])
    if odd.any():
        at = int(odd.argmax())
        raise Unreadable("not_a_number", row=numbers[at], column=column, found=values[at])
    return read_ * (factor or 1.0)


DAYS_AND_CLOCK = re.compile(r"(?:(\d+)\s*[d\-\s]\s*)?(\d+):(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")


def _float(text: str, row: int, *, column: str, optional: bool, kind: str, comma: bool) -> float:
    if not text:
        if optional:
            return float("nan")
        raise Unreadable("cell_empty", row=row, column=column)
    if kind == "time" and (clock := DAYS_AND_CLOCK.fullmatch(text)):
        days, hours, minutes, seconds = clock.groups(default="0")
        whole = int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60
        return whole + float(seconds.replace(",", "."))
    bare = re.sub(r"(?<=\d)[\s'\u2019\u00a0\u202f](?=\d{3})", "", text).replace("\u2212", "-")
    bare = (
        bare.replace(".", "").replace(",", ".") if comma and "," in bare else bare.replace(",", "")
    )
    try:
        return float(bare)
    except ValueError:
        raise Unreadable("not_a_number", row=row, column=column, found=text) from None


# --- runs ---------------------------------------------------------------------------------------------
def _runs(
    texts: Mapping[str, list[str]],
    read_: dict[str, Floats],
    numbers: Sequence[int],
    head: Head,
    named: Mapping[str, str],
) -> tuple[tuple[Run, ...], list[Note]]:
    """Cut the rows into one run for each cell, and look at the order of time in each."""
    notes: list[Note] = []
    if "-z_imag" in read_:
        read_["z_imag"] = -read_.pop("-z_imag")
    if "state" in texts and "current" in read_ and not (read_["current"] < 0).any():
        signs = np.array([_sign_of(state) for state in texts["state"]])
        if (signs < 0).any():
            read_["current"] = read_["current"] * signs
            notes.append(Note("sign_from_state", column=named["state"]))
    rows = np.array(numbers)
    results = _kind(head.where) == "results"
    groups: dict[str, list[int]] = {}
    for at, cell in enumerate(texts.get("cell", [""] * len(numbers))):
        if results and cell in groups:
            raise Unreadable("cell_twice", row=numbers[at], column=named["cell"], found=cell)
        groups.setdefault(cell, []).append(at)
    if len(groups) > MOST_RUNS:
        raise Unreadable("too_many_cells", found=str(len(groups)))
    runs = []
    for cell, places in groups.items():
        part = np.array(places)
        columns = {name: read_[name][part] for name in read_ if not name.startswith("cell ")}
        cells = {name[5:]: read_[name][part] for name in read_ if name.startswith("cell ")}
        columns.pop("step_time", None)
        if "time" in columns:
            by_step = head.where["time"] == head.where.get("step_time")
            written = [texts["time"][at] for at in places]
            columns["time"] = _in_order(
                columns["time"], rows[part], named["time"], by_step, written, notes
            )
        runs.append(Run(cell, rows[part], columns, cells))
    return tuple(runs), notes


def _sign_of(state: str) -> float:
    word = state.strip().casefold()
    if word in ("d", "dch") or "dch" in word or "disch" in word or "放电" in word:
        return -1.0
    return 1.0


def _in_order(
    time: Floats,
    rows: NDArray[np.int64],
    column: str,
    by_step: bool,
    written: Sequence[str],
    notes: list[Note],
) -> Floats:
    steps = np.diff(time)
    if by_step and (steps < 0).any():
        # each step starts its own clock: add what went before
        time = time + np.concatenate(([0.0], np.cumsum(np.where(steps < 0, time[:-1], 0.0))))
        notes.append(Note("step_times_added", column=column))
        steps = np.diff(time)
    if (steps < 0).any():
        at = int((steps < 0).argmax()) + 1
        raise Unreadable(
            "time_backwards",
            row=int(rows[at]),
            column=column,
            found=f"{written[at - 1]} → {written[at]}",
        )
    still = steps == 0
    if still.any():
        at = int(still.argmax()) + 1
        if still.sum() > max(20, len(time) // 10):
            raise Unreadable("time_stands_still", row=int(rows[at]), column=column)
        notes.append(Note("time_repeats", row=int(rows[at]), column=column, found=str(still.sum())))
    return time
