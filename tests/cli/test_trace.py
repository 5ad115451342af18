"""trace.json: that its timeline is valid, adds up to the run's tables, and changes none of them."""

import json
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from accel_sim import load_hardware, simulate
from accel_sim.host import yaml_io
from accel_sim.machine.config import from_tree, to_tree
from accel_sim.reports import extras, trace
from accel_sim.reports.trace_banks import Banks
from accel_sim.reports.trace_check import TIME, faults
from accel_sim.values.jobs import Job, Transfer
from accel_sim.values.tile import Extent, Stream
from workloads import load_network

from .calls import call, names, results

BANKED = "memories.dram={name: dram_banked, level: dram, part: ddr4_2400}"
CLOSED = "memories.dram={name: dram_banked, level: dram, part: ddr4_2400, page: closed, channels: 2}"
#: hardware, settings; has banks
MACHINES = {
    "flat": ("eie", ()),
    "banked": ("eie", (BANKED,)),
    "prefetch": ("systolic", ("mapping.prefetch_layers=true",)),
    "closed": ("systolic", (CLOSED, "dataflow.stationary=ws")),
    "vector": ("pragmatic", (BANKED,)),
}


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """Name in MACHINES -> (directory without --trace, directory with it)."""
    folder, found = tmp_path_factory.mktemp("traced"), {}
    for name, (hardware, settings) in MACHINES.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("accel_sim.results.plots.write", lambda folder: [])
            for more in ((), ("--trace",)):
                out = folder / f"{name}{len(more)}"
                sets = [word for setting in settings for word in ("--set", setting)]
                done = call("run", "lenet5", hardware, *sets, "--out", out, "--quiet", *more)
                assert (done.code, done.err) == (0, "")
        found[name] = folder / f"{name}0", folder / f"{name}1"
    return found


def slices(tree, *, inner=False):
    """Track -> its slices, those inside another only with ``inner``."""
    track = {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in tree["traceEvents"]
        if event["name"] == "thread_name"
    }
    found: dict[str, list[dict]] = {}
    for event in tree["traceEvents"]:
        if event["ph"] == "X" and (event.get("cat") == "command") == inner:
            found.setdefault(track[event["pid"], event["tid"]], []).append(event)
    return found


def total(events, key="dur"):
    return sum(event[key] if key in event else event.get("args", {}).get(key, 0) for event in events)


@pytest.mark.parametrize("name", MACHINES)
def test_a_trace_is_valid_and_says_what_the_tables_say(traced, name):
    folder = traced[name][1]
    found = json.loads((folder / "trace.json").read_text())
    assert list(faults(found)) == []
    assert found["otherData"]["time"] == "1 cycle = 1 us" and found["otherData"]["events"] == "whole"
    layers, shown = pd.read_csv(folder / "layers.csv"), slices(found)
    assert total(shown["layer"]) == layers.cycles.sum()
    assert total(shown["array"]) == layers.array_cycles.sum()
    reads, writes = layers.dram_read_bytes.sum(), layers.dram_write_bytes.sum()
    assert (total(shown["dram"], "read_bytes"), total(shown["dram"], "write_bytes")) == (reads, writes)
    assert sum(total(shown[track], "bytes") for track in shown if track.startswith("load ")) == reads
    assert sum(total(shown[track], "bytes") for track in shown if track.startswith("write ")) == writes
    last = {event["name"]: event["args"]["bytes"] for event in found["traceEvents"] if event["ph"] == "C"}
    assert last and set(last.values()) == {0}, "every buffer is empty in the end"


