"""Vector dot-product arrays: DaDianNao (Chen et al., MICRO 2014) and the bit-serial machines built on its tiles.

A PE has ``lanes`` MAC units whose products are summed. A step gives it a brick (``lanes`` channels of one tap) of a
window and of a filter: PEs of a column share the window, PEs of a row the filter. Tiles of filters lie under each
other. The MAC unit says how long a brick takes; columns wait for the slowest, or run ahead.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from accel_sim.dataflows.asymmetric import Asymmetric, Precision, precision_bits
from accel_sim.dataflows.common import check_codebook, plain_weights
from accel_sim.dataflows.dataflow import dataflows
from accel_sim.dataflows.vector.vector_schedule import ASIDE
from accel_sim.dataflows.vector.vector_tiles import TiledVector
from accel_sim.macs.unit import MacUnit, Mode, macs
from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.mapper import Mapper
from accel_sim.values.address_map import Placement
from accel_sim.values.checks import MOST_FIELD_BITS, MOST_PIECES, NO_OUTPUT_BITS, require
from workloads.encoding import Encoding
from workloads.layer import Layer
from workloads.operands import MacOperands


@dataflows.add("vector")
@dataclass(frozen=True)
class Vector:
    """lanes: MAC units of a PE. column_registers: steps that a column may be ahead of one that others have yet to
    begin: 0 = all begin together, None = no bound.

    lookahead, lookaside: steps and places near by from which a place without a weight takes one (see vector_schedule);
    0 = zero weights keep their steps.
    precision: the MAC unit's mode of a layer is the fastest for the width of its formats, or for the fewest bits that
    its data need (known before it runs). Codes with a zero point are multiplied as differences.
    pointer_bits, codebook_bits: where weights lie encoded, the count of entries
    before each slice, and a codebook's entry.
    """

    lanes: int = 16
    column_registers: int | None = 0
    lookahead: int = 0
    lookaside: int = 0
    precision: Precision = "format"
    pointer_bits: int = 16
    codebook_bits: int = 16

    #: what other dataflows of folds let the user choose
    asymmetric: ClassVar[Asymmetric] = "differences"
    stationary: ClassVar[str] = "os"

    former: ClassVar = NO_OUTPUT_BITS

    def __post_init__(self) -> None:
        require(self, 1, "lanes", at_most=MOST_PIECES)
        require(self, 1, "pointer_bits", "codebook_bits", at_most=MOST_FIELD_BITS)
        require(self, 0, "column_registers", "lookahead", "lookaside", at_most=MOST_PIECES)
        if self.lookaside > (len(ASIDE) if self.lookahead else 0):
            raise ValueError(f"lookaside={self.lookaside} must be at most {len(ASIDE)}, and 0 without lookahead")

    @property
    def units_per_lane(self) -> int:
        """MAC units of a PE."""
        return self.lanes

    def units_summed(self, rows: int) -> int:
        """MAC units whose products meet before an accumulator."""
        return self.lanes

    def mode(self, mac: MacUnit, operands: MacOperands) -> Mode:
        """Of a PE: the unit's, with ``lanes`` times the products summed."""
        mode = self._unit_mode(mac, operands)
        cost, together, refused = mac.cost(mode), mode.reduction * self.lanes, None
        group = getattr(mac, "group_values", together)
        if group % together:
            refused = f"group_values={group} must be a multiple of the {together} values of a PE (dataflow.lanes)"
        elif self.lookahead and (cost.table.ndim == 2 or cost.operator not in ("max", "two_stage")):
            refused = f"lookahead={self.lookahead} takes units whose cost depends on activations alone, lane by lane"
        elif cost.table.ndim == 2 and cost.operator != "max":
            refused = f"dataflow 'vector' takes costs by pairs of operands with 'max', not '{cost.operator}'"
        if refused is not None:
            raise ValueError(f"MAC unit '{macs.name_of(mac)}': {refused}")
        return replace(mode, reduction=together)

    def _unit_mode(self, mac: MacUnit, operands: MacOperands) -> Mode:
        return mac.mode(*precision_bits(operands, "differences", self.precision))

    def tiles(
        self, layer: Layer, operands: MacOperands, rows: int, cols: int, mac: MacUnit, buffers: dict[str, Buffer],
        encodings: dict[str, Encoding], placement: Placement, mapper: Mapper,
    ) -> TiledVector:  # fmt: skip
        """InputError for weights that are compressed at the array."""
        plain, stored = plain_weights("vector", layer, operands, encodings["weights"], buffers["weights"])
        check_codebook(layer, stored, self.codebook_bits)
        return TiledVector(
            layer, plain, stored, encodings["weights"], rows, cols, mac, self.mode(mac, operands), buffers, placement,
            self, mapper, self._unit_mode(mac, operands),
        )  # fmt: skip
