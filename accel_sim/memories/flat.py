"""Flat DRAM: one queue in order of arrival, a fixed bandwidth and a fixed latency."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from accel_sim.parts import memories, require


@memories.add("flat")
@dataclass(frozen=True)
class FlatDram:
    """level: its name in results. Reads, writes and all operands share one channel.

    bandwidth_bytes_per_cycle: of the array clock; latency_cycles: request to first byte, pipelined.
    background_mw: standby power, None = not modelled.
    """

    level: str = "dram"
    bandwidth_bytes_per_cycle: float = 16.0
    latency_cycles: int = 40
    background_mw: float | None = None

    def __post_init__(self):
        require(self, 0, "latency_cycles", "background_mw")
        require(self, 1e-3, "bandwidth_bytes_per_cycle")

    def new_state(self) -> np.ndarray:
        """State owned by the caller: [time at which the channel falls idle]."""
        return np.zeros(1, dtype=np.int64)

    def submit(self, state: np.ndarray, time: int, extents: tuple, is_write: bool) -> tuple[int, int, int]:
        """One transfer of all extents (address, bytes, count, stride): (first busy, channel free, completion) cycle."""
        size = sum(extent.bytes * extent.count for extent in extents)
        begin = max(time, int(state[0]))
        exact = size / Fraction(self.bandwidth_bytes_per_cycle).limit_denominator(1 << 20)
        end = begin - (-exact.numerator // exact.denominator)
        state[0] = end
        return begin, end, end + self.latency_cycles

    def price(self, action: str, bits: int, table) -> tuple[float, str]:
        """(pJ, source) of moving ``bits``."""
        return table.per_bit("dram", bits)
