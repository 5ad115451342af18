"""Room that tensors take in the outermost memory."""

import pytest

from accel_sim import load_hardware
from accel_sim.run.session import Session
from workloads import load_network


@pytest.mark.parametrize(("encoding", "small"), [("dense", True), ("relative_index", False)])
def test_plain_weights_take_no_room_for_pointers(encoding, small):
    """65,536 lanes bound the columns that weights are dealt over: 256 KiB of pointers for every k of a layer."""
    network = load_network("cifar10")
    machine = load_hardware("tpu_v1", {"encodings.weights.name": encoding})
    addresses = Session.start(network, machine).addresses
    placed = [addresses.place(layer) for layer in network.layers]
    assert len({each.outputs for each in placed}) == len(placed)
    weights = sum(layer.weights for layer in network.mac_layers)
    assert (addresses.top < 6 * weights) == small
