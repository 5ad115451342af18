"""Weight sharing (Deep Compression): a code names one of a few values, found by k-means in one dimension."""

from dataclasses import dataclass

import numpy as np

from workloads.format import check_bits, finite, formats
from workloads.formats.codes import Codes, NumberFormat

#: Lloyd's iterations; on the weights of SqueezeNet it stands still earlier
ITERATIONS = 300


def table_codes(codes: np.ndarray, table: np.ndarray, bits: int, table_bits: int) -> Codes:
    """codes: which entry of ``table`` (real values) each one is -> Codes whose codebook holds the table as signed
    integers of ``table_bits``, the largest magnitude taking the largest integer."""
    scale = float(np.abs(table).max(initial=0.0)) / ((1 << (table_bits - 1)) - 1) or 1.0
    book = tuple(int(value) for value in np.rint(table / scale))
    return Codes(codes.astype(np.uint8), NumberFormat(bits, False, scale, codebook=book))


def k_means(values: np.ndarray, clusters: int) -> np.ndarray:
    """values: [n] -> at most ``clusters`` sorted centroids, by Lloyd's iteration from evenly spaced starts.

    Evenly spaced ('linear') starts are Deep Compression's choice. Values of no more kinds than clusters are their own
    centroids. The result is a local optimum; clusters that lose all of their values are dropped.
    """
    kinds, counts = np.unique(values, return_counts=True)
    if len(kinds) <= clusters:
        return kinds
    number = np.concatenate(([0], np.cumsum(counts)))
    total = np.concatenate(([0.0], np.cumsum(kinds * counts)))
    centroids = np.linspace(kinds[0], kinds[-1], clusters)
    for _ in range(ITERATIONS):
        inner = np.searchsorted(kinds, (centroids[1:] + centroids[:-1]) / 2)
        edges = np.unique(np.concatenate(([0], inner, [len(kinds)])))
        moved = np.diff(total[edges]) / np.diff(number[edges])
        if len(moved) == len(centroids) and np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids


@formats.add("codebook")
@dataclass(frozen=True)
class Codebook:
    """Codes of ``bits`` into a table of integers of ``table_bits``; code 0 is a pruned weight (exactly zero).

    The other 2^bits - 1 values are the k-means centroids of the weights that are not zero. Deep Compression (Han,
    2016): 16-bit table, 8-bit codes in convolutions, 4 or 5 in fully connected layers. Multipliers see the table's
    width. ValueError for bits outside 1..8 or table_bits outside 2..16.
    """

    bits: int = 4
    table_bits: int = 16

    def __post_init__(self):
        check_bits(self.bits, 1, 8)
        if not 2 <= self.table_bits <= 16:
            raise ValueError(f"table_bits={self.table_bits} is outside 2..16")

    def quantise(self, values: np.ndarray) -> Codes:
        """Centroids by k-means over the values that are not zero; code 0 is zero."""
        values = finite(values)
        centroids = k_means(values[values != 0], (1 << self.bits) - 1)
        codes = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values) + 1
        return table_codes(np.where(values == 0, 0, codes), np.append(0.0, centroids), self.bits, self.table_bits)
