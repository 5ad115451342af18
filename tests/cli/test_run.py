"""What a run leaves: its files, their columns, and sums that close across files (DESIGN section 4)."""

import json
import platform
from pathlib import Path

import pandas as pd
import pytest
import yaml

from accel_sim.machine.config import from_tree, load_hardware, to_tree
from workloads import load_network

from .calls import call

RUNS = [
    ("lenet5", "eie"), ("lenet5", "systolic"), ("lenet_300_100", "eie"), ("lenet_300_100", "systolic"),
    ("squeezenet1_0", "eie"),
]  # fmt: skip
DRAWN = {("lenet5", "eie")}
FILES = {
    "layers.csv", "cycles.csv", "actions.csv", "summary.json", "config.yaml", "provenance.json", "run.log",
    "roofline.csv", "roofs.csv", "mapping.txt",
}  # fmt: skip
FIGURES = {"cycles.png", "energy.png", "roofline.png"}
CAUSES = [
    "unmapped", "effectual", "ineffectual", "decode", "sram", "noc", "imbalance", "dispatch", "fill_drain", "output",
    "dram_read", "dram_write", "reconfigure", "post", "dependency",
]  # fmt: skip
LAYER_COLUMNS = (
    "layer", "kind", "macs_nominal", "macs_nonpad", "macs_issued", "macs_effectual", "lanes", "cycles", "array_cycles",
    "utilization", "energy_pj", "dram_read_bytes", "dram_write_bytes",
)  # fmt: skip


@pytest.fixture(params=RUNS, ids=lambda pair: "-".join(pair))
def run(request, runs) -> Path:
    return runs[request.param]


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv", keep_default_na=False)


def summary(folder: Path) -> dict:
    def refuse(text):
        raise AssertionError(f"{text} is no JSON")

    return json.loads((folder / "summary.json").read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.mark.parametrize("pair", RUNS, ids="-".join)
def test_files(pair, runs):
    figures = FIGURES if pair in DRAWN else set()
    assert {path.name for path in runs[pair].iterdir()} == FILES | figures
    assert all((runs[pair] / name).read_bytes().startswith(b"\x89PNG\r\n") for name in figures)


def test_layers_are_the_networks_own(run):
    frame, done = read(run, "layers"), summary(run)
    layers, lanes = load_network(done["network"]).layers, load_hardware(done["hardware"]).array.lanes
    assert set(LAYER_COLUMNS) <= set(frame)
    assert list(zip(frame.layer, frame.kind, strict=True)) == [(layer.name, layer.kind) for layer in layers]
    assert list(frame.macs_nominal) == [layer.macs for layer in layers]
    assert set(frame.lanes) == {lanes}


def test_mac_counts_nest_and_are_spent_in_slots(run):
    frame, cycles = read(run, "layers"), read(run, "cycles")
    assert (frame.macs_effectual <= frame.macs_issued).all()
    assert (frame.macs_issued <= frame.macs_nominal).all()
    assert (frame.macs_effectual <= frame.macs_nonpad).all()
    assert (frame.macs_nonpad <= frame.macs_nominal).all()
    slots = cycles.pivot_table(index="layer", columns="cause", values="lane_slots", aggfunc="sum")
    slots = slots.loc[frame.layer].reset_index()
    assert (slots.effectual == frame.macs_effectual).all()
    assert (frame.macs_issued <= slots.effectual + slots.ineffectual).all()


def test_lane_slots_fill_the_time_of_every_layer(run):
    frame, cycles = read(run, "layers"), read(run, "cycles")
    assert list(cycles) == ["layer", "cause", "level", "operand", "lane_slots", "cycles"]
    assert not cycles.duplicated(["layer", "cause", "level", "operand"]).any()
    for _, rows in cycles.groupby("layer", sort=False):
        assert list(dict.fromkeys(rows.cause)) == CAUSES
    spent = cycles[cycles.lane_slots > 0]
    placed = spent.cause.isin(["decode", "sram", "noc", "dram_read", "dram_write"])
    assert ((spent.level != "") == placed).all()
    assert spent.operand[placed].isin(["inputs", "weights", "outputs", "pointers", "partial_sums"]).all()
    assert (spent.operand[~placed] == "").all()
    assert cycles.lane_slots.dtype.kind == "i"
    assert cycles.lane_slots.min() >= 0
    assert list(cycles.groupby("layer", sort=False).lane_slots.sum()) == list(frame.lanes * frame.cycles)
    assert cycles.cycles.to_numpy() == pytest.approx(cycles.lane_slots.to_numpy() / frame.lanes[0], rel=1e-11)


def test_utilization_is_effectual_slots_over_all_slots(run):
    frame, done = read(run, "layers"), summary(run)
    expected = frame.macs_effectual / (frame.lanes * frame.cycles).clip(lower=1)
    assert frame.utilization.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-11)
    total = done["macs_effectual"] / (frame.lanes[0] * done["cycles"])
    assert done["utilization"] == pytest.approx(total, rel=1e-12)


