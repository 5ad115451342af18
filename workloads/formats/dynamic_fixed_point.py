"""Dynamic fixed point (Ristretto): one power-of-two exponent per tensor and layer."""

import math
from dataclasses import dataclass

import numpy as np

from workloads.format import check_bits, finite, formats
from workloads.formats.codes import Codes, NumberFormat


@formats.add("dynamic_fixed_point")
@dataclass(frozen=True)
class DynamicFixedPoint:
    """x = q * 2^-f with f = bits - (ceil(log2 max|x|) + sign); two's complement, saturating, rounds half to even.

    The integer bits are those of the largest magnitude, so a value of exactly 2^n (and one that would round up to it)
    saturates to one step below. Ristretto (Gysel, 2016), as recalled. ValueError for bits outside 2..16.
    """

    bits: int = 8

    def __post_init__(self):
        check_bits(self.bits, 2, 16)

    def quantise(self, values: np.ndarray) -> Codes:
        """Signed codes with the binary point that holds the largest magnitude."""
        values = finite(values)
        return Codes.nearest(values, self._form(float(np.abs(values).max(initial=0.0)), True))

    def of_range(self, low: float, high: float) -> NumberFormat:
        """Codes for low..high, unsigned where nothing is negative."""
        return self._form(max(-low, high), low < 0)

    def _form(self, largest: float, signed: bool) -> NumberFormat:
        fraction, exponent = math.frexp(largest)
        whole = exponent - (fraction == 0.5)  # ceil(log2 largest), exactly
        return NumberFormat(self.bits, signed, math.ldexp(1.0, whole + signed - self.bits))
