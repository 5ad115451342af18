"""What the lanes of a column machine hold of one tile's weights: slices, pointers, and what a column costs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from accel_sim.dataflows.broadcast.columns import Columns
from accel_sim.dataflows.broadcast.pointers import pointer_cycles
from accel_sim.mapping.buffer import Buffer


@dataclass(frozen=True, eq=False)
class LanePart:
    """Columns k of groups: all k of several groups, or some k of one. Each lane's run begins at a whole word.

    A lane that owns no row of a group has no pointers to its columns; one that owns a row of none is unmapped. A
    column's slice lies between its pointer and the next, so the last pointer holds all that the lane's pointers count.
    pointer_buffer: where pointers lie.
    """

    columns: Columns
    groups: tuple[int, int]
    k: tuple[int, int]
    pointer_bits: int
    pointer_buffer: Buffer

    @property
    def span(self) -> tuple[int, int]:
        """[first, last) of its columns."""
        K = self.columns.layer.K
        return self.groups[0] * K + self.k[0], (self.groups[1] - 1) * K + self.k[1]

    @cached_property
    def _owns(self) -> np.ndarray:
        """[groups, lanes] bool: the lane has a row of the group."""
        return self.columns.owns[slice(*self.groups)]

    @cached_property
    def _mapped(self) -> np.ndarray:
        """[lanes] bool: the lane has a row of some group."""
        return np.any(self._owns, axis=0)

    @cached_property
    def lanes(self) -> int:
        """Lanes with a row."""
        return int(self._mapped.sum())

    @cached_property
    def reach(self) -> int:
        """Lanes up to the last that has a row."""
        return int(np.flatnonzero(self._mapped)[-1]) + 1

    @cached_property
    def entries(self) -> np.ndarray:
        """[columns, lanes with a row] int32 stored entries of each slice, fillers included."""
        return self._of_lanes(self.columns.entries)

    @cached_property
    def _bits(self) -> np.ndarray:
        """[columns, lanes with a row] int64 bits of each slice."""
        return self._of_lanes(self.columns.bits)

    def _of_lanes(self, each: np.ndarray) -> np.ndarray:
        """Of all columns and lanes -> of these columns and the lanes with a row."""
        each = each[slice(*self.span)]
        return each if self._mapped.all() else np.ascontiguousarray(each[:, self._mapped])

    @cached_property
    def last_pointer(self) -> int:
        """The largest: that behind the last slice of the fullest lane."""
        return int(self._of_lanes(self.columns.numbered).sum(axis=0, dtype=np.int64).max())

    @cached_property
    def lane_pointers(self) -> np.ndarray:
        """[lanes with a row] int64 pointers that each holds: one for every column it has rows of, and one behind."""
        return self._owns.sum(axis=0, dtype=np.int64)[self._mapped] * (self.k[1] - self.k[0]) + 1

    @cached_property
    def weight_bytes(self) -> int:
        """Of whole words."""
        word = self.columns.word_bits
        return int(-(-self._bits.sum(axis=0) // word).sum()) * word // 8

    @cached_property
    def pointer_bytes(self) -> int:
        """Of whole bytes a lane."""
        return int(-(-self.lane_pointers * self.pointer_bits // 8).sum())

    @cached_property
    def pointed(self) -> np.ndarray:
        """[columns] int64 lanes that read pointers for a column."""
        return np.repeat(self._owns.sum(axis=1, dtype=np.int64), self.k[1] - self.k[0])

    @cached_property
    def words(self) -> np.ndarray:
        """[columns] memory words that hold the column's slices, over all lanes (a slice starts at any bit)."""
        sizes, word = self._bits, self.columns.word_bits
        end = np.cumsum(sizes, axis=0)
        touched = (end - 1) // word - (end - sizes) // word + 1
        return np.where(sizes > 0, touched, 0).sum(axis=1)

    @cached_property
    def total(self) -> np.ndarray:
        """[columns] int64 entries over all lanes."""
        return self.entries.sum(axis=1, dtype=np.int64)

    @property
    def stored(self) -> np.ndarray:
        """[columns] entries that are weights and not fillers."""
        return self.columns.stored[slice(*self.span)]

    @property
    def effectual(self) -> np.ndarray:
        """[columns] entries whose integer weight is not zero."""
        return self.columns.effectual[slice(*self.span)]

    @cached_property
    def ineffectual(self) -> np.ndarray:
        """[columns] fillers, stored weights that stand for zero, and the one cycle an empty slice takes."""
        return (self.total - self.effectual) + (self.entries == 0).sum(axis=1)

    @cached_property
    def table(self) -> np.ndarray:
        """[columns, lanes with a row] cycles of each slice: its entries, or the reads of its pointers if longer."""
        reads = self._pointer_cycles
        return self.entries if reads is None else np.ascontiguousarray(np.maximum(self.entries, reads))

    @cached_property
    def stalled(self) -> np.ndarray:
        """[columns] slots in which lanes wait for pointers: beyond the entries, and the one cycle of an empty slice."""
        if self._pointer_cycles is None:
            return np.zeros(len(self.entries), np.int64)
        return (self.table - np.maximum(self.entries, 1)).clip(0).sum(axis=1, dtype=np.int64)

    @cached_property
    def _pointer_cycles(self) -> np.ndarray | None:
        """[columns, lanes with a row] cycles in which a lane reads a slice's pointers; None: never more than one."""
        width = self.k[1] - self.k[0]
        cycles = pointer_cycles(int(self.lane_pointers.max()) - 1, self.pointer_bits, self.pointer_buffer)
        if cycles.max() <= 1:
            return None
        owns = self._owns[:, self._mapped]
        before = (np.cumsum(owns, axis=0) - owns) * owns * width  # where the lane's pointers to a group begin
        each = cycles[before[:, None, :] + np.arange(width)[None, :, None]] * owns[:, None, :]
        return each.reshape(-1, owns.shape[1]).astype(np.int32)
