"""Maps whose channels lie last: exact bytes of what is read and written, against a count value by value."""

from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_sim import load_hardware, simulate
from accel_sim.dataflows.common import input_extents, output_extents
from accel_sim.machine.config import presets
from accel_sim.values.address_map import AddressMap
from accel_sim.values.channel_last import PixelMap
from tests.contracts.test_dataflows import layers, touched
from tests.oracle import traffic
from workloads import InputError, Layer, Network, load_network
from workloads.quantise import quantise_network

NHWC = {"mapping.map_layout": "nhwc"}


@settings(max_examples=60)
@given(layers(), st.integers(1, 17), st.integers(0, 5), st.integers(0, 4), st.data())
def test_each_byte_is_written_once_and_reads_touch_what_holds_their_values(layer, bits, before, after, data):
    """The map is the middle part of a joined one, ``before`` channels before it and ``after`` behind."""

    def part(pixels: int, channels: int) -> PixelMap:
        return PixelMap.of(64, bits, pixels, before + channels + after).part(before, channels)

    pixels, tile = layer.N * layer.E * layer.F, data.draw(st.integers(1, layer.N * layer.E * layer.F))
    stored, channels = part(pixels, layer.M), data.draw(st.integers(1, layer.M))
    written = [
        byte
        for first in range(0, pixels, tile)
        for low in range(0, layer.M, channels)
        for byte in touched(
            output_extents(layer, stored, (first, min(pixels, first + tile)), (low, min(layer.M, low + channels)))
        )
    ]
    begin, end = before * bits, (before + layer.M) * bits
    own = range(begin // 8, end // 8 if after else ceil(end / 8))
    assert sorted(written) == [64 + pixel * stored.pixel // 8 + byte for pixel in range(pixels) for byte in own]

    source = part(layer.N * layer.H * layer.W, layer.C)
    first = data.draw(st.integers(0, pixels - 1))
    last, low = data.draw(st.integers(first + 1, pixels)), data.draw(st.integers(0, layer.C - 1))
    high = data.draw(st.integers(low + 1, layer.C))
    shape, taps = vars(layer) | {"E": layer.E, "F": layer.F}, layer.R * layer.S
    spans = {"groups": range(1), "pixels": range(first, last), "k": range(low * taps, high * taps)}
    wanted = set()
    for n, c, h, w in traffic.tile_inputs(shape | {"G": 1}, spans):
        bit = 512 + ((n * layer.H + h) * layer.W + w) * source.pixel + (before + c) * bits
        wanted |= set(range(bit // 8, ceil((bit + bits) / 8)))
    assert sorted(touched(input_extents(layer, source, (first, last), (low, high)))) == sorted(wanted)


@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 4), st.integers(1, 6), st.data())
def test_elements_in_the_order_in_which_they_lie(bits, channels, before, pixels, data):
    """As a layer reads them that sees the map in another shape."""
    stored = PixelMap.of(0, bits, pixels, before + channels + 1).part(before, channels)
    first = data.draw(st.integers(0, pixels * channels - 1))
    count = data.draw(st.integers(1, pixels * channels - first))
    bits_of = [i // channels * stored.pixel + (before + i % channels) * bits for i in range(first, first + count)]
    wanted = {byte for bit in bits_of for byte in range(bit // 8, ceil((bit + bits) / 8))}
    assert sorted(set(touched(stored.read(first, count)))) == sorted(wanted)


LAYERS = (
    Layer(name="c", kind="conv", C=3, H=6, W=6, M=5, R=3, S=3, padding=(1, 1, 1, 1)),
    Layer(name="p", kind="pool", C=5, H=6, W=6, M=5, R=2, S=2, stride=(2, 2), pool="max", inputs=("c",)),
    Layer(name="a", kind="conv", C=5, H=3, W=3, M=3, inputs=("p",)),
    Layer(name="b", kind="conv", C=5, H=3, W=3, M=6, inputs=("p",)),
    Layer(name="ab", kind="concat", C=9, H=3, W=3, M=9, inputs=("a", "b")),
    Layer(name="f", kind="fc", C=81, H=1, W=1, M=10, inputs=("ab",)),
)


@pytest.mark.parametrize("preset", ["systolic", "eie", "dadiannao", "tensor_core"])
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_what_is_written_is_what_is_read(preset, bits):
    """Maps that fit as a whole move once; what is joined is written by two and read by one."""
    network = quantise_network(Network("n", LAYERS, (3, 6, 6)), activations=f"int{bits}")
    result = simulate(network, load_hardware(preset, NHWC), check=True)
    stored = AddressMap(network, "dram", 0, pixels=True)
    sizes = {name: stored.bytes(name) for name in ("input", "c", "p", "ab")}
    whole = {name: pixels * ceil(channels * bits / 8) for name, channels, pixels in (
        ("input", 3, 36), ("c", 5, 36), ("p", 5, 9), ("ab", 9, 9))}  # fmt: skip
    assert sizes == whole
    runs = {run.layer.name: run for run in result.runs}
    assert (runs["c"].bytes_written, runs["p"].bytes_written) == (whole["c"], whole["p"])
    assert runs["a"].bytes_written + runs["b"].bytes_written == whole["ab"]
    assert runs["p"].bytes_read == whole["c"]
    told = [note for note in runs["c"].facts.notes if note.startswith("its map takes")]
    codes = 180 * bits / 8
    note = f"its map takes {whole['c']} bytes for {codes:g} bytes of codes: a pixel ends with a whole byte"
    assert told == ([] if bits == 8 else [note])
    assert result.summary["check"]["passed"]


@pytest.mark.slow
@pytest.mark.parametrize("preset", presets())
@pytest.mark.parametrize("name", ["lenet5", pytest.param("squeezenet1_1", marks=pytest.mark.long)])
def test_at_whole_bytes_nothing_is_padded_and_every_machine_runs(name, preset):
    bytes_of = [
        simulate(load_network(name), load_hardware(preset, more)).layers[["layer", "dram_write_bytes"]]
        for more in ({}, NHWC)
    ]
    assert bytes_of[0].dram_write_bytes.sum() == bytes_of[1].dram_write_bytes.sum()


def test_what_cannot_be_played_is_refused():
    with pytest.raises(InputError, match="keep_maps: maps that stay on chip need map_layout: nchw"):
        load_hardware("systolic", NHWC | {"mapping.keep_maps": True})
    layer = Layer(name="qk", kind="matmul", C=3, H=4, M=4, dynamic=True, inputs=("input", "input"))
    network = quantise_network(Network("n", (layer,), (3, 4, 1)), activations="int4")
    with pytest.raises(InputError, match=r"layer 'qk': mapping.map_layout=nhwc: its second operand, pixels of 3 co"):
        simulate(network, load_hardware("systolic", NHWC))
    simulate(network, load_hardware("systolic"))
