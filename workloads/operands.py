"""One layer's data: the integer codes its products are made of, and how its sums become the next layer's codes."""

from dataclasses import dataclass

import numpy as np

from workloads.formats.codes import Codes, NumberFormat


@dataclass(frozen=True)
class Requant:
    """Sum -> output code: relu (optional), add half, arithmetic shift right, clip to the format's range (int8-pow2)."""

    shift: int
    format: NumberFormat
    relu: bool = True

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """sums: int64, any shape -> codes of the same shape, uint8 or int8."""
        values = np.maximum(sums, 0) if self.relu else sums
        if self.shift > 0:
            values = (values + (1 << (self.shift - 1))) >> self.shift
        elif self.shift < 0:
            values = values << -self.shift
        low = max(self.format.low, 0) if self.relu else self.format.low
        return np.clip(values, low, self.format.high).astype(np.int8 if self.format.signed else np.uint8)


@dataclass(frozen=True, eq=False)
class Operands:
    """inputs: [N, C, H, W] codes, channels of all input maps joined; second: the other map of an ``add``, or None.

    weights: [M, C/G, R, S] codes (a dynamic matmul's second operand too), None for layers without MACs.
    bias: [M] int64 at accumulator scale, or None. requant: None when nothing says how sums become codes.
    *_source: where values (or, if synthetic, densities) come from. synthetic: 'weights' and 'inputs' that were made up.
    """

    inputs: Codes
    weights: Codes | None = None
    second: Codes | None = None
    bias: np.ndarray | None = None
    requant: Requant | None = None
    weight_source: str = ""
    input_source: str = ""
    synthetic: tuple[str, ...] = ()
