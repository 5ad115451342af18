"""One operand on its way through two on-chip levels, in and out, with a clock that advances by one (MODEL 4).

Inwards: a far loader takes a slot of the far level and asks memory for a tile's data; a near loader takes a slot of
the near level, and when the far level has all that tiles up to its own brought there, moves its part on. Each loader
waits for its data before it asks again. A slot is free when no later tile goes on using what lies in it.
Outwards: a near writer takes a slot of the far level before it moves a tile's outputs there; a far writer sends them
on.

A wait of the array is charged by moments: until the data had left memory `dram_read`, afterwards to what holds it.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

#: cycles; no small case lasts as long
LONGEST = 5000


def cycles_of(size: int, bandwidth: Fraction) -> int:
    exact = Fraction(size) / bandwidth
    return -(-exact.numerator // exact.denominator)


@dataclass(frozen=True)
class Hop:
    """epoch: transfers of one epoch fill one slot; size: bytes (of memory); least: cycles that ports, network or
    decoder need, and which of them that is."""

    epoch: int
    size: int = 0
    least: int = 0
    cause: str = "sram"


@dataclass(frozen=True)
class Tile:
    """far, near: what comes into a level for this tile, or None; far only if near."""

    array: int
    far: Hop | None
    near: Hop | None


@dataclass
class Loader:
    """hops: (tile, hop) in order; state: None = nothing under way, else what it does."""

    hops: list[tuple[int, Hop]]
    slots: int
    at: int = 0
    arrived: int = 0
    freed: int = 0
    began: int | None = None
    leaves_memory: int | None = None
    ends: int | None = None

    def epochs(self, number: int) -> int:
        """Slots that hops 0 .. number take."""
        epochs = [hop.epoch for _, hop in self.hops[: number + 1]]
        return 1 + sum(a != b for a, b in pairwise(epochs))

    def may_begin(self) -> bool:
        return self.began is None and self.at < len(self.hops) and self.epochs(self.at) - self.freed <= self.slots

    def of(self, tile: int) -> int:
        """Number of the last hop that a tile needs, -1 if none."""
        return max((i for i, (each, _) in enumerate(self.hops) if each <= tile), default=-1)


def inward(
    tiles: list[Tile], bandwidth: Fraction, latency: int, slots: tuple[int, int], waits: tuple[int, int]
) -> tuple[int, Counter]:
    """(end, cause -> cycles). slots: of the far and the near level; waits: latency of each."""
    far = Loader([(i, tile.far) for i, tile in enumerate(tiles) if tile.far], slots[0])
    near = Loader([(i, tile.near) for i, tile in enumerate(tiles) if tile.near], slots[1])
    idle: Counter = Counter()
    usable: list[int] = []  # cycle from which the array can use each near hop
    clock, current, left = 0, 0, None
    while current < len(tiles):
        moved = True
        while moved:
            moved = False
            for loader in (far, near):
                if loader.ends is not None and loader.ends <= clock:
                    loader.arrived, loader.at = loader.arrived + 1, loader.at + 1
                    loader.began = loader.leaves_memory = loader.ends = None
                    if loader is near:
                        usable.append(clock + waits[1])
                    moved = True
            if far.may_begin():
                hop = far.hops[far.at][1]
                served = cycles_of(hop.size, bandwidth)
                far.began, far.leaves_memory = clock, clock + served + latency
                far.ends, moved = max(far.leaves_memory, clock + hop.least), True
            if near.may_begin() and far.arrived > far.of(near.hops[near.at][0]):
                hop = near.hops[near.at][1]
                near.began, near.ends, moved = clock, clock + hop.least + waits[0], True
            if left == 0:
                for name, loader in (("far", far), ("near", near)):
                    following = getattr(tiles[current + 1], name) if current + 1 < len(tiles) else None
                    used = [hop.epoch for tile, hop in loader.hops if tile <= current]
                    loader.freed += bool(used) and (
                        current + 1 == len(tiles) or (following is not None and following.epoch != used[-1])
                    )
                current, left, moved = current + 1, None, True
            if left is None and current < len(tiles):
                need = near.of(current)
                if need < 0 or (len(usable) > need and usable[need] <= clock):
                    left, moved = tiles[current].array, True
        if current == len(tiles):
            break
        if left:
            left -= 1
        else:
            idle[held_up(tiles, current, far, near, clock)] += 1
        clock += 1
        assert clock < LONGEST, "stuck"
    return clock, +idle


def held_up(tiles: list[Tile], current: int, far: Loader, near: Loader, clock: int) -> str:
    """What keeps the current tile's data from the array in this cycle."""
    number, needed = near.of(current), far.of(current)
    if near.arrived > number:
        return "sram"
    if near.at == number and near.began is not None:
        hop = near.hops[number][1]
        return hop.cause if hop.least else "sram"
    if far.arrived <= needed and (far.at != needed or far.leaves_memory is None or clock < far.leaves_memory):
        return "dram_read"
    hop = far.hops[needed][1]
    return hop.cause if hop.least else "sram"


