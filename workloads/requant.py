"""How integer sums become output codes again: one protocol, two arithmetics (a shift; a fixed-point multiplier)."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from workloads.formats.codes import NumberFormat

INT32 = np.iinfo(np.int32)
#: sums of the 16-bit path are clipped to so many bits, so that a product with its multiplier stays within 64
WIDE = 1 << 47
Rounding = Literal["double", "half_up", "floor", "single", "int16"]


def accumulator_bits(activation_bits: int, weight_bits: int, products: int) -> int:
    """Bits that hold any sum of so many products of signed operands: a + w + ceil(log2 products) (docs/model.md 6)."""
    return activation_bits + weight_bits + (products - 1).bit_length()


class Requant(Protocol):
    """Sums -> codes of ``format``."""

    @property
    def format(self) -> NumberFormat:
        """Of the codes it makes."""

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """sums: [N, M, E, F] int64 with the bias in them -> codes of the same shape, of the format's integer type."""


def _codes(values: np.ndarray, low: int, form: NumberFormat, high: int | None = None) -> np.ndarray:
    clipped = np.clip(values, low, form.high if high is None else high)
    return clipped.astype(form.dtype)


@dataclass(frozen=True)
class ShiftRequant:
    """Relu (optional), add half, arithmetic shift right, clip to the format's range and to ``high`` (int8-pow2)."""

    shift: int
    format: NumberFormat
    relu: bool = True
    high: int | None = None

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """Rounds half up at the shift, and saturates."""
        values = np.maximum(sums, 0) if self.relu else sums
        if self.shift > 0:
            values = (values + (1 << (self.shift - 1))) >> self.shift
        elif self.shift < 0:
            values = values << -self.shift
        return _codes(values, max(self.format.low, 0) if self.relu else self.format.low, self.format, self.high)


@dataclass(frozen=True)
class FixedPointRequant:
    """Times multiplier * 2^(exponent - 31), plus the zero point, clip to low..high (gemmlowp and TensorFlow Lite).

    multiplier, exponent: one number for all channels, or one per channel (axis 1). low, high: codes, after the fused
    activation. rounding: see ``fixed_point``; channels from ``tail`` on round 'double' (a vectorised kernel's rest).
    """

    multiplier: tuple[int, ...]
    exponent: tuple[int, ...]
    format: NumberFormat
    low: int
    high: int
    rounding: Rounding = "half_up"
    tail: int | None = None

    def __post_init__(self):
        if self.rounding == "int16" and max(self.exponent) > 7:
            raise ValueError(f"multipliers of 2^{max(self.exponent) - 1} and more are too large for 'int16' rounding")

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """As gemmlowp: a fixed-point multiplier and a shift for each channel, rounded as ``rounding`` says."""
        shape = (1, -1) + (1,) * (sums.ndim - 2)
        multiplier = np.asarray(self.multiplier, dtype=np.int64).reshape(shape)
        exponent = np.asarray(self.exponent, dtype=np.int64).reshape(shape)
        values = fixed_point(sums, multiplier, exponent, self.rounding)
        if self.tail is not None:
            values[:, self.tail :] = fixed_point(sums, multiplier, exponent, "double")[:, self.tail :]
        return _codes(values + self.format.zero, self.low, self.format, self.high)


def quantise_multiplier(real: float) -> tuple[int, int]:
    """(q, e): real = q * 2^(e - 31), rounded to 31 bits, 2^30 <= q < 2^31 (TensorFlow Lite's QuantizeMultiplier).

    ValueError unless real is positive and below 2^30, so that no sum is shifted out of 64 bits.
    """
    fraction, exponent = math.frexp(real)
    if not 0 < real < 1 << 30:
        raise ValueError(f"multiplier {real:g} is outside 0..2^30")
    q = math.floor(fraction * (1 << 31) + 0.5)
    if q == 1 << 31:
        q, exponent = q >> 1, exponent + 1
    return (0, 0) if exponent < -31 else (q, exponent)


def fixed_point(
    values: np.ndarray, q: np.ndarray | np.int64, e: np.ndarray | np.int64, rounding: Rounding
) -> np.ndarray:
    """values * q * 2^(e - 31) as hardware rounds it; all int64, broadcast against each other; e <= 30.

    values outside 32 bits (48 of 'int16') saturate first. 'double': the high half of twice the product, ties up, then
    a shift that rounds ties away from zero (gemmlowp's reference). 'half_up': that shift rounds ties up (what the
    kernels of LiteRT 2.3.0 do on x86, measured). 'floor': that shift rounds down. 'single': one shift of the whole
    product, ties up (TFLITE_SINGLE_ROUNDING). 'int16': the same with the multiplier rounded to 16 bits, for 64-bit sums
    of 16-bit activations; e <= 7 (TensorFlow Lite).
    """
    if rounding == "int16":
        short = np.where(q >= 0x7FFF0000, 0x7FFF, (q + (1 << 15)) >> 16)
        total = 15 - e
        return (np.clip(values, -WIDE, WIDE - 1) * short + (np.int64(1) << (total - 1))) >> total
    left, right = np.maximum(e, 0), np.maximum(-e, 0)
    values = np.clip(values, INT32.min, INT32.max)
    if rounding == "single":
        total = 31 - e
        return (values * q + (np.int64(1) << (total - 1))) >> total
    values = np.clip(values << left, INT32.min, INT32.max)
    high = (values * q + (1 << 30)) >> 31
    if rounding == "floor":
        return high >> right
    half = (np.int64(1) << right) >> 1
    if rounding == "half_up":
        return (high + half) >> right
    away = ((high < 0) & (right > 0)).astype(np.int64)
    return (high + half - away) >> right
