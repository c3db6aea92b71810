"""Reading test files, and what they say of a battery's health."""

import csv
import gzip
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from marketplace.lots.rules import health
from marketplace.lots.rules.test_data import LARGEST_BYTES, Unreadable, read, write
from marketplace.lots.rules.test_results import (
    Said,
    discharged_ah,
    grade,
    judge,
    ohmic_intercept,
    said_in,
    together,
)

RETIRED = Path(__file__).parents[3] / "shared/domain/data/retired_cells_pulsebat_soh.csv"
NMC = Said(rated_ah=10.0, low_v=2.8, high_v=4.2, temperature_c=25.0)


def discharge(
    *,
    head="time_s,current_a,voltage_v",
    hours=0.8,
    amps=-10.0,
    n=81,
    delimiter=",",
    times=1.0,
    header="",
):
    """A charge's last moment, a rest, and a discharge from 4.2 to 2.8 V, as text."""
    seconds = np.linspace(0, hours * 3600, n)
    volts = 4.19 - 1.39 * seconds / seconds[-1]
    rows = [(0.0, 1.0, 4.2), (60.0, 0.0, 4.19)]
    rows += [(120.0 + s, amps, v) for s, v in zip(seconds, volts, strict=True)]
    lines = [delimiter.join(f"{x:.6g}" for x in (t * times, *rest)) for t, *rest in rows]
    return (header + "\n".join([head, *lines]) + "\n").encode()


def refusal(content: bytes, said: Said = NMC) -> Unreadable:
    with pytest.raises(Unreadable) as refused:
        judge(read(content), said=said)
    return refused.value


def test_a_capacity_test_gives_the_measured_share_of_the_rated_capacity():
    found = judge(read(discharge()), said=NMC)

    [capacity] = found.findings
    assert capacity.value == pytest.approx(0.8, rel=1e-6)
    assert (capacity.basis, capacity.level, capacity.doubts) == ("CAPACITY", "SAMPLE", ())
    assert 0.008 <= capacity.uncertainty <= 0.012
    assert capacity.window == "2.80 to 4.19 V"


def test_energy_is_a_claim_of_its_own_basis():
    found = judge(
        read(discharge()), said=Said(**{**_fields(NMC), "rated_wh": 36.0, "tested": "PACK"})
    )

    assert [one.basis for one in found.findings] == ["CAPACITY", "ENERGY"]
    assert found.findings[1].value == pytest.approx(8 * 3.495 / 36, rel=1e-3)
    assert not health.comparable(*[_claim(one) for one in found.findings])


def test_of_several_cycles_the_last_full_one_counts():
    first, second, part = (discharge(hours=hours) for hours in (0.9, 0.7, 0.2))
    rows, start = [], 0.0
    for content in (first, second):
        for line in content.decode().splitlines()[1:]:
            time, current, voltage = map(float, line.split(","))
            rows.append((start + time, current, voltage))
        start = rows[-1][0] + 60
        rows += [(start, 5.0, 3.5), (start + 60, 5.0, 4.2)]
        start += 120
    rows += [(start + s, -10.0, 4.1 - s / 7200) for s in range(0, 600, 60)]
    content = "time_s,current_a,voltage_v\n" + "\n".join(f"{t},{i},{v}" for t, i, v in rows)

    [capacity] = judge(read(content.encode()), said=NMC).findings

    assert capacity.value == pytest.approx(0.7, rel=1e-3)
    assert capacity.doubts == ()
    assert part


def test_a_discharge_that_stops_early_is_flagged_and_not_believed():
    content = b"\n".join(discharge().splitlines()[:40])

    [capacity] = judge(read(content), said=NMC).findings

    assert "window_not_full" in capacity.doubts
    assert not health.believed(capacity.doubts)


def test_a_discharge_far_below_the_cut_off_is_not_believed():
    said = Said(**{**_fields(NMC), "low_v": 3.2})

    [capacity] = judge(read(discharge()), said=said).findings

    assert "window_too_wide" in capacity.doubts


