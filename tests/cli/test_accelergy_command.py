"""``accel-sim accelergy``: a run in Accelergy's files, the way back, and one line for every broken input."""

import hashlib
import json
import math
import os
import shutil
from fractions import Fraction

import pandas as pd
import pytest
import yaml

from accel_sim.energy.accelergy import Ert
from accel_sim.machine.config import load_hardware
from accel_sim.results.accelergy import FILES

from .calls import call, names, results, tree
from .test_fuzz import mutant, mutants, survive  # noqa: F401

RUNS = [("squeezenet1_0", "eie"), ("lenet5", "systolic")]


def load(path) -> dict:
    """A YAML file by a plain reader."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def leaves(counts: dict) -> list[tuple[str, dict]]:
    """(full name, action counts) of an action_counts tree, read from the form alone."""
    found = [(leaf["name"], each) for leaf in counts.get("local", ()) for each in leaf["action_counts"]]
    for node in counts.get("subtree", ()):
        found += [(f"{node['name']}.{name}", each) for name, each in leaves(node)]
    return found


def energies(counts: dict, table: dict) -> dict[str, Fraction]:
    """component -> exact pJ, as Accelergy computes it: count x energy of the entry with the same arguments."""
    lookup = {
        (component["name"], action["name"], tuple(action["arguments"].items())): Fraction(action["energy"])
        for component in table["tables"]
        for action in component["actions"]
    }
    sums: dict[str, Fraction] = {}
    for name, each in leaves(counts):
        energy = each["counts"] * lookup[name, each["name"], tuple(each.get("arguments", {}).items())]
        sums[name] = sums.get(name, Fraction()) + energy
    return sums


@pytest.fixture(scope="module")
def exports(runs, tmp_path_factory) -> dict:
    folder, found = tmp_path_factory.mktemp("exports"), {}
    for key in RUNS:
        found[key] = folder / "-".join(key)
        done = call("accelergy", runs[key], "--out", found[key], "--quiet")
        assert (done.code, done.out, done.err) == (0, f"results: {found[key]}\n", "")
    return found


@pytest.mark.parametrize("key", RUNS)
def test_counts_times_energies_are_the_runs_total(key, runs, exports):
    folder = exports[key]
    assert names(folder) == set(FILES)
    table, counts = load(folder / "ERT.yaml")["ERT"], load(folder / "action_counts.yaml")["action_counts"]
    estimation = load(folder / "energy_estimation.yaml")["energy_estimation"]
    total = json.loads((runs[key] / "summary.json").read_text())["energy_pj"]
    exact = energies(counts, table)
    assert estimation["Total"] == total
    assert float(sum(exact.values())) == pytest.approx(total, rel=1e-14)
    assert {row["name"]: row["energy"] for row in estimation["components"]} == pytest.approx(
        {name: float(energy) for name, energy in exact.items()}, rel=1e-15
    )
    assert math.fsum(row["energy"] for row in estimation["components"]) == pytest.approx(total, rel=1e-14)
    assert {each["version"] for each in (table, counts, estimation)} == {"0.4"}
    assert all(name.startswith(f"system.{key[1]}.") for name in exact)


@pytest.mark.parametrize("key", RUNS)
def test_each_layer_has_the_same_forms(key, runs, exports):
    frame = pd.read_csv(runs[key] / "layers.csv")
    layers, table = load(exports[key] / "layers.yaml")["layers"], load(exports[key] / "ERT.yaml")["ERT"]
    assert [layer["name"] for layer in layers] == frame.layer.tolist()
    whole: dict = {}
    for layer, energy_pj in zip(layers, frame.energy_pj, strict=True):
        exact = float(sum(energies(layer["action_counts"], table).values()))
        assert (
            layer["energy_estimation"]["Total"]
            == pytest.approx(exact, rel=1e-11)
            == pytest.approx(energy_pj, rel=1e-11)
        )
        for name, each in leaves(layer["action_counts"]):
            where = name, each["name"], str(each.get("arguments"))
            whole[where] = whole.get(where, 0) + each["counts"]
    counts = leaves(load(exports[key] / "action_counts.yaml")["action_counts"])
    assert whole == {(name, each["name"], str(each.get("arguments"))): each["counts"] for name, each in counts}


@pytest.mark.slow
@pytest.mark.parametrize("key", RUNS)
def test_the_way_back_gives_the_same_run(key, runs, exports, here):
    """Priced by its own ERT: every byte but config, provenance and sources; and again from its config.yaml."""
    shutil.copy(exports[key] / "ERT.yaml", "ERT.yaml")
    assert call("run", *key, "--set", "energy.table=ERT.yaml", "--out", "again", "--quiet").code == 0
    for name in ("layers.csv", "cycles.csv"):
        assert (here / "again" / name).read_bytes() == (runs[key] / name).read_bytes()
    first, again = (json.loads((folder / "summary.json").read_text()) for folder in (runs[key], here / "again"))
    assert again == first | {"notes": []}  # a user's prices are not ours to doubt
    before, after = (pd.read_csv(folder / "actions.csv") for folder in (runs[key], here / "again"))
    assert after.drop(columns="source").equals(before.drop(columns="source"))
    assert after.source.str.startswith(f"ERT ERT.yaml: system.{key[1]}.").all()
    digest = hashlib.sha256((here / "ERT.yaml").read_bytes()).hexdigest()
    assert json.loads((here / "again/provenance.json").read_text())["files"]["ERT.yaml"] == digest
    assert call("run", "--config", "again/config.yaml", "--out", "third", "--quiet").code == 0
    assert results(here / "third") == results(here / "again")
    assert call("accelergy", "again", "--quiet").code == 0
    assert tree(here / "again-accelergy") == tree(exports[key])


def test_another_table_is_another_hash_and_another_energy(exports, here):
    own, found = (exports["lenet5", "systolic"] / "ERT.yaml").read_text(), []
    for text in (own, own.replace("energy: 160.0", "energy: 80.0")):
        (here / "ERT.yaml").write_text(text)
        assert call("run", "lenet5", "systolic", "--set", "energy.table=ERT.yaml", "--out", "r", "--quiet").code == 0
        provenance = json.loads((here / "r/provenance.json").read_text())
        actions = pd.read_csv(here / "r/actions.csv")
        found.append(
            (provenance["files"], actions.energy_pj[actions.component == "dram"].sum(), provenance["config_sha256"])
        )
    assert found[0][0] != found[1][0]
    assert found[0][1] == 2 * found[1][1] > 0
    assert found[0][2] == found[1][2]


def test_what_the_command_prints(runs, here):
    done = call("accelergy", runs["lenet5", "systolic"], "--out", "a")
    lines = done.out.splitlines()
    assert (done.code, done.err, len(lines), lines[-1]) == (0, "", 3, "results: a")
    assert lines[0].startswith("10 components, 22 entries, ")
    nowhere = "dram, input_sram_noc, output_sram_noc, post, register, weight_sram_noc"
    assert lines[1] == f"no area is known for {nowhere}"
    report = json.loads(call("accelergy", runs["lenet5", "systolic"], "--out", "a", "--json").out)
    assert report["energy_pj"] == json.loads((runs["lenet5", "systolic"] / "summary.json").read_text())["energy_pj"]
    assert report["without_area"] == nowhere.split(", ")
    known = {"input_sram", "mac", "output_sram", "weight_sram"}
    assert set(report["components"]) - set(report["without_area"]) == known
    assert report["out"] == "a"


def test_areas_that_are_known(runs, here):
    (here / "A.yaml").write_text(
        "ART: {version: '0.4', tables: [{name: 'top.PE[0..1023].mac', area: 332.25}, {name: top.dram, area: 0}, "
        "{name: x, area: 1}]}"
    )
    done = call("accelergy", runs["lenet5", "systolic"], "--out", "a", "--art", "A.yaml")
    nowhere = "input_sram_noc, output_sram_noc, post, register, weight_sram_noc"
    assert done.out.splitlines()[1] == f"no area is known for {nowhere}"
    art = load(here / "a/ART.yaml")["ART"]
    areas = {row["name"].removeprefix("system.systolic."): row["area"] for row in art["tables"]}
    assert (art["version"], areas["dram"], areas["mac"]) == ("0.4", 0.0, 332.25)
    levels = load_hardware("systolic").levels
    for level in ("input_sram", "weight_sram", "output_sram"):
        assert areas[level] == levels[level].area_um2 > 1e6
    comment = (here / "a/ART.yaml").read_text().splitlines()[0]
    assert comment.endswith(f"no area is known for {nowhere}")


def test_the_default_place_is_beside_the_run(runs, here, monkeypatch):
    shutil.copytree(runs["lenet5", "systolic"], here / "r")
    assert call("accelergy", "r").out.endswith("results: r-accelergy\n")
    monkeypatch.chdir(here / "r")
    shutil.rmtree(here / "r-accelergy")
    assert call("accelergy", ".").code == 0
    assert names(here) == {"r", "r-accelergy"}


def test_the_same_run_gives_the_same_bytes_in_place_of_the_old(runs, here):
    assert call("accelergy", runs["lenet5", "systolic"], "--out", "a").code == 0
    before = tree(here)
    assert call("accelergy", runs["lenet5", "systolic"], "--out", "a").code == 0
    assert tree(here) == before
    assert call("accelergy", runs["lenet5", "eie"], "--out", "a").code == 0
    assert names(here) == {"a"}
    assert names(here / "a") == set(FILES)
    assert "lenet5 on eie" in (here / "a/ERT.yaml").read_text()


@pytest.fixture
def copy(runs, tmp_path):
    """A copy of a run's directory, 'r'."""
    shutil.copytree(runs["lenet5", "systolic"], tmp_path / "r")
    return tmp_path / "r"


