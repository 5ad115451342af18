"""Flat DRAM: one queue in order of arrival, a fixed bandwidth and a fixed latency."""

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction

from accel_sim.actions import Actions
from accel_sim.parts import memories, require


@dataclass(eq=False)
class FlatState:
    """free_at: cycle at which the channel falls idle; waiting: transfers not yet reported, in order of completion."""

    free_at: int = 0
    waiting: deque[tuple[int, int, int, int]] = field(default_factory=deque)


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

    def peak_bytes_per_cycle(self, clock_mhz: float) -> Fraction:
        """The most bytes it can move in a cycle of the array clock."""
        return Fraction(self.bandwidth_bytes_per_cycle).limit_denominator(1 << 20)

    def new_state(self, clock_mhz: float) -> FlatState:
        """An idle channel; it knows no clock but the array's."""
        return FlatState()

    def submit(self, state: FlatState, ticket: int, time: int, extents: tuple, is_write: bool) -> None:
        """One transfer of all extents (address, bytes, count, stride), served after those before it."""
        size = sum(extent[1] * extent[2] for extent in extents)
        begin = max(time, state.free_at)
        exact = size / Fraction(self.bandwidth_bytes_per_cycle).limit_denominator(1 << 20)
        state.free_at = begin - (-exact.numerator // exact.denominator)
        state.waiting.append((ticket, begin, state.free_at, state.free_at + self.latency_cycles))

    def advance(self, state: FlatState, limit: int | None) -> list[tuple[int, int, int, int]]:
        """(ticket, first busy, channel free, completion) of what completes first, if not after ``limit``."""
        done = []
        while state.waiting and (limit is None or state.waiting[0][3] <= limit):
            if done and state.waiting[0][3] > done[0][3]:
                break
            done.append(state.waiting.popleft())
        return done

    def actions(self, state: FlatState, time: int) -> Actions:
        """Nothing beside the bytes that the tiles count."""
        return Actions()

    def price(self, action: str, bits: int, table) -> tuple[float, str]:
        """(pJ, source) of moving ``bits``."""
        return table.per_bit("dram", bits)

    def idle_latency(self, clock_mhz: float) -> int:
        """Cycles from a request to its first byte on an idle channel."""
        return self.latency_cycles
