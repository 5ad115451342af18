"""Ternary weights: -1, 0 or 1 times one scale (TWN), or times two (TTQ)."""

from dataclasses import dataclass

import numpy as np

from workloads.format import finite, formats
from workloads.formats.codebook import table_codes
from workloads.formats.codes import Codes, NumberFormat


def signs(values: np.ndarray, threshold: float) -> np.ndarray:
    """-1, 0 or 1 as int8: the sign of what is larger than the threshold."""
    return np.sign(np.where(np.abs(values) > threshold, values, 0.0)).astype(np.int8)


@dataclass(frozen=True)
class _Ternary:
    @property
    def bits(self) -> int:
        return 2


@formats.add("ternary")
@dataclass(frozen=True)
class Ternary(_Ternary):
    """TWN: threshold D = 0.7 mean|w|; x = a * q, q in -1, 0, 1, a = mean|w| over |w| > D.

    threshold: the factor of mean|w| (Li, 2016, as this project's reference data give it).
    """

    threshold: float = 0.7

    def __post_init__(self):
        if not 0 <= self.threshold < 10:
            raise ValueError(f"threshold={self.threshold} is outside 0..10")

    def quantise(self, values: np.ndarray) -> Codes:
        """-1, 0 and 1 by a threshold that is a share of the mean magnitude, and one scale."""
        values = finite(values)
        magnitude = np.abs(values)
        q = signs(values, self.threshold * float(magnitude.mean()) if values.size else 0.0)
        scale = float(magnitude[q != 0].mean()) if q.any() else 1.0
        return Codes(q, NumberFormat(2, True, scale))


@formats.add("ttq")
@dataclass(frozen=True)
class Ttq(_Ternary):
    """TTQ: threshold D = 0.05 max|w|; x = positive, 0 or -negative, two scales that training finds.

    positive, negative: those scales; None = the mean magnitude of the weights they stand for (a guess in place of
    training: it has the least squared error). threshold: the factor of max|w| (Zhu, 2016, as recalled). table_bits:
    width of the two scales as integers, the larger of which takes the largest.
    """

    threshold: float = 0.05
    positive: float | None = None
    negative: float | None = None
    table_bits: int = 16

    def __post_init__(self):
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold={self.threshold} is outside 0..1")
        for name in ("positive", "negative"):
            scale = getattr(self, name)
            if scale is not None and not 0 < scale < 1e9:
                raise ValueError(f"{name}={scale} must be positive")

    def quantise(self, values: np.ndarray) -> Codes:
        """-1, 0 and 1 by a threshold that is a share of the largest magnitude, with a scale for each sign."""
        values = finite(values)
        magnitude = np.abs(values)
        q = signs(values, self.threshold * float(magnitude.max(initial=0.0)))
        given = ((1, self.positive), (-1, self.negative))
        scales = [
            (float(magnitude[q == sign].mean()) if (q == sign).any() else 0.0) if scale is None else scale
            for sign, scale in given
        ]
        return table_codes(np.where(q < 0, 2, q), np.array([0.0, scales[0], -scales[1]]), 2, self.table_bits)