@pytest.mark.parametrize(
    ("temperature", "doubts"),
    [(25.0, ()), (5.0, ("temperature_outside_15_35",)), (None, ("temperature_unknown",))],
)
def test_temperature_away_from_25_degrees_widens_and_is_flagged(temperature, doubts):
    said = Said(**{**_fields(NMC), "temperature_c": temperature})

    [capacity] = judge(read(discharge()), said=said).findings

    away = {25.0: 0.0, 5.0: 20.0, None: 5.0}[temperature]
    assert capacity.doubts == doubts
    assert capacity.uncertainty == pytest.approx(0.8 * np.hypot(0.0100, away * 0.006), rel=0.2)
    assert health.believed(capacity.doubts)


def test_the_weakest_cell_of_a_chain_is_the_one_that_empties_first():
    lines = ["# cells_in_series: 3", "time_s,current_a,voltage_v,v_cell_1,v_cell_2,v_cell_3"]
    for minute in range(49):
        a, b, c = 4.2 - minute * 0.02, 4.2 - minute * 0.035, 4.2 - minute * 0.019
        lines.append(f"{minute * 60},-10,{a + b + c:.4f},{a:.4f},{b:.4f},{c:.4f}")
    said = Said(rated_ah=10.0, temperature_c=25.0, tested="PACK", charged_fully=True)

    pack, weakest = judge(read("\n".join(lines).encode()), said=said, chemistry="NMC532").findings

    assert (pack.level, weakest.level) == ("PACK", "WEAKEST_CELL")
    assert weakest.details["weakest_cell"] == "2"
    assert weakest.value == pytest.approx(39 / 60, rel=0.05)
    assert weakest.value < pack.value
    assert health.believed(weakest.doubts)
    assert "window_not_full" in pack.doubts


def test_cells_of_one_pack_count_by_the_weakest_and_loose_cells_by_the_middle_one():
    rows = "cell,rated_ah,measured_ah\na,10,9\nb,10,8\nc,10,5\n"

    [loose] = judge(read(rows.encode())).findings
    [chain] = judge(read(("# tested: pack\n" + rows).encode())).findings

    assert (loose.level, loose.value) == ("SAMPLE", 0.8)
    assert (chain.level, chain.value) == ("WEAKEST_CELL", 0.5)
    assert chain.details["weakest_cell"] == "c"


# --- pulse and impedance
def pulse(ohm=0.002):
    rows = [(0, 0), (1, 0), (2, 0)] + [(3 + s, -20) for s in range(10)] + [(13, 0), (14, 0)]
    lines = [f"{t},{i},{3.3 + i * ohm - (0.0001 * t if i else 0):.6f}" for t, i in rows]
    return ("time_s,current_a,voltage_v\n" + "\n".join(lines)).encode()


def test_a_pulse_gives_resistance_as_a_multiple_of_when_new():
    said = Said(test="pulse", rated_ohm=0.001, temperature_c=25.0)

    [resistance] = judge(read(pulse()), said=said).findings

    assert resistance.value == pytest.approx(2.0, rel=0.05)
    assert (resistance.basis, resistance.method) == ("RESISTANCE", "PULSE_TEST")


def test_a_resistance_without_a_rated_one_stays_a_figure():
    refused = refusal(pulse(), Said(test="pulse"))

    assert refused.code == "rated_resistance_missing"
    assert "mΩ" in refused.found


def test_an_impedance_sweep_meets_the_real_axis():
    content = b"freq/Hz\tRe(Z)/Ohm\t-Im(Z)/Ohm\n10000\t0.0010\t-0.0005\n1000\t0.0020\t0.0005\n10\t0.0030\t0.001\n"
    table = read(content)

    ohm, _spread, doubts = ohmic_intercept(table.runs[0])
    [resistance] = judge(table, said=Said(rated_ohm=0.001)).findings

    assert ohm == pytest.approx(0.0015)
    assert doubts == []
    assert resistance.value == pytest.approx(1.5)
    assert (resistance.method, table.maker) == ("IMPEDANCE", "BioLogic")


