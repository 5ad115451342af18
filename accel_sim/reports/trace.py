"""A run's timeline as Chrome/Perfetto JSON: who moved or worked when, one track each; 1 cycle is shown as 1 µs.

The engine knows nothing of it: a traced run plays through a subclass, so that a run without costs nothing.
"""

import json
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import Any, Generic, NamedTuple

from accel_sim.mapping.buffer import Buffer
from accel_sim.memories.dram_banked import DramBanked, DramState
from accel_sim.memories.memory import Channel, Completed, Outermost, State
from accel_sim.reports.trace_banks import Banks
from accel_sim.reports.trace_check import TIME, faults
from accel_sim.run.engine import Engine, Inlet, _Layer
from accel_sim.run.result import ConservationError, Result
from accel_sim.run.server import Process
from accel_sim.values.jobs import Job, Port, Transfer
from accel_sim.values.tile import Extent

#: events of a trace beside its layers, and again of DRAM banks; where they are used up it ends, and says so
MAX_EVENTS = 200_000
#: parts of a cycle: what memory clocks are rounded down to
PARTS = 1000
#: counter of sums that stay where results leave the array, until their last tile begins
SUMS = "partial sums in "


class Span(NamedTuple):
    """A slice of a track, [begin, end) in cycles / PARTS; kind: "row", "command" (inside a row), or "" = neither."""

    track: str
    kind: str
    name: str
    begin: int
    end: int
    shown: dict[str, object]