@pytest.mark.parametrize("name", ["banked", "closed", "vector"])
def test_bank_tracks_hold_every_command_once(traced, name):
    folder = traced[name][1]
    found = json.loads((folder / "trace.json").read_text())
    actions = pd.read_csv(folder / "actions.csv").query("component == 'dram'").groupby("action")["count"].sum()
    rows = [s for track in slices(found).values() for s in track if s.get("cat") == "row"]
    inside = [s for track in slices(found, inner=True).values() for s in track]
    refresh = [s for name, track in slices(found).items() if name.endswith("refresh") for s in track]
    assert len(rows) == actions["act_pre"] == sum(s["name"] == "ACT" for s in inside)
    assert (total(rows, "reads"), total(rows, "writes")) == (actions["rd"], actions["wr"])
    for command in ("rd", "wr"):
        bursts = [re.fullmatch(r"(..) x(\d+)", s["name"]) for s in inside if s["name"] != "ACT"]
        assert sum(int(burst[2]) for burst in bursts if burst[1] == command.upper()) == actions[command]
    assert total(rows, "bytes") == 64 * (actions["rd"] + actions["wr"])
    assert total(rows, "hits") == actions["rd"] + actions["wr"] - actions["act_pre"]
    assert sum(s["name"] == "REF" for s in refresh) == actions["ref"]
    kinds = Counter(s["name"].split(":")[0] for s in rows)
    assert set(kinds) == ({"miss"} if name == "closed" else {"miss", "conflict"})


def test_a_bank_by_hand():
    """Two bursts of row 5, one of row 6 (a conflict), all closed for refresh, row 6 again (a miss)."""
    machine = load_hardware("eie", {"memories.dram": {"name": "dram_banked", "level": "dram", "part": "ddr4_2400"}})
    state = machine.dram.new_state(machine.dram.memory_mhz)
    gap = dict(zip(("rcd", "rp", "rc", "rfc"), (17, 17, 56, 420), strict=True))
    banks = Banks(machine.dram, state)
    assert {name: banks.timing[name if name != "rcd" else "rcd_rd"] for name in gap} == gap
    log = [
        [0, 0, 0, 3, 5, 0], [17, 0, 3, 3, 5, 0], [23, 0, 3, 3, 5, 1], [50, 0, 1, 3, 6, 0], [67, 0, 0, 3, 6, 0],
        [84, 0, 4, 3, 6, 0], [200, 0, 2, 0, -1, -1], [217, 0, 5, 0, -1, -1], [637, 0, 0, 3, 6, 0],
    ]  # fmt: skip
    bank, rank = "channel 0 rank 0 group 0 bank 3", "channel 0 rank 0 refresh"
    found = sorted(banks.slices(log, 700), key=lambda each: (each[0], each[3], -each[4]))
    assert [each[:5] for each in found] == [
        (bank, "row", "miss: row 5", 0, 50), (bank, "command", "ACT", 0, 17), (bank, "command", "RD x2", 17, 27),
        (bank, "", "PRE", 50, 67),
        (bank, "row", "conflict: row 6", 67, 200), (bank, "command", "ACT", 67, 84),
        (bank, "command", "WR x1", 84, 88), (bank, "", "PRE", 200, 217),
        (bank, "row", "miss: row 6", 637, 700), (bank, "command", "ACT", 637, 654),
        (rank, "", "PREA", 200, 217), (rank, "", "REF", 217, 637),
    ]  # fmt: skip
    assert found[0][5] == {"reads": 2, "writes": 0, "hits": 1, "bytes": 128}


@pytest.mark.parametrize("name", MACHINES)
def test_a_trace_changes_nothing_else(traced, name):
    without, with_trace = (results(folder) for folder in traced[name])
    assert "trace.json" in with_trace and "trace.json" not in without
    assert {name: data for name, data in with_trace.items() if name != "trace.json"} == without


def test_a_trace_is_the_same_each_time_and_goes_with_the_next_run(traced, tmp_path, plain):
    out = tmp_path / "again"
    assert call("run", "lenet5", "eie", "--set", BANKED, "--out", out, "--trace", "--quiet").code == 0
    assert results(out) == results(traced["banked"][1])
    assert call("run", "lenet5", "eie", "--out", out, "--quiet").code == 0
    assert "trace.json" not in names(out)


def test_a_run_without_a_trace_logs_no_command():
    assert extras.Extras(trace=False, stats=False).engine is trace.Engine
    machine = load_hardware("eie", {"memories.dram": {"name": "dram_banked", "level": "dram", "part": "ddr4_2400"}})
    assert len(machine.dram.new_state(machine.clock_mhz).log) == 0


