"""What a test says of a battery's health: claims with a band, a basis and a level, and what is doubted about them.

Three tests: how much comes out between the cut-offs (capacity, energy), how far the voltage falls under a step of current,
and where the impedance meets the real axis (both resistance). A list of results, one row a cell, is read as well.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .test_data import Floats, Note, Run, Table, Unreadable

ACCURACY = 0.01
"""Of current, voltage and time together, when the instrument does not say better.

:source: our own assumption
"""
PER_KELVIN = {"CAPACITY": 0.006, "ENERGY": 0.006, "RESISTANCE": 0.02}
"""How much a result moves with each kelvin away from 25 °C.

:source: our own assumption: 0.6 % for capacity and energy, 2 % for resistance
"""
ROOM_C = 25.0
COMFORT_C = (15.0, 35.0)
UNKNOWN_KELVIN = 5.0
"""How far from 25 °C a test may have been that names no temperature."""
SAID_FULL = 0.02
"""What a full charge that is only said, and not in the file, may be short of."""
UNKNOWN_WINDOW = 0.03
NEAR = 0.02
"""How near to a cut-off, as a share of it, counts as reached."""
BEYOND = 0.05
LONGEST_STEP_S = 10.0
CURVE_POINTS = 120
MOST_CELLS_SHOWN = 300

CELL_WINDOWS: Mapping[str, tuple[float, float]] = {
    "LFP": (2.5, 3.65),
    "NMC111": (2.8, 4.2),
    "NMC532": (2.8, 4.2),
    "NMC622": (2.8, 4.2),
    "NMC811": (2.8, 4.2),
    "NCA": (2.7, 4.2),
    "LCO": (3.0, 4.2),
    "LMO": (3.0, 4.2),
    "LTO": (1.5, 2.7),
    "PBA": (1.75, 2.4),
    "NIMH": (1.0, 1.45),
    "NICD": (1.0, 1.45),
    "NAION": (2.0, 3.9),
}
"""Chemistry -> volts of a cell that is empty and full, where a file does not say.

:source: usual data-sheet values; our own choice among them
"""

GRADES = (("A", 0.90), ("B", 0.80), ("C", 0.70), ("D", 0.60), ("R", 0.0))
"""Grade -> lowest health.

