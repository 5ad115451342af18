"""Checked runs: a layer's output from nothing but the products its tiles issue, held against the exact reference."""

import numpy as np

from accel_sim.dataflows.asymmetric import RawProducts
from accel_sim.mac_unit import Overflow
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.operands import Operands


class CheckError(Exception):
    """A checked run computed something else than the reference (exit code 3); its text names the layer."""


class Sums:
    """The accumulators of one layer, [N*E*F, M] int64, as wide as those of the MAC unit in the layer's mode."""

    def __init__(self, layer: Layer, sum_bits: int, overflow: Overflow):
        self.layer, self.sum_bits, self.saturates = layer, sum_bits, overflow == "saturate"
        self.values = np.zeros((layer.N * layer.E * layer.F, layer.M), dtype=np.int64)
        self.overflows = 0
        self.raw: RawProducts | None = None
        self.steps: np.ndarray | None = None

    def issue(self, tiled, tile) -> None:
        """Issues one tile's products in hardware order."""
        high = (1 << (self.sum_bits - 1)) - 1
        self.raw, self.steps = getattr(tiled, "raw", None), getattr(tiled, "reduction_steps", None)
        self.overflows += tiled.execute(tile, self.values, -high - 1, high, self.saturates)

    def output(self, operands: Operands) -> np.ndarray:
        """[N, M, E, F] output codes (sums where nothing says how to requantise); CheckError if the sums differ."""
        layer = self.layer
        sums = self.values.reshape(layer.N, layer.E, layer.F, layer.M).transpose(0, 3, 1, 2)
        if self.raw is not None:
            sums = self.raw.issued(sums)
        width = self.sum_bits, self.saturates, self.overflows
        expected = reference(layer, operands, *width, self.raw, self.steps)
        wrong = int((sums != expected).sum())
        if wrong:
            place = tuple(int(i) for i in np.argwhere(sums != expected)[0])
            raise CheckError(
                f"check failed: layer '{layer.name}': {wrong} of {sums.size} sums differ from the reference, the first "
                f"at (n, m, e, f) = {place}: {int(sums[place])} instead of {int(expected[place])}"
            )
        return finish(sums, operands)


def reference(
    layer: Layer, operands: Operands, sum_bits: int, saturates: bool, overflows: int, raw: RawProducts | None = None,
    steps: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """[N, M, E, F] int64: the exact sums, or those of the accumulator's width where it overflowed."""
    from workloads.reference import accumulate_reference, conv_integer

    x, w = operands.inputs.integers(), operands.weights.integers()
    if overflows == 0:
        return conv_integer(x, w, layer)
    if raw is not None:
        return raw.accumulated(sum_bits, saturates, steps)
    return accumulate_reference(x, w, layer, sum_bits, saturates, steps)[0]


def finish(sums: np.ndarray, operands: Operands) -> np.ndarray:
    """What the post-processing unit makes of the sums: bias, requantisation."""
    if operands.bias is not None:
        sums = sums + operands.bias.reshape(1, -1, 1, 1)
    return np.ascontiguousarray(sums) if operands.requant is None else operands.requant(sums)


def density(codes: Codes) -> float:
    """Share of codes that are not zero."""
    return float(np.count_nonzero(codes.integers()) / codes.values.size)


def densities(codes: Codes) -> tuple[float, ...]:
    """Share of codes that are not zero, of each item of a batch ([N, C, H, W])."""
    values = codes.integers()
    return tuple((np.count_nonzero(values, axis=(1, 2, 3)) / values[0].size).tolist())
