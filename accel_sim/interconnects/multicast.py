"""A multicast tree in Y and X, as Eyeriss's global input network has it."""

from dataclasses import dataclass

from accel_sim.interconnects.common import Wires, block, words
from accel_sim.interconnects.interconnect import interconnects
from accel_sim.values.checks import require


@interconnects.add("multicast")
@dataclass(frozen=True)
class Multicast(Wires):
    """A trunk along all rows (Y bus) and a branch along each (X bus); a controller before each branch lets through what
    carries its row's number, one before each PE what carries its column's, and the branches of other rows stay still
    (Eyeriss, JSSC 2017: recalled). channels: equal trees, a word on each in a cycle.

    A word carries one address: values are packed into it only if they go to the same place. Trunk and branch are
    undivided wires, so a value drives the whole trunk and the whole branch of each row it goes to, whatever columns.
    """

    channels: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, 1, "channels")

    def cycles(self, values: int, bits: int, places: int = 1) -> int:
        """Array-clock cycles for which the trees pass ``values`` spread evenly over ``places``."""
        return 0 if self.width_bits is None else -(-words(values, bits, places, self.width_bits) // self.channels)

    def hops(self, rows: int, cols: int, to_rows: int, to_cols: int) -> int:
        """The trunk, rows segments, and a branch of cols segments for each row of the block."""
        return rows + to_rows * cols if block(rows, cols, to_rows, to_cols) else 0
