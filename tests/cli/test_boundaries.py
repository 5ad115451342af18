"""Values of the wrong type or form at a boundary: refused in one line with the path, whatever the file."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from accel_sim.energy.accelergy import Ert, read_art
from accel_sim.machine.config import from_tree, load_hardware, presets, to_tree
from accel_sim.run.simulate import simulate
from workloads import load_network, yaml_text
from workloads.layer import Layer
from workloads.network import Network
from workloads.registry import InputError

from .calls import call
from .mutants import VALUES, changed, some

LEVEL = "expected a mapping with a name (one of bus, crossbar, multicast, neighbour)"
NETWORKS = {
    "bus": LEVEL, "[bus]": LEVEL, "5": LEVEL, "true": LEVEL, "{width_bits: 8}": LEVEL,
    "{name: buss}": "unknown interconnect 'buss'; did you mean 'bus'?",
    "{name: [bus]}": "unknown interconnect '['bus']'",
}  # fmt: skip


@pytest.mark.parametrize("value", NETWORKS)
@pytest.mark.parametrize(("preset", "level"), [("tensor_core", "l2"), ("systolic", "input_sram")])
def test_a_network_of_a_level_by_something_else(value, preset, level, refused):
    said = refused("run", "lenet5", preset, "--set", f"memories.{level}.network={value}")
    place = f"memories.{level}.network" + (".name" if NETWORKS[value] is not LEVEL else "")
    assert said.startswith(f"preset '{preset}': {place}: {NETWORKS[value]}")


def test_a_network_is_set_step_by_step():
    machine = load_hardware(
        "systolic", {"memories.input_sram.network.name": "bus", "memories.input_sram.network.width_bits": 64}
    )
    assert machine.on_chip[0].network.width_bits == 64
    assert load_hardware("systolic", {"memories.input_sram.network": None}).on_chip[0].network is None


@pytest.mark.parametrize("preset", presets())
def test_an_accumulator_as_wide_as_it_need_be_is_taken_everywhere(preset):
    """null = the product and the headroom; then it runs, or its layers are refused as with a width."""
    machine = load_hardware(preset, {"mac.accumulator_bits": None})
    assert machine.mac.accumulator_bits is None
    assert all(mode.sum_bits >= mode.product_bits for mode in machine.mac.modes)


LAYERS = (
    Layer(name="c1", kind="conv", C=4, H=4, W=4, M=8, R=3, S=3),
    Layer(name="f", kind="fc", C=32, H=1, W=1, M=10, inputs=("c1",)),
)


def runs(preset: str, mutants: Iterable[tuple[tuple, Any]]) -> int:
    """Of mutants of a preset, how many give a machine, which then runs; the others are refused in one line."""
    network, ran = Network("n", LAYERS, (4, 4, 4)), 0
    for path, tree in mutants:
        try:
            machine = from_tree(tree, "m")
            assert to_tree(from_tree(to_tree(machine), "again")) == to_tree(machine), path
            simulate(network, machine)
            ran += 1
        except InputError as error:
            assert "\n" not in str(error), path
    return ran


@pytest.mark.parametrize("preset", presets())
def test_some_values_in_every_preset(preset):
    runs(preset, some(to_tree(load_hardware(preset)), 5, seed=1))


@pytest.mark.long
@pytest.mark.parametrize("preset", presets())
def test_any_value_anywhere_is_refused_in_one_line_or_gives_a_machine_that_runs(preset):
    assert runs(preset, changed(to_tree(load_hardware(preset))))


#: every kind of layer a file can say, and every form of field
SHAPES = """
name: tiny
input: [3, 8, 8]
layers:
  - {name: input, kind: conv, M: 4, R: 3, S: 3, padding: 1, activation: relu, dilation: [1, 1], ceil_mode: false}
  - {name: left, kind: depthwise, R: 3, S: 3, stride: 2, padding: [1, 1, 1, 1], activation: relu}
  - {name: right, kind: pool, pool: max, R: 2, S: 2, stride: 2, count_include_pad: true}
  - {name: norm, kind: lrn, lrn: {size: 3, alpha: 1.0, beta: 0.75, k: 1.0}}
  - {name: both, kind: concat, inputs: [right, norm]}
  - {name: el, kind: elementwise, function: mul, inputs: [both, both], input_sizes: [32, 32]}
  - {name: red, kind: reduce, function: sum, R: 2, S: 2}
  - {name: sh, kind: shuffle, G: 2}
  - {name: mm, kind: matmul, dynamic: true, C: 8, H: 1, W: 1, M: 1, inputs: [sh, sh]}
  - {name: bn, kind: batchnorm, bn: true}
  - {name: fc1, kind: fc, M: 5, bias: true}
