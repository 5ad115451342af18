"""Tile -> exact array cycles and lane-slot states (MODEL 3 and 4)."""

from dataclasses import dataclass

import numpy as np

from accel_sim.tile import ColumnWork, FoldWork, GridWork, PostWork, Tile
from cython_core import recurrence, serial

#: every state a lane-slot can be in, in order of precedence
CAUSES = (
    "unmapped", "effectual", "ineffectual", "decode", "sram", "noc", "imbalance", "dispatch", "fill_drain", "output",
    "dram_read", "dram_write", "reconfigure", "post", "dependency",
)  # fmt: skip
#: the kernel's idle terms in its order
_TERMS = ("decode", "imbalance", "dispatch", "fill_drain", "output")


@dataclass(frozen=True)
class Timed:
    """cycles of the array; slots: state -> lane-slots, their sum = lanes * cycles; stalled: cycles of them in which
    whole folds wait for a level or a network, or are begun again because a buffer is too small for their stream."""

    cycles: int
    slots: dict[str, int]
    stalled: int = 0


def time(tile: Tile, lanes: int) -> Timed:
    """lanes: of the array. Raises AssertionError if the states do not add up (a bug of ours)."""
    timed = _TIMERS[type(tile.work)](tile.work, lanes)
    assert sum(timed.slots.values()) == lanes * timed.cycles, f"lane-slots do not add up: {timed}"
    return timed


def _post(work: PostWork, lanes: int) -> Timed:
    return Timed(0, {})


def _folds(work: FoldWork, lanes: int) -> Timed:
    stalled = sum(cycles for cycles, _ in work.stalls.values())
    slots = {
        "unmapped": sum(cycles * work.lanes - mapped for cycles, mapped in work.stalls.values()),
        "effectual": work.effectual,
        "ineffectual": work.ineffectual,
        "sram": 0,
        "fill_drain": 0,
    }
    took = stalled
    for folds, load, skew, mapped in work.passes:
        each = load + work.stream + skew
        took += folds * each
        slots["unmapped"] += (folds * work.lanes - mapped) * each
        slots["sram"] += mapped * load
        slots["fill_drain"] += mapped * skew
    for cause, (_, mapped) in work.stalls.items():
        slots[cause] = slots.get(cause, 0) + mapped
    return Timed(took, slots, stalled + work.again)


def _grid(work: GridWork, lanes: int) -> Timed:
    steps = np.bincount(work.rows, minlength=len(work.table))
    table = np.maximum(work.table, work.recurrence.floor)
    cycles, idle = _recur(work, table)
    tail = work.recurrence.tail if len(work.rows) else 0
    mapped = lanes - work.unmapped
    slots = dict(zip((work.avail_cause, *_TERMS[1:]), idle, strict=True))
    slots["fill_drain"] += mapped * tail
    slots |= {
        "unmapped": work.unmapped * (cycles + tail),
        "effectual": int(steps @ work.effectual),
        "ineffectual": int(steps @ work.ineffectual),
    }
    if work.stalled.size:
        slots["sram"] = slots.get("sram", 0) + int(steps @ work.stalled)
    return Timed(cycles + tail, slots)


def _columns(work: ColumnWork, lanes: int) -> Timed:
    if work.staggered.size:
        cost = np.ascontiguousarray(work.cost[work.rows, 0])
        cycles, busy, waiting, unmapped = serial.staggered(cost, work.staggered, work.height, work.columns, work.high)
        cause = "dispatch"
    else:
        cycles, busy, waiting, unmapped = serial.columns(
            work.cost, work.rows, work.mapped, work.height, work.high, work.depth
        )
        cause = "imbalance"
    effectual = busy * work.effectual // max(1, work.places)
    slots = {"unmapped": unmapped, "effectual": effectual, "ineffectual": busy - effectual, cause: waiting}
    return Timed(cycles, slots)


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
        return 0, [0] * len(_TERMS)
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


_TIMERS = {GridWork: _grid, FoldWork: _folds, ColumnWork: _columns, PostWork: _post}
