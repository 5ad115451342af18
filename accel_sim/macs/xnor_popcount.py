"""Signs times signs (XNOR-Net): an XNOR gate is the multiplier, a count of ones the adder: dot = 2 popcount - n.

Operands are -1 and +1, held as codes 0 and 1. There is no code for zero: a layer with padding, or of zero weights,
is refused. Lanes that a layer leaves idle are masked and do not count in n.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from accel_sim.macs.digits import checked, count, lanes
from accel_sim.macs.unit import Components, CostTable, MacUnit, Mode, Side, constant_cost, hardware, macs, step_actions
from accel_sim.values.actions import Actions


@macs.add("xnor_popcount")
@dataclass(frozen=True)
class XnorPopcount(MacUnit):
    """lanes: products of a step, a power of two. As two's complement numbers -1 and +1 take 2 bits, which is what the
    mode is called by; 1 bit of each enters."""

    lanes: int = 64

    def __post_init__(self) -> None:
        if self.lanes < 1 or self.lanes & (self.lanes - 1):
            raise ValueError(f"lanes={self.lanes} must be a power of two")
        super().__post_init__()

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """One mode: a vector of signs a step."""
        bits = self.lanes.bit_length() + 1  # from -lanes to +lanes
        return (
            Mode(
                2,
                2,
                reduction=self.lanes,
                operand_bits=Fraction(2 * self.lanes),
                product_bits=bits,
                sum_bits=self.sum_bits(bits),
            ),
        )

    def takes(self, values: np.ndarray, side: Side) -> np.ndarray:
        """-1 and 1."""
        return np.abs(values) == 1

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Always the mode's cycles."""
        return constant_cost(mode, a_signed)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """Equal signs less unequal ones."""
        a, w = checked(lanes(a, mode), 2, a_signed), checked(lanes(w, mode), 2, w_signed)
        self.check_values(a, w)
        return self.dot_codes((a > 0).astype(np.int64), (w > 0).astype(np.int64))[..., None]

    def dot_codes(self, a: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Codes 0 and 1 [..., n] -> int64 [...] sums of products of the signs they stand for."""
        ones = (~(a ^ w)) & 1
        return 2 * ones.sum(axis=-1, dtype=np.int64) - a.shape[-1]

    def components(self, mode: Mode) -> Components:
        """Gates, a tree that counts, and the addition that takes n off the doubled count (doubling is wiring)."""
        levels = self.lanes.bit_length() - 1
        tree = tuple((level, self.lanes >> level, level + 1) for level in range(1, levels + 1))
        return hardware(
            mode,
            multipliers=((self.lanes, 1, 1),),
            adders=(*tree, (levels + 1, 1, mode.product_bits)),
            input_register_bits=2 * self.lanes,
            sign_inputs=(0, 0),
        )

    def actions(self, issued: int, effectual: int, mode: Mode | None = None, cycles: int | None = None) -> Actions:
        """No product has a zero operand, so gating them changes nothing."""
        steps = count(issued, self.lanes)
        return step_actions(self.components(mode or self.modes[0]), steps, steps)
