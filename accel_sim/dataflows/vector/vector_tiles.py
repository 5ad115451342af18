"""A layer on a vector array: passes of window columns over the steps of a reduction (see ``vector``)."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from accel_sim.dataflows.common import Facts
from accel_sim.dataflows.folded.fold_space import FoldSpace, no_fill
from accel_sim.dataflows.folded.fold_tiles import TiledFolds
from accel_sim.dataflows.folded.folds import Box, FoldPlan
from accel_sim.dataflows.vector.vector_cost import BrickCosts
from accel_sim.macs.unit import Mode
from accel_sim.mapping.staging import Staging
from accel_sim.values.actions import Actions
from accel_sim.values.tile import Tile
from accel_sim.works.columns import ColumnWork
from workloads.formats.codes import Codes

if TYPE_CHECKING:
    from accel_sim.dataflows.vector.vector import Vector

#: of a group: (cost, rows, mapped, height, staggered, products), as in Steps
Part = tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of a tile in order, as in ``tile.ColumnWork``. products: of a window in each step; inputs, weights:
    values read from the buffers."""

    cost: np.ndarray
    rows: np.ndarray
    mapped: np.ndarray
    height: np.ndarray
    staggered: np.ndarray
    products: np.ndarray
    inputs: int
    weights: int


@dataclass(frozen=True, eq=False)
class TiledVector(TiledFolds):
    """Rows of the array are filters, columns are windows (or, with one window a layer, further filters).

    mode: of a PE, which has ``lanes`` MAC units; unit_mode: of one of these.
    """

    machine: "Vector"
    unit_mode: Mode

    @property
    def one_window(self) -> bool:
        """Whether columns take further filters instead of windows."""
        return self.layer.E * self.layer.F == 1

    @cached_property
    def space(self) -> FoldSpace:
        """What its mapping may be; a fold is a pass of the array's rows and columns."""
        layer = self.layer
        bits = {
            "inputs": self.operands.inputs.format.bits, "weights": self.operands.weights.format.bits,
            "outputs": self.placement.outputs.bits,
        }  # fmt: skip
        stored = None if self._whole_store.plain else (lambda: self._whole_store.bytes)
        array, cycles = (self.rows, self.cols), self.mode.cycles
        if self.one_window:
            array, cycles = (self.rows * self.cols, 1), max(self.mode.cycles, self.cols)
        return FoldSpace(
            layer, ("filters", "pixels", "k"), array, 1, bits, self.mode.sum_bits, no_fill, stored,
            per_lane={"k": self.mode.reduction, "filters": self.mode.outputs}, step_cycles=cycles,
            taps=layer.R * layer.S, countable=self._whole_store.countable,
        )  # fmt: skip

    @cached_property
    def plan(self) -> FoldPlan:
        """Its tiles by the mapping that was found or given."""
        nest = self._nest()
        return FoldPlan(self.space, nest, self.buffers, self.placement, self._store(nest))

    @cached_property
    def costs(self) -> BrickCosts:
        """Cycles of every step, from the layer's data."""
        inputs, weights = self.operands.inputs, self.operands.weights
        table = self.mac.cost(self.unit_mode, *(self._signed(codes) for codes in (inputs, weights)))
        windows = 1 if self.one_window else self.cols
        shared = max(1, getattr(self.mac, "group_values", 1) // self.mode.reduction)
        return BrickCosts(
            self.layer, inputs.integers(), weights.integers().reshape(self.layer.M, -1), table, self.mode.reduction,
            windows, shared,
        )  # fmt: skip

    def _signed(self, codes: Codes) -> bool:
        """Whether values are two's complement in the mode; where the data says its width, they are if one is negative,
        as ``fewest_bits`` counts."""
        return signed(codes) and (self.machine.precision == "format" or int(codes.integers().min()) < 0)

    def _bricks(self, box: Box) -> tuple[int, int]:
        """Bricks of channels of a tile."""
        each = self.mode.reduction * self.layer.R * self.layer.S
        return box.ranges.k[0] // each, -(-box.ranges.k[1] // each)

    def _filter_groups(self, box: Box) -> list[tuple[int, int]]:
        (first, last), together = box.ranges.filters, self.rows * self.mode.outputs
        return [(low, min(low + together, last)) for low in range(first, last, together)]

    def _heights(self, filters: list[tuple[int, int]]) -> np.ndarray:
        """Rows with work, of each group of filters."""
        return np.array([-(-(last - first) // self.mode.outputs) for first, last in filters])

    def steps(self, box: Box) -> Steps:
        """Groups outside, then windows, then filters, then bricks of channels, then taps."""
        make = (self._one_window_steps if self.one_window else self._window_steps, self._scheduled_steps)
        parts = make[self.machine.lookahead > 0](box)
        costs = [part[0] for part in parts]
        before = np.cumsum([0, *map(len, costs)])
        rows = np.concatenate([part[1] + at for part, at in zip(parts, before, strict=False)])
        mapped, height, staggered, products = (np.concatenate([part[i] for part in parts]) for i in (2, 3, 4, 5))
        heights = int(height.sum())
        inputs = int((mapped if not self.one_window else staggered == 0).sum())
        each = self.mode.reduction
        cost = np.ascontiguousarray(np.concatenate(costs))
        return Steps(
            cost, _int32(rows), _int32(mapped), _int32(height), _int32(staggered), products, inputs * each,
            heights * each * self.mode.outputs,
        )  # fmt: skip

    def _window_steps(self, box: Box) -> list[Part]:
        """Of each group: (cost, rows, mapped, height, nothing, products)."""
        filters, pixels, bricks = self._filter_groups(box), box.ranges.pixels, self._bricks(box)
        parts: list[Part] = []
        apart, taps = filters if self.costs.by_pairs else filters[:1], box.ranges.taps
        for group in range(*box.ranges.groups):
            cost = np.stack([self.costs.of(group, pixels, bricks, taps, each) for each in apart], axis=1)
            windows, _, steps, _ = cost.shape
            own = np.arange(windows * len(apart) * steps).reshape(windows, len(apart), steps)
            shape = windows, len(filters), steps
            mapped = np.full(windows, self.cols)
            mapped[-1] = (pixels[1] - pixels[0] - 1) % self.cols + 1
            height, products = self._heights(filters), np.outer(_lengths(filters), self.costs.lanes_used(bricks, taps))
            every = (own, mapped[:, None, None], height[None, :, None], products[None])
            rows, mapped, height, products = (np.broadcast_to(each, shape).ravel() for each in every)
            parts.append((cost.reshape(-1, self.cols), rows, mapped, height, _NONE, products))
        return parts

    def _one_window_steps(self, box: Box) -> list[Part]:
        """Of each group and pixel: columns take a filter group each, and do a brick one after another."""
        filters, bricks, taps = self._filter_groups(box), self._bricks(box), box.ranges.taps
        parts: list[Part] = []
        apart = filters if self.costs.by_pairs else filters[:1]
        height, products = self._heights(filters), np.outer(_lengths(filters), self.costs.lanes_used(bricks, taps))
        for group in range(*box.ranges.groups):
            for pixel in range(*box.ranges.pixels):
                at = (pixel, pixel + 1)
                cost = np.concatenate([self.costs.of(group, at, bricks, taps, each)[0] for each in apart])
                steps = len(cost) // len(apart)
                order = [
                    (low + column, step, column)
                    for low in range(0, len(filters), self.cols)
                    for step in range(steps)
                    for column in range(min(self.cols, len(filters) - low))
                ]
                number, step, column = np.array(order).T
                rows = step + (number * steps if len(apart) > 1 else 0)
                parts.append((cost, rows, np.ones(len(rows), int), height[number], column, products[number, step]))
        return parts

    def _scheduled_steps(self, box: Box) -> list[Part]:
        """As the other two, where every group of filters has a schedule of its own."""
        filters, pixels, bricks = self._filter_groups(box), box.ranges.pixels, self._bricks(box)
        parts: list[Part] = []
        height, m, taps = self._heights(filters), self.machine, box.ranges.taps
        for group in range(*box.ranges.groups):
            schedules = [self.costs.schedule(group, bricks, taps, each, m.lookahead, m.lookaside) for each in filters]
            # each [window groups, steps, windows]
            costs = [self.costs.scheduled(schedule, group, pixels, bricks, taps) for schedule in schedules]
            products = [schedule.products for schedule in schedules]
            before = np.cumsum([0, *(cost.shape[0] * cost.shape[1] for cost in costs)])
            cost = np.concatenate([cost.reshape(-1, cost.shape[2]) for cost in costs])
            count, windows = len(costs[0]), costs[0].shape[2]
            last = (pixels[1] - pixels[0] - 1) % windows + 1
            order: list[tuple[int, int, int, int, int]] = []  # row, windows, rows of the array, column, products
            for window in range(count):
                used = last if window == count - 1 else windows
                for low in range(0, len(filters), self.cols if self.one_window else 1):
                    together = range(low, min(low + self.cols, len(filters)) if self.one_window else low + 1)
                    for step in range(max(costs[f].shape[1] for f in together)):
                        order += [
                            (before[f] + window * costs[f].shape[1] + step, used, height[f], f - low, products[f][step])
                            for f in together if step < costs[f].shape[1]
                        ]  # fmt: skip
            rows, mapped, high, column, each = np.array(order).T
            parts.append((cost, rows, mapped, high, column if self.one_window else _NONE, each))
        return parts

    @cached_property
    def facts(self) -> Facts:
        """With weights scheduled ahead, products of zero weights are not issued."""
        facts = super().facts
        if not self.machine.lookahead:
            return facts
        layer = self.layer
        kept = int(np.count_nonzero(self.operands.weights.integers())) * layer.N * layer.E * layer.F
        note = f"lookahead: {kept:,} of {layer.macs:,} products have a weight that is not zero"
        return replace(facts, macs_issued=kept, notes=(*facts.notes, note))

    def _tile(self, box: Box, staging: Staging) -> Tile:
        plan, steps = self.plan, self.steps(box)
        effectual, _ = self.products.slots(box.ranges)
        lane_steps = int((steps.mapped.astype(np.int64) * steps.height).sum())
        depth = self.machine.column_registers
        work = ColumnWork(
            steps.cost, steps.rows, steps.mapped, steps.height, self.cols, self.rows, -1 if depth is None else depth,
            effectual, lane_steps * self.mode.reduction * self.mode.outputs, steps.staggered,
        )  # fmt: skip
        actions = self._accessed(box, steps, effectual, lane_steps)
        streams = plan.streams(box, staging)
        return Tile(
            work, streams, actions, plan.outputs(box), box.ranges,
            macs_effectual=effectual, fields=plan.store.fields(box.ranges),
        )  # fmt: skip

    def _accessed(self, box: Box, steps: Steps, effectual: int, lane_steps: int) -> Actions:
        """A step reads a brick of every window and of every filter, and adds a sum in every PE; sums stay there."""
        sums, held = self.mode.sum_bits, self.plan.held(box)
        issued = int(steps.mapped @ steps.products)
        cycles = int(steps.cost.sum(axis=1, dtype=np.int64)[steps.rows] @ steps.products)
        actions = self.mac.actions(issued, effectual, self.unit_mode, cycles)
        actions.update(self._zero_point(box))
        for operand, values in (("inputs", steps.inputs), ("weights", steps.weights)):
            buffer, bits = self.buffers[operand], getattr(self.operands, operand).format.bits
            actions[buffer.level, "read", buffer.word_bits] += buffer.words(values, bits)
        for action in ("read", "write"):
            actions["accumulator", action, sums] += lane_steps * self.mode.outputs
        output = self.buffers["outputs"]
        finished = self.plan.outputs(box)  # the post-processing unit turns each finished sum into a code
        if box.last_piece:
            actions[output.level, "write", output.word_bits] += output.words(held, sums)
        actions[output.level, "read", output.word_bits] += output.words(finished, sums)
        actions[output.level, "write", output.word_bits] += output.words(finished, self.placement.outputs.bits)
        return actions


_NONE = np.zeros(0, np.int64)


def _lengths(spans: list[tuple[int, int]]) -> np.ndarray:
    return np.array([last - first for first, last in spans])


def _int32(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.int32)


def signed(codes: Codes) -> bool:
    """Some value of the format is negative once its zero point is taken off."""
    form = codes.format
    if form.codebook is not None:
        return min(form.codebook) < 0
    points = (form.zero_point,) if isinstance(form.zero_point, int) else form.zero_point
    return form.low < max(points)
