"""The post-processing unit: layers without MACs, bias, requantisation and activation (MODEL 5)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_sim.actions import Actions
from accel_sim.address_map import Placement
from accel_sim.dataflows.common import Facts, cannot_fit, input_bytes_bound, input_extents, output_extents
from accel_sim.levels import Buffer
from accel_sim.map_layout import packed_bytes
from accel_sim.mapping.nest import Loop, Nest, keep_depths
from accel_sim.mapping.staging import Staging
from accel_sim.parts import require
from accel_sim.tile import Extent, PostWork, Tile
from workloads.layer import Layer

#: operations per output element: one compare or add per tap or input map, a multiply where values are scaled; LRN and
#: softmax from their formulas (a square and an add per tap, power, multiply; max, subtract, exponential, sum, divide);
#: shuffle, move and a concat that is no mere placement one move; layer norm: two sums, difference, square, and three
#: multiplies and adds of the deviation, gain and shift
OPERATIONS = {
    "relu": 1, "relu6": 1, "concat": 1, "shuffle": 1, "move": 1, "batchnorm": 2, "softmax": 5,
    "layernorm": 7,
}  # fmt: skip
#: operations per output element of what an elementwise layer computes; 1 where it is not here (a compare, an add, a
#: multiply, or one look-up of a tabulated function: exp, log, sqrt, erf, sin)
FUNCTION_OPERATIONS = {
    "sigmoid": 3,  # exp, add, divide
    "tanh": 4,  # exp, add, subtract, divide
    "hardsigmoid": 3,  # multiply, add, clip
    "hardswish": 4,  # hardsigmoid, multiply
    "swish": 4,  # sigmoid, multiply
    "softplus": 3,  # exp, add, log
    "mish": 8,  # softplus, tanh, multiply
    "gelu": 5,  # scale, erf, add, two multiplies
    "elu": 4,  # compare, exp, subtract, multiply
    "leakyrelu": 2,  # compare, multiply
    "softsign": 3,  # magnitude, add, divide
    "quantise": 3,  # multiply, round, clip
}
#: tiles of a layer that fits its buffers as a whole
PIECES = 8
#: kinds whose every output needs all channels of its pixel
WHOLE_VECTORS = ("softmax", "lrn", "layernorm")
#: bias, rescale and clip of a sum that leaves the array
REQUANTISE = 1


def operations(layer: Layer) -> int:
    """Operations per output element of a layer on this unit."""
    if layer.has_macs:
        return REQUANTISE
    if layer.kind == "lrn":
        return 2 * layer.lrn.size + 2
    if layer.kind == "add":
        return len(layer.inputs)
    if layer.kind in ("pool", "reduce"):
        return layer.R * layer.S + (1 if layer.pool == "avg" else 0)
    if layer.kind == "elementwise":
        return sum(FUNCTION_OPERATIONS.get(name, 1) for name in layer.function.split("+"))
    return OPERATIONS[layer.kind]


@dataclass(frozen=True)
class PostUnit:
    """lanes: elements at once; ops_per_cycle: operations a lane does in one cycle; pj_per_op: energy of one, None =
    a 32-bit addition of the energy table."""

    lanes: int = 16
    ops_per_cycle: int = 1
    pj_per_op: float | None = None

    def __post_init__(self):
        require(self, 1, "lanes", "ops_per_cycle")
        require(self, 0, "pj_per_op")

    def cycles(self, layer: Layer, outputs: int, more_ops: int = 0) -> int:
        """outputs: elements of a tile; more_ops: operations beside the layer's own."""
        return -(-(outputs * operations(layer) + more_ops) // (self.lanes * self.ops_per_cycle))

    def actions(self, layer: Layer, outputs: int, more_ops: int = 0) -> Actions:
        """Operations of ``outputs`` elements of the layer, and ``more_ops`` besides, all of 32 bits."""
        return Actions({("post", "op", 32): outputs * operations(layer) + more_ops})


@dataclass(frozen=True, eq=False)
class TiledPost:
    """A layer without MACs as runs of output rows that fit the buffers."""

    layer: Layer
    buffers: dict[str, Buffer]
    placement: Placement
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> Facts:
        """No MACs and no weights; a concat has no tiles."""
        return Facts(0, 0, 0 if self.layer.kind == "concat" else len(self.nest), self.notes)

    @cached_property
    def _shape(self) -> tuple[int, int]:
        """(pixels, output channels) of a tile: whole rows of as many channels as fit."""
        layer = self.layer
        channels = layer.M if layer.kind in WHOLE_VECTORS else 1
        rows = layer.N * layer.E
        if not self._fits(layer.F, channels):
            need = self._bytes(layer.F, channels)
            which = 0 if need[0] > self.buffers["inputs"].slot_bytes else 1
            operand = ("inputs", "outputs")[which]
            raise cannot_fit(layer, operand, need[which], self.buffers[operand])
        while channels * 2 <= layer.M and self._fits(layer.F, channels * 2):
            channels *= 2
        if self._fits(layer.F, layer.M):
            channels = layer.M
        height = 1
        while height < rows and self._fits(min(rows, height * 2) * layer.F, channels):
            height = min(rows, height * 2)
        if (
            height == rows and channels == layer.M
        ):  # all of it fits: pieces, so that it is read, done and written at once
            height = -(-rows // PIECES)
        return height * layer.F, channels

    @cached_property
    def nest(self) -> Nest:
        """Pixels outside channels."""
        layer, (pixels, channels) = self.layer, self._shape
        loops = Loop("pixels", layer.N * layer.E * layer.F, pixels), Loop("channels", layer.M, channels)
        whole, run, tile = (
            self._bytes(*shape) for shape in ((loops[0].size, layer.M), (pixels, layer.M), (pixels, channels))
        )
        changing = [False, loops[0].count > 1, loops[0].count * loops[1].count > 1]
        keeps = {
            operand: keep_depths(self.buffers[operand].path, [whole[i], run[i], tile[i]], changing)
            for i, operand in enumerate(("inputs", "outputs"))
        }
        return Nest(loops, keeps)

    def _bytes(self, pixels: int, channels: int) -> tuple[int, int]:
        layer, outputs = self.layer, pixels * channels
        inputs = sum(
            input_bytes_bound(layer, stored.bits, pixels, channels)
            if size is None
            else packed_bytes(self._most(size, stored.bits, outputs), stored.bits)
            for stored, size in zip(self.placement.inputs, self._partial, strict=True)
        )
        return inputs, packed_bytes(outputs, self.placement.outputs.bits)

    @cached_property
    def _partial(self) -> tuple[int | None, ...]:
        """Elements of each input, in order; None: a map of the layer's own input size, of which a tile reads what lies
        under its outputs."""
        layer = self.layer
        sizes = layer.input_sizes or (layer.input_elements,) * len(layer.inputs)
        return tuple(None if size == layer.input_elements else size for size in sizes)

    def _held(self, size: int, bits: int) -> bool:
        """A small operand that is broadcast stays in the buffer for the whole layer (half a slot at most)."""
        return self.layer.kind != "move" and 2 * packed_bytes(size, bits) <= self.buffers["inputs"].slot_bytes

    def _most(self, size: int, bits: int, outputs: int) -> int:
        """Elements of a partial input that a tile of so many outputs may need at once."""
        if self._held(size, bits):
            return size
        if self.layer.kind == "move":
            return -(-outputs * size // self.layer.output_elements) + 1
        return min(size, outputs)

    def _range(self, size: int, bits: int, first: int, outputs: int) -> tuple[int, int]:
        """[first, last) elements of a partial input that the outputs from number ``first`` on read.

        A move takes each input's elements once, in order. A broadcast operand is read once if it is held, else as many
        of its elements as there are outputs, from its beginning.
        """
        if self._held(size, bits):
            return (0, size) if first == 0 else (0, 0)
        if self.layer.kind == "move":
            total = self.layer.output_elements
            return first * size // total, (first + outputs) * size // total
        return 0, min(size, outputs)

    def _fits(self, pixels: int, channels: int) -> bool:
        need = self._bytes(pixels, channels)
        return need[0] <= self.buffers["inputs"].slot_bytes and need[1] <= self.buffers["outputs"].slot_bytes

    def __iter__(self) -> Iterator[Tile]:
        layer, inputs, outputs = self.layer, self.buffers["inputs"], self.buffers["outputs"]
        if layer.kind == "concat":  # its inputs were written side by side
            return
        taps, stored = layer.R * layer.S, self.placement.outputs
        widths = Counter(each.bits for each in self.placement.inputs[: 1 if layer.kind == "move" else None])
        staging, done = Staging(self.nest, self.buffers, self.placement.level), 0
        for index in self.nest:
            pixels, channels = self.nest.spans(index).values()
            made = (pixels[1] - pixels[0]) * (channels[1] - channels[0])
            taken = tuple(self._extents(pixels, channels, done, made))
            out = output_extents(layer, stored, pixels, channels)
            streams = staging.load("inputs", "inputs", index, lambda _, taken=taken: taken, overlap=True)
            streams += staging.sums(index, lambda out=out: out, tuple)
            actions = Actions({(outputs.level, "write", outputs.word_bits): outputs.words(made, stored.bits)})
            for bits, count in widths.items():
                actions[inputs.level, "read", inputs.word_bits] += inputs.words(made * taps * count, bits)
            yield Tile(PostWork(), tuple(streams), actions, made)
            done += made

    def _extents(self, pixels: tuple[int, int], channels: tuple[int, int], done: int, outputs: int) -> Iterator[Extent]:
        """Bytes of all inputs that a tile reads; ``done``: outputs of the tiles before it."""
        for stored, size in zip(self.placement.inputs, self._partial, strict=True):
            if size is None:
                yield from input_extents(self.layer, stored, pixels, channels)
                continue
            first, last = self._range(size, stored.bits, done, outputs)
            if last > first:
                yield from stored.read(first, last - first)

    def execute(self, tile: Tile, sums: np.ndarray, low: int, high: int, saturate: bool) -> int:
        """AssertionError: there are no products."""
        raise AssertionError(f"layer '{self.layer.name}' has no products")
