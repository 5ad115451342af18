"""Symmetric integers: zero is code 0, one scale per tensor or per slice."""

from dataclasses import dataclass

import numpy as np

from workloads.format import check_bits, finite, formats, over_axis, per_slice
from workloads.formats.codes import Codes, NumberFormat


@formats.add("integer")
@dataclass(frozen=True)
class Integer:
    """x = scale * q, scale = max|x| / (2^(bits-1) - 1); codes -(2^(bits-1) - 1) .. 2^(bits-1) - 1.

    axis: one scale for each slice along it (weights: 0 = output channel); None: one for the tensor. Rounds half to
    even. The code -2^(bits-1) stays unused, as in TensorFlow Lite's weights. A range without negative values takes all
    2^bits codes. ValueError for bits outside 2..16.
    """

    bits: int = 8
    axis: int | None = None

    def __post_init__(self):
        check_bits(self.bits, 2, 16)

    def quantise(self, values: np.ndarray) -> Codes:
        """Symmetric signed codes, the largest magnitude at the top."""
        values = finite(values)
        top = (1 << (self.bits - 1)) - 1
        scale = np.abs(values).max(axis=over_axis(values, self.axis), keepdims=True, initial=0.0) / top
        scale = np.where(scale > 0, scale, 1.0)
        return Codes.nearest(values, NumberFormat(self.bits, True, per_slice(scale, self.axis), axis=self.axis), -top)

    def of_range(self, low: float, high: float) -> NumberFormat:
        """Codes for low..high, unsigned where nothing is negative."""
        signed = low < 0
        top = (1 << (self.bits - signed)) - 1
        return NumberFormat(self.bits, signed, max(-low, high) / top or 1.0)
