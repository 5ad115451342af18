"""Logarithmic operands (LogNet): a power of two multiplies by a shift, two of them by adding their exponents.

Half octaves (powers of the square root of two) need one multiplication by a constant where the exponent is odd.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Literal

import numpy as np

from accel_sim.macs.digits import checked, lanes
from accel_sim.macs.unit import Components, CostTable, MacUnit, Mode, Side, constant_cost, hardware, macs, step_actions
from accel_sim.values.actions import Actions
from accel_sim.values.checks import MOST_CODE_BITS, require
from workloads.formats.logarithm import LogLayout


@macs.add("log_shift")
@dataclass(frozen=True)
class LogShift(MacUnit):
    """activation_bits, weight_bits: widths as integers. logarithmic: the side (or both) of powers of two, or 0; its
    codes are a sign and the exponent. per_octave: 1, or 2 for half octaves too. constant_bits: of their constant
    sqrt(1/2). fraction_bits: of products with fractional powers (``log_products``); what is below them is
    cut off, towards zero. Integers are exact.
    """

    activation_bits: int = 8
    weight_bits: int = 8
    logarithmic: Literal["weights", "activations", "both"] = "weights"
    per_octave: int = 1
    fraction_bits: int = 8
    constant_bits: int = 8

    def __post_init__(self) -> None:
        require(self, 1, "activation_bits", "weight_bits", "constant_bits", at_most=MOST_CODE_BITS)
        require(self, 0, "fraction_bits")
        if self.logarithmic not in ("weights", "activations", "both"):
            raise ValueError(f"logarithmic='{self.logarithmic}' must be weights, activations or both")
        if self.per_octave not in (1, 2):
            raise ValueError(f"per_octave={self.per_octave} must be 1 or 2 (half octaves)")
        if max(self.fraction_bits, self.constant_bits) > 16:
            raise ValueError(f"fraction_bits={self.fraction_bits}, constant_bits={self.constant_bits}: at most 16")
        super().__post_init__()

    def code_bits(self, side: Side) -> int:
        """What enters on a side: the integer, or a sign and an exponent with a code for zero."""
        bits = self.activation_bits if side == "activations" else self.weight_bits
        return 1 + (self.per_octave * bits).bit_length() if self._by_exponent(side) else bits

    def _by_exponent(self, side: Side) -> bool:
        return self.logarithmic in (side, "both")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """One mode."""
        bits = self.activation_bits + self.weight_bits
        return (
            Mode(
                self.activation_bits,
                self.weight_bits,
                operand_bits=Fraction(self.code_bits("activations") + self.code_bits("weights")),
                product_bits=bits,
                sum_bits=self.sum_bits(bits),
            ),
        )

    def takes(self, values: np.ndarray, side: Side) -> np.ndarray:
        """Of a logarithmic operand, the values its exponents stand for."""
        if not self._by_exponent(side):
            return super().takes(values, side)
        magnitude = np.abs(values.astype(np.int64))
        return (magnitude & (magnitude - 1)) == 0

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Always the mode's cycles."""
        return constant_cost(mode, a_signed)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """Shifts by the exponents of the logarithmic operand or operands."""
        a = checked(lanes(a, mode), mode.activation_bits, a_signed)
        w = checked(lanes(w, mode), mode.weight_bits, w_signed)
        self.check_values(a, w)
        if self.logarithmic == "both":
            shifted = np.int64(1) << (_exponent(a) + _exponent(w))
        else:
            held, power = (np.abs(a), w) if self.logarithmic == "weights" else (np.abs(w), a)
            shifted = held << _exponent(power)
        return np.where((a == 0) | (w == 0), 0, np.where((a < 0) ^ (w < 0), -shifted, shifted))

    def log_products(self, a: np.ndarray, codes: np.ndarray, layout: LogLayout) -> np.ndarray:
        """a: integers of the other side, or codes of the same layout where both are logarithmic; codes: [...] of
        ``layout`` (magnitudes up to 1) -> int64 [...] products in units of 2^-fraction_bits.

        The magnitude is shifted up, multiplied by sqrt(1/2) for an odd number of half octaves, and shifted down.
        ValueError for a layout of other steps than the unit's, or integers of more than 24 bits.
        """
        if layout.per_octave != self.per_octave:
            raise ValueError(f"per_octave={layout.per_octave} of the codes is not the unit's {self.per_octave}")
        down, negative, zero = _level(codes, layout)
        if self.logarithmic == "both":
            more, other, none = _level(a, layout)
            magnitude, down, negative, zero = np.array(1, np.int64), down + more, negative ^ other, zero | none
        else:
            magnitude, negative = np.abs(a.astype(np.int64)), negative ^ (a < 0)
            if magnitude.size and magnitude.max() >> 24:
                raise ValueError(f"integers up to {magnitude.max()} have more than 24 bits")
        octaves, odd = np.divmod(down, self.per_octave)
        scaled = np.where(odd > 0, magnitude * self.constant, magnitude << self.constant_bits) << self.fraction_bits
        product = scaled >> (self.constant_bits + octaves).clip(max=62)
        return np.where(zero, 0, np.where(negative, -product, product))

    @property
    def constant(self) -> int:
        """sqrt(1/2) in units of 2^-constant_bits, to nearest."""
        return (isqrt(1 << (2 * self.constant_bits + 1)) + 1) // 2

    def components(self, mode: Mode) -> Components:
        """A shifter as wide as a product, or for two exponents their adder and a decoder of that width."""
        shifter = (1, 1, mode.product_bits)
        exponents = ((2, 1, self.code_bits("activations")),) if self.logarithmic == "both" else ()
        return hardware(mode, adders=(shifter, *exponents))

    def actions(self, issued: int, effectual: int, mode: Mode | None = None, cycles: int | None = None) -> Actions:
        """A shift is priced as an addition of the product's width (a guess); with half octaves every product counts a
        multiplication by the constant, though only odd exponents need it."""
        mode, active = mode or self.modes[0], self.active(issued, effectual)
        actions = step_actions(self.components(mode), active, active)
        if self.per_octave == 2:
            actions["mac", "mult", self.constant_bits] += active
        return actions


def _exponent(values: np.ndarray) -> np.ndarray:
    """Of powers of two below 2^52 in magnitude; 0 of zero."""
    return (np.frexp(np.abs(values).astype(np.float64))[1] - 1).clip(0).astype(np.int64)


def _level(codes: np.ndarray, layout: LogLayout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps below 1, sign and whether it is zero, of each code."""
    codes = codes.astype(np.int64)
    level = codes & layout.levels
    return layout.levels - level, codes > layout.levels, level == 0