def test_a_trace_through_several_levels_is_valid():
    grid = to_tree(load_hardware("systolic"))
    text = (Path(__file__).parents[2] / "docs" / "memory_hierarchy.md").read_text(encoding="utf-8")
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        grid |= yaml_io.parse(block, "docs")
    del grid["mapping"]["layers"]  # of another network
    machine, network, recorder = from_tree(grid, "docs"), load_network("lenet5"), trace.Recorder()
    result = simulate(network, machine, engine=recorder.engine)
    assert result.summary == simulate(network, machine).summary
    found = recorder.tree(result)
    assert list(faults(found)) == []
    assert {"load weights in glb", "load weights in weight_sram", "write from glb"} <= set(slices(found))
    last = {event["name"]: event["args"]["bytes"] for event in found["traceEvents"] if event["ph"] == "C"}
    assert set(last.values()) == {0}


def test_unfinished_sums_are_counted_in_their_width():
    """lenet5 fc1 on pragmatic: five tiles, the first four leave the sums of 500 results of 48 bits behind."""
    recorder = trace.Recorder()
    machine = load_hardware("pragmatic", {"mapping.layers": {"fc1": {"tiles": {"k": 160}}}})
    result = simulate(load_network("lenet5"), machine, layers="fc1", engine=recorder.engine)
    (run,) = result.runs
    assert (run.tiles, run.mode.sum_bits, run.bytes_written) == (5, 48, 500)
    found = recorder.tree(result)
    counted = [event for event in found["traceEvents"] if event["name"] == "partial sums in map_sram"]
    tiles = slices(found)["array"]
    assert [(event["ts"], event["args"]["bytes"]) for event in counted] == [
        (tiles[0]["ts"], 3000), (tiles[4]["ts"], 0)
    ]  # fmt: skip


def sums(*drains):
    """Changes for tiles that drain so many bytes (0 = none)."""
    jobs = [Job(1, 0, {}, {"l": Transfer((Stream("o", "outputs", True, (Extent(0, n),), "l", "d"),))} if n else {})
            for n in drains]  # fmt: skip
    return trace._sums(jobs, "l")


def test_sums_begin_where_the_loops_begin_them():
    assert sums(5, 5) == {}
    assert sums(0, 0, 5, 0, 0, 7) == {0: 5, 2: -5, 3: 7, 5: -7}
    assert sums(0, 0, 0, 0, 5, 7) == {0: 5, 1: 7, 4: -5, 5: -7}, "two blocks of results take turns"


def test_a_long_trace_is_capped_and_says_so(monkeypatch, tmp_path, plain):
    monkeypatch.setattr(extras, "Recorder", lambda: trace.Recorder(most=100))
    done = call("run", "lenet5", "eie", "--set", BANKED, "--out", tmp_path / "r", "--trace", "--quiet")
    found = json.loads((tmp_path / "r" / "trace.json").read_text())
    assert list(faults(found)) == []
    note = found["otherData"]["events"]
    ends = re.fullmatch(
        r"capped at 100 events: shows cycles 0 to (\d+) of (\d+), banks of dram cycles 0 to (\d+) of \d+, and all "
        r"layers", note
    )  # fmt: skip
    assert (done.code, done.line) == (0, f"accel-sim run: warning: trace.json: {note}")
    cycles = json.loads((tmp_path / "r" / "summary.json").read_text())["cycles"]
    assert int(ends[2]) == cycles > int(ends[1]) > 0 and int(ends[3]) > 0
    events = [event for event in found["traceEvents"] if event["ph"] in "XC"]
    for pid, last, beside in ((1, int(ends[1]), 7), (2, int(ends[3]), 0)):
        mine = [event for event in events if event["pid"] == pid]
        assert 20 < len(mine) <= 100 + beside
        assert all(event["ts"] + event.get("dur", 0) <= last + 1 for event in mine if event["tid"] != 1 or pid == 2)
    assert found["traceEvents"][-1]["ph"] == "i" and found["traceEvents"][-1]["name"] == note