def test_targets_that_are_something_else(copy, refused, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert refused("accelergy", "r", "--out", "r") == (
        "--out r: holds other files, expected a new, empty or earlier export's directory"
    )
    assert refused("accelergy", "r", "--out", "file") == "--out file: is a file, expected a directory"
    assert refused("accelergy", "r", "--out", "file/below").startswith("--out file/below: cannot write below ")


def line(path, number: int, old: str, new: str) -> None:
    lines = path.read_text().split("\n")
    assert old in lines[number - 1], lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(old, new, 1)
    path.write_text("\n".join(lines))


#: conv1,dram,read,8,1284,160.0,205440,"DRAM ..." is line 2 of actions.csv
CHANGES = {
    "r/actions.csv line 2: energy_pj: 205440 pJ, but count x pj_each gives 205600": (
        "actions.csv", 2, ",1284,", ",1285,"),
    "r/actions.csv line 2: count: expected a whole number up to 1000000000000000000000000000000, not '-1284'": (
        "actions.csv", 2, ",1284,", ",-1284,"),
    "r/actions.csv line 2: count: expected a whole number up to 1000000000000000000000000000000, not '1284.0'": (
        "actions.csv", 2, ",1284,", ",1284.0,"),
    "r/actions.csv line 2: bits: expected a whole number up to 4294967295, not '4294967296'": (
        "actions.csv", 2, ",8,", ",4294967296,"),
    "r/actions.csv line 2: bits: expected a whole number up to 4294967295, not '²'": (
        "actions.csv", 2, ",8,", ",²,"),
    "r/actions.csv line 2: pj_each: expected a number of pJ up to 1e+12, not 'nan'": (
        "actions.csv", 2, ",160.0,", ",nan,"),
    "r/actions.csv line 2: pj_each: expected a number of pJ up to 1e+12, not '-160.0'": (
        "actions.csv", 2, ",160.0,", ",-160.0,"),
    "r/actions.csv line 2: pj_each: expected a number of pJ up to 1e+12, not ''": ("actions.csv", 2, ",160.0,", ",,"),
    "r/actions.csv line 2: energy_pj: expected a number of pJ up to 1e+42, not 'inf'": (
        "actions.csv", 2, ",205440,", ",inf,"),
    "r/actions.csv line 2: 9 cells, expected 8": ("actions.csv", 2, "conv1,", "conv1,x,"),
    "r/actions.csv line 2: layer 'conv9' has no row in layers.csv": ("actions.csv", 2, "conv1", "conv9"),
    "r/actions.csv line 2: component 'd.ram': a name in Accelergy's form has at most 100 characters and no dots, "
    "brackets or spaces": ("actions.csv", 2, "dram", "d.ram"),
    "r/actions.csv line 2: component '': a name in Accelergy's form has ...": ("actions.csv", 2, ",dram", ","),
    "r/actions.csv line 2: action 'read[0]': a name in Accelergy's form has ...": (
        "actions.csv", 2, ",read", ",read[0]"),
    "r/actions.csv line 3: action 'read' of component 'dram' (8 bits) of layer 'conv1' is given twice": (
        "actions.csv", 3, "write", "read"),
    "r/actions.csv line 24: action 'read' of component 'dram' (8 bits) costs 160.0 pJ here and 80.0 pJ in a layer "
    "before": (
        "actions.csv", 2, ",1284,160.0", ",2568,80.0"),
    "r/actions.csv: expected one column 'pj_each'": ("actions.csv", 1, "pj_each", "pj"),
    "r/actions.csv: expected one column 'layer'": ("actions.csv", 1, "layer,", "layer,layer,"),
    "r/actions.csv: broken CSV: ...": ("actions.csv", 2, "conv1", '"conv1'),
    "r/layers.csv: expected one column 'energy_pj'": ("layers.csv", 1, "energy_pj", "energy"),
    "r/layers.csv line 3: layer 'conv1' is given twice": ("layers.csv", 3, "pool1", "conv1"),
    "r/summary.json: energy_pj: expected a number of pJ, as a run writes it": (
        "summary.json", 7, '"energy_pj": ', '"energy_pj": -'),
    "r/summary.json: hardware: expected a name, as a run writes it": ("summary.json", 3, '"systolic"', "7"),
    "r/summary.json: is no JSON": ("summary.json", 1, "{", "{{"),
}  # fmt: skip


@pytest.mark.parametrize("text", CHANGES)
def test_a_run_that_was_changed(text, copy, refused):
    name, *change = CHANGES[text]
    line(copy / name, *change)
    found = refused("accelergy", "r")
    start, dots, _ = text.partition("...")
    assert found.startswith(start)
    assert dots or found == text, found


def test_sums_that_do_not_agree(copy, refused):
    summary = json.loads((copy / "summary.json").read_text())
    (copy / "summary.json").write_text(json.dumps(summary | {"energy_pj": 2 * summary["energy_pj"]}))
    assert refused("accelergy", "r").endswith(f" pJ, but layers.csv gives {summary['energy_pj']:.12g}")
    frame = pd.read_csv(copy / "layers.csv")
    frame.loc[1, "energy_pj"] += 1000
    frame.to_csv(copy / "layers.csv", index=False)
    assert refused("accelergy", "r").startswith("r/layers.csv: energy_pj of layer 'pool1': ")


@pytest.mark.parametrize("name", ["actions.csv", "layers.csv", "summary.json"])
def test_a_run_that_is_not_whole(name, copy, refused):
    path = copy / name
    path.write_bytes(b"\xff\xfe")
    assert refused("accelergy", "r").startswith(f"r/{name}: ")
    path.write_bytes(b"")
    assert refused("accelergy", "r").startswith(f"r/{name}: ")
    path.unlink()
    assert refused("accelergy", "r") == f"r: is no run directory ({name} is missing)"
    os.mkfifo(path)
    assert refused("accelergy", "r").startswith(f"r/{name}: expected a file")
    path.unlink()
    path.mkdir()
    assert refused("accelergy", "r").startswith(f"r/{name}: expected a file")


def test_what_is_no_run(refused, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    assert refused("accelergy", "nowhere") == "nowhere: is no run directory"
    assert refused("accelergy", "file") == "file: is no run directory"
    assert refused("accelergy", "empty") == "empty: is no run directory (summary.json is missing)"
    assert refused("accelergy", "a\0b")


def test_names_of_a_network_do_not_break_out_of_a_comment(copy, here):
    summary = json.loads((copy / "summary.json").read_text())
    (copy / "summary.json").write_text(
        json.dumps(summary | {"network": "a\nERT: {}\n\ud800", "hardware": "my chip.v2 [x]"})
    )
    assert call("accelergy", "r").code == 0
    table = load(here / "r-accelergy/ERT.yaml")["ERT"]
    assert table["tables"][0]["name"] == "system.my_chip_v2__x_.dram"


ERT = "ERT: {version: 0.4, tables: [{name: s.mac, actions: [{name: add, energy: 1}]}]}"


def test_a_run_that_its_table_cannot_price(refused, tmp_path):
    (tmp_path / "E.yaml").write_text(ERT)
    found = refused("run", "lenet5", "systolic", "--set", "energy.table=E.yaml", "--out", "r", "--quiet")
    assert found == (
        "E.yaml: no energy for action 'read' of component 'dram' (8 bits): no table is named 'dram' (known: mac)"
    )


def test_a_table_that_cannot_be_read(refused, tmp_path):
    for text, reason in (
        (
            ERT.replace("1}", "-1}"),
            "E.yaml: ERT.tables[0].actions[0].energy: expected a number of pJ from 0 to 1e+12, not -1",
        ),
        (ERT.replace("0.4", "1"), "E.yaml: ERT.version: expected one of 0.2, 0.3, 0.4, not 1"),
        (ERT + "\nERT: {}", "E.yaml line 2: broken YAML: key 'ERT' is given twice"),
        ("[" * 100_000, "E.yaml line 1: broken YAML: exceeded maximum nesting depth"),
        (None, "E.yaml: cannot read ERT: No such file or directory"),
    ):
        (tmp_path / "E.yaml").unlink(missing_ok=True)
        if text is not None:
            (tmp_path / "E.yaml").write_text(text)
        found = refused("run", "lenet5", "systolic", "--set", "energy.table=E.yaml", "--out", "r", "--quiet")
        assert found == f"preset 'systolic': energy: {reason}"
    (tmp_path / "A.yaml").write_text("ART: {version: 0.4, tables: [{name: mac, area: .nan}]}")
    assert refused("accelergy", "nowhere", "--art", "A.yaml") == (
        "A.yaml: ART.tables[0].area: expected a number of um2 from 0 to 1e+12, not '.nan'"
    )


WORDS = (
    b"{", b"}", b"[", b"]", b": ", b"- ", b"*a", b"&a ", b"-1", b"1e999", b".nan", b"null", b"'0.4'", b"!!bool ",
    b"!!int ", b"!!float ", b"!!timestamp ", b"<<: ", b"!!merge <<: ", b"\xff", b"\0", b"\n", b"'", b'"', b"name: ",
    b"width: ", b"energy: ",
)  # fmt: skip


def test_mutated_tables_are_read_or_refused(exports, tmp_path, mutants):  # noqa: F811
    path, good = tmp_path / "ERT.yaml", (exports["lenet5", "systolic"] / "ERT.yaml").read_bytes()
    assert survive(good, path, lambda: Ert.read(path), 11, WORDS, mutants) == {"read", "refused"}


@pytest.mark.slow
def test_mutated_runs_are_written_or_refused(copy, here):
    """Whatever is broken in a run's files, it is one line and no file, or a whole export."""
    import numpy as np

    rng, codes = np.random.default_rng(12), set()
    for name in ("actions.csv", "layers.csv", "summary.json"):
        good = (copy / name).read_bytes()
        for _ in range(60):
            (copy / name).write_bytes(
                mutant(good, rng, (b",", b"\n", b'"', b"-1", b"nan", b"\xff", b"\0", b"1e999", b"{"))
            )
            done = call("accelergy", "r", "--out", "a", "--quiet")
            codes.add(done.code)
            assert names(here) == ({"r", "a"} if done.code == 0 else {"r"})
            assert done.code == 0 or done.line.startswith("accel-sim accelergy: r/")
            shutil.rmtree(here / "a", ignore_errors=True)
        (copy / name).write_bytes(good)
    assert codes == {0, 2}
