"""Whatever the width of its counts and pointers, a machine is right or refuses: no field is ever too narrow."""

import numpy as np
import pytest

from accel_sim import simulate
from accel_sim.machine.config import load_hardware, presets
from accel_sim.run.session import Session
from accel_sim.run.simulate import tile_layer
from workloads import InputError
from workloads.encoding import encodings
from workloads.walk import walk

from . import samples


@pytest.mark.parametrize("name", encodings.names())
@pytest.mark.parametrize("preset", presets())
def test_narrow_counts_and_pointers(preset, name):
    layer = samples.LAYERS["fc"]
    network, x, w = samples.given(layer, weights=0.9)
    expected = samples.convolution(layer, x, w).sums
    for bits in (1, 2, 3, 4, 6):
        machine = load_hardware(preset, {"encodings.weights": {"name": name}, "dataflow.pointer_bits": bits})
        ((_, operands),) = walk(network, 0)
        try:
            tiles = list(tile_layer(layer, operands, Session.start(network, machine)))
        except InputError as refusal:
            assert str(refusal).startswith(("dataflow '", f"layer 'fc': dataflow.pointer_bits={bits} "))
            continue
        fields = [field for tile in tiles for field in tile.fields]
        assert all(field.bits == bits and field.largest < 2**bits for field in fields)
        assert bool(fields) == (name != "dense")  # a plain array needs none
        assert np.array_equal(simulate(network, machine, check=True).sums["fc"], expected)


@pytest.mark.parametrize("preset", presets())
def test_the_widths_of_presets_are_enough_for_their_samples(preset):
    """And each tile that holds encoded weights says what its fields hold."""
    machine = load_hardware(preset, {"encodings.weights": {"name": "relative_index"}})
    for layer in samples.LAYERS.values():
        network, _, _ = samples.given(layer)
        ((_, operands),) = walk(network, 0)
        for tile in tile_layer(layer, operands, Session.start(network, machine)):
            assert [field.name for field in tile.fields] == ["dataflow.pointer_bits"]
