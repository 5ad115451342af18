"""The registries of hardware parts and the checks of their fields, for whoever writes a part of their own."""

from accel_sim.checks import MOST_CODE_BITS, MOST_FIELD_BITS, MOST_PIECES, NO_OUTPUT_BITS, ReadAs, require
from accel_sim.dataflow import dataflows
from accel_sim.interconnect import interconnects
from accel_sim.mac_unit import macs
from accel_sim.memory import memories

__all__ = [
    "MOST_CODE_BITS", "MOST_FIELD_BITS", "MOST_PIECES", "NO_OUTPUT_BITS", "ReadAs", "dataflows", "interconnects",
    "macs", "memories", "require",
]  # fmt: skip
