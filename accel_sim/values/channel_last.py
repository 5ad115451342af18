"""Maps whose channels lie last: the codes of a pixel one behind the other, each pixel in whole bytes.

What is joined along channels lies side by side in every pixel of the joined map, so that a part of one is strided. A
reader that sees a map in another shape (a fully connected layer) counts its elements in the order in which they lie.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from accel_sim.values.map_layout import StoredMap, packed_bytes
from accel_sim.values.tile import Extent

Span = tuple[int, int]


@dataclass(frozen=True)
class PixelMap(StoredMap):
    """A StoredMap (bit, bits, end) of pixels. channels: of a pixel; pixel: bits from one to the next, a multiple of 8;
    codes: bits of a pixel before its padding, those of all parts if it is joined; origin: bit where that begins."""

    channels: int
    pixel: int
    codes: int
    origin: int

    @staticmethod
    def of(address: int, bits: int, pixels: int, channels: int) -> "PixelMap":
        """So many pixels from byte ``address`` on."""
        pixel = 8 * packed_bytes(channels, bits)
        return PixelMap(8 * address, bits, 8 * address + pixels * pixel, channels, pixel, channels * bits, 8 * address)

    def part(self, first: int, channels: int) -> "PixelMap":
        """Channels from number ``first`` on, as a map of their own."""
        return replace(self, bit=self.bit + first * self.bits, channels=channels)

    def _extents(self, first: int, values: int, count: int, stride: int, up: int) -> tuple[Extent, ...]:
        """Of runs of values numbered pixel by pixel; up: 7 rounds the end of a run up to whole bytes, 0 down unless
        the pixel ends there."""
        if stride == values:
            values, count, stride = values * count, 1, 0
        place = first % self.channels
        if stride % self.channels == 0 and place + values <= self.channels:  # the same part of every pixel
            return self._same(first // self.channels, (place, place + values), count, stride // self.channels, up)
        found: list[Extent] = []
        for low in range(first, first + count * stride, stride) if stride else (first,):
            found += self._run(low, low + values, up)
        return tuple(found)

    def _run(self, low: int, high: int, up: int) -> Iterator[Extent]:
        """Values [low, high): the end of a pixel, whole pixels, the beginning of one."""
        C = self.channels
        head = min(high, -(-low // C) * C)
        if head > low:
            yield from self._same(low // C, (low % C, low % C + head - low), 1, 0, up)
        whole = (high - head) // C
        if whole > 0:
            yield from self._same(head // C, (0, C), whole, 1, up)
        if high > head + whole * C:
            yield from self._same(head // C + whole, (0, high - head - whole * C), 1, 0, up)

    def _same(self, pixel: int, channels: Span, count: int, apart: int, up: int) -> tuple[Extent, ...]:
        """The same channels of ``count`` pixels, ``apart`` pixels apart, from one on."""
        low, high = (self.bit + pixel * self.pixel + edge * self.bits for edge in channels)
        ends = (high - self.origin) % self.pixel in (0, self.codes)
        begin, end = low // 8, (high + (7 if up or ends else 0)) // 8
        if end == begin:
            return ()
        if apart == 1 and 8 * (end - begin) == self.pixel:
            return (Extent(begin, (end - begin) * count),)
        return (Extent(begin, end - begin, count, apart * self.pixel // 8),)

    def box(
        self, shape: tuple[int, int, int], n: int, rows: Span, columns: Span, channels: Span
    ) -> tuple[Extent, ...]:
        """Bytes touched by a box of item n; shape: (channels, rows, columns) of the map as its reader has it."""
        C, H, W = shape
        width, count = columns[1] - columns[0], channels[1] - channels[0]
        if width == W:  # rows one behind the other
            return self.read(((n * H + rows[0]) * W) * C + channels[0], count, (rows[1] - rows[0]) * W, C)
        return tuple(
            extent
            for h in range(*rows)
            for extent in self.read(((n * H + h) * W + columns[0]) * C + channels[0], count, width, C)
        )
