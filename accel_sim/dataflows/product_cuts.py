"""Cutting a layer of matrix-vector products into tiles: runs of whole products, and blocks of columns if they must."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_sim.dataflows.columns import Columns
from accel_sim.dataflows.common import cannot_fit, input_bytes_bound, window_bytes
from accel_sim.dataflows.pieces import pixel_values
from accel_sim.levels import Buffer
from accel_sim.map_layout import packed_bytes
from accel_sim.mapping.mapper import Mapper
from accel_sim.mapping.nest import Loop, Nest, keep_depths
from accel_sim.mapping.search import Metrics, distinct_tiles
from workloads.layer import Layer


@dataclass(frozen=True, eq=False)
class ProductCuts:
    """columns: weights as the lanes store them; *_bits: stored inputs, outputs and column pointers."""

    layer: Layer
    columns: Columns
    buffers: dict[str, Buffer]
    input_bits: int
    output_bits: int
    pointer_bits: int
    mapper: Mapper

    @cached_property
    def blocks(self) -> list[tuple[int, int]]:
        """Column ranges whose slices fit the lane memories together: one if the layer does."""
        entry_bits, lanes = self.columns.entry_bits, self.columns.lanes
        per_lane = np.cumsum(self.columns.entries, axis=0, dtype=np.int64)
        total = len(per_lane)
        room = [self._lane_bytes("weights", False) * 8 // entry_bits, self._pointers(False)]
        if per_lane[-1].max() <= room[0] and total + 1 <= room[1]:
            return [(0, total)]
        room = [self._lane_bytes("weights", True) * 8 // entry_bits, self._pointers(True)]
        if room[1] < 2:  # a column's slice lies between two pointers
            raise cannot_fit(self.layer, "pointers", -(-2 * self.pointer_bits // 8) * lanes, self.buffers["pointers"])
        blocks, first = [], 0
        while first < total:
            before = per_lane[first - 1] if first else np.zeros(lanes, np.int64)
            last = int(np.searchsorted((per_lane - before).max(axis=1), room[0], side="right"))
            last = min(last, first + room[1] - 1, total)
            if last <= first:
                needed = int(self.columns.entries[first].max()) * entry_bits // 8 + 1
                raise cannot_fit(self.layer, "weights", needed * lanes, self.buffers["weights"])
            blocks.append((first, last))
            first = last
        return blocks

    def _lane_bytes(self, operand: str, slot: bool) -> int:
        buffer = self.buffers[operand]
        return (buffer.slot_bytes if slot else buffer.bytes) // self.columns.lanes

    def _pointers(self, slot: bool) -> int:
        """Pointers a lane can hold (unbounded where the machine has no pointer memory)."""
        if "pointers" not in self.buffers:
            return 1 << 40
        return self._lane_bytes("pointers", slot) * 8 // self.pointer_bits

    @property
    def pixels(self) -> int:
        """Output pixels of all images."""
        return self.layer.N * self.layer.E * self.layer.F

    @cached_property
    def ranges(self) -> list[tuple[int, int]]:
        """Pixel ranges of the tiles: whole output rows as the mapper chooses, else parts of one row."""
        layer = self.layer
        if len(self.blocks) > 1:  # weights pass once for every product: accumulators hold only one
            taps = layer.R * layer.S
            channels = max(-(-last // taps) - first // taps for first, last in self.blocks) if layer.G == 1 else layer.C
            self._one_pixel_fits(channels)
            return [(p, p + 1) for p in range(self.pixels)]
        given = self.mapper.tile("pixels", ("groups", "pixels", "filters", "k"))
        if given is not None:
            self._given_fits(given)
            return cuts(0, self.pixels, given)
        tiles = [layer.F * height for height in distinct_tiles(layer.N * layer.E, 1)]
        best = self.mapper.goal.best(self._metrics(tiles))
        if best is not None:
            return cuts(0, self.pixels, tiles[best])
        width = next(
            (w for w in range(layer.F, 0, -1) if self._fits(w, window_bytes(layer, self.input_bits, w, layer.C))), 0
        )
        if not width:
            self._one_pixel_fits(layer.C)
        return [cut for r in range(layer.N * layer.E) for cut in cuts(r * layer.F, (r + 1) * layer.F, width)]

    def _outputs(self, pixels: int) -> int:
        return packed_bytes(pixels * self.layer.M, self.output_bits)

    def _inputs(self, tile: int, which: int) -> int:
        """Bytes of all channels over tiles of so many pixels; which: sum, largest or all together."""
        return packed_bytes(pixel_values(self.layer, tile)[which] * self.layer.C, self.input_bits)

    def _fits(self, pixels: int, inputs: int) -> bool:
        return (
            inputs <= self.buffers["inputs"].slot_bytes and self._outputs(pixels) <= self.buffers["outputs"].slot_bytes
        )

    def _given_fits(self, tile: int) -> None:
        """Raises InputError if a tile of so many pixels does not fit a slot."""
        needs = {
            "inputs": self._inputs(tile, 1),
            "outputs": self._outputs(tile),
        }
        for operand, need in needs.items():
            if need > self.buffers[operand].slot_bytes:
                raise cannot_fit(self.layer, operand, need, self.buffers[operand])

    def _metrics(self, tiles: list[int]) -> Metrics:
        """What each tile size moves and how long that takes, weights resident."""
        layer, goal = self.layer, self.mapper.goal
        fits, moved, first = [], [], []
        for tile in tiles:
            fits.append(self._fits(tile, input_bytes_bound(layer, self.input_bits, tile, layer.C)))
            whole = self._input_depth(tile) == 0
            moved.append(self._inputs(tile, 2 if whole else 0))
            first.append(self._inputs(tile, 1) + self._outputs(tile))
        dram, counts = np.array(moved, float), np.array([-(-self.pixels // tile) for tile in tiles])
        cycles = dram / goal.bytes_per_cycle + np.array(first) / goal.bytes_per_cycle + counts * goal.latency
        buffer = self.buffers["inputs"].path[0]
        energy = dram * (goal.pj_per_byte[goal.origin][0] + goal.pj_per_byte[buffer.level][1])
        return Metrics(dram, cycles, energy + goal.static_pj * cycles, counts, {}, np.array(fits))

    @cached_property
    def _all_inputs(self) -> int:
        return self._inputs(self.pixels, 1)

    def _input_depth(self, tile: int) -> int:
        need = input_bytes_bound(self.layer, self.input_bits, tile, self.layer.C)
        return keep_depths(self.buffers["inputs"].path, [self._all_inputs, need], [False, tile < self.pixels])[-1]

    def _one_pixel_fits(self, channels: int) -> None:
        """Raises InputError if the inputs or the outputs of one pixel do not fit a slot."""
        needs = {"inputs": window_bytes(self.layer, self.input_bits, 1, channels), "outputs": self._outputs(1)}
        for operand, need in needs.items():
            if need > self.buffers[operand].slot_bytes:
                raise cannot_fit(self.layer, operand, need, self.buffers[operand])

    @cached_property
    def nest(self) -> Nest:
        """Pixel ranges outside blocks of columns, which are counted."""
        many, blocks = len(self.ranges) > 1, len(self.blocks) > 1
        most = max(last - first for first, last in self.ranges)
        inputs = input_bytes_bound(self.layer, self.input_bits, most, self.layer.C)
        weights = self._stored(0, self.layer.G * self.layer.K)
        block = max(self._stored(*each) for each in self.blocks)
        rooms = {
            "inputs": ([self._all_inputs, inputs, inputs], [False, many, many or blocks]),
            "weights": ([weights, weights, block], [False, False, blocks]),
            "outputs": ([self._outputs(self.pixels), self._outputs(most), self._outputs(most)], [False, many, many]),
        }
        rooms["pointers"] = ([0, 0, 0], rooms["weights"][1])
        keeps = {operand: keep_depths(buffer.path, *rooms[operand]) for operand, buffer in self.buffers.items()}
        # innermost: what was decided above, lane by lane
        for operand in ("weights", "pointers"):
            if operand in keeps:
                keeps[operand] = (*keeps[operand][:-1], 2 if blocks else 0)
        keeps["outputs"] = tuple(min(1, keep) for keep in keeps["outputs"])  # a product's sums wait in the accumulators
        pixels = Loop("pixels", self.pixels, most)
        if pixels.count != len(self.ranges):  # parts of rows: counted, for they are not all alike
            pixels = Loop("pixels", len(self.ranges), 1)
        return Nest((pixels, Loop("k", len(self.blocks), 1)), keeps)

    def _stored(self, first: int, last: int) -> int:
        return self.columns.lane_words(first, last) * self.columns.word_bits // 8


def cuts(first: int, last: int, length: int) -> list[tuple[int, int]]:
    """[first, last) in runs of ``length``, the last one shorter."""
    return [(a, min(a + length, last)) for a in range(first, last, length)]