"""
ERTS = {
    "ERT": """
ERT:
  version: '0.4'
  tables:
    - name: system.chip.mac[0..63]
      actions: [{name: mult, arguments: {width: 8, other: x}, energy: 0.2}, {name: add, energy: 1}]
    - {name: system.dram, actions: [{name: read, arguments: null, energy: 5.0}]}
""",
    "ERT 0.2": """
ERT:
  version: 0.2
  tables: {system.chip.mac: {mult: [{arguments: {width: 8}, energy: 0.2}], add: {energy: 1}}}
""",
    "ART": "ART: {version: '0.4', tables: [{name: system.mac, area: 3.0}, {name: system.dram, area: 1}]}",
}


def load_shapes(text: str, path: Path) -> None:
    np.savez(path, network=text)
    load_network(path)


def load_beside(text: str, path: Path) -> None:
    np.savez(path)
    path.with_suffix(".yaml").write_text(text, encoding="utf-8")
    load_network(path)


def load_ert(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
    Ert.read(path).price("mac", "add", 8)


def load_art(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
    read_art(path)


TEXTS = {
    "shapes": (SHAPES, load_shapes, "n.npz"), "shapes beside": (SHAPES, load_beside, "n.npz"),
    **{name: (ERTS[name], load_ert, "e.yaml") for name in ("ERT", "ERT 0.2")}, "ART": (ERTS["ART"], load_art, "e.yaml"),
}  # fmt: skip


def fate(kind: str, mutants: Iterable[tuple[tuple, Any]], folder: Path) -> int:
    """Of mutants of a file, how many are read; the others are refused in one line that names the file."""
    _, load, name = TEXTS[kind]
    good = 0
    for path, tree in mutants:
        try:
            load(yaml.dump(tree), folder / name)
            good += 1
        except InputError as error:
            assert "\n" not in str(error) and str(folder / name) in str(error), (path, str(error))
    return good


@pytest.mark.parametrize("kind", TEXTS)
def test_some_values_in_a_file_of_yaml(kind, tmp_path):
    whole = yaml.safe_load(TEXTS[kind][0])
    assert fate(kind, [((), whole)], tmp_path) == 1
    fate(kind, some(whole, 12, seed=1), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("kind", TEXTS)
def test_any_value_anywhere_in_a_file_of_yaml(kind, tmp_path):
    whole = yaml.safe_load(TEXTS[kind][0])
    assert fate(kind, changed(whole), tmp_path)
    assert not fate(kind, [((), value) for value in VALUES], tmp_path)


#: three lists that stand for 8,000 values, as many more lists would for more than any machine holds
MANY = f"&a0 [{'x, ' * 20}], &a1 [{'*a0, ' * 20}], &a2 [{'*a1, ' * 20}]"


@pytest.mark.parametrize(
    ("value", "said"),
    [(f"[{MANY}]", "more than 2,000 values"), ("&a [1, [*a]]", "found unconstructable recursive node")],
    ids=["large", "endless"],
)
def test_aliases_of_aliases(value, said, here, refused, monkeypatch):
    monkeypatch.setattr(yaml_text, "MOST_VALUES", 2000)
    (here / "m.yaml").write_text(f"clock_mhz: {value}\n")
    (here / "s.yaml").write_text(f"network: lenet5\nhardware: eie\naxes: {value}\n")
    np.savez("n.npz", network=f"input: [3, 8, 8]\nlayers: [{{name: c, kind: conv, M: {value}}}]\n")
    for command in (("run", "lenet5", "m.yaml"), ("sweep", "s.yaml", "--dry-run"), ("run", "n.npz", "eie")):
        assert f"broken YAML: {said}" in refused(*command)


def test_shapes_are_yaml_as_machines_are(here, refused):
    """Numbers and truth values of YAML 1.2, and no key twice."""
    layer = "name: n\ninput: [3, 8, 8]\nlayers:\n  - {name: l, kind: lrn, lrn: {size: 5, alpha: 1e-4}}\n"
    np.savez("n.npz", network=layer)
    assert load_network("n.npz").layers[0].lrn.alpha == 1e-4
    np.savez("n.npz", network=layer.replace("kind: lrn,", "kind: lrn, kind: conv,"))
    assert refused("run", "n.npz", "eie") == "n.npz line 4: broken YAML: key 'kind' is given twice"


STUDIES = {
    "zip[0]: expected names of two axes or more, not ['array.rows', {'a': 1}]": "zip: [[array.rows, {a: 1}]]",
    "zip[1]: expected names of two axes or more, not 'x'": "zip: [[array.rows, array.cols], x]",
    "zip: expected lists of two axes or more, as [[array.rows, array.cols]], not 5": "zip: 5",
    "zip[0]: expected names of two axes or more, not [['array.rows'], 'array.cols']": (
        "zip: [[[array.rows], array.cols]]"),
}  # fmt: skip


@pytest.mark.parametrize("text", STUDIES)
def test_a_study_of_the_wrong_form(text, refused, tmp_path):
    (tmp_path / "z.yaml").write_text(
        "network: lenet_300_100\nhardware: systolic\naxes: {array.rows: [4, 8], array.cols: [4, 8]}\n" + STUDIES[text]
    )
    assert refused("sweep", "z.yaml", "--dry-run") == f"z.yaml: {text}"


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("network: {name: lenet5, dims: null}", "network[0].dims: expected a mapping, not None"),
        ("network: {name: lenet5, precision: 4}", "network[0].precision: expected a mapping, not 4"),
        ("network: {name: lenet5, precision: {profile: [a]}}", "precision.profile: expected the name of a profile"),
    ],
)
def test_an_entry_of_the_wrong_form(entry, text, refused, tmp_path):
    (tmp_path / "z.yaml").write_text(f"{entry}\nhardware: systolic\naxes: {{array.rows: [4]}}\n")
    assert refused("sweep", "z.yaml", "--dry-run").startswith(f"z.yaml: {text}")


def test_the_hint_of_a_layer_that_cannot_fit_works(here):
    """Followed once for each layer, it leads to a machine that runs; its field is the memory's own."""
    size, said = 16, set()
    while True:
        memories = (
            "memories=[{name: flat, level: dram}, {name: sram, level: l1_in, holds: [inputs, outputs], "
            f"capacity_kib: 16}}, {{name: register_file, level: l1_w, holds: [weights], capacity_bytes: {size}}}]"
        )
        done = call("run", "lenet5", "tensor_core", "--set", memories, "--quiet", "--out", "o")
        if done.code == 0:
            break
        hint = re.search(r"layer '(\w+)' cannot fit: .* raise its capacity_bytes to at least (\d+)$", done.line)
        assert hint and hint[1] not in said
        said.add(hint[1])
        size = int(hint[2])
    assert said


def test_options_stand_anywhere(here):
    np.savez("n.npz", network="name: n\ninput: [4, 3, 3]\nlayers: [{name: f, kind: fc, M: 8}]\n")
    for order in (
        ("n.npz", "--seed", "1", "systolic", "--quiet", "--out", "o"), ("--seed", "1", "n.npz", "systolic", "--quiet"),
        ("n.npz", "systolic", "--seed", "1", "--quiet"), ("n.npz", "--quiet", "--set", "array.rows=8", "systolic"),
    ):  # fmt: skip
        assert call("run", *order).code == 0
    assert call("compare", "o", "--json", "runs/n-systolic").code == 0


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("run", "lenet5", "eie"), "--out"), (("run", "lenet5", "eie"), "--weights"), (("run",), "--config"),
        (("sweep", "s.yaml"), "--out"), (("compare", "a"), "--out"), (("experiment", "all"), "--out"),
        (("accelergy", "r"), "--out"),
    ],
)  # fmt: skip
def test_an_empty_name_is_no_place(command, option, refused):
    assert refused(*command, option, "").startswith(
        f"argument {option}: expected a file or a directory, not an empty name (see "
    )
