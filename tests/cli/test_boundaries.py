"""Values of the wrong type or form at a boundary: refused in one line with the path, whatever the file."""

import copy
import re

import numpy as np
import pytest

from accel_sim.config import from_tree, load_hardware, presets, to_tree
from accel_sim.simulate import simulate
from workloads.layer import Layer
from workloads.network import Network
from workloads.registry import InputError

from .calls import call

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


#: of other types than most fields, and numbers that nobody can build
VALUES = [
    None, True, "text", "", [], [[1]], {}, {"a": 1}, {"name": "x"}, -1, 0, 1, 0.5, 1e-9, 1 << 32, 1e300, float("nan"),
    float("inf"), "1e400", 10**30,
]  # fmt: skip
LAYERS = (
    Layer(name="c1", kind="conv", C=4, H=4, W=4, M=8, R=3, S=3),
    Layer(name="f", kind="fc", C=32, H=1, W=1, M=10, inputs=("c1",)),
)


def changed(tree, path=()):
    """(path, tree with another value there) for every node of a tree and every one of VALUES."""
    for key in tree if isinstance(tree, dict) else range(len(tree)):
        for value in VALUES:
            other = copy.copy(tree)
            other[key] = value
            yield (*path, key), other
        if isinstance(tree[key], dict | list):
            for below, inner in changed(tree[key], (*path, key)):
                other = copy.copy(tree)
                other[key] = inner
                yield below, other


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["systolic", "eie", "bit_tactical", "tensor_core", "bitfusion"])
def test_any_value_anywhere_is_refused_in_one_line_or_gives_a_machine_that_runs(preset):
    network, ran = Network("n", LAYERS, (4, 4, 4)), 0
    for path, tree in changed(to_tree(load_hardware(preset))):
        try:
            machine = from_tree(tree, "m")
            assert to_tree(from_tree(to_tree(machine), "again")) == to_tree(machine), path
            simulate(network, machine)
            ran += 1
        except InputError as error:
            assert "\n" not in str(error), path
    assert ran


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
        done = call("run", "lenet5", "bitfusion", "--set", memories, "--quiet", "--out", "o")
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
