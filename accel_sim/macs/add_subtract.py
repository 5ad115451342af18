"""Binary or ternary weights (BinaryConnect, TWN): the weight's sign adds or subtracts the activation, a zero skips it.

A subtraction is the addition of the inverted activation with a carry in, so the unit is an adder and a row of gates.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from accel_sim.macs.digits import checked, lanes
from accel_sim.macs.unit import Components, CostTable, MacUnit, Mode, Side, constant_cost, hardware, macs
from accel_sim.values.checks import MOST_CODE_BITS, require


@macs.add("add_subtract")
@dataclass(frozen=True)
class AddSubtract(MacUnit):
    """activation_bits: of signed or unsigned activations. weights: -1 and +1 (binary), or 0 too (ternary); either is a
    number of 2 bits, of which -2 is refused, and takes ``weight_code_bits`` wires. A zero weight takes its cycle."""

    activation_bits: int = 8
    weights: Literal["ternary", "binary"] = "ternary"

    def __post_init__(self) -> None:
        require(self, 1, "activation_bits", at_most=MOST_CODE_BITS)
        if self.weights not in ("ternary", "binary"):
            raise ValueError(f"weights='{self.weights}' must be ternary or binary")
        super().__post_init__()

    @property
    def weight_code_bits(self) -> int:
        """Bits of a stored weight."""
        return 1 if self.weights == "binary" else 2

    @property
    def modes(self) -> tuple[Mode, ...]:
        """One mode; a product is the activation or its negative, one bit wider."""
        bits = self.activation_bits + 1  # 128 or -255 of 8 bits
        return (
            Mode(
                self.activation_bits,
                2,
                operand_bits=Fraction(self.activation_bits + self.weight_code_bits),
                product_bits=bits,
                sum_bits=self.sum_bits(bits),
            ),
        )

    def takes(self, values: np.ndarray, side: Side) -> np.ndarray:
        """Activations that fit; weights -1 and 1, and 0 of ternary ones."""
        if side == "activations":
            return super().takes(values, side)
        return np.abs(values) <= 1 if self.weights == "ternary" else np.abs(values) == 1

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Always the mode's cycles."""
        return constant_cost(mode, a_signed)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """The activation, its negative, or nothing, by the weight's code."""
        a, w = checked(lanes(a, mode), mode.activation_bits, a_signed), checked(lanes(w, mode), 2, w_signed)
        self.check_values(a, w)
        negative = (w < 0).astype(np.int64)
        return np.where(w == 0, 0, (a ^ -negative) + negative)

    def components(self, mode: Mode) -> Components:
        """The accumulator's adder; gates before it are not counted."""
        return hardware(mode)
