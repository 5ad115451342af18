"""On-chip levels: what each holds, where it is filled from, and the path every operand takes through them."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from accel_sim.parts import require

OPERANDS = ("inputs", "weights", "pointers", "outputs")


@dataclass(frozen=True, kw_only=True)
class OnChip:
    """What every on-chip level says of itself, whatever it is made of.

    level: its name in results; holds: operands kept here, which share the capacity evenly (others bypass the level);
    slots: tiles it holds at once (2 = double buffering); per_lane: one instance in every lane, else one in all;
    word_bits: width of one access. source: the level it is filled from; None = for each operand the nearest level
    farther out that holds it. compressed: operands that lie here as their encoded stream; the decoder of an operand
    stands before the first level that holds it plain. decoder_values_per_cycle: of the decoder before this level; None
    = never a bottleneck. network: the interconnect to what the level feeds (the next level or the array), and back;
    None = wires of no length. fill_bytes_per_cycle: what it can take in or give to other levels; None = as many words
    as it has ports. latency_cycles: from request to data; None = its access time.
    """

    level: str
    holds: tuple[str, ...]
    word_bits: int = 64
    slots: int = 2
    per_lane: bool = False
    source: str | None = None
    compressed: tuple[str, ...] = ()
    decoder_values_per_cycle: float | None = None
    network: Any = None
    fill_bytes_per_cycle: float | None = None
    latency_cycles: int | None = None

    def __post_init__(self):
        require(self, 1, "word_bits", "slots")
        require(self, 0, "latency_cycles")
        for name in ("fill_bytes_per_cycle", "decoder_values_per_cycle"):
            rate = getattr(self, name)
            if rate is not None and rate < 1e-3:
                raise ValueError(f"{name}={rate:g} must be at least 0.001: a level without bandwidth passes nothing on")
        for field in ("holds", "compressed"):
            for operand in getattr(self, field):
                if operand not in OPERANDS:
                    raise ValueError(f"{field}: unknown operand '{operand}' (known: {', '.join(OPERANDS)})")
        if not self.holds:
            raise ValueError("holds must name at least one operand")
        for operand in self.compressed:
            if operand not in self.holds:
                raise ValueError(f"compressed: {operand} are not held here (holds: {', '.join(self.holds)})")
        if self.capacity_kib * 8192 < self.word_bits:
            raise ValueError(
                f"capacity_kib={self.capacity_kib:g} must be positive and hold at least one word of {self.word_bits} bits"
            )

    def values_per_word(self, bits: int) -> int:
        """Operands of ``bits`` that share a word (1 where one is wider than a word)."""
        return max(1, self.word_bits // bits)

    def latency(self, clock_mhz: float) -> int:
        """Cycles from a request to its data."""
        return 1 if self.latency_cycles is None else self.latency_cycles

    @property
    def reads_per_cycle(self) -> int:
        """Words that can be read at once."""
        return 1


@dataclass(frozen=True)
class Buffer:
    """One operand's share of a level, as dataflow and schedule see it.

    bytes: in all; slots: tiles that take turns in it; word_bits: width of one access; per_word: operand bits -> operands
    that one access moves; reads_per_cycle: words. fill: bytes a cycle to and from other levels; latency: cycles.
    decoder: values a cycle of the decoder before it, None = none or never a bottleneck; network: to what it feeds.
    outer: the operand's levels farther out, outermost first.
    """

    level: str
    bytes: int
    slots: int
    word_bits: int
    packed: bool = True
    reads_per_cycle: int = 1
    banks: int = 1
    fill: Fraction | None = None
    latency: int = 0
    compressed: bool = False
    decoder: Fraction | None = None
    network: Any = None
    outer: tuple["Buffer", ...] = ()

    @property
    def slot_bytes(self) -> int:
        return self.bytes // self.slots

    @property
    def path(self) -> tuple["Buffer", ...]:
        """All levels the operand passes, outermost first, this one last."""
        return (*self.outer, self)

    def per_word(self, bits: int) -> int:
        """Operands of ``bits`` that one access moves."""
        return max(1, self.word_bits // bits) if self.packed else 1

    def words(self, values: int, bits: int) -> int:
        """Accesses that move ``values`` operands of ``bits`` lying side by side."""
        if bits > self.word_bits:
            return values * -(-bits // self.word_bits)
        return -(-values // self.per_word(bits))


def buffers(levels: Iterable[Any], outermost: str, lanes: int, clock_mhz: float) -> dict[str, Buffer]:
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
            raise ValueError(f"memories: {operand} end in '{inner[0].level}' and in '{inner[1].level}', expected one level")
        path: tuple[Buffer, ...] = ()
        level = inner[0].level if inner else outermost
        chain = []
        while level != outermost:
            chain.append(named[level])
            level = feeds[level]
        plain = False
        for part in reversed(chain):
            if plain and operand in part.compressed:
                raise ValueError(f"memories: level '{part.level}' holds {operand} compressed, but the level before it plain")
            decodes = not plain and operand not in part.compressed
            plain = plain or operand not in part.compressed
            path = (*path, _share(part, operand, lanes, clock_mhz, decodes, path))
        if path:
            found[operand] = path[-1]
    return found


def _refuse_circle(part: Any, named: dict[str, Any], outermost: str) -> None:
    seen = [part.level]
    while part.source is not None and part.source != outermost:
        if part.source not in named:
            raise ValueError(
                f"memories: level '{part.level}' is filled from '{part.source}', expected one of "
                f"{', '.join([outermost, *named])}"
            )
        if part.source in seen:
            raise ValueError(f"memories: a circle of levels filled from each other: {' <- '.join([*seen, part.source])}")
        seen.append(part.source)
        part = named[part.source]


def _source(part: Any, operand: str, holding: list[Any], outermost: str) -> str:
    """The level this one is filled from with an operand: as given, or the nearest farther out that holds it."""
    if part.source is None:
        before = holding[: holding.index(part)]
        return before[-1].level if before else outermost
    if part.source != outermost and all(part.source != other.level for other in holding):
        raise ValueError(f"memories: level '{part.level}' is filled from '{part.source}', which holds no {operand}")
    return part.source


def _share(part: Any, operand: str, lanes: int, clock_mhz: float, decodes: bool, outer: tuple[Buffer, ...]) -> Buffer:
    instances = lanes if part.per_lane else 1
    room = int(part.capacity_kib * instances * 1024) // len(part.holds)
    fill, decoder = part.fill_bytes_per_cycle, part.decoder_values_per_cycle
    per_cycle = Fraction(part.reads_per_cycle * part.word_bits * instances, 8)
    return Buffer(
        part.level, room, part.slots, part.word_bits,
        packed=getattr(part, "packed", True),
        reads_per_cycle=part.reads_per_cycle,
        banks=getattr(part, "banks", 1),
        fill=per_cycle if fill is None else Fraction(fill).limit_denominator(1 << 20),
        latency=part.latency(clock_mhz),
        compressed=operand in part.compressed,
        decoder=Fraction(decoder).limit_denominator(1 << 20) if decoder is not None and decodes else None,
        network=part.network,
        outer=outer,
    )  # fmt: skip
