"""Links from PE to PE, as in a systolic array."""

from dataclasses import dataclass

from accel_sim.interconnects.common import Wires, block, through_ports
from accel_sim.interconnects.interconnect import interconnects
from accel_sim.values.checks import require


@interconnects.add("neighbour")
@dataclass(frozen=True)
class Neighbour(Wires):
    """Values enter at an edge and hop from each PE to the next. ports: words that can enter in a cycle, each at a row
    or column of its own; None = one at each.

    Places are rows (or columns) here: a link carries values for what lies behind it, so narrow values are packed only
    if they enter at the same port. A link is driven only where a value passes: PE number i of its row, counted from 0,
    costs i + 1 segments. Registers between the links are the dataflow's to count.
    """

    ports: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, 1, "ports")

    def cycles(self, values: int, bits: int, places: int = 1) -> int:
        """Array-clock cycles for which values enter at the edge, spread evenly over ``places`` rows or columns."""
        width = self.width_bits
        return 0 if width is None else through_ports(values, bits, places, width, self.ports)

    def hops(self, rows: int, cols: int, to_rows: int, to_cols: int) -> int:
        """One link into each PE of the block: each gets the value from a neighbour, the first from the edge."""
        return block(rows, cols, to_rows, to_cols)

    def scatter_hops(self, rows: int, cols: int, to_rows: int, to_cols: int) -> int:
        """A value for PE i of a row enters at that row's edge and passes i others: 1 + 2 + ... + to_cols a row."""
        return block(rows, cols, to_rows, to_cols) * (to_cols + 1) // 2
