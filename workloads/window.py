"""One geometry of windows: through tap r, output e of an axis reads the place e * stride + r * dilation - pad_before.

Places count from the first row (or column) of the map; those below 0 or behind its last one are padding. Pixels are
outputs counted in N, E, F order, reduction steps k the taps of a group in C, R, S order. The kernels have a twin of
this: cython_core/window.pxd.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np

#: a whole number, or an array of them
Whole = TypeVar("Whole", int, np.ndarray)
#: [first, last)
Span = tuple[int, int]


def reach_of(kernel: int, dilation: int) -> int:
    """Places from the first tap of an output to its last, both included."""
    return dilation * (kernel - 1) + 1


def outputs_of(
    size: int, kernel: int, stride: int, dilation: int = 1, before: int = 0, after: int = 0, *, ceil: bool = False,
    begins_inside: bool = False,
) -> int:  # fmt: skip
    """Outputs along an axis of ``size`` places with so much padding; 0 where the window does not fit.

    ceil: a last window may reach beyond all padding; begins_inside: but not begin behind the map (as pools do not in
    Caffe and ONNX).
    """
    room = size + before + after - reach_of(kernel, dilation)
    if room < 0:
        return 0
    outputs = room // stride + 1
    if ceil and room % stride and not (begins_inside and outputs * stride >= size + before):
        outputs += 1
    return outputs


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """(before, after) that make ceil(size / stride) outputs, the odd place after (SAME of TensorFlow)."""
    total = max(0, (-(-size // stride) - 1) * stride + reach_of(kernel, dilation) - size)
    return total // 2, total - total // 2


@dataclass(frozen=True)
class Axis:
    """One direction of a window: ``outputs`` positions of ``kernel`` taps on ``size`` places; all in places but these.

    ValueError if something is negative, or 0 that is neither padding nor outputs.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    pad_before: int
    pad_after: int
    outputs: int

    def __post_init__(self) -> None:
        least = min(self.size, self.kernel, self.stride, self.dilation)
        if least < 1 or min(self.pad_before, self.pad_after, self.outputs) < 0:
            raise ValueError(f"{self}: expected at least 1, of padding and outputs at least 0")

    @cached_property
    def reach(self) -> int:
        """Places from the first tap of an output to its last, both included."""
        return reach_of(self.kernel, self.dilation)

    def place(self, e: Whole, r: Whole) -> Whole:
        """What output ``e`` reads through tap ``r``, padding included; arrays are broadcast."""
        return e * self.stride + r * self.dilation - self.pad_before

    def inside(self, places: np.ndarray) -> np.ndarray:
        """Bool of the same shape: the place lies in the map."""
        return (places >= 0) & (places < self.size)

    def places(self) -> np.ndarray:
        """[outputs, kernel] int64 places, padding included."""
        return self.place(np.arange(self.outputs)[:, None], np.arange(self.kernel))

    def counts(self, padded: bool) -> np.ndarray:
        """[outputs] int64 taps in the map, or in the map with its declared padding."""
        places = self.places()
        low, high = (-self.pad_before, self.size + self.pad_after) if padded else (0, self.size)
        return ((places >= low) & (places < high)).sum(axis=1)

    def read(self, r: int) -> range:
        """Places of the map that tap ``r`` reads, one per output; padding left out."""
        offset = self.place(0, r)
        first = max(0, -(offset // self.stride))  # ceil(-offset / stride)
        last = min(self.outputs - 1, (self.size - 1 - offset) // self.stride)
        return range(self.place(first, r), self.place(last, r) + 1, self.stride) if last >= first else range(0)

    @cached_property
    def products(self) -> int:
        """Pairs of an output and a tap that read the map and no padding."""
        return sum(len(self.read(r)) for r in range(self.kernel))

    @cached_property
    def used(self) -> int:
        """Places of the map that some output reads."""
        return len({place for r in range(self.kernel) for place in self.read(r)})

    def edges(self, first: Whole, last: Whole) -> tuple[Whole, Whole]:
        """Places [begin, end) from the first to the last that outputs [first, last) read, padding included."""
        begin = first * self.stride - self.pad_before
        return begin, begin + (last - first - 1) * self.stride + self.reach

    def span(self, first: int, last: int) -> Span:
        """The part of ``edges`` in the map; begin = end where there is none."""
        begin, end = self.edges(first, last)
        return min(self.size, max(0, begin)), max(0, min(self.size, end))

    def spans(self, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As ``span`` of many ranges: [n] and [n] -> [n] begins and [n] ends."""
        begin, end = self.edges(first, last)
        return np.minimum(self.size, np.maximum(0, begin)), np.minimum(self.size, np.maximum(0, end))

    def under(self, outputs: int, runs: int = 1) -> int:
        """Places from the first to the last that each of ``runs`` runs of neighbours reads, ``outputs`` in them all."""
        return outputs * self.stride + runs * (self.reach - self.stride)

    @cached_property
    def gapless(self) -> bool:
        """Windows of neighbours touch or overlap."""
        return self.stride <= self.reach

    @cached_property
    def sides(self) -> tuple[int, int]:
        """(before, after): padding, and what the last window reads behind it where sizes are rounded up."""
        return self.pad_before, max(self.pad_after, self.edges(0, self.outputs)[1] - self.size)


class Boxes(NamedTuple):
    """Rectangles of maps, each field [n] int64: of which range, in which image, rows and columns [begin, end)."""

    owner: np.ndarray
    image: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """[n] int64 places in each."""
        return (self.bottom - self.top) * (self.right - self.left)


@dataclass(frozen=True)
class Window:
    """A window over maps of rows.size x columns.size that makes images of E x F = rows.outputs x columns.outputs."""

    rows: Axis
    columns: Axis

    @cached_property
    def taps(self) -> int:
        """R * S."""
        return self.rows.kernel * self.columns.kernel

    @cached_property
    def plane(self) -> int:
        """E * F, pixels of an image."""
        return self.rows.outputs * self.columns.outputs

    @property
    def sides(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """((top, bottom), (left, right)) around the map that windows reach, no less than its padding."""
        return self.rows.sides, self.columns.sides

    def channels(self, first: Whole, last: Whole) -> tuple[Whole, Whole]:
        """Channels [first, last) that reduction steps [first, last) read, whole or in part."""
        return first // self.taps, -(-last // self.taps)

    def images(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """(image, first, last + 1) of pixels [first, last) of a batch; those of an image count from its own first."""
        for n in range(first // self.plane, (last - 1) // self.plane + 1):
            yield n, max(first - n * self.plane, 0), min(last - n * self.plane, self.plane)

    def boxes(self, first: int, last: int) -> Iterator[tuple[int, Span, Span | None]]:
        """(image, rows, columns) that pixels [first, last) of a batch read, padding left out, none of them empty.

        Whole rows of the map (columns is None), except where all pixels lie in one row of the image and do not fill it.
        """
        F = self.columns.outputs
        for n, low, high in self.images(first, last):
            top, bottom = low // F, (high - 1) // F + 1
            rows, columns = self.rows.span(top, bottom), None
            if rows[1] == rows[0]:
                continue
            if bottom - top == 1 and high - low < F:
                columns = self.columns.span(low - top * F, high - top * F)
                if columns[1] == columns[0]:
                    continue
            yield n, rows, columns

    def boxes_of(self, first: np.ndarray, last: np.ndarray) -> Boxes:
        """``boxes`` of many ranges of pixels, empty ones too. first, last: [ranges] int64, no range empty."""
        F, plane = self.columns.outputs, self.plane
        images = (last - 1) // plane - first // plane + 1
        owner = np.repeat(np.arange(len(first)), images)
        image = np.arange(len(owner)) - np.repeat(np.cumsum(images) - images, images) + (first // plane)[owner]
        low = np.maximum(first[owner] - image * plane, 0)
        high = np.minimum(last[owner] - image * plane, plane)
        top, bottom = low // F, (high - 1) // F + 1
        left, right = self.columns.spans(low % F, (high - 1) % F + 1)
        part = (bottom - top == 1) & (high - low < F)
        left, right = np.where(part, left, 0), np.where(part, right, self.columns.size)
        return Boxes(owner, image, *self.rows.spans(top, bottom), left, right)

    def most_read(self, pixels: int, images: int) -> int:
        """Values of a channel, in whole rows of the map, of which no ``pixels`` of a batch of ``images`` read more that
        begin at a multiple of their number."""
        rows, E, F = self.rows, self.rows.outputs, self.columns.outputs
        outputs = min(images * E, _crossed(pixels, F))
        runs = _crossed(pixels, self.plane) if pixels % F else _crossed(outputs, E)
        under = rows.under(outputs, min(images, runs) if rows.gapless else 1)
        return min(images * rows.size, under) * self.columns.size

    def most_read_in_row(self, pixels: int) -> int:
        """Values of a channel of which no ``pixels`` neighbours in a row of an image read more."""
        return min(self.rows.size, self.rows.reach) * min(self.columns.size, self.columns.under(pixels))

    def elements(self, pixels: np.ndarray, k: np.ndarray, channels: int, channel: int) -> tuple[np.ndarray, np.ndarray]:
        """[pixels], [k] -> ([pixels, k] int64 number of the element in N, C, H, W order that each pixel reads at each
        reduction step, [pixels, k] bool: no padding; else the number means nothing).

        channels: of the map; channel: the first of the group.
        """
        rows, columns = self.rows, self.columns
        n, place = pixels // self.plane, pixels % self.plane
        e, f = (place // columns.outputs)[:, None], (place % columns.outputs)[:, None]
        c, r, s = k // self.taps, k % self.taps // columns.kernel, k % columns.kernel
        h, w = rows.place(e, r), columns.place(f, s)
        plane = n[:, None] * channels + channel + c
        return (plane * rows.size + h) * columns.size + w, rows.inside(h) & columns.inside(w)

    def view(self, x: np.ndarray, fill: float = 0) -> np.ndarray:
        """x: [C, H, W] -> read-only view [C, R, S, E, F] of what every pixel reads, padding = ``fill``."""
        rows, columns = self.rows, self.columns
        if any(map(any, self.sides)):
            x = np.pad(x, ((0, 0), *self.sides), constant_values=fill)
        c, h, w = x.strides
        strides = (c, h * rows.dilation, w * columns.dilation, h * rows.stride, w * columns.stride)
        shape = (len(x), rows.kernel, columns.kernel, rows.outputs, columns.outputs)
        return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)

    def geometry(self, groups: int, channels: int) -> np.ndarray:
        """[14] int64 as kernels take it (cython_core/window.pxd). channels: of a group."""
        h, w = self.rows, self.columns
        return np.array(
            [
                groups, channels, h.size, w.size, h.kernel, w.kernel, h.outputs, w.outputs, h.stride, w.stride,
                h.pad_before, w.pad_before, h.dilation, w.dilation,
            ],
            np.int64,
        )  # fmt: skip


def _crossed(length: int, period: int) -> int:
    """Periods that a run of ``length``, beginning at a multiple of its length, can touch."""
    return length // period if length % period == 0 else (length - 2) // period + 2 if length > 1 else 1
