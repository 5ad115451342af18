"""What a tile's streams ask of levels, networks and decoders: cycles on the way, and the accesses they count."""

from dataclasses import replace
from fractions import Fraction

from accel_sim.machine.accelerator import Accelerator
from accel_sim.mapping.buffer import Buffer
from accel_sim.values.actions import Actions
from accel_sim.values.causes import Cause
from accel_sim.values.jobs import Job, Transfer
from accel_sim.values.tile import Stream, Tile


def accesses(tile: Tile, machine: Accelerator) -> Actions:
    """Bytes of the outermost level; words that fill another level, are read for the next one, or drain outwards."""
    actions = Actions()
    for stream in tile.streams:
        ends = (
            (stream.source, "drain" if stream.is_write else "read", stream.source_bytes),
            (stream.target, "fill", stream.target_bytes),
        )
        for level, action, size in ends:
            if level == machine.dram.level:
                actions[level, "write" if action == "fill" else "read", 8] += size
                continue
            bits = _buffer(machine, stream.operand, level).word_bits
            actions[level, action, bits] += -(-size * 8 // bits)
            if level == stream.target and not stream.is_write and stream.source != machine.dram.level:
                actions.update(_hops(stream, machine))
        if stream.values and not stream.is_write:
            actions["decoder", "add", stream.values_bits] += stream.values
    return actions


def _hops(stream: Stream, machine: Accelerator) -> Actions:
    """Wire segments between two on-chip levels: words to the next level, or to the lanes that have it, one each."""
    outer, inner = (_buffer(machine, stream.operand, level) for level in (stream.source, stream.target))
    if outer.network is None:
        return Actions()
    rows, cols = machine.array.rows, machine.array.cols
    component, words = f"{outer.level}_noc", -(-stream.bytes * 8 // inner.word_bits)
    if not inner.per_lane:
        return outer.network.deliver(component, words, inner.word_bits, rows, cols, 1, 1)
    each = outer.network.scatter(component, 1, inner.word_bits, rows, cols, rows, cols)
    return Actions({key: words * hops // machine.array.lanes for key, hops in each.items()})


def job_of(tile: Tile, array: int, post: int, machine: Accelerator) -> Job:
    """The tile as the engine sees it."""
    loads: dict[tuple[str, str], list[Stream]] = {}
    drains: dict[str, list[Stream]] = {}
    for stream in tile.streams:
        if stream.is_write:
            drains.setdefault(stream.source, []).append(stream)
        else:
            loads.setdefault((stream.operand, stream.target), []).append(stream)
    return Job(
        array, post,
        {port: _transfer(streams, machine) for port, streams in loads.items()},
        {level: _transfer(streams, machine) for level, streams in drains.items()},
        not tile.work.of_array,
    )  # fmt: skip


def _transfer(streams: list[Stream], machine: Accelerator) -> Transfer:
    first = streams[0]
    levels, dram = (first.source, first.target), machine.dram.level
    ends = [_buffer(machine, first.operand, level) for level in levels if level != dram]
    near = _buffer(machine, first.operand, first.source if first.is_write else first.target)
    size, arriving = sum(s.source_bytes for s in streams), sum(s.target_bytes for s in streams)
    needs = []  # in the order of precedence: decode, sram, noc
    if near.decoder is not None and not first.is_write:
        needs.append(("decode", near.level, _cycles(sum(s.values for s in streams), near.decoder)))
    for buffer in ends:
        passing = arriving if buffer.level == first.target else size
        needs.append(("sram", buffer.level, _cycles(passing, buffer.fill)))
    outer = next((b for b in near.outer if b.level in levels), None)
    if outer is not None and outer.network is not None:
        words = -(-size * 8 // near.word_bits)
        needs.append(("noc", f"{outer.level}_noc", outer.network.cycles(words, near.word_bits)))
    name, level, cycles = max(needs, key=lambda need: need[2])
    moved = Transfer(tuple(streams), cycles, None, first.epoch, dram in levels)
    return replace(moved, cause=Cause(name, level, moved.tensor)) if cycles else moved


def _cycles(amount: int, rate: Fraction | None) -> int:
    return 0 if rate is None else -(-amount * rate.denominator // rate.numerator)


def _buffer(machine: Accelerator, operand: str, level: str) -> Buffer:
    return next(buffer for buffer in machine.buffers[operand].path if buffer.level == level)
