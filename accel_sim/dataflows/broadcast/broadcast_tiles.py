"""A layer of the broadcast machine as tiles: steps, what they cost the lanes, their transfers and accesses."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from accel_sim.dataflows.asymmetric import RawProducts, wide
from accel_sim.dataflows.broadcast.columns import Columns
from accel_sim.dataflows.broadcast.lane_part import LanePart
from accel_sim.dataflows.broadcast.lane_room import LaneRoom
from accel_sim.dataflows.broadcast.product_cuts import ProductCuts
from accel_sim.dataflows.broadcast.scan import Broadcasts, Scanned, group_note, zero_point_notes
from accel_sim.dataflows.common import (
    Facts,
    encoding_notes,
    input_extents,
    output_extents,
)
from accel_sim.dataflows.dynamic import encoding_tiles
from accel_sim.macs.unit import MacUnit
from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.mapper import Mapper
from accel_sim.mapping.nest import Nest
from accel_sim.mapping.staging import Staging
from accel_sim.values.actions import Actions
from accel_sim.values.address_map import Placement
from accel_sim.values.causes import Cause
from accel_sim.values.tile import Extent, Field, Stream, Tile
from accel_sim.works.grid import GridWork
from cython_core.accumulate import sparse_products
from cython_core.grids import nonzero_taps, tap_counts
from workloads.encoding import Encoding
from workloads.layer import Layer
from workloads.operands import MacOperands

if TYPE_CHECKING:
    from accel_sim.dataflows.broadcast.broadcast_csc import BroadcastCsc


@dataclass(frozen=True, eq=False)
class TiledBroadcast:
    """A layer cut into groups and runs of whole products (see ``product_cuts``)."""

    layer: Layer
    operands: MacOperands
    lanes: int
    cols: int
    mac: MacUnit
    buffers: dict[str, Buffer]
    encoding: Encoding
    placement: Placement
    machine: "BroadcastCsc"  # for its own fields
    mapper: Mapper

    @cached_property
    def columns(self) -> Columns:
        """Weights as they are dealt over the lanes."""
        word_bits = self.buffers["weights"].word_bits
        raw = self.raw.weights if self.raw is not None and self.raw.weights_raw else None
        book = self.operands.weights.format.codebook
        book_bits = 0 if book is None else len(book) * self.machine.codebook_bits
        return Columns(self.layer, self.operands.weights, self.lanes, self.encoding, word_bits, book_bits, raw)

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
        room = LaneRoom(self.layer, self.columns, self.buffers, self.machine.pointer_bits)
        return ProductCuts(room, self.operands.inputs.format.bits, self.placement.outputs.bits, self.mapper)

    @property
    def nest(self) -> Nest:
        """The loops around a tile."""
        return self.cuts.nest

    @cached_property
    def facts(self) -> Facts:
        """macs_issued counts stored entries that met a broadcast."""
        layer, pixels, parts = self.layer, self.layer.N * self.layer.E * self.layer.F, self.cuts.parts.values()
        taps = np.asarray(tap_counts(self.scanned.values, self.scanned.geometry, pixels)).reshape(-1).astype(np.int64)
        ops = self._correction_ops(pixels, layer.G)
        pointers = sum(part.pointer_bytes for part in parts)
        notes = (
            *group_note(layer, (self.columns.entries > 0).sum(axis=1), taps, self.lanes),
            *zero_point_notes(self.operands, self.raw, int(taps.sum()), ops),
            *(("the second operand is an activation: the post unit encodes it first",) if layer.dynamic else ()),
            *encoding_notes(self.operands.weights, self.encoding, self._stream, pointers),
        )
        return Facts(
            macs_issued=int(taps @ self.columns.stored),
            weight_bits=8 * self._stream,
            tile_count=len(self.nest) + self._pieces,
            notes=notes,
            file_words=self._file_words,
        )

    @cached_property
    def _sum_bits(self) -> int:
        """Width of an accumulator in the mode of these operands."""
        return self.machine.mode(self.mac, self.operands).sum_bits

    @property
    def _file_words(self) -> dict[str, int]:
        """Of a lane's queue, its sums and the table that weight codes are looked up in."""
        book = self.operands.weights.format.codebook
        words = {"queue": self.machine.queue_depth, "accumulator": self.machine.accumulators}
        return words if book is None else words | {"codebook": len(book)}

    @cached_property
    def _stream(self) -> int:
        """Bytes of all weights as the machine stores them, pointers and codebook included."""
        table = self.columns.tensor.table_bytes
        return table + sum(part.weight_bytes + part.pointer_bytes for part in self.cuts.parts.values())

    @cached_property
    def _begins(self) -> dict[tuple[int, int], tuple[int, int]]:
        """Part -> addresses of its weights and of its pointers: the codebook, all weights, all pointers."""
        parts, base = self.cuts.parts, self.placement.encoded if self.layer.dynamic else self.placement.weights
        if self._stream > self.placement.room:
            base = self.placement.take(self._stream)
        weights = np.cumsum([base + self.columns.tensor.table_bytes, *(part.weight_bytes for part in parts.values())])
        pointers = np.cumsum([weights[-1], *(part.pointer_bytes for part in parts.values())])
        return {number: (int(w), int(p)) for number, w, p in zip(parts, weights, pointers, strict=False)}

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
        staging = Staging(self.nest, self.buffers, self.placement.level, ("weights", "pointers"))
        for index, pixels, part in self.cuts:
            yield self._tile(index, pixels, part, staging)

    def _tile(self, index: tuple[int, ...], pixels: tuple[int, int], part: LanePart, staging: Staging) -> Tile:
        complete = index[2] == len(self.cuts.blocks) - 1
        broadcasts = self._broadcasts(pixels, part)
        bar, avail = self._starts(broadcasts)
        rows: np.ndarray = broadcasts.columns - np.int32(part.span[0])
        table, effectual, ineffectual, stalled = part.table, part.effectual, part.ineffectual, part.stalled
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
            unmapped=self.lanes - part.lanes,
            avail=avail,
            late=self._late,
            stalled=stalled,
            stalling=self._stalling,
        )
        groups = part.groups[1] - part.groups[0]
        outputs = (pixels[1] - pixels[0]) * groups * (self.layer.M // self.layer.G) if complete else 0
        actions = self._actions(broadcasts, part)
        out = self.buffers["outputs"]
        actions[out.level, "write", out.word_bits] += out.words(outputs, self.placement.outputs.bits)
        correction = self._correction_ops(pixels[1] - pixels[0], groups) if complete else 0
        streams = tuple(self._streams(index, pixels, part, staging))
        return Tile(work, streams, actions, outputs, broadcasts, correction, fields=self._fields(part))

    def _fields(self, part: LanePart) -> tuple[Field, ...]:
        """The largest pointer of a tile."""
        return (Field("dataflow.pointer_bits", self.machine.pointer_bits, part.last_pointer),)

    def _correction_ops(self, pixels: int, groups: int) -> int:
        windows = pixels * groups
        return 0 if self.raw is None else self.raw.post_ops(windows * (self.layer.M // self.layer.G), windows)

    @property
    def _stalling(self) -> Cause:
        """What lanes wait for whose pointers take longer than their entries."""
        return Cause("sram", self.buffers.get("pointers", self.buffers["weights"]).level, "pointers")

    def _broadcasts(self, pixels: tuple[int, int], part: LanePart) -> Broadcasts:
        groups = np.arange(*part.groups)
        count = (pixels[1] - pixels[0]) * len(groups)
        room = count * (part.k[1] - part.k[0])
        columns, values = np.empty(room, np.int32), np.empty(room, np.int32)
        steps = np.empty(count, np.int64)
        scanned = self.scanned
        spans = *pixels, *part.groups, *part.k
        found = nonzero_taps(scanned.values, scanned.geometry, *spans, columns, values, steps)
        columns, values = columns[:found], values[:found] - np.int32(scanned.lift)
        zero = None if scanned.zero is None else values == scanned.zero[columns]
        products = np.repeat(np.arange(*pixels), len(groups)), np.tile(groups, pixels[1] - pixels[0])
        return Broadcasts(columns, values, steps, *products, zero)

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
    def _late(self) -> Cause:
        """What a step waits for: the network if it alone holds broadcasts up, else the scan."""
        level = self.buffers["inputs"].level
        alone = self._passing > 1 and self.machine.scan_width is None
        return Cause("noc", f"{level}_noc", "inputs") if alone else Cause("decode", level, "inputs")

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

    def _weight_extent(self, index: tuple[int, ...]) -> Extent:
        """A run of whole words per lane, the codebook before the first."""
        number = index[0], index[2]
        begin, size = self._begins[number][0], self.cuts.parts[number].weight_bytes
        before = self.columns.tensor.table_bytes if number == (0, 0) else 0
        return Extent(begin - before, size + before)

    def _pointer_extent(self, index: tuple[int, ...]) -> Extent:
        """The pointers of the lanes that have rows."""
        number = index[0], index[2]
        return Extent(self._begins[number][1], self.cuts.parts[number].pointer_bytes)

    def _streams(
        self, index: tuple[int, ...], pixels: tuple[int, int], part: LanePart, staging: Staging
    ) -> list[Stream]:
        layer = self.layer
        streams = staging.load("weights", "weights", index, lambda _: (self._weight_extent(index),))
        pointers = lambda _=None: (self._pointer_extent(index),)  # noqa: E731
        if "pointers" in self.buffers:
            streams += staging.load("pointers", "pointers", index, pointers)
        else:
            streams += [replace(stream, tensor="pointers", extents=pointers()) for stream in streams]
        per_group, filters = layer.C // layer.G, layer.M // layer.G
        first, last = layer.window.channels(*part.k)
        channels = part.groups[0] * per_group + first, (part.groups[1] - 1) * per_group + last
        wanted = input_extents(layer, self.placement.inputs[0], pixels, channels)
        streams += staging.load("inputs", "inputs", index, lambda _: wanted, overlap=True)
        span = (part.groups[0] * filters, part.groups[1] * filters)
        out = output_extents(layer, self.placement.outputs, pixels, span)
        return streams + staging.sums(index, lambda: out, tuple)

    def _actions(self, broadcasts: Broadcasts, part: LanePart) -> Actions:
        steps = np.bincount(broadcasts.columns - part.span[0], minlength=len(part.entries))
        entries = int(steps @ part.total)
        raw = self.raw  # zero-operand gating cannot see the zeros of a raw operand
        toggling = int(steps @ (part.stored if raw is not None and raw.weights_raw else part.effectual))
        taken = len(broadcasts.columns)
        activation = self.operands.inputs.format.bits
        actions = self.mac.actions(entries, toggling)
        queued = taken * part.lanes
        weights, inputs = self.buffers["weights"], self.buffers["inputs"]
        actions.update(
            {
                (weights.level, "read", weights.word_bits): int(steps @ part.words),
                (inputs.level, "read", inputs.word_bits): taken * inputs.words(1, activation),
                ("queue", "write", activation): queued,
                ("queue", "read", activation): queued,
                ("accumulator", "read", self._sum_bits): entries,
                ("accumulator", "write", self._sum_bits): entries,
            }
        )
        pointers = self.buffers.get("pointers", weights)  # a slice lies between its pointer and the next
        actions[pointers.level, "read", pointers.word_bits] += int(steps @ part.pointed) * self._pointer_words
        if inputs.network is not None:
            cols = min(self.cols, part.reach)
            block = self.lanes // self.cols, self.cols, -(-part.reach // self.cols), cols
            actions.update(inputs.network.deliver(f"{inputs.level}_noc", taken, activation, *block))
        if raw is None and wide(self.operands.inputs):
            actions["zero_point", "add", self.operands.inputs.format.value_bits] += taken
        if raw is not None and raw.weights_raw:
            actions["zero_point", "add", self._sum_bits] += taken
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
        b = tile.products
        assert isinstance(b, Broadcasts), "a tile of another dataflow"
        if self.raw is not None:
            product = np.repeat(np.arange(len(b.steps)), b.steps)
            np.add.at(self.raw.windows, (b.pixels[product], b.groups[product]), b.values)
        return sparse_products(b.columns, b.values, b.steps, b.pixels, *self.columns.decoded, sums, low, high, saturate)
