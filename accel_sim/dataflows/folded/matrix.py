"""The products of a layer seen as one matrix product per group: how many are effectual, and their exact issue."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_sim.dataflows.asymmetric import RawProducts
from accel_sim.dataflows.folded.ranges import Ranges
from accel_sim.dataflows.folded.weight_store import WeightStore
from cython_core.accumulate import dense_products
from cython_core.grids import gather_taps, tap_counts
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.operands import MacOperands


@dataclass(frozen=True, eq=False)
class MatrixProducts:
    """pixel_block, filter_block: ranges asked for begin and end at multiples of these (or at the end).

    steps: [T, products] indices k in the order of their additions, -1 = none.
    raw: what is multiplied instead of differences from the zero point, or None.
    """

    layer: Layer
    operands: MacOperands
    store: WeightStore
    pixel_block: int
    filter_block: int
    steps: np.ndarray
    raw: RawProducts | None = None

    @cached_property
    def _inputs(self) -> np.ndarray:
        return np.ascontiguousarray(self.operands.inputs.integers(), dtype=np.int32)

    @cached_property
    def _nonzero_inputs(self) -> np.ndarray:
        """[pixel blocks + 1, G, K] non-zero inputs before each block."""
        return _before(np.asarray(tap_counts(self._inputs, self.layer.geometry, self.pixel_block)))

    @cached_property
    def _nonzero_weights(self) -> np.ndarray:
        """[filter blocks + 1, G, K] non-zero weights before each block."""
        layer = self.layer
        nonzero = (self.operands.weights.integers() != 0).reshape(layer.G, -1, layer.K).transpose(1, 0, 2)
        starts = np.arange(0, nonzero.shape[0], self.filter_block)
        return _before(np.add.reduceat(nonzero, starts, axis=0, dtype=np.int32))

    def slots(self, r: Ranges) -> tuple[int, int]:
        """(effectual, ineffectual) products: both operands non-zero; a zero or padding input, or a zero weight."""
        pixels, filters = r.pixels[1] - r.pixels[0], r.filters[1] - r.filters[0]
        a = self._within(self._nonzero_inputs, r.pixels, self.pixel_block, r)
        w = self._within(self._nonzero_weights, r.filters, self.filter_block, r)
        effectual = int(np.vdot(a, w))
        zero_input = int((pixels - a).sum()) * filters
        zero_weight = int(np.vdot(a, filters - w))
        return effectual, zero_input + zero_weight

    def toggling(self, r: Ranges, effectual: int) -> int:
        """Products that a unit gated by zero operands spends energy on: it cannot see the zeros of a raw operand."""
        if self.raw is None:
            return effectual
        pixels, filters = r.pixels[1] - r.pixels[0], r.filters[1] - r.filters[0]
        a = self._within(self._nonzero_inputs, r.pixels, self.pixel_block, r)
        w = self._within(self._nonzero_weights, r.filters, self.filter_block, r)
        a = np.full_like(a, pixels) if self.raw.inputs_raw else a
        w = np.full_like(w, filters) if self.raw.weights_raw else w
        return int(np.vdot(a, w))

    def _within(self, before: np.ndarray, span: tuple[int, int], block: int, r: Ranges) -> np.ndarray:
        first, last = span[0] // block, -(-span[1] // block)
        of_tile = before[last, slice(*r.groups)][:, r.columns].astype(np.int64)
        return (of_tile - before[first, slice(*r.groups)][:, r.columns]).ravel()

    @cached_property
    def _weights(self) -> np.ndarray:
        """[M, K] float64 integers, decoded from the stored stream."""
        codes = self.store.decoded()
        if self.raw is not None:
            codes = Codes(codes.values, self.raw.weights.format)
        return np.ascontiguousarray(codes.integers().reshape(self.layer.M, self.layer.K), dtype=np.float64)

    @cached_property
    def _largest_sum(self) -> int:
        """No sum, partial or whole, can exceed this."""
        return self.layer.K * int(np.abs(self._factors[0]).max()) * int(np.abs(self._weights).max())

    @cached_property
    def _factors(self) -> tuple[np.ndarray, np.ndarray]:
        """([N, C, H, W] int32 inputs as they are multiplied, their geometry)."""
        if self.raw is None:
            return self._inputs, self.layer.geometry
        return self.raw.inputs, self.raw.layer.geometry

    def execute(self, r: Ranges, sums: np.ndarray, low: int, high: int, saturate: bool) -> int:
        """Adds the products of these ranges to sums [N*E*F, M], step after step; returns the overflows."""
        overflows, per_group = 0, self.layer.M // self.layer.G
        safe = self._largest_sum <= min(high, 1 << 53)
        columns, order = r.columns, np.arange(self.layer.K)[r.columns]
        for g in range(*r.groups):
            a = np.empty((r.pixels[1] - r.pixels[0], r.k[1] - r.k[0]))
            gather_taps(*self._factors, *r.pixels, g, *r.k, a)
            if not isinstance(columns, slice):
                a = np.ascontiguousarray(a[:, columns - r.k[0]])
            if self.raw is not None and r.filters[0] == 0:  # once for all filters, at the array's edge
                self.raw.windows[slice(*r.pixels), g] += a.sum(axis=1).astype(np.int64)
            m = slice(g * per_group + r.filters[0], g * per_group + r.filters[1])
            w = np.ascontiguousarray(self._weights[m, columns])
            part = np.ascontiguousarray(sums[slice(*r.pixels), m])
            if safe:  # no order of additions can overflow: one exact product in float64
                part += (a @ w.T).astype(np.int64)
            else:
                a, w = self._in_steps(a, order), self._in_steps(w, order)
                overflows += dense_products(a, w, part, low, high, saturate, self.steps.shape[1])
            sums[slice(*r.pixels), m] = part
        return overflows

    def _in_steps(self, factors: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """[n, k of a tile] -> [n, products] in hardware order, 0 in empty places. columns: indices k of the tile."""
        place = np.full(self.layer.K, -1)
        place[columns] = np.arange(len(columns))
        steps = self.steps[place[self.steps[:, 0]] >= 0].ravel()
        return np.ascontiguousarray(np.where(steps >= 0, factors[:, np.maximum(place[steps], 0)], 0))


def _before(counts: np.ndarray) -> np.ndarray:
    """[blocks, ...] counts -> [blocks + 1, ...] sums of the blocks before, int32."""
    total = np.zeros((counts.shape[0] + 1, *counts.shape[1:]), dtype=np.int32)
    np.cumsum(counts, axis=0, out=total[1:])
    return total
