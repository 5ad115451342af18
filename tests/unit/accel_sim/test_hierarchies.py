"""Hierarchies as configuration: checked runs of many of them, who stalls them, and what is refused."""

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from accel_sim.machine.config import from_tree, to_tree
from accel_sim.run.session import Session
from accel_sim.run.simulate import prepare
from tests.unit.accel_sim.test_machines_by_hand import dense
from workloads import load_network
from workloads.layer import Layer
from workloads.network import Network
from workloads.registry import InputError

RELATIVE = {"name": "relative_index", "index_bits": 4}


def glb(holds=("inputs", "weights", "outputs"), **more) -> dict:
    return {"name": "sram", "level": "glb", "capacity_kib": 2048, "holds": list(holds), "word_bits": 256, **more}


def build(preset: str, *levels: dict, settings=None, weights=None):
    """The preset with levels between memory and its own."""
    tree = to_tree(load_hardware(preset))
    tree["memories"][1:1] = levels
    if weights is not None:
        tree["encodings"]["weights"] = weights
    return from_tree(tree, preset, settings or {})


MACHINES = {
    "shared": lambda: build("systolic", glb()),
    "weights bypass": lambda: build("systolic", glb(("inputs", "outputs"))),
    "outputs alone": lambda: build("systolic", glb(("outputs",))),
    "two in a row": lambda: build("systolic", glb(), glb(level="mid", capacity_kib=1024)),
    "explicit source": lambda: build(
        "systolic", glb(), glb(("weights", "outputs"), level="mid", capacity_kib=1024, source="glb"),
        settings={"memories.input_sram.source": "glb"},
    ),
    "decoder at the array": lambda: build("systolic", weights=RELATIVE),
    "decoder behind the glb": lambda: build("systolic", glb(compressed=["weights"]), weights=RELATIVE),
    "decoder before the glb": lambda: build("systolic", glb(), weights=RELATIVE),
    "ws": lambda: build("systolic", glb(), settings={"dataflow.stationary": "ws"}),
    "is": lambda: build(
        "systolic", glb(compressed=["weights"]), settings={"dataflow.stationary": "is"}, weights=RELATIVE
    ),
    "eie": lambda: build("eie", glb(("inputs", "weights", "pointers", "outputs"), compressed=["weights"])),
    "eie, pointers bypass": lambda: build("eie", glb(compressed=["weights"])),
    "slow": lambda: build("systolic", glb(fill_bytes_per_cycle=0.5)),
}  # fmt: skip


@pytest.mark.parametrize("name", MACHINES)
def test_every_hierarchy_computes_the_reference(name):
    """simulate raises unless outputs equal the reference bit for bit and lane-slots add up."""
    machine = MACHINES[name]()
    result = simulate(load_network("lenet5"), machine, check=True)
    assert result.summary["check"]["passed"]
    assert to_tree(from_tree(to_tree(machine), "again")) == to_tree(machine)


CASE = dense(Layer(name="fc", kind="fc", C=64, M=64, N=4))


def moved(machine) -> dict[tuple[str, str, str], int]:
    network = Network("case", (CASE.layer,), CASE.layer.input_shape[1:]).with_batch(4)
    ready, found = prepare(CASE.layer, CASE.operands, Session.start(network, machine)), {}
    for job in ready.jobs:
        for transfer in (*job.loads.values(), *job.drains.values()):
            for stream in transfer.streams:
                key = stream.tensor, stream.source, stream.target
                found[key] = found.get(key, 0) + stream.bytes
    return found


def test_an_operand_passes_the_levels_that_hold_it_and_no_other():
    assert moved(build("systolic", glb(("inputs",)))) == {
        ("inputs", "dram", "glb"): 256, ("inputs", "glb", "input_sram"): 256, ("weights", "dram", "weight_sram"): 4096,
        ("outputs", "output_sram", "dram"): 256,
    }  # fmt: skip
    assert moved(MACHINES["explicit source"]())["inputs", "glb", "input_sram"] == 256


def idle(settings: dict, *levels: dict, weights=None) -> dict[str, int]:
    machine = build("systolic", *levels, settings=settings, weights=weights)
    frame = simulate(load_network("lenet_300_100"), machine).cycles
    return frame.groupby("cause").cycles.sum().to_dict()