:source: shared domain table 05_grading_bands, scheme platform_default; there is no harmonised scheme
"""


def grade(health: float) -> str:
    """Return the grade of a health.

    >>> grade(0.805), grade(0.9), grade(0.5999), grade(1.01)
    ('B', 'A', 'R', 'A')
    """
    return next(letter for letter, lowest in GRADES if health >= lowest)


@dataclass(frozen=True, slots=True)
class Said:
    """What the tester says about a test beside the numbers of the instrument. Nothing: not said."""

    test: str = ""
    """``capacity``, ``pulse`` or nothing"""
    tested: str = ""
    """``PACK``, ``WEAKEST_CELL`` or ``SAMPLE``"""
    rated_ah: float | None = None
    rated_wh: float | None = None
    rated_ohm: float | None = None
    low_v: float | None = None
    high_v: float | None = None
    cells_in_series: int | None = None
    accuracy: float | None = None
    temperature_c: float | None = None
    instrument: str = ""
    tested_on: str = ""
    charged_fully: bool = False
    pulse_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim that a test supports."""

    value: float
    uncertainty: float
    basis: str
    level: str
    method: str
    temperature_c: float | None = None
    window: str = ""
    doubts: tuple[str, ...] = ()
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a test file says. ``curve``: x and y of the one line worth drawing."""

    findings: tuple[Finding, ...]
    notes: tuple[Note, ...]
    said: Said
    curve: tuple[tuple[float, float], ...] = ()
    figures: Mapping[str, Any] | None = None


AMOUNTS = {
    "rated_ah": ("rated_ah", {"": 1.0, "ah": 1.0, "mah": 1e-3}),
    "rated_wh": ("rated_wh", {"": 1.0, "wh": 1.0, "kwh": 1e3, "mwh": 1e-3}),
    "rated_mohm": ("rated_ohm", {"": 1e-3, "mohm": 1e-3, "ohm": 1.0}),
    "cutoff_low_v": ("low_v", {"": 1.0, "v": 1.0, "mv": 1e-3}),
    "cutoff_high_v": ("high_v", {"": 1.0, "v": 1.0, "mv": 1e-3}),
    "temperature_c": ("temperature_c", {"": 1.0, "c": 1.0, "°c": 1.0}),
    "pulse_at_s": ("pulse_at_s", {"": 1.0, "s": 1.0, "ms": 1e-3}),
}
TESTED = {
    "pack": "PACK",
    "module": "PACK",
    "weakest_cell": "WEAKEST_CELL",
    "weakest cell": "WEAKEST_CELL",
    "sample": "SAMPLE",
    "cell": "SAMPLE",
}


def said_in(header: Mapping[str, tuple[str, int]]) -> Said:
    """Read the ``# key: value`` lines. Keys that we do not know are left alone.

    :raises Unreadable: if a value is not what its key asks for
    """
    fields: dict[str, Any] = {}
    for key, (text, row) in header.items():
        wrong = Unreadable("header_unclear", row=row, column=key, found=text)
        if key in AMOUNTS:
            name, units = AMOUNTS[key]
            fields[name] = _amount(text, units, wrong)
        elif key == "accuracy":
            fields["accuracy"] = _share(text, wrong)
        elif key == "cells_in_series":
            if not re.fullmatch(r"[1-9]\d{0,3}", text):
                raise wrong
            fields["cells_in_series"] = int(text)
        elif key == "tested":
            if text.lower() not in TESTED:
                raise wrong
            fields["tested"] = TESTED[text.lower()]
        elif key == "test":
            if text.lower() not in ("capacity", "pulse", "impedance", "results"):
                raise wrong
            fields["test"] = text.lower()
        elif key == "charged_fully":
            if text.lower() not in ("yes", "no"):
                raise wrong
            fields["charged_fully"] = text.lower() == "yes"
        elif key == "tested_on":
            if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
                raise wrong
            fields["tested_on"] = text
        elif key == "instrument":
            fields["instrument"] = text[:100]
    return Said(**fields)


def _amount(text: str, units: Mapping[str, float], wrong: Unreadable) -> float:
    match = re.fullmatch(r"(-?\d+(?:[.,]\d+)?)\s*([A-Za-zµ°Ω]*)", text)
    unit = match[2].lower() if match else ""
    if match is None or unit not in units:
        raise wrong
    return float(match[1].replace(",", ".")) * units[unit]


def _share(text: str, wrong: Unreadable) -> float:
    match = re.fullmatch(r"(\d+(?:[.,]\d+)?)\s*(%?)", text)
    if match is None:
        raise wrong
    share = float(match[1].replace(",", ".")) / (100 if match[2] else 1)
    if not 0 < share <= 0.2:  # 0.5 without a sign: half of it, or half a percent?
        raise wrong
    return share


def together(file: Said, form: Said) -> Said:
    """Return what file and form say together.

    :raises Unreadable: if they contradict each other
    """
    merged: dict[str, Any] = {}
    for name in Said.__dataclass_fields__:
        in_file, in_form = getattr(file, name), getattr(form, name)
        alike = (
            math.isclose(in_file, in_form, rel_tol=1e-6)
            if isinstance(in_file, float) and isinstance(in_form, float)
            else in_file == in_form
        )
        if in_file and in_form and not alike and name != "instrument":
            raise Unreadable("form_contradicts", column=name, found=f"{in_file} ≠ {in_form}")
        merged[name] = in_form or in_file
    return Said(**merged)


def judge(table: Table, *, said: Said | None = None, chemistry: str = "") -> Findings:
    """Say what a test shows of a battery's health.

    :param said: what the form said beside the file
    :param chemistry: for the usual cell voltages, where nobody gives the cut-offs
    :raises Unreadable: if it shows nothing, or units must be confused
    """
    said = together(said_in(table.header), said or Said())
    for name in ("rated_ah", "rated_wh", "rated_ohm", "low_v", "high_v"):
        amount = getattr(said, name)
        if amount is not None and not 0 < amount < 1e7:
            raise Unreadable("header_unclear", column=name, found=f"{amount:g}")
    if said.low_v is not None and said.high_v is not None and said.low_v >= said.high_v:
        raise Unreadable("header_unclear", column="cutoff_low_v", found=f"{said.low_v:g}")
    if table.kind == "results":
        return _results(table, said)
    if table.kind == "impedance":
        return _resistances(table, said, method="IMPEDANCE")
    if said.test == "pulse":
        return _resistances(table, said, method="PULSE_TEST")
    return _capacities(table, said, chemistry)


# --- capacity -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Discharge:
    """One discharge: from row ``first`` to row ``last`` of a run, both included."""

    first: int
    last: int
    ah: float
    wh: float | None
    edge_ah: float
    reaches_top: bool | None
    reaches_bottom: bool | None
    goes_beyond: bool

    @property
    def is_full(self) -> bool:
        return self.reaches_top is not False and self.reaches_bottom is not False


def _capacities(table: Table, said: Said, chemistry: str) -> Findings:
    if said.rated_ah is None and said.rated_wh is None:
        raise Unreadable("rated_missing", column="rated_ah")
    parts, notes = [], list(table.notes)
    curve: list[tuple[float, float]] = []
    for run in table.runs:
        run, more = _units_checked(table, run, said)
        run, turned = _signed(run)
        notes += [*more, *turned]
        window = _window(run, said, chemistry)
        chosen, among = _chosen(run, window, said, table)
        parts.append(_of_discharge(run, chosen, window, said, among, table))
        curve = curve or _curve(run, chosen)
    claims = _of_one(parts[0]) if len(parts) == 1 else _of_several(parts, table, said)
    return Findings(tuple(claims), tuple(dict.fromkeys(notes)), said, tuple(curve))


def discharged_ah(time: Floats, current: Floats) -> float:
    """Integrate what was discharged (current below zero) over the rows, in Ah; never negative.

    >>> discharged_ah(np.array([0.0, 3600.0]), np.array([-2.0, -2.0]))
    2.0
    """
    return float(np.trapezoid(np.maximum(-current, 0.0), time) / 3600.0)


def _discharges(run: Run, window: tuple[float, float] | None, said: Said) -> list[Discharge]:
    """Cut a run into its discharges. Rests do not end one; charging does."""
    time, current = run.columns["time"], run.columns["current"]
    voltage = run.columns.get("voltage")
    quiet = 0.005 * float(np.abs(current).max(initial=0.0))
    state = np.where(current < -quiet, -1, np.where(current > quiet, 1, 0))
    found: list[Discharge] = []
    charged_from = 0
    at = 0
    while at < len(state):
        if state[at] != -1:
            at += 1
            continue
        first = last = at
        while at < len(state) and state[at] != 1:
            last = at if state[at] == -1 else last
            at += 1
        inside = slice(first, last + 1)
        draw = np.where(state[inside] == -1, -current[inside], 0.0)
        # the interval into a rest belongs to the rest: its length says when it was logged, not when current flowed
        steps = np.diff(time[inside])
        flows = (state[inside][:-1] == -1) & (state[inside][1:] == -1)
        mean = (draw[:-1] + draw[1:]) / 2
        ah = float((mean * steps)[flows].sum() / 3600)
        wh = None
        if voltage is not None:
            power = draw * voltage[inside]
            wh = float((((power[:-1] + power[1:]) / 2) * steps)[flows].sum() / 3600)
        usual = float(np.median(steps[flows])) if flows.any() else 0.0
        top, bottom, beyond = _reach(voltage, charged_from, first, last, window, said)
        edge = usual * float(draw.max(initial=0.0)) / 3600 / 2
        found.append(Discharge(first, last, ah, wh, edge, top, bottom, beyond))
        charged_from = last + 1
    return [one for one in found if one.ah > 0]


def _reach(
    voltage: Floats | None,
    since: int,
    first: int,
    last: int,
    window: tuple[float, float] | None,
    said: Said,
) -> tuple[bool | None, bool | None, bool]:
    if voltage is None or window is None:
        return (True if said.charged_fully else None), None, False
    low, high = window
    highest = float(voltage[since : first + 1].max())
    lowest = float(voltage[first : last + 1].min())
    top = highest >= high * (1 - NEAR) or said.charged_fully
    beyond = lowest < low * (1 - BEYOND) or highest > high * (1 + BEYOND)
    return top, lowest <= low * (1 + NEAR), beyond


def _chosen(
    run: Run, window: tuple[float, float] | None, said: Said, table: Table
) -> tuple[Discharge, int]:
    """Return the last full discharge, else the largest one, and how many there are."""
    found = _discharges(run, window, said)
    if not found:
        raise Unreadable("no_discharge", row=int(run.rows[0]), column=table.named["current"])
    largest = max(one.ah for one in found)
    full = [one for one in found if one.is_full and one.ah > 0.5 * largest]
    return (full[-1] if full else max(found, key=lambda one: one.ah)), len(found)


@dataclass(frozen=True, slots=True)
class Part:
    """What one run gives: the pack's findings, and its weakest cell's if that can be told."""

    cell: str
    pack: tuple[Finding, ...]
    weakest: tuple[Finding, ...] = ()


def _of_discharge(
    run: Run,
    chosen: Discharge,
    window: tuple[float, float] | None,
    said: Said,
    among: int,
    table: Table,
) -> Part:
    doubts = []
    extra = [said.accuracy or ACCURACY]
    if not chosen.is_full:
        doubts.append("window_not_full")
    if chosen.goes_beyond:
        doubts.append("window_too_wide")
    if window is None or chosen.reaches_bottom is None:
        doubts.append("window_unknown")
        extra.append(UNKNOWN_WINDOW)
    if said.charged_fully and "window_not_full" not in doubts:
        doubts.append("full_charge_said")
        extra.append(SAID_FULL)
    temperature, more = _temperature(run, slice(chosen.first, chosen.last + 1), said)
    doubts += more
    seen = ""
    if "voltage" in run.columns:
        part = run.columns["voltage"][chosen.first : chosen.last + 1]
        seen = f"{part.min():.2f} to {part.max():.2f} V"
    details: dict[str, Any] = {
        "cell": run.cell,
        "measured_ah": round(chosen.ah, 4),
        "rated_ah": said.rated_ah,
        "discharges": among,
        "rows": [int(run.rows[chosen.first]), int(run.rows[chosen.last])],
    }
    if chosen.wh is not None:
        details |= {"measured_wh": round(chosen.wh, 4), "rated_wh": said.rated_wh}
    claims = []
    for basis, measured, rated in (
        ("CAPACITY", chosen.ah, said.rated_ah),
        ("ENERGY", chosen.wh, said.rated_wh),
    ):
        if measured is None or rated is None:
            continue
        value = measured / rated
        _believable(value, measured, rated, run, table)
        band = _band(value, [*extra, chosen.edge_ah / chosen.ah], basis, temperature)
        claims.append(
            Finding(
                value,
                band,
                basis,
                said.tested or "SAMPLE",
                "CAPACITY_TEST",
                temperature,
                seen,
                tuple(doubts),
                details,
            )
        )
    return Part(run.cell, tuple(claims), _weakest(run, chosen, window, said, claims))


def _weakest(
    run: Run,
    chosen: Discharge,
    window: tuple[float, float] | None,
    said: Said,
    claims: list[Finding],
) -> tuple[Finding, ...]:
    """Say how much a chain gives until its weakest cell is empty, if one was emptied."""
    if not run.cells or window is None or said.rated_ah is None or not claims:
        return ()
    if said.tested == "WEAKEST_CELL":
        return ()  # the file speaks of that cell alone
    low = window[0] / (said.cells_in_series or len(run.cells))
    inside = slice(chosen.first, chosen.last + 1)
    lowest = {cell: float(volts[inside].min()) for cell, volts in run.cells.items()}
    weakest = min(lowest, key=lambda cell: lowest[cell])
    empty = run.cells[weakest][inside] <= low * (1 + NEAR)
    if not empty.any():
        return ()
    until = chosen.first + int(empty.argmax()) + 1
    ah = discharged_ah(
        run.columns["time"][chosen.first : until], run.columns["current"][chosen.first : until]
    )
    whole = next((claim for claim in claims if claim.basis == "CAPACITY"), None)
    if whole is None or ah <= 0:
        return ()
    doubts = [doubt for doubt in whole.doubts if doubt != "window_not_full"]
    if chosen.reaches_top is False:
        doubts.append("window_not_full")
    if said.cells_in_series and len(run.cells) < said.cells_in_series:
        doubts.append("cells_of_pack_missing")
    details = {**(whole.details or {}), "weakest_cell": weakest, "measured_ah": round(ah, 4)}
    return (
        replace(
            whole,
            value=ah / said.rated_ah,
            level="WEAKEST_CELL",
            doubts=tuple(doubts),
            details=details | {"lowest_v": {cell: round(lowest[cell], 4) for cell in lowest}},
        ),
    )


def _of_one(part: Part) -> list[Finding]:
    return [*part.pack, *part.weakest]


def _of_several(parts: list[Part], table: Table, said: Said) -> list[Finding]:
    """Sum several cells up: of one pack, the weakest counts; of loose cells, the middle one."""
    claims = []
    for basis in ("CAPACITY", "ENERGY", "RESISTANCE"):
        singles = [one for part in parts for one in part.pack if one.basis == basis]
        if len(singles) == len(parts):
            names = {id(one): part.cell for part in parts for one in part.pack}
            claims.append(_summed(singles, [names[id(one)] for one in singles], said))
    return claims


def _summed(singles: list[Finding], cells: list[str], said: Said) -> Finding:
    values = np.array([one.value for one in singles])
    of_one_pack = said.tested in ("PACK", "WEAKEST_CELL")
    worst = int(values.argmax() if singles[0].basis == "RESISTANCE" else values.argmin())
    doubts = list(dict.fromkeys(doubt for one in singles for doubt in one.doubts))
    if of_one_pack and said.cells_in_series and said.cells_in_series > len(singles):
        doubts.append("cells_of_pack_missing")
    spread = float(np.subtract(*np.percentile(values, [90, 10]))) / 2
    own = float(np.median([one.uncertainty for one in singles]))
    details: dict[str, Any] = {
        "cells": len(singles),
        "weakest_cell": cells[worst],
        "weakest": round(float(values[worst]), 4),
        "best": round(float(values.min() if singles[0].basis == "RESISTANCE" else values.max()), 4),
        "half_spread": round(spread, 4),
        "by_cell": {
            cell: round(float(value), 4)
            for cell, value in list(zip(cells, values, strict=True))[:MOST_CELLS_SHOWN]
        },
    }
    if singles[0].basis == "CAPACITY":
        grades = [grade(float(value)) for value in values]
        details["grades"] = {letter: grades.count(letter) for letter, _lowest in GRADES}
    if of_one_pack:
        chosen = singles[worst]
        details |= {key: value for key, value in (chosen.details or {}).items() if key != "cell"}
        return replace(chosen, level="WEAKEST_CELL", doubts=tuple(doubts), details=details)
    return replace(
        singles[0],
        value=float(np.median(values)),
        uncertainty=min(1.0, math.hypot(own, spread / math.sqrt(len(singles)))),
        level="SAMPLE",
        doubts=tuple(doubts),
        details=details,
    )


def _curve(run: Run, chosen: Discharge) -> list[tuple[float, float]]:
    """Return Ah discharged against volts, thinned to what a small drawing shows."""
    if "voltage" not in run.columns:
        return []
    inside = slice(chosen.first, chosen.last + 1)
    time, draw = run.columns["time"][inside], np.maximum(-run.columns["current"][inside], 0)
    steps = (draw[:-1] + draw[1:]) / 2 * np.diff(time) / 3600
    ah = np.concatenate(([0.0], np.cumsum(steps)))
    volts = run.columns["voltage"][inside]
    picks = np.unique(np.linspace(0, len(ah) - 1, min(CURVE_POINTS, len(ah))).astype(int))
    return [(round(float(ah[at]), 4), round(float(volts[at]), 4)) for at in picks]


# --- units, signs, windows ----------------------------------------------------------------------------
SLIPS = {
    ("current", "mA"): 1e-3,
    ("time", "min"): 60.0,
    ("time", "h"): 3600.0,
    ("time", "ms"): 1e-3,
    ("rated_ah", "mAh"): 1e3,
}
"""(what, the unit that it may be in) -> what its numbers must be multiplied by."""


def _units_checked(table: Table, run: Run, said: Said) -> tuple[Run, list[Note]]:
    """Look whether the amounts can be true. Where no unit is written, read the one that fits; else refuse."""
    notes: list[Note] = []
    columns = dict(run.columns)
    rated = said.rated_ah
    ah = max(
        (one.ah for one in _discharges(_signed(run)[0], None, said)),
        default=0.0,
    )
    if rated is not None and ah > 0 and not 0.02 <= ah / rated <= 1.5:
        slips = [slip for slip in SLIPS if 0.3 <= ah / rated * SLIPS[slip] <= 1.1]
        open_ = [slip for slip in slips if slip[0] in table.unlabelled]
        if len(open_) == 1:
            what, unit = open_[0]
            columns[what] = columns[what] * SLIPS[open_[0]]
            notes.append(Note("unit_read_as", column=table.named[what], found=unit))
        elif slips:
            what, unit = slips[0]
            raise Unreadable(
                "unit_doubtful",
                row=int(run.rows[0]),
                column=table.named.get(what, what),
                found=unit,
            )
        elif ah / rated < 0.02 and said.low_v is None:
            raise Unreadable(
                "too_little_discharged",
                row=int(run.rows[-1]),
                column=table.named["current"],
                found=f"{ah:.3g} Ah",
            )
    if "voltage" in columns:
        high = said.high_v or 5.0 * (said.cells_in_series or 300)
        highest = float(np.abs(columns["voltage"]).max())
        if highest > 10 * high and highest / 1000 <= 1.2 * high:
            if "voltage" not in table.unlabelled:
                at = int(np.abs(columns["voltage"]).argmax())
                raise Unreadable(
                    "unit_doubtful",
                    row=int(run.rows[at]),
                    column=table.named["voltage"],
                    found="mV",
                )
            columns["voltage"] = columns["voltage"] / 1000
            notes.append(Note("unit_read_as", column=table.named["voltage"], found="mV"))
    if "temperature" in columns and np.nanmean(columns["temperature"]) > 200:
        columns["temperature"] = columns["temperature"] - 273.15
        notes.append(Note("unit_read_as", column=table.named["temperature"], found="K"))
    return Run(run.cell, run.rows, columns, run.cells), notes


def _signed(run: Run) -> tuple[Run, list[Note]]:
    """Make discharge current negative, as the voltage tells: it falls while a battery is discharged."""
    current = run.columns["current"]
    voltage = run.columns.get("voltage")
    turned = False
    if voltage is not None and len(current) > 2:
        steady = np.isclose(current[1:], current[:-1], rtol=0.05) & (current[1:] != 0)
        tells = float((np.sign(current[1:]) * np.diff(voltage))[steady].sum())
        turned = tells < 0
    elif voltage is None:
        turned = not (current < 0).any()
    if not turned:
        return run, []
    columns = {**run.columns, "current": -current}
    return Run(run.cell, run.rows, columns, run.cells), [Note("sign_turned")]


def _window(run: Run, said: Said, chemistry: str) -> tuple[float, float] | None:
    cells = said.cells_in_series
    if cells is None and "voltage" in run.columns and float(run.columns["voltage"].max()) < 5:
        cells = 1
    usual = CELL_WINDOWS.get(chemistry)
    low = said.low_v or (usual[0] * cells if usual and cells else None)
    high = said.high_v or (usual[1] * cells if usual and cells else None)
    return None if low is None or high is None or low >= high else (low, high)


def _temperature(run: Run, inside: slice, said: Said) -> tuple[float | None, list[str]]:
    temperature = said.temperature_c
    if "temperature" in run.columns:
        part = run.columns["temperature"][inside]
        if not np.isnan(part).all():
            temperature = float(np.nanmean(part))
    if temperature is None:
        return None, ["temperature_unknown"]
    if not -60 <= temperature <= 120:
        raise Unreadable("header_unclear", column="temperature_c", found=f"{temperature:g}")
    outside = not COMFORT_C[0] <= temperature <= COMFORT_C[1]
    return round(temperature, 1), (["temperature_outside_15_35"] if outside else [])


def _band(value: float, parts: Iterable[float], basis: str, temperature: float | None) -> float:
    away = UNKNOWN_KELVIN if temperature is None else abs(temperature - ROOM_C)
    return min(1.0, value * math.hypot(*parts, away * PER_KELVIN[basis]))


def _believable(value: float, measured: float, rated: float, run: Run, table: Table) -> None:
    if value > 9:
        raise Unreadable(
            "rated_unlike_measured",
            row=int(run.rows[0]),
            column=table.named.get("current", table.named.get("measured_ah", "")),
            found=f"{measured:.4g} / {rated:.4g}",
        )


# --- resistance ---------------------------------------------------------------------------------------
def _resistances(table: Table, said: Said, *, method: str) -> Findings:
    parts, shown = [], {}
    curve: list[tuple[float, float]] = []
    for run in table.runs:
        if method == "IMPEDANCE":
            ohm, spread, doubts = ohmic_intercept(run)
            order = np.argsort(run.columns["frequency"])
            points = zip(run.columns["z_real"][order], run.columns["z_imag"][order], strict=True)
            curve = curve or [(round(float(x), 9), round(-float(y), 9)) for x, y in points]
        else:
            ohm, spread, doubts = step_resistance(run, said.pulse_at_s or 0.0)
        temperature, more = _temperature(run, slice(None), said)
        shown[run.cell] = round(ohm * 1000, 6)
        if said.rated_ohm is None:
            continue
        value = ohm / said.rated_ohm
        _believable(value, ohm, said.rated_ohm, run, table)
        band = _band(value, [said.accuracy or ACCURACY, spread], "RESISTANCE", temperature)
        details = {"measured_mohm": round(ohm * 1000, 6), "rated_mohm": said.rated_ohm * 1000}
        one = Finding(
            value,
            band,
            "RESISTANCE",
            said.tested or "SAMPLE",
            method,
            temperature,
            "",
            (*doubts, *more),
            details,
        )
        parts.append(Part(run.cell, (one,)))
    if not parts:
        figures = ", ".join(f"{mohm:g} mΩ" for mohm in list(shown.values())[:3])
        raise Unreadable("rated_resistance_missing", column="rated_mohm", found=figures)
    claims = _of_one(parts[0]) if len(parts) == 1 else _of_several(parts, table, said)
    return Findings(tuple(claims), table.notes, said, tuple(curve[:CURVE_POINTS]), {"mohm": shown})


def step_resistance(run: Run, at_s: float) -> tuple[float, float, list[str]]:
    """Return ohms from the steps of current: the median of dU/dI, its spread as a share, and doubts.

    :param at_s: how long after the step to look at the voltage, as long as the current holds; 0: the next row
    :raises Unreadable: if there is no step, or no voltage
    """
    if "voltage" not in run.columns:
        raise Unreadable("no_columns", row=int(run.rows[0]), column="voltage")
    time, current = run.columns["time"], run.columns["current"]
    voltage = run.columns["voltage"]
    jumps = np.diff(current)
    sharp = np.abs(jumps) >= 0.3 * max(float(np.abs(jumps).max(initial=0.0)), 1e-9)
    found = []
    for at in np.flatnonzero(sharp & (np.diff(time) <= LONGEST_STEP_S)):
        after = int(at) + 1
        while (
            time[after] - time[at] < at_s
            and after + 1 < len(time)
            and math.isclose(current[after + 1], current[at + 1], rel_tol=0.05, abs_tol=1e-9)
        ):
            after += 1
        if time[after] - time[at] >= at_s:
            found.append((voltage[after] - voltage[at]) / (current[after] - current[at]))
    if not found:
        raise Unreadable("no_step", row=int(run.rows[0]))
    ohm = float(np.median(found))
    spread = float(np.ptp(found)) / 2 / abs(ohm) if ohm else 0.0
    if ohm == 0:
        raise Unreadable("no_step", row=int(run.rows[0]))
    return abs(ohm), spread, ["current_steps_few"] if len(found) < 2 else []


def ohmic_intercept(run: Run) -> tuple[float, float, list[str]]:
    """Return ohms where the impedance is purely real at the highest frequency, its spread, and doubts.

    :raises Unreadable: if a frequency is not above zero, or the resistance is not
    """
    frequency, real = run.columns["frequency"], run.columns["z_real"]
    imaginary = run.columns["z_imag"]
    if (frequency <= 0).any():
        at = int((frequency <= 0).argmax())
        raise Unreadable("not_positive", row=int(run.rows[at]), found=f"{frequency[at]:g}")
    order = np.argsort(-frequency)
    real, imaginary = real[order], imaginary[order]
    crosses = np.flatnonzero(np.sign(imaginary[:-1]) * np.sign(imaginary[1:]) <= 0)
    doubts: list[str] = []
    spread = 0.0
    if len(crosses):
        at = int(crosses[0])
        fall = imaginary[at] - imaginary[at + 1]
        share = imaginary[at] / fall if fall else 0.0
        ohm = float(real[at] + share * (real[at + 1] - real[at]))
    else:  # never purely real: the highest frequency is the nearest
        ohm, spread = float(real[0]), 0.1
        doubts.append("no_ohmic_intercept")
    if not ohm > 0:
        raise Unreadable("not_positive", row=int(run.rows[order[0]]), found=f"{ohm:g}")
    return ohm, spread, doubts


# --- lists of results ---------------------------------------------------------------------------------
def _results(table: Table, said: Said) -> Findings:
    """Read a list of results, one row a cell: measured against rated."""
    parts = []
    mohm: dict[str, float] = {}
    temperature, doubts = _temperature(table.runs[0], slice(None), said)
    for run in table.runs:
        claims = []
        for basis, measured_at, rated_at in (
            ("CAPACITY", "measured_ah", "rated_ah"),
            ("ENERGY", "measured_wh", "rated_wh"),
            ("RESISTANCE", "resistance", "rated_resistance"),
        ):
            measured = float(run.columns.get(measured_at, [math.nan])[0])
            rated = float(run.columns.get(rated_at, [math.nan])[0])
            row = int(run.rows[0])
            if measured < 0:
                raise Unreadable(
                    "negative", row=row, column=table.named[measured_at], found=f"{measured:g}"
                )
            if rated <= 0:
                raise Unreadable(
                    "not_positive", row=row, column=table.named[rated_at], found=f"{rated:g}"
                )
            if basis == "RESISTANCE" and not math.isnan(measured):
                mohm[run.cell] = round(measured * 1000, 6)
            if math.isnan(measured) or math.isnan(rated):
                continue
            value = measured / rated
            if value > 9 or (basis != "RESISTANCE" and 0 < value < 0.002):
                raise Unreadable(
                    "rated_unlike_measured",
                    row=row,
                    column=table.named[measured_at],
                    found=f"{measured:g} / {rated:g}",
                )
            band = _band(value, [said.accuracy or ACCURACY, UNKNOWN_WINDOW], basis, temperature)
            method = "PULSE_TEST" if basis == "RESISTANCE" else "CAPACITY_TEST"
            more = () if basis == "RESISTANCE" else ("window_unknown",)
            details = {"measured": measured, "rated": rated}
            claims.append(
                Finding(
                    value,
                    band,
                    basis,
                    said.tested or "SAMPLE",
                    method,
                    temperature,
                    "",
                    (*doubts, *more),
                    details,
                )
            )
        parts.append(Part(run.cell, tuple(claims)))
    claims_ = _of_several(parts, table, said)
    return Findings(tuple(claims_), table.notes, said, (), {"mohm": mohm})
