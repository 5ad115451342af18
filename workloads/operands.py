"""One layer's data: the integer codes its products are made of, and how its sums become the next layer's codes."""

from dataclasses import dataclass

import numpy as np

from workloads.formats.codes import Codes
from workloads.requant import Requant


@dataclass(frozen=True, eq=False)
class Operands:
    """inputs: [N, C, H, W] codes; of a concat the maps side by side, of other layers the first map.

    weights: [M, C/G, R, S] codes (a dynamic matmul's second operand too), None for layers without MACs.
    bias: [M] int64 at accumulator scale, or None. requant: None when nothing says how sums become codes.
    *_source: where values (or, if synthetic, densities) come from. synthetic: 'weights' and 'inputs' that were made up.
    """

    inputs: Codes
    weights: Codes | None = None
    bias: np.ndarray | None = None
    requant: Requant | None = None
    weight_source: str = ""
    input_source: str = ""
    synthetic: tuple[str, ...] = ()
