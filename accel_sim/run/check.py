"""Checked runs: a layer's output from nothing but the products its tiles issue, held against the exact reference."""

import numpy as np

from accel_sim.dataflows.asymmetric import RawProducts
from accel_sim.dataflows.common import TiledLayer
from accel_sim.macs.unit import Overflow
from accel_sim.values.errors import CheckError
from accel_sim.values.tile import Tile
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import MacOperands


class Sums:
    """The accumulators of one layer, [N*E*F, M] int64, as wide as those of the MAC unit in the layer's mode.

    network: says what the layer's codes stand for, whatever its operands say (see workloads.declared).
    """

    def __init__(
        self, layer: Layer, operands: MacOperands, sum_bits: int, overflow: Overflow, network: Network
    ) -> None:
        self.layer, self.operands = layer, operands
        self.sum_bits, self.saturates, self.network = sum_bits, overflow == "saturate", network
        self.values = np.zeros((layer.N * layer.E * layer.F, layer.M), dtype=np.int64)
        self.overflows = 0
        self.raw: RawProducts | None = None
        self.steps: np.ndarray | None = None

    def issue(self, tiled: TiledLayer, tile: Tile) -> None:
        """Issues one tile's products in hardware order."""
        high = (1 << (self.sum_bits - 1)) - 1
        self.raw, self.steps = getattr(tiled, "raw", None), getattr(tiled, "reduction_steps", None)
        self.overflows += tiled.execute(tile, self.values, -high - 1, high, self.saturates)

    def checked(self) -> tuple[np.ndarray, np.ndarray | None]:
        """[N, M, E, F] int64 sums of the products, without bias, and the codes that post-processing makes of them.

        CheckError if the sums differ from the reference.
        """
        layer = self.layer
        sums = self.values.reshape(layer.N, layer.E, layer.F, layer.M).transpose(0, 3, 1, 2)
        if self.raw is not None:
            sums = self.raw.issued(sums)
        expected = self.reference()
        wrong = int((sums != expected).sum())
        if wrong:
            place = tuple(int(i) for i in np.argwhere(sums != expected)[0])
            raise CheckError(
                f"check failed: layer '{layer.name}': {wrong} of {sums.size} sums differ from the reference, the first "
                f"at (n, m, e, f) = {place}: {int(sums[place])} instead of {int(expected[place])}"
            )
        sums = np.ascontiguousarray(sums)
        return sums, finish(sums, self.operands)

    def reference(self) -> np.ndarray:
        """[N, M, E, F] int64: the exact sums, or those of the accumulator's width where it overflowed.

        Of the tiles it takes what they say of the hardware alone: that raw codes are multiplied, and which products
        are added at once (``steps``); never their codes, zero points or corrections.
        """
        from workloads.declared import declared_integers
        from workloads.reference import accumulate_reference, conv_integer

        x, w = declared_integers(self.network, self.layer, self.operands)
        if self.overflows == 0:
            return conv_integer(x, w, self.layer)
        if self.raw is not None:
            return self._raw_reference(x, w)
        return accumulate_reference(x, w, self.layer, self.sum_bits, self.saturates, self.steps)[0]

    def _raw_reference(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """[N, M, E, F] int64: the exact sums, and what raw products lose in the accumulator: corrections are added
        outside of it. x, w: differences from the zero point."""
        from workloads.declared import declared_formats, zero_points
        from workloads.reference import accumulate_reference, conv_integer

        a, points = self.layer, []
        for form in declared_formats(self.network, a, self.operands):
            raw = form.codebook is None and form.value_bits > form.bits  # its differences do not fit its codes
            points.append(zero_points(form, 4) if raw else np.zeros((1, 1, 1, 1), np.int64))
        layer, codes, weights = a, x, w + points[1]
        if points[0].any():  # its padding is its zero point
            layer, codes = a.padded(), np.pad(x, ((0, 0), (0, 0), *a.window.sides)) + points[0]
        kept = accumulate_reference(codes, weights, layer, self.sum_bits, self.saturates, self.steps)[0]
        return conv_integer(x, w, a) + kept - conv_integer(codes, weights, layer)


def finish(sums: np.ndarray, operands: MacOperands) -> np.ndarray | None:
    """[N, M, E, F] codes that the post-processing unit makes of the sums (bias, requantisation); None where nothing
    says how."""
    if operands.requant is None:
        return None
    return operands.requant(sums if operands.bias is None else sums + operands.bias.reshape(1, -1, 1, 1))


def density(codes: Codes) -> float:
    """Share of codes that are not zero."""
    return float(np.count_nonzero(codes.integers()) / codes.values.size)


def densities(codes: Codes) -> tuple[float, ...]:
    """Share of codes that are not zero, of each item of a batch ([N, C, H, W])."""
    values = codes.integers()
    return tuple((np.count_nonzero(values, axis=(1, 2, 3)) / values[0].size).tolist())