class Recorder:
    """spans: of the engine's processes, in the order of their end; counts: (counter, cycle, change in bytes, first
    cycle of the layer), in order of time; moved: (begin, end, bytes, is_write) of the outermost memory's transfers.
    most: events that are kept; cut: cycle up to which all are, None = the whole run.
    """

    def __init__(self, most: int = MAX_EVENTS) -> None:
        self.most = most
        self.cut: int | None = None
        self.spans: list[Span] = []
        self.counts: list[tuple[str, int, int, int]] = []
        self.moved: list[tuple[int, int, int, bool]] = []
        self._banked: tuple[DramBanked, DramState] | None = None  # the outermost memory, if it has banks
        self.note = "whole"
        self._inlets: dict[int, tuple[Inlet, deque[tuple[int, int]]]] = {}  # an inlet that is held keeps its id

    def engine(self, memory: Outermost, state: object) -> Engine:
        """An engine that reports here; for ``simulate(engine=...)``."""
        if isinstance(memory, DramBanked) and isinstance(state, DramState):
            self._banked = memory, state
            state.record(4 * self.most)  # some become one slice
        return _Engine(memory, state, self)

    def filled(self, inlet: Inlet) -> deque[tuple[int, int]]:
        """(epoch, bytes) of the loads that an inlet holds, oldest first."""
        return self._inlets.setdefault(id(inlet), (inlet, deque()))[1]

    def span(self, track: str, name: str, begin: int, end: int, **shown: object) -> None:
        """A slice of a track, in cycles, if it is not empty and the cap leaves room."""
        if end > begin and self._room(end):
            self.spans.append(Span(track, "", name, begin * PARTS, end * PARTS, shown))

    def hold(self, counter: str, at: int, change: int, since: int = 0) -> None:
        """``change`` bytes more in a buffer. since: first cycle of the layer, for sums, whose width it decides."""
        if change and self._room(at):
            self.counts.append((counter, at, change, since))

    def move(self, begin: int, end: int, size: int, is_write: bool) -> None:
        """Bytes that the outermost memory moves, in cycles."""
        if size and self._room(end):
            self.moved.append((begin, max(end, begin + 1), size, is_write))

    def _room(self, at: int) -> bool:
        if self.cut is None and len(self.spans) + len(self.counts) + len(self.moved) < self.most:
            return True
        self.cut = at if self.cut is None else min(self.cut, at)
        return False

    def text(self, result: Result) -> str:
        """trace.json: one line per event; the same run gives the same bytes. ConservationError if it is not valid."""
        tree = self.tree(result)
        for fault in faults(tree):
            raise ConservationError(f"trace.json: {fault}")
        lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in tree.pop("traceEvents"))
        return json.dumps(tree)[:-1] + f', "traceEvents": [\n{lines}\n]}}\n'

    def tree(self, result: Result) -> dict[str, Any]:
        """The whole file as a mapping; sets ``note``."""
        end, level = result.runs[-1].end, result.machine.dram.level
        layers = [
            Span("layer", "", run.layer.name, run.start * PARTS, run.end * PARTS, {})
            for run in result.runs
            if run.cycles
        ]
        spans, counts, ended = self._whole(
            [*self._memory(level), *self.spans], self._levels(result), [] if self.cut is None else [self.cut * PARTS]
        )
        banks, _, banks_ended = self._whole(list(self._banks(end)), [], self._log_full())
        cuts = {f"cycles 0 to {ended // PARTS} of {end}": ended} if ended is not None else {}
        if banks_ended is not None:
            cuts[f"banks of {level} cycles 0 to {banks_ended // PARTS} of {end}"] = banks_ended
        self.note = f"capped at {self.most} events: shows {', '.join(cuts)}, and all layers" if cuts else "whole"
        about = {"network": result.network.name, "hardware": result.machine.name, "time": TIME, "events": self.note}
        timed = [*layers, *spans]
        names = {1: list(dict.fromkeys(span.track for span in timed)), 2: sorted({span.track for span in banks})}
        tracks = {track: (pid, tid) for pid, group in names.items() for tid, track in enumerate(group, 1)}
        events = list(_names(tracks, {1: f"{result.machine.name}; {TIME}", 2: f"banks of {level}; {TIME}"}))
        for span in sorted([*timed, *banks], key=lambda span: (tracks[span.track], span.begin, -span.end)):
            events.append(_slice(span, *tracks[span.track]))
        for counter, at, held in counts:
            events.append({"ph": "C", "pid": 1, "tid": 0, "name": counter, "ts": at, "args": {"bytes": held}})
        if cuts:
            first = min(cuts.values())
            events.append({"ph": "i", "pid": 1, "tid": 0, "s": "g", "name": self.note, "ts": _cycles(first)})
        return {"displayTimeUnit": "ms", "otherData": about, "traceEvents": events}

    def _whole(
        self, spans: list[Span], counts: list[tuple[str, int, int]], bounds: list[int]
    ) -> tuple[list[Span], list[tuple[str, int, int]], int | None]:
        """What is over before the ``bounds`` and within ``most``; the moment from which on it is not (None: all is)."""
        ends = sorted([span.end for span in spans] + [at * PARTS for _, at, _ in counts])
        last = min([*bounds, *ends[self.most : self.most + 1]], default=None)
        if last is None:
            return spans, counts, None
        kept = [span for span in spans if span.end < last]
        return kept, [count for count in counts if count[1] * PARTS < last], last

    def _log_full(self) -> list[int]:
        """The moment of the last command that the memory's log had room for, if it is full."""
        if self._banked is None:
            return []
        _, state = self._banked
        full = len(state.log) and state.log[0, 0] == len(state.log) - 1
        return [_moment(state, int(state.log[-1, 0]))] if full else []

    def _banks(self, end: int) -> Iterator[Span]:
        if self._banked is not None:
            memory, state = self._banked
            log = state.log[1 : 1 + int(state.log[0, 0])].tolist()
            for track, kind, name, begin, stop, shown in Banks(memory, state).slices(log, state.clock(end)):
                yield Span(track, kind, name, _moment(state, begin), _moment(state, stop), shown)

    def _memory(self, level: str) -> Iterator[Span]:
        """The outermost memory's transfers; those that overlap are one slice."""
        joined: list[list[Any]] = []
        for begin, end, size, is_write in sorted(self.moved):
            if not joined or begin >= joined[-1][1]:
                joined.append([begin, end, {}])
            shown, what = joined[-1][2], "write" if is_write else "read"
            joined[-1][1] = max(joined[-1][1], end)
            shown[f"{what}_bytes"] = shown.get(f"{what}_bytes", 0) + size
        for begin, end, shown in joined:
            name = " + ".join(f"{key.removesuffix('_bytes')} {shown[key]} B" for key in sorted(shown))
            yield Span(level, "", name, begin * PARTS, end * PARTS, shown)

    def _levels(self, result: Result) -> list[tuple[str, int, int]]:
        """(counter, cycle, bytes held from then on); sums in the width that their layer keeps them in."""
        ran = [run for run in result.runs if run.cycles]
        starts, found = [run.start for run in ran], []
        held: dict[str, int] = {}
        for counter, at, change, since in self.counts:
            if counter.startswith(SUMS):
                run = ran[bisect_right(starts, since) - 1]
                bits = result.network.code_bits(run.layer.name)
                change = change if run.mode is None else change * run.mode.sum_bits // bits
            held[counter] = held.get(counter, 0) + change
            found.append((counter, at, held[counter]))
        return found


def _names(tracks: dict[str, tuple[int, int]], groups: dict[int, str]) -> Iterator[dict[str, Any]]:
    """tracks: name -> (pid, tid); groups: pid -> name."""
    for pid in sorted({pid for pid, _ in tracks.values()}):
        yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_name", "args": {"name": groups[pid]}}
    for track, (pid, tid) in tracks.items():
        yield {"ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": {"name": track}}
        yield {"ph": "M", "pid": pid, "tid": tid, "name": "thread_sort_index", "args": {"sort_index": tid}}


def _moment(state: DramState, clock: int) -> int:
    """A memory clock in cycles / PARTS, rounded down."""
    rate = state.clocks_per_cycle
    return clock * PARTS * rate.denominator // rate.numerator


def _cycles(parts: int) -> int | float:
    return parts // PARTS if parts % PARTS == 0 else parts / PARTS


