"""A loop nest around an array, replayed tile by tile with sets of byte addresses.

A level keeps what lies below its first `keep` loops: what is in it goes when the index of one of those loops, of a
dimension that the operand depends on, changes. Of what a tile needs, only what is not in the innermost level is
fetched, from the next level farther out, where the same holds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

#: operand -> dimensions it depends on
DEPENDS = {
    "inputs": ("groups", "pixels", "k"),
    "weights": ("groups", "filters", "k"),
    "outputs": ("groups", "pixels", "filters"),
}


@dataclass(frozen=True)
class Loops:
    """dims, counts: outermost first."""

    dims: tuple[str, ...]
    counts: tuple[int, ...]

    def __iter__(self):
        return product(*map(range, self.counts))

    def key(self, operand: str, keep: int, index: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(i for dim, i in list(zip(self.dims, index, strict=True))[:keep] if dim in DEPENDS[operand])


class Level:
    """What lies in it, and since which outer indices."""

    def __init__(self, keep: int):
        self.keep, self.key, self.held = keep, None, set()

    def ends(self, loops: Loops, operand: str, index: tuple[int, ...]) -> bool:
        key, before = loops.key(operand, self.keep, index), self.key
        self.key = key
        return key != before


def loaded(loops: Loops, operand: str, keeps: Iterable[int], part: Callable[[tuple[int, ...]], set]) -> list[int]:
    """Bytes that came into each level, outermost first. part: index -> addresses of what the tile needs."""
    levels = [Level(keep) for keep in keeps]
    moved = [0] * len(levels)
    for index in loops:
        for level in levels:
            if level.ends(loops, operand, index):
                level.held = set()
        needed = part(index)
        for number in reversed(range(len(levels))):
            needed = needed - levels[number].held
            moved[number] += len(needed)
            levels[number].held |= needed
    return moved


@dataclass(frozen=True)
class Sums:
    """Bytes across the outer side of each level, outermost first: sums spilled and read back, outputs."""

    spilled: list[int]
    read_back: list[int]
    finished: list[int]


def summed(
    loops: Loops, keeps: Iterable[int], partial: Callable[[tuple[int, ...]], set], final: Callable[[tuple], set]
) -> Sums:
    """The reduction `k` goes on from tile to tile. partial, final: index -> addresses of the tile's sums, its outputs.

    Sums lie in one level at a time. Those not complete when their time in a level ends go to the next one farther out.
    """
    levels = [Level(keep) for keep in keeps]
    count = len(levels)
    spilled, read_back, finished = [0] * count, [0] * count, [0] * count
    at = loops.dims.index("k")
    outside: set = set()  # in the outermost memory
    for index in loops:
        for number in reversed(range(count)):
            level = levels[number]
            if level.ends(loops, "outputs", index):
                spilled[number] += len(level.held)
                (levels[number - 1].held if number else outside).update(level.held)
                level.held = set()
        own = partial(index)
        needed = own if index[at] else set()
        for number in reversed(range(count)):
            needed = needed - levels[number].held
            read_back[number] += len(needed)
        for level in levels:
            level.held -= own
        if index[at] < loops.counts[at] - 1:
            levels[-1].held |= own
        else:
            finished = [bytes_ + len(final(index)) for bytes_ in finished]
    assert not any(level.held for level in levels), "all sums are complete in the end"
    return Sums(spilled, read_back, finished)
