"""Values of input maps under tiles of output pixels and of reduction steps, exactly and for many tile sizes at once."""

import numpy as np

from accel_sim.values.map_layout import Whole
from workloads.layer import Layer


def pixel_values(layer: Layer, tile: int) -> tuple[int, int, int]:
    """(sum, largest, all together) values of one input channel over the tiles of ``tile`` output pixels, N, E, F order.

    The same as ``common.input_extents`` of each tile; together: values that several tiles read count once.
    """
    plane = layer.E * layer.F
    starts = np.arange(0, layer.N * plane, tile, dtype=np.int64)
    ends = np.minimum(starts + tile, layer.N * plane)
    images = (ends - 1) // plane - starts // plane + 1
    piece = np.repeat(np.arange(len(starts)), images)
    image = np.arange(len(piece)) - np.repeat(np.cumsum(images) - images, images) + np.repeat(starts // plane, images)
    low = np.maximum(starts[piece], image * plane) - image * plane
    high = np.minimum(ends[piece], (image + 1) * plane) - image * plane
    first, last = low // layer.F, (high - 1) // layer.F + 1
    reach = [d * (taps - 1) + 1 for d, taps in zip(layer.dilation, (layer.R, layer.S), strict=True)]
    rows = _span(first, last, layer.stride[0], layer.padding[0], reach[0], layer.H)
    left, right = low % layer.F, (high - 1) % layer.F + 1
    part = (last - first == 1) & (high - low < layer.F)
    begin, end = (
        np.minimum(layer.W, np.maximum(0, e)) for e in _edges(left, right, layer.stride[1], layer.padding[2], reach[1])
    )
    row = layer.W
    width = np.where(part, np.maximum(0, end - begin), row)
    size = np.bincount(piece, weights=rows * width, minlength=len(starts)).astype(np.int64)
    if len(starts) == 1 or _gapless(layer, reach):
        together = layer.N * int(_span(0, layer.E, layer.stride[0], layer.padding[0], reach[0], layer.H)) * row
        return int(size.sum()), int(size.max()), together
    top = np.maximum(0, first * layer.stride[0] - layer.padding[0]) + image * layer.H
    edge = np.where(part, begin, 0)
    return int(size.sum()), int(size.max()), _together(top, rows, edge, width, (layer.N * layer.H, row))


def _gapless(layer: Layer, reach: list[int]) -> bool:
    """Windows touch or overlap, and reach the end of a row: however it is cut, no value between them stays away."""
    end = _edges(0, layer.F, layer.stride[1], layer.padding[2], reach[1])[1]
    return layer.stride[0] <= reach[0] and layer.stride[1] <= reach[1] and end >= layer.W


def _together(top: np.ndarray, rows: np.ndarray, edge: np.ndarray, width: np.ndarray, shape: tuple[int, int]) -> int:
    """Values of a map of ``shape`` that lie in at least one rectangle: rows from ``top``, columns from ``edge`` on."""
    some = (rows > 0) & (width > 0)
    top, bottom, left, right = top[some], (top + rows)[some], edge[some], (edge + width)[some]
    if (width[some] == shape[1]).all():  # whole rows: columns need no look
        left, right, shape = np.zeros_like(left), np.ones_like(right), (shape[0], 1)
        scale = int(width.max(initial=0))
    else:
        scale = 1
    covers = np.zeros((shape[0] + 1) * (shape[1] + 1), np.int64)  # a rectangle is two edges down and two across
    for at, sign in ((top, 1), (bottom, -1)):
        for beside, turn in ((left, sign), (right, -sign)):
            covers += turn * np.bincount(at * (shape[1] + 1) + beside, minlength=len(covers))
    covers = covers.reshape(shape[0] + 1, shape[1] + 1).cumsum(axis=0).cumsum(axis=1)
    return scale * int(np.count_nonzero(covers))


def _edges(first: Whole, last: Whole, stride: int, before: int, reach: int) -> tuple[Whole, Whole]:
    return first * stride - before, (last - 1) * stride - before + reach


def _span(first: Whole, last: Whole, stride: int, before: int, reach: int, size: int) -> np.ndarray:
    """Rows that output rows [first, last) read."""
    low, high = _edges(first, last, stride, before, reach)
    return np.maximum(0, np.minimum(size, high) - np.maximum(0, low))


def tap_columns(k: tuple[int, int], taps: tuple[int, int], of: int) -> np.ndarray:
    """[n] indices k (C, R, S order) of taps [first, last) ``of`` those of the channels in [first, last) k: tap by tap,
    the channels inside, as the weights of a tile with some of the taps lie."""
    return (np.arange(*taps)[:, None] + np.arange(*k, of)).ravel()


def channel_counts(layer: Layer, tile: int) -> tuple[int, int]:
    """(sum, largest) channels of one group over the tiles of ``tile`` reduction steps, C, R, S order."""
    taps = layer.R * layer.S
    starts = np.arange(0, layer.K, tile, dtype=np.int64)
    counts = -(-np.minimum(starts + tile, layer.K) // taps) - starts // taps
    return int(counts.sum()), int(counts.max())
