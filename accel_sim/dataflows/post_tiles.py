"""A layer without MACs as tiles of the post-processing unit, which takes its inputs as a stream.

Whole rows of as many channels as fit; a row that does not fit is cut, then the window of an output, whose parts the
unit reduces one after another, or the vector of a softmax or layer norm, which then passes twice: nothing has to lie in
the buffer as a whole.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from accel_sim.dataflows.broadcast.product_cuts import cuts
from accel_sim.dataflows.common import Facts, input_bytes_bound, input_extents, output_extents, window_bytes
from accel_sim.dataflows.post import operations
from accel_sim.mapping.buffer import Buffer, cannot_fit
from accel_sim.mapping.nest import Loop, Nest, keep_depths
from accel_sim.mapping.staging import Staging
from accel_sim.values.actions import Actions
from accel_sim.values.address_map import Placement
from accel_sim.values.channel_last import PixelMap
from accel_sim.values.map_layout import packed_bytes
from accel_sim.values.tile import Extent, Tile
from accel_sim.works.post import PostWork
from workloads.layer import Layer

#: tiles of a layer that fits its buffers as a whole
PIECES = 8
#: kinds whose every output needs all channels of its pixel; those of them that need a figure of all of them first
WHOLE_VECTORS, TWO_PASSES = ("softmax", "lrn", "layernorm"), ("softmax", "layernorm")


@dataclass(frozen=True)
class Cut:
    """pixels: ranges of output pixels; channels: of a tile. windows: parts (first row, last + 1, first column,
    last + 1) of the window of one output, or none if a tile takes whole windows. passes: over a pixel's channels."""

    pixels: list[tuple[int, int]]
    channels: int
    windows: tuple[tuple[int, int, int, int], ...] = ()
    passes: int = 1


