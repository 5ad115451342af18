"""Seeded codes for a network without data: the same bytes for the same seed and name, on every machine.

Both generators draw 16 random bits a code and look them up in an inverse distribution, so that only integers decide.
"""

import math
from dataclasses import replace
from functools import cache
from itertools import pairwise
from statistics import NormalDist
from zlib import crc32

import numpy as np

from workloads.format import Format
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.network import Density

#: largest weight in standard deviations; it takes the largest integer
WEIGHT_RANGE = 4.0
#: mean of a non-zero activation in steps of an 8-bit code (guess: a decaying distribution with few large values);
#: of other widths it is the same share of the range
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


def formatted_weights(layer: Layer, density: Density, part: Format, seed: int) -> Codes:
    """[M, C/G, R, S] codes in the number format ``part`` of the weights that ``synthetic_weights`` describes.

    Weights that the format rounds to zero are zero on top of the pruned ones. The scale is unknown.
    """
    codes = _in_quantiles(density.weights, part)
    values = _pick(codes.values, layer.weight_shape, f"weights of {layer.name}", seed)
    return Codes(values, replace(codes.format, scale=None))


@cache
def _in_quantiles(density: float, part: Format) -> Codes:
    """65536 equally likely weights in standard deviations, as codes of the format."""
    pruned = round((1.0 - density) * 65536)
    below = (65536 - pruned) // 2
    shares = [(1.0 - density) + density * (i + 0.5) / (65536 - pruned - below) for i in range(65536 - pruned - below)]
    lobe = np.minimum([NormalDist().inv_cdf((1 + share) / 2) for share in shares], WEIGHT_RANGE)
    return part.quantise(np.concatenate((np.zeros(pruned), -lobe[:below], lobe)))


def synthetic_activations(
    name: str, shape: tuple[int, ...], density: float, seed: int, *, signed: bool = False, bits: int = 8
) -> Codes:
    """``shape`` codes, each non-zero with probability ``density`` on its own; equal names give equal codes."""
    mean = math.ldexp(ACTIVATION_MEAN, bits - 8)
    tail = [math.exp(-value / mean) for value in range(1, 1 << bits if not signed else max(2, 1 << (bits - 1)))]
    scale = density / sum(tail) / (2 if signed else 1)
    values, shares = list(range(len(tail) + 1)), [1.0 - density] + [scale * share for share in tail]
    if signed:
        values, shares = values + [-value for value in values[1:]], shares + shares[1:]
    form = NumberFormat(max(bits, 2) if signed else bits, signed)
    return Codes(_draw(np.asarray(values, dtype=form.dtype), shares, shape, f"activations of {name}", seed), form)


def in_format(codes: Codes, form: NumberFormat) -> Codes:
    """The same integers as codes of another format, clipped to its range; zeros stay zeros (the zero point)."""
    zero = form.zero_point if isinstance(form.zero_point, int) else form.zero_point[0]
    values = np.clip(codes.values.astype(np.int64), form.low - zero, form.high - zero) + zero
    return Codes(values.astype(form.dtype), replace(form, zero_point=zero, axis=None))


def _draw(values: np.ndarray, shares: list[float], shape: tuple[int, ...], key: str, seed: int) -> np.ndarray:
    edges = np.rint(np.cumsum(shares) / math.fsum(shares) * 65536).astype(np.int64)
    return _pick(np.repeat(values, np.diff(edges, prepend=0)), shape, key, seed)


def _pick(table: np.ndarray, shape: tuple[int, ...], key: str, seed: int) -> np.ndarray:
    """``shape`` entries of a table of 65536, each by 16 random bits."""
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