# --- what the makers write
MAKERS = {
    "Arbin": ("Test_Time(s),Current(A),Voltage(V)", ",", 1.0, -10.0),
    "Neware": ("Total Time(min),Current(mA),Voltage(V)", ",", 1 / 60, -10_000.0),
    "Maccor": ("Test Time (sec)\tAmps\tVolts", "\t", 1.0, -10.0),
    "BioLogic": ("time/s\t<I>/mA\tEwe/V", "\t", 1.0, -10_000.0),
    "Basytec": ("~Time[h]\tI[A]\tU[V]", "\t", 1 / 3600, -10.0),
    "Novonix": ("Run Time (h),Current (A),Potential (V)", ",", 1 / 3600, -10.0),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_every_makers_export_gives_the_same_capacity(maker):
    head, delimiter, times, amps = MAKERS[maker]
    content = discharge(
        head=head, delimiter=delimiter, times=times, amps=amps, header="Preamble\n\n"
    )

    table = read(content)
    [capacity] = judge(table, said=NMC).findings

    assert table.maker == maker
    assert capacity.value == pytest.approx(0.8, rel=1e-3)


def test_a_clock_that_starts_anew_with_each_step_is_added_up_and_unsigned_current_takes_its_step():
    rows = ["Time(h:min:s.ms),Step Type,Current(A),Voltage(V)", "0:00:00.000,Rest,0,4.2"]
    rows += [f"0:{m:02d}:00.000,CC DChg,10,{4.2 - m * 0.0292:.4f}" for m in range(49)]
    rows += ["0:00:00.000,Rest,0,3.1"]

    table = read("\n".join(rows).encode())
    [capacity] = judge(table, said=NMC).findings

    assert capacity.value == pytest.approx(0.8, rel=1e-3)
    assert {"step_times_added", "sign_from_state"} <= {note.code for note in table.notes}


def test_european_numbers_are_read_with_a_note():
    content = discharge(head="time_s;current_a;voltage_v", delimiter=";").replace(b".", b",")

    table = read(content)

    assert judge(table, said=NMC).findings[0].value == pytest.approx(0.8, rel=1e-4)
    assert "decimal_comma" in {note.code for note in table.notes}


@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16", "latin-1"])
def test_other_encodings_are_read(coding):
    content = discharge(head="time_s,current_a,voltage_v,T/°C").decode()
    content = content.replace("\n", ",25\n").replace("T/°C,25", "T/°C")

    assert len(read(content.encode(coding)).runs[0]) == 83


def test_positive_discharge_is_turned_with_a_note():
    found = judge(read(discharge(amps=10.0).replace(b"0,1,4.2", b"0,-1,4.2")), said=NMC)

    assert found.findings[0].value == pytest.approx(0.8, rel=1e-6)
    assert "sign_turned" in {note.code for note in found.notes}


# --- units confused
@pytest.mark.parametrize(
    ("head", "change", "unit"),
    [
        ("time,current_a,voltage_v", {"times": 1 / 60}, "min"),
        ("time,current_a,voltage_v", {"times": 1 / 3600}, "h"),
        ("time_s,current,voltage_v", {"amps": -10_000.0}, "mA"),
    ],
)
def test_a_column_without_unit_is_read_in_the_unit_that_fits_and_says_so(head, change, unit):
    found = judge(read(discharge(head=head, **change)), said=NMC)

    assert found.findings[0].value == pytest.approx(0.8, rel=1e-3)
    assert ("unit_read_as", unit) in {(note.code, note.found) for note in found.notes}


@pytest.mark.parametrize(
    ("change", "column", "unit"),
    [
        ({"times": 1 / 60}, "time_s", "min"),
        ({"times": 1 / 3600}, "time_s", "h"),
        ({"amps": -10_000.0}, "current_a", "mA"),
    ],
)
def test_a_column_that_contradicts_its_unit_is_refused(change, column, unit):
    refused = refusal(discharge(**change))

    assert (refused.code, refused.column, refused.found) == ("unit_doubtful", column, unit)
    assert refused.row > 0


def test_millivolts_under_a_head_of_volts_are_refused():
    lines = discharge().decode().splitlines()
    lines[1:] = [
        ",".join([*x.split(",")[:2], str(float(x.split(",")[2]) * 1000)]) for x in lines[1:]
    ]

    refused = refusal("\n".join(lines).encode())

    assert (refused.code, refused.found, refused.column) == ("unit_doubtful", "mV", "voltage_v")


@pytest.mark.parametrize(
    ("lines", "code", "row", "column"),
    [
        (["0,-1,x"], "not_a_number", 2, "voltage_v"),
        (["0,-1,4", "1,,4"], "cell_empty", 3, "current_a"),
        (["0,-1,4", "1,nan,4"], "not_a_number", 3, "current_a"),
        (["0,-1,4", "1,inf,4"], "not_a_number", 3, "current_a"),
        (["0,-1,4", "1,-1"], "row_too_short", 3, "voltage_v"),
        (["0,-1,4", "1,-1,4,7"], "row_too_long", 3, "voltage_v"),
        (["5,-1,4", "4,-1,4"], "time_backwards", 3, "time_s"),
        (["5,-1,4"] * 40, "time_stands_still", 3, "time_s"),
        (['"1,234",-1,4'], "number_unclear", 2, "time_s"),
        (['"1,5",-1,4', '"1,234.5",-1,4'], "numbers_mixed", 3, "time_s"),
        ([], "no_rows", 1, ""),
        (["0,0,4", "1,0,4"], "no_discharge", 2, "current_a"),
    ],
)
def test_what_is_wrong_is_named_with_row_and_column(lines, code, row, column):
    refused = refusal("\n".join(["time_s,current_a,voltage_v", *lines]).encode())

    assert (refused.code, refused.row, refused.column) == (code, row, column)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"PK\x03\x04rest", "compressed"),
        (gzip.compress(b"0" * 10_000_000), "compressed"),
        (b"\xd0\xcf\x11\xe0rest", "binary"),
        (b"time\0current", "binary"),
        (b"\xff\xfe\x00\xd8", "binary"),
        (b"name,colour\nx,red\n", "no_columns"),
        (b"0" * (LARGEST_BYTES + 1), "too_large"),
        (b"time,current," + b"x," * 600, "too_many_columns"),
    ],
)
def test_what_is_no_test_file_is_refused(content, code):
    assert refusal(content).code == code


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("# rated_ah: many", "rated_ah"),
        ("# rated_ah: 0", "rated_ah"),
        ("# accuracy: 0.5", "accuracy"),
        ("# cutoff_low_v: 5", "cutoff_low_v"),
        ("# tested: boat", "tested"),
        ("# tested_on: 3.4.26", "tested_on"),
        ("# cells_in_series: 1.5", "cells_in_series"),
    ],
)
def test_a_header_line_that_is_unclear_is_refused(line, column):
    content = f"{line}\n".encode() + discharge()

    refused = refusal(content, Said(high_v=4.2))

    assert (refused.code, refused.column) == ("header_unclear", column)


