"""A run's timeline as Chrome/Perfetto JSON: who moved or worked when, one track each; 1 cycle is shown as 1 µs.

The engine knows nothing of it: a traced run plays through a subclass, so that a run without costs nothing.
"""

import json
from collections import deque
from collections.abc import Iterator
from typing import Any

import simpy

from accel_sim.engine import Engine, Inlet, _Layer
from accel_sim.jobs import Job, Port, Transfer
from accel_sim.levels import Buffer
from accel_sim.result import Result
from accel_sim.server import union

#: events of a trace; what came later is left out, and the trace says so
MAX_EVENTS = 200_000
TIME = "1 cycle = 1 us"


class Recorder:
    """spans: (track, name, begin, end); counts: (track, cycle, bytes); both in order of their end. dropped: events
    beyond ``most``; cut: cycle of the first of them."""

    def __init__(self, most: int = MAX_EVENTS):
        self.most, self.dropped, self.cut = most, 0, 0
        self.spans: list[tuple[str, str, int, int]] = []
        self.counts: list[tuple[str, int, int]] = []
        self.held: dict[str, int] = {}
        self.played: Engine | None = None
        self._inlets: dict[int, tuple[Inlet, deque[tuple[int, int]]]] = {}  # an inlet that is held keeps its id

    def engine(self, memory: Any, state: Any) -> Engine:
        """An engine that reports here; for ``simulate(engine=...)``."""
        self.played = _Engine(memory, state, self)
        return self.played

    def filled(self, inlet: Inlet) -> deque[tuple[int, int]]:
        """(epoch, bytes) of the loads that an inlet holds, oldest first."""
        return self._inlets.setdefault(id(inlet), (inlet, deque()))[1]

    def span(self, track: str, name: str, begin: int, end: int) -> None:
        if end > begin and self._room(end):
            self.spans.append((track, name, begin, end))

    def hold(self, track: str, at: int, change: int) -> None:
        """``change`` bytes more in a buffer."""
        self.held[track] = self.held.get(track, 0) + change
        if change and self._room(at):
            self.counts.append((track, at, self.held[track]))

    def _room(self, at: int) -> bool:
        if not self.dropped and len(self.spans) + len(self.counts) < self.most:
            return True
        self.cut = self.cut if self.dropped else at
        self.dropped += 1
        return False

    def text(self, result: Result) -> str:
        """trace.json: one line per event; the same run gives the same bytes."""
        tree = self.tree(result)
        lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in tree.pop("traceEvents"))
        return json.dumps(tree)[:-1] + f', "traceEvents": [\n{lines}\n]}}\n'

    def tree(self, result: Result) -> dict[str, Any]:
        layers = [("layer", run.layer.name, run.start, run.end) for run in result.runs if run.cycles]
        busy = union(self.played.server.busy)
        room = max(0, self.most - len(self.spans) - len(self.counts))
        shown = [each for each in busy if not self.dropped or each[1] <= self.cut][:room]
        dropped = self.dropped + len(busy) - len(shown)
        memory = [(result.machine.dram.level, "busy", begin, end) for begin, end in shown]
        spans = layers + memory + self.spans
        tracks = {track: number for number, track in enumerate(dict.fromkeys(span[0] for span in spans), 1)}
        note = f"capped: {dropped} events left out, the first at about cycle {self.cut}" if dropped else "whole"
        about = {"network": result.network.name, "hardware": result.machine.name, "time": TIME, "events": note}
        events: list[dict[str, Any]] = [
            {"ph": "M", "pid": 1, "tid": 0, "name": "process_name", "args": {"name": f"{result.machine.name}; {TIME}"}}
        ]
        for track, tid in tracks.items():
            events.append({"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": track}})
            events.append({"ph": "M", "pid": 1, "tid": tid, "name": "thread_sort_index", "args": {"sort_index": tid}})
        for track, name, begin, end in sorted(spans, key=lambda span: (tracks[span[0]], span[2])):
            events.append({"ph": "X", "pid": 1, "tid": tracks[track], "name": name, "ts": begin, "dur": end - begin})
        for track, at, held in self.counts:
            events.append({"ph": "C", "pid": 1, "tid": 0, "name": track, "ts": at, "args": {"bytes": held}})
        if dropped:
            events.append({"ph": "i", "pid": 1, "tid": 0, "s": "g", "name": note, "ts": self.cut})
        return {"displayTimeUnit": "ms", "otherData": about, "traceEvents": events}


