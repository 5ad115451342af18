"""Plain twins of the kernels in bits, grids and accumulate: what their docstrings promise, in Python."""

import numpy as np

from tests.oracle.patches import patches


def pack(values: list[int], width: int) -> bytes:
    """Fields of `width` bits as one number, the first field lowest."""
    stream = sum(value << (width * place) for place, value in enumerate(values))
    return stream.to_bytes((len(values) * width + 7) // 8, "little")


def unpack(data: bytes, width: int, first_bit: int, count: int) -> list[int]:
    stream = int.from_bytes(data, "little") >> first_bit
    return [(stream >> (width * place)) % 2**width for place in range(count)]


def run_entries(kept: list[bool], symbols: list[int], span: int, filler: int) -> list[tuple[int, int]]:
    """(symbol, zeros before it) of one slice: at most span - 1 zeros fit, a filler is itself one of the zeros."""
    at, entries = -1, []
    for place in (i for i, keep in enumerate(kept) if keep):
        while place - at > span:
            at += span
            entries.append((filler, span - 1))
        entries.append((symbols[place], place - at - 1))
        at = place
    return entries


class Shape:
    """The fields `patches` asks for, from the kernels' geometry array and the size of the map."""

    def __init__(self, geometry: list[int], groups: int):
        self.G = groups
        _, _, H, W, self.R, self.S, self.E, self.F, sh, sw, top, left, dh, dw = geometry
        self.stride, self.dilation = (sh, sw), (dh, dw)
        below = max(0, (self.E - 1) * sh + (self.R - 1) * dh + 1 - H - top)  # as much as the last window reaches out
        right = max(0, (self.F - 1) * sw + (self.S - 1) * dw + 1 - W - left)
        self.padding = (top, below, left, right)


def unrolled(x: np.ndarray, geometry: list[int]) -> np.ndarray:
    """[pixels, G, K] the im2col values."""
    return patches(x, Shape(geometry, geometry[0]))


def nonzero_steps(matrix: np.ndarray, first: int, last: int, g_first: int, g_last: int, k_first: int, k_last: int):
    """(columns, values, steps of each product) of the non-zero taps of pixels [first, last), group inside pixel."""
    K, columns, values, steps = matrix.shape[2], [], [], []
    for pixel in range(first, last):
        for g in range(g_first, g_last):
            found = [k for k in range(k_first, k_last) if matrix[pixel, g, k] != 0]
            columns += [g * K + k for k in found]
            values += [int(matrix[pixel, g, k]) for k in found]
            steps.append(len(found))
    return columns, values, steps


def add(total: int, term: int, low: int, high: int, saturate: bool) -> tuple[int, int]:
    """(what an accumulator of low..high holds afterwards, 1 if it overflowed)."""
    exact = total + term
    if low <= exact <= high:
        return exact, 0
    if saturate:
        return min(max(exact, low), high), 1
    return (exact - low) % (high - low + 1) + low, 1


def sparse_products(columns, values, steps, products, matrix: dict, sums: np.ndarray, limits) -> int:
    """matrix: column -> [(output, weight)] in stored order; `sums` is updated; returns the overflows."""
    overflows, t = 0, 0
    for product, count in zip(products, steps, strict=True):
        for column, value in zip(columns[t : t + count], values[t : t + count], strict=True):
            for output, weight in matrix.get(column, []):
                new, over = add(int(sums[product, output]), value * weight, *limits)
                sums[product, output], overflows = new, overflows + over
        t += count
    return overflows


def dense_products(a: np.ndarray, w: np.ndarray, sums: np.ndarray, limits) -> int:
    """sums[p, m] += a[p] . w[m], product by product; returns the overflows."""
    overflows = 0
    for p, m in np.ndindex(sums.shape):
        for x, y in zip(a[p], w[m], strict=True):
            new, over = add(int(sums[p, m]), int(x) * int(y), *limits)
            sums[p, m], overflows = new, overflows + over
    return overflows
