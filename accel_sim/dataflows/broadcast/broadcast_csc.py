"""Broadcast of non-zero activations to lanes that hold compressed weight columns (EIE, Han et al., ISCA 2016).

docs/model.md 3 has the machine in full: a product is one matrix-vector product (an output pixel of one group), a step
one non-zero activation, and cost[t, l] the entries that lane l stores for its column, fillers included.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from accel_sim.dataflows.asymmetric import Asymmetric, multiplier_bits
from accel_sim.dataflows.broadcast.broadcast_tiles import TiledBroadcast
from accel_sim.dataflows.common import check_codebook
from accel_sim.dataflows.dataflow import dataflows
from accel_sim.macs.unit import MacUnit, Mode
from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.mapper import Mapper
from accel_sim.values.address_map import Placement
from accel_sim.values.checks import MOST_FIELD_BITS, NO_OUTPUT_BITS, require
from accel_sim.works.grid import Recurrence
from workloads.encoding import Encoding, Slices
from workloads.layer import Layer
from workloads.operands import MacOperands
from workloads.registry import InputError

#: deeper queues are as good as endless, and take memory
MOST_SLOTS = 1 << 20


@dataflows.add("broadcast_csc")
@dataclass(frozen=True)
class BroadcastCsc:
    """queue_depth: activations a lane can hold; registered_queue: a slot is refilled only the cycle after it is taken.

    scan_width: positions the leading-non-zero scan examines per cycle (None: one non-zero a cycle whatever lies
    between). double_buffer_accumulators: the next product starts without waiting for the last one's sums (as if a
    second set were always free).
    asymmetric: codes with a zero point are stored and broadcast as differences, or raw, and the sums corrected (see
    dataflows.asymmetric).
    pointer_bits: of a column pointer, which numbers the entries of its lane in a tile (their bits, where an encoding's
    entries differ in size); the last one is their number.
    codebook_bits: of a codebook entry.
    accumulators: words of a lane's register file of sums. It is one of EIE's two (recalled); a lane that owns more rows
    than it has words is taken to have more such files, which cost as much to access.
    """

    queue_depth: int = 8
    registered_queue: bool = False
    scan_width: int | None = None
    double_buffer_accumulators: bool = False
    pointer_bits: int = 16
    codebook_bits: int = 16
    asymmetric: Asymmetric = "differences"
    accumulators: int = 64

    former: ClassVar = NO_OUTPUT_BITS

    def __post_init__(self) -> None:
        if self.queue_depth > MOST_SLOTS:
            raise ValueError(f"queue_depth={self.queue_depth} must be at most {MOST_SLOTS}")
        if self.accumulators > MOST_SLOTS:
            raise ValueError(f"accumulators={self.accumulators} must be at most {MOST_SLOTS}")
        require(self, 1, "queue_depth", "scan_width", "accumulators")
        require(self, 1, "pointer_bits", "codebook_bits", at_most=MOST_FIELD_BITS)

    @property
    def recurrence(self) -> Recurrence:
        """docs/model.md 3's constants of this machine."""
        return Recurrence(depth=self.queue_depth, gap=1, lat=1, free=int(self.registered_queue), floor=1)

    def mode(self, mac: MacUnit, operands: MacOperands) -> Mode:
        """The unit's, for differences or raw codes; ValueError for operands that it does not take."""
        bits = multiplier_bits(operands, self.asymmetric)
        mac.check_mode(*bits)
        return mac.mode(*bits)

    def tiles(
        self, layer: Layer, operands: MacOperands, rows: int, cols: int, mac: MacUnit, buffers: dict[str, Buffer],
        encodings: dict[str, Encoding], placement: Placement, mapper: Mapper,
    ) -> TiledBroadcast:  # fmt: skip
        """InputError for an encoding that stores zeros, as dense does."""
        empty = np.zeros((1, 2), dtype=np.uint8)
        if encodings["weights"].entries(Slices.of(empty, empty, 8))[0]:
            raise InputError(
                "dataflow 'broadcast_csc' needs an encoding that stores nothing for an empty column slice: set "
                "encodings.weights.name to relative_index"
            )
        if not buffers["weights"].compressed:
            raise InputError(
                f"dataflow 'broadcast_csc' reads encoded weights: put weights into `compressed` of level "
                f"'{buffers['weights'].level}'"
            )
        check_codebook(layer, operands.weights, self.codebook_bits)
        return TiledBroadcast(
            layer, operands, rows * cols, cols, mac, buffers, encodings["weights"], placement, self, mapper
        )