class _Engine(Engine):
    def __init__(self, memory: Any, state: Any, recorder: Recorder):
        super().__init__(memory, state)
        self.recorder = recorder

    def layer(self, jobs: list[Job], buffers: dict[str, Buffer]) -> _Layer:
        return _TracedLayer(self, jobs, buffers)


class _TracedLayer(_Layer):
    """A layer whose processes report what they did."""

    def __init__(self, engine: _Engine, jobs: list[Job], buffers: dict[str, Buffer]):
        super().__init__(engine, jobs, buffers)
        self.recorder = engine.recorder

    def _bring(
        self, inlet: Inlet, load: Transfer, source: Inlet | None, drawn: int, path: tuple[Buffer, ...]
    ) -> Iterator[simpy.Event]:
        operand, begin = load.streams[0].operand, self.engine.now
        self.recorder.filled(inlet).append((load.epoch, load.bytes))
        where = f"{operand} in {inlet.buffer.level}"
        self.recorder.hold(where, begin, load.bytes)
        yield from super()._bring(inlet, load, source, drawn, path)
        name = " + ".join(dict.fromkeys(stream.tensor for stream in load.streams))
        self.recorder.span(f"load {where}", f"{name} {load.bytes} B", begin, self.engine.now)

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

    def _work(self, job: Job) -> Iterator[simpy.Event]:
        begin = self.engine.now
        self._results(job.drains.get(self.way_out[0].level) if self.way_out else None, 1)
        yield from super()._work(job)
        self.recorder.span("post" if job.post_only else "array", "tile", begin, self.engine.now)

    def _post(self, job: Job) -> Iterator[simpy.Event]:
        begin = self.engine.now
        yield from super()._post(job)
        self.recorder.span("post", "tile", begin, self.engine.now)

    def _send(self, drain: Transfer, level: Buffer, beyond: Buffer | None) -> Iterator[simpy.Event]:
        begin = self.engine.now
        yield from super()._send(drain, level, beyond)
        self.recorder.span(f"write from {level.level}", f"{drain.bytes} B", begin, self.engine.now)
        if level is self.way_out[0]:
            self._results(drain, -1)

    def _results(self, drain: Transfer | None, sign: int) -> None:
        """What the array's results fill of the level they leave first."""
        if drain is not None:
            self.recorder.hold(f"results in {self.way_out[0].level}", self.engine.now, sign * drain.bytes)


def faults(tree: Any) -> Iterator[str]:
    """What is wrong with a trace: fields and their kinds, overlap on a track, counters below zero or out of order."""
    if not isinstance(tree, dict) or not isinstance(tree.get("traceEvents"), list):
        yield "expected a mapping with a list traceEvents"
        return
    if (tree.get("otherData") or {}).get("time") != TIME:
        yield f"otherData.time: expected '{TIME}'"
    free: dict[int, int] = {}
    named, counted = set(), {}
    for number, event in enumerate(tree["traceEvents"]):
        where, kind = f"event {number}", event.get("ph")
        if kind not in ("M", "X", "C", "i") or not isinstance(event.get("name"), str) or event.get("pid") != 1:
            yield f"{where}: expected ph M, X, C or i, a name and pid 1"
        elif kind == "M":
            named.add(event["tid"])
        elif type(event.get("ts")) is not int or event["ts"] < 0:
            yield f"{where}: ts is no cycle"
        elif kind == "X":
            if type(event.get("dur")) is not int or event["dur"] <= 0:
                yield f"{where}: dur is no positive number of cycles"
                continue
            tid = event["tid"]
            if tid not in named:
                yield f"{where}: track {tid} has no name"
            if event["ts"] < free.get(tid, 0):
                yield f"{where}: begins at {event['ts']}, before its track is free at {free[tid]}"
            free[tid] = event["ts"] + event["dur"]
        elif kind == "C":
            if event["args"]["bytes"] < 0 or event["ts"] < counted.get(event["name"], 0):
                yield f"{where}: counter '{event['name']}' is below zero or goes back in time"
            counted[event["name"]] = event["ts"]
