"""When tiles move: SimPy processes for loaders, array, post-processing unit and writers (docs/model.md 4).

The engine knows nothing of dataflows: it gets bytes in, array cycles, post cycles and bytes out. Every stretch in which
the array has no tile is charged to whatever arrived last; where that came through several levels, each cycle to what
held it up then.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import simpy

from accel_sim.mapping.buffer import Buffer
from accel_sim.memories.memory import Channel, Outermost, State
from accel_sim.run.server import Count, Process, Server, overlap, union
from accel_sim.values.causes import Cause
from accel_sim.values.jobs import Job, Port, Schedule, Transfer

#: (from this cycle on, what held a transfer up); before the first mark it is the outermost memory
Marks = tuple[tuple[int, Cause], ...]
NO_MARKS: Marks = ()
DEPENDENCY, POST = Cause("dependency"), Cause("post")


@dataclass(frozen=True)
class Arrival:
    """ready: cycle from which the array can use it; tensor: what came; marks: what it waited for on its way."""

    ready: int
    tensor: str
    marks: Marks


@dataclass
class Inlet:
    """One level of one operand: loads that came, slots that were freed; begun: loads begun before the layer."""

    buffer: Buffer
    loaded: Count
    freed: Count
    arrivals: list[Arrival] = field(default_factory=list)
    begun: int = 0


class Engine:
    """Plays a network's layers one after another; time, memory and what was loaded ahead live on between them."""

    def __init__(self, memory: Channel[State], state: State, start: int = 0) -> None:
        """memory, state: the outermost level and its state; start: the first cycle."""
        self.env = simpy.Environment(initial_time=start)
        self.server, self.level = Server(self.env, memory, state), memory.level
        self.port_free_at: dict[str, int] = {}
        self.ahead: dict[Port, Inlet] = {}
        self.env.process(self.server.serve())

    @property
    def now(self) -> int:
        """The cycle that the schedule has come to."""
        return int(self.env.now)

    def play(
        self, jobs: list[Job], buffers: dict[str, Buffer], ahead: dict[Port, Transfer] | None = None
    ) -> "Schedule":
        """Plays one layer's tiles in order, from now until its last write is complete.

        buffers: operand -> its innermost buffer. ahead: loads of the next layer that may begin once this layer's own
        loads through the same port are over and a slot is free.
        """
        start, served = self.now, len(self.server.busy)
        layer = self.layer(jobs, buffers)
        layer.begin(ahead or {})
        self.env.run(until=self.env.process(layer.array()))
        end = self.now
        assert sum(layer.idle.values()) + sum(job.array for job in jobs) == end - start, "engine: cycles do not add up"
        busy = union(self.server.busy[served:])
        return Schedule(start, end, layer.idle, overlap(busy, layer.working))

    def wait(self, cycles: int) -> None:
        """Lets time pass in which the array does nothing; what is under way goes on."""
        if cycles:
            self.env.run(until=self.now + cycles)

    def layer(self, jobs: list[Job], buffers: dict[str, Buffer]) -> "_Layer":
        """The processes that play one layer, not yet begun."""
        return _Layer(self, jobs, buffers)

    def outermost(self, name: str, tensor: str) -> Cause:
        """Waiting for the outermost memory."""
        return Cause(name, self.level, tensor)

    def bring(self, transfer: Transfer, marks: Marks, path: tuple[Buffer, ...]) -> Generator[simpy.Event, int, Marks]:
        """Moves bytes to the last level of ``path``, from the one before or the outermost memory; returns the marks."""
        env, asked = self.env, self.now
        if len(path) == 1:
            begin = yield self.server.transfer(transfer.extents, False)
            present, end = self.now, max(self.now, begin + transfer.cycles)
            marks = ()
        else:
            source = path[-2]
            begin = max(asked, self.port_free_at.get(source.level, 0))
            self.port_free_at[source.level] = begin + transfer.cycles
            present, end = asked, begin + transfer.cycles + source.latency
        if end > env.now:
            yield env.timeout(end - env.now)
        return (*marks, (present, transfer.held_up(path[-2:][0].level)))


#: what plays a schedule: an Engine, made of (memory, its state)
MakeEngine = Callable[[Outermost, object], Engine]


