"""What every preset promises: it is its YAML both ways, it is frozen, and it runs every kind of layer."""

import dataclasses
from importlib import resources

import pytest
import yaml

from accel_sim import load_hardware, simulate
from accel_sim.host import yaml_io
from accel_sim.machine.config import PRESETS, from_tree, presets, to_tree
from workloads import Layer, Network, load_network
from workloads.layer import FUNCTIONS, POST_KINDS

EVERY = pytest.mark.parametrize("name", presets())


def holds(whole, part) -> bool:
    """Everything that ``part`` says stands in ``whole`` too."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(whole[key], part[key]) for key in part)
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(holds(*pair) for pair in zip(whole, part, strict=True))
    return whole == part


@EVERY
def test_it_is_its_yaml_both_ways(name, tmp_path):
    machine = load_hardware(name)
    tree = to_tree(machine)
    assert from_tree(tree, name) == machine
    assert to_tree(from_tree(tree, name)) == tree
    text = resources.files(PRESETS).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    assert holds(tree, yaml.safe_load(text))
    path = tmp_path / "machine.yaml"
    path.write_text(yaml_io.dump(tree), encoding="utf-8")
    assert load_hardware(path) == machine
    path.write_text(text, encoding="utf-8")
    assert load_hardware(path) == machine


@EVERY
def test_it_has_its_files_name_and_a_description(name):
    machine = load_hardware(name)
    assert machine.name == name
    assert len(machine.description) > 20


@EVERY
def test_it_is_frozen_all_the_way_down(name):
    machine = load_hardware(name)
    for part in (
        machine,
        machine.array,
        machine.mac,
        machine.dataflow,
        machine.post,
        machine.energy,
        *machine.memories,
    ):
        field = dataclasses.fields(part)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, field, None)


@EVERY
def test_settings_leave_the_preset_as_it_was(name):
    before = load_hardware(name)
    changed = load_hardware(name, {"array.rows": 3, "clock_mhz": "2 GHz"})
    assert (changed.array.rows, changed.clock_mhz) == (3, 2000)
    assert load_hardware(name) == before


@EVERY
def test_it_runs_lenet5_and_the_check_is_green(name):
    result = simulate(load_network("lenet5"), load_hardware(name), check=True)
    assert result.summary["check"] == {"passed": True, "layers": 4, "overflows": 0}
    assert set(result.sums) == {"conv1", "conv2", "fc1", "fc2"}
    assert simulate(load_network("lenet5"), load_hardware(name)).outputs is None


def post(kind: str) -> Layer:
    fields = {"pool": {"pool": "avg", "R": 2, "S": 2}, "add": {"inputs": ("input", "input")}}.get(kind, {})
    if kind == "concat":
        fields = {"inputs": ("input", "input"), "C": 12, "M": 12}
    if kind in FUNCTIONS:
        fields = {"function": next(iter(FUNCTIONS[kind]))}
    return Layer(name=kind, kind=kind, **({"C": 6, "M": 6, "H": 5, "W": 4} | fields))


@EVERY
@pytest.mark.parametrize("kind", POST_KINDS)
def test_layers_without_macs_cost_time_and_energy(name, kind):
    """A concat too, whose input is the network's: it is copied twice to lie beside itself."""
    machine = load_hardware(name)
    result = simulate(Network("n", (post(kind),), (6, 5, 4)), machine, check=True)
    row = result.layers.iloc[0]
    assert (row.macs_nominal, row.macs_issued, row.macs_effectual, row.array_cycles) == (0, 0, 0, 0)
    assert row.cycles > 0 and row.energy_pj > 0
    assert result.cycles.lane_slots.sum() == row.cycles * machine.array.lanes
    if kind != "concat":
        assert row.dram_write_bytes == result.network.layers[0].output_elements


@EVERY
def test_a_fused_activation_and_requantisation_cost_operations(name):
    layer = Layer(name="c", kind="conv", C=4, H=6, W=6, M=8, activation="relu")
    result = simulate(Network("n", (layer,), (4, 6, 6)), load_hardware(name))
    (row,) = result.actions[result.actions.component == "post"].itertuples()
    assert row.count >= layer.output_elements
    assert row.energy_pj > 0
