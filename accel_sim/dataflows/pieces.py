"""Values of input maps under tiles of output pixels and of reduction steps, exactly and for many tile sizes at once."""

import numpy as np

from workloads.layer import Layer
from workloads.window import Boxes, Window


def pixel_values(layer: Layer, tile: int) -> tuple[int, int, int]:
    """(sum, largest, all together) values of one input channel over the tiles of ``tile`` output pixels, N, E, F order.

    The same as ``common.input_extents`` of each tile; together: values that several tiles read count once.
    """
    window, pixels = layer.window, layer.N * layer.window.plane
    starts = np.arange(0, pixels, tile, dtype=np.int64)
    boxes = window.boxes_of(starts, np.minimum(starts + tile, pixels))
    size = np.bincount(boxes.owner, weights=boxes.values, minlength=len(starts)).astype(np.int64)
    if len(starts) == 1 or _gapless(window):
        first, last = window.rows.span(0, layer.E)
        together = layer.N * (last - first) * layer.W
    else:
        together = _together(boxes, layer)
    return int(size.sum()), int(size.max()), together


def _gapless(window: Window) -> bool:
    """Windows touch or overlap, and reach the end of a row: however it is cut, no value between them stays away."""
    columns = window.columns
    return window.rows.gapless and columns.gapless and columns.span(0, columns.outputs)[1] == columns.size


def _together(boxes: Boxes, layer: Layer) -> int:
    """Values of a channel that lie in at least one rectangle."""
    some, shape, scale = boxes.values > 0, (layer.N * layer.H, layer.W), 1
    down = boxes.image[some] * layer.H  # images one below the other
    top, bottom, left, right = boxes.top[some] + down, boxes.bottom[some] + down, boxes.left[some], boxes.right[some]
    if (right - left == shape[1]).all():  # whole rows: columns need no look
        left, right, scale, shape = np.zeros_like(left), np.ones_like(right), shape[1], (shape[0], 1)
    covers = np.zeros((shape[0] + 1) * (shape[1] + 1), np.int64)  # a rectangle is two edges down and two across
    for at, sign in ((top, 1), (bottom, -1)):
        for beside, turn in ((left, sign), (right, -sign)):
            covers += turn * np.bincount(at * (shape[1] + 1) + beside, minlength=len(covers))
    covers = covers.reshape(shape[0] + 1, shape[1] + 1).cumsum(axis=0).cumsum(axis=1)
    return scale * int(np.count_nonzero(covers))


def tap_columns(k: tuple[int, int], taps: tuple[int, int], of: int) -> np.ndarray:
    """[n] indices k (C, R, S order) of taps [first, last) ``of`` those of the channels in [first, last) k: tap by tap,
    the channels inside, as the weights of a tile with some of the taps lie."""
    return (np.arange(*taps)[:, None] + np.arange(*k, of)).ravel()


def channel_counts(layer: Layer, tile: int) -> tuple[int, int]:
    """(sum, largest) channels of one group over the tiles of ``tile`` reduction steps, C, R, S order."""
    starts = np.arange(0, layer.K, tile, dtype=np.int64)
    first, last = layer.window.channels(starts, np.minimum(starts + tile, layer.K))
    counts = last - first
    return int(counts.sum()), int(counts.max())
