"""Affine integers: a scale and a zero point, so that every code is used where values lie on one side."""

from dataclasses import dataclass

import numpy as np

from workloads.format import check_bits, finite, formats, over_axis, per_slice
from workloads.formats.codes import Codes, NumberFormat


@formats.add("affine")
@dataclass(frozen=True)
class Affine:
    """x = scale * (q - zero point), scale = (max - min) / (qmax - qmin), the range widened to hold 0.

    axis: one pair for each slice along it; None: one for the tensor. signed: codes are two's complement. The zero point
    is the code nearest to qmin - min / scale, so 0 has a code of its own; rounds half to even. ValueError for bits
    outside 1..16.
    """

    bits: int = 8
    axis: int | None = None
    signed: bool = False

    def __post_init__(self):
        check_bits(self.bits, 1, 16)

    def quantise(self, values: np.ndarray) -> Codes:
        """The range of the values, zero included, is spread over the codes."""
        values = finite(values)
        axes = over_axis(values, self.axis)
        low = values.min(axis=axes, keepdims=True, initial=0.0)
        high = values.max(axis=axes, keepdims=True, initial=0.0)
        return Codes.nearest(values, self._form(low, high, self.axis))

    def of_range(self, low: float, high: float) -> NumberFormat:
        """Codes for low..high, widened to hold zero."""
        return self._form(np.asarray(min(low, 0.0)), np.asarray(max(high, 0.0)), None)

    def _form(self, low: np.ndarray, high: np.ndarray, axis: int | None) -> NumberFormat:
        plain = NumberFormat(self.bits, self.signed)
        scale = (high - low) / (plain.high - plain.low)
        scale = np.where(scale > 0, scale, 1.0)
        zero = np.clip(np.rint(plain.low - low / scale), plain.low, plain.high).astype(np.int64)
        return NumberFormat(self.bits, self.signed, per_slice(scale, axis), per_slice(zero, axis), axis)
