"""Divide and conquer: an array of small bricks whose products a shift-and-add tree joins to fewer, wider products.

The bricks are 2D (both operands are cut: Bit Fusion, Sharma et al., ISCA 2018) or 1D (only weights are cut, a brick
takes the whole activation: DNPU, Shin et al., ISSCC 2017), and products of narrow modes are summed together in one
accumulator or kept apart, as in the taxonomy of Camus et al., JETCAS 2019.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Literal

import numpy as np

from accel_sim.macs.digits import digits, lanes
from accel_sim.macs.unit import Components, CostTable, MacUnit, Mode, constant_cost, hardware, macs


@macs.add("divide_conquer")
@dataclass(frozen=True)
class DivideConquer(MacUnit):
    """max_bits: widest operands (8 or 16). levels: how often an operand is cut in two; a brick takes
    max_bits / 2^levels bits, at least 2, and narrower operands run at that width. dimensions: 2 = both operands are
    cut, 1 = weights only. sharing: products of a narrow mode are summed 'together' or kept 'apart'.
    signed_activations: bricks take a sign bit on the activation side too, as Bit Fusion's do; without it (the RTL of
    Camus et al.) activations are unsigned. Weights always may be either: a brick meets signed (top) and unsigned
    digits of weights anyway.
    """

    max_bits: int = 8
    levels: int = 2
    dimensions: int = 2
    sharing: Literal["together", "apart"] = "together"
    signed_activations: bool = True

    def __post_init__(self) -> None:
        if self.max_bits not in (8, 16):
            raise ValueError(f"max_bits={self.max_bits} must be 8 or 16")
        if self.dimensions not in (1, 2):
            raise ValueError(f"dimensions={self.dimensions} must be 1 (weights are cut) or 2 (both operands are)")
        if self.levels < 1 or self.max_bits >> self.levels < 2:
            raise ValueError(f"levels={self.levels} must leave bricks of 2 bits or more of max_bits={self.max_bits}")
        super().__post_init__()

    @property
    def brick_bits(self) -> int:
        """Width of the smallest multipliers."""
        return self.max_bits >> self.levels

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """Halves of the full width; of both operands (2D) or of weights alone (1D)."""
        widths = [self.max_bits >> level for level in range(self.levels + 1)]
        pairs = product(widths if self.dimensions == 2 else widths[:1], widths)
        return tuple(self._mode(*pair) for pair in sorted(pairs, key=lambda pair: (-sum(pair), -pair[0])))

    def _mode(self, activation_bits: int, weight_bits: int) -> Mode:
        products = (self.max_bits // activation_bits) * (self.max_bits // weight_bits)
        reduction, outputs = (products, 1) if self.sharing == "together" else (1, products)
        bits = activation_bits + weight_bits + (reduction - 1).bit_length()
        return Mode(
            activation_bits,
            weight_bits,
            reduction,
            outputs,
            operand_bits=Fraction(products * (activation_bits + weight_bits)),
            product_bits=bits,
            sum_bits=self.sum_bits(bits),
        )

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Always the mode's cycles; ValueError for a sign it has no input for."""
        self._check_sign(a_signed)
        return constant_cost(mode, a_signed)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """Products of bricks, joined by a tree of shifts and additions."""
        self._check_sign(a_signed)
        cut = self.brick_bits if self.dimensions == 2 else self.max_bits
        a_digits = digits(lanes(a, mode), mode.activation_bits, cut, a_signed)
        w_digits = digits(lanes(w, mode), mode.weight_bits, self.brick_bits, w_signed)
        grid = self._placed(a_digits[..., :, None] * w_digits[..., None, :], mode)
        for _, axis, shift in self._tree(mode):
            grid = _fold(grid, axis, shift)
        return grid.reshape(*a.shape[:-2], mode.outputs)

    def _placed(self, bricks: np.ndarray, mode: Mode) -> np.ndarray:
        """[..., products, a digits, w digits] -> [..., rows, columns], where the bricks lie in the array."""
        *lead, _, rows, columns = bricks.shape
        down, across = self.max_bits // mode.activation_bits, self.max_bits // mode.weight_bits
        placed = bricks.reshape(*lead, down, across, rows, columns).swapaxes(-3, -2)
        return placed.reshape(*lead, down * rows, across * columns)

    def _tree(self, mode: Mode) -> Iterator[tuple[int, int, int]]:
        """(level, axis, shift) of every addition of neighbours; shift 0: of different products."""
        operands = ((-2, mode.activation_bits), (-1, mode.weight_bits))[2 - self.dimensions :]
        for level in range(1, self.levels + 1):
            width = self.brick_bits << (level - 1)
            for axis, bits in operands:
                if bits > width or self.sharing == "together":
                    yield level, axis, width if bits > width else 0

    def _check_sign(self, a_signed: bool) -> None:
        if a_signed and not self.signed_activations:
            raise ValueError(
                f"MAC unit '{macs.name_of(self)}': signed activations need bricks with a sign bit on that side "
                "(signed_activations=true)"
            )

    def components(self, mode: Mode) -> Components:
        """The bricks are the same in all modes. An adder is as wide as its level's sum is in this mode."""
        side = 1 << self.levels
        shape = {-2: side if self.dimensions == 2 else 1, -1: side}
        bricks = shape[-2] * side
        adders: dict[int, int] = {}
        for level, axis, _ in self._tree(mode):
            shape[axis] //= 2
            adders[level] = adders.get(level, 0) + shape[-2] * shape[-1]
        return hardware(
            mode,
            multipliers=((bricks, self.brick_bits if self.dimensions == 2 else self.max_bits, self.brick_bits),),
            adders=tuple((level, number, self._sum_bits(mode, level)) for level, number in adders.items()),
            sign_inputs=(int(self.signed_activations), 1),
        )

    def _sum_bits(self, mode: Mode, level: int) -> int:
        """Bits of what leaves this level of the tree."""
        reach = self.brick_bits << level
        weight = min(mode.weight_bits, reach)
        activation = min(mode.activation_bits, reach if self.dimensions == 2 else self.max_bits)
        joined = reach // weight * (reach // activation if self.dimensions == 2 else 1)
        return activation + weight + ((joined - 1).bit_length() if self.sharing == "together" else 0)


def _fold(grid: np.ndarray, axis: int, shift: int) -> np.ndarray:
    """Neighbours along ``axis`` added, the second shifted up."""
    even, odd = (grid.take(range(start, grid.shape[axis], 2), axis) for start in (0, 1))
    return even + (odd << shift)
