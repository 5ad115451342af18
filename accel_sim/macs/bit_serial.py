"""One operand enters digit by digit, the other is held: UNPU (weights; Lee et al., ISSCC 2018), Stripes (activations;
Judd et al., MICRO 2016).

As in the RTL of Camus et al., JETCAS 2019: the lowest digit first; the first cycle loads the product register, every
further one shifts it right by a digit and adds; the last digit of a signed operand counts negative; the accumulator
moves once a product. Narrow operands leave the low bits of both registers still.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np

from accel_sim.macs.digits import SerialUnit, checked, count, digits, lanes, parallel_widths, serial_widths
from accel_sim.macs.unit import Components, CostTable, Mode, constant_cost, hardware, macs
from accel_sim.values.checks import MOST_CODE_BITS, require

#: what there is one of for each operand
Of = TypeVar("Of")


@macs.add("bit_serial")
@dataclass(frozen=True)
class BitSerial(SerialUnit):
    """activation_bits, weight_bits: widest operands. serial: the operand that enters by digits. digit_bits: bits of it
    a cycle; operands of fewer bits than a digit take one cycle."""

    activation_bits: int = 8
    weight_bits: int = 8
    serial: Literal["weights", "activations"] = "weights"
    digit_bits: int = 1

    def __post_init__(self) -> None:
        require(self, 1, "activation_bits", "weight_bits", at_most=MOST_CODE_BITS)
        if self.digit_bits not in (1, 2, 4):
            raise ValueError(f"digit_bits={self.digit_bits} must be 1, 2 or 4")
        super().__post_init__()

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """A mode for every width of the serial operand, and for the held one whole or gated down to 8, 4 or 2 bits."""
        serial, held = self._by_role(self.activation_bits, self.weight_bits)
        return tuple(
            Mode(
                *self._by_role(bits, parallel),
                cycles=count(bits, self.digit_bits),
                operand_bits=Fraction(self.digit_bits + held),
                product_bits=bits + parallel,
                sum_bits=self.sum_bits(bits + parallel),
            )
            for parallel in parallel_widths(held)
            for bits in serial_widths(serial, self.digit_bits)
        )

    def _by_role(self, first: Of, second: Of) -> tuple[Of, Of]:
        """(of activations, of weights) <-> (of the serial operand, of the held one)."""
        return (first, second) if self.serial == "activations" else (second, first)

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Always the mode's cycles."""
        return constant_cost(mode, a_signed)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """Digit times the held operand, shifted and added one after another."""
        serial, held = self._by_role(lanes(a, mode), lanes(w, mode))
        signed, held_signed = self._by_role(a_signed, w_signed)
        bits, held_bits = self._by_role(mode.activation_bits, mode.weight_bits)
        widest, port = self._by_role(self.activation_bits, self.weight_bits)
        aligned = checked(held, held_bits, held_signed) << (port - held_bits)
        top = self.digit_bits * (count(widest, self.digit_bits) - 1)
        first, *others = np.moveaxis(digits(serial, bits, self.digit_bits, signed), -1, 0)
        register = (aligned * first) << top
        for digit in others:
            register = (register >> self.digit_bits) + ((aligned * digit) << top)
        return register >> (port - held_bits + top - self.digit_bits * len(others))

    def components(self, mode: Mode) -> Components:
        """A digit times the held operand, added to what stands in the product register."""
        _, held = self._by_role(mode.activation_bits, mode.weight_bits)
        row = self._by_role(self.digit_bits, held)
        return hardware(mode, multipliers=((1, *row),), adders=((1, 1, sum(row)),))
