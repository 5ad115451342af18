"""DoReFa-Net: k-bit codes of 0..1; weights get there through a hyperbolic tangent."""

from dataclasses import dataclass

import numpy as np

from workloads.format import check_bits, finite, formats
from workloads.formats.codes import Codes, NumberFormat


@formats.add("dorefa")
@dataclass(frozen=True)
class DoReFa:
    """q(x) = round((2^k - 1) x) / (2^k - 1). Weights: w = 2 q(tanh(w) / (2 max|tanh(w)|) + 1/2) - 1, whatever their
    range was; activations: q(clip(x, 0, 1)).

    The values of weights are the odd integers -(2^k - 1) .. 2^k - 1 (code c stands for 2c - (2^k - 1)) over 2^k - 1: no
    zero among them. Zhou, 2016, as recalled. ValueError for bits outside 1..8.
    """

    bits: int = 4

    def __post_init__(self):
        check_bits(self.bits, 1, 8)

    @property
    def steps(self) -> int:
        """Steps between the least and the largest code."""
        return (1 << self.bits) - 1

    def quantise(self, values: np.ndarray) -> Codes:
        """Weights: any shape; they are normalised over the whole tensor."""
        bent = np.tanh(finite(values))
        largest = float(np.abs(bent).max(initial=0.0)) or 1.0
        codes = np.rint(self.steps * (bent / (2 * largest) + 0.5)).astype(np.uint8)
        book = tuple(range(-self.steps, self.steps + 1, 2))
        return Codes(codes, NumberFormat(self.bits, False, 1 / self.steps, codebook=book))

    def of_range(self, low: float, high: float) -> NumberFormat:
        """Activations in 0..1, whatever the range: what lies outside saturates."""
        return NumberFormat(self.bits, False, 1 / self.steps)
