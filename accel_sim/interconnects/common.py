"""What on-chip networks share: words, the energy of a wire, and counts of segments as actions."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from accel_sim.values.actions import Actions
from accel_sim.values.checks import require
from accel_sim.values.prices import Prices

#: pJ for one bit of random data (half of the wires switch) over one mm. 310 pJ for 256 bits over 10 mm at 40 nm and
#: 0.9 V: Keckler et al., GPUs and the Future of Parallel Computing, IEEE Micro 31(5), 2011, Table 1 (as quoted in two
#: public surveys of wire energy, not read in the paper itself). Taken for 45 nm as it is: the voltage is the same, and
#: the capacitance of a mm of wire hardly changes from node to node (same paper). The same surveys quote 0.122 from
#: DARPA's exascale study (2008, 600 fF/mm with repeaters at 0.9 V) and 0.08 from Das, Aamodt and Dally (ISCA 2015,
#: 45 nm, wires of caches), so the figure is good to a factor of about 1.5.
WIRE_PJ_PER_BIT_MM = 0.121
WIRE_SOURCE = (
    "0.121 pJ/bit/mm: 310 pJ for 256 random bits over 10 mm, 40 nm, 0.9 V "
    "(Keckler et al., IEEE Micro 2011, Table 1, quoted at second hand)"
)
#: guess. For orientation at 45 nm, square roots of areas: 26 um for one 8-bit multiply-add unit of a systolic array
#: (687.6 um2, BitFusion's synthesis), 799 um for an EIE PE with all its memories (638,024 um2, EIE, ISCA 2016)
PITCH_UM = 100.0


@dataclass(frozen=True)
class Wires(ABC):
    """width_bits: of one word; None = as wide as need be, never a bottleneck. pitch_um: from one PE to the next.

    wire_pj_per_bit_mm: energy of one bit of random data over a mm of wire, at the node of the energy table.
    """

    width_bits: int | None = None
    pitch_um: float = PITCH_UM
    wire_pj_per_bit_mm: float = WIRE_PJ_PER_BIT_MM

    def __post_init__(self) -> None:
        require(self, 1, "width_bits")
        require(self, 0, "pitch_um", "wire_pj_per_bit_mm")

    @abstractmethod
    def hops(self, rows: int, cols: int, to_rows: int, to_cols: int) -> int:
        """Segments that one bit of one value drives on its way to every PE of a block."""

    def scatter_hops(self, rows: int, cols: int, to_rows: int, to_cols: int) -> int:
        """Segments that one bit of each value drives when every PE of a block gets one of its own."""
        return block(rows, cols, to_rows, to_cols) * self.hops(rows, cols, 1, 1)

    def deliver(
        self, component: str, count: int, bits: int, rows: int, cols: int, to_rows: int, to_cols: int
    ) -> Actions:
        """Segments of ``count`` values that each go to every PE of a block."""
        return Actions({(component, "hop", bits): count * self.hops(rows, cols, to_rows, to_cols)})

    def scatter(
        self, component: str, count: int, bits: int, rows: int, cols: int, to_rows: int, to_cols: int
    ) -> Actions:
        """Segments of ``count`` values to each PE of a block, every value to one PE alone."""
        return Actions({(component, "hop", bits): count * self.scatter_hops(rows, cols, to_rows, to_cols)})

    def price(self, action: str, bits: int, table: Prices) -> tuple[float, str]:
        """(pJ, source) of ``bits`` over one segment."""
        known = self.wire_pj_per_bit_mm == WIRE_PJ_PER_BIT_MM
        wire = WIRE_SOURCE if known else f"{self.wire_pj_per_bit_mm:g} pJ/bit/mm given in wire_pj_per_bit_mm"
        pitch = f"a PE pitch of {self.pitch_um:g} um: {'guess' if self.pitch_um == PITCH_UM else 'given in pitch_um'}"
        return self.wire_pj_per_bit_mm * bits * self.pitch_um / 1000, f"{wire}; x {pitch}"


def block(rows: int, cols: int, to_rows: int, to_cols: int) -> int:
    """PEs of a block; ValueError if it is no part of the array."""
    if not (0 <= to_rows <= rows and 0 <= to_cols <= cols):
        raise ValueError(f"a block of {to_rows} x {to_cols} PEs is no part of an array of {rows} x {cols}")
    return to_rows * to_cols


def packed(values: int, bits: int, width: int) -> int:
    """Words of ``width`` for ``values`` that go to the same place; a value is not split where a word holds it whole."""
    whole = width // bits
    return -(-values // whole) if whole else values * -(-bits // width)


def words(values: int, bits: int, places: int, width: int) -> int:
    """Words of ``values`` spread evenly over ``places``, where a word goes to one place."""
    each, more = divmod(values, places)
    return more * packed(each + 1, bits, width) + (places - more) * packed(each, bits, width)


def through_ports(values: int, bits: int, places: int, width: int, ports: int | None) -> int:
    """Cycles in which ``ports`` (None: one for each place) pass a word each, no two of them to the same place."""
    busiest = packed(-(-values // places), bits, width)
    return busiest if ports is None else max(busiest, -(-words(values, bits, places, width) // ports))
