"""What fits the memories of the lanes of a column machine, and what their pointers can number."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_sim.dataflows.broadcast.columns import Columns
from accel_sim.mapping.buffer import Buffer, cannot_fit
from workloads.layer import Layer
from workloads.registry import InputError

Spans = list[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class LaneRoom:
    """A lane's last pointer numbers all that it has of a tile (its entries, or where they differ in size its bits): no
    tile gives a lane 2^pointer_bits of them.

    columns: weights as the lanes store them; buffers: operand -> its level; pointer_bits: of a column pointer.
    """

    layer: Layer
    columns: Columns
    buffers: dict[str, Buffer]
    pointer_bits: int

    @cached_property
    def _numbered(self) -> np.ndarray:
        """[columns + 1, lanes] int64 entries, or bits, before each column."""
        return before(self.columns.numbered)

    @cached_property
    def _stored(self) -> np.ndarray:
        """[columns + 1, lanes] int64 bits before each column."""
        return before(self.columns.bits)

    @property
    def addressable(self) -> int:
        """The largest pointer."""
        return (1 << self.pointer_bits) - 1

    def _bits(self, operand: str, slot: bool) -> int:
        """Of a lane's share of a level, or of one slot of it."""
        buffer = self.buffers[operand]
        return (buffer.slot_bytes if slot else buffer.bytes) // self.columns.lanes * 8

    def _pointers(self, slot: bool) -> int:
        """Pointers a lane can hold (unbounded where the machine has no pointer memory)."""
        return self._bits("pointers", slot) // self.pointer_bits if "pointers" in self.buffers else 1 << 40

    def _parts(self, groups: Spans, blocks: Spans) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """([parts, lanes] last pointers, bits, pointers) of the tiles of these groups and blocks of k."""
        K, owns = self.layer.K, self.columns.owns
        first = np.array([g * K + a for g, _ in groups for a, _ in blocks])
        last = np.array([(g - 1) * K + b for _, g in groups for _, b in blocks])
        owned = np.add.reduceat(owns, [g for g, _ in groups], axis=0, dtype=np.int64)
        width = np.array([b - a for a, b in blocks])
        pointers = (owned[:, None] * width[:, None] + (owned > 0)[:, None]).reshape(len(first), -1)
        return self._numbered[last] - self._numbered[first], self._stored[last] - self._stored[first], pointers

    def resident(self, groups: Spans, blocks: Spans) -> bool:
        """All parts of the weights lie in the lanes together."""
        _, bits, pointers = self._parts(groups, blocks)
        words = -(-bits // self.columns.word_bits).sum(axis=0)  # each part begins at one
        room = self._bits("weights", False) // self.columns.word_bits
        return bool(words.max() <= room and pointers.sum(axis=0).max() <= self._pointers(False))

    def holds(self, groups: Spans, blocks: Spans) -> bool:
        """Each part fits a slot of the lanes, or all of them lie there together; and pointers reach."""
        numbered, bits, pointers = self._parts(groups, blocks)
        if numbered.max() > self.addressable:
            return False
        slots = bits.max() <= self._bits("weights", True) and pointers.max() <= self._pointers(True)
        return bool(slots or self.resident(groups, blocks))

    def blocks(self) -> Spans:
        """[first, last) of k, the same of each group, so that the columns of any group fit."""
        self._addresses_its_memory()
        layer = self.layer
        together = self._greedy(None, 1 << 40)
        if together is not None and self.resident([(g, g + 1) for g in range(layer.G)], together):
            return together
        pointers = self._pointers(True)
        if pointers < 2:  # a column's slice lies between two pointers
            need = -(-2 * self.pointer_bits // 8) * self.columns.lanes
            raise cannot_fit(layer, "pointers", need, self.buffers["pointers"])
        found = self._greedy(self._bits("weights", True), pointers - 1)
        if found is None:
            need = -(-int(self.columns.bits.max()) // 8)
            raise cannot_fit(layer, "weights", need * self.columns.lanes, self.buffers["weights"])
        return found

    def _greedy(self, bits: int | None, columns: int) -> Spans | None:
        """Blocks as long as pointers, and every lane's bits in each group (None: any), allow; None if a single column
        does not fit."""
        limits = [(self._numbered, self.addressable)] + ([] if bits is None else [(self._stored, bits)])
        K, found, first, look = self.layer.K, [], 0, 64
        starts = np.arange(self.layer.G)[:, None] * K
        while first < K:
            most = min(columns, K - first)
            ahead = min(most, look)
            length = ahead
            for total, limit in limits:
                held = total[starts + first + np.arange(1, length + 1)] - total[starts + first]
                length = int(np.searchsorted(held.max(axis=(0, 2)), limit, side="right"))
            if length == ahead < most:  # perhaps longer than one has looked
                look *= 4
                continue
            if length == 0:
                return None
            found.append((first, first + length))
            first, look = first + length, 2 * length + 1
        return found

    def _addresses_its_memory(self) -> None:
        """InputError if entries would fit a lane that its pointers cannot number."""
        held, room, what = self._of_groups(self._numbered), self._bits("weights", True), "bits"
        fullest = int(held.max())
        if self.columns.encoding.even:
            stored, what = self._of_groups(self._stored), "entries"
            room = room * fullest // max(1, int(stored.max()))
        if fullest > self.addressable and room > self.addressable + 1:
            level = self.buffers["weights"].level
            enough = min(fullest.bit_length(), (room - 1).bit_length())
            raise InputError(
                f"layer '{self.layer.name}': dataflow.pointer_bits={self.pointer_bits} numbers {self.addressable} "
                f"{what} of a lane, which has {fullest} and room for {room} in level '{level}': "
                f"raise it to at least {enough}"
            )

    def _of_groups(self, total: np.ndarray) -> np.ndarray:
        """[groups, lanes] of all columns of a group."""
        K = self.layer.K
        return total[K::K] - total[:-1:K]


def before(each: np.ndarray) -> np.ndarray:
    """[columns, lanes] -> [columns + 1, lanes] int64: the sum of those before each column."""
    found = np.zeros((len(each) + 1, each.shape[1]), np.int64)
    np.cumsum(each, axis=0, out=found[1:])
    return found
