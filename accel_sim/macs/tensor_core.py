"""A matrix unit that is one lane: D = A B + C, 4 x 4 x 4 at 16 bits a cycle, as in Volta's tensor cores.

64 products a cycle are 16 dot products of 4, each with an accumulator of its own; operands of half the width make twice
as many products, all of them along the reduction (Turing: INT8 at twice FP16's rate, INT4 at four times, recalled).
Products are exact and a step's tree of adders is as wide as its sums need.

FP16 (``matmul``): what a core rounds inside is not published. Here products are exact in FP32, the four of a step are
added as (p0 + p1) + (p2 + p3), then the sum so far, each addition rounded to FP32, to nearest even.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np

from accel_sim.macs import soft_float
from accel_sim.macs.digits import checked, lanes
from accel_sim.macs.unit import Components, CostTable, MacUnit, Mode, constant_cost, hardware, macs
from workloads.formats.floating import Fp16, Fp32

#: rows, columns and reduction of a step at 16 bits; a step's 8-bit products and their sums need 19 bits
SIDE, EIGHT_BIT_SUM = 4, 19


@macs.add("tensor_core")
@dataclass(frozen=True)
class TensorCore(MacUnit):
    """least_bits: the narrowest operands that still gain rate (16, 8 or 4).

    accumulator_bits: of sums of 8-bit products; those of 16-bit products have 16 bits more (a guess: no tensor core
    takes 16-bit integers, they stand here for the schedule of FP16).
    """

    least_bits: int = 8

    def __post_init__(self) -> None:
        if self.least_bits not in (16, 8, 4):
            raise ValueError(f"least_bits={self.least_bits} must be 16, 8 or 4")
        super().__post_init__()

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """16, 8 and 4 bits, as far as ``least_bits`` allows; narrower operands come several at once."""
        return tuple(self._mode(bits) for bits in (16, 8, 4) if bits >= self.least_bits)

    def _mode(self, bits: int) -> Mode:
        reduction = SIDE * 16 // bits
        product = 2 * bits + (reduction - 1).bit_length()
        return Mode(
            bits,
            bits,
            reduction,
            SIDE * SIDE,
            operand_bits=Fraction(2 * SIDE * reduction * bits),  # A and B: a row and a column feed four sums each
            product_bits=product,
            sum_bits=self.sum_bits(product),
        )

    def sum_bits(self, product_bits: int) -> int:
        """16 bits wider for products that do not fit the accumulator of 8-bit ones."""
        wider = 16 if self.accumulator_bits is not None and product_bits > EIGHT_BIT_SUM else 0
        return super().sum_bits(product_bits) + wider

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Always the mode's cycles."""
        return constant_cost(mode, a_signed)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """Of every row with every column of the step's matrices."""
        a, w = (
            checked(lanes(each, mode), mode.activation_bits, signed) for each, signed in ((a, a_signed), (w, w_signed))
        )
        sums = (a * w).reshape(*a.shape[:-1], mode.outputs, mode.reduction)
        while sums.shape[-1] > 1:  # neighbours in pairs: the tree of adders
            sums = sums[..., ::2] + sums[..., 1::2]
        return sums[..., 0]

    def matmul(self, a: np.ndarray, b: np.ndarray, c: np.ndarray, out: Literal["fp32", "fp16"] = "fp32") -> np.ndarray:
        """a: float16 [M, K], b: float16 [K, N], c: float32 or float16 [M, N] -> A B + C, float32 or float16 [M, N].

        Steps of 4 along K, in order; what K lacks to a whole step is zeros. fp16 rounds the finished sum once more.
        ValueError for operands of other types or shapes, or another ``out``.
        """
        if a.dtype != np.float16 or b.dtype != np.float16 or c.dtype not in (np.float16, np.float32):
            raise ValueError(
                f"matmul takes float16 a and b and float16 or float32 c, not {a.dtype}, {b.dtype}, {c.dtype}"
            )
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or c.shape != (a.shape[0], b.shape[1]):
            raise ValueError(f"matmul of shapes {a.shape} and {b.shape} plus {c.shape}")
        if out not in ("fp32", "fp16"):
            raise ValueError(f"out='{out}' must be fp32 or fp16")
        half, single = Fp16.layout, Fp32.layout
        short = -a.shape[1] % SIDE
        a_codes = np.pad(a.view(np.uint16), ((0, 0), (0, short)))
        b_codes = np.pad(b.view(np.uint16), ((0, short), (0, 0)))
        sums = c.view(np.uint32) if c.dtype == np.float32 else soft_float.convert(c.view(np.uint16), half, single)
        for k in range(0, a_codes.shape[1], SIDE):
            row, column = a_codes[:, None, k : k + SIDE], b_codes[k : k + SIDE].T[None]
            step = soft_float.multiply(row, column, half, single)
            while step.shape[-1] > 1:
                step = soft_float.add(step[..., ::2], step[..., 1::2], single)
            sums = soft_float.add(sums, step[..., 0], single)
        if out == "fp32":
            return sums.view(np.float32)
        return soft_float.convert(sums, single, half).astype(np.uint16).view(np.float16)

    def components(self, mode: Mode) -> Components:
        """Multipliers of a step, and the trees that add each output's products."""
        levels = (mode.reduction - 1).bit_length()
        return hardware(
            mode,
            multipliers=((mode.reduction * mode.outputs, mode.activation_bits, mode.weight_bits),),
            adders=tuple(
                (level, mode.outputs * mode.reduction >> level, 2 * mode.activation_bits + level)
                for level in range(1, levels + 1)
            ),
        )
