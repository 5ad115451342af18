"""Exact statistics of a layer's codes: bits and terms of its values, and the effectual work of its products.

A count over all products of f(activation) * g(weight) is a sum over filter taps: what f adds up to over the inputs a
tap reads, times what g adds up to over the filters. Padding taps are left out of every count but ``mac_dense``.
"""

import heapq
from collections.abc import Callable

import numpy as np

from workloads.formats.codes import Codes
from workloads.layer import Layer


def popcount(values: np.ndarray) -> np.ndarray:
    """Set bits of the magnitude."""
    return np.bitwise_count(np.abs(values)).astype(np.int64)


def csd_terms(values: np.ndarray) -> np.ndarray:
    """Non-zero digits of the canonical signed-digit form."""
    magnitude = np.abs(values.astype(np.int64))
    return np.bitwise_count(magnitude ^ (3 * magnitude)).astype(np.int64)


def booth_terms(values: np.ndarray) -> np.ndarray:
    """Non-zero digits of radix-4 Booth recoding of the two's complement number."""
    doubled = values.astype(np.int64) << 1  # the digit at 2i looks at bits 2i+1, 2i and 2i-1
    terms = np.zeros(values.shape, dtype=np.int64)
    for place in range(0, int(np.abs(values).max(initial=0)).bit_length() + 2, 2):
        window = (doubled >> place) & 7
        terms += (window != 0) & (window != 7)
    return terms


def width(values: np.ndarray) -> np.ndarray:
    """Bits of the magnitude."""
    return np.ceil(np.log2(np.abs(values.astype(np.float64)) + 1)).astype(np.int64)


def nonzero(values: np.ndarray) -> np.ndarray:
    """1 where a value is not zero."""
    return (values != 0).astype(np.int64)


def ones(values: np.ndarray) -> np.ndarray:
    """1 for every value."""
    return np.ones(values.shape, dtype=np.int64)


#: count -> (what of the activation, what of the weight)
COUNTS: dict[str, tuple[Callable, Callable]] = {
    "mac_nonpad": (ones, ones),
    "mac_act_nz": (nonzero, ones),
    "mac_wgt_nz": (ones, nonzero),
    "mac_both_nz": (nonzero, nonzero),
    "terms_act_popcount_all_w": (popcount, ones),
    "terms_act_popcount_w_nz": (popcount, nonzero),
    "terms_act_csd_w_nz": (csd_terms, nonzero),
    "terms_both_popcount": (popcount, popcount),
}


def work_counts(layer: Layer, inputs: Codes, weights: Codes) -> dict[str, int]:
    """``mac_dense`` and every count of COUNTS. inputs: [N, C, H, W]; weights: [M, C/G, R, S]."""
    a, w = inputs.integers(), weights.integers().reshape(layer.G, -1, layer.K)
    by_activation = {f: _over_taps(f(a), layer) for f, _ in COUNTS.values()}
    by_weight = {g: g(w).sum(axis=1).ravel() for _, g in COUNTS.values()}
    counts = {name: int(by_activation[f] @ by_weight[g]) for name, (f, g) in COUNTS.items()}
    return {"mac_dense": layer.macs} | counts


def _over_taps(values: np.ndarray, layer: Layer) -> np.ndarray:
    """values: [N, C, H, W] -> [G * K] their sum over all outputs that read them through each filter tap."""
    sums = np.zeros((layer.C, layer.R, layer.S), dtype=np.int64)
    for r in range(layer.R):
        for s in range(layer.S):
            rows, columns = layer.window.rows.read(r), layer.window.columns.read(s)
            if rows and columns:
                window = values[:, :, rows.start : rows.stop : rows.step, columns.start : columns.stop : columns.step]
                sums[:, r, s] = window.sum(axis=(0, 2, 3))
    return sums.ravel()


def value_statistics(codes: Codes, channels: int = 1) -> dict[str, float]:
    """Density, range, bits and terms per value (zeros included) of one tensor; groups run along channels.

    codes: [N, C, H, W] or [M, C, R, S]; channels: their axis (0 for a depthwise layer's weights). popcount, csd, booth:
    mean terms per value; group16, group256: mean width of the largest magnitude of so many neighbours (channels
    innermost); entropy, huffman: bits per value of its histogram.
    """
    values = codes.integers()
    low = int(values.min(initial=0))
    counts = np.bincount((values - low).ravel())
    kinds, counts = np.flatnonzero(counts) + low, counts[counts > 0]
    share = counts / counts.sum()
    flat = np.moveaxis(values, channels, -1).ravel()
    return {
        "values": int(values.size),
        "density": float(share[kinds != 0].sum()),
        "min": int(kinds[0]),
        "max": int(kinds[-1]),
        "mean": float(kinds @ share),
        "std": float(np.sqrt(max(0.0, (kinds.astype(np.float64) ** 2) @ share - (kinds @ share) ** 2))),
        "popcount": float(popcount(kinds) @ share),
        "csd": float(csd_terms(kinds) @ share),
        "booth": float(booth_terms(kinds) @ share),
        "group16": _group_width(flat, 16),
        "group256": _group_width(flat, 256),
        "entropy": float(-(share @ np.log2(share))),
        "huffman": huffman_bits(counts),
        "codes_used": len(kinds),
    }


def _group_width(flat: np.ndarray, size: int) -> float:
    padded = np.zeros(-(-len(flat) // size) * size, dtype=flat.dtype)
    padded[: len(flat)] = flat
    return float(width(np.abs(padded).reshape(-1, size).max(axis=1)).mean())


def huffman_bits(counts: np.ndarray) -> float:
    """Mean code length of an optimal Huffman code for symbols with these counts; a single symbol takes one bit."""
    heap = sorted(int(count) for count in counts if count > 0)
    if len(heap) < 2:
        return float(len(heap))
    total, bits = sum(heap), 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        bits += merged
        heapq.heappush(heap, merged)
    return bits / total


def histogram(codes: Codes) -> dict[int, int]:
    """Integer value -> how often it occurs."""
    kinds, counts = np.unique(codes.integers(), return_counts=True)
    return {int(kind): int(count) for kind, count in zip(kinds, counts, strict=True)}