def _slice(span: Span, pid: int, tid: int) -> dict[str, Any]:
    event = {"ph": "X", "pid": pid, "tid": tid, "name": span.name}
    if span.kind:
        event["cat"] = span.kind
    event |= {"ts": _cycles(span.begin), "dur": _cycles(span.end - span.begin)}
    return event | {"args": span.shown} if span.shown else event


class _Watched(Generic[State]):
    """The outermost memory, as the engine's server sees it; what it moves is recorded."""

    def __init__(self, memory: Channel[State], recorder: Recorder) -> None:
        self.memory, self.recorder, self.level = memory, recorder, memory.level
        self.asked: dict[int, tuple[int, bool]] = {}

    def submit(self, state: State, ticket: int, time: int, extents: tuple[Extent, ...], is_write: bool) -> None:
        self.asked[ticket] = sum(extent[1] * extent[2] for extent in extents), is_write
        self.memory.submit(state, ticket, time, extents, is_write)

    def advance(self, state: State, limit: int | None) -> list[Completed]:
        done = self.memory.advance(state, limit)
        for ticket, begin, end, _ in done:
            self.recorder.move(begin, end, *self.asked.pop(ticket))
        return done


class _Engine(Engine):
    def __init__(self, memory: Outermost, state: object, recorder: Recorder) -> None:
        super().__init__(_Watched(memory, recorder), state)
        self.recorder = recorder

    def layer(self, jobs: list[Job], buffers: dict[str, Buffer]) -> _Layer:
        return _TracedLayer(self, jobs, buffers)


class _TracedLayer(_Layer):
    """A layer whose processes report what they did."""

    def __init__(self, engine: _Engine, jobs: list[Job], buffers: dict[str, Buffer]) -> None:
        super().__init__(engine, jobs, buffers)
        self.recorder, self.since = engine.recorder, engine.now
        self.sums = _sums(jobs, self.way_out[0].level) if self.way_out else {}

    def _bring(
        self, inlet: Inlet, load: Transfer, source: Inlet | None, drawn: int, path: tuple[Buffer, ...]
    ) -> Process:
        operand, begin = load.streams[0].operand, self.engine.now
        self.recorder.filled(inlet).append((load.epoch, load.bytes))
        where = f"{operand} in {inlet.buffer.level}"
        self.recorder.hold(where, begin, load.bytes)
        yield from super()._bring(inlet, load, source, drawn, path)
        name = " + ".join(dict.fromkeys(stream.tensor for stream in load.streams))
        self.recorder.span(f"load {where}", f"{name} {load.bytes} B", begin, self.engine.now, bytes=load.bytes)

    def _free(self, epochs: dict[Port, int], following: Job | None) -> None:
        before = {port: self.inlets[port].freed.value for port in epochs}
        super()._free(epochs, following)
        for port, value in before.items():
            slots = self.recorder.filled(self.inlets[port])
            if slots and self.inlets[port].freed.value > value:
                epoch, freed = slots[0][0], 0
                while slots and slots[0][0] == epoch:
                    freed += slots.popleft()[1]
                self.recorder.hold(f"{port[0]} in {port[1]}", self.engine.now, -freed)

    def _work(self, job: Job) -> Process:
        begin = self.engine.now
        change = self.sums.get(self.done.value, 0)
        if change:
            self.recorder.hold(f"{SUMS}{self.way_out[0].level}", begin, change, self.since)
        self._results(job.drains.get(self.way_out[0].level) if self.way_out else None, 1)
        yield from super()._work(job)
        self.recorder.span("post" if job.post_only else "array", "tile", begin, self.engine.now)

    def _post(self, job: Job) -> Process:
        begin = self.engine.now
        yield from super()._post(job)
        self.recorder.span("post", "tile", begin, self.engine.now)

    def _send(self, drain: Transfer, level: Buffer, beyond: Buffer | None) -> Process:
        begin = self.engine.now
        yield from super()._send(drain, level, beyond)
        self.recorder.span(f"write from {level.level}", f"{drain.bytes} B", begin, self.engine.now, bytes=drain.bytes)
        if level is self.way_out[0]:
            self._results(drain, -1)

    def _results(self, drain: Transfer | None, sign: int) -> None:
        """What the array's results fill of the level they leave first."""
        if drain is not None:
            self.recorder.hold(f"results in {self.way_out[0].level}", self.engine.now, sign * drain.bytes)


def _sums(jobs: list[Job], level: str) -> dict[int, int]:
    """Number of a tile -> change in the bytes of unfinished sums in a level when it begins, at the width of results.

    Tiles without a drain leave sums behind; the drains that follow carry them out, in the order they were begun.
    """
    changes: dict[int, int] = {}
    begun: list[int] = []
    for number, job in enumerate(jobs):
        drain = job.drains.get(level)
        if drain is None:
            begun.append(number)
            continue
        if begun:
            first = begun.pop(0)
            changes[first] = changes.get(first, 0) + drain.bytes
            changes[number] = changes.get(number, 0) - drain.bytes
        following = jobs[number + 1].drains.get(level) if number + 1 < len(jobs) else None
        if following is None:
            begun = []
    return changes