class _Layer:
    """The processes of one layer and the counts they share."""

    def __init__(self, engine: Engine, jobs: list[Job], buffers: dict[str, Buffer]) -> None:
        self.engine, self.env, self.jobs, self.buffers = engine, engine.env, jobs, buffers
        self.inlets = {port: self._inlet(port) for port in sorted({port for job in jobs for port in job.loads})}
        self.way_out = buffers["outputs"].path[::-1] if "outputs" in buffers else ()
        self.drained = [Count(self.env) for _ in self.way_out]
        self.spills = _spills(jobs)
        self.rooms = [drains_before(jobs, level) for level in self.way_out]
        self.left: list[tuple[str, Marks]] = []  # of each drain of the innermost level: its tensor, what held it up
        self.done, self.posted = Count(self.env), Count(self.env)
        self.idle: dict[Cause, int] = {}
        self.working: list[tuple[int, int]] = []

    def _inlet(self, port: Port) -> Inlet:
        if port in self.engine.ahead:
            return self.engine.ahead.pop(port)
        operand, level = port
        buffer = next(buffer for buffer in self.buffers[operand].path if buffer.level == level)
        return Inlet(buffer, Count(self.env), Count(self.env))

    def begin(self, ahead: dict[Port, Transfer]) -> None:
        env = self.env
        for port in self.inlets:
            env.process(self.loader(port, ahead.get(port)))
        for port, transfer in ahead.items():
            if port not in self.inlets:
                self._load_ahead(port, transfer)
        env.process(self.post())
        for hop in range(len(self.way_out)):
            env.process(self.writer(hop))

    def loader(self, port: Port, ahead: Transfer | None) -> Process:
        """Takes a slot, then loads; the slot is freed when the last tile that uses the data is done."""
        inlet, slots = self.inlets[port], self.inlets[port].buffer.slots
        path = self.buffers[port[0]].path
        at = path.index(inlet.buffer)
        source = self.inlets.get((port[0], path[at - 1].level)) if at else None
        begun, inlet.begun = inlet.begun, 0
        epochs, last, held, drawn = 0, None, 0, 0
        for number, job in enumerate(self.jobs):
            if source is not None and (port[0], source.buffer.level) in job.loads:
                drawn += 1
            load = job.loads.get(port)
            if load is None:
                continue
            if load.epoch != last:
                epochs, last, held = epochs + 1, load.epoch, 0
            held += load.bytes
            if begun:
                begun -= 1
                if not inlet.loaded.value:
                    yield inlet.loaded.reach(1)
                continue
            if inlet.freed.value < epochs - slots:
                yield inlet.freed.reach(epochs - slots)
            if source is not None and source.loaded.value < drawn:
                yield source.loaded.reach(drawn)
            if (port, number) in self.spills:
                yield from self._reach(self.drained[self.way_out.index(inlet.buffer)], self.spills[port, number])
            yield from self._bring(inlet, load, source, drawn, path[: at + 1])
        if ahead is not None:
            share = inlet.buffer.slot_bytes
            need = epochs + 1 - slots if max(held, ahead.bytes) <= share else epochs
            if inlet.freed.value < need:
                yield inlet.freed.reach(need)
            self._load_ahead(port, ahead)

    def _bring(
        self, inlet: Inlet, load: Transfer, source: Inlet | None, drawn: int, path: tuple[Buffer, ...]
    ) -> Process:
        """path: levels from the outermost to this one; without a ``source``, what the one before holds stays there."""
        marks = source.arrivals[drawn - 1].marks if source is not None and drawn else ()
        marks = yield from self.engine.bring(load, marks, path)
        latency = inlet.buffer.latency if inlet.buffer == self.buffers[load.streams[0].operand] else 0
        marks = (*marks, (self.engine.now, Cause("sram", inlet.buffer.level, load.tensor)))
        inlet.arrivals.append(Arrival(self.engine.now + latency, load.tensor, marks))
        inlet.loaded.bump()

    def _load_ahead(self, port: Port, transfer: Transfer) -> None:
        """Starts a load of the next layer, which finds it under the same port."""
        inlet = self.engine.ahead[port] = self._inlet(port)
        inlet.begun = 1
        self.env.process(self._bring(inlet, transfer, None, 0, self.buffers[port[0]].path[:1]))

    def array(self) -> Process:
        env, taken, epochs = self.env, dict.fromkeys(self.inlets, 0), {}
        free_at = self.engine.now
        for number, job in enumerate(self.jobs):
            first, marks = DEPENDENCY, NO_MARKS
            for port, load in job.loads.items():
                epochs[port] = load.epoch
                if port[1] != self.buffers[port[0]].level:
                    continue
                taken[port] += 1
                before = env.now
                yield from self._arrival(self.inlets[port], taken[port])
                if env.now > before:
                    came = self.inlets[port].arrivals[taken[port] - 1]
                    first, marks = self.engine.outermost("dram_read", came.tensor), came.marks
            if self.way_out and self.way_out[0].level in job.drains:  # a slot must be free before the first result
                need, before = self.rooms[0][number], env.now
                yield from self._reach(self.drained[0], need)
                if env.now > before:
                    tensor, marks = self.left[need - 1]
                    first = self.engine.outermost("dram_write", tensor)
            self._charge(free_at, first, marks)
            yield from self._work(job)
            self._free(epochs, self.jobs[number + 1] if number + 1 < len(self.jobs) else None)
            free_at = self.engine.now
            self.done.bump()
        yield from self._retire()

    def _work(self, job: Job) -> Process:
        begin = self.engine.now
        if job.post_only:
            yield self.env.timeout(job.post)
            self._charge(begin, POST)
        elif job.array:
            self.working.append((begin, begin + job.array))
            yield self.env.timeout(job.array)

    def _free(self, epochs: dict[Port, int], following: Job | None) -> None:
        """Slots whose data no later tile uses."""
        for port, epoch in epochs.items():
            load = following.loads.get(port) if following is not None else None
            if following is None or (load is not None and load.epoch != epoch):
                self.inlets[port].freed.bump()

    def _retire(self) -> Process:
        before = self.engine.now
        yield from self._reach(self.posted, len(self.jobs))
        self._charge(before, POST)
        before = self.engine.now
        for level, drained in zip(self.way_out, self.drained, strict=True):
            leaving = [job.drains[level.level] for job in self.jobs if level.level in job.drains]
            yield from self._reach(drained, len(leaving))
            if leaving:
                self._charge(before, self.engine.outermost("dram_write", leaving[-1].tensor))
                before = self.engine.now

    def _arrival(self, inlet: Inlet, number: int) -> Process:
        yield from self._reach(inlet.loaded, number)
        ready = inlet.arrivals[number - 1].ready
        if ready > self.env.now:
            yield self.env.timeout(ready - self.env.now)

    def _reach(self, count: Count, need: int) -> Process:
        if count.value < need:
            yield count.reach(need)

    def _charge(self, since: int, first: Cause, marks: Marks = ()) -> None:
        """Charges the cycles since then to ``first``, and from each mark on to what it names."""
        cause, begin, now = first, since, self.engine.now
        for at, following in (*marks, (now, first)):
            until = min(max(at, begin), now)
            if until > begin:
                self.idle[cause] = self.idle.get(cause, 0) + until - begin
            begin, cause = until, following

    def post(self) -> Process:
        for number, job in enumerate(self.jobs):
            yield from self._reach(self.done, number + 1)
            yield from self._post(job)
            self.posted.bump()

    def _post(self, job: Job) -> Process:
        if job.post and not job.post_only:
            yield self.env.timeout(job.post)

    def writer(self, hop: int) -> Process:
        """Moves what leaves one level outwards; the next level's slot is taken before."""
        level, nearer = self.way_out[hop], self.way_out[hop - 1] if hop else None
        beyond = self.way_out[hop + 1] if hop + 1 < len(self.way_out) else None
        came = 0
        for number, job in enumerate(self.jobs):
            drain = job.drains.get(level.level)
            if nearer is not None:
                came += nearer.level in job.drains
            if drain is None:
                continue
            if nearer is None:
                yield from self._reach(self.posted, number + 1)
            else:
                yield from self._reach(self.drained[hop - 1], came)
            if beyond is not None and beyond.level in job.drains:
                yield from self._reach(self.drained[hop + 1], self.rooms[hop + 1][number])
            begin = self.engine.now
            yield from self._send(drain, level, beyond)
            if hop == 0:
                self.left.append((drain.tensor, ((begin, drain.held_up(level.level)),) if beyond is not None else ()))
            self.drained[hop].bump()

    def _send(self, drain: Transfer, level: Buffer, beyond: Buffer | None) -> Process:
        env, asked = self.env, self.engine.now
        if beyond is None:
            yield self.engine.server.transfer(drain.extents, True)
            end = asked + drain.cycles
        else:
            begin = max(asked, self.engine.port_free_at.get(level.level, 0))
            end = self.engine.port_free_at[level.level] = begin + drain.cycles
        if end > env.now:
            yield env.timeout(end - env.now)