@dataclass(frozen=True, eq=False)
class TiledPost:
    """A layer without MACs as a stream of tiles. layer: what moves; notes: what is to be told of it."""

    layer: Layer
    buffers: dict[str, Buffer]
    placement: Placement
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> Facts:
        """No MACs and no weights; a concat has no tiles."""
        if self.layer.kind == "concat":  # its inputs were written side by side
            return Facts(0, 0, 0, self.notes)
        return Facts(0, 0, len(self.nest), (*self.notes, *self._stream_notes()))

    def _stream_notes(self) -> Iterator[str]:
        cut = self.cut
        if cut.windows:
            yield f"streams: the window of an output passes in {len(cut.windows)} parts"
        elif self.layer.kind in WHOLE_VECTORS and cut.channels < self.layer.M:
            twice = ", twice: every input is read two times" if cut.passes == 2 else ""
            yield f"streams: a vector passes in parts of {cut.channels} elements{twice}"

    @cached_property
    def cut(self) -> Cut:
        """Whole rows of as many channels as fit, or what there is of a row, a vector or a window."""
        layer, every = self.layer, self.layer.kind in WHOLE_VECTORS
        channels = layer.M if every else 1
        if self._fits(layer.F, channels):
            return self._rows(channels)
        width = self._most_of(layer.F - 1, lambda width: self._part_fits(width, channels))
        if width:
            rows = range(layer.N * layer.E)
            return Cut([part for row in rows for part in cuts(row * layer.F, (row + 1) * layer.F, width)], channels)
        pixels = cuts(0, layer.N * layer.E * layer.F, 1)
        if every:
            channels = self._most_of(layer.M, lambda channels: self._part_fits(1, channels))
            self._require(bool(channels))
            return Cut(pixels, channels, passes=2 if layer.kind in TWO_PASSES else 1)
        return Cut(pixels, 1, self._windows)

    def _rows(self, channels: int) -> Cut:
        layer, rows = self.layer, self.layer.N * self.layer.E
        while channels * 2 <= layer.M and self._fits(layer.F, channels * 2):
            channels *= 2
        if self._fits(layer.F, layer.M):
            channels = layer.M
        height = 1
        while height < rows and self._fits(min(rows, height * 2) * layer.F, channels):
            height = min(rows, height * 2)
        if height == rows and channels == layer.M:  # all of it fits: so that it is read, done and written at once
            height = -(-rows // PIECES)
        return Cut(cuts(0, rows * layer.F, height * layer.F), channels)

    @staticmethod
    def _most_of(size: int, fits: Callable[[int], bool]) -> int:
        """The largest number up to ``size`` that fits, if smaller ones do too; 0 = none."""
        return bisect_right(range(1, size + 1), False, key=lambda number: not fits(number))

    @cached_property
    def _windows(self) -> tuple[tuple[int, int, int, int], ...]:
        """Parts of a window that fit: rows, or parts of rows."""
        rows, columns = (min(axis.reach, axis.size) for axis in (self.layer.window.rows, self.layer.window.columns))
        room = self.buffers["inputs"].slot_bytes * 8 // self.placement.inputs[0].bits
        self._require(room > 0 and all(size is None for size in self._partial) and self._part_fits_out())
        if room >= columns:
            return tuple((*part, 0, columns) for part in cuts(0, rows, room // columns))
        return tuple((row, row + 1, *part) for row in range(rows) for part in cuts(0, columns, room))

    def _part_fits_out(self) -> bool:
        return packed_bytes(1, self.placement.outputs.bits) <= self.buffers["outputs"].slot_bytes

    def _require(self, possible: bool) -> None:
        """InputError where not even a value of each operand fits."""
        if possible:
            return
        need = self._bytes(1, 1, part=True)
        which = 0 if need[0] > self.buffers["inputs"].slot_bytes else 1
        operand = ("inputs", "outputs")[which]
        raise cannot_fit(self.layer, operand, need[which], self.buffers[operand])

    @cached_property
    def nest(self) -> Nest:
        """Pixels outside channels; passes over the channels of a pixel, and parts of a window (k), where there are."""
        cut, layer, pixels = self.cut, self.layer, self.layer.N * self.layer.E * self.layer.F
        most = max(last - first for first, last in cut.pixels)
        equal = cut.pixels == cuts(0, pixels, most)
        loops = [Loop("pixels", pixels, most) if equal else Loop("pixels", len(cut.pixels), 1)]
        part = not equal or self._is_part(cut.pixels[0])
        shapes = [self._bytes(pixels, layer.M), self._bytes(most, layer.M, part=part)]
        if cut.passes > 1:
            loops.append(Loop("passes", cut.passes, 1))
            shapes.append(shapes[-1])
        loops.append(Loop("channels", layer.M, cut.channels))
        shapes.append(self._bytes(most, cut.channels, part=part))
        if cut.windows:
            loops.append(Loop("k", len(cut.windows), 1))
            values = max((b - a) * (d - c) for a, b, c, d in cut.windows)
            shapes.append((packed_bytes(values, self.placement.inputs[0].bits), shapes[-1][1]))
        turns = [prod(loop.count for loop in loops[:depth]) > 1 for depth in range(len(loops) + 1)]
        keeps = {
            operand: keep_depths(self.buffers[operand].path, [shape[i] for shape in shapes], turns)
            for i, operand in enumerate(("inputs", "outputs"))
        }
        return Nest(tuple(loops), keeps)

    def _is_part(self, pixels: tuple[int, int]) -> bool:
        """The pixels are a part of one row."""
        return pixels[1] - pixels[0] < self.layer.F

    def _bytes(self, pixels: int, channels: int, *, part: bool = False) -> tuple[int, int]:
        """(of inputs, of outputs) that a tile needs at once; part: its pixels lie in one row."""
        layer, outputs = self.layer, pixels * channels
        bound = window_bytes if part else input_bytes_bound
        inputs = sum(
            bound(layer, stored.bits, pixels, channels)
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
        return self._in_slots(self._bytes(pixels, channels))

    def _part_fits(self, pixels: int, channels: int) -> bool:
        return self._in_slots(self._bytes(pixels, channels, part=True))

    def _in_slots(self, need: tuple[int, int]) -> bool:
        return need[0] <= self.buffers["inputs"].slot_bytes and need[1] <= self.buffers["outputs"].slot_bytes

    def __iter__(self) -> Iterator[Tile]:
        if self.layer.kind == "concat":
            return
        nest, level = self.nest, self.placement.level
        leaving = [place for place, loop in enumerate(nest.loops) if loop.dim != "passes"]
        finished = Nest(tuple(nest.loops[place] for place in leaving), {"outputs": self._kept_outputs(leaving)})
        loads, stores = Staging(nest, self.buffers, level), Staging(finished, self.buffers, level)
        done = 0
        for index in nest:
            tile, made = self._tile(index, loads, stores, tuple(index[place] for place in leaving), done)
            yield tile
            done += made

    def _kept_outputs(self, leaving: list[int]) -> tuple[int, ...]:
        """Depths of outputs in the nest without passes."""
        return tuple(sum(place < keep for place in leaving) for keep in self.nest.keeps["outputs"])

    def _tile(
        self, index: tuple[int, ...], loads: Staging, stores: Staging, place: tuple[int, ...], done: int
    ) -> tuple[Tile, int]:
        """(tile, outputs it finishes). place: its index without passes; done: outputs finished before it."""
        cut, inputs, outputs = self.cut, self.buffers["inputs"], self.buffers["outputs"]
        at = {loop.dim: (number, loop) for number, loop in zip(index, self.nest.loops, strict=True)}
        pixels, channels = cut.pixels[at["pixels"][0]], at["channels"][1].span(at["channels"][0])
        turn, turns = next(((at[dim][0], at[dim][1].count) for dim in ("passes", "k") if dim in at), (0, 1))
        covered = (pixels[1] - pixels[0]) * (channels[1] - channels[0])
        made = covered if turn == turns - 1 else 0
        if cut.windows:
            taken, values = self._part_of_window(pixels[0], channels, cut.windows[turn])
            widths = {self.placement.inputs[0].bits: values}
        else:
            taken = tuple(self._extents(pixels, channels, done, covered))
            widths = {bits: covered * self.layer.R * self.layer.S * count for bits, count in self._widths.items()}
        streams = loads.load("inputs", "inputs", index, lambda _: taken, overlap=True)
        actions = Actions()
        if turn == turns - 1 or cut.windows:
            out = output_extents(self.layer, self.placement.outputs, pixels, channels)
            streams += stores.sums(place, lambda: out, tuple)
        if made:
            actions[outputs.level, "write", outputs.word_bits] += outputs.words(made, self.placement.outputs.bits)
        for bits, values in widths.items():
            actions[inputs.level, "read", inputs.word_bits] += inputs.words(values, bits)
        ops = covered * operations(self.layer)
        ops = (turn + 1) * ops // turns - turn * ops // turns  # a share of them in each part or pass
        return Tile(PostWork(), tuple(streams), actions, made, post_ops=ops), made

    @cached_property
    def _widths(self) -> dict[int, int]:
        """Bits of a value -> inputs of this width; of a move, each output is one value of one input."""
        return Counter(each.bits for each in self.placement.inputs[: 1 if self.layer.kind == "move" else None])

    def _part_of_window(
        self, pixel: int, channels: tuple[int, int], part: tuple[int, int, int, int]
    ) -> tuple[tuple[Extent, ...], int]:
        """(bytes, values) of a part of the window of an output."""
        layer, stored, window = self.layer, self.placement.inputs[0], self.layer.window
        n, place = divmod(pixel, window.plane)
        e, f = divmod(place, layer.F)
        (h0, h1), (w0, w1) = window.rows.span(e, e + 1), window.columns.span(f, f + 1)
        h0, h1, w0, w1 = h0 + part[0], min(h1, h0 + part[1]), w0 + part[2], min(w1, w0 + part[3])
        if h1 <= h0 or w1 <= w0:
            return (), 0
        if isinstance(stored, PixelMap):
            box = stored.box((layer.C, layer.H, layer.W), n, (h0, h1), (w0, w1), channels)
            return stored.once(list(box)), (h1 - h0) * (w1 - w0)
        first = ((n * layer.C + channels[0]) * layer.H + h0) * layer.W + w0
        return stored.once(list(stored.read(first, w1 - w0, h1 - h0, layer.W))), (h1 - h0) * (w1 - w0)

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
