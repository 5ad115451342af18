"""Cutting a matrix product into folds of a 2-D array, and runs of folds into tiles that fit the buffers.

Of the three dimensions (pixels, k, filters) one lies on the rows, one on the columns and one is streamed. So one
operand depends on rows and columns (it lies in the PEs), one on rows and stream, one on columns and stream. With column
folds as the outer and row folds as the inner loop, the operand on *both* moves once; the one on *rows* moves once if it
fits its buffer, else once per column fold; the one on *cols* moves once per column fold if its part fits a slot, else
once per fold (partial sums that do not fit are written out and read back).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from accel_sim.address_map import Placement
from accel_sim.dataflows.common import (
    Buffer,
    cannot_fit,
    input_bytes_bound,
    input_extents,
    output_extents,
    read,
    write,
)
from accel_sim.tile import Extent, Stream
from workloads.layer import Layer

#: operand -> the two dimensions it depends on
OPERANDS = {"inputs": {"pixels", "k"}, "weights": {"k", "filters"}, "outputs": {"pixels", "filters"}}


@dataclass(frozen=True)
class Box:
    """A tile: group passes, column folds and row folds [first, last), and a piece of the streamed dimension."""

    passes: tuple[int, int]
    cols: tuple[int, int]
    rows: tuple[int, int]
    stream: tuple[int, int]
    first_piece: bool
    last_piece: bool


@dataclass(frozen=True)
class Ranges:
    """What a box covers, each [first, last); k and filters count within a group."""

    groups: tuple[int, int]
    pixels: tuple[int, int]
    filters: tuple[int, int]
    k: tuple[int, int]


@dataclass(frozen=True, eq=False)
class FoldPlan:
    """dims: names on (rows, columns, stream). *_bits: stored codes, outputs and partial sums.

    packed: as many groups side by side (on the diagonal) as rows and columns allow, else one group after another.
    """

    layer: Layer
    dims: tuple[str, str, str]
    array_rows: int
    array_cols: int
    buffers: dict[str, Buffer]
    placement: Placement
    input_bits: int
    weight_bits: int
    output_bits: int
    sum_bits: int
    packed: bool

    @cached_property
    def sizes(self) -> dict[str, int]:
        layer = self.layer
        return {"pixels": layer.N * layer.E * layer.F, "filters": layer.M // layer.G, "k": layer.K}

    def operand_on(self, role: str) -> str:
        """The operand that depends on 'both' rows and columns, on 'rows' and stream, or on 'cols' and stream."""
        rows, cols, stream = self.dims
        wanted = {"both": {rows, cols}, "rows": {rows, stream}, "cols": {cols, stream}}[role]
        return next(name for name, depends in OPERANDS.items() if depends == wanted)

    @cached_property
    def row_folds(self) -> int:
        return -(-self.sizes[self.dims[0]] // self.array_rows)

    @cached_property
    def col_folds(self) -> int:
        return -(-self.sizes[self.dims[1]] // self.array_cols)

    @cached_property
    def pack(self) -> int:
        """Groups that share a pass."""
        if not self.packed or self.row_folds > 1 or self.col_folds > 1:
            return 1
        return min(self.array_rows // self.sizes[self.dims[0]], self.array_cols // self.sizes[self.dims[1]])

    def block(self, dim: str) -> int:
        """All box edges of this dimension lie at multiples of this."""
        rows, cols, _ = self.dims
        return {rows: self.array_rows, cols: self.array_cols}.get(dim, self._shape[3])

    def _bytes(self, operand: str, groups: int, length: dict[str, int]) -> int:
        """Upper bound of what ranges of these lengths take of an operand's buffer."""
        layer, taps = self.layer, self.layer.R * self.layer.S
        length = {dim: min(n, self.sizes[dim]) for dim, n in length.items()}
        if operand == "inputs":
            k = length["k"]
            channels = k if taps == 1 else min(layer.C // layer.G, (k - 2) // taps + 2 if k > 1 else 1)
            return input_bytes_bound(layer, self.input_bits, length["pixels"], channels * groups)
        if operand == "weights":
            return -(-length["filters"] * length["k"] * self.weight_bits // 8) * groups
        bits = self.sum_bits if self.dims[2] != "k" and self.row_folds > 1 else self.output_bits
        return -(-length["pixels"] * length["filters"] * bits // 8) * groups

    def _lengths(self, rows: int, cols: int, stream: int) -> dict[str, int]:
        return dict(zip(self.dims, (rows * self.array_rows, cols * self.array_cols, stream), strict=True))

    @cached_property
    def rows_resident(self) -> bool:
        """The operand on rows and stream fits its buffer as a whole (one group of it)."""
        operand = self.operand_on("rows")
        return self._bytes(operand, self.pack, self.sizes) <= self.buffers[operand].bytes

    @cached_property
    def cols_held(self) -> bool:
        """A column fold's part of the operand on columns and stream fits a slot."""
        operand = self.operand_on("cols")
        return self._bytes(operand, self.pack, self._lengths(1, 1, self.sizes[self.dims[2]])) <= (
            self.buffers[operand].slot_bytes
        )

    def _misfit(self, passes: int, cols: int, rows: int, stream: int) -> tuple[str, int] | None:
        """The first operand (and its bytes) that a box of this shape cannot hold in a slot."""
        groups, length = passes * self.pack, self._lengths(rows, cols, stream)
        for role in ("both", "rows", "cols"):
            operand = self.operand_on(role)
            needed = self._bytes(operand, groups, length)
            resident = role == "rows" and self.rows_resident and passes == 1
            if not resident and needed > self.buffers[operand].slot_bytes:
                return operand, needed
        return None

    @cached_property
    def _shape(self) -> tuple[int, int, int, int]:
        """Largest box (passes, column folds, row folds, stream) that fits, grown from the innermost loop outwards."""
        whole = self.sizes[self.dims[2]]
        if self._misfit(1, 1, 1, whole):
            stream = _largest(whole, lambda n: not self._misfit(1, 1, 1, n))
            if not stream:
                operand, needed = self._misfit(1, 1, 1, 1)
                raise cannot_fit(self.layer, operand, needed, self.buffers[operand])
            pieces = -(-whole // stream)
            return 1, 1, 1, -(-whole // pieces)
        rows = _largest(self.row_folds, lambda n: not self._misfit(1, 1, n, whole))
        if rows < self.row_folds:
            return 1, 1, rows, whole
        cols = _largest(self.col_folds, lambda n: not self._misfit(1, n, rows, whole))
        if cols < self.col_folds:
            return 1, cols, rows, whole
        return _largest(self.passes, lambda n: not self._misfit(n, cols, rows, whole)) or 1, cols, rows, whole

    @property
    def passes(self) -> int:
        return -(-self.layer.G // self.pack)

    @cached_property
    def boxes(self) -> list[Box]:
        passes, cols, rows, piece = self._shape
        whole = self.sizes[self.dims[2]]
        return [
            Box(p, c, r, t, t[0] == 0, t[1] == whole)
            for p in cuts(self.passes, passes)
            for c in cuts(self.col_folds, cols)
            for r in cuts(self.row_folds, rows)
            for t in cuts(whole, piece)
        ]

    def ranges(self, box: Box) -> Ranges:
        rows, cols, stream = self.dims
        reach = {
            rows: self._reach(box.rows, self.array_rows, rows),
            cols: self._reach(box.cols, self.array_cols, cols),
            stream: box.stream,
        }
        groups = (box.passes[0] * self.pack, min(box.passes[1] * self.pack, self.layer.G))
        return Ranges(groups, reach["pixels"], reach["filters"], reach["k"])

    def _reach(self, folds: tuple[int, int], width: int, dim: str) -> tuple[int, int]:
        return folds[0] * width, min(folds[1] * width, self.sizes[dim])

    def folds(self, box: Box) -> int:
        return _length(box.passes) * _length(box.cols) * _length(box.rows)

    def edges(self, box: Box) -> tuple[int, int]:
        """(rows, columns) of PEs with work, summed over the folds of a box."""
        groups = _length(self.ranges(box).groups)
        used_rows = _length(self._reach(box.rows, self.array_rows, self.dims[0]))
        used_cols = _length(self._reach(box.cols, self.array_cols, self.dims[1]))
        return groups * used_rows * _length(box.cols), groups * used_cols * _length(box.rows)

    def mapped(self, box: Box) -> int:
        """PEs with work, summed over the folds of a box."""
        return self.edges(box)[0] // _length(box.cols) * _length(self._reach(box.cols, self.array_cols, self.dims[1]))

    def load_hops(self, box: Box) -> int:
        """Hops of a stationary operand down the columns: the value for row i passes i + 1 registers."""
        low, high = self._reach(box.rows, self.array_rows, self.dims[0])
        cols = _length(self._reach(box.cols, self.array_cols, self.dims[1]))
        groups = _length(self.ranges(box).groups)
        if self.pack > 1:
            stacks = [(high - low) * min(self.pack, groups - g) for g in range(0, groups, self.pack)]
            return sum(n * (n + 1) // 2 for n in stacks) * cols
        full, rest = divmod(high - low, self.array_rows)
        triangle = full * self.array_rows * (self.array_rows + 1) // 2 + rest * (rest + 1) // 2
        return triangle * cols * groups

    def sums_complete(self, box: Box) -> bool:
        """The box finishes the sums of the outputs it covers."""
        return box.last_piece if self.dims[2] == "k" else box.rows[1] == self.row_folds

    def outputs(self, box: Box) -> int:
        r = self.ranges(box)
        return _length(r.groups) * _length(r.pixels) * _length(r.filters) if self.sums_complete(box) else 0

    def streams(self, box: Box) -> tuple[Stream, ...]:
        """What a box moves between its buffers and the outermost level."""
        return tuple(self._reads(box)) + tuple(self._writes(box))

    def _reads(self, box: Box) -> Iterator[Stream]:
        both, rows, cols = (self.operand_on(role) for role in ("both", "rows", "cols"))
        if both != "outputs" and box.first_piece:
            yield self._read(both, box)
        if box.cols[0] == 0 or not self.rows_resident:
            yield self._read(rows, box)
        if cols != "outputs":
            if box.rows[0] == 0 or not self.cols_held:
                yield self._read(cols, box)
        elif box.rows[0] > 0 and not self.cols_held:
            partial = self._output_extents(box, True)
            yield read("partial_sums", "outputs", partial, self.placement, self.buffers["outputs"])

    def _writes(self, box: Box) -> Iterator[Stream]:
        buffer = self.buffers["outputs"]
        if self.sums_complete(box):
            yield write("outputs", "outputs", self._output_extents(box, False), self.placement, buffer)
        elif self.operand_on("cols") == "outputs" and not self.cols_held:
            yield write("partial_sums", "outputs", self._output_extents(box, True), self.placement, buffer)

    def _read(self, operand: str, box: Box) -> Stream:
        extents = self._input_extents(box) if operand == "inputs" else self._weight_extents(box)
        return read(operand, operand, extents, self.placement, self.buffers[operand])

    def _input_extents(self, box: Box) -> tuple[Extent, ...]:
        r, taps, per_group = self.ranges(box), self.layer.R * self.layer.S, self.layer.C // self.layer.G
        first, last = r.k[0] // taps, -(-r.k[1] // taps)
        if last - first == per_group:
            spans = [(r.groups[0] * per_group, r.groups[1] * per_group)]
        else:
            spans = [(g * per_group + first, g * per_group + last) for g in range(*r.groups)]
        base = self.placement.inputs[0]
        return tuple(e for span in spans for e in input_extents(self.layer, base, self.input_bits, r.pixels, span))

    def _weight_extents(self, box: Box) -> tuple[Extent, ...]:
        """Weights lie filter after filter, each K codes in whole bytes."""
        r, filters = self.ranges(box), self.sizes["filters"]
        row = -(-self.sizes["k"] * self.weight_bits // 8)
        left, right = r.k[0] * self.weight_bits // 8, -(-r.k[1] * self.weight_bits // 8)
        base = self.placement.weights
        if _length(r.filters) == filters:
            runs = [(r.groups[0] * filters, r.groups[1] * filters)]
        else:
            runs = [(g * filters + r.filters[0], g * filters + r.filters[1]) for g in range(*r.groups)]
        if right - left == row:
            return tuple(Extent(base + a * row, (b - a) * row) for a, b in runs)
        return tuple(Extent(base + a * row + left, right - left, b - a, row) for a, b in runs)

    def _output_extents(self, box: Box, partial: bool) -> tuple[Extent, ...]:
        r, filters = self.ranges(box), self.sizes["filters"]
        base = self.placement.partial_sums if partial else self.placement.outputs
        bits = self.sum_bits if partial else self.output_bits
        if _length(r.filters) == filters:
            spans = [(r.groups[0] * filters, r.groups[1] * filters)]
        else:
            spans = [(g * filters + r.filters[0], g * filters + r.filters[1]) for g in range(*r.groups)]
        return tuple(e for span in spans for e in output_extents(self.layer, base, bits, r.pixels, span))


def cuts(size: int, length: int) -> list[tuple[int, int]]:
    """[0, size) in runs of ``length``, the last one shorter."""
    return [(a, min(a + length, size)) for a in range(0, size, length)]


def _length(span: tuple[int, int]) -> int:
    return span[1] - span[0]


def _largest(limit: int, fits) -> int:
    """Largest n in 1..limit that fits (fits is monotone), else 0."""
    good, bad = 0, limit + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good
