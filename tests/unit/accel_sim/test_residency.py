"""Maps that stay on chip: the same outputs, fewer bytes, never more than the level holds."""

from dataclasses import replace

import numpy as np
import pytest

from accel_sim import load_hardware, simulate
from accel_sim.machine.config import from_tree, to_tree
from accel_sim.run.residency import Residency
from accel_sim.run.server import Server
from accel_sim.run.session import Session
from accel_sim.values.address_map import AddressMap
from workloads import load_network
from workloads.registry import InputError

KEEP = {"mapping.keep_maps": True}
ROOM = {"memories.act.capacity_kib": 32}


def squeezenet(settings, **more):
    return simulate(load_network("squeezenet1_0"), load_hardware("eie", ROOM | settings), **more)


def test_fire_modules_keep_their_squeezed_maps_and_nothing_else_changes():
    """fire2/squeeze1x1 is read by both expand layers: written once and read twice without, not at all with it kept."""
    plain, kept = squeezenet({}, layers="fire2*"), squeezenet(KEEP, layers="fire2*")
    before, after = (result.layers.set_index("layer") for result in (plain, kept))
    squeeze = next(name for name in before.index if "squeeze" in name)
    size = 16 * before.E[squeeze] * before.F[squeeze]
    assert before.dram_write_bytes[squeeze] == size
    assert after.dram_write_bytes[squeeze] == 0
    for name in before.index:
        if "expand" in name and "concat" not in name and before.macs_nominal[name]:
            assert before.dram_read_bytes[name] - after.dram_read_bytes[name] >= size
    assert (before.macs_issued == after.macs_issued).all()


def test_maps_that_live_at_once_never_exceed_the_level():
    network, machine = load_network("squeezenet1_0"), load_hardware("eie", ROOM | KEEP)
    residency = Session.start(network, machine).residency
    assert residency.kept
    room = machine.buffers["inputs"].bytes + machine.buffers["outputs"].bytes
    for number in range(len(network.layers)):
        live = [(begin, end) for begin, end, made, last in residency.kept.values() if made <= number <= last]
        assert sum(end - begin for begin, end in live) <= room
        assert all(a[1] <= b[0] for a, b in zip(sorted(live), sorted(live)[1:], strict=False)), "no two overlap"


@pytest.mark.parametrize("network", ["lenet5", "lenet_300_100"])
@pytest.mark.parametrize("machine", ["eie", "glb"])
def test_a_checked_run_gives_the_same_outputs_and_moves_fewer_bytes(network, machine):
    def hardware(more):
        return load_hardware("eie", ROOM | more) if machine == "eie" else with_glb(more)

    plain, kept = (simulate(load_network(network), hardware(more), check=True) for more in ({}, KEEP))
    assert all(np.array_equal(plain.sums[name], kept.sums[name]) for name in plain.sums)
    assert kept.summary["dram_read_bytes"] < plain.summary["dram_read_bytes"]
    assert kept.summary["dram_write_bytes"] < plain.summary["dram_write_bytes"]
    inner = [kept.layers.dram_read_bytes.tolist()[1:], kept.layers.weight_machine_bytes.tolist()[1:]]
    if machine == "glb":  # every map fits: all that is read after the first layer are weights
        assert inner[0] == inner[1]
        assert kept.layers.dram_write_bytes.tolist()[:-1] == [0] * (len(kept.layers) - 1)


def with_glb(more):
    tree = to_tree(load_hardware("systolic"))
    level = {"name": "sram", "level": "glb", "capacity_kib": 2048, "holds": ["inputs", "weights", "outputs"],
             "word_bits": 256}  # fmt: skip
    tree["memories"].insert(1, level)
    return from_tree(tree, "glb", more)


@pytest.mark.parametrize("more", [{}, KEEP, KEEP | {"mapping.prefetch_layers": True}])
def test_memory_is_asked_for_the_bytes_that_are_reported(more, monkeypatch):
    """What waits in the glb does not come through the outermost memory's channel."""
    asked, transfer = [0, 0], Server.transfer

    def counted(server, extents, is_write):
        asked[is_write] += sum(extent.bytes * extent.count for extent in extents)
        return transfer(server, extents, is_write)

    monkeypatch.setattr(Server, "transfer", counted)
    summary = simulate(load_network("lenet_300_100"), with_glb(more)).summary
    assert asked == [summary["dram_read_bytes"], summary["dram_write_bytes"]]


def test_no_map_stays_between_layers_that_do_not_run():
    plain, kept = squeezenet({}, layers="fire2/expand1x1"), squeezenet(KEEP, layers="fire2/expand1x1")
    assert plain.summary["dram_read_bytes"] == kept.summary["dram_read_bytes"]
    assert plain.summary["dram_write_bytes"] == kept.summary["dram_write_bytes"]


def test_inputs_and_outputs_in_different_levels_are_refused():
    with pytest.raises(InputError) as error:
        simulate(load_network("lenet5"), load_hardware("systolic", KEEP))
    assert str(error.value) == (
        "mapping.keep_maps: inputs come into level 'input_sram', outputs leave from 'output_sram': expected one level "
        "that holds both"
    )


class Layers(tuple):
    """Layers that count how often somebody goes through all of them."""

    passes = 0

    def __iter__(self):
        Layers.passes += 1
        return super().__iter__()


def test_a_layer_is_found_without_a_search():
    """As often as there are layers, networks of thousands took time that grew with the square of their number."""
    network, machine = load_network("squeezenet1_0"), load_hardware("eie", ROOM | KEEP)
    network = replace(network, layers=Layers(network.layers))
    residency = Residency(network, AddressMap(network, "dram", 0), machine.buffers, frozenset(network.names))
    assert residency.kept
    layers, Layers.passes = list(network.layers), 0
    for layer in layers:
        residency.shares(layer)
    assert Layers.passes <= 1
