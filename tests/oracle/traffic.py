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


def tile_inputs(shape: dict, spans: dict[str, range]) -> set[tuple[int, int, int, int]]:
    """(n, c, h, w), a byte each, that a tile of output pixels and reduction steps fetches, image by image.

    Whole rows of the map from the first to the last that is read; where all pixels lie in one output row and are not
    all of it, only the columns from the first to the last that is read.
    """
    s, found = SimpleNamespace(**shape), set()
    plane, taps, per_group = s.E * s.F, s.R * s.S, s.C // s.G
    channels = {g * per_group + k // taps for g in spans["groups"] for k in spans["k"]}
    for n in range(s.N):
        pixels = [p - n * plane for p in spans["pixels"] if p // plane == n]
        if not pixels:
            continue
        outputs = sorted({p // s.F for p in pixels})
        low = outputs[0] * s.stride[0] - s.padding[0]
        high = outputs[-1] * s.stride[0] - s.padding[0] + (s.R - 1) * s.dilation[0]
        left, right = 0, s.W - 1
        if len(outputs) == 1 and len(pixels) < s.F:
            left = pixels[0] % s.F * s.stride[1] - s.padding[2]
            right = pixels[-1] % s.F * s.stride[1] - s.padding[2] + (s.S - 1) * s.dilation[1]
        rows = [h for h in range(low, high + 1) if 0 <= h < s.H]
        columns = [w for w in range(left, right + 1) if 0 <= w < s.W]
        found |= set(product([n], channels, rows, columns))
    return found


def tile_weights(shape: dict, bits: int, spans: dict[str, range]) -> set[int]:
    """Bytes of the weights of a tile; a filter begins at a whole byte."""
    filters = shape["M"] // shape["G"]
    row = shape["C"] // shape["G"] * shape["R"] * shape["S"] * bits
    first, last = spans["k"][0] * bits // 8, -(-(spans["k"][-1] + 1) * bits // 8)
    return {
        (g * filters + m) * -(-row // 8) + byte for g in spans["groups"] for m in spans["filters"]
        for byte in range(first, last)
    }  # fmt: skip


def tile_outputs(shape: dict, spans: dict[str, range]) -> set[int]:
    """Bytes of a tile's outputs, one each."""
    filters = shape["M"] // shape["G"]
    pixels = shape["N"] * shape["E"] * shape["F"]
    return {(g * filters + m) * pixels + p for g in spans["groups"] for m in spans["filters"] for p in spans["pixels"]}
