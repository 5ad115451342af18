"""Playing tiles of given sizes through the engine, without a machine."""

from fractions import Fraction
from typing import Any

from accel_sim.mapping.buffer import Buffer
from accel_sim.run.engine import Engine
from accel_sim.values.causes import Cause, Slots
from accel_sim.values.jobs import Job, Schedule, Transfer
from accel_sim.values.tile import Extent, Stream

LEVEL = "sram"


def transfer(operand: str, extent: Extent, *, is_write: bool = False, epoch: int = 0) -> Transfer:
    """Bytes between the outermost memory and the only level."""
    ends = (LEVEL, "dram") if is_write else ("dram", LEVEL)
    return Transfer((Stream(operand, operand, is_write, (extent,), *ends),), epoch=epoch)


def job(array: int, post: int, reads: dict[str, Extent], write: Extent | None, number: int, *, post_only=False) -> Job:
    """Tile ``number``, whose loads take a slot of their own."""
    loads = {(name, LEVEL): transfer(name, extent, epoch=number) for name, extent in reads.items()}
    drains = {} if write is None else {LEVEL: transfer("outputs", write, is_write=True, epoch=number)}
    return Job(array, post, loads, drains, post_only)


def buffers(slots: dict[str, int]) -> dict[str, Buffer]:
    return {name: Buffer(LEVEL, 1 << 30, count, 8, fill=Fraction(1)) for name, count in slots.items()}


def by_name(idle: dict[Cause, int]) -> dict[str, int]:
    """Cause's name -> cycles, over all levels and operands; without zeros."""
    return {name: count for name, count in Slots(idle).by_name.items() if count}


def play(jobs: list[Job], memory: Any, state: Any, slots: dict[str, int], start: int = 0) -> Schedule:
    return Engine(memory, state, start).play(jobs, buffers(slots))
