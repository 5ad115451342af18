"""One product a cycle at full width, whatever the operands; narrow operands gate the low bits of a multiplier.

Precision (data) gating as in the RTL of Camus et al., JETCAS 2019: operands stay MSB-aligned with their low bits zero,
so that the product comes out scaled by 2^(unused bits), and every register stays clocked.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from accel_sim.macs.digits import checked
from accel_sim.macs.unit import CostTable, MacUnit, Mode, constant_cost, macs
from accel_sim.values.actions import Actions
from accel_sim.values.checks import MOST_CODE_BITS, require


@macs.add("conventional")
@dataclass(frozen=True)
class Conventional(MacUnit):
    """activation_bits, weight_bits: multiplier operands (signed or unsigned). precision_gating: narrow operands toggle
    only the multiplier bits they use."""

    activation_bits: int = 8
    weight_bits: int = 8
    precision_gating: bool = False

    def __post_init__(self) -> None:
        require(self, 1, "activation_bits", "weight_bits", at_most=MOST_CODE_BITS)
        super().__post_init__()

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Its full width; with ``precision_gating`` narrower ones too."""
        product = self.activation_bits + self.weight_bits
        widths = [(self.activation_bits, self.weight_bits)]
        if self.precision_gating:
            narrow = [(a, w) for a, w in ((8, 4), (8, 2), (4, 4), (2, 2)) if a <= widths[0][0] and w <= widths[0][1]]
            widths += [pair for pair in narrow if pair != widths[0]]
        return tuple(
            Mode(a, w, operand_bits=Fraction(product), product_bits=product, sum_bits=self.sum_bits(product))
            for a, w in widths
        )

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Always the mode's cycles."""
        return constant_cost(mode, a_signed)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """Operands at the top of the multiplier where low bits are gated; the product is shifted back."""
        spare = self.activation_bits - mode.activation_bits, self.weight_bits - mode.weight_bits
        a, w = checked(a, mode.activation_bits, a_signed), checked(w, mode.weight_bits, w_signed)
        aligned = ((a << spare[0]) * (w << spare[1])).sum(axis=-1)
        return aligned >> sum(spare)

    def actions(self, issued: int, effectual: int, mode: Mode | None = None, cycles: int | None = None) -> Actions:
        """A multiplication at the wider operand's width and an addition for each product."""
        active, mode = self.active(issued, effectual), mode or self.modes[0]
        width = max(mode.activation_bits, mode.weight_bits)
        return Actions({("mac", "mult", width): active, ("mac", "add", mode.sum_bits): active})