def test_energy_is_counts_times_table_and_adds_up(run):
    frame, actions, done = read(run, "layers"), read(run, "actions"), summary(run)
    assert list(actions) == ["layer", "component", "action", "bits", "count", "pj_each", "energy_pj", "source"]
    assert not actions.duplicated(["layer", "component", "action", "bits"]).any()
    assert actions["count"].dtype.kind == "i"
    assert actions[["count", "pj_each", "energy_pj"]].min().min() >= 0
    assert actions.energy_pj.to_numpy() == pytest.approx((actions["count"] * actions.pj_each).to_numpy(), rel=1e-10)
    assert (actions.source.str.strip() != "").all()
    sums = actions.groupby("layer").energy_pj.sum().reindex(frame.layer, fill_value=0.0)
    assert sums.to_numpy() == pytest.approx(frame.energy_pj.to_numpy(), rel=1e-10)
    assert done["energy_pj"] == pytest.approx(frame.energy_pj.sum(), rel=1e-10)


def test_dram_actions_are_the_bytes_that_moved(run):
    frame, actions = read(run, "layers"), read(run, "actions")
    moved = actions[(actions.component == "dram") & actions.action.isin(["read", "write"])]
    for action, column in (("read", "dram_read_bytes"), ("write", "dram_write_bytes")):
        counts = moved[moved.action == action].groupby("layer")["count"].sum()
        assert list(counts.reindex(frame.layer, fill_value=0)) == list(frame[column])


def test_totals_are_column_sums(run):
    frame, done = read(run, "layers"), summary(run)
    for column in (*LAYER_COLUMNS[2:6], "cycles", "array_cycles", "dram_read_bytes", "dram_write_bytes"):
        assert done[column] == frame[column].sum(), column
    assert done["time_s"] == pytest.approx(done["cycles"] / (load_hardware(done["hardware"]).clock_mhz * 1e6))
    assert (done["check"], done["top5"]) == (None, None)


def test_made_up_data_says_so_and_names_its_densities(run):
    frame, done = read(run, "layers"), summary(run)
    provenance = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
    assert done["data"] == provenance["data"] == "synthetic"
    assert set(frame.data) == {"synthetic"}
    assert (frame.input_source != "").all()
    assert (frame[frame.macs_nominal > 0].weight_source != "").all()
    assert set(provenance["data_sources"]) == set(frame.input_source) | set(frame.weight_source) - {""}


def test_provenance_names_what_determined_the_run(run):
    provenance = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
    for key in ("source_sha256", "config_sha256", "network_sha256"):
        assert len(provenance[key]) == 64, key
    assert provenance["schema_version"] >= 1
    assert (provenance["package_version"], provenance["seed"], provenance["files"]) == ("0.1.0", 0, {})


def test_config_is_complete(run):
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    done = summary(run)
    machine = load_hardware(done["hardware"])
    assert set(config) == {"run", "hardware"}
    assert config["run"].items() >= {"network": done["network"], "layers": "*", "seed": 0, "check": False}.items()
    assert config["hardware"] == to_tree(machine)
    assert from_tree(config["hardware"], "config") == machine


