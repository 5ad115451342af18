"""Where the values of a tensor lie in memory: value behind value, so that only the last byte of all may be part empty.

Tiles begin and end inside bytes. A tile that reads takes every byte it touches. Of what is written each byte is written
once, by the tile that has its last value (the others hand their bits on to it), however a map is cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from accel_sim.values import regions
from accel_sim.values.tile import Extent
from workloads.window import Whole

#: bytes over codes, beyond which a note tells what the rest is
PADDED = 1.05


@dataclass(frozen=True)
class StoredMap:
    """bit: address of the first value, in bits; bits: of a value; end: address behind the last value of what it is
    stored in (of the joined map, if it is a part of one), in bits."""

    bit: int
    bits: int
    end: int

    @staticmethod
    def at(address: int, bits: int, values: int) -> "StoredMap":
        """So many values of ``bits`` from byte ``address`` on."""
        return StoredMap(8 * address, bits, 8 * address + values * bits)

    @property
    def address(self) -> int:
        """Byte in which it begins."""
        return self.bit // 8

    def read(self, first: int, values: int, count: int = 1, stride: int = 0) -> tuple[Extent, ...]:
        """Bytes touched by ``count`` runs of ``values``, ``stride`` values apart, from value number ``first`` on."""
        return self._extents(first, values, count, stride, 7)

    def written(self, first: int, values: int, count: int = 1, stride: int = 0) -> tuple[Extent, ...]:
        """As ``read``: bytes whose last value lies in the runs."""
        return self._extents(first, values, count, stride, 0)

    def _extents(self, first: int, values: int, count: int, stride: int, up: int) -> tuple[Extent, ...]:
        """up: 7 rounds the end of a run up to whole bytes, 0 down (but for the end of all)."""
        if stride == values:
            values, count, stride = values * count, 1, 0
        begin, apart, length = self.bit + first * self.bits, stride * self.bits, values * self.bits
        phases = min(count, 8 // gcd(apart, 8))  # runs that begin at the same bit of a byte lie equally far apart
        found = []
        for phase in range(phases):
            low = begin + phase * apart
            size = (low + length + up) // 8 - low // 8
            found.append(Extent(low // 8, size, -(-(count - phase) // phases), phases * apart // 8))
        last = begin + (count - 1) * apart + length
        if not up and last == self.end and last % 8:
            found.append(Extent(last // 8, 1))
        return tuple(extent for extent in found if extent.bytes)

    def once(self, extents: list[Extent]) -> tuple[Extent, ...]:
        """Extents that were read, bytes that several of them touch once."""
        return tuple(extents) if self.bits % 8 == 0 else regions.extents(regions.intervals(tuple(extents)))


def packed_bytes(values: Whole, bits: int) -> Whole:
    """Whole bytes that so many values take."""
    return -(-values * bits // 8)


def padding_note(what: str, stored_bytes: int, code_bits: int, why: str) -> Iterator[str]:
    """A sentence where something takes more than PADDED times its codes. why: where bytes are left part empty."""
    if 8 * stored_bytes > PADDED * code_bits:
        yield f"{what} {stored_bytes:,} bytes for {code_bits / 8:,.12g} bytes of codes: {why} ends with a whole byte"
