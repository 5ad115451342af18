"""Exact effectual work of a layer on its actual codes: how many products have non-zero operands, and of how many bits.

A count over all products of f(activation) * g(weight) is a sum over filter taps: what f adds up to over the inputs a
tap reads, times what g adds up to over the filters. Padding taps are left out of every count but ``mac_dense``.
"""

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


def nonzero(values: np.ndarray) -> np.ndarray:
    return (values != 0).astype(np.int64)


def ones(values: np.ndarray) -> np.ndarray:
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
            rows, columns = layer.rows_read(r), layer.columns_read(s)
            if rows and columns:
                window = values[:, :, rows.start : rows.stop : rows.step, columns.start : columns.stop : columns.step]
                sums[:, r, s] = window.sum(axis=(0, 2, 3))
    return sums.ravel()
