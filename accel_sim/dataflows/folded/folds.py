"""A matrix product as folds of a 2-D array, tile by tile of a loop nest.

Of the three dimensions (pixels, k, filters) one lies on the rows, one on the columns and one is streamed. So one
operand depends on rows and columns (it lies in the PEs), one on rows and stream, one on columns and stream.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from accel_sim.dataflows.common import input_extents, output_extents
from accel_sim.dataflows.folded.fold_space import OPERANDS, FoldSpace, Shape
from accel_sim.dataflows.folded.ranges import Ranges, length
from accel_sim.dataflows.folded.weight_store import WeightStore
from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.nest import TAPS, Nest
from accel_sim.mapping.staging import Staging
from accel_sim.values.address_map import Placement
from accel_sim.values.map_layout import StoredMap
from accel_sim.values.tile import Extent, Stream


@dataclass(frozen=True)
class Box:
    """A tile: its index in the nest, what it covers; whether its folds begin and end in it (else they go on from or to
    the neighbouring tiles of the streamed dimension)."""

    index: tuple[int, ...]
    ranges: Ranges
    first_piece: bool
    last_piece: bool


@dataclass(frozen=True, eq=False)
class FoldPlan:
    """The tiles of a layer: a nest over a space, where their bytes lie, and what they make of the array.

    loaded: sums begin at what lies in memory; stored: finished ones are written there too.
    """

    space: FoldSpace
    nest: Nest
    buffers: dict[str, Buffer]
    placement: Placement
    store: WeightStore
    loaded: bool = False
    stored: bool = False

    def operand_on(self, role: str) -> str:
        """The operand that depends on 'both' rows and columns, on 'rows' and stream, or on 'cols' and stream."""
        return self._roles[role]

    @cached_property
    def _roles(self) -> dict[str, str]:
        rows, cols, stream = self.space.dims
        wanted = {"both": {rows, cols}, "rows": {rows, stream}, "cols": {cols, stream}}
        by_dims = {frozenset(depends): name for name, depends in OPERANDS.items()}
        return {role: by_dims[frozenset(dims)] for role, dims in wanted.items()}

    def block(self, dim: str) -> int:
        """All tile edges of this dimension lie at multiples of this."""
        return self.nest.loops[self.nest.place(dim)].tile

    @cached_property
    def _continues(self) -> bool:
        """A fold goes on from tile to tile: a tile is one fold, and no loop inside the stream's turns."""
        stream, loops = self.space.dims[2], self.nest.loops
        at, taps = self.nest.place(stream), self.nest.loop(TAPS)
        folds = {loop.dim: self.space.folds(loop.dim, loop.tile) for loop in loops if loop.dim not in (stream, TAPS)}
        if taps is not None and "k" in folds:  # of one block of channels
            folds["k"] = taps.tile
        inside = [loop.count for loop in loops[at + 1 :] if (stream, loop.dim) != ("k", TAPS)]  # a part of the stream
        return all(count == 1 for count in (*folds.values(), *inside))

    def boxes(self) -> Iterator[Box]:
        """Every tile, in order."""
        stream, taps = self.space.dims[2], self.space.taps
        for index in self.nest:
            ranges = Ranges(**{TAPS: (0, taps)} | self.nest.spans(index), all_taps=taps)
            first_piece = not self._continues or ranges.begins(stream)
            last_piece = not self._continues or ranges.ends(stream, self.space.sizes[stream])
            yield Box(index, ranges, first_piece, last_piece)

    def _space(self, box: Box) -> FoldSpace:
        """The array as the taps of a tile use it."""
        return self.space.of_taps(length(box.ranges.taps))

    def steps(self, box: Box) -> int:
        """Of a fold of a tile."""
        stream = self.space.dims[2]
        return self._space(box).lanes(stream, box.ranges.elements(stream))

    def row_folds(self, box: Box) -> int:
        """Folds of a tile for what lies on the rows."""
        return self._folds(box, self.space.dims[0])

    def _folds(self, box: Box, dim: str) -> int:
        return self._space(box).folds(dim, box.ranges.elements(dim))

    def folds(self, box: Box) -> int:
        """Of a tile."""
        rows, cols, _ = self.space.dims
        return self._folds(box, "groups") * self._folds(box, rows) * self._folds(box, cols)

    def edges(self, box: Box) -> tuple[int, int]:
        """(elements on the rows, on the columns), summed over the folds of a tile."""
        rows, cols, _ = self.space.dims
        r = box.ranges
        groups = length(r.groups)
        return groups * r.elements(rows) * self._folds(box, cols), groups * r.elements(cols) * self._folds(box, rows)

    def shapes(self, box: Box) -> list[Shape]:
        """What the folds of a tile take of the array, equal ones together."""
        return self._space(box).shapes({dim: box.ranges.elements(dim) for dim in ("groups", *self.space.dims[:2])})

    def edge_steps(self, box: Box) -> tuple[dict[int, int], dict[int, int]]:
        """Per edge (rows, columns): elements at it -> folds of the tile in which it is so many."""
        at_rows: dict[int, int] = {}
        at_cols: dict[int, int] = {}
        for shape in self.shapes(box):
            at_rows[shape.down] = at_rows.get(shape.down, 0) + shape.folds
            at_cols[shape.across] = at_cols.get(shape.across, 0) + shape.folds
        return at_rows, at_cols

    def mapped(self, box: Box) -> int:
        """PEs with work, summed over the folds of a tile."""
        rows, cols, _ = self.space.dims
        high, wide = (self._space(box).lanes(dim, box.ranges.elements(dim)) for dim in (rows, cols))
        return length(box.ranges.groups) * high * wide

    def held(self, box: Box) -> int:
        """Elements that lie in the PEs, summed over the folds of a tile."""
        rows, cols, _ = self.space.dims
        r = box.ranges
        return length(r.groups) * r.elements(rows) * r.elements(cols)

    def load_hops(self, box: Box) -> int:
        """Hops of what a PE holds down the columns: what is for row i passes i + 1 registers."""
        return sum(
            shape.rows * (shape.rows + 1) // 2 * (shape.cols // shape.groups) * shape.folds
            for shape in self.shapes(box)
        )

    def sums_complete(self, box: Box) -> bool:
        """The tile finishes the sums of the outputs it covers."""
        return box.ranges.ends("k", self.space.sizes["k"])

    def outputs(self, box: Box) -> int:
        """Outputs whose sums a tile finishes."""
        r = box.ranges
        return length(r.groups) * length(r.pixels) * length(r.filters) if self.sums_complete(box) else 0

    def staging(self) -> Staging:
        """What moves between the levels, tile by tile."""
        return Staging(self.nest, self.buffers, self.placement.level, () if self.store.plain else ("weights",))

    def streams(self, box: Box, staging: Staging) -> tuple[Stream, ...]:
        """What moves between the levels for one tile; tiles are asked for in order."""
        index, r = box.index, box.ranges
        streams = staging.load("inputs", "inputs", index, lambda _: self._input_extents(r), overlap=True)
        streams += staging.load(
            "weights", "weights", index, lambda encoded: self.store.extents(r, self.placement.weights, encoded),
            overlap=self.store.overlaps, values=length(r.groups) * length(r.filters) * r.elements("k"),
            values_bits=self.space.bits["weights"],
        )  # fmt: skip
        sums = StoredMap.at(self.placement.partial_sums, self.space.sum_bits, self.space.layer.output_elements)
        partial, outputs = (self._output_extents(r, stored) for stored in (sums, self.placement.outputs))
        streams += staging.sums(index, lambda: outputs, lambda: partial, loaded=self.loaded)
        if self.stored:
            finished = [stream for stream in streams if stream.tensor == "outputs"]
            streams += [replace(stream, tensor="partial_sums", extents=partial) for stream in finished]
        return tuple(streams)

    def _input_extents(self, r: Ranges) -> tuple[Extent, ...]:
        layer = self.space.layer
        per_group = layer.C // layer.G
        first, last = layer.window.channels(*r.k)
        if last - first == per_group:
            spans = [(r.groups[0] * per_group, r.groups[1] * per_group)]
        else:
            spans = [(g * per_group + first, g * per_group + last) for g in range(*r.groups)]
        stored = self.placement.inputs[0]
        return stored.once([e for span in spans for e in input_extents(layer, stored, r.pixels, span)])

    def _output_extents(self, r: Ranges, stored: StoredMap) -> tuple[Extent, ...]:
        filters = self.space.sizes["filters"]
        if length(r.filters) == filters:
            spans = [(r.groups[0] * filters, r.groups[1] * filters)]
        else:
            spans = [(g * filters + r.filters[0], g * filters + r.filters[1]) for g in range(*r.groups)]
        return tuple(e for span in spans for e in output_extents(self.space.layer, stored, r.pixels, span))
