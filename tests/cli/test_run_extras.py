"""What is made beside the tables: trace.json, stats.txt, report.html, shell completion, a notebook's view."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from accel_sim import load_hardware, simulate, yaml_io
from accel_sim.config import from_tree, to_tree
from accel_sim.reports import stats_txt, trace
from accel_sim.reports.svg import short, ticks
from accel_sim.rundir import FILES
from workloads import load_network

from .calls import call, names, results, tree

MACHINES = [("lenet5", "eie", ()), ("lenet5", "systolic", ("--set", "mapping.prefetch_layers=true"))]


@pytest.fixture(scope="module")
def extras(tmp_path_factory):
    """Directories of runs with --trace and --stats, in the order of MACHINES."""
    folder, found = tmp_path_factory.mktemp("extras"), []
    for number, (network, hardware, more) in enumerate(MACHINES):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("accel_sim.plots.write", lambda folder: [])
            out = folder / str(number)
            done = call("run", network, hardware, *more, "--out", out, "--trace", "--stats", "--quiet")
        assert (done.code, done.err) == (0, "")
        found.append(out)
    return found


def spans(tree):
    track = {event["tid"]: event["args"]["name"] for event in tree["traceEvents"] if event["name"] == "thread_name"}
    found: dict[str, list[tuple[int, int]]] = {}
    for event in tree["traceEvents"]:
        if event["ph"] == "X":
            found.setdefault(track[event["tid"]], []).append((event["ts"], event["dur"]))
    return found


@pytest.mark.parametrize("number", [0, 1])
def test_a_trace_is_valid_and_says_what_the_tables_say(extras, number):
    found = json.loads((extras[number] / "trace.json").read_text())
    assert list(trace.faults(found)) == []
    assert found["otherData"]["time"] == "1 cycle = 1 us" and found["otherData"]["events"] == "whole"
    layers, shown = pd.read_csv(extras[number] / "layers.csv"), spans(found)
    assert sum(length for _, length in shown["layer"]) == layers.cycles.sum()
    stalled = layers.overlapped_cycles.sum()
    assert sum(length for _, length in shown["array"]) >= max(layers.array_cycles.sum(), stalled)
    assert {"dram", "post"} <= set(shown) and any(name.startswith("load weights in ") for name in shown)
    last = {event["name"]: event["args"]["bytes"] for event in found["traceEvents"] if event["ph"] == "C"}
    assert last and set(last.values()) == {0}, "every buffer is empty in the end"


def test_a_trace_changes_nothing_else_and_is_the_same_each_time(extras, runs, tmp_path, plain):
    out = tmp_path / "again"
    assert call("run", "lenet5", "eie", "--out", out, "--trace", "--stats", "--quiet").code == 0
    assert results(out) == results(extras[0])
    without = results(runs["lenet5", "eie"])
    assert {name: data for name, data in results(out).items() if name in without} == {
        name: data for name, data in without.items() if not name.endswith((".png", ".html"))
    }
    assert call("run", "lenet5", "eie", "--out", out, "--quiet").code == 0
    assert "trace.json" not in names(out)


def test_a_trace_through_several_levels_is_valid():
    grid = to_tree(load_hardware("systolic"))
    text = (Path(__file__).parents[2] / "docs" / "memory_hierarchy.md").read_text(encoding="utf-8")
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        grid |= yaml_io.parse(block, "docs")
    machine, network, recorder = from_tree(grid, "docs"), load_network("lenet5"), trace.Recorder()
    result = simulate(network, machine, engine=recorder.engine)
    assert result.summary == simulate(network, machine).summary
    found = recorder.tree(result)
    assert list(trace.faults(found)) == []
    assert {"load weights in glb", "load weights in weight_sram", "write from glb"} <= set(spans(found))
    assert set(recorder.held.values()) == {0}


def test_a_long_trace_is_capped_and_says_so():
    recorder = trace.Recorder(most=100)
    result = simulate(load_network("lenet5"), load_hardware("eie"), engine=recorder.engine)
    found = recorder.tree(result)
    assert list(trace.faults(found)) == []
    kinds = [event["ph"] for event in found["traceEvents"]]
    assert kinds.count("X") + kinds.count("C") <= 100 + len(result.runs)
    assert re.fullmatch(r"capped: \d+ events left out, the first at about cycle \d+", found["otherData"]["events"])
    assert found["traceEvents"][-1]["ph"] == "i" and found["traceEvents"][-1]["name"] == found["otherData"]["events"]
    assert json.loads(recorder.text(result)) == found


def test_a_trace_that_is_wrong_is_found():
    named = {"ph": "M", "pid": 1, "tid": 1, "name": "thread_name", "args": {"name": "array"}}
    span = {"ph": "X", "pid": 1, "tid": 1, "name": "tile", "ts": 0, "dur": 5}
    count = {"ph": "C", "pid": 1, "tid": 0, "name": "b", "ts": 3, "args": {"bytes": 1}}

    def faults(*events):
        return list(trace.faults({"otherData": {"time": trace.TIME}, "traceEvents": list(events)}))

    assert faults(named, span, span | {"ts": 5}, count) == []
    assert faults(named, span, span | {"ts": 4}) == ["event 2: begins at 4, before its track is free at 5"]
    assert faults(span) == ["event 0: track 1 has no name"]
    assert faults(named, span | {"dur": 0}) == ["event 1: dur is no positive number of cycles"]
    assert faults(named, span | {"ts": 0.5}) == ["event 1: ts is no cycle"]
    assert faults(count, count | {"ts": 2}) == ["event 1: counter 'b' is below zero or goes back in time"]
    assert faults({"ph": "Z"}) == ["event 0: expected ph M, X, C or i, a name and pid 1"]
    assert list(trace.faults([])) == ["expected a mapping with a list traceEvents"]
    assert list(trace.faults({"traceEvents": []})) == ["otherData.time: expected '1 cycle = 1 us'"]


def test_stats_are_one_line_each_and_those_of_the_summary(extras):
    text = (extras[0] / "stats.txt").read_text()
    lines = text.strip().splitlines()
    assert (lines[0], lines[-1]) == (stats_txt.BEGIN, stats_txt.END)
    rows = [re.fullmatch(r"(\S+) +(\S+)  # .+ \(.+\)", line) for line in lines[1:-1] if line]
    assert all(rows)
    found = {row[1]: float(row[2]) for row in rows}
    assert len(found) == len(rows), "a name is used twice"
    summary = json.loads((extras[0] / "summary.json").read_text())
    assert found["system.numCycles"] == summary["cycles"]
    assert found["system.energy"] == pytest.approx(summary["energy_pj"], rel=1e-11)
    assert found["system.laneSlots::total"] == sum(v for k, v in found.items() if re.fullmatch(
        r"system\.laneSlots::(?!total).*", k))  # fmt: skip
    assert sum(v for k, v in found.items() if re.fullmatch(r"system\.layers\.\w+\.numCycles", k)) == summary["cycles"]


class Page(HTMLParser):
    """Every tag with its attributes; tags that are never closed."""

    VOID = ("meta", "wbr", "link", "input", "br", "rect", "path", "line", "circle", "polyline")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_a_report_is_one_whole_page_the_same_each_time(runs, tmp_path):
    folder = shutil.copytree(runs["squeezenet1_0", "eie"], tmp_path / "r")
    done = call("report", folder, "--json")
    path = folder / "report.html"
    data = path.read_bytes()
    assert json.loads(done.out) == {"report": str(path), "bytes": len(data)}
    assert call("report", folder).out == f"{path}\n" and path.read_bytes() == data
    assert len(data) < 1_000_000 and path.name in FILES
    page = Page(data.decode())
    assert page.open == []
    links = [value for _, attrs in page.tags for key, value in attrs.items() if key in ("href", "src")]
    assert all(link.startswith(("#", "data:")) for link in links)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids)) and {link[1:] for link in links if link.startswith("#")} <= set(ids)
    marks = [attrs for _, attrs in page.tags if attrs.get("class") == "mark"]
    assert all(mark["aria-label"] and mark["role"] == "img" for mark in marks)
    actions = pd.read_csv(folder / "actions.csv")
    text = data.decode().replace("&#x27;", "'").replace("&quot;", '"')
    assert all(source in text for source in set(actions.source))


def test_a_report_holds_names_as_text(runs, tmp_path):
    evil = tmp_path / "r"
    evil.mkdir()
    for name, data in tree(runs["lenet5", "eie"]).items():
        (evil / name).write_bytes(data.replace(b"conv1", b"<b>&x") if name.endswith((".csv", ".txt")) else data)
    assert call("report", evil).code == 0
    text = (evil / "report.html").read_text()
    assert "<b>&x" not in text and "&lt;b&gt;&amp;x" in text
    assert Page(text).open == []


def test_a_report_of_what_is_no_run_is_refused(refused):
    assert refused("report", "none") == "none: is no run directory (nothing is there)"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_options_and_names(shell):
    done = call("completion", shell)
    assert (done.code, done.err) == (0, "")
    for word in ("compare", "report", "squeezenet1_0", "systolic", "trace"):
        assert word in done.out


@pytest.mark.parametrize(("typed", "expected"), [
    (["accel-sim", "com"], {"compare", "completion"}),
    (["accel-sim", "run", "squeezenet1_"], {"squeezenet1_0", "squeezenet1_1"}),
    (["accel-sim", "run", "lenet5", "sys"], {"systolic"}),
    (["accel-sim", "compare", "--q"], {"--quiet"}),
    (["accel-sim", "nothing", "x"], set()),
])  # fmt: skip
def test_bash_completes(typed, expected, tmp_path):
    script = call("completion", "bash").out
    script += f'COMP_WORDS=({" ".join(typed)}); COMP_CWORD={len(typed) - 1}; _accel_sim; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (set(done.stdout.split()), done.stderr) == (expected, "")


def test_a_wrong_shell_is_refused():
    done = call("completion", "tcsh")
    assert done.code == 2 and done.line.startswith("accel-sim completion: argument shell: invalid choice: 'tcsh'")


def test_a_notebook_shows_every_layer():
    result = simulate(load_network("lenet5"), load_hardware("eie"))
    text = result._repr_html_()
    assert Page(text).open == []
    assert all(f">{name}</td>" in text for name in result.layers.layer)
    assert f"{result.summary['cycles']:,} cycles" in text


def test_round_figures():
    assert ticks(8.7) == [0, 2, 4, 6, 8] and ticks(100) == [0, 20, 40, 60, 80, 100] and ticks(0) == [0.0]
    for top in (1, 1.1, 2, 3.59, 5, 9.99, 12, 0.04, 123456):
        assert 2 <= len(ticks(top)) <= 6 and ticks(top)[-1] <= top * (1 + 1e-9)
    assert [short(value) for value in (0, 12, 1234, 5.5e6, 7e9)] == ["0", "12", "1.23 k", "5.5 M", "7 G"]
