"""The registries of hardware parts, and the checks their fields share."""

import math
from typing import Any

from workloads.registry import Registry

#: name -> frozen dataclass; see the protocols in accel_sim.accelerator and accel_sim.interconnect
macs = Registry("MAC unit", "accel_sim.macs")
dataflows = Registry("dataflow", "accel_sim.dataflows")
memories = Registry("memory", "accel_sim.memories")
interconnects = Registry("interconnect", "accel_sim.interconnects")


#: no operand of a MAC unit and no code in memory has more bits
MOST_CODE_BITS, MOST_FIELD_BITS = 16, 64
#: lanes, entries or registers of one kind: more is beyond reason, and beyond the host's memory
MOST_PIECES = 1 << 16


def require(part: Any, at_least: float, *fields: str, at_most: float = math.inf) -> None:
    """Raises ValueError naming the first of ``fields`` that is outside these bounds (None passes)."""
    for name in fields:
        value = getattr(part, name)
        if value is not None and value < at_least:
            raise ValueError(f"{name}={value} must be at least {at_least:g}")
        if value is not None and value > at_most:
            raise ValueError(f"{name}={value} must be at most {at_most:g}")
