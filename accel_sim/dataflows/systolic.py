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
from accel_sim.dataflows.common import Buffer, Facts
from accel_sim.dataflows.folds import Box, FoldPlan
from accel_sim.dataflows.matrix import MatrixProducts
from accel_sim.parts import dataflows, require
from accel_sim.tile import FoldWork, Tile
from workloads.encoding import Encoding
from workloads.encodings.dense import Dense
from workloads.layer import Layer
from workloads.operands import Operands
from workloads.registry import InputError

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
        return MatrixProducts(self.layer, self.operands, self.encodings["weights"], block("pixels"), block("filters"))

    @cached_property
    def facts(self) -> Facts:
        row_bytes = -(-self.layer.K * self.operands.weights.format.bits // 8)
        return Facts(self.layer.macs, self.layer.M * row_bytes * 8, len(self.plan.boxes))

    def __iter__(self) -> Iterator[Tile]:
        for box in self.plan.boxes:
            yield self._tile(box)

    def _tile(self, box: Box) -> Tile:
        plan, stationary = self.plan, self.machine.stationary
        ranges = plan.ranges(box)
        effectual, ineffectual = self.products.slots(ranges)
        skew = self.rows + self.cols - 2
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
        return Tile(work, plan.streams(box), self._actions(box, work), plan.outputs(box), ranges)

    def _actions(self, box: Box, work: FoldWork) -> Actions:
        """Accesses of buffers and hops between neighbouring PEs.

        A streamed operand enters at the array's edge once per fold and hops through the mapped PEs; a stationary one
        hops down its column while it is loaded; sums stay in their PE (OS) or hop down and are kept in the output
        buffer, from which every row fold but the first reads them back (WS, IS).
        """
        plan, sums, issued = self.plan, self.mac.accumulator_bits, work.effectual + work.ineffectual
        bits = {"inputs": self.operands.inputs.format.bits, "weights": self.operands.weights.format.bits}
        edge_rows, edge_cols = plan.edges(box)
        by_rows, by_cols, held = (plan.operand_on(role) for role in ("rows", "cols", "both"))
        actions = self.mac.actions(issued, work.effectual)
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
            add["register", "hop", sums] += issued
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

    drain: whether moving an OS fold's outputs out is hidden in the fold's last cycles (SCALE-Sim) or takes R cycles
    more. output_bits: width of a stored output.
    """

    stationary: Literal["os", "ws", "is"] = "ws"
    groups: Literal["serial", "packed"] = "serial"
    drain: Literal["hidden", "exposed"] = "hidden"
    output_bits: int = 8

    def __post_init__(self):
        require(self, 1, "output_bits")

    def multiplier_bits(self, operands: Operands) -> tuple[int, int]:
        """(activation, weight) width of the products it issues."""
        return operands.inputs.format.value_bits, operands.weights.format.value_bits

    def tiles(
        self, layer: Layer, operands: Operands, rows: int, cols: int, mac, buffers: dict[str, Buffer],
        encodings: dict[str, Encoding], placement: Placement,
    ) -> TiledSystolic:  # fmt: skip
        if encodings["weights"] != Dense():
            raise InputError("dataflow 'systolic' reads plain weights: set encodings.weights.name to dense")
        plain = replace(operands, weights=operands.weights.plain())  # its PEs have no codebook to look codes up in
        return TiledSystolic(layer, plain, rows, cols, mac, buffers, encodings, placement, self)