def _spills(jobs: list[Job]) -> dict[tuple[Port, int], int]:
    """(port, number of a tile) -> how many drains of the level must be over before the tile's sums are read back."""
    found: dict[tuple[Port, int], int] = {}
    counts: dict[str, int] = {}
    spilled: dict[tuple[str, tuple], int] = {}
    for number, job in enumerate(jobs):
        for port, load in job.loads.items():
            needs = [spilled.get((port[1], stream.extents), 0) for stream in load.streams if port[0] == "outputs"]
            if any(needs):
                found[port, number] = max(needs)
        for level, drain in job.drains.items():
            counts[level] = counts.get(level, 0) + 1
            spilled.update({(level, stream.extents): counts[level] for stream in drain.streams})
    return found


def drains_before(jobs: list[Job], level: Buffer) -> dict[int, int]:
    """Number of a tile that fills a slot of outputs -> how many drains of the level must be over before it may.

    Tiles of one epoch share a slot, which is free when all of them have left.
    """
    ends, before, last = [0], {}, None
    for number, job in enumerate(jobs):
        drain = job.drains.get(level.level)
        if drain is None:
            continue
        if drain.epoch != last or len(ends) == 1:
            ends.append(ends[-1])
            last = drain.epoch
        ends[-1] += 1
        before[number] = ends[max(0, len(ends) - 1 - level.slots)]
    return before
