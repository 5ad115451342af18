"""Cutting a layer of matrix-vector products into tiles: groups, runs of whole products, blocks of columns if they must.

Groups share nothing: a tile takes the weights, inputs and outputs of its own groups alone. A group's columns are cut
only where they do not fit the lanes together, or where the lanes' pointers cannot number their entries.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_sim.dataflows.broadcast.lane_part import LanePart
from accel_sim.dataflows.broadcast.lane_room import LaneRoom
from accel_sim.dataflows.common import input_bytes_bound, window_bytes
from accel_sim.dataflows.pieces import pixel_values
from accel_sim.mapping.buffer import Buffer, cannot_fit
from accel_sim.mapping.mapper import Mapper
from accel_sim.mapping.nest import Loop, Nest, keep_depths
from accel_sim.mapping.search import Metrics, distinct_tiles
from accel_sim.values.map_layout import packed_bytes
from workloads.layer import Layer
from workloads.registry import InputError

#: this machine's order of loops; it cuts the first two, and k where it must
ORDER = ("groups", "pixels", "filters", "k")


@dataclass(frozen=True, eq=False)
class ProductCuts:
    """room: what the lanes can hold of the layer's weights; *_bits: of stored inputs and outputs."""

    room: LaneRoom
    input_bits: int
    output_bits: int
    mapper: Mapper

    @property
    def layer(self) -> Layer:
        """The layer that is cut."""
        return self.room.layer

    @property
    def buffers(self) -> dict[str, Buffer]:
        """Of all operands."""
        return self.room.buffers

    @cached_property
    def _wanted(self) -> dict[str, int]:
        """dim -> the user's tile of it."""
        given = self.mapper.tiles(ORDER[:2], ORDER)
        return {dim: min(tile, {"groups": self.layer.G, "pixels": self.pixels}[dim]) for dim, tile in given.items()}

    @cached_property
    def _group_tiles(self) -> list[int]:
        """Groups that a tile may take, all their columns at once; none if a single group must be cut."""
        G = self.layer.G
        some = [self._wanted["groups"]] if "groups" in self._wanted else distinct_tiles(G, 1)
        return [tile for tile in some if self.room.holds(cuts(0, G, tile), [(0, self.layer.K)])]

    @cached_property
    def blocks(self) -> list[tuple[int, int]]:
        """[first, last) of k of the blocks of columns: one if those of a group fit."""
        return [(0, self.layer.K)] if self._group_tiles else self.room.blocks()

    @property
    def pixels(self) -> int:
        """Output pixels of all images."""
        return self.layer.N * self.layer.E * self.layer.F

    @property
    def groups(self) -> list[tuple[int, int]]:
        """[first, last) of the groups of each tile."""
        return cuts(0, self.layer.G, self._tiling[0])

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """[first, last) of the pixels of each tile: whole output rows as the mapper chooses, else parts of one row."""
        return self._tiling[1]

    @cached_property
    def parts(self) -> dict[tuple[int, int], LanePart]:
        """(number of the groups, of the block) -> the weights of their tiles, in the order they are loaded."""
        room, pointers = self.room, self.buffers.get("pointers", self.buffers["weights"])
        return {
            (i, j): LanePart(room.columns, groups, block, room.pointer_bits, pointers)
            for i, groups in enumerate(self.groups)
            for j, block in enumerate(self.blocks)
        }

    @cached_property
    def _tiling(self) -> tuple[int, list[tuple[int, int]]]:
        """(groups of a tile, pixel ranges)."""
        layer = self.layer
        if not self._group_tiles:  # a group's weights pass once for every product: accumulators hold only one
            spans = [layer.window.channels(*block) for block in self.blocks]
            self._one_pixel_fits(max(last - first for first, last in spans), 1)
            return 1, [(p, p + 1) for p in range(self.pixels)]
        rows = [layer.F * height for height in distinct_tiles(layer.N * layer.E, 1)]
        rows = [self._wanted["pixels"]] if "pixels" in self._wanted else rows
        pairs = [(groups, pixels) for groups in self._group_tiles for pixels in rows]
        best = self.mapper.goal.best(self._metrics(pairs))
        if best is not None:
            groups, pixels = pairs[best]
            return groups, cuts(0, self.pixels, pixels)
        groups = self._group_tiles[0]
        if "pixels" in self._wanted:
            raise self._does_not_fit(groups, self._wanted["pixels"])
        width = next((w for w in range(layer.F, 0, -1) if self._row_part_fits(w, groups)), 0)
        if not width:
            self._one_pixel_fits(self._channels(groups), groups)
        return groups, [cut for r in range(layer.N * layer.E) for cut in cuts(r * layer.F, (r + 1) * layer.F, width)]

    def _channels(self, groups: int) -> int:
        return groups * (self.layer.C // self.layer.G)

    def _outputs(self, pixels: int, groups: int) -> int:
        filters = groups * (self.layer.M // self.layer.G)
        return packed_bytes(pixels * filters, self.output_bits)

    def _inputs(self, pixels: int, groups: int) -> int:
        return input_bytes_bound(self.layer, self.input_bits, pixels, self._channels(groups))

    def _fits(self, inputs: int, outputs: int) -> bool:
        return inputs <= self.buffers["inputs"].slot_bytes and outputs <= self.buffers["outputs"].slot_bytes

    def _row_part_fits(self, width: int, groups: int) -> bool:
        inputs = window_bytes(self.layer, self.input_bits, width, self._channels(groups))
        return self._fits(inputs, self._outputs(width, groups))

    def _does_not_fit(self, groups: int, pixels: int) -> InputError:
        """The refusal of a given tile."""
        needs = {
            "inputs": self._bytes(pixels, 1, self._channels(groups)),
            "outputs": self._outputs(pixels, groups),
        }
        return self._refusal(needs)

    def _one_pixel_fits(self, channels: int, groups: int) -> None:
        """Raises InputError if the inputs or the outputs of one pixel do not fit a slot."""
        needs = {
            "inputs": window_bytes(self.layer, self.input_bits, 1, channels),
            "outputs": self._outputs(1, groups),
        }
        if not self._fits(needs["inputs"], needs["outputs"]):
            raise self._refusal(needs)

    def _refusal(self, needs: dict[str, int]) -> InputError:
        operand = next(name for name, need in needs.items() if need > self.buffers[name].slot_bytes)
        return cannot_fit(self.layer, operand, needs[operand], self.buffers[operand])

    @cached_property
    def _known(self) -> dict[int, tuple[int, int, int]]:
        return {}

    def _bytes(self, tile: int, which: int, channels: int) -> int:
        """Bytes of so many channels over tiles of ``tile`` pixels; which: sum, largest or all together."""
        if tile not in self._known:
            self._known[tile] = pixel_values(self.layer, tile)
        return packed_bytes(self._known[tile][which] * channels, self.input_bits)

    def _metrics(self, pairs: list[tuple[int, int]]) -> Metrics:
        """What each (groups, pixels) of a tile moves and how long that takes; weights come once for any of them."""
        layer, goal, exact = self.layer, self.mapper.goal, "pixels" in self._wanted
        fits, moved, first, counts = [], [], [], []
        for groups, tile in pairs:
            channels, outputs = self._channels(groups), self._outputs(tile, groups)
            inputs = self._bytes(tile, 1, channels) if exact else self._inputs(tile, groups)
            fits.append(self._fits(inputs, outputs))
            once = self._input_depth(tile, groups) <= 1  # rows that two tiles read are still there
            moved.append(self._bytes(tile, 2 if once else 0, layer.C))
            first.append(self._bytes(tile, 1, channels) + outputs)
            counts.append(-(-self.pixels // tile) * -(-layer.G // groups))
        dram, tiles = np.array(moved, float), np.array(counts)
        cycles = dram / goal.bytes_per_cycle + np.array(first) / goal.bytes_per_cycle + tiles * goal.latency
        buffer = self.buffers["inputs"].path[0]
        energy = dram * (goal.pj_per_byte[goal.origin][0] + goal.pj_per_byte[buffer.level][1])
        return Metrics(dram, cycles, energy + goal.static_pj * cycles, tiles, {}, np.array(fits))

    def _input_rooms(self, tile: int, groups: int) -> tuple[list[int], list[bool]]:
        """Per depth of the nest: bytes of inputs that lie together, and whether others replace them."""
        some = self._inputs(tile, groups)
        apart, many = groups < self.layer.G, tile < self.pixels
        changing = [False, apart, apart or many, apart or many or len(self.blocks) > 1]
        whole = [self._bytes(self.pixels, 1, channels) for channels in (self.layer.C, self._channels(groups))]
        return [*whole, some, some], changing

    def _input_depth(self, tile: int, groups: int) -> int:
        return keep_depths(self.buffers["inputs"].path, *self._input_rooms(tile, groups))[-1]

    @cached_property
    def nest(self) -> Nest:
        """Groups outside pixel ranges outside blocks of columns, which are counted."""
        groups, many, blocks = self._tiling[0], len(self.ranges) > 1, len(self.blocks) > 1
        most, apart = max(last - first for first, last in self.ranges), groups < self.layer.G
        rooms = {"inputs": self._input_rooms(most, groups)}
        held = self._outputs(most, groups)
        rooms["outputs"] = (
            [self._outputs(self.pixels, self.layer.G), self._outputs(self.pixels, groups), held, held],
            [False, apart, apart or many, apart or many],
        )
        for operand, size in (("weights", "weight_bytes"), ("pointers", "pointer_bytes")):
            sizes = [getattr(part, size) for part in self.parts.values()]
            each = [sum(sizes[i : i + len(self.blocks)]) for i in range(0, len(sizes), len(self.blocks))]
            rooms[operand] = [sum(sizes), max(each), max(each), max(sizes)], [False, apart, apart, apart or blocks]
        keeps = {operand: keep_depths(buffer.path, *rooms[operand]) for operand, buffer in self.buffers.items()}
        resident = self.room.resident(self.groups, self.blocks)
        innermost = 0 if resident else 3 if blocks else 1  # what was decided above, lane by lane
        for operand in {"weights", "pointers"} & keeps.keys():
            keeps[operand] = (*keeps[operand][:-1], innermost)
        keeps["outputs"] = tuple(min(2, keep) for keep in keeps["outputs"])  # a product's sums wait in the accumulators
        loops = Loop("groups", self.layer.G, groups), self._pixel_loop(most), Loop("k", len(self.blocks), 1)
        return Nest(loops, keeps)

    def _pixel_loop(self, most: int) -> Loop:
        loop = Loop("pixels", self.pixels, most)
        # parts of rows are counted, for they are not all alike
        return loop if loop.count == len(self.ranges) else Loop("pixels", len(self.ranges), 1)

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], tuple[int, int], LanePart]]:
        """(index in the nest, pixels, weights) of every tile, in order."""
        for index in self.nest:
            yield index, self.ranges[index[1]], self.parts[index[0], index[2]]


def cuts(first: int, last: int, length: int) -> list[tuple[int, int]]:
    """[first, last) in runs of ``length``, the last one shorter."""
    return [(a, min(a + length, last)) for a in range(first, last, length)]
