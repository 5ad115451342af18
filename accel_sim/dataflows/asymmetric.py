"""Operands whose zero point is not 0 (docs/model.md 2): multiplied as differences, or as raw codes with corrected sums.

    sum (a - za)(w - zw) = sum a*w - zw * sum a - sum za*w + sum za*zw

Only an operand whose difference is wider than its code needs either: q - 128 or q + 128 of an 8-bit code flips its
highest bit. The last two terms are known before the run and lie in the bias; *window sums* (sum a, one per output pixel
and group) are made where inputs enter the array, times zw and subtracted by the post-processing unit. A padding tap of
a raw input is its zero point, so that the constants hold at the border too.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.operands import MacOperands

Asymmetric = Literal["differences", "correction"]
Precision = Literal["format", "data"]


def wide(codes: Codes) -> bool:
    """The difference from the zero point is wider than the code."""
    return codes.format.codebook is None and codes.format.value_bits > codes.format.bits


def multiplier_bits(operands: MacOperands, how: Asymmetric) -> tuple[int, int]:
    """(activation, weight) width of the operands that are multiplied."""
    both = (operands.inputs, operands.weights)
    activations, weights = (
        codes.format.bits if how == "correction" and wide(codes) else codes.format.value_bits for codes in both
    )
    return activations, weights


def precision_bits(operands: MacOperands, how: Asymmetric, precision: Precision) -> tuple[int, int]:
    """(activation, weight) width that a MAC unit's mode must take: of the formats, or the fewest bits of the data."""
    widths = multiplier_bits(operands, how)
    if precision == "format":
        return widths
    raw = [how == "correction" and wide(codes) for codes in (operands.inputs, operands.weights)]
    needed = [
        fewest_bits(codes.values if as_is else codes.integers())
        for codes, as_is in zip((operands.inputs, operands.weights), raw, strict=True)
    ]
    return min(needed[0], widths[0]), min(needed[1], widths[1])


def fewest_bits(values: np.ndarray) -> int:
    """Of a code that holds them all: two's complement if one is negative, else unsigned; at least 1."""
    low, high = int(values.min()), int(values.max())
    return max(high.bit_length(), (-low - 1).bit_length()) + 1 if low < 0 else max(1, high.bit_length())


def hint(operands: MacOperands, dataflow: object) -> str:
    """What to say to one whose multiplier is too narrow for differences."""
    can = getattr(dataflow, "asymmetric", None) == "differences" and any(map(wide, (operands.inputs, operands.weights)))
    return "; its codes are asymmetric: dataflow.asymmetric=correction multiplies them as they are" if can else ""


@dataclass(frozen=True, eq=False)
class RawProducts:
    """What is multiplied where at least one operand is taken raw, and what makes exact sums of it."""

    original: Layer
    operands: MacOperands

    @staticmethod
    def of(layer: Layer, operands: MacOperands, how: Asymmetric) -> "RawProducts | None":
        """None where differences are multiplied, or no operand has a zero point that matters."""
        raw = RawProducts(layer, operands)
        return raw if how == "correction" and (raw.inputs_raw or raw.weights_raw) else None

    @property
    def inputs_raw(self) -> bool:
        """Whether inputs enter the multiplier with their zero point in them."""
        return wide(self.operands.inputs)

    @property
    def weights_raw(self) -> bool:
        """Whether weights do."""
        return wide(self.operands.weights)

    @cached_property
    def layer(self) -> Layer:
        """The layer on a map with its padding in it, where inputs are raw."""
        return self.original.padded() if self.inputs_raw else self.original

    @cached_property
    def inputs(self) -> np.ndarray:
        """[N, C, H, W] int32 of ``layer``: raw codes, the zero point at padding; or differences."""
        codes = self.operands.inputs
        if not self.inputs_raw:
            return np.ascontiguousarray(codes.integers(), dtype=np.int32)
        values = np.pad(codes.integers(), ((0, 0), (0, 0), *self.original.window.sides))
        return np.ascontiguousarray(values + codes.zero_points(), dtype=np.int32)

    @cached_property
    def weights(self) -> Codes:
        """[M, C/G, R, S] codes as they are multiplied: raw ones stand for themselves."""
        codes = self.operands.weights
        if not self.weights_raw:
            return codes
        return Codes(codes.values, replace(codes.format, scale=None, zero_point=0, axis=None))

    @cached_property
    def _constants(self) -> np.ndarray:
        """[M] int64: sum za*w - sum za*zw, for each filter; it lies in the bias."""
        if not self.inputs_raw:
            return np.zeros(self.original.M, np.int64)
        per_group = self.original.C // self.original.G
        zero = np.broadcast_to(self.operands.inputs.zero_points(), (1, self.original.C, 1, 1)).reshape(-1, per_group)
        own = np.repeat(zero, self.original.M // self.original.G, axis=0).astype(np.int64)
        return np.einsum("mcrs,mc->m", self.operands.weights.integers().astype(np.int64), own)

    @cached_property
    def windows(self) -> np.ndarray:
        """[N*E*F, G] int64 window sums, added up by a checked run from the inputs its tiles issue."""
        a = self.original
        return np.zeros((a.N * a.E * a.F, a.G), dtype=np.int64)

    def issued(self, sums: np.ndarray) -> np.ndarray:
        """sums: [N, M, E, F] int64 of issued raw products -> those of differences, by the issued window sums."""
        a = self.original
        windows = self.windows.reshape(a.N, a.E, a.F, a.G).transpose(0, 3, 1, 2)
        sums = sums - self._constants.reshape(1, -1, 1, 1)
        if not self.weights_raw:
            return sums
        zero = np.broadcast_to(self.operands.weights.zero_points(), (self.original.M, 1, 1, 1)).reshape(1, -1, 1, 1)
        return sums - zero * np.repeat(windows, self.original.M // self.original.G, axis=1)

    def post_ops(self, outputs: int, windows: int) -> int:
        """Operations on ``outputs`` and the ``windows`` they share: one subtraction each, zw times a window's sum."""
        if not self.weights_raw:
            return 0
        per_channel = not isinstance(self.operands.weights.format.zero_point, int)
        return outputs + (outputs if per_channel else windows)

    @property
    def name(self) -> str:
        """Which operands are raw, for notes."""
        return " and ".join(name for name, raw in (("inputs", self.inputs_raw), ("weights", self.weights_raw)) if raw)
