"""Maps that lie encoded: what is written is their stream, each byte once; what is read are whole blocks of it."""

from dataclasses import replace
from itertools import pairwise
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim import load_hardware, simulate
from accel_sim.run.encoded_maps import EncodedMaps
from accel_sim.run.session import Session
from accel_sim.run.simulate import prepare
from accel_sim.values.encoded_map import EncodedMap
from accel_sim.values.errors import CheckError
from tests.contracts.test_priced_encodings import plugins  # noqa: F401  # a user's bitmask, run_length and huffman
from tests.unit.accel_sim.test_bytes_between_layers import chain
from workloads import Codes, InputError, Layer, Network, NumberFormat
from workloads.encodings.relative_index import RelativeIndex
from workloads.quantise import quantise_network
from workloads.walk import walk

BLOCK, POINTER = 64, 32  # codes, bits


def relative_index_bits(block: list[int], width: int, index_bits: int) -> int:
    """An entry for each code that is not 0, and one for each 2^index_bits zeros on the way to it."""
    entries = zeros = 0
    for code in block:
        if code:
            entries, zeros = entries + 1 + zeros // (1 << index_bits), 0
        else:
            zeros += 1
    return entries * (width + index_bits)


def bitmask_bits(block: list[int], width: int) -> int:
    return len(block) + width * sum(code != 0 for code in block)


def blocks(values: np.ndarray) -> list[list[int]]:
    flat = values.ravel().tolist()
    return [flat[at : at + BLOCK] for at in range(0, len(flat), BLOCK)]


def stored_bytes(sizes: list[int]) -> int:
    """A pointer before each block and one behind the last, then the blocks."""
    return (len(sizes) + 1) * POINTER // 8 + ceil(sum(sizes) / 8)


