"""Sets of bytes: what a tile needs of a tensor, less what a level holds already."""

import numpy as np

from accel_sim.values.tile import Extent


def intervals(extents: tuple[Extent, ...]) -> np.ndarray:
    """[n, 2] int64 first and last + 1 byte of every run, sorted, merged where they touch."""
    runs = [
        extent.address + extent.stride * np.arange(extent.count, dtype=np.int64)
        for extent in extents
        if extent.bytes and extent.count
    ]
    if not runs:
        return np.zeros((0, 2), np.int64)
    lengths = np.concatenate([np.full(e.count, e.bytes, np.int64) for e in extents if e.bytes and e.count])
    starts = np.concatenate(runs)
    return merge(np.stack([starts, starts + lengths], axis=1))


def merge(spans: np.ndarray) -> np.ndarray:
    """The same bytes, sorted, no two runs touching."""
    if len(spans) < 2:
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    begins = np.concatenate(([True], spans[1:, 0] > reach[:-1]))
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(spans)) - 1
    return np.stack([spans[first, 0], reach[last]], axis=1)


def union(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Bytes of either; [n, 2] begins and ends, sorted and merged."""
    return merge(np.concatenate([one, other]))


def subtract(wanted: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Bytes of ``wanted`` that are not in ``held``; both sorted and merged."""
    if not len(wanted) or not len(held):
        return wanted
    edges = np.unique(np.concatenate([wanted.ravel(), held.ravel()]))
    begin, end = edges[:-1], edges[1:]
    keep = _inside(begin, wanted) & ~_inside(begin, held)
    return merge(np.stack([begin[keep], end[keep]], axis=1))


def _inside(points: np.ndarray, spans: np.ndarray) -> np.ndarray:
    at = np.searchsorted(spans[:, 0], points, side="right") - 1
    return (at >= 0) & (points < spans[np.maximum(at, 0), 1])


def extents(spans: np.ndarray) -> tuple[Extent, ...]:
    """Runs as extents; equal runs at equal distances become one extent."""
    if not len(spans):
        return ()
    sizes, starts = spans[:, 1] - spans[:, 0], spans[:, 0]
    steps, alike = np.diff(starts), sizes[1:] == sizes[:-1]
    goes_on = alike.copy()  # [i]: run i + 1 lies as far from run i as run i from the one before
    goes_on[1:] &= steps[1:] == steps[:-1]
    breaks = np.append(np.flatnonzero(~goes_on), len(steps))
    found, at = [], 0
    while at < len(spans):
        count = 1
        if at < len(steps) and alike[at]:
            count = int(breaks[np.searchsorted(breaks, at + 1)]) - at + 1 if at + 1 <= len(steps) else 2
        found.append(Extent(int(starts[at]), int(sizes[at]), count, int(steps[at]) if count > 1 else 0))
        at += count
    return tuple(found)
