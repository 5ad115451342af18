"""Products of terms: both operands enter as their terms, one pair of powers of two a cycle (Laconic, Sharify et al.,
ISCA 2019)."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from accel_sim.macs.digits import SerialUnit, checked, lanes, low
from accel_sim.macs.essential_bits import most_terms
from accel_sim.macs.terms import Recoding, recode, term_counts
from accel_sim.macs.unit import Components, CostTable, Mode, hardware, macs
from accel_sim.values.checks import MOST_CODE_BITS, require

#: the table of costs is indexed by both operands
MOST_BITS = 9


@macs.add("term_product")
@dataclass(frozen=True)
class TermProduct(SerialUnit):
    """activation_bits, weight_bits: widest operands, at most 9. recoding: which terms a magnitude has (see mac_terms).

    A product takes terms(a) x terms(w) cycles; a lane without one waits for the others, at least one cycle.
    """

    activation_bits: int = 8
    weight_bits: int = 8
    recoding: Recoding = "csd"

    def __post_init__(self) -> None:
        require(self, 1, "activation_bits", "weight_bits", at_most=MOST_CODE_BITS)
        if max(self.activation_bits, self.weight_bits) > MOST_BITS:
            raise ValueError(
                f"activation_bits={self.activation_bits} and weight_bits={self.weight_bits} must be at most {MOST_BITS}"
            )
        super().__post_init__()

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """A mode for every pair of widths, with the most cycles that its products can take."""
        pairs = [(a, w) for a in range(self.activation_bits, 0, -1) for w in range(self.weight_bits, 0, -1)]
        most = [most_terms(bits, self.recoding) for bits in range(max(self.activation_bits, self.weight_bits) + 1)]
        return tuple(
            Mode(
                a, w, cycles=most[a] * most[w], operand_bits=Fraction(2),
                product_bits=a + w, sum_bits=self.sum_bits(a + w),
            )
            for a, w in sorted(pairs, key=lambda pair: (-sum(pair), -pair[0]))
        )  # fmt: skip

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """terms(activation) x terms(weight), of every pair of values."""
        a_min, w_min = low(mode.activation_bits, a_signed), low(mode.weight_bits, w_signed)
        a_terms = term_counts(a_min + np.arange(1 << mode.activation_bits), self.recoding)
        w_terms = term_counts(w_min + np.arange(1 << mode.weight_bits), self.recoding)
        return CostTable(np.outer(a_terms, w_terms).astype(np.int32), a_min, w_min)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """One power of two, added or subtracted, for every pair of terms."""
        activations = checked(lanes(a, mode), mode.activation_bits, a_signed)
        weights = checked(lanes(w, mode), mode.weight_bits, w_signed)
        a_parts, w_parts = recode(np.abs(activations), self.recoding), recode(np.abs(weights), self.recoding)
        sums = np.zeros(np.broadcast(activations, weights).shape, np.int64)
        for i in range(mode.activation_bits + 1):
            a_sign = (a_parts[0] >> i & 1) - (a_parts[1] >> i & 1)
            for j in range(mode.weight_bits + 1):
                sums += a_sign * ((w_parts[0] >> j & 1) - (w_parts[1] >> j & 1)) << (i + j)
        return np.where((activations < 0) != (weights < 0), -sums, sums)

    def components(self, mode: Mode) -> Components:
        """An adder of two exponents, and a histogram of them that is summed with the accumulator."""
        exponent = (mode.activation_bits.bit_length(), mode.weight_bits.bit_length())
        return hardware(
            mode,
            multipliers=((1, 1, 1),),
            adders=((1, 1, max(exponent) + 1), (2, 1, mode.product_bits)),
            input_register_bits=sum(exponent) + 2,
        )
