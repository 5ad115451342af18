"""No field of the hardware ever holds a value that it is too narrow for: the tile is cut, or the layer refused."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accel_sim.machine.config import load_hardware
from accel_sim.run.session import Session
from accel_sim.run.simulate import run_layer, tile_layer
from accel_sim.values.actions import Actions
from accel_sim.values.tile import Field, Tile
from accel_sim.works.post import PostWork
from tests import small_buffers
from tests.unit.accel_sim.layers import cases
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import MacOperands
from workloads.registry import InputError

#: one lane whose memory has room for 32 entries of 12 bits, 16 in a slot
ONE_LANE = {"array.rows": 1, **small_buffers.settings("eie", spmat=48)}


def full(layer: Layer, form: NumberFormat | None = None) -> MacOperands:
    """Every weight is the code 1, every input 1."""
    weights = np.ones(layer.weight_shape, np.uint8 if form else np.int8)
    inputs = Codes(np.ones(layer.input_shape, np.int8), NumberFormat(8, True))
    return MacOperands(inputs, Codes(weights, form or NumberFormat(8, True)))


def fc(inputs: int, outputs: int = 1) -> Layer:
    return Layer(name="f", kind="fc", C=inputs, M=outputs)


def session(layer: Layer, preset: str, settings: dict) -> Session:
    return Session.start(Network("one", (layer,), layer.input_shape[1:]), load_hardware(preset, settings))


def ran(layer: Layer, preset: str, settings: dict, operands: MacOperands | None = None):
    return run_layer(layer, operands or full(layer), session(layer, preset, settings), check=True)


def test_a_tile_with_a_value_wider_than_its_field_cannot_exist():
    Tile(PostWork(), (), Actions(), fields=(Field("pointer", 4, 15),))
    with pytest.raises(AssertionError, match=r"^pointer=4 cannot hold 16$"):
        Tile(PostWork(), (), Actions(), fields=(Field("pointer", 4, 16),))


@pytest.mark.parametrize(("entries", "tiles"), [(15, 1), (16, 2), (30, 2), (31, 3)])
def test_the_last_pointer_is_the_number_of_entries(entries, tiles):
    """4 bits hold 15, though 16 entries have numbers from 0 to 15 and the memory has room for all of them."""
    run = ran(fc(entries), "eie", ONE_LANE | {"dataflow.pointer_bits": 4})
    assert (run.tiles, run.sums.ravel().tolist()) == (tiles, [entries])
    assert ran(fc(entries), "eie", ONE_LANE | {"dataflow.pointer_bits": 5}).tiles == 1


def test_parts_that_lie_in_the_lanes_together_are_fetched_once():
    layer = Layer(name="f", kind="fc", C=16, M=1, N=3)
    network = Network("one", (layer,), (16, 1, 1)).with_batch(3)
    start = Session.start(network, load_hardware("eie", ONE_LANE | {"dataflow.pointer_bits": 4}))
    run = run_layer(layer, full(layer), start, check=True)
    assert run.tiles == 6
    # 15 and 1 entries of 12 bits in 64-bit words, 16 and 2 pointers of 4 bits, three inputs of 16 bytes
    assert run.bytes_read == (24 + 8) + (8 + 1) + 48


@pytest.mark.parametrize(("bits", "enough"), [(1, 5), (4, 5)])
def test_pointers_that_cannot_number_their_memory_are_refused(bits, enough):
    with pytest.raises(InputError) as refusal:
        ran(fc(16), "eie", {"array.rows": 1, "dataflow.pointer_bits": bits})
    assert str(refusal.value) == (
        f"layer 'f': dataflow.pointer_bits={bits} numbers {2**bits - 1} entries of a lane, which has 16 and room for "
        f"43690 in level 'spmat': raise it to at least {enough}"
    )
    assert ran(fc(16), "eie", {"array.rows": 1, "dataflow.pointer_bits": enough}).tiles == 1


def test_groups_are_parted_before_a_column_is():
    """Four groups of 6 columns on one lane: 24 entries, of which 3-bit pointers number one group's at a time."""
    layer = Layer(name="g", kind="depthwise", C=4, M=4, G=4, H=2, W=3, R=2, S=3)
    assert ran(layer, "eie", {"array.rows": 1, "dataflow.pointer_bits": 3}).tiles == 4
    assert ran(layer, "eie", {"array.rows": 1, "dataflow.pointer_bits": 4}).tiles == 2


