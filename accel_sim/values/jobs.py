"""What the engine plays and what comes out: transfers, tiles as jobs, and a layer's schedule."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from accel_sim.values.causes import Cause
from accel_sim.values.tile import Stream

#: (operand, level it is brought into)
Port = tuple[str, str]
#: by which transfers of tiles are told apart
Key = TypeVar("Key")


@dataclass(frozen=True)
class Transfer:
    """What one tile moves between two neighbouring levels of an operand's path.

    cycles: that the slowest of ports, network and decoder on the way needs, ``cause`` which one; 0 = none is slower
    than the outermost memory. epoch: transfers of the same epoch fill one slot; outermost: it
    comes from or goes to the outermost memory.
    """

    streams: tuple[Stream, ...]
    cycles: int = 0
    cause: Cause | None = None
    epoch: int = 0
    outermost: bool = True

    @property
    def extents(self) -> tuple:
        """Of all its streams."""
        return tuple(extent for stream in self.streams for extent in stream.extents)

    @property
    def bytes(self) -> int:
        """Of all its streams."""
        return sum(stream.bytes for stream in self.streams)

    @property
    def tensor(self) -> str:
        """The one that most of its bytes belong to."""
        sizes: dict[str, int] = {}
        for stream in self.streams:
            sizes[stream.tensor] = sizes.get(stream.tensor, 0) + stream.bytes
        return max(sizes, key=lambda tensor: sizes[tensor])

    def held_up(self, level: str) -> Cause:
        """What it waits for between two on-chip levels; ``level``: the one it leaves or reaches, if nothing is slow."""
        return self.cause if self.cycles and self.cause is not None else Cause("sram", level, self.tensor)


@dataclass(frozen=True)
class Job:
    """One tile as the engine sees it. array, post: cycles; loads: by port; drains: by the level that outputs leave.

    post_only: the post-processing unit itself takes the tile from the buffers; the array has none of it.
    """

    array: int
    post: int
    loads: dict[Port, Transfer]
    drains: dict[str, Transfer]
    post_only: bool = False


@dataclass(frozen=True)
class Schedule:
    """start, end: cycles at which the layer began and retired; idle: cause -> cycles without a tile in the array.

    overlapped: cycles in which the outermost memory was busy while the array worked.
    """

    start: int
    end: int
    idle: dict[Cause, int]
    overlapped: int

    def then(self, after: "Schedule") -> "Schedule":
        """This schedule and the one that begins where it ends."""
        idle = {cause: self.idle.get(cause, 0) + after.idle.get(cause, 0) for cause in {**self.idle, **after.idle}}
        return Schedule(self.start, after.end, idle, self.overlapped + after.overlapped)


def merge(jobs: list[Job]) -> Job:
    """Neighbouring tiles as one swap: the same bytes and cycles, moved at once."""
    loads, drains = _joined(job.loads for job in jobs), _joined(job.drains for job in jobs)
    return Job(sum(job.array for job in jobs), sum(job.post for job in jobs), loads, drains, jobs[0].post_only)


def _joined(parts: Iterable[Mapping[Key, Transfer]]) -> dict[Key, Transfer]:
    found: dict[Key, Transfer] = {}
    for part in parts:
        for key, transfer in part.items():
            found[key] = _join(found[key], transfer) if key in found else transfer
    return found


def _join(one: Transfer, other: Transfer) -> Transfer:
    slower = other if other.cycles > one.cycles else one
    return Transfer(one.streams + other.streams, one.cycles + other.cycles, slower.cause, other.epoch, other.outermost)