def bytes_of(wanted: set[int], sizes: list[int]) -> set[int]:
    """Of the wanted blocks and their pointers, counted from the begin of the directory."""
    found = set()
    for number in wanted:
        found |= set(range(number * POINTER // 8, (number + 2) * POINTER // 8))
        low, high = sum(sizes[:number]), sum(sizes[: number + 1])
        if high > low:
            found |= {(len(sizes) + 1) * POINTER // 8 + byte for byte in range(low // 8, ceil(high / 8))}
    return found


def touched(extents) -> list[int]:
    return [e.address + row * e.stride + byte for e in extents for row in range(e.count) for byte in range(e.bytes)]


@st.composite
def maps(draw):
    """(values, their width, index bits)"""
    rng, width = np.random.default_rng(draw(st.integers(0, 1 << 32))), draw(st.sampled_from([3, 4, 8, 12]))
    count, density = draw(st.integers(1, 400)), draw(st.sampled_from([0.0, 0.1, 0.6, 1.0]))
    values = rng.integers(0, 1 << width, count) * (rng.random(count) < density)
    return values, width, draw(st.sampled_from([1, 4]))


def made(values: np.ndarray, width: int, index_bits: int) -> EncodedMap:
    codes = Codes(values.astype(np.uint16), NumberFormat(width, False))
    return EncodedMap("map", codes, RelativeIndex(index_bits), begin=640, address=100000)


@given(maps(), st.data())
def test_each_byte_is_written_once_however_a_map_is_cut(case, data):
    values, width, index_bits = case
    held, plain = made(*case), ceil(len(values) * width / 8)
    sizes = [relative_index_bits(block, width, index_bits) for block in blocks(values)]
    assert held.bytes == stored_bytes(sizes)
    edges = sorted({0, plain, *data.draw(st.lists(st.integers(0, plain), max_size=8))})
    runs = data.draw(st.permutations(list(pairwise(edges))))
    cut = data.draw(st.integers(0, len(runs)))
    written, codes = [], 0
    for part in (runs[:cut], runs[cut:]):
        for run in [part] if data.draw(st.booleans()) else [[each] for each in part]:
            spans = np.array(sorted(run), np.int64).reshape(-1, 2) + 640
            extents, count = held.written(spans)
            written, codes = written + touched(extents), codes + count
    assert sorted(written) == list(range(100000, 100000 + held.bytes))
    assert codes == len(values)


@given(maps(), st.data())
def test_blocks_that_hold_a_wanted_byte_are_read_whole_with_their_pointers(case, data):
    values, width, index_bits = case
    held, plain = made(*case), ceil(len(values) * width / 8)
    edges = sorted(data.draw(st.sets(st.integers(0, plain), min_size=2, max_size=6)))
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    sizes = [relative_index_bits(block, width, index_bits) for block in blocks(values)]
    wanted = {byte * 8 // (BLOCK * width) for low, high in spans for byte in range(low, high)}
    extents, codes = held.read(np.array(spans, np.int64) + 640)
    assert sorted(touched(extents)) == sorted(100000 + byte for byte in bytes_of(wanted, sizes))
    assert codes == sum(len(blocks(values)[number]) for number in wanted)


@given(maps())
def test_a_reader_decodes_what_was_written(case):
    assert np.array_equal(made(*case).decoded(), case[0])


def machine(preset: str, name: str | None, **settings):
    of_maps = {} if name is None else {f"encodings.{key}": {"name": name} for key in ("inputs", "outputs")}
    return load_hardware(preset, of_maps | settings)


def attention() -> Network:
    """A product of two maps, the second of which a column machine encodes once more."""
    made = [
        Layer(name="q", kind="conv", C=4, M=6, H=5),
        Layer(name="k", kind="conv", C=4, M=6, H=5),
        Layer(name="qk", kind="matmul", C=6, H=5, M=5, inputs=("q", "k"), dynamic=True),
    ]
    return Network("attention", tuple(made), (4, 5, 1))


@pytest.mark.parametrize(("make", "bits"), [(chain, 4), (chain, 8), (attention, 8)])
@pytest.mark.parametrize("preset", ["systolic", "stripes", "eie"])
def test_bytes_of_a_run(preset, make, bits, monkeypatch):
    """Layers of all kinds that move maps: each writes the blocks of its map, and its tiles read those that hold what
    they would read of plain maps."""
    network = quantise_network(make(), activations=f"int{bits}", weights="int4").with_batch(2 if make is chain else 1)
    moved, original = [], EncodedMaps.moved

    def recorded(self, streams, origin):
        found = original(self, streams, origin)
        moved.append((self, streams, found))
        return found

    monkeypatch.setattr(EncodedMaps, "moved", recorded)
    frame = simulate(network, machine(preset, "bitmask"), check=True).layers.set_index("layer")
    data, sizes = walk(network, 0), {}
    for name in ("input", *network.names):
        codes = data.codes(name)
        values = codes.values.astype(int) - codes.format.zero_point
        sizes[name] = [bitmask_bits(block, codes.format.bits) for block in blocks(values)]
        if name != "input" and not (preset == "eie" and network[name].dynamic):
            assert frame.loc[name].dram_write_bytes == stored_bytes(sizes[name]), name
    assert {each.tensor for _, _, after in moved for each in after} >= {"inputs", "outputs"}
    for maps, before, after in moved:
        plain = {byte for each in before if each.source == "dram" for byte in touched(each.extents)}
        expected = 0
        for name, stored in maps.addresses.tensors.items():
            block = BLOCK * stored.bits // 8
            own = range(stored.address, stored.address + ceil(network.elements(name) * stored.bits / 8))
            wanted = {(byte - stored.address) // block for byte in plain if byte in own}
            plain -= set(own)
            expected += len(bytes_of(wanted, sizes[name]))
        assert sum(each.bytes for each in after if each.source == "dram") == expected + len(plain)


def test_on_chip_a_map_is_plain_and_its_codes_pass_decoder_and_post_unit():
    """conv: 243 codes of the input in 4 blocks, 245 outputs; what fills and drains buffers is as without encodings."""
    network = quantise_network(chain(), activations="int8", weights="int8")
    layer = network["conv"]
    runs = {}
    for name in (None, "relative_index"):
        session = Session.start(network, machine("systolic", name))
        operands = next(each for of, each in walk(network, 0) if of.name == "conv")
        runs[name] = prepare(layer, operands, session).actions
    plain, encoded = runs[None], runs["relative_index"]
    changed = {key for key in encoded if encoded[key] != plain[key]}
    assert changed == {("dram", "read", 8), ("dram", "write", 8), ("decoder", "add", 8), ("post", "op", 32)}
    assert encoded["decoder", "add", 8] == 243
    assert encoded["post", "op", 32] - plain["post", "op", 32] == 245


def test_a_matrix_that_the_host_made_lies_plain_and_the_run_says_so():
    network = quantise_network(chain(), activations="int8", weights="int8")
    encoded = machine("systolic", "relative_index", **{"dataflow.reduction_order": "im2col_first"})
    runs = {run.layer.name: run for run in simulate(network, encoded, check=True).runs}
    told = "its inputs lie plain: they were laid out anew for this layer"
    assert [name for name, run in runs.items() if told in run.notes] == ["conv"]


def test_a_decoder_takes_its_time():
    """A code in 20 cycles: 147 codes of the map that fc reads, in three blocks that come for it whole."""
    network = quantise_network(chain(), activations="int8", weights="int8")
    slow = {"memories.input_sram.decoder_values_per_cycle": 0.05, "memories.dram.bandwidth_gb_s": 1000}
    runs = {name: simulate(network, machine("systolic", name, **slow)) for name in ("dense", "relative_index")}
    causes = {name: run.cycles.query("layer == 'fc' and cause == 'decode'").cycles.sum() for name, run in runs.items()}
    assert causes["dense"] == 0
    assert causes["relative_index"] > 147 / 0.05 / 2


def test_what_is_joined_is_copied():
    network = quantise_network(chain(), activations="int8", weights="int8")
    result = simulate(network, machine("systolic", "relative_index"))
    run = next(run for run in result.runs if run.layer.name == "join")
    assert "copies what it joins: an encoded map lies in one piece" in run.notes


def test_a_stream_that_decodes_to_something_else_fails_a_checked_run(monkeypatch):
    decode = RelativeIndex.decode

    def wrong(self, encoded):
        decoded = decode(self, encoded)
        return replace(
            decoded, symbols=decoded.symbols ^ np.uint32(len(encoded.entries) > 2 and encoded.length == BLOCK)
        )

    network = quantise_network(chain(), activations="int8", weights="int8")
    monkeypatch.setattr(RelativeIndex, "decode", wrong)
    with pytest.raises(CheckError, match=r"^layer 'conv': map 'input' decodes to other codes than were encoded$"):
        simulate(network, machine("systolic", "relative_index"), check=True)


RELATIVE = {"name": "relative_index", "index_bits": 4}
REFUSED = {
    "encodings.outputs: expected the same as encodings.inputs: a map is read as it was written": [
        {"encodings.inputs": RELATIVE},
        {"encodings.outputs": RELATIVE},
        {"encodings.inputs": RELATIVE, "encodings.outputs": RELATIVE | {"index_bits": 3}},
    ],
    "encodings.inputs: maps of mapping.map_layout=nhwc lie plain: choose nchw": [
        {"encodings.inputs": RELATIVE, "encodings.outputs": RELATIVE, "mapping.map_layout": "nhwc"},
    ],
    "memories: level 'input_sram': maps lie plain on chip: take inputs out of `compressed`": [
        {"encodings.inputs": RELATIVE, "encodings.outputs": RELATIVE, "memories.input_sram.compressed": ["inputs"]},
    ],
}


@pytest.mark.parametrize(("text", "settings"), [(text, each) for text, cases in REFUSED.items() for each in cases])
def test_refusals(text, settings):
    with pytest.raises(InputError) as held:
        load_hardware("systolic", settings)
    assert str(held.value) == f"preset 'systolic': {text}"


def test_a_code_that_needs_the_whole_map_is_refused():
    network = quantise_network(chain(), activations="int8", weights="int8")
    with pytest.raises(
        InputError, match=r"^encodings.outputs: encoding 'huffman' makes a table of a whole map before it"
    ):
        simulate(network, machine("systolic", "huffman"))


def test_dense_maps_are_plain_maps():
    network = quantise_network(chain(), activations="int8", weights="int8")
    frames = [simulate(network, machine("systolic", name)).layers for name in (None, "dense")]
    assert frames[0].equals(frames[1])
