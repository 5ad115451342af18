"""The one value all stages meet in: a piece of a layer between two buffer swaps (docs/model.md 3)."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from accel_sim.values.actions import Actions
from accel_sim.values.causes import Cause


class Extent(NamedTuple):
    """count runs of ``bytes`` each, ``stride`` bytes apart, from byte ``address`` on."""

    address: int
    bytes: int
    count: int = 1  # type: ignore[assignment]  # hides tuple.count, which means nothing here
    stride: int = 0


@dataclass(frozen=True)
class Stream:
    """tensor: inputs, weights, pointers, outputs or partial_sums; operand: the buffer it lies in; level from, to.

    epoch: streams of one epoch stay in their target level together. values: codes that a decoder makes of it (or the
    post-processing unit makes it of), of ``values_bits`` each; 0 = what arrives is what was sent. plain: bytes on chip
    of a map that lies encoded in the outermost memory, where extents are those of its blocks; 0 = no such map.
    """

    tensor: str
    operand: str
    is_write: bool
    extents: tuple[Extent, ...]
    source: str
    target: str
    epoch: int = 0
    values: int = 0
    values_bits: int = 0
    plain: int = 0

    @property
    def bytes(self) -> int:
        """Sum over its extents."""
        return sum(extent.bytes * extent.count for extent in self.extents)

    @property
    def source_bytes(self) -> int:
        """What is sent, before an encoder if there is one."""
        return self.plain if self.plain and self.is_write else self.bytes

    @property
    def target_bytes(self) -> int:
        """What arrives, behind a decoder if there is one."""
        if self.plain:
            return self.bytes if self.is_write else self.plain
        return -(-self.values * self.values_bits // 8) if self.values else self.bytes


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


class Passes(NamedTuple):
    """So many folds of load and skew cycles each; mapped: lanes with work, summed over them."""

    folds: int
    load: int
    skew: int
    mapped: int


@dataclass(frozen=True)
class FoldWork:
    """Passes of a uniform grid over a 2-D array, in closed form.

    passes: equal ones together; stream: cycles of each beside its load and skew.
    effectual, ineffectual: slots, counted each by its own rule; lanes: of the whole array. loading: what a load waits
    for. stalls: cause -> (cycles that all folds together last longer for a level or network that cannot feed them,
    slots of mapped lanes in them).
    again: cycles of loads and skews beyond one a fold, because buffers too small for its stream have cut it.
    """

    passes: tuple[Passes, ...]
    stream: int
    lanes: int
    effectual: int
    ineffectual: int
    loading: Cause | None = None
    stalls: dict[Cause, tuple[int, int]] = field(default_factory=dict)
    again: int = 0

    def __post_init__(self) -> None:
        if self.loading is None and any(each.load for each in self.passes):
            raise ValueError("folds that are loaded must say from where")


@dataclass(frozen=True, eq=False)
class ColumnWork:
    """Steps of columns of ``high`` lanes that move together; a column reads a brick of operands in a step.

    cost: [rows, columns] int32 cycles of data-dependent steps; step t costs cost[rows[t]] in its first mapped[t]
    columns, height[t] lanes of which have work. rows, mapped, height: [T] int32. depth: as in ``serial.columns``.
    staggered: [T] int32 the one column that does step t, with costs in column 0 of ``cost``, or empty: all do.
    effectual, places: products with two non-zero operands, and all multiplier places, of the steps: their share of the
    busy slots is effectual.
    """

    cost: np.ndarray
    rows: np.ndarray
    mapped: np.ndarray
    height: np.ndarray
    columns: int
    high: int
    depth: int
    effectual: int
    places: int
    staggered: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))


class Field(NamedTuple):
    """A field of the hardware, ``bits`` wide and unsigned, and the largest value that a tile puts into it."""

    name: str
    bits: int
    largest: int


@dataclass(frozen=True)
class PostWork:
    """A tile of a layer without MACs: nothing for the array; its time is that of the post-processing unit."""


#: what the array does of a tile
Work = GridWork | FoldWork | ColumnWork | PostWork


@dataclass(frozen=True, eq=False)
class Tile:
    """work: what the array does; streams: what moves; actions: counts beside those of the streams.

    outputs: elements that leave for the post-processing unit; correction_ops: operations it spends on their zero
    points; post_ops: all it spends on the tile, where they are not those of its outputs. macs_effectual: products of
    two non-zero operands; None = one for each effectual slot. products: what a checked run needs to issue the tile's
    products (the dataflow's own record). fields: counts and addresses in the stored data; none may hold a value that
    it is too narrow for.
    """

    work: Work
    streams: tuple[Stream, ...]
    actions: Actions
    outputs: int = 0
    products: object = None
    correction_ops: int = 0
    macs_effectual: int | None = None
    post_ops: int | None = None
    fields: tuple[Field, ...] = ()

    def __post_init__(self) -> None:
        for name, bits, largest in self.fields:
            assert 0 <= largest < 1 << bits, f"{name}={bits} cannot hold {largest}"
