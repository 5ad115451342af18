"""Bytes that a layer cannot do without, and words that the edges of a dense array move, counted from definitions."""

from itertools import product
from types import SimpleNamespace


def read_positions(shape: dict) -> set[tuple[int, int, int, int]]:
    """(n, c, h, w) of every input that some output reads; no padding."""
    s = SimpleNamespace(**shape)
    rows, columns = set(), set()
    for e, r in product(range(s.E), range(s.R)):
        rows.add(e * s.stride[0] + r * s.dilation[0] - s.padding[0])
    for f, t in product(range(s.F), range(s.S)):
        columns.add(f * s.stride[1] + t * s.dilation[1] - s.padding[2])
    rows, columns = {h for h in rows if 0 <= h < s.H}, {w for w in columns if 0 <= w < s.W}
    return set(product(range(s.N), range(s.C), rows, columns))


def whole_rows(shape: dict) -> int:
    """Inputs in the rows from the first to the last that is read, every row from end to end."""
    found = read_positions(shape)
    if not found:
        return 0
    rows = [h for _, _, h, _ in found]
    return shape["N"] * shape["C"] * (max(rows) - min(rows) + 1) * shape["W"]


def weight_bytes(shape: dict, bits: int) -> int:
    """A filter begins at a whole byte."""
    row = shape["C"] // shape["G"] * shape["R"] * shape["S"] * bits
    return shape["M"] * -(-row // 8)


def outputs(shape: dict) -> int:
    return shape["N"] * shape["M"] * shape["E"] * shape["F"]


def edge_values(shape: dict, stationary: str, rows: int, cols: int) -> dict[tuple[str, str], int]:
    """(operand, read or write) -> values between the nearest buffers and the array, groups one after another.

    A streamed operand enters once per fold along the dimension it does not depend on; the held one once. Sums of a
    stationary operand leave at every fold of the reduction and come back at every one but the first. Each finished sum
    is read, and written as a code.
    """
    s = SimpleNamespace(**shape)
    K, pixels, filters = s.C // s.G * s.R * s.S, s.N * s.E * s.F, s.M // s.G
    inputs, weights, sums = s.G * pixels * K, s.G * K * filters, s.G * pixels * filters
    if stationary == "os":
        again = {"inputs": -(-filters // cols), "weights": -(-pixels // rows)}
        reduced = 1
    elif stationary == "ws":
        again, reduced = {"inputs": -(-filters // cols), "weights": 1}, -(-K // rows)
    else:
        again, reduced = {"inputs": 1, "weights": -(-pixels // cols)}, -(-K // rows)
    return {
        ("inputs", "read"): inputs * again["inputs"],
        ("weights", "read"): weights * again["weights"],
        ("outputs", "write"): sums * reduced + sums,
        ("outputs", "read"): sums * (reduced - 1) + sums,
    }
