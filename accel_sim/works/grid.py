"""Lanes with queues of their own, fed step by step: a grid whose every entry costs what its operands cost."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from accel_sim.values.causes import Cause, Slots
from accel_sim.values.work import DISPATCH, EFFECTUAL, FILL_DRAIN, IMBALANCE, INEFFECTUAL, OUTPUT, UNMAPPED, Timed
from cython_core import recurrence

#: the kernel's idle terms in its order, behind the first: what makes a step's operands late
_TERMS = (IMBALANCE, DISPATCH, FILL_DRAIN, OUTPUT)


@dataclass(frozen=True)
class Recurrence:
    """Constants of docs/model.md 3. depth, out_depth: 0 = unbounded; out_cycles: cycles an output takes to leave."""

    depth: int = 0
    gap: int = 0
    lat: int = 0
    free: int = 0
    floor: int = 0
    tail: int = 0
    hop: int = 1
    out_depth: int = 0
    out_cycles: int = 0


@dataclass(frozen=True, eq=False)
class GridWork:
    """A data-dependent grid: cost[t, l] = table[rows[t], l].

    table: [rows, mapped lanes] int32 cycles, floor not yet applied; rows: [T] int32; bar: [T] uint8.
    avail: [T] int64 cycles after the last barrier, or empty; late: what makes a step wait for it; link: [lanes]
    int32 or empty. stalled: [rows] slots in which lanes with work wait for their own memory, or empty; stalling: for
    which, and for what.
    effectual, ineffectual: [rows] slots of each row, each by its own rule. unmapped: lanes without work in this tile.
    """

    of_array: ClassVar[bool] = True

    table: np.ndarray
    rows: np.ndarray
    bar: np.ndarray
    effectual: np.ndarray
    ineffectual: np.ndarray
    recurrence: Recurrence
    unmapped: int = 0
    avail: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    late: Cause | None = None
    link: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    stalled: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    stalling: Cause | None = None

    def __post_init__(self) -> None:
        for slots, cause in ((self.avail, self.late), (self.stalled, self.stalling)):
            if slots.size and cause is None:
                raise ValueError("a grid whose steps or lanes can wait must say for what")

    def time(self, lanes: int) -> Timed:
        """By the recurrence of docs/model.md 3, in its cheapest exact form."""
        steps = np.bincount(self.rows, minlength=len(self.table))
        table = np.maximum(self.table, self.recurrence.floor)
        cycles, idle = _recur(self, table)
        tail = self.recurrence.tail if len(self.rows) else 0
        mapped = lanes - self.unmapped
        slots = Slots(dict(zip(_TERMS, idle[1:], strict=True)))
        slots[FILL_DRAIN] += mapped * tail
        slots.update({
            UNMAPPED: self.unmapped * (cycles + tail),
            EFFECTUAL: int(steps @ self.effectual),
            INEFFECTUAL: int(steps @ self.ineffectual),
        })  # fmt: skip
        if self.late is not None and idle[0]:
            slots[self.late] += idle[0]
        if self.stalling is not None and self.stalled.size:
            slots[self.stalling] += int(steps @ self.stalled)
        return Timed(cycles + tail, slots)


def _recur(work: GridWork, table: np.ndarray) -> tuple[int, list[int]]:
    """(cycles, idle slots by term); chooses the cheapest exact form."""
    c = work.recurrence
    plain = work.link.size == 0 and c.out_depth == 0
    unit = table.size > 0 and table.min() == table.max() == 1
    if plain and unit and work.avail.size == 0 and c.gap == 1 and (c.depth == 0 or c.free + c.lat <= c.depth):
        return _unit_grid(work, table.shape[1])
    if plain and _fits_32_bits(work, table):
        return recurrence.broadcast(table, work.rows, work.bar, work.avail, c.depth, c.gap, c.lat, c.free)
    return recurrence.schedule(
        table, work.rows, work.bar, work.avail, work.link,
        c.depth, c.gap, c.lat, c.free, c.hop, c.out_depth, c.out_cycles,
    )  # fmt: skip


def _unit_grid(work: GridWork, lanes: int) -> tuple[int, list[int]]:
    """Closed form where every entry is one cycle and no queue ever fills: a tile or barrier costs ``lat`` more."""
    T, lat = len(work.rows), work.recurrence.lat
    if T == 0:
        return 0, [0] * (1 + len(_TERMS))
    barriers = int(work.bar[1:].sum())
    return T + lat * (1 + barriers), [0, lat * barriers * lanes, lat * lanes, 0, 0]


def _fits_32_bits(work: GridWork, table: np.ndarray) -> bool:
    """True if no time between two barriers, summed over the lanes, can reach 2^31."""
    T, lanes = len(work.rows), max(1, table.shape[1])
    starts = np.flatnonzero(work.bar)
    longest = int(np.diff(np.concatenate(([0], starts, [T]))).max()) if T else 0
    late = int(work.avail.max()) if work.avail.size else 0
    c = work.recurrence
    step = (int(table.max()) if table.size else 0) + c.gap + c.free + c.lat  # a full queue adds the latency each time
    return (longest * step + late) * lanes < 1 << 31
