"""One operand's share of an on-chip level, and the refusal of what has no room in it."""

import math
from dataclasses import dataclass
from fractions import Fraction

from accel_sim.interconnects.interconnect import Interconnect
from workloads.layer import Layer
from workloads.registry import InputError


@dataclass(frozen=True)
class Buffer:
    """One operand's share of a level, as dataflow and schedule see it.

    bytes: in all; slots: tiles that take turns in it; word_bits: width of one access; packed: narrow operands share it;
    reads_per_cycle, writes_per_cycle: words; shared_ports: a read and a write take turns; banks: of an instance;
    layout: packed or tensor, as of ``sram``.
    fill: bytes a cycle to and from other levels; latency: cycles. compressed: the operand lies here encoded; decoder:
    values a cycle of the decoder before it, None = none or never a bottleneck; network: to what it feeds.
    instance_share: of one instance's capacity, bytes per byte in all. capacity_field: where a user gives it; per_lane:
    an instance in every lane, else one in all. outer: the operand's levels farther out, outermost first.
    """

    level: str
    bytes: int
    slots: int
    word_bits: int
    packed: bool = True
    reads_per_cycle: int = 1
    writes_per_cycle: int = 1
    shared_ports: bool = True
    banks: int = 1
    layout: str = "packed"
    fill: Fraction | None = None
    latency: int = 0
    compressed: bool = False
    decoder: Fraction | None = None
    network: Interconnect | None = None
    instance_share: Fraction = Fraction(1)
    outer: tuple["Buffer", ...] = ()
    capacity_field: str = "capacity_kib"
    per_lane: bool = False

    @property
    def slot_bytes(self) -> int:
        """Bytes of one of the tiles that take turns in the level."""
        return self.bytes // self.slots

    @property
    def path(self) -> tuple["Buffer", ...]:
        """All levels the operand passes, outermost first, this one last."""
        return (*self.outer, self)

    def per_word(self, bits: int) -> int:
        """Operands of ``bits`` that one access moves; none lies across two words, unless it is wider than one."""
        return max(1, self.word_bits // bits) if self.packed else 1

    def access_cycles(self, reads: int, writes: int) -> int:
        """Cycles of so many words, spread evenly over the banks; a port that both use takes turns."""
        if self.shared_ports:
            return -(-(reads + writes) // self.reads_per_cycle)
        return max(-(-reads // self.reads_per_cycle), -(-writes // self.writes_per_cycle))

    def words(self, values: int, bits: int) -> int:
        """Accesses that move ``values`` operands of ``bits`` lying side by side."""
        if bits > self.word_bits:
            return values * -(-bits // self.word_bits)
        return -(-values // self.per_word(bits))


def cannot_fit(layer: Layer, operand: str, needed: int, buffer: Buffer, *, whole: bool = False) -> InputError:
    """The refusal of a layer whose smallest tile is larger than its buffer's slot; whole: it is the only one, and has
    all slots."""
    slots = 1 if whole else buffer.slots
    enough: float = math.ceil(needed * slots * buffer.instance_share)  # bytes of an instance
    if buffer.capacity_field.endswith("_kib"):
        digits = 2 - math.floor(math.log10(enough / 1024))
        enough = float(f"{math.ceil(enough / 1024 * 10**digits) / 10**digits:.3g}")
    room = f"{buffer.bytes // slots} ({slots} slots)" if slots > 1 else f"{buffer.bytes}"
    return InputError(
        f"layer '{layer.name}' cannot fit: its smallest tile needs {needed} bytes of {operand} at once, level "
        f"'{buffer.level}' holds {room}; raise its {buffer.capacity_field} to at least {enough:g}"
    )
