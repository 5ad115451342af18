"""Floating-point multiply and add in integers, as hardware does them: exact, then rounded once to nearest even.

Codes are those of a ``workloads.formats.floating.FloatLayout``; everything works on whole arrays. Subnormals are
numbers as all others. A NaN that comes out is always the layout's positive quiet one: payloads and signs of NaNs are
the one thing in which processors differ from each other and from this.
"""

from typing import NamedTuple

import numpy as np

from workloads.formats.floating import FloatLayout

#: where add puts the highest bit: sums of two stay below 2^62, and what a shift loses leaves its trace far below
#: the last bit of any layout (24 bits of a number, 48 of a product)
TOP = 60
#: exponent of a zero, below every other
NOWHERE = -(1 << 20)


class Number(NamedTuple):
    """(-1)^negative x significand x 2^exponent of each element, or infinity, or NaN (significand 0 in both).

    negative, infinite, nan: bool [...]; significand: int64 >= 0; exponent: int64.
    """

    negative: np.ndarray
    significand: np.ndarray
    exponent: np.ndarray
    infinite: np.ndarray
    nan: np.ndarray


def unpack(codes: np.ndarray, layout: FloatLayout) -> Number:
    """Codes of any shape -> what they stand for."""
    codes = np.asarray(codes, dtype=np.int64)
    magnitude = codes & ((1 << (layout.bits - 1)) - 1)
    field, mantissa = magnitude >> layout.mantissa_bits, magnitude & ((1 << layout.mantissa_bits) - 1)
    special = magnitude > layout.largest
    infinite = special & (mantissa == 0) & (layout.special == "ieee")
    whole = np.where(field > 0, mantissa | 1 << layout.mantissa_bits, mantissa)
    return Number(
        codes >> (layout.bits - 1) & 1 > 0,
        np.where(special, 0, whole),
        np.maximum(field, 1) - layout.bias - layout.mantissa_bits,
        infinite,
        special & ~infinite,
    )


def pack(number: Number, layout: FloatLayout) -> np.ndarray:
    """uint32 codes, rounded to nearest, ties to even.

    What rounds beyond the largest number becomes infinity; NaN where the layout has none; the largest number where it
    has neither. ValueError for a NaN that the layout has no code for.
    """
    lowest = 1 - layout.bias - layout.mantissa_bits
    significand = number.significand
    kept = np.maximum(number.exponent + length(significand) - 1 - layout.mantissa_bits, lowest)
    drop = np.where(significand > 0, kept - number.exponent, 0)
    right, left = drop.clip(0, 62), (-drop).clip(0)
    rounded = (significand >> right) << left
    lost = significand - ((significand >> right) << right)
    half = np.where(right > 0, np.int64(1) << (right - 1).clip(0), np.int64(1) << 62)
    rounded += (lost > half) | ((lost == half) & (rounded & 1 > 0))
    # a normal number's hidden bit, or a carry out of rounding, adds one to the exponent field by itself
    code = np.where(significand > 0, (kept - lowest << layout.mantissa_bits) + rounded, 0)
    one_nan = layout.nan if layout.special == "one_nan" else None
    beyond = layout.largest + (layout.special == "ieee") if one_nan is None else one_nan
    code = np.where((code > layout.largest) | number.infinite, beyond, code)
    code |= number.negative.astype(np.int64) << (layout.bits - 1)
    if number.nan.any():
        if layout.nan is None:
            raise ValueError("the layout has no code for NaN")
        code = np.where(number.nan, layout.nan, code)
    if one_nan is not None:
        code = np.where(code & one_nan == one_nan, one_nan, code)
    return code.astype(np.uint32)


def times(x: Number, y: Number) -> Number:
    """The exact product. Significands of up to 30 bits each."""
    infinite = x.infinite | y.infinite
    zero = (~x.infinite & (x.significand == 0)) | (~y.infinite & (y.significand == 0))
    nan = x.nan | y.nan | (infinite & zero)
    return Number(
        x.negative ^ y.negative, x.significand * y.significand, x.exponent + y.exponent, infinite & ~nan, nan
    )  # fmt: skip


def plus(x: Number, y: Number) -> Number:
    """The sum, exact up to a sticky bit that rounding to 50 bits or fewer cannot tell from the truth.

    Significands of up to 60 bits, of which 50 in use. A sum of nothing is +0 but for (-0) + (-0).
    """
    (xs, xe), (ys, ye) = _normal(x), _normal(y)
    swapped = (ye > xe) | ((ye == xe) & (ys > xs))
    (big, small), exponent = _sorted(swapped, xs, ys), np.maximum(xe, ye)
    distance = np.abs(xe - ye).clip(0, 62)
    shifted = small >> distance
    shifted |= (shifted << distance) != small  # the trace of what was lost
    negative = np.where(swapped, y.negative, x.negative)
    apart = x.negative != y.negative
    total = np.where(apart, big - shifted, big + shifted)
    nan = x.nan | y.nan | (x.infinite & y.infinite & apart)
    infinite = (x.infinite | y.infinite) & ~nan
    negative = np.where(total == 0, x.negative & y.negative, negative)
    negative = np.where(x.infinite, x.negative, np.where(y.infinite, y.negative, negative))
    return Number(negative, total, exponent, infinite, nan)


def multiply(a: np.ndarray, b: np.ndarray, layout: FloatLayout, into: FloatLayout | None = None) -> np.ndarray:
    """Codes a x b -> codes of ``into`` (None = the same layout), rounded once."""
    return pack(times(unpack(a, layout), unpack(b, layout)), into or layout)


def add(a: np.ndarray, b: np.ndarray, layout: FloatLayout) -> np.ndarray:
    """Codes a + b -> codes, rounded once."""
    return pack(plus(unpack(a, layout), unpack(b, layout)), layout)


def convert(codes: np.ndarray, layout: FloatLayout, into: FloatLayout) -> np.ndarray:
    """Codes of one layout in another, rounded once."""
    return pack(unpack(codes, layout), into)


def length(values: np.ndarray) -> np.ndarray:
    """Bits up to the highest one set; int64 values from 0 to below 2^62."""
    found = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    return found - ((values > 0) & (values >> (found - 1).clip(0) == 0))  # rounded up to a power of two


def _normal(number: Number) -> tuple[np.ndarray, np.ndarray]:
    """Significand with its highest bit at TOP - 1, and exponent; a zero is far below everything."""
    shift = TOP - length(number.significand)
    zero = number.significand == 0
    return number.significand << shift, np.where(zero, NOWHERE, number.exponent - shift)


def _sorted(swapped: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.where(swapped, y, x), np.where(swapped, x, y)
