"""The registries of hardware parts, and the checks their fields share."""

from typing import Any

from workloads.registry import Registry

#: name -> frozen dataclass; see the protocols in accel_sim.accelerator and accel_sim.interconnect
macs = Registry("MAC unit", "accel_sim.macs")
dataflows = Registry("dataflow", "accel_sim.dataflows")
memories = Registry("memory", "accel_sim.memories")
interconnects = Registry("interconnect", "accel_sim.interconnects")


def require(part: Any, at_least: float, *fields: str) -> None:
    """Raises ValueError naming the first of ``fields`` that is below ``at_least`` (None passes)."""
    for name in fields:
        value = getattr(part, name)
        if value is not None and value < at_least:
            raise ValueError(f"{name}={value} must be at least {at_least:g}")
