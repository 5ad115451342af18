"""Bitmask, run length and Huffman as a user would write them, one file each: a run moves their streams, bit for bit.

The oracles count a stream's bits from the weights alone and import none of our encodings.
"""

import heapq
import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from accel_sim import simulate
from accel_sim.machine.config import load_hardware
from accel_sim.run.session import Session
from accel_sim.run.simulate import prepare
from tests.test_imports import ROOT
from workloads import Layer
from workloads.encoding import BitStream, encodings
from workloads.walk import walk

from . import samples

RUN_LENGTH = '''
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workloads.encoding import Decoded, Encoded, Encoding, Part, encodings, pack, unpack


@encodings.add("run_length")
@dataclass(frozen=True)
class RunLength(Encoding):
    """As Eyeriss: words of ``pairs`` (zeros before it, value), the last one of a slice filled up."""

    run_bits: int = 5
    pairs: int = 3
    parts: ClassVar = (Part("payload"), Part("index"))

    def _pairs(self, slices):
        """Of each slice: (zeros before it, value); a value 0 ends a run that is too long."""
        most, found = (1 << self.run_bits) - 1, []
        for kept, symbols in zip(slices.kept, slices.symbols):
            zeros, row = 0, []
            for keep, symbol in zip(kept, symbols):
                if keep or zeros == most:
                    row.append((zeros, int(symbol) if keep else 0))
                zeros = 0 if keep or zeros == most else zeros + 1
            while row and row[-1][1] == 0:
                row.pop()
            found.append(row)
        return found

    def entries(self, slices):
        return np.array([len(row) for row in self._pairs(slices)], np.int32)

    def bits(self, slices, entries):
        words = -(-entries.astype(np.int64) // self.pairs) * self.pairs
        return {"payload": words * slices.symbol_bits, "index": words * self.run_bits}

    def encode(self, slices):
        rows = self._pairs(slices)
        full = [pair for row in rows for pair in row + [(0, 0)] * (-len(row) % self.pairs)]
        fields = np.array([run << slices.symbol_bits | value for run, value in full], np.uint32)
        stream = pack(fields, slices.symbol_bits + self.run_bits)
        return Encoded(stream, self.entries(slices), slices.length, slices.symbol_bits)

    def decode(self, encoded):
        words = -(-encoded.entries // self.pairs) * self.pairs
        fields = unpack(encoded.stream, encoded.symbol_bits + self.run_bits, int(words.sum()))
        first = np.cumsum(words) - words
        rows = [fields[at : at + count] for at, count in zip(first, encoded.entries)]
        runs = [row >> np.uint32(encoded.symbol_bits) for row in rows]
        values = np.concatenate(rows) & np.uint32((1 << encoded.symbol_bits) - 1)
        places = np.concatenate([np.cumsum(run + 1) - 1 for run in runs]).astype(np.int32)
        return Decoded(values, places, encoded.entries, values != 0)
'''
HUFFMAN = '''
import heapq
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from workloads.encoding import Decoded, Encoded, Encoding, Part, encodings, pack, unpack

LENGTH_BITS = 6


@encodings.add("huffman")
@dataclass(frozen=True)
class Huffman(Encoding):
    """A canonical code of all symbols, zeros too. lengths: bits of each symbol's; (): made for each tensor."""

    lengths: tuple[int, ...] = ()
    parts: ClassVar = (Part("payload"),)

    def entries(self, slices):
        return np.full(len(slices), slices.length, np.int32)

    @property
    def counted(self):
        return False  # the last code of a slice is known by their number, which is its length

    def fitted(self, runs):
        counts = sum(np.bincount(each.symbols.ravel(), minlength=1 << each.symbol_bits) for each in runs)
        heap = [(int(count), [symbol]) for symbol, count in enumerate(counts) if count]
        heapq.heapify(heap)
        lengths = [0] * len(counts)
        if len(heap) == 1:
            lengths[heap[0][1][0]] = 1
        while len(heap) > 1:
            (low, left), (high, right) = heapq.heappop(heap), heapq.heappop(heap)
            for symbol in left + right:
                lengths[symbol] += 1
            heapq.heappush(heap, (low + high, left + right))
        return replace(self, lengths=tuple(lengths))

    def table(self, symbol_bits):
        return pack(np.array(self.lengths, np.uint32), LENGTH_BITS)

    def with_table(self, table, symbol_bits):
        return replace(self, lengths=tuple(unpack(table, LENGTH_BITS, 1 << symbol_bits).tolist()))

    def _codes(self):
        """symbol -> code, its first bit the least significant."""
        codes, code, before = {}, 0, 0
        for length, symbol in sorted((length, symbol) for symbol, length in enumerate(self.lengths) if length):
            code <<= length - before
            codes[symbol] = int(f"{code:0{length}b}"[::-1], 2)
            code, before = code + 1, length
        return codes

    def bits(self, slices, entries):
        return {"payload": np.array(self.lengths, np.int64)[slices.symbols].sum(axis=1)}

    def encode(self, slices):
        codes, symbols = self._codes(), slices.symbols.ravel()
        table = np.array([codes.get(symbol, 0) for symbol in range(len(self.lengths))], np.uint32)
        stream = pack(table[symbols], np.array(self.lengths, np.int64)[symbols])
        return Encoded(stream, self.entries(slices), slices.length, slices.symbol_bits)

    def decode(self, encoded):
        names = {(self.lengths[symbol], code): symbol for symbol, code in self._codes().items()}
        symbols, code, length = [], 0, 0
        for bit in encoded.stream.array.tolist():
            code, length = code | bit << length, length + 1
            if (length, code) in names:
                symbols.append(names[length, code])
                code = length = 0
        places = np.tile(np.arange(encoded.length, dtype=np.int32), len(encoded.entries))
        return Decoded(np.array(symbols, np.uint32), places, encoded.entries)
'''


