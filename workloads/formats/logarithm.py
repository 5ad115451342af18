"""Logarithmic codes (LogNet): a sign and a rounded logarithm, so that a product is a shift."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workloads.format import check_bits, finite, formats
from workloads.formats.codes import Codes, NumberFormat


@dataclass(frozen=True)
class LogLayout:
    """Sign bit, then 0 for zero or 1 .. 2^(bits-1) - 1 for the magnitudes 2^(lowest / per_octave) and up, a step of
    2^(1 / per_octave) each."""

    bits: int
    per_octave: int

    @property
    def levels(self) -> int:
        """Magnitudes beside zero."""
        return (1 << (self.bits - 1)) - 1

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Codes of any shape -> float64 values; the largest magnitude is 1 (the scale is the full-scale range)."""
        codes = np.asarray(codes, dtype=np.int64)
        level = codes & self.levels
        magnitude = np.where(level > 0, np.exp2((level - self.levels) / self.per_octave), 0.0)
        return np.where(codes > self.levels, -magnitude, magnitude)


@dataclass(frozen=True)
class _Log:
    """x = sign(x) * 2^clip(round(p log2|x|) / p), p levels an octave; 0 is 0.

    bits: sign and logarithm. The clip is to the 2^(bits-1) - 1 levels that end at 2^fsr: one code is zero. fsr: the
    full-scale range as a power of two; None = the level nearest to the tensor's largest magnitude. Smaller magnitudes
    than the lowest level become it. LogNet (Miyashita, 2016), as recalled. ValueError for bits outside 2..8.
    """

    per_octave: ClassVar[int] = 1
    bits: int = 4
    fsr: int | None = None

    def __post_init__(self):
        check_bits(self.bits, 2, 8)
        if self.fsr is not None and abs(self.fsr) > 100:
            raise ValueError(f"fsr={self.fsr} is outside -100..100")

    def quantise(self, values: np.ndarray) -> Codes:
        values = finite(values)
        layout, magnitude = LogLayout(self.bits, self.per_octave), np.abs(values)
        steps = np.rint(self.per_octave * np.log2(np.where(magnitude > 0, magnitude, 1.0)))
        top = steps[magnitude > 0].max(initial=-math.inf) if self.fsr is None else self.fsr * self.per_octave
        top = top if math.isfinite(top) else 0.0
        level = np.where(magnitude > 0, np.clip(steps - top + layout.levels, 1, layout.levels), 0).astype(np.int64)
        form = NumberFormat(self.bits, False, 2.0 ** (top / self.per_octave), layout=layout)
        return Codes(np.where((values < 0), level | layout.levels + 1, level).astype(form.dtype), form)


@formats.add("log2")
@dataclass(frozen=True)
class Log2(_Log):
    """Powers of two: multiplying by one is a shift."""


@formats.add("sqrt2")
@dataclass(frozen=True)
class Sqrt2(_Log):
    """Powers of the square root of two: a shift, and for odd powers one constant multiplication."""

    per_octave = 2
