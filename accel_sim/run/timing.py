"""Tile -> exact array cycles and lane-slot states (docs/model.md 3 and 4)."""

from dataclasses import dataclass

import numpy as np

from accel_sim.values.causes import Cause, Slots
from accel_sim.values.tile import ColumnWork, FoldWork, GridWork, PostWork, Tile, Work
from cython_core import recurrence, serial

UNMAPPED, EFFECTUAL, INEFFECTUAL = Cause("unmapped"), Cause("effectual"), Cause("ineffectual")
IMBALANCE, DISPATCH, FILL_DRAIN = Cause("imbalance"), Cause("dispatch"), Cause("fill_drain")
#: the kernel's idle terms in its order, behind the first: what makes a step's operands late
_TERMS = (IMBALANCE, DISPATCH, FILL_DRAIN, Cause("output"))


@dataclass(frozen=True)
class Timed:
    """cycles of the array; causes: lane-slots, their sum = lanes * cycles; stalled: cycles of them in which
    whole folds wait for a level or a network, or are begun again because a buffer is too small for their stream."""

    cycles: int
    causes: Slots
    stalled: int = 0

    @property
    def slots(self) -> dict[str, int]:
        """State -> lane-slots, whatever the level and operand."""
        return self.causes.by_name


def time(tile: Tile, lanes: int) -> Timed:
    """lanes: of the array. Raises AssertionError if the states do not add up (a bug of ours)."""
    timed = _timed(tile.work, lanes)
    assert sum(timed.causes.values()) == lanes * timed.cycles, f"lane-slots do not add up: {timed}"
    return timed


def _timed(work: Work, lanes: int) -> Timed:
    match work:
        case GridWork():
            return _grid(work, lanes)
        case FoldWork():
            return _folds(work)
        case ColumnWork():
            return _columns(work)
        case PostWork():
            return Timed(0, Slots())


def _folds(work: FoldWork) -> Timed:
    stalled = sum(cycles for cycles, _ in work.stalls.values())
    slots = Slots({
        UNMAPPED: sum(cycles * work.lanes - mapped for cycles, mapped in work.stalls.values()),
        EFFECTUAL: work.effectual,
        INEFFECTUAL: work.ineffectual,
    })  # fmt: skip
    took = stalled
    for folds, load, skew, mapped in work.passes:
        each = load + work.stream + skew
        took += folds * each
        slots[UNMAPPED] += (folds * work.lanes - mapped) * each
        slots[FILL_DRAIN] += mapped * skew
        if load and work.loading is not None:
            slots[work.loading] += mapped * load
    for cause, (_, mapped) in work.stalls.items():
        slots[cause] += mapped
    return Timed(took, slots, stalled + work.again)


def _grid(work: GridWork, lanes: int) -> Timed:
    steps = np.bincount(work.rows, minlength=len(work.table))
    table = np.maximum(work.table, work.recurrence.floor)
    cycles, idle = _recur(work, table)
    tail = work.recurrence.tail if len(work.rows) else 0
    mapped = lanes - work.unmapped
    slots = Slots(dict(zip(_TERMS, idle[1:], strict=True)))
    slots[FILL_DRAIN] += mapped * tail
    slots.update({
        UNMAPPED: work.unmapped * (cycles + tail),
        EFFECTUAL: int(steps @ work.effectual),
        INEFFECTUAL: int(steps @ work.ineffectual),
    })  # fmt: skip
    if work.late is not None and idle[0]:
        slots[work.late] += idle[0]
    if work.stalling is not None and work.stalled.size:
        slots[work.stalling] += int(steps @ work.stalled)
    return Timed(cycles + tail, slots)


def _columns(work: ColumnWork) -> Timed:
    if work.staggered.size:
        cost = np.ascontiguousarray(work.cost[work.rows, 0])
        cycles, busy, waiting, unmapped = serial.staggered(cost, work.staggered, work.height, work.columns, work.high)
        cause = DISPATCH
    else:
        cycles, busy, waiting, unmapped = serial.columns(
            work.cost, work.rows, work.mapped, work.height, work.high, work.depth
        )
        cause = IMBALANCE
    effectual = busy * work.effectual // max(1, work.places)
    slots = {UNMAPPED: unmapped, EFFECTUAL: effectual, INEFFECTUAL: busy - effectual, cause: waiting}
    return Timed(cycles, Slots(slots))


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
