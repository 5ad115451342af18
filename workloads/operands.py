"""One layer's data: the integer codes its products are made of, and how its sums become the next layer's codes."""

from dataclasses import dataclass

import numpy as np

from workloads.formats.codes import Codes
from workloads.requant import Requant


@dataclass(frozen=True, eq=False)
class PostOperands:
    """Of a layer without MACs. inputs: [N, C, H, W] codes; of a concat the maps side by side, of others the first map.

    input_source: where values (or, if synthetic, densities) come from. synthetic: 'inputs' if they were made up.
    """

    inputs: Codes
    input_source: str = ""
    synthetic: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class MacOperands:
    """Of a layer with MACs. inputs: [N, C, H, W] codes.

    weights: [M, C/G, R, S] codes (a dynamic matmul's second operand too).
    bias: [M] int64 at accumulator scale, or None. requant: None when nothing says how sums become codes.
    *_source: where values (or, if synthetic, densities) come from. synthetic: 'weights' and 'inputs' that were made up.
    """

    inputs: Codes
    weights: Codes
    bias: np.ndarray | None = None
    requant: Requant | None = None
    weight_source: str = ""
    input_source: str = ""
    synthetic: tuple[str, ...] = ()


#: of a layer with MACs or of one without
Operands = MacOperands | PostOperands
