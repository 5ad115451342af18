"""A layer on a systolic array: folds of a matrix product, tile by tile (see ``systolic``)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from accel_sim.dataflows.folded.feeding import Feeding
from accel_sim.dataflows.folded.fold_space import FoldSpace, Shape, no_fill
from accel_sim.dataflows.folded.fold_tiles import TiledFolds
from accel_sim.dataflows.folded.folds import Box, FoldPlan
from accel_sim.dataflows.folded.tensor_layout import TensorLayout, bundled
from accel_sim.mapping.staging import Staging
from accel_sim.values.actions import Actions
from accel_sim.values.causes import Cause
from accel_sim.values.tile import Tile
from accel_sim.works.folds import FoldWork, Passes

if TYPE_CHECKING:
    from accel_sim.dataflows.folded.systolic import Systolic

#: stationary -> (on the rows, on the columns, streamed)
DIMENSIONS = {"os": ("pixels", "filters", "k"), "ws": ("k", "filters", "pixels"), "is": ("k", "pixels", "filters")}


@dataclass(frozen=True, eq=False)
class TiledSystolic(TiledFolds):
    """As folds of a systolic array, which load, stream and drain."""

    machine: "Systolic"

    @cached_property
    def space(self) -> FoldSpace:
        """What its mapping may be."""
        m, mode = self.machine, self.mode
        bits = {
            "inputs": self.operands.inputs.format.bits, "weights": self.operands.weights.format.bits,
            "outputs": self.placement.outputs.bits,
        }  # fmt: skip
        dims, layer = DIMENSIONS[m.stationary], self.layer
        in_memory = layer.lowered() if m.lowers(layer) else layer
        stored = None if self._whole_store.plain else (lambda: self._whole_store.bytes)
        space = FoldSpace(
            in_memory, dims, (self.rows, self.cols), 1, bits, mode.sum_bits, self._beside_the_stream, stored,
            per_lane={"k": mode.reduction, "filters": mode.outputs}, step_cycles=mode.cycles, taps=m.taps(layer),
            hidden_loads=m.overlap == "loads", stored_sums=m.stored_sums, countable=self._whole_store.countable,
            used_alone=m.part_folds == "used",
        )  # fmt: skip
        if m.groups == "packed" and layer.G > 1:
            used = [space.lanes(dim, space.sizes[dim]) // space.apart(dim) for dim in dims[:2]]
            if used[0] <= self.rows and used[1] <= self.cols:
                space = replace(space, pack=min(self.rows // used[0], self.cols // used[1], layer.G))
        return space

    def _beside_the_stream(self, rows: int, cols: int) -> tuple[int, int]:
        """(load, skew) cycles of a fold of so many rows and columns."""
        m, mode = self.machine, self.mode
        if m.overlap == "folds":
            return no_fill(rows, cols)
        if m.stationary == "os":
            return 0, rows + cols - 2 + self._window_cycles + rows * (m.drain == "exposed")
        return rows, (rows - 1) * mode.cycles + cols - 1 + self._window_cycles

    @cached_property
    def plan(self) -> FoldPlan:
        """Its tiles by the mapping that was found or given."""
        nest = self._nest()
        return FoldPlan(
            self.space, nest, self.buffers, self.placement, self._store(nest), self.machine.initial_sums == "loaded",
            self.machine.stored_sums,
        )  # fmt: skip

    def _tile(self, box: Box, staging: Staging) -> Tile:
        plan = self.plan
        products, steps = self.products.slots(box.ranges), plan.steps(box)
        effectual, ineffectual = self._lane_slots(*products, plan.mapped(box) * steps)
        passes, again = self._passes(box)
        work = FoldWork(
            passes=passes,
            stream=steps * self.mode.cycles,
            lanes=self.rows * self.cols,
            effectual=effectual,
            ineffectual=ineffectual,
            loading=self._loading,
            stalls=self._stalls(box),
            again=again,
        )
        actions = self._actions(box, *products)
        streams = plan.streams(box, staging)
        return Tile(
            work, streams, actions, plan.outputs(box), box.ranges, self._correction_ops(box),
            macs_effectual=products[0], fields=plan.store.fields(box.ranges),
        )  # fmt: skip

    def _passes(self, box: Box) -> tuple[tuple[Passes, ...], int]:
        """(folds that last equally long together, cycles of loads and skews beyond one a fold)."""
        space, steps, again = self.space, self.plan.steps(box), 0
        stream, size = space.dims[2], space.sizes[space.dims[2]]
        begins, ends = box.ranges.begins(stream), box.ranges.ends(stream, size)
        found: dict[tuple[int, int], tuple[int, int]] = {}
        for shape in self.plan.shapes(box):
            load, skew = space.around(shape.rows, shape.cols, steps)
            load, skew = load * box.first_piece, skew * box.last_piece
            once, _ = space.around(shape.rows, shape.cols, space.lanes(stream, size))
            again += shape.folds * (load - once * box.first_piece * begins + skew * (not ends))
            folds, mapped = found.get((load, skew), (0, 0))
            found[load, skew] = folds + shape.folds, mapped + shape.folds * shape.lanes
        return tuple(Passes(folds, *beside, mapped) for beside, (folds, mapped) in found.items()), again

    def _lane_slots(self, effectual: int, ineffectual: int, lane_steps: int) -> tuple[int, int]:
        """(effectual, ineffectual) slots of so many products: a step of a lane has ``reduction * outputs`` places, and
        each is that share of the step's slots; places without a product are ineffectual. Rounded to whole slots."""
        mode = self.mode
        places = mode.reduction * mode.outputs
        empty = lane_steps * places - effectual - ineffectual
        return effectual * mode.cycles // places, -(-(ineffectual + empty) * mode.cycles // places)

    @cached_property
    def feeding(self) -> Feeding:
        """How fast the buffers and their networks feed the array's edges."""
        plan, space = self.plan, self.space
        edges = {edge: plan.operand_on(edge) for edge in ("rows", "cols")}
        streamed = {edge: (name, space.bits[name]) for edge, name in edges.items() if name != "outputs"}
        sums = None if plan.operand_on("both") == "outputs" else self.mode.sum_bits
        together = space.width(space.dims[2])
        return Feeding(self.rows, self.cols, self.buffers, streamed, sums, together, self.mode.cycles)

    def _folds(self, box: Box) -> Iterator[tuple[Shape, bool, int]]:
        """(what it takes of the array, sums are read back, how many) of the folds of a tile."""
        begins = box.ranges.begins(self.space.dims[0])  # sums of the first row fold begin at the bias
        for shape in self.plan.shapes(box):
            fresh = shape.first if begins else 0
            yield from ((shape, back, n) for back, n in ((False, fresh), (True, shape.folds - fresh)) if n)

    @property
    def _loading(self) -> Cause:
        """What the array waits for while its held operand is loaded."""
        held = self.plan.operand_on("both")
        return Cause("sram", self.buffers[held].level, held)

    def _stalls(self, box: Box) -> dict[Cause, tuple[int, int]]:
        """cause -> (cycles, slots of mapped lanes) that the stream lasts longer than a step a cycle."""
        if self.buffers["inputs"].layout == "tensor" and self.plan.operand_on("rows") == "inputs":
            return self._conflicts(box)
        stalls: dict[Cause, tuple[int, int]] = {}
        for shape, back, folds in self._folds(box):
            late, cause = self.feeding.late(shape, back)
            if late:
                cycles, mapped = stalls.get(cause, (0, 0))
                more = late * self.plan.steps(box) * folds
                stalls[cause] = cycles + more, mapped + more * shape.lanes
        return stalls

    def _conflicts(self, box: Box) -> dict[Cause, tuple[int, int]]:
        """As ``_stalls``, where inputs lie as in the tensor: every step of every row fold by its addresses."""
        r, space = box.ranges, self.space
        stalls: dict[Cause, tuple[int, int]] = {}
        across, wide, stream = space.dims
        layout = TensorLayout(self.layer, self.operands.inputs.format.bits, self.buffers["inputs"])
        along, each = np.arange(*getattr(r, stream)), self.mode.cycles
        high, width = space.blocks[across], self.mode.reduction
        first, last = getattr(r, across)
        cols = space.parts(wide, getattr(r, wide)[1] - getattr(r, wide)[0])
        by_address = Cause("sram", self.buffers["inputs"].level, "inputs")
        for group in range(*r.groups):
            for low in range(first, last, high):
                rows = np.arange(low, min(low + high, last))
                pixels, k = (rows, along) if across == "pixels" else (along, rows)
                steps = layout.steps(bundled(layout.addresses(group, pixels, k), across == "pixels", width))
                for used, lanes, folds in cols:
                    shape = Shape(space.lanes(across, len(rows)), lanes, len(rows), used, 1, 1)
                    need, other = self.feeding.step(shape, across == "k" and low > 0)
                    slow = steps >= max(need, each)
                    for cause, late in ((by_address, steps[slow] - each), (other, (need - each) * np.sum(~slow))):
                        more = int(np.sum(late)) * folds
                        if more > 0:
                            cycles, mapped = stalls.get(cause, (0, 0))
                            stalls[cause] = cycles + more, mapped + more * shape.rows * shape.cols
        return stalls

    def _actions(self, box: Box, effectual: int, ineffectual: int) -> Actions:
        """Accesses of buffers and hops between neighbouring PEs.

        A streamed operand enters at the array's edge once per fold and hops up to the last PE with work (those behind
        are clock-gated); a stationary one hops down its column while it is loaded; sums stay in their PE (OS) or hop
        down to the bottom edge, through rows without work too, and are kept in the output
        buffer, from which every row fold but the first reads them back (WS, IS).
        """
        plan, space, sums, steps = self.plan, self.space, self.mode.sum_bits, self.plan.steps(box)
        bits = {"inputs": self.operands.inputs.format.bits, "weights": self.operands.weights.format.bits}
        by_rows, by_cols, held = (plan.operand_on(role) for role in ("rows", "cols", "both"))
        actions = self.mac.actions(
            effectual + ineffectual, self.products.toggling(box.ranges, effectual), self.mode
        )  # fmt: skip
        actions.update(self._zero_point(box))
        at_rows, at_cols = plan.edge_steps(box)
        lane_steps = plan.mapped(box) * steps
        add = self._accesses(by_rows, "read", bits[by_rows], at_rows, steps)
        add["register", "hop", bits[by_rows]] += lane_steps * space.values(by_rows)
        output = self.buffers["outputs"]
        if held == "outputs":
            add.update(self._accesses(by_cols, "read", bits[by_cols], at_cols, steps))
            add["register", "hop", bits[by_cols]] += lane_steps * space.values(by_cols)
            add["register", "read", sums] += lane_steps * space.values(held)
            add["register", "write", sums] += lane_steps * space.values(held)
            if box.last_piece:
                add[output.level, "write", output.word_bits] += output.words(plan.held(box), sums)
        else:
            if box.first_piece:
                buffer = self.buffers[held]
                again = steps if self.machine.overlap == "folds" else 1  # from the PE's own buffer in each step
                add[buffer.level, "read", buffer.word_bits] += buffer.words(plan.held(box), bits[held]) * again
                add["register", "hop", bits[held]] += plan.load_hops(box) * space.values(held)
            leaving = sum(used * count for used, count in at_cols.items()) * space.width(space.dims[2])
            add["register", "hop", sums] += leaving * steps * self.rows
            add.update(self._accesses("outputs", "write", sums, at_cols, steps))
            folds, begins = plan.row_folds(box), box.ranges.begins(space.dims[0])
            back = {used: count - count // folds if begins else count for used, count in at_cols.items()}
            add.update(self._accesses("outputs", "read", sums, back, steps))
        width = {**bits, "outputs": sums}[held]
        for shape, read_back, folds in self._folds(box):
            add.update(self.feeding.hops(shape, steps, read_back).times(folds))
            if box.last_piece if held == "outputs" else box.first_piece:
                add.update(self.feeding.held(held, width, shape, space.values(held)).times(folds))
        outputs = plan.outputs(box)  # the post-processing unit turns each finished sum into a code
        add[output.level, "read", output.word_bits] += output.words(outputs, sums)
        add[output.level, "write", output.word_bits] += output.words(outputs, self.placement.outputs.bits)
        actions.update(add)
        return actions

    def _accesses(self, operand: str, action: str, bits: int, uses: dict[int, int], steps: int) -> Actions:
        """Words that an edge moves: uses: elements at it -> folds; each for ``steps`` steps."""
        buffer, together = self.buffers[operand], self.space.width(self.space.dims[2])
        words = sum(buffer.words(used * together, bits) * folds for used, folds in uses.items())
        return Actions({(buffer.level, action, buffer.word_bits): words * steps})
