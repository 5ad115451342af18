"""When tiles move: SimPy processes for loaders, array, post-processing unit and writer (MODEL 4).

The engine knows nothing of dataflows: it gets bytes in, array cycles, post cycles and bytes out. Every stretch in which
the array has no tile is charged to whatever arrived last.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import simpy
from simpy.events import NORMAL

from accel_sim.tile import Stream

#: SimPy priority of what happens after all else in a cycle
LAST = 2


@dataclass(frozen=True)
class Job:
    """One tile as the engine sees it. array, post: cycles; reads: by operand; writes: streams that leave.

    post_only: the post-processing unit itself takes the tile from the buffers; the array has none of it.
    """

    array: int
    post: int
    reads: dict[str, tuple[Stream, ...]]
    writes: tuple[Stream, ...]
    post_only: bool = False


@dataclass(frozen=True)
class Schedule:
    """start, end: cycles at which the layer began and retired; idle: cause -> cycles without a tile in the array.

    overlapped: cycles in which the outermost memory was busy while the array worked.
    """

    start: int
    end: int
    idle: dict[str, int]
    overlapped: int

    def then(self, after: "Schedule") -> "Schedule":
        """This schedule and the one that begins where it ends."""
        idle = {cause: self.idle.get(cause, 0) + after.idle.get(cause, 0) for cause in {**self.idle, **after.idle}}
        return Schedule(self.start, after.end, idle, self.overlapped + after.overlapped)


class Count:
    """A count that only grows; processes wait until it reaches a value."""

    def __init__(self, env: simpy.Environment):
        self._env = env
        self._waiting: list[tuple[int, simpy.Event]] = []
        self.value = 0

    def bump(self) -> None:
        self.value += 1
        ready = [event for need, event in self._waiting if need <= self.value]
        if ready:
            self._waiting = [(need, event) for need, event in self._waiting if need > self.value]
            for event in ready:
                event.succeed()

    def reach(self, need: int) -> simpy.Event:
        event = self._env.event()
        self._waiting.append((need, event))
        return event


class Server:
    """The process that serves the outermost memory: it runs ahead only to the next event anybody knows of.

    busy: (begin, end) cycles of each transfer, in order of completion.
    """

    def __init__(self, env: simpy.Environment, memory: Any, state: Any):
        self._env, self._memory, self._state = env, memory, state
        self._waiting: dict[int, simpy.Event] = {}
        self._idle: simpy.Event | None = None
        self._tickets = 0
        self.busy: list[tuple[int, int]] = []

    def transfer(self, extents: tuple, is_write: bool) -> simpy.Event:
        """Submits a transfer now; returns the event of its completion."""
        done = self._waiting[self._tickets] = self._env.event()
        self._memory.submit(self._state, self._tickets, self._env.now, extents, is_write)
        self._tickets += 1
        if self._idle is not None:
            self._schedule(self._idle, 0, LAST)  # what else arrives in this cycle arrives first
            self._idle = None
        return done

    def serve(self) -> Iterator[simpy.Event]:
        env = self._env
        while True:
            if not self._waiting:
                self._idle = env.event()
                yield self._idle
            following = env.peek()
            finished = self._memory.advance(self._state, None if following == math.inf else following)
            for ticket, begin, end, completion in finished:
                self.busy.append((begin, end))
                following = completion
                self._schedule(self._waiting.pop(ticket), completion - env.now, NORMAL)
            assert following < math.inf, "engine: the memory holds transfers it never completes"
            if self._waiting:
                yield self._schedule(env.event(), following - env.now, LAST)

    def _schedule(self, event: simpy.Event, delay: int, priority: int) -> simpy.Event:
        """``event.succeed()``, but later in time or in its cycle."""
        event._ok, event._value = True, None
        self._env.schedule(event, priority, delay)
        return event


@dataclass
class _Run:
    """The state the processes of one layer share."""

    env: simpy.Environment
    jobs: list[Job]
    server: Server
    slots: dict[str, int]
    idle: dict[str, int] = field(default_factory=dict)
    working: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self):
        self.operands = sorted({operand for job in self.jobs for operand in job.reads})
        self.loaded = {operand: Count(self.env) for operand in self.operands}
        self.freed = {operand: Count(self.env) for operand in self.operands}
        self.done, self.posted, self.written = Count(self.env), Count(self.env), Count(self.env)

    def transfer(self, streams: tuple[Stream, ...], is_write: bool) -> Iterator[simpy.Event]:
        yield self.server.transfer(tuple(extent for stream in streams for extent in stream.extents), is_write)

    def loader(self, operand: str) -> Iterator[simpy.Event]:
        """Takes a slot, then loads; the slot is freed when the last tile that uses the data is done."""
        loads = 0
        for job in self.jobs:
            if operand not in job.reads:
                continue
            need = loads + 1 - self.slots[operand]
            if self.freed[operand].value < need:
                yield self.freed[operand].reach(need)
            yield from self.transfer(job.reads[operand], False)
            loads += 1
            self.loaded[operand].bump()

    def array(self) -> Iterator[simpy.Event]:
        loads = dict.fromkeys(self.operands, 0)
        outputs, free_at = 0, self.env.now
        for number, job in enumerate(self.jobs):
            cause = "dependency"
            for operand in job.reads:
                loads[operand] += 1
                cause = yield from self._await(self.loaded[operand], loads[operand], "dram_read", cause)
            if job.writes:  # an output slot must be free before the first result of the tile
                outputs += 1
                cause = yield from self._await(self.written, outputs - self.slots["outputs"], "dram_write", cause)
            self._charge(cause, free_at)
            if job.post_only:
                begin = self.env.now
                yield self.env.timeout(job.post)
                self._charge("post", begin)
            elif job.array:
                self.working.append((self.env.now, self.env.now + job.array))
                yield self.env.timeout(job.array)
            following = self.jobs[number + 1] if number + 1 < len(self.jobs) else None
            for operand in self.operands:
                if loads[operand] > self.freed[operand].value and (following is None or operand in following.reads):
                    self.freed[operand].bump()
            free_at = self.env.now
            self.done.bump()
        for count, need, cause in ((self.posted, len(self.jobs), "post"), (self.written, outputs, "dram_write")):
            before = self.env.now
            yield from self._await(count, need, cause, cause)
            self._charge(cause, before)

    def _charge(self, cause: str, since: int) -> None:
        if self.env.now > since:
            self.idle[cause] = self.idle.get(cause, 0) + self.env.now - since

    def _await(self, count: Count, need: int, cause: str, previous: str) -> Iterator[simpy.Event]:
        """Waits for a count; returns ``cause`` if that took time, else the previous one."""
        if count.value >= need:
            return previous
        before = self.env.now
        yield count.reach(need)
        return cause if self.env.now > before else previous

    def post(self) -> Iterator[simpy.Event]:
        for number, job in enumerate(self.jobs):
            if self.done.value <= number:
                yield self.done.reach(number + 1)
            if job.post and not job.post_only:
                yield self.env.timeout(job.post)
            self.posted.bump()

    def writer(self) -> Iterator[simpy.Event]:
        for number, job in enumerate(self.jobs):
            if not job.writes:
                continue
            if self.posted.value <= number:
                yield self.posted.reach(number + 1)
            yield from self.transfer(job.writes, True)
            self.written.bump()


def run(jobs: list[Job], memory: Any, state: Any, slots: dict[str, int], start: int) -> Schedule:
    """Plays one layer's tiles, in order, from cycle ``start``.

    memory, state: the outermost level and its state, which goes on from layer to layer; slots: operand -> tiles its
    buffer holds. The layer retires when its last write is complete.
    """
    env = simpy.Environment(initial_time=start)
    server = Server(env, memory, state)
    layer = _Run(env, jobs, server, slots)
    for operand in layer.operands:
        env.process(layer.loader(operand))
    env.process(layer.array())
    env.process(layer.post())
    env.process(layer.writer())
    env.process(server.serve())
    env.run()
    end = int(env.now)
    assert sum(layer.idle.values()) + sum(job.array for job in jobs) == end - start, "engine: cycles do not add up"
    return Schedule(start, end, layer.idle, _overlap(_union(server.busy), layer.working))


def _union(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same cycles, sorted and free of overlaps."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def _overlap(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> int:
    """Cycles that lie in an interval of both lists, each sorted and free of overlaps of its own."""
    total = i = j = 0
    while i < len(first) and j < len(second):
        total += max(0, min(first[i][1], second[j][1]) - max(first[i][0], second[j][0]))
        if first[i][1] <= second[j][1]:
            i += 1
        else:
            j += 1
    return total


def merge(jobs: list[Job]) -> Job:
    """Neighbouring tiles as one swap: the same bytes and cycles, moved at once."""
    reads: dict[str, tuple[Stream, ...]] = {}
    for job in jobs:
        for operand, streams in job.reads.items():
            reads[operand] = reads.get(operand, ()) + streams
    writes = tuple(stream for job in jobs for stream in job.writes)
    return Job(sum(job.array for job in jobs), sum(job.post for job in jobs), reads, writes, jobs[0].post_only)
