"""Which bytes move between which levels at which tile of a loop nest.

A level keeps what lies below ``keep`` loops of the nest; a piece of it (one tile's part) is fetched when it is first
used, and never again while it is kept. Where a piece is missing it is fetched from the next level farther out, which
may have kept it. Sums that are not complete when a level gives up their place are spilled and read back.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from accel_sim.mapping.buffer import Buffer
from accel_sim.mapping.nest import RELEVANT, Nest
from accel_sim.values import regions
from accel_sim.values.tile import Extent, Stream


@dataclass
class _Held:
    """What one level holds of one operand: its lifetime, the lifetimes so far, the pieces and bytes in it."""

    key: tuple | None = None
    epoch: int = -1
    pieces: set = field(default_factory=set)
    bytes: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int64))


class Staging:
    """Follows one nest, tile by tile in order."""

    def __init__(self, nest: Nest, buffers: dict[str, Buffer], origin: str, encoded: tuple[str, ...] = ()):
        """origin: the outermost memory; encoded: operands that lie there as an encoded stream."""
        self.nest, self.buffers, self.origin, self.encoded = nest, buffers, origin, encoded
        self._held = {
            operand: [_Held() for _ in buffer.path] for operand, buffer in buffers.items() if operand in nest.keeps
        }

    def load(
        self, operand: str, tensor: str, index: tuple[int, ...], extents: Callable[[bool], tuple[Extent, ...]],
        *, overlap: bool = False, values: int = 0, values_bits: int = 0,
    ) -> list[Stream]:  # fmt: skip
        """What has to move, level by level, so that the tile's part of the operand lies in its innermost level.

        extents: of this part, encoded or plain. overlap: parts of different tiles may share bytes, which are moved
        once as long as they are kept. values, values_bits: codes that a decoder makes of an encoded part.
        """
        path, streams = self.buffers[operand].path, []
        needed: dict[bool, tuple[Extent, ...]] = {}
        piece = self.nest.lifetime(operand, self.nest.depth, index)
        for number in reversed(range(len(path))):
            held, keep = self._held[operand][number], self.nest.keeps[operand][number]
            self._enter(held, operand, keep, index)
            if piece in held.pieces:
                break
            encoded = operand in self.encoded and (path[number - 1].compressed if number else True)
            wanted = needed[encoded] if encoded in needed else extents(encoded)
            held.pieces.add(piece)
            if overlap and self._many_pieces(operand, keep):
                spans = regions.intervals(wanted)
                fresh = regions.subtract(spans, held.bytes)
                held.bytes = regions.union(held.bytes, spans)
                if len(fresh) < len(spans) or not np.array_equal(fresh, spans):
                    wanted = regions.extents(fresh)
            needed[encoded] = wanted
            if not wanted:
                break
            source = path[number - 1].level if number else self.origin
            made = values if encoded and not path[number].compressed else 0
            streams.append(
                Stream(tensor, operand, False, wanted, source, path[number].level, held.epoch, made, values_bits)
            )
        return streams[::-1]

    def _many_pieces(self, operand: str, keep: int) -> bool:
        """More than one tile's part can lie in the level together."""
        return any(loop.count > 1 for loop in self.nest.loops[keep:] if loop.dim in RELEVANT[operand])

    def _enter(self, held: _Held, operand: str, keep: int, index: tuple[int, ...]) -> None:
        key = self.nest.lifetime(operand, keep, index)
        if key != held.key:
            held.key, held.epoch, held.pieces, held.bytes = key, held.epoch + 1, set(), np.zeros((0, 2), np.int64)

    def sums(
        self, index: tuple[int, ...], outputs: Callable[[], tuple[Extent, ...]],
        partial: Callable[[], tuple[Extent, ...]], *, loaded: bool = False,
    ) -> list[Stream]:  # fmt: skip
        """Sums read back before the tile, and what leaves after it: outputs, or sums whose place is needed.

        loaded: sums do not begin at zero but at what lies in the outermost memory.
        """
        nest, path = self.nest, self.buffers["outputs"].path
        keeps = nest.keeps["outputs"]
        reductions = [i for i, loop in enumerate(nest.loops) if loop.dim not in RELEVANT["outputs"]]
        number_of_tile = 0
        for i, loop in zip(index, nest.loops, strict=True):
            number_of_tile = number_of_tile * loop.count + i
        begun = any(index[i] for i in reductions)
        complete = all(index[i] == nest.loops[i].count - 1 for i in reductions)
        reads, writes = [], []
        for number in reversed(range(len(path))):  # from the innermost level outwards
            inside = [i for i in reductions if i >= keeps[number]]
            if begun and any(index[i] for i in inside):
                break  # still here since an earlier tile
            if begun or loaded:
                source = path[number - 1].level if number else self.origin
                reads.append(
                    Stream("partial_sums", "outputs", False, partial(), source, path[number].level, number_of_tile)
                )
        for number in reversed(range(len(path))):
            inside = [i for i in reductions if i >= keeps[number]]
            if not complete and any(index[i] < nest.loops[i].count - 1 for i in inside):
                break  # stays for a later tile
            target = path[number - 1].level if number else self.origin
            tensor, extents = ("outputs", outputs()) if complete else ("partial_sums", partial())
            epoch = nest.lifetime_number("outputs", keeps[number], index)
            writes.append(Stream(tensor, "outputs", True, extents, path[number].level, target, epoch))
        return reads[::-1] + [stream for stream in writes if stream.extents]