def test_a_slow_level_stalls_as_sram_and_a_slow_decoder_as_decode():
    quick, slow = idle({}, glb()), idle({"memories.glb.fill_bytes_per_cycle": 0.5}, glb())
    assert slow["sram"] > 10 * max(1, quick["sram"])
    assert slow["decode"] == quick["decode"] == 0
    near = idle({"memories.weight_sram.decoder_values_per_cycle": 0.25}, weights=RELATIVE)
    free = idle({}, weights=RELATIVE)
    assert near["decode"] > 10000 > free["decode"] == 0
    assert near["sram"] <= free["sram"] + near["decode"] // 10


@pytest.mark.parametrize("network", ["lenet5", "lenet_300_100"])
@pytest.mark.parametrize("preset", ["systolic", "eie"])
def test_prefetching_layers_moves_the_same_bytes_and_is_never_slower(network, preset):
    off, on = (
        simulate(load_network(network), load_hardware(preset, {"mapping.prefetch_layers": wanted}), check=True)
        for wanted in (False, True)
    )
    assert on.summary["cycles"] < off.summary["cycles"]
    for column in ("dram_read_bytes", "dram_write_bytes", "macs_issued", "array_cycles"):
        assert on.layers[column].tolist() == off.layers[column].tolist()
    assert all(np.array_equal(off.sums[name], on.sums[name]) for name in off.sums)


REFUSED = {
    "preset 'systolic': memories.input_sram: fill_bytes_per_cycle=0 must be at least 0.001: nothing passes without "
    "bandwidth": {
        "memories.input_sram.fill_bytes_per_cycle": 0},
    "preset 'systolic': memories.weight_sram: decoder_values_per_cycle=0 must be at least 0.001: nothing passes "
    "without bandwidth": {"memories.weight_sram.decoder_values_per_cycle": 0},
    "preset 'systolic': memories.dram: bandwidth_gb_s=0.0 must be at least 0.001": {
        "memories.dram.bandwidth_gb_s": 0},
    "preset 'systolic': memories.input_sram: capacity_bytes=1 must be at least 2: a word has 16 bits": {
        "memories.input_sram": {
            "name": "register_file", "level": "input_sram", "capacity_bytes": 1, "holds": ["inputs"]}},
    "preset 'systolic': memories: a circle of levels filled from each other: input_sram <- weight_sram <- input_sram": {
        "memories.input_sram.source": "weight_sram", "memories.weight_sram.source": "input_sram"},
    "preset 'systolic': memories: a circle of levels filled from each other: input_sram <- input_sram": {
        "memories.input_sram.source": "input_sram"},
    "preset 'systolic': memories: level 'input_sram' is filled from 'l2', expected one of dram, input_sram, "
    "weight_sram, output_sram": {"memories.input_sram.source": "l2"},
    "preset 'systolic': memories: level 'input_sram' is filled from 'weight_sram', which holds no inputs": {
        "memories.input_sram.source": "weight_sram"},
    "preset 'systolic': memories: inputs end in 'input_sram' and in 'weight_sram', expected one level": {
        "memories.weight_sram.holds": ["weights", "inputs"], "memories.weight_sram.source": "dram"},
    "preset 'systolic': memories: outputs end in 'input_sram' and in 'output_sram', expected one level": {
        "memories.input_sram.holds": ["inputs", "outputs"], "memories.output_sram.source": "dram"},
    "preset 'systolic': memories: level 'weight_sram' holds weights compressed, but the level before it plain": {
        "memories.input_sram.holds": ["inputs", "weights"], "memories.weight_sram.compressed": ["weights"]},
    "preset 'systolic': memories.weight_sram: compressed: inputs are not held here (holds: weights)": {
        "memories.weight_sram.compressed": ["inputs"]},
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_built_is_refused(text):
    with pytest.raises(InputError) as error:
        load_hardware("systolic", REFUSED[text])
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("preset", "level", "compressed", "text"),
    [
        ("systolic", "weight_sram", ["weights"], "dataflow 'systolic' reads plain weights: take weights out of "
         "`compressed` of level 'weight_sram' (a decoder stands before the first level without it)"),
        ("eie", "spmat", [], "dataflow 'broadcast_csc' reads encoded weights: put weights into `compressed` of level "
         "'spmat'"),
    ],
)  # fmt: skip
def test_a_dataflow_says_what_its_innermost_level_must_hold(preset, level, compressed, text):
    with pytest.raises(InputError) as error:
        simulate(load_network("lenet5"), load_hardware(preset, {f"memories.{level}.compressed": compressed}))
    assert str(error.value) == text
