"""A layer of the broadcast machine as tiles: steps, what they cost the lanes, their transfers and accesses."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from accel_sim.actions import Actions
from accel_sim.address_map import Placement
from accel_sim.dataflows.asymmetric import RawProducts, wide
from accel_sim.dataflows.columns import Columns
from accel_sim.dataflows.common import (
    Facts,
    input_extents,
    output_extents,
)
from accel_sim.dataflows.dynamic import encoding_tiles
from accel_sim.dataflows.pointers import pointer_cycles
from accel_sim.dataflows.product_cuts import ProductCuts
from accel_sim.dataflows.scan import Broadcasts, Scanned, group_note, zero_point_notes
from accel_sim.levels import Buffer
from accel_sim.mac_unit import MacUnit
from accel_sim.mapping.mapper import Mapper
from accel_sim.mapping.nest import Nest
from accel_sim.mapping.staging import Staging
from accel_sim.tile import Extent, GridWork, Stream, Tile
from cython_core.accumulate import sparse_products
from cython_core.grids import nonzero_taps, tap_counts
from workloads.encoding import Encoding
from workloads.layer import Layer
from workloads.operands import Operands


@dataclass(frozen=True, eq=False)
class TiledBroadcast:
    """A layer cut into runs of whole products; a product is cut by columns only where its weights do not fit."""

    layer: Layer
    operands: Operands
    lanes: int
    cols: int
    mac: MacUnit
    buffers: dict[str, Buffer]
    encoding: Encoding
    placement: Placement
    machine: Any  # the dataflow's own fields
    mapper: Mapper

    @cached_property
    def columns(self) -> Columns:
        """Weights as they are dealt over the lanes."""
        word_bits = self.buffers["weights"].word_bits
        raw = self.raw.weights if self.raw is not None and self.raw.weights_raw else None
        return Columns(self.layer, self.operands.weights, self.lanes, self.encoding, word_bits, raw)

    @cached_property
    def raw(self) -> RawProducts | None:
        """What is multiplied instead of differences, or None."""
        return RawProducts.of(self.layer, self.operands, self.machine.asymmetric)

    @cached_property
    def scanned(self) -> Scanned:
        """Inputs as the leading-non-zero scan sees them."""
        return Scanned.of(self.layer, self.operands, self.raw)

    @cached_property
    def cuts(self) -> ProductCuts:
        """How products are cut into tiles."""
        machine = self.machine
        return ProductCuts(
            self.layer, self.columns, self.buffers, self.operands.inputs.format.bits,
            self.placement.outputs.bits, machine.pointer_bits, self.mapper,
        )  # fmt: skip

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """[first, last) of the filters of each block."""
        return self.cuts.blocks

    @property
    def nest(self) -> Nest:
        """The loops around a tile."""
        return self.cuts.nest

    @cached_property
    def facts(self) -> Facts:
        """macs_issued counts stored entries that met a broadcast."""
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
            tile_count=len(self.nest) + self._pieces,
            notes=notes,
        )

    @cached_property
    def _stream(self) -> int:
        """Bytes of all weights as the machine stores them, pointers and codebook included."""
        return sum(self._weight_extent(block).bytes + self._pointer_extent(block).bytes for block in self.blocks)

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
        encoded = ("weights", "pointers")
        staging = Staging(self.nest, self.buffers, self.placement.level, encoded)
        for index in self.nest:
            yield self._tile(index, staging)

    def _tile(self, index: tuple[int, int], staging: Staging) -> Tile:
        pixels, block = self.cuts.ranges[index[0]], self.blocks[index[1]]
        complete = index[1] == len(self.blocks) - 1
        broadcasts = self._broadcasts(pixels, block)
        mapped = min(self.lanes, self.layer.M)
        bar, avail = self._starts(broadcasts)
        rows, table, effectual, ineffectual = broadcasts.columns, self._table, self.columns.effectual, self._ineffectual
        stalled = self._stalled
        if broadcasts.zero is not None:  # a second half of the table for steps whose products are all zero
            rows = rows + np.int32(len(table)) * broadcasts.zero
            ineffectual = np.concatenate([ineffectual, ineffectual + effectual])
            table, effectual = np.vstack([table, table]), np.concatenate([effectual, np.zeros_like(effectual)])
            stalled = np.concatenate([stalled, stalled])
        work = GridWork(
            table=table,
            rows=rows,
            bar=bar,
            effectual=effectual,
            ineffectual=ineffectual,
            recurrence=self.machine.recurrence,
            unmapped=self.lanes - mapped,
            avail=avail,
            avail_cause=self._avail_cause,
            stalled=stalled,
        )
        streams = self._streams(index, pixels, block, staging)
        outputs = (pixels[1] - pixels[0]) * self.layer.M if complete else 0
        actions = self._actions(broadcasts, mapped)
        out = self.buffers["outputs"]
        actions[out.level, "write", out.word_bits] += out.words(outputs, self.placement.outputs.bits)
        return Tile(work, tuple(streams), actions, outputs, broadcasts, self._correction_ops(pixels) if complete else 0)

    def _correction_ops(self, pixels: tuple[int, int]) -> int:
        count = pixels[1] - pixels[0]
        return 0 if self.raw is None else self.raw.post_ops(count * self.layer.M, count * self.layer.G)

    @cached_property
    def _table(self) -> np.ndarray:
        """[columns, lanes that own a row] cycles of each slice: its entries, or the reads of its pointers if longer."""
        entries = self.columns.entries[:, : min(self.lanes, self.layer.M)]
        return np.ascontiguousarray(
            np.maximum(entries, self._pointer_cycles[:, None] * (self._pointer_cycles > 1)[:, None])
        )

    @cached_property
    def _pointer_cycles(self) -> np.ndarray:
        """[columns] int32 cycles in which a lane reads a slice's pointer and the next one from their banks."""
        buffer = self.buffers.get("pointers", self.buffers["weights"])
        return pointer_cycles(self.layer.G * self.layer.K, self.machine.pointer_bits, buffer)

    @cached_property
    def _stalled(self) -> np.ndarray:
        """[columns] slots in which lanes wait for pointers: beyond the entries, and the one cycle of an empty slice."""
        entries = self.columns.entries[:, : self._table.shape[1]]
        return (self._table - np.maximum(entries, 1)).clip(0).sum(axis=1, dtype=np.int64)

    @cached_property
    def _ineffectual(self) -> np.ndarray:
        """[columns] fillers, stored weights that stand for zero, and the one cycle an empty slice takes."""
        c = self.columns
        empty = (c.entries[:, : self._table.shape[1]] == 0).sum(axis=1)
        return (c.total - c.stored) + (c.stored - c.effectual) + empty

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
        avail = self._available(broadcasts, begins)
        if avail.size == 0:
            return bar, avail
        if self.machine.double_buffer_accumulators:  # no barrier: the scan goes on from a product's last non-zero
            steps = broadcasts.steps[broadcasts.steps > 0]
            scans = avail[np.cumsum(steps) - 1] + 1
            avail += np.repeat(np.cumsum(scans) - scans, steps)
        return bar, avail

    @cached_property
    def _passing(self) -> int:
        """Cycles in which the network passes one activation to all lanes."""
        network = self.buffers["inputs"].network
        return 0 if network is None else network.cycles(1, self.operands.inputs.format.bits)

    @property
    def _avail_cause(self) -> str:
        """What a step waits for: the network if it alone holds broadcasts up, else the scan."""
        return "noc" if self._passing > 1 and self.machine.scan_width is None else "decode"

    def _available(self, broadcasts: Broadcasts, begins: np.ndarray) -> np.ndarray:
        """[T] cycle after its product's begin at which a step's activation is found and passed on; or empty."""
        found = np.zeros(0, np.int64)
        if self.machine.scan_width is not None:
            found = (broadcasts.columns % self.layer.K).astype(np.int64) // self.machine.scan_width
        if self._passing > 1 and len(broadcasts.columns):
            steps = broadcasts.steps[broadcasts.steps > 0]
            passed = (np.arange(len(broadcasts.columns)) - np.repeat(begins, steps)) * self._passing
            found = np.maximum(found, passed) if found.size else passed
        return found

    @property
    def _weight_base(self) -> int:
        return self.placement.encoded if self.layer.dynamic else self.placement.weights

    @property
    def _header(self) -> int:
        book = self.operands.weights.format.codebook
        return -(-len(book) * self.machine.codebook_bits // 8) if book is not None else 0

    def _weight_extent(self, block: tuple[int, int]) -> Extent:
        """A run of whole words per lane, the codebook before the first."""
        c, word = self.columns, self.buffers["weights"].word_bits
        size = c.lane_words(*block) * word // 8
        if block[0] == 0:
            return Extent(self._weight_base, self._header + size)
        return Extent(self._weight_base + self._header + c.lane_words(0, block[0]) * word // 8, size)

    def _pointer_extent(self, block: tuple[int, int]) -> Extent:
        """Every lane's pointers to the slices of a block of columns."""
        c, word, bits = self.columns, self.buffers["weights"].word_bits, self.machine.pointer_bits
        words = sum(c.lane_words(*each) for each in self.blocks)
        at = self._weight_base + self._header + words * word // 8 + block[0] * self.lanes * bits // 8
        return Extent(at, -(-(block[1] - block[0] + 1) * bits // 8) * self.lanes)

    def _streams(
        self, index: tuple[int, int], pixels: tuple[int, int], block: tuple[int, int], staging: Staging
    ) -> list[Stream]:
        layer = self.layer
        streams = staging.load("weights", "weights", index, lambda _: (self._weight_extent(block),))
        operand = "pointers" if "pointers" in self.buffers else "weights"
        if operand == "pointers":
            streams += staging.load(operand, "pointers", index, lambda _: (self._pointer_extent(block),))
        elif streams:
            streams.append(replace(streams[-1], tensor="pointers", extents=(self._pointer_extent(block),)))
        channels = (0, layer.C)
        if len(self.blocks) > 1 and layer.G == 1:
            taps = layer.R * layer.S
            channels = (block[0] // taps, -(-block[1] // taps))
        wanted = input_extents(layer, self.placement.inputs[0], pixels, channels)
        streams += staging.load("inputs", "inputs", index, lambda _: wanted, overlap=True)
        out = output_extents(layer, self.placement.outputs, pixels, (0, layer.M))
        return streams + staging.sums(index, lambda: out, tuple)

    def _actions(self, broadcasts: Broadcasts, mapped: int) -> Actions:
        steps = np.bincount(broadcasts.columns, minlength=len(self.columns.entries))
        entries = int(steps @ self.columns.total)
        raw = self.raw  # zero-operand gating cannot see the zeros of a raw operand
        toggling = int(steps @ (self.columns.stored if raw is not None and raw.weights_raw else self.columns.effectual))
        taken = len(broadcasts.columns)
        activation = self.operands.inputs.format.bits
        actions = self.mac.actions(entries, toggling)
        queued = taken * mapped
        weights, inputs = self.buffers["weights"], self.buffers["inputs"]
        actions.update(
            {
                (weights.level, "read", weights.word_bits): int(steps @ self.columns.words),
                (inputs.level, "read", inputs.word_bits): taken * inputs.words(1, activation),
                ("queue", "write", activation): queued,
                ("queue", "read", activation): queued,
                ("accumulator", "read", self.mac.accumulator_bits): entries,
                ("accumulator", "write", self.mac.accumulator_bits): entries,
            }
        )
        pointers = self.buffers.get("pointers", weights)  # a slice lies between its pointer and the next
        actions[pointers.level, "read", pointers.word_bits] += queued * self._pointer_words
        if inputs.network is not None:
            cols = min(self.cols, mapped)
            block = self.lanes // self.cols, self.cols, -(-mapped // self.cols), cols
            actions.update(inputs.network.deliver(f"{inputs.level}_noc", taken, activation, *block))
        if raw is None and wide(self.operands.inputs):
            actions["zero_point", "add", self.operands.inputs.format.value_bits] += taken
        if raw is not None and raw.weights_raw:
            actions["zero_point", "add", self.mac.accumulator_bits] += taken
        if self.operands.weights.format.codebook is not None:
            actions.update({("codebook", "read", self.machine.codebook_bits): entries})
        return actions

    @property
    def _pointer_words(self) -> int:
        """Words read for a column's two pointers: two accesses, of even and of odd pointers in turn."""
        buffer = self.buffers.get("pointers", self.buffers["weights"])
        return 2 * buffer.words(1, self.machine.pointer_bits)

    def execute(self, tile: Tile, sums: np.ndarray, low: int, high: int, saturate: bool) -> int:
        """Issues a tile's entries, column by column; returns the overflows."""
        b: Broadcasts = tile.products
        if self.raw is not None:
            product = np.repeat(np.arange(len(b.steps)), b.steps)
            np.add.at(self.raw.windows, (b.pixels[product], product % self.layer.G), b.values)
        return sparse_products(b.columns, b.values, b.steps, b.pixels, *self.columns.decoded, sums, low, high, saturate)
