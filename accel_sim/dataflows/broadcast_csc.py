"""Broadcast of non-zero activations to lanes that hold compressed weight columns (EIE, Han et al., ISCA 2016).

MODEL section 3 has the machine in full: a product is one matrix-vector product (an output pixel of one group), a step
one non-zero activation, and cost[t, l] the entries that lane l stores for its column, fillers included.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_sim.actions import Actions
from accel_sim.address_map import Placement
from accel_sim.dataflows.asymmetric import Asymmetric, RawProducts, multiplier_bits, wide
from accel_sim.dataflows.columns import Columns
from accel_sim.dataflows.common import (
    Buffer,
    Facts,
    cannot_fit,
    input_bytes_bound,
    input_extents,
    output_extents,
    read,
    window_bytes,
    write,
)
from accel_sim.dataflows.dynamic import encoding_tiles
from accel_sim.dataflows.scan import Scanned, group_note, zero_point_notes
from accel_sim.parts import dataflows, require
from accel_sim.tile import Extent, GridWork, Recurrence, Stream, Tile
from cython_core.accumulate import sparse_products
from cython_core.grids import nonzero_taps, tap_counts
from workloads.encoding import Encoding
from workloads.layer import Layer
from workloads.operands import Operands
from workloads.registry import InputError

#: deeper queues are as good as endless, and take memory
MOST_SLOTS = 1 << 20


@dataclass(frozen=True, eq=False)
class Broadcasts:
    """The products of one tile: step columns and activations, steps of each product, and its output pixel.

    zero: [T] bool steps whose activation is a real zero, where such are broadcast, else None.
    """

    columns: np.ndarray
    values: np.ndarray
    steps: np.ndarray
    pixels: np.ndarray
    zero: np.ndarray | None


@dataclass(frozen=True, eq=False)
class TiledBroadcast:
    """A layer cut into runs of whole products; a product is cut by columns only where its weights do not fit."""

    layer: Layer
    operands: Operands
    lanes: int
    mac: object
    buffers: dict[str, Buffer]
    encoding: Encoding
    placement: Placement
    machine: "BroadcastCsc"

    @cached_property
    def columns(self) -> Columns:
        word_bits = self.buffers["weights"].word_bits
        raw = self.raw.weights if self.raw is not None and self.raw.weights_raw else None
        return Columns(self.layer, self.operands.weights, self.lanes, self.encoding, word_bits, raw)

    @cached_property
    def raw(self) -> RawProducts | None:
        return RawProducts.of(self.layer, self.operands, self.machine.asymmetric)

    @cached_property
    def scanned(self) -> Scanned:
        """Inputs as the leading-non-zero scan sees them."""
        return Scanned.of(self.layer, self.operands, self.raw)

    @cached_property
    def blocks(self) -> list[tuple[int, int]]:
        """Column ranges whose slices fit the lane memories together: one if the layer does."""
        entry_bits = self.columns.entry_bits
        per_lane = np.cumsum(self.columns.entries, axis=0, dtype=np.int64)
        total = len(per_lane)
        room = [self._lane_bytes("weights", False) * 8 // entry_bits, self._pointers(False)]
        if per_lane[-1].max() <= room[0] and total + 1 <= room[1]:
            return [(0, total)]
        room = [self._lane_bytes("weights", True) * 8 // entry_bits, self._pointers(True)]
        if room[1] < 2:  # a column's slice lies between two pointers
            needed = -(-2 * self.machine.pointer_bits // 8) * self.lanes
            raise cannot_fit(self.layer, "pointers", needed, self.buffers["pointers"])
        blocks, first = [], 0
        while first < total:
            before = per_lane[first - 1] if first else np.zeros(self.lanes, np.int64)
            last = int(np.searchsorted((per_lane - before).max(axis=1), room[0], side="right"))
            last = min(last, first + room[1] - 1, total)
            if last <= first:
                needed = int(self.columns.entries[first].max()) * entry_bits // 8 + 1
                raise cannot_fit(self.layer, "weights", needed * self.lanes, self.buffers["weights"])
            blocks.append((first, last))
            first = last
        return blocks

    def _lane_bytes(self, operand: str, slot: bool) -> int:
        buffer = self.buffers[operand]
        return (buffer.slot_bytes if slot else buffer.bytes) // self.lanes

    def _pointers(self, slot: bool) -> int:
        """Pointers a lane can hold (unbounded where the machine has no pointer memory)."""
        if "pointers" not in self.buffers:
            return 1 << 40
        return self._lane_bytes("pointers", slot) * 8 // self.machine.pointer_bits

    @cached_property
    def ranges(self) -> list[tuple[int, int]]:
        """Pixel ranges of the tiles: as many whole output rows as the buffers hold, else part of one row."""
        layer, bits = self.layer, self.operands.inputs.format.bits
        inputs, outputs = self.buffers["inputs"], self.buffers["outputs"]

        def fits(pixels: int, size: int) -> bool:
            out = -(-pixels * layer.M * self.machine.output_bits // 8)
            return size <= inputs.slot_bytes and out <= outputs.slot_bytes

        pixels = layer.N * layer.E * layer.F
        if len(self.blocks) > 1:  # weights pass once for every product: accumulators hold only one
            taps = layer.R * layer.S
            channels = max(-(-last // taps) - first // taps for first, last in self.blocks) if layer.G == 1 else layer.C
            self._one_pixel_fits(channels)
            return [(p, p + 1) for p in range(pixels)]
        rows = layer.N * layer.E
        good, bad = 0, rows + 1
        while bad - good > 1:
            middle = (good + bad) // 2
            if fits(middle * layer.F, input_bytes_bound(layer, bits, middle * layer.F, layer.C)):
                good = middle
            else:
                bad = middle
        if good:
            return _cuts(0, pixels, good * layer.F)
        width = next((w for w in range(layer.F, 0, -1) if fits(w, window_bytes(layer, bits, w, layer.C))), 0)
        if not width:
            self._one_pixel_fits(layer.C)
        return [cut for r in range(rows) for cut in _cuts(r * layer.F, (r + 1) * layer.F, width)]

    def _one_pixel_fits(self, channels: int) -> None:
        """Raises InputError if the inputs or the outputs of one pixel do not fit a slot."""
        layer, bits = self.layer, self.operands.inputs.format.bits
        needs = {
            "inputs": window_bytes(layer, bits, 1, channels),
            "outputs": -(-layer.M * self.machine.output_bits // 8),
        }
        for operand, need in needs.items():
            if need > self.buffers[operand].slot_bytes:
                raise cannot_fit(layer, operand, need, self.buffers[operand])

    @cached_property
    def facts(self) -> Facts:
        layer, pixels = self.layer, self.layer.N * self.layer.E * self.layer.F
        taps = np.asarray(tap_counts(self.scanned.values, self.scanned.geometry, pixels)).reshape(-1).astype(np.int64)
        ops = self._correction_ops((0, pixels))
        notes = (
            *group_note(layer, (self._table > 0).sum(axis=1), taps, self.lanes),
            *zero_point_notes(self.operands, self.raw, int(taps.sum()), ops),
            *(("the second operand is an activation: the post unit encodes it first",) if layer.dynamic else ()),
        )
        return Facts(
            macs_issued=int(taps @ self.columns.stored),
            weight_bits=8 * self._stream,
            tile_count=len(self.ranges) * len(self.blocks) + self._pieces,
            notes=notes,
        )

    @cached_property
    def _stream(self) -> int:
        """Bytes of all weights as the machine stores them, pointers and codebook included."""
        return sum(stream.bytes for block in self.blocks for stream in self._weight_streams(block))

    @cached_property
    def _pieces(self) -> int:
        """Tiles in which a dynamic operand is encoded."""
        plain = -(-self.layer.weights * self.operands.weights.format.bits // 8)
        room = min(self.buffers[operand].slot_bytes for operand in ("inputs", "outputs"))
        return -(-max(plain, self._stream) // room) if self.layer.dynamic else 0

    @property
    def prelude(self) -> Iterator[Tile]:
        """Tiles in which the post-processing unit encodes a dynamic operand, before the first product."""
        bits = self.operands.weights.format.bits
        return encoding_tiles(self.layer.weights, bits, self._stream, self._pieces, self.buffers, self.placement)

    def __iter__(self) -> Iterator[Tile]:
        single = len(self.blocks) == 1
        for first, last in self.ranges:
            for number, block in enumerate(self.blocks):
                loads_weights = not single or first == 0
                yield self._tile((first, last), block, number == len(self.blocks) - 1, loads_weights)

    def _tile(self, pixels: tuple[int, int], block: tuple[int, int], complete: bool, loads_weights: bool) -> Tile:
        broadcasts = self._broadcasts(pixels, block)
        mapped = min(self.lanes, self.layer.M)
        bar, avail = self._starts(broadcasts)
        rows, table, effectual, ineffectual = broadcasts.columns, self._table, self.columns.effectual, self._ineffectual
        if broadcasts.zero is not None:  # a second half of the table for steps whose products are all zero
            rows = rows + np.int32(len(table)) * broadcasts.zero
            ineffectual = np.concatenate([ineffectual, ineffectual + effectual])
            table, effectual = np.vstack([table, table]), np.concatenate([effectual, np.zeros_like(effectual)])
        work = GridWork(
            table=table,
            rows=rows,
            bar=bar,
            effectual=effectual,
            ineffectual=ineffectual,
            recurrence=self.machine.recurrence,
            unmapped=self.lanes - mapped,
            avail=avail,
        )
        streams = list(self._weight_streams(block)) if loads_weights else []
        streams += self._map_streams(pixels, block, complete)
        outputs = (pixels[1] - pixels[0]) * self.layer.M if complete else 0
        actions = self._actions(broadcasts, mapped)
        actions[self.buffers["outputs"].level, "write", self.machine.output_bits] += outputs
        return Tile(work, tuple(streams), actions, outputs, broadcasts, self._correction_ops(pixels) if complete else 0)

    def _correction_ops(self, pixels: tuple[int, int]) -> int:
        count = pixels[1] - pixels[0]
        return 0 if self.raw is None else self.raw.post_ops(count * self.layer.M, count * self.layer.G)

    @cached_property
    def _table(self) -> np.ndarray:
        """[columns, lanes that own a row] entries of each slice."""
        return np.ascontiguousarray(self.columns.entries[:, : min(self.lanes, self.layer.M)])

    @cached_property
    def _ineffectual(self) -> np.ndarray:
        """[columns] fillers, stored weights that stand for zero, and the one cycle an empty slice takes."""
        c = self.columns
        return (c.total - c.stored) + (c.stored - c.effectual) + (self._table == 0).sum(axis=1)

    def _broadcasts(self, pixels: tuple[int, int], block: tuple[int, int]) -> Broadcasts:
        layer, groups = self.layer, self.layer.G
        count = (pixels[1] - pixels[0]) * groups
        k_range = (0, layer.K) if len(self.blocks) == 1 or groups > 1 else block
        room = count * (k_range[1] - k_range[0])
        columns, values = np.empty(room, np.int32), np.empty(room, np.int32)
        steps = np.empty(count, np.int64)
        scanned = self.scanned
        found = nonzero_taps(scanned.values, scanned.geometry, *pixels, *k_range, columns, values, steps)
        columns, values = columns[:found], values[:found] - np.int32(scanned.lift)
        if groups > 1 and len(self.blocks) > 1:  # a block of columns of a grouped layer: keep what lies in it
            inside = (columns >= block[0]) & (columns < block[1])
            product = np.repeat(np.arange(count), steps)[inside]
            columns, values = columns[inside], values[inside]
            steps = np.bincount(product, minlength=count).astype(np.int64)
        zero = None if scanned.zero is None else values == scanned.zero[columns]
        return Broadcasts(columns, values, steps, np.repeat(np.arange(*pixels), groups), zero)

    def _starts(self, broadcasts: Broadcasts) -> tuple[np.ndarray, np.ndarray]:
        """(bar, avail) of the steps: a product starts at a barrier; its scan is bounded by ``scan_width``."""
        bar = np.zeros(len(broadcasts.columns), dtype=np.uint8)
        begins = np.cumsum(broadcasts.steps) - broadcasts.steps
        begins = begins[broadcasts.steps > 0]
        if not self.machine.double_buffer_accumulators:
            bar[begins] = 1
        if self.machine.scan_width is None:
            return bar, np.zeros(0, np.int64)
        avail = (broadcasts.columns % self.layer.K).astype(np.int64) // self.machine.scan_width
        if self.machine.double_buffer_accumulators:  # no barrier: the scan goes on from a product's last non-zero
            steps = broadcasts.steps[broadcasts.steps > 0]
            scans = avail[np.cumsum(steps) - 1] + 1
            avail += np.repeat(np.cumsum(scans) - scans, steps)
        return bar, avail

    def _weight_streams(self, block: tuple[int, int]) -> Iterator[Stream]:
        """A run of whole words per lane (the codebook before the first), and every lane's pointers."""
        c, machine, weights = self.columns, self.machine, self.buffers["weights"]
        base = self.placement.encoded if self.layer.dynamic else self.placement.weights
        book = self.operands.weights.format.codebook
        header = -(-len(book) * machine.codebook_bits // 8) if book is not None else 0
        start = base + header + c.lane_words(0, block[0]) * weights.word_bits // 8
        extent = Extent(start, c.lane_words(*block) * weights.word_bits // 8)
        if block[0] == 0:
            extent = Extent(base, header + extent.bytes)
        yield read("weights", "weights", (extent,), self.placement, weights)
        pointer_buffer = self.buffers.get("pointers", weights)
        operand = "pointers" if "pointers" in self.buffers else "weights"
        words = sum(c.lane_words(*each) for each in self.blocks)
        at = base + header + words * weights.word_bits // 8 + block[0] * self.lanes * machine.pointer_bits // 8
        pointers = -(-(block[1] - block[0] + 1) * machine.pointer_bits // 8) * self.lanes
        yield read("pointers", operand, (Extent(at, pointers),), self.placement, pointer_buffer)

    def _map_streams(self, pixels: tuple[int, int], block: tuple[int, int], complete: bool) -> Iterator[Stream]:
        layer, bits = self.layer, self.operands.inputs.format.bits
        if len(self.blocks) == 1 or layer.G > 1:
            channels = (0, layer.C)
        else:
            taps = layer.R * layer.S
            channels = (block[0] // taps, -(-block[1] // taps))
        extents = input_extents(layer, self.placement.inputs[0], bits, pixels, channels)
        if extents:
            yield read("inputs", "inputs", extents, self.placement, self.buffers["inputs"])
        if complete:
            out = output_extents(layer, self.placement.outputs, self.machine.output_bits, pixels, (0, layer.M))
            yield write("outputs", "outputs", out, self.placement, self.buffers["outputs"])

    def _actions(self, broadcasts: Broadcasts, mapped: int) -> Actions:
        steps = np.bincount(broadcasts.columns, minlength=len(self.columns.entries))
        entries = int(steps @ self.columns.total)
        raw = self.raw  # zero-operand gating cannot see the zeros of a raw operand
        toggling = int(steps @ (self.columns.stored if raw is not None and raw.weights_raw else self.columns.effectual))
        taken = len(broadcasts.columns)
        activation = self.operands.inputs.format.bits
        actions = self.mac.actions(entries, toggling)
        queued = taken * mapped
        weights = self.buffers["weights"]
        actions.update(
            {
                (weights.level, "read", weights.word_bits): int(steps @ self.columns.words),
                (self.buffers.get("pointers", weights).level, "read", self.machine.pointer_bits): 2 * queued,
                (self.buffers["inputs"].level, "read", activation): taken,
                ("queue", "write", activation): queued,
                ("queue", "read", activation): queued,
                ("accumulator", "read", self.mac.accumulator_bits): entries,
                ("accumulator", "write", self.mac.accumulator_bits): entries,
            }
        )
        if raw is None and wide(self.operands.inputs):
            actions["zero_point", "add", self.operands.inputs.format.value_bits] += taken
        if raw is not None and raw.weights_raw:
            actions["zero_point", "add", self.mac.accumulator_bits] += taken
        if self.operands.weights.format.codebook is not None:
            actions.update({("codebook", "read", self.machine.codebook_bits): entries})
        return actions

    def execute(self, tile: Tile, sums: np.ndarray, low: int, high: int, saturate: bool) -> int:
        b: Broadcasts = tile.products
        if self.raw is not None:
            product = np.repeat(np.arange(len(b.steps)), b.steps)
            np.add.at(self.raw.windows, (b.pixels[product], product % self.layer.G), b.values)
        return sparse_products(b.columns, b.values, b.steps, b.pixels, *self.columns.decoded, sums, low, high, saturate)


def _cuts(first: int, last: int, length: int) -> list[tuple[int, int]]:
    return [(a, min(a + length, last)) for a in range(first, last, length)]


@dataflows.add("broadcast_csc")
@dataclass(frozen=True)
class BroadcastCsc:
    """queue_depth: activations a lane can hold; registered_queue: a slot is refilled only the cycle after it is taken.

    scan_width: positions the leading-non-zero scan examines per cycle (None: one non-zero a cycle whatever lies
    between). double_buffer_accumulators: the next product starts without waiting for the last one's sums (as if a
    second set were always free).
    asymmetric: codes with a zero point are stored and broadcast as differences, or raw, and the sums corrected (see
    dataflows.asymmetric).
    pointer_bits, codebook_bits: widths of a column pointer and of a codebook entry. output_bits: stored outputs.
    """

    queue_depth: int = 8
    registered_queue: bool = False
    scan_width: int | None = None
    double_buffer_accumulators: bool = False
    pointer_bits: int = 16
    codebook_bits: int = 16
    output_bits: int = 8
    asymmetric: Asymmetric = "differences"

    def __post_init__(self):
        if self.queue_depth > MOST_SLOTS:
            raise ValueError(f"queue_depth={self.queue_depth} must be at most {MOST_SLOTS}")
        require(self, 1, "queue_depth", "scan_width", "pointer_bits", "codebook_bits", "output_bits")

    @property
    def recurrence(self) -> Recurrence:
        return Recurrence(depth=self.queue_depth, gap=1, lat=1, free=int(self.registered_queue), floor=1)

    def lanes(self, rows: int, cols: int) -> int:
        return rows * cols

    def multiplier_bits(self, operands: Operands) -> tuple[int, int]:
        """(activation, weight) width of the products it issues."""
        return multiplier_bits(operands, self.asymmetric)

    def tiles(
        self, layer: Layer, operands: Operands, rows: int, cols: int, mac, buffers: dict[str, Buffer],
        encodings: dict[str, Encoding], placement: Placement,
    ) -> TiledBroadcast:  # fmt: skip
        empty = np.zeros((1, 2), dtype=np.uint8)
        if encodings["weights"].entries(empty)[0]:
            raise InputError(
                "dataflow 'broadcast_csc' needs an encoding that stores nothing for an empty column slice: set "
                "encodings.weights.name to relative_index"
            )
        return TiledBroadcast(layer, operands, rows * cols, mac, buffers, encodings["weights"], placement, self)
