"""Systolic arrays: output, weight and input stationary are one mechanism and a table.

A layer is, per group, a product of [pixels, K] inputs and [K, filters] weights. A fold puts one of the three
dimensions on the rows, one on the columns and streams the third; cycles per fold as in SCALE-Sim (Samajdar et al.,
ISPASS 2020), checked against its reference run: OS K + R + C - 2, WS pixels + 2R + C - 2, IS filters + 2R + C - 2.
Folds never overlap; column folds are the outer loop, row folds the inner one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from accel_sim.actions import Actions
from accel_sim.address_map import Placement
from accel_sim.dataflows.asymmetric import Asymmetric, RawProducts, multiplier_bits, wide
from accel_sim.dataflows.common import Buffer, Facts
from accel_sim.dataflows.folds import Box, FoldPlan, Ranges
from accel_sim.dataflows.matrix import MatrixProducts
from accel_sim.parts import dataflows, require
from accel_sim.tile import FoldWork, Tile
from workloads.encoding import Encoding
from workloads.encodings.dense import Dense
from workloads.layer import Layer
from workloads.operands import Operands
from workloads.registry import InputError

#: a grouped layer that has work for a smaller share of the array gets a note
FULL_ENOUGH = 0.5
#: stationary -> (on the rows, on the columns, streamed)
DIMENSIONS = {"os": ("pixels", "filters", "k"), "ws": ("k", "filters", "pixels"), "is": ("k", "pixels", "filters")}


@dataclass(frozen=True, eq=False)
class TiledSystolic:
    """A layer as boxes of folds that fit the buffers."""

    layer: Layer
    operands: Operands
    rows: int
    cols: int
    mac: object
    buffers: dict[str, Buffer]
    encodings: dict[str, Encoding]
    placement: Placement
    machine: "Systolic"

    @cached_property
    def plan(self) -> FoldPlan:
        m = self.machine
        return FoldPlan(
            self.layer, DIMENSIONS[m.stationary], self.rows, self.cols, self.buffers, self.placement,
            self.operands.inputs.format.bits, self.operands.weights.format.bits, m.output_bits,
            self.mac.accumulator_bits, m.groups == "packed",
        )  # fmt: skip

    @cached_property
    def products(self) -> MatrixProducts:
        block = self.plan.block
        return MatrixProducts(
            self.layer, self.operands, self.encodings["weights"], block("pixels"), block("filters"), self.raw
        )  # fmt: skip

    @cached_property
    def raw(self) -> RawProducts | None:
        return RawProducts.of(self.layer, self.operands, self.machine.asymmetric)

    @cached_property
    def facts(self) -> Facts:
        row_bytes = -(-self.layer.K * self.operands.weights.format.bits // 8)
        notes = (*self._group_note(), *self._zero_point_notes())
        return Facts(self.layer.macs, self.layer.M * row_bytes * 8, len(self.plan.boxes), notes)

    def _group_note(self) -> Iterator[str]:
        """Why a layer of many small groups leaves most of the array idle."""
        plan, layer = self.plan, self.layer
        folds = sum(plan.folds(box) for box in plan.boxes)
        share = sum(plan.mapped(box) for box in plan.boxes) / (folds * self.rows * self.cols)
        if layer.G > 1 and share < FULL_ENOUGH:
            used = [
                min(plan.sizes[dim], size) * plan.pack
                for dim, size in zip(plan.dims[:2], (self.rows, self.cols), strict=True)
            ]
            kind = "depthwise" if layer.kind == "depthwise" else "grouped"
            filters = f"{plan.sizes['filters']} filter{'s' if plan.sizes['filters'] > 1 else ''} a group"
            reach = f"{used[0]} of {self.rows} rows and {used[1]} of {self.cols} columns"
            groups = f"{plan.pack} of {layer.G} groups a fold"
            yield f"{kind}: {filters} and {groups} reach {reach}, so {100 * share:.1f} % of the PEs have work"

    def _zero_point_notes(self) -> Iterator[str]:
        adds = sum(count for box in self.plan.boxes for count in self._zero_point(box).values())
        if self.raw is not None:
            sums = f"{adds:,} additions at the input edge make the window sums" if adds else "no window sums needed"
            cycles = f", {self._window_cycles} cycle a fold" if self._window_cycles else ""
            ops = sum(self._correction_ops(box) for box in self.plan.boxes)
            yield f"asymmetric {self.raw.name}: raw codes, {sums}{cycles}, {ops:,} operations correct the outputs"
        elif adds:
            bits = "x".join(map(str, multiplier_bits(self.operands, "differences")))
            yield f"asymmetric codes: {bits}-bit differences, {adds:,} subtractions at the array's edge"

    def __iter__(self) -> Iterator[Tile]:
        for box in self.plan.boxes:
            yield self._tile(box)

    def _tile(self, box: Box) -> Tile:
        plan, stationary = self.plan, self.machine.stationary
        ranges = plan.ranges(box)
        effectual, ineffectual = self.products.slots(ranges)
        skew = self.rows + self.cols - 2 + self._window_cycles
        if stationary == "os" and self.machine.drain == "exposed":
            skew += self.rows
        work = FoldWork(
            folds=plan.folds(box),
            load=self.rows if stationary != "os" and box.first_piece else 0,
            stream=box.stream[1] - box.stream[0],
            skew=skew if box.last_piece else 0,
            lanes=self.rows * self.cols,
            mapped=plan.mapped(box),
            effectual=effectual,
            ineffectual=ineffectual,
        )
        actions = self._actions(box, work, ranges)
        return Tile(work, plan.streams(box), actions, plan.outputs(box), ranges, self._correction_ops(box))

    @property
    def _window_cycles(self) -> int:
        """Cycles a fold lasts longer for the column of adders that inputs pass before the first PEs (OS, WS).

        Where inputs are held (IS) the adders lie on top of the columns and work while they are loaded.
        """
        return int(self.raw is not None and self.raw.weights_raw and self.plan.operand_on("both") != "inputs")

    def _correction_ops(self, box: Box) -> int:
        if self.raw is None or not self.plan.outputs(box):
            return 0
        r = self.plan.ranges(box)
        windows = (r.pixels[1] - r.pixels[0]) * (r.groups[1] - r.groups[0]) if r.filters[0] == 0 else 0
        return self.raw.post_ops(self.plan.outputs(box), windows)

    def _entering(self, box: Box) -> dict[str, int]:
        """operand -> codes that enter the array at its edge: streamed once per fold, a held one while it is loaded."""
        plan, stream = self.plan, box.stream[1] - box.stream[0]
        edge_rows, edge_cols = plan.edges(box)
        by_rows, by_cols, held = (plan.operand_on(role) for role in ("rows", "cols", "both"))
        entering = {by_rows: edge_rows * stream, by_cols: edge_cols * stream}
        entering[held] = plan.mapped(box) if box.first_piece else 0
        return {name: count for name, count in entering.items() if name != "outputs"}

    def _zero_point(self, box: Box) -> Actions:
        """Subtractions of codes that enter as differences; or additions of inputs to window sums, each input once."""
        actions, entering = Actions(), self._entering(box)
        if self.raw is None:
            for name, codes in (("inputs", self.operands.inputs), ("weights", self.operands.weights)):
                if wide(codes):
                    actions["zero_point", "add", codes.format.value_bits] += entering[name]
        elif self.raw.weights_raw:
            held = self.plan.operand_on("both") == "inputs"
            again = 1 if held else box.cols[1] - box.cols[0]  # a stream enters once more for every column fold
            if held or box.cols[0] == 0:
                actions["zero_point", "add", self.mac.accumulator_bits] += entering["inputs"] // again
        return actions

    def _actions(self, box: Box, work: FoldWork, ranges: Ranges) -> Actions:
        """Accesses of buffers and hops between neighbouring PEs.

        A streamed operand enters at the array's edge once per fold and hops up to the last PE with work (those behind
        are clock-gated); a stationary one hops down its column while it is loaded; sums stay in their PE (OS) or hop
        down to the bottom edge, through rows without work too, and are kept in the output
        buffer, from which every row fold but the first reads them back (WS, IS).
        """
        plan, sums, issued = self.plan, self.mac.accumulator_bits, work.effectual + work.ineffectual
        bits = {"inputs": self.operands.inputs.format.bits, "weights": self.operands.weights.format.bits}
        edge_rows, edge_cols = plan.edges(box)
        by_rows, by_cols, held = (plan.operand_on(role) for role in ("rows", "cols", "both"))
        actions = self.mac.actions(issued, self.products.toggling(ranges, work.effectual))
        actions.update(self._zero_point(box))
        add = Actions({(self.buffers[by_rows].level, "read", bits[by_rows]): edge_rows * work.stream})
        add["register", "hop", bits[by_rows]] += issued
        output = self.buffers["outputs"].level
        if held == "outputs":
            add[self.buffers[by_cols].level, "read", bits[by_cols]] += edge_cols * work.stream
            add["register", "hop", bits[by_cols]] += issued
            add["register", "read", sums] += issued
            add["register", "write", sums] += issued
            if box.last_piece:
                add[output, "write", sums] += work.mapped
        else:
            if box.first_piece:
                add[self.buffers[held].level, "read", bits[held]] += work.mapped
                add["register", "hop", bits[held]] += plan.load_hops(box)
            add["register", "hop", sums] += edge_cols * work.stream * self.rows
            add[output, "write", sums] += edge_cols * work.stream
            begins = edge_cols // (box.rows[1] - box.rows[0]) if box.rows[0] == 0 else 0
            add[output, "read", sums] += (edge_cols - begins) * work.stream
        outputs = plan.outputs(box)  # the post-processing unit turns each finished sum into a code
        add[output, "read", sums] += outputs
        add[output, "write", self.machine.output_bits] += outputs
        actions.update(add)
        return actions

    def execute(self, tile: Tile, sums: np.ndarray, low: int, high: int, saturate: bool) -> int:
        return self.products.execute(tile.products, sums, low, high, saturate)


@dataflows.add("systolic")
@dataclass(frozen=True)
class Systolic:
    """stationary: what stays in the PEs. groups: one after another, or as many as fit side by side.

    asymmetric: codes with a zero point are multiplied as differences (subtracted at the array's edge), or raw, and the
    sums corrected (see dataflows.asymmetric).
    drain: whether moving an OS fold's outputs out is hidden in the fold's last cycles (SCALE-Sim) or takes R cycles
    more. output_bits: width of a stored output.
    """

    stationary: Literal["os", "ws", "is"] = "ws"
    groups: Literal["serial", "packed"] = "serial"
    drain: Literal["hidden", "exposed"] = "hidden"
    output_bits: int = 8
    asymmetric: Asymmetric = "differences"

    def __post_init__(self):
        require(self, 1, "output_bits")

    def multiplier_bits(self, operands: Operands) -> tuple[int, int]:
        """(activation, weight) width of the products it issues."""
        return multiplier_bits(operands, self.asymmetric)

    def tiles(
        self, layer: Layer, operands: Operands, rows: int, cols: int, mac, buffers: dict[str, Buffer],
        encodings: dict[str, Encoding], placement: Placement,
    ) -> TiledSystolic:  # fmt: skip
        if encodings["weights"] != Dense():
            raise InputError("dataflow 'systolic' reads plain weights: set encodings.weights.name to dense")
        plain = replace(operands, weights=operands.weights.plain())  # its PEs have no codebook to look codes up in
        return TiledSystolic(layer, plain, rows, cols, mac, buffers, encodings, placement, self)
