"""list, show, stats, plot, experiment: what they print and what they write."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from accel_sim.machine.config import from_tree, load_hardware
from accel_sim.results import experiment
from accel_sim.shell.names import KINDS
from workloads import load_network

from .calls import call, tree

EXPECTED = {
    "networks": {"alexnet", "squeezenet1_0", "mobilenet_v1", "resnet50", "lenet5"},
    "hardware": {"eie", "systolic"},
    "macs": {"conventional"},
    "dataflows": {"broadcast_csc", "systolic"},
    "encodings": {"dense", "relative_index"},
    "formats": {"integer", "affine", "bfloat16", "ternary", "codebook"},
    "memories": {"flat", "sram"},
    "interconnects": {"bus", "crossbar", "multicast", "neighbour"},
    "experiments": {"systolic_reference"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_list_prints_a_name_a_line_or_json(kind):
    lines, listed = call("list", kind), call("list", kind, "--json")
    assert (lines.code, lines.err, listed.code, listed.err) == (0, "", 0, "")
    names = lines.out.splitlines()
    assert json.loads(listed.out) == names == sorted(names)
    assert EXPECTED[kind] <= set(names)


def test_show_network_is_a_table_or_rows():
    table, rows = call("show", "network", "lenet5"), call("show", "network", "lenet5", "--json")
    assert (table.code, rows.code, table.err, rows.err) == (0, 0, "", "")
    network = load_network("lenet5")
    assert f"lenet5: {network.macs:,} MACs, {network.params:,} parameters" in table.out
    found = {row["layer"]: (row["macs"], row["params"]) for row in json.loads(rows.out)}
    assert found == {layer.name: (layer.macs, layer.params) for layer in network.layers}


@pytest.mark.parametrize("name", ["eie", "systolic"])
def test_show_hardware_prints_a_file_that_is_the_machine(name, tmp_path):
    shown, listed = call("show", "hardware", name), call("show", "hardware", name, "--json")
    assert (shown.code, listed.code, shown.err) == (0, 0, "")
    assert yaml.safe_load(shown.out) == json.loads(listed.out)
    (tmp_path / "mine.yaml").write_text(shown.out, encoding="utf-8")
    assert load_hardware(tmp_path / "mine.yaml") == load_hardware(name)
    assert from_tree(json.loads(listed.out), "json") == load_hardware(name)


def test_stats_is_a_table_or_one_object():
    table, data = call("stats", "lenet_300_100"), call("stats", "lenet_300_100", "--json", "--seed", "0")
    assert (table.code, data.code, table.err, data.err, data.out.count("\n")) == (0, 0, "", "", 1)
    layers = json.loads(data.out)["layers"]
    assert [row["layer"] for row in layers] == ["fc1", "fc2", "fc3"]
    assert all(row["layer"] in table.out for row in layers)


@pytest.mark.slow
def test_plot_draws_the_same_figures_again(runs, tmp_path):
    source = tree(runs["lenet5", "eie"])
    for name in ("cycles.csv", "actions.csv", "roofline.csv", "roofs.csv", "summary.json"):
        (tmp_path / name).write_bytes(source[name])
    done = call("plot", tmp_path)
    assert (done.code, done.err) == (0, "")
    assert [Path(line).name for line in done.out.splitlines()] == ["cycles.png", "energy.png", "roofline.png"]
    after = tree(tmp_path)
    assert all(after[name] == source[name] for name in after)


@pytest.mark.parametrize(
    ("text", "why"),
    [(None, "cycles.csv is missing"), ("", "No columns to parse from file"), ("a,b\n1,2\n", "")],
)
def test_plot_refuses_what_is_no_run(text, why, tmp_path):
    if text is not None:
        for name in ("cycles.csv", "actions.csv", "roofline.csv", "roofs.csv", "summary.json"):
            (tmp_path / name).write_text(text.replace("a,b\n1,2\n", "{}") if name == "summary.json" else text)
    before, done = tree(tmp_path), call("plot", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.line.startswith(f"accel-sim plot: {tmp_path}: is no run directory ({why}")
    assert tree(tmp_path) == before


QUESTION = {"class": "read", "derived_from": "nothing", "source": "a test", "published": 2.0}
ROWS = [
    {**QUESTION, "item": "near", "simulated": 2.1, "tolerance": 0.06},
    {**QUESTION, "item": "far", "simulated": 3.0, "tolerance": 0.06},
    {**QUESTION, "item": "far but recalled", "simulated": 9.0, "tolerance": 0.06, "class": "recalled"},
    {**QUESTION, "item": "shown", "simulated": 9.0, "tolerance": None},
    {**QUESTION, "item": "a law of ours", "simulated": 2.0, "tolerance": 0.0, "class": "self"},
]


@pytest.fixture
def experiment_of(monkeypatch):
    """experiment_of(rows): the only experiment there is, 'probe'."""

    def install(rows: list[dict]) -> None:
        probe = experiment.Experiment("probe", "Does it?", lambda: rows, lambda frame, path: path.write_bytes(b"png"))
        entry = SimpleNamespace(load=lambda: probe)
        monkeypatch.setattr(experiment, "experiments", lambda: {"probe": entry})

    return install


@pytest.mark.parametrize(("rows", "code"), [([ROWS[0], *ROWS[2:]], 0), (ROWS, 3)])
@pytest.mark.parametrize("name", ["probe", "all"])
def test_experiment_writes_a_table_and_a_figure(rows, code, name, here, experiment_of):
    """A row outside its tolerance is a failed check; a recalled one, or one without a tolerance, gates nothing."""
    experiment_of(rows)
    done = call("experiment", name, "--out", "x", "--json")
    assert (done.code, done.err, done.out.count("\n")) == (code, "", 1)
    (report,) = json.loads(done.out)
    assert report["passed"] == (code == 0)
    counts = {"gated": len(rows) - 3, "gated_within": 1, "laws": 1, "laws_held": 1, "shown": 2, "within": 2}
    assert (report["name"], report["rows"]) == ("probe", len(rows))
    assert {name: report[name] for name in counts} == counts
    check_experiment(here / "x", "probe", len(rows), 2)


def test_a_verdict_says_what_gated_and_what_is_only_shown(here, experiment_of):
    experiment_of([ROWS[0], ROWS[2], ROWS[3]])
    assert call("experiment", "probe", "--out", "x", "--quiet").out == (
        "probe: passed: 1 of 1 gated, 2 shown; x/probe.csv\n"
    )
    experiment_of([ROWS[1], ROWS[4]])
    line = "probe: FAILED: 0 of 1 gated, 1 of 1 laws held, 0 shown; y/probe.csv\n"
    assert call("experiment", "probe", "--out", "y", "--quiet").out == line
    experiment_of([{**ROWS[4], "simulated": 1.0}])
    line = "probe: FAILED: no row gated, 0 of 1 laws held, 0 shown; z/probe.csv\n"
    assert call("experiment", "probe", "--out", "z", "--quiet").out == line


def check_experiment(folder: Path, name: str, rows: int, within: int) -> None:
    assert set(tree(folder)) == {f"{name}.csv", f"{name}.png"}
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert tuple(found[0]) == experiment.COLUMNS
    assert len(found) == rows
    assert sum(row["within"] == "True" for row in found) == within
    for row in found:
        assert float(row["ratio"]) == pytest.approx(float(row["simulated"]) / float(row["published"]))
        assert row["class"] in ("exact", "measured", "read", "recalled", "self")
        assert (row["within"] == "") == (row["tolerance"] == "")
        assert row["source"]


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(experiment.experiments()))
def test_each_installed_experiment_passes(name, tmp_path):
    done = call("experiment", name, "--out", tmp_path / "x", "--json")
    assert (done.code, done.err) == (0, "")
    (report,) = json.loads(done.out)
    check_experiment(tmp_path / "x", name, report["rows"], report["within"])
    assert report["rows"] == report["gated"] + report["laws"] + report["shown"]
    with (tmp_path / "x" / f"{name}.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert all(
        not row["tolerance"] for row in found if row["class"] == "recalled" or "gates nothing" in row["derived_from"]
    )


def test_the_installed_program_is_this_one():
    script = Path(sys.executable).with_name("accel-sim")
    done = subprocess.run([script, "list", "hardware"], text=True, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (call("list", "hardware").out, "")


@pytest.mark.parametrize("command", [[], ["run"], ["list"], ["show"], ["stats"], ["plot"], ["experiment"]])
def test_help_ends_well(command):
    done = call(*command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("usage: accel-sim")


def test_options_of_design_4_exist():
    text = call("run", "--help").out
    options = ["weights", "image", "activations", "batch", "layers", "set", "out", "seed", "check", "json", "quiet"]
    assert [name for name in options if f"--{name}" not in text] == []
