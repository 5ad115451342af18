"""A loop nest around the array: the tiles of a layer, in order, and how long each operand's data stays in a level."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from accel_sim.mapping.buffer import Buffer

#: the dimensions a mapping may cut; k = channels of a group x taps, in the order of the weights
DIMENSIONS = ("groups", "pixels", "filters", "k")
#: kernel positions, cut inside a k of one block of channels where a fold takes one of them; its loop is directly inside
#: that of k, and left out where nothing cuts it
TAPS = "taps"
#: operand -> the dimensions it depends on; channels: of a layer without MACs
RELEVANT = {
    "inputs": frozenset({"groups", "pixels", "k", "channels"}),
    "weights": frozenset({"groups", "filters", "k", TAPS}),
    "pointers": frozenset({"groups", "filters", "k"}),
    "outputs": frozenset({"groups", "pixels", "filters", "channels"}),
}


@dataclass(frozen=True)
class Loop:
    """One temporal loop: ``dim`` of ``size`` elements in tiles of ``tile``, the last one smaller."""

    dim: str
    size: int
    tile: int

    @property
    def count(self) -> int:
        """Turns of the loop."""
        return -(-self.size // self.tile)

    def span(self, index: int) -> tuple[int, int]:
        """Elements [first, last) of a tile."""
        return index * self.tile, min((index + 1) * self.tile, self.size)


@dataclass(frozen=True)
class Nest:
    """loops: outermost first. keeps: operand -> per level of its path (outermost first) the loops outside what stays
    there: 0 = all of the operand that the layer uses, len(loops) = one tile's part."""

    loops: tuple[Loop, ...]
    keeps: dict[str, tuple[int, ...]]

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        """Index of every tile, in order."""
        return product(*(range(loop.count) for loop in self.loops))

    def __len__(self) -> int:
        count = 1
        for loop in self.loops:
            count *= loop.count
        return count

    @cached_property
    def depth(self) -> int:
        """Number of its loops."""
        return len(self.loops)

    def spans(self, index: tuple[int, ...]) -> dict[str, tuple[int, int]]:
        """dim -> elements [first, last) of a tile."""
        return {loop.dim: loop.span(i) for loop, i in zip(self.loops, index, strict=True)}

    def place(self, dim: str) -> int:
        """Position of a dim's loop, the outermost is 0."""
        return next(i for i, loop in enumerate(self.loops) if loop.dim == dim)

    def loop(self, dim: str) -> Loop | None:
        """A dim's loop; None for taps that nothing cuts."""
        return next((loop for loop in self.loops if loop.dim == dim), None)

    def lifetime(self, operand: str, keep: int, index: tuple[int, ...]) -> tuple[int, ...]:
        """What of the operand lies in a level that keeps it below ``keep`` loops, while tile ``index`` is worked on."""
        relevant = RELEVANT[operand]
        return tuple(i for loop, i in zip(self.loops[:keep], index[:keep], strict=True) if loop.dim in relevant)

    def lifetime_number(self, operand: str, keep: int, index: tuple[int, ...]) -> int:
        """A number that lifetimes of one level share only if they are the same."""
        number = 0
        for loop, i in zip(self.loops[:keep], index[:keep], strict=True):
            number = number * loop.count + i if loop.dim in RELEVANT[operand] else number
        return number


def keep_depths(path: Iterable[Buffer], rooms: Sequence[int], changing: Sequence[bool]) -> tuple[int, ...]:
    """Per level the outermost depth at which it can keep an operand; the innermost where it can keep nothing.

    rooms: depth -> bytes that lie together; changing: depth -> they are replaced by others, so every slot needs room.
    """
    return tuple(
        next(
            (d for d, room in enumerate(rooms) if room * (buffer.slots if changing[d] else 1) <= buffer.bytes),
            len(rooms) - 1,
        )
        for buffer in path
    )


def render(nest: Nest, levels: dict[str, tuple[str, ...]], inside: str) -> str:
    """The nest as text: a line per loop, and where each level's part of an operand is fetched.

    levels: operand -> names of its levels, outermost first; inside: what the array does with a tile.
    """
    lines = []

    def fetched(depth: int) -> list[str]:
        return [
            f"{operand} in {level}"
            for operand, names in levels.items()
            for level, keep in zip(names, nest.keeps.get(operand, ()), strict=False)
            if keep == depth
        ]

    for depth, loop in enumerate(nest.loops):
        if held := fetched(depth):
            lines.append("  " * depth + f"# kept here: {', '.join(held)}")
        if loop.dim == TAPS:
            channels = nest.loops[nest.place("k")].tile // loop.size
            lines.append("  " * depth + f"# a tile: {loop.tile} of {loop.size} taps of {channels} channels")
        tiles = f"{loop.count} x {loop.tile}" if loop.count > 1 else f"all {loop.size}"
        rest = f", last {loop.size - (loop.count - 1) * loop.tile}" if loop.size % loop.tile and loop.count > 1 else ""
        lines.append("  " * depth + f"for {loop.dim} in {tiles}{rest}:")
    if held := fetched(nest.depth):
        lines.append("  " * nest.depth + f"# kept here: {', '.join(held)}")
    return "\n".join([*lines, "  " * nest.depth + inside])
