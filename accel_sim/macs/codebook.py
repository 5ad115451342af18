"""Shared weights (Deep Compression; EIE): an index is looked up in a table of weights, the product is as wide as it.

The saving is in what is stored and moved, an index in place of a weight; the multiplier is that of the table's width.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from accel_sim.macs.digits import checked, lanes
from accel_sim.macs.unit import CostTable, MacUnit, Mode, constant_cost, macs
from accel_sim.values.actions import Actions
from accel_sim.values.checks import MOST_CODE_BITS, require
from workloads.layer import Layer
from workloads.operands import MacOperands


@macs.add("codebook")
@dataclass(frozen=True)
class Codebook(MacUnit):
    """activation_bits: of activations; table_bits: of a table's entry; index_bits: of a code (Deep Compression: 8 for
    convolutions, 4 or 5 for fully connected layers). A layer may have 2^index_bits different weights."""

    activation_bits: int = 16
    table_bits: int = 16
    index_bits: int = 8

    def __post_init__(self) -> None:
        require(self, 1, "activation_bits", "table_bits", "index_bits", at_most=MOST_CODE_BITS)
        if self.index_bits > 12:
            raise ValueError(f"index_bits={self.index_bits} must be at most 12")
        super().__post_init__()

    @property
    def modes(self) -> tuple[Mode, ...]:
        """One mode, of activations and table entries."""
        bits = self.activation_bits + self.table_bits
        return (
            Mode(
                self.activation_bits,
                self.table_bits,
                operand_bits=Fraction(self.activation_bits + self.index_bits),
                product_bits=bits,
                sum_bits=self.sum_bits(bits),
            ),
        )

    def check_operands(self, layer: Layer, operands: MacOperands) -> None:
        """ValueError for more distinct weights than the table holds."""
        self.table(operands.weights.integers())

    def table(self, weights: np.ndarray) -> np.ndarray:
        """The table that holds these weights, int64 [entries], ascending; ValueError if it has too few codes."""
        entries = np.unique(weights).astype(np.int64)
        if len(entries) > 1 << self.index_bits:
            raise ValueError(
                f"MAC unit 'codebook': {len(entries)} different weights, and a code of index_bits={self.index_bits} "
                f"tells {1 << self.index_bits} apart"
            )
        return entries

    def cost(self, mode: Mode, a_signed: bool = True, w_signed: bool = True) -> CostTable:
        """Always the mode's cycles."""
        return constant_cost(mode, a_signed)

    def products(
        self, a: np.ndarray, w: np.ndarray, mode: Mode, a_signed: bool = True, w_signed: bool = True
    ) -> np.ndarray:
        """w are the weights themselves: the table is made of them."""
        w = checked(lanes(w, mode), mode.weight_bits, w_signed)
        table = self.table(w)
        return self.look_up(checked(lanes(a, mode), mode.activation_bits, a_signed), np.searchsorted(table, w), table)

    def look_up(self, a: np.ndarray, codes: np.ndarray, table: np.ndarray) -> np.ndarray:
        """a, codes [...] -> int64 [...] products with the entries that the codes name."""
        return a * table[codes]

    @property
    def file_words(self) -> Mapping[str, int]:
        """The table."""
        return {"codebook": 1 << self.index_bits}

    def actions(self, issued: int, effectual: int, mode: Mode | None = None, cycles: int | None = None) -> Actions:
        """A look-up, a product at the wider of the two widths and an addition for each."""
        mode, active = mode or self.modes[0], self.active(issued, effectual)
        width = max(mode.activation_bits, mode.weight_bits)
        return Actions(
            {
                ("codebook", "read", self.table_bits): active,
                ("mac", "mult", width): active,
                ("mac", "add", mode.sum_bits): active,
            }
        )