def test_file_and_form_may_not_contradict_each_other():
    with pytest.raises(Unreadable) as refused:
        together(said_in({"rated_ah": ("10 Ah", 1)}), Said(rated_ah=35.0))

    assert (refused.value.code, refused.value.column) == ("form_contradicts", "rated_ah")
    assert together(said_in({"rated_ah": ("35000 mAh", 1)}), Said(rated_ah=35.0)).rated_ah == 35.0


def test_without_a_rated_capacity_there_is_no_share():
    assert refusal(discharge(), Said()).code == "rated_missing"


def test_a_rated_capacity_from_another_world_is_refused():
    in_mah = refusal(discharge(), Said(rated_ah=8000.0))

    assert refusal(discharge(), Said(rated_ah=0.5)).code == "rated_unlike_measured"
    assert (in_mah.code, in_mah.column, in_mah.found) == ("unit_doubtful", "rated_ah", "mAh")


def test_a_cell_stands_once_in_a_list():
    refused = refusal(b"cell,rated_ah,measured_ah\na,10,9\na,10,8\n")

    assert (refused.code, refused.row, refused.found) == ("cell_twice", 3, "a")


# --- the long tail
@pytest.mark.parametrize(
    ("content", "code", "row", "column"),
    [
        (b"# rated_ah: 10\n# rated_ah: 11\ntime_s,current_a\n0,-1\n", "said_twice", 2, "rated_ah"),
        (b"time_s,current_v\n0,-1\n", "unit_unknown", 0, "current_v"),
        (b"time_s,current (V)\n0,-1\n", "unit_unknown", 0, "current (V)"),
        (b"# test: dance\ntime_s,current_a\n0,-1\n", "header_unclear", 1, "test"),
        (b"# charged_fully: maybe\ntime_s,current_a\n0,-1\n", "header_unclear", 1, "charged_fully"),
        (b"# accuracy: fine\ntime_s,current_a\n0,-1\n", "header_unclear", 1, "accuracy"),
        (b"cell,rated_ah,measured_ah\na,10,-9\n", "negative", 2, "measured_ah"),
        (b"cell,rated_ah,measured_ah\na,0,9\n", "not_positive", 2, "rated_ah"),
        (b"cell,rated_ah,measured_ah\na,10,9000\n", "rated_unlike_measured", 2, "measured_ah"),
        (b"# test: pulse\ntime_s,current_a\n0,-1\n1,-2\n", "no_columns", 3, "voltage"),
        (b"# test: pulse\ntime_s,current_a,voltage_v\n0,-1,3\n1,-1,3\n", "no_step", 3, ""),
        (b"frequency_hz,z_real_ohm,z_imag_ohm\n0,1,1\n", "not_positive", 2, ""),
        (b"frequency_hz,z_real_ohm,z_imag_ohm\n9,-1,1\n", "not_positive", 2, ""),
        (
            b"time_s,current_a,temperature_c\n0,-1,999\n3600,-10,999\n7200,0,999\n",
            "header_unclear",
            0,
            "temperature_c",
        ),
        (
            b"time_s,current_a,voltage_v\n0,-1,3\n100,-1,3\n",
            "too_little_discharged",
            3,
            "current_a",
        ),
        (b'time_s,current_a\n0,"' + b"1" * 200_000 + b'"\n', "row_broken", 2, ""),
    ],
)
def test_other_faults_are_named_too(content, code, row, column):
    refused = refusal(
        content, Said(rated_ah=None if b"rated_ah" in content else 10.0, rated_ohm=1.0)
    )

    assert (refused.code, refused.row, refused.column) == (code, row, column)


