"""The registries of hardware parts, and the checks their fields share."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.registry import Registry, lacking

if TYPE_CHECKING:
    from accel_sim.accelerator import Dataflow
    from accel_sim.interconnect import Interconnect
    from accel_sim.mac_unit import MacUnit
    from accel_sim.memory import Level

#: what a part of each kind is asked for: of one that lacks any, no run could come to its end
UNIT = ("modes", "cost", "products", "actions", "components", "mode", "check_operands")
DATAFLOW = ("mode", "tiles")
OUTERMOST = ("new_state", "submit", "advance", "actions", "price", "peak_bytes_per_cycle", "idle_latency")
ON_CHIP = ("price", "macro", "port_kind", "leakage", "area_um2", "latency", "reads_per_cycle", "writes_per_cycle")
NETWORK = ("cycles", "hops", "deliver", "scatter", "price")


#: name -> frozen dataclass; see the protocols and base classes they are typed by
macs: "Registry[type[MacUnit]]" = Registry("MAC unit", "accel_sim.macs", lambda part: lacking(part, *UNIT))
dataflows: "Registry[type[Dataflow]]" = Registry(
    "dataflow", "accel_sim.dataflows", lambda part: lacking(part, *DATAFLOW)
)
memories: "Registry[type[Level]]" = Registry(
    "memory", "accel_sim.memories", lambda part: lacking(part, *(OUTERMOST if hasattr(part, "submit") else ON_CHIP))
)
interconnects: "Registry[type[Interconnect]]" = Registry(
    "interconnect", "accel_sim.interconnects", lambda part: lacking(part, *NETWORK)
)


@dataclass(frozen=True)
class ReadAs:
    """Mark of a field of which the reader of configurations asks less than its type says: only to be a ``kind``.

    The rest is sure already, or checked by the record that has the field.
    """

    kind: object

    def __get_pydantic_core_schema__(self, source: object, handler: Callable[[object], object]) -> object:
        """What pydantic asks of a value."""
        return handler(self.kind)


#: what a dataflow says to a field that none has any more, by name (``former`` of a part): of (value, clock_mhz)
NO_OUTPUT_BITS = {
    "output_bits": lambda value, clock_mhz: (
        "is no field any more: a map is as wide as the network's codes; choose that with --precision activations=BITS"
    ),
}
#: no operand of a MAC unit and no code in memory has more bits
MOST_CODE_BITS, MOST_FIELD_BITS = 16, 64
#: lanes, entries or registers of one kind: more is beyond reason, and beyond the host's memory
MOST_PIECES = 1 << 16


def require(part: object, at_least: float, *fields: str, at_most: float = math.inf) -> None:
    """Raises ValueError naming the first of ``fields`` that is outside these bounds (None passes)."""
    for name in fields:
        value = getattr(part, name)
        if value is not None and value < at_least:
            raise ValueError(f"{name}={value} must be at least {at_least:g}")
        if value is not None and value > at_most:
            raise ValueError(f"{name}={value} must be at most {at_most:g}")
