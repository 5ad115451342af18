"""Groups share nothing: a grouped layer moves what it must, wherever the data of a few groups fit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim.machine.config import load_hardware
from accel_sim.run.compulsory import read_elements
from accel_sim.run.simulate import simulate
from tests import small_buffers
from tests.oracle import traffic
from tests.unit.accel_sim.layers import cases
from tests.unit.accel_sim.mapping.runs import Cut
from tests.unit.accel_sim.test_machines_by_hand import dense
from workloads.layer import Layer
from workloads.network import Network
from workloads.registry import InputError

#: one machine for each dataflow and stationary operand
KINDS = ("eie", "systolic", "tpu_v1", "dadiannao", "stripes")


@st.composite
def grouped(draw) -> Layer:
    """2 to 12 groups, any batch, filter and stride, and padding narrower than the filter."""
    G, taps = draw(st.integers(2, 12)), draw(st.integers(1, 3))
    each = draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 1, 2, 3]))
    try:
        return Layer(
            name="g", kind="depthwise" if each[0] == 1 else "conv", G=G, C=G * each[0], M=G * each[1],
            H=draw(st.integers(3, 8)), W=draw(st.integers(3, 8)), R=taps, S=taps, N=draw(st.integers(1, 2)),
            stride=(draw(st.integers(1, 2)), draw(st.integers(1, 2))),
            padding=tuple(draw(st.integers(0, min(1, taps - 1))) for _ in range(4)),
        )  # fmt: skip
    except InputError:
        return Layer(name="g", kind="depthwise", G=G, C=G, M=G, H=8, W=8, R=taps, S=taps)


@pytest.mark.parametrize("preset", KINDS)
@settings(max_examples=6)
@given(layer=grouped())
def test_roomy_buffers_move_each_byte_once(preset, layer):
    found = Cut.of(dense(layer), preset, {})
    shape, facts = found.case.shape, found.ready.tiled.facts
    assert read_elements(layer) == len(traffic.read_positions(shape))
    assert read_elements(layer) <= found.moved("inputs") <= traffic.whole_rows(shape)
    assert 8 * (found.moved("weights") + found.moved("pointers")) == facts.weight_bits
    assert found.moved("outputs", is_write=True) == traffic.outputs(shape)
    assert not found.moved("partial_sums")


@settings(max_examples=10)
@given(grouped(), st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_room_for_a_few_groups_is_enough_for_eie(layer, lanes, few, tight_weights):
    """Inputs and outputs of ``few`` groups a slot, and (tight_weights) their weights and pointers."""
    share, case = few / layer.G, dense(layer)
    maps = 4 * share * max(layer.input_elements, layer.output_elements)  # two operands, two slots
    sizes = {"act": -(-int(maps) // lanes) + 2}
    if tight_weights:
        rows = -(-few * (layer.M // layer.G) // lanes)  # of a lane
        sizes["spmat"] = 2 * (-(-rows * layer.K * 12 // 64) + 1) * 8
        sizes["ptr"] = 2 * 2 * (few * layer.K + 1)
    found = Cut.of(case, "eie", {"array.rows": lanes, **small_buffers.settings("eie", **sizes)})
    shape = case.shape
    must = traffic.whole_rows(shape) + found.ready.tiled.facts.weight_bits / 8 + traffic.outputs(shape)
    assert sum(found.dram.values()) <= 1.2 * must
    assert len(found.ready.tiled.cuts.blocks) == 1


@given(cases(), st.sampled_from(KINDS))
@settings(max_examples=10)
def test_no_layer_moves_less_than_it_must(case, preset):
    found = Cut.of(case, preset, {})
    assert found.moved("inputs") >= read_elements(case.layer) == len(traffic.read_positions(case.shape))


def test_a_depthwise_layer_that_no_memory_holds_at_once():
    """672 channels: 16,800 columns, of which a lane has pointers to 262 or 275."""
    layer = Layer(name="dw", kind="depthwise", C=672, M=672, G=672, H=14, W=14, R=5, S=5, padding=(2, 2, 2, 2))
    found = Cut.of(dense(layer), "eie", {})
    assert found.moved("inputs") == 672 * 14 * 14 == found.moved("outputs", is_write=True)
    assert found.moved("weights") + found.moved("pointers") == found.ready.tiled.facts.weight_bits // 8
    tiles = len(found.ready.jobs)
    assert 16800 * 2 + 2 * 64 <= found.moved("pointers") <= 16800 * 2 + 2 * 64 * tiles
    assert sum(found.dram.values()) <= 1.2 * (2 * 672 * 14 * 14 + 672 * 25)


def test_lanes_without_rows_have_no_pointers():
    """64 groups of one filter, 9 columns each: twice the lanes hold the same pointers, each lane one behind them."""
    layer = Layer(name="dw", kind="depthwise", C=64, M=64, G=64, H=4, W=4, R=3, S=3)
    for lanes in (16, 32, 64, 128):
        found = Cut.of(dense(layer), "eie", {"array.rows": lanes})
        assert found.moved("pointers") == 2 * (64 * 9 + min(lanes, 64))


def test_traffic_far_beyond_what_is_needed_is_told():
    """A batch of 9 through weights that do not stay: they come once for every item."""
    layer = Layer(name="f", kind="fc", C=64, M=64)
    tight = {"array.rows": 1, **small_buffers.settings("eie", spmat=2048)}
    network = Network("n", (layer,), (64, 1, 1)).with_batch(9)
    row = simulate(network, load_hardware("eie", tight)).layers.iloc[0]
    least = 64 * 64 + 2 * 9 * 64
    moved = row.dram_read_bytes + row.dram_write_bytes
    assert moved > 4 * least
    told = f"DRAM moves {moved / least:.1f} times the {least:,} bytes of its inputs, weights and outputs, each once"
    assert told in row.notes
    assert "DRAM moves" not in simulate(network, load_hardware("eie")).layers.notes[0]


def test_a_wish_for_groups_and_pixels_is_followed():
    layer = Layer(name="dw", kind="depthwise", C=12, M=12, G=12, H=6, W=6, R=3, S=3)

    def cut(**tiles) -> Cut:
        return Cut.of(dense(layer), "eie", {"mapping.layers": {"dw": {"tiles": tiles}}})

    assert [(loop.dim, loop.count, loop.tile) for loop in cut(groups=5, pixels=8).nest.loops] == [
        ("groups", 3, 5), ("pixels", 2, 8), ("k", 1, 1),
    ]  # fmt: skip
    assert len(cut(groups=5, pixels=8).ready.jobs) == 6
    with pytest.raises(InputError, match=r"this dataflow cuts groups and pixels alone, not k$"):
        cut(k=3)


@pytest.mark.parametrize(
    ("layer", "pixels", "need"),
    [
        # a tile is half an image of 4 x 2 pixels, and reads 3 rows of 2 * 24 bytes
        (Layer(name="x", kind="conv", C=24, M=1, N=3, H=5, W=2, R=2), 4, 144),
        # pixels 3 to 5 lie in two images of 2 x 2: 2 rows of 48 bytes of each, for their windows reach over the map
        (Layer(name="x", kind="conv", C=48, M=1, N=3, H=3, R=2, S=3, padding=(0, 0, 1, 2)), 3, 192),
    ],
)
def test_a_given_tile_of_a_batch_needs_what_it_reads_and_no_byte_more(layer, pixels, need):
    def cut(slot_bytes: int) -> Cut:
        wish = {"mapping.layers": {"x": {"tiles": {"pixels": pixels}}}, "array.rows": 1}
        return Cut.of(dense(layer), "eie", wish | small_buffers.settings("eie", act=4 * slot_bytes))

    assert cut(need).ready.tiled.facts.tile_count == -(-layer.N * layer.E * layer.F // pixels)
    with pytest.raises(InputError, match=f"needs {need} bytes of inputs at once, level 'act' holds {need - 1} "):
        cut(need - 1)