NAMED = {"ph": "M", "pid": 1, "tid": 1, "name": "thread_name", "args": {"name": "array"}}
SPAN = {"ph": "X", "pid": 1, "tid": 1, "name": "tile", "ts": 0, "dur": 5}
ROW, INNER = SPAN | {"cat": "row", "dur": 9.5}, SPAN | {"cat": "command", "ts": 1.25, "dur": 2}
COUNT = {"ph": "C", "pid": 1, "tid": 0, "name": "b", "ts": 3, "args": {"bytes": 1}}
NUMBER = "is no positive number of cycles with at most three decimals"


@pytest.mark.parametrize(("events", "expected"), [
    ([NAMED, SPAN, SPAN | {"ts": 5}, COUNT], []),
    ([NAMED, ROW, INNER, INNER | {"ts": 3.25}, ROW | {"ts": 9.5}], []),
    ([NAMED, SPAN, SPAN | {"ts": 4}], ["event 2: begins at 4, before its track is free at 5"]),
    ([NAMED, SPAN, SPAN | {"ts": 1, "dur": 2}], ["event 2: begins at 1, before its track is free at 5"]),
    ([NAMED, SPAN, SPAN | {"ts": 1, "dur": 2, "cat": "command"}], [
        "event 2: begins at 1, before its track is free at 5"]),
    ([NAMED, ROW, INNER | {"dur": 9}], ["event 2: ends at 10.25, after the slice it lies in, at 9.5"]),
    ([NAMED, ROW, INNER, INNER | {"ts": 2}], ["event 3: begins at 2, before its track is free at 3.25"]),
    ([NAMED, ROW, INNER, ROW | {"ts": 5}], ["event 3: begins at 5, before its track is free at 9.5"]),
    ([NAMED, SPAN | {"ts": 7}, SPAN], ["event 2: begins at 0, before the slice before it does, at 7"]),
    ([SPAN], ["event 0: track 1 has no name"]),
    ([NAMED, SPAN | {"pid": 2}], ["event 1: track 1 has no name"]),
    ([NAMED, SPAN | {"pid": 3}], ["event 1: expected pid 1 or 2, and a number tid"]),
    ([NAMED, SPAN | {"dur": 0}], [f"event 1: dur {NUMBER}"]),
    ([NAMED, SPAN | {"dur": -5}], [f"event 1: dur {NUMBER}"]),
    ([NAMED, SPAN | {"dur": 0.0005}], [f"event 1: dur {NUMBER}"]),
    ([NAMED, SPAN | {"ts": -1}], ["event 1: ts is no number of cycles with at most three decimals"]),
    ([NAMED, SPAN | {"ts": float("nan")}], ["event 1: ts is no number of cycles with at most three decimals"]),
    ([COUNT, COUNT | {"ts": 2}], ["event 1: counter 'b' is no whole number from 0 on, or goes back in time"]),
    ([COUNT | {"args": {"bytes": -1}}], ["event 0: counter 'b' is no whole number from 0 on, or goes back in time"]),
    ([{"ph": "Z"}], ["event 0: expected ph M, X, C or i, and a name"]),
])  # fmt: skip
def test_what_is_wrong_with_a_trace_is_found(events, expected):
    assert list(faults({"otherData": {"time": TIME}, "traceEvents": events})) == expected


def test_what_is_no_trace_is_found():
    assert list(faults([])) == ["expected a mapping with a list traceEvents"]
    assert list(faults({"traceEvents": []})) == ["otherData.time: expected '1 cycle = 1 us'"]


def test_a_trace_that_is_not_valid_is_not_written(monkeypatch, tmp_path, plain):
    def longer(self, track, name, begin, end, **shown):
        self.spans.append(trace.Span(track, "", name, begin * trace.PARTS, (end + 50_000) * trace.PARTS, shown))

    monkeypatch.setattr(trace.Recorder, "span", longer)
    with pytest.raises(
        trace.ConservationError, match=r"^trace.json: event \d+: begins at \d+, before its track is free"
    ):
        call("run", "lenet5", "eie", "--out", tmp_path / "r", "--trace", "--quiet")
    assert names(tmp_path) == set()
