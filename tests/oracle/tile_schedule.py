"""The schedule of a layer's tiles between memory and array (MODEL 4), with a clock that advances by one.

A loader per operand takes a slot of its buffer, asks the memory channel for the next tile's data and waits for it; the
array takes tiles in order, each when its data is there and (if it has outputs) an output slot is free; a
post-processing unit takes what the array has done, a writer what that has done, and a complete write frees the output
slot. A tile that does not list an operand goes on using what was loaded before.

One channel serves reads and writes first come first served: `ceil(bytes / bandwidth)` cycles each, complete `latency`
cycles later. MODEL does not say who is first of those that come in the same cycle: `tie(names)` does.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import permutations


def by_name(names: list[str]) -> list[str]:
    """Reads in the order of their names, then the writer."""
    return sorted(names, key=lambda who: (who == "writer", who))


@dataclass(frozen=True)
class Work:
    """One tile: cycles in the array and the post-processing unit, bytes read by operand, bytes written (None: none).

    post_only: the post-processing unit takes the tile from the buffers itself (a layer without MACs).
    """

    array: int
    post: int
    reads: dict[str, int]
    write: int | None = None
    post_only: bool = False


@dataclass(frozen=True)
class Memory:
    bandwidth: Fraction | float
    latency: int
    busy_until: int = 0  # what an earlier layer has left the channel with


@dataclass
class Outcome:
    """end: cycle of the last write; idle: cause -> cycles without a tile in the array; overlapped: channel and array
    both busy."""

    end: int = 0
    idle: Counter = field(default_factory=Counter)
    overlapped: int = 0


@dataclass
class Loader:
    """jobs: indices of the tiles it loads for."""

    jobs: deque
    slots: int
    taken: int = 0
    loaded: int = 0
    freed: int = 0
    pending: bool = False


class Layer:
    """All parts of one layer; `run` clocks them from `start` until the last write is complete."""

    def __init__(self, works: list[Work], memory: Memory, slots: dict[str, int], tie, start: int = 0):
        self.works, self.memory, self.slots, self.tie = works, memory, slots, tie
        self.clock = start
        self.out = Outcome()
        self.loaders = {}
        for name in sorted({name for work in works for name in work.reads}):
            self.loaders[name] = Loader(deque(i for i, w in enumerate(works) if name in w.reads), slots[name])
        self.asked: list[tuple[str, int]] = []  # (who, bytes) that came to the channel in this cycle
        self.channel_queue: deque = deque()
        self.channel_left = 0  # cycles the channel is still busy with what it serves
        self.serving: str | None = None
        self.before = max(0, memory.busy_until - start)  # cycles of an earlier layer's transfers
        self.on_their_way: list[tuple[int, str]] = []  # (cycle of completion, who)
        self.working: int | None = None
        self.array_left = self.next_tile = 0
        self.waited, self.data_seen = 0, False  # of the array, for its next tile
        self.to_post: deque = deque()
        self.post_left: int | None = None
        self.posted = self.written = self.writes_begun = self.outputs_begun = 0
        self.writing = False

    def run(self) -> Outcome:
        while not self.finished():
            self.settle()
            if self.finished():
                break
            self.tick()
        self.out.end = self.clock
        return self.out

    def finished(self) -> bool:
        writes = sum(work.write is not None for work in self.works)
        return self.next_tile == self.posted == len(self.works) and self.written == writes and self.working is None

    # what can happen within a cycle ------------------------------------------------------------------------------

    def settle(self) -> None:
        """Parts act until nothing changes; requests of this cycle are then put in line, and served if possible."""
        moved = True
        while moved:
            moved = self.complete() | self.array_ends() | self.array_begins() | self.post_unit() | self.writer()
            moved |= sum(self.load(name) for name in self.loaders) > 0  # a sum: all of them act
            if not moved and self.asked:
                names = [who for who, _ in self.asked]
                size = dict(self.asked)
                self.channel_queue.extend((who, size[who]) for who in self.tie(names))
                self.asked, moved = [], True
            moved |= self.serve()

    def complete(self) -> bool:
        here = [who for at, who in self.on_their_way if at == self.clock]
        self.on_their_way = [(at, who) for at, who in self.on_their_way if at != self.clock]
        for who in here:
            if who == "writer":
                self.writing, self.written = False, self.written + 1
            else:
                self.loaders[who].pending, self.loaders[who].loaded = False, self.loaders[who].loaded + 1
        return bool(here)

    def load(self, name: str) -> bool:
        """One request at a time; a slot must be free before it is sent."""
        loader = self.loaders[name]
        if loader.pending or not loader.jobs or loader.taken - loader.freed == loader.slots:
            return False
        loader.taken, loader.pending = loader.taken + 1, True
        self.asked.append((name, self.works[loader.jobs.popleft()].reads[name]))
        return True

    def serve(self) -> bool:
        if self.before or self.serving is not None or not self.channel_queue:
            return False
        self.serving, size = self.channel_queue.popleft()
        exact = Fraction(size) / Fraction(self.memory.bandwidth)
        self.channel_left = -(-exact.numerator // exact.denominator)
        self.end_of_service()
        return True

    def end_of_service(self) -> None:
        if self.serving is not None and self.channel_left == 0:
            self.on_their_way.append((self.clock + self.memory.latency, self.serving))
            self.serving = None

    def ready(self) -> tuple[bool, bool]:
        """Is the next tile's data in the buffers; is there room for its outputs."""
        if self.next_tile == len(self.works):
            return True, True
        data = all(
            loader.loaded >= sum(name in w.reads for w in self.works[: self.next_tile + 1])
            for name, loader in self.loaders.items()
        )
        if self.works[self.next_tile].write is None:
            return data, True
        return data, self.outputs_begun - self.written < self.slots["outputs"]

    def array_begins(self) -> bool:
        if self.working is not None or self.next_tile == len(self.works) or not all(self.ready()):
            return False
        if self.waited:  # what came last: of two that came together the data
            self.out.idle["dram_write" if self.data_seen else "dram_read"] += self.waited
        work = self.works[self.next_tile]
        self.working, self.waited = self.next_tile, 0
        self.array_left = work.post if work.post_only else work.array
        self.outputs_begun += work.write is not None
        self.next_tile += 1
        return True

    def array_ends(self) -> bool:
        """The tile leaves; a slot is free when no later tile goes on using what lies in it."""
        if self.working is None or self.array_left:
            return False
        for name, loader in self.loaders.items():
            used = any(name in w.reads for w in self.works[: self.next_tile])
            last = self.next_tile == len(self.works) or name in self.works[self.next_tile].reads
            loader.freed += used and last
        work = self.works[self.working]
        self.to_post.append(0 if work.post_only else work.post)
        self.working, self.data_seen = None, False
        return True

    def post_unit(self) -> bool:
        if self.post_left is None and self.to_post:
            self.post_left = self.to_post.popleft()
            return True
        if self.post_left == 0:
            self.post_left, self.posted = None, self.posted + 1
            return True
        return False

    def writer(self) -> bool:
        """The oldest output that has been posted and not written, one at a time."""
        if self.writing:
            return False
        outputs = [work.write for work in self.works[: self.posted] if work.write is not None]
        if len(outputs) == self.writes_begun:
            return False
        self.asked.append(("writer", outputs[self.writes_begun]))
        self.writing, self.writes_begun = True, self.writes_begun + 1
        return True

    # one cycle ---------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        busy = self.serving is not None
        if self.working is not None:
            self.array_left -= 1
            if self.works[self.working].post_only:  # no array works, so nothing is hidden behind it
                self.out.idle["post"] += 1
            else:
                self.out.overlapped += busy
        elif self.next_tile < len(self.works):
            self.waited += 1
            self.data_seen = self.ready()[0]
        else:
            self.out.idle["post" if self.posted < len(self.works) else "dram_write"] += 1
        if self.post_left:
            self.post_left -= 1
        self.clock += 1
        if busy:
            self.channel_left -= 1
            self.end_of_service()
        self.before = max(0, self.before - 1)


def outcomes(works: list[Work], memory: Memory, slots: dict[str, int], start: int = 0) -> Iterator[Outcome]:
    """What may come out, one outcome per way to order the requests that reach the channel in the same cycle.

    The first is that of `by_name`; after it those that differ from it at one tie, then at two, and so on.
    """
    to_try: deque = deque([()])
    while to_try:
        chosen = to_try.popleft()
        ties: list[int] = []  # number of orders at each tie of this run

        def tie(names, chosen=chosen, ties=ties):
            orders = list(permutations(by_name(names)))
            ties.append(len(orders))
            return orders[chosen[len(ties) - 1] if len(ties) <= len(chosen) else 0]

        yield Layer(works, memory, slots, tie, start).run()
        for at in range(len(chosen), len(ties)):  # the same run, with another order at one later tie
            to_try.extend((*chosen, *[0] * (at - len(chosen)), other) for other in range(1, ties[at]))
