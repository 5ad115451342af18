"""Flat DRAM: one queue in order of arrival, a fixed bandwidth and a fixed latency."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

from accel_sim.memories.memory import Completed, memories
from accel_sim.values.actions import Actions
from accel_sim.values.checks import require
from accel_sim.values.prices import Prices
from accel_sim.values.tile import Extent


@dataclass(eq=False)
class FlatState:
    """bytes_per_cycle, latency: of the array clock; free_at: cycle at which the channel falls idle; waiting: transfers
    not yet reported, in order of completion."""

    bytes_per_cycle: Fraction
    latency: int
    free_at: int = 0
    waiting: deque[Completed] = field(default_factory=deque)


def _renamed(field_name: str, per_cycle: Callable[[Fraction], Fraction]) -> Callable[[object, float | None], str]:
    """What is said to a field that counted in cycles: its new name, and value at the machine's clock."""

    def say(value: object, clock_mhz: float | None) -> str:
        why = f"is now {field_name}, which no clock changes"
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not clock_mhz or clock_mhz < 0:
            return why
        new = float(Fraction(str(value)) * per_cycle(Fraction(str(clock_mhz))))
        return f"{why}; {value:g} at {clock_mhz:g} MHz is {field_name}={new:.6g}"

    return say


@memories.add("flat")
@dataclass(frozen=True)
class FlatDram:
    """level: its name in results. Reads, writes and all operands share one channel.

    bandwidth_gb_s: 10^9 bytes a second; latency_ns: request to first byte, pipelined. Both are the part's, whatever the
    array's clock; in its cycles they are exact fractions, and completions are rounded up to whole cycles.
    background_mw: standby power, None = not modelled.
    """

    level: str = "dram"
    bandwidth_gb_s: float = 16.0
    latency_ns: float = 50.0
    background_mw: float | None = None

    former: ClassVar = {
        "bandwidth_bytes_per_cycle": _renamed("bandwidth_gb_s", lambda mhz: mhz / 1000),
        "latency_cycles": _renamed("latency_ns", lambda mhz: 1000 / mhz),
    }

    def __post_init__(self) -> None:
        require(self, 0, "latency_ns", "background_mw")
        require(self, 1e-3, "bandwidth_gb_s")

    def peak_bytes_per_cycle(self, clock_mhz: float) -> Fraction:
        """The most bytes it can move in a cycle of the array clock."""
        return Fraction(str(self.bandwidth_gb_s)) * 1000 / Fraction(str(clock_mhz))

    def new_state(self, clock_mhz: float) -> FlatState:
        """An idle channel beside an array of this clock."""
        return FlatState(self.peak_bytes_per_cycle(clock_mhz), self.idle_latency(clock_mhz))

    def submit(self, state: FlatState, ticket: int, time: int, extents: tuple[Extent, ...], is_write: bool) -> None:
        """One transfer of all extents (address, bytes, count, stride), served after those before it."""
        size = sum(extent[1] * extent[2] for extent in extents)
        begin = max(time, state.free_at)
        state.free_at = begin + math.ceil(size / state.bytes_per_cycle)
        state.waiting.append((ticket, begin, state.free_at, state.free_at + state.latency))

    def advance(self, state: FlatState, limit: int | None) -> list[Completed]:
        """(ticket, first busy, channel free, completion) of what completes first, if not after ``limit``."""
        done: list[Completed] = []
        while state.waiting and (limit is None or state.waiting[0][3] <= limit):
            if done and state.waiting[0][3] > done[0][3]:
                break
            done.append(state.waiting.popleft())
        return done

    def actions(self, state: FlatState, time: int) -> Actions:
        """Nothing beside the bytes that the tiles count."""
        return Actions()

    def price(self, action: str, bits: int, table: Prices) -> tuple[float, str]:
        """(pJ, source) of moving ``bits``."""
        return table.per_bit("dram", bits)

    def idle_latency(self, clock_mhz: float) -> int:
        """Cycles from a request to its first byte on an idle channel."""
        return math.ceil(Fraction(str(self.latency_ns)) * Fraction(str(clock_mhz)) / 1000)
