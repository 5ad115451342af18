"""A layer of plain weights as folds of a matrix product, tile by tile: what arrays of all kinds share."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from accel_sim.dataflows.asymmetric import Asymmetric, RawProducts, multiplier_bits, wide
from accel_sim.dataflows.common import Facts, lies_in
from accel_sim.dataflows.folded.fold_notes import group_note, part_fold_note
from accel_sim.dataflows.folded.fold_space import FoldSpace
from accel_sim.dataflows.folded.folds import Box, FoldPlan
from accel_sim.dataflows.folded.matrix import MatrixProducts
from accel_sim.dataflows.folded.ranges import Ranges
from accel_sim.dataflows.folded.weight_store import WeightStore
from accel_sim.macs.unit import MacUnit, Mode
from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.mapper import Mapper
from accel_sim.mapping.nest import Loop, Nest
from accel_sim.mapping.staging import Staging
from accel_sim.values.actions import Actions
from accel_sim.values.address_map import Placement
from accel_sim.values.tile import Tile
from workloads.encoding import Encoding
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.operands import MacOperands


class Folding(Protocol):
    """What the tiles need of any dataflow of folds: its fields of these names."""

    @property
    def stationary(self) -> str:
        """What stays in the PEs."""

    @property
    def asymmetric(self) -> Asymmetric:
        """How codes with a zero point are multiplied."""

    @property
    def pointer_bits(self) -> int:
        """Of the count of entries before each slice of encoded weights."""

    @property
    def codebook_bits(self) -> int:
        """Of a codebook's entry."""


@dataclass(frozen=True, eq=False)
class TiledFolds(ABC):
    """A layer as tiles of folds that fit the buffers. operands: weights without a codebook; stored: as they lie;
    encoding: the machine's of stored weights. machine: the dataflow, for its own fields."""

    layer: Layer
    operands: MacOperands
    stored: Codes
    encoding: Encoding
    rows: int
    cols: int
    mac: MacUnit
    mode: Mode
    buffers: dict[str, Buffer]
    placement: Placement
    machine: Folding
    mapper: Mapper

    @property
    @abstractmethod
    def space(self) -> FoldSpace:
        """What its mapping may be."""

    @property
    @abstractmethod
    def plan(self) -> FoldPlan:
        """Its tiles by the mapping that was found or given."""

    @abstractmethod
    def _tile(self, box: Box, staging: Staging) -> Tile:
        """What the array does in a tile, and what moves."""

    @cached_property
    def _whole_store(self) -> WeightStore:
        """Weights that no tile cuts."""
        whole = Nest(tuple(Loop(dim, size, size) for dim, size in self._sizes.items()), {})
        return self._store(whole)

    def _store(self, nest: Nest) -> WeightStore:
        bits, machine = self.operands.weights.format.bits, self.machine
        return WeightStore(
            self.layer, self.stored, lies_in(self.layer, self.encoding), nest, bits, machine.pointer_bits,
            machine.codebook_bits,
        )  # fmt: skip

    @property
    def _sizes(self) -> dict[str, int]:
        return {"groups": self.layer.G, "filters": self.layer.M // self.layer.G, "k": self.layer.K}

    def _nest(self) -> Nest:
        taps = 1 if self.space.taps > 1 else None
        self._whole_store.check_counts(min(self.space.blocks["k"], self.layer.K), taps)
        return self.mapper.nest(self.space, self.buffers)

    @property
    def nest(self) -> Nest:
        """The loops around a tile."""
        return self.plan.nest

    @cached_property
    def products(self) -> MatrixProducts:
        """The layer as a matrix product of each group."""
        plan = self.plan
        return MatrixProducts(
            self.layer, self.operands, plan.store, plan.block("pixels"), plan.block("filters"), self.reduction_steps,
            self.raw,
        )  # fmt: skip

    @property
    def reduction_steps(self) -> np.ndarray:
        """[T, products] indices k in the order of their additions, for the check."""
        return self.space.reduction_steps

    @cached_property
    def raw(self) -> RawProducts | None:
        """What is multiplied instead of differences, or None."""
        return RawProducts.of(self.layer, self.operands, self.machine.asymmetric)

    @cached_property
    def boxes(self) -> list[Box]:
        """Every tile, in order."""
        return list(self.plan.boxes())

    @cached_property
    def facts(self) -> Facts:
        """All nominal products are issued."""
        store = self.plan.store.notes(self.encoding)
        folds = *group_note(self.plan, self.boxes, self.rows, self.cols), *part_fold_note(self.space)
        notes = (*folds, *self._zero_point_notes(), *store)
        return Facts(self.layer.macs, 8 * self.plan.store.bytes, len(self.boxes), notes)

    def _zero_point_notes(self) -> Iterator[str]:
        adds = sum(count for box in self.boxes for count in self._zero_point(box).values())
        if self.raw is not None:
            sums = f"{adds:,} additions at the input edge make the window sums" if adds else "no window sums needed"
            cycles = f", {self._window_cycles} cycle a fold" if self._window_cycles else ""
            ops = sum(self._correction_ops(box) for box in self.boxes)
            yield f"asymmetric {self.raw.name}: raw codes, {sums}{cycles}, {ops:,} operations correct the outputs"
        elif adds:
            bits = "x".join(map(str, multiplier_bits(self.operands, "differences")))
            yield f"asymmetric codes: {bits}-bit differences, {adds:,} subtractions at the array's edge"

    def __iter__(self) -> Iterator[Tile]:
        staging = self.plan.staging()
        for box in self.boxes:
            yield self._tile(box, staging)

    @property
    def _window_cycles(self) -> int:
        """Cycles a fold lasts longer for the column of adders that inputs pass before the first PEs (OS, WS).

        Where inputs are held (IS) the adders lie on top of the columns and work while they are loaded.
        """
        return int(self.raw is not None and self.raw.weights_raw and self.machine.stationary != "is")

    def _correction_ops(self, box: Box) -> int:
        if self.raw is None or not self.plan.outputs(box):
            return 0
        r = box.ranges
        windows = (r.pixels[1] - r.pixels[0]) * (r.groups[1] - r.groups[0]) if r.filters[0] == 0 else 0
        return self.raw.post_ops(self.plan.outputs(box), windows)

    def _entering(self, box: Box) -> dict[str, int]:
        """operand -> codes that enter the array at its edge: streamed once per fold, a held one while it is loaded."""
        plan, stream = self.plan, box.ranges.elements(self.space.dims[2])
        edge_rows, edge_cols = plan.edges(box)
        by_rows, by_cols, held = (plan.operand_on(role) for role in ("rows", "cols", "both"))
        entering = {by_rows: edge_rows * stream, by_cols: edge_cols * stream}
        entering[held] = plan.held(box) if box.first_piece else 0
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
            filters = box.ranges.filters
            again = 1 if held else self.space.folds("filters", filters[1] - filters[0])  # once more per column fold
            if filters[0] == 0:
                actions["zero_point", "add", self.mode.sum_bits] += entering["inputs"] // again
        return actions

    def execute(self, tile: Tile, sums: np.ndarray, low: int, high: int, saturate: bool) -> int:
        """Issues a tile's products in the array's order of additions; returns the overflows."""
        assert isinstance(tile.products, Ranges), "a tile of another dataflow"
        return self.products.execute(tile.products, sums, low, high, saturate)
