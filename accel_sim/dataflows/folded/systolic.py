"""Systolic arrays: output, weight and input stationary are one mechanism and a table.

A layer is, per group, a product of [pixels, K] inputs and [K, filters] weights. A fold puts one of the three
dimensions on the rows, one on the columns and streams the third; cycles per fold as in SCALE-Sim (Samajdar et al.,
ISPASS 2020), checked against its reference run: OS K + R + C - 2, WS pixels + 2R + C - 2, IS filters + 2R + C - 2.
Column folds are the outer loop, row folds the inner one.

The MAC unit's mode stretches the array: a PE takes ``reduction`` of k and ``outputs`` filters in a step of ``cycles``.
Operands hop to the next PE a cycle after they came; sums that move (WS, IS) hop when they are finished, a step after.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from accel_sim.dataflows.asymmetric import Asymmetric, Precision, precision_bits
from accel_sim.dataflows.common import check_codebook, plain_weights
from accel_sim.dataflows.dataflow import dataflows
from accel_sim.dataflows.folded.systolic_tiles import TiledSystolic
from accel_sim.macs.unit import MacUnit, Mode
from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.mapper import Mapper
from accel_sim.values.address_map import Placement
from accel_sim.values.checks import MOST_FIELD_BITS, NO_OUTPUT_BITS, require
from accel_sim.values.map_layout import StoredMap, packed_bytes
from workloads.encoding import Encoding
from workloads.layer import Layer
from workloads.operands import MacOperands
from workloads.registry import InputError


@dataflows.add("systolic")
@dataclass(frozen=True)
class Systolic:
    """stationary: what stays in the PEs. groups: one after another, or as many as fit side by side.

    precision: the MAC unit's mode of a layer is the fastest for the width of its formats, or for the fewest bits that
    its data need (known before it runs). reduction_order: k in the order of the weights (C, R, S), or tap by tap, where
    a fold takes channels of one tap alone; im2col_first: tap by tap but for layers that read the network's input,
    which lies in memory as the im2col matrix the host made of it.
    overlap: folds wait for each other; or a fold's operands are loaded while the one before streams (a second register
    a PE); or folds follow each other without a gap (every PE reads what it holds from a buffer of its own, and nothing
    is counted for filling the array).
    initial_sums: they begin at zero, or at what lies in memory, a value for each output. stored_sums: finished sums are
    written to memory as they are, beside the codes that the next layer reads.
    asymmetric: codes with a zero point are multiplied as differences (subtracted at the array's edge), or raw, and the
    sums corrected (see dataflows.asymmetric).
    drain: whether moving an OS fold's outputs out is hidden in the fold's last cycles (SCALE-Sim) or takes R cycles
    more. part_folds: a fold that leaves rows or columns without work is loaded, filled and drained as the whole array
    (SCALE-Sim), or as the R and C it uses: the next one begins when the last PE with work has finished (sums still hop
    on through rows without work while it does). pointer_bits, codebook_bits: where weights lie
    encoded, the count of entries before each slice, and a codebook's entry.
    """

    stationary: Literal["os", "ws", "is"] = "ws"
    groups: Literal["serial", "packed"] = "serial"
    drain: Literal["hidden", "exposed"] = "hidden"
    part_folds: Literal["whole", "used"] = "whole"
    precision: Precision = "format"
    reduction_order: Literal["im2col", "taps", "im2col_first"] = "im2col"
    overlap: Literal["none", "loads", "folds"] = "none"
    initial_sums: Literal["zero", "loaded"] = "zero"
    stored_sums: bool = False
    asymmetric: Asymmetric = "differences"
    pointer_bits: int = 16
    codebook_bits: int = 16

    former: ClassVar = NO_OUTPUT_BITS

    def __post_init__(self) -> None:
        require(self, 1, "pointer_bits", "codebook_bits", at_most=MOST_FIELD_BITS)

    def units_summed(self, rows: int) -> int:
        """MAC units whose products meet before an accumulator: those of a column, unless sums stay where they are."""
        return 1 if self.stationary == "os" else rows

    def mode(self, mac: MacUnit, operands: MacOperands) -> Mode:
        """The unit's fastest for the layer's formats, or for what its data need; ValueError if there is none."""
        return mac.mode(*precision_bits(operands, self.asymmetric, self.precision))

    def lowers(self, layer: Layer) -> bool:
        """The host has made its input a matrix."""
        return self.reduction_order == "im2col_first" and layer.inputs == ("input",) and layer.R * layer.S > 1

    def taps(self, layer: Layer) -> int:
        """Parts of the reduction that never share a fold."""
        return 1 if self.reduction_order == "im2col" or self.lowers(layer) else layer.R * layer.S

    def tiles(
        self, layer: Layer, operands: MacOperands, rows: int, cols: int, mac: MacUnit, buffers: dict[str, Buffer],
        encodings: dict[str, Encoding], placement: Placement, mapper: Mapper,
    ) -> TiledSystolic:  # fmt: skip
        """InputError for compressed weights at the array, too narrow a codebook field, or a tensor layout of inputs
        read tap by tap."""
        plain, stored = plain_weights("systolic", layer, operands, encodings["weights"], buffers["weights"])
        check_codebook(layer, stored, self.codebook_bits)
        if buffers["inputs"].layout == "tensor" and self.reduction_order != "im2col":
            raise InputError(
                f"dataflow 'systolic': reduction_order={self.reduction_order} has no `layout: tensor` of its inputs"
            )
        if self.lowers(layer):
            matrix = layer.lowered()
            bits = operands.inputs.format.bits
            address = placement.take(packed_bytes(matrix.input_elements, bits))
            placement = replace(placement, inputs=(StoredMap.at(address, bits, matrix.input_elements),))
        return TiledSystolic(
            layer, plain, stored, encodings["weights"], rows, cols, mac, self.mode(mac, operands), buffers, placement,
            self, mapper,
        )  # fmt: skip
