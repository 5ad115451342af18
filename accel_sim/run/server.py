"""The outermost memory as a SimPy process, counts that processes wait for, and sets of busy cycles."""

import math
from collections.abc import Generator
from typing import Generic

import simpy
from simpy.events import NORMAL, EventPriority

from accel_sim.memories.memory import Channel, State
from accel_sim.values.tile import Extent

#: SimPy priority of what happens after all else in a cycle
LAST = EventPriority(2)
#: one, as SimPy runs it: a transfer that it waits for answers with a cycle, nothing else answers
Process = Generator[simpy.Event, int, None]


class Count:
    """A count that only grows; processes wait until it reaches a value."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._waiting: list[tuple[int, simpy.Event]] = []
        self.value = 0

    def bump(self) -> None:
        """Adds one and wakes the processes that waited for the new value."""
        self.value += 1
        ready = [event for need, event in self._waiting if need <= self.value]
        if ready:
            self._waiting = [(need, event) for need, event in self._waiting if need > self.value]
            for event in ready:
                event.succeed()

    def reach(self, need: int) -> simpy.Event:
        """An event that fires at the first bump from now on that leaves the count at ``need`` or more."""
        event = self._env.event()
        self._waiting.append((need, event))
        return event


class Server(Generic[State]):
    """The process that serves the outermost memory: it runs ahead only to the next event anybody knows of.

    busy: (begin, end) cycles of each transfer, in order of completion.
    """

    def __init__(self, env: simpy.Environment, memory: Channel[State], state: State) -> None:
        self._env, self._memory, self._state = env, memory, state
        self._waiting: dict[int, simpy.Event] = {}
        self._idle: simpy.Event | None = None
        self._tickets = 0
        self.busy: list[tuple[int, int]] = []

    def transfer(self, extents: tuple[Extent, ...], is_write: bool) -> simpy.Event:
        """Submits a transfer now; returns the event of its completion, whose value is when the memory began it."""
        done = self._waiting[self._tickets] = self._env.event()
        self._memory.submit(self._state, self._tickets, int(self._env.now), extents, is_write)
        self._tickets += 1
        if self._idle is not None:
            self._schedule(self._idle, 0, LAST)  # what else arrives in this cycle arrives first
            self._idle = None
        return done

    def serve(self) -> Process:
        """The process itself, without an end; sleeps while no transfer is waiting."""
        env = self._env
        while True:
            if not self._waiting:
                self._idle = env.event()
                yield self._idle
            following = env.peek()
            finished = self._memory.advance(self._state, None if following == math.inf else int(following))
            for ticket, begin, end, completion in finished:
                self.busy.append((begin, end))
                following = completion
                self._schedule(self._waiting.pop(ticket), completion - env.now, NORMAL, begin)
            assert following < math.inf, "engine: the memory holds transfers it never completes"
            if self._waiting:
                yield self._schedule(env.event(), following - env.now, LAST)

    def _schedule(
        self, event: simpy.Event, delay: float, priority: EventPriority, value: int | None = None
    ) -> simpy.Event:
        """``event.succeed(value)``, but later in time or in its cycle."""
        event._ok, event._value = True, value
        self._env.schedule(event, priority, delay)
        return event


def union(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same cycles, sorted and free of overlaps."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def overlap(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> int:
    """Cycles that lie in an interval of both lists, each sorted and free of overlaps of its own."""
    total = i = j = 0
    while i < len(first) and j < len(second):
        total += max(0, min(first[i][1], second[j][1]) - max(first[i][0], second[j][0]))
        if first[i][1] <= second[j][1]:
            i += 1
        else:
            j += 1
    return total
