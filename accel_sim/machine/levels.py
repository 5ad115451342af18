"""The path every operand takes through the on-chip levels, and its share of each."""

from collections.abc import Iterable
from fractions import Fraction

from accel_sim.mapping.buffer import Buffer
from accel_sim.memories.on_chip import OPERANDS, OnChip


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
