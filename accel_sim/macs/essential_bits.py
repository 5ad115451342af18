"""Essential bits: one operand enters as the terms it really has, a power of two a cycle (Pragmatic, Albericio et al.,
MICRO 2017).

The shift of a term has two stages. Lanes that move together share the second; the first one, of each lane, reaches
2^first_stage_bits positions, so a lane whose lowest outstanding term lies farther above the lowest of them all waits.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from accel_sim.macs.digits import SerialUnit, checked, lanes, low
from accel_sim.macs.terms import Recoding, patterns, recode, term_counts
from accel_sim.macs.unit import Components, CostTable, Mode, hardware, macs
from accel_sim.values.checks import MOST_CODE_BITS, require


@macs.add("essential_bits")
@dataclass(frozen=True)
class EssentialBits(SerialUnit):
    """activation_bits, weight_bits: widest operands; activations enter by their terms. first_stage_bits: the shifter of
    a lane reaches 2^this positions. recoding: which terms a magnitude has (see mac_terms); the sign is apart."""

    activation_bits: int = 8
    weight_bits: int = 8
    first_stage_bits: int = 2
    recoding: Recoding = "none"

    def __post_init__(self) -> None:
        require(self, 1, "activation_bits", "weight_bits", at_most=MOST_CODE_BITS)
        require(self, 0, "first_stage_bits")
        if self.first_stage_bits > 5:
            raise ValueError(f"first_stage_bits={self.first_stage_bits} must be at most 5")
        super().__post_init__()

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """Narrower activations have fewer terms, so a mode for each width; a step's cycles are the most it can take."""
        return tuple(
            Mode(
                bits, self.weight_bits, cycles=most_terms(bits, self.recoding),
                operand_bits=Fraction(1 + self.weight_bits), product_bits=bits + self.weight_bits,
                sum_bits=self.sum_bits(bits + self.weight_bits),
            )
            for bits in range(self.activation_bits, 0, -1)
        )  # fmt: skip

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Patterns of terms; the rule of lanes that move together is ``two_stage``."""
        least = low(mode.activation_bits, a_signed)
        table = patterns(least + np.arange(1 << mode.activation_bits), self.recoding).astype(np.int32)
        return CostTable(table, least, operator="two_stage", reach=1 << self.first_stage_bits)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """A shifted weight added or subtracted for every term, the lowest first."""
        activations = checked(lanes(a, mode), mode.activation_bits, a_signed)
        weights = checked(lanes(w, mode), mode.weight_bits, w_signed)
        positive, negative = recode(np.abs(activations), self.recoding)
        sums = np.zeros(np.broadcast(activations, weights).shape, np.int64)
        for position in range(mode.activation_bits + 1):
            sign = (positive >> position & 1) - (negative >> position & 1)
            sums += sign * (weights << position)
        return np.where(activations < 0, -sums, sums)

    def components(self, mode: Mode) -> Components:
        """A gate for the sign, two shifters (an adder's worth of multiplexers each) and the accumulator."""
        return hardware(mode, multipliers=((1, 1, mode.weight_bits),), adders=((1, 1, mode.product_bits),))


def most_terms(bits: int, recoding: Recoding) -> int:
    """Of any magnitude of ``bits``."""
    return int(term_counts(np.arange(1 << bits), recoding).max())
