"""What a machine needs of an on-chip network between one memory level and what it feeds."""

from typing import Protocol

from accel_sim.values.actions import Actions
from accel_sim.values.prices import Prices
from workloads.registry import Registry, lacking


class Interconnect(Protocol):
    """A network between a memory level and an array of rows x cols PEs (or the level before them), and back.

    All methods are pure functions of the part and their arguments. Values are ``bits`` wide; a *segment* is one PE
    pitch of wire, and the level lies one from the array's corner; a *block* is to_rows x to_cols PEs, counted from the
    corner where values enter.

    width_bits: of one word, the bits that enter a channel or port in a cycle; None = never a bottleneck.
    cycles(values, bits, places): array-clock cycles for which the network is busy passing ``values``, spread evenly
        over ``places`` destinations (a block that takes the same values is one place). 0 if width_bits is None.
        Values are packed into words whole: width_bits // bits of them, or one in several words. Pipeline latency
        (skew, fill and drain) is the dataflow's and is not in it. The way back takes as long: places are origins then.
    hops(rows, cols, to_rows, to_cols): segments that one bit drives when one value goes to every PE of a block;
        never less for a larger block, 0 for an empty one. ValueError if the block is no part of the array.
    deliver(component, count, bits, ...): {(component, "hop", bits): segments} of ``count`` values that each go to
        every PE of the block (multicast), or come from it as one (a chain of sums).
    scatter(component, count, bits, ...): the same where ``count`` values go to *each* PE of the block, every value to
        one PE alone (weights to be held), or come from them (outputs).
    price(action, bits, table): (pJ, source) of ``bits`` over one segment.
    """

    @property
    def width_bits(self) -> int | None:
        """Bits of one word; None = as wide as need be."""

    def cycles(self, values: int, bits: int, places: int = 1) -> int:
        """Array cycles in which so many values, spread over ``places`` destinations, keep it busy."""

    def hops(self, rows: int, cols: int, to_rows: int, to_cols: int) -> int:
        """Segments that a bit drives when a value goes to every PE of a block."""

    def deliver(
        self, component: str, count: int, bits: int, rows: int, cols: int, to_rows: int, to_cols: int
    ) -> Actions:
        """Segments of ``count`` values that each go to every PE of the block."""

    def scatter(
        self, component: str, count: int, bits: int, rows: int, cols: int, to_rows: int, to_cols: int
    ) -> Actions:
        """As ``deliver``, of ``count`` values for each PE of the block alone."""

    def price(self, action: str, bits: int, table: Prices) -> tuple[float, str]:
        """(pJ, source) of ``bits`` over one segment."""


#: what a network is asked for: of one that lacks any, no run could come to its end
ASKED = ("cycles", "hops", "deliver", "scatter", "price")
#: name -> frozen dataclass
interconnects: Registry[type[Interconnect]] = Registry(
    "interconnect", "accel_sim.interconnects", lambda part: lacking(part, *ASKED)
)
