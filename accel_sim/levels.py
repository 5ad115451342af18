"""The path every operand takes through the on-chip levels, and its share of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from accel_sim.interconnect import Interconnect
from accel_sim.on_chip import OPERANDS, OnChip


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


def buffers(levels: Iterable[OnChip], outermost: str, lanes: int, clock_mhz: float) -> dict[str, Buffer]:
    """operand -> its innermost buffer, the levels farther out in ``outer``. levels: on-chip, outermost first.

    Raises ValueError for a level filled from one that does not exist, does not hold its operand, or in a circle.
    """
    levels = list(levels)
    named = {part.level: part for part in levels}
    for part in levels:
        _refuse_circle(part, named, outermost)
    found = {}
    for operand in OPERANDS:
        holding = [part for part in levels if operand in part.holds]
        feeds = {part.level: _source(part, operand, holding, outermost) for part in holding}
        inner = [part for part in holding if part.level not in feeds.values()]
        if len(inner) > 1:
            raise ValueError(
                f"memories: {operand} end in '{inner[0].level}' and in '{inner[1].level}', expected one level"
            )
        path: tuple[Buffer, ...] = ()
        level = inner[0].level if inner else outermost
        chain = []
        while level != outermost:
            chain.append(named[level])
            level = feeds[level]
        plain = False
        for part in reversed(chain):
            if plain and operand in part.compressed:
                raise ValueError(
                    f"memories: level '{part.level}' holds {operand} compressed, but the level before it plain"
                )
            decodes = not plain and operand not in part.compressed
            plain = plain or operand not in part.compressed
            path = (*path, _share(part, operand, lanes, clock_mhz, decodes, path))
        if path:
            found[operand] = path[-1]
    return found


def _refuse_circle(part: OnChip, named: dict[str, OnChip], outermost: str) -> None:
    seen = [part.level]
    while part.source is not None and part.source != outermost:
        if part.source not in named:
            raise ValueError(
                f"memories: level '{part.level}' is filled from '{part.source}', expected one of "
                f"{', '.join([outermost, *named])}"
            )
        if part.source in seen:
            raise ValueError(
                f"memories: a circle of levels filled from each other: {' <- '.join([*seen, part.source])}"
            )
        seen.append(part.source)
        part = named[part.source]


def _source(part: OnChip, operand: str, holding: list[OnChip], outermost: str) -> str:
    """The level this one is filled from with an operand: as given, or the nearest farther out that holds it."""
    if part.source is None:
        before = holding[: holding.index(part)]
        return before[-1].level if before else outermost
    if part.source != outermost and all(part.source != other.level for other in holding):
        raise ValueError(f"memories: level '{part.level}' is filled from '{part.source}', which holds no {operand}")
    return part.source


def _share(
    part: OnChip, operand: str, lanes: int, clock_mhz: float, decodes: bool, outer: tuple[Buffer, ...]
) -> Buffer:
    instances = lanes if part.per_lane else 1
    room = int(part.capacity_kib * instances * 1024) // len(part.holds)
    fill, decoder = part.fill_bytes_per_cycle, part.decoder_values_per_cycle
    per_cycle = Fraction(part.reads_per_cycle * part.word_bits * instances, 8)
    return Buffer(
        part.level, room, part.slots, part.word_bits,
        packed=part.packed,
        reads_per_cycle=part.reads_per_cycle,
        writes_per_cycle=part.writes_per_cycle,
        shared_ports=part.shared_ports,
        banks=part.banks,
        layout=getattr(part, "layout", "packed"),
        fill=per_cycle if fill is None else Fraction(fill).limit_denominator(1 << 20),
        latency=part.latency(clock_mhz),
        compressed=operand in part.compressed,
        decoder=Fraction(decoder).limit_denominator(1 << 20) if decoder is not None and decodes else None,
        network=part.network,
        instance_share=Fraction(len(part.holds), instances),
        outer=outer,
        capacity_field=part.capacity_field,
        per_lane=part.per_lane,
    )  # fmt: skip