def bitmask() -> str:
    """The example of the page that says how to add a part."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/adding_a_part.md").read_text(encoding="utf-8"), re.S)
    return next(block for block in blocks if '"bitmask"' in block)


FILES = {"bitmask": bitmask(), "run_length": RUN_LENGTH, "huffman": HUFFMAN}


@pytest.fixture(autouse=True)
def plugins(tmp_path, monkeypatch):
    """All three in a folder of a user's own; the registry forgets them after the test."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setenv("ACCEL_SIM_PLUGINS", str(tmp_path))
    encodings.names()
    monkeypatch.setattr(encodings, "_parts", dict(encodings._parts))
    monkeypatch.setattr(encodings, "_complete", False)
    yield
    for name in [name for name in sys.modules if name.startswith("accel_sim_plugin_")]:
        del sys.modules[name]


def bitmask_bits(rows: list[np.ndarray], width: int) -> list[int]:
    """A bit for each value, and those that are not zero."""
    return [len(row) + width * int(np.count_nonzero(row)) for row in rows]


def run_length_bits(rows: list[np.ndarray], width: int) -> list[int]:
    """Words of three pairs; a pair passes up to 31 zeros, and 32 places if it is a filler."""
    found = []
    for row in rows:
        gaps = np.diff(np.flatnonzero(row), prepend=-1) - 1
        pairs = int((gaps // 32 + 1).sum())
        found.append(-(-pairs // 3) * 3 * (5 + width))
    return found


def huffman_bits(rows: list[np.ndarray], width: int) -> list[int]:
    """All rows together, and none apart: the weight of a Huffman tree is the sum of its inner nodes, whoever ties."""
    counts = np.unique(np.concatenate(rows), return_counts=True)[1].tolist()
    heapq.heapify(counts)
    total = 0 if len(counts) > 1 else counts[0]
    while len(counts) > 1:
        both = heapq.heappop(counts) + heapq.heappop(counts)
        heapq.heappush(counts, both)
        total += both
    return [total]


#: name -> (bits of the slices, of a count beside each, of a table)
ORACLES = {
    "bitmask": (bitmask_bits, 0, 0), "run_length": (run_length_bits, 16, 0), "huffman": (huffman_bits, 0, 256 * 6),
}  # fmt: skip
CONV = Layer(name="conv", kind="conv", C=32, H=6, W=6, M=20, R=3, S=3)
WIDE = {"mapping.layers": {"*": {"tiles": dict.fromkeys(("groups", "filters", "k", "pixels"), 1 << 20)}}}
#: machine -> an array of few filters, on which all weights of the layer fit
LARGE = {
    "systolic": {"array.rows": 16, "array.cols": 8},
    "dadiannao": {"array.rows": 8},
    "stripes": {"array.rows": 8},
}


def read(preset: str, name: str, settings: dict, density: float = 0.3) -> tuple[np.ndarray, int, list[int]]:
    """([M, K] weights, bytes of all weights as the layer's facts say, bytes that each tile reads of them)."""
    machine = load_hardware(preset, {"encodings.weights": {"name": name}, **settings})
    network, _, weights = samples.given(CONV, weights=density)
    (layer, operands), = list(walk(network, 0))  # fmt: skip
    ready = prepare(layer, operands, Session.start(network, machine))
    assert np.array_equal(ready.tiled.operands.weights.values, weights.values)
    moved = [
        sum(each.bytes for each in tile.streams if each.operand == "weights" and each.source == machine.dram.level)
        for tile in ready.tiled
    ]
    return weights.values.reshape(CONV.M, -1), ready.tiled.facts.weight_bits // 8, moved


@pytest.mark.parametrize("density", [0.0, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("preset", LARGE)
@pytest.mark.parametrize("name", ORACLES)
def test_one_tile_reads_the_whole_stream(name, preset, density):
    count, beside, table = ORACLES[name]
    weights, stored, moved = read(preset, name, LARGE[preset] | WIDE, density)
    assert table % 8 == 0
    expected = table // 8 + -(-(sum(count(list(weights), 8)) + beside * CONV.M) // 8)
    assert (stored, sum(moved)) == (expected, expected)


@pytest.mark.parametrize("preset", ["systolic", "stripes"])
@pytest.mark.parametrize("name", ["bitmask", "run_length"])
def test_each_tile_reads_its_own_slices(name, preset):
    """Eight filters and half their weights a tile: each slice ends where its tile does."""
    count, beside, _ = ORACLES[name]
    tiles = {"groups": 1, "filters": 8, "k": 144, "pixels": 1 << 20}
    weights, stored, moved = read(preset, name, LARGE[preset] | {"mapping.layers": {"conv": {"tiles": tiles}}})
    expected = []
    for m in range(0, CONV.M, tiles["filters"]):
        for k in range(0, CONV.K, tiles["k"]):
            part = weights[m : m + tiles["filters"], k : k + tiles["k"]]
            expected.append(-(-(sum(count(list(part), 8)) + beside * len(part)) // 8))
    assert sorted(each for each in moved if each) == sorted(expected)
    assert stored == sum(expected)


@pytest.mark.parametrize("name", ["bitmask", "run_length"])
def test_lanes_read_words_of_their_slices_and_pointers_of_these(name):
    """Row m is on lane m mod 64; a lane's slices lie one behind the other in whole words of 64 bits."""
    count, _, _ = ORACLES[name]
    weights, stored, moved = read("eie", name, {})
    lanes = [[weights[lane::64, k] for k in range(CONV.K)] for lane in range(min(64, CONV.M))]
    words = sum(-(-sum(count(slices, 8)) // 64) * 8 for slices in lanes)
    assert sum(moved) == words
    assert stored == words + len(lanes) * -(-(CONV.K + 1) * 16 // 8)


def test_pointers_number_bits_where_entries_differ_in_size():
    """EIE's lanes: 288 columns of a bit and of 8 more each; the largest pointer is their sum on the fullest lane."""
    machine = load_hardware("eie", {"encodings.weights": {"name": "bitmask"}})
    network, _, weights = samples.given(CONV, weights=1.0)
    (layer, operands), = list(walk(network, 0))  # fmt: skip
    ready = prepare(layer, operands, Session.start(network, machine))
    rows = weights.values.reshape(CONV.M, -1)
    assert max(field.largest for tile in ready.tiled for field in tile.fields) == max(
        sum(bitmask_bits([row], 8)) for row in rows
    )


def test_a_machine_that_stores_no_zeros_refuses_huffman():
    with pytest.raises(samples.InputError, match=r"^dataflow 'broadcast_csc' needs an encoding that stores nothing"):
        read("eie", "huffman", {})


@pytest.mark.parametrize("preset", [*LARGE, "eie"])
@pytest.mark.parametrize("name", ORACLES)
def test_sums_are_right_from_the_decoded_stream(name, preset):
    if (name, preset) == ("huffman", "eie"):
        pytest.skip("refused, as another test says")
    machine = load_hardware(preset, {"encodings.weights": {"name": name}})
    network, inputs, weights = samples.given(CONV)
    result = simulate(network, machine, check=True)
    assert np.array_equal(result.sums["conv"], samples.convolution(CONV, inputs, weights).sums)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("preset", ["systolic", "eie"])
def test_a_stream_that_is_longer_than_its_parts_on_the_layers_slices_fails_a_checked_run(name, preset, tmp_path):
    """A law that small slices keep and the layer's own break: said by name."""
    if (name, preset) == ("huffman", "eie"):
        pytest.skip("refused, as another test says")
    encode = encodings.get(name).encode

    def longer(self, slices):
        encoded = encode(self, slices)
        if slices.kept.size < 1000:
            return encoded
        return replace(encoded, stream=BitStream.of(np.append(encoded.stream.array, 0)))

    machine = load_hardware(preset, {"encodings.weights": {"name": name}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings.get(name), "encode", longer)
        simulate(samples.given(CONV)[0], machine)
        with pytest.raises(ValueError, match=rf"encoding '{name}': a stream of \d+ bits, its parts take \d+ \("):
            simulate(samples.given(CONV)[0], machine, check=True)
