"""Both operands enter digit by digit: Loom (Sharify et al., DAC 2018).

As in the RTL of Camus et al., JETCAS 2019: products of digits i and j by diagonals i + j, the lowest first; a diagonal
adds up at the top of the product register, which shifts right by a digit after each diagonal but the last; the top
row of a signed weight (and column of a signed activation) is subtracted; the accumulator moves once a product.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product

import numpy as np

from accel_sim.macs.digits import SerialUnit, count, digits, lanes, serial_widths
from accel_sim.macs.unit import Components, CostTable, Mode, constant_cost, hardware, macs
from accel_sim.values.checks import MOST_CODE_BITS, require


@macs.add("bit_serial_2d")
@dataclass(frozen=True)
class BitSerial2d(SerialUnit):
    """activation_bits, weight_bits: widest operands. digit_bits: bits of each a cycle."""

    activation_bits: int = 8
    weight_bits: int = 8
    digit_bits: int = 1

    def __post_init__(self) -> None:
        require(self, 1, "activation_bits", "weight_bits", at_most=MOST_CODE_BITS)
        if self.digit_bits not in (1, 2, 4, 8):
            raise ValueError(f"digit_bits={self.digit_bits} must be 1, 2, 4 or 8")
        super().__post_init__()

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """A mode for every pair of widths, cycles by the digits of both."""
        widths = (serial_widths(bits, self.digit_bits) for bits in (self.activation_bits, self.weight_bits))
        return tuple(
            Mode(
                a,
                w,
                cycles=count(a, self.digit_bits) * count(w, self.digit_bits),
                operand_bits=Fraction(2 * self.digit_bits),
                product_bits=a + w,
                sum_bits=self.sum_bits(a + w),
            )
            for a, w in product(*widths)
        )

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Always the mode's cycles."""
        return constant_cost(mode, a_signed)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """Digit times digit, one diagonal of equal weight after another."""
        a_digits = digits(lanes(a, mode), mode.activation_bits, self.digit_bits, a_signed)
        w_digits = digits(lanes(w, mode), mode.weight_bits, self.digit_bits, w_signed)
        columns, rows = a_digits.shape[-1], w_digits.shape[-1]
        last = columns + rows - 2
        register = np.zeros(a_digits.shape[:-1], np.int64)
        for diagonal in range(last + 1):
            for i in range(max(0, diagonal - rows + 1), min(columns, diagonal + 1)):
                register += (a_digits[..., i] * w_digits[..., diagonal - i]) << (self.digit_bits * last)
            if diagonal < last:
                register >>= self.digit_bits
        return register

    def components(self, mode: Mode) -> Components:
        """A digit times a digit; the adder holds the longest diagonal and what was carried into it."""
        digit = self.digit_bits
        longest = min(count(mode.activation_bits, digit), count(mode.weight_bits, digit))
        return hardware(
            mode, multipliers=((1, digit, digit),), adders=((1, 1, 2 * digit + (longest - 1).bit_length()),)
        )
