"""Bytes of input maps under tiles of output pixels and of reduction steps, exactly and for many tile sizes at once."""

import numpy as np

from workloads.layer import Layer


def pixel_bytes(layer: Layer, bits: int, tile: int) -> tuple[int, int]:
    """(sum, largest) bytes of one input channel over the tiles of ``tile`` output pixels, N, E, F order.

    The same bytes as ``common.input_extents`` of each tile.
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
    narrow = np.maximum(0, (end * bits + 7) // 8 - begin * bits // 8)
    narrow = np.where(end > begin, narrow, 0)
    width = np.where(part, narrow, (layer.W * bits + 7) // 8)
    size = np.bincount(piece, weights=rows * width, minlength=len(starts)).astype(np.int64)
    return int(size.sum()), int(size.max())


def _edges(first, last, stride: int, before: int, reach: int):
    return first * stride - before, (last - 1) * stride - before + reach


def _span(first: np.ndarray, last: np.ndarray, stride: int, before: int, reach: int, size: int) -> np.ndarray:
    """Rows that output rows [first, last) read."""
    low, high = _edges(first, last, stride, before, reach)
    return np.maximum(0, np.minimum(size, high) - np.maximum(0, low))


def channel_counts(layer: Layer, tile: int) -> tuple[int, int]:
    """(sum, largest) channels of one group over the tiles of ``tile`` reduction steps, C, R, S order."""
    taps = layer.R * layer.S
    starts = np.arange(0, layer.K, tile, dtype=np.int64)
    counts = -(-np.minimum(starts + tile, layer.K) // taps) - starts // taps
    return int(counts.sum()), int(counts.max())
