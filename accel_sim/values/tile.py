"""The one value all stages meet in: a piece of a layer between two buffer swaps (docs/model.md 3)."""

from dataclasses import dataclass
from typing import NamedTuple

from accel_sim.values.actions import Actions
from accel_sim.values.work import Work


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


class Field(NamedTuple):
    """A field of the hardware, ``bits`` wide and unsigned, and the largest value that a tile puts into it."""

    name: str
    bits: int
    largest: int


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
