"""One product a cycle at full width, whatever the operands (the `data gated conventional` unit without its gating)."""

from dataclasses import dataclass
from typing import Literal

from accel_sim.actions import Actions
from accel_sim.parts import macs, require


@macs.add("conventional")
@dataclass(frozen=True)
class Conventional:
    """activation_bits, weight_bits: multiplier operands (signed or unsigned); accumulator_bits: two's complement.

    overflow: what a sum that does not fit does. zero_operand_gating: a MAC with a zero operand spends its cycle but
    no multiplier or adder energy (Eyeriss, JSSC 2017).
    """

    activation_bits: int = 8
    weight_bits: int = 8
    accumulator_bits: int = 32
    overflow: Literal["wrap", "saturate"] = "wrap"
    zero_operand_gating: bool = False

    def __post_init__(self):
        require(self, 1, "activation_bits", "weight_bits")
        if not self.activation_bits + self.weight_bits <= self.accumulator_bits <= 62:
            raise ValueError(
                f"accumulator_bits={self.accumulator_bits} must hold a product of "
                f"{self.activation_bits}x{self.weight_bits} bits and be at most 62"
            )

    def check_mode(self, activation_bits: int, weight_bits: int) -> None:
        """Raises ValueError if operands of these widths do not fit the multiplier."""
        if activation_bits > self.activation_bits or weight_bits > self.weight_bits:
            raise ValueError(
                f"MAC unit 'conventional': {activation_bits}x{weight_bits}-bit operands do not fit its "
                f"{self.activation_bits}x{self.weight_bits}-bit multiplier (activation x weight)"
            )

    def actions(self, issued: int, effectual: int) -> Actions:
        """Energy-bearing actions of ``issued`` products of which ``effectual`` have two non-zero operands."""
        active = effectual if self.zero_operand_gating else issued
        width = max(self.activation_bits, self.weight_bits)
        return Actions({("mac", "mult", width): active, ("mac", "add", self.accumulator_bits): active})
