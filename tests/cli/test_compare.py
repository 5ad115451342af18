"""`accel-sim compare`: ratios by hand from the runs' own tables, what changed, figures with their CSV, refusals."""

import json
import math
import shutil

import pandas as pd
import pytest

from accel_sim.reports.compare import MEAN, TOTAL, flat, geometric_mean
from accel_sim.results.plots import component_styles

from .calls import call, names, tree


def test_ratios_totals_and_geometric_means(runs):
    one, other = runs["lenet5", "eie"], runs["lenet5", "systolic"]
    done = call("compare", one, other, "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    first, second = (pd.read_csv(folder / "layers.csv").set_index("layer") for folder in (one, other))
    rows = [row for row in found["layers"] if row["run"] == "lenet5-systolic"]
    assert [row["layer"] for row in rows] == list(first.index)
    for row in rows:
        assert row["cycles_ratio"] == second.cycles[row["layer"]] / first.cycles[row["layer"]]
    base, total = found["total"]
    assert base["cycles_ratio"] == base["energy_pj_ratio"] == 1.0
    assert total["cycles"] == second.cycles.sum()
    moved = [(frame.dram_read_bytes + frame.dram_write_bytes).sum() for frame in (first, second)]
    assert total["dram_bytes_ratio"] == moved[1] / moved[0]
    mean = found["geometric_mean"][1]["cycles_ratio"]
    assert mean == pytest.approx(math.prod(row["cycles_ratio"] for row in rows) ** (1 / len(rows)))
    paths = {row["path"]: (row["first"], row["value"]) for row in found["changes"]}
    assert paths["hardware.dataflow.name"] == ("broadcast_csc", "systolic")
    assert "run.network" not in paths


def test_a_run_beside_itself_and_its_text(runs):
    folder = runs["lenet5", "eie"]
    done = call("compare", folder, folder)
    assert (done.code, done.err) == (0, "")
    assert "lenet5-eie #2" in done.out and "configs: no difference" in done.out and TOTAL in done.out
    found = json.loads(call("compare", folder, folder, "--json").out)
    assert all(row[f"{metric}_ratio"] == 1.0 for row in found["layers"] for metric in ("cycles", "energy_pj"))


def test_the_terminal_shows_the_first_settings_that_differ_and_says_how_many_more(runs):
    folders = runs["lenet5", "eie"], runs["lenet5", "systolic"]
    done = call("compare", *folders)
    changes = json.loads(call("compare", *folders, "--json").out)["changes"]
    assert sum(f" {row['path']} " in done.out for row in changes) == 15 < len(changes)
    assert f"and {len(changes) - 15} more settings" in done.out
    assert done.out.index("more settings") < done.out.index(TOTAL), "totals come last"


def test_components_of_two_machines_are_told_apart(runs):
    tables = (pd.read_csv(runs["lenet5", name] / "actions.csv") for name in ("eie", "systolic"))
    parts = sorted(set().union(*(table.component for table in tables)))
    styles = component_styles(parts)
    assert len(set(styles.values())) == len(parts) > 12


def test_different_networks_are_compared_by_their_totals(runs, tmp_path):
    folders = runs["lenet5", "eie"], runs["lenet_300_100", "eie"]
    done = call("compare", *folders, "--out", tmp_path / "c", "--json")
    found = json.loads(done.out)
    assert (found["by_layer"], found["layers"], found["geometric_mean"]) == (False, [], [])
    assert found["note"] == "different networks: lenet5, lenet_300_100; their layers are not the same: totals only"
    assert set(pd.read_csv(tmp_path / "c" / "compare_cycles.csv").layer) == {"total"}


@pytest.mark.slow
def test_figures_lie_beside_the_csv_they_show_and_are_the_same_each_time(runs, tmp_path):
    folders = runs["lenet5", "eie"], runs["lenet5", "systolic"]
    for out in ("a", "b"):
        done = call("compare", *folders, "--out", tmp_path / out, "--quiet")
        assert (done.code, done.out) == (0, f"results: {tmp_path / out}\n")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert names(tmp_path / "a") == {
        "compare.csv", "changes.csv", "compare_cycles.csv", "compare_cycles.png", "compare_energy.csv",
        "compare_energy.png",
    }  # fmt: skip
    shown = pd.read_csv(tmp_path / "a" / "compare_energy.csv").groupby("run").pJ.sum()
    for folder in folders:
        summary = json.loads((folder / "summary.json").read_text())
        assert shown[folder.name] == pytest.approx(summary["energy_pj"], rel=1e-9)
    assert MEAN in set(pd.read_csv(tmp_path / "a" / "compare.csv").layer)


def test_what_is_no_run_is_refused_in_one_line(runs, refused, tmp_path):
    good = runs["lenet5", "eie"]
    assert refused("compare", good) == "expected two or more run directories"
    assert refused("compare", good, "none") == "none: is no run directory (nothing is there)"
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert refused("compare", "empty", good) == "empty: is no run directory (cycles.csv is missing)"
    assert refused("compare", good, "file") == "file: is no run directory (a file)"
    assert refused("compare", good, good, "--out", "file") == "--out file: is a file, expected a directory"
    assert refused("compare", good, good, "--out", ".").endswith("earlier comparison's directory")


BROKEN = {
    "layers.csv is missing": ("layers.csv", None),
    "layers.csv has no column 'energy_pj'": ("layers.csv", ("energy_pj", "energy")),
    "layers.csv: column 'lanes' holds no numbers": ("layers.csv", (",64,", ",x,")),
    "layers.csv: expected one row per layer": ("layers.csv", ("conv2,", "conv1,")),
    "layers.csv: column 'layer' has empty fields": ("layers.csv", ("conv2,", ",")),
    "cycles.csv: expected one row per layer, cause, level and operand": (
        "cycles.csv", ("conv1,decode,", "conv1,noc,")),
    "cycles.csv: cause 'decode' is missing": ("cycles.csv", ("decode,", "decoding,")),
    "actions.csv: column 'count' holds infinity": ("actions.csv", (",32,", ",32,1e999")),
    "roofline.csv: column 'bound_share' holds no numbers": (
        "roofline.csv", ("conv1,compute,unmapped,,,", "conv1,compute,unmapped,,,x")),
    "roofline.csv: layer 'conv1' is not bound by what cycles.csv says": (
        "roofline.csv", ("conv1,compute,", "conv1,post,")),
    "roofs.csv is missing": ("roofs.csv", None),
    "config.yaml: hardware is no mapping": ("config.yaml", ("hardware:", "hardware: 3\nrest:")),
    "summary.json: cycles is no number": ("summary.json", ('"cycles"', '"cycle"')),
    "summary.json: network is no text": ("summary.json", ('"lenet5"', "5")),
    "provenance.json is missing": ("provenance.json", None),
    "actions.csv has no column 'source'": ("actions.csv", ("source", "from")),
}


@pytest.mark.parametrize("command", ["compare", "report"])
@pytest.mark.parametrize("text", BROKEN)
def test_a_damaged_run_is_refused_in_one_line(runs, refused, tmp_path, command, text):
    name, change = BROKEN[text]
    shutil.copytree(runs["lenet5", "eie"], tmp_path / "r")
    path = tmp_path / "r" / name
    if change is None:
        path.unlink()
    else:
        path.write_text(path.read_text().replace(*change))
    more = [runs["lenet5", "eie"]] if command == "compare" else []
    assert refused(command, "r", *more) == f"r: is no run directory ({text})"


def test_small_pieces():
    assert geometric_mean([2.0, 8.0]) == 4.0
    assert geometric_mean([2.0, 8.0, 0.0, math.nan]) == 4.0
    assert math.isnan(geometric_mean([0.0]))
    assert dict(flat({"a": {"b": 1, "c": [1, 2]}, "d": [{"e": None}], "f": {}})) == {
        "a.b": 1, "a.c": [1, 2], "d.0.e": None, "f": {},
    }  # fmt: skip
