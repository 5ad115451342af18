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
from accel_sim.dataflows.common import Facts
from accel_sim.dataflows.feeding import Feeding
from accel_sim.dataflows.fold_space import FoldSpace
from accel_sim.dataflows.folds import Box, FoldPlan
from accel_sim.dataflows.matrix import MatrixProducts
from accel_sim.dataflows.tensor_layout import TensorLayout
from accel_sim.dataflows.weight_store import WeightStore
from accel_sim.levels import Buffer
from accel_sim.mac_unit import MacUnit, Mode
from accel_sim.mapping.mapper import Mapper
from accel_sim.mapping.nest import Loop, Nest
from accel_sim.mapping.staging import Staging
from accel_sim.parts import dataflows, require
from accel_sim.tile import FoldWork, Tile
from workloads.encoding import Encoding
from workloads.encodings.dense import Dense
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.operands import Operands
from workloads.registry import InputError

#: a grouped layer that has work for a smaller share of the array gets a note
FULL_ENOUGH = 0.5
#: stationary -> (on the rows, on the columns, streamed)
DIMENSIONS = {"os": ("pixels", "filters", "k"), "ws": ("k", "filters", "pixels"), "is": ("k", "pixels", "filters")}


@dataclass(frozen=True, eq=False)
class TiledSystolic:
    """A layer as tiles of folds that fit the buffers. operands: weights without a codebook; stored: as they lie."""

    layer: Layer
    operands: Operands
    stored: Codes
    rows: int
    cols: int
    mac: object
    buffers: dict[str, Buffer]
    encodings: dict[str, Encoding]
    placement: Placement
    machine: "Systolic"
    mapper: Mapper

    @cached_property
    def space(self) -> FoldSpace:
        m, sums = self.machine, self.mac.accumulator_bits
        bits = {
            "inputs": self.operands.inputs.format.bits, "weights": self.operands.weights.format.bits,
            "outputs": m.output_bits,
        }  # fmt: skip
        dims, layer = DIMENSIONS[m.stationary], self.layer
        load, skew = (self.rows if m.stationary != "os" else 0), self.rows + self.cols - 2 + self._window_cycles
        if m.stationary == "os" and m.drain == "exposed":
            skew += self.rows
        sizes = {"pixels": layer.N * layer.E * layer.F, "filters": layer.M // layer.G, "k": layer.K}
        pack = 1
        if m.groups == "packed" and sizes[dims[0]] <= self.rows and sizes[dims[1]] <= self.cols:
            pack = min(self.rows // sizes[dims[0]], self.cols // sizes[dims[1]], layer.G)
        array = self.rows, self.cols
        stored = None if self.encodings["weights"] == Dense() else (lambda: self._whole_store.bytes)
        return FoldSpace(layer, dims, array, pack, bits, sums, load, skew, stored)

    @cached_property
    def _whole_store(self) -> WeightStore:
        """Weights that no tile cuts."""
        whole = Nest(tuple(Loop(dim, size, size) for dim, size in self._sizes.items()), {})
        return self._store(whole)

    def _store(self, nest: Nest) -> WeightStore:
        bits, machine = self.operands.weights.format.bits, self.machine
        return WeightStore(
            self.layer, self.stored, self.encodings["weights"], nest, bits, machine.pointer_bits, machine.codebook_bits
        )

    @property
    def _sizes(self) -> dict[str, int]:
        return {"groups": self.layer.G, "filters": self.layer.M // self.layer.G, "k": self.layer.K}

    @cached_property
    def plan(self) -> FoldPlan:
        nest = self.mapper.nest(self.space, self.buffers)
        return FoldPlan(self.space, nest, self.buffers, self.placement, self._store(nest))

    @property
    def nest(self) -> Nest:
        return self.plan.nest

    @cached_property
    def products(self) -> MatrixProducts:
        plan = self.plan
        return MatrixProducts(
            self.layer, self.operands, plan.store, plan.block("pixels"), plan.block("filters"), self.raw
        )  # fmt: skip

    @cached_property
    def raw(self) -> RawProducts | None:
        return RawProducts.of(self.layer, self.operands, self.machine.asymmetric)

    @cached_property
    def boxes(self) -> list[Box]:
        return list(self.plan.boxes())

    @cached_property
    def facts(self) -> Facts:
        notes = (*self._group_note(), *self._zero_point_notes())
        return Facts(self.layer.macs, 8 * self.plan.store.bytes, len(self.boxes), notes)

    def _group_note(self) -> Iterator[str]:
        """Why a layer of many small groups leaves most of the array idle."""
        plan, layer = self.plan, self.layer
        folds = sum(plan.folds(box) for box in self.boxes)
        share = sum(plan.mapped(box) for box in self.boxes) / (folds * self.rows * self.cols)
        if layer.G > 1 and share < FULL_ENOUGH:
            space = self.space
            used = [
                min(space.sizes[dim], size) * space.pack
                for dim, size in zip(space.dims[:2], (self.rows, self.cols), strict=True)
            ]
            kind = "depthwise" if layer.kind == "depthwise" else "grouped"
            filters = f"{space.sizes['filters']} filter{'s' if space.sizes['filters'] > 1 else ''} a group"
            reach = f"{used[0]} of {self.rows} rows and {used[1]} of {self.cols} columns"
            groups = f"{space.pack} of {layer.G} groups a fold"
            yield f"{kind}: {filters} and {groups} reach {reach}, so {100 * share:.1f} % of the PEs have work"

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

    def _tile(self, box: Box, staging: Staging) -> Tile:
        plan, space = self.plan, self.space
        effectual, ineffectual = self.products.slots(box.ranges)
        stream, folds = getattr(box.ranges, space.dims[2]), plan.folds(box)
        load, skew = space.load * box.first_piece, space.skew * box.last_piece
        work = FoldWork(
            folds=folds,
            load=load,
            stream=stream[1] - stream[0],
            skew=skew,
            lanes=self.rows * self.cols,
            mapped=plan.mapped(box),
            effectual=effectual,
            ineffectual=ineffectual,
            stalls=self._stalls(box),
            again=folds * (load * (stream[0] > 0) + skew * (stream[1] < space.sizes[space.dims[2]])),
        )
        actions = self._actions(box, work)
        streams = plan.streams(box, staging)
        return Tile(work, streams, actions, plan.outputs(box), box.ranges, self._correction_ops(box))

    @cached_property
    def feeding(self) -> Feeding:
        plan, space = self.plan, self.space
        edges = {edge: plan.operand_on(edge) for edge in ("rows", "cols")}
        streamed = {edge: (name, space.bits[name]) for edge, name in edges.items() if name != "outputs"}
        sums = None if plan.operand_on("both") == "outputs" else self.mac.accumulator_bits
        return Feeding(self.rows, self.cols, self.buffers, streamed, sums)

    def _steps(self, box: Box) -> Iterator[tuple[int, int, bool, int]]:
        """(rows with work, columns with work, sums are read back, folds) of the folds of a tile."""
        begins = getattr(box.ranges, self.space.dims[0])[0] == 0  # sums of the first row fold begin at the bias
        for rows, cols, folds, first in self.plan.shapes(box):
            fresh = first if begins else 0
            yield from ((rows, cols, back, n) for back, n in ((False, fresh), (True, folds - fresh)) if n)

    def _stalls(self, box: Box) -> dict[str, tuple[int, int]]:
        """cause -> (cycles, slots of mapped lanes) that the stream lasts longer than a step a cycle."""
        if self.buffers["inputs"].layout == "tensor" and self.plan.operand_on("rows") == "inputs":
            return self._conflicts(box)
        first, last = getattr(box.ranges, self.space.dims[2])
        stalls: dict[str, tuple[int, int]] = {}
        for rows, cols, back, folds in self._steps(box):
            need, cause = self.feeding.step(rows, cols, back)
            if need > 1:
                cycles, mapped = stalls.get(cause, (0, 0))
                more = (need - 1) * (last - first) * folds
                stalls[cause] = cycles + more, mapped + more * rows * cols
        return stalls

    def _conflicts(self, box: Box) -> dict[str, tuple[int, int]]:
        """As ``_stalls``, where inputs lie as in the tensor: every step of every row fold by its addresses."""
        r, (across, wide, stream) = box.ranges, self.space.dims
        layout = TensorLayout(self.layer, self.operands.inputs.format.bits, self.buffers["inputs"])
        along, cycles, mapped = np.arange(*getattr(r, stream)), 0, 0
        cols = [
            min(self.cols, r_ - c) for r_, c in ((getattr(r, wide)[1], c) for c in range(*getattr(r, wide), self.cols))
        ]
        for group in range(*r.groups):
            for low in range(*getattr(r, across), self.rows):
                rows = np.arange(low, min(low + self.rows, getattr(r, across)[1]))
                pixels, k = (rows, along) if across == "pixels" else (along, rows)
                found = layout.addresses(group, pixels, k)
                steps = layout.steps(found if across == "pixels" else found.T)
                for used in cols:
                    need, _ = self.feeding.step(len(rows), used, across == "k" and low > 0)
                    more = int(np.maximum(steps, need).sum()) - len(steps)
                    cycles, mapped = cycles + more, mapped + more * len(rows) * used
        return {"sram": (cycles, mapped)} if cycles else {}

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
        plan, (first, last) = self.plan, getattr(box.ranges, self.space.dims[2])
        stream = last - first
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
            filters = box.ranges.filters
            again = 1 if held else self.space.folds("filters", filters[1] - filters[0])  # once more per column fold
            if filters[0] == 0:
                actions["zero_point", "add", self.mac.accumulator_bits] += entering["inputs"] // again
        return actions

    def _actions(self, box: Box, work: FoldWork) -> Actions:
        """Accesses of buffers and hops between neighbouring PEs.

        A streamed operand enters at the array's edge once per fold and hops up to the last PE with work (those behind
        are clock-gated); a stationary one hops down its column while it is loaded; sums stay in their PE (OS) or hop
        down to the bottom edge, through rows without work too, and are kept in the output
        buffer, from which every row fold but the first reads them back (WS, IS).
        """
        plan, sums, issued = self.plan, self.mac.accumulator_bits, work.effectual + work.ineffectual
        bits = {"inputs": self.operands.inputs.format.bits, "weights": self.operands.weights.format.bits}
        edge_cols = plan.edges(box)[1]
        by_rows, by_cols, held = (plan.operand_on(role) for role in ("rows", "cols", "both"))
        actions = self.mac.actions(issued, self.products.toggling(box.ranges, work.effectual))
        actions.update(self._zero_point(box))
        at_rows, at_cols = plan.edge_steps(box)
        add = self._accesses(by_rows, "read", bits[by_rows], at_rows, work.stream)
        add["register", "hop", bits[by_rows]] += issued
        output = self.buffers["outputs"]
        if held == "outputs":
            add.update(self._accesses(by_cols, "read", bits[by_cols], at_cols, work.stream))
            add["register", "hop", bits[by_cols]] += issued
            add["register", "read", sums] += issued
            add["register", "write", sums] += issued
            if box.last_piece:
                add[output.level, "write", output.word_bits] += output.words(work.mapped, sums)
        else:
            if box.first_piece:
                buffer = self.buffers[held]
                add[buffer.level, "read", buffer.word_bits] += buffer.words(work.mapped, bits[held])
                add["register", "hop", bits[held]] += plan.load_hops(box)
            add["register", "hop", sums] += edge_cols * work.stream * self.rows
            add.update(self._accesses("outputs", "write", sums, at_cols, work.stream))
            rows = getattr(box.ranges, self.space.dims[0])
            folds = self.space.folds(self.space.dims[0], rows[1] - rows[0])
            again = {used: count - count // folds if rows[0] == 0 else count for used, count in at_cols.items()}
            add.update(self._accesses("outputs", "read", sums, again, work.stream))
        for rows, cols, back, folds in self._steps(box):
            add.update(self.feeding.hops(rows, cols, work.stream, back).times(folds))
            if held == "outputs" and box.last_piece:
                add.update(self.feeding.held(held, sums, rows, cols).times(folds))
            elif held != "outputs" and box.first_piece:
                add.update(self.feeding.held(held, bits[held], rows, cols).times(folds))
        outputs = plan.outputs(box)  # the post-processing unit turns each finished sum into a code
        add[output.level, "read", output.word_bits] += output.words(outputs, sums)
        add[output.level, "write", output.word_bits] += output.words(outputs, self.machine.output_bits)
        actions.update(add)
        return actions

    def _accesses(self, operand: str, action: str, bits: int, uses: dict[int, int], steps: int) -> Actions:
        """Words that an edge moves: uses: PEs with work at it -> folds; each for ``steps`` steps."""
        buffer = self.buffers[operand]
        words = sum(buffer.words(used, bits) * folds for used, folds in uses.items())
        return Actions({(buffer.level, action, buffer.word_bits): words * steps})

    def execute(self, tile: Tile, sums: np.ndarray, low: int, high: int, saturate: bool) -> int:
        return self.products.execute(tile.products, sums, low, high, saturate)


@dataflows.add("systolic")
@dataclass(frozen=True)
class Systolic:
    """stationary: what stays in the PEs. groups: one after another, or as many as fit side by side.

    asymmetric: codes with a zero point are multiplied as differences (subtracted at the array's edge), or raw, and the
    sums corrected (see dataflows.asymmetric).
    drain: whether moving an OS fold's outputs out is hidden in the fold's last cycles (SCALE-Sim) or takes R cycles
    more. output_bits: width of a stored output. pointer_bits, codebook_bits: where weights lie encoded, the count of
    entries before each slice, and a codebook's entry.
    """

    stationary: Literal["os", "ws", "is"] = "ws"
    groups: Literal["serial", "packed"] = "serial"
    drain: Literal["hidden", "exposed"] = "hidden"
    output_bits: int = 8
    asymmetric: Asymmetric = "differences"
    pointer_bits: int = 16
    codebook_bits: int = 16

    def __post_init__(self):
        require(self, 1, "output_bits", "pointer_bits", "codebook_bits")

    def mode(self, mac: MacUnit, operands: Operands) -> Mode:
        return mac.mode(*multiplier_bits(operands, self.asymmetric))

    def tiles(
        self, layer: Layer, operands: Operands, rows: int, cols: int, mac, buffers: dict[str, Buffer],
        encodings: dict[str, Encoding], placement: Placement, mapper: Mapper,
    ) -> TiledSystolic:  # fmt: skip
        if buffers["weights"].compressed:
            raise InputError(
                f"dataflow 'systolic' reads plain weights: take weights out of `compressed` of level "
                f"'{buffers['weights'].level}' (a decoder stands before the first level without it)"
            )
        plain = replace(operands, weights=operands.weights.plain())  # its PEs have no codebook to look codes up in
        stored = plain.weights if encodings["weights"] == Dense() else operands.weights
        return TiledSystolic(
            layer, plain, stored, rows, cols, mac, buffers, encodings, placement, self, mapper
        )  # fmt: skip
