"""Floating point of any layout: one encoder and one decoder in integers, exact to the bit."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workloads.format import formats
from workloads.formats.codes import Codes, NumberFormat

SPECIALS = ("ieee", "one_nan", "none")


@dataclass(frozen=True)
class FloatLayout:
    """Sign, exponent and mantissa bits, most significant first; subnormals as in IEEE 754.

    special: 'ieee' = the last exponent holds infinity and NaN; 'one_nan' = only the code of all ones is NaN and there
    is no infinity (OCP E4M3); 'none' = every code is a number (OCP FP6, FP4). ValueError for fields out of range.
    """

    exponent_bits: int
    mantissa_bits: int
    bias: int
    special: str = "ieee"

    def __post_init__(self):
        e, m = self.exponent_bits, self.mantissa_bits
        if not (2 <= e <= 8 and 1 <= m <= 23):
            raise ValueError(f"exponent_bits={e} is outside 2..8 or mantissa_bits={m} outside 1..23")
        if self.special not in SPECIALS:
            raise ValueError(f"special='{self.special}' is none of {', '.join(SPECIALS)}")
        if abs(self.bias) > 255:
            raise ValueError(f"bias={self.bias} is outside -255..255")

    @property
    def bits(self) -> int:
        """Sign, exponent and mantissa."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def nan(self) -> int | None:
        """The positive quiet NaN; None if there is none."""
        ones = (1 << (self.bits - 1)) - 1
        return {"ieee": self._top | 1 << (self.mantissa_bits - 1), "one_nan": ones, "none": None}[self.special]

    @property
    def _top(self) -> int:
        """Code of the last exponent with mantissa 0: infinity in IEEE 754."""
        return ((1 << self.exponent_bits) - 1) << self.mantissa_bits

    @property
    def largest(self) -> int:
        """Code of the largest finite number."""
        ones = (1 << (self.bits - 1)) - 1
        return {"ieee": self._top - 1, "one_nan": ones - 1, "none": ones}[self.special]

    def encode(self, values: np.ndarray, saturate: bool) -> np.ndarray:
        """Real values of any shape -> uint32 codes, rounded to nearest, ties to even.

        What rounds beyond the largest number becomes that number if ``saturate`` (infinity too) or if there is nothing
        else; otherwise infinity, or NaN where there is none. ValueError for NaN if the layout has none.
        """
        word = np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)
        sign = (word >> np.uint64(63)).astype(np.int64)
        exponent = ((word >> np.uint64(52)) & np.uint64(0x7FF)).astype(np.int64)
        fraction = (word & np.uint64((1 << 52) - 1)).astype(np.int64)
        mantissa = np.where(exponent > 0, fraction | 1 << 52, fraction)
        exponent = np.maximum(exponent, 1) - 1023
        lowest = 1 - self.bias
        kept = np.maximum(exponent, lowest)
        drop = np.minimum(52 - self.mantissa_bits + kept - exponent, 62)  # 54 and more leave nothing
        half = np.int64(1) << (drop - 1)
        rounded = (mantissa + half - 1 + ((mantissa >> drop) & 1)) >> drop
        # a normal number's hidden bit, or a carry out of rounding, adds one to the exponent field by itself
        code = ((kept - lowest) << self.mantissa_bits) + rounded
        over = code > self.largest
        if saturate or self.special == "none":
            code = np.where(over, self.largest, code)
        else:
            code = np.where(over, self._top if self.special == "ieee" else self.nan, code)
        missing = np.isnan(values)
        if missing.any():
            if self.nan is None:
                raise ValueError("values must be numbers: the format has no code for NaN")
            code = np.where(missing, self.nan, code)
        return (code | sign << (self.bits - 1)).astype(np.uint32)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Codes of any shape -> float64 values, exact."""
        codes = np.asarray(codes, dtype=np.int64)
        negative, magnitude = codes >> (self.bits - 1) & 1, codes & ((1 << (self.bits - 1)) - 1)
        field, mantissa = magnitude >> self.mantissa_bits, magnitude & ((1 << self.mantissa_bits) - 1)
        whole = np.where(field > 0, mantissa | 1 << self.mantissa_bits, mantissa).astype(np.float64)
        values = np.ldexp(whole, np.maximum(field, 1) - self.bias - self.mantissa_bits)
        if self.special == "ieee":
            values = np.where(magnitude > self.largest, np.where(mantissa > 0, np.nan, np.inf), values)
        elif self.special == "one_nan":
            values = np.where(magnitude > self.largest, np.nan, values)
        return np.where(negative > 0, -values, values)


@dataclass(frozen=True)
class _Fixed:
    """A floating-point format whose layout its class gives.

    saturate: what is too large becomes the largest number, instead of infinity or NaN. scaled: the tensor is divided by
    a scale that brings its largest magnitude to the largest number; without it the scale is 1.
    """

    layout: ClassVar[FloatLayout]
    saturate: bool = True
    scaled: bool = False

    @property
    def bits(self) -> int:
        return self.layout.bits

    def quantise(self, values: np.ndarray) -> Codes:
        values, scale = np.asarray(values, dtype=np.float64), 1.0
        largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
        if self.scaled and largest > 0:
            scale = largest / float(self.layout.decode(np.asarray(self.layout.largest)))
        form = NumberFormat(self.bits, False, scale, layout=self.layout)
        return Codes(self.layout.encode(values / scale, self.saturate).astype(form.dtype), form)


@formats.add("fp32")
@dataclass(frozen=True)
class Fp32(_Fixed):
    """IEEE 754 binary32: the reference the others are held against."""

    layout = FloatLayout(8, 23, 127)
    saturate: bool = False


@formats.add("fp16")
@dataclass(frozen=True)
class Fp16(_Fixed):
    """IEEE 754 binary16: largest number 65504."""

    layout = FloatLayout(5, 10, 15)
    saturate: bool = False


@formats.add("bfloat16")
@dataclass(frozen=True)
class Bfloat16(_Fixed):
    """The upper half of an fp32, rounded to nearest even: its range at 8 significant bits."""

    layout = FloatLayout(8, 7, 127)
    saturate: bool = False


@formats.add("fp8_e4m3")
@dataclass(frozen=True)
class Fp8E4m3(_Fixed):
    """OCP 8-bit E4M3: largest number 448, no infinity; without ``saturate`` all above 464 is NaN."""

    layout = FloatLayout(4, 3, 7, "one_nan")


@formats.add("fp8_e5m2")
@dataclass(frozen=True)
class Fp8E5m2(_Fixed):
    """OCP 8-bit E5M2: largest number 57344; without ``saturate`` 61440 and above is infinity."""

    layout = FloatLayout(5, 2, 15)


@formats.add("fp6_e2m3")
@dataclass(frozen=True)
class Fp6E2m3(_Fixed):
    """OCP MX element E2M3: largest number 7.5, always saturates."""

    layout = FloatLayout(2, 3, 1, "none")


@formats.add("fp6_e3m2")
@dataclass(frozen=True)
class Fp6E3m2(_Fixed):
    """OCP MX element E3M2: largest number 28, always saturates."""

    layout = FloatLayout(3, 2, 3, "none")


@formats.add("fp4_e2m1")
@dataclass(frozen=True)
class Fp4E2m1(_Fixed):
    """OCP MX element E2M1: largest number 6, always saturates."""

    layout = FloatLayout(2, 1, 1, "none")


@formats.add("float")
@dataclass(frozen=True)
class Float:
    """Floating point of a layout of your own: see ``FloatLayout``; bias None = 2^(exponent_bits-1) - 1."""

    exponent_bits: int = 5
    mantissa_bits: int = 2
    bias: int | None = None
    special: str = "ieee"
    saturate: bool = True
    scaled: bool = False

    def __post_init__(self):
        _ = self.layout

    @property
    def layout(self) -> FloatLayout:
        """How its codes stand for values; the bias is IEEE's unless given."""
        bias = (1 << (self.exponent_bits - 1)) - 1 if self.bias is None else self.bias
        return FloatLayout(self.exponent_bits, self.mantissa_bits, bias, self.special)

    bits = _Fixed.bits
    quantise = _Fixed.quantise
