"""Binary codes: one bit, -1 or +1 (BinaryConnect), a scale per filter (BWN), activations too (XNOR-Net)."""

from dataclasses import dataclass

import numpy as np

from workloads.format import finite, formats, over_axis, per_slice
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer

#: what codes 0 and 1 stand for
SIGNS = (-1, 1)


def sign_codes(values: np.ndarray) -> np.ndarray:
    """uint8 codes: 1 for values >= 0 (zero counts as positive), else 0."""
    return (values >= 0).astype(np.uint8)


@dataclass(frozen=True)
class _Binary:
    @property
    def bits(self) -> int:
        return 1


@formats.add("binary")
@dataclass(frozen=True)
class Binary(_Binary):
    """BinaryConnect: the sign alone, +1 for zero; no scale."""

    def quantise(self, values: np.ndarray) -> Codes:
        """Signs; zero counts as positive."""
        return Codes(sign_codes(finite(values)), NumberFormat(1, False, 1.0, codebook=SIGNS))


@formats.add("bwn")
@dataclass(frozen=True)
class Bwn(_Binary):
    """BWN: sign times a = mean|w|, one a for each slice along ``axis`` (0 = filter), or one in all (None)."""

    axis: int | None = 0

    def quantise(self, values: np.ndarray) -> Codes:
        """Signs, and the mean magnitude along ``axis`` as scale."""
        values = finite(values)
        scale = np.abs(values).mean(axis=over_axis(values, self.axis), keepdims=True)
        form = NumberFormat(1, False, per_slice(scale, self.axis), axis=self.axis, codebook=SIGNS)
        return Codes(sign_codes(values), form)


@dataclass(frozen=True, eq=False)
class BinaryMaps:
    """Binary activations of one layer. codes: [N, C, H, W]; scale: [N, G, E, F] K of every output position."""

    codes: Codes
    scale: np.ndarray


@formats.add("xnor")
@dataclass(frozen=True)
class Xnor(Bwn):
    """XNOR-Net: weights as BWN; activations are signs, with one scale K for every output position."""

    def activations(self, values: np.ndarray, layer: Layer) -> BinaryMaps:
        """values: [N, C, H, W] -> signs, and K = mean|x| over the channels of a group, averaged over the filter's
        window (padding counts as 0)."""
        values = finite(values)
        form = NumberFormat(1, False, 1.0, codebook=SIGNS)
        mean = np.abs(values).reshape(layer.N, layer.G, -1, layer.H, layer.W).mean(axis=2)
        scale = np.stack([layer.window.view(item).mean(axis=(1, 2)) for item in mean])
        return BinaryMaps(Codes(sign_codes(values), form), scale)


def xnor_dot(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Sum over the last axis of products of signs, as hardware has it: 2 popcount(xnor) - n. a, w: codes 0 and 1."""
    return 2 * np.sum(a == w, axis=-1, dtype=np.int64) - a.shape[-1]