@settings(max_examples=25)
@given(cases(rows=20), st.integers(1, 6), st.integers(1, 3), st.sampled_from([3, 6, 12, 48]))
def test_any_pointer_width_is_right_or_refused(case, bits, lanes, spmat):
    layer, sizes = case.layer, small_buffers.settings("eie", spmat=spmat)
    start = session(layer, "eie", {"array.rows": lanes, "dataflow.pointer_bits": bits} | sizes)
    try:
        tiled = tile_layer(layer, case.operands, start)
        tiles = list(tiled)
    except InputError:
        assume(False)
    kept = case.operands.weights.kept().reshape(layer.M, layer.K)
    per_group = layer.M // layer.G
    for tile, (_, _, part) in zip(tiles, tiled.cuts, strict=True):
        held = [0] * lanes  # weights of the tile on each lane: no more than its entries, fillers included
        for m in range(part.groups[0] * per_group, part.groups[1] * per_group):
            held[m % lanes] += int(kept[m, slice(*part.k)].sum())
        ((name, width, largest),) = tile.fields
        assert (name, width) == ("dataflow.pointer_bits", bits)
        assert max(held) <= largest < 2**bits
    with_batch = Network("one", (layer,), layer.input_shape[1:]).with_batch(layer.N)
    machine = start.machine
    run_layer(layer, case.operands, Session.start(with_batch, machine), check=True)


RELATIVE = {"encodings.weights": {"name": "relative_index"}, "array.rows": 8, "array.cols": 4}


@pytest.mark.parametrize("stationary", ["os", "ws", "is"])
def test_counts_before_a_slice_cut_the_reduction_of_an_array(stationary):
    """40 weights a filter; 4 bits count 15 of them, so that k goes in tiles of at most 15 (8 where rows take k)."""
    machine = RELATIVE | {"dataflow.stationary": stationary, "dataflow.pointer_bits": 4}
    layer = fc(40, 4)
    tiled = tile_layer(layer, full(layer), session(layer, "systolic", machine))
    assert {loop.dim: loop.tile for loop in tiled.nest.loops}["k"] <= 15
    assert all(tile.fields[0].largest <= 15 for tile in tiled)
    assert ran(layer, "systolic", machine).sums.ravel().tolist() == [40] * 4
    wide = tile_layer(layer, full(layer), session(layer, "systolic", machine | {"dataflow.pointer_bits": 6}))
    assert {loop.dim: loop.tile for loop in wide.nest.loops}["k"] == 40


@pytest.mark.parametrize(
    ("preset", "more", "smallest"), [("systolic", {"dataflow.stationary": "ws"}, 8), ("dadiannao", {}, 16)]
)
def test_a_count_too_wide_for_the_smallest_tile_is_refused(preset, more, smallest):
    enough = smallest.bit_length()
    settings = RELATIVE | more | {"dataflow.pointer_bits": enough - 1}
    with pytest.raises(InputError) as refusal:
        ran(fc(40, 4), preset, settings)
    assert str(refusal.value) == (
        f"layer 'f': dataflow.pointer_bits={enough - 1} counts up to {smallest - 1} entries of a filter in a tile, the "
        f"smallest tile has {smallest}: raise it to at least {enough}"
    )
    assert ran(fc(40, 4), preset, settings | {"dataflow.pointer_bits": enough}).sums.ravel().tolist() == [40] * 4


@pytest.mark.parametrize("preset", ["eie", "systolic", "dadiannao"])
def test_a_codebook_wider_than_its_field_is_refused(preset):
    form = NumberFormat(4, False, codebook=(0, 100, -3))
    settings = {"encodings.weights": {"name": "relative_index"}, "dataflow.codebook_bits": 7}
    with pytest.raises(InputError) as refusal:
        ran(fc(8), preset, settings, full(fc(8), form))
    assert str(refusal.value) == (
        "layer 'f': dataflow.codebook_bits=7 cannot hold its codebook's entries, -3 to 100: raise it to at least 8"
    )
    run = ran(fc(8), preset, settings | {"dataflow.codebook_bits": 8}, full(fc(8), form))
    assert run.sums.ravel().tolist() == [800]


def test_a_sum_of_many_products_wraps_into_its_accumulator_however_far_it_lies_outside():
    """16 products of 127 * 127 at once: 258,064 = 3 * 65,536 + 61,456, which 16 bits hold as -4,080."""
    layer = fc(16)
    data = MacOperands(
        *(
            Codes(np.full(shape, 127, np.int8), NumberFormat(8, True))
            for shape in (layer.input_shape, layer.weight_shape)
        )
    )
    narrow = {"mac.activation_bits": 8, "mac.weight_bits": 8, "mac.accumulator_bits": 16}
    run = ran(layer, "dadiannao", narrow, data)
    assert (run.sums.ravel().tolist(), run.overflows) == ([-4080], 1)
    assert ran(layer, "dadiannao", narrow | {"mac.overflow": "saturate"}, data).sums.ravel().tolist() == [32767]


@pytest.mark.slow
def test_a_dense_layer_is_cut_at_what_the_preset_addresses():
    """8,192 inputs x 16 rows a lane = 131,072 entries of 8 bits: they fit 128 KiB, and 16-bit pointers number half."""
    layer = fc(8192, 1024)
    run = ran(layer, "eie", {}, full(layer, NumberFormat(4, False, codebook=(0, 1))))
    assert run.tiles == 3  # 65,535 entries are 4,095 columns of 16
    assert set(run.sums.ravel().tolist()) == {8192}
