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
    """A lane's last pointer is the number of its entries in a tile: no tile gives a lane 2^pointer_bits of them.

    columns: weights as the lanes store them; buffers: operand -> its level; pointer_bits: of a column pointer.
    """

    layer: Layer
    columns: Columns
    buffers: dict[str, Buffer]
    pointer_bits: int

    @cached_property
    def _before(self) -> np.ndarray:
        """[columns + 1, lanes] int64 entries before each column."""
        entries = self.columns.entries
        found = np.zeros((len(entries) + 1, entries.shape[1]), np.int64)
        np.cumsum(entries, axis=0, out=found[1:])
        return found

    @property
    def addressable(self) -> int:
        """Most entries of a lane in a tile."""
        return (1 << self.pointer_bits) - 1

    def _bits(self, operand: str, slot: bool) -> int:
        """Of a lane's share of a level, or of one slot of it."""
        buffer = self.buffers[operand]
        return (buffer.slot_bytes if slot else buffer.bytes) // self.columns.lanes * 8

    def _entries(self, slot: bool) -> int:
        return self._bits("weights", slot) // self.columns.entry_bits

    def _pointers(self, slot: bool) -> int:
        """Pointers a lane can hold (unbounded where the machine has no pointer memory)."""
        return self._bits("pointers", slot) // self.pointer_bits if "pointers" in self.buffers else 1 << 40

    def _parts(self, groups: Spans, blocks: Spans) -> tuple[np.ndarray, np.ndarray]:
        """([parts, lanes] entries, pointers) of the tiles of these groups and blocks of k."""
        K, owns = self.layer.K, self.columns.owns
        first = np.array([g * K + a for g, _ in groups for a, _ in blocks])
        last = np.array([(g - 1) * K + b for _, g in groups for _, b in blocks])
        owned = np.add.reduceat(owns, [g for g, _ in groups], axis=0, dtype=np.int64)
        width = np.array([b - a for a, b in blocks])
        pointers = (owned[:, None] * width[:, None] + (owned > 0)[:, None]).reshape(len(first), -1)
        return self._before[last] - self._before[first], pointers

    def resident(self, groups: Spans, blocks: Spans) -> bool:
        """All parts of the weights lie in the lanes together."""
        entries, pointers = self._parts(groups, blocks)
        words = -(-entries * self.columns.entry_bits // self.columns.word_bits).sum(axis=0)  # each part begins at one
        room = self._bits("weights", False) // self.columns.word_bits
        return bool(words.max() <= room and pointers.sum(axis=0).max() <= self._pointers(False))

    def holds(self, groups: Spans, blocks: Spans) -> bool:
        """Each part fits a slot of the lanes, or all of them lie there together; and pointers reach."""
        entries, pointers = self._parts(groups, blocks)
        most = int(entries.max())
        if most > self.addressable:
            return False
        slots = most <= self._entries(True) and pointers.max() <= self._pointers(True)
        return bool(slots or self.resident(groups, blocks))

    def blocks(self) -> Spans:
        """[first, last) of k, the same of each group, so that the columns of any group fit."""
        self._addresses_its_memory()
        layer = self.layer
        together = self._greedy(self.addressable, 1 << 40)
        if together is not None and self.resident([(g, g + 1) for g in range(layer.G)], together):
            return together
        pointers = self._pointers(True)
        if pointers < 2:  # a column's slice lies between two pointers
            need = -(-2 * self.pointer_bits // 8) * self.columns.lanes
            raise cannot_fit(layer, "pointers", need, self.buffers["pointers"])
        found = self._greedy(min(self._entries(True), self.addressable), pointers - 1)
        if found is None:
            need = -(-int(self.columns.entries.max()) * self.columns.entry_bits // 8)
            raise cannot_fit(layer, "weights", need * self.columns.lanes, self.buffers["weights"])
        return found

    def _greedy(self, entries: int, columns: int) -> Spans | None:
        """Blocks as long as every lane's entries in each group allow; None if a single column does not fit."""
        K, found, first, look = self.layer.K, [], 0, 64
        starts = np.arange(self.layer.G)[:, None] * K
        while first < K:
            most = min(columns, K - first)
            ahead = min(most, look)
            held = self._before[starts + first + np.arange(1, ahead + 1)] - self._before[starts + first]
            length = int(np.searchsorted(held.max(axis=(0, 2)), entries, side="right"))
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
        held, K = self._entries(True), self.layer.K
        fullest = int((self._before[K::K] - self._before[:-1:K]).max())  # of the columns of a group
        if fullest > self.addressable and held > self.addressable + 1:
            level = self.buffers["weights"].level
            enough = min(fullest.bit_length(), (held - 1).bit_length())
            raise InputError(
                f"layer '{self.layer.name}': dataflow.pointer_bits={self.pointer_bits} numbers {self.addressable} "
                f"entries of a lane, which has {fullest} and room for {held} in level '{level}': "
                f"raise it to at least {enough}"
            )
