"""What the mapping of a layer on a 2-D array of folds may be, and what each choice moves and costs."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import prod
from typing import NamedTuple

import numpy as np

from accel_sim.dataflows.pieces import channel_counts, pixel_values
from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.nest import TAPS
from accel_sim.mapping.search import Candidates, distinct_tiles, orders_of
from accel_sim.values.map_layout import packed_bytes
from workloads.layer import Layer
from workloads.window import Whole

#: operand -> the two dimensions of the matrix product that it depends on
OPERANDS = {"inputs": {"pixels", "k"}, "weights": {"k", "filters"}, "outputs": {"pixels", "filters"}}


class Shape(NamedTuple):
    """Equal folds of a tile: PEs with work, rows x cols (for packed groups: of each, down the diagonal); elements down
    the rows and across the columns; how many folds, and those of them in the tile's first row fold; groups of each."""

    rows: int
    cols: int
    down: int
    across: int
    folds: int
    first: int
    groups: int = 1

    @property
    def lanes(self) -> int:
        """PEs with work of one fold."""
        return self.rows * self.cols // self.groups


@dataclass(frozen=True, eq=False)
class FoldSpace:
    """dims: names on (rows, columns, stream); array: (rows, columns); pack: groups side by side in a fold.

    bits: operand -> stored width; sum_bits: of partial sums. beside: (rows, columns) of a fold -> (load, skew) cycles
    beside its stream; used_alone: of those with work, else of the whole array.
    stored_weights: bytes of all weights as they lie in the outermost memory, or None = plain.
    per_lane: dim -> elements that one PE takes in a step (k: products summed together, filters: sums apart);
    step_cycles: of a step. taps: R*S where a fold takes channels of one tap alone, else 1. hidden_loads: while the fold
    before streams, so that only what takes longer is seen. stored_sums: finished ones leave beside their codes.
    countable: whether the counts in the stored weights can be held by their field in a tile of so many k, or of so
    many taps of them.
    """

    layer: Layer
    dims: tuple[str, str, str]
    array: tuple[int, int]
    pack: int
    bits: dict[str, int]
    sum_bits: int
    beside: Callable[[int, int], tuple[int, int]]
    stored_weights: Callable[[], int] | None
    per_lane: dict[str, int] = field(default_factory=dict)
    step_cycles: int = 1
    taps: int = 1
    hidden_loads: bool = False
    stored_sums: bool = False
    countable: Callable[..., bool] = lambda *of: True
    used_alone: bool = False
    fixed_pj: float = 0.0
    operands = ("inputs", "weights", "outputs")

    @cached_property
    def sizes(self) -> dict[str, int]:
        """dim -> elements of the whole layer; taps only where a fold takes one of several."""
        layer = self.layer
        found = {
            "groups": layer.G, "pixels": layer.N * layer.E * layer.F, "filters": layer.M // layer.G, "k": layer.K,
        }  # fmt: skip
        return found | ({TAPS: self.taps} if self.taps > 1 else {})

    @cached_property
    def blocks(self) -> dict[str, int]:
        """dim -> elements that one fold takes, or all folds of different taps and the same channels."""
        rows, cols, stream = self.dims
        lanes = {"groups": self.pack, rows: self.array[0], cols: self.array[1], stream: 1, TAPS: 1}
        return {dim: count * self.width(dim) * self.apart(dim) for dim, count in lanes.items()}

    def width(self, dim: str) -> int:
        """Elements that one PE takes in a step."""
        return self.per_lane.get(dim, 1)

    def around(self, rows: int, cols: int, steps: int) -> tuple[int, int]:
        """(load that is seen, skew) cycles of a fold of so many steps that has work for so many rows and columns."""
        load, skew = self.beside(rows, cols) if self.used_alone else self.beside(*self.array)
        return max(0, load - steps * self.step_cycles) if self.hidden_loads else load, skew

    def values(self, operand: str) -> int:
        """Elements of an operand that a PE takes in a step."""
        return prod(self.width(dim) for dim in OPERANDS[operand])

    def apart(self, dim: str) -> int:
        """Parts of equal size that never share a fold or a step: the taps of a filter."""
        return self.taps if dim == "k" else 1

    def of_taps(self, taps: int) -> "FoldSpace":
        """The same array for so many of the taps: what its folds take of a tile that has no more of them."""
        return self if taps == self.taps else self._value(self._of_taps, TAPS, taps)

    def _of_taps(self, taps: int) -> "FoldSpace":
        return replace(self, taps=taps)

    def folds(self, dim: str, elements: Whole) -> Whole:
        """Folds that so many elements of a dim take."""
        return -(-elements // self.blocks[dim]) * self.apart(dim)

    def lanes(self, dim: str, elements: int) -> int:
        """PEs (of all folds), or steps if this dim is streamed, that so many elements take."""
        apart = self.apart(dim)
        return -(-(elements // apart) // self.width(dim)) * apart

    def parts(self, dim: str, elements: int) -> list[tuple[int, int, int]]:
        """(elements, PEs they take, how many) of the folds that so many elements are cut into."""
        apart = self.apart(dim)
        size = self.blocks[dim] // apart
        full, rest = divmod(elements // apart, size)
        found = ((size, full * apart), (rest, apart))
        return [(each, -(-each // self.width(dim)), count) for each, count in found if each and count]

    def shapes(self, elements: dict[str, int]) -> list[Shape]:
        """What the folds of so many groups, elements on the rows and on the columns take, equal ones together."""
        high, wide = (self.parts(dim, elements[dim]) for dim in self.dims[:2])
        groups = elements["groups"]
        if self.pack > 1:  # one fold holds them side by side
            (down, down_lanes, taps), (across, across_lanes, _) = high[0], wide[0]
            packed = [min(self.pack, groups - g) for g in range(0, groups, self.pack)]
            return [
                Shape(
                    down_lanes * n, across_lanes * n, down * n, across * n, packed.count(n) * taps, packed.count(n), n
                )
                for n in sorted(set(packed), reverse=True)
            ]
        found = []
        for number, (down, down_lanes, row_folds) in enumerate(high):
            for across, across_lanes, col_folds in wide:
                again = col_folds * groups
                first = 0 if number else again
                found.append(Shape(down_lanes, across_lanes, down, across, row_folds * again, first))
        return found

    @cached_property
    def reduction_steps(self) -> np.ndarray:
        """[T, products] indices k in the order in which they are added, -1 = an empty place."""
        taps, width, channels = self.taps, self.width("k"), self.sizes["k"] // self.taps
        size, found = self.blocks["k"] // taps, []
        for first in range(0, channels, size):
            some = np.arange(first, min(first + size, channels))
            padded = np.full(-(-len(some) // width) * width, -1)
            for tap in range(taps):
                padded[: len(some)] = some * taps + tap
                found.append(padded.reshape(-1, width).copy())
        return np.concatenate(found)

    def rounded(self, dim: str, tile: int) -> int:
        """A tile as the array can take it: whole folds, at most all."""
        return min(-(-tile // self.blocks[dim]) * self.blocks[dim], self.sizes[dim])

    @property
    def orders(self) -> tuple[tuple[str, ...], ...]:
        """Orders of the loops, outermost first."""
        return tuple(orders_of(("groups", *self.dims), TAPS in self.sizes))

    def choices(self) -> dict[str, list[int]]:
        """dim -> tile sizes worth trying: whole folds, and for pixels whole rows of the map."""
        found = {dim: distinct_tiles(self.sizes[dim], self.blocks[dim]) for dim in self.sizes}
        layer = self.layer
        rows = [layer.F * height for height in distinct_tiles(layer.N * layer.E, 1)]
        found["pixels"] = sorted({*found["pixels"], *(self.rounded("pixels", tile) for tile in rows)})
        return found

    def continues(self, order: tuple[str, ...], found: Candidates) -> np.ndarray:
        """A fold goes on from tile to tile: a tile is one fold, and no loop inside the stream's turns."""
        rows, cols, stream = self.dims
        goes_on, cut = np.ones(len(found), bool), self.cuts_taps(found)
        for dim in ("groups", rows, cols):
            folds = found.per_tile(dim, "folds", partial(self.folds, dim))
            goes_on &= (np.where(cut, found.tiles(TAPS), folds) if dim == "k" and cut.any() else folds) == 1
        for dim in order[order.index(stream) + 1 :]:
            if (stream, dim) != ("k", TAPS):  # they are a part of the stream
                goes_on &= found.counts(dim) == 1
        return goes_on

    def cuts_taps(self, found: Candidates) -> np.ndarray:
        """[n] bool: tiles that have only some of the taps."""
        return found.counts(TAPS) > 1 if TAPS in found.choices else np.zeros(len(found), bool)

    def allowed(self, order: tuple[str, ...], found: Candidates) -> np.ndarray:
        """Sums in the PEs cannot leave them unfinished, no count is wider than its field, and taps are cut within one
        block of channels."""
        counts = found.per_tile("k", "countable", lambda tile: int(self._value(self.countable, "k", tile))) > 0
        cut, block = self.cuts_taps(found), min(self.blocks["k"], self.sizes["k"])
        if cut.any():
            some = found.per_tile(TAPS, "countable", lambda tile: int(self.countable(block, tile)))
            counts = np.where(cut, (found.tiles("k") == block) & (some > 0), counts)
        if self.dims[2] != "k":
            return counts
        return counts & ((found.counts("k") == 1) & ~cut | self.continues(order, found))

    @cached_property
    def sum_width(self) -> int:
        """Bits of an output in its buffer: those of a sum where the reduction on the rows takes several folds."""
        several = self.dims[2] != "k" and self.folds("k", self.sizes["k"]) > 1
        return self.sum_bits if several or self.stored_sums else self.bits["outputs"]

    @cached_property
    def _known(self) -> dict:
        return {}

    def _value(self, of, dim: str, tile: int):
        """of(tile), computed once; a tile of everything is everything."""
        key = of, min(tile, self.sizes[dim])
        if key not in self._known:
            self._known[key] = of(key[1])
        return self._known[key]

    def _factor(self, of, dim: str, whole, found: Candidates, which: int):
        """A factor of an operand's bytes: [n], or a number where the dim is there whole."""
        if of == self._pixel_values:  # tiles leave gaps between windows where they are, one tile of all does not
            everything = found.per_tile(dim, "together", lambda tile: self._value(of, dim, tile)[2])
        else:
            everything = self._value(of, dim, self.sizes[dim])[which]
        if whole is True:
            return everything
        values = found.per_tile(dim, (of.__name__, which), lambda tile: self._value(of, dim, tile)[which])
        return values if whole is False else np.where(whole, everything, values)

    def room(self, operand: str, buffer: Buffer, inside: frozenset[str], found: Candidates) -> np.ndarray:
        """[n] bytes that an operand's part takes in a level where the loops ``inside`` are whole."""

        def factor(of, dim: str):
            return self._factor(of, dim, dim in inside, found, 1)

        groups = factor(_length, "groups")
        if operand == "inputs":
            values = factor(self._pixel_values, "pixels") * factor(self._channels, "k") * groups
            return packed_bytes(values, self.bits["inputs"])
        if operand == "weights":
            rows = self._rows(factor(self._row_bytes, "k"), TAPS not in inside and self.cuts_taps(found), found, 1)
            return rows * factor(_length, "filters") * groups
        return packed_bytes(factor(_length, "pixels") * factor(_length, "filters") * groups, self.sum_width)

    def moved(self, operand: str, apart: dict[str, np.ndarray], found: Candidates, *, sums: bool) -> np.ndarray:
        """[n] bytes of all parts of an operand, each once, where the loops ``apart`` cut it."""

        def factor(of, dim: str):
            return self._factor(of, dim, ~apart[dim], found, 0)

        groups, filters = self.sizes["groups"], self.sizes["filters"]
        if operand == "inputs":
            values = factor(self._pixel_values, "pixels") * factor(self._channels, "k") * groups
            return packed_bytes(values, self.bits["inputs"])
        if operand == "weights":
            if self.stored_weights is not None:
                return np.full(len(found), self.stored_weights())
            return self._rows(factor(self._row_bytes, "k"), apart.get(TAPS, False), found, 0) * filters * groups
        width = self.sum_bits if sums else self.bits["outputs"] + self.sum_bits * self.stored_sums
        return np.full(len(found), packed_bytes(self.layer.output_elements, width))

    def _pixel_values(self, tile: int) -> tuple[int, int, int]:
        return pixel_values(self.layer, tile)

    def _channels(self, tile: int) -> tuple[int, int]:
        return channel_counts(self.layer, tile)

    def _row_bytes(self, tile: int) -> tuple[int, int]:
        """(sum, largest) bytes of one filter's weights in pieces of ``tile``."""
        bits, K = self.bits["weights"], self.sizes["k"]
        starts = np.arange(0, K, tile)
        sizes = -(-np.minimum(starts + tile, K) * bits // 8) - starts * bits // 8
        return int(sizes.sum()), int(sizes.max())

    def _rows(self, uncut, cut, found: Candidates, which: int):
        """Bytes of a filter's weights where taps are whole (``uncut``) or, in those of ``cut``, apart."""
        if not np.any(cut):
            return uncut
        some = found.per_tile(TAPS, ("bytes", which), lambda tile: self._value(self._tap_bytes, TAPS, tile)[which])
        return np.where(cut, some, uncut)

    def _tap_bytes(self, tile: int) -> tuple[int, int]:
        """As ``_row_bytes``, of pieces of ``tile`` taps of each block of channels."""
        bits, K, block = self.bits["weights"], self.sizes["k"], self.blocks["k"]
        first = np.arange(0, K, block)[:, None]
        channels = np.minimum(block, K - first) // self.taps
        edges = (first + channels * np.append(np.arange(0, self.taps, tile), self.taps)) * bits
        sizes = -(-edges[:, 1:] // 8) - edges[:, :-1] // 8
        return int(sizes.sum()), int(sizes.max())

    def array_cycles(self, order: tuple[str, ...], found: Candidates) -> np.ndarray:
        """[n] cycles of the array without a stall; too many where a fold of one tap goes on from tile to tile, so that
        no estimate is better than that of a level which all taps fit."""
        streams, around = self.folds_last()
        goes_on = self.continues(order, found) & ((self.dims[2] == "k") | ~self.cuts_taps(found))
        return streams + around * np.where(goes_on, 1, found.counts(self.dims[2]))

    def folds_last(self) -> tuple[int, int]:
        """(cycles of all streams, of all loads and skews) of folds that no tile cuts."""
        steps = self.lanes(self.dims[2], self.sizes[self.dims[2]])
        shapes = self.shapes(self.sizes)
        around = sum(shape.folds * sum(self.around(shape.rows, shape.cols, steps)) for shape in shapes)
        return sum(shape.folds for shape in shapes) * steps * self.step_cycles, around


def _length(tile: int) -> tuple[int, int]:
    return tile, tile


def no_fill(rows: int, cols: int) -> tuple[int, int]:
    """(load, skew) of folds that follow each other without a gap."""
    return 0, 0