def test_time_host_and_paths_are_in_the_log_alone(run):
    assert {"wall time", "host", "directory"} <= {
        line.split(":")[0] for line in (run / "run.log").read_text(encoding="utf-8").splitlines()
    }
    for name in FILES - {"run.log"}:
        text = (run / name).read_text(encoding="utf-8")
        assert str(run) not in text
        assert str(Path.home()) not in text
        assert name == "provenance.json" or platform.node() not in text.split()


def test_json_is_one_object_and_nothing_else(here):
    done = call("run", "lenet_300_100", "eie", "--json", "--out", "r")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    assert json.loads(done.out) == summary(here / "r") | {"out": "r"}


def test_a_person_gets_a_table_and_where_cycles_and_energy_go(here):
    done = call("run", "lenet_300_100", "eie", "--check")
    assert (done.code, done.err) == (0, "")
    total = summary(here / "runs/lenet_300_100-eie")
    for part in (
        "lenet_300_100 on eie (synthetic data)", "fc1", f"{total['cycles']:,}", "cycles go to:", "energy goes to:",
        "check: 3 layers equal to the reference, 0 overflows", "results: runs/lenet_300_100-eie",
    ):  # fmt: skip
        assert part in done.out


@pytest.mark.parametrize("hardware", ["eie", "systolic"])
def test_a_checked_run_is_the_same_run(hardware, here, runs):
    assert call("run", "lenet5", hardware, "--check", "--quiet", "--out", "r").code == 0
    assert summary(here / "r")["check"] == {"passed": True, "layers": 4, "overflows": 0}
    for name in ("cycles.csv", "actions.csv"):
        assert (here / "r" / name).read_bytes() == (runs["lenet5", hardware] / name).read_bytes()


def test_layers_glob_runs_the_matching_ones_as_they_are(here, runs):
    assert call("run", "lenet5", "eie", "--layers", "*1", "--quiet", "--out", "r").code == 0
    part, whole = read(here / "r", "layers"), read(runs["lenet5", "eie"], "layers")
    assert list(part.layer) == ["conv1", "pool1", "fc1"]
    same = ["macs_issued", "macs_effectual", "array_cycles", "cycles", "energy_pj", "weight_machine_bytes"]
    assert part[same].to_numpy() == pytest.approx(whole[whole.layer.isin(part.layer)][same].to_numpy())


def test_batch_is_in_the_shapes(here, runs):
    assert call("run", "lenet5", "systolic", "--batch", "3", "--quiet", "--out", "r").code == 0
    batch, one = read(here / "r", "layers"), read(runs["lenet5", "systolic"], "layers")
    assert set(batch.N) == {3}
    assert list(batch.macs_nominal) == list(3 * one.macs_nominal)
    assert list(batch.weight_machine_bytes) == list(one.weight_machine_bytes)
    assert (batch.cycles <= 3 * one.cycles).all()


SETTINGS = {
    "array.rows=16": lambda machine: machine.array.rows == 16,
    "clock_mhz=1 GHz": lambda machine: machine.clock_mhz == 1000,
    "memories.spmat.capacity_kib=1 MiB": lambda machine: machine.levels["spmat"].capacity_kib == 1024,
    "memories.1.capacity_kib=64": lambda machine: machine.levels["spmat"].capacity_kib == 64,
    "dataflow.scan_width=4": lambda machine: machine.dataflow.scan_width == 4,
    "mac.zero_operand_gating=true": lambda machine: machine.mac.zero_operand_gating is True,
    "dataflow={name: broadcast_csc, queue_depth: 2}": lambda machine: machine.dataflow.queue_depth == 2,
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_set_changes_the_machine_that_is_written_down(setting, here):
    assert call("run", "lenet_300_100", "eie", "--set", setting, "--quiet", "--out", "r").code == 0
    tree = yaml.safe_load((here / "r/config.yaml").read_text(encoding="utf-8"))["hardware"]
    assert SETTINGS[setting](from_tree(tree, "config"))
    assert from_tree(tree, "config") != load_hardware("eie")
