"""Codes = integer array + number format: the one form in which operands exist anywhere in the simulator."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np


class Layout(Protocol):
    """How the bits of a code that is no integer (floating point, logarithm) stand for a real value."""

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Unsigned codes of any shape -> float64 values, in units of the format's scale."""


@dataclass(frozen=True)
class NumberFormat:
    """What an integer code stands for: ``real = scale * (q - zero_point)``, with q looked up in ``codebook`` if given.

    bits: width of a stored code, 1..32; signed: two's complement, else unsigned.
    scale: real value of one step (one number, or one per slice along ``axis``); None = unknown.
    zero_point: the code whose real value is zero (one number, or one per slice along ``axis``).
    codebook: for weight-shared codes, the integer each code stands for; where entry 0 is 0, code 0 is a pruned weight.
    layout: for codes that are no integers, what decodes them: real = scale * layout.decode(q); they are unsigned.
    value_bits: width of (q - zero_point) as a signed or unsigned number; with a codebook, of its entries.
    """

    bits: int
    signed: bool
    scale: float | tuple[float, ...] | None = None
    zero_point: int | tuple[int, ...] = 0
    axis: int | None = None
    codebook: tuple[int, ...] | None = None
    layout: Layout | None = None

    def __post_init__(self):
        if not 1 <= self.bits <= 32:
            raise ValueError(f"NumberFormat: bits={self.bits} is outside 1..32")
        if self.codebook is not None:
            if len(self.codebook) > 1 << self.bits:
                raise ValueError(
                    f"NumberFormat: {len(self.codebook)} codebook entries do not fit {self.bits}-bit codes"
                )
            if self.signed or self.zero_point != 0:
                raise ValueError("NumberFormat: a codebook needs unsigned codes and zero point 0")
        elif isinstance(self.zero_point, int) and not self.low <= self.zero_point <= self.high:
            raise ValueError(f"NumberFormat: zero point {self.zero_point} is outside {self.low}..{self.high}")
        if self.layout is not None and (self.signed or self.zero_point != 0 or self.codebook is not None):
            raise ValueError("NumberFormat: a layout needs unsigned codes, zero point 0 and no codebook")

    @property
    def low(self) -> int:
        """Least code."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest code."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def dtype(self) -> type[np.integer]:
        """The narrowest integer type that holds a code."""
        wide = 0 if self.bits <= 8 else 1 if self.bits <= 16 else 2
        return ((np.int8, np.int16, np.int32) if self.signed else (np.uint8, np.uint16, np.uint32))[wide]

    @property
    def value_bits(self) -> int:
        """Bits of the multiplier operand q - zero_point (asymmetric 8-bit codes need 9 signed bits)."""
        if self.codebook is not None:
            return 1 + max(max(self.codebook).bit_length(), (-min(self.codebook) - 1).bit_length(), 1)
        points = (self.zero_point,) if isinstance(self.zero_point, int) else self.zero_point
        low, high = self.low - max(points), self.high - min(points)
        if low >= 0:
            return self.bits
        return 1 + max(high.bit_length(), (-low - 1).bit_length())

    @property
    def plain_bits(self) -> int:
        """Width of a code that stands for itself: with a codebook, of its entries."""
        return self.bits if self.codebook is None else self.value_bits

    @property
    def step(self) -> float:
        """The scale of a tensor whose codes all have one; ValueError if it is unknown, or one per slice."""
        if self.scale is None or isinstance(self.scale, tuple):
            raise ValueError(f"NumberFormat: scale={self.scale} is not one number for all codes")
        return self.scale

    @property
    def zero(self) -> int:
        """The zero point of a tensor whose codes all have one; ValueError if it is one per slice."""
        if isinstance(self.zero_point, tuple):
            raise ValueError(f"NumberFormat: zero_point={self.zero_point} is not one number for all codes")
        return self.zero_point

    def scales(self, ndim: int) -> float | np.ndarray:
        """The scale (1 if unknown), or a float64 array that broadcasts against ``ndim`` axes when it is per axis."""
        scale = 1.0 if self.scale is None else self.scale
        return self._along_axis(np.asarray(scale), ndim) if isinstance(scale, tuple) else scale

    def zero_points(self, ndim: int) -> int | np.ndarray:
        """The zero point, or an int32 array that broadcasts against ``ndim`` axes when it is per axis."""
        zero = self.zero_point
        return zero if isinstance(zero, int) else self._along_axis(np.asarray(zero, dtype=np.int32), ndim)

    def _along_axis(self, each: np.ndarray, ndim: int) -> np.ndarray:
        return each.reshape([len(each) if axis == self.axis else 1 for axis in range(ndim)])


@dataclass(frozen=True, eq=False)
class Codes:
    """values: integer array of codes, any shape; format: what they stand for. ValueError for codes out of range."""

    values: np.ndarray
    format: NumberFormat

    def __post_init__(self):
        if self.values.dtype.kind not in "iu":
            raise ValueError(f"Codes: dtype {self.values.dtype} is no integer type")
        if self.values.size:
            top = self.format.high if self.format.codebook is None else len(self.format.codebook) - 1
            low, high = int(self.values.min()), int(self.values.max())
            if low < self.format.low or high > top:
                raise ValueError(f"Codes: values {low}..{high} do not fit {self.format.low}..{top}")

    @cached_property
    def _integers(self) -> np.ndarray:
        if self.format.layout is not None:
            raise ValueError(f"Codes: codes of {self.format.layout} stand for real values, not integers")
        if self.format.codebook is not None:
            return np.asarray(self.format.codebook, dtype=np.int32)[self.values]
        zero = self.zero_points()
        values = self.values.astype(np.int32)
        return values if isinstance(zero, int) and zero == 0 else values - zero

    def integers(self) -> np.ndarray:
        """q - zero_point (or the codebook's integer), shape of ``values``, int32: what the multiplier sees."""
        return self._integers

    def plain(self) -> "Codes":
        """The same integers without a codebook, as signed codes of the codebook's value width."""
        if self.format.codebook is None:
            return self
        bits = self.format.value_bits
        values = self.integers().astype(np.int8 if bits <= 8 else np.int32)
        return Codes(values, NumberFormat(bits, True, self.format.scale))

    def zero_points(self) -> int | np.ndarray:
        """The zero point, or an int32 array that broadcasts against ``values`` when it is per axis."""
        return self.format.zero_points(self.values.ndim)

    @staticmethod
    def nearest(values: np.ndarray, form: NumberFormat, low: int | None = None) -> "Codes":
        """Real values of any shape -> codes of evenly spaced integers: value / scale + zero point, rounded half to
        even and clipped to the format's range (``low``: smallest code, where it is another)."""
        codes = np.rint(values / form.scales(values.ndim)) + form.zero_points(values.ndim)
        return Codes(np.clip(codes, form.low if low is None else low, form.high).astype(form.dtype), form)

    @staticmethod
    def of_pixels(pixels: np.ndarray, form: NumberFormat) -> "Codes":
        """pixels: uint8 -> codes: as they are, their highest bits where the format has fewer than 8, and less half of
        their range where it is signed (TensorFlow Lite)."""
        bits = min(form.bits, 8)
        codes = pixels >> (8 - bits)
        if form.signed:
            codes = (codes.astype(np.int16) - (1 << (bits - 1))).astype(form.dtype)
        return Codes(codes, form)

    def scales(self) -> float | np.ndarray:
        """The scale (1 if unknown), or a float64 array that broadcasts against ``values`` when it is per axis."""
        return self.format.scales(self.values.ndim)

    def real(self) -> np.ndarray:
        """scale * (q - zero_point), shape of ``values``, float64 (with a layout scale * what it decodes)."""
        if self.format.layout is not None:
            return self.format.layout.decode(self.values) * self.scales()
        return self.integers() * self.scales()

    def kept(self) -> np.ndarray:
        """bool array: not pruned. With a codebook a kept weight may still stand for the integer 0."""
        if self.format.layout is not None:
            return self.format.layout.decode(self.values) != 0
        if self.format.codebook is not None:
            return (self.values != 0) | (self.format.codebook[0] != 0)
        return self.values != self.zero_points()
