"""A bus: one wire past every PE."""

from dataclasses import dataclass

from accel_sim.interconnects.common import Wires, block, packed
from accel_sim.interconnects.interconnect import interconnects
from accel_sim.values.checks import require


@interconnects.add("bus")
@dataclass(frozen=True)
class Bus(Wires):
    """channels: equal buses, each of which passes one word at a time. Every PE listens to every word and takes what is
    its own by its place in the word, so narrow values are packed (four of 8 bits on 32) wherever each of them goes.

    The wire toggles from end to end whoever listens: a segment to each PE of the array, for any block.
    """

    channels: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, 1, "channels")

    def cycles(self, values: int, bits: int, places: int = 1) -> int:
        """Array-clock cycles for which the buses pass ``values``, whatever their ``places``."""
        return 0 if self.width_bits is None else -(-packed(values, bits, self.width_bits) // self.channels)

    def hops(self, rows: int, cols: int, to_rows: int, to_cols: int) -> int:
        """rows x cols, wherever the value goes; 0 if nowhere."""
        return rows * cols if block(rows, cols, to_rows, to_cols) else 0