@dataclass(frozen=True)
class Made:
    """A tile's cycles in the array and behind it; near: of its outputs to the far level, None = none leave; far: bytes
    to memory and the far level's own cycles, None = they stay there."""

    array: int
    post: int
    near: Hop | None
    far: Hop | None


@dataclass
class Queue:
    """A writer: tiles whose outputs it has sent, and until when it is at work."""

    done: list[int] = field(default_factory=list)
    began: int | None = None
    ends: int | None = None


def outward(tiles: list[Made], bandwidth: Fraction, latency: int, slots: tuple[int, int]) -> tuple[int, Counter]:
    """(end, cause -> cycles). slots: of the far and the near level."""
    idle: Counter = Counter()
    near_jobs = [i for i, tile in enumerate(tiles) if tile.near]
    far_jobs = [i for i, tile in enumerate(tiles) if tile.far]
    near, far = Queue(), Queue()
    clock, current, left = 0, 0, None
    posted, posting = 0, None
    while True:
        moved = True
        while moved:
            moved = False
            for queue, jobs in ((near, near_jobs), (far, far_jobs)):
                if queue.ends is not None and queue.ends <= clock:
                    queue.done.append(jobs[len(queue.done)])
                    queue.began = queue.ends = None
                    moved = True
            if posting == 0:
                posting, posted, moved = None, posted + 1, True
            if posting is None and posted < current:
                posting, moved = tiles[posted].post, True
            if near.began is None and len(near.done) < len(near_jobs):
                tile = near_jobs[len(near.done)]
                onward = sum(each <= tile for each in far_jobs)
                room = tile not in far_jobs or onward - len(far.done) <= slots[0]
                if tile < posted and room:
                    near.began, near.ends, moved = clock, clock + tiles[tile].near.least, True
            if far.began is None and len(far.done) < len(far_jobs):
                tile = far_jobs[len(far.done)]
                if tile in near.done:
                    hop = tiles[tile].far
                    served = cycles_of(hop.size, bandwidth) + latency
                    far.began, far.ends, moved = clock, clock + max(served, hop.least), True
            if left == 0:
                current, left, moved = current + 1, None, True
            if left is None and current < len(tiles):
                begun = sum(each <= current for each in near_jobs)
                if tiles[current].near is None or begun - len(near.done) <= slots[1]:
                    left, moved = tiles[current].array, True
        if current == posted == len(tiles) and len(near.done) == len(near_jobs) and len(far.done) == len(far_jobs):
            return clock, +idle
        if left:
            left -= 1
        elif current < len(tiles):  # it waits for the oldest outputs that still take a slot it needs
            awaited = near_jobs[near_jobs.index(current) - slots[1]]
            started = near.began is not None and near_jobs[len(near.done)] == awaited
            idle[tiles[awaited].near.cause if started else "dram_write"] += 1
        else:
            idle["post" if posted < len(tiles) else "dram_write"] += 1
        posting = posting - 1 if posting else posting
        clock += 1
        assert clock < LONGEST, "stuck"