def test_too_many_cells_are_refused():
    rows = "\n".join(f"{n},10,9" for n in range(2001))

    assert refusal(f"cell,rated_ah,measured_ah\n{rows}".encode()).code == "too_many_cells"


def test_every_header_key_is_understood():
    said = said_in(
        {
            "test": ("Capacity", 1),
            "tested": ("module", 2),
            "rated_wh": ("0,112 kWh", 3),
            "rated_mohm": ("0.0013 ohm", 4),
            "accuracy": ("0.5 %", 5),
            "charged_fully": ("yes", 6),
            "tested_on": ("2026-11-20", 7),
            "instrument": ("Bench 3", 8),
            "cells_in_series": ("16", 9),
            "cutoff_low_v": ("2500 mV", 10),
            "colour": ("green", 11),
        }
    )

    assert (said.test, said.tested, said.rated_wh, said.rated_ohm) == (
        "capacity",
        "PACK",
        112,
        0.0013,
    )
    assert (said.accuracy, said.charged_fully, said.cells_in_series) == (0.005, True, 16)
    assert (said.tested_on, said.instrument, said.low_v) == ("2026-11-20", "Bench 3", 2.5)


def test_without_a_voltage_the_window_is_not_known_but_the_capacity_is():
    lines = [",".join(line.split(",")[:2]) for line in discharge().decode().splitlines()]

    [capacity] = judge(read("\n".join(lines).encode()), said=NMC).findings

    assert capacity.value == pytest.approx(0.8, rel=1e-6)
    assert capacity.doubts == ("window_unknown",)
    assert health.believed(capacity.doubts)


def test_a_full_charge_may_be_said_and_widens_the_band():
    content = b"\n".join(discharge().splitlines()[:1] + discharge().splitlines()[12:])
    said = Said(**{**_fields(NMC), "charged_fully": True})

    [short] = judge(read(content), said=NMC).findings
    [whole] = judge(read(content), said=said).findings

    assert short.doubts == ("window_not_full",)
    assert whole.doubts == ("full_charge_said",)
    assert whole.uncertainty > short.uncertainty


def test_volts_and_kelvin_without_a_unit_are_read_as_what_fits():
    lines = discharge(head="time_s,current_a,voltage").decode().splitlines()
    lines = [lines[0] + ",temperature"] + [
        f"{t},{i},{float(v) * 1000:.0f},298.15" for t, i, v in (x.split(",") for x in lines[1:])
    ]

    found = judge(read("\n".join(lines).encode()), said=Said(rated_ah=10.0, low_v=2.8, high_v=4.2))

    assert found.findings[0].temperature_c == 25.0
    assert {("unit_read_as", "mV"), ("unit_read_as", "K")} <= {
        (n.code, n.found) for n in found.notes
    }


