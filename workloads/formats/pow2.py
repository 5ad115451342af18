"""Power-of-two scales: how many fractional bits a range of real values leaves an integer code."""

import math
from dataclasses import dataclass

import numpy as np

from workloads.format import check_bits, finite, formats
from workloads.formats.codes import Codes, NumberFormat


def fraction_bits(largest: float, top: int) -> int:
    """Most fractional bits f with largest * 2^f <= top (top: the largest code); 0 where all values are 0."""
    return math.floor(math.log2(top / largest)) if largest > 0 else 0


@formats.add("pow2")
@dataclass(frozen=True)
class Pow2:
    """x = q * 2^-f with the most fractional bits f at which no value saturates: floor(log2(top / max|x|)).

    The rule of this project's integer model int8-pow2 at any width; symmetric, rounds half to even. ValueError for bits
    outside 2..16.
    """

    bits: int = 8

    def __post_init__(self):
        check_bits(self.bits, 2, 16)

    def quantise(self, values: np.ndarray) -> Codes:
        """Symmetric signed codes whose step is a power of two."""
        values = finite(values)
        largest, top = float(np.abs(values).max(initial=0.0)), (1 << (self.bits - 1)) - 1
        return Codes.nearest(values, NumberFormat(self.bits, True, math.ldexp(1.0, -fraction_bits(largest, top))), -top)

    def of_range(self, low: float, high: float) -> NumberFormat:
        """Codes for low..high with a power of two as step, unsigned where nothing is negative."""
        signed = low < 0
        top = (1 << (self.bits - signed)) - 1
        return NumberFormat(self.bits, signed, math.ldexp(1.0, -fraction_bits(max(-low, high), top)))
