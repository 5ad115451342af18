"""The registries of hardware parts and the checks of their fields, for whoever writes a part of their own."""

from accel_sim.dataflows.dataflow import dataflows
from accel_sim.interconnects.interconnect import interconnects
from accel_sim.macs.unit import macs
from accel_sim.memories.memory import memories
from accel_sim.values.checks import MOST_CODE_BITS, MOST_FIELD_BITS, MOST_PIECES, NO_OUTPUT_BITS, ReadAs, require

__all__ = [
    "MOST_CODE_BITS", "MOST_FIELD_BITS", "MOST_PIECES", "NO_OUTPUT_BITS", "ReadAs", "dataflows", "interconnects",
    "macs", "memories", "require",
]  # fmt: skip