def test_blank_temperatures_are_passed_over():
    lines = discharge(head="time_s,current_a,voltage_v,temperature_c").decode().splitlines()
    lines = [lines[0]] + [line + ("," if n % 2 else ",20") for n, line in enumerate(lines[1:])]

    [capacity] = judge(read("\n".join(lines).encode()), said=Said(rated_ah=10.0)).findings

    assert capacity.temperature_c == 20.0


def test_the_voltage_of_a_pulse_may_be_read_later():
    at_once = judge(read(pulse()), said=Said(test="pulse", rated_ohm=0.001)).findings[0]
    later = judge(read(pulse()), said=Said(test="pulse", rated_ohm=0.001, pulse_at_s=8.0)).findings[
        0
    ]

    assert later.value > at_once.value


def test_a_sweep_that_never_meets_the_real_axis_says_so():
    content = b"frequency_hz,z_real_mohm,z_imag_mohm\n100,2,-1\n10,3,-2\n"

    [resistance] = judge(read(content), said=Said(rated_ohm=0.001)).findings

    assert resistance.value == pytest.approx(2.0)
    assert "no_ohmic_intercept" in resistance.doubts


def test_a_row_of_units_blank_rows_and_remarks_are_passed_over():
    content = b"Freq\tZreal\tZimag\nHz\tohm\tohm\n\n# remark\n100\t2\t1\n10\t3\t-2\n"

    table = read(content)

    assert (table.maker, len(table.runs[0])) == ("Gamry", 2)


def test_chinese_heads_are_read():
    rows = "测试时间(s),电流(A),电压(V)\n0,1,4.2\n" + "\n".join(
        f"{60 + 36 * n},-10,{4.2 - n * 0.0175}" for n in range(81)
    )

    [capacity] = judge(read(rows.encode("gb18030")), said=NMC).findings

    assert capacity.value == pytest.approx(0.8, rel=1e-6)


def test_cells_of_a_pack_that_are_missing_are_named():
    content = b"# tested: pack\n# cells_in_series: 16\ncell,rated_ah,measured_ah\na,10,9\nb,10,8\n"

    [weakest] = judge(read(content)).findings

    assert "cells_of_pack_missing" in weakest.doubts
    assert health.believed(weakest.doubts)


# --- the 270 retired cells
@pytest.mark.skipif(not RETIRED.exists(), reason="the shared domain data is not beside this tree")
def test_the_retired_cells_get_their_health_and_grade():
    content = RETIRED.read_bytes()
    with RETIRED.open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))

    found = judge(read(content))

    [capacity] = found.findings  # no rated resistance: it stays a figure
    by_cell = capacity.details["by_cell"]
    assert len(rows) == len(by_cell) == 270
    for row in rows:
        assert by_cell[row["cell_id"]] == pytest.approx(float(row["soh"]), abs=1e-3)
    assert capacity.details["grades"] == {"A": 80, "B": 127, "C": 31, "D": 25, "R": 7}
    assert found.figures["mohm"]["10号"] == pytest.approx(2.606)


@pytest.mark.skipif(not RETIRED.exists(), reason="the shared domain data is not beside this tree")
def test_with_a_rated_resistance_the_retired_cells_give_a_resistance_claim_too():
    lines = RETIRED.read_text(encoding="utf-8").splitlines()
    lines[0] = lines[0].replace("dc_resistance_mohm_from_0p5C_pulse_at_50pct", "resistance_mohm")
    content = "\n".join([lines[0] + ",rated_resistance_mohm", *(x + ",2" for x in lines[1:])])

    capacity, resistance = judge(read(content.encode())).findings

    assert resistance.basis == "RESISTANCE"
    assert not health.comparable(_claim(capacity), _claim(resistance))


# --- properties
currents = st.lists(st.floats(-100, 100, allow_nan=False), min_size=2, max_size=40)


@given(currents, st.floats(0.001, 1000))
def test_scaling_the_current_scales_the_capacity(values, k):
    time = np.arange(len(values)) * 10.0
    assert discharged_ah(time, k * np.array(values)) == pytest.approx(
        k * discharged_ah(time, np.array(values)), rel=1e-9
    )


@given(currents)
def test_a_capacity_is_never_negative(values):
    assert discharged_ah(np.arange(len(values)) * 1.0, np.array(values)) >= 0


