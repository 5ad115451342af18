"""Cycles of the steps of a vector array, by the cost table of its MAC unit."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_sim.dataflows.vector.vector_schedule import Schedule, as_terms
from accel_sim.macs.unit import CostTable
from cython_core import serial
from workloads.layer import Layer


@dataclass(frozen=True, eq=False)
class BrickCosts:
    """A step reads a brick (``lanes`` channels of one tap) of each of ``windows`` output pixels.

    inputs: [N, C, H, W] and weights: [M, K] int32 integers as they are multiplied. shared: windows whose values have
    one width where the unit finds it (operator 'or_width').
    """

    layer: Layer
    inputs: np.ndarray
    weights: np.ndarray
    table: CostTable
    lanes: int
    windows: int
    shared: int = 1

    @property
    def by_pairs(self) -> bool:
        """The weights matter too."""
        return self.table.table.ndim == 2

    @property
    def bricks(self) -> int:
        """Of a group's channels."""
        return -(-(self.layer.C // self.layer.G) // self.lanes)

    def lanes_used(self, bricks: tuple[int, int], taps: tuple[int, int]) -> np.ndarray:
        """[steps] lanes that have a channel, of the steps of these bricks, each for these taps."""
        channels = self.layer.C // self.layer.G - np.arange(*bricks) * self.lanes
        return np.repeat(np.minimum(channels, self.lanes), taps[1] - taps[0])

    def _by_channel(self, values: np.ndarray) -> np.ndarray:
        """[N, C, H, W] -> [N, G, bricks, lanes, H, W], 0 in lanes without a channel."""
        layer = self.layer
        by_group = values.reshape(layer.N, layer.G, -1, layer.H, layer.W)
        missing = self.bricks * self.lanes - layer.C // layer.G
        padded = np.pad(by_group, ((0, 0), (0, 0), (0, missing), (0, 0), (0, 0)))
        return padded.reshape(layer.N, layer.G, self.bricks, self.lanes, layer.H, layer.W)

    def _by_pixel(self, values: np.ndarray) -> np.ndarray:
        """[N, C, H, W] -> [G, N, H, W, bricks * lanes], 0 in lanes without a channel."""
        found = np.ascontiguousarray(self._by_channel(values).transpose(1, 0, 4, 5, 2, 3))
        return found.reshape(*found.shape[:4], -1)

    @cached_property
    def _at_input(self) -> tuple[np.ndarray, int]:
        """([G, N, H, W, bricks] int32, the same of a padding tap): cycles of a brick, or the OR of its patterns."""
        table, lanes = self.table, self.lanes
        outside = int(table.table[-table.a_min])
        if table.operator == "two_stage":
            found, outside = self._two_stage_steps(), max(1, outside.bit_count())
        else:
            values = self._by_channel(table.table[self.inputs - table.a_min])
            if table.operator == "or_width":
                found = np.bitwise_or.reduce(values, axis=3)
            else:
                found = values.max(axis=3) if table.operator == "max" else values.sum(axis=3, dtype=np.int32)
                found, outside = np.maximum(found, 1), max(1, outside * (lanes if table.operator == "sum" else 1))
        return np.ascontiguousarray(found.transpose(1, 0, 3, 4, 2)), outside

    def _two_stage_steps(self) -> np.ndarray:
        """[N, G, bricks, H, W] int32."""
        values = self._by_channel(as_terms(self.table.table)[self.inputs - self.table.a_min])
        found = np.empty(values.shape[:3] + values.shape[4:], np.int32)
        pixels = self.layer.H * self.layer.W
        serial.two_stage(values.reshape(-1, self.lanes, pixels), self.table.reach, found.reshape(-1, pixels))
        return found

    def of(
        self, group: int, pixels: tuple[int, int], bricks: tuple[int, int], taps: tuple[int, int],
        filters: tuple[int, int],
    ) -> np.ndarray:  # fmt: skip
        """[window groups, steps, windows] int32 cycles, 0 beyond the last pixel; steps: bricks outside, taps inside.

        filters: [first, last) of the group, which share the step.
        """
        if taps == (0, self.layer.R * self.layer.S):
            return self._of(group, pixels, bricks, filters)
        at = group, pixels, bricks
        if at not in self._last:  # tiles with the other taps of these bricks come next
            self._last.clear()
            self._last[at] = {}
        if filters not in self._last[at]:
            self._last[at][filters] = self._of(*at, filters)
        found = self._last[at][filters]
        by_tap = found.reshape(len(found), bricks[1] - bricks[0], -1, self.windows)[:, :, slice(*taps)]
        return np.ascontiguousarray(by_tap.reshape(len(found), -1, self.windows))

    @cached_property
    def _last(self) -> dict[tuple, dict[tuple[int, int], np.ndarray]]:
        """(group, pixels, bricks) of the last tile with some of the taps -> filters -> cycles of all taps."""
        return {}

    def _of(self, group: int, pixels: tuple[int, int], bricks: tuple[int, int], filters: tuple[int, int]) -> np.ndarray:
        """As ``of``, for all taps."""
        count, taps = pixels[1] - pixels[0], self.layer.R * self.layer.S
        shape = -(-count // self.windows), (bricks[1] - bricks[0]) * taps, self.windows
        if self.table.constant is not None and not self.by_pairs:
            found = np.full(shape, max(1, self.table.constant), np.int32)
        elif self.by_pairs:
            found = self._pairs(shape, group, pixels, bricks, filters)
        else:
            at_input, outside = self._at_input
            found = np.zeros(shape, np.int32)
            serial.gather(at_input[group], self.layer.geometry, *pixels, *bricks, outside, found)
            if self.table.operator == "or_width":
                found = self._widths(found)
        found *= self.table.factor
        last = count % self.windows
        if last:
            found[-1, :, last:] = 0
        return found

    def _widths(self, patterns: np.ndarray) -> np.ndarray:
        """Patterns of windows -> cycles, the same for ``shared`` windows in a row."""
        shared = min(self.shared, self.windows)
        missing = -self.windows % shared
        groups = np.pad(patterns, ((0, 0), (0, 0), (0, missing))).reshape(-1, shared)
        width = np.empty(len(groups), np.int32)
        serial.widths(groups, self.table.trim, width)
        each = np.repeat(width, shared).reshape(*patterns.shape[:2], -1)
        return np.ascontiguousarray(each[:, :, : self.windows])

    @cached_property
    def _entries(self) -> np.ndarray:
        """[G, N, H, W, bricks * lanes] int32 what each activation costs: its row of the table."""
        return self._by_pixel(self.table.table[self.inputs - self.table.a_min])

    def schedule(
        self, group: int, bricks: tuple[int, int], taps: tuple[int, int], filters: tuple[int, int], lookahead: int,
        lookaside: int,
    ) -> Schedule:  # fmt: skip
        """Of the weights of these filters, which tiles of all pixels share."""
        key = group, bricks, taps, filters, lookahead, lookaside
        if key not in self._schedules:
            weights = self._weights_in_steps(group, bricks, taps, filters)
            self._schedules[key] = Schedule.of(weights, lookahead, lookaside)
        return self._schedules[key]

    @cached_property
    def _schedules(self) -> dict[tuple, Schedule]:
        return {}

    def scheduled(
        self, schedule: Schedule, group: int, pixels: tuple[int, int], bricks: tuple[int, int], taps: tuple[int, int]
    ) -> np.ndarray:
        """As ``of``, steps those of the schedule."""
        first, last = bricks[0] * self.lanes, bricks[1] * self.lanes
        every, parts = self.layer.R * self.layer.S, []
        outside, two_stage = int(self.table.table[-self.table.a_min]), self.table.operator == "two_stage"
        for low in range(*pixels, self.windows):
            at = low, min(low + self.windows, pixels[1])
            entries = np.zeros((1, (last - first) * every, self.windows), np.int32)
            serial.gather(self._entries[group], self.layer.geometry, *at, first, last, outside, entries)
            entries = entries.reshape(-1, self.lanes, every, self.windows)[:, :, slice(*taps)].transpose(0, 2, 1, 3)
            cost = schedule.costs(entries.reshape(-1, self.lanes, self.windows), two_stage, self.table.reach)
            cost[:, at[1] - at[0] :] = 0
            parts.append(cost)
        return np.stack(parts)

    def _weights_in_steps(
        self, group: int, bricks: tuple[int, int], taps: tuple[int, int], filters: tuple[int, int]
    ) -> np.ndarray:
        """[filters, steps, lanes] integers, 0 in lanes without a channel; bricks outside, taps inside."""
        layer, per_group = self.layer, self.layer.M // self.layer.G
        mine = self.weights[group * per_group + filters[0] : group * per_group + filters[1]]
        mine = mine.reshape(len(mine), -1, layer.R * layer.S)
        padded = np.pad(mine, ((0, 0), (0, self.bricks * self.lanes - mine.shape[1]), (0, 0)))
        parts = padded.reshape(len(mine), self.bricks, self.lanes, -1)[:, slice(*bricks), :, slice(*taps)]
        return parts.transpose(0, 1, 3, 2).reshape(len(mine), -1, self.lanes)

    @cached_property
    def _ranked(self) -> tuple[np.ndarray, np.ndarray, bool]:
        """(table with a row and a column for lanes without a product, [M, taps, channels] int32 columns of it, whether
        a later column is never cheaper: then the dearest weight of a lane decides)."""
        table = self.table
        order = np.argsort(table.table.sum(axis=0, dtype=np.int64), kind="stable")
        ordered = table.table[:, order]
        total = bool((np.diff(ordered, axis=1) >= 0).all())
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(1, len(order) + 1)
        layer, channels = self.layer, self.layer.C // self.layer.G
        columns = rank[self.weights - table.w_min].reshape(layer.M, channels, layer.R * layer.S).transpose(0, 2, 1)
        padded = np.pad(columns, ((0, 0), (0, 0), (0, self.bricks * self.lanes - channels)))
        return np.ascontiguousarray(np.pad(ordered, ((1, 0), (1, 0)))), padded.astype(np.int32), total

    @cached_property
    def _code_rows(self) -> np.ndarray:
        """[G, N, H, W, bricks * lanes] int32 rows of the ranked table."""
        return self._by_pixel(self.inputs - self.table.a_min + 1)

    def _pairs(
        self, shape: tuple[int, int, int], group: int, pixels: tuple[int, int], bricks: tuple[int, int],
        filters: tuple[int, int],
    ) -> np.ndarray:  # fmt: skip
        table, columns, total = self._ranked
        groups, steps, windows = shape
        first, last = bricks[0] * self.lanes, bricks[1] * self.lanes
        taps, per_group = self.layer.R * self.layer.S, self.layer.M // self.layer.G
        mine = columns[group * per_group + filters[0] : group * per_group + filters[1], :, first:last]
        mine = mine.max(axis=0, keepdims=True) if total else mine
        # [filters, taps, bricks, lanes] -> [bricks, taps, filters, lanes]
        weights = mine.reshape(len(mine), taps, -1, self.lanes).transpose(2, 1, 0, 3).reshape(steps, len(mine), -1)
        weights, rows = np.ascontiguousarray(weights), self._code_rows[group]
        found, outside = np.zeros((groups, steps * windows), np.int32), 1 - self.table.a_min
        for number in range(groups):  # codes of one group of windows at a time
            at = pixels[0] + number * windows, min(pixels[0] + (number + 1) * windows, pixels[1])
            codes = np.zeros((1, (last - first) * taps, windows), np.int32)
            serial.gather(rows, self.layer.geometry, *at, first, last, outside, codes)
            codes = codes.reshape(-1, self.lanes, taps, windows).transpose(0, 2, 3, 1).reshape(steps, windows, -1)
            serial.pair_max(np.ascontiguousarray(codes), weights, table, found[number])
        return np.maximum(found, 1).reshape(shape)
