"""What a machine needs of its dataflow."""

from typing import Protocol

from accel_sim.dataflows.common import TiledLayer
from accel_sim.macs.unit import MacUnit, Mode
from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.mapper import Mapper
from accel_sim.values.address_map import Placement
from workloads.encoding import Encoding
from workloads.layer import Layer
from workloads.operands import MacOperands
from workloads.registry import Registry, lacking


class Dataflow(Protocol):
    """Which products fall in which (step, lane); it sees no memory beyond its buffers, and no energy."""

    def mode(self, mac: MacUnit, operands: MacOperands) -> Mode:
        """The unit's mode in which a layer runs; ValueError if the unit, or this dataflow with it, has none."""

    def tiles(
        self, layer: Layer, operands: MacOperands, rows: int, cols: int, mac: MacUnit, buffers: dict[str, Buffer],
        encodings: dict[str, Encoding], placement: Placement, mapper: Mapper,
    ) -> TiledLayer:  # fmt: skip
        """The layer cut into tiles that fit the buffers."""


#: what a dataflow is asked for: of one that lacks any, no run could come to its end
ASKED = ("mode", "tiles")
#: name -> frozen dataclass
dataflows: Registry[type[Dataflow]] = Registry("dataflow", "accel_sim.dataflows", lambda part: lacking(part, *ASKED))