@given(st.floats(0.4, 1.05), st.floats(0.2, 3.0))
def test_the_health_follows_what_came_out_whatever_the_rate(share, rate):
    content = discharge(hours=share / rate, amps=-10 * rate)

    assert judge(read(content), said=NMC).findings[0].value == pytest.approx(share, rel=1e-3)


@given(st.floats(0.35, 1.05))
def test_minutes_are_told_from_seconds(share):
    plain = judge(
        read(discharge(hours=share, head="time,current_a,voltage_v", times=1 / 60)), said=NMC
    )

    assert plain.findings[0].value == pytest.approx(share, rel=1e-3)
    assert refusal(discharge(hours=share, times=1 / 60)).found == "min"


@given(st.integers(2, 200), st.integers(2, 200))
def test_the_value_does_not_depend_on_how_often_a_row_was_written(coarse, fine):
    values = [judge(read(discharge(n=n)), said=NMC).findings[0].value for n in (coarse, fine)]

    assert values[0] == pytest.approx(values[1], rel=1e-4)


numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: x + 0.0)


@given(
    st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20), st.text("abc号\"' ", min_size=1)
)
def test_what_is_written_is_read_again(rows, cell):
    assume(cell.strip() == cell)
    quoted = cell.replace('"', '""')
    content = "# rated_ah: 35 Ah\ncell,time_s,current_a,voltage_v\n" + "\n".join(
        f'"{quoted}",{at},{current!r},{voltage!r}' for at, (current, voltage) in enumerate(rows)
    )
    table = read(content.encode())

    again = read(write(table).encode())

    assert again.header == table.header
    assert [run.cell for run in again.runs] == [run.cell for run in table.runs]
    for name, values in table.runs[0].columns.items():
        assert np.array_equal(again.runs[0].columns[name], values)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content):
    with suppress(Unreadable):
        judge(read(content), said=NMC)


# --- which claim counts
def test_measured_counts_before_passport_before_said_and_the_weakest_before_the_pack(now):
    claims = [
        _kept(now, method="SAID", value="0.99"),
        _kept(now, method="PASSPORT", value="0.95"),
        _kept(now, method="CAPACITY_TEST", value="0.8", level="PACK"),
        _kept(now, method="CAPACITY_TEST", value="0.7", level="WEAKEST_CELL"),
        _kept(now, method="CAPACITY_TEST", value="0.6", basis="ENERGY", level="WEAKEST_CELL"),
        _kept(now, method="PULSE_TEST", value="1.4", basis="RESISTANCE"),
        _kept(now, method="CAPACITY_TEST", value="0.5", doubts=("window_not_full",)),
    ]

    assert health.best(claims).value == Decimal("0.7")
    assert health.best(claims[:2]).value == Decimal("0.95")
    assert health.best(claims[-2:]) is None


def test_claims_on_unlike_bases_or_levels_are_not_compared(now):
    pack, energy = _kept(now, value="0.8"), _kept(now, value="0.8", basis="ENERGY")

    assert health.why_not(pack, energy) == "basis"
    assert health.why_not(pack, _kept(now, value="0.8", level="WEAKEST_CELL")) == "level"
    assert health.comparable(pack, pack)


@given(st.lists(st.decimals(-1, 1, places=4), min_size=3, max_size=30))
def test_a_score_lies_between_the_prior_and_what_was_seen(errors):
    scored = health.score(errors)
    seen = sum(abs(error) for error in errors) / len(errors)
    low, high = sorted([seen, health.PRIOR_ERROR])

    assert low - Decimal("0.001") <= scored.typically <= high + Decimal("0.001")


@given(st.floats(0, 2))
def test_every_health_has_a_grade(value):
    assert grade(value) in "ABCDR"


class _Kept:
    def __init__(
        self, now, *, value, basis="CAPACITY", level="PACK", method="CAPACITY_TEST", doubts=()
    ):
        self.value, self.basis, self.level = Decimal(value), basis, level
        self.method, self.doubts, self.tested_at, self.added_at = method, doubts, None, now


def _kept(now, **claim):
    return _Kept(now, **claim)


def _claim(finding):
    return _Kept(None, value=str(finding.value), basis=finding.basis, level=finding.level)


def _fields(said: Said) -> dict:
    return {name: getattr(said, name) for name in Said.__dataclass_fields__}
