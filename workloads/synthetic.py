"""Seeded codes for a network without data: the same bytes for the same seed and name, on every machine.

Both generators draw 16 random bits a code and look them up in an inverse distribution, so that only integers decide.
"""

import math
from dataclasses import replace
from itertools import pairwise
from zlib import crc32

import numpy as np

from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.network import Density

#: largest weight in standard deviations; it takes the largest integer
WEIGHT_RANGE = 4.0
#: mean of a non-zero activation in steps of an 8-bit code (guess: a decaying distribution with few large values)
ACTIVATION_MEAN = 40.0


def synthetic_weights(layer: Layer, density: Density, seed: int) -> Codes:
    """[M, C/G, R, S] codes of a magnitude-pruned layer.

    Weights are normal; the smallest are pruned until ``density`` of them is left, which leaves two lobes; the rest is
    quantised linearly to 8 bits, or to a codebook of that many shared values (code 0 = pruned).
    """
    threshold = _quantile(1.0 - density.weights)
    bits = density.code_bits
    above = 1 << (bits - 1) if density.codebook else (1 << (bits - 1)) - 1
    below = (1 << (bits - 1)) - 1
    lobes = [_lobe(threshold, count) for count in (below, above)]
    values = [0] + [-value for value in lobes[0][0]] + lobes[1][0]
    shares = [1.0 - density.weights] + [density.weights / 2 * share for _, lobe in lobes for share in lobe]
    key = f"weights of {layer.name}"
    if density.codebook:
        codes = _draw(np.arange(len(values), dtype=np.uint8), shares, layer.weight_shape, key, seed)
        return Codes(codes, NumberFormat(bits, False, codebook=tuple(values)))
    codes = _draw(np.asarray(values, dtype=np.int8), shares, layer.weight_shape, key, seed)
    return Codes(codes, NumberFormat(bits, True))


def synthetic_activations(
    name: str, shape: tuple[int, ...], density: float, seed: int, *, signed: bool = False
) -> Codes:
    """``shape`` 8-bit codes, each non-zero with probability ``density`` on its own; equal names give equal codes."""
    tail = [math.exp(-value / ACTIVATION_MEAN) for value in range(1, 256 if not signed else 128)]
    scale = density / sum(tail) / (2 if signed else 1)
    values, shares = list(range(len(tail) + 1)), [1.0 - density] + [scale * share for share in tail]
    if signed:
        values, shares = values + [-value for value in values[1:]], shares + shares[1:]
    table = np.asarray(values, dtype=np.int8 if signed else np.uint8)
    return Codes(_draw(table, shares, shape, f"activations of {name}", seed), NumberFormat(8, signed))


def in_format(codes: Codes, form: NumberFormat) -> Codes:
    """The same integers as codes of another format, clipped to its range; zeros stay zeros (the zero point)."""
    zero = form.zero_point if isinstance(form.zero_point, int) else form.zero_point[0]
    values = np.clip(codes.values.astype(np.int64), form.low - zero, form.high - zero) + zero
    narrow = np.min_scalar_type(form.low if form.signed else form.high)
    return Codes(values.astype(narrow), replace(form, zero_point=zero, axis=None))


def narrowed(codes: Codes, bits: int) -> Codes:
    """The same tensor in codes of ``bits``: scaled to their range; what is not zero stays so (-1 if they have a sign
    and one bit). codes: of zero point 0, without a codebook."""
    form, high = NumberFormat(bits, codes.format.signed), codes.format.high
    values = codes.values.astype(np.int64)
    if form.signed and bits == 1:
        narrow = -(values != 0).astype(np.int64)
    else:
        narrow = np.sign(values) * np.maximum(np.minimum(abs(values), high) * form.high // high, values != 0)
    return Codes(narrow.astype(np.int8 if form.signed else np.uint8), form)


def _draw(values: np.ndarray, shares: list[float], shape: tuple[int, ...], key: str, seed: int) -> np.ndarray:
    edges = np.rint(np.cumsum(shares) / math.fsum(shares) * 65536).astype(np.int64)
    table = np.repeat(values, np.diff(edges, prepend=0))
    count = math.prod(shape)
    raw = np.random.PCG64([seed, crc32(key.encode())]).random_raw(-(-count // 4)).view(np.uint16)[:count]
    return table[raw].reshape(shape)


def _quantile(share: float) -> float:
    """Magnitude below which ``share`` of normal values lie."""
    low, high = 0.0, WEIGHT_RANGE
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle / math.sqrt(2)) < share else (low, middle)
    return low


def _lobe(threshold: float, count: int) -> tuple[list[int], list[float]]:
    """(magnitude, share) of ``count`` equal steps of a normal tail from ``threshold`` to WEIGHT_RANGE."""
    step = (WEIGHT_RANGE - threshold) / count
    edges = [threshold + step * i for i in range(count + 1)]
    mass = [math.erf(b / math.sqrt(2)) - math.erf(a / math.sqrt(2)) for a, b in pairwise(edges)]
    values = [max(1, round(127 * (a + step / 2) / WEIGHT_RANGE)) for a in edges[:-1]]
    total = math.fsum(mass) or 1.0  # nothing is left above the threshold of a wholly pruned layer
    return values, [share / total for share in mass]
