"""Floating-point multiply-accumulate, bit for bit: the product and then the sum are rounded, or the sum alone (fused).

Subnormals, infinities and NaN as IEEE 754 has them (``accel_sim.macs.soft_float``). It has no integer mode: networks
here run on integer codes, and layers of them are refused.
"""

from dataclasses import dataclass
from typing import Literal, NoReturn

import numpy as np

from accel_sim.macs import soft_float
from accel_sim.macs.unit import CostTable, MacUnit, Mode, macs
from accel_sim.values.actions import Actions
from workloads.formats.floating import Bfloat16, FloatLayout, Fp8E4m3, Fp8E5m2, Fp16, Fp32

#: format of operands -> its layout
OPERANDS = {
    "fp32": Fp32.layout, "fp16": Fp16.layout, "bfloat16": Bfloat16.layout, "fp8_e4m3": Fp8E4m3.layout,
    "fp8_e5m2": Fp8E5m2.layout,
}  # fmt: skip


@macs.add("float_mac")
@dataclass(frozen=True)
class FloatMac(MacUnit):
    """operand: format of both operands. accumulate: of products and sums; an fp32 holds every product of two fp16 or
    fp8 exactly, and of two bfloat16 but for the ends of its range. fused: a product is added before it is rounded. Of
    the common fields only zero_operand_gating matters.
    """

    operand: Literal["fp32", "fp16", "bfloat16", "fp8_e4m3", "fp8_e5m2"] = "fp16"
    accumulate: Literal["fp32", "fp16"] = "fp32"
    fused: bool = False

    integer = False

    def __post_init__(self) -> None:
        if self.operand not in OPERANDS:
            raise ValueError(f"operand='{self.operand}' must be one of {', '.join(OPERANDS)}")
        if self.accumulate not in ("fp32", "fp16"):
            raise ValueError(f"accumulate='{self.accumulate}' must be fp32 or fp16")
        super().__post_init__()

    @property
    def layout(self) -> FloatLayout:
        """Of the operands."""
        return OPERANDS[self.operand]

    @property
    def sum_layout(self) -> FloatLayout:
        """Of the accumulator."""
        return OPERANDS[self.accumulate]

    @property
    def modes(self) -> tuple[Mode, ...]:
        """None: it takes no integer codes."""
        return ()

    @property
    def accumulator_register_bits(self) -> int:
        """Width of a floating-point sum."""
        return self.sum_layout.bits

    def mode(self, activation_bits: int, weight_bits: int) -> NoReturn:
        """ValueError: it multiplies floating-point numbers, not codes."""
        raise ValueError(
            f"MAC unit 'float_mac': multiplies {self.operand} numbers, not integer codes "
            f"({activation_bits}x{weight_bits} bits); give the machine a unit of integers, such as conventional"
        )

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """ValueError, as ``mode``."""
        return self.mode(mode.activation_bits, mode.weight_bits)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """ValueError, as ``mode``."""
        return self.mode(mode.activation_bits, mode.weight_bits)

    def multiply_add(self, a: np.ndarray, w: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """a, w: codes of ``operand`` [...]; sums: codes of ``accumulate`` [...] -> uint32 codes of sums + a w."""
        into = self.sum_layout
        if not self.fused:
            return soft_float.add(sums, soft_float.multiply(a, w, self.layout, into), into)
        product = soft_float.times(soft_float.unpack(a, self.layout), soft_float.unpack(w, self.layout))
        return soft_float.pack(soft_float.plus(soft_float.unpack(sums, into), product), into)

    def dot_codes(self, a: np.ndarray, w: np.ndarray) -> np.ndarray:
        """a, w: codes of ``operand`` [K, outputs] -> uint32 codes of ``accumulate`` [outputs], in the order of K from
        +0."""
        sums = np.zeros(a.shape[1:], np.uint32)
        for a_row, w_row in zip(a, w, strict=True):
            sums = self.multiply_add(a_row, w_row, sums)
        return sums

    def actions(self, issued: int, effectual: int, mode: Mode | None = None, cycles: int | None = None) -> Actions:
        """Widths are significant bits."""
        active = self.active(issued, effectual)
        return Actions(
            {
                ("mac", "float_mult", self.layout.mantissa_bits + 1): active,
                ("mac", "float_add", self.sum_layout.mantissa_bits + 1): active,
            }
        )
