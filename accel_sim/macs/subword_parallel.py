"""One multiplier array that narrow operands share: sub-words in, blocks of partial products gated between them.

Kept apart (DVAFS, Moons et al., DATE 2017) the blocks on the diagonal work, sub-word i of an operand meets sub-word i
of the other, and each product lands in bits, and an accumulator, of its own. Summed together the opposite diagonal
works: sub-word i meets sub-word k-1-i, all blocks have the same weight, and the array adds them itself. Modes are
symmetric: 8x4 and 8x2 operands run as 8x8 with zeros. Semantics as in the RTL of Camus et al., JETCAS 2019.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np

from accel_sim.macs.digits import checked, lanes
from accel_sim.macs.unit import Components, CostTable, MacUnit, Mode, constant_cost, hardware, macs


@macs.add("subword_parallel")
@dataclass(frozen=True)
class SubwordParallel(MacUnit):
    """max_bits: operands of the whole array (8 or 16). levels: how often an operand may be cut in two. sharing:
    sub-word products are kept 'apart' or summed 'together'."""

    max_bits: int = 8
    levels: int = 2
    sharing: Literal["apart", "together"] = "apart"

    def __post_init__(self) -> None:
        if self.max_bits not in (8, 16):
            raise ValueError(f"max_bits={self.max_bits} must be 8 or 16")
        if self.levels < 1 or self.max_bits >> self.levels < 2:
            raise ValueError(f"levels={self.levels} must leave sub-words of 2 bits or more of max_bits={self.max_bits}")
        super().__post_init__()

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """Symmetric ones, halving the width once for each level."""
        return tuple(self._mode(1 << level) for level in range(self.levels + 1))

    def _mode(self, products: int) -> Mode:
        width = self.max_bits // products
        reduction, outputs = (products, 1) if self.sharing == "together" else (1, products)
        bits = 2 * width + (reduction - 1).bit_length()
        return Mode(
            width,
            width,
            reduction,
            outputs,
            operand_bits=Fraction(2 * self.max_bits),
            product_bits=bits,
            sum_bits=self.sum_bits(bits),
        )

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Always the mode's cycles."""
        return constant_cost(mode, a_signed)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """Of sub-words of one multiplier, each with its partner."""
        width, signed = mode.activation_bits, (a_signed, w_signed)
        partners = range(self.max_bits // width)
        words = (
            self._packed(checked(lanes(a, mode), width, a_signed), width, partners),
            self._packed(checked(lanes(w, mode), width, w_signed), width, self._met(partners)),
        )
        fields = np.zeros((len(partners), *words[0].shape), np.int64)
        for i, j in self._live(mode):
            bit = (words[0] >> i) & (words[1] >> j) & 1
            # the top bit of a signed sub-word counts negative: its row or column is subtracted
            top = ((position + 1) % width == 0 and sign for position, sign in zip((i, j), signed, strict=True))
            fields[i // width] += -(bit << (i + j)) if sum(top) == 1 else bit << (i + j)
        if self.sharing == "together":
            return fields.sum(axis=0)[..., None] >> (self.max_bits - width)
        return np.stack([field >> (2 * width * sub) for sub, field in enumerate(fields)], axis=-1)

    def _met(self, subwords: range) -> range:
        """Which sub-word of w each sub-word of a meets."""
        return subwords[::-1] if self.sharing == "together" else subwords

    def _packed(self, values: np.ndarray, width: int, places: range) -> np.ndarray:
        """[..., products] -> [...] operand words, product p in sub-word places[p]."""
        return ((values & ((1 << width) - 1)) << (width * np.array(places))).sum(axis=-1)

    def _live(self, mode: Mode) -> Iterator[tuple[int, int]]:
        """Bits (i of a, j of w) of the partial products that are not gated."""
        width = mode.activation_bits
        subwords = range(self.max_bits // width)
        for one, other in zip(subwords, self._met(subwords), strict=True):
            yield from ((one * width + i, other * width + j) for i in range(width) for j in range(width))

    def components(self, mode: Mode) -> Components:
        """The blocks that are not gated; the array adds up the products of a step itself."""
        products = mode.reduction * mode.outputs
        return hardware(
            mode,
            multipliers=((products, mode.activation_bits, mode.weight_bits),),
            input_register_bits=2 * self.max_bits,
        )
